#include "pkg/agent/sandbox/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Landlock's interface (landlock(7)), in our own words, since the headers of the build machine may
 * be older than the kernel of the machine that runs this. */
#define VERSION_QUERY 1u
#define RULE_PATH_BENEATH 1
#define FS_EXECUTE (1ull << 0)
#define FS_WRITE_FILE (1ull << 1)
#define FS_READ_FILE (1ull << 2)
#define FS_READ_DIR (1ull << 3)
#define FS_REMOVE_DIR (1ull << 4)
#define FS_REMOVE_FILE (1ull << 5)
#define FS_MAKE_DIR (1ull << 7)
#define FS_MAKE_REG (1ull << 8)
#define FS_MAKE_SOCK (1ull << 9)
#define FS_MAKE_FIFO (1ull << 10)
#define FS_MAKE_SYM (1ull << 12)
#define FS_ALL_OF_ABI_1 ((1ull << 13) - 1)
#define FS_REFER (1ull << 13)     /* ABI 2: move between folders. */
#define FS_TRUNCATE (1ull << 14)  /* ABI 3 */
#define FS_IOCTL_DEV (1ull << 15) /* ABI 5 */
#define NET_ALL 3ull              /* ABI 4: bind and connect TCP. */
#define SCOPE_ALL 3ull            /* ABI 6: abstract sockets and signals. */

struct ruleset {
    uint64_t handled_fs, handled_net, scoped;
};
struct path_rule {
    uint64_t allowed;
    int32_t folder;
} __attribute__((packed));

/* What the ruleset covers, and how much of the struct this kernel knows. A process has a network of
 * its own, in which it may do as it likes. */
static size_t ruleset_of(int abi, bool is_process, struct ruleset *ret_ruleset)
{
    *ret_ruleset = (struct ruleset){.handled_fs = FS_ALL_OF_ABI_1};
    if (abi >= 2)
        ret_ruleset->handled_fs |= FS_REFER;
    if (abi >= 3)
        ret_ruleset->handled_fs |= FS_TRUNCATE;
    if (abi >= 5)
        ret_ruleset->handled_fs |= FS_IOCTL_DEV;
    if (abi >= 4 && !is_process)
        ret_ruleset->handled_net = NET_ALL;
    if (abi >= 6)
        ret_ruleset->scoped = SCOPE_ALL;
    return abi >= 6   ? sizeof(struct ruleset)
           : abi >= 4 ? offsetof(struct ruleset, scoped)
                      : offsetof(struct ruleset, handled_net);
}

static enum sw_rc allow_below(int rules, const char *folder, uint64_t access, struct sw_err *err)
{
    int opened = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct path_rule rule = {.allowed = access, .folder = opened};
    int number = 0;

    if (opened < 0)
        return sw_err_errno(err, errno, "sandbox: folder %s", folder);
    if (syscall(SYS_landlock_add_rule, rules, RULE_PATH_BENEATH, &rule, 0) != 0)
        number = errno;
    (void)close(opened);
    return number == 0 ? SW_OK : sw_err_errno(err, number, "sandbox: rule for %s", folder);
}

/* The root was made for this process: its mounts say what is read-only, and this says it again. */
static enum sw_rc add_process_rules(int rules, const struct sw_sandbox_options *options,
                                    uint64_t scratch, uint64_t handled, struct sw_err *err)
{
    const uint64_t look = FS_EXECUTE | FS_READ_FILE | FS_READ_DIR;
    const uint64_t device = FS_READ_FILE | FS_READ_DIR | FS_WRITE_FILE | FS_IOCTL_DEV;
    enum sw_rc rc = allow_below(rules, "/", look & handled, err);

    if (rc == SW_OK)
        rc = allow_below(rules, "/dev", device & handled, err);
    return rc == SW_OK ? allow_below(rules, options->scratch, scratch, err) : rc;
}

static enum sw_rc add_rules(int rules, const struct sw_sandbox_options *options, uint64_t handled,
                            struct sw_err *err)
{
    uint64_t data = FS_WRITE_FILE | FS_READ_FILE | FS_READ_DIR | FS_REMOVE_DIR | FS_REMOVE_FILE |
                    FS_MAKE_DIR | FS_MAKE_REG | FS_REFER | FS_TRUNCATE;
    const uint64_t own = FS_EXECUTE | FS_MAKE_SOCK | FS_MAKE_FIFO | FS_MAKE_SYM;
    enum sw_rc rc = SW_OK;

    if (options->is_read_only)
        data = FS_READ_FILE | FS_READ_DIR;
    if (options->profile == SW_SANDBOX_HOST)
        rc = allow_below(rules, options->folder, data & handled, err);
    if (options->profile == SW_SANDBOX_PROCESS)
        rc = add_process_rules(rules, options, (data | own) & handled, handled, err);
#ifdef SW_SANITIZED /* The sanitizers look at /proc/self when they report. */
    if (rc == SW_OK)
        rc = allow_below(rules, "/proc", (FS_READ_FILE | FS_READ_DIR) & handled, err);
#endif
    return rc;
}

enum sw_rc sw_sandbox_landlock(const struct sw_sandbox_options *options, int *ret_abi,
                               struct sw_err *err)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, VERSION_QUERY);
    struct ruleset ruleset;
    enum sw_rc rc;

    *ret_abi = 0;
    if (abi <= 0)
        return SW_OK; /* Not in this kernel, or not switched on: reported by the caller. */
    size_t size = ruleset_of((int)abi, options->profile == SW_SANDBOX_PROCESS, &ruleset);
    int rules = (int)syscall(SYS_landlock_create_ruleset, &ruleset, size, 0);
    if (rules < 0)
        return sw_err_errno(err, errno, "sandbox: Landlock rules");
    rc = add_rules(rules, options, ruleset.handled_fs, err);
    if (rc == SW_OK && syscall(SYS_landlock_restrict_self, rules, 0) != 0)
        rc = sw_err_errno(err, errno, "sandbox: Landlock");
    (void)close(rules);
    if (rc == SW_OK)
        *ret_abi = (int)abi;
    return rc;
}
