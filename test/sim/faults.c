#include "test/sim/faults.h"

#include <inttypes.h>
#include <string.h>

#define CLOCK_JUMP_MAX_NS (600 * SIM_S)
/* Names of requests are kept for an hour of the records' time: the clock must not eat it up. */
#define CLOCK_FORWARD_MAX_NS (1500 * SIM_S)

#define FULL_ROOM_BYTES (96u << 10) /* Left on some of the full disks: less than most segments. */

static void set_clock(struct sim_faults *faults)
{
    uint64_t by_ns = sim_random_below(&faults->random, CLOCK_JUMP_MAX_NS);
    bool is_forward = sim_random_permille(&faults->random, 500) &&
                      faults->jumped_ns + by_ns < CLOCK_FORWARD_MAX_NS;

    if (is_forward) {
        faults->jumped_ns += by_ns;
        faults->disk->utc_offset_ns += (int64_t)by_ns;
    } else {
        faults->disk->utc_offset_ns -= (int64_t)by_ns;
    }
    sim_trace(faults->front->trace, "fault: the clock is set %s by %" PRIu64 " s",
              is_forward ? "forward" : "back", by_ns / SIM_S);
}

/* The host ends in the middle of one of the next calls of the disk. */
static void cut(struct sim_faults *faults, uint32_t calls_max)
{
    uint32_t after = (uint32_t)sim_random_below(&faults->random, calls_max);

    faults->host->disk_ends =
        sim_random_permille(&faults->random, 600) ? SIM_END_POWER : SIM_END_KILLED;
    sim_disk_arm(faults->disk, SIM_DISK_CRASHES, after);
    sim_trace(faults->front->trace, "fault: call %" PRIu32 " of the disk is cut off", after);
}

static void fail_disk(struct sim_faults *faults, enum sim_disk_fault fault)
{
    uint32_t after = (uint32_t)sim_random_below(&faults->random, 12);

    faults->disk->crashes_then = sim_random_permille(&faults->random, 300);
    faults->host->disk_ends = SIM_END_KILLED;
    sim_disk_arm(faults->disk, fault, after);
    sim_trace(faults->front->trace, "fault: a %s fails, after %" PRIu32,
              fault == SIM_DISK_SYNC_FAILS ? "sync" : "write", after);
}

static void close_pod(struct sim_faults *faults, struct sim_fault *fault)
{
    fault->pod = sim_random_permille(&faults->random, 250)
                     ? SIM_POD_BRIEF /* What comes meanwhile meets instances that idle. */
                     : (uint32_t)sim_random_below(&faults->random, SIM_PODS);
    fault->is_reopen = true;
    sim_front_want(faults->front, fault->pod, false);
    sim_event_at(faults->front->loop, &fault->event,
                 faults->front->loop->now_ns + sim_random_around(&faults->random, 2 * SIM_S));
}

/* Often it is cut off soon. */
static void roll_out(struct sim_faults *faults)
{
    struct sim_front *front = faults->front;
    struct sim_random *random = &faults->random;
    struct sim_config config = {.version = ++faults->version};

    config.program = sim_random_permille(random, 200) ? SIM_PROGRAM_KEPT : config.version % 2;
    if (sim_random_permille(random, 400))
        config.handover = (uint32_t)sim_random_below(random, SIM_HANDOVERS);
    if (front->rollouts_count > 4 && sim_random_permille(random, 250))
        config = front->rollouts[front->rollouts_count - 1 - sim_random_below(random, 4)].config;
    sim_front_rollout(front, &config);
    if (sim_random_permille(random, 400))
        cut(faults, 30);
}

static enum sim_fault_kind choose(struct sim_faults *faults)
{
    uint64_t at = sim_random_below(&faults->random, faults->weights_sum);

    for (uint32_t kind = 0; kind < SIM_FAULT_KINDS; kind++) {
        if (at < faults->weights[kind])
            return (enum sim_fault_kind)kind;
        at -= faults->weights[kind];
    }
    return SIM_FAULT_KILL;
}

static void happen(struct sim_faults *faults, struct sim_fault *fault)
{
    uint64_t now_ns = faults->front->loop->now_ns;
    enum sim_fault_kind kind = choose(faults);

    faults->counts[kind]++;
    switch (kind) {
    case SIM_FAULT_KILL:
        sim_host_crash(faults->host, SIM_END_KILLED, "by a fault");
        return;
    case SIM_FAULT_POWER:
        sim_host_crash(faults->host, SIM_END_POWER, "by a fault");
        return;
    case SIM_FAULT_CUT:
        cut(faults, 20);
        return;
    case SIM_FAULT_WRITE:
        fail_disk(faults, SIM_DISK_WRITE_FAILS);
        return;
    case SIM_FAULT_SYNC:
        fail_disk(faults, SIM_DISK_SYNC_FAILS);
        return;
    case SIM_FAULT_FULL:
        faults->disk->full_until_ns = now_ns + sim_random_around(&faults->random, 5 * SIM_S);
        faults->disk->is_full_for_all = sim_random_permille(&faults->random, 500);
        faults->disk->full_room_bytes = FULL_ROOM_BYTES;
        sim_trace(faults->front->trace, "fault: the disk is full");
        return;
    case SIM_FAULT_SLOW:
        faults->disk->slow_until_ns = now_ns + sim_random_around(&faults->random, 5 * SIM_S);
        sim_trace(faults->front->trace, "fault: the disk is slow");
        return;
    case SIM_FAULT_CLOCK:
        set_clock(faults);
        return;
    case SIM_FAULT_POD:
        close_pod(faults, fault);
        return;
    case SIM_FAULT_SPLIT:
        sim_front_split(faults->front, (uint32_t)sim_random_between(&faults->random, 8, 248));
        return;
    case SIM_FAULT_BROKEN_STOP:
        cut(faults, 14);
        sim_front_stop(faults->front);
        return;
    case SIM_FAULT_STOP:
        sim_front_stop(faults->front);
        return;
    case SIM_FAULT_NAMED:
        faults->host->disk_ends =
            sim_random_permille(&faults->random, 600) ? SIM_END_POWER : SIM_END_KILLED;
        faults->host->cut_when_named = 1 + (uint32_t)sim_random_below(&faults->random, 6);
        return;
    case SIM_FAULT_TOLD:
        faults->front->ends_when_told = true;
        return;
    case SIM_FAULT_ROLLOUT:
        roll_out(faults);
        return;
    }
}

static void run(void *ctx)
{
    struct sim_fault *fault = ctx;

    if (!fault->is_reopen) {
        happen(fault->faults, fault);
        return;
    }
    fault->is_reopen = false;
    sim_front_want(fault->faults->front, fault->pod, true);
}

void sim_faults_plan(struct sim_faults *faults, uint64_t length_ns)
{
    uint32_t count = (uint32_t)sim_random_below(&faults->random, faults->per_burst + 1);

    for (uint32_t i = 0; i < SIM_FAULTS_PENDING && count > 0; i++) {
        struct sim_fault *fault = &faults->pending[i];

        if (fault->event.entry.at != SW_HEAP_ABSENT)
            continue;
        sim_event_at(faults->front->loop, &fault->event,
                     faults->front->loop->now_ns + sim_random_below(&faults->random, length_ns));
        count--;
    }
}

void sim_faults_end(struct sim_faults *faults)
{
    struct sim_config config = {.version = ++faults->version};

    config.program = config.version % 2;
    for (uint32_t i = 0; i < SIM_FAULTS_PENDING; i++)
        sim_event_stop(faults->front->loop, &faults->pending[i].event);
    faults->disk->full_until_ns = faults->disk->slow_until_ns = 0;
    sim_disk_arm(faults->disk, SIM_DISK_GOOD, 0);
    faults->host->cut_when_named = 0;
    faults->front->ends_when_told = false;
    for (uint32_t i = 0; i < SIM_PODS; i++)
        sim_front_want(faults->front, i, true);
    if (sim_random_permille(&faults->random, 500))
        sim_front_rollout(faults->front, &config);
}

void sim_faults_init(struct sim_faults *faults, struct sim_front *front, uint64_t seed)
{
    static const uint32_t base[SIM_FAULT_KINDS] = {
        [SIM_FAULT_KILL] = 4,  [SIM_FAULT_POWER] = 6, [SIM_FAULT_CUT] = 8,
        [SIM_FAULT_WRITE] = 2, [SIM_FAULT_SYNC] = 2,  [SIM_FAULT_FULL] = 2,
        [SIM_FAULT_SLOW] = 2,  [SIM_FAULT_CLOCK] = 2, [SIM_FAULT_POD] = 4,
        [SIM_FAULT_SPLIT] = 5, [SIM_FAULT_STOP] = 2,  [SIM_FAULT_BROKEN_STOP] = 2,
        [SIM_FAULT_NAMED] = 3, [SIM_FAULT_TOLD] = 6,  [SIM_FAULT_ROLLOUT] = 12};

    memset(faults, 0, sizeof *faults);
    faults->front = front;
    faults->host = front->host;
    faults->disk = front->host->options.disk;
    faults->random.state = seed;
    for (uint32_t kind = 0; kind < SIM_FAULT_KINDS; kind++) {
        /* Some seeds never meet some of them. */
        faults->weights[kind] = base[kind] * (uint32_t)sim_random_below(&faults->random, 4);
        faults->weights_sum += faults->weights[kind];
    }
    faults->weights[SIM_FAULT_KILL]++;
    faults->weights_sum++;
    faults->version = 1;
    faults->per_burst = (uint32_t)sim_random_between(&faults->random, 0, 4);
    for (uint32_t i = 0; i < SIM_FAULTS_PENDING; i++) {
        faults->pending[i].faults = faults;
        sim_event_init(&faults->pending[i].event, run, &faults->pending[i]);
    }
}
