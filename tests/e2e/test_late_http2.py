# SPDX-License-Identifier: Apache-2.0
"""sonde comes to HTTP/2 and gRPC connections that are busy: names are known when their headers are sent again, and none is ever
wrong. The requests say what they are by name, size and status."""
import os
import re
import time

import pytest
from harness import servers
from harness.process import Process, accepts, free_port, wait_until
from harness.spans import CLIENT, SERVER
from test_http2 import h2load

CALL = re.compile(r"shop\.Cart/(Add|Fail)(\d+)")


def test_late_attach_h2load(work, sonde, started):
    root, sizes = servers.static_files(work, count=30)
    targets = [f"/f{i % 30}.bin?n={i}" for i in range(300)]
    port = free_port()
    server = servers.nginx(work, f"listen 127.0.0.1:{port} http2; root {root};")
    server.address = ("127.0.0.1", port)
    started(server.start())
    load = started(Process(["/bin/sh", "-c", h2load(work, port, targets * 40)], work, "h2load"))
    time.sleep(0.5)
    assert load.running()
    run = sonde(*servers.selectors(server))
    wait_until(lambda: not load.running(), "h2load ends", 60)
    run.settle()
    run.stop()
    spans = [s for s in run.spans(SERVER) if s["network.protocol.version"] == "2"]
    assert len(spans) > 200
    whole = cut = 0
    for span in spans:
        # The kernel side finds the frames a moment after the attach: until then a long read's end is not copied, and with it
        # the rest of a header block. What is known of it is right, the rest is said to be missing.
        if span["http.request.method"] == "_OTHER" or span.target is None:
            assert "request_head" in span["sonde.capture.truncated"] and span["http.request.method_original"] is None, span.attributes
            assert span.target in (None, *targets), span.attributes
            cut += 1
            continue
        assert span["http.request.method"] == "GET" and span.target in targets, span.attributes
        if span["http.response.status_code"] is None:
            assert span["sonde.unfinished"] or span["sonde.capture.truncated"], span.attributes
            continue
        assert span["http.response.status_code"] == 200, span.attributes
        size = span["http.response.body.size"]
        whole += size is not None
        assert size is None or size == sizes[int(span.target[2:].split(".")[0])], span.attributes
    assert whole > 0.95 * len(spans) and cut < 30, (whole, cut, len(spans))


@pytest.mark.parametrize("methods", [40000, 20])
def test_late_attach_grpcio(work, sonde, started, methods):
    """Names that are sent again are known at once; those that only an older table has are never guessed."""
    port = free_port()
    peer = [servers.PYTHON, os.path.join(servers.APPS, "grpc_peer.py")]
    log = os.path.join(work, "calls.jsonl")
    server = started(Process([*peer, "serve", str(port)], work, "serve", env={"ACCESS_LOG": log}))
    wait_until(lambda: accepts(("127.0.0.1", port)), "the server listens")
    load = started(Process([*peer, "call", str(port), "40000", "10", "-", str(methods)], work, "call"))
    # Every name was sent at least once.
    wait_until(lambda: os.path.exists(log) and os.path.getsize(log) > 50_000, "calls are made", 30)
    assert load.running()
    run = sonde("--pid", str(server.pid), "--pid", str(load.pid))
    assert load.wait(90) == 0, load.stderr()
    run.settle()
    run.stop()
    for kind in (SERVER, CLIENT):
        spans = [s for s in run.spans(kind) if s["rpc.system.name"] == "grpc"]
        assert len(spans) > 200, (kind, len(spans))
        known = 0
        for span in spans:
            if span.name == "grpc":
                assert "request_head" in span["sonde.capture.truncated"], span.attributes
                continue
            known += 1
            call = CALL.fullmatch(span.name)
            assert call and (int(call[2]) % 10 == 0) == (call[1] == "Fail"), span.name
            status = span["rpc.response.status_code"]
            assert status in (None, "NOT_FOUND" if call[1] == "Fail" else "OK"), (span.name, span.attributes)
            size = span["sonde.rpc.request.size"]
            assert methods < 40000 or size in (None, int(call[2]) % 3000), (span.name, span.attributes)
        assert known > 0.99 * len(spans) if methods == 40000 else known < len(spans), (kind, known, len(spans))
