#include "pkg/agent/runtime/actor/segment.h"

#include "include/swarm/agent.h"
#include "pkg/agent/runtime/actor/calls.h"
#include "pkg/agent/runtime/actor/capture.h"
#include "pkg/agent/runtime/actor/retry.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_INLINE_MAX 64u
#define GUEST_FETCH_BYTES 128u /* Of what is looked at first when it is entered. */
/* Effects that the bus has a part in, and those that leave the actor as it was. */
#define BUS_KINDS                                                                                  \
    (1u << SW_EFFECT_SUBSCRIBE | 1u << SW_EFFECT_UNSUBSCRIBE | 1u << SW_EFFECT_PUBLISH)
#define SENT_KINDS (1u << SW_EFFECT_SEND | 1u << SW_EFFECT_PUBLISH)

/* --- Recording ------------------------------------------------------------------------------- */

enum sw_rc sw_worker_append(struct sw_worker *worker, const struct sw_record *record,
                            struct sw_journal_place *ret_place)
{
    struct sw_err err = {0};
    enum sw_rc rc;

    sw_buffer_reset(&worker->record);
    sw_record_put(record, &worker->record, NULL);
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

static void append_segment(struct sw_worker *worker, struct segment *segment)
{
    struct sw_record record;
    struct sw_err err;
    enum sw_rc rc;

    sw_err_clear(&err);
    segment->place = (struct sw_journal_place){0, segment->instance->epoch};
    if (!segment->instance->pod->config.is_durable)
        return;
    segment->record.digest = sw_effects_digest(segment->record.effects);
    record.kind = SW_RECORD_SEGMENT;
    record.segment = segment->record;
    sw_buffer_reset(&worker->record);
    sw_record_put(&record, &worker->record, &segment->effects_at);
    rc = sw_buffer_check(&worker->record);
    if (rc == SW_OK)
        rc = sw_journal_append(worker->shared->journal,
                               (struct sw_bytes){worker->record.data, worker->record.size},
                               &segment->place, &err);
    if (rc != SW_OK)
        sw_worker_fail(worker, rc, err.message[0] != 0 ? err.message : "no memory for a record");
    segment->instance->epoch = segment->place.epoch;
    worker->appended_epoch = segment->place.epoch;
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
            .can_wait =
                entry != SW_ENTRY_START && entry != SW_ENTRY_STOP && entry != SW_ENTRY_UPGRADE,
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
    sw_buffer_reset(&worker->targets);
}

void sw_segment_input(const struct sw_record_segment *record, struct sw_guest_message *ret_message,
                      struct sw_guest_input *ret_input)
{
    static const enum sw_guest_entry entries[] = {
        [SW_ENTRY_START] = SW_GUEST_START,    [SW_ENTRY_MESSAGE] = SW_GUEST_MESSAGE,
        [SW_ENTRY_TIMER] = SW_GUEST_TIMER,    [SW_ENTRY_STOP] = SW_GUEST_STOP,
        [SW_ENTRY_RESET] = SW_GUEST_STOP,     [SW_ENTRY_RESUME] = SW_GUEST_RESUME,
        [SW_ENTRY_UPGRADE] = SW_GUEST_UPGRADE};
    const struct sw_message_head *head = &record->head;
    bool is_answer = (head->flags & SW_MESSAGE_ENDS_WAIT) != 0;

    *ret_message = (struct sw_guest_message){.flags = head->flags & ~SW_MESSAGE_ENDS_WAIT,
                                             .priority = head->priority,
                                             .time_ns = record->time_ns,
                                             .tag = is_answer ? 0 : head->tag,
                                             .status = head->status,
                                             .from = head->from,
                                             .subject = head->subject,
                                             .type = head->type};
    *ret_input = (struct sw_guest_input){.entry = entries[record->entry],
                                         .message = record->has_message ? ret_message : NULL,
                                         .timer = record->timer,
                                         .status = is_answer ? head->status : record->ended};
}

void sw_segment_judge(const struct sw_turn *turn, struct sw_guest_outcome *outcome)
{
    bool is_waiting = outcome->end == SW_GUEST_WAITING;

    if ((outcome->end != SW_GUEST_DONE && !is_waiting) || is_waiting == turn->is_waiting)
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

void sw_segment_execute(struct sw_worker *worker, struct segment *segment)
{
    struct sw_instance *instance = segment->instance;
    struct sw_record_segment *record = &segment->record;
    struct sw_guest_message message;
    struct sw_guest_input input;

    sw_segment_begin(worker, segment);
    sw_segment_input(record, &message, &input);
    input.deadline_ms = instance->pod->config.deadline_ms;
    if (segment->message != NULL)
        message.body = segment->message->body;
    message.reply_handle = worker->turn.handle;
    if (message.reply_handle != 0 && sw_actor_waiting(&instance->actor) >= SW_HANDLES_MAX) {
        record->outcome = SW_OUTCOME_REFUSED;
        record->code = SW_E_EXHAUSTED;
        snprintf(worker->outcome.report, sizeof worker->outcome.report,
                 "%u messages wait for a reply of this instance", SW_HANDLES_MAX);
    } else {
        sw_overtake_begin(worker, SW_PASS_SEGMENT);
        sw_segment_enter(worker, segment, &input);
        segment->is_undone = worker->outcome.end == SW_GUEST_DEADLINE &&
                             sw_overtake_is_for_later(instance) && can_be_undone(segment);
        sw_overtake_end(worker, instance);
        sw_segment_judge(&worker->turn, &worker->outcome);
        record->outcome = sw_segment_outcome(worker->outcome.end);
        record->code = worker->outcome.code;
    }
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
static void tell_failure(struct sw_worker *worker, const struct segment *segment)
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

    if (record->outcome == SW_OUTCOME_DONE)
        acknowledge(worker, segment, &segment->instance->actor.wait.asker);
    if (record->entry == SW_ENTRY_RESUME && record->has_message &&
        (record->head.flags & SWARM_MESSAGE_WANTS_REPLY) == 0)
        acknowledge(worker, segment, &record->head.origin);
}

/* Have it run when there is what it waits for, or, when its turn is over, what came meanwhile. */
static void look_further(struct sw_worker *worker, struct sw_instance *instance, bool was_waiting)
{
    const struct sw_wait *wait = &instance->actor.wait;

    if (instance->actor.timers_count > 0 || wait->kind != SW_WAIT_NONE ||
        instance->timer.at != SW_HEAP_ABSENT || instance->pod->config.idle_ns != 0)
        sw_instance_set_timer(worker, instance);
    if (wait->kind == SW_WAIT_RECEIVE || (was_waiting && wait->kind == SW_WAIT_NONE))
        for (uint32_t p = 0; p < SW_PRIORITIES; p++)
            if (instance->mailbox[p] != NULL)
                sw_instance_wake_up(worker, instance, p);
}

void sw_segment_commit(struct sw_worker *worker, struct segment *segment)
{
    struct sw_instance *instance = segment->instance;
    struct sw_turn *turn = &worker->turn;
    struct sw_record_segment *record = &segment->record;
    struct sw_err err;
    bool is_done = sw_outcome_counts(record->outcome);

    sw_err_clear(&err);
    settle_body(worker, segment);
    if (record->entry == SW_ENTRY_RESUME)
        segment->asker = *sw_actor_asker(&instance->actor); /* As it is before the record. */
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
    if (is_done && (turn->kinds & BUS_KINDS) != 0)
        append_on_bus(worker, segment);
    else
        append_segment(worker, segment);
    if (worker->failure.rc != SW_OK)
        return;
    if (is_done)
        sw_dispatch_effects(worker, instance, segment->message, segment->place,
                            segment->effects_at);
    if ((turn->kinds & ~SENT_KINDS) == 0) /* Nothing for the actor in them: not worth reading. */
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
        tell_failure(worker, segment);
    if (record->outcome == SW_OUTCOME_WAITING ||
        (record->outcome == SW_OUTCOME_REFUSED && record->waits_on))
        sw_instance_begin_wait(worker, instance);
    if (record->outcome == SW_OUTCOME_WAITING)
        sw_call_send(worker, instance);
    look_further(worker, instance, record->entry == SW_ENTRY_RESUME);
}

/* --- Starting -------------------------------------------------------------------------------- */

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
static void start(struct sw_worker *worker, struct sw_instance *instance)
{
    struct sw_pod *pod = instance->pod;
    struct segment segment = {.instance = instance};
    struct sw_err err = {0};

    worker->shared->system->random(worker->shared->system->ctx, instance->random.seed,
                                   sizeof instance->random.seed);
    instance->random.next = 0;
    instance->memory_bytes = pod->config.memory_bytes;
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
        sw_segment_execute(worker, &segment);
    } else {
        sw_segment_begin(worker, &segment);
        sw_turn_end(&worker->turn);
    }
    if (segment.is_undone) {
        sw_instance_sleep(worker, instance);
        return;
    }
    if (segment.record.outcome != SW_OUTCOME_DONE) {
        segment.place.epoch = instance->epoch;
        tell_failure(worker, &segment);
        sw_output_logs(worker, instance, instance->epoch);
        start_failed(worker, instance, "on_start failed");
        return;
    }
    sw_segment_commit(worker, &segment);
    instance->is_started = true;
    instance->start_failures = 0;
    pod->ready++;
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

bool sw_segment_prepare(struct sw_worker *worker, struct sw_instance *instance,
                        const struct sw_message *message, struct sw_err *err)
{
    const struct sw_program *program;
    enum sw_rc rc;

    if (instance->guest != NULL)
        return true;
    program = sw_program_find(worker, instance->spec->digest);
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
        instance->start_failures = 0;
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
static void restart_volatile(struct sw_worker *worker, struct sw_instance *instance)
{
    uint64_t waits = instance->actor.wait.number;

    for (uint32_t i = 0; i < instance->actor.handles_count; i++)
        if (instance->actor.handles[i].origin.kind != SW_ORIGIN_NONE)
            sw_dispatch_answer(worker,
                               &(struct sw_answer){.origin = &instance->actor.handles[i].origin,
                                                   .status = SW_E_UNAVAILABLE,
                                                   .priority = SWARM_PRIORITY_NORMAL,
                                                   .from_key = sw_instance_key(instance),
                                                   .type = {"text/plain", 10},
                                                   .body = {"the instance was restarted", 26},
                                                   .epoch = instance->epoch});
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

/* --- One input ------------------------------------------------------------------------------- */

/* Begin the record of a segment, which is zeroed: what it is about. */
static void begin_record(struct sw_worker *worker, struct segment *segment)
{
    const struct sw_instance *instance = segment->instance;
    const struct sw_message *message = segment->message;
    struct sw_record_segment *record = &segment->record;

    record->instance = instance->id;
    record->previous = instance->actor.last_lsn;
    record->pod = instance->pod->config.pod;
    record->time_ns = worker->now_ns;
    record->spec = instance->spec->number;
    record->entry = SW_ENTRY_MESSAGE;
    if (message != NULL && message->is_timer) {
        record->entry = SW_ENTRY_TIMER;
        record->timer = message->head.tag;
        record->again = message->head.source.lsn;
    }
    if (message == NULL || message->is_timer)
        return;
    record->has_message = true;
    record->head = message->head;
    record->body_bytes = (uint32_t)message->body.size;
    if (message->body_lsn != 0 && message->body.size > BODY_INLINE_MAX) {
        record->body_lsn = message->body_lsn;
        record->body_at = message->body_at;
    } else {
        record->body = message->body;
    }
}

/* Timers and messages may have been overtaken while they waited. */
static bool is_stale(struct sw_worker *worker, const struct sw_instance *instance,
                     const struct sw_message *message)
{
    const struct sw_actor_timer *timer;

    if (message->is_timer && message->head.source.lsn != 0)
        return false; /* Delivered again, whatever its actor has by now. */
    if (message->is_timer) {
        timer = sw_actor_timer(&instance->actor, message->head.tag);
        return timer == NULL || !timer->is_queued;
    }
    if (message->deadline_ns == 0 || worker->monotonic_ns <= message->deadline_ns)
        return false;
    sw_dispatch_refuse(worker, message, SW_E_TIMEOUT, "it waited too long in the mailbox");
    return true;
}

/* Whether a client repeats a request that was handled: it gets the first answer, now or when it is
 * given. The last to ask hears it; whoever asked before is told so. */
static bool answer_repeat(struct sw_worker *worker, struct sw_instance *instance,
                          const struct sw_message_head *head)
{
    static const char words[] = "a repeat of this request waits for the answer now";
    struct sw_answer answer = {.priority = head->priority,
                               .from_key = sw_instance_key(instance),
                               .epoch = instance->epoch};
    struct sw_request_view request;
    struct sw_handle *handle;

    if (!sw_requests_find(instance->actor.requests, head->request_id, worker->now_ns, &request))
        return false;
    handle = request.handle == 0 ? NULL : sw_actor_handle(&instance->actor, request.handle);
    if (handle == NULL) {
        answer.origin = &head->origin;
        answer.status = request.status;
        answer.type = request.type;
        answer.body = request.body;
        sw_dispatch_answer(worker, &answer);
        return true;
    }
    answer.origin = &handle->origin;
    answer.status = SW_E_CANCELLED;
    answer.type = (struct sw_bytes){"text/plain", 10};
    answer.body = (struct sw_bytes){words, sizeof words - 1};
    sw_dispatch_answer(worker, &answer);
    handle->origin = head->origin;
    return true;
}

/* Whether it has to wait behind one that is tried again. */
static bool is_behind_held(const struct sw_instance *instance, const struct sw_message *message)
{
    return instance->held != NULL && sw_held_blocks(instance->held, message);
}

static bool is_repeat(struct sw_worker *worker, struct sw_instance *instance,
                      const struct sw_message *message)
{
    const struct sw_message_head *head = &message->head;

    return head->request_id.size != 0 && !message->is_timer &&
           head->origin.kind == SW_ORIGIN_CLIENT && answer_repeat(worker, instance, head);
}

/* The instance cannot run now. A client may try again; what an instance sent, and a timer, cannot:
 * it waits, since the record that it came from says that it is on its way. For one that cannot run
 * any more it is a dead letter. */
static void postpone(struct sw_worker *worker, struct sw_instance *instance,
                     struct sw_message *message, uint32_t priority, const char *words)
{
    if (!instance->is_parked && message->head.origin.kind != SW_ORIGIN_CLIENT) {
        sw_instance_put_back(worker, instance, message, priority);
        sw_instance_back_off(worker, instance);
        return;
    }
    if (!instance->is_parked)
        sw_dispatch_refuse(worker, message, SW_E_UNAVAILABLE, words);
    else if (!message->is_timer || message->head.source.lsn != 0)
        sw_retry_refuse(worker, instance->pod, sw_instance_key(instance), message,
                        &sw_refused_parked);
    sw_message_free(message);
}

/* One that long segments keep from being saved would be rebuilt from all of its records. */
static void make_image(struct sw_worker *worker, struct sw_instance *instance)
{
    if (!instance->wants_image || instance->guest == NULL)
        return;
    instance->wants_image = false;
    if (worker->images_bytes < SW_IMAGES_BYTES_MAX)
        sw_instance_set_image(worker, instance, sw_image_new(worker, instance, NULL));
}

/* The turn goes on later, and nobody waits for its end: what it handles is kept for as long. True:
 * it was, and is not the caller's any more. */
static bool keep_handled(struct sw_worker *worker, const struct segment *segment,
                         struct sw_message *message)
{
    if (segment->record.outcome != SW_OUTCOME_WAITING || worker->failure.rc != SW_OK ||
        !segment->instance->pod->config.is_durable || !sw_record_begins_unheard(&segment->record))
        return false;
    sw_instance_set_handled(worker, segment->instance, message);
    return true;
}

/* After a segment. If it failed its memory may be in the middle of a change. True: the message that
 * it had is kept, for its next try or for the time of its turn, and not the caller's any more. */
static bool clean_up(struct sw_worker *worker, const struct segment *segment,
                     struct sw_message *message)
{
    struct sw_instance *instance = segment->instance;
    enum sw_outcome outcome = segment->record.outcome;
    bool is_held = false;

    if (sw_outcome_counts(outcome) || outcome == SW_OUTCOME_REFUSED) {
        make_image(worker, instance);
        if (outcome == SW_OUTCOME_REFUSED && worker->failure.rc == SW_OK) /* A turn may be over. */
            (void)sw_retry_settle(worker, instance, message, &segment->record, segment->place.lsn);
        if (instance->actor.wait.kind == SW_WAIT_NONE)
            sw_instance_set_handled(worker, instance, NULL);
        return keep_handled(worker, segment, message);
    }
    sw_instance_sleep(worker, instance);
    instance->has_trapped = true;
    if (worker->failure.rc == SW_OK)
        is_held = sw_retry_settle(worker, instance, message, &segment->record, segment->place.lsn);
    if (instance->actor.wait.kind == SW_WAIT_NONE)
        sw_instance_set_handled(worker, instance, NULL);
    if (!instance->pod->config.is_durable)
        restart_volatile(worker, instance);
    return is_held;
}

/* It was in the way of something, and is as if it had not begun: its message is in the mailbox
 * again. */
static void undo(struct sw_worker *worker, struct sw_instance *instance, struct sw_message *message)
{
    sw_turn_drop_taken(&worker->turn);
    sw_instance_sleep(worker, instance);
    if (message != NULL) {
        sw_instance_put_back(worker, instance, message, message->head.priority);
        sw_instance_wake_up(worker, instance, message->head.priority);
    }
}

/* True: the message waits for its next try, and is not the caller's any more. */
static bool handle(struct sw_worker *worker, struct sw_instance *instance,
                   struct sw_message *message)
{
    struct segment segment = {.instance = instance, .message = message};

    if (message->epoch > instance->epoch)
        instance->epoch = message->epoch;
    begin_record(worker, &segment);
    sw_segment_execute(worker, &segment);
    if (segment.is_undone) {
        undo(worker, instance, message);
        return true;
    }
    if (!sw_outcome_counts(segment.record.outcome))
        sw_retry_decide(worker, instance, message, &segment.record);
    sw_segment_commit(worker, &segment);
    return clean_up(worker, &segment, message);
}

/* --- Going on after a wait -------------------------------------------------------------------- */

/* Whether the turn may have it; otherwise it was dealt with. Timers are no messages: they come back
 * when the turn is over, those of the actor by themselves, those that were delivered again out of
 * *timers. */
static bool can_receive(struct sw_worker *worker, struct sw_instance *instance,
                        struct sw_message *message, struct sw_item **timers)
{
    struct sw_actor_timer *timer;

    if (message->is_timer && message->head.source.lsn != 0) {
        sw_item_put(timers, &message->item);
    } else if (message->is_timer) {
        timer = sw_actor_timer(&instance->actor, message->head.tag);
        if (timer != NULL)
            timer->is_queued = false;
        sw_message_free(message);
    } else if (is_stale(worker, instance, message) || is_repeat(worker, instance, message)) {
        sw_message_free(message);
    } else if (is_behind_held(instance, message)) {
        sw_retry_hold(worker, instance, message);
    } else {
        return true;
    }
    return false;
}

static void put_timers_back(struct sw_worker *worker, struct sw_instance *instance,
                            struct sw_item *timers, uint32_t priority)
{
    struct sw_item *item;

    while ((item = sw_item_get(&timers)) != NULL)
        sw_instance_put_back(worker, instance, (struct sw_message *)(void *)item, priority);
}

/* The next message for a turn that receives. */
static struct sw_message *take_received(struct sw_worker *worker, struct sw_instance *instance)
{
    struct sw_message *message;

    for (uint32_t p = SW_PRIORITIES; p > 0; p--) {
        struct sw_item *timers = NULL;

        do {
            message = sw_instance_take(worker, instance, p - 1);
        } while (message != NULL && !can_receive(worker, instance, message, &timers));
        put_timers_back(worker, instance, timers, p - 1);
        if (message != NULL)
            return message;
    }
    return NULL;
}

/* Whether the wait has ended, by *ret_message, if that is not NULL, or with *ret_ended. */
static bool take_end(struct sw_worker *worker, struct sw_instance *instance,
                     struct sw_message **ret_message, int32_t *ret_ended)
{
    const struct sw_wait *wait = &instance->actor.wait;

    if (wait->attempts > 0 && wait->kind != SW_WAIT_RECEIVE && wait->due_ns > worker->now_ns)
        return false;
    *ret_message = wait->kind == SW_WAIT_RECEIVE ? take_received(worker, instance)
                                                 : sw_instance_take_answer(worker, instance);
    *ret_ended = wait->kind == SW_WAIT_SLEEP || *ret_message != NULL ? 0 : SW_E_TIMEOUT;
    return *ret_message != NULL || wait->due_ns <= worker->now_ns;
}

/* It cannot go on now: what ended the wait is kept. */
static void put_end_back(struct sw_worker *worker, struct sw_instance *instance,
                         struct sw_message *message)
{
    if (message != NULL && instance->actor.wait.kind == SW_WAIT_RECEIVE)
        sw_instance_put_back(worker, instance, message, message->head.priority);
    else if (message != NULL)
        sw_instance_answer(worker, instance, message);
}

static void resume(struct sw_worker *worker, struct sw_instance *instance)
{
    struct segment segment = {.instance = instance};
    struct sw_message *message;
    struct sw_err err;
    int32_t ended;
    bool ends_call;

    sw_err_clear(&err);
    if (instance->is_parked || !take_end(worker, instance, &message, &ended))
        return;
    if (!sw_segment_prepare(worker, instance, message, &err)) {
        put_end_back(worker, instance, message);
        if (!instance->is_parked)
            sw_instance_back_off(worker, instance);
        return;
    }
    if (message != NULL && message->epoch > instance->epoch)
        instance->epoch = message->epoch;
    segment.message = message;
    begin_record(worker, &segment);
    segment.record.entry = SW_ENTRY_RESUME;
    segment.record.wait = instance->actor.wait.number;
    segment.record.ended = ended;
    sw_instance_wake(worker, instance);
    if (instance->actor.wait.kind == SW_WAIT_ASK)
        sw_waits_remove(&worker->shared->waits, instance->id, segment.record.wait);
    sw_segment_execute(worker, &segment);
    if (segment.is_undone) {
        undo(worker, instance, NULL);
        put_end_back(worker, instance, message);
        return;
    }
    sw_retry_decide(worker, instance, message, &segment.record);
    ends_call = instance->actor.wait.kind == SW_WAIT_CALL && !segment.record.waits_on;
    if (ends_call)
        (void)sw_call_forget(worker, instance);
    sw_segment_commit(worker, &segment);
    if (ends_call) /* Not before what it came to is durable: until then it may be asked for again.
                    */
        sw_call_tell_end(worker, instance, segment.record.wait, segment.place.epoch);
    if (!clean_up(worker, &segment, message))
        sw_message_free(message);
}

/* --- What is next ---------------------------------------------------------------------------- */

/* Have it started, which may take a while. False: it is not. */
static bool be_started(struct sw_worker *worker, struct sw_instance *instance, uint32_t priority)
{
    if (instance->is_started || instance->is_parked)
        return true;
    start(worker, instance);
    if (!instance->is_started || worker->failure.rc != SW_OK)
        return false;
    for (uint32_t p = 0; p < SW_PRIORITIES; p++)
        if (p != priority && instance->mailbox[p] != NULL)
            sw_instance_wake_up(worker, instance, p);
    return true;
}

/* Whether it can be entered once more, if its program has an on_stop. An older program comes when
 * it is asked for; what is only idle can wait for that. */
static bool can_say_goodbye(struct sw_worker *worker, struct sw_instance *instance)
{
    const struct sw_program *program = sw_program_find(worker, instance->spec->digest);
    struct sw_err err = {0};

    if ((program != NULL && !program->view.has_on_stop) ||
        sw_segment_prepare(worker, instance, NULL, &err))
        return true;
    if (!instance->is_parked)
        sw_instance_back_off(worker, instance);
    return false;
}

/* Whether its idle time is over: nothing came since that was found. */
static bool is_expired(struct sw_worker *worker, struct sw_instance *instance)
{
    bool was_expiring = instance->is_expiring;

    instance->is_expiring = false;
    if (!was_expiring)
        return false;
    if (sw_instance_is_expired(worker, instance)) {
        if (!can_say_goodbye(worker, instance))
            return false;
        worker->counts.expired++;
        return true;
    }
    sw_instance_set_timer(worker, instance);
    return false;
}

void sw_segment_run(struct sw_worker *worker, struct sw_instance *instance, uint32_t priority)
{
    struct sw_message *message;
    struct sw_err err;

    sw_err_clear(&err);
    sw_fetch(instance->guest, GUEST_FETCH_BYTES);
    if (instance->pod->state == SW_POD_CLOSED || instance->pod->is_leaving || instance->is_leaving)
        return;
    sw_capture_instance_first(worker, instance);
    if (!instance->is_started)
        instance->spec = instance->pod->spec;
    if (instance->is_stopping || is_expired(worker, instance)) {
        sw_segment_stop(worker, instance);
        return;
    }
    if (instance->retry_ns > worker->now_ns || !be_started(worker, instance, priority))
        return;
    if (instance->spec != instance->pod->spec && !sw_upgrade_settle(worker, instance)) {
        sw_instance_back_off(worker, instance);
        return;
    }
    if (instance->actor.wait.kind != SW_WAIT_NONE) {
        resume(worker, instance);
        return;
    }
    message = sw_instance_take(worker, instance, priority);
    if (message == NULL)
        return;
    sw_fetch(message, SW_MESSAGE_FETCH_BYTES);
    if (is_stale(worker, instance, message) || is_repeat(worker, instance, message)) {
        sw_message_free(message);
        look_further(worker, instance, false);
    } else if (is_behind_held(instance, message)) {
        sw_retry_hold(worker, instance, message);
    } else if (instance->is_parked || !sw_segment_prepare(worker, instance, message, &err)) {
        postpone(worker, instance, message, priority, err.message);
    } else if (!handle(worker, instance, message)) {
        sw_spares_put(&worker->spares, message);
    }
    if (instance->mailbox[priority] != NULL && instance->actor.wait.kind == SW_WAIT_NONE)
        sw_instance_wake_up(worker, instance, priority);
}
