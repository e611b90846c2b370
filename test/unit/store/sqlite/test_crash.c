/* labels: threaded */
/* kill -9 at any instant loses no acknowledged write; what was not acknowledged is whole or absent.
 *
 * A child commits pairs of keys and writes each acknowledged number to a pipe; the parent kills it
 * at a random acknowledgement, opens the store and checks every number that it heard of. */
#include <signal.h>
#include <sys/wait.h>

#include "test/unit/store/sqlite/fixture.h"

#define KILLS 12
#define IN_FLIGHT 16

struct writer {
    struct harness *harness;
    int pipe, outstanding;
};
struct write {
    struct writer *writer;
    uint32_t number;
};

static void note_ack(void *ctx, const struct sw_store_result *result)
{
    struct write *done = ctx;

    if (result->rc != SW_OK ||
        write(done->writer->pipe, &done->number, sizeof(done->number)) != sizeof(done->number))
        _exit(3);
    done->writer->outstanding--;
    free(done);
}

/* Two keys per transaction, so that half a transaction would show; now and then a deletion. */
static void commit_number(struct writer *writer, uint32_t number)
{
    char one[32], other[32], old[32];
    struct write *ctx = malloc(sizeof(*ctx));
    struct sw_err err = {0};

    snprintf(one, sizeof(one), "agents/a/n%u", number);
    snprintf(other, sizeof(other), "pods/a/n%u", number);
    snprintf(old, sizeof(old), "scratch/a/n%u", number - 1);
    struct sw_store_op ops[] = {harness_put_op(one, "value"),
                                harness_put_op(other, "value"),
                                {.action = SW_STORE_DELETE, .key = old}};
    if (ctx == NULL)
        _exit(4);
    *ctx = (struct write){.writer = writer, .number = number};
    if (sw_store_commit(writer->harness->store, &(struct sw_store_txn){ops, 3}, note_ack, ctx,
                        &err) != SW_OK)
        _exit(5);
    writer->outstanding++;
}

static void child_run(struct harness *harness, int pipe_end, uint32_t first)
{
    struct writer writer = {.harness = harness, .pipe = pipe_end};
    struct sw_err err = {0};

    if (harness->open(harness, &err) != SW_OK)
        _exit(2);
    for (uint32_t number = first;; number++) {
        commit_number(&writer, number);
        while (writer.outstanding >= IN_FLIGHT)
            harness_step(harness, true);
    }
}

/* Start a writer, kill it after a random number of acknowledgements; returns the last one heard. */
static uint32_t kill_writer(struct harness *harness, uint32_t first, unsigned acks)
{
    int ends[2];
    uint32_t number = 0, last = 0;

    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        child_run(harness, ends[1], first);
    }
    close(ends[1]);
    while (read(ends[0], &number, sizeof(number)) == (ssize_t)sizeof(number)) {
        last = number;
        if (--acks == 0)
            kill(child, SIGKILL); /* And hear what it had acknowledged before it died. */
    }
    close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    return last;
}

static bool has_number(struct harness *harness, const char *kind, uint32_t number)
{
    char key[32];

    snprintf(key, sizeof(key), "%s/a/n%u", kind, number);
    return sw_store_find(harness->store, key) != NULL;
}

/* Everything up to `acked` is there; beyond it each transaction is whole or absent, in order. */
static uint32_t check_numbers(struct harness *harness, uint32_t acked)
{
    uint32_t number = 1;

    while (has_number(harness, "agents", number)) {
        assert_true(has_number(harness, "pods", number));
        number++;
    }
    assert_false(has_number(harness, "pods", number));
    assert_true(number > acked);
    return number;
}

static void kill_loses_no_acknowledged_write(void **state)
{
    struct harness *harness = *state;
    uint32_t next = 1;

    for (unsigned i = 0; i < KILLS; i++) {
        uint32_t acked = kill_writer(harness, next, 1 + (i * i * 37) % 400);
        harness_open(harness);
        next = check_numbers(harness, acked);
        assert_true(sw_store_revision(harness->store) >= acked);
        harness_close(harness);
    }
}

static void revisions_go_on_after_a_restart_even_past_deletions(void **state)
{
    struct harness *harness = *state;

    harness_open(harness);
    harness_put(harness, "agents/a/x", "1");
    uint64_t first = harness_put(harness, "agents/a/y", "2");
    uint64_t newest = harness_delete(harness, "agents/a/y");
    assert_true(newest > first);
    harness_close(harness);
    harness_open(harness);
    assert_int_equal(sw_store_revision(harness->store), newest);
    assert_string_equal(harness_get(harness, "agents/a/x"), "1");
    assert_int_equal(harness_put(harness, "agents/a/z", "3"), newest + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(kill_loses_no_acknowledged_write, sqlite_setup_closed,
                                        sqlite_teardown),
        cmocka_unit_test_setup_teardown(revisions_go_on_after_a_restart_even_past_deletions,
                                        sqlite_setup_closed, sqlite_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
