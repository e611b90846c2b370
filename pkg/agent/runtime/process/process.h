/* Programs of somebody else's, each in a sandbox of its own: started, fed, listened to, ended.
 *
 * A process is started by swarm-process (cmd/swarm-process says what the sandbox is). All that it
 * can reach is a listener on 127.0.0.1:SW_PROCESS_PORT of a network that nobody else is in; so who
 * connects there is known without asking.
 *
 *     start -> on_ready -> on_output, on_talk, on_accept ... -> on_exit -> free
 *          '------------- did not come up ------------------------^
 *
 * Threads: the loop's; no callback runs inside the call that causes it.  I/O: processes and sockets
 * on the loop, control groups through the seam.
 * Limits: processes_max at once; SW_PROCESS_INPUT_MAX bytes wait to be read by a program. */
#pragma once
#include "pkg/agent/cgroups/cgroups.h"
#include "pkg/utils/loop/loop.h"

#define SW_PROCESS_PORT 7420u
#define SW_PROCESS_INPUT_MAX ((size_t)8 << 20)
#define SW_PROCESSES_MAX 4096u
#define SW_PROCESS_PACKAGES_MAX 8u
/* As root, each process has a user of its own: this one and those that follow, one for each that
 * may run at once. */
#define SW_PROCESS_USER_FIRST 1900000000u

struct sw_processes; /* Opaque: the node's. */
struct sw_process;   /* Opaque: one. */

struct sw_processes_options { /* Borrowed for the call, but for loop, system and cgroups. */
    struct sw_loop *loop;
    const struct sw_system *system;
    struct sw_cgroups *cgroups; /* NULL: none. Outlives the loop, with which processes close. */
    const char *program;        /* Path of swarm-process; copied. */
    bool has_users;             /* We are root, and users of the range may be had. */
    unsigned processes_max;     /* 1 to SW_PROCESSES_MAX. */
};

/* SW_E_INVALID: a limit or a path.  SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_processes_new(const struct sw_processes_options *options,
                                          struct sw_processes **ret_processes, struct sw_err *err);
/* All processes are freed; what still ends does so with the loop. */
void sw_processes_free(struct sw_processes *processes);
SW_DEFINE_CLEANUP(struct sw_processes, sw_processes_free)
unsigned sw_processes_count(const struct sw_processes *processes); /* That run, or end. */
/* Whether another one may be started. */
bool sw_processes_has_room(const struct sw_processes *processes);

struct sw_process_end {
    /* SW_OK: it ran and ended, with status, or by signal if that is not 0. Otherwise it did not
     * come up: SW_E_UNSUPPORTED if this machine has not what its sandbox needs. */
    enum sw_rc rc;
    int status, signal;
    bool has_no_memory;       /* It, or one that it started, needed more memory than it may have. */
    const char *words, *hint; /* Why it did not come up; "". Borrowed for the call. */
};

struct sw_process_handler {
    void *ctx;
    /* It is in its sandbox and begins. missing: what this machine could not give, or "". */
    void (*on_ready)(void *ctx, const char *missing); /* May be NULL. */
    /* From its standard output, or standard error; borrowed for the call. */
    void (*on_output)(void *ctx, bool is_error, struct sw_bytes bytes);
    /* From its descriptor 3; no bytes: it has closed that. NULL: it has none. */
    void (*on_talk)(void *ctx, struct sw_bytes bytes);
    /* It connected to the listener; the stream is the callee's. */
    void (*on_accept)(void *ctx, struct sw_stream *stream);
    /* The last call: nothing of it runs any more, and all its output has come. */
    void (*on_exit)(void *ctx, const struct sw_process_end *end);
};

struct sw_process_options { /* All borrowed for the call. */
    const char *image;      /* Folder that it sees as /agent, where it begins. */
    /* NULL-terminated, at most SW_PROCESS_PACKAGES_MAX: folders that it sees as /packages/0 and so
     * on. NULL: none. */
    const char *const *packages;
    const char *const *command;     /* NULL-terminated; [0] is looked up in PATH. */
    const char *const *environment; /* NULL-terminated "NAME=value"; all that it has. */
    uint64_t memory_bytes_max;      /* All its processes together; /tmp counts. */
    uint64_t tmp_bytes_max;         /* What /tmp holds, and the size of a file. */
    unsigned tasks_max;             /* Processes and threads at once. */
    unsigned files_max;             /* Open at once, in each process. */
    struct sw_process_handler handler;
};

/* Start a program; on_exit follows, once.
 * SW_E_EXHAUSTED  processes_max run, or there is no memory    others  as sw_child_start */
SW_MUST_CHECK enum sw_rc sw_process_start(struct sw_processes *processes,
                                          const struct sw_process_options *options,
                                          struct sw_process **ret_process, struct sw_err *err);
/* Have it read these bytes (copied) from its standard input.
 * SW_E_EXHAUSTED: SW_PROCESS_INPUT_MAX would wait.  SW_E_UNAVAILABLE: it ends, or input has ended.
 */
SW_MUST_CHECK enum sw_rc sw_process_write(struct sw_process *process, struct sw_bytes bytes);
/* No more comes, once it has read what was written. */
void sw_process_end_input(struct sw_process *process);
/* As sw_process_write, for its descriptor 3. */
SW_MUST_CHECK enum sw_rc sw_process_talk(struct sw_process *process, struct sw_bytes bytes);
/* Tell it that no more comes by its descriptor 3. */
void sw_process_end_talk(struct sw_process *process);
/* End it and all that it started, without asking: no signal can be ignored. on_exit follows. */
void sw_process_kill(struct sw_process *process);
/* After on_exit; before: it is killed, and no callback comes any more. NULL: nothing. */
void sw_process_free(struct sw_process *process);
