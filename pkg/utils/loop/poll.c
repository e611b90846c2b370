#include "pkg/utils/loop/loop.h"

#include "pkg/utils/loop/state.h"

#include <stdlib.h>

struct sw_poll {
    uv_poll_t uv;
    struct sw_list node;
    void (*ready)(void *ctx, int file, unsigned events);
    void *ctx;
    int file;
};

static void on_poll_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct sw_poll *poll = handle->data;
    unsigned seen = 0;

    if (status < 0 || (events & UV_READABLE) != 0)
        seen |= SW_POLL_READ;
    if (status < 0 || (events & UV_WRITABLE) != 0)
        seen |= SW_POLL_WRITE;
    poll->ready(poll->ctx, poll->file, seen);
}

enum sw_rc sw_poll_new(struct sw_loop *loop, int file,
                       void (*ready)(void *ctx, int file, unsigned events), void *ctx,
                       struct sw_poll **ret_poll, struct sw_err *err)
{
    struct sw_poll *poll = calloc(1, sizeof *poll);
    int rc = poll == NULL ? UV_ENOMEM : uv_poll_init(&loop->uv, &poll->uv, file);

    if (rc != 0) {
        free(poll);
        return sw_loop_error(err, rc, "cannot watch a socket");
    }
    poll->uv.data = poll;
    poll->ready = ready;
    poll->ctx = ctx;
    poll->file = file;
    sw_list_add(&loop->polls, &poll->node);
    *ret_poll = poll;
    return SW_OK;
}

void sw_poll_set(struct sw_poll *poll, unsigned events)
{
    int wanted = ((events & SW_POLL_READ) != 0 ? UV_READABLE : 0) |
                 ((events & SW_POLL_WRITE) != 0 ? UV_WRITABLE : 0);

    if (wanted == 0 || sw_loop_is_freed(poll->uv.loop))
        (void)uv_poll_stop(&poll->uv);
    else
        (void)uv_poll_start(&poll->uv, wanted, on_poll); /* Fails only once closed. */
}

void sw_poll_free(struct sw_poll *poll)
{
    if (poll == NULL)
        return;
    sw_list_remove(&poll->node);
    uv_close((uv_handle_t *)&poll->uv, on_poll_closed);
}

void sw_loop_close_polls(struct sw_loop *loop)
{
    SW_LIST_EACH(&loop->polls, node)
    sw_poll_free(SW_LIST_ITEM(node, struct sw_poll, node));
}
