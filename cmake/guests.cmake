# sw_guest(NAME SOURCE): compile one C file to build/guests/NAME.wasm, the way the README shows it.
# No libc; the stack comes first, so that its overflow traps instead of running into data.
find_program(SWARM_GUEST_CC NAMES clang-19 clang-18 clang-17 clang-16 clang-15 clang-14 clang)
find_program(SWARM_GUEST_LD NAMES wasm-ld-19 wasm-ld-18 wasm-ld-17 wasm-ld-16 wasm-ld-15 wasm-ld-14
                                  wasm-ld)
find_program(SWARM_WASM_OPT NAMES wasm-opt)
# The same words as in pkg/cli/commands/toolchain.c.
set(SWARM_WAITS swarm_1.ask,swarm_1.receive,swarm_1.sleep,swarm_1.call)
string(APPEND SWARM_WAITS ,wasi_snapshot_preview1.poll_oneoff)
set(SWARM_ASYNCIFY
    -g --enable-bulk-memory --enable-sign-ext --enable-mutable-globals --asyncify
    --pass-arg=asyncify-imports@${SWARM_WAITS}
    --pass-arg=asyncify-asserts -O2)
set(SWARM_GUESTS_DIR ${CMAKE_BINARY_DIR}/guests)
add_custom_target(guests ALL)

function(sw_guest name source)
  cmake_parse_arguments(GUEST "ASYNCIFY" "" "DEFINES" ${ARGN})
  if(NOT SWARM_GUEST_CC OR NOT SWARM_GUEST_LD OR NOT SWARM_WASM_OPT)
    message(FATAL_ERROR
            "Guests need clang, wasm-ld, wasm-opt: install clang-19, lld-19, binaryen")
  endif()
  get_filename_component(source ${source} ABSOLUTE)
  set(output ${SWARM_GUESTS_DIR}/${name}.wasm)
  set(object ${SWARM_GUESTS_DIR}/${name}.o)
  list(TRANSFORM GUEST_DEFINES PREPEND -D)
  set(linked ${output})
  set(optimise)
  if(GUEST_ASYNCIFY)
    set(linked ${SWARM_GUESTS_DIR}/${name}.linked)
    set(optimise COMMAND ${SWARM_WASM_OPT} ${SWARM_ASYNCIFY} ${linked} -o ${output})
  endif()
  # Compiled and linked in two steps: clang as linker driver would run wasm-opt if it finds one.
  # The stack as pkg/cli/commands/toolchain.c has it.
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${SWARM_GUESTS_DIR}
    COMMAND ${SWARM_GUEST_CC} --target=wasm32 -std=c17 -O2 -Wall -Wextra -Werror
            -mmutable-globals -mbulk-memory -msign-ext -ffreestanding ${GUEST_DEFINES}
            -I${CMAKE_SOURCE_DIR}/include -I${CMAKE_SOURCE_DIR}
            -MD -MF ${object}.d -MT ${output}
            -c ${source} -o ${object}
    COMMAND ${SWARM_GUEST_LD} --no-entry --stack-first -z stack-size=14336
            ${object} -o ${linked}
    ${optimise}
    DEPENDS ${source} DEPFILE ${object}.d
    COMMENT "Guest ${name}.wasm" VERBATIM)
  add_custom_target(guest_${name} DEPENDS ${output})
  add_dependencies(guests guest_${name})
endfunction()

file(GLOB guest_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/test/guests/*.c)
foreach(source IN LISTS guest_sources)
  get_filename_component(name ${source} NAME_WE)
  set(how)
  file(STRINGS ${source} waits REGEX "^/\\* waits \\*/")
  if(waits)
    set(how ASYNCIFY)
  endif()
  sw_guest(test_${name} ${source} ${how})
endforeach()

# What waits, in each of the ways that it can.
sw_guest(test_waiter_unwind ${CMAKE_SOURCE_DIR}/test/guests/waiter.c ASYNCIFY)
sw_guest(test_waiter_return ${CMAKE_SOURCE_DIR}/test/guests/waiter.c DEFINES BY_RETURN)
sw_guest(test_diary_other ${CMAKE_SOURCE_DIR}/test/guests/diary.c DEFINES STEP=2u)
sw_guest(test_caller_relive ${CMAKE_SOURCE_DIR}/test/guests/caller.c)
sw_guest(test_burner_unwind ${CMAKE_SOURCE_DIR}/test/guests/burner.c ASYNCIFY)

# What the simulator upgrades its instances to.
sw_guest(test_sim_moved ${CMAKE_SOURCE_DIR}/test/guests/sim.c ASYNCIFY
         DEFINES SIM_PROGRAM=1u)
sw_guest(test_sim_kept ${CMAKE_SOURCE_DIR}/test/guests/sim.c ASYNCIFY
         DEFINES SIM_PROGRAM=2u)
