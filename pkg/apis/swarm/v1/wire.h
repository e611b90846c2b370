/* The words of the Protocol Buffers wire format. For the files of this room only.
 *
 * Threads: pure functions.  I/O: none. */
#pragma once
#include "pkg/apis/swarm/v1/descriptor.h"

#define SW_WIRE_VARINT_MAX 10 /* Bytes of the longest number. */

enum sw_wire {
    SW_WIRE_VARINT = 0,
    SW_WIRE_FIXED64 = 1,
    SW_WIRE_RUN = 2, /* A size and that many bytes. */
    SW_WIRE_FIXED32 = 5
};

/* How one item of the field is written. */
static inline enum sw_wire sw_wire_of(const struct sw_api_field *field)
{
    switch (field->type) {
    case SW_API_TYPE_STRING:
    case SW_API_TYPE_BYTES:
    case SW_API_TYPE_MESSAGE:
    case SW_API_TYPE_MAP:
        return SW_WIRE_RUN;
    case SW_API_TYPE_BOOL:
    case SW_API_TYPE_INT32:
    case SW_API_TYPE_UINT32:
    case SW_API_TYPE_UINT64:
    case SW_API_TYPE_ENUM:
        break;
    }
    return SW_WIRE_VARINT;
}
