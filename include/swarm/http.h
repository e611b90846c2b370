/* Requests over HTTP, by the service swarm.http: as far as spec.egress of the Agent lets it.
 *
 * The request is made by the platform, which keeps POST and PATCH from being made twice; see
 * docs/operations/egress.md. Redirects are answers. */
#pragma once
#include <swarm/base64.h>
#include <swarm/json.h>
#include <swarm/wait.h>

struct swarm_request { /* What is not given is 0. */
    const char *url;
    const char *method;  /* In capitals; NULL: GET. */
    const char *headers; /* As JSON, "{\"x-of\":\"me\"}"; NULL: none. */
    const void *body;
    uint32_t body_size;
    uint64_t timeout_ms; /* 0: as long as the rule allows. */
};

struct swarm_response {
    char *room; /* Given: for the request, and then for its answer. */
    uint32_t room_size;
    uint32_t status; /* 200 and the like; 0: there was no answer, and the body is words. */
    struct swarm_json headers;
    const char *body; /* In the room. */
    uint32_t body_size;
};

static inline int32_t swarm_fetch_fail(struct swarm_response *response, int32_t code,
                                       const char *words)
{
    response->body = words;
    response->body_size = swarm_size_of(words);
    return code;
}

/* Texts go as they are, other bytes in base64. */
static inline void swarm_fetch_put_body(struct swarm_text *text,
                                        const struct swarm_request *request)
{
    const char *bytes = request->body;
    bool is_text = swarm_is_utf8(bytes, request->body_size);

    for (uint32_t i = 0; i < request->body_size && is_text; i++)
        is_text = bytes[i] != '\0';
    if (is_text) {
        swarm_json_put_text(text, "body", bytes, request->body_size);
        return;
    }
    swarm_json_name(text, "bodyBase64");
    swarm_put_words(text, "\"");
    swarm_put_base64(text, bytes, request->body_size);
    swarm_put_words(text, "\"");
}

static inline int32_t swarm_fetch_read(struct swarm_response *response,
                                       const struct swarm_message *message)
{
    struct swarm_json whole = SWARM_JSON_NOTHING, body, base64;
    int64_t status = 0;
    char *at = response->room;

    (void)swarm_json_read(message->body, message->body_size, &whole);
    body = swarm_json_find(whole, "body");
    base64 = swarm_json_find(whole, "bodyBase64");
    response->headers = swarm_json_find(whole, "headers");
    if (!swarm_json_integer(swarm_json_find(whole, "status"), &status) || status < 100 ||
        status > 999)
        return swarm_fetch_fail(response, SWARM_E_INTERNAL, "the answer is none");
    body = base64.size > 0 ? base64 : body;
    if (body.size > 0) { /* Decoded where it stands: that takes no more room. */
        struct swarm_text text = {at + (body.text - at), 0, body.size, false};

        swarm_json_copy(body, &text);
        if (base64.size > 0 && !swarm_base64_decode(&text))
            return swarm_fetch_fail(response, SWARM_E_INTERNAL, "the answer is not in base64");
        response->body = text.bytes;
        response->body_size = text.size;
    }
    response->status = (uint32_t)status;
    return SWARM_OK;
}

/* Ask somebody outside, and wait for the answer, whatever its status is.
 * SWARM_E_DENIED       no rule of the Agent allows it, or a person said no
 * SWARM_E_UNAVAILABLE  nobody was reached, or nobody knows what came of it
 * SWARM_E_EXHAUSTED    the room is too small, or a budget is used up
 * and as swarm_call. Then response->body is words. */
static inline int32_t swarm_fetch(const struct swarm_request *request,
                                  struct swarm_response *response)
{
    struct swarm_text text = {response->room, 0, response->room_size, false};
    struct swarm_reading answer = {.room = response->room, .room_size = response->room_size};
    int32_t code;

    response->status = response->body_size = 0;
    response->body = "";
    response->headers = SWARM_JSON_NOTHING;
    swarm_json_open(&text, 0, '{');
    swarm_json_put_words(&text, "url", request->url);
    swarm_json_put_words(&text, "method", request->method == 0 ? "GET" : request->method);
    if (request->headers != 0)
        swarm_json_put(&text, "headers", request->headers, swarm_size_of(request->headers));
    if (request->body != 0)
        swarm_fetch_put_body(&text, request);
    if (request->timeout_ms > 0)
        swarm_json_put_integer(&text, "timeoutMs", (int64_t)request->timeout_ms);
    swarm_json_close(&text, '}');
    if (text.is_full)
        return swarm_fetch_fail(response, SWARM_E_EXHAUSTED, "the room is too small");
    code = swarm_call(
        &(struct swarm_question){
            .to = "swarm.http", .to_size = 10, .body = text.bytes, .body_size = text.size},
        &answer);
    if (code == SWARM_OK)
        return swarm_fetch_read(response, &answer.message);
    if (answer.message.status != code)
        return swarm_fetch_fail(response, code, "the room is too small for the answer");
    response->body = (const char *)answer.message.body;
    response->body_size = answer.message.body_size;
    return code;
}

/* The header of that name, whatever its case; none: there is no such header. */
static inline struct swarm_json swarm_header(const struct swarm_response *response,
                                             const char *name)
{
    struct swarm_json headers = response->headers, key, value;

    while (swarm_json_next(&headers, &key, &value)) {
        uint32_t i = 0;

        while (i + 2 < key.size && name[i] != '\0' && (key.text[i + 1] | 32) == (name[i] | 32))
            i++;
        if (i + 2 == key.size && name[i] == '\0')
            return value;
    }
    return SWARM_JSON_NOTHING;
}
