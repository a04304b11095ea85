# SPDX-License-Identifier: Apache-2.0
"""What lies in a folder must be known: protocols, probes, kernel programs."""
import os
import re

NOT_A_PROTOCOL = {"common"}
MANIFEST_OBJECT = re.compile(r"^(?:extern )?const \w+ (k\w+) = ", re.MULTILINE)


def protocols(tree):
    folders = {p.split("/")[2] for p in tree.under("src/protocol/") if p.count("/") > 2} - NOT_A_PROTOCOL
    # The registry is whatever file directly under src/protocol (or the composition) that includes a protocol's header.
    registry = [p for p in tree.under("src/protocol/", "src/agent/", suffixes=(".cpp", ".h"))
                if p.startswith("src/agent/") or p.count("/") == 2]
    included = {name for p in registry for name in tree.includes(p)}
    harnesses = tree.under("tests/fuzz/", suffixes=("_fuzz.cpp",))
    for folder in sorted(folders):
        if not any(name.startswith(f"protocol/{folder}/") for name in included):
            yield f"src/protocol/{folder}: no registry line (nothing in src/protocol/*.cpp or src/agent includes it)"
        fuzzed = [p for p in harnesses if any(n.startswith(f"protocol/{folder}/") for n in tree.includes(p))]
        if not fuzzed:
            yield f"src/protocol/{folder}: no harness in tests/fuzz includes its parser"


def fuzz_seeds(tree):
    for path in tree.under("tests/fuzz/", suffixes=("_fuzz.cpp",)):
        seeds = path[:-len(".cpp")] + "_seeds/"
        if not tree.under(seeds):
            yield f"{path}: no seeds in {seeds}"


def probes(tree):
    manifests = [p for p in tree.under("probes/") if os.path.basename(p) == "manifest.cpp"]
    lists = [p for p in tree.under("probes/", suffixes=(".cpp", ".h", ".txt", ".inc")) if not p.endswith("/manifest.cpp")]
    text = "\n".join(tree.read(p) for p in lists)
    for path in manifests:
        folder = os.path.dirname(path)
        objects = MANIFEST_OBJECT.findall(tree.read(path))
        if not objects:
            yield f"{path}: defines no manifest (const Family kName = ...)"
        for name in objects:
            if f"&{name}" not in text:
                yield f"{path}: no registry line under probes/ takes &{name}"
        if not tree.exists(f"{folder}/NOTES.md"):
            yield f"{folder}: NOTES.md with the evidence is missing"


def kernel_programs(tree):
    users = "\n".join(tree.read(p) for p in tree.under("src/kernel/", "tests/kernel/", suffixes=(".cpp", ".h")))
    for path in tree.under("bpf/", suffixes=(".bpf.c",)):
        name = os.path.basename(path)[:-len(".bpf.c")]
        if f"{name}.skel.h" not in users:
            yield f"{path}: nothing includes {name}.skel.h"


def run(tree):
    yield from protocols(tree)
    yield from fuzz_seeds(tree)
    yield from probes(tree)
    yield from kernel_programs(tree)
