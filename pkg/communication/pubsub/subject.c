#include "pkg/communication/pubsub/subject.h"

#include "pkg/utils/base/text.h"

#include <assert.h>
#include <string.h>

static bool token_is_plain(const char *token, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)token[i];
        if (byte <= ' ' || byte == 127 || byte == '*' || byte == '>')
            return false;
    }
    return size > 0;
}

static bool check(struct sw_bytes text, bool is_pattern)
{
    const char *at = text.data, *end;
    unsigned tokens = 0;

    if (text.size == 0 || text.size > SW_SUBJECT_BYTES_MAX || !sw_text_is_utf8(at, text.size))
        return false;
    end = at + text.size;
    for (;;) {
        const char *dot = memchr(at, '.', (size_t)(end - at));
        size_t size = (size_t)((dot == NULL ? end : dot) - at);
        bool is_wild = is_pattern && size == 1 && (*at == '*' || (*at == '>' && dot == NULL));

        if (++tokens > SW_SUBJECT_TOKENS_MAX || !(is_wild || token_is_plain(at, size)))
            return false;
        if (dot == NULL)
            return true;
        at = dot + 1;
    }
}

bool sw_subject_is_valid(struct sw_bytes subject)
{
    return check(subject, false);
}

bool sw_subject_is_pattern(struct sw_bytes pattern)
{
    return check(pattern, true);
}

/* Cut the first token off; false when nothing is left. */
static bool next_token(struct sw_bytes *rest, struct sw_bytes *ret_token)
{
    const char *start = rest->data;
    const char *dot;

    if (start == NULL)
        return false;
    dot = memchr(start, '.', rest->size);
    ret_token->data = start;
    ret_token->size = dot == NULL ? rest->size : (size_t)(dot - start);
    rest->data = dot == NULL ? NULL : dot + 1;
    rest->size = dot == NULL ? 0 : rest->size - ret_token->size - 1;
    return true;
}

bool sw_subject_matches(struct sw_bytes pattern, struct sw_bytes subject)
{
    struct sw_bytes wanted, token;

    while (next_token(&pattern, &wanted)) {
        const char *text = wanted.data;

        if (!next_token(&subject, &token))
            return false;
        if (wanted.size == 1 && *text == '>')
            return true;
        if (wanted.size == 1 && *text == '*')
            continue;
        if (wanted.size != token.size || memcmp(wanted.data, token.data, token.size) != 0)
            return false;
    }
    return subject.data == NULL;
}
