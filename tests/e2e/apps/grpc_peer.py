# SPDX-License-Identifier: Apache-2.0
"""gRPC without generated code: `serve PORT`, or `call PORT COUNT THREADS`. Method Add/N answers; Fail/N fails with NOT_FOUND."""
import sys
from concurrent import futures

import grpc


class Anything(grpc.GenericRpcHandler):
    def service(self, details):
        def answer(request, context):
            if "/Fail" in details.method:
                context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
            return request * 2

        return grpc.unary_unary_rpc_method_handler(answer)


def serve(port):
    server = grpc.server(futures.ThreadPoolExecutor(8), handlers=[Anything()])
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


def call(port, count, threads):
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel, futures.ThreadPoolExecutor(threads) as pool:
        def one(i):
            method = f"/shop.Cart/Fail{i}" if i % 10 == 0 else f"/shop.Cart/Add{i}"
            try:
                return channel.unary_unary(method)(b"x" * (i % 3000), timeout=30) is not None
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.NOT_FOUND, error
                return True

        assert all(pool.map(one, range(count)))


if sys.argv[1] == "serve":
    serve(sys.argv[2])
else:
    call(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
