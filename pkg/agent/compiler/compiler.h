/* Machine code for modules: from the sealed cache, or made by a sandboxed child process.
 *
 * A .cwasm is as powerful as the process that loads it, so it is taken only from our own child and
 * kept under a MAC of a key that swarmd alone has. An entry names the module's digest and the
 * fingerprint of the engine in the class that it is for; whatever does not verify is compiled
 * again, never loaded. Threads: the loop's.  I/O: files of the cache folder through the seam;
 * children on the loop. Limits: SW_COMPILER_QUEUE_MAX modules waiting, one child at a time, its
 * memory and time. */
#pragma once
#include "pkg/utils/loop/loop.h"
#include "pkg/utils/system/system.h"

#define SW_COMPILER_QUEUE_MAX 256
#define SW_COMPILER_KEY_SIZE 32
#define SW_COMPILER_CODE_BYTES_MAX (256u << 20)

struct sw_compiler; /* Opaque. */

struct sw_compiler_options {
    struct sw_loop *loop; /* Borrowed, as is system. */
    const struct sw_system *system;
    const char *program;               /* Path of swarm-compiler; copied, as is folder. */
    const char *folder;                /* Of the cache; made if it is not there. */
    const char *fingerprint;           /* Of the engine of program; copied. NULL: of this build. */
    uint8_t key[SW_COMPILER_KEY_SIZE]; /* Secret, and the same after a restart. */
    uint64_t timeout_ms;               /* For one module; 0: 60 s. */
    uint64_t cache_bytes_max;          /* Beyond it the oldest files go; 0: 4 GiB. */
    bool is_read_only; /* The cache is only read; nothing is made, folder included. */
};

SW_MUST_CHECK enum sw_rc sw_compiler_new(const struct sw_compiler_options *options,
                                         struct sw_compiler **ret_compiler, struct sw_err *err);
/* Ends a running child; requests that are not done yet get SW_E_CANCELLED before this returns. */
void sw_compiler_free(struct sw_compiler *compiler);
SW_DEFINE_CLEANUP(struct sw_compiler, sw_compiler_free)

/* Called once per request, never from inside sw_compiler_get. code is borrowed for the call, and
 * meaningful if rc is SW_OK; otherwise err says why, such as the code generator's words about an
 * ill-typed module (SW_E_INVALID), SW_E_TIMEOUT, or SW_E_UNAVAILABLE when the child died. */
typedef void sw_compiler_done(void *ctx, enum sw_rc rc, struct sw_bytes code,
                              const struct sw_err *err);

/* Get the machine code of a program: its name is the module's digest, perhaps with a class
 * (pkg/agent/abi/class.h). module is copied if it has to wait. Requests for one program share one
 * compilation.
 * SW_E_INVALID    the name is ill-formed    SW_E_EXHAUSTED  the queue is full */
SW_MUST_CHECK enum sw_rc sw_compiler_get(struct sw_compiler *compiler, const char *program,
                                         struct sw_bytes module, sw_compiler_done *done, void *ctx,
                                         struct sw_err *err);

/* Remove what the cache has of a module, for all engines and classes; what is being compiled comes
 * into it all the same. It takes as long as there are entries. */
void sw_compiler_forget(struct sw_compiler *compiler, const char *digest);

struct sw_compiler_view { /* For metrics. */
    uint64_t cached;      /* Requests answered from the cache. */
    uint64_t compiled;    /* Modules compiled with success. */
    uint64_t failed;      /* Compilations that failed. */
    uint64_t rejected;    /* Cache entries that did not verify. */
    uint64_t waiting;     /* Requests not answered yet. */
};
void sw_compiler_view(const struct sw_compiler *compiler, struct sw_compiler_view *ret_view);
