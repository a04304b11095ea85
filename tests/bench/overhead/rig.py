# SPDX-License-Identifier: Apache-2.0
"""The measured server and its load: one nginx worker on one CPU, wrk and sonde on the other, as in the evidence.

Uses the harness of the end-to-end tests to start and stop things.
"""
import os
import re
import statistics
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "e2e"))
from harness import servers  # noqa: E402
from harness.process import Process, cpu_seconds, free_port  # noqa: E402
from harness.sonde import Sonde  # noqa: E402

CPUS = sorted(os.sched_getaffinity(0))
SERVER_CPUS = {CPUS[0]}
OTHER_CPUS = set(CPUS[1:]) or SERVER_CPUS


def pin(pid, cpus):
    for task in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(task), cpus)


class Nginx:
    """`return 200` at /, a 1 KiB file at /file, and the request counter on a port of its own."""

    def __init__(self, directory):
        with open(f"{directory}/file", "wb") as file:
            file.write(b"f" * 1024)
        status = free_port()
        self.status = f"http://127.0.0.1:{status}/"
        self.server = servers.nginx(
            directory, f"access_log off; location / {{ return 200 'hello'; }} location = /file {{ root {directory}; }}",
            top=f"sendfile on; server {{ listen 127.0.0.1:{status}; access_log off; location / {{ stub_status; }} }}")
        self.server.start()
        self.port = self.server.address[1]
        self.worker = self.server.pids[-1]
        pin(self.worker, SERVER_CPUS)

    def requests(self):
        """Requests since the start, this one included."""
        with urllib.request.urlopen(self.status, timeout=5) as answer:
            return int(answer.read().decode().split("\n")[2].split()[2])

    def cpu(self):
        return cpu_seconds(self.worker)

    def window(self, seconds):
        """(requests per second, CPU microseconds per request) over a time."""
        begin, requests, cpu = time.monotonic(), self.requests(), self.cpu()
        time.sleep(seconds)
        end_cpu, end_requests, end = self.cpu(), self.requests(), time.monotonic()
        served = end_requests - requests
        return served / (end - begin), (end_cpu - cpu) * 1e6 / served

    def wrk(self, directory, path, seconds, connections):
        command = [servers.tool("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", f"http://127.0.0.1:{self.port}{path}"]
        return Process(command, directory, "wrk", preexec=lambda: os.sched_setaffinity(0, OTHER_CPUS))

    def stop(self):
        self.server.stop()


def attach(directory, nginx, *args, exports=("none",), probes="", name="sonde"):
    run = Sonde(directory, "--pid", str(nginx.worker), "--port", str(nginx.port), *args, exports=list(exports),
                probes=probes, name=name)
    run.ready()
    pin(run.process.pid, OTHER_CPUS)
    return run


def quartiles(values):
    """Median and the middle half."""
    ordered = sorted(values)
    low, middle, high = statistics.quantiles(ordered, n=4) if len(ordered) > 1 else ordered * 3
    return {"median": middle, "low": low, "high": high, "count": len(ordered)}


def locked_bytes(pid):
    """Memory of BPF maps and programs that the process holds, each counted once."""
    found = {}
    for name in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            with open(f"/proc/{pid}/fdinfo/{name}", encoding="utf-8") as file:
                text = file.read()
        except FileNotFoundError:
            continue
        memory = re.search(r"^memlock:\s+(\d+)", text, re.MULTILINE)
        identity = re.search(r"^(map_id|prog_id):\s+(\d+)", text, re.MULTILINE)
        if memory and identity:
            found[identity.groups()] = int(memory.group(1))
    return sum(found.values())


def output_of(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip().split("\n")[0]


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"model name\s*:\s*(.*)", file.read())
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")
    with open("/etc/os-release", encoding="utf-8") as file:
        system = re.search(r'PRETTY_NAME="(.*)"', file.read()).group(1)
    return {"system": system, "kernel": os.uname().release, "cpu": model.group(1) if model else os.uname().machine,
            "cpus": len(CPUS), "nginx": output_of(servers.tool("nginx"), "-v").replace("nginx version: ", ""),
            "wrk": output_of(servers.tool("wrk"), "-v").split(" [")[0],
            "commit": output_of("git", "-C", root, "-c", f"safe.directory={os.path.realpath(root)}", "describe", "--always",
                                "--dirty")}
