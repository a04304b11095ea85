# SPDX-License-Identifier: Apache-2.0
"""The image as `docker build` makes it of the Dockerfile, from nothing: for this machine, where it is run as docs/operating/docker.md
says, and cross-compiled for arm64. Debian's image cannot be pulled here, so it is made by debootstrap, with this machine's own apt
settings."""
import json
import os
import shutil
import subprocess

import machine
import pytest
from conftest import ROOT, need, run
from engine import DOCKERFILE, running_engine, trace_another

HOURS = 3600


@pytest.fixture(scope="module")
def engine():
    need("debootstrap")
    with running_engine("overlay2") as made:
        made.load("debian:12", machine.base())
        yield made


def build(engine, name, *options):
    engine("build", "--network", "host", "-f", DOCKERFILE, "-t", name, *options, ROOT, timeout=3 * HOURS)


def files_of(engine, name, directory, *options):
    """The image's file system."""
    container = engine("create", *options, name)
    os.makedirs(directory)
    with subprocess.Popen(["tar", "-C", directory, "-x"], stdin=subprocess.PIPE) as tar:
        engine("export", container, stdout=tar.stdin, capture_output=False)
        tar.stdin.close()
    engine("rm", container)
    return directory


def test_this_machine(engine, tmp_path):
    build(engine, "sonde:built")
    facts = json.loads(engine("inspect", "sonde:built"))[0]
    assert facts["Config"]["Entrypoint"] == ["/usr/bin/sonde"] and facts["Size"] < 64 << 20, facts
    assert engine("run", "--rm", "--network", "none", "sonde:built", "version").startswith("sonde ")
    # With the engine's socket it knows containers by name and label.
    spans = trace_another(engine, "sonde:built", "-v", f"{engine.directory}/s:/var/run/docker.sock", selector=("--container-label", "team=shop"))
    resource = spans[0].resource
    assert (resource["container.name"], resource["container.label.team"]) == ("wanted", "shop")
    assert (resource["container.image.name"], resource["container.image.tags"]) == ("peer", ["test"])
    assert len(resource["container.id"]) == 64 and resource["container.runtime.name"] == "docker"


def test_arm64(engine, tmp_path):
    if os.uname().machine != "x86_64":
        pytest.skip("arm64 is cross-compiled on x86_64 only")
    build(engine, "sonde:arm64", "--platform", "linux/arm64")
    assert json.loads(engine("inspect", "sonde:arm64"))[0]["Architecture"] == "arm64"
    root = files_of(engine, "sonde:arm64", str(tmp_path / "root"), "--platform", "linux/arm64")
    assert "AArch64" in run("readelf", "-h", f"{root}/usr/bin/sonde")
    libraries = f"{root}/usr/lib/aarch64-linux-gnu"
    for name in os.listdir(libraries):
        assert "AArch64" in run("readelf", "-h", f"{libraries}/{name}"), name
    with open(f"{root}/usr/share/doc/sonde/sbom.spdx.json", encoding="utf-8") as file:
        assert {"libc6", "libbpf1", "libssl3", "ca-certificates"} <= {package["name"] for package in json.load(file)["packages"]}
    emulator = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
    if emulator:  # the loader finds every library in the image, and nothing of this machine
        assert run(emulator, "-L", root, f"{root}/usr/bin/sonde", "version").startswith("sonde ")
