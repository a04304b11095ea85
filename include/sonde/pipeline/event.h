// SPDX-License-Identifier: Apache-2.0
// What the drain gives to the stages: typed views of kernel records, or of packets and recordings
// that stand in for them. Views (string_view) are valid only during the call.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sonde {

// Names a connection end for its life: the kernel's socket cookie, or a number made by a packet
// reader.
using ConnectionId = uint64_t;

// Direction of bytes from the traced process's side. Same values as abi enum sonde_direction.
enum class Direction : uint8_t { kReceive = 0, kSend = 1 };
constexpr Direction Opposite(Direction d) {
  return d == Direction::kReceive ? Direction::kSend : Direction::kReceive;
}

// Where bytes were seen; exported as sonde.capture.source. Same values as abi enum sonde_source.
enum class Source : uint8_t { kSocket = 0, kOpenSsl, kBoringSsl, kGnuTls, kGoTls, kRustls };

enum class Transport : uint8_t { kTcp = 0, kUnix = 1 };

// The language runtime that tells one execution of a process from another. Same values as abi enum
// sonde_runtime_kind.
enum class RuntimeKind : uint8_t {
  kNone = 0,
  kGo = 1,
  kPython = 2,
  kNode = 3,
  kJava = 4,
  kTokio = 5,
  kHaproxy = 6,
  kOther = 7,
  kRuby = 8,
};

// Who made the call: process, thread, and where known the goroutine, Python context ...
// (design 5.1). tgid 0: nobody (packet capture). `id` is 0 if only the thread is known; `runtime`
// may be known even then.
struct Execution {
  uint32_t tgid = 0;
  uint32_t tid = 0;
  uint64_t id = 0;
  RuntimeKind runtime = RuntimeKind::kNone;
  // Python: the id is that of the thread, or greenlet, itself (its stack, or the Context that it
  // made for itself), and says nothing about whom it works for if it serves several at once.
  bool is_thread = false;
  friend bool operator==(const Execution&, const Execution&) = default;
};

// One end of a connection.
struct Endpoint {
  uint8_t family = 0;  // 4, 6, 1 = unix, 0 = unknown
  uint16_t port = 0;
  std::array<uint8_t, 16> address{};  // IPv4 in the first four bytes, network order
  std::string path;                   // unix: bound path, abstract names begin with '@'; else empty

  std::string AddressText() const;  // "127.0.0.1", "::1", the path, or "" if unknown
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// First sight of a connection. Comes before its first DataEvent; a connection whose OpenEvent was
// lost has an empty one.
struct OpenEvent {
  uint64_t mono_ns = 0;
  ConnectionId connection = 0;
  // The other end on this host (unix sockets), or what both ends call the connection (plain text of
  // TLS); 0 = not known.
  ConnectionId peer = 0;
  uint64_t netns = 0;
  Execution who;
  Transport transport = Transport::kTcp;
  // Plain text at the edge of a TLS library: positions count its bytes. The ends are those of the
  // socket beneath, or empty if that is not known.
  bool plain_text = false;
  bool wire = false;  // from packets: no process; `local` is the side taken for the server's
  Endpoint local;
  Endpoint remote;
  // Positions at which the bytes of this connection begin to be seen, by Direction: the first
  // DataEvent of a direction then shows a loss before it. Unix sockets are counted from 0 and need
  // none; plain text is counted from 0 and has it if it was seen from its beginning.
  bool has_begin = false;
  std::array<uint64_t, 2> begin{};
};

// Bytes moved by one call (or carried by one packet). `length` bytes starting at `position` exist;
// of those only `prefix` (from the start) and `tail` (up to the end) were copied.
struct DataEvent {
  uint64_t mono_ns = 0;
  ConnectionId connection = 0;
  uint64_t position =
      0;  // TCP: 32-bit sequence number, not unwrapped; else count of bytes before it
  Execution who;
  uint32_t length = 0;
  Direction direction = Direction::kReceive;
  Source source = Source::kSocket;
  bool unseen = false;  // the payload could not be seen at all (io_uring, splice)
  std::string_view prefix;
  std::string_view tail;
};

// One or both directions will carry nothing more.
struct ShutdownEvent {
  uint64_t mono_ns = 0;
  ConnectionId connection = 0;
  bool receive = false;
  bool send = false;
  bool has_position = false;  // then `position` is the first byte that will not come
  uint64_t position = 0;
};

enum class ProcessChange : uint8_t { kFork, kExec, kExit, kListen };

struct ProcessEvent {
  uint64_t mono_ns = 0;
  ProcessChange change = ProcessChange::kFork;
  uint32_t tgid = 0;
  uint32_t parent_tgid = 0;
  uint64_t start_ns = 0;  // CLOCK_BOOTTIME of the process's start
  uint64_t cgroup_id = 0;
  bool traced = false;
  uint16_t listen_port = 0;  // kListen
  std::string_view comm;
  std::string_view program;  // kExec: file name as given to execve
};

// A traced process touched a file in its memory that it had not touched before.
struct MappedEvent {
  uint64_t mono_ns = 0;
  uint32_t tgid = 0;
  uint64_t inode = 0;  // of the file system's own file, where an overlay shows it
};

// Same values as abi enum sonde_execution_event.
enum class ExecutionChange : uint8_t {
  kMade = 1,
  kWoken = 2,
  kWokenByValue = 3,
  kAwaited = 4,
  kAsyncIds = 5,
  kConnects = 6,
  kHandsOff = 7,
  kTakesUp = 8,
  kServes = 9,
  kCalls = 10,
  kAnswers = 11,
  kEnded = 12,
  kStream = 13,
};

// What a runtime, or a call, says about who works for whom; sonde_execution_record has the meaning
// of each. `by` is the thread it was seen on.
struct ExecutionEvent {
  uint64_t mono_ns = 0;
  ExecutionChange change = ExecutionChange::kMade;
  ConnectionId connection = 0;
  uint64_t from = 0;
  uint64_t to = 0;
  uint64_t counter = 0;
  Execution by;  // without id
};

// Receives everything in ring order from one drain thread.
class EventHandler {
 public:
  virtual ~EventHandler() = default;
  virtual void OnOpen(const OpenEvent& event) = 0;
  virtual void OnData(const DataEvent& event) = 0;
  virtual void OnShutdown(const ShutdownEvent& event) = 0;
  virtual void OnProcess(const ProcessEvent& event) = 0;
  // Says nothing about requests; only who looks for libraries listens.
  virtual void OnMapped(const MappedEvent& /*event*/) {}
  // Says nothing about requests themselves; only who links them listens.
  virtual void OnExecution(const ExecutionEvent& /*event*/) {}
  // Called after each batch of records and at least every 100 ms, with the time up to which records
  // have been read: timers run on this, never on the real clock, so that a replay behaves as the
  // live run did.
  virtual void OnTick(uint64_t mono_ns) = 0;
};

}  // namespace sonde
