#include "web/api/history.h"

#include "web/api/state.h"

#include "pkg/utils/base/text.h"

#include <stdlib.h>
#include <string.h>

#define TURNS_STANDARD 100u
#define TURNS_MAX 1000u
#define BODY_STANDARD 0u
#define BODY_MAX (512u << 10)
#define KEY_MAX 253u
#define TYPE_MAX 255u
#define ENTRY_ARENA_BYTES_MAX ((size_t)8 << 20)
#define ANSWER_BYTES_MAX ((size_t)64 << 20)

struct history { /* An answer on its way. */
    struct gateway_call *call;
    const char *as; /* Of a fork, the instance that is there now; otherwise NULL. */
    struct sw_buffer turns, state;
    size_t count;
    bool is_transcript;
    uint64_t through; /* Of a transcript: the last turn that was looked at. */
};

/* ---- JSON ---- */

static void put_number(struct sw_buffer *out, const char *name, uint64_t number)
{
    sw_buffer_print(out, ",\"%s\":\"%llu\"", name, (unsigned long long)number);
}

static void put_text(struct sw_buffer *out, const char *name, const char *text)
{
    if (text[0] == '\0')
        return;
    sw_buffer_print(out, ",\"%s\":", name);
    sw_json_put_text(out, text);
}

static void put_time(struct sw_buffer *out, const char *name, uint64_t utc_ns)
{
    char time[SW_TIME_TEXT_SIZE];

    if (utc_ns == 0 || utc_ns == UINT64_MAX)
        return;
    sw_time_print(utc_ns, time);
    sw_buffer_print(out, ",\"%s\":\"%s\"", name, time);
}

static void put_body(struct sw_buffer *out, struct sw_bytes body, uint64_t size_bytes)
{
    put_number(out, "sizeBytes", size_bytes);
    if (body.size == 0)
        return;
    sw_buffer_put_text(out, ",\"body\":\"");
    sw_base64_encode(body.data, body.size, out);
    sw_buffer_put_u8(out, '"');
}

static void put_effect(struct sw_buffer *out, const struct sw_gateway_effect *effect)
{
    sw_buffer_print(out, "{\"kind\":\"%s\"", effect->kind);
    put_text(out, "to", effect->to);
    put_text(out, "contentType", effect->content_type);
    if (effect->number != 0)
        put_number(out, "number", effect->number);
    if (effect->status != 0)
        sw_buffer_print(out, ",\"status\":%u", (unsigned)effect->status);
    put_time(out, "due", effect->due_ns);
    put_body(out, effect->body, effect->size_bytes);
    sw_buffer_put_u8(out, '}');
}

static void put_message(struct sw_buffer *out, const struct sw_gateway_turn *turn)
{
    put_text(out, "from", turn->from);
    put_text(out, "subject", turn->subject);
    put_text(out, "contentType", turn->content_type);
    put_text(out, "requestId", turn->request_id);
    if (turn->is_reply)
        sw_buffer_print(out, ",\"reply\":true,\"status\":%u", (unsigned)turn->status);
    if (turn->has_body)
        put_body(out, turn->body, turn->size_bytes);
    else
        sw_buffer_put_text(out, ",\"bodyGone\":true");
}

static void put_turn(struct sw_buffer *out, const struct sw_gateway_turn *turn)
{
    sw_buffer_print(out, "{\"turn\":\"%llu\",\"lsn\":\"%llu\"", (unsigned long long)turn->number,
                    (unsigned long long)turn->lsn);
    put_time(out, "time", turn->utc_ns);
    put_text(out, "cause", turn->cause);
    put_text(out, "outcome", turn->outcome);
    put_text(out, "verdict", turn->verdict);
    put_text(out, "message", turn->message);
    if (turn->code != 0)
        sw_buffer_print(out, ",\"code\":%u", (unsigned)turn->code);
    if (turn->attempt != 0)
        sw_buffer_print(out, ",\"attempt\":%u", (unsigned)turn->attempt);
    if (turn->timer != 0)
        put_number(out, "timer", turn->timer);
    if (turn->has_message)
        put_message(out, turn);
    if (turn->source_lsn != 0)
        put_number(out, "sourceLsn", turn->source_lsn);
    put_text(out, "module", turn->module);
    put_number(out, "cpuMicroseconds", turn->cpu_us);
    if (turn->fuel != 0)
        put_number(out, "fuel", turn->fuel);
    sw_buffer_print(out, ",\"digest\":\"%016llx\",\"effectsCount\":\"%llu\",\"effects\":[",
                    (unsigned long long)turn->digest, (unsigned long long)turn->effects_all);
    for (size_t i = 0; i < turn->effects_count; i++) {
        if (i > 0)
            sw_buffer_put_u8(out, ',');
        put_effect(out, &turn->effects[i]);
    }
    sw_buffer_put_text(out, "]}");
}

static void put_state(struct sw_buffer *out, const struct sw_gateway_past_state *state)
{
    sw_buffer_print(out, "{\"turn\":\"%llu\",\"digest\":\"%016llx\"",
                    (unsigned long long)state->number, (unsigned long long)state->digest);
    put_time(out, "time", state->utc_ns);
    put_text(out, "module", state->module);
    put_text(out, "engine", state->engine);
    put_number(out, "failures", state->failures);
    put_number(out, "memoryBytes", state->memory_bytes);
    put_text(out, "waitsFor", state->wait);
    put_time(out, "waitDue", state->wait_due_ns);
    put_number(out, "openQuestions", state->handles);
    put_number(out, "timers", state->timers);
    put_number(out, "subscriptions", state->subscriptions);
    if (state->is_held) {
        put_number(out, "heldEffects", state->held);
        put_number(out, "heldBytes", state->held_bytes);
    }
    sw_buffer_put_text(out, ",\"items\":[");
    for (size_t i = 0; i < state->items_count; i++) {
        const struct sw_gateway_item *item = &state->items[i];

        sw_buffer_print(out, "%s{\"kind\":\"%s\"", i > 0 ? "," : "", item->kind);
        put_text(out, "text", item->text);
        if (item->number != 0)
            put_number(out, "number", item->number);
        put_time(out, "due", item->due_ns);
        sw_buffer_put_u8(out, '}');
    }
    sw_buffer_put_text(out, "]}");
}

/* ---- The answer ---- */

/* An agent host wrote it: only what is JSON goes on. */
static bool is_json(struct sw_bytes bytes)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(ENTRY_ARENA_BYTES_MAX);
    struct sw_problems problems = sw_problems_of(arena);
    const struct sw_bind_options options = {.arena = arena, .problems = &problems, .file = ""};
    const struct sw_tree *tree;

    return arena != NULL && sw_json_parse(bytes, &options, &tree) == SW_OK;
}

static void on_entry(struct history *history, const struct sw_gateway_turn *turn)
{
    if (turn->body.size == 0) {
        history->through = turn->number;
        return;
    }
    if (!is_json(turn->body))
        return;
    if (history->count++ > 0)
        sw_buffer_put_u8(&history->turns, ',');
    sw_buffer_put(&history->turns, turn->body.data, turn->body.size);
}

static void on_turn(void *ctx, const struct sw_gateway_turn *turn)
{
    struct history *history = ctx;

    if (history->is_transcript) {
        on_entry(history, turn);
        return;
    }
    if (history->count++ > 0)
        sw_buffer_put_u8(&history->turns, ',');
    put_turn(&history->turns, turn);
}

static void on_state(void *ctx, const struct sw_gateway_past_state *state)
{
    struct history *history = ctx;

    sw_buffer_reset(&history->state);
    put_state(&history->state, state);
}

static void history_free(struct history *history)
{
    sw_buffer_done(&history->turns);
    sw_buffer_done(&history->state);
    free(history);
}

static void answer(struct history *history, const struct sw_gateway_history_end *end)
{
    struct sw_err err = {0};
    struct sw_buffer body;

    sw_buffer_init(&body, ANSWER_BYTES_MAX);
    sw_buffer_print(&body,
                    "{\"first\":\"%llu\",\"last\":\"%llu\",\"replayable\":\"%llu\",\"ended\":%s",
                    (unsigned long long)end->first, (unsigned long long)end->last,
                    (unsigned long long)end->replayable, end->is_over ? "true" : "false");
    if (history->as != NULL)
        put_text(&body, "instance",
                 sw_arena_print(history->call->request->arena, "%s/%s", history->call->route.name,
                                history->as));
    if (history->state.size > 0) {
        sw_buffer_put_text(&body, ",\"state\":");
        sw_buffer_put(&body, history->state.data, history->state.size);
    }
    if (history->is_transcript)
        put_number(&body, "through", history->through);
    sw_buffer_put_text(&body, history->is_transcript ? ",\"entries\":[" : ",\"turns\":[");
    sw_buffer_put(&body, history->turns.data, history->turns.size);
    sw_buffer_put_text(&body, "]}");
    if (body.failed || history->turns.failed || history->state.failed) {
        (void)sw_err_set(&err, SW_E_EXHAUSTED, "the answer is too large: ask for fewer turns");
        sw_gateway_fail(history->call, SW_E_EXHAUSTED, &err);
    } else {
        sw_gateway_answer_bytes(history->call, 200, "application/json",
                                (struct sw_bytes){.data = body.data, .size = body.size});
    }
    sw_buffer_done(&body);
}

static void on_end(void *ctx, enum sw_rc rc, const struct sw_gateway_history_end *end,
                   const struct sw_err *err)
{
    struct history *history = ctx;

    if (rc == SW_OK)
        answer(history, end);
    else
        sw_gateway_fail(history->call, rc, err);
    history_free(history);
}

/* ---- The question ---- */

static enum sw_rc invalid(const char *field, const char *words, struct sw_err *err)
{
    (void)sw_err_set(err, SW_E_INVALID, "%s", words);
    sw_err_field(err, "%s", field);
    return SW_E_INVALID;
}

static enum sw_rc read_view(const struct gateway_call *call, struct sw_gateway_history *query,
                            struct sw_err *err)
{
    static const char *const views[] = {[SW_GATEWAY_HISTORY_TURNS] = "turns",
                                        [SW_GATEWAY_HISTORY_STATE] = "state",
                                        [SW_GATEWAY_HISTORY_REPLAY] = "replay",
                                        [SW_GATEWAY_HISTORY_TRANSCRIPT] = "transcript"};
    const char *view = sw_gateway_query_text(call, "view");

    query->view = SW_GATEWAY_HISTORY_TURNS;
    if (view == NULL)
        return SW_OK;
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++) {
        if (views[i] == NULL || strcmp(view, views[i]) != 0)
            continue;
        query->view = (enum sw_gateway_history_view)i;
        return SW_OK;
    }
    return invalid("view", "expected turns, state, replay or transcript", err);
}

static enum sw_rc read_module(const struct gateway_call *call, struct sw_gateway_history *query,
                              struct sw_err *err)
{
    const char *module = sw_gateway_query_text(call, "module");
    enum sw_rc rc = module == NULL ? SW_OK : sw_format_check(SW_API_FORMAT_DIGEST, module, err);

    if (rc != SW_OK)
        sw_err_field(err, "module");
    query->module = module == NULL ? "" : module;
    return rc;
}

static enum sw_rc read_common(const struct gateway_call *call, struct sw_gateway_history *query,
                              struct sw_err *err)
{
    const char *key = sw_gateway_query_text(call, "key");
    uint64_t body = 0;
    enum sw_rc rc = sw_gateway_query_number(call, "body", BODY_STANDARD, BODY_MAX, &body, err);

    query->namespace_ = call->route.namespace_;
    query->agent = call->route.name;
    query->body_bytes = (uint32_t)body;
    query->key = key;
    query->content_type = "";
    if (rc == SW_OK && (key == NULL || key[0] == '\0' || strlen(key) > KEY_MAX))
        rc = invalid("key", "expected the key of an instance, 1 to 253 bytes", err);
    return rc == SW_OK ? read_module(call, query, err) : rc;
}

static enum sw_rc read_get(const struct gateway_call *call, struct sw_gateway_history *query,
                           struct sw_err *err)
{
    uint64_t limit = 0;
    enum sw_rc rc = read_common(call, query, err);

    if (rc == SW_OK)
        rc = read_view(call, query, err);
    if (rc == SW_OK)
        rc = sw_gateway_query_number(call, "from", 0, UINT64_MAX, &query->from, err);
    if (rc == SW_OK)
        rc = sw_gateway_query_number(call, "to", 0, UINT64_MAX, &query->to, err);
    if (rc == SW_OK)
        rc = sw_gateway_query_number(call, "limit", 0, TURNS_MAX, &limit, err);
    if (rc == SW_OK)
        rc = sw_gateway_query_bool(call, "newest", &query->is_newest, err);
    if (rc == SW_OK && query->module[0] != '\0' && query->view != SW_GATEWAY_HISTORY_REPLAY)
        rc = invalid("module", "another module is for view=replay, and for what is tried", err);
    query->limit = limit == 0 ? TURNS_STANDARD : (uint32_t)limit;
    return rc;
}

/* The body that is tried, or that the fork gets. */
static enum sw_rc read_input(const struct gateway_call *call, struct sw_gateway_history *query,
                             struct sw_err *err)
{
    struct sw_bytes type = sw_http_header_find(call->request, "content-type");
    enum sw_rc rc = sw_gateway_query_bool(call, "input", &query->has_input, err);

    query->input = call->request->body;
    if (rc == SW_OK && query->has_input && query->input.size > SW_GATEWAY_MESSAGE_BYTES_MAX)
        rc = sw_err_set(err, SW_E_EXHAUSTED, "a message has at most %zu bytes",
                        SW_GATEWAY_MESSAGE_BYTES_MAX);
    if (rc == SW_OK && query->has_input && type.size > 0 && type.size <= TYPE_MAX &&
        sw_text_is_utf8(type.data, type.size))
        query->content_type =
            sw_arena_print(call->request->arena, "%.*s", (int)type.size, (const char *)type.data);
    return rc == SW_OK && query->content_type == NULL
               ? sw_err_set(err, SW_E_EXHAUSTED, "no memory for this request")
               : rc;
}

static enum sw_rc read_post(const struct gateway_call *call, struct sw_gateway_history *query,
                            struct sw_err *err)
{
    bool is_fork = call->route.target == TARGET_HELD;
    const char *as = is_fork ? sw_gateway_query_text(call, "as") : NULL;
    enum sw_rc rc = read_common(call, query, err);

    query->view = is_fork ? SW_GATEWAY_HISTORY_FORK : SW_GATEWAY_HISTORY_TRY;
    query->as = as == NULL ? "" : as;
    if (rc == SW_OK && is_fork && (as == NULL || as[0] == '\0' || strlen(as) > KEY_MAX))
        rc = invalid("as", "expected the key of an instance that is to be, 1 to 253 bytes", err);
    if (rc == SW_OK)
        rc = sw_gateway_query_number(call, "turn", 0, UINT64_MAX, &query->to, err);
    if (rc == SW_OK && query->to < 2)
        rc = invalid("turn", "expected the number of a turn, from 2 on", err);
    return rc == SW_OK ? read_input(call, query, err) : rc;
}

/* Whoever gives up makes room for others: only a few pasts are looked at at a time. */
static void on_cancel(void *ctx, struct sw_http_request *request)
{
    struct history *history = ctx;
    struct sw_gateway_agents *agents = &history->call->gateway->options.agents;

    (void)request;
    agents->history_stop(agents->ctx, history);
}

static enum sw_rc begin(struct gateway_call *call, const struct sw_gateway_history *query,
                        struct sw_err *err)
{
    struct sw_gateway_agents *agents = &call->gateway->options.agents;
    struct history *history = calloc(1, sizeof *history);
    struct sw_gateway_history_handler handler = {
        .ctx = history, .on_turn = on_turn, .on_state = on_state, .on_end = on_end};
    enum sw_rc rc;

    if (history == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for this request");
    history->call = call;
    history->is_transcript = query->view == SW_GATEWAY_HISTORY_TRANSCRIPT;
    history->as = query->view == SW_GATEWAY_HISTORY_FORK ? query->as : NULL;
    sw_buffer_init(&history->turns, ANSWER_BYTES_MAX);
    sw_buffer_init(&history->state, ANSWER_BYTES_MAX);
    sw_http_on_cancel(call->request, on_cancel, history);
    rc = agents->history(agents->ctx, query, &handler, err);
    if (rc != SW_OK) {
        sw_http_on_cancel(call->request, NULL, NULL);
        history_free(history);
    }
    return rc;
}

void sw_gateway_serve_history(struct gateway_call *call)
{
    struct sw_gateway_history query = {.namespace_ = ""};
    struct sw_err err = {0};
    enum sw_rc rc =
        call->verb == SW_VERB_GET ? read_get(call, &query, &err) : read_post(call, &query, &err);

    if (rc == SW_OK && call->gateway->options.agents.history == NULL)
        rc = sw_err_set(&err, SW_E_UNSUPPORTED, "this daemon runs no agents");
    if (rc == SW_OK)
        rc = sw_gateway_check_agent(call, &err);
    if (rc == SW_OK)
        rc = begin(call, &query, &err);
    if (rc != SW_OK)
        sw_gateway_fail(call, rc, &err);
}
