#include "pkg/agent/runtime/actor/ways.h"

#include "pkg/agent/runtime/actor/shared.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXT_MAX 120u
#define REPLICA_MAX 22u

struct known {
    _Alignas(64) struct sw_way way;
    uint64_t space; /* The hash of the namespace. */
    char to[TEXT_MAX];
};

struct sw_ways {
    struct known known[SW_WAYS_MAX];
    struct { /* That is not to be remembered. */
        struct sw_way way;
        char replica[REPLICA_MAX];
    } last;
};

_Static_assert(sizeof(struct sw_way) == 64, "a line of the cache");

struct sw_ways *sw_ways_new(void)
{
    struct sw_ways *ways = aligned_alloc(_Alignof(struct sw_ways), sizeof *ways);

    if (ways != NULL)
        memset(ways, 0, sizeof *ways);
    return ways;
}

void sw_ways_free(struct sw_ways *ways)
{
    free(ways);
}

/* By the end of the name, which tells most apart. Who makes names collide has them looked up, no
 * more: those of others that stand in the same places, too. */
static size_t place_of(uint64_t space, struct sw_bytes to)
{
    const uint8_t *bytes = to.data;
    uint64_t end = to.size + space;

    if (to.size >= sizeof end) {
        memcpy(&end, bytes + to.size - sizeof end, sizeof end);
        end += to.size + space;
    } else {
        for (size_t i = 0; i < to.size; i++)
            end = end << 8 ^ bytes[i];
    }
    return (size_t)(end * UINT64_C(0x9e3779b97f4a7c15) >> 52);
}

_Static_assert(SW_WAYS_MAX == 1u << 12, "12 bits are left of the product");

static bool is_known(const struct known *known, uint64_t space, struct sw_bytes to)
{
    return known->way.to_size == to.size && known->space == space &&
           sw_is_same(known->to, to.data, to.size);
}

static void find(const struct sw_routes *routes, struct sw_bytes name_space, struct sw_bytes to,
                 uint64_t replica, struct sw_way *ret_way, char *ret_replica)
{
    const struct sw_route_pod *pod;
    const struct sw_route *route;
    struct sw_bytes agent, key;

    memset(ret_way, 0, sizeof *ret_way);
    ret_way->status = SW_E_UNAVAILABLE;
    if (!sw_name_split(to, &agent, &key))
        return;
    ret_way->agent_size = (uint16_t)agent.size;
    route = sw_routes_agent(routes, name_space, agent);
    if (route == NULL)
        return;
    if (key.size == 0) {
        ret_way->status = route->is_keyed ? SW_E_INVALID : SW_E_UNAVAILABLE;
        if (route->is_keyed || route->replicas == 0)
            return;
        ret_way->is_replica = true;
        snprintf(ret_replica, REPLICA_MAX, "%" PRIu64, replica % route->replicas);
        key = sw_way_key(ret_way, to);
    }
    ret_way->hash = sw_board_key(route->hash_key, key);
    ret_way->pod = route->pods[sw_slot_of_hashed(route->hash_key, key, ret_way->hash)];
    pod = sw_routes_pod(routes, ret_way->pod);
    if (ret_way->pod == 0 || pod == NULL)
        return;
    ret_way->worker = pod->worker;
    ret_way->is_durable = pod->is_durable;
    ret_way->route = route;
}

struct sw_way *sw_ways_find(struct sw_ways *ways, const struct sw_routes *routes,
                            const struct sw_space *space, struct sw_bytes to, uint64_t replica)
{
    struct known *known = &ways->known[place_of(space->hash, to)];
    uint64_t changes = sw_routes_changes(routes);
    struct sw_way *way = &ways->last.way;

    if (known->way.changes == changes && is_known(known, space->hash, to)) {
        known->way.is_new = false;
        return &known->way;
    }
    find(routes, space->name, to, replica, way, ways->last.replica);
    if (way->route == NULL || way->is_replica || to.size > TEXT_MAX)
        return way;
    known->way = *way;
    known->way.changes = changes;
    known->way.is_new = true;
    known->way.to_size = (uint8_t)to.size;
    known->space = space->hash;
    memcpy(known->to, to.data, to.size);
    return &known->way;
}
