/* What a ledger has in memory, for the files of this room alone.
 *
 *     reserve ──► waits for a write ─┐
 *           └───► waits for a sync ──┴─► open ──► known (settled), until it is forgotten
 *                                           └───► gone (released)
 *     a process before: open ──► known, at its worst
 *
 * Threads: the loop's, but for `work`, which a thread of the pool does with the journal alone.
 * Limits: those of ledger.h. */
#pragma once
#include "pkg/agent/store/journal.h"
#include "pkg/broker/budget/record.h"
#include "pkg/broker/budget/tree.h"
#include "pkg/utils/base/list.h"

enum sw_reservation_state {
    SW_RESERVATION_WAITS, /* Until it is written, or durable. */
    SW_RESERVATION_OPEN,
    SW_RESERVATION_KNOWN
};

struct sw_reservation_step {
    struct sw_budget_node *node;
    uint32_t generation; /* Of the node: the period in which it was reserved. */
};

struct sw_reservation {
    struct sw_list node; /* Of the list of its state; open ones are in none. */
    uint64_t id;
    uint64_t epoch;    /* Waits: of the journal, that has to be written, or durable. */
    uint64_t since_ns; /* Known ones: monotonic. */
    void (*ready)(void *ctx, enum sw_rc rc);
    void *ctx;
    struct sw_budget_amount worst, actual;
    enum sw_reservation_state state;
    uint8_t steps, key_size;
    uint8_t key[SW_LEDGER_KEY_MAX];
    struct sw_reservation_step path[];
};

enum sw_ledger_work { SW_LEDGER_IDLE, SW_LEDGER_SYNCS, SW_LEDGER_COMMITS };

struct sw_ledger {
    struct sw_ledger_options options;
    const struct sw_system *system;
    struct sw_journal *journal;
    struct sw_budget_tree tree;
    struct sw_budget_node **numbers; /* By number - 1; NULL: it was dropped. */
    uint32_t numbers_count, numbers_max;
    struct sw_map *keys;                           /* All reservations. */
    struct sw_map *turns;                          /* turns.c: of instances. */
    struct sw_list turns_used;                     /* The same. */
    struct sw_list waits_write, waits_sync, known; /* In the order in which they came. */
    uint64_t next_id;
    uint64_t boot_ns; /* Monotonic: when it was opened. */
    bool has_orphan_nodes;
    struct sw_buffer scratch; /* For records. */

    bool is_scheduled; /* For the end of this round. */
    bool is_stopping;
    uint64_t stop_end;  /* Of the journal, behind STOP. */
    enum sw_rc failure; /* Nothing goes on. */
    void (*stopped)(void *ctx, enum sw_rc rc);
    void *stopped_ctx;
    uint64_t sync_epoch;      /* Somebody wants that to be durable. */
    uint64_t begin_lsn;       /* Of the last BEGIN, and when that is durable; */
    uint64_t begin_epoch;     /* what is before it can go then. */
    uint64_t begin_bytes;     /* What it took. */
    uint64_t removed_lsn;     /* So far that was done. */
    enum sw_ledger_work work; /* On the pool. */
    enum sw_rc work_rc;
    struct sw_err work_err;

    struct sw_ledger_figures figures;
};

/* --- records.c: what changes, and its record -------------------------------------------------- */

/* Append a record; *ret_place may be NULL. Errors as sw_journal_append. */
SW_MUST_CHECK enum sw_rc sw_ledger_append(struct sw_ledger *ledger,
                                          const struct sw_ledger_record *record,
                                          struct sw_journal_place *ret_place, struct sw_err *err);
/* Give a node a number, and tell it. SW_E_EXHAUSTED: no memory. Others as sw_ledger_append. */
SW_MUST_CHECK enum sw_rc sw_ledger_node_number(struct sw_ledger *ledger,
                                               struct sw_budget_node *node, struct sw_err *err);
/* The next number is of that node, or of none.  SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_ledger_number_next(struct sw_ledger *ledger,
                                               struct sw_budget_node *node, struct sw_err *err);
/* Bring a node to the present period. */
SW_MUST_CHECK enum sw_rc sw_ledger_node_roll(struct sw_ledger *ledger, struct sw_budget_node *node,
                                             uint64_t utc_ns, struct sw_err *err);
/* Raise the mark of a node where what is spent and reserved comes near to it. */
SW_MUST_CHECK enum sw_rc sw_ledger_node_mark(struct sw_ledger *ledger, struct sw_budget_node *node,
                                             const struct sw_budget_amount *worst,
                                             struct sw_err *err);
/* The node goes, and that is told. Nothing is open in it. */
void sw_ledger_node_drop(struct sw_ledger *ledger, struct sw_budget_node *node);
/* All that counts of the ledger, behind a BEGIN.  Errors as sw_ledger_append. */
SW_MUST_CHECK enum sw_rc sw_ledger_begin_anew(struct sw_ledger *ledger, struct sw_err *err);

/* --- reservations.c --------------------------------------------------------------------------- */

struct sw_bytes sw_reservation_key(const void *reservation);
/* A new one in no list, under its key.  NULL: no memory. */
struct sw_reservation *sw_reservation_new(struct sw_ledger *ledger, struct sw_bytes key,
                                          size_t steps);
void sw_reservation_free(struct sw_ledger *ledger, struct sw_reservation *reservation);
/* Its worst case is reserved in each node of its path. */
void sw_reservation_hold(struct sw_reservation *reservation);
/* Its worst case is not reserved any more, and `actual` is spent; in what its period still is. */
void sw_reservation_close(struct sw_ledger *ledger, struct sw_reservation *reservation,
                          const struct sw_budget_amount *actual);
/* It becomes known, or what has been known for the longest is forgotten for it. */
void sw_reservation_know(struct sw_ledger *ledger, struct sw_reservation *reservation);
/* Drop what is to go once nothing is open in it. */
void sw_reservation_leave(struct sw_ledger *ledger, const struct sw_reservation *reservation);

/* --- flow.c: writes, syncs, and who waits for them ------------------------------------------- */

/* Have what was appended written at the end of this round of the loop. */
void sw_ledger_schedule(struct sw_ledger *ledger);

/* --- turns.c ---------------------------------------------------------------------------------- */

/* A call of a turn that has a budget of its own was reserved: the instance's turns before are over.
 */
void sw_ledger_turn_enter(struct sw_ledger *ledger, const struct sw_budget_who *who);
void sw_ledger_turns_done(struct sw_ledger *ledger);

/* --- recover.c -------------------------------------------------------------------------------- */

/* Open the journal, read it, and begin it anew. */
SW_MUST_CHECK enum sw_rc sw_ledger_recover(struct sw_ledger *ledger, struct sw_err *err);

/* --- refuse.c --------------------------------------------------------------------------------- */

/* Words for a call that a node refuses; returns SW_E_EXHAUSTED. */
enum sw_rc sw_ledger_refuse(const struct sw_budget_node *node,
                            const struct sw_ledger_refusal *refusal, struct sw_err *err);
