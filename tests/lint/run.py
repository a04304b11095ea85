# SPDX-License-Identifier: Apache-2.0
"""Runs the checks of this folder over the project: run.py [CHECK...]; without names, all, and a report of long files.

A check is a module with run(tree) that yields one line per finding. Any finding is an error.
"""
import importlib
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tree as tree_module  # noqa: E402  (the path comes first)

CHECKS = ("layers", "registration", "abi_version", "text", "links", "metrics", "attributes", "dashboards")
# Sizes above which style.md asks for a second look; a report, not an error.
LONG = ((".bpf.c", 200), (".bpf.h", 200), (".cpp", 300), (".h", 300), (".py", 300))


def long_files(tree):
    for path in tree.under("src/", "bpf/", "include/", "probes/", "tests/", "script/"):
        for suffix, limit in LONG:
            if path.endswith(suffix):
                lines = tree.read(path).count("\n")
                if lines > limit:
                    yield f"{path}: {lines} lines, above {limit}"
                break


def main():
    tree = tree_module.Tree(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
    names = sys.argv[1:] or CHECKS
    bad = 0
    for name in names:
        for finding in importlib.import_module(name).run(tree):
            print(f"{name}: {finding}")
            bad += 1
    if not sys.argv[1:]:
        for line in long_files(tree):
            print(f"note: {line}")
    print(f"lint: {', '.join(names)}: {bad} findings")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
