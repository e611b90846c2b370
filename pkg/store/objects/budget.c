#include <string.h>

#include "pkg/broker/catalog/catalog.h"
#include "pkg/store/objects/state.h"
#include "pkg/utils/base/text.h"

/* Budgets at their writes: who raises one is written down in the same transaction. */

#define WORDS_MAX 1024
#define NAME_PART_MAX 40 /* Of the object's name in the Event's, which is a label. */
#define REASON "BudgetRaised"

static enum sw_rc out_of_memory(struct sw_err *err)
{
    return sw_err_set(err, SW_E_EXHAUSTED, "no memory is left for this request");
}

/* What an object bounds; false: it is of no kind that bounds anything. */
static bool read_bounds(const struct sw_kind *kind, const void *object,
                        struct sw_catalog_budget *ret_budget)
{
    if (kind->message == &sw_api_budget_message)
        return sw_catalog_read_budget(object, ret_budget, NULL) == SW_OK;
    if (kind->message == &sw_api_cluster_message)
        return sw_catalog_read_root(object, ret_budget, NULL) == SW_OK;
    return false;
}

/* Events can be made in a namespace that stays. */
static bool has_room(const struct sw_plan *plan, const char *name_space)
{
    const struct sw_plan_options *options = sw_plan_options_of(plan);
    void *found = NULL;

    return sw_objects_get(sw_plan_objects(plan),
                          &(const struct sw_object_ref){sw_kind_find("Namespace"), "", name_space},
                          options->arena, &found, NULL) == SW_OK &&
           sw_object_meta(found)->deletion_timestamp == 0;
}

/* Each raise is an Event of its own, so its name has something of chance. */
static const char *name_event(const struct sw_plan *plan, const char *name)
{
    const struct sw_system *system = sw_plan_objects(plan)->system;
    uint8_t random[8];
    struct sw_buffer digits;
    const char *text;

    system->random(system->ctx, random, sizeof random);
    sw_buffer_init(&digits, 2 * sizeof random + 1);
    sw_hex_encode(random, sizeof random, &digits);
    sw_buffer_put_u8(&digits, 0);
    text = sw_buffer_check(&digits) != SW_OK
               ? NULL
               : sw_arena_print(sw_plan_options_of(plan)->arena, "%.*s-%s", NAME_PART_MAX, name,
                                (const char *)digits.data);
    sw_buffer_done(&digits);
    return text;
}

static enum sw_rc add_event(struct sw_plan *plan, const struct sw_kind *kind, const void *object,
                            const char *words, struct sw_err *err)
{
    const struct sw_plan_options *options = sw_plan_options_of(plan);
    const struct sw_api_object_meta *meta = sw_object_meta_of(object);
    const char *name_space =
        kind->is_namespaced ? sw_object_namespace(object) : SW_OBJECT_NAME_DEFAULT;
    struct sw_api_event *event;

    if (!has_room(plan, name_space))
        return SW_OK; /* All of it goes, and Events with it. */
    event = sw_object_new(sw_kind_find("Event"), options->arena);
    if (event == NULL)
        return out_of_memory(err);
    event->metadata.namespace = name_space;
    event->metadata.name = name_event(plan, sw_object_name(object));
    event->involved_object = (struct sw_api_object_reference){
        kind->name, sw_object_namespace(object), sw_object_name(object), meta->uid, ""};
    event->type = SW_API_EVENT_TYPE_NORMAL;
    event->reason = REASON;
    event->message = words;
    event->first_time = event->last_time = sw_objects_utc_ns(sw_plan_objects(plan));
    event->source.component = "api";
    if (event->metadata.name == NULL)
        return out_of_memory(err);
    return sw_plan_create(plan, sw_kind_find("Event"), event, err);
}

enum sw_rc sw_plan_note_raise(struct sw_plan *plan, const struct sw_kind *kind, const void *old,
                              const void *next, struct sw_err *err)
{
    const struct sw_plan_options *options = sw_plan_options_of(plan);
    const char *actor =
        options->actor == NULL || options->actor[0] == '\0' ? "the platform" : options->actor;
    struct sw_catalog_budget before, after;
    struct sw_buffer changes;
    const char *words = NULL;

    if (!read_bounds(kind, old, &before) || (next != NULL && !read_bounds(kind, next, &after)))
        return SW_OK;
    sw_buffer_init(&changes, WORDS_MAX);
    if (!sw_catalog_is_raised(&before, next == NULL ? NULL : &after, &changes)) {
        sw_buffer_done(&changes);
        return SW_OK;
    }
    sw_buffer_put_u8(&changes, 0);
    if (sw_buffer_check(&changes) == SW_OK)
        words =
            sw_arena_print(options->arena, "%s %s: %s", actor,
                           next == NULL ? "deleted it" : "raised it", (const char *)changes.data);
    sw_buffer_done(&changes);
    return words == NULL ? out_of_memory(err) : add_event(plan, kind, old, words, err);
}
