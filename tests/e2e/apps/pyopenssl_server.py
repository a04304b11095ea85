# SPDX-License-Identifier: Apache-2.0
"""http_server.py on pyOpenSSL, whose OpenSSL is inside the cryptography wheel: pyopenssl_server.py PORT CERTIFICATE KEY."""
import http.server
import io
import sys

from http_server import Handler
from OpenSSL import SSL


class Stream(io.RawIOBase):
    """An SSL.Connection as a file."""

    def __init__(self, connection):
        self.connection = connection

    def readable(self):
        return True

    def writable(self):
        return True

    def readinto(self, buffer):
        try:
            return self.connection.recv_into(buffer)
        except (SSL.ZeroReturnError, SSL.SysCallError):
            return 0

    def write(self, data):
        self.connection.sendall(bytes(data))
        return len(data)


class SecureHandler(Handler):
    def setup(self):
        self.tls = SSL.Connection(CONTEXT, self.request)
        self.tls.set_accept_state()
        self.rfile = io.BufferedReader(Stream(self.tls))
        self.wfile = Stream(self.tls)

    def finish(self):
        try:
            self.tls.shutdown()
        except SSL.Error:
            pass


CONTEXT = SSL.Context(SSL.TLS_SERVER_METHOD)
CONTEXT.use_certificate_file(sys.argv[2])
CONTEXT.use_privatekey_file(sys.argv[3])
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), SecureHandler).serve_forever()
