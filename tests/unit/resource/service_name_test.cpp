// SPDX-License-Identifier: Apache-2.0
#include "resource/service_name.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "sonde/pipeline/process.h"

namespace sonde::resource {
namespace {

struct Case {
  Language language;
  std::string exe;
  std::vector<std::string> args;
  std::string expected;
  std::string cwd = "/srv/shop";
  std::string flask_app = {};
};

class RuntimeNameTest : public testing::TestWithParam<Case> {};

TEST_P(RuntimeNameTest, Names) {
  const Case& item = GetParam();
  ProcessFacts facts;
  facts.exe = item.exe;
  facts.args = item.args;
  facts.cwd = item.cwd;
  if (!item.flask_app.empty()) facts.env = {{"FLASK_APP", item.flask_app}};
  EXPECT_EQ(RuntimeServiceName(facts, item.language), item.expected);
}

constexpr Language kPython = Language::kPython;
constexpr Language kJava = Language::kJava;
constexpr Language kNode = Language::kNodejs;
constexpr Language kRuby = Language::kRuby;
constexpr Language kPhp = Language::kPhp;

INSTANTIATE_TEST_SUITE_P(
    Python, RuntimeNameTest,
    testing::Values(
        Case{kPython, "/usr/bin/python3.11", {"python3", "app.py"}, "app"},
        Case{kPython,
             "/usr/bin/python3.11",
             {"python3", "-u", "-X", "dev", "/a/cart.py", "-m"},
             "cart"},
        Case{kPython,
             "/usr/bin/python3.11",
             {"python3", "-m", "http.server", "8000"},
             "http.server"},
        Case{kPython, "/usr/bin/python3.11", {"python3", "-c", "print(1)"}, "python3.11"},
        Case{kPython, "/usr/bin/python3.11", {"python3", "-"}, "python3.11"},
        Case{kPython, "/usr/bin/python3.11", {"python3"}, "python3.11"},
        Case{kPython, "/usr/bin/python3.11", {"python3", "manage.py", "runserver"}, "shop"},
        Case{kPython, "/usr/bin/python3.11", {"python3", "/opt/pay/src/__main__.py"}, "pay"},
        Case{kPython,
             "/usr/bin/python3.11",
             {"python3", "/usr/bin/gunicorn", "-w", "4", "-b", "localhost:8000", "shop.app:app"},
             "shop.app"},
        Case{kPython,
             "/usr/bin/python3.11",
             {"python3", "/usr/bin/gunicorn", "mysite.wsgi:application"},
             "mysite"},
        Case{kPython,
             "/usr/bin/python3.11",
             {"python3", "/usr/bin/gunicorn", "-w", "4", "mysite.wsgi"},
             "mysite"},
        Case{kPython,
             "/usr/bin/python3.11",
             {"python3", "/usr/bin/gunicorn", "-w", "4"},
             "gunicorn"},
        Case{kPython,
             "/usr/bin/python3.11",
             {"python3", "-m", "uvicorn", "shop:create()", "--factory"},
             "shop"},
        Case{kPython,
             "/usr/bin/python3.11",
             {"python3", "/usr/bin/uvicorn", "--port", "80", "api.main:app"},
             "api.main"},
        Case{kPython, "/usr/bin/python3.11", {"gunicorn: worker [shop.app:app]"}, "shop.app"},
        Case{kPython, "/usr/bin/python3.11", {"gunicorn: master [shop]"}, "shop"},
        Case{kPython, "/usr/bin/python3.11", {"gunicorn: master"}, "python3.11"},
        Case{kPython,
             "/usr/bin/python3.11",
             {"python3", "/usr/bin/flask", "--app", "cart:create", "run"},
             "cart"},
        Case{kPython,
             "/usr/bin/python3.11",
             {"python3", "-m", "flask", "--app=pay.py", "run"},
             "pay"},
        Case{kPython,
             "/usr/bin/python3.11",
             {"python3", "-m", "flask", "run"},
             "desk",
             "/",
             "desk.py"},
        Case{kPython, "/usr/bin/python3.11", {"python3", "-m", "flask", "run"}, "flask"},
        Case{kPython, "/usr/bin/python3.11", {"python3", "-m"}, "python3.11"}));

INSTANTIATE_TEST_SUITE_P(
    Java, RuntimeNameTest,
    testing::Values(
        Case{kJava, "/usr/bin/java", {"java", "-Xmx1g", "-jar", "/opt/shop.jar", "--x"}, "shop"},
        Case{kJava, "/usr/bin/java", {"java", "-jar", "shop-api-1.2.3-SNAPSHOT.jar"}, "shop-api"},
        Case{kJava, "/usr/bin/java", {"java", "-jar", "/opt/web.war"}, "web"},
        Case{kJava, "/usr/bin/java", {"java", "-jar"}, "java"},
        Case{kJava,
             "/usr/bin/java",
             {"java", "-cp", "a.jar:b.jar", "-Da=b", "com.shop.Main", "-jar"},
             "com.shop.Main"},
        Case{kJava,
             "/usr/bin/java",
             {"java", "-p", "mods", "-m", "com.shop/com.shop.Main"},
             "com.shop"},
        Case{kJava, "/usr/bin/java", {"java", "--module=com.shop/com.shop.Main"}, "com.shop"},
        Case{kJava, "/usr/bin/java", {"java", "@options", "/tmp/Server.java", "8080"}, "Server"},
        Case{kJava, "/usr/bin/java", {"java", "-version"}, "java"},
        Case{kJava, "/usr/bin/java", {}, "java"}));

INSTANTIATE_TEST_SUITE_P(
    Others, RuntimeNameTest,
    testing::Values(
        Case{kNode, "/usr/bin/node", {"node", "server.js"}, "server"},
        Case{kNode, "/usr/bin/node", {"node", "--require", "./otel.js", "/a/cart.mjs"}, "cart"},
        Case{kNode, "/usr/bin/node", {"node", "/srv/pay/dist/index.js"}, "pay"},
        Case{kNode, "/usr/bin/node", {"node", "index.js"}, "shop"},
        Case{kNode, "/usr/bin/node", {"node", "dist/index.js"}, "shop"},
        Case{kNode, "/usr/bin/node", {"node", "/index.js"}, "index"},
        Case{kNode, "/usr/bin/node", {"node", "-e", "1"}, "node"},
        Case{kRuby, "/usr/bin/ruby3.1", {"puma 5.6.5 (tcp://0.0.0.0:3000) [shop]"}, "shop"},
        Case{kRuby, "/usr/bin/ruby3.1", {"ruby", "bin/rails", "server"}, "shop"},
        Case{kRuby, "/usr/bin/ruby3.1", {"ruby", "-I", "lib", "cart.rb"}, "cart"},
        Case{kRuby, "/usr/bin/ruby3.1", {"ruby", "-e", "1"}, "ruby3.1"},
        Case{kPhp, "/usr/sbin/php-fpm8.2", {"php-fpm: pool www                "}, "php-fpm"},
        Case{kPhp, "/usr/sbin/php-fpm8.2", {"php-fpm: pool shop"}, "shop"},
        Case{kPhp,
             "/usr/sbin/php-fpm8.2",
             {"php-fpm: master process (/etc/php-fpm.conf)"},
             "php-fpm"},
        Case{kPhp, "/usr/bin/php8.2", {"php", "-S", "localhost:80", "-t", "public"}, "php8.2"},
        Case{kPhp, "/usr/bin/php8.2", {"php", "-d", "a=b", "artisan", "serve"}, "artisan"},
        Case{Language::kDotnet,
             "/usr/bin/dotnet",
             {"dotnet", "exec", "/app/Shop.Api.dll"},
             "Shop.Api"},
        Case{Language::kGo, "/opt/bin/catalog", {"./catalog", "-p", "80"}, "catalog"},
        Case{Language::kGeneric, "/usr/sbin/nginx", {"nginx: worker process"}, "nginx"},
        Case{Language::kGeneric, "", {}, ""}));

}  // namespace
}  // namespace sonde::resource
