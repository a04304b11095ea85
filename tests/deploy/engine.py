# SPDX-License-Identifier: Apache-2.0
"""A Docker engine of a test's own: nothing can be pulled here, so images are made of directories."""
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import pytest
from conftest import ROOT, run

sys.path.insert(0, f"{ROOT}/tests/e2e")
from harness import build, servers  # noqa: E402  (the path comes first)
from harness.process import Process, free_port, wait_until  # noqa: E402
from harness.spans import spans_of  # noqa: E402

DOCKERFILE = f"{ROOT}/deploy/docker/Dockerfile"
PAGE = f"{ROOT}/docs/operating/docker.md"


class Engine:
    """dockerd with its state, socket and containers in one directory; stopped by its process id. `inside`: what its command begins with,
    if its network is not the machine's."""

    def __init__(self, directory, storage, inside):
        self.directory = directory
        self.environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": directory, "DOCKER_HOST": f"unix://{directory}/s",
                            "DOCKER_BUILDKIT": "1"}
        self.process = Process([*inside, "/usr/sbin/dockerd", "--data-root", f"{directory}/data", "--exec-root", f"{directory}/exec",
                                "--pidfile", f"{directory}/pid", "--host", f"unix://{directory}/s", "--storage-driver", storage,
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


@contextlib.contextmanager
def running_engine(storage="vfs", inside=()):
    if not os.path.exists("/usr/sbin/dockerd") or not os.path.exists("/usr/bin/docker"):
        pytest.skip("docker.io is not installed")
    if os.getuid() != 0 or not os.path.exists("/sys/kernel/btf/vmlinux"):
        pytest.skip("not root, or the kernel has no BTF")
    directory = tempfile.mkdtemp(prefix="sonde-dockerd-")
    made = Engine(directory, storage, inside)
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


def trace_another(engine, image, *flags, selector=("--config", "/etc/sonde/config.yaml")):
    """Runs sonde's image as the page says, beside a container that is to be traced and one that is not, each of which answers ten
    requests. The spans of what was to be traced, which are all that sonde exported."""
    with tempfile.TemporaryDirectory() as peer:
        shutil.copy(servers.go_binary(), f"{peer}/peer")
        engine.load("peer:test", peer)
    admin, ports = free_port(), [free_port(), free_port()]
    wanted = ["-e", "SONDE_TRACE=1", "-e", "OTEL_SERVICE_NAME=wanted", "--label", "team=shop"]
    for name, port, options in (("wanted", ports[0], wanted), ("other", ports[1], [])):
        engine("run", "-d", "--name", name, "--network=host", "-e", "ACCESS_LOG=/dev/null", *options, "peer:test", "/peer", "serve",
               str(port))
    engine("run", "-d", "--name", "sonde", *documented_flags(engine), *flags, "--network=host", image, "run", *selector,
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
    lines = engine("logs", "sonde").splitlines()
    engine("rm", "--force", "sonde", "wanted", "other")
    exported = [span for line in lines if line.startswith('{"resourceSpans') for span in spans_of(json.loads(line))]
    assert {span.service for span in exported} == {"wanted"} and len(exported) == 10, exported
    return exported
