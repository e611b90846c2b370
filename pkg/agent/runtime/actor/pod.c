#include "pkg/agent/runtime/actor/pod.h"

#include "include/swarm/agent.h"
#include "pkg/agent/link/frame.h"
#include "pkg/agent/runtime/actor/calls.h"
#include "pkg/agent/runtime/actor/capture.h"
#include "pkg/agent/runtime/actor/hibernate.h"
#include "pkg/agent/runtime/actor/resting.h"
#include "pkg/agent/runtime/actor/retry.h"
#include "pkg/agent/runtime/actor/segment.h"
#include "pkg/utils/base/text.h"
#include "pkg/utils/base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- The object ------------------------------------------------------------------------------ */

struct sw_pod_texts {
    struct sw_pod_texts *older; /* Borrowed by segments that were passed. */
    char bytes[];
};

static void free_texts(struct sw_pod_texts *texts)
{
    while (texts != NULL) {
        struct sw_pod_texts *older = texts->older;

        free(texts);
        texts = older;
    }
}

/* The texts of a config, for copying; NULL ends the list. */
static void list_texts(struct sw_pod_config *config, struct sw_bytes *ret_texts[8])
{
    struct sw_bytes *texts[] = {&config->uid,       &config->name_space, &config->agent,
                                &config->agent_uid, &config->digest,     &config->config};

    memcpy(ret_texts, texts, sizeof texts);
    ret_texts[sizeof texts / sizeof *texts] = NULL;
}

enum sw_rc sw_pod_set_config(struct sw_pod *pod, const struct sw_pod_config *config)
{
    struct sw_pod_config copy = *config;
    struct sw_bytes *texts[8];
    size_t size = 0;
    struct sw_pod_texts *block;
    char *at;

    list_texts(&copy, texts);
    for (size_t i = 0; texts[i] != NULL; i++)
        size += texts[i]->size + 1;
    block = malloc(sizeof *block + size);
    if (block == NULL)
        return SW_E_EXHAUSTED;
    at = block->bytes;
    for (size_t i = 0; texts[i] != NULL; i++) {
        if (texts[i]->size > 0)
            memcpy(at, texts[i]->data, texts[i]->size);
        at[texts[i]->size] = 0;
        texts[i]->data = at;
        at += texts[i]->size + 1;
    }
    if (pod->passed == 0) {
        free_texts(pod->texts);
        pod->texts = NULL;
    }
    block->older = pod->texts;
    pod->texts = block;
    pod->config = copy;
    pod->space.name = copy.name_space;
    sw_slot_key(copy.agent_uid, pod->hash_key);
    return SW_OK;
}

/* Under a key that nobody outside knows, so that none can be made that is taken for another. */
static void set_space(const struct sw_shared *shared, struct sw_pod *pod)
{
    uint8_t key[16];

    memcpy(key, &shared->incarnation, sizeof shared->incarnation);
    memcpy(key + sizeof shared->incarnation, &shared->incarnation, sizeof shared->incarnation);
    pod->space.hash = sw_siphash(key, pod->space.name.data, pod->space.name.size);
}

static struct sw_bytes key_of(const void *value)
{
    return sw_instance_key(value);
}

struct sw_pod *sw_pod_new(struct sw_shared *shared, const struct sw_pod_config *config)
{
    struct sw_pod *pod = calloc(1, sizeof *pod);
    uint64_t seed;

    if (pod == NULL)
        return NULL;
    sw_list_init(&pod->dirty);
    sw_list_init(&pod->capture);
    sw_list_init(&pod->loadings);
    sw_list_init(&pod->meter.due);
    /* Keys are chosen by clients: they must not be able to choose ones that collide. */
    shared->system->random(shared->system->ctx, &seed, sizeof seed);
    pod->instances = sw_map_new_of(seed, key_of);
    if (pod->instances == NULL || sw_pod_set_config(pod, config) != SW_OK ||
        sw_account_join(&shared->accounts, pod) != SW_OK) {
        sw_map_free(pod->instances);
        free_texts(pod->texts);
        free(pod);
        return NULL;
    }
    set_space(shared, pod);
    return pod;
}

static void free_limbo(struct sw_worker *worker, struct sw_pod *pod, int32_t status)
{
    struct sw_item *item;

    while ((item = sw_item_get(&pod->limbo)) != NULL) {
        struct sw_message *message = (struct sw_message *)(void *)item;

        atomic_fetch_sub(&worker->shared->queued_bytes, message->size_bytes);
        if (status != 0)
            sw_dispatch_refuse(worker, message, status, "the Pod is gone");
        sw_message_free(message);
    }
}

void sw_pod_free(struct sw_worker *worker, struct sw_pod *pod)
{
    if (pod == NULL)
        return;
    free_limbo(worker, pod, 0);
    sw_hibernate_end(worker, pod);
    sw_resting_end(worker, pod);
    sw_letters_done(&pod->letters);
    sw_ready_share_put(&worker->ready, pod->share);
    sw_list_remove(&pod->dirty);
    sw_list_remove(&pod->capture);
    sw_list_remove(&pod->meter.due);
    sw_map_free(pod->instances);
    free_texts(pod->texts);
    free(pod);
}

/* All instances of a Pod at this moment, to be freed by the caller; NULL: none, or no memory. */
static struct sw_instance **list_instances(const struct sw_pod *pod, size_t *ret_count)
{
    size_t count = sw_map_count(pod->instances), cursor = 0, at = 0;
    struct sw_instance **list = count == 0 ? NULL : malloc(count * sizeof(struct sw_instance *));
    struct sw_map_entry entry;

    while (list != NULL && at < count && sw_map_next(pod->instances, &cursor, &entry))
        list[at++] = entry.value;
    *ret_count = at;
    return list;
}

static bool has_slot(const struct sw_pod *pod, struct sw_bytes key)
{
    return sw_slots_have(pod->config.slots, sw_slot_of(pod->hash_key, key));
}

/* Whether the instance of that key should exist in a replicated Pod. */
static bool has_replica(const struct sw_pod *pod, struct sw_bytes key)
{
    char text[24];
    uint64_t number;

    if (key.size == 0 || key.size >= sizeof text)
        return false;
    memcpy(text, key.data, key.size);
    text[key.size] = 0;
    if (text[0] == '0' && text[1] != 0)
        return false;
    return sw_text_to_u64(text, &number) == SW_OK && number < pod->config.replicas &&
           has_slot(pod, key);
}

/* --- Opening --------------------------------------------------------------------------------- */

void sw_limbo_put(struct sw_worker *worker, struct sw_pod *pod, struct sw_message *message)
{
    message->generation = worker->generation;
    atomic_fetch_add(&worker->shared->queued_bytes, message->size_bytes);
    sw_item_put(&pod->limbo, &message->item);
}

void sw_pod_keep_mail(struct sw_worker *worker, struct sw_instance *instance)
{
    struct sw_pod *pod = instance->pod;

    sw_capture_instance_first(worker, instance);
    sw_retry_release(worker, instance, UINT64_MAX); /* The new program tries at once. */
    for (uint32_t p = 0; p < SW_PRIORITIES; p++) {
        struct sw_message *message;

        while ((message = sw_instance_take(worker, instance, p)) != NULL) {
            if (message->instance != 0) { /* A timer, or an answer to who is not any more. */
                sw_message_free(message);
            } else if (instance->is_stopping && message->head.origin.kind == SW_ORIGIN_CLIENT) {
                sw_dispatch_refuse(worker, message, SW_E_UNAVAILABLE, "the instance is gone");
                sw_message_free(message);
            } else {
                sw_limbo_put(worker, pod, message);
            }
        }
    }
}

/* The program is another one, and the spec says that instances begin empty then. */
static void reset_instances(struct sw_worker *worker, struct sw_pod *pod)
{
    size_t count;
    struct sw_instance **list = list_instances(pod, &count);
    char words[160];
    struct sw_frame event = {
        .kind = SW_FRAME_EVENT,
        .event = {.uid = pod->config.uid, .is_warning = 1, .reason = {"StateDiscarded", 14}}};

    if (count < sw_map_count(pod->instances))
        sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory to discard the state of a Pod");
    if (count + pod->asleep_count == 0)
        return;
    for (size_t i = 0; i < count && worker->failure.rc == SW_OK; i++) {
        sw_pod_keep_mail(worker, list[i]);
        sw_segment_end(worker, list[i], SW_ENTRY_RESET);
    }
    free(list);
    snprintf(words, sizeof words,
             "the module changed: %" PRIu64 " instances begin with empty state",
             count + pod->asleep_count);
    sw_hibernate_drop(worker, pod, true); /* The record of the Pod says so. */
    event.event.words = (struct sw_bytes){words, strlen(words)};
    sw_output_frame(worker, &event, sw_output_epoch_now(worker));
}

struct sw_record_pod sw_pod_record(const struct sw_pod_config *config, uint32_t spec)
{
    return (struct sw_record_pod){.pod = config->pod,
                                  .spec = spec,
                                  .uid = config->uid,
                                  .name_space = config->name_space,
                                  .agent = config->agent,
                                  .agent_uid = config->agent_uid,
                                  .slots = {config->slots, sizeof config->slots},
                                  .replicas = config->replicas,
                                  .body_bytes = (uint32_t)config->body_bytes,
                                  .history = config->history,
                                  .is_keyed = config->is_keyed};
}

/* Put the Pod into the journal if anybody could see a difference to what stands there. */
static enum sw_rc record_pod(struct sw_worker *worker, struct sw_pod *pod,
                             const struct sw_pod_config *config, const struct sw_spec *spec,
                             bool is_reset)
{
    const struct sw_pod_config *old = &pod->config;
    struct sw_journal_place place;
    struct sw_record record = {.kind = SW_RECORD_POD, .pod = sw_pod_record(config, spec->number)};

    if (!config->is_durable ||
        (pod->spec == spec && memcmp(old->slots, config->slots, sizeof old->slots) == 0 &&
         old->replicas == config->replicas && old->body_bytes == config->body_bytes &&
         memcmp(&old->history, &config->history, sizeof old->history) == 0))
        return SW_OK;
    record.pod.is_reset = is_reset;
    return sw_worker_append(worker, &record, &place);
}

/* How many instances there should be. */
static uint64_t count_replicas(const struct sw_pod *pod)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < pod->config.replicas; i++) {
        char text[24];

        count += has_slot(
            pod, (struct sw_bytes){text, (size_t)snprintf(text, sizeof text, "%" PRIu32, i)});
    }
    return count;
}

/* It is tried again each second; people hear of it once. */
static void lack_quota(struct sw_worker *worker, struct sw_pod *pod)
{
    static const char words[] = "the quota of its namespace has no room for more of its replicas";
    struct sw_frame event = {.kind = SW_FRAME_EVENT,
                             .event = {.uid = pod->config.uid,
                                       .is_warning = 1,
                                       .reason = {"QuotaExceeded", 13},
                                       .words = {words, sizeof words - 1}}};

    if (!pod->lacks_quota)
        sw_output_frame(worker, &event, sw_output_epoch_now(worker));
    pod->lacks_quota = true;
    sw_meter_set_due(worker, pod);
}

void sw_pod_set_replicas(struct sw_worker *worker, struct sw_pod *pod)
{
    uint64_t wanted;
    bool is_exact;
    size_t count;
    struct sw_instance **list = list_instances(pod, &count);

    for (size_t i = 0; i < count; i++)
        list[i]->is_stopping = !has_replica(pod, sw_instance_key(list[i]));
    free(list);
    wanted = pod->asleep_count > 0 ? count_replicas(pod) : 0;
    is_exact = pod->asleep_count > 0 && wanted != sw_pod_count(pod);
    pod->has_surplus = is_exact && wanted < sw_pod_count(pod);
    for (uint32_t i = 0; i < pod->config.replicas; i++) {
        char text[24];
        struct sw_bytes key = {text, (size_t)snprintf(text, sizeof text, "%" PRIu32, i)};

        if (!has_slot(pod, key) || sw_map_find(pod->instances, key.data, key.size) != NULL ||
            sw_hibernate_has(worker, pod, key, is_exact && i >= pod->made))
            continue;
        if (!sw_instance_reserve(worker, pod)) {
            lack_quota(worker, pod);
            return;
        }
        if (sw_instance_add(worker, pod, key, 0) == NULL) {
            sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for an instance");
            return;
        }
    }
    pod->made = pod->config.replicas;
    pod->lacks_quota = false;
}

bool sw_pod_is_surplus(const struct sw_pod *pod, const struct sw_instance *instance)
{
    return pod->state == SW_POD_OPEN && !pod->config.is_keyed &&
           !has_replica(pod, sw_instance_key(instance));
}

/* Whether there is something to hand over between two programs. */
static bool is_to_upgrade(const struct sw_pod *pod, const struct sw_instance *instance)
{
    return instance->is_started && instance->spec != NULL &&
           instance->refused != pod->spec->number &&
           !sw_bytes_is_equal(instance->spec->digest, pod->spec->digest);
}

/* The same module in another class of engine takes over what there is as it is. */
static bool is_to_move(const struct sw_pod *pod, const struct sw_instance *instance)
{
    return instance->is_started && instance->spec != NULL &&
           instance->refused != pod->spec->number && instance->spec->class != pod->spec->class &&
           sw_bytes_is_equal(instance->spec->digest, pod->spec->digest);
}

bool sw_pod_is_to_upgrade(const struct sw_pod *pod, const struct sw_instance *instance)
{
    return pod->state == SW_POD_OPEN &&
           (is_to_move(pod, instance) ||
            (pod->program->view.has_on_upgrade && is_to_upgrade(pod, instance)));
}

/* Instances of an older program that the new one cannot take over stay what they are; say so. */
static void tell_outdated(struct sw_worker *worker, const struct sw_pod *pod, size_t count)
{
    char words[256];
    struct sw_frame event = {
        .kind = SW_FRAME_EVENT,
        .event = {.uid = pod->config.uid, .is_warning = 1, .reason = {"UpgradeUnsupported", 18}}};

    if (count == 0 || pod->program->view.has_on_upgrade)
        return;
    snprintf(words, sizeof words,
             "the new module exports no on_upgrade: %zu instances go on with the program and the "
             "state they have; \"upgrade: reset\" in the Agent's spec begins them anew",
             count);
    event.event.words = (struct sw_bytes){words, strlen(words)};
    sw_output_frame(worker, &event, sw_output_epoch_now(worker));
}

/* Those that sleep under another program. */
static size_t count_outdated(struct sw_worker *worker, const struct sw_pod *pod)
{
    size_t count = 0;

    for (uint32_t slot = 0; pod->asleep != NULL && slot < SW_SLOTS; slot++)
        for (uint32_t i = 0; pod->asleep[slot] != NULL && i < pod->asleep[slot]->specs_count; i++) {
            const struct sw_asleep_spec *of = &pod->asleep[slot]->specs[i];
            const struct sw_spec *spec = sw_specs_find(&worker->shared->specs, of->number);

            if (of->count > 0 && !sw_bytes_is_equal(spec->digest, pod->spec->digest))
                count += of->count;
        }
    return count;
}

/* Have everything run that can. */
static void wake_instances(struct sw_worker *worker, struct sw_pod *pod)
{
    struct sw_map_entry entry;
    size_t cursor = 0, outdated = 0;

    while (sw_map_next(pod->instances, &cursor, &entry)) {
        struct sw_instance *instance = entry.value;

        instance->is_leaving = false;
        if (instance->is_started && (instance->guest != NULL || instance->image == NULL))
            sw_resting_put(worker, instance, instance->actor.last_ns);
        for (uint32_t p = 0; p < SW_PRIORITIES; p++)
            if (instance->mailbox[p] != NULL)
                sw_instance_wake_up(worker, instance, p);
        if (!instance->is_started || instance->is_stopping || instance->answer != NULL ||
            instance->actor.wait.is_due)
            sw_instance_wake_up(worker, instance, SWARM_PRIORITY_NORMAL);
        sw_call_send(worker, instance);
        if (pod->config.idle_ns != 0)
            sw_instance_set_timer(worker, instance);
        if (!is_to_upgrade(pod, instance))
            continue;
        outdated++;
        if (pod->program->view.has_on_upgrade)
            sw_instance_wake_up(worker, instance, SWARM_PRIORITY_LOW);
    }
    tell_outdated(worker, pod, outdated + count_outdated(worker, pod));
    if (pod->program->view.has_on_upgrade || pod->has_surplus)
        sw_hibernate_walk(worker, pod);
}

void sw_pod_retry_replicas(struct sw_worker *worker, struct sw_pod *pod)
{
    size_t before = sw_map_count(pod->instances);

    if (pod->state != SW_POD_OPEN) {
        pod->lacks_quota = false;
        return;
    }
    sw_pod_set_replicas(worker, pod);
    if (sw_map_count(pod->instances) > before)
        wake_instances(worker, pod);
}

void sw_pod_give_mail(struct sw_worker *worker, struct sw_pod *pod)
{
    struct sw_item *waiting = pod->limbo, *item;

    pod->limbo = NULL;
    while ((item = sw_item_get(&waiting)) != NULL) {
        struct sw_message *message = (struct sw_message *)(void *)item;

        atomic_fetch_sub(&worker->shared->queued_bytes, message->size_bytes);
        sw_deliver_message(worker, message);
    }
}

void sw_pod_route(const struct sw_pod *pod, uint32_t worker, struct sw_route_change *ret_change)
{
    const struct sw_pod_config *config = &pod->config;

    *ret_change = (struct sw_route_change){
        .name_space = config->name_space,
        .agent = config->agent,
        .pod = {.pod = config->pod, .worker = worker, .is_durable = config->is_durable},
        .replicas = config->replicas,
        .body_bytes = (uint32_t)config->body_bytes,
        .children_per_s = config->children_per_s,
        .is_keyed = config->is_keyed};
    memcpy(ret_change->pod.slots, config->slots, sizeof ret_change->pod.slots);
    memcpy(ret_change->hash_key, pod->hash_key, sizeof ret_change->hash_key);
}

/* Tell all workers where the Pod is, or that it is gone. It comes after the Pod's record: a send
 * that was routed is then never found in a journal that does not know its Pod. */
static void announce(struct sw_worker *worker, const struct sw_pod *pod, bool is_gone)
{
    struct sw_route_change change;

    sw_pod_route(pod, worker->options.index, &change);
    change.is_gone = is_gone;
    if (sw_routes_change(worker->routes, &change) != SW_OK)
        sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for a route");
    for (uint32_t i = 0; i < worker->options.count; i++) {
        struct sw_item *item;

        if (i == worker->options.index)
            continue;
        item = sw_item_route_new(&change);
        if (item == NULL)
            sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for a route");
        else
            sw_item_put(&worker->sent[i], item);
    }
}

bool sw_pod_join_share(struct sw_worker *worker, struct sw_pod *pod)
{
    if (pod->share == NULL)
        pod->share = sw_ready_share_get(&worker->ready, pod->config.name_space, pod->config.agent);
    if (pod->share == NULL)
        return false;
    sw_share_set_weight(pod->share, pod->config.weight);
    sw_share_set_quota(pod->share,
                       pod->account->parent == NULL ? NULL : &pod->account->parent->quota);
    return true;
}

static void open_pod(struct sw_worker *worker, struct sw_pod *pod, struct sw_item_pod_open *item)
{
    struct sw_shared *shared = worker->shared;
    struct sw_spec_content content = {.digest = item->config.digest,
                                      .fingerprint =
                                          sw_shared_fingerprint(shared, item->config.class),
                                      .config = item->config.config,
                                      .timers_max = item->config.timers_max};
    const struct sw_spec *spec = NULL;
    bool is_reset;
    enum sw_rc rc = sw_specs_make(&shared->specs, &content,
                                  item->config.is_durable ? shared->journal : NULL, &spec);

    if (rc == SW_OK)
        sw_capture_use(worker, spec);
    sw_capture_pod_first(worker, pod);
    is_reset = rc == SW_OK && item->config.resets && pod->spec != NULL &&
               !sw_bytes_is_equal(pod->spec->digest, spec->digest);
    if (is_reset)
        reset_instances(worker, pod);
    if (rc != SW_OK || worker->failure.rc != SW_OK ||
        record_pod(worker, pod, &item->config, spec, is_reset) != SW_OK ||
        sw_pod_set_config(pod, &item->config) != SW_OK) {
        sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for a Pod");
        return;
    }
    pod->spec = spec;
    if (!sw_pod_join_share(worker, pod)) {
        sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for a Pod");
        return;
    }
    atomic_store(&pod->account->turn.weight, pod->config.weight);
    pod->program = sw_program_add(worker, spec->program, item->module);
    item->module = NULL;
    if (pod->program == NULL)
        return;
    pod->state = SW_POD_OPEN;
    sw_resting_empty(worker, pod, &worker->captured); /* After a time that may be another one. */
    pod->is_leaving = pod->is_held = false;
    announce(worker, pod, false);
    pod->is_recovered = false;
    sw_meter_set_due(worker, pod);
    if (!pod->config.is_keyed)
        sw_pod_set_replicas(worker, pod);
    wake_instances(worker, pod);
    sw_pod_give_mail(worker, pod);
    sw_output_status(worker, pod);
}

void sw_pod_open(struct sw_worker *worker, struct sw_item_pod_open *item)
{
    struct sw_pod *pod = sw_map_find(worker->pods, &item->config.pod, sizeof item->config.pod);
    uint64_t next = atomic_load(&worker->shared->next_pod);

    while (next <= item->config.pod &&
           !atomic_compare_exchange_weak(&worker->shared->next_pod, &next, item->config.pod + 1))
        continue;
    if (pod == NULL) {
        pod = sw_pod_new(worker->shared, &item->config);
        if (pod == NULL || sw_map_put(worker->pods, &item->config.pod, sizeof item->config.pod, pod,
                                      NULL) != SW_OK) {
            sw_pod_free(worker, pod);
            sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for a Pod");
            return;
        }
        worker->counts.pods++;
    }
    if (pod->state != SW_POD_DISCARDING)
        open_pod(worker, pod, item);
}

/* --- Closing --------------------------------------------------------------------------------- */

static void tell_closed(struct sw_worker *worker, const struct sw_pod *pod)
{
    struct sw_frame frame = {.kind = SW_FRAME_POD_CLOSED, .pod_closed = {pod->config.uid}};

    sw_output_frame(worker, &frame, sw_output_epoch_now(worker));
}

static void finish(struct sw_worker *worker, struct sw_pod *pod)
{
    struct sw_record record = {.kind = SW_RECORD_POD_DROP, .dropped_pod = pod->config.pod};
    struct sw_journal_place place;

    sw_meter_end_pod(worker, pod, false);
    if (pod->config.is_durable && sw_worker_append(worker, &record, &place) != SW_OK)
        return;
    sw_capture_pod_first(worker, pod);
    free_limbo(worker, pod, SW_E_UNAVAILABLE);
    tell_closed(worker, pod);
    (void)sw_map_remove(worker->pods, &pod->config.pod, sizeof pod->config.pod);
    worker->counts.pods--;
    sw_pod_free(worker, pod);
}

void sw_pod_finish_if_empty(struct sw_worker *worker, struct sw_pod *pod)
{
    if (pod->state == SW_POD_DISCARDING && sw_pod_count(pod) == 0)
        finish(worker, pod);
}

/* Stop running it; what is journalled stays for the next time it is opened. */
static void put_to_sleep(struct sw_worker *worker, struct sw_pod *pod)
{
    size_t count;
    struct sw_instance **list = list_instances(pod, &count);

    pod->state = SW_POD_CLOSED;
    if (!pod->config.is_durable) /* Nobody is to wait for it. */
        announce(worker, pod, true);
    if (pod->is_status_due) {
        pod->is_status_due = false;
        sw_list_remove(&pod->dirty);
    }
    for (size_t i = 0; i < count; i++) {
        if (pod->config.is_durable)
            sw_instance_sleep(worker, list[i]);
        else
            sw_segment_end(worker, list[i], SW_ENTRY_RESET);
    }
    free(list);
    if (!pod->config.is_durable)
        sw_hibernate_drop(worker, pod, false);
    tell_closed(worker, pod);
}

static void discard(struct sw_worker *worker, struct sw_pod *pod)
{
    size_t count;
    struct sw_instance **list = list_instances(pod, &count);
    bool can_run = pod->state == SW_POD_OPEN;

    pod->state = SW_POD_DISCARDING;
    announce(worker, pod, true);
    for (size_t i = 0; i < count; i++) {
        list[i]->is_stopping = true;
        if (can_run)
            sw_instance_wake_up(worker, list[i], SWARM_PRIORITY_NORMAL);
        else /* Its program is not here: nobody can say goodbye. */
            sw_segment_end(worker, list[i], SW_ENTRY_RESET);
    }
    free(list);
    if (can_run && pod->program->view.has_on_stop)
        sw_hibernate_walk(worker, pod);
    else /* The end of the Pod is theirs. */
        sw_hibernate_drop(worker, pod, false);
    sw_pod_finish_if_empty(worker, pod);
}

void sw_pod_close(struct sw_worker *worker, const struct sw_item_pod_close *item)
{
    struct sw_pod *pod = sw_map_find(worker->pods, &item->pod, sizeof item->pod);

    if (pod == NULL || pod->state == SW_POD_DISCARDING)
        return;
    pod->is_leaving = pod->is_held = false;
    if (item->discard)
        discard(worker, pod);
    else
        put_to_sleep(worker, pod);
}
