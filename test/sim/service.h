/* What swarmd does with outside calls of instances, and what must never be seen of them.
 *
 * Each call is begun once per life of swarmd, which may end with a host; what was begun is answered
 * after a while, sometimes twice, sometimes again when the call is long over. An answer is a
 * receipt with a number of its own, so the lives of the instances show who took which.
 *
 * Threads: one.  I/O: none.  Limits: SIM_RECEIPTS_MAX, SIM_HEARD_MAX. */
#pragma once
#include "pkg/agent/link/frame.h"
#include "pkg/utils/base/map.h"
#include "test/sim/loop.h"
#include "test/sim/protocol.h"
#include "test/sim/random.h"
#include "test/sim/trace.h"

#define SIM_RECEIPTS_MAX 65536u
#define SIM_HEARD_MAX 65536u

struct sim_service_options {
    struct sim_loop *loop;
    struct sim_trace *trace;
    uint64_t seed;
    void *ctx; /* First argument of what follows. */
    /* To the host that runs, if one does. */
    void (*send)(void *ctx, const struct sw_frame *frame);
    /* The Agent's name of a Pod; "": no such Pod. */
    const char *(*agent_of)(void *ctx, struct sw_bytes uid);
};

struct sim_service {
    struct sim_service_options options;
    struct sim_random random;
    struct sw_map *calls; /* struct call of service.c by name; kept when they are over. */
    struct sim_receipt_record {
        uint64_t op;
        char caller[24]; /* "account/3" */
    } *receipts;         /* Owned; number 1 is the first. */
    uint64_t receipts_count;
    struct sim_call *heard; /* Owned: all that ever arrived. */
    uint64_t heard_count;
    uint64_t hosts; /* That ended. */
    uint64_t mean_ns;
    char breach[200]; /* What must never be seen; "": nothing was. */
};

void sim_service_init(struct sim_service *service, const struct sim_service_options *options);
void sim_service_done(struct sim_service *service);
/* CALL and CALL_END of the host. */
void sim_service_take(struct sim_service *service, const struct sw_frame *frame);
/* The host ended, and swarmd perhaps with it. */
void sim_service_host_ended(struct sim_service *service);
/* Calls that the present host asked for and that are not over. One whose end was lost with a host
 * is not asked for any more. */
uint32_t sim_service_open(const struct sim_service *service);
/* The receipt of that number; NULL: none was given. */
const struct sim_receipt_record *sim_service_receipt(const struct sim_service *service,
                                                     uint64_t number);
