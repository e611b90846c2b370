/* timeout: 240 */
/* Programs in the real sandbox of this machine, good ones and bad ones. */
#include "pkg/agent/runtime/process/process.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB ((uint64_t)1 << 20)

struct fixture {
    struct sw_loop *loop;
    struct sw_cgroups *cgroups;
    struct sw_processes *processes;
    struct sw_process *process;
    struct sw_process_options options;
    char folder[64], image[80], program[600];
    struct sw_buffer output, errors, talk;
    unsigned talk_ends;
    bool is_ready, has_ended, kills_when_heard;
    char missing[512], words[512], hint[512];
    struct sw_process_end end;
    unsigned accepted;
    struct sw_err err;
};

static void on_ready(void *ctx, const char *missing)
{
    struct fixture *f = ctx;

    f->is_ready = true;
    (void)snprintf(f->missing, sizeof f->missing, "%s", missing);
}

static void on_output(void *ctx, bool is_error, struct sw_bytes bytes)
{
    struct fixture *f = ctx;

    sw_buffer_put(is_error ? &f->errors : &f->output, bytes.data, bytes.size);
    if (f->kills_when_heard)
        sw_process_kill(f->process);
}

static void on_talk(void *ctx, struct sw_bytes bytes)
{
    struct fixture *f = ctx;

    if (bytes.size == 0) { /* It has closed it. */
        f->talk_ends++;
        return;
    }
    sw_buffer_put(&f->talk, bytes.data, bytes.size);
    assert_int_equal(sw_process_talk(f->process, bytes), SW_OK);
}

static void on_guest_data(void *ctx, struct sw_stream *stream, struct sw_bytes bytes)
{
    (void)ctx;
    assert_int_equal(sw_stream_write(stream, bytes.data, bytes.size), SW_OK);
    sw_stream_finish(stream);
}

static void on_guest_end(void *ctx, struct sw_stream *stream)
{
    (void)ctx;
    sw_stream_close(stream);
}

static void on_guest_close(void *ctx, struct sw_stream *stream, enum sw_rc rc)
{
    (void)ctx;
    (void)stream;
    (void)rc;
}

static void on_accept(void *ctx, struct sw_stream *stream)
{
    struct fixture *f = ctx;
    const struct sw_stream_handler handler = {
        .ctx = f, .on_data = on_guest_data, .on_end = on_guest_end, .on_close = on_guest_close};

    f->accepted++;
    sw_stream_start(stream, &handler, 65536);
}

static void on_exit_process(void *ctx, const struct sw_process_end *end)
{
    struct fixture *f = ctx;

    f->end = *end;
    f->has_ended = true;
    (void)snprintf(f->words, sizeof f->words, "%s", end->words);
    (void)snprintf(f->hint, sizeof f->hint, "%s", end->hint);
    sw_process_free(f->process);
    f->process = NULL;
    sw_loop_stop(f->loop);
}

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *format, ...)
{
    char command[2048];
    va_list list;

    va_start(list, format);
    (void)vsnprintf(command, sizeof command, format, list);
    va_end(list);
    assert_int_equal(system(command), 0);
}

static void pool_make(struct fixture *f, const char *program, bool has_users, unsigned max)
{
    struct sw_processes_options options = {.loop = f->loop,
                                           .system = sw_system_real(),
                                           .cgroups = has_users ? f->cgroups : NULL,
                                           .program = program,
                                           .has_users = has_users,
                                           .processes_max = max};

    sw_processes_free(f->processes);
    f->processes = NULL;
    if (sw_processes_new(&options, &f->processes, &f->err) != SW_OK)
        fail_msg("%s", f->err.message);
}

static int setup(void **state)
{
    static const char *const environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp",
                                              NULL};
    struct sw_cgroups_options groups = {
        .system = sw_system_real(), .name = "swarm-test-process", .has_tasks = true};
    struct fixture *f = calloc(1, sizeof *f);

    (void)snprintf(f->folder, sizeof f->folder, "/tmp/swarm-process-XXXXXX");
    if (mkdtemp(f->folder) == NULL || sw_loop_new(&f->loop, &f->err) != SW_OK)
        return -1;
    (void)snprintf(f->image, sizeof f->image, "%s/image", f->folder);
    shell("chmod 755 %s && mkdir -m 755 %s && echo secret >%s/secret", f->folder, f->image,
          f->folder);
    f->cgroups = sw_cgroups_new(&groups);
    (void)snprintf(f->program, sizeof f->program, "%s/libexec/swarm-process", SW_TEST_BUILD);
    pool_make(f, f->program, geteuid() == 0, 4);
    sw_buffer_init(&f->output, 8 << 20);
    sw_buffer_init(&f->errors, 8 << 20);
    sw_buffer_init(&f->talk, 8 << 20);
    f->options = (struct sw_process_options){.image = f->image,
                                             .environment = environment,
                                             .memory_bytes_max = 128 * MIB,
                                             .tmp_bytes_max = 8 * MIB,
                                             .tasks_max = 24,
                                             .files_max = 128,
                                             .handler = {.ctx = f,
                                                         .on_ready = on_ready,
                                                         .on_output = on_output,
                                                         .on_accept = on_accept,
                                                         .on_exit = on_exit_process}};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    sw_process_free(f->process);
    sw_processes_free(f->processes);
    sw_loop_free(f->loop);
    sw_cgroups_free(f->cgroups);
    sw_buffer_done(&f->output);
    sw_buffer_done(&f->errors);
    sw_buffer_done(&f->talk);
    shell("rm -rf %s", f->folder);
    free(f);
    return 0;
}

/* Write main.py into the image. */
static void script(struct fixture *f, const char *text)
{
    char path[128];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/main.py", f->image);
    file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs("import os, sys, socket, ctypes, errno, time, signal\n", file);
    (void)fputs(text, file);
    (void)fclose(file);
    assert_int_equal(chmod(path, 0644), 0);
}

static void begin(struct fixture *f, const char *const *command, const char *input)
{
    f->options.command = command;
    f->has_ended = f->is_ready = false;
    sw_buffer_reset(&f->output);
    sw_buffer_reset(&f->errors);
    if (sw_process_start(f->processes, &f->options, &f->process, &f->err) != SW_OK)
        fail_msg("%s", f->err.message);
    assert_int_equal(sw_process_write(f->process, (struct sw_bytes){input, strlen(input)}), SW_OK);
    sw_process_end_input(f->process);
}

static void wait_for(struct fixture *f)
{
    while (!f->has_ended)
        sw_loop_run(f->loop);
    sw_buffer_put_u8(&f->output, 0);
    sw_buffer_put_u8(&f->errors, 0);
}

static const char *out(const struct fixture *f)
{
    return (const char *)f->output.data;
}

static const char *errors(const struct fixture *f)
{
    return (const char *)f->errors.data;
}

static void run(struct fixture *f, const char *const *command, const char *input)
{
    begin(f, command, input);
    wait_for(f);
}

/* The program ran and says "held" if nothing of what it tried worked. */
static void python(struct fixture *f, const char *text)
{
    static const char *const command[] = {"python3", "-B", "main.py", NULL};

    script(f, text);
    run(f, command, "");
    if (f->end.rc != SW_OK || !f->is_ready)
        fail_msg("%s %s", f->words, f->hint);
}

static void holds(struct fixture *f, const char *text)
{
    python(f, text);
    if (strcmp(out(f), "held\n") != 0 || f->end.status != 0)
        fail_msg("status %d, signal %d: %s%s", f->end.status, f->end.signal, out(f), errors(f));
}

/* --- Good ones ------------------------------------------------------------------------------- */

static void test_a_program_reads_and_answers(void **state)
{
    struct fixture *f = *state;
    static const char *const command[] = {"cat", NULL};

    run(f, command, "a message");
    assert_string_equal(out(f), "a message");
    assert_string_equal(errors(f), "");
    assert_true(f->is_ready);
    assert_int_equal(f->end.rc, SW_OK);
    assert_int_equal(f->end.status, 0);
    assert_int_equal(f->end.signal, 0);
    assert_false(f->end.has_no_memory);
    assert_int_equal(sw_processes_count(f->processes), 0);
}

static void test_much_input_is_read_to_its_end(void **state)
{
    struct fixture *f = *state;
    static const char *const command[] = {"sh", "-c", "sleep 0.1; wc -c", NULL};
    char *text = calloc(1, 3 * MIB + 1);

    memset(text, 'x', 3 * MIB);
    run(f, command, text);
    assert_int_equal(atol(out(f)), 3 * MIB);
    free(text);
}

static void test_status_and_words_come_back(void **state)
{
    struct fixture *f = *state;
    static const char *const command[] = {"sh", "-c", "echo no such order >&2; exit 3", NULL};

    run(f, command, "");
    assert_int_equal(f->end.status, 3);
    assert_string_equal(errors(f), "no such order\n");
}

static void test_a_program_that_is_not_there(void **state)
{
    struct fixture *f = *state;
    static const char *const command[] = {"nosuch", NULL};

    run(f, command, "");
    assert_int_equal(f->end.status, 127);
    assert_string_equal(errors(f), "nosuch: No such file or directory\n");
}

static void test_an_image_that_is_not_there(void **state)
{
    struct fixture *f = *state;
    static const char *const command[] = {"true", NULL};

    f->options.image = "/nowhere/at/all";
    run(f, command, "");
    assert_false(f->is_ready);
    assert_int_equal(f->end.rc, SW_E_NOT_FOUND);
    assert_non_null(strstr(f->words, "/nowhere/at/all"));
}

static void test_a_launcher_that_is_not_there(void **state)
{
    struct fixture *f = *state;
    static const char *const command[] = {"true", NULL};

    pool_make(f, "/nowhere/swarm-process", false, 1);
    f->options.command = command;
    assert_int_equal(sw_process_start(f->processes, &f->options, &f->process, &f->err),
                     SW_E_NOT_FOUND);
    assert_int_equal(sw_processes_count(f->processes), 0);
}

static void test_a_launcher_that_ends_at_once(void **state)
{
    struct fixture *f = *state;
    static const char *const command[] = {"true", NULL};

    pool_make(f, "/bin/true", false, 1);
    f->options.command = command;
    assert_int_equal(sw_process_start(f->processes, &f->options, &f->process, &f->err), SW_OK);
    wait_for(f);
    assert_false(f->is_ready);
    assert_int_equal(f->end.rc, SW_E_INTERNAL);
}

static void test_who_connects_is_heard(void **state)
{
    struct fixture *f = *state;

    holds(f, "s = socket.create_connection(('127.0.0.1', 7420))\n"
             "s.sendall(b'held')\n"
             "print(s.recv(100).decode())\n");
    assert_int_equal(f->accepted, 1);
}

static void test_descriptor_three_talks_both_ways(void **state)
{
    struct fixture *f = *state;

    f->options.handler.on_talk = on_talk;
    holds(f, "s = socket.socket(fileno=3)\n"
             "s.sendall(b'held')\n"
             "print(s.recv(100).decode())\n");
    assert_int_equal(f->talk.size, 4);
    assert_int_equal(f->talk_ends, 1);
}

static void test_nothing_else_is_open(void **state)
{
    struct fixture *f = *state;

    holds(f, "have = [n for n in os.listdir('/proc/self/fd') if int(n) > 2]\n"
             "print('held' if len(have) == 1 else have)\n"); /* The listing's own. */
}

static void test_more_than_may_run_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const command[] = {"cat", NULL};
    struct sw_process *second = NULL;

    pool_make(f, f->program, geteuid() == 0, 1);
    f->options.command = command;
    assert_int_equal(sw_process_start(f->processes, &f->options, &f->process, &f->err), SW_OK);
    assert_int_equal(sw_process_start(f->processes, &f->options, &second, &f->err), SW_E_EXHAUSTED);
    sw_process_end_input(f->process);
    wait_for(f);
    assert_int_equal(f->end.status, 0);
}

static void test_one_that_is_freed_goes_by_itself(void **state)
{
    struct fixture *f = *state;
    static const char *const command[] = {"sleep", "1000", NULL};
    static const char *const next[] = {"cat", NULL};

    f->options.command = command;
    assert_int_equal(sw_process_start(f->processes, &f->options, &f->process, &f->err), SW_OK);
    sw_process_free(f->process);
    run(f, next, "on"); /* Meanwhile the other one ends. */
    assert_string_equal(out(f), "on");
}

/* --- Bad ones -------------------------------------------------------------------------------- */

static void test_files_of_the_machine_are_not_there(void **state)
{
    struct fixture *f = *state;
    char text[1024];

    (void)snprintf(text, sizeof text,
                   "for path in ['/etc/shadow', '/root', '/home', '/var', '/sys', '%s/secret',\n"
                   "             '/agent/../../%s/secret', '/proc/1/root/etc/shadow',\n"
                   "             '/etc/ssl/private', '/run', '/mnt', '/opt', '/dev/mem']:\n"
                   "    try:\n"
                   "        os.stat(path)\n"
                   "        print(path)\n"
                   "    except OSError:\n"
                   "        pass\n"
                   "print('held')\n",
                   f->folder, f->folder);
    holds(f, text);
}

static void test_nothing_but_tmp_can_be_written(void **state)
{
    struct fixture *f = *state;

    holds(f, "for path in ['/', '/agent', '/usr', '/usr/bin', '/etc', '/dev', '/proc', '/bin']:\n"
             "    try:\n"
             "        open(path + '/x', 'w')\n"
             "        print(path)\n"
             "    except OSError:\n"
             "        pass\n"
             "open('/tmp/x', 'w').write('x')\n"
             "open('/dev/null', 'w').write('x')\n"
             "print('held')\n");
}

static void test_no_network_but_the_listener(void **state)
{
    struct fixture *f = *state;

    holds(f, "tries = [('192.0.2.1', 80), ('127.0.0.1', 22), ('10.0.0.1', 7420)]\n"
             "for one in tries:\n"
             "    try:\n"
             "        socket.create_connection(one, timeout=5)\n"
             "        print(one)\n"
             "    except OSError:\n"
             "        pass\n"
             "for family, kind in [(socket.AF_INET, socket.SOCK_RAW), (17, socket.SOCK_RAW),\n"
             "                     (40, socket.SOCK_STREAM), (38, socket.SOCK_SEQPACKET)]:\n"
             "    try:\n"
             "        socket.socket(family, kind)\n"
             "        print(family)\n"
             "    except OSError as e:\n"
             "        if e.errno != errno.EPERM:\n"
             "            print(family, e)\n"
             "print('held')\n");
}

static void test_calls_that_change_the_machine_are_refused(void **state)
{
    struct fixture *f = *state;

    /* ptrace, mount, umount2, pivot_root, unshare, setns, keyctl, add_key, bpf, perf_event_open,
     * userfaultfd, io_uring_setup, init_module, chroot, reboot, process_vm_readv,
     * open_by_handle_at, and clone with a user namespace: numbers of this architecture. */
    holds(f,
          "libc = ctypes.CDLL(None, use_errno=True)\n"
          "if os.uname().machine == 'x86_64':\n"
          "    calls = [101, 165, 166, 155, 272, 308, 250, 248, 321, 298, 323, 425, 175, 161,\n"
          "             169, 310, 304]\n"
          "    for n in calls:\n"
          "        if libc.syscall(n, 0, 0, 0, 0, 0) != -1 or ctypes.get_errno() != errno.EPERM:\n"
          "            print(n, ctypes.get_errno())\n"
          "    if libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0) != -1:\n"
          "        print('clone')\n"
          "print('held')\n");
}

static void test_no_privileges_are_left(void **state)
{
    struct fixture *f = *state;

    holds(f, "text = open('/proc/self/status').read()\n"
             "for name in ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']:\n"
             "    if int(text.split(name + ':')[1].split()[0], 16) != 0:\n"
             "        print(name)\n"
             "if os.getuid() == 0 or 'NoNewPrivs:\\t1' not in text or 'Seccomp:\\t2' not in text:\n"
             "    print(text)\n"
             "print('held')\n");
}

static void test_only_its_own_processes_are_seen(void **state)
{
    struct fixture *f = *state;

    holds(f, "have = [int(n) for n in os.listdir('/proc') if n.isdigit()]\n"
             "try:\n"
             "    os.kill(1, signal.SIGKILL)\n"
             "    os.kill(-1, 0)\n"
             "except OSError as e:\n"
             "    pass\n"
             "print('held' if sorted(have) == [1, os.getpid()] else have)\n");
}

static void test_a_fork_bomb_is_bounded_and_goes(void **state)
{
    struct fixture *f = *state;

    holds(f, "made = 0\n"
             "try:\n"
             "    while made < 1000:\n"
             "        if os.fork() == 0:\n"
             "            os.setsid()\n"
             "            time.sleep(1000)\n"
             "        made += 1\n"
             "except OSError:\n"
             "    pass\n"
             "print('held' if 0 < made < 24 else made)\n");
}

/* By the group, where there is one: the limit of the user is not set then. */
static void test_tasks_are_counted_by_the_group(void **state)
{
    struct fixture *f = *state;
    struct sw_cgroups_view view;

    sw_cgroups_view(f->cgroups, &view);
    if (geteuid() != 0 || !view.has_memory || !view.has_tasks)
        skip();
    f->options.tasks_max = 5;
    holds(f, "import resource\n"
             "made = 0\n"
             "try:\n"
             "    while made < 100:\n"
             "        if os.fork() == 0:\n"
             "            time.sleep(1000)\n"
             "        made += 1\n"
             "except OSError:\n"
             "    pass\n"
             "has = resource.getrlimit(resource.RLIMIT_NPROC)[0]\n"
             "print('held' if made == 4 and not 0 <= has < 100 else (made, has))\n");
}

static void test_a_full_disk_is_its_own(void **state)
{
    struct fixture *f = *state;

    holds(f, "size = 0\n"
             "try:\n"
             "    for i in range(1000):\n"
             "        with open(f'/tmp/{i}', 'wb') as f:\n"
             "            for j in range(7):\n"
             "                size += f.write(b'x' * 1000000)\n"
             "                f.flush()\n"
             "except OSError as e:\n"
             "    print('held' if e.errno == errno.ENOSPC and size < 9000000 else (e, size))\n");
}

static void test_memory_is_bounded(void **state)
{
    struct fixture *f = *state;

    python(f, "have = []\n"
              "try:\n"
              "    for i in range(400):\n"
              "        have.append(b'x' * 1000000)\n"
              "except MemoryError:\n"
              "    sys.exit(9)\n"
              "print('not held')\n");
    assert_string_equal(out(f), "");
    if (f->end.status != 9) {
        assert_int_equal(f->end.signal, SIGKILL);
        assert_true(f->end.has_no_memory);
    }
}

static void test_one_that_will_not_end_is_ended(void **state)
{
    struct fixture *f = *state;
    static const char *const command[] = {"python3", "-B", "main.py", NULL};

    script(f, "for number in range(1, 64):\n"
              "    try:\n"
              "        signal.signal(number, signal.SIG_IGN)\n"
              "    except (OSError, ValueError):\n"
              "        pass\n"
              "if os.fork() == 0:\n"
              "    os.setsid()\n"
              "print('spins', flush=True)\n"
              "while True:\n"
              "    pass\n");
    f->kills_when_heard = true;
    run(f, command, "");
    assert_int_equal(f->end.signal, SIGKILL);
    assert_int_equal(sw_processes_count(f->processes), 0);
}

/* As another user than root, in a user namespace, where the machine has that for all. */
static void test_who_is_not_root_has_a_sandbox_too(void **state)
{
    struct fixture *f = *state;
    char wrapper[128];

    if (geteuid() != 0)
        skip();
    (void)snprintf(wrapper, sizeof wrapper, "%s/as-user", f->folder);
    shell("install -m 755 %s %s/launcher && printf '#!/bin/sh\\nexec setpriv --reuid=12345 "
          "--regid=12345 --clear-groups %s/launcher \"$@\"\\n' >%s && chmod 755 %s",
          f->program, f->folder, f->folder, wrapper, wrapper);
    pool_make(f, wrapper, false, 1);
    script(f, "print('held' if os.getuid() == 12345 else os.getuid())\n"
              "open('/tmp/x', 'w')\n");
    static const char *const command[] = {"python3", "-B", "main.py", NULL};
    run(f, command, "");
    if (f->end.rc == SW_E_UNSUPPORTED) {
        assert_non_null(strstr(f->hint, "userns"));
        skip();
    }
    if (strcmp(out(f), "held\n") != 0)
        fail_msg("%s %s%s", f->words, out(f), errors(f));
    test_files_of_the_machine_are_not_there(state);
    test_nothing_but_tmp_can_be_written(state);
    test_no_network_but_the_listener(state);
    test_calls_that_change_the_machine_are_refused(state);
    test_no_privileges_are_left(state);
    test_only_its_own_processes_are_seen(state);
    test_a_fork_bomb_is_bounded_and_goes(state);
    test_a_full_disk_is_its_own(state);
#ifndef SW_SANITIZED /* Nothing but a limit that shadow memory passes holds it here. */
    test_memory_is_bounded(state);
#endif
    test_one_that_will_not_end_is_ended(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_program_reads_and_answers),
        TEST(test_much_input_is_read_to_its_end),
        TEST(test_status_and_words_come_back),
        TEST(test_a_program_that_is_not_there),
        TEST(test_an_image_that_is_not_there),
        TEST(test_a_launcher_that_is_not_there),
        TEST(test_a_launcher_that_ends_at_once),
        TEST(test_who_connects_is_heard),
        TEST(test_descriptor_three_talks_both_ways),
        TEST(test_nothing_else_is_open),
        TEST(test_more_than_may_run_are_refused),
        TEST(test_one_that_is_freed_goes_by_itself),
        TEST(test_files_of_the_machine_are_not_there),
        TEST(test_nothing_but_tmp_can_be_written),
        TEST(test_no_network_but_the_listener),
        TEST(test_calls_that_change_the_machine_are_refused),
        TEST(test_no_privileges_are_left),
        TEST(test_only_its_own_processes_are_seen),
        TEST(test_a_fork_bomb_is_bounded_and_goes),
        TEST(test_tasks_are_counted_by_the_group),
        TEST(test_a_full_disk_is_its_own),
        TEST(test_memory_is_bounded),
        TEST(test_one_that_will_not_end_is_ended),
        TEST(test_who_is_not_root_has_a_sandbox_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
