/* Files that are compiled into the program: templates of agents, the SDK's headers and types.
 *
 * Threads: constant data.  I/O: none. */
#pragma once
#include "pkg/utils/base/buffer.h"

struct sw_bytes sw_template_source(void);   /* agent.c */
struct sw_bytes sw_template_manifest(void); /* agent.yaml; "hello" stands for the name. */
/* The header of the SDK, include/swarm/NAME, of that number from 0 on, and its name; NULL: there
 * are no more. */
const char *sw_template_header(size_t index, struct sw_bytes *ret_content);

/* Of sdk/js: agent.js, agent.ts, agent.yaml for both, package.json and tsconfig.json; "hello"
 * stands for the name. */
struct sw_bytes sw_template_script(void);
struct sw_bytes sw_template_typed(void);
struct sw_bytes sw_template_script_manifest(void);
struct sw_bytes sw_template_package(void);
struct sw_bytes sw_template_tsconfig(void);
struct sw_bytes sw_template_script_test(void); /* agent.test.js */
struct sw_bytes sw_template_types(void);       /* swarm.d.ts */
struct sw_bytes sw_template_javascript(void);  /* The digest, as text, of what runs JavaScript. */
struct sw_bytes sw_template_runtime(void);     /* What runs it: swarm_js.wasm. */

/* The rest of the npm package, but for swarm.d.ts, which is its index.d.ts. */
struct sw_bytes sw_template_npm(void); /* package.json */
struct sw_bytes sw_template_harness(void);
struct sw_bytes sw_template_harness_host(void);
struct sw_bytes sw_template_harness_words(void);
struct sw_bytes sw_template_harness_model(void);
struct sw_bytes sw_template_harness_types(void);

/* Of sdk/python: main.py, agent.program, agent.yaml and test_main.py. */
struct sw_bytes sw_template_python(void);
struct sw_bytes sw_template_python_program(void);
struct sw_bytes sw_template_python_manifest(void);
struct sw_bytes sw_template_python_test(void);

/* The package of sdk/python: __init__.py and its modules. */
struct sw_bytes sw_template_sdk_init(void);
struct sw_bytes sw_template_sdk_agent(void);
struct sw_bytes sw_template_sdk_errors(void);
struct sw_bytes sw_template_sdk_harness(void);
struct sw_bytes sw_template_sdk_host(void);
struct sw_bytes sw_template_sdk_message(void);
struct sw_bytes sw_template_sdk_model(void);
struct sw_bytes sw_template_sdk_typed(void); /* py.typed: empty. */
struct sw_bytes sw_template_sdk_schema(void);
struct sw_bytes sw_template_sdk_turns(void);

struct sw_bytes sw_template_process(void); /* The digest, as text, of what runs programs. */
