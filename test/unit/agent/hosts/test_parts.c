/* A quota in parts: whatever hosts do, and in whatever order words arrive, all of them together
 * never have more than it, but for what was there before it was lowered. */
#include "pkg/agent/hosts/parts.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOSTS 6
#define WORDS 8
#define STEPS 4000
#define SEEDS 400u

struct word { /* On its way between swarmd and a host. */
    uint64_t number, values[SW_PART_KINDS];
};

struct queue {
    struct word words[WORDS];
    size_t count;
};

struct host { /* As it is, and what swarmd knows of it. */
    bool is_there, is_up;
    uint64_t has[SW_PART_KINDS], may[SW_PART_KINDS];
    uint64_t
        can[SW_PART_KINDS]; /* A crash takes it back to: all since it answered is in a cache. */
    uint64_t heard; /* The number that `may` came with; 0: it was told nothing since its start. */
    uint64_t told[SW_PART_KINDS], number;
    struct sw_part part;
    struct queue to, from;
};

struct world {
    uint64_t random, limits[SW_PART_KINDS], number;
    /* What was there when the quota was lowered: nothing is admitted while there is more. */
    uint64_t most[SW_PART_KINDS];
    struct host hosts[HOSTS];
};

static uint64_t draw(struct world *world, uint64_t below)
{
    world->random = world->random * 6364136223846793005u + 1442695040888963407u;
    return (world->random >> 33) % below;
}

static void put(struct queue *queue, const struct word *word)
{
    if (queue->count == WORDS) { /* Words in between are made good by later ones. */
        memmove(queue->words, queue->words + 1, sizeof queue->words - sizeof queue->words[0]);
        queue->count--;
    }
    queue->words[queue->count++] = *word;
}

static bool take(struct queue *queue, struct word *ret_word)
{
    if (queue->count == 0)
        return false;
    *ret_word = queue->words[0];
    memmove(queue->words, queue->words + 1, sizeof queue->words - sizeof queue->words[0]);
    queue->count--;
    return true;
}

/* --- What swarmd does ------------------------------------------------------------------------ */

static void share(struct world *world)
{
    struct sw_part *parts[HOSTS];
    size_t count = 0;

    for (size_t i = 0; i < HOSTS; i++)
        if (world->hosts[i].is_there)
            parts[count++] = &world->hosts[i].part;
    sw_parts_share(parts, count, world->limits);
    for (size_t i = 0; i < HOSTS; i++) {
        struct host *host = &world->hosts[i];
        struct word word = {0};

        if (!host->is_there ||
            (host->number != 0 && memcmp(host->told, host->part.told, sizeof host->told) == 0))
            continue;
        host->number = ++world->number;
        memcpy(host->told, host->part.told, sizeof host->told);
        word.number = host->number;
        memcpy(word.values, host->told, sizeof word.values);
        if (host->is_up)
            put(&host->to, &word);
    }
}

static void hear(struct world *world, struct host *host)
{
    struct word word;

    if (take(&host->from, &word) && word.number == host->number &&
        sw_part_answer(&host->part, word.values))
        share(world);
}

/* --- What hosts do --------------------------------------------------------------------------- */

static void answer(struct host *host)
{
    struct word word = {.number = host->heard};

    memcpy(word.values, host->has, sizeof word.values);
    memcpy(host->can, host->has, sizeof host->can);
    put(&host->from, &word);
}

static void obey(struct host *host)
{
    struct word word;

    if (!take(&host->to, &word))
        return;
    memcpy(host->may, word.values, sizeof host->may);
    host->heard = word.number;
    answer(host);
}

static void crash(struct host *host)
{
    host->is_up = false;
    memcpy(host->has, host->can, sizeof host->has);
    host->to.count = host->from.count = 0;
    host->heard = 0;
}

static void start(struct host *host)
{
    struct word word = {.number = host->number};

    host->is_up = true;
    memset(host->may, 0, sizeof host->may); /* No Pod is open before it was told. */
    memcpy(word.values, host->told, sizeof word.values);
    if (word.number != 0)
        put(&host->to, &word);
}

static void come(struct world *world, struct host *host)
{
    *host = (struct host){.is_there = true, .is_up = true, .part = {.takes_part = true}};
    share(world);
}

/* It ends with all that it has. */
static void go(struct world *world, struct host *host)
{
    *host = (struct host){0};
    share(world);
}

/* --- Law ------------------------------------------------------------------------------------- */

static uint64_t sum_of(const struct world *world, unsigned k)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < HOSTS; i++)
        sum += world->hosts[i].can[k];
    return sum;
}

static void check(struct world *world)
{
    for (unsigned k = 0; k < SW_PART_KINDS; k++) {
        uint64_t sum = sum_of(world, k);

        if (sum > world->limits[k])
            assert_in_range(sum, 0, world->most[k]);
        world->most[k] = sum; /* It only shrinks while it is beyond. */
    }
}

static void lower(struct world *world)
{
    for (unsigned k = 0; k < SW_PART_KINDS; k++)
        world->limits[k] = draw(world, 8) == 0 ? SW_PART_ANY : draw(world, 60);
    share(world);
    /* A host goes on by the word before until it hears of this: that is not what is tested. */
    for (size_t i = 0; i < HOSTS; i++)
        while (world->hosts[i].to.count > 0)
            obey(&world->hosts[i]);
    for (unsigned k = 0; k < SW_PART_KINDS; k++)
        world->most[k] = sum_of(world, k);
}

static void change(struct world *world, struct host *host)
{
    unsigned k = (unsigned)draw(world, SW_PART_KINDS);
    uint64_t count = 1 + draw(world, 12);

    if (!host->is_up || host->heard == 0)
        return;
    if (draw(world, 3) == 0)
        host->has[k] -= host->has[k] < count ? host->has[k] : count;
    else if (host->has[k] <= host->may[k] && count <= host->may[k] - host->has[k])
        host->has[k] += count;
    if (host->has[k] > 1000) /* While there is no bound. */
        host->has[k] = 1000;
    if (host->can[k] < host->has[k])
        host->can[k] = host->has[k];
}

static void step(struct world *world)
{
    struct host *host = &world->hosts[draw(world, HOSTS)];
    uint64_t what = draw(world, 100);

    if (!host->is_there) {
        if (what < 5)
            come(world, host);
        return;
    }
    if (what < 40)
        change(world, host);
    else if (what < 60)
        obey(host);
    else if (what < 80)
        hear(world, host);
    else if (what < 88 && host->heard != 0)
        answer(host);
    else if (what < 90)
        crash(host);
    else if (what < 94 && !host->is_up)
        start(host);
    else if (what == 94)
        go(world, host);
    else if (what == 95)
        lower(world);
    else if (what == 96) {
        host->part.takes_part = !host->part.takes_part;
        share(world);
    }
}

static void settle(struct world *world)
{
    for (size_t i = 0; i < HOSTS; i++)
        if (world->hosts[i].is_there && !world->hosts[i].is_up)
            start(&world->hosts[i]);
    for (int round = 0; round < 50; round++)
        for (size_t i = 0; i < HOSTS; i++) {
            obey(&world->hosts[i]);
            if (world->hosts[i].heard != 0)
                answer(&world->hosts[i]);
            while (world->hosts[i].from.count > 0)
                hear(world, &world->hosts[i]);
        }
}

static void no_order_of_words_passes_the_quota(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world world = {.random = seed, .limits = {20, 30, 40}};

        for (int i = 0; i < STEPS; i++) {
            step(&world);
            check(&world);
        }
        /* At rest nothing of it is lost: it is told to hosts, or somebody has more than his part.
         */
        settle(&world);
        for (unsigned k = 0; k < SW_PART_KINDS; k++) {
            uint64_t told = 0, count = 0, beyond = 0;

            for (size_t i = 0; i < HOSTS; i++) {
                const struct host *host = &world.hosts[i];

                told += host->told[k];
                count += host->is_there && host->part.takes_part;
                beyond += host->has[k] > host->told[k] ? host->has[k] - host->told[k] : 0;
            }
            if (count == 0 || world.limits[k] == SW_PART_ANY)
                continue;
            if (told + beyond < world.limits[k])
                print_error("seed %" PRIu64 ", kind %u\n", seed, k);
            assert_in_range(told + beyond, world.limits[k], UINT64_MAX);
        }
    }
}

/* --- One after the other --------------------------------------------------------------------- */

static const uint64_t nothing[SW_PART_KINDS] = {0};

static void a_host_that_comes_gets_what_the_others_let_go(void **state)
{
    const uint64_t limits[SW_PART_KINDS] = {12, SW_PART_ANY, 100};
    struct sw_part a = {.takes_part = true}, b = {.takes_part = true};
    struct sw_part *const parts[] = {&a, &b};

    (void)state;
    sw_parts_share(parts, 1, limits);
    assert_int_equal(a.told[SW_PART_INSTANCES], 12);
    assert_int_equal(a.told[SW_PART_MEMORY], SW_PART_ANY);
    sw_parts_share(parts, 2, limits);
    assert_int_equal(a.told[SW_PART_INSTANCES], 6);
    assert_int_equal(b.told[SW_PART_INSTANCES], 0);
    assert_true(sw_part_answer(&a, (const uint64_t[]){10, 1, 5}));
    sw_parts_share(parts, 2, limits);
    assert_int_equal(b.told[SW_PART_INSTANCES], 2);
    assert_int_equal(b.told[SW_PART_STORAGE], 50);
    assert_false(sw_part_answer(&a, (const uint64_t[]){11, 1, 5})); /* It cannot be. */
    assert_true(sw_part_answer(&a, (const uint64_t[]){3, 1, 5}));
    sw_parts_share(parts, 2, limits);
    assert_int_equal(b.told[SW_PART_INSTANCES], 6);
    a.takes_part = false;
    sw_parts_share(parts, 2, limits);
    assert_int_equal(b.told[SW_PART_INSTANCES], 6);
    assert_true(sw_part_answer(&a, nothing));
    sw_parts_share(parts, 2, limits);
    assert_int_equal(b.told[SW_PART_INSTANCES], 12);
}

/* After a start of swarmd: nobody gets more than he may have had before all have spoken. */
static void what_is_not_known_is_not_given_away(void **state)
{
    const uint64_t limits[SW_PART_KINDS] = {12, 12, 12};
    struct sw_part a = {.takes_part = true}, b = {.takes_part = true};
    struct sw_part *const parts[] = {&a, &b};

    (void)state;
    for (unsigned k = 0; k < SW_PART_KINDS; k++)
        a.most[k] = b.most[k] = SW_PART_ANY;
    sw_parts_share(parts, 2, limits);
    assert_int_equal(a.told[0] + b.told[0], 0);
    assert_true(sw_part_answer(&a, (const uint64_t[]){4, 4, UINT64_MAX}));
    sw_parts_share(parts, 2, limits);
    assert_int_equal(a.told[0], 0);
    assert_int_equal(b.told[0], 6);
    assert_true(sw_part_answer(&b, (const uint64_t[]){7, 0, 0}));
    sw_parts_share(parts, 2, limits);
    assert_int_equal(a.told[0], 5);
    assert_int_equal(a.told[1], 6);
    assert_int_equal(b.told[2], 0); /* The other one says that it has all there is, */
    assert_int_equal(a.told[2], 6); /* which is no more than its part. */
}

static void a_lowered_quota_admits_nothing_while_others_have_it(void **state)
{
    const uint64_t before[SW_PART_KINDS] = {20, 20, 20}, after[SW_PART_KINDS] = {6, 20, 20};
    struct sw_part a = {.takes_part = true}, b = {.takes_part = true};
    struct sw_part *const parts[] = {&a, &b};

    (void)state;
    sw_parts_share(parts, 2, before);
    sw_parts_share(parts, 2, after);
    (void)sw_part_answer(&a, (const uint64_t[]){10, 0, 0});
    (void)sw_part_answer(&b, nothing);
    sw_parts_share(parts, 2, after);
    assert_int_equal(a.told[0], 3);
    assert_int_equal(b.told[0], 0);
    assert_true(sw_part_answer(&a, (const uint64_t[]){5, 0, 0}));
    sw_parts_share(parts, 2, after);
    assert_int_equal(b.told[0], 1);
    assert_int_equal(b.told[1], 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_order_of_words_passes_the_quota),
        cmocka_unit_test(a_host_that_comes_gets_what_the_others_let_go),
        cmocka_unit_test(what_is_not_known_is_not_given_away),
        cmocka_unit_test(a_lowered_quota_admits_nothing_while_others_have_it),
    };

    return cmocka_run_group_tests_name("parts", tests, NULL, NULL);
}
