# SPDX-License-Identifier: Apache-2.0
"""docs/reference/metrics.md says what the source registers: each metric with its type and labels, and each reason."""
import re

PAGE = "docs/reference/metrics.md"
CALL = re.compile(r"\b(AddCounter|AddGauge|AddCallback|add)\(\s*(\"(?P<literal>(?:sonde|process)_\w+)\"|(?P<name>k\w+))\s*,")
CONSTANT = re.compile(r'\b(k\w+)(?:\[\])?\s*=\s*"(sonde_\w+)"')
LABEL = re.compile(r'\{\s*"(\w+)",')
# Where reasons stand: {"reason", "x"}, Dropped(metrics, "x"), dropped("x"), and lists that are called reasons.
REASONS = (re.compile(r'\{"reason", "(\w+)"\}'), re.compile(r'\b[Dd]ropped\((?:\w+, )?"(\w+)"\)'))
REASON_LIST = re.compile(r"\b\w*[Rr]easons\b[^;=(]*=\s*\{([^}]*)\}")
ROW = re.compile(r"^\| `(\w+)` \| (counter|gauge) \|([^|]*)\|", re.MULTILINE)
TICKED = re.compile(r"`(\w+)`")


def call_text(source, start):
    """The call that begins at `start`, up to its closing bracket."""
    depth = 0
    for at in range(source.index("(", start), len(source)):
        depth += {"(": 1, ")": -1}.get(source[at], 0)
        if depth == 0:
            return source[start:at]
    return source[start:]


def registered(tree):
    """name -> (type, labels over all places that register it)"""
    found = {}
    for path in tree.under("src/", suffixes=(".cpp", ".h")):
        source = tree.read(path)
        constants = dict(CONSTANT.findall(source))
        for match in CALL.finditer(source):
            name = match["literal"] or constants.get(match["name"])
            if name is None:
                continue
            text = call_text(source, match.start())
            gauge = match[1] == "AddGauge" or "MetricType::kGauge" in text
            kind, labels = found.setdefault(name, ("gauge" if gauge else "counter", set()))
            labels.update(LABEL.findall(text))
    return found


def reasons(tree):
    found = set()
    for path in tree.under("src/", suffixes=(".cpp", ".h")):
        source = tree.read(path)
        for pattern in REASONS:
            found.update(pattern.findall(source))
        for values in REASON_LIST.findall(source):
            found.update(re.findall(r'"(\w+)"', values))
    return found


def run(tree):
    code = registered(tree)
    if not code:
        return
    if not tree.exists(PAGE):
        yield f"{PAGE}: missing"
        return
    page = tree.read(PAGE)
    rows = {name: (kind, set(TICKED.findall(labels))) for name, kind, labels in ROW.findall(page)}
    for name in sorted(code.keys() | rows.keys()):
        if name not in rows:
            yield f"{PAGE}: no row for {name}"
        elif name not in code:
            yield f"{PAGE}: row for {name}, which nothing registers"
        elif rows[name] != code[name]:
            wanted, found = (f"{kind} {sorted(labels)}" for kind, labels in (code[name], rows[name]))
            yield f"{PAGE}: {name} is {wanted} in the source, {found} here"
    ticked = set(TICKED.findall(page))
    for reason in sorted(reasons(tree) - ticked):
        yield f"{PAGE}: does not explain the reason {reason}"
