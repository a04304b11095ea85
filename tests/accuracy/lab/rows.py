# SPDX-License-Identifier: Apache-2.0
"""The rows of the lab: a service, what it can be asked, in which situations, and how well it must be linked."""
import dataclasses

from . import programs

# What a request to /<mode>/<id> makes the service call.
BOTH = ("s", "p", "hp", "cp", "u", "f", "n", "gp")


def calls_of(modes):
    return {mode: ["a", "b"] if mode in BOTH else ["a"] for mode in modes}


ONCE = "r"
PLAIN = "r s p"
TOKIO = "r s p c cp u q"
STREAMS = "r s p g gp"
UNCHAINED = "large nodelay run restart"  # of what does not serve HTTP/1


@dataclasses.dataclass(frozen=True)
class Variant:
    """One situation. `attach`: pid (to a running, warmed-up service), run (sonde starts it), restart (a second sonde, under
    load)."""
    settings: dict = dataclasses.field(default_factory=dict)
    delay_us: int = 10_000
    attach: str = "pid"
    chain: bool = False
    tls: bool = False  # on both sides of the service
    config: str = ""  # of sonde


HOT_WAKES = "sonde: {linking: {hot_wakes: true}}\n"
VARIANTS = {
    "large": Variant(),  # as many connections as are wanted
    "pool4": Variant({"LAB_POOL": "4"}),
    "server4": Variant({"LAB_WORKERS": "4"}),
    "handoff4": Variant({"LAB_HANDOFF": "4"}),
    "nodelay": Variant(delay_us=0),
    "run": Variant(attach="run"),
    "restart": Variant(attach="restart"),
    "timer": Variant({"LAB_TIMER": "1"}),
    "timer4": Variant({"LAB_TIMER": "1", "LAB_POOL": "4"}),
    "chain": Variant(chain=True),
    "tls": Variant(tls=True),
    "h2": Variant({"LAB_H2": "1"}, tls=True),  # to the backend
    "wakes": Variant(config=HOT_WAKES),
    "wakes4": Variant({"LAB_HANDOFF": "4"}, config=HOT_WAKES),
}
ALWAYS = "large nodelay run restart chain"


@dataclasses.dataclass(frozen=True)
class Row:
    title: str
    start: object  # programs: Place -> Server
    modes: str = PLAIN
    variants: str = ""  # beside `always`
    recall: dict = dataclasses.field(default_factory=dict)  # mode -> least recall in percent that --check asks for
    short: str = "large timer"  # variants of --check
    short_modes: str = ""  # modes of --check; all if empty
    wire: str = ""  # what the load speaks: HTTP/1, or h2c or grpc, with all requests on four connections
    always: str = ALWAYS

    @property
    def mode_list(self):
        return self.modes.split()

    @property
    def variant_list(self):
        return [*self.always.split(), *self.variants.split()]


def same_thread(*modes):
    return {mode: 99.0 for mode in modes}


def runtime(*modes):
    """By the memory of the runtime. The first calls may come before it is known."""
    return {mode: 95.0 for mode in modes}


def handed_off(*modes):
    """To a pool of threads. Each of its threads that waits for work when sonde comes is understood from its second piece on."""
    return {mode: 90.0 for mode in modes}


def on_demand(*modes):
    """Probed from when it is needed: not the first, and those that came before that was done."""
    return {mode: 75.0 for mode in modes}


ROWS = {
    "gunicorn-gthread": Row("Flask, gunicorn gthread, requests", programs.gunicorn("gthread"), "r s p h",
                            "pool4 server4 handoff4 timer tls", {**same_thread("r", "s"), **handed_off("p", "h")}),
    "gunicorn-sync": Row("Flask, gunicorn sync, requests", programs.gunicorn("sync"), "r s p h", "handoff4 timer tls",
                         {**same_thread("r", "s"), **handed_off("p", "h")}),
    "gunicorn-gevent": Row("Flask, gunicorn gevent, requests", programs.gunicorn("gevent"), "r s p h", "pool4 timer tls",
                           runtime("r", "s")),
    "flask": Row("Flask, its own threads, requests", programs.flask, "r s p h", "pool4 handoff4 timer",
                 {**same_thread("r", "s"), **handed_off("p", "h")}),
    "puma": Row("Ruby, Puma, Net::HTTP", programs.puma, "r s p h", "server4 handoff4 timer"),
    "java-url": Row("JDK server, HttpURLConnection", programs.java("url"), "r s p h", "server4 handoff4 timer",
                    {**same_thread("r", "s"), **handed_off("h")}),
    "tomcat": Row("Tomcat, HttpURLConnection", programs.maven("TomcatLab"), "r s p h f", "server4 handoff4 timer",
                  {**{mode: 60.0 for mode in ("r", "s")}, "h": 85.0}),
    "cpp": Row("C++, a thread per connection, libcurl", programs.cpp, "r s p h", "server4 handoff4 timer",
               same_thread("r", "s")),
    "apache-php": Row("Apache prefork, mod_php, curl", programs.apache_php, PLAIN, "", same_thread("r", "s", "p"), "large"),
    "haproxy": Row("HAProxy", programs.haproxy, ONCE, "pool4", {"r": 99.0}, short="large pool4"),
    "nginx": Row("nginx, upstream keepalive", programs.nginx(), ONCE, "tls", runtime("r"), short="large"),
    "nginx-h2": Row("nginx asked over HTTP/2, upstream keepalive", programs.nginx("http2"), ONCE, "", runtime("r"), short="large",
                    wire="h2c", always=UNCHAINED),
    "nginx-grpc": Row("nginx asked in gRPC, grpc_pass", programs.nginx("http2", "grpc_pass"), ONCE, "", runtime("r"), short="large",
                      wire="grpc", always=UNCHAINED),
    "aiohttp": Row("aiohttp server and client", programs.aiohttp, "r s p c q h t", "pool4 timer timer4 tls",
                   {**runtime("r", "s", "p", "c", "t"), **handed_off("h")}),
    "fastapi": Row("FastAPI, httpx, asyncio", programs.fastapi("asyncio"), "r s p c d h t", "pool4 timer timer4 tls",
                   {**runtime("r", "s", "p", "c", "d", "t"), **handed_off("h")}),
    "fastapi-uvloop": Row("FastAPI, httpx, uvloop", programs.fastapi("uvloop"), "r s p c d h t", "pool4 timer timer4 tls",
                          {**runtime("r", "s", "p", "c", "d", "t"), **handed_off("h")}),
    "grpcio": Row("grpcio server, threads, requests and grpcio clients", programs.grpcio("sync"), STREAMS,
                  "pool4 server4 handoff4 timer", handed_off("r", "s", "p"), wire="grpc", always=UNCHAINED),
    "grpcio-aio": Row("grpcio server, asyncio, aiohttp and grpcio clients", programs.grpcio("aio"), STREAMS,
                      "pool4 timer timer4", runtime("r", "s", "p"), wire="grpc", always=UNCHAINED),
    "gevent": Row("gevent server, requests", programs.gevent, "r s p c h", "pool4 timer timer4", runtime("r", "s")),
    "node": Row("Node, node:http and its Agent", programs.node("agent"), "r s p h t", "pool4 timer timer4 tls",
                runtime("r", "s", "p", "h")),
    "node-close": Row("Node, node:http without keep-alive", programs.node("close"), "r s p h t", "pool4 timer",
                      runtime("r", "s", "p", "t")),
    "node-fetch": Row("Node, built-in fetch", programs.node("fetch"), "r s p h t", "timer tls",
                      runtime("r", "s", "p", "h")),
    "node-undici": Row("Node, undici Pool", programs.node("undici"), "r s p h t", "pool4 timer timer4 tls"),
    "node-http2": Row("Node, node:http2 client", programs.node("http2"), "r s p h t", "timer h2", runtime("r", "s", "p", "h", "t"),
                      always=UNCHAINED),
    "node-grpc": Row("Node, grpc-js client", programs.node("grpc"), "r s p h t", "timer", runtime("r", "s", "p", "h", "t"),
                     short_modes="r s p", always=UNCHAINED),
    "grpc-js": Row("grpc-js server, node:http and grpc-js clients", programs.node("agent", "grpc"), STREAMS, "pool4 timer",
                   runtime("r", "s", "p", "g"), wire="grpc", always=UNCHAINED),
    "go": Row("Go, net/http", programs.go(), "r s p d h hp", "pool4 timer timer4 tls h2 wakes wakes4",
              {**runtime("r", "s", "p"), **on_demand("d")}),
    "go-stripped": Row("Go, net/http, stripped", programs.go("-ldflags", "-s -w"), "r s p d h hp",
                       "pool4 timer timer4 tls h2 wakes wakes4", {**runtime("r", "s", "p"), **on_demand("d")}),
    "go-grpc": Row("grpc-go server, net/http and grpc-go clients", programs.go_streams("grpc"), STREAMS, "pool4 timer timer4",
                   runtime("r", "s", "p", "g", "gp"), wire="grpc", always=UNCHAINED),
    "go-grpc-stripped": Row("grpc-go server, net/http and grpc-go clients, stripped", programs.go_streams("grpc", stripped=True),
                            STREAMS, "pool4 timer timer4", runtime("r", "s", "p", "g", "gp"), wire="grpc", always=UNCHAINED),
    "go-h2c": Row("golang.org/x/net HTTP/2 server, net/http and grpc-go clients", programs.go_streams("h2c"), STREAMS,
                  "pool4 timer timer4", runtime("r", "s", "p", "g", "gp"), wire="h2c", always=UNCHAINED),
    "go-http2": Row("net/http HTTP/2 server", programs.go(LAB_SERVE="h2c"), "r s p h hp", "pool4 timer timer4",
                    runtime("r", "s", "p"), wire="h2c"),
    "java-send": Row("JDK server, HttpClient", programs.java("send"), "r s p h f n", "server4 handoff4 timer",
                     {"r": 95.0, "s": 95.0}, short_modes="r s"),
    "java21-send": Row("JDK server 21 or newer, HttpClient", programs.java("send", least=21), "r s p h f n", "server4 handoff4 timer",
                       {"r": 95.0, "s": 95.0}, short_modes="r s"),
    "java-virtual": Row("JDK server, virtual threads, HttpURLConnection", programs.java("url", virtual=True, least=21), "r s p h f",
                        "handoff4 timer"),
    "java-virtual-send": Row("JDK server, virtual threads, HttpClient", programs.java("send", virtual=True, least=21), "r s p h f n",
                             "handoff4 timer"),
    "netty": Row("reactor-netty server and client", programs.maven("NettyLab"), "r s p h", "pool4 timer timer4"),
    "tokio": Row("axum, reqwest, multi-thread", programs.tokio("multi"), TOKIO, "pool4 timer timer4"),
    "tokio-current": Row("axum, reqwest, current-thread", programs.tokio("current"), TOKIO, "pool4 timer timer4"),
    "tokio-stripped": Row("axum, reqwest, stripped", programs.tokio("multi", stripped=True), TOKIO, "pool4 timer timer4"),
}
