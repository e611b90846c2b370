#include "web/api/state.h"

#include <stdlib.h>
#include <string.h>

/* ObjectList of api/v1/requests.proto. */
#define LIST_ITEMS_FIELD 2
#define LIST_HEAD_BYTES 2048 /* Its metadata has at most a token of 1 KiB. */
#define LIST_ITEM_HEAD_BYTES 8

enum sw_rc sw_gateway_authorize(struct gateway_call *call, enum sw_verb verb, const char *kind,
                                const char *namespace_, const char *name, struct sw_err *err)
{
    const struct sw_access access = {
        .verb = verb, .kind = kind, .namespace_ = namespace_, .name = name};

    return sw_authorize(call->gateway->options.policy, &call->principal, &access, err);
}

/* ---- Reading one ---- */

void sw_gateway_get(struct gateway_call *call, const char *namespace_, const char *name)
{
    const struct sw_kind *kind = call->route.kind;
    struct sw_err err = {0};
    void *object = NULL;
    enum sw_rc rc = sw_objects_get(call->gateway->options.objects,
                                   &(const struct sw_object_ref){kind, namespace_, name},
                                   call->request->arena, &object, &err);

    if (rc == SW_OK)
        sw_gateway_answer(call, 200, kind->message, object);
    else
        sw_gateway_fail(call, rc, &err);
}

/* ---- Reading many ---- */

struct listing {
    struct gateway_call *call;
    const struct gateway_list *list;
    struct sw_arena *scratch;           /* For one object at a time. */
    struct sw_buffer items;             /* JSON, one object after another. */
    const struct sw_store_item **found; /* For protobuf: what is in memory until the next write. */
    size_t found_bytes;
    size_t count;
    bool is_protobuf;
    enum sw_rc rc;
};

static bool has_name(const struct sw_store_item *item, const char *name)
{
    const char *slash = strrchr(item->key, '/');

    return slash != NULL && strcmp(slash + 1, name) == 0;
}

static bool visit_protobuf(struct listing *listing, const struct sw_store_item *item)
{
    listing->found[listing->count] = item;
    listing->found_bytes += sw_object_size_of_item(item);
    return true;
}

static bool visit_json(struct listing *listing, const struct sw_store_item *item)
{
    const struct sw_kind *kind = listing->call->route.kind;
    void *object = NULL;

    sw_arena_reset(listing->scratch);
    listing->rc = sw_object_of_item(kind, item, listing->scratch, &object, NULL);
    if (listing->rc != SW_OK)
        return false;
    if (listing->count > 0)
        sw_buffer_put_u8(&listing->items, ',');
    sw_json_encode(kind->message, object, SW_JSON_COMPACT, &listing->items);
    return true;
}

/* False ends the page after this object. */
static bool visit(void *ctx, const struct sw_store_item *item)
{
    struct listing *listing = ctx;

    if (listing->list->only_name != NULL && !has_name(item, listing->list->only_name))
        return true;
    if (!(listing->is_protobuf ? visit_protobuf(listing, item) : visit_json(listing, item)))
        return false;
    listing->count++;
    return listing->count < GATEWAY_LIST_LIMIT_MAX && !listing->items.failed &&
           listing->items.size + listing->found_bytes < GATEWAY_LIST_BYTES_MAX;
}

static void answer_json(struct listing *listing, const struct sw_api_list_meta *meta)
{
    struct gateway_call *call = listing->call;
    struct sw_buffer body;
    struct sw_err err = {0};

    sw_buffer_init(&body, 2 * GATEWAY_LIST_BYTES_MAX);
    sw_buffer_put_text(&body, "{\"metadata\":");
    sw_json_encode(&sw_api_list_meta_message, meta, SW_JSON_COMPACT, &body);
    sw_buffer_put_text(&body, ",\"items\":[");
    sw_buffer_put(&body, listing->items.data, listing->items.size);
    sw_buffer_put_text(&body, "]}");
    if (body.failed) {
        (void)sw_err_set(&err, SW_E_EXHAUSTED, "no memory for the list");
        sw_gateway_fail(call, SW_E_EXHAUSTED, &err);
    } else {
        sw_gateway_answer_bytes(call, 200, "application/json",
                                (struct sw_bytes){.data = body.data, .size = body.size});
    }
    sw_buffer_done(&body);
}

/* The objects go from the store's memory into the answer in one step. */
static void answer_protobuf(struct listing *listing, const struct sw_api_list_meta *meta)
{
    const struct sw_api_object_list list = {.metadata = *meta};
    struct sw_err err = {0};
    struct sw_buffer body;

    sw_buffer_init(&body, 2 * GATEWAY_LIST_BYTES_MAX);
    (void)sw_buffer_reserve(&body, LIST_HEAD_BYTES + listing->found_bytes +
                                       LIST_ITEM_HEAD_BYTES * listing->count);
    sw_protobuf_encode(&sw_api_object_list_message, &list, &body);
    for (size_t i = 0; i < listing->count; i++) {
        sw_protobuf_encode_head(LIST_ITEMS_FIELD, sw_object_size_of_item(listing->found[i]), &body);
        sw_object_bytes_of_item(listing->found[i], &body);
    }
    if (body.failed) {
        (void)sw_err_set(&err, SW_E_EXHAUSTED, "no memory for the list");
        sw_gateway_fail(listing->call, SW_E_EXHAUSTED, &err);
    } else {
        sw_gateway_answer_protobuf(listing->call, 200, (struct sw_bytes){body.data, body.size});
    }
    sw_buffer_done(&body);
}

void sw_gateway_list(struct gateway_call *call, const struct gateway_list *list)
{
    struct listing listing = {
        .call = call, .list = list, .is_protobuf = call->grpc != NULL || call->wants_protobuf};
    struct sw_store_list_end end = {0};
    struct sw_object_page page = list->page;
    struct sw_api_list_meta meta;
    struct sw_err err = {0};
    enum sw_rc rc = SW_E_EXHAUSTED;

    page.ret_end = &end;
    sw_buffer_init(&listing.items, 2 * GATEWAY_LIST_BYTES_MAX);
    listing.scratch = sw_arena_new(SW_OBJECT_ARENA_MAX);
    listing.found = calloc(GATEWAY_LIST_LIMIT_MAX, sizeof *listing.found);
    if (listing.scratch != NULL && listing.found != NULL)
        rc = sw_objects_list(call->gateway->options.objects, &list->query, &page, visit, &listing,
                             &err);
    if (rc == SW_OK && listing.rc != SW_OK)
        rc = sw_err_set(&err, listing.rc, "an object of this list cannot be read");
    if (rc == SW_OK && listing.items.failed)
        rc = sw_err_set(&err, SW_E_EXHAUSTED, "no memory for the list");
    sw_api_init(&sw_api_list_meta_message, &meta);
    meta.resource_version = end.revision;
    meta.continue_ = end.token;
    if (rc != SW_OK)
        sw_gateway_fail(call, rc, &err);
    else if (listing.is_protobuf)
        answer_protobuf(&listing, &meta);
    else
        answer_json(&listing, &meta);
    sw_arena_free(listing.scratch);
    sw_buffer_done(&listing.items);
    free(listing.found);
}

/* ---- Writing ---- */

static void on_written(void *ctx, const struct sw_object_result *result)
{
    struct gateway_call *call = ctx;
    bool is_new = result->is_created || call->verb == SW_VERB_CREATE;

    if (result->rc != SW_OK)
        sw_gateway_fail(call, result->rc, result->err);
    else
        sw_gateway_answer(call, is_new ? 201 : 200, result->kind->message, result->object);
}

/* An apply of what is not there yet needs the right to create. */
static enum sw_verb real_verb(const struct gateway_call *call, enum sw_verb verb, bool is_apply,
                              const struct sw_api_object_meta *meta)
{
    char key[SW_OBJECT_KEY_MAX];

    if (!is_apply)
        return verb;
    sw_object_key(call->route.kind, meta->namespace, meta->name, key);
    return sw_store_find(sw_objects_store(call->gateway->options.objects), key) == NULL
               ? SW_VERB_CREATE
               : SW_VERB_UPDATE;
}

void sw_gateway_write(struct gateway_call *call, enum sw_verb verb, bool is_apply, void *object,
                      bool is_dry_run)
{
    struct sw_objects *objects = call->gateway->options.objects;
    const struct sw_kind *kind = call->route.kind;
    const struct sw_api_object_meta *meta = sw_object_meta(object);
    const struct sw_object_write write = {.kind = kind,
                                          .object = object,
                                          .is_dry_run = is_dry_run,
                                          .actor = call->principal.spiffe,
                                          .problems = &call->problems};
    struct sw_err err = {0};
    enum sw_rc rc = sw_gateway_authorize(call, real_verb(call, verb, is_apply, meta), kind->name,
                                         meta->namespace, meta->name, &err);

    call->verb = verb;
    if (rc != SW_OK)
        ;
    else if (is_apply)
        rc = sw_objects_apply(objects, &write, on_written, call, &err);
    else if (verb == SW_VERB_CREATE)
        rc = sw_objects_create(objects, &write, on_written, call, &err);
    else if (verb == SW_VERB_UPDATE_STATUS)
        rc = sw_objects_update_status(objects, &write, on_written, call, &err);
    else if (verb == SW_VERB_DELETE)
        rc = sw_objects_delete(objects, &write, on_written, call, &err);
    else
        rc = sw_objects_update(objects, &write, on_written, call, &err);
    if (rc != SW_OK)
        sw_gateway_fail(call, rc, &err);
}

/* ---- REST ---- */

static enum sw_rc differs(struct sw_err *err, const char *field, const char *body, const char *path)
{
    (void)sw_err_set(err, SW_E_INVALID, "the body says \"%.64s\", the path \"%.64s\"", body, path);
    sw_err_field(err, "%s", field);
    return SW_E_INVALID;
}

/* What the body says of name and namespace must be what the path says, or nothing. */
static enum sw_rc check_names(const struct gateway_call *call, void *object, struct sw_err *err)
{
    const struct gateway_route *route = &call->route;
    struct sw_api_object_meta *meta = sw_object_meta(object);

    if (meta->name == NULL || meta->name[0] == '\0')
        meta->name = route->name;
    else if (route->target != TARGET_COLLECTION && strcmp(meta->name, route->name) != 0)
        return differs(err, "metadata.name", meta->name, route->name);
    if (meta->namespace == NULL || meta->namespace[0] == '\0')
        meta->namespace = route->namespace_;
    else if (strcmp(meta->namespace, route->namespace_) != 0)
        return differs(err, "metadata.namespace", meta->namespace, route->namespace_);
    return SW_OK;
}

static void serve_write(struct gateway_call *call)
{
    bool is_apply = call->request->method == SW_HTTP_PATCH;
    struct sw_err err = {0};
    void *object = NULL;
    bool is_dry_run = false;
    enum sw_rc rc = sw_gateway_query_bool(call, "dryRun", &is_dry_run, &err);

    if (rc == SW_OK)
        rc = sw_gateway_read_object(call, &object, &err);
    if (rc == SW_OK)
        rc = check_names(call, object, &err);
    if (rc != SW_OK)
        sw_gateway_fail(call, rc, &err);
    else
        sw_gateway_write(call, call->verb, is_apply, object, is_dry_run);
}

static void serve_delete(struct gateway_call *call)
{
    const char *uid = sw_gateway_query_text(call, "uid");
    void *object = sw_object_new(call->route.kind, call->request->arena);
    struct sw_api_object_meta *meta;
    struct sw_err err = {0};
    uint64_t revision = 0;
    bool is_dry_run = false;
    enum sw_rc rc = sw_gateway_query_bool(call, "dryRun", &is_dry_run, &err);

    if (rc == SW_OK)
        rc = sw_gateway_query_number(call, "resourceVersion", 0, UINT64_MAX, &revision, &err);
    if (rc == SW_OK && uid != NULL) {
        rc = sw_format_check(SW_API_FORMAT_UUID, uid, &err);
        if (rc != SW_OK)
            sw_err_field(&err, "uid");
    }
    if (rc == SW_OK && object == NULL)
        rc = sw_err_set(&err, SW_E_EXHAUSTED, "no memory for this request");
    if (rc != SW_OK) {
        sw_gateway_fail(call, rc, &err);
        return;
    }
    meta = sw_object_meta(object);
    meta->name = call->route.name;
    meta->namespace = call->route.namespace_;
    meta->uid = uid == NULL ? "" : uid;
    meta->resource_version = revision;
    sw_gateway_write(call, SW_VERB_DELETE, false, object, is_dry_run);
}

/* Where a watch begins: after the last event that the client has seen, if it says so. */
static enum sw_rc watch_revision(struct gateway_call *call, uint64_t *ret_revision,
                                 struct sw_err *err)
{
    struct sw_bytes last = sw_http_header_find(call->request, "last-event-id");
    uint64_t revision = 0;

    if (last.size == 0)
        return sw_gateway_query_number(call, "resourceVersion", 0, UINT64_MAX, ret_revision, err);
    for (size_t i = 0; i < last.size; i++) {
        char c = ((const char *)last.data)[i];

        if (c < '0' || c > '9' || last.size > 19) {
            (void)sw_err_set(err, SW_E_INVALID, "expected a resourceVersion");
            sw_err_field(err, "Last-Event-ID");
            return SW_E_INVALID;
        }
        revision = revision * 10 + (uint64_t)(c - '0');
    }
    *ret_revision = revision;
    return SW_OK;
}

/* The parameters that lists and watches share. */
static enum sw_rc read_query(struct gateway_call *call, struct sw_object_query *ret_query,
                             struct sw_selector *ret_selector, struct sw_err *err)
{
    const char *text = sw_gateway_query_text(call, "labelSelector");
    const char *name = sw_gateway_query_text(call, "name");
    enum sw_rc rc = SW_OK;

    *ret_query = (struct sw_object_query){.kind = call->route.kind,
                                          .namespace_name = call->route.namespace_,
                                          .name = name == NULL ? "" : name};
    if (name != NULL) {
        rc = sw_format_check(SW_API_FORMAT_LABEL, name, err);
        if (rc != SW_OK)
            sw_err_field(err, "name");
    }
    if (rc != SW_OK || text == NULL)
        return rc;
    rc = sw_selector_parse(text, call->request->arena, ret_selector, err);
    if (rc != SW_OK)
        sw_err_field(err, "labelSelector");
    ret_query->selector = ret_selector;
    return rc;
}

static void serve_list(struct gateway_call *call)
{
    struct gateway_list list = {0};
    struct sw_selector selector = {0};
    struct sw_err err = {0};
    uint64_t limit = 0;
    enum sw_rc rc = read_query(call, &list.query, &selector, &err);

    if (rc == SW_OK)
        rc = sw_gateway_query_number(call, "limit", 0, GATEWAY_LIST_LIMIT_MAX, &limit, &err);
    if (rc == SW_OK)
        rc = sw_gateway_query_number(call, "resourceVersion", 0, UINT64_MAX, &list.page.revision,
                                     &err);
    if (rc != SW_OK) {
        sw_gateway_fail(call, rc, &err);
        return;
    }
    list.page.limit = limit == 0 ? GATEWAY_LIST_LIMIT : (uint32_t)limit;
    list.page.token = sw_gateway_query_text(call, "continue");
    if (list.query.name[0] != '\0') { /* One object: all pages are looked through at once. */
        list.only_name = list.query.name;
        list.query.name = "";
        list.page.limit = 0;
    }
    sw_gateway_list(call, &list);
}

static void serve_watch(struct gateway_call *call)
{
    struct sw_object_query query;
    struct sw_selector selector = {0};
    struct sw_err err = {0};
    uint64_t revision = 0, limit;
    enum sw_rc rc = read_query(call, &query, &selector, &err);

    if (rc == SW_OK) /* A watch has none, but it is a number all the same. */
        rc = sw_gateway_query_number(call, "limit", 0, GATEWAY_LIST_LIMIT_MAX, &limit, &err);
    if (rc == SW_OK)
        rc = watch_revision(call, &revision, &err);
    if (rc == SW_OK)
        sw_gateway_watch(call, &query, revision);
    else
        sw_gateway_fail(call, rc, &err);
}

void sw_gateway_serve_objects(struct gateway_call *call)
{
    if (call->verb == SW_VERB_WATCH)
        serve_watch(call);
    else if (call->verb == SW_VERB_LIST)
        serve_list(call);
    else if (call->verb == SW_VERB_GET)
        sw_gateway_get(call, call->route.namespace_, call->route.name);
    else if (call->verb == SW_VERB_DELETE)
        serve_delete(call);
    else
        serve_write(call);
}
