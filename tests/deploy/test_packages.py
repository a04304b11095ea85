# SPDX-License-Identifier: Apache-2.0
"""What is in the packages, and that the RPM's libraries are all that a host with a C library needs."""
import glob
import os
import re
import shutil
import subprocess

import pytest
from conftest import ROOT, need, run

PATHS = ("usr/bin/sonde", "usr/lib/systemd/system/sonde.service", "usr/lib/sysusers.d/sonde.conf", "etc/sonde/config.yaml",
         "etc/default/sonde", "usr/share/man/man1/sonde.1", "usr/share/bash-completion/completions/sonde",
         "usr/share/doc/sonde/LICENSE", "usr/share/doc/sonde/copyright")


def options_of(text):
    return set(re.findall(r"(?<![\w-])--[a-z0-9][a-z0-9-]*", text))


def test_deb(deb, tmp_path):
    run("dpkg-deb", "-R", deb, tmp_path)
    for path in PATHS:
        assert (tmp_path / path).is_file(), path
    assert (tmp_path / "etc/default/sonde").stat().st_mode & 0o777 == 0o600, "it may hold credentials"
    assert not (tmp_path / "usr/lib/sonde").exists(), "libraries are the distribution's"
    control = (tmp_path / "DEBIAN/control").read_text()
    depends = re.search(r"^Depends: (.*)$", control, re.M)[1]
    for library in ("libc6", "libbpf1", "libgrpc++1", "libprotobuf"):
        assert library in depends, depends
    assert (tmp_path / "DEBIAN/conffiles").read_text().split() == ["/etc/sonde/config.yaml", "/etc/default/sonde"]
    for script in ("postinst", "prerm", "postrm"):
        assert os.access(tmp_path / "DEBIAN" / script, os.X_OK)
        run("sh", "-n", tmp_path / "DEBIAN" / script)
        assert not re.search(r"systemctl\b.*\b(enable|start)\b", (tmp_path / "DEBIAN" / script).read_text()), "nobody asked to trace"
    sections = subprocess.run(["readelf", "-S", tmp_path / "usr/bin/sonde"], capture_output=True, text=True, check=True).stdout
    assert ".debug_info" not in sections


def test_default_configuration(deb, tmp_path):
    """It is valid, and selects nothing but what asks for it."""
    run("dpkg-deb", "-x", deb, tmp_path)
    config = str(tmp_path / "etc/sonde/config.yaml")
    run(os.environ["SONDE_BINARY"], "config", "check", "--config", config)
    printed = run(os.environ["SONDE_BINARY"], "config", "print", "--config", config)
    include = [line for line in printed.splitlines() if "discovery.include." in line and config in line]
    assert len(include) <= 1 and "SONDE_TRACE=1" in printed, printed


def test_manual_and_completion(deb, tmp_path):
    """They name each option that the binary's help names."""
    run("dpkg-deb", "-x", deb, tmp_path)
    wanted = options_of(run(os.environ["SONDE_BINARY"], "help", "run"))
    assert "--otlp-endpoint" in wanted
    manual = (tmp_path / "usr/share/man/man1/sonde.1").read_text()
    assert wanted <= options_of(manual.replace("\\-", "-"))
    completion = tmp_path / "usr/share/bash-completion/completions/sonde"
    words = run("bash", "-c", 'source "$1"; COMP_WORDS=(sonde run --); COMP_CWORD=2; _sonde; echo "${COMPREPLY[@]}"', "-", completion)
    assert set(words.split()) == wanted
    words = run("bash", "-c", 'source "$1"; COMP_WORDS=(sonde config c); COMP_CWORD=2; _sonde; echo "${COMPREPLY[@]}"', "-", completion)
    assert words.split() == ["check"]


def test_unit():
    need("systemd-analyze")
    unit = f"{ROOT}/deploy/systemd/sonde.service"
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    # /usr/bin/sonde need not be installed on this machine.
    findings = [line for line in done.stderr.splitlines() if "sonde.service" in line and "is not executable" not in line]
    assert not findings, findings
    report = run("systemd-analyze", "security", "--offline=true", unit)
    exposure = float(re.search(r"exposure level for sonde.service: ([\d.]+)", report)[1])
    assert exposure <= 2.4, report


def test_rpm(rpm):
    assert run("rpm", "-qpc", rpm).split() == ["/etc/default/sonde", "/etc/sonde/config.yaml"]
    listed = run("rpm", "-qpl", rpm).split()
    for path in PATHS:
        assert f"/{path}" in listed, path
    assert re.search(r"^glibc >= 2\.\d+$", run("rpm", "-qp", "--requires", rpm), re.M)


def test_rpm_runs_beside_another_distribution(rpm, tmp_path):
    """In a root that has nothing but it and the C library, as where no library has Debian's version."""
    need("rpm2cpio", "cpio", "chroot")
    if os.getuid() != 0:
        pytest.skip("not root")
    with open(tmp_path / "cpio", "wb") as out:
        subprocess.run(["rpm2cpio", rpm], stdout=out, check=True)
    root = tmp_path / "root"
    root.mkdir()
    with open(tmp_path / "cpio", "rb") as archive:
        subprocess.run(["cpio", "-idm", "--quiet"], stdin=archive, cwd=root, check=True)
    for library in run("sh", "-c", "ldd \"$1\" | grep -oE '/[^ ]*/(ld-linux|lib(c|m|resolv|dl|rt|pthread)\\.so)[^ ]*'", "-",
                       os.environ["SONDE_BINARY"]).split():
        target = root / library.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)
    (root / "proc").mkdir()

    def inside(*command):
        return run("unshare", "--mount", "--pid", "--fork", "sh", "-c", 'mount -t proc proc "$1/proc" && exec chroot "$@"', "-", root,
                   *command)

    assert inside("/usr/bin/sonde", "version").startswith("sonde ")
    inside("/usr/bin/sonde", "config", "check", "--config", "/etc/sonde/config.yaml")
    assert len(glob.glob(str(root / "usr/lib/sonde/*.so*"))) > 20
