/* What a fork lets out before it is released: its sends, questions and publishes in their order, as
 * effects are put down. It is part of the actor, so it follows from records like all else; the
 * record of the release has them as its own effects.
 *
 * Threads: one at a time.  I/O: none.  Limits: SW_WITHHELD_MAX effects, SW_WITHHELD_BYTES_MAX. */
#pragma once
#include "pkg/agent/store/effect.h"

#define SW_WITHHELD_MAX 1024u
#define SW_WITHHELD_BYTES_MAX (1u << 20)

struct sw_withheld {
    struct sw_buffer effects;
    uint32_t count;
};

/* With nothing in it.  NULL: no memory. */
struct sw_withheld *sw_withheld_new(void);
void sw_withheld_free(struct sw_withheld *withheld);
/* Whether effects of that kind are held, and not carried out, while an instance is. */
static inline bool sw_withheld_takes(enum sw_effect_kind kind)
{
    return kind == SW_EFFECT_SEND || kind == SW_EFFECT_ASK || kind == SW_EFFECT_PUBLISH;
}
/* Whether one more has room beside `count` others of `bytes`, which are to come before it. */
bool sw_withheld_has_room(const struct sw_withheld *withheld, uint32_t count, size_t bytes,
                          const struct sw_effect *effect);
/* Add one that had room.  SW_E_CORRUPT: it has none.  SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_withheld_put(struct sw_withheld *withheld,
                                         const struct sw_effect *effect);
/* As bytes, and back.  SW_E_CORRUPT: not such bytes.  SW_E_EXHAUSTED: no memory. */
void sw_withheld_save(const struct sw_withheld *withheld, struct sw_buffer *out);
SW_MUST_CHECK enum sw_rc sw_withheld_load(struct sw_withheld **ret_withheld,
                                          struct sw_reader *reader);
