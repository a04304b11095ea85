// SPDX-License-Identifier: Apache-2.0
// A command line as it may be shown: what looks like a credential is replaced by "REDACTED".
#pragma once

#include <string>
#include <vector>

namespace sonde::resource {

// process.command_args: at most 128 arguments, UTF-8, each cut at kMaxValueBytes. Replaced are
//   the value of a credential-like name    --db-password=x  API_KEY=x  -Dhttp.token=x  "token: x"
//   the argument after such an option      --password x
//   user and password of URLs, and of -u and --user
//   credential-like values of a query      https://host/?access_token=x
// A secret that nothing names cannot be told from other text: this is why the attribute is off
// unless the operator wants it.
std::vector<std::string> ShownArguments(const std::vector<std::string>& args);

}  // namespace sonde::resource
