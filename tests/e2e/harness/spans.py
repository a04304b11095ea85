# SPDX-License-Identifier: Apache-2.0
"""Reads what `--export file=` wrote: OTLP/JSON, one TracesData object per line."""
import json

SERVER = 2
CLIENT = 3


def value_of(any_value):
    kind, value = next(iter(any_value.items()))
    if kind == "intValue":
        return int(value)
    if kind == "arrayValue":
        return [value_of(v) for v in value.get("values", [])]
    return value


def attributes_of(pairs):
    return {pair["key"]: value_of(pair["value"]) for pair in pairs or []}


class Span:
    def __init__(self, raw, resource, scope):
        self.raw = raw
        self.resource = resource
        self.scope = scope
        self.name = raw["name"]
        self.kind = int(raw["kind"])
        self.trace_id = raw["traceId"]
        self.span_id = raw["spanId"]
        self.parent_id = raw.get("parentSpanId", "")
        self.start_ns = int(raw["startTimeUnixNano"])
        self.end_ns = int(raw["endTimeUnixNano"])
        self.status = int(raw.get("status", {}).get("code", 0))
        self.attributes = attributes_of(raw.get("attributes"))
        self.links = raw.get("links", [])

    def __getitem__(self, key):
        return self.attributes.get(key)

    @property
    def service(self):
        return self.resource.get("service.name")

    @property
    def duration_ms(self):
        return (self.end_ns - self.start_ns) / 1e6

    @property
    def target(self):
        """Path and query as the request line had them (servers), from url.full for clients."""
        path = self["url.path"]
        query = self["url.query"]
        if path is None and self["url.full"]:
            rest = self["url.full"].split("://", 1)[-1]
            return "/" + rest.split("/", 1)[1] if "/" in rest else "/"
        return f"{path}?{query}" if query else path

    @property
    def facts(self):
        """All that a receiver may not change."""
        return (self.trace_id, self.span_id, self.parent_id, self.name, self.kind, self.start_ns, self.end_ns, self.status, self.attributes,
                self.resource, self.scope, self.raw.get("flags"), self.raw.get("traceState"), self.links)

    def __repr__(self):
        return (f"<{'server' if self.kind == SERVER else 'client' if self.kind == CLIENT else self.kind} {self.name!r} "
                f"{self.target} {self['http.response.status_code']} {self.duration_ms:.2f} ms {self.service} "
                f"trace={self.trace_id[:8]} span={self.span_id[:8]} parent={self.parent_id[:8]}>")


def spans_of(traces):
    """Of a TracesData object."""
    spans = []
    for resource_spans in traces.get("resourceSpans", []):
        resource = attributes_of(resource_spans.get("resource", {}).get("attributes"))
        for scope_spans in resource_spans.get("scopeSpans", []):
            spans += [Span(raw, resource, scope_spans.get("scope", {})) for raw in scope_spans.get("spans", [])]
    return spans


def read_spans(path):
    """Every complete line; a last line still being written is left for the next call."""
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().split("\n")
    except FileNotFoundError:
        return []
    return [span for line in lines[:-1] if line for span in spans_of(json.loads(line))]
