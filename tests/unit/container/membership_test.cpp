// SPDX-License-Identifier: Apache-2.0
#include "container/membership.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sonde/pipeline/workload.h"

namespace sonde::container {
namespace {

const std::string kId = "c9c31cb699cd0ae7ea0e717200b22dfe0372ea5681bc805cb122105bc7e7a41e";
const std::string kOther = "4ecef0de4941184ddbf27868122c4039c5dc35ebc001790cad764529591061d9";
const std::string kUid = "8d2ac4a7-1a11-4c22-a6c4-b0a4d7f9b5a3";
const std::string kUidUnderscored = "8d2ac4a7_1a11_4c22_a6c4_b0a4d7f9b5a3";
const std::string kMirrorUid = "0123456789abcdef0123456789abcdef";

struct Form {
  std::string what;
  std::string path;
  std::string id;
  std::string runtime;
  std::string pod = {};
  std::string unit = {};
  std::string slice = {};
};

void PrintTo(const Form& form, std::ostream* out) { *out << form.what; }

class MembershipForms : public testing::TestWithParam<Form> {};

TEST_P(MembershipForms, IsRead) {
  const Form& form = GetParam();
  const Membership membership = ReadMembership(std::vector{form.path});
  EXPECT_EQ(membership.container_id, form.id);
  EXPECT_EQ(membership.runtime, form.runtime);
  EXPECT_EQ(membership.pod_uid, form.pod);
  EXPECT_EQ(membership.unit, form.unit);
  EXPECT_EQ(membership.slice, form.slice);
}

INSTANTIATE_TEST_SUITE_P(
    Container, MembershipForms,
    testing::Values(
        Form{"docker, cgroupfs", "/docker/" + kId, kId, "docker"},
        Form{"docker, systemd", "/system.slice/docker-" + kId + ".scope", kId, "docker", "", "",
             "system.slice"},
        Form{"docker, systemd, with a sub-group", "/system.slice/docker-" + kId + ".scope/init",
             kId, "docker", "", "", "system.slice"},
        Form{"docker, rootless",
             "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" + kId + ".scope",
             kId, "docker", "", "user@1000.service", "user.slice"},
        Form{"docker in docker", "/docker/" + kOther + "/docker/" + kId, kId, "docker"},
        Form{"docker in docker, systemd",
             "/system.slice/docker-" + kOther + ".scope/system.slice/docker-" + kId + ".scope", kId,
             "docker", "", "", "system.slice"},
        Form{"kind: a pod in a container",
             "/docker/" + kOther + "/kubelet/kubepods/burstable/pod" + kUid + "/" + kId, kId,
             "containerd", kUid},
        Form{"pod, cgroupfs, containerd", "/kubepods/besteffort/pod" + kUid + "/" + kId, kId,
             "containerd", kUid},
        Form{"pod, cgroupfs, guaranteed", "/kubepods/pod" + kUid + "/" + kId, kId, "containerd",
             kUid},
        Form{"pod, systemd, containerd",
             "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + kUidUnderscored +
                 ".slice/cri-containerd-" + kId + ".scope",
             kId, "containerd", kUid, "", "kubepods-burstable-pod" + kUidUnderscored + ".slice"},
        Form{"pod, systemd, guaranteed",
             "/kubepods.slice/kubepods-pod" + kUidUnderscored + ".slice/cri-containerd-" + kId +
                 ".scope",
             kId, "containerd", kUid, "", "kubepods-pod" + kUidUnderscored + ".slice"},
        Form{"pod of a file, systemd, docker",
             "/kubepods.slice/kubepods-pod" + kMirrorUid + ".slice/docker-" + kId + ".scope", kId,
             "docker", kMirrorUid, "", "kubepods-pod" + kMirrorUid + ".slice"},
        Form{"pod, containerd with the other driver",
             "/system.slice/containerd.service/kubepods-burstable-pod" + kUidUnderscored +
                 ".slice:cri-containerd:" + kId,
             kId, "containerd", kUid, "containerd.service", "system.slice"},
        Form{"pod, cri-o, systemd",
             "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + kUidUnderscored +
                 ".slice/crio-" + kId + ".scope",
             kId, "cri-o", kUid, "", "kubepods-besteffort-pod" + kUidUnderscored + ".slice"},
        Form{"pod, cri-o, cgroupfs", "/kubepods/pod" + kUid + "/crio-" + kId, kId, "cri-o", kUid},
        Form{"cri-o's monitor",
             "/kubepods.slice/kubepods-pod" + kUidUnderscored + ".slice/crio-conmon-" + kId +
                 ".scope",
             "", "", "", "crio-conmon-" + kId + ".scope",
             "kubepods-pod" + kUidUnderscored + ".slice"},
        Form{"podman, systemd", "/machine.slice/libpod-" + kId + ".scope", kId, "podman", "", "",
             "machine.slice"},
        Form{"podman, crun's sub-group", "/machine.slice/libpod-" + kId + ".scope/container", kId,
             "podman", "", "", "machine.slice"},
        Form{"podman, cgroupfs", "/libpod_parent/libpod-" + kId, kId, "podman"},
        Form{"podman, split", "/system.slice/web.service/libpod-payload-" + kId, kId, "podman", "",
             "web.service", "system.slice"},
        Form{"podman's monitor", "/machine.slice/libpod-conmon-" + kId + ".scope", "", "", "",
             "libpod-conmon-" + kId + ".scope", "machine.slice"},
        Form{"podman, rootless",
             "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + kId + ".scope",
             kId, "podman", "", "user@1000.service", "user.slice"},
        Form{"nerdctl", "/system.slice/nerdctl-" + kId + ".scope", kId, "containerd", "", "",
             "system.slice"},
        Form{"containerd, a namespace", "/default/" + kId, kId, ""},
        Form{"ecs", "/ecs/9d5c0a4f/" + kId, kId, ""},
        Form{"fargate", "/ecs/task/e2a5f1f5b5d34c6f9f5e2b0d6f1a4c77-1234567890",
             "e2a5f1f5b5d34c6f9f5e2b0d6f1a4c77-1234567890", "containerd"},
        Form{"lxc", "/lxc.payload.web", "web", "lxc"},
        Form{"lxc, a unit inside", "/lxc.payload.web/system.slice/nginx.service", "web", "lxc", "",
             "nginx.service", "system.slice"},
        Form{"lxc, older", "/lxc/web", "web", "lxc"},
        Form{"lxc's monitor", "/lxc.monitor.web", "", ""},
        Form{"docker in lxc", "/lxc.payload.ci/docker/" + kId, kId, "docker"},
        Form{"seen from a private namespace", "/../../docker-" + kId + ".scope", kId, "docker"},
        Form{"seen from a sibling's", "/../" + kId, kId, ""},
        Form{"a service", "/system.slice/nginx.service", "", "", "", "nginx.service",
             "system.slice"},
        Form{"an instance of a template",
             "/system.slice/system-postgresql.slice/postgresql@15-main.service", "", "", "",
             "postgresql@15-main.service", "system-postgresql.slice"},
        Form{"a user's service",
             "/user.slice/user-1000.slice/user@1000.service/app.slice/api.service", "", "", "",
             "api.service", "app.slice"},
        Form{"a session", "/user.slice/user-1000.slice/session-3.scope", "", "", "",
             "session-3.scope", "user-1000.slice"},
        Form{"a service's own groups", "/system.slice/web.service/payload/x.service", "", "", "",
             "web.service", "system.slice"},
        Form{"root", "/", "", ""}, Form{"nothing", "", "", ""},
        Form{"no id: too short", "/docker/" + kId.substr(1), "", ""},
        Form{"no id: upper case", "/docker/C" + kId.substr(1), "", ""},
        Form{"no id: somebody's unit", "/system.slice/backup-" + kId + ".scope", "", "", "",
             "backup-" + kId + ".scope", "system.slice"},
        Form{"a pod's own group", "/kubepods/pod" + kUid, "", ""}));

TEST(MembershipTest, ThePathThatNamesAContainerCounts) {
  const Membership membership = ReadMembership(std::vector<std::string>{
      "/system.slice/docker.service", "/docker/" + kId, "/docker/" + kOther});
  EXPECT_EQ(membership.container_id, kId);
  EXPECT_EQ(membership.unit, "docker.service");
}

TEST(MembershipTest, EndlessPathsAreCut) {
  std::string path;
  for (int i = 0; i < 5000; ++i) path += "/a";
  EXPECT_EQ(ReadMembership(std::vector{path + "/docker/" + kId}).container_id, "");
  EXPECT_EQ(ReadMembership(std::vector{"/" + std::string(4000, 'x') + ".service"}).unit, "");
}

TEST(MembershipTest, HiddenPaths) {
  EXPECT_TRUE(PathsAreHidden(std::vector<std::string>{"/"}));
  EXPECT_TRUE(PathsAreHidden(std::vector<std::string>{"/../.."}));
  EXPECT_TRUE(PathsAreHidden(std::vector<std::string>{}));
  EXPECT_FALSE(PathsAreHidden(std::vector<std::string>{"/", "/docker/" + kId}));
}

std::string MountLine(const std::string& root, const std::string& point) {
  return "92 75 254:0 " + root + " " + point + " rw,relatime - ext4 /dev/vda rw\n";
}

TEST(MembershipTest, MountsOfDocker) {
  Membership membership;
  AddFromMounts(
      MountLine("/", "/") +
          MountLine("/var/lib/docker/containers/" + kId + "/resolv.conf", "/etc/resolv.conf") +
          MountLine("/var/lib/docker/containers/" + kId + "/hostname", "/etc/hostname"),
      membership);
  EXPECT_EQ(membership.container_id, kId);
  EXPECT_EQ(membership.runtime, "docker");
}

TEST(MembershipTest, MountsOfPodman) {
  Membership membership;
  AddFromMounts(
      MountLine("/containers/storage/overlay-containers/" + kId + "/userdata/.containerenv",
                "/run/.containerenv"),
      membership);
  EXPECT_EQ(membership.container_id, kId);
  EXPECT_EQ(membership.runtime, "podman");
}

// The files of a pod's sandbox are those of no container in particular.
TEST(MembershipTest, MountsOfAPod) {
  Membership membership;
  AddFromMounts(MountLine("/var/lib/kubelet/pods/" + kUid + "/etc-hosts", "/etc/hosts") +
                    MountLine("/containers/" + kOther + "/hostname", "/etc/hostname"),
                membership);
  EXPECT_EQ(membership.container_id, "");
  EXPECT_EQ(membership.pod_uid, kUid);
}

// The host has what belongs to containers mounted too, elsewhere.
TEST(MembershipTest, MountsOfTheHost) {
  Membership membership;
  AddFromMounts(MountLine("/", "/var/lib/docker/containers/" + kId + "/mounts/shm") +
                    "garbage\n\n1 2\n" +
                    MountLine("/var/lib/docker/containers/short/hostname", "/etc/hostname"),
                membership);
  EXPECT_EQ(membership.container_id, "");
  EXPECT_EQ(membership.pod_uid, "");
}

}  // namespace
}  // namespace sonde::container
