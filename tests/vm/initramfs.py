# SPDX-License-Identifier: Apache-2.0
"""The guest's file system: sonde, the programs it traces, and what they are linked with, as one cpio archive."""
import os
import re
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = ("nginx", "curl", "bpftool", "openssl")
FOLDERS = ("proc", "sys", "dev", "tmp", "run", "results", "etc/ssl", "usr/lib/ssl", "var/log/nginx", "var/lib/nginx", "root")


def _libraries(program):
    """What the dynamic linker would load, itself included."""
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return re.findall(r"(/\S+) \(0x", said)


def _place(path, root):
    """Copies a file to where it is on the host, as the name that it is asked for by."""
    to = root + os.path.abspath(path)
    if not os.path.exists(to):
        os.makedirs(os.path.dirname(to), exist_ok=True)
        shutil.copy(os.path.realpath(path), to)


def _which(name):
    path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if not path:
        raise FileNotFoundError(f"{name} is not installed; script/bootstrap test installs it")
    return path


def build(sonde, directory):
    """Path of the archive."""
    root = os.path.join(directory, "root")
    shutil.rmtree(root, ignore_errors=True)
    for folder in FOLDERS:
        os.makedirs(os.path.join(root, folder))
    os.makedirs(f"{root}/usr/bin")
    for name in ("bin", "sbin", "lib", "lib64"):  # as Debian merges them
        os.makedirs(f"{root}/usr/{name}", exist_ok=True)
        os.symlink(f"usr/{name}", f"{root}/{name}")
    subprocess.run(["strip", "-o", f"{root}/usr/bin/sonde", sonde], check=True)
    busybox = _which("busybox")
    shutil.copy(busybox, f"{root}/usr/bin/busybox")
    for path in [busybox, sonde, *map(_which, PROGRAMS)]:
        for library in _libraries(path):
            _place(library, root)
    for program in map(_which, PROGRAMS):
        _place(program, root)
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
