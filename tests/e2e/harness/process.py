# SPDX-License-Identifier: Apache-2.0
"""Processes that a test starts: each in its own session, stopped by pid, its output kept in a file."""
import os
import signal
import socket
import subprocess
import time


def free_port(host="127.0.0.1"):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def wait_until(condition, what, seconds=20.0):
    """Polls `condition` until it returns something true, and returns that."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def accepts(address):
    """True if something listens on (host, port) or on a unix socket path."""
    family = socket.AF_UNIX if isinstance(address, str) else (socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(address)
            return True
        except OSError:
            return False


def children(pid):
    """Direct children, from /proc; those that end meanwhile are left out."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                    if int(file.read().rsplit(")", 1)[1].split()[1]) == pid:
                        found.append(int(name))
            except (OSError, IndexError):
                continue
    return found


def cpu_seconds(pid):
    """Scheduler run time of all living threads; /proc/PID/schedstat alone would be the first thread's."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="utf-8") as file:
                total += int(file.read().split()[0])
        except FileNotFoundError:
            continue
    return total / 1e9


class Process:
    """A program in a session of its own, so that stop() reaches what it forked, and nothing else."""

    def __init__(self, command, directory, name, env=None, stdin=subprocess.DEVNULL, preexec=None):
        self.output = os.path.join(directory, f"{name}.out")
        self.errors = os.path.join(directory, f"{name}.err")
        with open(self.output, "wb") as out, open(self.errors, "wb") as err:
            self.popen = subprocess.Popen(command, stdin=stdin, stdout=out, stderr=err, start_new_session=True,
                                          cwd=directory, env={**os.environ, **(env or {})}, preexec_fn=preexec)
        self.name = name
        self.pid = self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def stderr(self):
        with open(self.errors, encoding="utf-8", errors="replace") as file:
            return file.read()

    def stdout(self):
        with open(self.output, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait(self, seconds=20.0):
        return self.popen.wait(seconds)

    def send_signal(self, number):
        if self.running():
            os.kill(self.pid, number)

    def stop(self, number=signal.SIGTERM, seconds=10.0):
        """Asks the program to end, then ends its session; returns its exit code."""
        self.send_signal(number)
        try:
            code = self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        return self.popen.wait(5) if code is None else code

    def cpu_seconds(self):
        return cpu_seconds(self.pid)

    def rss_bytes(self):
        with open(f"/proc/{self.pid}/status", encoding="utf-8") as file:
            for line in file:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        return 0
