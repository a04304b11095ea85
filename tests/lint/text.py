# SPDX-License-Identifier: Apache-2.0
"""Licence lines, white space, machine paths, and debris in every text file."""
import re

DUAL = "GPL-2.0-only OR BSD-2-Clause"
APACHE = "Apache-2.0"
CODE = (".h", ".cpp", ".c", ".py", ".js", ".mjs", ".go", ".java", ".cmake", ".sh")
KERNEL_SIDE = ("bpf/", "include/sonde/abi/", "include/sonde/wire/")
# Tabs are kernel style in C of the kernel side, and gofmt's.
TABS_ALLOWED = (".go", "Makefile", ".gitmodules", ".tsv")
NO_WHITESPACE_RULE = ("tests/fixtures/", "tests/fuzz/", "LICENSE", "LICENSES/", "tests/pipeline/")
SPDX = re.compile(r"SPDX-License-Identifier: ([A-Za-z0-9.\- ]+?)\s*(?:\*/|-->)?\s*$")
# Debris words, spelt so that this file does not find itself.
DEBRIS = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")
HOME = re.compile(r"(?<![\w.])/(?:home|root|Users)/[A-Za-z]")


def is_code(tree, path):
    if path.endswith("CMakeLists.txt"):
        return tree.read(path).count("\n") > 5  # a stage's is one call: nothing to license
    if path.endswith(CODE):
        return True
    return not path.endswith(".md") and "/" in path and tree.read(path).startswith("#!")


def licence(tree, path):
    wanted = DUAL if path.startswith(KERNEL_SIDE) else APACHE
    for line in tree.read(path).split("\n", 3)[:3]:
        found = SPDX.search(line)
        if found:
            if found.group(1) != wanted:
                yield f"{path}:1: licence is {found.group(1)}, this folder has {wanted}"
            return
    yield f"{path}:1: no SPDX line"


def whitespace(tree, path):
    text = tree.read(path)
    tabs_ok = path.endswith(TABS_ALLOWED) or (path.startswith(KERNEL_SIDE) and path.endswith((".c", ".h")))
    for number, line in enumerate(text.split("\n"), 1):
        if line.endswith((" ", "\t", "\r")):
            yield f"{path}:{number}: blank at the end of the line"
        if "\t" in line and not tabs_ok:
            yield f"{path}:{number}: tab"
    if text and not text.endswith("\n"):
        yield f"{path}: last line has no end"


def run(tree):
    for path in tree.files:
        if tree.is_binary(path) or "_seeds/" in path:
            continue
        code = is_code(tree, path)
        data = path.startswith(("tests/fixtures/", "tests/pipeline/")) and not path.endswith(CODE)
        if code and not data:
            yield from licence(tree, path)
        if not path.startswith(NO_WHITESPACE_RULE) or (code and not data):
            yield from whitespace(tree, path)
        if code and not data:
            for number, line in enumerate(tree.read(path).split("\n"), 1):
                if DEBRIS.search(line):
                    yield f"{path}:{number}: a note without a reason: {line.strip()[:80]}"
                if HOME.search(line):
                    yield f"{path}:{number}: path of one machine: {line.strip()[:80]}"
