#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/apis/swarm/v1/protobuf.h"
#include "pkg/store/objects/state.h"

struct sw_objects *sw_objects_new(struct sw_store *store, const struct sw_system *system)
{
    struct sw_objects *objects = malloc(sizeof(*objects));

    if (objects != NULL)
        *objects = (struct sw_objects){.store = store, .system = system};
    return objects;
}

void sw_objects_free(struct sw_objects *objects)
{
    free(objects);
}

void sw_objects_set_ring(struct sw_objects *objects, const struct sw_keyring *ring)
{
    objects->ring = ring;
}

struct sw_store *sw_objects_store(const struct sw_objects *objects)
{
    return objects->store;
}

uint64_t sw_objects_utc_ns(const struct sw_objects *objects)
{
    return objects->system->utc_ns(objects->system->ctx);
}

void sw_object_key(const struct sw_kind *kind, const char *namespace_name, const char *name,
                   char ret_key[SW_OBJECT_KEY_MAX])
{
    int size;

    if (namespace_name == NULL)
        size = snprintf(ret_key, SW_OBJECT_KEY_MAX, "%s/", kind->plural);
    else if (name == NULL)
        size = snprintf(ret_key, SW_OBJECT_KEY_MAX, "%s/%s/", kind->plural, namespace_name);
    else
        size = snprintf(ret_key, SW_OBJECT_KEY_MAX, "%s/%s/%s", kind->plural, namespace_name, name);
    if (size < 0 || size >= SW_OBJECT_KEY_MAX)
        ret_key[0] = '\0'; /* Longer than any valid name: no key, which nothing is stored under. */
}

enum sw_rc sw_object_of_item(const struct sw_kind *kind, const struct sw_store_item *item,
                             struct sw_arena *arena, void **ret_object, struct sw_err *err)
{
    void *object = NULL;

    enum sw_rc rc = sw_object_decode(kind, item->value, arena, &object, err);
    if (rc == SW_E_EXHAUSTED)
        return rc;
    if (rc != SW_OK) {
        sw_err_context(err, "%s, as it is stored", item->key);
        if (err != NULL)
            err->rc = SW_E_CORRUPT;
        return SW_E_CORRUPT;
    }
    sw_object_meta(object)->resource_version = item->revision;
    *ret_object = object;
    return SW_OK;
}

bool sw_object_keeps_spec(const struct sw_kind *kind, const struct sw_store_item *before,
                          const struct sw_store_item *now, struct sw_arena *arena)
{
    const struct sw_api_object_meta *was, *is;
    void *old = NULL, *new = NULL;

    sw_arena_reset(arena);
    if (sw_object_of_item(kind, before, arena, &old, NULL) != SW_OK ||
        sw_object_of_item(kind, now, arena, &new, NULL) != SW_OK)
        return false;
    was = sw_object_meta_of(old);
    is = sw_object_meta_of(new);
    return was->generation == is->generation && strcmp(was->uid, is->uid) == 0;
}

#define METADATA_FIELD 3 /* Of every kind. */

size_t sw_object_size_of_item(const struct sw_store_item *item)
{
    const struct sw_api_object_meta meta = {.resource_version = item->revision};

    /* One number: tag and size of the field are one byte each. */
    return item->value.size + 2 + sw_protobuf_size(&sw_api_object_meta_message, &meta);
}

/* Protobuf merges a message field that comes twice, so the revision is appended as a second
 * metadata of that field alone. */
void sw_object_bytes_of_item(const struct sw_store_item *item, struct sw_buffer *out)
{
    const struct sw_api_object_meta meta = {.resource_version = item->revision};

    sw_buffer_put(out, item->value.data, item->value.size);
    sw_protobuf_encode_head(METADATA_FIELD, sw_protobuf_size(&sw_api_object_meta_message, &meta),
                            out);
    sw_protobuf_encode(&sw_api_object_meta_message, &meta, out);
}

enum sw_rc sw_objects_get(const struct sw_objects *objects, const struct sw_object_ref *ref,
                          struct sw_arena *arena, void **ret_object, struct sw_err *err)
{
    char key[SW_OBJECT_KEY_MAX];

    sw_object_key(ref->kind, ref->namespace_name, ref->name, key);
    const struct sw_store_item *item = sw_store_find(objects->store, key);
    if (item != NULL)
        return sw_object_of_item(ref->kind, item, arena, ret_object, err);
    if (ref->namespace_name[0] == '\0')
        return sw_err_set(err, SW_E_NOT_FOUND, "%s \"%s\" does not exist", ref->kind->name,
                          ref->name);
    return sw_err_set(err, SW_E_NOT_FOUND, "%s \"%s\" does not exist in namespace \"%s\"",
                      ref->kind->name, ref->name, ref->namespace_name);
}

static const char *text_of(const char *text)
{
    return text == NULL ? "" : text;
}

const char *sw_object_name(const void *object)
{
    return text_of(sw_object_meta_of(object)->name);
}

const char *sw_object_namespace(const void *object)
{
    return text_of(sw_object_meta_of(object)->namespace);
}

const struct sw_api_enum *sw_object_phase(const struct sw_kind *kind, void *object, int **ret_phase)
{
    const struct sw_api_message *message = NULL;
    void *status = sw_object_part(kind, object, "status", &message);
    const struct sw_api_field *field = status == NULL ? NULL : sw_api_field_find(message, "phase");

    if (field == NULL || field->type != SW_API_TYPE_ENUM || !field->enumeration->is_state_machine)
        return NULL;
    *ret_phase = (int *)(void *)((char *)status + field->offset);
    return field->enumeration;
}

/* The part of an object that is only read. */
static const void *part_of(const struct sw_kind *kind, const void *object, const char *part,
                           const struct sw_api_message **ret_message)
{
    return sw_object_part(kind, (void *)(uintptr_t)object, part, ret_message);
}

void sw_object_take_part(const struct sw_kind *kind, void *object, const void *from,
                         const char *part)
{
    const struct sw_api_message *message = NULL;
    void *into = sw_object_part(kind, object, part, &message);

    if (into != NULL)
        memcpy(into, part_of(kind, from, part, &message), message->size_bytes);
}

bool sw_object_has_same_spec(const struct sw_kind *kind, const void *one, const void *other)
{
    const struct sw_api_message *message = NULL;
    const void *spec = part_of(kind, one, "spec", &message);

    return spec == NULL || sw_api_is_equal(message, spec, part_of(kind, other, "spec", &message));
}
