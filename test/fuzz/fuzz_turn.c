/* uses: pkg/broker/process */
/* covers: pkg/broker/process/frame.c */
/* What a process says in the protocol of turns: one frame behind the other. */
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
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
        if (sw_turn_check(&view, &err) == SW_OK &&
            (view.head.kind > SW_TURN_FROM_PROCESS || view.head.priority != 0))
            abort();
        data += taken;
        size -= taken;
    }
    return 0;
}
