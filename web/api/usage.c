#include "web/api/usage.h"

#include "pkg/utils/base/text.h"
#include "web/api/state.h"

/* What the Agents of a namespace used: sums that their hosts keep, so it costs no instance a look.
 */

void sw_gateway_put_usage(const struct sw_gateway_usage *usage, struct sw_buffer *out)
{
    const struct {
        const char *name;
        uint64_t value;
    } fields[] = {{"cpuNanoseconds", usage->cpu_ns},
                  {"messages", usage->messages},
                  {"messageBytes", usage->message_bytes},
                  {"sent", usage->sent},
                  {"sentBytes", usage->sent_bytes},
                  {"wakeups", usage->wakeups},
                  {"memoryByteSeconds", usage->memory_byte_s},
                  {"memoryBytes", usage->memory_bytes},
                  {"fuel", usage->fuel}};
    char time[SW_TIME_TEXT_SIZE];

    sw_buffer_put_u8(out, '{');
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        sw_buffer_print(out, "\"%s\":\"%llu\",", fields[i].name,
                        (unsigned long long)fields[i].value);
    sw_time_print(usage->utc_ns, time);
    sw_buffer_print(out, "\"time\":\"%s\"}", time);
}

static void put_agent(void *ctx, const char *agent, const struct sw_gateway_usage *usage)
{
    struct sw_buffer *body = ctx;

    if (((const char *)body->data)[body->size - 1] != '[')
        sw_buffer_put_u8(body, ',');
    sw_buffer_put_text(body, "{\"agent\":");
    sw_json_put_text(body, agent);
    sw_buffer_put_text(body, ",\"usage\":");
    sw_gateway_put_usage(usage, body);
    sw_buffer_put_u8(body, '}');
}

void sw_gateway_serve_usage(struct gateway_call *call)
{
    const struct sw_gateway_agents *agents = &call->gateway->options.agents;
    struct sw_buffer body;
    struct sw_err err = {0};

    if (agents->usage == NULL) {
        sw_gateway_fail(call, sw_err_set(&err, SW_E_UNSUPPORTED, "this daemon runs no agents"),
                        &err);
        return;
    }
    sw_buffer_init(&body, GATEWAY_LIST_BYTES_MAX);
    sw_buffer_put_text(&body, "{\"items\":[");
    if (!body.failed)
        agents->usage(agents->ctx, call->route.namespace_, put_agent, &body);
    sw_buffer_put_text(&body, "]}");
    if (body.failed)
        sw_gateway_fail(call, sw_err_set(&err, SW_E_EXHAUSTED, "no memory for the list"), &err);
    else
        sw_gateway_answer_bytes(call, 200, "application/json",
                                (struct sw_bytes){body.data, body.size});
    sw_buffer_done(&body);
}
