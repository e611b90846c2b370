/* What swarmd and its compiler child say to each other over a socket pair: one frame each way.
 *
 *   u32 magic   i32 status   u32 size   size bytes
 *
 * To the child: the class of engine (pkg/agent/abi/class.h) as the status, and the module. Back:
 * status 0 and machine code, or a negative enum sw_rc and words. Little-endian. Threads: pure
 * functions.  I/O: none. */
#pragma once
#include "pkg/utils/base/buffer.h"

#define SW_COMPILER_FRAME_MAGIC 0x46435753u /* "SWCF" */
#define SW_COMPILER_FRAME_SIZE 12u

struct sw_compiler_frame {
    int32_t status;
    uint32_t size; /* Of what follows. */
};

static inline void sw_compiler_frame_put(struct sw_buffer *out, int32_t status, uint32_t size)
{
    sw_buffer_put_u32(out, SW_COMPILER_FRAME_MAGIC);
    sw_buffer_put_u32(out, (uint32_t)status);
    sw_buffer_put_u32(out, size);
}

/* SW_E_CORRUPT: not a frame, or it announces more than size_max bytes.
 * SW_E_UNAVAILABLE: not all of SW_COMPILER_FRAME_SIZE bytes are there yet. */
SW_MUST_CHECK static inline enum sw_rc sw_compiler_frame_get(struct sw_bytes bytes, size_t size_max,
                                                             struct sw_compiler_frame *ret_frame)
{
    struct sw_reader reader = sw_reader_of(bytes.data, bytes.size);
    uint32_t magic = sw_reader_u32(&reader);

    ret_frame->status = (int32_t)sw_reader_u32(&reader);
    ret_frame->size = sw_reader_u32(&reader);
    if (reader.failed)
        return SW_E_UNAVAILABLE;
    return magic == SW_COMPILER_FRAME_MAGIC && ret_frame->size <= size_max ? SW_OK : SW_E_CORRUPT;
}
