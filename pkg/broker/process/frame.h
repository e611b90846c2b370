/* Frames of the protocol of turns (pkg/agent/runtime/process/turn.h) as bytes. Private to this
 * room.
 *
 * What a process says is a stranger's: it is bounded, and checked before anybody acts on it.
 * Threads: pure functions.  I/O: none.  Limits: those of turn.h. */
#pragma once
#include "pkg/agent/runtime/process/turn.h"
#include "pkg/utils/base/buffer.h"

struct sw_turn_view {          /* Borrows what it was read from. */
    struct sw_turn_frame head; /* Its sizes are those of the bytes. */
    struct sw_bytes name, subject, type, state, body;
};

/* The frame that bytes begin with, and its size.
 * SW_E_UNAVAILABLE  it is not all there yet; nothing is set, err is not touched
 * SW_E_INVALID      it is none, or one of its parts is too large */
SW_MUST_CHECK enum sw_rc sw_turn_read(struct sw_bytes bytes, struct sw_turn_view *ret_view,
                                      size_t *ret_size, struct sw_err *err);
/* Whether a process may say that: its kind and its fields fit each other.  SW_E_INVALID. */
SW_MUST_CHECK enum sw_rc sw_turn_check(const struct sw_turn_view *view, struct sw_err *err);
/* Append a frame; the sizes in its head are not looked at. */
void sw_turn_put(struct sw_buffer *out, const struct sw_turn_view *view);
/* Append what changed in a frame since the last one, if that is shorter than all of it, as
 * SW_PROCESS_CHANGES of call.h has it; else nothing. `last`, what is compared with, becomes what is
 * behind the head of this one if the agent in front keeps that as well. */
void sw_frame_put_change(struct sw_buffer *out, struct sw_buffer *last, struct sw_bytes frame);
