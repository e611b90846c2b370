# The agents of examples/, what checks them, and their tests.
#
# An example is built beside its sources, where its manifests expect the module and where `swarm
# agent build` would put it.
function(sw_example folder)
  foreach(name IN LISTS ARGN)
    set(module ${CMAKE_SOURCE_DIR}/examples/${folder}/${name}.wasm)
    string(REPLACE "-" "_" guest example_${folder}_${name})
    sw_guest(${guest} ${CMAKE_SOURCE_DIR}/examples/${folder}/${name}.c)
    add_custom_command(
      OUTPUT ${module}
      COMMAND ${CMAKE_COMMAND} -E copy_if_different ${SWARM_GUESTS_DIR}/${guest}.wasm ${module}
      COMMAND ${CMAKE_COMMAND} -E touch_nocreate ${module}
      DEPENDS ${SWARM_GUESTS_DIR}/${guest}.wasm VERBATIM)
    add_custom_target(${guest} ALL DEPENDS ${module})
    add_dependencies(programs ${guest}) # `make run` builds no more than `programs`.
  endforeach()
endfunction()

sw_example(librarian reader librarian)
sw_example(hello agent)
sw_example(society citizen district town)

set(librarian_tests ${CMAKE_SOURCE_DIR}/test/unit/examples/librarian)
add_library(librarian_check STATIC ${CMAKE_SOURCE_DIR}/tools/librarian-check/collection.c)
target_link_libraries(librarian_check PUBLIC pkg_utils_base)
foreach(subject IN ITEMS text index rank agents)
  set(name unit_examples_librarian_${subject})
  add_executable(${name} ${librarian_tests}/test_${subject}.c)
  target_link_libraries(${name} PRIVATE cmocka m)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/test)
  add_test(NAME ${name} COMMAND ${name})
  sw_test_properties(${name} ${librarian_tests}/test_${subject}.c unit 120)
endforeach()
target_sources(unit_examples_librarian_agents PRIVATE ${librarian_tests}/world.c
               ${librarian_tests}/reader_native.c ${librarian_tests}/librarian_native.c)
target_include_directories(unit_examples_librarian_agents PRIVATE ${CMAKE_SOURCE_DIR}/include)
target_link_libraries(unit_examples_librarian_agents PRIVATE librarian_check)

# The same ranking in one process: build/test/librarian-check FOLDER QUESTION...
add_executable(librarian-check ${CMAKE_SOURCE_DIR}/tools/librarian-check/main.c)
set_target_properties(librarian-check PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/test)
target_link_libraries(librarian-check PRIVATE librarian_check pkg_cli_documents pkg_utils_system)
