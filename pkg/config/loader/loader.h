/* The settings of swarmd from their four sources: defaults < file < environment < flags.
 *
 * All mistakes of all sources are found in one pass; each says where it is, what was expected, and
 * the nearest valid name. The file is YAML of two levels; anchors, aliases, tags, duplicate keys
 * and further documents are refused. Threads: one at a time.  I/O: reads the file through the seam.
 * Limits: a file of SW_CONFIG_FILE_MAX bytes, SW_CONFIG_PROBLEMS_MAX problems. */
#pragma once
#include "pkg/config/validator/settings.h"
#include "pkg/utils/system/system.h"

#define SW_CONFIG_FILE_MAX 65536
#define SW_CONFIG_PROBLEMS_MAX 64
#define SW_CONFIG_FILE_DEFAULT "/etc/swarm/swarmd.yaml"

struct sw_config_flag { /* One that was given: "api-listen" or "api.listen", and its value. */
    const char *name, *value;
};

struct sw_config_sources { /* All borrowed for the call. */
    const struct sw_system *system;
    const char
        *file; /* NULL: SW_CONFIG_FILE_DEFAULT if it is there; unless --dev, which reads none. */
    const char *const
        *environment; /* NULL-terminated "NAME=value", as main gets it; may be NULL. */
    const struct sw_config_flag *flags;
    size_t flags_count;
};

struct sw_config_problem {
    const char *place; /* "swarmd.yaml:3:9", "SWARM_API_LISTEN" or "--api-listen". */
    const char *name;  /* Of the setting as it was written; "" for the file as such. */
    const char *words; /* What is wrong and what was expected. */
    const char *hint;  /* "did you mean api.listen?", or "". */
};

struct sw_config {               /* Lives in the arena. */
    struct sw_settings settings; /* Meaningful when problems_count is 0. */
    const char *const *origins;  /* Where each row's value came from, in the order of the table. */
    const struct sw_config_problem *problems;
    size_t problems_count; /* As many as were kept. */
};

/* Load from all sources. *ret_config is set whenever it returns SW_OK or SW_E_INVALID.
 * SW_E_INVALID: there are problems; err holds the first, with its place before it.
 * SW_E_NOT_FOUND, DENIED ...: the file that was asked for cannot be read.
 * SW_E_EXHAUSTED: the arena is full. */
SW_MUST_CHECK enum sw_rc sw_config_load(const struct sw_config_sources *sources,
                                        struct sw_arena *arena, const struct sw_config **ret_config,
                                        struct sw_err *err);
/* Append the settings as a file that would give them again, each with its origin as a comment. */
void sw_config_print(const struct sw_config *config, struct sw_buffer *out);
/* Append one line for each problem: "place: name: words; hint". */
void sw_config_print_problems(const struct sw_config *config, struct sw_buffer *out);
