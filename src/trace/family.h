// SPDX-License-Identifier: Apache-2.0
// The tree operations on requests: attach to a parent, decide, pass the trace id down.
#pragma once

#include <vector>

#include "sonde/base/ids.h"
#include "sonde/pipeline/span.h"
#include "trace/link_method.h"
#include "trace/request.h"

namespace sonde::trace {

// Makes `parent` the parent of `child`, which has none yet; not final until Decide. False, and
// nothing done, if that would make a loop. Afterwards `child` either waits in the parent's list or
// has its lineage.
bool Attach(Request& child, Request& parent, LinkMethod method);

// Undoes Attach of a request that is not decided.
void Detach(Request& child);

// Makes the parent of `request` final and resolves it, and whatever waited for it, as far as
// possible. Appends every request that became resolved to `resolved`. Without a parent, the request
// takes its header's context, or becomes a root with a new trace id.
void Decide(Request& request, IdGenerator& ids, std::vector<Request*>& resolved);

// Writes ids, parent and link method of a resolved request into its span; takes the tracestate
// along.
void WriteLineage(Request& request, Span& span);

}  // namespace sonde::trace
