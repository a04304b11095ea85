# SPDX-License-Identifier: Apache-2.0
"""docs/reference/attributes.md says what sonde writes: each attribute of the source is on the page, and a test expects each
attribute of the page by its name."""
import re

PAGE = "docs/reference/attributes.md"
SOURCES = ("src/resource/", "src/span/", "src/trace/")
# A literal key where it is set: Add("k", AddText("k", AddOwned("k", push_back({"k", {"k", and the tables of keys.
KEY = re.compile(r'"((?:sonde|service|process|host|os|container|k8s|systemd|telemetry|cloud|peer)(?:\.[a-z0-9_]+)+\.?)"')
ROW = re.compile(r"^\| ([^|]*) \|", re.MULTILINE)
TICKED = re.compile(r"`([^`]+)`")


def page_names(text):
    """Attributes of the tables' first columns."""
    names = set()
    for cell in ROW.findall(text):
        names.update(name for name in TICKED.findall(cell) if "." in name and not name.startswith("."))
    return names


def prefix(name):
    """container.label.KEY -> container.label."""
    return name[: -len("KEY")] if name.endswith(".KEY") else None


def is_expected(name, tests):
    """Stands as a key in a test: "host.id", or host.id=x among attributes; of a family, "container.label.team"."""
    after = r"\w" if prefix(name) else "[\"'=]"
    return re.search(rf"""["',=]{re.escape(prefix(name) or name)}{after}""", tests)


def run(tree):
    if not tree.exists(PAGE):
        yield f"{PAGE}: missing"
        return
    text = tree.read(PAGE)
    named = page_names(text)
    tests = "".join(tree.read(path) for path in tree.under("tests/", suffixes=(".cpp", ".h", ".py", ".json"))
                    if not path.startswith("tests/lint/"))
    for name in sorted(named):
        if not is_expected(name, tests):
            yield f"{PAGE}: no test expects {name}"
    open_ended = tuple(filter(None, map(prefix, named)))
    for path in tree.under(*SOURCES, suffixes=(".cpp", ".h")):
        for key in KEY.findall(tree.read(path)):
            if not path.startswith("src/resource/") and not key.startswith("sonde."):
                continue  # spans follow the conventions' own pages
            if key.endswith("."):  # "k8s.pod.label.", or what a family of names begins with
                known = any(name.startswith(key) for name in named)
            else:
                known = key in named or key.startswith(open_ended)
            if not known:
                yield f"{path}: {key} is not in {PAGE}"
