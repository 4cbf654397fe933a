// The JavaScript client's half of the conversation that tests/e2e/clients_test.py describes.
import assert from 'node:assert/strict';
import net from 'node:net';
import { PassThrough, Writable } from 'node:stream';
import * as k8s from '@kubernetes/client-node';

const config = new k8s.KubeConfig();
config.loadFromDefault();
const namespace = process.argv[2];
const core = config.makeApiClient(k8s.CoreV1Api);
const coordination = config.makeApiClient(k8s.CoordinationV1Api);
const objectsApi = k8s.KubernetesObjectApi.makeApiClient(config);
const configMap = (name, data = {}, labels = {}) =>
  ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, labels }, data });
const merge = k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch);
const refused = (code, call) => assert.rejects(call, (error) => {
  assert.equal(error.code, code, error.body);
  return true;
});

// Looks until it sees what is wanted, at most 30 s.
async function until(what, look) {
  for (const end = Date.now() + 30000; Date.now() < end; await new Promise((go) => setTimeout(go, 20)))
    if (await look()) return;
  assert.fail(`${what}: not within 30 s`);
}
const collector = (into) => new Writable({ write(chunk, _, done) { into.text += chunk; done(); } });

async function objects() {
  const made = await core.createNamespacedConfigMap({ namespace, body: configMap('one', { color: 'red' }) });
  await refused(409, () => core.createNamespacedConfigMap({ namespace, body: configMap('one') }));
  await core.replaceNamespacedConfigMap({ name: 'one', namespace, body: { ...made, data: { color: 'green' } } });
  await refused(409, () => core.replaceNamespacedConfigMap({ name: 'one', namespace, body: made }));
  const patched = await core.patchNamespacedConfigMap({ name: 'one', namespace, body: { data: { size: 'big' } } }, merge);
  assert.deepEqual(patched.data, { color: 'green', size: 'big' });
  await core.deleteNamespacedConfigMap({ name: 'one', namespace });
  await refused(404, () => core.readNamespacedConfigMap({ name: 'one', namespace }));
}

async function apply() {
  const by = (manager, value, force) => objectsApi.patch(configMap('applied', { x: value }), undefined, undefined,
    manager, force, k8s.PatchStrategy.ServerSideApply);
  await by('first', '1', false);
  await refused(409, () => by('second', '2', false));
  assert.equal((await by('second', '2', true)).data.x, '2');
}

async function custom() {
  const api = config.makeApiClient(k8s.CustomObjectsApi);
  const boats = { group: 'keel.example.com', version: 'v1', plural: 'boats', namespace };
  const body = { apiVersion: 'keel.example.com/v1', kind: 'Boat', metadata: { name: 'a' }, spec: { length: 7 } };
  await api.createNamespacedCustomObject({ ...boats, body });
  await api.patchNamespacedCustomObjectStatus({ ...boats, name: 'a', body: { status: { afloat: true } } }, merge);
  const boat = await api.getNamespacedCustomObject({ ...boats, name: 'a' });
  assert.deepEqual([boat.spec.length, boat.status.afloat], [7, true]);
  await refused(422, () => api.patchNamespacedCustomObject({ ...boats, name: 'a', body: { spec: { length: 0 } } }, merge));
}

async function pages() {
  const wanted = Array.from({ length: 25 }, (_, i) => `page-${String(i).padStart(2, '0')}`);
  for (const name of wanted) await core.createNamespacedConfigMap({ namespace, body: configMap(name, {}, { set: 'pages' }) });
  const names = [];
  let token;
  do {
    const page = await core.listNamespacedConfigMap({ namespace, labelSelector: 'set=pages', limit: 10, _continue: token });
    names.push(...page.items.map((item) => item.metadata.name));
    token = page.metadata._continue;
  } while (token);
  assert.deepEqual(names, wanted);
}

async function informer() {
  const labelSelector = 'set=watched', seen = [];
  const list = () => core.listNamespacedConfigMap({ namespace, labelSelector });
  const cache = k8s.makeInformer(config, `/api/v1/namespaces/${namespace}/configmaps`, list, labelSelector);
  let connected = false;
  cache.on('connect', () => { connected = true; });
  for (const event of ['add', 'update', 'delete']) cache.on(event, (object) => seen.push(`${event} ${object.metadata.name}`));
  await cache.start();
  await until('the informer is connected', () => connected);
  await core.createNamespacedConfigMap({ namespace, body: configMap('w1', {}, { set: 'watched' }) });
  await core.patchNamespacedConfigMap({ name: 'w1', namespace, body: { data: { a: 'b' } } }, merge);
  await core.createNamespacedConfigMap({ namespace, body: configMap('w2', {}, { set: 'watched' }) });
  await core.patchNamespacedConfigMap({ name: 'w1', namespace, body: { metadata: { labels: { set: 'other' } } } }, merge);
  await until('four events', () => seen.length >= 4);
  await cache.stop();
  assert.deepEqual(seen, ['add w1', 'update w1', 'add w2', 'delete w1']);
}

// The library has no leader election: a Lease taken by resourceVersion, as all such elections are.
async function election() {
  const spec = (holderIdentity) => ({ holderIdentity, leaseDurationSeconds: 3, renewTime: new k8s.V1MicroTime() });
  const made = await coordination.createNamespacedLease({ namespace, body: { metadata: { name: 'leader' }, spec: spec('one') } });
  await refused(409, () => coordination.createNamespacedLease({ namespace, body: { metadata: { name: 'leader' }, spec: spec('two') } }));
  const take = (holder) => coordination.replaceNamespacedLease({ name: 'leader', namespace, body: { ...made, spec: spec(holder) } });
  const both = await Promise.allSettled([take('two'), take('three')]);
  assert.deepEqual(both.map((one) => one.status).sort(), ['fulfilled', 'rejected']);
  const winner = both.find((one) => one.status === 'fulfilled').value.spec.holderIdentity;
  assert.equal((await coordination.readNamespacedLease({ name: 'leader', namespace })).spec.holderIdentity, winner);
}

async function execute() {
  const out = { text: '' }, error = { text: '' }, input = new PassThrough();
  const status = new Promise((done) => {
    new k8s.Exec(config).exec('default', 'shell', '', ['sh', '-c', 'read line; echo "heard $line"; echo wrong >&2; exit 3'],
      collector(out), collector(error), input, false, done);
    input.write('a word\n');
  });
  assert.equal((await status).details.causes.find((cause) => cause.reason === 'ExitCode').message, '3');
  assert.deepEqual([out.text, error.text], ['heard a word\n', 'wrong\n']);
}

const webPod = async () => (await core.listNamespacedPod({ namespace: 'default', labelSelector: 'app=web' })).items[0].metadata.name;

async function port() {
  const forward = new k8s.PortForward(config), pod = await webPod(), out = { text: '' };
  const server = net.createServer((socket) => forward.portForward('default', pod, [8080], socket, null, socket));
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  const client = net.connect(server.address().port, '127.0.0.1');
  client.on('data', (bytes) => { out.text += bytes; });
  client.write('GET / HTTP/1.1\r\nHost: web\r\n\r\n');
  await until('an answer', () => out.text.startsWith('HTTP/1.1 200'));
  client.destroy();
  server.close();
}

async function logs() {
  const out = { text: '' };
  const request = await new k8s.Log(config).log('default', await webPod(), 'app', collector(out), { follow: true });
  await until('the first line', () => out.text.includes('ready'));
  request.abort();
}

for (const step of [objects, apply, custom, pages, informer, election, execute, port, logs]) {
  await step();
  console.log('ok', step.name);
}
process.exit(0);
