"""A small client of the API for tests that kubectl cannot do: many connections at once, tokens and headers, answers as they are.
HTTP/1.1 over TLS from a kubeconfig that holds its certificates. A client is one connection, which is made when it is needed."""
import base64, http.client, json, re, socket, ssl, tempfile


class Client:
    def __init__(self, kubeconfig, timeout=20, certificate=True):
        """Without `certificate` it shows none."""
        text = open(kubeconfig).read()
        self.timeout = timeout
        found = re.search(r'server: "?https://(\[[^\]]+\]|[^:\s]+):(\d+)', text)
        self.host, self.port = found.group(1).strip('[]'), int(found.group(2))
        data = lambda name: base64.b64decode(re.search(name + r'-data: "?([^"\s]+)', text).group(1))
        self.context = ssl.create_default_context(cadata=data('certificate-authority').decode())
        if certificate:
            with tempfile.NamedTemporaryFile() as file:
                file.write(data('client-certificate') + b'\n' + data('client-key'))
                file.flush()
                self.context.load_cert_chain(file.name)
        self.connection = None
        self.headers = None

    def connect(self):
        """A connection of its own."""
        return http.client.HTTPSConnection(self.host, self.port, context=self.context, timeout=self.timeout)

    def plain(self):
        """A TCP connection on which nothing is said."""
        return socket.create_connection((self.host, self.port), timeout=self.timeout)

    def ask(self, method, path, body=None, headers=None):
        """Code and decoded answer; `self.headers` are the answer's. Raises OSError or http.client.HTTPException if there is none."""
        if self.connection is None: self.connection = self.connect()
        try:
            if body is not None and not isinstance(body, (str, bytes)): body = json.dumps(body)
            self.connection.request(method, path, body, {'Content-Type': 'application/json'} | (headers or {}))
            answer = self.connection.getresponse()
            text = answer.read()
        except Exception:
            self.close()
            raise
        if answer.will_close: self.close()
        self.headers = answer.headers
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text.decode(errors='replace')

    def expect(self, code, method, path, body=None, headers=None):
        """The decoded answer; fails with it if its code is another one."""
        got, answer = self.ask(method, path, body, headers)
        if got != code: raise AssertionError(f'{method} {path}: {got} {answer}')
        return answer

    def watch(self, path):
        """Events, until the server ends them."""
        connection = self.connect()
        try:
            connection.request('GET', path)
            answer = connection.getresponse()
            if answer.status != 200: raise OSError(f'watch: {answer.status} {answer.read()!r}')
            for line in answer: yield json.loads(line)
        finally:
            connection.close()

    def close(self):
        if self.connection is not None: self.connection.close()
        self.connection = None
