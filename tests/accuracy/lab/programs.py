# SPDX-License-Identifier: Apache-2.0
"""How each service is built and started. A program gets its settings by environment: LAB_PORT, LAB_BACKEND (a port), LAB_URL
(where that is), LAB_CERTIFICATE and LAB_KEY (to serve TLS), LAB_POOL
(connections of its client, 0 = many), LAB_WORKERS (threads of its server), LAB_HANDOFF (threads of its pool), LAB_TIMER."""
import glob
import os
import re
import shutil
import subprocess

from harness.build import Missing, attempt, once, program, texts
from harness.process import free_port
from harness.servers import PYTHON, Server
from harness.tls import files, trust

from . import ROOT

SERVICES = os.path.join(ROOT, "services")
WHEELS = ("flask", "gunicorn", "requests", "aiohttp", "fastapi", "uvicorn", "httpx", "uvloop", "httptools", "gevent", "grpcio")


JVM = ("-Xmx256m", "-XX:+UseSerialGC", "-Dhttp.maxConnections=256")


def source(name):
    return os.path.join(SERVICES, name)


def npm(package, version):
    def make(path):
        attempt([program("npm"), "install", "--no-audit", "--no-fund", "--prefix", path, f"{package}@{version}"], path)

    return once(f"lab-{package.replace('/', '-')}", version, make)


class Toolchains:
    """Which interpreters the rows run on: the system's, or versions named on the command line."""

    def __init__(self, python="", node="", java=""):
        self.python_version = python
        self.node_version = node
        self.java_version = java

    def python(self, *modules):
        """The distribution's if it has the modules, else one of pyenv with packages from their registry."""
        if not self.python_version:
            done = subprocess.run([PYTHON, "-c", f"import {','.join(modules)}"], capture_output=True, check=False)
            if done.returncode == 0:
                return PYTHON
        found = sorted(glob.glob(os.path.expanduser(f"~/.pyenv/versions/{self.python_version or '3'}.*/bin/python3")))
        if self.python_version and not found:
            raise Missing(f"no Python {self.python_version} of pyenv")
        base = found[-1] if found else program("python3")

        def make(path):
            attempt([base, "-m", "venv", path], path)
            attempt([f"{path}/bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check", "--only-binary", ":all:",
                     *WHEELS], path)

        return os.path.join(once("lab-venv", (os.path.realpath(base), WHEELS), make), "bin", "python")

    def node(self):
        if not self.node_version:
            return program("node")

        return os.path.join(npm("node", self.node_version), "node_modules", "node", "bin", "node")

    def java(self, name="java", least=0):
        """`least`: the oldest version that will do."""
        if not self.java_version and not least:
            return program(name)
        found = {}
        for path in glob.glob(f"/usr/lib/jvm/*/bin/{name}"):
            number = re.search(r"-(?:1\.)?(\d+)", path.split("/")[4])
            if number:
                found[int(number.group(1))] = path
        fit = [v for v in sorted(found) if v >= least and self.java_version in ("", str(v))]
        if not fit:
            raise Missing(f"no Java {self.java_version or f'{least} or newer'}")
        return found[fit[0]]


def go_binary(path, flags=()):
    """A Go program of one file, which needs the standard library only."""
    def make(directory):
        attempt([program("go"), "build", *flags, "-o", f"{directory}/program", path], directory,
                {"GO111MODULE": "off", "CGO_ENABLED": "0", "GOFLAGS": "", "GOTOOLCHAIN": "local"})

    return os.path.join(once("lab-go", (texts([path]), tuple(flags)), make), "program")


def traffic():
    return go_binary(os.path.join(ROOT, "traffic", "main.go"))


class Place:
    """Where one service runs: its directory, its port, the port that it calls, and its settings."""

    def __init__(self, directory, name, backend, settings, tools, tls=False):
        self.directory = directory
        self.name = name
        self.port = free_port()
        self.backend = backend
        self.tools = tools
        self.settings = settings
        self.tls = tls
        self.scheme = "https" if tls else "http"
        self.env = {**settings, "LAB_PORT": str(self.port), "LAB_BACKEND": str(backend),
                    "LAB_URL": f"{self.scheme}://127.0.0.1:{backend}"}
        if tls:
            self.env.update(trust(), LAB_CERTIFICATE=files().certificate, LAB_KEY=files().key)

    def number(self, setting, otherwise):
        return int(self.settings.get(setting, 0)) or otherwise

    def server(self, command, workers=0, **env):
        """`workers`: how many processes it starts."""
        return Server(command, self.directory, self.name, ("127.0.0.1", self.port), os.path.join(self.directory, "log"),
                      env={**self.env, "PYTHONDONTWRITEBYTECODE": "1", **env}, workers=workers)

    def fill(self, template, **more):
        """The path of a configuration file made of services/<template>."""
        with open(source(template), encoding="utf-8") as file:
            text = file.read()
        values = {"DIRECTORY": self.directory, "NAME": self.name, "PORT": self.port, "BACKEND": self.backend,
                  "POOL": self.settings.get("LAB_POOL", 0), **more}
        for key, value in values.items():
            text = text.replace(f"@{key}@", str(value))
        path = os.path.join(self.directory, f"{self.name}-{template}")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path


def gunicorn(kind):
    def start(place):
        workers = 4 if kind == "sync" else 1
        modules = ("flask", "requests", "gunicorn", *(["gevent"] if kind == "gevent" else []))
        command = [place.tools.python(*modules), "-m", "gunicorn", "--chdir", SERVICES, "-b", f"127.0.0.1:{place.port}",
                   "-k", kind, "-w", str(workers), "--keep-alive", "30", "--timeout", "60"]
        if kind == "gthread":
            command += ["--threads", str(place.number("LAB_WORKERS", 64))]
        if place.tls:
            command += ["--certfile", files().certificate, "--keyfile", files().key]
        return place.server([*command, "flask_app:app"], workers=workers)

    return start


def flask(place):
    return place.server([place.tools.python("flask", "requests"), source("flask_app.py")])


def aiohttp(place):
    return place.server([place.tools.python("aiohttp"), source("aiohttp_app.py")])


def fastapi(loop):
    def start(place):
        modules = ("fastapi", "httpx", "uvicorn", *(["uvloop"] if loop == "uvloop" else []))
        return place.server([place.tools.python(*modules), source("fastapi_app.py")], LAB_LOOP=loop)

    return start


def grpcio(kind):
    def start(place):
        return place.server([place.tools.python("grpc", "aiohttp", "requests"), source("grpcio_app.py"), kind])

    return start


def gevent(place):
    return place.server([place.tools.python("gevent", "requests"), source("gevent_app.py")])


def node(client, server="http"):
    def start(place):
        env = {"LAB_CLIENT": client, "LAB_SERVER": server}
        if client == "undici":
            env["NODE_PATH"] = os.path.join(npm("undici", "6" if place.tools.node_version == "18" else "7"), "node_modules")
        elif "grpc" in (client, server):
            env["NODE_PATH"] = os.path.join(npm("@grpc/grpc-js", "1"), "node_modules")
        return place.server([place.tools.node(), source("node.js")], **env)

    return start


def go(*flags, **env):
    return lambda place: place.server([go_binary(source("go.go"), flags)], **env)


def go_streams(serve, stripped=False):
    """Of modules from their registry."""
    def start(place):
        folder = source("go_streams")
        files = [os.path.join(folder, name) for name in ("go.mod", "main.go")]

        def make(path):
            shutil.copytree(folder, path, dirs_exist_ok=True)
            env = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"}
            attempt([program("go"), "build", "-p", "1", "-o", f"{path}/program", "."], path, env)
            attempt([program("go"), "build", "-p", "1", "-ldflags", "-s -w", "-o", f"{path}/stripped", "."], path, env)

        path = once("lab-go-streams", texts(files), make)
        return place.server([f"{path}/stripped" if stripped else f"{path}/program"], LAB_SERVE=serve)

    return start


def nginx(listen="", passes="proxy_pass"):
    """`listen`: what its socket speaks beside HTTP/1."""
    def start(place):
        place.settings = {"LAB_POOL": "256", **place.settings}
        os.chmod(place.directory, 0o755)
        text = {"LISTEN": listen, "SERVER": "", "PASS": f"{passes} {place.scheme if passes == 'proxy_pass' else 'grpc'}"}
        if place.tls:
            text.update(LISTEN=f"ssl {listen}", SERVER=f"ssl_certificate {files().certificate}; ssl_certificate_key {files().key};")
        top = ["-g", "user root;"] if os.getuid() == 0 else []
        return place.server([program("nginx"), "-p", place.directory, "-c", place.fill("nginx.conf", **text), *top], workers=2)

    return start


def haproxy(place):
    return place.server([program("haproxy"), "-db", "-f", place.fill("haproxy.cfg")])


def apache_php(place):
    modules = "/usr/lib/apache2/modules"
    php = sorted(glob.glob(f"{modules}/libphp*.so"))
    if not php:
        raise Missing("mod_php is not installed")
    os.chmod(place.directory, 0o755)
    shutil.copy(source("index.php"), place.directory)  # read as www-data
    path = place.fill("apache_php.conf", MODULES=modules, PHP=os.path.basename(php[-1]))
    return place.server([program("apache2"), "-f", path, "-DFOREGROUND"], workers=72)


def puma(place):
    threads = place.number("LAB_WORKERS", 64)
    return place.server([program("puma"), "-q", "-e", "production", "-t", f"{threads}:{threads}", "-b",
                         f"tcp://127.0.0.1:{place.port}", source("puma_app.ru")])


def cpp(place):
    path = source("threads.cpp")

    def make(directory):
        attempt([program("c++"), "-std=c++20", "-O1", "-o", f"{directory}/program", path, "-lcurl", "-pthread"], directory)

    return place.server([os.path.join(once("lab-cpp", texts([path]), make), "program")])


def java(client, virtual=False, least=0):
    def start(place):
        path = source("JavaLab.java")
        compiler, machine = place.tools.java("javac", least), place.tools.java("java", least)
        classes = once("lab-java", (texts([path]), os.path.realpath(compiler)),
                       lambda directory: attempt([compiler, "-d", directory, path], directory))
        env = {"LAB_CLIENT": client, **({"LAB_VIRTUAL": "1"} if virtual else {})}
        return place.server([machine, *JVM, "-Dsun.net.httpserver.nodelay=true", "-cp", classes, "JavaLab"], **env)

    return start


def maven(name):
    """A class of services/jvm, with its libraries."""
    def start(place):
        folder = source("jvm")
        pom, path = os.path.join(folder, "pom.xml"), os.path.join(folder, f"{name}.java")
        jars = once("lab-jars", texts([pom]), lambda directory: attempt(
            [program("mvn"), "-q", "-B", "-f", pom, "dependency:copy-dependencies", f"-DoutputDirectory={directory}"], directory))
        compiler = place.tools.java("javac")
        classes = once(f"lab-{name}", (texts([pom, path]), os.path.realpath(compiler)), lambda directory: attempt(
            [compiler, "-cp", f"{jars}/*", "-d", directory, path], directory))
        return place.server([place.tools.java(), *JVM, "-cp", f"{classes}:{jars}/*", name, place.directory])

    return start


def tokio(loop, stripped=False):
    def start(place):
        folder = source("tokio")
        files = [os.path.join(folder, name) for name in ("Cargo.toml", "src/main.rs")]

        def make(path):
            shutil.copytree(folder, path, dirs_exist_ok=True)
            attempt([program("cargo"), "build", "-q", "--release", "--manifest-path", f"{path}/Cargo.toml", "--target-dir",
                     f"{path}/target"], path)
            attempt([program("strip"), "-o", f"{path}/stripped", f"{path}/target/release/tokio_lab"], path)

        path = once("lab-tokio", texts(files), make)
        return place.server([f"{path}/stripped" if stripped else f"{path}/target/release/tokio_lab"], LAB_LOOP=loop)

    return start
