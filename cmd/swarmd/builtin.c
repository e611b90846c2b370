#include "cmd/swarmd/builtin.h"

#include "pkg/security/crypto/digest.h"

#include <string.h>

extern const char bridge_module[], bridge_module_end[];
extern const char process_module[], process_module_end[];
extern const char javascript_module[], javascript_module_end[];
__asm__(".section .rodata\n"
        ".global bridge_module, bridge_module_end\n"
        "bridge_module: .incbin \"guests/swarm_bridge.wasm\"\n"
        "bridge_module_end: .byte 0\n"
        ".global javascript_module, javascript_module_end\n"
        "javascript_module: .incbin \"guests/swarm_js.wasm\"\n"
        "javascript_module_end: .byte 0\n"
        ".global process_module, process_module_end\n"
        "process_module: .incbin \"guests/swarm_process.wasm\"\n"
        "process_module_end: .byte 0\n"
        ".previous\n");

static const struct {
    const char *name, *begin, *end;
} builtins[] = {
    {"bridge", bridge_module, bridge_module_end},
    {"javascript", javascript_module, javascript_module_end},
    {"process", process_module, process_module_end},
};
#define BUILTINS (sizeof builtins / sizeof builtins[0])

static char digests[BUILTINS][SW_DIGEST_TEXT_SIZE];

static enum sw_rc keep_one(struct sw_modules *modules, size_t i, struct sw_err *err)
{
    struct sw_bytes bytes = {builtins[i].begin, (size_t)(builtins[i].end - builtins[i].begin)};

    sw_digest_text_of(bytes.data, bytes.size, digests[i]);
    return sw_modules_has(modules, SW_MODULES_PLATFORM, digests[i])
               ? SW_OK
               : sw_modules_put(modules, SW_MODULES_PLATFORM, digests[i], bytes, err);
}

enum sw_rc builtins_keep(struct sw_modules *modules, struct sw_err *err)
{
    enum sw_rc rc = SW_OK;

    for (size_t i = 0; rc == SW_OK && i < BUILTINS; i++)
        rc = keep_one(modules, i, err);
    return rc;
}

const char *builtin_digest(const char *name)
{
    for (size_t i = 0; i < BUILTINS; i++)
        if (strcmp(builtins[i].name, name) == 0)
            return digests[i];
    return NULL;
}

bool builtins_have(const char *digest)
{
    for (size_t i = 0; i < BUILTINS; i++)
        if (strcmp(digests[i], digest) == 0)
            return true;
    return false;
}
