#include "pkg/agent/runtime/actor/move.h"

#include "pkg/agent/runtime/actor/hibernate.h"
#include "pkg/agent/runtime/actor/program.h"

#include <stdlib.h>
#include <string.h>

uint32_t sw_worker_of_pod(struct sw_worker **workers, uint32_t count, uint64_t pod)
{
    const struct sw_route_pod *route = sw_routes_pod(workers[0]->routes, pod);

    return route == NULL ? (uint32_t)(pod % count) : route->worker;
}

/* The modules that instances of the Pod run, which the other worker may not have. */
static void hand_programs(const struct sw_move *move)
{
    const struct sw_guest_engine *engine = &move->from_worker->engine;
    struct sw_map_entry entry;
    size_t cursor = 0;

    while (sw_map_next(move->from->instances, &cursor, &entry)) {
        const struct sw_instance *instance = entry.value;
        const struct sw_program *program =
            instance->spec == NULL ? NULL
                                   : sw_program_find(move->from_worker, instance->spec->program);

        if (program != NULL && sw_program_find(move->to_worker, instance->spec->program) == NULL)
            (void)sw_program_add(move->to_worker, instance->spec->program,
                                 engine->module_ref(engine->ctx, program->module));
    }
}

/* The same Pod for the other worker, without all that moves. NULL: no memory. */
static struct sw_pod *make_twin(const struct sw_move *move)
{
    const struct sw_guest_engine *engine = &move->from_worker->engine;
    struct sw_worker *to = move->to_worker;
    const struct sw_pod *from = move->from;
    struct sw_pod *twin = sw_pod_new(to->shared, &from->config);

    if (twin == NULL)
        return NULL;
    if (!sw_pod_join_share(to, twin) ||
        sw_map_put(to->pods, &from->config.pod, sizeof from->config.pod, twin, NULL) != SW_OK) {
        sw_meter_end_pod(to, twin, false);
        sw_pod_free(to, twin);
        return NULL;
    }
    twin->state = from->state;
    twin->spec = from->spec;
    twin->made = from->made;
    twin->lacks_quota = from->lacks_quota;
    twin->has_surplus = from->has_surplus;
    twin->is_recovered = from->is_recovered;
    twin->status_ns = from->status_ns;
    twin->told_phase = from->told_phase;
    twin->program = sw_program_add(to, from->spec->program,
                                   engine->module_ref(engine->ctx, from->program->module));
    return twin;
}

static void free_old(const struct sw_move *move)
{
    struct sw_worker *from = move->from_worker;

    sw_meter_end_pod(from, move->from, false);
    (void)sw_map_remove(from->pods, &move->to->config.pod, sizeof move->to->config.pod);
    from->counts.pods--;
    move->to_worker->counts.pods++;
    sw_pod_free(from, move->from);
}

/* Everybody learns at once where the Pod is: nobody runs. */
static void announce(const struct sw_pod_move *move, const struct sw_pod *pod)
{
    struct sw_route_change change;

    sw_pod_route(pod, move->to, &change);
    for (uint32_t i = 0; i < move->count; i++)
        if (sw_routes_change(move->workers[i]->routes, &change) != SW_OK)
            sw_worker_fail(move->workers[i], SW_E_EXHAUSTED, "no memory for a route");
}

static enum sw_rc check(struct sw_pod *pod, bool holds)
{
    if (pod == NULL || pod->state != SW_POD_OPEN || pod->program == NULL)
        return SW_E_NOT_FOUND;
    if (sw_map_count(pod->instances) > SW_POD_MOVE_MAX)
        return SW_E_RANGE; /* Before it is held for nothing. */
    if (pod->passed > 0 || pod->is_leaving) {
        pod->is_held = pod->is_held || holds;
        return SW_E_UNAVAILABLE;
    }
    return SW_OK;
}

enum sw_rc sw_pod_move(const struct sw_pod_move *wanted)
{
    struct sw_move move = {.to_worker = wanted->workers[wanted->to]};
    bool is_walking;
    enum sw_rc rc;

    sw_workers_settle(wanted->workers, wanted->count);
    move.from_worker =
        wanted->workers[sw_worker_of_pod(wanted->workers, wanted->count, wanted->pod)];
    move.from = sw_map_find(move.from_worker->pods, &wanted->pod, sizeof wanted->pod);
    rc = move.from_worker == move.to_worker ? SW_E_NOT_FOUND : check(move.from, wanted->holds);
    if (rc != SW_OK)
        return rc;
    hand_programs(&move);
    move.to = make_twin(&move);
    if (move.to == NULL)
        return SW_E_EXHAUSTED;
    memset(move.slots, 0xff, sizeof move.slots); /* Whoever is in it, wherever he belongs. */
    is_walking = move.from->is_walking;
    sw_move_apply(&move);
    if (move.to_worker->output_epoch < move.from_worker->output_epoch)
        move.to_worker->output_epoch = move.from_worker->output_epoch;
    announce(wanted, move.to);
    free_old(&move);
    if (is_walking)
        sw_hibernate_walk(move.to_worker, move.to);
    sw_meter_set_due(move.to_worker, move.to);
    sw_output_status(move.to_worker, move.to);
    sw_workers_settle(wanted->workers, wanted->count);
    return SW_OK;
}

void sw_pod_stay(const struct sw_pod_move *move)
{
    struct sw_worker *worker =
        move->workers[sw_worker_of_pod(move->workers, move->count, move->pod)];
    struct sw_pod *pod = sw_map_find(worker->pods, &move->pod, sizeof move->pod);
    struct sw_map_entry entry;
    size_t cursor = 0;

    if (pod == NULL || !pod->is_held)
        return;
    pod->is_held = false;
    while (sw_map_next(pod->instances, &cursor, &entry)) {
        struct sw_instance *instance = entry.value;

        for (uint32_t p = 0; p < SW_PRIORITIES; p++)
            if (instance->mailbox[p] != NULL)
                sw_instance_wake_up(worker, instance, p);
        sw_instance_wake_up(worker, instance, SWARM_PRIORITY_NORMAL);
    }
}
