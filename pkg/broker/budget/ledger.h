/* The ledger: what agents may spend, reserved before each call and settled after it, exactly once
 * over retries, kills and loss of power.
 *
 *     reserve ──► ready ──► settle       (or release, if nothing was spent)
 *        │          └ it is written: the call may be made
 *        └ the worst case fits in the cluster, the namespace, the agent, the instance and the turn
 *
 * Everything is a record of a journal of its own, written once a round of the loop. So what a
 * killed process leaves behind is exact. For a loss of power there are escrow marks, "up to here
 * may have been spent", which are durable before anything above them is let out, and are asked for
 * ahead: who passes one waits for a sync. After a loss of power what is not accounted for below a
 * mark counts as spent. So what is spent is never less than what was let out, wherever there is a
 * limit, and never passes it but by what was settled above its worst case.
 *
 * Threads: the loop's; syncs are made on its pool.  I/O: the journal, through struct sw_system.
 * Limits: those of the options and of budget.h; SW_LEDGER_KEY_MAX. Nothing is reserved while the
 * disk is full; after a failed write or sync nothing is reserved any more. */
#pragma once
#include "pkg/agent/store/journal.h"
#include "pkg/broker/budget/budget.h"
#include "pkg/utils/loop/loop.h"
#include "pkg/utils/system/system.h"

#define SW_LEDGER_KEY_MAX 72u

struct sw_ledger;      /* Opaque. */
struct sw_reservation; /* Opaque; the ledger's. */

struct sw_ledger_options {
    const struct sw_system *system; /* Borrowed; outlives the ledger, as does the loop. */
    struct sw_loop *loop;
    /* As sw_loop_defer and sw_loop_work, if they are NULL. */
    enum sw_rc (*defer)(struct sw_loop *loop, void (*call)(void *ctx), void *ctx);
    enum sw_rc (*work)(struct sw_loop *loop, void (*work)(void *ctx), void (*done)(void *ctx),
                       void *ctx);
    const char *folder; /* Of its journal; made if it is not there. */
    /* Of the data folder (pkg/backup/lineage.h): under another one than before it is as after a
     * loss of power, since what was spent after the backup is not known. 0: as 1. */
    uint64_t timeline;
    /* Of each a default if it is 0: */
    uint64_t grace_ns;      /* Rules that nobody set again after a start, and turns that nobody
                               went on with, are gone after it; 15 minutes. */
    uint64_t keep_ns;       /* A settled call is known so long, if its turn is run again; 1 hour. */
    uint32_t keep_max;      /* And so many of them, the youngest; 65,536. */
    uint32_t open_max;      /* Reserved at once; 131,072. */
    uint32_t nodes_max;     /* In the tree, a quarter of them below one agent; 262,144. */
    uint64_t compact_bytes; /* The journal is begun anew when it has grown by so much; 16 MiB. */
};

struct sw_budget_who { /* Who spends; borrowed. */
    const char *name_space, *agent;
    struct sw_bytes instance; /* Its key; may be empty. */
    uint64_t turn;            /* A number that the instance never has again. */
    uint32_t depth;           /* 1: asked by a person or nobody; more: by so many agents less 1. */
};

struct sw_ledger_request {
    struct sw_budget_who who;
    /* The call's idempotency key and its attempt: 1 to SW_LEDGER_KEY_MAX bytes. */
    struct sw_bytes key;
    struct sw_budget_amount worst; /* The most that it may cost. */
    /* Called once on the loop, never from inside reserve, if the reservation is new and is not
     * released before. SW_OK: the call may be made now. Otherwise it may not, and the reservation
     * is gone: SW_E_EXHAUSTED the disk is full, others the journal has failed. */
    void (*ready)(void *ctx, enum sw_rc rc);
    void *ctx;
};

enum sw_ledger_state {
    SW_LEDGER_NEW,    /* ready will be called. */
    SW_LEDGER_OPEN,   /* Reserved under this key here, and not settled: whoever did still has it. */
    SW_LEDGER_SETTLED /* It was made, and cost `actual`; or a process before this one ended in its
                         middle, and it counts at its worst. There is nothing to settle. */
};

struct sw_ledger_grant {
    enum sw_ledger_state state;
    /* Not if it is SETTLED. Valid until it is settled or released. */
    struct sw_reservation *reservation;
    struct sw_budget_amount worst, actual;
};

struct sw_ledger_refusal { /* Who stands in the way. */
    enum sw_budget_level level;
    enum sw_budget_level rule_level;   /* The owner of the rule, */
    char rule[SW_BUDGET_NAME_MAX + 1]; /* and its name. */
    bool is_depth;                     /* It is delegated too often; else: */
    enum sw_budget_dimension dimension;
    uint64_t limit, spent, reserved, wanted;
    uint64_t until_ns; /* UTC: when spending begins anew; UINT64_MAX: never. */
    /* It would fit if what is reserved now turned out to cost nothing: later may do. */
    bool may_fit_later;
};

/* Open the ledger of a folder, or begin one, and find out what was spent; reads and writes before
 * it returns. Set all rules before the first reserve: what has none is not bounded.
 * SW_E_CORRUPT, SW_E_UNSUPPORTED and others as sw_journal_open; SW_E_EXHAUSTED also: no memory */
SW_MUST_CHECK enum sw_rc sw_ledger_new(const struct sw_ledger_options *options,
                                       struct sw_ledger **ret_ledger, struct sw_err *err);
/* Read a ledger's journal from end to end, also while it is written, and change nothing.
 * SW_E_NOT_FOUND: there is none.  SW_E_CORRUPT: damaged, with where.  Others as sw_journal_scan. */
SW_MUST_CHECK enum sw_rc sw_ledger_check(const struct sw_system *system, const char *folder,
                                         struct sw_journal_report *ret_report, struct sw_err *err);
/* Refuse from now on, make all durable, and say so: the next start finds what is exact, whatever
 * happens to the machine. done is called once, not from inside. Settle before. */
void sw_ledger_stop(struct sw_ledger *ledger, void (*done)(void *ctx, enum sw_rc rc), void *ctx);
/* No work of it is under way: after stop is done, or when the loop is no more. What was not written
 * is lost as in a crash; who waits for ready is not called. */
void sw_ledger_free(struct sw_ledger *ledger);
SW_DEFINE_CLEANUP(struct sw_ledger, sw_ledger_free)

/* Have a rule of the cluster (both names NULL), a namespace (agent NULL) or an agent, of that name,
 * which is its Budget's; or NULL: it is no more, nor what was spent by it. The rule is copied. If
 * there is one of that name what was spent stays spent, also if its period becomes another one.
 * SW_E_INVALID: a name is empty or too long.  SW_E_EXHAUSTED: no memory, too many nodes, or
 * SW_BUDGET_RULES_MAX rules of one owner; what was there is kept */
SW_MUST_CHECK enum sw_rc sw_ledger_set(struct sw_ledger *ledger, const char *name_space,
                                       const char *agent, const char *name,
                                       const struct sw_budget_rule *rule, struct sw_err *err);

/* Reserve the worst case of a call, before it is made. The same key gives the same reservation,
 * also after a restart, whatever else is asked then.
 * SW_E_EXHAUSTED     it does not fit; err names who stands in the way, why and until when, and
 *                    *ret_refusal too (may be NULL; its `wanted` is 0 with any other error)
 * SW_E_INVALID       a name or key is empty or too long
 * SW_E_UNAVAILABLE   nothing can be reserved: too many are, the disk is full, no memory, the ledger
 *                    stops, or its journal has failed */
SW_MUST_CHECK enum sw_rc sw_ledger_reserve(struct sw_ledger *ledger,
                                           const struct sw_ledger_request *request,
                                           struct sw_ledger_grant *ret_grant,
                                           struct sw_ledger_refusal *ret_refusal,
                                           struct sw_err *err);
/* Count what the call did cost, less or more than its worst case. Its key is remembered.
 * On an error it is counted as well, but a crash may lose it: the journal has failed. */
enum sw_rc sw_ledger_settle(struct sw_ledger *ledger, struct sw_reservation *reservation,
                            const struct sw_budget_amount *actual, struct sw_err *err);
/* Nothing was spent, and the key is free again; before or after ready. Errors as settle. */
enum sw_rc sw_ledger_release(struct sw_ledger *ledger, struct sw_reservation *reservation,
                             struct sw_err *err);
/* That turn will not be run again: its node goes, at the latest when its last call is settled. Who
 * reserves in another turn of that instance says as much. */
void sw_ledger_turn_over(struct sw_ledger *ledger, const struct sw_budget_who *who);
/* That instance is no more: as that, of its own nodes. */
void sw_ledger_instance_over(struct sw_ledger *ledger, const struct sw_budget_who *who);
/* To be called about once a second: forgets keys and what is left over, tries a full disk again. */
void sw_ledger_tick(struct sw_ledger *ledger);

struct sw_budget_view { /* Borrowed for the visit. */
    enum sw_budget_level level;
    enum sw_budget_level rule_level; /* Whose rule it is: not its own if instance or turn. */
    const char *rule;                /* Its name; "": all that was ever spent there. */
    const char *name_space, *agent;  /* "" above them. */
    struct sw_bytes instance;
    uint64_t turn;
    bool has_rule;
    struct sw_budget_limits limits;
    struct sw_budget_amount spent, reserved; /* In this period. */
    struct sw_budget_amount lost;            /* Of spent: counted so after a loss of power. */
    enum sw_budget_period period;
    uint64_t begin_ns, end_ns; /* Of the period, UTC; FOREVER: 0 and UINT64_MAX. */
    uint64_t refused;          /* Since this process began. */
};
typedef void sw_ledger_visit(void *ctx, const struct sw_budget_view *view);

/* Visit all nodes that have a rule or spent something, in no order. The ledger may not be changed
 * meanwhile. */
void sw_ledger_each(struct sw_ledger *ledger, sw_ledger_visit *visit, void *ctx);
/* The node of a rule, names as with set; or with name NULL all that the cluster, a namespace or an
 * agent ever spent.  False: there is no such rule, and nothing was spent. */
SW_MUST_CHECK bool sw_ledger_find(struct sw_ledger *ledger, const char *name_space,
                                  const char *agent, const char *name,
                                  struct sw_budget_view *ret_view);

struct sw_ledger_figures {
    uint64_t reserved, settled, released, refused; /* Since this process began. */
    uint64_t abandoned; /* Of the process before, settled at their worst when this one began. */
    uint64_t waits;     /* Reservations that waited for a sync. */
    uint64_t writes, syncs, compactions;
    uint32_t open, known, nodes; /* Now; known: settled keys. */
    uint64_t journal_bytes;      /* Since it was begun anew. */
    bool has_failed, is_full;
};
void sw_ledger_figures(const struct sw_ledger *ledger, struct sw_ledger_figures *ret_figures);
