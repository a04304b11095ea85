# SPDX-License-Identifier: Apache-2.0
"""Measures sonde's cost on this machine and prints a table; called by script/bench."""
import argparse
import json
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import linking  # noqa: E402
import measure  # noqa: E402
import rig  # noqa: E402
from harness import build  # noqa: E402

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
    for title, r in results["overhead"].items():
        if "missing" in r:
            yield f"{title}: not measured", r["missing"]
            continue
        yield f"{title}: throughput attached / detached", spread(r["ratio"], 3)
        yield f"{title}: detached, requests/s", spread(r["detached_rps"], 0)
        yield f"{title}: server CPU per request, detached, us", spread(r["detached_us"])
        yield f"{title}: server CPU added per request, us", spread(r["added_us"])
        yield f"{title}: agent CPU per request at this speed, us", spread(r["agent_us"])
        yield f"{title}: ... in its first second, us", spread(r["agent_first_us"])
    for name, r in results["stages"].items():
        yield f"agent CPU per span, {name}, us", f"{r['us_per_span']:.2f} (at {r['spans_per_second']:.0f}/s)"
    if results["volume"]:
        r = results["volume"]
        yield (f"{r['seconds']} s at full speed, all stages: spans/s; agent resident at most, MiB",
               f"{r['rate']:.0f}; {r['rss_peak_bytes'] / MIB:.1f}")
        yield "... requests served / spans made; events dropped", f"{r['requests']} / {r['spans']:.0f}; {r['events_dropped']:.0f}"
        yield ("... spans made = exported + sampled out + dropped otherwise; counted in metrics",
               f"{r['spans']:.0f} = {r['exported']:.0f} + {r['sampled_out']:.0f} + {r['dropped'] - r['sampled_out']:.0f}"
               f" (missing {r['missing']:.0f}); {r['counted']:.0f}")
    for r in results["linking"].values():
        if "missing" in r:
            yield f"linking, {r['title']}: not measured", r["missing"]
            continue
        yield f"linking, {r['title']}: CPU per request with / without", spread(r["ratio"], 3)
        yield f"... CPU added per request of one call, us; with it", f"{spread(r['added_us_per_request'])}; {spread(r['us_per_request'])}"
        yield "... added to the socket programs per record, ns", spread(r["added_ns_per_record"], 0)
        yield "... run time of the runtime's probes per call, ns", spread(r["probes_ns_per_call"], 0)
    if not results["agent"]:
        return
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
    parser.add_argument("--only", default="", metavar="TEXT",
                        help="only overhead, of the targets with TEXT in their name; or `volume`: only metrics, sampling and memory; or `linking`")
    options = parser.parse_args()
    results = {"machine": rig.machine(), "probes": options.probes or "chosen", "overhead": {}, "agent": {}, "stages": {},
               "linking": {}, "volume": None}
    for target in measure.TARGETS:
        if options.only not in target:
            continue
        note(f"overhead, {target}, {options.pairs} pairs")
        try:
            results["overhead"][target] = in_directory(measure.overhead, target, options.pairs, options.probes)
        except build.Missing as reason:
            results["overhead"][target] = {"missing": str(reason)}
    for service in linking.SERVICES if options.only in ("", "linking") else ():
        note(f"linking, {service}, {options.pairs} pairs")
        try:
            results["linking"][service] = in_directory(linking.measure, service, options.pairs)
        except build.Missing as reason:
            results["linking"][service] = {"title": service, "missing": str(reason)}
    if options.only and options.only != "volume":
        return finish(results, options)
    for stage, config in measure.STAGES.items():
        note(f"agent with {stage}")
        results["stages"][stage] = in_directory(measure.agent, "none", options.probes, config=config)
    note("a minute at full speed")
    results["volume"] = in_directory(measure.volume, options.probes)
    if options.only:
        return finish(results, options)
    for exporter in measure.EXPORTERS:
        note(f"agent with exporter {exporter}")
        results["agent"][exporter] = in_directory(measure.agent, exporter, options.probes)
    note("start, latency, loss")
    results["ready_ms"] = in_directory(measure.time_to_ready, options.probes)
    results["span_ms"] = in_directory(measure.time_to_span, options.probes)
    results["loss"] = in_directory(measure.loss, options.probes)
    finish(results, options)


def finish(results, options):
    name = f"overhead-{options.probes or 'default'}.json"
    with open(os.path.join(options.output, name), "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)
    print("; ".join(f"{key} {value}" for key, value in results["machine"].items()) + f"; probes {results['probes']}\n")
    table = list(rows(results))
    width = max(len(title) for title, _ in table)
    print(f"| {'What':<{width}} | Value |\n|{'-' * (width + 2)}|-------|")
    for title, value in table:
        print(f"| {title:<{width}} | {value} |")
    print(f"\n(median and middle half over pairs; every window in {options.output}/{name})")


if __name__ == "__main__":
    main()
