# SPDX-License-Identifier: Apache-2.0
"""How captures/chain.sonde was made: sonde's own recording of three real services, one behind the other, and one request at
a time. Run it as root, and only when the recording's format has changed (include/sonde/abi/version.h):
make_recording.py SONDE DIRECTORY, then run.py SONDE chain.sonde --update, and review the difference.
"""
import json
import os
import struct
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
from harness import load, servers  # noqa: E402
from harness.sonde import Sonde  # noqa: E402

HEADER_BYTES = 24  # recording.h: SONDE_RECORDING_HEADER_BYTES
RESOURCE = 1000  # SONDE_RECORD_RESOURCE
RESOURCE_BYTES = 24  # SONDE_RESOURCE_RECORD_BYTES


def without_machine(recording):
    """Of each process only service.name stays: the rest is about the machine the recording was made on."""
    out, at = recording[:HEADER_BYTES], HEADER_BYTES
    while at < len(recording):
        kind, _, size = struct.unpack_from("<HHI", recording, at)
        record, at = recording[at:at + size], at + size
        if kind == RESOURCE:
            length = struct.unpack_from("<I", record, 20)[0]
            resource = json.loads(record[RESOURCE_BYTES:RESOURCE_BYTES + length])
            resource["attributes"] = [a for a in resource["attributes"] if a["key"] == "service.name"]
            text = json.dumps(resource).encode()
            padded = (RESOURCE_BYTES + len(text) + 7) // 8 * 8
            record = (record[:4] + struct.pack("<I", padded) + record[8:20] + struct.pack("<I", len(text)) + text)
            record = record.ljust(padded, b"\0")
        out += record
    return out


def main():
    binary, directory = os.path.abspath(sys.argv[1]), sys.argv[2]
    with tempfile.TemporaryDirectory() as work:
        os.chmod(work, 0o755)
        back = servers.gunicorn(work, app="chain_app:app", name="back", env={"OTEL_SERVICE_NAME": "back"}).start()
        front = servers.gunicorn(work, app="chain_app:app", name="front",
                                 env={"OTEL_SERVICE_NAME": "front", "NEXT": f"http://127.0.0.1:{back.address[1]}"}).start()
        proxy = servers.nginx(work, f"location / {{ proxy_pass http://127.0.0.1:{front.address[1]}; }}").start()
        chain = (proxy, front, back)
        try:
            selectors = [word for server in chain for word in servers.selectors(server)]
            sonde = Sonde(work, *selectors, "--record", f"{work}/recording", exports=["none"], binary=binary).ready()
            requests = [load.Request("GET", f"/order/{i}?id={i}&token=secret") for i in range(4)]
            requests += [load.Request("POST", "/order", b"x" * 5000), load.Request("GET", "/none")]
            load.run(proxy.address, requests, connections=1, check=False)
            sonde.stop()
        finally:
            for server in chain:
                server.stop()
        with open(f"{work}/recording", "rb") as file:
            recording = without_machine(file.read())
    with open(f"{directory}/chain.sonde", "wb") as file:
        file.write(recording)


main()
