# SPDX-License-Identifier: Apache-2.0
"""Real container engines: containers are chosen by what these say of them, and every span says which container made it."""
import json
import os
import re
import subprocess

import pytest
from harness import engines
from harness.process import wait_until
from harness.sonde import BINARY
from harness.spans import SERVER

SHOP = ["--label", "team=shop", "--label", "com.docker.compose.project=store", "--label", "com.docker.compose.service=web"]


@pytest.fixture
def docker(work, started):
    return started(engines.Docker(work))


@pytest.fixture(params=engines.ENGINES)
def engine(request, work, started):
    return started(engines.ENGINES[request.param](work))


def targets(spans):
    return sorted(s.target for s in spans)


def judge(span, container, image_id, service="web"):
    """Who made it, as the engine itself describes it."""
    said = {key: value for key, value in span.resource.items() if key.startswith("container.")}
    expected = {
        "container.id": container.id, "container.name": container.name, "container.runtime.name": container.engine.name,
        "container.image.name": "registry.example:5000/shop/peer", "container.image.tags": ["1.2"],
        "container.image.id": image_id, "container.label.team": "shop",
        "container.label.com.docker.compose.project": "store", "container.label.com.docker.compose.service": service}
    digests = json.loads(container.engine("image", "inspect", "--format", "{{json .RepoDigests}}", image_id))
    if digests:  # podman makes one for an image that was never pushed
        expected["container.image.repo_digests"] = digests
    assert said == expected
    assert span.service == service
    assert span.resource["process.pid"] == container.pid


def test_label(work, sonde, engine):
    """Running before sonde, started after it, made again: the labelled ones' requests and no other's."""
    image = "registry.example:5000/shop/peer:1.2"
    identity = engine.image(image)
    before = engine.serve("web-1", image, *SHOP)
    other = engine.serve("other", image, "--label", "team=shops", "--label", "other=shop")
    run = sonde("--container-label", "team=shop", env=engine.env)
    before.get("/before/1", "/before/2")
    other.get("/other/1")
    after = engine.serve("web-2", image, *SHOP)
    after.get("/after/1")
    inside = engine.serve("web-3", image, *SHOP, network="none")
    inside.get("/inside/1")
    before.remove()
    again = engine.serve("web-1", image, *SHOP)
    again.get("/again/1", "/again/2")
    other.get("/other/2")
    run.stop()
    spans = run.spans(SERVER)
    assert targets(spans) == ["/after/1", "/again/1", "/again/2", "/before/1", "/before/2", "/inside/1"]
    by_path = {"before": before, "after": after, "inside": inside, "again": again}
    for span in spans:
        judge(span, by_path[span.target.split("/")[1]], identity)


def test_environment_that_is_written_over(work, sonde, engine):
    """Processes have none to read any more: what the engine gave them counts, before sonde came and after."""
    engine.image("peer:1")
    options = ["--env", "CLEAR_ENVIRONMENT=1", "--env", "SONDE_TRACE=1", "--env", "OTEL_SERVICE_NAME=shop"]
    before = engine.serve("before", "peer:1", *options)
    other = engine.serve("other", "peer:1", "--env", "CLEAR_ENVIRONMENT=1", "--env", "SONDE_TRACE=0")
    before.get("/up")
    other.get("/up")
    run = sonde("--env", "SONDE_TRACE=1", env=engine.env)
    before.get("/before")
    other.get("/other")
    after = engine.serve("after", "peer:1", *options)
    after.get("/after")
    run.stop()
    spans = run.spans(SERVER)
    assert targets(spans) == ["/after", "/before"]
    assert {s.service for s in spans} == {"shop"}


def test_file(work, sonde, docker):
    """The same from the configuration file, with an exclusion and labels of the operator's choice."""
    image = "peer:3"
    docker.image(image)
    chosen = docker.serve("chosen", image, "--label", "team=shop", "--label", "tier=front")
    kept_out = docker.serve("kept-out", image, "--label", "team=shop", "--label", "canary=yes")
    file = os.path.join(work, "sonde.yaml")
    with open(file, "w", encoding="utf-8") as out:
        out.write("""sonde:
  discovery:
    include: {container-label: team=shop, container-image: "peer:*"}
    exclude: {container-label: canary}
  resource: {container_labels: [ti*]}
""")
    run = sonde("--config", file, env=docker.env)
    chosen.get("/1")
    kept_out.get("/2")
    late = docker.serve("late", image, "--label", "team=shop", "--label", "canary")
    late.get("/3")
    run.stop()
    spans = run.spans(SERVER)
    assert targets(spans) == ["/1"]
    labels = {key: value for key, value in spans[0].resource.items() if key.startswith("container.label.")}
    assert labels == {"container.label.tier": "front", "container.label.team": "shop"}
    assert spans[0].service == "chosen"


def test_name_and_rename(work, sonde, engine):
    """A container that gets a name that matches is traced within a second, and no longer when it has another."""
    image = "peer:1"
    engine.image(image)
    web = engine.serve("web", image)
    run = sonde("--container", "shop-*", env=engine.env)
    web.get("/1")
    engine("rename", "web", "shop-web")
    wait_until(lambda: run.metric("sonde_processes", state="selected") == 1, "the renamed container is traced", 1)
    web.get("/2")
    run.settle(1)
    engine("rename", "shop-web", "web")
    wait_until(lambda: run.metric("sonde_processes", state="selected") == 0, "it is no longer", 1)
    web.get("/3")
    run.stop()
    spans = run.spans(SERVER)
    assert targets(spans) == ["/2"]
    assert spans[0].service == "shop-web"


def test_exec_and_children(work, sonde, docker):
    """What `docker exec` starts belongs to the container, and so do its children."""
    image = "peer:1"
    docker.image(image)
    web = docker.serve("web", image, "--label", "team=shop", "--volume", "/bin:/bin:ro", "--volume", "/usr:/usr:ro", "--volume",
                       "/lib:/lib:ro", "--volume", "/lib64:/lib64:ro")
    run = sonde("--container-label", "team=shop", env=docker.env)
    script = "import urllib.request as r; r.urlopen('http://127.0.0.1:%d/exec').read()" % web.port
    docker("exec", web.name, "/bin/sh", "-c", f'/usr/bin/python3 -S -c "{script}"; true')
    run.stop()
    kinds = sorted((s.kind, s.target, s.resource.get("container.id")) for s in run.spans())
    assert kinds == [(2, "/exec", web.id), (3, "/exec", web.id)]
    assert len({s.trace_id for s in run.spans()}) == 1


def test_first_requests_are_named(work, sonde, docker):
    """--all: nothing waits for the answer about the container but its first spans."""
    image = "peer:1"
    docker.image(image)
    run = sonde("--exe", "/peer", env=docker.env)
    containers = [docker.serve(f"c{i}", image) for i in range(3)]
    for container in containers:
        container.get(f"/{container.name}")
    run.stop()
    assert sorted((s.target, s.service, s.resource["container.id"]) for s in run.spans(SERVER)) == sorted(
        (f"/{c.name}", c.name, c.id) for c in containers)


def test_hostile_labels(work, sonde, docker):
    """A megabyte, control characters: cut and cleaned, and nobody else suffers."""
    image = "peer:1"
    docker.image(image)
    file = os.path.join(work, "labels")
    with open(file, "w", encoding="utf-8") as out:
        out.write("team=shop\nbig=" + "x" * 60_000 + "\nescape=a\x1b[31mb\x07\n")
        for i in range(600):
            out.write(f"many.{i}={'y' * 1000}\n")
    web = docker.serve("web", image, "--label-file", file)
    config = os.path.join(work, "sonde.yaml")
    with open(config, "w", encoding="utf-8") as out:
        out.write("sonde: {discovery: {include: {container: web}}, resource: {container_labels: [big, escape]}}\n")
    run = sonde("--config", config, env=docker.env)
    web.get("/1")
    cut = run.metric("sonde_container_dropped_total", reason="label_cut")
    run.stop()
    (span,) = run.spans(SERVER)
    assert span.resource["container.label.escape"] == "a [31mb "
    assert span.resource["container.label.big"] == "x" * 4096
    assert cut > 300


def test_processes(work, sonde, docker):
    """`sonde processes` shows the container, and the rule that chose it."""
    image = "peer:1"
    docker.image(image)
    web = docker.serve("web", image, "--label", "team=shop")
    other = docker.serve("other", image)
    done = subprocess.run([BINARY, "processes", "--container-label", "team=shop", "--output", "json"], env={**os.environ, **docker.env},
                          capture_output=True, text=True, check=True)
    by_pid = {p["pid"]: p for p in json.loads(done.stdout)}
    assert by_pid[web.pid]["container"] == "web" and by_pid[web.pid]["selected"]
    assert by_pid[web.pid]["rule"] == "--container-label team=shop"
    assert by_pid[other.pid]["container"] == "other" and not by_pid[other.pid]["selected"]
    table = subprocess.run([BINARY, "processes", "--container-label", "team=shop"], env={**os.environ, **docker.env},
                           capture_output=True, text=True, check=True).stdout
    assert re.search(rf"^ *{web.pid} .*\bweb\b.* yes ", table, re.MULTILINE), table


def test_files_without_a_socket(work, sonde, started):
    """Where no socket may be used: Docker's own files, of which a rename is noticed too."""
    docker = started(engines.Docker(work, data_root=f"{work}/host/var/lib/docker"))
    image = "peer:1"
    docker.image(image)
    web = docker.serve("web", image, "--label", "team=shop")
    other = docker.serve("other", image)
    file = os.path.join(work, "sonde.yaml")
    with open(file, "w", encoding="utf-8") as out:
        out.write(f"sonde: {{resource: {{host_root: {work}/host}}}}\n")
    run = sonde("--config", file, "--container-label", "team=shop", env={"DOCKER_HOST": "/nowhere", "CONTAINER_HOST": "/nowhere"})
    web.get("/1")
    other.get("/2")
    docker("rename", "web", "shop")
    run.settle(2)
    web.get("/3")
    late = docker.serve("late", image, "--label", "team=shop")
    late.get("/late")
    wait_until(lambda: run.metric("sonde_processes", state="selected") == 2, "the late one is traced", 1)
    late.get("/late/2")
    run.stop()
    spans = run.spans(SERVER)
    assert [s.service for s in spans if s.target == "/1"] == ["web"]
    assert [s.service for s in spans if s.target == "/3"] == ["shop"]
    assert [s.service for s in spans if s.target == "/late/2"] == ["late"]
    assert "/2" not in targets(spans)


def test_doctor(work, docker):
    """Which runtimes can be asked, and what to do if none can."""
    def containers(**env):
        done = subprocess.run([BINARY, "doctor", "--output", "json"], env={**os.environ, **env}, capture_output=True, text=True,
                              check=True)
        return json.loads(done.stdout)["containers"]

    found = containers(**docker.env)
    assert {"name": "docker", "address": docker.socket, "usable": True, "why": "answers"} in found["runtimes"]
    assert found["remedy"] == ""
    lost = containers(DOCKER_HOST=f"unix://{work}/nobody.sock", CONTAINER_HOST="ssh://elsewhere")
    assert not any(r["usable"] for r in lost["runtimes"] if r["name"] in ("docker", "environment"))
