# SPDX-License-Identifier: Apache-2.0
"""What every Python application of the tests answers to a target, and its access log.

Query: size (bytes of the body, default 64), status (default 200), ms (sleep first), chunked=1 (no Content-Length).
"""
import json
import os
import threading
from urllib.parse import parse_qs, urlsplit

_LOG = os.environ.get("ACCESS_LOG")
_LOCK = threading.Lock()


class Answer:
    def __init__(self, target):
        query = {k: v[0] for k, v in parse_qs(urlsplit(target).query).items()}
        self.status = int(query.get("status", 200))
        self.size = int(query.get("size", 64))
        self.seconds = int(query.get("ms", 0)) / 1000
        self.chunked = query.get("chunked") == "1"
        self.body = b"x" * self.size

    def pieces(self):
        """The body in three parts, for chunked answers."""
        third = self.size // 3 + 1
        return [self.body[i:i + third] for i in range(0, self.size, third)]


def log(method, target, answer, request_bytes, seconds, port=None):
    """`port`: the client's. One line per request, written at once: several processes may share the file."""
    line = json.dumps({"method": method, "target": target, "status": answer.status, "response_bytes": answer.size,
                       "request_bytes": request_bytes, "duration_ms": seconds * 1000, "port": port})
    with _LOCK, open(_LOG, "a", encoding="utf-8") as file:
        file.write(line + "\n")
