# SPDX-License-Identifier: Apache-2.0
"""A Debian of its own: made by debootstrap once per build directory, used through an overlay, and booted with systemd in a guest of
tests/vm: in a container its process ids would be its own, and sonde refuses to start there."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

import pytest
from conftest import BUILD, ROOT, need, run

sys.path.insert(0, f"{ROOT}/tests/vm")
import guest  # noqa: E402  (the path comes first)
import kernels  # noqa: E402

PACKAGES = "systemd,systemd-sysv,dbus,procps,curl,ca-certificates"
# A service of ours runs the script and turns the machine off.
UNIT = """[Service]
Type=oneshot
ExecStart=/bin/sh /test/run
"""
# As tests/vm/guest/init hands over what it has.
RUN = """exec 2>/dev/ttyS0
sh -ex /test/script >/test/output 2>&1
echo "exit $?" >>/test/output
stty -F /dev/ttyS1 raw -echo
tar -c -C /test output | gzip | cat >/dev/ttyS1  # gzip writes to no terminal
sync
sleep 1
reboot -f
"""


def sources():
    """(mirror, suite) that this machine's own apt uses."""
    with open("/etc/os-release", encoding="utf-8") as file:
        suite = re.search(r"^VERSION_CODENAME=(\S+)", file.read(), re.M)
    listed = run("sh", "-c", "cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources "
                             "2>/dev/null; true")
    mirror = re.search(r"^(?:URIs:\s*|deb\s+(?:\[[^]]*\]\s*)?)(https?://\S+)", listed, re.M)
    if not suite or not mirror:
        pytest.skip("no mirror in this machine's apt sources")
    return mirror[1], suite[1]


def base():
    """The untouched root; made anew when a run was interrupted while making it."""
    path = os.path.join(BUILD, "debian-root")
    if os.path.exists(f"{path}/.made"):
        return path
    shutil.rmtree(path, ignore_errors=True)
    mirror, suite = sources()
    done = subprocess.run(["nice", "debootstrap", "--variant=minbase", f"--include={PACKAGES}", suite, path, mirror],
                          capture_output=True, text=True, timeout=800, check=False)
    if done.returncode != 0:
        pytest.skip(f"debootstrap: {(done.stdout + done.stderr).strip()[-300:]}")
    for name in os.listdir("/etc/apt/apt.conf.d"):  # how this machine reaches its mirror
        if not name.startswith(("docker", "20packagekit", "50appstream")):
            shutil.copy(f"/etc/apt/apt.conf.d/{name}", f"{path}/etc/apt/apt.conf.d/")
    open(f"{path}/.made", "w", encoding="utf-8").close()
    return path


class Machine:
    """with Machine() as m: m.run(...); m.boot(script)"""

    def __enter__(self):
        need("debootstrap", "systemd-nspawn")
        if os.getuid() != 0:
            pytest.skip("not root")
        lower = base()
        self.directory = tempfile.mkdtemp(prefix="sonde-machine-")
        for name in ("upper", "work", "root"):
            os.mkdir(f"{self.directory}/{name}")
        self.root = f"{self.directory}/root"
        options = f"lowerdir={lower},upperdir={self.directory}/upper,workdir={self.directory}/work"
        done = subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, self.root], capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            shutil.rmtree(self.directory)
            pytest.skip(f"no overlay mount: {done.stderr.strip()}")
        os.makedirs(f"{self.root}/test")
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", self.root], check=True)
        shutil.rmtree(self.directory, ignore_errors=True)

    def nspawn(self, *arguments, timeout):
        # timeout(1) ends it with SIGTERM, upon which nspawn takes all of the machine with it.
        return subprocess.run(["timeout", str(timeout), "systemd-nspawn", "-q", "-D", self.root, "--register=no", "--keep-unit",
                               "--capability=all", "--system-call-filter=bpf perf_event_open", *arguments],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    def run(self, *command):
        """Its output; the machine is not booted."""
        done = self.nspawn("--resolv-conf=copy-host", "--setenv=DEBIAN_FRONTEND=noninteractive", *command, timeout=300)
        assert done.returncode == 0, f"{command}: {done.stdout[-3000:]}{done.stderr[-2000:]}"
        return done.stdout

    def boot(self, script):
        """Runs a shell script under systemd, each command of which must succeed, and returns what it wrote."""
        with open(f"{self.root}/test/script", "w", encoding="utf-8") as file:
            file.write(script)
        with open(f"{self.root}/test/run", "w", encoding="utf-8") as file:
            file.write(RUN)
        units = f"{self.root}/etc/systemd/system"
        os.makedirs(f"{units}/multi-user.target.wants", exist_ok=True)
        with open(f"{units}/sonde-test.service", "w", encoding="utf-8") as file:
            file.write(UNIT)
        os.symlink("../sonde-test.service", f"{units}/multi-user.target.wants/sonde-test.service")
        # One with which every family works.
        kernel, _ = kernels.fetch("trixie", "linux-image-cloud-amd64", os.path.join(BUILD, "vm"), None)
        image = f"{self.directory}/image"
        run("sh", "-c", f"cd {self.root} && find . -xdev | cpio -o -H newc --quiet >{image}")
        try:
            guest.run(guest.MACHINES["amd64"], kernel, image, f"{self.directory}/guest", ["rdinit=/lib/systemd/systemd"],
                      memory=4096)
        except guest.Broken as reason:
            raise AssertionError(str(reason)) from reason
        with open(f"{self.directory}/guest/output", encoding="utf-8") as file:
            output = file.read()
        assert output.endswith("exit 0\n"), output[-4000:]
        return output
