/* uses: pkg/broker/process */
/* covers: pkg/broker/process/frame.c */
/* What a process says in the protocol of turns: one frame behind the other. */
#include "pkg/agent/runtime/process/call.h"
#include "pkg/broker/process/frame.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read is written as it was. */
static void write_again(const struct sw_turn_view *view, const uint8_t *data, size_t size)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer out;

    sw_buffer_init(&out, SW_TURN_FRAME_MAX);
    sw_turn_put(&out, view);
    if (out.failed || out.size != size || memcmp(out.data, data, size) != 0)
        abort();
}

/* What changed since the frame before makes the same of that. */
static void tell_change(struct sw_buffer *last, struct sw_bytes frame)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer out, before, whole;
    struct sw_process_change change;
    size_t head = sizeof(struct sw_turn_frame);

    sw_buffer_init(&out, SW_TURN_FRAME_MAX);
    sw_buffer_init(&before, SW_PROCESS_LAST_MAX);
    sw_buffer_init(&whole, SW_TURN_FRAME_MAX);
    sw_buffer_put(&before, last->data, last->size);
    sw_frame_put_change(&out, last, frame);
    if (out.size == 0)
        return;
    memcpy(&change, out.data + head, sizeof change);
    if ((size_t)change.begin_size + change.end_size > before.size || out.size >= frame.size)
        abort();
    sw_buffer_put(&whole, frame.data, head);
    sw_buffer_put(&whole, before.data, change.begin_size);
    sw_buffer_put(&whole, out.data + head + sizeof change, out.size - head - sizeof change);
    sw_buffer_put(&whole, before.data + before.size - change.end_size, change.end_size);
    if (whole.failed || whole.size != frame.size || memcmp(whole.data, frame.data, whole.size) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer last;

    sw_buffer_init(&last, SW_PROCESS_LAST_MAX);
    while (size > 0) {
        struct sw_turn_view view;
        struct sw_err err = {0};
        size_t taken = 0;
        enum sw_rc rc = sw_turn_read((struct sw_bytes){data, size}, &view, &taken, &err);

        if (rc != SW_OK)
            return 0;
        if (taken < sizeof view.head || taken > size || view.name.size > SW_TURN_NAME_MAX ||
            view.state.size > SW_TURN_STATE_MAX)
            abort();
        write_again(&view, data, taken);
        tell_change(&last, (struct sw_bytes){data, taken});
        if (sw_turn_check(&view, &err) == SW_OK &&
            (view.head.kind > SW_TURN_FROM_PROCESS || view.head.priority != 0))
            abort();
        data += taken;
        size -= taken;
    }
    return 0;
}
