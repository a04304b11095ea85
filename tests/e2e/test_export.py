# SPDX-License-Identifier: Apache-2.0
"""OTLP to real receivers, and to ones that are down, hang, refuse or lie: the server is unaffected, losses are counted."""
import gzip
import time

import pytest
from harness import load, servers
from harness.process import free_port, wait_until
from harness.sink import GrpcSink, HttpSink
from harness.spans import SERVER

COUNT = 1200


@pytest.fixture
def server(work, started):
    return started(servers.nginx(work, "location / { return 200 'x'; }").start())


def requests():
    return [load.Request("GET", f"/export/{i}") for i in range(COUNT)]


def otlp(sonde, server, sink_endpoint, protocol, *args, **options):
    return sonde(*servers.selectors(server), "--otlp-endpoint", sink_endpoint, "--otlp-protocol", protocol, *args,
                 exports=["otlp"], **options)


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf", "http/json"])
def test_every_span_arrives(protocol, server, sonde, started):
    sink = started(GrpcSink() if protocol == "grpc" else HttpSink())
    run = otlp(sonde, server, sink.endpoint, protocol, "--otlp-header", "x-team=blue")
    load.run(server.address, requests())
    run.stop()
    assert sorted(sink.paths()) == sorted(r.target for r in requests())
    headers = sink.metadata if protocol == "grpc" else [{k.lower(): v for k, v in h.items()} for h in sink.headers]
    assert all(h["x-team"] == "blue" for h in headers), headers[0]


def test_endpoint_and_compression_by_environment(server, sonde, started):
    sink = started(HttpSink())
    run = sonde(*servers.selectors(server), exports=[], env={
        "OTEL_EXPORTER_OTLP_ENDPOINT": sink.endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"})
    load.run(server.address, requests())
    run.stop()
    assert all(h["Content-Encoding"] == "gzip" for h in sink.headers)
    assert sum(len(gzip.compress(b)) for b in sink.bodies) < sum(len(b) for b in sink.bodies)
    assert len(sink.paths()) == COUNT


def test_spans_are_visible_within_a_second(server, sonde, started):
    sink = started(HttpSink())
    run = otlp(sonde, server, sink.endpoint, "http/protobuf")
    load.run(server.address, [load.Request("GET", "/first")])
    answered = time.monotonic()
    wait_until(lambda: sink.times, "the first batch", 5)
    assert sink.times[0] - answered < 1.0, sink.times[0] - answered
    run.stop()


@pytest.mark.parametrize("mode", ["down", "hang", "error", "refuse"])
def test_bad_endpoint_harms_nobody(mode, server, sonde, started):
    """The file beside it still gets every span; what the endpoint did not take is counted; stopping takes seconds."""
    sink = started(HttpSink(mode)) if mode != "down" else None
    endpoint = sink.endpoint if sink else f"http://127.0.0.1:{free_port()}"
    run = sonde(*servers.selectors(server), "--otlp-endpoint", endpoint, "--otlp-protocol", "http/protobuf",
                exports=["otlp", "file=both.jsonl"])
    run.file = f"{run.directory}/both.jsonl"
    before = time.monotonic()
    load.run(server.address, requests())
    assert time.monotonic() - before < 10
    wait_until(lambda: len(run.spans(SERVER)) >= COUNT, "the file has every span")
    if mode == "refuse":
        wait_until(lambda: run.metric("sonde_spans_dropped_total") >= COUNT, "drops are counted")
    begin = time.monotonic()
    code = run.process.stop()
    assert code == 0 and time.monotonic() - begin < 9, (code, time.monotonic() - begin)
    assert len(run.spans(SERVER)) == COUNT
    if mode != "refuse":
        tail = run.process.stderr().lower()
        assert "not delivered" in tail or "undelivered" in tail or "dropped" in tail or "could not" in tail, tail[-800:]


def test_retry_after_is_obeyed(server, sonde, started):
    sink = started(HttpSink("once"))
    run = otlp(sonde, server, sink.endpoint, "http/protobuf")
    load.run(server.address, requests())
    wait_until(lambda: len(sink.paths()) >= COUNT, "everything after the retry", 15)
    assert sink.times[1] - sink.times[0] >= 0.95, sink.times[:3]
    run.stop()
    assert sorted(sink.paths()) == sorted(r.target for r in requests())


def test_grpc_unavailable_is_retried(server, sonde, started):
    sink = started(GrpcSink("unavailable-once"))
    run = otlp(sonde, server, sink.endpoint, "grpc")
    load.run(server.address, requests())
    wait_until(lambda: len(sink.paths()) >= COUNT, "everything after the retry", 15)
    run.stop()
    assert sorted(sink.paths()) == sorted(r.target for r in requests())


@pytest.mark.parametrize("mode", ["partial", "garbage"])
def test_answers_that_reject_or_lie(mode, server, sonde, started):
    sink = started(HttpSink(mode))
    run = otlp(sonde, server, sink.endpoint, "http/json")
    load.run(server.address, requests())
    wait_until(lambda: len(sink.paths()) >= COUNT, "everything was sent")
    if mode == "partial":
        wait_until(lambda: run.metric("sonde_spans_dropped_total") >= 3, "rejected spans are counted")
    run.stop()


def test_full_queue_drops_and_counts(server, sonde, started):
    """An endpoint that hangs while more spans come than the queue holds."""
    sink = started(HttpSink("hang"))
    run = otlp(sonde, server, sink.endpoint, "http/protobuf", env={"OTEL_BSP_MAX_QUEUE_SIZE": "512",
                                                                   "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "128"})
    load.run(server.address, [load.Request("GET", f"/queue/{i}") for i in range(3000)])
    wait_until(lambda: run.metric("sonde_spans_dropped_total") > 1000, "drops are counted")
    wait_until(lambda: run.metric("sonde_spans_total") == 3000, "every span is counted")
    assert run.metric("sonde_export_queue_length") <= 512
    run.process.stop()


def test_console_formats(server, sonde, started):
    for style in ("tree", "line", "json"):
        run = sonde(*servers.selectors(server), "--console-format", style, exports=["console"])
        load.run(server.address, [load.Request("GET", f"/console/{style}/{i}") for i in range(5)], 1)
        run.stop()
        text = run.process.stdout()
        assert "\x1b[" not in text, "colour in a pipe"
        assert text.count("GET") >= 1 and "nginx" in text, text
        if style == "line":
            assert len([line for line in text.splitlines() if line.strip()]) == 5, text
