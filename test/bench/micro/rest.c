#include "test/bench/micro/micro.h"

#include "pkg/agent/runtime/actor/snapshot.h"
#include "pkg/agent/store/shelf.h"
#include "test/bench/agents/crowd.h"

#include <string.h>

#define WAKE_BATCH 64u
#define WAKES 2u          /* Of each. */
#define RECORD_BYTES 220u /* What a turn with 128 bytes of input comes to. */
#define RECORDS 10u       /* For each instance that there would be. */

static void ping(struct micro *micro, uint32_t number)
{
    static const struct crowd_ping nothing;

    micro_ask(micro, number, (struct sw_bytes){&nothing, sizeof nothing});
}

static void ping_batches(struct micro *micro, uint32_t count, bool is_first)
{
    uint64_t state = 1;
    struct sw_err err = {0};

    for (uint32_t i = 0; i < count;) {
        for (uint32_t k = 0; k < WAKE_BATCH && i < count; k++, i++)
            ping(micro, is_first ? i : micro_random(&state) % micro->keys);
        micro_settle(micro);
        /* Who keeps nothing sleeps when what it has seen is durable. */
        micro_check(sw_journal_commit(micro->shared.journal, &err), &err);
    }
}

void micro_wake(struct micro *micro)
{
    const struct micro_pod pod = {.guest = "member", .config = "", .rests_at_once = true};

    micro_open(micro, &pod);
    ping_batches(micro, micro->keys, true);
    for (uint32_t round = 0; round < micro->rounds; round++) {
        struct sw_worker_view before, after;
        uint64_t begun = micro_cpu_ns();

        sw_worker_view(micro->worker, &before);
        ping_batches(micro, WAKES * micro->keys, false);
        sw_worker_view(micro->worker, &after);
        micro_print("a wake, with its message, until it sleeps again", micro_cpu_ns() - begun,
                    after.woken - before.woken);
    }
    printf("%" PRIu64 " bytes a place on the shelf\n",
           sw_shelf_bytes(micro->shared.shelf) /
               (micro->keys * (1 + (uint64_t)micro->rounds * WAKES)));
    micro_close(micro);
}

static void take_snapshot(struct micro *micro)
{
    struct sw_snapshot_view view;
    struct sw_err err = {0};
    uint64_t begun = micro_cpu_ns(), still;

    micro_check(sw_snapshot_begin(&micro->shared, &micro->worker, 1, &err), &err);
    still = micro_cpu_ns() - begun;
    while (sw_snapshot_phase(&micro->shared) != SW_SNAPSHOT_NONE) {
        (void)sw_worker_run(micro->worker, 64);
        micro_check(sw_snapshot_advance(&micro->shared, &err), &err);
        micro_check(sw_journal_commit(micro->shared.journal, &err), &err);
    }
    sw_snapshot_view(&micro->shared, &view);
    micro_print("an instance of a snapshot", micro_cpu_ns() - begun, micro->keys);
    printf("%9" PRIu64 " ns in which nobody runs, %" PRIu64 " bytes an instance\n", still,
           view.bytes / view.instances);
}

void micro_snapshot(struct micro *micro)
{
    micro_open(micro, &(struct micro_pod){.guest = "member", .config = "", .is_durable = true});
    for (uint32_t round = 0; round < micro->rounds; round++) {
        for (uint32_t i = 0; i < micro->keys; i++)
            ping(micro, i);
        micro_settle(micro);
        take_snapshot(micro);
    }
    micro_close(micro);
}

static void append(struct micro *micro, uint32_t group)
{
    struct sw_journal *journal = micro->shared.journal;
    uint8_t record[RECORD_BYTES];
    struct sw_journal_place place;
    struct sw_err err = {0};
    uint64_t begun = micro_cpu_ns(), commits = 0;
    uint32_t count = RECORDS * micro->keys / (group == 1 ? 100 : 1);

    memset(record, 1, sizeof record);
    for (uint32_t i = 0; i < count; i++) {
        micro_check(
            sw_journal_append(journal, (struct sw_bytes){record, sizeof record}, &place, &err),
            &err);
        if ((i + 1) % group != 0)
            continue;
        commits += micro_cpu_ns();
        micro_check(sw_journal_commit(journal, &err), &err);
        commits -= micro_cpu_ns();
    }
    printf("%5" PRIu32 " records a commit: ", group);
    micro_print("an append", micro_cpu_ns() - begun + commits, count);
    printf("%28s", "");
    micro_print("a commit", -commits, count / group);
}

void micro_append(struct micro *micro)
{
    static const uint32_t groups[] = {1, 64, 4096};

    micro_open(micro, &(struct micro_pod){.guest = "member", .config = "", .is_durable = true});
    for (uint32_t round = 0; round < micro->rounds; round++)
        for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
            append(micro, groups[i]);
    micro_close(micro);
}
