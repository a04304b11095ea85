// SPDX-License-Identifier: Apache-2.0
#include "config/overlay.h"

#include <string>
#include <string_view>

#include "config/draft.h"
#include "config/endpoint.h"
#include "config/key.h"
#include "config/key_table.h"
#include "config/origin.h"
#include "config/section.h"

namespace sonde::config {

void ApplyOverlay(const Overlay& overlay, ExporterDraft& exporter, Draft& draft,
                  Findings& findings) {
  const KeyTable& keys = OtlpOverlayKeys(overlay.signal);
  const bool from_file = exporter.origins.contains("endpoint");
  const auto file_protocol = exporter.protocol;
  draft.exporter = exporter;
  const Target target{draft, findings, draft.exporter.origins};
  ApplyEnvironment(keys, overlay.environment, target);
  if (from_file && draft.exporter.origins["endpoint"].layer == Layer::kFile &&
      draft.exporter.protocol != file_protocol) {
    draft.exporter.protocol = file_protocol;
    findings.AddWarning(
        "OTEL_EXPORTER_OTLP_PROTOCOL is ignored: the file gives protocol and endpoint");
  }
  ApplyFlags(keys, overlay.flags, target);
  exporter = draft.exporter;
}

void ResolveOrTell(ExporterDraft& exporter, std::string_view path, Findings& findings) {
  const auto status = ResolveEndpoint(exporter, path);
  if (status.ok()) return;
  const auto origin = exporter.origins.find("endpoint");
  findings.AddError((origin == exporter.origins.end() ? "" : origin->second.ToString() + ": ") +
                    std::string(status.message()));
}

}  // namespace sonde::config
