#include "pkg/utils/errors/errors.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int http_status;
    const char *description;
} codes[] = {
    [0] = {"OK", 200, "It worked."},
    [1] = {"CANCELLED", 499, "The caller gave up before an answer was there."},
    [2] = {"UNKNOWN", 500, "A peer failed without saying why."},
    [3] = {"INVALID_ARGUMENT", 400, "The request is wrong in itself; correct it."},
    [4] = {"DEADLINE_EXCEEDED", 504, "No answer in time; the outcome may be unknown."},
    [5] = {"NOT_FOUND", 404, "There is no such thing."},
    [6] = {"ALREADY_EXISTS", 409, "It is there already."},
    [7] = {"PERMISSION_DENIED", 403, "You are known, but not allowed to do this."},
    [8] = {"RESOURCE_EXHAUSTED", 429, "A limit, quota or queue is full; send less or later."},
    [9] = {"FAILED_PRECONDITION", 412, "The system is not in a state that allows this."},
    [10] = {"ABORTED", 409, "Somebody else changed it first; read again and retry."},
    [11] = {"OUT_OF_RANGE", 410, "That part of the history is no longer kept."},
    [12] = {"UNIMPLEMENTED", 501, "This server does not offer that."},
    [13] = {"INTERNAL", 500, "The server, or the agent that was asked, failed; logs say more."},
    [14] = {"UNAVAILABLE", 503, "Not now; try again later."},
    [15] = {"DATA_LOSS", 500, "Data is damaged or not in the promised format."},
    [16] = {"UNAUTHENTICATED", 401, "No acceptable client identity was shown."},
};
#define CODES_COUNT (sizeof codes / sizeof codes[0])

/* By table 3-7 of Unicode (RFC 3629). */
size_t sw_utf8_sequence(const char *text, size_t size_bytes)
{
    const unsigned char *at = (const unsigned char *)text;
    unsigned char lead = size_bytes == 0 ? 0 : at[0];
    size_t length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    unsigned char low = 0x80, high = 0xbf;

    if (lead == 0 || lead > 0xf4 || length == 0 || length > size_bytes)
        return 0;
    if (lead == 0xe0)
        low = 0xa0;
    if (lead == 0xed)
        high = 0x9f;
    if (lead == 0xf0)
        low = 0x90;
    if (lead == 0xf4)
        high = 0x8f;
    for (size_t i = 1; i < length; i++) {
        if (at[i] < low || at[i] > high)
            return 0;
        low = 0x80;
        high = 0xbf;
    }
    return length;
}

void sw_utf8_mend(char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        size_t size = sw_utf8_sequence(text, left);

        if (size == 0) {
            *text = '?';
            size = 1;
        }
        text += size;
        left -= size;
    }
}

static size_t code_index(enum sw_rc rc)
{
    int number = -(int)rc;

    return number >= 0 && (size_t)number < CODES_COUNT ? (size_t)number : 2;
}

/* Drop half a character at the end, which a cut leaves: these words go out as UTF-8. */
static void mend_end(char *text)
{
    size_t end = strlen(text), lead = end;

    while (lead > 0 && end - lead < 3 && ((unsigned char)text[lead - 1] & 0xc0) == 0x80)
        lead--;
    if (lead == 0)
        return;
    unsigned char first = (unsigned char)text[lead - 1];
    size_t wanted = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    if (end - (lead - 1) < wanted)
        text[lead - 1] = '\0';
}

SW_PRINTF(3, 0)
static void print(char *text, size_t size, const char *format, va_list arguments)
{
    if (vsnprintf(text, size, format, arguments) >= (int)size)
        mend_end(text);
    sw_utf8_mend(text);
}

enum sw_rc sw_err_vset(struct sw_err *err, enum sw_rc rc, const char *format, va_list arguments)
{
    if (err == NULL)
        return rc;
    err->rc = rc;
    err->field[0] = '\0';
    err->hint[0] = '\0';
    print(err->message, sizeof err->message, format, arguments);
    return rc;
}

enum sw_rc sw_err_set(struct sw_err *err, enum sw_rc rc, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)sw_err_vset(err, rc, format, arguments);
    va_end(arguments);
    return rc;
}

static enum sw_rc rc_of_errno(int number)
{
    switch (number) {
    case ENOENT:
        return SW_E_NOT_FOUND;
    case EEXIST:
        return SW_E_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS:
        return SW_E_DENIED;
    case ENOSPC:
    case EDQUOT:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
        return SW_E_EXHAUSTED;
    case ETIMEDOUT:
        return SW_E_TIMEOUT;
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case EAGAIN:
        return SW_E_UNAVAILABLE;
    case EINVAL:
    case ENOTDIR:
    case EISDIR:
    case ENAMETOOLONG:
        return SW_E_INVALID;
    default:
        return SW_E_INTERNAL;
    }
}

enum sw_rc sw_err_errno(struct sw_err *err, int number, const char *format, ...)
{
    enum sw_rc rc = rc_of_errno(number);
    va_list arguments;
    size_t used;

    if (err == NULL)
        return rc;
    va_start(arguments, format);
    (void)sw_err_vset(err, rc, format, arguments);
    va_end(arguments);
    used = strlen(err->message);
    (void)snprintf(err->message + used, sizeof err->message - used, ": %s", strerror(number));
    return rc;
}

enum sw_rc sw_err_context(struct sw_err *err, const char *format, ...)
{
    char before[SW_ERR_MESSAGE_MAX];
    char after[SW_ERR_MESSAGE_MAX];
    va_list arguments;

    if (err == NULL)
        return SW_E_UNKNOWN;
    va_start(arguments, format);
    print(before, sizeof before, format, arguments);
    va_end(arguments);
    (void)memcpy(after, err->message, sizeof after);
    /* The cut is wanted: the context matters more than the tail of a long message. */
    if (snprintf(err->message, sizeof err->message, "%s: %s", before, after) < 0)
        err->message[0] = '\0';
    mend_end(err->message);
    return err->rc;
}

void sw_err_field(struct sw_err *err, const char *format, ...)
{
    va_list arguments;

    if (err == NULL)
        return;
    va_start(arguments, format);
    print(err->field, sizeof err->field, format, arguments);
    va_end(arguments);
}

void sw_err_hint(struct sw_err *err, const char *format, ...)
{
    va_list arguments;

    if (err == NULL)
        return;
    va_start(arguments, format);
    print(err->hint, sizeof err->hint, format, arguments);
    va_end(arguments);
}

const char *sw_rc_name(enum sw_rc rc)
{
    return codes[code_index(rc)].name;
}

const char *sw_rc_describe(enum sw_rc rc)
{
    return codes[code_index(rc)].description;
}

int sw_rc_http_status(enum sw_rc rc)
{
    return codes[code_index(rc)].http_status;
}
