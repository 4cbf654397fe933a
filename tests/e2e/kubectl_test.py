#!/usr/bin/env python3
"""Unmodified kubectl, 1.35 and 1.32, against a running platform: every verb that people use; and Helm."""
import base64, json, subprocess, time, unittest, urllib.request
import engine as e2e
from engine import wait_for


class Kubectl(unittest.TestCase):
    PROGRAM = 'kubectl'

    @classmethod
    def setUpClass(cls):
        e2e.tools()
        cls.engine = e2e.Engine(cls.PROGRAM.replace('.', '-'), cls.PROGRAM)
        cls.engine.up(cls.engine.manifest(e2e.PLATFORM + '---' + e2e.WEB))
        cls.engine.kubectl('run', 'shell', '--image=shell:1', '--restart=Never')
        cls.engine.kubectl('wait', '--for=condition=Ready', 'pod/shell', '--timeout=30s')

    def k(self, *words, **more): return self.engine.kubectl(*words, **more)

    def test_get_in_all_forms(self):
        self.assertIn('web', self.k('get', 'deploy'))
        self.assertIn('CONTAINERS', self.k('get', 'deploy', '-o', 'wide'))
        self.assertIn('deployment.apps/web', self.k('get', 'all', '-o', 'name'))
        self.assertIn('kind: Deployment', self.k('get', 'deploy', 'web', '-o', 'yaml'))
        self.assertEqual(self.k('get', 'deploy', 'web', '-o', 'jsonpath={.spec.replicas}'), '2')
        self.assertEqual(self.k('get', 'pods', '-l', 'app=web', '-o', 'go-template={{len .items}}'), '2')
        self.assertIn('web', self.k('get', 'deploy', '-o', 'custom-columns=N:.metadata.name'))
        self.assertIn('app=web', self.k('get', 'pods', '--show-labels'))
        self.assertIn('No resources', self.k('get', 'jobs', check=False).stderr)

    def test_watch_sees_a_change(self):
        watch = subprocess.Popen([self.engine.kubectl_path, '--context', self.engine.context, 'get', 'cm', '-w', '-o', 'name'],
                                 env=self.engine.env, stdout=subprocess.PIPE, text=True)
        try:
            first = watch.stdout.readline()
            self.assertIn('kube-root-ca.crt', first)
            self.k('create', 'cm', 'seen', '--from-literal=a=b')
            self.assertIn('seen', watch.stdout.readline())
        finally:
            watch.kill()
            watch.wait()
        self.k('delete', 'cm', 'seen')

    def test_describe_and_events(self):
        text = self.k('describe', 'deploy', 'web')
        self.assertIn('RollingUpdateStrategy', text)
        self.assertIn('ScalingReplicaSet', text)
        self.assertIn('StandIn', self.k('describe', 'pod', 'shell'))
        self.assertIn('Scheduled', self.k('events'))
        self.assertIn('Roles:', self.k('describe', 'nodes'))

    def test_create_edit_patch_replace_delete(self):
        self.k('create', 'cm', 'c1', '--from-literal=a=1')
        self.k('patch', 'cm', 'c1', '-p', '{"data":{"b":"2"}}')
        self.k('patch', 'cm', 'c1', '--type=json', '-p', '[{"op":"replace","path":"/data/a","value":"3"}]')
        self.engine.env['KUBE_EDITOR'] = "sed -i 's/b: \"2\"/b: \"4\"/'"
        self.k('edit', 'cm', 'c1')
        self.assertEqual(self.engine.get('cm', 'c1')['data'], {'a': '3', 'b': '4'})
        whole = self.engine.get('cm', 'c1')
        whole['data'] = {'z': '9'}
        self.k('replace', '-f', '-', input=json.dumps(whole))
        self.assertEqual(self.engine.get('cm', 'c1')['data'], {'z': '9'})
        self.k('label', 'cm', 'c1', 'tier=x')
        self.k('annotate', 'cm', 'c1', 'note=y')
        self.assertIn('c1', self.k('get', 'cm', '-l', 'tier=x'))
        self.k('delete', 'cm', 'c1')
        self.assertIn('not found', self.k('get', 'cm', 'c1', check=False).stderr)

    def test_apply_and_diff(self):
        path = self.engine.manifest('apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a1}\ndata: {k: v1}\n', 'a1.yaml')
        self.assertIn('created', self.k('apply', '-f', str(path)))
        self.assertIn('unchanged', self.k('apply', '-f', str(path)))
        path.write_text(path.read_text().replace('v1}', 'v2}'))
        diff = self.k('diff', '-f', str(path), check=False)
        self.assertEqual(diff.returncode, 1, diff.stderr)
        self.assertIn('+  k: v2', diff.stdout)
        self.assertIn('configured', self.k('apply', '-f', str(path)))
        path.write_text(path.read_text().replace('{k: v2}', '{new: v3}'))
        self.k('apply', '-f', str(path))
        self.assertEqual(self.engine.get('cm', 'a1')['data'], {'new': 'v3'})
        server = self.engine.manifest('apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a2}\ndata: {k: v1}\n', 'a2.yaml')
        self.k('apply', '--server-side', '-f', str(server))
        conflict = self.k('apply', '--server-side', '--field-manager=other', '-f', '-', check=False,
                          input=server.read_text().replace('v1}', 'vx}'))
        self.assertIn('conflict', conflict.stderr)
        self.k('apply', '--server-side', '--force-conflicts', '--field-manager=other', '-f', '-',
               input=server.read_text().replace('v1}', 'vx}'))
        self.k('delete', '-f', str(path), '-f', str(server))

    def test_scale_and_rollout(self):
        self.k('create', 'deploy', 'roll', '--image=web:1', '--replicas=1')
        self.k('rollout', 'status', 'deploy/roll', '--timeout=60s')
        self.k('scale', 'deploy/roll', '--replicas=2')
        self.k('wait', '--for=jsonpath={.status.readyReplicas}=2', 'deploy/roll', '--timeout=60s')
        self.k('set', 'image', 'deploy/roll', 'web=web:2')
        self.k('rollout', 'status', 'deploy/roll', '--timeout=60s')
        self.assertEqual(len([l for l in self.k('rollout', 'history', 'deploy/roll').split('\n') if l[:1].isdigit()]), 2)
        self.k('rollout', 'undo', 'deploy/roll')
        self.k('rollout', 'status', 'deploy/roll', '--timeout=60s')
        self.assertEqual(self.engine.get('deploy', 'roll')['spec']['template']['spec']['containers'][0]['image'], 'web:1')
        self.k('rollout', 'restart', 'deploy/roll')
        self.k('rollout', 'status', 'deploy/roll', '--timeout=60s')
        self.k('autoscale', 'deploy', 'roll', '--min=1', '--max=3', '--cpu-percent=50')
        self.assertIn('roll', self.k('get', 'hpa'))
        self.k('expose', 'deploy', 'roll', '--port=80', '--target-port=8080')
        self.k('delete', 'deploy,svc,hpa', 'roll')
        wait_for('pods are gone', 60, lambda: not self.engine.get('pods', '-l', 'app=roll')['items'])

    def test_exec_logs_cp_attach(self):
        self.assertEqual(self.k('exec', 'shell', '--', 'echo', 'hello').strip(), 'hello')
        self.assertEqual(self.k('exec', '-i', 'shell', '--', 'cat', input='through stdin'), 'through stdin')
        self.assertEqual(self.k('exec', 'shell', '--', 'sh', '-c', 'exit 7', check=False).returncode, 7)
        source = self.engine.home / 'copied'
        source.write_text('x' * 100_000)
        self.k('cp', str(source), 'shell:/tmp/copied')
        self.k('cp', 'shell:/tmp/copied', str(self.engine.home / 'back'))
        self.assertEqual((self.engine.home / 'back').read_text(), source.read_text())
        self.assertIn('ready', self.k('logs', 'deploy/web'))
        self.assertLessEqual(len(self.k('logs', 'deploy/web', '--tail=1').strip().split('\n')), 1)
        self.assertIn('T', self.k('logs', 'deploy/web', '--timestamps', '--tail=1').split(' ')[0])

    def test_follow_logs(self):
        self.k('run', 'talker', '--image=shell:1', '--restart=Never')
        self.k('wait', '--for=condition=Ready', 'pod/talker', '--timeout=30s')
        follow = subprocess.Popen([self.engine.kubectl_path, '--context', self.engine.context, 'logs', '-f', 'talker'],
                                  env=self.engine.env, stdout=subprocess.PIPE, text=True)
        self.k('exec', 'talker', '--', 'sh', '-c', 'echo told > /proc/1/fd/1')
        self.assertEqual(follow.stdout.readline().strip(), 'told')
        self.k('delete', 'pod', 'talker', '--grace-period=1')
        self.assertEqual(follow.wait(timeout=60), 0)

    def test_port_forward(self):
        forward = subprocess.Popen([self.engine.kubectl_path, '--context', self.engine.context, 'port-forward', 'deploy/web', ':8080'],
                                   env=self.engine.env, stdout=subprocess.PIPE, text=True)
        try:
            port = forward.stdout.readline().split(':')[1].split(' ')[0]
            for _ in range(20):
                with urllib.request.urlopen(f'http://127.0.0.1:{port}/', timeout=5) as answer:
                    self.assertEqual(answer.status, 200)
        finally:
            forward.kill()
            forward.wait()

    def test_top(self):
        wait_for('figures of pods', 60, lambda: 'web' in self.k('top', 'pods', check=False).stdout, 1)
        self.assertIn('pool-1', self.k('top', 'nodes'))

    def test_explain_and_discovery(self):
        self.assertIn('strategy', self.k('explain', 'deployment.spec'))
        self.assertIn('maxSurge', self.k('explain', 'deployment.spec.strategy', '--recursive'))
        self.assertIn('platforms', self.k('api-resources'))
        self.assertIn('apps/v1', self.k('api-versions'))
        self.assertIn('v1.36', self.k('version'))

    def test_authorization(self):
        self.assertEqual(self.k('auth', 'can-i', 'delete', 'pods').strip(), 'yes')
        no = self.k('auth', 'can-i', 'delete', 'pods', '--as=system:serviceaccount:default:default', check=False)
        self.assertEqual(no.stdout.strip(), 'no')
        self.k('create', 'role', 'reader', '--verb=get,list', '--resource=pods')
        self.k('create', 'rolebinding', 'reader', '--role=reader', '--serviceaccount=default:default')
        self.assertEqual(self.k('auth', 'can-i', 'list', 'pods', '--as=system:serviceaccount:default:default').strip(), 'yes')
        refused = self.k('get', 'secrets', '--as=system:serviceaccount:default:default', check=False)
        self.assertIn('Forbidden', refused.stderr)
        token = self.k('create', 'token', 'default').strip()
        self.assertEqual(token.count('.'), 2)

    def test_namespace_comes_and_goes(self):
        self.k('create', 'ns', 'brief')
        self.k('-n', 'brief', 'create', 'cm', 'inside')
        self.k('delete', 'ns', 'brief', '--timeout=60s')
        self.assertIn('not found', self.k('get', 'ns', 'brief', check=False).stderr)

    def test_cordon_and_drain(self):
        self.k('cordon', 'pool-2')
        self.assertIn('SchedulingDisabled', self.k('get', 'node', 'pool-2'))
        self.k('drain', 'pool-2', '--ignore-daemonsets', '--force', '--timeout=90s', '--pod-selector=app=web')
        self.k('uncordon', 'pool-2')
        self.k('rollout', 'status', 'deploy/web', '--timeout=60s')

    def test_attach_and_run_at_the_terminal(self):
        out = self.k('run', 'once', '--image=shell:1', '--restart=Never', '--rm', '-i', '--command', '--', 'sh', '-c', 'read x; echo "got $x"',
                     input='it\n')
        self.assertIn('got it', out)
        wait_for('the pod is gone', 30, lambda: 'not found' in self.k('get', 'pod', 'once', check=False).stderr)

    def test_debug(self):
        self.k('debug', 'shell', '--image=shell:1', '-c', 'helper', '--', 'sleep', '1000')
        wait_for('the ephemeral container runs', 30, lambda: any(
            'running' in status['state'] for status in self.engine.get('pod', 'shell')['status'].get('ephemeralContainerStatuses', [])))
        self.assertEqual(self.k('exec', 'shell', '-c', 'helper', '--', 'echo', 'here').strip(), 'here')
        self.k('debug', 'shell', '--image=shell:1', '--copy-to=shell-copy', '--same-node', '--', 'sleep', '1000')
        self.k('wait', '--for=condition=Ready', 'pod/shell-copy', '--timeout=30s')
        self.k('delete', 'pod', 'shell-copy', '--now')

    def test_create_of_every_kind(self):
        for words in ('namespace made', 'configmap m --from-literal=a=b', 'secret generic s --from-literal=a=b',
                      'secret docker-registry d --docker-server=r --docker-username=u --docker-password=p', 'serviceaccount robot',
                      'role r --verb=get --resource=pods', 'rolebinding rb --role=r --serviceaccount=made:robot',
                      'clusterrole made-cr --verb=get --resource=nodes', 'clusterrolebinding made-crb --clusterrole=made-cr --user=u',
                      'deployment d --image=web:1', 'service clusterip c --tcp=80', 'service nodeport n --tcp=80', 'service loadbalancer l --tcp=80',
                      'service externalname e --external-name=example.com', 'job j --image=shell:1', 'cronjob cj --image=shell:1 --schedule=@daily',
                      'ingress i --rule=a.example.com/*=c:80', 'poddisruptionbudget p --selector=app=d --min-available=1',
                      'priorityclass made-pc --value=7', 'quota q --hard=pods=9'):
            self.k('-n', 'made', 'create', *words.split()) if words != 'namespace made' else self.k('create', *words.split())
        self.assertEqual(len(self.k('-n', 'made', 'create', 'token', 'robot').strip().split('.')), 3)
        self.k('-n', 'made', 'create', 'job', 'from', '--from=cronjob/cj')
        self.k('delete', 'ns/made', 'clusterrole/made-cr', 'clusterrolebinding/made-crb', 'priorityclass/made-pc', '--timeout=60s')

    def test_set(self):
        self.k('create', 'deploy', 'changed', '--image=web:1')
        self.k('set', 'env', 'deploy/changed', 'A=b')
        self.k('set', 'resources', 'deploy/changed', '--limits=cpu=200m', '--requests=cpu=10m')
        self.k('set', 'serviceaccount', 'deploy/changed', 'default')
        self.k('expose', 'deploy', 'changed', '--port=80')
        self.k('set', 'selector', 'svc/changed', 'app=other')
        self.k('create', 'rolebinding', 'changed', '--clusterrole=view', '--user=one')
        self.k('set', 'subject', 'rolebinding/changed', '--user=two')
        container = self.engine.get('deploy', 'changed')['spec']['template']['spec']['containers'][0]
        self.assertEqual((container['env'], container['resources']['limits']), ([{'name': 'A', 'value': 'b'}], {'cpu': '200m'}))
        self.assertEqual(self.engine.get('svc', 'changed')['spec']['selector'], {'app': 'other'})
        self.assertEqual(len(self.engine.get('rolebinding', 'changed')['subjects']), 2)
        self.k('rollout', 'pause', 'deploy/changed')
        self.k('set', 'image', 'deploy/changed', 'web=web:2')
        self.assertIn('paused', self.k('describe', 'deploy', 'changed').lower())
        self.k('rollout', 'resume', 'deploy/changed')
        self.k('rollout', 'status', 'deploy/changed', '--timeout=60s')
        self.k('delete', 'deploy,svc,rolebinding', 'changed')

    def test_taint(self):
        self.k('taint', 'node', 'pool-1', 'tier=x:NoSchedule')
        self.assertIn('tier=x:NoSchedule', self.k('describe', 'node', 'pool-1'))
        self.k('taint', 'node', 'pool-1', 'tier-')

    def test_prune_and_apply_sets(self):
        def maps(*names):
            return '---\n'.join(f'apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: pruned, labels: {{set: pruned}}}}\n'
                                for name in names)
        self.k('create', 'ns', 'pruned')
        for prune in (['--prune', '-l', 'set=pruned', '--prune-allowlist=core/v1/ConfigMap'], ['--prune', '--applyset=kept']):
            self.engine.env['KUBECTL_APPLYSET'] = 'true'
            self.k('-n', 'pruned', 'apply', *prune, '-f', '-', input=maps('p1', 'p2'))
            self.assertIn('pruned', self.k('-n', 'pruned', 'apply', *prune, '-f', '-', input=maps('p1')))
            self.assertEqual(self.k('-n', 'pruned', 'get', 'cm', '-l', 'set=pruned', '-o', 'name').split(), ['configmap/p1'])
            self.k('-n', 'pruned', 'delete', 'cm', '-l', 'set=pruned')
        self.k('delete', 'ns', 'pruned')

    def test_last_applied_and_kustomize(self):
        folder = self.engine.home / 'kustom'
        folder.mkdir()
        (folder / 'kustomization.yaml').write_text('namePrefix: pre-\nresources: [m.yaml]\n')
        (folder / 'm.yaml').write_text('apiVersion: v1\nkind: ConfigMap\nmetadata: {name: k}\ndata: {a: b}\n')
        self.assertIn('pre-k', self.k('kustomize', str(folder)))
        self.k('apply', '-k', str(folder))
        self.assertIn('a: b', self.k('apply', 'view-last-applied', 'cm/pre-k'))
        self.k('replace', '--force', '-f', '-', input=json.dumps({'apiVersion': 'v1', 'kind': 'ConfigMap', 'metadata': {'name': 'pre-k'}}))
        self.k('apply', 'set-last-applied', '--create-annotation', '-f', '-',
               input='apiVersion: v1\nkind: ConfigMap\nmetadata: {name: pre-k}\n')
        self.k('delete', '-k', str(folder))

    def test_certificate(self):
        key = self.engine.home / 'csr.key'
        request = subprocess.run(['openssl', 'req', '-new', '-newkey', 'rsa:2048', '-nodes', '-keyout', str(key), '-subj', '/CN=jane'],
                                 capture_output=True, check=True).stdout
        self.k('create', '-f', '-', input=json.dumps({
            'apiVersion': 'certificates.k8s.io/v1', 'kind': 'CertificateSigningRequest', 'metadata': {'name': 'jane'},
            'spec': {'request': base64.b64encode(request).decode(), 'signerName': 'kubernetes.io/kube-apiserver-client', 'usages': ['client auth']}}))
        self.k('certificate', 'approve', 'jane')
        certificate = wait_for('a certificate', 30, lambda: self.engine.get('csr', 'jane')['status'].get('certificate'))
        (self.engine.home / 'csr.crt').write_bytes(base64.b64decode(certificate))
        self.k('config', 'set-credentials', 'jane', f'--client-key={key}', f'--client-certificate={self.engine.home / "csr.crt"}')
        who = self.k('--user=jane', 'auth', 'whoami', '-o', 'json')
        self.assertEqual(json.loads(who)['status']['userInfo']['username'], 'jane')
        self.k('delete', 'csr', 'jane')

    def test_proxy(self):
        proxy = subprocess.Popen([self.engine.kubectl_path, '--context', self.engine.context, 'proxy', '--port=0'],
                                 env=self.engine.env, stdout=subprocess.PIPE, text=True)
        try:
            address = proxy.stdout.readline().split(' ')[-1].strip()
            for path in ('/version', '/api/v1/namespaces/default/services/web:80/proxy/'):
                with urllib.request.urlopen(f'http://{address}{path}', timeout=10) as answer:
                    self.assertEqual(answer.status, 200)
        finally:
            proxy.kill()
            proxy.wait()

    def test_about_the_cluster(self):
        self.assertIn('is running at', self.k('cluster-info'))
        self.assertIn('"kind": "PodList"', self.k('cluster-info', 'dump'))
        self.assertIn('Server Version: v1.36', self.k('version'))
        self.assertIn('apps/v1', self.k('api-versions'))
        self.k('auth', 'reconcile', '-f', '-', input=json.dumps({
            'apiVersion': 'rbac.authorization.k8s.io/v1', 'kind': 'Role', 'metadata': {'name': 'reconciled', 'namespace': 'default'},
            'rules': [{'apiGroups': [''], 'resources': ['pods'], 'verbs': ['get']}]}))
        self.k('delete', 'role', 'reconciled')

    def test_helm(self):
        chart = self.engine.home / 'chart'
        (chart / 'templates').mkdir(parents=True)
        (chart / 'Chart.yaml').write_text('apiVersion: v2\nname: demo\nversion: 0.1.0\n')
        (chart / 'values.yaml').write_text('text: one\n')
        (chart / 'templates/cm.yaml').write_text(
            'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "{{ .Release.Name }}"}\ndata: {text: "{{ .Values.text }}"}\n')
        def helm(*words):
            done = subprocess.run([str(e2e.TOOLS / 'helm'), '--kube-context', self.engine.context, *words],
                                  env=self.engine.env, capture_output=True, text=True, timeout=120)
            self.assertEqual(done.returncode, 0, done.stderr)
            return done.stdout
        (chart / 'templates/test.yaml').write_text(
            'apiVersion: v1\nkind: Pod\nmetadata: {name: "{{ .Release.Name }}-test", annotations: {helm.sh/hook: test}}\n'
            'spec:\n  restartPolicy: Never\n  containers: [{name: t, image: "shell:1", command: [sh, -c, "echo checked"]}]\n')
        helm('install', 'demo', str(chart))
        self.assertIn('checked', helm('test', 'demo', '--logs', '--timeout', '60s'))
        helm('upgrade', 'demo', str(chart), '--set', 'text=two')
        self.assertEqual(self.engine.get('cm', 'demo')['data']['text'], 'two')
        helm('rollback', 'demo', '1')
        self.assertEqual(self.engine.get('cm', 'demo')['data']['text'], 'one')
        self.assertIn('demo', helm('list'))
        helm('uninstall', 'demo')


class OlderKubectl(Kubectl):
    """As old as the API of a newer server has to bear."""
    PROGRAM = 'kubectl-1.32'
    test_helm = None


if __name__ == '__main__': e2e.main()
