/* swarm-unpack FOLDER BYTES FILES: the gzip-compressed archive on standard input becomes the files
 * below an empty folder. Its last act is one line on standard output if it fails. Started by swarmd
 * only; the archive is a stranger's, so it enters its sandbox first. */
#include "pkg/agent/image/untar.h"
#include "pkg/agent/sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define GZIP_WINDOW (16 + MAX_WBITS)
#define PIECE 65536u

struct unpacking {
    struct sw_untar untar;
    int file; /* That is written; -1: none. */
};

static enum sw_rc fail(struct sw_err *err, const char *path)
{
    return sw_err_errno(err, errno, "%s of the image", path);
}

/* The folders that lead to it, which an archive need not name. */
static enum sw_rc parents_make(const char *path, struct sw_err *err)
{
    char part[SW_UNTAR_PATH_MAX + 2];

    for (const char *at = strchr(path, '/'); at != NULL; at = strchr(at + 1, '/')) {
        (void)snprintf(part, sizeof part, "%.*s", (int)(at - path), path);
        if (mkdir(part, 0755) != 0 && errno != EEXIST)
            return fail(err, part);
    }
    return SW_OK;
}

static enum sw_rc on_entry(void *ctx, const struct sw_untar_entry *entry, struct sw_err *err)
{
    struct unpacking *unpacking = ctx;
    enum sw_rc rc = parents_make(entry->path, err);

    if (rc != SW_OK)
        return rc;
    if (entry->is_folder)
        return mkdir(entry->path, 0755) == 0 || errno == EEXIST ? SW_OK : fail(err, entry->path);
    unpacking->file = open(entry->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                           entry->is_program ? 0755 : 0644);
    return unpacking->file >= 0 ? SW_OK : fail(err, entry->path);
}

static enum sw_rc on_data(void *ctx, struct sw_bytes bytes, struct sw_err *err)
{
    const struct unpacking *unpacking = ctx;
    const char *at = bytes.data;

    for (size_t left = bytes.size; left > 0;) {
        ssize_t size = write(unpacking->file, at, left);

        if (size < 0 && errno != EINTR)
            return fail(err, "a file");
        at += size < 0 ? 0 : size;
        left -= size < 0 ? 0 : (size_t)size;
    }
    return SW_OK;
}

static enum sw_rc on_end(void *ctx, struct sw_err *err)
{
    struct unpacking *unpacking = ctx;
    int file = unpacking->file;

    unpacking->file = -1;
    return close(file) == 0 ? SW_OK : fail(err, "a file");
}

/* As much as there is in the piece of input; *ret_has_ended with the end of the compressed stream.
 */
static enum sw_rc inflate_piece(struct unpacking *unpacking, z_stream *stream, bool *ret_has_ended,
                                struct sw_err *err)
{
    static uint8_t out[PIECE];
    enum sw_rc rc = SW_OK;
    int code = Z_OK;

    do {
        stream->next_out = out;
        stream->avail_out = sizeof out;
        code = inflate(stream, Z_NO_FLUSH);
        if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
            return sw_err_set(err, SW_E_INVALID, "the image is damaged, or not compressed by gzip");
        rc = sw_untar_add(&unpacking->untar, (struct sw_bytes){out, sizeof out - stream->avail_out},
                          err);
    } while (rc == SW_OK && code == Z_OK && stream->avail_out == 0);
    *ret_has_ended = code == Z_STREAM_END;
    return rc;
}

static enum sw_rc unpack(struct unpacking *unpacking, z_stream *stream, struct sw_err *err)
{
    static uint8_t in[PIECE];
    bool has_ended = false;
    enum sw_rc rc = SW_OK;

    while (rc == SW_OK && !has_ended) {
        ssize_t size = read(STDIN_FILENO, in, sizeof in);

        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return sw_err_set(err, SW_E_INVALID, "the image is cut");
        stream->next_in = in;
        stream->avail_in = (unsigned)size;
        rc = inflate_piece(unpacking, stream, &has_ended, err);
    }
    return rc == SW_OK ? sw_untar_finish(&unpacking->untar, err) : rc;
}

static enum sw_rc run(char **argv, struct sw_err *err)
{
    const struct sw_sandbox_options sandbox = {.profile = SW_SANDBOX_HOST, .folder = argv[1]};
    static struct unpacking unpacking = {.file = -1};
    const struct sw_untar_options options = {.bytes_max = strtoull(argv[2], NULL, 10),
                                             .files_max = strtoull(argv[3], NULL, 10),
                                             .ctx = &unpacking,
                                             .entry = on_entry,
                                             .data = on_data,
                                             .end = on_end};
    z_stream stream = {0};
    struct sw_sandbox_view view;
    enum sw_rc rc;

    (void)umask(022);
    if (chdir(argv[1]) != 0 || chmod(".", 0755) != 0)
        return fail(err, argv[1]);
    rc = sw_sandbox_enter(&sandbox, &view, err);
    if (rc == SW_OK && inflateInit2(&stream, GZIP_WINDOW) != Z_OK)
        rc = sw_err_set(err, SW_E_EXHAUSTED, "no memory to unpack an image");
    sw_untar_init(&unpacking.untar, &options);
    if (rc == SW_OK)
        rc = unpack(&unpacking, &stream, err);
    (void)inflateEnd(&stream);
    return rc;
}

int main(int argc, char **argv)
{
    struct sw_err err = {0};

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (argc != 4) {
        (void)dprintf(STDERR_FILENO, "swarm-unpack: started by swarmd, not by people\n");
        return 1;
    }
    if (run(argv, &err) == SW_OK)
        return 0;
    (void)dprintf(STDOUT_FILENO, "%s%s%s", err.message, err.hint[0] == '\0' ? "" : "; ", err.hint);
    return 1;
}
