/* Streams and marks: what a lossy, repeating way and crashes of both sides do not change. */
#include "pkg/communication/streams/streams.h"
#include "test/sim/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROOM 64u
#define STILL_NS 1000u

static enum sw_verdict take(struct sw_marks *marks, uint64_t name, uint64_t number, uint64_t now_ns)
{
    struct sw_stream message = {name, number};
    uint32_t at;
    enum sw_verdict verdict = sw_marks_judge(marks, &message, now_ns, &at);

    if (verdict == SW_VERDICT_TAKE)
        sw_marks_put(marks, &message, now_ns, at);
    return verdict;
}

static void numbers_are_taken_once_and_only_upwards(void **state)
{
    struct sw_mark places[ROOM] = {{0}};
    struct sw_marks marks = {places, ROOM, STILL_NS};

    (void)state;
    assert_int_equal(take(&marks, 7, 1, 0), SW_VERDICT_TAKE);
    assert_int_equal(take(&marks, 7, 1, 0), SW_VERDICT_REPEAT);
    assert_int_equal(take(&marks, 7, 5, 0), SW_VERDICT_TAKE); /* 2 to 4 went to others. */
    assert_int_equal(take(&marks, 7, 4, 0), SW_VERDICT_REPEAT);
    assert_int_equal(take(&marks, 8, 1, 0), SW_VERDICT_TAKE); /* Another beginning. */
    assert_int_equal(take(&marks, 7, 6, 0), SW_VERDICT_TAKE);
}

static void a_judgement_changes_nothing(void **state)
{
    struct sw_mark places[ROOM] = {{0}}, before[ROOM];
    struct sw_marks marks = {places, ROOM, STILL_NS};
    struct sw_stream message = {7, 1};
    uint32_t at;

    (void)state;
    memcpy(before, places, sizeof before);
    assert_int_equal(sw_marks_judge(&marks, &message, 0, &at), SW_VERDICT_TAKE);
    assert_memory_equal(before, places, sizeof before);
    assert_int_equal(sw_marks_judge(&marks, &message, 0, &at), SW_VERDICT_TAKE);
}

/* Streams that share their places: the marks of those that moved lately are never given up. */
static void a_mark_gives_way_only_when_it_was_still(void **state)
{
    struct sw_mark places[ROOM] = {{0}};
    struct sw_marks marks = {places, ROOM, STILL_NS};

    (void)state;
    for (uint64_t i = 1; i <= SW_MARKS_WAYS; i++)
        assert_int_equal(take(&marks, i * ROOM, 9, i), SW_VERDICT_TAKE);
    assert_int_equal(take(&marks, 100 * ROOM, 1, STILL_NS), SW_VERDICT_FULL);
    assert_int_equal(take(&marks, ROOM, 9, STILL_NS), SW_VERDICT_REPEAT);
    assert_int_equal(take(&marks, 100 * ROOM, 1, STILL_NS + 1), SW_VERDICT_TAKE);
    assert_int_equal(take(&marks, 2 * ROOM, 9, STILL_NS + 1),
                     SW_VERDICT_REPEAT); /* Not the first. */
}

/* --- Both sides under loss, repetition and crashes ---------------------------------------------
 */

#define RECEIVERS 3u
#define WAY_MAX 12u

struct sender { /* One message under way; `number` names it, `word` says what it is. */
    struct sw_stream stream;
    uint64_t word; /* Of the last message that was begun. */
    bool is_under_way;
    unsigned to;
};

struct receiver {
    struct sw_mark places[ROOM];
    uint64_t words[4096]; /* What was taken, in order. */
    size_t count;
};

struct packet {
    struct sw_stream head;
    uint64_t word;
    unsigned to;
    bool is_answer;
};

struct play {
    struct sim_random random;
    struct sender sender, sender_kept; /* kept: what is durable. */
    struct receiver receivers[RECEIVERS], receivers_kept[RECEIVERS];
    struct packet way[WAY_MAX];
    size_t on_way;
    uint64_t now_ns, acknowledged;
};

static uint64_t below(struct play *play, uint64_t limit)
{
    return sim_random_below(&play->random, limit);
}

/* The way keeps what it can, forgets the rest, and at times has it twice. */
static void put(struct play *play, const struct packet *packet)
{
    size_t copies = below(play, 4) == 0 ? 2 : 1;

    if (below(play, 4) == 0)
        return;
    while (copies-- > 0 && play->on_way < WAY_MAX)
        play->way[play->on_way++] = *packet;
}

/* Whatever leaves is durable before it does. */
static void send(struct play *play)
{
    struct sender *sender = &play->sender;

    if (!sender->is_under_way) {
        sender->to = (unsigned)below(play, RECEIVERS);
        sender->word++;
        (void)sw_stream_next(&sender->stream);
        sender->is_under_way = true;
    }
    play->sender_kept = *sender;
    put(play, &(struct packet){sender->stream, sender->word, sender->to, false});
}

static void receive(struct play *play, const struct packet *packet)
{
    struct receiver *receiver = &play->receivers[packet->to];
    struct sw_marks marks = {receiver->places, ROOM, STILL_NS};
    struct packet answer = *packet;

    if (take(&marks, packet->head.name, packet->head.number, play->now_ns) == SW_VERDICT_TAKE)
        receiver->words[receiver->count++] = packet->word;
    if (below(play, 10) == 0) { /* It ends before that is durable, and has told nobody. */
        *receiver = play->receivers_kept[packet->to];
        return;
    }
    play->receivers_kept[packet->to] = *receiver;
    answer.is_answer = true;
    put(play, &answer);
}

static void hear(struct play *play, const struct packet *packet)
{
    struct sender *sender = &play->sender;

    if (!sender->is_under_way || packet->head.name != sender->stream.name ||
        packet->head.number != sender->stream.number)
        return; /* Of an earlier one. */
    sender->is_under_way = false;
    play->acknowledged = packet->word;
}

/* Any that is on its way: it need not be the first. */
static void arrive(struct play *play)
{
    size_t at;
    struct packet packet;

    if (play->on_way == 0)
        return;
    at = below(play, play->on_way);
    packet = play->way[at];
    play->way[at] = play->way[--play->on_way];
    if (packet.is_answer)
        hear(play, &packet);
    else
        receive(play, &packet);
}

static void step(struct play *play)
{
    uint64_t chance = below(play, 100);
    unsigned which = (unsigned)below(play, RECEIVERS);

    play->now_ns++;
    if (chance < 2)
        play->sender = play->sender_kept; /* It ended, and goes on from what is durable. */
    else if (chance < 5)
        play->receivers[which] = play->receivers_kept[which];
    else if (chance < 45)
        send(play);
    else
        arrive(play);
}

static void check(const struct play *play, uint64_t seed)
{
    uint64_t told = 0, last;

    for (unsigned i = 0; i < RECEIVERS; i++) {
        last = 0;
        for (size_t at = 0; at < play->receivers[i].count; at++) {
            if (play->receivers[i].words[at] <= last)
                fail_msg("seed %llu: word %llu of receiver %u comes twice or late",
                         (unsigned long long)seed, (unsigned long long)play->receivers[i].words[at],
                         i);
            last = play->receivers[i].words[at];
            told += last <= play->acknowledged;
        }
    }
    if (told != play->acknowledged)
        fail_msg("seed %llu: %llu of %llu acknowledged words arrived", (unsigned long long)seed,
                 (unsigned long long)told, (unsigned long long)play->acknowledged);
}

static void each_message_arrives_once_and_in_order(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct play *play = calloc(1, sizeof *play);

        assert_non_null(play);
        play->random.state = seed;
        play->sender.stream.name = play->sender_kept.stream.name = seed * 0x9e3779b97f4a7c15u;
        for (unsigned i = 0; i < 3000; i++)
            step(play);
        check(play, seed);
        assert_true(play->acknowledged > 50);
        free(play);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_taken_once_and_only_upwards),
        cmocka_unit_test(a_judgement_changes_nothing),
        cmocka_unit_test(a_mark_gives_way_only_when_it_was_still),
        cmocka_unit_test(each_message_arrives_once_and_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
