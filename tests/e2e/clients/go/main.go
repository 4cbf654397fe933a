// The Go client's half of the conversation that tests/e2e/clients_test.py describes: with protobuf where the kind is
// built in, as Kubernetes' own components speak.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
	"strings"
	"sync"
	"time"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	applycore "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/client-go/util/exec"
)

var (
	ctx       = context.Background()
	namespace = os.Args[1]
	config    *rest.Config
	client    *kubernetes.Clientset
)

func check(ok bool, format string, arguments ...any) {
	if !ok {
		panic(fmt.Sprintf(format, arguments...))
	}
}

func must[T any](value T, err error) T {
	check(err == nil, "%v", err)
	return value
}

func configMap(name string, labels, data map[string]string) *core.ConfigMap {
	return &core.ConfigMap{ObjectMeta: meta.ObjectMeta{Name: name, Labels: labels}, Data: data}
}

func objects() {
	maps := client.CoreV1().ConfigMaps(namespace)
	made := must(maps.Create(ctx, configMap("one", nil, map[string]string{"color": "red"}), meta.CreateOptions{}))
	_, err := maps.Create(ctx, configMap("one", nil, nil), meta.CreateOptions{})
	check(apierrors.IsAlreadyExists(err), "created twice: %v", err)
	newer := made.DeepCopy()
	newer.Data["color"] = "green"
	must(maps.Update(ctx, newer, meta.UpdateOptions{}))
	_, err = maps.Update(ctx, made, meta.UpdateOptions{})
	check(apierrors.IsConflict(err), "an old version was taken: %v", err)
	patched := must(maps.Patch(ctx, "one", types.StrategicMergePatchType, []byte(`{"data":{"size":"big"}}`), meta.PatchOptions{}))
	check(reflect.DeepEqual(patched.Data, map[string]string{"color": "green", "size": "big"}), "%v", patched.Data)
	check(maps.Delete(ctx, "one", meta.DeleteOptions{}) == nil, "not deleted")
	_, err = maps.Get(ctx, "one", meta.GetOptions{})
	check(apierrors.IsNotFound(err), "still there: %v", err)
}

func apply() {
	by := func(manager, value string, force bool) (*core.ConfigMap, error) {
		wanted := applycore.ConfigMap("applied", namespace).WithData(map[string]string{"x": value})
		return client.CoreV1().ConfigMaps(namespace).Apply(ctx, wanted, meta.ApplyOptions{FieldManager: manager, Force: force})
	}
	must(by("first", "1", false))
	_, err := by("second", "2", false)
	check(apierrors.IsConflict(err) && strings.Contains(err.Error(), `conflict with "first"`), "no conflict: %v", err)
	forced := must(by("second", "2", true))
	check(forced.Data["x"] == "2", "%v", forced.Data)
	extracted := must(applycore.ExtractConfigMap(forced, "second"))
	check(extracted.Data["x"] == "2", "the second manager does not own its field: %v", extracted)
}

func custom() {
	boats := must(dynamic.NewForConfig(config)).Resource(schema.GroupVersionResource{Group: "keel.example.com", Version: "v1", Resource: "boats"}).Namespace(namespace)
	must(boats.Create(ctx, &unstructured.Unstructured{Object: map[string]any{"apiVersion": "keel.example.com/v1", "kind": "Boat",
		"metadata": map[string]any{"name": "a"}, "spec": map[string]any{"length": int64(7)}}}, meta.CreateOptions{}))
	must(boats.Patch(ctx, "a", types.MergePatchType, []byte(`{"status":{"afloat":true}}`), meta.PatchOptions{}, "status"))
	boat := must(boats.Get(ctx, "a", meta.GetOptions{}))
	afloat, _, _ := unstructured.NestedBool(boat.Object, "status", "afloat")
	length, _, _ := unstructured.NestedInt64(boat.Object, "spec", "length")
	check(afloat && length == 7, "%v", boat.Object)
	_, err := boats.Patch(ctx, "a", types.MergePatchType, []byte(`{"spec":{"length":0}}`), meta.PatchOptions{})
	check(apierrors.IsInvalid(err), "taken: %v", err)
}

func pages() {
	maps := client.CoreV1().ConfigMaps(namespace)
	for i := range 25 {
		must(maps.Create(ctx, configMap(fmt.Sprintf("page-%02d", i), map[string]string{"set": "pages"}, nil), meta.CreateOptions{}))
	}
	seen, token := 0, ""
	for {
		page := must(maps.List(ctx, meta.ListOptions{LabelSelector: "set=pages", Limit: 10, Continue: token}))
		for _, item := range page.Items {
			check(item.Name == fmt.Sprintf("page-%02d", seen), "%s at %d", item.Name, seen)
			seen++
		}
		if token = page.Continue; token == "" {
			break
		}
	}
	check(seen == 25, "%d seen", seen)
}

func informer() {
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(namespace),
		informers.WithTweakListOptions(func(options *meta.ListOptions) { options.LabelSelector = "set=watched" }))
	watched := factory.Core().V1().ConfigMaps().Informer()
	seen := make(chan string, 10)
	tell := func(what string) func(any) {
		return func(object any) { seen <- what + " " + object.(*core.ConfigMap).Name }
	}
	must(watched.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: tell("add"), DeleteFunc: tell("delete"),
		UpdateFunc: func(_, object any) { tell("update")(object) }}))
	stop := make(chan struct{})
	defer close(stop)
	factory.Start(stop)
	check(cache.WaitForCacheSync(stop, watched.HasSynced), "no sync")
	maps := client.CoreV1().ConfigMaps(namespace)
	must(maps.Create(ctx, configMap("w1", map[string]string{"set": "watched"}, nil), meta.CreateOptions{}))
	must(maps.Patch(ctx, "w1", types.MergePatchType, []byte(`{"data":{"a":"b"}}`), meta.PatchOptions{}))
	must(maps.Create(ctx, configMap("w2", map[string]string{"set": "watched"}, nil), meta.CreateOptions{}))
	must(maps.Patch(ctx, "w1", types.MergePatchType, []byte(`{"metadata":{"labels":{"set":"other"}}}`), meta.PatchOptions{}))
	for _, wanted := range []string{"add w1", "update w1", "add w2", "delete w1"} {
		select {
		case got := <-seen:
			check(got == wanted, "%s instead of %s", got, wanted)
		case <-time.After(30 * time.Second):
			panic("not seen: " + wanted)
		}
	}
}

func election() {
	leads := make(chan string, 2)
	var group sync.WaitGroup
	candidate := func(name string) context.CancelFunc {
		running, stop := context.WithCancel(ctx)
		lock := must(resourcelock.New(resourcelock.LeasesResourceLock, namespace, "leader", client.CoreV1(), client.CoordinationV1(),
			resourcelock.ResourceLockConfig{Identity: name}))
		group.Add(1)
		go func() {
			defer group.Done()
			leaderelection.RunOrDie(running, leaderelection.LeaderElectionConfig{Lock: lock, ReleaseOnCancel: true, LeaseDuration: 5 * time.Second,
				RenewDeadline: 4 * time.Second, RetryPeriod: 200 * time.Millisecond,
				Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: func(context.Context) { leads <- name }, OnStoppedLeading: func() {}}})
		}()
		return stop
	}
	next := func(wanted string) {
		select {
		case got := <-leads:
			check(got == wanted, "%s leads instead of %s", got, wanted)
		case <-time.After(30 * time.Second):
			panic(wanted + " does not lead")
		}
	}
	first := candidate("one")
	next("one")
	second := candidate("two")
	select {
	case <-leads:
		panic("two leaders at once")
	case <-time.After(time.Second):
	}
	first()
	next("two")
	second()
	group.Wait()
}

func execute() {
	request := client.CoreV1().RESTClient().Post().Resource("pods").Namespace("default").Name("shell").SubResource("exec").
		VersionedParams(&core.PodExecOptions{Stdin: true, Stdout: true, Stderr: true,
			Command: []string{"sh", "-c", `read line; echo "heard $line"; echo wrong >&2; exit 3`}}, scheme.ParameterCodec)
	// The two ways that clients have: WebSocket since 1.31, SPDY before.
	for _, executor := range []remotecommand.Executor{must(remotecommand.NewWebSocketExecutor(config, "GET", request.URL().String())),
		must(remotecommand.NewSPDYExecutor(config, "POST", request.URL()))} {
		var out, wrong bytes.Buffer
		err := executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: strings.NewReader("a word\n"), Stdout: &out, Stderr: &wrong})
		var code exec.CodeExitError
		check(errors.As(err, &code) && code.Code == 3, "exit code: %v", err)
		check(out.String() == "heard a word\n" && wrong.String() == "wrong\n", "%q %q", out.String(), wrong.String())
	}
}

func webPod() string {
	return must(client.CoreV1().Pods("default").List(ctx, meta.ListOptions{LabelSelector: "app=web"})).Items[0].Name
}

func port() {
	url := client.CoreV1().RESTClient().Post().Resource("pods").Namespace("default").Name(webPod()).SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(config)
	check(err == nil, "%v", err)
	stop, ready := make(chan struct{}), make(chan struct{})
	defer close(stop)
	forwarder := must(portforward.NewOnAddresses(spdy.NewDialer(upgrader, &http.Client{Transport: transport}, "POST", url),
		[]string{"127.0.0.1"}, []string{"0:8080"}, stop, ready, io.Discard, os.Stderr))
	go forwarder.ForwardPorts()
	<-ready
	ports := must(forwarder.GetPorts())
	answer := must(http.Get(fmt.Sprintf("http://127.0.0.1:%d/", ports[0].Local)))
	check(answer.StatusCode == 200, "%s", answer.Status)
}

func logs() {
	text := must(client.CoreV1().Pods("default").GetLogs(webPod(), &core.PodLogOptions{}).DoRaw(ctx))
	check(strings.Contains(string(text), "ready"), "%s", text)
}

func main() {
	config = must(clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG")))
	config.QPS, config.Burst = 1000, 1000
	typed := rest.CopyConfig(config)
	typed.ContentType, typed.AcceptContentTypes = "application/vnd.kubernetes.protobuf", "application/vnd.kubernetes.protobuf,application/json"
	client = must(kubernetes.NewForConfig(typed))
	for _, step := range []struct {
		name string
		run  func()
	}{{"objects", objects}, {"apply", apply}, {"custom", custom}, {"pages", pages}, {"informer", informer}, {"election", election},
		{"execute", execute}, {"port", port}, {"logs", logs}} {
		step.run()
		fmt.Println("ok", step.name)
	}
}
