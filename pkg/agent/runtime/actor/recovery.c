#include "pkg/agent/runtime/actor/recovery.h"

#include "include/swarm/agent.h"
#include "pkg/agent/runtime/actor/fork.h"
#include "pkg/agent/runtime/actor/hibernate.h"
#include "pkg/agent/runtime/actor/letters.h"
#include "pkg/agent/runtime/actor/recovering.h"
#include "pkg/agent/runtime/actor/retry.h"
#include "pkg/agent/runtime/actor/slots.h"
#include "pkg/agent/store/record_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_LINE_BYTES 64u
#define MAILBOX_UNTIL_OPENED 1024u
#define INSTANCE_BYTES (sizeof(struct sw_instance) + 2 * CACHE_LINE_BYTES) /* With its usage. */
#define SHELF_EXTENTS 8u

/* --- Records --------------------------------------------------------------------------------- */

void sw_recovery_raise(_Atomic uint64_t *next, uint64_t number)
{
    if (atomic_load(next) < number)
        atomic_store(next, number);
}

/* Everybody learns where the Pod is. */
static enum sw_rc announce(struct recovery *recovery, const struct sw_pod *pod)
{
    struct sw_route_change change;

    sw_pod_route(pod, (uint32_t)(pod->config.pod % recovery->count), &change);
    for (uint32_t i = 0; i < recovery->count; i++)
        if (sw_routes_change(recovery->workers[i]->routes, &change) != SW_OK)
            return no_memory(recovery);
    return SW_OK;
}

const struct sw_spec *sw_recovery_use_spec(struct recovery *recovery, uint32_t number)
{
    const struct sw_spec *spec = sw_specs_find(&recovery->shared->specs, number);

    if (spec != NULL)
        sw_spec_use(spec, recovery->has_snapshot ? SW_SNAPSHOT_RECOVERED : 0);
    return spec;
}

static enum sw_rc end_instance(struct recovery *recovery, struct sw_instance *instance);
static enum sw_rc leave(struct recovery *recovery, struct sw_instance *instance,
                        const struct sw_record_segment *segment);

/* Those that slept when their Pod ended went with it, without a record of their own. */
static enum sw_rc end_sleepers(struct recovery *recovery, struct sw_worker *worker,
                               struct sw_pod *pod)
{
    struct sw_map_entry entry;
    size_t cursor = 0;
    enum sw_rc rc = SW_OK;

    while (rc == SW_OK && sw_map_next(pod->instances, &cursor, &entry)) {
        rc = leave(recovery, entry.value, NULL);
        if (rc == SW_OK)
            sw_meter_forget(worker, entry.value);
        if (rc == SW_OK)
            rc = end_instance(recovery, entry.value);
        cursor = 0; /* The map has changed. */
    }
    sw_hibernate_drop(worker, pod, true);
    return rc;
}

enum sw_rc sw_recovery_pod(struct recovery *recovery, const struct sw_record_pod *record)
{
    struct sw_worker *worker = worker_of(recovery, record->pod);
    struct sw_pod *pod = find_pod(recovery, record->pod);
    struct sw_pod_config config = {
        .pod = record->pod,
        .uid = record->uid,
        .name_space = record->name_space,
        .agent = record->agent,
        .agent_uid = record->agent_uid,
        .is_keyed = record->is_keyed,
        .is_durable = true,
        .replicas = record->replicas,
        .priority = SWARM_PRIORITY_NORMAL,
        .deadline_ms = 1000,
        .mailbox = MAILBOX_UNTIL_OPENED,
        .body_bytes = record->body_bytes,
        .history = record->history,
    };

    const struct sw_spec *spec = sw_recovery_use_spec(recovery, record->spec);
    enum sw_rc rc = SW_OK;

    if (record->slots.size != sizeof config.slots || spec == NULL)
        return contradiction(recovery, "a Pod with other slots, or without a spec");
    config.digest = spec->digest;
    config.class = spec->class;
    config.config = spec->config;
    memcpy(config.slots, record->slots.data, sizeof config.slots);
    if (pod == NULL) {
        pod = sw_pod_new(recovery->shared, &config);
        if (pod == NULL ||
            sw_map_put(worker->pods, &config.pod, sizeof config.pod, pod, NULL) != SW_OK) {
            sw_pod_free(worker, pod);
            return no_memory(recovery);
        }
        pod->is_recovered = true;
    } else {
        if (record->is_reset)
            rc = end_sleepers(recovery, worker, pod);
        if (rc != SW_OK || sw_pod_set_config(pod, &config) != SW_OK)
            return rc != SW_OK ? rc : no_memory(recovery);
    }
    pod->spec = spec;
    sw_recovery_raise(&recovery->shared->next_pod, record->pod + 1);
    return announce(recovery, pod);
}

enum sw_rc sw_recovery_spec(struct recovery *recovery, const struct sw_record_spec *record)
{
    enum sw_rc rc = sw_specs_load(&recovery->shared->specs, record);

    if (rc == SW_E_CORRUPT)
        return contradiction(recovery, "a spec that is there already");
    return rc == SW_OK ? SW_OK : no_memory(recovery);
}

static enum sw_rc drop_pod(struct recovery *recovery, uint64_t number)
{
    struct sw_worker *worker = worker_of(recovery, number);
    struct sw_pod *pod = find_pod(recovery, number);
    struct sw_route_change change = {.is_gone = true};
    enum sw_rc rc;

    if (pod == NULL)
        return contradiction(recovery, "the end of a Pod that is not there");
    rc = end_sleepers(recovery, worker, pod);
    if (rc != SW_OK)
        return rc;
    change.name_space = pod->config.name_space;
    change.agent = pod->config.agent;
    change.pod.pod = number;
    for (uint32_t i = 0; i < recovery->count; i++)
        if (sw_routes_change(recovery->workers[i]->routes, &change) != SW_OK)
            return no_memory(recovery);
    (void)sw_map_remove(worker->pods, &number, sizeof number);
    sw_meter_end_pod(worker, pod, true);
    sw_pod_free(worker, pod);
    return SW_OK;
}

enum sw_rc sw_recovery_start(struct recovery *recovery, const struct sw_record_segment *segment,
                             struct sw_instance **ret_instance)
{
    struct sw_worker *worker = worker_of(recovery, segment->pod);
    struct sw_pod *pod = find_pod(recovery, segment->pod);
    struct sw_instance *instance;

    if (pod == NULL || segment->previous != 0)
        return contradiction(recovery, "the birth of an instance in no Pod");
    instance = sw_instance_add(worker, pod, segment->key, segment->instance);
    if (instance == NULL &&
        (sw_map_find(pod->instances, segment->key.data, segment->key.size) != NULL ||
         sw_idmap_find(worker->instances, segment->instance) != NULL))
        return contradiction(recovery, "the birth of an instance that is there");
    if (instance == NULL)
        return no_memory(recovery);
    memcpy(instance->random.seed, segment->seed.data, sizeof instance->random.seed);
    instance->memory_bytes = segment->memory_bytes & SW_INSTANCE_MEMORY_MAX;
    if (sw_pod_quota(pod) != NULL)
        sw_quota_add(sw_pod_quota(pod), 1, instance->memory_bytes);
    sw_account_reserve(pod->account, instance->memory_bytes);
    instance->is_started = true;
    pod->ready++;
    sw_recovery_raise(&recovery->shared->next_instance, segment->instance / SW_SLOTS + 1);
    *ret_instance = instance;
    return SW_OK;
}

/* What waits under the name that a message came with; NULL: nothing. One that was published waits
 * once for each subscriber, but for one that was delivered again: it is sent to a key. */
static struct sw_message *pending_of(struct recovery *recovery, const struct sw_message_head *head,
                                     uint64_t instance, struct pending_key *ret_key)
{
    struct sw_message *pending = NULL;

    *ret_key = (struct pending_key){head->source.lsn, head->source.index, instance};
    if (head->source.lsn == 0)
        return NULL;
    if ((head->flags & SWARM_MESSAGE_PUBLISHED) != 0)
        pending = sw_recovery_find(recovery, ret_key);
    if (pending != NULL)
        return pending;
    ret_key->instance = 0;
    return sw_recovery_find(recovery, ret_key);
}

/* What is not handled and was not known before: its body is in the record itself. */
static enum sw_rc pending_make(struct recovery *recovery, const struct sw_record_segment *segment,
                               struct sw_message **ret_pending)
{
    struct sw_message template = {.pod = segment->pod,
                                  .instance = segment->instance,
                                  .is_timer = segment->entry == SW_ENTRY_TIMER,
                                  .head = segment->head,
                                  .body = segment->body};
    struct pending_key key = {recovery->place.lsn, SW_INDEX_RETRY, 0};
    enum sw_rc rc;

    if (segment->body_lsn != 0 || template.is_timer)
        return contradiction(recovery, "another try of a message that was not on its way");
    template.head.source = (struct sw_effect_name){key.lsn, SW_INDEX_RETRY};
    rc = sw_recovery_add(recovery, &key, &template);
    if (rc == SW_OK)
        *ret_pending = sw_recovery_find(recovery, &key);
    return rc;
}

/* What came to an instance, if that was not on its way. */
static struct sw_message input_of(const struct sw_record_segment *segment)
{
    if (segment->entry == SW_ENTRY_TIMER)
        return (struct sw_message){
            .pod = segment->pod,
            .is_timer = true,
            .head = {.priority = SWARM_PRIORITY_NORMAL, .tag = segment->timer}};
    return (struct sw_message){.pod = segment->pod, .head = segment->head, .body = segment->body};
}

static enum sw_rc letter_add(struct recovery *recovery, struct sw_instance *instance,
                             const struct sw_record_segment *segment,
                             const struct sw_message *waiting)
{
    const char *reason = sw_outcome_reason(segment->outcome);
    struct sw_message message = input_of(segment);
    struct sw_letter letter = {.number = recovery->place.lsn,
                               .time_ns = segment->time_ns,
                               .attempts = segment->attempt,
                               .reason = {reason, strlen(reason)},
                               .words = segment->words};

    if (waiting == NULL && segment->body_lsn != 0)
        return contradiction(recovery, "a dead letter that was not on its way");
    return sw_letters_add(&instance->pod->letters, &letter, sw_instance_key(instance),
                          waiting != NULL ? waiting : &message) == SW_OK
               ? SW_OK
               : no_memory(recovery);
}

/* What begins a turn that waits, and whose end nobody would hear of, is kept for as long. */
static enum sw_rc keep_handled(struct recovery *recovery, struct sw_instance *instance,
                               const struct sw_record_segment *segment,
                               const struct sw_message *waiting)
{
    struct sw_message input = input_of(segment), *message;

    if (waiting == NULL && segment->body_lsn != 0)
        return contradiction(recovery, "a turn that handles what was not on its way");
    message = sw_message_new(waiting != NULL ? waiting : &input);
    if (message == NULL)
        return no_memory(recovery);
    sw_instance_set_handled(worker_of(recovery, segment->pod), instance, message);
    return SW_OK;
}

/* A message came to a handler: it does not wait any more, unless it is to be tried again. */
static enum sw_rc take_input(struct recovery *recovery, struct sw_instance *instance,
                             const struct sw_record_segment *segment)
{
    bool is_again = segment->entry == SW_ENTRY_TIMER && segment->again != 0;
    const struct sw_message_head *head = &segment->head;
    struct sw_message_head timer = {.source = {segment->again, 0}};
    struct pending_key key = {head->source.lsn, head->source.index, 0};
    struct pending_key asked = {head->answers.lsn, head->answers.index, 0};
    struct sw_message *pending = NULL;
    enum sw_fate fate = sw_outcome_counts(segment->outcome) ? SW_FATE_TOLD : segment->fate;
    bool is_kept = segment->outcome == SW_OUTCOME_WAITING && sw_record_begins_unheard(segment);
    enum sw_rc rc = SW_OK;

    if (!segment->has_message && segment->entry != SW_ENTRY_TIMER)
        return SW_OK;
    /* Of what was handled and has one receiver, which most is, nothing but the name is needed. */
    if (is_again || is_kept || fate != SW_FATE_TOLD || (head->flags & SWARM_MESSAGE_PUBLISHED) != 0)
        pending = pending_of(recovery, is_again ? &timer : head, segment->instance, &key);
    if (fate == SW_FATE_RETRY && (segment->has_message || is_again)) {
        if (pending == NULL)
            rc = pending_make(recovery, segment, &pending);
        if (rc != SW_OK)
            return rc;
        pending->attempts = segment->attempt;
        pending->retry_ns = segment->retry_ns;
    } else {
        if (fate == SW_FATE_PARKED && (head->flags & SW_MESSAGE_ENDS_WAIT) == 0)
            rc = letter_add(recovery, instance, segment, pending);
        else if (is_kept)
            rc = keep_handled(recovery, instance, segment, pending);
        sw_recovery_remove(recovery, &key);
    }
    if (asked.lsn != 0)
        sw_recovery_remove(recovery, &asked);
    return rc;
}

static enum sw_rc end_instance(struct recovery *recovery, struct sw_instance *instance)
{
    struct sw_worker *worker = worker_of(recovery, instance->pod->config.pod);
    uint32_t index = 0;
    enum sw_rc rc = SW_OK;

    for (uint32_t i = 0; rc == SW_OK && i < instance->actor.handles_count; i++)
        if (instance->actor.handles[i].origin.kind != SW_ORIGIN_NONE)
            rc = sw_recovery_fail(recovery, &instance->actor.handles[i].origin,
                                  SW_INDEX_ENDED + index++, SW_E_UNAVAILABLE);
    sw_instance_unsubscribe(worker, instance);
    sw_instance_remove(worker, instance, SW_E_UNAVAILABLE);
    return rc;
}

/* What a turn handled that failed for the last time. */
static enum sw_rc park_handled(struct recovery *recovery, struct sw_instance *instance,
                               const struct sw_record_segment *segment)
{
    bool is_parked = segment->fate == SW_FATE_PARKED && !sw_record_received(segment);
    struct sw_letter letter;

    if (instance->handled == NULL)
        return is_parked ? contradiction(recovery, "a dead letter of a turn that handled none")
                         : SW_OK;
    sw_retry_turn_letter(&instance->actor, segment, recovery->place.lsn, &letter);
    return sw_letters_add(&instance->pod->letters, &letter, sw_instance_key(instance),
                          instance->handled) == SW_OK
               ? SW_OK
               : no_memory(recovery);
}

/* Whoever asked for what failed is to hear so: of a turn that had waited, and of a message that it
 * received. What nobody asked for is parked. */
static enum sw_rc take_failure(struct recovery *recovery, struct sw_instance *instance,
                               const struct sw_record_segment *segment)
{
    int32_t code = sw_outcome_code(segment);
    const struct sw_handle *handle;
    enum sw_rc rc = SW_OK;

    if (segment->entry == SW_ENTRY_RESUME && !segment->waits_on) {
        handle = sw_actor_handle(&instance->actor, instance->actor.wait.handle);
        if (handle != NULL)
            rc = sw_recovery_fail(recovery, &handle->origin, SW_INDEX_FAILURE, code);
        if (rc == SW_OK)
            rc = park_handled(recovery, instance, segment);
    }
    if (rc != SW_OK || !segment->has_message || segment->fate == SW_FATE_RETRY)
        return rc;
    return sw_recovery_fail(
        recovery, &segment->head.origin,
        segment->entry == SW_ENTRY_RESUME ? SW_INDEX_RECEIVED : SW_INDEX_FAILURE, code);
}

/* Tell who looks on that all that is known of an instance's memory is about to go. */
static enum sw_rc leave(struct recovery *recovery, struct sw_instance *instance,
                        const struct sw_record_segment *segment)
{
    const struct sw_recovery_watch *watch = recovery->watch;

    return watch == NULL ? SW_OK
                         : watch->leave(watch->ctx, worker_of(recovery, instance->pod->config.pod),
                                        instance, segment, recovery->err);
}

/* Whether a guest was entered for it, in an instance that has its memory from that. */
static bool is_replayed(const struct sw_record_segment *segment)
{
    const uint32_t none = 1u << SW_ENTRY_RESET | 1u << SW_ENTRY_UPGRADE | 1u << SW_ENTRY_IMAGE |
                          1u << SW_ENTRY_FORK | 1u << SW_ENTRY_RELEASE;

    return sw_outcome_counts(segment->outcome) && (1u << segment->entry & none) == 0;
}

/* A fork begins with what its record holds, and with the message that waits for it. */
static enum sw_rc take_fork(struct recovery *recovery, struct sw_instance *instance,
                            const struct sw_record_segment *segment)
{
    struct pending_key key = {recovery->place.lsn, 0, 0};
    struct sw_message input = sw_fork_input(segment, key.lsn);
    enum sw_rc rc = sw_actor_load(&instance->actor, segment->actor, recovery->err);

    instance->random.next = segment->random_next;
    if (rc == SW_OK && !sw_actor_is_held(&instance->actor))
        rc = contradiction(recovery, "a fork that is not held");
    return rc == SW_OK && segment->has_message ? sw_recovery_add(recovery, &key, &input) : rc;
}

/* What became of the input, and what else follows for others. */
static enum sw_rc take_results(struct recovery *recovery, struct sw_instance *instance,
                               const struct sw_record_segment *segment)
{
    enum sw_rc rc;

    if (segment->entry == SW_ENTRY_FORK)
        return take_fork(recovery, instance, segment);
    rc = take_input(recovery, instance, segment);
    if (rc != SW_OK)
        return rc;
    return sw_outcome_counts(segment->outcome) ? sw_recovery_effects(recovery, instance, segment)
                                               : take_failure(recovery, instance, segment);
}

/* One that slept at the point of the snapshot has a record since. */
static enum sw_rc recall(struct recovery *recovery, const struct sw_record_segment *segment,
                         struct sw_instance **ret_instance)
{
    struct sw_pod *pod = find_pod(recovery, segment->pod);

    return pod == NULL ? SW_OK
                       : sw_hibernate_recall(worker_of(recovery, segment->pod), pod,
                                             segment->instance, ret_instance, recovery->err);
}

static enum sw_rc take_segment(struct recovery *recovery, const struct sw_record_segment *segment)
{
    struct sw_worker *worker = worker_of(recovery, segment->pod);
    struct sw_instance *instance;
    enum sw_rc rc = SW_OK;

    if (segment->entry == SW_ENTRY_START || segment->entry == SW_ENTRY_FORK)
        rc = sw_recovery_start(recovery, segment, &instance);
    else
        instance = sw_idmap_find(worker->instances, segment->instance);
    if (instance == NULL && rc == SW_OK)
        rc = recall(recovery, segment, &instance);
    if (rc != SW_OK)
        return rc;
    if (instance == NULL || segment->previous != instance->actor.last_lsn)
        return contradiction(recovery, "a record that does not follow its instance's last one");
    if (segment->entry == SW_ENTRY_RESET ||
        (sw_record_is_whole(segment) && segment->entry != SW_ENTRY_FORK))
        rc = leave(recovery, instance, segment);
    if (rc != SW_OK)
        return rc;
    if (segment->entry != SW_ENTRY_RESET) {
        if (instance->spec == NULL || instance->spec->number != segment->spec)
            instance->spec = sw_recovery_use_spec(recovery, segment->spec);
        if (instance->spec == NULL)
            return contradiction(recovery, "a segment under no spec");
        if (segment->entry == SW_ENTRY_UPGRADE)
            instance->refused = segment->outcome == SW_OUTCOME_DONE ? 0 : segment->to;
    }
    if (segment->time_ns > recovery->latest_ns)
        recovery->latest_ns = segment->time_ns;
    recovery->recorded += is_replayed(segment);
    rc = take_results(recovery, instance, segment);
    if (rc == SW_OK)
        sw_meter_apply(worker, instance, segment, recovery->record_bytes, NULL);
    if (rc == SW_OK)
        rc = sw_actor_apply(&instance->actor, segment, recovery->place.lsn, recovery->err);
    if (rc == SW_OK && instance->actor.wait.kind == SW_WAIT_NONE)
        sw_instance_set_handled(worker, instance, NULL);
    if (rc == SW_OK && segment->entry == SW_ENTRY_STOP)
        rc = leave(recovery, instance, segment);
    if (rc == SW_OK && (segment->entry == SW_ENTRY_STOP || segment->entry == SW_ENTRY_RESET))
        rc = end_instance(recovery, instance);
    return rc;
}

/* --- Dead letters ---------------------------------------------------------------------------- */

static struct sw_message message_of(const struct sw_record_letter *letter)
{
    return (struct sw_message){.pod = letter->pod,
                               .key = letter->key,
                               .is_timer = letter->is_timer,
                               .head = letter->head,
                               .body = letter->body};
}

/* number: its name. */
static enum sw_rc park(struct recovery *recovery, struct sw_pod *pod,
                       const struct sw_record_letter *record, uint64_t number)
{
    struct sw_message message = message_of(record);
    struct sw_letter letter = {.number = number,
                               .time_ns = record->time_ns,
                               .attempts = record->attempts,
                               .reason = record->reason,
                               .words = record->words};

    return sw_letters_add(&pod->letters, &letter, record->key, &message) == SW_OK
               ? SW_OK
               : no_memory(recovery);
}

/* It is on its way again, under a name of its own. */
static enum sw_rc redeliver(struct recovery *recovery, const struct sw_letter *letter)
{
    struct pending_key key = {recovery->place.lsn, 0, 0};
    struct sw_message message = *letter->message;

    message.head.source = (struct sw_effect_name){key.lsn, 0};
    message.is_lost = false;
    return sw_recovery_add(recovery, &key, &message);
}

static enum sw_rc take_letter(struct recovery *recovery, const struct sw_record_letter *record)
{
    SW_CLEANUP(sw_letter_freep) struct sw_letter *letter = NULL;
    struct sw_pod *pod = find_pod(recovery, record->pod);
    struct pending_key key;
    enum sw_rc rc;

    if (pod == NULL)
        return contradiction(recovery, "a dead letter of no Pod");
    if (record->time_ns > recovery->latest_ns)
        recovery->latest_ns = record->time_ns;
    if (record->act == SW_LETTER_PARK) {
        (void)pending_of(recovery, &record->head, record->instance, &key);
        sw_recovery_remove(recovery, &key);
        key = (struct pending_key){record->head.answers.lsn, record->head.answers.index, 0};
        if (key.lsn != 0)
            sw_recovery_remove(recovery, &key);
        rc = park(recovery, pod, record, recovery->place.lsn);
        return rc == SW_OK ? sw_recovery_fail(recovery, &record->head.origin, SW_INDEX_FAILURE,
                                              SW_E_UNAVAILABLE)
                           : rc;
    }
    letter = sw_letters_take(&pod->letters, record->number);
    if (letter == NULL) /* It made room by then, if another version kept more of them. */
        return SW_OK;
    return record->act == SW_LETTER_REDELIVER ? redeliver(recovery, letter) : SW_OK;
}

enum sw_rc sw_recovery_letter(struct recovery *recovery, const struct sw_record_letter *record)
{
    struct sw_pod *pod = find_pod(recovery, record->pod);

    return pod == NULL ? contradiction(recovery, "a dead letter of no Pod")
                       : park(recovery, pod, record, record->number);
}

/* --- A snapshot ------------------------------------------------------------------------------ */

/* The last record that names a snapshot names the one that counts. */
static enum sw_rc note_snapshot(void *ctx, const struct sw_journal_entry *entry, struct sw_err *err)
{
    struct recovery *recovery = ctx;
    const uint8_t *bytes = entry->record.data;
    struct sw_record record;
    enum sw_rc rc;

    if (entry->record.size == 0 || bytes[0] != SW_RECORD_SNAPSHOT)
        return SW_OK;
    rc = sw_record_take(entry->record, &record, err);
    if (rc == SW_OK && record.snapshot.file.size >= sizeof recovery->snapshot_name)
        rc = sw_err_set(err, SW_E_CORRUPT, "the journal names a snapshot that is none");
    if (rc != SW_OK)
        return rc;
    recovery->has_snapshot = true;
    recovery->before = recovery->snapshot;
    recovery->snapshot = record.snapshot;
    memcpy(recovery->snapshot_name, record.snapshot.file.data, record.snapshot.file.size);
    recovery->snapshot.file.data = recovery->snapshot_name;
    recovery->snapshot_end = entry->place.lsn + SW_JOURNAL_RECORD_HEAD_BYTES + entry->record.size;
    return SW_OK;
}

/* Open the snapshot that counts. */
static enum sw_rc open_snapshot(struct recovery *recovery, sw_snapshot_visit *visit, void *ctx)
{
    struct sw_shared *shared = recovery->shared;
    struct sw_snapshot_source source = {.system = shared->system,
                                        .folder = recovery->options->folder,
                                        .uuid = sw_journal_uuid(shared->journal),
                                        .record = &recovery->snapshot};
    struct sw_snapshot *snapshot;
    enum sw_rc rc = sw_snapshot_open(&source, visit, ctx, &snapshot, recovery->err);

    if (rc == SW_OK && sw_snapshots_set_ground(shared, &recovery->snapshot, snapshot) != SW_OK)
        return no_memory(recovery);
    return rc;
}

/* The journal was read from its birth: here is the snapshot that would stand for that. */
static enum sw_rc pass_point(struct recovery *recovery)
{
    const struct sw_recovery_watch *watch = recovery->watch;
    enum sw_rc rc;

    recovery->is_point_passed = true;
    rc = open_snapshot(recovery, watch->visit, watch->ctx);
    return rc == SW_OK ? watch->point(watch->ctx, recovery->err) : rc;
}

static enum sw_rc make_shelf(struct recovery *recovery)
{
    struct sw_shared *shared = recovery->shared;
    struct sw_shelf_options options = {.system = shared->system,
                                       .folder = recovery->options->folder,
                                       .uuid = sw_journal_uuid(shared->journal),
                                       .file_bytes = shared->shelf_bytes,
                                       .extent_bytes = shared->shelf_bytes / SHELF_EXTENTS};

    return sw_shelf_new(&options, &shared->shelf, recovery->err);
}

/* Begin with the snapshot that counts, if there is one. */
static enum sw_rc take_snapshot(struct recovery *recovery)
{
    struct sw_shared *shared = recovery->shared;
    uint64_t begin = sw_journal_begin(shared->journal);
    enum sw_rc rc;

    sw_snapshots_set_folder(shared, recovery->options->folder);
    rc = make_shelf(recovery);
    if (rc != SW_OK)
        return rc;
    if (!recovery->has_snapshot && begin != SW_JOURNAL_BIRTH_LSN)
        return contradiction(recovery, "its beginning is missing, and it names no snapshot");
    recovery->is_point_passed =
        !recovery->has_snapshot || recovery->watch == NULL || begin != SW_JOURNAL_BIRTH_LSN;
    if (!recovery->has_snapshot || !recovery->is_point_passed)
        return SW_OK;
    recovery->place.lsn = recovery->begin = recovery->snapshot.lsn;
    if (recovery->begin < begin)
        return contradiction(recovery, "what follows its snapshot is missing");
    rc = open_snapshot(recovery, sw_recovery_block, recovery);
    if (rc == SW_OK)
        atomic_store(&shared->snapshots->idle_lsn, recovery->snapshot_end);
    return rc;
}

static struct sw_instance *peek(const struct recovery *recovery, struct sw_bytes record)
{
    uint64_t id, pod;

    return sw_record_peek(record, &id, &pod)
               ? sw_idmap_find(worker_of(recovery, pod)->instances, id)
               : NULL;
}

/* A journal of millions of records is taken in at the speed of memory: have what the next ones need
 * near. Each step needs what the one before it fetched, one record earlier. */
static void look_ahead(const struct recovery *recovery, const struct sw_journal_entry *entry)
{
    const struct sw_instance *instance;
    uint64_t id, pod;

    for (size_t at = 0; at < entry->ahead[3].size && at < 4 * CACHE_LINE_BYTES;
         at += CACHE_LINE_BYTES)
        __builtin_prefetch((const char *)entry->ahead[3].data + at);
    if (sw_record_peek(entry->ahead[2], &id, &pod))
        sw_idmap_prefetch(worker_of(recovery, pod)->instances, id);
    instance = peek(recovery, entry->ahead[1]);
    for (size_t at = 0; instance != NULL && at < INSTANCE_BYTES; at += CACHE_LINE_BYTES)
        __builtin_prefetch((const char *)instance + at, 1);
    instance = peek(recovery, entry->ahead[0]);
    if (instance != NULL && instance->actor.requests != NULL)
        sw_requests_prefetch(instance->actor.requests);
}

static enum sw_rc take_record(void *ctx, const struct sw_journal_entry *entry, struct sw_err *err)
{
    struct recovery *recovery = ctx;
    struct sw_message template;
    struct sw_record record;
    enum sw_rc rc;

    recovery->place = entry->place;
    recovery->record_bytes = entry->record.size + SW_JOURNAL_RECORD_HEAD_BYTES;
    look_ahead(recovery, entry);
    if (!recovery->is_point_passed && entry->place.lsn >= recovery->snapshot.lsn &&
        (rc = pass_point(recovery)) != SW_OK)
        return rc;
    rc = sw_record_take(entry->record, &record, err);
    if (rc != SW_OK) {
        sw_err_context(err, "lsn %" PRIu64, entry->place.lsn);
        return rc;
    }
    switch (record.kind) {
    case SW_RECORD_SPEC:
        return sw_recovery_spec(recovery, &record.spec);
    case SW_RECORD_POD:
        return sw_recovery_pod(recovery, &record.pod);
    case SW_RECORD_POD_DROP:
        return drop_pod(recovery, record.dropped_pod);
    case SW_RECORD_SEGMENT:
        recovery->effects_at = (uint32_t)(entry->record.size - record.segment.effects.size);
        return take_segment(recovery, &record.segment);
    case SW_RECORD_PUBLISH:
        template = (struct sw_message){
            .head = {.priority = record.publish.priority,
                     .source = {entry->place.lsn, 0},
                     .subject = record.publish.subject,
                     .type = record.publish.type,
                     .request_id = record.publish.request_id},
            .body = record.publish.body,
            .body_lsn = entry->place.lsn,
            .body_at = (uint32_t)(entry->record.size - record.publish.body.size)};
        return sw_subject_is_valid(record.publish.subject)
                   ? sw_recovery_publish(recovery, record.publish.name_space, &template,
                                         record.publish.time_ns)
                   : contradiction(recovery, "a publish to no subject");
    case SW_RECORD_SNAPSHOT:
        return SW_OK;
    case SW_RECORD_USAGE:
        return sw_recovery_usage(recovery, &record.usage, false);
    case SW_RECORD_SLOTS:
        return sw_slots_recover(recovery->workers, recovery->count, &record.slots) == SW_OK
                   ? SW_OK
                   : contradiction(recovery, "slots that move between Pods which are not there");
    case SW_RECORD_LETTER:
        return take_letter(recovery, &record.letter);
    }
    return SW_OK;
}

/* --- The end --------------------------------------------------------------------------------- */

/* What was read. */
static void report_bytes(const struct recovery *recovery)
{
    struct sw_journal *journal = recovery->shared->journal;
    uint64_t begin = sw_journal_begin(journal), end = sw_journal_end(journal);

    recovery->report->snapshot_bytes = recovery->has_snapshot ? recovery->snapshot.bytes : 0;
    recovery->report->journal_bytes = end - begin;
    recovery->report->tail_bytes = end - (recovery->begin > begin ? recovery->begin : begin);
}

/* An instance in whatever Pod it is by now; NULL: gone. */
static const struct sw_instance *instance_of(const struct recovery *recovery, uint64_t id)
{
    const struct sw_instance *instance = NULL;

    for (uint32_t i = 0; i < recovery->count && instance == NULL; i++)
        instance = sw_idmap_find(recovery->workers[i]->instances, id);
    return instance;
}

/* An ask is open: its question waits at `to`, or was taken and is not answered yet. */
static void restore_ask(struct recovery *recovery, const struct sw_origin *origin,
                        const struct sw_pod *pod, struct sw_bytes key)
{
    const struct sw_instance *instance =
        origin->kind != SW_ORIGIN_WAIT ? NULL : instance_of(recovery, origin->instance);
    struct sw_ask ask = {.to = sw_board_key(pod->hash_key, key),
                         .instance = origin->instance,
                         .number = origin->number};
    struct sw_origin asker;

    if (instance == NULL || instance->actor.wait.kind != SW_WAIT_ASK ||
        instance->actor.wait.number != origin->number)
        return;
    ask.from = sw_board_key(instance->pod->hash_key, sw_instance_key(instance));
    asker = sw_actor_asker(&instance->actor);
    if (asker.kind == SW_ORIGIN_WAIT) {
        ask.above_instance = asker.instance;
        ask.above_number = asker.number;
    }
    if (sw_waits_restore(&recovery->shared->waits, &ask) != SW_OK)
        sw_worker_fail(worker_of(recovery, pod->config.pod), SW_E_EXHAUSTED,
                       "no memory for an ask");
}

static void requeue(struct recovery *recovery, struct sw_message *message)
{
    const struct sw_pod *pod;
    uint64_t holder = sw_routes_holder(recovery->workers[0]->routes, message->pod,
                                       message->instance, message->key);

    recovery->report->messages++;
    if (!message->is_lost) {
        if (holder != 0) /* Its slot may have moved since. */
            message->pod = holder;
        pod = find_pod(recovery, message->pod);
        if (pod != NULL)
            restore_ask(recovery, &message->head.origin, pod, message->key);
        sw_deliver_message(worker_of(recovery, message->pod), message);
        return;
    }
    sw_dispatch_refuse(worker_of(recovery, message->head.origin.pod), message, SW_E_UNAVAILABLE,
                       "the receiver was lost in a restart");
    sw_message_free(message);
}

static enum sw_rc requeue_all(struct recovery *recovery)
{
    struct sw_message **list;
    size_t count;
    enum sw_rc rc = sw_recovery_take_all(recovery, &list, &count);

    if (rc != SW_OK)
        return rc;
    for (size_t i = 0; i < count; i++)
        requeue(recovery, list[i]);
    free(list);
    return SW_OK;
}

/* A recovery that has failed, or that nobody goes on from. */
static void free_pending(struct recovery *recovery)
{
    struct sw_map_entry entry;
    size_t cursor = 0;
    void *value;

    while (sw_idmap_next(recovery->pending, &cursor, NULL, &value))
        sw_message_free(value);
    cursor = 0;
    while (sw_map_next(recovery->others, &cursor, &entry))
        sw_message_free(entry.value);
}

/* Those that sleep as well, who are not looked for by their ids any more. */
static uint64_t count_instances(struct sw_worker *worker)
{
    uint64_t count = sw_idmap_count(worker->instances);

    SW_LIST_EACH(&worker->rest.asleep, node)
    {
        struct sw_asleep *asleep = SW_LIST_ITEM(node, struct sw_asleep, capture);

        sw_asleep_settle(asleep);
        count += sw_asleep_count(asleep);
    }
    return count;
}

/* Timers are set; what is overdue fires at the first run. */
static void settle(struct recovery *recovery)
{
    for (uint32_t i = 0; i < recovery->count; i++) {
        struct sw_worker *worker = recovery->workers[i];
        size_t cursor = 0;
        void *value;

        worker->now_ns = recovery->latest_ns;
        while (sw_idmap_next(worker->instances, &cursor, NULL, &value)) {
            struct sw_instance *instance = value;
            struct sw_message question;

            if (instance->actor.timers_count > 0 || instance->actor.wait.kind != SW_WAIT_NONE)
                sw_instance_set_timer(worker, instance);
            if (sw_recovery_held_ask(recovery, instance, &question) &&
                find_pod(recovery, question.pod) != NULL)
                restore_ask(recovery, &question.head.origin, find_pod(recovery, question.pod),
                            question.key);
            for (uint32_t h = 0; h < instance->actor.handles_count; h++)
                restore_ask(recovery, &instance->actor.handles[h].origin, instance->pod,
                            sw_instance_key(instance));
        }
        sw_meter_settle_records(worker); /* All of it, before any of it is told. */
        recovery->report->pods += sw_map_count(worker->pods);
        recovery->report->instances += count_instances(worker);
    }
}

enum sw_rc sw_recovery_run(struct recovery *recovery)
{
    struct sw_shared *shared = recovery->shared;
    bool is_watched = recovery->watch != NULL;
    struct sw_recovered recovered = {.workers = recovery->workers, .count = recovery->count};
    struct sw_err *err = recovery->err;
    enum sw_rc rc;

    memset(recovery->report, 0, sizeof *recovery->report);
    recovery->pending = sw_idmap_new(shared->incarnation, 0);
    recovery->others = sw_map_new(shared->incarnation);
    if (recovery->pending == NULL || recovery->others == NULL) {
        sw_idmap_free(recovery->pending);
        sw_map_free(recovery->others);
        return no_memory(recovery);
    }
    rc = sw_journal_open(recovery->options, note_snapshot, recovery, &shared->journal, err);
    if (rc == SW_OK)
        rc = take_snapshot(recovery);
    if (rc == SW_OK)
        rc = sw_journal_revisit(shared->journal, recovery->begin, take_record, recovery, err);
    recovered.before = recovery->before.lsn == 0 ? NULL : &recovery->before;
    if (rc == SW_OK && !is_watched)
        rc = sw_snapshots_clean(shared, &recovered, err);
    if (rc == SW_OK && !is_watched) {
        report_bytes(recovery); /* Before anything new is written. */
        sw_suspects_recovered(&shared->suspects, sw_journal_end(shared->journal));
        settle(recovery);
        rc = requeue_all(recovery);
    }
    if (rc != SW_OK || is_watched)
        free_pending(recovery);
    recovery->report->next_pod = atomic_load(&shared->next_pod);
    sw_idmap_free(recovery->pending);
    sw_map_free(recovery->others);
    for (uint32_t i = 0; rc == SW_OK && i < recovery->count; i++)
        rc = sw_worker_failure(recovery->workers[i], err);
    return rc;
}

enum sw_rc sw_recover(const struct sw_journal_options *options, struct sw_shared *shared,
                      struct sw_worker **workers, uint32_t count,
                      struct sw_recovery_report *ret_report, struct sw_err *err)
{
    struct recovery recovery = {.shared = shared,
                                .workers = workers,
                                .count = count,
                                .report = ret_report,
                                .err = err,
                                .options = options};

    return sw_recovery_run(&recovery);
}

bool sw_recovered_next(const struct sw_worker *worker, size_t *cursor,
                       struct sw_recovered_pod *ret_pod)
{
    struct sw_map_entry entry;
    const struct sw_pod *pod;

    if (!sw_map_next(worker->pods, cursor, &entry))
        return false;
    pod = entry.value;
    *ret_pod = (struct sw_recovered_pod){.pod = pod->config.pod, .uid = pod->config.uid};
    sw_pod_route(pod, worker->options.index, &ret_pod->route);
    return true;
}
