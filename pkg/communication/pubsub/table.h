/* Who subscribed to what: a tree of tokens per space (a namespace), searched by each publish.
 *
 *     space "default" --- orders --+-- new   {7, 9}
 *                                  +-- *     {12}         publish orders.new  ->  7, 9, 12, 3
 *                                  +-- >     {3}
 *
 * A subscriber is a number given by the caller (an instance id). It is told of once per publish,
 * however many of its patterns match.
 * Threads: one at a time; whoever shares a table locks it.  I/O: none.
 * Limits: SW_SUBSCRIPTIONS_MAX patterns in one table. */
#pragma once
#include "pkg/communication/pubsub/subject.h"

#define SW_SUBSCRIPTIONS_MAX (1u << 22)

struct sw_pubsub; /* Opaque. */

struct sw_pubsub_key { /* One subscription. */
    struct sw_bytes space;
    struct sw_bytes pattern; /* Valid (sw_subject_is_pattern). */
    uint64_t subscriber;     /* Not 0. */
};

/* seed: random, since subjects come from outside. NULL when memory is out. */
struct sw_pubsub *sw_pubsub_new(uint64_t seed);
void sw_pubsub_free(struct sw_pubsub *table);
SW_DEFINE_CLEANUP(struct sw_pubsub, sw_pubsub_free)

/* SW_E_EXISTS: it was there already.  SW_E_EXHAUSTED: the limit or memory; nothing changed. */
SW_MUST_CHECK enum sw_rc sw_pubsub_add(struct sw_pubsub *table, const struct sw_pubsub_key *key);
/* SW_E_NOT_FOUND: it was not there. */
enum sw_rc sw_pubsub_remove(struct sw_pubsub *table, const struct sw_pubsub_key *key);
/* Subscriptions in the table. */
size_t sw_pubsub_count(const struct sw_pubsub *table);

/* Append every subscriber of a valid subject to out as u64, ascending, each once.
 * Costs the tokens of the subject times the patterns that share them, and the sorting. */
void sw_pubsub_match(const struct sw_pubsub *table, struct sw_bytes space, struct sw_bytes subject,
                     struct sw_buffer *out);
