/* Programs in frames, piece by piece, on whichever link: MODULE and BUNDLE.
 *
 * Threads: the caller's.  I/O: that of send.  Limits: SW_FRAME_CHUNK_MAX for each piece. */
#pragma once
#include "pkg/agent/abi/class.h"
#include "pkg/agent/link/frame.h"

struct sw_pieces { /* Where they go; a frame is borrowed for the call. */
    void (*send)(void *ctx, const struct sw_frame *frame);
    void *ctx;
};

/* The machine code of a module, which is not empty. */
void sw_pieces_send_module(const struct sw_pieces *pieces, const char *program,
                           struct sw_bytes machine);
/* The payload of a bundle, whose runtime the host has. */
void sw_pieces_send_bundle(const struct sw_pieces *pieces, const char *program,
                           const struct sw_abi_code *code);
