#include "cmd/swarmd/keys.h"

#include <inttypes.h>

static enum sw_rc list(void *ctx, struct sw_buffer *out, struct sw_err *err)
{
    const struct keys_adapter *adapter = ctx;
    struct sw_rotation_keys keys;
    enum sw_rc rc = sw_rotation_look(adapter->objects, adapter->ring, &keys, err);

    if (rc == SW_OK)
        sw_rotation_print_keys(&keys, out);
    return rc;
}

static void on_rotated(void *ctx, enum sw_rc rc, const struct sw_rotation_report *report,
                       const struct sw_err *err)
{
    struct keys_adapter *adapter = ctx;
    struct sw_buffer json;

    adapter->rotation = NULL;
    if (rc != SW_OK) {
        sw_log(adapter->logger, SW_LOG_WARN, "secrets", "a rotation of keys was broken off: %s",
               err->message);
        adapter->done(adapter->ctx, rc, (struct sw_bytes){NULL, 0}, err);
        return;
    }
    sw_log(adapter->logger, SW_LOG_INFO, "secrets",
           "%" PRIu64 " Secrets were sealed again, with the key %s; %zu older keys went, %zu stay",
           report->resealed, report->now.keys[0].id, report->dropped_count, report->now.count - 1);
    sw_buffer_init(&json, SW_GATEWAY_KEYS_BYTES_MAX);
    sw_rotation_print_report(report, &json);
    adapter->done(adapter->ctx, SW_OK, (struct sw_bytes){json.data, json.size}, NULL);
    sw_buffer_done(&json);
}

static enum sw_rc rotate(void *ctx, const struct sw_gateway_rotation *rotation,
                         void (*done)(void *done_ctx, enum sw_rc rc, struct sw_bytes json,
                                      const struct sw_err *err),
                         void *done_ctx, struct sw_err *err)
{
    struct keys_adapter *adapter = ctx;
    const struct sw_rotation_options options = {.objects = adapter->objects,
                                                .ring = adapter->ring,
                                                .actor = rotation->actor,
                                                .is_resumed = rotation->is_resumed,
                                                .keeps_unused = rotation->keeps_unused};
    enum sw_rc rc;

    if (adapter->rotation != NULL)
        return sw_err_set(err, SW_E_PRECONDITION, "the keys of Secrets are being rotated already");
    rc = sw_rotation_start(&options, on_rotated, adapter, &adapter->rotation, err);
    if (rc != SW_OK)
        return rc;
    adapter->done = done;
    adapter->ctx = done_ctx;
    return SW_OK;
}

struct sw_gateway_keys keys_adapter_gateway(struct keys_adapter *adapter)
{
    return (struct sw_gateway_keys){.ctx = adapter, .list = list, .rotate = rotate};
}

void keys_adapter_stop(struct keys_adapter *adapter)
{
    struct sw_err err = {0};

    if (adapter->rotation == NULL)
        return;
    sw_rotation_stop(adapter->rotation);
    adapter->rotation = NULL;
    (void)sw_err_set(&err, SW_E_UNAVAILABLE, "swarmd stops; the keys of Secrets are as they were");
    sw_err_hint(&err, "do the rest when it is up again: swarmctl secrets rotate --resume");
    adapter->done(adapter->ctx, SW_E_UNAVAILABLE, (struct sw_bytes){NULL, 0}, &err);
}
