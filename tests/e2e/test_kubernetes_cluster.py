# SPDX-License-Identifier: Apache-2.0
"""The same as test_kubernetes.py against Kubernetes' own API server, with the access that deploy/kubernetes gives: what it says, how
it ends watches, what it does with a thousand pods. The processes are in control groups named as the kubelet names them."""
import json
import subprocess
import time

import pytest
from harness import servers
from harness.kube_apiserver import ApiServer
from harness.pods import run_pod, write_config
from harness.process import free_port, wait_until
from harness.sonde import BARE, BINARY
from harness.spans import CLIENT, SERVER

pytestmark = [pytest.mark.long, pytest.mark.skipif(BARE, reason="judges sonde")]
CHURN = 1000


@pytest.fixture
def api(work, started):
    server = started(ApiServer(work))
    server.namespace("shop")
    return server


def get(server, path):
    subprocess.run(["curl", "-s", "-S", "-o", "/dev/null", f"http://127.0.0.1:{server.address[1]}{path}"], check=True, timeout=20)


def targets(run):
    return sorted(span.target for span in run.spans(SERVER))


def selected(run, count, seconds=20):
    wait_until(lambda: run.metric("sonde_processes", state="selected") == count, f"{count} processes are traced", seconds)


def test_what_a_span_says(work, sonde, started, api):
    deployment = api.owned("Deployment", "web")
    replica_set = api.owned("ReplicaSet", "web-6d4b75cb6d", deployment)
    pod = api.pod("web-6d4b75cb6d-x2x1z", {"team": "shop"}, {"resource.opentelemetry.io/deployment.environment.name": "prod"}, replica_set)
    other = api.pod("other-1", {"team": "shops"})
    elsewhere = api.pod("elsewhere-1", {"team": "shop"}, node="node-2")
    running = {name: run_pod(work, started, of, name) for name, of in (("pod", pod), ("other", other), ("elsewhere", elsewhere))}
    run = sonde("--k8s-pod-label", "team=shop", "--config", write_config(work, api, "    pod_labels: [te*]\n"))
    late = api.pod("late-1", {"team": "shop"})
    running["late"] = run_pod(work, started, late, "late")
    selected(run, 2)
    for name, server in running.items():
        get(server, f"/{name}")
    run.stop()
    assert targets(run) == ["/late", "/pod"]
    said = next(span for span in run.spans(SERVER) if span.target == "/pod").resource
    assert {key: value for key, value in said.items() if key.startswith(("k8s.", "service.", "container.", "deployment."))} == {
        "k8s.pod.name": pod.name, "k8s.pod.uid": pod.uid, "k8s.namespace.name": "shop", "k8s.node.name": "node-1",
        "k8s.cluster.name": "test-cluster", "k8s.container.name": "main", "k8s.container.restart_count": 3, "k8s.pod.label.team": "shop",
        "k8s.replicaset.name": "web-6d4b75cb6d", "k8s.replicaset.uid": replica_set["uid"], "k8s.deployment.name": "web",
        "k8s.deployment.uid": deployment["uid"], "deployment.environment.name": "prod", "service.name": "web", "service.namespace": "shop",
        "service.version": "1.2", "service.instance.id": f"shop.{pod.name}.main", "container.id": pod.container,
        "container.runtime.name": "containerd", "container.image.name": "registry.example:5000/shop/web", "container.image.tags": ["1.2"]}


def test_outage_and_forgotten_past(work, sonde, started, api):
    """What is known stays while the server is away; what happened meanwhile is learnt from a new list."""
    first = api.pod("first-1", {"team": "shop"})
    server = run_pod(work, started, first, "first")
    run = sonde("--k8s-pod-label", "team=shop", "--config", write_config(work, api))
    get(server, "/before")
    api.down()
    get(server, "/during")
    time.sleep(2)
    api.up()
    second = api.pod("second-1", {"team": "shop"})
    api.forget()
    second_server = run_pod(work, started, second, "second")
    selected(run, 2, 60)
    get(second_server, "/after")
    get(server, "/still")
    assert sum(run.metric("sonde_kubernetes_relists_total", reason=reason) for reason in ("outage", "expired")) >= 1
    run.stop()
    assert targets(run) == ["/after", "/before", "/during", "/still"]


def test_a_thousand_pods(work, sonde, started, api):
    """They come and go; sonde knows the last of them, and keeps none of the others."""
    run = sonde("--k8s-pod-label", "team=shop", "--config", write_config(work, api))
    before = run.metric("process_resident_memory_bytes")
    for number in range(CHURN):
        pod = api.pod(f"churn-{number}", {"team": "shop"})
        api.delete(pod)
    last = api.pod("last-1", {"team": "shop"})
    server = run_pod(work, started, last, "last")
    selected(run, 1)
    get(server, "/last")
    grown = run.metric("process_resident_memory_bytes") - before
    relists = run.metric("sonde_kubernetes_relists_total", reason="expired")
    assert run.metric("sonde_kubernetes_pods") == 1
    run.stop()
    assert targets(run) == ["/last"]
    print(f"{CHURN} pods: {grown / 1024:.0f} KiB more resident, {relists:.0f} lists after 410")
    assert grown < 16 << 20


def test_access(work, started, api):
    """The chart's role is enough, and nothing of it is missing; without it doctor says which rule it takes."""
    pod = api.pod("web-1", {"team": "shop"})
    server = run_pod(work, started, pod, "web")
    config = write_config(work, api)

    def ask(*arguments):
        line = [BINARY, *arguments, "--config", config, "--output", "json"]
        return json.loads(subprocess.run(line, capture_output=True, text=True, timeout=60, check=False).stdout)

    def findings():
        return {finding["what"]: finding for finding in ask("doctor")["kubernetes"]["findings"]}

    rows = [row for row in ask("processes", "--k8s-pod-label", "team=shop") if row["selected"]]
    assert [(row["pod"], row["listen_ports"]) for row in rows] == [("shop/web-1", [server.address[1]])]
    assert {finding["state"] for finding in findings().values()} == {"ok"}
    api.ask("DELETE", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/sonde")
    wait_until(lambda: findings()["list pods"]["state"] == "refused", "the role is gone", 20)
    assert 'resources: ["pods"]' in findings()["list pods"]["remedy"]


def test_who_was_called(work, sonde, started, api):
    """The service that has the address of a call."""
    address, port = api.service("stock"), free_port()
    started(servers.nginx(work, "return 200;", top=f"server {{ listen {address}:{port}; return 200; }}").start())
    run = sonde("--config", write_config(work, api), command=["curl", "-s", f"http://{address}:{port}/service"])
    assert run.wait(20) == 0
    assert [(span["service.peer.name"], span["service.peer.namespace"]) for span in run.spans(CLIENT)] == [("stock", "shop")]
