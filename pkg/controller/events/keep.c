#include <stdlib.h>
#include <string.h>

#include "pkg/controller/events/state.h"
#include "pkg/utils/base/text.h"

#define KEEP_EVERY_MS 30000
#define RETENTION_NS_DEFAULT 3600000000000u
#define BATCH_MAX SW_EVENTS_SLACK /* Deletions in one commit. */

struct age { /* One Event. */
    uint64_t last_ns;
    const char *key; /* In the pass's arena. */
};

static uint64_t retention_ns(const struct sw_events *events, struct sw_arena *arena)
{
    uint64_t wanted_ns = RETENTION_NS_DEFAULT;
    void *object = NULL;

    if (sw_objects_get(
            events->options.objects,
            &(const struct sw_object_ref){sw_kind_find("Cluster"), "", SW_OBJECT_NAME_DEFAULT},
            arena, &object, NULL) != SW_OK)
        return wanted_ns;
    const struct sw_api_cluster *cluster = object;
    if (sw_text_to_duration_ns(cluster->spec.event_retention, &wanted_ns) != SW_OK)
        return RETENTION_NS_DEFAULT;
    return wanted_ns;
}

static int by_age(const void *one, const void *other)
{
    const struct age *first = one, *second = other;

    return first->last_ns < second->last_ns ? -1 : first->last_ns > second->last_ns;
}

static enum sw_rc read_ages(struct sw_events *events, struct sw_arena *arena, struct age **ret_ages,
                            size_t *ret_count, struct sw_err *err)
{
    size_t count_max = sw_informer_count(events->kept), count = 0, cursor = 0;
    struct age *ages = sw_arena_array(arena, count_max, sizeof(ages[0]));
    const struct sw_store_item *item;

    if (ages == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to look through the Events");
    while (count < count_max && sw_informer_next(events->kept, &cursor, &item)) {
        void *object = NULL;
        sw_arena_reset(events->scratch);
        enum sw_rc rc =
            sw_object_of_item(sw_kind_find("Event"), item, events->scratch, &object, err);
        if (rc != SW_OK)
            return rc;
        ages[count++] = (struct age){.last_ns = ((const struct sw_api_event *)object)->last_time,
                                     .key = item->key};
    }
    qsort(ages, count, sizeof(ages[0]), by_age);
    *ret_ages = ages;
    *ret_count = count;
    return SW_OK;
}

static enum sw_rc plan_delete(struct sw_pass *pass, const char *key, struct sw_err *err)
{
    const struct sw_kind *kind = sw_kind_find("Event");
    const char *space = strchr(key, '/') + 1;
    const char *name = strchr(space, '/') + 1;
    void *object = sw_object_new(kind, pass->arena);

    if (object == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to delete an Event");
    sw_object_meta(object)->namespace =
        sw_arena_copy(pass->arena, space, (size_t)(name - 1 - space));
    sw_object_meta(object)->name = sw_arena_copy(pass->arena, name, strlen(name));
    return sw_plan_delete(pass->plan, kind, object, err);
}

enum sw_rc sw_events_keep(struct sw_events *events, struct sw_pass *pass, struct sw_err *err)
{
    uint64_t now_ns = sw_objects_utc_ns(events->options.objects);
    uint64_t keep_ns = retention_ns(events, pass->arena);
    struct age *ages = NULL;
    size_t count = 0, deleted = 0;

    enum sw_rc rc = read_ages(events, pass->arena, &ages, &count, err);
    for (size_t i = 0; rc == SW_OK && i < count && deleted < BATCH_MAX; i++) {
        bool is_old = ages[i].last_ns + keep_ns < now_ns;
        if (!is_old && count - i <= SW_EVENTS_MAX)
            break; /* All that follow are newer. */
        if (sw_store_find(sw_objects_store(events->options.objects), ages[i].key) == NULL)
            continue; /* Gone already; the informer is about to hear of it. */
        rc = plan_delete(pass, ages[i].key, err);
        deleted++;
    }
    pass->again_ms = deleted == BATCH_MAX ? 1 : KEEP_EVERY_MS;
    return rc;
}
