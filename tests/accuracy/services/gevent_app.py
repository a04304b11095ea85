# SPDX-License-Identifier: Apache-2.0
"""gevent's own server, and requests on patched sockets. /p two greenlets, /c one, /h gevent's pool of real threads."""
from gevent import monkey

monkey.patch_all()

import http.client  # noqa: E402
import os  # noqa: E402
import time  # noqa: E402

import gevent  # noqa: E402
import gevent.pywsgi  # noqa: E402
import requests  # noqa: E402
import requests.adapters  # noqa: E402

PORT = int(os.environ["LAB_BACKEND"])
POOL = int(os.environ.get("LAB_POOL") or 0)

session = requests.Session()
session.trust_env = False
session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=POOL or 256, pool_block=bool(POOL)))


def call(path):
    return session.get(f"http://127.0.0.1:{PORT}{path}").text


def blocking(path):
    """In a thread of its own, which has its own hub."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def answer(path):
    _, mode, name = path.split("/")[:3]
    a, b = f"/b/{name}/a", f"/b/{name}/b"
    if mode == "r":
        return call(a)
    if mode == "s":
        return call(a) + call(b)
    if mode == "p":
        return "".join(g.value for g in gevent.joinall([gevent.spawn(call, a), gevent.spawn(call, b)]))
    if mode == "c":
        return gevent.spawn(call, a).get()
    if mode == "h":
        return gevent.get_hub().threadpool.apply(blocking, (a,))
    return call(path)


def app(environ, start_response):
    text = answer(environ["PATH_INFO"]).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text]


def background():
    call("/b/bg/start")
    n = 0
    while True:
        time.sleep(0.02)
        call(f"/b/bg/{n}")
        n += 1


if os.environ.get("LAB_TIMER"):
    gevent.spawn(background)
gevent.pywsgi.WSGIServer(("127.0.0.1", int(os.environ["LAB_PORT"])), app, log=None).serve_forever()
