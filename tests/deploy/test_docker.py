# SPDX-License-Identifier: Apache-2.0
"""The image: its file system on a real Docker engine of the test's own, run as docs/operating/docker.md says, tracing a container
that the test started. Nothing can be pulled here, so the file system that the Dockerfile's last stage copies is imported."""
import json
import os
import shutil
import tempfile

import pytest
from conftest import BUILD, ROOT, need, run
from engine import DOCKERFILE, running_engine, trace_another


@pytest.fixture(scope="module")
def rootfs():
    need("cmake", "readelf")
    run("cmake", "--build", BUILD, "--target", "sonde", "sonde_package_files", timeout=1500)
    with tempfile.TemporaryDirectory(prefix="sonde-image-") as directory:
        run(f"{ROOT}/deploy/docker/rootfs", BUILD, f"{directory}/root")
        yield f"{directory}/root"


@pytest.fixture(scope="module")
def engine():
    with running_engine() as made:
        yield made


def last_stage():
    """Entry point, command and labels of the Dockerfile's last stage, as `docker import --change` takes them."""
    with open(DOCKERFILE, encoding="utf-8") as file:
        stage = file.read().split("\nFROM ")[-1].replace("\\\n", " ").replace("${VERSION}", "0.1.0")
    assert stage.startswith("scratch") and "COPY --from=build /image/ /" in stage
    return [line for line in stage.splitlines() if line.startswith(("LABEL", "ENTRYPOINT", "CMD", "USER"))]


def test_sbom(rootfs):
    with open(f"{rootfs}/usr/share/doc/sonde/sbom.spdx.json", encoding="utf-8") as file:
        bill = json.load(file)
    packages = {package["name"]: package for package in bill["packages"]}
    version = run("dpkg-query", "-W", "-f", "${Version}", "libc6").strip()
    assert packages["libc6"]["versionInfo"] == version
    assert {"sonde", "libbpf1", "libssl3", "ca-certificates"} <= packages.keys(), packages.keys()
    assert len({package["SPDXID"] for package in bill["packages"]}) == len(bill["packages"])
    related = {relation["relatedSpdxElement"] for relation in bill["relationships"]}
    assert related == {package["SPDXID"] for package in bill["packages"]}


def test_small(rootfs):
    size = sum(os.lstat(os.path.join(directory, name)).st_size for directory, _, names in os.walk(rootfs) for name in names)
    assert size < 64 << 20, size
    assert not os.path.exists(f"{rootfs}/bin/sh") and not os.path.exists(f"{rootfs}/usr/bin/sh")


@pytest.mark.parametrize("profile", [None, f"{ROOT}/deploy/security/seccomp.json"], ids=["docker's seccomp", "sonde's seccomp"])
def test_traces_another_container(engine, rootfs, profile):
    engine.load("sonde:test", rootfs, *last_stage())
    assert engine("run", "--rm", "--network", "none", "sonde:test", "version").startswith("sonde ")
    trace_another(engine, "sonde:test", *([f"--security-opt=seccomp={profile}"] if profile else []))


def test_seccomp_profile_forbids(engine, rootfs):
    """What sonde never does: here a mount, which the capabilities of the test's container would allow."""
    with tempfile.TemporaryDirectory() as root:
        shutil.copytree(f"{rootfs}/usr/lib", f"{root}/usr/lib")
        shutil.copytree(f"{rootfs}/lib64", f"{root}/lib64", symlinks=True)
        os.makedirs(f"{root}/bin")
        shutil.copy("/bin/busybox" if os.path.exists("/bin/busybox") else "/bin/mount", f"{root}/bin/mount")
        for library in run("sh", "-c", "ldd /bin/mount | grep -oE '/[^ ]+/lib[^ ]+'").split():
            os.makedirs(f"{root}{os.path.dirname(library)}", exist_ok=True)
            shutil.copy(library, f"{root}{library}")
        os.makedirs(f"{root}/mnt")
        engine.load("mount:test", root)
    command = ["--rm", "--network", "none", "--cap-add=SYS_ADMIN", "mount:test", "/bin/mount", "-t", "tmpfs", "none", "/mnt"]
    assert engine.client("run", "--security-opt=seccomp=unconfined", *command).returncode == 0
    done = engine.client("run", f"--security-opt=seccomp={ROOT}/deploy/security/seccomp.json", *command)
    assert done.returncode != 0 and "permi" in done.stderr.lower(), done.stderr


def test_without_capabilities(engine, rootfs):
    """Docker's defaults forbid it, and sonde says what is missing."""
    engine.load("sonde:test", rootfs, *last_stage())
    done = engine.client("run", "--rm", "--network", "none", "sonde:test", "run", "--all", "--export", "none")
    assert done.returncode == 3 and "CAP_BPF is missing" in done.stderr and "container" in done.stderr, (done.returncode, done.stderr)
