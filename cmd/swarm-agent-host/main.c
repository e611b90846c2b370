/* The agent host: wiring, start and stop. README.md says what it is. */
#include "cmd/swarm-agent-host/aside.h"

#include "pkg/agent/abi/abi.h"
#include "pkg/agent/runtime/actor/snapshot.h"
#include "pkg/agent/runtime/host/guest_wasm.h"
#include "pkg/agent/runtime/wasm/wasm.h"
#include "pkg/agent/sandbox/sandbox.h"
#include "pkg/utils/base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define LINK_FILE 3
#define LOCK_TRIES 100
#define LOCK_TRIES_REPLAY 20 /* Somebody waits for it. */
#define LOCK_WAIT_NS 100000000
#define NS_PER_MS 1000000u
#define PAST_NICE 10
#define FINISH_PART 10 /* Of the time for a stop is for long segments to end. */
#define LINK_BYTES_MAX ((size_t)512 << 20)

static struct driver driver; /* One per process. */
static struct sw_sandbox_view sandbox;
static uint64_t stop_by_ns;

static _Noreturn void usage(void)
{
    fprintf(stderr,
            "usage: swarm-agent-host --folder DIR [--replay|--pack|--past]   (started by swarmd, "
            "swarmctl; its socket is descriptor %d)\n",
            LINK_FILE);
    exit(SW_HOST_EXIT_USAGE);
}

/* Two hosts on one journal would be the end of it: the lock is held until the process is gone, and
 * a predecessor that still dies is waited for. */
static void lock_folder(const char *folder)
{
    char path[SW_PATH_MAX];
    bool is_replay = driver.task == TASK_REPLAY;
    struct sw_err err = {0};
    int file;

    snprintf(path, sizeof path, "%s/lock", folder);
    if (is_replay)
        file = open(path, O_RDONLY | O_CLOEXEC);
    else if (driver.system->folder_make(driver.system->ctx, folder, &err) == SW_OK)
        file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    else
        driver_die(SW_HOST_EXIT_RESOURCES, err.message);
    if (file < 0 && is_replay && errno == ENOENT)
        return; /* No host was ever here. */
    if (file < 0)
        driver_die(SW_HOST_EXIT_RESOURCES, "its folder cannot be written");
    for (int i = 0; i < (is_replay ? LOCK_TRIES_REPLAY : LOCK_TRIES); i++) {
        struct timespec wait = {.tv_nsec = LOCK_WAIT_NS};

        if (flock(file, LOCK_EX | LOCK_NB) == 0)
            return;
        nanosleep(&wait, NULL);
    }
    if (is_replay)
        _exit(SW_HOST_EXIT_BUSY); /* Who started it says so, to a person. */
    driver_die(SW_HOST_EXIT_BUSY, "another agent host uses its folder");
}

static uint32_t count_workers(uint32_t wanted)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    if (wanted == 0)
        wanted = processors < 1 ? 1 : (uint32_t)processors;
    return wanted > SW_WORKERS_MAX ? SW_WORKERS_MAX : wanted;
}

static enum sw_rc make_lanes(uint32_t count, struct sw_err *err)
{
    enum sw_rc rc = sw_guest_wasm_engine(0, &driver.wasm, err);

    driver.lanes = aligned_alloc(_Alignof(struct lane), count * sizeof *driver.lanes);
    if (driver.lanes != NULL)
        memset(driver.lanes, 0, count * sizeof *driver.lanes);
    if (rc == SW_OK && driver.lanes == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the workers");
    driver.lanes_count = count;
    for (uint32_t i = 0; rc == SW_OK && i < count; i++) {
        struct lane *lane = &driver.lanes[i];
        struct sw_worker_options options = {.shared = &driver.shared, .index = i, .count = count};

        lane->driver = &driver;
        lane->index = i;
        options.strands = lane->strands = sw_strands_new(lane_run, lane, SW_WORKER_STRANDS);
        if (lane->strands == NULL)
            return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the workers");
        rc = sw_wasm_worker_new(driver.wasm, &lane->wasm, err);
        if (rc != SW_OK)
            break;
        options.engine = sw_guest_wasm_worker(lane->wasm);
        rc = sw_worker_new(&options, &lane->worker, err);
    }
    return rc;
}

static enum sw_rc open_guest(void *ctx, enum sw_abi_class class, struct sw_bytes code,
                             struct sw_guest_module **ret_module, struct sw_err *err)
{
    (void)ctx;
    return sw_guest_wasm_open(driver.wasm, class, code, ret_module, err);
}

static void recover(struct sw_worker **workers, const struct sw_frame_hello *hello)
{
    struct sw_journal_options journal = {.system = driver.system,
                                         .folder = driver.folder,
                                         .uuid =
                                             driver.journal.size == 0 ? NULL : driver.journal.data};
    struct sw_recovery_report report;
    struct sw_frame ready = {.kind = SW_FRAME_READY};
    struct sw_host_options options = {.system = driver.system,
                                      .shared = &driver.shared,
                                      .workers = workers,
                                      .workers_count = driver.lanes_count,
                                      .engine = &driver.engine,
                                      .ctx = &driver,
                                      .open_module = open_guest,
                                      .open_bundle = sw_guest_wasm_bundle,
                                      .put = link_put,
                                      .emit = link_emit,
                                      .stand_still = link_still,
                                      .follow = link_follow};
    struct sw_err err = {0};
    struct sw_buffer identity;
    char words[512];
    uint64_t began_ns;
    enum sw_rc rc;

    sw_snapshot_limit(&driver.shared,
                      &(struct sw_snapshot_limits){.bytes_min = hello->snapshot_bytes,
                                                   .history_bytes = hello->history_bytes});
    began_ns = driver.system->monotonic_ns(driver.system->ctx);
    rc = sw_recover(&journal, &driver.shared, workers, driver.lanes_count, &report, &err);
    if (rc != SW_OK)
        driver_die_of(rc == SW_E_NOT_FOUND ? SW_HOST_EXIT_LOST : SW_HOST_EXIT_UNREADABLE, &err);
    sw_buffer_init(&identity, 64);
    sw_hex_encode(sw_journal_uuid(driver.shared.journal), 16, &identity);
    if (sw_host_new(&options, &driver.host, &err) != SW_OK)
        driver_die(SW_HOST_EXIT_RESOURCES, err.message);
    snprintf(words, sizeof words,
             "recovered %" PRIu64 " Pods, %" PRIu64 " instances, %" PRIu64
             " waiting messages in %" PRIu64 " ms, from %" PRIu64
             " KiB of snapshot and the last %" PRIu64 " of %" PRIu64 " KiB of journal%s%s",
             report.pods, report.instances, report.messages,
             (driver.system->monotonic_ns(driver.system->ctx) - began_ns) / NS_PER_MS,
             report.snapshot_bytes >> 10, report.tail_bytes >> 10, report.journal_bytes >> 10,
             sandbox.missing[0] == 0 ? "" : "; the sandbox is without ", sandbox.missing);
    ready.ready = (struct sw_frame_ready){.version = SW_LINK_VERSION,
                                          .workers = driver.lanes_count,
                                          .pods = report.pods,
                                          .instances = report.instances,
                                          .messages = report.messages,
                                          .journal = {identity.data, identity.size},
                                          .words = {words, strlen(words)}};
    link_emit(&driver, &ready);
    sw_buffer_done(&identity);
}

static bool is_late(void *ctx, unsigned percent)
{
    uint64_t left_ns = (uint64_t)driver.stop_ms * NS_PER_MS / 100 * percent;

    (void)ctx;
    return driver.system->monotonic_ns(driver.system->ctx) + left_ns > stop_by_ns;
}

/* The threads end, what is in flight comes to rest, and all of it goes into a snapshot. */
static void stop(struct sw_worker **workers)
{
    struct sw_snapshot_options options = {.shared = &driver.shared,
                                          .workers = workers,
                                          .count = driver.lanes_count,
                                          .is_late = is_late};
    struct sw_frame stopped = {.kind = SW_FRAME_STOPPED};
    struct sw_err err = {0};
    enum sw_rc rc;

    stop_by_ns =
        driver.system->monotonic_ns(driver.system->ctx) + (uint64_t)driver.stop_ms * NS_PER_MS;
    driver_join(&driver, driver.system->monotonic_ns(driver.system->ctx) +
                             (uint64_t)driver.stop_ms * NS_PER_MS / FINISH_PART);
    sw_host_close_volatile(driver.host);
    link_give(&driver);
    driver_settle(&driver);
    for (uint32_t i = 0; i < driver.lanes_count; i++) {
        sw_worker_settle(workers[i]);
        lane_publish(&driver.lanes[i], false); /* What was used is told with all the rest. */
    }
    do /* When the disk has room again, what had waited for it goes first. */
        rc = sw_journal_commit(driver.shared.journal, &err);
    while (rc == SW_OK && sw_journal_is_dirty(driver.shared.journal));
    if (rc != SW_OK && rc != SW_E_EXHAUSTED)
        driver_die(SW_HOST_EXIT_JOURNAL, err.message);
    link_flush(&driver);
    if (rc == SW_OK)
        rc = sw_snapshot_take(&options, &err);
    driver_tell_history(&driver);
    sw_suspects_end(&driver.shared.suspects);
    stopped.result.code = (uint32_t)-rc;
    stopped.result.words = (struct sw_bytes){err.message, rc == SW_OK ? 0 : strlen(err.message)};
    link_emit(&driver, &stopped);
    link_flush(&driver);
}

/* From here on this process reaches its folder, its link and standard error, whatever a guest may
 * make of it. The engine and the workers start threads, which the sandbox binds only if they come
 * after it; and nothing of a journal or a guest is looked at before it. */
static void enter_sandbox(void)
{
    struct sw_sandbox_options options = {.profile = SW_SANDBOX_HOST,
                                         .folder = driver.folder,
                                         .is_read_only = driver.task == TASK_REPLAY ||
                                                         driver.task == TASK_PAST};
    struct sw_err err = {0};

    if (sw_sandbox_enter(&options, &sandbox, &err) != SW_OK)
        driver_die(SW_HOST_EXIT_RESOURCES, err.message);
}

/* Segments of a long journal stay open for reading. */
static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* A terminal's Ctrl-C and a service manager's stop reach every process of the group. Only swarmd
 * answers them: it asks this one over the link to stop, which takes a snapshot. Without swarmd the
 * link ends, and with it the host. */
static void leave_signals_to_swarmd(void)
{
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
}

static void read_arguments(int argc, char **argv)
{
    static const char *const tasks[] = {
        [TASK_REPLAY] = "--replay", [TASK_PACK] = "--pack", [TASK_PAST] = "--past"};

    if (argc < 3 || argc > 4 || strcmp(argv[1], "--folder") != 0)
        usage();
    driver.folder = argv[2];
    if (argc == 3)
        return;
    for (int task = TASK_REPLAY; task <= TASK_PAST; task++)
        if (strcmp(argv[3], tasks[task]) == 0)
            driver.task = (enum task)task;
    if (driver.task == TASK_SERVE)
        usage();
}

/* All that comes before the sandbox. Returns how many workers there are to be. */
static uint32_t prepare(struct sw_frame_hello *ret_hello)
{
    struct sw_err err = {0};
    uint32_t count = 1;

    driver.system = sw_system_real();
    driver.link = LINK_FILE;
    sw_buffer_init(&driver.in, SW_FRAME_BYTES_MAX * 2);
    sw_buffer_init(&driver.out, LINK_BYTES_MAX);
    sw_buffer_init(&driver.journal, 64);
    pthread_mutex_init(&driver.out_mutex, NULL);
    raise_file_limit();
    driver.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (driver.wake < 0 || fcntl(LINK_FILE, F_SETFD, FD_CLOEXEC) != 0)
        usage();
    if (driver.task != TASK_SERVE) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* It may not look at its link for long. */
        if (driver.task != TASK_PAST)           /* Which looks on while another host goes on. */
            lock_folder(driver.folder);
        return count;
    }
    if (link_hello(&driver, ret_hello, &err) != SW_OK)
        driver_die(SW_HOST_EXIT_PROTOCOL, err.message);
    lock_folder(driver.folder);
    memory_open(&driver, ret_hello->awake_bytes);
    count = count_workers(ret_hello->workers); /* It looks at /sys. */
    notes_open(&driver, ret_hello->crashed != 0);
    return count;
}

int main(int argc, char **argv)
{
    static struct sw_worker *workers[SW_WORKERS_MAX];
    struct sw_frame_hello hello = {0};
    struct sw_err err = {0};
    uint32_t count;
    enum sw_rc rc;

    read_arguments(argc, argv);
    leave_signals_to_swarmd();
    count = prepare(&hello);
    enter_sandbox();
    if (sw_shared_init(&driver.shared, driver.system, SW_ABI_FINGERPRINT) != SW_OK ||
        make_lanes(count, &err) != SW_OK)
        driver_die(SW_HOST_EXIT_RESOURCES, err.message);
    memory_watch(&driver);
    if (driver.notes != NULL)
        sw_suspects_begin(&driver.shared.suspects, driver.notes);
    driver.engine = sw_guest_wasm_worker(driver.lanes[0].wasm);
    for (uint32_t i = 0; i < driver.lanes_count; i++)
        workers[i] = driver.lanes[i].worker;
    if (driver.task == TASK_PAST)
        past_run(&driver, workers[0], open_guest);
    if (driver.task != TASK_SERVE)
        replay_run(&driver, workers[0], open_guest);
    recover(workers, &hello);
    if (driver_start(&driver, &err) != SW_OK)
        driver_die(SW_HOST_EXIT_RESOURCES, err.message);
    rc = link_serve(&driver, &err);
    if (rc == SW_E_UNAVAILABLE) /* Whoever is to hear is gone: only the journal counts. */
        _exit(SW_HOST_EXIT_STOPPED);
    if (rc != SW_OK)
        driver_die(SW_HOST_EXIT_PROTOCOL, err.message);
    stop(workers);
    _exit(SW_HOST_EXIT_STOPPED); /* Memory of a million instances need not be given back one by one.
                                  */
}
