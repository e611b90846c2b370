/* Give up what a process does not need, for good: seccomp, Landlock, limits, no new privileges.
 *
 * Called once, by the process itself, when it has opened what lies elsewhere and before it makes
 * any thread: those that it makes later are bound too, and so are its processes. A call that a
 * profile does not list ends the process if it is an attack's (exec, ptrace ...), and otherwise
 * fails with EPERM. Threads: the only one.  I/O: none.  Limits: none. */
#pragma once
#include "pkg/utils/errors/errors.h"

#include <stdbool.h>

enum sw_sandbox_profile {
    SW_SANDBOX_COMPILER, /* Reads standard input, writes standard output: no file, no thread. */
    SW_SANDBOX_HOST,     /* An agent host: its folder, its socket, its threads. */
    /* A program of somebody else's in a root and namespaces of its own: files, sockets, threads and
     * processes, and nothing that changes the machine, looks into other processes, or makes
     * namespaces. What is refused fails with EPERM, since libraries probe. */
    SW_SANDBOX_PROCESS
};

struct sw_sandbox_options {
    enum sw_sandbox_profile profile;
    const char *folder;  /* HOST: may be read and written below this, nothing elsewhere. */
    bool is_read_only;   /* HOST: what is below the folder may only be read. */
    const char *scratch; /* PROCESS: all below "/" may be read, and this be written. */
    /* COMPILER: address space; PROCESS: private memory of each process, where no control group
     * counts all of them. 0: no limit. */
    size_t memory_bytes_max;
    unsigned cpu_seconds_max; /* COMPILER: processor time; 0: no limit. */
    unsigned processes_max;   /* PROCESS: of its user, threads among them; 0: no limit. */
    unsigned files_max;       /* PROCESS: open at once in each process; 0: no limit. */
    size_t file_bytes_max;    /* PROCESS: of one file; 0: no limit. */
};

/* What is in force; the rest the kernel does not offer. */
struct sw_sandbox_view {
    bool has_seccomp;
    bool has_landlock;
    int landlock_abi; /* 0: none. */
    /* Words for the log on what is missing, such as "Landlock (kernel 5.13 or newer)"; or "". */
    char missing[256];
};

/* Enter the sandbox. A missing kernel feature is told in *ret_view and is no error.
 * SW_E_PRECONDITION  there is more than one thread
 * other codes        a step failed that this kernel offers: do not go on */
SW_MUST_CHECK enum sw_rc sw_sandbox_enter(const struct sw_sandbox_options *options,
                                          struct sw_sandbox_view *ret_view, struct sw_err *err);
