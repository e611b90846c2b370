# Every test of the repository as a ctest, told apart by labels:
#   unit         test/unit/<room without pkg/>/test_*.c, one cmocka program each
#   fuzz         test/fuzz (cmake/fuzz.cmake)
#   integration  test/integration/*.sh and *.py: one room or two with a fake peer
#   e2e          test/e2e/*.sh and *.py: the programs as they are shipped
#   tidy         tools/tidy over the whole tree, and its own tests
# In a .c file a comment line "/* labels: threaded */" adds labels, "/* uses: pkg/x/y ... */" links
# further rooms and "/* timeout: 300 */" sets seconds; a script says the same as "# labels: kill",
# and "# serial: yes" where it must run alone.
# A script with "# chaos: NAME=VALUE ..." is also the test chaos_<name>, with that environment and
# the seconds of "# chaos-timeout: 3600". Those run with `make test-chaos` alone (ctest -C chaos).
# A test that finds hardware, a kernel feature or a privilege absent ends with status 77 and a line
# "skip: PROBE ..." that names a probe of tools/test/probe.
enable_testing()
set(SWARM_TEST_TOOLS ${CMAKE_SOURCE_DIR}/tools/test)
if(SWARM_SANITIZE STREQUAL "")
  set(test_timeout_factor 1)
  set(test_environment "")
else()
  set(test_timeout_factor 5)
  set(test_environment SW_SANITIZED=1) # Scripts give slower programs longer.
endif()

# The words of all lines "/* WORD: a b */" (or "# WORD: a b") of a file.
function(sw_test_comment file word ret_values)
  file(STRINGS ${file} lines REGEX "^(/[*]|#) ${word}: ")
  set(values "")
  foreach(line IN LISTS lines)
    string(REGEX REPLACE "^(/[*]|#) ${word}: *" "" line "${line}")
    string(REGEX REPLACE " *[*]/$" "" line "${line}")
    string(REGEX MATCHALL "[^ ]+" words "${line}")
    list(APPEND values ${words})
  endforeach()
  set(${ret_values} "${values}" PARENT_SCOPE)
endfunction()

# Labels, timeout and the meaning of status 77 for test `name`, from the comments of its file.
function(sw_test_properties name file label default_timeout_s)
  sw_test_comment(${file} labels labels)
  sw_test_comment(${file} timeout timeout_s)
  sw_test_comment(${file} serial serial)
  if(NOT timeout_s)
    set(timeout_s ${default_timeout_s})
  endif()
  math(EXPR timeout_s "${timeout_s} * ${test_timeout_factor}")
  math(EXPR ctest_timeout_s "${timeout_s} + 20") # tools/test/isolate ends a script before that.
  # COST: who may take long begins early, also where no run before has told what each takes.
  set_tests_properties(${name} PROPERTIES LABELS "${label};${labels}" TIMEOUT ${ctest_timeout_s}
                       COST ${timeout_s}
                       SKIP_RETURN_CODE 77
                       ENVIRONMENT "SW_TIMEOUT_S=${timeout_s};${test_environment}")
  if(serial)
    set_tests_properties(${name} PROPERTIES RUN_SERIAL ON)
  endif()
endfunction()

function(sw_unit_test file room)
  get_filename_component(stem ${file} NAME_WE)
  string(REGEX REPLACE "^pkg/" "" short ${room})
  string(REPLACE "/" "_" prefix ${short})
  string(REGEX REPLACE "^test_" "" subject ${stem})
  set(name unit_${prefix}_${subject})
  add_executable(${name} ${file})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/test)
  sw_test_comment(${file} uses others)
  foreach(used IN ITEMS ${room} ${others})
    sw_room_target(${used} target)
    target_link_libraries(${name} PRIVATE ${target})
  endforeach()
  target_link_libraries(${name} PRIVATE cmocka)
  target_compile_definitions(${name} PRIVATE SW_TEST_SOURCE="${CMAKE_SOURCE_DIR}"
                             SW_TEST_BUILD="${CMAKE_BINARY_DIR}")
  add_test(NAME ${name} COMMAND ${name})
  sw_test_properties(${name} ${file} unit 120)
endfunction()

# A script runs in a folder of its own, with its own HOME, and may leave no process behind.
function(sw_script_test file label default_timeout_s)
  get_filename_component(stem ${file} NAME_WE)
  set(name ${label}_${stem})
  add_test(NAME ${name}
           COMMAND ${SWARM_TEST_TOOLS}/isolate ${CMAKE_BINARY_DIR} ${name} ${file})
  sw_test_properties(${name} ${file} ${label} ${default_timeout_s})
endfunction()

# The long form of a script, if it has one.
function(sw_chaos_test file)
  sw_test_comment(${file} chaos values)
  sw_test_comment(${file} chaos-timeout timeout_s)
  if(NOT values)
    return()
  endif()
  get_filename_component(stem ${file} NAME_WE)
  add_test(NAME chaos_${stem} CONFIGURATIONS chaos
           COMMAND ${SWARM_TEST_TOOLS}/isolate ${CMAKE_BINARY_DIR} chaos_${stem} ${file})
  math(EXPR ctest_timeout_s "${timeout_s} + 20")
  set_tests_properties(chaos_${stem} PROPERTIES LABELS chaos TIMEOUT ${ctest_timeout_s}
                       SKIP_RETURN_CODE 77 RUN_SERIAL ON
                       ENVIRONMENT "SW_TIMEOUT_S=${timeout_s};${values}")
endfunction()

foreach(room IN LISTS SWARM_ROOMS)
  string(REGEX REPLACE "^pkg/" "" short ${room})
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/test/unit/${short}/test_*.c)
  foreach(file IN LISTS files)
    sw_unit_test(${file} ${room})
  endforeach()
endforeach()

# The e2e tests run the programs as they are shipped, and so come with the last of them.
foreach(label IN ITEMS integration e2e)
  if(label STREQUAL e2e AND NOT (TARGET swarmd AND TARGET swarm-agent-host))
    continue()
  endif()
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/test/${label}/*.sh
       ${CMAKE_SOURCE_DIR}/test/${label}/*.py)
  foreach(file IN LISTS files)
    sw_script_test(${file} ${label} 180)
    sw_chaos_test(${file})
  endforeach()
endforeach()

# Tests of the tools: tools/<tool>/test_*.py, run by Debian's own Python.
file(GLOB files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tools/*/test_*.py)
foreach(file IN LISTS files)
  get_filename_component(folder ${file} DIRECTORY)
  get_filename_component(tool ${folder} NAME)
  get_filename_component(stem ${file} NAME_WE)
  string(REGEX REPLACE "^test_" "" subject ${stem})
  set(name tool_${tool}_${subject})
  add_test(NAME ${name} COMMAND ${SWARM_TEST_TOOLS}/isolate ${CMAKE_BINARY_DIR} ${name} ${file})
  sw_test_properties(${name} ${file} tool 120)
endforeach()
add_test(NAME tidy COMMAND ${CMAKE_SOURCE_DIR}/tools/tidy/tidy --build ${CMAKE_BINARY_DIR})
set_tests_properties(tidy PROPERTIES LABELS tidy TIMEOUT 300)
