# SPDX-License-Identifier: Apache-2.0
"""grpcio: grpcio_app.py sync|aio. A pool of threads with requests, or asyncio with aiohttp; /g and /gp call the backend over gRPC."""
import asyncio
import concurrent.futures
import os
import sys
import threading
import time

import grpc

BACKEND = os.environ["LAB_URL"]
ADDRESS = f"127.0.0.1:{os.environ['LAB_PORT']}"
CHANNEL = f"127.0.0.1:{os.environ['LAB_BACKEND']}"
POOL = int(os.environ.get("LAB_POOL") or 0)


class Handler(grpc.GenericRpcHandler):
    """/<mode>/<id>, messages are bytes as they are. `make` makes the behaviour of one method."""

    def __init__(self, make):
        self.make = make

    def service(self, handler_call_details):
        _, mode, name = handler_call_details.method.split("/")
        return grpc.unary_unary_rpc_method_handler(self.make(mode, f"/b/{name}/a", f"/b/{name}/b"))


def sync():
    import requests
    import requests.adapters

    session = requests.Session()
    session.trust_env = False
    session.mount(BACKEND, requests.adapters.HTTPAdapter(pool_maxsize=POOL or 256, pool_block=bool(POOL)))
    channel = grpc.insecure_channel(CHANNEL)
    executor = concurrent.futures.ThreadPoolExecutor(int(os.environ.get("LAB_HANDOFF") or 32))

    def http(path):
        return session.get(BACKEND + path).content

    def rpc(path):
        return channel.unary_unary(path)(b"")

    def handle(mode, a, b):
        if mode == "r":
            return http(a)
        if mode == "s":
            return http(a) + http(b)
        if mode == "p":
            return b"".join(f.result() for f in [executor.submit(http, a), executor.submit(http, b)])
        if mode == "g":
            return rpc(a)
        return b"".join(f.result() for f in [channel.unary_unary(path).future(b"") for path in (a, b)])

    def make(mode, a, b):
        return lambda request, context: handle(mode, a, b)

    def background():
        n = 0
        while True:
            http(f"/b/bg/{n}")
            time.sleep(0.02)
            n += 1

    if os.environ.get("LAB_TIMER"):
        threading.Thread(target=background, daemon=True).start()
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(int(os.environ.get("LAB_WORKERS") or 32)))
    server.add_generic_rpc_handlers((Handler(make),))
    server.add_insecure_port(ADDRESS)
    server.start()
    server.wait_for_termination()


async def aio():
    import aiohttp

    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=POOL))
    channel = grpc.aio.insecure_channel(CHANNEL)

    async def http(path):
        async with session.get(BACKEND + path) as answer:
            return await answer.read()

    async def rpc(path):
        return await channel.unary_unary(path)(b"")

    async def handle(mode, a, b):
        if mode == "r":
            return await http(a)
        if mode == "s":
            return await http(a) + await http(b)
        if mode == "p":
            return b"".join(await asyncio.gather(http(a), http(b)))
        if mode == "g":
            return await rpc(a)
        return b"".join(await asyncio.gather(rpc(a), rpc(b)))

    def make(mode, a, b):
        async def behaviour(request, context):
            return await handle(mode, a, b)

        return behaviour

    async def background():
        n = 0
        while True:
            await http(f"/b/bg/{n}")
            await asyncio.sleep(0.02)
            n += 1

    timer = asyncio.create_task(background()) if os.environ.get("LAB_TIMER") else None
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Handler(make),))
    server.add_insecure_port(ADDRESS)
    await server.start()
    await server.wait_for_termination()
    del timer


if __name__ == "__main__":
    asyncio.run(aio()) if sys.argv[1] == "aio" else sync()
