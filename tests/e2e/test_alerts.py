# SPDX-License-Identifier: Apache-2.0
"""The alert rules of deploy/grafana under a real Prometheus: a demo of three services is broken in one way after the other, and the alert
fires for what is broken, and stays quiet before. Minutes of the rules are seconds here. Lost events, failed probes and traffic without
requests are left to promtool (alerts_test.yaml)."""
import json
import os
import re
import shutil
import signal
import socket
import threading
import time
import urllib.request

import pytest
from harness import servers
from harness.process import Process, free_port, wait_until
from harness.sink import HttpSink

RULES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "deploy", "grafana", "alerts.yaml")
pytestmark = [pytest.mark.long, pytest.mark.skipif(not shutil.which("prometheus"), reason="no prometheus")]


class Load:
    """Twenty requests a second with a query that can be changed."""

    def __init__(self, address):
        self.address, self.query, self.on = address, "", True
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        n = 0
        while self.on:
            n += 1
            if self.query is not None:
                threading.Thread(target=self._ask, args=(n,), daemon=True).start()
            time.sleep(0.05)

    def _ask(self, n):
        try:
            urllib.request.urlopen(f"http://{self.address[0]}:{self.address[1]}/item/{n}?{self.query}", timeout=10).read()
        except OSError:
            pass

    def stop(self):
        self.on = False
        self.thread.join()


def pipeline_late(address, stop):
    """A client that begins to pipeline after a hundred single requests, and gets its answers in one large write: sonde has copied the
    beginning of the first such answer only, and pairs nothing more on that connection."""
    with socket.create_connection(address) as connection:
        def ask(count, size):
            connection.sendall(f"GET /late?size={size} HTTP/1.1\r\nHost: a\r\n\r\n".encode() * count)
            missing = count * (size + len(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n"))
            while missing > 0:
                missing -= len(connection.recv(65536))

        for _ in range(100):
            ask(1, 64)
        while not stop.wait(0.05):
            ask(8, 2000)


class Prometheus:
    def __init__(self, work, target):
        with open(RULES, encoding="utf-8") as file:
            text = file.read()
        for minutes, seconds in (("[1h] offset 10m", "[15s] offset 15s"), ("[15m]", "[10s]"), ("[5m]", "[10s]")):
            assert minutes in text
            text = text.replace(minutes, seconds)
        text = re.sub(r"for: \d+m", "for: 2s", text)
        with open(f"{work}/alerts.yaml", "w", encoding="utf-8") as file:
            file.write(text)
        with open(f"{work}/prometheus.yaml", "w", encoding="utf-8") as file:
            file.write(f"""global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{work}/alerts.yaml]
scrape_configs: [{{job_name: sonde, static_configs: [{{targets: ["127.0.0.1:{target}"]}}]}}]
""")
        self.port = free_port()
        self.process = Process(["prometheus", f"--config.file={work}/prometheus.yaml", f"--storage.tsdb.path={work}/tsdb",
                                f"--web.listen-address=127.0.0.1:{self.port}"], str(work), "prometheus")

    def firing(self):
        """{(alert, what it is about)}"""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/alerts", timeout=5) as answer:
                alerts = json.load(answer)["data"]["alerts"]
        except OSError:
            return set()
        about = ("service_name", "server", "exporter", "reason", "family", "protocol")
        return {(a["labels"]["alertname"], next((a["labels"][key] for key in about if key in a["labels"]), ""))
                for a in alerts if a["state"] == "firing"}

    def fires(self, *wanted, seconds=60):
        wait_until(lambda: set(wanted) <= self.firing(), f"{wanted} fire; {self.firing()}", seconds)

    def is_quiet(self, seconds=60):
        wait_until(lambda: not self.firing(), f"nothing fires; {self.firing()}", seconds)

    def stop(self):
        self.process.stop()


def test_each_alert_of_a_broken_demo(work, sonde, started):
    back = started(servers.python_app(work, "http_server.py", "back").start())
    front = started(servers.nginx(work, f"location / {{ proxy_pass http://127.0.0.1:{back.address[1]}; }}", name="front").start())
    batch = started(servers.python_app(work, "batch_server.py", "batch").start())
    sink = started(HttpSink())
    traced = [word for server in (front, back, batch) for word in servers.selectors(server)]
    run = sonde(*traced, "--otlp-endpoint", sink.endpoint, "--otlp-protocol", "http/json",
                exports=["otlp"], env={"OTEL_BSP_SCHEDULE_DELAY": "200"})
    prometheus = started(Prometheus(work, run.port))
    demo = started(Load(front.address))
    time.sleep(35)  # as long as the rules look back
    prometheus.is_quiet(5)

    demo.query = "status=500"
    prometheus.fires(("ServiceFailing", "nginx"), ("ServiceFailing", "http_server"), ("DependencyDown", "http_server"))
    assert {alert for alert, _ in prometheus.firing()} == {"ServiceFailing", "DependencyDown"}
    demo.query = ""
    prometheus.is_quiet()

    demo.query = "ms=1500"
    prometheus.fires(("ServiceSlow", "nginx"), ("ServiceSlow", "http_server"))
    demo.query = ""
    prometheus.is_quiet()

    demo.query = None
    prometheus.fires(("ServiceThroughputDropped", "nginx"), ("ServiceThroughputDropped", "http_server"))
    demo.query = ""
    prometheus.is_quiet()

    stop = threading.Event()
    late = threading.Thread(target=pipeline_late, args=(batch.address, stop))
    late.start()
    prometheus.fires(("SondeTracesIncomplete", "http1"))
    stop.set()
    late.join()
    prometheus.is_quiet()

    sink.mode = "cut"
    prometheus.fires(("SondeExporterFailing", "otlp"))
    assert prometheus.firing() == {("SondeExporterFailing", "otlp")}
    sink.mode = "ok"
    prometheus.is_quiet()

    sink.mode = "partial"
    prometheus.fires(("SondeLosesSpans", "export_rejected"))
    sink.mode = "ok"
    prometheus.is_quiet()

    run.process.stop(signal.SIGKILL)
    prometheus.fires(("SondeDown", ""))
