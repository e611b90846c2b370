# A folder under cmd/ is a program; its CMakeLists.txt names the rooms it wires together.
# The target `programs` is all of them: what `make` builds and `make install` installs.
file(GLOB program_lists CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/cmd/*/CMakeLists.txt)
add_custom_target(programs)
include(GNUInstallDirs)

# sw_program(NAME OUTPUT_DIR ROOMS ...): all .c files of the calling folder, linked with the rooms.
# OUTPUT_DIR is bin (for people) or libexec (started by swarmd only).
function(sw_program name folder)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
  add_executable(${name} ${sources})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/${folder}
                        INSTALL_RPATH "$ORIGIN/../lib/swarm")
  foreach(room IN LISTS ARGN)
    sw_room_target(${room} target)
    target_link_libraries(${name} PRIVATE ${target})
  endforeach()
  add_dependencies(programs ${name})
  install(TARGETS ${name} RUNTIME DESTINATION ${folder})
endfunction()

foreach(list_file IN LISTS program_lists)
  get_filename_component(folder ${list_file} DIRECTORY)
  add_subdirectory(${folder})
endforeach()
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/swarm DESTINATION include)
