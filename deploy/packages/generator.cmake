# SPDX-License-Identifier: Apache-2.0
# Read by cpack once per package format: only the RPM brings libraries.
set(CPACK_COMPONENTS_ALL sonde)
if(CPACK_GENERATOR STREQUAL "RPM")
  list(APPEND CPACK_COMPONENTS_ALL libraries)
endif()
