#include "pkg/broker/service/delay.h"

#include "pkg/utils/base/heap.h"
#include "pkg/utils/base/text.h"

#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 7u /* Of SW_DELAY_MAX_MS. */
#define NS_PER_MS 1000000u

struct sw_delay {
    const struct sw_system *system;
    struct sw_timer *timer;
    struct sw_heap due;
    uint64_t armed_ms; /* When the timer fires; UINT64_MAX: it does not. */
};

struct waiting {                /* A call: a ticket. */
    struct sw_heap_entry entry; /* First: a heap entry is its call. */
    sw_service_done *done;
    void *done_ctx;
    uint8_t size;
    char body[DIGITS_MAX];
};

_Static_assert(sizeof(struct waiting) <= 40, "forty-eight bytes of the heap");

static uint64_t now_ms(const struct sw_delay *delay)
{
    return delay->system->monotonic_ns(delay->system->ctx) / NS_PER_MS;
}

static void arm(struct sw_delay *delay)
{
    const struct sw_heap_entry *first = sw_heap_first(&delay->due);
    uint64_t now = now_ms(delay);

    if (first == NULL || first->rank >= delay->armed_ms)
        return; /* The timer fires in time; a fire for nothing costs less than moving it. */
    delay->armed_ms = first->rank;
    sw_timer_start(delay->timer, first->rank > now ? first->rank - now : 0);
}

static void on_due(void *ctx)
{
    struct sw_delay *delay = ctx;
    uint64_t now = now_ms(delay);
    struct sw_heap_entry *first;

    delay->armed_ms = UINT64_MAX;
    while ((first = sw_heap_first(&delay->due)) != NULL && first->rank <= now) {
        struct waiting *call = (struct waiting *)(void *)first;

        sw_heap_remove(&delay->due, first);
        call->done(call->done_ctx,
                   &(struct sw_service_answer){.rc = SW_OK, .body = {call->body, call->size}});
        free(call);
    }
    arm(delay);
}

enum sw_rc sw_delay_new(struct sw_loop *loop, const struct sw_system *system,
                        struct sw_delay **ret_delay, struct sw_err *err)
{
    SW_CLEANUP(sw_delay_freep) struct sw_delay *delay = calloc(1, sizeof *delay);

    if (delay != NULL)
        delay->timer = sw_timer_new(loop, on_due, delay);
    if (delay == NULL || delay->timer == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the service " SW_DELAY_NAME);
    delay->system = system;
    delay->armed_ms = UINT64_MAX;
    sw_heap_init(&delay->due);
    *ret_delay = SW_TAKE(delay);
    return SW_OK;
}

void sw_delay_free(struct sw_delay *delay)
{
    struct sw_heap_entry *first;

    if (delay == NULL)
        return;
    while ((first = sw_heap_first(&delay->due)) != NULL) {
        sw_heap_remove(&delay->due, first);
        free(first);
    }
    sw_heap_done(&delay->due);
    sw_timer_free(delay->timer);
    free(delay);
}

static enum sw_rc parse(struct sw_bytes body, uint64_t *ret_ms, struct sw_err *err)
{
    char digits[DIGITS_MAX + 1] = "";

    if (body.size > 0 && body.size <= DIGITS_MAX)
        memcpy(digits, body.data, body.size);
    if (strlen(digits) != body.size || sw_text_to_u64(digits, ret_ms) != SW_OK ||
        *ret_ms > SW_DELAY_MAX_MS)
        return sw_err_set(err, SW_E_INVALID,
                          SW_DELAY_NAME " takes a number of milliseconds from 0 to %u as its body",
                          SW_DELAY_MAX_MS);
    return SW_OK;
}

static enum sw_rc start(void *ctx, const struct sw_service_call *call, sw_service_done *done,
                        void *done_ctx, void **ret_ticket, struct sw_err *err)
{
    struct sw_delay *delay = ctx;
    struct waiting *waiting;
    uint64_t delay_ms;
    enum sw_rc rc = parse(call->body, &delay_ms, err);

    if (rc != SW_OK)
        return rc;
    waiting = malloc(sizeof *waiting);
    if (waiting == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a call");
    *waiting = (struct waiting){.entry.at = SW_HEAP_ABSENT,
                                .done = done,
                                .done_ctx = done_ctx,
                                .size = (uint8_t)call->body.size};
    memcpy(waiting->body, call->body.data, call->body.size);
    if (sw_heap_put(&delay->due, &waiting->entry, now_ms(delay) + delay_ms) != SW_OK) {
        free(waiting);
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a call");
    }
    arm(delay);
    *ret_ticket = waiting;
    return SW_OK;
}

static void cancel(void *ctx, void *ticket)
{
    struct sw_delay *delay = ctx;
    struct waiting *waiting = ticket;

    sw_heap_remove(&delay->due, &waiting->entry);
    free(waiting);
}

struct sw_service sw_delay_service(struct sw_delay *delay)
{
    return (struct sw_service){
        .name = SW_DELAY_NAME, .ctx = delay, .start = start, .cancel = cancel};
}
