#include "pkg/agent/runtime/actor/calls.h"

#include "pkg/agent/link/frame.h"
#include "pkg/agent/runtime/actor/state.h"

static uint64_t size_of(const struct sw_call *call)
{
    return sizeof *call + call->service_size + call->type_size + call->body_size;
}

static struct sw_frame_call_name name_of(const struct sw_worker *worker,
                                         const struct sw_instance *instance, uint64_t number)
{
    return (struct sw_frame_call_name){
        .incarnation = sw_shared_incarnation(worker->shared, instance->pod->config.is_durable),
        .instance = instance->id,
        .number = number};
}

void sw_call_send(struct sw_worker *worker, struct sw_instance *instance)
{
    struct sw_wait *wait = &instance->actor.wait;
    const struct sw_pod *pod = instance->pod;
    struct sw_frame frame = {.kind = SW_FRAME_CALL};
    struct sw_origin asker;

    if (wait->kind != SW_WAIT_CALL || wait->is_sent || sw_actor_is_held(&instance->actor) ||
        pod->state != SW_POD_OPEN || instance->passed != NULL ||
        instance->answer != NULL) /* Its result was taken or is here. */
        return;
    if (sw_wait_lacks_body(wait)) { /* It is sent once it was made again. */
        sw_instance_wake_up(worker, instance, SWARM_PRIORITY_NORMAL);
        return;
    }
    asker = sw_actor_asker(&instance->actor);
    frame.call = (struct sw_frame_call){.name = name_of(worker, instance, wait->number),
                                        .pod = pod->config.pod,
                                        .uid = pod->config.uid,
                                        .key = sw_instance_key(instance),
                                        .service = sw_call_service(wait->call),
                                        .type = sw_call_type(wait->call),
                                        .body = sw_call_body(wait->call),
                                        .turn = sw_wait_turn(wait),
                                        .depth = 1};
    if (asker.kind == SW_ORIGIN_WAIT)
        frame.call.depth += sw_waits_depth(&worker->shared->waits, asker.instance, asker.number);
    wait->is_sent = true;
    worker->counts.calls++;
    atomic_fetch_add_explicit(&worker->shared->queued_bytes, size_of(wait->call),
                              memory_order_relaxed);
    sw_output_frame(worker, &frame, instance->epoch);
}

bool sw_call_forget(struct sw_worker *worker, struct sw_instance *instance)
{
    struct sw_wait *wait = &instance->actor.wait;

    if (wait->kind != SW_WAIT_CALL || !wait->is_sent)
        return false;
    wait->is_sent = false;
    atomic_fetch_sub_explicit(&worker->shared->queued_bytes, size_of(wait->call),
                              memory_order_relaxed);
    return true;
}

void sw_call_tell_end(struct sw_worker *worker, const struct sw_instance *instance, uint64_t number,
                      uint64_t epoch)
{
    struct sw_frame frame = {.kind = SW_FRAME_CALL_END,
                             .call_end = name_of(worker, instance, number)};

    sw_output_frame(worker, &frame, epoch);
}

void sw_call_end(struct sw_worker *worker, struct sw_instance *instance)
{
    if (sw_call_forget(worker, instance))
        sw_call_tell_end(worker, instance, instance->actor.wait.number,
                         sw_output_epoch_now(worker));
}
