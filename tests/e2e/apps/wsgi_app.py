# SPDX-License-Identifier: Apache-2.0
"""A plain WSGI application. The access log is gunicorn's own."""
import http
import time

from answer import Answer


def app(environ, start_response):
    body = environ["wsgi.input"].read()
    answer = Answer(environ["RAW_URI"])
    time.sleep(answer.seconds)
    headers = [("Content-Type", "text/plain"), ("X-Received", str(len(body)))]
    if not answer.chunked:
        headers.append(("Content-Length", str(answer.size)))
    start_response(f"{answer.status} {http.HTTPStatus(answer.status).phrase}", headers)
    return answer.pieces() if answer.chunked else [answer.body]
