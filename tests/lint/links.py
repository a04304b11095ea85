# SPDX-License-Identifier: Apache-2.0
"""Links between documents, their anchors, and the files of this tree that documents name in backticks."""
import os
import re

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
CODE_SPAN = re.compile(r"`[^`\n]*`")
NAMED = re.compile(r"`((?:script|docs|tests|src|bpf|include|probes|cmake|\.ci)/[A-Za-z0-9_./-]+)`")


def anchors(text):
    """Anchors as GitHub makes them from headings."""
    found, seen = set(), {}
    for heading in HEADING.findall(FENCE.sub("", text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        count = seen.get(slug, 0)
        seen[slug] = count + 1
        found.add(slug if count == 0 else f"{slug}-{count}")
    return found


def run(tree):
    for path in tree.under("", suffixes=(".md",)):
        text = FENCE.sub("", tree.read(path))
        for match in LINK.finditer(CODE_SPAN.sub("", text)):
            target = match.group(1) or match.group(2)
            if re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue
            name, _, anchor = target.partition("#")
            file = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
            if not tree.exists(file):
                yield f"{path}: link to {target}, which is not there"
            elif anchor and file.endswith(".md") and anchor not in anchors(tree.read(file)):
                yield f"{path}: {file} has no heading for #{anchor}"
        for name in NAMED.findall(text):
            if "<" not in name and not tree.exists(name.rstrip("/.")):
                yield f"{path}: names `{name}`, which is not there"
