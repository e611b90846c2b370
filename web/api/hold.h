/* Messages that wait until somebody can take them. Private to this room. Threads, I/O, limits:
 * gateway.h. */
#pragma once
#include "web/api/state.h"

/* Note a message before it is sent. */
void sw_gateway_hold_begin(struct gateway_call *call, const struct sw_gateway_message *message);
/* Nobody took it. True: it is held and sent again soon. False: it has failed for good, and err says
 * why, in the words of the Agent if there is one. */
bool sw_gateway_hold(struct gateway_call *call, enum sw_rc rc, struct sw_err *err);
void sw_gateway_hold_tick(void *ctx);
