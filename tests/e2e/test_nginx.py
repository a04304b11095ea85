# SPDX-License-Identifier: Apache-2.0
"""nginx, attached by --pid: plain answers, files by sendfile, a proxy, several workers, IPv6, pipelining, wrk."""
import re
import socket
import subprocess

from harness import judge, load, servers
from harness.process import wait_until
from harness.spans import CLIENT, SERVER

COUNT = 3000
RETURN = "location / { return 200 'hello, world\\n'; } location /gone { return 410; } location /moved { return 302 /; }"


def attach_and_judge(server, sonde, requests, *args, connections=8):
    run = sonde(*servers.selectors(server), *args)
    load.run(server.address, requests, connections=connections)
    run.stop()
    entries = server.entries()
    judge.judge_load(requests, entries)
    judge.judge(entries, run.spans(SERVER))
    return run


def plain_requests(count):
    paths = ("/", "/gone/", "/moved/", "/a/b/c/")
    return [load.Request(("GET", "GET", "HEAD", "POST")[i % 4], f"{paths[i % 3]}{i}", b"z" * (i % 700) if i % 4 == 3 else b"")
            for i in range(count)]


def test_return(work, sonde, started):
    server = started(servers.nginx(work, RETURN).start())
    attach_and_judge(server, sonde, plain_requests(COUNT))


def test_workers_by_exe_and_port(work, sonde, started):
    server = started(servers.nginx(work, RETURN, workers=4).start())
    other = started(servers.nginx(work, RETURN, name="other").start())
    run = sonde("--exe", "*/nginx", "--port", str(server.address[1]))
    requests = plain_requests(COUNT)
    load.run(server.address, requests, connections=16)
    load.run(other.address, [load.Request("GET", "/not-selected")])
    run.stop()
    judge.judge(server.entries(), run.spans(SERVER))


def test_sendfile(work, sonde, started):
    root, sizes = servers.static_files(work)
    server = started(servers.nginx(work, f"sendfile on; root {root}; open_file_cache max=100;").start())
    requests = [load.Request("GET", f"/f{i % len(sizes)}.bin?n={i}") for i in range(COUNT)]
    requests += [load.Request("GET", f"/f{i % 6}.bin?range={i}", headers={"Range": "bytes=0-0,5-9"}) for i in range(60)]
    requests += [load.Request("GET", f"/missing/{i}") for i in range(60)]
    attach_and_judge(server, sonde, requests)


def test_proxy(work, sonde, started):
    """Two spans in nginx for each request: one as a server, one as the client of the application."""
    backend = started(servers.go(work).start())
    host, port = backend.address
    # Chunked answers are framed anew by nginx, and $body_bytes_sent would count the frames: upstream's figure is the body.
    server = started(servers.nginx(work, f"""location / {{ proxy_pass http://{host}:{port}; proxy_http_version 1.1;
        proxy_set_header Connection ""; }}""", workers=2, log_bytes='"$upstream_bytes_received"').start())
    requests = [r for r in load.mixed_requests(COUNT, slow_every=300) if "chunked" not in r.target]
    run = sonde(*servers.selectors(server))
    load.run(server.address, requests)
    run.stop()
    entries = server.entries()
    for entry in entries:
        entry.response_bytes = None
    judge.judge_load(requests, entries)
    judge.judge(entries, run.spans(SERVER))
    backend_entries = [e for e in backend.entries() if e.target != "/"]
    for entry in backend_entries:
        entry.duration_ms = None
    judge.judge(backend_entries, run.spans(CLIENT), CLIENT)
    for span in run.spans(CLIENT):
        assert span["server.port"] == port and span["server.address"] in ("127.0.0.1", "localhost"), span.attributes


def test_ipv6(work, sonde, started):
    server = started(servers.nginx(work, RETURN, listen="ipv6").start())
    run = attach_and_judge(server, sonde, plain_requests(1000))
    for span in run.spans(SERVER)[:50]:
        assert span["network.peer.address"] == "::1", span.attributes
        assert span["server.port"] == server.address[1], span.attributes


def test_pipelining(work, sonde, started):
    """Twenty requests in one write, answers in order."""
    server = started(servers.nginx(work, RETURN).start())
    run = sonde(*servers.selectors(server))
    with socket.create_connection(server.address) as connection:
        for batch in range(20):
            heads = [f"GET /p/{batch}/{i} HTTP/1.1\r\nHost: a\r\n\r\n".encode() for i in range(20)]
            connection.sendall(b"".join(heads))
            seen = b""
            while seen.count(b"hello, world") < 20:
                seen += connection.recv(65536)
    run.stop()
    entries = server.entries()
    assert len(entries) == 400
    judge.judge(entries, run.spans(SERVER))


def test_full_speed(work, sonde, started):
    """wrk for three seconds: every served request is a span, and no event is dropped."""
    server = started(servers.nginx(work, RETURN).start())
    run = sonde(*servers.selectors(server))
    done = subprocess.run([servers.tool("wrk"), "-t1", "-c32", "-d3s",
                           f"http://127.0.0.1:{server.address[1]}/wrk"], capture_output=True, text=True, check=True)
    requests = int(re.search(r"(\d+) requests in", done.stdout).group(1))
    wait_until(lambda: len(server.entries()) >= requests, "the log is complete")
    run.settle(1.0)
    served = len(server.entries())
    dropped = {k: v for k, v in run.metrics().items() if "dropped" in k[0] and v > 0}
    run.stop()
    finished = [s for s in run.spans(SERVER) if not s["sonde.unfinished"]]
    assert not dropped, dropped
    # wrk leaves with a request on each of its connections: nginx logs them, but may have nobody left to answer to.
    assert served - 32 <= len(finished) <= served and len(finished) >= requests > 3000, (len(finished), served, requests)
