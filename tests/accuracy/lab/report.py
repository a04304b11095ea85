# SPDX-License-Identifier: Apache-2.0
"""The table on the terminal, and the one in docs/reference/runtimes.md."""
BEGIN = "<!-- generated: script/accuracy --update-docs -->"
END = "<!-- /generated -->"


def share(value):
    if value is None:
        return "–"
    # 99.96 is not 100: rounded down.
    return f"{int(value * 100) / 100:.2f}".rstrip("0").rstrip(".")


def rules(figures):
    return " ".join(f"{rule}:{n['right']}{'' if not n['wrong'] else '/' + str(n['wrong']) + '!'}"
                    for rule, n in figures["rules"].items())


def notes(figures):
    found = []
    for key, title in (("unseen", "unseen"), ("servers_unseen", "servers unseen"), ("dangling", "dangling"), ("instant", "without duration"),
                       ("gates_closed", "gates closed")):
        if figures[key]:
            found.append(f"{title} {figures[key]}")
    found += [f"events lost {count} {reason}" for reason, count in figures["events_dropped"].items()]
    found.append(f"at once {figures['peak']}")
    if figures["background"]:
        found.append(f"background {figures['background_linked']}/{figures['background']}")
    if "whole_traces" in figures:
        found.append(f"whole traces {figures['whole_traces']}/{figures['requests']}")
    found += [f"{rule} out p99 {milliseconds:g} ms" for rule, milliseconds in figures["out_p99_ms"].items()]
    return ", ".join(found)


HEAD = (f"{'row':17} {'variant':9} {'mode':11} {'conc':>4} {'calls':>6} {'prec %':>7} {'recall %':>8} {'linked':>6} "
        f"{'wrong':>5} {'missed':>6} {'ambig':>6}  rules; notes")


def line(result):
    f = result.get("figures")
    start = f"{result['row']:17} {result['variant']:9} {result['mode']:11} {result['concurrency']:4}"
    if f is None:
        return f"{start} {result['missing']}"
    return (f"{start} {f['calls']:6} {share(f['precision']):>7} {share(f['recall']):>8} {f['linked']:6} {f['wrong']:5} "
            f"{f['missed']:6} {f['ambiguous']:6}  {rules(f)}; {notes(f)}")


def by_mode(result):
    """What each mode of a mixed case had."""
    for mode, n in result["figures"]["modes"].items():
        yield f"    {mode}: {n['right']} of {n['calls']} right, {n['wrong']} wrong"


def precision(results):
    right, linked = (sum(r["figures"][key] for r in results) for key in ("right", "linked"))
    return share(100.0 * right / linked if linked else None)


def recall(results):
    """By mode, over several cases: "r 100, s 99.5"."""
    sums = {}
    for result in results:
        for mode, n in result["figures"]["modes"].items():
            right, calls = sums.get(mode, (0, 0))
            sums[mode] = (right + n["right"], calls + n["calls"])
    return ", ".join(f"{mode} {share(100.0 * right / calls)}" for mode, (right, calls) in sums.items() if calls)


def title(result, rows):
    versions = [f"{tool.split('_')[0].capitalize()} {version}" for tool, version in result["versions"].items()]
    return ", ".join([rows[result["row"]].title, *versions])


def table(results, rows):
    """At the most requests at once that were measured."""
    done = [r for r in results if "figures" in r]
    most = max(r["concurrency"] for r in done)
    lines = {}  # (service, variant) -> results, in the order of the rows
    for row in rows:
        for result in (r for r in done if r["row"] == row and r["concurrency"] == most):
            lines.setdefault((title(result, rows), result["variant"]), []).append(result)
    out = ["| Service | Variant | Right links | Found links, by kind of call | Rules |", "|---|---|---|---|---|"]
    for key, mine in lines.items():
        used = sorted({rule for r in mine for rule in r["figures"]["rules"]})
        out.append(f"| {' | '.join([*key, precision(mine), recall(mine), ', '.join(used)])} |")
    return out


def update_docs(path, results, rows):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join([before + BEGIN, *table(results, rows), END]) + after)
