#include "pkg/agent/runtime/actor/segment.h"

#include "include/swarm/agent.h"
#include "pkg/agent/runtime/actor/hibernate.h"
#include "pkg/agent/runtime/actor/replay.h"
#include "pkg/agent/runtime/actor/resting.h"
#include "pkg/agent/runtime/actor/retry.h"
#include "pkg/agent/runtime/actor/storage.h"

/* How instances begin, how they come back from sleep, and how a volatile one begins anew. */

/* What waits for an instance that cannot be started: clients are told, the rest waits for the next
 * try, or is parked after so many as a message has. */
static void start_failed(struct sw_worker *worker, struct sw_instance *instance, const char *words)
{
    const struct sw_refusal refusal = {SW_E_UNAVAILABLE, "StartFailed", words};
    bool is_last;

    sw_instance_sleep(worker, instance);
    sw_instance_set_failing(worker, instance, true);
    sw_instance_back_off(worker, instance);
    is_last = instance->start_failures >= instance->pod->config.retry_attempts;
    for (uint32_t p = 0; p < SW_PRIORITIES; p++) {
        struct sw_item *kept = NULL;
        struct sw_message *message;

        while ((message = sw_instance_take(worker, instance, p)) != NULL) {
            if (!is_last && message->head.origin.kind != SW_ORIGIN_CLIENT) {
                sw_item_put(&kept, &message->item);
                sw_instance_count_in(worker, instance, message);
                continue;
            }
            message->attempts = instance->start_failures;
            sw_retry_refuse(worker, instance->pod, sw_instance_key(instance), message, &refusal);
            sw_message_free(message);
        }
        instance->mailbox[p] = kept;
    }
}

/* Run on_start, the first segment. One that fails leaves nothing: the instance was never there, and
 * is tried again later. */
void sw_segment_start(struct sw_worker *worker, struct sw_instance *instance)
{
    struct sw_pod *pod = instance->pod;
    struct segment segment = {.instance = instance};
    struct sw_err err = {0};

    worker->shared->system->random(worker->shared->system->ctx, instance->random.seed,
                                   sizeof instance->random.seed);
    instance->random.next = 0;
    sw_instance_set_memory(worker, instance, pod->config.memory_bytes);
    segment.record = (struct sw_record_segment){
        .instance = instance->id,
        .pod = pod->config.pod,
        .time_ns = worker->now_ns,
        .spec = instance->spec->number,
        .entry = SW_ENTRY_START,
        .key = sw_instance_key(instance),
        .seed = {instance->random.seed, sizeof instance->random.seed},
        .memory_bytes = instance->memory_bytes,
    };
    if (pod->program->view.has_on_start) {
        if (worker->engine.create(worker->engine.ctx, pod->program->module, instance->memory_bytes,
                                  &worker->turn, &instance->guest, &err) != SW_OK) {
            sw_output_event(worker, instance, "CreateFailed", err.message, instance->epoch);
            start_failed(worker, instance, err.message);
            return;
        }
        sw_hibernate_note_made(worker, instance);
        sw_segment_execute(worker, &segment);
    } else {
        sw_segment_begin(worker, &segment);
        if (!sw_storage_reserve_segment(worker, &segment)) {
            segment.is_undone = true;
            segment.record.code = SW_E_EXHAUSTED;
        }
        sw_turn_end(&worker->turn);
    }
    if (segment.is_undone) {
        sw_instance_sleep(worker, instance);
        if (segment.record.code == SW_E_EXHAUSTED) /* There may be room later. */
            sw_instance_wake_up(worker, instance, SWARM_PRIORITY_NORMAL);
        return;
    }
    if (segment.record.outcome != SW_OUTCOME_DONE) {
        segment.place.epoch = instance->epoch;
        sw_segment_tell_failure(worker, &segment);
        sw_output_logs(worker, instance, instance->epoch);
        start_failed(worker, instance, "on_start failed");
        return;
    }
    sw_segment_commit(worker, &segment);
    instance->is_started = true;
    instance->start_failures = 0;
    pod->ready++;
    sw_resting_put(worker, instance, worker->now_ns);
    sw_instance_set_failing(worker, instance, false);
    sw_output_status(worker, pod);
    if (pod->config.idle_ns != 0) /* Whoever it was started for may have gone meanwhile. */
        sw_instance_set_timer(worker, instance);
}

/* Without durability a guest is new, unless it slept while it waited, or for a move from another
 * worker. */
static enum sw_rc make_volatile(struct sw_worker *worker, struct sw_instance *instance,
                                const struct sw_program *program, struct sw_err *err)
{
    const struct sw_image *image = instance->image;
    enum sw_rc rc =
        worker->engine.create(worker->engine.ctx, program->module, instance->memory_bytes,
                              &worker->turn, &instance->guest, err);

    if (rc == SW_OK && image != NULL)
        rc = worker->engine.load(
            worker->engine.ctx, instance->guest,
            (struct sw_bytes){image->bytes + image->actor_bytes, image->guest_bytes}, err);
    if (rc == SW_OK)
        sw_instance_set_image(worker, instance, NULL);
    return rc;
}

/* Rebuild its memory, which may take a while. */
static enum sw_rc rebuild(struct sw_worker *worker, struct sw_instance *instance,
                          const struct sw_message *message, struct sw_err *err)
{
    enum sw_rc rc;

    worker->running = instance;
    worker->running_message = message;
    sw_overtake_begin(worker, SW_PASS_REPLAY);
    rc = sw_instance_rebuild(worker, instance, err);
    sw_overtake_end(worker, instance);
    worker->running = NULL;
    return rc;
}

bool sw_segment_make_guest(struct sw_worker *worker, struct sw_instance *instance,
                           const struct sw_message *message, struct sw_err *err)
{
    const struct sw_program *program;
    enum sw_rc rc;

    program = sw_program_find(worker, instance->spec->program);
    if (program == NULL) {
        sw_program_want(worker, instance);
        sw_err_set(err, SW_E_UNAVAILABLE, "its program, an older module of the Agent, is not here");
        return false;
    }
    if (!instance->pod->config.is_durable)
        rc = make_volatile(worker, instance, program, err);
    else
        rc = rebuild(worker, instance, message, err);
    if (rc == SW_OK) {
        sw_hibernate_note_made(worker, instance);
        if (instance->actor.wait.kind == SW_WAIT_NONE) /* Else when the wait is over. */
            sw_instance_wake(worker, instance);
        instance->start_failures = 0;
        instance->is_woken = instance->actor.segments > 1; /* Else nothing was entered yet. */
        return true;
    }
    sw_instance_sleep(worker, instance);
    if (rc == SW_E_UNAVAILABLE) /* It was given up, since its Pod closes. */
        return false;
    if (rc == SW_E_EXHAUSTED) { /* May pass: the instance stays as it is. */
        sw_output_event(worker, instance, "NoMemory", err->message, instance->epoch);
        return false;
    }
    instance->is_parked = true;
    sw_retry_release(worker, instance, UINT64_MAX);
    instance->pod->ready--;
    sw_instance_set_timer(worker, instance);
    sw_instance_set_failing(worker, instance, true);
    sw_output_event(worker, instance,
                    rc == SW_E_PRECONDITION  ? "ReplayMismatch"
                    : rc == SW_E_UNSUPPORTED ? "EngineChanged"
                                             : "StateUnreadable",
                    err->message, instance->epoch);
    return false;
}

/* A volatile instance has lost its memory: it begins anew, and who waits for it hears so. */
void sw_segment_restart(struct sw_worker *worker, struct sw_instance *instance)
{
    const struct sw_journal_place place = {0, instance->epoch};
    uint64_t waits = instance->actor.wait.number;

    sw_segment_fail_handles(worker, instance, "the instance was restarted", &place);
    sw_instance_unsubscribe(worker, instance);
    sw_instance_end_wait(worker, instance);
    sw_actor_done(&instance->actor);
    instance->actor.wait.number = waits; /* So that no late answer is taken for another one. */
    instance->is_started = false;
    instance->pod->ready--;
    sw_instance_set_timer(worker, instance);
    sw_output_status(worker, instance->pod);
    sw_instance_wake_up(worker, instance, SWARM_PRIORITY_NORMAL);
}
