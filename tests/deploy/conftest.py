# SPDX-License-Identifier: Apache-2.0
"""Fixtures: the packages of this build, made once per run."""
import glob
import os
import shutil
import subprocess

import pytest

SKIPPED = 77  # ctest's SKIP_RETURN_CODE
BUILD = os.environ.get("SONDE_BUILD", "")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def pytest_sessionfinish(session, exitstatus):
    results = session.config.pluginmanager.get_plugin("terminalreporter").stats
    if exitstatus == 0 and "skipped" in results and "passed" not in results:
        session.exitstatus = SKIPPED


def run(*command, **options):
    """The output of a command that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **{"timeout": 300, **options})
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.returncode}\n{(done.stdout + done.stderr)[-4000:]}"
    return done.stdout


def need(*tools):
    for tool in tools:
        if not shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
            pytest.skip(f"{tool} is not installed")


def package(kind):
    assert BUILD, "SONDE_BUILD does not name a build directory"
    run("cmake", "--build", BUILD, "--target", "sonde", "sonde_package_files", timeout=1500)
    directory = os.path.join(BUILD, f"test-{kind}")
    shutil.rmtree(directory, ignore_errors=True)
    run("cpack", "--config", os.path.join(BUILD, "CPackConfig.cmake"), "-G", kind.upper(), "-B", directory)
    (made,) = glob.glob(f"{directory}/*.{kind}")
    return made


@pytest.fixture(scope="session")
def deb():
    need("dpkg-shlibdeps")
    return package("deb")


@pytest.fixture(scope="session")
def rpm():
    need("rpmbuild")
    return package("rpm")
