# Files that .incbin puts into an object: the compiler does not tell of them, so they stand here.
file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/include/swarm/*.h)
set_source_files_properties(
  ${CMAKE_SOURCE_DIR}/pkg/cli/commands/template.c PROPERTIES OBJECT_DEPENDS
  "${CMAKE_SOURCE_DIR}/examples/hello/agent.c;${CMAKE_SOURCE_DIR}/examples/hello/agent.yaml;\
${headers};\
${CMAKE_SOURCE_DIR}/sdk/js/templates/agent.js;${CMAKE_SOURCE_DIR}/sdk/js/templates/agent.ts;\
${CMAKE_SOURCE_DIR}/sdk/js/templates/agent.yaml;${CMAKE_SOURCE_DIR}/sdk/js/templates/package.json;\
${CMAKE_SOURCE_DIR}/sdk/js/templates/tsconfig.json;${CMAKE_SOURCE_DIR}/sdk/js/index.d.ts;\
${CMAKE_SOURCE_DIR}/sdk/python/templates/main.py;\
${CMAKE_SOURCE_DIR}/sdk/python/templates/agent.program;\
${CMAKE_SOURCE_DIR}/sdk/python/templates/agent.yaml;\
${CMAKE_SOURCE_DIR}/sdk/python/templates/test_main.py;\
${CMAKE_SOURCE_DIR}/sdk/python/swarm/__init__.py;\
${CMAKE_SOURCE_DIR}/sdk/python/swarm/agent.py;\
${CMAKE_SOURCE_DIR}/sdk/python/swarm/errors.py;\
${CMAKE_SOURCE_DIR}/sdk/python/swarm/harness.py;\
${CMAKE_SOURCE_DIR}/sdk/python/swarm/host.py;\
${CMAKE_SOURCE_DIR}/sdk/python/swarm/message.py;\
${CMAKE_SOURCE_DIR}/sdk/python/swarm/model.py;\
${CMAKE_SOURCE_DIR}/sdk/python/swarm/py.typed;\
${CMAKE_SOURCE_DIR}/sdk/python/swarm/schema.py;\
${CMAKE_SOURCE_DIR}/sdk/python/swarm/turns.py;\
${CMAKE_SOURCE_DIR}/sdk/js/templates/agent.test.js;${CMAKE_SOURCE_DIR}/sdk/js/package.json;\
${CMAKE_SOURCE_DIR}/sdk/js/harness/harness.js;${CMAKE_SOURCE_DIR}/sdk/js/harness/host.js;\
${CMAKE_SOURCE_DIR}/sdk/js/harness/words.js;${CMAKE_SOURCE_DIR}/sdk/js/harness/model.js;\
${CMAKE_SOURCE_DIR}/sdk/js/harness/index.d.ts;\
${SWARM_GUESTS_DIR}/swarm_js.digest;${SWARM_GUESTS_DIR}/swarm_js.wasm;\
${SWARM_GUESTS_DIR}/swarm_process.digest"
  COMPILE_OPTIONS "-I${CMAKE_BINARY_DIR}")
set_source_files_properties(
  ${CMAKE_SOURCE_DIR}/web/api/pages.c PROPERTIES OBJECT_DEPENDS
  "${CMAKE_SOURCE_DIR}/api/openapi/swagger.yaml")
