/* Simulated clients and what they do: operations on instances, asked for again when the answer was
 * lost, and the history of all of them, which is what the checker judges by.
 *
 * Threads: one.  I/O: none.  Limits: SIM_OPS_MAX operations in a run. */
#pragma once
#include "test/sim/front.h"
#include "test/sim/protocol.h"

#define SIM_OPS_MAX 20000u
#define SIM_CLIENTS 10u
#define SIM_OP_KINDS (SIM_OP_CRASH + 1)

enum sim_fate {
    SIM_FATE_OPEN,
    SIM_FATE_DONE,    /* Acknowledged: it happened once. */
    SIM_FATE_REFUSED, /* Every try was refused: it never happened. */
    SIM_FATE_UNKNOWN  /* Some try may have been taken: it happened once or never. */
};

struct sim_record { /* One operation as its client saw it. */
    struct sim_request request;
    uint32_t peer; /* Whom it was sent to; SIM_CLIENT: a publish to nobody in particular. */
    bool is_named, wants_reply, has_unknown;
    uint32_t tries, repeats;
    enum sim_fate fate;
    uint32_t code;
    uint64_t first_ns, done_ns; /* Sent first; acknowledged, or SIM_NEVER. */
    struct sim_answer answer;
    uint64_t subscribers;
};

struct sim_work;

struct sim_client {
    struct sim_work *work;
    struct sim_random random;
    struct sim_event act; /* To begin, to try again, or to give up waiting. */
    struct sim_record *record;
    uint64_t request; /* Under way; 0: none. */
    uint32_t left;    /* Operations of this burst. */
    uint32_t number;
};

struct sim_work {
    struct sim_front *front;
    struct sim_loop *loop;
    struct sim_trace *trace;
    struct sim_random random;
    struct sim_record *records; /* Owned. */
    uint32_t records_count;
    struct sim_client clients[SIM_CLIENTS];
    uint32_t weights[SIM_OP_KINDS]; /* Of operations, by enum sim_op. */
    uint32_t weights_sum;
    uint64_t think_ns;
    uint32_t named_permille, hot_peer, spam_left, crashes_left;
    char breach[300]; /* An answer that must never be given; "": none was. */
};

void sim_work_init(struct sim_work *work, struct sim_front *front, uint64_t seed);
void sim_work_done(struct sim_work *work);
/* Each client does about so many operations now. */
void sim_work_burst(struct sim_work *work, uint32_t count);
/* No client waits for anything. */
bool sim_work_is_quiet(const struct sim_work *work);
/* The operation of that id, or NULL. */
const struct sim_record *sim_work_find(const struct sim_work *work, uint64_t id);
/* "account/3" in two parts. */
void sim_peer_name(uint32_t peer, const char **ret_agent, char ret_key[8]);
/* The number of "account/3"; SIM_CLIENT: of nobody. */
uint32_t sim_peer_of(struct sw_bytes name);
const char *sim_op_name(uint32_t op);
/* Whether clients give names to what they ask of that brief/N. */
static inline bool sim_is_remembered(uint32_t peer)
{
    return peer % 4 == 0 && peer < SIM_FRESH_FIRST;
}
