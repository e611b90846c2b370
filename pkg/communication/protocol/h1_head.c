#include "pkg/communication/protocol/h1_head.h"

#include <string.h>
#include <strings.h>

struct head_counts { /* Of the headers that decide where the body ends. */
    int hosts, lengths, codings;
    bool is_10;
};

size_t sw_h1_head_end(struct sw_bytes bytes, size_t from, bool *ret_is_bad)
{
    const unsigned char *data = bytes.data;

    *ret_is_bad = false;
    for (size_t i = from; i < bytes.size; i++) {
        if (data[i] != '\n')
            continue;
        if (i == 0 || data[i - 1] != '\r') {
            *ret_is_bad = true;
            return 0;
        }
        if (i >= 3 && data[i - 2] == '\n')
            return i + 1;
    }
    return 0;
}

/* The characters of a token (RFC 9110, section 5.6.2). */
static bool is_token_char(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(struct sw_bytes text)
{
    const unsigned char *data = text.data;

    for (size_t i = 0; i < text.size; i++)
        if (!is_token_char(data[i]))
            return false;
    return text.size > 0;
}

/* Take the bytes before the next `end` off *rest, and `end` too. */
static bool take_until(struct sw_bytes *rest, char end, struct sw_bytes *ret_part)
{
    const char *at = rest->size == 0 ? NULL : memchr(rest->data, end, rest->size);
    size_t size;

    if (at == NULL)
        return false;
    size = (size_t)(at - (const char *)rest->data);
    *ret_part = (struct sw_bytes){.data = rest->data, .size = size};
    rest->data = at + 1;
    rest->size -= size + 1;
    return true;
}

/* Take one line without its CRLF. Line ends have been checked to be CRLF. */
static bool take_line(struct sw_bytes *rest, struct sw_bytes *ret_line)
{
    if (!take_until(rest, '\n', ret_line))
        return false;
    ret_line->size--;
    return true;
}

static bool is_text(struct sw_bytes bytes, const char *text)
{
    return bytes.size == strlen(text) && strncasecmp(bytes.data, text, bytes.size) == 0;
}

static const char *check_request_line(struct sw_bytes line, struct head_counts *counts)
{
    struct sw_bytes method, target;

    if (!take_until(&line, ' ', &method) || !is_token(method))
        return "the request line does not begin with a method and one space";
    if (!take_until(&line, ' ', &target) || target.size == 0)
        return "the request line lacks a target or a version";
    for (size_t i = 0; i < target.size; i++) {
        unsigned char c = ((const unsigned char *)target.data)[i];

        if (c <= ' ' || c >= 0x7f || c == '#')
            return "the target holds a byte that must be escaped";
    }
    counts->is_10 = line.size == 8 && memcmp(line.data, "HTTP/1.0", 8) == 0;
    if (!counts->is_10 && (line.size != 8 || memcmp(line.data, "HTTP/1.1", 8) != 0))
        return "the version is neither HTTP/1.1 nor HTTP/1.0";
    return NULL;
}

static struct sw_bytes trim(struct sw_bytes value)
{
    const char *data = value.data;
    size_t size = value.size;

    while (size > 0 && (*data == ' ' || *data == '\t')) {
        data++;
        size--;
    }
    while (size > 0 && (data[size - 1] == ' ' || data[size - 1] == '\t'))
        size--;
    return (struct sw_bytes){.data = data, .size = size};
}

static bool is_number(struct sw_bytes value)
{
    const char *data = value.data;

    for (size_t i = 0; i < value.size; i++)
        if (data[i] < '0' || data[i] > '9')
            return false;
    return value.size > 0 && value.size <= 19;
}

static const char *check_header(struct sw_bytes line, struct head_counts *counts)
{
    const unsigned char *data = line.data;
    struct sw_bytes name;

    if (data[0] == ' ' || data[0] == '\t')
        return "a header is folded over two lines";
    if (!take_until(&line, ':', &name) || !is_token(name))
        return "a header's name is not a token followed by ':'";
    for (size_t i = 0; i < line.size; i++) {
        unsigned char c = ((const unsigned char *)line.data)[i];

        if ((c < ' ' && c != '\t') || c == 0x7f)
            return "a header's value holds a control byte";
    }
    line = trim(line);
    if (is_text(name, "host"))
        counts->hosts++;
    if (is_text(name, "content-length")) {
        counts->lengths++;
        if (!is_number(line))
            return "Content-Length is not a number";
    }
    if (is_text(name, "transfer-encoding")) {
        counts->codings++;
        if (!is_text(line, "chunked"))
            return "the only transfer coding offered is chunked";
    }
    return NULL;
}

const char *sw_h1_head_check(struct sw_bytes head)
{
    struct head_counts counts = {0};
    struct sw_bytes line;
    const char *fault;

    if (!take_line(&head, &line))
        return "there is no request line";
    fault = check_request_line(line, &counts);
    while (fault == NULL && take_line(&head, &line) && line.size > 0)
        fault = check_header(line, &counts);
    if (fault != NULL)
        return fault;
    if (counts.hosts > 1 || (counts.hosts == 0 && !counts.is_10))
        return "there must be exactly one Host";
    if (counts.lengths > 1)
        return "there are two lengths";
    if (counts.codings > 1 || (counts.codings == 1 && counts.lengths == 1))
        return "there is a length beside a transfer coding";
    if (counts.codings == 1 && counts.is_10)
        return "HTTP/1.0 has no transfer codings";
    return NULL;
}
