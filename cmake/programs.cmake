# A folder under cmd/ is a program; its CMakeLists.txt names the rooms it wires together.
file(GLOB program_lists CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/cmd/*/CMakeLists.txt)

# sw_program(NAME OUTPUT_DIR ROOMS ...): all .c files of the calling folder, linked with the rooms.
function(sw_program name folder)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
  add_executable(${name} ${sources})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/${folder})
  foreach(room IN LISTS ARGN)
    sw_room_target(${room} target)
    target_link_libraries(${name} PRIVATE ${target})
  endforeach()
endfunction()

foreach(list_file IN LISTS program_lists)
  get_filename_component(folder ${list_file} DIRECTORY)
  add_subdirectory(${folder})
endforeach()
