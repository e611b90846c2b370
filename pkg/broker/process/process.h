/* The service swarm.process: a message of an agent is handled by a program in a sandbox.
 *
 * The agent in front of the program (cmd/swarm-process-agent) calls it with the program's manifest
 * and the message, laid out as pkg/agent/runtime/process/call.h says. Its images are had, and then:
 *
 * stdio  a process is started, gets the body as its input, and what it writes until its end is the
 *        reply, if its exit status is 0; otherwise the call is refused with the last lines of its
 *        standard error.
 * turns  the instance's process is told of the message (turn.h), or one is started for it. It is
 *        that instance's until it ends: memory is never seen by another. What it asks for is the
 *        answer to the call, and the next call has the result. It stays after its reply.
 *
 * A manifest with "record" has what is asked of models over HTTP asked as requests of the turn, in
 * either protocol: one at a time, and a process that begins again gets the same answers.
 *
 * In its network there is one address, http://127.0.0.1:7420: what is asked there is handed to
 * `serve` in the name of the instance that called. OPENAI_BASE_URL, ANTHROPIC_BASE_URL and a key
 * that means nothing are in its environment, so that programs find it that know nothing of this.
 *
 * When as many processes run as may, one that has nothing to do makes way, the longest unused
 * first; otherwise messages wait, and Agents that have fewer processes come first.
 * Threads: the loop's.  I/O: processes.
 * Limits: those of the manifest, within its bounds; SW_PROCESS_REPLY_MAX bytes of a reply of stdio,
 * SW_TURN_FRAME_MAX of one of turns; of the log its last SW_PROCESS_LOG_MAX; SW_PROCESS_WAITING_MAX
 * messages wait for room. */
#pragma once
#include "pkg/agent/runtime/process/process.h"
#include "pkg/broker/process/images.h"
#include "pkg/broker/service/service.h"
#include "pkg/communication/protocol/http.h"

#define SW_PROCESS_REPLY_MAX ((size_t)3 << 20)
#define SW_PROCESS_LOG_MAX ((size_t)32 << 10)
#define SW_PROCESS_WAITING_MAX 4096u

struct sw_process_client { /* Who asks; borrowed for the call. */
    const char *name_space, *agent;
    struct sw_bytes instance;
    uint64_t turn; /* As the call of the service has them. */
    uint32_t depth;
};

struct sw_process_service_options { /* Borrowed for the call, but for what it points to. */
    struct sw_loop *loop;
    const struct sw_system *system;
    struct sw_processes *processes;
    struct sw_images *images;
    void *ctx;
    /* A process asked for this path of the gateway to models, such as "v1/chat/completions": answer
     * and end the request. */
    void (*serve)(void *ctx, struct sw_http_request *request,
                  const struct sw_process_client *client, const char *path);
    /* The name of the service of agents that answers a POST to such a path in the same way, for
     * processes whose requests are kept; NULL: there is none, and serve is asked. */
    const char *(*service_of)(void *ctx, const char *path);
    /* Tell whoever asked for such a path why that service refused, and end the request. */
    void (*refuse)(void *ctx, struct sw_http_request *request, const char *path, enum sw_rc rc,
                   struct sw_bytes words);
    /* What this machine could not give a sandbox, told once. May be NULL. */
    void (*on_missing)(void *ctx, const char *words);
};

struct sw_process_service; /* Opaque. */

/* Add it to the registry.  SW_E_EXHAUSTED: no memory.  Others as sw_services_add. */
SW_MUST_CHECK enum sw_rc sw_process_service_new(const struct sw_process_service_options *options,
                                                struct sw_services *services,
                                                struct sw_process_service **ret_service,
                                                struct sw_err *err);
/* Calls under way end without an answer, and their processes are killed. */
void sw_process_service_free(struct sw_process_service *service);
SW_DEFINE_CLEANUP(struct sw_process_service, sw_process_service_free)

struct sw_process_service_view { /* For metrics. */
    uint64_t running;            /* Processes now, with those that end. */
    uint64_t idle;               /* Of these, so many stay and have nothing to do. */
    uint64_t waiting;            /* Messages that wait for room. */
    uint64_t started, evicted;   /* Processes; those that had to make way. */
    uint64_t done, failed;       /* Messages that a process answered, or refused or did not. */
    uint64_t repeated;           /* Messages that began again in another process. */
};
void sw_process_service_view(const struct sw_process_service *service,
                             struct sw_process_service_view *ret_view);
