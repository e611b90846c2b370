#include "pkg/controller/quota/controller.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/client/informers/informer.h"
#include "pkg/controller/reconciler/reconciler.h"
#include "pkg/utils/base/text.h"

#define WORDS_MAX 512
#define NAMES_MAX 5 /* Of Agents, in a sentence. */

struct sw_quota_controller {
    struct sw_quota_controller_options options;
    struct sw_reconciler *reconciler;
    struct sw_informer *quotas, *agents;
    struct sw_arena *scratch;
};

/* --- What is used --------------------------------------------------------------------------------
 */

struct sum {
    struct sw_arena *arena;
    uint64_t instances, memory_bytes, storage_bytes;
    size_t throttled;      /* Agents that a quota pushes back, */
    char names[WORDS_MAX]; /* and who the first of them are. */
    enum sw_rc rc;
};

static void note_throttled(struct sum *sum, const char *name)
{
    size_t at = strlen(sum->names);

    if (sum->throttled++ < NAMES_MAX)
        (void)snprintf(sum->names + at, sizeof sum->names - at, "%s%s", at == 0 ? "" : ", ", name);
}

static bool add_agent(void *ctx, const struct sw_store_item *item)
{
    struct sum *sum = ctx;
    void *object = NULL;

    sw_arena_reset(sum->arena);
    sum->rc = sw_object_of_item(sw_kind_find("Agent"), item, sum->arena, &object, NULL);
    if (sum->rc != SW_OK)
        return false;
    const struct sw_api_agent *agent = object;
    sum->instances += agent->status.instances;
    sum->memory_bytes += agent->status.usage.memory_reserved_bytes;
    sum->storage_bytes += agent->status.usage.storage_bytes;
    if (strstr(agent->status.throttled, "Quota") != NULL)
        note_throttled(sum, agent->metadata.name);
    return true;
}

static enum sw_rc count(struct sw_quota_controller *controller, const char *name_space,
                        struct sum *ret_sum, struct sw_err *err)
{
    char prefix[SW_OBJECT_KEY_MAX];
    struct sw_store_list_request request = {.prefix = prefix};
    struct sw_store_list_end end;

    *ret_sum = (struct sum){.arena = controller->scratch};
    sw_object_key(sw_kind_find("Agent"), name_space, NULL, prefix);
    enum sw_rc rc = sw_store_list(sw_objects_store(controller->options.objects), &request,
                                  add_agent, ret_sum, &end, err);
    return rc == SW_OK ? ret_sum->rc : rc;
}

/* --- Conditions ----------------------------------------------------------------------------------
 */

static void note(char words[WORDS_MAX], const char *what, uint64_t used, uint64_t hard)
{
    size_t at = strlen(words);

    if (used > hard)
        (void)snprintf(words + at, WORDS_MAX - at, "%s%s: %" PRIu64 " of %" PRIu64,
                       at == 0 ? "" : ", ", what, used, hard);
}

/* Of those that are pushed back. A quota that never pushed anybody back has no word of that. */
static enum sw_rc say_throttled(struct sw_api_resource_quota *quota, const struct sum *sum,
                                uint64_t utc_ns, struct sw_arena *arena)
{
    struct sw_api_resource_quota_status *status = &quota->status;
    struct sw_api_condition condition = {.type = "Throttled",
                                         .status = SW_API_CONDITION_STATUS_FALSE,
                                         .reason = "WithinQuota",
                                         .message = "",
                                         .last_transition_time = utc_ns,
                                         .observed_generation = quota->metadata.generation};

    if (sum->throttled == 0 &&
        sw_condition_find(status->conditions, status->conditions_count, "Throttled") == NULL)
        return SW_OK;
    if (sum->throttled > 0) {
        condition.status = SW_API_CONDITION_STATUS_TRUE;
        condition.reason = "AgentsPushedBack";
        condition.message = sum->throttled > NAMES_MAX
                                ? sw_arena_print(arena, "Agents pushed back: %s and %zu more",
                                                 sum->names, sum->throttled - NAMES_MAX)
                                : sw_arena_print(arena, "Agents pushed back: %s", sum->names);
    }
    return condition.message == NULL
               ? SW_E_EXHAUSTED
               : sw_condition_put(&status->conditions, &status->conditions_count, &condition,
                                  arena);
}

static enum sw_rc say(struct sw_api_resource_quota *quota, uint64_t utc_ns, struct sw_arena *arena)
{
    const struct sw_api_quota_limits *hard = &quota->spec.hard;
    const struct sw_api_quota_use *used = &quota->status.used;
    char words[WORDS_MAX] = "";
    uint64_t memory_bytes, storage_bytes;

    if (hard->has_agents)
        note(words, "agents", used->agents, hard->agents);
    if (hard->has_instances)
        note(words, "instances", used->instances, hard->instances);
    if (sw_text_to_size_bytes(hard->memory, &memory_bytes) == SW_OK)
        note(words, "bytes of memory", used->memory_bytes, memory_bytes);
    if (sw_text_to_size_bytes(hard->storage, &storage_bytes) == SW_OK)
        note(words, "bytes of storage", used->storage_bytes, storage_bytes);
    struct sw_api_condition condition = {
        .type = "Exceeded",
        .status = words[0] == '\0' ? SW_API_CONDITION_STATUS_FALSE : SW_API_CONDITION_STATUS_TRUE,
        .reason = words[0] == '\0' ? "WithinQuota" : "UsedMoreThanAllowed",
        .message = sw_arena_copy(arena, words, strlen(words)),
        .last_transition_time = utc_ns,
        .observed_generation = quota->metadata.generation};
    return condition.message == NULL
               ? SW_E_EXHAUSTED
               : sw_condition_put(&quota->status.conditions, &quota->status.conditions_count,
                                  &condition, arena);
}

/* --- Passes --------------------------------------------------------------------------------------
 */

static enum sw_rc reconcile(void *ctx, struct sw_pass *pass, struct sw_err *err)
{
    struct sw_quota_controller *controller = ctx;
    const struct sw_kind *kind = sw_kind_find("ResourceQuota");
    const struct sw_system *system = controller->options.system;
    const struct sw_store_item *item =
        sw_store_find(sw_objects_store(controller->options.objects), pass->key);
    struct sum sum;
    void *object = NULL;

    if (item == NULL)
        return SW_OK;
    enum sw_rc rc = sw_object_of_item(kind, item, pass->arena, &object, err);
    if (rc != SW_OK)
        return rc;
    struct sw_api_resource_quota *quota = object;
    rc = count(controller, quota->metadata.namespace, &sum, err);
    if (rc != SW_OK)
        return rc;
    quota->status.used.instances = sum.instances;
    quota->status.used.memory_bytes = sum.memory_bytes;
    quota->status.used.storage_bytes = sum.storage_bytes;
    if (say(quota, system->utc_ns(system->ctx), pass->arena) != SW_OK ||
        say_throttled(quota, &sum, system->utc_ns(system->ctx), pass->arena) != SW_OK)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the status of a quota");
    return sw_plan_update_status(pass->plan, kind, quota, err);
}

/* Each Agent that comes or goes changes what the quota says is used: that is looked at soon. */
static void on_quota(void *ctx, const struct sw_informer_change *change)
{
    struct sw_quota_controller *controller = ctx;
    bool is_same;

    if (change->now == NULL)
        return;
    is_same = change->before != NULL &&
              sw_object_keeps_spec(sw_kind_find("ResourceQuota"), change->before, change->now,
                                   controller->scratch);
    sw_reconciler_add(controller->reconciler, change->now->key, is_same ? SW_QUOTA_PASS_MS : 0);
}

/* An Agent says how many instances it has: the quotas of its namespace are looked at soon. */
static void on_agent(void *ctx, const struct sw_informer_change *change)
{
    struct sw_quota_controller *controller = ctx;
    const char *key = change->now != NULL ? change->now->key : change->before->key;
    const char *space = strchr(key, '/');
    const struct sw_store_item *item;
    size_t cursor = 0, size = 1 + strcspn(space + 1, "/") + 1;

    while (sw_informer_next(controller->quotas, &cursor, &item))
        if (strncmp(strchr(item->key, '/'), space, size) == 0)
            sw_reconciler_add(controller->reconciler, item->key, SW_QUOTA_PASS_MS);
}

enum sw_rc sw_quota_controller_new(const struct sw_quota_controller_options *options,
                                   struct sw_quota_controller **ret_controller, struct sw_err *err)
{
    SW_CLEANUP(sw_quota_controller_freep)
    struct sw_quota_controller *made = calloc(1, sizeof(*made));
    const struct sw_reconciler_options frame = {.name = "quota",
                                                .loop = options->loop,
                                                .system = options->system,
                                                .logger = options->logger,
                                                .objects = options->objects,
                                                .ctx = made,
                                                .reconcile = reconcile};
    const struct sw_informer_handler quotas = {.ctx = made, .on_change = on_quota};
    const struct sw_informer_handler agents = {.ctx = made, .on_change = on_agent};

    if (made == NULL || (made->scratch = sw_arena_new(SW_OBJECT_ARENA_MAX)) == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the controller of quotas");
    made->options = *options;
    enum sw_rc rc = sw_reconciler_new(&frame, &made->reconciler, err);
    if (rc == SW_OK)
        rc = sw_informer_new(options->objects, sw_kind_find("ResourceQuota"), &quotas,
                             &made->quotas, err);
    if (rc == SW_OK)
        rc = sw_informer_new(options->objects, sw_kind_find("Agent"), &agents, &made->agents, err);
    if (rc == SW_OK)
        *ret_controller = SW_TAKE(made);
    return rc;
}

void sw_quota_controller_free(struct sw_quota_controller *controller)
{
    if (controller == NULL)
        return;
    sw_informer_free(controller->agents);
    sw_informer_free(controller->quotas);
    sw_reconciler_free(controller->reconciler);
    sw_arena_free(controller->scratch);
    free(controller);
}
