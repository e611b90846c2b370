/* The simulator: README.md says what it is.
 *
 *     sim --seed N [--trace] [--twice] [--keep DIR] [--minutes M]
 *                                                         one run; its digest, and what is wrong
 *     sim --seeds A-B [--jobs J] [--first] [--minutes M]  many, each in a process of its own;
 * --first: no more once one was wrong. --clients: judged by what clients saw alone, and not
 * replayed at its end.
 *
 * The exit code is 0 when nothing is wrong, 1 when something is, 2 for a wrong command line. */
#include "pkg/agent/modules/rewrite.h"
#include "pkg/agent/runtime/host/guest_wasm.h"
#include "pkg/agent/runtime/wasm/wasm.h"
#include "pkg/utils/system/system.h"
#include "test/sim/host.h"
#include "test/sim/protocol.h"
#include "test/sim/run.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MINUTES 60u
#define JOBS_MAX 64u
#define GUEST_BYTES_MAX (1u << 20)
#define CODE_BYTES_MAX (64u << 20)

struct arguments {
    uint64_t first, last;
    uint32_t jobs, minutes;
    bool prints, twice, is_one, ends_at_first, by_clients;
    const char *keep;
};

struct job { /* A child that runs one seed. */
    pid_t pid;
    int pipe;
    uint64_t seed;
};

struct totals {
    uint64_t runs, wrong, virtual_ns, operations, acknowledged, segments, asides, woken, moved,
        pods_moved, replayed, rerun, kept, lives, commits;
    uint64_t first_wrong;
};

static struct sw_wasm_engine *wasm;
static struct sw_bytes codes[SIM_PROGRAMS];

/* --- The command line ------------------------------------------------------------------------ */

static _Noreturn void usage(void)
{
    fprintf(stderr, "usage: sim --seed N [--trace] [--twice] [--keep DIR] [--minutes M]\n"
                    "       sim --seeds A-B [--jobs J] [--first] [--minutes M]\n");
    exit(2);
}

static uint64_t number_of(const char *text, char **ret_end)
{
    unsigned long long number;

    errno = 0;
    if (text == NULL || *text < '0' || *text > '9')
        usage();
    number = strtoull(text, ret_end, 10);
    if (errno != 0)
        usage();
    return number;
}

static uint64_t only_number(const char *text)
{
    char *end;
    uint64_t number = number_of(text, &end);

    if (*end != 0)
        usage();
    return number;
}

static void take_range(struct arguments *arguments, const char *text)
{
    char *end;

    arguments->first = number_of(text, &end);
    if (*end != '-')
        usage();
    arguments->last = only_number(end + 1);
    if (arguments->last < arguments->first)
        usage();
}

static struct arguments take_arguments(int argc, char **argv)
{
    struct arguments arguments = {.jobs = 1, .minutes = MINUTES};
    bool has_range = false;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0) {
            arguments.prints = true;
        } else if (strcmp(argv[i], "--twice") == 0) {
            arguments.twice = true;
        } else if (strcmp(argv[i], "--first") == 0) {
            arguments.ends_at_first = true;
        } else if (strcmp(argv[i], "--clients") == 0) {
            arguments.by_clients = true;
        } else if (strcmp(argv[i], "--seed") == 0) {
            arguments.first = arguments.last = only_number(argv[++i]);
            arguments.is_one = true;
        } else if (strcmp(argv[i], "--seeds") == 0 && argv[i + 1] != NULL) {
            take_range(&arguments, argv[++i]);
            has_range = true;
        } else if (strcmp(argv[i], "--keep") == 0 && argv[i + 1] != NULL) {
            arguments.keep = argv[++i];
        } else if (strcmp(argv[i], "--jobs") == 0) {
            arguments.jobs = (uint32_t)only_number(argv[++i]);
        } else if (strcmp(argv[i], "--minutes") == 0) {
            arguments.minutes = (uint32_t)only_number(argv[++i]);
        } else {
            usage();
        }
    }
    if (arguments.is_one == has_range || arguments.jobs == 0 || arguments.jobs > JOBS_MAX)
        usage();
    return arguments;
}

/* --- The engine and the guests, once for all runs ----------------------------------------------
 */

static void load(const char *path, struct sw_buffer *code, struct sw_err *err)
{
    struct sw_buffer guest, rewritten;

    sw_buffer_init(&guest, GUEST_BYTES_MAX);
    sw_buffer_init(&rewritten, 2 * GUEST_BYTES_MAX);
    sw_buffer_init(code, CODE_BYTES_MAX);
    if (sw_file_load(sw_system_real(), path, GUEST_BYTES_MAX, &guest, err) != SW_OK ||
        sw_module_rewrite((struct sw_bytes){guest.data, guest.size}, &rewritten, err) != SW_OK ||
        sw_wasm_compile_fuel((struct sw_bytes){rewritten.data, rewritten.size}, SW_ABI_COMPACT,
                             code, err) != SW_OK) {
        fprintf(stderr, "sim: %s\n", err->message);
        exit(1);
    }
    sw_buffer_done(&guest);
    sw_buffer_done(&rewritten);
}

static void prepare(void)
{
    static const char *const guests[SIM_PROGRAMS] = {SW_TEST_BUILD "/guests/test_sim.wasm",
                                                     SW_TEST_BUILD "/guests/test_sim_moved.wasm",
                                                     SW_TEST_BUILD "/guests/test_sim_kept.wasm"};
    static struct sw_buffer buffers[SIM_PROGRAMS];
    struct sw_err err = {0};

    for (uint32_t i = 0; i < SIM_PROGRAMS; i++) {
        load(guests[i], &buffers[i], &err);
        codes[i] = (struct sw_bytes){buffers[i].data, buffers[i].size};
    }
    if (sw_guest_wasm_engine(SIM_FUEL_PER_MS, &wasm, &err) != SW_OK) {
        fprintf(stderr, "sim: %s\n", err.message);
        exit(1);
    }
}

static void run_one(const struct arguments *arguments, uint64_t seed,
                    struct sim_run_result *ret_result)
{
    struct sim_run_options options = {.wasm = wasm,
                                      .codes = codes,
                                      .seed = seed,
                                      .minutes = arguments->minutes,
                                      .prints = arguments->prints,
                                      .by_clients = arguments->by_clients,
                                      .keep = arguments->is_one ? arguments->keep : NULL};

    sim_run(&options, ret_result);
}

/* --- One seed -------------------------------------------------------------------------------- */

static int one(const struct arguments *arguments)
{
    struct sim_run_result result, again;

    run_one(arguments, arguments->first, &result);
    printf("seed %" PRIu64 ": digest %016" PRIx64 ", %" PRIu64 " virtual s, %" PRIu64
           " operations (%" PRIu64 " acknowledged, %" PRIu64 " unknown), %" PRIu64
           " entries, %" PRIu64 " segments (%" PRIu64 " set aside), %" PRIu64 " replayed, %" PRIu64
           " commits\n"
           "seed %" PRIu64 ": %" PRIu32 " kills, %" PRIu32 " power failures, %" PRIu32
           " clean stops, %" PRIu32 " failed disks, %" PRIu64 " steps\n",
           result.seed, result.digest, result.virtual_ns / SIM_S, result.operations,
           result.acknowledged, result.unknown, result.entries, result.segments, result.asides,
           result.replayed, result.commits, result.seed, result.kills, result.powers, result.stops,
           result.disk_ends, result.steps);
    if (arguments->twice) {
        run_one(arguments, arguments->first, &again);
        if (again.digest != result.digest) {
            printf("seed %" PRIu64 ": WRONG: the second time its digest is %016" PRIx64 "\n",
                   result.seed, again.digest);
            return 1;
        }
    }
    if (result.words[0] == 0)
        return 0;
    printf("seed %" PRIu64 ": WRONG: %s\n", result.seed, result.words);
    return 1;
}

/* --- Many seeds ------------------------------------------------------------------------------ */

static void start(const struct arguments *arguments, struct job *job, uint64_t seed)
{
    struct sim_run_result result;
    int ends[2];

    if (pipe(ends) != 0) {
        perror("sim: pipe");
        exit(1);
    }
    fflush(stdout);
    *job = (struct job){fork(), ends[0], seed};
    if (job->pid < 0) {
        perror("sim: fork");
        exit(1);
    }
    if (job->pid == 0) {
        run_one(arguments, seed, &result);
        _exit(write(ends[1], &result, sizeof result) == (ssize_t)sizeof result ? 0 : 1);
    }
    (void)close(ends[1]);
}

/* Take in what a child says, and that it ended. */
static void finish(const struct arguments *arguments, struct job *job, struct totals *totals)
{
    struct sim_run_result result = {.seed = job->seed};
    int status = 0;

    if (read(job->pipe, &result, sizeof result) != (ssize_t)sizeof result)
        snprintf(result.words, sizeof result.words, "the simulator's process ended by itself");
    (void)close(job->pipe);
    (void)waitpid(job->pid, &status, 0);
    job->pid = 0;
    totals->runs++;
    totals->virtual_ns += result.virtual_ns;
    totals->operations += result.operations;
    totals->acknowledged += result.acknowledged;
    totals->segments += result.segments;
    totals->asides += result.asides;
    totals->woken += result.woken;
    totals->moved += result.moved;
    totals->pods_moved += result.pods_moved;
    totals->replayed += result.replayed;
    totals->rerun += result.rerun;
    totals->kept += result.kept;
    totals->lives += result.lives;
    totals->commits += result.commits;
    if (result.words[0] == 0)
        return;
    if (totals->wrong++ == 0 || job->seed < totals->first_wrong)
        totals->first_wrong = job->seed;
    printf("seed %" PRIu64 ": WRONG: %s\n"
           "    to repeat it: build/test/sim --seed %" PRIu64 " --minutes %" PRIu32 "%s --trace\n",
           job->seed, result.words, job->seed, arguments->minutes,
           arguments->by_clients ? " --clients" : "");
}

static int many(const struct arguments *arguments)
{
    struct job jobs[JOBS_MAX] = {{0}};
    struct pollfd files[JOBS_MAX];
    struct totals totals = {0};
    uint64_t next = arguments->first;

    for (;;) {
        uint32_t busy = 0;

        for (uint32_t i = 0; i < arguments->jobs; i++) {
            if (jobs[i].pid == 0 && next <= arguments->last &&
                !(arguments->ends_at_first && totals.wrong > 0))
                start(arguments, &jobs[i], next++);
            files[i] =
                (struct pollfd){.fd = jobs[i].pid == 0 ? -1 : jobs[i].pipe, .events = POLLIN};
            busy += jobs[i].pid != 0;
        }
        if (busy == 0)
            break;
        if (poll(files, arguments->jobs, -1) < 0 && errno != EINTR)
            return 1;
        for (uint32_t i = 0; i < arguments->jobs; i++)
            if (jobs[i].pid != 0 && files[i].revents != 0)
                finish(arguments, &jobs[i], &totals);
    }
    printf("%" PRIu64 " seeds, %" PRIu64 " wrong; %.1f virtual hours, %" PRIu64
           " operations (%" PRIu64 " acknowledged), %" PRIu64 " segments (%" PRIu64
           " set aside), %" PRIu64 " replayed, %" PRIu64 " woken, %" PRIu64 " moved, %" PRIu64
           " Pods moved, %" PRIu64 " commits, %" PRIu64 " lives of a host; %" PRIu64
           " segments ran again at the end, and %" PRIu64 " turns of histories\n",
           totals.runs, totals.wrong, (double)totals.virtual_ns / (double)SIM_S / 3600,
           totals.operations, totals.acknowledged, totals.segments, totals.asides, totals.replayed,
           totals.woken, totals.moved, totals.pods_moved, totals.commits, totals.lives,
           totals.rerun, totals.kept);
    return totals.wrong == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct arguments arguments = take_arguments(argc, argv);

    prepare();
    return arguments.is_one ? one(&arguments) : many(&arguments);
}
