/* Records of the ledger's journal: docs/reference/disk-format.md puts them into a table.
 *
 * Each changes what the ones before it made, so reading them in order gives what the ledger had in
 * memory when it wrote the last of them.
 *
 * Threads: pure functions.  I/O: none.  Limits: SW_LEDGER_BOOT_MAX and those of the headers above.
 */
#pragma once
#include "pkg/broker/budget/ledger.h"

#define SW_LEDGER_BOOT_MAX 64u

enum sw_ledger_kind {
    SW_LEDGER_BOOT = 1, /* A process began, in that boot of the machine. */
    SW_LEDGER_STOP,     /* The process ended well: if this is the last, all is exact. */
    SW_LEDGER_BEGIN,    /* All before is void; what counts of it follows. */
    SW_LEDGER_NODE,     /* A node has that number, the next one. */
    SW_LEDGER_DROP,     /* A node is no more. */
    SW_LEDGER_PERIOD,   /* A node is in that period. */
    SW_LEDGER_MARK,     /* Up to there may have been spent in a node's period. */
    SW_LEDGER_STATE,    /* What a node has, behind BEGIN. */
    SW_LEDGER_RESERVE,
    SW_LEDGER_SETTLE,
    SW_LEDGER_RELEASE,
    SW_LEDGER_KNOWN /* A key that was settled, behind BEGIN. */
};

struct sw_ledger_step { /* Of the path of a reservation. */
    uint32_t node;
    bool is_past; /* It was made in an earlier period than that in which the node is. */
};

struct sw_ledger_record { /* Which fields count depends on the kind; the others are zero. */
    enum sw_ledger_kind kind;
    struct sw_bytes boot;            /* BOOT. */
    uint32_t node;                   /* NODE to STATE: from 1 on. */
    enum sw_budget_level level;      /* NODE. */
    enum sw_budget_level rule_level; /* NODE: whose rule bounds it. */
    struct sw_bytes rule;            /* Its name; empty: all that was ever spent there. */
    struct sw_bytes name_space, agent, instance;
    uint64_t turn;
    enum sw_budget_period period; /* NODE, PERIOD. */
    uint64_t index;
    bool is_new;                  /* PERIOD: spending begins anew. Else it only has another name. */
    struct sw_budget_amount mark; /* MARK, STATE. */
    struct sw_budget_amount spent, lost; /* STATE. */
    uint64_t id;                         /* RESERVE, SETTLE, RELEASE. */
    struct sw_bytes key;                 /* RESERVE, KNOWN. */
    struct sw_budget_amount worst;       /* RESERVE, KNOWN. */
    struct sw_budget_amount actual;      /* SETTLE, KNOWN. */
    uint8_t steps;                       /* RESERVE: 1 to SW_BUDGET_PATH_MAX. */
    struct sw_ledger_step path[SW_BUDGET_PATH_MAX];
};

/* Append; fails as buffers do. */
void sw_ledger_record_put(const struct sw_ledger_record *record, struct sw_buffer *out);
/* *ret_record borrows from bytes.  SW_E_CORRUPT: not a record that was put. */
SW_MUST_CHECK enum sw_rc sw_ledger_record_take(struct sw_bytes bytes,
                                               struct sw_ledger_record *ret_record,
                                               struct sw_err *err);
