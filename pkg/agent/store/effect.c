#include "pkg/agent/store/effect.h"

#include "pkg/utils/base/hash.h"

#include <assert.h>

#define ABSENT (1u << 31) /* Beside the size of a body that is left out. */

const char *sw_effect_kind_name(enum sw_effect_kind kind)
{
    static const char *const names[] = {"?",         "send",        "reply",       "publish",
                                        "subscribe", "unsubscribe", "timer start", "timer cancel",
                                        "ask",       "receive",     "sleep",       "call"};

    return (size_t)kind < sizeof names / sizeof names[0] ? names[kind] : "?";
}

bool sw_effect_is_wait(enum sw_effect_kind kind)
{
    return kind >= SW_EFFECT_ASK;
}

void sw_effect_put_body(struct sw_bytes body, uint32_t absent_bytes, struct sw_buffer *out)
{
    if (absent_bytes != 0)
        sw_buffer_put_u32(out, absent_bytes | ABSENT);
    else
        sw_buffer_put_bytes(out, body);
}

struct sw_bytes sw_effect_take_body(struct sw_reader *reader, uint32_t *ret_absent_bytes)
{
    struct sw_reader ahead = *reader;
    uint32_t size = sw_reader_u32(&ahead);

    *ret_absent_bytes = 0;
    if (ahead.failed || (size & ABSENT) == 0)
        return sw_reader_bytes(reader, SW_EFFECT_BODY_MAX);
    size &= ~ABSENT;
    *reader = ahead;
    if (size < SW_EFFECT_ABSENT_LEAST || size > SW_EFFECT_BODY_MAX)
        reader->failed = true;
    else
        *ret_absent_bytes = size;
    return (struct sw_bytes){NULL, 0};
}

void sw_effect_put(const struct sw_effect *effect, struct sw_buffer *out)
{
    sw_buffer_put_u8(out, (uint8_t)effect->kind);
    switch (effect->kind) {
    case SW_EFFECT_SEND:
    case SW_EFFECT_PUBLISH:
    case SW_EFFECT_ASK:
    case SW_EFFECT_CALL:
        sw_buffer_put_bytes(out, effect->to);
        sw_buffer_put_u8(out, (uint8_t)effect->priority);
        if (effect->kind != SW_EFFECT_PUBLISH)
            sw_buffer_put_u64(out, effect->number);
        if (sw_effect_is_wait(effect->kind))
            sw_buffer_put_u64(out, effect->due_ns);
        sw_buffer_put_bytes(out, effect->type);
        sw_effect_put_body(effect->body, effect->absent_bytes, out);
        return;
    case SW_EFFECT_REPLY:
        sw_buffer_put_u64(out, effect->number);
        sw_buffer_put_u32(out, (uint32_t)effect->status);
        sw_buffer_put_bytes(out, effect->type);
        sw_buffer_put_bytes(out, effect->body);
        return;
    case SW_EFFECT_SUBSCRIBE:
    case SW_EFFECT_UNSUBSCRIBE:
        sw_buffer_put_bytes(out, effect->to);
        return;
    case SW_EFFECT_TIMER_START:
    case SW_EFFECT_RECEIVE:
    case SW_EFFECT_SLEEP:
        sw_buffer_put_u64(out, effect->number);
        sw_buffer_put_u64(out, effect->due_ns);
        return;
    case SW_EFFECT_TIMER_CANCEL:
        sw_buffer_put_u64(out, effect->number);
        return;
    }
}

static void take_body(struct sw_reader *reader, struct sw_effect *effect)
{
    effect->type = sw_reader_bytes(reader, SW_EFFECT_TEXT_MAX);
    effect->body = effect->kind == SW_EFFECT_CALL
                       ? sw_effect_take_body(reader, &effect->absent_bytes)
                       : sw_reader_bytes(reader, SW_EFFECT_BODY_MAX);
    effect->body_at = (uint32_t)(reader->at - effect->body.size);
}

bool sw_effect_take(struct sw_reader *reader, struct sw_effect *ret_effect)
{
    struct sw_effect effect = {0};

    if (reader->failed || reader->at == reader->size)
        return false;
    effect.kind = (enum sw_effect_kind)sw_reader_u8(reader);
    switch (effect.kind) {
    case SW_EFFECT_SEND:
    case SW_EFFECT_PUBLISH:
    case SW_EFFECT_ASK:
    case SW_EFFECT_CALL:
        effect.to = sw_reader_bytes(reader, SW_EFFECT_TEXT_MAX);
        effect.priority = sw_reader_u8(reader);
        if (effect.kind != SW_EFFECT_PUBLISH)
            effect.number = sw_reader_u64(reader);
        if (sw_effect_is_wait(effect.kind))
            effect.due_ns = sw_reader_u64(reader);
        take_body(reader, &effect);
        break;
    case SW_EFFECT_REPLY:
        effect.number = sw_reader_u64(reader);
        effect.status = (int32_t)sw_reader_u32(reader);
        take_body(reader, &effect);
        break;
    case SW_EFFECT_SUBSCRIBE:
    case SW_EFFECT_UNSUBSCRIBE:
        effect.to = sw_reader_bytes(reader, SW_EFFECT_TEXT_MAX);
        break;
    case SW_EFFECT_TIMER_START:
    case SW_EFFECT_RECEIVE:
    case SW_EFFECT_SLEEP:
        effect.number = sw_reader_u64(reader);
        effect.due_ns = sw_reader_u64(reader);
        break;
    case SW_EFFECT_TIMER_CANCEL:
        effect.number = sw_reader_u64(reader);
        break;
    default:
        reader->failed = true;
    }
    if (reader->failed)
        return false;
    *ret_effect = effect;
    return true;
}

bool sw_effects_pack(struct sw_bytes effects, struct sw_buffer *out)
{
    struct sw_reader reader = sw_reader_of(effects.data, effects.size);
    struct sw_effect effect = {0};
    size_t before = 0, at = 0;

    for (; sw_effect_take(&reader, &effect); at = reader.at)
        before = at;
    if (reader.failed || effect.kind != SW_EFFECT_CALL || effect.body.size < SW_EFFECT_ABSENT_LEAST)
        return false;
    sw_buffer_put(out, effects.data, before);
    effect.absent_bytes = (uint32_t)effect.body.size;
    effect.body = (struct sw_bytes){NULL, 0};
    sw_effect_put(&effect, out);
    return true;
}

uint64_t sw_effects_digest(struct sw_bytes effects)
{
    static const uint8_t key[16] = "swarm effects 1";

    return sw_siphash(key, effects.data, effects.size);
}
