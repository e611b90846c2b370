/* The gateway's view of the agents of this node: thin words between pkg/agent/hosts,
 * pkg/agent/logs and web/api.
 *
 * Threads: the loop's.  I/O: none of its own. */
#pragma once
#include "pkg/agent/hosts/hosts.h"
#include "pkg/agent/logs/logs.h"
#include "web/api/gateway.h"

struct agents_adapter {
    struct sw_hosts *hosts; /* Borrowed, as the others; set before the first call. */
    struct sw_logs *logs;
    const char *node_name;
};

/* Why a host has refused something, in its words. SW_OK: err is as it was. */
void agents_error(const struct sw_agent_result *result, struct sw_err *err);
/* What was used, as the gateway has it. */
struct sw_gateway_usage agents_usage(const struct sw_pod_used *used);
/* Fill the vtable; ctx is the adapter, which outlives the gateway. */
struct sw_gateway_agents agents_adapter_gateway(struct agents_adapter *adapter);
/* The part of it about dead letters (letters.c). */
void agents_adapter_letters(struct sw_gateway_agents *vtable);
/* The part of it about what was (history.c). */
void agents_adapter_history(struct sw_gateway_agents *vtable);
/* Where the supervisor tells of log lines; ctx is the adapter. */
void agents_adapter_on_log(void *ctx, const struct sw_agent_log *log);
