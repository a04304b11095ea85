// SPDX-License-Identifier: Apache-2.0
#include "resource/identity.h"

#include <gtest/gtest.h>

namespace sonde::resource {
namespace {

TEST(IdentityTest, InstanceIdIsVersionFive) {
  // Computed with Python's uuid.uuid5 in the same namespace.
  EXPECT_EQ(InstanceId("boot/42/1000"), "cb780adf-bdf7-5729-848c-0866bffdb824");
  EXPECT_NE(InstanceId("boot/42/1001"), InstanceId("boot/42/1000"));
}

TEST(IdentityTest, CreationTimeIsIso8601) {
  EXPECT_EQ(CreationTime(1'700'558'700, 3485), "2023-11-21T09:25:34.850Z");
  EXPECT_EQ(CreationTime(1'700'558'700, 0), "2023-11-21T09:25:00.000Z");
}

}  // namespace
}  // namespace sonde::resource
