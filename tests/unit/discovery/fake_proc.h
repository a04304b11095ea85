// SPDX-License-Identifier: Apache-2.0
// A /proc tree in a temporary directory, for readers that take a root.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "sonde/pipeline/process.h"
#include "sonde/pipeline/workload.h"

namespace sonde {

class FakeProc {
 public:
  struct Process {
    uint32_t pid = 0;
    uint32_t parent = 1;
    std::string exe = {};  // "" = no link, as for a kernel thread
    std::vector<std::string> args = {};
    std::vector<std::string> env = {};
    std::string cgroup = "0::/\n";
    uint64_t start_ticks = 100;
    uint64_t flags = 0;
    std::vector<uint64_t> socket_inodes = {};
    std::string tcp = {};  // lines below the heading of net/tcp
    std::string tcp6 = {};
    std::string cwd = "/";
    uint32_t uid = 0;
    std::string comm = {};
  };

  FakeProc() {
    std::string name = (std::filesystem::temp_directory_path() / "sonde-proc-XXXXXX").string();
    root_ = mkdtemp(name.data());
  }
  ~FakeProc() { std::filesystem::remove_all(root_); }
  FakeProc(const FakeProc&) = delete;
  FakeProc& operator=(const FakeProc&) = delete;

  std::string root() const { return root_.string(); }
  ProcessReader reader(WorkloadSource* workloads = nullptr) const {
    return ProcessReader(root(), workloads);
  }
  std::filesystem::path Directory(uint32_t pid) const { return root_ / std::to_string(pid); }

  void Write(const std::string& name, const std::string& content) const {
    const auto path = root_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
  }

  void Add(const Process& process) const {
    const std::string directory = std::to_string(process.pid) + "/";
    std::filesystem::remove_all(Directory(process.pid));
    const std::string comm = !process.comm.empty()
                                 ? process.comm
                                 : std::filesystem::path(process.exe).filename().string();
    Write(directory + "stat", std::to_string(process.pid) + " (" + comm + ") S " +
                                  std::to_string(process.parent) + " 1 1 0 -1 " +
                                  std::to_string(process.flags) + " 0 0 0 0 0 0 0 0 20 0 1 0 " +
                                  std::to_string(process.start_ticks) + " 1 2 3\n");
    Write(directory + "cmdline", Joined(process.args));
    Write(directory + "environ", Joined(process.env));
    Write(directory + "cgroup", process.cgroup);
    const std::string uid = std::to_string(process.uid);
    Write(directory + "status", "Name:\t" + comm + "\nUid:\t1000\t" + uid + "\t1000\t1000\n");
    const std::string heading = "  sl  local_address rem_address   st\n";
    Write(directory + "net/tcp", heading + process.tcp);
    Write(directory + "net/tcp6", heading + process.tcp6);
    const auto path = Directory(process.pid);
    if (!process.exe.empty()) std::filesystem::create_symlink(process.exe, path / "exe");
    std::filesystem::create_symlink(process.cwd, path / "cwd");
    std::filesystem::create_directories(path / "fd");
    std::filesystem::create_symlink("/dev/null", path / "fd/0");
    int fd = 3;
    for (const uint64_t inode : process.socket_inodes) {
      std::filesystem::create_symlink("socket:[" + std::to_string(inode) + "]",
                                      path / "fd" / std::to_string(fd++));
    }
  }
  void Remove(uint32_t pid) const { std::filesystem::remove_all(Directory(pid)); }

  // A line of net/tcp; state 0A listens, 01 is established.
  static std::string TcpLine(const std::string& port_hex, const std::string& state,
                             uint64_t inode) {
    return "   0: 0100007F:" + port_hex + " 00000000:0000 " + state +
           " 00000000:00000000 00:00000000 00000000     0        0 " + std::to_string(inode) +
           " 1 0000000023d4959e 100 0 0 10 0\n";
  }

 private:
  static std::string Joined(const std::vector<std::string>& parts) {
    std::string text;
    for (const std::string& part : parts) text += part + '\0';
    return text;
  }

  std::filesystem::path root_;
};

}  // namespace sonde
