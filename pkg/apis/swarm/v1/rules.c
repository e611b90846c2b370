#include "pkg/apis/swarm/v1/rules.h"
#include "pkg/apis/swarm/v1/fields.h"
#include "pkg/apis/swarm/v1/validate.h"
#include "pkg/utils/base/text.h"

#include <string.h>

#define CLUSTER_NAME "default"
#define MODELS_MAX 64u              /* More are refused by the table. */
#define COMPUTE_REPLICAS_MAX 16384u /* As many as an agent host can have: SW_WASM_GUARDED_MAX. */

static void spec_after_defaults(void *value)
{
    struct sw_api_agent_spec *spec = value;

    /* Instances of a keyed Agent are made by messages, not by number. */
    if (spec->keyed && spec->has_replicas && spec->replicas == 1) {
        spec->has_replicas = false;
        spec->replicas = 0;
    }
}

static void check_spec(struct sw_checker *checker, const struct sw_place *place, const void *value)
{
    const struct sw_api_agent_spec *spec = value;
    struct sw_place replicas = {.parent = place, .name = "replicas"};
    struct sw_place idle = {.parent = place, .name = "idle"};

    if (!spec->keyed && spec->idle.after != NULL && spec->idle.after[0] != '\0')
        sw_checker_refuse(checker, &idle, "leave idle out, or set keyed",
                          "the instances of a replicated Agent are always there");
    if (spec->keyed && spec->has_replicas)
        sw_checker_refuse(checker, &replicas, "leave replicas or keyed out",
                          "a keyed Agent has one instance for each key, not a number of them");
    if (!spec->keyed && spec->engine == SW_API_ENGINE_COMPUTE &&
        spec->replicas > COMPUTE_REPLICAS_MAX)
        sw_checker_refuse(checker, &replicas, "choose another engine, or fewer replicas",
                          "a node has at most %u instances of the engine compute",
                          COMPUTE_REPLICAS_MAX);
}

/* The longest wait of a policy is no shorter than its first one, which stands in the field `name`.
 */
static void check_backoff(struct sw_checker *checker, const struct sw_place *place,
                          const char *name, const char *initial, const char *longest)
{
    struct sw_place field = {.parent = place, .name = "maxBackoff"};
    uint64_t first_ns, last_ns;

    if (initial == NULL || longest == NULL || sw_text_to_duration_ns(initial, &first_ns) != SW_OK ||
        sw_text_to_duration_ns(longest, &last_ns) != SW_OK)
        return; /* Missing, or refused by the format. */
    if (first_ns > last_ns)
        sw_checker_refuse(checker, &field, NULL, "shorter than %s, which is %s", name, initial);
}

static void check_restart(struct sw_checker *checker, const struct sw_place *place,
                          const void *value)
{
    const struct sw_api_restart_policy *restart = value;

    check_backoff(checker, place, "initialBackoff", restart->initial_backoff, restart->max_backoff);
}

static void check_retry(struct sw_checker *checker, const struct sw_place *place, const void *value)
{
    const struct sw_api_retry_policy *retry = value;

    check_backoff(checker, place, "initialBackoff", retry->initial_backoff, retry->max_backoff);
}

static void check_model_retries(struct sw_checker *checker, const struct sw_place *place,
                                const void *value)
{
    const struct sw_api_model_retries *retries = value;

    check_backoff(checker, place, "backoff", retries->backoff, retries->max_backoff);
}

/* A provider has each model once, and only the API of OpenAI has parts. */
static void check_provider(struct sw_checker *checker, const struct sw_place *place,
                           const void *value)
{
    const struct sw_api_model_provider_spec *spec = value;
    struct sw_place apis = {.parent = place, .name = "apis"};
    struct sw_place models = {.parent = place, .name = "models"};

    if (spec->apis_count > 0 && spec->protocol == SW_API_MODEL_PROTOCOL_ANTHROPIC)
        sw_checker_refuse(checker, &apis, "leave it out", "only the protocol openai has them");
    for (size_t i = 1; i < spec->models_count && i < MODELS_MAX; i++) {
        struct sw_place model = {.parent = &models, .index = i};
        struct sw_place name = {.parent = &model, .name = "name"};
        for (size_t j = 0; j < i; j++)
            if (spec->models[i].name != NULL && spec->models[j].name != NULL &&
                strcmp(spec->models[i].name, spec->models[j].name) == 0)
                sw_checker_refuse(checker, &name, NULL, "the same as of models[%zu]", j);
    }
}

/* Sealed texts are longer than what they hold. */
static void check_secret(struct sw_checker *checker, const struct sw_place *place,
                         const void *value)
{
    const struct sw_api_secret_spec *spec = value;
    struct sw_place data = {.parent = place, .name = "data"};

    for (size_t i = 0; i < spec->data_count; i++) {
        struct sw_place entry = {.parent = &data, .index = i, .key = spec->data[i].key};
        size_t size = strlen(spec->data[i].value);
        if (size > SW_SECRET_VALUE_MAX &&
            strncmp(spec->data[i].value, SW_SECRET_SEALED, strlen(SW_SECRET_SEALED)) != 0)
            sw_checker_refuse(checker, &entry, NULL, "at most %u bytes, found %zu",
                              SW_SECRET_VALUE_MAX, size);
    }
}

/* Ranges stand in order, do not overlap, and end within the Agent's slots. */
static void check_pod(struct sw_checker *checker, const struct sw_place *place, const void *value)
{
    const struct sw_api_pod_spec *spec = value;
    struct sw_place slots = {.parent = place, .name = "slots"};
    uint64_t end = 0;

    for (size_t i = 0; i < spec->slots_count; i++) {
        struct sw_place range = {.parent = &slots, .index = i};
        if (spec->slots[i].first < end)
            sw_checker_refuse(checker, &range, NULL, "begins before the end of the range before");
        end = (uint64_t)spec->slots[i].first + spec->slots[i].count;
        if (spec->agent.slots > 0 && end > spec->agent.slots)
            sw_checker_refuse(checker, &range, NULL, "ends behind the Agent's %u slots",
                              spec->agent.slots);
    }
}

static void check_webhook(struct sw_checker *checker, const struct sw_place *place,
                          const struct sw_api_approval_webhook *webhook)
{
    struct sw_place hook = {.parent = place, .name = "webhook"};
    struct sw_place url = {.parent = &hook, .name = "url"};
    struct sw_place secret = {.parent = &hook, .name = "secret"};

    if (webhook->url[0] == '\0') {
        if (webhook->secret[0] != '\0' || webhook->private)
            sw_checker_refuse(checker, &url, NULL, "missing");
        return;
    }
    if (!webhook->private && strncmp(webhook->url, "https://", 8) != 0)
        sw_checker_refuse(checker, &url, NULL, "not https, which only `private` ones may be");
    if (!sw_rules_is_secret(webhook->secret, strlen(webhook->secret)))
        sw_checker_refuse(checker, &secret, "such as hooks/key", "no NAME/KEY of a Secret");
}

/* Nobody may be outvoted by his own number. */
static void check_approvals(struct sw_checker *checker, const struct sw_place *place,
                            const void *value)
{
    const struct sw_api_approval_policy *policy = value;
    struct sw_place quorum = {.parent = place, .name = "quorum"};
    struct sw_place on_timeout = {.parent = place, .name = "onTimeout"};

    if (policy->approvers_count > 0 && policy->quorum > policy->approvers_count)
        sw_checker_refuse(checker, &quorum, NULL, "there are only %zu approvers",
                          policy->approvers_count);
    if (policy->on_timeout == SW_API_APPROVAL_VERDICT_EDIT)
        sw_checker_refuse(checker, &on_timeout, NULL, "expected approve or deny");
    check_webhook(checker, place, &policy->webhook);
}

static const struct rule {
    const struct sw_api_message *message;
    void (*after_defaults)(void *value);
    void (*check)(struct sw_checker *checker, const struct sw_place *place, const void *value);
} rules[] = {
    {&sw_api_agent_spec_message, spec_after_defaults, check_spec},
    {&sw_api_restart_policy_message, NULL, check_restart},
    {&sw_api_retry_policy_message, NULL, check_retry},
    {&sw_api_pod_spec_message, NULL, check_pod},
    {&sw_api_model_retries_message, NULL, check_model_retries},
    {&sw_api_model_provider_spec_message, NULL, check_provider},
    {&sw_api_secret_spec_message, NULL, check_secret},
    {&sw_api_egress_rule_message, NULL, sw_rules_check_egress},
    {&sw_api_approval_policy_message, NULL, check_approvals},
};

void sw_rules_after_defaults(const struct sw_api_message *message, void *value)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if (rules[i].message == message && rules[i].after_defaults != NULL)
            rules[i].after_defaults(value);
}

void sw_rules_check(struct sw_checker *checker, const struct sw_api_message *message,
                    const struct sw_place *place, const void *value)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if (rules[i].message == message && rules[i].check != NULL)
            rules[i].check(checker, place, value);
}

/* `at` holds one of the texts that all kinds begin with. */
static void check_head(struct sw_checker *checker, const char *name, const void *at,
                       const char *expected)
{
    const char *found = sw_field_text(at);
    struct sw_place place = {.name = name};

    if (found[0] != '\0' && strcmp(found, expected) != 0)
        sw_checker_refuse(checker, &place, NULL, "expected %s, found \"%.80s\"", expected, found);
}

void sw_rules_check_object(struct sw_checker *checker, const struct sw_kind *kind,
                           const void *object)
{
    const struct sw_api_object_meta *meta = sw_object_meta_of(object);
    const char *head = object;
    struct sw_place metadata = {.name = "metadata"};
    struct sw_place namespace = {.parent = &metadata, .name = "namespace"};
    struct sw_place name = {.parent = &metadata, .name = "name"};
    bool has_namespace = meta->namespace != NULL && meta->namespace[0] != '\0';

    check_head(checker, "apiVersion", head + offsetof(struct sw_api_agent, api_version),
               SW_API_VERSION);
    check_head(checker, "kind", head + offsetof(struct sw_api_agent, kind), kind->name);
    if (!kind->is_namespaced && has_namespace)
        sw_checker_refuse(checker, &namespace, "leave it out", "%s lives outside of namespaces",
                          kind->name);
    if (kind->is_namespaced && !has_namespace && (checker->flags & SW_VALIDATE_COMPLETE))
        sw_checker_refuse(checker, &namespace, NULL, "missing");
    if (kind->message == &sw_api_cluster_message && meta->name != NULL &&
        strcmp(meta->name, CLUSTER_NAME) != 0)
        sw_checker_refuse(checker, &name, NULL, "there is one Cluster, named \"%s\"", CLUSTER_NAME);
}
