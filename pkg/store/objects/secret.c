#include <string.h>

#include "pkg/apis/swarm/v1/validate.h"
#include "pkg/security/secrets/secrets.h"
#include "pkg/store/objects/state.h"

/* Secrets at their admission: what is stored is sealed, whatever was written. */

_Static_assert(SW_SECRET_VALUE_MAX == SW_SECRETS_VALUE_MAX,
               "validation lets through what is sealed");

struct sealing { /* Of one value. */
    const struct sw_keyring *ring;
    struct sw_secret_place place;
    struct sw_buffer out;
};

static enum sw_rc out_of_memory(struct sw_err *err)
{
    return sw_err_set(err, SW_E_EXHAUSTED, "no memory is left for this request");
}

/* The value that is kept, with the newest key, if it is this plain one. */
static bool keeps(struct sealing *sealing, const char *kept, const char *plain)
{
    return kept != NULL &&
           sw_secrets_holds(sealing->ring, &sealing->place, kept,
                            (struct sw_bytes){plain, strlen(plain)}) &&
           sw_secrets_rewrap(sealing->ring, &sealing->place, kept, &sealing->out, NULL) == SW_OK;
}

/* A text that is sealed stays if it opens here. One that is kept under this very name stays even if
 * its key is gone: the rest of the object can still be changed. */
static enum sw_rc take_sealed(struct sealing *sealing, const char *kept, const char *text,
                              struct sw_err *err)
{
    enum sw_rc rc = sw_secrets_rewrap(sealing->ring, &sealing->place, text, &sealing->out, err);

    if (rc == SW_OK || rc == SW_E_EXHAUSTED || kept == NULL || strcmp(kept, text) != 0)
        return rc;
    sw_buffer_reset(&sealing->out);
    sw_buffer_put_text(&sealing->out, text);
    return sw_buffer_check(&sealing->out);
}

static enum sw_rc seal(struct sealing *sealing, const char *kept, const char *text,
                       struct sw_err *err)
{
    if (sw_secrets_is_sealed(text))
        return take_sealed(sealing, kept, text, err);
    if (keeps(sealing, kept, text))
        return SW_OK;
    sw_buffer_reset(&sealing->out);
    return sw_secrets_seal(sealing->ring, &sealing->place, (struct sw_bytes){text, strlen(text)},
                           &sealing->out, err);
}

/* One value, in place. A mistake in it is added to the problems, and all others are looked at. */
static enum sw_rc admit_value(struct sealing *sealing, const struct sw_api_secret *old,
                              struct sw_api_pair *pair, struct sw_problems *problems,
                              struct sw_arena *arena)
{
    const char *kept =
        old == NULL ? NULL : sw_api_pair_find(old->spec.data, old->spec.data_count, pair->key);
    struct sw_err why = {0};
    enum sw_rc rc;

    sw_buffer_reset(&sealing->out);
    sealing->place.key = pair->key;
    rc = seal(sealing, kept, pair->value, &why);
    if (rc == SW_OK) {
        pair->value = sw_arena_copy(arena, sealing->out.data, sealing->out.size);
        return pair->value == NULL ? SW_E_EXHAUSTED : SW_OK;
    }
    if (rc == SW_E_EXHAUSTED || rc == SW_E_INTERNAL)
        return rc;
    struct sw_problem problem = {.file = "",
                                 .field = sw_arena_print(arena, "spec.data['%s']", pair->key),
                                 .message = sw_arena_copy(arena, why.message, strlen(why.message)),
                                 .hint = sw_arena_copy(arena, why.hint, strlen(why.hint))};
    if (problem.field == NULL || problem.message == NULL || problem.hint == NULL)
        return SW_E_EXHAUSTED;
    sw_problems_add(problems, &problem);
    return SW_E_INVALID;
}

enum sw_rc sw_secret_fill_status(struct sw_api_secret *secret, struct sw_arena *arena,
                                 struct sw_err *err)
{
    char id[SW_RING_ID_SIZE];

    secret->status.keys = (uint32_t)secret->spec.data_count;
    secret->status.sealed_with = "";
    if (secret->spec.data_count == 0 ||
        sw_secrets_id(secret->spec.data[0].value, id, NULL) != SW_OK)
        return SW_OK;
    secret->status.sealed_with = sw_arena_copy(arena, id, strlen(id));
    return secret->status.sealed_with == NULL ? out_of_memory(err) : SW_OK;
}

enum sw_rc sw_admit_secret(const struct admission *admission, const struct sw_api_secret *old,
                           struct sw_api_secret *secret, struct sw_problems *problems,
                           struct sw_err *err)
{
    struct sw_arena *arena = admission->options->arena;
    struct sealing sealing = {
        .ring = admission->objects->ring,
        .place = {.namespace_name = sw_object_namespace(secret), .name = sw_object_name(secret)}};
    enum sw_rc rc = SW_OK;

    if (sealing.ring == NULL && secret->spec.data_count > 0)
        return sw_err_set(err, SW_E_UNSUPPORTED, "there are no keys here to seal a Secret with");
    sw_buffer_init(&sealing.out, SW_SECRETS_SEALED_MAX);
    for (size_t i = 0; i < secret->spec.data_count; i++) {
        enum sw_rc value_rc = admit_value(&sealing, old, &secret->spec.data[i], problems, arena);
        rc = rc == SW_OK || rc == SW_E_INVALID ? (value_rc == SW_OK ? rc : value_rc) : rc;
    }
    sw_buffer_done(&sealing.out);
    if (rc == SW_E_EXHAUSTED)
        return out_of_memory(err);
    if (rc != SW_OK)
        return rc == SW_E_INVALID ? rc : sw_err_set(err, rc, "a Secret cannot be sealed");
    return sw_secret_fill_status(secret, arena, err);
}

enum sw_rc sw_objects_open_secret(struct sw_objects *objects, const char *name_space,
                                  const char *reference, struct sw_arena *arena,
                                  struct sw_buffer *out, struct sw_err *err)
{
    char *name = sw_arena_copy(arena, reference, strlen(reference));
    char *slash = name == NULL ? NULL : strchr(name, '/');
    const struct sw_object_ref ref = {sw_kind_find("Secret"), name_space, name};
    struct sw_secret_place place = {.namespace_name = name_space, .name = name};
    void *object = NULL;
    const char *sealed;
    enum sw_rc rc;

    if (slash == NULL)
        return sw_err_set(err, SW_E_INVALID, "a value of a Secret is named NAME/KEY");
    *slash = '\0';
    place.key = slash + 1;
    rc = objects->ring == NULL ? sw_err_set(err, SW_E_UNSUPPORTED, "there are no Secrets here")
                               : sw_objects_get(objects, &ref, arena, &object, err);
    if (rc != SW_OK)
        return rc;
    const struct sw_api_secret_spec *spec = &((const struct sw_api_secret *)object)->spec;
    sealed = sw_api_pair_find(spec->data, spec->data_count, place.key);
    if (sealed == NULL)
        return sw_err_set(err, SW_E_NOT_FOUND, "the Secret %s has no %s", name, place.key);
    return sw_secrets_open(objects->ring, &place, sealed, out, err);
}
