# SPDX-License-Identifier: Apache-2.0
"""A test authority and a certificate for localhost, made when first needed, and what makes programs trust them."""
import collections
import fcntl
import os
import ssl
import subprocess

CACHE = os.environ.get("SONDE_E2E_CACHE", "/tmp/sonde-e2e-cache")
Files = collections.namedtuple("Files", "authority certificate key")


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr[-2000:]}"


def make(directory):
    """ECDSA P-256: a handshake costs little, so that many can be afforded."""
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650",
        "-subj", "/CN=sonde test authority", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        "-keyout", f"{directory}/authority.key", "-out", f"{directory}/authority.pem")
    run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
        "-keyout", f"{directory}/server.key", "-out", f"{directory}/server.csr")
    with open(f"{directory}/extensions", "w", encoding="utf-8") as file:
        file.write("basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth\n"
                   "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\n")
    run("openssl", "x509", "-req", "-in", f"{directory}/server.csr", "-CA", f"{directory}/authority.pem",
        "-CAkey", f"{directory}/authority.key", "-CAcreateserial", "-days", "3650", "-extfile", f"{directory}/extensions",
        "-out", f"{directory}/server.part")
    # Last, whole or not at all: its presence says that the rest is there.
    os.replace(f"{directory}/server.part", f"{directory}/server.pem")


class Locked:
    """One at a time, over processes: tests run side by side and share the cache."""

    def __init__(self, name):
        os.makedirs(CACHE, exist_ok=True)
        self.path = os.path.join(CACHE, f"{name}.lock")

    def __enter__(self):
        self.file = open(self.path, "w", encoding="utf-8")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *_):
        self.file.close()


def files():
    directory = os.path.join(CACHE, "tls")
    with Locked("tls"):
        os.makedirs(directory, exist_ok=True)
        if not os.path.exists(f"{directory}/server.pem"):
            make(directory)
            os.chmod(f"{directory}/server.key", 0o644)  # read by servers that drop privileges
    return Files(f"{directory}/authority.pem", f"{directory}/server.pem", f"{directory}/server.key")


def trust():
    """Environment in which every client of the tests trusts the authority, each by the name that it knows."""
    authority = files().authority
    return dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO",
                          "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"), authority)


def context(alpn="http/1.1", newest=ssl.TLSVersion.MAXIMUM_SUPPORTED):
    made = ssl.create_default_context(cafile=files().authority)
    made.maximum_version = newest
    made.set_alpn_protocols([alpn])
    return made
