# SPDX-License-Identifier: Apache-2.0
"""Container engines of a test's own: socket, state and containers lie in the test's directory, so that no other engine of the
machine is touched. Images are made of one static program, because nothing can be pulled."""
import glob
import hashlib
import importlib.util
import io
import json
import os
import secrets
import shutil
import subprocess
import tarfile
import tempfile

import grpc
import pytest

from . import servers
from .process import Process, free_port, wait_until

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"  # of the distribution's own packages


def installed(name):
    found = shutil.which(name, path=PATH)
    if not found:
        pytest.skip(f"{name} is not installed")
    return found


def say(command, env=None):
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()[-800:]}"
    return done.stdout.strip()


class Engine:
    """`command`: its client with the options that every call needs."""

    def __init__(self, command, daemon, directory, socket, env):
        self.command = command
        self.socket = socket
        self.env = env  # finds it
        self.own_env = {"PATH": PATH, "HOME": directory}
        self.process = Process(daemon, directory, self.name, env={"PATH": PATH})
        self.containers = []
        try:
            wait_until(self._answers, f"{self.name} answers", 30)
        except AssertionError:
            log = self.process.stderr().strip().splitlines()[-1:]
            self.process.stop()
            pytest.skip(f"{daemon[0]} cannot start here: {log}")

    def _answers(self):
        assert self.process.running(), "it ended"
        done = subprocess.run(["curl", "--silent", "--fail", "--unix-socket", self.socket, "http://localhost/_ping"],
                              capture_output=True, check=False)
        return done.returncode == 0

    def __call__(self, *arguments):
        return say([*self.command, *arguments], self.own_env)

    def image(self, name):
        """An image that holds /peer, the Go server and client of the other tests. Its id."""
        with tempfile.TemporaryDirectory() as root:
            shutil.copy(servers.go_binary(), f"{root}/peer")
            archive = subprocess.run(["tar", "-C", root, "-c", "."], capture_output=True, check=True).stdout
        done = subprocess.run([*self.command, "import", "-", name], env=self.own_env, input=archive, capture_output=True, check=True)
        return done.stdout.decode().strip()

    def serve(self, name, image, *options, network="host"):
        """Starts a container with a server."""
        port = free_port()
        identity = self("run", "--detach", "--name", name, "--network", network, "--env", "ACCESS_LOG=/dev/null", *self.options,
                        *options, image, "/peer", "serve", str(port))
        container = Container(self, name, identity, port)
        self.containers.append(container)
        return container

    def stop(self):
        for container in self.containers:
            subprocess.run([*self.command, "rm", "--force", container.id], env=self.own_env, capture_output=True, check=False)
        self.process.stop(seconds=30)


class Docker(Engine):
    name = "docker"
    options = ()

    def __init__(self, directory, data_root=None):
        root = os.path.join(directory, "docker")
        os.makedirs(root)
        self.exec_root = f"{root}/exec"
        socket = os.path.join(directory, "docker.sock")
        config = os.path.join(root, "daemon.json")
        with open(config, "w", encoding="utf-8") as file:
            file.write("{}")
        daemon = [installed("dockerd"), "--config-file", config, "--data-root", data_root or f"{root}/data", "--exec-root",
                  self.exec_root, "--pidfile", f"{root}/pid", "--host", f"unix://{socket}", "--storage-driver", "vfs", "--bridge",
                  "none", "--iptables=false", "--ip6tables=false"]
        super().__init__([installed("docker"), "--host", f"unix://{socket}"], daemon, directory, socket,
                         {"DOCKER_HOST": f"unix://{socket}", "CONTAINER_HOST": "/nowhere"})


    def stop(self):
        super().stop()
        # dockerd leaves the host's own network namespace mounted here.
        for path in glob.glob(f"{self.exec_root}/netns/*"):
            subprocess.run(["umount", path], capture_output=True, check=False)


class Podman(Engine):
    name = "podman"
    # What a root that may not raise its own limits can give.
    options = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")

    def __init__(self, directory):
        root = os.path.join(directory, "podman")
        os.makedirs(root)
        socket = os.path.join(directory, "podman.sock")
        command = [installed("podman"), "--root", f"{root}/data", "--runroot", f"{root}/run", "--tmpdir", f"{root}/tmp",
                   "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "file", "--runtime",
                   installed("runc")]
        super().__init__(command, [*command, "system", "service", "--time", "0", f"unix://{socket}"], directory, socket,
                         {"DOCKER_HOST": "/nowhere", "CONTAINER_HOST": f"unix://{socket}"})


def oci_archive(path, name, program):
    """An image of one file, /peer, as `ctr images import` takes it. Its manifest's digest."""
    blobs = {}

    def add(content, kind):
        digest = hashlib.sha256(content).hexdigest()
        blobs[digest] = content
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(content)}

    layer_bytes = io.BytesIO()
    with tarfile.open(fileobj=layer_bytes, mode="w") as layer:
        layer.add(program, "peer")
    layer = add(layer_bytes.getvalue(), "layer.v1.tar")
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    config = add(json.dumps({"architecture": machine, "os": "linux", "config": {"Entrypoint": ["/peer", "serve", "0"], "Env": ["ACCESS_LOG=/dev/null"]},
                             "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}).encode(), "config.v1+json")
    manifest = add(json.dumps({"schemaVersion": 2, "config": config, "layers": [layer]}).encode(), "manifest.v1+json")
    index = {"schemaVersion": 2, "manifests": [{**manifest, "annotations": {"io.containerd.image.name": name}}]}
    files = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": json.dumps(index).encode()}
    files.update({f"blobs/sha256/{digest}": content for digest, content in blobs.items()})
    with tarfile.open(path, "w") as archive:
        for file, content in files.items():
            entry = tarfile.TarInfo(file)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return manifest["digest"]


class Containerd:
    """containerd alone, by its own client ctr: ids are given by who starts a container, and there are no names."""

    name = "containerd"

    plugins = 'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'

    def __init__(self, directory):
        root = os.path.join(directory, "containerd")
        os.makedirs(root)
        self.directory = root
        self.socket = f"{root}/sock"
        config = f"{root}/config.toml"
        with open(config, "w", encoding="utf-8") as file:
            file.write(f'version = 2\nroot = "{root}/data"\nstate = "{root}/state"\n{self.plugins}'
                       f'[grpc]\naddress = "{self.socket}"\n[ttrpc]\naddress = "{self.socket}.ttrpc"\n')
        self.command = [installed("ctr"), "--address", self.socket]
        self.env = {"CONTAINERD_ADDRESS": self.socket, "DOCKER_HOST": "/nowhere", "CONTAINER_HOST": "/nowhere"}
        self.process = Process([installed("containerd"), "--config", config], directory, self.name, env={"PATH": PATH})
        self.started = []
        try:
            wait_until(self._answers, "containerd answers", 30)
        except AssertionError:
            log = self.process.stderr().strip().splitlines()[-1:]
            self.process.stop()
            pytest.skip(f"containerd cannot start here: {log}")

    def _answers(self):
        assert self.process.running(), "it ended"
        return subprocess.run([*self.command, "version"], env={"PATH": PATH}, capture_output=True, check=False).returncode == 0

    def __call__(self, *arguments):
        return say([*self.command, *arguments], {"PATH": PATH})

    def image(self, name):
        archive = os.path.join(self.directory, "image.tar")
        digest = oci_archive(archive, name, servers.go_binary())
        self("images", "import", "--snapshotter", "native", archive)
        return digest

    def serve(self, image, *labels, env=()):
        """Starts a container with a server. Its id and the port."""
        identity = secrets.token_hex(32)
        port = free_port()
        options = [word for label in labels for word in ("--label", label)] + [word for one in env for word in ("--env", one)]
        self("run", "--detach", "--snapshotter", "native", "--net-host", "--env", "ACCESS_LOG=/dev/null", *options, image, identity,
             "/peer", "serve", str(port))
        self.started.append(identity)
        return identity, port

    def pid(self, identity):
        rows = [row.split() for row in self("tasks", "list").splitlines()]
        return int(next(row[1] for row in rows if row[0] == identity))

    def stop(self):
        for identity in self.started:
            for command in (["tasks", "kill", "--signal", "SIGKILL", identity], ["tasks", "delete", "--force", identity],
                            ["containers", "delete", identity]):
                subprocess.run([*self.command, *command], env={"PATH": PATH}, capture_output=True, timeout=30, check=False)
        self.process.stop(seconds=30)


class Cri(Containerd):
    """containerd as a kubelet uses it, by Kubernetes' runtime interface. Pods have the host's network: others need its plug-ins."""

    plugins = ('[plugins."io.containerd.grpc.v1.cri"]\nsandbox_image = "sandbox.example/pause:1"\ndisable_apparmor = true\n'
               'restrict_oom_score_adj = true\n[plugins."io.containerd.grpc.v1.cri".containerd]\nsnapshotter = "native"\n')
    NODE = 2  # the network of the host

    def __init__(self, directory):
        super().__init__(directory)
        self.command += ["--namespace", "k8s.io"]
        self.env = {"CONTAINER_RUNTIME_ENDPOINT": f"unix://{self.socket}", "CONTAINERD_ADDRESS": "/nowhere", "DOCKER_HOST": "/nowhere",
                    "CONTAINER_HOST": "/nowhere"}
        here = os.path.dirname(os.path.abspath(__file__))
        say(["protoc", "-I", here, f"--python_out={directory}", f"{here}/cri.proto"])
        spec = importlib.util.spec_from_file_location("cri_pb2", f"{directory}/cri_pb2.py")
        self.messages = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.messages)
        self.channel = grpc.insecure_channel(f"unix:{self.socket}")
        self.sandboxes = []

    def ask(self, method, request, answer):
        return self.channel.unary_unary(f"/runtime.v1.RuntimeService/{method}", type(request).SerializeToString,
                                        getattr(self.messages, answer).FromString)(request, timeout=30)

    def serve(self, image, *labels, name="web", env=()):
        m, port = self.messages, free_port()
        namespaces = m.NamespaceOption(network=self.NODE)
        sandbox = m.SandboxConfig(metadata=m.SandboxMetadata(name=f"pod-{port}", uid=secrets.token_hex(8), namespace="default"),
                                  log_directory=self.directory,
                                  linux=m.LinuxSandbox(security_context=m.SandboxSecurityContext(namespace_options=namespaces)))
        pod = self.ask("RunPodSandbox", m.RunSandboxRequest(config=sandbox), "Sandbox").pod_sandbox_id
        self.sandboxes.append(pod)
        config = m.ContainerConfig(metadata=m.ContainerMetadata(name=name), image=m.ImageSpec(image=image),
                                   command=["/peer", "serve", str(port)], envs=[m.KeyValue(key=key, value=value) for key, value in
                                         (one.split("=", 1) for one in ("ACCESS_LOG=/dev/null", *env))],
                                   labels=dict(label.split("=") for label in labels), log_path=f"{port}.log",
                                   linux=m.LinuxContainer(
                                       security_context=m.ContainerSecurityContext(namespace_options=namespaces)))
        identity = self.ask("CreateContainer", m.CreateRequest(pod_sandbox_id=pod, config=config, sandbox_config=sandbox),
                            "ContainerId").container_id
        self.ask("StartContainer", m.ContainerId(container_id=identity), "Empty")
        return identity, port

    def stop(self):
        for pod in self.sandboxes:
            for method in ("StopPodSandbox", "RemovePodSandbox"):
                self.ask(method, self.messages.Sandbox(pod_sandbox_id=pod), "Empty")
        self.channel.close()
        super().stop()


ENGINES = {"docker": Docker, "podman": Podman}


class Container:
    def __init__(self, engine, name, identity, port):
        self.engine = engine
        self.name = name
        self.id = identity
        self.port = port
        self.pid = int(self.inspect()["State"]["Pid"])

    def inspect(self):
        return json.loads(self.engine("inspect", self.id))[0]

    def get(self, *paths):
        """Requests from the host into the container's network."""
        urls = [f"http://127.0.0.1:{self.port}{path}" for path in paths]
        inside = ["nsenter", "--target", str(self.pid), "--net"]
        say([*inside, "curl", "--silent", "--show-error", "--retry", "20", "--retry-delay", "0", "--retry-connrefused", *urls])
        return paths

    def remove(self):
        self.engine("rm", "--force", self.id)
