/* Waiting in modules that know nothing of it: the entry that waits is ended like a trap, and when
 * the wait is over, the turn is lived through again from its start. The instance is made anew as it
 * was then, the same entry is called, and each call that it makes of the host gives what it gave
 * before, out of a log, without happening again; so it comes to the same place, where the wait
 * returns. What a turn takes so grows with the square of its waits.
 *
 * The log: u8 kind, then for a call: u64 hash of what was given, u64 result, bytes given back; for
 * what ended a wait: u32 status, u8 whether there is a message, and the message. */
#include "pkg/agent/runtime/wasm/waits.h"

#include "pkg/utils/base/hash.h"

#include <stdlib.h>
#include <string.h>

#define LOG_BYTES_MAX (8u << 20)
#define BEFORE_BYTES_MAX ((size_t)5 << 30)
#define TEXT_MAX (16u << 20)
#define ENTRY_BYTES_MAX 64u /* Of a wait that is taken. */

enum kind {
    KIND_SEND = 1,
    KIND_REPLY,
    KIND_PUBLISH,
    KIND_SUBSCRIBE,
    KIND_UNSUBSCRIBE,
    KIND_TIMER_START,
    KIND_TIMER_CANCEL,
    KIND_LOG,
    KIND_NOW,
    KIND_RANDOM,
    KIND_SELF,
    KIND_ASK,
    KIND_RECEIVE,
    KIND_SLEEP,
    KIND_ENDED,
    KIND_CALL /* A wait like those from ASK to SLEEP; images keep these numbers. */
};

struct sw_wasm_relive {
    struct sw_buffer before; /* The instance as the turn began. */
    struct sw_buffer input;  /* The message of the turn, if it has one. */
    struct sw_buffer log;
    struct sw_reader past; /* What of the log is still to be lived through. */
    uint32_t waits;
    struct sw_guest_input ended; /* What ended the wait that was last lived through. */
    struct sw_guest_message message;
};

/* --- Life --------------------------------------------------------------------------------------
 */

static void reset(struct sw_wasm_relive *relive)
{
    sw_buffer_done(&relive->before);
    sw_buffer_done(&relive->input);
    sw_buffer_done(&relive->log);
    relive->past = sw_reader_of(NULL, 0);
    relive->waits = 0;
}

bool sw_wasm_relive_new(struct sw_wasm_instance *instance)
{
    struct sw_wasm_relive *relive = calloc(1, sizeof *relive);

    if (relive == NULL)
        return false;
    sw_buffer_init(&relive->before, BEFORE_BYTES_MAX);
    sw_buffer_init(&relive->input, LOG_BYTES_MAX);
    sw_buffer_init(&relive->log, LOG_BYTES_MAX);
    instance->relive = relive;
    instance->calls = &sw_wasm_relive_calls;
    instance->calls_ctx = instance;
    return true;
}

void sw_wasm_relive_free(struct sw_wasm_relive *relive)
{
    if (relive != NULL)
        reset(relive);
    free(relive);
}

/* --- Messages ----------------------------------------------------------------------------------
 */

static void put_message(const struct sw_guest_message *message, struct sw_buffer *out)
{
    sw_buffer_put_u32(out, message->flags);
    sw_buffer_put_u32(out, message->priority);
    sw_buffer_put_u64(out, message->time_ns);
    sw_buffer_put_u64(out, message->reply_handle);
    sw_buffer_put_u64(out, message->tag);
    sw_buffer_put_u32(out, (uint32_t)message->status);
    sw_buffer_put_bytes(out, message->from);
    sw_buffer_put_bytes(out, message->subject);
    sw_buffer_put_bytes(out, message->type);
    sw_buffer_put_bytes(out, message->body);
}

static void take_message(struct sw_reader *reader, struct sw_guest_message *ret_message)
{
    ret_message->flags = sw_reader_u32(reader);
    ret_message->priority = sw_reader_u32(reader);
    ret_message->time_ns = sw_reader_u64(reader);
    ret_message->reply_handle = sw_reader_u64(reader);
    ret_message->tag = sw_reader_u64(reader);
    ret_message->status = (int32_t)sw_reader_u32(reader);
    ret_message->from = sw_reader_bytes(reader, TEXT_MAX);
    ret_message->subject = sw_reader_bytes(reader, TEXT_MAX);
    ret_message->type = sw_reader_bytes(reader, TEXT_MAX);
    ret_message->body = sw_reader_bytes(reader, TEXT_MAX);
}

/* --- A turn ------------------------------------------------------------------------------------
 */

bool sw_wasm_relive_begin(struct sw_wasm_instance *instance, const struct sw_guest_input *input,
                          struct sw_guest_outcome *outcome)
{
    struct sw_wasm_relive *relive = instance->relive;
    struct sw_err err = {0};

    reset(relive);
    if (input->entry != SW_GUEST_MESSAGE && input->entry != SW_GUEST_TIMER)
        return true;
    if (input->entry == SW_GUEST_MESSAGE)
        put_message(input->message, &relive->input);
    if (sw_wasm_image_save(instance, &relive->before, &err) == SW_OK && !relive->input.failed)
        return true;
    sw_wasm_fail(outcome, SW_E_EXHAUSTED, "no memory to keep the instance as its turn begins");
    return false;
}

bool sw_wasm_relive_resume(struct sw_wasm_instance *instance, struct sw_guest_input *ret_input,
                           struct sw_guest_message *ret_message, struct sw_guest_outcome *outcome)
{
    struct sw_wasm_relive *relive = instance->relive;
    const struct sw_guest_input *resumed = instance->resumed;
    struct sw_reader reader = sw_reader_of(relive->input.data, relive->input.size);
    struct sw_err err = {0};

    sw_buffer_put_u8(&relive->log, KIND_ENDED);
    sw_buffer_put_u32(&relive->log, (uint32_t)resumed->status);
    sw_buffer_put_u8(&relive->log, resumed->message != NULL);
    if (resumed->message != NULL)
        put_message(resumed->message, &relive->log);
    if (relive->log.failed) {
        sw_wasm_fail(outcome, SW_E_EXHAUSTED, "the turn has called the host too often");
        return false;
    }
    relive->past = sw_reader_of(relive->log.data, relive->log.size);
    relive->waits = 0;
    if (sw_wasm_instance_renew(instance, &err) != SW_OK ||
        sw_wasm_image_load(instance, (struct sw_bytes){relive->before.data, relive->before.size},
                           &err) != SW_OK) {
        sw_wasm_fail(outcome, err.rc, err.message);
        return false;
    }
    *ret_input = (struct sw_guest_input){.entry = instance->turn.entry,
                                         .timer = instance->turn.argument,
                                         .message = ret_message,
                                         .deadline_ms = resumed->deadline_ms};
    if (ret_input->entry == SW_GUEST_MESSAGE)
        take_message(&reader, ret_message);
    return true;
}

bool sw_wasm_relive_is_over(const struct sw_wasm_instance *instance)
{
    const struct sw_reader *past = &instance->relive->past;

    return past->at == past->size;
}

void sw_wasm_relive_save(const struct sw_wasm_relive *relive, struct sw_buffer *out)
{
    sw_buffer_put_bytes(out, (struct sw_bytes){relive->before.data, relive->before.size});
    sw_buffer_put_bytes(out, (struct sw_bytes){relive->input.data, relive->input.size});
    sw_buffer_put_bytes(out, (struct sw_bytes){relive->log.data, relive->log.size});
}

bool sw_wasm_relive_load(struct sw_wasm_relive *relive, struct sw_reader *reader)
{
    struct sw_buffer *buffers[] = {&relive->before, &relive->input, &relive->log};

    reset(relive);
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++) {
        struct sw_bytes bytes = sw_reader_bytes(reader, UINT32_MAX);

        sw_buffer_put(buffers[i], bytes.data, bytes.size);
        if (buffers[i]->failed)
            return false;
    }
    return !reader->failed;
}

/* --- Calls -------------------------------------------------------------------------------------
 */

struct call {
    struct sw_wasm_instance *instance;
    const struct sw_wasm_calls *host;
    enum kind kind;
    uint64_t hash;
};

static struct call call_of(void *ctx, enum kind kind)
{
    struct sw_wasm_instance *instance = ctx;

    return (struct call){instance, instance->worker->engine->calls, kind, 0};
}

static void hash_number(struct call *call, uint64_t number)
{
    call->hash = call->hash * 0x9e3779b97f4a7c15u + number + 1;
}

static void hash_bytes(struct call *call, struct sw_bytes bytes)
{
    static const uint8_t key[16] = "swarm relive 1";

    hash_number(call, sw_siphash(key, bytes.data, bytes.size));
}

/* Take a wait's end out of the past. The last one is what the entry was resumed with itself. */
static void take_end(struct sw_wasm_instance *instance, const struct sw_guest_input *resumed)
{
    struct sw_wasm_relive *relive = instance->relive;
    struct sw_reader *past = &relive->past;
    bool has_message;

    if (sw_reader_u8(past) != KIND_ENDED)
        past->failed = true;
    relive->ended = (struct sw_guest_input){.status = (int32_t)sw_reader_u32(past)};
    has_message = sw_reader_u8(past) != 0;
    if (has_message)
        take_message(past, &relive->message);
    relive->ended.message = has_message ? &relive->message : NULL;
    relive->waits++;
    instance->resumed = past->at == past->size ? resumed : &relive->ended;
}

/* Whether this call was made before: then *ret_result and ret_out are what it gave. */
static bool is_past(const struct call *call, int64_t *ret_result, void *ret_out, uint32_t size)
{
    struct sw_wasm_instance *instance = call->instance;
    struct sw_reader *past = &instance->relive->past;
    struct sw_bytes out;
    enum kind kind;
    uint64_t hash;

    if (past->at == past->size)
        return false;
    kind = (enum kind)sw_reader_u8(past);
    hash = sw_reader_u64(past);
    *ret_result = (int64_t)sw_reader_u64(past);
    out = sw_reader_bytes(past, TEXT_MAX);
    if (past->failed || kind != call->kind || hash != call->hash || out.size > size) {
        instance->violation =
            "the handler did other things on the way back to its wait than before";
        *ret_result = SW_E_PRECONDITION;
        return true;
    }
    if (out.size > 0)
        memcpy(ret_out, out.data, out.size);
    if (kind >= KIND_ASK && *ret_result == 0) {
        take_end(instance, instance->entered);
        *ret_result = 1; /* It was taken, and has ended. */
    }
    return true;
}

/* A log that is full matters to a turn that waits only. */
static void note(const struct call *call, int64_t result, struct sw_bytes out)
{
    struct sw_buffer *log = &call->instance->relive->log;

    sw_buffer_put_u8(log, (uint8_t)call->kind);
    sw_buffer_put_u64(log, call->hash);
    sw_buffer_put_u64(log, (uint64_t)result);
    sw_buffer_put_bytes(log, out);
}

static int32_t end_call(const struct call *call, int32_t result)
{
    note(call, result, (struct sw_bytes){NULL, 0});
    return result;
}

static void hash_content(struct call *call, const struct sw_guest_send *send)
{
    hash_bytes(call, send->to);
    hash_bytes(call, send->type);
    hash_bytes(call, send->body);
    hash_number(call, (uint64_t)send->priority);
    hash_number(call, send->tag);
}

static int32_t on_send(void *ctx, const struct sw_guest_send *send)
{
    struct call call = call_of(ctx, KIND_SEND);
    int64_t result;

    hash_content(&call, send);
    return is_past(&call, &result, NULL, 0)
               ? (int32_t)result
               : end_call(&call, call.host->send(call.instance->ctx, send));
}

static int32_t on_reply(void *ctx, const struct sw_wasm_reply *reply)
{
    struct call call = call_of(ctx, KIND_REPLY);
    int64_t result;

    hash_number(&call, reply->handle);
    hash_number(&call, (uint64_t)reply->status);
    hash_bytes(&call, reply->type);
    hash_bytes(&call, reply->body);
    return is_past(&call, &result, NULL, 0)
               ? (int32_t)result
               : end_call(&call, call.host->reply(call.instance->ctx, reply));
}

static int32_t on_publish(void *ctx, const struct sw_wasm_publish *publish)
{
    struct call call = call_of(ctx, KIND_PUBLISH);
    int64_t result;

    hash_bytes(&call, publish->subject);
    hash_bytes(&call, publish->type);
    hash_bytes(&call, publish->body);
    hash_number(&call, (uint64_t)publish->priority);
    return is_past(&call, &result, NULL, 0)
               ? (int32_t)result
               : end_call(&call, call.host->publish(call.instance->ctx, publish));
}

static int32_t on_subscribe(void *ctx, struct sw_bytes subject)
{
    struct call call = call_of(ctx, KIND_SUBSCRIBE);
    int64_t result;

    hash_bytes(&call, subject);
    return is_past(&call, &result, NULL, 0)
               ? (int32_t)result
               : end_call(&call, call.host->subscribe(call.instance->ctx, subject));
}

static int32_t on_unsubscribe(void *ctx, struct sw_bytes subject)
{
    struct call call = call_of(ctx, KIND_UNSUBSCRIBE);
    int64_t result;

    hash_bytes(&call, subject);
    return is_past(&call, &result, NULL, 0)
               ? (int32_t)result
               : end_call(&call, call.host->unsubscribe(call.instance->ctx, subject));
}

static int32_t on_timer_start(void *ctx, uint64_t id, uint64_t delay_ns)
{
    struct call call = call_of(ctx, KIND_TIMER_START);
    int64_t result;

    hash_number(&call, id);
    hash_number(&call, delay_ns);
    return is_past(&call, &result, NULL, 0)
               ? (int32_t)result
               : end_call(&call, call.host->timer_start(call.instance->ctx, id, delay_ns));
}

static int32_t on_timer_cancel(void *ctx, uint64_t id)
{
    struct call call = call_of(ctx, KIND_TIMER_CANCEL);
    int64_t result;

    hash_number(&call, id);
    return is_past(&call, &result, NULL, 0)
               ? (int32_t)result
               : end_call(&call, call.host->timer_cancel(call.instance->ctx, id));
}

static int32_t on_log(void *ctx, int32_t level, struct sw_bytes text)
{
    struct call call = call_of(ctx, KIND_LOG);
    int64_t result;

    hash_number(&call, (uint64_t)level);
    hash_bytes(&call, text);
    return is_past(&call, &result, NULL, 0)
               ? (int32_t)result
               : end_call(&call, call.host->log(call.instance->ctx, level, text));
}

static uint64_t on_now(void *ctx)
{
    struct call call = call_of(ctx, KIND_NOW);
    int64_t result;

    if (!is_past(&call, &result, NULL, 0)) {
        result = (int64_t)call.host->now(call.instance->ctx);
        note(&call, result, (struct sw_bytes){NULL, 0});
    }
    return (uint64_t)result;
}

static int32_t on_random(void *ctx, void *ret_bytes, uint32_t size)
{
    struct call call = call_of(ctx, KIND_RANDOM);
    int64_t result;

    hash_number(&call, size);
    if (!is_past(&call, &result, ret_bytes, size)) {
        result = call.host->random(call.instance->ctx, ret_bytes, size);
        note(&call, result, (struct sw_bytes){ret_bytes, result == 0 ? size : 0});
    }
    return (int32_t)result;
}

static int32_t on_self(void *ctx, int32_t what, void *ret_text, uint32_t size)
{
    struct call call = call_of(ctx, KIND_SELF);
    int64_t result;

    hash_number(&call, (uint64_t)what);
    hash_number(&call, size);
    if (!is_past(&call, &result, ret_text, size)) {
        result = call.host->self(call.instance->ctx, what, ret_text, size);
        note(&call, result,
             (struct sw_bytes){ret_text, result < 0                ? 0
                                         : (uint64_t)result < size ? (size_t)result
                                                                   : size});
    }
    return (int32_t)result;
}

/* A turn may come back so often only, and only if all that it did is in the log. */
static bool may_wait(const struct call *call)
{
    const struct sw_wasm_relive *relive = call->instance->relive;

    return relive->waits < SW_WASM_RELIVES_MAX && !relive->log.failed &&
           relive->log.size + ENTRY_BYTES_MAX <= LOG_BYTES_MAX;
}

static int32_t on_ask(void *ctx, const struct sw_guest_send *ask, uint64_t timeout_ns)
{
    struct call call = call_of(ctx, KIND_ASK);
    int64_t result;

    hash_content(&call, ask);
    hash_number(&call, timeout_ns);
    if (is_past(&call, &result, NULL, 0))
        return (int32_t)result;
    return end_call(&call, may_wait(&call) ? call.host->ask(call.instance->ctx, ask, timeout_ns)
                                           : SW_E_EXHAUSTED);
}

static int32_t on_receive(void *ctx, uint64_t timeout_ns)
{
    struct call call = call_of(ctx, KIND_RECEIVE);
    int64_t result;

    hash_number(&call, timeout_ns);
    if (is_past(&call, &result, NULL, 0))
        return (int32_t)result;
    return end_call(&call, may_wait(&call) ? call.host->receive(call.instance->ctx, timeout_ns)
                                           : SW_E_EXHAUSTED);
}

static int32_t on_sleep(void *ctx, uint64_t duration_ns)
{
    struct call call = call_of(ctx, KIND_SLEEP);
    int64_t result;

    hash_number(&call, duration_ns);
    if (is_past(&call, &result, NULL, 0))
        return (int32_t)result;
    return end_call(&call, may_wait(&call) ? call.host->sleep(call.instance->ctx, duration_ns)
                                           : SW_E_EXHAUSTED);
}

static int32_t on_call(void *ctx, const struct sw_guest_send *outside, uint64_t timeout_ns)
{
    struct call call = call_of(ctx, KIND_CALL);
    int64_t result;

    hash_content(&call, outside);
    hash_number(&call, timeout_ns);
    if (is_past(&call, &result, NULL, 0))
        return (int32_t)result;
    return end_call(&call, may_wait(&call)
                               ? call.host->call(call.instance->ctx, outside, timeout_ns)
                               : SW_E_EXHAUSTED);
}

const struct sw_wasm_calls sw_wasm_relive_calls = {
    .send = on_send,
    .reply = on_reply,
    .publish = on_publish,
    .subscribe = on_subscribe,
    .unsubscribe = on_unsubscribe,
    .timer_start = on_timer_start,
    .timer_cancel = on_timer_cancel,
    .log = on_log,
    .now = on_now,
    .random = on_random,
    .self = on_self,
    .ask = on_ask,
    .receive = on_receive,
    .sleep = on_sleep,
    .call = on_call,
};
