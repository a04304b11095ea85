# SPDX-License-Identifier: Apache-2.0
"""Outages and ends of sonde itself: spans in = exported + dropped(by reason) + in queue, to the span; with --queue-dir nothing is
missing."""
import os
import re
import signal
import subprocess

import pytest
from harness import load, servers
from harness.process import free_port, wait_until
from harness.sink import HttpSink

COUNT = 3000


@pytest.fixture
def server(work, started):
    return started(servers.nginx(work, "location / { return 200 'x'; }").start())


def requests(tag, count=COUNT):
    return [load.Request("GET", f"/{tag}/{i}") for i in range(count)]


def otlp(sonde, server, endpoint, *args, **options):
    return sonde(*servers.selectors(server), "--otlp-endpoint", endpoint, "--otlp-protocol", "http/json", *args,
                 exports=["otlp"], **options)


def last_words(run):
    """The numbers of the last line about the exporter: exported, dropped, kept."""
    found = re.search(r"exporter otlp: (\d+) spans exported, (\d+) dropped(?:, (\d+) kept)?", run.process.stderr())
    assert found, run.process.stderr()[-2000:]
    return [int(n or 0) for n in found.groups()]


@pytest.mark.parametrize("mode", ["down", "hang", "once", "partial", "error", "cut"])
def test_the_sum_fits_when_stopped_in_the_middle(mode, server, sonde, started):
    sink = started(HttpSink(mode)) if mode != "down" else None
    endpoint = sink.endpoint if sink else f"http://127.0.0.1:{free_port()}"
    run = otlp(sonde, server, endpoint, "--shutdown-timeout", "2s")
    load.run(server.address, requests(mode))
    wait_until(lambda: run.metric("sonde_spans_total") == COUNT, "every span is counted")
    run.stop()
    if "spans exported" not in run.process.stderr():  # said only if something was lost
        assert mode == "once" and len(sink.paths()) == COUNT
        return
    exported, dropped, kept = last_words(run)
    assert exported + dropped == COUNT and kept == 0, (exported, dropped)


def test_kill_nine_with_the_receiver_gone_loses_nothing(server, sonde, started, work):
    """Under load, again and again: what was stored when sonde was killed arrives after the restart, and in the end nothing waits."""
    queue = ["--queue-dir", f"{work}/queue"]
    endpoint = f"http://127.0.0.1:{free_port()}"
    stored = 0
    for life in range(3):
        run = otlp(sonde, server, endpoint, *queue)
        load.run(server.address, requests(f"life{life}"))
        wait_until(lambda: run.metric("sonde_export_queue_stored_spans_total") >= COUNT, "they are stored")
        stored += COUNT
        assert run.metric("sonde_export_queue_recovered_spans_total") == stored - COUNT
        assert run.metric("sonde_spans_dropped_total") == 0
        run.process.stop(signal.SIGKILL)
    sink = started(HttpSink())
    run = otlp(sonde, server, sink.endpoint, *queue)
    load.run(server.address, requests("last"))
    wait_until(lambda: len(sink.paths()) >= stored + COUNT, "everything arrived", 30)
    wait_until(lambda: run.metric("sonde_export_queue_length") == 0, "nothing waits")
    paths = sink.paths()
    wanted = [r.target for tag in ("life0", "life1", "life2", "last") for r in requests(tag)]
    assert sorted(paths) == sorted(wanted), "each once"
    assert paths[0].startswith("/life0/"), "the oldest first"
    run.stop()


def test_a_receiver_killed_for_a_while_under_load(server, sonde, started, work):
    sink = started(HttpSink())
    run = otlp(sonde, server, sink.endpoint, "--queue-dir", f"{work}/queue",
               env={"OTEL_BSP_MAX_QUEUE_SIZE": "1024", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "256"})
    load.run(server.address, requests("before"))
    sink.mode = "cut"
    load.run(server.address, requests("during", 4 * COUNT))
    sink.mode = "ok"
    load.run(server.address, requests("after"))
    wait_until(lambda: run.metric("sonde_export_queue_length") == 0 and len(set(sink.paths())) == 6 * COUNT,
               "every span arrived", 40)
    assert run.metric("sonde_spans_dropped_total") == 0
    run.stop()


def test_two_on_one_directory(server, sonde, work):
    queue = ["--queue-dir", f"{work}/queue"]
    endpoint = f"http://127.0.0.1:{free_port()}"
    first = otlp(sonde, server, endpoint, *queue)
    second = otlp(sonde, server, endpoint, *queue, ready=False)
    assert second.wait() == 1
    assert f"in use by another sonde (pid {first.process.pid})" in second.process.stderr()
    first.stop()


def test_a_receiver_that_comes_back_slow(server, sonde, started, work):
    sink = started(HttpSink("cut"))
    run = otlp(sonde, server, sink.endpoint, "--queue-dir", f"{work}/queue",
               env={"OTEL_BSP_MAX_QUEUE_SIZE": "1024", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "256"})
    load.run(server.address, requests("during"))
    wait_until(lambda: run.metric("sonde_export_queue_stored_spans_total") >= COUNT, "they are stored")
    sink.mode = "slow"
    load.run(server.address, requests("after"))
    wait_until(lambda: run.metric("sonde_export_queue_length") == 0 and len(set(sink.paths())) == 2 * COUNT,
               "every span arrived", 60)
    assert run.metric("sonde_spans_dropped_total") == 0
    run.stop()


class Disk:
    """A file system of its own on which 512 KiB are left, less than the spans need."""

    def __init__(self, work):
        image, self.path = f"{work}/disk.img", f"{work}/disk"
        os.mkdir(self.path)
        subprocess.run(["truncate", "--size=1M", image], check=True)
        subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", "-e", "remount-ro", image], check=True)
        self.device = subprocess.run(["losetup", "--find", "--show", image], check=True, capture_output=True, text=True).stdout.strip()
        subprocess.run(["mount", self.device, self.path], check=True)

    def fail(self):
        """As ext4 does it when the disk gives an error: nothing can be written any more."""
        with open(f"/sys/fs/ext4/{os.path.basename(self.device)}/trigger_fs_error", "w", encoding="utf-8") as file:
            file.write("1")

    def remove(self):
        subprocess.run(["umount", "--lazy", self.path], check=True)
        subprocess.run(["losetup", "--detach", self.device], check=True)


@pytest.fixture
def disk(work):
    try:
        made = Disk(work)
    except subprocess.CalledProcessError as reason:
        pytest.skip(f"no loop device here: {reason}")
    yield made
    made.remove()


def test_a_directory_on_a_read_only_disk(server, sonde, disk):
    subprocess.run(["mount", "-o", "remount,ro", disk.path], check=True)
    run = otlp(sonde, server, f"http://127.0.0.1:{free_port()}", "--queue-dir", f"{disk.path}/queue", ready=False)
    assert run.wait() == 2
    assert "Read-only file system; give a directory that sonde may write to" in run.process.stderr()


@pytest.mark.parametrize("ending", ["receiver", "stop"])
@pytest.mark.parametrize("trouble", ["full", "failed"])
def test_a_disk_that_takes_no_more(trouble, ending, server, sonde, started, disk):
    """Batches wait in memory then, as far as that goes; in the end the sum fits, with a receiver or without one."""
    sink = started(HttpSink("cut"))
    run = otlp(sonde, server, sink.endpoint, "--queue-dir", f"{disk.path}/queue", "--shutdown-timeout", "2s",
               env={"OTEL_BSP_MAX_QUEUE_SIZE": "16384", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "256"})
    load.run(server.address, requests("first", 300))
    wait_until(lambda: run.metric("sonde_export_queue_stored_spans_total") >= 300, "they are stored")
    if trouble == "failed":
        disk.fail()
    load.run(server.address, requests("second", 3 * COUNT))
    total = 300 + 3 * COUNT
    wait_until(lambda: run.metric("sonde_spans_total") == total, "every request is a span")
    wait_until(lambda: run.metric("sonde_export_queue_errors_total", operation="write") > 0, "the disk's failure is counted")
    if ending == "receiver":
        sink.mode = "ok"
        wait_until(lambda: run.metric("sonde_export_queue_length") == 0, "nothing waits", 40)
        arrived, dropped = len(set(sink.paths())), run.metric("sonde_spans_dropped_total")
        assert arrived + dropped == total and dropped == 0, (arrived, dropped)
        run.stop()
        return
    run.stop()
    exported, dropped, kept = last_words(run)
    assert exported + dropped + kept == total, (exported, dropped, kept)
    assert exported == 0 and kept >= 300
