#include "pkg/broker/model/wire/doc.h"

#include "pkg/broker/model/wire/wire.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define NODES_FIRST 64u
#define NO_NODE UINT32_MAX
#define KEY_WORDS_MAX 64 /* Of a name in the path of a field. */

struct open_value { /* An object or array that has not ended. */
    uint32_t node;  /* NO_NODE: it is not kept. */
    bool is_object;
};

struct parser {
    struct sw_wire_doc *doc;
    const struct sw_wire_doc_options *options;
    const char *text;
    uint32_t size, at;
    struct open_value open[SW_WIRE_DEPTH_MAX];
    uint32_t depth;
    uint32_t key, key_end; /* The name of the next value. */
    bool is_key_escaped;
    enum sw_rc rc;
    const char *problem;
};

enum step { STEP_BAD, STEP_OPENED, STEP_DONE };

static bool fail(struct parser *parser, enum sw_rc rc, const char *problem)
{
    parser->rc = rc;
    parser->problem = problem;
    return false;
}

static bool is_bad(struct parser *parser, const char *problem)
{
    return fail(parser, parser->options->code, problem);
}

static void skip_space(struct parser *parser)
{
    while (parser->at < parser->size) {
        char c = parser->text[parser->at];

        if (c != ' ' && c != '\n' && c != '\r' && c != '\t')
            return;
        parser->at++;
    }
}

static char peek(const struct parser *parser)
{
    return parser->at < parser->size ? parser->text[parser->at] : '\0';
}

static bool grow(struct parser *parser)
{
    struct sw_wire_doc *doc = parser->doc;
    uint32_t capacity = doc->capacity == 0 ? NODES_FIRST : doc->capacity * 2;
    struct sw_wire_node *nodes;

    if (doc->count >= SW_WIRE_VALUES_MAX)
        return fail(parser, SW_E_EXHAUSTED, "it has more values than are taken");
    nodes = realloc(doc->nodes, capacity * sizeof *nodes);
    if (nodes == NULL)
        return fail(parser, SW_E_EXHAUSTED, "there is no memory for it");
    doc->nodes = nodes;
    doc->capacity = capacity;
    return true;
}

/* Keep a value that begins here, unless it is too deep to be kept. */
static bool add(struct parser *parser, enum sw_wire_kind kind, uint32_t *ret_node)
{
    struct sw_wire_doc *doc = parser->doc;
    struct open_value *in = parser->depth > 0 ? &parser->open[parser->depth - 1] : NULL;
    struct sw_wire_node *node;

    if (in != NULL && in->node != NO_NODE)
        doc->nodes[in->node].count++;
    *ret_node = NO_NODE;
    if (parser->options->level_max > 0 && parser->depth > parser->options->level_max)
        return true;
    if (doc->count == doc->capacity && !grow(parser))
        return false;
    *ret_node = doc->count++;
    node = &doc->nodes[*ret_node];
    *node = (struct sw_wire_node){
        .start = parser->at, .end = parser->at, .kind = (uint8_t)kind, .next = doc->count};
    if (in != NULL && in->is_object) {
        node->is_member = true;
        node->key = parser->key;
        node->key_end = parser->key_end;
        node->is_key_escaped = parser->is_key_escaped;
    }
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The four digits at `at`; -1: they are not there. */
static int32_t hex4(const char *text, size_t size, size_t at)
{
    int32_t value = 0;

    if (at + 4 > size)
        return -1;
    for (size_t i = at; i < at + 4; i++) {
        int digit = hex_digit(text[i]);

        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* The character of \uXXXX, one or two of them, whose first 'u' is at `at`; 0: no such one.
 * *ret_size: bytes from the 'u' on. */
static uint32_t unicode_escape(const char *text, size_t size, size_t at, size_t *ret_size)
{
    int32_t high = hex4(text, size, at + 1), low;

    *ret_size = 5;
    if (high <= 0 || (high >= 0xdc00 && high <= 0xdfff))
        return 0;
    if (high < 0xd800 || high > 0xdbff)
        return (uint32_t)high;
    if (at + 7 > size || text[at + 5] != '\\' || text[at + 6] != 'u')
        return 0;
    low = hex4(text, size, at + 7);
    if (low < 0xdc00 || low > 0xdfff)
        return 0;
    *ret_size = 11;
    return 0x10000u + (((uint32_t)high - 0xd800u) << 10) + ((uint32_t)low - 0xdc00u);
}

/* The backslash is at parser->at. */
static bool read_escape(struct parser *parser)
{
    char c = parser->at + 1 < parser->size ? parser->text[parser->at + 1] : '\0';
    size_t size;

    if (c == 'u') {
        if (unicode_escape(parser->text, parser->size, (size_t)parser->at + 1, &size) == 0)
            return is_bad(parser, "an escape in a string is no character");
        parser->at += 1 + (uint32_t)size;
        return true;
    }
    if (c == '\0' || strchr("\"\\/bfnrt", c) == NULL)
        return is_bad(parser, "an escape in a string is unknown");
    parser->at += 2;
    return true;
}

/* Go over bytes that stand for themselves, eight at a time. */
static void skip_plain(struct parser *parser)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);

    while (parser->at + sizeof(uint64_t) <= parser->size) {
        uint64_t word, quote, slash;

        (void)memcpy(&word, parser->text + parser->at, sizeof word);
        quote = word ^ (ones * '"');
        slash = word ^ (ones * '\\');
        if ((((quote - ones) | (slash - ones) | (word - ones * 0x20) | word) & tops) != 0)
            return;
        parser->at += sizeof word;
    }
}

/* The rest of a string whose first quote was read; at is behind the second one afterwards. */
static bool read_string(struct parser *parser, bool *ret_is_escaped)
{
    *ret_is_escaped = false;
    for (;;) {
        skip_plain(parser);
        if (parser->at >= parser->size)
            return is_bad(parser, "a string has no end");
        uint8_t c = (uint8_t)parser->text[parser->at];

        if (c == '"') {
            parser->at++;
            return true;
        }
        if (c == '\\') {
            *ret_is_escaped = true;
            if (!read_escape(parser))
                return false;
        } else if (c < 0x20) {
            return is_bad(parser, "a string has a control character that is not escaped");
        } else if (c < 0x80) {
            parser->at++;
        } else {
            size_t size =
                sw_utf8_sequence(parser->text + parser->at, (size_t)(parser->size - parser->at));

            if (size == 0)
                return is_bad(parser, "a string is not UTF-8");
            parser->at += (uint32_t)size;
        }
    }
}

static bool read_digits(struct parser *parser)
{
    uint32_t first = parser->at;

    while (parser->at < parser->size && parser->text[parser->at] >= '0' &&
           parser->text[parser->at] <= '9')
        parser->at++;
    return parser->at > first || is_bad(parser, "a number is not one of JSON");
}

static bool read_number(struct parser *parser)
{
    if (peek(parser) == '-')
        parser->at++;
    if (peek(parser) == '0')
        parser->at++;
    else if (!read_digits(parser))
        return false;
    if (peek(parser) == '.') {
        parser->at++;
        if (!read_digits(parser))
            return false;
    }
    if (peek(parser) == 'e' || peek(parser) == 'E') {
        parser->at++;
        if (peek(parser) == '+' || peek(parser) == '-')
            parser->at++;
        return read_digits(parser);
    }
    return true;
}

static bool read_word(struct parser *parser, const char *word)
{
    size_t size = strlen(word);

    if (parser->size - parser->at < size || memcmp(parser->text + parser->at, word, size) != 0)
        return is_bad(parser, "there is something that is no value");
    parser->at += (uint32_t)size;
    return true;
}

/* A name and its colon; at stands at the name's quote. */
static bool read_key(struct parser *parser)
{
    skip_space(parser);
    if (peek(parser) != '"')
        return is_bad(parser, "a name in quotes is missing");
    parser->at++;
    parser->key = parser->at;
    if (!read_string(parser, &parser->is_key_escaped))
        return false;
    parser->key_end = parser->at - 1;
    skip_space(parser);
    if (peek(parser) != ':')
        return is_bad(parser, "a colon is missing");
    parser->at++;
    skip_space(parser);
    return true;
}

static enum step read_open(struct parser *parser, bool is_object)
{
    uint32_t node;

    if (!add(parser, is_object ? SW_WIRE_OBJECT : SW_WIRE_ARRAY, &node))
        return STEP_BAD;
    parser->at++;
    skip_space(parser);
    if (peek(parser) == (is_object ? '}' : ']')) {
        parser->at++;
        if (node != NO_NODE)
            parser->doc->nodes[node].end = parser->at;
        return STEP_DONE;
    }
    if (parser->depth == SW_WIRE_DEPTH_MAX) {
        (void)fail(parser, SW_E_EXHAUSTED, "it is nested too deep");
        return STEP_BAD;
    }
    parser->open[parser->depth++] = (struct open_value){node, is_object};
    return !is_object || read_key(parser) ? STEP_OPENED : STEP_BAD;
}

static bool read_scalar(struct parser *parser, enum sw_wire_kind kind)
{
    switch (kind) {
    case SW_WIRE_NULL:
        return read_word(parser, "null");
    case SW_WIRE_FALSE:
        return read_word(parser, "false");
    case SW_WIRE_TRUE:
        return read_word(parser, "true");
    case SW_WIRE_NUMBER:
        return read_number(parser);
    case SW_WIRE_STRING:
    case SW_WIRE_ARRAY:
    case SW_WIRE_OBJECT:
        break;
    }
    return false;
}

static enum step read_value(struct parser *parser)
{
    enum sw_wire_kind kind;
    bool is_escaped = false;
    uint32_t node;

    switch (peek(parser)) {
    case '{':
        return read_open(parser, true);
    case '[':
        return read_open(parser, false);
    case 'n':
        kind = SW_WIRE_NULL;
        break;
    case 'f':
        kind = SW_WIRE_FALSE;
        break;
    case 't':
        kind = SW_WIRE_TRUE;
        break;
    case '"':
        kind = SW_WIRE_STRING;
        parser->at++;
        break;
    default:
        kind = SW_WIRE_NUMBER;
    }
    if (!add(parser, kind, &node))
        return STEP_BAD;
    if (!(kind == SW_WIRE_STRING ? read_string(parser, &is_escaped) : read_scalar(parser, kind)))
        return STEP_BAD;
    if (node != NO_NODE) {
        parser->doc->nodes[node].end = parser->at - (kind == SW_WIRE_STRING ? 1 : 0);
        parser->doc->nodes[node].is_escaped = is_escaped;
    }
    return STEP_DONE;
}

/* After a value: end what ends here; *ret_is_over when that is all. */
static bool read_after(struct parser *parser, bool *ret_is_over)
{
    while (parser->depth > 0) {
        const struct open_value *open = &parser->open[parser->depth - 1];

        skip_space(parser);
        if (peek(parser) == ',') {
            parser->at++;
            skip_space(parser);
            return !open->is_object || read_key(parser);
        }
        if (peek(parser) != (open->is_object ? '}' : ']'))
            return is_bad(parser, "a comma or an end is missing");
        parser->at++;
        if (open->node != NO_NODE) {
            parser->doc->nodes[open->node].end = parser->at;
            parser->doc->nodes[open->node].next = parser->doc->count;
        }
        parser->depth--;
    }
    skip_space(parser);
    *ret_is_over = true;
    return parser->at == parser->size || is_bad(parser, "something stands behind its end");
}

static bool read_all(struct parser *parser)
{
    bool is_over = false;

    skip_space(parser);
    if (parser->at == parser->size)
        return is_bad(parser, "it is empty");
    while (!is_over) {
        enum step step = read_value(parser);

        if (step == STEP_BAD || (step == STEP_DONE && !read_after(parser, &is_over)))
            return false;
    }
    return true;
}

enum sw_rc sw_wire_doc_read(struct sw_wire_doc *doc, struct sw_bytes text,
                            const struct sw_wire_doc_options *options, struct sw_err *err)
{
    struct parser parser = {.doc = doc, .options = options, .text = text.data};

    assert(options->size_max < UINT32_MAX);
    doc->count = 0;
    if (text.size > options->size_max)
        return sw_err_set(err, SW_E_EXHAUSTED, "%s has %zu bytes, and at most %zu are taken",
                          options->what, text.size, options->size_max);
    parser.size = (uint32_t)text.size;
    doc->text = text.data;
    doc->size = parser.size;
    if (read_all(&parser))
        return SW_OK;
    return sw_err_set(err, parser.rc, "%s is not taken as JSON at byte %u: %s", options->what,
                      parser.at, parser.problem);
}

void sw_wire_doc_trim(struct sw_wire_doc *doc)
{
    struct sw_wire_node *nodes;

    if (doc->count == 0 || doc->count == doc->capacity)
        return;
    nodes = realloc(doc->nodes, doc->count * sizeof *nodes);
    if (nodes == NULL)
        return;
    doc->nodes = nodes;
    doc->capacity = doc->count;
}

void sw_wire_doc_done(struct sw_wire_doc *doc)
{
    free(doc->nodes);
    *doc = (struct sw_wire_doc){.nodes = NULL};
}

/* The next character of a text, and how many bytes it takes there. */
static uint32_t character(struct sw_wire_text text, size_t at, size_t *ret_size)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const char *name;
    uint32_t value;

    if (text.at[at] != '\\') {
        *ret_size = 1;
        return (uint8_t)text.at[at];
    }
    if (text.at[at + 1] == 'u') {
        value = unicode_escape(text.at, text.size, at + 1, ret_size);
        *ret_size += 1;
        return value;
    }
    *ret_size = 2;
    name = strchr(names, text.at[at + 1]);
    return name == NULL ? '?' : (uint8_t)values[name - names];
}

bool sw_wire_means(struct sw_wire_text text, const char *words)
{
    size_t at = 0, size = 0;

    if (memchr(text.at, '\\', text.size) == NULL)
        return text.size == strlen(words) && memcmp(text.at, words, text.size) == 0;
    while (at < text.size && *words != '\0') {
        if (character(text, at, &size) != (uint8_t)*words)
            return false;
        at += size;
        words++;
    }
    return at == text.size && *words == '\0';
}

bool sw_wire_is(const struct sw_wire_doc *doc, uint32_t at, const char *words)
{
    return sw_wire_is_string(doc, at) && sw_wire_means(sw_wire_text_of(doc, at), words);
}

int sw_wire_one_of(const struct sw_wire_doc *doc, uint32_t at, const char *const *words,
                   size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (sw_wire_is(doc, at, words[i]))
            return (int)i;
    return -1;
}

bool sw_wire_is_named(const struct sw_wire_doc *doc, uint32_t at, const char *name)
{
    const struct sw_wire_node *node = &doc->nodes[at];
    struct sw_wire_text key = {doc->text + node->key, node->key_end - node->key};

    if (node->is_key_escaped)
        return sw_wire_means(key, name);
    if (key.at[0] != name[0]) /* Mostly that is all; an empty name begins with its quote. */
        return false;
    return key.size == strlen(name) && sw_is_same(key.at, name, key.size);
}

uint32_t sw_wire_find(const struct sw_wire_doc *doc, uint32_t object, const char *name)
{
    uint32_t found = 0;

    if (doc->nodes[object].kind != SW_WIRE_OBJECT)
        return 0;
    for (uint32_t i = sw_wire_first(doc, object); i != 0; i = sw_wire_next(doc, object, i))
        if (sw_wire_is_named(doc, i, name))
            found = i;
    return found;
}

uint32_t sw_wire_bind(const struct sw_wire_doc *doc, uint32_t object, const char *const *names,
                      size_t count, uint32_t *ret_at, uint32_t *ret_unknown)
{
    uint32_t unknown = 0, twice = 0;

    (void)memset(ret_at, 0, count * sizeof *ret_at);
    if (doc->nodes[object].kind == SW_WIRE_OBJECT) {
        for (uint32_t i = sw_wire_first(doc, object); i != 0; i = sw_wire_next(doc, object, i)) {
            size_t which = 0;

            while (which < count && !sw_wire_is_named(doc, i, names[which]))
                which++;
            if (which == count)
                unknown = unknown == 0 ? i : unknown;
            else if (ret_at[which] != 0)
                twice = twice == 0 ? i : twice;
            else
                ret_at[which] = i;
        }
    }
    if (ret_unknown != NULL)
        *ret_unknown = unknown;
    return twice;
}

bool sw_wire_u64(const struct sw_wire_doc *doc, uint32_t at, uint64_t max, uint64_t *ret_value)
{
    struct sw_wire_text text;
    uint64_t value = 0;

    if (at == 0 || doc->nodes[at].kind != SW_WIRE_NUMBER)
        return false;
    text = sw_wire_text_of(doc, at);
    if (text.size > 2 && memcmp(text.at + text.size - 2, ".0", 2) == 0)
        text.size -= 2; /* Languages without whole numbers write them so. */
    for (size_t i = 0; i < text.size; i++) {
        if (text.at[i] < '0' || text.at[i] > '9' || value > max)
            return false;
        value = value * 10 + (uint64_t)(text.at[i] - '0');
    }
    if (value > max)
        return false;
    *ret_value = value;
    return true;
}

bool sw_wire_number(const struct sw_wire_doc *doc, uint32_t at, double *ret_value)
{
    char words[64];
    struct sw_wire_text text;
    double value;

    if (at == 0 || doc->nodes[at].kind != SW_WIRE_NUMBER)
        return false;
    text = sw_wire_text_of(doc, at);
    if (text.size >= sizeof words)
        return false;
    (void)memcpy(words, text.at, text.size);
    words[text.size] = '\0';
    value = strtod(words, NULL);
    if (!(value >= -1e15 && value <= 1e15))
        return false;
    *ret_value = value;
    return true;
}

static size_t utf8_bytes(uint32_t value)
{
    return value < 0x80 ? 1u : value < 0x800 ? 2u : value < 0x10000 ? 3u : 4u;
}

size_t sw_wire_meaning_bytes(struct sw_wire_text text)
{
    size_t bytes = 0, at = 0, size;

    while (at < text.size) {
        const char *slash = memchr(text.at + at, '\\', text.size - at);
        size_t plain = slash == NULL ? text.size - at : (size_t)(slash - text.at) - at;

        bytes += plain;
        at += plain;
        if (at < text.size) {
            bytes += utf8_bytes(character(text, at, &size));
            at += size;
        }
    }
    return bytes;
}

uint64_t sw_wire_reading(const struct sw_wire_doc *doc, uint32_t at)
{
    uint64_t bytes = 0;

    for (uint32_t i = at; i < doc->nodes[at].next; i++) {
        const struct sw_wire_node *node = &doc->nodes[i];

        if (node->is_member && i != at)
            bytes += node->key_end - node->key;
        if (node->kind == SW_WIRE_STRING && node->is_escaped)
            bytes += sw_wire_meaning_bytes(sw_wire_text_of(doc, i));
        else if (node->kind == SW_WIRE_STRING || node->kind == SW_WIRE_NUMBER)
            bytes += node->end - node->start;
    }
    return bytes;
}

/* One step of a path, from a value to the one directly in it that has `at` inside. */
static uint32_t step_down(const struct sw_wire_doc *doc, uint32_t in, uint32_t at, char *path,
                          size_t size)
{
    size_t used = strlen(path), number = 0;
    uint32_t i = sw_wire_first(doc, in);
    const struct sw_wire_node *node;

    while (doc->nodes[i].next <= at) {
        i = doc->nodes[i].next;
        number++;
    }
    node = &doc->nodes[i];
    if (!node->is_member) {
        (void)snprintf(path + used, size - used, "[%zu]", number);
    } else {
        int bytes = (int)(node->key_end - node->key);

        (void)snprintf(path + used, size - used, "%s%.*s", used > 0 ? "." : "",
                       bytes < KEY_WORDS_MAX ? bytes : KEY_WORDS_MAX, doc->text + node->key);
    }
    return i;
}

enum sw_rc sw_wire_fail(const struct sw_wire_doc *doc, uint32_t at, struct sw_err *err,
                        enum sw_rc rc, const char *format, ...)
{
    char path[SW_ERR_FIELD_MAX] = "";
    va_list arguments;
    uint32_t in = 0;

    if (err == NULL)
        return rc;
    va_start(arguments, format);
    (void)sw_err_vset(err, rc, format, arguments);
    va_end(arguments);
    while (in != at)
        in = step_down(doc, in, at, path, sizeof path);
    sw_utf8_mend(path);
    sw_err_field(err, "%s", path);
    return rc;
}

void sw_wire_put_string(struct sw_buffer *out, struct sw_wire_text text)
{
    uint8_t *room = sw_buffer_reserve(out, text.size + 2);

    if (room == NULL)
        return;
    room[0] = '"';
    if (text.size > 0)
        (void)memcpy(room + 1, text.at, text.size);
    room[text.size + 1] = '"';
    out->size += text.size + 2;
}

static void put_escape(struct sw_buffer *out, uint8_t c)
{
    static const char values[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
    const char *found = c == '\0' ? NULL : strchr(values, c);

    if (found != NULL) {
        const char escape[2] = {'\\', names[found - values]};

        sw_buffer_put(out, escape, sizeof escape);
    } else if (c < 0x20) {
        sw_buffer_print(out, "\\u%04x", c);
    } else {
        sw_buffer_put(out, "?", 1);
    }
}

void sw_wire_put_escaped(struct sw_buffer *out, struct sw_wire_text bytes)
{
    size_t from = 0, at = 0;

    while (at < bytes.size) {
        uint8_t c = (uint8_t)bytes.at[at];
        size_t size = 1;

        if (c >= 0x80)
            size = sw_utf8_sequence(bytes.at + at, bytes.size - at);
        if (size > 0 && c >= 0x20 && c != '"' && c != '\\') {
            at += size;
            continue;
        }
        sw_buffer_put(out, bytes.at + from, at - from);
        put_escape(out, c);
        from = ++at;
    }
    if (at > from)
        sw_buffer_put(out, bytes.at + from, at - from);
}

static void put_utf8(struct sw_buffer *out, uint32_t value)
{
    uint8_t bytes[4];
    size_t size = utf8_bytes(value);

    if (size == 1) {
        bytes[0] = (uint8_t)value;
    } else {
        static const uint8_t heads[] = {0, 0, 0xc0, 0xe0, 0xf0};

        for (size_t i = size - 1; i > 0; i--) {
            bytes[i] = (uint8_t)(0x80 | (value & 0x3f));
            value >>= 6;
        }
        bytes[0] = (uint8_t)(heads[size] | value);
    }
    sw_buffer_put(out, bytes, size);
}

void sw_wire_put_meaning(struct sw_buffer *out, struct sw_wire_text text)
{
    size_t at = 0, size;

    while (at < text.size) {
        const char *slash = memchr(text.at + at, '\\', text.size - at);
        size_t plain = slash == NULL ? text.size - at : (size_t)(slash - text.at) - at;

        sw_buffer_put(out, text.at + at, plain);
        at += plain;
        if (at < text.size) {
            put_utf8(out, character(text, at, &size));
            at += size;
        }
    }
}

void sw_wire_put_dense(struct sw_buffer *out, struct sw_wire_text json)
{
    size_t from = 0, at = 0;
    bool is_inside = false;

    while (at < json.size) {
        char c = json.at[at];

        if (is_inside && c == '\\') {
            at += 2;
            continue;
        }
        if (c == '"')
            is_inside = !is_inside;
        if (is_inside || (c != ' ' && c != '\n' && c != '\r' && c != '\t')) {
            at++;
            continue;
        }
        if (at > from)
            sw_buffer_put(out, json.at + from, at - from);
        from = ++at;
    }
    if (at > from)
        sw_buffer_put(out, json.at + from, at - from);
}
