#include "pkg/agent/runtime/actor/routes.h"

#include "pkg/utils/base/hash.h"
#include "pkg/utils/base/idmap.h"
#include "pkg/utils/base/map.h"
#include "pkg/utils/base/text.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 255u

struct known_pod {
    struct sw_route_pod pod; /* First: callers see no more. */
    struct sw_route *agent;
};

struct gone { /* A Pod that is gone: whose it was. */
    uint32_t size, space_size;
    char key[]; /* As in agents. */
};

struct sw_routes {
    struct sw_map *agents; /* struct sw_route by namespace, NUL, agent. */
    struct sw_idmap *pods; /* struct known_pod by number. */
    struct sw_map *gone;   /* struct gone by number. */
    uint64_t changes;
};

struct sw_routes *sw_routes_new(uint64_t seed)
{
    struct sw_routes *routes = calloc(1, sizeof *routes);

    if (routes == NULL)
        return NULL;
    routes->changes = 1;
    routes->agents = sw_map_new(seed);
    routes->pods = sw_idmap_new(seed, 0);
    routes->gone = sw_map_new(seed);
    if (routes->agents == NULL || routes->pods == NULL || routes->gone == NULL) {
        sw_routes_free(routes);
        return NULL;
    }
    return routes;
}

static void free_values(struct sw_map *map)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    while (map != NULL && sw_map_next(map, &cursor, &entry))
        free(entry.value);
    sw_map_free(map);
}

void sw_routes_free(struct sw_routes *routes)
{
    size_t cursor = 0;
    void *pod;

    if (routes == NULL)
        return;
    free_values(routes->agents);
    while (routes->pods != NULL && sw_idmap_next(routes->pods, &cursor, NULL, &pod))
        free(pod);
    sw_idmap_free(routes->pods);
    free_values(routes->gone);
    free(routes);
}

/* The map's key of an Agent; its size. */
static size_t agent_key(struct sw_bytes name_space, struct sw_bytes agent,
                        char ret_key[2 * NAME_MAX_BYTES + 1])
{
    if (name_space.size > NAME_MAX_BYTES || agent.size > NAME_MAX_BYTES)
        return 0;
    memcpy(ret_key, name_space.data, name_space.size);
    ret_key[name_space.size] = 0;
    memcpy(ret_key + name_space.size + 1, agent.data, agent.size);
    return name_space.size + 1 + agent.size;
}

uint64_t sw_routes_changes(const struct sw_routes *routes)
{
    return routes->changes;
}

const struct sw_route *sw_routes_agent(const struct sw_routes *routes, struct sw_bytes name_space,
                                       struct sw_bytes agent)
{
    char key[2 * NAME_MAX_BYTES + 1];
    size_t size = agent_key(name_space, agent, key);

    return size == 0 ? NULL : sw_map_find(routes->agents, key, size);
}

const struct sw_route_pod *sw_routes_pod(const struct sw_routes *routes, uint64_t pod)
{
    return sw_idmap_find(routes->pods, pod);
}

uint64_t sw_routes_holder(const struct sw_routes *routes, uint64_t pod, uint64_t instance,
                          struct sw_bytes key)
{
    const struct known_pod *known = sw_idmap_find(routes->pods, pod);
    const struct gone *gone = known != NULL ? NULL : sw_map_find(routes->gone, &pod, sizeof pod);
    const struct sw_route *agent = known != NULL ? known->agent
                                   : gone != NULL
                                       ? sw_map_find(routes->agents, gone->key, gone->size)
                                       : NULL;
    uint32_t slot;

    if (agent == NULL)
        return 0;
    slot = instance != 0 ? sw_instance_slot(instance) : sw_slot_of(agent->hash_key, key);
    return known != NULL && sw_slots_have(known->pod.slots, slot) ? pod : agent->pods[slot];
}

static void set_slots(struct sw_route *route, const struct sw_route_change *change)
{
    for (uint32_t i = 0; i < SW_SLOTS; i++)
        if (route->pods[i] == change->pod.pod)
            route->pods[i] = 0;
    for (uint32_t i = 0; i < SW_SLOTS && !change->is_gone; i++)
        if (sw_slots_have(change->pod.slots, i))
            route->pods[i] = change->pod.pod;
}

enum sw_rc sw_routes_add_gone(struct sw_routes *routes, uint64_t pod, struct sw_bytes name_space,
                              struct sw_bytes agent)
{
    size_t size = name_space.size + 1 + agent.size;
    struct gone *gone;
    void *old = NULL;

    if (sw_map_count(routes->gone) >= SW_ROUTE_PODS_MAX)
        return SW_E_EXHAUSTED;
    gone = malloc(sizeof *gone + size);
    if (gone == NULL)
        return SW_E_EXHAUSTED;
    gone->size = (uint32_t)size;
    gone->space_size = (uint32_t)name_space.size;
    memcpy(gone->key, name_space.data, name_space.size);
    gone->key[name_space.size] = 0;
    memcpy(gone->key + name_space.size + 1, agent.data, agent.size);
    if (sw_map_put(routes->gone, &pod, sizeof pod, gone, &old) != SW_OK) {
        free(gone);
        return SW_E_EXHAUSTED;
    }
    free(old);
    return SW_OK;
}

bool sw_routes_next_gone(const struct sw_routes *routes, size_t *cursor, uint64_t *ret_pod,
                         struct sw_bytes *ret_space, struct sw_bytes *ret_agent)
{
    struct sw_map_entry entry;
    const struct gone *gone;

    if (!sw_map_next(routes->gone, cursor, &entry))
        return false;
    gone = entry.value;
    memcpy(ret_pod, entry.key.data, sizeof *ret_pod);
    *ret_space = (struct sw_bytes){gone->key, gone->space_size};
    *ret_agent =
        (struct sw_bytes){gone->key + gone->space_size + 1, gone->size - gone->space_size - 1};
    return true;
}

/* Nobody is left who could be asked for in place of the Agent's Pods. */
static void forget_gone(struct sw_routes *routes, const char *key, size_t size)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    while (sw_map_next(routes->gone, &cursor, &entry)) {
        struct gone *gone = entry.value;

        if (gone->size != size || memcmp(gone->key, key, size) != 0)
            continue;
        (void)sw_map_remove(routes->gone, entry.key.data, entry.key.size);
        free(gone);
        cursor = 0;
    }
}

static enum sw_rc remove_pod(struct sw_routes *routes, const struct sw_route_change *change,
                             const char *key, size_t size)
{
    struct sw_route *route = sw_map_find(routes->agents, key, size);
    struct known_pod *known = sw_idmap_remove(routes->pods, change->pod.pod);
    bool was_here = known != NULL;

    free(known);
    if (route == NULL)
        return SW_OK;
    set_slots(route, change);
    for (uint32_t i = 0; i < SW_SLOTS; i++)
        if (route->pods[i] != 0)
            return was_here ? sw_routes_add_gone(routes, change->pod.pod, change->name_space,
                                                 change->agent)
                            : SW_OK;
    (void)sw_map_remove(routes->agents, key, size);
    free(route);
    forget_gone(routes, key, size);
    return SW_OK;
}

/* Both are made zeroed when they are not there; NULL: no memory. */
static struct sw_route *make_agent(struct sw_routes *routes, const char *key, size_t size)
{
    struct sw_route *route = sw_map_find(routes->agents, key, size);

    if (route != NULL)
        return route;
    route = calloc(1, sizeof *route);
    if (route != NULL && sw_map_put(routes->agents, key, size, route, NULL) != SW_OK) {
        free(route);
        route = NULL;
    }
    return route;
}

static struct known_pod *make_pod(struct sw_routes *routes, uint64_t number)
{
    struct known_pod *pod = sw_idmap_find(routes->pods, number);

    if (pod != NULL)
        return pod;
    pod = calloc(1, sizeof *pod);
    if (pod != NULL && sw_idmap_put(routes->pods, number, pod, NULL) != SW_OK) {
        free(pod);
        pod = NULL;
    }
    return pod;
}

enum sw_rc sw_routes_change(struct sw_routes *routes, const struct sw_route_change *change)
{
    char key[2 * NAME_MAX_BYTES + 1];
    size_t size = agent_key(change->name_space, change->agent, key);
    struct known_pod *pod;
    struct sw_route *route;

    routes->changes++;
    if (size == 0)
        return SW_E_INVALID;
    if (change->is_gone)
        return remove_pod(routes, change, key, size);
    if (sw_idmap_count(routes->pods) >= SW_ROUTE_PODS_MAX)
        return SW_E_EXHAUSTED;
    pod = make_pod(routes, change->pod.pod);
    route = pod == NULL ? NULL : make_agent(routes, key, size);
    if (route == NULL)
        return SW_E_EXHAUSTED;
    pod->pod = change->pod;
    pod->agent = route;
    memcpy(route->hash_key, change->hash_key, sizeof route->hash_key);
    route->replicas = change->replicas;
    route->body_bytes = change->body_bytes;
    route->children_per_s = change->children_per_s;
    route->is_keyed = change->is_keyed;
    set_slots(route, change);
    return SW_OK;
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

void sw_slot_key(struct sw_bytes agent_uid, uint8_t ret_key[16])
{
    static const uint8_t zero[16];
    const char *text = agent_uid.data;
    unsigned digits = 0;

    memset(ret_key, 0, 16);
    for (size_t i = 0; i < agent_uid.size; i++) {
        int value = hex_value(text[i]);

        if (text[i] == '-')
            continue;
        if (value < 0 || digits == 32) {
            digits = 0;
            break;
        }
        ret_key[digits / 2] = (uint8_t)(ret_key[digits / 2] << 4 | value);
        digits++;
    }
    if (digits == 32)
        return;
    for (uint8_t half = 0; half < 2; half++) {
        uint64_t hash = sw_siphash(zero, agent_uid.data, agent_uid.size) + half;
        memcpy(ret_key + 8 * half, &hash, sizeof hash);
    }
}

/* What decides the slot of a key: what stands in its first braces, if anything does. */
static struct sw_bytes part_of(struct sw_bytes key)
{
    const char *text = key.data, *open = key.size == 0 ? NULL : memchr(text, '{', key.size);
    const char *close;

    if (open == NULL)
        return key;
    open++;
    close = memchr(open, '}', (size_t)(text + key.size - open));
    return close == NULL || close == open ? key : (struct sw_bytes){open, (size_t)(close - open)};
}

uint32_t sw_slot_of_hashed(const uint8_t hash_key[16], struct sw_bytes key, uint64_t hash)
{
    struct sw_bytes part = part_of(key);

    if (part.size != key.size)
        hash = sw_siphash(hash_key, part.data, part.size);
    return (uint32_t)(hash % SW_SLOTS);
}

uint32_t sw_slot_of(const uint8_t hash_key[16], struct sw_bytes key)
{
    return sw_slot_of_hashed(hash_key, key, sw_siphash(hash_key, key.data, key.size));
}

bool sw_slot_of_prefix(const uint8_t hash_key[16], struct sw_bytes prefix, uint32_t *ret_slot)
{
    struct sw_bytes part = part_of(prefix);

    if (part.size == prefix.size) /* No braces, or none that end here, or with nothing in them. */
        return false;
    *ret_slot = (uint32_t)(sw_siphash(hash_key, part.data, part.size) % SW_SLOTS);
    return true;
}

/* Where the first slash is, or the size; SIZE_MAX: it is not all plain ASCII, or short. Most names
 * are, so this looks at eight bytes at a time, the last of them twice. */
static size_t find_slash(const char *text, size_t size)
{
    const uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080;
    size_t slash = size;

    for (size_t next = 0; next < size; next += 8) {
        size_t at = next + 8 <= size ? next : size - 8;
        uint64_t word, other;

        if (size < 8)
            return SIZE_MAX;
        memcpy(&word, text + at, sizeof word);
        if (((word | (word - ones)) & highs) != 0)
            return SIZE_MAX;
        other = htole64(word) ^ ones * '/';
        other = (other - ones) & ~other & highs; /* The lowest bit is at a slash. */
        if (other != 0 && slash == size)
            slash = at + (size_t)__builtin_ctzll(other) / 8;
    }
    return slash;
}

bool sw_name_split(struct sw_bytes name, struct sw_bytes *ret_agent, struct sw_bytes *ret_key)
{
    const char *text = name.data, *found;
    size_t slash;

    if (name.size == 0 || name.size > NAME_MAX_BYTES)
        return false;
    slash = find_slash(text, name.size);
    if (slash == SIZE_MAX) {
        if (!sw_text_is_utf8(text, name.size))
            return false;
        found = memchr(text, '/', name.size);
        slash = found == NULL ? name.size : (size_t)(found - text);
    }
    if (slash == 0 || slash + 1 == name.size)
        return false;
    *ret_agent = (struct sw_bytes){text, slash};
    *ret_key = slash == name.size ? (struct sw_bytes){text + slash, 0}
                                  : (struct sw_bytes){text + slash + 1, name.size - slash - 1};
    return true;
}
