#include "pkg/agent/runtime/actor/slots.h"

#include "pkg/agent/runtime/host/state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PARTIAL_WAIT_NS 50000000u /* For a segment in one of the slots that are to move. */

/* Which Pod has which slots here. A slot stays with the Pod that holds it until another one of its
 * Agent asks for it: whatever order the Pods' new specs come in, no slot is without a holder. */

struct wish { /* What a Pod asks for. */
    const struct sw_frame_pod_open *open;
    uint8_t slots[SW_SLOTS / 8]; /* That it has, or nobody has and it wants. */
    uint8_t moved[SW_SLOTS / 8]; /* That it wants and another Pod has. */
    bool has_moved;
};

static void read_wish(const struct sw_host *host, const struct sw_frame_pod_open *open,
                      struct wish *ret_wish)
{
    const struct pod *pod = sw_map_find(host->pods, open->uid.data, open->uid.size);
    const struct sw_route *route = sw_routes_agent(host->routes, open->name_space, open->agent);
    const uint8_t *wanted = open->slots.data;
    uint8_t hash_key[16];

    *ret_wish = (struct wish){.open = open};
    memcpy(ret_wish->slots, wanted, sizeof ret_wish->slots);
    sw_slot_key(open->agent_uid, hash_key);
    if (route == NULL || memcmp(route->hash_key, hash_key, sizeof hash_key) != 0)
        return; /* Nobody else, or an Agent of the same name that is on its way out. */
    for (uint32_t slot = 0; slot < SW_SLOTS; slot++) {
        uint64_t holder = route->pods[slot];
        uint8_t bit = (uint8_t)(1u << slot % 8);
        bool is_wanted = (wanted[slot / 8] & bit) != 0;

        if (holder == 0)
            continue;
        if (pod != NULL && holder == pod->number) {
            ret_wish->slots[slot / 8] |= bit;
        } else if (is_wanted) {
            ret_wish->slots[slot / 8] &= (uint8_t)~bit;
            ret_wish->moved[slot / 8] |= bit;
            ret_wish->has_moved = true;
        }
    }
}

/* --- Moving ---------------------------------------------------------------------------------- */

struct work {
    struct sw_host *host;
    const struct wish *wish;
    enum sw_rc rc;
    struct sw_err *err;
};

/* The routes of this thread, as those of the workers. */
static enum sw_rc change_routes(struct sw_host *host, const struct pod *to,
                                const uint8_t taken[SW_SLOTS / 8])
{
    struct sw_map_entry entry;
    size_t cursor = 0;
    enum sw_rc rc = SW_OK;

    while (rc == SW_OK && sw_map_next(host->pods, &cursor, &entry)) {
        struct pod *pod = entry.value;
        bool is_other = pod != to && memcmp(pod->route.hash_key, to->route.hash_key, 16) == 0;

        for (size_t i = 0; i < SW_SLOTS / 8; i++) {
            if (is_other)
                pod->route.pod.slots[i] &= (uint8_t)~taken[i];
            else if (pod == to)
                pod->route.pod.slots[i] |= taken[i];
        }
        if (is_other)
            rc = sw_routes_change(host->routes, &pod->route);
    }
    return rc == SW_OK ? sw_routes_change(host->routes, &to->route) : rc;
}

static void work(void *ctx)
{
    struct work *work = ctx;
    struct sw_host *host = work->host;
    const struct sw_host_options *options = &host->options;
    struct sw_slots_take take = {.shared = options->shared,
                                 .workers = options->workers,
                                 .count = options->workers_count,
                                 .slots = work->wish->moved};
    const struct sw_frame_pod_open *open = work->wish->open;
    const struct pod *pod;

    host->is_still = true;
    work->rc = sw_host_open_pod(host, open, work->wish->slots, work->err);
    host->is_still = false;
    pod = sw_map_find(host->pods, open->uid.data, open->uid.size);
    if (work->rc != SW_OK || pod == NULL || !pod->is_open)
        return;
    sw_workers_settle(options->workers, options->workers_count);
    take.pod = pod->number;
    sw_slots_take(&take);
    host->is_partial = take.ret_is_partial;
    if (change_routes(host, pod, take.ret_taken) != SW_OK)
        work->rc = sw_err_set(work->err, SW_E_EXHAUSTED, "no memory for a route");
}

/* Act on one frame. SW_E_TIMEOUT: not now. */
static enum sw_rc act(struct sw_host *host, const struct sw_frame *frame, struct sw_err *err)
{
    struct wish wish;
    struct work job = {.host = host, .wish = &wish, .err = err};
    enum sw_rc rc;

    if (frame->kind == SW_FRAME_POD_CLOSE)
        return sw_host_close_pod(host, &frame->pod_close, err);
    read_wish(host, &frame->pod_open, &wish);
    if (!wish.has_moved)
        return sw_host_open_pod(host, &frame->pod_open, wish.slots, err);
    rc = host->options.stand_still(host->options.ctx, work, &job);
    if (rc != SW_OK || (job.rc == SW_OK && host->is_partial))
        return SW_E_TIMEOUT;
    return job.rc;
}

/* --- Waiting --------------------------------------------------------------------------------- */

bool sw_host_is_waiting(const struct sw_host *host)
{
    return host->waiting != NULL || sw_host_holds_pod(host);
}

/* The Agent that a frame is about. False: nobody here knows. */
static bool agent_of(const struct sw_host *host, const struct sw_frame *frame, uint8_t agent[16])
{
    struct sw_bytes uid =
        frame->kind == SW_FRAME_POD_CLOSE ? frame->pod_close.uid : frame->pod_open.uid;
    const struct pod *pod = sw_map_find(host->pods, uid.data, uid.size);

    if (frame->kind == SW_FRAME_POD_OPEN)
        sw_slot_key(frame->pod_open.agent_uid, agent);
    else if (pod != NULL)
        memcpy(agent, pod->route.hash_key, 16);
    return frame->kind == SW_FRAME_POD_OPEN || pod != NULL;
}

static bool has_waiting(const struct waiting *first, const struct waiting *end,
                        const uint8_t agent[16])
{
    for (const struct waiting *at = first; at != end; at = at->next)
        if (memcmp(at->agent, agent, sizeof at->agent) == 0)
            return true;
    return false;
}

static enum sw_rc wait_for_slots(struct sw_host *host, const struct sw_frame *frame,
                                 const uint8_t agent[16], struct sw_err *err)
{
    struct waiting *waiting = NULL, **last = &host->waiting;
    struct sw_buffer bytes;

    sw_buffer_init(&bytes, SW_FRAME_BYTES_MAX + 16);
    sw_frame_put(frame, &bytes);
    if (!bytes.failed)
        waiting = malloc(sizeof *waiting + bytes.size);
    if (waiting != NULL) {
        *waiting = (struct waiting){.size = bytes.size};
        memcpy(waiting->agent, agent, sizeof waiting->agent);
        memcpy(waiting->bytes, bytes.data, bytes.size);
        while (*last != NULL)
            last = &(*last)->next;
        *last = waiting;
    }
    sw_buffer_done(&bytes);
    return waiting != NULL ? SW_OK
                           : sw_err_set(err, SW_E_EXHAUSTED, "no memory for a frame of swarmd");
}

enum sw_rc sw_host_take_pod_frame(struct sw_host *host, const struct sw_frame *frame,
                                  struct sw_err *err)
{
    uint8_t agent[16];
    bool is_known = agent_of(host, frame, agent);
    enum sw_rc rc;

    if (is_known && has_waiting(host->waiting, NULL, agent))
        return wait_for_slots(host, frame, agent, err);
    rc = act(host, frame, err);
    return rc == SW_E_TIMEOUT ? wait_for_slots(host, frame, agent, err) : rc;
}

/* SW_E_TIMEOUT: not now. */
static enum sw_rc act_on_waiting(struct sw_host *host, struct waiting *waiting, struct sw_err *err)
{
    const struct sw_system *system = host->options.system;
    struct sw_bytes bytes = {waiting->bytes, waiting->size};
    uint64_t now_ns = system->monotonic_ns(system->ctx);
    struct sw_frame frame;
    size_t size;
    enum sw_rc rc;

    if (now_ns < waiting->retry_ns)
        return SW_E_TIMEOUT;
    rc = sw_frame_take(bytes, SW_FRAME_TO_HOST, &frame, &size, err);
    assert(rc == SW_OK && size == bytes.size);
    host->is_partial = false;
    rc = act(host, &frame, err);
    if (host->is_partial)
        waiting->retry_ns = now_ns + PARTIAL_WAIT_NS;
    return rc;
}

/* Each Agent's in order. */
enum sw_rc sw_host_go_on(struct sw_host *host, struct sw_err *err)
{
    struct waiting **at = &host->waiting;
    bool has_acted = false;
    enum sw_rc rc = SW_OK;

    while (rc == SW_OK && *at != NULL) {
        struct waiting *waiting = *at;

        if (!has_waiting(host->waiting, waiting, waiting->agent))
            rc = act_on_waiting(host, waiting, err);
        else
            rc = SW_E_TIMEOUT;
        if (rc == SW_OK) {
            *at = waiting->next;
            free(waiting);
            has_acted = true;
        } else if (rc == SW_E_TIMEOUT) {
            at = &waiting->next;
            rc = SW_OK;
        }
    }
    if (has_acted)
        sw_host_drop_modules(host);
    return rc == SW_OK ? sw_host_follow_plan(host, err) : rc;
}

bool sw_host_awaits(const struct sw_host *host, struct sw_bytes digest)
{
    for (const struct waiting *at = host->waiting; at != NULL; at = at->next) {
        struct sw_frame frame;
        struct sw_err err = {0};
        size_t size;
        enum sw_rc rc = sw_frame_take((struct sw_bytes){at->bytes, at->size}, SW_FRAME_TO_HOST,
                                      &frame, &size, &err);

        if (rc == SW_OK && frame.kind == SW_FRAME_POD_OPEN &&
            sw_bytes_is_equal(frame.pod_open.digest, digest))
            return true;
    }
    return false;
}

void sw_host_free_waiting(struct sw_host *host)
{
    while (host->waiting != NULL) {
        struct waiting *first = host->waiting;

        host->waiting = first->next;
        free(first);
    }
}
