/* Continue tokens, which clients hand back. */
/* uses: pkg/store */
/* covers: pkg/store/token.c */
#include "pkg/store/backend.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken is a valid place, and says the same when it is printed and read again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    char after[SW_STORE_KEY_MAX + 1], again[SW_STORE_KEY_MAX + 1], token[SW_STORE_TOKEN_MAX];
    uint64_t revision = 0, same = 0;
    struct sw_err err = {0};

    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    enum sw_rc rc = sw_store_token_parse(text, &revision, after, &err);
    free(text);
    if (rc != SW_OK) {
        if (rc != SW_E_INVALID || err.hint[0] == '\0')
            abort();
        return 0;
    }
    if (!sw_store_key_is_valid(after) || sw_store_token_print(revision, after, token) != SW_OK ||
        sw_store_token_parse(token, &same, again, &err) != SW_OK || same != revision ||
        strcmp(after, again) != 0)
        abort();
    return 0;
}
