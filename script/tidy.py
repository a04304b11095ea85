# SPDX-License-Identifier: Apache-2.0
"""Runs clang-tidy on this project's sources in a compile_commands.json, in parallel, and remembers what passed.

A file's key is the content of the file, of every own header it reaches, of .clang-tidy and of its compile command, with paths
relative to the clone. Keys of clean files are empty files in the user's cache folder, which all clones share, as ccache's is;
a file with findings is checked again each time.
"""
import concurrent.futures
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "sonde", "tidy")
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def own_headers(source):
    """Every header of the project that `source` reaches through quoted includes."""
    reached, todo = {}, [source]
    while todo:
        path = todo.pop()
        if path in reached:
            continue
        reached[path] = read(path)
        for name in INCLUDE.findall(reached[path]):
            for base in (os.path.dirname(path), ROOT, f"{ROOT}/include", f"{ROOT}/src", f"{ROOT}/tests"):
                candidate = os.path.normpath(os.path.join(base, name))
                if os.path.isfile(candidate):
                    todo.append(candidate)
                    break
    return reached


def key_of(entry, tool_version):
    digest = hashlib.sha256()
    digest.update(tool_version.encode())
    digest.update(read(f"{ROOT}/.clang-tidy").encode())
    digest.update(entry["command"].replace(ROOT, "").encode())
    for path, text in sorted(own_headers(entry["file"]).items()):
        digest.update(os.path.relpath(path, ROOT).encode())
        digest.update(text.encode())
    return digest.hexdigest()


def check(tool, build, entry):
    command = [tool, "-p", build, "--quiet", entry["file"]]
    # clang does not know some of GCC's warning names; that is no finding.
    command.insert(1, "--extra-arg=-Wno-unknown-warning-option")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + (done.stderr if done.returncode else "")


def main():
    build = sys.argv[1]
    only = sys.argv[2:]
    tool = shutil.which("clang-tidy-19") or shutil.which("clang-tidy")
    if not tool:
        sys.exit("clang-tidy is not installed")
    version = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True).stdout
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        entries = [e for e in json.load(file) if e["file"].startswith((f"{ROOT}/src/", f"{ROOT}/probes/"))]
    if only:
        entries = [e for e in entries if any(part in e["file"] for part in only)]
    os.makedirs(CACHE, exist_ok=True)
    keys = {e["file"]: key_of(e, version) for e in entries}
    todo = [e for e in entries if not os.path.exists(f"{CACHE}/{keys[e['file']]}")]
    started = time.monotonic()
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        futures = {pool.submit(check, tool, build, e): e["file"] for e in todo}
        for future in concurrent.futures.as_completed(futures):
            path = futures[future]
            code, output = future.result()
            if code == 0:
                open(f"{CACHE}/{keys[path]}", "w", encoding="utf-8").close()
            else:
                bad += 1
                print(f"-- {os.path.relpath(path, ROOT)}\n{output.strip()}", flush=True)
    print(f"clang-tidy: {len(entries)} files, {len(todo)} checked now in {time.monotonic() - started:.0f} s, {bad} with findings")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
