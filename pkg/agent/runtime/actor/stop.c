#include "pkg/agent/runtime/actor/segment.h"

#include "include/swarm/agent.h"
#include "pkg/agent/runtime/actor/capture.h"
#include "pkg/agent/store/journal.h"

#include <string.h>

/* How instances end: with their last words, or without. */

/* The turn that waits will not go on: a client that waits for its end hears so. */
static void give_up_turn(struct sw_worker *worker, struct sw_instance *instance, uint64_t epoch)
{
    const struct sw_origin asker = sw_wait_asker(&instance->actor.wait);

    sw_instance_end_wait(worker, instance);
    if (instance->actor.wait.kind != SW_WAIT_NONE)
        sw_dispatch_answer(worker, &(struct sw_answer){.origin = &asker,
                                                       .status = SW_E_UNAVAILABLE,
                                                       .from_key = sw_instance_key(instance),
                                                       .type = {"text/plain", 10},
                                                       .body = {"the instance is gone", 20},
                                                       .epoch = epoch});
    instance->actor.wait.has_asker = false;
}

void sw_segment_fail_handles(struct sw_worker *worker, struct sw_instance *instance,
                             const char *words, const struct sw_journal_place *place)
{
    const struct sw_actor *actor = &instance->actor;
    uint32_t index = 0;

    for (uint32_t i = 0; i < actor->handles_count; i++)
        if (actor->handles[i].origin.kind != SW_ORIGIN_NONE)
            sw_dispatch_answer(worker,
                               &(struct sw_answer){.origin = &actor->handles[i].origin,
                                                   .status = SW_E_UNAVAILABLE,
                                                   .priority = SWARM_PRIORITY_NORMAL,
                                                   .from_key = sw_instance_key(instance),
                                                   .type = {"text/plain", 10},
                                                   .body = {words, strlen(words)},
                                                   .source = {place->lsn, SW_INDEX_ENDED + index++},
                                                   .epoch = place->epoch});
}

void sw_segment_end(struct sw_worker *worker, struct sw_instance *instance, enum sw_entry entry)
{
    struct sw_journal_place place = {0, instance->epoch};
    struct sw_record record = {.kind = SW_RECORD_SEGMENT,
                               .segment = {.instance = instance->id,
                                           .previous = instance->actor.last_lsn,
                                           .pod = instance->pod->config.pod,
                                           .time_ns = worker->now_ns,
                                           .entry = entry}};

    sw_capture_instance_first(worker, instance);
    record.segment.digest = sw_effects_digest((struct sw_bytes){NULL, 0});
    if (entry == SW_ENTRY_RESET && instance->pod->config.is_durable && instance->is_started) {
        if (sw_worker_append(worker, &record, &place) != SW_OK)
            return;
        sw_meter_apply(worker, instance, &record.segment,
                       worker->record.size + SW_JOURNAL_RECORD_HEAD_BYTES, NULL);
    }
    if (entry == SW_ENTRY_STOP)
        place.lsn = instance->actor.last_lsn;
    give_up_turn(worker, instance, place.epoch);
    sw_segment_fail_handles(worker, instance, "the instance is gone", &place);
    sw_instance_unsubscribe(worker, instance);
    sw_instance_remove(worker, instance, SW_E_UNAVAILABLE);
}

/* Run on_stop, the last segment. However it ends, the instance is gone afterwards. */
void sw_segment_stop(struct sw_worker *worker, struct sw_instance *instance)
{
    struct sw_pod *pod = instance->pod;
    /* Its Pod stays: what came is for the next one of its key, or a dead letter of a replica that
     * there is no more. */
    bool is_kept = pod->state == SW_POD_OPEN;
    struct segment segment = {.instance = instance};
    struct sw_err err = {0};

    segment.record = (struct sw_record_segment){.instance = instance->id,
                                                .previous = instance->actor.last_lsn,
                                                .pod = pod->config.pod,
                                                .time_ns = worker->now_ns,
                                                .spec = instance->spec->number,
                                                .entry = SW_ENTRY_STOP};
    if (!instance->is_started || instance->is_parked) {
        if (is_kept)
            sw_pod_keep_mail(worker, instance);
        sw_segment_end(worker, instance, SW_ENTRY_RESET);
    } else {
        give_up_turn(worker, instance, instance->epoch);
        const struct sw_program *program = sw_program_find(worker, instance->spec->program);

        /* One whose older program is not here cannot say goodbye. */
        if (program != NULL && program->view.has_on_stop &&
            sw_segment_prepare(worker, instance, NULL, &err)) {
            sw_instance_wake(worker, instance); /* It waits for nothing any more. */
            sw_segment_execute(worker, &segment);
        } else {
            sw_segment_begin(worker, &segment);
            sw_turn_end(&worker->turn);
        }
        sw_segment_commit(worker, &segment);
        if (is_kept)
            sw_pod_keep_mail(worker, instance);
        if (worker->failure.rc == SW_OK)
            sw_segment_end(worker, instance, SW_ENTRY_STOP);
    }
    if (is_kept)
        sw_pod_give_mail(worker, pod);
    sw_pod_finish_if_empty(worker, pod);
}
