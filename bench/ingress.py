#!/usr/bin/env python3
"""Requests a second and latency through the engine's Ingress, beside a plain HAProxy with a configuration by hand in front of the same
pods: what the Ingress costs. The two take turns; the middle of the runs is printed. Needs root, haproxy and wrk (Debian packages).
Usage: bench/ingress.py [--runs N] [--seconds S] [--connections C]; the binary is KEELSON_TEST_BINARY or build-release."""
import argparse, pathlib, re, socket, statistics, subprocess, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'tests/e2e'))
import engine as e2e

HOST = 'web.example'
INGRESS = f'''---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: web}}
spec:
  tls: [{{hosts: [{HOST}], secretName: web-tls}}]
  rules:
    - host: {HOST}
      http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}]}}
'''


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def plain_haproxy(engine, pods):
    """HAProxy as one would write it by hand: TLS, one backend, the pods as servers. Returns (process, port)."""
    home, port = engine.home, free_port()
    pem = home / 'plain.pem'
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1', '-subj',
                    f'/CN={HOST}', '-keyout', home / 'key.pem', '-out', home / 'cert.pem'], check=True, capture_output=True)
    pem.write_text((home / 'cert.pem').read_text() + (home / 'key.pem').read_text())
    servers = '\n'.join(f'  server s{i} {ip}:8080' for i, ip in enumerate(pods))
    configuration = home / 'plain.cfg'
    configuration.write_text(f'''defaults
  mode http
  option forwardfor
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend web
  bind 127.0.0.1:{port} ssl crt {pem}
  default_backend pods
backend pods
{servers}
''')
    return subprocess.Popen(['haproxy', '-db', '-q', '-f', configuration]), port


def wrk(port, seconds, connections):
    """(requests a second, p99 in ms), refusing any answer that is not a 200."""
    out = subprocess.run(['wrk', '-t1', f'-c{connections}', f'-d{seconds}s', '--latency', '-H', f'Host: {HOST}',
                          f'https://127.0.0.1:{port}/'], capture_output=True, text=True, check=True).stdout
    assert 'Non-2xx' not in out and 'Socket errors' not in out, out
    rate = float(re.search(r'Requests/sec:\s+([\d.]+)', out)[1])
    value, unit = re.search(r'99%\s+([\d.]+)(us|ms|s)', out).groups()
    return rate, float(value) * {'us': 0.001, 'ms': 1, 's': 1000}[unit]


def main():
    options = argparse.ArgumentParser()
    options.add_argument('--runs', type=int, default=5)
    options.add_argument('--seconds', type=int, default=5)
    options.add_argument('--connections', type=int, default=32)
    given = options.parse_args()
    engine = e2e.Engine('bench-ingress')
    e2e.tools()
    text = e2e.PLATFORM.replace('cpuPerRequest: 1ms', 'cpuPerRequest: 0ms') + '---' + e2e.WEB.replace('replicas: 2', 'replicas: 4')
    engine.up(engine.manifest(text + INGRESS))
    points = e2e.wait_for('the Ingress has its address', 20, lambda: engine.get('ingress', 'web')['status']['loadBalancer'].get('ingress'))
    ports = points[0]['ports']
    pods = [pod['status']['podIP'] for pod in engine.get('pods')['items']]
    plain, plain_port = plain_haproxy(engine, pods)
    try:
        ways = {'Ingress': ports[1]['port'], 'plain HAProxy': plain_port}
        for port in ways.values(): wrk(port, 1, given.connections)
        runs = {way: [] for way in ways}
        for _ in range(given.runs):
            for way, port in ways.items(): runs[way].append(wrk(port, given.seconds, given.connections))
    finally:
        plain.terminate()
        plain.wait()
        engine.remove()
    print('| over TLS | requests a second | p99 |\n|---|---|---|')
    for way, seen in runs.items():
        print(f'| {way} | {statistics.median(s[0] for s in seen):,.0f} | {statistics.median(s[1] for s in seen):.1f} ms |')
    print(f"ratio {statistics.median(a[0] / b[0] for a, b in zip(*runs.values())):.2f}")


if __name__ == '__main__': main()
