#include "pkg/broker/loops/loops.h"

#include "pkg/utils/base/list.h"
#include "pkg/utils/base/map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_FIRST 4u
#define ROUNDS_LOOKED 16u /* Repeating instances that one is compared with, the last ones. */

struct step {
    uint64_t pair, action; /* pair: of state and action. */
    uint64_t call, order;  /* order: of all steps of all instances. */
    uint64_t at_ms;
    uint32_t tokens;
    bool is_failed;
};

struct instance {
    struct sw_list node;   /* In loops->all, who did something last at the end. */
    struct sw_list repeat; /* In loops->repeating, if it goes round. */
    struct step *steps;    /* Owned; oldest first. */
    uint32_t count, capacity;
    uint32_t grown; /* Calls in a row whose requests grew and that did nothing new. */
    uint32_t told;  /* Rounds when its loop was told last; 0: it goes in none. */
    uint32_t last_tokens;
    uint16_t who_size;
    char who[];
};

struct sw_loops {
    struct sw_map *by_who;
    struct sw_list all, repeating;
    uint64_t order;
    uint32_t instances_max;
};

const char *sw_loop_kind_name(enum sw_loop_kind kind)
{
    static const char *const names[] = {"none", "repeat", "ping-pong", "growth", "retry storm"};

    return (size_t)kind < sizeof names / sizeof names[0] ? names[kind] : "?";
}

static struct sw_bytes who_of(const void *value)
{
    const struct instance *instance = value;

    return (struct sw_bytes){instance->who, instance->who_size};
}

struct sw_loops *sw_loops_new(uint64_t seed, uint32_t instances_max)
{
    struct sw_loops *loops = calloc(1, sizeof *loops);

    if (loops == NULL)
        return NULL;
    loops->by_who = sw_map_new_of(seed, who_of);
    loops->instances_max = instances_max;
    sw_list_init(&loops->all);
    sw_list_init(&loops->repeating);
    if (loops->by_who != NULL)
        return loops;
    free(loops);
    return NULL;
}

static void instance_free(struct sw_loops *loops, struct instance *instance)
{
    (void)sw_map_remove(loops->by_who, instance->who, instance->who_size);
    sw_list_remove(&instance->node);
    sw_list_remove(&instance->repeat);
    free(instance->steps);
    free(instance);
}

void sw_loops_free(struct sw_loops *loops)
{
    if (loops == NULL)
        return;
    while (!sw_list_is_empty(&loops->all))
        instance_free(loops, SW_LIST_ITEM(sw_list_first(&loops->all), struct instance, node));
    sw_map_free(loops->by_who);
    free(loops);
}

size_t sw_loops_count(const struct sw_loops *loops)
{
    return sw_map_count(loops->by_who);
}

void sw_loops_forget(struct sw_loops *loops, struct sw_bytes who)
{
    struct instance *instance = sw_map_find(loops->by_who, who.data, who.size);

    if (instance != NULL)
        instance_free(loops, instance);
}

/* NULL: no memory. */
static struct instance *instance_get(struct sw_loops *loops, struct sw_bytes who)
{
    struct instance *instance = sw_map_find(loops->by_who, who.data, who.size);

    if (instance != NULL) {
        sw_list_remove(&instance->node);
        sw_list_add(&loops->all, &instance->node);
        return instance;
    }
    if (sw_map_count(loops->by_who) >= loops->instances_max)
        instance_free(loops, SW_LIST_ITEM(sw_list_first(&loops->all), struct instance, node));
    instance = calloc(1, sizeof *instance + who.size);
    if (instance == NULL)
        return NULL;
    instance->who_size = (uint16_t)who.size;
    memcpy(instance->who, who.data, who.size);
    sw_list_init(&instance->repeat);
    sw_list_add(&loops->all, &instance->node);
    if (sw_map_put(loops->by_who, instance->who, who.size, instance, NULL) == SW_OK)
        return instance;
    sw_list_remove(&instance->node);
    free(instance);
    return NULL;
}

/* --- The window ------------------------------------------------------------------------------ */

static uint64_t mix(uint64_t state, uint64_t action)
{
    uint64_t sum = state * UINT64_C(0x9e3779b97f4a7c15) ^ (action + (action << 31 | action >> 33));

    sum = (sum ^ sum >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return sum ^ sum >> 32;
}

static const struct step *step_back(const struct instance *instance, uint32_t back)
{
    return &instance->steps[instance->count - 1 - back];
}

static bool is_known_action(const struct instance *instance, uint64_t action)
{
    for (uint32_t i = 0; i < instance->count; i++)
        if (instance->steps[i].action == action)
            return true;
    return false;
}

static bool grow(struct instance *instance)
{
    uint32_t capacity = instance->capacity == 0 ? STEPS_FIRST : instance->capacity * 2;
    struct step *steps = realloc(instance->steps, capacity * sizeof *steps);

    if (steps == NULL)
        return false;
    instance->steps = steps;
    instance->capacity = capacity;
    return true;
}

static bool push(struct sw_loops *loops, struct instance *instance,
                 const struct sw_loops_step *from)
{
    bool is_new = !is_known_action(instance, from->action);

    if (instance->count == instance->capacity && instance->capacity < SW_LOOPS_WINDOW &&
        !grow(instance))
        return false;
    if (instance->count == SW_LOOPS_WINDOW) {
        memmove(instance->steps, instance->steps + 1,
                (SW_LOOPS_WINDOW - 1) * sizeof *instance->steps);
        instance->count--;
    }
    instance->steps[instance->count++] = (struct step){.pair = mix(from->state, from->action),
                                                       .action = from->action,
                                                       .call = from->call,
                                                       .order = ++loops->order,
                                                       .at_ms = from->now_ms,
                                                       .tokens = from->tokens,
                                                       .is_failed = from->is_failed};
    if (from->tokens == 0)
        return true; /* Of something else. */
    instance->grown = is_new || from->is_failed || from->tokens <= instance->last_tokens
                          ? 0
                          : instance->grown + 1;
    instance->last_tokens = from->tokens;
    return true;
}

/* --- What is found --------------------------------------------------------------------------- */

/* How often the last `period` steps were done, one round after the other. */
static uint32_t rounds(const struct instance *instance, uint32_t period)
{
    uint32_t same = 0;

    while (same + period < instance->count &&
           step_back(instance, same)->pair == step_back(instance, same + period)->pair)
        same++;
    return instance->count < period ? 0 : same / period + 1;
}

/* A run of failures of one request. Such a run is a storm, or it is none, but no repeat. */
static uint32_t failures(const struct instance *instance)
{
    uint32_t count = 0;

    while (count < instance->count && step_back(instance, count)->is_failed &&
           step_back(instance, count)->pair == step_back(instance, 0)->pair)
        count++;
    return count;
}

/* Whether the last tries came faster than one after the other with a wait that doubles would. */
static bool is_storm(const struct instance *instance, uint32_t repeats)
{
    uint64_t took_ms = step_back(instance, 0)->at_ms - step_back(instance, repeats - 1)->at_ms;

    return took_ms < SW_LOOPS_BACKOFF_MS * ((UINT64_C(1) << (repeats - 1)) - 1);
}

static void tell_calls(const struct instance *instance, struct sw_loop *loop)
{
    uint32_t count = instance->count < SW_LOOPS_CALLS_TOLD ? instance->count : SW_LOOPS_CALLS_TOLD;

    loop->calls_count = count;
    for (uint32_t i = 0; i < count; i++)
        loop->calls[i] = step_back(instance, count - 1 - i)->call;
}

/* Whether between each two of the last rounds of one there is one of the other. */
static bool is_between(const struct instance *one, const struct instance *other, uint32_t repeats)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i + 1 < repeats; i++) {
        uint64_t from = step_back(one, i + 1)->order, to = step_back(one, i)->order;

        while (at < other->count && step_back(other, at)->order > to)
            at++;
        if (at == other->count || step_back(other, at)->order < from)
            return false;
    }
    return true;
}

/* Both belong to one namespace, whose name ends with the first slash. */
static bool is_neighbour(const struct instance *one, const struct instance *other)
{
    const char *slash = memchr(one->who, '/', one->who_size);
    size_t size = slash == NULL ? 0 : (size_t)(slash - one->who) + 1;

    return one != other && size > 0 && other->who_size > size &&
           memcmp(one->who, other->who, size) == 0;
}

/* Another instance that goes round in turn with this one; NULL: there is none. */
static const struct instance *find_partner(struct sw_loops *loops, const struct instance *instance,
                                           uint32_t repeats)
{
    unsigned looked = 0;

    for (struct sw_list *node = loops->repeating.previous;
         node != &loops->repeating && looked < ROUNDS_LOOKED; node = node->previous, looked++) {
        const struct instance *other = SW_LIST_ITEM(node, struct instance, repeat);

        if (is_neighbour(instance, other) && is_between(instance, other, repeats))
            return other;
    }
    return NULL;
}

static void note_repeating(struct sw_loops *loops, struct instance *instance, bool is_repeating)
{
    sw_list_remove(&instance->repeat);
    if (is_repeating)
        sw_list_add(&loops->repeating, &instance->repeat);
}

static void find_repeat(struct sw_loops *loops, struct instance *instance, uint32_t repeats,
                        struct sw_loop *loop)
{
    for (uint32_t period = 1; period <= SW_LOOPS_PERIOD_MAX; period++) {
        uint32_t count = rounds(instance, period);
        const struct instance *partner = NULL;

        if (period == 1) /* One round before it is found, so that two find each other. */
            note_repeating(loops, instance, count + 1 >= repeats);
        if (count < repeats)
            continue;
        if (period == 1)
            partner = find_partner(loops, instance, repeats);
        loop->kind = partner != NULL ? SW_LOOP_PING_PONG : SW_LOOP_REPEAT;
        loop->period = period;
        loop->repeats = count;
        if (partner != NULL)
            memcpy(loop->other, partner->who, partner->who_size);
        return;
    }
}

/* What the window shows, the worst first. */
static void find(struct sw_loops *loops, struct instance *instance, uint32_t repeats,
                 struct sw_loop *loop)
{
    uint32_t failed = failures(instance);

    if (failed >= repeats && is_storm(instance, repeats)) {
        loop->kind = SW_LOOP_RETRY;
        loop->repeats = failed;
    } else if (failed < 2) {
        find_repeat(loops, instance, repeats, loop);
    }
    if (loop->kind == SW_LOOP_NONE && instance->grown >= SW_LOOPS_GROWTH_FACTOR * repeats) {
        loop->kind = SW_LOOP_GROWTH;
        loop->repeats = instance->grown;
    }
}

bool sw_loops_add(struct sw_loops *loops, struct sw_bytes who, const struct sw_loops_step *step,
                  uint32_t repeats, struct sw_loop *ret_loop)
{
    struct sw_loop loop = {.kind = SW_LOOP_NONE, .period = 1};
    struct instance *instance;

    assert(repeats >= SW_LOOPS_REPEATS_LEAST && repeats <= SW_LOOPS_REPEATS_MOST);
    if (who.size == 0 || who.size >= SW_LOOPS_WHO_MAX)
        return false;
    instance = instance_get(loops, who);
    if (instance == NULL || !push(loops, instance, step))
        return false;
    find(loops, instance, repeats, &loop);
    if (loop.kind == SW_LOOP_NONE) {
        instance->told = 0;
        return false;
    }
    tell_calls(instance, &loop);
    loop.is_told_first = instance->told == 0 || loop.repeats >= 2 * instance->told;
    if (loop.is_told_first)
        instance->told = loop.repeats;
    *ret_loop = loop;
    return true;
}
