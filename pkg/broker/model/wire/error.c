#include "pkg/broker/model/wire/codecs.h"
#include "pkg/broker/model/wire/rules.h"

#include <stdio.h>

struct error_type { /* What a status is called. */
    int status;
    const char *openai, *messages;
};

static const struct error_type types[] = {
    {400, "invalid_request_error", "invalid_request_error"},
    {401, "authentication_error", "authentication_error"},
    {402, "insufficient_quota", "billing_error"},
    {403, "permission_error", "permission_error"},
    {404, "not_found_error", "not_found_error"},
    {408, "timeout_error", "timeout_error"},
    {409, "conflict_error", "invalid_request_error"},
    {413, "request_too_large", "request_too_large"},
    {422, "invalid_request_error", "invalid_request_error"},
    {429, "rate_limit_error", "rate_limit_error"},
    {500, "server_error", "api_error"},
    {503, "server_error", "overloaded_error"},
    {504, "timeout_error", "timeout_error"},
    {529, "server_error", "overloaded_error"},
};
#define TYPES (sizeof types / sizeof types[0])

static const struct error_type *type_of(int status)
{
    for (size_t i = 0; i < TYPES; i++)
        if (types[i].status == status)
            return &types[i];
    return status >= 400 && status < 500 ? &types[0] : &types[10];
}

static bool is_type_of_messages(const char *type)
{
    for (size_t i = 0; i < TYPES; i++)
        if (strcmp(types[i].messages, type) == 0)
            return true;
    return false;
}

/* In a stream nothing but the type says which status it would have been. */
static int status_of(const char *type, const char *code)
{
    static const struct {
        const char *words;
        int status;
    } known[] = {{"overloaded", 529},     {"rate_limit", 429}, {"insufficient_quota", 402},
                 {"billing", 402},        {"auth", 401},       {"permission", 403},
                 {"not_found", 404},      {"timeout", 504},    {"too_large", 413},
                 {"context_length", 400}, {"invalid", 400}};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strstr(type, known[i].words) != NULL || strstr(code, known[i].words) != NULL)
            return known[i].status;
    return 500;
}

static const char *type_for(enum sw_wire_protocol protocol, const struct sw_wire_error *error)
{
    const struct error_type *type = type_of(error->status);

    if (protocol == SW_WIRE_MESSAGES)
        return is_type_of_messages(error->type) ? error->type : type->messages;
    return error->type[0] != '\0' && strcmp(error->type, "error") != 0 ? error->type : type->openai;
}

static void put_optional(struct sw_buffer *out, const char *words)
{
    if (words[0] == '\0')
        sw_buffer_put_text(out, "null");
    else
        sw_wire_put_words(out, words);
}

static void put_openai(const char *type, const struct sw_wire_error *error, struct sw_buffer *out)
{
    sw_buffer_put_text(out, "{\"message\":");
    sw_wire_put_words(out, error->message);
    sw_buffer_put_text(out, ",\"type\":");
    sw_wire_put_words(out, type);
    sw_buffer_put_text(out, ",\"param\":");
    put_optional(out, error->param);
    sw_buffer_put_text(out, ",\"code\":");
    put_optional(out, error->code);
    sw_buffer_put_text(out, "}");
}

void sw_wire_error_write(enum sw_wire_protocol protocol, const struct sw_wire_error *error,
                         struct sw_buffer *out)
{
    const char *type = type_for(protocol, error);

    if (protocol == SW_WIRE_MESSAGES) {
        sw_buffer_put_text(out, "{\"type\":\"error\",\"error\":{\"type\":");
        sw_wire_put_words(out, type);
        sw_buffer_put_text(out, ",\"message\":");
        sw_wire_put_words(out, error->message);
        sw_buffer_put_text(out, "},\"request_id\":null}");
        return;
    }
    sw_buffer_put_text(out, "{\"error\":");
    put_openai(type, error, out);
    sw_buffer_put_text(out, "}");
}

void sw_wire_error_event(enum sw_wire_protocol protocol, const struct sw_wire_error *error,
                         uint64_t sequence, struct sw_buffer *out)
{
    if (protocol == SW_WIRE_MESSAGES) {
        sw_buffer_put_text(out, "event: error\ndata: ");
        sw_wire_error_write(protocol, error, out);
    } else if (protocol == SW_WIRE_RESPONSES) { /* Libraries look at the inner object. */
        sw_buffer_put_text(out, "event: error\ndata: {\"type\":\"error\",\"code\":");
        put_optional(out, error->code);
        sw_buffer_put_text(out, ",\"message\":");
        sw_wire_put_words(out, error->message);
        sw_buffer_put_text(out, ",\"param\":");
        put_optional(out, error->param);
        sw_buffer_print(out, ",\"sequence_number\":%llu,\"error\":", (unsigned long long)sequence);
        put_openai(type_for(protocol, error), error, out);
        sw_buffer_put_text(out, "}");
    } else {
        sw_buffer_put_text(out, "data: ");
        sw_wire_error_write(protocol, error, out);
    }
    sw_buffer_put_text(out, "\n\n");
}

/* What a string says, cut to size, on one line. */
static void take_words(const struct sw_wire_doc *doc, uint32_t at, char *ret_words, size_t size)
{
    struct sw_buffer words;
    struct sw_wire_text text;
    size_t used;

    ret_words[0] = '\0';
    if (at == 0 || doc->nodes[at].kind < SW_WIRE_NUMBER || doc->nodes[at].kind > SW_WIRE_STRING)
        return;
    text = sw_wire_text_of(doc, at);
    sw_buffer_init(&words, text.size + 1);
    sw_wire_put_meaning(&words, text);
    used = words.failed ? 0 : words.size < size ? words.size : size - 1;
    if (used > 0)
        (void)memcpy(ret_words, words.data, used);
    ret_words[used] = '\0';
    sw_buffer_done(&words);
    for (char *c = ret_words; *c != '\0'; c++)
        if ((uint8_t)*c < 0x20 || *c == 0x7f)
            *c = ' ';
    sw_utf8_mend(ret_words);
}

static void take_error(const struct sw_wire_doc *doc, uint32_t at, struct sw_wire_error *ret)
{
    if (sw_wire_is_string(doc, at)) { /* {"error": "words"} of smaller servers. */
        take_words(doc, at, ret->message, sizeof ret->message);
        return;
    }
    take_words(doc, sw_wire_find(doc, at, "type"), ret->type, sizeof ret->type);
    take_words(doc, sw_wire_find(doc, at, "code"), ret->code, sizeof ret->code);
    take_words(doc, sw_wire_find(doc, at, "param"), ret->param, sizeof ret->param);
    take_words(doc, sw_wire_find(doc, at, "message"), ret->message, sizeof ret->message);
}

bool sw_wire_error_read(enum sw_wire_protocol protocol, int status, struct sw_bytes body,
                        struct sw_wire_error *ret_error)
{
    const struct sw_wire_doc_options options = {.code = SW_E_CORRUPT,
                                                .level_max = 4,
                                                .size_max = SW_WIRE_ANSWER_BYTES_MAX,
                                                .what = "the error"};
    struct sw_wire_doc doc = {.nodes = NULL};
    bool is_error = false;

    *ret_error = (struct sw_wire_error){.status = status};
    if (sw_wire_doc_read(&doc, body, &options, NULL) == SW_OK) {
        uint32_t at = sw_wire_find(&doc, 0, "error");

        if (sw_wire_is_said(&doc, at))
            take_error(&doc, at, ret_error);
        is_error = ret_error->message[0] != '\0' || ret_error->type[0] != '\0';
    }
    sw_wire_doc_done(&doc);
    if (ret_error->message[0] == '\0')
        (void)snprintf(ret_error->message, sizeof ret_error->message,
                       "the model's provider answered with status %d and no error of the protocol "
                       "`%s`",
                       status, sw_wire_protocol_name(protocol));
    return is_error;
}

void sw_wire_note_error(const struct sw_wire_sink *sink, const struct sw_wire_doc *doc,
                        uint32_t error)
{
    struct sw_wire_error *noted = &sink->answer->error;

    *noted = (struct sw_wire_error){.status = 0};
    take_error(doc, error, noted);
    if (strcmp(noted->type, "error") == 0) /* That is the type of the event, not of the error. */
        noted->type[0] = '\0';
    if (noted->message[0] == '\0')
        (void)snprintf(noted->message, sizeof noted->message,
                       "the model's provider reported an error without words");
    noted->status = status_of(noted->type, noted->code);
    sink->answer->has_error = true;
}

/* Append words, as much as has room. */
static void add_words(char *to, size_t size, const char *words)
{
    size_t used = strlen(to), more = strlen(words);

    if (more > size - used - 1)
        more = size - used - 1;
    (void)memcpy(to + used, words, more);
    to[used + more] = '\0';
}

void sw_wire_error_of(const struct sw_err *err, struct sw_wire_error *ret_error)
{
    *ret_error = (struct sw_wire_error){.status = sw_rc_http_status(err->rc)};
    if (err->rc == SW_E_UNSUPPORTED) /* It is the request that asks for too much. */
        ret_error->status = 400;
    add_words(ret_error->param, sizeof ret_error->param, err->field);
    add_words(ret_error->code, sizeof ret_error->code, sw_rc_name(err->rc));
    for (char *c = ret_error->code; *c != '\0'; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    if (err->field[0] != '\0') {
        add_words(ret_error->message, sizeof ret_error->message, err->field);
        add_words(ret_error->message, sizeof ret_error->message, ": ");
    }
    add_words(ret_error->message, sizeof ret_error->message, err->message);
    if (err->hint[0] != '\0') {
        add_words(ret_error->message, sizeof ret_error->message, ": ");
        add_words(ret_error->message, sizeof ret_error->message, err->hint);
    }
    sw_utf8_mend(ret_error->param);
    sw_utf8_mend(ret_error->message);
}
