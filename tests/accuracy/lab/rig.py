# SPDX-License-Identifier: Apache-2.0
"""One case: a backend, a service, load and sonde are started, and all that they know is brought together."""
import collections
import json
import os
import subprocess
import threading
import time
import urllib.request

from harness.process import Process, accepts, free_port, wait_until
from harness.servers import selectors
from harness.sonde import Sonde
from harness.tls import context, files

from . import lateness, programs, truth
from .rows import VARIANTS, calls_of


class Backend:
    def __init__(self, directory, delay_us, tls=False, env=None):
        self.scheme = "https" if tls else "http"
        self.port = free_port()
        self.address = ("127.0.0.1", self.port)
        secrets = [files().certificate, files().key] if tls else []
        self.process = Process([programs.traffic(), "backend", str(self.port), *secrets], directory, "backend", env=env)
        wait_until(lambda: accepts(self.address), "the backend listens")
        self.reset(delay_us)

    def get(self, path):
        with urllib.request.urlopen(f"{self.scheme}://127.0.0.1:{self.port}{path}", timeout=10,
                                    context=context() if self.scheme == "https" else None) as answer:
            return answer.read()

    def reset(self, delay_us):
        self.get(f"/_/reset?us={delay_us}")

    def served(self):
        """`calls`: how often each path was asked for; `peak`: most at once."""
        return json.loads(self.get("/_/calls"))

    @property
    def pids(self):
        return [self.process.pid]

    def stop(self):
        self.process.stop()


class Load:
    """Connections that stay open from one command to the next."""

    def __init__(self, port, connections, modes, wire=""):
        self.modes = [{"name": mode, "calls": calls} for mode, calls in calls_of(modes).items()]
        command = [programs.traffic(), "load", str(port), str(connections), *([wire] if wire else [])]
        self.popen = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)

    def run(self, prefix, count):
        """Returns {id: mode} of what was asked, and the time it took."""
        self.popen.stdin.write(json.dumps({"prefix": prefix, "count": count, "modes": self.modes}) + "\n")
        self.popen.stdin.flush()
        line = self.popen.stdout.readline()
        assert line, f"the load ended with {self.popen.wait(5)}"
        done = json.loads(line)
        assert done["failed"] == 0, f"{done['failed']} of {done['sent']} requests failed: {done['errors']}"
        return {f"{prefix}{i}": self.modes[i % len(self.modes)]["name"] for i in range(count)}, done["seconds"]

    def stop(self):
        self.popen.stdin.close()
        try:
            self.popen.wait(10)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()


class Busy:
    """Load that goes on until it is told to end, while sonde comes and goes."""

    def __init__(self, load, prefix):
        self.load = load
        self.prefix = prefix
        self.over = threading.Event()
        self.error = None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        turn = 0
        try:
            while not self.over.is_set():
                self.load.run(f"{self.prefix}{turn}n", 100)
                turn += 1
        except Exception as error:  # of another thread: told where it can be reported
            self.error = error

    def end(self):
        self.over.set()
        self.thread.join()
        if self.error:
            raise self.error


def verify_service(calls, asked, of_mode):
    """By the backend's own log: each call of each request arrived once, and none carried a header about traces."""
    expected = collections.Counter(f"/b/{own}/{call}" for own, mode in asked.items() for call in of_mode[mode])
    counted = {path: n for path, n in calls.items() if path.split("/")[2] in asked}
    assert counted == dict(expected), [x for x in {**expected, **counted} if expected.get(x) != counted.get(x)][:5]
    assert not [path for path in calls if path.endswith("/traceparent")], "the service propagates traceparent by itself"


def settle(run, prefix, seconds=8.0):
    """Until nothing more of the measured requests is exported."""
    before, same, end = -1, 0, time.monotonic() + seconds
    while same < 3 and time.monotonic() < end:
        time.sleep(0.2)
        with open(run.file, "rb") as file:
            found = file.read().count(f"/{prefix}".encode())
        same = same + 1 if found == before and found else 0
        before = found


class Case:
    def __init__(self, row, variant, modes, concurrency, requests, tools):
        self.row = row
        self.variant = VARIANTS[variant]
        self.modes = modes
        self.concurrency = concurrency
        self.requests = requests
        self.tools = tools

    def run(self, directory):
        started = []
        try:
            return self._run(directory, started)
        finally:
            for thing in reversed(started):
                thing.stop()

    def service(self, directory, name, backend):
        place = programs.Place(directory, name, backend.port, self.variant.settings, self.tools, self.variant.tls)
        server = self.row.start(place)
        server.port = place.port
        return server

    def _run(self, directory, started):
        backend = Backend(directory, self.variant.delay_us, self.variant.tls, self.variant.settings)
        started.append(backend)
        chain = [backend] if self.variant.chain else []
        behind = backend
        if self.variant.chain:
            behind = self.service(directory, "middle", backend)
            started.append(behind)
            chain.append(behind.start())
        front = self.service(directory, "front", behind)
        pids = lambda: [word for one in (front, *chain) for word in selectors(one)]  # noqa: E731
        runs = []
        config = []
        if self.variant.config:
            config = ["--config", os.path.join(directory, "sonde.yaml")]
            with open(config[1], "w", encoding="utf-8") as file:
                file.write(self.variant.config)

        def sonde(*args, **options):
            run = Sonde(directory, *config, *args, name=f"sonde{len(runs)}", **options)
            runs.append(run)
            started.append(run.process)
            return run.ready()

        if self.variant.attach == "run":
            sonde(command=front.command, env=front.env)
            front.wait()
        else:
            started.append(front.start())
        load = Load(front.port, self.concurrency, self.modes, "tls" if self.variant.tls else self.row.wire)
        started.append(load)
        load.run("w", max(16, 2 * self.concurrency))
        if self.variant.attach == "restart":
            busy = Busy(load, "x")
            try:
                sonde(*pids()).stop()
                sonde(*pids())
            finally:
                busy.end()
        elif self.variant.attach == "pid":
            sonde(*pids())
        watch = lateness.Watch(runs[-1].file)
        started.append(watch)
        asked, seconds = load.run("m", self.requests)
        settle(runs[-1], "m")
        watch.stop()
        metrics = runs[-1].metrics()
        served = backend.served()
        verify_service(served["calls"], asked, calls_of(self.modes))
        if self.variant.attach == "run":
            runs[-1].process.stop()  # ends with the command's own exit code
        else:
            runs[-1].stop()
        return {**self.judge(runs, asked, seconds, metrics), "peak": served["peak"], "out_p99_ms": watch.p99_ms("/b/m")}

    def judge(self, runs, asked, seconds, metrics):
        of_mode = calls_of(self.modes)
        spans = [span for run in runs for span in run.spans()]
        figures = truth.Verdict(spans, asked, of_mode, hops=2 if self.variant.chain else 1).figures()
        if self.variant.chain:
            figures["whole_traces"] = truth.whole_traces(spans, asked, of_mode)
        figures.update(requests=len(asked), seconds=round(seconds, 2),
                       ambiguous=total(metrics, "sonde_link_ambiguous_total"),
                       gates_closed=total(metrics, "sonde_link_gates_closed_total"),
                       events_dropped=by_label(metrics, "sonde_events_dropped_total", "reason"))
        return figures


def total(metrics, wanted):
    return int(sum(value for (name, _), value in metrics.items() if name == wanted))


def by_label(metrics, wanted, label):
    """{label: count} of what is not 0."""
    found = collections.Counter()
    for (name, labels), value in metrics.items():
        if name == wanted and value:
            found[dict(labels).get(label, "")] += int(value)
    return dict(found)


def environment():
    assert os.environ.get("SONDE_BINARY"), "SONDE_BINARY does not name a built sonde"
