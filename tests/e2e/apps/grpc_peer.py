# SPDX-License-Identifier: Apache-2.0
"""gRPC without generated code: `serve PORT`, or `call PORT COUNT THREADS [METHODS]`. Method AddN answers; FailN fails with
NOT_FOUND. METHODS: so many names are used over and over, so that their header table entries are not sent again."""
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


def call(port, count, threads, methods):
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel, futures.ThreadPoolExecutor(threads) as pool:
        def one(i):
            name = i % methods
            method = f"/shop.Cart/Fail{name}" if name % 10 == 0 else f"/shop.Cart/Add{name}"
            try:
                return channel.unary_unary(method)(b"x" * (i % 3000), timeout=30) is not None
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.NOT_FOUND, error
                return True

        assert all(pool.map(one, range(count)))


if sys.argv[1] == "serve":
    serve(sys.argv[2])
else:
    call(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]) if len(sys.argv) > 5 else int(sys.argv[3]))
