#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pkg/store/backend.h"
#include "pkg/utils/base/text.h"

/* A token is base64 of "1 REVISION KEY". Clients treat it as opaque; whoever alters one merely asks
 * to go on from another key, which the list checks against its prefix. */
enum sw_rc sw_store_token_print(uint64_t revision, const char *after,
                                char ret_token[SW_STORE_TOKEN_MAX])
{
    char plain[SW_STORE_KEY_MAX + 32];
    struct sw_buffer encoded;

    int size = snprintf(plain, sizeof(plain), "1 %" PRIu64 " %s", revision, after);
    assert(size > 0 && (size_t)size < sizeof(plain));
    sw_buffer_init(&encoded, SW_STORE_TOKEN_MAX);
    sw_base64_encode(plain, (size_t)size, &encoded);
    sw_buffer_put_u8(&encoded, '\0');
    enum sw_rc rc = sw_buffer_check(&encoded);
    if (rc == SW_OK)
        memcpy(ret_token, encoded.data, encoded.size);
    sw_buffer_done(&encoded);
    return rc;
}

static enum sw_rc token_refused(struct sw_err *err)
{
    sw_err_set(err, SW_E_INVALID, "the continue token is not one that this store gave out");
    sw_err_hint(err, "list again without it");
    return SW_E_INVALID;
}

static enum sw_rc split_plain(char *plain, uint64_t *ret_revision, const char **ret_after)
{
    if (plain[0] != '1' || plain[1] != ' ')
        return SW_E_INVALID;
    char *end = strchr(plain + 2, ' ');
    if (end == NULL)
        return SW_E_INVALID;
    *end = '\0';
    *ret_after = end + 1;
    if (!sw_store_key_is_valid(*ret_after))
        return SW_E_INVALID;
    return sw_text_to_u64(plain + 2, ret_revision);
}

enum sw_rc sw_store_token_parse(const char *token, uint64_t *ret_revision,
                                char ret_after[SW_STORE_KEY_MAX + 1], struct sw_err *err)
{
    struct sw_buffer plain;
    const char *after = NULL;
    uint64_t revision = 0;
    size_t size = strlen(token);
    enum sw_rc rc = SW_E_INVALID;

    if (size == 0 || size >= SW_STORE_TOKEN_MAX)
        return token_refused(err);
    sw_buffer_init(&plain, SW_STORE_TOKEN_MAX);
    rc = sw_base64_decode(token, size, &plain);
    sw_buffer_put_u8(&plain, '\0');
    if (rc == SW_OK && sw_buffer_check(&plain) == SW_OK)
        rc = split_plain((char *)plain.data, &revision, &after);
    if (rc == SW_OK) {
        *ret_revision = revision;
        memcpy(ret_after, after, strlen(after) + 1);
    }
    sw_buffer_done(&plain);
    return rc == SW_OK ? SW_OK : token_refused(err);
}
