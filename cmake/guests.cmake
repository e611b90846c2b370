# sw_guest(NAME SOURCE): compile one C file to build/guests/NAME.wasm, the way the README shows it.
# No libc; the stack comes first, so that its overflow traps instead of running into data.
find_program(SWARM_GUEST_CC NAMES clang-19 clang-18 clang-17 clang-16 clang-15 clang-14 clang)
find_program(SWARM_GUEST_LD NAMES wasm-ld-19 wasm-ld-18 wasm-ld-17 wasm-ld-16 wasm-ld-15 wasm-ld-14
                                  wasm-ld)
set(SWARM_GUESTS_DIR ${CMAKE_BINARY_DIR}/guests)
add_custom_target(guests ALL)

function(sw_guest name source)
  if(NOT SWARM_GUEST_CC OR NOT SWARM_GUEST_LD)
    message(FATAL_ERROR "Guests need clang and wasm-ld: install clang-19 and lld-19")
  endif()
  get_filename_component(source ${source} ABSOLUTE)
  get_filename_component(folder ${source} DIRECTORY)
  set(output ${SWARM_GUESTS_DIR}/${name}.wasm)
  set(object ${SWARM_GUESTS_DIR}/${name}.o)
  # Compiled and linked in two steps: clang as linker driver would run wasm-opt if it finds one.
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${SWARM_GUESTS_DIR}
    COMMAND ${SWARM_GUEST_CC} --target=wasm32 -std=c17 -O2 -Wall -Wextra -Werror
            -mbulk-memory -msign-ext -ffreestanding
            -I${CMAKE_SOURCE_DIR}/include -MD -MF ${object}.d -MT guests/${name}.wasm
            -c ${source} -o ${object}
    COMMAND ${SWARM_GUEST_LD} --no-entry --stack-first -z stack-size=16384
            ${object} -o ${output}
    DEPENDS ${source} DEPFILE ${object}.d
    COMMENT "Guest ${name}.wasm" VERBATIM)
  add_custom_target(guest_${name} DEPENDS ${output})
  add_dependencies(guests guest_${name})
endfunction()

file(GLOB guest_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/test/guests/*.c)
foreach(source IN LISTS guest_sources)
  get_filename_component(name ${source} NAME_WE)
  sw_guest(test_${name} ${source})
endforeach()
