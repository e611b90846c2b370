#include "pkg/agent/image/untar.h"

#include <stdio.h>

#define NAME_AT 0u
#define NAME_BYTES 100u
#define MODE_AT 100u
#define MODE_BYTES 8u
#define SIZE_AT 124u
#define SIZE_BYTES 12u
#define SUM_AT 148u
#define SUM_BYTES 8u
#define KIND_AT 156u
#define MAGIC_AT 257u
#define PREFIX_AT 345u
#define PREFIX_BYTES 155u
#define OWNER_RUNS 0100u

void sw_untar_init(struct sw_untar *untar, const struct sw_untar_options *options)
{
    (void)memset(untar, 0, sizeof *untar);
    untar->options = *options;
}

/* Octal digits, with spaces before and a space or NUL behind. False: it is something else. */
static bool number_read(const uint8_t *at, size_t size, uint64_t *ret_number)
{
    uint64_t number = 0;
    size_t i = 0;

    while (i < size && at[i] == ' ')
        i++;
    for (; i < size && at[i] >= '0' && at[i] <= '7'; i++)
        number = number << 3 | (uint64_t)(at[i] - '0');
    for (size_t rest = i; rest < size; rest++)
        if (at[rest] != ' ' && at[rest] != '\0')
            return false;
    *ret_number = number;
    return true;
}

/* The sum of a header's bytes, its own field counted as spaces. */
static bool has_sum(const uint8_t *block)
{
    uint64_t wanted, sum = 0;

    for (size_t i = 0; i < SW_UNTAR_BLOCK; i++)
        sum += i >= SUM_AT && i < SUM_AT + SUM_BYTES ? (uint64_t)' ' : block[i];
    return number_read(block + SUM_AT, SUM_BYTES, &wanted) && sum == wanted;
}

static bool is_zero(const uint8_t *block)
{
    for (size_t i = 0; i < SW_UNTAR_BLOCK; i++)
        if (block[i] != 0)
            return false;
    return true;
}

static bool is_printable(const char *path)
{
    for (size_t left = strlen(path), size; left > 0; path += size, left -= size) {
        size = sw_utf8_sequence(path, left);
        if (size == 0 || (unsigned char)path[0] < ' ' || path[0] == 0x7f)
            return false;
    }
    return true;
}

/* Each component is a name that leads down. */
static bool is_path(const char *path)
{
    if (!is_printable(path))
        return false;
    for (const char *at = path;;) {
        size_t size = strcspn(at, "/");

        if (size == 0 || (size == 1 && at[0] == '.') || (size == 2 && strncmp(at, "..", 2) == 0))
            return false;
        if (at[size] == '\0')
            return true;
        at += size + 1;
    }
}

/* Prefix and name as one path, without "./" before and "/" behind; "" is the root itself. */
static enum sw_rc path_read(const uint8_t *block, char ret_path[SW_UNTAR_PATH_MAX + 2],
                            struct sw_err *err)
{
    size_t prefix = strnlen((const char *)block + PREFIX_AT, PREFIX_BYTES);
    size_t name = strnlen((const char *)block + NAME_AT, NAME_BYTES), size;
    char path[SW_UNTAR_PATH_MAX + 2];
    const char *begin = path;

    (void)snprintf(path, sizeof path, "%.*s%s%.*s", (int)prefix, (const char *)block + PREFIX_AT,
                   prefix > 0 ? "/" : "", (int)name, (const char *)block + NAME_AT);
    while (strncmp(begin, "./", 2) == 0)
        begin += 2;
    size = strlen(begin);
    if (size > 0 && begin[size - 1] == '/')
        path[(size_t)(begin - path) + --size] = '\0';
    if (strcmp(begin, ".") == 0)
        begin++;
    (void)memmove(ret_path, begin, strlen(begin) + 1);
    if (ret_path[0] == '\0' || (is_path(ret_path) && size <= SW_UNTAR_PATH_MAX))
        return SW_OK;
    sw_utf8_mend(ret_path);
    return sw_err_set(err, SW_E_INVALID, "the image has a path that leads elsewhere: %s", ret_path);
}

static enum sw_rc kind_read(uint8_t kind, const char *path, bool *ret_is_folder, struct sw_err *err)
{
    *ret_is_folder = kind == '5';
    if (kind == '5' || kind == '0' || kind == '\0')
        return SW_OK;
    (void)sw_err_set(err, SW_E_INVALID, "%s in the image is %s", path,
                     kind == '1' || kind == '2' ? "a link" : "neither a file nor a folder");
    sw_err_hint(err, "images hold folders and regular files: put a copy there instead");
    return SW_E_INVALID;
}

static enum sw_rc head_read(struct sw_untar *untar, struct sw_err *err)
{
    const uint8_t *block = untar->block;
    char path[SW_UNTAR_PATH_MAX + 2];
    struct sw_untar_entry entry = {.path = path};
    uint64_t mode;
    enum sw_rc rc;

    if (memcmp(block + MAGIC_AT, "ustar", 5) != 0 || !has_sum(block) ||
        !number_read(block + SIZE_AT, SIZE_BYTES, &entry.size_bytes) ||
        !number_read(block + MODE_AT, MODE_BYTES, &mode))
        return sw_err_set(err, SW_E_INVALID, "the image is damaged, or no ustar archive");
    rc = path_read(block, path, err);
    if (rc == SW_OK)
        rc = kind_read(block[KIND_AT], path, &entry.is_folder, err);
    if (rc != SW_OK)
        return rc;
    if (entry.is_folder)
        entry.size_bytes = 0;
    if (path[0] == '\0')
        return entry.is_folder ? SW_OK
                               : sw_err_set(err, SW_E_INVALID, "the image has a file with no name");
    if (++untar->files > untar->options.files_max ||
        entry.size_bytes > untar->options.bytes_max - untar->bytes)
        return sw_err_set(err, SW_E_EXHAUSTED, "the image has more than %llu files or %llu bytes",
                          (unsigned long long)untar->options.files_max,
                          (unsigned long long)untar->options.bytes_max);
    untar->bytes += entry.size_bytes;
    untar->left = entry.size_bytes;
    untar->padding = (SW_UNTAR_BLOCK - entry.size_bytes % SW_UNTAR_BLOCK) % SW_UNTAR_BLOCK;
    entry.is_program = (mode & OWNER_RUNS) != 0;
    rc = untar->options.entry(untar->options.ctx, &entry, err);
    if (rc == SW_OK && !entry.is_folder && entry.size_bytes == 0)
        rc = untar->options.end(untar->options.ctx, err);
    return rc;
}

static enum sw_rc data_take(struct sw_untar *untar, struct sw_bytes *bytes, struct sw_err *err)
{
    size_t size = bytes->size < untar->left ? bytes->size : (size_t)untar->left;
    enum sw_rc rc =
        untar->options.data(untar->options.ctx, (struct sw_bytes){bytes->data, size}, err);

    untar->left -= size;
    *bytes = (struct sw_bytes){(const uint8_t *)bytes->data + size, bytes->size - size};
    return rc == SW_OK && untar->left == 0 ? untar->options.end(untar->options.ctx, err) : rc;
}

static enum sw_rc block_take(struct sw_untar *untar, struct sw_bytes *bytes, struct sw_err *err)
{
    size_t room = SW_UNTAR_BLOCK - untar->filled;
    size_t size = bytes->size < room ? bytes->size : room;

    (void)memcpy(untar->block + untar->filled, bytes->data, size);
    untar->filled += size;
    *bytes = (struct sw_bytes){(const uint8_t *)bytes->data + size, bytes->size - size};
    if (untar->filled < SW_UNTAR_BLOCK)
        return SW_OK;
    untar->filled = 0;
    untar->has_ended = is_zero(untar->block);
    return untar->has_ended ? SW_OK : head_read(untar, err);
}

enum sw_rc sw_untar_add(struct sw_untar *untar, struct sw_bytes bytes, struct sw_err *err)
{
    enum sw_rc rc = SW_OK;

    while (rc == SW_OK && bytes.size > 0 && !untar->has_ended) {
        size_t skip = bytes.size < untar->padding ? bytes.size : (size_t)untar->padding;

        if (untar->left > 0) {
            rc = data_take(untar, &bytes, err);
        } else if (skip > 0) {
            untar->padding -= skip;
            bytes = (struct sw_bytes){(const uint8_t *)bytes.data + skip, bytes.size - skip};
        } else {
            rc = block_take(untar, &bytes, err);
        }
    }
    return rc;
}

enum sw_rc sw_untar_finish(const struct sw_untar *untar, struct sw_err *err)
{
    return untar->has_ended ? SW_OK : sw_err_set(err, SW_E_INVALID, "the image is cut");
}
