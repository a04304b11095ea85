# SPDX-License-Identifier: Apache-2.0
"""Each client, started by `sonde run --`: every call is exactly one client span, as the client's own record has it."""
import json
import os
import re

import pytest
from harness import judge, load, servers
from harness.spans import CLIENT, SERVER

COUNT = 1500


@pytest.fixture
def backend(work, started):
    return started(servers.go(work).start())


def write_requests(work, count, **options):
    requests = load.mixed_requests(count, seed=5, slow_every=100, **options)
    path = f"{work}/requests.jsonl"
    with open(path, "w", encoding="utf-8") as file:
        for r in requests:
            file.write(json.dumps({"method": r.method, "target": r.target, "bytes": len(r.body)}) + "\n")
    return requests, path


def python(kind):
    return lambda base, path: [servers.PYTHON, os.path.join(servers.APPS, "requests_client.py"), kind, base, path]


PROGRAMS = {
    "requests": python("requests"),
    "httpx": python("httpx"),
    "httpx_async": python("httpx-async"),
    "node_fetch": lambda base, path: [servers.tool("node"), os.path.join(servers.APPS, "node_client.mjs"), base, path],
    "go": lambda base, path: [servers.go_binary(), "call", base, path],
    "java": lambda base, path: servers.java_command("call", base, path),
}


def check(run, entries, backend):
    spans = run.spans(CLIENT)
    judge.judge(entries, spans, CLIENT)
    assert not run.spans(SERVER), run.spans(SERVER)[:3]
    for span in spans:
        assert span["server.port"] == backend.address[1], span.attributes
        assert span["url.full"].startswith(f"http://127.0.0.1:{backend.address[1]}/"), span.attributes


@pytest.mark.parametrize("name", PROGRAMS)
def test_program(name, work, sonde, backend):
    requests, path = write_requests(work, COUNT)
    log = f"{work}/client.log"
    command = PROGRAMS[name](f"http://127.0.0.1:{backend.address[1]}", path)
    run = sonde(command=command, env={"CLIENT_LOG": log})
    assert run.wait(60) == 0, run.process.stderr()[-3000:]
    entries = judge.read_log(log)
    judge.judge_load(requests, entries)
    check(run, entries, backend)


def test_curl(work, sonde, backend):
    """One curl for many URLs, with a record per transfer; then one curl per request, each a process of its own."""
    requests, _ = write_requests(work, 300, methods=("GET",))
    base = f"http://127.0.0.1:{backend.address[1]}"
    record = f"{work}/curl.log"
    line = r'{"method":"%{method}","target":"%{url}","status":%{http_code},"response_bytes":%{size_download}}\n'
    config = f"{work}/curl.conf"
    with open(config, "w", encoding="utf-8") as file:
        file.write("silent\n" + "".join(f'url = "{base}{r.target}"\noutput = "/dev/null"\n' for r in requests))
    script = f"""set -e
curl -K {config} -w '{line}' >{record}
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  curl -s -o /dev/null -w '{line}' -d payload=$i "{base}/each/$i?status=20$((i % 2))" >>{record}
done"""
    run = sonde(command=["sh", "-c", script])
    assert run.wait(60) == 0, run.process.stderr()[-3000:]
    entries = judge.read_log(record)
    for entry in entries:
        entry.target = entry.target[len(base):]
    assert len(entries) == 320
    check(run, entries, backend)


def test_wrk(work, sonde, backend):
    run = sonde(command=[servers.tool("wrk"), "-t1", "-c8", "-d2s", f"http://127.0.0.1:{backend.address[1]}/wrk"])
    assert run.wait(60) == 0
    counted = int(re.search(r"(\d+) requests in", run.process.stdout()).group(1))
    finished = [s for s in run.spans(CLIENT) if not s["sonde.unfinished"]]
    # wrk stops counting when its time is over, with at most one more answer under way per connection.
    assert counted <= len(finished) <= counted + 8, (counted, len(finished))
