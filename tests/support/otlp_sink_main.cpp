// SPDX-License-Identifier: Apache-2.0
// An OTLP receiver for end-to-end tests: `otlp_sink [GRPC_PORT [HTTP_PORT]]` (0 = any free port).
// Prints "grpc PORT" and "http PORT", then waits for the end of standard input, then prints each
// accepted request as one line of JSON (protobuf's mapping: ids in base64) and ends.
#include <google/protobuf/util/json_util.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "support/otlp_sink.h"

namespace {

void Print(const sonde::support::OtlpSink& sink) {
  for (const auto& request : sink.accepted()) {
    std::string line;
    if (google::protobuf::util::MessageToJsonString(request, &line).ok()) std::puts(line.c_str());
  }
}

}  // namespace

int main(int argc, char** argv) {
  const auto port = [&](int index) { return argc > index ? std::atoi(argv[index]) : 0; };
  const auto grpc = sonde::support::StartGrpcSink(port(1));
  const auto http = sonde::support::StartHttpSink(port(2));
  if (grpc == nullptr || http == nullptr) {
    std::fputs("otlp_sink: cannot listen\n", stderr);
    return 1;
  }
  std::printf("grpc %d\nhttp %d\n", grpc->port(), http->port());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  grpc->Stop();
  http->Stop();
  Print(*grpc);
  Print(*http);
  return 0;
}
