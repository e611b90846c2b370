#include "pkg/broker/budget/state.h"
#include "pkg/utils/base/text.h"

#include <inttypes.h>
#include <stdio.h>

#define KEY_WORDS_MAX 64u /* Of an instance's key, which is somebody else's text. */

/* Part of a text, with '?' for what would not be words. */
static void print_key(struct sw_bytes key, char ret_text[KEY_WORDS_MAX + 1])
{
    size_t size = key.size < KEY_WORDS_MAX ? key.size : KEY_WORDS_MAX;

    for (size_t i = 0; i < size; i++) {
        char one = ((const char *)key.data)[i];
        ret_text[i] = (unsigned char)one < ' ' || one == 0x7f ? '?' : one;
    }
    ret_text[size] = '\0';
    sw_utf8_mend(ret_text);
}

static void print_node(const struct sw_budget_node *node, char *ret_text, size_t size)
{
    struct sw_budget_place place;
    char key[KEY_WORDS_MAX + 1];
    const char *name_space, *agent;

    sw_budget_node_place(node, &place);
    name_space = place.name_space.data;
    agent = place.agent.data;
    print_key(place.instance, key);
    switch (node->level) {
    case SW_BUDGET_NAMESPACE:
        snprintf(ret_text, size, "namespace %s", name_space);
        break;
    case SW_BUDGET_AGENT:
        snprintf(ret_text, size, "agent %s/%s", name_space, agent);
        break;
    case SW_BUDGET_INSTANCE:
        snprintf(ret_text, size, "an instance, %s/%s/%s", name_space, agent, key);
        break;
    case SW_BUDGET_TURN:
        snprintf(ret_text, size, "a turn, of %s/%s/%s", name_space, agent, key);
        break;
    case SW_BUDGET_CLUSTER:
    default:
        snprintf(ret_text, size, "the cluster");
    }
}

enum sw_rc sw_ledger_refuse(const struct sw_budget_node *node,
                            const struct sw_ledger_refusal *refusal, struct sw_err *err)
{
    char name[SW_ERR_MESSAGE_MAX / 2], until[SW_TIME_TEXT_SIZE] = "";
    char limit[SW_BUDGET_WORDS_MAX], spent[SW_BUDGET_WORDS_MAX], reserved[SW_BUDGET_WORDS_MAX],
        wanted[SW_BUDGET_WORDS_MAX];

    if (err == NULL)
        return SW_E_EXHAUSTED;
    print_node(node, name, sizeof name);
    if (refusal->is_depth) {
        sw_err_set(err, SW_E_EXHAUSTED,
                   "the budget of %s: calls may be delegated %" PRIu64 " times, this one is at "
                   "%" PRIu64,
                   name, refusal->limit, refusal->wanted);
    } else {
        sw_budget_print(refusal->dimension, refusal->limit, limit);
        sw_budget_print(refusal->dimension, refusal->spent, spent);
        sw_budget_print(refusal->dimension, refusal->reserved, reserved);
        sw_budget_print(refusal->dimension, refusal->wanted, wanted);
        if (refusal->until_ns != UINT64_MAX)
            sw_time_print(refusal->until_ns, until);
        sw_err_set(err, SW_E_EXHAUSTED,
                   "the budget of %s: %s of %s are spent, %s reserved, this call may cost %s%s%s",
                   name, spent, limit, reserved, wanted,
                   until[0] == '\0' ? "" : "; it begins anew at ", until);
    }
    if (refusal->rule_level == SW_BUDGET_CLUSTER)
        sw_err_hint(err, "the limit is in the budget of the Cluster; who may write that can raise "
                         "it with `swarm budget set`");
    else
        sw_err_hint(err,
                    "the limit is in Budget %s; who may write that can raise it with "
                    "`swarm budget set`",
                    refusal->rule);
    return SW_E_EXHAUSTED;
}
