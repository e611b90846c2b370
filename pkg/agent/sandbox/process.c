/* libseccomp's own macros for comparisons leave their last field out. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#include "pkg/agent/sandbox/profile.h"

#include <asm/termbits.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define SOCKET_KIND 0xfu /* Of the second argument of socket(2); the rest are flags. */

/* What interpreters and their libraries use: Python, Node, shells, and what they start. Calls that
 * need a privilege fail in the kernel, since the process has none; they are listed where programs
 * ask for them as a matter of course. */
static const int *const file_calls = CALLS(
    SCMP_SYS(access), SCMP_SYS(chdir), SCMP_SYS(chmod), SCMP_SYS(chown), SCMP_SYS(close_range),
    SCMP_SYS(copy_file_range), SCMP_SYS(creat), SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3),
    SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(fadvise64), SCMP_SYS(fallocate),
    SCMP_SYS(fchdir), SCMP_SYS(fchmod), SCMP_SYS(fchmodat), SCMP_SYS(fchown), SCMP_SYS(fchownat),
    SCMP_SYS(fcntl), SCMP_SYS(fdatasync), SCMP_SYS(fgetxattr), SCMP_SYS(flistxattr),
    SCMP_SYS(flock), SCMP_SYS(fstatfs), SCMP_SYS(fsync), SCMP_SYS(ftruncate), SCMP_SYS(getcwd),
    SCMP_SYS(getdents), SCMP_SYS(getdents64), SCMP_SYS(getxattr), SCMP_SYS(inotify_add_watch),
    SCMP_SYS(inotify_init), SCMP_SYS(inotify_init1), SCMP_SYS(inotify_rm_watch), SCMP_SYS(lchown),
    SCMP_SYS(lgetxattr), SCMP_SYS(link), SCMP_SYS(linkat), SCMP_SYS(listxattr),
    SCMP_SYS(llistxattr), SCMP_SYS(lseek), SCMP_SYS(lstat), SCMP_SYS(mkdir), SCMP_SYS(mkdirat),
    SCMP_SYS(mknod), SCMP_SYS(mknodat), SCMP_SYS(newfstatat), SCMP_SYS(open), SCMP_SYS(openat),
    SCMP_SYS(openat2), SCMP_SYS(pread64), SCMP_SYS(preadv), SCMP_SYS(preadv2), SCMP_SYS(pwrite64),
    SCMP_SYS(pwritev), SCMP_SYS(pwritev2), SCMP_SYS(readahead), SCMP_SYS(readlink),
    SCMP_SYS(readlinkat), SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2),
    SCMP_SYS(rmdir), SCMP_SYS(sendfile), SCMP_SYS(splice), SCMP_SYS(stat), SCMP_SYS(statfs),
    SCMP_SYS(statx), SCMP_SYS(symlink), SCMP_SYS(symlinkat), SCMP_SYS(sync_file_range),
    SCMP_SYS(tee), SCMP_SYS(truncate), SCMP_SYS(umask), SCMP_SYS(unlink), SCMP_SYS(unlinkat),
    SCMP_SYS(utime), SCMP_SYS(utimensat), SCMP_SYS(utimes));

static const int *const wait_calls = CALLS(
    SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(alarm), SCMP_SYS(bind), SCMP_SYS(connect),
    SCMP_SYS(epoll_create), SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2), SCMP_SYS(epoll_wait), SCMP_SYS(eventfd), SCMP_SYS(eventfd2),
    SCMP_SYS(getitimer), SCMP_SYS(getpeername), SCMP_SYS(getsockname), SCMP_SYS(getsockopt),
    SCMP_SYS(listen), SCMP_SYS(pause), SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(poll),
    SCMP_SYS(ppoll), SCMP_SYS(pselect6), SCMP_SYS(recvfrom), SCMP_SYS(recvmmsg), SCMP_SYS(recvmsg),
    SCMP_SYS(select), SCMP_SYS(sendmmsg), SCMP_SYS(sendmsg), SCMP_SYS(sendto), SCMP_SYS(setitimer),
    SCMP_SYS(setsockopt), SCMP_SYS(shutdown), SCMP_SYS(signalfd), SCMP_SYS(signalfd4),
    SCMP_SYS(socketpair), SCMP_SYS(timer_create), SCMP_SYS(timer_delete),
    SCMP_SYS(timer_getoverrun), SCMP_SYS(timer_gettime), SCMP_SYS(timer_settime),
    SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_gettime), SCMP_SYS(timerfd_settime));

static const int *const task_calls = CALLS(
    SCMP_SYS(arch_prctl), SCMP_SYS(capget), SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork),
    SCMP_SYS(get_robust_list), SCMP_SYS(getcpu), SCMP_SYS(getegid), SCMP_SYS(geteuid),
    SCMP_SYS(getgid), SCMP_SYS(getgroups), SCMP_SYS(getpgid), SCMP_SYS(getpgrp), SCMP_SYS(getppid),
    SCMP_SYS(getpriority), SCMP_SYS(getresgid), SCMP_SYS(getresuid), SCMP_SYS(getrlimit),
    SCMP_SYS(getsid), SCMP_SYS(getuid), SCMP_SYS(kill), SCMP_SYS(memfd_create), SCMP_SYS(mincore),
    SCMP_SYS(mlock), SCMP_SYS(mlock2), SCMP_SYS(msync), SCMP_SYS(munlock), SCMP_SYS(pidfd_open),
    SCMP_SYS(pidfd_send_signal), SCMP_SYS(pkey_alloc), SCMP_SYS(pkey_free), SCMP_SYS(pkey_mprotect),
    SCMP_SYS(prlimit64), SCMP_SYS(rt_sigpending), SCMP_SYS(rt_sigqueueinfo),
    SCMP_SYS(rt_sigsuspend), SCMP_SYS(rt_sigtimedwait), SCMP_SYS(rt_tgsigqueueinfo),
    SCMP_SYS(sched_get_priority_max), SCMP_SYS(sched_get_priority_min), SCMP_SYS(sched_getattr),
    SCMP_SYS(sched_getparam), SCMP_SYS(sched_getscheduler), SCMP_SYS(sched_rr_get_interval),
    SCMP_SYS(sched_setaffinity), SCMP_SYS(set_tid_address), SCMP_SYS(setpgid),
    SCMP_SYS(setpriority), SCMP_SYS(setrlimit), SCMP_SYS(setsid), SCMP_SYS(tgkill), SCMP_SYS(time),
    SCMP_SYS(times), SCMP_SYS(tkill), SCMP_SYS(vfork), SCMP_SYS(wait4), SCMP_SYS(waitid));

static const unsigned device_requests[] = {FIONBIO,     FIONREAD,     FIOCLEX,     FIONCLEX,
                                           FIOASYNC,    TCGETS,       TCGETS2,     TIOCGWINSZ,
                                           SIOCGIFCONF, SIOCGIFFLAGS, SIOCGIFADDR, SIOCGIFINDEX};

static const int process_options[] = {
    PR_SET_NAME,         PR_GET_NAME,         PR_SET_PDEATHSIG,       PR_GET_PDEATHSIG,
    PR_GET_DUMPABLE,     PR_CAPBSET_READ,     PR_SET_TIMERSLACK,      PR_GET_TIMERSLACK,
    PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS, PR_SET_CHILD_SUBREAPER, PR_SET_VMA};

/* Threads and processes in the namespaces that there are. clone3 hides its flags behind a pointer;
 * told that it does not exist, libc falls back to clone. */
static int add_tasks(scmp_filter_ctx filter)
{
    const scmp_datum_t spaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
    int rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                              SCMP_A0(SCMP_CMP_MASKED_EQ, spaces, 0));

    if (rc == 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (rc == 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(personality), 1,
                              SCMP_A0(SCMP_CMP_EQ, 0xffffffffu));
    return rc;
}

/* Streams and datagrams, and the kernel's answer to which interfaces there are. No raw packets, no
 * Bluetooth, no virtual machines' sockets, and nothing else that few have looked at. */
static int add_sockets(scmp_filter_ctx filter)
{
    static const int families[] = {AF_INET, AF_INET6};
    static const int kinds[] = {SOCK_STREAM, SOCK_DGRAM};
    int rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                              SCMP_A0(SCMP_CMP_EQ, AF_UNIX));

    if (rc == 0)
        rc =
            seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
                             SCMP_A0(SCMP_CMP_EQ, AF_NETLINK), SCMP_A2(SCMP_CMP_EQ, NETLINK_ROUTE));
    for (size_t i = 0; i < 4 && rc == 0; i++)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
                              SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i / 2]),
                              SCMP_A1(SCMP_CMP_MASKED_EQ, SOCKET_KIND, (scmp_datum_t)kinds[i % 2]));
    return rc;
}

static int add_requests(scmp_filter_ctx filter)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < sizeof device_requests / sizeof device_requests[0]; i++)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                              SCMP_A1(SCMP_CMP_EQ, device_requests[i]));
    for (size_t i = 0; rc == 0 && i < sizeof process_options / sizeof process_options[0]; i++)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
                              SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)process_options[i]));
    return rc;
}

int sw_sandbox_add_process(scmp_filter_ctx filter)
{
    int rc = sw_sandbox_add_all(filter, SCMP_ACT_ALLOW, file_calls);

    if (rc == 0)
        rc = sw_sandbox_add_all(filter, SCMP_ACT_ALLOW, wait_calls);
    if (rc == 0)
        rc = sw_sandbox_add_all(filter, SCMP_ACT_ALLOW, task_calls);
    if (rc == 0)
        rc = add_tasks(filter);
    if (rc == 0)
        rc = add_sockets(filter);
    return rc == 0 ? add_requests(filter) : rc;
}
