# SPDX-License-Identifier: Apache-2.0
"""Software bill of materials of a root file system, as SPDX 2.3 in JSON: sbom.py ROOT VERSION MULTIARCH DATABASE. Every library, found
by its name among what dpkg's database says is in a directory MULTIARCH (x86_64-linux-gnu), stands for its package with the exact version."""
import datetime
import hashlib
import json
import os
import subprocess
import sys


def owners(names, multiarch, database):
    """{file name: (package, version, source)} of the shared libraries that dpkg knows."""
    query = ["dpkg-query", f"--admindir={database}"]
    listed = subprocess.run([*query, "-W", "-f", "${binary:Package}\t${Version}\t${source:Package}\n"], capture_output=True,
                            text=True, check=True).stdout
    packages = {name: (version, source) for name, version, source in (line.split("\t") for line in listed.splitlines())}
    found = {}
    patterns = [f"*/{name}*" for name in sorted(names)]
    output = subprocess.run([*query, "-S", *patterns], capture_output=True, text=True, check=False).stdout
    for line in output.splitlines():
        holders, _, path = line.partition(": ")
        name = os.path.basename(path)
        holder = holders.split(", ")[0]
        # Not the directories of 32-bit and foreign architectures.
        if name in names and holder in packages and os.path.dirname(path).endswith(f"/lib/{multiarch}"):
            found[name] = (holder.split(":")[0], *packages[holder])
    return found


def main(root, version, multiarch, database):
    paths = []
    for directory, _, names in os.walk(root):
        paths += [os.path.join(directory, name) for name in names if not os.path.islink(os.path.join(directory, name))]
    libraries = {os.path.basename(path) for path in paths if ".so" in os.path.basename(path)}
    known = owners(libraries, multiarch, database)
    unknown = sorted(libraries - known.keys())
    if unknown:
        sys.exit(f"sbom: no package holds {', '.join(unknown)}")
    authorities = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "ca-certificates"], capture_output=True, text=True,
                                 check=True).stdout
    packages = sorted(set(known.values()) | {("ca-certificates", authorities, "ca-certificates")})
    with open(os.path.join(root, "usr/bin/sonde"), "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    when = datetime.datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", os.path.getmtime(f"{root}/usr/bin/sonde"))),
                                           datetime.timezone.utc)
    entries = [{"SPDXID": "SPDXRef-sonde", "name": "sonde", "versionInfo": version, "downloadLocation": "NOASSERTION",
                "licenseConcluded": "Apache-2.0 AND (GPL-2.0-only OR BSD-2-Clause)", "filesAnalyzed": False,
                "checksums": [{"algorithm": "SHA256", "checksumValue": digest}]}]
    relations = [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-sonde"}]
    for name, package_version, source in packages:
        identity = "SPDXRef-" + "".join(c if c.isalnum() or c in ".-" else "-" for c in name)
        entries.append({"SPDXID": identity, "name": name, "versionInfo": package_version, "downloadLocation": "NOASSERTION",
                        "licenseConcluded": "NOASSERTION", "filesAnalyzed": False, "sourceInfo": f"built from: {source}",
                        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                                          "referenceLocator": f"pkg:deb/debian/{name}@{package_version.replace('+', '%2B')}"}]})
        relations.append({"spdxElementId": "SPDXRef-sonde", "relationshipType": "DEPENDS_ON", "relatedSpdxElement": identity})
    json.dump({"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"sonde-{version}-image",
               "documentNamespace": f"urn:sonde:image:{version}:{digest}",
               "creationInfo": {"created": when.strftime("%Y-%m-%dT%H:%M:%SZ"), "creators": ["Tool: sonde-deploy/docker/sbom.py"]},
               "packages": entries, "relationships": relations}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main(*sys.argv[1:])
