/* Stands in front of services that agents call, and sees whether their calls go in circles.
 *
 *     instance ─► guard ─► service         stopped: refused   throttled: later
 *              ◄─ guard ◄─ answer ─► a step of pkg/broker/loops ─► found: told, and as spec.loops
 * says
 *
 * What an Agent's spec says is read once a second at most. A stop holds until the Agent's
 * generation is another one, which is a change of its spec by somebody, or spec.loops.hold is over;
 * then the instance begins with an empty window. What is known of loops goes with this process.
 * Threads: the loop's.  I/O: reads of the store.
 * Limits: SW_LOOPS_INSTANCES_MAX instances, SW_GUARD_AGENTS_MAX Agents, so many instances held. */
#pragma once
#include "pkg/broker/loops/loops.h"
#include "pkg/broker/model/wire/wire.h"
#include "pkg/broker/service/service.h"
#include "pkg/store/objects/objects.h"
#include "pkg/utils/loop/loop.h"
#include "pkg/utils/system/system.h"

#define SW_GUARD_AGENTS_MAX 65536u
#define SW_GUARD_SERVICES_MAX 8u
#define SW_GUARD_DELAY_MS                                                                          \
    1000u /* Of the first call that is throttled; each next one twice that,                        \
           */
#define SW_GUARD_DELAY_MAX_MS 60000u /* up to this. */
#define SW_GUARD_WORDS_MAX 512u

struct sw_guard; /* Opaque. */

struct sw_guard_found { /* Borrowed for the call. */
    const char *name_space, *agent;
    const char
        *instance; /* "agent/key"; "agent" if the key is no text, or too long for an Event. */
    enum sw_loop_kind kind;
    const char *words;
};
struct sw_guard_options { /* All borrowed. */
    struct sw_loop *loop;
    const struct sw_system *system;
    const struct sw_objects *objects;
    void *ctx; /* First argument of what follows. */
    /* A loop was found, or has gone round twice as often as when it was told last. */
    void (*on_found)(void *ctx, const struct sw_guard_found *found);
};

/* SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_guard_new(const struct sw_guard_options *options,
                                      struct sw_guard **ret_guard, struct sw_err *err);
/* Before the services that it stands in front of; calls under way are cancelled there. */
void sw_guard_free(struct sw_guard *guard);
SW_DEFINE_CLEANUP(struct sw_guard, sw_guard_free)
/* Stand in front of the service of that name, which was added. Those of models are seen as such;
 * "swarm.model.next" and embeddings are only refused and throttled.
 * SW_E_NOT_FOUND: there is none.  SW_E_EXHAUSTED: SW_GUARD_SERVICES_MAX. */
SW_MUST_CHECK enum sw_rc sw_guard_wrap(struct sw_guard *guard, struct sw_services *services,
                                       const char *name, struct sw_err *err);

struct sw_guard_asked { /* A call of a model that is no call of a service: a program's. Borrowed. */
    const char *name_space, *agent;
    struct sw_bytes instance;
    enum sw_wire_protocol protocol;
    struct sw_bytes body;
};
/* It is asked now: sw_guard_answered follows once, before the guard is freed.
 * SW_E_PRECONDITION  its instance is stopped     SW_E_EXHAUSTED  it is throttled, and to ask again
 * in *ret_retry_ms; or no memory */
SW_MUST_CHECK enum sw_rc sw_guard_ask(struct sw_guard *guard, const struct sw_guard_asked *asked,
                                      void **ret_ticket, uint64_t *ret_retry_ms,
                                      struct sw_err *err);
/* What came of it: a code and, if it is SW_OK, the answer, if that is one document. */
void sw_guard_answered(void *ticket, enum sw_rc rc, struct sw_bytes body);

struct sw_guard_figures {              /* Since this process began. */
    uint64_t found[SW_LOOP_RETRY + 1]; /* By kind. */
    uint64_t refused, throttled;       /* Calls. */
    uint64_t instances;                /* That are known now. */
};
void sw_guard_figures(const struct sw_guard *guard, struct sw_guard_figures *ret_figures);
