#include "pkg/communication/protocol/grpc_state.h"

#include "pkg/utils/base/text.h"

#include <stdlib.h>
#include <string.h>

/* ---- Protocol Buffers ---- */

static void put_varint(struct sw_buffer *out, uint64_t value)
{
    while (value > 127) {
        sw_buffer_put_u8(out, (uint8_t)(value | 128));
        value >>= 7;
    }
    sw_buffer_put_u8(out, (uint8_t)value);
}

void sw_wire_put_number(struct sw_buffer *out, unsigned field, uint64_t value)
{
    if (value == 0)
        return;
    put_varint(out, field << 3);
    put_varint(out, value);
}

void sw_wire_put_bytes(struct sw_buffer *out, unsigned field, struct sw_bytes bytes)
{
    put_varint(out, field << 3 | 2);
    put_varint(out, bytes.size);
    sw_buffer_put(out, bytes.data, bytes.size);
}

void sw_wire_put_text(struct sw_buffer *out, unsigned field, const char *text)
{
    if (text[0] != '\0')
        sw_wire_put_bytes(out, field, sw_bytes_of_text(text));
}

static bool take_varint(struct sw_bytes *rest, uint64_t *ret_value)
{
    const uint8_t *data = rest->data;
    uint64_t value = 0;

    for (size_t i = 0; i < rest->size && i < 10; i++) {
        value |= (uint64_t)(data[i] & 127) << (7 * i);
        if ((data[i] & 128) != 0)
            continue;
        rest->data = data + i + 1;
        rest->size -= i + 1;
        *ret_value = value;
        return true;
    }
    return false;
}

bool sw_wire_next(struct sw_bytes *rest, struct wire_field *ret_field, bool *ret_is_bad)
{
    uint64_t tag, size = 0;

    *ret_is_bad = false;
    if (rest->size == 0)
        return false;
    *ret_is_bad = true;
    *ret_field = (struct wire_field){0};
    if (!take_varint(rest, &tag) || tag >> 3 == 0 || tag >> 3 > UINT32_MAX)
        return false;
    ret_field->number = (unsigned)(tag >> 3);
    switch (tag & 7) {
    case 0:
        ret_field->is_number = true;
        *ret_is_bad = !take_varint(rest, &ret_field->value);
        return !*ret_is_bad;
    case 1:
        size = 8;
        break;
    case 2:
        if (!take_varint(rest, &size))
            return false;
        break;
    case 5:
        size = 4;
        break;
    default:
        return false;
    }
    if (size > rest->size)
        return false;
    ret_field->bytes = (struct sw_bytes){.data = rest->data, .size = (size_t)size};
    rest->data = (const uint8_t *)rest->data + size;
    rest->size -= (size_t)size;
    *ret_is_bad = false;
    return true;
}

/* ---- Status (google/rpc/status.proto, error_details.proto) ---- */

static void put_detail(struct sw_buffer *out, const char *type, const struct sw_buffer *value)
{
    struct sw_buffer any;
    char url[96] = "type.googleapis.com/google.rpc.";

    (void)strncat(url, type, sizeof url - strlen(url) - 1);
    sw_buffer_init(&any, 4096);
    sw_wire_put_text(&any, 1, url);
    sw_wire_put_bytes(&any, 2, (struct sw_bytes){.data = value->data, .size = value->size});
    sw_wire_put_bytes(out, 3, (struct sw_bytes){.data = any.data, .size = any.size});
    sw_buffer_done(&any);
}

/* A message with one repeated field, its number 1, that holds one message of two texts. */
static void put_pair_detail(struct sw_buffer *out, const char *type, const char *one,
                            const char *two)
{
    struct sw_buffer inner, outer;

    sw_buffer_init(&inner, 2048);
    sw_buffer_init(&outer, 2048);
    sw_wire_put_text(&inner, 1, one);
    sw_wire_put_text(&inner, 2, two);
    sw_wire_put_bytes(&outer, 1, (struct sw_bytes){.data = inner.data, .size = inner.size});
    put_detail(out, type, &outer);
    sw_buffer_done(&inner);
    sw_buffer_done(&outer);
}

void sw_grpc_put_status(struct sw_buffer *out, enum sw_rc rc, const struct sw_err *err)
{
    struct sw_buffer info;

    sw_wire_put_number(out, 1, (uint64_t)-(int64_t)rc);
    if (err == NULL)
        return;
    sw_wire_put_text(out, 2, err->message);
    sw_buffer_init(&info, 1024);
    sw_wire_put_text(&info, 1, sw_rc_name(rc));
    sw_wire_put_text(&info, 2, "swarm");
    put_detail(out, "ErrorInfo", &info);
    sw_buffer_done(&info);
    if (err->field[0] != '\0')
        put_pair_detail(out, "BadRequest", err->field, err->message);
    if (err->hint[0] != '\0')
        put_pair_detail(out, "Help", err->hint, "");
}

void sw_grpc_put_message(struct sw_buffer *out, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";

    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        if (*at >= ' ' && *at < 0x7f && *at != '%') {
            sw_buffer_put_u8(out, *at);
        } else {
            sw_buffer_put_u8(out, '%');
            sw_buffer_put_u8(out, (uint8_t)digits[*at >> 4]);
            sw_buffer_put_u8(out, (uint8_t)digits[*at & 15]);
        }
    }
}

/* ---- Frames and deadlines ---- */

void sw_grpc_frame_head(size_t size, uint8_t ret_head[SW_GRPC_HEAD_BYTES])
{
    ret_head[0] = 0;
    for (unsigned i = 0; i < 4; i++)
        ret_head[1 + i] = (uint8_t)(size >> (24 - 8 * i));
}

void sw_grpc_put_frame(struct sw_buffer *out, struct sw_bytes message)
{
    uint8_t head[SW_GRPC_HEAD_BYTES];

    sw_grpc_frame_head(message.size, head);
    sw_buffer_put(out, head, sizeof head);
    sw_buffer_put(out, message.data, message.size);
}

enum sw_rc sw_grpc_take_frame(struct sw_bytes *bytes, size_t size_max, struct sw_bytes *ret_message)
{
    const uint8_t *data = bytes->data;
    size_t size = 0;

    if (bytes->size < SW_GRPC_HEAD_BYTES)
        return SW_E_UNAVAILABLE;
    if (data[0] > 1)
        return SW_E_CORRUPT;
    if (data[0] == 1)
        return SW_E_UNSUPPORTED;
    for (unsigned i = 0; i < 4; i++)
        size = size << 8 | data[1 + i];
    if (size > size_max)
        return SW_E_RANGE;
    if (bytes->size - SW_GRPC_HEAD_BYTES < size)
        return SW_E_UNAVAILABLE;
    *ret_message = (struct sw_bytes){.data = data + SW_GRPC_HEAD_BYTES, .size = size};
    bytes->data = data + SW_GRPC_HEAD_BYTES + size;
    bytes->size -= SW_GRPC_HEAD_BYTES + size;
    return SW_OK;
}

enum sw_rc sw_grpc_parse_timeout(struct sw_bytes text, uint64_t *ret_ms)
{
    const char *data = text.data;
    uint64_t value = 0, unit_us;

    if (text.size < 2 || text.size > 9)
        return SW_E_INVALID;
    for (size_t i = 0; i < text.size - 1; i++) {
        if (data[i] < '0' || data[i] > '9')
            return SW_E_INVALID;
        value = value * 10 + (uint64_t)(data[i] - '0');
    }
    switch (data[text.size - 1]) {
    case 'H':
        unit_us = 3600000000u;
        break;
    case 'M':
        unit_us = 60000000u;
        break;
    case 'S':
        unit_us = 1000000u;
        break;
    case 'm':
        unit_us = 1000u;
        break;
    case 'u':
        unit_us = 1u;
        break;
    case 'n':
        *ret_ms = (value + 999999u) / 1000000u;
        return SW_OK;
    default:
        return SW_E_INVALID;
    }
    *ret_ms = (value * unit_us + 999u) / 1000u;
    return SW_OK;
}
