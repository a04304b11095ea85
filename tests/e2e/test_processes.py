# SPDX-License-Identifier: Apache-2.0
"""Processes come and go: servers that fork per connection, commands that live for milliseconds, descendants of descendants."""
import os

from harness import judge, load, servers
from harness.spans import CLIENT, SERVER


def test_server_that_forks_per_connection(work, sonde):
    server = servers.python_app(work, "fork_server.py", "fork")
    run = sonde(command=server.command, env=server.env)
    server.wait()
    requests = [load.Request("GET", f"/fork/{i}?size={i}") for i in range(300)]
    load.run(server.address, requests, connections=4, keep_alive=False)
    run.process.stop()
    entries = [e for e in server.entries() if e.target != "/"]
    judge.judge_load(requests, entries)
    judge.judge(entries, run.spans(SERVER))
    assert len({s.resource["process.pid"] for s in run.spans(SERVER)}) > 100


def test_short_lived_processes(work, sonde, started):
    """A burst of processes that make one request each, below two more shells, beside many that make none."""
    server = started(servers.go(work).start())
    base = f"http://127.0.0.1:{server.address[1]}"
    script = f"""
for i in $(seq 60); do
  (sh -c "curl -s -o /dev/null {base}/short/$i" &)
  true & /bin/true
done
for i in $(seq 500); do /bin/true; done
while [ $(wc -l <{server.log}) -lt 60 ]; do sleep 0.05; done; sleep 0.3"""
    run = sonde(command=["sh", "-c", script], env={"PATH": os.environ["PATH"]})
    assert run.wait(60) == 0
    paths = sorted(s.target for s in run.spans(CLIENT))
    assert paths == sorted(f"/short/{i}" for i in range(1, 61)), (len(paths), paths[:5])


def test_untraced_parent_traced_child(work, sonde, started):
    """--exe chooses by what is executed: a process that starts later and was never named is found."""
    server = started(servers.go(work).start())
    run = sonde("--exe", "*/curl")
    base = f"http://127.0.0.1:{server.address[1]}"
    code = os.spawnl(os.P_WAIT, servers.tool("curl"), "curl", "-s", "-o", "/dev/null", f"{base}/late?ms=300", f"{base}/late/2")
    assert code == 0
    run.stop()
    assert "/late/2" in {s.target for s in run.spans(CLIENT)}, run.spans()
