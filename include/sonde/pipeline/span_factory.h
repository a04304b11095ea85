// SPDX-License-Identifier: Apache-2.0
// How the trace stage gets the span of an exchange without knowing the span stage. Composition
// implements it.
#pragma once

#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/span.h"

namespace sonde {

// Drain thread.
class SpanFactory {
 public:
  virtual ~SpanFactory() = default;
  // Everything but ids, parent, links and resource. Called once per exchange, while
  // `exchange.connection` is valid.
  virtual Span Build(const Exchange& exchange) = 0;
};

}  // namespace sonde
