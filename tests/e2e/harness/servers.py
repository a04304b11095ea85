# SPDX-License-Identifier: Apache-2.0
"""Real servers from packages, each on a free loopback port, with an access log that the judge can read."""
import os
import random
import shutil
import signal
import subprocess
import time

from .judge import read_log
from .process import Process, accepts, children, free_port, wait_until

APPS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "apps")
# The distribution's interpreter: its packages are the ones that bootstrap installs.
PYTHON = "/usr/bin/python3"
SBIN = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def tool(name):
    found = shutil.which(name, path=SBIN)
    assert found, f"{name} is not installed: script/bootstrap test"
    return found


class Server:
    """A started server. `pids` are the processes that serve."""

    def __init__(self, command, directory, name, address, log, env=None, workers=0):
        self.directory = str(directory)
        self.address = address
        self.log = log
        self.command = command
        self.env = {"ACCESS_LOG": log, **(env or {})}
        self.name = name
        self.workers = workers
        self.process = None

    def start(self):
        self.process = Process(self.command, self.directory, self.name, env=self.env)
        self.wait()
        return self

    def wait(self, seconds=60):
        def condition():
            if self.process is not None:
                assert self.process.running(), f"{self.name} ended: {self.process.stderr()[-2000:]}"
            return accepts(self.address)

        wait_until(condition, f"{self.name} listens", seconds)
        if self.process is not None and self.workers:
            wait_until(lambda: len(children(self.process.pid)) >= self.workers, f"{self.name} workers")

    @property
    def pids(self):
        return [self.process.pid, *children(self.process.pid)]

    def entries(self):
        return read_log(self.log)

    def finish_log(self):
        """Waits until nothing more is written: some log a request only after its answer."""
        def size():
            return os.path.getsize(self.log) if os.path.exists(self.log) else 0

        before = -1
        while before != size():
            before = size()
            time.sleep(0.1)

    def stop(self):
        if self.process is not None:
            self.process.stop(signal.SIGTERM, 5)


def alive(pid):
    return os.path.exists(f"/proc/{pid}")


def selectors(server):
    """--pid for each process of a server."""
    return [word for pid in server.pids for word in ("--pid", str(pid))]


NGINX_LOG = ("log_format judge escape=json '{\"method\":\"$request_method\",\"target\":\"$request_uri\","
             "\"status\":\"$status\",\"response_bytes\":%s,\"request_bytes\":\"$content_length\","
             "\"duration_s\":\"$request_time\",\"port\":\"$remote_port\"}';")


def nginx(directory, locations, workers=1, listen=None, log_bytes='"$body_bytes_sent"', top="", name="nginx",
          options=""):
    """nginx with its own configuration. `locations` is the inside of the server block, `options` belong to `listen`."""
    directory = str(directory)
    port = free_port()
    address = ("127.0.0.1", port)
    if listen == "ipv6":
        port = free_port("::1")
        address = ("::1", port)
    log = f"{directory}/{name}.log"
    configuration = f"""
daemon off; pid {directory}/{name}.pid; error_log {directory}/{name}.error.log;
worker_processes {workers};
events {{ worker_connections 512; }}
http {{
  {NGINX_LOG % log_bytes}
  access_log {log} judge;
  client_body_temp_path {directory}/{name}-body; proxy_temp_path {directory}/{name}-proxy;
  fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
  client_max_body_size 10m; keepalive_requests 100000; default_type text/plain;
  {top}
  server {{ listen {'[::1]' if listen == 'ipv6' else '127.0.0.1'}:{port}{options}; {locations} }}
}}
"""
    if os.getuid() == 0:
        configuration = "user root;" + configuration
    path = f"{directory}/{name}.conf"
    with open(path, "w", encoding="utf-8") as file:
        file.write(configuration)
    return Server([tool("nginx"), "-p", directory, "-c", path], directory, name, address, log, workers=workers)


def static_files(directory, count=60, seed=3):
    """Files of many sizes for sendfile, in <directory>/files."""
    rng = random.Random(seed)
    root = os.path.join(str(directory), "files")
    os.makedirs(root, exist_ok=True)
    os.chmod(str(directory), 0o755)
    sizes = [0, 1, 1024, 4096, 65536, 1_000_000] + [rng.randrange(100_000) for _ in range(count - 6)]
    for i, size in enumerate(sizes):
        with open(os.path.join(root, f"f{i}.bin"), "wb") as file:
            file.write(rng.randbytes(size))
    return root, sizes


def apache(directory, top=""):
    directory = str(directory)
    port = free_port()
    log = f"{directory}/apache.log"
    root, _ = static_files(directory)
    modules = "/usr/lib/apache2/modules"
    configuration = f"""
ServerName localhost
ServerRoot {directory}
DefaultRuntimeDir {directory}
PidFile {directory}/apache.pid
ErrorLog {directory}/apache.error.log
Listen 127.0.0.1:{port}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule alias_module {modules}/mod_alias.so
LoadModule mime_module {modules}/mod_mime.so
LoadModule dir_module {modules}/mod_dir.so
TypesConfig /etc/mime.types
User www-data
Group www-data
StartServers 2
EnableSendfile On
KeepAlive On
KeepAliveTimeout 60
MaxKeepAliveRequests 0
DocumentRoot {root}
Redirect 301 /old /f1.bin
LogFormat "{{\\"method\\":\\"%m\\",\\"target\\":\\"%U%q\\",\\"status\\":\\"%>s\\",\\"response_bytes\\":\\"%B\\",\\"duration_us\\":\\"%D\\",\\"port\\":\\"%{{remote}}p\\"}}" judge
CustomLog {log} judge
{top}
"""
    path = f"{directory}/apache.conf"
    with open(path, "w", encoding="utf-8") as file:
        file.write(configuration)
    open(log, "w", encoding="utf-8").close()
    return Server([tool("apache2"), "-f", path, "-DFOREGROUND"], directory, "apache", ("127.0.0.1", port), log, workers=2)


GUNICORN_LOG = ('{"method":"%(m)s","target":"%({raw_uri}e)s","status":"%(s)s","response_bytes":"%(B)s",'
                '"request_bytes":"%({content-length}i)s","duration_us":"%(D)s",'
                '"port":"%({remote_port}e)s"}')


def gunicorn(directory, kind="sync", workers=1, unix=False, app="wsgi_app:app", name="gunicorn", env=None,
             arguments=()):
    directory = str(directory)
    log = f"{directory}/{name}.log"
    address = f"{directory}/{name}.sock" if unix else ("127.0.0.1", free_port())
    bind = f"unix:{address}" if unix else f"127.0.0.1:{address[1]}"
    command = [PYTHON, "-m", "gunicorn", "--chdir", APPS, "-b", bind, "-w", str(workers), "-k", kind,
               "--access-logfile", log, "--access-logformat", GUNICORN_LOG, "--keep-alive", "5", "--timeout", "60", *arguments, app]
    if kind == "gthread":
        command[-1:-1] = ["--threads", "8"]
    return Server(command, directory, name, address, log, workers=workers, env={"PYTHONUNBUFFERED": "1", **(env or {})})


def chain(directory):
    """nginx -> front (gunicorn) -> back (gunicorn), started, in this order; nobody sends a header about traces."""
    back = gunicorn(directory, "sync", app="chain_app:app", name="back", env={"OTEL_SERVICE_NAME": "back"}).start()
    front = gunicorn(directory, "sync", app="chain_app:app", name="front",
                     env={"OTEL_SERVICE_NAME": "front", "NEXT": f"http://127.0.0.1:{back.address[1]}"}).start()
    proxy = nginx(directory, f"location / {{ proxy_pass http://127.0.0.1:{front.address[1]}; }}").start()
    return proxy, front, back


def uvicorn(directory, *arguments, python=PYTHON):
    port = free_port()
    log = f"{directory}/uvicorn.log"
    command = [python, "-m", "uvicorn", "--app-dir", APPS, "--host", "127.0.0.1", "--port", str(port), "--no-access-log",
               "--timeout-keep-alive", "60", *arguments, "asgi_app:app"]
    return Server(command, directory, "uvicorn", ("127.0.0.1", port), log)


def python_app(directory, script, name, *arguments, python=PYTHON):
    """flask_app.py, http_server.py: started with the port as their first argument."""
    port = free_port()
    return Server([python, os.path.join(APPS, script), str(port), *arguments], directory, name, ("127.0.0.1", port),
                  f"{directory}/{name}.log")


def node(directory, *arguments):
    port = free_port()
    return Server([tool("node"), os.path.join(APPS, "node_server.js"), str(port), *arguments], directory, "node",
                  ("127.0.0.1", port), f"{directory}/node.log")


def go_binary(stripped=False):
    """Compiled once per build directory; `go build` needs nothing but the standard library."""
    target = os.path.join(os.environ.get("SONDE_E2E_CACHE", "/tmp"), "go_peer_stripped" if stripped else "go_peer")
    source = os.path.join(APPS, "go_peer", "main.go")
    if not os.path.exists(target) or os.path.getmtime(target) < os.path.getmtime(source):
        partial = f"{target}.{os.getpid()}"
        env = {**os.environ, "GO111MODULE": "off", "CGO_ENABLED": "0", "GOFLAGS": "", "GOTOOLCHAIN": "local"}
        flags = ["-ldflags", "-s -w"] if stripped else []
        done = subprocess.run([tool("go"), "build", *flags, "-o", partial, source], env=env, capture_output=True, text=True,
                              check=False)
        assert done.returncode == 0, done.stderr
        os.replace(partial, target)
    return target


def go(directory, *arguments, stripped=False):
    port = free_port()
    return Server([go_binary(stripped), "serve", str(port), *arguments], directory, "go", ("127.0.0.1", port),
                  f"{directory}/go.log")


def java_command(*args):
    return [tool("java"), "-Xmx128m", "-XX:+UseSerialGC", "-Dsun.net.httpserver.nodelay=true",
            os.path.join(APPS, "JavaPeer.java"), *args]


def java(directory):
    port = free_port()
    return Server(java_command("serve", str(port)), directory, "java", ("127.0.0.1", port), f"{directory}/java.log")
