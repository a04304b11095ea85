# SPDX-License-Identifier: Apache-2.0
"""Packages of Debian suites and architectures beside the machine's own, through apt with a state of its own: the machine's lists,
architectures and packages stay as they are."""
import glob
import os
import re
import subprocess


class Unavailable(Exception):
    """This cannot be had here; says why."""


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


def codename(root="/etc"):
    """Name of the machine's own release."""
    with open(f"{root}/os-release", encoding="utf-8") as file:
        own = re.search(r"^VERSION_CODENAME=(\S+)", file.read(), flags=re.M)
    if not own:
        raise Unavailable("this system has no release name")
    return own.group(1)


def source_of(suite, root="/etc"):
    """A line of sources.list for `suite`, made of the machine's own entry for its release (or that release's security suite)."""
    wanted = codename(root) + ("-security" if suite.endswith("-security") else "")
    files = [f"{root}/apt/sources.list", *sorted(glob.glob(f"{root}/apt/sources.list.d/*"))]
    for path in files:
        if not path.endswith((".list", ".sources")) or not os.path.exists(path):
            continue
        for fields in _paragraphs(path):
            if wanted in fields["Suites"].split():
                signed = f"[signed-by={fields['Signed-By']}] " if fields.get("Signed-By", "").startswith("/") else ""
                return f"deb {signed}{fields['URIs'].split()[0]} {suite} main"
    raise Unavailable(f"apt has no entry for {wanted}, from which that of {suite} would be made")


def offered(suite):
    """[suite], or nothing if this machine's apt has no entry of which one for it could be made."""
    try:
        source_of(suite)
    except Unavailable:
        return []
    return [suite]


class Archive:
    """Suites for one architecture (the machine's own if none is named). What apt keeps of them is in `directory`."""

    def __init__(self, suites, directory, architecture=None):
        self.directory = directory = os.path.abspath(directory)  # apt takes others as beneath its own
        for name in ("lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(directory, name), exist_ok=True)
        with open(os.path.join(directory, "sources.list"), "w", encoding="utf-8") as file:
            file.writelines(source_of(suite) + "\n" for suite in suites)
        self.options = [f"-o{key}={value}" for key, value in {
            "Dir::Etc::sourcelist": f"{directory}/sources.list", "Dir::Etc::sourceparts": "/dev/null",
            "Dir::State::lists": f"{directory}/lists", "Dir::State::status": "/dev/null",
            "Dir::Cache": f"{directory}/cache", "APT::Sandbox::User": "root", "Acquire::Retries": "3",
            "APT::Install-Recommends": "false", "Acquire::Check-Valid-Until": "false",
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false"}.items()]
        if architecture:
            self.options += [f"-oAPT::Architecture={architecture}", f"-oAPT::Architectures::={architecture}"]
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
        """The path of its newest version."""
        os.makedirs(into, exist_ok=True)
        self._apt("apt-get", "-q", "download", package, cwd=into)
        return glob.glob(os.path.join(into, f"{glob.escape(package)}_*.deb"))[0]

    def download_all(self, packages):
        """The paths of these packages and of everything that they need, as for a machine that has nothing."""
        self._apt("apt-get", "clean")  # of versions before these
        self._apt("apt-get", "-q", "-y", "--download-only", "install", *packages)
        return sorted(glob.glob(f"{self.directory}/cache/archives/*.deb"))
