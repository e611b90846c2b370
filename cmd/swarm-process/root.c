#include "cmd/swarm-process/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The new root is put together on a file system in memory, over a folder that every machine has:
 * only this mount namespace sees it. */
#define STAGE "/tmp"
#define ROOT_BYTES "size=1m,nr_inodes=512,mode=0755"
#define TMP_FILES 65536u
#define PATH_MAX_HERE 256

/* mount_setattr(2), in our own words, since headers may be older than the kernel. */
#define NUMBER_OF_MOUNT_SETATTR 442
#define ATTRIBUTE_READ_ONLY 1u
#define ATTRIBUTE_NO_SETUID 2u
#define ATTRIBUTE_NO_DEVICES 4u
#define RECURSIVE 0x8000u

struct attributes {
    uint64_t set, clear, propagation, user_namespace;
};

static enum sw_rc fail(struct sw_err *err, const char *what, const char *path)
{
    return sw_err_errno(err, errno, "new root: %s %s", what, path);
}

/* A mount and all below it. A kernel before 5.12 does the topmost only: what is below belongs to
 * others as before, and no program there gives its user's rights. */
static enum sw_rc lock(const char *path, uint64_t flags, struct sw_err *err)
{
    struct attributes attributes = {.set = flags};
    unsigned long old = MS_REMOUNT | MS_BIND;

    if (syscall(NUMBER_OF_MOUNT_SETATTR, AT_FDCWD, path, RECURSIVE, &attributes,
                sizeof attributes) == 0)
        return SW_OK;
    if (errno != ENOSYS)
        return fail(err, "lock", path);
    old |= flags & ATTRIBUTE_READ_ONLY ? MS_RDONLY : 0u;
    old |= flags & ATTRIBUTE_NO_SETUID ? MS_NOSUID : 0u;
    old |= flags & ATTRIBUTE_NO_DEVICES ? MS_NODEV : 0u;
    return mount(NULL, path, NULL, old, NULL) == 0 ? SW_OK : fail(err, "lock", path);
}

static enum sw_rc bind_folder(const char *from, const char *to, struct sw_err *err)
{
    if (mkdir(to, 0755) != 0 && errno != EEXIST)
        return fail(err, "folder", to);
    if (mount(from, to, NULL, MS_BIND | MS_REC, NULL) != 0)
        return fail(err, "mount", from);
    return lock(to, ATTRIBUTE_READ_ONLY | ATTRIBUTE_NO_SETUID | ATTRIBUTE_NO_DEVICES, err);
}

static enum sw_rc file_put(const char *path, const char *text, struct sw_err *err)
{
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    ssize_t size = file < 0 ? -1 : write(file, text, strlen(text));

    if (size != (ssize_t)strlen(text))
        (void)fail(err, "file", path);
    if (file >= 0)
        (void)close(file);
    return size == (ssize_t)strlen(text) ? SW_OK : err->rc;
}

static enum sw_rc bind_file(const char *from, const char *to, bool is_device, struct sw_err *err)
{
    enum sw_rc rc = file_put(to, "", err);
    const uint64_t flags = ATTRIBUTE_NO_SETUID | (is_device ? 0u : ATTRIBUTE_READ_ONLY);

    if (rc == SW_OK && mount(from, to, NULL, MS_BIND, NULL) != 0)
        rc = fail(err, "mount", from);
    return rc == SW_OK ? lock(to, flags, err) : rc;
}

/* --- What the machine has for all ------------------------------------------------------------ */

/* "/bin" is a link to "usr/bin" on most machines, and a folder on others. */
static enum sw_rc system_add(const char *name, struct sw_err *err)
{
    char from[PATH_MAX_HERE], to[PATH_MAX_HERE], target[PATH_MAX_HERE];
    struct stat status;
    ssize_t size;

    (void)snprintf(from, sizeof from, "/%s", name);
    (void)snprintf(to, sizeof to, STAGE "/%s", name);
    if (lstat(from, &status) != 0)
        return SW_OK;
    if (!S_ISLNK(status.st_mode))
        return S_ISDIR(status.st_mode) ? bind_folder(from, to, err) : SW_OK;
    size = readlink(from, target, sizeof target - 1);
    target[size > 0 ? size : 0] = '\0';
    return symlink(target, to) == 0 ? SW_OK : fail(err, "link", to);
}

/* What programs need to start, to know names, and to trust others: nothing of this machine's own.
 */
static enum sw_rc settings_add(uid_t user, struct sw_err *err)
{
    static const char *const kept[] = {"ld.so.cache", "localtime", "mime.types"};
    static const char *const folders[] = {"alternatives", "ssl/certs"};
    char from[PATH_MAX_HERE], to[PATH_MAX_HERE], text[PATH_MAX_HERE];
    enum sw_rc rc = SW_OK;

    if (mkdir(STAGE "/etc", 0755) != 0 || mkdir(STAGE "/etc/ssl", 0755) != 0)
        return fail(err, "folder", "/etc");
    for (size_t i = 0; rc == SW_OK && i < sizeof kept / sizeof kept[0]; i++) {
        (void)snprintf(from, sizeof from, "/etc/%s", kept[i]);
        (void)snprintf(to, sizeof to, STAGE "/etc/%s", kept[i]);
        if (access(from, R_OK) == 0)
            rc = bind_file(from, to, false, err);
    }
    for (size_t i = 0; rc == SW_OK && i < sizeof folders / sizeof folders[0]; i++) {
        (void)snprintf(from, sizeof from, "/etc/%s", folders[i]);
        (void)snprintf(to, sizeof to, STAGE "/etc/%s", folders[i]);
        if (access(from, R_OK | X_OK) == 0)
            rc = bind_folder(from, to, err);
    }
    (void)snprintf(text, sizeof text, "agent:x:%u:%u:agent:/tmp:/bin/sh\n", user, user);
    if (rc == SW_OK)
        rc = file_put(STAGE "/etc/passwd", text, err);
    (void)snprintf(text, sizeof text, "agent:x:%u:\n", user);
    if (rc == SW_OK)
        rc = file_put(STAGE "/etc/group", text, err);
    if (rc == SW_OK)
        rc = file_put(STAGE "/etc/hosts", "127.0.0.1 localhost agent\n", err);
    return rc == SW_OK ? file_put(STAGE "/etc/nsswitch.conf", "hosts: files\n", err) : rc;
}

static enum sw_rc devices_add(struct sw_err *err)
{
    static const char *const devices[] = {"null", "zero", "full", "random", "urandom"};
    static const char *const links[][2] = {{"/proc/self/fd", "fd"},
                                           {"/proc/self/fd/0", "stdin"},
                                           {"/proc/self/fd/1", "stdout"},
                                           {"/proc/self/fd/2", "stderr"},
                                           {"/tmp", "shm"}};
    char from[PATH_MAX_HERE], to[PATH_MAX_HERE];
    enum sw_rc rc = SW_OK;

    if (mkdir(STAGE "/dev", 0755) != 0)
        return fail(err, "folder", "/dev");
    for (size_t i = 0; rc == SW_OK && i < sizeof devices / sizeof devices[0]; i++) {
        (void)snprintf(from, sizeof from, "/dev/%s", devices[i]);
        (void)snprintf(to, sizeof to, STAGE "/dev/%s", devices[i]);
        rc = bind_file(from, to, true, err);
    }
    for (size_t i = 0; rc == SW_OK && i < sizeof links / sizeof links[0]; i++) {
        (void)snprintf(to, sizeof to, STAGE "/dev/%s", links[i][1]);
        if (symlink(links[i][0], to) != 0)
            rc = fail(err, "link", to);
    }
    return rc;
}

/* --- What the program has for itself --------------------------------------------------------- */

static enum sw_rc scratch_add(uint64_t size_bytes, struct sw_err *err)
{
    char options[96];

    (void)snprintf(options, sizeof options, "size=%llu,nr_inodes=%u,mode=1777",
                   (unsigned long long)size_bytes, TMP_FILES);
    if (mkdir(STAGE "/tmp", 0755) != 0 ||
        mount("tmpfs", STAGE "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, options) != 0)
        return fail(err, "mount", "/tmp");
    return SW_OK;
}

/* Of its own processes. Where somebody has put other things over parts of the machine's, as some
 * containers do, the kernel gives no new one to a user namespace: it goes without. */
static enum sw_rc processes_add(char *missing, size_t size, struct sw_err *err)
{
    if (mkdir(STAGE "/proc", 0555) != 0)
        return fail(err, "folder", "/proc");
    if (mount("proc", STAGE "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0)
        (void)snprintf(missing, size, "/proc (%s)", strerror(errno));
    return SW_OK;
}

static enum sw_rc change(struct sw_err *err)
{
    if (chdir(STAGE) != 0 || syscall(SYS_pivot_root, ".", ".") != 0 ||
        umount2(".", MNT_DETACH) != 0 || chdir("/") != 0)
        return fail(err, "change to", STAGE);
    if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) != 0)
        return fail(err, "lock", "/");
    return SW_OK;
}

struct opened { /* Folders by descriptors: they may lie below the stage. */
    int folders[1 + PACKAGES_MAX];
    unsigned count;
};

static void opened_close(struct opened *opened)
{
    while (opened->count > 0)
        (void)close(opened->folders[--opened->count]);
}

static enum sw_rc opened_add(struct opened *opened, const char *path, struct sw_err *err)
{
    int folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (folder < 0)
        return fail(err, "image", path);
    opened->folders[opened->count++] = folder;
    return SW_OK;
}

/* The first is the program, the others what it needs. */
static enum sw_rc images_add(const struct opened *opened, struct sw_err *err)
{
    char from[64], to[64] = STAGE "/agent";
    enum sw_rc rc = SW_OK;

    if (opened->count > 1 && mkdir(STAGE "/packages", 0755) != 0)
        return fail(err, "folder", "/packages");
    for (unsigned i = 0; rc == SW_OK && i < opened->count; i++) {
        (void)snprintf(from, sizeof from, "/proc/self/fd/%d", opened->folders[i]);
        if (i > 0)
            (void)snprintf(to, sizeof to, STAGE "/packages/%u", i - 1);
        rc = bind_folder(from, to, err);
    }
    return rc;
}

static enum sw_rc parts_add(const struct order *order, const struct opened *opened, char *missing,
                            size_t size, struct sw_err *err)
{
    static const char *const folders[] = {"usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"};
    enum sw_rc rc = SW_OK;

    for (size_t i = 0; rc == SW_OK && i < sizeof folders / sizeof folders[0]; i++)
        rc = system_add(folders[i], err);
    if (rc == SW_OK)
        rc = settings_add(order->user != 0 ? order->user : geteuid(), err);
    if (rc == SW_OK)
        rc = devices_add(err);
    if (rc == SW_OK)
        rc = images_add(opened, err);
    if (rc == SW_OK)
        rc = scratch_add(order->tmp_bytes, err);
    return rc == SW_OK ? processes_add(missing, size, err) : rc;
}

enum sw_rc root_make(const struct order *order, char *missing, size_t size, struct sw_err *err)
{
    struct opened opened = {.count = 0};
    enum sw_rc rc;

    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return fail(err, "take apart", "/");
    rc = opened_add(&opened, order->image, err);
    for (unsigned i = 0; rc == SW_OK && i < order->packages_count; i++)
        rc = opened_add(&opened, order->packages[i], err);
    if (rc == SW_OK && mount("tmpfs", STAGE, "tmpfs", MS_NOSUID | MS_NODEV, ROOT_BYTES) != 0)
        rc = fail(err, "mount", STAGE);
    if (rc == SW_OK)
        rc = parts_add(order, &opened, missing, size, err);
    opened_close(&opened);
    return rc == SW_OK ? change(err) : rc;
}
