# SPDX-License-Identifier: Apache-2.0
"""/api of the admin endpoint: the traces of a real program, found by what they hold, and by thread and time."""
import json
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
from harness import load, servers
from harness.process import wait_until


@pytest.fixture
def server(work, started):
    return started(servers.nginx(work, "location /missing { return 404 'x'; } location / { return 200 'x'; }").start())


def ask(run, path, **parameters):
    status, body = run.get(f"{path}?{urllib.parse.urlencode(parameters)}")
    return status, json.loads(body)


def spans(answer):
    return [s for r in answer["resourceSpans"] for c in r["scopeSpans"] for s in c["spans"]]


def test_traces_of_nginx(server, sonde):
    run = sonde(*servers.selectors(server))
    before = time.time()
    load.run(server.address, [load.Request("GET", f"/found/{i}") for i in range(50)], 1)
    load.run(server.address, [load.Request("GET", "/missing")], 1)
    wait_until(lambda: len(spans(ask(run, "/api/traces", limit=1000)[1])) == 51, "they are shown")
    missing = spans(ask(run, "/api/traces", attribute="http.response.status_code=404")[1])
    assert [s["name"].split()[0] for s in missing] == ["GET"]
    assert spans(ask(run, "/api/traces", trace_id=missing[0]["traceId"])[1]) == missing
    assert len(spans(ask(run, "/api/traces", service="nginx", limit=10)[1])) == 10
    assert not spans(ask(run, "/api/traces", start=time.time() + 60)[1])
    assert len(spans(ask(run, "/api/traces", start=before, limit=1000)[1])) == 51
    assert ask(run, "/api/traces", colour="red")[0] == 400
    service, = ask(run, "/api/services")[1]["services"]
    assert service["service"] == "nginx" and service["spans"] == 51 and len(service["slowest"]) == 5
    # Who was there at that time: the worker of nginx is one thread, its id is that of the process.
    pid = next(a["value"]["intValue"] for r in ask(run, "/api/traces", limit=1)[1]["resourceSpans"]
               for a in r["resource"]["attributes"] if a["key"] == "process.pid")
    middle = (int(missing[0]["startTimeUnixNano"]) + int(missing[0]["endTimeUnixNano"])) // 2
    status, at = ask(run, "/api/trace-at", pid=pid, tid=pid, time=middle)
    assert status == 200 and at["certain"] and at["spans"][0]["traceId"] == missing[0]["traceId"], at
    assert ask(run, "/api/trace-at", pid=pid, time=middle - 10**12)[0] == 404
    run.stop()


def test_no_web_page_may_read_them(server, sonde):
    """A browser sends the name that it asked for, whatever that resolves to."""
    run = sonde(*servers.selectors(server))
    for host, status in (("evil.example", 403), ("localhost", 200), (f"127.0.0.1:{run.port}", 200)):
        request = urllib.request.Request(f"http://127.0.0.1:{run.port}/api/traces", headers={"Host": host})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                found = answer.status
        except urllib.error.HTTPError as error:
            found = error.code
        assert found == status, host
    run.stop()
