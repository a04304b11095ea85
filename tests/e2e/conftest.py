# SPDX-License-Identifier: Apache-2.0
"""Fixtures: a short-named directory per test, and the stopping of everything that a test started."""
import os
import shutil
import tempfile

import pytest
from harness.sonde import BARE, BINARY, Bare, Sonde

SKIPPED = 77  # ctest's SKIP_RETURN_CODE


def pytest_configure(config):
    config.addinivalue_line("markers", "long: thousands of requests, or programs built from a registry; script/test --long")


def obstacle():
    if BARE:
        return None
    if not BINARY or not os.path.exists(BINARY):
        return "SONDE_BINARY does not name a built sonde"
    if os.getuid() != 0:
        return "not root"
    if not os.path.exists("/sys/kernel/btf/vmlinux"):
        return "the kernel has no BTF"
    return None


def pytest_collection_modifyitems(items):
    reason = obstacle()
    if reason:
        for item in items:
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_sessionfinish(session, exitstatus):
    results = session.config.pluginmanager.get_plugin("terminalreporter").stats
    if exitstatus == 0 and "skipped" in results and "passed" not in results:
        session.exitstatus = SKIPPED


@pytest.fixture
def work(request):
    """Short, because a unix socket's path must fit 108 bytes; readable by servers that drop privileges."""
    path = tempfile.mkdtemp(prefix="sonde-e2e-")
    os.chmod(path, 0o777)
    yield path
    failed = getattr(request.node, "failed", False)
    if failed and os.environ.get("SONDE_E2E_KEEP"):
        print(f"kept: {path}")
    else:
        shutil.rmtree(path, ignore_errors=True)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    outcome = yield
    if outcome.get_result().failed:
        item.failed = True


@pytest.fixture
def started():
    """started(x) stops x (server, process or sonde) when the test ends, last started first."""
    things = []

    def remember(thing):
        things.append(thing)
        return thing

    yield remember
    for thing in reversed(things):
        thing.stop()


@pytest.fixture
def sonde(work, request):
    """sonde(*args, **options) starts a run and waits until it is ready; it is killed if the test leaves it running."""
    runs = []

    def run(*args, ready=True, **options):
        one = (Bare if BARE else Sonde)(work, *args, name=f"sonde{len(runs)}", **options)
        runs.append(one)
        return one.ready() if ready else one

    yield run
    for one in runs:
        one.process.stop()
        if getattr(request.node, "failed", False):
            print(f"--- {' '.join(one.line)}\n{one.process.stderr()[-3000:]}")
