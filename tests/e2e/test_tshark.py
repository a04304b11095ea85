# SPDX-License-Identifier: Apache-2.0
"""A capture of HTTP/2 and gRPC, read by `sonde replay` and by tshark: every stream, with method, path and status."""
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter

from harness import servers
from harness.sonde import BINARY
from harness.spans import read_spans


def streams_of(path):
    """{(tcp stream, http2 stream): {header: value}} with the pseudo-headers of both directions, from tshark's PDML."""
    line = [servers.tool("tshark"), "-r", path, "-d", "tcp.port==8080,http2", "-d", "tcp.port==50051,http2", "-Y",
            "http2.header", "-T", "pdml"]
    found = {}
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tshark:
        for _, packet in ElementTree.iterparse(tshark.stdout):
            if packet.tag != "packet":
                continue
            tcp = packet.find(".//field[@name='tcp.stream']").get("show")
            for frame in packet.iter("field"):
                number = frame.find("field[@name='http2.streamid']")
                if frame.get("name") != "http2.stream" or number is None:  # the preface
                    continue
                stream = found.setdefault((tcp, number.get("show")), {})
                for header in frame.findall(".//field[@name='http2.header']"):
                    name = header.find("field[@name='http2.header.name']").get("show")
                    stream[name] = header.find("field[@name='http2.header.value']").get("show")
            packet.clear()
    return {key: stream for key, stream in found.items() if ":path" in stream}


def test_every_stream(work):
    app = os.path.join(servers.APPS, "h2c_capture.py")
    done = subprocess.run(["unshare", "-n", sys.executable, "-B", app, work], capture_output=True, text=True, timeout=90,
                          check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    capture, out = f"{work}/h2c.pcapng", f"{work}/spans.jsonl"
    subprocess.run([BINARY, "replay", capture, "--export", f"file={out}"], check=True, timeout=60)
    streams = streams_of(capture).values()
    http = [s for s in streams if not s.get("content-type", "").startswith("application/grpc")]
    grpc = [s for s in streams if s.get("content-type", "").startswith("application/grpc")]
    assert (len(http), len(grpc)) == (300, 300)
    names = {"0": "OK", "5": "NOT_FOUND"}
    spans = read_spans(out)
    assert not [s for s in spans if s["sonde.unfinished"] or s["sonde.capture.truncated"]]
    assert Counter((s["http.request.method"], s.target, s["http.response.status_code"])
                   for s in spans if not s["rpc.method"]) == \
        Counter((s[":method"], s[":path"], int(s[":status"])) for s in http)
    assert Counter((s["rpc.method"], s["rpc.response.status_code"]) for s in spans if s["rpc.method"]) == \
        Counter((s[":path"][1:], names[s["grpc-status"]]) for s in grpc)
