/* The past of one instance, as the journal and the snapshot that counts hold it: its records, and
 * the instance as it was after any of them.
 *
 *     the snapshot's image, or its birth, or a record that holds all
 *        └─► record ─► record ─► record ...          each has a number: of segments since its birth
 *                         ▲ sw_past_go(past, number): its guest, as it was then
 *
 * It is read beside the host that has the instance, by somebody who may only read; nothing leaves.
 * Of instances that came one after the other under the same key the last one is meant.
 *
 * Threads: one.  I/O: the journal, the snapshot and the shelf are read.
 * Limits: options->bytes_max of records; those of the journal. */
#pragma once
#include "pkg/agent/runtime/actor/worker.h"

struct sw_past; /* Opaque. */

struct sw_past_options {
    const struct sw_journal_options *journal; /* is_read_only and is_followed are set. */
    struct sw_shared *shared;                 /* A new one; it gets the journal. */
    struct sw_worker *worker;                 /* A new one. */
    struct sw_bytes name_space, agent, agent_uid, key;
    uint64_t bytes_max;
    void *ctx; /* First argument of what follows. */
    /* Have the worker get a program, as struct sw_rerun_options has it. */
    enum sw_rc (*program)(void *ctx, struct sw_worker *worker, struct sw_bytes pod,
                          struct sw_bytes digest, struct sw_err *err);
};

/* Gather it.
 * SW_E_NOT_FOUND    nobody of that Agent and key is in the journal or the snapshot
 * SW_E_UNAVAILABLE  files went while they were read, again and again
 * SW_E_CORRUPT      they are damaged
 * SW_E_EXHAUSTED    there is more than bytes_max of it, or no memory
 * others            as sw_journal_open, sw_snapshot_open, and the shelf's */
SW_MUST_CHECK enum sw_rc sw_past_open(const struct sw_past_options *options,
                                      struct sw_past **ret_past, struct sw_err *err);
/* The instance goes with the worker. */
void sw_past_close(struct sw_past *past);
SW_DEFINE_CLEANUP(struct sw_past, sw_past_close)

struct sw_past_view {
    uint64_t first, last; /* Numbers of the first and the last turn that are there; last 0: none. */
    uint64_t replayable;  /* From this number on it can be made again; 0 only with last 0. */
    uint64_t instance;    /* Its id. */
    bool is_over;         /* It has ended. */
};
void sw_past_view(const struct sw_past *past, struct sw_past_view *ret_view);

struct sw_past_turn { /* Borrowed from the past. */
    uint64_t number, lsn;
    struct sw_record_segment segment; /* With its body, if that is kept: */
    bool is_body_kept;
    struct sw_bytes module, engine; /* That it ran under. */
};
/* SW_E_RANGE: no turn of that number is there. */
SW_MUST_CHECK enum sw_rc sw_past_turn(const struct sw_past *past, uint64_t number,
                                      struct sw_past_turn *ret_turn, struct sw_err *err);
/* Not every number between the first and the last has a turn that is there.  The first from
 * `number` on that has; 0: none. */
uint64_t sw_past_next(const struct sw_past *past, uint64_t number);
/* From which number on there are `limit` turns up to `last`, if there are so many. */
uint64_t sw_past_newest(const struct sw_past *past, uint64_t last, uint64_t limit);

/* The instance's actor where sw_past_go has left it; borrowed until the next call. */
const struct sw_actor *sw_past_actor(const struct sw_past *past);

/* Another module than that of the records is to be run from here on; "" : that of the records. */
void sw_past_set_module(struct sw_past *past, struct sw_bytes digest);
/* Have the instance be what it was after the turn of that number, by running what leads there.
 * SW_E_RANGE         it is before what can be made again, or after the last
 * SW_E_PRECONDITION  a turn on the way came to something else than is recorded
 * SW_E_UNSUPPORTED   another engine ran it
 * others             of options->program, and the engine's */
SW_MUST_CHECK enum sw_rc sw_past_go(struct sw_past *past, uint64_t number, struct sw_err *err);

/* Of the instance where sw_past_go has left it; borrowed until the next call. */
struct sw_past_state {
    uint64_t number;
    const struct sw_actor *actor;
    uint64_t random_next, memory_bytes;
    struct sw_bytes image; /* Of its guest, as the engine saves it. */
    struct sw_bytes module, engine;
};
SW_MUST_CHECK enum sw_rc sw_past_state(struct sw_past *past, struct sw_past_state *ret_state,
                                       struct sw_err *err);

/* Have it go on from where it stands with another module, which is handed its state by on_upgrade
 * if it has that, and its memory as it is otherwise.
 * SW_E_PRECONDITION: it failed at that.  Others: of options->program, and the engine's. */
SW_MUST_CHECK enum sw_rc sw_past_switch(struct sw_past *past, struct sw_bytes digest,
                                        uint32_t deadline_ms, struct sw_err *err);

struct sw_past_input { /* What is another one than in the record. */
    bool has_body;
    struct sw_bytes body, type; /* type empty: as recorded. */
    uint32_t deadline_ms;
};
struct sw_past_trial { /* Borrowed until the next call. */
    enum sw_outcome outcome;
    int32_t code;
    uint64_t fuel;
    const char *report;
    struct sw_bytes effects;
};
/* After sw_past_go to the number before, or sw_past_switch there: append the FORK record of an
 * instance `key` that goes on from there by itself (fork.h), with the message of that turn, or the
 * one that input has, waiting for it. One more than the last turn is the state of now.
 * SW_E_PRECONDITION  its turn waits there: err names the nearest turn where it does not; or its
 *                    message is not kept
 * SW_E_RANGE         no such turn is there     SW_E_EXHAUSTED  it is larger than a record may be */
SW_MUST_CHECK enum sw_rc sw_past_fork(struct sw_past *past, uint64_t number,
                                      const struct sw_past_input *input, struct sw_bytes key,
                                      struct sw_buffer *out, struct sw_err *err);
/* After sw_past_go to the number before: handle the input of that turn again, changed as said.
 * What it asks for goes nowhere, and afterwards it stands nowhere.
 * SW_E_PRECONDITION  it is no message or timer that begins a turn */
SW_MUST_CHECK enum sw_rc sw_past_try(struct sw_past *past, uint64_t number,
                                     const struct sw_past_input *input,
                                     struct sw_past_trial *ret_trial, struct sw_err *err);
