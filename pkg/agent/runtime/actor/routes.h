/* Which worker owns which Pod, and which Pod an Agent's keys belong to. Each worker has its own
 * copy, changed by the same messages, so that looking up takes no lock.
 *
 * Threads: one at a time.  I/O: none.  Limits: SW_ROUTE_PODS_MAX Pods. */
#pragma once
#include "pkg/utils/base/buffer.h"

#define SW_SLOTS 256u
#define SW_ROUTE_PODS_MAX (1u << 20)

struct sw_route_pod { /* What everybody knows of a Pod. */
    uint64_t pod;     /* Number; not 0. */
    uint32_t worker;
    bool is_durable;
    uint8_t slots[SW_SLOTS / 8];
};

struct sw_route {            /* An Agent. */
    uint8_t hash_key[16];    /* From the Agent's uid. */
    uint64_t pods[SW_SLOTS]; /* Number of the Pod that holds the slot; 0: none here. */
    uint32_t replicas;
    uint32_t body_bytes;     /* Limit of a message. */
    uint32_t children_per_s; /* Limit of births by an instance; 0: none. */
    bool is_keyed;
};

struct sw_route_change { /* A Pod came, changed, or (is_gone) went. Texts are borrowed. */
    struct sw_bytes name_space, agent;
    struct sw_route_pod pod;
    uint8_t hash_key[16];
    uint32_t replicas, body_bytes, children_per_s;
    bool is_keyed, is_gone;
};

struct sw_routes; /* Opaque. */

struct sw_routes *sw_routes_new(uint64_t seed);
void sw_routes_free(struct sw_routes *routes);
SW_DEFINE_CLEANUP(struct sw_routes, sw_routes_free)

SW_MUST_CHECK enum sw_rc sw_routes_change(struct sw_routes *routes,
                                          const struct sw_route_change *change);
/* How often they were changed, counted from 1: what was found holds as long as this does. */
uint64_t sw_routes_changes(const struct sw_routes *routes);
/* NULL: no such Agent here. */
const struct sw_route *sw_routes_agent(const struct sw_routes *routes, struct sw_bytes name_space,
                                       struct sw_bytes agent);
/* The number of the Pod that holds the slot of an instance (its id, or, if that is 0, its key) of
 * pod's Agent now: another one after slots were moved, also when `pod` is gone since; 0: none. */
uint64_t sw_routes_holder(const struct sw_routes *routes, uint64_t pod, uint64_t instance,
                          struct sw_bytes key);
/* Pods that are gone while others of their Agent are here, with the names of the Agent: start with
 * *cursor 0. They are what sw_routes_holder knows old Pods by. */
bool sw_routes_next_gone(const struct sw_routes *routes, size_t *cursor, uint64_t *ret_pod,
                         struct sw_bytes *ret_space, struct sw_bytes *ret_agent);
/* Note such a Pod.  SW_E_EXHAUSTED: no memory, or SW_ROUTE_PODS_MAX of them. */
SW_MUST_CHECK enum sw_rc sw_routes_add_gone(struct sw_routes *routes, uint64_t pod,
                                            struct sw_bytes name_space, struct sw_bytes agent);
/* NULL: no such Pod here. */
const struct sw_route_pod *sw_routes_pod(const struct sw_routes *routes, uint64_t pod);

/* The 16 bytes of "01932c07-8ba2-7c1e-9a2b-0123456789ab"; another text is hashed into them. */
void sw_slot_key(struct sw_bytes agent_uid, uint8_t ret_key[16]);
/* The slot of an instance's key: SipHash-2-4 of it under the Agent's uid, or of what stands in its
 * first pair of braces if that is not empty, so that "{17}" and "log {17}" are neighbours. */
uint32_t sw_slot_of(const uint8_t hash_key[16], struct sw_bytes key);
/* The same, for who has the hash of the whole key. */
uint32_t sw_slot_of_hashed(const uint8_t hash_key[16], struct sw_bytes key, uint64_t hash);
/* The slot of all keys that begin so. False: they may be in any. */
bool sw_slot_of_prefix(const uint8_t hash_key[16], struct sw_bytes prefix, uint32_t *ret_slot);
/* Whether a slot is among these, of which each has a bit. */
static inline bool sw_slots_have(const uint8_t slots[SW_SLOTS / 8], uint32_t slot)
{
    return (slots[slot / 8] >> slot % 8 & 1) != 0;
}
/* The slot of an instance, which its id ends with. */
static inline uint32_t sw_instance_slot(uint64_t id)
{
    return (uint32_t)(id % SW_SLOTS);
}
/* Split "agent/key" at the first slash; a name without one has an empty key.
 * False: not a name (empty parts, too long, not UTF-8). */
bool sw_name_split(struct sw_bytes name, struct sw_bytes *ret_agent, struct sw_bytes *ret_key);
