# SPDX-License-Identifier: Apache-2.0
"""Judges exported spans by the identities in their URLs, which sonde does not use."""
import collections
import re

from harness.spans import CLIENT, SERVER

CALL = re.compile(r"^/b/([^/]+)/([^/?]+)$")
REQUEST = re.compile(r"^/(\w+)/([^/?]+)(?:/[^/?]+)?$")
BACKGROUND = "bg"


def path(span):
    """Of gRPC, the method stands for it."""
    return span.target or f"/{span['rpc.method'] or ''}"


def identity(span):
    """(mode, id): of a client span the mode is 'b'."""
    found = REQUEST.match(path(span))
    return (found.group(1), found.group(2)) if found else (None, None)


def name(span):
    return f"{path(span)} {span['sonde.link.method']} {span.span_id}"


class Verdict:
    """`asked`: {id: mode} of the measured requests. Other ids (warm-up, a restart) count for precision only."""

    def __init__(self, spans, asked, calls_of, hops=1):
        self.asked = asked
        self.calls = sum(len(calls_of[mode]) for mode in asked.values()) * hops
        self.right = self.wrong = self.missed = self.dangling = 0
        self.instant = 0  # an answer that is not later than its request: the two do not belong together
        self.seen = self.background = self.background_linked = self.joined = 0
        self.rules = collections.defaultdict(lambda: [0, 0])  # rule -> right, wrong
        self.modes = {mode: {"calls": 0, "right": 0, "wrong": 0} for mode in calls_of}
        for mode in asked.values():
            self.modes[mode]["calls"] += len(calls_of[mode]) * hops
        self.examples = []
        by_id = {span.span_id: span for span in spans}
        # Of a chain, the two behind the front serve each call.
        self.servers = len(asked) + (self.calls if hops > 1 else 0)
        self.servers_seen = sum(1 for s in spans if s.kind == SERVER and identity(s)[1] in asked)
        for span in spans:
            self.instant += span.end_ns <= span.start_ns
            parent = by_id.get(span.parent_id)
            if span.kind == CLIENT and CALL.match(path(span)):
                self._call(span, parent)
            elif span.kind == SERVER and span.parent_id:
                self._join(span, parent)

    def _call(self, span, parent):
        own = identity(span)[1]
        measured = own in self.asked
        mode = self.modes.get(self.asked.get(own))
        self.background += own == BACKGROUND
        self.seen += measured
        if not span.parent_id:
            return
        if parent is None:
            self.dangling += 1
            return
        right = parent.kind == SERVER and own == identity(parent)[1] and own != BACKGROUND
        self.background_linked += own == BACKGROUND
        if right and not measured:
            return
        self.rules[span["sonde.link.method"]][0 if right else 1] += 1
        self.right += right
        if mode:
            mode["right" if right else "wrong"] += 1
        if not right:
            self._mistake(span, parent)

    def _join(self, span, parent):
        """The two ends of one exchange."""
        if parent is None:
            self.dangling += 1
        elif parent.kind == CLIENT and identity(parent)[1] == identity(span)[1]:
            self.joined += 1
        else:
            self._mistake(span, parent)

    def _mistake(self, span, parent):
        self.wrong += 1
        if len(self.examples) < 5:
            self.examples.append(f"{name(span)} under {name(parent)}")

    def figures(self):
        linked = self.right + self.wrong
        rules = {str(rule): {"right": r, "wrong": w} for rule, (r, w) in sorted(self.rules.items(), key=str)}
        return {"calls": self.calls, "linked": linked, "right": self.right, "wrong": self.wrong,
                "missed": self.calls - self.right, "unseen": self.calls - self.seen, "dangling": self.dangling,
                "instant": self.instant,
                "servers_unseen": self.servers - self.servers_seen, "joined": self.joined,
                "background": self.background, "background_linked": self.background_linked,
                "precision": percent(self.right, linked), "recall": percent(self.right, self.calls),
                "rules": rules, "modes": self.modes, "examples": self.examples}


def percent(part, whole):
    return None if whole == 0 else 100.0 * part / whole


def whole_traces(spans, asked, calls_of):
    """Of a chain of three processes: requests all of whose spans are there, in one trace."""
    members = collections.defaultdict(list)
    for span in spans:
        members[identity(span)[1]].append(span)
    whole = 0
    for own, mode in asked.items():
        expected = 1 + 4 * len(calls_of[mode])
        found = members[own]
        whole += len(found) == expected and len({s.trace_id for s in found}) == 1
    return whole
