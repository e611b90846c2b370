/* Modules, as swarmd sends them to a host, and as the host asks for them: what the frames MODULE,
 * BUNDLE, MODULE_DROP, MODULE_ASK and MODULE_WANTED hold. A program is a module or a bundle in a
 * class of engine. Its digest is "sha256:..." of what was pushed, not of the machine code; unless
 * the class is compact, "/" and the class follow (pkg/agent/abi/class.h).
 *
 * Threads, I/O, Limits: none; each field's limit is in frame.c. */
#pragma once
#include "pkg/utils/base/buffer.h"

struct sw_frame_module {
    struct sw_bytes digest; /* Of the program. */
    uint64_t offset, total; /* Pieces come in order; offset + size of bytes == total is the last. */
    struct sw_bytes bytes;  /* At most SW_FRAME_CHUNK_MAX. */
};

/* A piece of the payload of a bundle, in order as those of MODULE; one that is empty has one piece.
 * Its runtime was sent before, as a module, and not dropped since. */
struct sw_frame_bundle {
    struct sw_bytes digest, runtime; /* Of the programs, in the same class. */
    uint64_t offset, total;          /* At most SW_ABI_PAYLOAD_BYTES_MAX. */
    struct sw_bytes bytes;           /* At most SW_FRAME_CHUNK_MAX. */
};

struct sw_frame_digest {
    struct sw_bytes digest; /* Of the program. */
};

struct sw_frame_module_wanted {
    struct sw_bytes uid;    /* Of the Pod. */
    struct sw_bytes digest; /* Of the program. */
};

struct sw_frame_module_ask { /* Answered with the code of SW_E_PRECONDITION if it is needed. */
    uint64_t request;
    struct sw_bytes digest; /* Of the module, in whatever class. */
};
