/* Copies of engines beside the data of a daemon, sealed: for a journal whose last records an older
 * version of Swarm wrote.
 *
 * Threads: pure but for files: one at a time for a folder.  I/O: the folder, through the seam.
 * Limits: SW_ENGINE_FILE_BYTES_MAX for each file. */
#pragma once
#include "pkg/security/crypto/digest.h"
#include "pkg/utils/system/system.h"

#define SW_ENGINE_KEY_SIZE 32
#define SW_ENGINE_NAME_SIZE 65 /* 64 hex digits and the NUL. */
#define SW_ENGINE_FINGERPRINT_MAX 255
#define SW_ENGINE_FILE_BYTES_MAX ((uint64_t)512 << 20)

struct sw_engines_place { /* Borrowed. */
    const struct sw_system *system;
    const char *folder;
    const uint8_t *key; /* SW_ENGINE_KEY_SIZE bytes, of swarmd alone. */
};

struct sw_engine_files { /* Paths of what makes an engine. */
    char host[SW_PATH_MAX], compiler[SW_PATH_MAX], library[SW_PATH_MAX];
};

struct sw_engine {
    char fingerprint[SW_ENGINE_FINGERPRINT_MAX + 1];
    char folder[SW_PATH_MAX]; /* Where its library is. */
    struct sw_engine_files files;
};

/* The name under which the engine of a fingerprint is kept. */
void sw_engine_name(const char *fingerprint, char ret_name[SW_ENGINE_NAME_SIZE]);
/* Keep an engine, unless the same is kept already.
 * SW_E_INVALID: a path or the fingerprint is too long.  Others: as the system's file calls. */
SW_MUST_CHECK enum sw_rc sw_engine_keep(const struct sw_engines_place *place,
                                        const char *fingerprint,
                                        const struct sw_engine_files *files, struct sw_err *err);
/* Seal files that stand in its folder already, as those of an engine: for whoever vouches for them.
 * SW_E_INVALID: `name` is not that of the fingerprint.  Others: as the system's file calls. */
SW_MUST_CHECK enum sw_rc sw_engine_seal(const struct sw_engines_place *place, const char *name,
                                        const char *fingerprint, struct sw_err *err);
/* Call visit(ctx, name) for what is kept, in no order, whole or not. Nothing is changed meanwhile.
 * SW_OK also if nothing was ever kept. */
SW_MUST_CHECK enum sw_rc sw_engines_list(const struct sw_engines_place *place,
                                         sw_folder_visit *visit, void *ctx, struct sw_err *err);
/* Compare an engine with its seal, all of its files.
 * SW_E_NOT_FOUND  there is no manifest
 * SW_E_CORRUPT    changed, forged, or sealed with another key: it must not be run */
SW_MUST_CHECK enum sw_rc sw_engine_open(const struct sw_engines_place *place, const char *name,
                                        struct sw_engine *ret_engine, struct sw_err *err);
/* Forget one, as far as that is possible. */
void sw_engine_remove(const struct sw_engines_place *place, const char *name);
