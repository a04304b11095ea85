# SPDX-License-Identifier: Apache-2.0
"""Programs that only the Go module proxy has, built once per build directory. Where that is not possible the test is skipped."""
import os
import shutil
import subprocess

import pytest
from conftest import BUILD, need

HELM = "helm.sh/helm/v3/cmd/helm@v3.14.4"
# What the API server of this release accepts.
KUBERNETES = "1.29.0"
MODULE = """module sonde/manifests

go 1.21

require (
    k8s.io/api v0.29.4
    k8s.io/apimachinery v0.29.4
    k8s.io/client-go v0.29.4
    sigs.k8s.io/yaml v1.4.0
)
"""


def go(arguments, directory, binaries):
    need("go")
    os.makedirs(binaries, exist_ok=True)
    environment = {**os.environ, "GOBIN": binaries, "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"}
    try:
        done = subprocess.run(["go", *arguments], cwd=directory, env=environment, capture_output=True, text=True,
                              timeout=800, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"go {' '.join(arguments)}: not within 800 s")
    if done.returncode != 0:
        pytest.skip(f"go {' '.join(arguments)}: {done.stderr.strip()[-300:]}")


def binaries():
    return os.path.join(BUILD, "go-tools")


def helm():
    path = os.path.join(binaries(), "helm")
    if not os.path.exists(path):
        go(["install", HELM], BUILD, binaries())
    return path


def manifests():
    """The strict reader of manifests/main.go."""
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "manifests", "main.go")
    path = os.path.join(binaries(), "manifests")
    if not os.path.exists(path) or os.path.getmtime(path) < os.path.getmtime(source):
        work = os.path.join(BUILD, "manifests-build")
        shutil.rmtree(work, ignore_errors=True)
        os.makedirs(work)
        shutil.copy(source, work)
        with open(f"{work}/go.mod", "w", encoding="utf-8") as file:
            file.write(MODULE)
        go(["build", "-o", path, "."], work, binaries())
    return path
