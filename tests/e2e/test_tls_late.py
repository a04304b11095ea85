# SPDX-License-Identifier: Apache-2.0
"""Attaching to TLS servers whose connections are open already, so that no handshake is seen: what is said of them is true and
said once, and from a certain request on everything is said."""
import collections
import http.client
import json
import random
import time

import pytest
from harness import https, judge, servers, tls
from harness.process import free_port, wait_until
from harness.sonde import BARE
from harness.spans import SERVER

CONNECTIONS = 40
ROUNDS = 12
Program = collections.namedtuple("Program", "make source warm")

# warm: rounds after which every request must be seen. Where the socket can be read out of the TLS object there are none; for
# others each connection has to give evidence first.
PROGRAMS = {
    "nginx": Program(https.nginx, "openssl", 0),
    "http_server": Program(https.http_server, "openssl", 0),
    "go": Program(https.go, "go_tls", 0),
    "apache": Program(https.apache, "openssl", 4),
    "asyncio": Program(https.uvicorn, "openssl", 4),
    "uvloop": Program(lambda work: https.uvicorn(work, "uvloop"), "openssl", 4),
    "node": Program(https.node, "openssl", 4),
    "puma": Program(https.puma, "openssl", 4),
    "rustls": Program(https.rustls, "rustls", 4),
}


class Crowd:
    """Keep-alive connections that all ask at once: every request is sent before the first answer is read."""

    def __init__(self, address, connections=CONNECTIONS):
        context = tls.context()
        self.connections = [http.client.HTTPSConnection(*address, timeout=20, context=context) for _ in range(connections)]
        self.ports = []

    def ask(self, targets):
        for connection, target in zip(self.connections, targets):
            connection.request("GET", target)
        self.ports = [c.sock.getsockname()[1] for c in self.connections]
        for connection in self.connections:
            connection.getresponse().read()

    def stop(self):
        for connection in self.connections:
            connection.close()


def targets(phase, number, equal):
    """Of one length, or of lengths that tell connections apart, and of any size of answer."""
    rng = random.Random(f"{phase} {number}")
    pad = [0 if equal else rng.randrange(200) for _ in range(CONNECTIONS)]
    size = [100 if equal else rng.randrange(3000) for _ in range(CONNECTIONS)]
    return [f"/{phase}/{number:03d}/{i:03d}/{'p' * pad[i]}?size={size[i]:04d}" for i in range(CONNECTIONS)]


@pytest.mark.parametrize("equal", [False, True], ids=["varied", "equal"])
@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.long] if n == "rustls" else []) for n in PROGRAMS])
def test_open_connections(name, equal, work, sonde, started):
    program = PROGRAMS[name]
    server = started(program.make(work).start())
    crowd = started(Crowd(server.address))
    for number in range(3):
        crowd.ask(targets("before", number, equal))
    ports = crowd.ports
    run = sonde(*servers.selectors(server))
    for number in range(ROUNDS):
        crowd.ask(targets("after", number, equal))
    assert crowd.ports == ports, "connections were made anew"
    run.settle()
    run.stop()
    entries = [e for e in server.entries() if e.target.startswith("/after/")]
    assert len(entries) == ROUNDS * CONNECTIONS
    if BARE:
        return
    spans = [s for s in run.spans(SERVER) if s["url.path"]]
    known = {(e.key, e.port) for e in entries}
    said = [(judge.span_key(s), judge.client_port(s)) for s in spans]
    wrong = [one for one in said if one not in known and one[1] is not None]
    assert not wrong, f"{len(wrong)} of {len(said)} spans stand on a connection that the log does not name: {wrong[:4]}"
    # Text whose connection is not known is a span without addresses, and still the right request with its answer.
    judge.judge(entries, spans, source=program.source)
    if equal and program.warm:
        return  # lengths say nothing here: being silent is right
    due = {(e.key, e.port) for e in entries if int(e.target.split("/")[2]) >= program.warm}
    silent = due - set(said)
    # Lengths that fit no record, or fit another connection's too, leave a connection without a socket: one in forty was seen.
    assert len(silent) <= len(due) / 20, f"{len(silent)} of {len(due)} spans do not say from where the request came: {sorted(silent)[:3]}"


@pytest.mark.parametrize("name", ["nginx", "asyncio", "node", "go"])
def test_new_connections(name, work, sonde, started):
    """Connections made after the attach are complete from their first request, whatever the older ones do."""
    program = PROGRAMS[name]
    server = started(program.make(work).start())
    crowd = started(Crowd(server.address))
    crowd.ask(targets("before", 0, True))
    run = sonde(*servers.selectors(server))
    younger = started(Crowd(server.address))
    for number in range(5):
        crowd.ask(targets("old", number, True))
        younger.ask(targets("new", number, True))
    run.settle()
    run.stop()
    entries = [e for e in server.entries() if e.target.startswith("/new/")]
    assert len(entries) == 5 * CONNECTIONS
    judge.judge(entries, [s for s in run.spans(SERVER) if (s["url.path"] or "").startswith("/new/")], source=program.source,
                ports=True)


@pytest.mark.parametrize("peer", ["debian", pytest.param("wheel", marks=pytest.mark.long),
                                  pytest.param("go", marks=pytest.mark.long)])
def test_grpc(peer, work, sonde, started):
    """gRPC calls on connections older than sonde: whatever has a name has the right one, on the right connection, and calls
    whose headers were sent anew are all there."""
    import grpc
    from test_tls_grpc import BUILT, PEERS
    serve, source = {"debian": (PEERS["grpcio_debian"][0], "openssl"), "wheel": (BUILT["grpcio_wheel"][0], "boringssl"),
                     "go": (BUILT["grpc_go"][0], "go_tls")}[peer]
    files = tls.files()
    port = free_port()
    log = f"{work}/grpc.log"
    command = [*serve().split(), "serve", str(port), files.certificate, files.key]
    server = started(servers.Server(command, work, "grpc", ("127.0.0.1", port), log).start())
    with open(files.authority, "rb") as file:
        secrets = grpc.ssl_channel_credentials(file.read())
    channels = [grpc.secure_channel(f"127.0.0.1:{port}", secrets, [("grpc.use_local_subchannel_pool", 1)]) for _ in range(4)]

    def calls(word, count):
        for i in range(count):
            pending = [c.unary_unary(f"/shop.Cart/{word}{i}c{n}").future(b"x" * (i + 37 * n), timeout=20)
                       for n, c in enumerate(channels)]
            for one in pending:
                one.result()

    calls("Before", 10)
    run = sonde(*servers.selectors(server))
    calls("After", 60)
    run.settle()
    run.stop()
    for channel in channels:
        channel.close()
    with open(log, encoding="utf-8") as file:
        entries = [json.loads(line) for line in file]
    known = {(e["method"].lstrip("/"), e["port"]) for e in entries if "/After" in e["method"]}
    assert len(known) == 240
    if BARE:
        return
    # Where the content type was sent before sonde came, a call is an HTTP request for all that is known.
    named = [s for s in run.spans(SERVER) if s["url.path"] or s.name.startswith("shop.Cart/")]
    said = collections.Counter(((s["url.path"] or s.name).lstrip("/"), s["network.peer.port"]) for s in named)
    names = {name for name, _ in known}
    wrong = [one for one, n in said.items() if one not in known and (one[1] is not None or one[0] not in names) or n > 1]
    assert not wrong, f"{len(wrong)} of {len(said)}: {wrong[:5]}"
    missing = {name for name in names if int(name.split("After")[1].split("c")[0]) >= 5} - {name for name, _ in said}
    assert not missing, f"{len(missing)} of {len(names)}: {sorted(missing)[:5]}; {len(run.spans(SERVER))} spans in all"
    assert {s["sonde.capture.source"] for s in named} == {source}
