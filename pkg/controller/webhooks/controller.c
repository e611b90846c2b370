#include "pkg/controller/webhooks/controller.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/apis/swarm/v1/json.h"
#include "pkg/client/informers/informer.h"
#include "pkg/controller/reconciler/reconciler.h"
#include "pkg/controller/webhooks/send.h"
#include "pkg/utils/base/list.h"
#include "pkg/utils/base/map.h"
#include "pkg/utils/base/text.h"

#define AGAIN_MS 1000u
#define AGAIN_MS_MAX 300000u
#define FULL_MS 1000u               /* As many as may be are under way. */
#define TELL_NS_MAX 86400000000000u /* For so long the end of a question is told. */
#define BODY_MAX ((size_t)1 << 20)  /* An Approval with all its answers. */
#define ID_MAX 96u

struct sw_webhooks_controller {
    struct sw_webhooks_controller_options options;
    struct sw_reconciler *reconciler;
    struct sw_informer *approvals;
    struct sw_map *tellings; /* struct telling by the Approval's store key; */
    struct sw_list all;      /* the same. */
    uint32_t open;           /* Of them, with a send. */
};

struct telling { /* What is told of one Approval, until the store knows that it was. */
    struct sw_list node;
    struct sw_webhooks_controller *controller;
    struct webhook_send *send; /* Under way. */
    enum sw_api_approval_phase phase;
    bool is_told;
    uint64_t again_ms; /* Monotonic; not before. */
    uint64_t wait_ms;  /* Before that one. */
    char name_space[64], agent[64];
    char key[]; /* Of the Approval. */
};

static struct sw_bytes key_of(const void *value)
{
    const struct telling *telling = value;

    return (struct sw_bytes){telling->key, strlen(telling->key)};
}

static uint64_t now_ms(const struct sw_webhooks_controller *controller)
{
    const struct sw_system *system = controller->options.system;

    return system->monotonic_ns(system->ctx) / 1000000;
}

static void stop_sending(struct telling *telling)
{
    if (telling->send == NULL)
        return;
    sw_webhook_cancel(telling->send);
    telling->send = NULL;
    telling->controller->open--;
}

static void telling_free(struct telling *telling)
{
    stop_sending(telling);
    (void)sw_map_remove(telling->controller->tellings, telling->key, strlen(telling->key));
    sw_list_remove(&telling->node);
    free(telling);
}

static struct telling *find(const struct sw_webhooks_controller *controller, const char *key)
{
    return sw_map_find(controller->tellings, key, strlen(key));
}

static struct telling *telling_of(struct sw_webhooks_controller *controller, const char *key,
                                  const struct sw_api_approval *approval)
{
    struct telling *telling = find(controller, key);

    if (telling == NULL) {
        telling = calloc(1, sizeof *telling + strlen(key) + 1);
        if (telling == NULL)
            return NULL;
        memcpy(telling->key, key, strlen(key) + 1);
        telling->controller = controller;
        if (sw_map_put(controller->tellings, telling->key, strlen(key), telling, NULL) != SW_OK) {
            free(telling);
            return NULL;
        }
        sw_list_add(&controller->all, &telling->node);
        (void)snprintf(telling->name_space, sizeof telling->name_space, "%s",
                       approval->metadata.namespace);
        (void)snprintf(telling->agent, sizeof telling->agent, "%s", approval->spec.agent);
    }
    if (telling->phase != approval->status.phase) { /* What was told before is old. */
        stop_sending(telling);
        telling->phase = approval->status.phase;
        telling->is_told = false;
        telling->wait_ms = telling->again_ms = 0;
    }
    return telling;
}

/* --- Telling --------------------------------------------------------------------------------- */

static void complain(struct telling *telling, const char *words)
{
    struct sw_webhooks_controller *controller = telling->controller;
    SW_CLEANUP(sw_buffer_done) struct sw_buffer message;

    sw_buffer_init(&message, 1024);
    sw_buffer_print(&message, "the webhook cannot be told of %s: %s", telling->key, words);
    sw_buffer_put_u8(&message, 0);
    telling->wait_ms = telling->wait_ms == 0 ? AGAIN_MS : 2 * telling->wait_ms;
    if (telling->wait_ms > AGAIN_MS_MAX)
        telling->wait_ms = AGAIN_MS_MAX;
    telling->again_ms = now_ms(controller) + telling->wait_ms;
    sw_events_record(controller->options.events,
                     &(struct sw_occurrence){.kind = sw_kind_find("Agent"),
                                             .namespace_name = telling->name_space,
                                             .name = telling->agent,
                                             .is_warning = true,
                                             .reason = "WebhookFailed",
                                             .component = "webhooks",
                                             .message = sw_buffer_check(&message) == SW_OK
                                                            ? (const char *)message.data
                                                            : words});
    sw_reconciler_add(controller->reconciler, telling->key, telling->wait_ms);
}

static void on_done(void *ctx, const char *words)
{
    struct telling *telling = ctx;

    telling->send = NULL;
    telling->controller->open--;
    telling->is_told = words == NULL;
    if (words != NULL)
        complain(telling, words);
    else
        sw_reconciler_add(telling->controller->reconciler, telling->key, 0);
}

static void put_body(struct sw_webhooks_controller *controller,
                     const struct sw_api_approval *approval, struct sw_buffer *out)
{
    bool is_open = approval->status.phase == SW_API_APPROVAL_PHASE_PENDING;
    char time[SW_TIME_TEXT_SIZE];

    sw_time_print(is_open ? approval->metadata.creation_timestamp
                          : sw_objects_utc_ns(controller->options.objects),
                  time);
    sw_buffer_print(out, "{\"type\":\"approval.%s\",\"timestamp\":\"%s\",\"data\":",
                    is_open ? "requested" : "decided", time);
    sw_json_encode(&sw_api_approval_message, approval, SW_JSON_COMPACT, out);
    sw_buffer_put_u8(out, '}');
}

static enum sw_rc send(struct telling *telling, const struct sw_api_approval *approval,
                       const struct sw_api_approval_webhook *webhook, struct sw_arena *arena,
                       struct sw_err *err)
{
    struct sw_webhooks_controller *controller = telling->controller;
    const struct sw_webhooks_controller_options *options = &controller->options;
    SW_CLEANUP(sw_buffer_done) struct sw_buffer body;
    struct sw_buffer key;
    const struct webhook_listener listener = {telling, on_done};
    struct webhook_message message = {.url = webhook->url};
    enum sw_rc rc;

    sw_buffer_init(&body, BODY_MAX);
    sw_buffer_init(&key, SW_SECRETS_VALUE_MAX);
    put_body(controller, approval, &body);
    message.id =
        sw_arena_print(arena, "%s.%s", approval->metadata.uid,
                       sw_api_enum_text(&sw_api_approval_phase_enum, (int)approval->status.phase));
    rc = message.id == NULL || sw_buffer_check(&body) != SW_OK
             ? sw_err_set(err, SW_E_EXHAUSTED, "no memory for a webhook")
             : sw_objects_open_secret(options->objects, approval->metadata.namespace,
                                      webhook->secret, arena, &key, err);
    message.key = (struct sw_bytes){key.data, key.size};
    message.body = (struct sw_bytes){body.data, body.size};
    if (rc == SW_OK)
        rc = sw_webhook_begin(webhook->private ? options->outbound : options->public,
                              options->system, &message, &listener, &telling->send, err);
    sw_secrets_buffer_done(&key);
    controller->open += rc == SW_OK;
    return rc;
}

/* --- Passes ---------------------------------------------------------------------------------- */

/* Whether the webhook may know of the question. */
static bool has_heard(const struct sw_api_approval_status *status, const struct telling *telling)
{
    return status->told == SW_API_APPROVAL_PHASE_PENDING ||
           (telling != NULL && (telling->phase != SW_API_APPROVAL_PHASE_PENDING ||
                                telling->send != NULL || telling->is_told));
}

static bool is_to_be_told(const struct sw_webhooks_controller *controller,
                          const struct sw_api_approval *approval, const struct telling *telling)
{
    const struct sw_api_approval_status *status = &approval->status;

    if (status->phase == SW_API_APPROVAL_PHASE_PENDING)
        return status->told != status->phase;
    /* The end of what it never heard of is no news. */
    return status->told != status->phase && has_heard(status, telling) &&
           status->decided_at + TELL_NS_MAX > sw_objects_utc_ns(controller->options.objects);
}

/* As the store has it; NULL: it is gone. */
static void *read_object(struct sw_webhooks_controller *controller, const char *kind,
                         const char *name_space, const char *name, struct sw_arena *arena)
{
    const struct sw_object_ref ref = {sw_kind_find(kind), name_space, name};
    void *object = NULL;

    return sw_objects_get(controller->options.objects, &ref, arena, &object, NULL) == SW_OK ? object
                                                                                            : NULL;
}

static struct sw_api_approval *read_approval(struct sw_webhooks_controller *controller,
                                             const char *key, struct sw_arena *arena)
{
    const struct sw_store_item *item =
        sw_store_find(sw_objects_store(controller->options.objects), key);
    void *object = NULL;

    return item != NULL &&
                   sw_object_of_item(sw_kind_find("Approval"), item, arena, &object, NULL) == SW_OK
               ? object
               : NULL;
}

static enum sw_rc reconcile(void *ctx, struct sw_pass *pass, struct sw_err *err)
{
    struct sw_webhooks_controller *controller = ctx;
    struct sw_api_approval *approval = read_approval(controller, pass->key, pass->arena);
    struct telling *telling = find(controller, pass->key);
    const struct sw_api_agent *agent =
        approval == NULL || !is_to_be_told(controller, approval, telling)
            ? NULL
            : read_object(controller, "Agent", approval->metadata.namespace, approval->spec.agent,
                          pass->arena);
    struct sw_err why = {0};

    if (agent == NULL || agent->spec.approvals.webhook.url[0] == '\0') {
        if (telling != NULL)
            telling_free(telling);
        return SW_OK;
    }
    telling = telling_of(controller, pass->key, approval);
    if (telling == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a webhook");
    if (telling->is_told) { /* When that stands in the store, the telling goes. */
        /* It moves as the phase does: an end is written behind the question. */
        approval->status.told = approval->status.told == SW_API_APPROVAL_PHASE_PENDING
                                    ? telling->phase
                                    : SW_API_APPROVAL_PHASE_PENDING;
        return sw_plan_update_status(pass->plan, sw_kind_find("Approval"), approval, err);
    }
    if (telling->send != NULL)
        return SW_OK;
    if (now_ms(controller) < telling->again_ms) {
        pass->again_ms = telling->again_ms - now_ms(controller);
        return SW_OK;
    }
    if (controller->open >= SW_WEBHOOKS_MAX) {
        pass->again_ms = FULL_MS;
        return SW_OK;
    }
    if (send(telling, approval, &agent->spec.approvals.webhook, pass->arena, &why) != SW_OK)
        complain(telling, why.message);
    return SW_OK;
}

static void on_change(void *ctx, const struct sw_informer_change *change)
{
    struct sw_webhooks_controller *controller = ctx;

    sw_reconciler_add(controller->reconciler,
                      change->now != NULL ? change->now->key : change->before->key, 0);
}

/* --- Life ------------------------------------------------------------------------------------ */

enum sw_rc sw_webhooks_controller_new(const struct sw_webhooks_controller_options *options,
                                      struct sw_webhooks_controller **ret_controller,
                                      struct sw_err *err)
{
    SW_CLEANUP(sw_webhooks_controller_freep)
    struct sw_webhooks_controller *made = calloc(1, sizeof *made);
    const struct sw_informer_handler handler = {.ctx = made, .on_change = on_change};
    const struct sw_reconciler_options frame = {.name = "webhook",
                                                .loop = options->loop,
                                                .system = options->system,
                                                .logger = options->logger,
                                                .objects = options->objects,
                                                .ctx = made,
                                                .reconcile = reconcile};
    uint64_t seed;
    enum sw_rc rc;

    if (made == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the controller of webhooks");
    made->options = *options;
    sw_list_init(&made->all);
    options->system->random(options->system->ctx, &seed, sizeof seed);
    made->tellings = sw_map_new_of(seed, key_of);
    rc = made->tellings == NULL ? sw_err_set(err, SW_E_EXHAUSTED, "no memory for webhooks")
                                : sw_reconciler_new(&frame, &made->reconciler, err);
    if (rc == SW_OK)
        rc = sw_informer_new(options->objects, sw_kind_find("Approval"), &handler, &made->approvals,
                             err);
    if (rc == SW_OK)
        *ret_controller = SW_TAKE(made);
    return rc;
}

void sw_webhooks_controller_free(struct sw_webhooks_controller *controller)
{
    if (controller == NULL)
        return;
    sw_informer_free(controller->approvals);
    sw_reconciler_free(controller->reconciler);
    if (controller->tellings != NULL)
        SW_LIST_EACH(&controller->all, node)
    telling_free(SW_LIST_ITEM(node, struct telling, node));
    sw_map_free(controller->tellings);
    free(controller);
}
