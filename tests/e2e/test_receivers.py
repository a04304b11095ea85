# SPDX-License-Identifier: Apache-2.0
"""The OpenTelemetry Collector as the receiver, built from its modules: OTLP over gRPC and HTTP, plain, with TLS on both sides,
through an HTTP proxy. What it took it sends on to our own receiver, which counts."""
import http.client
import http.server
import os
import select
import socket
import socketserver
import threading

import pytest
from harness import build, load, servers, tls
from harness.process import Process, accepts, free_port, wait_until
from harness.sink import HttpSink

pytestmark = pytest.mark.long
COUNT = 1000

CONFIG = """
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: "127.0.0.1:{grpc}"{tls}}}
      http: {{endpoint: "127.0.0.1:{http}"{tls}}}
exporters:
  otlphttp: {{endpoint: "{sink}", encoding: json, compression: none}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    traces: {{receivers: [otlp], exporters: [otlphttp]}}
"""


class Collector:
    def __init__(self, work, sink, server_tls=""):
        self.grpc, self.http = free_port(), free_port()
        path = os.path.join(work, "collector.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(grpc=self.grpc, http=self.http, sink=sink.endpoint, tls=server_tls))
        self.process = Process([build.otel_collector(), "--config", f"file:{path}"], work, "collector")
        wait_until(lambda: accepts(("127.0.0.1", self.grpc)) and accepts(("127.0.0.1", self.http)),
                   f"the Collector listens: {self.process.stderr()}", 30)

    def endpoint(self, protocol, scheme="http"):
        return f"{scheme}://127.0.0.1:{self.grpc if protocol == 'grpc' else self.http}"

    def stop(self):
        self.process.stop()


class ConnectProxy:
    """CONNECT and absolute-form requests, as an egress proxy has them; counts them."""

    def __init__(self):
        proxy = self
        self.requests = 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_CONNECT(self):
                proxy.requests += 1
                host, port = self.path.rsplit(":", 1)
                with socket.create_connection((host, int(port))) as there:
                    self.send_response(200)
                    self.end_headers()
                    carry(self.connection, there)
                self.close_connection = True

            def do_POST(self):
                proxy.requests += 1
                host, path = self.path.removeprefix("http://").split("/", 1)
                body = self.rfile.read(int(self.headers["Content-Length"]))
                connection = http.client.HTTPConnection(host)
                connection.request("POST", f"/{path}", body, dict(self.headers))
                answer = connection.getresponse()
                content = answer.read()
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.getheader("Content-Type", ""))
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                """Quiet."""

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def carry(one, other):
    while True:
        for ready in select.select([one, other], [], [])[0]:
            data = ready.recv(65536)
            if not data:
                return
            (other if ready is one else one).sendall(data)


def client_certificate(work, authority):
    """Of the test authority, for who asks."""
    name = os.path.join(work, "client")
    with open(f"{name}.extensions", "w", encoding="utf-8") as file:
        file.write("extendedKeyUsage=clientAuth\n")
    tls.run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=sonde",
            "-keyout", f"{name}.key", "-out", f"{name}.csr")
    tls.run("openssl", "x509", "-req", "-in", f"{name}.csr", "-CA", authority, "-CAkey", authority.replace(".pem", ".key"),
            "-CAserial", f"{name}.serial", "-CAcreateserial", "-days", "2", "-extfile", f"{name}.extensions", "-out", f"{name}.pem")
    return f"{name}.pem", f"{name}.key"


@pytest.fixture
def server(work, started):
    return started(servers.nginx(work, "location / { return 200 'x'; }").start())


def drive(sonde, server, sink, *args, **options):
    run = sonde(*servers.selectors(server), *args, exports=["otlp"], **options)
    wanted = [load.Request("GET", f"/collector/{i}") for i in range(COUNT)]
    load.run(server.address, wanted)
    wait_until(lambda: len(sink.paths()) >= COUNT, "every span came through the Collector", 20)
    run.stop()
    assert sorted(sink.paths()) == sorted(r.target for r in wanted)


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf", "http/json"])
def test_plain_and_gzip(protocol, server, sonde, started, work):
    sink = started(HttpSink())
    collector = started(Collector(work, sink))
    drive(sonde, server, sink, "--otlp-endpoint", collector.endpoint(protocol), "--otlp-protocol", protocol,
          env={"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"})


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_mutual_tls(protocol, server, sonde, started, work):
    authority, certificate, key = tls.files()
    client, client_key = client_certificate(work, authority)
    sink = started(HttpSink())
    collector = started(Collector(work, sink, f', tls: {{cert_file: "{certificate}", key_file: "{key}", '
                                              f'client_ca_file: "{authority}"}}'))
    drive(sonde, server, sink, "--otlp-endpoint", collector.endpoint(protocol, "https"), "--otlp-protocol", protocol,
          env={"OTEL_EXPORTER_OTLP_CERTIFICATE": authority, "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": client,
               "OTEL_EXPORTER_OTLP_CLIENT_KEY": client_key})


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_through_an_http_proxy(protocol, server, sonde, started, work):
    """The variables that libcurl and gRPC read."""
    sink = started(HttpSink())
    proxy = started(ConnectProxy())
    collector = started(Collector(work, sink))
    drive(sonde, server, sink, "--otlp-endpoint", collector.endpoint(protocol), "--otlp-protocol", protocol,
          env={"http_proxy": proxy.url, "grpc_proxy": proxy.url, "no_proxy": "", "NO_PROXY": ""})
    assert proxy.requests >= 1
