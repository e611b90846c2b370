/* Which server to talk to, as whom: the contexts of a person, kept in her configuration folder.
 *
 *   ~/.config/swarm/config.yaml          written by hand or by `swarm config`; names the current
 * one
 *   ~/.config/swarm/contexts/NAME.yaml   one file for each context that a program made (swarmd
 * --dev)
 *
 * All have one format, and config.yaml wins where two say different things:
 *
 *   apiVersion: swarm/v1
 *   kind: Config
 *   current: dev
 *   contexts: {dev: {cluster: dev, user: dev, namespace: default}}
 *   clusters: {dev: {server: "https://127.0.0.1:7420", authority: PEM}}
 *   users:    {dev: {certificate: PEM, key: PEM}}
 *
 * PEM is the text itself or the path of a file, relative to the folder of the file that names it.
 * Threads: one at a time.  I/O: files through the system.  Limits: SW_CONTEXTS_FILE_BYTES_MAX for
 * each file, SW_CONTEXTS_FILES_MAX files. */
#pragma once
#include "pkg/utils/base/arena.h"
#include "pkg/utils/system/system.h"

#define SW_CONTEXTS_FILE_BYTES_MAX (1024 * 1024)
#define SW_CONTEXTS_FILES_MAX 256

struct sw_context { /* A server and an identity, ready to connect. Texts are never NULL. */
    const char *name;
    const char *server; /* "https://host:port". */
    const char *namespace;
    const char *authority_pem;   /* Whom to trust; "": the machine's authorities. */
    const char *certificate_pem; /* Who we are, with key_pem; both "": nobody. */
    const char *key_pem;
};

struct sw_contexts; /* Opaque; lives in the arena that it was loaded into. */

/* The configuration folder, in the arena: $SWARM_CONFIG_HOME, else $XDG_CONFIG_HOME/swarm, else
 * $HOME/.config/swarm. environment(ctx, name) yields a variable or NULL.
 * SW_E_PRECONDITION: none of them is set. */
SW_MUST_CHECK enum sw_rc sw_contexts_folder(const char *(*environment)(void *ctx, const char *name),
                                            void *ctx, struct sw_arena *arena,
                                            const char **ret_folder, struct sw_err *err);

/* Read all files of the folder; a folder that is not there has no contexts.
 * SW_E_INVALID: a mistake in a file, told as file:line:column. Otherwise as file_open. */
SW_MUST_CHECK enum sw_rc sw_contexts_load(const struct sw_system *system, const char *folder,
                                          struct sw_arena *arena, struct sw_contexts **ret_contexts,
                                          struct sw_err *err);
size_t sw_contexts_count(const struct sw_contexts *contexts);
/* Names in their order, index from 0; NULL past the end. */
const char *sw_contexts_name_at(const struct sw_contexts *contexts, size_t index);
/* Server of that context, "" when its cluster is not there. */
const char *sw_contexts_server_at(const struct sw_contexts *contexts, size_t index);
/* The name of the current context, or "". */
const char *sw_contexts_current(const struct sw_contexts *contexts);

/* Find the context of this name (NULL: the current one) and read the files that it names.
 * SW_E_NOT_FOUND     no such context; the hint names the nearest
 * SW_E_PRECONDITION  name is NULL and there is no current one
 * SW_E_INVALID       the context names a cluster or user that is not there */
SW_MUST_CHECK enum sw_rc sw_contexts_resolve(const struct sw_contexts *contexts,
                                             const struct sw_system *system, const char *name,
                                             struct sw_arena *arena, struct sw_context *ret_context,
                                             struct sw_err *err);

/* Write contexts/NAME.yaml (mode 0600, folders 0700) with everything inside, and make it the
 * current context if there is none. context->name must be a label. */
SW_MUST_CHECK enum sw_rc sw_context_save(const struct sw_system *system, const char *folder,
                                         const struct sw_context *context, struct sw_err *err);
/* Make the named context the current one: changes the one line of config.yaml and keeps the rest.
 * SW_E_NOT_FOUND: no such context. */
SW_MUST_CHECK enum sw_rc sw_contexts_use(const struct sw_system *system, const char *folder,
                                         const char *name, struct sw_err *err);
