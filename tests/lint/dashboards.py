# SPDX-License-Identifier: Apache-2.0
"""Every metric that deploy/grafana queries exists: sonde's own in docs/reference/metrics.md, the others as the Collector's
connectors name them."""
import re

PAGE = "docs/reference/metrics.md"
CONNECTORS = {"traces_span_metrics_calls_total", "traces_span_metrics_duration_milliseconds", "traces_service_graph_request_total",
              "traces_service_graph_request_failed_total", "traces_service_graph_request_server_seconds",
              "traces_service_graph_request_client_seconds"}
NAME = re.compile(r"\b(?:sonde|process|traces)_[a-z0-9_]+\b")
ROW = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)
PART = re.compile(r"_(bucket|sum|count)$")


def run(tree):
    files = tree.under("deploy/grafana/", suffixes=(".json", ".yaml"))
    if not files:
        return
    known = CONNECTORS | (set(ROW.findall(tree.read(PAGE))) if tree.exists(PAGE) else set())
    for path in files:
        for number, line in enumerate(tree.read(path).split("\n"), 1):
            for name in NAME.findall(line.partition("# ")[0]):
                if name not in known and PART.sub("", name) not in known:
                    yield f"{path}:{number}: {name} is no metric that {PAGE} or a connector has"
