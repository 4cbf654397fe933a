#!/usr/bin/env python3
"""Unmodified client libraries of four languages against a running platform. Each holds the same conversation: objects with
optimistic locking, server-side apply with a conflict, a custom kind, paging, an informer, leader election, exec, port-forward,
logs. A library whose toolchain this machine lacks, or whose packages cannot be had, is skipped with a notice."""
import os, pathlib, shutil, subprocess, unittest
import engine as e2e

CLIENTS = pathlib.Path(__file__).resolve().parent / 'clients'
WORK = e2e.TOOLS / 'clients'  # beside the build: what was fetched and built stays for the next run
STEPS = ['objects', 'apply', 'custom', 'pages', 'informer', 'election', 'execute', 'port', 'logs']


def prepare(language, *commands, **environment):
    """Runs the commands that fetch and build a client, in a copy of its folder."""
    work = WORK / language
    shutil.copytree(CLIENTS / language, work, dirs_exist_ok=True)
    for command in commands:
        if not shutil.which(work / command[0] if '/' in command[0] else command[0]): raise unittest.SkipTest(f'{language}: there is no {command[0]} on this machine')
        done = subprocess.run(command, cwd=work, env=dict(os.environ, **environment), capture_output=True, text=True, timeout=900)
        if done.returncode != 0: raise unittest.SkipTest(f'{language}: {" ".join(command)}: {(done.stderr or done.stdout)[-500:]}')
    return work


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        e2e.tools()
        cls.engine = e2e.Engine('clients')
        cls.engine.up(cls.engine.manifest(e2e.PLATFORM + '---' + e2e.WEB + '---\n' + (CLIENTS / 'manifest.yaml').read_text()))
        cls.engine.kubectl('run', 'shell', '--image=shell:1', '--restart=Never')
        cls.engine.kubectl('wait', '--for=condition=Ready', 'pod/shell', '--timeout=60s')

    def converse(self, namespace, work, *command):
        self.engine.kubectl('create', 'namespace', namespace)
        done = subprocess.run([*map(str, command), namespace], cwd=work, env=self.engine.env, capture_output=True, text=True, timeout=180)
        self.assertEqual([line for line in done.stdout.splitlines() if line.startswith('ok ')], [f'ok {step}' for step in STEPS],
                         done.stdout[-2000:] + done.stderr[-4000:])
        self.assertEqual(done.returncode, 0, done.stderr[-4000:])

    def test_python(self):
        work = prepare('python', ['python3', '-m', 'venv', 'environment'],
                       ['environment/bin/pip', 'install', '--quiet', '--disable-pip-version-check', '-r', 'requirements.txt'])
        self.converse('python', work, work / 'environment/bin/python', 'conversation.py')

    def test_javascript(self):
        work = prepare('javascript', ['npm', 'ci', '--silent', '--no-audit', '--no-fund'])
        self.converse('javascript', work, 'node', 'conversation.mjs')

    def test_go(self):
        work = prepare('go', ['go', 'build', '-o', 'conversation', '.'], GOFLAGS='-mod=readonly')
        self.converse('go', work, work / 'conversation')

    def test_rust(self):
        work = prepare('rust', ['cargo', 'build', '--quiet', '--locked'], CARGO_TARGET_DIR='target')
        self.converse('rust', work, work / 'target/debug/conversation')


if __name__ == '__main__': e2e.main()
