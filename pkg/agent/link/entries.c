#include "pkg/agent/link/entries.h"

#include "pkg/utils/base/text.h"

#define DIGEST_MAX 71
#define TYPE_MAX 255
#define SUBJECT_MAX 255
#define REASON_MAX 63
#define FROM_MAX (SW_FRAME_NAME_MAX + 1 + SW_FRAME_KEY_MAX)

static struct sw_bytes text_take(struct sw_reader *reader, size_t size_max)
{
    struct sw_bytes text = sw_reader_bytes(reader, size_max);

    if (text.size > 0 && !sw_text_is_utf8(text.data, text.size))
        reader->failed = true;
    return text;
}

static void used_put(const struct sw_frame_instance *instance, struct sw_buffer *out)
{
    const struct sw_frame_used *used = &instance->used;

    sw_buffer_put_u64(out, instance->used_ns);
    sw_buffer_put_u64(out, used->cpu_ns);
    sw_buffer_put_u64(out, used->handled);
    sw_buffer_put_u64(out, used->bytes_in);
    sw_buffer_put_u64(out, used->sent);
    sw_buffer_put_u64(out, used->bytes_out);
    sw_buffer_put_u64(out, used->wakeups);
    sw_buffer_put_u64(out, used->page_ms);
    sw_buffer_put_u64(out, used->fuel);
    sw_buffer_put_u64(out, instance->pages);
    sw_buffer_put_u64(out, instance->open_page_ms);
}

static void used_take(struct sw_reader *reader, struct sw_frame_instance *instance)
{
    struct sw_frame_used *used = &instance->used;

    instance->used_ns = sw_reader_u64(reader);
    used->cpu_ns = sw_reader_u64(reader);
    used->handled = sw_reader_u64(reader);
    used->bytes_in = sw_reader_u64(reader);
    used->sent = sw_reader_u64(reader);
    used->bytes_out = sw_reader_u64(reader);
    used->wakeups = sw_reader_u64(reader);
    used->page_ms = sw_reader_u64(reader);
    used->fuel = sw_reader_u64(reader);
    instance->pages = sw_reader_u64(reader);
    instance->open_page_ms = sw_reader_u64(reader);
}

void sw_frame_instance_put(const struct sw_frame_instance *instance, struct sw_buffer *out)
{
    sw_buffer_put_bytes(out, instance->key);
    sw_buffer_put_bytes(out, instance->pod);
    sw_buffer_put_u32(out, instance->state);
    sw_buffer_put_u32(out, instance->waiting);
    sw_buffer_put_u64(out, instance->segments);
    sw_buffer_put_u64(out, instance->failures);
    sw_buffer_put_u64(out, instance->memory_bytes);
    sw_buffer_put_u64(out, instance->disk_bytes);
    sw_buffer_put_u64(out, instance->last_ns);
    used_put(instance, out);
    sw_buffer_put_bytes(out, instance->digest);
}

bool sw_frame_instance_take(struct sw_reader *reader, struct sw_frame_instance *ret_instance)
{
    struct sw_frame_instance instance;

    if (reader->failed || reader->at == reader->size)
        return false;
    instance.key = text_take(reader, SW_FRAME_KEY_MAX);
    instance.pod = sw_reader_bytes(reader, SW_FRAME_KEY_MAX);
    instance.state = sw_reader_u32(reader);
    instance.waiting = sw_reader_u32(reader);
    instance.segments = sw_reader_u64(reader);
    instance.failures = sw_reader_u64(reader);
    instance.memory_bytes = sw_reader_u64(reader);
    instance.disk_bytes = sw_reader_u64(reader);
    instance.last_ns = sw_reader_u64(reader);
    used_take(reader, &instance);
    instance.digest = text_take(reader, DIGEST_MAX);
    if (reader->failed || instance.state > SW_FRAME_INSTANCE_HELD) {
        reader->failed = true;
        return false;
    }
    *ret_instance = instance;
    return true;
}

void sw_frame_letter_put(const struct sw_frame_letter *letter, struct sw_buffer *out)
{
    sw_buffer_put_u64(out, letter->number);
    sw_buffer_put_u64(out, letter->time_ns);
    sw_buffer_put_bytes(out, letter->key);
    sw_buffer_put_bytes(out, letter->pod);
    sw_buffer_put_bytes(out, letter->from);
    sw_buffer_put_bytes(out, letter->subject);
    sw_buffer_put_bytes(out, letter->type);
    sw_buffer_put_bytes(out, letter->reason);
    sw_buffer_put_bytes(out, letter->words);
    sw_buffer_put_u32(out, letter->attempts);
    sw_buffer_put_u32(out, letter->is_timer);
    sw_buffer_put_u32(out, letter->is_reply);
    sw_buffer_put_u64(out, letter->timer);
    sw_buffer_put_u64(out, letter->size_bytes);
    sw_buffer_put_bytes(out, letter->body);
}

bool sw_frame_letter_take(struct sw_reader *reader, struct sw_frame_letter *ret_letter)
{
    struct sw_frame_letter letter;

    if (reader->failed || reader->at == reader->size)
        return false;
    letter.number = sw_reader_u64(reader);
    letter.time_ns = sw_reader_u64(reader);
    letter.key = text_take(reader, SW_FRAME_KEY_MAX);
    letter.pod = text_take(reader, SW_FRAME_KEY_MAX);
    letter.from = text_take(reader, FROM_MAX);
    letter.subject = text_take(reader, SUBJECT_MAX);
    letter.type = text_take(reader, TYPE_MAX);
    letter.reason = text_take(reader, REASON_MAX);
    letter.words = text_take(reader, SW_FRAME_WORDS_MAX);
    letter.attempts = sw_reader_u32(reader);
    letter.is_timer = sw_reader_u32(reader);
    letter.is_reply = sw_reader_u32(reader);
    letter.timer = sw_reader_u64(reader);
    letter.size_bytes = sw_reader_u64(reader);
    letter.body = sw_reader_bytes(reader, SW_FRAME_BODY_MAX);
    if (letter.is_timer > 1 || letter.is_reply > 1 || letter.number == 0)
        reader->failed = true;
    if (reader->failed)
        return false;
    *ret_letter = letter;
    return true;
}
