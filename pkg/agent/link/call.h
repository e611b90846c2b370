/* Outside calls of instances: what the frames CALL, CALL_RESULT and CALL_END hold.
 *
 * Threads, I/O, Limits: none; each field's limit is in frame.c. */
#pragma once
#include "pkg/utils/base/buffer.h"

/* An outside call is named by its instance and by the number of the wait that it is, which no other
 * one of that instance ever has. The name stays the same when a host that was started again sends
 * it again. */
struct sw_frame_call_name {
    uint64_t incarnation; /* Of the journal, or of the host for who is in no journal. */
    uint64_t instance, number;
};

struct sw_frame_call {
    struct sw_frame_call_name name;
    uint64_t pod;        /* The host's own number of the Pod: comes back with the result. */
    struct sw_bytes uid; /* Of the Pod. */
    struct sw_bytes key; /* Of the instance. */
    struct sw_bytes service, type, body;
    uint64_t turn;  /* That makes it: the number of its first wait. */
    uint32_t depth; /* 1: it answers no other agent of this host; more: so many less 1 in a row. */
};

struct sw_frame_call_result {
    struct sw_frame_call_name name;
    uint64_t pod;
    uint32_t code; /* An enum sw_rc without its sign. */
    struct sw_bytes service, type, body;
};
