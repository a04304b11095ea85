# SPDX-License-Identifier: Apache-2.0
"""The image: its file system on a real Docker engine of the test's own, run as docs/operating/docker.md says, tracing a container
that the test started. Nothing can be pulled here, so the file system that the Dockerfile's last stage copies is imported."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import pytest
from conftest import BUILD, ROOT, need, run

sys.path.insert(0, f"{ROOT}/tests/e2e")
from harness import servers  # noqa: E402  (the path comes first)
from harness.process import Process, free_port, wait_until  # noqa: E402

DOCKERFILE = f"{ROOT}/deploy/docker/Dockerfile"
PAGE = f"{ROOT}/docs/operating/docker.md"


@pytest.fixture(scope="module")
def rootfs():
    need("cmake", "readelf")
    run("cmake", "--build", BUILD, "--target", "sonde", "sonde_package_files", timeout=1500)
    with tempfile.TemporaryDirectory(prefix="sonde-image-") as directory:
        run(f"{ROOT}/deploy/docker/rootfs", BUILD, f"{directory}/root")
        yield f"{directory}/root"


class Engine:
    """dockerd with its state, socket and containers in one directory; stopped by its process id."""

    def __init__(self, directory):
        self.directory = directory
        self.environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": directory, "DOCKER_HOST": f"unix://{directory}/s"}
        self.process = Process(["/usr/sbin/dockerd", "--data-root", f"{directory}/data", "--exec-root", f"{directory}/exec",
                                "--pidfile", f"{directory}/pid", "--host", f"unix://{directory}/s", "--storage-driver", "vfs",
                                "--bridge", "none", "--iptables=false", "--ip6tables=false"], directory, "dockerd",
                               env=self.environment)

    def client(self, *arguments, **options):
        return subprocess.run(["/usr/bin/docker", *arguments], env=self.environment, check=False,
                              **{"capture_output": True, "text": True, "timeout": 120, **options})

    def __call__(self, *arguments, **options):
        done = self.client(*arguments, **options)
        assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}"
        return done.stdout.strip() if done.stdout else ""

    def load(self, name, root, *changes):
        """An image of a directory."""
        with subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE) as archive:
            self("import", *[word for change in changes for word in ("--change", change)], "-", name, stdin=archive.stdout)


@pytest.fixture(scope="module")
def engine():
    if not os.path.exists("/usr/sbin/dockerd") or not os.path.exists("/usr/bin/docker"):
        pytest.skip("docker.io is not installed")
    if os.getuid() != 0 or not os.path.exists("/sys/kernel/btf/vmlinux"):
        pytest.skip("not root, or the kernel has no BTF")
    directory = tempfile.mkdtemp(prefix="sonde-dockerd-")
    made = Engine(directory)
    try:
        wait_until(lambda: made.client("version").returncode == 0 or not made.process.running(), "dockerd answers", 30)
        if not made.process.running():
            pytest.skip(f"dockerd does not run here: {made.process.stderr()[-300:]}")
        yield made
    finally:
        for identity in made.client("ps", "-aq").stdout.split():
            made.client("rm", "--force", identity)
        made.process.stop(seconds=30)
        # dockerd leaves the name space of --network none mounted.
        subprocess.run(["umount", f"{directory}/exec/netns/default"], capture_output=True, check=False)
        shutil.rmtree(directory, ignore_errors=True)


def last_stage():
    """Entry point, command and labels of the Dockerfile's last stage, as `docker import --change` takes them."""
    with open(DOCKERFILE, encoding="utf-8") as file:
        stage = file.read().split("\nFROM ")[-1].replace("\\\n", " ").replace("${VERSION}", "0.1.0")
    assert stage.startswith("scratch") and "COPY --from=build /image/ /" in stage
    return [line for line in stage.splitlines() if line.startswith(("LABEL", "ENTRYPOINT", "CMD", "USER"))]


def documented_flags(engine):
    """Of the `docker run` in the documentation, what stands between `run` and the image's name, without -d, --name and mounts; for
    an old engine as the table below it says."""
    with open(PAGE, encoding="utf-8") as file:
        command = re.search(r"^docker run (.*?)\bsonde run ", file.read().replace("\\\n", " "), re.M)[1]
    flags = re.sub(r"(^| )(-d|--restart \S+|--name \S+|-v \S+|-e \S+)(?= |$)", " ", command).split()
    assert "--pid=host" in flags and "--cap-drop=ALL" in flags and "--privileged" not in flags
    if int(engine("version", "--format", "{{.Server.Version}}").split(".")[0]) >= 23:
        return flags
    unknown = [f"--cap-add={name}" for name in ("BPF", "PERFMON", "CHECKPOINT_RESTORE")]
    return [flag for flag in flags if flag not in unknown] + ["--cap-add=SYS_ADMIN"]


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
    with tempfile.TemporaryDirectory() as peer:
        shutil.copy(servers.go_binary(), f"{peer}/peer")
        engine.load("peer:test", peer)
    assert engine("run", "--rm", "--network", "none", "sonde:test", "version").startswith("sonde ")
    flags = documented_flags(engine) + ([f"--security-opt=seccomp={profile}"] if profile else [])
    admin, ports = free_port(), [free_port(), free_port()]
    for name, port, options in (("wanted", ports[0], ["-e", "SONDE_TRACE=1", "-e", "OTEL_SERVICE_NAME=wanted"]), ("other", ports[1], [])):
        engine("run", "-d", "--name", name, "--network=host", "-e", "ACCESS_LOG=/dev/null", *options, "peer:test", "/peer", "serve",
               str(port))
    engine("run", "-d", "--name", "sonde", *flags, "--network=host", "sonde:test", "run", "--config", "/etc/sonde/config.yaml",
           "--listen", f"127.0.0.1:{admin}", "--export", "file=-")

    def ready():
        state = json.loads(engine("inspect", "sonde"))[0]["State"]
        assert state["Running"], engine.client("logs", "sonde").stderr
        return subprocess.run(["curl", "-sf", f"http://127.0.0.1:{admin}/readyz"], capture_output=True, check=False).returncode == 0

    wait_until(ready, "sonde is ready")
    for port in ports:
        run("curl", "-sf", "--retry", "20", "--retry-connrefused", *[f"http://127.0.0.1:{port}/{port}/{i}" for i in range(10)])
    time.sleep(0.5)
    engine("stop", "-t", "10", "sonde")
    assert json.loads(engine("inspect", "sonde"))[0]["State"]["ExitCode"] == 0
    lines = [json.loads(line) for line in engine("logs", "sonde").splitlines() if line.startswith('{"resourceSpans')]
    found = {}
    for line in lines:
        for group in line["resourceSpans"]:
            resource = {item["key"]: item["value"] for item in group["resource"]["attributes"]}
            spans = [span for scope in group["scopeSpans"] for span in scope["spans"]]
            found.setdefault(resource["service.name"]["stringValue"], []).extend(spans)
    engine("rm", "--force", "sonde", "wanted", "other")
    assert list(found) == ["wanted"] and len(found["wanted"]) == 10, {name: len(spans) for name, spans in found.items()}


def test_seccomp_profile_forbids(engine, rootfs):
    """What sonde never does: here a mount, which the capabilities of the test's container would allow."""
    with tempfile.TemporaryDirectory() as root:
        shutil.copytree(f"{rootfs}/lib", f"{root}/lib")
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
