# build/test/history-load: many clients at once, for the tests that kill and break things (the load
# of test/e2e/lib/history.py). Part of every whole build, as tests are.
add_executable(history-load ${CMAKE_SOURCE_DIR}/test/history/main.c)
set_target_properties(history-load PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/test)
target_link_libraries(history-load PRIVATE pkg_communication_protocol pkg_client_contexts
                      pkg_apis_swarm_v1 pkg_security_tls pkg_utils_loop pkg_utils_system)
