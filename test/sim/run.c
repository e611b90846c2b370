#include "test/sim/run.h"

#include "test/sim/faults.h"
#include "test/sim/forks.h"
#include "test/sim/prompt.h"
#include "test/sim/reader.h"
#include "test/sim/rerun.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 40000000u
#define BURST_GAP_NS (150 * SIM_S)
#define BURST_OPS 12u
#define SETTLE_NS (300 * SIM_S)
#define SHELF_BYTES ((uint64_t)4096)
#define SHELF_SHIFTS 5u
#define IMAGE_TAILS 13u   /* Records before the journal has an instance whole: up to so many. */
#define CPU_SEEDS 3u      /* Of so many one has a quota of processor time. */
#define STORAGE_SEEDS 5u  /* Of so many one has a quota of the disk, */
#define STORAGE_SHIFTS 6u /* which leaves room for some pages of 64 KiB. */
#define HISTORY_SEEDS 4u  /* Of so many one keeps its journal from the beginning. */
#define KEEP_SEEDS 2u     /* Of so many one has Agents that keep a history. */
#define QUIET_NS (60 * SIM_S)
#define READ_SHIFTS 17u /* Up to 65 ms. */
#define SHORT_SEEDS                                                                                \
    3u /* In one of so many runs memory is short when a few instances are awake.                   \
        */
#define SHORT_GUESTS 29u
#define SHORT_GUEST_BYTES ((uint64_t)64 << 10)

/* How long instances do nothing before they sleep. */
static const uint64_t rests_ns[] = {0, SIM_MS, 50 * SIM_MS, 2 * SIM_S, UINT64_MAX};

struct run {
    const struct sim_run_options *options;
    struct sim_run_result *result;
    struct sim_loop loop;
    struct sim_trace trace;
    struct sim_disk disk;
    struct sim_host host;
    struct sim_front front;
    struct sim_work work;
    struct sim_faults faults;
    struct sim_forks forks;
    struct sim_reader reader;
    struct sim_prompt prompt;
    struct sim_lives lives[3];
    struct sim_random random;
};

static bool is_wrong(struct run *run, const char *words)
{
    if (words[0] != 0 && run->result->words[0] == 0)
        snprintf(run->result->words, sizeof run->result->words, "%s", words);
    return run->result->words[0] != 0;
}

/* Let time go by. False: something is wrong. */
static bool go_on(struct run *run, uint64_t ns)
{
    if (!sim_loop_run(&run->loop, run->loop.now_ns + ns, STEPS_MAX))
        (void)is_wrong(run, "it runs in circles: too many steps");
    return !is_wrong(run, run->front.breach) && !is_wrong(run, run->work.breach) &&
           !is_wrong(run, run->forks.breach) && run->result->words[0] == 0;
}

/* Until all Pods run. */
static bool wait_up(struct run *run)
{
    for (int i = 0; i < 600; i++) {
        if (sim_front_is_up(&run->front))
            return go_on(run, 2 * SIM_S); /* Every worker has heard of every Pod. */
        if (!go_on(run, SIM_S / 2))
            return false;
    }
    return !is_wrong(run, "the Pods do not come up");
}

static void init(struct run *run)
{
    struct sim_host_options host = {.loop = &run->loop,
                                    .disk = &run->disk,
                                    .trace = &run->trace,
                                    .wasm = run->options->wasm,
                                    .ctx = &run->front,
                                    .frame = sim_front_frame,
                                    .ended = sim_front_ended};

    run->random.state = run->options->seed;
    (void)sim_random_next(&run->random);
    sim_loop_init(&run->loop);
    run->trace = (struct sim_trace){.now_ns = &run->loop.now_ns, .prints = run->options->prints};
    sim_disk_init(&run->disk, sim_random_next(&run->random), &run->loop.now_ns);
    host.seed = sim_random_next(&run->random);
    host.workers = (uint32_t)sim_random_between(&run->random, 1, SIM_WORKERS_MAX);
    host.segments_per_step = (uint32_t)1 << sim_random_below(&run->random, 7);
    host.item_delay_ns = SIM_US << sim_random_below(&run->random, 11);
    host.link_delay_ns = 10 * SIM_US << sim_random_below(&run->random, 11);
    host.segment_ns = SIM_US << sim_random_below(&run->random, 8);
    host.pace = sim_random_permille(&run->random, 250) ? 2 : 1;
    host.segment_bytes = (uint64_t)65536 << sim_random_below(&run->random, 4);
    host.snapshot_bytes = (uint64_t)32768 << sim_random_below(&run->random, 6);
    /* All that happened is there at the end, to be replayed. */
    host.history_bytes = run->options->seed % HISTORY_SEEDS == 0 ? UINT64_MAX : 0;
    host.shelf_bytes = SHELF_BYTES << run->options->seed % SHELF_SHIFTS;
    host.read_delay_ns = SIM_US << run->options->seed % READ_SHIFTS;
    host.awake_bytes = run->options->seed % SHORT_SEEDS == 0
                           ? (4 + run->options->seed % SHORT_GUESTS) * SHORT_GUEST_BYTES
                           : 0;
    host.image_tail = 1 + (uint32_t)(run->options->seed % IMAGE_TAILS);
    host.epoch_bytes = (size_t)8192 << sim_random_below(&run->random, 7);
    sim_host_init(&run->host, &host);
    sim_front_init(&run->front, &run->host, run->options->codes, sim_random_next(&run->random));
    sim_work_init(&run->work, &run->front, sim_random_next(&run->random));
    sim_faults_init(&run->faults, &run->front, sim_random_next(&run->random));
    sim_forks_init(&run->forks, &run->front, run->options->seed);
    if (sim_forks_are_in(run->options->seed))
        sim_front_want(&run->front, SIM_POD_BRANCH, true);
    run->front.cpu_ns =
        run->options->seed % CPU_SEEDS == 1 ? (50 + run->options->seed * 37 % 850) * SIM_MS : 0;
    run->front.rest_ns = rests_ns[run->options->seed % (sizeof rests_ns / sizeof *rests_ns)];
    run->front.keeps_history = run->options->seed % KEEP_SEEDS == 0;
    run->front.restart_ns = SIM_MS << sim_random_below(&run->random, 12);
    sim_trace(&run->trace,
              "run: seed %" PRIu64 ", %" PRIu32 " workers, %" PRIu32 " segments a step",
              run->options->seed, host.workers, host.segments_per_step);
}

static bool wait_reader(struct run *run)
{
    while (!run->reader.is_done)
        if (!go_on(run, SIM_S))
            return false;
    return !is_wrong(run, run->reader.breach);
}

/* What there is by now, and some more. */
static void bound_storage(struct run *run)
{
    uint64_t bytes = sim_quota_storage(&run->host.shared);

    bytes += ((uint64_t)65536 << run->options->seed % STORAGE_SHIFTS);
    sim_trace(&run->trace, "run: a quota of %" PRIu64 " bytes of the disk", bytes);
    sim_front_set_storage(&run->front, bytes);
}

/* Clients at work, in bursts with long rests between, while things go wrong. */
static bool work(struct run *run)
{
    uint64_t end_ns = run->loop.now_ns + run->options->minutes * 60 * SIM_S;

    sim_reader_mark(&run->reader, &run->front); /* All that last are there from the beginning. */
    if (!wait_reader(run))
        return false;
    if (sim_forks_are_in(run->options->seed))
        sim_forks_begin(&run->forks);
    if (run->options->seed % STORAGE_SEEDS == 3)
        bound_storage(run);
    while (run->loop.now_ns < end_ns) {
        sim_work_burst(&run->work, BURST_OPS);
        sim_faults_plan(&run->faults, BURST_OPS * (run->work.think_ns + 50 * SIM_MS));
        if (!go_on(run, BURST_GAP_NS / 2 + sim_random_below(&run->random, BURST_GAP_NS)))
            return false;
    }
    return true;
}

/* The world is good again, and comes to rest. */
static bool settle(struct run *run)
{
    const char *wrong;

    sim_trace(&run->trace, "run: no more faults");
    sim_faults_end(&run->faults);
    sim_forks_end(&run->forks);
    if (run->front.has_quota)
        sim_front_set_storage(&run->front, 0);
    for (int i = 0; i < 60 && !sim_work_is_quiet(&run->work); i++)
        if (!go_on(run, 10 * SIM_S))
            return false;
    if (!sim_work_is_quiet(&run->work))
        return !is_wrong(run, "the clients do not come to an end");
    for (int i = 0; i < 60 && !run->forks.is_quiet; i++)
        if (!go_on(run, 10 * SIM_S))
            return false;
    if (!run->forks.is_quiet)
        return !is_wrong(run, "what became of the forks does not come to light");
    if (!wait_up(run) || !go_on(run, SETTLE_NS))
        return false;
    if (is_wrong(run, sim_service_open(&run->front.service) > 0 ? "calls are never over" : ""))
        return false;
    wrong = sim_usages_check(&run->front.usages);
    return !is_wrong(run, wrong == NULL ? "" : wrong);
}

static bool read_all(struct run *run, struct sim_lives *lives)
{
    sim_reader_begin(&run->reader, &run->front, lives);
    return wait_reader(run);
}

/* Who is quick waits for nobody, on a machine whose disk and links take no time. */
static bool ask_promptly(struct run *run)
{
    run->host.options.link_delay_ns = run->host.options.item_delay_ns = SIM_US;
    run->host.options.segment_ns = run->host.options.read_delay_ns = SIM_US;
    run->disk.is_fast = true;
    sim_prompt_begin(&run->prompt, &run->front);
    while (!run->prompt.is_done)
        if (!go_on(run, SIM_S))
            return false;
    return !is_wrong(run, run->prompt.breach);
}

/* Read every life; then again after a restart that replays all of them, and after one from a
 * snapshot. */
static bool read_thrice(struct run *run)
{
    sim_trace(&run->trace, "run: all is read");
    sim_reader_mark(&run->reader, &run->front);
    if (!wait_reader(run) || !read_all(run, &run->lives[0]) || !ask_promptly(run))
        return false;
    sim_host_crash(&run->host, SIM_END_KILLED, "to replay all");
    if (!go_on(run, SIM_S) || !wait_up(run) || !read_all(run, &run->lives[1]))
        return false;
    sim_front_stop(&run->front);
    return go_on(run, SIM_S) && wait_up(run) && read_all(run, &run->lives[2]);
}

static void judge(struct run *run)
{
    struct sim_verdict verdict = {0};

    sim_check(&run->work, &run->lives[0], QUIET_NS, &verdict);
    sim_check_same(&run->lives[0], &run->lives[1], "a replay", &verdict);
    sim_check_same(&run->lives[0], &run->lives[2], "a snapshot", &verdict);
    (void)is_wrong(run, verdict.words);
    (void)is_wrong(run, sim_forks_check(&run->forks, &run->lives[0]));
    run->result->entries = verdict.entries;
    run->result->acknowledged = verdict.acknowledged;
    run->result->unknown = verdict.unknown;
}

/* All that the journal holds comes to the same once more. No client can see that, so planted bugs
 * are not judged by it. */
static void rerun(struct run *run)
{
    struct sim_rerun_result replayed;

    if (run->options->by_clients)
        return;
    sim_rerun(&run->front, &replayed);
    (void)is_wrong(run, replayed.words);
    run->result->rerun = replayed.segments;
}

/* Who asks for what an instance did sees it, so planted bugs are judged by that. */
static void look_back(struct run *run)
{
    struct sim_rerun_result kept;

    sim_rerun_kept(&run->front, &kept);
    (void)is_wrong(run, kept.words);
    run->result->kept = kept.segments;
}

static void tell(struct run *run)
{
    struct sim_run_result *result = run->result;

    result->virtual_ns = run->loop.now_ns;
    result->steps = run->loop.steps;
    result->lives = run->host.lives;
    result->commits = run->host.commits;
    result->asides = run->host.asides;
    result->woken = run->host.woken;
    result->moved = run->host.moved;
    result->pods_moved = run->host.heat.moved;
    result->operations = run->work.records_count;
    result->kills = run->front.ends[SIM_END_KILLED];
    result->powers = run->front.ends[SIM_END_POWER];
    result->stops = run->front.ends[SIM_END_STOPPED];
    result->disk_ends = run->front.ends[SIM_END_JOURNAL];
    result->digest = run->trace.digest;
}

void sim_run(const struct sim_run_options *options, struct sim_run_result *ret_result)
{
    struct run *run = calloc(1, sizeof *run);
    struct sw_err err = {0};

    if (run == NULL)
        abort();
    memset(ret_result, 0, sizeof *ret_result);
    ret_result->seed = options->seed;
    run->options = options;
    run->result = ret_result;
    init(run);
    if (wait_up(run) && work(run) && settle(run) && read_thrice(run)) {
        judge(run);
        look_back(run);
        rerun(run);
    }
    tell(run);
    if (ret_result->words[0] != 0)
        sim_trace(&run->trace, "run: WRONG: %s", ret_result->words);
    if (options->keep != NULL && sim_disk_keep(&run->disk, options->keep, &err) != SW_OK)
        (void)is_wrong(run, err.message);
    sim_host_done(&run->host);
    sim_front_done(&run->front);
    ret_result->replayed = run->host.replayed;
    ret_result->segments = run->host.segments;
    for (size_t i = 0; i < 3; i++)
        sim_lives_done(&run->lives[i]);
    sim_work_done(&run->work);
    sim_disk_done(&run->disk);
    sim_loop_done(&run->loop);
    free(run);
}
