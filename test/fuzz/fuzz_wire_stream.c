/* Answers and streams of providers of models. The first byte chooses client and upstream, the
 * second where it is cut: however that is, the client gets the same. A whole answer that is made of
 * a stream is one for the client, and becomes a stream again. */
/* uses: pkg/broker/model/wire */
/* covers: pkg/broker/model/wire/answer.c pkg/broker/model/wire/convert.c */
/* covers: pkg/broker/model/wire/relay.c pkg/broker/model/wire/sse.c */
/* covers: pkg/broker/model/wire/chat_answer.c pkg/broker/model/wire/responses_answer.c */
/* covers: pkg/broker/model/wire/messages_answer.c pkg/broker/model/wire/error.c */
#include "pkg/broker/model/wire/wire.h"

#include <stdlib.h>

#define OUT_BYTES_MAX (64u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHAT(more) "{\"model\":\"m\",\"messages\":[{}],\"stream\":true" more "}"
#define RESPONSES(more) "{\"model\":\"m\",\"input\":\"x\",\"stream\":true" more "}"
#define MESSAGES(more)                                                                             \
    "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{}],\"stream\":true" more "}"
#define EMBEDDINGS "{\"model\":\"m\",\"input\":[\"x\"]}"
static const char *const requests[] = {CHAT(",\"stream_options\":{\"include_usage\":true}"),
                                       RESPONSES(",\"reasoning\":{\"effort\":\"low\"}"),
                                       EMBEDDINGS,
                                       MESSAGES(",\"thinking\":{}"),
                                       CHAT(""),
                                       RESPONSES(""),
                                       EMBEDDINGS,
                                       MESSAGES("")};

static void check(bool is_good)
{
    if (!is_good)
        abort();
}

/* What a client gets as a whole it can get as a stream. */
static void try_whole(const struct sw_wire_request *request, const struct sw_buffer *whole)
{
    struct sw_buffer out;
    struct sw_err err = {0};
    struct sw_wire_usage usage;
    const struct sw_bytes body = {whole->data, whole->size};
    enum sw_wire_protocol protocol = sw_wire_request_view(request)->protocol;
    enum sw_rc rc;

    sw_buffer_init(&out, OUT_BYTES_MAX);
    rc = sw_wire_answer_convert(request, protocol, body, &out, &usage, &err);
    check(rc == SW_OK || rc == SW_E_EXHAUSTED);
    sw_buffer_reset(&out);
    rc = sw_wire_answer_stream(request, body, &out, &err);
    check(rc == SW_OK || err.message[0] != '\0');
    sw_buffer_done(&out);
}

static enum sw_rc try_stream(const struct sw_wire_request *request, enum sw_wire_protocol from,
                             struct sw_bytes bytes, size_t piece, struct sw_buffer *out)
{
    SW_CLEANUP(sw_wire_relay_freep) struct sw_wire_relay *relay = NULL;
    struct sw_wire_error error = {.status = 502, .message = "cut"};
    struct sw_wire_usage usage;
    struct sw_buffer whole;
    struct sw_err err = {0};
    enum sw_rc rc = sw_wire_relay_new(request, from, &relay, &err);

    if (rc != SW_OK)
        return rc;
    for (size_t at = 0; rc == SW_OK && at < bytes.size; at += piece) {
        size_t size = bytes.size - at < piece ? bytes.size - at : piece;

        rc = sw_wire_relay_push(relay, (struct sw_bytes){(const uint8_t *)bytes.data + at, size},
                                out, &err);
    }
    if (rc == SW_OK)
        rc = sw_wire_relay_finish(relay, out, &err);
    sw_wire_relay_usage(relay, &usage);
    check(rc == SW_OK || err.message[0] != '\0');
    check(sw_wire_relay_is_ended(relay) == (rc == SW_OK) && usage.output_bytes <= bytes.size);
    check((rc == SW_E_UNKNOWN) == (sw_wire_relay_error(relay) != NULL));
    sw_buffer_init(&whole, OUT_BYTES_MAX);
    if (sw_wire_relay_answer(relay, &whole, &err) == SW_OK &&
        sw_wire_request_view(request)->protocol != SW_WIRE_RESPONSES)
        try_whole(request, &whole);
    sw_buffer_done(&whole);
    if (rc != SW_OK)
        sw_wire_relay_fail(
            relay, sw_wire_relay_error(relay) != NULL ? sw_wire_relay_error(relay) : &error, out);
    return rc;
}

static void try_answer(const struct sw_wire_request *request, enum sw_wire_protocol from,
                       struct sw_bytes body)
{
    struct sw_wire_usage usage;
    struct sw_wire_error error;
    struct sw_buffer out;
    struct sw_err err = {0};
    enum sw_rc rc;

    sw_buffer_init(&out, OUT_BYTES_MAX);
    rc = sw_wire_answer_convert(request, from, body, &out, &usage, &err);
    check(rc == SW_OK || (err.message[0] != '\0' && out.size == 0));
    if (rc == SW_OK && from != sw_wire_request_view(request)->protocol)
        try_whole(request, &out);
    sw_buffer_reset(&out);
    check(sw_wire_error_read(from, 500, body, &error) || error.type[0] == '\0');
    check(error.message[0] != '\0');
    sw_wire_error_write(sw_wire_request_view(request)->protocol, &error, &out);
    check(sw_wire_error_read(sw_wire_request_view(request)->protocol, 500,
                             (struct sw_bytes){out.data, out.size}, &error));
    sw_buffer_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SW_CLEANUP(sw_wire_request_freep) struct sw_wire_request *request = NULL;
    enum sw_wire_protocol from;
    struct sw_buffer one, other;
    struct sw_err err = {0};
    struct sw_bytes bytes = {data + 2, size - 2};
    unsigned which;

    if (size < 2)
        return 0;
    which = data[0] % 8u;
    from = (enum sw_wire_protocol)(data[0] / 8u % SW_WIRE_PROTOCOLS);
    check(sw_wire_request_read((enum sw_wire_protocol)(which % SW_WIRE_PROTOCOLS),
                               (struct sw_bytes){requests[which], strlen(requests[which])},
                               &request, &err) == SW_OK);
    if (data[0] >= 128) {
        try_answer(request, from, bytes);
        return 0;
    }
    sw_buffer_init(&one, OUT_BYTES_MAX);
    sw_buffer_init(&other, OUT_BYTES_MAX);
    check(try_stream(request, from, bytes, bytes.size + 1, &one) ==
          try_stream(request, from, bytes, 1 + (size_t)data[1], &other));
    check(one.size == other.size && (one.size == 0 || memcmp(one.data, other.data, one.size) == 0));
    sw_buffer_done(&one);
    sw_buffer_done(&other);
    return 0;
}
