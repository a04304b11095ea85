# SPDX-License-Identifier: Apache-2.0
"""Measures sonde's cost on this machine and prints a table; called by script/bench."""
import argparse
import json
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import measure  # noqa: E402
import rig  # noqa: E402

MIB = 1 << 20


def note(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def in_directory(function, *args, **options):
    directory = tempfile.mkdtemp(prefix="sonde-bench-")
    os.chmod(directory, 0o755)
    try:
        return function(directory, *args, **options)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def spread(q, digits=2):
    return f"{q['median']:.{digits}f} [{q['low']:.{digits}f}..{q['high']:.{digits}f}]"


def rows(results):
    for path, title in (("/", "nginx `return 200`"), ("/file", "nginx 1 KiB file")):
        r = results["overhead"][path]
        yield f"{title}: throughput attached / detached", spread(r["ratio"], 3)
        yield f"{title}: detached, requests/s", spread(r["detached_rps"], 0)
        yield f"{title}: nginx CPU per request, detached, us", spread(r["detached_us"])
        yield f"{title}: nginx CPU added per request, us", spread(r["added_us"])
    for name, r in results["agent"].items():
        yield (f"agent CPU per span, {name}, us",
               f"{r['us_per_span']:.2f} (at {r['spans_per_second']:.0f}/s; dropped {r['events_dropped']:.0f} events, "
               f"{r['spans_dropped']:.0f} spans)")
    first = results["agent"]["none"]
    yield "agent resident, idle / after load, MiB", f"{first['rss_idle_bytes'] / MIB:.1f} / {first['rss_bytes'] / MIB:.1f}"
    grpc = results["agent"]["otlp grpc"]
    yield "agent resident with OTLP gRPC after load, MiB", f"{grpc['rss_bytes'] / MIB:.1f}"
    yield "locked maps and programs, MiB", f"{first['locked_bytes'] / MIB:.1f}"
    yield "start to ready, ms", spread(results["ready_ms"], 0)
    yield "response to span in the file, ms", spread(results["span_ms"], 0)
    r = results["loss"]
    yield (f"full speed for {r['seconds']} s: requests served / spans exported", f"{r['requests']} / {r['spans']}")
    yield "... events dropped / spans dropped", f"{r['events_dropped']:.0f} / {r['spans_dropped']:.0f}"
    yield "... requests/s; agent resident after, MiB", f"{r['rps']:.0f}; {r['rss_bytes'] / MIB:.1f}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", required=True)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--probes", default="")
    options = parser.parse_args()
    facts = rig.machine()
    results = {"machine": facts, "probes": options.probes or "chosen", "overhead": {}, "agent": {}}
    for path in ("/", "/file"):
        note(f"overhead of {path}, {options.pairs} pairs")
        results["overhead"][path] = in_directory(measure.overhead, path, options.pairs, options.probes)
    for exporter in measure.EXPORTERS:
        note(f"agent with exporter {exporter}")
        results["agent"][exporter] = in_directory(measure.agent, exporter, options.probes)
    note("start, latency, loss")
    results["ready_ms"] = in_directory(measure.time_to_ready, options.probes)
    results["span_ms"] = in_directory(measure.time_to_span, options.probes)
    results["loss"] = in_directory(measure.loss, options.probes)

    name = f"overhead-{options.probes or 'default'}.json"
    with open(os.path.join(options.output, name), "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)
    print("; ".join(f"{key} {value}" for key, value in facts.items()) + f"; probes {results['probes']}\n")
    table = list(rows(results))
    width = max(len(title) for title, _ in table)
    print(f"| {'What':<{width}} | Value |\n|{'-' * (width + 2)}|-------|")
    for title, value in table:
        print(f"| {title:<{width}} | {value} |")
    print(f"\n(median and middle half over pairs; every window in {options.output}/{name})")


if __name__ == "__main__":
    main()
