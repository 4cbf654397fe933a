"""The Python client's half of the conversation that tests/e2e/clients_test.py describes."""
import sys, threading
from kubernetes import client, config, dynamic, watch
from kubernetes.client.rest import ApiException
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.configmaplock import ConfigMapLock
from kubernetes.stream import portforward, stream

config.load_kube_config()
core, apps, space = client.CoreV1Api(), client.AppsV1Api(), sys.argv[1]


def refused(status, call, *arguments, **more):
    try: call(*arguments, **more)
    except ApiException as error:
        assert error.status == status, f'{error.status} instead of {status}: {error.body}'
        return
    raise AssertionError(f'not refused with {status}')


def config_map(name, labels=None, **data):
    return client.V1ConfigMap(api_version='v1', kind='ConfigMap', metadata=client.V1ObjectMeta(name=name, labels=labels), data=data)


def objects():
    made = core.create_namespaced_config_map(space, config_map('one', color='red'))
    refused(409, core.create_namespaced_config_map, space, config_map('one'))
    old = core.read_namespaced_config_map('one', space)
    made.data['color'] = 'green'
    core.replace_namespaced_config_map('one', space, made)
    refused(409, core.replace_namespaced_config_map, 'one', space, old)
    patched = core.patch_namespaced_config_map('one', space, {'data': {'size': 'big'}})
    assert patched.data == {'color': 'green', 'size': 'big'}, patched.data
    core.delete_namespaced_config_map('one', space)
    refused(404, core.read_namespaced_config_map, 'one', space)


def apply():
    def by(manager, value, force=False):
        body = {'apiVersion': 'v1', 'kind': 'ConfigMap', 'metadata': {'name': 'applied'}, 'data': {'x': value}}
        return api.server_side_apply(resource, body, namespace=space, field_manager=manager, force_conflicts=force)
    api = dynamic.DynamicClient(client.ApiClient())
    resource = api.resources.get(api_version='v1', kind='ConfigMap')
    by('first', '1')
    try: by('second', '2')
    except dynamic.exceptions.ConflictError as error: assert 'first' in str(error.body), error.body
    else: raise AssertionError('no conflict')
    done = by('second', '2', force=True)
    assert done.data.x == '2'


def custom():
    api = dynamic.DynamicClient(client.ApiClient())
    boats = api.resources.get(api_version='keel.example.com/v1', kind='Boat')
    boats.create(namespace=space, body={'apiVersion': 'keel.example.com/v1', 'kind': 'Boat', 'metadata': {'name': 'a'}, 'spec': {'length': 7}})
    boats.status.patch(namespace=space, name='a', body={'status': {'afloat': True}}, content_type='application/merge-patch+json')
    boat = boats.get(namespace=space, name='a')
    assert boat.spec.length == 7 and boat.status.afloat is True
    refused(422, boats.patch, namespace=space, name='a', body={'spec': {'length': 0}}, content_type='application/merge-patch+json')


def pages():
    for number in range(25): core.create_namespaced_config_map(space, config_map(f'page-{number:02}', {'set': 'pages'}))
    names, token = [], None
    while True:
        page = core.list_namespaced_config_map(space, label_selector='set=pages', limit=10, _continue=token)
        names += [item.metadata.name for item in page.items]
        token = page.metadata._continue
        if not token: break
    assert names == [f'page-{number:02}' for number in range(25)], names


def informer():
    seen, first = [], core.list_namespaced_config_map(space, label_selector='set=watched')
    def follow():
        for event in watch.Watch().stream(core.list_namespaced_config_map, space, label_selector='set=watched',
                                          resource_version=first.metadata.resource_version, timeout_seconds=30):
            seen.append(event['type'] + ' ' + event['object'].metadata.name)
            if len(seen) == 4: return
    follower = threading.Thread(target=follow)
    follower.start()
    core.create_namespaced_config_map(space, config_map('w1', {'set': 'watched'}))
    core.patch_namespaced_config_map('w1', space, {'data': {'a': 'b'}})
    core.create_namespaced_config_map(space, config_map('w2', {'set': 'watched'}))
    core.patch_namespaced_config_map('w1', space, {'metadata': {'labels': {'set': 'other'}}})
    follower.join(30)
    assert seen == ['ADDED w1', 'MODIFIED w1', 'ADDED w2', 'DELETED w1'], seen


def election():
    order, led = [], {name: threading.Event() for name in ('one', 'two')}
    def candidate(name):
        def lead():
            order.append(name)
            led[name].set()
        lock = ConfigMapLock('leader', space, name)
        settings = electionconfig.Config(lock, lease_duration=3, renew_deadline=2, retry_period=1, onstarted_leading=lead, onstopped_leading=None)
        threading.Thread(target=leaderelection.LeaderElection(settings).run, daemon=True).start()
    candidate('one')
    assert led['one'].wait(20)
    record = core.read_namespaced_config_map('leader', space).metadata.annotations['control-plane.alpha.kubernetes.io/leader']
    assert '"one"' in record, record
    candidate('two')
    assert not led['two'].wait(5), 'two leaders at once'


def execute():
    answer = stream(core.connect_get_namespaced_pod_exec, 'shell', 'default', stdin=True, stdout=True, stderr=True, tty=False, _preload_content=False,
                    command=['sh', '-c', 'read line; echo "heard $line"; echo wrong >&2; exit 3'])
    answer.write_stdin('a word\n')
    answer.run_forever(timeout=30)
    assert answer.read_stdout() == 'heard a word\n' and answer.read_stderr() == 'wrong\n'
    assert answer.returncode == 3, answer.returncode


def port():
    pod = core.list_namespaced_pod('default', label_selector='app=web').items[0].metadata.name
    forward = portforward(core.connect_get_namespaced_pod_portforward, pod, 'default', ports='8080')
    http = forward.socket(8080)
    http.setblocking(True)
    http.sendall(b'GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n')
    text = b''
    while chunk := http.recv(4096): text += chunk
    assert text.startswith(b'HTTP/1.1 200'), text


def logs():
    pod = core.list_namespaced_pod('default', label_selector='app=web').items[0].metadata.name
    assert 'ready' in core.read_namespaced_pod_log(pod, 'default')


for step in (objects, apply, custom, pages, informer, election, execute, port, logs):
    step()
    print('ok', step.__name__, flush=True)
