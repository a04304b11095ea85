# SPDX-License-Identifier: Apache-2.0
"""The generated part of docs/reference/kernels.md: what each row of the matrix did when it was last run."""
import judge

BEGIN = "<!-- generated: tests/vm/run.py --update -->"
END = "<!-- end of the generated part -->"
PARTS = ("sock_length", "sys_exit", "tcp_state", "process", "tls", "mapped", "runtime")


def _table(head, lines):
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *("| " + " | ".join(line) + " |" for line in lines)])


def _states(row, doctor):
    states = {family["name"]: family["state"] for family in doctor.get("families", [])}
    return [row["name"], *(states.get(name, "–") for name in PARTS)]


def generated(report):
    """Text between the marks."""
    results, families, costs = [], [], []
    for row, version, outcome, _, said in report:
        doctor = said.doctor
        if doctor["ok"]:
            tls = any(family["name"] == "tls" and family["state"] != "failed" for family in doctor["families"])
            right = [f"{right}/{of}" if tls or judge.CASES[name][1] == "socket" else "–"
                     for name, (right, of, _) in judge.cases(said).items()]
            right.append(str(judge.counted_losses(said)))
            families.append(_states(row, doctor))
        else:
            right = ["–"] * (len(judge.CASES) + 1)
        verdict = "can trace" if doctor["ok"] else "cannot trace: " + ("; ".join(m["what"] for m in doctor["missing"]) or "too old")
        results.append([row["name"], said.text("release"), version, *right, verdict,
                        "refuses, as expected" if outcome == "passed" and not doctor["ok"] else outcome])
        for family, programs in judge.costs(said).items():
            costs += [[row["name"], family, f"`{program}`", str(count)] for program, count in programs.items()]
    return "\n\n".join([
        _table(["row", "kernel", "package", *judge.CASES, "lost, counted", "doctor", "result"], results),
        "What doctor says of each family, and what then was used:",
        _table(["row", *PARTS], families),
        "Instructions that the verifier walks through; its limit is 1,000,000:",
        _table(["row", "family", "program", "instructions"], costs)])


def _cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def merged(before, now, order):
    """`before` with what `now` says of the rows that were run; both are texts of generated(). `order`: names of all rows there are."""
    run = {_cells(line)[0] for line in now.splitlines() if line.startswith("| ")}
    old = [[line for line in part.splitlines() if line.startswith("| ")] for part in before.split("\n\n") if part.startswith("|")]
    parts, tables = [], iter(old)
    for part in now.split("\n\n"):
        if part.startswith("|"):
            head, rule, *lines = part.splitlines()
            kept = [line for line in next(tables, [])[1:] if _cells(line)[0] not in run and _cells(line)[0] in order]
            part = "\n".join([head, rule, *sorted(kept + lines, key=lambda line: order.index(_cells(line)[0]))])
        parts.append(part)
    return "\n\n".join(parts)


def write(path, report, order):
    """What is said of rows that are not in `report` stays."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    before, rest = text.split(BEGIN)
    old, after = rest.split(END)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{before}{BEGIN}\n\n{merged(old.strip(), generated(report), order)}\n\n{END}{after}")
