# SPDX-License-Identifier: Apache-2.0
"""What a guest's results say: doctor's verdict, spans and links per case, what was left in the kernel, and the verifier's costs."""
import json
import os
import re
import sys
from collections import defaultdict

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from harness.spans import CLIENT, SERVER, read_spans  # noqa: E402  (the end-to-end tests' reader)

# Case: (requests, where the text is taken, does the server ask another).
CASES = {
    "plain": (10, "socket", False),
    "chain": (5, "socket", True),
    "h2": (5, "socket", False),
    "tls": (10, "openssl", False),
    "tlsh2": (10, "openssl", False),
    "tlschain": (5, "openssl", True),
}
# What shows what sonde left in the kernel, and after what.
LEFT = {"left-doctor": "doctor", "left-stop": "SIGTERM", "left-kill": "SIGKILL", "left-twice": "two at once", "left-oom": "out of memory"}


class Results:
    """The folder that a guest handed over."""

    def __init__(self, folder):
        self.folder = folder

    def text(self, name):
        try:
            with open(os.path.join(self.folder, name), encoding="utf-8", errors="replace") as file:
                return file.read().strip()
        except FileNotFoundError:
            return None

    @property
    def doctor(self):
        return json.loads(self.text("doctor.json"))

    def spans(self, name="run.jsonl"):
        return read_spans(os.path.join(self.folder, name))


def _chain_of(spans, source, second_hop):
    """What is wrong with the spans of one request; empty = each is there once, and each is the child of the one that made it."""
    kinds = defaultdict(list)
    for span in spans:
        kinds[span.service, span.kind, span["server.port"] == 8081].append(span)
    wanted = [("curl", CLIENT, False), ("nginx", SERVER, False)]
    if second_hop:
        wanted += [("nginx", CLIENT, True), ("nginx", SERVER, True)]
    found = []
    for key in wanted:
        if len(kinds[key]) != 1:
            return f"{len(kinds[key])} spans of {key[0]}, kind {key[1]}"
        found.append(kinds[key][0])
    if len(spans) != len(wanted):
        return f"{len(spans)} spans, {len(wanted)} expected"
    if found[0].parent_id:
        return "the client has a parent"
    for parent, child in zip(found, found[1:]):
        if child.parent_id != parent.span_id or child.trace_id != parent.trace_id:
            return f"{child} is not the child of {parent}"
    taken = {span["sonde.capture.source"] for span in found[:2]}
    if taken != {source}:
        return f"taken from {taken}, expected {source}"
    failed = [span for span in found if span["http.response.status_code"] != 200]
    return f"status of {failed[0]}" if failed else ""


def cases(results):
    """{case: (right, of, first complaint)}."""
    by_target = defaultdict(list)
    for span in results.spans():
        by_target[span.target].append(span)
    said = {}
    for name, (count, source, second_hop) in CASES.items():
        wrong = [_chain_of(by_target[f"/{name}/{i}"], source, second_hop) for i in range(1, count + 1)]
        complaints = [w for w in wrong if w]
        said[name] = (count - len(complaints), count, complaints[0] if complaints else "")
    return said


def costs(results):
    """{family: {program: instructions that the verifier walked through}}."""
    return {f["name"]: f["verifier_instructions"] for f in results.doctor.get("families", []) if f["verifier_instructions"]}


def counted_losses(results):
    """Events that the kernel did not hand over because the program was at work already on that processor, which a guest's slowness
    makes more frequent: sonde counts them."""
    found = re.search(r'^sonde_events_dropped_total\{reason="recursion"\} (\d+)', results.text("metrics") or "", flags=re.M)
    return int(found.group(1)) if found else 0


def _over_budget(measured, budget):
    """A program may cost a tenth more than what is noted; one that is not noted is new."""
    for family, programs in measured.items():
        for program, instructions in programs.items():
            noted = budget.get(family, {}).get(program)
            if noted is None:
                yield f"{family}: {program} walks {instructions} instructions and is not in the budget"
            elif instructions > noted * 1.1:
                yield f"{family}: {program} walks {instructions} instructions, {noted} are noted"


def _side_by_side(results):
    """What two at once, and one that takes over from another, have not seen: of each request a client's and a server's span."""
    for name, path in {"first": "twice", "second": "twice", "upgrade": "upgrade"}.items():
        found = [span.target for span in results.spans(f"{name}.jsonl")]
        missing = [path for path in (f"/{path}/{i}" for i in range(1, 6)) if found.count(path) != 2]
        if len(missing) > counted_losses(results):
            yield f"sonde {name}, beside another: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not two spans"


def complaints(row, results, budget):
    """Everything that is not as it should be in this row; empty = it passes."""
    wrong = []
    doctor = results.doctor
    if row.get("expect") == "cannot trace":
        if doctor["ok"] or results.text("doctor.exit") != "3":
            wrong.append(f"doctor: ok is {doctor['ok']}, exit code {results.text('doctor.exit')}; expected to refuse")
        if not all(m["remedy"] for m in doctor["missing"]) or not (doctor["missing"] or "needs Linux" in doctor["reason"]):
            wrong.append("doctor does not say what would help")
        return wrong
    if not doctor["ok"]:
        return [f"doctor: {doctor.get('reason')}"]
    # What doctor says works must work, and what it says is off must not: text in TLS is the part that may be off.
    states = {family["name"]: (family["state"], family["why"]) for family in doctor["families"]}
    for name in row.get("refused", []):
        if states[name][0] != "failed" or row["because"] not in states[name][1]:
            wrong.append(f"doctor: family {name} is {states[name]}; expected to be refused because {row['because']}")
    tls = states["tls"][0] in ("works", "fallback")
    forgiven = counted_losses(results)
    for name, (right, of, complaint) in cases(results).items():
        if CASES[name][1] != "socket" and not tls:
            wrong += [] if "tls" in row.get("refused", []) else [f"{name}: family tls is off"]
        elif of - right > forgiven:
            wrong.append(f"{name}: {right} of {of}; {complaint}")
        else:
            forgiven -= of - right
    if results.text("run.exit") != "0":
        wrong.append(f"sonde ended with {results.text('run.exit')}: {results.text('run.err')}")
    for name, when in LEFT.items():
        if results.text(name) != "":
            wrong.append(f"left in the kernel after {when}: {results.text(name)}")
    for name in ("kill", "oom"):
        if results.text(f"answers-after-{name}") != "0":
            wrong.append(f"nginx does not answer after sonde's end by {name}")
    wrong += _side_by_side(results)
    if not (results.text("oom-kills") or "").endswith(" 1"):
        wrong.append(f"sonde was not killed for its memory: {results.text('oom-kills')}")
    if results.text("kernel-complaints"):
        wrong.append(f"the kernel complains: {results.text('kernel-complaints')}")
    return wrong + list(_over_budget(costs(results), budget))
