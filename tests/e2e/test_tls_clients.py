# SPDX-License-Identifier: Apache-2.0
"""Each client over TLS, started by `sonde run --`: every call is exactly one client span with the facts of the server's log,
on the connection (the client's port) that the log names. The server is not traced."""
import os
import re
import subprocess

import pytest
from harness import build, https, judge, servers, tls
from harness.process import wait_until
from harness.proxy import ConnectProxy
from harness.sonde import BARE
from harness.spans import CLIENT, SERVER
from test_clients import write_requests

COUNT = 400


@pytest.fixture
def backend(work, started):
    return started(https.go(work).start())


class Program:
    def __init__(self, command, source="openssl", methods=("GET", "GET", "GET", "POST", "PUT", "DELETE"), env=None,
                 codes=(0,), leaves_out=None):
        self.command = command
        self.source = source
        self.methods = methods
        self.env = env or {}
        self.codes = codes
        self.leaves_out = leaves_out  # targets with this in them


def python(kind, interpreter=lambda: servers.PYTHON):
    return Program(lambda base, path: [interpreter(), os.path.join(servers.APPS, "requests_client.py"), kind, base, path])


def node(*kind):
    return Program(lambda base, path: [servers.tool("node"), os.path.join(servers.APPS, "node_client.mjs"), base, path, *kind])


def urls(base, path, leaves_out=None):
    """The targets of the request file as a list of URLs."""
    with open(path, encoding="utf-8") as file:
        targets = re.findall(r'"target": "([^"]*)"', file.read())
    with open(f"{path}.urls", "w", encoding="utf-8") as file:
        file.writelines(f"{base}{target}\n" for target in targets if not (leaves_out and leaves_out in target))
    return f"{path}.urls"


def curl(*options):
    """--parallel: many connections (or streams) and one thread, curl's own BIO beneath OpenSSL."""
    def command(base, path):
        with open(urls(base, path), encoding="utf-8") as file:
            lines = [f'url = "{line.strip()}"\noutput = "/dev/null"\n' for line in file]
        with open(f"{path}.conf", "w", encoding="utf-8") as file:
            file.write("silent\n" + "".join(lines))
        return ["curl", *options, "-K", f"{path}.conf"]

    return Program(command, methods=("GET",))


PROGRAMS = {
    "curl": curl("--http1.1"),
    "curl_parallel": curl("--http1.1", "--parallel", "--parallel-max", "20"),
    "curl_h2": curl("--http2", "--parallel", "--parallel-max", "20"),
    "requests": python("requests"),
    "httpx": python("httpx"),
    "httpx_async": python("httpx-async"),
    "node_fetch": node(),
    "node_https": node("https"),
    "go": Program(lambda base, path: [servers.go_binary(), "call", base, path], "go_tls", env={"GODEBUG": "http2client=0"}),
    "go_h2": Program(lambda base, path: [servers.go_binary(), "call", base, path], "go_tls"),
    "go_stripped": Program(lambda base, path: [servers.go_binary(True), "call", base, path], "go_tls",
                           env={"GODEBUG": "http2client=0"}),
    "ruby": Program(lambda base, path: [build.program("ruby"), os.path.join(servers.APPS, "ruby_client.rb"), base, path]),
    # 8: some answers say so of their status. The body of a redirection is not read: it closes the connection.
    "wget": Program(lambda base, path: [build.program("wget"), "-q", "--tries=1", "--max-redirect=0", "--content-on-error",
                                        f"--ca-certificate={tls.files().authority}", "-O", "/dev/null", "-i", urls(base, path, "status=301")],
                    "gnutls", methods=("GET",), codes=(0, 8), leaves_out="status=301"),
}
BUILT = {
    "aiohttp": python("aiohttp", build.python_with_wheels),
    "httpx_h2": python("httpx-h2", build.python_with_wheels),
    "pycurl": python("pycurl", build.python_with_wheels),
    "reqwest": Program(lambda base, path: [build.rust_peer(), "call", base, path], "rustls", env={"CLIENT_HTTP1": "1"}),
    "reqwest_h2": Program(lambda base, path: [build.rust_peer(), "call", base, path], "rustls"),
}


def facts_of(backend, targets):
    entries = [e for e in backend.entries() if e.target in targets]
    for entry in entries:
        entry.duration_ms = None  # the server's, shorter than the client's
    return entries


def check(program, work, sonde, backend, count):
    requests, path = write_requests(work, count, methods=program.methods)
    if program.leaves_out:
        requests = [r for r in requests if program.leaves_out not in r.target]
    base = f"https://127.0.0.1:{backend.address[1]}"
    log = f"{work}/client.log"
    run = sonde(command=program.command(base, path), env={"CLIENT_LOG": log, **tls.trust(), **program.env})
    assert run.wait(120) in program.codes, run.process.stderr()[-3000:]
    entries = facts_of(backend, {r.target for r in requests})
    judge.judge_load(requests, entries)
    assert len(entries) == len(requests), "the client sent something twice"
    if os.path.exists(log):
        judge.judge_load(requests, judge.read_log(log))
    judge.judge(entries, run.spans(CLIENT), CLIENT, source=program.source, ports=True)
    assert not run.spans(SERVER), run.spans(SERVER)[:3]
    for span in run.spans(CLIENT):
        assert span["server.port"] == span["network.peer.port"] == backend.address[1], span.attributes
        assert span["url.full"].startswith(f"{base}/"), span.attributes


@pytest.mark.parametrize("name", PROGRAMS)
def test_program(name, work, sonde, backend):
    check(PROGRAMS[name], work, sonde, backend, COUNT)


@pytest.mark.long
@pytest.mark.parametrize("name", BUILT)
def test_built(name, work, sonde, backend):
    check(BUILT[name], work, sonde, backend, COUNT)


@pytest.mark.long
@pytest.mark.parametrize("name", [*PROGRAMS, *BUILT])
def test_5000(name, work, sonde, backend):
    check({**PROGRAMS, **BUILT}[name], work, sonde, backend, 5000)


@pytest.mark.parametrize("name", ["curl", "requests", "httpx_async"])
def test_through_a_proxy(name, work, sonde, started, backend):
    """HTTP with the proxy first, then TLS on the same connection; httpx has memory between TLS and socket."""
    program = PROGRAMS[name]
    proxy = started(ConnectProxy())
    requests, path = write_requests(work, 100, methods=program.methods)
    base = f"https://127.0.0.1:{backend.address[1]}"
    run = sonde(command=program.command(base, path), env={"CLIENT_LOG": f"{work}/client.log", **tls.trust(), "HTTPS_PROXY": proxy.url})
    assert run.wait(120) == 0, run.process.stderr()[-3000:]
    entries = facts_of(backend, {r.target for r in requests})
    judge.judge_load(requests, entries)
    spans = run.spans(CLIENT)
    asked = [s for s in spans if s["http.request.method"] == "CONNECT"]
    assert len(asked) == proxy.requests > 0
    judge.judge(entries, [s for s in spans if s not in asked], CLIENT, source="openssl")
    for span in spans:
        assert span["network.peer.port"] == int(proxy.url.rsplit(":", 1)[1]), span.attributes
        assert span["server.port"] == backend.address[1], span.attributes


@pytest.mark.parametrize("protocol", ["h1", "h2"])
def test_h2load(protocol, work, sonde, backend):
    """Each connection asks once for each target."""
    targets = [f"/load/{i}" for i in range(100)]
    path = f"{work}/targets"
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(f"https://127.0.0.1:{backend.address[1]}{target}\n" for target in targets)
    run = sonde(command=[servers.tool("h2load"), "-n", "1000", "-c", "10", "-t", "1", "-i", path,
                         *(["--h1"] if protocol == "h1" else ["-m", "10"])])
    assert run.wait(60) == 0, run.process.stderr()
    entries = facts_of(backend, set(targets))
    assert len({(e.key, e.port) for e in entries}) == len(entries) == 1000
    judge.judge(entries, run.spans(CLIENT), CLIENT, source="openssl", ports=True)


def test_wrk(work, sonde, backend):
    run = sonde(command=[servers.tool("wrk"), "-t1", "-c8", "-d2s", f"https://127.0.0.1:{backend.address[1]}/wrk"])
    assert run.wait(60) == 0
    counted = int(re.search(r"(\d+) requests in", run.process.stdout()).group(1))
    assert counted > 500
    if not BARE:
        finished = [s for s in run.spans(CLIENT) if not s["sonde.unfinished"]]
        # wrk stops counting when its time is over, with at most one more answer under way per connection.
        assert counted <= len(finished) <= counted + 8, (counted, len(finished))


def test_git(work, sonde, started):
    """git uses libcurl on GnuTLS: one process per request, loaded as a library of a library."""
    remote = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip()
    linked = subprocess.run(["ldd", f"{remote}/git-remote-http"], capture_output=True, text=True, check=False).stdout
    if "gnutls" not in linked:
        pytest.skip("this git does not use GnuTLS")
    server = started(https.nginx(work).start())
    base = f"https://127.0.0.1:{server.address[1]}/gone"
    script = f"for i in 1 2 3 4 5 6 7 8; do git ls-remote {base}/$i; done; true"
    run = sonde(command=["sh", "-c", script], env={**tls.trust(), "GIT_TERMINAL_PROMPT": "0"})
    assert run.wait(60) == 0
    entries = wait_until(lambda: (lambda e: e if len(e) >= 8 else None)(server.entries()), "eight requests")
    judge.judge(facts_of(server, {e.target for e in entries}), run.spans(CLIENT), CLIENT, source="gnutls", ports=True)
