#include "pkg/broker/egress/service/state.h"

#include "pkg/utils/base/text.h"

#include <string.h>

#define KEY_HEADER "Idempotency-Key"
#define FILLED_MAX 65536u /* Of a value with its Secrets. */

static enum sw_rc no_memory(struct sw_err *err)
{
    return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a request");
}

/* --- Rules ----------------------------------------------------------------------------------- */

static uint64_t size_of(const char *text)
{
    uint64_t size = 0;

    return text != NULL && sw_text_to_size_bytes(text, &size) == SW_OK ? size : 0;
}

static enum sw_rc take_rule(const struct sw_api_egress_rule *from, struct sw_arena *arena,
                            struct sw_egress_rule *ret_rule)
{
    const char **methods = sw_arena_array(arena, from->methods_count + 1, sizeof *methods);
    struct sw_egress_header *headers =
        sw_arena_array(arena, from->headers_count + 1, sizeof *headers);

    if (methods == NULL || headers == NULL)
        return SW_E_EXHAUSTED;
    for (size_t i = 0; i < from->methods_count; i++)
        methods[i] = sw_api_enum_text(&sw_api_http_method_enum, (int)from->methods[i]);
    for (size_t i = 0; i < from->headers_count; i++)
        headers[i] = (struct sw_egress_header){from->headers[i].key, from->headers[i].value};
    *ret_rule = (struct sw_egress_rule){
        .hosts = {(const char *const *)from->hosts, from->hosts_count},
        .methods = {methods, from->methods_count},
        .paths = {(const char *const *)from->paths, from->paths_count},
        .secrets = {(const char *const *)from->secrets, from->secrets_count},
        .headers = headers,
        .headers_count = from->headers_count,
        .request_bytes_max = size_of(from->max_request),
        .answer_bytes_max = size_of(from->max_response),
        .allows_plain = from->plain,
        .allows_private = from->private};
    return SW_OK;
}

/* The rule that allows the request, and as it stands in the spec. */
static enum sw_rc find_rule(struct http_call *call, const struct sw_egress_rule **ret_rule,
                            const struct sw_api_egress_rule **ret_spec, struct sw_err *err)
{
    const struct sw_object_ref ref = {sw_kind_find("Agent"), call->name_space, call->agent};
    const struct sw_outbound_url *url = &call->request.url;
    const struct sw_egress_ask ask = {
        .method = call->request.method,
        .target = {.scheme = url->scheme, .host = url->host, .path = url->path, .port = url->port},
        .body_bytes = call->request.body.size};
    struct sw_egress_rule *rules;
    const struct sw_api_agent_spec *spec;
    void *object = NULL;
    enum sw_rc rc = sw_objects_get(call->calls->options.objects, &ref, call->arena, &object, err);

    if (rc != SW_OK)
        return rc;
    spec = &((const struct sw_api_agent *)object)->spec;
    rules = sw_arena_array(call->arena, spec->egress_count + 1, sizeof *rules);
    if (rules == NULL)
        return no_memory(err);
    for (size_t i = 0; i < spec->egress_count; i++)
        if (take_rule(&spec->egress[i], call->arena, &rules[i]) != SW_OK)
            return no_memory(err);
    rc = sw_egress_check(rules, spec->egress_count, &ask, ret_rule, err);
    if (rc == SW_OK)
        *ret_spec = &spec->egress[*ret_rule - rules];
    return rc;
}

/* --- Secrets --------------------------------------------------------------------------------- */

static enum sw_rc get_secret(void *ctx, struct sw_bytes name, struct sw_buffer *out,
                             struct sw_err *err)
{
    struct http_call *call = ctx;
    const char *reference = sw_arena_copy(call->arena, name.data, name.size);
    size_t begin = out->size;
    struct sw_bytes *kept = &call->secrets[call->secrets_count];
    enum sw_rc rc;

    if (reference == NULL)
        return no_memory(err);
    if (call->secrets_count == HTTP_SECRETS_MAX)
        return sw_err_set(err, SW_E_INVALID, "too many placeholders");
    rc = sw_objects_open_secret(call->calls->options.objects, call->name_space, reference,
                                call->arena, out, err);
    if (rc != SW_OK)
        return rc;
    *kept = (struct sw_bytes){sw_arena_copy(call->arena, out->data + begin, out->size - begin),
                              out->size - begin};
    call->secrets_count += kept->data != NULL;
    return kept->data == NULL ? no_memory(err) : SW_OK;
}

/* One more header, over one of that name. */
static enum sw_rc put_header(struct http_call *call, const struct sw_egress_header *header,
                             const struct sw_egress_rule *rule, struct sw_err *err)
{
    struct sw_egress_secrets secrets = {.ctx = call, .get = get_secret, .rule = rule};
    size_t at = 0;
    struct sw_buffer filled;
    struct sw_bytes value;
    enum sw_rc rc;

    sw_buffer_init(&filled, FILLED_MAX);
    rc = sw_egress_fill(header->value, &secrets, &filled, err);
    value = (struct sw_bytes){NULL, filled.size};
    if (rc == SW_OK)
        value.data = sw_arena_copy(call->arena, filled.data, filled.size);
    sw_secrets_buffer_done(&filled);
    if (rc != SW_OK || value.data == NULL)
        return rc != SW_OK ? rc : no_memory(err);
    while (at < call->sent_count && strcasecmp(call->sent[at].name, header->name) != 0)
        at++;
    if (at == SW_OUTBOUND_HEADERS_MAX)
        return sw_err_set(err, SW_E_INVALID, "more than %u headers", SW_OUTBOUND_HEADERS_MAX);
    call->sent[at] = (struct sw_outbound_header){header->name, value};
    call->sent_count += at == call->sent_count;
    return SW_OK;
}

static enum sw_rc put_headers(struct http_call *call, const struct sw_egress_rule *rule,
                              struct sw_err *err)
{
    const struct sw_egress_header key = {KEY_HEADER, call->key};
    const struct sw_egress_header plain = {"Accept-Encoding", "identity"}; /* To hide Secrets in. */
    enum sw_rc rc = SW_OK;

    for (size_t i = 0; rc == SW_OK && i < call->request.headers_count; i++)
        rc = put_header(call, &call->request.headers[i], rule, err);
    for (size_t i = 0; rc == SW_OK && i < rule->headers_count; i++)
        rc = put_header(call, &rule->headers[i], NULL, err);
    if (rc == SW_OK)
        rc = put_header(call, &plain, NULL, err);
    return rc == SW_OK ? put_header(call, &key, NULL, err) : rc;
}

/* By RFC 9110, 9.2.2, the others are made as often as they are asked for. */
static bool is_once(const char *method)
{
    return strcmp(method, "POST") == 0 || strcmp(method, "PATCH") == 0;
}

enum sw_rc sw_fetch_allow(struct http_call *call, struct sw_err *err)
{
    const struct sw_api_egress_rule *spec = NULL;
    const struct sw_egress_rule *rule = NULL;
    uint64_t timeout_ns = 0;
    enum sw_rc rc = find_rule(call, &rule, &spec, err);

    if (rc != SW_OK)
        return rc;
    call->needs_approval = spec->approval && !call->is_approved;
    call->is_once = call->is_once || (is_once(call->request.method) && !spec->idempotent);
    call->may_be_private = rule->allows_private;
    call->answer_bytes_max = rule->answer_bytes_max;
    if (spec->timeout == NULL || sw_text_to_duration_ns(spec->timeout, &timeout_ns) != SW_OK)
        return sw_err_set(err, SW_E_INVALID, "the rule has no timeout");
    call->timeout_ms = timeout_ns / 1000000;
    if (call->request.timeout_ms != 0 && call->request.timeout_ms < call->timeout_ms)
        call->timeout_ms = call->request.timeout_ms;
    return call->needs_approval ? SW_OK : put_headers(call, rule, err);
}

enum sw_rc sw_fetch_prepare(struct http_call *call, struct sw_bytes document, struct sw_err *err)
{
    enum sw_rc rc = sw_egress_request_read(document, call->arena, &call->request, err);

    return rc == SW_OK ? sw_fetch_allow(call, err) : rc;
}
