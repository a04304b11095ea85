// SPDX-License-Identifier: Apache-2.0
#include "probes/runtime/go/streams.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "binary/code.h"
#include "binary/elf.h"
#include "binary/go_functions.h"
#include "probes/runtime/go/code.h"
#include "probes/runtime/runtime_points.h"
#include "sonde/abi/runtime.h"
#include "sonde/abi/tls.h"
#include "sonde/probe/runtime.h"

namespace sonde::probe {
namespace {

using binary::Function;
using binary::Instruction;
using binary::Operand;
using binary::Operation;
using Code = std::vector<Instruction>;
using Found = std::optional<Function>;

constexpr std::string_view kHandleStream = "google.golang.org/grpc.(*Server).handleStream";
constexpr std::string_view kNewStream =
    "google.golang.org/grpc/internal/transport.(*http2Client).NewStream";
// Until 1.78; later it has a function for each side.
constexpr std::string_view kHeaders =
    "google.golang.org/grpc/internal/transport.(*loopyWriter).headerHandler";
constexpr std::string_view kClientHeaders =
    "google.golang.org/grpc/internal/transport.(*loopyWriter).clientHeaderHandler";
// golang.org/x/net/http2, and its copy in net/http.
constexpr std::string_view kRun = "golang.org/x/net/http2.(*serverConn).runHandler";
constexpr std::string_view kRoundTrip = "golang.org/x/net/http2.(*ClientConn).roundTrip";
constexpr std::string_view kRoundTripBundled = "net/http.(*http2ClientConn).roundTrip";
constexpr std::string_view kRunBundled = "net/http.(*http2serverConn).runHandler";

// Remarks.
constexpr const char* kGrpcServer = "streams of its gRPC server are not linked, because ";
constexpr const char* kGrpcClient = "calls of its gRPC client are not linked, because ";
constexpr const char* kHttp2Server = "streams of its HTTP/2 server are not linked, because ";
constexpr const char* kNameless = "functions have no names or are inlined";
constexpr const char* kNumberless = "where a stream's number is, is not known";

constexpr uint8_t kWord = 8;
constexpr uint8_t kNumber = 4;  // bytes of a stream's
constexpr size_t kMaxInstructions = 4096;

Code CodeOf(const binary::Elf& elf, const Function& function) {
  return binary::Disassemble(elf, function.start, function.end, kMaxInstructions);
}

bool IsField(const Operand& operand, uint8_t bytes) {
  return operand.kind == Operand::Kind::kMemory && operand.bytes == bytes && !operand.indexed &&
         !operand.thread && operand.base != Operand::kNoRegister;
}

// Where the second argument is, besides its register: arguments have a place of 8 bytes each above
// the return address, where those are saved that are needed later.
bool IsSecondArgument(const Code& code, size_t load) {
  const Operand& place = code[load].source;
  if (!IsField(place, kWord) || place.base != SONDE_REGISTER_SP) return false;
  return std::any_of(
      code.begin(), code.begin() + static_cast<ptrdiff_t>(load), [&](const Instruction& save) {
        return save.operation == Operation::kMove && save.source.bytes == kWord &&
               save.source.kind == Operand::Kind::kRegister &&
               save.source.base == SONDE_REGISTER_BX &&
               save.destination.kind == Operand::Kind::kMemory &&
               save.destination.base == SONDE_REGISTER_SP && save.destination.value == place.value;
      });
}

// The instruction before `at` that wrote the register; at: none.
size_t WriterOf(const Code& code, size_t at, uint8_t number) {
  for (size_t i = at; i > 0; --i) {
    if (WritesRegister(code[i - 1], number)) return i - 1;
    if (code[i - 1].operation == Operation::kCall) break;  // nothing lives in registers across it
  }
  return at;
}

// Number of a stream at [stream + number], or at [[stream + pointer] + number].
struct StreamFields {
  std::optional<int32_t> pointer;
  int32_t number = 0;
};

// deleteStream(t, s, ...) begins with `t.activeStreams[s.id]`: the key of the first look-up, in cx,
// is loaded through the second argument.
std::optional<StreamFields> FieldsOf(const Code& code, uint64_t look_up) {
  const auto call = std::ranges::find_if(code, [&](const Instruction& instruction) {
    return instruction.operation == Operation::kCall && instruction.target() == look_up;
  });
  if (call == code.end()) return std::nullopt;
  const auto at = static_cast<size_t>(call - code.begin());
  const size_t key = WriterOf(code, at, SONDE_REGISTER_CX);
  if (key == at || code[key].operation != Operation::kMove || !IsField(code[key].source, kNumber)) {
    return std::nullopt;
  }
  StreamFields fields{.pointer = std::nullopt,
                      .number = static_cast<int32_t>(code[key].source.value)};
  size_t load = WriterOf(code, key, code[key].source.base);
  if (load == key || code[load].operation != Operation::kMove) return std::nullopt;
  if (IsSecondArgument(code, load)) return fields;
  if (!IsField(code[load].source, kWord)) return std::nullopt;
  fields.pointer = static_cast<int32_t>(code[load].source.value);
  const size_t outer = WriterOf(code, load, code[load].source.base);
  if (outer == load || code[outer].operation != Operation::kMove ||
      !IsSecondArgument(code, outer)) {
    return std::nullopt;
  }
  return fields;
}

// In the function that serves a stream: grpc's (s, t ServerTransport, stream).
std::string AddGrpcServer(const binary::Elf& elf, const Function& serves, const Found& deletes,
                          const Found& look_up, RuntimePlan& plan) {
  const auto entry = GoEntry(elf, serves);
  if (plan.layout.go.parent_goid == SONDE_NOWHERE) {
    return absl::StrCat(kGrpcServer, "goroutines do not name their makers before Go 1.21");
  }
  if (!entry || !deletes || !look_up) return absl::StrCat(kGrpcServer, kNameless);
  const auto fields = FieldsOf(CodeOf(elf, *deletes), look_up->start);
  if (!fields || fields->number < 0) return absl::StrCat(kGrpcServer, kNumberless);
  RuntimePoint point;
  point.event = SONDE_RUNTIME_GO_GRPC_SERVES;
  point.subject = {SONDE_REGISTER_DI, 0, 0, 0, fields->pointer.value_or(0)};
  point.subject.memory = fields->pointer.has_value() ? 1 : 0;
  point.detail = static_cast<uint32_t>(fields->number);
  AddPoint(elf, serves.start, kHandleStream, *entry, point, plan);
  return "";
}

// A client leaves its headers to the writer of the connection by executeAndPut(buffer, f, {type,
// headers}), and the writer takes them as (l, headers), where the number comes first.
std::string AddGrpcClient(const binary::Elf& elf, const Function& calls, const Found& puts,
                          const Found& sends, std::string_view sends_name, RuntimePlan& plan) {
  const auto entry = sends ? GoEntry(elf, *sends) : std::nullopt;
  if (!entry || !puts) return absl::StrCat(kGrpcClient, kNameless);
  const Code code = CodeOf(elf, *sends);
  const bool number_first = std::ranges::any_of(code, [](const Instruction& instruction) {
    return instruction.operation == Operation::kMove && IsField(instruction.source, kNumber) &&
           instruction.source.value == 0 && instruction.source.base != SONDE_REGISTER_SP;
  });
  if (!number_first) return absl::StrCat(kGrpcClient, kNumberless);
  const size_t before = plan.points.size();
  RuntimePoint point;
  point.event = SONDE_RUNTIME_GO_GRPC_CALLS;
  point.subject = {SONDE_REGISTER_DI, 0, 0, 0, 0};
  for (const Instruction& call : CodeOf(elf, calls)) {
    if (call.operation != Operation::kCall || call.target() != puts->start) continue;
    AddPoint(elf, calls.start, kNewStream, call.address, point, plan);
  }
  if (plan.points.size() == before) return absl::StrCat(kGrpcClient, kNameless);
  point.event = SONDE_RUNTIME_GO_GRPC_SENDS;
  point.subject = {SONDE_REGISTER_BX, 0, 0, 0, 0};
  AddPoint(elf, sends->start, sends_name, *entry, point, plan);
  return "";
}

// runHandler(sc, rw, ...): the responseWriter is a pointer to its state. newStream makes a stream
// of connection and number, in this order.
std::string AddHttp2Server(const binary::Elf& elf, const Function& runs, const Found& makes,
                           std::string_view name, RuntimePlan& plan) {
  const auto entry = GoEntry(elf, runs);
  if (!entry || !makes) return absl::StrCat(kHttp2Server, kNameless);
  const bool numbered =
      std::ranges::any_of(CodeOf(elf, *makes), [](const Instruction& instruction) {
        return instruction.operation == Operation::kMove &&
               IsField(instruction.destination, kNumber) &&
               instruction.destination.value == kWord &&
               instruction.destination.base != SONDE_REGISTER_SP &&
               instruction.source.kind == Operand::Kind::kRegister;
      });
  if (!numbered) return absl::StrCat(kHttp2Server, kNumberless);
  RuntimePoint point;
  point.event = SONDE_RUNTIME_GO_HTTP2_SERVES;
  point.subject = {SONDE_REGISTER_BX, 1, 0, 0, 0};
  AddPoint(elf, runs.start, name, *entry, point, plan);
  return "";
}

// Whose goroutine calls: the one that sends is made for this call, but not by a handler if the
// handler started another to call.
void AddHttp2Client(const binary::Elf& elf, const Found& calls, std::string_view name,
                    RuntimePlan& plan) {
  const auto entry = calls ? GoEntry(elf, *calls) : std::nullopt;
  if (!entry || plan.layout.go.parent_goid == SONDE_NOWHERE) return;
  RuntimePoint point;
  point.event = SONDE_RUNTIME_GO_HTTP2_CALLS;
  point.subject = {SONDE_REGISTER_AX, 0, 0, 0, 0};
  AddPoint(elf, calls->start, name, *entry, point, plan);
}

void Append(std::string& remarks, const std::string& remark) {
  if (!remark.empty()) absl::StrAppend(&remarks, remarks.empty() ? "" : "; ", remark);
}

}  // namespace

std::string AddStreams(const binary::Elf& elf, RuntimePlan& plan) {
  const auto found = binary::FindGoFunctions(
      elf,
      {kHandleStream, kNewStream, kRun, kRunBundled, kHeaders, kClientHeaders,
       "google.golang.org/grpc/internal/transport.(*http2Server).deleteStream",
       "google.golang.org/grpc/internal/transport.(*controlBuffer).executeAndPut",
       "golang.org/x/net/http2.(*serverConn).newStream", "net/http.(*http2serverConn).newStream",
       "runtime.mapaccess2_fast32", kRoundTrip, kRoundTripBundled});
  if (!found.ok()) return "";
  const auto& [serves, calls, runs, runs_bundled, sends, client_sends] =
      std::tie((*found)[0], (*found)[1], (*found)[2], (*found)[3], (*found)[4], (*found)[5]);
  std::string remarks;
  if (serves) Append(remarks, AddGrpcServer(elf, *serves, (*found)[6], (*found)[10], plan));
  if (calls) {
    Append(remarks, client_sends ? AddGrpcClient(elf, *calls, (*found)[7], client_sends,
                                                 kClientHeaders, plan)
                                 : AddGrpcClient(elf, *calls, (*found)[7], sends, kHeaders, plan));
  }
  if (runs) Append(remarks, AddHttp2Server(elf, *runs, (*found)[8], kRun, plan));
  if (runs_bundled) {
    Append(remarks, AddHttp2Server(elf, *runs_bundled, (*found)[9], kRunBundled, plan));
  }
  AddHttp2Client(elf, (*found)[11], kRoundTrip, plan);
  AddHttp2Client(elf, (*found)[12], kRoundTripBundled, plan);
  return remarks;
}

}  // namespace sonde::probe
