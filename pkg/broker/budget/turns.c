#include "pkg/broker/budget/state.h"

#include "pkg/utils/base/map.h"

#include <stdlib.h>
#include <string.h>

/* The turn that each instance is in, as far as turns have budgets. An instance has one turn at a
 * time, and their numbers never come again: whoever calls in another one is past those before,
 * whose nodes go. Of instances that call no more the last node stays, until there are too many. */

#define NODES_FOR_EACH 8u /* Of so many nodes one may be that of a turn that nobody ends. */
#define KEY_MAX 512u

struct turn {
    struct sw_list node; /* The one used last is last. */
    uint64_t turn;
    uint16_t space_size, agent_size, size; /* With the NUL of each name; of all. */
    char key[];                            /* Namespace, agent, instance. */
};

static size_t put_key(const struct sw_budget_who *who, char key[KEY_MAX], size_t *ret_space,
                      size_t *ret_agent)
{
    *ret_space = strlen(who->name_space) + 1;
    *ret_agent = strlen(who->agent) + 1;
    if (*ret_space + *ret_agent + who->instance.size > KEY_MAX)
        return 0;
    memcpy(key, who->name_space, *ret_space);
    memcpy(key + *ret_space, who->agent, *ret_agent);
    if (who->instance.size > 0)
        memcpy(key + *ret_space + *ret_agent, who->instance.data, who->instance.size);
    return *ret_space + *ret_agent + who->instance.size;
}

static void be_over(struct sw_ledger *ledger, const struct turn *turn)
{
    size_t names = (size_t)turn->space_size + turn->agent_size;

    sw_ledger_turn_over(ledger,
                        &(struct sw_budget_who){.name_space = turn->key,
                                                .agent = turn->key + turn->space_size,
                                                .instance = {turn->key + names, turn->size - names},
                                                .turn = turn->turn});
}

static void forget(struct sw_ledger *ledger, struct turn *turn)
{
    (void)sw_map_remove(ledger->turns, turn->key, turn->size);
    sw_list_remove(&turn->node);
    free(turn);
}

static struct turn *turn_new(struct sw_ledger *ledger, const char *key, size_t size)
{
    struct turn *turn = malloc(sizeof *turn + size);

    if (turn == NULL)
        return NULL;
    memcpy(turn->key, key, size);
    turn->size = (uint16_t)size;
    if (sw_map_put(ledger->turns, turn->key, size, turn, NULL) != SW_OK) {
        free(turn);
        return NULL;
    }
    sw_list_add(&ledger->turns_used, &turn->node);
    return turn;
}

void sw_ledger_turn_enter(struct sw_ledger *ledger, const struct sw_budget_who *who)
{
    char key[KEY_MAX];
    size_t space_size, agent_size, size = put_key(who, key, &space_size, &agent_size);
    struct turn *turn = size == 0 ? NULL : sw_map_find(ledger->turns, key, size);

    if (turn != NULL && turn->turn != who->turn)
        be_over(ledger, turn);
    if (turn == NULL && size > 0)
        turn = turn_new(ledger, key, size);
    if (turn == NULL) /* Its node stays until its period ends. */
        return;
    turn->turn = who->turn;
    turn->space_size = (uint16_t)space_size;
    turn->agent_size = (uint16_t)agent_size;
    sw_list_remove(&turn->node);
    sw_list_add(&ledger->turns_used, &turn->node);
    if (sw_map_count(ledger->turns) <= ledger->tree.nodes_max / NODES_FOR_EACH)
        return;
    turn = SW_LIST_ITEM(sw_list_first(&ledger->turns_used), struct turn, node);
    be_over(ledger, turn);
    forget(ledger, turn);
}

void sw_ledger_turns_done(struct sw_ledger *ledger)
{
    if (ledger->turns != NULL)
        while (!sw_list_is_empty(&ledger->turns_used))
            forget(ledger, SW_LIST_ITEM(sw_list_first(&ledger->turns_used), struct turn, node));
    sw_map_free(ledger->turns);
    ledger->turns = NULL;
}
