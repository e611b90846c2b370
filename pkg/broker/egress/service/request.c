#include "pkg/broker/egress/service/request.h"

#include "pkg/broker/outbound/outbound.h"
#include "pkg/utils/base/text.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PLACEHOLDER "{{secret:"
#define TIMEOUT_MS_MAX 3600000
#define SECRET_BYTES_MIN 4u /* Shorter ones are in everything. */

/* --- The request ----------------------------------------------------------------------------- */

static enum sw_rc no_memory(struct sw_err *err)
{
    return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a request");
}

/* What says how a message is sent, packed or cut, or that another one is meant, is not for its
 * sender to say. */
static bool is_ours(const char *name)
{
    static const char *const names[] = {"accept-encoding",
                                        "range",
                                        "if-range",
                                        "x-http-method-override",
                                        "x-http-method",
                                        "x-method-override",
                                        "x-original-url",
                                        "x-rewrite-url",
                                        "connection",
                                        "content-length",
                                        "expect",
                                        "host",
                                        "idempotency-key",
                                        "keep-alive",
                                        "proxy-connection",
                                        "te",
                                        "trailer",
                                        "upgrade",
                                        "transfer-encoding",
                                        "proxy-authorization"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

static enum sw_rc read_headers(json_t *headers, struct sw_arena *arena,
                               struct sw_egress_request *request, struct sw_err *err)
{
    const char *name;
    json_t *value;

    if (headers != NULL && !json_is_object(headers))
        return sw_err_set(err, SW_E_INVALID, "headers are texts by their names");
    json_object_foreach(headers, name, value)
    {
        struct sw_egress_header *header = &request->headers[request->headers_count];

        if (request->headers_count == SW_EGRESS_HEADERS_MAX)
            return sw_err_set(err, SW_E_INVALID, "more than %u headers", SW_EGRESS_HEADERS_MAX);
        if (!sw_outbound_is_header(name) || strchr(name, '_') != NULL || !json_is_string(value) ||
            json_string_length(value) > SW_EGRESS_HEADER_BYTES_MAX ||
            strpbrk(json_string_value(value), "\r\n") != NULL)
            return sw_err_set(err, SW_E_INVALID, "the header %.64s cannot be sent", name);
        if (is_ours(name))
            return sw_err_set(err, SW_E_INVALID, "the header %.64s is set by the platform", name);
        header->name = sw_arena_copy(arena, name, strlen(name));
        header->value = sw_arena_copy(arena, json_string_value(value), json_string_length(value));
        if (header->name == NULL || header->value == NULL)
            return no_memory(err);
        request->headers_count++;
    }
    return SW_OK;
}

static enum sw_rc read_body(const json_t *plain, const json_t *base64, struct sw_arena *arena,
                            struct sw_bytes *ret_body, struct sw_err *err)
{
    const json_t *body = plain != NULL ? plain : base64;
    struct sw_buffer decoded;
    struct sw_bytes bytes;
    enum sw_rc rc = SW_OK;

    *ret_body = (struct sw_bytes){NULL, 0};
    if (body == NULL)
        return SW_OK;
    if (!json_is_string(body) || (plain != NULL && base64 != NULL))
        return sw_err_set(err, SW_E_INVALID, "body or bodyBase64 is a text, and one of the two");
    bytes = (struct sw_bytes){json_string_value(body), json_string_length(body)};
    sw_buffer_init(&decoded, SW_EGRESS_DOCUMENT_MAX);
    if (base64 != NULL) {
        rc = sw_base64_decode(bytes.data, bytes.size, &decoded);
        bytes = (struct sw_bytes){decoded.data, decoded.size};
    }
    ret_body->data =
        rc == SW_OK ? sw_arena_copy(arena, bytes.size == 0 ? "" : bytes.data, bytes.size) : NULL;
    ret_body->size = bytes.size;
    sw_buffer_done(&decoded);
    if (rc != SW_OK)
        return sw_err_set(err, SW_E_INVALID, "bodyBase64 is not in base64");
    return ret_body->data == NULL ? no_memory(err) : SW_OK;
}

/* "GET", or whatever it says in capitals. */
static const char *method_of(const json_t *method)
{
    static const char *const methods[] = {"GET",   "HEAD",   "POST",   "PUT",
                                          "PATCH", "DELETE", "OPTIONS"};

    if (method == NULL)
        return methods[0];
    for (size_t i = 0; json_is_string(method) && i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(methods[i], json_string_value(method)) == 0)
            return methods[i];
    return NULL;
}

static enum sw_rc read_document(json_t *document, struct sw_arena *arena,
                                struct sw_egress_request *request, struct sw_err *err)
{
    static const char *const names[] = {"method", "url",        "headers",
                                        "body",   "bodyBase64", "timeoutMs"};
    json_t *values[sizeof names / sizeof names[0]];
    size_t found = 0;
    enum sw_rc rc;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        values[i] = json_object_get(document, names[i]);
        found += values[i] != NULL;
    }
    if (!json_is_object(document) || found != json_object_size(document))
        return sw_err_set(err, SW_E_INVALID,
                          "a request has url, and perhaps method, headers, body or bodyBase64, and "
                          "timeoutMs");
    request->method = method_of(values[0]);
    if (request->method == NULL)
        return sw_err_set(err, SW_E_INVALID,
                          "method is GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS");
    if (!json_is_string(values[1]))
        return sw_err_set(err, SW_E_INVALID, "a request has a url");
    if (values[5] != NULL && (!json_is_integer(values[5]) || json_integer_value(values[5]) < 1 ||
                              json_integer_value(values[5]) > TIMEOUT_MS_MAX))
        return sw_err_set(err, SW_E_INVALID, "timeoutMs is 1 to %d", TIMEOUT_MS_MAX);
    request->timeout_ms = (uint64_t)json_integer_value(values[5]);
    rc = sw_outbound_url_read(json_string_value(values[1]), &request->url, err);
    if (rc == SW_OK)
        rc = read_headers(values[2], arena, request, err);
    return rc == SW_OK ? read_body(values[3], values[4], arena, &request->body, err) : rc;
}

enum sw_rc sw_egress_request_read(struct sw_bytes bytes, struct sw_arena *arena,
                                  struct sw_egress_request *ret_request, struct sw_err *err)
{
    json_error_t where;
    json_t *document;
    enum sw_rc rc;

    if (bytes.size > SW_EGRESS_DOCUMENT_MAX)
        return sw_err_set(err, SW_E_INVALID, "a request has at most 4 MiB");
    document = json_loadb(bytes.data, bytes.size, JSON_REJECT_DUPLICATES, &where);
    if (document == NULL)
        return sw_err_set(err, SW_E_INVALID, "a request is a JSON document: %.80s", where.text);
    memset(ret_request, 0, sizeof *ret_request);
    rc = read_document(document, arena, ret_request, err);
    json_decref(document);
    return rc;
}

/* --- Secrets --------------------------------------------------------------------------------- */

enum sw_rc sw_egress_fill(const char *value, const struct sw_egress_secrets *secrets,
                          struct sw_buffer *out, struct sw_err *err)
{
    const char *begin, *end;

    while ((begin = strstr(value, PLACEHOLDER)) != NULL) {
        struct sw_bytes name = {begin + strlen(PLACEHOLDER), 0};
        enum sw_rc rc;

        end = strstr(begin, "}}");
        if (end == NULL)
            return sw_err_set(err, SW_E_INVALID, "a placeholder is {{secret:NAME/KEY}}");
        name.size = (size_t)(end - (const char *)name.data);
        if (secrets->rule != NULL && !sw_egress_may_use(secrets->rule, name)) {
            (void)sw_err_set(err, SW_E_DENIED, "no Secret %.*s may be used here",
                             (int)(name.size > 128 ? 128 : name.size), (const char *)name.data);
            sw_err_hint(err, "the rule in spec.egress of the Agent names those that may, in "
                             "secrets");
            return SW_E_DENIED;
        }
        sw_buffer_put(out, value, (size_t)(begin - value));
        rc = secrets->get(secrets->ctx, name, out, err);
        if (rc != SW_OK)
            return rc;
        value = end + 2;
    }
    sw_buffer_put_text(out, value);
    return sw_buffer_check(out) == SW_OK ? SW_OK : no_memory(err);
}

void sw_egress_hide(char *bytes, size_t size, struct sw_bytes secret)
{
    char *at = bytes;

    if (secret.size < SECRET_BYTES_MIN)
        return;
    while ((at = memmem(at, size - (size_t)(at - bytes), secret.data, secret.size)) != NULL) {
        memset(at, '*', secret.size);
        at += secret.size;
    }
}

/* --- The answer ------------------------------------------------------------------------------ */

static json_t *print_headers(const struct sw_egress_answer *answer)
{
    json_t *headers = json_object();

    for (size_t i = 0; i < answer->headers_count; i++)
        if (sw_text_is_utf8(answer->headers[i].value, strlen(answer->headers[i].value)))
            (void)json_object_set_new(headers, answer->headers[i].name,
                                      json_string(answer->headers[i].value));
    return headers;
}

static char *print(const struct sw_egress_answer *answer, bool is_text)
{
    const char *data = answer->body.size == 0 ? "" : answer->body.data;
    struct sw_buffer base64;
    json_t *document = NULL;
    char *text;

    sw_buffer_init(&base64, 2 * SW_EGRESS_ANSWER_MAX);
    if (is_text) {
        document = json_pack("{s:i, s:o, s:s%}", "status", answer->status, "headers",
                             print_headers(answer), "body", data, answer->body.size);
    } else {
        sw_base64_encode(data, answer->body.size, &base64);
        if (sw_buffer_check(&base64) == SW_OK)
            document = json_pack("{s:i, s:o, s:s%}", "status", answer->status, "headers",
                                 print_headers(answer), "bodyBase64", (const char *)base64.data,
                                 base64.size);
    }
    text = document == NULL ? NULL : json_dumps(document, JSON_COMPACT);
    json_decref(document);
    sw_buffer_done(&base64);
    return text;
}

enum sw_rc sw_egress_answer_print(const struct sw_egress_answer *answer, struct sw_buffer *out,
                                  struct sw_err *err)
{
    bool is_text =
        sw_text_is_utf8(answer->body.size == 0 ? "" : answer->body.data, answer->body.size);
    char *text = print(answer, is_text);

    if (is_text && text != NULL && strlen(text) > SW_EGRESS_ANSWER_MAX) {
        free(text);
        text = print(answer, false);
    }
    if (text == NULL || strlen(text) > SW_EGRESS_ANSWER_MAX) {
        free(text);
        return sw_err_set(err, SW_E_EXHAUSTED, "the answer is too large to be handed over");
    }
    sw_buffer_put_text(out, text);
    free(text);
    return sw_buffer_check(out) == SW_OK ? SW_OK : no_memory(err);
}
