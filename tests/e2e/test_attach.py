# SPDX-License-Identifier: Apache-2.0
"""Attaching to a busy server, detaching, dying: complete spans from the next request on, and a server that notices nothing."""
import http.client
import signal
import threading
import time

import pytest
from harness import judge, load, servers
from harness.process import wait_until
from harness.spans import SERVER

MAKERS = {"nginx": lambda work: servers.nginx(work, "location / { return 200 'x'; }", workers=2), "node": servers.node,
          "go": servers.go, "gunicorn_gthread": lambda work: servers.gunicorn(work, "gthread")}


class Traffic:
    """Keep-alive connections that never pause; each request is numbered, so that a test can name 'from now on'."""

    def __init__(self, address, connections=6):
        self.address = address
        self.stopping = False
        self.errors = []
        self.counts = [0] * connections
        self.threads = [threading.Thread(target=self._run, args=(i,)) for i in range(connections)]
        for thread in self.threads:
            thread.start()

    def _run(self, number):
        try:
            connection = http.client.HTTPConnection(*self.address, timeout=10)
            while not self.stopping:
                target = f"/busy/{number}/{self.counts[number]}"
                if self.counts[number] % 3:
                    connection.request("GET", target)
                else:
                    connection.request("POST", target, body=b"b" * 3000)
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 200, answer.status
                self.counts[number] += 1
                time.sleep(0.001)
            connection.close()
        except Exception as error:  # pylint: disable=broad-except  (any error is the finding)
            self.errors.append(repr(error))

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join()


@pytest.mark.parametrize("name", MAKERS)
def test_late_attach(name, work, sonde, started):
    server = started(MAKERS[name](work).start())
    traffic = started(Traffic(server.address))
    wait_until(lambda: min(traffic.counts) > 20, "traffic flows")
    run = sonde(*servers.selectors(server))
    first = [count + 1 for count in traffic.counts]  # the one under way may have begun before
    time.sleep(1.5)
    traffic.stop()
    assert not traffic.errors, traffic.errors
    run.stop()
    wanted = [e for e in server.entries() if e.target.startswith("/busy/")
              and int(e.target.split("/")[3]) >= first[int(e.target.split("/")[2])]]
    assert len(wanted) > 200
    keys = {e.key for e in wanted}
    judge.judge(wanted, [s for s in run.spans(SERVER) if judge.span_key(s) in keys])
    # Between the attach and the moment this test learnt of it: what is said of them must be true and said once.
    others = [s for s in run.spans(SERVER) if judge.span_key(s) not in keys]
    named = [judge.span_key(s) for s in others if s["url.path"]]
    assert len(set(named)) == len(named) and set(named) <= {e.key for e in server.entries()}, others[:5]
    assert len(others) - len(named) <= len(first), "at most the one that was under way on each connection has no name"


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL", "SIGSTOP"])
def test_server_does_not_notice(how, work, sonde, started):
    """sonde drains, is killed, or hangs: not one request fails."""
    server = started(servers.nginx(work, "location / { return 200 'x'; }").start())
    traffic = started(Traffic(server.address))
    run = sonde(*servers.selectors(server))
    time.sleep(0.5)
    run.process.send_signal(getattr(signal, how))
    before = sum(traffic.counts)
    time.sleep(1.0)
    if how == "SIGSTOP":
        run.process.send_signal(signal.SIGCONT)
        time.sleep(0.5)
        run.stop()
    traffic.stop()
    assert not traffic.errors, traffic.errors
    assert sum(traffic.counts) > before + 100
    if how == "SIGTERM":
        assert run.wait(10) == 0
        assert len(run.spans(SERVER)) > 100


def test_sigterm_drains(work, sonde, started):
    """What was answered before SIGTERM is exported; what is open then is a span closed as unfinished."""
    server = started(servers.node(work).start())
    run = sonde(*servers.selectors(server))
    requests = [load.Request("GET", f"/done/{i}") for i in range(500)]
    load.run(server.address, requests)
    slow = threading.Thread(target=load.run, args=(server.address, [load.Request("GET", "/slow/1?ms=1500")], 1))
    slow.start()
    time.sleep(0.4)
    run.stop()
    slow.join()
    spans = run.spans(SERVER)
    done = [s for s in spans if s["url.path"].startswith("/done/")]
    assert len(done) == 500, len(done)
    open_spans = [s for s in spans if s["url.path"] == "/slow/1"]
    assert [s["sonde.unfinished"] for s in open_spans] == ["shutdown"], open_spans
