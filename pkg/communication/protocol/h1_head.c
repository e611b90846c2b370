#include "pkg/communication/protocol/h1_head.h"

#include <string.h>
#include <strings.h>

struct head_counts { /* Of the headers that decide where the body ends. */
    int hosts, lengths, codings;
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

/* "https://host/path", as to a proxy, stands for "/path" (RFC 9112, section 3.2.2). */
static bool take_origin(struct sw_bytes *target)
{
    static const char *const schemes[] = {"https://", "http://"};
    const char *data = target->data;
    const char *slash;

    if (data[0] == '/')
        return true;
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t size = strlen(schemes[i]);

        if (target->size <= size || strncasecmp(data, schemes[i], size) != 0)
            continue;
        slash = memchr(data + size, '/', target->size - size);
        if (slash == NULL || slash == data + size)
            return false;
        target->size -= (size_t)(slash - data);
        target->data = slash;
        return true;
    }
    return false;
}

static const char *parse_request_line(struct sw_bytes line, struct h1_head *head)
{
    if (!take_until(&line, ' ', &head->method) || !is_token(head->method))
        return "the request line does not begin with a method and one space";
    if (!take_until(&line, ' ', &head->target) || head->target.size == 0)
        return "the request line lacks a target or a version";
    for (size_t i = 0; i < head->target.size; i++) {
        unsigned char c = ((const unsigned char *)head->target.data)[i];

        if (c <= ' ' || c >= 0x7f || c == '#')
            return "the target holds a byte that must be escaped";
    }
    if (!take_origin(&head->target))
        return "the target is not a path";
    head->is_10 = line.size == 8 && memcmp(line.data, "HTTP/1.0", 8) == 0;
    if (!head->is_10 && (line.size != 8 || memcmp(line.data, "HTTP/1.1", 8) != 0))
        return "the version is neither HTTP/1.1 nor HTTP/1.0";
    head->is_keep_alive = !head->is_10;
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

static bool parse_number(struct sw_bytes value, uint64_t *ret_number)
{
    const char *data = value.data;

    *ret_number = 0;
    for (size_t i = 0; i < value.size; i++) {
        if (data[i] < '0' || data[i] > '9')
            return false;
        *ret_number = *ret_number * 10 + (uint64_t)(data[i] - '0');
    }
    return value.size > 0 && value.size <= 19;
}

/* One of the words between commas. */
static bool has_word(struct sw_bytes list, const char *word)
{
    struct sw_bytes part;

    while (take_until(&list, ',', &part))
        if (is_text(trim(part), word))
            return true;
    return is_text(trim(list), word);
}

/* The headers that are about the connection and the body. */
static const char *note_header(struct sw_bytes name, struct sw_bytes value, struct h1_head *head,
                               struct head_counts *counts)
{
    if (is_text(name, "host")) {
        counts->hosts++;
    } else if (is_text(name, "content-length")) {
        counts->lengths++;
        head->has_length = true;
        if (!parse_number(value, &head->length))
            return "Content-Length is not a number";
    } else if (is_text(name, "transfer-encoding")) {
        counts->codings++;
        head->is_chunked = true;
        if (!is_text(value, "chunked"))
            return "the only transfer coding offered is chunked";
    } else if (is_text(name, "connection") && has_word(value, "close")) {
        head->is_keep_alive = false;
    } else if (is_text(name, "expect") && is_text(value, "100-continue")) {
        head->expects_continue = !head->is_10;
    }
    return NULL;
}

static const char *split_header(struct sw_bytes line, struct sw_bytes *ret_name,
                                struct sw_bytes *ret_value)
{
    const unsigned char *data = line.data;

    if (data[0] == ' ' || data[0] == '\t')
        return "a header is folded over two lines";
    if (!take_until(&line, ':', ret_name) || !is_token(*ret_name))
        return "a header's name is not a token followed by ':'";
    for (size_t i = 0; i < line.size; i++) {
        unsigned char c = ((const unsigned char *)line.data)[i];

        if ((c < ' ' && c != '\t') || c == 0x7f)
            return "a header's value holds a control byte";
    }
    *ret_value = trim(line);
    return NULL;
}

static const char *check_counts(const struct h1_head *head, const struct head_counts *counts)
{
    if (counts->hosts > 1 || (counts->hosts == 0 && !head->is_10))
        return "there must be exactly one Host";
    if (counts->lengths > 1)
        return "there are two lengths";
    if (counts->codings > 1 || (counts->codings == 1 && counts->lengths == 1))
        return "there is a length beside a transfer coding";
    if (counts->codings == 1 && head->is_10)
        return "HTTP/1.0 has no transfer codings";
    return NULL;
}

const char *sw_h1_head_parse(struct sw_bytes head,
                             void (*on_header)(void *ctx, struct sw_bytes name,
                                               struct sw_bytes value),
                             void *ctx, struct h1_head *ret_head)
{
    struct head_counts counts = {0};
    struct sw_bytes line, name, value;
    const char *fault;

    *ret_head = (struct h1_head){0};
    if (!take_line(&head, &line))
        return "there is no request line";
    fault = parse_request_line(line, ret_head);
    while (fault == NULL && take_line(&head, &line) && line.size > 0) {
        fault = split_header(line, &name, &value);
        if (fault == NULL)
            fault = note_header(name, value, ret_head, &counts);
        if (fault == NULL)
            on_header(ctx, name, value);
    }
    return fault == NULL ? check_counts(ret_head, &counts) : fault;
}

/* ---- Chunks ----
 *
 *   SIZE -> [EXTENSION] -> SIZE_LF -> DATA -> DATA_CR -> DATA_LF -> SIZE ...
 *                             `- 0 -> TRAILER -> TRAILER_LF -> (empty line: the end) */
enum {
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER,
    CHUNK_TRAILER_LF
};
#define CHUNK_DIGITS_MAX 8u /* 4 GiB in a chunk is more than any body may have. */

static bool take_size_byte(struct h1_chunks *chunks, unsigned char c)
{
    unsigned digit;

    if (c == '\r' && chunks->digits > 0) {
        chunks->state = CHUNK_SIZE_LF;
        return true;
    }
    if (c == ';' && chunks->digits > 0) {
        chunks->state = CHUNK_EXTENSION;
        return true;
    }
    if (c >= '0' && c <= '9')
        digit = c - '0';
    else if ((c | 32) >= 'a' && (c | 32) <= 'f')
        digit = (unsigned)(c | 32) - 'a' + 10;
    else
        return false;
    chunks->left = chunks->left << 4 | digit;
    return ++chunks->digits <= CHUNK_DIGITS_MAX;
}

/* A byte of a line whose content does not matter, up to its CR. */
static bool take_line_byte(struct h1_chunks *chunks, unsigned char c, size_t size_max, int next)
{
    if (c == '\r')
        chunks->state = next;
    else if ((c < ' ' && c != '\t') || c == 0x7f)
        return false;
    return ++chunks->line_bytes <= size_max;
}

static bool take_trailer_byte(struct h1_chunks *chunks, unsigned char c)
{
    if (chunks->is_line_empty && (c == ' ' || c == '\t'))
        return false; /* A folded line. */
    if (c != '\r')
        chunks->is_line_empty = false;
    return take_line_byte(chunks, c, H1_TRAILERS_MAX, CHUNK_TRAILER_LF);
}

static bool take_size_lf(struct h1_chunks *chunks, unsigned char c)
{
    chunks->state = chunks->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
    chunks->digits = 0;
    chunks->line_bytes = 0;
    chunks->is_line_empty = true;
    return c == '\n';
}

/* One byte outside of a chunk's data. False: it is wrong. */
static bool take_byte(struct h1_chunks *chunks, unsigned char c, bool *ret_is_last)
{
    switch (chunks->state) {
    case CHUNK_SIZE:
        return take_size_byte(chunks, c);
    case CHUNK_EXTENSION:
        return take_line_byte(chunks, c, H1_CHUNK_LINE_MAX, CHUNK_SIZE_LF);
    case CHUNK_SIZE_LF:
        return take_size_lf(chunks, c);
    case CHUNK_DATA_CR:
        chunks->state = CHUNK_DATA_LF;
        return c == '\r';
    case CHUNK_DATA_LF:
        chunks->state = CHUNK_SIZE;
        return c == '\n';
    case CHUNK_TRAILER:
        return take_trailer_byte(chunks, c);
    default:
        *ret_is_last = chunks->is_line_empty;
        chunks->is_line_empty = true;
        chunks->state = CHUNK_TRAILER;
        return c == '\n';
    }
}

size_t sw_h1_chunks_take(struct h1_chunks *chunks, struct sw_bytes bytes,
                         struct h1_piece *ret_piece)
{
    const unsigned char *data = bytes.data;
    size_t at = 0;

    *ret_piece = (struct h1_piece){0};
    while (at < bytes.size && chunks->state != CHUNK_DATA) {
        ret_piece->is_bad = !take_byte(chunks, data[at++], &ret_piece->is_last);
        if (ret_piece->is_bad || ret_piece->is_last)
            return at;
    }
    if (at < bytes.size) {
        size_t size = bytes.size - at < chunks->left ? bytes.size - at : (size_t)chunks->left;

        ret_piece->bytes = (struct sw_bytes){.data = data + at, .size = size};
        at += size;
        chunks->left -= size;
        if (chunks->left == 0)
            chunks->state = CHUNK_DATA_CR;
    }
    return at;
}
