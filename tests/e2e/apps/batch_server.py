# SPDX-License-Identifier: Apache-2.0
"""Answers all requests that a connection sent at once with one write, as servers that are made for speed do."""
import os
import socketserver
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from answer import Answer, log  # noqa: E402


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        left = b""
        while data := self.request.recv(65536):
            begin = time.monotonic()
            *heads, left = (left + data).split(b"\r\n\r\n")
            answers, out = [], []
            for head in heads:
                method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
                answer = Answer(target)
                answers.append((method, target, answer))
                out.append(f"HTTP/1.1 {answer.status} OK\r\nContent-Length: {answer.size}\r\n\r\n".encode() + answer.body)
            self.request.sendall(b"".join(out))
            for method, target, answer in answers:
                log(method, target, answer, 0, time.monotonic() - begin, self.client_address[1])


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
