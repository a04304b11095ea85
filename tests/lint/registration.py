# SPDX-License-Identifier: Apache-2.0
"""What lies in a folder must be known: protocols, probes, kernel programs; TLS libraries to their users, too."""
import os
import re

NOT_A_PROTOCOL = {"common"}
MANIFEST_OBJECT = re.compile(r"^(?:extern )?const (\w+) (k\w+) = ", re.MULTILINE)
# Where manifests of each type are listed.
REGISTRIES = {"Family": "probes/registry.cpp", "TlsLibrary": "probes/tls/tls_libraries.cpp",
              "Runtime": "probes/runtime/runtimes.cpp"}
TLS_NAME = re.compile(r'^const TlsLibrary k\w+ = \{\s*(?:\.name = )?"(\w+)"', re.MULTILINE)
TLS_PAGE = "docs/reference/tls.md"


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
    for path in manifests:
        folder = os.path.dirname(path)
        objects = MANIFEST_OBJECT.findall(tree.read(path))
        if not objects:
            yield f"{path}: defines no manifest (const Family kName = ..., const TlsLibrary kName = ...)"
        for kind, name in objects:
            registry = REGISTRIES.get(kind)
            if registry is None:
                yield f"{path}: {name} is a {kind}, which nothing lists"
            elif not tree.is_file(registry) or f"&{name}," not in tree.read(registry).replace("}", ","):
                yield f"{path}: {registry} does not list &{name}"
        if not tree.exists(f"{folder}/NOTES.md"):
            yield f"{folder}: NOTES.md with the evidence is missing"


def tls_page(tree):
    """Every TLS library has a row, which links to the evidence of its folder or stands beside one that does."""
    manifests = tree.under("probes/tls/", suffixes=("/manifest.cpp",))
    page = tree.read(TLS_PAGE) if tree.is_file(TLS_PAGE) else ""
    for path in manifests:
        notes = f"{os.path.dirname(path)}/NOTES.md"
        if f"(../../{notes})" not in page:
            yield f"{TLS_PAGE}: does not link to {notes}"
        for name in TLS_NAME.findall(tree.read(path)):
            if not re.search(rf"^\| `{name}`[ |]", page, re.MULTILINE):
                yield f"{TLS_PAGE}: no row for {name} of {path}"


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
    yield from tls_page(tree)
    yield from kernel_programs(tree)
