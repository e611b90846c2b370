# The target `wasmtime`: libwasmtime.so, pinned and fetched once for all build folders, or the
# official C API release that WASMTIME_DIR names. Only the agent host and the compiler link it.
set(SWARM_WASMTIME_VERSION 50.0.1)
set(WASMTIME_DIR "" CACHE PATH
    "An unpacked Wasmtime C API release to use instead of the pinned one")

if(WASMTIME_DIR)
  set(wasmtime_library ${WASMTIME_DIR}/lib/libwasmtime.so)
  file(STRINGS ${WASMTIME_DIR}/include/wasmtime.h wasmtime_version REGEX "define WASMTIME_VERSION ")
  if(NOT wasmtime_version MATCHES "\"${SWARM_WASMTIME_VERSION}\"")
    message(FATAL_ERROR "WASMTIME_DIR must be Wasmtime ${SWARM_WASMTIME_VERSION}")
  endif()
else()
  set(wasmtime_folder ${CMAKE_SOURCE_DIR}/.cache/wasmtime-${SWARM_WASMTIME_VERSION})
  if(DEFINED ENV{SWARM_DEPS_DIR})
    set(wasmtime_folder $ENV{SWARM_DEPS_DIR})
  endif()
  set(wasmtime_library ${wasmtime_folder}/lib/libwasmtime.so)
  if(NOT EXISTS ${wasmtime_library})
    execute_process(COMMAND ${CMAKE_SOURCE_DIR}/tools/wasmtime/fetch ${wasmtime_folder}
                    RESULT_VARIABLE wasmtime_failed)
    if(wasmtime_failed)
      message(FATAL_ERROR "Wasmtime could not be fetched; see above")
    endif()
  endif()
endif()

# The library has no SONAME: without this its path at build time would be what programs look for.
add_library(wasmtime SHARED IMPORTED GLOBAL)
set_target_properties(wasmtime PROPERTIES IMPORTED_LOCATION ${wasmtime_library}
                                          IMPORTED_NO_SONAME TRUE)
install(FILES ${wasmtime_library} DESTINATION lib/swarm)
# As it is installed, so that swarmd finds it beside the agent host, to keep it with that.
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/lib/swarm)
file(CREATE_LINK ${wasmtime_library} ${CMAKE_BINARY_DIR}/lib/swarm/libwasmtime.so SYMBOLIC)
