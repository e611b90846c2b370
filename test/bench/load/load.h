/* What the load generator's workloads share: one gRPC client of the public API, workers that each
 * keep one call under way, and the report of what was measured.
 *
 * A wrong answer, a refused call or a lost connection ends the run with words and a failure.
 * Threads: one.  I/O: the connection, the context's files, standard output. */
#pragma once
#include "pkg/apis/swarm/v1/object.h"
#include "pkg/client/contexts/contexts.h"
#include "pkg/communication/protocol/client.h"
#include "pkg/utils/loop/loop.h"
#include "pkg/utils/system/system.h"

#define LOAD_MESSAGE_MAX ((size_t)64 << 20)

struct load_options {   /* From the command line, as NAME=VALUE. */
    const char *space;  /* Namespace of the objects, or of the Agent. */
    const char *agent;  /* For `request`. */
    const char *direct; /* For `chat`: not NULL: HOST:PORT of a model that is asked itself. */
    const char *text;   /* For `request`: not NULL: the body of each, instead of `size` bytes. */
    size_t workers;     /* Calls under way at once. */
    size_t keys;        /* For `request`: not 0: each worker asks an instance of its own. For
                         * `recover`: so many instances there are. */
    size_t near;        /* For `request`: not 0: the keys stand in braces. */
    size_t expect;      /* For `recover`: what each of them answers, a 32-bit number; 0: what a
                         * member answers (agents/crowd.h). For `keep`: how many pings each of them
                         * has in the end besides our own. */
    size_t watchers;    /* For `watch`. */
    size_t objects;     /* For `list`: how many must be there. */
    size_t hold;        /* For `upstream`: not 0: it answers when it is told to, and is asked what
                         * begins with a number below this, each once. */
    size_t count;       /* Calls in all that are measured. */
    size_t warm;        /* Calls made before, in the same way. */
    size_t size;        /* Bytes of an object or of a message's body. */
};

struct load {
    struct load_options options;
    const struct sw_system *system;
    struct sw_arena *arena; /* Lives as long as the program. */
    struct sw_loop *loop;
    struct sw_tls_context *tls;
    struct sw_http_client *client;
    struct sw_http_client_options connecting; /* As the client has it, for more of them. */
    struct sw_buffer frame;                   /* Of the call that is being made. */
    uint64_t *times_ns;                       /* Latencies that were measured. */
    size_t times_count, times_max;
    uint64_t started_ns, ended_ns;
    uint64_t first_ns;  /* For `recover`: until the first answer. */
    size_t again_count; /* For `keep`: calls that were made more than once. */
    struct sw_err failure;
};

struct load_reply { /* Where the answer of one call goes. */
    struct load *load;
    void (*done)(void *ctx, struct sw_bytes message);
    void *ctx;
};

/* What each worker does, again and again. */
struct load_work {
    const char *path; /* "/swarm.v1.AgentTemplates/Get" */
    void *ctx;
    /* The request of this worker's call number n. */
    void (*ask)(void *ctx, size_t worker, size_t n, struct sw_buffer *out);
    /* Its answer; a wrong one is told with load_fail. */
    void (*check)(void *ctx, size_t worker, size_t n, struct sw_bytes answer);
};

uint64_t load_now_ns(const struct load *load);
/* End the run; the first failure counts. */
void load_fail(struct load *load, enum sw_rc rc, const char *words);
/* Make one unary call. The reply must stay until it was called. */
void load_call(struct load *load, const char *path, struct sw_bytes message,
               struct load_reply *reply);
/* Make one that may end badly, with SW_E_UNAVAILABLE or what the server said. */
void load_try(struct load *load, const char *path, struct sw_bytes message,
              void (*done)(void *ctx, enum sw_rc rc, struct sw_bytes message), void *ctx);
/* Begin a call whose answers come one by one, without end, each to reply->done. */
void load_stream(struct load *load, const char *path, struct sw_bytes message,
                 struct load_reply *reply);
/* Make `each` calls per worker and wait for all; measured ones enter the report. */
SW_MUST_CHECK bool load_run(struct load *load, const struct load_work *work, size_t each,
                            bool is_measured);
/* Keep a latency for the report. */
void load_note(struct load *load, uint64_t ns);

/* --- The workloads: false after a failure, which load->failure tells. ------------------------- */

bool load_put(struct load *load);      /* Make objects, then list all and look at each. */
bool load_get(struct load *load);      /* Read the objects that `put` made. */
bool load_list(struct load *load);     /* List all of them, `count` times. */
bool load_watch(struct load *load);    /* One writer; how old is a change when a watcher has it. */
bool load_request(struct load *load);  /* Ask an Agent and compare its answer. */
bool load_recover(struct load *load);  /* Ask instances of a daemon that starts. */
bool load_chat(struct load *load);     /* Ask a model, each worker over its own connection. */
bool load_upstream(struct load *load); /* Be one. */
bool load_keep(struct load *load);     /* Ping members of one that is killed again and again. */
