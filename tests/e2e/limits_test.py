#!/usr/bin/env python3
"""What happens at the limits: of the disk, of descriptors, of connections, of sizes. The answer is clear, nothing is lost, what still
works goes on, and all is well again when there is room again."""
import glob, http.client, os, pathlib, resource, signal, subprocess, sys, tempfile, time, unittest
sys.path.insert(0, os.path.dirname(__file__))
import engine as e2e
from api_client import Client

PATH = '/api/v1/namespaces/default/configmaps'
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def config_map(name, size=10):
    return {'apiVersion': 'v1', 'kind': 'ConfigMap', 'metadata': {'name': name}, 'data': {'k': 'x' * size}}


def cpu_seconds(pid):
    words = pathlib.Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf('SC_CLK_TCK')


def alive(pid):
    try:
        return pathlib.Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] != 'Z'
    except OSError:
        return False


class Server:
    """keelson serve --controllers none, with limits and a directory of its own."""

    def __init__(self, name, data=None, files=None):
        self.engine = e2e.Engine(name)
        self.words = ['serve', '--name', name, '--controllers', 'none', '--kubeconfig', str(self.engine.kubeconfig)]
        if data: self.words += ['--data', str(data)]
        self.files = files
        self.start()

    def start(self):
        self.engine.kubeconfig.unlink(missing_ok=True)
        self.log = tempfile.TemporaryFile('w+')
        limit = (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (self.files, self.files))) if self.files else None
        self.process = subprocess.Popen([e2e.BINARY, *self.words], env=self.engine.env, stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, preexec_fn=limit)
        e2e.wait_for('serve is ready', 30, lambda: self.engine.kubeconfig.exists() or self.process.poll() is not None, 0.01)
        if self.process.poll() is None: self.client = Client(self.engine.kubeconfig)

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(20)


class Mounted:
    """A small file system in memory."""

    def __init__(self, size):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix='keelson-disk-'))
        subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={size}', 'tmpfs', str(self.path)], check=True)

    def end(self):
        subprocess.run(['umount', '-l', str(self.path)], check=True)
        self.path.rmdir()


class LimitsTest(unittest.TestCase):
    def mounted(self, size):
        if os.geteuid() != 0: self.skipTest('mounting needs root')
        disk = Mounted(size)
        self.addCleanup(disk.end)
        return disk

    def server(self, *words, **more):
        server = Server(*words, **more)
        self.addCleanup(lambda: server.process.poll() is None and server.end(signal.SIGKILL))
        return server

    def test_a_full_disk(self):
        disk = self.mounted('18M')
        server = self.server('full', data=disk.path / 'data')
        ballast = disk.path / 'ballast'
        ballast.write_bytes(b'x' * (4 << 20))
        reserve = disk.path / 'reserve'
        reserve.write_bytes(b'x' * (4 << 20))
        sure, refused = [], None
        for i in range(60):
            code, answer = server.client.ask('POST', PATH, config_map(f'c{i}', 500_000))
            if code == 201: sure.append(f'c{i}')
            if code == 503: refused = answer
            if code not in (201, 503, 504): self.fail(f'{code} {answer}')
        self.assertGreaterEqual(len(sure), 4)
        self.assertIn('No space left on device', refused['message'])
        self.assertEqual(refused['reason'], 'ServiceUnavailable')
        # Reads go on, of all that is sure and of nothing else.
        self.assertEqual(server.client.ask('GET', f'{PATH}/{sure[0]}')[0], 200)
        code, answer = server.client.ask('GET', PATH)
        self.assertEqual(code, 200)
        self.assertLessEqual(set(sure), {item['metadata']['name'] for item in answer['items']})
        self.assertEqual(server.client.ask('GET', f'{PATH}/absent')[0], 404)
        self.assertEqual(server.client.ask('GET', '/readyz')[0], 500)
        ballast.unlink()
        e2e.wait_for('there is room again', 20,
                     lambda: server.client.ask('POST', PATH, config_map(f'later{time.monotonic_ns()}'))[0] == 201)
        self.assertEqual(server.client.ask('GET', '/readyz')[0], 200)
        server.end(signal.SIGKILL)
        reserve.unlink()
        server.start()
        # The end of the log has to be written again before it can be read from, and needs room for that.
        e2e.wait_for('reads go on', 20, lambda: server.client.ask('GET', PATH)[0] == 200)
        found = {item['metadata']['name'] for item in server.client.ask('GET', PATH)[1]['items']}
        self.assertLessEqual(set(sure), found)
        self.assertTrue(any(name.startswith('later') for name in found))

    def test_a_read_only_disk(self):
        disk = self.mounted('4M')
        (disk.path / 'data').mkdir()
        subprocess.run(['mount', '-o', 'remount,ro', str(disk.path)], check=True)
        server = self.server('readonly', data=disk.path / 'data')
        self.assertNotIn(server.process.poll(), (None, 0))
        self.assertIn('Read-only file system', server.said())
        self.assertIn(str(disk.path), server.said())

    def test_too_large_objects(self):
        server = self.server('large')
        rules = [{'apiGroups': [''], 'resources': ['pods'], 'verbs': ['get'], 'resourceNames': ['x' * 2_000_000]}]
        role = {'apiVersion': 'rbac.authorization.k8s.io/v1', 'kind': 'Role', 'metadata': {'name': 'large'}, 'rules': rules}
        roles = '/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles'
        # What the store does not take; the original answers so.
        code, answer = server.client.ask('POST', roles, role)
        self.assertEqual((code, answer['message']), (500, 'etcdserver: request is too large'))
        self.assertEqual(server.client.ask('GET', f'{roles}/large')[0], 404)
        # What the server does not even read.
        code, answer = server.client.ask('POST', PATH, config_map('large', 4 << 20))
        self.assertEqual((code, answer['reason']), (413, 'RequestEntityTooLarge'))
        self.assertEqual(server.client.ask('GET', f'{PATH}/large')[0], 404)
        self.assertEqual(server.client.ask('POST', PATH, config_map('fits', 1_000_000))[0], 201)

    def hold(self, server, count):
        """Opens connections that say nothing; the server must go on, without spinning."""
        held = []
        for _ in range(count):
            try:
                held.append(server.client.plain())
            except OSError:
                break
        before = cpu_seconds(server.process.pid)
        time.sleep(2)
        self.assertLess(cpu_seconds(server.process.pid) - before, 1, 'it spins')
        client = Client(server.engine.kubeconfig)
        self.assertEqual(client.ask('POST', PATH, config_map(f'at-{count}'))[0], 201)
        self.assertEqual(client.ask('GET', PATH)[0], 200)
        for one in held: one.close()
        self.assertIsNone(server.process.poll())
        return len(held)

    def test_few_descriptors(self):
        for files in (64, 256):
            with self.subTest(files=files):
                server = self.server(f'few{files}', files=files)
                self.assertIsNone(server.process.poll(), server.said())
                self.hold(server, 400)
                # A write needs files, too.
                for i in range(5):
                    self.assertEqual(server.client.ask('POST', PATH, config_map(f'c{i}', 400_000))[0], 201)
                server.end()

    def test_ten_thousand_connections(self):
        if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 11_000: self.skipTest('descriptors are few here')
        server = self.server('many')
        self.assertGreater(self.hold(server, 10_000), 9_000)
        server.end()

    def test_a_stop_does_not_wait_for_idle_clients(self):
        server = self.server('idle')
        self.assertEqual(server.client.ask('GET', PATH)[0], 200)  # and keeps its connection
        begun = time.monotonic()
        server.end()
        self.assertLess(time.monotonic() - begun, 3)
        self.assertEqual(server.process.returncode, 0)

    def test_a_killed_player_takes_its_engine_along(self):
        player = subprocess.Popen([e2e.BINARY, 'test', 'golden', str(ROOT / 'tests/golden/api')],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        directory = pathlib.Path(tempfile.gettempdir()) / f'keelson-golden-{player.pid}'
        lock = directory / 'engine.lock'
        e2e.wait_for('its engine runs', 60, lambda: lock.exists() and lock.read_text().strip(), 0.01)
        engine = int(lock.read_text())
        time.sleep(0.3)
        player.kill()
        player.wait()
        e2e.wait_for('the engine has ended', 20, lambda: not alive(engine))
        subprocess.run(['rm', '-rf', str(directory)], check=True)


if __name__ == '__main__': e2e.main()
