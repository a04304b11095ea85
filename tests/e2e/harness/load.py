# SPDX-License-Identifier: Apache-2.0
"""A bounded load whose every request is different, and which checks the answers it gets."""
import http.client
import random
import socket
import threading
import time
import uuid


class Request:
    def __init__(self, method, target, body=b"", headers=None):
        self.method = method
        self.target = target
        self.body = body
        self.headers = headers or {}
        self.status = None
        self.received = None  # bytes of the response body
        self.port = None  # the client's own
        self.error = None
        self.duration_ms = None  # from before it was sent, or connected for, until all of the answer was read

    def __repr__(self):
        return f"{self.method} {self.target} -> {self.status} {self.received} {self.error or ''}"


def mixed_requests(count, seed=1, slow_every=0, methods=("GET", "GET", "GET", "POST", "PUT", "DELETE"), max_size=20_000,
                   sizes=(1, 100, 3000, 40_000)):
    """For the applications of tests/e2e/apps: path, query, body, status, size and pace all vary; targets are unique."""
    rng = random.Random(seed)
    requests = []
    for i in range(count):
        method = rng.choice(methods)
        path = rng.choice((f"/item/{seed}{i:06d}", f"/users/{uuid.UUID(int=rng.getrandbits(128))}/orders/{i}",
                           f"/assets/{rng.getrandbits(128):032x}.css"))
        query = []
        if rng.random() < 0.7:
            query.append(f"size={rng.choice((0, 1, 17, 500, 4096, rng.randrange(max_size)))}")
        status = rng.choice((200, 200, 200, 201, 301, 404, 422, 500, 503))
        if rng.random() < 0.6:
            query.append(f"status={status}")
        if rng.random() < 0.2:
            query.append("chunked=1")
        if slow_every and i % slow_every == 0:
            query.append("ms=60")
        query.append(f"n={seed}.{i}") if rng.random() < 0.5 or "/assets" in path else None
        target = path + ("?" + "&".join(query) if query else "")
        body = rng.randbytes(rng.choice(sizes)) if method in ("POST", "PUT") else b""
        requests.append(Request(method, target, body))
    return requests


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=20)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def connect(address, tls=None):
    """`tls`: an ssl.SSLContext, for HTTPS."""
    if isinstance(address, str):
        return UnixConnection(address)
    if tls:
        return http.client.HTTPSConnection(*address[:2], timeout=20, context=tls)
    return http.client.HTTPConnection(*address[:2], timeout=20)


def _worker(address, requests, rng, keep_alive, tls):
    connection = None
    left = 0
    for request in requests:
        begin = time.monotonic()
        try:
            if connection is None:
                connection = connect(address, tls)
                left = rng.choice((1, 3, 20, 200)) if keep_alive else 1
            left -= 1
            headers = dict(request.headers)
            if left == 0:
                headers.setdefault("Connection", "close")
            connection.request(request.method, request.target, body=request.body or None, headers=headers)
            if not isinstance(address, str):
                request.port = connection.sock.getsockname()[1]
            answer = connection.getresponse()
            request.received = len(answer.read())
            request.status = answer.status
            request.duration_ms = (time.monotonic() - begin) * 1000
            if left == 0 or answer.will_close:
                connection.close()
                connection = None
        except (OSError, http.client.HTTPException) as error:
            request.error = repr(error)
            if connection is not None:
                connection.close()
            connection = None
    if connection is not None:
        connection.close()


def run(address, requests, connections=8, keep_alive=True, seed=7, check=True, tls=None):
    """Sends every request once, over `connections` threads; returns the requests with their results."""
    threads = []
    for i in range(connections):
        part = requests[i::connections]
        threads.append(threading.Thread(target=_worker, args=(address, part, random.Random(seed + i), keep_alive, tls)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if check:
        failed = [r for r in requests if r.error]
        assert not failed, f"{len(failed)} requests failed: {failed[:3]}"
    return requests
