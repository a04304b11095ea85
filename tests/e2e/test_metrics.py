# SPDX-License-Identifier: Apache-2.0
"""Rates, errors and durations at /metrics are those of all spans, whatever is sampled; a real Prometheus reads them."""
import collections
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request

import pytest
from harness import servers
from harness.process import Process, free_port, wait_until
from harness.sink import HttpSink, metric_points, total

OPEN = "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5"


def site(work):
    return servers.nginx(work, "location / { return 200 'x'; } location /bad { return 503; }")


def ask(address, *targets):
    connection = http.client.HTTPConnection(*address)
    for target in targets:
        connection.request("GET", target)
        connection.getresponse().read()
    connection.close()


def scrape(run, accept):
    request = urllib.request.Request(f"http://127.0.0.1:{run.port}/metrics", headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def red(run, name):
    """{(span name, status): value} of a span metric."""
    return {(dict(labels)["span_name"], dict(labels)["status_code"]): value
            for (found, labels), value in run.metrics().items() if found == name}


def test_red_of_all_spans(work, sonde, started):
    server = started(site(work).start())
    run = sonde(*servers.selectors(server))
    ask(server.address, *(["/"] * 40 + ["/bad"] * 7))
    spans = run.wait_for_spans(47)
    time.sleep(0.5)
    wanted = collections.defaultdict(list)
    for span in spans:
        wanted[(span.name, "STATUS_CODE_ERROR" if span.status == 2 else "STATUS_CODE_UNSET")].append(span.duration_ms)
    assert len(wanted) == 2
    prefix = "traces_span_metrics_duration_milliseconds"
    assert red(run, "traces_span_metrics_calls_total") == {key: len(values) for key, values in wanted.items()}
    assert red(run, f"{prefix}_count") == {key: len(values) for key, values in wanted.items()}
    assert red(run, f"{prefix}_sum") == pytest.approx({key: sum(values) for key, values in wanted.items()}, rel=1e-9)
    assert run.metric("http_server_request_duration_seconds_count", http_response_status_code="503", error_type="503") == 7
    assert run.metric("traces_service_graph_request_total", client="user", connection_type="virtual_node") == 47
    assert run.metric("traces_service_graph_request_failed_total") == 7

    kind, text = scrape(run, OPEN)
    assert kind.startswith("application/openmetrics-text; version=1.0.0")
    assert text.endswith("# EOF\n")
    traces = {line.split('# {trace_id="', 1)[1][:32] for line in text.splitlines() if '# {trace_id="' in line}
    assert traces and traces <= {span.trace_id for span in spans}
    if shutil.which("promtool"):
        done = subprocess.run(["promtool", "check", "metrics"], input=scrape(run, "")[1], text=True, capture_output=True,
                              timeout=30, check=False)
        assert done.returncode in (0, 3), done.stderr  # 3: opinions about names
    run.stop()


def write(work, text):
    path = os.path.join(work, "sonde.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def test_pushed_through_an_outage_and_to_a_file(work, sonde, started):
    """Two readers: deltas to a receiver that is away for a while, cumulative lines in a file. Both come to all requests."""
    server = started(site(work).start())
    sink = started(HttpSink("cut"))
    run = sonde(*servers.selectors(server), "--config", write(work, f"""meter_provider:
  readers:
    - periodic:
        interval: 200
        timeout: 150
        exporter:
          otlp_http:
            endpoint: {sink.endpoint}/v1/metrics
            encoding: json
            temporality_preference: delta
            default_histogram_aggregation: base2_exponential_bucket_histogram
    - periodic: {{interval: 300, exporter: {{otlp_file/development: {{output_stream: "file://{work}/metrics.json"}}}}}}
"""))
    ask(server.address, *(["/"] * 40 + ["/bad"] * 7))
    run.wait_for_spans(47)
    wait_until(lambda: run.metric("sonde_metric_export_points_total", exporter="otlp", result="failed") > 0, "the outage is seen")
    sink.mode = "ok"
    wait_until(lambda: total(sink.metric_points(), "traces.span.metrics.calls") == 47, "all calls arrived")
    ask(server.address, *(["/"] * 5))
    run.wait_for_spans(52)
    run.stop()
    with open(f"{work}/metrics.json", encoding="utf-8") as file:
        lines = metric_points(file.read().splitlines())
    for points in (sink.metric_points(), lines):
        assert total(points, "traces.span.metrics.calls") == 52
        assert total(points, "http.server.request.duration", **{"error.type": "503"}) == 7
        assert total(points, "traces_service_graph_request_failed_total") == 7
        assert total(points, "http.server.active_requests") == 0
        assert total(points, "sonde_spans_total") == 52
    assert {p.kind for p in sink.metric_points() if p.name == "http.server.request.duration"} == {"exponentialHistogram"}
    assert {p.kind for p in lines if p.name == "http.server.request.duration"} == {"histogram"}


def test_active_requests(work, sonde, started):
    """Of a server whose upstream takes its time."""
    with socket.create_server(("127.0.0.1", 0)) as upstream:
        port = upstream.getsockname()[1]
        server = started(servers.nginx(work, f"location / {{ proxy_pass http://127.0.0.1:{port}; }}").start())
        run = sonde(*servers.selectors(server))

        def active():
            return run.metric("http_server_active_requests", http_request_method="GET", url_scheme="http")

        with socket.create_connection(server.address) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            held, _ = upstream.accept()
            wait_until(lambda: active() == 1, "one is open")
            held.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx")
            held.close()
            assert client.recv(4096)
            wait_until(lambda: active() == 0, "none is open")
        run.stop()


def test_sampling_by_route(work, sonde, started):
    server = started(servers.nginx(work, "location / { return 200 'x'; }").start())
    run = sonde(*servers.selectors(server), "--config", write(work, """tracer_provider:
  sampler:
    parent_based:
      root:
        composite/development:
          rule_based:
            rules:
              - attribute_patterns: {key: url.path, included: ["/health*"]}
                sampler: {always_off: }
              - attribute_values: {key: http.request.method, values: [HEAD]}
                sampler: {probability: {ratio: 0}}
              - sampler: {always_on: }
"""))
    ask(server.address, *(["/healthz"] * 20 + ["/shop"] * 6))
    spans = run.wait_for_spans(6)
    wait_until(lambda: run.metric("sonde_spans_dropped_total", reason="sampled_out") == 20, "the others are sampled out")
    assert {span["url.path"] for span in spans} == {"/shop"}
    assert run.metric("traces_span_metrics_calls_total") == 26
    run.stop()


def test_tail_sampling_keeps_what_failed_and_counts_all(work, sonde, started):
    server = started(site(work).start())
    path = os.path.join(work, "sonde.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write("""sonde:
  tail_sampling:
    decision_wait: 1s
    policies:
      - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
""")
    run = sonde(*servers.selectors(server), "--config", path)
    ask(server.address, *(["/"] * 30 + ["/bad"] * 5))
    spans = run.wait_for_spans(5)
    wait_until(lambda: run.metric("sonde_spans_dropped_total", reason="tail_sampled_out") == 30, "the others are dropped")
    assert {span["http.response.status_code"] for span in spans} == {503}
    assert run.metric("traces_span_metrics_calls_total") == 35
    assert run.metric("sonde_tail_sampling_spans") == 0
    assert run.metric("sonde_spans_total") == 35
    assert run.metric("sonde_tail_sampling_votes_total", policy="errors", vote="sampled") == 5
    _, text = scrape(run, OPEN)
    traces = {line.split('# {trace_id="', 1)[1][:32] for line in text.splitlines() if '# {trace_id="' in line}
    assert traces <= {span.trace_id for span in spans}
    run.stop()
    assert len(run.spans()) == 5


@pytest.mark.skipif(not shutil.which("prometheus"), reason="no prometheus")
def test_prometheus_scrapes(work, sonde, started):
    server = started(site(work).start())
    run = sonde(*servers.selectors(server))
    ask(server.address, *(["/"] * 25))
    run.wait_for_spans(25)
    config = os.path.join(work, "prometheus.yaml")
    with open(config, "w", encoding="utf-8") as file:
        file.write(f"""global: {{scrape_interval: 1s}}
scrape_configs: [{{job_name: sonde, static_configs: [{{targets: ["127.0.0.1:{run.port}"]}}]}}]
""")
    port = free_port()
    started(Process(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={work}/tsdb",
                     f"--web.listen-address=127.0.0.1:{port}", "--enable-feature=exemplar-storage"], str(work), "prometheus"))

    def query(path, **arguments):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(arguments)}",
                                        timeout=5) as answer:
                return json.load(answer)["data"]
        except OSError:
            return {}

    def total(expression):
        result = query("query", query=expression).get("result") or [{"value": [0, "0"]}]
        return float(result[0]["value"][1])

    wait_until(lambda: total("up") == 1, "the scrape is good", 30)
    wait_until(lambda: total('sum(http_server_request_duration_seconds_count{http_response_status_code="200"})') == 25,
               "25 requests", 10)
    assert total("histogram_quantile(1, sum by (le) (http_server_request_duration_seconds_bucket))") > 0
    assert total("sum(http_server_request_duration_seconds_count * on (job, instance, service_name) "
                 "group_left (host_name) target_info)") == 25
    exemplars = query("query_exemplars", query="http_server_request_duration_seconds_bucket", start=time.time() - 600,
                      end=time.time() + 10)
    traces = {e["labels"]["trace_id"] for series in exemplars for e in series["exemplars"]}
    assert traces and traces <= {span.trace_id for span in run.spans()}
    run.stop()


@pytest.mark.long
def test_a_million_paths(work, sonde, started):
    """No two requests have the same path: routes, series and memory stay within their limits, and every request is counted."""
    server = started(site(work).start())
    script, config = os.path.join(work, "paths.lua"), os.path.join(work, "sonde.yaml")
    with open(script, "w", encoding="utf-8") as file:
        file.write("""local n
init = function(words) n = tonumber(words[1]) end
request = function()
  n = n + 1
  return wrk.format("GET", string.format("/u%d/%x/item", n, n * 2654435761 % 4294967296))
end
""")
    with open(config, "w", encoding="utf-8") as file:
        file.write("""file_format: "1.0"
tracer_provider: {sampler: {trace_id_ratio_based: {ratio: 0.01}}}
sonde: {metrics: {dimensions: [url.path], cardinality_limit: 10000}}
""")
    run = sonde(*servers.selectors(server), "--config", config)
    served = 0
    while served < 1_000_000:
        done = subprocess.run(["wrk", "-t1", "-c32", "-d30s", "-s", script, f"http://127.0.0.1:{server.address[1]}", "--",
                               str(served + 100)], capture_output=True, text=True, check=True)
        served += int(re.search(r"(\d+) requests in", done.stdout)[1])
    wait_until(lambda: run.metric("sonde_spans_total") >= served, "every request is a span", 20)
    made = run.metric("sonde_spans_total")  # wrk leaves some unanswered when it ends
    assert served <= made <= served + 500 and run.metric("sonde_events_dropped_total") == 0
    assert run.metric("traces_span_metrics_calls_total") == made
    series = sum(1 for name, _ in run.metrics() if name == "traces_span_metrics_calls_total")
    assert series <= 10_001, series
    assert run.process.rss_bytes() < 450 << 20, run.process.rss_bytes()
    begin = time.monotonic()
    lines = scrape(run, "")[1].count("\n")
    print(f"{made:.0f} paths, {series} series with histograms ({lines} lines) scraped in {(time.monotonic() - begin) * 1000:.0f} ms, "
          f"resident {run.process.rss_bytes() >> 20} MiB")
    run.stop()
