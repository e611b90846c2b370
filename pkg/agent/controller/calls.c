/* Outside calls of instances: to the services of this node, and back.
 *
 *     CALL -> new: RUNNING in its service -> ANSWERED, told to the host -> CALL_END: forgotten
 *             known and RUNNING: nothing more; known and ANSWERED: told again
 *
 * A host that was started again asks for all that its instances still wait for when their Pods are
 * opened, before it says that they run, so what runs or is answered outlives hosts. It is kept
 * until the host says that it is over; what a later host does not ask for is nobody's once all Pods
 * of its Agent have run for a moment: the host before it died with the end of it unsaid. Nothing
 * that may be asked for again gives way: with too much kept, new calls are refused. */
#include "pkg/agent/controller/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TYPE_MAX 255u

struct share { /* What a namespace, or an Agent, has under way; gone with the last one. */
    struct sw_agents *agents;
    struct sw_map *map;  /* That it is in. */
    struct share *space; /* Of an Agent: its namespace's. */
    uint64_t bytes;      /* Of results; of a namespace. */
    uint32_t count;
    uint32_t name_size;
    bool is_unsettled; /* In a sweep: an Agent with Pods that have not run for long enough. */
    char name[];
};

struct result {
    uint32_t code, type_size, body_size;
    uint8_t bytes[]; /* Type and body. */
};

struct call { /* There may be a hundred thousand: each byte counts. */
    struct sw_frame_call_name name;
    struct sw_list told; /* In agents->calls_answers while the link has no room for its result. */
    uint64_t pod;
    struct share *agent; /* "namespace/agent" */
    const struct sw_service *service;
    union {
        void *ticket;          /* While it runs. */
        struct result *result; /* When it is answered: owned. */
    };
    uint32_t host;          /* Of view.host_starts: the last one that asked for it. */
    uint16_t orphan_sweeps; /* So many, the last ones, found none of its Agent's Pods here. */
    bool is_answered;       /* Otherwise it runs. */
};

_Static_assert(sizeof(struct call) <= 80, "ninety-six bytes of the heap");

/* Instead of a result for which there was no memory. */
static struct result no_result = {.code = (uint32_t)-SW_E_EXHAUSTED};

struct sw_calls_budget *sw_calls_budget_new(void)
{
    struct sw_calls_budget *budget = calloc(1, sizeof *budget);

    if (budget != NULL)
        budget->by_space = sw_map_new(0);
    if (budget != NULL && budget->by_space != NULL)
        return budget;
    free(budget);
    return NULL;
}

void sw_calls_budget_free(struct sw_calls_budget *budget)
{
    if (budget != NULL)
        sw_map_free(budget->by_space);
    free(budget);
}

static struct sw_calls_budget *budget_of(const struct call *call)
{
    return call->agent->agents->options.calls_budget;
}

/* One more call under that name.  NULL: no memory. */
static struct share *share_take(struct sw_agents *agents, struct sw_map *map, const char *name)
{
    size_t size = strlen(name);
    struct share *share = sw_map_find(map, name, size);

    if (share != NULL) {
        share->count++;
        return share;
    }
    share = malloc(sizeof *share + size);
    if (share == NULL)
        return NULL;
    *share = (struct share){.agents = agents, .map = map, .count = 1, .name_size = (uint32_t)size};
    memcpy(share->name, name, size);
    if (sw_map_put(map, name, size, share, NULL) == SW_OK)
        return share;
    free(share);
    return NULL;
}

static void share_put(struct share *share)
{
    if (share == NULL || --share->count > 0)
        return;
    (void)sw_map_remove(share->map, share->name, share->name_size);
    free(share);
}

/* The same for an Agent and its namespace at once. */
static struct share *agent_take(struct sw_agents *agents, const struct sw_pod *pod)
{
    struct share *space =
        share_take(agents, agents->options.calls_budget->by_space, pod->spec.namespace_name);
    struct share *agent =
        space == NULL ? NULL : share_take(agents, agents->calls_by_agent, pod->agent_key);

    if (agent == NULL)
        share_put(space);
    else
        agent->space = space;
    return agent;
}

static void agent_put(struct share *agent)
{
    share_put(agent->space);
    share_put(agent);
}

static uint64_t size_of(const struct result *result)
{
    return (uint64_t)result->type_size + result->body_size;
}

static void result_free(struct call *call)
{
    budget_of(call)->results_bytes -= size_of(call->result);
    call->agent->space->bytes -= size_of(call->result);
    if (call->result != &no_result)
        free(call->result);
}

static void call_free(struct call *call)
{
    if (call->is_answered)
        result_free(call);
    else if (call->ticket != NULL)
        call->service->cancel(call->service->ctx, call->ticket);
    (void)sw_map_remove(call->agent->agents->calls_by_name, &call->name, sizeof call->name);
    budget_of(call)->calls--;
    sw_list_remove(&call->told);
    agent_put(call->agent);
    free(call);
}

/* Those of a list by their `told`. */
static void calls_free(struct sw_list *calls)
{
    SW_LIST_EACH(calls, node)
    call_free(SW_LIST_ITEM(node, struct call, told));
}

void sw_calls_done(struct sw_agents *agents)
{
    struct sw_map_entry entry;
    struct sw_list all;
    size_t cursor = 0;

    sw_list_init(&all);
    while (agents->calls_by_name != NULL && sw_map_next(agents->calls_by_name, &cursor, &entry)) {
        struct call *call = entry.value;

        sw_list_remove(&call->told);
        sw_list_add(&all, &call->told);
    }
    calls_free(&all);
}

static struct sw_bytes key_of(const void *value)
{
    const struct call *call = value;

    return (struct sw_bytes){&call->name, sizeof call->name};
}

struct sw_map *sw_calls_map_new(uint64_t seed)
{
    return sw_map_new_of(seed, key_of);
}

/* --- Results --------------------------------------------------------------------------------- */

static void result_send(struct sw_agents *agents, const struct call *call)
{
    const struct result *result = call->result;
    struct sw_frame frame = {.kind = SW_FRAME_CALL_RESULT};

    frame.call_result = (struct sw_frame_call_result){
        .name = call->name,
        .pod = call->pod,
        .code = result->code,
        .service = {call->service->name, strlen(call->service->name)},
        .type = {result->bytes, result->type_size},
        .body = {result->bytes + result->type_size, result->body_size}};
    sw_host_send(agents, &frame);
}

/* In the order in which they came, as far as the link has room. */
void sw_calls_on_drain(struct sw_agents *agents)
{
    while (!sw_list_is_empty(&agents->calls_answers) && agents->state == SW_HOST_UP &&
           sw_host_has_room(agents)) {
        struct call *call = SW_LIST_ITEM(sw_list_first(&agents->calls_answers), struct call, told);

        sw_list_remove(&call->told);
        result_send(agents, call);
    }
}

static void tell(struct sw_agents *agents, struct call *call)
{
    if (agents->state != SW_HOST_UP || !sw_list_is_empty(&call->told))
        return; /* It will be asked for again; or it is on its way. */
    sw_list_add(&agents->calls_answers, &call->told);
    sw_calls_on_drain(agents);
}

static struct result *result_new(enum sw_rc rc, struct sw_bytes type, struct sw_bytes body)
{
    struct result *result = malloc(sizeof *result + type.size + body.size);

    if (result == NULL)
        return &no_result;
    *result = (struct result){
        .code = (uint32_t)-rc, .type_size = (uint32_t)type.size, .body_size = (uint32_t)body.size};
    if (type.size > 0)
        memcpy(result->bytes, type.data, type.size);
    if (body.size > 0)
        memcpy(result->bytes + type.size, body.data, body.size);
    return result;
}

static void answered(struct sw_agents *agents, struct call *call,
                     const struct sw_service_answer *answer)
{
    static const char words[] = "too many results wait for the agents of this node";
    struct sw_bytes type = answer->type, body = answer->body;
    enum sw_rc rc = answer->rc;

    if (body.size > SW_FRAME_BODY_MAX || type.size > TYPE_MAX)
        rc = SW_E_INTERNAL, type.size = body.size = 0;
    else if (budget_of(call)->results_bytes + type.size + body.size >
             agents->options.results_bytes_max)
        rc = SW_E_EXHAUSTED, type.size = 0, body = (struct sw_bytes){words, sizeof words - 1};
    call->result = result_new(rc, type, body);
    call->is_answered = true;
    budget_of(call)->results_bytes += size_of(call->result);
    call->agent->space->bytes += size_of(call->result);
    tell(agents, call);
}

static void on_done(void *ctx, const struct sw_service_answer *answer)
{
    struct call *call = ctx;

    answered(call->agent->agents, call, answer);
}

/* --- Calls ----------------------------------------------------------------------------------- */

/* An answer to what is not kept: nothing runs that it could be joined to. */
static void refuse(struct sw_agents *agents, const struct sw_frame_call *asked,
                   const struct sw_err *err)
{
    struct sw_frame frame = {.kind = SW_FRAME_CALL_RESULT};

    frame.call_result = (struct sw_frame_call_result){.name = asked->name,
                                                      .pod = asked->pod,
                                                      .code = (uint32_t)-err->rc,
                                                      .service = asked->service,
                                                      .type = {"text/plain", 10},
                                                      .body = {err->message, strlen(err->message)}};
    sw_host_send(agents, &frame);
}

/* Room for one more, in all and of the namespace, which leaves a fifth of all to others. Results
 * may fill one half before new calls are refused; the other is for those of calls that run by then.
 */
static enum sw_rc check_room(const struct sw_agents *agents, const char *name, struct sw_err *err)
{
    const struct sw_calls_budget *budget = agents->options.calls_budget;
    const struct share *share = sw_map_find(budget->by_space, name, strlen(name));
    unsigned calls_max = agents->options.calls_max, space_max = calls_max / 5 * 4;
    uint64_t bytes_max = agents->options.results_bytes_max / 2;

    if (share != NULL && share->count >= space_max)
        return sw_err_set(err, SW_E_EXHAUSTED,
                          "%u calls of the namespace %s are under way on this node; call again "
                          "later",
                          space_max, name);
    if (budget->calls >= calls_max)
        return sw_err_set(err, SW_E_EXHAUSTED,
                          "%u calls of services are under way on this node; call again later",
                          calls_max);
    if (budget->results_bytes >= bytes_max || (share != NULL && share->bytes >= bytes_max / 5 * 4))
        return sw_err_set(err, SW_E_EXHAUSTED,
                          "too many results wait for agents %s to take them; call again later",
                          budget->results_bytes >= bytes_max ? "of this node" : "of the namespace");
    return SW_OK;
}

static struct call *call_new(struct sw_agents *agents, const struct sw_frame_call *asked,
                             const struct sw_pod *pod)
{
    struct call *call = calloc(1, sizeof *call);

    if (call == NULL)
        return NULL;
    call->agent = agent_take(agents, pod);
    call->name = asked->name;
    sw_list_init(&call->told);
    if (call->agent != NULL &&
        sw_map_put(agents->calls_by_name, &call->name, sizeof call->name, call, NULL) == SW_OK) {
        agents->options.calls_budget->calls++;
        return call;
    }
    if (call->agent != NULL)
        agent_put(call->agent);
    free(call);
    return NULL;
}

static enum sw_rc call_start(struct call *call, const struct sw_pod *pod,
                             const struct sw_frame_call *asked, struct sw_err *err)
{
    char key[SW_SERVICE_KEY_MAX];
    int size = snprintf(key, sizeof key, "%016" PRIx64 "-%016" PRIx64 "-%016" PRIx64,
                        asked->name.incarnation, asked->name.instance, asked->name.number);
    const struct sw_service_call request = {.name_space = pod->spec.namespace_name,
                                            .agent = pod->spec.agent_name,
                                            .instance = asked->key,
                                            .key = {key, (size_t)size},
                                            .turn = asked->turn,
                                            .depth = asked->depth > 0 ? asked->depth : 1,
                                            .type = asked->type,
                                            .body = asked->body};

    return call->service->start(call->service->ctx, &request, on_done, call, &call->ticket, err);
}

/* NULL: it has none of that name, and err says so. */
static const struct sw_service *service_of(const struct sw_agents *agents, const struct sw_pod *pod,
                                           struct sw_bytes name, struct sw_err *err)
{
    const struct sw_service *bridge = pod->spec.is_bridge ? agents->options.bridge : NULL;

    if (bridge != NULL &&
        sw_bytes_is_equal(name, (struct sw_bytes){bridge->name, strlen(bridge->name)}))
        return bridge;
    if (agents->options.services != NULL)
        return sw_services_find(agents->options.services, name, err);
    (void)sw_err_set(err, SW_E_NOT_FOUND, "this node has no services");
    return NULL;
}

/* Have a new one run.  Otherwise err is the answer. */
static enum sw_rc begin(struct sw_agents *agents, const struct sw_frame_call *asked,
                        struct sw_err *err)
{
    const struct sw_pod *pod = sw_pods_find(agents, asked->uid);
    const struct sw_service *service;
    struct call *call;
    enum sw_rc rc;

    if (pod == NULL)
        return sw_err_set(err, SW_E_UNAVAILABLE, "the Pod of the caller is being removed");
    service = service_of(agents, pod, asked->service, err);
    if (service == NULL)
        return err->rc;
    rc = check_room(agents, pod->spec.namespace_name, err);
    if (rc != SW_OK)
        return rc;
    call = call_new(agents, asked, pod);
    if (call == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a call");
    call->service = service;
    call->pod = asked->pod;
    call->host = (uint32_t)agents->view.host_starts;
    rc = call_start(call, pod, asked, err);
    if (rc != SW_OK)
        call_free(call);
    return rc;
}

void sw_calls_take(struct sw_agents *agents, const struct sw_frame_call *asked)
{
    struct call *call = sw_map_find(agents->calls_by_name, &asked->name, sizeof asked->name);
    struct sw_err err = {0};

    if (call == NULL) {
        if (begin(agents, asked, &err) != SW_OK)
            refuse(agents, asked, &err);
        return;
    }
    call->pod = asked->pod;
    call->host = (uint32_t)agents->view.host_starts;
    if (call->is_answered)
        tell(agents, call);
}

void sw_calls_end(struct sw_agents *agents, const struct sw_frame_call_name *name)
{
    struct call *call = sw_map_find(agents->calls_by_name, name, sizeof *name);

    if (call != NULL) /* Otherwise it was refused. */
        call_free(call);
}

/* --- Hosts ----------------------------------------------------------------------------------- */

void sw_calls_host_up(struct sw_agents *agents)
{
    sw_timer_start(agents->calls_sweep, agents->options.calls_settle_ms);
}

void sw_calls_host_down(struct sw_agents *agents)
{
    sw_timer_stop(agents->calls_sweep);
    while (!sw_list_is_empty(&agents->calls_answers))
        sw_list_remove(sw_list_first(&agents->calls_answers));
}

/* Agents some of whose Pods do not run, or not for long enough to have asked for all they wait for.
 */
static void mark_unsettled(struct sw_agents *agents)
{
    uint64_t now_ms = sw_host_now_ms(agents);
    struct sw_map_entry found;
    size_t cursor = 0;

    while (sw_map_next(agents->calls_by_agent, &cursor, &found))
        ((struct share *)found.value)->is_unsettled = false;
    cursor = 0;
    while (sw_map_next(agents->pods, &cursor, &found)) {
        const struct sw_pod *pod = found.value;
        struct share *share =
            sw_map_find(agents->calls_by_agent, pod->agent_key, strlen(pod->agent_key));

        if (share != NULL &&
            (pod->running_ms == 0 || now_ms - pod->running_ms < agents->options.calls_settle_ms))
            share->is_unsettled = true;
    }
}

/* Whether nobody will ask for it any more. */
static bool is_over(const struct sw_agents *agents, struct call *call)
{
    uint64_t sweeps_max = agents->options.calls_kept_ms / agents->options.calls_settle_ms;

    if (sw_map_find(agents->agents_known, call->agent->name, call->agent->name_size) == NULL)
        return call->orphan_sweeps == UINT16_MAX || ++call->orphan_sweeps > sweeps_max;
    call->orphan_sweeps = 0;
    return call->host != (uint32_t)agents->view.host_starts && !call->agent->is_unsettled;
}

void sw_calls_on_sweep(void *ctx)
{
    struct sw_agents *agents = ctx;
    struct sw_map_entry entry;
    struct sw_list over;
    size_t cursor = 0;

    sw_list_init(&over);
    mark_unsettled(agents);
    while (sw_map_next(agents->calls_by_name, &cursor, &entry)) {
        struct call *call = entry.value;

        if (!is_over(agents, call))
            continue;
        sw_list_remove(&call->told);
        sw_list_add(&over, &call->told);
    }
    calls_free(&over);
    sw_timer_start(agents->calls_sweep, agents->options.calls_settle_ms);
}
