#include "pkg/agent/runtime/process/process.h"

#include "pkg/agent/runtime/process/launch.h"
#include "pkg/utils/base/list.h"

#include <assert.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Static_assert(SW_PROCESS_PORT == SW_LAUNCH_PORT, "one port");

#define ARGUMENTS_OF_OURS (16 + 2 * SW_PROCESS_PACKAGES_MAX)
#define COMMAND_MAX 256u
#define TASKS_OF_OURS 2u /* The launcher, and the first process inside. */
#define SIGNALLED 128

enum pipe { INPUT, OUTPUT, ERRORS, TALK, PIPES };

struct sw_processes {
    struct sw_loop *loop;
    const struct sw_system *system;
    struct sw_cgroups *cgroups;
    char program[SW_PATH_MAX];
    bool has_users, is_freed;
    unsigned processes_max, count;
    struct sw_list all;
    bool is_used[SW_PROCESSES_MAX]; /* Slots: users, and names of control groups. */
};

struct sw_process {
    struct sw_processes *processes;
    struct sw_list node;
    struct sw_process_handler handler;
    unsigned slot;
    struct sw_cgroup *cgroup; /* NULL: none. */
    uint64_t oom_kills;       /* Of the group before. */
    bool has_tasks;           /* The group counts them, and not the user. */
    struct sw_child *child;
    struct sw_stream *streams[PIPES]; /* NULL: closed. */
    int control;                      /* -1: closed. */
    struct sw_poll *poll;
    struct sw_listener *listener;
    struct sw_launch_answer answer;
    size_t answer_size;
    unsigned open; /* Streams, the child, and the way into its group. */
    int status;
    int pid;            /* Of the launcher, which waits to be told to go; */
    enum sw_rc join_rc; /* and what came of having it join its group. */
    struct sw_err join;
    bool is_ready, has_input_ended, has_exited, is_freed, is_told;
};

/* --- The pool -------------------------------------------------------------------------------- */

enum sw_rc sw_processes_new(const struct sw_processes_options *options,
                            struct sw_processes **ret_processes, struct sw_err *err)
{
    struct sw_processes *processes;

    if (options->processes_max == 0 || options->processes_max > SW_PROCESSES_MAX)
        return sw_err_set(err, SW_E_INVALID, "1 to %u processes may run at once", SW_PROCESSES_MAX);
    if (strlen(options->program) >= SW_PATH_MAX)
        return sw_err_set(err, SW_E_INVALID, "the path of swarm-process is too long");
    processes = calloc(1, sizeof *processes);
    if (processes == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for processes");
    sw_list_init(&processes->all);
    processes->loop = options->loop;
    processes->system = options->system;
    processes->cgroups = options->cgroups;
    processes->has_users = options->has_users;
    processes->processes_max = options->processes_max;
    (void)snprintf(processes->program, sizeof processes->program, "%s", options->program);
    *ret_processes = processes;
    return SW_OK;
}

unsigned sw_processes_count(const struct sw_processes *processes)
{
    return processes->count;
}

bool sw_processes_has_room(const struct sw_processes *processes)
{
    return processes->count < processes->processes_max;
}

/* --- The end --------------------------------------------------------------------------------- */

static void control_close(struct sw_process *process)
{
    sw_poll_free(process->poll);
    process->poll = NULL;
    if (process->control >= 0)
        (void)close(process->control);
    process->control = -1;
}

static void slot_free(struct sw_process *process)
{
    struct sw_processes *processes = process->processes;

    sw_cgroup_close(process->cgroup);
    sw_list_remove(&process->node);
    processes->is_used[process->slot] = false;
    processes->count--;
    if (processes->is_freed && processes->count == 0)
        free(processes);
}

static void tell(struct sw_process *process)
{
    struct sw_process_end end = {.rc = (enum sw_rc)process->answer.status, .words = "", .hint = ""};

    if (!process->is_ready) {
        end.words = "the launcher ended before the program began";
        if (end.rc == SW_OK)
            end.rc = SW_E_INTERNAL;
        else
            end.words = process->answer.words;
        end.hint = process->answer.hint;
    }
    end.status = process->status;
    if (process->status > SIGNALLED) {
        end.signal = process->status - SIGNALLED;
        end.status = 0;
    }
    end.has_no_memory =
        process->cgroup != NULL && sw_cgroup_oom_kills(process->cgroup) > process->oom_kills;
    process->is_told = true;
    process->handler.on_exit(process->handler.ctx, &end);
}

/* All that was open is closed: say so, and go once nobody wants it. */
static void settle(struct sw_process *process)
{
    if (process->open > 0)
        return;
    if (!process->is_freed && !process->is_told) {
        process->open++; /* It may be freed inside. */
        tell(process);
        process->open--;
    }
    if (!process->is_freed)
        return;
    slot_free(process);
    free(process);
}

static void on_child_exit(void *ctx, struct sw_child *child, int status, int signal)
{
    struct sw_process *process = ctx;

    process->has_exited = true;
    process->status = signal != 0 ? SIGNALLED + signal : status;
    control_close(process);
    sw_listener_free(process->listener);
    process->listener = NULL;
    sw_child_free(child);
    process->child = NULL;
    for (enum pipe i = INPUT; i < PIPES; i++)
        if (process->streams[i] != NULL && (i == INPUT || process->is_freed))
            sw_stream_close(process->streams[i]);
    process->open--;
    settle(process);
}

/* The launcher ends what is inside when its control is closed, and then itself. */
void sw_process_kill(struct sw_process *process)
{
    control_close(process);
}

void sw_process_free(struct sw_process *process)
{
    if (process == NULL)
        return;
    process->is_freed = true;
    control_close(process);
    for (enum pipe i = INPUT; i < PIPES; i++)
        if (process->streams[i] != NULL)
            sw_stream_close(process->streams[i]);
    settle(process);
}

/* The loop may end before the launcher has: that one is ended by force then. */
static void child_forget(struct sw_process *process)
{
    if (process->child == NULL)
        return;
    sw_child_free(process->child);
    process->child = NULL;
    process->open--;
    settle(process);
}

void sw_processes_free(struct sw_processes *processes)
{
    if (processes == NULL)
        return;
    processes->is_freed = true;
    processes->count++;
    SW_LIST_EACH(&processes->all, node)
    child_forget(SW_LIST_ITEM(node, struct sw_process, node));
    processes->count--;
    if (processes->count == 0)
        free(processes);
}

/* --- What it says ---------------------------------------------------------------------------- */

static enum pipe pipe_of(const struct sw_process *process, const struct sw_stream *stream)
{
    enum pipe pipe = INPUT;

    while (pipe < PIPES && process->streams[pipe] != stream)
        pipe++;
    assert(pipe < PIPES);
    return pipe;
}

static void on_data(void *ctx, struct sw_stream *stream, struct sw_bytes bytes)
{
    struct sw_process *process = ctx;
    enum pipe pipe = pipe_of(process, stream);

    if (process->is_freed)
        return;
    if (pipe == TALK)
        process->handler.on_talk(process->handler.ctx, bytes);
    else if (pipe != INPUT)
        process->handler.on_output(process->handler.ctx, pipe == ERRORS, bytes);
}

static void on_end(void *ctx, struct sw_stream *stream)
{
    struct sw_process *process = ctx;
    bool is_talk = pipe_of(process, stream) == TALK;

    sw_stream_close(stream);
    if (is_talk && !process->is_freed)
        process->handler.on_talk(process->handler.ctx, (struct sw_bytes){NULL, 0});
}

static void on_close(void *ctx, struct sw_stream *stream, enum sw_rc rc)
{
    struct sw_process *process = ctx;

    (void)rc;
    process->streams[pipe_of(process, stream)] = NULL;
    process->open--;
    settle(process);
}

/* Only once the kernel has all of it: what a stream that finishes still holds has a short time. */
static void on_drain(void *ctx, struct sw_stream *stream)
{
    const struct sw_process *process = ctx;

    if (process->has_input_ended && pipe_of(process, stream) == INPUT)
        sw_stream_finish(stream);
}

static void on_accept(void *ctx, struct sw_stream *stream)
{
    const struct sw_process *process = ctx;

    if (process->is_freed)
        sw_stream_close(stream);
    else
        process->handler.on_accept(process->handler.ctx, stream);
}

/* --- The launcher ---------------------------------------------------------------------------- */

/* The answer is there: begin, or wait for the end that follows. */
static void take_answer(struct sw_process *process, int file)
{
    struct sw_launch_answer *answer = &process->answer;
    struct sw_err err = {0};

    answer->words[SW_LAUNCH_WORDS_MAX - 1] = answer->hint[SW_LAUNCH_WORDS_MAX - 1] = '\0';
    if (answer->magic != SW_LAUNCH_MAGIC || answer->status > 0 ||
        (answer->status == 0) != (file >= 0)) {
        answer->status = (int32_t)SW_E_INTERNAL;
        (void)snprintf(answer->words, sizeof answer->words, "the launcher's answer makes no sense");
    }
    if (answer->status == 0 && sw_listener_adopt(process->processes->loop, file, on_accept, process,
                                                 &process->listener, &err) != SW_OK) {
        answer->status = (int32_t)err.rc;
        (void)snprintf(answer->words, sizeof answer->words, "%s", err.message);
    } else if (answer->status != 0 && file >= 0) {
        (void)close(file);
    }
    process->is_ready = answer->status == 0;
    if (!process->is_ready)
        control_close(process);
    else if (process->handler.on_ready != NULL && !process->is_freed)
        process->handler.on_ready(process->handler.ctx, answer->words);
}

static void on_control(void *ctx, int control, unsigned events)
{
    struct sw_process *process = ctx;
    char *at = (char *)&process->answer + process->answer_size;
    size_t left = sizeof process->answer - process->answer_size, size = 0;
    char none[1];
    int file = -1;
    enum sw_rc rc = left > 0 ? sw_socket_receive(control, at, left, &size, &file, NULL)
                             : sw_socket_receive(control, none, sizeof none, &size, &file, NULL);

    (void)events;
    if (rc == SW_E_UNAVAILABLE)
        return;
    if (rc != SW_OK || left == 0 || size < left) { /* One send, and so one piece. */
        if (file >= 0)
            (void)close(file);
        if (rc == SW_OK || !process->is_ready)
            control_close(process);
        else
            sw_poll_set(process->poll, 0); /* Only the watcher has the other end now. */
        return;
    }
    process->answer_size = sizeof process->answer;
    take_answer(process, file);
}

/* --- The start ------------------------------------------------------------------------------- */

struct launch { /* While it is put together. */
    int ours[PIPES + 1], theirs[PIPES + 1];
    char numbers[7][24];
    const char *arguments[ARGUMENTS_OF_OURS + COMMAND_MAX + 1];
};

static enum sw_rc pairs_make(struct launch *launch, bool has_talk, struct sw_err *err)
{
    enum sw_rc rc = SW_OK;

    for (size_t i = 0; i <= PIPES; i++)
        launch->ours[i] = launch->theirs[i] = -1;
    for (size_t i = 0; rc == SW_OK && i <= PIPES; i++) {
        int files[2];

        if (i == TALK && !has_talk)
            continue;
        rc = sw_socket_pair(files, err);
        if (rc == SW_OK) {
            launch->ours[i] = files[0];
            launch->theirs[i] = files[1];
        }
    }
    return rc;
}

static void files_close(int *files)
{
    for (size_t i = 0; i <= PIPES; i++) {
        if (files[i] >= 0)
            (void)close(files[i]);
        files[i] = -1;
    }
}

/* Names and values, and then the command. */
static enum sw_rc arguments_make(const struct sw_process *process,
                                 const struct sw_process_options *options, struct launch *launch,
                                 struct sw_err *err)
{
    static const char *const names[] = {"--user",  "--tmp",  "--memory", "--processes",
                                        "--files", "--talk", "--image"};
    const struct sw_processes *processes = process->processes;
    const uint64_t values[] = {processes->has_users ? SW_PROCESS_USER_FIRST + process->slot : 0,
                               options->tmp_bytes_max,
                               process->cgroup != NULL ? 0 : options->memory_bytes_max,
                               process->has_tasks ? 0 : options->tasks_max,
                               options->files_max,
                               options->handler.on_talk != NULL};
    size_t at = 0;

    launch->arguments[at++] = processes->program;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        launch->arguments[at++] = names[i];
        if (i < sizeof values / sizeof values[0])
            (void)snprintf(launch->numbers[i], sizeof launch->numbers[i], "%" PRIu64, values[i]);
        launch->arguments[at++] =
            i < sizeof values / sizeof values[0] ? launch->numbers[i] : options->image;
    }
    for (size_t i = 0; options->packages != NULL && options->packages[i] != NULL; i++) {
        if (i == SW_PROCESS_PACKAGES_MAX)
            return sw_err_set(err, SW_E_INVALID, "a program has at most %u packages",
                              SW_PROCESS_PACKAGES_MAX);
        launch->arguments[at++] = "--package";
        launch->arguments[at++] = options->packages[i];
    }
    launch->arguments[at++] = "--";
    assert(at <= ARGUMENTS_OF_OURS);
    for (size_t i = 0; options->command[i] != NULL; i++) {
        if (i == COMMAND_MAX)
            return sw_err_set(err, SW_E_INVALID, "a command has at most %u words", COMMAND_MAX);
        launch->arguments[at++] = options->command[i];
    }
    launch->arguments[at] = NULL;
    return SW_OK;
}

static enum sw_rc child_start(struct sw_process *process, const struct sw_process_options *options,
                              const struct launch *launch, struct sw_err *err)
{
    const int files[] = {launch->theirs[INPUT], launch->theirs[OUTPUT], launch->theirs[ERRORS],
                         launch->theirs[PIPES], launch->theirs[TALK]};
    struct sw_child_options child = {.arguments = launch->arguments,
                                     .environment = options->environment,
                                     .files = files,
                                     .files_count = options->handler.on_talk != NULL ? 5 : 4,
                                     .on_exit = on_child_exit,
                                     .ctx = process};
    enum sw_rc rc = sw_child_start(process->processes->loop, &child, &process->child, err);

    if (rc == SW_OK)
        process->open++;
    return rc;
}

static enum sw_rc streams_open(struct sw_process *process, struct launch *launch,
                               struct sw_err *err)
{
    const struct sw_stream_handler handler = {.ctx = process,
                                              .on_data = on_data,
                                              .on_end = on_end,
                                              .on_close = on_close,
                                              .on_drain = on_drain};

    for (enum pipe i = INPUT; i < PIPES; i++) {
        enum sw_rc rc;

        if (launch->ours[i] < 0)
            continue;
        rc = sw_stream_adopt(process->processes->loop, launch->ours[i], &process->streams[i], err);
        if (rc != SW_OK)
            return rc;
        launch->ours[i] = -1;
        process->open++;
        sw_stream_start(process->streams[i], &handler, SW_PROCESS_INPUT_MAX);
    }
    process->control = launch->ours[PIPES];
    launch->ours[PIPES] = -1;
    return sw_poll_new(process->processes->loop, process->control, on_control, process,
                       &process->poll, err);
}

/* On a thread of the pool: the kernel may wait for all processors before it moves a process. */
static void join_group(void *ctx)
{
    struct sw_process *process = ctx;

    process->join_rc = sw_cgroup_join(process->cgroup, process->pid, &process->join);
}

static void go(struct sw_process *process)
{
    const char byte = SW_LAUNCH_GO;

    sw_poll_set(process->poll, SW_POLL_READ);
    /* If it has ended already, that is told by its end. */
    (void)!sw_socket_send(process->control, (struct sw_bytes){&byte, 1}, NULL);
}

/* One that cannot be put there ends, and on_exit says why. */
static void on_joined(void *ctx)
{
    struct sw_process *process = ctx;

    if (process->control < 0) { /* Nobody wants it any more, or it has ended. */
    } else if (process->join_rc == SW_OK) {
        go(process);
    } else {
        process->answer.status = (int32_t)process->join_rc;
        (void)snprintf(process->answer.words, sizeof process->answer.words, "%s",
                       process->join.message);
        control_close(process);
    }
    process->open--;
    settle(process);
}

/* In its group before it makes anything. */
static enum sw_rc release(struct sw_process *process, struct sw_err *err)
{
    enum sw_rc rc;

    if (process->cgroup == NULL) {
        go(process);
        return SW_OK;
    }
    process->pid = sw_child_pid(process->child);
    rc = sw_loop_work(process->processes->loop, join_group, on_joined, process);
    if (rc != SW_OK)
        return sw_err_set(err, rc, "no memory to start a program");
    process->open++;
    return SW_OK;
}

static void cgroup_open(struct sw_process *process, const struct sw_process_options *options)
{
    struct sw_processes *processes = process->processes;
    char name[32];

    if (processes->cgroups == NULL)
        return;
    (void)snprintf(name, sizeof name, "process-%u", process->slot);
    process->cgroup = sw_cgroup_open(processes->cgroups, name);
    if (process->cgroup != NULL &&
        !sw_cgroup_set_memory(process->cgroup, options->memory_bytes_max)) {
        sw_cgroup_close(process->cgroup);
        process->cgroup = NULL;
    }
    if (process->cgroup == NULL)
        return;
    process->oom_kills = sw_cgroup_oom_kills(process->cgroup);
    process->has_tasks = options->tasks_max > 0 &&
                         sw_cgroup_set_tasks(process->cgroup, options->tasks_max + TASKS_OF_OURS);
}

static struct sw_process *process_make(struct sw_processes *processes,
                                       const struct sw_process_options *options, struct sw_err *err)
{
    struct sw_process *process = NULL;

    if (processes->count == processes->processes_max) {
        (void)sw_err_set(err, SW_E_EXHAUSTED, "%u processes run on this node",
                         processes->processes_max);
        sw_err_hint(err, "agents.processes says how many may");
        return NULL;
    }
    process = calloc(1, sizeof *process);
    if (process == NULL) {
        (void)sw_err_set(err, SW_E_EXHAUSTED, "no memory for a process");
        return NULL;
    }
    while (processes->is_used[process->slot])
        process->slot++;
    sw_list_add(&processes->all, &process->node);
    processes->is_used[process->slot] = true;
    processes->count++;
    process->processes = processes;
    process->handler = options->handler;
    process->control = -1;
    cgroup_open(process, options);
    return process;
}

enum sw_rc sw_process_start(struct sw_processes *processes,
                            const struct sw_process_options *options,
                            struct sw_process **ret_process, struct sw_err *err)
{
    struct sw_process *process = process_make(processes, options, err);
    struct launch launch;
    enum sw_rc rc;

    if (process == NULL)
        return SW_E_EXHAUSTED;
    rc = pairs_make(&launch, options->handler.on_talk != NULL, err);
    if (rc == SW_OK)
        rc = arguments_make(process, options, &launch, err);
    if (rc == SW_OK)
        rc = child_start(process, options, &launch, err);
    files_close(launch.theirs);
    if (rc == SW_OK)
        rc = streams_open(process, &launch, err);
    files_close(launch.ours);
    if (rc == SW_OK)
        rc = release(process, err);
    if (rc != SW_OK) {
        sw_process_free(process);
        return rc;
    }
    *ret_process = process;
    return SW_OK;
}

/* --- What it hears --------------------------------------------------------------------------- */

static enum sw_rc put(struct sw_process *process, enum pipe pipe, struct sw_bytes bytes)
{
    if (process->streams[pipe] == NULL || process->control < 0)
        return SW_E_UNAVAILABLE;
    return sw_stream_write(process->streams[pipe], bytes.data, bytes.size);
}

enum sw_rc sw_process_write(struct sw_process *process, struct sw_bytes bytes)
{
    return process->has_input_ended ? SW_E_UNAVAILABLE : put(process, INPUT, bytes);
}

void sw_process_end_input(struct sw_process *process)
{
    process->has_input_ended = true;
    if (process->streams[INPUT] != NULL && sw_stream_pending(process->streams[INPUT]) == 0)
        sw_stream_finish(process->streams[INPUT]);
}

enum sw_rc sw_process_talk(struct sw_process *process, struct sw_bytes bytes)
{
    return put(process, TALK, bytes);
}

void sw_process_end_talk(struct sw_process *process)
{
    if (process->streams[TALK] != NULL)
        sw_stream_finish(process->streams[TALK]);
}
