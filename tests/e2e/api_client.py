"""A plain HTTPS client of the API for tests that kubectl cannot do: many connections, tokens, headers."""
import base64, http.client, json, os, re, ssl, tempfile, urllib.parse


class Api:
    """From a kubeconfig that holds its certificates; without `certificate` the client shows none."""

    def __init__(self, kubeconfig, certificate=True):
        text = open(kubeconfig).read()
        field = lambda name: re.search(r'^\s*-?\s*' + name + r':\s*"?([^"\n]+?)"?\s*$', text, re.M).group(1)
        self.server = urllib.parse.urlparse(field('server'))
        self.context = ssl.create_default_context(cadata=base64.b64decode(field('certificate-authority-data')).decode())
        if certificate:
            with tempfile.NamedTemporaryFile(delete=False) as file:
                file.write(base64.b64decode(field('client-certificate-data')) + b'\n' + base64.b64decode(field('client-key-data')))
            self.context.load_cert_chain(file.name)
            os.unlink(file.name)

    def connect(self):
        return http.client.HTTPSConnection(self.server.hostname, self.server.port, context=self.context, timeout=60)

    def ask(self, connection, method, path, body=None, expect=None, headers=None, parse=True, answered=None):
        """The answer's object, or its text; fails with it if the code is not the one expected."""
        given = {'Content-Type': 'application/json', 'User-Agent': 'keelson-e2e'} | (headers or {})
        connection.request(method, path, None if body is None else json.dumps(body), given)
        answer = connection.getresponse()
        text = answer.read().decode()
        if expect is not None and answer.status != expect: raise AssertionError(f'{method} {path}: {answer.status} {text}')
        if answered is not None: answered.update({name.lower(): value for name, value in answer.headers.items()})
        return json.loads(text) if parse and text.startswith('{') else text

    def code(self, method, path, headers=None):
        connection = self.connect()
        try:
            connection.request(method, path, headers=headers or {})
            return connection.getresponse().status
        finally:
            connection.close()
