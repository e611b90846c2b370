/* Room for calls of models and for their bytes, in all and of each namespace. For the files of this
 * room.
 *
 * What all calls together hold is counted: requests as they were read and as they are sent, which
 * may fill three quarters, and answers that are gathered, for which the rest is left: they were
 * paid for. A namespace has at most four fifths of each, so that there is room for others. Threads:
 * the loop's.  I/O: none.  Limits: those that it was made with. */
#pragma once
#include "pkg/utils/base/map.h"

#include <stdbool.h>

struct model_share; /* Opaque: what calls of one namespace hold. */

struct model_room {
    struct sw_map *shares; /* struct model_share, by namespace. */
    uint64_t bytes, bytes_max;
    uint32_t calls, calls_max;
};

/* SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_model_room_init(struct model_room *room, uint64_t seed,
                                            uint32_t calls_max, uint64_t bytes_max);
/* Nothing is held any more, or shares are not used again. */
void sw_model_room_done(struct model_room *room);
/* Take room for one more call with so many bytes. The share is given back with
 * sw_model_room_leave. SW_E_EXHAUSTED: there is none, and err says of what; or no memory. */
SW_MUST_CHECK enum sw_rc sw_model_room_enter(struct model_room *room, const char *name_space,
                                             uint64_t bytes, struct model_share **ret_share,
                                             struct sw_err *err);
/* The call holds more, of its request or of an answer. SW_E_EXHAUSTED: there is no room for that.
 */
SW_MUST_CHECK enum sw_rc sw_model_room_grow(struct model_room *room, struct model_share *share,
                                            uint64_t bytes, bool is_answer, struct sw_err *err);
void sw_model_room_shrink(struct model_room *room, struct model_share *share, uint64_t bytes);
/* The call is over, and held so many bytes. */
void sw_model_room_leave(struct model_room *room, struct model_share *share, uint64_t bytes);
