# SPDX-License-Identifier: Apache-2.0
"""Each server, started by `sonde run --`: every request of a mixed load is exactly one server span, as its log has it."""
import signal
import subprocess

import pytest
from harness import judge, load, servers
from harness.spans import SERVER

COUNT = 2000
APPLICATIONS = {
    "gunicorn_sync": lambda work: servers.gunicorn(work, "sync", workers=2),
    "gunicorn_gthread": lambda work: servers.gunicorn(work, "gthread"),
    "uvicorn": servers.uvicorn,
    "flask": lambda work: servers.python_app(work, "flask_app.py", "flask"),
    "http_server": lambda work: servers.python_app(work, "http_server.py", "http_server"),
    "node": servers.node,
    "go": servers.go,
    "java": servers.java,
}


def trace(sonde, server, drive):
    """Launches the server under sonde, drives it, ends both by SIGTERM; returns the server spans."""
    run = sonde(command=server.command, env=server.env)
    server.wait()
    drive(server)
    code = run.process.stop(signal.SIGTERM, 15)
    assert code in (0, 128 + signal.SIGTERM), f"exit code {code}: {run.process.stderr()[-2000:]}"
    return run.spans(SERVER)


# What the runtime says of itself; an SDK would give the same as process.runtime.version.
VERSIONS = {
    "flask": [servers.PYTHON, "-c", "import platform; print(platform.python_version())"],
    "node": ["node", "-p", "process.versions.node"],
    "java": ["sh", "-c", "java -XshowSettings:properties -version 2>&1 | sed -n 's/ *java.runtime.version = //p'"],
}


@pytest.mark.parametrize("name", APPLICATIONS)
def test_application(name, work, sonde):
    server = APPLICATIONS[name](work)
    # A sync worker serves one connection at a time: few of them, so that nobody waits for long.
    requests = load.mixed_requests(COUNT, slow_every=200)
    spans = trace(sonde, server, lambda s: load.run(s.address, requests, connections=2 if "sync" in name else 8))
    entries = [e for e in server.entries() if e.target != "/"]
    judge.judge_load(requests, entries)
    judge.judge(entries, spans)
    if name in VERSIONS:
        said = subprocess.run(VERSIONS[name], capture_output=True, text=True, check=True).stdout.strip()
        assert {span.resource.get("process.runtime.version") for span in spans} == {said}


def test_apache(work, sonde):
    server = servers.apache(work)
    _, sizes = servers.static_files(work)
    requests = [load.Request("HEAD" if i % 10 == 0 else "GET", f"/f{i % len(sizes)}.bin?n={i}") for i in range(COUNT)]
    requests += [load.Request("GET", f"/none/{i}") for i in range(100)]
    requests += [load.Request("GET", f"/old?n={i}") for i in range(20)]
    requests += [load.Request("GET", f"/f3.bin?range={i}", headers={"Range": "bytes=10-99"}) for i in range(100)]
    spans = trace(sonde, server, lambda s: load.run(s.address, requests))
    entries = server.entries()
    judge.judge_load(requests, entries)
    judge.judge(entries, spans)
