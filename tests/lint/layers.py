# SPDX-License-Identifier: Apache-2.0
"""Data flows one way: which folder may include which (design.md section 3)."""

STAGES = {"kernel", "discovery", "connection", "protocol", "span", "trace", "resource", "metrics", "sampler", "exporter",
          "config", "admin", "agent", "replay", "base", "binary", "tls", "runtime", "container",
          "kubernetes"}
# Folders of src/ that may include another folder of src/, beside their own. src/agent joins the stages; a recording is
# read by the decoder of the drain; TLS libraries are found by what their files hold; who reads /proc asks what a control
# group's path means.
EXTRA = {"agent": STAGES, "replay": {"kernel"}, "tls": {"binary", "kernel"}, "runtime": {"binary"}, "discovery": {"container"}, "kubernetes": {"container"}}
SHARED = ("sonde/base/", "sonde/pipeline/", "sonde/config/", "sonde/probe/")
# Only what meets the kernel boundary may see its structs; binary speaks of registers and places as abi/tls.h does.
ABI_USERS = {"kernel", "replay", "agent", "binary", "tls", "runtime"}
CXX = (".h", ".cpp", ".cc")


def first(path):
    return path.split("/", 1)[0]


def check_source(tree, path):
    stage = path.split("/")[1]
    allowed = {stage} | EXTRA.get(stage, set())
    for name in tree.includes(path):
        if name.startswith("sonde/"):
            ok = name.startswith(SHARED)
            ok = ok or (name.startswith("sonde/abi/") and stage in ABI_USERS)
            ok = ok or name.startswith("sonde/wire/")
            if not ok:
                yield f"{path}: a stage must not include {name}"
        elif "/" in name and first(name) in STAGES and tree.is_file(f"src/{name}") and first(name) not in allowed:
            yield f"{path}: src/{stage} must not include {name}; stages meet in include/sonde/pipeline"


def check_contract(tree, path):
    """include/sonde/<part>: lower parts know nothing of higher ones."""
    part = path.split("/")[2]
    allowed = {"abi": (), "wire": ("abi/",), "base": ("base/",), "config": ("base/", "config/"),
               "pipeline": ("base/", "config/", "pipeline/"), "probe": ("base/", "probe/", "abi/")}
    for name in tree.includes(path):
        if name.startswith("sonde/"):
            if not name[len("sonde/"):].startswith(allowed.get(part, ()) + (f"{part}/",)):
                yield f"{path}: include/sonde/{part} must not include {name}"
        elif tree.is_file(f"src/{name}"):
            yield f"{path}: a contract must not include {name} of src/"
        elif part == "abi" and name != "linux/types.h":
            yield f"{path}: abi/ includes only <linux/types.h>, not {name}"


def check_kernel(tree, path):
    for name in tree.includes(path):
        if name.startswith("sonde/") and not name.startswith(("sonde/abi/", "sonde/wire/")):
            yield f"{path}: kernel code includes of sonde/ only abi/ and wire/, not {name}"
        elif "/" in name and tree.is_file(f"src/{name}"):
            yield f"{path}: kernel code must not include {name} of src/"


def run(tree):
    for path in tree.under("src/", suffixes=CXX):
        if path.count("/") > 1:
            yield from check_source(tree, path)
    for path in tree.under("include/sonde/", suffixes=CXX):
        yield from check_contract(tree, path)
    for path in tree.under("bpf/", suffixes=(".c", ".h")):
        yield from check_kernel(tree, path)
