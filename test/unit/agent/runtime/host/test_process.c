/* labels: threaded */
/* uses: pkg/agent/modules pkg/agent/runtime/wasm pkg/utils/system */
/* timeout: 300 */
#include "test/support/host_process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>

static struct host_process host;

static int set_up(void **state)
{
    (void)state;
    host_init(&host, "test_ledger");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    host_done(&host);
    return 0;
}

static long sum_of(const char *key)
{
    struct host_answer *answer = host_ask(&host, "ledger", key, "sum");

    assert_non_null(answer);
    assert_int_equal(answer->status, 0);
    sw_buffer_put_u8(&answer->body, 0);
    return strtol((const char *)answer->body.data, NULL, 10);
}

static int32_t send_one(const char *key, const char *body)
{
    struct host_answer *answer = host_answer(&host, host_send(&host, "ledger", key, body, false));

    assert_true(host_wait(&host, &answer->is_there));
    return answer->status;
}

static void a_wasm_instance_answers(void **state)
{
    (void)state;
    assert_true(host_start(&host, 2));
    host_open(&host, &(struct host_pod){.number = 1, .agent = "ledger", .is_keyed = true});
    assert_int_equal(send_one("a", "put 7"), 0);
    assert_int_equal(sum_of("a"), 1);
    assert_int_equal(sum_of("b"), 0);
    assert_int_equal(send_one("a", "trap"), SW_E_INTERNAL);
    assert_string_equal(host.last_event, "Trapped");
    assert_int_equal(sum_of("a"), 1);
}

static void state_survives_a_kill_by_replay(void **state)
{
    (void)state;
    assert_true(host_start(&host, 2));
    host_open(&host, &(struct host_pod){.number = 1, .agent = "ledger", .is_keyed = true});
    for (int i = 0; i < 10; i++)
        assert_int_equal(send_one("a", "put 7"), 0);
    assert_int_equal(send_one("a", "relay b 9"), 0);
    assert_int_equal(sum_of("b"), 1);
    assert_int_equal(host_kill(&host), -SIGKILL);
    assert_true(host_start(&host, 1)); /* Another number of workers, too. */
    assert_int_equal(host.ready_instances, 2);
    host_open(&host, &(struct host_pod){.number = 1, .agent = "ledger", .is_keyed = true});
    assert_int_equal(sum_of("a"), 10);
    assert_int_equal(sum_of("b"), 1);
}

static void a_clean_stop_leaves_a_snapshot_to_go_on_from(void **state)
{
    (void)state;
    assert_true(host_start(&host, 2));
    host_open(&host, &(struct host_pod){.number = 1, .agent = "ledger", .is_keyed = true});
    for (int i = 0; i < 10; i++)
        assert_int_equal(send_one("a", "put 7"), 0);
    assert_true(host_stop(&host));
    for (int round = 0; round < 3; round++) {
        assert_true(host_start(&host, 2));
        host_open(&host, &(struct host_pod){.number = 1, .agent = "ledger", .is_keyed = true});
        assert_int_equal(send_one("a", "put 8"), 0);
        assert_int_equal(sum_of("a"), 11 + round);
        if (round == 1)
            assert_int_equal(host_kill(&host), -SIGKILL);
        else
            assert_true(host_stop(&host));
    }
}

/* Send so many and wait for all of them: rounds of a load with thousands in flight. */
static void put_many(unsigned count, unsigned keys)
{
    static uint64_t requests[4096];
    char key[16];

    assert_true(count <= 4096);
    for (unsigned i = 0; i < count; i++) {
        snprintf(key, sizeof key, "k%u", i % keys);
        requests[i] = host_send(&host, "ledger", key, "put 7", false);
    }
    for (unsigned i = 0; i < count; i++) {
        struct host_answer *answer = host_answer(&host, requests[i]);

        if (!host_wait(&host, &answer->is_there))
            fail_msg("no answer: the host ended with %d", host.is_gone ? host_end(&host) : 0);
        assert_int_equal(answer->status, 0);
        sw_buffer_done(&answer->body);
        answer->is_there = false;
    }
}

static unsigned files_of(const char *prefix)
{
    DIR *folder = opendir(host.folder);
    struct dirent *entry;
    unsigned count = 0;

    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL)
        count += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
    (void)closedir(folder);
    return count;
}

static void snapshots_go_on_beside_the_work_and_bound_the_journal(void **state)
{
    enum { KEYS = 64, ROUND = 4096, ROUNDS = 12 };
    uint64_t taken = 0, kept = 0;
    char key[16];

    (void)state;
    host.snapshot_bytes = 256u << 10;
    for (int life = 0; life < 3; life++) {
        assert_true(host_start(&host, 2));
        host_open(&host, &(struct host_pod){.number = 1, .agent = "ledger", .is_keyed = true});
        for (int round = 0; round < ROUNDS / 3; round++)
            put_many(ROUND, KEYS);
        host.stats.epochs = 0;
        for (int i = 0; i < 1000 && host.stats.epochs == 0; i++) { /* The next STATS. */
            assert_int_equal(send_one("other", "put 1"), 0);
            host_pump(&host, 10);
        }
        taken += host.stats.snapshots;
        kept = host.stats.journal_kept_bytes;
        assert_int_equal(host.stats.snapshots_failed, 0);
        if (life < 2)
            assert_int_equal(host_kill(&host), -SIGKILL);
    }
    assert_true(taken >= 3);
    /* What was appended since the last point, and the present file with what it held before. */
    assert_true(kept < (80u << 20));
    assert_true(files_of("snapshot-") <= 2);
    for (unsigned i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "k%u", i);
        assert_int_equal(sum_of(key), ROUNDS * ROUND / KEYS);
    }
}

/* The host can open no further file, or as many as it wants again. */
static void let_it_open(bool may_open)
{
    struct rlimit limit;
    char path[64];
    rlim_t lowest = 0;

    do
        snprintf(path, sizeof path, "/proc/%d/fd/%u", (int)host.pid, (unsigned)lowest);
    while (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 && ++lowest < 1000);
    assert_int_equal(prlimit(host.pid, RLIMIT_NOFILE, NULL, &limit), 0);
    limit.rlim_cur = may_open ? limit.rlim_max : lowest;
    assert_int_equal(prlimit(host.pid, RLIMIT_NOFILE, &limit, NULL), 0);
}

static void a_snapshot_that_fails_is_told_and_the_next_one_may_not(void **state)
{
    (void)state;
    host.snapshot_bytes = 256u << 10;
    assert_true(host_start(&host, 2));
    host_open(&host, &(struct host_pod){.number = 1, .agent = "ledger", .is_keyed = true});
    put_many(64, 64);
    let_it_open(false);
    for (int i = 0; i < 3000 && strcmp(host.last_event, "SnapshotFailed") != 0; i++)
        put_many(256, 64);
    assert_string_equal(host.last_event, "SnapshotFailed");
    assert_int_equal(files_of("snapshot-"), 0);
    let_it_open(true);
    for (int i = 0; i < 3000 && host.stats.snapshots == 0; i++) {
        put_many(64, 64);
        host_pump(&host, 10); /* For the next STATS. */
    }
    assert_true(host.stats.snapshots > 0);
    assert_true(host.stats.snapshots_failed > 0);
    assert_true(host_stop(&host));
}

static void a_journal_that_is_gone_is_not_taken_for_a_beginning(void **state)
{
    char path[600];
    struct dirent *entry;
    DIR *folder;

    (void)state;
    assert_true(host_start(&host, 2));
    host_open(&host, &(struct host_pod){.number = 1, .agent = "ledger", .is_keyed = true});
    assert_int_equal(send_one("a", "put 7"), 0);
    assert_true(host_stop(&host));
    folder = opendir(host.folder);
    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL) {
        snprintf(path, sizeof path, "%s/%s", host.folder, entry->d_name);
        if (entry->d_name[0] != '.')
            assert_int_equal(unlink(path), 0);
    }
    (void)closedir(folder);
    assert_false(host_start(&host, 2));
    assert_int_equal(host_end(&host), 6);
    assert_int_equal(files_of("journal-"), 0);
    host.journal[0] = 0; /* Whoever starts it wants to begin anew. */
    assert_true(host_start(&host, 2));
}

/* The number behind "name:" in a file of /proc/PID/task; -1: it is not there. */
static int task_field(const char *task, const char *name)
{
    char path[300], line[256];
    size_t size = strlen(name);
    int value = -1;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/task/%s/status", (int)host.pid, task);
    file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, size) == 0 && line[size] == ':')
            value = atoi(line + size + 1);
    if (file != NULL)
        (void)fclose(file);
    return value;
}

static void every_thread_is_in_the_sandbox(void **state)
{
    char path[64];
    struct dirent *entry;
    unsigned threads = 0;
    DIR *tasks;

    (void)state;
    assert_true(host_start(&host, 2));
    host_open(&host, &(struct host_pod){.number = 1, .agent = "ledger", .is_keyed = true});
    assert_int_equal(send_one("a", "put 7"), 0);
    snprintf(path, sizeof path, "/proc/%d/task", (int)host.pid);
    tasks = opendir(path);
    assert_non_null(tasks);
    while ((entry = readdir(tasks)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        threads++;
        assert_int_equal(task_field(entry->d_name, "Seccomp"), 2);
        assert_int_equal(task_field(entry->d_name, "NoNewPrivs"), 1);
    }
    (void)closedir(tasks);
    assert_true(threads >= 5); /* The link, two workers, the journal, the ticker. */
}

static void many_replicas_open_quickly(void **state)
{
    (void)state;
    assert_true(host_start(&host, 2));
    host_open(&host, &(struct host_pod){.number = 1, .agent = "ledger", .replicas = 20000});
    assert_non_null(host_ask(&host, "ledger", "19999", "sum"));
    assert_non_null(host_ask(&host, "ledger", "", "sum"));
}

static void a_frame_that_is_none_ends_the_host(void **state)
{
    (void)state;
    assert_true(host_start(&host, 1));
    sw_buffer_put_text(&host.out, "nonsense that is no frame");
    for (int i = 0; i < 1000 && !host.is_gone; i++)
        host_pump(&host, 10);
    assert_int_equal(host_end(&host), 5);
}

static void the_end_of_the_link_ends_the_host(void **state)
{
    (void)state;
    assert_true(host_start(&host, 1));
    assert_int_equal(shutdown(host.link, SHUT_RDWR), 0);
    assert_int_equal(host_end(&host), 0);
}

static void a_pod_without_its_module_is_refused(void **state)
{
    struct sw_frame drop = {.kind = SW_FRAME_MODULE_DROP,
                            .module_drop = {host_text("sha256:guest")}};
    struct host_answer *answer;

    (void)state;
    assert_true(host_start(&host, 1));
    sw_frame_put(&drop, &host.out);
    host_open(&host, &(struct host_pod){.number = 1, .agent = "ledger", .is_keyed = true});
    answer = host_ask(&host, "ledger", "a", "sum");
    assert_non_null(answer);
    assert_int_equal(-answer->status, SW_FRAME_CODE_NOT_TAKEN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_wasm_instance_answers),
        TEST(state_survives_a_kill_by_replay),
        TEST(a_clean_stop_leaves_a_snapshot_to_go_on_from),
        TEST(snapshots_go_on_beside_the_work_and_bound_the_journal),
        TEST(a_snapshot_that_fails_is_told_and_the_next_one_may_not),
        TEST(a_journal_that_is_gone_is_not_taken_for_a_beginning),
        TEST(many_replicas_open_quickly),
        TEST(a_frame_that_is_none_ends_the_host),
        TEST(the_end_of_the_link_ends_the_host),
        TEST(a_pod_without_its_module_is_refused),
        TEST(every_thread_is_in_the_sandbox),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
