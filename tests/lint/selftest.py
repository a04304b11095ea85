# SPDX-License-Identifier: Apache-2.0
"""Proves that each check finds what it is for: a small tree with one violation each, in a temporary repository."""
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import abi_version  # noqa: E402
import attributes  # noqa: E402
import dashboards  # noqa: E402
import layers  # noqa: E402
import links  # noqa: E402
import metrics  # noqa: E402
import registration  # noqa: E402
import text  # noqa: E402
from tree import Tree  # noqa: E402

APACHE = "// SPDX-License-Identifier: Apache-2.0\n"
DUAL = "/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */\n"


class LintTest(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.root = holder.name
        self.git("init", "-q")

    def git(self, *args):
        subprocess.run(["git", "-C", self.root, "-c", "user.name=lint", "-c", "user.email=lint@localhost", *args],
                       check=True, capture_output=True)

    def write(self, path, content):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(content)

    def findings(self, check):
        return list(check.run(Tree(self.root)))

    def expect(self, check, *parts):
        found = self.findings(check)
        self.assertEqual(len(found), 1, found)
        for part in parts:
            self.assertIn(part, found[0])

    def test_stage_that_includes_another_stage(self):
        self.write("src/trace/rule.h", APACHE)
        self.write("src/span/build.cpp", APACHE + '#include "trace/rule.h"\n#include "sonde/pipeline/span.h"\n')
        self.expect(layers, "src/span/build.cpp", "trace/rule.h")

    def test_agent_may_include_stages(self):
        self.write("src/trace/rule.h", APACHE)
        self.write("src/agent/pipeline.cpp", APACHE + '#include "trace/rule.h"\n')
        self.assertEqual(self.findings(layers), [])

    def test_stage_that_includes_the_kernel_boundary(self):
        self.write("src/span/build.cpp", APACHE + '#include "sonde/abi/record.h"\n')
        self.expect(layers, "sonde/abi/record.h")

    def test_abi_with_a_system_header(self):
        self.write("include/sonde/abi/record.h", DUAL + "#include <linux/types.h>\n#include <stdint.h>\n")
        self.expect(layers, "stdint.h")

    def test_kernel_code_that_includes_userspace(self):
        self.write("bpf/socket/send.bpf.c", DUAL + '#include "sonde/pipeline/span.h"\n')
        self.expect(layers, "bpf/socket/send.bpf.c")

    def test_protocol_without_registry_line_and_fuzzer(self):
        self.write("src/protocol/redis/parse.h", APACHE)
        found = self.findings(registration)
        self.assertEqual(len(found), 2, found)

    def test_registered_and_fuzzed_protocol(self):
        self.write("src/protocol/redis/parse.h", APACHE)
        self.write("src/protocol/registry.cpp", APACHE + '#include "protocol/redis/parse.h"\n')
        self.write("tests/fuzz/protocol/redis_fuzz.cpp", APACHE + '#include "protocol/redis/parse.h"\n')
        self.expect(registration, "no seeds")
        self.write("tests/fuzz/protocol/redis_fuzz_seeds/ping", "PING\r\n")
        self.assertEqual(self.findings(registration), [])

    def test_unregistered_probe(self):
        self.write("probes/openssl/manifest.cpp", APACHE + "const Family kOpenssl = {};\n")
        self.write("probes/openssl/NOTES.md", "x\n")
        self.expect(registration, "probes/openssl/manifest.cpp")
        self.write("probes/registry.cpp", APACHE + "const Family* const kAll[] = {&kOpenssl};\n")
        self.assertEqual(self.findings(registration), [])

    def test_tls_libraries(self):
        self.write("probes/tls/one/manifest.cpp", APACHE + 'const TlsLibrary kOne = {.name = "one", .resolve = R};\n')
        self.write("probes/tls/one/NOTES.md", "x\n")
        row = "| `one` ([notes](../../probes/tls/one/NOTES.md)) | x |\n"
        self.write("docs/reference/tls.md", row)
        self.write("probes/registry.cpp", APACHE + "const Family* const kAll[] = {&kOne};\n")
        self.expect(registration, "tls_libraries.cpp does not list &kOne")
        self.write("probes/tls/tls_libraries.cpp", APACHE + "k = {&kOther,\n &kOne};\n")
        self.write("docs/reference/tls.md", row.replace("`one`", "`two`"))
        self.expect(registration, "no row for one")
        self.write("docs/reference/tls.md", "| `one` | x |\n")
        self.expect(registration, "does not link to probes/tls/one/NOTES.md")
        self.write("docs/reference/tls.md", row)
        self.assertEqual(self.findings(registration), [])

    def test_kernel_program_that_nothing_loads(self):
        self.write("bpf/socket/send.bpf.c", DUAL)
        self.expect(registration, "send.skel.h")

    def test_abi_change_without_a_number(self):
        version = DUAL + "#define SONDE_ABI_MAJOR 1\n#define SONDE_ABI_MINOR {}\n"
        self.write("include/sonde/abi/version.h", version.format(0))
        self.write("include/sonde/abi/record.h", DUAL + "struct a { int b; };\n")
        self.git("add", ".")
        self.git("commit", "-qm", "first")
        self.git("tag", "v1")
        self.assertEqual(self.findings(abi_version), [])
        self.write("include/sonde/abi/record.h", DUAL + "/* why */\nstruct a { int b; };\n")
        self.assertEqual(self.findings(abi_version), [])
        self.write("include/sonde/abi/record.h", DUAL + "struct a { int b, c; };\n")
        self.expect(abi_version, "record.h")
        self.write("include/sonde/abi/version.h", version.format(1))
        self.assertEqual(self.findings(abi_version), [])

    def test_licences(self):
        self.write("bpf/socket/send.bpf.c", APACHE)
        self.expect(text, "bpf/socket/send.bpf.c", DUAL.split(": ")[1].split(" */")[0])
        self.write("bpf/socket/send.bpf.c", DUAL)
        self.write("src/span/build.cpp", "int a;\n")
        self.expect(text, "src/span/build.cpp", "no SPDX")

    def test_white_space(self):
        self.write("src/span/build.cpp", APACHE + "int a; \n")
        self.expect(text, ":2:", "blank")
        self.write("src/span/build.cpp", APACHE + "\tint a;\n")
        self.expect(text, ":2:", "tab")
        self.write("src/span/build.cpp", APACHE + "int a;")
        self.expect(text, "no end")

    def test_links(self):
        self.write("docs/a.md", "# One thing\n\n[b](b.md) [here](#one-thing) [web](https://localhost/)\n")
        self.expect(links, "b.md")
        self.write("docs/b.md", "see `script/none`\n")
        self.expect(links, "script/none")
        self.write("docs/b.md", "[a](a.md#another-thing)\n")
        self.expect(links, "another-thing")
        self.write("docs/b.md", "[a](a.md#one-thing)\n")
        self.assertEqual(self.findings(links), [])

    def test_dashboards(self):
        self.write("docs/reference/metrics.md", "| `sonde_a_total` | counter | | x | y |\n")
        self.write("deploy/grafana/a.json", '{"expr": "rate(sonde_a_total[5m]) / traces_service_graph_request_server_seconds_bucket"}')
        self.assertEqual(self.findings(dashboards), [])
        self.write("deploy/grafana/b.yaml", "# sonde_c_total is no query\nexpr: sonde_b_total\n")
        self.expect(dashboards, "deploy/grafana/b.yaml:2", "sonde_b_total")
        self.write("deploy/grafana/b.yaml", "expr: traces_span_metric_calls_total\n")
        self.expect(dashboards, "traces_span_metric_calls_total")

    def test_attributes(self):
        page = "docs/reference/attributes.md"
        self.write("src/resource/a.cpp", APACHE + 'void F() { Add("host.id", 1); Add("container.label." + key, 1); }\n')
        self.expect(attributes, page, "missing")
        self.write(page, "| Attribute | From |\n|---|---|\n| `host.id`, `container.label.KEY` | x |\n")
        self.assertEqual(len(self.findings(attributes)), 2)
        self.write("tests/unit/a_test.cpp", APACHE + "// of host.id and container.label.team\n")
        self.assertEqual(len(self.findings(attributes)), 2)
        self.write("tests/unit/a_test.cpp", APACHE + 'Of("host.id"); Of("container.label.team");\n')
        self.assertEqual(self.findings(attributes), [])
        self.write("src/resource/b.cpp", APACHE + 'void F() { Add("host.name", 1); }\n')
        self.expect(attributes, "src/resource/b.cpp", "host.name")

    def test_metrics(self):
        self.write("src/span/a.cpp", APACHE + 'auto& a = m.AddCounter("sonde_a_total", "Help; more.", {{"reason", "full"}});\n')
        self.expect(metrics, "docs/reference/metrics.md", "missing")
        self.write("docs/reference/metrics.md", "| `sonde_a_total` | counter | `reason` | x | `full` |\n")
        self.assertEqual(self.findings(metrics), [])
        self.write("docs/reference/metrics.md", "| `sonde_a_total` | gauge | `reason` | x | `full` |\n")
        self.expect(metrics, "sonde_a_total is counter")
        self.write("docs/reference/metrics.md", "| `sonde_a_total` | counter | `reason` | x | y |\n")
        self.expect(metrics, "reason full")
        self.write("docs/reference/metrics.md", "`full`\n")
        self.expect(metrics, "no row")


if __name__ == "__main__":
    unittest.main()
