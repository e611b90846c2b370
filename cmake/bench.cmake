# The benchmarks' own programs: build/bench/bench-load makes the load, build/guests/bench_*.wasm
# answer it. They are part of every whole build, so that they cannot rot; `make bench` needs only
# the target `bench`. Drivers of other systems are built by test/bench/run when they are asked for.
file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/test/bench/agents/*.c)
foreach(source IN LISTS sources)
  get_filename_component(name ${source} NAME_WE)
  if(name STREQUAL wait) # In the middle of its handler.
    sw_guest(bench_${name} ${source} ASYNCIFY)
  else()
    sw_guest(bench_${name} ${source})
  endif()
  list(APPEND bench_guests guest_bench_${name})
endforeach()
file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/test/bench/load/*.c)
add_executable(bench-load ${sources})
set_target_properties(bench-load PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
target_link_libraries(bench-load PRIVATE pkg_communication_protocol pkg_client_contexts
                      pkg_apis_swarm_v1 pkg_security_tls pkg_utils_loop pkg_utils_system)
# What a disk gives, beside `durable`, and beside `wake`.
add_executable(bench-raw ${CMAKE_SOURCE_DIR}/test/bench/peers/raw/raw.c)
add_executable(bench-reads ${CMAKE_SOURCE_DIR}/test/bench/peers/raw/reads.c)
target_link_libraries(bench-reads PRIVATE Threads::Threads)
set_target_properties(bench-raw bench-reads PROPERTIES RUNTIME_OUTPUT_DIRECTORY
                                                       ${CMAKE_BINARY_DIR}/bench)
add_custom_target(bench DEPENDS bench-load bench-raw bench-reads ${bench_guests})
# What the warm paths cost on one worker alone, to be profiled.
file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/test/bench/micro/*.c)
add_executable(bench-micro ${sources})
set_target_properties(bench-micro PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
target_link_libraries(bench-micro PRIVATE pkg_agent_runtime_host pkg_agent_modules pkg_utils_system)
