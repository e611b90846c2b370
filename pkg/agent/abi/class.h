/* Classes of engine (spec.engine of an Agent, and whether it has limits.fuel): with which settings
 * a module becomes machine code, and where the memories of its instances lie.
 *
 *   compact  bounds compared in code: memories lie close together, the most instances
 *   compute  bounds held by pages that nobody may touch: the quickest code, few instances
 *   replay   the same result on every processor: a history can be replayed on another one
 *   ...-fuel each of them, with code that counts its own instructions
 *
 * A *program* is a module, or a bundle (pkg/agent/modules/bundle.h), in a class: what a host loads.
 * It is named by the digest of what was pushed, and, unless it is compact, "/" and the class. State
 * is memory and globals, so all classes of one build read each other's images; records are replayed
 * in the class that made them.
 * Threads: pure functions.  I/O: none. */
#pragma once
#include "pkg/agent/abi/abi.h"
#include "pkg/utils/base/buffer.h"

enum sw_abi_class {
    SW_ABI_COMPACT,
    SW_ABI_COMPUTE,
    SW_ABI_REPLAY,
    SW_ABI_COMPACT_FUEL, /* As those before, in the same order. */
    SW_ABI_COMPUTE_FUEL,
    SW_ABI_REPLAY_FUEL,
    SW_ABI_CLASSES
};

#define SW_ABI_FINGERPRINT_SIZE 256
#define SW_ABI_PROGRAM_SIZE 96 /* "sha256:", 64 digits, "/", the longest class, and the NUL. */

/* Whether its code counts fuel. */
static inline bool sw_abi_class_counts_fuel(enum sw_abi_class class)
{
    return class >= SW_ABI_COMPACT_FUEL;
}
/* The class that is the same but for that: with or without fuel. */
static inline enum sw_abi_class sw_abi_class_with_fuel(enum sw_abi_class class, bool counts_fuel)
{
    unsigned base = (unsigned)class % SW_ABI_COMPACT_FUEL;

    return (enum sw_abi_class)(base + (counts_fuel ? SW_ABI_COMPACT_FUEL : 0));
}
/* Its name: as spec.engine has it, with "-fuel" behind it if its code counts that. */
const char *sw_abi_class_name(enum sw_abi_class class);
/* SW_E_INVALID: no class has that name. */
SW_MUST_CHECK enum sw_rc sw_abi_class_parse(struct sw_bytes name, enum sw_abi_class *ret_class);

/* What decides the meaning of a record or an image of that class, in the build of that fingerprint
 * (such as SW_ABI_FINGERPRINT): those with equal texts replay each other. For compact it is that
 * fingerprint; for replay it names no processor. */
void sw_abi_record_fingerprint(const char *build, enum sw_abi_class class,
                               char ret_text[SW_ABI_FINGERPRINT_SIZE]);
/* What decides which machine code runs there; it always names the processor. */
void sw_abi_code_fingerprint(const char *build, enum sw_abi_class class,
                             char ret_text[SW_ABI_FINGERPRINT_SIZE]);
/* The class that a text of either says; compact if it says none. */
enum sw_abi_class sw_abi_class_of(struct sw_bytes fingerprint);

/* What a program is loaded from. */
struct sw_abi_code {
    struct sw_bytes machine; /* Machine code: of the module, or of the one that runs the bundle. */
    const char *runtime;     /* Of a bundle: the name of that one as a program; NULL: a module. */
    struct sw_bytes payload; /* Of a bundle; at most SW_ABI_PAYLOAD_BYTES_MAX, perhaps none. */
};

/* The name of a program. A digest that is too long is cut. */
void sw_abi_program_name(struct sw_bytes digest, enum sw_abi_class class,
                         char ret_name[SW_ABI_PROGRAM_SIZE]);
/* The digest in a name, for whoever does not care about the class. One that is too long is cut. */
void sw_abi_program_digest(const char *name, char ret_digest[SW_ABI_PROGRAM_SIZE]);
/* The other way; *ret_digest borrows from name, and is not looked at.
 * SW_E_INVALID: it names a class that there is not */
SW_MUST_CHECK enum sw_rc sw_abi_program_parse(struct sw_bytes name, struct sw_bytes *ret_digest,
                                              enum sw_abi_class *ret_class);
