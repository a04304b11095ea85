// SPDX-License-Identifier: Apache-2.0
#include "resource/host.h"

#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "resource/owned_resource.h"
#include "resource/text.h"
#include "sonde/pipeline/process.h"

namespace sonde::resource {
namespace {

constexpr size_t kSmallFileBytes = 64U << 10;
constexpr size_t kPasswdBytes = 1U << 20;

std::string_view TakeLine(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

std::string FirstLine(const ProcessReader& reader, std::string_view name) {
  const std::string content = reader.ReadFile(name, kSmallFileBytes).value_or("");
  std::string_view text = content;
  return ToUtf8(TakeLine(text));
}

template <typename Number>
bool ParseNumber(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

// os-release(5): KEY=value or KEY="value"; the values used here hold no escapes in practice.
void ParseOsRelease(std::string_view text, HostFacts& host) {
  while (!text.empty()) {
    const std::string_view line = TakeLine(text);
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    std::string_view value = line.substr(equals + 1);
    if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'')) {
      value = value.substr(1, value.size() - 2);
    }
    const std::string_view key = line.substr(0, equals);
    if (key == "NAME") host.os_name = ToUtf8(value);
    if (key == "VERSION_ID") host.os_version = ToUtf8(value);
    if (key == "PRETTY_NAME") host.os_description = ToUtf8(value);
  }
}

// name:password:uid:...; the first name of a uid counts.
void ParseUsers(std::string_view text, HostFacts& host) {
  while (!text.empty()) {
    const std::string_view line = TakeLine(text);
    const size_t first = line.find(':');
    const size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    const size_t third = second == std::string_view::npos ? second : line.find(':', second + 1);
    uint32_t uid = 0;
    if (third == std::string_view::npos) continue;
    if (!ParseNumber(line.substr(second + 1, third - second - 1), uid)) continue;
    host.users.emplace(uid, ToUtf8(line.substr(0, first)));
  }
}

// Values that the conventions list; any other machine name is given as it is.
std::string Architecture() {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kNames = {{
      {"x86_64", "amd64"},
      {"aarch64", "arm64"},
      {"i686", "x86"},
      {"i386", "x86"},
      {"armv7l", "arm32"},
      {"ppc64le", "ppc64"},
      {"s390x", "s390x"},
      {"ia64", "ia64"},
  }};
  utsname names{};
  if (uname(&names) != 0) return {};
  const std::string_view machine = &names.machine[0];
  for (const auto& [kernel, convention] : kNames) {
    if (machine == kernel) return std::string(convention);
  }
  return std::string(machine);
}

uint64_t BootTime(const ProcessReader& reader) {
  constexpr std::string_view kKey = "btime ";
  const std::string content = reader.ReadFile("stat", kPasswdBytes).value_or("");
  std::string_view text = content;
  uint64_t seconds = 0;
  while (!text.empty()) {
    const std::string_view line = TakeLine(text);
    if (line.starts_with(kKey) && ParseNumber(line.substr(kKey.size()), seconds)) return seconds;
  }
  return 0;
}

}  // namespace

HostFacts ReadHost(const ProcessReader& reader, const std::string& root) {
  HostFacts host;
  if (!reader.sees_anything()) return host;
  const ProcessReader files(root + "/etc");
  host.name = FirstLine(reader, "sys/kernel/hostname");
  host.boot_id = FirstLine(reader, "sys/kernel/random/boot_id");
  host.boot_wall_s = BootTime(reader);
  host.arch = Architecture();
  host.id = FirstLine(files, "machine-id");
  if (host.id.empty()) host.id = FirstLine(ProcessReader(root + "/var/lib/dbus"), "machine-id");
  auto release = files.ReadFile("os-release", kSmallFileBytes);
  if (!release) release = ProcessReader(root + "/usr/lib").ReadFile("os-release", kSmallFileBytes);
  ParseOsRelease(release.value_or(""), host);
  ParseUsers(files.ReadFile("passwd", kPasswdBytes).value_or(""), host);
  return host;
}

void HostFacts::AddTo(ResourceBuilder& builder) const {
  if (name.empty() && id.empty() && arch.empty())
    return;  // nothing was read: another host's recording
  builder.AddText("host.name", name);
  builder.AddText("host.id", id);
  builder.AddText("host.arch", arch);
  builder.AddText("os.type", "linux");
  builder.AddText("os.name", os_name);
  builder.AddText("os.version", os_version);
  builder.AddText("os.description", os_description);
}

}  // namespace sonde::resource
