/* Manifests from files, folders and standard input, all read and checked before anything is done.
 *
 * All mistakes of all documents are told at once, each as file:line:column. `module: ./x.wasm` is
 * replaced by the digest of that file, whose bytes are kept for the push.
 * Threads: one.  I/O: files through the system.  Limits: SW_MANIFESTS_FILES_MAX files. */
#pragma once
#include "pkg/apis/swarm/v1/yaml.h"
#include "pkg/cli/commands/cli.h"

#define SW_MANIFESTS_FILES_MAX 10000
#define SW_MANIFESTS_FILE_BYTES_MAX ((size_t)8 * 1024 * 1024)
#define SW_MODULE_BYTES_MAX ((size_t)32 * 1024 * 1024)

struct sw_module_file { /* A module that a manifest names by its path. */
    const char *path, *digest, *namespace;
    struct sw_bytes wasm;
};

struct sw_manifests {          /* Lives in the run's arena. */
    struct sw_manifest *items; /* Namespaces and templates first, otherwise as they were read. */
    size_t count;
    struct sw_module_file *modules; /* Each content once per namespace. */
    size_t modules_count;
};

/* Read and check what --filename names; with_modules: also read modules, which must be there.
 * Objects without a namespace get the run's.
 * SW_E_INVALID: mistakes were found and printed (the error is a summary). */
SW_MUST_CHECK enum sw_rc sw_manifests_load(struct sw_cli *cli, bool with_modules,
                                           struct sw_manifests *ret_manifests, struct sw_err *err);
/* The object that a manifest is about. */
struct sw_object_key sw_manifest_key(const struct sw_manifest *manifest);
/* Push the modules that the server lacks. */
SW_MUST_CHECK enum sw_rc sw_manifests_push(struct sw_cli *cli, const struct sw_manifests *manifests,
                                           struct sw_err *err);
