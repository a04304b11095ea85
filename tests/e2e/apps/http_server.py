# SPDX-License-Identifier: Apache-2.0
"""Python's own http.server: http_server.py PORT [CERTIFICATE KEY]."""
import http.server
import ssl
import sys
import time

from answer import Answer, log


http.server.ThreadingHTTPServer.request_queue_size = 128


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes: without this each waits 40 ms for an ACK

    def answer(self):
        begin = time.monotonic()
        received = len(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        answer = Answer(self.path)
        time.sleep(answer.seconds)
        self.send_response(answer.status)
        self.send_header("Content-Type", "text/plain")
        if answer.chunked:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in answer.pieces():
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.send_header("Content-Length", str(answer.size))
            self.end_headers()
            self.wfile.write(answer.body)
        log(self.command, self.path, answer, received, time.monotonic() - begin, self.client_address[1])

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *_):
        """The JSON log takes the place of the lines on standard error."""


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
        # The handshake is made by the connection's own thread, with its first read.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()
