#include "pkg/controller/webhooks/send.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/security/crypto/digest.h"
#include "pkg/utils/base/text.h"

#define TIMEOUT_MS 15000u /* What Standard Webhooks think of as the least. */
#define CONNECT_MS 10000u
#define KEY_PREFIX "whsec_"
#define SIGNATURE_MAX 128u

struct webhook_send {
    struct sw_transfer *transfer;
    struct webhook_listener listener;
    int status;
    char *body; /* Owned: it is sent from here. */
};

static void send_free(struct webhook_send *send)
{
    free(send->body);
    free(send);
}

static void on_head(void *ctx, struct sw_transfer *transfer, int status)
{
    struct webhook_send *send = ctx;

    (void)transfer;
    send->status = status;
}

static void on_body(void *ctx, struct sw_transfer *transfer, struct sw_bytes bytes)
{
    (void)ctx; /* Nothing in it is asked for. */
    (void)transfer;
    (void)bytes;
}

static void on_end(void *ctx, struct sw_transfer *transfer, const struct sw_outbound_end *end)
{
    struct webhook_send *send = ctx;
    char words[256] = "";

    (void)transfer;
    if (end->rc != SW_OK)
        (void)snprintf(words, sizeof words, "%s", end->why);
    else if (send->status < 200 || send->status > 299)
        (void)snprintf(words, sizeof words, "it answered %d", send->status);
    send->listener.done(send->listener.ctx, words[0] == '\0' ? NULL : words);
    send_free(send);
}

/* "v1,BASE64" over "ID.TIMESTAMP.BODY". */
static enum sw_rc sign(const struct webhook_message *message, const char *timestamp,
                       struct sw_buffer *out, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text;
    const char *prefix = KEY_PREFIX;
    size_t skip = strlen(prefix);
    struct sw_buffer key;
    uint8_t mac[SW_SHA256_SIZE];
    enum sw_rc rc = SW_OK;

    sw_buffer_init(&text, message->body.size + 1024);
    sw_buffer_init(&key, message->key.size + 1);
    if (message->key.size >= skip && memcmp(message->key.data, prefix, skip) == 0)
        rc = sw_base64_decode((const char *)message->key.data + skip, message->key.size - skip,
                              &key);
    else
        sw_buffer_put(&key, message->key.data, message->key.size);
    sw_buffer_print(&text, "%s.%s.", message->id, timestamp);
    sw_buffer_put(&text, message->body.data, message->body.size);
    if (rc != SW_OK)
        rc = sw_err_set(err, SW_E_INVALID, "its key begins with whsec_, and is no base64");
    else if (sw_buffer_check(&key) != SW_OK || sw_buffer_check(&text) != SW_OK)
        rc = sw_err_set(err, SW_E_EXHAUSTED, "no memory for a webhook");
    if (rc == SW_OK) {
        sw_hmac_sha256((struct sw_bytes){key.data, key.size},
                       (struct sw_bytes){text.data, text.size}, mac);
        sw_buffer_put_text(out, "v1,");
        sw_base64_encode(mac, sizeof mac, out);
        rc = sw_buffer_check(out);
    }
    if (key.data != NULL)
        explicit_bzero(key.data, key.size);
    sw_buffer_done(&key);
    return rc;
}

static struct sw_bytes text_of(const char *text)
{
    return (struct sw_bytes){text, strlen(text)};
}

static enum sw_rc start(struct sw_outbound *outbound, const struct webhook_message *message,
                        const char *timestamp, struct webhook_send *send, struct sw_err *err)
{
    const struct sw_outbound_handler handler = {
        .ctx = send, .on_head = on_head, .on_body = on_body, .on_end = on_end};
    SW_CLEANUP(sw_buffer_done) struct sw_buffer signature;
    enum sw_rc rc;

    sw_buffer_init(&signature, SIGNATURE_MAX);
    rc = sign(message, timestamp, &signature, err);
    if (rc != SW_OK)
        return rc;
    const struct sw_outbound_header headers[] = {
        {"content-type", text_of("application/json")},
        {"user-agent", text_of("swarm")},
        {"webhook-id", text_of(message->id)},
        {"webhook-timestamp", text_of(timestamp)},
        {"webhook-signature", {signature.data, signature.size}}};
    const struct sw_outbound_request request = {.method = "POST",
                                                .url = message->url,
                                                .headers = headers,
                                                .headers_count = sizeof headers / sizeof headers[0],
                                                .body = {send->body, message->body.size},
                                                .timeout_ms = TIMEOUT_MS,
                                                .connect_timeout_ms = CONNECT_MS};
    return sw_outbound_start(outbound, &request, &handler, &send->transfer, err);
}

enum sw_rc sw_webhook_begin(struct sw_outbound *outbound, const struct sw_system *system,
                            const struct webhook_message *message,
                            const struct webhook_listener *listener, struct webhook_send **ret_send,
                            struct sw_err *err)
{
    struct webhook_send *send = calloc(1, sizeof *send);
    char timestamp[24];
    enum sw_rc rc;

    if (send == NULL || (send->body = malloc(message->body.size + 1)) == NULL) {
        free(send);
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a webhook");
    }
    memcpy(send->body, message->body.data, message->body.size);
    send->listener = *listener;
    (void)snprintf(timestamp, sizeof timestamp, "%" PRIu64,
                   system->utc_ns(system->ctx) / 1000000000u);
    rc = start(outbound, message, timestamp, send, err);
    if (rc == SW_OK)
        *ret_send = send;
    else
        send_free(send);
    return rc;
}

void sw_webhook_cancel(struct webhook_send *send)
{
    sw_outbound_cancel(send->transfer);
    send_free(send);
}
