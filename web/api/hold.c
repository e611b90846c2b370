/* Messages that nobody can take yet, because the agent host starts or the Agent was applied a
 * moment ago and its Pods are on their way. They wait here, in the memory of their request, and are
 * sent again until somebody takes them: who applies an Agent and writes to it in the next line is
 * answered. Nothing is held for an Agent that there is not, or that has failed. */
#include "web/api/hold.h"

#include <string.h>

#define HELD_MAX 256u
#define HELD_TICK_MS 50u

void sw_gateway_hold_begin(struct gateway_call *call, const struct sw_gateway_message *message)
{
    uint64_t now_ms = sw_loop_now_ms(call->gateway->options.loop);
    uint64_t patience_ms = message->timeout_ms - message->timeout_ms / 10;

    call->held = (struct gateway_held){.message = *message};
    /* The refusal must reach the client before its own patience ends. */
    call->held.until_ms = patience_ms > UINT64_MAX - now_ms ? UINT64_MAX : now_ms + patience_ms;
}

enum prospect { AGENT_ABSENT, AGENT_COMING, AGENT_FAILED };

/* What the Agent says of itself becomes the error, should the message not wait. */
static void explain(const struct sw_api_agent *agent, struct sw_err *err)
{
    const struct sw_api_condition *ready =
        sw_condition_find(agent->status.conditions, agent->status.conditions_count, "Ready");

    (void)sw_err_set(err, SW_E_UNAVAILABLE, "Agent %s does not run: %.300s", agent->metadata.name,
                     ready == NULL ? "it was applied a moment ago" : ready->message);
    sw_err_hint(err, "see why with: swarm describe agent %s", agent->metadata.name);
}

static enum prospect look_up(const struct gateway_call *call, struct sw_err *err)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(SW_OBJECT_ARENA_MAX);
    const char *to = call->held.message.to;
    struct sw_object_ref ref = {.kind = sw_kind_find("Agent"),
                                .namespace_name = call->held.message.namespace_};
    const struct sw_api_agent *agent;
    void *object = NULL;

    if (arena == NULL)
        return AGENT_ABSENT;
    ref.name = sw_arena_copy(arena, to, strcspn(to, "/"));
    if (ref.name == NULL ||
        sw_objects_get(call->gateway->options.objects, &ref, arena, &object, NULL) != SW_OK)
        return AGENT_ABSENT;
    agent = object;
    explain(agent, err);
    return agent->status.phase == SW_API_AGENT_PHASE_DEGRADED ? AGENT_FAILED : AGENT_COMING;
}

static bool may_wait(struct gateway_call *call)
{
    struct sw_gateway *gateway = call->gateway;
    struct gateway_held *held = &call->held;
    struct sw_bytes body = held->message.body;

    if (gateway->is_draining || call->request->is_cancelled || gateway->held_count >= HELD_MAX ||
        sw_loop_now_ms(gateway->options.loop) >= held->until_ms)
        return false;
    if (call->grpc == NULL || held->was_held || body.size == 0)
        return true;
    /* The body of a gRPC message is borrowed for the call. */
    held->message.body.data = sw_arena_copy(call->request->arena, body.data, body.size);
    return held->message.body.data != NULL;
}

bool sw_gateway_hold(struct gateway_call *call, enum sw_rc rc, struct sw_err *err)
{
    struct sw_gateway *gateway = call->gateway;

    if (rc != SW_E_UNAVAILABLE && rc != SW_E_NOT_FOUND)
        return false;
    if (look_up(call, err) != AGENT_COMING || !may_wait(call))
        return false;
    call->held.was_held = true;
    sw_list_add(&gateway->held, &call->held.node);
    if (gateway->held_count++ == 0)
        sw_timer_start(gateway->held_timer, HELD_TICK_MS);
    return true;
}

/* Send again whatever is held: each ends or comes back into the list. */
void sw_gateway_hold_tick(void *ctx)
{
    struct sw_gateway *gateway = ctx;
    struct sw_err gone = {.rc = SW_E_CANCELLED};

    for (unsigned left = gateway->held_count; left > 0; left--) {
        struct gateway_held *held = SW_LIST_ITEM(gateway->held.next, struct gateway_held, node);
        struct gateway_call *call = SW_LIST_ITEM(&held->node, struct gateway_call, held.node);
        uint64_t now_ms = sw_loop_now_ms(gateway->options.loop);

        sw_list_remove(&held->node);
        gateway->held_count--;
        held->message.timeout_ms = held->until_ms > now_ms ? held->until_ms - now_ms : 1;
        if (call->request->is_cancelled) /* Nobody wants it sent any more. */
            sw_gateway_fail(call, SW_E_CANCELLED, &gone);
        else
            sw_gateway_send_now(call);
    }
    if (gateway->held_count > 0)
        sw_timer_start(gateway->held_timer, HELD_TICK_MS);
}
