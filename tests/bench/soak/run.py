# SPDX-License-Identifier: Apache-2.0
"""Does anything of sonde grow while processes, connections and TLS libraries come and go? Called by script/soak."""
import argparse
import glob
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "overhead"), os.path.join(HERE, "..", "..", "e2e")]
import rig  # noqa: E402
from harness import servers, tls  # noqa: E402
from harness.process import cpu_seconds  # noqa: E402
from harness.sonde import Sonde  # noqa: E402

KIB = 1 << 10
ROUND = 2.0  # seconds; with a fixed rate, the number of libraries whose probes linger (30 s) is the same all the time
MARK = {"SONDE_SOAK": str(os.getpid())}  # in the environment of everything that is started here, and of nothing else

# What is sampled: title, a divisor for print, and how much it may grow from the end of the warm-up to the end: a part of its median,
# and that much beside it. CPU is of a round of churn.
SERIES = {
    "heap": ("resident: heap and stacks, KiB", KIB, 0.05, 512 * KIB),
    "ring": ("resident: shared memory (the ring), KiB", KIB, 0, 16 << 20),  # mapped twice, and touched as records come
    "program": ("resident: files (the program), KiB", KIB, 0.1, 2 << 20),
    "maps": ("memory of maps and programs, KiB", KIB, 0.05, 256 * KIB),
    "files": ("file descriptors", 1, 0.1, 8),
    "links": ("links: attached programs and libraries", 1, 0.2, 8),
    "threads": ("threads", 1, 0, 1),
    "cpu": ("CPU per round, us", 1, 0.25, 500),
}


class Churn(threading.Thread):
    """Rounds of programs that start, connect, load a TLS library of their own, and end."""

    def __init__(self, directory, plain, secure):
        super().__init__(daemon=True)
        self.directory, self.plain, self.secure = directory, plain, secure
        self.rounds, self.wrong, self.ends = 0, [], threading.Event()
        found = glob.glob("/usr/lib/*/libssl.so.3")
        self.libraries = [found[0], found[0].replace("libssl", "libcrypto")]

    def curl(self, *arguments, library=None):
        env = {**os.environ, **MARK, **({"LD_LIBRARY_PATH": library} if library else {})}
        done = subprocess.run(["curl", "-sS", "-k", "-o", "/dev/null", "--max-time", "20", *arguments], env=env, capture_output=True,
                              text=True, check=False)
        if done.returncode:
            self.wrong.append(done.stderr.strip())

    def run(self):
        while not self.ends.is_set():
            begin = time.monotonic()
            for _ in range(5):  # processes
                self.curl(f"{self.plain}/process")
            self.curl("-H", "Connection: close", f"{self.plain}/connection/[1-20]")
            library = tempfile.mkdtemp(dir=self.directory)  # files of the same content, which are other inodes
            for path in self.libraries:
                shutil.copy(os.path.realpath(path), f"{library}/{os.path.basename(path)}")
            self.curl(f"{self.secure}/library/[1-5]", library=library)
            shutil.rmtree(library)
            self.rounds += 1
            self.ends.wait(max(0.0, begin + ROUND - time.monotonic()))


def status(pid, key):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return int(next(line.split()[1] for line in file if line.startswith(key)))


def links(pid):
    found = 0
    for name in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            with open(f"/proc/{pid}/fdinfo/{name}", encoding="utf-8") as file:
                found += "link_id:" in file.read()
        except FileNotFoundError:
            continue
    return found


def sample(pid):
    return {"heap": status(pid, "RssAnon:") * KIB, "ring": status(pid, "RssShmem:") * KIB, "program": status(pid, "RssFile:") * KIB,
            "maps": rig.locked_bytes(pid),
            "files": len(os.listdir(f"/proc/{pid}/fd")),
            "links": links(pid), "threads": status(pid, "Threads:"), "cpu": cpu_seconds(pid) * 1e6}


def growth(values):
    """How much the straight line through them rises from the first to the last: not what two samples happened to be."""
    if len(set(values)) == 1:
        return 0.0
    return statistics.linear_regression(range(len(values)), values).slope * (len(values) - 1)


def collect(run, churn, seconds):
    """Samples, 30 to 200 of them; those of CPU are of the rounds between two samples."""
    samples, end, interval = [], time.monotonic() + seconds, max(2.0, min(seconds / 30, 60.0))
    rounds, cpu = churn.rounds, cpu_seconds(run.process.pid) * 1e6
    while time.monotonic() < end:
        time.sleep(interval)
        if not run.process.running():
            raise SystemExit(f"soak: sonde ended: {run.process.stderr()[-2000:]}")
        now, done = sample(run.process.pid), churn.rounds
        if done == rounds:
            continue
        total, now["cpu"] = now["cpu"], (now["cpu"] - cpu) / (done - rounds)
        rounds, cpu = done, total
        samples.append(now)
    return samples


def soak(directory, options):
    files, answers = tls.files(), "access_log off; location / { return 200 'hello'; }"
    plain = servers.nginx(directory, answers, name="plain")
    secure = servers.nginx(directory, answers, name="secure", options=" ssl",
                           top=f"ssl_certificate {files.certificate}; ssl_certificate_key {files.key};")
    started = [plain, secure]
    for server in started:
        server.env.update(MARK)
        server.start()
    run = Sonde(directory, "--env", "=".join(*MARK.items()), exports=["none"], probes=options.probes, binary=options.sonde)
    churn = Churn(directory, f"http://127.0.0.1:{plain.address[1]}", f"https://127.0.0.1:{secure.address[1]}")
    try:
        run.ready()
        churn.start()
        samples = collect(run, churn, options.minutes * 60)
        churn.ends.set()
        churn.join()
        spans, texts = run.metric("sonde_spans_total"), run.metric("sonde_tls_connections_total")
        run.stop()
    finally:
        churn.ends.set()
        run.process.stop()
        for server in started:
            server.stop()
    return samples, {"rounds": churn.rounds, "spans": spans, "tls_connections": texts, "wrong": churn.wrong}


def judge(samples):
    """[(title, after warm-up, at the end, growth, allowed)]; the first third warms up."""
    rest = samples[len(samples) // 3:]
    for name, (title, divisor, part, more) in SERIES.items():
        values = [one[name] for one in rest]
        allowed = statistics.median(values) * part + more
        yield (title, *(number / divisor for number in (values[0], values[-1], growth(values), allowed)))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=240)
    parser.add_argument("--probes", default="", help="family")
    parser.add_argument("--sonde", required=True, help="the binary")
    parser.add_argument("--output", help="folder for soak.json")
    options = parser.parse_args()
    options.sonde = os.path.abspath(options.sonde)
    directory = tempfile.mkdtemp(prefix="sonde-soak-")
    os.chmod(directory, 0o777)
    try:
        samples, facts = soak(directory, options)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if len(samples) < 9:
        raise SystemExit(f"soak: {len(samples)} samples are too few to tell")
    judged = list(judge(samples))
    print(f"{options.minutes:g} minutes, {facts['rounds']} rounds of 7 processes, 30 connections and 2 new library files; "
          f"{facts['spans']:.0f} spans, text of {facts['tls_connections']:.0f} TLS connections\n")
    print("| What | after warm-up | at the end | grown | allowed |\n|---|---|---|---|---|")
    for title, first, last, grown, allowed in judged:
        print(f"| {title} | {first:.0f} | {last:.0f} | {grown:+.1f} | {allowed:.0f} |")
    if options.output:
        os.makedirs(options.output, exist_ok=True)
        with open(os.path.join(options.output, "soak.json"), "w", encoding="utf-8") as file:
            json.dump({**facts, "minutes": options.minutes, "samples": samples, "machine": rig.machine()}, file, indent=2)
    bad = [title for title, _, _, grown, allowed in judged if grown > allowed]
    bad += [f"programs failed: {facts['wrong'][0]} and {len(facts['wrong']) - 1} more"] if facts["wrong"] else []
    bad += ["no spans"] if not facts["spans"] or not facts["tls_connections"] else []
    for title in bad:
        print(f"soak: {title}", file=sys.stderr)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
