# SPDX-License-Identifier: Apache-2.0
"""http_server.py that loads its TLS library only after a while: late_ssl.py SECONDS PORT CERTIFICATE KEY."""
import runpy
import sys
import time

with open("/proc/self/maps", encoding="utf-8") as maps:
    assert "libssl" not in maps.read()
time.sleep(float(sys.argv.pop(1)))
runpy.run_module("http_server", run_name="__main__")
