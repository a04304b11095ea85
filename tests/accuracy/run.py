# SPDX-License-Identifier: Apache-2.0
"""Runs rows of the accuracy lab and prints what was linked rightly, wrongly and not; called by script/accuracy and by ctest."""
import argparse
import json
import os
import shutil
import sys
import tempfile
import traceback

from lab import programs, report, rig
from lab.rows import ROWS, VARIANTS
from harness.build import Missing

SKIPPED = 77  # ctest's SKIP_RETURN_CODE
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def arguments():
    parser = argparse.ArgumentParser(prog="script/accuracy")
    parser.add_argument("--list", action="store_true", help="name the rows, their modes and variants")
    parser.add_argument("--row", action="append", default=[], metavar="NAME", help="only this row; may be repeated")
    parser.add_argument("--variant", action="append", default=[], choices=VARIANTS, help="only this situation; may be repeated")
    parser.add_argument("--mode", action="append", default=[], metavar="MODE", help="only this mode, or mix: all, in turn")
    parser.add_argument("--concurrency", type=int, action="append", default=[], metavar="N")
    parser.add_argument("--requests", type=int, default=0, metavar="N", help="of each case (default 2000; 200 at concurrency 1)")
    parser.add_argument("--check", action="store_true", help="short, and fail on a wrong link or too few")
    parser.add_argument("--python", default="", metavar="VERSION", help="of pyenv, with packages from their registry")
    parser.add_argument("--node", default="", metavar="VERSION", help="of the npm package `node`")
    parser.add_argument("--java", default="", metavar="VERSION", help="below /usr/lib/jvm")
    parser.add_argument("--output", default=os.path.join(ROOT, "build", "accuracy.json"), metavar="FILE")
    parser.add_argument("--keep", default="", metavar="DIRECTORY", help="keep spans and logs of each case")
    parser.add_argument("--update-docs", action="store_true", help="write the table of docs/reference/runtimes.md")
    parser.add_argument("--from", dest="earlier", action="append", default=[], metavar="FILE",
                        help="run nothing: take the results of earlier runs; may be repeated, later ones replace")
    return parser.parse_args()


def cases(row, options):
    """(variant, modes, concurrency, requests): each mode alone where it is the question, all in turn elsewhere."""
    if options.check:
        for variant in options.variant or row.short.split():
            yield variant, row.short_modes.split() or row.mode_list, 8, options.requests or 300
        return
    for variant in options.variant or row.variant_list:
        if variant not in row.variant_list:
            continue
        alone = variant in ("large", "pool4")
        for concurrency in options.concurrency or ([1, 8, 64] if alone else [64]):
            requests = options.requests or (200 if concurrency == 1 else 2000)
            for mode in options.mode or (row.mode_list if alone and concurrency > 1 else ["mix"]):
                if mode == "mix" or mode in row.mode_list:
                    yield variant, row.mode_list if mode == "mix" else [mode], concurrency, requests


def one(name, row, case, options, tools):
    variant, modes, concurrency, requests = case
    result = {"row": name, "variant": variant, "concurrency": concurrency, "mode": modes[0] if len(modes) == 1 else "mix",
              "versions": {k: v for k, v in vars(tools).items() if v}}
    directory = tempfile.mkdtemp(prefix="sonde-lab-")
    os.chmod(directory, 0o777)
    try:
        result["figures"] = rig.Case(row, variant, modes, concurrency, requests, tools).run(directory)
    except Missing as reason:
        result["missing"] = f"not measured: {reason}"
    except Exception as error:  # one case that fails does not end the others
        traceback.print_exc()
        result["missing"] = "failed: " + " ".join(str(error).split())[:300]
        result["failed"] = True
    finally:
        if options.keep:
            target = os.path.join(options.keep, f"{name}-{variant}-{result['mode']}-{concurrency}")
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(directory, target)
        shutil.rmtree(directory, ignore_errors=True)
    return result


def complaints(result, row, check):
    """What the exit code reports; too few links only of --check, whose cases the bounds are for."""
    if result.get("failed"):
        yield result["missing"]
    if "figures" not in result:
        return
    figures = result["figures"]
    if figures["wrong"]:
        yield f"{figures['wrong']} wrong links: {figures['examples']}"
    if figures["dangling"]:
        yield f"{figures['dangling']} spans whose parent is not exported"
    if figures["instant"]:
        yield f"{figures['instant']} spans end when they begin"
    for mode, least in row.recall.items() if check else ():
        n = figures["modes"].get(mode)
        if n and n["calls"] and 100.0 * n["right"] / n["calls"] < least:
            yield f"mode {mode}: {n['right']} of {n['calls']} calls linked rightly, at least {least} % must be"


def save(path, results):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)


def update_docs(results):
    report.update_docs(os.path.join(ROOT, "docs", "reference", "runtimes.md"), results, ROWS)


def read(paths):
    """The results of several files, each case once."""
    found = {}
    for path in paths:
        with open(path, encoding="utf-8") as file:
            for result in json.load(file):
                found[tuple(str(result[key]) for key in ("row", "variant", "mode", "concurrency", "versions"))] = result
    return list(found.values())


def show_earlier(options):
    results = read(options.earlier)
    print(report.HEAD)
    for result in results:
        print(report.line(result))
    if options.update_docs:
        update_docs(results)
    return 0


def main():
    options = arguments()
    if options.list:
        for name, row in ROWS.items():
            print(f"{name:17} {row.title}; modes: {row.modes}; variants: {' '.join(row.variant_list)}")
        return 0
    if options.earlier:
        return show_earlier(options)
    unknown = [name for name in options.row if name not in ROWS]
    if unknown:
        sys.exit(f"accuracy: no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    rig.environment()
    tools = programs.Toolchains(options.python, options.node, options.java)
    results, failures = [], []
    print(report.HEAD, flush=True)
    for name in options.row or ROWS:
        for case in cases(ROWS[name], options):
            result = one(name, ROWS[name], case, options, tools)
            results.append(result)
            print(report.line(result), flush=True)
            for text in report.by_mode(result) if result["mode"] == "mix" and "figures" in result else ():
                print(text, flush=True)
            failures += [f"{name} {result['variant']}: {text}" for text in complaints(result, ROWS[name], options.check)]
            save(options.output, results)
    if options.update_docs:
        update_docs(results)
    for text in failures:
        print(f"accuracy: {text}", file=sys.stderr)
    if all("figures" not in r and not r.get("failed") for r in results):
        return SKIPPED
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
