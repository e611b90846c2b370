/* The seam between Swarm and the machine: clock, randomness, files and processes in one vtable.
 *
 * Everything below cmd/ reaches the machine through a struct sw_system handed to it (sockets and
 * threads of the event loop: pkg/utils/loop), so that the simulator can replace exactly this.
 * Threads: a system may be used from any thread.  I/O: all of it.
 * Limits: paths are at most SW_PATH_MAX bytes. */
#pragma once
#include "pkg/utils/base/buffer.h"

#define SW_PATH_MAX 4096

enum sw_file_mode {
    SW_FILE_READ = 1u << 0,
    SW_FILE_WRITE = 1u << 1,
    SW_FILE_CREATE = 1u << 2,    /* Mode 0600. */
    SW_FILE_EXCLUSIVE = 1u << 3, /* With CREATE: SW_E_EXISTS if it is there. */
    SW_FILE_TRUNCATE = 1u << 4,
    SW_FILE_PROGRAM = 1u << 5, /* With CREATE: mode 0700. */
    SW_FILE_EXACT = 1u << 6    /* Nothing is read ahead: that would count as written. */
};

struct sw_file_view { /* What stat says. */
    uint64_t size_bytes;
    uint64_t modified_ns; /* UTC. */
    bool is_folder, is_regular;
    bool is_link; /* The path itself is a symbolic link; the rest speaks of what it leads to. */
};

/* Called once per entry of a folder, without "." and ".."; false stops the listing. */
typedef bool sw_folder_visit(void *ctx, const char *name);

/* A file is a small number that the system gave out. Every call may be made from any thread; none
 * is interrupted by signals; reads and writes are whole or fail. */
struct sw_system {
    void *ctx; /* First argument of every call. */

    uint64_t (*utc_ns)(void *ctx);
    uint64_t (*monotonic_ns)(void *ctx);
    void (*random)(void *ctx, void *ret_bytes, size_t size_bytes); /* Cryptographically strong. */

    enum sw_rc (*file_open)(void *ctx, const char *path, unsigned mode, int *ret_file,
                            struct sw_err *err);
    void (*file_close)(void *ctx, int file);
    /* Reads up to size bytes; *ret_size is less only at the end of the file. */
    enum sw_rc (*file_read)(void *ctx, int file, uint64_t offset, void *ret_bytes, size_t size,
                            size_t *ret_size, struct sw_err *err);
    /* The same, if none of the bytes has to be waited for.  SW_E_UNAVAILABLE: some have. */
    enum sw_rc (*file_read_now)(void *ctx, int file, uint64_t offset, void *ret_bytes, size_t size,
                                size_t *ret_size, struct sw_err *err);
    /* Where the bytes end that were ever written, as far as the file system knows: what follows, up
     * to the size, is room that was reserved, all zeros. Reading makes it know less, so ask first.
     */
    enum sw_rc (*file_written_end)(void *ctx, int file, uint64_t *ret_offset, struct sw_err *err);
    enum sw_rc (*file_write)(void *ctx, int file, uint64_t offset, const void *bytes, size_t size,
                             struct sw_err *err);
    /* Durable when it returns: data and the size of the file. */
    enum sw_rc (*file_sync)(void *ctx, int file, struct sw_err *err);
    enum sw_rc (*file_truncate)(void *ctx, int file, uint64_t size, struct sw_err *err);
    /* Have a file that was opened by this path for oneself, until it is closed.
     * SW_E_UNAVAILABLE: another one has it, or the path is not that file's any more. */
    enum sw_rc (*file_lock)(void *ctx, int file, const char *path, struct sw_err *err);
    /* Reserve blocks and extend the size with zeros, so that later syncs move no metadata. */
    enum sw_rc (*file_allocate)(void *ctx, int file, uint64_t size, struct sw_err *err);

    enum sw_rc (*path_view)(void *ctx, const char *path, struct sw_file_view *ret_view,
                            struct sw_err *err);
    enum sw_rc (*path_rename)(void *ctx, const char *from, const char *to, struct sw_err *err);
    /* A file, a link, or an empty folder. */
    enum sw_rc (*path_remove)(void *ctx, const char *path, struct sw_err *err);
    /* `to`, which is not there, becomes a synced copy with the mode that the owner has; its blocks
     * are shared until one of the two changes, where the file system can do that. */
    enum sw_rc (*path_copy)(void *ctx, const char *from, const char *to, struct sw_err *err);
    enum sw_rc (*folder_make)(void *ctx, const char *path,
                              struct sw_err *err); /* 0700; parents too. */
    enum sw_rc (*folder_sync)(void *ctx, const char *path, struct sw_err *err); /* Names durable. */
    enum sw_rc (*folder_list)(void *ctx, const char *path, sw_folder_visit *visit, void *visit_ctx,
                              struct sw_err *err);
};

/* The machine itself. Static; nothing to free. Only cmd/ and tests call this. */
const struct sw_system *sw_system_real(void);

/* Where a program of the same installation is: BIN/../libexec/NAME, BIN being the folder of the
 * running program. Only cmd/, pkg/cli and tests call this.
 * SW_E_UNSUPPORTED: /proc is not mounted.  SW_E_INVALID: the path is too long. */
SW_MUST_CHECK enum sw_rc sw_system_program(const char *name, char ret_path[SW_PATH_MAX],
                                           struct sw_err *err);

/* Read a whole file of at most size_max bytes into out (appended).
 * SW_E_RANGE: it is larger. Other errors as file_open and file_read. */
SW_MUST_CHECK enum sw_rc sw_file_load(const struct sw_system *system, const char *path,
                                      size_t size_max, struct sw_buffer *out, struct sw_err *err);
/* Replace a file so that after a crash it has either the old content or all of the new: write a
 * neighbour, sync it, rename it, sync the folder. Mode 0600. */
SW_MUST_CHECK enum sw_rc sw_file_save(const struct sw_system *system, const char *path,
                                      const void *bytes, size_t size_bytes, struct sw_err *err);
