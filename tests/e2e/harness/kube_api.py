# SPDX-License-Identifier: Apache-2.0
"""A Kubernetes API server over HTTPS, as its clients see it: lists in pages, watches, 410, tokens, refusals."""
import http.server
import json
import os
import ssl
import threading
import time
import urllib.parse
import uuid

from . import tls
from .pods import write_kubeconfig


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Its requests are in Api.asked."""

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, status, message):
        self.answer(status, {"kind": "Status", "status": "Failure", "code": status, "message": message})

    def do_GET(self):
        api = self.server.api
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        api.asked.append(self.path)
        if self.headers.get("Authorization") != f"Bearer {api.token}":
            return self.refuse(401, "Unauthorized")
        if any(url.path.startswith(path) for path in api.forbidden):
            return self.refuse(403, f"{url.path} is forbidden: User \"sonde\" cannot get it")
        if url.path in api.objects:
            return self.answer(200, api.objects[url.path])
        kind = url.path.removeprefix("/api/v1/")
        if kind not in api.collections:
            return self.refuse(404, "not found")
        if kind == "pods" and query.get("fieldSelector") != f"spec.nodeName={api.node}":
            return self.refuse(400, "another node's pods")
        if "watch" not in query:
            return self.list(api, kind)
        return self.watch(api, kind, int(query.get("resourceVersion", 0)), float(query.get("timeoutSeconds", 3600)))

    def list(self, api, kind):
        with api.changed:
            self.answer(200, {"kind": "List", "metadata": {"resourceVersion": str(api.version)},
                              "items": list(api.collections[kind].values())})

    def watch(self, api, kind, sent, seconds):
        end = time.monotonic() + seconds
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            while True:
                with api.changed:
                    api.changed.wait_for(lambda: api.stopped or api.version > sent or sent < api.oldest, 1)
                    if api.stopped:
                        self.close_connection = True  # cut off, as when the server dies
                        return
                    lines = [line for version, of, line in api.changes if version > sent and of == kind]
                    if sent < api.oldest:
                        lines = [{"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}]
                    sent = api.version
                text = "".join(json.dumps(line) + "\n" for line in lines).encode()
                if text:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
                if (lines and lines[-1]["type"] == "ERROR") or time.monotonic() >= end:
                    self.wfile.write(b"0\r\n\r\n")
                    return
        except OSError:
            pass


class Api:
    """`forbidden`: beginnings of paths that are answered with 403."""

    def __init__(self, directory, node="node-1"):
        self.directory = str(directory)
        self.node = node
        self.token = "first"
        self.forbidden = []
        self.objects = {}
        self.collections = {"pods": {}, "services": {}}  # by uid
        self.changes = []
        self.asked = []
        self.version = 10
        self.oldest = 0
        self.stopped = False
        self.changed = threading.Condition()
        self.port = 0
        self.start()
        self.write_token("first")

    def start(self):
        self.stopped = False
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.api = self
        self.server.daemon_threads = True
        files = tls.files()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.certificate, files.key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        with self.changed:
            self.stopped = True
            self.changed.notify_all()
        self.server.shutdown()
        self.server.server_close()

    def write_token(self, token):
        self.token = token
        with open(os.path.join(self.directory, "token"), "w", encoding="utf-8") as file:
            file.write(token + "\n")

    def kubeconfig(self):
        return write_kubeconfig(self.directory, self.port)

    def put(self, new, kind="pods"):
        with self.changed:
            self.version += 1
            new["metadata"]["resourceVersion"] = str(self.version)
            known, uid = self.collections[kind], new["metadata"]["uid"]
            change = "MODIFIED" if uid in known else "ADDED"
            known[uid] = json.loads(json.dumps(new))
            self.changes.append((self.version, kind, {"type": change, "object": known[uid]}))
            self.changed.notify_all()

    def service(self, name, address):
        self.put({"metadata": {"name": name, "namespace": "shop", "uid": str(uuid.uuid4())}, "spec": {"clusterIPs": [address]}}, "services")

    def expire(self):
        with self.changed:
            self.version += 1
            self.oldest = self.version
            self.changes.clear()
            self.changed.notify_all()

    def replica_set(self, name, deployment):
        """An owner for pods; its own owner is told by the API."""
        uid = str(uuid.uuid4())
        self.objects[f"/apis/apps/v1/namespaces/shop/replicasets/{name}"] = {
            "metadata": {"name": name, "uid": uid,
                         "ownerReferences": [{"kind": "Deployment", "name": deployment, "uid": "d-1", "controller": True}]}}
        return {"kind": "ReplicaSet", "name": name, "uid": uid, "controller": True}


class Pod:
    """One container that runs; `object` is what the API says of it."""

    def __init__(self, name, labels=None, annotations=None, owner=None):
        self.uid = str(uuid.uuid4())
        self.container = uuid.uuid4().hex * 2
        self.object = {
            "metadata": {"name": name, "namespace": "shop", "uid": self.uid, "labels": labels or {},
                         "annotations": annotations or {}, "ownerReferences": [owner] if owner else [],
                         "managedFields": [{"manager": "kubelet"}], "creationTimestamp": "2026-11-22T01:00:00Z"},
            "spec": {"nodeName": "node-1", "containers": [{"name": "main", "image": "registry.example:5000/shop/web:1.2"}]},
            "status": {"containerStatuses": [{"name": "main", "containerID": f"containerd://{self.container}",
                                              "restartCount": 3}]}}
