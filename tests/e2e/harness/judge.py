# SPDX-License-Identifier: Apache-2.0
"""Compares spans with what a program's own log says it served or asked for: each exactly once, with the same facts."""
import json
import re

from .sonde import BARE
from .spans import CLIENT, SERVER

# A span may not be longer than the server's own figure by more than this (it begins before the application does), unless
# the client waited as long.
SLACK_MS = 150.0
NO_BODY = re.compile(r"^(1\d\d|204|304)$")


class Entry:
    """One line of an access log. None: the log does not tell."""

    def __init__(self, method, target, status, response_bytes=None, request_bytes=None, duration_ms=None,
                 traceparent=None, port=None):
        self.method = method
        self.target = target
        self.status = int(status)
        self.response_bytes = None if response_bytes is None else int(response_bytes)
        self.request_bytes = None if request_bytes is None else int(request_bytes)
        self.duration_ms = duration_ms
        self.traceparent = traceparent
        self.client_ms = 0  # how long the client waited; judge_load sets it
        self.port = int(port) if port and port != "-" else None  # the client's; a unix socket has none

    @property
    def key(self):
        return f"{self.method} {self.target}"


def _entry(fields):
    if "duration_s" in fields:
        fields["duration_ms"] = float(fields.pop("duration_s")) * 1000
    if "duration_us" in fields:
        fields["duration_ms"] = float(fields.pop("duration_us")) / 1000
    if fields.get("request_bytes") in ("", "-"):
        fields["request_bytes"] = 0  # no Content-Length: no body
    return Entry(**fields)


def read_log(path):
    """JSON lines with the field names of Entry."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return [_entry(json.loads(line)) for line in file if line.strip()]


def span_key(span):
    return f"{span['http.request.method']} {span.target}"


def client_port(span):
    return span["network.local.port" if span.kind == CLIENT else "network.peer.port"]


def _facts(entry, span, source):
    """What is wrong with this span, in words."""
    if span["http.response.status_code"] != entry.status:
        yield f"status {span['http.response.status_code']}, log says {entry.status}"
    size = span["http.response.body.size"]
    if entry.response_bytes is not None and entry.method != "HEAD" and not NO_BODY.match(str(entry.status)):
        if (size or 0) != entry.response_bytes:
            yield f"response body {size}, log says {entry.response_bytes}"
    if entry.request_bytes is not None and (span["http.request.body.size"] or 0) != entry.request_bytes:
        yield f"request body {span['http.request.body.size']}, log says {entry.request_bytes}"
    if span.end_ns < span.start_ns:
        yield "ends before it starts"
    if entry.duration_ms is not None and span.duration_ms > max(float(entry.duration_ms) + SLACK_MS, entry.client_ms):
        yield f"took {span.duration_ms:.1f} ms, log says {entry.duration_ms}, the client waited {entry.client_ms:.1f}"
    if "ms=60" in entry.target and span.duration_ms < 59:
        yield f"took {span.duration_ms:.1f} ms, but the application slept for 60"
    if span["sonde.unfinished"] or span["sonde.capture.truncated"]:
        yield f"unfinished {span['sonde.unfinished']}, truncated {span['sonde.capture.truncated']}"
    if span["sonde.capture.source"] != source:
        yield f"sonde.capture.source is {span['sonde.capture.source']}"
    scheme = span["url.scheme"] or (span["url.full"] or "").split(":")[0]
    if scheme != ("http" if source == "socket" else "https"):
        yield f"scheme {scheme!r}"
    error = entry.status >= (400 if span.kind == CLIENT else 500)
    if error != (span.status == 2) or error != (span["error.type"] is not None):
        yield f"status {span.status} and error.type {span['error.type']} for {entry.status}"
    if span.name.split(" ")[0] != entry.method:
        yield f"name {span.name!r}"


def judge(entries, spans, kind=SERVER, max_names=200, source="socket", ports=False):
    """Raises AssertionError with the first differences unless spans and log agree one to one. With `ports`, requests are
    told apart by the client's port too, as the log has it: proves that a span stands on the right connection."""
    assert len(entries) > 0, "the log is empty: nothing was judged"
    if BARE:
        return
    spans = [s for s in spans if s.kind == kind]
    by_key = {}
    for span in spans:
        by_key.setdefault(f"{span_key(span)} {client_port(span) if ports else ''}", []).append(span)
    problems = []
    absent = repeated = 0
    for entry in entries:
        found = by_key.pop(f"{entry.key} {entry.port if ports else ''}", [])
        if len(found) != 1:
            absent += not found
            repeated += bool(found)
            problems.append(f"{entry.key} from {entry.port}: {len(found)} spans {found[:3]}")
            continue
        problems += [f"{entry.key}: {fact}" for fact in _facts(entry, found[0], source)]
    for key, found in by_key.items():
        problems.append(f"{key}: {len(found)} spans, not in the log: {found[:2]}")
    assert not problems, (f"{len(problems)} differences over {len(entries)} log lines and {len(spans)} spans of kind {kind} "
                          f"({absent} without a span, {repeated} with several, {sum(map(len, by_key.values()))} spans that no "
                          f"line claims):\n  " + "\n  ".join(problems[:12]))
    names = {s.name for s in spans}
    assert len(names) <= max_names, f"{len(names)} span names, e.g. {sorted(names)[:10]}"
    assert len({s.span_id for s in spans}) == len(spans), "span ids repeat"
    for span in spans[:1]:
        assert span.service, span.resource
        assert span.scope.get("name") == "sonde", span.scope


def judge_load(requests, entries):
    """The log itself must be complete, or it could not judge. Adds to it how long the client waited."""
    sent = {f"{r.method} {r.target}": r.duration_ms or 0 for r in requests}
    logged = {e.key for e in entries}
    absent = sent.keys() - logged
    assert not absent, f"{len(absent)} requests are not in the server's log, e.g. {sorted(absent)[:3]}"
    for entry in entries:
        entry.client_ms = sent.get(entry.key, 0)


def judge_ports(requests, entries):
    """That the log has the ports from which the load was made: they are the truth about connections."""
    ports = {e.key: e.port for e in entries}
    wrong = [(r, ports.get(f"{r.method} {r.target}")) for r in requests if ports.get(f"{r.method} {r.target}") != r.port]
    assert not wrong, f"{len(wrong)} requests are logged with another port: {wrong[:3]}"
