#include "pkg/broker/budget/state.h"
#include "pkg/utils/base/idmap.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SEGMENT_BYTES_MIN (64u << 10)
#define BOOT_FILE "/proc/sys/kernel/random/boot_id"
#define BOOT_ID_MAX 42u /* So that a timeline has room behind it. */

/* What is known only while the journal is read. */
struct recovery {
    struct sw_ledger *ledger;
    struct sw_idmap *ids;          /* Open reservations. */
    char boot[SW_LEDGER_BOOT_MAX]; /* Of the last process; */
    size_t boot_size;
    bool has_stopped; /* which ended well. */
    bool has_begun;   /* There was a BEGIN, or these are the first records of all. */
    bool is_empty;    /* There was no record at all. */
};

/* --- Reading --------------------------------------------------------------------------------- */

static enum sw_rc malformed(struct sw_err *err, const char *what)
{
    sw_err_set(err, SW_E_CORRUPT, "the ledger speaks of %s", what);
    sw_err_hint(err, "check the disk and restore the ledger's folder from a backup");
    return SW_E_CORRUPT;
}

static void forget_all(struct recovery *recovery)
{
    struct sw_ledger *ledger = recovery->ledger;
    struct sw_map_entry entry;

    for (size_t cursor = 0; ledger->keys != NULL && sw_map_next(ledger->keys, &cursor, &entry);)
        free(entry.value);
    sw_map_free(ledger->keys);
    ledger->keys = NULL;
    sw_ledger_turns_done(ledger);
    sw_idmap_free(recovery->ids);
    recovery->ids = NULL;
    sw_list_init(&ledger->known);
    sw_budget_tree_done(&ledger->tree);
    ledger->numbers_count = 0;
    ledger->figures.open = ledger->figures.known = 0;
}

static enum sw_rc begin_empty(struct recovery *recovery, struct sw_err *err)
{
    struct sw_ledger *ledger = recovery->ledger;
    uint64_t seed;

    forget_all(recovery);
    ledger->system->random(ledger->system->ctx, &seed, sizeof seed);
    ledger->keys = sw_map_new_of(seed, sw_reservation_key);
    ledger->turns = sw_map_new(seed);
    recovery->ids = sw_idmap_new(seed, 0);
    if (ledger->keys == NULL || ledger->turns == NULL || recovery->ids == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to read the ledger");
    /* What was written is read, whatever the options say now. */
    return sw_budget_tree_init(&ledger->tree, seed, UINT32_MAX, err);
}

static struct sw_budget_node *node_of(const struct sw_ledger *ledger, uint32_t number)
{
    return number == 0 || number > ledger->numbers_count ? NULL : ledger->numbers[number - 1];
}

static enum sw_rc take_node(struct sw_ledger *ledger, const struct sw_ledger_record *record,
                            struct sw_err *err)
{
    const struct sw_budget_place place = {.level = record->level,
                                          .rule_level = record->rule_level,
                                          .rule = record->rule,
                                          .name_space = record->name_space,
                                          .agent = record->agent,
                                          .instance = record->instance,
                                          .turn = record->turn};
    struct sw_budget_node *node;
    enum sw_rc rc = sw_budget_tree_get(&ledger->tree, &place, &node, err);

    if (rc != SW_OK)
        return rc;
    if (node->number != 0 || record->node != ledger->numbers_count + 1)
        return malformed(err, "a budget that it has");
    sw_budget_node_enter(node, record->period, record->index, false);
    return sw_ledger_number_next(ledger, node, err);
}

static enum sw_rc take_of_node(struct sw_ledger *ledger, const struct sw_ledger_record *record,
                               struct sw_err *err)
{
    struct sw_budget_node *node = node_of(ledger, record->node);

    if (node == NULL)
        return malformed(err, "a budget that it does not have");
    if (record->kind == SW_LEDGER_DROP) {
        if (node->open > 0 || node->below > 0 || node == ledger->tree.cluster)
            return malformed(err, "the end of a budget that is in use");
        ledger->numbers[record->node - 1] = NULL;
        sw_budget_tree_remove(&ledger->tree, node);
        return SW_OK;
    }
    if (record->kind == SW_LEDGER_PERIOD) {
        sw_budget_node_enter(node, record->period, record->index, record->is_new);
        return SW_OK;
    }
    node->mark = record->mark;
    if (record->kind == SW_LEDGER_STATE) {
        node->spent = record->spent;
        node->lost = record->lost;
    }
    return SW_OK;
}

static enum sw_rc take_reserve(struct recovery *recovery, const struct sw_ledger_record *record,
                               struct sw_err *err)
{
    struct sw_ledger *ledger = recovery->ledger;
    struct sw_reservation *reservation;

    if (sw_map_find(ledger->keys, record->key.data, record->key.size) != NULL ||
        sw_idmap_find(recovery->ids, record->id) != NULL)
        return malformed(err, "a reservation that it has");
    for (unsigned i = 0; i < record->steps; i++)
        if (node_of(ledger, record->path[i].node) == NULL)
            return malformed(err, "a reservation in a budget that it does not have");
    reservation = sw_reservation_new(ledger, record->key, record->steps);
    if (reservation == NULL || sw_idmap_put(recovery->ids, record->id, reservation, NULL) != SW_OK)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to read the ledger");
    reservation->id = record->id;
    reservation->worst = record->worst;
    reservation->state = SW_RESERVATION_OPEN;
    for (unsigned i = 0; i < record->steps; i++) {
        struct sw_budget_node *node = node_of(ledger, record->path[i].node);

        reservation->path[i] = (struct sw_reservation_step){
            node, node->generation - (record->path[i].is_past ? 1 : 0)};
    }
    sw_reservation_hold(reservation);
    ledger->figures.open++;
    if (record->id >= ledger->next_id)
        ledger->next_id = record->id + 1;
    return SW_OK;
}

static enum sw_rc take_close(struct recovery *recovery, const struct sw_ledger_record *record,
                             struct sw_err *err)
{
    struct sw_ledger *ledger = recovery->ledger;
    struct sw_reservation *reservation = sw_idmap_remove(recovery->ids, record->id);

    if (reservation == NULL)
        return malformed(err, "the end of a reservation that it does not have");
    sw_reservation_close(ledger, reservation, &record->actual);
    reservation->actual = record->actual;
    if (record->kind == SW_LEDGER_SETTLE)
        sw_reservation_know(ledger, reservation);
    else
        sw_reservation_free(ledger, reservation);
    return SW_OK;
}

static enum sw_rc take_known(struct sw_ledger *ledger, const struct sw_ledger_record *record,
                             struct sw_err *err)
{
    struct sw_reservation *reservation;

    if (sw_map_find(ledger->keys, record->key.data, record->key.size) != NULL)
        return malformed(err, "a key that it has");
    reservation = sw_reservation_new(ledger, record->key, 0);
    if (reservation == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to read the ledger");
    reservation->worst = record->worst;
    reservation->actual = record->actual;
    sw_reservation_know(ledger, reservation);
    return SW_OK;
}

static enum sw_rc take(struct recovery *recovery, const struct sw_ledger_record *record,
                       struct sw_err *err)
{
    recovery->has_stopped = record->kind == SW_LEDGER_STOP;
    switch (record->kind) {
    case SW_LEDGER_BEGIN:
        recovery->has_begun = true;
        return begin_empty(recovery, err);
    case SW_LEDGER_BOOT:
        recovery->boot_size = record->boot.size;
        if (record->boot.size > 0)
            memcpy(recovery->boot, record->boot.data, record->boot.size);
        return SW_OK;
    case SW_LEDGER_NODE:
        return take_node(recovery->ledger, record, err);
    case SW_LEDGER_DROP:
    case SW_LEDGER_PERIOD:
    case SW_LEDGER_MARK:
    case SW_LEDGER_STATE:
        return take_of_node(recovery->ledger, record, err);
    case SW_LEDGER_RESERVE:
        return take_reserve(recovery, record, err);
    case SW_LEDGER_SETTLE:
    case SW_LEDGER_RELEASE:
        return take_close(recovery, record, err);
    case SW_LEDGER_KNOWN:
        return take_known(recovery->ledger, record, err);
    case SW_LEDGER_STOP:
    default:
        return SW_OK;
    }
}

static enum sw_rc visit(void *ctx, const struct sw_journal_entry *entry, struct sw_err *err)
{
    struct recovery *recovery = ctx;
    struct sw_ledger_record record;
    enum sw_rc rc = sw_ledger_record_take(entry->record, &record, err);

    if (rc == SW_OK) {
        recovery->is_empty = false;
        /* Where the beginning was removed, the rest before BEGIN says nothing. */
        if (!recovery->has_begun && record.kind != SW_LEDGER_BEGIN)
            return SW_OK;
        rc = take(recovery, &record, err);
    }
    if (rc != SW_OK)
        (void)sw_err_context(err, "the record at lsn %" PRIu64, entry->place.lsn);
    return rc;
}

/* --- After it was read ----------------------------------------------------------------------- */

/* What stands below the mark and is not reserved may have been spent: nobody knows better. */
static void count_as_lost(struct sw_budget_node *node)
{
    for (unsigned i = 0; i < SW_BUDGET_DIMENSIONS; i++) {
        uint64_t reserved = node->reserved.of[i], mark = node->mark.of[i], spent;

        spent = mark > reserved ? mark - reserved : 0;
        if (spent <= node->spent.of[i])
            continue;
        node->lost.of[i] = sw_budget_plus(node->lost.of[i], spent - node->spent.of[i]);
        node->spent.of[i] = spent;
    }
}

/* Nobody is there any more who could say what the calls came to that a process before this one
 * had reserved: they cost their worst case. Who makes one of them again needs a key of its own. */
static void settle_open(struct sw_ledger *ledger)
{
    struct sw_map_entry entry;
    struct sw_list open;
    struct sw_list *first;

    sw_list_init(&open); /* What gets known may push out what is. */
    for (size_t cursor = 0; sw_map_next(ledger->keys, &cursor, &entry);) {
        struct sw_reservation *reservation = entry.value;

        if (reservation->state == SW_RESERVATION_OPEN)
            sw_list_add(&open, &reservation->node);
    }
    while ((first = sw_list_first(&open)) != NULL) {
        struct sw_reservation *reservation = SW_LIST_ITEM(first, struct sw_reservation, node);

        sw_reservation_close(ledger, reservation, &reservation->worst);
        reservation->actual = reservation->worst;
        reservation->steps = 0;
        sw_reservation_know(ledger, reservation);
        ledger->figures.abandoned++;
    }
}

static void settle_nodes(struct recovery *recovery, bool is_exact)
{
    struct sw_ledger *ledger = recovery->ledger;
    struct sw_map_entry entry;

    for (size_t cursor = 0; sw_map_next(ledger->tree.nodes, &cursor, &entry);) {
        struct sw_budget_node *node = entry.value;

        if (!is_exact)
            count_as_lost(node);
        node->is_orphan = node->level == SW_BUDGET_TURN || node->owner != NULL;
        ledger->has_orphan_nodes = ledger->has_orphan_nodes || node->is_orphan;
    }
    settle_open(ledger);
}

/* In which boot of the machine this is, and after a restore on which timeline. A machine that
 * cannot say the first loses its power each time. */
static size_t read_boot(const struct sw_ledger *ledger, char ret_boot[SW_LEDGER_BOOT_MAX])
{
    const struct sw_system *system = ledger->system;
    size_t size = 0;
    int file;

    if (system->file_open(system->ctx, BOOT_FILE, SW_FILE_READ, &file, NULL) != SW_OK)
        return 0;
    if (system->file_read(system->ctx, file, 0, ret_boot, BOOT_ID_MAX, &size, NULL) != SW_OK)
        size = 0;
    system->file_close(system->ctx, file);
    if (size == 0 || ledger->options.timeline <= 1)
        return size;
    return size + (size_t)snprintf(ret_boot + size, SW_LEDGER_BOOT_MAX - size, "/%" PRIu64,
                                   ledger->options.timeline);
}

/* All that counts, at the head of what is to come; a full disk gets it later. */
static enum sw_rc begin(struct recovery *recovery, struct sw_bytes boot, struct sw_err *err)
{
    struct sw_ledger *ledger = recovery->ledger;
    const struct sw_ledger_record record = {.kind = SW_LEDGER_BOOT, .boot = boot};
    enum sw_rc rc = sw_ledger_begin_anew(ledger, err);

    if (rc == SW_OK)
        rc = sw_ledger_append(ledger, &record, NULL, err);
    if (rc == SW_OK)
        rc = sw_journal_commit(ledger->journal, err);
    if (rc == SW_E_EXHAUSTED && sw_journal_is_full(ledger->journal))
        return SW_OK;
    if (rc == SW_OK)
        rc = sw_journal_remove_before(ledger->journal, ledger->begin_lsn, err);
    if (rc == SW_OK)
        ledger->removed_lsn = ledger->begin_lsn;
    return rc;
}

enum sw_rc sw_ledger_recover(struct sw_ledger *ledger, struct sw_err *err)
{
    struct recovery recovery = {.ledger = ledger, .is_empty = true};
    uint64_t bytes = ledger->options.compact_bytes; /* Whole segments are removed. */
    const struct sw_journal_options options = {
        .system = ledger->system,
        .folder = ledger->options.folder,
        .segment_bytes = bytes < SEGMENT_BYTES_MIN ? SEGMENT_BYTES_MIN : bytes};
    char boot[SW_LEDGER_BOOT_MAX];
    size_t boot_size = read_boot(ledger, boot);
    bool is_exact;
    enum sw_rc rc = begin_empty(&recovery, err);

    if (rc == SW_OK)
        rc = sw_journal_open(&options, visit, &recovery, &ledger->journal, err);
    if (rc == SW_OK && !recovery.has_begun && !recovery.is_empty)
        rc = malformed(err, "something before it begins");
    sw_idmap_free(recovery.ids);
    if (rc != SW_OK)
        return sw_err_context(err, "the ledger in %s", ledger->options.folder);
    is_exact = recovery.has_stopped || (boot_size > 0 && boot_size == recovery.boot_size &&
                                        memcmp(boot, recovery.boot, boot_size) == 0);
    settle_nodes(&recovery, is_exact);
    ledger->tree.nodes_max = ledger->options.nodes_max;
    return begin(&recovery, (struct sw_bytes){boot, boot_size}, err);
}

static enum sw_rc look(void *ctx, const struct sw_journal_entry *entry, struct sw_err *err)
{
    struct sw_ledger_record record;
    enum sw_rc rc = sw_ledger_record_take(entry->record, &record, err);

    (void)ctx;
    return rc == SW_OK ? rc : sw_err_context(err, "the record at lsn %" PRIu64, entry->place.lsn);
}

enum sw_rc sw_ledger_check(const struct sw_system *system, const char *folder,
                           struct sw_journal_report *ret_report, struct sw_err *err)
{
    enum sw_rc rc = sw_journal_scan(system, folder, look, NULL, ret_report, err);

    return rc == SW_OK || rc == SW_E_NOT_FOUND ? rc
                                               : sw_err_context(err, "the ledger in %s", folder);
}
