# SPDX-License-Identifier: Apache-2.0
"""The chart: helm reads it, Kubernetes' own types take what it renders, sonde takes its configuration and command line, and
deploy/kubernetes is what it renders. SONDE_UPDATE_MANIFESTS=1 writes that file anew."""
import os
import re
import subprocess

import pytest
import yaml
from conftest import ROOT, run
from go_tools import KUBERNETES, helm, manifests

CHART = f"{ROOT}/helm/sonde"
RENDERED = f"{ROOT}/deploy/kubernetes/sonde.yaml"
HEAD = ("# SPDX-License-Identifier: Apache-2.0\n# Rendered from helm/sonde with its default values; a test compares them. To change it, change the chart\n"
        "# and run: SONDE_UPDATE_MANIFESTS=1 ctest --preset kernel -R deploy.helm\n"
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: sonde\n  labels:\n"
        "    # hostPID and capabilities are beyond what the baseline allows.\n    pod-security.kubernetes.io/enforce: privileged\n")
VARIANTS = {
    "defaults": {},
    "everything": {"podMonitor": {"enabled": True, "labels": {"release": "prometheus"}}, "openshift": {"enabled": True},
                   "networkPolicy": {"enabled": True, "metricsFrom": [{"namespaceSelector": {}}]},
                   "runtimeSockets": ["/run/containerd/containerd.sock", "/var/run/docker.sock"], "clusterName": "shop",
                   "otlp": {"endpoint": "http://collector:4317", "protocol": "grpc", "headersSecret": {"name": "otlp"}},
                   "kubernetes": {"kubelet": True}, "seccompProfile": "Localhost/sonde.json", "extraArgs": ["--no-probes=tls"],
                   "extraEnv": [{"name": "OTEL_TRACES_SAMPLER", "value": "always_on"}], "seLinuxOptions": {"type": "spc_t"},
                   "imagePullSecrets": [{"name": "registry"}], "priorityClassName": "system-node-critical",
                   "podAnnotations": {"a": "b"}, "podLabels": {"c": "d"}, "affinity": {"nodeAffinity": {}}},
    "privileged": {"privileged": True, "kubernetes": {"enabled": False}, "appArmor": "", "admin": {"port": 19464},
                   "serviceAccount": {"create": False}, "fullnameOverride": "tracer",
                   "config": {"sonde": {"discovery": {"include": {"all": True, "env": None}, "exclude": {"exe": "*/kubelet"}}}}},
}


def template(values, tmp_path, check=True, name="sonde"):
    path = tmp_path / "values.yaml"
    path.write_text(yaml.safe_dump(values))
    command = [helm(), "template", name, CHART, "--namespace", "sonde", "--kube-version", KUBERNETES, "-f", str(path)]
    if check:
        return run(*command)
    return subprocess.run(command, capture_output=True, text=True, check=False)


def objects(text):
    return {item["kind"]: item for item in yaml.safe_load_all(text) if item}


def test_lint(tmp_path):
    run(helm(), "lint", "--strict", CHART)


@pytest.mark.parametrize("variant", VARIANTS)
def test_kubernetes_takes_it(variant, tmp_path):
    text = template(VARIANTS[variant], tmp_path)
    done = subprocess.run([manifests()], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len([item for item in yaml.safe_load_all(text) if item])


def test_strict_reader_refuses(tmp_path):
    wrong = template({}, tmp_path).replace("hostPID", "hostPid")
    done = subprocess.run([manifests()], input=wrong, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "hostPid" in done.stderr


@pytest.mark.parametrize("variant", VARIANTS)
def test_sonde_takes_it(variant, tmp_path):
    """The binary checks the command line and the file that the pod gives it."""
    found = objects(template(VARIANTS[variant], tmp_path))
    config = tmp_path / "config.yaml"
    config.write_text(found["ConfigMap"]["data"]["config.yaml"])
    (container,) = found["DaemonSet"]["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["/usr/bin/sonde"] and container["args"][0] == "run"
    arguments = [word.replace("/etc/sonde/config.yaml", str(config)) for word in container["args"][1:]]
    environment = {item["name"]: item["value"].replace("$(NODE_NAME)", "node") for item in container["env"] if "value" in item}
    printed = run(os.environ["SONDE_BINARY"], "config", "print", *arguments, env={**os.environ, **environment})
    assert f"0.0.0.0:{container['ports'][0]['containerPort']}" in printed
    assert "k8s.node.name" in printed
    assert str(config) in printed


def test_least_privileges(tmp_path):
    found = objects(template({}, tmp_path))
    pod = found["DaemonSet"]["spec"]["template"]["spec"]
    context = pod["containers"][0]["securityContext"]
    with open(f"{ROOT}/deploy/systemd/sonde.service", encoding="utf-8") as file:
        unit = re.search(r"^AmbientCapabilities=(.*)$", file.read(), re.M)[1].replace("CAP_", "").split()
    assert sorted(context["capabilities"]["add"]) == sorted(unit) and context["capabilities"]["drop"] == ["ALL"]
    assert "privileged" not in context and context["allowPrivilegeEscalation"] is False
    assert context["readOnlyRootFilesystem"] is True
    assert pod["hostPID"] is True and "hostNetwork" not in pod and "hostIPC" not in pod
    assert not [volume for volume in pod["volumes"] if "hostPath" in volume]
    verbs = {(resource, verb) for rule in found["ClusterRole"]["rules"] for resource in rule["resources"] for verb in rule["verbs"]}
    assert verbs == {("pods", "list"), ("pods", "watch"), ("services", "list"), ("services", "watch"), ("namespaces", "get"),
                     ("replicasets", "get"), ("jobs", "get")}


def test_without_the_api_server(tmp_path):
    found = objects(template({"kubernetes": {"enabled": False}}, tmp_path))
    assert "ClusterRole" not in found and "ClusterRoleBinding" not in found
    assert found["DaemonSet"]["spec"]["template"]["spec"]["automountServiceAccountToken"] is False


@pytest.mark.parametrize("values, complaint", [
    ({"admin": {"port": 70000}}, "admin.port"), ({"no_such_value": 1}, "no_such_value"), ({"seccompProfile": "none"}, "seccompProfile"),
    ({"otlp": {"protocol": "http"}}, "otlp.protocol"), ({"otlp": {"endpoint": "collector"}}, "otlp.endpoint"),
    ({"runtimeSockets": ["docker.sock"]}, "runtimeSockets"), ({"logLevel": "loud"}, "logLevel"),
    ({"config": {"sonde": {"admin": {"listen": "127.0.0.1:1"}}}}, "listen")])
def test_schema_refuses(values, complaint, tmp_path):
    done = template(values, tmp_path, check=False)
    assert done.returncode != 0 and complaint in done.stderr, done.stderr


def test_every_value_is_in_the_schema():
    """The schema refuses what it does not know, so that a value without an entry there could not be given."""
    with open(f"{CHART}/values.yaml", encoding="utf-8") as file:
        values = yaml.safe_load(file)
    with open(f"{CHART}/values.schema.json", encoding="utf-8") as file:
        schema = yaml.safe_load(file)
    assert set(schema["properties"]) - {"global"} == set(values)


def test_version_is_the_projects():
    version = re.search(r"^project\(sonde VERSION (\S+)", open(f"{ROOT}/CMakeLists.txt", encoding="utf-8").read(), re.M)[1]
    with open(f"{CHART}/Chart.yaml", encoding="utf-8") as file:
        assert yaml.safe_load(file)["appVersion"] == version


def test_manifests_are_the_charts(tmp_path):
    text = HEAD + template({}, tmp_path).replace("app.kubernetes.io/managed-by: Helm", "app.kubernetes.io/managed-by: kubectl")
    text = re.sub(r"^ *helm.sh/chart:.*\n", "", text, flags=re.M)
    if os.environ.get("SONDE_UPDATE_MANIFESTS"):
        with open(RENDERED, "w", encoding="utf-8") as file:
            file.write(text)
    with open(RENDERED, encoding="utf-8") as file:
        assert file.read() == text, "SONDE_UPDATE_MANIFESTS=1 ctest --preset kernel -R deploy.helm"
    done = subprocess.run([manifests()], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
