/* The default rules as a table of what is allowed and what is not, and rules of one's own. */
#include "pkg/auth/authorizer/authorizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct sw_principal anybody = {.kind = SW_PRINCIPAL_ANYBODY};
static const struct sw_principal admin = {
    .kind = SW_PRINCIPAL_USER, .name = "admin", .spiffe = "spiffe://hive/user/admin"};
static const struct sw_principal guest = {
    .kind = SW_PRINCIPAL_USER, .name = "guest", .spiffe = "spiffe://hive/user/guest"};
static const struct sw_principal node = {
    .kind = SW_PRINCIPAL_NODE, .name = "n1", .spiffe = "spiffe://hive/node/n1"};
static const struct sw_principal false_admin = {
    .kind = SW_PRINCIPAL_NODE, .name = "admin", .spiffe = "spiffe://hive/node/admin"};
static const struct sw_principal agent = {.kind = SW_PRINCIPAL_AGENT,
                                          .namespace_ = "shop",
                                          .name = "till",
                                          .spiffe = "spiffe://hive/ns/shop/agent/till"};

static void test_default_rules(void **state)
{
    static const struct {
        const struct sw_principal *who;
        struct sw_access what;
        enum sw_rc rc;
    } rows[] = {
        {&anybody, {SW_VERB_GET, "Health", "", ""}, SW_OK},
        {&anybody, {SW_VERB_GET, "Metrics", "", ""}, SW_E_UNAUTHENTICATED},
        {&anybody, {SW_VERB_GET, "Agent", "shop", "till"}, SW_E_UNAUTHENTICATED},
        {&anybody, {SW_VERB_DELETE, "Health", "", ""}, SW_E_UNAUTHENTICATED},
        {&admin, {SW_VERB_GET, "Health", "", ""}, SW_OK},
        {&admin, {SW_VERB_DELETE, "Agent", "shop", "till"}, SW_OK},
        {&admin, {SW_VERB_LIST, "Pod", "", ""}, SW_OK},
        {&admin, {SW_VERB_OPERATE, "Store", "", ""}, SW_OK},
        {&guest, {SW_VERB_GET, "Health", "", ""}, SW_OK},
        {&guest, {SW_VERB_GET, "Agent", "shop", "till"}, SW_E_DENIED},
        {&guest, {SW_VERB_SEND, "Agent", "shop", "till"}, SW_E_DENIED},
        {&node, {SW_VERB_WATCH, "Pod", "", ""}, SW_OK},
        {&node, {SW_VERB_UPDATE_STATUS, "Node", "", "n1"}, SW_OK},
        {&node, {SW_VERB_UPDATE_STATUS, "Node", "", "n2"}, SW_E_DENIED},
        {&node, {SW_VERB_UPDATE, "Agent", "shop", "till"}, SW_E_DENIED},
        {&node, {SW_VERB_UPDATE_STATUS, "Pod", "shop", "till-0"}, SW_OK},
        {&node, {SW_VERB_CREATE, "Event", "shop", "x"}, SW_OK},
        {&admin, {SW_VERB_GET, "Secret", "shop", "key"}, SW_OK},
        {&admin, {SW_VERB_UPDATE, "Budget", "shop", "till"}, SW_OK},
        {&guest, {SW_VERB_UPDATE, "Budget", "shop", "till"}, SW_E_DENIED},
        {&node, {SW_VERB_GET, "ModelProvider", "", "p"}, SW_OK},
        {&node, {SW_VERB_GET, "Secret", "shop", "key"}, SW_E_DENIED},
        {&node, {SW_VERB_LIST, "Secret", "", ""}, SW_E_DENIED},
        {&node, {SW_VERB_WATCH, "Secret", "shop", ""}, SW_E_DENIED},
        {&node, {SW_VERB_UPDATE, "Budget", "shop", "till"}, SW_E_DENIED},
        {&node, {SW_VERB_UPDATE_STATUS, "Budget", "shop", "till"}, SW_E_DENIED},
        {&agent, {SW_VERB_GET, "Secret", "shop", "key"}, SW_E_DENIED},
        {&agent, {SW_VERB_UPDATE, "Budget", "shop", "till"}, SW_E_DENIED},
        {&false_admin, {SW_VERB_DELETE, "Agent", "shop", "till"}, SW_E_DENIED},
        {&agent, {SW_VERB_SEND, "Agent", "shop", "other"}, SW_OK},
        {&agent, {SW_VERB_SEND, "Agent", "bank", "vault"}, SW_E_DENIED},
        {&agent, {SW_VERB_SEND, "Agent", "", ""}, SW_E_DENIED},
        {&agent, {SW_VERB_GET, "Agent", "shop", "till"}, SW_E_DENIED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(sw_authorize(sw_policy_default(), rows[i].who, &rows[i].what, NULL),
                         rows[i].rc);
}

static void test_no_rule_lets_programs_write_what_is_for_people(void **state)
{
    static const struct sw_rule rules[] = {
        {SW_PRINCIPAL_NODE, "*", SW_VERBS_ALL, "*", "*", "*"},
        {SW_PRINCIPAL_AGENT, "*", SW_VERBS_ALL, "*", "*", "*"},
        {SW_PRINCIPAL_USER, "*", SW_VERBS_ALL, "*", "*", "*"},
    };
    static const char *const kinds[] = {"Budget", "Cluster", "ModelProvider", "Secret"};
    const struct sw_policy policy = {rules, sizeof rules / sizeof rules[0]};

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct sw_access access = {SW_VERB_UPDATE, kinds[i], "shop", "x"};
        assert_int_equal(sw_authorize(policy, &agent, &access, NULL), SW_E_DENIED);
        assert_int_equal(sw_authorize(policy, &node, &access, NULL), SW_E_DENIED);
        assert_int_equal(sw_authorize(policy, &guest, &access, NULL), SW_OK);
        access.verb = SW_VERB_DELETE;
        assert_int_equal(sw_authorize(policy, &agent, &access, NULL), SW_E_DENIED);
        access.verb = SW_VERB_GET;
        assert_int_equal(sw_authorize(policy, &agent, &access, NULL), SW_OK);
    }
}

static void test_refusals_say_who_and_what(void **state)
{
    const struct sw_access access = {SW_VERB_UPDATE_STATUS, "Agent", "shop", "till"};
    struct sw_err err = {0};

    (void)state;
    assert_int_equal(sw_authorize(sw_policy_default(), &guest, &access, &err), SW_E_DENIED);
    assert_string_equal(err.message,
                        "spiffe://hive/user/guest may not update-status Agent in namespace shop");
    assert_int_equal(sw_authorize(sw_policy_default(), &anybody, &access, &err),
                     SW_E_UNAUTHENTICATED);
    assert_true(err.hint[0] != '\0');
}

static void test_no_rules_allow_nothing(void **state)
{
    const struct sw_access access = {SW_VERB_GET, "Health", "", ""};

    (void)state;
    assert_int_equal(sw_authorize((struct sw_policy){NULL, 0}, &admin, &access, NULL), SW_E_DENIED);
}

static void test_own_name_of_nobody_matches_nothing(void **state)
{
    static const struct sw_rule rules[] = {{SW_PRINCIPAL_ANYBODY, "*", SW_VERB_GET, "*", "=", "="}};
    const struct sw_access access = {SW_VERB_GET, "Agent", "", ""};

    (void)state;
    assert_int_equal(sw_authorize((struct sw_policy){rules, 1}, &anybody, &access, NULL),
                     SW_E_UNAUTHENTICATED);
}

static void test_verbs_have_names(void **state)
{
    (void)state;
    for (unsigned verb = 1; verb <= SW_VERBS_ALL; verb <<= 1)
        assert_string_not_equal(sw_verb_name((enum sw_verb)verb), "unknown");
    assert_string_equal(sw_verb_name(SW_VERB_GET), "get");
    assert_string_equal(sw_verb_name(SW_VERB_OPERATE), "operate");
    assert_string_equal(sw_verb_name((enum sw_verb)(SW_VERBS_ALL + 1)), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_rules),
        cmocka_unit_test(test_no_rule_lets_programs_write_what_is_for_people),
        cmocka_unit_test(test_refusals_say_who_and_what),
        cmocka_unit_test(test_no_rules_allow_nothing),
        cmocka_unit_test(test_own_name_of_nobody_matches_nothing),
        cmocka_unit_test(test_verbs_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
