# SPDX-License-Identifier: Apache-2.0
"""Processes in a control group whose path is that of a pod's container, and what sonde is given to find the pod."""
import json
import os

import pytest

from . import servers, tls
from .process import Process


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class Cgroup:
    """A directory below the test's own control group, named as the kubelet names that of a pod's container."""

    def __init__(self, pod):
        self.made = []
        path = self.own()
        for part in ("kubepods", "burstable", f"pod{pod.uid}", pod.container):
            path = os.path.join(path, part)
            try:
                os.mkdir(path)
                self.made.append(path)
            except FileExistsError:
                pass
            except OSError as error:
                self.stop()
                pytest.skip(f"no control group can be made: {error}")
        self.path = path

    @staticmethod
    def own():
        groups = dict(line.split(":", 2)[1:]
                      for line in read("/proc/self/cgroup").splitlines())
        for controller, root in (("", "/sys/fs/cgroup"), ("pids", "/sys/fs/cgroup/pids"), ("memory", "/sys/fs/cgroup/memory")):
            path = root + groups.get(controller, "/none")
            if controller in groups and os.path.exists(os.path.join(path, "cgroup.procs")):
                return path
        pytest.skip("no control groups here")

    def enter(self):
        """In the child, before it executes."""
        with open(os.path.join(self.path, "cgroup.procs"), "w", encoding="utf-8") as file:
            file.write(str(os.getpid()))

    def stop(self):
        for path in reversed(self.made):
            try:
                os.rmdir(path)
            except OSError:
                pass  # shared with another pod


class Running:
    """A server in a pod's control group."""

    def __init__(self, server, pod, directory):
        self.server = server
        self.group = Cgroup(pod)
        self.process = Process(server.command, directory, f"pod-{pod.container[:8]}", env=server.env, preexec=self.group.enter)

    def stop(self):
        self.process.stop()
        self.group.stop()


def write_kubeconfig(directory, port):
    """Of a server on localhost, whose token stands in the file `token` beside it."""
    path = os.path.join(directory, "kubeconfig")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({
            "current-context": "test", "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": f"https://localhost:{port}",
                                                   "certificate-authority": tls.files().authority}}],
            "users": [{"name": "u", "user": {"tokenFile": "token"}}]}, file)
    return path


def write_config(work, api, text=""):
    """`api`: what has a kubeconfig()."""
    path = os.path.join(work, "sonde.yaml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(f"sonde:\n  kubernetes:\n    kubeconfig: {api.kubeconfig()}\n    node_name: node-1\n    kubelet: false\n"
                  f"    cluster_name: test-cluster\n{text}")
    return path


def run_pod(work, started, pod, name, make=lambda directory, name: servers.python_app(directory, "http_server.py", name)):
    """A server of its own address in the pod's control group."""
    directory = os.path.join(work, name)
    os.mkdir(directory)
    server = make(directory, name)
    running = started(Running(server, pod, directory))
    server.wait()
    return running.server
