# SPDX-License-Identifier: Apache-2.0
"""Each measurement takes a directory and gives numbers; none of them prints."""
import os
import re
import subprocess
import sys
import time

import rig
from harness import load
from harness.process import Process, wait_until


def https(server, directory, seconds):
    return server.wrk(directory, "/", seconds, 32, "https")


# What is measured: the server, the load for it over a number of seconds, and how sonde is attached if not to the server.
TARGETS = {
    "nginx `return 200`": (rig.Nginx, lambda server, directory, seconds: server.wrk(directory, "/", seconds, 32)),
    "nginx 1 KiB file": (rig.Nginx, lambda server, directory, seconds: server.wrk(directory, "/file", seconds, 32)),
    "nginx over TLS, HTTP/1": (rig.nginx_tls, https),
    "nginx over TLS, its sockets alone (--no-probes tls)": (rig.nginx_tls, https, rig.attach_sockets),
    "nginx over TLS, not traced, its library probed for another": (rig.nginx_tls, https, rig.attach_neighbour),
    "Go net/http over TLS, HTTP/1": (rig.go_tls, https),
    "nginx, HTTP/2": (lambda directory: rig.Nginx(directory, " http2"),
                      lambda server, directory, seconds: server.h2load(directory, "/", seconds)),
    "gRPC unary echo, grpc-go": (rig.grpc_go,
                                 lambda server, directory, seconds: server.h2load(
                                     directory, "/bench.Echo/Echo", seconds, "-d", rig.grpc_message(directory), "-H",
                                     "content-type: application/grpc", "-H", "te: trailers")),
}


def overhead(directory, target, pairs, probes):
    """Detached and attached windows alternate inside one load, so that drift of the machine falls out of the ratio."""
    make, make_load, *attach = TARGETS[target]
    attach = attach[0] if attach else rig.attach
    server = make(directory)
    drive = make_load(server, directory, pairs * 7 + 30)
    rows = []
    try:
        time.sleep(1.0)
        for pair in range(pairs):
            before = server.window(1.0)
            run = attach(directory, server, probes=probes, name=f"pair{pair}")
            time.sleep(0.2)
            # The agent's first second is apart: in it it learns what it then knows.
            started = run.process.cpu_seconds()
            first = server.window(1.0)
            learnt = run.process.cpu_seconds()
            attached = server.window(1.0)
            spent = run.process.cpu_seconds() - learnt
            run.stop()
            time.sleep(0.2)
            after = server.window(1.0)
            detached = [(b + a) / 2 for b, a in zip(before, after)]
            rows.append({"detached_rps": detached[0], "attached_rps": attached[0], "ratio": attached[0] / detached[0],
                         "detached_us": detached[1], "attached_us": attached[1], "added_us": attached[1] - detached[1],
                         "agent_us": spent * 1e6 / attached[2], "agent_first_us": (learnt - started) * 1e6 / first[2]})
    finally:
        drive.stop()
        server.stop()
    return {key: rig.quartiles([row[key] for row in rows]) for key in rows[0]} | {"pairs": rows}


class Sink:
    """harness/sink.py as a program, on its own interpreter."""

    def __init__(self, directory, kind):
        harness = os.path.join(os.path.dirname(load.__file__), "sink.py")
        self.files = [f"{directory}/{kind}.port", f"{directory}/{kind}.count"]
        self.process = Process([rig.servers.PYTHON, "-B", harness, kind, *self.files], directory, f"sink-{kind}")
        wait_until(lambda: os.path.exists(self.files[0]) and os.path.getsize(self.files[0]), "the sink listens")
        with open(self.files[0], encoding="utf-8") as file:
            self.endpoint = f"http://127.0.0.1:{file.read().strip()}"

    def stop(self):
        self.process.stop()


EXPORTERS = {
    "none": (["none"], None, []),
    "file": (["file={directory}/spans.jsonl"], None, []),
    "console line": (["console"], None, ["--console-format", "line"]),
    "console tree": (["console"], None, ["--console-format", "tree"]),
    "otlp grpc": (["otlp"], "grpc", ["--otlp-protocol", "grpc"]),
    "otlp http/protobuf": (["otlp"], "http", ["--otlp-protocol", "http/protobuf"]),
    "otlp http/json": (["otlp"], "http", ["--otlp-protocol", "http/json"]),
}


METRICS_OFF = "sonde: {metrics: {span_metrics: false, semantic_conventions: false, service_graph: false}}\n"
TAIL = """sonde:
  tail_sampling:
    decision_wait: 1s
    max_spans: 100000
    policies:
      - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
      - {name: slow, type: latency, latency: {threshold_ms: 1000}}
      - {name: shop, type: string_attribute, string_attribute: {key: url.path, values: [^/shop], enabled_regex_matching: true}}
      - {name: rest, type: probabilistic, probabilistic: {sampling_percentage: 10}}
"""
# What stands between the spans and no exporter at all.
STAGES = {"neither": METRICS_OFF, "metrics": "", "metrics and tail sampling": TAIL}


def configured(directory, text):
    path = f"{directory}/sonde.yaml"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return ["--config", path]


def agent(directory, exporter, probes, seconds=4, config=""):
    """CPU of the agent per span at the rate of two connections, and its memory after that."""
    exports, sink_kind, args = EXPORTERS[exporter]
    args = [*args, *configured(directory, config)] if config else args
    nginx = rig.Nginx(directory)
    sink = Sink(directory, sink_kind) if sink_kind else None
    if sink:
        args = [*args, "--otlp-endpoint", sink.endpoint]
    try:
        run = rig.attach(directory, nginx, *args, exports=[e.format(directory=directory) for e in exports], probes=probes)
        idle = run.process.rss_bytes()
        wrk = nginx.wrk(directory, "/", seconds + 2, 2)
        time.sleep(0.7)
        cpu, spans, begin = run.process.cpu_seconds(), run.metric("sonde_spans_total"), time.monotonic()
        time.sleep(seconds)
        spent, made = run.process.cpu_seconds() - cpu, run.metric("sonde_spans_total") - spans
        rate = made / (time.monotonic() - begin)
        wrk.wait()
        time.sleep(0.8)
        result = {"us_per_span": spent * 1e6 / made, "spans_per_second": rate, "rss_idle_bytes": idle,
                  "rss_bytes": run.process.rss_bytes(), "locked_bytes": rig.locked_bytes(run.process.pid),
                  "events_dropped": run.metric("sonde_events_dropped_total"),
                  "spans_dropped": run.metric("sonde_spans_dropped_total")}
        run.stop()
        return result
    finally:
        if sink:
            sink.stop()
        nginx.stop()


def time_to_ready(directory, probes, times=7):
    """From exec to the line on standard error, read as it comes."""
    nginx = rig.Nginx(directory)
    found = []
    try:
        for _ in range(times):
            line = [rig.Sonde(directory, "--pid", str(nginx.worker), exports=["none"], probes=probes, binary="/bin/true").line]
            command = [os.environ["SONDE_BINARY"], *line[0][1:]]
            begin = time.monotonic()
            with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
                for text in process.stderr:
                    if "sonde: ready" in text:
                        found.append((time.monotonic() - begin) * 1000)
                        break
                process.terminate()
                process.stderr.read()
    finally:
        nginx.stop()
    return rig.quartiles(found)


def time_to_span(directory, probes, times=11):
    """From the response in the client's hands to the span in the file, at no load: milliseconds."""
    nginx = rig.Nginx(directory)
    found = []
    try:
        run = rig.attach(directory, nginx, exports=[f"file={directory}/latency.jsonl"], probes=probes)
        run.file = f"{directory}/latency.jsonl"
        for i in range(times):
            time.sleep(0.13 * (i % 4))  # so that batches do not beat in step
            load.run(nginx.server.address, [load.Request("GET", f"/latency/{i}")], 1)
            begin = time.monotonic()
            run.wait_for_spans(i + 1)
            found.append((time.monotonic() - begin) * 1000)
        run.stop()
    finally:
        nginx.stop()
    return rig.quartiles(found)


def count_spans(path):
    """Spans in an OTLP/JSON file, without building them."""
    count = 0
    with open(path, "rb") as file:
        for line in file:
            count += len(re.findall(rb'"spanId":', line))
    return count


def loss(directory, probes, seconds=10):
    """nginx at full speed with a file exporter: every request must be a span in the file."""
    nginx = rig.Nginx(directory)
    path = f"{directory}/loss.jsonl"
    try:
        run = rig.attach(directory, nginx, exports=[f"file={path}"], probes=probes)
        before = nginx.requests()
        wrk = nginx.wrk(directory, "/", seconds, 32)
        wrk.wait(seconds + 20)
        time.sleep(0.5)
        # The status port is not traced; the second reading counts itself.
        served = nginx.requests() - before - 1
        time.sleep(1.0)
        result = {"seconds": seconds, "requests": served, "rps": served / seconds,
                  "events_dropped": run.metric("sonde_events_dropped_total"),
                  "spans_dropped": run.metric("sonde_spans_dropped_total"), "rss_bytes": run.process.rss_bytes()}
        code = run.process.stop(seconds=30)
        if code != 0:
            sys.exit(f"sonde ended with {code}: {run.process.stderr()[-2000:]}")
        result["spans"] = count_spans(path)
        return result
    finally:
        nginx.stop()
        if os.path.exists(path):
            os.unlink(path)


def volume(directory, probes, seconds=60):
    """As many requests as two cores bring, all stages on, to a receiver: what the agent's memory comes to, and where each span
    went. Eight requests at once on each connection: the system calls of single ones would take most of both cores."""
    server = rig.fasthttp(directory)
    sink = Sink(directory, "http")
    try:
        run = rig.attach(directory, server, "--otlp-endpoint", sink.endpoint, "--otlp-protocol", "http/protobuf",
                         *configured(directory, TAIL), exports=["otlp"], probes=probes)
        before = server.requests()
        wrk = server.wrk(directory, "/", seconds, 8, depth=8)
        resident, begin = [], time.monotonic()
        while time.monotonic() - begin < seconds:
            time.sleep(0.5)
            resident.append(run.process.rss_bytes())
        wrk.wait(30)
        wait_until(lambda: run.metric("sonde_tail_sampling_spans") + run.metric("sonde_spans_held") +
                   run.metric("sonde_export_queue_length") == 0, "everything is decided and sent", 30)
        time.sleep(1)  # the batch that was being filled
        made, dropped = run.metric("sonde_spans_total"), run.metric("sonde_spans_dropped_total")
        exported = run.metric("sonde_export_spans_total", result="exported")
        result = {"seconds": seconds, "requests": server.requests() - before, "spans": made, "rate": made / seconds, "exported": exported,
                  "sampled_out": run.metric("sonde_spans_dropped_total", reason="tail_sampled_out"), "dropped": dropped,
                  "missing": made - exported - dropped, "events_dropped": run.metric("sonde_events_dropped_total"),
                  "counted": run.metric("traces_span_metrics_calls_total"),
                  "rss_peak_bytes": max(resident), "rss_end_bytes": run.process.rss_bytes()}
        run.stop()
        return result
    finally:
        sink.stop()
        server.stop()
