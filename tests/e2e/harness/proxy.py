# SPDX-License-Identifier: Apache-2.0
"""An HTTP proxy of the kind that stands before the outer world."""
import http.client
import http.server
import select
import socket
import socketserver
import threading


class ConnectProxy:
    """CONNECT and absolute-form requests, as an egress proxy has them; counts them."""

    def __init__(self):
        proxy = self
        self.requests = 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_CONNECT(self):
                proxy.requests += 1
                host, port = self.path.rsplit(":", 1)
                with socket.create_connection((host, int(port))) as there:
                    self.send_response(200)
                    self.end_headers()
                    carry(self.connection, there)
                self.close_connection = True

            def do_POST(self):
                proxy.requests += 1
                host, path = self.path.removeprefix("http://").split("/", 1)
                body = self.rfile.read(int(self.headers["Content-Length"]))
                connection = http.client.HTTPConnection(host)
                connection.request("POST", f"/{path}", body, dict(self.headers))
                answer = connection.getresponse()
                content = answer.read()
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.getheader("Content-Type", ""))
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                """Quiet."""

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def carry(one, other):
    while True:
        for ready in select.select([one, other], [], [])[0]:
            data = ready.recv(65536)
            if not data:
                return
            (other if ready is one else one).sendall(data)
