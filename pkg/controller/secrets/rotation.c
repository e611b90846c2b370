#include "pkg/controller/secrets/rotation.h"

#include "pkg/apis/swarm/v1/object.h"
#include "pkg/utils/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ACTOR_MAX 256
#define WORDS_MAX 1024
#define COMPONENT "secrets"

struct sw_rotation {
    struct sw_rotation_options options;
    sw_rotation_done *done; /* NULL: nobody waits for it. */
    void *ctx;
    char actor[ACTOR_MAX];
    struct sw_arena *arena; /* Of the step that is made. */
    struct sw_buffer names; /* "NAMESPACE\0NAME\0" of the Secrets that are to be written again. */
    size_t at;              /* In names. */
    unsigned writes;        /* Of them, under way. */
    enum sw_rc rc;          /* What went wrong with one, first. */
    struct sw_err failure;
    struct sw_rotation_report report;
    void (*next)(struct sw_rotation *rotation); /* After the write that is under way. */
};

/* --- Looking --------------------------------------------------------------------------------- */

static enum sw_rc no_memory(struct sw_err *err)
{
    return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the Secrets");
}

struct look { /* At all Secrets. */
    const struct sw_keyring *ring;
    struct sw_arena *arena;
    struct sw_rotation_keys *keys;
    struct sw_buffer
        *names; /* Of those that are not sealed with the newest key; NULL: no matter. */
    enum sw_rc rc;
    struct sw_err *err;
};

/* Whether all of its values are sealed with the newest key. */
static bool is_new(const struct sw_keyring *ring, const struct sw_api_secret *secret)
{
    char id[SW_RING_ID_SIZE];

    for (size_t i = 0; i < secret->spec.data_count; i++)
        if (sw_secrets_id(secret->spec.data[i].value, id, NULL) != SW_OK ||
            strcmp(id, sw_keyring_id(ring, 0)) != 0)
            return false;
    return true;
}

static void count_value(struct sw_rotation_keys *keys, const char *sealed)
{
    char id[SW_RING_ID_SIZE] = "";

    if (sw_secrets_id(sealed, id, NULL) != SW_OK)
        id[0] = '\0';
    for (size_t i = 0; i < keys->count; i++) {
        if (strcmp(keys->keys[i].id, id) != 0)
            continue;
        keys->keys[i].values++;
        return;
    }
    keys->lost++;
}

static bool look_at(void *ctx, const struct sw_store_item *item)
{
    struct look *look = ctx;
    const struct sw_api_secret *secret;
    void *object = NULL;

    sw_arena_reset(look->arena);
    look->rc = sw_object_of_item(sw_kind_find("Secret"), item, look->arena, &object, look->err);
    if (look->rc != SW_OK)
        return false;
    secret = object;
    look->keys->secrets++;
    for (size_t i = 0; i < secret->spec.data_count; i++)
        count_value(look->keys, secret->spec.data[i].value);
    if (look->names == NULL || is_new(look->ring, secret))
        return true;
    sw_buffer_put(look->names, secret->metadata.namespace, strlen(secret->metadata.namespace) + 1);
    sw_buffer_put(look->names, secret->metadata.name, strlen(secret->metadata.name) + 1);
    if (look->names->failed)
        look->rc = no_memory(look->err);
    return look->rc == SW_OK;
}

static enum sw_rc look_at_all(struct look *look, const struct sw_objects *objects)
{
    const struct sw_keyring *ring = look->ring;
    char prefix[SW_OBJECT_KEY_MAX];
    struct sw_store_list_request request = {.prefix = prefix};
    struct sw_store_list_end end;
    enum sw_rc rc;

    *look->keys = (struct sw_rotation_keys){.count = sw_keyring_count(ring)};
    for (size_t i = 0; i < look->keys->count; i++) {
        memcpy(look->keys->keys[i].id, sw_keyring_id(ring, i), SW_RING_ID_SIZE);
        look->keys->keys[i].made_ns = sw_keyring_made_ns(ring, i);
    }
    sw_object_key(sw_kind_find("Secret"), NULL, NULL, prefix);
    look->rc = SW_OK;
    rc = sw_store_list(sw_objects_store(objects), &request, look_at, look, &end, look->err);
    return rc == SW_OK ? look->rc : rc;
}

enum sw_rc sw_rotation_look(const struct sw_objects *objects, const struct sw_keyring *ring,
                            struct sw_rotation_keys *ret_keys, struct sw_err *err)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(SW_OBJECT_ARENA_MAX);
    struct look look = {.ring = ring, .arena = arena, .keys = ret_keys, .err = err};

    return arena == NULL ? no_memory(err) : look_at_all(&look, objects);
}

/* --- Telling --------------------------------------------------------------------------------- */

static void put_keys(const struct sw_rotation_keys *keys, struct sw_buffer *out)
{
    char time[SW_TIME_TEXT_SIZE];

    sw_buffer_put_text(out, "\"keys\":[");
    for (size_t i = 0; i < keys->count; i++) {
        sw_time_print(keys->keys[i].made_ns, time);
        sw_buffer_print(out, "%s{\"id\":\"%s\",\"made\":\"%s\",\"values\":\"%" PRIu64 "\"}",
                        i == 0 ? "" : ",", keys->keys[i].id, time, keys->keys[i].values);
    }
    sw_buffer_print(out, "],\"secrets\":\"%" PRIu64 "\",\"lost\":\"%" PRIu64 "\"", keys->secrets,
                    keys->lost);
}

void sw_rotation_print_keys(const struct sw_rotation_keys *keys, struct sw_buffer *out)
{
    sw_buffer_put_text(out, "{");
    put_keys(keys, out);
    sw_buffer_put_text(out, "}");
}

void sw_rotation_print_report(const struct sw_rotation_report *report, struct sw_buffer *out)
{
    sw_buffer_put_text(out, "{");
    put_keys(&report->now, out);
    sw_buffer_print(out, ",\"resealed\":\"%" PRIu64 "\",\"dropped\":[", report->resealed);
    for (size_t i = 0; i < report->dropped_count; i++)
        sw_buffer_print(out, "%s\"%s\"", i == 0 ? "" : ",", report->dropped[i]);
    sw_buffer_put_text(out, "]}");
}

/* --- The end --------------------------------------------------------------------------------- */

static void rotation_free(struct sw_rotation *rotation)
{
    sw_arena_free(rotation->arena);
    sw_buffer_done(&rotation->names);
    free(rotation);
}

static void finish(struct sw_rotation *rotation, enum sw_rc rc, const struct sw_err *err)
{
    if (rotation->done != NULL)
        rotation->done(rotation->ctx, rc, rc == SW_OK ? &rotation->report : NULL, err);
    rotation_free(rotation);
}

static void fail(struct sw_rotation *rotation, enum sw_rc rc, struct sw_err *err)
{
    if (err->hint[0] == '\0')
        sw_err_hint(err, "all that is sealed opens as before; do the rest with: swarmctl secrets "
                         "rotate --resume");
    finish(rotation, rc, err);
}

void sw_rotation_stop(struct sw_rotation *rotation)
{
    if (rotation != NULL)
        rotation->done = NULL;
}

/* --- Events ---------------------------------------------------------------------------------- */

static void on_event(void *ctx, const struct sw_object_result *result)
{
    struct sw_rotation *rotation = ctx;
    struct sw_err err = {0};

    if (result->rc == SW_OK && rotation->done != NULL) {
        rotation->next(rotation);
        return;
    }
    if (result->err != NULL)
        err = *result->err;
    fail(rotation, result->rc == SW_OK ? SW_E_CANCELLED : result->rc, &err);
}

/* Each is one of its own, so its name has something of chance. */
static const char *name_event(const struct sw_rotation *rotation)
{
    uint64_t time_ns = sw_objects_utc_ns(rotation->options.objects);

    return sw_arena_print(rotation->arena, "secrets-%s-%" PRIx64,
                          sw_keyring_id(rotation->options.ring, 0), time_ns);
}

/* It is durable before what comes next. */
static enum sw_rc tell(struct sw_rotation *rotation, const char *reason, const char *words,
                       void (*next)(struct sw_rotation *rotation), struct sw_err *err)
{
    const struct sw_object_write write = {.kind = sw_kind_find("Event")};
    struct sw_object_write own = write;
    struct sw_api_event *event = sw_object_new(write.kind, rotation->arena);

    if (event == NULL || words == NULL)
        return no_memory(err);
    event->metadata.namespace = SW_OBJECT_NAME_DEFAULT;
    event->metadata.name = name_event(rotation);
    event->involved_object =
        (struct sw_api_object_reference){"Cluster", "", SW_OBJECT_NAME_DEFAULT, "", ""};
    event->type = SW_API_EVENT_TYPE_NORMAL;
    event->reason = reason;
    event->message = words;
    event->first_time = event->last_time = sw_objects_utc_ns(rotation->options.objects);
    event->source.component = COMPONENT;
    if (event->metadata.name == NULL)
        return no_memory(err);
    own.object = event;
    rotation->next = next;
    return sw_objects_create(rotation->options.objects, &own, on_event, rotation, err);
}

/* --- Dropping -------------------------------------------------------------------------------- */

static void end_well(struct sw_rotation *rotation)
{
    static const struct sw_err none = {0};

    finish(rotation, SW_OK, &none);
}

/* Keys that nothing is sealed with, the oldest first. */
static enum sw_rc drop_unused(struct sw_rotation *rotation, struct sw_err *err)
{
    struct sw_rotation_report *report = &rotation->report;
    enum sw_rc rc = SW_OK;

    for (size_t i = report->now.count; rc == SW_OK && i-- > 1;) {
        if (report->now.keys[i].values > 0)
            continue;
        rc = sw_keyring_drop(rotation->options.ring, report->now.keys[i].id, err);
        if (rc == SW_OK)
            memcpy(report->dropped[report->dropped_count++], report->now.keys[i].id,
                   SW_RING_ID_SIZE);
    }
    return rc;
}

static const char *words_of(const struct sw_rotation *rotation)
{
    const struct sw_rotation_report *report = &rotation->report;
    struct sw_buffer words;
    const char *text;

    sw_buffer_init(&words, WORDS_MAX);
    sw_buffer_print(&words, "%s: sealed %" PRIu64 " of %" PRIu64 " Secrets again, with the key %s",
                    rotation->actor, report->resealed, report->now.secrets, report->now.keys[0].id);
    for (size_t i = 0; i < report->dropped_count; i++)
        sw_buffer_print(&words, "%s%s", i == 0 ? "; dropped " : ", ", report->dropped[i]);
    if (report->now.lost > 0)
        sw_buffer_print(&words, "; %" PRIu64 " values have no key here", report->now.lost);
    sw_buffer_put_u8(&words, 0);
    text = words.failed ? NULL
                        : sw_arena_copy(rotation->arena, (const char *)words.data, words.size - 1);
    sw_buffer_done(&words);
    return text;
}

/* All that was admitted with an older key shows by now. */
static void on_barrier(void *ctx, const struct sw_store_result *result)
{
    struct sw_rotation *rotation = ctx;
    const struct sw_rotation_options *options = &rotation->options;
    struct sw_err err = {0};
    enum sw_rc rc = rotation->done == NULL ? SW_E_CANCELLED : result->rc;

    if (rc == SW_OK)
        rc = sw_rotation_look(options->objects, options->ring, &rotation->report.now, &err);
    if (rc == SW_OK && !options->keeps_unused)
        rc = drop_unused(rotation, &err);
    if (rc == SW_OK)
        rc = sw_rotation_look(options->objects, options->ring, &rotation->report.now, &err);
    sw_arena_reset(rotation->arena);
    if (rc == SW_OK)
        rc = tell(rotation, SW_ROTATION_DONE, words_of(rotation), end_well, &err);
    if (rc != SW_OK)
        fail(rotation, rc, &err);
}

static void wait_for_all(struct sw_rotation *rotation)
{
    static const struct sw_store_txn nothing = {.count = 0};
    struct sw_err err = {0};
    enum sw_rc rc = sw_store_commit(sw_objects_store(rotation->options.objects), &nothing,
                                    on_barrier, rotation, &err);

    if (rc != SW_OK)
        fail(rotation, rc, &err);
}

/* --- Sealing again --------------------------------------------------------------------------- */

static void reseal_some(struct sw_rotation *rotation);

static void note(struct sw_rotation *rotation, enum sw_rc rc, const struct sw_err *err)
{
    if (rotation->rc != SW_OK)
        return;
    rotation->rc = rc;
    if (err != NULL)
        rotation->failure = *err;
}

/* Who was quicker sealed it with the newest key, and who removed it left nothing to do. */
static void on_written(void *ctx, const struct sw_object_result *result)
{
    struct sw_rotation *rotation = ctx;

    rotation->writes--;
    rotation->report.resealed += result->rc == SW_OK;
    if (rotation->done == NULL)
        note(rotation, SW_E_CANCELLED, NULL);
    else if (result->rc != SW_OK && result->rc != SW_E_CONFLICT && result->rc != SW_E_NOT_FOUND)
        note(rotation, result->rc, result->err);
    reseal_some(rotation);
}

/* Write it as it is: its admission seals it with the newest key.  *ret_is_begun: a write is under
 * way. */
static enum sw_rc reseal(struct sw_rotation *rotation, const char *namespace, const char *name,
                         bool *ret_is_begun, struct sw_err *err)
{
    const struct sw_kind *kind = sw_kind_find("Secret");
    const struct sw_object_ref ref = {kind, namespace, name};
    struct sw_object_write write = {.kind = kind, .actor = rotation->actor};
    void *object = NULL;
    enum sw_rc rc;

    sw_arena_reset(rotation->arena);
    rc = sw_objects_get(rotation->options.objects, &ref, rotation->arena, &object, err);
    if (rc == SW_E_NOT_FOUND || (rc == SW_OK && is_new(rotation->options.ring, object)))
        return SW_OK;
    if (rc != SW_OK)
        return rc;
    write.object = object;
    *ret_is_begun = true;
    return sw_objects_update(rotation->options.objects, &write, on_written, rotation, err);
}

/* Begin what may be under way at once; after the last one go on. */
static void reseal_some(struct sw_rotation *rotation)
{
    while (rotation->rc == SW_OK && rotation->writes < SW_ROTATION_WRITES_MAX &&
           rotation->at < rotation->names.size) {
        const char *namespace = (const char *)rotation->names.data + rotation->at;
        const char *name = namespace + strlen(namespace) + 1;
        bool is_begun = false;
        struct sw_err err = {0};
        enum sw_rc rc = reseal(rotation, namespace, name, &is_begun, &err);

        if (rc == SW_E_EXHAUSTED && rotation->writes > 0)
            break; /* The store takes no more until some are through. */
        rotation->at += strlen(namespace) + strlen(name) + 2;
        if (rc != SW_OK)
            note(rotation, rc, &err);
        else if (is_begun)
            rotation->writes++;
    }
    if (rotation->writes > 0)
        return;
    if (rotation->rc != SW_OK)
        fail(rotation, rotation->rc, &rotation->failure);
    else
        wait_for_all(rotation);
}

/* --- The beginning --------------------------------------------------------------------------- */

static void on_first_barrier(void *ctx, const struct sw_store_result *result)
{
    struct sw_rotation *rotation = ctx;
    struct sw_err err = {0};
    struct look look = {.ring = rotation->options.ring,
                        .arena = rotation->arena,
                        .keys = &rotation->report.now,
                        .names = &rotation->names,
                        .err = &err};
    enum sw_rc rc = rotation->done == NULL ? SW_E_CANCELLED : result->rc;

    if (rc == SW_OK)
        rc = look_at_all(&look, rotation->options.objects);
    if (rc != SW_OK)
        fail(rotation, rc, &err);
    else
        reseal_some(rotation);
}

static enum sw_rc find_all(struct sw_rotation *rotation, struct sw_err *err)
{
    static const struct sw_store_txn nothing = {.count = 0};

    return sw_store_commit(sw_objects_store(rotation->options.objects), &nothing, on_first_barrier,
                           rotation, err);
}

static void find_all_next(struct sw_rotation *rotation)
{
    struct sw_err err = {0};
    enum sw_rc rc = find_all(rotation, &err);

    if (rc != SW_OK)
        fail(rotation, rc, &err);
}

/* An error after the key is there leaves one more key, and all as it is. */
static enum sw_rc begin(struct sw_rotation *rotation, struct sw_err *err)
{
    struct sw_keyring *ring = rotation->options.ring;
    enum sw_rc rc;

    if (rotation->options.is_resumed)
        return find_all(rotation, err);
    rc = sw_keyring_rotate(ring, err);
    if (rc != SW_OK)
        return rc;
    return tell(rotation, SW_ROTATION_MADE,
                sw_arena_print(rotation->arena, "%s made the key %s, with which Secrets are sealed",
                               rotation->actor, sw_keyring_id(ring, 0)),
                find_all_next, err);
}

enum sw_rc sw_rotation_start(const struct sw_rotation_options *options, sw_rotation_done *done,
                             void *ctx, struct sw_rotation **ret_rotation, struct sw_err *err)
{
    struct sw_rotation *rotation = calloc(1, sizeof *rotation);
    enum sw_rc rc;

    if (rotation == NULL)
        return no_memory(err);
    rotation->options = *options;
    rotation->done = done;
    rotation->ctx = ctx;
    (void)snprintf(rotation->actor, sizeof rotation->actor, "%s",
                   options->actor == NULL || options->actor[0] == '\0' ? "the platform"
                                                                       : options->actor);
    sw_buffer_init(&rotation->names, SW_ROTATION_NAMES_BYTES_MAX);
    rotation->arena = sw_arena_new(SW_OBJECT_ARENA_MAX);
    rc = rotation->arena == NULL ? no_memory(err) : begin(rotation, err);
    if (rc == SW_OK)
        *ret_rotation = rotation;
    else
        rotation_free(rotation);
    return rc;
}
