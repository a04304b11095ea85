# SPDX-License-Identifier: Apache-2.0
"""How long after its end a span is in the file: what it was held for its link, and what the exporter batched."""
import bisect
import collections
import json
import os
import threading
import time

from harness.spans import CLIENT, attributes_of

EVERY_SECONDS = 0.02


class Watch:
    """Notes when the file had grown to which size."""

    def __init__(self, path):
        self.path = path
        self.sizes = []
        self.times_ns = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.over.wait(EVERY_SECONDS):
            size = os.path.getsize(self.path) if os.path.exists(self.path) else 0
            if not self.sizes or size != self.sizes[-1]:
                self.sizes.append(size)
                self.times_ns.append(time.time_ns())

    def stop(self):
        self.over.set()
        self.thread.join()

    def p99_ms(self, identity):
        """{rule: milliseconds} of client spans with `identity` in their URL; rule "none": without a parent."""
        late = collections.defaultdict(list)
        offset = 0
        with open(self.path, "rb") as file:
            for line in file:
                offset += len(line)
                i = bisect.bisect_left(self.sizes, offset)
                if i < len(self.sizes) and line.strip():
                    for raw, attributes in clients(json.loads(line)):
                        if identity in attributes.get("url.full", ""):
                            rule = attributes.get("sonde.link.method", "none")
                            late[rule].append((self.times_ns[i] - int(raw["endTimeUnixNano"])) / 1e6)
        return {rule: round(sorted(values)[int(0.99 * (len(values) - 1))], 1) for rule, values in sorted(late.items())}


def clients(traces):
    for resource in traces.get("resourceSpans", []):
        for scope in resource.get("scopeSpans", []):
            for raw in scope.get("spans", []):
                if int(raw["kind"]) == CLIENT:
                    yield raw, attributes_of(raw.get("attributes"))
