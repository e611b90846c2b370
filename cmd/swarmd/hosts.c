#include "cmd/swarmd/hosts.h"

#include <string.h>

/* --- Needs ----------------------------------------------------------------------------------- */

struct search { /* For an object that needs a host's data. */
    const struct sw_host_about *about;
    const struct sw_kind *kind;
    struct sw_arena *arena;
    bool is_found;
};

static bool is_of(const struct sw_host_about *about, const char *agent_uid,
                  enum sw_api_isolation isolation)
{
    if (about->isolation == SW_POD_ISOLATION_AGENT)
        return strcmp(about->agent_uid, agent_uid) == 0;
    if (about->isolation == SW_POD_ISOLATION_NAMESPACE)
        return isolation == SW_API_ISOLATION_NAMESPACE;
    return isolation == SW_API_ISOLATION_SHARED || isolation == SW_API_ISOLATION_UNSPECIFIED;
}

static bool look_at(void *ctx, const struct sw_store_item *item)
{
    struct search *search = ctx;
    void *object = NULL;

    sw_arena_reset(search->arena);
    if (sw_object_of_item(search->kind, item, search->arena, &object, NULL) != SW_OK) {
        search->is_found = true;
    } else if (strcmp(search->kind->name, "Agent") == 0) {
        const struct sw_api_agent *agent = object;

        search->is_found = is_of(search->about, agent->metadata.uid, agent->spec.isolation);
    } else {
        const struct sw_api_pod *pod = object;

        search->is_found = is_of(search->about, pod->spec.agent_uid, pod->spec.agent.isolation);
    }
    return !search->is_found;
}

bool hosts_is_needed(void *ctx, const struct sw_host_about *about)
{
    static const char *const kinds[] = {"Agent", "Pod"};
    struct sw_objects *objects = ctx;
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(SW_OBJECT_ARENA_MAX);
    struct search search = {.about = about, .arena = arena, .is_found = arena == NULL};

    for (size_t i = 0; !search.is_found && i < sizeof kinds / sizeof kinds[0]; i++) {
        char prefix[SW_OBJECT_KEY_MAX];
        struct sw_store_list_request request = {.prefix = prefix};
        struct sw_store_list_end end;

        search.kind = sw_kind_find(kinds[i]);
        sw_object_key(search.kind, about->name_space, NULL, prefix);
        if (sw_store_list(sw_objects_store(objects), &request, look_at, &search, &end, NULL) !=
            SW_OK)
            search.is_found = true;
    }
    return search.is_found;
}

/* --- The Node -------------------------------------------------------------------------------- */

struct telling {
    sw_node_host_visit *visit;
    void *ctx;
};

static void tell(void *ctx, const struct sw_host_view *view)
{
    const struct telling *telling = ctx;
    const struct sw_node_host host = {.name = view->about->name,
                                      .phase = view->phase,
                                      .message = view->words,
                                      .cgroup = view->cgroup,
                                      .starts = view->agents.host_starts,
                                      .pods = view->agents.pods,
                                      .instances = view->agents.instances};

    telling->visit(telling->ctx, &host);
}

void hosts_each(void *ctx, sw_node_host_visit *visit, void *visit_ctx)
{
    struct telling telling = {visit, visit_ctx};

    sw_hosts_each(ctx, tell, &telling);
}
