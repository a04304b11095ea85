# SPDX-License-Identifier: Apache-2.0
"""Captures HTTP/2 and gRPC on loopback with tshark: h2c_capture.py DIRECTORY. To be run in a network namespace of its own."""
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import servers  # noqa: E402
from harness.process import Process, accepts, wait_until  # noqa: E402

HTTP, GRPC = 8080, 50051


def serve(name, command, port, directory):
    process = Process(command, directory, name)
    wait_until(lambda: accepts(("127.0.0.1", port)), f"{name} listens")
    return process


def talk(directory):
    with open(f"{directory}/targets", "w", encoding="utf-8") as file:
        file.writelines(f"http://127.0.0.1:{HTTP}/{'missing' if i % 9 == 0 else f'f{i % 10}.bin'}?n={i}\n" for i in range(150))
    load = [servers.tool("h2load"), "-n", "300", "-c", "2", "-m", "20", "-t", "1", "-i", f"{directory}/targets"]
    with open(f"{directory}/load.txt", "w", encoding="utf-8") as out:
        subprocess.run(load, check=True, stdout=out)
    subprocess.run([servers.PYTHON, f"{servers.APPS}/grpc_peer.py", "call", str(GRPC), "300", "8"], check=True)


def main():
    directory = sys.argv[1]
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    root, _ = servers.static_files(directory, count=10)
    started = [serve("nghttpd", [servers.tool("nghttpd"), "--no-tls", "-d", root, str(HTTP)], HTTP, directory),
               serve("grpc", [servers.PYTHON, f"{servers.APPS}/grpc_peer.py", "serve", str(GRPC)], GRPC, directory)]
    line = ["tshark", "-q", "-i", "lo", "-B", "64", "-F", "pcapng", "-w", f"{directory}/h2c.pcapng", "-f",
            f"tcp port {HTTP} or tcp port {GRPC}"]
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as tshark:
        for text in tshark.stderr:
            if "Capturing on" in text:
                break
        time.sleep(1.0)
        try:
            talk(directory)
        finally:
            time.sleep(1.0)
            tshark.send_signal(signal.SIGINT)
            tshark.stderr.read()
            for process in started:
                process.stop()


main()
