# SPDX-License-Identifier: Apache-2.0
"""gRPC over TLS: server and client are started by one `sonde run --`. Every call is exactly one server span and one client
span, both on the connection that the server names."""
import collections
import json
import os

import pytest
from harness import build, servers, tls
from harness.process import free_port
from harness.sonde import BARE
from harness.spans import CLIENT, SERVER
from test_http2 import run_pair

PEER = os.path.join(servers.APPS, "grpc_peer.py")


def python(interpreter):
    return lambda: f"{interpreter()} {PEER}"


# name: (server, client, the source of each)
PEERS = {
    # Debian's gRPC, on the shared OpenSSL.
    "grpcio_debian": (python(lambda: servers.PYTHON), python(lambda: servers.PYTHON), "openssl", "openssl"),
}
BUILT = {
    "grpcio_wheel": (python(build.python_with_wheels), python(build.python_with_wheels), "boringssl", "boringssl"),
    "grpc_go": (build.grpc_go, build.grpc_go, "go_tls", "go_tls"),
    "grpc_go_stripped": (lambda: build.grpc_go(True), lambda: build.grpc_go(True), "go_tls", "go_tls"),
    "go_serves_python": (build.grpc_go, python(build.python_with_wheels), "go_tls", "boringssl"),
}


def check(peers, work, sonde, count, connections):
    serve, call, *sources = peers
    files = tls.files()
    port = free_port()
    log = f"{work}/grpc.log"
    run = run_pair(sonde, work, f"ACCESS_LOG={log} {serve()} serve {port} {files.certificate} {files.key}", port,
                   f"{call()} call {port} {count} {connections} {files.authority}")
    with open(log, encoding="utf-8") as file:
        entries = [json.loads(line) for line in file]
    wanted = {(e["method"].lstrip("/"), e["port"]) for e in entries}
    assert len(wanted) == len(entries) == count
    assert len({e["port"] for e in entries}) == connections
    if BARE:
        return
    for kind, source, attribute in ((SERVER, sources[0], "network.peer.port"), (CLIENT, sources[1], "network.local.port")):
        found = collections.Counter((span.name, span[attribute]) for span in run.spans(kind))
        wrong = [(key, found[key]) for key in {*wanted, *found} if found[key] != (key in wanted)]
        missing = sum(1 for key, n in wrong if n == 0)
        assert not wrong, f"kind {kind}: {missing} of {count} without a span, {len(wrong) - missing} too many: {wrong[:5]}"
        for span in run.spans(kind):
            failed = "/Fail" in span.name
            assert span["rpc.response.status_code"] == ("NOT_FOUND" if failed else "OK"), span.attributes
            assert span["sonde.capture.source"] == source, span.attributes
            assert not span["sonde.capture.truncated"] and not span["sonde.unfinished"], span.attributes


@pytest.mark.parametrize("name", PEERS)
def test_grpc(name, work, sonde):
    check(PEERS[name], work, sonde, 600, 4)


@pytest.mark.long
@pytest.mark.parametrize("name", BUILT)
def test_built(name, work, sonde):
    check(BUILT[name], work, sonde, 600, 4)


@pytest.mark.long
@pytest.mark.parametrize("name", [*PEERS, *BUILT])
def test_5000(name, work, sonde):
    check({**PEERS, **BUILT}[name], work, sonde, 5000, 50)
