# The simulator of an agent host, test/sim: build/test/sim. It links the rooms as they ship; its guest
# is build/guests/test_sim.wasm. `make test` runs some seeds, `make sim` many.
file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/test/sim/*.c)
add_executable(sim ${sources})
set_target_properties(sim PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/test)
target_link_libraries(sim PRIVATE pkg_agent_runtime_host pkg_utils_system)
target_compile_definitions(sim PRIVATE SW_TEST_BUILD="${CMAKE_BINARY_DIR}")
add_dependencies(sim guest_test_sim)
