# SPDX-License-Identifier: Apache-2.0
"""Each server over TLS, started by `sonde run --`: every request of a load is exactly one server span, as the server's own
log has it, on the connection (the client's port) that the log names."""
import signal
import socket
import subprocess
import time

import pytest
from harness import build, https, judge, load, servers, tls
from harness.process import wait_until
from harness.sonde import BARE
from harness.spans import CLIENT, SERVER

COUNT = 400


class Program:
    """`asked`: the load that it can answer: mixed (applications), files (Apache), files and uploads (nginx)."""

    def __init__(self, make, source="openssl", protocols=("h1",), asked="mixed", connections=8):
        self.make = make
        self.source = source
        self.protocols = protocols
        self.asked = asked
        self.connections = connections


PROGRAMS = {
    "nginx": Program(https.nginx, asked="files and uploads"),
    "nginx_h2": Program(lambda work: https.nginx(work, http2=True), asked="files", protocols=("h2",)),
    "apache": Program(https.apache, asked="files"),
    "apache_h2": Program(lambda work: https.apache(work, http2=True), asked="files", protocols=("h2",)),
    "http_server": Program(https.http_server),
    "asyncio": Program(https.uvicorn),
    "uvloop": Program(lambda work: https.uvicorn(work, "uvloop")),
    "gunicorn": Program(https.gunicorn),
    "gunicorn_sync": Program(lambda work: https.gunicorn(work, "sync", workers=2), connections=2),
    "node": Program(https.node),
    "node_h2": Program(lambda work: https.node(work, http2=True), protocols=("h2",)),
    "go": Program(https.go, "go_tls", protocols=("h1", "h2")),
    "go_stripped": Program(lambda work: https.go(work, stripped=True), "go_tls", protocols=("h1", "h2")),
    "webrick": Program(https.webrick),
    "puma": Program(https.puma),
}
BUILT = {
    "pyopenssl": Program(lambda work: https.pyopenssl(work, build.python_with_wheels())),
    "python37": Program(lambda work: https.http_server(work, python=https.pyenv("3.7"))),
    "python313": Program(lambda work: https.http_server(work, python=https.pyenv("3.13"))),
    "rustls": Program(https.rustls, "rustls", protocols=("h1", "h2")),
    "rustls_blocking": Program(lambda work: https.rustls(work, "serve-blocking"), "rustls"),
}


def trace(sonde, server, drive, codes=(0, 128 + signal.SIGTERM)):
    """Launches the server under sonde, drives it, ends both by SIGTERM; returns the run. `codes`: the server's own."""
    run = sonde(command=server.command, env=server.env)
    server.wait()
    drive(server)
    server.finish_log()
    run.settle()
    print("lost:", {k: v for k, v in run.metrics().items() if "dropped" in k[0] and v > 0})  # shown if the test fails
    code = run.process.stop(signal.SIGTERM, 15)
    assert BARE or code in codes, f"exit code {code}: {run.process.stderr()[-2000:]}"
    return run


def requests_for(program, work, count=COUNT):
    """Small and large bodies in both directions, with a length and in chunks."""
    if program.asked == "mixed":
        requests = load.mixed_requests(count, slow_every=100)
        requests += [load.Request("GET", f"/large/{i}?size=1000000" + "&chunked=1" * (i % 2)) for i in range(4)]
        requests += [load.Request("POST", f"/upload/{i}?size={i}", b"u" * 300_000) for i in range(3)]
        return requests
    _, sizes = servers.static_files(work)
    requests = [load.Request("HEAD" if i % 10 == 9 else "GET", f"/files/f{i % len(sizes)}.bin?n={i}") for i in range(count)]
    requests += [load.Request("GET", f"/files/f3.bin?range={i}", headers={"Range": "bytes=10-99"}) for i in range(20)]
    requests += [load.Request("GET", f"/files/none/{i}") for i in range(20)]
    if "uploads" in program.asked:
        requests += [load.Request("POST", f"/upload/{i}", b"u" * 300_000) for i in range(3)]
    return requests


def h2load(server, work, protocol, count, connections, path="/load/{}"):
    """Each connection asks once for each target: (target, client port) names a request."""
    targets = [path.format(i) for i in range(count // connections)]
    listing = f"{work}/targets-{protocol}"
    with open(listing, "w", encoding="utf-8") as file:
        file.writelines(f"https://127.0.0.1:{server.address[1]}{target}\n" for target in targets)
    command = [servers.tool("h2load"), "-n", str(count), "-c", str(connections), "-t", "1", "-i", listing]
    command += ["--h1"] if protocol == "h1" else ["-m", "10"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert f"{count} done, {count} succeeded" in done.stdout, done.stdout + done.stderr
    return targets


def judge_run(run, server, program):
    entries = server.entries()
    judge.judge(entries, run.spans(SERVER), source=program.source, ports=True)
    for span in run.spans(SERVER):
        assert span["network.local.port"] == server.address[1], span.attributes


def check_mixed(program, work, sonde):
    server = program.make(work)
    requests = requests_for(program, work)
    run = trace(sonde, server,
                lambda s: load.run(s.address, requests, connections=program.connections, tls=tls.context()))
    entries = server.entries()
    judge.judge_load(requests, entries)
    judge.judge_ports(requests, entries)
    judge_run(run, server, program)


def check_h2load(program, protocol, work, sonde, count, connections):
    server = program.make(work)
    path = "/files/f1.bin?n={}" if "files" in program.asked else "/load/{}"
    run = trace(sonde, server, lambda s: h2load(s, work, protocol, count, connections, path))
    entries = server.entries()
    assert len({(e.key, e.port) for e in entries}) == len(entries) == count, "the log tells every request apart"
    judge_run(run, server, program)


@pytest.mark.parametrize("name", PROGRAMS)
def test_mixed(name, work, sonde):
    check_mixed(PROGRAMS[name], work, sonde)


@pytest.mark.parametrize("name, protocol", [(n, p) for n, program in PROGRAMS.items() for p in program.protocols if p == "h2"])
def test_streams(name, protocol, work, sonde):
    check_h2load(PROGRAMS[name], protocol, work, sonde, 600, 6)


ALL = {**PROGRAMS, **BUILT}


@pytest.mark.long
@pytest.mark.parametrize("name", BUILT)
def test_built(name, work, sonde):
    check_mixed(BUILT[name], work, sonde)


@pytest.mark.long
@pytest.mark.parametrize("name, protocol", [(n, p) for n, program in ALL.items() for p in program.protocols])
def test_5000(name, protocol, work, sonde):
    check_h2load(ALL[name], protocol, work, sonde, 5000, 50)


@pytest.mark.parametrize("name", ["nginx", "http_server", "node", "go"])
def test_pipelining(name, work, sonde):
    """Twenty requests in one write, answers in order; then one request in three records."""
    program = PROGRAMS[name]
    server = program.make(work)

    def drive(_):
        with socket.create_connection(server.address) as plain, \
                tls.context().wrap_socket(plain, server_hostname="localhost") as connection:
            for batch in range(10):
                heads = [f"GET /p/{batch}/{i} HTTP/1.1\r\nHost: a\r\n\r\n".encode() for i in range(20)]
                connection.sendall(b"".join(heads))
                read_answers(connection, 20)
            for piece in (b"GET /p/pie", b"ces HTTP/1.1\r\nHo", b"st: a\r\n\r\n"):
                connection.sendall(piece)
                time.sleep(0.05)
            read_answers(connection, 1)

    run = trace(sonde, server, drive)
    assert len(server.entries()) == 201
    judge_run(run, server, program)


def read_answers(connection, count):
    """Until `count` whole answers have come; all have a Content-Length."""
    seen = b""
    while count:
        data = connection.recv(65536)
        assert data, "closed"
        seen += data
        while count and b"\r\n\r\n" in seen:
            head, rest = seen.split(b"\r\n\r\n", 1)
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            if len(rest) < length:
                break
            seen = rest[length:]
            count -= 1
    assert not seen


def test_gnutls_serv(work, sonde):
    """It has no log: what the client got is the truth. Every answer ends with its connection."""
    server = https.gnutls_serv(work)
    requests = [load.Request("GET", f"/gnutls/{i}") for i in range(300)]
    run = trace(sonde, server, lambda s: load.run(s.address, requests, keep_alive=False, tls=tls.context()), codes=(1,))
    entries = [judge.Entry(r.method, r.target, r.status, r.received, port=r.port) for r in requests]
    judge.judge(entries, run.spans(SERVER), source="gnutls", ports=True)


@pytest.mark.parametrize("name", ["nginx", "gunicorn"])
def test_prefork_first_requests(name, work, sonde):
    """Forty connections as soon as the port is open, over workers that were forked a moment ago."""
    workers = 2 if name == "nginx" else 3
    server = https.nginx(work, workers=2) if name == "nginx" else https.gunicorn(work, "sync", workers)
    requests = [load.Request("GET", f"/first/{i}") for i in range(40)]
    server.workers = 0  # do not wait for them
    run = trace(sonde, server, lambda s: load.run(s.address, requests, connections=20, keep_alive=False, tls=tls.context()))
    judge.judge_load(requests, server.entries())
    judge.judge(server.entries(), run.spans(SERVER), source="openssl", ports=True)


@pytest.mark.parametrize("upstream", ["http", "https"])
def test_nginx_proxy(upstream, work, sonde, started):
    """Two spans for each request, as a server and as the client of the application: on two connections of one process, which
    both may be TLS."""
    backend = started((https.go if upstream == "https" else servers.go)(work).start())
    files = tls.files()
    server = servers.nginx(
        work, f"""location / {{ proxy_pass {upstream}://127.0.0.1:{backend.address[1]}; proxy_http_version 1.1;
        proxy_set_header Connection ""; }}""", options=" ssl", workers=2, log_bytes='"$upstream_bytes_received"',
        top=f"ssl_certificate {files.certificate}; ssl_certificate_key {files.key};")
    requests = [r for r in load.mixed_requests(COUNT) if "chunked" not in r.target]
    run = trace(sonde, server, lambda s: load.run(s.address, requests, tls=tls.context()))
    entries = server.entries()
    for entry in entries:
        entry.response_bytes = None
    judge.judge_load(requests, entries)
    judge.judge(entries, run.spans(SERVER), source="openssl", ports=True)
    asked = backend.entries()
    for entry in asked:
        entry.duration_ms = None
    judge.judge(asked, run.spans(CLIENT), CLIENT, source="openssl" if upstream == "https" else "socket", ports=True)


@pytest.mark.parametrize("name", ["nginx", "node", "go"])
def test_full_speed(name, work, sonde):
    """wrk for two seconds: every served request is a span, and no event is dropped."""
    program = PROGRAMS[name]
    server = program.make(work)
    run = sonde(command=server.command, env=server.env)
    server.wait()
    done = subprocess.run([servers.tool("wrk"), "-t1", "-c32", "-d2s", f"https://127.0.0.1:{server.address[1]}/wrk"],
                          capture_output=True, text=True, check=True)
    requests = int(done.stdout.split(" requests in")[0].split()[-1])
    wait_until(lambda: len(server.entries()) >= requests, "the log is complete")
    run.settle(1.0)
    served = len(server.entries())
    dropped = {k: v for k, v in run.metrics().items() if "dropped" in k[0] and v > 0}
    run.process.stop(signal.SIGTERM, 15)
    assert served >= requests > 500, (served, requests)
    if not BARE:
        assert not dropped, dropped
        # wrk leaves in the middle of one answer per connection.
        finished = [s for s in run.spans(SERVER) if not s["sonde.unfinished"]]
        assert served - 32 <= len(finished) <= served, (len(finished), served)
        assert {s["sonde.capture.source"] for s in finished} == {program.source}
