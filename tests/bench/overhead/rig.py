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
from harness import build, servers, tls  # noqa: E402
from harness.process import Process, cpu_seconds, free_port, wait_until  # noqa: E402
from harness.sonde import Sonde  # noqa: E402

CPUS = sorted(os.sched_getaffinity(0))
SERVER_CPUS = {CPUS[0]}
OTHER_CPUS = set(CPUS[1:]) or SERVER_CPUS


def pin(pid, cpus):
    for task in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(task), cpus)


class Measured:
    """A server on one CPU that counts its requests on a port of its own, and the load for it. `worker` is what works."""

    def __init__(self, server, worker, status):
        self.server = server
        self.port = server.address[1]
        self.worker = worker
        self.status = status
        pin(self.worker, SERVER_CPUS)

    def count_of(self, text):
        return int(text)

    def requests(self):
        """Requests since the start; nginx counts this one, too."""
        with urllib.request.urlopen(self.status, timeout=5) as answer:
            return self.count_of(answer.read().decode())

    def cpu(self):
        return cpu_seconds(self.worker)

    def window(self, seconds):
        """(requests per second, CPU microseconds per request, requests) over a time."""
        begin, requests, cpu = time.monotonic(), self.requests(), self.cpu()
        time.sleep(seconds)
        end_cpu, end_requests, end = self.cpu(), self.requests(), time.monotonic()
        served = end_requests - requests
        return served / (end - begin), (end_cpu - cpu) * 1e6 / served, served

    def started(self, command, directory):
        return Process(command, directory, "load", preexec=lambda: os.sched_setaffinity(0, OTHER_CPUS))

    def wrk(self, directory, path, seconds, connections, scheme="http", depth=1):
        """`depth`: requests that a connection sends at once."""
        options = []
        if depth > 1:
            options = ["-s", f"{directory}/pipeline.lua"]
            with open(options[1], "w", encoding="utf-8") as file:
                file.write(f"init = function() all = string.rep(wrk.format(), {depth}) end\nrequest = function() return all end\n")
        return self.started([servers.tool("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", *options,
                             f"{scheme}://127.0.0.1:{self.port}{path}"], directory)

    def h2load(self, directory, path, seconds, *options):
        """32 requests at a time, as wrk's: eight connections with four streams each."""
        return self.started([servers.tool("h2load"), "-t1", "-c8", "-m4", f"-D{seconds}", *options,
                             f"http://127.0.0.1:{self.port}{path}"], directory)

    def stop(self):
        self.server.stop()


class Nginx(Measured):
    """`return 200` at /, a 1 KiB file at /file; `options` belong to `listen`."""

    def __init__(self, directory, options="", top=""):
        with open(f"{directory}/file", "wb") as file:
            file.write(b"f" * 1024)
        status = free_port()
        server = servers.nginx(
            directory, f"access_log off; keepalive_requests 2000000000; location / {{ return 200 'hello'; }} location = /file {{ root {directory}; }}",
            options=options,
            top=f"sendfile on; {top} server {{ listen 127.0.0.1:{status}; access_log off; location / {{ stub_status; }} }}")
        server.start()
        super().__init__(server, server.pids[-1], f"http://127.0.0.1:{status}/")

    def count_of(self, text):
        return int(text.split("\n")[2].split()[2])


def nginx_tls(directory):
    files = tls.files()
    return Nginx(directory, " ssl", f"ssl_certificate {files.certificate}; ssl_certificate_key {files.key};")


def go_server(directory, command, port=2):
    """`port`: which word of the command is it. Started with a port for the status last; on one thread, as an nginx worker is."""
    status = free_port()
    server = servers.Server([*command, str(status)], directory, "go", ("127.0.0.1", int(command[port])), f"{directory}/none",
                            env={"GOMAXPROCS": "1"})
    server.start()
    return Measured(server, server.process.pid, f"http://127.0.0.1:{status}/")


def go_tls(directory):
    files = tls.files()
    return go_server(directory, [servers.go_binary(), "bench", str(free_port()), files.certificate, files.key])


def grpc_go(directory):
    return go_server(directory, [build.grpc_go(), "bench", str(free_port())])


def fasthttp(directory):
    return go_server(directory, [build.fasthttp(), str(free_port())], port=1)


def grpc_message(directory):
    """A unary message of 16 bytes with its prefix."""
    path = f"{directory}/message"
    with open(path, "wb") as file:
        file.write(b"\0\0\0\0\x10" + b"0123456789abcdef")
    return path


def attach(directory, nginx, *args, exports=("none",), probes="", name="sonde"):
    run = Sonde(directory, "--pid", str(nginx.worker), "--port", str(nginx.port), *args, exports=list(exports),
                probes=probes, name=name)
    run.ready()
    pin(run.process.pid, OTHER_CPUS)
    return run


def attach_sockets(directory, nginx, probes="", name="sonde"):
    return attach(directory, nginx, "--no-probes", "tls", probes=probes, name=name)


def attach_neighbour(directory, _, probes="", name="sonde"):
    """To a process that does nothing but has the library of the server."""
    idle = "import signal, ssl, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); signal.pause()"
    run = Sonde(directory, command=[servers.PYTHON, "-c", idle], exports=["none"], probes=probes, name=name)
    run.ready()
    wait_until(lambda: run.metric("sonde_tls_libraries", state="decoded") != 0, "the library is probed")
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
            "wrk": output_of(servers.tool("wrk"), "-v").split(" [")[0], "h2load": output_of(servers.tool("h2load"), "--version"),
            "go": output_of(servers.tool("go"), "version"),
            "commit": output_of("git", "-C", root, "-c", f"safe.directory={os.path.realpath(root)}", "describe", "--always",
                                "--dirty")}
