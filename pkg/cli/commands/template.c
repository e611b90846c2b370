#include "pkg/cli/commands/template.h"

/* The assembler finds the files through the -I of the build, as #include does. */
#define EMBED_BYTES(name, path)                                                                    \
    __asm__(".section .rodata\n"                                                                   \
            ".global sw_template_" #name "_begin\n"                                                \
            ".hidden sw_template_" #name "_begin\n"                                                \
            ".global sw_template_" #name "_end\n"                                                  \
            ".hidden sw_template_" #name "_end\n"                                                  \
            "sw_template_" #name "_begin:\n"                                                       \
            ".incbin \"" path "\"\n"                                                               \
            "sw_template_" #name "_end:\n"                                                         \
            ".byte 0\n"                                                                            \
            ".previous\n");                                                                        \
    extern const char sw_template_##name##_begin[], sw_template_##name##_end[]
#define EMBED(name, path)                                                                          \
    EMBED_BYTES(name, path);                                                                       \
    struct sw_bytes sw_template_##name(void)                                                       \
    {                                                                                              \
        return (struct sw_bytes){sw_template_##name##_begin,                                       \
                                 (size_t)(sw_template_##name##_end - sw_template_##name##_begin)}; \
    }                                                                                              \
    struct sw_bytes sw_template_##name(void)

EMBED(source, "examples/hello/agent.c");
EMBED(manifest, "examples/hello/agent.yaml");
EMBED(script, "sdk/js/templates/agent.js");
EMBED(typed, "sdk/js/templates/agent.ts");
EMBED(script_manifest, "sdk/js/templates/agent.yaml");
EMBED(package, "sdk/js/templates/package.json");
EMBED(tsconfig, "sdk/js/templates/tsconfig.json");
EMBED(types, "sdk/js/index.d.ts");
EMBED(script_test, "sdk/js/templates/agent.test.js");
EMBED(javascript, "guests/swarm_js.digest");
EMBED(runtime, "guests/swarm_js.wasm");
EMBED(npm, "sdk/js/package.json");
EMBED(harness, "sdk/js/harness/harness.js");
EMBED(harness_host, "sdk/js/harness/host.js");
EMBED(harness_words, "sdk/js/harness/words.js");
EMBED(harness_model, "sdk/js/harness/model.js");
EMBED(harness_types, "sdk/js/harness/index.d.ts");
EMBED(python, "sdk/python/templates/main.py");
EMBED(python_program, "sdk/python/templates/agent.program");
EMBED(python_manifest, "sdk/python/templates/agent.yaml");
EMBED(python_test, "sdk/python/templates/test_main.py");
EMBED(sdk_init, "sdk/python/swarm/__init__.py");
EMBED(sdk_agent, "sdk/python/swarm/agent.py");
EMBED(sdk_errors, "sdk/python/swarm/errors.py");
EMBED(sdk_harness, "sdk/python/swarm/harness.py");
EMBED(sdk_host, "sdk/python/swarm/host.py");
EMBED(sdk_message, "sdk/python/swarm/message.py");
EMBED(sdk_model, "sdk/python/swarm/model.py");
EMBED(sdk_typed, "sdk/python/swarm/py.typed");
EMBED(sdk_schema, "sdk/python/swarm/schema.py");
EMBED(sdk_turns, "sdk/python/swarm/turns.py");
EMBED(process, "guests/swarm_process.digest");

/* The headers of the SDK, each of which is include/swarm/NAME.h. */
EMBED_BYTES(header_agent, "include/swarm/agent.h");
EMBED_BYTES(header_approve, "include/swarm/approve.h");
EMBED_BYTES(header_base64, "include/swarm/base64.h");
EMBED_BYTES(header_bundle, "include/swarm/bundle.h");
EMBED_BYTES(header_http, "include/swarm/http.h");
EMBED_BYTES(header_json, "include/swarm/json.h");
EMBED_BYTES(header_json_same, "include/swarm/json_same.h");
EMBED_BYTES(header_json_scan, "include/swarm/json_scan.h");
EMBED_BYTES(header_model, "include/swarm/model.h");
EMBED_BYTES(header_model_json, "include/swarm/model_json.h");
EMBED_BYTES(header_model_stream, "include/swarm/model_stream.h");
EMBED_BYTES(header_schema, "include/swarm/schema.h");
EMBED_BYTES(header_schema_words, "include/swarm/schema_words.h");
EMBED_BYTES(header_text, "include/swarm/text.h");
EMBED_BYTES(header_think, "include/swarm/think.h");
EMBED_BYTES(header_wait, "include/swarm/wait.h");

#define HEADER(name)                                                                               \
    {#name ".h", sw_template_header_##name##_begin, sw_template_header_##name##_end}

const char *sw_template_header(size_t index, struct sw_bytes *ret_content)
{
    static const struct {
        const char *name, *begin, *end;
    } headers[] = {
        HEADER(agent),        HEADER(approve),    HEADER(base64),       HEADER(bundle),
        HEADER(http),         HEADER(json),       HEADER(json_same),    HEADER(json_scan),
        HEADER(model),        HEADER(model_json), HEADER(model_stream), HEADER(schema),
        HEADER(schema_words), HEADER(text),       HEADER(think),        HEADER(wait)};

    if (index >= sizeof headers / sizeof headers[0])
        return NULL;
    *ret_content = (struct sw_bytes){headers[index].begin,
                                     (size_t)(headers[index].end - headers[index].begin)};
    return headers[index].name;
}
