// SPDX-License-Identifier: Apache-2.0
// A page of the admin endpoint that another stage answers: GET, JSON. The agent hands pages over,
// so that the endpoint knows no stage.
#pragma once

#include <functional>
#include <map>
#include <string>

namespace sonde {

// Decoded; a name may come several times.
using PageParameters = std::multimap<std::string, std::string>;

struct PageAnswer {
  int status = 200;  // of HTTP
  std::string body;  // JSON
};

struct Page {
  std::string path;
  // Called from the endpoint's threads.
  std::function<PageAnswer(const PageParameters&)> read;
};

}  // namespace sonde
