// SPDX-License-Identifier: Apache-2.0
#include "container/membership.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/pipeline/workload.h"

namespace sonde::container {
namespace {

constexpr size_t kIdLength = 64;        // hex digits of a container's id
constexpr size_t kUuidLength = 36;      // of a pod
constexpr size_t kMirrorLength = 32;    // of a static pod: a hash
constexpr size_t kMaxSegments = 64;     // of a path; the kernel allows far fewer levels in practice
constexpr size_t kMaxNameBytes = 255;   // of a unit or an LXC container
constexpr size_t kMaxMountLines = 512;  // what runtimes mount stands among the first

bool IsHex(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool IsId(std::string_view text) { return text.size() == kIdLength && IsHex(text); }

bool IsDigits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// Of a Fargate task: 32 hex digits, a dash, a number.
bool IsTaskContainer(std::string_view text) {
  constexpr size_t kTaskLength = 32;
  return text.size() > kTaskLength + 1 && IsHex(text.substr(0, kTaskLength)) &&
         text[kTaskLength] == '-' && IsDigits(text.substr(kTaskLength + 1));
}

std::vector<std::string_view> Segments(std::string_view path) {
  std::vector<std::string_view> segments;
  while (!path.empty() && segments.size() < kMaxSegments) {
    const std::string_view segment = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(segment.size() + 1, path.size()));
    if (!segment.empty()) segments.push_back(segment);
  }
  return segments;
}

// The name before the id, as each runtime has it; what stands above a bare id.
struct Form {
  std::string_view name;
  std::string_view runtime;
};
constexpr std::array kPrefixes = {
    Form{.name = "docker", .runtime = "docker"},
    Form{.name = "cri-containerd", .runtime = "containerd"},
    Form{.name = "containerd", .runtime = "containerd"},
    Form{.name = "nerdctl", .runtime = "containerd"},
    Form{.name = "crio", .runtime = "cri-o"},
    Form{.name = "libpod", .runtime = "podman"},
    Form{.name = "libpod-payload", .runtime = "podman"},
};
constexpr std::array kParents = {
    Form{.name = "docker", .runtime = "docker"},
    Form{.name = "ecs", .runtime = "docker"},
    Form{.name = "libpod_parent", .runtime = "podman"},
    Form{.name = "k8s.io", .runtime = "containerd"},
};
// Monitors: "crio-conmon-<id>.scope" is no container.
constexpr std::string_view kMonitor = "conmon";

template <size_t N>
std::optional<std::string_view> RuntimeOf(std::string_view name, const std::array<Form, N>& forms) {
  for (const Form& form : forms) {
    if (form.name == name) return form.runtime;
  }
  return std::nullopt;
}

std::string_view Without(std::string_view text, std::string_view suffix) {
  return text.ends_with(suffix) ? text.substr(0, text.size() - suffix.size()) : text;
}

struct Found {
  std::string_view id;
  std::string_view runtime;
};

// "docker-<id>.scope", "crio-<id>", "<slice>:cri-containerd:<id>", "<id>".
std::optional<Found> ContainerOf(std::string_view segment, std::string_view parent) {
  const std::string_view name = Without(segment, ".scope");
  if (IsId(name)) return Found{.id = name, .runtime = RuntimeOf(parent, kParents).value_or("")};
  if (IsTaskContainer(name)) return Found{.id = name, .runtime = "containerd"};
  if (name.size() <= kIdLength + 1) return std::nullopt;
  const size_t at = name.size() - kIdLength;
  const std::string_view id = name.substr(at);
  const char separator = name[at - 1];
  if (!IsId(id) || (separator != '-' && separator != ':')) return std::nullopt;
  std::string_view prefix = name.substr(0, at - 1);
  if (separator == ':') prefix = prefix.substr(prefix.rfind(':') + 1);  // npos + 1 == 0
  if (prefix.ends_with(kMonitor)) return std::nullopt;
  const auto runtime = RuntimeOf(prefix, kPrefixes);
  if (!runtime && separator == '-') return std::nullopt;  // something else's unit
  return Found{.id = id, .runtime = runtime.value_or("")};
}

// "lxc.payload.web", or "web" below "lxc" or "lxc.payload". The monitor is outside of its
// container.
std::optional<Found> LxcOf(std::string_view segment, std::string_view parent) {
  constexpr std::string_view kPayload = "lxc.payload.";
  if (segment.starts_with(kPayload))
    segment.remove_prefix(kPayload.size());
  else if (parent != "lxc" && parent != "lxc.payload")
    return std::nullopt;
  if (segment.empty() || segment.size() > kMaxNameBytes) return std::nullopt;
  return Found{.id = segment, .runtime = "lxc"};
}

// Kubernetes writes "pod<uid>" below its own directories; as a unit's name "kubepods-burstable-
// pod<uid>.slice", where dashes of the uid became underscores.
std::string PodOf(std::string_view segment) {
  segment = segment.substr(0, segment.find(':'));
  segment = Without(segment, ".slice");
  const size_t at = segment.starts_with("pod")         ? 0
                    : segment.starts_with("kubepods-") ? segment.rfind("-pod") + 1  // npos + 1 == 0
                                                       : std::string_view::npos;
  if (at == std::string_view::npos || !segment.substr(at).starts_with("pod")) return {};
  std::string uid(segment.substr(at + 3));
  std::ranges::replace(uid, '_', '-');
  if (uid.size() == kMirrorLength && IsHex(uid)) return uid;
  if (uid.size() != kUuidLength || uid[8] != '-' || uid[13] != '-' || uid[18] != '-' ||
      uid[23] != '-') {
    return {};
  }
  return std::ranges::all_of(uid, [](char c) { return c == '-' || IsHex({&c, 1}); })
             ? uid
             : std::string();
}

// Innermost first, so that what runs inside a container that runs containers is told from it.
bool AddContainer(std::span<const std::string_view> segments, Membership& membership) {
  for (size_t i = segments.size(); i-- > 0;) {
    const std::string_view parent = i == 0 ? std::string_view() : segments[i - 1];
    auto found = ContainerOf(segments[i], parent);
    if (!found) found = LxcOf(segments[i], parent);
    if (!found) continue;
    membership.container_id = found->id;
    membership.runtime = found->runtime;
    for (size_t above = i + 1; above-- > 0 && membership.pod_uid.empty();) {
      membership.pod_uid = PodOf(segments[above]);
    }
    // Bare ids below a pod: others write their name before it.
    if (membership.runtime.empty() && !membership.pod_uid.empty())
      membership.runtime = "containerd";
    return true;
  }
  return false;
}

// As systemd itself reads them: after the slices comes the unit; below a user's manager the user's
// unit. A container's scope is a unit too, but says nothing that its id does not.
void AddUnit(std::span<const std::string_view> segments, Membership& membership) {
  for (const std::string_view segment : segments) {
    if (segment.size() > kMaxNameBytes) return;
    if (segment.ends_with(".slice")) {
      membership.slice = segment;
    } else if (segment.ends_with(".service") || segment.ends_with(".scope")) {
      if (ContainerOf(segment, "")) return;
      membership.unit = segment;
      if (!segment.starts_with("user@")) return;
    }
  }
}

// A line of mountinfo: "36 35 98:0 /root /mount/point ...": words 3 and 4.
struct Mount {
  std::string_view root;
  std::string_view point;
};

std::optional<Mount> ParseMount(std::string_view line) {
  std::array<std::string_view, 5> words;
  for (std::string_view& word : words) {
    word = line.substr(0, line.find(' '));
    line.remove_prefix(std::min(word.size() + 1, line.size()));
  }
  if (words[4].empty()) return std::nullopt;
  return Mount{.root = words[3], .point = words[4]};
}

}  // namespace

Membership ReadMembership(std::span<const std::string> paths) {
  Membership membership;
  for (const std::string& path : paths) {
    const auto segments = Segments(path);
    if (membership.container_id.empty()) AddContainer(segments, membership);
    if (membership.unit.empty()) AddUnit(segments, membership);
  }
  return membership;
}

bool PathsAreHidden(std::span<const std::string> paths) {
  return std::ranges::all_of(paths, [](const std::string& path) {
    return std::ranges::all_of(Segments(path), [](std::string_view s) { return s == ".."; });
  });
}

void AddFromMounts(std::string_view mountinfo, Membership& membership) {
  std::string id;
  std::string_view runtime;
  for (size_t lines = 0; !mountinfo.empty() && lines < kMaxMountLines; ++lines) {
    const std::string_view line = mountinfo.substr(0, mountinfo.find('\n'));
    mountinfo.remove_prefix(std::min(line.size() + 1, mountinfo.size()));
    const auto mount = ParseMount(line);
    if (!mount) continue;
    const bool name_files = mount->point == "/etc/hostname" || mount->point == "/etc/hosts";
    const bool container_file = mount->point == "/run/.containerenv";
    if (!name_files && !container_file) continue;
    const auto segments = Segments(mount->root);
    for (size_t i = 0; i + 1 < segments.size(); ++i) {
      const std::string_view next = segments[i + 1];
      if (segments[i] == "pods" && membership.pod_uid.empty()) {
        membership.pod_uid = PodOf("pod" + std::string(next));
      }
      // Of a pod, these files are the sandbox's; the file that marks containers is each one's own.
      if (segments[i] == "containers" && name_files && IsId(next)) {
        id = next;
        runtime = "docker";
      } else if (segments[i].ends_with("-containers") && container_file && IsId(next)) {
        id = next;
        runtime = "podman";
      }
    }
  }
  if (id.empty() || !membership.pod_uid.empty()) return;
  membership.container_id = id;
  membership.runtime = runtime;
}

}  // namespace sonde::container
