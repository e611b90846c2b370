/* What agents ask swarm.http for. The first byte says which: 'r' a request and the rules that it is
 * checked against, 'f' a header's value with placeholders, 'a' the body of an answer, in which
 * "secret" is hidden. */
/* uses: pkg/broker/egress/service */
/* covers: pkg/broker/egress/service/request.c pkg/broker/egress/rules.c */
/* covers: pkg/broker/outbound/url.c */
#include "pkg/broker/egress/service/request.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET "secret"

static const char *const hosts[] = {"api.example.com", "*.example.org:8443", "10.0.0.7",
                                    "2001:db8::1"};
static const char *const methods[] = {"GET", "POST"};
static const char *const paths[] = {"/v1/*", "/health"};
static const char *const secrets[] = {"shop/token"};
static const struct sw_egress_rule rules[] = {
    {.hosts = {hosts, 2}, .methods = {methods, 2}, .paths = {paths, 2}, .request_bytes_max = 8},
    {.hosts = {hosts + 2, 2}, .secrets = {secrets, 1}, .allows_plain = true}};

static enum sw_rc get(void *ctx, struct sw_bytes name, struct sw_buffer *out, struct sw_err *err)
{
    (void)ctx;
    if (name.size != strlen(secrets[0]))
        return sw_err_set(err, SW_E_NOT_FOUND, "no such Secret");
    sw_buffer_put_text(out, SECRET);
    return SW_OK;
}

/* What is let through has a host that a rule has, and a path that begins as its paths do. */
static void try_request(struct sw_bytes bytes)
{
    struct sw_arena *arena = sw_arena_new((size_t)32 << 20);
    struct sw_egress_request request;
    const struct sw_egress_rule *rule = NULL;

    if (arena == NULL)
        abort();
    if (sw_egress_request_read(bytes, arena, &request, NULL) == SW_OK) {
        struct sw_egress_ask ask = {.method = request.method,
                                    .target = {.scheme = request.url.scheme,
                                               .host = request.url.host,
                                               .path = request.url.path,
                                               .port = request.url.port},
                                    .body_bytes = request.body.size};

        if (sw_egress_check(rules, 2, &ask, &rule, NULL) == SW_OK && rule == &rules[0] &&
            ((strncmp(request.url.path, "/v1/", 4) != 0 &&
              strcmp(request.url.path, "/health") != 0) ||
             strstr(request.url.path, "/..") != NULL || strcmp(request.url.scheme, "https") != 0 ||
             request.body.size > 8))
            abort();
    }
    sw_arena_free(arena);
}

static void try_value(const char *value)
{
    const struct sw_egress_secrets known = {.get = get, .rule = &rules[1]};
    struct sw_buffer out;

    sw_buffer_init(&out, 4096);
    if (sw_egress_fill(value, &known, &out, NULL) == SW_OK && strstr(value, "{{secret:") != NULL &&
        memmem(out.data, out.size, "{{secret:", 9) != NULL)
        abort();
    sw_buffer_done(&out);
}

static void try_answer(char *bytes, size_t size)
{
    const struct sw_egress_header header = {"content-type", "text/plain"};
    struct sw_egress_answer answer = {
        .status = 200, .headers = &header, .headers_count = 1, .body = {bytes, size}};
    struct sw_buffer out;

    sw_egress_hide(bytes, size, (struct sw_bytes){SECRET, strlen(SECRET)});
    if (memmem(bytes, size, SECRET, strlen(SECRET)) != NULL)
        abort();
    sw_buffer_init(&out, SW_EGRESS_ANSWER_MAX + 1);
    if (sw_egress_answer_print(&answer, &out, NULL) != SW_OK || out.size <= size)
        abort();
    sw_buffer_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = size == 0 ? NULL : malloc(size);

    if (copy == NULL)
        return 0;
    memcpy(copy, data + 1, size - 1);
    copy[size - 1] = '\0';
    if (data[0] == 'r')
        try_request((struct sw_bytes){copy, size - 1});
    else if (data[0] == 'f')
        try_value(copy);
    else
        try_answer(copy, size - 1);
    free(copy);
    return 0;
}
