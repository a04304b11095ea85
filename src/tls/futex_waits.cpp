// SPDX-License-Identifier: Apache-2.0
#include "tls/futex_waits.h"

#include <absl/strings/numbers.h>
#include <sys/syscall.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

namespace sonde::tls {

std::vector<FutexWait> ReadFutexWaits(const std::string& proc, uint32_t tgid) {
  std::vector<FutexWait> waits;
  const std::filesystem::path tasks = proc + "/" + std::to_string(tgid) + "/task";
  std::error_code error;
  for (const auto& task : std::filesystem::directory_iterator(tasks, error)) {
    // Number and arguments of the system call that it sleeps in; or "running", or -1.
    std::ifstream file(task.path() / "syscall");
    std::string number;
    std::string first;
    int call = 0;
    FutexWait wait;
    if (file >> number >> first && absl::SimpleAtoi(number, &call) && call == SYS_futex &&
        absl::SimpleHexAtoi(first, &wait.address) &&
        absl::SimpleAtoi(task.path().filename().string(), &wait.tid)) {
      waits.push_back(wait);
    }
  }
  return waits;
}

}  // namespace sonde::tls
