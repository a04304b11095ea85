# SPDX-License-Identifier: Apache-2.0
"""A change under include/sonde/abi comes with a new number in version.h, so that a recording names what wrote it.

The base is the merge base with the main branch of `origin`, or SONDE_LINT_BASE; where neither exists (a plain export, a
shallow clone), history cannot tell and nothing is reported. A release tag freezes the numbers: before the first one the
schema is still being made, and the last commit that touched version.h is the base.
"""
import os
import re
import subprocess

ABI = "include/sonde/abi/"
VERSION = ABI + "version.h"
NUMBER = re.compile(r"#define\s+(SONDE_ABI_(?:MAJOR|MINOR))\s+(\d+)")
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def meaning(text):
    """C text without comments and spacing: only this is the schema."""
    return "".join(COMMENT.sub("", text).split())


def numbers(text):
    return dict(NUMBER.findall(text))


def base_commit(tree):
    candidates = [os.environ.get("SONDE_LINT_BASE", "")]
    for command in (("describe", "--tags", "--abbrev=0", "--match", "v*"), ("merge-base", "HEAD", "origin/main")):
        try:
            candidates.append(tree.git(*command).strip())
        except subprocess.CalledProcessError:
            pass
    return next((c for c in candidates if c), None)


def at(tree, commit, path):
    try:
        return tree.git("show", f"{commit}:{path}")
    except subprocess.CalledProcessError:
        return None


def run(tree):
    base = base_commit(tree)
    old_version = at(tree, base, VERSION) if base else None
    if old_version is None:
        return
    if numbers(old_version) != numbers(tree.read(VERSION)):
        return
    for path in tree.under(ABI, suffixes=(".h",)):
        old = at(tree, base, path)
        if path != VERSION and (old is None or meaning(old) != meaning(tree.read(path))):
            yield f"{path}: differs from {base[:12]} in more than comments, but version.h still has the same numbers"
