/* A whole agent host in one thread for tests: workers, journal and the outputs that swarmd would
 * see, on the disk of disk.h with the guests of script_guest.h. Here is what it is asked to do. */
#pragma once
#include "test/support/actors_host.h"

struct actors_pod {
    uint64_t number;
    const char *agent, *digest, *config;
    enum sw_abi_class class;
    bool is_keyed, is_volatile, is_urgent;
    bool rests_at_once; /* Its instances sleep when they have nothing to do. */
    uint32_t replicas, mailbox, instances_max;
    uint64_t rest_ns; /* Otherwise, after how long; 0: never. */
    uint64_t idle_ns, memory_bytes;
    uint32_t timers_max, messages_per_s, children_per_s, deadline_ms;
    uint32_t attempts;    /* 0: 1. The waits in between are 1,000, 2,000 and then 4,000 ns. */
    const uint8_t *slots; /* SW_SLOTS / 8 bytes; NULL: all. */
    struct sw_history_policy history;
};

static inline void actors_open(struct actors *actors, const struct actors_pod *pod)
{
    char uid[] = "01932c07-8ba2-7c1e-9a2b-012345678900"; /* Each Agent has its own. */
    char pod_uid[40];
    struct sw_pod_config config = {
        .pod = pod->number,
        .uid = {pod_uid, 36},
        .name_space = script_text("default"),
        .agent = script_text(pod->agent),
        .agent_uid = {uid, 36},
        .digest = script_text(pod->digest == NULL ? "sha256:1" : pod->digest),
        .class = pod->class,
        .config = script_text(pod->config == NULL ? "" : pod->config),
        .generation = 1,
        .is_keyed = pod->is_keyed,
        .is_durable = !pod->is_volatile,
        .replicas = pod->replicas,
        .priority = pod->is_urgent ? SWARM_PRIORITY_URGENT : SWARM_PRIORITY_NORMAL,
        .deadline_ms = pod->deadline_ms == 0 ? 1000 : pod->deadline_ms,
        .mailbox = pod->mailbox == 0 ? 1024 : pod->mailbox,
        .rest_ns = pod->rests_at_once  ? 0
                   : pod->rest_ns == 0 ? UINT64_MAX
                                       : pod->rest_ns,
        .instances_max = pod->instances_max == 0 ? 100000 : pod->instances_max,
        .memory_bytes = pod->memory_bytes == 0 ? 1u << 20 : pod->memory_bytes,
        .body_bytes = 262144,
        .idle_ns = pod->idle_ns,
        .timers_max = pod->timers_max,
        .messages_per_s = pod->messages_per_s,
        .children_per_s = pod->children_per_s,
        .retry_attempts = pod->attempts == 0 ? 1 : pod->attempts,
        .retry_first_ns = 1000,
        .retry_max_ns = 4000,
        .history = pod->history,
    };
    struct sw_guest_module *module =
        actors->next_module != NULL ? actors->next_module : &actors->module;
    snprintf(uid + 34, 3, "%02x", (unsigned)(uint8_t)pod->agent[0]);
    snprintf(pod_uid, sizeof pod_uid, "00000000-0000-7000-8000-%012" PRIu64, pod->number);
    if (pod->slots == NULL)
        memset(config.slots, 0xff, sizeof config.slots);
    else
        memcpy(config.slots, pod->slots, sizeof config.slots);
    module->refs++;
    config.resets = actors->resets;
    sw_worker_put(actors->workers[pod->number % actors->count],
                  sw_item_pod_open_new(&config, module));
}

static inline void actors_close(struct actors *actors, uint64_t pod, bool discard)
{
    sw_worker_put(actors->workers[pod % actors->count], sw_item_pod_close_new(pod, discard));
}

/* Send from outside, as `name` ("": without one); the request's number. */
static inline uint64_t actors_send_named(struct actors *actors, const char *name, uint64_t pod,
                                         const char *key, const char *body)
{
    uint64_t request = actors->next_request++;
    struct sw_message template = {.pod = pod,
                                  .key = script_text(key),
                                  .head = {.flags = SWARM_MESSAGE_WANTS_REPLY,
                                           .priority = actors->priority,
                                           .origin = {.kind = SW_ORIGIN_CLIENT,
                                                      .incarnation = actors->shared.incarnation,
                                                      .number = request},
                                           .type = script_text("text/plain"),
                                           .request_id = script_text(name)},
                                  .body = script_text(body)};

    if (strncmp(body, "get", 3) != 0 && strstr(body, ";get") == NULL &&
        strstr(body, "~get") == NULL && strstr(body, "hold") == NULL)
        template.head.flags = 0; /* Nobody would answer: wait for the handling only. */
    sw_worker_put(actors->workers[pod % actors->count], &sw_message_new(&template)->item);
    return request;
}

static inline uint64_t actors_send(struct actors *actors, uint64_t pod, const char *key,
                                   const char *body)
{
    return actors_send_named(actors, "", pod, key, body);
}

static inline uint64_t actors_send_at(struct actors *actors, uint64_t pod, const char *key,
                                      const char *body, uint32_t priority)
{
    uint64_t request;

    actors->priority = priority;
    request = actors_send(actors, pod, key, body);
    actors->priority = SWARM_PRIORITY_NORMAL;
    return request;
}

static inline const struct actors_reply *actors_reply(const struct actors *actors, uint64_t request)
{
    return &actors->replies[request % ACTORS_REPLIES_MAX];
}

/* Send, settle, and give the answer's words. */
static inline const char *actors_ask(struct actors *actors, uint64_t pod, const char *key,
                                     const char *body)
{
    uint64_t request = actors_send(actors, pod, key, body);

    actors_settle(actors);
    return actors_reply(actors, request)->body;
}

static inline uint64_t actors_publish_named(struct actors *actors, const char *name,
                                            const char *subject, const char *body)
{
    uint64_t request = actors->next_request++;
    struct sw_item_publish publish = {.request = request,
                                      .name_space = script_text("default"),
                                      .subject = script_text(subject),
                                      .type = script_text(""),
                                      .body = script_text(body),
                                      .request_id = script_text(name),
                                      .priority = SWARM_PRIORITY_NORMAL};

    sw_worker_put(actors->workers[0], sw_item_publish_new(&publish));
    return request;
}

static inline uint64_t actors_publish(struct actors *actors, const char *subject, const char *body)
{
    return actors_publish_named(actors, "", subject, body);
}

/* The process dies; the machine goes on, or loses what was not synced. Then a new process. */
static inline enum sw_rc actors_restart(struct actors *actors, bool power_fails)
{
    actors_kill(actors);
    if (power_fails)
        disk_crash(&actors->disk);
    return actors_start(actors, actors->count);
}
