/* labels: threaded */
#include "pkg/agent/sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define REFUSED 0    /* An attempt ends the child with this when it got an error. */
#define ESCAPED 1    /* ... when it worked. */
#define NO_SANDBOX 2 /* ... when the sandbox itself could not be entered. */
#define KILLED (-SIGSYS)

static char folder[64];
static pid_t parent; /* Of those that try; the test itself. */

/* Run attempt in a child inside a profile; its exit status, or minus the signal that ended it. */
static int attempt_in(enum sw_sandbox_profile profile, int (*attempt)(void))
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        struct sw_sandbox_options options = {.profile = profile, .folder = folder};
        struct sw_sandbox_view view;
        struct sw_err err = {0};
        (void)signal(SIGSYS, SIG_DFL);
        if (sw_sandbox_enter(&options, &view, &err) != SW_OK)
            _exit(NO_SANDBOX);
        _exit(attempt());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int read_a_file(void)
{
    return open("/etc/passwd", O_RDONLY) >= 0 ? ESCAPED : REFUSED;
}

static int write_elsewhere(void)
{
    return open("/tmp/swarm-sandbox-escape", O_CREAT | O_WRONLY, 0600) >= 0 ? ESCAPED : REFUSED;
}

static int list_the_root(void)
{
    return open("/", O_RDONLY | O_DIRECTORY) >= 0 ? ESCAPED : REFUSED;
}

static int leave_by_dots(void)
{
    char path[128];

    (void)snprintf(path, sizeof path, "%s/../../etc/passwd", folder);
    return open(path, O_RDONLY) >= 0 ? ESCAPED : REFUSED;
}

static int leave_by_a_link(void)
{
    char path[128];

    (void)snprintf(path, sizeof path, "%s/link", folder);
    if (syscall(SYS_symlink, "/etc/passwd", path) == 0)
        return ESCAPED;
    return open(path, O_RDONLY) >= 0 ? ESCAPED : REFUSED;
}

static int open_a_socket(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) >= 0 || socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ? ESCAPED
                                                                                        : REFUSED;
}

static int make_a_process(void)
{
    pid_t child = (pid_t)syscall(SYS_fork);

    if (child == 0)
        _exit(0);
    return child > 0 || fork() >= 0 ? ESCAPED : REFUSED;
}

static int run_a_program(void)
{
    char *arguments[] = {(char[]){"/bin/true"}, NULL};

    (void)execve("/bin/true", arguments, arguments + 1);
    return REFUSED;
}

static int trace_the_parent(void)
{
    return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0 ? ESCAPED : REFUSED;
}

static int signal_the_parent(void)
{
    return kill((pid_t)syscall(SYS_getppid), 0) == 0 ? ESCAPED : REFUSED;
}

static int signal_everybody(void)
{
    return kill(-1, 0) == 0 || kill(1, 0) == 0 ? ESCAPED : REFUSED;
}

static int raise_limits(void)
{
    struct rlimit limits = {.rlim_cur = 1024, .rlim_max = 1024};

    return setrlimit(RLIMIT_CORE, &limits) == 0 ? ESCAPED : REFUSED;
}

static int change_the_root(void)
{
    return chroot("/tmp") == 0 ? ESCAPED : REFUSED;
}

static int new_namespace(void)
{
    return unshare(CLONE_NEWUSER) == 0 ? ESCAPED : REFUSED;
}

/* --- A host that somebody has broken into ----------------------------------------------------- */

static int open_beside(const char *name, int flags)
{
    char path[160];

    (void)snprintf(path, sizeof path, "%s%s", folder, name);
    return open(path, flags, 0600) >= 0 ? ESCAPED : REFUSED;
}

static int read_another_hosts_journal(void)
{
    return open_beside("-other/agents/journal-0000000000000040.seg", O_RDONLY);
}

static int write_another_hosts_journal(void)
{
    return open_beside("-other/agents/journal-0000000000000040.seg", O_WRONLY | O_APPEND);
}

static int change_which_journal_it_has(void)
{
    return open_beside("-journal", O_WRONLY | O_TRUNC);
}

static int link_a_file_in(void)
{
    char path[160];

    (void)snprintf(path, sizeof path, "%s/passwd", folder);
    return link("/etc/passwd", path) == 0 ? ESCAPED : REFUSED;
}

static int move_a_file_out(void)
{
    char path[160], out[160];

    (void)snprintf(path, sizeof path, "%s/mine", folder);
    (void)snprintf(out, sizeof out, "%s-other/mine", folder);
    (void)close(open(path, O_CREAT | O_WRONLY, 0600));
    return rename(path, out) == 0 ? ESCAPED : REFUSED;
}

static int remove_what_is_elsewhere(void)
{
    char path[160];

    (void)snprintf(path, sizeof path, "%s-journal", folder);
    return unlink(path) == 0 || truncate(path, 0) == 0 ? ESCAPED : REFUSED;
}

static int open_of(pid_t pid, const char *name)
{
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    return open(path, O_RDONLY) >= 0 ? ESCAPED : REFUSED;
}

static int look_into_others(void)
{
    static const char *const names[] = {"mem", "maps", "environ", "cmdline", "status", "fd"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (open_of((pid_t)syscall(SYS_getppid), names[i]) == ESCAPED ||
            open_of(1, names[i]) == ESCAPED)
            return ESCAPED;
    return open_of((pid_t)parent, "mem");
}

static int read_anothers_memory(void)
{
    char byte;
    struct iovec here = {&byte, 1}, there = {&parent, 1};

    return syscall(SYS_process_vm_readv, parent, &here, 1, &there, 1, 0) >= 0 ? ESCAPED : REFUSED;
}

static int hold_another_process(void)
{
    int held = (int)syscall(SYS_pidfd_open, parent, 0);

    if (held >= 0)
        return ESCAPED;
    return syscall(SYS_pidfd_send_signal, 0, SIGTERM, NULL, 0) == 0 ||
                   syscall(SYS_pidfd_getfd, 0, 0, 0) >= 0
               ? ESCAPED
               : REFUSED;
}

static int signal_in_other_ways(void)
{
    siginfo_t info = {.si_code = SI_QUEUE};

    return syscall(SYS_tgkill, parent, parent, 0) == 0 || syscall(SYS_tkill, parent, 0) == 0 ||
                   syscall(SYS_rt_sigqueueinfo, parent, SIGUSR1, &info) == 0
               ? ESCAPED
               : REFUSED;
}

/* The kernel sends a signal about a file to whom its owner names. */
static int signal_by_a_file(void)
{
    int ends[2];

    if (pipe2(ends, O_NONBLOCK) != 0)
        return NO_SANDBOX;
    return fcntl(ends[0], F_SETOWN, parent) == 0 || fcntl(ends[0], F_SETSIG, SIGUSR1) == 0 ||
                   fcntl(ends[0], F_SETLEASE, F_RDLCK) == 0 ||
                   syscall(SYS_ioctl, ends[0], 0x8902 /* SIOCSPGRP */, &parent) == 0
               ? ESCAPED
               : REFUSED;
}

static int reach_the_network(void)
{
    int pair[2];

    for (int family = 0; family < 46; family++)
        if (socket(family, SOCK_STREAM, 0) >= 0 || socket(family, SOCK_DGRAM, 0) >= 0)
            return ESCAPED;
    return socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 ? ESCAPED : REFUSED;
}

static int use_rings(void)
{
    static uint64_t parameters[16];

    return syscall(SYS_io_uring_setup, 4, parameters) >= 0 ? ESCAPED : REFUSED;
}

static int make_a_file_to_run(void)
{
    return syscall(SYS_memfd_create, "code", 0) >= 0 ? ESCAPED : REFUSED;
}

static int open_by_handle(void)
{
    static uint64_t handle[20];

    return syscall(SYS_open_by_handle_at, AT_FDCWD, handle, O_RDONLY) >= 0 ? ESCAPED : REFUSED;
}

static int make_processes_in_other_ways(void)
{
    struct {
        uint64_t flags, rest[10];
    } arguments = {0};
    pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

    if (child == 0)
        _exit(0);
    if (child > 0)
        return ESCAPED;
    child = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
    if (child == 0)
        _exit(0);
    return child > 0 ? ESCAPED : REFUSED;
}

static int undo_the_sandbox(void)
{
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0 || prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 ||
                   prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) == 0 ||
                   syscall(SYS_seccomp, 0, 0, NULL) == 0 || syscall(SYS_personality, 0x0040000) == 0
               ? ESCAPED
               : REFUSED;
}

static int change_owners_and_modes(void)
{
    return chmod(folder, 0777) == 0 || chown(folder, 1, 1) == 0 ||
                   mknod("/tmp/x", S_IFIFO, 0) == 0 || chdir("/") == 0
               ? ESCAPED
               : REFUSED;
}

static int type_on_the_terminal(void)
{
    return syscall(SYS_ioctl, STDERR_FILENO, 0x5412 /* TIOCSTI */, "x") == 0 ? ESCAPED : REFUSED;
}

static int limits_of_others(void)
{
    struct rlimit limits;

    return syscall(SYS_prlimit64, parent, RLIMIT_NOFILE, NULL, &limits) == 0 ? ESCAPED : REFUSED;
}

struct escape {
    const char *name;
    int (*attempt)(void);
    int wanted;
};

static void expect_none(enum sw_sandbox_profile profile, const struct escape *escapes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int got = attempt_in(profile, escapes[i].attempt);
        if (got != escapes[i].wanted)
            fail_msg("%s: %d instead of %d", escapes[i].name, got, escapes[i].wanted);
    }
}

static const struct escape escapes[] = {
    {"read a file", read_a_file, REFUSED},
    {"write elsewhere", write_elsewhere, REFUSED},
    {"list the root", list_the_root, REFUSED},
    {"leave by dots", leave_by_dots, REFUSED},
    {"leave by a link", leave_by_a_link, REFUSED},
    {"open a socket", open_a_socket, REFUSED},
    {"make a process", make_a_process, REFUSED},
    {"run a program", run_a_program, KILLED},
    {"trace the parent", trace_the_parent, KILLED},
    {"signal the parent", signal_the_parent, REFUSED},
    {"signal everybody", signal_everybody, REFUSED},
    {"raise limits", raise_limits, REFUSED},
    {"change the root", change_the_root, KILLED},
    {"a new namespace", new_namespace, KILLED},
    {"read another host's journal", read_another_hosts_journal, REFUSED},
    {"write another host's journal", write_another_hosts_journal, REFUSED},
    {"change which journal it has", change_which_journal_it_has, REFUSED},
    {"link a file in", link_a_file_in, REFUSED},
    {"move a file out", move_a_file_out, REFUSED},
    {"remove what is elsewhere", remove_what_is_elsewhere, REFUSED},
    {"look into others", look_into_others, REFUSED},
    {"read another's memory", read_anothers_memory, KILLED},
    {"hold another process", hold_another_process, REFUSED},
    {"signal in other ways", signal_in_other_ways, REFUSED},
    {"reach the network", reach_the_network, REFUSED},
    {"use rings", use_rings, REFUSED},
    {"make a file to run", make_a_file_to_run, KILLED},
    {"open by handle", open_by_handle, REFUSED},
    {"make processes in other ways", make_processes_in_other_ways, REFUSED},
    {"undo the sandbox", undo_the_sandbox, REFUSED},
    {"change owners and modes", change_owners_and_modes, REFUSED},
    {"type on the terminal", type_on_the_terminal, REFUSED},
    {"limits of others", limits_of_others, REFUSED},
};

/* What only a host can try: the compiler has no pipes. */
static const struct escape host_escapes[] = {
    {"signal by a file", signal_by_a_file, REFUSED},
};

static void nothing_escapes_from_the_host(void **state)
{
    (void)state;
    expect_none(SW_SANDBOX_HOST, escapes, sizeof escapes / sizeof escapes[0]);
    expect_none(SW_SANDBOX_HOST, host_escapes, sizeof host_escapes / sizeof host_escapes[0]);
}

static void nothing_escapes_from_the_compiler(void **state)
{
    (void)state;
    expect_none(SW_SANDBOX_COMPILER, escapes, sizeof escapes / sizeof escapes[0]);
}

static void *do_nothing(void *ctx)
{
    return ctx;
}

static int make_a_thread(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, do_nothing, NULL) != 0)
        return REFUSED;
    (void)pthread_join(thread, NULL);
    return ESCAPED;
}

static void *try_files(void *ctx)
{
    *(int *)ctx = read_a_file();
    return NULL;
}

static int escape_on_a_thread(void)
{
    pthread_t thread;
    int result = ESCAPED;

    if (pthread_create(&thread, NULL, try_files, &result) != 0)
        return NO_SANDBOX;
    (void)pthread_join(thread, NULL);
    return result;
}

static void only_the_host_makes_threads_and_they_are_bound(void **state)
{
    (void)state;
    assert_int_equal(attempt_in(SW_SANDBOX_HOST, make_a_thread), ESCAPED);
    assert_int_equal(attempt_in(SW_SANDBOX_COMPILER, make_a_thread), REFUSED);
    assert_int_equal(attempt_in(SW_SANDBOX_HOST, escape_on_a_thread), REFUSED);
}

static int lower_own_priority(void)
{
    int before = getpriority(PRIO_PROCESS, 0);

    return setpriority(PRIO_PROCESS, 0, before + 1) == 0 && getpriority(PRIO_PROCESS, 0) > before
               ? 0
               : 10;
}

static int change_priority_of_others(void)
{
    return setpriority(PRIO_PROCESS, (id_t)getppid(), 10) == 0 || setpriority(PRIO_USER, 0, 10) == 0
               ? ESCAPED
               : REFUSED;
}

static void a_host_lowers_its_own_priority_and_nobody_elses(void **state)
{
    (void)state;
    assert_int_equal(attempt_in(SW_SANDBOX_HOST, lower_own_priority), 0);
    assert_int_equal(attempt_in(SW_SANDBOX_HOST, change_priority_of_others), REFUSED);
}

/* --- What must go on working ----------------------------------------------------------------- */

static int use_its_folder(void)
{
    char path[128], other[128];
    char byte = 'a';

    (void)snprintf(path, sizeof path, "%s/inner", folder);
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return 10;
    (void)snprintf(path, sizeof path, "%s/inner/file", folder);
    (void)snprintf(other, sizeof other, "%s/renamed", folder);
    int file = open(path, O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || pwrite(file, &byte, 1, 0) != 1 || fdatasync(file) != 0 ||
        posix_fallocate(file, 0, 4096) != 0 || ftruncate(file, 1) != 0 ||
        pread(file, &byte, 1, 0) != 1 || close(file) != 0)
        return 11;
    if (rename(path, other) != 0 || unlink(other) != 0)
        return 12;
    int opened = open(folder, O_RDONLY | O_DIRECTORY);
    return opened >= 0 && fsync(opened) == 0 ? 0 : 13;
}

static void a_host_uses_its_folder(void **state)
{
    (void)state;
    assert_int_equal(attempt_in(SW_SANDBOX_HOST, use_its_folder), 0);
}

static int use_memory_and_streams(void)
{
    void *code = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (code == MAP_FAILED || mprotect(code, 65536, PROT_READ | PROT_EXEC) != 0 ||
        munmap(code, 65536) != 0)
        return 10;
    return write(STDOUT_FILENO, "", 0) == 0 ? 0 : 11;
}

static void both_use_memory_and_their_streams(void **state)
{
    (void)state;
    assert_int_equal(attempt_in(SW_SANDBOX_HOST, use_memory_and_streams), 0);
    assert_int_equal(attempt_in(SW_SANDBOX_COMPILER, use_memory_and_streams), 0);
}

static int fail_an_assertion(void)
{
    abort();
}

static void a_bug_of_ours_still_aborts(void **state)
{
    (void)state;
    assert_int_equal(attempt_in(SW_SANDBOX_HOST, fail_an_assertion), -SIGABRT);
}

/* --- What it tells --------------------------------------------------------------------------- */

static int view_is_complete(void)
{
    struct sw_sandbox_options options = {.profile = SW_SANDBOX_COMPILER};
    struct sw_sandbox_view view;
    struct sw_err err = {0};

    if (sw_sandbox_enter(&options, &view, &err) != SW_OK)
        return NO_SANDBOX;
    if (view.has_seccomp != (strstr(view.missing, "seccomp") == NULL))
        return 10;
    return view.has_landlock == (view.landlock_abi > 0) &&
                   view.has_landlock == (strstr(view.missing, "Landlock") == NULL)
               ? 0
               : 11;
}

static void in_a_child(int (*work)(void))
{
    int status = 0;
    pid_t child = fork();

    if (child == 0)
        _exit(work());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void the_view_tells_what_is_missing(void **state)
{
    (void)state;
    in_a_child(view_is_complete);
}

static void *wait_for_release(void *ctx)
{
    (void)pthread_mutex_lock(ctx);
    (void)pthread_mutex_unlock(ctx);
    return NULL;
}

static int enter_with_threads(void)
{
    static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    struct sw_sandbox_options options = {.profile = SW_SANDBOX_COMPILER};
    struct sw_sandbox_view view;
    struct sw_err err = {0};
    pthread_t thread;

    (void)pthread_mutex_lock(&gate);
    if (pthread_create(&thread, NULL, wait_for_release, &gate) != 0)
        return NO_SANDBOX;
    enum sw_rc rc = sw_sandbox_enter(&options, &view, &err);
    (void)pthread_mutex_unlock(&gate);
    (void)pthread_join(thread, NULL);
    return rc == SW_E_PRECONDITION && strstr(err.message, "threads already") != NULL ? 0 : 10;
}

static int enter_without_folder(void)
{
    struct sw_sandbox_options options = {.profile = SW_SANDBOX_HOST, .folder = "/none/such"};
    struct sw_sandbox_view view;
    struct sw_err err = {0};

    return sw_sandbox_enter(&options, &view, &err) == SW_E_NOT_FOUND ? 0 : 10;
}

static void what_cannot_be_bound_is_refused(void **state)
{
    (void)state;
#ifndef SW_SANITIZED
    in_a_child(enter_with_threads);
#else
    (void)enter_with_threads;
#endif
    in_a_child(enter_without_folder);
}

static int setup(void **state)
{
    (void)state;
    char command[512];

    (void)snprintf(folder, sizeof folder, "/tmp/swarm-sandbox-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    /* What lies beside it: another host's folder, and what says which journal it has. */
    (void)snprintf(command, sizeof command,
                   "mkdir -p %s-other/agents && touch %s-other/agents/journal-0000000000000040.seg "
                   "%s-journal",
                   folder, folder, folder);
    parent = getpid();
    return system(command);
}

static int teardown(void **state)
{
    char command[256];

    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf %s %s-other %s-journal", folder, folder,
                   folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifndef SW_SANITIZED /* Those builds widen the filter for their own runtime. */
        cmocka_unit_test(nothing_escapes_from_the_host),
        cmocka_unit_test(nothing_escapes_from_the_compiler),
        cmocka_unit_test(only_the_host_makes_threads_and_they_are_bound),
#endif
        cmocka_unit_test(a_host_lowers_its_own_priority_and_nobody_elses),
        cmocka_unit_test(a_host_uses_its_folder),
        cmocka_unit_test(both_use_memory_and_their_streams),
        cmocka_unit_test(a_bug_of_ours_still_aborts),
        cmocka_unit_test(the_view_tells_what_is_missing),
        cmocka_unit_test(what_cannot_be_bound_is_refused),
    };

#ifdef SW_SANITIZED
    (void)nothing_escapes_from_the_host;
    (void)nothing_escapes_from_the_compiler;
    (void)only_the_host_makes_threads_and_they_are_bound;
#endif
    return cmocka_run_group_tests(tests, setup, teardown);
}
