/* grpc.health.v1 (github.com/grpc/grpc/blob/master/doc/health-checking.md). */
#include "pkg/communication/protocol/grpc_state.h"

#include <string.h>

#define STATUS_SERVICE_UNKNOWN 3u
#define ANSWER_BYTES_MAX 16u

struct watcher { /* In its call's arena. */
    struct sw_list node;
    struct sw_grpc_call *call;
    bool is_known;
};

/* The name of the service asked for is "" or one that reflection lists. */
static bool is_known_service(const struct sw_grpc *grpc, struct sw_bytes name)
{
    if (name.size == 0)
        return true;
    for (size_t i = 0; grpc->has_reflection && i < grpc->reflection.services_count; i++)
        if (sw_bytes_is_text(name, grpc->reflection.services[i]))
            return true;
    return false;
}

/* False: the message is no HealthCheckRequest. */
static bool read_service(struct sw_bytes message, struct sw_bytes *ret_name)
{
    struct wire_field field;
    bool is_bad;

    *ret_name = (struct sw_bytes){0};
    while (sw_wire_next(&message, &field, &is_bad))
        if (field.number == 1 && !field.is_number)
            *ret_name = field.bytes;
    return !is_bad;
}

static struct sw_bytes answer(unsigned status, struct sw_buffer *out)
{
    sw_buffer_init(out, ANSWER_BYTES_MAX);
    sw_wire_put_number(out, 1, status);
    return (struct sw_bytes){.data = out->data, .size = out->size};
}

static void on_check(void *ctx, struct sw_grpc_call *call, struct sw_bytes message)
{
    struct sw_grpc *grpc = ctx;
    struct sw_bytes name;
    struct sw_buffer out;
    struct sw_err err = {0};

    if (!read_service(message, &name)) {
        (void)sw_err_set(&err, SW_E_INVALID, "not a HealthCheckRequest");
        sw_grpc_finish(call, SW_E_INVALID, &err);
        return;
    }
    if (!is_known_service(grpc, name)) {
        (void)sw_err_set(&err, SW_E_NOT_FOUND, "there is no such service");
        sw_grpc_finish(call, SW_E_NOT_FOUND, &err);
        return;
    }
    sw_grpc_reply(call, answer(grpc->health, &out));
    sw_buffer_done(&out);
}

/* A watcher that does not read misses changes in between, never the last: the queue is far longer
 * than such an answer, and a call whose queue is full is ended. */
static void tell(struct watcher *watcher, unsigned status)
{
    struct sw_buffer out;
    enum sw_rc rc = sw_grpc_send(watcher->call,
                                 answer(watcher->is_known ? status : STATUS_SERVICE_UNKNOWN, &out));

    sw_buffer_done(&out);
    if (rc != SW_OK) {
        sw_list_remove(&watcher->node);
        sw_grpc_finish(watcher->call, rc, NULL);
    }
}

static void on_watch_cancel(void *ctx, struct sw_grpc_call *call)
{
    struct watcher *watcher = ctx;

    sw_list_remove(&watcher->node);
    sw_grpc_finish(call, SW_E_CANCELLED, NULL);
}

static void on_watch(void *ctx, struct sw_grpc_call *call, struct sw_bytes message)
{
    struct sw_grpc *grpc = ctx;
    struct watcher *watcher = sw_arena_get(sw_grpc_request(call)->arena, sizeof *watcher);
    struct sw_bytes name;

    if (watcher == NULL || !read_service(message, &name)) {
        sw_grpc_finish(call, watcher == NULL ? SW_E_EXHAUSTED : SW_E_INVALID, NULL);
        return;
    }
    watcher->call = call;
    watcher->is_known = is_known_service(grpc, name);
    sw_list_add(&grpc->watchers, &watcher->node);
    sw_grpc_on_cancel(call, on_watch_cancel, watcher);
    tell(watcher, grpc->health);
}

void sw_grpc_set_health(struct sw_grpc *grpc, enum sw_grpc_health health)
{
    if (grpc->health == health)
        return;
    grpc->health = health;
    SW_LIST_EACH(&grpc->watchers, node)
    tell(SW_LIST_ITEM(node, struct watcher, node), health);
}

enum sw_rc sw_grpc_add_health(struct sw_grpc *grpc)
{
    const struct sw_grpc_method check = {
        .path = "/grpc.health.v1.Health/Check", .ctx = grpc, .call = on_check};
    const struct sw_grpc_method watch = {
        .path = "/grpc.health.v1.Health/Watch", .ctx = grpc, .call = on_watch};
    enum sw_rc rc = sw_grpc_add(grpc, &check);

    return rc == SW_OK ? sw_grpc_add(grpc, &watch) : rc;
}
