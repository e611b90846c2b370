/* gRPC frames, timeouts, and the Protocol Buffers of health and reflection. */
/* uses: pkg/communication/protocol */
/* covers: pkg/communication/protocol/grpc_wire.c */
#include "pkg/communication/protocol/grpc_state.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was framed comes back whole. */
static void round_trip(struct sw_bytes message)
{
    struct sw_buffer out;
    struct sw_bytes rest, back;

    sw_buffer_init(&out, 1u << 20);
    sw_grpc_put_frame(&out, message);
    rest = (struct sw_bytes){.data = out.data, .size = out.size};
    if (sw_grpc_take_frame(&rest, 1u << 20, &back) != SW_OK || rest.size != 0 ||
        back.size != message.size ||
        (message.size > 0 && memcmp(back.data, message.data, message.size) != 0))
        abort();
    sw_buffer_done(&out);
}

static void read_fields(struct sw_bytes rest)
{
    const uint8_t *end = (const uint8_t *)rest.data + rest.size;
    struct wire_field field;
    bool is_bad;

    while (sw_wire_next(&rest, &field, &is_bad)) {
        if (field.number == 0)
            abort();
        if (!field.is_number && field.bytes.size > 0 &&
            (const uint8_t *)field.bytes.data + field.bytes.size > end)
            abort();
    }
    if (!is_bad && rest.size != 0)
        abort();
}

static void write_status(const uint8_t *data, size_t size)
{
    struct sw_buffer out, text;
    struct sw_err err = {.rc = SW_E_INVALID};

    (void)memcpy(err.message, data, size < 100 ? size : 100);
    if (size > 100)
        (void)memcpy(err.field, data + 100, size - 100 < 100 ? size - 100 : 100);
    if (size > 200)
        (void)memcpy(err.hint, data + 200, size - 200 < 100 ? size - 200 : 100);
    sw_buffer_init(&out, 1u << 16);
    sw_buffer_init(&text, 1u << 16);
    sw_grpc_put_status(&out, SW_E_INVALID, &err);
    sw_grpc_put_status(&out, SW_E_INVALID, NULL);
    sw_grpc_put_message(&text, err.message);
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < ' ' || text.data[i] > '~')
            abort();
    read_fields((struct sw_bytes){.data = out.data, .size = out.size});
    sw_buffer_done(&out);
    sw_buffer_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sw_bytes rest = {.data = data, .size = size}, message;
    uint64_t ms;

    while (sw_grpc_take_frame(&rest, 4096, &message) == SW_OK) {
        round_trip(message);
        read_fields(message);
    }
    read_fields((struct sw_bytes){.data = data, .size = size});
    (void)!sw_grpc_parse_timeout((struct sw_bytes){.data = data, .size = size}, &ms);
    write_status(data, size);
    return 0;
}
