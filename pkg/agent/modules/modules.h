/* The modules of a Hive, by content: FOLDER/NAMESPACE/HEX.wasm, HEX being the SHA-256.
 *
 * A module is validated and its digest compared before it counts as present, and its digest is
 * compared again whenever it is read. Present modules never change. What is said of modules holds
 * for bundles too (bundle.h), which stand there as they were pushed.
 * Threads: one at a time.  I/O: the files below its folder, through the seam.
 * Limits: SW_ABI_MODULE_BYTES_MAX each; SW_MODULE_PUSHES_MAX pushes under way. */
#pragma once
#include "pkg/agent/modules/validate.h"
#include "pkg/security/crypto/digest.h"
#include "pkg/utils/system/system.h"

#define SW_MODULE_PUSHES_MAX 8
#define SW_MODULE_NAMESPACE_MAX 63
#define SW_MODULES_PLATFORM "swarm-system" /* Namespace of what swarmd brings along, for all. */

struct sw_modules;     /* Opaque. */
struct sw_module_push; /* Opaque; a module that is arriving. */

struct sw_module_name {
    char namespace[SW_MODULE_NAMESPACE_MAX + 1];
    char digest[SW_DIGEST_TEXT_SIZE];
};

/* Use a folder, made if it is not there. system is borrowed and outlives it. */
SW_MUST_CHECK enum sw_rc sw_modules_open(const struct sw_system *system, const char *folder,
                                         struct sw_modules **ret_modules, struct sw_err *err);
void sw_modules_close(struct sw_modules *modules);
SW_DEFINE_CLEANUP(struct sw_modules, sw_modules_close)

/* Begin to take in a module that should have this digest ("sha256:...").
 * SW_E_INVALID    the namespace is no label, or the digest is not in that form
 * SW_E_EXHAUSTED  too many pushes are under way */
SW_MUST_CHECK enum sw_rc sw_module_push_new(struct sw_modules *modules, const char *namespace,
                                            const char *digest, struct sw_module_push **ret_push,
                                            struct sw_err *err);
/* Give up, or forget a finished push. */
void sw_module_push_free(struct sw_module_push *push);
SW_DEFINE_CLEANUP(struct sw_module_push, sw_module_push_free)
/* The next bytes, copied.  SW_E_EXHAUSTED: larger than a module may be; the push is over. */
SW_MUST_CHECK enum sw_rc sw_module_push_add(struct sw_module_push *push, struct sw_bytes bytes,
                                            struct sw_err *err);
/* All bytes were added: check them and store them durably. Pushing what is there is no error.
 * *ret_view, which may be NULL, is not set for a bundle.
 * SW_E_INVALID       the bytes have another digest, the runtime of a bundle is one itself, or the
 *                    validator's reason, or sw_bundle_read's
 * SW_E_PRECONDITION  a bundle's runtime is neither in the namespace nor in SW_MODULES_PLATFORM
 * other codes        the validator's, or those of writing a file; nothing was stored */
SW_MUST_CHECK enum sw_rc sw_module_push_finish(struct sw_module_push *push,
                                               struct sw_module_view *ret_view, struct sw_err *err);

/* The three in one, for bytes that are all there. */
SW_MUST_CHECK enum sw_rc sw_modules_put(struct sw_modules *modules, const char *namespace,
                                        const char *digest, struct sw_bytes bytes,
                                        struct sw_err *err);
/* Whether it is stored; false too when namespace or digest are ill-formed. */
bool sw_modules_has(const struct sw_modules *modules, const char *namespace, const char *digest);
/* Where a namespace has a module from: itself, or else SW_MODULES_PLATFORM.
 * SW_E_NOT_FOUND  neither has it; nothing is set */
SW_MUST_CHECK enum sw_rc sw_modules_home(const struct sw_modules *modules, const char *namespace,
                                         const char *digest, struct sw_module_name *ret_name);
/* The digest of the module that runs a bundle, as the beginning of its file says: that it is whole
 * is not looked at.
 * SW_E_NOT_FOUND  it is not there, or no bundle       others  those of reading a file */
SW_MUST_CHECK enum sw_rc sw_modules_runtime(const struct sw_modules *modules,
                                            const struct sw_module_name *name,
                                            char ret_digest[SW_DIGEST_TEXT_SIZE],
                                            struct sw_err *err);
/* Call visit for each digest that stands in the first SW_MODULE_NAMED_BYTES of a bundle's payload
 * ("sha256:..."), and is stored in its namespace: such as images of the program that it is. None,
 * if it is no bundle.  Errors: those of reading a file. */
#define SW_MODULE_NAMED_BYTES 16384u
typedef bool sw_module_visit(void *ctx, const struct sw_module_name *name);
SW_MUST_CHECK enum sw_rc sw_modules_named(const struct sw_modules *modules,
                                          const struct sw_module_name *name, sw_module_visit *visit,
                                          void *ctx, struct sw_err *err);
/* Append the module to out.
 * SW_E_NOT_FOUND  it was never pushed to this namespace
 * SW_E_CORRUPT    the file no longer has its digest; out is as before */
SW_MUST_CHECK enum sw_rc sw_modules_get(const struct sw_modules *modules, const char *namespace,
                                        const char *digest, struct sw_buffer *out,
                                        struct sw_err *err);
/* The same whatever namespace it was pushed to: for whoever keeps the data, not for its users.
 * SW_E_NOT_FOUND  it is in none */
SW_MUST_CHECK enum sw_rc sw_modules_find(const struct sw_modules *modules, const char *digest,
                                         struct sw_buffer *out, struct sw_err *err);

/* Call visit for each module that is present, in no order, until it returns false; nothing is
 * changed meanwhile. */
SW_MUST_CHECK enum sw_rc sw_modules_each(const struct sw_modules *modules, sw_module_visit *visit,
                                         void *ctx, struct sw_err *err);
/* Have it be absent, and its namespace's folder with the last one. A loss of power may undo that.
 * SW_E_INVALID: no such name can be.  Others: as path_remove; SW_OK also if it was not there. */
SW_MUST_CHECK enum sw_rc sw_modules_remove(struct sw_modules *modules,
                                           const struct sw_module_name *name, struct sw_err *err);
