#include "web/api/state.h"

#include <string.h>
#include <strings.h>

/* ---- Media types ---- */

static struct sw_bytes trim(struct sw_bytes text)
{
    const char *data = text.data;

    while (text.size > 0 && (*data == ' ' || *data == '\t')) {
        data++;
        text.size--;
    }
    while (text.size > 0 && (data[text.size - 1] == ' ' || data[text.size - 1] == '\t'))
        text.size--;
    text.data = data;
    return text;
}

/* The part of *rest before the next `end`, trimmed; *rest goes on after it. */
static struct sw_bytes take_part(struct sw_bytes *rest, char end)
{
    const char *data = rest->data;
    const char *at = rest->size == 0 ? NULL : memchr(data, end, rest->size);
    struct sw_bytes part = *rest;

    if (at == NULL) {
        rest->size = 0;
        return trim(part);
    }
    part.size = (size_t)(at - data);
    rest->data = at + 1;
    rest->size -= part.size + 1;
    return trim(part);
}

static bool is_word(struct sw_bytes text, const char *word)
{
    return text.size == strlen(word) && strncasecmp(text.data, word, text.size) == 0;
}

static bool is_protobuf(struct sw_bytes type)
{
    return is_word(type, "application/x-protobuf") || is_word(type, "application/protobuf");
}

enum gateway_media sw_gateway_body_media(const struct sw_http_request *request)
{
    struct sw_bytes rest = sw_http_header_find(request, "content-type");
    struct sw_bytes type = take_part(&rest, ';');

    if (type.size == 0 || is_word(type, "application/json"))
        return MEDIA_JSON;
    if (is_protobuf(type))
        return MEDIA_PROTOBUF;
    if (is_word(type, "application/apply-patch+json"))
        return MEDIA_APPLY;
    return MEDIA_OTHER;
}

enum sw_rc sw_gateway_read_accept(struct gateway_call *call, struct sw_err *err)
{
    struct sw_bytes rest = sw_http_header_find(call->request, "accept");
    bool is_any = rest.size == 0;

    while (rest.size > 0) {
        struct sw_bytes item = take_part(&rest, ',');
        struct sw_bytes type = take_part(&item, ';');

        if (is_word(type, "application/json") || is_word(type, "*/*") ||
            is_word(type, "application/*") || is_word(type, "text/event-stream") ||
            is_word(type, "application/problem+json"))
            is_any = true;
        if (!is_any && is_protobuf(type)) { /* Named before anything else. */
            call->wants_protobuf = true;
            return SW_OK;
        }
    }
    if (is_any)
        return SW_OK;
    (void)sw_err_set(err, SW_E_UNSUPPORTED,
                     "answers are application/json or "
                     "application/x-protobuf");
    sw_err_field(err, "Accept");
    return SW_E_UNSUPPORTED;
}

/* ---- Bodies ---- */

static enum sw_rc read_json(struct gateway_call *call, void **ret_object, struct sw_err *err)
{
    struct sw_arena *arena = call->request->arena;
    struct sw_bind_options options = {
        .arena = arena, .problems = &call->problems, .file = "", .refuse_null = true};
    enum sw_rc rc;

    call->problems = sw_problems_of(arena);
    rc = sw_object_decode_json(call->route.kind, call->request->body, &options, ret_object);
    if (rc == SW_OK)
        return SW_OK;
    if (rc == SW_E_EXHAUSTED)
        return sw_err_set(err, rc, "the body needs more memory than a request may have");
    if (sw_problems_check(&call->problems, err) == SW_OK)
        return sw_err_set(err, rc, "the body is not a %s", call->route.kind->name);
    return rc;
}

enum sw_rc sw_gateway_read_object(struct gateway_call *call, void **ret_object, struct sw_err *err)
{
    if (call->route.kind->message == &sw_api_secret_message)
        sw_http_set_secret(call->request);
    if (sw_gateway_body_media(call->request) == MEDIA_PROTOBUF)
        return sw_object_decode(call->route.kind, call->request->body, call->request->arena,
                                ret_object, err);
    return read_json(call, ret_object, err);
}
