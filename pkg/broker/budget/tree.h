/* The tree of those who spend, in memory.
 *
 *     base: cluster, namespace, agent     all that was ever spent
 *       └─ rule "daily"                   what its limits and its period are for
 *            └─ instance, turn            that the rule bounds
 *
 * Each rule has nodes of its own, since each has its own period. Nodes are found by a key of their
 * names.
 *
 * Threads: one at a time.  I/O: none.  Limits: given by the caller. */
#pragma once
#include "pkg/broker/budget/ledger.h"
#include "pkg/utils/base/map.h"

struct sw_budget_node {
    struct sw_budget_node *rule_node; /* Whose rule bounds it: itself, or above it. */
    struct sw_budget_node *owner;     /* Of a rule's: the base. */
    struct sw_budget_node *rules;     /* Of a base: those of its rules; */
    struct sw_budget_node *next_rule; /* one after the other. */
    struct sw_budget_node *agent;     /* Of an instance or turn: it counts there as `below`. */
    struct sw_budget_rule *rule;      /* Owned; NULL: none. */
    enum sw_budget_level level;
    enum sw_budget_period period;
    uint64_t index, end_ns;           /* Of the present period; when that ends. */
    struct sw_budget_amount reserved; /* In this period, as all that follow. */
    struct sw_budget_amount spent, lost;
    struct sw_budget_amount mark; /* Up to here may have been spent; it was asked for, */
    struct sw_budget_amount sure; /* and this is durable: the mark, once mark_epoch is. */
    uint64_t mark_epoch;
    uint64_t turn, refused;
    uint32_t number;     /* In records; 0: it has none yet. */
    uint32_t generation; /* How often its period began anew. */
    uint32_t open;       /* Reservations that go through it. */
    uint32_t below;      /* Nodes that need it: rules of a base, instances and turns of an agent and
                          * of a rule. */
    bool is_over;        /* It goes with the last of them. */
    bool is_orphan;      /* From before a crash, and nobody asked for it since. */
    uint16_t key_size;
    uint8_t key[]; /* Levels, turn, rule, 0, namespace, 0, agent, 0, instance. */
};

struct sw_budget_tree {
    struct sw_map *nodes; /* All. */
    struct sw_budget_node *cluster;
    uint32_t nodes_max;
};

/* The nodes that a call goes through; the cluster is the first. */
struct sw_budget_path {
    struct sw_budget_node *nodes[SW_BUDGET_PATH_MAX];
    size_t count;
};

struct sw_budget_place { /* Names a node. Borrowed. */
    enum sw_budget_level level, rule_level;
    struct sw_bytes rule; /* Its name; empty: a base. */
    struct sw_bytes name_space, agent, instance;
    uint64_t turn;
};

/* SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_budget_tree_init(struct sw_budget_tree *tree, uint64_t seed,
                                             uint32_t nodes_max, struct sw_err *err);
void sw_budget_tree_done(struct sw_budget_tree *tree);

struct sw_budget_node *sw_budget_tree_find(const struct sw_budget_tree *tree,
                                           const struct sw_budget_place *place); /* Or NULL. */
/* Find or make a node, and those above it. A new one is in period FOREVER.
 * SW_E_EXHAUSTED: no memory, or too many nodes, in all or below one agent */
SW_MUST_CHECK enum sw_rc sw_budget_tree_get(struct sw_budget_tree *tree,
                                            const struct sw_budget_place *place,
                                            struct sw_budget_node **ret_node, struct sw_err *err);
/* Nothing may be open in it, and none may be below it. */
void sw_budget_tree_remove(struct sw_budget_tree *tree, struct sw_budget_node *node);
/* Find or make the nodes of somebody's path: bases, rules, and those of instance and turn where a
 * rule bounds them, in this order; the first three are the bases. Errors as sw_budget_tree_get;
 * what was made until then is there. */
SW_MUST_CHECK enum sw_rc sw_budget_tree_path(struct sw_budget_tree *tree,
                                             const struct sw_budget_who *who,
                                             struct sw_budget_path *ret_path, struct sw_err *err);

void sw_budget_node_place(const struct sw_budget_node *node, struct sw_budget_place *ret_place);
/* What bounds a node now. */
const struct sw_budget_limits *sw_budget_node_limits(const struct sw_budget_node *node);
/* Whether it is of nobody's interest: nothing was spent, nothing bounds it alone. */
bool sw_budget_node_is_idle(const struct sw_budget_node *node);
/* Bring its period to that time, by its rule if it has one. *ret_is_new: spending begins anew.
 * False: nothing changed. */
SW_MUST_CHECK bool sw_budget_node_roll(const struct sw_budget_node *node, uint64_t utc_ns,
                                       enum sw_budget_period *ret_period, uint64_t *ret_index,
                                       bool *ret_is_new);
/* Have it in that period. */
void sw_budget_node_enter(struct sw_budget_node *node, enum sw_budget_period period, uint64_t index,
                          bool is_new);
/* Whether a call fits, but for the depth; *ret_dimension: where not. */
SW_MUST_CHECK bool sw_budget_node_fits(const struct sw_budget_node *node,
                                       const struct sw_budget_amount *worst,
                                       enum sw_budget_dimension *ret_dimension);
void sw_budget_node_view(const struct sw_budget_node *node, struct sw_budget_view *ret_view);
