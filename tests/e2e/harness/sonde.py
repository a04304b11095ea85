# SPDX-License-Identifier: Apache-2.0
"""One run of sonde: started, waited for, stopped; its spans and its own metrics."""
import os
import re
import signal
import time
import urllib.error
import urllib.request

from .process import Process, free_port, wait_until
from .spans import read_spans

BINARY = os.environ.get("SONDE_BINARY", "")
# Runs the programs without sonde and judges nothing but their own logs: tells whether a failure is theirs.
BARE = bool(os.environ.get("SONDE_E2E_BARE"))
PROBES = os.environ.get("SONDE_E2E_PROBES", "")
SAMPLE = re.compile(r"^([a-z_:A-Z0-9]+)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Sonde:
    """`sonde run ARGS` with a file exporter and its own admin port. wrap(line): the command line that runs it, by default itself."""

    def __init__(self, directory, *args, command=(), name="sonde", exports=None, probes=PROBES, env=None, binary=BINARY,
                 wrap=list):
        self.directory = str(directory)
        self.file = os.path.join(self.directory, f"{name}.jsonl")
        self.port = free_port()
        line = [binary, "run", *args, "--listen", f"127.0.0.1:{self.port}"]
        for export in exports if exports is not None else [f"file={self.file}"]:
            line += ["--export", export]
        if probes:
            line += ["--probes", probes]
        if command:
            line += ["--", *command]
        self.line = wrap(line)
        self.process = Process(self.line, self.directory, name, env=env)

    def ready(self, seconds=20.0):
        def condition():
            if "sonde: ready" in self.process.stderr():
                return True
            assert self.process.running(), f"sonde ended with {self.process.wait()}: {self.process.stderr()}"
            return False

        wait_until(condition, f"sonde: ready ({self.line})", seconds)
        return self

    def wait(self, seconds=30.0):
        return self.process.wait(seconds)

    def stop(self, number=signal.SIGTERM):
        """Drains and stops; the exit code must be 0."""
        code = self.process.stop(number)
        assert code == 0, f"exit code {code}: {self.process.stderr()[-4000:]}"
        return self

    def spans(self, kind=None):
        return [s for s in read_spans(self.file) if kind is None or s.kind == kind]

    def wait_for_spans(self, count, kind=None, seconds=10.0):
        """For tests that look while sonde runs; the others read after stop()."""
        return wait_until(lambda: (lambda s: s if len(s) >= count else None)(self.spans(kind)), f"{count} spans", seconds)

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metrics(self):
        """{(name, ((label, value), ...)): number} of /metrics."""
        found = {}
        for line in self.get("/metrics")[1].splitlines():
            match = SAMPLE.match(line)
            if match:
                labels = tuple(sorted(LABEL.findall(match.group(2) or "")))
                found[(match.group(1), labels)] = float(match.group(3))
        return found

    def metric(self, name, **labels):
        """Sum over the series of `name` that carry `labels`."""
        wanted = set(labels.items())
        return sum(v for (n, series), v in self.metrics().items() if n == name and wanted <= set(series))

    def settle(self, seconds=0.3):
        """Time for the kernel's records to be drained, where a test kills something next."""
        time.sleep(seconds)


class Bare(Sonde):
    """SONDE_E2E_BARE: only the command, or nothing that sleeps in its place; has no spans."""

    def __init__(self, directory, *_, command=(), name="bare", env=None, **__):
        self.directory = str(directory)
        self.file = "/dev/null"
        self.line = list(command) or ["sleep", "1000"]
        self.process = Process(self.line, self.directory, name, env=env)

    def ready(self, seconds=0):
        return self

    def stop(self, number=signal.SIGTERM):
        self.process.stop(number)
        return self

    def metrics(self):
        return {}
