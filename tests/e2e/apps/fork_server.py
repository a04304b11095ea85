# SPDX-License-Identifier: Apache-2.0
"""A server that forks for each connection: fork_server.py PORT."""
import http.server
import socketserver
import sys

import http_server


class Server(socketserver.ForkingMixIn, http.server.HTTPServer):
    max_children = 64


if __name__ == "__main__":
    Server(("127.0.0.1", int(sys.argv[1])), http_server.Handler).serve_forever()
