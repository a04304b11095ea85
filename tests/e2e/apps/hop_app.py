# SPDX-License-Identifier: Apache-2.0
"""A hop of a chain: hop_app.py PORT. Asks NEXT, if set, with the same path; with FORWARD=1 it passes trace headers on, as
applications behind a service mesh do. Run plainly, or by opentelemetry-instrument."""
import os
import sys

import flask
import requests

NEXT = os.environ.get("NEXT")
FORWARD = os.environ.get("FORWARD") == "1"
app = flask.Flask("hop_app")


@app.route("/<path:path>")
def anything(path):
    if not NEXT:
        return "end of the chain\n"
    names = ("traceparent", "tracestate", "baggage") if FORWARD else ()
    headers = {name: flask.request.headers[name] for name in names if name in flask.request.headers}
    return "via another\n" + requests.get(f"{NEXT}/{path}", headers=headers, timeout=10).text


if __name__ == "__main__":
    app.run("127.0.0.1", int(sys.argv[1]), threaded=True)
