# SPDX-License-Identifier: Apache-2.0
"""Programs that no package of the system holds, from the language registries: made once, kept in the cache. What cannot be
made here skips the test with the reason."""
import hashlib
import os
import shutil
import subprocess

from .servers import APPS, SBIN
from .tls import CACHE, Locked

try:
    from pytest import skip
    Missing = skip.Exception  # a skipped test
except ImportError:  # script/bench has no pytest
    Missing = Exception

# Each bundles a TLS library of its own: OpenSSL 4.0 (cryptography), OpenSSL 3.6 (pycurl), BoringSSL (grpcio). The others use
# the interpreter's.
WHEELS = ["cryptography", "pyOpenSSL", "pycurl", "grpcio", "aiohttp", "httpx[http2]"]


def attempt(command, directory, env=None):
    try:
        done = subprocess.run(["nice", *command], cwd=directory, env={**os.environ, **(env or {})}, capture_output=True,
                              text=True, timeout=1500, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{command[0]}: {error}")
    if done.returncode != 0:
        raise Missing(f"{' '.join(command[:4])} failed: {(done.stdout + done.stderr).strip()[-400:]}")


def program(name):
    found = shutil.which(name, path=SBIN)
    if not found:
        raise Missing(f"{name} is not installed")
    return found


def sources(directory):
    found = []
    for root, _, names in os.walk(directory):
        found += [os.path.join(root, name) for name in names]
    return sorted(found)


def once(name, key, make):
    """The path of <cache>/<name>-<hash of key>, which make(path) fills when it is not there."""
    path = os.path.join(CACHE, f"{name}-{hashlib.sha256(repr(key).encode()).hexdigest()[:12]}")
    done = os.path.join(path, ".done")
    with Locked(name):
        if not os.path.exists(done):
            shutil.rmtree(path, ignore_errors=True)
            os.makedirs(path)
            make(path)
            with open(done, "w", encoding="utf-8"):
                pass
    return path


def texts(paths):
    contents = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            contents.append(file.read())
    return contents


def python_with_wheels(interpreter="python3", wheels=tuple(WHEELS)):
    """An interpreter in a virtual environment that has them."""
    base = program(interpreter)

    def make(path):
        attempt([base, "-m", "venv", path], CACHE)
        attempt([f"{path}/bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check", "--only-binary", ":all:",
                 *wheels], path)

    return os.path.join(once("venv", (os.path.realpath(base), wheels), make), "bin", "python")


def rust_peer():
    source = os.path.join(APPS, "rust_peer")

    def make(path):
        attempt([program("cargo"), "build", "-q", "--release", "--manifest-path", f"{path}/Cargo.toml", "--target-dir",
                 f"{path}/target"], path)

    def copy_and_make(path):
        shutil.copytree(source, path, dirs_exist_ok=True)
        make(path)

    return os.path.join(once("rust_peer", texts(sources(source)), copy_and_make), "target", "release", "rust_peer")


def grpc_go(stripped=False):
    source = os.path.join(APPS, "grpc_go")

    def make(path):
        shutil.copytree(source, path, dirs_exist_ok=True)
        env = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"}
        attempt([program("go"), "build", "-o", f"{path}/grpc_go", "."], path, env)
        attempt([program("go"), "build", "-ldflags", "-s -w", "-o", f"{path}/grpc_go_stripped", "."], path, env)

    return os.path.join(once("grpc_go", texts(sources(source)), make), "grpc_go_stripped" if stripped else "grpc_go")


def _go_program(name, *options):
    """The program of apps/<name>."""
    source = os.path.join(APPS, name)

    def make(path):
        shutil.copytree(source, path, dirs_exist_ok=True)
        attempt([program("go"), "build", *options, "-o", f"{path}/{name}", "."], path,
                {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"})

    return os.path.join(once(name, texts(sources(source)), make), name)


def fasthttp():
    return _go_program("fasthttp")


def otel_collector(which="otelcol"):
    """The OpenTelemetry Collector itself: with an OTLP receiver and an OTLP exporter, with what tail sampling over several hosts takes
    (otelcol_tail), or with what deploy/compose names (otelcol_demo)."""
    return _go_program(which, "-p", "1", "-ldflags", "-s -w")


JAEGER = "github.com/jaegertracing/jaeger@v1.76.0"


def jaeger():
    """Jaeger 2 (tagged twice: v1.76.0 is v2.13.0), without its pages. It is built where its own go.mod is the main one, so that what
    that says of its dependencies, versions, replacements and checksums, counts."""

    def make(path):
        env = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
        attempt([program("go"), "mod", "download", JAEGER], path, env)
        modules = subprocess.run([program("go"), "env", "GOMODCACHE"], capture_output=True, text=True, check=True).stdout.strip()
        source = os.path.join(path, "source")
        shutil.copytree(os.path.join(modules, JAEGER), source, copy_function=shutil.copyfile)
        for directory, _, _ in os.walk(source):
            os.chmod(directory, 0o755)  # the cache is read-only
        attempt([program("go"), "build", "-p", "2", "-ldflags", "-s -w", "-o", f"{path}/jaeger", "./cmd/jaeger"], source, env)
        shutil.rmtree(source)

    return os.path.join(once("jaeger", JAEGER, make), "jaeger")


def kube_apiserver():
    return _go_program("kube_apiserver", "-p", "2", "-ldflags", "-s -w")


ZIPKIN = "io.zipkin:zipkin-server:3.4.4:jar:exec"


def zipkin():
    """Zipkin's server as one jar, from Maven."""

    def make(path):
        attempt([program("mvn"), "-q", "-B", "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy", f"-Dartifact={ZIPKIN}",
                 f"-DoutputDirectory={path}", "-Dmdep.stripVersion=true"], path)

    return os.path.join(once("zipkin", ZIPKIN, make), "zipkin-server-exec.jar")


def kafka():
    """The class path of Apache Kafka, broker and client, from Maven."""
    pom = os.path.join(APPS, "kafka", "pom.xml")

    def make(path):
        attempt([program("mvn"), "-q", "-B", "-f", pom, "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies",
                 "-DincludeScope=runtime", f"-DoutputDirectory={path}"], path)

    return os.path.join(once("kafka", texts([pom]), make), "*")
