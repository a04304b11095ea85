# SPDX-License-Identifier: Apache-2.0
"""Tail sampling of traces that cross hosts, with the Collectors' files of docs/operating/sampling.md: two sondes, each for one service
as on a host of its own, a router and two that decide."""
import collections
import json
import os
import re

import pytest
from harness import build, load, servers
from harness.process import Process, accepts, free_port, wait_until
from harness.sink import HttpSink

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "operating", "sampling.md")
COUNT = 200
pytestmark = pytest.mark.long


def documented(name, changes):
    """The file of that name in the page, with the addresses of this test."""
    with open(PAGE, encoding="utf-8") as file:
        text = re.search(rf"```yaml\n# {name}\n(.*?)```", file.read(), re.S)[1]
    for old, new in changes.items():
        assert old in text, (name, old)
        text = text.replace(old, new)
    return text + "  telemetry: {metrics: {level: none}}\n"


class Collector:
    def __init__(self, work, name, text, port):
        path = os.path.join(work, f"{name}.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        self.port = port
        self.process = Process([build.otel_collector("otelcol_tail"), "--config", f"file:{path}"], work, name)
        wait_until(lambda: accepts(("127.0.0.1", port)), f"{name} listens: {self.process.stderr()}", 30)

    def stop(self):
        self.process.stop()


def decider(work, number, sink, started):
    port = free_port()
    text = documented("decider.yaml", {
        "0.0.0.0:4317": f"127.0.0.1:{port}", "decision_wait: 10s": "decision_wait: 3s", "values: [checkout]": "values: [http_server]",
        'endpoint: "http://backend:4318"': f'endpoint: "{sink.endpoint}", encoding: json, compression: none'})
    return started(Collector(work, f"decider-{number}", text, port))


def traces_of(sink):
    """{trace id: number of spans}"""
    return collections.Counter(
        span["traceId"] for body in list(sink.bodies) for of in json.loads(body)["resourceSpans"] for scope in of["scopeSpans"]
        for span in scope["spans"])


def test_the_documented_set_up(work, sonde, started):
    """Kept is what reached the second service: the first one's spans alone do not show that."""
    back = started(servers.python_app(work, "http_server.py", "back").start())
    front = started(servers.nginx(
        work, f"location /both {{ proxy_pass http://127.0.0.1:{back.address[1]}; }} location /front {{ return 200; }}").start())
    sinks = [started(HttpSink()), started(HttpSink())]
    deciders = [decider(work, number, sink, started) for number, sink in enumerate(sinks, 1)]
    port = free_port()
    router = started(Collector(work, "router", documented("router.yaml", {
        "0.0.0.0:4317": f"127.0.0.1:{port}", "decider-1:4317": f"127.0.0.1:{deciders[0].port}",
        "decider-2:4317": f"127.0.0.1:{deciders[1].port}"}), port))
    runs = [sonde(*servers.selectors(server), "--otlp-endpoint", f"http://127.0.0.1:{router.port}", "--otlp-protocol", "grpc",
                  exports=["otlp"]) for server in (front, back)]

    def asked(path, first):
        ids = [f"{first + i:032x}" for i in range(COUNT)]
        load.run(front.address, [load.Request("GET", f"{path}/{i}", headers={"traceparent": f"00-{trace}-{1:016x}-01"})
                                 for i, trace in enumerate(ids)])
        return ids

    kept, dropped = asked("/both", 0xa000), asked("/front", 0xb000)
    for run in runs:
        wait_until(lambda run=run: run.metric("sonde_spans_total") > 0 and run.metric("sonde_export_queue_length") == 0, "all is sent")
    wait_until(lambda: sum(len(traces_of(sink)) for sink in sinks) >= COUNT, "what is kept has come", 40)
    for run in runs:
        run.stop()
    found = [traces_of(sink) for sink in sinks]
    assert not found[0].keys() & found[1].keys(), "a trace is decided in one place"
    together = found[0] + found[1]
    assert set(together) == set(kept) and not set(together) & set(dropped)
    assert set(together.values()) == {3}, "each whole: served, called, served"
    assert all(len(traces) > COUNT // 10 for traces in found), "both decide"
