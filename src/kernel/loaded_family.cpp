// SPDX-License-Identifier: Apache-2.0
#include "kernel/loaded_family.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "kernel/host.h"
#include "kernel/libbpf_log.h"
#include "kernel/objects.h"
#include "kernel/shared_maps.h"
#include "sonde/abi/control.h"
#include "sonde/base/result.h"
#include "sonde/probe/family.h"

namespace sonde::kernel {
namespace {

// Which of the family's objects this kernel takes. Linux 5.12 brought the helper that is asked for,
// and with it what bpf/core/base.bpf.h lists.
std::string_view ObjectName(const probe::Family& family) {
  const bool base = !family.base_object.empty() && !HasHelper("BPF_FUNC_check_mtu");
  return base ? family.base_object : family.object;
}

Status Failure(const probe::Family& family, std::string_view step, int error,
               const LibbpfLog& log) {
  if (error < 0) error = -error;
  std::string message =
      absl::StrCat(std::string(step), " ", std::string(family.object), ": ", std::strerror(error));
  if (const std::string& said = log.FirstWarning(); !said.empty())
    absl::StrAppend(&message, " (", said, ")");
  return error == EPERM || error == EACCES ? absl::PermissionDeniedError(message)
                                           : absl::UnimplementedError(message);
}

// Where variable `name` stands in the object's read-only data; false if it has none.
bool FindVariable(const btf* types, const char* name, size_t& offset, size_t& size) {
  const int section = btf__find_by_name_kind(types, ".rodata", BTF_KIND_DATASEC);
  if (section < 0) return false;
  const btf_type* type = btf__type_by_id(types, static_cast<__u32>(section));
  const btf_var_secinfo* variables = btf_var_secinfos(type);
  for (int i = 0; i < btf_vlen(type); ++i) {
    const btf_type* variable = btf__type_by_id(types, variables[i].type);
    if (std::strcmp(btf__name_by_offset(types, variable->name_off), name) == 0) {
      offset = variables[i].offset;
      size = variables[i].size;
      return true;
    }
  }
  return false;
}

// Writes the settings into the object before it is loaded.
Status WriteSettings(bpf_object* object, const sonde_settings& settings) {
  size_t offset = 0;
  size_t size = 0;
  if (!FindVariable(bpf_object__btf(object), "sonde_settings", offset, size)) {
    return absl::InternalError("object has no sonde_settings");
  }
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    const std::string_view name = bpf_map__name(map);
    if (!bpf_map__is_internal(map) || !name.ends_with(".rodata")) continue;
    size_t bytes = 0;
    auto* data = static_cast<char*>(
        const_cast<void*>(bpf_map__initial_value(map, &bytes)));  // not const in newer libbpf
    if (data == nullptr || size != sizeof(settings) || offset + size > bytes) break;
    std::memcpy(data + offset, &settings, sizeof(settings));
    return absl::OkStatus();
  }
  return absl::InternalError("settings do not fit the object");
}

// Programs that are attached later must say before they are loaded how. A program that the kernel
// has no way for is left out if the family can do without. `remark`: what is done instead.
Status PrepareUprobes(bpf_object* object, const probe::Family& family, std::string& remark) {
  if (std::ranges::all_of(family.programs, [](const probe::Program& program) {
        return program.attach == probe::Attach::kAtLoad;
      })) {
    return absl::OkStatus();
  }
  const auto sessions = AttachType("BPF_TRACE_UPROBE_SESSION");
  const auto multi = AttachType("BPF_TRACE_UPROBE_MULTI");
  if (!multi && !HasHelper("BPF_FUNC_get_attach_cookie")) {
    return absl::UnimplementedError(
        absl::StrCat("the kernel does not tell a program which uprobe it runs for (needs Linux ",
                     std::string(family.kernel), " or newer)"));
  }
  if (!multi) remark = "uprobes one by one: to put many in at once needs Linux 6.6 or newer";
  for (const probe::Program& program : family.programs) {
    if (program.attach == probe::Attach::kAtLoad) continue;
    const std::string name(program.name);
    bpf_program* found = bpf_object__find_program_by_name(object, name.c_str());
    if (found == nullptr) return absl::InternalError(absl::StrCat("object has no ", name));
    const bool session = program.attach == probe::Attach::kUprobeSession;
    // What is not needed is not loaded: the verifier takes 0.15 s for each.
    const bool spare = program.attach == probe::Attach::kUprobesInstead && sessions;
    if (spare || (session && !sessions)) {
      bpf_program__set_autoload(found, false);
    } else if (const auto type = session ? sessions : multi) {
      bpf_program__set_expected_attach_type(found, static_cast<bpf_attach_type>(*type));
    }
  }
  return absl::OkStatus();
}

}  // namespace

void LoadedFamily::ObjectCloser::operator()(bpf_object* object) const { bpf_object__close(object); }

LoadedFamily::LoadedFamily(const probe::Family& family, ObjectPtr object)
    : family_(family), object_(std::move(object)) {}

LoadedFamily::~LoadedFamily() {
  for (bpf_link* link : links_) bpf_link__destroy(link);
}

Result<std::unique_ptr<LoadedFamily>> LoadedFamily::Load(const probe::Family& family,
                                                         const sonde_settings& settings,
                                                         SharedMaps& maps) {
  LibbpfLog log;
  const std::string name(ObjectName(family));
  const std::string_view bytes = ObjectBytes(name);
  bpf_object_open_opts options = {};
  options.sz = sizeof(options);
  options.object_name = name.c_str();
  // A line per program: what it costs to load, and no more than the reason if it fails.
  options.kernel_log_level = LibbpfLog::kStatistics;
  ObjectPtr object(bpf_object__open_mem(bytes.data(), bytes.size(), &options));
  if (object == nullptr) return Failure(family, "cannot open", errno, log);
  if (Status status = WriteSettings(object.get(), settings); !status.ok()) return status;
  if (Status status = maps.Prepare(object.get(), settings.socket_table != 0); !status.ok())
    return status;
  std::string remark;
  if (Status status = PrepareUprobes(object.get(), family, remark); !status.ok()) return status;
  if (const int error = bpf_object__load(object.get()); error != 0) {
    return Failure(family, "cannot load", error, log);
  }
  std::unique_ptr<LoadedFamily> loaded(new LoadedFamily(family, std::move(object)));
  loaded->remark_ = std::move(remark);
  loaded->costs_ = log.VerifierCosts();
  if (Status status = loaded->Attach(); !status.ok()) return status;
  if (Status status = maps.Keep(loaded->object()); !status.ok()) return status;
  return loaded;
}

Status LoadedFamily::Attach() {
  LibbpfLog log;
  for (const probe::Program& program : family_.programs) {
    if (program.attach != probe::Attach::kAtLoad) continue;
    const std::string name(program.name);
    bpf_program* found = bpf_object__find_program_by_name(object_.get(), name.c_str());
    bpf_link* link = found == nullptr ? nullptr : bpf_program__attach(found);
    if (link != nullptr) {
      links_.push_back(link);
      continue;
    }
    const int error = found == nullptr ? ENOENT : errno;
    if (program.on_failure == probe::OnFailure::kFatal) {
      return Failure(family_, absl::StrCat("cannot attach ", name, " of"), error, log);
    }
    if (program.on_failure == probe::OnFailure::kWarn) {
      spdlog::warn("{}: cannot attach {}: {}", family_.name, name, std::strerror(error));
    }
  }
  return absl::OkStatus();
}

}  // namespace sonde::kernel
