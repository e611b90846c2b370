#include "pkg/agent/sandbox/sandbox.h"
#include "pkg/agent/sandbox/profile.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

static enum sw_rc limit(int resource, rlim_t value, const char *name, struct sw_err *err)
{
    struct rlimit limits = {.rlim_cur = value, .rlim_max = value};

    if (setrlimit((__rlimit_resource_t)resource, &limits) != 0)
        return sw_err_errno(err, errno, "sandbox: limit on %s", name);
    return SW_OK;
}

static enum sw_rc set_process_limits(const struct sw_sandbox_options *options, struct sw_err *err)
{
    const struct {
        int resource;
        rlim_t value;
        const char *name;
    } limits[] = {
        {RLIMIT_NPROC, options->processes_max, "processes"},
        {RLIMIT_NOFILE, options->files_max, "open files"},
        {RLIMIT_FSIZE, options->file_bytes_max, "file sizes"},
#ifndef SW_SANITIZED /* Shadow memory takes terabytes. */
        {RLIMIT_DATA, options->memory_bytes_max, "memory"},
#endif
    };
    enum sw_rc rc = limit(RLIMIT_MSGQUEUE, 0, "message queues", err);

    for (size_t i = 0; rc == SW_OK && i < sizeof limits / sizeof limits[0]; i++)
        if (limits[i].value > 0)
            rc = limit(limits[i].resource, limits[i].value, limits[i].name, err);
    return rc;
}

/* Limits hold even where the kernel has neither seccomp nor Landlock. */
static enum sw_rc set_limits(const struct sw_sandbox_options *options, struct sw_err *err)
{
    enum sw_rc rc = limit(RLIMIT_CORE, 0, "core dumps", err);

    if (options->profile == SW_SANDBOX_PROCESS)
        return rc == SW_OK ? set_process_limits(options, err) : rc;
    if (options->profile != SW_SANDBOX_COMPILER)
        return rc;
    if (rc == SW_OK)
        rc = limit(RLIMIT_FSIZE, 0, "file sizes", err);
#ifndef SW_SANITIZED /* Shadow memory takes terabytes of address space. */
    if (rc == SW_OK && options->memory_bytes_max > 0)
        rc = limit(RLIMIT_AS, options->memory_bytes_max, "memory", err);
#endif
    if (rc == SW_OK && options->cpu_seconds_max > 0)
        rc = limit(RLIMIT_CPU, options->cpu_seconds_max, "processor time", err);
    return rc;
}

/* Landlock binds the calling thread and those that it makes: earlier ones would stay free. */
static enum sw_rc check_single_thread(struct sw_err *err)
{
#ifndef SW_SANITIZED /* ThreadSanitizer has a thread of its own. */
    struct stat tasks;

    if (stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink > 3)
        return sw_err_set(err, SW_E_PRECONDITION,
                          "sandbox: the process has threads already, which would not be bound");
#endif
    (void)err;
    return SW_OK;
}

static enum sw_rc drop_privileges(struct sw_err *err)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return sw_err_errno(err, errno, "sandbox: no new privileges");
#ifndef SW_SANITIZED /* The leak checker traces its own process. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return sw_err_errno(err, errno, "sandbox: not dumpable");
#endif
    return SW_OK;
}

enum sw_rc sw_sandbox_enter(const struct sw_sandbox_options *options,
                            struct sw_sandbox_view *ret_view, struct sw_err *err)
{
    struct sw_sandbox_view view = {0};
    enum sw_rc rc;

    assert(options->profile != SW_SANDBOX_HOST || options->folder != NULL);
    assert(options->profile != SW_SANDBOX_PROCESS || options->scratch != NULL);
    rc = check_single_thread(err);
    if (rc == SW_OK)
        rc = set_limits(options, err);
    if (rc == SW_OK)
        rc = drop_privileges(err);
    if (rc == SW_OK)
        rc = sw_sandbox_landlock(options, &view.landlock_abi, err);
    if (rc == SW_OK)
        rc = sw_sandbox_filter(options->profile, &view.has_seccomp, err);
    if (rc != SW_OK)
        return rc;
    view.has_landlock = view.landlock_abi > 0;
    (void)snprintf(view.missing, sizeof view.missing, "%s%s%s",
                   view.has_seccomp ? "" : "seccomp (CONFIG_SECCOMP_FILTER)",
                   view.has_seccomp || view.has_landlock ? "" : ", ",
                   view.has_landlock ? "" : "Landlock (kernel 5.13 or newer, lsm=landlock)");
    *ret_view = view;
    return SW_OK;
}
