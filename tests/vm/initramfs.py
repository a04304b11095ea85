# SPDX-License-Identifier: Apache-2.0
"""The guest's file system: sonde, the programs it traces, and what they are linked with, as one cpio archive."""
import os
import re
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = ("nginx", "curl", "bpftool", "openssl")
FOLDERS = ("proc", "sys", "dev", "tmp", "run", "results", "etc/ssl", "usr/lib/ssl", "var/log/nginx", "var/lib/nginx", "root")


class Machine:
    """Where the guest's programs are taken from: this machine."""

    strip = "strip"

    def path(self, name):
        """Of a program, as the guest will know it."""
        path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        if not path:
            raise FileNotFoundError(f"{name} is not installed; script/bootstrap test installs it")
        return path

    def file(self, path):
        """The file that has this path in the guest."""
        return os.path.realpath(path)

    def libraries(self, program):
        """What the dynamic linker would load for this file, itself included."""
        said = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
        return re.findall(r"(/\S+) \(0x", said)


class Sysroot:
    """Or the packages of another architecture (script/sysroot), whose programs do not run here."""

    def __init__(self, tree, triplet):
        self.tree, self.triplet, self.strip = os.path.abspath(tree), triplet, f"{triplet}-strip"
        if not os.path.exists(f"{tree}/packages"):
            raise FileNotFoundError(f"no {tree}; script/sysroot makes it")

    def path(self, name):
        for folder in ("usr/bin", "usr/sbin"):
            if os.path.exists(f"{self.tree}/{folder}/{name}"):
                return f"/{folder}/{name}"
        raise FileNotFoundError(f"{name} is not in {self.tree}; group guest of script/packages.txt names its package")

    def file(self, path):
        return os.path.realpath(self.tree + path)

    def libraries(self, program):
        found, pending = [], [program]
        while pending:
            said = subprocess.run(["readelf", "-ld", "--wide", pending.pop()], capture_output=True, text=True, check=True).stdout
            wanted = [f"/usr/lib/{self.triplet}/{name}" for name in re.findall(r"\(NEEDED\).*\[(.*)\]", said)]
            for path in wanted + re.findall(r"program interpreter: (.*)\]", said):
                if path not in found:
                    found.append(path)
                    pending.append(self.file(path))
        return found


def _place(machine, path, root):
    """Copies a file to where it is there, as the name that it is asked for by."""
    to = root + os.path.abspath(path)
    if not os.path.exists(to):
        os.makedirs(os.path.dirname(to), exist_ok=True)
        shutil.copy(machine.file(path), to)


def build(sonde, directory, machine):
    """Path of the archive. `machine`: a Machine or Sysroot, of the architecture that sonde is built for."""
    root = os.path.join(directory, "root")
    shutil.rmtree(root, ignore_errors=True)
    for folder in FOLDERS:
        os.makedirs(os.path.join(root, folder))
    os.makedirs(f"{root}/usr/bin")
    for name in ("bin", "sbin", "lib", "lib64"):  # as Debian merges them
        os.makedirs(f"{root}/usr/{name}", exist_ok=True)
        os.symlink(f"usr/{name}", f"{root}/{name}")
    subprocess.run([machine.strip, "-o", f"{root}/usr/bin/sonde", sonde], check=True)
    programs = [machine.path(name) for name in PROGRAMS]
    busybox = machine.path("busybox")
    shutil.copy(machine.file(busybox), f"{root}/usr/bin/busybox")
    for file in [sonde, *map(machine.file, [busybox, *programs])]:
        for library in machine.libraries(file):
            _place(machine, library, root)
    for program in programs:
        _place(machine, program, root)
    for name in os.listdir(f"{HERE}/guest"):
        shutil.copy(f"{HERE}/guest/{name}", f"{root}/etc/{name}")
    os.rename(f"{root}/etc/init", f"{root}/init")
    os.chmod(f"{root}/init", 0o755)
    for name, text in {"passwd": "root:x:0:0::/root:/bin/sh\n", "group": "root:x:0:\n", "hosts": "127.0.0.1 localhost\n"}.items():
        with open(f"{root}/etc/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", "/CN=localhost",
                    "-keyout", f"{root}/etc/key.pem", "-out", f"{root}/etc/certificate.pem"], check=True, capture_output=True)
    archive = os.path.join(directory, "initramfs.cpio.gz")
    with open(archive, "wb") as file:
        subprocess.run("find . | cpio --quiet -o -H newc | gzip -1", shell=True, cwd=root, stdout=file, check=True)
    shutil.rmtree(root)
    return archive
