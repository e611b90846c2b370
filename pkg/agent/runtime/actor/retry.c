#include "pkg/agent/runtime/actor/retry.h"

#include "include/swarm/agent.h"
#include "pkg/agent/link/frame.h"
#include "pkg/agent/runtime/actor/capture.h"
#include "pkg/agent/store/record_text.h"
#include "pkg/utils/base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- What is held ----------------------------------------------------------------------------- */

struct sw_held {
    struct sw_item *queue; /* In the order in which they are to be handled. */
    struct sw_map *lanes;  /* How many of them are of a lane, as a pointer. */
    uint64_t due_ns;       /* Of the first that is to be tried again. */
};

/* The lanes of a message, within each of which order holds: what its sender sends, and what is
 * published on its subject. A client's message has none, and neither has what the host says. */
static size_t lanes_of(const struct sw_message *message, uint64_t ret_lanes[2])
{
    const struct sw_message_head *head = &message->head;
    uint8_t key[16] = "lane";
    size_t count = 0;

    key[8] = (uint8_t)head->priority;
    if (head->from.size > 0)
        ret_lanes[count++] = sw_siphash(key, head->from.data, head->from.size);
    key[9] = 1;
    if ((head->flags & SWARM_MESSAGE_PUBLISHED) != 0)
        ret_lanes[count++] = sw_siphash(key, head->subject.data, head->subject.size);
    return count;
}

static enum sw_rc lane_add(struct sw_map *lanes, uint64_t lane)
{
    uintptr_t count = (uintptr_t)sw_map_find(lanes, &lane, sizeof lane);

    return sw_map_put(lanes, &lane, sizeof lane, (void *)(count + 1), NULL);
}

static void lane_remove(struct sw_map *lanes, uint64_t lane)
{
    uintptr_t count = (uintptr_t)sw_map_find(lanes, &lane, sizeof lane);

    if (count == 1)
        (void)sw_map_remove(lanes, &lane, sizeof lane);
    else if (count > 1) /* It is there: no memory is needed. */
        (void)!sw_map_put(lanes, &lane, sizeof lane, (void *)(count - 1), NULL);
}

static void held_free(struct sw_held **held)
{
    sw_map_free((*held)->lanes);
    free(*held);
    *held = NULL;
}

static struct sw_held *held_new(void)
{
    struct sw_held *held = calloc(1, sizeof *held);

    if (held == NULL)
        return NULL;
    held->due_ns = UINT64_MAX;
    held->lanes = sw_map_new(0); /* Its keys are SipHashes already. */
    if (held->lanes == NULL) {
        free(held);
        return NULL;
    }
    return held;
}

enum sw_rc sw_held_add(struct sw_held **held, struct sw_message *message)
{
    uint64_t lanes[2];
    size_t count = lanes_of(message, lanes);

    if (*held == NULL)
        *held = held_new();
    if (*held == NULL)
        return SW_E_EXHAUSTED;
    for (size_t i = 0; i < count; i++) {
        if (lane_add((*held)->lanes, lanes[i]) == SW_OK)
            continue;
        while (i-- > 0)
            lane_remove((*held)->lanes, lanes[i]);
        if ((*held)->queue == NULL)
            held_free(held);
        return SW_E_EXHAUSTED;
    }
    sw_item_put(&(*held)->queue, &message->item);
    if (message->retry_ns != 0 && message->retry_ns < (*held)->due_ns)
        (*held)->due_ns = message->retry_ns;
    return SW_OK;
}

bool sw_held_blocks(const struct sw_held *held, const struct sw_message *message)
{
    uint64_t lanes[2];
    size_t count;

    if (held == NULL)
        return false;
    count = lanes_of(message, lanes);
    for (size_t i = 0; i < count; i++)
        if (sw_map_find(held->lanes, &lanes[i], sizeof lanes[i]) != NULL)
            return true;
    return false;
}

uint64_t sw_held_due(const struct sw_held *held)
{
    return held == NULL ? UINT64_MAX : held->due_ns;
}

void sw_held_set_pod(struct sw_held *held, uint64_t pod)
{
    struct sw_item *item = held == NULL ? NULL : held->queue;

    if (item == NULL)
        return;
    do {
        item = item->next;
        ((struct sw_message *)(void *)item)->pod = pod;
    } while (item != held->queue);
}

const struct sw_item *sw_held_items(const struct sw_held *held)
{
    return held == NULL ? NULL : held->queue;
}

struct sw_item *sw_held_release(struct sw_held **held, uint64_t now_ns)
{
    struct sw_item *all = NULL, *released = NULL, *item;

    if (*held == NULL)
        return NULL;
    all = (*held)->queue;
    (*held)->queue = NULL;
    (*held)->due_ns = UINT64_MAX;
    while ((item = sw_item_get(&all)) != NULL) {
        struct sw_message *message = (struct sw_message *)(void *)item;
        uint64_t lanes[2];
        size_t count = lanes_of(message, lanes);

        if (message->retry_ns > now_ns) {
            sw_item_put(&(*held)->queue, item);
            if (message->retry_ns < (*held)->due_ns)
                (*held)->due_ns = message->retry_ns;
            continue;
        }
        message->retry_ns = 0;
        for (size_t i = 0; i < count; i++)
            lane_remove((*held)->lanes, lanes[i]);
        sw_item_put(&released, item);
    }
    if ((*held)->queue == NULL)
        held_free(held);
    return released;
}

void sw_retry_hold(struct sw_worker *worker, struct sw_instance *instance,
                   struct sw_message *message)
{
    if (sw_held_add(&instance->held, message) != SW_OK) {
        sw_message_free(message);
        sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for a message that is tried again");
        return;
    }
    sw_instance_count_in(worker, instance, message);
    if (message->retry_ns != 0)
        sw_instance_set_timer(worker, instance);
}

void sw_retry_release(struct sw_worker *worker, struct sw_instance *instance, uint64_t now_ns)
{
    struct sw_item *released = sw_held_release(&instance->held, now_ns), *reversed = NULL, *item;

    /* They stand before what came since. */
    while ((item = sw_item_get(&released)) != NULL)
        sw_item_put_back(&reversed, item);
    while ((item = sw_item_get(&reversed)) != NULL) {
        struct sw_message *message = (struct sw_message *)(void *)item;

        sw_item_put_back(&instance->mailbox[message->head.priority], item);
        sw_instance_wake_up(worker, instance, message->head.priority);
    }
}

/* --- Decisions -------------------------------------------------------------------------------- */

static uint64_t backoff_ns(const struct sw_pod_config *config, uint32_t attempt)
{
    uint64_t backoff = config->retry_first_ns;

    for (uint32_t i = 1; i < attempt && backoff < config->retry_max_ns; i++)
        backoff *= 2;
    return backoff < config->retry_max_ns ? backoff : config->retry_max_ns;
}

static void park_record(const struct sw_worker *worker, struct sw_record_segment *record)
{
    const char *report = worker->outcome.report;

    record->fate = SW_FATE_PARKED;
    record->words = (struct sw_bytes){report, strcspn(report, "\n")};
    if (record->words.size > SW_RECORD_WORDS_MAX)
        record->words.size = SW_RECORD_WORDS_MAX;
}

/* A turn that went on failed: whether it waits on as before. */
static bool waits_on(const struct sw_instance *instance, const struct sw_record_segment *record)
{
    const struct sw_pod_config *config = &instance->pod->config;

    if (!config->is_durable) /* What it had is lost. */
        return false;
    if (record->outcome == SW_OUTCOME_CRASHED && !sw_record_received(record))
        return false;
    return sw_actor_asker(&instance->actor).kind != SW_ORIGIN_CLIENT &&
           instance->actor.wait.attempts + 1u < config->retry_attempts;
}

static void decide_turn(const struct sw_worker *worker, const struct sw_instance *instance,
                        struct sw_record_segment *record)
{
    record->attempt = instance->actor.wait.attempts + 1u;
    if (record->waits_on) {
        record->fate = SW_FATE_RETRY;
        record->retry_ns = record->time_ns + backoff_ns(&instance->pod->config, record->attempt);
    } else if (instance->handled != NULL) {
        park_record(worker, record);
    }
}

void sw_retry_decide(struct sw_worker *worker, const struct sw_instance *instance,
                     const struct sw_message *message, struct sw_record_segment *record)
{
    const struct sw_pod_config *config = &instance->pod->config;
    const struct sw_actor_timer *timer;

    if (sw_outcome_counts(record->outcome))
        return;
    record->waits_on = record->entry == SW_ENTRY_RESUME && waits_on(instance, record);
    if (record->entry == SW_ENTRY_RESUME && !sw_record_received(record)) {
        decide_turn(worker, instance, record);
        return;
    }
    record->attempt = message->attempts + 1;
    if (record->entry == SW_ENTRY_TIMER && record->again == 0) {
        timer = sw_actor_timer(&instance->actor, record->timer);
        record->attempt += timer == NULL ? 0 : timer->attempts;
    }
    if (record->outcome == SW_OUTCOME_REFUSED || record->head.origin.kind == SW_ORIGIN_CLIENT)
        return;
    if (record->outcome != SW_OUTCOME_CRASHED && record->attempt < config->retry_attempts) {
        record->fate = SW_FATE_RETRY;
        record->retry_ns = record->time_ns + backoff_ns(config, record->attempt);
        return;
    }
    park_record(worker, record);
}

/* --- Dead letters ----------------------------------------------------------------------------- */

/* Put a letter into its Pod, and tell people of it and of what had to make room. */
static void park(struct sw_worker *worker, struct sw_pod *pod, struct sw_bytes key,
                 const struct sw_message *message, struct sw_letter *template)
{
    uint64_t dropped = pod->letters.dropped;
    char words[400];
    struct sw_frame event = {.kind = SW_FRAME_EVENT,
                             .event = {.uid = pod->config.uid, .key = key, .is_warning = 1}};

    sw_capture_pod_first(worker, pod);
    if (!pod->config.is_durable)
        template->number = atomic_fetch_add(&worker->shared->next_letter, 1);
    if (sw_letters_add(&pod->letters, template, key, message) != SW_OK) {
        sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for a dead letter");
        return;
    }
    worker->counts.parked++;
    snprintf(words, sizeof words, "dead letter %" PRIu64 " from %.*s: %.*s after %" PRIu32 " tries",
             template->number, message->head.from.size > 0 ? (int)message->head.from.size : 8,
             message->head.from.size > 0 ? (const char *)message->head.from.data
             : message->is_timer         ? "a timer "
                                         : "outside ",
             (int)template->reason.size, (const char *)template->reason.data, template->attempts);
    event.event.reason = (struct sw_bytes){"MessageParked", 13};
    event.event.words = (struct sw_bytes){words, strlen(words)};
    sw_output_frame(worker, &event, sw_output_epoch_now(worker));
    if (pod->letters.dropped == dropped)
        return;
    snprintf(words, sizeof words,
             "%" PRIu64
             " of the oldest dead letters were dropped: the Pod keeps at most %u of them "
             "and %u KiB",
             pod->letters.dropped - dropped, SW_LETTERS_MAX, SW_LETTERS_BYTES_MAX >> 10);
    event.event.key = (struct sw_bytes){NULL, 0};
    event.event.reason = (struct sw_bytes){"DeadLettersDropped", 18};
    event.event.words = (struct sw_bytes){words, strlen(words)};
    sw_output_frame(worker, &event, sw_output_epoch_now(worker));
}

void sw_retry_turn_letter(const struct sw_actor *actor, const struct sw_record_segment *record,
                          uint64_t lsn, struct sw_letter *ret_letter)
{
    static const char words[] = "its turn failed with a message that it had received";
    const char *reason = sw_outcome_reason(record->outcome);

    *ret_letter = (struct sw_letter){.number = lsn,
                                     .time_ns = record->time_ns,
                                     .attempts = actor->wait.attempts + 1u,
                                     .reason = {reason, strlen(reason)},
                                     .words = record->words};
    if (!sw_record_received(record))
        return;
    ret_letter->number = lsn + 1; /* That message may be one as well. */
    ret_letter->words = (struct sw_bytes){words, sizeof words - 1};
}

/* What a turn handled that is over now, and that nobody else hears of. */
static void park_handled(struct sw_worker *worker, struct sw_instance *instance,
                         const struct sw_record_segment *record, uint64_t lsn)
{
    struct sw_letter letter;

    sw_retry_turn_letter(&instance->actor, record, lsn, &letter);
    park(worker, instance->pod, sw_instance_key(instance), instance->handled, &letter);
}

bool sw_retry_settle(struct sw_worker *worker, struct sw_instance *instance,
                     struct sw_message *message, const struct sw_record_segment *record,
                     uint64_t lsn)
{
    const char *reason = sw_outcome_reason(record->outcome);
    struct sw_letter letter = {.number = lsn,
                               .time_ns = record->time_ns,
                               .attempts = record->attempt,
                               .reason = {reason, strlen(reason)},
                               .words = record->words};
    bool is_turn = record->entry == SW_ENTRY_RESUME && !sw_record_received(record);

    if (record->fate == SW_FATE_PARKED && !is_turn)
        park(worker, instance->pod, sw_instance_key(instance), message, &letter);
    if (record->entry == SW_ENTRY_RESUME && !record->waits_on && instance->handled != NULL)
        park_handled(worker, instance, record, lsn);
    if (record->fate != SW_FATE_RETRY)
        return false;
    worker->counts.retried++;
    if (message == NULL || (message->is_timer && record->again == 0))
        return false;                              /* It is the actor's, and comes again. */
    if (message->head.source.lsn == 0 && lsn != 0) /* From now on the journal knows it. */
        message->head.source = (struct sw_effect_name){lsn, SW_INDEX_RETRY};
    if (is_turn) {
        sw_instance_answer(worker, instance, message);
        return true;
    }
    message->attempts = record->attempt;
    message->retry_ns = record->retry_ns;
    sw_retry_hold(worker, instance, message);
    return true;
}

const struct sw_refusal sw_refused_parked = {SW_E_UNAVAILABLE, "InstanceParked",
                                             "the instance is parked"};

void sw_retry_refuse(struct sw_worker *worker, struct sw_pod *pod, struct sw_bytes key,
                     const struct sw_message *message, const struct sw_refusal *refusal)
{
    struct sw_journal_place place = {0, message->epoch};
    struct sw_record record = {.kind = SW_RECORD_LETTER,
                               .letter = {.act = SW_LETTER_PARK,
                                          .pod = pod->config.pod,
                                          .time_ns = worker->now_ns,
                                          .instance = message->instance,
                                          .key = key,
                                          .reason = {refusal->reason, strlen(refusal->reason)},
                                          .words = {refusal->words, strlen(refusal->words)},
                                          .attempts = message->attempts,
                                          .is_timer = message->is_timer,
                                          .head = message->head,
                                          .body = message->body}};
    struct sw_letter letter = {.time_ns = worker->now_ns,
                               .attempts = message->attempts,
                               .reason = record.letter.reason,
                               .words = record.letter.words};

    if (message->head.origin.kind == SW_ORIGIN_CLIENT) {
        sw_dispatch_refuse(worker, message, refusal->status, refusal->words);
        return;
    }
    if (pod->config.is_durable && sw_worker_append(worker, &record, &place) != SW_OK)
        return;
    letter.number = place.lsn;
    park(worker, pod, key, message, &letter);
    if (message->head.origin.kind == SW_ORIGIN_NONE)
        return;
    worker->counts.refused++;
    sw_dispatch_answer(worker, &(struct sw_answer){.origin = &message->head.origin,
                                                   .status = refusal->status,
                                                   .priority = message->head.priority,
                                                   .from_key = key,
                                                   .type = {"text/plain", 10},
                                                   .body = record.letter.words,
                                                   .source = {place.lsn, SW_INDEX_FAILURE},
                                                   .epoch = place.epoch});
}
