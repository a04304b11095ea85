# SPDX-License-Identifier: Apache-2.0
"""The files of the project, as git sees them: tracked, or new and not ignored."""
import functools
import os
import re
import subprocess

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+["<]([^">]+)[">]', re.MULTILINE)


class Tree:
    def __init__(self, root):
        self.root = os.path.abspath(root)

    @functools.cached_property
    def files(self):
        """Paths relative to the root, sorted."""
        out = self.git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
        return sorted({p for p in out.split("\0") if p and os.path.isfile(os.path.join(self.root, p))})

    def git(self, *args):
        done = subprocess.run(["git", "-c", f"safe.directory={self.root}", "-C", self.root, *args],
                              capture_output=True, text=True, check=True)
        return done.stdout

    def under(self, *prefixes, suffixes=("",)):
        return [p for p in self.files if p.startswith(prefixes) and p.endswith(suffixes)]

    def read(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as file:
            return file.read()

    def is_binary(self, path):
        with open(os.path.join(self.root, path), "rb") as file:
            return b"\0" in file.read(8192)

    def includes(self, path):
        return INCLUDE.findall(self.read(path))

    def exists(self, path):
        return os.path.exists(os.path.join(self.root, path))

    def is_file(self, path):
        return os.path.isfile(os.path.join(self.root, path))
