# What tools/codegen makes from api/v1: C files in the build folder, taken into rooms by
# SWARM_GENERATED_<target>, so this file is included before cmake/rooms.cmake.
# Debian's python3-protobuf belongs to /usr/bin/python3, whatever else is in PATH.
set(SWARM_PYTHON /usr/bin/python3 CACHE FILEPATH "Python 3 with its protobuf package")
set(generated ${CMAKE_BINARY_DIR}/generated)
set(generated_api ${generated}/pkg/apis/swarm/v1)
file(GLOB api_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/api/v1/*.proto)
file(GLOB codegen_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tools/codegen/*.py)
add_custom_command(
  OUTPUT ${generated_api}/types.h ${generated_api}/tables.c ${generated_api}/files.c
         ${generated}/spec_fields.txt
  COMMAND ${SWARM_PYTHON} -B ${CMAKE_SOURCE_DIR}/tools/codegen c ${CMAKE_SOURCE_DIR} ${generated}
  DEPENDS ${api_sources} ${codegen_sources}
  COMMENT "Generating C from api/v1"
  VERBATIM)
set(SWARM_GENERATED_pkg_apis_swarm_v1
    ${generated_api}/types.h ${generated_api}/tables.c ${generated_api}/files.c)
