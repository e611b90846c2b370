/* The gateway to models as services of agents: what a guest asks for with swarm_call.
 *
 *     swarm.model.chat, .responses, .embeddings, .messages   a request of that protocol
 *     swarm.model.next                                        "STREAM AFTER"
 *
 * The answer of the first four is the document of that protocol, with the type "application/json;
 * provider=NAME; cost=BILLIONTHS", of who answered and what all attempts cost in dollars, or, to a
 * request for a stream, the stream's name, with the type SW_MODEL_STREAM_TYPE, as soon as there is
 * one. What has come since byte AFTER is then asked for again and again: each answer is whole
 * events, with the type SW_MODEL_EVENTS_TYPE, or SW_MODEL_LAST_TYPE for the last one. Each is a
 * call of its own with a record of its own, so that a replay makes none of them. Threads: the
 * loop's.  I/O: none of its own. Limits: SW_MODEL_STREAMS_MAX at once, each kept for
 * SW_MODEL_STREAM_IDLE_MS while nobody asks, and SW_MODEL_STREAM_LEFT_MS after an instance that
 * waited for more of it has gone; then its provider is left. */
#pragma once
#include "pkg/broker/model/model.h"
#include "pkg/broker/service/service.h"

#define SW_MODEL_STREAM_TYPE "application/vnd.swarm.stream"
#define SW_MODEL_EVENTS_TYPE "text/event-stream"
#define SW_MODEL_LAST_TYPE "text/event-stream; last"
#define SW_MODEL_STREAMS_MAX 65536u
#define SW_MODEL_STREAM_IDLE_MS 60000u
#define SW_MODEL_STREAM_LEFT_MS 2000u

struct sw_model_services; /* Opaque. */

/* Add them to the registry. All is borrowed.
 * SW_E_EXHAUSTED: no memory.  Others as sw_services_add. */
SW_MUST_CHECK enum sw_rc sw_model_services_new(struct sw_models *models, struct sw_loop *loop,
                                               const struct sw_system *system,
                                               struct sw_services *services,
                                               struct sw_model_services **ret_services,
                                               struct sw_err *err);
/* Calls under way end without an answer. Before the models are freed. */
void sw_model_services_free(struct sw_model_services *services);
SW_DEFINE_CLEANUP(struct sw_model_services, sw_model_services_free)
