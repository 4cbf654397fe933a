"""A small client of the API for tests that need many connections at once, or answers as they are: HTTP/1.1 over TLS with the
certificate of a kubeconfig."""
import base64, http.client, json, re, socket, ssl, tempfile


class Client:
    def __init__(self, kubeconfig, timeout=20):
        text = open(kubeconfig).read()
        self.timeout = timeout
        found = re.search(r'server: "?https://(\[[^\]]+\]|[^:\s]+):(\d+)', text)
        self.host, self.port = found.group(1).strip('[]'), int(found.group(2))
        files = {}
        for name in ('certificate-authority', 'client-certificate', 'client-key'):
            data = re.search(name + r'-data: "?([^"\s]+)', text).group(1)
            files[name] = tempfile.NamedTemporaryFile()
            files[name].write(base64.b64decode(data))
            files[name].flush()
        self.context = ssl.create_default_context(cafile=files['certificate-authority'].name)
        self.context.load_cert_chain(files['client-certificate'].name, files['client-key'].name)
        self.connection = None

    def connect(self):
        """A connection of its own."""
        return http.client.HTTPSConnection(self.host, self.port, context=self.context, timeout=self.timeout)

    def plain(self):
        """A TCP connection on which nothing is said."""
        return socket.create_connection((self.host, self.port), timeout=self.timeout)

    def ask(self, method, path, body=None, kind='application/json'):
        """Code and decoded answer. Raises OSError or http.client.HTTPException if there is none."""
        if self.connection is None: self.connection = self.connect()
        try:
            if body is not None and not isinstance(body, (str, bytes)): body = json.dumps(body)
            self.connection.request(method, path, body, {'Content-Type': kind})
            answer = self.connection.getresponse()
            text = answer.read()
        except Exception:
            self.close()
            raise
        if answer.will_close: self.close()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text.decode(errors='replace')

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
