# SPDX-License-Identifier: Apache-2.0
"""Real receivers. The OpenTelemetry Collector, built from its modules: OTLP over gRPC and HTTP, plain, with TLS on both sides,
through an HTTP proxy; what it took it sends on to our own receiver, which counts. Jaeger and Zipkin: what their own APIs give back."""
import json
import os
import signal
import time
import urllib.request

import pytest
from harness import build, load, servers, tls
from harness.jaeger import Jaeger
from harness.process import Process, accepts, free_port, wait_until
from harness.proxy import ConnectProxy
from harness.sink import HttpSink, total
from harness.spans import CLIENT, SERVER, read_spans

pytestmark = pytest.mark.long
COUNT = 1000

CONFIG = """
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: "127.0.0.1:{grpc}"{tls}}}
      http: {{endpoint: "127.0.0.1:{http}"{tls}}}
exporters:
  otlphttp: {{endpoint: "{sink}", encoding: json, compression: none}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    traces: {{receivers: [otlp], exporters: [otlphttp]}}
    metrics: {{receivers: [otlp], exporters: [otlphttp]}}
"""


class Collector:
    def __init__(self, work, sink, server_tls=""):
        self.work = work
        self.grpc, self.http = free_port(), free_port()
        self.path = os.path.join(work, "collector.yaml")
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(grpc=self.grpc, http=self.http, sink=sink.endpoint, tls=server_tls))
        self.start()

    def start(self):
        self.process = Process([build.otel_collector(), "--config", f"file:{self.path}"], self.work, "collector")
        wait_until(lambda: accepts(("127.0.0.1", self.grpc)) and accepts(("127.0.0.1", self.http)),
                   f"the Collector listens: {self.process.stderr()}", 30)

    def endpoint(self, protocol, scheme="http"):
        return f"{scheme}://127.0.0.1:{self.grpc if protocol == 'grpc' else self.http}"

    def stop(self):
        self.process.stop()


class Zipkin:
    """With its storage in memory."""

    def __init__(self, work):
        self.port = free_port()
        self.process = Process([build.program("java"), "-Xmx256m", f"-Djava.io.tmpdir={work}", "-jar", build.zipkin()], work, "zipkin",
                               env={"QUERY_PORT": str(self.port), "SELF_TRACING_ENABLED": "false"})
        wait_until(lambda: self.get("/health") is not None, "Zipkin is up", 120)

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return json.load(answer)
        except OSError:
            return None

    def spans(self):
        traces = self.get(f"/api/v2/traces?limit={2 * COUNT}") or []
        return [span for trace in traces for span in trace]

    def stop(self):
        self.process.stop()


def client_certificate(work, authority):
    """Of the test authority, for who asks."""
    name = os.path.join(work, "client")
    with open(f"{name}.extensions", "w", encoding="utf-8") as file:
        file.write("extendedKeyUsage=clientAuth\n")
    tls.run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=sonde",
            "-keyout", f"{name}.key", "-out", f"{name}.csr")
    tls.run("openssl", "x509", "-req", "-in", f"{name}.csr", "-CA", authority, "-CAkey", authority.replace(".pem", ".key"),
            "-CAserial", f"{name}.serial", "-CAcreateserial", "-days", "2", "-extfile", f"{name}.extensions", "-out", f"{name}.pem")
    return f"{name}.pem", f"{name}.key"


@pytest.fixture
def server(work, started):
    return started(servers.nginx(work, "location / { return 200 'x'; }").start())


def drive(sonde, server, sink, *args, **options):
    run = sonde(*servers.selectors(server), *args, exports=["otlp"], **options)
    wanted = [load.Request("GET", f"/collector/{i}") for i in range(COUNT)]
    load.run(server.address, wanted)
    wait_until(lambda: len(sink.paths()) >= COUNT, "every span came through the Collector", 20)
    run.stop()
    assert sorted(sink.paths()) == sorted(r.target for r in wanted)


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf", "http/json"])
def test_plain_and_gzip(protocol, server, sonde, started, work):
    sink = started(HttpSink())
    collector = started(Collector(work, sink))
    drive(sonde, server, sink, "--otlp-endpoint", collector.endpoint(protocol), "--otlp-protocol", protocol,
          env={"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"})


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_mutual_tls(protocol, server, sonde, started, work):
    authority, certificate, key = tls.files()
    client, client_key = client_certificate(work, authority)
    sink = started(HttpSink())
    collector = started(Collector(work, sink, f', tls: {{cert_file: "{certificate}", key_file: "{key}", '
                                              f'client_ca_file: "{authority}"}}'))
    drive(sonde, server, sink, "--otlp-endpoint", collector.endpoint(protocol, "https"), "--otlp-protocol", protocol,
          env={"OTEL_EXPORTER_OTLP_CERTIFICATE": authority, "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": client,
               "OTEL_EXPORTER_OTLP_CLIENT_KEY": client_key})


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_through_an_http_proxy(protocol, server, sonde, started, work):
    """The variables that libcurl and gRPC read."""
    sink = started(HttpSink())
    proxy = started(ConnectProxy())
    collector = started(Collector(work, sink))
    drive(sonde, server, sink, "--otlp-endpoint", collector.endpoint(protocol), "--otlp-protocol", protocol,
          env={"http_proxy": proxy.url, "grpc_proxy": proxy.url, "no_proxy": "", "NO_PROXY": ""})
    assert proxy.requests >= 1


@pytest.mark.parametrize("protocol,seconds,rate", [("grpc", 60, 300), ("http/protobuf", 600, 50)])
def test_killed_for_a_while_under_load(protocol, seconds, rate, server, sonde, started, work):
    """kill -9, and back on the same ports: with a queue on disk no span is missing, and the sum fits."""
    sink = started(HttpSink())
    collector = started(Collector(work, sink))
    run = sonde(*servers.selectors(server), "--otlp-endpoint", collector.endpoint(protocol), "--otlp-protocol", protocol,
                "--queue-dir", f"{work}/queue", exports=["otlp"], env={"OTEL_BSP_MAX_QUEUE_SIZE": "2048"})
    sent = []

    def ask(what, for_seconds):
        until, asked = time.monotonic() + for_seconds, 0
        begin = time.monotonic()
        while time.monotonic() < until:
            due = int((time.monotonic() - begin) * rate) - asked
            wanted = [load.Request("GET", f"/{what}/{len(sent) + i}") for i in range(due)]
            if wanted:
                load.run(server.address, wanted)
            asked += due
            sent.extend(r.target for r in wanted)
            time.sleep(0.1)

    ask("before", 3)
    wait_until(lambda: run.metric("sonde_export_queue_length") == 0, "all of it is delivered", 20)
    collector.process.stop(signal.SIGKILL)
    ask("during", seconds)
    assert run.metric("sonde_export_queue_length") > 0
    collector.start()
    ask("after", 3)
    wait_until(lambda: run.metric("sonde_export_queue_length") == 0, "nothing waits any more", 90)
    wait_until(lambda: run.metric("sonde_spans_total") == len(sent), "every request is a span", 20)
    assert run.metric("sonde_spans_dropped_total") == 0
    assert run.metric("sonde_export_spans_total", exporter="otlp", result="exported") == len(sent)
    wait_until(lambda: len(set(sink.paths())) == len(sent), "the Collector passed on what it has", 20)
    assert set(sink.paths()) == set(sent)
    run.stop()


@pytest.mark.parametrize("protocol,temporality,buckets", [
    ("grpc", "cumulative", "explicit_bucket_histogram"),
    ("grpc", "delta", "base2_exponential_bucket_histogram"),
    ("http/protobuf", "delta", "explicit_bucket_histogram"),
    ("http/protobuf", "cumulative", "base2_exponential_bucket_histogram"),
    ("http/json", "lowmemory", "base2_exponential_bucket_histogram")])
def test_metrics(protocol, temporality, buckets, server, sonde, started, work):
    """RED metrics that were pushed, through the Collector: they come to the number of requests."""
    sink = started(HttpSink())
    collector = started(Collector(work, sink))
    drive(sonde, server, sink, "--otlp-endpoint", collector.endpoint(protocol), "--otlp-protocol", protocol,
          env={"OTEL_METRICS_EXPORTER": "otlp", "OTEL_METRIC_EXPORT_INTERVAL": "300", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
               "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": temporality,
               "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": buckets})
    wait_until(lambda: total(sink.metric_points(), "traces.span.metrics.calls") == COUNT, "every call is in the metrics", 20)
    points = sink.metric_points()
    durations = [p for p in points if p.name == "http.server.request.duration"]
    kind = "exponentialHistogram" if buckets.startswith("base2") else "histogram"
    assert durations and {p.kind for p in durations} == {kind}
    assert {p.delta for p in durations} == {temporality != "cumulative"}
    assert total(points, "http.server.request.duration") == COUNT
    for p in durations:
        counts = p.point["bucketCounts"] if kind == "histogram" else p.point["positive"].get("bucketCounts", [])
        assert sum(map(int, counts)) + int(p.point.get("zeroCount", 0)) == p.value
    own = [p for p in points if p.service == "sonde" and p.name == "sonde_spans_total"]
    assert own and {p.delta for p in own} == {temporality == "delta"}
    assert total(points, "sonde_spans_total") == COUNT


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_jaeger(protocol, sonde, started, work):
    """Its query API gives back every trace as sonde's file exporter wrote it: parents, services, attributes, to the nanosecond."""
    jaeger = started(Jaeger(work))
    chain = [started(server) for server in servers.chain(work)]
    count = 300
    sent = os.path.join(work, "sent.jsonl")
    run = sonde(*[word for server in chain for word in servers.selectors(server)], "--otlp-endpoint", jaeger.endpoint(protocol),
                "--otlp-protocol", protocol, exports=["otlp", f"file={sent}"])
    load.run(chain[0].address, [load.Request("GET", f"/order/{i}?id={i}") for i in range(count)], connections=1)
    run.stop()
    spans = {span.span_id: span for span in read_spans(sent)}
    assert len(spans) == 5 * count
    traces = {span.trace_id for span in spans.values()}
    assert len(traces) == count
    stored = {span.span_id: span for trace in traces for span in jaeger.trace(trace)}
    assert stored.keys() == spans.keys()
    for span_id, span in spans.items():
        assert stored[span_id].facts == span.facts
    road = [("nginx", SERVER), ("nginx", CLIENT), ("front", SERVER), ("front", CLIENT), ("back", SERVER)]
    for span in stored.values():
        outer, inner = stored.get(span.parent_id), (span.service, span.kind)
        assert road.index(inner) == (road.index((outer.service, outer.kind)) + 1 if outer else 0)
    assert {"nginx", "front", "back"} <= set(jaeger.get("/api/v3/services")["services"])
    found = jaeger.get("/api/traces", service="back", limit=2 * count, tags=json.dumps({"http.response.status_code": "200"}))
    assert {trace["traceID"] for trace in found["data"]} == traces
    assert all(len(trace["spans"]) == len(road) for trace in found["data"])


def test_zipkin(server, sonde, started, work):
    """Zipkin's own server takes every span, and finds it by what it says."""
    zipkin = started(Zipkin(work))
    run = sonde(*servers.selectors(server), exports=[f"zipkin=http://127.0.0.1:{zipkin.port}"])
    wanted = [load.Request("GET", f"/zipkin/{i}") for i in range(COUNT)]
    load.run(server.address, wanted)
    wait_until(lambda: len(zipkin.spans()) == COUNT, "every span is in Zipkin", 30)
    run.stop()
    spans = zipkin.spans()
    assert sorted(span["tags"]["url.path"] for span in spans) == sorted(r.target for r in wanted)
    span = spans[0]
    assert span["kind"] == "SERVER" and span["duration"] > 0 and len(span["id"]) == 16 and len(span["traceId"]) == 32
    service = span["localEndpoint"]["serviceName"]
    assert span["remoteEndpoint"]["ipv4"] == "127.0.0.1"
    assert service in zipkin.get("/api/v2/services")
    assert len(zipkin.get(f"/api/v2/traces?serviceName={service}&annotationQuery=http.response.status_code%3D200&limit={COUNT}")) == COUNT
