"""An OpenID Connect provider in a few lines: discovery and keys over TLS, tokens signed by openssl. Its keys can be exchanged
while it runs, and it counts how often they were asked for."""
import base64, http.server, json, pathlib, ssl, subprocess, tempfile, threading, time


def base64url(data): return base64.urlsafe_b64encode(data).rstrip(b'=').decode()


def openssl(*words, **more): return subprocess.run(['openssl', *map(str, words)], check=True, capture_output=True, **more).stdout


class Key:
    def __init__(self, directory, name, algorithm='RS256'):
        self.name, self.algorithm, self.path = name, algorithm, directory / f'{name}.pem'
        if algorithm == 'RS256': openssl('genrsa', '-out', self.path, '2048')
        else: openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', self.path)

    def jwk(self):
        if self.algorithm == 'RS256':
            modulus = openssl('rsa', '-in', self.path, '-noout', '-modulus').decode().strip().split('=')[1]
            return {'kty': 'RSA', 'kid': self.name, 'alg': 'RS256', 'use': 'sig', 'n': base64url(bytes.fromhex(modulus)), 'e': 'AQAB'}
        point = openssl('ec', '-in', self.path, '-pubout', '-outform', 'DER')[-64:]
        return {'kty': 'EC', 'crv': 'P-256', 'kid': self.name, 'alg': 'ES256', 'use': 'sig',
                'x': base64url(point[:32]), 'y': base64url(point[32:])}

    def sign(self, text):
        signature = openssl('dgst', '-sha256', '-sign', self.path, input=text)
        if self.algorithm == 'RS256': return signature
        # DER: SEQUENCE of two INTEGERs; as two numbers of 32 bytes.
        numbers, at = b'', 2
        for _ in range(2):
            length = signature[at + 1]
            numbers += signature[at + 2:at + 2 + length].lstrip(b'\0').rjust(32, b'\0')
            at += 2 + length
        return numbers


class Issuer:
    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix='keelson-oidc-'))
        self.authority = self.directory / 'ca.crt'
        openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', self.directory / 'ca.key', '-out', self.authority,
                '-subj', '/CN=issuer-ca', '-days', '2')
        openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', self.directory / 'tls.key', '-out', self.directory / 'tls.csr',
                '-subj', '/CN=issuer')
        names = self.directory / 'names'
        names.write_text('subjectAltName=IP:127.0.0.1,DNS:localhost')
        openssl('x509', '-req', '-in', self.directory / 'tls.csr', '-CA', self.authority, '-CAkey', self.directory / 'ca.key',
                '-CAcreateserial', '-out', self.directory / 'tls.crt', '-days', '2', '-extfile', names)
        self.asked, issuer = 0, self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path == '/.well-known/openid-configuration':
                    answer = {'issuer': issuer.url, 'jwks_uri': issuer.url + '/keys', 'response_types_supported': ['id_token'],
                              'subject_types_supported': ['public'], 'id_token_signing_alg_values_supported': ['RS256', 'ES256']}
                elif self.path == '/keys':
                    issuer.asked += 1
                    answer = {'keys': [one.jwk() for one in issuer.keys]}
                else: return self.send_error(404)
                self.send_response(200)
                self.send_header('Content-Type', 'application/json')
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            def log_message(self, *_): pass

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.directory / 'tls.crt', self.directory / 'tls.key')
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f'https://127.0.0.1:{self.server.server_port}'
        self.keys = [Key(self.directory, 'first')]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def key(self, name, algorithm='RS256'): return Key(self.directory, name, algorithm)

    def token(self, key=None, **claims):
        key = key or self.keys[0]
        head = {'alg': key.algorithm, 'kid': key.name, 'typ': 'JWT'}
        body = {'iss': self.url, 'aud': 'kube', 'sub': 'jane', 'exp': int(time.time()) + 600} | claims
        text = '.'.join(base64url(json.dumps(part).encode()) for part in (head, {k: v for k, v in body.items() if v is not None}))
        return text + '.' + base64url(key.sign(text.encode()))
