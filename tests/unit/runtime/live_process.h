// SPDX-License-Identifier: Apache-2.0
// A program that a test starts and whose memory it reads, as the kernel side will. It is stopped
// with the object.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "binary/elf.h"

namespace sonde::testing {

// Null if this machine has no such file.
inline std::unique_ptr<binary::Elf> OpenFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return nullptr;
  auto elf = binary::Elf::Open(fd);
  close(fd);
  return elf.ok() ? *std::move(elf) : nullptr;
}

// The program of that name on PATH, links followed; empty if there is none.
inline std::string OnPath(std::string_view name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    std::error_code error;
    const auto file = std::filesystem::canonical(std::filesystem::path(folder) / name, error);
    if (!error && access(file.c_str(), X_OK) == 0) return file.string();
  }
  return {};
}

struct Mapping {
  uint64_t start = 0;
  uint64_t end = 0;
  uint64_t offset = 0;
  bool executable = false;
  std::string path;
};

class LiveProcess {
 public:
  // `traced`: it is stopped at the end of exec, and this thread its tracer.
  LiveProcess(const std::vector<std::string>& command, bool traced) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return;
    std::vector<char*> arguments;
    for (const std::string& each : command) arguments.push_back(const_cast<char*>(each.c_str()));
    arguments.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(ends[1], STDOUT_FILENO);
      if (traced && ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(126);
      execv(arguments[0], arguments.data());
      _exit(127);
    }
    close(ends[1]);
    output_ = fdopen(ends[0], "r");
  }
  ~LiveProcess() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    if (output_ != nullptr) std::fclose(output_);
  }
  LiveProcess(const LiveProcess&) = delete;
  LiveProcess& operator=(const LiveProcess&) = delete;

  pid_t pid() const { return pid_; }

  // The numbers of the next line it writes; empty at its end.
  std::vector<uint64_t> Numbers() const {
    char line[256] = {};
    if (output_ == nullptr || std::fgets(line, sizeof(line), output_) == nullptr) return {};
    std::istringstream text(line);
    std::vector<uint64_t> numbers;
    for (uint64_t number = 0; text >> number;) numbers.push_back(number);
    return numbers;
  }

  // Waits until a signal stops it; 0 if it ended instead.
  int WaitUntilStopped() const {
    int status = 0;
    if (waitpid(pid_, &status, WUNTRACED) != pid_ || !WIFSTOPPED(status)) return 0;
    return WSTOPSIG(status);
  }

  template <typename T>
  T Read(uint64_t address) const {
    T value{};
    const int fd = open(Proc("mem").c_str(), O_RDONLY | O_CLOEXEC);
    const auto got = pread(fd, &value, sizeof(value), static_cast<off_t>(address));
    close(fd);
    return got == sizeof(value) ? value : T{};
  }

  // Also to what it may not write itself, if it is traced.
  template <typename T>
  bool Write(uint64_t address, const T& value) const {
    const int fd = open(Proc("mem").c_str(), O_RDWR | O_CLOEXEC);
    const auto put = pwrite(fd, &value, sizeof(value), static_cast<off_t>(address));
    close(fd);
    return put == sizeof(value);
  }

  std::vector<Mapping> Mappings() const {
    std::vector<Mapping> mappings;
    std::ifstream file(Proc("maps"));
    for (std::string line; std::getline(file, line);) {
      std::istringstream fields(line);
      Mapping mapping;
      char dash = 0;
      std::string access;
      std::string rest;
      fields >> std::hex >> mapping.start >> dash >> mapping.end >> access >> mapping.offset;
      fields >> rest >> rest >> mapping.path;
      mapping.executable = access.find('x') != std::string::npos;
      if (mapping.path.starts_with('/')) mappings.push_back(std::move(mapping));
    }
    return mappings;
  }

 private:
  std::string Proc(std::string_view name) const {
    return "/proc/" + std::to_string(pid_) + "/" + std::string(name);
  }

  pid_t pid_ = -1;
  std::FILE* output_ = nullptr;
};

// Where in the process the byte is that the file numbers so.
inline uint64_t InProcess(const std::vector<Mapping>& mappings, const std::string& path,
                          const binary::Elf& elf, uint64_t address) {
  constexpr uint64_t kPage = 4096;
  for (const Mapping& mapping : mappings) {
    if (mapping.path != path || mapping.offset != 0) continue;
    const auto segments = elf.Segments();
    const uint64_t first = segments.empty() ? 0 : segments.front().address / kPage * kPage;
    return address - first + mapping.start;
  }
  return 0;
}

inline uint64_t CodeInProcess(const std::vector<Mapping>& mappings, const std::string& path,
                              uint64_t file_offset) {
  for (const Mapping& mapping : mappings) {
    const bool within =
        file_offset >= mapping.offset && file_offset - mapping.offset < mapping.end - mapping.start;
    if (mapping.path == path && mapping.executable && within) {
      return mapping.start + (file_offset - mapping.offset);
    }
  }
  return 0;
}

}  // namespace sonde::testing
