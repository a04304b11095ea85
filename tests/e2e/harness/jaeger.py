# SPDX-License-Identifier: Apache-2.0
"""Jaeger, with its storage in memory, and what its query API knows."""
import json
import os
import urllib.parse
import urllib.request

from . import build
from .process import Process, accepts, free_port, wait_until
from .spans import spans_of

CONFIG = """
extensions:
  jaeger_storage: {{backends: {{main: {{memory: {{max_traces: 100000}}}}}}}}
  jaeger_query:
    storage: {{traces: main}}
    http: {{endpoint: "127.0.0.1:{query}"}}
    grpc: {{endpoint: "127.0.0.1:{query_grpc}"}}
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: "127.0.0.1:{grpc}"}}
      http: {{endpoint: "127.0.0.1:{http}"}}
  {more}
exporters:
  jaeger_storage_exporter: {{trace_storage: main}}
service:
  extensions: [jaeger_storage, jaeger_query]
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    traces: {{receivers: [{receivers}], exporters: [jaeger_storage_exporter]}}
"""


class Jaeger:
    """`kafka`: the address of a broker whose topic otlp_spans it reads, besides OTLP."""

    def __init__(self, work, kafka=None):
        self.ports = {name: free_port() for name in ("grpc", "http", "query", "query_grpc")}
        path = os.path.join(work, "jaeger.yaml")
        with open(path, "w", encoding="utf-8") as file:
            more = f'kafka: {{brokers: ["{kafka}"], initial_offset: earliest}}' if kafka else ""
            file.write(CONFIG.format(more=more, receivers="otlp, kafka" if kafka else "otlp", **self.ports))
        self.process = Process([build.jaeger(), "--config", f"file:{path}"], work, "jaeger")
        wait_until(lambda: all(accepts(("127.0.0.1", port)) for port in self.ports.values()),
                   f"Jaeger listens: {self.process.stderr()}", 30)

    def endpoint(self, protocol):
        return f"http://127.0.0.1:{self.ports['grpc' if protocol == 'grpc' else 'http']}"

    def get(self, path, **query):
        url = f"http://127.0.0.1:{self.ports['query']}{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)

    def trace(self, trace_id):
        return spans_of(self.get(f"/api/v3/traces/{trace_id}")["result"])

    def stop(self):
        self.process.stop()
