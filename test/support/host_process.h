/* The real agent host as a child process, with this test in the place of swarmd. */
#pragma once
#include "pkg/agent/link/frame.h"
#include "pkg/agent/modules/rewrite.h"
#include "pkg/agent/runtime/wasm/wasm.h"
#include "pkg/utils/system/system.h"

#include <assert.h>
#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOST_ANSWERS_MAX 65536u
#define HOST_WAIT_MS 60000

struct host_answer {
    bool is_there;
    int32_t status;
    uint64_t subscribers;
    struct sw_buffer body;
};

struct host_process {
    char folder[64];
    pid_t pid;
    int link;
    struct sw_buffer in, out;
    struct sw_buffer code; /* Machine code of the guest. */
    struct host_answer answers[HOST_ANSWERS_MAX];
    uint64_t next_request;
    uint64_t snapshot_bytes; /* For HELLO. */
    char journal[40];        /* From READY, for the next HELLO. */
    struct sw_frame_stats stats;
    uint64_t ready_instances, ready_messages, events, logs;
    bool is_ready, is_stopped, has_module, is_gone;
    uint32_t pods_running, pods_closed, stop_code;
    struct sw_frame_call_name call; /* The last one, */
    uint64_t call_pod;
    uint32_t calls, ends; /* and how many there were. */
    char last_event[64], words[256];
};

static inline struct sw_bytes host_text(const char *words)
{
    return (struct sw_bytes){words, strlen(words)};
}

static inline void host_init(struct host_process *host, const char *guest)
{
    struct sw_buffer module, rewritten;
    char path[512];
    struct sw_err err = {0};

    memset(host, 0, sizeof *host);
    snprintf(host->folder, sizeof host->folder, "/tmp/swarm-host-XXXXXX");
    if (mkdtemp(host->folder) == NULL)
        abort();
    host->link = -1;
    host->next_request = 1;
    sw_buffer_init(&host->in, 64u << 20);
    sw_buffer_init(&host->out, 64u << 20);
    sw_buffer_init(&host->code, 64u << 20);
    sw_buffer_init(&module, 1u << 20);
    sw_buffer_init(&rewritten, 2u << 20);
    snprintf(path, sizeof path, "%s/guests/%s.wasm", SW_TEST_BUILD, guest);
    if (sw_file_load(sw_system_real(), path, 1u << 20, &module, &err) != SW_OK ||
        sw_module_rewrite((struct sw_bytes){module.data, module.size}, &rewritten, &err) != SW_OK ||
        sw_wasm_compile((struct sw_bytes){rewritten.data, rewritten.size}, SW_ABI_COMPACT,
                        &host->code, &err) != SW_OK) {
        fprintf(stderr, "%s: %s\n", path, err.message);
        abort();
    }
    sw_buffer_done(&module);
    sw_buffer_done(&rewritten);
}

static inline int host_remove_one(const char *path, const struct stat *view, int kind,
                                  struct FTW *walk)
{
    (void)view, (void)kind, (void)walk;
    return remove(path);
}

static inline void host_see(struct host_process *host, const struct sw_frame *frame)
{
    struct host_answer *answer;

    switch ((unsigned)frame->kind) {
    case SW_FRAME_READY:
        host->is_ready = true;
        host->ready_instances = frame->ready.instances;
        host->ready_messages = frame->ready.messages;
        snprintf(host->journal, sizeof host->journal, "%.*s", (int)frame->ready.journal.size,
                 (const char *)frame->ready.journal.data);
        return;
    case SW_FRAME_MODULE_RESULT:
        host->has_module = frame->result.code == 0;
        snprintf(host->words, sizeof host->words, "%.*s", (int)frame->result.words.size,
                 frame->result.words.size > 0 ? (const char *)frame->result.words.data : "");
        return;
    case SW_FRAME_POD_STATUS:
        host->pods_running += frame->pod_status.phase == SW_FRAME_POD_RUNNING;
        return;
    case SW_FRAME_POD_CLOSED:
        host->pods_closed++;
        return;
    case SW_FRAME_REPLY:
        answer = &host->answers[frame->reply.request % HOST_ANSWERS_MAX];
        answer->is_there = true;
        answer->status = -(int32_t)frame->reply.code;
        answer->subscribers = frame->reply.subscribers;
        sw_buffer_init(&answer->body, 8u << 20);
        sw_buffer_put(&answer->body, frame->reply.body.data, frame->reply.body.size);
        return;
    case SW_FRAME_EVENT:
        host->events++;
        snprintf(host->last_event, sizeof host->last_event, "%.*s", (int)frame->event.reason.size,
                 (const char *)frame->event.reason.data);
        return;
    case SW_FRAME_LOG:
        host->logs++;
        return;
    case SW_FRAME_CALL:
        host->call = frame->call.name;
        host->call_pod = frame->call.pod;
        host->calls++;
        return;
    case SW_FRAME_CALL_END:
        host->ends++;
        return;
    case SW_FRAME_STATS:
        host->stats = frame->stats;
        return;
    case SW_FRAME_STOPPED:
        host->is_stopped = true;
        host->stop_code = frame->result.code;
        snprintf(host->words, sizeof host->words, "%.*s", (int)frame->result.words.size,
                 frame->result.words.size > 0 ? (const char *)frame->result.words.data : "");
        return;
    default:
        return;
    }
}

static inline void host_take(struct host_process *host)
{
    size_t taken = 0, size = 0;
    struct sw_frame frame;

    for (;; taken += size) {
        struct sw_bytes rest = {host->in.data + taken, host->in.size - taken};
        if (sw_frame_take(rest, SW_FRAME_FROM_HOST, &frame, &size, NULL) != SW_OK)
            abort();
        if (size == 0)
            break;
        host_see(host, &frame);
    }
    sw_buffer_consume(&host->in, taken);
}

/* Send what waits and read what is there, waiting at most wait_ms. */
static inline void host_pump(struct host_process *host, int wait_ms)
{
    struct pollfd file = {.fd = host->link, .events = POLLIN};
    ssize_t size;

    if (host->out.size > 0)
        file.events |= POLLOUT;
    if (host->is_gone || poll(&file, 1, wait_ms) <= 0)
        return;
    if ((file.revents & POLLOUT) != 0) {
        size = send(host->link, host->out.data, host->out.size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (size > 0)
            sw_buffer_consume(&host->out, (size_t)size);
        else if (errno != EAGAIN)
            host->is_gone = true;
    }
    if ((file.revents & (POLLIN | POLLHUP)) != 0) {
        uint8_t *room = sw_buffer_reserve(&host->in, 1u << 18);
        size = recv(host->link, room, 1u << 18, MSG_DONTWAIT);
        if (size > 0)
            host->in.size += (size_t)size;
        else if (size == 0 || errno != EAGAIN)
            host->is_gone = true;
        host_take(host);
    }
}

/* Pump until *is_met; false: the host went away or took too long. */
static inline bool host_wait(struct host_process *host, const bool *is_met)
{
    for (int waited = 0; !*is_met && !host->is_gone && waited < HOST_WAIT_MS; waited += 10)
        host_pump(host, 10);
    return *is_met;
}

static inline void host_launch(struct host_process *host, uint32_t workers)
{
    struct sw_frame hello = {.kind = SW_FRAME_HELLO,
                             .hello = {.version = SW_LINK_VERSION,
                                       .workers = workers,
                                       .snapshot_bytes = host->snapshot_bytes,
                                       .journal = host_text(host->journal)}};
    int files[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, files) != 0)
        abort();
    host->pid = fork();
    if (host->pid == 0) {
        char path[512];

        (void)close(files[0]);
        if (files[1] != 3 && dup2(files[1], 3) != 3)
            _exit(99);
        if (files[1] != 3)
            (void)close(files[1]);
        snprintf(path, sizeof path, "%s/libexec/swarm-agent-host", SW_TEST_BUILD);
        execl(path, path, "--folder", host->folder, (char *)NULL);
        _exit(99);
    }
    (void)close(files[1]);
    host->link = files[0];
    host->is_ready = host->is_stopped = host->is_gone = host->has_module = false;
    host->pods_running = host->pods_closed = 0;
    sw_buffer_reset(&host->in);
    sw_buffer_reset(&host->out);
    sw_frame_put(&hello, &host->out);
}

/* Start it and wait until it is ready with the guest's module.  False: it did not come up. */
static inline bool host_start(struct host_process *host, uint32_t workers)
{
    host_launch(host, workers);
    if (!host_wait(host, &host->is_ready))
        return false;
    for (size_t at = 0; at < host->code.size; at += SW_FRAME_CHUNK_MAX) {
        size_t left = host->code.size - at;
        struct sw_frame frame = {
            .kind = SW_FRAME_MODULE,
            .module = {.digest = host_text("sha256:guest"),
                       .offset = at,
                       .total = host->code.size,
                       .bytes = {host->code.data + at,
                                 left < SW_FRAME_CHUNK_MAX ? left : SW_FRAME_CHUNK_MAX}}};
        sw_frame_put(&frame, &host->out);
    }
    return host_wait(host, &host->has_module);
}

/* Wait for its end; the exit status, or minus the signal. */
static inline int host_end(struct host_process *host)
{
    int status;

    if (waitpid(host->pid, &status, 0) != host->pid)
        abort();
    (void)close(host->link);
    host->link = -1;
    host->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static inline int host_kill(struct host_process *host)
{
    kill(host->pid, SIGKILL);
    return host_end(host);
}

/* A clean stop; true: with a snapshot. */
static inline bool host_stop(struct host_process *host)
{
    struct sw_frame stop = {.kind = SW_FRAME_STOP, .stop = {20000}};

    sw_frame_put(&stop, &host->out);
    (void)host_wait(host, &host->is_stopped);
    return host_end(host) == 0 && host->is_stopped && host->stop_code == 0;
}

static inline void host_done(struct host_process *host)
{
    if (host->pid != 0)
        (void)host_kill(host);
    for (size_t i = 0; i < HOST_ANSWERS_MAX; i++)
        if (host->answers[i].is_there)
            sw_buffer_done(&host->answers[i].body);
    sw_buffer_done(&host->in);
    sw_buffer_done(&host->out);
    sw_buffer_done(&host->code);
    (void)nftw(host->folder, host_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

struct host_pod {
    unsigned number; /* Its uid follows from it. */
    const char *agent;
    bool is_keyed, is_volatile;
    uint32_t replicas, mailbox, deadline_ms;
    uint64_t memory_bytes;
    unsigned part, parts; /* Slots i with i % parts == part; 0 of 0: all. */
};

static inline void host_open(struct host_process *host, const struct host_pod *pod)
{
    uint8_t slots[SW_FRAME_SLOTS_BYTES] = {0};
    char uid[40];
    struct sw_frame frame = {
        .kind = SW_FRAME_POD_OPEN,
        .pod_open = {.uid = {uid, 36},
                     .generation = 1,
                     .name_space = host_text("default"),
                     .agent = host_text(pod->agent),
                     .agent_uid = host_text("01932c07-8ba2-7c1e-9a2b-0123456789ab"),
                     .digest = host_text("sha256:guest"),
                     .slots = {slots, sizeof slots},
                     .is_keyed = pod->is_keyed,
                     .replicas = pod->replicas,
                     .is_durable = !pod->is_volatile,
                     .priority = 1,
                     .memory_bytes = pod->memory_bytes == 0 ? 1u << 20 : pod->memory_bytes,
                     .body_bytes = 262144,
                     .deadline_ms = pod->deadline_ms == 0 ? 1000 : pod->deadline_ms,
                     .mailbox = pod->mailbox == 0 ? 4096 : pod->mailbox,
                     .instances_max = 1000000}};

    snprintf(uid, sizeof uid, "00000000-0000-7000-8000-%012u", pod->number);
    for (unsigned i = 0; i < 256; i++)
        if (pod->parts == 0 || i % pod->parts == pod->part)
            slots[i / 8] = (uint8_t)(slots[i / 8] | 1u << i % 8);
    sw_frame_put(&frame, &host->out);
}

static inline void host_close(struct host_process *host, unsigned number, bool discard)
{
    char uid[40];
    struct sw_frame frame = {.kind = SW_FRAME_POD_CLOSE,
                             .pod_close = {.uid = {uid, 36}, .discard = discard}};

    snprintf(uid, sizeof uid, "00000000-0000-7000-8000-%012u", number);
    sw_frame_put(&frame, &host->out);
}

static inline uint64_t host_send(struct host_process *host, const char *agent, const char *key,
                                 const char *body, bool want_reply)
{
    uint64_t request = host->next_request++;
    struct host_answer *answer = &host->answers[request % HOST_ANSWERS_MAX];
    struct sw_frame frame = {.kind = SW_FRAME_SEND,
                             .send = {.request = request,
                                      .name_space = host_text("default"),
                                      .agent = host_text(agent),
                                      .key = host_text(key),
                                      .type = host_text("text/plain"),
                                      .body = host_text(body),
                                      .priority = SW_FRAME_PRIORITY_DEFAULT,
                                      .want_reply = want_reply,
                                      .timeout_ms = HOST_WAIT_MS}};

    if (answer->is_there)
        sw_buffer_done(&answer->body);
    answer->is_there = false;
    sw_frame_put(&frame, &host->out);
    return request;
}

static inline struct host_answer *host_answer(struct host_process *host, uint64_t request)
{
    return &host->answers[request % HOST_ANSWERS_MAX];
}

/* Send and wait for the answer.  NULL: the host went away. */
static inline struct host_answer *host_ask(struct host_process *host, const char *agent,
                                           const char *key, const char *body)
{
    struct host_answer *answer = host_answer(host, host_send(host, agent, key, body, true));

    return host_wait(host, &answer->is_there) ? answer : NULL;
}
