#!/usr/bin/env python3
"""The command line as a newcomer meets it: up, status, down, delete, several engines, bad input, sudden death."""
import json, os, pathlib, shutil, signal, subprocess, time, unittest
import engine as e2e
from engine import wait_for


def containers(engine):
    return {pod['metadata']['name']: (status['containerID'], status['restartCount'])
            for pod in engine.get('pods', '-A')['items'] for status in pod['status'].get('containerStatuses', [])}


class Up(unittest.TestCase):
    @classmethod
    def setUpClass(cls): e2e.tools()

    def test_life_of_an_engine(self):
        engine = e2e.Engine('life')
        engine.kubeconfig.write_text('apiVersion: v1\nkind: Config\ncurrent-context: mine\ncontexts:\n- name: mine\n'
                                     '  context: {cluster: c, user: u}\nclusters:\n- name: c\n  cluster: {server: "https://x"}\n'
                                     'users:\n- name: u\n  user: {token: secret}\n')
        up = engine.up(engine.manifest(e2e.PLATFORM + '---' + e2e.WEB))
        self.assertIn('Deployment/web', up.stdout)
        self.assertIn('web:1', up.stdout)          # stand-ins are named
        config = engine.kubeconfig.read_text()
        self.assertIn('current-context: mine', config)
        self.assertIn('token: secret', config)
        status = json.loads(engine.keelson('status', '--name', 'life', '-o', 'json').stdout)
        self.assertTrue(status['well'])
        self.assertEqual([w['ready'] for w in status['workloads']], [2])
        self.assertRegex(engine.keelson('logs', '--name', 'life', '--tail', '1').stdout,
                         r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z engine life serves Kubernetes at https://')
        before = containers(engine)
        again = engine.up(engine.manifest(e2e.PLATFORM + '---' + e2e.WEB))
        self.assertIn('0 of them new', again.stderr)
        self.assertEqual(containers(engine), before)
        engine.keelson('down', '--name', 'life')
        self.assertEqual(engine.keelson('status', '--name', 'life', check=False).returncode, 1)
        engine.up(engine.manifest(e2e.PLATFORM + '---' + e2e.WEB))
        engine.keelson('delete', '--name', 'life')
        self.assertFalse((engine.home / 'life').exists())
        self.assertNotIn('keelson-life', engine.kubeconfig.read_text())
        self.assertIn('token: secret', engine.kubeconfig.read_text())

    def test_ingress_without_a_class(self):
        engine = e2e.Engine('classless')
        ingress = ('---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web}\nspec:\n'
                   '  defaultBackend: {service: {name: web, port: {number: 80}}}\n')
        engine.up(engine.manifest(e2e.PLATFORM + '---' + e2e.WEB + ingress))
        self.assertTrue(engine.get('ingress', 'web')['status']['loadBalancer']['ingress'][0]['ip'])
        other = engine.manifest(ingress.replace('name: web}', 'name: other}', 1).replace('spec:\n', 'spec:\n  ingressClassName: nobodys\n'))
        refused = engine.keelson('up', str(other), '--name', 'classless', '--timeout', '1s', check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn('there is no IngressClass nobodys', refused.stdout)

    def test_down_ends_an_up_that_waits(self):
        engine = e2e.Engine('waits')
        manifest = engine.manifest(e2e.PLATFORM + '---' + e2e.WEB.replace('web:1', 'nosuch.invalid/web:1'))
        waiting = subprocess.Popen([e2e.BINARY, 'up', str(manifest), '--name', 'waits', '--timeout', '60s'], env=engine.env,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_for('pods', 30, lambda: 'web-' in engine.keelson('status', '--name', 'waits', check=False).stdout)
        engine.keelson('down', '--name', 'waits')
        told = waiting.communicate(timeout=20)[1]
        self.assertEqual(waiting.returncode, 1)
        self.assertIn('was stopped before all was ready', told)

    def test_kill_and_adopt(self):
        engine = e2e.Engine('kill')
        manifest = engine.manifest(e2e.PLATFORM + '---' + e2e.WEB)
        engine.up(manifest)
        before = containers(engine)
        for round in range(5):
            made = [f'kept-{round}-{i}' for i in range(20)]
            for name in made: engine.kubectl('create', 'cm', name)
            os.kill(engine.pid(), signal.SIGKILL)
            engine.up(manifest)
            there = {c['metadata']['name'] for c in engine.get('cm')['items']}
            self.assertLessEqual(set(made), there, 'an acknowledged object is missing')
            self.assertEqual(containers(engine), before, 'a container was restarted')

    def test_down_and_delete_end_what_a_killed_engine_left(self):
        engine = e2e.Engine('left')
        ingress = ('---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web}\nspec:\n'
                   '  defaultBackend: {service: {name: web, port: {number: 80}}}\n')
        manifest = engine.manifest(e2e.PLATFORM + '---' + e2e.WEB + ingress)
        place = engine.home / 'left'

        def left():
            """Processes, links, packet rules and namespaces that are this engine's."""
            found = [c for c in pathlib.Path('/proc').glob('[0-9]*/cmdline') if str(place) in read(c)]
            bridges = [b for b in pathlib.Path('/sys/class/net').glob('kls*/ifalias') if str(place) in read(b)]
            named = {b.parent.name for b in bridges}
            if os.geteuid() == 0:
                tables = subprocess.run(['nft', 'list', 'tables'], capture_output=True, text=True).stdout
                found += [t for t in tables.split() if t in names]
                found += [n for n in os.listdir('/run/netns') if n.split('-')[0] in names]
            names.update(named)
            return [str(f) for f in [*found, *bridges, *pathlib.Path('/sys/fs/cgroup').glob('*/keelson/left')]]

        def read(path):
            try: return path.read_bytes().decode(errors='replace').replace('\0', ' ')
            except OSError: return ''
        names = set()
        for way in ('down', 'delete'):
            engine.up(manifest)
            left()
            os.kill(engine.pid(), signal.SIGKILL)
            wait_for('the lock is free', 10, lambda: 'does not run' in engine.keelson('status', '--name', 'left', check=False).stderr)
            self.assertTrue(left(), 'nothing outlives the engine')
            said = engine.keelson(way, '--name', 'left').stdout
            if way == 'down':
                self.assertIn('what it had left running has ended', said)
                self.assertNotIn('left running', engine.keelson('down', '--name', 'left').stdout)
            wait_for(f'{way} leaves nothing', 10, lambda: not left() or None)

    def test_two_ups_at_once_share_one_engine(self):
        engine = e2e.Engine('twice')
        manifest = engine.manifest(e2e.PLATFORM)
        for _ in range(3):
            ups = [subprocess.Popen([e2e.BINARY, 'up', str(manifest), '--name', 'twice'], env=engine.env, text=True,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(3)]
            for up in ups: self.assertEqual((up.communicate(timeout=60)[0], up.returncode)[1], 0)
            engine.keelson('delete', '--name', 'twice')

    def test_engines_side_by_side(self):
        one, two = e2e.Engine('one'), e2e.Engine('two')
        for engine in (one, two): engine.up(engine.manifest(e2e.PLATFORM + '---' + e2e.WEB))
        one.kubectl('create', 'cm', 'only-in-one')
        self.assertNotIn('only-in-one', two.kubectl('get', 'cm'))
        for engine in (one, two): engine.keelson('delete', '--name', engine.name)

    def test_bad_manifests_name_file_line_and_field(self):
        engine = e2e.Engine('bad')
        bad = engine.home / 'manifests'
        bad.mkdir()
        (bad / 'good.yaml').write_text('apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good}\n')
        (bad / 'field.yaml').write_text('apiVersion: v1\nkind: Service\nmetadata:\n  name: s\nspec:\n  ports:\n'
                                        '    - port: 80\n    - port: 99999\n')
        (bad / 'unknown.yaml').write_text('apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: u\ndatta:\n  a: b\n')
        (bad / 'syntax.yaml').write_text('apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x\n')
        (bad / 'kind.yaml').write_text('apiVersion: example.com/v1\nkind: Nothing\nmetadata: {name: none}\n')
        up = engine.up(bad, check=False)
        self.assertEqual(up.returncode, 1)
        for expected in ('field.yaml:8', 'spec.ports[1].port', 'unknown.yaml:5', 'datta', 'syntax.yaml:', 'kind.yaml:2',
                         'Nothing'):
            self.assertIn(expected, up.stderr)
        self.assertEqual(engine.get('cm', 'good')['metadata']['name'], 'good')

    def test_each_problem_of_a_manifest_has_its_own_line(self):
        engine = e2e.Engine('lines')
        file = engine.home / 'bad.yaml'
        file.write_text('apiVersion: v1\nkind: Configmap\nmetadata: {name: a}\n---\n'
                        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, namespace: nope}\n---\n'
                        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  x: 1\n---\n'
                        'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: d\n  name: e\n')
        up = engine.up(file, check=False)
        self.assertEqual(up.returncode, 1)
        for expected in ('bad.yaml:2: no kind "Configmap" in "v1": did you mean ConfigMap of v1?',
                         'bad.yaml:7: metadata.namespace: namespaces "nope" not found',
                         'bad.yaml:13: data.x: expected string, got 1', 'bad.yaml:19: key "name" already set in map'):
            self.assertIn(expected, up.stderr)
        self.assertIn('4 problems with manifests', up.stdout)

    def test_without_root_says_what_is_lost(self):
        if os.geteuid() != 0: self.skipTest('needs root to be another user')
        engine = e2e.Engine('lost')
        binary = engine.home / 'keelson'
        shutil.copy(e2e.BINARY, binary)
        for path in (engine.home, binary): os.chmod(path, 0o755)
        manifest = engine.manifest(e2e.PLATFORM + '---' + e2e.WEB)
        os.chmod(manifest, 0o644)
        os.chown(engine.home, 65534, 65534)
        as_nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', str(binary)]
        try:
            up = subprocess.run([*as_nobody, 'up', str(manifest), '--name', 'lost', '--timeout', '60s'], env=engine.env,
                                capture_output=True, text=True, stdin=subprocess.DEVNULL)
            self.assertEqual(up.returncode, 0, up.stdout + up.stderr)
            self.assertIn('not available on this machine: pods with a stand-in are plain processes', up.stderr)
            self.assertIn('NOT AVAILABLE ON THIS MACHINE', up.stdout)
            self.assertIn('containers need root', up.stdout)
            report = engine.kubectl('get', 'engines.engine.keelson.dev', 'lost', '-o', 'json')
            self.assertEqual(len(json.loads(report)['status']['losses']), 2)
        finally:
            subprocess.run([*as_nobody, 'delete', '--name', 'lost'], env=engine.env, capture_output=True)

    def test_images_from_files(self):
        if os.geteuid() != 0 or not (shutil.which('umoci') and shutil.which('skopeo')): self.skipTest('needs umoci, skopeo')
        engine = e2e.Engine('image')
        helper = next(p for p in (pathlib.Path(e2e.BINARY).parent / 'keelson_helper',) if p.exists())
        script = ('set -e; umoci init --layout l; umoci new --image l:v1; umoci unpack --image l:v1 b; '
                  f'mkdir b/rootfs/bin; cp {helper} b/rootfs/bin/app; umoci repack --image l:v1 b; '
                  'umoci config --image l:v1 --config.entrypoint /bin/app; rm -rf b; '
                  'skopeo copy -q oci:l:v1 docker-archive:docker.tar:shop/web:1; gzip docker.tar; '
                  'skopeo copy -q oci:l:v1 oci-archive:oci.tar:latest')
        subprocess.run(['sh', '-c', script], cwd=engine.home, check=True, capture_output=True)
        image = lambda *words, **more: engine.keelson('image', *words, '--name', 'image', **more)
        listed = lambda: {i['name']: i['used'] for i in json.loads(image('list', '-o', 'json').stdout)}
        image('load', str(engine.home / 'docker.tar.gz'))                    # before the engine ever ran
        unnamed = image('load', str(engine.home / 'oci.tar'), check=False)
        self.assertIn('--as NAME', unnamed.stderr)
        image('load', str(engine.home / 'oci.tar'), '--as', 'shop/other')
        none = image('load', str(engine.manifest('a: 1')), check=False)
        self.assertRegex(none.stderr, r'manifest.yaml: no archive of images')
        self.assertEqual(listed(), {'docker.io/shop/web:1': False, 'docker.io/shop/other:latest': False})
        engine.up(engine.manifest('apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, '
                                  'image: "shop/web:1", args: [stand-in, --model, "{}", --port, "80"]}]}\n'))
        self.assertTrue(listed()['docker.io/shop/web:1'])
        self.assertIn('in use', image('remove', 'shop/web:1', check=False).stderr)
        image('remove', 'shop/other')
        engine.keelson('down', '--name', 'image')
        image('remove', 'shop/web:1')
        left = engine.home / 'image/node/images'
        wait_for('the images are gone', 10, lambda: not any(left.glob('*/*')) and {p.name for p in left.iterdir()} <= {'.trash'})

    def test_what_cannot_run_is_told(self):
        engine = e2e.Engine('cannot')
        pod = engine.manifest(e2e.PLATFORM + '---\napiVersion: v1\nkind: Pod\nmetadata: {name: p}\n'
                              'spec: {containers: [{name: c, image: "private/none:1"}]}\n')
        up = engine.keelson('up', str(pod), '--name', 'cannot', '--timeout', '5s', check=False)
        self.assertEqual(up.returncode, 1)
        self.assertRegex(up.stdout, r'Pod default/p\s+(ErrImagePull|ImagePullBackOff)')

    def test_bare_api_server(self):
        engine = e2e.Engine('bare')
        process = engine.serve('--controllers', 'none')
        engine.kubectl('create', 'cm', 'a')
        self.assertEqual(engine.get('nodes')['items'], [])
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=20), 0)

    def test_wrong_use_is_explained(self):
        engine = e2e.Engine('use')
        for words, expected in ((['up', '/nowhere'], 'no such file'), (['up'], 'PATHS'), (['load', 'x'], 'http://'),
                                (['frob'], 'frob'), (['status', '--name', 'A!'], 'lower-case'),
                                (['up', str(engine.home)], 'nothing to apply'), (['version', '-o', 'x'], '--output'),
                                (['logs'], 'has no state'), (['kubeconfig', '--name', 'x'], 'up PATH --name x'),
                                (['serve', '--controllers', 'x'], 'deployment-controller'),
                                (['serve', '--listen', 'x'], 'ADDR:PORT'), (['serve', '--listen', '::99999'], 'ADDR:PORT'),
                                (['help', 'frob'], 'frob')):
            done = engine.keelson(*words, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(expected, done.stdout + done.stderr)
        bridges = [alias.read_text() for alias in pathlib.Path('/sys/class/net').glob('kls*/ifalias')]
        self.assertFalse([alias for alias in bridges if str(engine.home) in alias], 'a start that failed left a bridge')
        self.assertIn('up', engine.keelson('help').stdout)
        self.assertIn('--timeout', engine.keelson('help', 'up').stdout)
        self.assertIn('1.36', engine.keelson('version').stdout)


if __name__ == '__main__': e2e.main()
