# SPDX-License-Identifier: Apache-2.0
"""Kubernetes' own API server on etcd: objects are made through its API, sonde has the role and the token that deploy/kubernetes gives
it. There is no kubelet and there are no controllers: the tests say what these would."""
import json
import os
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
import uuid

import yaml

from . import build, tls
from .pods import write_kubeconfig
from .process import Process, free_port, wait_until

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
MANIFESTS = os.path.join(ROOT, "deploy", "kubernetes", "sonde.yaml")
ADMINISTRATOR = "administrators-token"
# What the chart gives sonde access with; the rest of it needs a kubelet.
ACCESS = {"Namespace": "/api/v1/namespaces", "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
          "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
          "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"}


class ApiServer:
    def __init__(self, directory):
        self.directory = str(directory)
        self.binary = build.kube_apiserver()
        self.ports = {name: free_port() for name in ("etcd", "peers", "api")}
        self.context = ssl.create_default_context(cafile=tls.files().authority)
        self._write_keys()
        self.etcd = self._start_etcd()
        self.process = None
        self.up()
        self._grant()

    def _path(self, name):
        return os.path.join(self.directory, name)

    def _write_keys(self):
        subprocess.run(["openssl", "genrsa", "-out", self._path("accounts.key"), "2048"], check=True, capture_output=True)
        with open(self._path("tokens.csv"), "w", encoding="utf-8") as file:
            file.write(f"{ADMINISTRATOR},administrator,0,system:masters\n")

    def _start_etcd(self):
        if not shutil.which("etcd"):
            raise build.Missing("etcd is not installed (etcd-server)")
        client, peer = (f"http://127.0.0.1:{self.ports[name]}" for name in ("etcd", "peers"))
        return Process(["etcd", "--data-dir", self._path("etcd"), "--listen-client-urls", client, "--advertise-client-urls", client,
                        "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"],
                       self.directory, "etcd")

    def up(self):
        files = tls.files()
        # 127.0.0.0/8 in place of a cluster's own network, so that a test can answer at a service's address.
        self.process = Process(
            [self.binary, f"--etcd-servers=http://127.0.0.1:{self.ports['etcd']}", "--bind-address=127.0.0.1",
             f"--secure-port={self.ports['api']}", f"--tls-cert-file={files.certificate}", f"--tls-private-key-file={files.key}",
             "--authorization-mode=RBAC", f"--token-auth-file={self._path('tokens.csv')}",
             f"--service-account-key-file={self._path('accounts.key')}", f"--service-account-signing-key-file={self._path('accounts.key')}",
             "--service-account-issuer=https://kubernetes.default.svc", "--service-cluster-ip-range=127.100.0.0/16",
             "--disable-admission-plugins=ServiceAccount", "--endpoint-reconciler-type=none"], self.directory, "kube-apiserver")
        wait_until(self.ready, "the API server is ready", 120)

    def down(self):
        """The server alone; what etcd has stays."""
        self.process.stop()

    def stop(self):
        if self.process:
            self.down()
        self.etcd.stop()

    def ready(self):
        assert self.process.running(), self.process.stderr()[-2000:]
        try:
            return self.ask("GET", "/readyz", parse=False) == "ok"
        except OSError:
            return False

    def ask(self, method, path, body=None, parse=True, kind="application/json"):
        request = urllib.request.Request(
            f"https://localhost:{self.ports['api']}{path}", method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {ADMINISTRATOR}", "Content-Type": kind})
        try:
            with urllib.request.urlopen(request, timeout=30, context=self.context) as answer:
                text = answer.read().decode()
        except urllib.error.HTTPError as refused:
            if refused.code >= 500:
                raise OSError(refused) from refused
            raise AssertionError(f"{method} {path}: {refused.read().decode()}") from refused
        return json.loads(text) if parse else text

    def _grant(self):
        with open(MANIFESTS, encoding="utf-8") as file:
            objects = [made for made in yaml.safe_load_all(file) if made["kind"] in ACCESS]
        assert {made["kind"] for made in objects} == ACCESS.keys()
        for made in objects:
            self.ask("POST", ACCESS[made["kind"]].format(made["metadata"].get("namespace")), made)
        account = next(made["metadata"] for made in objects if made["kind"] == "ServiceAccount")
        token = self.ask("POST", f"/api/v1/namespaces/{account['namespace']}/serviceaccounts/{account['name']}/token",
                         {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}})
        with open(self._path("token"), "w", encoding="utf-8") as file:
            file.write(token["status"]["token"])

    def kubeconfig(self):
        return write_kubeconfig(self.directory, self.ports["api"])

    def namespace(self, name):
        self.ask("POST", ACCESS["Namespace"], {"metadata": {"name": name}})

    def owned(self, kind, name, owner=None):
        """A Deployment or a ReplicaSet, as its controller makes it; how those that it makes name it."""
        made = self.ask("POST", f"/apis/apps/v1/namespaces/shop/{kind.lower()}s", {
            "metadata": {"name": name, "ownerReferences": [owner] if owner else []},
            "spec": {"selector": {"matchLabels": {"of": name}},
                     "template": {"metadata": {"labels": {"of": name}}, "spec": {"containers": [{"name": "main", "image": "web"}]}}}})
        return {"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": made["metadata"]["uid"], "controller": True}

    def service(self, name):
        """Its cluster address, which the server chooses."""
        made = self.ask("POST", "/api/v1/namespaces/shop/services", {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}})
        return made["spec"]["clusterIP"]

    def pod(self, name, labels=None, annotations=None, owner=None, node="node-1"):
        """A pod on a node, whose container runs: what scheduler and kubelet would say is said here."""
        made = self.ask("POST", "/api/v1/namespaces/shop/pods", {
            "metadata": {"name": name, "labels": labels or {}, "annotations": annotations or {}, "ownerReferences": [owner] if owner else []},
            "spec": {"nodeName": node, "containers": [{"name": "main", "image": "registry.example:5000/shop/web:1.2"}]}})
        pod = Pod(name, made["metadata"]["uid"])
        self.patch_status(pod, {"phase": "Running", "containerStatuses": [{
            "name": "main", "containerID": f"containerd://{pod.container}", "restartCount": 3, "ready": True, "imageID": "",
            "image": "registry.example:5000/shop/web:1.2", "state": {"running": {"startedAt": "2026-11-22T01:00:00Z"}}}]})
        return pod

    def patch_status(self, pod, status):
        self.ask("PATCH", f"/api/v1/namespaces/shop/pods/{pod.name}/status", {"status": status}, kind="application/merge-patch+json")

    def delete(self, pod):
        self.ask("DELETE", f"/api/v1/namespaces/shop/pods/{pod.name}?gracePeriodSeconds=0")

    def forget(self):
        """etcd compacts all that was, so that who resumes a watch from before is told that it is gone."""
        def call(path, body):
            request = urllib.request.Request(f"http://127.0.0.1:{self.ports['etcd']}{path}", data=json.dumps(body).encode())
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        revision = call("/v3/kv/range", {"key": "AA=="})["header"]["revision"]
        call("/v3/kv/compaction", {"revision": revision, "physical": True})


class Pod:
    """`uid` is the server's, `container` what the kubelet would have."""

    def __init__(self, name, uid):
        self.name, self.uid, self.container = name, uid, uuid.uuid4().hex * 2
