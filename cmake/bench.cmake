# The benchmarks' own programs: build/bench/bench-load makes the load, build/guests/bench_echo.wasm
# answers it. They are part of every whole build, so that they cannot rot; `make bench` needs only
# the target `bench`. Drivers of other systems are built by test/bench/run when they are asked for.
sw_guest(bench_echo ${CMAKE_SOURCE_DIR}/test/bench/agents/echo.c)
file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/test/bench/load/*.c)
add_executable(bench-load ${sources})
set_target_properties(bench-load PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
target_link_libraries(bench-load PRIVATE pkg_communication_protocol pkg_client_contexts
                      pkg_apis_swarm_v1 pkg_security_tls pkg_utils_loop pkg_utils_system)
add_custom_target(bench DEPENDS bench-load guest_bench_echo)
