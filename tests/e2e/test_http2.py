# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 without TLS and gRPC: server and client are started by one `sonde run --`, and every request is exactly one server
span and one client span."""
import os
from collections import Counter

import pytest
from harness import servers
from harness.process import free_port
from harness.spans import CLIENT, SERVER

COUNT = 5000


def pair(serve, port, client):
    """A shell that starts a server, waits until it accepts, runs the client and takes its exit code."""
    wait = f"until (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null; do sleep 0.1; done"
    return ["/bin/bash", "-c", f"{serve} & s=$!; {wait}; {client}; c=$?; sleep 0.3; kill $s; wait $s; exit $c"]


# Beside a build sonde may not get a processor for a second. What is then lost is counted (test_faults.py); here every
# request counts, and nginx alone makes 12 MB of records for these 250 MB.
LARGE_RING = "file_format: '1.0'\nsonde: {capture: {ring_size: 64MiB}}\n"


def run_pair(sonde, work, serve, port, client):
    config = f"{work}/ring.yaml"
    with open(config, "w", encoding="utf-8") as file:
        file.write(LARGE_RING)
    run = sonde("--config", config, command=pair(serve, port, client))
    assert run.wait(90) == 0, run.process.stderr()[-3000:]
    return run


def judge_http(run, targets, status=lambda target: 200, times=1):
    want = {target: times for target in targets}
    for kind in (SERVER, CLIENT):
        found = {}
        for span in run.spans(kind):
            assert span["network.protocol.version"] == "2", span
            assert not span["sonde.capture.truncated"] and not span["sonde.unfinished"], span.attributes
            assert span["http.request.method"] == "GET", span
            assert span["http.response.status_code"] == status(span.target), span
            found[span.target] = found.get(span.target, 0) + 1
        wrong = [(t, found.get(t, 0)) for t in {**want, **found} if found.get(t, 0) != want.get(t, 0)]
        assert not wrong, (kind, len(wrong), wrong[:5])


CONNECTIONS = 5


def h2load(work, port, targets, streams=10):
    """Each connection asks for each target once."""
    path = f"{work}/targets"
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(f"http://127.0.0.1:{port}{target}\n" for target in targets)
    return (f"{servers.tool('h2load')} -n {CONNECTIONS * len(targets)} -c {CONNECTIONS} -m {streams} -t 1 -i {path} "
            f"> {work}/h2load.txt")


def static(work):
    root, sizes = servers.static_files(work)
    return root, [f"/f{i % len(sizes)}.bin?n={i}" for i in range(COUNT // CONNECTIONS)]


def test_nghttpd(work, sonde):
    root, targets = static(work)
    port = free_port()
    run = run_pair(sonde, work, f"{servers.tool('nghttpd')} --no-tls -d {root} {port}", port, h2load(work, port, targets))
    judge_http(run, targets, times=CONNECTIONS)


def test_nginx(work, sonde):
    root, targets = static(work)
    port = free_port()
    server = servers.nginx(work, f"listen 127.0.0.1:{port} http2; root {root};")
    run = run_pair(sonde, work, " ".join(server.command), port, h2load(work, port, targets))
    judge_http(run, targets, times=CONNECTIONS)


def test_node(work, sonde):
    targets = [f"/n/{i}/{i % 3000}" for i in range(COUNT // CONNECTIONS)]
    port = free_port()
    serve = f"{servers.tool('node')} {os.path.join(servers.APPS, 'node_h2.js')} {port}"
    run = run_pair(sonde, work, serve, port, h2load(work, port, targets))
    judge_http(run, targets, lambda target: 503 if int(target.split("/")[-1]) % 7 == 6 else 200,
               CONNECTIONS)


def test_curl(work, sonde):
    root, _ = servers.static_files(work)
    port = free_port()
    one = f"curl -s --http2-prior-knowledge -o /dev/null http://127.0.0.1:{port}"
    client = f"for i in 1 2 3 4 5 6 7 8 9; do {one}/f$i.bin || exit 1; done"
    run = run_pair(sonde, work, f"{servers.tool('nghttpd')} --no-tls -d {root} {port}", port, client)
    judge_http(run, [f"/f{i}.bin" for i in range(1, 10)])


GRPC_PEER = f"{servers.PYTHON} {os.path.join(servers.APPS, 'grpc_peer.py')}"


def judge_grpc(run, count, hops=1):
    """`hops`: so many programs call and so many serve each request."""
    want = Counter({f"shop.Cart/{'Fail' if i % 10 == 0 else 'Add'}{i}": hops for i in range(count)})
    for kind in (SERVER, CLIENT):
        spans = run.spans(kind)
        found = Counter(span.name for span in spans)
        assert found == want, (kind, len(spans), list(((found - want) + (want - found)).items())[:5])
        for span in spans:
            failed = "/Fail" in span.name
            assert span["rpc.system.name"] == "grpc"
            assert span["rpc.response.status_code"] == ("NOT_FOUND" if failed else "OK"), span.attributes
            assert (span.status == 2) == (failed and kind == CLIENT), span.attributes
            size = int(span.name.removeprefix("shop.Cart/Fail" if failed else "shop.Cart/Add")) % 3000
            assert span["sonde.rpc.request.message_count"] == 1 and span["sonde.rpc.request.size"] == size, span.attributes
            assert span["sonde.rpc.response.message_count"] == (0 if failed else 1), span.attributes
            assert span["sonde.rpc.response.size"] == (0 if failed else 2 * size), span.attributes
            assert 0 < span["sonde.rpc.timeout_ms"] <= 31_000, span.attributes  # grpcio rounds up
            assert not span["sonde.capture.truncated"] and not span["sonde.unfinished"], span.attributes


@pytest.mark.parametrize("threads", [1, 4, 50])
def test_grpcio(work, sonde, threads):
    count = COUNT if threads > 1 else 500
    port = free_port()
    judge_grpc(run_pair(sonde, work, f"{GRPC_PEER} serve {port}", port, f"{GRPC_PEER} call {port} {count} {threads}"), count)


def test_grpcio_aio(work, sonde):
    port = free_port()
    judge_grpc(run_pair(sonde, work, f"{GRPC_PEER} serve-aio {port}", port, f"{GRPC_PEER} call-aio {port} {COUNT} 50"), COUNT)


def test_nginx_grpc_pass(work, sonde):
    port = free_port()
    proxy = servers.nginx(work, "location / { grpc_pass grpc://backend; }", options=" http2",
                          top=f"upstream backend {{ server 127.0.0.1:{port}; keepalive 8; }}")
    front = proxy.address[1]
    script = f"{work}/front.sh"
    with open(script, "w", encoding="utf-8") as file:
        file.write(pair(" ".join(proxy.command), front, f"{GRPC_PEER} call {front} {COUNT} 50")[2])
    judge_grpc(run_pair(sonde, work, f"{GRPC_PEER} serve {port}", port, f"/bin/bash {script}"), COUNT, hops=2)


def apache_h2c(work):
    """Apache whose HTTP/1.1 connections may go on as HTTP/2."""
    server = servers.apache(work)
    with open(f"{work}/apache.conf", "a", encoding="utf-8") as file:
        file.write("LoadModule http2_module /usr/lib/apache2/modules/mod_http2.so\nProtocols h2c http/1.1\nH2Upgrade on\n")
    return server


@pytest.mark.parametrize("client", ["curl -s --http2", "nghttp -nu"])
def test_upgrade(work, sonde, client):
    """The request is HTTP/1.1 with `Upgrade: h2c`, its answer stream 1 of HTTP/2. Small files and one request per connection:
    this Apache (2.4.71) ends most upgraded connections with GOAWAY behind the first 64 KiB."""
    server = apache_h2c(work)
    url = f"http://127.0.0.1:{server.address[1]}"
    loop = f"for i in $(seq 0 39); do {client} {url}/f$((i % 4)).bin?n=$i > {work}/got || exit 1; done"
    run = run_pair(sonde, work, " ".join(server.command), server.address[1], f"( {loop} )")
    judge_http(run, [f"/f{i % 4}.bin?n={i}" for i in range(40)])
    for span in run.spans():
        size = [0, 1, 1024, 4096][int(span.target[2])]
        assert (span["http.response.body.size"] or 0) == size, span.attributes
