#include "pkg/agent/runtime/actor/slots.h"
#include "pkg/agent/runtime/host/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Pods go to another worker of their host: nobody outside of it knows where they are. One that has
 * segments on their way, which belong to their worker's stacks, begins no others until those have
 * ended, and goes then; if they take too long it stays. */

#define HOLD_NS 2000000000u
#define AGAIN_NS 20000000u

struct work {
    struct sw_host *host;
    struct pod *pod;
    uint32_t to;
    bool holds, stays;
    enum sw_rc rc;
};

static void work(void *ctx)
{
    struct work *work = ctx;
    struct sw_host *host = work->host;
    const struct sw_host_options *options = &host->options;
    struct pod *pod = work->pod;
    const struct sw_pod_move move = {.workers = options->workers,
                                     .count = options->workers_count,
                                     .pod = pod->number,
                                     .to = work->to,
                                     .holds = work->holds};
    uint32_t from = pod->worker;

    if (work->stays)
        sw_pod_stay(&move);
    else
        work->rc = sw_pod_move(&move);
    if (work->stays || work->rc != SW_OK)
        return;
    options->follow(options->ctx, from, work->to);
    pod->worker = pod->route.pod.worker = work->to;
    work->rc = sw_routes_change(host->routes, &pod->route);
    host->moved++;
}

enum sw_rc sw_host_move_pod(struct sw_host *host, uint64_t number, uint32_t to, bool holds,
                            struct sw_err *err)
{
    struct work job = {.host = host,
                       .to = to,
                       .holds = holds,
                       .pod = sw_map_find(host->open, &number, sizeof number)};
    enum sw_rc rc;

    if (job.pod == NULL || job.pod->worker == to || to >= host->options.workers_count)
        return sw_err_set(err, SW_E_NOT_FOUND, "no such Pod is open on another worker");
    rc = host->options.stand_still(host->options.ctx, work, &job);
    return rc == SW_OK && job.rc != SW_OK ? sw_err_set(err, job.rc, "the Pod stays where it is")
                                          : rc;
}

enum sw_rc sw_host_stay_pod(struct sw_host *host, uint64_t number)
{
    struct work job = {
        .host = host, .stays = true, .pod = sw_map_find(host->open, &number, sizeof number)};

    return job.pod == NULL ? SW_OK : host->options.stand_still(host->options.ctx, work, &job);
}

static enum sw_rc see_all(struct sw_host *host, uint64_t now_ns)
{
    struct sw_map_entry entry;
    size_t cursor = 0;
    enum sw_rc rc = SW_OK;

    while (rc == SW_OK && sw_map_next(host->open, &cursor, &entry)) {
        const struct pod *pod = entry.value;
        _Atomic uint64_t *heat_ns = &host->options.shared->heat_ns[pod->number % SW_HEAT_PODS];

        rc = sw_balance_see(host->balance, pod->number, pod->worker,
                            atomic_load_explicit(heat_ns, memory_order_relaxed), now_ns);
    }
    return rc;
}

/* What `swarm describe agent` shows. */
static void tell(struct sw_host *host, const struct sw_balance_plan *plan)
{
    struct sw_frame frame = {.kind = SW_FRAME_EVENT};
    struct sw_map_entry entry;
    size_t cursor = 0;
    char words[160];

    snprintf(words, sizeof words,
             "a Pod that takes %" PRIu32 " %% of a processor went from worker %" PRIu32
             ", which had %" PRIu32 " %%, to worker %" PRIu32 ", which had %" PRIu32 " %%",
             plan->load_ppm / 10000, plan->from, plan->hot_ppm / 10000, plan->to,
             plan->cool_ppm / 10000);
    frame.event.reason = (struct sw_bytes){"Rebalanced", 10};
    frame.event.words = (struct sw_bytes){words, strlen(words)};
    while (sw_map_next(host->pods, &cursor, &entry))
        if (((const struct pod *)entry.value)->number == plan->pod)
            frame.event.uid = entry.key;
    host->options.emit(host->options.ctx, &frame);
}

/* Have the Pod of the plan go, or stay after all. */
static enum sw_rc follow(struct sw_host *host, uint64_t now_ns, struct sw_err *err)
{
    const struct sw_balance_plan plan = host->plan;
    bool is_late = now_ns >= host->plan_until_ns;
    struct sw_err why = {0};
    enum sw_rc rc = sw_host_move_pod(host, plan.pod, plan.to, !is_late, &why);

    if ((rc == SW_E_UNAVAILABLE || rc == SW_E_TIMEOUT) && !is_late) {
        host->plan_again_ns = now_ns + AGAIN_NS;
        return SW_OK;
    }
    if (rc != SW_OK && rc != SW_E_EXHAUSTED) {
        enum sw_rc stayed = sw_host_stay_pod(host, plan.pod);

        if (stayed != SW_OK) /* Somebody does not come to rest: soon. */
            return stayed == SW_E_TIMEOUT ? SW_OK : stayed;
    }
    host->plan.pod = 0;
    sw_balance_done(host->balance, &plan, rc != SW_OK, now_ns);
    if (rc == SW_OK)
        tell(host, &plan);
    return rc == SW_E_EXHAUSTED ? sw_err_set(err, rc, "no memory for a Pod that moves") : SW_OK;
}

enum sw_rc sw_host_balance(struct sw_host *host, struct sw_err *err)
{
    const struct sw_system *system = host->options.system;
    uint64_t now_ns = system->monotonic_ns(system->ctx);

    if (host->options.workers_count < 2 || now_ns < host->seen_ns + SW_BALANCE_SEE_NS)
        return SW_OK;
    host->seen_ns = now_ns;
    if (see_all(host, now_ns) != SW_OK || host->plan.pod != 0 ||
        !sw_balance_next(host->balance, now_ns, &host->plan))
        return SW_OK;
    host->plan_until_ns = now_ns + HOLD_NS;
    return follow(host, now_ns, err);
}

bool sw_host_holds_pod(const struct sw_host *host)
{
    return host->plan.pod != 0;
}

enum sw_rc sw_host_follow_plan(struct sw_host *host, struct sw_err *err)
{
    const struct sw_system *system = host->options.system;
    uint64_t now_ns = system->monotonic_ns(system->ctx);

    return host->plan.pod == 0 || now_ns < host->plan_again_ns ? SW_OK : follow(host, now_ns, err);
}

uint64_t sw_host_moved(const struct sw_host *host)
{
    return host->moved;
}
