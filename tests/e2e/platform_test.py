#!/usr/bin/env python3
"""The MRM platform, whole: its addresses serve, a rolling update under load loses no request, the API grows by its rules."""
import json, subprocess, time, unittest
import engine as e2e
from engine import wait_for


class Platform(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        e2e.tools()
        cls.engine = e2e.Engine('mrm')
        cls.engine.up(e2e.ROOT / 'examples/mrm')
        ingress = cls.engine.get('ingress', '-n', 'mrm-production', 'mrm-ingress')
        point = ingress['status']['loadBalancer']['ingress'][0]
        cls.ip, (cls.http, cls.https) = point['ip'], [p['port'] for p in point['ports']]

    def curl(self, url, *words):
        host = url.split('/')[2].split(':')[0]
        done = subprocess.run(['curl', '-s', '-m', '10', '--resolve', f'{host}:{self.http}:{self.ip}', '--resolve',
                               f'{host}:{self.https}:{self.ip}', *words, url], capture_output=True, text=True)
        return done.stdout

    def load(self, url, rps, seconds, *words):
        return subprocess.Popen([e2e.BINARY, 'load', url, '--rps', str(rps), '--for', f'{seconds}s', '-q', '-o', 'json', *words],
                                env=self.engine.env, stdout=subprocess.PIPE, text=True)

    def service(self):
        return self.engine.get('svc', '-n', 'mrm-production', 'mrm-api-service')['spec']['clusterIP']

    def test_a_all_is_well(self):
        status = json.loads(self.engine.keelson('status', '--name', 'mrm', '-o', 'json').stdout)
        self.assertTrue(status['well'])
        self.assertEqual({w['name'] for w in status['workloads'] if w['namespace'] == 'mrm-production'},
                         {'mrm-api', 'mrm-frontend', 'mrm-redis', 'mrm-postgres'})
        self.assertIn('PrometheusRule', [n['kind'] for n in status['notActedOn']])
        self.assertEqual(self.engine.get('all', '-n', 'default')['items'][0]['metadata']['name'], 'kubernetes')

    def test_b_ingress(self):
        url = f'https://api.mrm-ai.com:{self.https}/'
        self.assertEqual(self.curl(url, '-k', '-o', '/dev/null', '-w', '%{http_code}'), '200')
        answer = self.curl(f'http://api.mrm-ai.com:{self.http}/x', '-o', '/dev/null', '-w', '%{http_code} %{redirect_url}')
        self.assertTrue(answer.startswith('308 https://api.mrm-ai.com'), answer)
        self.assertIn('strict-transport-security', self.curl(url, '-k', '-D', '-', '-o', '/dev/null').lower())
        self.assertEqual(self.curl(url, '-k', '--tls-max', '1.1', '-o', '/dev/null', '-w', '%{http_code}'), '000')
        self.assertEqual(self.curl(f'https://nobody.example:{self.https}/', '-k', '-o', '/dev/null', '-w', '%{http_code}'), '404')
        self.assertEqual(self.engine.get('secret', '-n', 'mrm-production', 'mrm-tls')['type'], 'kubernetes.io/tls')

    def test_c_names_and_real_programs(self):
        shell = ['-n', 'mrm-production', 'exec', 'deploy/mrm-redis', '--']
        found = self.engine.kubectl(*shell, 'getent', 'hosts', 'mrm-api-service.mrm-production.svc.cluster.local')
        self.assertEqual(found.split()[0], self.service())
        self.assertIn('PONG', self.engine.kubectl(*shell, 'redis-cli', '-h', 'mrm-redis', 'ping'))
        sql = self.engine.kubectl('-n', 'mrm-production', 'exec', 'mrm-postgres-0', '--', 'sh', '-c',
                                  'psql -h mrm-postgres -U mrm -d postgres -tAc "select 6*7"')
        self.assertEqual(sql.strip(), '42')

    def test_d_rolling_update_loses_no_request(self):
        load = self.load(f'https://api.mrm-ai.com:{self.https}/', 20, 75, '-k', '--resolve',
                         f'api.mrm-ai.com:{self.https}:{self.ip}')
        self.engine.kubectl('-n', 'mrm-production', 'rollout', 'restart', 'deploy/mrm-api')
        self.engine.kubectl('-n', 'mrm-production', 'rollout', 'status', 'deploy/mrm-api', '--timeout=120s', timeout=130)
        report = json.loads(load.communicate(timeout=120)[0])
        self.assertEqual(report['failed'], 0, report)
        self.assertEqual(set(report['codes']), {'200'}, report)

    def test_e_the_api_grows_by_its_rules(self):
        load = self.load(f'http://{self.service()}/', 120, 170)
        seen = [(0, 5)]   # when (s), how many
        start = time.monotonic()
        try:
            def grown():
                now = self.engine.get('deploy', '-n', 'mrm-production', 'mrm-api')['spec']['replicas']
                if now != seen[-1][1]: seen.append((time.monotonic() - start, now))
                return seen[-1][1] >= 12
            wait_for('the API has grown', 165, grown, 1)
        finally:
            load.kill()
            load.wait()
        for when, before in seen:   # at most 50 % more in any minute, rounded up
            within = [after for later, after in seen if when < later < when + 57]
            self.assertLessEqual(max(within, default=0), -(-before * 3 // 2), seen)
        events = self.engine.kubectl('-n', 'mrm-production', 'describe', 'hpa', 'mrm-api-hpa')
        self.assertIn('SuccessfulRescale', events)


if __name__ == '__main__': e2e.main()
