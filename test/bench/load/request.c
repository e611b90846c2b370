/* `request`: each worker asks an Agent and compares the answer, byte by byte, with what it sent. */
#include "test/bench/load/load.h"

#include "pkg/apis/swarm/v1/protobuf.h"

#include <stdio.h>
#include <string.h>

struct asking {
    struct load *load;
    struct sw_arena *arena; /* For one answer at a time. */
    char *body;             /* Of the options' size; its first bytes say whose call it is. */
};

/* A body of its own for each call, so that a mix-up of answers shows. */
static void fill(struct asking *asking, size_t worker, size_t n)
{
    char text[48];
    int size = snprintf(text, sizeof text, "%zu/%zu ", worker, n);
    size_t taken =
        (size_t)size < asking->load->options.size ? (size_t)size : asking->load->options.size;

    if (asking->load->options.text != NULL)
        return;
    (void)memset(asking->body, 'x', asking->load->options.size);
    (void)memcpy(asking->body, text, taken);
}

static void ask(void *ctx, size_t worker, size_t n, struct sw_buffer *out)
{
    struct asking *asking = ctx;
    struct sw_api_send_request request;

    char to[320];

    fill(asking, worker, n);
    (void)snprintf(to, sizeof to, asking->load->options.near == 0 ? "%s/%zu" : "%s/{%zu}",
                   asking->load->options.agent, worker);
    sw_api_init(&sw_api_send_request_message, &request);
    request.namespace = asking->load->options.space;
    request.to = asking->load->options.keys == 0 ? asking->load->options.agent : to;
    request.content_type = "text/plain";
    request.timeout = "5m"; /* A play of many balls takes long where others work, too. */
    request.body = (struct sw_bytes){asking->body, asking->load->options.size};
    request.want_reply = true;
    sw_protobuf_encode(&sw_api_send_request_message, &request, out);
}

static void check(void *ctx, size_t worker, size_t n, struct sw_bytes answer)
{
    struct asking *asking = ctx;
    struct sw_api_send_response response;

    sw_arena_reset(asking->arena);
    if (sw_protobuf_decode(&sw_api_send_response_message, answer, asking->arena, &response, NULL) !=
        SW_OK) {
        load_fail(asking->load, SW_E_CORRUPT, "an answer cannot be read");
        return;
    }
    fill(asking, worker, n);
    if (response.status != 0) {
        char words[256];

        (void)snprintf(words, sizeof words, "the Agent answered %s: %.*s",
                       sw_rc_name((enum sw_rc)response.status),
                       response.body.size > 128 ? 128 : (int)response.body.size,
                       response.body.size == 0 ? "" : (const char *)response.body.data);
        load_fail(asking->load, SW_E_CORRUPT, words);
        return;
    }
    if (response.body.size != asking->load->options.size ||
        memcmp(response.body.data, asking->body, response.body.size) != 0)
        load_fail(asking->load, SW_E_CORRUPT, "the Agent's answer is wrong");
}

bool load_request(struct load *load)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(LOAD_MESSAGE_MAX);
    const char *text = load->options.text;
    struct asking asking = {.load = load, .arena = arena};
    const struct load_work work = {
        .path = "/swarm.v1.Messages/Send", .ctx = &asking, .ask = ask, .check = check};
    size_t workers = load->options.workers;

    if (text != NULL)
        load->options.size = strlen(text);
    asking.body = sw_arena_get(load->arena, load->options.size + 1);
    if (asking.body == NULL || arena == NULL) {
        load_fail(load, SW_E_EXHAUSTED, "no memory for the body");
        return false;
    }
    if (text != NULL)
        (void)memcpy(asking.body, text, load->options.size);
    return load_run(load, &work, load->options.warm / workers, false) &&
           load_run(load, &work, load->options.count / workers, true);
}
