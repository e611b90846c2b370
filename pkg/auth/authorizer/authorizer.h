/* Who may do what: one table of rules, read from the top; what no rule allows is denied.
 *
 * Threads: pure functions over constant tables.  I/O: none. */
#pragma once
#include "pkg/auth/authenticator/authenticator.h"

#include <stdbool.h>

enum sw_verb { /* Bits, so that one rule can allow several. */
               SW_VERB_GET = 1u << 0,
               SW_VERB_LIST = 1u << 1,
               SW_VERB_WATCH = 1u << 2,
               SW_VERB_CREATE = 1u << 3,
               SW_VERB_UPDATE = 1u << 4,
               SW_VERB_UPDATE_STATUS = 1u << 5,
               SW_VERB_DELETE = 1u << 6,
               SW_VERB_SEND = 1u << 7,    /* A message to an instance. */
               SW_VERB_PUBLISH = 1u << 8, /* A message to a subject. */
               SW_VERB_PUSH = 1u << 9,    /* Upload a module. */
               SW_VERB_LOGS = 1u << 10,   /* Read what agents log. */
               SW_VERB_OPERATE = 1u << 11 /* Backup, dumps and other work on the system itself. */
};
#define SW_VERBS_READ (SW_VERB_GET | SW_VERB_LIST | SW_VERB_WATCH)
#define SW_VERBS_ALL ((1u << 12) - 1)

struct sw_access { /* What somebody wants to do. Texts are borrowed. */
    enum sw_verb verb;
    const char *kind; /* "Agent"; other things have names too: "Module", "Metrics", "Health". */
    const char *namespace_; /* "" for what has none, and for a list over all namespaces. */
    const char *name;       /* "" where no one object is meant. */
};

struct sw_rule { /* "*" matches any text, also ""; "!Secret" any but "Secret". */
    enum sw_principal_kind principal;
    const char *name;       /* Of the principal. */
    unsigned verbs;         /* Of enum sw_verb. */
    const char *kind;       /* Of what is accessed. */
    const char *namespace_; /* Of what is accessed; "=": the principal's own namespace. */
    const char *object;     /* Its name; "=": the principal's own name. */
};

struct sw_policy { /* Borrowed rules; whoever allows first decides. */
    const struct sw_rule *rules;
    size_t count;
};

/* The rules of a new cluster: its admin may do all, a node may read all but Secrets and write its
 * own status, an Agent may message its own namespace, anybody may ask for health. Static. */
struct sw_policy sw_policy_default(void);

/* SW_OK, or with words that name the principal, verb and kind. Whatever the rules say, only people
 * write Approvals, Budgets, Effects, Secrets, ModelProviders and the Cluster: no node and no Agent
 * does.
 * SW_E_UNAUTHENTICATED   nobody known asked for what is not open to all
 * SW_E_DENIED            no rule allows it */
SW_MUST_CHECK enum sw_rc sw_authorize(struct sw_policy policy, const struct sw_principal *principal,
                                      const struct sw_access *access, struct sw_err *err);
/* "get", "update-status" ... */
const char *sw_verb_name(enum sw_verb verb);
