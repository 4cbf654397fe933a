//! The Rust client's half of the conversation that tests/e2e/clients_test.py describes.
use std::{collections::BTreeMap, error::Error, time::Duration};

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::{
    coordination::v1::{Lease, LeaseSpec},
    core::v1::{ConfigMap, Pod},
};
use kube::{
    Client,
    api::{Api, ApiResource, AttachParams, DeleteParams, DynamicObject, ListParams, LogParams, ObjectMeta, Patch, PatchParams, PostParams},
    core::GroupVersionKind,
    runtime::watcher,
};
use serde_json::json;
use tokio::{io::AsyncReadExt, io::AsyncWriteExt, time::timeout};

type Done = Result<(), Box<dyn Error>>;
const LIMIT: Duration = Duration::from_secs(30);

fn map(pairs: &[(&str, &str)]) -> Option<BTreeMap<String, String>> {
    Some(pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect())
}

fn config_map(name: &str, labels: &[(&str, &str)], data: &[(&str, &str)]) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta { name: Some(name.into()), labels: map(labels), ..Default::default() },
        data: map(data),
        ..Default::default()
    }
}

fn refused<T>(code: u16, done: kube::Result<T>) {
    match done {
        Err(kube::Error::Api(status)) => assert_eq!(status.code, code, "{status:?}"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("not refused with {code}"),
    }
}

async fn objects(client: &Client, namespace: &str) -> Done {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let post = PostParams::default();
    let made = api.create(&post, &config_map("one", &[], &[("color", "red")])).await?;
    refused(409, api.create(&post, &config_map("one", &[], &[])).await);
    let newer = ConfigMap { data: map(&[("color", "green")]), ..made.clone() };
    api.replace("one", &post, &newer).await?;
    refused(409, api.replace("one", &post, &made).await);
    let patched = api.patch("one", &PatchParams::default(), &Patch::Merge(json!({"data": {"size": "big"}}))).await?;
    assert_eq!(patched.data, map(&[("color", "green"), ("size", "big")]));
    api.delete("one", &DeleteParams::default()).await?;
    refused(404, api.get("one").await);
    Ok(())
}

async fn apply(client: &Client, namespace: &str) -> Done {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let wanted = |value: &str| Patch::Apply(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": {"x": value}}));
    api.patch("applied", &PatchParams::apply("first"), &wanted("1")).await?;
    refused(409, api.patch("applied", &PatchParams::apply("second"), &wanted("2")).await);
    let forced = api.patch("applied", &PatchParams::apply("second").force(), &wanted("2")).await?;
    assert_eq!(forced.data, map(&[("x", "2")]));
    Ok(())
}

async fn custom(client: &Client, namespace: &str) -> Done {
    let boat = ApiResource::from_gvk(&GroupVersionKind::gvk("keel.example.com", "v1", "Boat"));
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &boat);
    let made = DynamicObject::new("a", &boat).data(json!({"spec": {"length": 7}}));
    api.create(&PostParams::default(), &made).await?;
    let afloat = Patch::Merge(json!({"status": {"afloat": true}}));
    api.patch_status("a", &PatchParams::default(), &afloat).await?;
    let found = api.get("a").await?;
    assert_eq!((&found.data["spec"]["length"], &found.data["status"]["afloat"]), (&json!(7), &json!(true)));
    let sunk = Patch::Merge(json!({"spec": {"length": 0}}));
    refused(422, api.patch("a", &PatchParams::default(), &sunk).await);
    Ok(())
}

async fn pages(client: &Client, namespace: &str) -> Done {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let wanted: Vec<String> = (0..25).map(|number| format!("page-{number:02}")).collect();
    for name in &wanted {
        api.create(&PostParams::default(), &config_map(name, &[("set", "pages")], &[])).await?;
    }
    let mut names = Vec::new();
    let mut page = ListParams::default().labels("set=pages").limit(10);
    loop {
        let list = api.list(&page).await?;
        names.extend(list.items.into_iter().filter_map(|item| item.metadata.name));
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => break,
        }
    }
    assert_eq!(names, wanted);
    Ok(())
}

async fn informer(client: &Client, namespace: &str) -> Done {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    // The initial list as a stream of events, which is the newer of the two ways.
    let mut events = watcher(api.clone(), watcher::Config::default().labels("set=watched").streaming_lists()).boxed();
    while !matches!(timeout(LIMIT, events.try_next()).await??, Some(watcher::Event::InitDone)) {}
    api.create(&PostParams::default(), &config_map("w1", &[("set", "watched")], &[])).await?;
    let more = Patch::Merge(json!({"data": {"a": "b"}}));
    api.patch("w1", &PatchParams::default(), &more).await?;
    api.create(&PostParams::default(), &config_map("w2", &[("set", "watched")], &[])).await?;
    let away = Patch::Merge(json!({"metadata": {"labels": {"set": "other"}}}));
    api.patch("w1", &PatchParams::default(), &away).await?;
    let mut seen = Vec::new();
    while seen.len() < 4 {
        seen.push(match timeout(LIMIT, events.try_next()).await?? {
            Some(watcher::Event::Apply(object)) => format!("apply {}", object.metadata.name.unwrap()),
            Some(watcher::Event::Delete(object)) => format!("delete {}", object.metadata.name.unwrap()),
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(seen, ["apply w1", "apply w1", "apply w2", "delete w1"]);
    Ok(())
}

/// The library has no leader election: a Lease taken by resourceVersion, as all such elections are.
async fn election(client: &Client, namespace: &str) -> Done {
    let api: Api<Lease> = Api::namespaced(client.clone(), namespace);
    let spec = |holder: &str| Some(LeaseSpec { holder_identity: Some(holder.into()), lease_duration_seconds: Some(3), ..Default::default() });
    let named = ObjectMeta { name: Some("leader".into()), ..Default::default() };
    let made = api.create(&PostParams::default(), &Lease { metadata: named.clone(), spec: spec("one") }).await?;
    refused(409, api.create(&PostParams::default(), &Lease { metadata: named, spec: spec("two") }).await);
    let (two, three) = (Lease { spec: spec("two"), ..made.clone() }, Lease { spec: spec("three"), ..made });
    let post = PostParams::default();
    let (first, second) = tokio::join!(api.replace("leader", &post, &two), api.replace("leader", &post, &three));
    let (won, lost) = if first.is_ok() { (first, second) } else { (second, first) };
    refused(409, lost);
    assert_eq!(api.get("leader").await?.spec, won?.spec);
    Ok(())
}

async fn execute(client: &Client) -> Done {
    let api: Api<Pod> = Api::namespaced(client.clone(), "default");
    let command = ["sh", "-c", r#"read line; echo "heard $line"; echo wrong >&2; exit 3"#];
    let mut process = api.exec("shell", command, &AttachParams::default().stdin(true)).await?;
    let mut input = process.stdin().unwrap();
    input.write_all(b"a word\n").await?;
    let (mut out, mut wrong) = (String::new(), String::new());
    process.stdout().unwrap().read_to_string(&mut out).await?;
    process.stderr().unwrap().read_to_string(&mut wrong).await?;
    assert_eq!((out.as_str(), wrong.as_str()), ("heard a word\n", "wrong\n"));
    let status = timeout(LIMIT, process.take_status().unwrap()).await?.unwrap();
    let causes = status.details.and_then(|details| details.causes).unwrap_or_default();
    assert_eq!(causes.iter().find(|cause| cause.reason.as_deref() == Some("ExitCode")).and_then(|cause| cause.message.as_deref()), Some("3"));
    Ok(())
}

async fn web_pod(api: &Api<Pod>) -> kube::Result<String> {
    Ok(api.list(&ListParams::default().labels("app=web")).await?.items.remove(0).metadata.name.unwrap())
}

async fn port(client: &Client) -> Done {
    let api: Api<Pod> = Api::namespaced(client.clone(), "default");
    let mut forward = api.portforward(&web_pod(&api).await?, &[8080]).await?;
    let mut stream = forward.take_stream(8080).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n").await?;
    let mut answer = vec![0; 12];
    timeout(LIMIT, stream.read_exact(&mut answer)).await??;
    assert_eq!(String::from_utf8(answer)?, "HTTP/1.1 200");
    Ok(())
}

async fn logs(client: &Client) -> Done {
    let api: Api<Pod> = Api::namespaced(client.clone(), "default");
    let text = api.logs(&web_pod(&api).await?, &LogParams::default()).await?;
    assert!(text.contains("ready"), "{text}");
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Done {
    let client = Client::try_default().await?;
    let namespace = std::env::args().nth(1).ok_or("a namespace is wanted")?;
    macro_rules! step {
        ($name:ident $(, $more:expr)*) => {
            $name(&client $(, $more)*).await?;
            println!("ok {}", stringify!($name));
        };
    }
    step!(objects, &namespace);
    step!(apply, &namespace);
    step!(custom, &namespace);
    step!(pages, &namespace);
    step!(informer, &namespace);
    step!(election, &namespace);
    step!(execute);
    step!(port);
    step!(logs);
    Ok(())
}
