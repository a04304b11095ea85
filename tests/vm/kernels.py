# SPDX-License-Identifier: Apache-2.0
"""Debian's kernels for guests: fetched with apt from suites beside the machine's own, unpacked into a cache, never installed."""
import glob
import os
import re
import shutil
import subprocess


class Unavailable(Exception):
    """No such kernel can be had here; says why."""


def _paragraphs(path):
    """The sources of a deb822 file, or the lines of a one-line file, as {field: value}."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if path.endswith(".sources"):
        for paragraph in re.split(r"\n\s*\n", re.sub(r"^#.*\n", "", text, flags=re.M)):
            fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", paragraph, flags=re.M))
            if "deb" in fields.get("Types", "").split() and fields.get("Enabled", "yes").lower() not in ("no", "false"):
                yield fields
        return
    for line in re.findall(r"^deb\s+(?:\[(.*?)\]\s+)?(\S+)\s+(\S+)\s+(.*)$", text, flags=re.M):
        signed = re.search(r"signed-by=(\S+)", line[0])
        yield {"URIs": line[1], "Suites": line[2], "Components": line[3], "Signed-By": signed.group(1) if signed else ""}


def source_of(suite, root="/etc"):
    """A line of sources.list for `suite`, made of the machine's own entry for its release (or that release's security suite)."""
    with open(f"{root}/os-release", encoding="utf-8") as file:
        own = re.search(r"^VERSION_CODENAME=(\S+)", file.read(), flags=re.M)
    if not own:
        raise Unavailable("this system has no release name")
    wanted = own.group(1) + ("-security" if suite.endswith("-security") else "")
    files = [f"{root}/apt/sources.list", *sorted(glob.glob(f"{root}/apt/sources.list.d/*"))]
    for path in files:
        if not path.endswith((".list", ".sources")) or not os.path.exists(path):
            continue
        for fields in _paragraphs(path):
            if wanted in fields["Suites"].split():
                signed = f"[signed-by={fields['Signed-By']}] " if fields.get("Signed-By", "").startswith("/") else ""
                return f"deb {signed}{fields['URIs'].split()[0]} {suite} main"
    raise Unavailable(f"apt has no entry for {wanted}, from which that of {suite} would be made")


class Archive:
    """One suite, with an apt state of its own: the machine's lists and packages stay as they are."""

    def __init__(self, suite, directory):
        self.directory = os.path.join(directory, suite)
        for name in ("lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(self.directory, name), exist_ok=True)
        with open(os.path.join(self.directory, "sources.list"), "w", encoding="utf-8") as file:
            file.write(source_of(suite) + "\n")
        self.options = [f"-o{key}={value}" for key, value in {
            "Dir::Etc::sourcelist": f"{self.directory}/sources.list", "Dir::Etc::sourceparts": "/dev/null",
            "Dir::State::lists": f"{self.directory}/lists", "Dir::State::status": "/dev/null",
            "Dir::Cache": f"{self.directory}/cache", "APT::Sandbox::User": "root", "Acquire::Retries": "3",
            "Acquire::Check-Valid-Until": "false", "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false"}.items()]
        self._apt("apt-get", "-q", "update", "--error-on=any")

    def _apt(self, command, *args, cwd=None):
        done = subprocess.run([command, *self.options, *args], cwd=cwd, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode:
            raise Unavailable(f"{command} {args[-1]}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
        return done.stdout

    def depends(self, package):
        """Its newest version, and the packages it needs."""
        text = self._apt("apt-cache", "show", "--no-all-versions", package)
        fields = dict(re.findall(r"^(Version|Depends|Package): (.*)$", text, flags=re.M))
        if not fields:
            raise Unavailable(f"no package {package}")
        return fields["Version"], [re.split(r"[ (|]", part.strip())[0] for part in fields.get("Depends", "").split(",") if part]

    def download(self, package, into):
        os.makedirs(into, exist_ok=True)
        self._apt("apt-get", "-q", "download", package, cwd=into)
        return glob.glob(os.path.join(into, f"{glob.escape(package)}_*.deb"))[0]


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


def fetch(suite, package, cache):
    """(path of the kernel, version of its package). The meta package leads to the one that holds it."""
    archive = Archive(suite, os.path.join(cache, "apt"))
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
