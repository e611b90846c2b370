#include "cmd/swarm-process/launcher.h"

#include "pkg/agent/runtime/process/launch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SPACES (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)
#define LISTEN_BACKLOG 64
#define CAPABILITIES_MAX 63

static enum sw_rc text_put(const char *path, const char *text, struct sw_err *err)
{
    int file = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t size = file < 0 ? -1 : write(file, text, strlen(text));
    int number = errno;

    if (file >= 0)
        (void)close(file);
    return size == (ssize_t)strlen(text) ? SW_OK : sw_err_errno(err, number, "%s", path);
}

/* One user in it, who is the same inside and outside. */
static enum sw_rc maps_write(uid_t user, gid_t group, struct sw_err *err)
{
    char text[64];
    enum sw_rc rc;

    (void)snprintf(text, sizeof text, "%u %u 1\n", user, user);
    rc = text_put("/proc/self/uid_map", text, err);
    if (rc == SW_OK)
        rc = text_put("/proc/self/setgroups", "deny", err);
    (void)snprintf(text, sizeof text, "%u %u 1\n", group, group);
    return rc == SW_OK ? text_put("/proc/self/gid_map", text, err) : rc;
}

enum sw_rc namespaces_enter(const struct order *order, struct sw_err *err)
{
    uid_t user = geteuid();
    gid_t group = getegid();
    enum sw_rc rc = SW_OK;

    if (unshare(order->user != 0 ? SPACES : SPACES | CLONE_NEWUSER) != 0) {
        (void)sw_err_set(err, SW_E_UNSUPPORTED, "this machine gives no namespaces to %s: %s",
                         order->user != 0 ? "this root user" : "users", strerror(errno));
        sw_err_hint(err, order->user != 0 ? "a container needs the capability SYS_ADMIN for it"
                                          : "see the settings kernel.unprivileged_userns_clone and "
                                            "kernel.apparmor_restrict_unprivileged_userns");
        return SW_E_UNSUPPORTED;
    }
    if (order->user == 0)
        rc = maps_write(user, group, err);
    if (rc == SW_OK && sethostname("agent", 5) != 0)
        rc = sw_err_errno(err, errno, "name of the host");
    return rc;
}

static enum sw_rc loopback_up(int file, struct sw_err *err)
{
    struct ifreq request = {.ifr_name = "lo"};

    request.ifr_flags = IFF_UP;
    if (ioctl(file, SIOCSIFFLAGS, &request) != 0)
        return sw_err_errno(err, errno, "loopback interface");
    return SW_OK;
}

enum sw_rc network_open(int *ret_listener, struct sw_err *err)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons(SW_LAUNCH_PORT),
                                        .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    enum sw_rc rc;

    if (file < 0)
        return sw_err_errno(err, errno, "socket");
    rc = loopback_up(file, err);
    if (rc == SW_OK && (bind(file, (const struct sockaddr *)&address, sizeof address) != 0 ||
                        listen(file, LISTEN_BACKLOG) != 0))
        rc = sw_err_errno(err, errno, "listener");
    if (rc != SW_OK) {
        (void)close(file);
        return rc;
    }
    *ret_listener = file;
    return SW_OK;
}

/* None now, none by running a program, none ever. */
static enum sw_rc capabilities_drop(struct sw_err *err)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[2] = {{0}};

    for (unsigned long i = 0; i <= CAPABILITIES_MAX; i++)
        (void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0); /* One that this kernel lacks is not there. */
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (syscall(SYS_capset, &head, none) != 0)
        return sw_err_errno(err, errno, "capabilities");
    return SW_OK;
}

enum sw_rc user_become(const struct order *order, struct sw_err *err)
{
    uid_t user = order->user;

    for (unsigned long i = 0; i <= CAPABILITIES_MAX; i++)
        (void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
    if (user != 0 && (setgroups(0, NULL) != 0 || setresgid(user, user, user) != 0 ||
                      setresuid(user, user, user) != 0))
        return sw_err_errno(err, errno, "user %u", user);
    return capabilities_drop(err);
}
