#include "cmd/swarmd/bridge.h"

#include "pkg/security/crypto/digest.h"

extern const char bridge_module[], bridge_module_end[];
__asm__(".section .rodata\n"
        ".global bridge_module, bridge_module_end\n"
        "bridge_module: .incbin \"guests/swarm_bridge.wasm\"\n"
        "bridge_module_end: .byte 0\n"
        ".previous\n");

static char digest_text[SW_DIGEST_TEXT_SIZE];

enum sw_rc bridge_keep(struct sw_modules *modules, struct sw_err *err)
{
    struct sw_bytes bytes = {bridge_module, (size_t)(bridge_module_end - bridge_module)};

    sw_digest_text_of(bytes.data, bytes.size, digest_text);
    return sw_modules_has(modules, BRIDGE_NAMESPACE, digest_text)
               ? SW_OK
               : sw_modules_put(modules, BRIDGE_NAMESPACE, digest_text, bytes, err);
}

const char *bridge_digest(void)
{
    return digest_text;
}
