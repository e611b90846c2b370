#include "pkg/apis/swarm/v1/fields.h"
#include "pkg/apis/swarm/v1/object.h"

const char *sw_api_pair_find(const struct sw_api_pair *pairs, size_t count, const char *key)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(pairs[i].key, key) == 0)
            return pairs[i].value;
    return NULL;
}

enum sw_rc sw_api_pair_put(struct sw_api_pair **pairs, size_t *count, const char *key,
                           const char *value, struct sw_arena *arena)
{
    char *value_copy = sw_arena_copy(arena, value, strlen(value));
    size_t at = 0;

    if (value_copy == NULL)
        return SW_E_EXHAUSTED;
    while (at < *count && strcmp((*pairs)[at].key, key) < 0)
        at++;
    if (at < *count && strcmp((*pairs)[at].key, key) == 0) {
        (*pairs)[at].value = value_copy;
        return SW_OK;
    }
    struct sw_api_pair *more = sw_arena_array(arena, *count + 1, sizeof(*more));
    char *key_copy = sw_arena_copy(arena, key, strlen(key));
    if (more == NULL || key_copy == NULL)
        return SW_E_EXHAUSTED;
    if (at > 0)
        memcpy(more, *pairs, at * sizeof(*more));
    if (at < *count)
        memcpy(more + at + 1, *pairs + at, (*count - at) * sizeof(*more));
    more[at] = (struct sw_api_pair){.key = key_copy, .value = value_copy};
    *pairs = more;
    *count += 1;
    return SW_OK;
}

bool sw_object_has_finalizer(const void *object, const char *name)
{
    const struct sw_api_object_meta *meta = sw_object_meta_of(object);

    for (size_t i = 0; i < meta->finalizers_count; i++)
        if (strcmp(meta->finalizers[i], name) == 0)
            return true;
    return false;
}

enum sw_rc sw_object_add_finalizer(void *object, const char *name, struct sw_arena *arena)
{
    struct sw_api_object_meta *meta = sw_object_meta(object);

    if (sw_object_has_finalizer(object, name))
        return SW_OK;
    const char **more = sw_arena_array(arena, meta->finalizers_count + 1, sizeof(*more));
    char *copy = sw_arena_copy(arena, name, strlen(name));
    if (more == NULL || copy == NULL)
        return SW_E_EXHAUSTED;
    for (size_t i = 0; i < meta->finalizers_count; i++)
        more[i] = meta->finalizers[i];
    more[meta->finalizers_count++] = copy;
    meta->finalizers = more;
    return SW_OK;
}

void sw_object_remove_finalizer(void *object, const char *name)
{
    struct sw_api_object_meta *meta = sw_object_meta(object);
    size_t kept = 0;

    for (size_t i = 0; i < meta->finalizers_count; i++)
        if (strcmp(meta->finalizers[i], name) != 0)
            meta->finalizers[kept++] = meta->finalizers[i];
    meta->finalizers_count = kept;
}

const struct sw_api_owner_reference *sw_object_controller(const void *object)
{
    const struct sw_api_object_meta *meta = sw_object_meta_of(object);

    for (size_t i = 0; i < meta->owner_references_count; i++)
        if (meta->owner_references[i].controller)
            return &meta->owner_references[i];
    return NULL;
}

const struct sw_api_condition *sw_condition_find(const struct sw_api_condition *conditions,
                                                 size_t count, const char *type)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(conditions[i].type, type) == 0)
            return &conditions[i];
    return NULL;
}

enum sw_rc sw_condition_put(struct sw_api_condition **conditions, size_t *count,
                            const struct sw_api_condition *condition, struct sw_arena *arena)
{
    for (size_t i = 0; i < *count; i++) {
        struct sw_api_condition *old = &(*conditions)[i];
        if (strcmp(old->type, condition->type) != 0)
            continue;
        uint64_t since = old->status == condition->status ? old->last_transition_time
                                                          : condition->last_transition_time;
        *old = *condition;
        old->last_transition_time = since;
        return SW_OK;
    }
    struct sw_api_condition *more = sw_arena_array(arena, *count + 1, sizeof(*more));
    if (more == NULL)
        return SW_E_EXHAUSTED;
    if (*count > 0)
        memcpy(more, *conditions, *count * sizeof(*more));
    more[*count] = *condition;
    *conditions = more;
    *count += 1;
    return SW_OK;
}
