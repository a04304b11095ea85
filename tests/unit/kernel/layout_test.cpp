// SPDX-License-Identifier: Apache-2.0
// The structs that cross the kernel boundary have their fields at the same places for both
// compilers: the objects' BTF against this one's offsets. BTF holds those that maps, globals and
// functions name; for the others it follows from what abi_check proves of both: the same fields of
// fixed width in the same size, and here none of that size is padding.
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernel/objects.h"
#include "sonde/abi/control.h"
#include "sonde/abi/record.h"
#include "sonde/abi/runtime.h"
#include "sonde/abi/tls.h"
#include "sonde/probe/family.h"

namespace sonde::kernel_unit {
namespace {

struct Field {
  std::string name;
  size_t offset_bytes;
  size_t size_bytes;
};
struct Struct {
  std::string name;
  size_t size_bytes;
  std::vector<Field> fields;
};

// NOLINTBEGIN(cppcoreguidelines-macro-usage): a field's name and its offset, once
#define FIELD(type, field) {#field, offsetof(type, field), sizeof(type::field)}
// NOLINTEND(cppcoreguidelines-macro-usage)

const std::vector<Struct>& Structs() {
  static const std::vector<Struct> structs = {
      {"sonde_record_header",
       sizeof(sonde_record_header),
       {FIELD(sonde_record_header, type), FIELD(sonde_record_header, reserved),
        FIELD(sonde_record_header, size), FIELD(sonde_record_header, mono_ns)}},
      {"sonde_data_record",
       sizeof(sonde_data_record),
       {FIELD(sonde_data_record, header), FIELD(sonde_data_record, connection),
        FIELD(sonde_data_record, position), FIELD(sonde_data_record, execution_id),
        FIELD(sonde_data_record, tgid), FIELD(sonde_data_record, tid),
        FIELD(sonde_data_record, length), FIELD(sonde_data_record, captured),
        FIELD(sonde_data_record, tail), FIELD(sonde_data_record, direction),
        FIELD(sonde_data_record, source), FIELD(sonde_data_record, flags),
        FIELD(sonde_data_record, runtime), FIELD(sonde_data_record, reserved)}},
      {"sonde_open_record",
       sizeof(sonde_open_record),
       {FIELD(sonde_open_record, header), FIELD(sonde_open_record, connection),
        FIELD(sonde_open_record, peer_connection), FIELD(sonde_open_record, netns_inode),
        FIELD(sonde_open_record, tgid), FIELD(sonde_open_record, tid),
        FIELD(sonde_open_record, transport), FIELD(sonde_open_record, family),
        FIELD(sonde_open_record, local_port), FIELD(sonde_open_record, remote_port),
        FIELD(sonde_open_record, path_length), FIELD(sonde_open_record, local_address),
        FIELD(sonde_open_record, remote_address), FIELD(sonde_open_record, path),
        FIELD(sonde_open_record, has_begin), FIELD(sonde_open_record, plain_text),
        FIELD(sonde_open_record, reserved), FIELD(sonde_open_record, begin)}},
      {"sonde_shutdown_record",
       sizeof(sonde_shutdown_record),
       {FIELD(sonde_shutdown_record, header), FIELD(sonde_shutdown_record, connection),
        FIELD(sonde_shutdown_record, position), FIELD(sonde_shutdown_record, direction),
        FIELD(sonde_shutdown_record, has_position), FIELD(sonde_shutdown_record, reserved)}},
      {"sonde_process_record",
       sizeof(sonde_process_record),
       {FIELD(sonde_process_record, header), FIELD(sonde_process_record, tgid),
        FIELD(sonde_process_record, parent_tgid), FIELD(sonde_process_record, start_ns),
        FIELD(sonde_process_record, cgroup_id), FIELD(sonde_process_record, exit_code),
        FIELD(sonde_process_record, listen_port), FIELD(sonde_process_record, program_bytes),
        FIELD(sonde_process_record, traced), FIELD(sonde_process_record, reserved),
        FIELD(sonde_process_record, comm), FIELD(sonde_process_record, program)}},
      {"sonde_settings",
       sizeof(sonde_settings),
       {FIELD(sonde_settings, port_range_count), FIELD(sonde_settings, ports),
        FIELD(sonde_settings, watch_exec), FIELD(sonde_settings, watch_listen),
        FIELD(sonde_settings, socket_table), FIELD(sonde_settings, tls),
        FIELD(sonde_settings, wakes), FIELD(sonde_settings, reserved)}},
      {"sonde_execution_record",
       sizeof(sonde_execution_record),
       {FIELD(sonde_execution_record, header), FIELD(sonde_execution_record, connection),
        FIELD(sonde_execution_record, from), FIELD(sonde_execution_record, to),
        FIELD(sonde_execution_record, counter), FIELD(sonde_execution_record, tgid),
        FIELD(sonde_execution_record, tid), FIELD(sonde_execution_record, event),
        FIELD(sonde_execution_record, runtime), FIELD(sonde_execution_record, reserved)}},
      {"sonde_runtime_probe",
       sizeof(sonde_runtime_probe),
       {FIELD(sonde_runtime_probe, subject), FIELD(sonde_runtime_probe, event),
        FIELD(sonde_runtime_probe, detail), FIELD(sonde_runtime_probe, runtime)}},
      {"sonde_parker_key",
       sizeof(sonde_parker_key),
       {FIELD(sonde_parker_key, parker), FIELD(sonde_parker_key, tgid),
        FIELD(sonde_parker_key, reserved)}},
      {"sonde_parker",
       sizeof(sonde_parker),
       {FIELD(sonde_parker, tid), FIELD(sonde_parker, woken)}},
      {"sonde_mapped_record",
       sizeof(sonde_mapped_record),
       {FIELD(sonde_mapped_record, header), FIELD(sonde_mapped_record, inode),
        FIELD(sonde_mapped_record, device), FIELD(sonde_mapped_record, tgid)}},
      {"sonde_place",
       sizeof(sonde_place),
       {FIELD(sonde_place, from), FIELD(sonde_place, memory), FIELD(sonde_place, narrow),
        FIELD(sonde_place, reserved), FIELD(sonde_place, offset)}},
      {"sonde_tls_probe",
       sizeof(sonde_tls_probe),
       {FIELD(sonde_tls_probe, attached_ns), FIELD(sonde_tls_probe, object),
        FIELD(sonde_tls_probe, text),        FIELD(sonde_tls_probe, length),
        FIELD(sonde_tls_probe, count),       FIELD(sonde_tls_probe, unless),
        FIELD(sonde_tls_probe, random),      FIELD(sonde_tls_probe, random_pointer),
        FIELD(sonde_tls_probe, server),      FIELD(sonde_tls_probe, handshake),
        FIELD(sonde_tls_probe, unready),     FIELD(sonde_tls_probe, bio),
        FIELD(sonde_tls_probe, bio_method),  FIELD(sonde_tls_probe, bio_fd),
        FIELD(sonde_tls_probe, owned),       FIELD(sonde_tls_probe, entire),
        FIELD(sonde_tls_probe, at_most),     FIELD(sonde_tls_probe, object_bytes),
        FIELD(sonde_tls_probe, source),      FIELD(sonde_tls_probe, direction),
        FIELD(sonde_tls_probe, returned),    FIELD(sonde_tls_probe, fd),
        FIELD(sonde_tls_probe, retries),     FIELD(sonde_tls_probe, chunks),
        FIELD(sonde_tls_probe, has_unless),  FIELD(sonde_tls_probe, reserved)}},
      {"sonde_tls_method",
       sizeof(sonde_tls_method),
       {FIELD(sonde_tls_method, distance), FIELD(sonde_tls_method, probe)}},
  };
  return structs;
}
#undef FIELD

using ObjectPtr = std::unique_ptr<bpf_object, void (*)(bpf_object*)>;

ObjectPtr OpenObject(std::string_view name) {
  const std::string_view bytes = kernel::ObjectBytes(name);
  return {bpf_object__open_mem(bytes.data(), bytes.size(), nullptr), bpf_object__close};
}

// Every object of every family, those for older kernels too.
std::vector<std::pair<const probe::Family*, std::string_view>> Objects() {
  std::vector<std::pair<const probe::Family*, std::string_view>> objects;
  for (const probe::Family* family : probe::Families()) {
    objects.emplace_back(family, family->object);
    if (!family->base_object.empty()) objects.emplace_back(family, family->base_object);
  }
  return objects;
}

void ExpectLayout(const btf* types, const btf_type* type, const Struct& expected) {
  SCOPED_TRACE(expected.name);
  EXPECT_EQ(type->size, expected.size_bytes);
  // Every field of the kernel's struct is known here, and the other way round.
  ASSERT_EQ(btf_vlen(type), expected.fields.size());
  for (int i = 0; i < btf_vlen(type); ++i) {
    const auto index = static_cast<size_t>(i);
    EXPECT_EQ(btf__name_by_offset(types, btf_members(type)[i].name_off),
              expected.fields[index].name);
    EXPECT_EQ(btf_member_bit_offset(type, static_cast<uint32_t>(i)),
              expected.fields[index].offset_bytes * 8);
  }
}

TEST(LayoutTest, FieldsStandWhereTheKernelSideHasThem) {
  std::map<std::string, int> seen;
  for (const auto& [family, name] : Objects()) {
    SCOPED_TRACE(name);
    const ObjectPtr object = OpenObject(name);
    ASSERT_NE(object, nullptr);
    const btf* types = bpf_object__btf(object.get());
    for (const Struct& expected : Structs()) {
      const int id = btf__find_by_name_kind(types, expected.name.c_str(), BTF_KIND_STRUCT);
      if (id < 0) continue;  // this object does not use it
      ++seen[expected.name];
      ExpectLayout(types, btf__type_by_id(types, static_cast<uint32_t>(id)), expected);
    }
  }
  for (const char* name :
       {"sonde_record_header", "sonde_data_record", "sonde_settings", "sonde_mapped_record",
        "sonde_tls_probe", "sonde_execution_record", "sonde_runtime_probe"}) {
    EXPECT_GT(seen[name], 0) << name;
  }
}

TEST(LayoutTest, NoPadding) {
  for (const Struct& one : Structs()) {
    SCOPED_TRACE(one.name);
    size_t end = 0;
    for (const Field& field : one.fields) {
      EXPECT_EQ(field.offset_bytes, end) << field.name;
      end = field.offset_bytes + field.size_bytes;
    }
    EXPECT_EQ(end, one.size_bytes);
  }
}

// What a manifest says is what its object holds.
TEST(LayoutTest, ManifestsMatchTheirObjects) {
  for (const auto& [family, object_name] : Objects()) {
    SCOPED_TRACE(object_name);
    const ObjectPtr object = OpenObject(object_name);
    ASSERT_NE(object, nullptr);
    size_t programs = 0;
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object.get())++ programs;
    EXPECT_EQ(programs, family->programs.size());
    size_t tracepoints = 0;
    for (const probe::Program& listed : family->programs) {
      const std::string name(listed.name);
      const bpf_program* found = bpf_object__find_program_by_name(object.get(), name.c_str());
      ASSERT_NE(found, nullptr) << name;
      if (listed.attach != probe::Attach::kAtLoad) continue;
      ASSERT_LT(tracepoints, family->tracepoints.size());
      EXPECT_EQ(bpf_program__section_name(found),
                "tp_btf/" + std::string(family->tracepoints[tracepoints]));
      ++tracepoints;
    }
    EXPECT_EQ(tracepoints, family->tracepoints.size());
    for (const std::string_view text : {family->kernel, family->cost, family->without})
      EXPECT_FALSE(text.empty());
  }
  EXPECT_TRUE(kernel::ObjectBytes("nothing").empty());
}

// A fallback is a family that does the same and is tried later; socket families come first, because
// they say where the state of a socket is kept.
TEST(LayoutTest, RegistryOrder) {
  const auto families = probe::Families();
  std::vector<std::string_view> before;
  bool sockets_over = false;
  for (const probe::Family* family : families) {
    EXPECT_EQ(std::count(before.begin(), before.end(), family->name), 0);
    before.push_back(family->name);
    EXPECT_FALSE(sockets_over && family->part == probe::Part::kSockets);
    sockets_over |= family->part != probe::Part::kSockets;
    if (family->fallback.empty()) continue;
    const auto fallback = std::find_if(families.begin(), families.end(), [&](const auto* other) {
      return other->name == family->fallback;
    });
    ASSERT_NE(fallback, families.end());
    EXPECT_EQ((*fallback)->part, family->part);
    EXPECT_EQ(std::count(before.begin(), before.end(), family->fallback), 0);
  }
}

}  // namespace
}  // namespace sonde::kernel_unit
