#include "cmd/swarmd/agents.h"

#include "pkg/agent/store/effect.h"
#include "pkg/agent/store/record_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 300000u
#define TRY_DEADLINE_MS 60000u

struct looking { /* For the end of a look at a past. */
    struct sw_gateway_history_handler handler;
    struct sw_hosts *hosts;
    bool is_fork;
    char name_space[64], agent[64], as[256], digest[80]; /* Of the fork. */
    struct sw_buffer record;                             /* What it begins with. */
    struct sw_gateway_history_end end;                   /* While it is made. */
    struct sw_buffer texts, rows, places;                /* Of what is being told. */
};

static struct sw_bytes bytes_of(const char *text)
{
    return (struct sw_bytes){text, strlen(text)};
}

/* A text of a frame with its NUL, which lies in looking->texts from there on. */
static size_t keep(struct looking *looking, struct sw_bytes text)
{
    size_t at = looking->texts.size;

    sw_buffer_put(&looking->texts, text.data, text.size);
    sw_buffer_put_u8(&looking->texts, 0);
    return at;
}

static const char *kept(const struct looking *looking, size_t at)
{
    return looking->texts.failed ? "" : (const char *)looking->texts.data + at;
}

/* The same for a text of a row, which is said again when all of them are kept. */
static void keep_of_row(struct looking *looking, struct sw_bytes text)
{
    size_t at = keep(looking, text);

    sw_buffer_put(&looking->places, &at, sizeof at);
}

static const char *kept_of_row(const struct looking *looking, size_t index)
{
    return kept(looking, ((const size_t *)(const void *)looking->places.data)[index]);
}

static bool has_failed(const struct looking *looking)
{
    return looking->rows.failed || looking->texts.failed || looking->places.failed;
}

/* --- Turns ----------------------------------------------------------------------------------- */

static size_t take_effects(struct looking *looking, struct sw_bytes bytes)
{
    struct sw_reader reader = sw_reader_of(bytes.data, bytes.size);
    struct sw_past_effect effect;
    size_t count = 0;

    sw_buffer_reset(&looking->rows);
    sw_buffer_reset(&looking->places);
    while (sw_past_effect_take(&reader, &effect)) {
        const struct sw_gateway_effect row = {
            .kind = sw_effect_kind_name((enum sw_effect_kind)effect.kind),
            .number = effect.number,
            .due_ns = effect.due_ns,
            .status = effect.status,
            .body = effect.body,
            .size_bytes = effect.body_bytes};

        keep_of_row(looking, effect.to);
        keep_of_row(looking, effect.type);
        sw_buffer_put(&looking->rows, &row, sizeof row);
        count++;
    }
    if (has_failed(looking))
        return 0;
    for (size_t i = 0; i < count; i++) {
        struct sw_gateway_effect *row = (struct sw_gateway_effect *)(void *)looking->rows.data + i;

        row->to = kept_of_row(looking, 2 * i);
        row->content_type = kept_of_row(looking, 2 * i + 1);
    }
    return count;
}

static void on_turn(void *ctx, const struct sw_frame_past_turn *turn)
{
    static const char *const verdicts[] = {[SW_PAST_RECORDED] = "",
                                           [SW_PAST_SAME] = "same",
                                           [SW_PAST_DIFFERS] = "differs",
                                           [SW_PAST_SKIPPED] = "skipped",
                                           [SW_PAST_TRIED] = "tried"};
    struct looking *looking = ctx;
    struct sw_gateway_turn told = {.number = turn->number,
                                   .lsn = turn->lsn,
                                   .utc_ns = turn->time_ns,
                                   .cause = sw_entry_name((enum sw_entry)turn->entry),
                                   .outcome = sw_outcome_name((enum sw_outcome)turn->outcome),
                                   .verdict = verdicts[turn->verdict],
                                   .has_message = turn->has_message,
                                   .is_reply = turn->is_reply,
                                   .has_body = turn->is_body_kept,
                                   .code = turn->code,
                                   .attempt = turn->attempt,
                                   .status = turn->status,
                                   .timer = turn->timer,
                                   .source_lsn = turn->source_lsn,
                                   .body = turn->body,
                                   .size_bytes = turn->body_bytes,
                                   .cpu_us = turn->cpu_us,
                                   .fuel = turn->fuel,
                                   .digest = turn->digest,
                                   .effects_all = turn->effects_count};
    size_t from, subject, type, request_id, words, module;

    sw_buffer_reset(&looking->texts);
    from = keep(looking, turn->from);
    subject = keep(looking, turn->subject);
    type = keep(looking, turn->type);
    request_id = keep(looking, turn->request_id);
    words = keep(looking, turn->words);
    module = keep(looking, turn->module);
    told.effects_count = take_effects(looking, turn->effects);
    told.effects = (const struct sw_gateway_effect *)(void *)looking->rows.data;
    told.from = kept(looking, from);
    told.subject = kept(looking, subject);
    told.content_type = kept(looking, type);
    told.request_id = kept(looking, request_id);
    told.message = kept(looking, words);
    told.module = kept(looking, module);
    looking->handler.on_turn(looking->handler.ctx, &told);
}

/* --- States ---------------------------------------------------------------------------------- */

static size_t take_items(struct looking *looking, struct sw_bytes bytes)
{
    static const char *const kinds[] = {[SW_PAST_HANDLE] = "question",
                                        [SW_PAST_TIMER] = "timer",
                                        [SW_PAST_PATTERN] = "subscription"};
    struct sw_reader reader = sw_reader_of(bytes.data, bytes.size);
    struct sw_past_item item;
    size_t count = 0;

    sw_buffer_reset(&looking->rows);
    sw_buffer_reset(&looking->places);
    while (sw_past_item_take(&reader, &item)) {
        const struct sw_gateway_item row = {
            .kind = kinds[item.kind], .number = item.number, .due_ns = item.due_ns};

        keep_of_row(looking, item.text);
        sw_buffer_put(&looking->rows, &row, sizeof row);
        count++;
    }
    if (has_failed(looking))
        return 0;
    for (size_t i = 0; i < count; i++)
        ((struct sw_gateway_item *)(void *)looking->rows.data)[i].text = kept_of_row(looking, i);
    return count;
}

static const char *wait_of(uint32_t wait)
{
    static const char *const waits[] = {"", "an answer", "a message", "a time",
                                        "the result of a service"};

    return wait < sizeof waits / sizeof waits[0] ? waits[wait] : "something";
}

static void on_state(void *ctx, const struct sw_frame_past_state *state)
{
    struct looking *looking = ctx;
    struct sw_gateway_past_state told = {.number = state->number,
                                         .utc_ns = state->time_ns,
                                         .failures = state->failures,
                                         .memory_bytes = state->memory_bytes,
                                         .digest = state->digest,
                                         .wait = wait_of(state->wait),
                                         .wait_due_ns = state->wait_due_ns,
                                         .handles = state->handles,
                                         .timers = state->timers,
                                         .subscriptions = state->patterns,
                                         .is_held = state->is_held,
                                         .held = state->held,
                                         .held_bytes = state->held_bytes};
    size_t module, engine;

    sw_buffer_reset(&looking->texts);
    module = keep(looking, state->module);
    engine = keep(looking, state->engine);
    told.items_count = take_items(looking, state->items);
    told.items = (const struct sw_gateway_item *)(void *)looking->rows.data;
    told.module = kept(looking, module);
    told.engine = kept(looking, engine);
    looking->handler.on_state(looking->handler.ctx, &told);
}

/* --- All of it ------------------------------------------------------------------------------- */

static void looking_free(struct looking *looking)
{
    sw_buffer_done(&looking->texts);
    sw_buffer_done(&looking->rows);
    sw_buffer_done(&looking->places);
    sw_buffer_done(&looking->record);
    free(looking);
}

/* --- Forks ----------------------------------------------------------------------------------- */

static void on_fork(void *ctx, const struct sw_frame_past_fork *piece)
{
    struct looking *looking = ctx;

    (void)snprintf(looking->digest, sizeof looking->digest, "%.*s", (int)piece->digest.size,
                   (const char *)piece->digest.data);
    sw_buffer_put(&looking->record, piece->bytes.data, piece->bytes.size);
}

static void fork_end(struct looking *looking, enum sw_rc rc, const struct sw_err *err)
{
    looking->handler.on_end(looking->handler.ctx, rc, &looking->end, rc == SW_OK ? NULL : err);
    looking_free(looking);
}

static void on_forked(void *ctx, const struct sw_agent_result *result)
{
    struct looking *looking = ctx;
    struct sw_err err = {0};

    agents_error(result, &err);
    if (result->rc != SW_OK)
        (void)sw_err_context(&err, "%s/%s", looking->agent, looking->as);
    if (result->rc == SW_E_EXISTS)
        sw_err_hint(&err,
                    "if the answer to an earlier try was lost, \"swarm agent history %s/%s\" "
                    "shows whether that is it; otherwise choose another key",
                    looking->agent, looking->as);
    fork_end(looking, result->rc, &err);
}

/* What the fork begins with is here: have it begin. */
static void fork_begin(struct looking *looking)
{
    const struct sw_agent_fork fork = {.name_space = looking->name_space,
                                       .agent = looking->agent,
                                       .key = bytes_of(looking->as),
                                       .digest = bytes_of(looking->digest),
                                       .record = {looking->record.data, looking->record.size}};
    struct sw_err err = {0};
    enum sw_rc rc = looking->record.failed
                        ? sw_err_set(&err, SW_E_EXHAUSTED, "no memory for a fork")
                        : sw_hosts_fork(looking->hosts, &fork, on_forked, looking, &err);

    if (rc != SW_OK)
        fork_end(looking, rc, &err);
}

static void on_end(void *ctx, enum sw_rc rc, const struct sw_frame_past_end *end,
                   const struct sw_err *err)
{
    struct looking *looking = ctx;
    struct sw_gateway_history_end told = {.first = end->first,
                                          .last = end->last,
                                          .replayable = end->replayable,
                                          .is_over = end->is_over};
    struct sw_err words = *err;

    looking->end = told;
    if (rc == SW_OK && looking->is_fork) {
        fork_begin(looking);
        return;
    }
    if (rc == SW_E_NOT_FOUND)
        sw_err_hint(&words, "what has durability none, or has not begun yet, has no history");
    looking->handler.on_end(looking->handler.ctx, rc, &told, rc == SW_OK ? NULL : &words);
    looking_free(looking);
}

static enum sw_rc agents_history(void *ctx, const struct sw_gateway_history *query,
                                 const struct sw_gateway_history_handler *handler,
                                 struct sw_err *err)
{
    static const enum sw_past_act acts[] = {[SW_GATEWAY_HISTORY_TURNS] = SW_PAST_LIST,
                                            [SW_GATEWAY_HISTORY_STATE] = SW_PAST_INSPECT,
                                            [SW_GATEWAY_HISTORY_REPLAY] = SW_PAST_REPLAY,
                                            [SW_GATEWAY_HISTORY_TRY] = SW_PAST_TRY,
                                            [SW_GATEWAY_HISTORY_FORK] = SW_PAST_FORK,
                                            [SW_GATEWAY_HISTORY_TRANSCRIPT] = SW_PAST_TRANSCRIPT};
    struct agents_adapter *adapter = ctx;
    struct looking *looking = calloc(1, sizeof *looking);
    struct sw_past_look look = {.timeout_ms = TIMEOUT_MS,
                                .name_space = query->namespace_,
                                .ctx = looking,
                                .on_turn = on_turn,
                                .on_state = on_state,
                                .on_fork = on_fork,
                                .on_end = on_end};
    enum sw_rc rc;

    if (looking == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to look at a past");
    looking->handler = *handler;
    sw_buffer_init(&looking->texts, SIZE_MAX / 2);
    sw_buffer_init(&looking->rows, SIZE_MAX / 2);
    sw_buffer_init(&looking->places, SIZE_MAX / 2);
    sw_buffer_init(&looking->record, SW_FRAME_FORK_BYTES_MAX);
    looking->hosts = adapter->hosts;
    looking->is_fork = query->view == SW_GATEWAY_HISTORY_FORK;
    (void)snprintf(looking->name_space, sizeof looking->name_space, "%s", query->namespace_);
    (void)snprintf(looking->agent, sizeof looking->agent, "%s", query->agent);
    (void)snprintf(looking->as, sizeof looking->as, "%s", query->as == NULL ? "" : query->as);
    look.wanted = (struct sw_frame_past){.act = acts[query->view],
                                         .key = bytes_of(query->key),
                                         .from = query->from,
                                         .to = query->to,
                                         .limit = query->limit,
                                         .is_newest = query->is_newest,
                                         .body_bytes = query->body_bytes,
                                         .module = bytes_of(query->module),
                                         .has_input = query->has_input,
                                         .input = query->input,
                                         .type = bytes_of(query->content_type),
                                         .deadline_ms = TRY_DEADLINE_MS,
                                         .as = bytes_of(looking->as)};
    rc = sw_hosts_past(adapter->hosts, query->agent, &look, err);
    if (rc != SW_OK)
        looking_free(looking);
    return rc;
}

static bool is_of(const void *look_ctx, const void *handler_ctx)
{
    const struct looking *looking = look_ctx;

    return looking->handler.ctx == handler_ctx;
}

static void agents_history_stop(void *ctx, const void *handler_ctx)
{
    const struct agents_adapter *adapter = ctx;

    sw_hosts_past_stop(adapter->hosts, is_of, handler_ctx);
}

struct changing { /* For the end of what becomes of a fork. */
    sw_gateway_held_done *done;
    void *ctx;
};

static void on_changed(void *ctx, const struct sw_agent_result *result)
{
    struct changing *changing = ctx;
    struct sw_err err = {0};

    agents_error(result, &err);
    changing->done(changing->ctx, result->rc, result->rc == SW_OK ? NULL : &err);
    free(changing);
}

static enum sw_rc agents_held(void *ctx, const struct sw_gateway_held *held,
                              sw_gateway_held_done *done, void *done_ctx, struct sw_err *err)
{
    struct agents_adapter *adapter = ctx;
    struct changing *changing = calloc(1, sizeof *changing);
    const struct sw_agent_fork_change change = {.name_space = held->namespace_,
                                                .agent = held->agent,
                                                .key = bytes_of(held->key),
                                                .is_drop = held->is_drop};
    enum sw_rc rc;

    if (changing == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a fork");
    *changing = (struct changing){.done = done, .ctx = done_ctx};
    rc = sw_hosts_fork_change(adapter->hosts, &change, on_changed, changing, err);
    if (rc != SW_OK)
        free(changing);
    return rc;
}

void agents_adapter_history(struct sw_gateway_agents *vtable)
{
    vtable->history = agents_history;
    vtable->history_stop = agents_history_stop;
    vtable->held = agents_held;
}
