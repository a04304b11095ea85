# SPDX-License-Identifier: Apache-2.0
"""Boots a kernel under qemu, without KVM, and brings back what its guest handed over."""
import os
import shutil
import subprocess
import tarfile


class Machine:
    """What qemu emulates for an architecture. `console`: the guest's name of its first serial line; `results`: of its second."""

    def __init__(self, line, words, console, results):
        self.line, self.words, self.console, self.results = line, words, console, results


MACHINES = {
    # A processor that is old enough for the emulation of what it has to be well tried ("max" has crashed a kernel and a program at
    # random); its own random numbers, because a guest has no other source of them. Without cmpxchg16b, which this emulation answers
    # with flags that no processor has (double faults in kmalloc). Kernels that have it not allocate what programs keep of sockets and
    # threads only where allocations are checked (kmalloc_nolock, from 6.19 on), which finds writes to freed memory, too.
    "amd64": Machine(["qemu-system-x86_64", "-machine", "q35", "-cpu", "Nehalem,+rdrand,-cx16", "-serial", "chardev:console",
                      "-serial", "chardev:results"],
                     ["mitigations=off", "no_timer_check", "slub_debug=F"], "ttyS0", "ttyS1"),
    # What Graviton 2 is made of. The machine has one serial line, and hands over random numbers at the start.
    "arm64": Machine(["qemu-system-aarch64", "-machine", "virt", "-cpu", "neoverse-n1", "-serial", "chardev:console",
                      "-device", "pci-serial,chardev=results"],
                     ["mitigations=off"], "ttyAMA0", "ttyS0"),
}


class Broken(Exception):
    """The guest did not come to its end; says where it stood."""


def run(machine, kernel, initramfs, directory, words, seconds=900, memory=1536):
    """The folder of results. `words`: what is added to the kernel's command line. A guest that does not come up is started once more."""
    try:
        return _run(machine, kernel, initramfs, directory, words, seconds, memory)
    except Broken as reason:
        if _came_up(directory):
            raise
        print(f"  started again, the guest did not come up: {reason}", flush=True)
        return _run(machine, kernel, initramfs, directory, words, seconds, memory)


def _came_up(directory):
    """The first thing a guest says is what time it is."""
    with open(os.path.join(directory, "console"), encoding="utf-8", errors="replace") as file:
        return "guest: doctor [ s]" not in (text := file.read()) and "guest: doctor" in text


def _run(machine, kernel, initramfs, directory, words, seconds, memory):
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    console, archive = os.path.join(directory, "console"), os.path.join(directory, "results.tar.gz")
    line = ["nice", *machine.line, "-accel", "tcg,thread=multi", "-smp", "2", "-m", str(memory),
            "-display", "none", "-monitor", "none", "-no-reboot", "-nic", "none", "-kernel", kernel, "-initrd", initramfs,
            "-chardev", f"file,id=console,path={console}", "-chardev", f"file,id=results,path={archive}",
            "-append", " ".join([f"console={machine.console}", f"sonde.results={machine.results}", "panic=-1", "quiet", "loglevel=4",
                                 *machine.words, *words])]
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
