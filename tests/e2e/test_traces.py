# SPDX-License-Identifier: Apache-2.0
"""Spans joined into traces: by headers, by the connection both ends of which are traced, by the thread."""
import collections
import concurrent.futures
import subprocess
import uuid

import pytest
from harness import judge, load, servers
from harness.spans import CLIENT, SERVER


@pytest.fixture
def chain(work, started):
    return [started(server) for server in servers.chain(work)]


def by_trace(spans):
    traces = collections.defaultdict(list)
    for span in spans:
        traces[span.trace_id].append(span)
    return traces


def test_chain_is_one_trace(chain, sonde):
    """One request at a time: five spans, each the parent of the next, in one trace per request."""
    pids = [word for server in chain for word in servers.selectors(server)]
    run = sonde(*pids)
    requests = [load.Request("GET", f"/order/{i}?id={i}") for i in range(150)]
    load.run(chain[0].address, requests, connections=1)
    run.stop()
    spans = run.spans()
    assert len(spans) == 5 * len(requests), (len(spans), collections.Counter((s.service, s.kind) for s in spans))
    traces = by_trace(spans)
    assert len(traces) == len(requests)
    for members in traces.values():
        assert len({s.target.split("?")[-1] for s in members}) == 1, members
        of_parent = {s.parent_id: s for s in members}
        road = []
        span = of_parent.get("")
        while span is not None:
            road.append(span)
            span = of_parent.get(span.span_id)
        assert [(s.service, s.kind) for s in road] == [
            ("nginx", SERVER), ("nginx", CLIENT), ("front", SERVER), ("front", CLIENT), ("back", SERVER)], members
        assert [s["sonde.link.method"] for s in road] == [None, "thread", "connection", "thread", "connection"], road
        for outer, inner in zip(road, road[1:]):
            assert outer.start_ns <= inner.start_ns, (outer, inner)


def test_no_wrong_parent_under_load(chain, sonde):
    """Many at once: a link may be absent, and never leads to another request's span."""
    pids = [word for server in chain for word in servers.selectors(server)]
    run = sonde(*pids)
    load.run(chain[0].address, [load.Request("GET", f"/order/{i}?id={i}") for i in range(600)], connections=8)
    run.stop()
    spans = run.spans()
    ids = {s.span_id: s for s in spans}
    linked = [s for s in spans if s.parent_id]
    assert all(s.parent_id in ids for s in linked)
    wrong = [(s, ids[s.parent_id]) for s in linked if s.target.split("id=")[-1] != ids[s.parent_id].target.split("id=")[-1]]
    assert not wrong, (len(wrong), wrong[:3])
    # Both ends of each connection are traced, so these links do not depend on concurrency.
    joined = [s for s in spans if s.kind == SERVER and s.service in ("front", "back")]
    assert len(joined) == 1200 and all(s["sonde.link.method"] == "connection" for s in joined)


def test_traceparent(work, sonde, started):
    server = started(servers.node(work).start())
    run = sonde(*servers.selectors(server))
    requests = []
    for i in range(1, 101):
        header = f"00-{i:032x}-{i:016x}-{'01' if i % 2 else '00'}"
        requests.append(load.Request("GET", f"/traced/{i}", headers={"traceparent": header, "tracestate": f"vendor=v{i}"}))
    requests.append(load.Request("GET", "/broken", headers={"traceparent": "00-" + "0" * 32 + "-0000000000000001-01"}))
    requests.append(load.Request("GET", "/garbage", headers={"traceparent": "\x7f,,,;=" * 20}))
    load.run(server.address, requests)
    run.stop()
    spans = run.spans(SERVER)
    # A parent that says "not sampled" is honoured by the default, parent-based sampler.
    seen = {s["url.path"]: s for s in spans}
    for i in range(1, 101, 2):
        span = seen[f"/traced/{i}"]
        assert (span.trace_id, span.parent_id) == (f"{i:032x}", f"{i:016x}"), span
        assert span["sonde.link.method"] == "traceparent"
        assert span.raw.get("traceState") == f"vendor=v{i}", span.raw
    assert all(f"/traced/{i}" not in seen for i in range(2, 101, 2)), len(seen)
    for path in ("/broken", "/garbage"):
        assert not seen[path].parent_id and seen[path]["sonde.link.method"] is None


def test_unix_socket(work, sonde, started):
    """nginx to gunicorn over a unix socket: both ends seen, joined, and judged by both logs."""
    backend = started(servers.gunicorn(work, "sync", unix=True).start())
    proxy = started(servers.nginx(work, f"location / {{ proxy_pass http://unix:{backend.address}:; }}").start())
    run = sonde(*servers.selectors(proxy), *servers.selectors(backend))
    requests = [r for r in load.mixed_requests(800, seed=9) if "chunked" not in r.target]
    load.run(proxy.address, requests, connections=4)
    run.stop()
    spans = run.spans()
    inner = [s for s in spans if s["network.transport"] == "unix" or s.service != "nginx"]
    outer = [s for s in spans if s.service == "nginx"]
    judge.judge(proxy.entries(), outer, SERVER)
    judge.judge(backend.entries(), [s for s in inner if s.kind == SERVER], SERVER)
    servers_inside = [s for s in inner if s.kind == SERVER and s.service != "nginx"]
    assert all(s["sonde.link.method"] == "connection" for s in servers_inside), servers_inside[:3]


def test_request_id_that_is_passed_on(work, sonde, started):
    """Apache reads HTTP/2 on one thread and calls on others, of which nothing tells whom they work for but the id."""
    back = started(servers.python_app(work, "http_server.py", "back").start())
    modules = "/usr/lib/apache2/modules"
    apache = servers.apache(work, "\n".join(
        [f"LoadModule {name}_module {modules}/mod_{name}.so" for name in ("proxy", "proxy_http", "http2")] +
        ["Protocols h2c http/1.1", f"ProxyPass /to/ http://127.0.0.1:{back.address[1]}/"]))
    run = sonde(*servers.selectors(started(apache.start())))

    def ask(i):
        header = [] if i % 4 == 0 else ["-H", f"X-Request-ID: {uuid.uuid4() if i % 4 < 3 else 'a-session-of-somebody'}"]
        subprocess.run(["curl", "-s", "-o", "/dev/null", "--http2-prior-knowledge", *header,
                        f"http://127.0.0.1:{apache.address[1]}/to/{i}?ms=20"], check=True, timeout=60)

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        list(pool.map(ask, range(200)))
    run.stop()
    asked = {span.span_id: span.target.split("/")[-1] for span in run.spans(SERVER)}
    called = {span.target.split("/")[-1]: span for span in run.spans(CLIENT)}
    assert len(asked) == len(called) == 200
    for target, span in called.items():
        if int(target.split("?")[0]) % 4 in (1, 2):
            assert asked.get(span.parent_id) == target and span["sonde.link.method"] == "request_id", span
        elif span.parent_id:  # the first that came with the session's id
            assert asked[span.parent_id] == target, span
