/* libseccomp's own macros for comparisons leave their last field out. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#include "pkg/agent/sandbox/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* Memory, time, signals of one's own, and the streams that are open: what every program needs. */
static const int *const base_calls =
    CALLS(SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(close),
          SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(brk), SCMP_SYS(mmap), SCMP_SYS(munmap),
          SCMP_SYS(mremap), SCMP_SYS(mprotect), SCMP_SYS(madvise), SCMP_SYS(rt_sigaction),
          SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(futex),
          SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep),
          SCMP_SYS(nanosleep), SCMP_SYS(getrandom), SCMP_SYS(getpid), SCMP_SYS(gettid),
          SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(getrusage), SCMP_SYS(fstat),
          SCMP_SYS(restart_syscall), SCMP_SYS(rseq), SCMP_SYS(membarrier),
          SCMP_SYS(set_robust_list), SCMP_SYS(gettimeofday), SCMP_SYS(sysinfo), SCMP_SYS(uname));

/* What an agent host adds: files (Landlock says which), its socket, waiting. */
static const int *const host_calls = CALLS(
    SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(pread64), SCMP_SYS(preadv2), SCMP_SYS(pwrite64),
    SCMP_SYS(lseek), SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(ftruncate), SCMP_SYS(fallocate),
    SCMP_SYS(fadvise64), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(newfstatat), SCMP_SYS(statx),
    SCMP_SYS(fstatfs), SCMP_SYS(statfs), SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2),
    SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(rmdir),
    SCMP_SYS(getdents64), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
    SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(pipe2), SCMP_SYS(eventfd2),
    SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_settime), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(sendto),
    SCMP_SYS(sendmsg), SCMP_SYS(shutdown), SCMP_SYS(getsockopt), SCMP_SYS(getsockname),
    SCMP_SYS(getpeername), SCMP_SYS(getcwd), SCMP_SYS(mincore));

/* Nobody calls these by accident: the process ends at once. All else that is not listed gets EPERM,
 * because libraries probe for what a kernel can. */
static const int *const attack_calls = CALLS(
    SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
    SCMP_SYS(bpf), SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot),
    SCMP_SYS(setns), SCMP_SYS(unshare), SCMP_SYS(init_module), SCMP_SYS(finit_module),
    SCMP_SYS(kexec_load), SCMP_SYS(reboot), SCMP_SYS(setuid), SCMP_SYS(setgid), SCMP_SYS(keyctl),
    SCMP_SYS(add_key), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(memfd_create));

#ifdef SW_SANITIZED
/* What the sanitizers' own runtime adds: it opens /proc/self, looks for leaks with a tracer process
 * of its own, and asks for limits. Present in these builds only. */
static const int *const sanitizer_calls = CALLS(
    SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(clone),
    SCMP_SYS(ptrace), SCMP_SYS(wait4), SCMP_SYS(prctl), SCMP_SYS(prlimit64), SCMP_SYS(getrlimit),
    SCMP_SYS(kill), SCMP_SYS(tgkill), SCMP_SYS(getppid), SCMP_SYS(getdents64), SCMP_SYS(lseek),
    SCMP_SYS(stat), SCMP_SYS(newfstatat), SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(ioctl),
    SCMP_SYS(fcntl), SCMP_SYS(process_vm_readv), SCMP_SYS(getuid), SCMP_SYS(geteuid),
    SCMP_SYS(set_tid_address), SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(personality));
#else
/* None: the list is of the same kind so that nothing else differs. */
static const int *const sanitizer_calls = CALLS(SCMP_SYS(exit_group));
#endif

/* A call that this architecture lacks has a negative number: there is nothing to allow or forbid.
 */
int sw_sandbox_add_all(scmp_filter_ctx filter, uint32_t action, const int *calls)
{
    int rc = 0;

    for (; rc == 0 && *calls != END_OF_CALLS; calls++) {
        rc = seccomp_rule_add(filter, action, *calls, 0);
        if (rc == -EDOM || rc == -EINVAL)
            rc = *calls < 0 ? 0 : rc;
        if (rc == -EEXIST || rc == -EACCES)
            rc = 0; /* The default action already, or listed twice. */
    }
    return rc;
}

/* What is done with open files but for having the kernel send signals about them, which it does to
 * any process of the same user: F_SETOWN, F_SETSIG and their like are not here. */
static const unsigned file_commands[] = {F_DUPFD,  F_DUPFD_CLOEXEC, F_GETFD,     F_SETFD,
                                         F_GETFL,  F_SETFL,         F_GETLK,     F_SETLK,
                                         F_SETLKW, F_OFD_GETLK,     F_OFD_SETLK, F_OFD_SETLKW};

static int add_file_commands(scmp_filter_ctx filter)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < sizeof file_commands / sizeof file_commands[0]; i++)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
                              SCMP_A1(SCMP_CMP_EQ, file_commands[i]));
    return rc;
}

/* Signals only to oneself (abort, and threads among each other). */
static int add_own_signals(scmp_filter_ctx filter)
{
    int rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                              SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));

    if (rc == 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(kill), 1,
                              SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
    return rc;
}

/* Threads but no processes, and the priority of the thread that asks. clone3 hides its flags behind
 * a pointer; told that it does not exist, libc falls back to clone. Reading a limit is prlimit64
 * without a new one. */
static int add_threads(scmp_filter_ctx filter)
{
    const scmp_datum_t thread = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND;
    int rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                              SCMP_A0(SCMP_CMP_MASKED_EQ, thread, thread));

    if (rc == 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (rc == 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
                              SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
    if (rc == 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(setpriority), 2,
                              SCMP_A0(SCMP_CMP_EQ, PRIO_PROCESS), SCMP_A1(SCMP_CMP_EQ, 0));
    if (rc == 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(getpriority), 2,
                              SCMP_A0(SCMP_CMP_EQ, PRIO_PROCESS), SCMP_A1(SCMP_CMP_EQ, 0));
    if (rc == 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                              SCMP_A1(SCMP_CMP_EQ, FIONBIO));
    return rc;
}

static int fill(scmp_filter_ctx filter, enum sw_sandbox_profile profile)
{
    int rc = sw_sandbox_add_all(filter, SCMP_ACT_ALLOW, base_calls);

    if (profile == SW_SANDBOX_PROCESS)
        return rc == 0 ? sw_sandbox_add_process(filter) : rc;
    if (rc == 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2,
                              SCMP_A0(SCMP_CMP_EQ, 0), SCMP_A2(SCMP_CMP_EQ, 0));
    if (rc == 0)
        rc = add_own_signals(filter);
    if (rc == 0)
        rc = sw_sandbox_add_all(filter, SCMP_ACT_ALLOW, sanitizer_calls);
    if (rc == 0 && profile == SW_SANDBOX_HOST)
        rc = sw_sandbox_add_all(filter, SCMP_ACT_ALLOW, host_calls);
    if (rc == 0 && profile == SW_SANDBOX_HOST)
        rc = add_file_commands(filter);
    if (rc == 0 && profile == SW_SANDBOX_HOST)
        rc = add_threads(filter);
#ifndef SW_SANITIZED
    if (rc == 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(ptrace), 0);
#endif
    if (rc == 0)
        rc = sw_sandbox_add_all(filter, SCMP_ACT_KILL_PROCESS, attack_calls);
    return rc;
}

enum sw_rc sw_sandbox_filter(enum sw_sandbox_profile profile, bool *ret_has, struct sw_err *err)
{
    scmp_filter_ctx filter;
    int rc;

    *ret_has = false;
    if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0 && errno == EINVAL)
        return SW_OK; /* A kernel without it: reported by the caller. */
    filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (filter == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "sandbox: no memory for the filter");
    rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (rc == 0)
        rc = fill(filter, profile);
    if (rc == 0)
        rc = seccomp_load(filter);
    seccomp_release(filter);
    if (rc != 0)
        return sw_err_errno(err, -rc, "sandbox: system call filter");
    *ret_has = true;
    return SW_OK;
}
