# SPDX-License-Identifier: Apache-2.0
"""The capabilities of deploy/systemd/sonde.service, taken away one by one: what sonde sees of another user's programs, when it
is not root, and may not see the directories that the unit hides. docs/operating/privileges.md says the same in words."""
import json
import os
import re
import shutil
import subprocess

import pytest
from harness import load, servers, tls
from harness.process import wait_until
from harness.sonde import Sonde
from harness.spans import SERVER

UNIT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../deploy/systemd/sonde.service")
OWNER = 61234  # of the traced programs
AGENT = 61235  # of sonde
COUNT = 20


def unit_capabilities():
    with open(UNIT, encoding="utf-8") as file:
        return re.search(r"^AmbientCapabilities=(.*)$", file.read(), re.M)[1].lower().replace("cap_", "").split()


def as_user(uid, capabilities, command):
    caps = "".join(f",+{name}" for name in capabilities)
    ambient = [f"--ambient-caps=-all{caps}"] if capabilities else []
    return [servers.tool("setpriv"), f"--reuid={uid}", f"--regid={uid}", "--clear-groups", f"--inh-caps=-all{caps}",
            f"--bounding-set=-all{caps}", *ambient, "--no-new-privs", "--", *command]


def sandboxed(command, kept):
    """In a mount name space of its own where home directories and /tmp are empty, but for the test's own directory."""
    script = (f'mkdir -p /run/sonde-e2e && mount -t tmpfs tmpfs /run/sonde-e2e && mkdir /run/sonde-e2e/kept && mount --bind {kept} '
              f'/run/sonde-e2e/kept && mount -t tmpfs tmpfs /tmp && mkdir -p {kept} && mount --bind /run/sonde-e2e/kept {kept} && '
              'mount -t tmpfs tmpfs /root && mount -t tmpfs tmpfs /home && exec "$@"')
    return [servers.tool("unshare"), "--mount", "sh", "-c", script, "-", *command]


@pytest.fixture
def programs(work, started):
    """Go with TLS from a private directory, Python with OpenSSL, Node without TLS: each another user's, with a name."""
    private = f"{work}/private"
    os.mkdir(private)
    files = tls.files()
    go = servers.go(work, files.certificate, files.key)
    go.command[0] = shutil.copy(servers.go_binary(), private)
    python = servers.python_app(work, "http_server.py", "python", files.certificate, files.key)
    for path in (private, go.command[0]):
        os.chown(path, OWNER, OWNER)
        os.chmod(path, 0o700)
    found = [go, python, servers.node(work)]
    for server in found:
        server.env["OTEL_SERVICE_NAME"] = f"my-{server.name}"
        server.command = as_user(OWNER, (), server.command)
        started(server.start())
    return found


def run(work, started, programs, capabilities, sandbox=False):
    """The exit code and what it said, or {service: capture source} of programs of which each request became a span."""
    binary = shutil.copy(os.environ["SONDE_BINARY"], f"{work}/sonde-copy")
    os.chmod(binary, 0o755)
    out = f"{work}/agent"
    os.mkdir(out)
    os.chown(out, AGENT, AGENT)
    ports = [word for server in programs for word in ("--port", str(server.address[1]))]
    agent = Sonde(out, *ports, binary=binary,
                  wrap=lambda line: sandboxed(as_user(AGENT, capabilities, line), work) if sandbox
                  else as_user(AGENT, capabilities, line))
    started(agent.process)
    wait_until(lambda: "sonde: ready" in agent.process.stderr() or not agent.process.running(), "ready or refused")
    if not agent.process.running():
        return agent.process.wait(), agent.process.stderr()
    for server in programs:
        load.run(server.address, [load.Request("GET", f"/{server.name}/{i}") for i in range(COUNT)], 2,
                 tls=None if server.name == "node" else tls.context())
    agent.settle(0.5)
    agent.stop()
    seen = {}
    for span in agent.spans(SERVER):
        seen.setdefault((span.service, span["sonde.capture.source"]), []).append(span.target)
    return 0, {service: source for (service, source), targets in seen.items() if len(set(targets)) == COUNT}


ALL = {"my-go": "go_tls", "my-python": "openssl", "my-node": "socket"}


@pytest.mark.parametrize("sandbox", [False, True])
def test_what_the_unit_has_is_enough(work, started, programs, sandbox):
    assert run(work, started, programs, unit_capabilities(), sandbox) == (0, ALL)


@pytest.mark.parametrize("missing", ["bpf", "perfmon", "sys_ptrace"])
def test_without(work, started, programs, missing):
    code, said = run(work, started, programs, [name for name in unit_capabilities() if name != missing])
    assert code == 3 and f"CAP_{missing.upper()} is missing" in said, (code, said)


def test_without_dac_read_search(work, started, programs):
    """/proc/PID/fd and environ of another user cannot be read, so that no port and no variable selects it."""
    code, seen = run(work, started, programs, [name for name in unit_capabilities() if name != "dac_read_search"])
    assert (code, seen) == (0, {})


@pytest.mark.parametrize("missing", ["checkpoint_restore", None])
def test_replaced_files(work, started, programs, missing):
    """An upgrade replaces the file of a running program: only map_files leads to what it runs."""
    os.unlink(f"{work}/private/go_peer")
    code, seen = run(work, started, programs, [name for name in unit_capabilities() if name != missing])
    assert code == 0 and seen == ({service: source for service, source in ALL.items() if service != "my-go"} if missing else ALL)


# A filter for system calls that refuses bpf(2), as a seccomp profile may: loads the number, compares, answers EPERM or allows.
REFUSE_BPF = """
import ctypes, os, platform, struct, sys
number = {"x86_64": 321, "aarch64": 280}[platform.machine()]
code = b"".join(struct.pack("HBBI", *line) for line in [(0x20, 0, 0, 0), (0x15, 0, 1, number), (6, 0, 0, 0x50001), (6, 0, 0, 0x7fff0000)])
libc = ctypes.CDLL(None, use_errno=True)
program = struct.pack("HxxxxxxQ", 4, ctypes.addressof(buffer := ctypes.create_string_buffer(code, len(code))))
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program, 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""


def doctor(*wrap):
    """(exit code, what it says as JSON)."""
    done = subprocess.run([*wrap, os.environ["SONDE_BINARY"], "doctor", "--output", "json"], capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout)


def fact(said, name):
    return next(one["value"] for one in said["facts"] if one["name"] == name)


def test_doctor_without_a_filter():
    code, said = doctor()
    assert code == 0 and said["ok"] and not said["missing"] and fact(said, "seccomp") == "none"


def test_doctor_under_a_filter_that_refuses_bpf():
    code, said = doctor("/usr/bin/python3", "-c", REFUSE_BPF)
    assert code == 3 and not said["ok"] and fact(said, "seccomp") == "filter"
    assert "Operation not permitted" in said["reason"]


def test_doctor_in_another_pid_namespace():
    code, said = doctor(servers.tool("unshare"), "--pid", "--fork", "--mount-proc")
    assert code == 3 and "hostPID: true" in said["missing"][0]["remedy"]


def test_doctor_behind_a_masked_mount():
    code, said = doctor(servers.tool("unshare"), "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /sys/kernel && exec "$@"', "-")
    assert code == 3 and not said["btf"] and "the host's /sys" in said["missing"][0]["remedy"]
