#include "pkg/agent/runtime/actor/fork.h"

#include "include/swarm/agent.h"
#include "pkg/agent/runtime/actor/calls.h"
#include "pkg/agent/runtime/actor/capture.h"
#include "pkg/agent/runtime/actor/resting.h"
#include "pkg/agent/runtime/actor/storage.h"
#include "pkg/communication/pubsub/subject.h"

#include <string.h>

#define NUMBER_MAX ((uint64_t)1 << 62) /* Of what is counted: so many are never reached. */
#define HEAD_BYTES 1024u               /* What a record may grow by here. */
#define INPUT_FLAGS (SWARM_MESSAGE_WANTS_REPLY | SWARM_MESSAGE_IS_REPLY | SWARM_MESSAGE_PUBLISHED)

static void refuse(struct sw_worker *worker, struct sw_message *message, int32_t status,
                   const char *words)
{
    sw_dispatch_refuse(worker, message, status, words);
    sw_message_free(message);
}

static void answer(struct sw_worker *worker, const struct sw_message *message, struct sw_bytes key,
                   uint64_t epoch)
{
    sw_dispatch_answer(worker, &(struct sw_answer){.origin = &message->head.origin,
                                                   .priority = SWARM_PRIORITY_NORMAL,
                                                   .from_key = key,
                                                   .epoch = epoch});
}

/* --- Making one ------------------------------------------------------------------------------ */

/* Whether an actor is what a fork begins with, and nothing in it would be damage later. */
static bool is_sound(const struct sw_actor *actor)
{
    for (uint32_t i = 0; i < actor->patterns_count; i++)
        if (!sw_subject_is_pattern(
                (struct sw_bytes){actor->patterns[i]->text, actor->patterns[i]->size}))
            return false;
    return sw_actor_is_held(actor) && actor->withheld->count == 0 && actor->handles_count == 0 &&
           actor->wait.kind == SW_WAIT_NONE && !actor->wait.has_asker &&
           actor->wait.number < NUMBER_MAX && actor->next_handle < NUMBER_MAX &&
           actor->segments < NUMBER_MAX;
}

/* What waits for it was somebody else's: nobody gets an answer, and it is not named. */
static bool settle_input(struct sw_record_segment *record)
{
    struct sw_message_head *head = &record->head;

    if (!record->has_message)
        return true;
    if ((head->flags & ~(uint32_t)INPUT_FLAGS) != 0)
        return false;
    head->origin = (struct sw_origin){.kind = SW_ORIGIN_NONE};
    if ((head->flags & SWARM_MESSAGE_WANTS_REPLY) != 0) /* Of a run of the host that never was. */
        head->origin = (struct sw_origin){.kind = SW_ORIGIN_INSTANCE, .incarnation = UINT64_MAX};
    head->source = head->answers = (struct sw_effect_name){0};
    head->request_id = (struct sw_bytes){NULL, 0};
    return true;
}

/* Take the record and its actor. */
static enum sw_rc take(const struct sw_message *message, struct sw_record_segment *ret_record,
                       struct sw_actor *actor)
{
    struct sw_record record;
    struct sw_err ignored = {0};

    if (message->body.size > SW_JOURNAL_RECORD_MAX - HEAD_BYTES)
        return SW_E_EXHAUSTED;
    if (sw_record_take(message->body, &record, &ignored) != SW_OK ||
        record.kind != SW_RECORD_SEGMENT || record.segment.entry != SW_ENTRY_FORK ||
        !settle_input(&record.segment))
        return SW_E_CORRUPT;
    *ret_record = record.segment;
    if (sw_actor_load(actor, record.segment.actor, &ignored) != SW_OK)
        return ignored.rc == SW_E_EXHAUSTED ? SW_E_EXHAUSTED : SW_E_CORRUPT;
    if (is_sound(actor))
        return SW_OK;
    sw_actor_done(actor);
    return SW_E_CORRUPT;
}

struct sw_message sw_fork_input(const struct sw_record_segment *record, uint64_t lsn)
{
    struct sw_message input = {
        .pod = record->pod, .key = record->key, .head = record->head, .body = record->body};

    input.head.source = (struct sw_effect_name){lsn, 0};
    return input;
}

/* The spec of its module, as its Pod would have it run. */
static const struct sw_spec *spec_of(struct sw_worker *worker, const struct sw_pod *pod,
                                     struct sw_bytes digest)
{
    struct sw_shared *shared = worker->shared;
    const struct sw_spec *spec = pod->spec;
    struct sw_spec_content content = {.digest = digest,
                                      .fingerprint = sw_shared_fingerprint(shared, spec->class),
                                      .config = spec->config,
                                      .timers_max = spec->timers_max};

    if (sw_bytes_is_equal(spec->digest, digest))
        return spec;
    return sw_specs_make(&shared->specs, &content, shared->journal, &spec) == SW_OK ? spec : NULL;
}

/* Its first record, and all that follows from it. */
static void begin(struct sw_worker *worker, struct sw_instance *instance,
                  const struct sw_record_segment *from, struct sw_actor *actor)
{
    struct sw_record record = {
        .kind = SW_RECORD_SEGMENT,
        .segment = {.instance = instance->id,
                    .pod = instance->pod->config.pod,
                    .time_ns = worker->now_ns,
                    .spec = instance->spec->number,
                    .entry = SW_ENTRY_FORK,
                    .outcome = SW_OUTCOME_DONE,
                    .key = sw_instance_key(instance),
                    .seed = from->seed,
                    .memory_bytes = instance->memory_bytes,
                    .random_next = from->random_next,
                    .actor = from->actor,
                    .image = from->image,
                    .has_message = from->has_message,
                    .head = from->head,
                    .body = from->body,
                    .body_bytes = from->body_bytes,
                    .digest = sw_effects_digest((struct sw_bytes){NULL, 0})}};
    struct sw_message input, *message = NULL;
    struct sw_journal_place place;
    struct sw_err err = {0};

    if (sw_worker_append(worker, &record, &place) != SW_OK)
        return;
    instance->epoch = place.epoch;
    sw_meter_apply(worker, instance, &record.segment,
                   worker->record.size + SW_JOURNAL_RECORD_HEAD_BYTES, NULL);
    sw_storage_give_back(worker);
    memcpy(instance->random.seed, from->seed.data, sizeof instance->random.seed);
    instance->random.next = from->random_next;
    instance->actor = *actor;
    *actor = (struct sw_actor){0};
    if (sw_actor_apply(&instance->actor, &record.segment, place.lsn, &err) != SW_OK)
        sw_worker_fail(worker, err.rc, err.message);
    instance->is_started = true;
    instance->pod->ready++;
    sw_resting_put(worker, instance, worker->now_ns);
    sw_output_status(worker, instance->pod);
    if (from->has_message) {
        input = sw_fork_input(&record.segment, place.lsn);
        input.epoch = place.epoch;
        message = sw_message_new(&input);
    }
    if (from->has_message && message == NULL)
        sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for a message");
    else if (message != NULL)
        sw_instance_post(worker, instance, message);
    sw_instance_set_timer(worker, instance);
}

/* Room for another one, and for its record, which holds all that it is. */
static bool reserve(struct sw_worker *worker, struct sw_pod *pod, const struct sw_message *message)
{
    if (!sw_storage_reserve(worker, pod, SW_STORAGE_RECORD_BYTES + message->body.size))
        return false;
    if (sw_instance_reserve(worker, pod))
        return true;
    sw_storage_give_back(worker);
    return false;
}

void sw_fork_make(struct sw_worker *worker, struct sw_pod *pod, struct sw_message *message)
{
    struct sw_record_segment record = {0};
    struct sw_actor actor = {0};
    const struct sw_spec *spec;
    struct sw_instance *instance;
    enum sw_rc rc = take(message, &record, &actor);

    if (rc != SW_OK) {
        refuse(worker, message, rc,
               rc == SW_E_CORRUPT ? "what was made of the past cannot be read"
                                  : "all that it is is more than a record of the journal may hold");
        return;
    }
    spec = pod->config.is_durable && sw_journal_has_room(worker->shared->journal)
               ? spec_of(worker, pod, message->head.subject)
               : NULL;
    if (spec == NULL || !reserve(worker, pod, message)) {
        if (!pod->config.is_durable)
            refuse(worker, message, SW_E_PRECONDITION, "the Agent keeps nothing (durability none)");
        else
            refuse(worker, message, SW_E_EXHAUSTED,
                   spec == NULL ? "the journal has no room now; try again later"
                                : "the quota of its namespace has no room for another instance");
        sw_actor_done(&actor);
        return;
    }
    instance = sw_instance_add(worker, pod, message->key, 0);
    if (instance == NULL) {
        refuse(worker, message, SW_E_EXHAUSTED, "no memory for an instance");
        sw_actor_done(&actor);
        return;
    }
    instance->spec = spec;
    sw_capture_use(worker, spec);
    begin(worker, instance, &record, &actor);
    sw_actor_done(&actor);
    answer(worker, message, sw_instance_key(instance), instance->epoch);
    sw_message_free(message);
}

/* --- What becomes of it ---------------------------------------------------------------------- */

/* Its subscriptions are heard from here on. False: there is no room for them. */
static bool put_subscriptions(struct sw_worker *worker, const struct sw_actor *actor)
{
    struct sw_turn *turn = &worker->turn;

    for (uint32_t i = 0; i < actor->patterns_count; i++) {
        const struct sw_effect effect = {
            .kind = SW_EFFECT_SUBSCRIBE,
            .to = {actor->patterns[i]->text, actor->patterns[i]->size}};

        if (!sw_bus_reserve(&worker->shared->bus))
            return false;
        worker->reserved++;
        sw_effect_put(&effect, &turn->effects);
        turn->effects_count++;
        turn->kinds |= 1u << SW_EFFECT_SUBSCRIBE;
    }
    return true;
}

/* What was withheld goes the ways that there are now. False: its publishes reach too many. */
static bool put_withheld(struct sw_worker *worker, const struct sw_withheld *withheld)
{
    struct sw_reader reader = sw_reader_of(withheld->effects.data, withheld->effects.size);
    struct sw_turn *turn = &worker->turn;
    struct sw_effect effect;

    while (sw_effect_take(&reader, &effect)) {
        struct sw_turn_route route = {0};

        if (!sw_dispatch_route(worker, &effect, &route))
            return false;
        sw_turn_put_route(turn, &route);
        sw_effect_put(&effect, &turn->effects);
        turn->effects_count++;
        turn->kinds |= 1u << effect.kind;
    }
    return true;
}

static void release(struct sw_worker *worker, struct sw_instance *instance,
                    struct sw_message *message)
{
    const struct sw_actor *actor = &instance->actor;
    struct segment segment = {.instance = instance,
                              .record = {.instance = instance->id,
                                         .previous = actor->last_lsn,
                                         .pod = instance->pod->config.pod,
                                         .time_ns = worker->now_ns,
                                         .spec = instance->spec->number,
                                         .entry = SW_ENTRY_RELEASE,
                                         .outcome = SW_OUTCOME_DONE}};
    bool is_reserved, has_ways;

    sw_capture_instance_first(worker, instance);
    sw_segment_begin(worker, &segment);
    is_reserved = put_subscriptions(worker, actor);
    has_ways = is_reserved && put_withheld(worker, actor->withheld);
    sw_turn_end(&worker->turn);
    worker->running = NULL;
    if (!has_ways) {
        refuse(worker, message, SW_E_EXHAUSTED,
               is_reserved ? "its publishes reach too many, or somebody whose mailbox is full"
                           : "the host has no room for its subscriptions");
        return;
    }
    if (worker->turn.effects.failed) {
        sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for a release");
        sw_message_free(message);
        return;
    }
    if (!sw_storage_reserve_segment(worker, &segment)) {
        refuse(worker, message, SW_E_EXHAUSTED, "the quota of the namespace (storage) is used up");
        return;
    }
    sw_segment_commit(worker, &segment);
    if (worker->failure.rc == SW_OK)
        sw_call_send(worker, instance);
    answer(worker, message, sw_instance_key(instance), segment.place.epoch);
    sw_message_free(message);
}

static void drop(struct sw_worker *worker, struct sw_instance *instance, struct sw_message *message)
{
    struct sw_pod *pod = instance->pod;

    sw_segment_end(worker, instance, SW_ENTRY_RESET);
    answer(worker, message, message->key, sw_output_epoch_now(worker));
    sw_message_free(message);
    sw_pod_finish_if_empty(worker, pod);
}

void sw_fork_change(struct sw_worker *worker, struct sw_instance *instance,
                    struct sw_message *message)
{
    if (!sw_actor_is_held(&instance->actor))
        refuse(worker, message, SW_E_PRECONDITION,
               "nothing of it is held: it is no fork, or was released");
    else if (instance->passed != NULL || instance->is_stopping ||
             instance->pod->state != SW_POD_OPEN)
        refuse(worker, message, SW_E_UNAVAILABLE, "it does something that takes long; try again");
    else if (!sw_journal_has_room(worker->shared->journal))
        refuse(worker, message, SW_E_EXHAUSTED, "the journal has no room now; try again later");
    else if (message->act == SW_MESSAGE_RELEASE)
        release(worker, instance, message);
    else
        drop(worker, instance, message);
}
