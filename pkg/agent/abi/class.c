#include "pkg/agent/abi/class.h"

#include <stdio.h>
#include <string.h>

#define DIGEST_MAX 71 /* "sha256:" and 64 digits. */

static const char *const names[SW_ABI_CLASSES] = {"compact",      "compute",      "replay",
                                                  "compact-fuel", "compute-fuel", "replay-fuel"};

const char *sw_abi_class_name(enum sw_abi_class class)
{
    return names[class];
}

enum sw_rc sw_abi_class_parse(struct sw_bytes name, enum sw_abi_class *ret_class)
{
    for (unsigned i = 0; i < SW_ABI_CLASSES; i++) {
        if (!sw_bytes_is_equal(name, (struct sw_bytes){names[i], strlen(names[i])}))
            continue;
        *ret_class = (enum sw_abi_class)i;
        return SW_OK;
    }
    return SW_E_INVALID;
}

/* --- Fingerprints ---------------------------------------------------------------------------- */

void sw_abi_code_fingerprint(const char *build, enum sw_abi_class class,
                             char ret_text[SW_ABI_FINGERPRINT_SIZE])
{
    (void)snprintf(ret_text, SW_ABI_FINGERPRINT_SIZE, "%s%s%s", build,
                   class == SW_ABI_COMPACT ? "" : ", ",
                   class == SW_ABI_COMPACT ? "" : names[class]);
}

void sw_abi_record_fingerprint(const char *build, enum sw_abi_class class,
                               char ret_text[SW_ABI_FINGERPRINT_SIZE])
{
    static const char processor[] = ", " SW_ABI_PROCESSOR;
    char *at;

    sw_abi_code_fingerprint(build, class, ret_text);
    at = sw_abi_class_with_fuel(class, false) == SW_ABI_REPLAY ? strstr(ret_text, processor) : NULL;
    if (at != NULL)
        memmove(at, at + strlen(processor), strlen(at + strlen(processor)) + 1);
}

enum sw_abi_class sw_abi_class_of(struct sw_bytes fingerprint)
{
    const char *text = fingerprint.data;
    enum sw_abi_class class;
    size_t at = fingerprint.size;

    while (at > 0 && text[at - 1] != ' ')
        at--;
    return at > 0 && sw_abi_class_parse((struct sw_bytes){text + at, fingerprint.size - at},
                                        &class) == SW_OK
               ? class
               : SW_ABI_COMPACT;
}

/* --- Programs -------------------------------------------------------------------------------- */

void sw_abi_program_name(struct sw_bytes digest, enum sw_abi_class class,
                         char ret_name[SW_ABI_PROGRAM_SIZE])
{
    (void)snprintf(ret_name, SW_ABI_PROGRAM_SIZE, "%.*s%s%s",
                   (int)(digest.size < DIGEST_MAX ? digest.size : DIGEST_MAX),
                   digest.size == 0 ? "" : (const char *)digest.data,
                   class == SW_ABI_COMPACT ? "" : "/", class == SW_ABI_COMPACT ? "" : names[class]);
}

void sw_abi_program_digest(const char *name, char ret_digest[SW_ABI_PROGRAM_SIZE])
{
    (void)snprintf(ret_digest, SW_ABI_PROGRAM_SIZE, "%.*s", (int)strcspn(name, "/"), name);
}

enum sw_rc sw_abi_program_parse(struct sw_bytes name, struct sw_bytes *ret_digest,
                                enum sw_abi_class *ret_class)
{
    const char *text = name.data;
    const char *slash = name.size == 0 ? NULL : memchr(text, '/', name.size);
    size_t size = slash == NULL ? name.size : (size_t)(slash - text);
    enum sw_abi_class class = SW_ABI_COMPACT;

    if (slash != NULL &&
        (sw_abi_class_parse((struct sw_bytes){slash + 1, name.size - size - 1}, &class) != SW_OK ||
         class == SW_ABI_COMPACT)) /* Each program has one name. */
        return SW_E_INVALID;
    *ret_digest = (struct sw_bytes){name.data, size};
    *ret_class = class;
    return SW_OK;
}
