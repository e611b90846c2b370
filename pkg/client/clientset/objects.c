#include "pkg/client/clientset/objects.h"
#include "pkg/apis/swarm/v1/json.h"
#include "pkg/utils/base/text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define API_ROOT "/apis/swarm/v1"
#define PATH_BYTES_MAX 4096
#define OBJECT_BYTES_MAX ((size_t)1024 * 1024)
#define PAGE_ITEMS 250
#define PAGE_ARENA_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define APPLY_TYPE "application/apply-patch+json"

void sw_client_path(const struct sw_object_key *key, struct sw_buffer *out)
{
    sw_buffer_put_text(out, API_ROOT);
    if (key->kind->is_namespaced && key->namespace[0] != '\0') {
        sw_buffer_put_text(out, "/namespaces/");
        sw_client_escape(key->namespace, out);
    }
    sw_buffer_print(out, "/%s", key->kind->plural);
    if (key->name[0] != '\0') {
        sw_buffer_put_text(out, "/");
        sw_client_escape(key->name, out);
    }
}

/* Append "?name=value" or "&name=value". */
static void put_query(struct sw_buffer *path, const char *name, const char *value)
{
    bool is_first = path->size == 0 || memchr(path->data, '?', path->size) == NULL;

    sw_buffer_print(path, "%c%s=", is_first ? '?' : '&', name);
    sw_client_escape(value, path);
}

static void put_query_number(struct sw_buffer *path, const char *name, uint64_t value)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    put_query(path, name, text);
}

/* Make one request with this path, which is ended with a NUL here. */
static enum sw_rc ask(struct sw_client *client, struct sw_request *request, struct sw_buffer *path,
                      struct sw_answer *ret_answer, struct sw_err *err)
{
    sw_buffer_put_u8(path, 0);
    if (sw_buffer_check(path) != SW_OK)
        return sw_err_set(err, SW_E_INVALID, "a name or selector is too long");
    request->path = (const char *)path->data;
    return sw_client_call(client, request, ret_answer, err);
}

static enum sw_rc misunderstood(const struct sw_problems *problems, struct sw_err *err)
{
    struct sw_err first = {0};

    (void)!sw_problems_check(problems, &first);
    (void)sw_err_set(err, SW_E_UNSUPPORTED, "the server's answer is not understood: %s",
                     first.message);
    sw_err_field(err, "%s", first.field);
    sw_err_hint(err, "is the server of another version? compare with: swarm version");
    return SW_E_UNSUPPORTED;
}

static enum sw_rc decode_object(const struct sw_kind *kind, struct sw_bytes json,
                                struct sw_arena *arena, void **ret_object, struct sw_err *err)
{
    struct sw_problems problems = sw_problems_of(arena);
    struct sw_bind_options options = {.arena = arena, .problems = &problems, .file = ""};
    enum sw_rc rc = sw_object_decode_json(kind, json, &options, ret_object);

    if (rc == SW_E_INVALID)
        return misunderstood(&problems, err);
    return rc == SW_OK ? SW_OK : sw_err_set(err, rc, "no memory for the server's answer");
}

enum sw_rc sw_client_get(struct sw_client *client, const struct sw_object_key *key,
                         struct sw_arena *arena, void **ret_object, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer path = {0};
    SW_CLEANUP(sw_answer_done) struct sw_answer answer = {0};
    struct sw_request request = {.method = "GET"};
    enum sw_rc rc;

    sw_buffer_init(&path, PATH_BYTES_MAX);
    sw_answer_init(&answer);
    sw_client_path(key, &path);
    rc = ask(client, &request, &path, &answer, err);
    if (rc != SW_OK)
        return rc;
    return decode_object(key->kind, (struct sw_bytes){answer.body.data, answer.body.size}, arena,
                         ret_object, err);
}

/* A list while its pages come in. */
struct pages {
    const struct sw_kind *kind;
    struct sw_arena *arena; /* For the objects. */
    struct sw_objects *objects;
    size_t capacity;
    char next[1025]; /* Where the next page begins; "" at the end. */
};

static enum sw_rc add_item(struct pages *pages, const struct sw_tree *node,
                           const struct sw_bind_options *options, struct sw_err *err)
{
    struct sw_objects *objects = pages->objects;
    void *object = sw_arena_get(pages->arena, pages->kind->message->size_bytes);
    enum sw_rc rc;

    if (objects->count == pages->capacity) {
        size_t capacity = pages->capacity == 0 ? PAGE_ITEMS : pages->capacity * 2;
        void **items = sw_arena_array(pages->arena, capacity, sizeof *items);

        if (items == NULL)
            return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the list");
        if (objects->count > 0)
            memcpy(items, objects->items, objects->count * sizeof *items);
        objects->items = items;
        pages->capacity = capacity;
    }
    if (object == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the list");
    rc = sw_tree_bind(node, pages->kind->message, options, object);
    if (rc == SW_E_INVALID)
        return misunderstood(options->problems, err);
    if (rc != SW_OK)
        return sw_err_set(err, rc, "no memory for the list");
    objects->items[objects->count++] = object;
    return SW_OK;
}

static void read_list_meta(struct pages *pages, const struct sw_tree *tree)
{
    const struct sw_tree *meta = sw_tree_find(tree, "metadata");
    const struct sw_tree *next = meta == NULL ? NULL : sw_tree_find(meta, "continue");
    const struct sw_tree *revision = meta == NULL ? NULL : sw_tree_find(meta, "resourceVersion");
    uint64_t value;

    pages->next[0] = '\0';
    if (next != NULL && strlen(next->text) < sizeof pages->next)
        (void)snprintf(pages->next, sizeof pages->next, "%s", next->text);
    if (revision != NULL && sw_text_to_u64(revision->text, &value) == SW_OK)
        pages->objects->resource_version = value;
}

static enum sw_rc add_page(struct pages *pages, struct sw_bytes json, struct sw_err *err)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *scratch = sw_arena_new(PAGE_ARENA_BYTES_MAX);
    struct sw_problems problems;
    struct sw_bind_options parse = {.arena = scratch, .file = ""};
    struct sw_bind_options bind = {.arena = pages->arena, .file = ""};
    const struct sw_tree *tree = NULL, *items;
    enum sw_rc rc;

    if (scratch == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the list");
    problems = sw_problems_of(pages->arena);
    parse.problems = bind.problems = &problems;
    rc = sw_json_parse(json, &parse, &tree);
    if (rc == SW_E_INVALID)
        return misunderstood(&problems, err);
    if (rc != SW_OK)
        return sw_err_set(err, rc, "no memory for the list");
    read_list_meta(pages, tree);
    items = sw_tree_find(tree, "items");
    for (const struct sw_tree *item = items == NULL ? NULL : items->first;
         item != NULL && rc == SW_OK; item = item->next)
        rc = add_item(pages, item, &bind, err);
    return rc;
}

enum sw_rc sw_client_list(struct sw_client *client, const struct sw_object_key *key,
                          const char *selector, struct sw_arena *arena,
                          struct sw_objects *ret_objects, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer path = {0};
    SW_CLEANUP(sw_answer_done) struct sw_answer answer = {0};
    const struct sw_object_key all = {.kind = key->kind, .namespace = key->namespace, .name = ""};
    struct pages pages = {.kind = key->kind, .arena = arena, .objects = ret_objects};
    struct sw_request request = {.method = "GET"};
    enum sw_rc rc;

    sw_buffer_init(&path, PATH_BYTES_MAX);
    sw_answer_init(&answer);
    memset(ret_objects, 0, sizeof *ret_objects);
    do {
        sw_buffer_reset(&path);
        sw_client_path(&all, &path);
        put_query_number(&path, "limit", PAGE_ITEMS);
        if (selector[0] != '\0')
            put_query(&path, "labelSelector", selector);
        if (pages.next[0] != '\0')
            put_query(&path, "continue", pages.next);
        rc = ask(client, &request, &path, &answer, err);
        if (rc == SW_OK)
            rc = add_page(&pages, (struct sw_bytes){answer.body.data, answer.body.size}, err);
    } while (rc == SW_OK && pages.next[0] != '\0');
    return rc;
}

enum sw_rc sw_client_apply(struct sw_client *client, const struct sw_object_wish *wish,
                           struct sw_arena *arena, void **ret_object, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer path = {0};
    SW_CLEANUP(sw_buffer_done) struct sw_buffer json = {0};
    SW_CLEANUP(sw_answer_done) struct sw_answer answer = {0};
    struct sw_request request = {.method = "PATCH", .content_type = APPLY_TYPE};
    enum sw_rc rc;

    sw_buffer_init(&path, PATH_BYTES_MAX);
    sw_buffer_init(&json, OBJECT_BYTES_MAX);
    sw_answer_init(&answer);
    sw_json_encode(wish->key.kind->message, wish->object, SW_JSON_COMPACT, &json);
    if (sw_buffer_check(&json) != SW_OK)
        return sw_err_set(err, SW_E_EXHAUSTED, "the object is larger than %zu KiB",
                          OBJECT_BYTES_MAX >> 10);
    request.body = (struct sw_bytes){json.data, json.size};
    sw_client_path(&wish->key, &path);
    if (wish->dry_run)
        put_query(&path, "dryRun", "true");
    rc = ask(client, &request, &path, &answer, err);
    if (rc != SW_OK)
        return rc;
    return decode_object(wish->key.kind, (struct sw_bytes){answer.body.data, answer.body.size},
                         arena, ret_object, err);
}

enum sw_rc sw_client_delete(struct sw_client *client, const struct sw_object_key *key, bool dry_run,
                            struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer path = {0};
    SW_CLEANUP(sw_answer_done) struct sw_answer answer = {0};
    struct sw_request request = {.method = "DELETE"};

    sw_buffer_init(&path, PATH_BYTES_MAX);
    sw_answer_init(&answer);
    sw_client_path(key, &path);
    if (dry_run)
        put_query(&path, "dryRun", "true");
    return ask(client, &request, &path, &answer, err);
}

static enum sw_rc message_request(const struct sw_client_message *message, struct sw_buffer *path,
                                  struct sw_request *ret_request, struct sw_err *err)
{
    uint64_t timeout_ms = message->timeout_ms == 0 ? SW_CLIENT_TIMEOUT_MS : message->timeout_ms;
    char timeout[32];

    sw_buffer_put_text(path, API_ROOT "/namespaces/");
    sw_client_escape(message->namespace, path);
    sw_buffer_put_text(path, "/agents/");
    sw_client_escape(message->agent, path);
    sw_buffer_put_text(path, "/send");
    (void)snprintf(timeout, sizeof timeout, "%" PRIu64 "ms", timeout_ms);
    put_query(path, "timeout", timeout);
    put_query(path, "reply", message->want_reply ? "true" : "false");
    if (message->key != NULL)
        put_query(path, "key", message->key);
    if (message->priority != NULL)
        put_query(path, "priority", message->priority);
    if (message->request_id != NULL)
        put_query(path, "requestId", message->request_id);
    sw_buffer_put_u8(path, 0);
    if (sw_buffer_check(path) != SW_OK)
        return sw_err_set(err, SW_E_INVALID, "the key is too long");
    *ret_request = (struct sw_request){
        .method = "POST",
        .path = (const char *)path->data,
        .content_type = message->content_type,
        .accept = "*/*",
        .body = {message->body.data == NULL ? "" : message->body.data, message->body.size},
        .timeout_ms = timeout_ms + 2000, /* The server's own answer to lateness comes first. */
    };
    return SW_OK;
}

enum sw_rc sw_client_send_start(struct sw_client *client, const struct sw_client_message *message,
                                sw_client_done *done, void *ctx, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer path = {0};
    struct sw_request request;
    enum sw_rc rc;

    sw_buffer_init(&path, PATH_BYTES_MAX);
    rc = message_request(message, &path, &request, err);
    return rc == SW_OK ? sw_client_start(client, &request, done, ctx, err) : rc;
}

/* The text of one member of a JSON object; "" when it is not there. */
static const char *member_of(struct sw_bytes json, const char *name, struct sw_arena *arena)
{
    struct sw_problems problems = sw_problems_of(arena);
    struct sw_bind_options options = {.arena = arena, .problems = &problems, .file = ""};
    const struct sw_tree *tree = NULL, *node = NULL;

    if (sw_json_parse(json, &options, &tree) == SW_OK && tree->type == SW_TREE_MAP)
        node = sw_tree_find(tree, name);
    return node == NULL ? "" : node->text;
}

enum sw_rc sw_client_publish(struct sw_client *client,
                             const struct sw_client_publication *publication,
                             uint64_t *ret_subscribers, struct sw_err *err)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(OBJECT_BYTES_MAX);
    SW_CLEANUP(sw_buffer_done) struct sw_buffer path = {0};
    SW_CLEANUP(sw_answer_done) struct sw_answer answer = {0};
    struct sw_request request = {.method = "POST", .content_type = publication->content_type};
    uint64_t count = 0;
    enum sw_rc rc;

    sw_buffer_init(&path, PATH_BYTES_MAX);
    sw_answer_init(&answer);
    if (arena == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory");
    sw_buffer_put_text(&path, API_ROOT "/namespaces/");
    sw_client_escape(publication->namespace, &path);
    sw_buffer_put_text(&path, "/publish");
    put_query(&path, "subject", publication->subject);
    if (publication->request_id != NULL)
        put_query(&path, "requestId", publication->request_id);
    request.body = publication->body;
    if (request.body.data == NULL)
        request.body.data = "";
    rc = ask(client, &request, &path, &answer, err);
    if (rc != SW_OK)
        return rc;
    if (sw_text_to_u64(
            member_of((struct sw_bytes){answer.body.data, answer.body.size}, "subscribers", arena),
            &count) != SW_OK)
        count = 0; /* Proto JSON leaves zeros out. */
    *ret_subscribers = count;
    return SW_OK;
}

enum sw_rc sw_client_push(struct sw_client *client, const char *namespace, const char *digest,
                          struct sw_bytes wasm, bool *ret_is_new, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer path = {0};
    SW_CLEANUP(sw_answer_done) struct sw_answer answer = {0};
    struct sw_request request = {.method = "HEAD"};
    struct sw_err ignored = {0};
    enum sw_rc rc;

    sw_buffer_init(&path, PATH_BYTES_MAX);
    sw_answer_init(&answer);
    sw_buffer_put_text(&path, API_ROOT "/namespaces/");
    sw_client_escape(namespace, &path);
    sw_buffer_print(&path, "/modules/%s", digest);
    rc = ask(client, &request, &path, &answer, &ignored);
    if (ret_is_new != NULL)
        *ret_is_new = rc != SW_OK;
    if (rc != SW_E_NOT_FOUND) {
        if (rc != SW_OK && err != NULL)
            *err = ignored;
        return rc;
    }
    request = (struct sw_request){.method = "PUT",
                                  .content_type = "application/wasm",
                                  .path = (const char *)path.data,
                                  .body = wasm,
                                  .timeout_ms = 120000};
    sw_buffer_reset(&answer.body);
    return sw_client_call(client, &request, &answer, err);
}
