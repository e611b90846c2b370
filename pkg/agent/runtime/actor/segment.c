#include "pkg/agent/runtime/actor/segment.h"

#include "include/swarm/agent.h"
#include "pkg/agent/runtime/actor/calls.h"
#include "pkg/agent/runtime/actor/capture.h"
#include "pkg/agent/runtime/actor/image.h"
#include "pkg/agent/runtime/actor/storage.h"
#include "pkg/agent/store/record_text.h"

#include <stdio.h>
#include <string.h>

/* One segment, from its input to its record and to what follows from that. */

/* Effects that the bus has a part in, and those that leave the actor as it was. */
#define BUS_KINDS                                                                                  \
    (1u << SW_EFFECT_SUBSCRIBE | 1u << SW_EFFECT_UNSUBSCRIBE | 1u << SW_EFFECT_PUBLISH)
#define SENT_KINDS (1u << SW_EFFECT_SEND | 1u << SW_EFFECT_PUBLISH)

/* --- Recording ------------------------------------------------------------------------------- */

/* ret_effects_at may be NULL. */
static enum sw_rc append(struct sw_worker *worker, const struct sw_record *record,
                         uint32_t *ret_effects_at, struct sw_journal_place *ret_place)
{
    struct sw_err err;
    enum sw_rc rc;

    sw_err_clear(&err);
    sw_buffer_reset(&worker->record);
    sw_record_put(record, &worker->record, ret_effects_at);
    rc = sw_buffer_check(&worker->record);
    if (rc == SW_OK)
        rc = sw_journal_append(worker->shared->journal,
                               (struct sw_bytes){worker->record.data, worker->record.size},
                               ret_place, &err);
    if (rc != SW_OK)
        sw_worker_fail(worker, rc, err.message[0] != 0 ? err.message : "no memory for a record");
    else
        worker->appended_epoch = ret_place->epoch;
    return rc;
}

enum sw_rc sw_worker_append(struct sw_worker *worker, const struct sw_record *record,
                            struct sw_journal_place *ret_place)
{
    return append(worker, record, NULL, ret_place);
}

/* What stands before the point of a snapshot may soon be gone: such a body is written once more. */
static void settle_body(const struct sw_worker *worker, struct segment *segment)
{
    struct sw_record_segment *record = &segment->record;

    if (record->body_lsn == 0 || record->body_lsn >= worker->shared->snapshots->point)
        return;
    record->body_lsn = 0;
    record->body_at = 0;
    record->body = segment->message->body;
}

/* What running it again comes to does not stand in the record if it is much. */
static void leave_out(struct sw_worker *worker, struct sw_record_segment *record)
{
    if (record->outcome != SW_OUTCOME_WAITING || (worker->turn.kinds & 1u << SW_EFFECT_CALL) == 0 ||
        record->effects.size < SW_EFFECT_ABSENT_LEAST)
        return;
    sw_buffer_reset(&worker->packed);
    if (sw_effects_pack(record->effects, &worker->packed) && !worker->packed.failed)
        record->effects = (struct sw_bytes){worker->packed.data, worker->packed.size};
}

static void append_segment(struct sw_worker *worker, struct segment *segment)
{
    struct sw_record record;

    segment->place = (struct sw_journal_place){0, segment->instance->epoch};
    if (!segment->instance->pod->config.is_durable)
        return;
    segment->record.digest = sw_effects_digest(segment->record.effects);
    segment->record.cpu_ns = sw_worker_take_time(worker, segment->instance);
    segment->record.is_woken = segment->instance->is_woken;
    if (sw_outcome_counts(segment->record.outcome))
        sw_meter_record_memory(worker, segment->instance, &segment->record);
    record.kind = SW_RECORD_SEGMENT;
    record.segment = segment->record;
    leave_out(worker, &record.segment);
    if (append(worker, &record, &segment->effects_at, &segment->place) == SW_OK) {
        segment->instance->epoch = segment->place.epoch;
        segment->record_bytes = worker->record.size + SW_JOURNAL_RECORD_HEAD_BYTES;
        sw_image_note_tail(worker, segment->instance, 1);
    }
}

/* What was reserved for the subscriptions of a segment that has ended. */
static void give_back(struct sw_worker *worker)
{
    if (worker->reserved > 0)
        sw_bus_give_back(&worker->shared->bus, worker->reserved);
    worker->reserved = 0;
}

/* Append and change or search the subscriptions in one step, so that their order is the journal's.
 */
static void append_on_bus(struct sw_worker *worker, struct segment *segment)
{
    struct sw_instance *instance = segment->instance;
    struct sw_bytes space = instance->pod->config.name_space;
    struct sw_bus *bus = &worker->shared->bus;
    struct sw_subscriber who = {.instance = instance->id,
                                .pod = instance->pod->config.pod,
                                .is_durable = instance->pod->config.is_durable};
    struct sw_reader reader = sw_reader_of(worker->turn.effects.data, worker->turn.effects.size);
    struct sw_effect effect;
    enum sw_rc rc = SW_OK;

    pthread_mutex_lock(&bus->mutex);
    append_segment(worker, segment);
    for (uint32_t i = 0; rc == SW_OK && sw_effect_take(&reader, &effect); i++) {
        if (effect.kind == SW_EFFECT_SUBSCRIBE)
            rc = sw_bus_add(bus, &who, space, effect.to);
        else if (effect.kind == SW_EFFECT_UNSUBSCRIBE)
            sw_bus_remove(bus, instance->id, space, effect.to);
        else if (effect.kind == SW_EFFECT_PUBLISH)
            sw_dispatch_match(worker, space, effect.to, i);
    }
    pthread_mutex_unlock(&bus->mutex);
    give_back(worker);
    if (rc != SW_OK)
        sw_worker_fail(worker, rc, "no memory for a subscription");
}

/* --- Running --------------------------------------------------------------------------------- */

enum sw_outcome sw_segment_outcome(enum sw_guest_end end)
{
    switch (end) {
    case SW_GUEST_DONE:
        return SW_OUTCOME_DONE;
    case SW_GUEST_FAILED:
        return SW_OUTCOME_FAILED;
    case SW_GUEST_TRAPPED:
        return SW_OUTCOME_TRAPPED;
    case SW_GUEST_DEADLINE:
        return SW_OUTCOME_DEADLINE;
    case SW_GUEST_NO_MEMORY:
        return SW_OUTCOME_NO_MEMORY;
    case SW_GUEST_CRASHED:
        return SW_OUTCOME_CRASHED;
    case SW_GUEST_OUT_OF_FUEL:
        return SW_OUTCOME_OUT_OF_FUEL;
    case SW_GUEST_WAITING:
        return SW_OUTCOME_WAITING;
    }
    return SW_OUTCOME_TRAPPED;
}

void sw_segment_begin(struct sw_worker *worker, const struct segment *segment)
{
    struct sw_instance *instance = segment->instance;
    const struct sw_pod_config *config = &instance->pod->config;
    const struct sw_spec *spec = segment->spec != NULL ? segment->spec : instance->spec;
    const struct sw_record_segment *record = &segment->record;
    enum sw_entry entry = record->entry;

    sw_turn_begin(
        &worker->turn,
        &(struct sw_turn_options){
            .actor = &instance->actor,
            .host = &worker->turn_host,
            .watch = &worker->turn_watch,
            .self = {&config->name_space, &config->agent, &spec->config, sw_instance_key(instance)},
            .time_ns = record->time_ns,
            .random = &instance->random,
            .has_fired = entry == SW_ENTRY_TIMER && record->again == 0,
            .fired = record->timer,
            .can_wait = sw_segment_can_wait(entry),
            .takes_sends = !config->is_durable,
            .timers_max = spec->timers_max,
            .handle = record->has_message && (record->head.flags & SWARM_MESSAGE_WANTS_REPLY) != 0
                          ? sw_actor_next_handle(&instance->actor)
                          : 0,
        });
    worker->running = instance;
    worker->running_origin = &segment->record.head.origin;
    worker->running_message = segment->message;
    worker->has_ask = false;
    worker->answered.instance = 0;
    worker->fanout = 0;
    give_back(worker);
    sw_storage_give_back(worker);
    worker->storage_given = entry == SW_ENTRY_STOP ? instance->pages * SW_USAGE_PAGE_BYTES : 0;
    sw_buffer_reset(&worker->targets);
}

void sw_segment_judge(const struct sw_turn *turn, struct sw_guest_outcome *outcome)
{
    bool is_waiting = outcome->end == SW_GUEST_WAITING;

    if (outcome->end != SW_GUEST_DONE && !is_waiting)
        return;
    if (turn->lacks_memory) {
        outcome->end = SW_GUEST_NO_MEMORY;
        outcome->code = SW_E_EXHAUSTED;
        snprintf(outcome->report, sizeof outcome->report,
                 "the agent host had no memory for what it asked for");
    }
    if (turn->lacks_memory || is_waiting == turn->is_waiting)
        return;
    outcome->end = SW_GUEST_FAILED;
    outcome->code = SW_E_PRECONDITION;
    snprintf(outcome->report, sizeof outcome->report,
             is_waiting ? "the handler ended as waiting and waits for nothing"
                        : "the handler began to wait and ended as if it had not");
}

/* A segment that does not end as waiting has no ask, and what it answered is open still. */
static void settle_ask(struct sw_worker *worker, const struct segment *segment)
{
    struct sw_waits *waits = &worker->shared->waits;
    enum sw_outcome outcome = segment->record.outcome;

    if (worker->has_ask && outcome != SW_OUTCOME_WAITING)
        sw_waits_remove(waits, segment->instance->id, segment->instance->actor.wait.number + 1);
    if (worker->answered.instance != 0 && !sw_outcome_counts(outcome))
        sw_waits_set_answered(waits, worker->answered.instance, worker->answered.number, false);
}

/* Whether its input can be handled again. What a volatile instance had is lost. */
static bool can_be_undone(const struct segment *segment)
{
    enum sw_entry entry = segment->record.entry;

    return segment->instance->pod->config.is_durable && entry != SW_ENTRY_STOP &&
           entry != SW_ENTRY_UPGRADE;
}

/* Whether there is room for its record. If not it is as if it had failed, and undone if it can be.
 * A start that failed has none. */
static bool has_storage(struct sw_worker *worker, struct segment *segment)
{
    struct sw_record_segment *record = &segment->record;

    if ((record->entry == SW_ENTRY_START && record->outcome != SW_OUTCOME_DONE) ||
        sw_storage_reserve_segment(worker, segment))
        return true;
    record->outcome = SW_OUTCOME_FAILED;
    record->code = SW_E_EXHAUSTED;
    snprintf(worker->outcome.report, sizeof worker->outcome.report,
             "the quota of the namespace (storage) is used up");
    return false;
}

void sw_segment_execute(struct sw_worker *worker, struct segment *segment)
{
    struct sw_instance *instance = segment->instance;
    struct sw_record_segment *record = &segment->record;
    struct sw_guest_message message;
    struct sw_guest_input input;

    sw_segment_begin(worker, segment);
    sw_segment_input(record, &message, &input);
    input.deadline_ms = instance->pod->config.deadline_ms;
    input.fuel_max = instance->pod->config.fuel_max;
    if (segment->message != NULL)
        message.body = segment->message->body;
    message.reply_handle = worker->turn.handle;
    if (message.reply_handle != 0 && sw_actor_open_handles(&instance->actor) >= SW_HANDLES_MAX) {
        record->outcome = SW_OUTCOME_REFUSED;
        record->code = SW_E_EXHAUSTED;
        snprintf(worker->outcome.report, sizeof worker->outcome.report,
                 "%u messages wait for a reply of this instance", SW_HANDLES_MAX);
    } else {
        sw_overtake_begin(worker, SW_PASS_SEGMENT);
        sw_segment_enter(worker, segment, instance->guest, &input);
        segment->is_undone = worker->outcome.end == SW_GUEST_DEADLINE &&
                             sw_overtake_is_for_later(instance) && can_be_undone(segment);
        sw_overtake_end(worker, instance);
        sw_segment_judge(&worker->turn, &worker->outcome);
        record->outcome = sw_segment_outcome(worker->outcome.end);
        record->code = worker->outcome.code;
        record->fuel = worker->outcome.fuel;
    }
    if (!segment->is_undone && !has_storage(worker, segment))
        segment->is_undone = can_be_undone(segment);
    sw_turn_end(&worker->turn);
    settle_ask(worker, segment);
    if (!sw_outcome_counts(record->outcome))
        give_back(worker);
    worker->running = NULL;
}

static void tell_asker(struct sw_worker *worker, const struct segment *segment,
                       const struct sw_origin *origin, uint32_t index)
{
    const char *report = worker->outcome.report;

    sw_dispatch_answer(worker, &(struct sw_answer){.origin = origin,
                                                   .status = sw_outcome_code(&segment->record),
                                                   .priority = segment->record.head.priority,
                                                   .from_key = sw_instance_key(segment->instance),
                                                   .type = {"text/plain", 10},
                                                   .body = {report, strcspn(report, "\n")},
                                                   .source = {segment->place.lsn, index},
                                                   .epoch = segment->place.epoch});
}

/* The handler did not come to its end: whoever asked hears of it, and so do people. */
void sw_segment_tell_failure(struct sw_worker *worker, const struct segment *segment)
{
    const struct sw_record_segment *record = &segment->record;
    const char *report = worker->outcome.report;

    sw_output_event(worker, segment->instance,
                    record->entry == SW_ENTRY_UPGRADE ? "UpgradeFailed"
                                                      : sw_outcome_reason(record->outcome),
                    report, segment->place.epoch);
    worker->counts.failures++;
    if (record->entry == SW_ENTRY_RESUME && !record->waits_on)
        tell_asker(worker, segment, &segment->asker, SW_INDEX_FAILURE);
    if (record->has_message && record->fate != SW_FATE_RETRY)
        tell_asker(worker, segment, &record->head.origin,
                   record->entry == SW_ENTRY_RESUME ? SW_INDEX_RECEIVED : SW_INDEX_FAILURE);
}

static void acknowledge(struct sw_worker *worker, const struct segment *segment,
                        const struct sw_origin *origin)
{
    if (origin->kind == SW_ORIGIN_CLIENT)
        sw_dispatch_answer(worker,
                           &(struct sw_answer){.origin = origin,
                                               .from_key = sw_instance_key(segment->instance),
                                               .epoch = segment->place.epoch});
}

/* Senders who only wait for their message to be handled: it is when its turn is over, and one that
 * a turn received when the segment is that did so. */
static void tell_success(struct sw_worker *worker, const struct segment *segment)
{
    const struct sw_record_segment *record = &segment->record;
    const struct sw_wait *wait = &segment->instance->actor.wait;

    if (record->outcome == SW_OUTCOME_DONE && wait->has_asker &&
        record->entry != SW_ENTRY_RELEASE) {
        const struct sw_origin asker = sw_wait_asker(wait);

        acknowledge(worker, segment, &asker);
    }
    if (record->entry == SW_ENTRY_RESUME && record->has_message &&
        (record->head.flags & SWARM_MESSAGE_WANTS_REPLY) == 0)
        acknowledge(worker, segment, &record->head.origin);
}

/* Have it run when something is due. */
static void look_at_timers(struct sw_worker *worker, struct sw_instance *instance)
{
    if (instance->actor.timers_count > 0 || instance->actor.wait.kind != SW_WAIT_NONE ||
        instance->timer.at != SW_HEAP_ABSENT || instance->pod->config.idle_ns != 0)
        sw_instance_set_timer(worker, instance);
}

/* The same, or when there is what it waits for, or, when its turn or its being held is over, what
 * came meanwhile: messages, and its Pod's next program. */
static void look_further(struct sw_worker *worker, struct sw_instance *instance,
                         enum sw_entry entry)
{
    const struct sw_wait *wait = &instance->actor.wait;
    bool is_over =
        wait->kind == SW_WAIT_NONE && (entry == SW_ENTRY_RESUME || entry == SW_ENTRY_RELEASE);

    look_at_timers(worker, instance);
    if (wait->kind == SW_WAIT_RECEIVE || is_over)
        for (uint32_t p = 0; p < SW_PRIORITIES; p++)
            if (instance->mailbox[p] != NULL)
                sw_instance_wake_up(worker, instance, p);
    if (is_over && sw_pod_is_to_upgrade(instance->pod, instance))
        sw_instance_wake_up(worker, instance, SWARM_PRIORITY_LOW);
}

/* What a volatile instance used, but for the time, which its Agent was charged. */
static void meter_volatile(struct sw_worker *worker, const struct segment *segment)
{
    struct sw_instance *instance = segment->instance;
    struct sw_meter *meter = &instance->pod->meter;
    const struct sw_turn *turn = &worker->turn;
    uint64_t memory = worker->engine.memory == NULL
                          ? ~worker->memory_seen
                          : atomic_load_explicit(worker->engine.memory, memory_order_relaxed);

    meter->used.handled += segment->record.has_message;
    meter->used.bytes_in += segment->record.body_bytes;
    meter->used.wakeups += instance->is_woken;
    meter->used.fuel += segment->record.fuel;
    instance->is_woken = false;
    if (sw_outcome_counts(segment->record.outcome)) {
        meter->used.sent += turn->sent;
        meter->used.bytes_out += turn->sent_bytes;
        if (memory != worker->memory_seen || segment->record.entry == SW_ENTRY_START)
            sw_meter_look_at_memory(worker, instance);
        worker->memory_seen = memory;
    }
    if (!meter->is_due)
        sw_meter_set_due(worker, instance->pod);
}

/* The same of a durable one, by its record. */
static void meter_record(struct sw_worker *worker, const struct segment *segment)
{
    bool is_done = sw_outcome_counts(segment->record.outcome);
    const struct sw_usage sent = {.sent = is_done ? worker->turn.sent : 0,
                                  .bytes_out = is_done ? worker->turn.sent_bytes : 0};

    segment->instance->is_woken = false;
    sw_meter_apply(worker, segment->instance, &segment->record, segment->record_bytes, &sent);
}

/* Whether what a segment asks for waits for a release: not if it is that. */
static bool is_held(const struct segment *segment)
{
    return sw_actor_is_held(&segment->instance->actor) && segment->record.entry != SW_ENTRY_RELEASE;
}

/* A message that was handled well, where nothing is recorded, has often left nothing but what was
 * made of its sends: of all that commit_any does only this is to be done then. False: there is
 * more, and nothing was done. */
static bool commit_plain(struct sw_worker *worker, struct segment *segment)
{
    struct sw_instance *instance = segment->instance;
    const struct sw_turn *turn = &worker->turn;

    if (instance->pod->config.is_durable || worker->failure.rc != SW_OK ||
        !sw_turn_is_plain(turn) || !sw_actor_is_plain(&instance->actor, &segment->record))
        return false;
    segment->place = (struct sw_journal_place){0, instance->epoch};
    if (turn->taken != NULL)
        sw_dispatch_effects(worker, instance, segment->message, segment->place, 0, false);
    meter_volatile(worker, segment);
    sw_actor_apply_plain(&instance->actor, &segment->record, 0);
    instance->random = turn->random;
    worker->counts.segments++;
    look_at_timers(worker, instance);
    return true;
}

static void commit_any(struct sw_worker *worker, struct segment *segment)
{
    struct sw_instance *instance = segment->instance;
    struct sw_turn *turn = &worker->turn;
    struct sw_record_segment *record = &segment->record;
    struct sw_err err;
    bool is_done = sw_outcome_counts(record->outcome), holds = is_held(segment);

    sw_err_clear(&err);
    settle_body(worker, segment);
    if (record->entry == SW_ENTRY_RESUME)
        segment->asker = sw_actor_asker(&instance->actor); /* As it is before the record. */
    if (!is_done) {
        sw_buffer_reset(&turn->effects);
        sw_turn_drop_taken(turn);
    }
    if (turn->results.failed || turn->routes.failed || turn->used_handles.failed ||
        turn->timers.failed || turn->patterns.failed) {
        sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for a segment");
        return;
    }
    record->effects = (struct sw_bytes){turn->effects.data, turn->effects.size};
    record->routes = (struct sw_bytes){turn->routes.data, is_done ? turn->routes.size : 0};
    record->results = (struct sw_bytes){turn->results.data, is_done ? turn->results.size : 0};
    if (is_done && (turn->kinds & BUS_KINDS) != 0 && !holds)
        append_on_bus(worker, segment);
    else
        append_segment(worker, segment);
    if (worker->failure.rc != SW_OK)
        return;
    if (is_done)
        sw_dispatch_effects(worker, instance, segment->message, segment->place, segment->effects_at,
                            holds);
    if (segment->place.lsn != 0)
        meter_record(worker, segment);
    else
        meter_volatile(worker, segment);
    if ((turn->kinds & ~SENT_KINDS) == 0 &&
        !holds) /* Nothing for the actor in them: not worth reading. */
        record->effects.size = 0;
    if (sw_actor_apply(&instance->actor, record, segment->place.lsn, &err) != SW_OK) {
        sw_worker_fail(worker, err.rc, err.message);
        return;
    }
    if (is_done)
        instance->random = turn->random;
    if (turn->logs.size > 0)
        sw_output_logs(worker, instance, segment->place.epoch);
    worker->counts.segments++;
    if (is_done)
        tell_success(worker, segment);
    else
        sw_segment_tell_failure(worker, segment);
    if (record->outcome == SW_OUTCOME_WAITING ||
        (record->outcome == SW_OUTCOME_REFUSED && record->waits_on))
        sw_instance_begin_wait(worker, instance);
    if (record->outcome == SW_OUTCOME_WAITING) {
        sw_dispatch_note_above(worker, instance);
        sw_call_send(worker, instance);
    }
    look_further(worker, instance, record->entry);
}

void sw_segment_commit(struct sw_worker *worker, struct segment *segment)
{
    if (commit_plain(worker, segment))
        return;
    commit_any(worker, segment);
    sw_storage_give_back(worker);
}
