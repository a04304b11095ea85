# SPDX-License-Identifier: Apache-2.0
"""Connections that end inside a record, foreign bytes on TLS ports, processes that die: sonde stays within its limits, what
comes after is judged exactly, and the traced program does not notice."""
import http.client
import random
import signal
import ssl
import threading
import time

import pytest
from harness import https, judge, load, servers, tls
from harness.process import wait_until
from harness.raw_tls import RawTls
from harness.sonde import BARE
from harness.spans import SERVER
from test_faults import MEMORY_LIMIT, send

MAKERS = {"nginx": https.nginx, "http_server": https.http_server, "asyncio": https.uvicorn, "node": https.node, "go": https.go}
REQUEST = b"GET /cut/%d HTTP/1.1\r\nHost: a\r\n\r\n"


def source_of(name):
    return "go_tls" if name == "go" else "openssl"


def judged_load(name, server, run, count=200, word="after"):
    """After the fault: a normal load must still be seen exactly."""
    requests = [load.Request("GET", f"/{word}/{i}") for i in range(count)]
    load.run(server.address, requests, tls=tls.context())
    server.finish_log()
    run.settle()
    if not BARE:
        assert run.process.running() and run.process.rss_bytes() < MEMORY_LIMIT, run.process.rss_bytes()
    run.stop()
    entries = [e for e in server.entries() if e.target.startswith(f"/{word}/")]
    judge.judge_load(requests, entries)
    judge.judge(entries, [s for s in run.spans(SERVER) if (s["url.path"] or "").startswith(f"/{word}/")],
                source=source_of(name), ports=True)


@pytest.mark.parametrize("name", ["nginx", "asyncio", "go"])
def test_cut_inside_a_record(name, work, sonde, started):
    """The client dies after a part of a record: no span is invented from text that the server never got."""
    server = started(MAKERS[name](work).start())
    run = sonde(*servers.selectors(server))
    for i in range(40):
        client = RawTls(server.address)
        assert client.get(f"/whole/{i}") == 200
        record = client.records(REQUEST % i)
        client.socket.sendall(record[:1 + i * len(record) // 41])
        client.close(reset=i % 2 == 0)
    judged_load(name, server, run)
    whole = [e for e in server.entries() if e.target.startswith("/whole/")]
    judge.judge(whole, [s for s in run.spans(SERVER) if (s["url.path"] or "").startswith("/whole/")], source=source_of(name),
                ports=True)
    assert not [s for s in run.spans(SERVER) if (s["url.path"] or "").startswith("/cut/")]


@pytest.mark.parametrize("name", ["nginx", "node", "go"])
def test_cut_inside_the_handshake(name, work, sonde, started):
    """Every cut of a ClientHello, and bytes that are none."""
    server = started(MAKERS[name](work).start())
    run = sonde(*servers.selectors(server))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        tls.context().wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    hello = outgoing.read()
    rng = random.Random(5)
    for cut in range(1, len(hello), 13):
        send(server.address, hello[:cut], read=False)
        send(server.address, hello[:cut] + rng.randbytes(50), timeout=0.02)
    for _ in range(30):
        send(server.address, b"\x16\x03\x01" + rng.randbytes(rng.randrange(600)), timeout=0.02)
        send(server.address, b"\x17\x03\x03\xff\xff" + rng.randbytes(100), timeout=0.02)
    judged_load(name, server, run)


@pytest.mark.parametrize("name", MAKERS)
def test_hello_in_pieces(name, work, sonde, started):
    """The ClientHello comes in seven segments: the client random may not be seen in one piece. Nothing may be wrong, and where
    the TLS object leads to its socket nothing may be missing."""
    server = started(MAKERS[name](work).start())
    run = sonde(*servers.selectors(server))
    clients = [RawTls(server.address, hello_pieces=7) for _ in range(10)]
    for number in range(10):
        for i, client in enumerate(clients):
            assert client.get(f"/pieces/{number}/{i}{'p' * (7 * i)}") == 200
    for client in clients:
        client.close()
    run.settle()
    run.stop()
    entries = [e for e in server.entries() if e.target.startswith("/pieces/")]
    assert len(entries) == 100
    due = 0 if name in ("nginx", "http_server", "go") else 5
    known = {(e.key, e.port) for e in entries}
    assert {(judge.span_key(s), judge.client_port(s)) for s in run.spans(SERVER) if s["url.path"]} <= known
    wanted = [e for e in entries if int(e.target.split("/")[2]) >= due]
    keys = {e.key for e in wanted}
    judge.judge(wanted, [s for s in run.spans(SERVER) if judge.span_key(s) in keys], source=source_of(name), ports=True)


@pytest.mark.parametrize("name", ["nginx", "node", "go"])
def test_tls12(name, work, sonde, started):
    server = started(MAKERS[name](work).start())
    run = sonde(*servers.selectors(server))
    requests = [load.Request("GET", f"/tls12/{i}") for i in range(200)]
    load.run(server.address, requests, tls=tls.context(newest=ssl.TLSVersion.TLSv1_2))
    run.settle()
    run.stop()
    judge.judge_load(requests, server.entries())
    judge.judge(server.entries(), run.spans(SERVER), source=source_of(name), ports=True)


class Traffic:
    """test_attach.Traffic over TLS: keep-alive connections that never pause, and an error is the finding."""

    def __init__(self, address, connections=6, tolerant=False):
        self.address = address
        self.stopping = False
        self.tolerant = tolerant
        self.errors = []
        self.counts = [0] * connections
        self.context = tls.context()
        self.threads = [threading.Thread(target=self._run, args=(i,)) for i in range(connections)]
        for thread in self.threads:
            thread.start()

    def _run(self, number):
        try:
            connection = http.client.HTTPSConnection(*self.address, timeout=10, context=self.context)
            while not self.stopping:
                connection.request("GET", f"/busy/{number}/{self.counts[number]}")
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 200, answer.status
                self.counts[number] += 1
                time.sleep(0.001)
            connection.close()
        except Exception as error:  # pylint: disable=broad-except  (any error is the finding)
            if not self.tolerant:
                self.errors.append(repr(error))

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join()


@pytest.mark.parametrize("name", ["nginx", "asyncio", "go"])
def test_server_killed(name, work, sonde, started):
    """SIGKILL under load, three times: its state goes with it, and its successor on the same port is seen."""
    server = MAKERS[name](work)
    run = sonde("--port", str(server.address[1]))
    server.start()
    for _ in range(3):
        traffic = Traffic(server.address, tolerant=True)
        wait_until(lambda: min(traffic.counts) > 5, "traffic flows")
        pids = server.pids
        server.process.stop(signal.SIGKILL)
        traffic.stop()
        wait_until(lambda: not any(servers.alive(pid) for pid in pids), "it is gone")
        server.start()
    started(server)
    time.sleep(0.5)  # its port tells that it is traced
    judged_load(name, server, run)


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL", "SIGSTOP"])
@pytest.mark.parametrize("name", ["nginx", "node", "go"])
def test_server_does_not_notice(name, how, work, sonde, started):
    """sonde drains, is killed, or hangs, and comes again: not one request fails, and the second sonde sees what follows."""
    server = started(MAKERS[name](work).start())
    traffic = started(Traffic(server.address))
    run = sonde(*servers.selectors(server))
    time.sleep(0.5)
    run.process.send_signal(getattr(signal, how))
    before = sum(traffic.counts)
    time.sleep(0.7)
    if how == "SIGSTOP":
        run.process.send_signal(signal.SIGCONT)
        time.sleep(0.3)
        run.stop()
    second = sonde(*servers.selectors(server))
    time.sleep(0.3)
    traffic.stop()
    assert not traffic.errors, traffic.errors
    assert sum(traffic.counts) > before + 100
    judged_load(name, server, second)


@pytest.mark.parametrize("name", ["nginx", "node", "go"])
def test_many_short_connections(name, work, sonde, started):
    """A thousand handshakes with a request each: what was kept for a connection goes with it."""
    server = started(MAKERS[name](work).start())
    run = sonde(*servers.selectors(server))
    requests = [load.Request("GET", f"/short/{i}") for i in range(1000)]
    load.run(server.address, requests, keep_alive=False, tls=tls.context())
    server.finish_log()
    run.settle(0.5)
    if not BARE:
        assert run.metric("sonde_connections") <= 50, {k: v for k, v in run.metrics().items() if "connections" in k[0]}
        assert run.process.rss_bytes() < MEMORY_LIMIT
    run.stop()
    judge.judge(server.entries(), run.spans(SERVER), source=source_of(name), ports=True)
