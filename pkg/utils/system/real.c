#include "pkg/utils/system/system.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000ull
/* One kernel call moves at most this much: Linux cuts larger ones anyway. */
#define TRANSFER_BYTES_MAX ((size_t)1 << 30)

/* Only a wrong clock id makes clock_gettime fail, which would be our own mistake. */
static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;

    if (clock_gettime(clock, &now) != 0)
        abort();
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static uint64_t real_utc_ns(void *ctx)
{
    (void)ctx;
    return clock_ns(CLOCK_REALTIME);
}

static uint64_t real_monotonic_ns(void *ctx)
{
    (void)ctx;
    return clock_ns(CLOCK_MONOTONIC);
}

/* There is no safe way to go on without randomness: keys would be guessable. */
static void real_random(void *ctx, void *ret_bytes, size_t size_bytes)
{
    uint8_t *at = ret_bytes;

    (void)ctx;
    while (size_bytes > 0) {
        ssize_t got = getrandom(at, size_bytes, 0);
        if (got < 0 && errno != EINTR)
            abort();
        if (got <= 0)
            continue;
        at += got;
        size_bytes -= (size_t)got;
    }
}

static enum sw_rc real_file_open(void *ctx, const char *path, unsigned mode, int *ret_file,
                                 struct sw_err *err)
{
    bool writes = (mode & SW_FILE_WRITE) != 0;
    int flags = O_CLOEXEC | O_NOCTTY;
    int file;

    (void)ctx;
    if ((mode & (SW_FILE_READ | SW_FILE_WRITE)) == 0)
        return sw_err_set(err, SW_E_INVALID, "open %s: neither for reading nor for writing", path);
    if (!writes)
        flags |= O_RDONLY;
    else
        flags |= (mode & SW_FILE_READ) != 0 ? O_RDWR : O_WRONLY;
    if ((mode & SW_FILE_CREATE) != 0)
        flags |= O_CREAT;
    if ((mode & SW_FILE_EXCLUSIVE) != 0)
        flags |= O_EXCL;
    if ((mode & SW_FILE_TRUNCATE) != 0)
        flags |= O_TRUNC;
    do {
        file = open(path, flags, (mode & SW_FILE_PROGRAM) != 0 ? 0700 : 0600);
    } while (file < 0 && errno == EINTR);
    if (file < 0)
        return sw_err_errno(err, errno, "open %s", path);
    if ((mode & SW_FILE_EXACT) != 0)
        (void)posix_fadvise(file, 0, 0, POSIX_FADV_RANDOM); /* Else it is slower, later. */
    *ret_file = file;
    return SW_OK;
}

/* Linux releases the descriptor whatever close returns, so there is nothing to retry. Data that
 * must last was synced before, which is where its errors are reported. */
static void real_file_close(void *ctx, int file)
{
    (void)ctx;
    (void)close(file);
}

static bool is_offset_valid(uint64_t offset, size_t size)
{
    return offset <= INT64_MAX && size <= INT64_MAX - offset;
}

static enum sw_rc real_file_read(void *ctx, int file, uint64_t offset, void *ret_bytes, size_t size,
                                 size_t *ret_size, struct sw_err *err)
{
    size_t done = 0;

    (void)ctx;
    if (!is_offset_valid(offset, size))
        return sw_err_set(err, SW_E_INVALID, "read: the offset is out of range");
    while (done < size) {
        size_t part = size - done < TRANSFER_BYTES_MAX ? size - done : TRANSFER_BYTES_MAX;
        ssize_t got = pread(file, (char *)ret_bytes + done, part, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return sw_err_errno(err, errno, "read");
        if (got == 0)
            break;
        done += (size_t)got;
    }
    *ret_size = done;
    return SW_OK;
}

static enum sw_rc real_file_read_now(void *ctx, int file, uint64_t offset, void *ret_bytes,
                                     size_t size, size_t *ret_size, struct sw_err *err)
{
    struct iovec part = {.iov_base = ret_bytes, .iov_len = size};
    ssize_t got;

    (void)ctx;
    if (!is_offset_valid(offset, size))
        return sw_err_set(err, SW_E_INVALID, "read: the offset is out of range");
    got = preadv2(file, &part, 1, (off_t)offset, RWF_NOWAIT);
    if (got < 0 || ((size_t)got < size && got > 0)) /* Of a part the rest has to be waited for. */
        return sw_err_set(err, SW_E_UNAVAILABLE, "the disk has to be waited for");
    *ret_size = (size_t)got;
    return SW_OK;
}

static enum sw_rc real_file_write(void *ctx, int file, uint64_t offset, const void *bytes,
                                  size_t size, struct sw_err *err)
{
    size_t done = 0;

    (void)ctx;
    if (!is_offset_valid(offset, size))
        return sw_err_set(err, SW_E_INVALID, "write: the offset is out of range");
    while (done < size) {
        size_t part = size - done < TRANSFER_BYTES_MAX ? size - done : TRANSFER_BYTES_MAX;
        ssize_t put = pwrite(file, (const char *)bytes + done, part, (off_t)(offset + done));
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return sw_err_errno(err, errno, "write");
        if (put == 0) /* Not seen on Linux; without this it would be an endless loop. */
            return sw_err_errno(err, ENOSPC, "write");
        done += (size_t)put;
    }
    return SW_OK;
}

/* fdatasync also writes the size when the size has changed (fdatasync(2)). It is not retried after
 * EIO: the kernel may have dropped the dirty pages, and a second call would then claim success. */
static enum sw_rc real_file_sync(void *ctx, int file, struct sw_err *err)
{
    int rc;

    (void)ctx;
    do {
        rc = fdatasync(file);
    } while (rc != 0 && errno == EINTR);
    return rc == 0 ? SW_OK : sw_err_errno(err, errno, "sync");
}

static enum sw_rc real_file_truncate(void *ctx, int file, uint64_t size, struct sw_err *err)
{
    int rc;

    (void)ctx;
    if (!is_offset_valid(size, 0))
        return sw_err_set(err, SW_E_INVALID, "truncate: the size is out of range");
    do {
        rc = ftruncate(file, (off_t)size);
    } while (rc != 0 && errno == EINTR);
    return rc == 0 ? SW_OK : sw_err_errno(err, errno, "truncate");
}

static enum sw_rc real_file_lock(void *ctx, int file, const char *path, struct sw_err *err)
{
    struct stat own, there;
    int rc;

    (void)ctx;
    do {
        rc = flock(file, LOCK_EX | LOCK_NB);
    } while (rc != 0 && errno == EINTR);
    if (rc != 0 && errno != EWOULDBLOCK)
        return sw_err_errno(err, errno, "lock %s", path);
    /* Who had it may have renamed or removed it since it was opened here. */
    if (rc == 0 && fstat(file, &own) == 0 && stat(path, &there) == 0 &&
        own.st_dev == there.st_dev && own.st_ino == there.st_ino)
        return SW_OK;
    return sw_err_set(err, SW_E_UNAVAILABLE, "another process has %s", path);
}

/* Go from one run of data to the next. The position that lseek moves is nobody's: all reads and
 * writes name theirs. */
static enum sw_rc real_file_written_end(void *ctx, int file, uint64_t *ret_offset,
                                        struct sw_err *err)
{
    off_t end = 0, data;

    (void)ctx;
    while ((data = lseek(file, end, SEEK_DATA)) >= 0) {
        end = lseek(file, data, SEEK_HOLE);
        if (end < 0)
            return sw_err_errno(err, errno, "seek");
    }
    if (errno == EINVAL) /* A file system that does not know. */
        end = lseek(file, 0, SEEK_END);
    if (end < 0 || (errno != ENXIO && errno != EINVAL)) /* ENXIO: no more data. */
        return sw_err_errno(err, errno, "seek");
    *ret_offset = (uint64_t)end;
    return SW_OK;
}

/* posix_fallocate returns its error and falls back to writing where a file system cannot reserve.
 */
static enum sw_rc real_file_allocate(void *ctx, int file, uint64_t size, struct sw_err *err)
{
    int number;

    (void)ctx;
    if (!is_offset_valid(size, 0) || size == 0)
        return sw_err_set(err, SW_E_INVALID, "allocate: the size is out of range");
    do {
        number = posix_fallocate(file, 0, (off_t)size);
    } while (number == EINTR);
    return number == 0 ? SW_OK : sw_err_errno(err, number, "allocate");
}

static enum sw_rc real_path_view(void *ctx, const char *path, struct sw_file_view *ret_view,
                                 struct sw_err *err)
{
    struct stat status, link;

    (void)ctx;
    if (stat(path, &status) != 0 || lstat(path, &link) != 0)
        return sw_err_errno(err, errno, "%s", path);
    ret_view->is_link = S_ISLNK(link.st_mode);
    ret_view->size_bytes = (uint64_t)status.st_size;
    ret_view->modified_ns =
        (uint64_t)status.st_mtim.tv_sec * NS_PER_S + (uint64_t)status.st_mtim.tv_nsec;
    ret_view->is_folder = S_ISDIR(status.st_mode);
    ret_view->is_regular = S_ISREG(status.st_mode);
    return SW_OK;
}

static enum sw_rc real_path_rename(void *ctx, const char *from, const char *to, struct sw_err *err)
{
    (void)ctx;
    if (rename(from, to) != 0)
        return sw_err_errno(err, errno, "rename %s to %s", from, to);
    return SW_OK;
}

static enum sw_rc real_path_remove(void *ctx, const char *path, struct sw_err *err)
{
    (void)ctx;
    if (unlink(path) != 0 && (errno != EISDIR || rmdir(path) != 0))
        return sw_err_errno(err, errno, "remove %s", path);
    return SW_OK;
}

/* From where both stand: true once all is there, or *ret_number says what failed. */
static bool copy_by_hand(int from, int to, int *ret_number)
{
    char bytes[16384];
    ssize_t got, put = 0;

    do {
        got = read(from, bytes, sizeof bytes);
        for (ssize_t at = 0; got > 0 && at < got; at += put) {
            put = write(to, bytes + at, (size_t)(got - at));
            if (put < 0)
                break;
        }
    } while (got > 0 && put > 0);
    *ret_number = errno;
    return got == 0;
}

/* Shared until one of them is changed, copied by the kernel, or by hand, as the two file systems
 * allow. What the kernel stops at goes on by hand; it reads nothing of files that claim no size. */
static bool copy_bytes(int from, int to, int *ret_number)
{
    bool is_there = ioctl(to, FICLONE, from) == 0;
    ssize_t got = 1;

    while (!is_there && got > 0)
        got = copy_file_range(from, NULL, to, NULL, TRANSFER_BYTES_MAX, 0);
    if (!is_there && !copy_by_hand(from, to, ret_number))
        return false;
    if (fsync(to) == 0)
        return true;
    *ret_number = errno;
    return false;
}

static enum sw_rc real_path_copy(void *ctx, const char *from, const char *to, struct sw_err *err)
{
    struct stat status;
    int source, target = -1, number = 0;
    bool is_good;

    (void)ctx;
    source = open(from, O_RDONLY | O_CLOEXEC);
    if (source < 0 || fstat(source, &status) != 0)
        number = errno;
    else
        target = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, status.st_mode & 0700);
    is_good = target >= 0 && copy_bytes(source, target, &number);
    if (target < 0 && number == 0)
        number = errno;
    if (source >= 0)
        (void)close(source);
    if (target >= 0)
        (void)close(target);
    if (is_good)
        return SW_OK;
    if (target >= 0)
        (void)unlink(to);
    return sw_err_errno(err, number, "copy %s to %s", from, to);
}

/* Make one folder; one that is there already is as good. */
static enum sw_rc make_one(const char *path, struct sw_err *err)
{
    struct stat status;
    int number;

    if (mkdir(path, 0700) == 0)
        return SW_OK;
    number = errno;
    if (number == EEXIST && stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return SW_OK;
    return sw_err_errno(err, number, "make folder %s", path);
}

static enum sw_rc real_folder_make(void *ctx, const char *path, struct sw_err *err)
{
    char part[SW_PATH_MAX];
    size_t size = strlen(path);

    (void)ctx;
    if (size == 0 || size >= sizeof part)
        return sw_err_set(err, SW_E_INVALID, "make folder: the path is empty or too long");
    memcpy(part, path, size + 1);
    for (size_t i = 1; i < size; i++) {
        if (part[i] != '/' || part[i - 1] == '/')
            continue;
        part[i] = '\0';
        enum sw_rc rc = make_one(part, err);
        if (rc != SW_OK)
            return rc;
        part[i] = '/';
    }
    return make_one(part, err);
}

static enum sw_rc real_folder_sync(void *ctx, const char *path, struct sw_err *err)
{
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int number;

    (void)ctx;
    if (folder < 0)
        return sw_err_errno(err, errno, "sync folder %s", path);
    number = fsync(folder) == 0 ? 0 : errno;
    (void)close(folder);
    return number == 0 ? SW_OK : sw_err_errno(err, number, "sync folder %s", path);
}

static enum sw_rc real_folder_list(void *ctx, const char *path, sw_folder_visit *visit,
                                   void *visit_ctx, struct sw_err *err)
{
    DIR *folder = opendir(path);
    int number;

    (void)ctx;
    if (folder == NULL)
        return sw_err_errno(err, errno, "list %s", path);
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        number = errno;
        if (entry == NULL)
            break;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (!visit(visit_ctx, entry->d_name))
            break;
    }
    (void)closedir(folder);
    return number == 0 ? SW_OK : sw_err_errno(err, number, "list %s", path);
}

const struct sw_system *sw_system_real(void)
{
    static const struct sw_system real = {
        .utc_ns = real_utc_ns,
        .monotonic_ns = real_monotonic_ns,
        .random = real_random,
        .file_open = real_file_open,
        .file_close = real_file_close,
        .file_read = real_file_read,
        .file_read_now = real_file_read_now,
        .file_write = real_file_write,
        .file_sync = real_file_sync,
        .file_truncate = real_file_truncate,
        .file_lock = real_file_lock,
        .file_allocate = real_file_allocate,
        .file_written_end = real_file_written_end,
        .path_view = real_path_view,
        .path_rename = real_path_rename,
        .path_remove = real_path_remove,
        .path_copy = real_path_copy,
        .folder_make = real_folder_make,
        .folder_sync = real_folder_sync,
        .folder_list = real_folder_list,
    };

    return &real;
}

enum sw_rc sw_system_program(const char *name, char ret_path[SW_PATH_MAX], struct sw_err *err)
{
    char own[SW_PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", own, sizeof own - 1);
    char *slash;

    if (size < 0)
        return sw_err_set(err, SW_E_UNSUPPORTED, "/proc is not mounted");
    own[size] = '\0';
    for (int i = 0; i < 2; i++)
        if ((slash = strrchr(own, '/')) != NULL)
            *slash = '\0';
    if (snprintf(ret_path, SW_PATH_MAX, "%s/libexec/%s", own, name) >= SW_PATH_MAX)
        return sw_err_set(err, SW_E_INVALID, "the path of this program is too long");
    return SW_OK;
}
