#include "pkg/agent/controller/pieces.h"

#include <string.h>

/* The piece of all that begins at `at`. */
static struct sw_bytes piece_of(struct sw_bytes all, size_t at)
{
    size_t left = all.size - at;

    if (left == 0)
        return (struct sw_bytes){NULL, 0};
    return (struct sw_bytes){(const uint8_t *)all.data + at,
                             left < SW_FRAME_CHUNK_MAX ? left : SW_FRAME_CHUNK_MAX};
}

void sw_pieces_send_module(const struct sw_pieces *pieces, const char *program,
                           struct sw_bytes machine)
{
    for (size_t at = 0; at < machine.size;) {
        struct sw_bytes piece = piece_of(machine, at);
        const struct sw_frame frame = {.kind = SW_FRAME_MODULE,
                                       .module = {.digest = {program, strlen(program)},
                                                  .offset = at,
                                                  .total = machine.size,
                                                  .bytes = piece}};

        pieces->send(pieces->ctx, &frame);
        at += piece.size;
    }
}

void sw_pieces_send_bundle(const struct sw_pieces *pieces, const char *program,
                           const struct sw_abi_code *code)
{
    size_t at = 0;

    do { /* An empty one has a piece as well. */
        struct sw_bytes piece = piece_of(code->payload, at);
        const struct sw_frame frame = {.kind = SW_FRAME_BUNDLE,
                                       .bundle = {.digest = {program, strlen(program)},
                                                  .runtime = {code->runtime, strlen(code->runtime)},
                                                  .offset = at,
                                                  .total = code->payload.size,
                                                  .bytes = piece}};

        pieces->send(pieces->ctx, &frame);
        at += piece.size;
    } while (at < code->payload.size);
}
