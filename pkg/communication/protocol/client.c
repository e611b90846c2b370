#include "pkg/communication/protocol/client.h"

#include "pkg/communication/protocol/client_state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CALLS_STANDARD 1024u
#define REPLY_BYTES_STANDARD 8388608u
#define CONNECT_TIMEOUT_STANDARD_MS 5000u
#define CALL_ARENA_BYTES_MAX 16777216u
#define SPARES_MAX 256u
#define SPARE_BYTES_MAX 65536u /* A call with more in its arena or its reply is freed. */

/* ---- Life ---- */

static void call_free(struct sw_http_call *call)
{
    sw_buffer_done(&call->reply);
    sw_arena_free(call->arena);
    free(call);
}

void sw_http_client_unref(struct sw_http_client *client)
{
    struct sw_list *spare;

    client->references--;
    if (client->references > 0)
        return;
    while ((spare = sw_list_first(&client->spares)) != NULL) {
        sw_list_remove(spare);
        call_free(SW_LIST_ITEM(spare, struct sw_http_call, node));
    }
    sw_link_method_free(client->link_method);
    nghttp2_session_callbacks_del(client->callbacks);
    sw_heap_done(&client->deadlines);
    free((void *)(uintptr_t)client->options.address);
    free((void *)(uintptr_t)client->options.server_name);
    free(client);
}

void sw_http_client_host(const struct sw_http_client *client, char *ret_host, size_t size)
{
    const char *address = client->options.address;
    const char *end = strrchr(address, ':');
    size_t length = end == NULL ? strlen(address) : (size_t)(end - address);

    if (address[0] == '[' && length >= 2) {
        address++;
        length -= 2;
    }
    if (length >= size)
        length = size - 1;
    (void)memcpy(ret_host, address, length);
    ret_host[length] = '\0';
}

static void on_deadline(void *ctx);

static bool copy_options(struct sw_http_client *client,
                         const struct sw_http_client_options *options)
{
    char host[256];

    client->options = *options;
    client->options.address = strdup(options->address);
    client->options.server_name = NULL;
    if (client->options.address == NULL)
        return false;
    sw_http_client_host(client, host, sizeof host);
    client->options.server_name =
        strdup(options->server_name != NULL ? options->server_name : host);
    if (client->options.calls_max == 0)
        client->options.calls_max = CALLS_STANDARD;
    if (client->options.reply_bytes_max == 0)
        client->options.reply_bytes_max = REPLY_BYTES_STANDARD;
    if (client->options.connect_timeout_ms == 0)
        client->options.connect_timeout_ms = CONNECT_TIMEOUT_STANDARD_MS;
    return client->options.server_name != NULL;
}

enum sw_rc sw_http_client_new(const struct sw_http_client_options *options,
                              struct sw_http_client **ret_client, struct sw_err *err)
{
    struct sw_http_client *client = calloc(1, sizeof *client);
    bool is_made;

    if (client == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a client");
    client->references = 1;
    sw_list_init(&client->waiting);
    sw_list_init(&client->sent);
    sw_list_init(&client->spares);
    sw_heap_init(&client->deadlines);
    is_made = copy_options(client, options);
    client->link_method = sw_link_method_new();
    client->timer = sw_timer_new(options->loop, on_deadline, client);
    if (!is_made || client->link_method == NULL || client->timer == NULL ||
        sw_client_link_setup(client) != SW_OK) {
        sw_timer_free(client->timer);
        sw_http_client_unref(client);
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a client");
    }
    *ret_client = client;
    return SW_OK;
}

static void end_all(struct sw_list *calls, enum sw_rc rc)
{
    struct sw_list ended;

    if (sw_list_is_empty(calls))
        return;
    /* Calls that are made meanwhile, in on_done, are not of this set. */
    ended = *calls;
    ended.next->previous = &ended;
    ended.previous->next = &ended;
    sw_list_init(calls);
    while (!sw_list_is_empty(&ended))
        sw_http_call_done(SW_LIST_ITEM(ended.next, struct sw_http_call, node), rc);
}

void sw_http_client_free(struct sw_http_client *client)
{
    if (client == NULL)
        return;
    client->is_freed = true;
    if (client->link != NULL)
        sw_client_link_close(client->link);
    client->link = NULL;
    end_all(&client->sent, SW_E_CANCELLED);
    end_all(&client->waiting, SW_E_CANCELLED);
    sw_timer_free(client->timer);
    client->timer = NULL;
    sw_http_client_unref(client);
}

const char *sw_http_client_trouble(const struct sw_http_client *client)
{
    return client->trouble;
}

/* ---- Calls ---- */

/* A call with nothing in it, whose arena takes a body of this size; NULL: no memory. */
static struct sw_http_call *call_make(struct sw_http_client *client, size_t body_size)
{
    struct sw_list *spare = body_size > SPARE_BYTES_MAX ? NULL : sw_list_first(&client->spares);
    struct sw_http_call *call;

    if (spare != NULL) {
        sw_list_remove(spare);
        client->spares_count--;
        return SW_LIST_ITEM(spare, struct sw_http_call, node);
    }
    call = calloc(1, sizeof *call);
    if (call == NULL)
        return NULL;
    call->client = client;
    call->deadline.at = SW_HEAP_ABSENT;
    sw_buffer_init(&call->reply, client->options.reply_bytes_max);
    call->arena = sw_arena_new(CALL_ARENA_BYTES_MAX + body_size);
    if (call->arena != NULL)
        return call;
    call_free(call);
    return NULL;
}

/* Keep it as a spare, or free it. */
static void call_put(struct sw_http_call *call)
{
    struct sw_http_client *client = call->client;

    if (client->is_freed || client->spares_count >= SPARES_MAX ||
        sw_arena_used(call->arena) > SPARE_BYTES_MAX || call->reply.capacity > SPARE_BYTES_MAX) {
        call_free(call);
        return;
    }
    sw_arena_reset(call->arena);
    sw_buffer_reset(&call->reply);
    call->headers_count = call->header_bytes = call->body_at = 0;
    call->stream_id = 0;
    call->status = 0;
    call->has_headers = call->is_whole = false;
    call->rc = SW_OK;
    sw_list_add(&client->spares, &call->node);
    client->spares_count++;
}

void sw_http_call_done(struct sw_http_call *call, enum sw_rc rc)
{
    struct sw_http_client *client = call->client;
    const struct sw_http_call_handler *handler = &call->options.handler;
    struct sw_bytes body = {.data = call->reply.data, .size = call->reply.size};

    sw_list_remove(&call->node);
    if (call->deadline.at != SW_HEAP_ABSENT)
        sw_heap_remove(&client->deadlines, &call->deadline);
    client->calls_count--;
    if (handler->on_done != NULL)
        handler->on_done(handler->ctx, call, rc, call->status, body, call->headers,
                         call->has_headers ? call->headers_count : 0);
    call_put(call);
}

static void arm(struct sw_http_client *client)
{
    const struct sw_heap_entry *first = sw_heap_first(&client->deadlines);
    uint64_t now_ms = sw_loop_now_ms(client->options.loop);

    if (client->is_freed)
        return;
    if (first == NULL)
        sw_timer_stop(client->timer);
    else
        sw_timer_start(client->timer, first->rank > now_ms ? first->rank - now_ms : 0);
}

static void give_up(struct sw_http_call *call, enum sw_rc rc)
{
    if (call->stream_id > 0 && call->client->link != NULL) {
        call->rc = rc;
        sw_client_link_reset(call->client->link, call);
        sw_http_client_wake(call->client);
    }
    sw_http_call_done(call, rc);
}

static void on_deadline(void *ctx)
{
    struct sw_http_client *client = ctx;
    uint64_t now_ms = sw_loop_now_ms(client->options.loop);
    struct sw_heap_entry *first;

    client->references++;
    while (!client->is_freed && (first = sw_heap_first(&client->deadlines)) != NULL &&
           first->rank <= now_ms) {
        struct sw_http_call *call = SW_LIST_ITEM(first, struct sw_http_call, deadline);

        give_up(call, call->rc == SW_OK ? SW_E_TIMEOUT : call->rc);
    }
    arm(client);
    sw_http_client_unref(client);
}

static struct sw_bytes copy_bytes(struct sw_arena *arena, struct sw_bytes bytes)
{
    return (struct sw_bytes){.data = sw_arena_copy(arena, bytes.data, bytes.size), bytes.size};
}

/* Copy what the caller lent. */
static bool call_fill(struct sw_http_call *call, const struct sw_http_call_options *options)
{
    struct sw_arena *arena = call->arena;
    struct sw_http_header *headers =
        sw_arena_array(arena, options->headers_count + 1, sizeof *headers);
    bool is_whole = headers != NULL;

    for (size_t i = 0; is_whole && i < options->headers_count; i++) {
        headers[i].name = copy_bytes(arena, options->headers[i].name);
        headers[i].value = copy_bytes(arena, options->headers[i].value);
        is_whole = headers[i].name.data != NULL && headers[i].value.data != NULL;
    }
    call->options = *options;
    call->options.headers = headers;
    call->options.path = sw_arena_copy(arena, options->path, strlen(options->path));
    call->options.body = copy_bytes(arena, options->body);
    return is_whole && call->options.path != NULL && call->options.body.data != NULL;
}

enum sw_rc sw_http_client_call(struct sw_http_client *client,
                               const struct sw_http_call_options *options,
                               struct sw_http_call **ret_call, struct sw_err *err)
{
    struct sw_http_call *call;
    uint64_t now_ms = sw_loop_now_ms(client->options.loop);

    assert(options->headers_count <= CALL_HEADERS_MAX);
    if (client->is_freed || client->calls_count >= client->options.calls_max)
        return sw_err_set(err, SW_E_EXHAUSTED, "too many calls to %s are under way",
                          client->options.address);
    call = call_make(client, options->body.size);
    if (call == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a call");
    if (!call_fill(call, options) ||
        (options->timeout_ms != 0 &&
         sw_heap_put(&client->deadlines, &call->deadline, now_ms + options->timeout_ms) != SW_OK)) {
        call_free(call);
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a call");
    }
    client->calls_count++;
    sw_list_add(&client->waiting, &call->node);
    if (sw_heap_first(&client->deadlines) == &call->deadline)
        arm(client);
    sw_http_client_wake(client);
    if (ret_call != NULL)
        *ret_call = call;
    return SW_OK;
}

static void cancel_later(void *ctx)
{
    struct sw_http_call *call = ctx;

    give_up(call, SW_E_CANCELLED);
}

void sw_http_call_cancel(struct sw_http_call *call)
{
    struct sw_http_client *client = call->client;

    if (call->rc != SW_OK)
        return;
    call->rc = SW_E_CANCELLED;
    /* Through the heap, so that on_done does not come from inside of this call. */
    if (sw_heap_put(&client->deadlines, &call->deadline, 0) != SW_OK)
        cancel_later(call);
    else
        arm(client);
}

/* ---- The connection ---- */

static void pump(void *ctx)
{
    struct sw_http_client *client = ctx;

    client->is_pump_due = false;
    if (!client->is_freed && client->link == NULL && !sw_list_is_empty(&client->waiting))
        sw_client_link_open(client);
    while (!client->is_freed && client->link != NULL && sw_client_link_is_open(client->link) &&
           !sw_list_is_empty(&client->waiting)) {
        struct sw_http_call *call = SW_LIST_ITEM(client->waiting.next, struct sw_http_call, node);

        sw_list_remove(&call->node);
        sw_list_add(&client->sent, &call->node);
        sw_client_link_submit(client->link, call);
    }
    if (!client->is_freed && client->link != NULL)
        sw_client_link_flush(client->link);
    sw_http_client_unref(client);
}

void sw_http_client_wake(struct sw_http_client *client)
{
    if (client->is_pump_due || client->is_freed)
        return;
    if (sw_loop_defer(client->options.loop, pump, client) != SW_OK)
        return; /* No memory; the deadlines of the calls still hold. */
    client->is_pump_due = true;
    client->references++;
}

void sw_http_client_lost(struct sw_http_client *client, enum sw_rc rc, bool was_open)
{
    if (rc == SW_OK)
        rc = SW_E_UNAVAILABLE;
    client->link = NULL;
    client->references++;
    end_all(&client->sent, rc);
    if (!was_open)
        end_all(&client->waiting, rc);
    else
        sw_http_client_wake(client); /* What was never sent goes over the next connection. */
    sw_http_client_unref(client);
}
