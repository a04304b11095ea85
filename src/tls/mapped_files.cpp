// SPDX-License-Identifier: Apache-2.0
#include "tls/mapped_files.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "kernel/file_descriptor.h"
#include "sonde/pipeline/process.h"

namespace sonde::tls {
namespace {

constexpr size_t kMapsBytes = 16U << 20;
constexpr std::string_view kDeleted = " (deleted)";

template <typename Number>
bool ParseNumber(std::string_view text, int base, Number& number) {
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, number, base);
  return result.ec == std::errc() && result.ptr == end;
}

// maps pads addresses with zeros, map_files does not.
std::string WithoutZeros(std::string_view range) {
  const auto strip = [](std::string_view number) {
    return number.substr(std::min(number.find_first_not_of('0'), number.size() - 1));
  };
  const size_t dash = range.find('-');
  if (dash == 0 || dash == std::string_view::npos || dash + 1 == range.size()) return "";
  return absl::StrCat(std::string(strip(range.substr(0, dash))), "-",
                      std::string(strip(range.substr(dash + 1))));
}

// "start-end perms offset major:minor inode   path"; false: no file, or not understood.
bool ParseLine(std::string_view line, MappedFile& file) {
  std::string_view fields[5];
  for (std::string_view& field : fields) {
    const size_t end = line.find(' ');
    if (end == std::string_view::npos) return false;
    field = line.substr(0, end);
    line.remove_prefix(end + 1);
  }
  const size_t path = line.find_first_not_of(' ');
  if (path == std::string_view::npos || line[path] != '/') return false;
  const size_t colon = fields[3].find(':');
  uint32_t major = 0;
  uint32_t minor = 0;
  if (colon == std::string_view::npos || !ParseNumber(fields[3].substr(0, colon), 16, major) ||
      !ParseNumber(fields[3].substr(colon + 1), 16, minor) ||
      !ParseNumber(fields[4], 10, file.id.inode) || file.id.inode == 0) {
    return false;
  }
  file.id.device = major << 20U | minor;
  file.range = WithoutZeros(fields[0]);
  ParseNumber(std::string_view(file.range).substr(0, file.range.find('-')), 16, file.start);
  file.path = std::string(line.substr(path));
  return true;
}

// The window between a library's first touch and its first use is some milliseconds.
constexpr size_t kUrgencies = 3;
size_t Urgency(const MappedFile& file, std::string_view executable) {
  const std::string_view name = std::string_view(file.path).substr(file.path.rfind('/') + 1);
  if (name.find("ssl") != name.npos || name.find("tls") != name.npos) return 0;
  std::string_view path = file.path;
  if (path.ends_with(kDeleted)) path.remove_suffix(kDeleted.size());
  return path == executable ? 1 : 2;
}

// Only now: a device or a pipe may do something when it is opened.
kernel::FileDescriptor OpenIfRegular(const kernel::FileDescriptor& place) {
  struct stat status = {};
  if (!place.valid() || fstat(place.get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  return kernel::FileDescriptor(
      open(absl::StrCat("/proc/self/fd/", place.get()).c_str(), O_RDONLY | O_CLOEXEC));
}

}  // namespace

std::vector<MappedFile> ReadMappedFiles(const std::string& proc, uint32_t tgid) {
  const ProcessReader reader(proc);
  const auto maps = reader.ReadFile(absl::StrCat(tgid, "/maps"), kMapsBytes);
  if (!maps) return {};
  const auto facts = reader.Read(tgid, kFieldExe);
  const std::string executable = facts ? facts->exe : std::string();
  std::array<std::vector<MappedFile>, kUrgencies> by_urgency;
  std::set<FileId> seen;
  for (std::string_view rest = *maps; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    MappedFile file;
    if (!ParseLine(line, file) || !seen.insert(file.id).second) continue;
    by_urgency.at(Urgency(file, executable)).push_back(std::move(file));
  }
  std::vector<MappedFile> files;
  for (auto& each : by_urgency) std::ranges::move(each, std::back_inserter(files));
  return files;
}

kernel::FileDescriptor OpenPath(const std::string& proc, uint32_t tgid, const std::string& path) {
  const kernel::FileDescriptor root(
      open(absl::StrCat(proc, "/", tgid, "/root").c_str(), O_PATH | O_CLOEXEC | O_DIRECTORY));
  open_how how = {};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT;  // links in it lead to what the process sees, not to our files
  const kernel::FileDescriptor place(
      static_cast<int>(syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof(how))));
  return OpenIfRegular(place);
}

kernel::FileDescriptor OpenMapped(const std::string& proc, uint32_t tgid, const MappedFile& file) {
  // map_files leads to the very file, whatever happened to its name; it needs CAP_SYS_ADMIN or
  // CAP_CHECKPOINT_RESTORE.
  const std::string mapping = absl::StrCat(proc, "/", tgid, "/map_files/", file.range);
  auto opened = OpenIfRegular(kernel::FileDescriptor(open(mapping.c_str(), O_PATH | O_CLOEXEC)));
  return opened.valid() ? std::move(opened) : OpenPath(proc, tgid, file.path);
}

}  // namespace sonde::tls
