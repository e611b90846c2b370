/* Where sends go: the Pod of a name's slot, and its worker. What was found is remembered under the
 * name, since agents write to the same few names again and again; a change of routes forgets it.
 *
 * Threads: one at a time.  I/O: none.  Limits: SW_WAYS_MAX names. Colliding ones take turns; where
 * hardly any comes again, only one that comes twice in a row takes another one's place. */
#pragma once
#include "pkg/agent/runtime/actor/routes.h"

#define SW_WAYS_MAX 4096u

struct sw_instance; /* state.h */

struct sw_way {        /* All that a send needs of it is in one line of the processor's cache. */
    uint64_t removals; /* As long as the worker counts so many, it leads to */
    struct sw_instance *instance;
    const struct sw_route *route; /* NULL: nowhere, with `status`. */
    uint64_t pod;
    uint64_t hash;       /* sw_board_key of the receiver. */
    uint32_t worker;     /* Of the Pod. */
    int32_t status;      /* A negative code. */
    uint16_t agent_size; /* Of the name: its agent, then a slash and the key. 0: it is none. */
    bool is_durable;     /* The Pod is. */
    bool is_new;         /* It was found just now, not remembered. */
    bool is_replica;     /* A replica was chosen: its key stands behind this, NUL-terminated. */
    uint8_t to_size;     /* Of the name that it was found for. */
};

struct sw_ways; /* Opaque. */

struct sw_ways *sw_ways_new(void); /* NULL: no memory. */
void sw_ways_free(struct sw_ways *ways);

struct sw_space {         /* A namespace, */
    struct sw_bytes name; /* and what stands for it: equal for equal names, else different. */
    uint64_t hash;
};

/* The way from the namespace to a name, "agent/key" or "agent": for the latter the replica of that
 * number modulo their count. It holds until the next one is looked for; `instance`
 * and `removals` are the caller's. */
struct sw_way *sw_ways_find(struct sw_ways *ways, const struct sw_routes *routes,
                            const struct sw_space *space, struct sw_bytes to, uint64_t replica);
/* The key of the receiver, out of the way or out of the name that it was found for. */
static inline struct sw_bytes sw_way_key(const struct sw_way *way, struct sw_bytes to)
{
    return way->is_replica ? (struct sw_bytes){way + 1, strlen((const char *)(way + 1))}
                           : (struct sw_bytes){(const char *)to.data + way->agent_size + 1,
                                               to.size - way->agent_size - 1};
}
