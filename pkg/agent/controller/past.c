#include "pkg/agent/controller/past.h"

#include "pkg/agent/controller/aside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct past {
    struct sw_list node; /* In pasts->all. */
    struct sw_pasts *pasts;
    struct sw_past_look look;
    struct sw_aside *aside; /* NULL: gone. */
    struct sw_buffer frame; /* PAST, as it is sent. */
    char name_space[SW_FRAME_NAME_MAX + 1];
    char folder[SW_PATH_MAX];
    size_t told_bytes;
    uint64_t fork_bytes, fork_total; /* Of what a fork begins with: told; all of it. */
    bool is_through, is_dropped;     /* is_dropped: nobody hears any more. */
    struct sw_frame_past_end end;
    char words[SW_FRAME_WORDS_MAX + 1];
};

void sw_pasts_init(struct sw_pasts *pasts)
{
    sw_list_init(&pasts->all);
    pasts->count = 0;
}

static void past_free(struct past *past)
{
    if (past->pasts != NULL) {
        sw_list_remove(&past->node);
        past->pasts->count--;
    }
    sw_buffer_done(&past->frame);
    free(past);
}

void sw_pasts_done(struct sw_pasts *pasts)
{
    struct sw_err err = {0};

    (void)sw_err_set(&err, SW_E_UNAVAILABLE, "swarmd stops");
    while (!sw_list_is_empty(&pasts->all)) {
        struct past *past = SW_LIST_ITEM(pasts->all.next, struct past, node);

        sw_list_remove(&past->node);
        past->pasts = NULL;
        past->is_dropped = true;
        sw_aside_fail(past->aside, &err);
    }
    pasts->count = 0;
}

void sw_pasts_stop(struct sw_pasts *pasts, bool (*is_it)(const void *look_ctx, const void *ctx),
                   const void *ctx)
{
    struct sw_err err = {0};

    (void)sw_err_set(&err, SW_E_CANCELLED, "who asked has gone");
    SW_LIST_EACH(&pasts->all, node)
    {
        struct past *past = SW_LIST_ITEM(node, struct past, node);

        if (is_it(past->look.ctx, ctx))
            sw_aside_fail(past->aside, &err); /* It ends later, and stays in the list until then. */
    }
}

static enum sw_rc take_rows(const struct sw_frame *frame, struct sw_err *err)
{
    struct sw_reader reader;
    struct sw_past_effect effect;
    struct sw_past_item item;

    if (frame->kind == SW_FRAME_PAST_TURN) {
        reader = sw_reader_of(frame->past_turn.effects.data, frame->past_turn.effects.size);
        while (sw_past_effect_take(&reader, &effect))
            ;
    } else {
        reader = sw_reader_of(frame->past_state.items.data, frame->past_state.items.size);
        while (sw_past_item_take(&reader, &item))
            ;
    }
    return reader.failed ? sw_err_set(err, SW_E_CORRUPT, "rows of frame %s are malformed",
                                      sw_frame_kind_name(frame->kind))
                         : SW_OK;
}

static enum sw_rc tell(struct past *past, const struct sw_frame *frame, struct sw_err *err)
{
    enum sw_rc rc = take_rows(frame, err);

    if (rc != SW_OK || past->is_dropped)
        return rc;
    if (frame->kind == SW_FRAME_PAST_STATE) {
        past->look.on_state(past->look.ctx, &frame->past_state);
        return SW_OK;
    }
    past->told_bytes += frame->past_turn.body.size + frame->past_turn.effects.size;
    if (past->told_bytes > SW_PAST_ANSWER_MAX)
        return sw_err_set(err, SW_E_EXHAUSTED,
                          "these turns are more than %u MiB: ask for fewer, or less of each body",
                          (unsigned)(SW_PAST_ANSWER_MAX >> 20));
    past->look.on_turn(past->look.ctx, &frame->past_turn);
    return SW_OK;
}

/* It is one thing in pieces, and asked for. */
static enum sw_rc tell_fork(struct past *past, const struct sw_frame_past_fork *piece,
                            struct sw_err *err)
{
    if (past->fork_bytes == 0)
        past->fork_total = piece->total;
    if (past->look.wanted.act != SW_PAST_FORK || piece->offset != past->fork_bytes ||
        piece->total != past->fork_total || piece->total > SW_FRAME_FORK_BYTES_MAX ||
        piece->bytes.size == 0 || piece->bytes.size > piece->total - piece->offset)
        return sw_err_set(err, SW_E_CORRUPT, "a piece of a fork out of place");
    past->fork_bytes += piece->bytes.size;
    if (!past->is_dropped)
        past->look.on_fork(past->look.ctx, piece);
    return SW_OK;
}

static enum sw_rc on_frame(void *ctx, const struct sw_frame *frame, struct sw_err *err)
{
    struct past *past = ctx;
    const struct sw_frame_past_end *end = &frame->past_end;

    if (past->is_through)
        return sw_err_set(err, SW_E_CORRUPT, "the agent host goes on after its end");
    switch ((unsigned)frame->kind) {
    case SW_FRAME_PAST_TURN:
    case SW_FRAME_PAST_STATE:
        return tell(past, frame, err);
    case SW_FRAME_PAST_FORK:
        return tell_fork(past, &frame->past_fork, err);
    case SW_FRAME_PAST_END:
        past->is_through = true;
        past->end = *end;
        (void)snprintf(past->words, sizeof past->words, "%.*s", (int)end->words.size,
                       end->words.size > 0 ? (const char *)end->words.data : "");
        return SW_OK;
    default:
        return sw_err_set(err, SW_E_CORRUPT, "frame %s in a past", sw_frame_kind_name(frame->kind));
    }
}

static void on_end(void *ctx, const struct sw_err *failure)
{
    struct past *past = ctx;
    struct sw_err err = *failure;

    past->aside = NULL;
    if (err.rc == SW_OK && !past->is_through)
        (void)sw_err_set(&err, SW_E_UNAVAILABLE, "the agent host ended without an answer");
    else if (err.rc == SW_OK && past->end.code != 0)
        (void)sw_err_set(&err, (enum sw_rc)(-(int)past->end.code), "%s", past->words);
    else if (err.rc == SW_OK && past->look.wanted.act == SW_PAST_FORK &&
             (past->fork_bytes == 0 || past->fork_bytes != past->fork_total))
        (void)sw_err_set(&err, SW_E_UNAVAILABLE, "the agent host did not tell all of the fork");
    if (!past->is_dropped)
        past->look.on_end(past->look.ctx, err.rc, &past->end, &err);
    past_free(past);
}

static enum sw_rc start(struct past *past, struct sw_err *err)
{
    const struct sw_past_look *look = &past->look;
    const struct sw_aside_options options = {.loop = look->loop,
                                             .host_path = look->host_path,
                                             .folder = past->folder,
                                             .task = "--past",
                                             .name_space = past->name_space,
                                             .timeout_ms = look->timeout_ms,
                                             .machine_code = look->machine_code,
                                             .ctx = past,
                                             .on_frame = on_frame,
                                             .on_end = on_end};
    struct sw_frame frame;
    size_t size;
    enum sw_rc rc = sw_frame_take((struct sw_bytes){past->frame.data, past->frame.size},
                                  SW_FRAME_TO_HOST, &frame, &size, err);

    past->is_through = false;
    if (rc == SW_OK)
        rc = sw_aside_start(&options, &past->aside, err);
    if (rc == SW_OK)
        sw_aside_send(past->aside, &frame);
    return rc;
}

enum sw_rc sw_past_look(struct sw_pasts *pasts, const struct sw_past_look *look, struct sw_err *err)
{
    struct sw_frame frame = {.kind = SW_FRAME_PAST, .past = look->wanted};
    struct past *past;
    enum sw_rc rc;

    if (pasts->count >= SW_PASTS_MAX)
        return sw_err_set(err, SW_E_EXHAUSTED,
                          "the pasts of %u instances are being looked at: try again when one is "
                          "through",
                          SW_PASTS_MAX);
    past = calloc(1, sizeof *past);
    if (past == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a past");
    past->look = *look;
    (void)snprintf(past->name_space, sizeof past->name_space, "%s", look->name_space);
    (void)snprintf(past->folder, sizeof past->folder, "%s", look->folder);
    sw_buffer_init(&past->frame, SW_FRAME_BYTES_MAX + 64);
    frame.past.request = 1;
    sw_frame_put(&frame, &past->frame);
    rc = sw_buffer_check(&past->frame) == SW_OK ? SW_OK : SW_E_EXHAUSTED;
    if (rc == SW_OK)
        rc = start(past, err);
    else
        (void)sw_err_set(err, rc, "no memory for a past");
    if (rc != SW_OK) {
        past_free(past);
        return rc;
    }
    past->pasts = pasts;
    sw_list_add(&pasts->all, &past->node);
    pasts->count++;
    return SW_OK;
}
