#include "pkg/agent/runtime/actor/hibernate.h"
#include "pkg/agent/runtime/actor/recovering.h"

/* The blocks of the snapshot that a recovery begins with. */

static enum sw_rc load_instance(struct recovery *recovery, const struct sw_snapshot_block *block)
{
    const struct sw_snapshot_instance *saved = &block->instance;
    struct sw_record_segment start = {.instance = saved->id,
                                      .pod = saved->pod,
                                      .key = saved->key,
                                      .seed = saved->seed,
                                      .memory_bytes = saved->memory_bytes};
    struct sw_subscriber who = {.instance = saved->id, .pod = saved->pod, .is_durable = true};
    struct sw_instance *instance;
    enum sw_rc rc = sw_recovery_start(recovery, &start, &instance);

    if (rc == SW_OK)
        rc = sw_actor_load(&instance->actor, saved->actor, recovery->err);
    if (rc != SW_OK)
        return rc;
    instance->actor.last_lsn = saved->last_lsn;
    instance->actor.state_lsn = saved->state_lsn;
    instance->random.next = saved->random_next;
    instance->refused = saved->refused;
    instance->pages = saved->pages & SW_INSTANCE_PAGES_MAX;
    *sw_instance_used(instance) = saved->used;
    sw_meter_load(worker_of(recovery, saved->pod), instance);
    instance->spec = sw_recovery_use_spec(recovery, saved->spec);
    if (instance->spec == NULL)
        return contradiction(recovery, "an instance without a spec");
    if (instance->actor.last_ns > recovery->latest_ns)
        recovery->latest_ns = instance->actor.last_ns;
    instance->stored_at[0] = block->at;
    instance->stored_generation[0] = 1;
    if (sw_actor_is_held(&instance->actor))
        return rc; /* It hears nothing. */
    for (uint32_t i = 0; rc == SW_OK && i < instance->actor.patterns_count; i++) {
        const struct sw_pattern *pattern = instance->actor.patterns[i];
        struct sw_bytes text = {pattern->text, pattern->size};

        rc = sw_subject_is_pattern(text)
                 ? sw_bus_add(&recovery->shared->bus, &who, instance->pod->config.name_space, text)
                 : contradiction(recovery, "a subscription to no subject");
    }
    return rc;
}

static enum sw_rc load_shelf(struct recovery *recovery, const struct sw_snapshot_shelf *saved)
{
    struct sw_shelf_file file = {
        .number = saved->number, .bytes = saved->bytes, .blocks = saved->blocks};

    return sw_shelf_add(recovery->shared->shelf, &file, recovery->err);
}

static enum sw_rc load_places(struct recovery *recovery, const struct sw_snapshot_places *places)
{
    struct sw_reader specs = sw_reader_of(places->specs.data, places->specs.size);
    struct sw_pod *pod = find_pod(recovery, places->pod);
    enum sw_rc rc;

    while (specs.at < specs.size)
        if (sw_recovery_use_spec(recovery, sw_reader_u32(&specs)) == NULL)
            return contradiction(recovery, "instances that sleep under no spec");
    if (pod == NULL)
        return contradiction(recovery, "instances that sleep in no Pod");
    rc = sw_hibernate_load(worker_of(recovery, places->pod), pod, places);
    if (rc == SW_E_EXHAUSTED)
        return no_memory(recovery);
    return rc == SW_OK ? SW_OK : contradiction(recovery, "instances that sleep nowhere");
}

enum sw_rc sw_recovery_usage(struct recovery *recovery, const struct sw_record_usage *record,
                             bool is_whole)
{
    if (record->time_ns > recovery->latest_ns)
        recovery->latest_ns = record->time_ns;
    return sw_accounts_take(&recovery->shared->accounts, record, is_whole) == SW_OK
               ? SW_OK
               : no_memory(recovery);
}

static enum sw_rc load_handled(struct recovery *recovery, const struct sw_message *template)
{
    struct sw_worker *worker = worker_of(recovery, template->pod);
    struct sw_instance *instance = sw_idmap_find(worker->instances, template->instance);
    struct sw_message *message;

    if (instance == NULL || instance->actor.wait.kind == SW_WAIT_NONE || instance->handled != NULL)
        return contradiction(recovery, "what a turn handles that is not there");
    message = sw_message_new(template);
    if (message == NULL)
        return no_memory(recovery);
    sw_instance_set_handled(worker, instance, message);
    return SW_OK;
}

static enum sw_rc load_message(struct recovery *recovery, const struct sw_snapshot_message *saved)
{
    const struct sw_message_head *head = &saved->head;
    struct sw_message message = {.pod = saved->pod,
                                 .instance = saved->instance,
                                 .key = saved->key,
                                 .head = *head,
                                 .attempts = saved->attempts,
                                 .retry_ns = saved->retry_ns,
                                 .is_timer = saved->is_timer,
                                 .is_lost = saved->is_lost,
                                 .body = saved->body};
    struct pending_key key = {head->source.lsn, head->source.index, 0};

    if (saved->is_handled)
        return load_handled(recovery, &message);
    if ((head->flags & SWARM_MESSAGE_PUBLISHED) != 0)
        key.instance = saved->instance;
    if (key.lsn == 0)
        key = (struct pending_key){head->answers.lsn, head->answers.index, 0};
    return sw_recovery_find(recovery, &key) != NULL
               ? contradiction(recovery, "a message that waits twice")
               : sw_recovery_add(recovery, &key, &message);
}

static enum sw_rc load_published(struct recovery *recovery, struct sw_bytes published)
{
    struct sw_reader reader = sw_reader_of(published.data, published.size);
    enum sw_rc rc = sw_requests_load(&recovery->shared->bus.published, &reader);

    if (rc == SW_E_EXHAUSTED)
        return no_memory(recovery);
    return rc == SW_OK && sw_reader_is_finished(&reader)
               ? SW_OK
               : contradiction(recovery, "malformed names of publishes");
}

enum sw_rc sw_recovery_block(void *ctx, const struct sw_snapshot_block *block, struct sw_err *err)
{
    struct recovery *recovery = ctx;

    (void)err;
    switch (block->kind) {
    case SW_SNAPSHOT_GONE:
        for (uint32_t i = 0; i < recovery->count; i++)
            if (sw_routes_add_gone(recovery->workers[i]->routes, block->gone.pod,
                                   block->gone.name_space, block->gone.agent) != SW_OK)
                return no_memory(recovery);
        return SW_OK;
    case SW_SNAPSHOT_USAGE:
        return sw_recovery_usage(recovery, &block->usage, true);
    case SW_SNAPSHOT_NUMBERS:
        sw_recovery_raise(&recovery->shared->next_pod, block->numbers.next_pod);
        sw_recovery_raise(&recovery->shared->next_instance, block->numbers.next_instance);
        if (block->numbers.time_ns > recovery->latest_ns)
            recovery->latest_ns = block->numbers.time_ns;
        return SW_OK;
    case SW_SNAPSHOT_SPEC:
        return sw_recovery_spec(recovery, &block->spec);
    case SW_SNAPSHOT_POD:
        return sw_recovery_pod(recovery, &block->pod);
    case SW_SNAPSHOT_INSTANCE:
        return load_instance(recovery, block);
    case SW_SNAPSHOT_MESSAGE:
        return load_message(recovery, &block->message);
    case SW_SNAPSHOT_LETTER:
        return sw_recovery_letter(recovery, &block->letter);
    case SW_SNAPSHOT_PUBLISHED:
        return load_published(recovery, block->published);
    case SW_SNAPSHOT_SHELF:
        return load_shelf(recovery, &block->shelf);
    case SW_SNAPSHOT_PLACES:
        return load_places(recovery, &block->places);
    case SW_SNAPSHOT_RECORDS: /* Of files of history only. */
    case SW_SNAPSHOT_HISTORY:
    case SW_SNAPSHOT_PACKED:
    case SW_SNAPSHOT_END:
        break;
    }
    return SW_OK;
}
