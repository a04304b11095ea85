// SPDX-License-Identifier: Apache-2.0
#include "resource/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace sonde::resource {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

TEST(ShownArgumentsTest, ValuesOfCredentialLikeNames) {
  const std::pair<const char*, const char*> table[] = {
      {"--password=hunter2", "--password=REDACTED"},
      {"--db-password=a&b=c", "--db-password=REDACTED"},
      {"-Dhttp.proxyPassword=x", "-Dhttp.proxyPassword=REDACTED"},
      {"AWS_SECRET_ACCESS_KEY=x", "AWS_SECRET_ACCESS_KEY=REDACTED"},
      {"API-KEY=x", "API-KEY=REDACTED"},
      {"Authorization: Bearer abc.def", "Authorization:REDACTED"},
      {"X-Api-Key: k", "X-Api-Key:REDACTED"},
      {"https://u:p@host/x", "https://REDACTED:REDACTED@host/x"},
      {"https://u:p@ss@host:80", "https://REDACTED:REDACTED@host:80"},
      {"postgres://token@db/shop?sslmode=on", "postgres://REDACTED:REDACTED@db/shop?sslmode=on"},
      {"https://host/a?x=1&access_token=abc&y=2", "https://host/a?x=1&access_token=REDACTED&y=2"},
      {"host=db password=x dbname=shop", "host=db password=REDACTED dbname=shop"},
      {"--auth=x", "--auth=REDACTED"},
  };
  for (const auto& [given, shown] : table) {
    EXPECT_THAT(ShownArguments({given}), ElementsAre(shown)) << given;
  }
}

TEST(ShownArgumentsTest, WhatIsNoSecretStays) {
  for (const char* text :
       {"--port=80", "--author=ann", "--password-file=/run/secret", "https://host/a@b", "-", "",
        "a:b", "://", "--", "=", "--passthrough", "user@host:/path", "--token-path=/x"}) {
    EXPECT_THAT(ShownArguments({text}), ElementsAre(text));
  }
}

TEST(ShownArgumentsTest, TheArgumentAfterACredentialLikeOption) {
  EXPECT_THAT(ShownArguments({"mysql", "--password", "hunter2", "shop"}),
              ElementsAre("mysql", "--password", "REDACTED", "shop"));
  EXPECT_THAT(ShownArguments({"x", "-token", "t", "--secret", "--verbose"}),
              ElementsAre("x", "-token", "REDACTED", "--secret", "--verbose"));
  EXPECT_THAT(ShownArguments({"curl", "-u", "me:pw", "--user", "you"}),
              ElementsAre("curl", "-u", "me:REDACTED", "--user", "you"));
}

TEST(ShownArgumentsTest, BoundedAndUtf8) {
  EXPECT_THAT(ShownArguments(std::vector<std::string>(1000, "x")), SizeIs(128));
  const auto shown = ShownArguments({std::string(100'000, 'a'), "\xff"});
  EXPECT_EQ(shown[0].size(), 4096U);
  EXPECT_EQ(shown[1], "\xEF\xBF\xBD");
}

}  // namespace
}  // namespace sonde::resource
