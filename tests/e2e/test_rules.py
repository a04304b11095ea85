# SPDX-License-Identifier: Apache-2.0
"""Rules of the configuration file: each chooses its processes, and how these are named, sampled and exported."""
import os
import subprocess
import sys
import time

from harness import servers
from harness.process import wait_until
from harness.spans import CLIENT, SERVER


def get(server, *paths):
    host, port = server.address
    subprocess.run(["curl", "--silent", "--show-error", "--fail", "--output", "/dev/null", *[f"http://{host}:{port}{path}" for path in paths]],
                   check=True, timeout=30)


def write(work, text):
    path = os.path.join(work, "sonde.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def test_name_sampling_export_and_port(work, sonde, started):
    named, sampled, unexported, other_port, unchosen = (started(servers.go(work).start()) for _ in range(5))
    port = [server.address[1] for server in (named, sampled, unexported, other_port)]
    run = sonde("--config", write(work, f"""sonde:
  discovery:
    include:
      - {{port: {port[0]}, service_name: front}}
      - {{cmdline: "serve {port[1]}$", service_name: quiet, sampler: {{always_off: }}}}
      - {{cmdline: "serve {port[2]}$", exporters: []}}
      - {{cmdline: "serve {port[3]}$", port: [{port[3]}, 1], service_name: bound}}
"""))
    for server in (named, sampled, unexported, other_port, unchosen):
        get(server, "/x")
    run.stop()
    assert sorted(span.service for span in run.spans(SERVER)) == ["bound", "front"]


def test_port_of_a_rule_among_others(work, sonde, started):
    """The kernel cannot know ports when another rule has none: the calls of nginx are refused all the same."""
    behind, other = started(servers.go(work).start()), started(servers.go(work).start())
    front = started(servers.nginx(work, f"location / {{ proxy_pass http://127.0.0.1:{behind.address[1]}; }}").start())
    run = sonde("--config", write(work, f"""sonde:
  discovery:
    include:
      - {{port: {front.address[1]}, service_name: front}}
      - {{cmdline: "serve {other.address[1]}$", service_name: other}}
"""))
    get(front, "/1", "/2")
    get(other, "/3")
    run.stop()
    assert sorted((span.service, span.target) for span in run.spans(SERVER)) == [("front", "/1"), ("front", "/2"), ("other", "/3")]
    assert not run.spans(CLIENT)


def test_headers(work, sonde, started):
    """What of a request is exported is each rule's own choice; what it does not say is as for all."""
    shop, billing, other = (started(servers.go(work).start()) for _ in range(3))
    ports = [server.address[1] for server in (shop, billing, other)]
    run = sonde("--config", write(work, f"""sonde:
  redaction: {{request_headers: [x-tenant], query_keys: [who]}}
  discovery:
    include:
      - {{cmdline: "serve {ports[0]}$", service_name: shop, request_headers: [X-Shop], response_headers: [content-type]}}
      - {{cmdline: "serve {ports[1]}$", service_name: billing, request_headers: [], query_keys: []}}
      - {{cmdline: "serve {ports[2]}$", service_name: other}}
"""))
    for port in ports:
        subprocess.run(["curl", "-sSf", "-o", "/dev/null", "-H", "X-Tenant: t", "-H", "X-Shop: s", f"http://127.0.0.1:{port}/?who=me"],
                       check=True, timeout=30)
    run.stop()
    keys = ("http.request.header.x-shop", "http.request.header.x-tenant", "http.response.header.content-type", "url.query")
    assert {span.service: [span[key] for key in keys] for span in run.spans(SERVER)} == {
        "shop": [["s"], None, ["text/plain; charset=utf-8"], "who=REDACTED"], "billing": [None, None, None, "who=me"],
        "other": [None, ["t"], None, "who=REDACTED"]}


def test_reload_renames(work, sonde, started):
    server = started(servers.go(work).start())
    text = "sonde: {discovery: {include: [{port: %d, service_name: %s}]}}\n"
    file = write(work, text % (server.address[1], "before"))
    run = sonde("--config", file)
    get(server, "/1")
    run.wait_for_spans(1)
    write(work, text % (server.address[1], "after"))
    os.kill(run.process.pid, 1)
    wait_until(lambda: "as the file says now" in run.process.stderr(), "the reload", 5)
    get(server, "/2")
    run.stop()
    assert [(span.target, span.service) for span in run.spans(SERVER)] == [("/1", "before"), ("/2", "after")]


def test_peer_is_named(work, sonde, started):
    """A call says which service it went to, once that has been seen to answer."""
    server = started(servers.go(work).start())
    port = server.address[1]
    run = sonde("--config", write(work, f"""sonde:
  discovery:
    include:
      - {{port: {port}, service_name: cart}}
      - {{cmdline: " http://127.0.0.1:{port}$", service_name: caller}}
"""))
    # It waits before it calls: a program is chosen by its command line some milliseconds after it began.
    program = "import sys, time, urllib.request as u; time.sleep(1); [u.urlopen(sys.argv[1] + p).read() for p in ('/first', '/second')]"
    subprocess.run([sys.executable, "-c", program, f"http://127.0.0.1:{port}"], check=True, timeout=30)
    run.stop()
    calls = {span.target: span for span in run.spans(CLIENT)}
    assert sorted(calls) == ["/first", "/second"]
    assert calls["/second"]["service.peer.name"] == "cart"
    assert calls["/second"].service == "caller"


def test_named_within_a_second_of_its_start(work, sonde, started):
    """From the start of a program that a rule is waiting for to its first span, rightly named, in the output."""
    server = servers.go(work)
    run = sonde("--config", write(work, f"""sonde:
  discovery: {{include: [{{cmdline: "serve {server.address[1]}$", service_name: prompt}}]}}
"""))
    begin = time.monotonic()
    started(server.start())
    get(server, "/now")
    spans = run.wait_for_spans(1, SERVER, seconds=5)
    took = time.monotonic() - begin
    run.stop()
    assert spans[0].service == "prompt"
    print(f"first named span after {took * 1000:.0f} ms")
    assert took < 1.0
