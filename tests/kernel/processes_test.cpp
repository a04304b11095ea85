// SPDX-License-Identifier: Apache-2.0
// The traced flag: inherited at fork before the child runs, kept at exec until userspace has looked
// again, dropped at exit. And the records that tell userspace.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "lab.h"
#include "log.h"
#include "sockets.h"
#include "sonde/pipeline/event.h"

namespace sonde::kernel_test {
namespace {

class ProcessesTest : public FamilyTest {};

const Process* Find(const Log& log, ProcessChange change) {
  const auto found = std::ranges::find_if(
      log.processes, [&](const Process& p) { return p.event.change == change; });
  return found == log.processes.end() ? nullptr : &*found;
}

// A shell that writes one request to `out`, after it has read a line from `in` if there is one.
void ExecShell(int out, int in = -1) {
  Must(dup2(out, 9) == 9);  // a shell's descriptors have one digit
  Must(in < 0 || dup2(in, 8) == 8);
  const std::string command =
      std::string(in < 0 ? "" : "read line <&8; ") + "printf 'GET /exec HTTP/1.1\\r\\n\\r\\n' >&9";
  execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
  Must(false);
}
constexpr char kExecRequest[] = "GET /exec HTTP/1.1\r\n\r\n";

// Thousands of generations: none may do its first I/O before it is marked.
TEST_P(ProcessesTest, ChildIsTracedFromItsFirstCall) {
  constexpr int kChildren = 100;
  const Pair pair = Connect(Kind::kTcp4);
  std::string stream;
  for (int i = 0; i < kChildren; ++i) stream += Request("child" + std::to_string(i));
  const Log log = lab_->Run([&] {
    for (int i = 0; i < kChildren; ++i) {
      const pid_t child = fork();
      if (child == 0) {
        Must(SendAll(pair.near.get(), Request("child" + std::to_string(i))));
        _exit(3);
      }
      int status = 0;
      Must(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 3);
    }
  });
  ExpectWhole(log, lab_->Id(pair.near.get()), Direction::kSend, stream);
  ASSERT_EQ(log.data.size(), size_t{kChildren});
  const uint32_t parent = log.processes.back().event.tgid;
  std::vector<uint32_t> children;
  for (const Process& process : log.processes) {
    if (process.event.change != ProcessChange::kFork) continue;
    EXPECT_TRUE(process.event.traced);
    EXPECT_EQ(process.event.parent_tgid, parent);
    EXPECT_NE(process.event.start_ns, 0U);
    children.push_back(process.event.tgid);
  }
  ASSERT_EQ(children.size(), size_t{kChildren});
  for (size_t i = 0; i < children.size(); ++i) {
    EXPECT_EQ(log.Count(ProcessChange::kExit, children[i]), 1U);
    EXPECT_EQ(log.data[i].event.who.tgid, children[i]);
    EXPECT_FALSE(lab_->kernel().IsTraced(children[i]));
  }
  EXPECT_FALSE(lab_->kernel().IsTraced(parent));
}

TEST_P(ProcessesTest, GrandchildrenInheritToo) {
  const Pair pair = Connect(Kind::kUnixPair);
  const Log log = lab_->Run([&] {
    if (fork() == 0) {
      if (fork() == 0) {
        Must(SendAll(pair.near.get(), Request("grandchild")));
        _exit(0);
      }
      Must(wait(nullptr) > 0);
      _exit(0);
    }
    Must(wait(nullptr) > 0);
  });
  ExpectWhole(log, lab_->Id(pair.near.get()), Direction::kSend, Request("grandchild"));
}

TEST_P(ProcessesTest, ThreadIsNoProcess) {
  const Pair pair = Connect(Kind::kTcp4);
  const Log log = lab_->Run(
      [&] { std::thread([&] { Must(SendAll(pair.near.get(), Request("thread"))); }).join(); });
  ASSERT_EQ(log.processes.size(), 1U);  // EXIT, once
  ASSERT_EQ(log.data.size(), 1U);
  EXPECT_EQ(log.data[0].event.who.tgid, log.processes[0].event.tgid);
  EXPECT_NE(log.data[0].event.who.tid, log.data[0].event.who.tgid);
}

TEST_P(ProcessesTest, ExecKeepsTheFlagAndSaysTheProgram) {
  const Pair pair = Connect(Kind::kTcp4);
  const Log log = lab_->Run([&] { ExecShell(pair.near.get()); });
  const Process* exec = Find(log, ProcessChange::kExec);
  ASSERT_NE(exec, nullptr);
  EXPECT_TRUE(exec->event.traced);
  EXPECT_EQ(exec->program, "/bin/sh");
  EXPECT_EQ(exec->comm, "sh");
  EXPECT_EQ(exec->event.parent_tgid, static_cast<uint32_t>(getpid()));
  ExpectWhole(log, lab_->Id(pair.near.get()), Direction::kSend, kExecRequest);
}

// Userspace looks at the new program and does not want it.
TEST_P(ProcessesTest, ExecIsJudgedAnew) {
  const Pair pair = Connect(Kind::kTcp4);
  const Pair signal = Connect(Kind::kUnixPair);
  Lab::Child child(*lab_, [&] {
    Must(SendAll(pair.near.get(), Request("before")));
    ExecShell(pair.near.get(), signal.near.get());
  });
  child.Release();
  Log log;
  lab_->PollUntil(log, [&] { return log.Has(ProcessChange::kExec, child.tgid()); });
  lab_->kernel().Untrace(child.tgid());
  ASSERT_TRUE(SendAll(signal.far.get(), "go\n"));
  EXPECT_EQ(child.Wait(), 0);
  lab_->Drain(log);
  EXPECT_EQ(ReceiveExactly(pair.far.get(), 120 + sizeof(kExecRequest) - 1),
            Request("before") + kExecRequest);
  ExpectWhole(log, lab_->Id(pair.near.get()), Direction::kSend, Request("before"));
  EXPECT_FALSE(log.Has(ProcessChange::kExit, child.tgid()));
}

TEST_P(ProcessesTest, KilledWithManyThreadsEndsOnce) {
  for (int round = 0; round < 10; ++round) {
    const Pair pair = Connect(Kind::kUnixPair);
    Lab::Child child(*lab_, [&] {
      std::atomic<int> running = 0;
      for (int i = 0; i < 8; ++i) {
        std::thread([&] {
          ++running;
          for (;;) pause();
        }).detach();
      }
      while (running < 8) std::this_thread::yield();
      Must(SendAll(pair.near.get(), "ready"));
      for (;;) pause();
    });
    child.Release();
    ASSERT_EQ(ReceiveExactly(pair.far.get(), 5), "ready");
    kill(static_cast<pid_t>(child.tgid()), SIGKILL);
    EXPECT_TRUE(WIFSIGNALED(child.Wait()));
    Log log;
    lab_->PollUntil(log, [&] { return log.Has(ProcessChange::kExit, child.tgid()); });
    lab_->Drain(log);
    EXPECT_EQ(log.Count(ProcessChange::kExit, child.tgid()), 1U);
    EXPECT_FALSE(lab_->kernel().IsTraced(child.tgid()));
  }
}

// The first thread ends, another goes on: the process lives.
TEST_P(ProcessesTest, ProcessOutlivesItsFirstThread) {
  const Pair pair = Connect(Kind::kTcp4);
  const Log log = lab_->Run([&] {
    std::thread([&, leader = gettid()] {
      // Until the leader is a zombie: it has then told the kernel that it ended.
      const std::string stat = "/proc/self/task/" + std::to_string(leader) + "/stat";
      for (;;) {
        const int fd = open(stat.c_str(), O_RDONLY | O_CLOEXEC);
        std::string text(512, '\0');
        const ssize_t size = read(fd, text.data(), text.size());
        close(fd);
        Must(size > 0);
        if (text.find(") Z ") != std::string::npos) break;
        std::this_thread::yield();
      }
      Must(SendAll(pair.near.get(), Request("orphan")));
      _exit(0);
    }).detach();
    syscall(SYS_exit, 0);  // this thread only, without unwinding
  });
  ExpectWhole(log, lab_->Id(pair.near.get()), Direction::kSend, Request("orphan"));
  EXPECT_EQ(log.processes.size(), 1U);
}

TEST_P(ProcessesTest, UntracedProcessesStartAndListen) {
  kernel::KernelOptions options;
  options.watch_exec = true;
  options.watch_listen = true;
  const auto own = OwnLab({}, options);
  ASSERT_NE(own, nullptr);
  Log log;
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  uint16_t port = 0;
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    Must(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 &&
         listen(fd, 1) == 0);
    port = LocalPort(fd);
    Must(write(ready[1], &port, sizeof(port)) == sizeof(port));
    execl("/bin/true", "true", nullptr);
    Must(false);
  }
  EXPECT_EQ(read(ready[0], &port, sizeof(port)), static_cast<ssize_t>(sizeof(port)));
  EXPECT_EQ(waitpid(child, nullptr, 0), child);
  close(ready[0]);
  close(ready[1]);
  own->Drain(log);
  const auto of = [&](ProcessChange change) {
    const auto found = std::ranges::find_if(log.processes, [&](const Process& p) {
      return p.event.change == change && p.event.tgid == static_cast<uint32_t>(child);
    });
    return found == log.processes.end() ? nullptr : &*found;
  };
  ASSERT_NE(of(ProcessChange::kExec), nullptr);
  EXPECT_FALSE(of(ProcessChange::kExec)->event.traced);
  EXPECT_EQ(of(ProcessChange::kExec)->program, "/bin/true");
  ASSERT_NE(of(ProcessChange::kListen), nullptr);
  EXPECT_EQ(of(ProcessChange::kListen)->event.listen_port, port);
  EXPECT_EQ(of(ProcessChange::kFork), nullptr);
  EXPECT_EQ(of(ProcessChange::kExit), nullptr);
}

// No room for another traced process: the child is not followed, and that is counted.
TEST_P(ProcessesTest, FullMapOfProcesses) {
  constexpr uint32_t kNobody = 1U << 23;  // above the largest pid
  const auto own = OwnLab({});
  ASSERT_NE(own, nullptr);
  const Pair pair = Connect(Kind::kTcp4);
  Lab::Child child(*own, [&] {
    const pid_t forked = fork();
    if (forked == 0) {
      Must(SendAll(pair.near.get(), Request("unseen")));
      _exit(0);
    }
    Must(waitpid(forked, nullptr, 0) == forked);
    Must(SendAll(pair.near.get(), Request("seen")));
  });
  uint32_t marked = 0;
  while (own->kernel().Trace(kNobody + marked).ok()) ++marked;
  EXPECT_EQ(marked, 65535U);
  child.Release();
  EXPECT_EQ(child.Wait(), 0);
  Log log;
  own->Drain(log);
  EXPECT_EQ(own->Dropped("process_map_full"), 1);
  const Process* forked = Find(log, ProcessChange::kFork);
  ASSERT_NE(forked, nullptr);
  EXPECT_FALSE(forked->event.traced);
  ExpectWhole(log, own->Id(pair.near.get()), Direction::kSend, Request("seen"));
}

SONDE_FOR_EACH_FAMILY(ProcessesTest);

}  // namespace
}  // namespace sonde::kernel_test
