# SPDX-License-Identifier: Apache-2.0
"""How the captures beside this file were made: a short conversation with real servers on loopback, written by tshark, and
variants of it with the faults that packet captures have. Needs root. Run it only to change the captures:
make_captures.py DIRECTORY
"""
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
from harness import load, servers  # noqa: E402


def capture(path, ports, interface, file_format, talk):
    expression = " or ".join(f"tcp port {port}" for port in ports)
    # Small snap length: bodies are cut as an operator would cut them; heads fit.
    with subprocess.Popen(["tshark", "-q", "-i", interface, "-s", "1500", "-F", file_format, "-w", path, "-f", expression],
                          stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if "Capturing on" in line:
                break
        time.sleep(1.0)
        talk()
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        process.stderr.read()
    os.chmod(path, 0o644)


def exchange(address, *messages):
    """Raw messages on one connection, an answer awaited after each."""
    with socket.create_connection(address) as connection:
        for message in messages:
            connection.sendall(message)
            time.sleep(0.05)
            connection.recv(1 << 20)


def conversation(nginx, node):
    load.run(nginx, [load.Request("GET", f"/users/{i}") for i in range(6)], 1)
    load.run(nginx, [load.Request("HEAD", "/head"), load.Request("POST", "/form", b"a=1&b=2")], 1)
    load.run(node, [load.Request("GET", "/chunks?size=700&chunked=1"), load.Request("PUT", "/items/7?status=201", b"p" * 3000),
                    load.Request("GET", "/fails?status=503"), load.Request("GET", "/slow?ms=60")], 1)
    heads = b"".join(b"GET /pipelined/%d?token=secret HTTP/1.1\r\nHost: shop.example\r\n\r\n" % i for i in range(3))
    exchange(nginx, heads, b"GET /traced HTTP/1.1\r\nHost: shop.example\r\ntraceparent: "
             b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nConnection: close\r\n\r\n")
    exchange(node, b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /old HTTP/1.0\r\n\r\n")
    exchange(nginx, b"\x16\x03\x01 this is not HTTP at all \x00\xff\r\n\r\n")


def read_pcap(path):
    with open(path, "rb") as file:
        data = file.read()
    assert data[:4] == b"\xd4\xc3\xb2\xa1", "classic little-endian pcap"
    packets, at = [], 24
    while at < len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        packets.append(data[at:at + 16 + size])
        at += 16 + size
    return data[:24], packets


def write_pcap(path, header, packets):
    with open(path, "wb") as file:
        file.write(header + b"".join(packets))


def payload_bytes(packet):
    """Payload of an Ethernet + IPv4 + TCP packet record."""
    frame = packet[16:]
    ip_words = frame[14] & 15
    total = struct.unpack_from("!H", frame, 16)[0]
    return total - ip_words * 4 - (frame[14 + ip_words * 4 + 12] >> 4) * 4


def variants(directory):
    header, packets = read_pcap(f"{directory}/loopback.pcap")
    rng = random.Random(4)
    swapped = list(packets)
    for i in range(0, len(swapped) - 1, 2):
        if rng.random() < 0.5:
            swapped[i], swapped[i + 1] = swapped[i + 1], swapped[i]
    write_pcap(f"{directory}/out_of_order.pcap", header, swapped)
    write_pcap(f"{directory}/duplicated.pcap", header, [p for packet in packets for p in [packet] * rng.choice((1, 1, 2))])
    # The capture began late: no handshakes, and the first connection in the middle.
    write_pcap(f"{directory}/late.pcap", header, packets[9:])
    with_payload = [i for i, p in enumerate(packets) if payload_bytes(p) > 0]
    lost = set(rng.sample(with_payload, 5))
    write_pcap(f"{directory}/lossy.pcap", header, [p for i, p in enumerate(packets) if i not in lost])


def main():
    directory = sys.argv[1]
    with tempfile.TemporaryDirectory() as work:
        os.chmod(work, 0o755)
        nginx = servers.nginx(work, "location / { return 200 'hello'; }").start()
        node = servers.node(work).start()
        six = servers.nginx(work, "location / { return 200 'six'; }", listen="ipv6", name="six").start()
        try:
            ports = [s.address[1] for s in (nginx, node, six)]
            capture(f"{directory}/loopback.pcap", ports, "lo", "pcap", lambda: conversation(nginx.address, node.address))
            capture(f"{directory}/ipv6_any.pcapng", ports, "any", "pcapng",
                    lambda: load.run(six.address, [load.Request("GET", f"/six/{i}") for i in range(5)], 2))
        finally:
            for server in (nginx, node, six):
                server.stop()
    variants(directory)


main()
