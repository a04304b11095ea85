# SPDX-License-Identifier: Apache-2.0
"""Hostile and foreign bytes: sonde keeps running within its limits, other requests are still judged exactly, and the
metrics say what was lost."""
import glob
import http.client
import os
import random
import socket
import struct
import threading
import time

import pytest
from harness import judge, load, servers
from harness.process import Process, free_port, wait_until, accepts
from harness.spans import SERVER

MEMORY_LIMIT = 160 << 20  # resident; the budget is 40 MB on a release build, a sanitizer build has several times that


@pytest.fixture
def server(work, started):
    return started(servers.nginx(work, "location / { return 200 'hello'; } large_client_header_buffers 8 64k;",
                                 workers=1).start())


def judged_load(server, run, count=200):
    """After the attack: a normal load must still be seen exactly."""
    requests = [load.Request("GET", f"/after/{i}") for i in range(count)]
    load.run(server.address, requests)
    run.settle()
    assert run.process.running() and run.process.rss_bytes() < MEMORY_LIMIT, run.process.rss_bytes()
    run.stop()
    entries = [e for e in server.entries() if e.target.startswith("/after/")]
    judge.judge(entries, [s for s in run.spans(SERVER) if (s["url.path"] or "").startswith("/after/")])


def send(address, data, read=True, timeout=0.5):
    with socket.create_connection(address) as connection:
        connection.settimeout(timeout)
        try:
            connection.sendall(data)
            while read and connection.recv(65536):
                pass
        except OSError:
            pass


def test_random_bytes(server, sonde):
    rng = random.Random(11)
    run = sonde(*servers.selectors(server))
    for i in range(200):
        data = rng.randbytes(rng.choice((1, 10, 100, 5000)))
        send(server.address, (b"GET /" if i % 3 == 0 else b"") + data, timeout=0.05)
    judged_load(server, run)


def test_truncated_and_oversized_heads(server, sonde):
    run = sonde(*servers.selectors(server))
    head = b"GET /t HTTP/1.1\r\nHost: a\r\nX: " + b"v" * 200 + b"\r\n\r\n"
    for cut in range(1, len(head), 17):
        send(server.address, head[:cut], read=False)
    send(server.address, b"GET /big HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 60) for i in range(900)) + b"\r\n")
    send(server.address, b"GET /huge HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 1_000_000 + b"\r\n")
    send(server.address, b"GET /" + b"u" * 300_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    judged_load(server, run)


def test_one_byte_at_a_time(server, sonde):
    run = sonde(*servers.selectors(server))
    with socket.create_connection(server.address) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"POST /slowly?a=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\nabcde":
            connection.sendall(bytes([byte]))
            time.sleep(0.001)
        while connection.recv(4096):
            pass
    run.stop()
    entries = server.entries()
    assert len(entries) == 1
    judge.judge(entries, run.spans(SERVER))


PHASES = {"before_a_byte": b"", "in_the_request_line": b"GET /res", "in_the_head": b"GET /reset HTTP/1.1\r\nHost: a\r\n",
          "in_the_body": b"POST /reset HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc",
          "after_the_request": b"GET /reset HTTP/1.1\r\nHost: a\r\n\r\n"}


def test_reset_in_every_phase(server, sonde):
    run = sonde(*servers.selectors(server))
    for data in PHASES.values():
        for _ in range(20):
            connection = socket.create_connection(server.address)
            connection.sendall(data)
            time.sleep(0.002)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
    judged_load(server, run)


def test_reset_in_the_response(work, sonde, started):
    """The client leaves in the middle of a large answer: the span is there, closed as unfinished, or with what was sent."""
    root, sizes = servers.static_files(work)
    server = started(servers.nginx(work, f"sendfile on; root {root};").start())
    run = sonde(*servers.selectors(server))
    for i in range(20):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(server.address)
        connection.sendall(f"GET /f5.bin?n={i} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        connection.recv(1000)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    wait_until(lambda: len(server.entries()) >= 20, "nginx has noticed")
    run.stop()
    spans = run.spans(SERVER)
    assert len(spans) == 20, len(spans)
    assert all(s["http.response.status_code"] == 200 for s in spans)
    # Where all of it had gone into the socket before the reset came, the server has done its part.
    whole = [s for s in spans if s["sonde.unfinished"] != "connection_closed"]
    assert all(s["http.response.body.size"] == sizes[5] for s in whole), [s.attributes for s in whole][:2]


def echo_server(port):
    """A line protocol that is not HTTP, in the style of a key-value store."""
    listener = socket.create_server(("127.0.0.1", port))

    def serve(connection):
        with connection:
            while data := connection.recv(65536):
                connection.sendall(b"+OK " + data)

    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


@pytest.mark.parametrize("depth,size", [(2, 900), (16, 64), (16, 2000)])
def test_pipelined_answers_in_one_write(depth, size, work, sonde, started):
    """Heads in the middle of a large write; a client that pipelines does it from the first."""
    server = started(servers.python_app(work, "batch_server.py", "batch").start())
    run = sonde(*servers.selectors(server))
    with socket.create_connection(server.address) as connection:
        for batch in range(40):
            heads = [f"GET /p/{batch}/{i}?size={size} HTTP/1.1\r\nHost: a\r\n\r\n".encode() for i in range(depth)]
            connection.sendall(b"".join(heads))
            missing = depth * (size + len(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n"))
            while missing > 0:
                missing -= len(connection.recv(65536))
    run.settle()
    run.stop()
    entries = server.entries()
    assert len(entries) == 40 * depth
    judge.judge(entries, run.spans(SERVER))


def test_the_clock_is_set(server, work, sonde):
    """An hour forth and two back while sonde runs: times follow within a second, durations do not notice. libfaketime shows sonde,
    and nobody else, another wall clock."""
    library = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    assert library, "script/bootstrap test installs faketime"
    hand = os.path.join(work, "clock")

    def set_clock(offset):
        with open(f"{hand}.new", "w", encoding="utf-8") as file:
            file.write(f"{offset:+d}s\n")
        os.replace(f"{hand}.new", hand)

    set_clock(0)
    run = sonde(*servers.selectors(server), env={"LD_PRELOAD": library[0], "FAKETIME_TIMESTAMP_FILE": hand, "FAKETIME_NO_CACHE": "1",
                                                 "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"})
    offsets = (0, 3600, -3600)
    asked = {}
    for offset in offsets:
        set_clock(offset)
        time.sleep(2.5)
        asked[offset] = time.time()
        load.run(server.address, [load.Request("GET", f"/clock/{offset}/{i}") for i in range(200)])
    run.stop()
    for offset in offsets:
        spans = [s for s in run.spans(SERVER) if s["url.path"].startswith(f"/clock/{offset}/")]
        assert len(spans) == 200
        for span in spans:
            assert 0 <= span.duration_ms < 1000
            assert -0.1 < span.start_ns / 1e9 - offset - asked[offset] < 2, (offset, span.start_ns / 1e9 - asked[offset])


def test_foreign_protocol_goes_quiet(work, sonde, started):
    """After a few hundred bytes a connection that is not HTTP costs counters only: no spans, and hardly any CPU."""
    port = free_port()
    program = ("import sys, runpy; sys.path[:0] = [%r, %r]; import test_faults; test_faults.echo_server(%d)"
               % (os.path.dirname(os.path.abspath(__file__)), os.path.join(os.path.dirname(os.path.abspath(__file__)), "harness"), port))
    echo = started(Process([servers.PYTHON, "-c", program], work, "echo", env={"PYTHONPATH": os.path.dirname(os.path.abspath(__file__))}))
    wait_until(lambda: accepts(("127.0.0.1", port)), "echo listens")
    run = sonde("--pid", str(echo.pid))
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for i in range(50):
            connection.sendall(b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\n%05d\r\n" % i)
            connection.recv(4096)
        run.settle()
        cpu = run.process.cpu_seconds()
        events = run.metric("sonde_events_total")
        for i in range(5000):
            connection.sendall(b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\n%05d\r\n" % i)
            connection.recv(4096)
        run.settle()
        spent = run.process.cpu_seconds() - cpu
        assert spent < 0.5, f"{spent:.3f} s of CPU for 10000 foreign messages"
        assert run.metric("sonde_events_total") - events <= 10_500
        assert run.metric("sonde_connections", state="ignored") == 1
        assert run.metric("sonde_quiet_calls_total") >= 10_000
    run.stop()
    assert run.spans() == []


def test_process_bomb(work, sonde, started):
    """Thousands of processes in seconds while a server is judged."""
    server = servers.nginx(work, "location / { return 200 'x'; }")
    script = f"""{' '.join(server.command)} & nginx=$!
sleep 0.5; for i in $(seq 3000); do /bin/true; done & wait $!
while [ ! -e {work}/stop ]; do sleep 0.05; done; kill $nginx; wait $nginx"""
    run = sonde(command=["sh", "-c", script])
    server.wait()
    requests = [load.Request("GET", f"/bomb/{i}") for i in range(2000)]
    load.run(server.address, requests)
    open(f"{work}/stop", "w", encoding="utf-8").close()
    run.wait(60)
    judge.judge([e for e in server.entries() if e.target.startswith("/bomb/")], run.spans(SERVER))


def test_many_idle_connections(server, work, sonde):
    """Four hundred idle connections, each used once: nothing is held for them but a few bytes."""
    run = sonde(*servers.selectors(server))
    connections = []
    for i in range(400):
        connection = http.client.HTTPConnection(*server.address, timeout=5)
        connection.request("GET", f"/idle/{i}")
        connection.getresponse().read()
        connections.append(connection)
    run.settle()
    cpu = run.process.cpu_seconds()
    time.sleep(1.0)
    assert run.process.cpu_seconds() - cpu < 0.15, run.process.cpu_seconds() - cpu
    for connection in connections:
        connection.close()
    judged_load(server, run)
