# SPDX-License-Identifier: Apache-2.0
"""FastAPI on uvicorn with httpx. /p gather, /c a child task, /h run_in_executor, /t to_thread, /d a handler that is no
coroutine: FastAPI runs it in its thread pool."""
import asyncio
import os
import ssl

import fastapi
import httpx
import uvicorn
from fastapi.responses import PlainTextResponse

BACKEND = os.environ["LAB_URL"]
LIMITS = httpx.Limits(max_connections=int(os.environ.get("LAB_POOL") or 0) or None, max_keepalive_connections=256)

app = fastapi.FastAPI(default_response_class=PlainTextResponse)
options = {"limits": LIMITS, "timeout": None, "trust_env": False, "verify": ssl.create_default_context()}
client = httpx.AsyncClient(**options)
threads_client = httpx.Client(**options)
tasks = []


async def call(path):
    return (await client.get(BACKEND + path)).text


def blocking(path):
    return threads_client.get(BACKEND + path).text


@app.get("/d/{name}")
def in_pool(name):
    return blocking(f"/b/{name}/a")


@app.get("/b/{name}/{which}")
async def middle(name, which):
    return await call(f"/b/{name}/{which}")


@app.get("/{mode}/{name}")
async def handle(mode, name):
    a, b = f"/b/{name}/a", f"/b/{name}/b"
    if mode == "r":
        return await call(a)
    if mode == "s":
        return await call(a) + await call(b)
    if mode == "p":
        return "".join(await asyncio.gather(call(a), call(b)))
    if mode == "c":
        return await asyncio.create_task(call(a))
    if mode == "h":
        return await asyncio.get_running_loop().run_in_executor(None, blocking, a)
    return await asyncio.to_thread(blocking, a)


async def background():
    n = 0
    while True:
        await asyncio.sleep(0.02)
        await call(f"/b/bg/{n}")
        n += 1


@app.on_event("startup")
async def start():
    if os.environ.get("LAB_TIMER"):
        await call("/b/bg/start")
        tasks.append(asyncio.create_task(background()))


uvicorn.run(app, host="127.0.0.1", port=int(os.environ["LAB_PORT"]), loop=os.environ["LAB_LOOP"], access_log=False,
            log_level="warning", ssl_certfile=os.environ.get("LAB_CERTIFICATE"), ssl_keyfile=os.environ.get("LAB_KEY"))
