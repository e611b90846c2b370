#include "pkg/agent/store/usage.h"

#include <inttypes.h>

#define TEXT_MAX 255u

void sw_usage_add(struct sw_usage *sum, const struct sw_usage *more)
{
    sum->cpu_ns += more->cpu_ns;
    sum->handled += more->handled;
    sum->bytes_in += more->bytes_in;
    sum->sent += more->sent;
    sum->bytes_out += more->bytes_out;
    sum->wakeups += more->wakeups;
    sum->page_ms += more->page_ms;
    sum->fuel += more->fuel;
}

bool sw_usage_is_zero(const struct sw_usage *usage)
{
    return (usage->cpu_ns | usage->handled | usage->bytes_in | usage->sent | usage->bytes_out |
            usage->wakeups | usage->page_ms | usage->fuel) == 0;
}

void sw_usage_add_effects(struct sw_usage *sum, struct sw_bytes effects)
{
    struct sw_reader reader = sw_reader_of(effects.data, effects.size);
    struct sw_effect effect;

    while (sw_effect_take(&reader, &effect))
        if (sw_usage_counts_effect(effect.kind)) {
            sum->sent++;
            sum->bytes_out += sw_effect_body_bytes(&effect);
        }
}

/* --- As bytes -------------------------------------------------------------------------------- */

void sw_usage_put(const struct sw_usage *usage, struct sw_buffer *out)
{
    sw_buffer_put_u64(out, usage->cpu_ns);
    sw_buffer_put_u64(out, usage->handled);
    sw_buffer_put_u64(out, usage->bytes_in);
    sw_buffer_put_u64(out, usage->sent);
    sw_buffer_put_u64(out, usage->bytes_out);
    sw_buffer_put_u64(out, usage->wakeups);
    sw_buffer_put_u64(out, usage->page_ms);
    sw_buffer_put_u64(out, usage->fuel);
}

void sw_usage_take(struct sw_reader *reader, struct sw_usage *ret_usage)
{
    ret_usage->cpu_ns = sw_reader_u64(reader);
    ret_usage->handled = sw_reader_u64(reader);
    ret_usage->bytes_in = sw_reader_u64(reader);
    ret_usage->sent = sw_reader_u64(reader);
    ret_usage->bytes_out = sw_reader_u64(reader);
    ret_usage->wakeups = sw_reader_u64(reader);
    ret_usage->page_ms = sw_reader_u64(reader);
    ret_usage->fuel = sw_reader_u64(reader);
}

void sw_record_usage_put(const struct sw_record_usage *record, struct sw_buffer *out)
{
    sw_buffer_put_bytes(out, record->name_space);
    sw_buffer_put_bytes(out, record->agent);
    sw_buffer_put_bytes(out, record->agent_uid);
    sw_buffer_put_u64(out, record->time_ns);
    sw_buffer_put_u8(out, record->is_last);
    sw_buffer_put_u64(out, record->history_bytes);
    sw_usage_put(&record->used, out);
}

void sw_record_usage_take(struct sw_reader *reader, struct sw_record_usage *ret_record)
{
    uint8_t is_last;

    ret_record->name_space = sw_reader_bytes(reader, TEXT_MAX);
    ret_record->agent = sw_reader_bytes(reader, TEXT_MAX);
    ret_record->agent_uid = sw_reader_bytes(reader, TEXT_MAX);
    ret_record->time_ns = sw_reader_u64(reader);
    is_last = sw_reader_u8(reader);
    ret_record->is_last = is_last == 1;
    ret_record->history_bytes = sw_reader_u64(reader);
    sw_usage_take(reader, &ret_record->used);
    if (is_last > 1 || ret_record->name_space.size == 0)
        reader->failed = true;
}

void sw_usage_print(const struct sw_usage *usage, struct sw_buffer *out)
{
    sw_buffer_print(out, " cpu=%" PRIu64 "ns handled=%" PRIu64 " in=%" PRIu64 " sent=%" PRIu64,
                    usage->cpu_ns, usage->handled, usage->bytes_in, usage->sent);
    sw_buffer_print(out, " out=%" PRIu64 " wakeups=%" PRIu64 " page-ms=%" PRIu64, usage->bytes_out,
                    usage->wakeups, usage->page_ms);
    if (usage->fuel != 0)
        sw_buffer_print(out, " fuel=%" PRIu64, usage->fuel);
}
