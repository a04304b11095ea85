# SPDX-License-Identifier: Apache-2.0
"""aiohttp as server and client. /p gather, /c a child task, /q four tasks fed by a queue, /h run_in_executor, /t to_thread."""
import asyncio
import os
import ssl
import urllib.request

import aiohttp
from aiohttp import web

BACKEND = os.environ["LAB_URL"]
client = None
queue = None


async def call(path):
    async with client.get(BACKEND + path) as answer:
        return await answer.text()


def blocking(path):
    with urllib.request.urlopen(BACKEND + path) as answer:
        return answer.read().decode()


async def worker():
    while True:
        path, answer = await queue.get()
        answer.set_result(await call(path))


async def handle(request):
    mode, name = request.match_info["mode"], request.match_info["name"]
    a, b = f"/b/{name}/a", f"/b/{name}/b"
    loop = asyncio.get_running_loop()
    if mode == "r":
        text = await call(a)
    elif mode == "s":
        text = await call(a) + await call(b)
    elif mode == "p":
        text = "".join(await asyncio.gather(call(a), call(b)))
    elif mode == "c":
        text = await asyncio.create_task(call(a))
    elif mode == "q":
        answer = loop.create_future()
        queue.put_nowait((a, answer))
        text = await answer
    elif mode == "h":
        text = await loop.run_in_executor(None, blocking, a)
    else:
        text = await asyncio.to_thread(blocking, a)
    return web.Response(text=text)


async def middle(request):
    return web.Response(text=await call(request.path))


async def background():
    n = 0
    while True:
        await asyncio.sleep(0.02)
        await call(f"/b/bg/{n}")
        n += 1


async def running(_):
    global client, queue
    client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=int(os.environ.get("LAB_POOL") or 0)))
    queue = asyncio.Queue()
    tasks = [asyncio.create_task(worker()) for _ in range(4)]
    if os.environ.get("LAB_TIMER"):
        await call("/b/bg/start")
        tasks.append(asyncio.create_task(background()))
    yield
    for task in tasks:
        task.cancel()
    await client.close()


def certificate():
    if "LAB_CERTIFICATE" not in os.environ:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(os.environ["LAB_CERTIFICATE"], os.environ["LAB_KEY"])
    return context


app = web.Application()
app.cleanup_ctx.append(running)
app.add_routes([web.get("/b/{name}/{which}", middle), web.get("/{mode}/{name}", handle)])
web.run_app(app, host="127.0.0.1", port=int(os.environ["LAB_PORT"]), ssl_context=certificate(), print=None, access_log=None)
