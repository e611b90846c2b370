/* The settings of swarmd: one struct, and one table of which everything about a setting comes.
 *
 * A row of the table gives name, type, default, range and one sentence. From it follow the place in
 * the file ("api: listen:"), the environment variable (SWARM_API_LISTEN), the flag (--api-listen),
 * what print-config and check-config say, and the chapter in the docs.
 * Threads: pure functions over a constant table.  I/O: none.
 * Limits: a value is at most SW_SETTING_VALUE_MAX bytes of UTF-8. */
#pragma once
#include "pkg/utils/base/arena.h"
#include "pkg/utils/base/buffer.h"

#define SW_SETTING_VALUE_MAX 4096
#define SW_SETTING_NAME_MAX 64

/* Read-only once it is loaded. Texts are never NULL. Times in ns, sizes in bytes. */
struct sw_settings {
    bool is_dev;
    const char *cluster, *node;
    const char *data_folder, *admin_folder;
    const char *agent_host_program, *compiler_program; /* "": beside swarmd. */
    const char *log_level, *log_format;
    uint64_t certificate_lifetime_ns;
    struct {
        const char *listen, *hosts;
        uint64_t connections_max, streams_max, body_bytes_max, bodies_bytes_max;
        uint64_t header_timeout_ns, body_timeout_ns, idle_timeout_ns, stall_timeout_ns;
    } api;
    struct {
        uint64_t history_events_max, history_bytes_max, queue_txns_max, queue_bytes_max;
        uint64_t watches_max;
    } store;
    struct {
        uint64_t workers, requests_max, snapshot_bytes, awake_bytes, history_bytes;
        uint64_t stop_timeout_ns, ping_ns;
        uint64_t module_grace_ns, hosts_max, host_linger_ns, processes_max;
        uint64_t host_memory_bytes, host_cpu_weight;
        uint64_t log_bytes_max, log_agent_bytes_max, log_followers_max;
    } agents;
    struct {
        uint64_t requests_max, bytes_max, concurrency;
    } models;
};

enum sw_setting_type {
    SW_SETTING_SWITCH,   /* true or false */
    SW_SETTING_LABEL,    /* RFC 1123 */
    SW_SETTING_PATH,     /* Absolute; or empty where the range begins at 0. */
    SW_SETTING_ADDRESS,  /* HOST:PORT, [IPv6]:PORT */
    SW_SETTING_HOSTS,    /* Names and addresses, with commas between; may be empty. */
    SW_SETTING_CHOICE,   /* One of a few words. */
    SW_SETTING_COUNT,    /* A decimal number. */
    SW_SETTING_SIZE,     /* 8MiB */
    SW_SETTING_DURATION, /* 90s */
};

struct sw_setting {   /* One row. */
    const char *name; /* "api.listen". */
    enum sw_setting_type type;
    const char *default_text;   /* May begin with "{data}" or "{config}": the user's XDG folders. */
    const char *dev_text;       /* The default with --dev; NULL: the same. */
    uint64_t min, max;          /* Of numbers, in ns or bytes; of texts, their size. */
    const char *const *choices; /* NULL-terminated; of a CHOICE. */
    size_t offset;              /* In struct sw_settings. */
    const char *words;          /* What it is, one sentence. */
};

/* The table, in the order in which it is printed. */
const struct sw_setting *sw_settings_rows(size_t *ret_count);
/* The row of this name, or NULL. */
const struct sw_setting *sw_setting_find(const char *name);
/* The name that was probably meant, or NULL. */
const char *sw_setting_nearest(const char *name);

/* Parse text and store it under the row; texts are copied into the arena.
 * SW_E_INVALID  not of the type; err says what was expected, the hint gives the nearest choice
 * SW_E_RANGE    of the type, but too small or large
 * SW_E_EXHAUSTED  the arena is full */
SW_MUST_CHECK enum sw_rc sw_setting_put(struct sw_settings *settings, const struct sw_setting *row,
                                        const char *text, struct sw_arena *arena,
                                        struct sw_err *err);
/* Append the value as sw_setting_put reads it. */
void sw_setting_print(const struct sw_settings *settings, const struct sw_setting *row,
                      struct sw_buffer *out);
/* What a value must look like: "a size from 64KiB to 1GiB". */
void sw_setting_expect(const struct sw_setting *row, struct sw_buffer *out);

/* "SWARM_API_LISTEN" and "api-listen". */
void sw_setting_environment(const struct sw_setting *row, char ret_name[SW_SETTING_NAME_MAX]);
void sw_setting_flag(const struct sw_setting *row, char ret_name[SW_SETTING_NAME_MAX]);

/* Rules between settings; called once per problem, which names the row to blame. */
typedef void sw_settings_complain(void *ctx, const struct sw_setting *row, const char *words);
void sw_settings_check(const struct sw_settings *settings, sw_settings_complain *complain,
                       void *ctx);
/* The whole table in Markdown, for the docs. */
void sw_settings_document(struct sw_buffer *out);
