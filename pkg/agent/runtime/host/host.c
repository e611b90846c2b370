#include "pkg/agent/runtime/host/host.h"

#include "include/swarm/agent.h"
#include "pkg/agent/runtime/host/state.h"
#include "pkg/utils/base/hash.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_MS_DEFAULT 1000u
#define NS_PER_MS 1000000u

/* --- Life ------------------------------------------------------------------------------------ */

static void pod_set_route(struct pod *pod, const struct sw_route_change *change)
{
    pod->route = *change;
    memcpy(pod->texts, change->name_space.data, change->name_space.size);
    memcpy(pod->texts + SW_FRAME_NAME_MAX, change->agent.data, change->agent.size);
    pod->route.name_space.data = pod->texts;
    pod->route.agent.data = pod->texts + SW_FRAME_NAME_MAX;
}

/* The Pods that the journal knows, by uid; workers have their routes already. */
static enum sw_rc take_recovered(struct sw_host *host)
{
    for (uint32_t i = 0; i < host->options.workers_count; i++) {
        struct sw_recovered_pod found;
        size_t cursor = 0;

        while (sw_recovered_next(host->options.workers[i], &cursor, &found)) {
            struct pod *pod = calloc(1, sizeof *pod);

            if (pod == NULL || found.route.name_space.size > SW_FRAME_NAME_MAX ||
                found.route.agent.size > SW_FRAME_NAME_MAX ||
                sw_map_put(host->pods, found.uid.data, found.uid.size, pod, NULL) != SW_OK) {
                free(pod);
                return SW_E_EXHAUSTED;
            }
            pod->number = found.pod;
            pod->worker = i;
            pod->is_durable = true;
            pod_set_route(pod, &found.route);
            if (sw_routes_change(host->routes, &pod->route) != SW_OK)
                return SW_E_EXHAUSTED;
        }
    }
    return SW_OK;
}

enum sw_rc sw_host_new(const struct sw_host_options *options, struct sw_host **ret_host,
                       struct sw_err *err)
{
    SW_CLEANUP(sw_host_freep) struct sw_host *host = calloc(1, sizeof *host);
    uint64_t seed;

    if (host == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the host");
    options->system->random(options->system->ctx, &seed, sizeof seed);
    host->options = *options;
    sw_buffer_init(&host->fork, SW_FRAME_FORK_BYTES_MAX);
    host->routes = sw_routes_new(seed);
    host->pods = sw_map_new(seed);
    host->modules = sw_map_new(seed);
    host->open = sw_map_new(seed);
    host->balance = sw_balance_new(options->workers_count);
    if (host->balance == NULL || host->routes == NULL || host->pods == NULL ||
        host->modules == NULL || host->open == NULL || take_recovered(host) != SW_OK)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the host");
    *ret_host = SW_TAKE(host);
    return SW_OK;
}

static void module_free(struct sw_host *host, struct module *module)
{
    if (module->code != NULL)
        host->options.engine->module_unref(host->options.engine->ctx, module->code);
    sw_buffer_done(&module->arriving);
    free(module);
}

void sw_host_free(struct sw_host *host)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    if (host == NULL)
        return;
    while (host->modules != NULL && sw_map_next(host->modules, &cursor, &entry))
        module_free(host, entry.value);
    cursor = 0;
    while (host->pods != NULL && sw_map_next(host->pods, &cursor, &entry))
        free(entry.value);
    sw_host_free_waiting(host);
    sw_buffer_done(&host->fork);
    sw_map_free(host->modules);
    sw_map_free(host->pods);
    sw_map_free(host->open);
    sw_balance_free(host->balance);
    sw_routes_free(host->routes);
    free(host);
}

static enum sw_rc no_memory(struct sw_err *err)
{
    return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a frame of swarmd");
}

/* --- Modules --------------------------------------------------------------------------------- */

static void module_result(struct sw_host *host, struct sw_bytes digest, enum sw_rc rc,
                          const char *words)
{
    struct sw_frame frame = {.kind = SW_FRAME_MODULE_RESULT,
                             .result = {digest, (uint32_t)-rc, {words, strlen(words)}}};

    host->options.emit(host->options.ctx, &frame);
}

/* Instances of an older program may wait for it, on any worker. */
static enum sw_rc hand_out(struct sw_host *host, struct sw_bytes digest,
                           struct sw_guest_module *code, struct sw_err *err)
{
    const struct sw_guest_engine *engine = host->options.engine;

    for (uint32_t i = 0; i < host->options.workers_count; i++) {
        struct sw_guest_module *module = engine->module_ref(engine->ctx, code);
        struct sw_item *item = sw_item_program_new(digest, module);

        if (item == NULL) {
            engine->module_unref(engine->ctx, module);
            return no_memory(err);
        }
        host->options.put(host->options.ctx, i, item);
    }
    return SW_OK;
}

struct piece { /* Of machine code, or of a bundle's payload. */
    struct sw_bytes digest;
    const struct sw_bytes *runtime; /* Of a bundle; NULL: it is machine code. */
    uint64_t offset, total, total_max;
    struct sw_bytes bytes;
};

/* The program that it is a piece of, which may be new.  NULL: no memory. */
static struct module *module_of(struct sw_host *host, struct sw_bytes digest)
{
    struct module *module = sw_map_find(host->modules, digest.data, digest.size);

    if (module == NULL) {
        module = calloc(1, sizeof *module);
        if (module == NULL ||
            sw_map_put(host->modules, digest.data, digest.size, module, NULL) != SW_OK) {
            free(module);
            return NULL;
        }
        sw_buffer_init(&module->arriving, SW_HOST_CODE_BYTES_MAX);
    }
    module->is_dropped = false;
    return module;
}

/* Only a payload may be empty. */
static bool is_in_place(const struct module *module, const struct piece *piece)
{
    return piece->offset == module->arriving.size && piece->total == module->total &&
           piece->total <= piece->total_max && piece->bytes.size <= piece->total - piece->offset &&
           (piece->bytes.size > 0 || (piece->runtime != NULL && piece->total == 0));
}

/* All of it is there: make what instances run. */
static enum sw_rc open_program(struct sw_host *host, struct module *module,
                               const struct piece *piece, enum sw_abi_class class,
                               struct sw_err *err)
{
    const struct sw_host_options *options = &host->options;
    struct sw_bytes bytes = {module->arriving.data, module->arriving.size};
    const struct module *runtime;

    if (piece->runtime == NULL)
        return options->open_module(options->ctx, class, bytes, &module->code, err);
    runtime = sw_map_find(host->modules, piece->runtime->data, piece->runtime->size);
    if (runtime == NULL || runtime->code == NULL || runtime == module)
        return sw_err_set(err, SW_E_PRECONDITION, "the module %.*s that runs it is not here",
                          (int)piece->runtime->size, (const char *)piece->runtime->data);
    return options->open_bundle(options->ctx, runtime->code, bytes, &module->code, err);
}

static enum sw_rc take_piece(struct sw_host *host, const struct piece *piece, struct sw_err *err)
{
    struct sw_err reason = {0};
    struct module *module;
    struct sw_bytes digest;
    enum sw_abi_class class;
    enum sw_rc rc = sw_abi_program_parse(piece->digest, &digest, &class);

    if (rc != SW_OK)
        return sw_err_set(err, SW_E_CORRUPT, "a piece of a module of an unknown class");
    module = module_of(host, piece->digest);
    if (module == NULL)
        return no_memory(err);
    if (piece->offset == 0) {
        sw_buffer_reset(&module->arriving);
        module->total = piece->total;
    }
    if (!is_in_place(module, piece))
        return sw_err_set(err, SW_E_CORRUPT, "a piece of a module out of place");
    sw_buffer_put(&module->arriving, piece->bytes.data, piece->bytes.size);
    if (module->arriving.failed)
        return no_memory(err);
    if (module->arriving.size < module->total)
        return SW_OK;
    if (module->code != NULL)
        host->options.engine->module_unref(host->options.engine->ctx, module->code);
    module->code = NULL;
    rc = open_program(host, module, piece, class, &reason);
    sw_buffer_done(&module->arriving);
    module_result(host, piece->digest, rc, rc == SW_OK ? "" : reason.message);
    return rc == SW_OK ? hand_out(host, piece->digest, module->code, err) : SW_OK;
}

static enum sw_rc take_module(struct sw_host *host, const struct sw_frame_module *frame,
                              struct sw_err *err)
{
    const struct piece piece = {.digest = frame->digest,
                                .offset = frame->offset,
                                .total = frame->total,
                                .total_max = SW_HOST_CODE_BYTES_MAX,
                                .bytes = frame->bytes};

    return take_piece(host, &piece, err);
}

static enum sw_rc take_bundle(struct sw_host *host, const struct sw_frame_bundle *frame,
                              struct sw_err *err)
{
    const struct piece piece = {.digest = frame->digest,
                                .runtime = &frame->runtime,
                                .offset = frame->offset,
                                .total = frame->total,
                                .total_max = SW_ABI_PAYLOAD_BYTES_MAX,
                                .bytes = frame->bytes};

    return take_piece(host, &piece, err);
}

static void drop_module(struct sw_host *host, struct sw_bytes digest)
{
    struct module *module = sw_map_find(host->modules, digest.data, digest.size);

    if (module == NULL)
        return;
    module->is_dropped = true;
    if (sw_host_awaits(host, digest))
        return;
    (void)sw_map_remove(host->modules, digest.data, digest.size);
    module_free(host, module);
}

void sw_host_drop_modules(struct sw_host *host)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    while (sw_map_next(host->modules, &cursor, &entry)) {
        const struct module *module = entry.value;

        if (!module->is_dropped || sw_host_awaits(host, entry.key))
            continue;
        drop_module(host, entry.key);
        cursor = 0; /* The map has changed. */
    }
}

/* Hand an item to its worker: past the rings while all are at rest. */
static void hand(struct sw_host *host, uint32_t worker, struct sw_item *item)
{
    if (host->is_still)
        sw_worker_put(host->options.workers[worker], item);
    else
        host->options.put(host->options.ctx, worker, item);
}

/* --- Pods ------------------------------------------------------------------------------------ */

static void pod_failed(struct sw_host *host, const struct sw_frame_pod_open *open,
                       const char *reason, const char *words)
{
    struct sw_frame frame = {.kind = SW_FRAME_POD_STATUS,
                             .pod_status = {.uid = open->uid,
                                            .generation = open->generation,
                                            .phase = SW_FRAME_POD_FAILED,
                                            .reason = {reason, strlen(reason)},
                                            .words = {words, strlen(words)}}};

    host->options.emit(host->options.ctx, &frame);
}

static struct pod *pod_make(struct sw_host *host, const struct sw_frame_pod_open *open)
{
    struct pod *pod = sw_map_find(host->pods, open->uid.data, open->uid.size);

    if (pod != NULL)
        return pod;
    pod = calloc(1, sizeof *pod);
    if (pod == NULL || sw_map_put(host->pods, open->uid.data, open->uid.size, pod, NULL) != SW_OK) {
        free(pod);
        return NULL;
    }
    pod->number = atomic_fetch_add(&host->options.shared->next_pod, 1);
    pod->worker = (uint32_t)(pod->number % host->options.workers_count);
    pod->is_durable = open->is_durable != 0;
    return pod;
}

static struct sw_pod_config config_of(const struct pod *pod, const struct sw_frame_pod_open *open)
{
    struct sw_bytes digest = open->digest;
    enum sw_abi_class class = SW_ABI_COMPACT;
    enum sw_rc rc = sw_abi_program_parse(open->digest, &digest, &class);
    struct sw_pod_config config = {
        .pod = pod->number,
        .uid = open->uid,
        .name_space = open->name_space,
        .agent = open->agent,
        .agent_uid = open->agent_uid,
        .digest = digest,
        .class = class,
        .config = open->config,
        .generation = open->generation,
        .is_keyed = open->is_keyed != 0,
        .is_durable = open->is_durable != 0,
        .resets = open->resets != 0,
        .replicas = open->replicas,
        .priority = open->priority,
        .deadline_ms = open->deadline_ms == 0 ? DEADLINE_MS_DEFAULT : open->deadline_ms,
        .fuel_max = open->fuel_max,
        .mailbox = open->mailbox == 0 ? 1 : open->mailbox,
        .instances_max = open->instances_max,
        .memory_bytes = open->memory_bytes,
        .body_bytes = open->body_bytes > SW_FRAME_BODY_MAX ? SW_FRAME_BODY_MAX : open->body_bytes,
        .retry_attempts = open->retry_attempts,
        .retry_first_ns = open->retry_first_ns,
        .retry_max_ns = open->retry_max_ns,
        .rest_ns = open->rest_ns,
        .idle_ns = open->idle_ns,
        .weight = open->weight,
        .timers_max = open->timers_max,
        .messages_per_s = open->messages_per_s,
        .children_per_s = open->children_per_s,
        .history = {open->history_ns, open->history_bytes, open->history_turns},
    };

    assert(rc == SW_OK); /* The module came under that name. */
    (void)rc;
    return config;
}

enum sw_rc sw_host_open_pod(struct sw_host *host, const struct sw_frame_pod_open *open,
                            const uint8_t slots[SW_SLOTS / 8], struct sw_err *err)
{
    struct module *module = sw_map_find(host->modules, open->digest.data, open->digest.size);
    struct sw_route_change change = {.name_space = open->name_space, .agent = open->agent};
    struct sw_guest_module *code;
    struct sw_pod_config config;
    struct sw_item *item;
    struct pod *pod;

    if (module == NULL || module->code == NULL) {
        pod_failed(host, open, "ModuleNotFound", "the module's machine code is not here");
        return SW_OK;
    }
    pod = pod_make(host, open);
    if (pod == NULL)
        return no_memory(err);
    if (pod->is_durable != (open->is_durable != 0)) {
        pod_failed(host, open, "DurabilityChanged", "the durability of a Pod cannot change");
        return SW_OK;
    }
    config = config_of(pod, open);
    memcpy(config.slots, slots, sizeof config.slots);
    change.pod = (struct sw_route_pod){
        .pod = pod->number, .worker = pod->worker, .is_durable = config.is_durable};
    memcpy(change.pod.slots, config.slots, sizeof change.pod.slots);
    sw_slot_key(open->agent_uid, change.hash_key);
    change.replicas = config.replicas;
    change.body_bytes = (uint32_t)config.body_bytes;
    change.children_per_s = config.children_per_s;
    change.is_keyed = config.is_keyed;
    pod_set_route(pod, &change);
    if (sw_routes_change(host->routes, &pod->route) != SW_OK)
        return no_memory(err);
    code = host->options.engine->module_ref(host->options.engine->ctx, module->code);
    item = sw_item_pod_open_new(&config, code);
    if (item == NULL) {
        host->options.engine->module_unref(host->options.engine->ctx, code);
        return no_memory(err);
    }
    pod->is_open = true;
    if (sw_map_put(host->open, &pod->number, sizeof pod->number, pod, NULL) != SW_OK)
        return no_memory(err);
    hand(host, pod->worker, item);
    return SW_OK;
}

static enum sw_rc close_one(struct sw_host *host, struct pod *pod, bool discard, struct sw_err *err)
{
    struct sw_route_change change = pod->route;
    struct sw_item *item = sw_item_pod_close_new(pod->number, discard);

    if (item == NULL)
        return no_memory(err);
    pod->is_open = false;
    (void)sw_map_remove(host->open, &pod->number, sizeof pod->number);
    if (discard || !pod->is_durable) { /* Nobody is to wait for it. */
        change.is_gone = true;
        change.pod.pod = pod->number;
        if (sw_routes_change(host->routes, &change) != SW_OK)
            return no_memory(err);
    }
    hand(host, pod->worker, item);
    return SW_OK;
}

enum sw_rc sw_host_close_pod(struct sw_host *host, const struct sw_frame_pod_close *close,
                             struct sw_err *err)
{
    struct pod *pod = sw_map_find(host->pods, close->uid.data, close->uid.size);
    struct sw_frame closed = {.kind = SW_FRAME_POD_CLOSED, .pod_closed = {close->uid}};
    enum sw_rc rc;

    if (pod == NULL) {
        host->options.emit(host->options.ctx, &closed);
        return SW_OK;
    }
    rc = close_one(host, pod, close->discard != 0, err);
    if (close->discard != 0) {
        (void)sw_map_remove(host->pods, close->uid.data, close->uid.size);
        free(pod);
    }
    return rc;
}

void sw_host_close_volatile(struct sw_host *host)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    while (sw_map_next(host->pods, &cursor, &entry)) {
        struct pod *pod = entry.value;
        if (!pod->is_durable && pod->is_open)
            (void)close_one(host, pod, false, NULL);
    }
}

/* --- Messages -------------------------------------------------------------------------------- */

static void answer(struct sw_host *host, uint64_t request, uint32_t code, const char *words)
{
    struct sw_frame frame = {.kind = SW_FRAME_REPLY,
                             .reply = {.request = request,
                                       .code = code,
                                       .type = {"text/plain", 10},
                                       .body = {words, strlen(words)}}};

    host->options.emit(host->options.ctx, &frame);
}

static void refuse(struct sw_host *host, uint64_t request, enum sw_rc rc, const char *words)
{
    answer(host, request, (uint32_t)-rc, words);
}

/* A replica for a send that names none: any, but the same one for a repeated request. */
static uint64_t choose_replica(struct sw_host *host, const struct sw_route *route,
                               const struct sw_frame_send *send)
{
    uint64_t number = send->request_id.size > 0 ? sw_siphash(route->hash_key, send->request_id.data,
                                                             send->request_id.size)
                                                : host->next_replica++;

    return number % route->replicas;
}

/* Find the Pod of a send, and its key if it names none. False: it was refused. */
static bool find_pod(struct sw_host *host, const struct sw_frame_send *send,
                     struct sw_message *message, char replica[24])
{
    const struct sw_route *route = sw_routes_agent(host->routes, send->name_space, send->agent);

    message->key = send->key;
    if (route == NULL) {
        answer(host, send->request, SW_FRAME_CODE_NOT_TAKEN, "the Agent does not run now");
        return false;
    }
    if (send->key.size == 0 && (route->is_keyed || route->replicas == 0)) {
        refuse(host, send->request, route->is_keyed ? SW_E_INVALID : SW_E_UNAVAILABLE,
               route->is_keyed ? "a message to a keyed Agent needs a key" : "it has no replicas");
        return false;
    }
    if (send->key.size == 0) {
        snprintf(replica, 24, "%" PRIu64, choose_replica(host, route, send));
        message->key = (struct sw_bytes){replica, strlen(replica)};
    }
    message->pod = route->pods[sw_slot_of(route->hash_key, message->key)];
    if (message->pod != 0 && sw_map_find(host->open, &message->pod, sizeof message->pod) != NULL)
        return true;
    answer(host, send->request, SW_FRAME_CODE_NOT_TAKEN, "the Pod of this key does not run now");
    return false;
}

/* To the worker of its Pod, which find_pod has found. */
static enum sw_rc put_message(struct sw_host *host, const struct sw_message *template,
                              struct sw_err *err)
{
    const struct sw_route_pod *pod = sw_routes_pod(host->routes, template->pod);
    struct sw_message *message = sw_message_new(template);

    assert(pod != NULL);
    if (message == NULL)
        return no_memory(err);
    host->options.put(host->options.ctx, pod->worker, &message->item);
    return SW_OK;
}

static enum sw_rc take_send(struct sw_host *host, const struct sw_frame_send *send,
                            struct sw_err *err)
{
    const struct sw_system *system = host->options.system;
    struct sw_message template = {
        .is_inner = send->want_reply == SW_FRAME_INNER,
        .head = {.flags = send->want_reply == 1 ? SWARM_MESSAGE_WANTS_REPLY : 0,
                 .priority = send->priority,
                 .origin = {.kind = SW_ORIGIN_CLIENT,
                            .incarnation = host->options.shared->incarnation,
                            .number = send->request},
                 .type = send->type,
                 .request_id = send->request_id},
        .body = send->body};
    char replica[24];

    if (sw_journal_is_full(host->options.shared->journal)) {
        refuse(host, send->request, SW_E_EXHAUSTED, "the disk of this node is full");
        return SW_OK;
    }
    if (!find_pod(host, send, &template, replica))
        return SW_OK;
    if (send->timeout_ms != 0)
        template.deadline_ns =
            system->monotonic_ns(system->ctx) + (uint64_t)send->timeout_ms *NS_PER_MS;
    return put_message(host, &template, err);
}

/* What a client wants of an instance itself, on its way to it. */
static enum sw_rc put_act(struct sw_host *host, const struct sw_frame_fork_change *about,
                          struct sw_message *template, struct sw_err *err)
{
    const struct sw_frame_send send = {.request = about->request,
                                       .name_space = about->name_space,
                                       .agent = about->agent,
                                       .key = about->key};
    char replica[24];

    template->head.priority = SWARM_PRIORITY_NORMAL;
    template->head.origin = (struct sw_origin){.kind = SW_ORIGIN_CLIENT,
                                               .incarnation = host->options.shared->incarnation,
                                               .number = about->request};
    if (sw_journal_is_full(host->options.shared->journal)) {
        refuse(host, about->request, SW_E_EXHAUSTED, "the disk of this node is full");
        return SW_OK;
    }
    return find_pod(host, &send, template, replica) ? put_message(host, template, err) : SW_OK;
}

static enum sw_rc take_fork(struct sw_host *host, const struct sw_frame_fork *piece,
                            struct sw_err *err)
{
    const struct sw_frame_fork_change about = {.request = piece->request,
                                               .name_space = piece->name_space,
                                               .agent = piece->agent,
                                               .key = piece->key};
    struct sw_message template = {.act = SW_MESSAGE_FORK, .head = {.subject = piece->digest}};
    struct sw_buffer *arriving = &host->fork;
    enum sw_rc rc;

    if (piece->offset == 0)
        sw_buffer_reset(arriving);
    if (piece->offset != arriving->size || piece->total > SW_FRAME_FORK_BYTES_MAX ||
        piece->offset >= piece->total || piece->bytes.size == 0 ||
        piece->bytes.size > piece->total - piece->offset)
        return sw_err_set(err, SW_E_CORRUPT, "a piece of a fork out of place");
    sw_buffer_put(arriving, piece->bytes.data, piece->bytes.size);
    if (arriving->failed)
        return no_memory(err);
    if (arriving->size < piece->total)
        return SW_OK;
    template.body = (struct sw_bytes){arriving->data, arriving->size};
    rc = put_act(host, &about, &template, err);
    sw_buffer_done(arriving);
    return rc;
}

static enum sw_rc change_fork(struct sw_host *host, const struct sw_frame_fork_change *change,
                              struct sw_err *err)
{
    struct sw_message template = {.act = change->act == SW_FRAME_FORK_RELEASE ? SW_MESSAGE_RELEASE
                                                                              : SW_MESSAGE_DROP};

    return put_act(host, change, &template, err);
}

/* Publishes of one subject go through one worker, which keeps their order. */
static enum sw_rc take_publish(struct sw_host *host, const struct sw_frame_publish *publish,
                               struct sw_err *err)
{
    static const uint8_t key[16] = "publish";
    uint64_t hash = sw_siphash(key, publish->subject.data, publish->subject.size);
    struct sw_item_publish item = {.request = publish->request,
                                   .name_space = publish->name_space,
                                   .subject = publish->subject,
                                   .type = publish->type,
                                   .body = publish->body,
                                   .request_id = publish->request_id,
                                   .priority = publish->priority};
    struct sw_item *copy;

    if (!sw_subject_is_valid(publish->subject)) {
        refuse(host, publish->request, SW_E_INVALID, "not a subject that can be published to");
        return SW_OK;
    }
    copy = sw_item_publish_new(&item);
    if (copy == NULL)
        return no_memory(err);
    host->options.put(host->options.ctx, (uint32_t)(hash % host->options.workers_count), copy);
    return SW_OK;
}

/* To all workers, one after the other. */
static enum sw_rc put_first(struct sw_host *host, struct sw_item *item, struct sw_err *err)
{
    if (item == NULL)
        return no_memory(err);
    host->options.put(host->options.ctx, 0, item);
    return SW_OK;
}

static enum sw_rc take_list(struct sw_host *host, const struct sw_frame_list *list,
                            struct sw_err *err)
{
    struct sw_item_list template = {.request = list->request,
                                    .name_space = list->name_space,
                                    .agent = list->agent,
                                    .prefix = list->prefix,
                                    .from = list->from,
                                    .states = list->states,
                                    .is_count = list->is_count != 0,
                                    .limit = list->limit == 0 ? 1 : list->limit};

    return put_first(host, sw_item_list_new(&template), err);
}

static enum sw_rc take_letters(struct sw_host *host, const struct sw_frame_letters *letters,
                               struct sw_err *err)
{
    struct sw_item_letters template = {.request = letters->request,
                                       .name_space = letters->name_space,
                                       .agent = letters->agent,
                                       .key = letters->key,
                                       .after = letters->after,
                                       .limit = letters->limit == 0 ? 1 : letters->limit,
                                       .with_body = letters->with_body != 0};

    return put_first(host, sw_item_letters_new(&template), err);
}

static enum sw_rc change_letters(struct sw_host *host, const struct sw_frame_letters_change *change,
                                 struct sw_err *err)
{
    struct sw_item_letters_change template = {.request = change->request,
                                              .name_space = change->name_space,
                                              .agent = change->agent,
                                              .key = change->key,
                                              .number = change->number,
                                              .is_drop = change->act == SW_FRAME_LETTERS_DROP};

    if (sw_journal_is_full(host->options.shared->journal)) {
        refuse(host, change->request, SW_E_EXHAUSTED, "the disk of this node is full");
        return SW_OK;
    }
    return put_first(host, sw_item_letters_change_new(&template), err);
}

/* To whoever waits for it, wherever that is by now; a result of another run of the host, or for a
 * Pod that there never was, is nobody's. */
static enum sw_rc take_result(struct sw_host *host, const struct sw_frame_call_result *result,
                              struct sw_err *err)
{
    struct sw_shared *shared = host->options.shared;
    struct sw_message template = {.pod = result->pod,
                                  .instance = result->name.instance,
                                  .head = {.flags = SWARM_MESSAGE_IS_REPLY | SW_MESSAGE_ENDS_WAIT,
                                           .priority = SWARM_PRIORITY_NORMAL,
                                           .status = -(int32_t)result->code,
                                           .tag = result->name.number,
                                           .from = result->service,
                                           .type = result->type},
                                  .body = result->body};
    const struct sw_route_pod *route;
    struct sw_message *message;

    if (result->pod >= atomic_load(&shared->next_pod) ||
        (result->name.incarnation != sw_shared_incarnation(shared, false) &&
         result->name.incarnation != sw_shared_incarnation(shared, true)))
        return SW_OK;
    message = sw_message_new(&template);
    if (message == NULL)
        return no_memory(err);
    route = sw_routes_pod(host->routes, result->pod);
    host->options.put(host->options.ctx,
                      route != NULL ? route->worker
                                    : (uint32_t)(result->pod % host->options.workers_count),
                      &message->item);
    return SW_OK;
}

/* It holds from here on; what there is under it is told by the last of the workers. */
static enum sw_rc set_quota(struct sw_host *host, const struct sw_frame_quota *quota,
                            struct sw_err *err)
{
    const struct sw_system *system = host->options.system;
    const struct sw_quota_limits limits = {
        quota->instances,     quota->memory_bytes, quota->messages_per_s, quota->cpu_ns,
        quota->storage_bytes, quota->messages_s,   quota->messages_phase};

    if (sw_accounts_set_quota(&host->options.shared->accounts, quota->name_space, &limits,
                              system->monotonic_ns(system->ctx)) != SW_OK)
        return no_memory(err);
    return put_first(host, sw_item_quota_ask_new(quota->number, quota->name_space), err);
}

enum sw_rc sw_host_receive(struct sw_host *host, const struct sw_frame *frame, struct sw_err *err)
{
    struct sw_frame pong = {.kind = SW_FRAME_PONG, .request = frame->request};

    switch ((unsigned)frame->kind) {
    case SW_FRAME_MODULE:
        return take_module(host, &frame->module, err);
    case SW_FRAME_BUNDLE:
        return take_bundle(host, &frame->bundle, err);
    case SW_FRAME_MODULE_DROP:
        drop_module(host, frame->module_drop.digest);
        return SW_OK;
    case SW_FRAME_MODULE_ASK:
        return put_first(
            host, sw_item_program_ask_new(frame->module_ask.request, frame->module_ask.digest),
            err);
    case SW_FRAME_POD_OPEN:
    case SW_FRAME_POD_CLOSE:
        return sw_host_take_pod_frame(host, frame, err);
    case SW_FRAME_SEND:
        return take_send(host, &frame->send, err);
    case SW_FRAME_PUBLISH:
        return take_publish(host, &frame->publish, err);
    case SW_FRAME_LIST:
        return take_list(host, &frame->list, err);
    case SW_FRAME_LETTERS:
        return take_letters(host, &frame->letters, err);
    case SW_FRAME_LETTERS_CHANGE:
        return change_letters(host, &frame->letters_change, err);
    case SW_FRAME_FORK:
        return take_fork(host, &frame->fork, err);
    case SW_FRAME_FORK_CHANGE:
        return change_fork(host, &frame->fork_change, err);
    case SW_FRAME_CALL_RESULT:
        return take_result(host, &frame->call_result, err);
    case SW_FRAME_QUOTA:
        return set_quota(host, &frame->quota, err);
    case SW_FRAME_PING:
        host->options.emit(host->options.ctx, &pong);
        return SW_OK;
    default:
        return sw_err_set(err, SW_E_CORRUPT, "frame %s at this time",
                          sw_frame_kind_name(frame->kind));
    }
}
