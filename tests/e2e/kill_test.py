#!/usr/bin/env python3
"""A server is killed with SIGKILL again and again under writers and a watcher. Nothing acknowledged is lost, nothing removed comes
back, revisions only grow, and the watcher, which resumes where it was, has seen every acknowledged change once and in order.
KEELSON_KILLS=1000 makes it long; tests/history has a longer one of the store alone."""
import http.client, os, random, signal, socket, sys, threading, time, unittest
sys.path.insert(0, os.path.dirname(__file__))
import engine as e2e
from api_client import Client

KILLS = int(os.environ.get('KEELSON_KILLS', '20'))
PATH = '/api/v1/namespaces/default/configmaps'
GONE = (OSError, http.client.HTTPException)


class Writer(threading.Thread):
    """Owns its objects, so that it knows what each of them must be: `sure` was acknowledged, `open` may have come to be."""

    def __init__(self, number, kubeconfig, done):
        super().__init__(daemon=True)
        self.number, self.client, self.done = number, Client(kubeconfig), done
        self.sure, self.open, self.problems, self.acknowledged = {}, {}, [], {}
        self.count, self.revision, self.random = 0, 0, random.Random(number)

    def run(self):
        while not self.done.is_set():
            name = f'w{self.number}-{self.random.randrange(6)}'
            try:
                if not self.settle(name): self.change(name)
            except GONE:
                time.sleep(0.01)

    def settle(self, name):
        """Reads an object of which it is not sure, or sometimes one of which it is. True: that was all for now."""
        if name not in self.open and self.random.random() < 0.7: return False
        code, answer = self.client.ask('GET', f'{PATH}/{name}')
        if code not in (200, 404): return True
        value = answer['data']['n'] if code == 200 else None
        allowed = [self.sure.get(name)] + self.open.get(name, [])
        if value not in allowed: self.problems.append(f'{name} is {value}, not one of {allowed}')
        self.sure[name] = value
        self.open.pop(name, None)
        return False

    def change(self, name):
        before = self.sure.get(name)
        self.count += 1
        value = f'{self.number}.{self.count}'
        body = {'apiVersion': 'v1', 'kind': 'ConfigMap', 'metadata': {'name': name}, 'data': {'n': value}}
        if before is None:
            method, path, wanted = 'POST', PATH, (201,)
        elif self.random.random() < 0.3:
            method, path, body, value, wanted = 'DELETE', f'{PATH}/{name}', None, None, (200,)
        else:
            method, path, wanted = 'PUT', f'{PATH}/{name}', (200,)
        self.open.setdefault(name, []).append(value)
        code, answer = self.client.ask(method, path, body)
        if code in (429, 500, 503, 504): return
        if code not in wanted:
            self.problems.append(f'{method} {name} was answered with {code} {answer}')
            return
        self.sure[name] = value
        self.open.pop(name)
        if value is None: return
        revision = int(answer['metadata']['resourceVersion'])
        if revision <= self.revision: self.problems.append(f'{name} got revision {revision} after {self.revision}')
        self.revision = revision
        self.acknowledged[revision] = (name, value)


class Watcher(threading.Thread):
    def __init__(self, kubeconfig, revision, done):
        super().__init__(daemon=True)
        self.client, self.revision, self.done = Client(kubeconfig, timeout=2), revision, done
        self.seen, self.problems, self.resumed = {}, [], 0

    def run(self):
        while not self.done.is_set():
            try:
                query = f'?watch=1&allowWatchBookmarks=true&resourceVersion={self.revision}'
                for event in self.client.watch(PATH + query):
                    self.take(event)
                    if self.done.is_set(): break
            except GONE:
                time.sleep(0.01)
            self.resumed += 1

    def take(self, event):
        if event['type'] == 'ERROR':
            self.problems.append(f'the watch after {self.revision} ended with {event["object"]}')
            self.done.set()
            return
        meta = event['object']['metadata']
        revision = int(meta['resourceVersion'])
        if event['type'] == 'BOOKMARK':
            if revision < self.revision: self.problems.append(f'bookmark {revision} after {self.revision}')
        elif revision <= self.revision:
            self.problems.append(f'revision {revision} came after {self.revision}')
        else:
            self.seen[revision] = (meta['name'], event['object']['data']['n'])
        self.revision = revision


class KillTest(unittest.TestCase):
    def test_nothing_acknowledged_is_lost(self):
        engine = e2e.Engine('kill')
        # Not one that the system gives to outgoing connections: clients that knock at it while nobody listens could get
        # it themselves.
        words = ('--controllers', 'none', '--listen', f'127.0.0.1:{free_port()}')
        process = engine.serve(*words)
        done = threading.Event()
        start = int(Client(engine.kubeconfig).ask('GET', PATH)[1]['metadata']['resourceVersion'])
        writers = [Writer(i, engine.kubeconfig, done) for i in range(4)]
        watcher = Watcher(engine.kubeconfig, start, done)
        for thread in writers + [watcher]: thread.start()
        chance = random.Random(1)
        for _ in range(KILLS):
            # Some die while they start, some at work.
            before = sum(len(w.acknowledged) for w in writers)
            if chance.random() < 0.5:
                e2e.wait_for('writes are acknowledged', 30, lambda: sum(len(w.acknowledged) for w in writers) > before)
            time.sleep(chance.uniform(0, 0.1))
            process.send_signal(signal.SIGKILL)
            process.wait()
            process = engine.serve(*words)
        probe = Client(engine.kubeconfig)
        e2e.wait_for('the server answers', 30, lambda: answers(probe))
        before = sum(len(w.acknowledged) for w in writers)
        e2e.wait_for('writers go on', 30, lambda: sum(len(w.acknowledged) for w in writers) > before)
        last = int(probe.ask('GET', PATH)[1]['metadata']['resourceVersion'])
        acknowledged = {r: c for w in writers for r, c in dict(w.acknowledged).items() if r <= last}
        e2e.wait_for('the watcher has seen the last change', 30, lambda: watcher.revision >= max(acknowledged))
        done.set()
        for thread in writers + [watcher]: thread.join(10)
        for thread in writers + [watcher]: self.assertEqual(thread.problems, [])
        missing = {r: c for r, c in acknowledged.items() if watcher.seen.get(r) != c}
        self.assertEqual(missing, {})
        self.assertGreater(len(acknowledged), KILLS / 4)
        for writer in writers:
            for name, value in writer.sure.items():
                if name in writer.open: continue
                code, answer = probe.ask('GET', f'{PATH}/{name}')
                self.assertEqual(answer['data']['n'] if code == 200 else None, value, name)
        print(f'{KILLS} kills, {len(acknowledged)} acknowledged writes, watch resumed {watcher.resumed} times', file=sys.stderr)
        process.terminate()
        process.wait(10)


def free_port():
    for port in random.sample(range(21000, 29000), 100):
        with socket.socket() as one:
            try:
                one.bind(('127.0.0.1', port))
                return port
            except OSError:
                pass
    raise AssertionError('no port is free')


def answers(client):
    try:
        return client.ask('GET', '/readyz')[0] == 200
    except GONE:
        return False


if __name__ == '__main__': e2e.main()
