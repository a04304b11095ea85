# SPDX-License-Identifier: Apache-2.0
"""What it costs a service that sonde knows who is at work in it: services of the accuracy lab, with their runtime read and probed, and
without, in turn under the same load. A request makes one call; 64 at once."""
import contextlib
import json
import os
import subprocess
import sys

import rig

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "accuracy"))
from lab import programs  # noqa: E402
from lab.rig import Backend, Load  # noqa: E402
from lab.rows import ROWS  # noqa: E402

SERVICES = ("cpp", "go", "aiohttp", "node", "java-send", "tokio")
CONNECTIONS = 64
STATS = "/proc/sys/kernel/bpf_stats_enabled"
SOCKETS = ("sonde_sock_send", "sonde_sock_recv")  # the kernel keeps 15 characters of a name
RUNTIME = ("sonde_runtime_",)


def ids(pid, word):
    """Of the maps or programs that a process holds."""
    found = set()
    for name in os.listdir(f"/proc/{pid}/fdinfo"):
        with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/fdinfo/{name}", encoding="utf-8") as file:
            found.update(int(line.split()[1]) for line in file if line.startswith(f"{word}:"))
    return found


def bpftool(*words):
    done = subprocess.run([rig.servers.tool("bpftool"), "-j", *words], capture_output=True, text=True, check=True)
    return json.loads(done.stdout or "[]")


def forget_runtimes(sonde):
    """The socket programs then read no more than the thread."""
    for each in bpftool("map", "show"):
        if each.get("name") == "sonde_runtimes" and each["id"] in ids(sonde.process.pid, "map_id"):
            for entry in bpftool("map", "dump", "id", str(each["id"])):
                subprocess.run([rig.servers.tool("bpftool"), "map", "delete", "id", str(each["id"]), "key", "hex",
                                *[byte.removeprefix("0x") for byte in entry["key"]]], check=True, capture_output=True)


def run_ns(sonde, names):
    """Nanoseconds that sonde's programs of these names ran for."""
    mine = ids(sonde.process.pid, "prog_id")
    return sum(each.get("run_time_ns", 0) for each in bpftool("prog", "show")
               if each["id"] in mine and each.get("name", "").startswith(names))


@contextlib.contextmanager
def program_statistics():
    with open(STATS, encoding="utf-8") as file:
        before = file.read()
    try:
        with open(STATS, "w", encoding="utf-8") as file:
            file.write("1")
        yield
    finally:
        with open(STATS, "w", encoding="utf-8") as file:
            file.write(before)


@contextlib.contextmanager
def load_on(server):
    """Of connections that nobody has kept waiting."""
    load = Load(server.port, CONNECTIONS, ["r"])
    try:
        yield load
    finally:
        load.stop()


def window(directory, server, prefix, requests, linked):
    """One attach: CPU of the service per request, then what the programs take per record."""
    options = [] if linked else ["--no-probes", "runtime"]
    selectors = [word for pid in server.pids for word in ("--pid", str(pid))]
    sonde = rig.Sonde(directory, *selectors, *options, exports=["none"], name=prefix)
    sonde.ready()
    if not linked:
        forget_runtimes(sonde)
    with load_on(server) as load:
        load.run(f"{prefix}w", 2 * CONNECTIONS)
        cpu = sum(map(rig.cpu_seconds, server.pids))
        load.run(f"{prefix}c", requests)
        cpu = sum(map(rig.cpu_seconds, server.pids)) - cpu
        with program_statistics():
            socket_ns, runtime_ns = run_ns(sonde, SOCKETS), run_ns(sonde, RUNTIME)
            records = sonde.metric("sonde_events_total", type="data")
            load.run(f"{prefix}s", requests)
            socket_ns, runtime_ns = run_ns(sonde, SOCKETS) - socket_ns, run_ns(sonde, RUNTIME) - runtime_ns
            records = sonde.metric("sonde_events_total", type="data") - records
    sonde.stop()
    return {"us_per_request": cpu * 1e6 / requests, "ns_per_record": socket_ns / records, "probes_ns_per_call": runtime_ns / requests,
            "records_per_request": records / requests}


def measure(directory, name, pairs, requests=4000):
    """Figures with (`linked`) and without, and the difference of each pair."""
    backend = Backend(directory, 0)
    place = programs.Place(directory, "front", backend.port, {}, programs.Toolchains())
    server = ROWS[name].start(place)
    server.port = place.port
    rows = []
    try:
        server.start()
        with load_on(server) as load:
            load.run("w", requests)  # compiled code, and pools that have grown
        for pair in range(pairs):
            both = {linked: window(directory, server, f"{'lo'[linked]}{pair}", requests, linked)
                    for linked in ((False, True), (True, False))[pair % 2]}
            rows.append({**both[True], "ratio": both[True]["us_per_request"] / both[False]["us_per_request"],
                         "added_us_per_request": both[True]["us_per_request"] - both[False]["us_per_request"],
                         "added_ns_per_record": both[True]["ns_per_record"] - both[False]["ns_per_record"]})
    finally:
        server.stop()
        backend.stop()
    return {key: rig.quartiles([row[key] for row in rows]) for key in rows[0]} | {"title": ROWS[name].title, "pairs": rows}
