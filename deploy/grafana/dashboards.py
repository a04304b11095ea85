# SPDX-License-Identifier: Apache-2.0
"""Writes the dashboards beside it: dashboards.py [DIRECTORY]. What they show stands here once, readable; a test compares the JSON.
traces_* are of the Collector's spanmetrics and servicegraph connectors, sonde_* and process_* of sonde's own /metrics."""
import json
import os
import sys

SOURCE = {"type": "prometheus", "uid": "${source}"}
SERVER = 'service_name=~"$service", span_kind="SPAN_KIND_SERVER"'
CALLS = "traces_span_metrics_calls_total"
BUCKETS = "traces_span_metrics_duration_milliseconds_bucket"
ERROR = 'status_code="STATUS_CODE_ERROR"'
RATE = "[$__rate_interval]"
EDGES = "traces_service_graph_request_total"


def target(expression, legend="", table=False, ref="A"):
    made = {"datasource": SOURCE, "expr": expression, "legendFormat": legend, "refId": ref}
    return {**made, "format": "table", "instant": True} if table else made


def panel(title, *targets, kind="timeseries", unit="short", width=12, height=8, help="", thresholds=(), transformations=(), options=None):
    steps = [{"color": "green", "value": None}] + [{"color": color, "value": value} for color, value in thresholds]
    return {"title": title, "type": kind, "description": help, "datasource": SOURCE, "width": width, "height": height,
            "targets": [{**each, "refId": chr(65 + i)} for i, each in enumerate(targets)],
            "fieldConfig": {"defaults": {"unit": unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}}, "overrides": []},
            "transformations": list(transformations), "options": options or {}}


def variable(name, query, label):
    return {"name": name, "type": "query", "label": label, "datasource": SOURCE, "query": {"query": query, "refId": name},
            "definition": query, "includeAll": True, "multi": True, "allValue": ".*", "refresh": 2, "sort": 1,
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]}}


def dashboard(uid, title, variables, panels):
    """Panels go from left to right in rows of 24 columns."""
    x = y = row = 0
    placed = []
    for number, each in enumerate(panels, 1):
        width, height = each.pop("width"), each.pop("height")
        if x + width > 24:
            x, y, row = 0, y + row, 0
        placed.append({"id": number, **each, "gridPos": {"x": x, "y": y, "w": width, "h": height}})
        x, row = x + width, max(row, height)
    source = {"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus", "current": {}}
    return {"uid": uid, "title": title, "tags": ["sonde"], "timezone": "browser", "schemaVersion": 39, "version": 1, "editable": True,
            "time": {"from": "now-1h", "to": "now"}, "refresh": "30s", "templating": {"list": [source, *variables]},
            "annotations": {"list": []}, "panels": placed}


def services():
    by_route = f"sum by (service_name, span_name) (rate({CALLS}{{{SERVER}}}{RATE}))"
    quantile = "histogram_quantile({}, sum by ({}, le) (rate(" + BUCKETS + "{{" + SERVER + "}}" + RATE + ")))"
    failing = f"rate({CALLS}{{{SERVER}, {ERROR}}}{RATE})"
    return dashboard("sonde-services", "sonde: services", [
        variable("service", f'label_values({CALLS}{{span_kind="SPAN_KIND_SERVER"}}, service_name)', "Service")], [
        panel("Requests per second", target(f"sum by (service_name) (rate({CALLS}{{{SERVER}}}{RATE}))", "{{service_name}}"), unit="reqps",
              width=8),
        panel("Failing requests", target(f"sum by (service_name) ({failing}) / sum by (service_name) (rate({CALLS}{{{SERVER}}}{RATE}))",
                                         "{{service_name}}"), unit="percentunit", width=8, thresholds=[("red", 0.05)]),
        panel("Duration", target(quantile.format("0.5", "service_name"), "{{service_name}} p50"),
              target(quantile.format("0.99", "service_name"), "{{service_name}} p99"), unit="ms", width=8),
        panel("Routes by requests per second", target(f"topk(20, {by_route})", table=True), kind="table", unit="reqps", height=10),
        panel("Routes by p99", target(f"topk(20, {quantile.format('0.99', 'service_name, span_name')})", table=True), kind="table",
              unit="ms", height=10),
        panel("Routes that fail", target(f"topk(10, sum by (service_name, span_name) ({failing}) > 0)", "{{service_name}} {{span_name}}"),
              unit="reqps"),
        panel("Durations", target(f"sum by (le) (increase({BUCKETS}{{{SERVER}}}{RATE}))", "{{le}}"), kind="heatmap", unit="ms",
              options={"calculate": False, "yAxis": {"unit": "ms"}}),
    ])


def service_map():
    def edge(metric, name):
        return (f'label_join(label_replace(label_replace(sum by (client, server) (rate({metric}{RATE})), "source", "$1", "client", "(.*)"), '
                f'"target", "$1", "server", "(.*)"), "id", ">", "client", "server")', name)

    def node(expression):
        return f'label_replace(label_replace({expression}, "id", "$1", "server", "(.*)"), "title", "$1", "server", "(.*)")'

    calls, _ = edge(EDGES, "calls")
    callers = ('label_replace(label_replace(sum by (client) (rate(' + EDGES + RATE + ')) * 0, "id", "$1", "client", "(.*)"), "title", "$1", '
               '"client", "(.*)")')
    stat = {"id": "organize", "options": {"renameByName": {"Value": "mainstat", "Value #A": "mainstat", "Value #B": "mainstat"},
                                          "excludeByName": {"Time": True}}}
    failed = "sum by (client, server) (rate(traces_service_graph_request_failed_total" + RATE + "))"
    all_calls = f"sum by (client, server) (rate({EDGES}{RATE}))"
    slow = "histogram_quantile(0.99, sum by (client, server, le) (rate(traces_service_graph_request_{}_seconds_bucket" + RATE + ")))"
    return dashboard("sonde-service-map", "sonde: who calls whom", [], [
        panel("Services and their calls per second",
              target(node(f"sum by (server) (rate({EDGES}{RATE}))") + f" or on (id) {callers}", table=True), target(calls, table=True),
              kind="nodeGraph", width=24, height=16, transformations=[stat], unit="reqps"),
        panel("Failing calls", target(f"{failed} / {all_calls}", "{{client}} > {{server}}"), unit="percentunit",
              thresholds=[("red", 0.05)], width=8),
        panel("p99 as the caller sees it", target(slow.format("client"), "{{client}} > {{server}}"), unit="s", width=8),
        panel("p99 as the called one sees it", target(slow.format("server"), "{{client}} > {{server}}"), unit="s", width=8,
              help="The difference to the panel beside it is network and waiting for a connection."),
    ])


def health():
    one = 'instance=~"$instance"'
    return dashboard("sonde-health", "sonde: its own health", [variable("instance", "label_values(sonde_events_total, instance)", "Instance")], [
        panel("Probes that failed", target(f'sum by (family) (sonde_probe_state{{{one}, state="failed"}})', "{{family}}"), kind="stat",
              width=6, height=5, thresholds=[("red", 1)], help="sonde doctor says why"),
        panel("Traced processes", target(f"sum by (state) (sonde_processes{{{one}}})", "{{state}}"), kind="stat", width=6, height=5),
        panel("Spans lost in this range", target(f'sum(increase(sonde_spans_dropped_total{{{one}, reason!~"(tail_)?sampled_out|no_exporter"}}[$__range]))'),
              kind="stat", width=6, height=5, thresholds=[("red", 1)]),
        panel("Events lost in this range", target(f"sum(increase(sonde_events_dropped_total{{{one}}}[$__range]))"), kind="stat", width=6,
              height=5, thresholds=[("orange", 1)]),
        panel("Spans", target(f"sum by (kind, protocol) (rate(sonde_spans_total{{{one}}}{RATE}))", "{{kind}} {{protocol}}"), width=8),
        panel("Spans given up", target(f"sum by (reason) (rate(sonde_spans_dropped_total{{{one}}}{RATE}))", "{{reason}}"), width=8),
        panel("Events given up", target(f"sum by (reason) (rate(sonde_events_dropped_total{{{one}}}{RATE}))", "{{reason}}"), width=8),
        panel("Batches", target(f"sum by (exporter, result) (rate(sonde_export_batches_total{{{one}}}{RATE}))", "{{exporter}} {{result}}"),
              width=8),
        panel("Spans that wait", target(f"sum by (exporter) (sonde_export_queue_length{{{one}}})", "{{exporter}}"),
              target(f"sum(sonde_spans_held{{{one}}})", "held for their root"), width=8),
        panel("Parents by evidence", target(f"sum by (method) (rate(sonde_links_total{{{one}}}{RATE}))", "{{method}}"),
              target(f"sum(rate(sonde_link_ambiguous_total{{{one}}}{RATE}))", "ambiguous: no parent"), width=8),
        panel("Events read", target(f"sum by (type) (rate(sonde_events_total{{{one}}}{RATE}))", "{{type}}"), width=8),
        panel("What parsers did", target(f"sum by (protocol, outcome) (rate(sonde_parse_outcomes_total{{{one}}}{RATE}))",
                                         "{{protocol}} {{outcome}}"), width=8),
        panel("TLS libraries not read", target(f'sum by (library) (sonde_tls_libraries{{{one}, state="undecoded"}})', "{{library}}"), width=8),
        panel("CPU", target(f"sum by (instance) (rate(process_cpu_seconds_total{{{one}}}{RATE}))", "{{instance}}"), unit="percentunit", width=8),
        panel("Memory", target(f"sum by (instance) (process_resident_memory_bytes{{{one}}})", "{{instance}}"), unit="bytes", width=8),
        panel("Kernel programs", target(f"sum by (program) (rate(sonde_bpf_run_seconds_total{{{one}}}{RATE}))", "{{program}}"), unit="percentunit",
              width=8, help="Only with sysctl kernel.bpf_stats_enabled=1"),
    ])


def main(directory):
    for name, made in (("services", services()), ("service-map", service_map()), ("health", health())):
        with open(os.path.join(directory, f"{name}.json"), "w", encoding="utf-8") as file:
            json.dump(made, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__)))
