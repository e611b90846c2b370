#include "pkg/agent/image/tar.h"

#include "pkg/agent/image/untar.h"

#include <inttypes.h>
#include <stdio.h>

#define NAME_BYTES 100u
#define PREFIX_BYTES 155u
#define SIZE_MAX_OCTAL UINT64_C(077777777777)

/* Where the path is cut in two: the slash goes. NULL: it fits as a name. */
static const char *cut_of(const char *path, size_t size)
{
    for (const char *at = strchr(path, '/'); at != NULL; at = strchr(at + 1, '/'))
        if (size - (size_t)(at - path) - 1 <= NAME_BYTES && (size_t)(at - path) <= PREFIX_BYTES)
            return at;
    return NULL;
}

enum sw_rc sw_tar_put_file(struct sw_buffer *out, const char *path, uint64_t size_bytes,
                           bool is_program, struct sw_err *err)
{
    char block[SW_UNTAR_BLOCK] = {0}, number[24];
    size_t size = strlen(path);
    const char *cut = size > NAME_BYTES ? cut_of(path, size) : NULL;
    unsigned sum = 0;

    if ((size > NAME_BYTES && cut == NULL) || size > SW_UNTAR_PATH_MAX ||
        size_bytes > SIZE_MAX_OCTAL)
        return sw_err_set(err, SW_E_INVALID, "%s: too long a path, or too large, for an image",
                          path);
    if (cut != NULL) {
        memcpy(block + 345, path, (size_t)(cut - path));
        size -= (size_t)(cut - path) + 1;
        path = cut + 1;
    }
    memcpy(block, path, size);
    memcpy(block + 100, is_program ? "0000755" : "0000644", 7);
    memcpy(block + 108, "0000000", 7);
    memcpy(block + 116, "0000000", 7);
    (void)snprintf(number, sizeof number, "%011" PRIo64, size_bytes);
    memcpy(block + 124, number, 11);
    memcpy(block + 136, "00000000000", 11);
    memset(block + 148, ' ', 8);
    block[156] = '0';
    memcpy(block + 257, "ustar", 5);
    memcpy(block + 263, "00", 2);
    for (size_t i = 0; i < sizeof block; i++)
        sum += (unsigned char)block[i];
    (void)snprintf(number, sizeof number, "%06o", sum);
    memcpy(block + 148, number, 7);
    sw_buffer_put(out, block, sizeof block);
    return SW_OK;
}

void sw_tar_put_padding(struct sw_buffer *out, uint64_t size_bytes)
{
    static const char zeros[SW_UNTAR_BLOCK];

    sw_buffer_put(out, zeros, (SW_UNTAR_BLOCK - size_bytes % SW_UNTAR_BLOCK) % SW_UNTAR_BLOCK);
}

void sw_tar_put_end(struct sw_buffer *out)
{
    static const char zeros[2 * SW_UNTAR_BLOCK];

    sw_buffer_put(out, zeros, sizeof zeros);
}
