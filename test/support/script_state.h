/* What a guest in plain C for tests is: its program, its state, and the engine that runs it
 * (script_run.h says what it does). */
#pragma once
#include "include/swarm/agent.h"
#include "pkg/agent/runtime/actor/guest.h"
#include "pkg/agent/runtime/actor/turn.h"

#define SCRIPT_HELD_MAX 64
#define SCRIPT_SENDERS 8
#define SCRIPT_TRIES 4096

struct sw_guest_module { /* Of this engine. */
    uint32_t refs;
    bool has_on_start, has_on_timer, has_on_stop;
    const char *on_start, *on_timer; /* Commands; NULL: none. */
    /* Commands of on_upgrade, after the counter was taken over; NULL: there is none. */
    const char *on_upgrade;
    uint32_t version; /* Of its state; 0: it names none. */
    int64_t factor;   /* What "add" multiplies with, so that programs differ; 0 counts as 1. */
    uint64_t flaky;   /* How often "flaky" was tried, and "seq": over restarts. */
    uint8_t tries[SCRIPT_SENDERS][SCRIPT_TRIES];
};

struct script_state {
    int64_t counter, messages, replies, published, timers, starts;
    int64_t last_status;
    uint64_t random, grown;
    uint64_t held[SCRIPT_HELD_MAX];
    int64_t held_count;
    int64_t in_order, last_of[SCRIPT_SENDERS], disorder;
    int32_t last_code;
    char last[200];  /* Body of the last reply or publish, or of what ended a wait. */
    char rest[1024]; /* Of the script of a turn that waits; "": none does. */
    uint64_t turn_handle, received;
};

struct sw_guest {
    struct sw_turn *turn;
    struct sw_guest_module *module;
    uint64_t memory_bytes, deadline_ms, used_ns; /* Its limits; by "pass", in this entry. */
    const char *ended;                           /* Why it was to end. */
    struct script_state state;
};

struct script_engine { /* Counters of what the host did with guests. */
    uint64_t created, dropped, entered, loaded;
    uint64_t drift;               /* Not part of any state: whoever uses it is not deterministic. */
    int64_t fail_create_after;    /* Counts down to 0: from then on create fails; -1: never. */
    uint64_t *clock_ns, entry_ns; /* If there is a clock, an entry takes so long. */
    bool packs_otherwise;         /* What it saves has other bytes, and says the same. */
};
