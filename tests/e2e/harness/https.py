# SPDX-License-Identifier: Apache-2.0
"""The servers of servers.py over TLS. Each takes a directory; how a client reaches them is the same but for the certificate."""
import glob
import os

from . import build, servers, tls
from .process import free_port
from .servers import APPS, PYTHON, Server

# What applications answer in nginx, which has none.
NGINX = "location / { return 200 'hello, world\\n'; } location /gone/ { return 410; } location /files/ { alias %s/; }"


def nginx(directory, http2=False, workers=1, name="nginx", env=None):
    files = tls.files()
    root, _ = servers.static_files(directory)
    server = servers.nginx(directory, NGINX % root, workers=workers, name=name, options=" ssl http2" if http2 else " ssl",
                           top=f"ssl_certificate {files.certificate}; ssl_certificate_key {files.key};")
    server.env.update(env or {})
    return server


def apache(directory, http2=False):
    """The static files of servers.apache, below /files too."""
    files = tls.files()
    modules = "/usr/lib/apache2/modules"
    return servers.apache(directory, f"""
ThreadsPerChild 64
MaxRequestWorkers 128
LoadModule ssl_module {modules}/mod_ssl.so
{f"LoadModule http2_module {modules}/mod_http2.so" if http2 else ""}
{"Protocols h2 http/1.1" if http2 else ""}
Alias /files {directory}/files
SSLEngine on
SSLCertificateFile {files.certificate}
SSLCertificateKeyFile {files.key}
""")


def secrets():
    files = tls.files()
    return [files.certificate, files.key]


def http_server(directory, python=PYTHON, env=None):
    server = servers.python_app(directory, "http_server.py", "http_server", *secrets(), python=python)
    server.env.update(env or {})
    return server


def uvicorn(directory, loop="asyncio", python=PYTHON):
    certificate, key = secrets()
    return servers.uvicorn(directory, "--loop", loop, "--http", "h11", "--ssl-certfile", certificate, "--ssl-keyfile", key,
                           python=python)


def gunicorn(directory, kind="gthread", workers=1):
    certificate, key = secrets()
    return servers.gunicorn(directory, kind, workers, arguments=["--certfile", certificate, "--keyfile", key])


def node(directory, http2=False):
    return servers.node(directory, "http2" if http2 else "https", *secrets())


def go(directory, stripped=False):
    return servers.go(directory, *secrets(), stripped=stripped)


def webrick(directory):
    port = free_port()
    return Server([build.program("ruby"), os.path.join(APPS, "ruby_server.rb"), str(port), *secrets()], directory, "webrick",
                  ("127.0.0.1", port), f"{directory}/webrick.log")


def puma(directory):
    port = free_port()
    certificate, key = secrets()
    bind = f"ssl://127.0.0.1:{port}?cert={certificate}&key={key}"
    return Server([build.program("puma"), "-q", "-e", "production", "-t", "48:48", "-b", bind, os.path.join(APPS, "puma_app.ru")],
                  directory, "puma", ("127.0.0.1", port), f"{directory}/puma.log")


def pyopenssl(directory, python):
    return servers.python_app(directory, "pyopenssl_server.py", "pyopenssl", *secrets(), python=python)


def pyenv(version):
    """An interpreter of another version: up to 3.9 it calls SSL_read and SSL_write, from 3.10 on their _ex forms."""
    found = sorted(glob.glob(os.path.expanduser(f"~/.pyenv/versions/{version}.*/bin/python3")))
    if not found:
        raise build.Missing(f"no Python {version} of pyenv")
    return found[-1]


def rustls(directory, mode="serve"):
    port = free_port()
    return Server([build.rust_peer(), mode, str(port), *secrets()], directory, "rustls", ("127.0.0.1", port),
                  f"{directory}/rustls.log")


def gnutls_serv(directory):
    """Answers any request with its page and closes; keeps no log."""
    port = free_port()
    certificate, key = secrets()
    return Server([build.program("gnutls-serv"), "--http", "-q", "-p", str(port), "--x509certfile", certificate, "--x509keyfile", key],
                  directory, "gnutls-serv", ("127.0.0.1", port), f"{directory}/none.log")
