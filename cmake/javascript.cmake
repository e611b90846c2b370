# build/guests/swarm_js.wasm: the runtime of agents in JavaScript, which becomes a part of swarmd
# (cmd/swarmd/builtin.c). QuickJS and sdk/js/runtime are compiled as `swarm agent build --libc` does
# it; then tools/quickjs/image runs the preparation with sdk/js/lib and keeps what it leaves.
set(SWARM_QUICKJS_VERSION 0.17.0)
set(quickjs_folder ${CMAKE_SOURCE_DIR}/.cache/quickjs-${SWARM_QUICKJS_VERSION})
if(NOT EXISTS ${quickjs_folder}/quickjs.c)
  execute_process(COMMAND ${CMAKE_SOURCE_DIR}/tools/quickjs/fetch ${quickjs_folder}
                  RESULT_VARIABLE quickjs_failed)
  if(quickjs_failed)
    message(FATAL_ERROR "QuickJS could not be fetched; see above")
  endif()
endif()

set(js_target --target=wasm32-wasi -isystem /usr/include/wasm32-wasi)
execute_process(COMMAND ${SWARM_GUEST_CC} --target=wasm32-wasi --rtlib=compiler-rt
                        -print-libgcc-file-name
                OUTPUT_VARIABLE js_builtins OUTPUT_STRIP_TRAILING_WHITESPACE)
set(js_folder ${SWARM_GUESTS_DIR}/js)
file(MAKE_DIRECTORY ${js_folder})
set(js_objects)
# Others' code is compiled as it is, ours with all warnings.
function(js_object source)
  get_filename_component(name ${source} NAME_WE)
  set(object ${js_folder}/${name}.o)
  add_custom_command(
    OUTPUT ${object}
    COMMAND ${CMAKE_C_COMPILER_LAUNCHER} ${SWARM_GUEST_CC} ${js_target} -std=gnu11 -O2
            -mbulk-memory -msign-ext -D_GNU_SOURCE ${ARGN}
            -MD -MF ${object}.d -MT ${object} -c ${source} -o ${object}
    DEPENDS ${source} DEPFILE ${object}.d
    COMMENT "Guest js/${name}.o" VERBATIM)
  set(js_objects ${js_objects} ${object} PARENT_SCOPE)
endfunction()
foreach(name IN ITEMS main host)
  js_object(${CMAKE_SOURCE_DIR}/sdk/js/runtime/${name}.c -Wall -Wextra -Werror
            -isystem ${quickjs_folder} -I${CMAKE_SOURCE_DIR}/include)
endforeach()
foreach(name IN ITEMS quickjs libregexp libunicode dtoa)
  js_object(${quickjs_folder}/${name}.c -w)
endforeach()

set(js_lib)
foreach(name IN ITEMS core schema model agent outside swarm)
  list(APPEND js_lib ${CMAKE_SOURCE_DIR}/sdk/js/lib/${name}.js)
endforeach()
set(js_module ${SWARM_GUESTS_DIR}/swarm_js.wasm)
get_target_property(js_engine wasmtime IMPORTED_LOCATION)
add_custom_command(
  OUTPUT ${js_module} ${SWARM_GUESTS_DIR}/swarm_js.digest
  COMMAND ${SWARM_GUEST_LD} --no-entry --stack-first -z stack-size=131072 --strip-debug
          /usr/lib/wasm32-wasi/crt1-reactor.o ${js_objects} -L/usr/lib/wasm32-wasi -lc
          ${js_builtins} -o ${js_folder}/linked.wasm
  COMMAND ${CMAKE_SOURCE_DIR}/tools/quickjs/image ${js_engine} ${js_folder}/linked.wasm
          ${js_module} ${SWARM_GUESTS_DIR}/swarm_js.digest ${js_lib}
  DEPENDS ${js_objects} ${js_lib} ${CMAKE_SOURCE_DIR}/tools/quickjs/image
  COMMENT "Guest swarm_js.wasm" VERBATIM)
add_custom_target(guest_swarm_js DEPENDS ${js_module})
add_dependencies(guests guest_swarm_js)
