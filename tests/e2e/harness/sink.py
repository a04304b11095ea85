# SPDX-License-Identifier: Apache-2.0
"""OTLP receivers on loopback that answer well, badly, or not at all. Run as a program (for script/bench):
sink.py http|grpc PORT_FILE COUNT_FILE."""
import gzip
import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
import time

REQUEST = "opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest"
PROTO = "opentelemetry/proto/collector/trace/v1/trace_service.proto"


def decode(message):
    """Text form of an ExportTraceServiceRequest, by protoc and the packaged .proto files."""
    for include in ("/usr/include", "/usr/share", "/usr/share/opentelemetry-proto"):
        done = subprocess.run([shutil.which("protoc"), "-I", include, f"--decode={REQUEST}", PROTO], input=message,
                              capture_output=True, check=False)
        if done.returncode == 0:
            return done.stdout.decode()
    raise AssertionError(done.stderr.decode())


def paths_of(message, json_encoded):
    """Every url.path in an export request, one per span."""
    if json_encoded:
        spans = [s for r in json.loads(message)["resourceSpans"] for c in r["scopeSpans"] for s in c["spans"]]
        return [a["value"]["stringValue"] for s in spans for a in s["attributes"] if a["key"] == "url.path"]
    return re.findall(r'key: "url\.path"\s+value \{\s+string_value: "([^"]*)"', decode(message))


class Point:
    """A data point of OTLP/JSON with what stands above it."""

    def __init__(self, resource, metric, kind, data, point):
        self.service = next(a["value"]["stringValue"] for a in resource["attributes"] if a["key"] == "service.name")
        self.name = metric["name"]
        self.kind = kind
        self.delta = data.get("aggregationTemporality") == 1
        self.attributes = {a["key"]: next(iter(a["value"].values())) for a in point.get("attributes", [])}
        self.point = point
        self.value = float(point.get("count", point.get("asInt", point.get("asDouble", 0))))

    @property
    def series(self):
        return self.service, self.name, tuple(sorted((k, str(v)) for k, v in self.attributes.items()))


def metric_points(lines):
    points = []
    for line in lines:
        for of in json.loads(line).get("resourceMetrics", []):
            for scope in of["scopeMetrics"]:
                for metric in scope["metrics"]:
                    kind = next(k for k in ("sum", "gauge", "histogram", "exponentialHistogram") if k in metric)
                    points += [Point(of["resource"], metric, kind, metric[kind], p) for p in metric[kind]["dataPoints"]]
    return points


def totals(points):
    """{series: what it comes to}: deltas are added up, of the others the last one counts."""
    result = {}
    for point in points:
        result[point.series] = point.value + (result.get(point.series, 0) if point.delta else 0)
    return result


def total(points, name, **attributes):
    wanted = {(k, v) for k, v in attributes.items()}
    return sum(value for (_, found, labels), value in totals(points).items() if found == name and wanted <= set(labels))


class HttpSink:
    """mode: ok, hang, error (500), once (503 with Retry-After, then ok), partial, refuse (400), garbage, cut (the connection
    ends without an answer), slow (300 ms)."""

    def __init__(self, mode="ok", keep=True):
        self.mode = mode
        self.bodies = []
        self.headers = []
        self.metrics = []  # (body, headers) of /v1/metrics
        self.requests = 0
        self.bytes = 0
        self.times = []
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                sink._serve(self, keep)

            def log_message(self, *_):
                """Quiet."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _serve(self, handler, keep):
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        self.requests += 1
        self.bytes += len(body)
        self.times.append(time.monotonic())
        if self.mode == "hang":
            time.sleep(60)
        if self.mode == "slow":
            time.sleep(0.3)
        if self.mode == "cut":
            handler.close_connection = True
            return
        if self.mode in ("error", "refuse", "once"):
            status = {"error": 500, "refuse": 400, "once": 503}[self.mode]
            handler.send_response(status)
            if self.mode == "once":
                handler.send_header("Retry-After", "1")
                self.mode = "ok"
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        if keep:
            whole = gzip.decompress(body) if handler.headers.get("Content-Encoding") == "gzip" else body
            if handler.path.endswith("/v1/metrics"):
                self.metrics.append((whole, dict(handler.headers)))
            else:
                self.bodies.append(whole)
                self.headers.append(dict(handler.headers))
        json_encoded = "json" in handler.headers.get("Content-Type", "")
        answer = b"{}" if json_encoded else b""
        if self.mode == "partial":
            answer = b'{"partialSuccess":{"rejectedSpans":"3","errorMessage":"three too many"}}'
        if self.mode == "garbage":
            answer = b"\xff\x00<html>" * 50
        handler.send_response(200)
        handler.send_header("Content-Type", handler.headers.get("Content-Type"))
        handler.send_header("Content-Length", str(len(answer)))
        handler.end_headers()
        handler.wfile.write(answer)

    def paths(self):
        return [p for body, headers in zip(self.bodies, self.headers)
                for p in paths_of(body, "json" in headers.get("Content-Type", ""))]

    def metric_points(self):
        """Of every request in JSON, in order."""
        return metric_points(body for body, _ in list(self.metrics))

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class GrpcSink:
    """A real gRPC server with one method, which takes messages as bytes. mode: ok, unavailable-once, refuse."""

    def __init__(self, mode="ok", keep=True):
        import grpc
        from concurrent import futures
        self.mode = mode
        self.bodies = []
        self.requests = 0
        self.bytes = 0
        self.metadata = []

        def export(request, context):
            self.requests += 1
            self.bytes += len(request)
            if self.mode == "unavailable-once":
                self.mode = "ok"
                context.abort(grpc.StatusCode.UNAVAILABLE, "try again")
            if self.mode == "refuse":
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "never")
            if keep:
                self.bodies.append(request)
                self.metadata.append(dict(context.invocation_metadata()))
            return b""

        handler = grpc.method_handlers_generic_handler(
            "opentelemetry.proto.collector.trace.v1.TraceService",
            {"Export": grpc.unary_unary_rpc_method_handler(export, lambda b: b, lambda b: b)})
        self.server = grpc.server(futures.ThreadPoolExecutor(2))
        self.server.add_generic_rpc_handlers((handler,))
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.server.start()

    def paths(self):
        return [p for body in self.bodies for p in paths_of(body, False)]

    def stop(self):
        self.server.stop(None)


def main():
    kind, port_file, count_file = sys.argv[1:]
    sink = HttpSink(keep=False) if kind == "http" else GrpcSink(keep=False)
    with open(port_file, "w", encoding="utf-8") as file:
        file.write(f"{sink.port}\n")
    while True:
        time.sleep(0.2)
        with open(count_file, "w", encoding="utf-8") as file:
            file.write(f"{sink.requests} {sink.bytes}\n")


if __name__ == "__main__":
    main()
