# SPDX-License-Identifier: Apache-2.0
"""Debian's kernels for guests: fetched with apt from suites beside the machine's own, unpacked into a cache, never installed."""
import glob
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "script"))
from debian import Archive, Unavailable  # noqa: E402,F401  (what script/sysroot unpacks libraries with)


def _unpack_image(deb, directory):
    """The kernel in this package, None if it has none."""
    tree = os.path.join(directory, "tree")
    os.makedirs(tree, exist_ok=True)
    subprocess.run(["dpkg-deb", "-x", deb, tree], check=True)
    images = [path for path in glob.glob(f"{tree}/boot/vmlinuz-*") + glob.glob(f"{tree}/**/vmlinuz", recursive=True)
              if os.path.isfile(path) and not os.path.islink(path)]
    image = os.path.join(directory, "vmlinuz")
    if images:
        shutil.copy(images[0], image)
    shutil.rmtree(tree)
    return image if images else None


def fetch(suite, package, cache, architecture=None):
    """(path of the kernel, version of its package). The meta package leads to the one that holds it."""
    archive = Archive([suite], os.path.join(cache, "apt", *([architecture] if architecture else []), suite), architecture)
    pending, seen = [package], set()
    while pending:
        name = pending.pop(0)
        seen.add(name)
        version, needs = archive.depends(name)
        directory = os.path.join(cache, "kernels", f"{name}_{version}".replace(":", "%"))
        image = os.path.join(directory, "vmlinuz")
        if os.path.exists(image):
            return image, version
        if re.search(r"-\d", name):  # a meta package has no version in its name
            deb = archive.download(name, directory)
            found = _unpack_image(deb, directory)
            os.unlink(deb)
            if found:
                return found, version
        pending += [n for n in needs if re.match(r"linux-(image|binary)-", n) and n not in seen]
    raise Unavailable(f"no kernel in {package} of {suite}")
