#include "pkg/broker/budget/state.h"

#include <stdlib.h>

#define BLOCKS 64u     /* A limit is passed in so many marks, or fewer. */
#define CALLS_AHEAD 4u /* A mark is good for so many calls at least. */
#define NUMBERS_MIN 64u

enum sw_rc sw_ledger_append(struct sw_ledger *ledger, const struct sw_ledger_record *record,
                            struct sw_journal_place *ret_place, struct sw_err *err)
{
    struct sw_journal_place place;
    enum sw_rc rc;

    sw_buffer_reset(&ledger->scratch);
    sw_ledger_record_put(record, &ledger->scratch);
    rc = sw_buffer_check(&ledger->scratch);
    if (rc != SW_OK)
        return sw_err_set(err, rc, "no memory for a record of the ledger");
    return sw_journal_append(ledger->journal,
                             (struct sw_bytes){ledger->scratch.data, ledger->scratch.size},
                             ret_place != NULL ? ret_place : &place, err);
}

/* --- Nodes ----------------------------------------------------------------------------------- */

enum sw_rc sw_ledger_number_next(struct sw_ledger *ledger, struct sw_budget_node *node,
                                 struct sw_err *err)
{
    if (ledger->numbers_count == ledger->numbers_max) {
        uint32_t wanted = ledger->numbers_max < NUMBERS_MIN ? NUMBERS_MIN : ledger->numbers_max * 2;
        struct sw_budget_node **grown = NULL;

        if (wanted > ledger->numbers_max)
            grown = realloc(ledger->numbers, wanted * sizeof(struct sw_budget_node *));
        if (grown == NULL)
            return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the numbers of budgets");
        ledger->numbers = grown;
        ledger->numbers_max = wanted;
    }
    ledger->numbers[ledger->numbers_count++] = node;
    node->number = ledger->numbers_count;
    return SW_OK;
}

enum sw_rc sw_ledger_node_number(struct sw_ledger *ledger, struct sw_budget_node *node,
                                 struct sw_err *err)
{
    struct sw_ledger_record record = {.kind = SW_LEDGER_NODE,
                                      .level = node->level,
                                      .rule_level = node->rule_node->level,
                                      .period = node->period,
                                      .index = node->index,
                                      .turn = node->turn};
    struct sw_budget_place place;
    enum sw_rc rc = sw_ledger_number_next(ledger, node, err);

    if (rc != SW_OK)
        return rc;
    sw_budget_node_place(node, &place);
    record.node = node->number;
    record.rule = place.rule;
    record.name_space = place.name_space;
    record.agent = place.agent;
    record.instance = place.instance;
    rc = sw_ledger_append(ledger, &record, NULL, err);
    if (rc != SW_OK) {
        node->number = 0;
        ledger->numbers_count--;
    }
    return rc;
}

enum sw_rc sw_ledger_node_roll(struct sw_ledger *ledger, struct sw_budget_node *node,
                               uint64_t utc_ns, struct sw_err *err)
{
    struct sw_ledger_record record = {.kind = SW_LEDGER_PERIOD, .node = node->number};
    enum sw_rc rc = SW_OK;

    if (!sw_budget_node_roll(node, utc_ns, &record.period, &record.index, &record.is_new))
        return SW_OK;
    if (node->number != 0)
        rc = sw_ledger_append(ledger, &record, NULL, err);
    if (rc == SW_OK)
        sw_budget_node_enter(node, record.period, record.index, record.is_new);
    return rc;
}

/* How far a mark has to go ahead of what is used. */
static uint64_t block_of(uint64_t limit, uint64_t worst)
{
    uint64_t part = limit / BLOCKS,
             calls = worst > UINT64_MAX / CALLS_AHEAD ? UINT64_MAX : worst * CALLS_AHEAD;

    return part > calls ? part : calls;
}

enum sw_rc sw_ledger_node_mark(struct sw_ledger *ledger, struct sw_budget_node *node,
                               const struct sw_budget_amount *worst, struct sw_err *err)
{
    const struct sw_budget_amount *most = &sw_budget_node_limits(node)->most;
    struct sw_ledger_record record = {
        .kind = SW_LEDGER_MARK, .node = node->number, .mark = node->mark};
    struct sw_journal_place place;
    bool is_raised = false;
    enum sw_rc rc;

    if (node->mark_epoch <= sw_journal_durable(ledger->journal))
        node->sure = node->mark;
    for (unsigned i = 0; i < SW_BUDGET_DIMENSIONS; i++) {
        uint64_t used = sw_budget_plus(node->spent.of[i], node->reserved.of[i]), block;
        uint64_t *mark = &record.mark.of[i];

        if (most->of[i] == SW_BUDGET_UNLIMITED || used == 0)
            continue;
        block = block_of(most->of[i], worst->of[i]);
        if (used <= *mark && (*mark >= most->of[i] || *mark - used >= block / 4))
            continue;
        *mark = sw_budget_plus(used, block);
        if (*mark > most->of[i])
            *mark = used > most->of[i] ? used : most->of[i];
        is_raised = true;
    }
    if (!is_raised)
        return SW_OK;
    rc = sw_ledger_append(ledger, &record, &place, err);
    if (rc != SW_OK)
        return rc;
    node->mark = record.mark;
    node->mark_epoch = ledger->sync_epoch = place.epoch;
    return SW_OK;
}

void sw_ledger_node_drop(struct sw_ledger *ledger, struct sw_budget_node *node)
{
    const struct sw_ledger_record record = {.kind = SW_LEDGER_DROP, .node = node->number};

    /* Without its record it is there again after a crash, and goes then. */
    if (node->number != 0) {
        enum sw_rc rc = sw_ledger_append(ledger, &record, NULL, NULL);

        (void)rc;
        ledger->numbers[node->number - 1] = NULL;
    }
    sw_budget_tree_remove(&ledger->tree, node);
}

/* --- Beginning anew -------------------------------------------------------------------------- */

/* Whether the node is one of an instance or a turn of which a later period knows nothing. */
static bool is_needless(const struct sw_budget_node *node, uint64_t utc_ns)
{
    enum sw_budget_period period;
    uint64_t index;
    bool is_new = false;

    if (node->open > 0 || node->below > 0 || node->level == SW_BUDGET_CLUSTER)
        return false;
    if (sw_budget_node_is_idle(node))
        return true;
    return node->agent != NULL && sw_budget_node_roll(node, utc_ns, &period, &index, &is_new) &&
           is_new;
}

/* Have only nodes that are needed, without numbers. */
static enum sw_rc shake(struct sw_ledger *ledger, struct sw_err *err)
{
    size_t count = sw_map_count(ledger->tree.nodes), needless = 0;
    struct sw_budget_node **nodes = malloc(count * sizeof(struct sw_budget_node *));
    uint64_t utc_ns = ledger->system->utc_ns(ledger->system->ctx);
    struct sw_map_entry entry;

    if (nodes == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to begin the ledger anew");
    for (size_t cursor = 0; sw_map_next(ledger->tree.nodes, &cursor, &entry);) {
        struct sw_budget_node *node = entry.value;

        node->number = 0;
        if (is_needless(node, utc_ns))
            nodes[needless++] = node;
    }
    for (size_t i = 0; i < needless; i++)
        sw_budget_tree_remove(&ledger->tree, nodes[i]);
    ledger->numbers_count = 0;
    free(nodes);
    return SW_OK;
}

static enum sw_rc put_nodes(struct sw_ledger *ledger, struct sw_err *err)
{
    struct sw_map_entry entry;
    enum sw_rc rc = SW_OK;

    for (size_t cursor = 0; rc == SW_OK && sw_map_next(ledger->tree.nodes, &cursor, &entry);) {
        struct sw_budget_node *node = entry.value;
        struct sw_ledger_record record = {
            .kind = SW_LEDGER_STATE, .mark = node->mark, .spent = node->spent, .lost = node->lost};
        bool is_empty = sw_budget_is_zero(&node->spent) && sw_budget_is_zero(&node->mark);

        if (is_empty && node->open == 0)
            continue;
        rc = sw_ledger_node_number(ledger, node, err);
        record.node = node->number;
        if (rc == SW_OK && !is_empty)
            rc = sw_ledger_append(ledger, &record, NULL, err);
    }
    return rc;
}

static enum sw_rc put_reservation(struct sw_ledger *ledger,
                                  const struct sw_reservation *reservation, struct sw_err *err)
{
    struct sw_ledger_record record = {.kind = SW_LEDGER_RESERVE,
                                      .id = reservation->id,
                                      .key = {reservation->key, reservation->key_size},
                                      .worst = reservation->worst,
                                      .actual = reservation->actual,
                                      .steps = reservation->steps};

    if (reservation->state == SW_RESERVATION_KNOWN)
        record.kind = SW_LEDGER_KNOWN;
    for (unsigned i = 0; record.kind == SW_LEDGER_RESERVE && i < record.steps; i++) {
        const struct sw_reservation_step *step = &reservation->path[i];

        record.path[i].node = step->node->number;
        record.path[i].is_past = step->generation != step->node->generation;
    }
    return sw_ledger_append(ledger, &record, NULL, err);
}

static enum sw_rc put_reservations(struct sw_ledger *ledger, struct sw_err *err)
{
    struct sw_map_entry entry;
    enum sw_rc rc = SW_OK;

    SW_LIST_EACH(&ledger->known, node)
    if (rc == SW_OK) /* In order: the oldest is forgotten first. */
        rc = put_reservation(ledger, SW_LIST_ITEM(node, struct sw_reservation, node), err);
    for (size_t cursor = 0; rc == SW_OK && sw_map_next(ledger->keys, &cursor, &entry);) {
        const struct sw_reservation *reservation = entry.value;

        if (reservation->state != SW_RESERVATION_KNOWN)
            rc = put_reservation(ledger, reservation, err);
    }
    return rc;
}

enum sw_rc sw_ledger_begin_anew(struct sw_ledger *ledger, struct sw_err *err)
{
    const struct sw_ledger_record record = {.kind = SW_LEDGER_BEGIN};
    struct sw_journal_place place;
    enum sw_rc rc = shake(ledger, err);

    if (rc == SW_OK)
        rc = sw_ledger_append(ledger, &record, &place, err);
    if (rc == SW_OK)
        rc = put_nodes(ledger, err);
    if (rc == SW_OK)
        rc = put_reservations(ledger, err);
    if (rc != SW_OK)
        return rc;
    ledger->begin_lsn = place.lsn;
    ledger->begin_epoch = ledger->sync_epoch = place.epoch;
    ledger->begin_bytes = sw_journal_end(ledger->journal) - place.lsn;
    return SW_OK;
}
