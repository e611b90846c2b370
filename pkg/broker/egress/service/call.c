#include "pkg/broker/egress/service/state.h"

#include "pkg/utils/base/text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CONNECT_MS_MAX 10000u
#define ANSWER_HEADERS_BYTES_MAX ((size_t)64 << 10)
#define ARENA_BYTES_MAX ((size_t)32 << 20)

/* --- The end --------------------------------------------------------------------------------- */

/* Words may be cut in the middle of a character, or quote what is none. */
static void mend(char *words)
{
    size_t size = strlen(words), last = size;

    while (last > 0 && ((unsigned char)words[last - 1] & 0xc0) == 0x80)
        last--;
    if (last > 0 && !sw_text_is_utf8(words + last - 1, size - last + 1))
        words[last - 1] = '\0';
    if (sw_text_is_utf8(words, strlen(words)))
        return;
    for (; *words != '\0'; words++)
        if ((unsigned char)*words > '~')
            *words = '?';
}

void sw_fetch_say(struct http_call *call, const char *format, ...)
{
    char words[sizeof call->words]; /* They may be among the arguments. */
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    mend(words);
    memcpy(call->words, words, sizeof words);
}

void sw_fetch_free(struct http_call *call)
{
    sw_list_remove(&call->node);
    if (call->calls != NULL && call->key != NULL &&
        sw_map_find(call->calls->once, call->key, strlen(call->key)) == call)
        (void)sw_map_remove(call->calls->once, call->key, strlen(call->key));
    for (size_t i = 0; i < call->secrets_count; i++)
        if (call->secrets[i].size > 0)
            explicit_bzero((void *)(uintptr_t)call->secrets[i].data, call->secrets[i].size);
    sw_buffer_done(&call->headers);
    sw_buffer_done(&call->got);
    sw_buffer_done(&call->answer);
    sw_arena_free(call->arena);
    free(call);
}

void sw_fetch_end(struct http_call *call)
{
    static const char type[] = "application/json";
    sw_service_done *done = call->done;
    struct sw_service_answer answer = {.rc = call->rc, .body = {call->words, strlen(call->words)}};

    if (call->rc == SW_OK) {
        answer.type = (struct sw_bytes){type, sizeof type - 1};
        answer.body = (struct sw_bytes){call->answer.data, call->answer.size};
    }
    call->done = NULL;
    call->calls->figures.open--;
    if (done != NULL)
        done(call->done_ctx, &answer);
    sw_fetch_free(call);
}

void sw_fetch_fail(struct http_call *call, enum sw_rc rc, const char *words)
{
    call->rc = rc;
    sw_fetch_say(call, "%s", words);
    call->calls->figures.failed++;
    sw_fetch_end(call);
}

void sw_fetch_end_later(struct http_call *call)
{
    sw_list_remove(&call->node);
    sw_list_add(&call->calls->finished, &call->node);
    sw_timer_start(call->calls->timer, 0);
}

/* --- The answer ------------------------------------------------------------------------------ */

static void hide_secrets(const struct http_call *call, struct sw_buffer *buffer)
{
    /* A longer one may have a shorter one in it. */
    for (size_t longest = SW_SECRETS_VALUE_MAX, next; longest > 0; longest = next) {
        next = 0;
        for (size_t i = 0; i < call->secrets_count; i++) {
            if (call->secrets[i].size == longest)
                sw_egress_hide((char *)buffer->data, buffer->size, call->secrets[i]);
            else if (call->secrets[i].size < longest && call->secrets[i].size > next)
                next = call->secrets[i].size;
        }
    }
}

static void take_headers(struct http_call *call, struct sw_transfer *transfer)
{
    const char *name, *value;
    void *cursor = NULL;

    while (call->headers_count < SW_OUTBOUND_HEADERS_MAX &&
           sw_outbound_next_header(transfer, &cursor, &name, &value)) {
        for (const char *at = name; *at != '\0'; at++)
            sw_buffer_put_u8(&call->headers, (uint8_t)tolower((unsigned char)*at));
        sw_buffer_put_u8(&call->headers, 0);
        sw_buffer_put(&call->headers, value, strlen(value) + 1);
        call->headers_count++;
    }
}

static enum sw_rc make_answer(struct http_call *call, struct sw_err *err)
{
    struct sw_egress_header headers[SW_OUTBOUND_HEADERS_MAX];
    struct sw_egress_answer answer = {.status = call->status, .headers = headers};
    const char *at;

    if (call->secrets_count > 0 && call->is_packed)
        return sw_err_set(err, SW_E_UNSUPPORTED,
                          "the answer is packed, so that no Secret can be hidden in it");
    hide_secrets(call, &call->got);
    hide_secrets(call, &call->headers);
    if (sw_buffer_check(&call->headers) != SW_OK)
        return sw_err_set(err, SW_E_EXHAUSTED, "the headers of the answer are too long");
    at = (const char *)call->headers.data;
    for (size_t i = 0; i < call->headers_count; i++) {
        headers[i].name = at;
        headers[i].value = at + strlen(at) + 1;
        at = headers[i].value + strlen(headers[i].value) + 1;
    }
    answer.headers_count = call->headers_count;
    answer.body = (struct sw_bytes){call->got.data, call->got.size};
    return sw_egress_answer_print(&answer, &call->answer, err);
}

/* --- Under way ------------------------------------------------------------------------------- */

static void settle(struct http_call *call)
{
    const struct sw_system *system = call->calls->options.system;
    struct sw_budget_amount cost = {{{.calls = 1}}};

    if (call->reservation == NULL)
        return;
    if (call->begun_ns != 0)
        cost.wall_ns = system->monotonic_ns(system->ctx) - call->begun_ns;
    (void)sw_ledger_settle(call->calls->options.ledger, call->reservation, &cost, NULL);
    call->reservation = NULL;
    call->begun_ns = 0;
}

static void on_head(void *ctx, struct sw_transfer *transfer, int status)
{
    struct http_call *call = ctx;
    const char *coding = sw_outbound_header(transfer, "content-encoding");

    call->status = status;
    call->is_packed = coding[0] != '\0' && strcasecmp(coding, "identity") != 0;
    take_headers(call, transfer);
}

static void on_body(void *ctx, struct sw_transfer *transfer, struct sw_bytes bytes)
{
    struct http_call *call = ctx;

    (void)transfer;
    if (call->got.size + bytes.size > call->answer_bytes_max)
        call->rc = SW_E_EXHAUSTED; /* It is read to its end, and not kept. */
    else
        sw_buffer_put(&call->got, bytes.data, bytes.size);
}

static void on_end(void *ctx, struct sw_transfer *transfer, const struct sw_outbound_end *end)
{
    struct http_call *call = ctx;
    struct sw_http_figures *figures = &call->calls->figures;
    struct sw_err err = {0};
    bool is_answered = end->rc == SW_OK;

    (void)transfer;
    call->transfer = NULL;
    settle(call);
    figures->made += is_answered;
    figures->failed += !is_answered;
    if (!is_answered) {
        call->rc = end->rc;
        sw_fetch_say(call, "%s: %s", call->request.url.host, end->why);
    } else if (call->rc == SW_E_EXHAUSTED) {
        sw_fetch_say(call, "%s answered %d, with more than the %" PRIu64 " bytes that are allowed",
                     call->request.url.host, call->status, call->answer_bytes_max);
    } else {
        call->rc = make_answer(call, &err);
        if (call->rc != SW_OK)
            sw_fetch_say(call, "%s", err.message);
    }
    if (call->is_once)
        sw_fetch_effect_end(call, is_answered || !end->may_be_sent);
    else
        sw_fetch_end(call);
}

void sw_fetch_send(struct http_call *call)
{
    const struct sw_http_calls_options *options = &call->calls->options;
    const struct sw_system *system = options->system;
    struct sw_outbound *outbound = call->may_be_private ? options->outbound : options->public;
    const struct sw_outbound_handler handler = {
        .ctx = call, .on_head = on_head, .on_body = on_body, .on_end = on_end};
    struct sw_outbound_request request = {
        .method = call->request.method,
        .url = call->request.url.text,
        .headers = call->sent,
        .headers_count = call->sent_count,
        .body = call->request.body,
        .timeout_ms = call->timeout_ms,
        .connect_timeout_ms = call->timeout_ms < CONNECT_MS_MAX ? call->timeout_ms : CONNECT_MS_MAX,
        .is_fresh = call->is_once};
    struct sw_err err = {0};

    call->rc = SW_OK;
    call->status = 0;
    call->headers_count = 0;
    sw_buffer_reset(&call->headers);
    sw_buffer_reset(&call->got);
    call->begun_ns = system->monotonic_ns(system->ctx);
    if (sw_outbound_start(outbound, &request, &handler, &call->transfer, &err) == SW_OK)
        return;
    call->rc = err.rc;
    sw_fetch_say(call, "%s", err.message);
    (void)sw_ledger_release(options->ledger, call->reservation, NULL);
    call->reservation = NULL;
    if (call->is_once)
        sw_fetch_effect_end(call, true);
    else
        sw_fetch_end_later(call);
}

static void on_ready(void *ctx, enum sw_rc rc)
{
    struct http_call *call = ctx;

    if (rc != SW_OK) {
        call->reservation = NULL;
        sw_fetch_fail(call, rc, "what agents spend cannot be written down now");
        return;
    }
    if (call->is_once)
        sw_fetch_effect_intend(call);
    else
        sw_fetch_send(call);
}

/* Under a key of its own for each attempt: one that an earlier process made counts as made. */
static enum sw_rc reserve(struct http_call *call, struct sw_err *err)
{
    struct sw_ledger *ledger = call->calls->options.ledger;
    struct sw_ledger_grant grant = {0};
    char key[SW_LEDGER_KEY_MAX];
    struct sw_ledger_request request = {
        .who = {.name_space = call->name_space,
                .agent = call->agent,
                .instance = call->instance,
                .turn = call->turn,
                .depth = call->depth},
        .worst = {{{.calls = 1, .wall_ns = call->timeout_ms * 1000000}}},
        .ready = on_ready,
        .ctx = call};

    while (call->number < HTTP_ATTEMPTS_MAX) {
        int size = snprintf(key, sizeof key, "%s.h%u", call->key, ++call->number);
        enum sw_rc rc;

        request.key = (struct sw_bytes){key, (size_t)size};
        rc = sw_ledger_reserve(ledger, &request, &grant, NULL, err);
        if (rc != SW_OK)
            return rc;
        call->reservation = grant.reservation;
        if (grant.state == SW_LEDGER_NEW)
            return SW_OK;
        if (grant.state == SW_LEDGER_OPEN)
            return sw_err_set(err, SW_E_CONFLICT, "the same call is under way already");
    }
    return sw_err_set(err, SW_E_EXHAUSTED, "this call was begun %u times and never ended",
                      HTTP_ATTEMPTS_MAX);
}

void sw_fetch_begin(struct http_call *call)
{
    struct sw_err err = {0};

    if (reserve(call, &err) == SW_OK)
        return;
    call->reservation = NULL;
    call->rc = err.rc;
    sw_fetch_say(call, "%s", err.message);
    sw_fetch_end_later(call);
}

/* --- The service ----------------------------------------------------------------------------- */

static struct http_call *call_new(struct sw_http_calls *calls, const struct sw_service_call *asked)
{
    struct http_call *call = calloc(1, sizeof *call);

    if (call == NULL)
        return NULL;
    call->calls = calls;
    call->turn = asked->turn;
    call->depth = asked->depth;
    sw_list_init(&call->node);
    sw_buffer_init(&call->headers, ANSWER_HEADERS_BYTES_MAX);
    sw_buffer_init(&call->got, SW_EGRESS_ANSWER_MAX);
    sw_buffer_init(&call->answer, SW_EGRESS_ANSWER_MAX + 1);
    call->arena = sw_arena_new(ARENA_BYTES_MAX);
    if (call->arena != NULL) {
        sw_arena_set_secret(call->arena);
        call->name_space = sw_arena_copy(call->arena, asked->name_space, strlen(asked->name_space));
        call->agent = sw_arena_copy(call->arena, asked->agent, strlen(asked->agent));
        call->key = sw_arena_copy(call->arena, asked->key.data, asked->key.size);
        call->instance = (struct sw_bytes){
            sw_arena_copy(call->arena, asked->instance.data, asked->instance.size),
            asked->instance.size};
    }
    if (call->arena != NULL && call->name_space != NULL && call->agent != NULL &&
        call->key != NULL && call->instance.data != NULL)
        return call;
    sw_fetch_free(call);
    return NULL;
}

/* Whether it may go on: the rules, and how many there are. */
static enum sw_rc admit(struct http_call *call, struct sw_bytes document, struct sw_err *err)
{
    struct sw_http_calls *calls = call->calls;
    enum sw_rc rc;

    if (calls->figures.open >= SW_HTTP_CALLS_MAX)
        return sw_err_set(err, SW_E_EXHAUSTED, "%u requests of agents are under way on this node",
                          SW_HTTP_CALLS_MAX);
    rc = sw_fetch_prepare(call, document, err);
    if (rc == SW_OK && call->needs_approval && call->is_once && sw_fetch_effect_is_begun(call)) {
        call->is_approved = true; /* Or it would not have been. */
        rc = sw_fetch_allow(call, err);
    }
    calls->figures.denied += rc == SW_E_DENIED;
    if (rc == SW_OK && call->is_once &&
        sw_map_put(calls->once, call->key, strlen(call->key), call, NULL) != SW_OK)
        rc = sw_err_set(err, SW_E_EXHAUSTED, "no memory for a request");
    return rc;
}

/* What is under way here still, though nobody waited for it any more. */
static struct http_call *find_orphan(const struct sw_http_calls *calls, struct sw_bytes key)
{
    struct http_call *call = sw_map_find(calls->once, key.data, key.size);

    return call == NULL || call->done != NULL ? NULL : call;
}

static enum sw_rc start(void *ctx, const struct sw_service_call *asked, sw_service_done *done,
                        void *done_ctx, void **ret_ticket, struct sw_err *err)
{
    struct sw_http_calls *calls = ctx;
    struct http_call *call = find_orphan(calls, asked->key);
    bool is_kept, is_orphan = call != NULL;
    enum sw_rc rc;

    if (!is_orphan)
        call = call_new(calls, asked);
    if (call == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a request");
    call->done = done;
    call->done_ctx = done_ctx;
    if (is_orphan) {
        *ret_ticket = call;
        return SW_OK;
    }
    is_kept = sw_fetch_effect_kept(call); /* Whatever the rules are by now. */
    rc = is_kept ? SW_OK : admit(call, asked->body, err);
    if (rc != SW_OK) {
        sw_fetch_free(call);
        return rc;
    }
    *ret_ticket = call;
    calls->figures.open++;
    if (is_kept)
        return SW_OK;
    sw_list_add(&calls->all, &call->node);
    if (call->needs_approval)
        sw_fetch_ask_before(call);
    else if (call->is_once)
        sw_fetch_effect_look(call);
    else
        sw_fetch_begin(call);
    return SW_OK;
}

/* What may have been sent goes on by itself, so that it is known how it ended. */
static void cancel(void *ctx, void *ticket)
{
    struct sw_http_calls *calls = ctx;
    struct http_call *call = ticket;

    call->done = NULL;
    if (call->is_writing || (call->is_once && call->transfer != NULL))
        return;
    if (call->approval != NULL)
        sw_approvals_cancel(call->approval);
    if (call->transfer != NULL)
        sw_outbound_cancel(call->transfer);
    if (call->transfer != NULL)
        settle(call);
    else if (call->reservation != NULL)
        (void)sw_ledger_release(calls->options.ledger, call->reservation, NULL);
    calls->figures.open--;
    sw_fetch_free(call);
}

static void on_timer(void *ctx)
{
    struct sw_http_calls *calls = ctx;

    while (!sw_list_is_empty(&calls->finished))
        sw_fetch_end(SW_LIST_ITEM(sw_list_first(&calls->finished), struct http_call, node));
}

static struct sw_bytes key_of(const void *value)
{
    const struct http_call *call = value;

    return (struct sw_bytes){call->key, strlen(call->key)};
}

enum sw_rc sw_http_calls_new(const struct sw_http_calls_options *options,
                             struct sw_http_calls **ret_calls, struct sw_err *err)
{
    struct sw_http_calls *calls = calloc(1, sizeof *calls);
    uint64_t seed;

    if (calls == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for requests of agents");
    calls->options = *options;
    sw_list_init(&calls->all);
    sw_list_init(&calls->finished);
    options->system->random(options->system->ctx, &seed, sizeof seed);
    calls->once = sw_map_new_of(seed, key_of);
    calls->timer = sw_timer_new(options->loop, on_timer, calls);
    if (calls->timer == NULL || calls->once == NULL) {
        if (calls->timer != NULL)
            sw_timer_free(calls->timer);
        sw_map_free(calls->once);
        free(calls);
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for requests of agents");
    }
    *ret_calls = calls;
    return SW_OK;
}

static void let_go(struct http_call *call)
{
    call->done = NULL;
    if (call->transfer != NULL)
        sw_outbound_cancel(call->transfer);
    call->transfer = NULL;
    call->calls = NULL;
    if (!call->is_writing)
        sw_fetch_free(call);
    else
        sw_list_remove(&call->node);
}

void sw_http_calls_free(struct sw_http_calls *calls)
{
    if (calls == NULL)
        return;
    SW_LIST_EACH(&calls->all, node)
    let_go(SW_LIST_ITEM(node, struct http_call, node));
    SW_LIST_EACH(&calls->finished, other)
    let_go(SW_LIST_ITEM(other, struct http_call, node));
    sw_timer_free(calls->timer);
    sw_map_free(calls->once);
    free(calls);
}

struct sw_service sw_http_calls_service(struct sw_http_calls *calls)
{
    return (struct sw_service){
        .name = SW_HTTP_SERVICE, .ctx = calls, .start = start, .cancel = cancel};
}

void sw_http_calls_figures(const struct sw_http_calls *calls, struct sw_http_figures *ret_figures)
{
    *ret_figures = calls->figures;
}
