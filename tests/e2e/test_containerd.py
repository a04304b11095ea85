# SPDX-License-Identifier: Apache-2.0
"""containerd by its own API, and by Kubernetes' runtime interface, which CRI-O speaks too: what labels choose is traced, and every
span says which container made it."""
import json
import os
import subprocess

import pytest
from harness import engines
from harness.process import wait_until
from harness.sonde import BINARY
from harness.spans import SERVER

IMAGE = "registry.example:5000/shop/peer:1.2"


@pytest.fixture
def containerd(work, started):
    return started(engines.Containerd(work))


def get(port, *paths):
    subprocess.run(["curl", "--silent", "--show-error", "--fail", "--output", "/dev/null", "--retry", "20", "--retry-connrefused",
                    "--retry-delay", "0", *[f"http://127.0.0.1:{port}{path}" for path in paths]], check=True, timeout=30)


def test_label(work, sonde, containerd):
    """Running before sonde and started after it: the labelled ones' requests and no other's."""
    digest = containerd.image(IMAGE)
    before, before_port = containerd.serve(IMAGE, "team=shop", "nerdctl/name=web-1")
    _, other_port = containerd.serve(IMAGE, "team=shops")
    run = sonde("--container-label", "team=shop", env=containerd.env)
    get(before_port, "/before")
    get(other_port, "/other")
    after, after_port = containerd.serve(IMAGE, "team=shop")
    get(after_port, "/after")
    run.stop()
    spans = {span.target: span for span in run.spans(SERVER)}
    assert sorted(spans) == ["/after", "/before"]
    for target, identity in (("/before", before), ("/after", after)):
        said = {key: value for key, value in spans[target].resource.items() if key.startswith("container.")}
        name = {"container.name": "web-1"} if identity == before else {}
        assert said == {
            "container.id": identity, "container.runtime.name": "containerd", "container.label.team": "shop", **name,
            "container.image.name": "registry.example:5000/shop/peer", "container.image.tags": ["1.2"],
            "container.image.repo_digests": [f"registry.example:5000/shop/peer@{digest}"]}
    assert spans["/before"].service == "web-1"


def test_a_label_that_comes_later(work, sonde, containerd):
    containerd.image(IMAGE)
    identity, port = containerd.serve(IMAGE, "team=none")
    run = sonde("--container-label", "team=shop", env=containerd.env)
    get(port, "/1")
    containerd("containers", "label", identity, "team=shop")
    wait_until(lambda: run.metric("sonde_processes", state="selected") == 1, "the labelled container is traced", 1)
    get(port, "/2")
    run.stop()
    assert [span.target for span in run.spans(SERVER)] == ["/2"]


WRITTEN_OVER = ["CLEAR_ENVIRONMENT=1", "SONDE_TRACE=1", "OTEL_SERVICE_NAME=shop"]


def judge_written_over(sonde, engine):
    """The process has no environment to read any more: the runtime says what it was given."""
    engine.image(IMAGE)
    _, port = engine.serve(IMAGE, env=WRITTEN_OVER)
    _, other_port = engine.serve(IMAGE, env=["CLEAR_ENVIRONMENT=1"])
    get(port, "/up")
    get(other_port, "/up")
    run = sonde("--env", "SONDE_TRACE=1", env=engine.env)
    get(port, "/1")
    get(other_port, "/2")
    run.stop()
    assert [(span.target, span.service) for span in run.spans(SERVER)] == [("/1", "shop")]


def test_environment_that_is_written_over(work, sonde, containerd):
    judge_written_over(sonde, containerd)


def test_processes_and_doctor(containerd):
    containerd.image(IMAGE)
    identity, port = containerd.serve(IMAGE, "team=shop", "nerdctl/name=web-1")
    pid = containerd.pid(identity)
    env = {**os.environ, **containerd.env}
    get(port, "/up")

    def ask(*arguments):
        return subprocess.run([BINARY, *arguments], env=env, capture_output=True, text=True, timeout=60, check=False).stdout

    mine = [p for p in json.loads(ask("processes", "--container-label", "team=shop", "--output", "json")) if p["pid"] == pid]
    assert len(mine) == 1
    assert mine[0]["container"] == "web-1"
    assert mine[0]["service.name"] == "web-1"
    assert mine[0]["selected"] is True
    assert mine[0]["rule"] == "--container-label team=shop"
    assert f"{containerd.socket}" in ask("doctor")


@pytest.fixture
def cri(work, started):
    return started(engines.Cri(work))


def test_runtime_interface(work, sonde, cri):
    """Nothing but the interface is there to ask."""
    cri.image("sandbox.example/pause:1")
    digest = cri.image(IMAGE)
    before, before_port = cri.serve(IMAGE, "team=shop", name="web-1")
    _, other_port = cri.serve(IMAGE, "team=shops")
    run = sonde("--container-label", "team=shop", env=cri.env)
    get(before_port, "/before")
    get(other_port, "/other")
    after, after_port = cri.serve(IMAGE, "team=shop", name="web-2")
    wait_until(lambda: run.metric("sonde_processes", state="selected") == 2, "its container is traced, too", 1)
    get(after_port, "/after")
    run.stop()
    spans = {span.target: span for span in run.spans(SERVER)}
    assert sorted(spans) == ["/after", "/before"]
    for target, identity, name in (("/before", before, "web-1"), ("/after", after, "web-2")):
        said = {key: value for key, value in spans[target].resource.items() if key.startswith("container.")}
        image_id = said.pop("container.image.id", "")
        assert image_id.startswith("sha256:"), (image_id, digest)
        assert said == {
            "container.id": identity, "container.runtime.name": "containerd", "container.label.team": "shop", "container.name": name,
            "container.image.name": "registry.example:5000/shop/peer", "container.image.tags": ["1.2"]}
        assert spans[target].service == name
    assert "containerd" in subprocess.run([BINARY, "doctor"], env={**os.environ, **cri.env}, capture_output=True, text=True,
                                          timeout=60, check=False).stdout


def test_environment_from_the_runtime_interface(work, sonde, cri):
    cri.image("sandbox.example/pause:1")
    judge_written_over(sonde, cri)
