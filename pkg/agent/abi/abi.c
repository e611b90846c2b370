#include "pkg/agent/abi/abi.h"

#include <string.h>

static const struct sw_abi_function imports[] = {
    {.name = "send", .parameters = "iiiiiiil", .result = "i"},
    {.name = "reply", .parameters = "liiiii", .result = "i"},
    {.name = "publish", .parameters = "iiiiiii", .result = "i"},
    {.name = "subscribe", .parameters = "ii", .result = "i"},
    {.name = "unsubscribe", .parameters = "ii", .result = "i"},
    {.name = "timer_start", .parameters = "ll", .result = "i"},
    {.name = "timer_cancel", .parameters = "l", .result = "i"},
    {.name = "log", .parameters = "iii", .result = "i"},
    {.name = "now", .parameters = "", .result = "l"},
    {.name = "random", .parameters = "ii", .result = "i"},
    {.name = "self", .parameters = "iii", .result = "i"},
    {.name = "ask", .parameters = "iiiiiiil", .result = "i"},
    {.name = "receive", .parameters = "l", .result = "i"},
    {.name = "sleep", .parameters = "l", .result = "i"},
    {.name = "result", .parameters = "iii", .result = "i"},
    {.name = "call", .parameters = "iiiiiil", .result = "i"},
    {.name = "bundle", .parameters = "iii", .result = "i"},
};

/* Everything there is, so that whatever a toolchain's start-up code names is found; what each does
 * is decided in pkg/agent/runtime/wasm/wasi.c. */
static const struct sw_abi_function wasi[] = {
    {.name = "args_get", .parameters = "ii", .result = "i"},
    {.name = "args_sizes_get", .parameters = "ii", .result = "i"},
    {.name = "clock_res_get", .parameters = "ii", .result = "i"},
    {.name = "clock_time_get", .parameters = "ili", .result = "i"},
    {.name = "environ_get", .parameters = "ii", .result = "i"},
    {.name = "environ_sizes_get", .parameters = "ii", .result = "i"},
    {.name = "fd_advise", .parameters = "illi", .result = "i"},
    {.name = "fd_allocate", .parameters = "ill", .result = "i"},
    {.name = "fd_close", .parameters = "i", .result = "i"},
    {.name = "fd_datasync", .parameters = "i", .result = "i"},
    {.name = "fd_fdstat_get", .parameters = "ii", .result = "i"},
    {.name = "fd_fdstat_set_flags", .parameters = "ii", .result = "i"},
    {.name = "fd_fdstat_set_rights", .parameters = "ill", .result = "i"},
    {.name = "fd_filestat_get", .parameters = "ii", .result = "i"},
    {.name = "fd_filestat_set_size", .parameters = "il", .result = "i"},
    {.name = "fd_filestat_set_times", .parameters = "illi", .result = "i"},
    {.name = "fd_pread", .parameters = "iiili", .result = "i"},
    {.name = "fd_prestat_dir_name", .parameters = "iii", .result = "i"},
    {.name = "fd_prestat_get", .parameters = "ii", .result = "i"},
    {.name = "fd_pwrite", .parameters = "iiili", .result = "i"},
    {.name = "fd_read", .parameters = "iiii", .result = "i"},
    {.name = "fd_readdir", .parameters = "iiili", .result = "i"},
    {.name = "fd_renumber", .parameters = "ii", .result = "i"},
    {.name = "fd_seek", .parameters = "ilii", .result = "i"},
    {.name = "fd_sync", .parameters = "i", .result = "i"},
    {.name = "fd_tell", .parameters = "ii", .result = "i"},
    {.name = "fd_write", .parameters = "iiii", .result = "i"},
    {.name = "path_create_directory", .parameters = "iii", .result = "i"},
    {.name = "path_filestat_get", .parameters = "iiiii", .result = "i"},
    {.name = "path_filestat_set_times", .parameters = "iiiilli", .result = "i"},
    {.name = "path_link", .parameters = "iiiiiii", .result = "i"},
    {.name = "path_open", .parameters = "iiiiillii", .result = "i"},
    {.name = "path_readlink", .parameters = "iiiiii", .result = "i"},
    {.name = "path_remove_directory", .parameters = "iii", .result = "i"},
    {.name = "path_rename", .parameters = "iiiiii", .result = "i"},
    {.name = "path_symlink", .parameters = "iiiii", .result = "i"},
    {.name = "path_unlink_file", .parameters = "iii", .result = "i"},
    {.name = "poll_oneoff", .parameters = "iiii", .result = "i"},
    {.name = "proc_exit", .parameters = "i", .result = ""},
    {.name = "proc_raise", .parameters = "i", .result = "i"},
    {.name = "random_get", .parameters = "ii", .result = "i"},
    {.name = "sched_yield", .parameters = "", .result = "i"},
    {.name = "sock_accept", .parameters = "iii", .result = "i"},
    {.name = "sock_recv", .parameters = "iiiiii", .result = "i"},
    {.name = "sock_send", .parameters = "iiiii", .result = "i"},
    {.name = "sock_shutdown", .parameters = "ii", .result = "i"},
};

static const struct sw_abi_function exports[] = {
    {.name = "swarm_alloc", .parameters = "i", .result = "i", .is_required = true},
    {.name = "on_message", .parameters = "i", .result = "i", .is_required = true},
    {.name = "swarm_alloc_keeps", .parameters = "", .result = ""},
    {.name = "_initialize", .parameters = "", .result = ""},
    {.name = "on_start", .parameters = "", .result = "i"},
    {.name = "on_timer", .parameters = "l", .result = "i"},
    {.name = "on_stop", .parameters = "", .result = "i"},
    {.name = "on_upgrade", .parameters = "i", .result = "i"},
    {.name = "swarm_state", .parameters = "", .result = "i"},
    {.name = "on_resume", .parameters = "i", .result = "i"},
    {.name = "swarm_wait_area", .parameters = "", .result = "i"},
    {.name = "asyncify_start_unwind", .parameters = "i", .result = ""},
    {.name = "asyncify_stop_unwind", .parameters = "", .result = ""},
    {.name = "asyncify_start_rewind", .parameters = "i", .result = ""},
    {.name = "asyncify_stop_rewind", .parameters = "", .result = ""},
};

const struct sw_abi_function *sw_abi_imports(size_t *ret_count)
{
    *ret_count = sizeof imports / sizeof imports[0];
    return imports;
}

const struct sw_abi_function *sw_abi_wasi(size_t *ret_count)
{
    *ret_count = sizeof wasi / sizeof wasi[0];
    return wasi;
}

const struct sw_abi_function *sw_abi_exports(size_t *ret_count)
{
    *ret_count = sizeof exports / sizeof exports[0];
    return exports;
}

const struct sw_abi_function *sw_abi_find(const struct sw_abi_function *table, size_t count,
                                          const void *name, size_t name_size)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(table[i].name) == name_size && memcmp(table[i].name, name, name_size) == 0)
            return &table[i];
    return NULL;
}
