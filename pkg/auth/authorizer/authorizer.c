#include "pkg/auth/authorizer/authorizer.h"

#include <string.h>

static const char *const verb_names[] = {"get",     "list",          "watch",  "create",
                                         "update",  "update-status", "delete", "send",
                                         "publish", "push",          "logs",   "operate"};

static const struct sw_rule default_rules[] = {
    {SW_PRINCIPAL_ANYBODY, "", SW_VERB_GET, "Health", "", "*"},
    {SW_PRINCIPAL_USER, "*", SW_VERB_GET, "Health", "", "*"},
    {SW_PRINCIPAL_NODE, "*", SW_VERB_GET, "Health", "", "*"},
    {SW_PRINCIPAL_AGENT, "*", SW_VERB_GET, "Health", "", "*"},
    {SW_PRINCIPAL_USER, "admin", SW_VERBS_ALL, "*", "*", "*"},
    {SW_PRINCIPAL_NODE, "*", SW_VERBS_READ, "!Secret", "*", "*"},
    {SW_PRINCIPAL_NODE, "*", SW_VERB_CREATE | SW_VERB_UPDATE | SW_VERB_UPDATE_STATUS, "Node", "",
     "="},
    {SW_PRINCIPAL_NODE, "*", SW_VERB_UPDATE_STATUS, "Pod", "*", "*"},
    {SW_PRINCIPAL_NODE, "*", SW_VERB_CREATE | SW_VERB_UPDATE, "Event", "*", "*"},
    {SW_PRINCIPAL_AGENT, "*", SW_VERB_SEND | SW_VERB_PUBLISH, "Agent", "=", "*"},
    {SW_PRINCIPAL_AGENT, "*", SW_VERB_SEND, "Model", "=", "*"},
};

const char *sw_verb_name(enum sw_verb verb)
{
    size_t at = (size_t)__builtin_ctz((unsigned)verb);

    return at < sizeof verb_names / sizeof verb_names[0] ? verb_names[at] : "unknown";
}

struct sw_policy sw_policy_default(void)
{
    return (struct sw_policy){default_rules, sizeof default_rules / sizeof default_rules[0]};
}

static bool is_match(const char *pattern, const char *text, const char *own)
{
    if (strcmp(pattern, "*") == 0)
        return true;
    if (strcmp(pattern, "=") == 0) /* A principal that has no name of its own matches nothing. */
        return own[0] != '\0' && strcmp(own, text) == 0;
    if (pattern[0] == '!')
        return strcmp(pattern + 1, text) != 0;
    return strcmp(pattern, text) == 0;
}

static bool is_allowed_by(const struct sw_rule *rule, const struct sw_principal *principal,
                          const struct sw_access *access)
{
    return rule->principal == principal->kind && (rule->verbs & (unsigned)access->verb) != 0 &&
           is_match(rule->name, principal->name, "") && is_match(rule->kind, access->kind, "") &&
           is_match(rule->namespace_, access->namespace_, principal->namespace_) &&
           is_match(rule->object, access->name, principal->name);
}

/* What may be spent, by whom it is charged, with which keys, and what is done outside is for people
 * to say. A rule that allows a program to write one of these would let it pay itself. */
static bool is_for_people(const struct sw_access *access)
{
    static const char *const kinds[] = {"Approval", "Budget",        "Cluster",
                                        "Effect",   "ModelProvider", "Secret"};

    if ((access->verb & SW_VERBS_READ) != 0)
        return false;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i], access->kind) == 0)
            return true;
    return false;
}

static bool is_program(const struct sw_principal *principal)
{
    return principal->kind == SW_PRINCIPAL_NODE || principal->kind == SW_PRINCIPAL_AGENT;
}

enum sw_rc sw_authorize(struct sw_policy policy, const struct sw_principal *principal,
                        const struct sw_access *access, struct sw_err *err)
{
    bool is_open = !(is_program(principal) && is_for_people(access));

    for (size_t i = 0; i < policy.count && is_open; i++)
        if (is_allowed_by(&policy.rules[i], principal, access))
            return SW_OK;
    if (principal->kind == SW_PRINCIPAL_ANYBODY) {
        (void)sw_err_set(err, SW_E_UNAUTHENTICATED, "a client certificate is needed to %s %s",
                         sw_verb_name(access->verb), access->kind);
        sw_err_hint(err, "use a context with credentials of this cluster");
        return SW_E_UNAUTHENTICATED;
    }
    return sw_err_set(err, SW_E_DENIED, "%s may not %s %s%s%s", principal->spiffe,
                      sw_verb_name(access->verb), access->kind,
                      access->namespace_[0] != '\0' ? " in namespace " : "", access->namespace_);
}
