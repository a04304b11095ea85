# SPDX-License-Identifier: Apache-2.0
"""The compose example, run: what it names cannot be pulled here, so each image is made of the program that it is for. The engine is in a
network of its own, where the example's ports are."""
import contextlib
import json
import os
import shutil
import subprocess
import tempfile

import machine
import pytest
import yaml
from conftest import ROOT, need, run
from engine import build, running_engine, wait_until
from test_docker import last_stage, rootfs  # noqa: F401  (a fixture)

DIRECTORY = f"{ROOT}/deploy/compose"
REQUESTS = 10


@contextlib.contextmanager
def network():
    """The command that what is to be in it begins with."""
    name = f"sonde-compose-{os.getpid()}"
    run("ip", "netns", "add", name)
    try:
        run("ip", "-n", name, "link", "set", "lo", "up")
        # `ip netns exec` would hide /sys/fs/cgroup.
        yield ["nsenter", f"--net=/run/netns/{name}"]
    finally:
        run("ip", "netns", "delete", name)


def load_program(engine, image, binary, *changes):
    with tempfile.TemporaryDirectory() as root:
        os.mkdir(f"{root}/tmp", mode=0o1777)
        shutil.copy(binary, f"{root}/program")
        engine.load(image, root, 'ENTRYPOINT ["/program"]', *changes)


def load_images(engine, services, sonde):
    load_program(engine, services["collector"]["image"], build.otel_collector("otelcol_demo"))
    load_program(engine, services["jaeger"]["image"], build.jaeger(), "ENV JAEGER_LISTEN_HOST=0.0.0.0")
    engine.load(services["sonde"]["image"], sonde, *last_stage())
    with machine.Machine() as debian:
        debian.run("apt-get", "update", "-q")
        debian.run("apt-get", "install", "-q", "-y", "--no-install-recommends", "nginx-light", "python3")
        os.remove(f"{debian.root}/etc/nginx/sites-enabled/default")
        engine.load(services["front"]["image"], debian.root, 'CMD ["nginx", "-g", "daemon off;"]')
        engine.load(services["files"]["image"], debian.root)


def for_old_tools(services, engine):
    """As Debian's compose and docs/operating/docker.md want it of an old engine, and this engine's directory."""
    del services["sonde"]["build"]
    services["sonde"]["volumes"] = [f"{engine.directory}/data/containers:/var/lib/docker/containers:ro"]
    for service in services.values():
        # There is nobody to ask for other names, as gRPC does (TXT records): refused at once, instead of not answered.
        service.setdefault("environment", {})["GRPC_ENABLE_TXT_SERVICE_CONFIG"] = "false"
    if int(engine("version", "--format", "{{.Server.Version}}").split(".")[0]) < 23:
        services["sonde"]["cap_add"] = [name for name in services["sonde"]["cap_add"]
                                        if name not in ("BPF", "PERFMON", "CHECKPOINT_RESTORE")] + ["SYS_ADMIN"]
    return {"version": "2.4", "services": services}


def test_traces_in_jaeger(rootfs, tmp_path):  # noqa: F811
    need("docker-compose", "nsenter", "debootstrap")
    with open(f"{DIRECTORY}/compose.yaml", encoding="utf-8") as file:
        services = yaml.safe_load(file)["services"]
    with network() as inside, running_engine("overlay2", inside) as engine:
        load_images(engine, services, rootfs)
        for name in ("front.conf", "collector.yaml"):
            shutil.copy(f"{DIRECTORY}/{name}", tmp_path)
        (tmp_path / "compose.yaml").write_text(yaml.safe_dump(for_old_tools(services, engine)))

        def compose(*arguments):
            done = subprocess.run([*inside, "docker-compose", "-p", "shop", "-f", str(tmp_path / "compose.yaml"), *arguments],
                                  env=engine.environment, capture_output=True, text=True, timeout=120, check=False)
            assert done.returncode == 0, f"docker-compose {arguments}: {done.stdout}{done.stderr}"
            return done.stdout

        def ask(address):
            done = subprocess.run([*inside, "curl", "-sf", "--max-time", "5", f"http://127.0.0.1:{address}"], capture_output=True,
                                  text=True, check=False)
            return done.stdout if done.returncode == 0 else None

        compose("up", "-d")
        try:
            wait_until(lambda: ask("9464/readyz") is not None and ask("16686/api/services"), "all of it answers", 60)
            for number in range(REQUESTS):
                wait_until(lambda number=number: ask(f"8080/?{number}"), "the front answers", 30)

            def traces():
                found = json.loads(ask("16686/api/traces?service=front&limit=100") or '{"data": []}')["data"]
                return found if sum(len(trace["spans"]) == 3 for trace in found) >= REQUESTS else None

            for trace in wait_until(traces, "whole traces in Jaeger", 30):
                services_of = {key: process["serviceName"] for key, process in trace["processes"].items()}
                spans = {(services_of[span["processID"]], next(tag["value"] for tag in span["tags"] if tag["key"] == "span.kind")): span
                         for span in trace["spans"]}
                assert set(spans) == {("front", "server"), ("front", "client"), ("files", "server")}, spans.keys()
                parents = {key: next((of["spanID"] for of in span["references"]), None) for key, span in spans.items()}
                assert parents == {("front", "server"): None, ("front", "client"): spans["front", "server"]["spanID"],
                                   ("files", "server"): spans["front", "client"]["spanID"]}
            metrics = wait_until(lambda: (text := ask("8889/metrics") or "") and "traces_service_graph_request_total{" in text and text,
                                 "metrics of the spans", 90)
            assert 'client="front"' in metrics and 'server="files"' in metrics and 'traces_span_metrics_calls_total{' in metrics
        except AssertionError:
            print(compose("logs", "--no-color", "--tail", "40"), ask("9464/metrics"), ask("16686/api/traces?service=front&limit=100"))
            raise
        finally:
            compose("down", "--timeout", "5")
