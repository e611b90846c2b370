/* The real terminal: programs are run and their ends told; streams are written whole. */
#include "pkg/cli/terminal/terminal.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

struct fixture {
    const struct sw_terminal *terminal;
    struct sw_buffer out;
    struct sw_err err;
    int status;
};

static int setup(void **state)
{
    static struct fixture fixture;

    memset(&fixture, 0, sizeof fixture);
    fixture.terminal = sw_terminal_real();
    fixture.status = -1;
    sw_buffer_init(&fixture.out, 1 << 20);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    sw_buffer_done(&((struct fixture *)*state)->out);
    return 0;
}

static enum sw_rc run(struct fixture *f, const char *script)
{
    const char *const words[] = {"sh", "-c", script, NULL};

    return f->terminal->run(NULL, words, &f->out, &f->status, &f->err);
}

static void the_output_of_a_program_is_kept(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run(f, "echo one; echo two"), SW_OK);
    assert_int_equal(f->status, 0);
    assert_int_equal(f->out.size, 8);
    assert_memory_equal(f->out.data, "one\ntwo\n", 8);
}

static void the_end_of_a_program_is_told(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run(f, "exit 7"), SW_OK);
    assert_int_equal(f->status, 7);
    assert_int_equal(run(f, "kill -KILL $$"), SW_OK);
    assert_int_equal(f->status, 128 + SIGKILL);
}

static void a_program_that_is_not_there_is_not_found(void **state)
{
    struct fixture *f = *state;
    const char *const words[] = {"no-such-program-anywhere", NULL};

    assert_int_equal(f->terminal->run(NULL, words, NULL, &f->status, &f->err), SW_E_NOT_FOUND);
    assert_non_null(strstr(f->err.message, "no-such-program-anywhere"));
}

static void more_output_than_there_is_room_for_is_refused(void **state)
{
    struct fixture *f = *state;

    sw_buffer_done(&f->out);
    sw_buffer_init(&f->out, 1000);
    assert_int_equal(run(f, "head -c 5000 /dev/zero"), SW_E_RANGE);
}

static void variables_come_from_the_environment(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(setenv("SWARM_TEST_VARIABLE", "x", 1), 0);
    assert_string_equal(f->terminal->variable(NULL, "SWARM_TEST_VARIABLE"), "x");
    assert_int_equal(unsetenv("SWARM_TEST_VARIABLE"), 0);
    assert_null(f->terminal->variable(NULL, "SWARM_TEST_VARIABLE"));
}

/* What a child does with its standard streams, one end of a pipe in our hands. */
static int child_status(int file, int replaces, void (*act)(const struct sw_terminal *terminal))
{
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        if (dup2(file, replaces) < 0)
            _exit(99);
        act(sw_terminal_real());
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void write_much(const struct sw_terminal *terminal)
{
    for (int i = 0; i < 100; i++)
        sw_terminal_put(terminal, SW_TERMINAL_OUT, "some words that nobody reads\n");
}

static void output_that_nobody_reads_ends_the_program_quietly(void **state)
{
    int files[2];

    (void)state;
    assert_int_equal(pipe(files), 0);
    (void)close(files[0]);
    assert_int_equal(child_status(files[1], STDOUT_FILENO, write_much), 128 + SIGPIPE);
    (void)close(files[1]);
}

static void print_formatted(const struct sw_terminal *terminal)
{
    sw_terminal_print(terminal, SW_TERMINAL_OUT, "%s=%d\n", "number", 7);
}

static void formatted_words_are_written_whole(void **state)
{
    char text[32];
    int files[2];

    (void)state;
    assert_int_equal(pipe(files), 0);
    assert_int_equal(child_status(files[1], STDOUT_FILENO, print_formatted), 0);
    assert_int_equal(read(files[0], text, sizeof text), 9);
    assert_memory_equal(text, "number=7\n", 9);
    (void)close(files[0]);
    (void)close(files[1]);
}

static void read_little(const struct sw_terminal *terminal)
{
    struct sw_buffer text;
    struct sw_err err = {0};

    sw_buffer_init(&text, 1 << 20);
    if (terminal->read(NULL, 5, &text, &err) != SW_E_RANGE)
        _exit(1);
}

static void read_all(const struct sw_terminal *terminal)
{
    struct sw_buffer text;
    struct sw_err err = {0};

    sw_buffer_init(&text, 1 << 20);
    if (terminal->read(NULL, 6, &text, &err) != SW_OK || text.size != 6)
        _exit(1);
}

static void input_is_read_up_to_its_limit(void **state)
{
    void (*const acts[])(const struct sw_terminal *terminal) = {read_all, read_little};
    int files[2];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pipe(files), 0);
        assert_int_equal(write(files[1], "sixsix", 6), 6);
        (void)close(files[1]);
        assert_int_equal(child_status(files[0], STDIN_FILENO, acts[i]), 0);
        (void)close(files[0]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_output_of_a_program_is_kept),
        TEST(the_end_of_a_program_is_told),
        TEST(a_program_that_is_not_there_is_not_found),
        TEST(more_output_than_there_is_room_for_is_refused),
        TEST(variables_come_from_the_environment),
        TEST(output_that_nobody_reads_ends_the_program_quietly),
        TEST(formatted_words_are_written_whole),
        TEST(input_is_read_up_to_its_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
