# SPDX-License-Identifier: Apache-2.0
"""TLS libraries that come later, lie elsewhere, are replaced, deleted, or seen only in another mount namespace: every request
is one span all the same."""
import glob
import json
import os
import shutil
import signal
import subprocess
import time

import pytest
from harness import build, https, judge, load, servers, tls
from harness.process import Process, children, wait_until
from harness.sonde import BARE, BINARY
from harness.spans import CLIENT, SERVER

COUNT = 60


def library():
    """The distribution's OpenSSL, both files."""
    found = glob.glob("/usr/lib/*/libssl.so.3")
    if not found:
        pytest.skip("no libssl.so.3")
    return found[0], os.path.join(os.path.dirname(found[0]), "libcrypto.so.3")


def copies(work):
    """A directory for LD_LIBRARY_PATH: files of the same content, which are other inodes."""
    directory = f"{work}/lib"
    os.makedirs(directory)
    for path in library():
        shutil.copy(os.path.realpath(path), f"{directory}/{os.path.basename(path)}")
    return directory


def uses(pid, path):
    with open(f"/proc/{pid}/maps", encoding="utf-8") as file:
        return path in file.read()


def ask(server, name):
    requests = [load.Request("GET", f"/{name}/{i}") for i in range(COUNT)]
    load.run(server.address, requests, tls=tls.context())
    server.finish_log()
    return requests


def end(run):
    code = run.process.stop(signal.SIGTERM, 15)
    assert BARE or code in (0, 128 + signal.SIGTERM), f"exit code {code}: {run.process.stderr()[-2000:]}"


def judge_all(server, run, count=COUNT, source="openssl"):
    entries = server.entries()
    assert len(entries) == count
    judge.judge(entries, [s for s in run.spans(SERVER) if s["network.local.port"] == server.address[1]], source=source,
                ports=True)


def late_ssl(work, seconds):
    server = servers.python_app(work, "late_ssl.py", "late_ssl", *https.secrets())
    server.command.insert(2, str(seconds))
    return server


def test_loaded_after_the_start(work, sonde):
    """By dlopen, one second after exec."""
    server = late_ssl(work, 1.0)
    run = sonde(command=server.command, env=server.env)
    server.wait()
    ask(server, "late")
    end(run)
    judge_all(server, run)


def test_loaded_after_the_attach(work, sonde, started):
    """Selected by its pid while no TLS library is in it."""
    server = late_ssl(work, 5.0)
    server.process = started(Process(server.command, str(work), "late", env=server.env))
    run = sonde("--pid", str(server.process.pid))
    assert BARE or not uses(server.process.pid, "libssl"), "too late to prove anything"
    server.wait()
    time.sleep(0.5)  # beside other tests the processor for probing it comes late
    ask(server, "late")
    run.settle()
    run.stop()
    judge_all(server, run)


@pytest.mark.parametrize("make", [https.http_server, https.go, https.nginx], ids=["http_server", "go", "nginx"])
def test_started_later(make, work, sonde, started):
    """Selected by its port, which is known when it listens; its library must be found and probed then. Half a second of
    silence, because beside other tests the processor for that comes late."""
    server = make(work)
    run = sonde("--port", str(server.address[1]))
    time.sleep(0.3)
    started(server.start())
    time.sleep(0.5)
    ask(server, "first")
    run.settle()
    run.stop()
    judge_all(server, run, source="go_tls" if make is https.go else "openssl")


def test_started_often(work, sonde, started):
    """A process per request: each has its library anew, and a dozen milliseconds to be noticed in."""
    server = started(https.nginx(work).start())
    script = f"""for i in $(seq 40); do curl -s -o /dev/null https://127.0.0.1:{server.address[1]}/each/$i || exit 1; done
for i in $(seq 41 80); do curl -s -o /dev/null https://127.0.0.1:{server.address[1]}/each/$i & done; wait"""
    run = sonde(command=["bash", "-c", script], env=tls.trust())
    assert run.wait(60) == 0, run.process.stderr()[-2000:]
    wait_until(lambda: len(server.entries()) == 80, "80 requests")
    judge.judge(server.entries(), run.spans(CLIENT), CLIENT, source="openssl", ports=True)


@pytest.mark.parametrize("make", [https.http_server, https.nginx], ids=["http_server", "nginx"])
def test_copied_library(make, work, sonde):
    directory = copies(work)
    server = make(work, env={"LD_LIBRARY_PATH": directory})
    run = sonde(command=server.command, env=server.env)
    server.wait()
    time.sleep(0.5)  # a library that lies nowhere the system's own lies
    ask(server, "copy")
    end(run)
    judge_all(server, run)


@pytest.mark.parametrize("when", ["before_the_attach", "while_traced"])
def test_deleted_library(when, work, sonde, started):
    """Its file has no name any more; only the process still holds it."""
    directory = copies(work)
    server = https.http_server(work, env={"LD_LIBRARY_PATH": directory})
    started(server.start())
    ask(server, "unseen")
    assert uses(server.process.pid, directory)
    if when == "before_the_attach":
        shutil.rmtree(directory)
    run = sonde(*servers.selectors(server))
    if when == "while_traced":
        shutil.rmtree(directory)
    ask(server, "seen")
    run.settle()
    run.stop()
    entries = [e for e in server.entries() if e.target.startswith("/seen/")]
    assert len(entries) == COUNT
    judge.judge(entries, run.spans(SERVER), source="openssl", ports=True)


def test_deleted_executable(work, sonde, started):
    """A Go program whose file is gone, as after an upgrade."""
    server = https.go(work)
    shutil.copy(server.command[0], f"{work}/go_copy")
    server.command[0] = f"{work}/go_copy"
    started(server.start())
    os.unlink(f"{work}/go_copy")
    run = sonde(*servers.selectors(server))
    ask(server, "seen")
    run.settle()
    run.stop()
    judge_all(server, run, source="go_tls")


def test_upgraded_library(work, sonde):
    """The file is replaced while one process uses the old one; a second process gets the new one."""
    directory = copies(work)
    old = https.nginx(work, name="old", env={"LD_LIBRARY_PATH": directory})
    new = https.nginx(work, name="new", env={"LD_LIBRARY_PATH": directory})
    script = f"""{' '.join(old.command)} & a=$!
while [ ! -e {work}/upgraded ]; do sleep 0.05; done
{' '.join(new.command)} & b=$!
trap 'kill $a $b' TERM; wait; wait"""
    run = sonde(command=["bash", "-c", script], env=old.env)
    old.wait()
    time.sleep(0.5)  # a file that nobody had before: docs/reference/tls.md, "What is not seen"
    ask(old, "old")
    for path in library():
        name = os.path.basename(path)
        shutil.copy(os.path.realpath(path), f"{directory}/{name}.new")
        os.rename(f"{directory}/{name}.new", f"{directory}/{name}")
    with open(f"{work}/upgraded", "w", encoding="utf-8"):
        pass
    new.wait()
    time.sleep(0.5)  # and so is the new one
    ask(new, "new")
    ask(old, "still")
    run.process.stop(signal.SIGTERM, 15)
    judge_all(old, run, 2 * COUNT)
    judge_all(new, run)


# What a container does, in shell, before the server's command: its own mount namespace in which the library lies.
MOUNTS = {
    # Another inode in the place of the system's.
    "bind": "mount --bind {lib}/libssl.so.3 {system}/libssl.so.3",
    # A file system that nobody else sees.
    "tmpfs": "mount -t tmpfs none {empty} && cp {lib}/* {empty}/ && export LD_LIBRARY_PATH={empty}",
    # An image layer that is the system's own directory.
    "overlay_lower": "mount -t tmpfs none {empty} && mkdir {empty}/u {empty}/w && mount -t overlay overlay "
                     "-o lowerdir={system},upperdir={empty}/u,workdir={empty}/w {system}",
    # The same with the library changed in the upper layer.
    "overlay_upper": "mount -t tmpfs none {empty} && mkdir {empty}/u {empty}/w && cp {lib}/libssl.so.3 {empty}/u/ && "
                     "mount -t overlay overlay -o lowerdir={system},upperdir={empty}/u,workdir={empty}/w {system}",
}


def contained(server, how, work):
    """The server's command in namespaces of its own: mounts and pids."""
    values = {"lib": copies(work), "system": os.path.dirname(os.path.realpath(library()[0])), "empty": f"{work}/empty"}
    os.makedirs(values["empty"], exist_ok=True)
    script = MOUNTS[how].format(**values) + " && exec " + " ".join(server.command)
    namespaces = [build.program("unshare"), "--mount", "--pid", "--fork", "--mount-proc", "--propagation", "private"]
    trial = subprocess.run([*namespaces, "sh", "-c", MOUNTS[how].format(**values)], capture_output=True, text=True, check=False)
    if trial.returncode != 0:
        pytest.skip(f"no such mount here: {trial.stderr.strip()}")
    return [*namespaces, "sh", "-c", script]


@pytest.mark.parametrize("how", MOUNTS)
def test_container(how, work, sonde):
    server = https.nginx(work)
    # unshare does not pass SIGTERM on; the namespace dies with its first process.
    script = f"""{' '.join(f"'{word}'" for word in contained(server, how, work))} & trap 'kill -9 $(pgrep -P $!)' TERM; wait; wait"""
    run = sonde(command=["bash", "-c", script], env=server.env)
    server.wait()
    time.sleep(0.5)  # a library that lies nowhere the command's own lies
    ask(server, "contained")
    run.process.stop(signal.SIGTERM, 15)
    judge_all(server, run)


@pytest.mark.parametrize("how", MOUNTS)
def test_container_attached(how, work, sonde, started):
    """By --pid, as the host names it; the namespace exists before sonde does."""
    server = https.http_server(work)
    server.command = contained(server, how, work)
    started(server.start())
    inner = wait_until(lambda: children(server.process.pid), "the first process of the namespace")[0]
    run = sonde("--pid", str(inner))
    ask(server, "contained")
    run.settle()
    run.stop()
    os.kill(inner, signal.SIGKILL)
    judge_all(server, run)


def test_three_libraries(work, sonde):
    """OpenSSL, GnuTLS and Go at once, in what one command starts; both ends of each connection."""
    nginx, go = https.nginx(work), https.go(work)
    asked = "; ".join(f"{build.program('wget')} -q --ca-certificate={tls.files().authority} -O /dev/null "
                      f"https://127.0.0.1:{server.address[1]}/wget/$i" for server in (nginx, go))
    script = f"""{' '.join(nginx.command)} & a=$!; {' '.join(go.command)} & b=$!
trap 'kill $a $b' TERM
while [ ! -e {work}/up ]; do sleep 0.05; done
for i in 0 1 2 3 4; do {asked}; done
touch {work}/asked; wait; wait"""
    run = sonde(command=["bash", "-c", script], env={**(nginx.env or {}), **(go.env or {})})
    for server in (nginx, go):
        server.wait()
    time.sleep(0.5)  # sonde was not told of these files
    with open(f"{work}/up", "w", encoding="utf-8"):
        pass
    wait_until(lambda: os.path.exists(f"{work}/asked"), "wget has asked")
    run.settle()
    run.process.stop(signal.SIGTERM, 15)
    for server, source in ((nginx, "openssl"), (go, "go_tls")):
        entries = [e for e in server.entries() if e.target.startswith("/wget/")]
        assert len(entries) == 5
        mine = [s for s in run.spans() if server.address[1] in (s["server.port"], s["network.local.port"])
                and s.target.startswith("/wget/")]
        judge.judge(entries, mine, SERVER, source=source, ports=True)
        for entry in entries:
            entry.duration_ms = None
        judge.judge(entries, mine, CLIENT, source="gnutls", ports=True)


def test_processes_names_the_library(work, started):
    """`sonde processes` says which TLS library a process has."""
    if BARE:
        pytest.skip("needs sonde")
    wanted = {}
    for make, source in ((https.nginx, "openssl"), (https.go, "go"), (https.gnutls_serv, "gnutls")):
        server = started(make(work).start())
        wanted[server.process.pid] = source
    done = subprocess.run([BINARY, "processes", "--output", "json"], capture_output=True, text=True, timeout=60, check=True)
    text = {p["pid"]: json.dumps(p).lower() for p in json.loads(done.stdout)}
    for pid, source in wanted.items():
        assert source in text[pid], text[pid]
