// SPDX-License-Identifier: Apache-2.0
// A name for a service that nobody named: what its runtime says, else its executable. Part of the
// order in contract.md; the environment and the configuration come before this and are
// resource_stage's.
//
//   java     -jar shop-1.2.jar -> shop; -m module/Class -> module; main class as written
//   python   -m module -> module; gunicorn, uvicorn, hypercorn ...: module of the application
//   (mysite.wsgi:app -> mysite);
//            flask: its application; script.py -> script
//   node     script.js -> script          ruby   puma and rails: directory of the application;
//   script.rb -> script php-fpm  pool name, php-fpm for "www"; script.php -> script          dotnet
//   app.dll -> app
// index, __main__ and manage say nothing: then the directory that holds the file, past dist, build,
// src and bin.
#pragma once

#include <string>

#include "sonde/pipeline/process.h"

namespace sonde::resource {

// Needs exe, args, cwd and the variable FLASK_APP; "" if nothing at all is known.
std::string RuntimeServiceName(const ProcessFacts& facts, Language language);

}  // namespace sonde::resource
