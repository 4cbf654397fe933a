"""What the end-to-end tests share: engines of their own under names of their own, kubectl against them, waiting with limits."""
import atexit, json, os, pathlib, shutil, subprocess, tempfile, time, unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BINARY = os.environ.get('KEELSON_TEST_BINARY', str(ROOT / 'build-release' / 'keelson'))
TOOLS = pathlib.Path(BINARY).resolve().parent / 'tools'


def tools():
    subprocess.run([str(ROOT / 'tests/e2e/tools.sh'), str(TOOLS)], check=True)
    return TOOLS


def wait_for(what, limit, look, every=0.1):
    """Looks again and again until it gets something true; fails with what was wanted and the last look."""
    end, last = time.monotonic() + limit, None
    while time.monotonic() < end:
        last = look()
        if last: return last
        time.sleep(every)
    raise AssertionError(f'{what}: not within {limit} s, last: {last!r}')


class Engine:
    """An engine in a temporary home, which is stopped and removed at the end of the tests."""

    def __init__(self, name, kubectl='kubectl'):
        self.name = name
        self.kubectl_path = str(TOOLS / kubectl)
        self.home = pathlib.Path(tempfile.mkdtemp(prefix='keelson-e2e-'))
        self.kubeconfig = self.home / 'user.config'
        self.env = dict(os.environ, KEELSON_HOME=str(self.home), KUBECONFIG=str(self.kubeconfig), NO_COLOR='1')
        self.context = f'keelson-{name}'
        atexit.register(self.remove)

    def keelson(self, *words, check=True, timeout=300):
        done = subprocess.run([BINARY, *words], env=self.env, capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL)
        if check and done.returncode != 0:
            raise AssertionError(f'keelson {" ".join(words)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}')
        return done

    def up(self, *paths, check=True, **more):
        return self.keelson('up', *map(str, paths), '--name', self.name, '--timeout', '120s', check=check, **more)

    def serve(self, *words):
        """In the foreground, as a process of ours; returns once its kubeconfig is there."""
        process = subprocess.Popen([BINARY, 'serve', '--name', self.name, '--kubeconfig', str(self.kubeconfig), *words],
                                   env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        atexit.register(lambda: process.poll() is None and process.kill())
        wait_for('serve is ready', 20, lambda: self.kubeconfig.exists() or process.poll() is not None, 0.005)
        assert process.poll() is None, 'keelson serve ended'
        return process

    def kubectl(self, *words, check=True, input=None, timeout=120):
        done = subprocess.run([self.kubectl_path, '--context', self.context, *words], env=self.env,
                              capture_output=True, text=True, timeout=timeout, input=input,
                              stdin=subprocess.DEVNULL if input is None else None)
        if check and done.returncode != 0:
            raise AssertionError(f'kubectl {" ".join(words)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}')
        return done.stdout if check else done

    def get(self, *words):
        return json.loads(self.kubectl('get', *words, '-o', 'json'))

    def pid(self):
        return int((self.home / self.name / 'engine.lock').read_text())

    def manifest(self, text, name='manifest.yaml'):
        path = self.home / name
        path.write_text(text)
        return path

    def remove(self):
        if not self.home.exists(): return
        log = self.home / self.name / 'engine.log'
        if os.environ.get('KEELSON_TEST_SHOW_LOG') and log.exists(): print(log.read_text()[-4000:])
        subprocess.run([BINARY, 'delete', '--force', '--name', self.name], env=self.env, capture_output=True, timeout=90)
        shutil.rmtree(self.home, ignore_errors=True)


PLATFORM = '''
apiVersion: keelson.dev/v1alpha1
kind: Platform
metadata: {name: test}
spec:
  pools:
    - {name: pool, min: 2, max: 3, capacity: {cpu: "8", memory: 16Gi, pods: "50"}}
  standIns:
    - {image: "web:*", builtin: {cpuPerRequest: 1ms, memory: 10Mi}}
    - {image: "shell:*", program: {command: [sleep, "100000"]}}
'''

WEB = '''
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: app
          image: web:1
          ports: [{name: http, containerPort: 8080}]
          resources: {requests: {cpu: 100m, memory: 32Mi}}
          readinessProbe: {httpGet: {path: /ready, port: http}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: http}]
'''


def main():
    program = unittest.main(verbosity=2, exit=False, warnings="ignore")
    raise SystemExit(0 if program.result.wasSuccessful() else 1)
