# SPDX-License-Identifier: Apache-2.0
"""Flask with requests; gunicorn serves `app`, `python3 flask_app.py` its own threaded server. /h and /p hand the calls to a pool."""
import concurrent.futures
import os
import threading
import time

import flask
import requests
import requests.adapters

BACKEND = os.environ["LAB_URL"]
POOL = int(os.environ.get("LAB_POOL") or 0)

app = flask.Flask("lab")
session = requests.Session()
session.trust_env = False
session.verify = os.environ.get("REQUESTS_CA_BUNDLE")
session.mount(BACKEND, requests.adapters.HTTPAdapter(pool_maxsize=POOL or 256, pool_block=bool(POOL)))
executor = concurrent.futures.ThreadPoolExecutor(int(os.environ.get("LAB_HANDOFF") or 32))


def call(path):
    return session.get(BACKEND + path).text


@app.route("/<mode>/<name>")
def handle(mode, name):
    a, b = f"/b/{name}/a", f"/b/{name}/b"
    if mode == "r":
        return call(a)
    if mode == "s":
        return call(a) + call(b)
    if mode == "p":
        return "".join(f.result() for f in [executor.submit(call, a), executor.submit(call, b)])
    return executor.submit(call, a).result()


@app.route("/b/<name>/<which>")
def middle(name, which):
    return call(f"/b/{name}/{which}")


def background():
    n = 0
    while True:
        time.sleep(0.02)
        call(f"/b/bg/{n}")
        n += 1


if os.environ.get("LAB_TIMER"):
    call("/b/bg/start")
    threading.Thread(target=background, daemon=True).start()

if __name__ == "__main__":
    app.run("127.0.0.1", int(os.environ["LAB_PORT"]), threaded=True)
