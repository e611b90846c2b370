#include "pkg/controller/cluster/controller.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/controller/cluster/state.h"
#include "pkg/utils/version/version.h"

/* --- Sums ---------------------------------------------------------------------------------------
 */

typedef void add_object(struct sw_api_cluster_status *status, const void *object);

static void add_node(struct sw_api_cluster_status *status, const void *object)
{
    const struct sw_api_node *node = object;

    status->nodes++;
    status->ready_nodes += node->status.phase == SW_API_NODE_PHASE_READY;
}

static void add_agent(struct sw_api_cluster_status *status, const void *object)
{
    const struct sw_api_agent *agent = object;

    status->agents++;
    status->ready_agents += agent->status.phase == SW_API_AGENT_PHASE_READY;
}

static void add_pod(struct sw_api_cluster_status *status, const void *object)
{
    const struct sw_api_pod *pod = object;

    status->pods++;
    status->ready_pods += pod->status.phase == SW_API_POD_PHASE_READY;
    status->instances += pod->status.instances;
}

/* One version of an object comes into the sums or leaves them. An object that cannot be read was
 * never in them: the same bytes are read alike each time. */
static void count(struct sw_cluster_controller *controller, const struct sw_kind *kind,
                  const struct sw_store_item *item, add_object *add,
                  struct sw_api_cluster_status *into)
{
    void *object = NULL;

    sw_arena_reset(controller->scratch);
    if (item == NULL || sw_object_of_item(kind, item, controller->scratch, &object, NULL) != SW_OK)
        return;
    add(into, object);
}

static void note_change(struct sw_cluster_controller *controller, const char *kind,
                        const struct sw_informer_change *change, add_object *add)
{
    struct sw_api_cluster_status before = {0}, now = {0}, *sums = &controller->sums;

    count(controller, sw_kind_find(kind), change->before, add, &before);
    count(controller, sw_kind_find(kind), change->now, add, &now);
    sums->nodes += now.nodes - before.nodes;
    sums->ready_nodes += now.ready_nodes - before.ready_nodes;
    sums->agents += now.agents - before.agents;
    sums->ready_agents += now.ready_agents - before.ready_agents;
    sums->pods += now.pods - before.pods;
    sums->ready_pods += now.ready_pods - before.ready_pods;
    sums->instances += now.instances - before.instances;
}

static void put_sums(const struct sw_api_cluster_status *sums, struct sw_api_cluster_status *status)
{
    status->nodes = sums->nodes;
    status->ready_nodes = sums->ready_nodes;
    status->agents = sums->agents;
    status->ready_agents = sums->ready_agents;
    status->pods = sums->pods;
    status->ready_pods = sums->ready_pods;
    status->instances = sums->instances;
}

static enum sw_rc put_ready(struct sw_cluster_controller *controller, struct sw_pass *pass,
                            struct sw_api_cluster *cluster)
{
    struct sw_api_cluster_status *status = &cluster->status;
    bool is_ready = status->nodes > 0 && status->ready_nodes == status->nodes;
    const struct sw_api_condition condition = {
        .type = "Ready",
        .status = is_ready ? SW_API_CONDITION_STATUS_TRUE : SW_API_CONDITION_STATUS_FALSE,
        .reason = is_ready ? "AllNodesReady" : "NodesNotReady",
        .message = sw_arena_print(pass->arena, "%u of %u Nodes are ready", status->ready_nodes,
                                  status->nodes),
        .last_transition_time = sw_objects_utc_ns(controller->options.objects),
        .observed_generation = cluster->metadata.generation,
    };

    if (condition.message == NULL)
        return SW_E_EXHAUSTED;
    return sw_condition_put(&status->conditions, &status->conditions_count, &condition,
                            pass->arena);
}

static enum sw_rc reconcile_cluster(struct sw_cluster_controller *controller, struct sw_pass *pass,
                                    struct sw_err *err)
{
    const struct sw_kind *kind = sw_kind_find("Cluster");
    void *object = NULL;

    enum sw_rc rc = sw_objects_get(controller->options.objects,
                                   &(const struct sw_object_ref){kind, "", SW_OBJECT_NAME_DEFAULT},
                                   pass->arena, &object, err);
    if (rc != SW_OK)
        return rc == SW_E_NOT_FOUND ? SW_OK : rc;
    struct sw_api_cluster *cluster = object;
    put_sums(&controller->sums, &cluster->status);
    cluster->status.version = sw_version();
    cluster->status.observed_generation = cluster->metadata.generation;
    if (put_ready(controller, pass, cluster) != SW_OK)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the Cluster's status");
    return sw_plan_update_status(pass->plan, kind, cluster, err);
}

/* --- Changes ------------------------------------------------------------------------------------
 */

static enum sw_rc reconcile(void *ctx, struct sw_pass *pass, struct sw_err *err)
{
    struct sw_cluster_controller *controller = ctx;

    if (strcmp(pass->key, SW_CLUSTER_SUMS) == 0)
        return reconcile_cluster(controller, pass, err);
    return sw_cluster_reconcile_node(controller, pass, err);
}

static void look(struct sw_cluster_controller *controller)
{
    sw_reconciler_add(controller->reconciler, SW_CLUSTER_SUMS, SW_CLUSTER_DELAY_MS);
}

static void on_agent(void *ctx, const struct sw_informer_change *change)
{
    note_change(ctx, "Agent", change, add_agent);
    look(ctx);
}

static void on_pod(void *ctx, const struct sw_informer_change *change)
{
    note_change(ctx, "Pod", change, add_pod);
    look(ctx);
}

static void on_node(void *ctx, const struct sw_informer_change *change)
{
    struct sw_cluster_controller *controller = ctx;

    note_change(controller, "Node", change, add_node);
    look(controller);
    sw_reconciler_add(controller->reconciler,
                      change->now != NULL ? change->now->key : change->before->key, 0);
}

/* The Cluster's own spec may have changed; what this controller writes of it changes nothing. */
static void on_cluster(void *ctx, const struct sw_informer_change *change)
{
    struct sw_cluster_controller *controller = ctx;
    const struct sw_store_item *item = NULL;
    size_t cursor = 0;

    (void)change;
    look(controller);
    while (controller->nodes != NULL && sw_informer_next(controller->nodes, &cursor, &item))
        sw_reconciler_add(controller->reconciler, item->key, SW_CLUSTER_DELAY_MS);
}

static enum sw_rc follow(struct sw_cluster_controller *controller, struct sw_err *err)
{
    const struct {
        const char *kind;
        void (*on_change)(void *ctx, const struct sw_informer_change *change);
        struct sw_informer **ret_informer;
    } all[] = {{"Node", on_node, &controller->nodes},
               {"Agent", on_agent, &controller->agents},
               {"Pod", on_pod, &controller->pods},
               {"Cluster", on_cluster, &controller->clusters}};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        const struct sw_informer_handler handler = {.ctx = controller,
                                                    .on_change = all[i].on_change};
        enum sw_rc rc = sw_informer_new(controller->options.objects, sw_kind_find(all[i].kind),
                                        &handler, all[i].ret_informer, err);
        if (rc != SW_OK)
            return rc;
    }
    return SW_OK;
}

enum sw_rc sw_cluster_controller_new(const struct sw_cluster_controller_options *options,
                                     struct sw_cluster_controller **ret_controller,
                                     struct sw_err *err)
{
    SW_CLEANUP(sw_cluster_controller_freep)
    struct sw_cluster_controller *made = calloc(1, sizeof(*made));
    const struct sw_reconciler_options frame = {.name = "cluster",
                                                .loop = options->loop,
                                                .system = options->system,
                                                .logger = options->logger,
                                                .objects = options->objects,
                                                .ctx = made,
                                                .reconcile = reconcile};

    if (made == NULL || (made->scratch = sw_arena_new(SW_OBJECT_ARENA_MAX)) == NULL ||
        (made->heard = sw_map_new(0)) == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the controller of the Cluster");
    made->options = *options;
    enum sw_rc rc = sw_reconciler_new(&frame, &made->reconciler, err);
    if (rc == SW_OK)
        rc = follow(made, err);
    if (rc == SW_OK)
        *ret_controller = SW_TAKE(made);
    return rc;
}

void sw_cluster_controller_free(struct sw_cluster_controller *controller)
{
    struct sw_map_entry found;
    size_t cursor = 0;

    if (controller == NULL)
        return;
    while (controller->heard != NULL && sw_map_next(controller->heard, &cursor, &found))
        free(found.value);
    sw_map_free(controller->heard);
    sw_informer_free(controller->nodes);
    sw_informer_free(controller->agents);
    sw_informer_free(controller->pods);
    sw_informer_free(controller->clusters);
    sw_reconciler_free(controller->reconciler);
    sw_arena_free(controller->scratch);
    free(controller);
}
