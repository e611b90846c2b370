#include "pkg/utils/loop/loop.h"

#include "pkg/utils/loop/state.h"

#include <stdlib.h>

struct sw_timer {
    uv_timer_t uv;
    struct sw_list node;
    void (*fire)(void *ctx);
    void *ctx;
};

struct sw_timer *sw_timer_new(struct sw_loop *loop, void (*fire)(void *ctx), void *ctx)
{
    struct sw_timer *timer = calloc(1, sizeof *timer);

    if (timer == NULL)
        return NULL;
    (void)uv_timer_init(&loop->uv, &timer->uv); /* Cannot fail. */
    timer->uv.data = timer;
    timer->fire = fire;
    timer->ctx = ctx;
    sw_list_add(&loop->timers, &timer->node);
    return timer;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void sw_timer_free(struct sw_timer *timer)
{
    if (timer == NULL)
        return;
    sw_list_remove(&timer->node);
    uv_close((uv_handle_t *)&timer->uv, on_timer_closed);
}

static void on_timer(uv_timer_t *handle)
{
    struct sw_timer *timer = handle->data;

    timer->fire(timer->ctx);
}

void sw_timer_start(struct sw_timer *timer, uint64_t delay_ms)
{
    if (!sw_loop_is_freed(timer->uv.loop))
        (void)uv_timer_start(&timer->uv, on_timer, delay_ms, 0); /* Fails only once closed. */
}

void sw_timer_stop(struct sw_timer *timer)
{
    (void)uv_timer_stop(&timer->uv);
}

void sw_loop_stop_timers(struct sw_loop *loop)
{
    SW_LIST_EACH(&loop->timers, node)
    sw_timer_stop(SW_LIST_ITEM(node, struct sw_timer, node));
}

void sw_loop_close_timers(struct sw_loop *loop)
{
    SW_LIST_EACH(&loop->timers, node)
    sw_timer_free(SW_LIST_ITEM(node, struct sw_timer, node));
}
