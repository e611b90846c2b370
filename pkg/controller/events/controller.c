#include "pkg/controller/events/controller.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/controller/events/state.h"
#include "pkg/utils/base/hash.h"
#include "pkg/utils/base/text.h"

#define FIRST_DELAY_MS 10 /* Lets what happens at once be counted together. */
#define AGAIN_DELAY_MS 1000
#define NAME_PART_MAX                                                                              \
    40 /* Of the object's name in the Event's; the rest of a label is its hash.                    \
        */

struct pending { /* What happened and is not in the store yet. Texts follow the struct. */
    const struct sw_kind *kind;
    const char *namespace_name, *name, *uid, *instance, *reason, *component;
    char message[SW_EVENTS_MESSAGE_MAX];
    bool is_warning;
    uint32_t count, writing; /* writing of them are in the pass under way. */
    uint64_t first_ns, last_ns;
};

/* --- Recording ----------------------------------------------------------------------------------
 */

static const char *text_of(const char *text)
{
    return text == NULL ? "" : text;
}

static uint64_t identity_of(const struct sw_occurrence *occurrence)
{
    static const uint8_t key[16] = "swarm event name";
    char text[1024];

    int size =
        snprintf(text, sizeof(text), "%s|%s|%s|%s|%s|%s", occurrence->kind->name,
                 text_of(occurrence->name), text_of(occurrence->uid), text_of(occurrence->instance),
                 text_of(occurrence->reason), text_of(occurrence->component));
    size_t used = size < 0 ? 0 : (size_t)size;
    return sw_siphash(key, text, used < sizeof(text) ? used : sizeof(text) - 1);
}

static void event_key(const struct sw_occurrence *occurrence, char ret_key[SW_OBJECT_KEY_MAX])
{
    const char *space = text_of(occurrence->namespace_name);
    char name[64];

    snprintf(name, sizeof(name), "%.*s-%016llx", NAME_PART_MAX, text_of(occurrence->name),
             (unsigned long long)identity_of(occurrence));
    sw_object_key(sw_kind_find("Event"), space[0] == '\0' ? SW_OBJECT_NAME_DEFAULT : space, name,
                  ret_key);
}

static const char *put_text(char **at, const char *text)
{
    char *start = *at;
    size_t size = strlen(text_of(text)) + 1;

    memcpy(start, text_of(text), size);
    *at += size;
    return start;
}

static struct pending *pending_new(const struct sw_occurrence *occurrence)
{
    const char *texts[] = {occurrence->namespace_name, occurrence->name,   occurrence->uid,
                           occurrence->instance,       occurrence->reason, occurrence->component};
    size_t size = 0;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        size += strlen(text_of(texts[i])) + 1;
    struct pending *pending = calloc(1, sizeof(*pending) + size);
    if (pending == NULL)
        return NULL;
    char *at = (char *)(pending + 1);
    pending->kind = occurrence->kind;
    pending->namespace_name = put_text(&at, occurrence->namespace_name);
    pending->name = put_text(&at, occurrence->name);
    pending->uid = put_text(&at, occurrence->uid);
    pending->instance = put_text(&at, occurrence->instance);
    pending->reason = put_text(&at, occurrence->reason);
    pending->component = put_text(&at, occurrence->component);
    return pending;
}

static struct pending *find_pending(struct sw_events *events,
                                    const struct sw_occurrence *occurrence, const char *key)
{
    struct pending *pending = sw_map_find(events->pending, key, strlen(key));

    if (pending != NULL || sw_map_count(events->pending) >= SW_EVENTS_PENDING_MAX)
        return pending;
    pending = pending_new(occurrence);
    if (pending != NULL && sw_map_put(events->pending, key, strlen(key), pending, NULL) != SW_OK) {
        free(pending);
        pending = NULL;
    }
    return pending;
}

void sw_events_record(struct sw_events *events, const struct sw_occurrence *occurrence)
{
    char key[SW_OBJECT_KEY_MAX];
    uint64_t now_ns = sw_objects_utc_ns(events->options.objects);

    event_key(occurrence, key);
    struct pending *pending = find_pending(events, occurrence, key);
    if (pending == NULL) {
        if (events->dropped++ == 0)
            sw_log(events->options.logger, SW_LOG_WARN, "events",
                   "more happens than can be written: some Events are left out");
        return;
    }
    if (pending->count++ == 0)
        pending->first_ns = now_ns;
    pending->last_ns = now_ns;
    pending->is_warning = occurrence->is_warning;
    snprintf(pending->message, sizeof(pending->message), "%s", text_of(occurrence->message));
    sw_text_mend_end(pending->message);
    bool is_known = sw_store_find(sw_objects_store(events->options.objects), key) != NULL;
    sw_reconciler_add(events->reconciler, key, is_known ? AGAIN_DELAY_MS : FIRST_DELAY_MS);
}

size_t sw_events_flush(struct sw_events *events)
{
    struct sw_map_entry entry;
    size_t cursor = 0;
    char key[SW_OBJECT_KEY_MAX];

    while (sw_map_next(events->pending, &cursor, &entry)) {
        snprintf(key, sizeof(key), "%.*s", (int)entry.key.size, (const char *)entry.key.data);
        sw_reconciler_add(events->reconciler, key, 0);
    }
    return sw_map_count(events->pending);
}

/* --- Writing ------------------------------------------------------------------------------------
 */

/* What happened may be forgotten once this pass is written. */
static void fill_event(struct sw_events *events, struct sw_api_event *event,
                       const struct pending *pending)
{
    event->involved_object = (struct sw_api_object_reference){.kind = pending->kind->name,
                                                              .namespace = pending->namespace_name,
                                                              .name = pending->name,
                                                              .uid = pending->uid,
                                                              .instance = pending->instance};
    event->type = pending->is_warning ? SW_API_EVENT_TYPE_WARNING : SW_API_EVENT_TYPE_NORMAL;
    event->reason = pending->reason;
    event->message = pending->message;
    event->source.component = pending->component;
    event->source.node = events->options.node_name;
    event->count += pending->count;
    event->last_time = pending->last_ns;
    if (event->first_time == 0)
        event->first_time = pending->first_ns;
}

static enum sw_rc plan_event(struct sw_events *events, struct sw_pass *pass,
                             const struct pending *pending, struct sw_err *err)
{
    const struct sw_kind *kind = sw_kind_find("Event");
    const struct sw_store_item *item =
        sw_store_find(sw_objects_store(events->options.objects), pass->key);
    void *object = NULL;

    if (item != NULL) {
        enum sw_rc rc = sw_object_of_item(kind, item, pass->arena, &object, err);
        if (rc != SW_OK)
            return rc;
        fill_event(events, object, pending);
        return sw_plan_update(pass->plan, kind, object, err);
    }
    object = sw_object_new(kind, pass->arena);
    if (object == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for an Event");
    struct sw_api_object_meta *meta = sw_object_meta(object);
    meta->name = sw_arena_print(pass->arena, "%s", strrchr(pass->key, '/') + 1);
    meta->namespace =
        pending->namespace_name[0] == '\0' ? SW_OBJECT_NAME_DEFAULT : pending->namespace_name;
    fill_event(events, object, pending);
    return sw_plan_create(pass->plan, kind, object, err);
}

static void drop_pending(struct sw_events *events, const char *key)
{
    free(sw_map_remove(events->pending, key, strlen(key)));
}

/* What cannot be written ever (the namespace is gone or going, the names are not valid) is dropped:
 * Events are a help, and nobody waits for them. */
static enum sw_rc reconcile(void *ctx, struct sw_pass *pass, struct sw_err *err)
{
    struct sw_events *events = ctx;

    if (strcmp(pass->key, SW_EVENTS_KEEPING) == 0)
        return sw_events_keep(events, pass, err);
    struct pending *pending = sw_map_find(events->pending, pass->key, strlen(pass->key));
    if (pending == NULL)
        return SW_OK;
    enum sw_rc rc = plan_event(events, pass, pending, err);
    if (rc == SW_E_NOT_FOUND || rc == SW_E_PRECONDITION || rc == SW_E_INVALID) {
        drop_pending(events, pass->key);
        return SW_OK;
    }
    pending->writing = pending->count;
    return rc;
}

static void on_committed(void *ctx, struct sw_pass *pass)
{
    struct sw_events *events = ctx;
    struct pending *pending = sw_map_find(events->pending, pass->key, strlen(pass->key));

    if (pending == NULL)
        return;
    pending->count -= pending->writing;
    pending->writing = 0;
    if (pending->count == 0)
        drop_pending(events, pass->key);
    else
        sw_reconciler_add(events->reconciler, pass->key, AGAIN_DELAY_MS);
}

/* --- Life ---------------------------------------------------------------------------------------
 */

static void on_change(void *ctx, const struct sw_informer_change *change, size_t which)
{
    static const char *const kinds[] = {"Agent", "Pod", "Node"};
    struct sw_events *events = ctx;

    sw_events_note_move(events, sw_kind_find(kinds[which]), change,
                        sw_informer_is_synced(events->kinds[which]));
}

static void on_agent(void *ctx, const struct sw_informer_change *change)
{
    on_change(ctx, change, 0);
}

static void on_pod(void *ctx, const struct sw_informer_change *change)
{
    on_change(ctx, change, 1);
}

static void on_node(void *ctx, const struct sw_informer_change *change)
{
    on_change(ctx, change, 2);
}

/* Events are looked through from time to time, not with every change, unless there are too many. */
static void on_event(void *ctx, const struct sw_informer_change *change)
{
    struct sw_events *events = ctx;

    if (change->before == NULL && events->kept != NULL &&
        sw_informer_count(events->kept) > SW_EVENTS_MAX + SW_EVENTS_SLACK)
        sw_reconciler_add(events->reconciler, SW_EVENTS_KEEPING, 0);
}

static void on_events_synced(void *ctx)
{
    struct sw_events *events = ctx;

    sw_reconciler_add(events->reconciler, SW_EVENTS_KEEPING, 0);
}

static enum sw_rc follow(struct sw_events *events, struct sw_err *err)
{
    struct sw_objects *objects = events->options.objects;
    const struct {
        const char *kind;
        struct sw_informer_handler handler;
        struct sw_informer **ret_informer;
    } all[] = {
        {"Agent", {.ctx = events, .on_change = on_agent}, &events->kinds[0]},
        {"Pod", {.ctx = events, .on_change = on_pod}, &events->kinds[1]},
        {"Node", {.ctx = events, .on_change = on_node}, &events->kinds[2]},
        {"Event",
         {.ctx = events, .on_change = on_event, .on_synced = on_events_synced},
         &events->kept},
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        enum sw_rc rc = sw_informer_new(objects, sw_kind_find(all[i].kind), &all[i].handler,
                                        all[i].ret_informer, err);
        if (rc != SW_OK)
            return rc;
    }
    return SW_OK;
}

enum sw_rc sw_events_new(const struct sw_events_options *options, struct sw_events **ret_events,
                         struct sw_err *err)
{
    SW_CLEANUP(sw_events_freep) struct sw_events *events = calloc(1, sizeof(*events));

    if (events == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for Events");
    events->options = *options;
    events->pending = sw_map_new(0); /* Keys are ours. */
    events->scratch = sw_arena_new(SW_OBJECT_ARENA_MAX);
    if (events->pending == NULL || events->scratch == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for Events");
    const struct sw_reconciler_options frame = {.name = "events",
                                                .loop = options->loop,
                                                .system = options->system,
                                                .logger = options->logger,
                                                .objects = options->objects,
                                                .ctx = events,
                                                .reconcile = reconcile,
                                                .committed = on_committed};
    enum sw_rc rc = sw_reconciler_new(&frame, &events->reconciler, err);
    if (rc == SW_OK)
        rc = follow(events, err);
    if (rc == SW_OK)
        *ret_events = SW_TAKE(events);
    return rc;
}

void sw_events_free(struct sw_events *events)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    if (events == NULL)
        return;
    for (size_t i = 0; i < 3; i++)
        sw_informer_free(events->kinds[i]);
    sw_informer_free(events->kept);
    sw_reconciler_free(events->reconciler);
    while (events->pending != NULL && sw_map_next(events->pending, &cursor, &entry))
        free(entry.value);
    sw_map_free(events->pending);
    sw_arena_free(events->scratch);
    free(events);
}
