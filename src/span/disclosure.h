// SPDX-License-Identifier: Apache-2.0
// What of a message may be exported, as RedactionOptions say, ready for use: which headers and
// baggage become attributes, and which query values are replaced. Immutable; drain thread.
#pragma once

#include <string_view>
#include <vector>

#include "sonde/config/config.h"
#include "span/baggage.h"
#include "span/header_names.h"
#include "span/redactor.h"

namespace sonde::span {

struct Disclosure {
  explicit Disclosure(const RedactionOptions& options)
      : redactor(options),
        request_headers(AllowHeaders("http.request.header.", options.request_headers)),
        response_headers(AllowHeaders("http.response.header.", options.response_headers)),
        baggage(options.baggage_keys) {}

  Redactor redactor;
  std::vector<AllowedHeader> request_headers;
  std::vector<AllowedHeader> response_headers;
  Baggage baggage;
};

// Whose span it is: service.name names the table of learnt routes.
struct Owner {
  std::string_view service;
  const Disclosure& disclosure;
};

}  // namespace sonde::span
