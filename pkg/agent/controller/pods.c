/* Pods of this node: what was asked of them, told to whichever host runs. */
#include "pkg/agent/controller/state.h"
#include "pkg/utils/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POD_ARENA_MAX ((size_t)1 << 20)
#define MEMORY_BYTES_DEFAULT (1u << 20)
#define MESSAGE_BYTES_DEFAULT (256u << 10)
#define TURN_MS_DEFAULT 1000
#define MAILBOX_DEFAULT 1024
#define INSTANCES_DEFAULT 250000

/* Word to the observer that may not be given inside the call which causes it. */
struct later {
    struct sw_list node;
    struct sw_agents *agents; /* NULL once it was freed. */
    bool is_closed;           /* on_closed; otherwise a report of a failure. */
    char uid[SW_FRAME_NAME_MAX + 1];
    uint64_t generation;
    char reason[64];
    char words[SW_ERR_MESSAGE_MAX];
};

static void later_call(void *ctx);

static void say_later(struct sw_agents *agents, const struct later *what)
{
    struct later *later = malloc(sizeof *later);

    if (later == NULL)
        return; /* The controller looks again by itself. */
    *later = *what;
    later->agents = agents;
    sw_list_init(&later->node);
    sw_list_add(&agents->closings, &later->node);
    if (sw_loop_post(agents->options.loop, later_call, later) == SW_OK)
        return;
    sw_list_remove(&later->node);
    free(later);
}

static void say_closed(struct sw_agents *agents, const char *uid)
{
    struct later later = {.is_closed = true};

    (void)snprintf(later.uid, sizeof later.uid, "%s", uid);
    say_later(agents, &later);
}

void sw_pods_report(struct sw_agents *agents, const struct sw_pod_report *report)
{
    if (agents->pod_observer.on_status != NULL)
        agents->pod_observer.on_status(agents->pod_observer.ctx, report);
}

/* --- The table ------------------------------------------------------------------------------- */

struct sw_pod *sw_pods_find(const struct sw_agents *agents, struct sw_bytes uid)
{
    return sw_map_find(agents->pods, uid.data, uid.size);
}

static struct sw_pod *pod_of(const struct sw_agents *agents, const char *uid)
{
    return sw_pods_find(agents, (struct sw_bytes){uid, strlen(uid)});
}

/* How many Pods of an Agent are here; the count is the map's value. */
static enum sw_rc agent_count(struct sw_agents *agents, const char *key, int change)
{
    uintptr_t count = (uintptr_t)sw_map_find(agents->agents_known, key, strlen(key));

    count += (uintptr_t)change;
    if (count == 0) {
        (void)sw_map_remove(agents->agents_known, key, strlen(key));
        return SW_OK;
    }
    return sw_map_put(agents->agents_known, key, strlen(key), (void *)count, NULL);
}

static void pod_free(struct sw_agents *agents, struct sw_pod *pod)
{
    (void)sw_map_remove(agents->pods, pod->uid, strlen(pod->uid));
    if (agent_count(agents, pod->agent_key, -1) != SW_OK)
        abort(); /* It only shrinks. */
    sw_modules_release(agents, pod->module);
    for (uint32_t i = 0; i < pod->older_count; i++)
        sw_modules_release(agents, pod->older[i]);
    sw_arena_free(pod->arena);
    agents->view.pods = sw_map_count(agents->pods);
    free(pod);
}

void sw_pods_done(struct sw_agents *agents)
{
    struct sw_map_entry found;
    size_t cursor = 0;

    while (cursor = 0, sw_map_next(agents->pods, &cursor, &found))
        pod_free(agents, found.value);
    SW_LIST_EACH(&agents->closings, node)
    {
        SW_LIST_ITEM(node, struct later, node)->agents = NULL;
        sw_list_remove(node);
    }
}

static uint64_t or_default(uint64_t value, uint64_t fallback)
{
    return value == 0 ? fallback : value;
}

static enum sw_rc spec_check(const struct sw_pod_spec *spec, struct sw_err *err)
{
    const struct sw_pod_limits *limits = &spec->limits;

    if (strcmp(spec->runtime, "wasm") != 0)
        return sw_err_set(err, SW_E_INVALID, "this node cannot run runtime \"%.40s\"",
                          spec->runtime);
    if (strlen(spec->uid) > SW_FRAME_NAME_MAX || strlen(spec->agent_uid) > SW_FRAME_NAME_MAX ||
        strlen(spec->namespace_name) > SW_FRAME_NAME_MAX ||
        strlen(spec->agent_name) > SW_FRAME_NAME_MAX)
        return sw_err_set(err, SW_E_INVALID, "a name of Pod %.80s is too long", spec->name);
    if (spec->replicas > UINT32_MAX || limits->turn_cpu_ms_max > UINT32_MAX ||
        limits->mailbox_messages_max > UINT32_MAX || limits->instances_max > UINT32_MAX ||
        spec->retry.attempts > UINT32_MAX || limits->timers_max > UINT32_MAX ||
        limits->messages_per_s > UINT32_MAX || limits->children_per_s > UINT32_MAX ||
        limits->fuel_max > SW_POD_FUEL_MAX)
        return sw_err_set(err, SW_E_INVALID, "a limit of Pod %.80s is too large", spec->name);
    return SW_OK;
}

/* A copy of the spec in an arena of its own. */
static enum sw_rc spec_copy(const struct sw_pod_spec *spec, struct sw_arena *arena,
                            struct sw_pod_spec *ret_spec, struct sw_err *err)
{
    const char **texts[] = {
        &ret_spec->uid,       &ret_spec->namespace_name, &ret_spec->name,   &ret_spec->agent_name,
        &ret_spec->agent_uid, &ret_spec->module_digest,  &ret_spec->runtime};

    *ret_spec = *spec;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i] = sw_arena_copy(arena, *texts[i], strlen(*texts[i]));
        if (*texts[i] == NULL)
            return sw_err_set(err, SW_E_EXHAUSTED, "no memory for Pod %.80s", spec->name);
    }
    ret_spec->config.data = sw_arena_copy(arena, spec->config.data, spec->config.size);
    if (ret_spec->config.data == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "the config of Pod %.80s is too large", spec->name);
    return SW_OK;
}

/* --- To the host ----------------------------------------------------------------------------- */

static struct sw_bytes bytes_of(const char *text)
{
    return (struct sw_bytes){text, strlen(text)};
}

static void slots_print(const struct sw_pod_spec *spec, uint8_t ret_slots[SW_FRAME_SLOTS_BYTES])
{
    for (size_t i = 0; i < SW_FRAME_SLOTS_BYTES; i++)
        ret_slots[i] = (uint8_t)(spec->slots[i / 8] >> (8 * (i % 8)));
}

static void pod_open_send(struct sw_agents *agents, struct sw_pod *pod)
{
    const struct sw_pod_spec *spec = &pod->spec;
    uint8_t slots[SW_FRAME_SLOTS_BYTES];
    struct sw_frame frame = {.kind = SW_FRAME_POD_OPEN};

    slots_print(spec, slots);
    frame.pod_open = (struct sw_frame_pod_open){
        .uid = bytes_of(pod->uid),
        .generation = spec->generation,
        .name_space = bytes_of(spec->namespace_name),
        .agent = bytes_of(spec->agent_name),
        .agent_uid = bytes_of(spec->agent_uid),
        .digest = bytes_of(pod->module->program),
        .slots = {slots, sizeof slots},
        .is_keyed = spec->is_keyed,
        .replicas = (uint32_t)spec->replicas,
        .is_durable = spec->durability == SW_POD_DURABILITY_LOCAL,
        .resets = spec->resets,
        .priority = spec->priority,
        .memory_bytes = or_default(spec->limits.memory_bytes_max, MEMORY_BYTES_DEFAULT),
        .body_bytes = or_default(spec->limits.message_bytes_max, MESSAGE_BYTES_DEFAULT),
        .deadline_ms = (uint32_t)or_default(spec->limits.turn_cpu_ms_max, TURN_MS_DEFAULT),
        .fuel_max = spec->limits.fuel_max,
        .mailbox = (uint32_t)or_default(spec->limits.mailbox_messages_max, MAILBOX_DEFAULT),
        .instances_max = (uint32_t)or_default(spec->limits.instances_max, INSTANCES_DEFAULT),
        .retry_attempts = (uint32_t)or_default(spec->retry.attempts, 1),
        .retry_first_ns = spec->retry.first_ns,
        .retry_max_ns = spec->retry.max_ns,
        .rest_ns = spec->rest_ns,
        .idle_ns = spec->idle_ns,
        .weight = spec->weight,
        .timers_max = (uint32_t)spec->limits.timers_max,
        .messages_per_s = (uint32_t)spec->limits.messages_per_s,
        .children_per_s = (uint32_t)spec->limits.children_per_s,
        .history_ns = spec->history_ns,
        .history_bytes = spec->history_bytes,
        .history_turns = spec->history_turns,
        .config = spec->config,
    };
    pod->is_opened = true;
    pod->running_ms = 0;
    sw_host_send(agents, &frame);
}

static void pod_close_send(struct sw_agents *agents, struct sw_pod *pod)
{
    struct sw_frame frame = {.kind = SW_FRAME_POD_CLOSE};

    pod->closes_open++;
    frame.pod_close.uid = bytes_of(pod->uid);
    frame.pod_close.discard = pod->is_discarded;
    sw_host_send(agents, &frame);
}

static void fail_later(struct sw_agents *agents, const struct sw_pod *pod, const char *reason,
                       const char *words)
{
    struct later later = {.generation = pod->spec.generation};

    (void)snprintf(later.uid, sizeof later.uid, "%s", pod->uid);
    (void)snprintf(later.reason, sizeof later.reason, "%s", reason);
    (void)snprintf(later.words, sizeof later.words, "module %s: %.400s", pod->module->program,
                   words);
    sw_text_mend_end(later.words);
    say_later(agents, &later);
}

/* Nothing can end what is in a journal that cannot be read. Where all of it goes with its Agent
 * nothing has to. */
static bool needs_no_host(const struct sw_agents *agents)
{
    return agents->options.is_of_one_agent && agents->is_unreadable &&
           agents->state == SW_HOST_DOWN;
}

/* Its Pod is here still if no host could be asked to end it. */
static void closed_later(struct sw_agents *agents, const char *uid)
{
    struct sw_pod *pod = pod_of(agents, uid);

    if (pod == NULL && agents->pod_observer.on_closed != NULL)
        agents->pod_observer.on_closed(agents->pod_observer.ctx, uid);
    else if (pod != NULL && pod->is_closing && needs_no_host(agents))
        sw_pods_closed(agents, pod);
}

static void later_call(void *ctx)
{
    struct later *later = ctx;
    struct sw_agents *agents = later->agents;
    struct sw_pod_report report = {.uid = later->uid,
                                   .observed_generation = later->generation,
                                   .phase = SW_POD_FAILED,
                                   .reason = later->reason,
                                   .message = later->words};

    sw_list_remove(&later->node);
    if (agents != NULL && later->is_closed)
        closed_later(agents, later->uid);
    else if (agents != NULL)
        sw_pods_report(agents, &report);
    free(later);
}

static void pod_begin(struct sw_agents *agents, struct sw_pod *pod)
{
    const struct sw_machine_code *code = &agents->options.machine_code;

    if (agents->state != SW_HOST_UP)
        return; /* sw_pods_host_up comes back to it. */
    if (pod->is_closing)
        pod_close_send(agents, pod);
    else if (!code->has(code->ctx, pod->spec.namespace_name, pod->module->program))
        fail_later(agents, pod, "ModuleNotFound", "it is not in this namespace: push it");
    else if (pod->module->is_sent)
        pod_open_send(agents, pod);
    else
        sw_modules_send(agents, pod->module, pod->spec.namespace_name);
}

void sw_pods_host_up(struct sw_agents *agents)
{
    struct sw_map_entry found;
    size_t cursor = 0;

    while (sw_map_next(agents->pods, &cursor, &found))
        pod_begin(agents, found.value);
    agents->view.pods = sw_map_count(agents->pods);
}

/* Of an end that was asked for nothing is told: no Pod failed, and whoever asked knows. */
void sw_pods_host_down(struct sw_agents *agents)
{
    bool is_wished = agents->state == SW_HOST_STOPPED;
    const char *reason = agents->is_unreadable ? "JournalUnreadable" : "HostRestarting";
    char words[sizeof agents->words + SW_FRAME_NAME_MAX + 32];
    struct sw_map_entry found;
    size_t cursor = 0;

    (void)snprintf(words, sizeof words, "the agent host %.*s: %s", (int)SW_FRAME_NAME_MAX,
                   agents->options.name, agents->words);
    while (sw_map_next(agents->pods, &cursor, &found)) {
        struct sw_pod *pod = found.value;
        struct sw_pod_report report = {.uid = pod->uid,
                                       .observed_generation = pod->spec.generation,
                                       .phase = SW_POD_STARTING,
                                       .reason = reason,
                                       .message = words};

        pod->closes_open = 0;
        pod->running_ms = 0;
        pod->restarts += pod->is_opened && !is_wished;
        pod->is_opened = false;
        report.restarts = pod->restarts;
        if (!pod->is_closing && !is_wished)
            sw_pods_report(agents, &report);
        else if (pod->is_closing && pod->is_discarded && needs_no_host(agents))
            say_closed(agents, pod->uid);
    }
}

void sw_pods_module_ready(struct sw_agents *agents, const struct sw_module *module)
{
    struct sw_map_entry found;
    size_t cursor = 0;

    while (sw_map_next(agents->pods, &cursor, &found)) {
        struct sw_pod *pod = found.value;

        if (pod->module == module && !pod->is_opened && !pod->is_closing)
            pod_open_send(agents, pod);
    }
}

void sw_pods_module_failed(struct sw_agents *agents, const struct sw_module *module,
                           const char *reason, const char *words)
{
    struct sw_map_entry found;
    size_t cursor = 0;

    while (sw_map_next(agents->pods, &cursor, &found)) {
        const struct sw_pod *pod = found.value;

        if (pod->module == module && !pod->is_closing)
            fail_later(agents, pod, reason, words);
    }
}

/* Keep the module as long as the Pod is here. */
static enum sw_rc keep_older(struct sw_agents *agents, struct sw_pod *pod, const char *program,
                             struct sw_module **ret_module, struct sw_err *err)
{
    enum sw_rc rc;

    for (uint32_t i = 0; i < pod->older_count; i++)
        if (strcmp(pod->older[i]->program, program) == 0) {
            *ret_module = pod->older[i];
            return SW_OK;
        }
    rc = sw_modules_use(agents, program, ret_module, err);
    if (rc != SW_OK)
        return rc;
    if (pod->older_count == SW_POD_MODULES_MAX) {
        sw_modules_release(agents, pod->older[0]);
        pod->older_count--;
        memmove(pod->older, pod->older + 1, pod->older_count * sizeof(struct sw_module *));
    }
    pod->older[pod->older_count++] = *ret_module;
    return SW_OK;
}

enum sw_rc sw_pods_module_wanted(struct sw_agents *agents, struct sw_pod *pod, const char *program,
                                 struct sw_err *err)
{
    const struct sw_machine_code *code = &agents->options.machine_code;
    char words[SW_FRAME_WORDS_MAX];
    struct sw_pod_event event = {.uid = pod->uid,
                                 .is_warning = true,
                                 .reason = "ModuleNotFound",
                                 .instance = "",
                                 .message = words};
    struct sw_module *module;
    enum sw_rc rc;

    if (code->has(code->ctx, pod->spec.namespace_name, program)) {
        rc = keep_older(agents, pod, program, &module, err);
        if (rc != SW_OK)
            return rc;
        module->is_sent = false; /* A worker may have forgotten what the host had. */
        sw_modules_send(agents, module, pod->spec.namespace_name);
        return SW_OK;
    }
    (void)snprintf(words, sizeof words,
                   "instances wait for %.80s, the module that they ran last, which is not in the "
                   "namespace any more: push it again",
                   program);
    if (agents->pod_observer.on_event != NULL)
        agents->pod_observer.on_event(agents->pod_observer.ctx, &event);
    return SW_OK;
}

void sw_pods_closed(struct sw_agents *agents, struct sw_pod *pod)
{
    char uid[SW_FRAME_NAME_MAX + 1];

    (void)memcpy(uid, pod->uid, sizeof uid);
    pod_free(agents, pod);
    if (agents->pod_observer.on_closed != NULL)
        agents->pod_observer.on_closed(agents->pod_observer.ctx, uid);
}

static bool is_of_module(const struct sw_module *program, const char *digest)
{
    char own[SW_ABI_PROGRAM_SIZE];

    sw_abi_program_digest(program->program, own);
    return strcmp(own, digest) == 0;
}

bool sw_agents_has_module(const struct sw_agents *agents, const char *name_space,
                          const char *digest)
{
    struct sw_map_entry found;
    size_t cursor = 0;

    while (sw_map_next(agents->pods, &cursor, &found)) {
        const struct sw_pod *pod = found.value;

        if (is_of_module(pod->module, digest) && strcmp(pod->spec.namespace_name, name_space) == 0)
            return true;
    }
    return false;
}

static void drop_older(struct sw_agents *agents, struct sw_pod *pod, const char *digest)
{
    for (uint32_t i = pod->older_count; i-- > 0;) { /* Perhaps in several classes. */
        if (!is_of_module(pod->older[i], digest))
            continue;
        sw_modules_release(agents, pod->older[i]);
        pod->older[i] = pod->older[--pod->older_count];
    }
}

void sw_agents_drop_module(struct sw_agents *agents, const char *digest)
{
    struct sw_map_entry found;
    size_t cursor = 0;

    while (sw_map_next(agents->pods, &cursor, &found))
        drop_older(agents, found.value, digest);
}

/* --- The runner ------------------------------------------------------------------------------ */

static void runner_observe(void *ctx, const struct sw_pod_observer *observer)
{
    struct sw_agents *agents = ctx;

    agents->pod_observer = *observer;
}

static struct sw_pod *pod_new(struct sw_agents *agents, const struct sw_pod_spec *spec)
{
    struct sw_pod *pod = calloc(1, sizeof *pod);

    if (pod == NULL)
        return NULL;
    (void)snprintf(pod->uid, sizeof pod->uid, "%s", spec->uid);
    (void)snprintf(pod->agent_key, sizeof pod->agent_key, "%s/%s", spec->namespace_name,
                   spec->agent_name);
    if (sw_map_put(agents->pods, pod->uid, strlen(pod->uid), pod, NULL) != SW_OK) {
        free(pod);
        return NULL;
    }
    if (agent_count(agents, pod->agent_key, 1) != SW_OK) {
        (void)sw_map_remove(agents->pods, pod->uid, strlen(pod->uid));
        free(pod);
        return NULL;
    }
    agents->view.pods = sw_map_count(agents->pods);
    return pod;
}

static enum sw_rc use_program(struct sw_agents *agents, const struct sw_pod_spec *spec,
                              struct sw_module **ret_module, struct sw_err *err)
{
    bool counts_fuel = spec->limits.fuel_max != 0;
    char program[SW_ABI_PROGRAM_SIZE];

    _Static_assert((int)SW_POD_ENGINE_COMPACT == SW_ABI_COMPACT &&
                       (int)SW_POD_ENGINE_COMPUTE == SW_ABI_COMPUTE &&
                       (int)SW_POD_ENGINE_REPLAY == SW_ABI_REPLAY,
                   "the classes of engine are the same ones");
    sw_abi_program_name(bytes_of(spec->module_digest),
                        sw_abi_class_with_fuel((enum sw_abi_class)spec->engine, counts_fuel),
                        program);
    return sw_modules_use(agents, program, ret_module, err);
}

static enum sw_rc runner_open(void *ctx, const struct sw_pod_spec *spec, struct sw_err *err)
{
    struct sw_agents *agents = ctx;
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(POD_ARENA_MAX);
    struct sw_pod *pod = pod_of(agents, spec->uid);
    struct sw_module *module = NULL;
    struct sw_pod_spec copy;
    enum sw_rc rc = spec_check(spec, err);

    if (rc == SW_OK && arena == NULL)
        rc = sw_err_set(err, SW_E_EXHAUSTED, "no memory for a Pod");
    if (rc == SW_OK)
        rc = spec_copy(spec, arena, &copy, err);
    if (rc == SW_OK)
        rc = use_program(agents, spec, &module, err);
    if (rc != SW_OK)
        return rc;
    if (pod == NULL && (pod = pod_new(agents, spec)) == NULL) {
        sw_modules_release(agents, module);
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a Pod");
    }
    if (pod->module != NULL)
        sw_modules_release(agents, pod->module);
    sw_arena_free(pod->arena);
    pod->module = module;
    pod->arena = SW_TAKE(arena);
    pod->spec = copy;
    pod->is_opened = false;
    pod->is_closing = pod->is_discarded = false;
    pod_begin(agents, pod);
    return SW_OK;
}

static void runner_close(void *ctx, const char *uid, bool discard)
{
    struct sw_agents *agents = ctx;
    struct sw_pod *pod = pod_of(agents, uid);

    if (pod == NULL || (!discard && agents->state != SW_HOST_UP) || needs_no_host(agents)) {
        if (pod != NULL)
            pod_free(agents, pod);
        say_closed(agents, uid);
        return;
    }
    if (pod->is_closing && (pod->is_discarded || !discard))
        return; /* It is on its way. */
    pod->is_closing = true;
    pod->is_discarded = pod->is_discarded || discard;
    pod_begin(agents, pod);
}

void sw_pods_init(struct sw_agents *agents)
{
    agents->runner = (struct sw_pod_runner){.ctx = agents,
                                            .observe = runner_observe,
                                            .open = runner_open,
                                            .update = runner_open,
                                            .close = runner_close};
}
