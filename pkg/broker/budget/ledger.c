#include "pkg/broker/budget/ledger.h"

#include "pkg/broker/budget/state.h"

#include <assert.h>
#include <stdlib.h>

#define S_NS 1000000000ull
#define GRACE_NS (900 * S_NS)
#define KEEP_NS (3600 * S_NS)
#define KEEP_MAX 65536u
#define OPEN_MAX 131072u
#define NODES_MAX 262144u
#define COMPACT_BYTES (16u << 20)
#define RECORD_BYTES_MAX 4096u

/* --- Its life -------------------------------------------------------------------------------- */

static void fill_in(struct sw_ledger_options *options)
{
    if (options->defer == NULL)
        options->defer = sw_loop_defer;
    if (options->work == NULL)
        options->work = sw_loop_work;
    options->grace_ns = options->grace_ns == 0 ? GRACE_NS : options->grace_ns;
    options->keep_ns = options->keep_ns == 0 ? KEEP_NS : options->keep_ns;
    options->keep_max = options->keep_max == 0 ? KEEP_MAX : options->keep_max;
    options->open_max = options->open_max == 0 ? OPEN_MAX : options->open_max;
    options->nodes_max = options->nodes_max == 0 ? NODES_MAX : options->nodes_max;
    options->compact_bytes = options->compact_bytes == 0 ? COMPACT_BYTES : options->compact_bytes;
}

enum sw_rc sw_ledger_new(const struct sw_ledger_options *options, struct sw_ledger **ret_ledger,
                         struct sw_err *err)
{
    SW_CLEANUP(sw_ledger_freep) struct sw_ledger *ledger = calloc(1, sizeof *ledger);
    enum sw_rc rc;

    if (ledger == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the ledger");
    ledger->options = *options;
    fill_in(&ledger->options);
    ledger->system = options->system;
    ledger->next_id = 1;
    ledger->boot_ns = options->system->monotonic_ns(options->system->ctx);
    sw_list_init(&ledger->waits_write);
    sw_list_init(&ledger->waits_sync);
    sw_list_init(&ledger->known);
    sw_list_init(&ledger->turns_used);
    sw_buffer_init(&ledger->scratch, RECORD_BYTES_MAX);
    rc = sw_ledger_recover(ledger, err);
    ledger->options.folder = NULL; /* It was borrowed until here. */
    if (rc != SW_OK)
        return rc;
    *ret_ledger = SW_TAKE(ledger);
    return SW_OK;
}

void sw_ledger_free(struct sw_ledger *ledger)
{
    struct sw_map_entry entry;

    if (ledger == NULL)
        return;
    for (size_t cursor = 0; ledger->keys != NULL && sw_map_next(ledger->keys, &cursor, &entry);)
        free(entry.value);
    sw_map_free(ledger->keys);
    sw_ledger_turns_done(ledger);
    sw_budget_tree_done(&ledger->tree);
    free(ledger->numbers);
    sw_journal_close(ledger->journal);
    sw_buffer_done(&ledger->scratch);
    free(ledger);
}

/* --- Rules ----------------------------------------------------------------------------------- */

static enum sw_rc check_name(const char *name, const char *what, struct sw_err *err)
{
    if (name[0] != '\0' && strlen(name) <= SW_BUDGET_NAME_MAX)
        return SW_OK;
    return sw_err_set(err, SW_E_INVALID, "the %s of a budget has 1 to %u bytes", what,
                      SW_BUDGET_NAME_MAX);
}

static struct sw_budget_place place_of(const char *name_space, const char *agent, const char *name)
{
    struct sw_budget_place place = {.level = SW_BUDGET_CLUSTER};

    if (name != NULL)
        place.rule = (struct sw_bytes){name, strlen(name)};
    if (name_space == NULL)
        return place;
    place.level = SW_BUDGET_NAMESPACE;
    place.name_space = (struct sw_bytes){name_space, strlen(name_space)};
    if (agent != NULL) {
        place.level = SW_BUDGET_AGENT;
        place.agent = (struct sw_bytes){agent, strlen(agent)};
    }
    place.rule_level = place.level;
    return place;
}

static enum sw_rc check_names(const char *name_space, const char *agent, const char *name,
                              struct sw_err *err)
{
    enum sw_rc rc = SW_OK;

    assert(name_space != NULL || agent == NULL);
    if (name_space != NULL)
        rc = check_name(name_space, "namespace", err);
    if (rc == SW_OK && agent != NULL)
        rc = check_name(agent, "agent", err);
    if (rc == SW_OK && name != NULL)
        rc = check_name(name, "name", err);
    return rc;
}

typedef bool pick(const void *ctx, const struct sw_budget_node *node);

/* Drop all nodes that are picked and that nobody needs, from below; those that somebody needs go
 * with their last reservation.  False: no memory, nothing was dropped. */
static bool drop_all(struct sw_ledger *ledger, pick *is_picked, const void *ctx)
{
    size_t max = sw_map_count(ledger->tree.nodes), count = 0;
    struct sw_budget_node **nodes = malloc(max * sizeof(struct sw_budget_node *));
    struct sw_map_entry entry;

    if (nodes == NULL)
        return false;
    for (size_t cursor = 0; sw_map_next(ledger->tree.nodes, &cursor, &entry);)
        if (is_picked(ctx, entry.value))
            nodes[count++] = entry.value;
    for (unsigned pass = 0; pass < 2; pass++) /* Instances and turns, then rules. */
        for (size_t i = 0; i < count; i++) {
            if (nodes[i] == NULL || (pass == 0) != (nodes[i]->agent != NULL))
                continue;
            nodes[i]->is_over = true;
            if (nodes[i]->open == 0 && nodes[i]->below == 0)
                sw_ledger_node_drop(ledger, nodes[i]);
            nodes[i] = NULL;
        }
    free(nodes);
    sw_ledger_schedule(ledger);
    return true;
}

static bool is_of_rule(const void *ctx, const struct sw_budget_node *node)
{
    return node->rule_node == ctx;
}

static enum sw_rc remove_rule(struct sw_ledger *ledger, struct sw_budget_node *node,
                              struct sw_err *err)
{
    if (node == NULL)
        return SW_OK;
    free(node->rule);
    node->rule = NULL;
    return drop_all(ledger, is_of_rule, node)
               ? SW_OK
               : sw_err_set(err, SW_E_EXHAUSTED, "no memory to remove a budget");
}

static enum sw_rc check_rules(const struct sw_budget_node *node, struct sw_err *err)
{
    unsigned count = 0;

    for (const struct sw_budget_node *one = node->owner->rules; one != NULL; one = one->next_rule)
        count += one->rule != NULL;
    return count < SW_BUDGET_RULES_MAX
               ? SW_OK
               : sw_err_set(err, SW_E_EXHAUSTED, "there are %u budgets of the same", count);
}

enum sw_rc sw_ledger_set(struct sw_ledger *ledger, const char *name_space, const char *agent,
                         const char *name, const struct sw_budget_rule *rule, struct sw_err *err)
{
    enum sw_rc rc = check_names(name_space, agent, name, err);
    struct sw_budget_place place;
    struct sw_budget_node *node;

    assert(name != NULL);
    if (rc != SW_OK)
        return rc;
    place = place_of(name_space, agent, name);
    node = sw_budget_tree_find(&ledger->tree, &place);
    if (rule == NULL)
        return remove_rule(ledger, node, err);
    if (node == NULL)
        rc = sw_budget_tree_get(&ledger->tree, &place, &node, err);
    if (rc == SW_OK && node->rule == NULL) {
        rc = check_rules(node, err);
        if (rc == SW_OK)
            node->rule = malloc(sizeof *node->rule);
        if (rc == SW_OK && node->rule == NULL)
            rc = sw_err_set(err, SW_E_EXHAUSTED, "no memory for a budget");
    }
    if (rc != SW_OK)
        return rc;
    *node->rule = *rule;
    node->is_over = node->is_orphan = false;
    return SW_OK;
}

/* --- Reserving ------------------------------------------------------------------------------- */

static enum sw_rc check_request(const struct sw_ledger_request *request, struct sw_err *err)
{
    enum sw_rc rc = check_name(request->who.name_space, "namespace", err);

    if (rc == SW_OK)
        rc = check_name(request->who.agent, "agent", err);
    if (rc == SW_OK && request->who.instance.size > SW_BUDGET_INSTANCE_MAX)
        rc = sw_err_set(err, SW_E_INVALID, "the key of an instance has at most %u bytes",
                        SW_BUDGET_INSTANCE_MAX);
    if (rc == SW_OK && (request->key.size == 0 || request->key.size > SW_LEDGER_KEY_MAX))
        rc =
            sw_err_set(err, SW_E_INVALID, "the key of a call has 1 to %u bytes", SW_LEDGER_KEY_MAX);
    return rc;
}

static enum sw_rc check_state(const struct sw_ledger *ledger, struct sw_err *err)
{
    if (ledger->failure != SW_OK) {
        sw_err_set(err, SW_E_UNAVAILABLE,
                   "the ledger could not be written: nothing is spent "
                   "any more");
        sw_err_hint(err, "look at the disk of swarmd's data folder, then restart swarmd");
    } else if (sw_journal_is_full(ledger->journal)) {
        sw_err_set(err, SW_E_UNAVAILABLE, "the disk is full: the ledger cannot be written");
        sw_err_hint(err, "make room on the disk of swarmd's data folder");
    } else if (ledger->is_stopping) {
        sw_err_set(err, SW_E_UNAVAILABLE, "the ledger is being closed");
    } else if (ledger->figures.open >= ledger->options.open_max ||
               !sw_journal_has_room(ledger->journal)) {
        sw_err_set(err, SW_E_UNAVAILABLE, "too many calls are under way: %u", ledger->figures.open);
    } else {
        return SW_OK;
    }
    return SW_E_UNAVAILABLE;
}

static void grant_known(struct sw_reservation *reservation, struct sw_ledger_grant *ret_grant)
{
    bool is_known = reservation->state == SW_RESERVATION_KNOWN;

    *ret_grant = (struct sw_ledger_grant){.state = is_known ? SW_LEDGER_SETTLED : SW_LEDGER_OPEN,
                                          .reservation = is_known ? NULL : reservation,
                                          .worst = reservation->worst,
                                          .actual = reservation->actual};
}

/* A node of an instance or turn that was only looked at goes again. */
static void forget_idle(struct sw_ledger *ledger, const struct sw_budget_path *path)
{
    for (size_t i = path->count; i > 0; i--) {
        struct sw_budget_node *node = path->nodes[i - 1];

        if (node->agent != NULL && node->number == 0 && sw_budget_node_is_idle(node))
            sw_budget_tree_remove(&ledger->tree, node);
    }
}

static enum sw_rc refuse(struct sw_ledger *ledger, struct sw_budget_node *node,
                         struct sw_ledger_refusal *refusal, struct sw_err *err)
{
    struct sw_budget_place place;
    unsigned i = refusal->dimension;

    sw_budget_node_place(node, &place);
    memcpy(refusal->rule, place.rule.data, place.rule.size);
    refusal->rule_level = place.rule_level;
    ledger->figures.refused++;
    node->rule_node->refused++;
    if (node != node->rule_node)
        node->refused++;
    refusal->level = node->level;
    refusal->until_ns = refusal->is_depth ? UINT64_MAX : node->end_ns;
    if (!refusal->is_depth) {
        refusal->limit = sw_budget_node_limits(node)->most.of[i];
        refusal->spent = node->spent.of[i];
        refusal->reserved = node->reserved.of[i];
        refusal->may_fit_later = sw_budget_plus(refusal->spent, refusal->wanted) <= refusal->limit;
    }
    return sw_ledger_refuse(node, refusal, err);
}

/* Whether a call fits in each node of its path, all of them in their present periods. */
static enum sw_rc check_path(struct sw_ledger *ledger, const struct sw_ledger_request *request,
                             const struct sw_budget_path *path, struct sw_ledger_refusal *refusal,
                             struct sw_err *err)
{
    uint64_t utc_ns = ledger->system->utc_ns(ledger->system->ctx);
    uint32_t depth = request->who.depth;

    for (size_t i = 0; i < path->count; i++) {
        struct sw_budget_node *node = path->nodes[i];
        const struct sw_budget_limits *limits = sw_budget_node_limits(node);
        enum sw_rc rc = sw_ledger_node_roll(ledger, node, utc_ns, err);

        if (rc != SW_OK)
            return rc;
        if (depth > limits->depth) {
            refusal->is_depth = true;
            refusal->limit = limits->depth;
            refusal->wanted = depth;
            return refuse(ledger, node, refusal, err);
        }
        if (!sw_budget_node_fits(node, &request->worst, &refusal->dimension)) {
            refusal->wanted = request->worst.of[refusal->dimension];
            return refuse(ledger, node, refusal, err);
        }
    }
    return SW_OK;
}

static bool is_above_sure(const struct sw_budget_node *node)
{
    const struct sw_budget_amount *most = &sw_budget_node_limits(node)->most;

    for (unsigned i = 0; i < SW_BUDGET_DIMENSIONS; i++)
        if (most->of[i] != SW_BUDGET_UNLIMITED &&
            sw_budget_plus(node->spent.of[i], node->reserved.of[i]) > node->sure.of[i])
            return true;
    return false;
}

/* Raise the marks of its path. *ret_waits: some of it is above what is durable. */
static enum sw_rc mark_path(struct sw_ledger *ledger, const struct sw_reservation *reservation,
                            bool *ret_waits, struct sw_err *err)
{
    enum sw_rc rc = SW_OK;

    *ret_waits = false;
    for (unsigned i = 0; rc == SW_OK && i < reservation->steps; i++) {
        struct sw_budget_node *node = reservation->path[i].node;

        if (node->number == 0)
            rc = sw_ledger_node_number(ledger, node, err);
        if (rc == SW_OK)
            rc = sw_ledger_node_mark(ledger, node, &reservation->worst, err);
        *ret_waits = *ret_waits || is_above_sure(node);
    }
    return rc;
}

static enum sw_rc put_reservation(struct sw_ledger *ledger, struct sw_reservation *reservation,
                                  struct sw_err *err)
{
    struct sw_ledger_record record = {.kind = SW_LEDGER_RESERVE,
                                      .id = reservation->id,
                                      .key = {reservation->key, reservation->key_size},
                                      .worst = reservation->worst,
                                      .steps = reservation->steps};
    struct sw_journal_place place;
    bool waits;
    enum sw_rc rc = mark_path(ledger, reservation, &waits, err);

    for (unsigned i = 0; i < record.steps; i++)
        record.path[i].node = reservation->path[i].node->number;
    if (rc == SW_OK)
        rc = sw_ledger_append(ledger, &record, &place, err);
    if (rc != SW_OK)
        return rc;
    reservation->epoch = place.epoch;
    sw_list_add(waits ? &ledger->waits_sync : &ledger->waits_write, &reservation->node);
    if (waits) {
        ledger->sync_epoch = place.epoch;
        ledger->figures.waits++;
    }
    return SW_OK;
}

static enum sw_rc reserve(struct sw_ledger *ledger, const struct sw_ledger_request *request,
                          const struct sw_budget_path *path, struct sw_ledger_grant *ret_grant,
                          struct sw_err *err)
{
    static const struct sw_budget_amount nothing;
    struct sw_reservation *reservation = sw_reservation_new(ledger, request->key, path->count);
    enum sw_rc rc;

    if (reservation == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a reservation");
    reservation->id = ledger->next_id++;
    reservation->ready = request->ready;
    reservation->ctx = request->ctx;
    reservation->worst = request->worst;
    reservation->state = SW_RESERVATION_WAITS;
    for (size_t i = 0; i < path->count; i++) {
        struct sw_budget_node *node = path->nodes[i];

        reservation->path[i] = (struct sw_reservation_step){node, node->generation};
        node->is_over = node->is_orphan = false;
    }
    sw_reservation_hold(reservation);
    ledger->figures.open++;
    rc = put_reservation(ledger, reservation, err);
    if (rc != SW_OK) {
        sw_reservation_close(ledger, reservation, &nothing);
        sw_reservation_free(ledger, reservation);
        return rc;
    }
    ledger->figures.reserved++;
    sw_ledger_schedule(ledger);
    *ret_grant = (struct sw_ledger_grant){
        .state = SW_LEDGER_NEW, .reservation = reservation, .worst = request->worst};
    return SW_OK;
}

enum sw_rc sw_ledger_reserve(struct sw_ledger *ledger, const struct sw_ledger_request *request,
                             struct sw_ledger_grant *ret_grant,
                             struct sw_ledger_refusal *ret_refusal, struct sw_err *err)
{
    struct sw_ledger_refusal refusal = {.wanted = 0};
    struct sw_budget_path path = {.count = 0};
    struct sw_reservation *reservation;
    enum sw_rc rc = check_request(request, err);

    if (ret_refusal != NULL)
        *ret_refusal = refusal;
    if (rc != SW_OK)
        return rc;
    reservation = sw_map_find(ledger->keys, request->key.data, request->key.size);
    if (reservation != NULL) {
        grant_known(reservation, ret_grant);
        return SW_OK;
    }
    rc = check_state(ledger, err);
    if (rc != SW_OK)
        return rc;
    rc = sw_budget_tree_path(&ledger->tree, &request->who, &path, err);
    if (rc == SW_OK)
        rc = check_path(ledger, request, &path, &refusal, err);
    if (rc == SW_OK)
        rc = reserve(ledger, request, &path, ret_grant, err);
    if (rc == SW_OK) {
        if (path.nodes[path.count - 1]->level == SW_BUDGET_TURN)
            sw_ledger_turn_enter(ledger, &request->who);
        return SW_OK;
    }
    if (refusal.wanted > 0)
        path.nodes[SW_BUDGET_AGENT]->refused++;
    forget_idle(ledger, &path);
    if (refusal.wanted == 0 && err != NULL) /* No budget says no: memory, or a bound. */
        err->rc = SW_E_UNAVAILABLE;
    if (ret_refusal != NULL)
        *ret_refusal = refusal;
    return refusal.wanted == 0 ? SW_E_UNAVAILABLE : rc;
}

/* --- Settling -------------------------------------------------------------------------------- */

/* Tell the end of a reservation, whatever becomes of that. */
static enum sw_rc put_end(struct sw_ledger *ledger, const struct sw_ledger_record *record,
                          struct sw_err *err)
{
    enum sw_rc rc = ledger->failure;

    if (rc != SW_OK)
        return sw_err_set(err, rc, "the ledger could not be written before");
    rc = sw_ledger_append(ledger, record, NULL, err);
    sw_ledger_schedule(ledger);
    return rc;
}

enum sw_rc sw_ledger_settle(struct sw_ledger *ledger, struct sw_reservation *reservation,
                            const struct sw_budget_amount *actual, struct sw_err *err)
{
    const struct sw_ledger_record record = {
        .kind = SW_LEDGER_SETTLE, .id = reservation->id, .actual = *actual};
    enum sw_rc rc = put_end(ledger, &record, err);

    assert(reservation->state == SW_RESERVATION_OPEN);
    sw_reservation_close(ledger, reservation, actual);
    reservation->actual = *actual;
    for (unsigned i = 0; rc == SW_OK && i < reservation->steps; i++)
        if (reservation->path[i].generation == reservation->path[i].node->generation)
            rc = sw_ledger_node_mark(ledger, reservation->path[i].node, &reservation->worst, err);
    sw_reservation_leave(ledger, reservation);
    reservation->steps = 0;
    sw_reservation_know(ledger, reservation);
    ledger->figures.settled++;
    return rc;
}

enum sw_rc sw_ledger_release(struct sw_ledger *ledger, struct sw_reservation *reservation,
                             struct sw_err *err)
{
    static const struct sw_budget_amount nothing;
    const struct sw_ledger_record record = {.kind = SW_LEDGER_RELEASE, .id = reservation->id};
    enum sw_rc rc = put_end(ledger, &record, err);

    assert(reservation->state != SW_RESERVATION_KNOWN);
    sw_reservation_close(ledger, reservation, &nothing);
    sw_reservation_leave(ledger, reservation);
    sw_reservation_free(ledger, reservation);
    ledger->figures.released++;
    return rc;
}

/* --- Ends, time ------------------------------------------------------------------------------ */

/* The node of an instance or turn that one rule bounds. */
static void be_over_by(struct sw_ledger *ledger, struct sw_budget_place *place,
                       const struct sw_budget_node *rule)
{
    struct sw_budget_place above;
    struct sw_budget_node *node;

    sw_budget_node_place(rule, &above);
    place->rule_level = rule->level;
    place->rule = above.rule;
    node = sw_budget_tree_find(&ledger->tree, place);
    if (node == NULL)
        return;
    node->is_over = true;
    if (node->open > 0)
        return;
    sw_ledger_node_drop(ledger, node);
    sw_ledger_schedule(ledger);
}

static void be_over(struct sw_ledger *ledger, const struct sw_budget_who *who,
                    enum sw_budget_level level)
{
    struct sw_budget_place place = place_of(who->name_space, who->agent, NULL), base;

    place.level = level;
    place.instance = who->instance;
    place.turn = level == SW_BUDGET_TURN ? who->turn : 0;
    for (unsigned i = SW_BUDGET_CLUSTER; i <= SW_BUDGET_AGENT; i++) {
        const struct sw_budget_node *owner, *rule;

        base = place_of(i >= SW_BUDGET_NAMESPACE ? who->name_space : NULL,
                        i >= SW_BUDGET_AGENT ? who->agent : NULL, NULL);
        owner = sw_budget_tree_find(&ledger->tree, &base);
        for (rule = owner == NULL ? NULL : owner->rules; rule != NULL; rule = rule->next_rule)
            be_over_by(ledger, &place, rule);
    }
}

void sw_ledger_turn_over(struct sw_ledger *ledger, const struct sw_budget_who *who)
{
    be_over(ledger, who, SW_BUDGET_TURN);
}

void sw_ledger_instance_over(struct sw_ledger *ledger, const struct sw_budget_who *who)
{
    be_over(ledger, who, SW_BUDGET_INSTANCE);
}

/* Turns from before a crash that nobody went on with are over, and rules that nobody set are gone.
 */
static bool is_left_over(const void *ctx, const struct sw_budget_node *node)
{
    (void)ctx;
    return node->is_orphan || node->rule_node->is_orphan;
}

static struct sw_reservation *first_before(const struct sw_list *list, uint64_t now_ns,
                                           uint64_t age_ns)
{
    struct sw_list *node = sw_list_first(list);
    struct sw_reservation *first =
        node == NULL ? NULL : SW_LIST_ITEM(node, struct sw_reservation, node);

    return first != NULL && now_ns - first->since_ns >= age_ns ? first : NULL;
}

void sw_ledger_tick(struct sw_ledger *ledger)
{
    uint64_t now_ns = ledger->system->monotonic_ns(ledger->system->ctx);
    struct sw_reservation *first;

    if (ledger->failure != SW_OK)
        return;
    while ((first = first_before(&ledger->known, now_ns, ledger->options.keep_ns)) != NULL) {
        sw_reservation_free(ledger, first);
        ledger->figures.known--;
    }
    if (ledger->has_orphan_nodes && now_ns - ledger->boot_ns >= ledger->options.grace_ns)
        ledger->has_orphan_nodes = !drop_all(ledger, is_left_over, NULL);
    if (sw_journal_is_dirty(ledger->journal) || ledger->stopped != NULL ||
        sw_journal_durable(ledger->journal) < ledger->sync_epoch)
        sw_ledger_schedule(ledger);
}

/* --- Views ----------------------------------------------------------------------------------- */

static void view_of(const struct sw_ledger *ledger, const struct sw_budget_node *node,
                    struct sw_budget_view *ret_view)
{
    static const struct sw_budget_amount nothing;
    enum sw_budget_period period;
    uint64_t index;
    bool is_new;

    sw_budget_node_view(node, ret_view);
    if (!sw_budget_node_roll(node, ledger->system->utc_ns(ledger->system->ctx), &period, &index,
                             &is_new))
        return;
    ret_view->period = period;
    ret_view->begin_ns = sw_budget_period_begin(period, index);
    ret_view->end_ns = sw_budget_period_begin(period, sw_budget_plus(index, 1));
    if (is_new)
        ret_view->spent = ret_view->reserved = ret_view->lost = nothing;
}

static bool is_of_interest(const struct sw_budget_node *node)
{
    return node->rule != NULL || !sw_budget_node_is_idle(node);
}

void sw_ledger_each(struct sw_ledger *ledger, sw_ledger_visit *visit, void *ctx)
{
    struct sw_map_entry entry;
    struct sw_budget_view view;

    for (size_t cursor = 0; sw_map_next(ledger->tree.nodes, &cursor, &entry);) {
        if (!is_of_interest(entry.value))
            continue;
        view_of(ledger, entry.value, &view);
        visit(ctx, &view);
    }
}

bool sw_ledger_find(struct sw_ledger *ledger, const char *name_space, const char *agent,
                    const char *name, struct sw_budget_view *ret_view)
{
    const struct sw_budget_node *node;
    struct sw_budget_place place;

    if (check_names(name_space, agent, name, NULL) != SW_OK)
        return false;
    place = place_of(name_space, agent, name);
    node = sw_budget_tree_find(&ledger->tree, &place);
    if (node == NULL || !is_of_interest(node))
        return false;
    view_of(ledger, node, ret_view);
    return true;
}

void sw_ledger_figures(const struct sw_ledger *ledger, struct sw_ledger_figures *ret_figures)
{
    *ret_figures = ledger->figures;
    ret_figures->nodes = (uint32_t)sw_map_count(ledger->tree.nodes);
    ret_figures->journal_bytes = sw_journal_end(ledger->journal) - ledger->begin_lsn;
    ret_figures->has_failed = ledger->failure != SW_OK;
    ret_figures->is_full = sw_journal_is_full(ledger->journal);
}
