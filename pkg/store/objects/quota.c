#include "pkg/store/objects/quota.h"

#include <inttypes.h>
#include <string.h>

#include "pkg/store/objects/state.h"

struct counting {
    const struct sw_kind *kind;
    struct sw_arena *arena;
    struct quota_use *use;
    enum sw_rc rc;
};

void sw_quota_add_agent(struct quota_use *use, const struct sw_api_agent *agent)
{
    if (agent == NULL)
        return;
    use->agents++;
    use->replicas += agent->spec.keyed ? 0 : agent->spec.replicas;
}

static bool count_agent(void *ctx, const struct sw_store_item *item)
{
    struct counting *counting = ctx;
    void *object = NULL;

    sw_arena_reset(counting->arena);
    counting->rc = sw_object_of_item(counting->kind, item, counting->arena, &object, NULL);
    if (counting->rc == SW_OK)
        sw_quota_add_agent(counting->use, object);
    return counting->rc == SW_OK;
}

enum sw_rc sw_quota_count(struct sw_objects *objects, const char *name_space,
                          struct quota_use *ret_use, struct sw_err *err)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(SW_OBJECT_ARENA_MAX);
    struct counting counting = {.kind = sw_kind_find("Agent"), .arena = arena, .use = ret_use};
    char prefix[SW_OBJECT_KEY_MAX];
    struct sw_store_list_request request = {.prefix = prefix};
    struct sw_store_list_end end;
    enum sw_rc rc;

    *ret_use = (struct quota_use){0};
    if (arena == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory is left for this request");
    sw_object_key(counting.kind, name_space, NULL, prefix);
    rc = sw_store_list(objects->store, &request, count_agent, &counting, &end, err);
    if (rc == SW_OK && counting.rc != SW_OK)
        rc = sw_err_set(err, counting.rc, "the Agents of namespace \"%s\" cannot be counted",
                        name_space);
    return rc;
}

/* One bound. What is more than was and passes it is refused; what is less is always fine. */
static enum sw_rc check(const struct sw_api_resource_quota *quota, const char *what,
                        const uint64_t values[3], struct sw_err *err)
{
    uint64_t used = values[0], wanted = values[1], hard = values[2];

    if (wanted <= used || wanted <= hard)
        return SW_OK;
    sw_err_set(err, SW_E_EXHAUSTED,
               "quota \"%s\" of namespace \"%s\": %s used: %" PRIu64 ", asked for: %" PRIu64
               " more, allowed: %" PRIu64,
               quota->metadata.name, quota->metadata.namespace, what, used, wanted - used, hard);
    sw_err_hint(err, "delete or shrink an Agent of the namespace, or have the quota raised: "
                     "swarm get quota");
    return SW_E_EXHAUSTED;
}

enum sw_rc sw_quota_check(const struct sw_api_resource_quota *quota, const struct quota_use *now,
                          const struct quota_use *next, struct sw_err *err)
{
    const struct sw_api_quota_limits *hard = &quota->spec.hard;
    enum sw_rc rc = SW_OK;

    if (hard->has_agents)
        rc = check(quota, "Agents", (const uint64_t[]){now->agents, next->agents, hard->agents},
                   err);
    if (rc == SW_OK && hard->has_instances)
        rc = check(quota, "replicas",
                   (const uint64_t[]){now->replicas, next->replicas, hard->instances}, err);
    return rc;
}
