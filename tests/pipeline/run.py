# SPDX-License-Identifier: Apache-2.0
"""Replays captures and recordings through the whole pipeline and compares the spans with what was reviewed.

run.py SONDE CASE [--update]: CASE is a file in captures/; its golden file stands in golden/. Ids that sonde draws are left
out (only whether a parent exists stays); times are kept, relative to the first span, because they come from the packets.
run.py SONDE CASE --like OTHER: the spans must be those of OTHER, times left out (packets in another order, or twice).
"""
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
from harness.spans import attributes_of, read_spans  # noqa: E402


def replay(binary, case):
    with tempfile.TemporaryDirectory() as directory:
        out = f"{directory}/spans.jsonl"
        done = subprocess.run([binary, "replay", os.path.join(HERE, "captures", case), "--export", f"file={out}"],
                              capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            sys.exit(f"sonde replay {case}: exit code {done.returncode}\n{done.stderr}")
        return read_spans(out)


def plain(span, first_ns, ids, times):
    """One span as a dictionary that is the same in every run."""
    from_header = span["sonde.link.method"] in ("traceparent", "b3", "jaeger", "xray", "datadog")
    parent = span.parent_id
    if parent and not from_header:
        parent = f"span {ids[parent]}" if parent in ids else "not in the file"
    facts = {"name": span.name, "kind": span.kind, "status": span.status,
             "trace": span.trace_id if from_header else "drawn", "parent": parent,
             "service": span.service, "attributes": dict(sorted(span.attributes.items())),
             "links": [attributes_of(link.get("attributes")) for link in span.links]}
    if times:
        facts["start_us"] = (span.start_ns - first_ns) // 1000
        facts["duration_us"] = (span.end_ns - span.start_ns) // 1000
    return facts


def normal_form(spans, times=True):
    spans = sorted(spans, key=lambda s: (s.start_ns, s.end_ns, s.target or "", s.name))
    ids = {s.span_id: i for i, s in enumerate(spans)}
    facts = [plain(s, spans[0].start_ns, ids, times) for s in spans]
    return facts if times else sorted(facts, key=lambda f: json.dumps(f, sort_keys=True))


def text(facts):
    return "".join(json.dumps(f, sort_keys=True) + "\n" for f in facts)


def main():
    binary, case = sys.argv[1:3]
    spans = replay(binary, case)
    golden = os.path.join(HERE, "golden", f"{case}.jsonl")
    if "--update" in sys.argv:
        os.makedirs(os.path.dirname(golden), exist_ok=True)
        with open(golden, "w", encoding="utf-8") as file:
            file.write(text(normal_form(spans)))
        return
    if "--like" in sys.argv:
        found, wanted = (normal_form(s, False) for s in (spans, replay(binary, sys.argv[sys.argv.index("--like") + 1])))
    else:
        found = normal_form(spans)
        with open(golden, encoding="utf-8") as file:
            wanted = [json.loads(line) for line in file]
    if found != wanted:
        with tempfile.TemporaryDirectory() as directory:
            for name, facts in (("wanted", wanted), ("found", found)):
                with open(f"{directory}/{name}", "w", encoding="utf-8") as file:
                    file.write(json.dumps(facts, indent=1, sort_keys=True))
            subprocess.run(["diff", "-u", "wanted", "found"], cwd=directory, check=False)
        sys.exit(f"{case}: {len(found)} spans, wanted {len(wanted)}")
    print(f"{case}: {len(found)} spans as reviewed")


main()
