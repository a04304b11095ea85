# SPDX-License-Identifier: Apache-2.0
"""Pods as the Kubernetes API tells of them, by its own protocol over TLS: who is chosen, and what every span says. The processes
are in control groups named as the kubelet names them."""
import json
import subprocess

import pytest
from harness import servers
from harness.kube_api import Api, Pod
from harness.pods import run_pod, write_config
from harness.process import free_port, wait_until
from harness.sonde import BARE, BINARY
from harness.spans import CLIENT, SERVER

LABELS = {"team": "shop", "pod-template-hash": "6d4b75cb6d", "app.kubernetes.io/name": "storefront"}


@pytest.fixture
def api(work, started):
    return started(Api(work))


def get(server, *paths):
    for path in paths:
        url = f"http://127.0.0.1:{server.address[1]}{path}"
        subprocess.run(["curl", "-s", "-S", "-o", "/dev/null", url], check=True, timeout=20)


def targets(spans):
    return sorted(s.target for s in spans)


@pytest.mark.skipif(BARE, reason="judges sonde")
def test_pod_label(work, sonde, started, api):
    """Chosen by a pod's label only; every attribute as the API tells it, the workload from the ReplicaSet's owner."""
    pod = Pod("web-6d4b75cb6d-x2x1z", LABELS, {"resource.opentelemetry.io/deployment.environment.name": "prod"},
              api.replica_set("web-6d4b75cb6d", "web"))
    other = Pod("other-1", {"team": "shops"})
    api.put(pod.object)
    api.put(other.object)
    server = run_pod(work, started, pod, "web")
    stranger = run_pod(work, started, other, "other")
    run = sonde("--k8s-pod-label", "team=shop", "--config", write_config(work, api, "    pod_labels: [te*]\n"))
    get(server, "/one", "/two")
    get(stranger, "/none")
    # Known to the API only after it runs.
    late = Pod("late-1", {"team": "shop"}, {"resource.opentelemetry.io/service.name": "named"})
    late_server = run_pod(work, started, late, "late")
    api.put(late.object)
    wait_until(lambda: run.metric("sonde_processes", state="selected") == 2, "the late pod is traced", 5)
    get(late_server, "/late")
    run.stop()
    spans = run.spans(SERVER)
    assert targets(spans) == ["/late", "/one", "/two"]
    for span in spans:
        said = {k: v for k, v in span.resource.items() if k.startswith(("k8s.", "service.", "container.", "deployment."))}
        one = late if span.target == "/late" else pod
        wanted = {"k8s.pod.name": one.object["metadata"]["name"], "k8s.pod.uid": one.uid, "k8s.namespace.name": "shop",
                  "k8s.node.name": "node-1", "k8s.cluster.name": "test-cluster", "k8s.container.name": "main",
                  "k8s.container.restart_count": 3, "k8s.pod.label.team": "shop", "service.namespace": "shop",
                  "service.version": "1.2", "service.instance.id": f"shop.{one.object['metadata']['name']}.main",
                  "container.id": one.container, "container.runtime.name": "containerd",
                  "container.image.name": "registry.example:5000/shop/web", "container.image.tags": ["1.2"]}
        if one is pod:
            wanted |= {"k8s.replicaset.name": "web-6d4b75cb6d", "k8s.deployment.name": "web", "k8s.deployment.uid": "d-1",
                       "deployment.environment.name": "prod", "service.name": "web"}
            said.pop("k8s.replicaset.uid")
        else:
            wanted["service.name"] = "named"
        assert said == wanted


@pytest.mark.skipif(BARE, reason="judges sonde")
def test_workload_outage_and_token(work, sonde, started, api):
    """By workload, from the file; while the API is away what is known stays, and after it what happened meanwhile is learnt."""
    first = Pod("web-1", {}, {}, api.replica_set("web-abc", "web"))
    api.put(first.object)
    server = run_pod(work, started, first, "first")
    run = sonde("--config", write_config(
        work, api, "    service_from_labels: true\n  discovery: {include: {k8s-workload: deployment/w*, k8s-namespace: shop}}\n"))
    get(server, "/before")
    api.stop()
    get(server, "/during")
    second = Pod("web-2", {"app.kubernetes.io/name": "labelled"}, {}, api.replica_set("web-def", "web"))
    second_server = run_pod(work, started, second, "second")
    api.write_token("second")
    api.start()
    api.put(second.object)
    wait_until(lambda: run.metric("sonde_processes", state="selected") == 2, "the second pod is traced", 30)
    get(second_server, "/after")
    assert run.metric("sonde_kubernetes_relists_total", reason="outage") >= 1
    api.expire()
    wait_until(lambda: run.metric("sonde_kubernetes_relists_total", reason="expired") >= 1, "a list after 410", 20)
    run.stop()
    assert targets(run.spans(SERVER)) == ["/after", "/before", "/during"]
    assert {s.target: s.service for s in run.spans(SERVER)} == {"/before": "web", "/during": "web", "/after": "labelled"}


@pytest.mark.skipif(BARE, reason="judges sonde")
def test_opt_in_and_out(work, sonde, started, api):
    """Pods decide for themselves where the operator lets them; else their namespace does."""
    api.objects["/api/v1/namespaces/shop"] = {
        "metadata": {"name": "shop", "uid": "n", "annotations": {"example.com/trace": "true"}}}
    pods = {"in": Pod("in-1"), "out": Pod("out-1", {}, {"example.com/trace": "false"})}
    for pod in pods.values():
        api.put(pod.object)
    running = {name: run_pod(work, started, pod, name) for name, pod in pods.items()}
    run = sonde("--config", write_config(work, api, "    opt_annotation: example.com/trace\n"))
    get(running["in"], "/in")
    get(running["out"], "/out")
    run.stop()
    assert targets(run.spans(SERVER)) == ["/in"]


@pytest.mark.skipif(BARE, reason="judges sonde")
def test_environment_that_is_written_over(work, sonde, started, api):
    """nginx shows its title where its environment was: what the pod's specification gives it counts."""

    def nginx(directory, name):
        return servers.nginx(directory, 'location / { return 200 "x"; }', name=name)

    pods = []
    for name, value in (("web", "1"), ("other", "0")):
        pod = Pod(f"{name}-1")
        pod.object["spec"]["containers"][0]["env"] = [{"name": "SONDE_TRACE", "value": value}, {"name": "OTEL_SERVICE_NAME", "value": "shop"},
                                                      {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]
        api.put(pod.object)
        pods.append(run_pod(work, started, pod, name, nginx))
    run = sonde("--env", "SONDE_TRACE=1", "--config", write_config(work, api))
    get(pods[0], "/one")
    get(pods[1], "/none")
    run.stop()
    assert [(span.target, span.service) for span in run.spans(SERVER)] == [("/one", "shop")]


@pytest.mark.skipif(BARE, reason="judges sonde")
def test_processes_and_doctor(work, started, api):
    """The pod of each candidate; what the API refuses, with the rule that is missing."""
    pod = Pod("web-1", {"team": "shop"})
    api.put(pod.object)
    server = run_pod(work, started, pod, "web")
    config = write_config(work, api)

    def ask(*arguments):
        line = [BINARY, *arguments, "--config", config, "--output", "json"]
        return json.loads(subprocess.run(line, capture_output=True, text=True, timeout=60, check=False).stdout)

    rows = [r for r in ask("processes", "--k8s-pod-label", "team=shop") if r["selected"]]
    assert [(r["pod"], r["service.name"], r["listen_ports"]) for r in rows] == [("shop/web-1", "web-1", [server.address[1]])]
    assert {f["state"] for f in ask("doctor")["kubernetes"]["findings"]} == {"ok"}
    api.forbidden = ["/apis/apps"]
    refused = [f for f in ask("doctor")["kubernetes"]["findings"] if f["state"] == "refused"]
    assert [f["what"] for f in refused] == ["get replicasets"]
    assert '{apiGroups: ["apps"], resources: ["replicasets"], verbs: ["get"]}' in refused[0]["remedy"]


@pytest.mark.skipif(BARE, reason="judges sonde")
def test_who_was_called(work, sonde, started, api):
    """The pod or the service that has the address of a call; itself not traced, and its process not known."""
    pod = Pod("cart-6d4b75cb6d-x2x1z", LABELS, {}, api.replica_set("cart-6d4b75cb6d", "cart"))
    pod.object["status"]["podIPs"] = [{"ip": "127.1.2.3"}]
    api.put(pod.object)
    api.service("stock", "127.1.2.5")
    port = free_port()
    listen = " ".join(f"listen 127.1.2.{last}:{port};" for last in (3, 4, 5))
    started(servers.nginx(work, "return 200;", top=f"server {{ {listen} return 200; }}").start())
    config = write_config(work, api, "    service_from_labels: false\n")
    run = sonde("--config", config, command=["curl", "-s", f"http://127.1.2.3:{port}/named", f"http://127.1.2.4:{port}/unknown", f"http://127.1.2.5:{port}/service"])
    assert run.wait(20) == 0
    named = {s.target: (s["service.peer.name"], s["service.peer.namespace"]) for s in run.spans(CLIENT)}
    assert named == {"/named": ("cart", "shop"), "/unknown": (None, None), "/service": ("stock", "shop")}
