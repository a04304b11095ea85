# SPDX-License-Identifier: Apache-2.0
"""gRPC libraries other than grpcio: unary and streaming calls, 5,000 at concurrency 50, each one server and one client span."""
from collections import Counter

import pytest
from harness import grpc_peers
from harness.process import free_port
from harness.spans import CLIENT, SERVER
from test_http2 import COUNT, run_pair


def name_of(i):
    return f"shop.Cart/{'Fail' if i % 10 == 0 else 'Stream' if i % 4 == 0 else 'Add'}{i}"


def expect_messages(span, i):
    failed, streams = "/Fail" in span.name, "/Stream" in span.name
    messages = i % 5 + 1 if streams else 1
    size = 10 * messages if streams else i % 3000
    found = [span[f"sonde.rpc.{part}"] for part in ("request.message_count", "request.size", "response.message_count",
                                                    "response.size")]
    want = [messages, size, 0 if failed else messages, 0 if failed else 2 * size]
    # Several messages of a stream may share a frame of which only the beginning was copied; and a call may fail before its
    # request was read.
    assert all(f == w or (f is None and (streams or failed)) for f, w in zip(found, want)), (span.name, found, want)


@pytest.mark.parametrize("name", grpc_peers.PEERS)
def test_peer(name, work, sonde):
    peer = grpc_peers.PEERS[name]()
    port = free_port()
    run = run_pair(sonde, work, f"{peer} serve {port} {work}/calls {COUNT}", port, f"{peer} call {port} {COUNT} 50")
    with open(f"{work}/calls", encoding="utf-8") as file:
        assert int(file.read()) == COUNT
    numbers = {name_of(i): i for i in range(COUNT)}
    for kind in (SERVER, CLIENT):
        spans = run.spans(kind)
        wrong = Counter(span.name for span in spans)
        wrong.subtract(list(numbers))
        assert not {n: c for n, c in wrong.items() if c}, (kind, len(spans))
        for span in spans:
            failed = "/Fail" in span.name
            assert span["rpc.system.name"] == "grpc"
            assert span["rpc.response.status_code"] == ("NOT_FOUND" if failed else "OK"), span.attributes
            assert (span.status == 2) == (failed and kind == CLIENT), span.attributes
            assert not span["sonde.capture.truncated"] and not span["sonde.unfinished"], span.attributes
            expect_messages(span, numbers[span.name])
