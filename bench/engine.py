#!/usr/bin/env python3
"""Times of a whole engine: API ready, cluster DNS answering, first pod Ready, memory and CPU when idle with 0 and with 100 pods, the
MRM platform. Prints one Markdown table. Usage: bench/engine.py [--runs N]; the binary is KEELSON_TEST_BINARY or build-release."""
import argparse, os, pathlib, socket, statistics, sys, time
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'tests/e2e'))
import engine as e2e

DNS_PORT = 10053   # on loopback, unless another engine has it
TICK = os.sysconf('SC_CLK_TCK')


def middle(values): return statistics.median(values)


def memory(pid): return int([l for l in open(f'/proc/{pid}/status') if l.startswith('VmRSS')][0].split()[1]) / 1024


def processor(pid, seconds):
    """Share of a core over this time."""
    def used(): return sum(map(int, open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()[11:13])) / TICK
    before = used()
    time.sleep(seconds)
    return (used() - before) / seconds * 100


def start_bare(i):
    engine = e2e.Engine(f'bench-bare-{i}')
    start = time.monotonic()
    process = engine.serve('--controllers', 'none')
    ready = time.monotonic() - start
    process.terminate()
    process.wait()
    engine.remove()
    return ready * 1000


def start_to_dns(i):
    """From `up` of an engine without manifests to the first answer of the cluster DNS, asked as the machine's programs ask it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe: probe.bind(('127.0.0.1', DNS_PORT))
    engine = e2e.Engine(f'bench-dns-{i}')
    start = time.monotonic()
    process = engine.serve()
    query = bytes.fromhex('4b31010000010000000000000a6b756265726e657465730764656661756c7403737663'
                          '07636c7573746572056c6f63616c0000010001')   # kubernetes.default.svc.cluster.local, A
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.005)
        while time.monotonic() - start < 20:
            try:
                client.sendto(query, ('127.0.0.1', DNS_PORT))
                answer = client.recv(512)
                if answer[:2] == query[:2] and answer[7] == 1: break   # one record
            except OSError: pass
        else: raise SystemExit('the cluster DNS does not answer')
    ready = time.monotonic() - start
    process.terminate()
    process.wait()
    engine.remove()
    return ready * 1000


def start_with_pod(i):
    engine = e2e.Engine(f'bench-pod-{i}')
    manifest = engine.manifest(e2e.PLATFORM + '''---
apiVersion: v1
kind: Pod
metadata: {name: first}
spec: {containers: [{name: c, image: "web:1", ports: [{containerPort: 8080}]}]}
''')
    start = time.monotonic()
    engine.up(manifest)
    ready = time.monotonic() - start
    engine.remove()
    return ready * 1000


def idle(pods, seconds):
    engine = e2e.Engine(f'bench-idle-{pods}')
    text = e2e.PLATFORM.replace('min: 2', 'min: 4').replace('max: 3', 'max: 4')
    if pods:
        text += '---' + e2e.WEB.replace('replicas: 2', f'replicas: {pods}').replace('periodSeconds: 1', 'periodSeconds: 10')
    engine.up(engine.manifest(text))
    time.sleep(10)
    result = memory(engine.pid()), processor(engine.pid(), seconds)
    engine.remove()
    return result


def platform():
    engine = e2e.Engine('bench-mrm')
    start = time.monotonic()
    engine.up(e2e.ROOT / 'examples/mrm')
    ready = time.monotonic() - start
    os.kill(engine.pid(), 9)
    start = time.monotonic()
    engine.up(e2e.ROOT / 'examples/mrm')
    again = time.monotonic() - start
    engine.remove()
    return ready, again


def main():
    options = argparse.ArgumentParser()
    options.add_argument('--runs', type=int, default=5)
    options.add_argument('--seconds', type=int, default=20)
    given = options.parse_args()
    rows = [('start to API ready, bare server', f'{middle([start_bare(i) for i in range(given.runs)]):.0f} ms'),
            ('start to the cluster DNS answering', f'{middle([start_to_dns(i) for i in range(given.runs)]):.0f} ms'),
            ('`up` of one pod, from nothing to Ready', f'{middle([start_with_pod(i) for i in range(given.runs)]):.0f} ms')]
    for pods in (0, 100):
        size, share = idle(pods, given.seconds)
        rows.append((f'idle engine with {pods} pods', f'{size:.0f} MB, {share:.2f} % of a core'))
    ready, again = platform()
    rows += [('`up examples/mrm` (18 pods, probes from 5 s on)', f'{ready:.1f} s'),
             ('the same after kill -9 (all adopted)', f'{again:.2f} s')]
    print('| what | measured |\n|---|---|')
    for what, figure in rows: print(f'| {what} | {figure} |')


if __name__ == '__main__': main()
