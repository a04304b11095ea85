#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs sonde on the kernels of rows.toml, each in a guest of its own: tests/vm/run.py --sonde build/kernel/sonde [ROW...]

Without rows: all. Those of arm64 need what `script/bootstrap arm64`, `script/sysroot arm64` and the preset arm64 make;
those without a suite need an image that somebody built: --kernel 5.15=FILE. The exit code is 0 if every row that could be run passes, 77 if
none could be run. --update writes what was measured into budget.json and docs/reference/kernels.md.
"""
import argparse
import json
import os
import sys
import time
import tomllib

import document
import guest
import initramfs
import judge
import kernels

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUDGET = os.path.join(HERE, "budget.json")


def read_budget():
    try:
        with open(BUDGET, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", help="names of rows.toml")
    parser.add_argument("--sonde", default=os.path.join(ROOT, "build/kernel/sonde"), help="the binary")
    parser.add_argument("--arm64", default=os.path.join(ROOT, "build/arm64/sonde"), help="the binary for rows of arm64")
    parser.add_argument("--cache", default=os.path.join(ROOT, "build/vm"), help="kernels, guests, results")
    parser.add_argument("--kernel", metavar="ROW=FILE", action="append", default=[], help="this image instead of a package's; repeatable")
    parser.add_argument("--seconds", type=int, default=900, help="longest time of one guest")
    parser.add_argument("--update", action="store_true", help="take what is measured as budget and as documentation")
    parser.add_argument("--again", action="store_true", help="judge what the last run left, start no guest")
    options = parser.parse_args()
    options.images = dict(given.partition("=")[::2] for given in options.kernel)
    return options


class Images:
    """The guests' file systems, made when the first row asks for one: of amd64 with what this machine runs, of arm64 from the sysroot."""

    def __init__(self, options):
        self.options, self.made = options, {}

    def of(self, architecture):
        if architecture not in self.made:
            directory = os.path.join(self.options.cache, architecture)
            os.makedirs(directory, exist_ok=True)
            if architecture == "arm64":
                machine, sonde = initramfs.Sysroot(os.path.join(ROOT, "build/sysroot/arm64"), "aarch64-linux-gnu"), self.options.arm64
            else:
                machine, sonde = initramfs.Machine(), self.options.sonde
            if not os.path.exists(sonde):
                raise FileNotFoundError(f"no {sonde}")
            self.made[architecture] = initramfs.build(sonde, directory, machine)
        return self.made[architecture]


def _kernel(row, options):
    """(path of the image, where it is from)."""
    given = options.images.get(row["name"])
    if given:
        if not os.path.isfile(given):
            raise FileNotFoundError(f"no {given}")
        return given, "given"
    if "suite" not in row:
        raise kernels.Unavailable(f"no package has this kernel: --kernel {row['name']}=FILE gives an image of it")
    return kernels.fetch(row["suite"], row["package"], options.cache, row.get("architecture"))


def run_row(row, options, images):
    """(outcome, complaints, results or None, version of the kernel's package)."""
    directory = os.path.join(options.cache, "rows", row["name"])
    architecture = row.get("architecture", "amd64")
    try:
        kernel, version = _kernel(row, options)
        image = None if options.again else images.of(architecture)
    except (kernels.Unavailable, FileNotFoundError) as reason:
        return "unavailable", [str(reason)], None, ""
    words = row.get("guest", "").split() + ([f"sonde.probes={row['probes']}"] if "probes" in row else [])
    try:
        folder = os.path.join(directory, "results") if options.again else guest.run(
            guest.MACHINES[architecture], kernel, image, directory, words, options.seconds)
        results = judge.Results(folder)
        wrong = judge.complaints(row, results, {} if options.update else read_budget().get(row["name"], {}))
    except (guest.Broken, OSError, ValueError, TypeError) as reason:
        return "FAILED", [f"{type(reason).__name__}: {reason}"], None, version
    if options.update:
        wrong = [w for w in wrong if "is not in the budget" not in w]
    return ("FAILED" if wrong else "passed"), wrong, results, version


def main():
    options = arguments()
    with open(os.path.join(HERE, "rows.toml"), "rb") as file:
        rows = tomllib.load(file)["row"]
    unknown = (set(options.rows) | set(options.images)) - {row["name"] for row in rows}
    if unknown:
        sys.exit(f"no row {', '.join(sorted(unknown))}; there are: {', '.join(row['name'] for row in rows)}")
    os.makedirs(options.cache, exist_ok=True)
    images = Images(options)
    outcomes, report, budget = [], [], read_budget()
    for row in rows:
        if options.rows and row["name"] not in options.rows:
            continue
        start = time.monotonic()
        outcome, wrong, results, version = run_row(row, options, images)
        print(f"{row['name']:20} {outcome} in {time.monotonic() - start:.0f} s" + "".join(f"\n  {w}" for w in wrong), flush=True)
        if results is not None:
            costs = judge.costs(results)
            if costs:
                print("".join(f"  {family}: {programs}\n" for family, programs in costs.items()), end="", flush=True)
                budget[row["name"]] = costs
            report.append((row, version, outcome, wrong, results))
        outcomes.append("told" if outcome == "FAILED" and row.get("informative") else outcome)
    if options.update:
        with open(BUDGET, "w", encoding="utf-8") as file:
            json.dump(budget, file, indent=2, sort_keys=True)
            file.write("\n")
        document.write(os.path.join(ROOT, "docs/reference/kernels.md"), report, [row["name"] for row in rows])
    print(f"{outcomes.count('passed')} passed, {outcomes.count('FAILED')} failed, {outcomes.count('unavailable')} skipped")
    if "FAILED" in outcomes:
        return 1
    return 0 if "passed" in outcomes else 77


if __name__ == "__main__":
    sys.exit(main())
