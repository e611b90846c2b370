#include "web/api/state.h"

#include "pkg/utils/base/text.h"

#include <string.h>

#define LETTERS_STANDARD 500u
#define KEY_MAX 253u

static void put_texts(const struct sw_gateway_letter *item, struct sw_buffer *out)
{
    const struct {
        const char *name, *text;
    } texts[] = {{"instance", item->instance}, {"pod", item->pod},
                 {"node", item->node},         {"from", item->from},
                 {"subject", item->subject},   {"contentType", item->content_type},
                 {"reason", item->reason},     {"message", item->message}};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        sw_buffer_print(out, ",\"%s\":", texts[i].name);
        sw_json_put_text(out, texts[i].text);
    }
}

static void put_letter(const struct sw_gateway_letter *item, bool with_body, struct sw_buffer *out)
{
    char time[SW_TIME_TEXT_SIZE];

    sw_time_print(item->utc_ns, time);
    sw_buffer_print(out, "{\"id\":\"%llu\",\"time\":\"%s\",\"kind\":\"%s\"",
                    (unsigned long long)item->number, time,
                    item->is_timer          ? "Timer"
                    : item->is_reply        ? "Reply"
                    : item->subject[0] != 0 ? "Publish"
                                            : "Message");
    put_texts(item, out);
    if (item->is_timer)
        sw_buffer_print(out, ",\"timer\":\"%llu\"", (unsigned long long)item->timer);
    sw_buffer_print(out, ",\"attempts\":%u,\"sizeBytes\":\"%llu\"", (unsigned)item->attempts,
                    (unsigned long long)item->size_bytes);
    if (with_body) {
        sw_buffer_put_text(out, ",\"body\":\"");
        sw_base64_encode(item->body.data, item->body.size, out);
        sw_buffer_put_u8(out, '"');
    }
    sw_buffer_put_u8(out, '}');
}

static void answer(struct gateway_call *call, struct sw_buffer *body)
{
    struct sw_err none = {0};

    if (body->failed) {
        (void)sw_err_set(&none, SW_E_EXHAUSTED, "no memory for the list");
        sw_gateway_fail(call, SW_E_EXHAUSTED, &none);
    } else {
        sw_gateway_answer_bytes(call, 200, "application/json",
                                (struct sw_bytes){.data = body->data, .size = body->size});
    }
    sw_buffer_done(body);
}

static void on_letters(void *ctx, enum sw_rc rc, const struct sw_gateway_letter *items,
                       size_t count, bool more, const struct sw_err *err)
{
    struct gateway_call *call = ctx;
    bool with_body = false;
    struct sw_buffer body;

    if (rc != SW_OK) {
        sw_gateway_fail(call, rc, err);
        return;
    }
    (void)!sw_gateway_query_bool(call, "body", &with_body, NULL); /* It was read once. */
    sw_buffer_init(&body, GATEWAY_LIST_BYTES_MAX);
    sw_buffer_put_text(&body, "{\"items\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            sw_buffer_put_u8(&body, ',');
        put_letter(&items[i], with_body, &body);
    }
    sw_buffer_put_text(&body, "],\"continue\":\"");
    if (more && count > 0)
        sw_buffer_print(&body, "%llu", (unsigned long long)items[count - 1].number);
    sw_buffer_put_text(&body, "\"}");
    answer(call, &body);
}

static void on_changed(void *ctx, enum sw_rc rc, uint64_t count, const struct sw_err *err)
{
    struct gateway_call *call = ctx;
    struct sw_buffer body;

    if (rc != SW_OK) {
        sw_gateway_fail(call, rc, err);
        return;
    }
    sw_buffer_init(&body, 64);
    sw_buffer_print(&body, "{\"count\":\"%llu\"}", (unsigned long long)count);
    answer(call, &body);
}

/* The key that a request names, or NULL. */
static enum sw_rc read_key(const struct gateway_call *call, const char **ret_key,
                           struct sw_err *err)
{
    const char *key = sw_gateway_query_text(call, "key");

    if (key != NULL && (key[0] == '\0' || strlen(key) > KEY_MAX)) {
        (void)sw_err_set(err, SW_E_INVALID, "expected 1 to %u bytes", KEY_MAX);
        sw_err_field(err, "key");
        return SW_E_INVALID;
    }
    *ret_key = key;
    return SW_OK;
}

static enum sw_rc list(struct gateway_call *call, struct sw_err *err)
{
    struct sw_gateway_agents *agents = &call->gateway->options.agents;
    const char *after = sw_gateway_query_text(call, "continue");
    struct sw_gateway_letters query = {.namespace_ = call->route.namespace_,
                                       .agent = call->route.name};
    uint64_t limit = 0;
    enum sw_rc rc = sw_gateway_query_number(call, "limit", 0, SW_GATEWAY_LETTERS_MAX, &limit, err);

    query.limit = limit == 0 ? LETTERS_STANDARD : (uint32_t)limit;
    if (rc == SW_OK)
        rc = read_key(call, &query.key, err);
    if (rc == SW_OK)
        rc = sw_gateway_query_bool(call, "body", &query.with_body, err);
    if (rc == SW_OK && after != NULL && after[0] != '\0' &&
        sw_text_to_u64(after, &query.after) != SW_OK) {
        rc = sw_err_set(err, SW_E_INVALID, "not a text that this server gave out");
        sw_err_field(err, "continue");
    }
    if (rc == SW_OK && agents->letters == NULL)
        rc = sw_err_set(err, SW_E_UNSUPPORTED, "this daemon runs no agents");
    if (rc == SW_OK)
        rc = sw_gateway_check_agent(call, err);
    return rc == SW_OK ? agents->letters(agents->ctx, &query, on_letters, call, err) : rc;
}

/* Deliver again, or drop. */
static enum sw_rc change(struct gateway_call *call, struct sw_err *err)
{
    struct sw_gateway_agents *agents = &call->gateway->options.agents;
    const char *id = sw_gateway_query_text(call, "id");
    struct sw_gateway_letters_change wanted = {.namespace_ = call->route.namespace_,
                                               .agent = call->route.name,
                                               .is_drop = call->verb == SW_VERB_DELETE};
    bool is_all = id != NULL && strcmp(id, "all") == 0;
    enum sw_rc rc = read_key(call, &wanted.key, err);

    if (rc == SW_OK && !is_all &&
        (id == NULL || sw_text_to_u64(id, &wanted.number) != SW_OK || wanted.number == 0)) {
        rc = sw_err_set(err, SW_E_INVALID, "expected the id of a dead letter, or \"all\"");
        sw_err_field(err, "id");
    }
    if (rc == SW_OK && agents->letters_change == NULL)
        rc = sw_err_set(err, SW_E_UNSUPPORTED, "this daemon runs no agents");
    if (rc == SW_OK)
        rc = sw_gateway_check_agent(call, err);
    return rc == SW_OK ? agents->letters_change(agents->ctx, &wanted, on_changed, call, err) : rc;
}

void sw_gateway_serve_letters(struct gateway_call *call)
{
    struct sw_err err = {0};
    enum sw_rc rc = call->verb == SW_VERB_GET ? list(call, &err) : change(call, &err);

    if (rc != SW_OK)
        sw_gateway_fail(call, rc, &err);
}
