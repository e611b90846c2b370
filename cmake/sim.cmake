# The simulator of an agent host, test/sim: build/test/sim. It links the rooms as they ship; its
# guests are build/guests/test_sim*.wasm. The library test_sim is all of it but main.c, for unit
# tests that say "/* uses: test/sim */" to have its disk.
file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/test/sim/*.c)
list(REMOVE_ITEM sources ${CMAKE_SOURCE_DIR}/test/sim/main.c)
add_library(test_sim STATIC ${sources})
target_link_libraries(test_sim PUBLIC pkg_agent_runtime_host pkg_utils_system)
add_executable(sim ${CMAKE_SOURCE_DIR}/test/sim/main.c)
set_target_properties(sim PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/test)
target_link_libraries(sim PRIVATE test_sim pkg_agent_modules)
target_compile_definitions(sim PRIVATE SW_TEST_BUILD="${CMAKE_BINARY_DIR}")
add_dependencies(sim guest_test_sim guest_test_sim_moved guest_test_sim_kept)

# Some seeds with all tests, one of them twice: the same seed is the same run. `make sim` runs many.
add_test(NAME sim_seeds COMMAND sim --seeds 1-24 --jobs 2)
add_test(NAME sim_again COMMAND sim --seed 1 --twice)
foreach(name IN ITEMS sim_seeds sim_again)
  sw_test_properties(${name} ${CMAKE_SOURCE_DIR}/test/sim/main.c sim 300)
endforeach()
