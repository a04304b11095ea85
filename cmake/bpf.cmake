# SPDX-License-Identifier: Apache-2.0
# Kernel programs: bpf/<folder>/<name>.bpf.c -> <name>.skel.h, one object and one skeleton per file, so that a family that
# does not load leaves the others running. Target sonde_bpf carries the include directory of the skeletons.
find_program(BPF_CLANG NAMES clang-19 clang-18 clang-16 clang REQUIRED)
find_program(BPFTOOL bpftool PATHS /usr/sbin /sbin REQUIRED)

set(bpf_out ${CMAKE_BINARY_DIR}/bpf)
file(MAKE_DIRECTORY ${bpf_out})
file(GLOB_RECURSE bpf_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bpf/*.bpf.c)
file(GLOB_RECURSE bpf_headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bpf/*.bpf.h ${PROJECT_SOURCE_DIR}/include/sonde/abi/*.h
     ${PROJECT_SOURCE_DIR}/include/sonde/wire/*.h)
set(bpf_arch x86)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  set(bpf_arch arm64)
endif()
set(skeletons)
foreach(source ${bpf_sources})
  get_filename_component(name ${source} NAME_WE)
  add_custom_command(
    OUTPUT ${bpf_out}/${name}.skel.h
    COMMAND ${BPF_CLANG} -target bpf -D__TARGET_ARCH_${bpf_arch} -mcpu=v3 -g -O2 -Wall -Wextra -Werror
            -Wno-unused-parameter -I${PROJECT_SOURCE_DIR}/include -I${PROJECT_SOURCE_DIR}/bpf
            -idirafter ${CMAKE_SYSROOT}/usr/include/${CMAKE_SYSTEM_PROCESSOR}-linux-gnu
            -c ${source} -o ${bpf_out}/${name}.bpf.o
    COMMAND ${BPFTOOL} gen skeleton ${bpf_out}/${name}.bpf.o name ${name}_bpf > ${bpf_out}/${name}.skel.h
    DEPENDS ${source} ${bpf_headers} VERBATIM)
  list(APPEND skeletons ${bpf_out}/${name}.skel.h)
endforeach()
add_custom_target(sonde_bpf_objects DEPENDS ${skeletons})
add_library(sonde_bpf INTERFACE)
target_include_directories(sonde_bpf SYSTEM INTERFACE ${bpf_out})
add_dependencies(sonde_bpf sonde_bpf_objects)
