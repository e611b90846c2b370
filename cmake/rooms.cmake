# Each line of pkg/LAYERS becomes a static library named after its folder, of all its .c files and
# of the .c files generated for it. A room without .c files becomes an interface library.

function(sw_room_target room ret_target)
  string(REPLACE "/" "_" target ${room})
  set(${ret_target} ${target} PARENT_SCOPE)
endfunction()

set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/pkg/LAYERS)
file(STRINGS ${CMAKE_SOURCE_DIR}/pkg/LAYERS layers_lines REGEX "^[0-9]")
set(SWARM_ROOMS "")
foreach(line IN LISTS layers_lines)
  if(NOT line MATCHES "^[0-9.]+ +([a-z0-9_/]+) *:([^|]*)[|](.*)$")
    message(FATAL_ERROR "pkg/LAYERS: cannot read: ${line}")
  endif()
  set(room ${CMAKE_MATCH_1})
  set(uses_words "${CMAKE_MATCH_2}")
  set(libraries_words "${CMAKE_MATCH_3}") # The next match forgets the groups of this one.
  string(REGEX MATCHALL "[^ ]+" uses "${uses_words}")
  string(REGEX MATCHALL "[^ ]+" libraries "${libraries_words}")
  sw_room_target(${room} target)
  if(TARGET ${target}) # The first line counts; tidy fails on the second.
    continue()
  endif()
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${room}/*.c)
  list(APPEND sources ${SWARM_GENERATED_${target}})
  set(targets "")
  foreach(other IN LISTS uses)
    sw_room_target(${other} other_target)
    list(APPEND targets ${other_target})
  endforeach()
  if(sources)
    add_library(${target} STATIC ${sources})
    target_link_libraries(${target} PUBLIC ${targets} ${libraries})
  else()
    add_library(${target} INTERFACE)
    target_link_libraries(${target} INTERFACE ${targets} ${libraries})
  endif()
  list(APPEND SWARM_ROOMS ${room})
endforeach()

# The version that programs print: the Makefile keeps the commit in commit.h up to date.
set(commit_header ${CMAKE_BINARY_DIR}/generated/commit.h)
if(NOT EXISTS ${commit_header})
  execute_process(COMMAND ${CMAKE_SOURCE_DIR}/tools/setup/commit.sh ${CMAKE_BINARY_DIR})
endif()
set_source_files_properties(${CMAKE_SOURCE_DIR}/pkg/utils/version/version.c PROPERTIES
  COMPILE_DEFINITIONS SW_VERSION="${PROJECT_VERSION}"
  COMPILE_OPTIONS "-include;${commit_header}" OBJECT_DEPENDS ${commit_header})
