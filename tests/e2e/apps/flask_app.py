# SPDX-License-Identifier: Apache-2.0
"""Flask on its own development server: flask_app.py PORT."""
import sys
import time

import flask
from answer import Answer, log

app = flask.Flask("flask_app")


@app.route("/", defaults={"path": ""}, methods=["GET", "POST", "PUT", "DELETE", "HEAD"])
@app.route("/<path:path>", methods=["GET", "POST", "PUT", "DELETE", "HEAD"])
def anything(path):
    begin = time.monotonic()
    method = flask.request.method
    received = len(flask.request.get_data())
    target = flask.request.environ["RAW_URI"]
    answer = Answer(target)
    time.sleep(answer.seconds)
    response = flask.Response(answer.pieces() if answer.chunked else answer.body, status=answer.status)
    response.call_on_close(lambda: log(method, target, answer, received, time.monotonic() - begin))
    return response


if __name__ == "__main__":
    app.run("127.0.0.1", int(sys.argv[1]), threaded=True)
