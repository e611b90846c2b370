/* uses: pkg/agent/link */
/* covers: pkg/agent/link/frame.c pkg/agent/link/past.c */
#include "pkg/agent/link/entries.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_entries(struct sw_bytes entries)
{
    struct sw_reader reader = sw_reader_of(entries.data, entries.size);
    struct sw_frame_instance instance;
    struct sw_buffer out;

    sw_buffer_init(&out, 2u << 20);
    while (sw_frame_instance_take(&reader, &instance))
        sw_frame_instance_put(&instance, &out);
    if (!reader.failed && (out.size != entries.size ||
                           (out.size > 0 && memcmp(out.data, entries.data, out.size) != 0)))
        abort();
    sw_buffer_done(&out);
}

static void read_letters(struct sw_bytes entries)
{
    struct sw_reader reader = sw_reader_of(entries.data, entries.size);
    struct sw_frame_letter letter;
    struct sw_buffer out;

    sw_buffer_init(&out, 2u << 20);
    while (sw_frame_letter_take(&reader, &letter))
        sw_frame_letter_put(&letter, &out);
    if (!reader.failed && (out.size != entries.size ||
                           (out.size > 0 && memcmp(out.data, entries.data, out.size) != 0)))
        abort();
    sw_buffer_done(&out);
}

static void check_rows(const struct sw_reader *reader, struct sw_buffer *out, struct sw_bytes rows)
{
    if (!reader->failed &&
        (out->size != rows.size || (out->size > 0 && memcmp(out->data, rows.data, out->size) != 0)))
        abort();
    sw_buffer_done(out);
}

static void take_effects(struct sw_bytes rows)
{
    struct sw_reader reader = sw_reader_of(rows.data, rows.size);
    struct sw_past_effect effect;
    struct sw_buffer out;

    sw_buffer_init(&out, 4u << 20);
    while (sw_past_effect_take(&reader, &effect))
        sw_past_effect_put(&effect, &out);
    check_rows(&reader, &out, rows);
}

static void take_items(struct sw_bytes rows)
{
    struct sw_reader reader = sw_reader_of(rows.data, rows.size);
    struct sw_past_item item;
    struct sw_buffer out;

    sw_buffer_init(&out, 4u << 20);
    while (sw_past_item_take(&reader, &item))
        sw_past_item_put(&item, &out);
    check_rows(&reader, &out, rows);
}

/* Whatever is taken can be put again and is then the same bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int side = SW_FRAME_TO_HOST; side <= SW_FRAME_FROM_HOST; side++) {
        size_t at = 0, used;
        struct sw_frame frame;

        while (sw_frame_take((struct sw_bytes){data + at, size - at}, (enum sw_frame_direction)side,
                             &frame, &used, NULL) == SW_OK &&
               used > 0) {
            struct sw_buffer out;

            sw_buffer_init(&out, SW_FRAME_BYTES_MAX + 16);
            sw_frame_put(&frame, &out);
            if (out.size != used || memcmp(out.data, data + at, used) != 0 ||
                sw_frame_kind_name(frame.kind)[0] == '?')
                abort();
            sw_buffer_done(&out);
            if (frame.kind == SW_FRAME_INSTANCES)
                take_entries(frame.instances.entries);
            if (frame.kind == SW_FRAME_LETTERS_PAGE)
                read_letters(frame.instances.entries);
            if (frame.kind == SW_FRAME_PAST_TURN)
                take_effects(frame.past_turn.effects);
            if (frame.kind == SW_FRAME_PAST_STATE)
                take_items(frame.past_state.items);
            at += used;
        }
    }
    return 0;
}
