#!/usr/bin/env python3
"""Tokens of a running OpenID Connect provider: by flags and by an AuthenticationConfiguration, good ones, each way in which
one can be bad, and keys that are exchanged meanwhile."""
import time, unittest
import engine as e2e
from api_client import Client
from oidc_issuer import Issuer

REVIEW = '/apis/authentication.k8s.io/v1/selfsubjectreviews'


class Who:
    """Asks an engine who the bearer of a token is: the userInfo, or the code of the refusal."""

    def __init__(self, engine):
        self.client = Client(engine.kubeconfig, certificate=False)

    def is_(self, token):
        code, answer = self.client.ask('POST', REVIEW, {'apiVersion': 'authentication.k8s.io/v1', 'kind': 'SelfSubjectReview'},
                                       {'Authorization': 'Bearer ' + token})
        return answer['status']['userInfo'] if code == 201 else code

    def code(self, path, token=None):
        return self.client.ask('GET', path, headers={'Authorization': 'Bearer ' + token} if token else None)[0]

    def groups_of(self, token): return [one for one in self.is_(token)['groups'] if one != 'system:authenticated']


class Flags(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        e2e.tools()
        cls.issuer = Issuer()
        cls.engine = e2e.Engine('oidc-flags')
        cls.engine.serve('--controllers', 'none', '--oidc-issuer-url', cls.issuer.url, '--oidc-client-id', 'kube',
                         '--oidc-ca-file', str(cls.issuer.authority), '--oidc-username-claim', 'email', '--oidc-username-prefix', 'oidc:',
                         '--oidc-groups-claim', 'groups', '--oidc-groups-prefix', 'oidc:', '--oidc-required-claim', 'tenant=blue')
        cls.who = Who(cls.engine)

    def token(self, key=None, **claims):
        return self.issuer.token(key, **({'email': 'jane@example.com', 'tenant': 'blue'} | claims))

    def test_names_and_groups_have_their_prefixes(self):
        user = self.who.is_(self.token(groups=['dev', 'ops']))
        self.assertEqual(user['username'], 'oidc:jane@example.com')
        self.assertEqual(user['groups'], ['oidc:dev', 'oidc:ops', 'system:authenticated'])
        self.assertEqual(self.who.groups_of(self.token(groups='dev')), ['oidc:dev'])
        self.assertEqual(self.who.groups_of(self.token()), [])

    def test_bad_ones_are_refused(self):
        now = int(time.time())
        for why, claims in {'another audience': {'aud': 'other'}, 'another issuer': {'iss': 'https://127.0.0.1:1'}, 'expired': {'exp': now - 5},
                            'not yet': {'nbf': now + 3600}, 'without end': {'exp': None}, 'claim missing': {'tenant': None},
                            'claim differs': {'tenant': 'red'}, 'no name': {'email': None}, 'groups of numbers': {'groups': [1]},
                            'address not verified': {'email_verified': False}}.items():
            self.assertEqual(self.who.is_(self.token(**claims)), 401, why)
        self.assertIsInstance(self.who.is_(self.token(aud=['other', 'kube'], email_verified=True)), dict)
        token = self.token()
        self.assertEqual(self.who.is_(token[:-20] + ('A' if token[-20] != 'A' else 'B') + token[-19:]), 401, 'forged')
        self.assertEqual(self.who.is_(self.token(self.issuer.key('stranger'))), 401, 'a key that the issuer does not have')
        self.assertEqual(self.who.is_(self.token(self.issuer.key('curve', 'ES256'))), 401, 'an algorithm that is not allowed')

    def test_a_new_key_is_good_at_once(self):
        fresh, old = self.issuer.key('second'), self.issuer.keys[0]
        self.assertEqual(self.who.is_(self.token(fresh)), 401)
        self.issuer.keys = [old, fresh]
        time.sleep(1.1)  # an issuer is asked once a second at most
        self.assertEqual(self.who.is_(self.token(fresh))['username'], 'oidc:jane@example.com')
        self.issuer.keys = [fresh]
        time.sleep(1.1)
        self.assertEqual(self.who.is_(self.token(self.issuer.key('third'))), 401)  # makes it look again
        self.assertEqual(self.who.is_(self.token(old)), 401, 'withdrawn')
        # Forged tokens do not make it ask for each.
        before = self.issuer.asked
        for _ in range(20): self.who.is_(self.token(old))
        self.assertLess(self.issuer.asked - before, 20)

    def test_kubectl_and_rights(self):
        self.engine.kubectl('create', 'clusterrolebinding', 'readers', '--clusterrole=cluster-admin', '--group=oidc:dev')
        token = self.token(groups=['dev'])
        path = '/api/v1/namespaces/default/configmaps'
        self.assertEqual(self.who.code(path, token), 200)
        self.assertEqual(self.who.code(path, self.token(groups=['ops'])), 403)
        review = self.engine.kubectl('create', '-o', 'jsonpath={.status.user.username}', '-f', '-',
                                     input=f'{{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{{"token":"{token}"}}}}')
        self.assertEqual(review, 'oidc:jane@example.com')


class Configuration(unittest.TestCase):
    CONFIG = '''
apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
anonymous: {enabled: true, conditions: [{path: /healthz}]}
jwt:
- issuer:
    url: %(url)s
    audiences: [kube, other]
    audienceMatchPolicy: MatchAny
    certificateAuthority: |
%(authority)s
  claimValidationRules:
  - {claim: hd, requiredValue: example.com}
  - expression: "claims.exp - claims.iat <= 86400"
    message: tokens must not live longer than a day
  claimMappings:
    username: {expression: "'sso:' + claims.sub"}
    groups: {expression: "claims.?roles.orValue('').split(',').filter(r, r != '')"}
    uid: {claim: uid}
    extra:
    - {key: example.com/tenant, valueExpression: claims.tenant}
  userValidationRules:
  - expression: "!user.username.startsWith('sso:system:')"
    message: reserved
'''

    @classmethod
    def setUpClass(cls):
        cls.issuer = Issuer()
        cls.issuer.keys = [cls.issuer.key('curve', 'ES256')]
        cls.engine = e2e.Engine('oidc-config')
        authority = '\n'.join('      ' + line for line in cls.issuer.authority.read_text().splitlines())
        cls.path = cls.engine.manifest(cls.CONFIG % {'url': cls.issuer.url, 'authority': authority}, 'authentication.yaml')
        cls.engine.serve('--controllers', 'none', '--authentication-config', str(cls.path))
        cls.who = Who(cls.engine)

    def token(self, key=None, **claims):
        return self.issuer.token(key, **({'hd': 'example.com', 'iat': int(time.time()), 'tenant': 'blue'} | claims))

    def test_expressions_make_the_user(self):
        user = self.who.is_(self.token(aud='other', roles='dev,ops', uid='u-1', tenant=['blue', 'red']))
        self.assertEqual(user, {'username': 'sso:jane', 'uid': 'u-1', 'groups': ['dev', 'ops', 'system:authenticated'],
                                'extra': {'example.com/tenant': ['blue', 'red']}})

    def test_rules_refuse(self):
        for claims in ({'hd': 'elsewhere.org'}, {'hd': None}, {'exp': int(time.time()) + 100_000}, {'iat': None}, {'sub': 'system:admin'},
                       {'aud': 'third'}):
            self.assertEqual(self.who.is_(self.token(**claims)), 401, claims)

    def test_anonymous_where_it_may(self):
        self.assertEqual(self.who.code('/healthz'), 200)
        self.assertEqual(self.who.code('/version'), 401)

    def test_a_configuration_with_a_fault_is_refused(self):
        text = self.path.read_text()
        for change, fault in ((('    uid: {claim: uid}', '    uid: {claims: uid}'), 'unknown field'),
                              (('[kube, other]', '[kube, kube]'), 'Duplicate value'), (("'sso:' + claims.sub", "claims.sub +"), 'compilation failed'),
                              (("'sso:' + claims.sub", 'claims.email'), 'claims.email_verified must be used'),
                              (('example.com/tenant', 'k8s.io/tenant'), 'reserved for Kubernetes use')):
            path = self.engine.manifest(text.replace(*change), 'broken.yaml')
            done = e2e.Engine('oidc-broken').keelson('serve', '--controllers', 'none', '--authentication-config', str(path), check=False, timeout=20)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(fault, done.stderr)


if __name__ == '__main__': e2e.main()
