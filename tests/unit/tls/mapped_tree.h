// SPDX-License-Identifier: Apache-2.0
// A /proc tree whose processes have files mapped.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "unit/discovery/fake_proc.h"

namespace sonde::tls {

class MappedTree {
 public:
  const std::string& root() const { return root_; }
  const FakeProc& proc() const { return proc_; }

  void AddProcess(uint32_t pid, const std::string& exe) {
    proc_.Add({.pid = pid, .exe = exe});
    maps_[pid].clear();
    SetMaps(pid, "");
  }
  void Exit(uint32_t pid) {
    proc_.Remove(pid);
    maps_.erase(pid);
  }
  // A file outside of any process.
  std::string AddFile(const std::string& name, const std::string& content) const {
    proc_.Write("files/" + name, content);
    return root_ + "/files/" + name;
  }
  // `path` as the process sees it, `file` what it is.
  void Map(uint32_t pid, const std::string& path, uint64_t inode, const std::string& file,
           const std::string& device = "fe:00") {
    char range[40];
    std::snprintf(range, sizeof(range), "%lx000-%lx000", 0x7f00 + 16 * count_,
                  0x7f08 + 16 * count_);
    ++count_;
    const auto directory = proc_.Directory(pid) / "map_files";
    std::filesystem::create_directories(directory);
    std::filesystem::create_symlink(file, directory / range);
    maps_[pid] += std::string(range) + " r-xp 00000000 " + device + " " + std::to_string(inode) +
                  "                  " + path + "\n";
    SetMaps(pid, maps_[pid]);
  }
  void SetMaps(uint32_t pid, const std::string& text) const {
    proc_.Write(std::to_string(pid) + "/maps", text);
  }

 private:
  FakeProc proc_;
  std::string root_ = proc_.root();
  std::map<uint32_t, std::string> maps_;
  uint64_t count_ = 0;
};

}  // namespace sonde::tls
