# SPDX-License-Identifier: Apache-2.0
"""The contract of the command: exit codes, signals, readiness, duration, selectors, missing privileges."""
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time

import pytest
from harness import judge, load, servers
from harness.process import wait_until
from harness.sink import HttpSink
from harness.sonde import BINARY
from harness.spans import CLIENT, SERVER


def sonde_once(*args, **options):
    return subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=30, check=False, **options)


@pytest.mark.parametrize("command, code", [(["true"], 0), (["false"], 1), (["sh", "-c", "exit 42"], 42),
                                           (["sh", "-c", "kill -9 $$"], 137), (["sh", "-c", "kill -15 $$"], 143)])
def test_exit_code_is_the_commands(command, code, sonde):
    assert sonde(command=command, ready=False).wait() == code


def test_command_that_does_not_exist(sonde):
    run = sonde(command=["/no/such/program"], ready=False)
    assert run.wait() != 0
    assert "/no/such/program" in run.process.stderr()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_are_passed_on(name, work, sonde):
    """The command writes which signal reached it and ends with a code of its own."""
    script = f"trap 'echo {name} >{work}/got; exit 7' {name[3:]}; echo up >{work}/up; while :; do sleep 0.05; done"
    run = sonde(command=["sh", "-c", script])
    wait_until(lambda: os.path.exists(f"{work}/up"), "the command runs")
    run.process.send_signal(getattr(signal, name))
    assert run.wait() == 7, run.process.stderr()
    with open(f"{work}/got", encoding="utf-8") as file:
        assert file.read().strip() == name


def test_second_signal_stops_at_once(work, sonde, started):
    """While the first one waits for an endpoint that hangs."""
    server = started(servers.nginx(work, "return 200;").start())
    sink = started(HttpSink("hang"))
    run = sonde(*servers.selectors(server), "--otlp-endpoint", sink.endpoint, "--otlp-protocol", "http/json",
                "--shutdown-timeout", "30s", exports=["otlp"])
    load.run(server.address, [load.Request("GET", "/x")])
    run.process.send_signal(signal.SIGTERM)
    time.sleep(1.0)
    assert run.process.running()
    begin = time.monotonic()
    run.process.send_signal(signal.SIGTERM)
    run.wait(10)
    assert time.monotonic() - begin < 1.0


def test_duration(work, sonde, started):
    server = started(servers.nginx(work, "return 200;").start())
    begin = time.monotonic()
    run = sonde(*servers.selectors(server), "--duration", "1s")
    load.run(server.address, [load.Request("GET", f"/d/{i}") for i in range(50)])
    assert run.wait(10) == 0
    assert 0.9 < time.monotonic() - begin < 6
    judge.judge(server.entries(), run.spans(SERVER))


def test_first_request_of_a_command_is_seen(work, sonde, started):
    """COMMAND starts only when the probes are attached."""
    server = started(servers.nginx(work, "return 204;").start())
    run = sonde(command=["curl", "-s", f"http://127.0.0.1:{server.address[1]}/first"], ready=False)
    assert run.wait() == 0
    assert [s.target for s in run.spans(CLIENT)] == ["/first"]


def test_readiness_and_metrics(sonde, work, started):
    server = started(servers.nginx(work, "return 200;").start())
    run = sonde(*servers.selectors(server))
    assert run.get("/readyz")[0] == 200
    assert run.get("/healthz")[0] == 200
    load.run(server.address, [load.Request("GET", f"/m/{i}") for i in range(100)])
    wait_until(lambda: run.metric("sonde_spans_total", kind="server") == 100, "100 spans are counted")
    wait_until(lambda: run.metric("sonde_export_spans_total", exporter="file") == 100, "100 spans are exported")
    assert run.metric("sonde_events_total") >= 200
    assert run.metric("sonde_probe_state", state="works") + run.metric("sonde_probe_state", state="fallback") >= 1
    run.stop()


@pytest.mark.parametrize("arguments", [["run", "--no-such-option"], ["run", "--pid", "abc"], ["run", "--export", "nothing-known"],
                                       ["nonsense"], ["run", "--all", "--duration", "soon"],
                                       ["run", "--all", "--config", "/no/such/file.yaml"]])
def test_wrong_usage(arguments):
    done = sonde_once(*arguments)
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert done.stderr.strip()


def test_wrong_configuration(work):
    path = f"{work}/sonde.yaml"
    with open(path, "w", encoding="utf-8") as file:
        file.write('file_format: "1.0"\nsonde:\n  limits:\n    no_such_key: 1\n')
    done = sonde_once("config", "check", "--config", path)
    assert done.returncode == 2
    assert "sonde.yaml:4" in done.stderr and "no_such_key" in done.stderr, done.stderr


def test_version_doctor_processes(work, started):
    assert sonde_once("version").stdout.startswith("sonde ") or sonde_once("version").stdout[0].isdigit()
    doctor = sonde_once("doctor", "--output", "json")
    assert doctor.returncode == 0 and json.loads(doctor.stdout), doctor.stderr
    assert "sys_exit" in sonde_once("doctor").stdout
    server = started(servers.nginx(work, "return 200;").start())
    listed = sonde_once("processes", "--pid", str(server.process.pid), "--output", "json")
    assert listed.returncode == 0 and str(server.process.pid) in listed.stdout, listed.stderr
    assert str(server.address[1]) in listed.stdout, listed.stdout


def as_nobody(*args):
    """A copy that nobody can read and run, since the build may lie in a private directory."""
    return subprocess.run([servers.tool("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all",
                           "--bounding-set=-all", *args], capture_output=True, text=True, timeout=30, check=False)


def test_without_privileges(work):
    copy = shutil.copy(BINARY, f"{work}/sonde")
    os.chmod(copy, 0o755)
    done = as_nobody(copy, "run", "--all", "--export", "none", "--listen", "off")
    assert done.returncode == 3, (done.returncode, done.stderr)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert any("root" in line or "CAP_BPF" in line for line in lines), lines
    assert as_nobody(copy, "version").returncode == 0


def test_without_bpf_capability(work):
    """Root in name only, as in a container without privileges."""
    done = subprocess.run([servers.tool("setpriv"), "--bounding-set=-bpf,-sys_admin,-perfmon", "--inh-caps=-all", BINARY, "run",
                           "--all", "--export", "none", "--listen", "off"],
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 3, (done.returncode, done.stderr)
    assert "CAP_" in done.stderr, done.stderr


def test_selectors_and_exclusion(work, sonde, started):
    one = started(servers.nginx(work, "return 200;", name="one").start())
    two = started(servers.node(work).start())
    three = servers.python_app(work, "http_server.py", "three")
    # Nobody else's: the same test may run beside this one with other probes.
    three.env["WANTED"] = os.path.basename(work)
    started(three.start())
    all_servers = (one, two, three)

    def names(*args):
        run = sonde(*args)
        for server in all_servers:
            load.run(server.address, [load.Request("GET", f"/select/{server.name}")], 1)
        run.stop()
        return sorted(s["url.path"].split("/")[2] for s in run.spans(SERVER) if s["url.path"].startswith("/select/"))

    ports = [word for server in all_servers for word in ("--port", str(server.address[1]))]
    assert names(*ports) == ["node", "one", "three"]
    assert names("--env", f"WANTED={os.path.basename(work)}") == ["three"]
    assert names("--cmdline", rf"http_server\.py {three.address[1]}$") == ["three"]
    assert names(*ports, "--exclude", "exe=*/nginx") == ["node", "three"]
    assert names("--exe", "*/nginx", "--port", str(two.address[1])) == []


def test_reload(work, sonde, started):
    """SIGHUP: other selectors, sampling, redaction and routes; a wrong file changes nothing; open connections go on."""
    old = started(servers.nginx(work, "location / { return 200 'x'; }", name="old").start())
    new = started(servers.nginx(work, "location / { return 200 'x'; }", name="new").start())
    path = os.path.join(work, "sonde.yaml")

    def write(server, ratio, key):
        pids = ", ".join(str(pid) for pid in servers.selectors(server)[1::2])
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"""file_format: "1.0"
tracer_provider:
  sampler: {{parent_based: {{root: {{trace_id_ratio_based: {{ratio: {ratio}}}}}}}}}
sonde:
  discovery: {{include: {{pid: [{pids}]}}}}
  redaction: {{query_keys: [{key}]}}
""")

    write(old, 1, "first")
    run = sonde("--config", path)
    connection = http.client.HTTPConnection(*old.address)

    def ask(connection, target):
        connection.request("GET", target)
        connection.getresponse().read()

    ask(connection, "/a?first=1&second=2")
    load.run(new.address, [load.Request("GET", "/unseen")])
    run.wait_for_spans(1)
    with open(path, "a", encoding="utf-8") as file:
        file.write("nonsense: true\n")
    run.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "nonsense" in run.process.stderr(), "the finding is reported")
    ask(connection, "/b?first=1&second=2")
    run.wait_for_spans(2)
    write(new, 1, "second")
    run.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "as the file says now" in run.process.stderr(), "reloaded")
    ask(connection, "/unseen")
    other = http.client.HTTPConnection(*new.address)
    ask(other, "/c?first=1&second=2")
    run.wait_for_spans(3)
    write(new, 0, "second")
    run.process.send_signal(signal.SIGHUP)
    wait_until(lambda: run.process.stderr().count("as the file says now") == 2, "reloaded again")
    ask(other, "/sampled-out")
    run.stop()
    queries = {s["url.path"]: s["url.query"] for s in run.spans(SERVER)}
    assert queries == {"/a": "first=REDACTED&second=2", "/b": "first=REDACTED&second=2",
                       "/c": "first=1&second=REDACTED"}


def test_service_manager(work, sonde, started):
    """sd_notify(3): ready, signs of life while the loop turns, around a reload, and stopping."""
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(f"{work}/notify")
    manager.settimeout(5)
    config = f"{work}/sonde.yaml"
    with open(config, "w", encoding="utf-8") as file:
        file.write('file_format: "1.0"\nsonde: {discovery: {include: {env: [NOBODY_HAS_THIS=1]}}}\n')
    run = sonde("--config", config, env={"NOTIFY_SOCKET": f"{work}/notify", "WATCHDOG_USEC": "400000"})
    received = [manager.recv(256).decode().split("\n")[0] for _ in range(4)]
    assert received == ["READY=1"] + ["WATCHDOG=1"] * 3
    run.process.send_signal(signal.SIGHUP)
    received = []
    while "READY=1" not in received:
        received.append(manager.recv(256).decode().split("\n")[0])
    assert [word for word in received if word != "WATCHDOG=1"] == ["RELOADING=1", "READY=1"]
    run.stop()
    while received[-1] != "STOPPING=1":
        received.append(manager.recv(256).decode().split("\n")[0])
