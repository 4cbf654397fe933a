#!/usr/bin/env python3
"""Other API servers behind APIServices, and webhooks behind Services: a real HTTPS server, an unmodified kubectl."""
import base64, json, pathlib, re, socket, ssl, subprocess, tempfile, time, unittest
import aggregated_server as extra
import engine as e2e
from engine import wait_for

NAME = f'{extra.VERSION}.{extra.GROUP}'
BASE = f'/apis/{extra.GROUP}/{extra.VERSION}'


def manifests(server):
    bundle = base64.b64encode(server.ca.read_bytes()).decode()
    slice_ = {'apiVersion': 'discovery.k8s.io/v1', 'kind': 'EndpointSlice', 'addressType': 'IPv4',
              'metadata': {'name': 'things-1', 'namespace': 'extra', 'labels': {'kubernetes.io/service-name': 'things'}},
              'ports': [{'name': 'https', 'port': server.port, 'protocol': 'TCP'}], 'endpoints': [{'addresses': [server.address]}]}
    hook = {'name': 'h.example.com', 'clientConfig': {'service': {'name': 'things', 'namespace': 'extra', 'path': '/admit'}, 'caBundle': bundle},
            'sideEffects': 'None', 'admissionReviewVersions': ['v1'], 'matchPolicy': 'Equivalent',
            'namespaceSelector': {'matchLabels': {'kubernetes.io/metadata.name': 'hooked'}},
            'rules': [{'apiGroups': [''], 'apiVersions': ['v1'], 'operations': ['CREATE', 'CONNECT'],
                       'resources': ['configmaps', 'pods/exec', 'pods/attach', 'pods/portforward', 'pods/proxy', 'pods/eviction', 'pods/binding']}]}
    return {
        'namespace': {'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': 'extra'}},
        'service': {'apiVersion': 'v1', 'kind': 'Service', 'metadata': {'name': 'things', 'namespace': 'extra'},
                    'spec': {'ports': [{'name': 'https', 'port': 443}]}},
        'slice': slice_,
        'apiservice': {'apiVersion': 'apiregistration.k8s.io/v1', 'kind': 'APIService', 'metadata': {'name': NAME},
                       'spec': {'group': extra.GROUP, 'version': extra.VERSION, 'groupPriorityMinimum': 2000, 'versionPriority': 10,
                                'caBundle': bundle, 'service': {'name': 'things', 'namespace': 'extra'}}},
        'webhook': {'apiVersion': 'admissionregistration.k8s.io/v1', 'kind': 'ValidatingWebhookConfiguration',
                    'metadata': {'name': 'extra'}, 'webhooks': [hook]},
    }


@unittest.skipUnless(extra.address(), 'this machine has no address but loopback, which no EndpointSlice may name')
class Aggregation(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        e2e.tools()
        cls.engine = e2e.Engine('aggregation')
        policy = cls.engine.manifest('apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n', 'audit.yaml')
        cls.audit = cls.engine.home / 'audit.log'
        cls.engine.serve('--controllers', 'none', '--audit-policy-file', str(policy), '--audit-log-path', str(cls.audit))
        trust = wait_for('what extensions are told', 10, lambda: cls.k('get', 'cm', '-n', 'kube-system', 'extension-apiserver-authentication',
                                                                      '-o', 'json', check=False).stdout)
        cls.trust = json.loads(trust)['data']
        directory = pathlib.Path(tempfile.mkdtemp(dir=cls.engine.home))
        cls.server = extra.Server(directory, cls.trust['requestheader-client-ca-file'])
        cls.objects = manifests(cls.server)
        for one in ('namespace', 'service'): cls.apply(one)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    @classmethod
    def k(cls, *words, **more): return cls.engine.kubectl(*words, **more)
    @classmethod
    def apply(cls, one): cls.k('apply', '-f', '-', input=json.dumps(cls.objects[one]))

    def condition(self):
        status = self.engine.get('apiservice', NAME).get('status', {})
        return (status.get('conditions') or [{}])[0]

    def reason(self, wanted, limit=10):
        return wait_for(f'reason {wanted}', limit, lambda: self.condition() if self.condition().get('reason') == wanted else None)

    def raw(self, path): return json.loads(self.k('get', '--raw', path))

    def test_a_it_becomes_available(self):
        self.apply('apiservice')
        self.assertIn('cannot find endpointslices for service/things in "extra"', self.reason('EndpointsNotFound')['message'])
        failed = self.k('get', '--raw', f'{BASE}/namespaces/default/things', check=False)
        self.assertNotEqual(failed.returncode, 0)
        self.assertIn('the server is currently unable to handle the request', failed.stderr)
        self.assertIn({'version': extra.VERSION, 'freshness': 'Stale'}, self.versions())
        self.server.broken = True
        self.apply('slice')
        self.assertRegex(self.reason('FailedDiscoveryCheck')['message'], r'^failing or missing response from https://\S+: bad status from https://\S+: 500$')
        self.server.broken = False
        self.assertEqual(self.reason('Passed', 40)['message'], 'all checks passed')
        self.k('wait', '--for=condition=Available', f'apiservice/{NAME}', '--timeout=5s')

    def versions(self):
        got = json.loads(subprocess.run([str(e2e.TOOLS / 'kubectl'), '--context', self.engine.context, 'get', '--raw', '/apis', '-v=0'],
                                        env=self.engine.env, capture_output=True, text=True).stdout)
        if got['kind'] == 'APIGroupList':
            got = self.request('GET', '/apis', {'Accept': 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'})[1]
        return [v for g in got['items'] if g['metadata'].get('name') == extra.GROUP for v in g['versions']]

    def connect(self):
        config = json.loads(self.k('config', 'view', '--raw', '-o', 'json'))
        user = config['users'][0]['user']
        files = []
        for key in ('client-certificate-data', 'client-key-data'):
            path = self.engine.home / key
            path.write_bytes(base64.b64decode(user[key]))
            files.append(str(path))
        context = ssl.create_default_context(cadata=base64.b64decode(config['clusters'][0]['cluster']['certificate-authority-data']).decode())
        context.load_cert_chain(*files)
        host, port = re.match(r'https://([\d.]+):(\d+)', config['clusters'][0]['cluster']['server']).groups()
        return context.wrap_socket(socket.create_connection((host, int(port))), server_hostname='localhost')

    def request(self, method, path, headers):
        with self.connect() as stream:
            lines = ''.join(f'{k}: {v}\r\n' for k, v in headers.items())
            stream.sendall(f'{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{lines}\r\n'.encode())
            data = b''
            while more := stream.recv(65536): data += more
        head, _, body = data.partition(b'\r\n\r\n')
        if b'transfer-encoding: chunked' in head.lower():
            whole, rest = b'', body
            while rest:
                size, _, rest = rest.partition(b'\r\n')
                whole, rest = whole + rest[:int(size, 16)], rest[int(size, 16) + 2:]
            body = whole
        return int(head.split()[1]), json.loads(body)

    def test_b_discovery_has_its_resources(self):
        versions = wait_for('current discovery', 10, lambda: [v for v in self.versions() if v['freshness'] == 'Current'])
        self.assertEqual([r['resource'] for r in versions[0]['resources']], ['things'])
        groups = [g['name'] for g in self.raw('/apis')['groups']]
        self.assertGreater(groups.index(extra.GROUP), groups.index('apps'))
        self.assertEqual(self.raw(f'/apis/{extra.GROUP}')['preferredVersion']['version'], extra.VERSION)
        self.assertIn('things', self.k('api-resources', '--api-group', extra.GROUP))
        self.assertIn('True', self.k('get', 'apiservice', NAME))

    def test_c_requests_are_passed_on_as_their_user(self):
        got = json.loads(self.k('get', 'th', 'one', '-n', 'default', '-o', 'json', '--as', 'jane', '--as-group', 'devs', '--as-uid', 'u-1',
                                '--as-group', 'system:masters', '--as-user-extra', 'scopes=all') if self.has_extra_flag() else
                         self.k('get', 'th', 'one', '-n', 'default', '-o', 'json', '--as', 'jane', '--as-uid', 'u-1', '--as-group', 'devs',
                                '--as-group', 'system:masters'))
        self.assertEqual(got['caller']['x-remote-user'], ['jane'])
        self.assertEqual(got['caller']['x-remote-uid'], ['u-1'])
        self.assertEqual(got['caller']['x-remote-group'], ['devs', 'system:masters', 'system:authenticated'])
        self.assertEqual(got['certificate'], ['front-proxy-client'])
        self.assertIsNone(got['authorization'])
        self.assertEqual(self.trust['requestheader-allowed-names'], '["front-proxy-client"]')
        forged = self.request('GET', f'{BASE}/namespaces/default/things/x', {'X-Remote-User': 'root', 'X-Remote-Extra-A': 'b'})[1]
        self.assertEqual(forged['caller']['x-remote-user'], ['admin'])
        self.assertNotIn('x-remote-extra-a', forged['caller'])
        made = self.k('create', '-f', '-', '-o', 'json', '--validate=false',
                      input=json.dumps({'apiVersion': f'{extra.GROUP}/{extra.VERSION}', 'kind': 'Thing',
                                        'metadata': {'name': 'new', 'namespace': 'default'}, 'spec': {'size': 3}}))
        self.assertEqual(json.loads(made)['spec'], {'size': 3})
        # Who may not, does not get there.
        self.assertIn('forbidden', self.k('get', 'th', '-n', 'default', '--as', 'nobody', check=False).stderr)

    def has_extra_flag(self): return '--as-user-extra' in self.k('options')

    def test_d_watches_stream_and_connections_upgrade(self):
        with self.connect() as stream:
            stream.settimeout(10)
            stream.sendall(f'GET {BASE}/namespaces/default/things?watch=1 HTTP/1.1\r\nHost: x\r\n\r\n'.encode())
            data = b''
            for i in range(3):
                while f'"t{i}"'.encode() not in data: data += stream.recv(65536)
                self.assertNotIn(f'"t{i + 1}"'.encode(), data)
                self.server.go_on.release()
        with self.connect() as stream:
            stream.settimeout(10)
            stream.sendall(f'GET {BASE}/namespaces/default/things/a/echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n'.encode())
            data = b''
            while b'\r\n\r\n' not in data: data += stream.recv(4096)
            self.assertIn(b' 101 ', data)
            stream.sendall(b'hello')
            self.assertEqual(stream.recv(4096), b'HELLO')

    def test_e_webhooks_behind_a_service(self):
        self.apply('webhook')
        self.k('create', 'ns', 'hooked')
        self.k('create', 'serviceaccount', 'default', '-n', 'hooked')
        self.server.connections.clear()
        wait_for('the webhook is asked', 5, lambda: 'no CREATE of ConfigMap' in
                 self.k('create', 'cm', 'refused', '-n', 'hooked', check=False).stderr)
        for i in range(5): self.k('create', 'cm', f'c{i}', '-n', 'hooked')
        self.assertLessEqual(len(self.server.connections), 2, 'connections are kept')
        self.k('run', 'p', '--image=i', '-n', 'hooked', '--overrides', '{"spec":{"automountServiceAccountToken":false}}')
        for words, kind in ((('exec', 'p', '--', 'ls'), 'PodExecOptions'), (('attach', 'p'), 'PodAttachOptions')):
            # kubectl looks at the pod's phase first.
            self.k('patch', 'pod', 'p', '-n', 'hooked', '--subresource=status', '-p', '{"status":{"phase":"Running"}}')
            self.assertIn(f'no CONNECT of {kind}', self.k('-n', 'hooked', *words, check=False).stderr)
        code, body = self.request('GET', '/api/v1/namespaces/hooked/pods/p:80/proxy/x/y', {})
        self.assertEqual((code, body['message']), (400, 'admission webhook "h.example.com" denied the request: no CONNECT of PodProxyOptions'))
        self.assertEqual(self.server.reviews[-1]['object'], {'apiVersion': 'v1', 'kind': 'PodProxyOptions', 'path': '/x/y'})
        self.k('create', '--raw', '/api/v1/namespaces/hooked/pods/p/binding', '-f', '-',
               input='{"apiVersion":"v1","kind":"Binding","metadata":{"name":"p"},"target":{"name":"n"}}')
        self.assertEqual(self.server.reviews[-1]['kind']['kind'], 'Binding')
        log = wait_for('annotations in the audit log', 5, lambda: [json.loads(line) for line in self.audit.read_text().splitlines()
                                                                   if '"h.example.com/seen":"yes"' in line])
        self.assertEqual(log[0]['objectRef']['resource'], 'configmaps')

    def test_f_it_goes(self):
        self.k('delete', 'endpointslice', '-n', 'extra', 'things-1')
        self.reason('EndpointsNotFound')
        self.k('delete', 'service', '-n', 'extra', 'things')
        self.assertEqual(self.reason('ServiceNotFound')['message'], 'service/things in "extra" is not present')
        self.k('delete', 'apiservice', NAME)
        self.assertNotIn(extra.GROUP, [g['name'] for g in self.raw('/apis')['groups']])
        self.assertNotEqual(self.k('get', '--raw', BASE, check=False).returncode, 0)


if __name__ == '__main__':
    unittest.main(verbosity=2)
