// SPDX-License-Identifier: Apache-2.0
// A libjvm of probe points and a few instructions is made here; and those of this machine are read.
#include <absl/status/status.h>
#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "binary/elf.h"
#include "probes/runtime/runtimes.h"
#include "sonde/abi/runtime.h"
#include "sonde/abi/tls.h"
#include "sonde/base/result.h"
#include "sonde/probe/runtime.h"
#include "support/elf_image.h"
#include "unit/runtime/sound_plan.h"
#include "unit/tls/real_file.h"

namespace sonde::probe {
namespace {

using sonde::testing::ElfImage;
using ::testing::HasSubstr;

#define CODE(text) std::string(text, sizeof(text) - 1)

// lea rbx,[rdi-0x4a0]; mov rax,[rax+r13]; mov [rbx+0x520],rax; ret
const std::string kSetter =
    CODE("\x48\x8d\x9f\x60\xfb\xff\xff\x4a\x8b\x04\x28\x48\x89\x83\x20\x05\0\0\xc3");
// lea rbx,[rdi-0x4a0]; mov rdi,rbx; call the next function; ret
const std::string kCallingSetter =
    CODE("\x48\x8d\x9f\x60\xfb\xff\xff\x48\x89\xdf\xe8\x01\0\0\0\xc3");
// push rbx; mov rbx,rdi; mov rax,[rax+r12]; mov [rbx+0x2a0],rax; ret
const std::string kCallee = CODE("\x53\x48\x89\xfb\x4a\x8b\x04\x20\x48\x89\x83\xa0\x02\0\0\xc3");

struct Note {
  std::string name;
  std::string arguments;
  uint64_t semaphore = 0;
  uint64_t at = 0;  // in the text
  std::string provider = "hotspot";
};

struct Library {
  std::string text = CODE("\x90\x90\xc3");  // two nops for probe points
  std::vector<Note> notes = {{"thread__unpark", "8@%rdi"},
                             {"thread__park__begin", "8@%r14 -4@%eax -8@%rbx", 0, 1}};
  std::string setter{};  // code of JVM_SetCurrentThread
  std::string callee{};  // what follows it
  bool current = true;   // the symbol of the current thread
  std::string strings = std::string("\0libc.so.6", 11);
  uint64_t moved = 0x1000;  // since the notes were written

  static void Put(std::string& to, uint64_t value, size_t bytes) {
    to.append(reinterpret_cast<const char*>(&value), bytes);
  }
  std::string Notes(uint64_t start, uint64_t base) const {
    std::string all;
    for (const Note& note : notes) {
      std::string content;
      for (const uint64_t word : {start + note.at - moved, base - moved, note.semaphore}) {
        Put(content, word, 8);
      }
      content += note.provider + '\0' + note.name + '\0' + note.arguments + '\0';
      for (const uint64_t word : {uint64_t{8}, uint64_t{content.size()}, uint64_t{3}}) {
        Put(all, word, 4);
      }
      all += CODE("stapsdt\0") + content;
      all.resize((all.size() + 3) / 4 * 4, '\0');
    }
    return all;
  }
  std::string Make() const {
    ElfImage elf;
    const uint64_t start = elf.Append(".text", text + setter + callee);
    for (const char* name : {"JNI_CreateJavaVM", "JVM_CurrentThread"}) {
      elf.AddSymbol(name, start, text.size());
    }
    if (!setter.empty()) {
      elf.AddSymbol("JVM_SetCurrentThread", start + text.size(), setter.size());
    }
    if (current) elf.AddSymbol("_ZN6Thread12_thr_currentE", 0x20, 8, STT_TLS);
    const uint64_t base = elf.Append(".stapsdt.base", std::string(1, '\0'));
    std::string slots;
    for (const uint64_t word : {0, 8, 0, 0x20}) Put(slots, word, 8);
    const uint64_t got = elf.Append(".got", slots);
    std::string relocations;
    for (const uint64_t slot : {got, got + 16}) {
      Put(relocations, slot, 8);
      Put(relocations, R_X86_64_DTPMOD64, 8);
      Put(relocations, 0, 8);
    }
    elf.Append(".rela.dyn", relocations, SHT_RELA);
    elf.Append(".note.stapsdt", Notes(start, base));
    elf.Append(".dynstr", strings);
    elf.Append(".rodata", "VM (25.0.3+9-LTS) for linux-amd64 JRE (25.0.3+9-LTS), built");
    return elf.Make();
  }
  Result<RuntimePlan> Resolve() const {
    const auto elf = binary::Elf::FromBytes(Make());
    if (!elf.ok()) return elf.status();
    return kHotspot.resolve(**elf);
  }
};

std::string Why(const Result<RuntimePlan>& plan) { return std::string(plan.status().message()); }

TEST(Hotspot, ItsOwnProbePointsAreUsed) {
  const auto plan = Library().Resolve();
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->version, "25.0.3+9-LTS");
  EXPECT_EQ(plan->layout.kind, SONDE_RUNTIME_JAVA);
  ASSERT_EQ(plan->points.size(), 2);
  const RuntimePoint& unparked = plan->points[0];
  EXPECT_EQ(unparked.event, SONDE_RUNTIME_JAVA_UNPARKED);
  EXPECT_EQ(unparked.file_offset, ElfImage::kFirst);
  EXPECT_EQ(unparked.subject.from, SONDE_REGISTER_DI);
  EXPECT_EQ(unparked.subject.memory, 0);
  EXPECT_EQ(unparked.where, "thread__unpark+0x0");
  EXPECT_EQ(unparked.use, RuntimePointUse::kAlways);
  const RuntimePoint& parks = plan->points[1];
  EXPECT_EQ(parks.event, SONDE_RUNTIME_JAVA_PARKS);
  EXPECT_EQ(parks.file_offset, ElfImage::kFirst + 1);
  EXPECT_EQ(parks.subject.from, 14);
}

TEST(Hotspot, ArgumentsMayBeInMemory) {
  Library library;
  library.notes[1].arguments = "8@1264(%rbx) -4@%eax";
  const auto plan = library.Resolve();
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->points[1].subject.from, SONDE_REGISTER_BX);
  EXPECT_EQ(plan->points[1].subject.memory, 1);
  EXPECT_EQ(plan->points[1].subject.offset, 1264);
}

TEST(Hotspot, ThatCannotBeReadSaysWhy) {
  for (const char* arguments : {"", "8@", "8@%", "8@%xmm0", "-4@%eax", "8@(", "8@)", "8@x(%rax)",
                                "8@(%rax", "8@$5", "8@99999999999(%rax)", "8@8(%rax,%rbx,8)"}) {
    Library library;
    library.notes[0].arguments = arguments;
    EXPECT_THAT(Why(library.Resolve()), HasSubstr("no probe points")) << arguments;
  }
  Library counted;
  counted.notes[0].semaphore = 0x1234;
  EXPECT_THAT(Why(counted.Resolve()), HasSubstr("no probe points"));
  Library foreign;
  foreign.notes[1].provider = "other";
  EXPECT_THAT(Why(foreign.Resolve()), HasSubstr("no probe points"));
  Library no_nop;
  no_nop.notes[1].at = 2;
  EXPECT_THAT(Why(no_nop.Resolve()), HasSubstr("no probe points"));
  Library without;
  without.notes.clear();
  EXPECT_THAT(Why(without.Resolve()), HasSubstr("no probe points"));
}

TEST(Hotspot, BeforeVirtualThreadsThereIsNoLayout) {
  const auto plan = Library().Resolve();
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->layout.java.thread, SONDE_NOWHERE);
  EXPECT_EQ(plan->layout.java.vthread_id, SONDE_NOWHERE);
  EXPECT_EQ(plan->layout.base, 0);
  EXPECT_EQ(plan->remark, "");
}

TEST(Hotspot, TheNumberOfAThreadIsWhereItIsSet) {
  const auto plan = Library{.setter = kSetter}.Resolve();
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->layout.java.thread, 0x20);
  EXPECT_EQ(plan->layout.java.vthread_id, 0x520);
  EXPECT_EQ(plan->remark, "");
  const auto elf = binary::Elf::FromBytes(Library{.setter = kSetter}.Make());
  ASSERT_TRUE(elf.ok());
  EXPECT_EQ((*elf)->Pointer(plan->layout.base + 8), 0x20);
  const auto called = Library{.setter = kCallingSetter, .callee = kCallee}.Resolve();
  ASSERT_TRUE(called.ok()) << called.status();
  EXPECT_EQ(called->layout.java.vthread_id, 0x2a0);
}

TEST(Hotspot, WithoutTheNumberThereAreNoProbePoints) {
  for (const Library& library :
       {Library{.setter = kSetter, .current = false}, Library{.setter = kCallee},
        Library{.setter = kSetter, .strings = CODE("\0libc.musl-x86_64.so.1\0")}}) {
    const auto plan = library.Resolve();
    ASSERT_TRUE(plan.ok()) << plan.status();
    EXPECT_EQ(plan->layout.java.thread, SONDE_NOWHERE);
    EXPECT_EQ(plan->layout.java.vthread_id, SONDE_NOWHERE);
    EXPECT_EQ(plan->layout.base, 0);
    EXPECT_NE(plan->remark, "");
    EXPECT_TRUE(plan->points.empty());
  }
}

TEST(Hotspot, IsNotFoundInOtherPrograms) {
  const auto elf = testing::OpenFile("/proc/self/exe");
  ASSERT_NE(elf, nullptr);
  EXPECT_TRUE(absl::IsNotFound(kHotspot.resolve(*elf).status()));
}

TEST(Hotspot, HostileFilesDoNoHarm) {
  testing::ExpectNoHarm(kHotspot, Library{.setter = kCallingSetter, .callee = kCallee}.Make());
}

// Those of Debian's OpenJDK 17 and whatever else is installed as Debian installs it.
TEST(Hotspot, RealLibrariesAreResolved) {
  std::error_code error;
  size_t seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/jvm", error)) {
    const std::string path = entry.path() / "lib/server/libjvm.so";
    const auto elf = testing::OpenFile(path);
    if (elf == nullptr) continue;
    ++seen;
    const auto plan = kHotspot.resolve(*elf);
    ASSERT_TRUE(plan.ok()) << path << ": " << plan.status();
    EXPECT_EQ(plan->remark, "") << path;
    EXPECT_EQ(plan->points.size(), 2) << path;
    for (const auto& point : plan->points) testing::ExpectSoundPoint(path, point);
    const bool has_virtual_threads = elf->Find("JVM_SetCurrentThread").has_value();
    EXPECT_EQ(plan->layout.java.thread != SONDE_NOWHERE, has_virtual_threads) << path;
    EXPECT_EQ(plan->layout.java.vthread_id != SONDE_NOWHERE, has_virtual_threads) << path;
    EXPECT_EQ(plan->layout.base != 0, has_virtual_threads) << path;
    if (plan->version.starts_with("25.")) {
      EXPECT_EQ(plan->layout.java.vthread_id, 0x520) << path;
    }
  }
  if (seen == 0) GTEST_SKIP() << "no libjvm.so under /usr/lib/jvm";
}

}  // namespace
}  // namespace sonde::probe
