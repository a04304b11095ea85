// SPDX-License-Identifier: Apache-2.0
#include "exporter/queue/queue_directory.h"

#include <absl/memory/memory.h>
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>

#include "sonde/base/result.h"

namespace sonde::exporter {
namespace {

// " (pid 123)" if the holder wrote it.
std::string Holder(int fd) {
  std::array<char, 16> text{};
  const ssize_t n = pread(fd, text.data(), text.size() - 1, 0);
  if (n <= 0) return "";
  const std::string pid(text.data(), static_cast<size_t>(n));
  return absl::StrCat(" (pid ", pid.substr(0, pid.find('\n')), ")");
}

}  // namespace

Result<std::unique_ptr<QueueDirectory>> QueueDirectory::Lock(const std::string& path) {
  const auto refuse = [&](int error) {
    return absl::InvalidArgumentError(absl::StrCat("--queue-dir ", path,
                                                   ": cannot be used: ", std::strerror(error),
                                                   "; give a directory that sonde may write to"));
  };
  std::error_code error;
  if (std::filesystem::create_directories(path, error) && !error) {
    std::filesystem::permissions(path, std::filesystem::perms::owner_all, error);
  }
  if (error) return refuse(error.value());
  const int fd = open((path + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return refuse(errno);
  auto directory = absl::WrapUnique(new QueueDirectory(path, fd));
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return refuse(errno);
    return absl::UnavailableError(absl::StrCat("--queue-dir ", path, ": in use by another sonde",
                                               Holder(fd), "; give each its own directory"));
  }
  const std::string pid = std::to_string(getpid()) + "\n";
  if (ftruncate(fd, 0) != 0 || pwrite(fd, pid.data(), pid.size(), 0) < 0) return refuse(errno);
  return directory;
}

QueueDirectory::~QueueDirectory() { close(fd_); }

std::string QueueDirectory::PathFor(const std::string& label) const {
  std::string name = label;
  std::ranges::replace(name, '/', '-');
  return path_ + "/" + name;
}

}  // namespace sonde::exporter
