#include "pkg/agent/runtime/actor/ways.h"

#include "pkg/agent/runtime/actor/shared.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXT_MAX 120u
#define REPLICA_MAX 22u
#define AGENT_MAX 64u
#define PODS_MAX 16u
#define PLACE_BITS 12
#define WORTH_MAX 64u

struct known {
    _Alignas(64) struct sw_way way;
    uint64_t space; /* The hash of the namespace. */
    char to[TEXT_MAX];
};

/* A few bytes stand for each name that is known, and for the one that was asked for in its place
 * last. While more names come by than there is room for, so that hardly any is known, none drives
 * another out but by coming twice in a row. */
struct sw_ways {
    struct known known[SW_WAYS_MAX];
    uint64_t changes; /* Of the routes, for which all of this holds. */
    uint32_t marks[SW_WAYS_MAX], strangers[SW_WAYS_MAX];
    uint32_t worth; /* How often lately one was known, less how often one was not; 0 at least. */
    struct {        /* That is not remembered. */
        struct sw_way way;
        char replica[REPLICA_MAX];
    } last;
    struct {                          /* The Agent that was looked for last. */
        const struct sw_route *route; /* NULL: none was. */
        uint64_t space;
        size_t size;
        char name[AGENT_MAX];
    } agent;
    const struct sw_route_pod *pods[PODS_MAX]; /* That were looked for last, by their numbers. */
};

_Static_assert(sizeof(struct sw_way) <= 64, "a line of the cache");

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
static uint64_t hash_of(uint64_t space, struct sw_bytes to)
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
    return end * UINT64_C(0x9e3779b97f4a7c15);
}

_Static_assert(SW_WAYS_MAX == 1u << PLACE_BITS, "so many bits of the hash are a place");

static void forget(struct sw_ways *ways, uint64_t changes)
{
    memset(ways->marks, 0, sizeof ways->marks);
    memset(ways->pods, 0, sizeof ways->pods);
    ways->agent.route = NULL;
    ways->changes = changes;
}

/* As sw_routes_agent. */
static const struct sw_route *agent_of(struct sw_ways *ways, const struct sw_routes *routes,
                                       const struct sw_space *space, struct sw_bytes agent)
{
    const struct sw_route *route;

    if (ways->agent.route != NULL && ways->agent.space == space->hash &&
        ways->agent.size == agent.size && sw_is_same(ways->agent.name, agent.data, agent.size))
        return ways->agent.route;
    route = sw_routes_agent(routes, space->name, agent);
    if (route == NULL || agent.size > sizeof ways->agent.name)
        return route;
    ways->agent.route = route;
    ways->agent.space = space->hash;
    ways->agent.size = agent.size;
    memcpy(ways->agent.name, agent.data, agent.size);
    return route;
}

/* As sw_routes_pod. */
static const struct sw_route_pod *pod_of(struct sw_ways *ways, const struct sw_routes *routes,
                                         uint64_t number)
{
    const struct sw_route_pod **pod = &ways->pods[number % PODS_MAX];

    if (*pod == NULL || (*pod)->pod != number)
        *pod = sw_routes_pod(routes, number);
    return *pod;
}

static bool is_known(const struct known *known, uint64_t space, struct sw_bytes to)
{
    return known->way.to_size == to.size && known->space == space &&
           sw_is_same(known->to, to.data, to.size);
}

static void find(struct sw_ways *ways, const struct sw_routes *routes, const struct sw_space *space,
                 struct sw_bytes to, uint64_t replica)
{
    struct sw_way *ret_way = &ways->last.way;
    const struct sw_route_pod *pod;
    const struct sw_route *route;
    struct sw_bytes agent, key;

    memset(ret_way, 0, sizeof *ret_way);
    ret_way->status = SW_E_UNAVAILABLE;
    if (!sw_name_split(to, &agent, &key))
        return;
    ret_way->agent_size = (uint16_t)agent.size;
    route = agent_of(ways, routes, space, agent);
    if (route == NULL)
        return;
    if (key.size == 0) {
        ret_way->status = route->is_keyed ? SW_E_INVALID : SW_E_UNAVAILABLE;
        if (route->replicas == 0) /* A bridge to a replicated Agent is keyed, and has a number. */
            return;
        ret_way->is_replica = true;
        snprintf(ways->last.replica, REPLICA_MAX, "%" PRIu64, replica % route->replicas);
        key = sw_way_key(ret_way, to);
    }
    ret_way->hash = sw_board_key(route->hash_key, key);
    ret_way->pod = route->pods[sw_slot_of_hashed(route->hash_key, key, ret_way->hash)];
    pod = pod_of(ways, routes, ret_way->pod);
    if (ret_way->pod == 0 || pod == NULL)
        return;
    ret_way->worker = pod->worker;
    ret_way->is_durable = pod->is_durable;
    ret_way->route = route;
}

struct sw_way *sw_ways_find(struct sw_ways *ways, const struct sw_routes *routes,
                            const struct sw_space *space, struct sw_bytes to, uint64_t replica)
{
    uint64_t hash = hash_of(space->hash, to);
    size_t place = (size_t)(hash >> (64 - PLACE_BITS));
    uint32_t mark = (uint32_t)(hash >> (32 - PLACE_BITS)) | 1; /* 0: nobody's. */
    struct known *known = &ways->known[place];
    struct sw_way *way = &ways->last.way;

    if (ways->changes != sw_routes_changes(routes))
        forget(ways, sw_routes_changes(routes));
    if (ways->marks[place] == mark && is_known(known, space->hash, to)) {
        known->way.is_new = false;
        if (ways->worth < WORTH_MAX)
            ways->worth++;
        return &known->way;
    }
    find(ways, routes, space, to, replica);
    way->is_new = true;
    if (way->route == NULL || way->is_replica || to.size > TEXT_MAX)
        return way;
    if (ways->worth > 0)
        ways->worth--;
    if (ways->worth == 0 && ways->marks[place] != 0 && ways->strangers[place] != mark) {
        ways->strangers[place] = mark; /* Once more, and it is remembered. */
        return way;
    }
    ways->marks[place] = mark;
    known->way = *way;
    known->way.to_size = (uint8_t)to.size;
    known->space = space->hash;
    memcpy(known->to, to.data, to.size);
    return &known->way;
}
