# SPDX-License-Identifier: Apache-2.0
"""Starts the shop of script/demo on free loopback ports, keeps it running, and ends it without leaving anything.

shop.py [--seconds N]: ends after N seconds, or by SIGINT or SIGTERM, with exit code 0; 1 if a part of it died.
"""
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"
PR_SET_PDEATHSIG = 1
# Each service and whom it asks.
SERVICES = {"pricing": [], "catalog": ["pricing"], "cart": [], "checkout": ["pricing", "cart"],
            "frontend": ["catalog", "cart", "checkout"]}
NGINX = """
daemon off; pid {directory}/nginx.pid; error_log {directory}/nginx.log; worker_processes 1; {user}
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {directory}/b; proxy_temp_path {directory}/p; fastcgi_temp_path {directory}/f;
  uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{frontend}; }} }}
}}
"""


def die_with_parent():
    """Even if the parent is killed, nothing stays behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def in_child():
    # Ctrl-C of a terminal goes to a whole group: only the supervisor shall act on it.
    os.setsid()
    die_with_parent()


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Shop:
    def __init__(self, directory):
        self.directory = directory
        self.ports = dict(zip([*SERVICES, "nginx"], free_ports(len(SERVICES) + 1)))
        self.processes = {}

    def spawn(self, name, command, env=None):
        with open(f"{self.directory}/{name}.out", "wb") as out:
            self.processes[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=HERE,
                                                    env={**os.environ, **(env or {})}, preexec_fn=in_child)

    def start(self):
        for name, asks in SERVICES.items():
            # One worker, one request at a time: who calls whom is certain.
            self.spawn(name, [PYTHON, "-B", "-m", "gunicorn", "-b", f"127.0.0.1:{self.ports[name]}", "-w", "1",
                              "--log-level", "error", f"{name}:app"],
                       {f"{other.upper()}_URL": f"http://127.0.0.1:{self.ports[other]}" for other in asks})
        with open(f"{self.directory}/nginx.conf", "w", encoding="utf-8") as file:
            file.write(NGINX.format(directory=self.directory, port=self.ports["nginx"], frontend=self.ports["frontend"],
                                    user="user root;" if os.getuid() == 0 else ""))
        nginx = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
        self.spawn("nginx", [nginx, "-p", self.directory, "-c", f"{self.directory}/nginx.conf"])
        self.wait_for_ports()
        self.spawn("customers", [PYTHON, "-B", "customers.py", f"http://127.0.0.1:{self.ports['nginx']}"])

    def wait_for_ports(self):
        end = time.monotonic() + 20
        while not all(listens(port) for port in self.ports.values()):
            self.check()
            if time.monotonic() > end:
                raise RuntimeError("the shop did not open within 20 s")
            time.sleep(0.05)

    def check(self):
        for name, process in self.processes.items():
            if process.poll() is not None:
                with open(f"{self.directory}/{name}.out", encoding="utf-8", errors="replace") as file:
                    raise RuntimeError(f"{name} ended with {process.returncode}: {file.read()[-500:].strip()}")

    def stop(self):
        """Customers first, then the shop from the front to the back; each with what it forked."""
        for process in reversed(self.processes.values()):
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:
                pass
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()


def main():
    seconds = float(sys.argv[2]) if sys.argv[1:2] == ["--seconds"] else float("inf")
    asked = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: asked.append(True))
    die_with_parent()
    with tempfile.TemporaryDirectory(prefix="sonde-shop-") as directory:
        shop = Shop(directory)
        try:
            shop.start()
            end = time.monotonic() + seconds
            while not asked and time.monotonic() < end:
                time.sleep(0.1)
                if not asked:
                    shop.check()
        except RuntimeError as error:
            if not asked:
                print(f"shop: {error}", file=sys.stderr)
                return 1
        finally:
            shop.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
