#include "pkg/agent/link/past.h"

#include "pkg/utils/base/text.h"

#define TEXT_MAX 320u
#define TYPE_MAX 255u
#define EFFECT_KIND_MAX 31u

static bool is_text(struct sw_bytes text)
{
    return text.size == 0 || sw_text_is_utf8(text.data, text.size);
}

void sw_past_effect_put(const struct sw_past_effect *effect, struct sw_buffer *out)
{
    sw_buffer_put_u32(out, effect->kind);
    sw_buffer_put_u32(out, effect->status);
    sw_buffer_put_u64(out, effect->number);
    sw_buffer_put_u64(out, effect->due_ns);
    sw_buffer_put_u64(out, effect->body_bytes);
    sw_buffer_put_bytes(out, effect->to);
    sw_buffer_put_bytes(out, effect->type);
    sw_buffer_put_bytes(out, effect->body);
}

bool sw_past_effect_take(struct sw_reader *reader, struct sw_past_effect *ret_effect)
{
    if (reader->failed || reader->at == reader->size)
        return false;
    *ret_effect = (struct sw_past_effect){.kind = sw_reader_u32(reader)};
    ret_effect->status = sw_reader_u32(reader);
    ret_effect->number = sw_reader_u64(reader);
    ret_effect->due_ns = sw_reader_u64(reader);
    ret_effect->body_bytes = sw_reader_u64(reader);
    ret_effect->to = sw_reader_bytes(reader, TEXT_MAX);
    ret_effect->type = sw_reader_bytes(reader, TYPE_MAX);
    ret_effect->body = sw_reader_bytes(reader, SW_PAST_BODY_MAX);
    if (ret_effect->kind > EFFECT_KIND_MAX || !is_text(ret_effect->to) ||
        !is_text(ret_effect->type) || ret_effect->body.size > ret_effect->body_bytes)
        reader->failed = true;
    return !reader->failed;
}

void sw_past_item_put(const struct sw_past_item *item, struct sw_buffer *out)
{
    sw_buffer_put_u32(out, item->kind);
    sw_buffer_put_u64(out, item->number);
    sw_buffer_put_u64(out, item->due_ns);
    sw_buffer_put_bytes(out, item->text);
}

bool sw_past_item_take(struct sw_reader *reader, struct sw_past_item *ret_item)
{
    if (reader->failed || reader->at == reader->size)
        return false;
    *ret_item = (struct sw_past_item){.kind = sw_reader_u32(reader)};
    ret_item->number = sw_reader_u64(reader);
    ret_item->due_ns = sw_reader_u64(reader);
    ret_item->text = sw_reader_bytes(reader, TEXT_MAX);
    if (ret_item->kind > SW_PAST_PATTERN || !is_text(ret_item->text))
        reader->failed = true;
    return !reader->failed;
}
