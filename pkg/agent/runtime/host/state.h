/* What the files of this room share; private to it.
 *
 * Threads, I/O, Limits: as host.h. */
#pragma once
#include "pkg/agent/runtime/host/balance.h"
#include "pkg/agent/runtime/host/host.h"
#include "pkg/utils/base/map.h"

struct pod { /* By uid. */
    uint64_t number;
    uint32_t worker;
    bool is_durable, is_open;
    struct sw_route_change route; /* Its texts are in `texts`. */
    char texts[2 * SW_FRAME_NAME_MAX];
};

struct module {                   /* By the name of the program: class.h. */
    struct sw_guest_module *code; /* NULL while it arrives. */
    struct sw_buffer arriving;
    uint64_t total;
    bool is_dropped; /* It goes when no frame waits that names it. */
};

struct waiting { /* A frame that came while slots of its Agent were to move. */
    struct waiting *next;
    uint8_t agent[16]; /* As slots of its keys are found with. */
    uint64_t retry_ns; /* Not before, by the monotonic clock. */
    size_t size;
    uint8_t bytes[];
};

struct sw_host {
    struct sw_host_options options;
    struct sw_routes *routes;
    struct sw_map *pods, *modules;
    struct sw_map *open; /* Numbers of open Pods; the value is the pod. */
    uint64_t next_replica;
    struct sw_buffer fork;   /* As far as it has arrived. */
    struct waiting *waiting; /* Frames about Pods, the oldest first. */
    bool is_partial; /* A segment was in the way when slots moved last: some are to move yet. */
    bool is_still;   /* All workers are at rest, and this thread hands them items itself. */
    struct sw_balance *balance;
    struct sw_balance_plan plan; /* A Pod that is held until it can go; pod 0: none. */
    uint64_t plan_until_ns, plan_again_ns;
    uint64_t seen_ns, moved; /* When heat was looked at last; Pods that went to another worker. */
};

/* Open a Pod, or change one that is open. `slots` are those that it gets now. */
SW_MUST_CHECK enum sw_rc sw_host_open_pod(struct sw_host *host,
                                          const struct sw_frame_pod_open *open,
                                          const uint8_t slots[SW_SLOTS / 8], struct sw_err *err);
SW_MUST_CHECK enum sw_rc
sw_host_close_pod(struct sw_host *host, const struct sw_frame_pod_close *close, struct sw_err *err);

/* --- heat.c ----------------------------------------------------------------------------------- */

/* Whether a Pod begins nothing until it goes to another worker, and seeing whether it can go. */
bool sw_host_holds_pod(const struct sw_host *host);
SW_MUST_CHECK enum sw_rc sw_host_follow_plan(struct sw_host *host, struct sw_err *err);

/* --- slots.c ---------------------------------------------------------------------------------- */

/* Act on POD_OPEN or POD_CLOSE. Those whose slots others hold wait until those can move, and what
 * comes for the same Agent waits behind them, in order. */
SW_MUST_CHECK enum sw_rc sw_host_take_pod_frame(struct sw_host *host, const struct sw_frame *frame,
                                                struct sw_err *err);
void sw_host_free_waiting(struct sw_host *host);
/* Whether a Pod that waits for its slots is to run this module. */
bool sw_host_awaits(const struct sw_host *host, struct sw_bytes digest);
/* --- host.c ----------------------------------------------------------------------------------- */

/* Frames that waited were acted on: modules that were dropped meanwhile may go now. */
void sw_host_drop_modules(struct sw_host *host);
