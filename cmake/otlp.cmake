# SPDX-License-Identifier: Apache-2.0
# C++ code for OTLP from the .proto files of Debian's package opentelemetry-proto: target sonde_otlp_proto.
find_path(OTLP_PROTO_DIR opentelemetry/proto/trace/v1/trace.proto PATHS /usr/include /usr/share REQUIRED NO_CMAKE_FIND_ROOT_PATH)
find_package(Protobuf REQUIRED)
find_package(ZLIB REQUIRED)
find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)

set(otlp_out ${CMAKE_BINARY_DIR}/otlp)
file(MAKE_DIRECTORY ${otlp_out})
set(otlp_sources)
foreach(proto common/v1/common resource/v1/resource trace/v1/trace collector/trace/v1/trace_service metrics/v1/metrics
        collector/metrics/v1/metrics_service)
  set(file ${OTLP_PROTO_DIR}/opentelemetry/proto/${proto}.proto)
  set(base ${otlp_out}/opentelemetry/proto/${proto})
  add_custom_command(
    OUTPUT ${base}.pb.cc ${base}.pb.h
    COMMAND ${Protobuf_PROTOC_EXECUTABLE} -I${OTLP_PROTO_DIR} --cpp_out=${otlp_out} ${file}
    DEPENDS ${file} VERBATIM)
  list(APPEND otlp_sources ${base}.pb.cc)
endforeach()
foreach(proto collector/trace/v1/trace_service collector/metrics/v1/metrics_service)
  set(file ${OTLP_PROTO_DIR}/opentelemetry/proto/${proto}.proto)
  set(base ${otlp_out}/opentelemetry/proto/${proto})
  add_custom_command(
    OUTPUT ${base}.grpc.pb.cc ${base}.grpc.pb.h
    COMMAND ${Protobuf_PROTOC_EXECUTABLE} -I${OTLP_PROTO_DIR} --grpc_out=${otlp_out}
            --plugin=protoc-gen-grpc=${GRPC_CPP_PLUGIN} ${file}
    DEPENDS ${file} VERBATIM)
  list(APPEND otlp_sources ${base}.grpc.pb.cc)
endforeach()
set(rpc_status ${PROJECT_SOURCE_DIR}/src/exporter/otlp/rpc_status.proto)
add_custom_command(
  OUTPUT ${otlp_out}/rpc_status.pb.cc ${otlp_out}/rpc_status.pb.h
  COMMAND ${Protobuf_PROTOC_EXECUTABLE} -I${PROJECT_SOURCE_DIR}/src/exporter/otlp --cpp_out=${otlp_out} ${rpc_status}
  DEPENDS ${rpc_status} VERBATIM)
list(APPEND otlp_sources ${otlp_out}/rpc_status.pb.cc)
add_library(sonde_otlp_proto STATIC ${otlp_sources})
target_include_directories(sonde_otlp_proto SYSTEM PUBLIC ${otlp_out})
target_link_libraries(sonde_otlp_proto PUBLIC protobuf::libprotobuf PkgConfig::GRPCPP)
