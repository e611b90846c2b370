#include "pkg/client/clientset/objects.h"
#include "pkg/apis/swarm/v1/json.h"
#include "pkg/client/clientset/problem.h"
#include "pkg/utils/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PATH_BYTES_MAX 4096
#define EVENT_ARENA_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define REOPENED_MAX 10
#define REOPEN_WAIT_MS 200

struct watch {
    const struct sw_client_watch *options;
    struct sw_arena *arena; /* Of one event. */
    uint64_t revision;
    bool is_ended, progressed;
    enum sw_rc rc; /* What was wrong with an event. */
    struct sw_err err;
};

static uint64_t number_of(const struct sw_tree *tree, const char *name)
{
    const struct sw_tree *node = sw_tree_find(tree, name);
    uint64_t value = 0;

    if (node == NULL || sw_text_to_u64(node->text, &value) != SW_OK)
        return 0;
    return value;
}

static enum sw_rc take_event(struct watch *watch, struct sw_bytes data)
{
    struct sw_problems problems = sw_problems_of(watch->arena);
    struct sw_bind_options options = {.arena = watch->arena, .problems = &problems, .file = ""};
    const struct sw_kind *kind = watch->options->key.kind;
    const struct sw_tree *tree = NULL, *type, *body;
    const struct sw_api_enum_value *value = NULL;
    uint64_t revision;
    void *object = NULL;
    enum sw_rc rc = sw_json_parse(data, &options, &tree);

    type = rc == SW_OK ? sw_tree_find(tree, "type") : NULL;
    body = rc == SW_OK ? sw_tree_find(tree, "object") : NULL;
    if (type != NULL)
        value = sw_api_enum_find(&sw_api_watch_event_type_enum, type->text);
    if (rc == SW_OK && body != NULL && body->type == SW_TREE_MAP) {
        object = sw_arena_get(watch->arena, kind->message->size_bytes);
        rc = object == NULL ? SW_E_EXHAUSTED : sw_tree_bind(body, kind->message, &options, object);
    }
    if (rc == SW_E_INVALID)
        return sw_problems_check(&problems, &watch->err);
    if (rc != SW_OK || value == NULL)
        return sw_err_set(&watch->err, rc == SW_OK ? SW_E_UNSUPPORTED : rc,
                          "an event of the server is not understood");
    revision = number_of(tree, "resourceVersion");
    if (revision != 0)
        watch->revision = revision;
    watch->progressed = true;
    if (object != NULL && watch->options->key.name[0] != '\0' &&
        strcmp(sw_object_meta_of(object)->name, watch->options->key.name) != 0)
        return SW_OK;
    watch->is_ended = !watch->options->on_change(
        watch->options->ctx, (enum sw_api_watch_event_type)value->number, object, watch->revision);
    return SW_OK;
}

static bool on_event(void *ctx, const char *name, const char *id, struct sw_bytes data)
{
    struct watch *watch = ctx;

    (void)id;
    if (strcmp(name, "error") == 0) {
        watch->rc = sw_problem_read(500, data, &watch->err);
        return false;
    }
    sw_arena_reset(watch->arena);
    watch->rc = take_event(watch, data);
    return watch->rc == SW_OK && !watch->is_ended;
}

static void put_path(const struct watch *watch, struct sw_buffer *path)
{
    const struct sw_object_key all = {
        .kind = watch->options->key.kind, .namespace = watch->options->key.namespace, .name = ""};

    sw_client_path(&all, path);
    sw_buffer_print(path, "?watch=1&resourceVersion=%" PRIu64, watch->revision);
    if (watch->options->key.name[0] != '\0') {
        sw_buffer_put_text(path, "&name=");
        sw_client_escape(watch->options->key.name, path);
    }
    if (watch->options->selector[0] != '\0') {
        sw_buffer_put_text(path, "&labelSelector=");
        sw_client_escape(watch->options->selector, path);
    }
    sw_buffer_put_u8(path, 0);
}

static enum sw_rc watch_once(struct sw_client *client, struct watch *watch, uint64_t timeout_ms,
                             struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer path = {0};
    struct sw_request request = {.method = "GET", .timeout_ms = timeout_ms};
    enum sw_rc rc;

    sw_buffer_init(&path, PATH_BYTES_MAX);
    put_path(watch, &path);
    if (sw_buffer_check(&path) != SW_OK)
        return sw_err_set(err, SW_E_INVALID, "a name or selector is too long");
    request.path = (const char *)path.data;
    watch->progressed = false;
    watch->rc = SW_OK;
    rc = sw_client_follow(client, &request, on_event, watch, err);
    if (watch->rc != SW_OK) {
        if (err != NULL)
            *err = watch->err;
        return watch->rc;
    }
    return rc;
}

enum sw_rc sw_client_watch(struct sw_client *client, const struct sw_client_watch *options,
                           struct sw_err *err)
{
    struct watch watch = {.options = options, .revision = options->revision};
    uint64_t timeout_ms = options->timeout_ms, begin_ms = sw_client_now_ms(client);
    unsigned failures = 0;
    enum sw_rc rc = SW_OK;

    watch.arena = sw_arena_new(EVENT_ARENA_BYTES_MAX);
    if (watch.arena == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a watch");
    while (!watch.is_ended) {
        uint64_t passed_ms = sw_client_now_ms(client) - begin_ms;

        if (timeout_ms != UINT64_MAX && passed_ms >= timeout_ms) {
            rc = sw_err_set(err, SW_E_TIMEOUT, "it did not happen in time");
            break;
        }
        rc = watch_once(client, &watch,
                        timeout_ms == UINT64_MAX ? UINT64_MAX : timeout_ms - passed_ms, err);
        failures = watch.progressed ? 0 : failures + 1;
        /* A stream that ends in order was ended here: enough was seen, or nobody wants more. */
        if (rc != SW_E_UNAVAILABLE || failures > REOPENED_MAX)
            break;
        (void)!sw_client_run(client, REOPEN_WAIT_MS, err);
    }
    sw_arena_free(watch.arena);
    return watch.is_ended ? SW_OK : rc;
}
