/* Read an image: a tar archive as POSIX ustar has it, of folders and regular files.
 *
 * What it says is a stranger's. A path is relative, at most SW_UNTAR_PATH_MAX bytes, with no "..",
 * empty or hidden-by-a-dot component and nothing that is not printable UTF-8; links, devices and
 * extensions of other tars are refused. What is told has passed all of that.
 * Threads: one at a time.  I/O: none.  Limits: those of the options. */
#pragma once
#include "pkg/utils/base/buffer.h"

#define SW_UNTAR_PATH_MAX 255u
#define SW_UNTAR_BLOCK 512u

struct sw_untar_entry { /* Borrowed for the call. */
    const char *path;   /* "app/main.py" */
    uint64_t size_bytes;
    bool is_folder, is_program; /* Its owner may run it. */
};

struct sw_untar_options {
    uint64_t bytes_max; /* Of all files together. */
    uint64_t files_max; /* And folders. */
    void *ctx;
    /* The next one; its bytes follow, in pieces. */
    enum sw_rc (*entry)(void *ctx, const struct sw_untar_entry *entry, struct sw_err *err);
    enum sw_rc (*data)(void *ctx, struct sw_bytes bytes, struct sw_err *err);
    /* The last of the entry's bytes have come; not for folders. */
    enum sw_rc (*end)(void *ctx, struct sw_err *err);
};

struct sw_untar { /* Its fields are its own. */
    struct sw_untar_options options;
    uint8_t block[SW_UNTAR_BLOCK];
    size_t filled;          /* Of the block. */
    uint64_t left, padding; /* Of the file that is read, and behind it. */
    uint64_t bytes, files;
    bool has_ended; /* By the zeros that an archive ends with. */
};

void sw_untar_init(struct sw_untar *untar, const struct sw_untar_options *options);
/* Take the next bytes of the archive.
 * SW_E_INVALID    it is no such archive, or has what is not taken: words name it
 * SW_E_EXHAUSTED  it has more files or bytes than it may
 * others          what a callback returned; nothing more may be added after any */
SW_MUST_CHECK enum sw_rc sw_untar_add(struct sw_untar *untar, struct sw_bytes bytes,
                                      struct sw_err *err);
/* All bytes were added.  SW_E_INVALID: it is cut. */
SW_MUST_CHECK enum sw_rc sw_untar_finish(const struct sw_untar *untar, struct sw_err *err);
