# test/fuzz/fuzz_<name>.c feeds one parser of outside input; test/fuzz/corpus/<name>/ are its seeds.
# Comment lines of the file: "/* uses: pkg/x/y ... */" links rooms; "/* covers: pkg/x/y/z.c ... */"
# names the sources whose lines the corpus must reach (tools/fuzz/coverage).
# In normal builds each becomes a program that replays its corpus, a ctest with the label fuzz. With
# SWARM_FUZZ (clang) it becomes a libFuzzer program in <build>/fuzz.
function(sw_fuzz_target file)
  get_filename_component(stem ${file} NAME_WE)
  string(REGEX REPLACE "^fuzz_" "" subject ${stem})
  set(corpus ${CMAKE_SOURCE_DIR}/test/fuzz/corpus/${subject})
  if(SWARM_FUZZ)
    add_executable(${stem} ${file})
    target_link_options(${stem} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(${stem} ${file} ${CMAKE_SOURCE_DIR}/test/fuzz/replay.c)
  endif()
  set_target_properties(${stem} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  # libFuzzer's entry points have no declaration of their own in any header.
  target_compile_options(${stem} PRIVATE -Wno-missing-prototypes)
  target_compile_definitions(${stem} PRIVATE SW_TEST_SOURCE="${CMAKE_SOURCE_DIR}"
                             SW_TEST_BUILD="${CMAKE_BINARY_DIR}")
  target_include_directories(${stem} PRIVATE ${CMAKE_SOURCE_DIR}/include) # The SDK's <swarm/...>.
  sw_test_comment(${file} uses rooms)
  foreach(room IN LISTS rooms)
    sw_room_target(${room} target)
    target_link_libraries(${stem} PRIVATE ${target})
  endforeach()
  add_dependencies(fuzzers ${stem})
  if(NOT SWARM_FUZZ)
    add_test(NAME ${stem} COMMAND ${stem} ${corpus})
    sw_test_properties(${stem} ${file} fuzz 120)
  endif()
endfunction()

add_custom_target(fuzzers)
add_dependencies(fuzzers guests) # Some run them.
file(GLOB files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/test/fuzz/fuzz_*.c)
foreach(file IN LISTS files)
  sw_fuzz_target(${file})
endforeach()
