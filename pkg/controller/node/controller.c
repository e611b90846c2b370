#include "pkg/controller/node/controller.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/controller/node/state.h"

uint64_t sw_node_now_ms(const struct sw_node_controller *controller)
{
    const struct sw_system *system = controller->options.system;

    return system->monotonic_ns(system->ctx) / 1000000;
}

/* --- Entries ------------------------------------------------------------------------------------
 */

static struct sw_node_pod *find_key(const struct sw_node_controller *controller, const char *key)
{
    return sw_map_find(controller->by_key, key, strlen(key));
}

static uint64_t duration_ms(const char *text, uint64_t otherwise_ms)
{
    uint64_t value_ns = 0;

    return sw_text_to_duration_ns(text, &value_ns) == SW_OK ? value_ns / 1000000 : otherwise_ms;
}

static void read_policy(struct sw_node_pod *entry, const struct sw_api_pod *pod)
{
    const struct sw_api_restart_policy *policy = &pod->spec.agent.restart;

    entry->backoff_ms = duration_ms(policy->initial_backoff, 1000);
    entry->backoff_max_ms = duration_ms(policy->max_backoff, 60000);
}

static enum sw_rc add_entry(struct sw_node_controller *controller, const char *key,
                            const struct sw_api_pod *pod, struct sw_node_pod **ret_entry,
                            struct sw_err *err)
{
    if (sw_map_count(controller->by_uid) >= SW_NODE_PODS_HERE_MAX)
        return sw_err_set(err, SW_E_EXHAUSTED, "this Node has %d Pods, the most it takes",
                          SW_NODE_PODS_HERE_MAX);
    struct sw_node_pod *entry = calloc(1, sizeof(*entry));
    if (entry == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for another Pod");
    snprintf(entry->uid, sizeof(entry->uid), "%s", pod->metadata.uid);
    snprintf(entry->key, sizeof(entry->key), "%s", key);
    snprintf(entry->agent_name, sizeof(entry->agent_name), "%s", pod->spec.agent_name);
    snprintf(entry->agent_uid, sizeof(entry->agent_uid), "%s", pod->spec.agent_uid);
    entry->restarts_before = pod->status.restarts;
    entry->observed_generation = pod->status.observed_generation;
    read_policy(entry, pod);
    if (sw_map_put(controller->by_uid, entry->uid, strlen(entry->uid), entry, NULL) != SW_OK ||
        sw_map_put(controller->by_key, entry->key, strlen(entry->key), entry, NULL) != SW_OK) {
        sw_node_pod_free(controller, entry);
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for another Pod");
    }
    *ret_entry = entry;
    return SW_OK;
}

static void close_entry(struct sw_node_controller *controller, struct sw_node_pod *entry)
{
    const struct sw_pod_runner *runner = controller->options.runner;

    if (entry->is_closing)
        return;
    entry->is_closing = true;
    runner->close(runner->ctx, entry->uid, true);
}

/* The Pod is no longer ours, or no longer there: nothing of it may run on. */
static void give_up(struct sw_node_controller *controller, struct sw_node_pod *entry)
{
    if (entry->is_closed) {
        sw_node_pod_free(controller, entry);
        return;
    }
    sw_map_remove(controller->by_key, entry->key, strlen(entry->key));
    close_entry(controller, entry);
}

/* --- One Pod ------------------------------------------------------------------------------------
 */

static enum sw_rc write_status(struct sw_node_controller *controller, struct sw_pass *pass,
                               struct sw_node_pod *entry, struct sw_api_pod *pod,
                               struct sw_err *err)
{
    uint64_t throttled_ms = sw_node_throttle_expire(controller, entry);
    uint64_t now_ns = sw_objects_utc_ns(controller->options.objects);
    struct sw_api_pod *next = sw_object_copy(sw_kind_find("Pod"), pod, pass->arena);

    if (throttled_ms != 0 && (pass->again_ms == 0 || throttled_ms < pass->again_ms))
        pass->again_ms = throttled_ms;
    if (next == NULL || sw_node_pod_status(entry, next, now_ns, pass->arena) != SW_OK ||
        sw_node_put_throttled(controller, entry, next, pass->arena) != SW_OK)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the Pod's status");
    return sw_plan_update_status(pass->plan, sw_kind_find("Pod"), next, err);
}

/* Stop what runs; once it has stopped let the Pod go. */
static enum sw_rc reconcile_end(struct sw_node_controller *controller, struct sw_pass *pass,
                                struct sw_node_pod *entry, struct sw_api_pod *pod,
                                struct sw_err *err)
{
    close_entry(controller, entry);
    if (!entry->is_closed)
        return write_status(controller, pass, entry, pod, err);
    sw_object_remove_finalizer(pod, SW_OBJECT_FINALIZER_POD);
    return sw_plan_update(pass->plan, sw_kind_find("Pod"), pod, err);
}

static void start(struct sw_node_controller *controller, struct sw_node_pod *entry,
                  const struct sw_api_pod *pod)
{
    const struct sw_pod_runner *runner = controller->options.runner;
    struct sw_pod_spec spec;
    struct sw_err err = {0};

    entry->reopens += entry->failures > 0;
    entry->generation = pod->metadata.generation;
    entry->phase = SW_POD_STARTING;
    entry->is_open = true;
    enum sw_rc rc = sw_node_pod_spec(pod, &spec, &err);
    if (rc == SW_OK)
        rc = runner->open(runner->ctx, &spec, &err);
    if (rc != SW_OK)
        sw_node_pod_fail(controller, entry, rc == SW_E_EXHAUSTED ? "NodeFull" : "SpecRefused",
                         err.message);
}

static void change(struct sw_node_controller *controller, struct sw_node_pod *entry,
                   const struct sw_api_pod *pod)
{
    const struct sw_pod_runner *runner = controller->options.runner;
    struct sw_pod_spec spec;
    struct sw_err err = {0};

    entry->generation = pod->metadata.generation;
    enum sw_rc rc = sw_node_pod_spec(pod, &spec, &err);
    if (rc == SW_OK)
        rc = runner->update(runner->ctx, &spec, &err);
    if (rc != SW_OK)
        sw_node_pod_fail(controller, entry, "SpecRefused", err.message);
}

/* A changed spec is tried at once, whatever the wait: it may be the cure. */
static enum sw_rc reconcile_run(struct sw_node_controller *controller, struct sw_pass *pass,
                                struct sw_node_pod *entry, struct sw_api_pod *pod,
                                struct sw_err *err)
{
    uint64_t now_ms = sw_node_now_ms(controller);
    bool is_new_spec = entry->generation != pod->metadata.generation;

    read_policy(entry, pod);
    if (!entry->is_open && (is_new_spec || now_ms >= entry->retry_ms))
        start(controller, entry, pod);
    else if (entry->is_open && is_new_spec)
        change(controller, entry, pod);
    if (!entry->is_open)
        pass->again_ms = entry->retry_ms > now_ms ? entry->retry_ms - now_ms : 1;
    return write_status(controller, pass, entry, pod, err);
}

static bool is_mine(const struct sw_node_controller *controller, const struct sw_api_pod *pod)
{
    return strcmp(pod->spec.node_name, controller->options.name) == 0;
}

/* Between the choice of the Node and the phase Bound the Pod is the scheduler's. */
static bool is_bound(const struct sw_api_pod *pod)
{
    return pod->status.phase > SW_API_POD_PHASE_PENDING || pod->metadata.deletion_timestamp != 0;
}

static enum sw_rc read_mine(const struct sw_node_controller *controller, struct sw_pass *pass,
                            struct sw_api_pod **ret_pod, struct sw_err *err)
{
    const struct sw_store_item *item =
        sw_store_find(sw_objects_store(controller->options.objects), pass->key);
    void *object = NULL;

    *ret_pod = NULL;
    if (item == NULL)
        return SW_OK;
    enum sw_rc rc = sw_object_of_item(sw_kind_find("Pod"), item, pass->arena, &object, err);
    if (rc == SW_OK && is_mine(controller, object))
        *ret_pod = object;
    return rc;
}

static enum sw_rc reconcile_pod(struct sw_node_controller *controller, struct sw_pass *pass,
                                struct sw_err *err)
{
    struct sw_node_pod *entry = find_key(controller, pass->key);
    struct sw_api_pod *pod = NULL;

    enum sw_rc rc = read_mine(controller, pass, &pod, err);
    if (rc != SW_OK)
        return rc;
    if (entry != NULL && (pod == NULL || strcmp(entry->uid, pod->metadata.uid) != 0)) {
        give_up(controller, entry);
        entry = NULL;
    }
    if (pod == NULL || !is_bound(pod))
        return SW_OK;
    if (entry == NULL)
        rc = add_entry(controller, pass->key, pod, &entry, err);
    if (rc != SW_OK)
        return rc;
    if (pod->metadata.deletion_timestamp != 0)
        return reconcile_end(controller, pass, entry, pod, err);
    return reconcile_run(controller, pass, entry, pod, err);
}

static enum sw_rc reconcile(void *ctx, struct sw_pass *pass, struct sw_err *err)
{
    struct sw_node_controller *controller = ctx;

    if (strcmp(pass->key, controller->key) == 0)
        return sw_node_reconcile_self(controller, pass, err);
    return reconcile_pod(controller, pass, err);
}

/* --- Changes ------------------------------------------------------------------------------------
 */

static void on_pod(void *ctx, const struct sw_informer_change *change)
{
    struct sw_node_controller *controller = ctx;
    const struct sw_store_item *item = change->now != NULL ? change->now : change->before;
    void *object = NULL;

    sw_arena_reset(controller->scratch);
    if (find_key(controller, item->key) != NULL ||
        (sw_object_of_item(sw_kind_find("Pod"), item, controller->scratch, &object, NULL) ==
             SW_OK &&
         is_mine(controller, object)))
        sw_reconciler_add(controller->reconciler, item->key, 0);
}

static void on_node(void *ctx, const struct sw_informer_change *change)
{
    struct sw_node_controller *controller = ctx;
    const struct sw_store_item *item = change->now != NULL ? change->now : change->before;

    if (strcmp(item->key, controller->key) == 0)
        sw_reconciler_add(controller->reconciler, item->key, 0);
}

void sw_node_controller_set_ready(struct sw_node_controller *controller, bool is_ready,
                                  const char *words)
{
    controller->is_ready = is_ready;
    snprintf(controller->words, sizeof(controller->words), "%s", words == NULL ? "" : words);
    sw_text_mend_end(controller->words);
    sw_reconciler_add(controller->reconciler, controller->key, 0);
}

void sw_node_controller_hosts_changed(struct sw_node_controller *controller)
{
    controller->are_hosts_other = true;
    sw_reconciler_add(controller->reconciler, controller->key, 0);
}

/* --- Life ---------------------------------------------------------------------------------------
 */

static enum sw_rc follow(struct sw_node_controller *controller, struct sw_err *err)
{
    struct sw_objects *objects = controller->options.objects;
    const struct sw_informer_handler pods = {.ctx = controller, .on_change = on_pod};
    const struct sw_informer_handler nodes = {.ctx = controller, .on_change = on_node};

    enum sw_rc rc = sw_node_follow_quotas(controller, err); /* Before any Pod is opened. */
    if (rc == SW_OK)
        rc = sw_informer_new(objects, sw_kind_find("Pod"), &pods, &controller->pods, err);
    if (rc == SW_OK)
        rc = sw_informer_new(objects, sw_kind_find("Node"), &nodes, &controller->nodes, err);
    return rc;
}

static enum sw_rc prepare(struct sw_node_controller *controller, struct sw_err *err)
{
    const struct sw_node_controller_options *options = &controller->options;
    const struct sw_reconciler_options frame = {.name = "node",
                                                .loop = options->loop,
                                                .system = options->system,
                                                .logger = options->logger,
                                                .objects = options->objects,
                                                .ctx = controller,
                                                .reconcile = reconcile};

    controller->by_uid = sw_map_new(0); /* Keys are our own objects' names. */
    controller->by_key = sw_map_new(0);
    controller->scratch = sw_arena_new(SW_OBJECT_ARENA_MAX);
    if (controller->by_uid == NULL || controller->by_key == NULL || controller->scratch == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the controller of this Node");
    return sw_reconciler_new(&frame, &controller->reconciler, err);
}

enum sw_rc sw_node_controller_new(const struct sw_node_controller_options *options,
                                  struct sw_node_controller **ret_controller, struct sw_err *err)
{
    SW_CLEANUP(sw_node_controller_freep)
    struct sw_node_controller *made = calloc(1, sizeof(*made));

    if (made == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the controller of this Node");
    made->options = *options;
    snprintf(made->words, sizeof(made->words), "the agent host has not started yet");
    sw_object_key(sw_kind_find("Node"), "", options->name, made->key);
    enum sw_rc rc = prepare(made, err);
    if (rc != SW_OK)
        return rc;
    const struct sw_pod_observer observer = sw_node_observer(made);
    options->runner->observe(options->runner->ctx, &observer);
    rc = follow(made, err);
    if (rc != SW_OK)
        return rc;
    sw_reconciler_add(made->reconciler, made->key, 0);
    *ret_controller = SW_TAKE(made);
    return SW_OK;
}

void sw_node_controller_free(struct sw_node_controller *controller)
{
    struct sw_map_entry found;
    size_t cursor = 0;

    if (controller == NULL)
        return;
    sw_informer_free(controller->pods);
    sw_informer_free(controller->quotas);
    sw_informer_free(controller->nodes);
    sw_reconciler_free(controller->reconciler);
    while (controller->by_uid != NULL && sw_map_next(controller->by_uid, &cursor, &found))
        free(found.value);
    sw_map_free(controller->by_uid);
    sw_map_free(controller->by_key);
    sw_arena_free(controller->scratch);
    free(controller);
}
