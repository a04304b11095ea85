# SPDX-License-Identifier: Apache-2.0
"""gRPC libraries from their registries, built once per build directory. What cannot be had is a reason to skip."""
import fcntl
import functools
import os
import shutil
import subprocess

import pytest

from .servers import APPS, SBIN

GRPC_GO = "v1.85.0"
GRPC_JS = "1.14.7"


def _run(command, directory, env=None):
    try:
        done = subprocess.run(command, cwd=directory, env={**os.environ, **(env or {})}, capture_output=True, text=True,
                              timeout=150, check=False)
    except subprocess.TimeoutExpired:
        return f"{' '.join(command)}: no answer within 150 s"
    return "" if done.returncode == 0 else f"{' '.join(command)}: {done.stderr.strip()[-300:]}"


def _directory(name):
    path = os.path.join(os.environ.get("SONDE_E2E_CACHE", "/tmp"), name)
    os.makedirs(path, exist_ok=True)
    return path


def once(build):
    """The hook families' tests run side by side: one builds, the others wait."""
    @functools.wraps(build)
    def locked():
        with open(os.path.join(_directory("locks"), build.__name__), "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return build()

    return locked


def _tool(name):
    if not shutil.which(name, path=SBIN):
        pytest.skip(f"{name} is not installed")
    return shutil.which(name, path=SBIN)


@once
def go():
    """Command of the grpc-go peer."""
    source = os.path.join(APPS, "grpc_go_plain", "main.go")
    directory = _directory("grpc_go_plain")
    target = os.path.join(directory, "peer")
    if not os.path.exists(target) or os.path.getmtime(target) < os.path.getmtime(source):
        tool = _tool("go")
        shutil.copy(source, directory)
        env = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GO111MODULE": "on"}
        steps = [] if os.path.exists(f"{directory}/go.mod") else [[tool, "mod", "init", "peer"]]
        steps += [[tool, "get", f"google.golang.org/grpc@{GRPC_GO}"], [tool, "build", "-o", f"{target}.new", "."]]
        for step in steps:
            if reason := _run(step, directory, env):
                pytest.skip(f"grpc-go cannot be built: {reason}")
        os.replace(f"{target}.new", target)
    return target


@once
def js():
    """Command of the @grpc/grpc-js peer."""
    directory = _directory("grpc_js")
    node = _tool("node")
    if not os.path.exists(f"{directory}/node_modules/@grpc/grpc-js/package.json"):
        if reason := _run([_tool("npm"), "install", "--no-audit", "--no-fund", "--prefix", directory,
                           f"@grpc/grpc-js@{GRPC_JS}"], directory):
            pytest.skip(f"@grpc/grpc-js cannot be installed: {reason}")
    return f"env NODE_PATH={directory}/node_modules {node} {APPS}/grpc_js.js"


@once
def java():
    """Command of the grpc-java peer."""
    source = os.path.join(APPS, "grpc_java")
    directory = _directory("grpc_java")
    if not os.path.isdir(f"{directory}/jars"):
        if reason := _run([_tool("mvn"), "-q", "-B", "-f", f"{source}/pom.xml", "dependency:copy-dependencies",
                           f"-DoutputDirectory={directory}/jars.new"], directory):
            pytest.skip(f"grpc-java cannot be had: {reason}")
        os.rename(f"{directory}/jars.new", f"{directory}/jars")
    target, file = f"{directory}/GrpcPeer.class", f"{source}/GrpcPeer.java"
    if not os.path.exists(target) or os.path.getmtime(target) < os.path.getmtime(file):
        reason = _run([_tool("javac"), "-cp", f"{directory}/jars/*", "-d", directory, file], directory)
        assert not reason, reason
    return f"{_tool('java')} -Xmx256m -cp '{directory}:{directory}/jars/*' GrpcPeer"


PEERS = {"go": go, "js": js, "java": java}
