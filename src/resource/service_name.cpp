// SPDX-License-Identifier: Apache-2.0
#include "resource/service_name.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/pipeline/process.h"

namespace sonde::resource {
namespace {

using Args = std::span<const std::string>;

template <size_t N>
bool OneOf(std::string_view text, const std::array<std::string_view, N>& list) {
  return std::ranges::find(list, text) != list.end();
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::string_view Without(std::string_view text, std::string_view suffix) {
  return text.ends_with(suffix) ? text.substr(0, text.size() - suffix.size()) : text;
}

std::string_view BaseName(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  return path.substr(path.rfind('/') + 1);  // npos + 1 == 0
}

std::string_view Parent(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

template <size_t N>
std::string_view WithoutExtension(std::string_view name,
                                  const std::array<std::string_view, N>& extensions) {
  for (const std::string_view extension : extensions) {
    if (name.size() > extension.size() && name.ends_with(extension)) {
      return name.substr(0, name.size() - extension.size());
    }
  }
  return name;
}

// "shop-1.2.3-SNAPSHOT" -> "shop": a new version is the same service.
std::string_view WithoutVersion(std::string_view name) {
  for (size_t at = name.find('-'); at != std::string_view::npos; at = name.find('-', at + 1)) {
    if (at > 0 && at + 1 < name.size() && IsDigit(name[at + 1])) {
      return name.substr(0, at);
    }
  }
  return name;
}

std::string DirectoryName(std::string_view path, const std::string& cwd) {
  constexpr std::array<std::string_view, 7> kMeaningless = {"dist", "build", "src",   "bin",
                                                            "lib",  ".",     "public"};
  std::string full(path);
  if (!full.starts_with('/')) full = cwd + "/" + full;
  std::string_view directory = Parent(full);
  while (OneOf(BaseName(directory), kMeaningless)) directory = Parent(directory);
  return std::string(BaseName(directory));
}

std::string ScriptName(std::string_view path, const ProcessFacts& facts) {
  constexpr std::array<std::string_view, 9> kExtensions = {".py", ".js",  ".mjs", ".cjs", ".ts",
                                                           ".rb", ".php", ".pyc", ".ru"};
  constexpr std::array<std::string_view, 4> kMeaningless = {"index", "__main__", "manage",
                                                            "config"};
  const std::string_view name = WithoutExtension(BaseName(path), kExtensions);
  if (OneOf(name, kMeaningless)) {
    std::string directory = DirectoryName(path, facts.cwd);
    if (!directory.empty() && directory != "/") return directory;
  }
  return std::string(name);
}

// First argument that is no option. `takes_value`: options whose value is the next argument;
// `stops`: options after which there is no script.
template <size_t N, size_t M>
size_t SkipOptions(Args args, size_t at, const std::array<std::string_view, N>& takes_value,
                   const std::array<std::string_view, M>& stops) {
  while (at < args.size() && args[at].starts_with('-') && args[at] != "-") {
    if (OneOf(args[at], stops)) return args.size();
    at += OneOf(args[at], takes_value) ? 2 : 1;
  }
  return at;
}

bool IsIdentifierPath(std::string_view text) {
  return !text.empty() && !IsDigit(text.front()) && std::ranges::all_of(text, [](char c) {
    return IsDigit(c) || IsLetter(c) || c == '_' || c == '.';
  });
}

// "shop.app:create_app()" -> "shop.app"; "" if this is no application.
std::string_view ApplicationModule(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return {};
  const std::string_view module = text.substr(0, colon);
  const std::string_view object = text.substr(colon + 1);
  const std::string_view callee = object.substr(0, object.find('('));
  return IsIdentifierPath(module) && IsIdentifierPath(callee) ? module : std::string_view();
}

// Django's layout: project.wsgi, project.asgi.
std::string ProjectName(std::string_view module) {
  return std::string(Without(Without(module, ".wsgi"), ".asgi"));
}

std::string FlaskName(Args args, const ProcessFacts& facts) {
  std::string_view app;
  if (const std::string* variable = facts.Env("FLASK_APP")) app = *variable;
  for (size_t i = 0; i < args.size(); ++i) {
    if ((args[i] == "--app" || args[i] == "-A") && i + 1 < args.size()) app = args[i + 1];
    if (args[i].starts_with("--app=")) app = std::string_view(args[i]).substr(6);
  }
  if (app.empty()) return "flask";
  return ScriptName(app.substr(0, app.find(':')), facts);
}

// `program` is the script or module that was started; its arguments name the application that it
// serves.
std::string PythonProgram(std::string_view program, Args args, const ProcessFacts& facts) {
  constexpr std::array<std::string_view, 6> kServers = {"gunicorn", "uvicorn",        "hypercorn",
                                                        "daphne",   "waitress-serve", "granian"};
  const std::string_view name = BaseName(program);
  if (name == "flask") return FlaskName(args, facts);
  if (!OneOf(name, kServers)) return ScriptName(program, facts);
  for (const std::string& arg : args) {
    const std::string_view module = ApplicationModule(arg);
    if (!module.empty()) return ProjectName(module);
  }
  // gunicorn also takes a module alone, as its last argument.
  const size_t count = args.size();
  if (count > 0 && IsIdentifierPath(args[count - 1]) &&
      (count == 1 || !args[count - 2].starts_with('-'))) {
    return ProjectName(args[count - 1]);
  }
  return std::string(name);
}

// Servers that write their own title: "gunicorn: worker [shop.app:app]", "puma 6.4 (tcp://...)
// [shop]".
std::string BracketedTitle(std::string_view title) {
  const size_t close = title.rfind(']');
  const size_t open = close == std::string_view::npos ? close : title.rfind('[', close);
  if (open == std::string_view::npos || close == open + 1) return {};
  return std::string(title.substr(open + 1, close - open - 1));
}

std::string PythonName(Args args, const ProcessFacts& facts) {
  if (args[0].starts_with("gunicorn: ")) {
    const std::string name = BracketedTitle(args[0]);
    const std::string_view module = ApplicationModule(name);
    return module.empty() ? name : ProjectName(module);
  }
  for (size_t i = 1; i < args.size() && args[i].starts_with('-'); ++i) {
    if (args[i] == "-c") return {};
    if (args[i] == "-m" && i + 1 < args.size()) {
      return PythonProgram(args[i + 1], args.subspan(i + 2), facts);
    }
    if (args[i] == "-X" || args[i] == "-W") ++i;
  }
  constexpr std::array<std::string_view, 3> kValue = {"-X", "-W", "--check-hash-based-pycs"};
  constexpr std::array<std::string_view, 2> kStop = {"-c", "-m"};
  const size_t script = SkipOptions(args, 1, kValue, kStop);
  if (script >= args.size() || args[script] == "-") return {};
  return PythonProgram(args[script], args.subspan(script + 1), facts);
}

std::string JavaName(Args args, const ProcessFacts& /*facts*/) {
  constexpr std::array<std::string_view, 10> kValue = {
      "-cp",           "-classpath",  "--class-path",  "-p",          "--module-path",
      "--add-modules", "--add-opens", "--add-exports", "--add-reads", "--upgrade-module-path"};
  constexpr std::array<std::string_view, 2> kExtensions = {".jar", ".war"};
  for (size_t i = 1; i < args.size(); ++i) {
    if (args[i] == "-jar") {
      if (i + 1 == args.size()) return {};
      return std::string(WithoutVersion(WithoutExtension(BaseName(args[i + 1]), kExtensions)));
    }
    if (args[i] == "-m" || args[i] == "--module") {
      return i + 1 == args.size() ? std::string() : args[i + 1].substr(0, args[i + 1].find('/'));
    }
    if (args[i].starts_with("--module=")) {
      const std::string module = args[i].substr(9);
      return module.substr(0, module.find('/'));
    }
    if (OneOf(args[i], kValue)) {
      ++i;
    } else if (!args[i].starts_with('-') && !args[i].starts_with('@')) {
      // A class name, with dots; or a source file that is compiled on the way.
      return args[i].ends_with(".java") ? std::string(Without(BaseName(args[i]), ".java"))
                                        : args[i];
    }
  }
  return {};
}

std::string NodeName(Args args, const ProcessFacts& facts) {
  constexpr std::array<std::string_view, 9> kValue = {
      "-r", "--require",    "--import",   "--loader", "--experimental-loader",
      "-C", "--conditions", "--env-file", "--title"};
  constexpr std::array<std::string_view, 4> kStop = {"-e", "--eval", "-p", "--print"};
  const size_t script = SkipOptions(args, 1, kValue, kStop);
  if (script >= args.size() || args[script] == "-") return {};
  return ScriptName(args[script], facts);
}

std::string RubyName(Args args, const ProcessFacts& facts) {
  if (args[0].starts_with("puma")) return BracketedTitle(args[0]);
  constexpr std::array<std::string_view, 3> kValue = {"-I", "-r", "-C"};
  constexpr std::array<std::string_view, 1> kStop = {"-e"};
  constexpr std::array<std::string_view, 5> kServers = {"rails", "puma", "rackup", "unicorn",
                                                        "bundle"};
  const size_t script = SkipOptions(args, 1, kValue, kStop);
  if (script >= args.size()) return {};
  if (OneOf(BaseName(args[script]), kServers) && facts.cwd.size() > 1) {
    return std::string(BaseName(facts.cwd));
  }
  return ScriptName(args[script], facts);
}

std::string PhpName(Args args, const ProcessFacts& facts) {
  constexpr std::string_view kPool = "php-fpm: pool ";
  if (args[0].starts_with(kPool)) {
    std::string_view pool = std::string_view(args[0]).substr(kPool.size());
    pool = pool.substr(0, pool.find_last_not_of(' ') + 1);  // the title is padded
    return pool == "www" || pool.empty() ? "php-fpm" : std::string(pool);
  }
  if (facts.exe_name().starts_with("php-fpm")) return "php-fpm";
  constexpr std::array<std::string_view, 6> kValue = {"-d", "-c", "-S", "-t", "-z", "--server"};
  constexpr std::array<std::string_view, 2> kStop = {"-r", "--run"};
  const size_t script = SkipOptions(args, 1, kValue, kStop);
  return script >= args.size() ? std::string() : ScriptName(args[script], facts);
}

std::string DotnetName(Args args, const ProcessFacts& /*facts*/) {
  for (const std::string& arg : args.subspan(1)) {
    if (arg.ends_with(".dll")) return std::string(Without(BaseName(arg), ".dll"));
  }
  return {};
}

struct Namer {
  Language language;
  std::string (*name)(Args, const ProcessFacts&);
};

constexpr std::array kNamers = {
    Namer{.language = Language::kJava, .name = JavaName},
    Namer{.language = Language::kPython, .name = PythonName},
    Namer{.language = Language::kNodejs, .name = NodeName},
    Namer{.language = Language::kRuby, .name = RubyName},
    Namer{.language = Language::kPhp, .name = PhpName},
    Namer{.language = Language::kDotnet, .name = DotnetName},
};

}  // namespace

std::string RuntimeServiceName(const ProcessFacts& facts, Language language) {
  for (const Namer& namer : kNamers) {
    if (namer.language != language || facts.args.empty()) continue;
    std::string name = namer.name(facts.args, facts);
    if (!name.empty()) return name;
  }
  return std::string(facts.exe_name());
}

}  // namespace sonde::resource
