"""A server that answers as a test tells it to, over TLS with client certificates."""
import http.server
import json
import os
import ssl
import subprocess
import threading
import urllib.parse


def make_authority(folder):
    """An authority, a server's and a client's certificate; returns their paths by name."""
    paths = {name: os.path.join(folder, name) for name in
             ("ca.crt", "ca.key", "server.crt", "server.key", "client.crt", "client.key")}
    run = lambda *words: subprocess.run(("openssl", *words), check=True, capture_output=True)
    run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-keyout", paths["ca.key"], "-out", paths["ca.crt"], "-subj", "/CN=test authority")
    for name, extra in (("server", "subjectAltName=IP:127.0.0.1"),
                        ("client", "extendedKeyUsage=clientAuth")):
        request = os.path.join(folder, name + ".csr")
        extensions = os.path.join(folder, name + ".ext")
        with open(extensions, "w", encoding="ascii") as file:
            file.write(extra + "\n")
        run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", paths[name + ".key"], "-out", request, "-subj", f"/CN=test {name}")
        run("x509", "-req", "-in", request, "-CA", paths["ca.crt"], "-CAkey", paths["ca.key"],
            "-CAcreateserial", "-out", paths[name + ".crt"], "-extfile", extensions)
    return paths


class Request:
    """What the client asked for."""

    def __init__(self, handler):
        parts = urllib.parse.urlsplit(handler.path)
        self.method, self.path = handler.command, urllib.parse.unquote(parts.path)
        self.query = dict(urllib.parse.parse_qsl(parts.query))
        self.headers = handler.headers
        self.body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        self.client = handler.connection.getpeercert()

    def json(self):
        return json.loads(self.body)


class Hive:
    """`answer(request)` gives (status, body) or (status, body, headers); a body that is a generator
    is sent piece by piece as server-sent events, and what is no bytes or text as JSON."""

    def __init__(self, paths, answer):
        self.requests, self.answer = [], answer
        hive = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                request = Request(self)
                hive.requests.append(request)
                status, body, *more = hive.answer(request)
                headers = dict(more[0]) if more else {}
                if hasattr(body, "__next__"):
                    self.stream(body)
                    return
                if not isinstance(body, (bytes, str)):
                    headers.setdefault("Content-Type", "application/json" if status < 400 else
                                       "application/problem+json")
                    body = json.dumps(body)
                data = body.encode() if isinstance(body, str) else body
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            def stream(self, pieces):
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                for piece in pieces:
                    self.wfile.write(piece.encode())
                    self.wfile.flush()
                self.close_connection = True

            do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = do_HEAD = handle_any

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, *_):  # A client that goes away is no news.
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(paths["server.crt"], paths["server.key"])
        context.load_verify_locations(paths["ca.crt"])
        context.verify_mode = ssl.CERT_REQUIRED
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                 do_handshake_on_connect=False)
        self.url = f"https://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def event(kind, body, revision, name=None):
    """One change as the gateway sends it."""
    data = json.dumps({"type": kind, "object": body, "resourceVersion": str(revision)})
    return (f"event: {name}\n" if name else "") + f"id: {revision}\ndata: {data}\n\n"
