# SPDX-License-Identifier: Apache-2.0
"""Boots a kernel under qemu, without KVM, and brings back what its guest handed over."""
import os
import shutil
import subprocess
import tarfile


# Old enough that the emulation of what it has is well tried ("max" has crashed a kernel and a program at random); its own random
# numbers, because a guest has no other source of them.
PROCESSOR = "Nehalem,+rdrand"


class Broken(Exception):
    """The guest did not come to its end; says where it stood."""


def run(kernel, initramfs, directory, words, seconds=900):
    """The folder of results. `words`: what is added to the kernel's command line. A guest that does not come up is started once more."""
    try:
        return _run(kernel, initramfs, directory, words, seconds)
    except Broken as reason:
        if _came_up(directory):
            raise
        print(f"  started again, the guest did not come up: {reason}", flush=True)
        return _run(kernel, initramfs, directory, words, seconds)


def _came_up(directory):
    """The first thing a guest says is what time it is."""
    with open(os.path.join(directory, "console"), encoding="utf-8", errors="replace") as file:
        return "guest: doctor [ s]" not in (text := file.read()) and "guest: doctor" in text


def _run(kernel, initramfs, directory, words, seconds):
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    console, archive = os.path.join(directory, "console"), os.path.join(directory, "results.tar.gz")
    line = ["nice", "qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", PROCESSOR, "-smp", "2", "-m", "1536",
            "-display", "none", "-monitor", "none", "-no-reboot", "-nic", "none", "-kernel", kernel, "-initrd", initramfs,
            "-serial", f"file:{console}", "-serial", f"file:{archive}",
            "-append", " ".join(["console=ttyS0", "panic=-1", "quiet", "loglevel=4", "mitigations=off", "no_timer_check", *words])]
    try:
        done = subprocess.run(line, timeout=seconds, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Broken(f"qemu: {done.stderr.strip()}")
    except subprocess.TimeoutExpired:
        raise Broken(f"no end after {seconds} s; {_last(console)}") from None
    try:
        with tarfile.open(archive) as file:
            file.extractall(directory)  # ours, from our own guest
    except (tarfile.TarError, EOFError, OSError) as error:
        raise Broken(f"no results ({error}); {_last(console)}") from None
    return os.path.join(directory, "results")


def _last(console):
    try:
        with open(console, encoding="utf-8", errors="replace") as file:
            return "console ends with: " + " | ".join(file.read().strip().splitlines()[-5:])
    except FileNotFoundError:
        return "no console"
