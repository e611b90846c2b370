#include "pkg/broker/budget/tree.h"

#include <assert.h>
#include <stdlib.h>

#define HEAD_BYTES 10u /* Of a key: level, level of the rule, turn. */
#define KEY_MAX (HEAD_BYTES + 3 * (SW_BUDGET_NAME_MAX + 1) + SW_BUDGET_INSTANCE_MAX)

/* --- Keys ------------------------------------------------------------------------------------ */

static struct sw_bytes key_of(const void *value)
{
    const struct sw_budget_node *node = value;

    return (struct sw_bytes){node->key, node->key_size};
}

static size_t put_name(struct sw_bytes name, uint8_t *key, size_t size)
{
    if (name.size > 0)
        memcpy(key + size, name.data, name.size);
    key[size + name.size] = 0;
    return size + name.size + 1;
}

static size_t key_put(const struct sw_budget_place *place, uint8_t key[KEY_MAX])
{
    uint64_t turn = htole64(place->turn);
    size_t size = HEAD_BYTES;

    assert(place->rule.size <= SW_BUDGET_NAME_MAX && place->name_space.size <= SW_BUDGET_NAME_MAX &&
           place->agent.size <= SW_BUDGET_NAME_MAX &&
           place->instance.size <= SW_BUDGET_INSTANCE_MAX);
    key[0] = (uint8_t)place->level;
    key[1] = (uint8_t)place->rule_level;
    memcpy(key + 2, &turn, sizeof turn);
    size = put_name(place->rule, key, size);
    size = put_name(place->name_space, key, size);
    size = put_name(place->agent, key, size);
    if (place->instance.size > 0)
        memcpy(key + size, place->instance.data, place->instance.size);
    return size + place->instance.size;
}

static struct sw_bytes take_name(const struct sw_budget_node *node, size_t *size)
{
    const char *name = (const char *)node->key + *size;
    struct sw_bytes taken = {name, strlen(name)};

    *size += taken.size + 1;
    return taken;
}

void sw_budget_node_place(const struct sw_budget_node *node, struct sw_budget_place *ret_place)
{
    size_t size = HEAD_BYTES;

    *ret_place = (struct sw_budget_place){
        .level = node->level, .rule_level = node->rule_node->level, .turn = node->turn};
    ret_place->rule = take_name(node, &size);
    ret_place->name_space = take_name(node, &size);
    ret_place->agent = take_name(node, &size);
    ret_place->instance = (struct sw_bytes){node->key + size, node->key_size - size};
}

/* --- Nodes ----------------------------------------------------------------------------------- */

enum sw_rc sw_budget_tree_init(struct sw_budget_tree *tree, uint64_t seed, uint32_t nodes_max,
                               struct sw_err *err)
{
    const struct sw_budget_place place = {.level = SW_BUDGET_CLUSTER};

    *tree = (struct sw_budget_tree){.nodes = sw_map_new_of(seed, key_of), .nodes_max = nodes_max};
    if (tree->nodes == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the tree of budgets");
    return sw_budget_tree_get(tree, &place, &tree->cluster, err);
}

static void node_free(struct sw_budget_node *node)
{
    free(node->rule);
    free(node);
}

void sw_budget_tree_done(struct sw_budget_tree *tree)
{
    struct sw_map_entry entry;

    for (size_t cursor = 0; tree->nodes != NULL && sw_map_next(tree->nodes, &cursor, &entry);)
        node_free(entry.value);
    sw_map_free(tree->nodes);
    tree->nodes = NULL;
    tree->cluster = NULL;
}

struct sw_budget_node *sw_budget_tree_find(const struct sw_budget_tree *tree,
                                           const struct sw_budget_place *place)
{
    uint8_t key[KEY_MAX];
    size_t size = key_put(place, key);

    return sw_map_find(tree->nodes, key, size);
}

/* The base above, of that level, or a rule's. */
static enum sw_rc get_above(struct sw_budget_tree *tree, const struct sw_budget_place *place,
                            enum sw_budget_level level, struct sw_budget_node **ret_node,
                            struct sw_err *err)
{
    struct sw_budget_place above = {.level = level, .rule_level = level};

    if (level >= SW_BUDGET_NAMESPACE)
        above.name_space = place->name_space;
    if (level >= SW_BUDGET_AGENT)
        above.agent = place->agent;
    return sw_budget_tree_get(tree, &above, ret_node, err);
}

static enum sw_rc get_rule(struct sw_budget_tree *tree, const struct sw_budget_place *place,
                           struct sw_budget_node **ret_node, struct sw_err *err)
{
    struct sw_budget_place above = {
        .level = place->rule_level, .rule_level = place->rule_level, .rule = place->rule};

    if (above.level >= SW_BUDGET_NAMESPACE)
        above.name_space = place->name_space;
    if (above.level >= SW_BUDGET_AGENT)
        above.agent = place->agent;
    return sw_budget_tree_get(tree, &above, ret_node, err);
}

static enum sw_rc check_room(const struct sw_budget_tree *tree, const struct sw_budget_node *agent,
                             struct sw_err *err)
{
    if (sw_map_count(tree->nodes) >= tree->nodes_max)
        return sw_err_set(err, SW_E_EXHAUSTED, "there are too many budgets: %u", tree->nodes_max);
    if (agent != NULL && agent->below >= tree->nodes_max / 4)
        return sw_err_set(err, SW_E_EXHAUSTED,
                          "there are too many budgets of instances and turns of one agent: %u",
                          tree->nodes_max / 4);
    return SW_OK;
}

static struct sw_budget_node *node_new(const struct sw_budget_place *place, const uint8_t *key,
                                       size_t size)
{
    struct sw_budget_node *node = calloc(1, sizeof *node + size);

    if (node == NULL)
        return NULL;
    node->level = place->level;
    node->turn = place->turn;
    node->end_ns = UINT64_MAX;
    node->rule_node = node;
    node->key_size = (uint16_t)size;
    memcpy(node->key, key, size);
    return node;
}

/* What a node needs above it: an agent and a rule, or the owner of the rule. */
struct above {
    struct sw_budget_node *agent, *rule, *owner;
};

static enum sw_rc find_above(struct sw_budget_tree *tree, const struct sw_budget_place *place,
                             struct above *ret_above, struct sw_err *err)
{
    enum sw_rc rc;

    memset(ret_above, 0, sizeof *ret_above);
    if (place->level < SW_BUDGET_INSTANCE)
        return place->rule.size == 0 ? SW_OK
                                     : get_above(tree, place, place->level, &ret_above->owner, err);
    rc = get_above(tree, place, SW_BUDGET_AGENT, &ret_above->agent, err);
    return rc == SW_OK ? get_rule(tree, place, &ret_above->rule, err) : rc;
}

static void link_above(struct sw_budget_node *node, const struct above *above)
{
    if (above->owner != NULL) {
        struct sw_budget_node **last = &above->owner->rules;

        while (*last != NULL)
            last = &(*last)->next_rule;
        *last = node;
        node->owner = above->owner;
        above->owner->below++;
    }
    if (above->agent != NULL) {
        node->agent = above->agent;
        node->rule_node = above->rule;
        above->agent->below++;
        above->rule->below++;
    }
}

static void unlink_above(struct sw_budget_node *node)
{
    if (node->owner != NULL) {
        struct sw_budget_node **at = &node->owner->rules;

        while (*at != node)
            at = &(*at)->next_rule;
        *at = node->next_rule;
        node->owner->below--;
    }
    if (node->agent != NULL) {
        node->agent->below--;
        node->rule_node->below--;
    }
}

static enum sw_rc node_add(struct sw_budget_tree *tree, const struct sw_budget_place *place,
                           struct sw_budget_node **ret_node, struct sw_err *err)
{
    struct sw_budget_node *node;
    struct above above;
    uint8_t key[KEY_MAX];
    size_t size = key_put(place, key);
    enum sw_rc rc = find_above(tree, place, &above, err);

    if (rc == SW_OK)
        rc = check_room(tree, above.agent, err);
    if (rc != SW_OK)
        return rc;
    node = node_new(place, key, size);
    if (node == NULL || sw_map_put(tree->nodes, node->key, size, node, NULL) != SW_OK) {
        free(node);
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a budget");
    }
    link_above(node, &above);
    *ret_node = node;
    return SW_OK;
}

enum sw_rc sw_budget_tree_get(struct sw_budget_tree *tree, const struct sw_budget_place *place,
                              struct sw_budget_node **ret_node, struct sw_err *err)
{
    struct sw_budget_node *node = sw_budget_tree_find(tree, place);

    if (node == NULL)
        return node_add(tree, place, ret_node, err);
    *ret_node = node;
    return SW_OK;
}

void sw_budget_tree_remove(struct sw_budget_tree *tree, struct sw_budget_node *node)
{
    assert(node->open == 0 && node->below == 0 && node != tree->cluster);
    unlink_above(node);
    (void)sw_map_remove(tree->nodes, node->key, node->key_size);
    node_free(node);
}

/* --- Paths ----------------------------------------------------------------------------------- */

/* Those of the instance, or of the turn, for each of the rules that bounds them. */
static enum sw_rc path_below(struct sw_budget_tree *tree, struct sw_budget_place *place,
                             size_t rules_end, struct sw_budget_path *path, struct sw_err *err)
{
    enum sw_rc rc = SW_OK;

    for (size_t i = SW_BUDGET_INSTANCE; rc == SW_OK && i < rules_end; i++) {
        const struct sw_budget_node *node = path->nodes[i];
        struct sw_budget_place above;

        if (!sw_budget_is_bounded(place->level == SW_BUDGET_TURN ? &node->rule->turn
                                                                 : &node->rule->instance))
            continue;
        sw_budget_node_place(node, &above);
        place->rule_level = node->level;
        place->rule = above.rule;
        rc = sw_budget_tree_get(tree, place, &path->nodes[path->count], err);
        path->count += rc == SW_OK;
    }
    return rc;
}

/* Bases, and then all rules of them. */
static enum sw_rc path_above(struct sw_budget_tree *tree, const struct sw_budget_place *place,
                             struct sw_budget_path *path, struct sw_err *err)
{
    enum sw_rc rc = SW_OK;

    path->nodes[0] = tree->cluster;
    path->count = 1;
    for (unsigned i = SW_BUDGET_NAMESPACE; rc == SW_OK && i <= SW_BUDGET_AGENT; i++) {
        rc = get_above(tree, place, (enum sw_budget_level)i, &path->nodes[i], err);
        path->count += rc == SW_OK;
    }
    for (unsigned i = SW_BUDGET_CLUSTER; rc == SW_OK && i <= SW_BUDGET_AGENT; i++)
        for (struct sw_budget_node *node = path->nodes[i]->rules; node; node = node->next_rule)
            if (node->rule != NULL)
                path->nodes[path->count++] = node;
    return rc;
}

enum sw_rc sw_budget_tree_path(struct sw_budget_tree *tree, const struct sw_budget_who *who,
                               struct sw_budget_path *ret_path, struct sw_err *err)
{
    struct sw_budget_place place = {.level = SW_BUDGET_INSTANCE,
                                    .name_space = {who->name_space, strlen(who->name_space)},
                                    .agent = {who->agent, strlen(who->agent)},
                                    .instance = who->instance};
    enum sw_rc rc = path_above(tree, &place, ret_path, err);
    size_t rules_end = ret_path->count;

    if (rc == SW_OK)
        rc = path_below(tree, &place, rules_end, ret_path, err);
    place.level = SW_BUDGET_TURN;
    place.turn = who->turn;
    return rc == SW_OK ? path_below(tree, &place, rules_end, ret_path, err) : rc;
}

/* --- One node -------------------------------------------------------------------------------- */

const struct sw_budget_limits *sw_budget_node_limits(const struct sw_budget_node *node)
{
    const struct sw_budget_rule *rule = node->rule_node->rule;

    if (rule == NULL)
        return &sw_budget_no_limits;
    if (node->level == SW_BUDGET_TURN)
        return &rule->turn;
    return node->level == SW_BUDGET_INSTANCE ? &rule->instance : &rule->own;
}

bool sw_budget_node_is_idle(const struct sw_budget_node *node)
{
    return node->open == 0 && node->rule == NULL && (node->refused == 0 || node->agent != NULL) &&
           sw_budget_is_zero(&node->spent) && sw_budget_is_zero(&node->mark);
}

bool sw_budget_node_roll(const struct sw_budget_node *node, uint64_t utc_ns,
                         enum sw_budget_period *ret_period, uint64_t *ret_index, bool *ret_is_new)
{
    const struct sw_budget_rule *rule = node->rule_node->rule;
    enum sw_budget_period period = rule != NULL ? rule->period : node->period;
    bool is_same = period == node->period;

    if (is_same && utc_ns < node->end_ns)
        return false;
    *ret_period = period;
    *ret_index = sw_budget_period_index(period, utc_ns);
    *ret_is_new = is_same;
    return !is_same || *ret_index > node->index;
}

void sw_budget_node_enter(struct sw_budget_node *node, enum sw_budget_period period, uint64_t index,
                          bool is_new)
{
    static const struct sw_budget_amount nothing;

    node->period = period;
    node->index = index;
    node->end_ns = sw_budget_period_begin(period, sw_budget_plus(index, 1));
    if (!is_new)
        return;
    node->generation++;
    node->reserved = node->spent = node->lost = node->mark = node->sure = nothing;
}

bool sw_budget_node_fits(const struct sw_budget_node *node, const struct sw_budget_amount *worst,
                         enum sw_budget_dimension *ret_dimension)
{
    const struct sw_budget_amount *most = &sw_budget_node_limits(node)->most;

    for (unsigned i = 0; i < SW_BUDGET_DIMENSIONS; i++) {
        uint64_t used = sw_budget_plus(node->spent.of[i], node->reserved.of[i]);

        if (most->of[i] == SW_BUDGET_UNLIMITED || worst->of[i] == 0 ||
            (used <= most->of[i] && worst->of[i] <= most->of[i] - used))
            continue;
        *ret_dimension = (enum sw_budget_dimension)i;
        return false;
    }
    return true;
}

void sw_budget_node_view(const struct sw_budget_node *node, struct sw_budget_view *ret_view)
{
    struct sw_budget_place place;

    sw_budget_node_place(node, &place);
    *ret_view = (struct sw_budget_view){
        .level = node->level,
        .rule_level = node->rule_node->level,
        .rule = place.rule.data,
        .name_space = place.name_space.data,
        .agent = place.agent.data,
        .instance = place.instance,
        .turn = node->turn,
        .has_rule = node->rule_node->rule != NULL,
        .limits = *sw_budget_node_limits(node),
        .spent = node->spent,
        .reserved = node->reserved,
        .lost = node->lost,
        .period = node->period,
        .begin_ns = sw_budget_period_begin(node->period, node->index),
        .end_ns = node->end_ns,
        .refused = node->refused,
    };
}
