# SPDX-License-Identifier: Apache-2.0
"""A TLS client whose records stay in the test's hands: they can be cut, delayed, or never sent."""
import http.client
import io
import socket
import ssl
import struct
import time

from . import tls


class RawTls:
    def __init__(self, address, context=None, hello_pieces=1):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = (context or tls.context()).wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        self.socket = socket.create_connection(address, timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = self.socket.getsockname()[1]
        self._handshake(hello_pieces)

    def _handshake(self, pieces):
        while True:
            try:
                self.tls.do_handshake()
                self.flush()
                return
            except ssl.SSLWantReadError:
                self.flush(pieces)
                pieces = 1
                self._receive()

    def _receive(self):
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("closed")
        self.incoming.write(data)

    def records(self, data):
        """The bytes that would carry `data`."""
        self.tls.write(data)
        return self.outgoing.read()

    def flush(self, pieces=1):
        data = self.outgoing.read()
        step = -(-len(data) // pieces) or 1
        for i in range(0, len(data), step):
            self.socket.sendall(data[i:i + step])
            if pieces > 1:
                time.sleep(0.01)

    def read(self):
        while True:
            try:
                return self.tls.read(65536)
            except ssl.SSLWantReadError:
                self._receive()

    def get(self, target):
        """One exchange; returns the status."""
        self.socket.sendall(self.records(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()))
        seen = b""
        while b"\r\n\r\n" not in seen:
            seen += self.read()
        head, body = seen.split(b"\r\n\r\n", 1)
        length = int(http.client.parse_headers(io.BytesIO(head.split(b"\r\n", 1)[1] + b"\r\n\r\n"))["Content-Length"])
        while len(body) < length:
            body += self.read()
        return int(head.split()[1])

    def close(self, reset=False):
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
