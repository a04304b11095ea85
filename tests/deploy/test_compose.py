# SPDX-License-Identifier: Apache-2.0
"""The compose example: docker-compose reads it where it is installed, its files are there, sonde takes the command line it gets,
and what it allows sonde is what the service and the chart allow."""
import os
import re
import shutil

import pytest
import yaml
from conftest import ROOT, run

DIRECTORY = f"{ROOT}/deploy/compose"


def example():
    with open(f"{DIRECTORY}/compose.yaml", encoding="utf-8") as file:
        return yaml.safe_load(file)["services"]


def test_compose_reads_it(tmp_path):
    if not shutil.which("docker-compose"):
        pytest.skip("docker-compose is not installed")
    with open(f"{DIRECTORY}/compose.yaml", encoding="utf-8") as file:
        text = file.read()
    # Debian's is of before the Compose specification, and wants a version.
    copy = tmp_path / "compose.yaml"
    copy.write_text('version: "2.4"\n' + text)
    said = yaml.safe_load(run("docker-compose", "-f", str(copy), "config"))
    assert set(said["services"]) == set(example())


def test_what_it_names_is_there():
    services = example()
    for name, service in services.items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("/"):
                continue  # Docker's own
            assert os.path.isfile(os.path.join(DIRECTORY, source)), f"{name}: {source}"
        assert set(service.get("depends_on", [])) <= services.keys()
    build = services["sonde"]["build"]
    assert os.path.isfile(os.path.join(DIRECTORY, build["context"], build["dockerfile"]))
    with open(f"{DIRECTORY}/front.conf", encoding="utf-8") as file:
        host, port = re.search(r"proxy_pass http://(\w+):(\d+)", file.read()).groups()
    assert port in services[host]["command"]


def test_sonde_takes_it():
    sonde = example()["sonde"]
    with open(f"{ROOT}/deploy/systemd/sonde.service", encoding="utf-8") as file:
        unit = re.search(r"^AmbientCapabilities=(.*)$", file.read(), re.M)[1].replace("CAP_", "").split()
    assert sonde["cap_add"] == unit and sonde["cap_drop"] == ["ALL"] and sonde["pid"] == "host"
    printed = run(os.environ["SONDE_BINARY"], "config", "print", *sonde["command"][1:], env={**os.environ, **sonde["environment"]})
    assert "http://collector:4317" in printed and "trace=yes" in printed
    with open(f"{DIRECTORY}/collector.yaml", encoding="utf-8") as file:
        collector = yaml.safe_load(file)
    assert collector["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"].endswith(":4317")
    parts = {kind: set(collector[kind]) for kind in ("receivers", "processors", "exporters", "connectors")}
    for pipeline in collector["service"]["pipelines"].values():
        assert set(pipeline["receivers"]) <= parts["receivers"] | parts["connectors"]
        assert set(pipeline.get("processors", [])) <= parts["processors"]
        assert set(pipeline["exporters"]) <= parts["exporters"] | parts["connectors"]
