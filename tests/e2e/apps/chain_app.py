# SPDX-License-Identifier: Apache-2.0
"""A WSGI service that asks the next one, if NEXT names one, with the same path and no header of its own."""
import os
import time
import urllib.request

NEXT = os.environ.get("NEXT")


def app(environ, start_response):
    environ["wsgi.input"].read()
    time.sleep(0.002)
    answer = b"end of the chain\n"
    if NEXT:
        with urllib.request.urlopen(NEXT + environ["RAW_URI"], timeout=10) as inner:
            answer = b"via another\n" + inner.read()
    start_response("200 OK", [("Content-Length", str(len(answer))), ("Content-Type", "text/plain")])
    return [answer]
