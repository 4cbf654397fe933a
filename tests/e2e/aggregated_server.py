"""An API server of its own for one group, as an extension of Kubernetes is written: HTTPS with the client certificate of the
front proxy, discovery, objects, a watch, an upgraded connection. Also answers AdmissionReviews on /admit. Standard library only."""
import http.server, json, socket, ssl, subprocess, threading, time

GROUP, VERSION = 'things.example.com', 'v1beta1'
HOST = 'things.extra.svc'


def address():
    """One of this machine that an EndpointSlice may name, which loopback addresses are not."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(('192.0.2.1', 9))
            return probe.getsockname()[0]
        except OSError:
            return ''


def certificates(directory):
    """A CA and a certificate for the Service's name; returns the paths of CA, certificate and key."""
    def run(*words): subprocess.run(['openssl', *words], check=True, capture_output=True, cwd=directory)
    run('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'ca.key', '-out', 'ca.crt',
        '-subj', '/CN=things-ca', '-days', '2')
    run('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'tls.key', '-out', 'tls.csr', '-subj', '/CN=things')
    (directory / 'names').write_text(f'subjectAltName=DNS:{HOST}')
    run('x509', '-req', '-in', 'tls.csr', '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-out', 'tls.crt', '-days', '2',
        '-extfile', 'names')
    return directory / 'ca.crt', directory / 'tls.crt', directory / 'tls.key'


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def log_message(self, *_): pass

    def answer(self, code, body, kind='application/json'):
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def thing(self, name):
        caller = {key: self.headers.get_all(key) for key in sorted({k.lower() for k in self.headers}) if key.startswith('x-remote-')}
        return {'apiVersion': f'{GROUP}/{VERSION}', 'kind': 'Thing', 'metadata': {'name': name, 'namespace': 'default'},
                'caller': caller, 'certificate': [v for part in (self.connection.getpeercert() or {}).get('subject', ()) for k, v in part],
                'authorization': self.headers.get('Authorization'), 'verb': self.command}

    def do_GET(self):
        path, _, query = self.path.partition('?')
        server = self.server.shared
        server.connections.add(self.client_address)
        if server.broken: return self.answer(500, {})
        verbs = ['create', 'get', 'list', 'watch']
        if path == '/apis' and 'APIGroupDiscoveryList' in self.headers.get('Accept', '') and server.aggregated:
            return self.answer(200, {'kind': 'APIGroupDiscoveryList', 'apiVersion': 'apidiscovery.k8s.io/v2', 'metadata': {}, 'items': [
                {'metadata': {'name': GROUP}, 'versions': [{'version': VERSION, 'resources': [
                    {'resource': 'things', 'responseKind': {'group': '', 'version': '', 'kind': 'Thing'}, 'scope': 'Namespaced',
                     'singularResource': 'thing', 'shortNames': ['th'], 'verbs': verbs}]}]}]},
                'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList')
        if path == f'/apis/{GROUP}/{VERSION}':
            return self.answer(200, {'kind': 'APIResourceList', 'apiVersion': 'v1', 'groupVersion': f'{GROUP}/{VERSION}', 'resources': [
                {'name': 'things', 'singularName': 'thing', 'namespaced': True, 'kind': 'Thing', 'shortNames': ['th'], 'verbs': verbs}]})
        if path.endswith('/echo') and self.headers.get('Upgrade') == 'raw':
            self.send_response(101)
            self.send_header('Connection', 'Upgrade')
            self.send_header('Upgrade', 'raw')
            self.end_headers()
            while data := self.connection.recv(4096): self.connection.sendall(data.upper())
            self.close_connection = True
            return
        if 'watch=' in query:
            self.send_response(200)
            self.send_header('Content-Type', 'application/json')
            self.send_header('Transfer-Encoding', 'chunked')
            self.end_headers()
            for i in range(3):
                line = (json.dumps({'type': 'ADDED', 'object': self.thing(f't{i}')}) + '\n').encode()
                self.wfile.write(b'%x\r\n%s\r\n' % (len(line), line))
                server.sent.append(time.monotonic())
                if i < 2: server.go_on.acquire(timeout=20)
            self.wfile.write(b'0\r\n\r\n')
            return
        if path.startswith(f'/apis/{GROUP}/{VERSION}/namespaces/default/things/'): return self.answer(200, self.thing(path.rsplit('/', 1)[1]))
        if path.startswith(f'/apis/{GROUP}/{VERSION}/'):
            return self.answer(200, {'apiVersion': f'{GROUP}/{VERSION}', 'kind': 'ThingList', 'metadata': {}, 'items': [self.thing('a')]})
        self.answer(404, {'kind': 'Status', 'apiVersion': 'v1', 'status': 'Failure', 'code': 404, 'reason': 'NotFound'})

    def do_POST(self):
        server = self.server.shared
        server.connections.add(self.client_address)
        body = json.loads(self.rfile.read(int(self.headers.get('Content-Length', 0))))
        if self.path.startswith('/admit'):
            request = body['request']
            server.reviews.append(request)
            refuse = request['operation'] == 'CONNECT' or request.get('name') == 'refused'
            response = {'uid': request['uid'], 'allowed': not refuse, 'auditAnnotations': {'seen': 'yes'}}
            if refuse: response['status'] = {'message': f'no {request["operation"]} of {request["kind"]["kind"]}'}
            return self.answer(200, {'apiVersion': 'admission.k8s.io/v1', 'kind': 'AdmissionReview', 'response': response})
        self.answer(201, dict(self.thing(body['metadata']['name']), spec=body.get('spec')))


class Server:
    def __init__(self, directory, proxy_ca=None):
        self.ca, certificate, key = certificates(directory)
        self.address, self.aggregated, self.broken = address(), True, False
        self.reviews, self.sent, self.connections, self.go_on = [], [], set(), threading.Semaphore(0)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        if proxy_ca:
            context.load_verify_locations(cadata=proxy_ca)
            context.verify_mode = ssl.CERT_OPTIONAL
        self.http = http.server.ThreadingHTTPServer((self.address or '127.0.0.1', 0), Handler)
        self.http.daemon_threads = True
        self.http.shared = self
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def stop(self):
        self.http.shutdown()
        self.http.server_close()
