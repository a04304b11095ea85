# SPDX-License-Identifier: Apache-2.0
"""With a real SDK in the chain: OpenTelemetry's for Python, which instruments Flask and requests and exports OTLP itself."""
import ast
import collections
import os
import re

import pytest
from harness import build, load, servers
from harness.process import free_port, wait_until
from harness.sink import HttpSink, decode
from harness.spans import CLIENT, SERVER

WHEELS = ("opentelemetry-distro", "opentelemetry-exporter-otlp-proto-http", "opentelemetry-instrumentation-flask",
          "opentelemetry-instrumentation-requests", "flask", "requests")
COUNT = 40
# As protoc prints a span; the parent is absent in a root.
SPAN = re.compile(r'spans \{\s+trace_id: ("(?:[^"\\]|\\.)*")\s+span_id: ("(?:[^"\\]|\\.)*")\s+(?:trace_state: "[^"]*"\s+)?'
                  r'(?:parent_span_id: ("(?:[^"\\]|\\.)*")\s+)?(?:flags: \d+\s+)?name: "[^"]*"\s+kind: SPAN_KIND_(\w+)')
SdkSpan = collections.namedtuple("SdkSpan", "trace_id span_id parent_id kind")


def hexadecimal(quoted):
    return ast.literal_eval("b" + quoted).hex() if quoted else ""


class Chain:
    """a (SDK) -> plain -> b (SDK); the SDKs export to `sink`."""

    def __init__(self, work, started, forward):
        self.sink = started(HttpSink())
        self.instrumented = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.sink.endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_TRACES_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none",
            "OTEL_BSP_SCHEDULE_DELAY": "100"}
        self.python = build.python_with_wheels(servers.PYTHON, wheels=WHEELS)
        self.b = started(self.hop(work, "b", sdk=True).start())
        self.plain = started(self.hop(work, "plain", NEXT=self.url(self.b), FORWARD="1" if forward else "0").start())
        self.a = started(self.hop(work, "a", sdk=True, NEXT=self.url(self.plain)).start())

    @staticmethod
    def url(server):
        return f"http://127.0.0.1:{server.address[1]}"

    def hop(self, work, name, sdk=False, **env):
        port = free_port()
        command = [self.python, os.path.join(servers.APPS, "hop_app.py"), str(port)]
        if sdk:
            command.insert(0, os.path.join(os.path.dirname(self.python), "opentelemetry-instrument"))
            env.update(self.instrumented)
        return servers.Server(command, work, name, ("127.0.0.1", port), f"{work}/{name}.log",
                              env={"OTEL_SERVICE_NAME": name, **env})

    def selectors(self):
        return [word for server in (self.a, self.plain, self.b) for word in servers.selectors(server)]

    def sdk_spans(self):
        return [SdkSpan(hexadecimal(t), hexadecimal(s), hexadecimal(p), k)
                for body in list(self.sink.bodies) for t, s, p, k in SPAN.findall(decode(body))]

    def run(self, run, path, count):
        """`count` requests, one at a time; returns when the SDKs have exported their three spans of each."""
        before = len(self.sdk_spans())
        load.run(self.a.address, [load.Request("GET", f"/{path}/{i}") for i in range(count)], connections=1)
        wait_until(lambda: len(self.sdk_spans()) >= before + 3 * count, "the SDKs' spans")
        run.settle()


def by_request(spans, path):
    """{trace id: [spans]} of the spans of /path/."""
    found = collections.defaultdict(list)
    for span in spans:
        if span.target.startswith(f"/{path}/"):
            found[span.trace_id].append(span)
    return found


def chain_of(spans, service, kind):
    one = [s for s in spans if s.service == service and s.kind == kind]
    assert len(one) == 1, spans
    return one[0]


def traced(work, started, sonde, forward, *arguments):
    """Spans of sonde by trace, spans of the SDKs by trace, the run; after the processes were recognised."""
    chain = Chain(work, started, forward)
    run = sonde(*chain.selectors(), *arguments)
    chain.run(run, "first", 3)
    chain.run(run, "order", COUNT)
    left_out = run.metric("sonde_spans_left_out_total", reason="sdk")
    exports = run.metric("sonde_spans_left_out_total", reason="telemetry")
    run.stop()
    if exports:
        assert not [s for s in run.spans() if "/v1/traces" in s.target]
    of_sdk = collections.defaultdict(list)
    for span in chain.sdk_spans():
        of_sdk[span.trace_id].append(span)
    return by_request(run.spans(), "order"), of_sdk, left_out, exports


def test_one_trace_and_nothing_twice(work, started, sonde):
    """plain passes the header on: five spans a request, two of them sonde's, in one trace."""
    traces, of_sdk, left_out, exports = traced(work, started, sonde, True)
    assert len(traces) == COUNT, {t: len(s) for t, s in traces.items()}
    for trace_id, spans in traces.items():
        sdk = of_sdk[trace_id]
        assert sorted(s.kind for s in sdk) == ["CLIENT", "SERVER", "SERVER"], sdk
        assert sorted((s.service, s.kind) for s in spans) == [("plain", SERVER), ("plain", CLIENT)], spans
        call = next(s for s in sdk if s.kind == "CLIENT")
        served, asked = chain_of(spans, "plain", SERVER), chain_of(spans, "plain", CLIENT)
        assert served.parent_id == call.span_id and served["sonde.link.method"] == "traceparent"
        assert asked.parent_id == served.span_id
        ids = {s.span_id for s in [*sdk, *spans]}
        assert [s.parent_id for s in [*sdk, *spans] if s.parent_id not in ids] == [""], (sdk, spans)
    # a's server and client span, b's server span.
    assert left_out >= 3 * COUNT, left_out
    assert exports >= 2, exports


def test_a_plain_hop_that_drops_the_header(work, started, sonde):
    """b's SDK begins a trace of its own; the first one still reaches b, by the connection."""
    traces, of_sdk, _, _ = traced(work, started, sonde, False)
    assert len(traces) == COUNT
    for trace_id, spans in traces.items():
        sdk = of_sdk[trace_id]
        assert sorted(s.kind for s in sdk) == ["CLIENT", "SERVER"], sdk
        assert len(spans) == 3, spans
        served, asked = chain_of(spans, "plain", SERVER), chain_of(spans, "plain", CLIENT)
        last = chain_of(spans, "b", SERVER)
        assert served.parent_id == next(s for s in sdk if s.kind == "CLIENT").span_id
        assert (asked.parent_id, asked["sonde.link.method"]) == (served.span_id, "thread")
        assert (last.parent_id, last["sonde.link.method"]) == (asked.span_id, "connection")


@pytest.mark.parametrize("policy,services", [("duplicate", {"a", "plain", "b"}), ("skip", {"plain"})])
def test_policies(work, started, sonde, policy, services):
    with open(f"{work}/sonde.yaml", "w", encoding="utf-8") as file:
        file.write(f'file_format: "1.0"\nsonde: {{linking: {{sdk_processes: {policy}}}}}\n')
    traces, _, left_out, _ = traced(work, started, sonde, True, "--config", f"{work}/sonde.yaml")
    assert {s.service for spans in traces.values() for s in spans} == services
    if policy == "duplicate":
        # a's own server span has no header to go by: a trace of its own.
        assert len(traces) == 2 * COUNT and left_out == 0
