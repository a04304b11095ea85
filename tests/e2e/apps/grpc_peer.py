# SPDX-License-Identifier: Apache-2.0
"""gRPC without generated code: `serve PORT [CERTIFICATE KEY]`, or `call PORT COUNT THREADS [AUTHORITY [METHODS]]`. Method
AddN answers, FailN fails with NOT_FOUND. With an authority (not -) it speaks TLS, on a connection per thread. METHODS: so
many names are used over and over, so that their header table entries are not sent again. ACCESS_LOG: method, client port.
`serve-aio PORT` and `call-aio PORT COUNT CONCURRENT` are the same on grpc.aio, one channel for all."""
import asyncio
import json
import os
import sys
import threading
from concurrent import futures

import grpc


LOG = open(os.environ.get("ACCESS_LOG", os.devnull), "a", buffering=1, encoding="utf-8")


class Anything(grpc.GenericRpcHandler):
    def service(self, details):
        def answer(request, context):
            LOG.write(json.dumps({"method": details.method, "port": int(context.peer().rsplit(":", 1)[1])}) + "\n")
            if "/Fail" in details.method:
                context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
            return request * 2

        return grpc.unary_unary_rpc_method_handler(answer)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def serve(port, certificate=None, key=None):
    server = grpc.server(futures.ThreadPoolExecutor(8), handlers=[Anything()])
    if certificate:
        secrets = grpc.ssl_server_credentials([(read(key), read(certificate))])
        server.add_secure_port(f"127.0.0.1:{port}", secrets)
    else:
        server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


def call(port, count, threads, authority="-", methods=None):
    own = threading.local()
    shared = None if authority != "-" else grpc.insecure_channel(f"127.0.0.1:{port}")

    def channel():
        if shared:
            return shared
        if not hasattr(own, "channel"):
            secrets = grpc.ssl_channel_credentials(read(authority))
            own.channel = grpc.secure_channel(f"127.0.0.1:{port}", secrets, [("grpc.use_local_subchannel_pool", 1)])
        return own.channel

    def one(i):
        name = i % int(methods or count)
        method = f"/shop.Cart/Fail{name}" if name % 10 == 0 else f"/shop.Cart/Add{name}"
        try:
            return channel().unary_unary(method)(b"x" * (i % 3000), timeout=30) is not None
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.NOT_FOUND, error
            return True

    with futures.ThreadPoolExecutor(threads) as pool:
        assert all(pool.map(one, range(count)))


class AnythingAsync(grpc.GenericRpcHandler):
    def service(self, details):
        async def answer(request, context):
            await asyncio.sleep(0)
            if "/Fail" in details.method:
                await context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
            return request * 2

        return grpc.unary_unary_rpc_method_handler(answer)


async def serve_async(port):
    server = grpc.aio.server(handlers=[AnythingAsync()])
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


async def call_async(port, count, concurrent):
    slots = asyncio.Semaphore(concurrent)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        async def one(i):
            method = f"/shop.Cart/Fail{i}" if i % 10 == 0 else f"/shop.Cart/Add{i}"
            async with slots:
                try:
                    await channel.unary_unary(method)(b"x" * (i % 3000), timeout=30)
                except grpc.aio.AioRpcError as error:
                    assert error.code() == grpc.StatusCode.NOT_FOUND, error

        await asyncio.gather(*map(one, range(count)))


COMMANDS = {
    "serve": serve,
    "call": lambda port, count, threads, *rest: call(port, int(count), int(threads), *rest),
    "serve-aio": lambda port: asyncio.run(serve_async(port)),
    "call-aio": lambda port, count, concurrent: asyncio.run(call_async(port, int(count), int(concurrent))),
}
COMMANDS[sys.argv[1]](*sys.argv[2:])
