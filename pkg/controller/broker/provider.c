#include "pkg/controller/broker/state.h"

#include "pkg/broker/catalog/catalog.h"

#include <stdio.h>
#include <string.h>

#define MODELS_MAX 64u
#define SECRET_BYTES_MAX 65536u

/* --- From the object to the broker ----------------------------------------------------------- */

static uint32_t abilities_of(unsigned abilities)
{
    static const struct {
        unsigned ability;
        uint32_t need;
    } pairs[] = {{SW_MODEL_TOOLS, SW_WIRE_NEED_TOOLS},
                 {SW_MODEL_JSON_SCHEMA, SW_WIRE_NEED_JSON_SCHEMA},
                 {SW_MODEL_IMAGES, SW_WIRE_NEED_IMAGES | SW_WIRE_NEED_FILES},
                 {SW_MODEL_AUDIO, SW_WIRE_NEED_AUDIO},
                 {SW_MODEL_REASONING, SW_WIRE_NEED_REASONING},
                 {SW_MODEL_EMBEDDINGS, SW_WIRE_NEED_EMBEDDINGS}};
    uint32_t needs = 0;

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if ((abilities & pairs[i].ability) != 0)
            needs |= pairs[i].need;
    return needs;
}

static unsigned protocols_of(unsigned apis)
{
    static const struct {
        unsigned api;
        enum sw_wire_protocol protocol;
    } pairs[] = {{SW_PROVIDER_CHAT, SW_WIRE_CHAT},
                 {SW_PROVIDER_RESPONSES, SW_WIRE_RESPONSES},
                 {SW_PROVIDER_EMBEDDINGS, SW_WIRE_EMBEDDINGS},
                 {SW_PROVIDER_MESSAGES, SW_WIRE_MESSAGES}};
    unsigned protocols = 0;

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if ((apis & pairs[i].api) != 0)
            protocols |= 1u << pairs[i].protocol;
    return protocols;
}

/* The sealed text of the provider's key, in the arena.  SW_E_NOT_FOUND: it is not there. */
static enum sw_rc find_key(struct sw_broker_controller *controller,
                           const struct sw_catalog_key *reference, struct sw_arena *arena,
                           const char **ret_text, struct sw_err *err)
{
    const struct sw_kind *kind = sw_kind_find("Secret");
    char key[SW_OBJECT_KEY_MAX];
    const struct sw_store_item *item;
    void *object = NULL;

    sw_object_key(kind, reference->namespace_name, reference->secret, key);
    item = sw_informer_find(controller->secrets, key);
    if (item == NULL)
        return sw_err_set(err, SW_E_NOT_FOUND, "there is no Secret %s/%s",
                          reference->namespace_name, reference->secret);
    if (sw_object_of_item(kind, item, arena, &object, err) != SW_OK)
        return sw_err_set(err, SW_E_EXHAUSTED, "the Secret %s/%s cannot be read",
                          reference->namespace_name, reference->secret);
    const struct sw_api_secret *secret = object;
    *ret_text = sw_api_pair_find(secret->spec.data, secret->spec.data_count, reference->key);
    if (*ret_text == NULL)
        return sw_err_set(err, SW_E_NOT_FOUND, "the Secret %s/%s has no value %s",
                          reference->namespace_name, reference->secret, reference->key);
    return SW_OK;
}

static enum sw_rc open_key(struct sw_broker_controller *controller,
                           const struct sw_catalog_key *reference, struct sw_arena *arena,
                           struct sw_buffer *out)
{
    const struct sw_secret_place place = {.namespace_name = reference->namespace_name,
                                          .name = reference->secret,
                                          .key = reference->key};
    const char *text = NULL;
    enum sw_rc rc = find_key(controller, reference, arena, &text, NULL);

    return rc == SW_OK ? sw_secrets_open(controller->options.ring, &place, text, out, NULL) : rc;
}

static void bring(struct sw_broker_controller *controller, const struct sw_catalog_provider *read,
                  struct sw_arena *arena)
{
    struct sw_model models[MODELS_MAX];
    struct sw_model_provider provider = {.name = read->name,
                                         .base_url = read->base_url,
                                         .protocols = protocols_of(read->apis),
                                         .priority = read->priority,
                                         .concurrency = read->concurrency,
                                         .requests_per_minute = read->requests_per_minute,
                                         .tokens_per_minute = read->tokens_per_minute,
                                         .timeout_ms = read->timeout_ms,
                                         .silence_ms = read->first_byte_timeout_ms,
                                         .retries = read->retries,
                                         .backoff_ms = read->backoff_ms,
                                         .backoff_max_ms = read->max_backoff_ms,
                                         .cache_ttl_ms = read->has_cache ? read->cache_ttl_ms : 0,
                                         .cache_bytes = read->cache_bytes,
                                         .models = models,
                                         .namespaces = read->namespaces,
                                         .namespaces_count = read->namespaces_count};
    struct sw_buffer key;
    struct sw_err err = {0};

    for (; provider.models_count < read->models_count && provider.models_count < MODELS_MAX;
         provider.models_count++) {
        const struct sw_catalog_model *model = &read->models[provider.models_count];

        models[provider.models_count] =
            (struct sw_model){.name = model->name,
                              .upstream = model->upstream,
                              .abilities = abilities_of(model->abilities),
                              .context_tokens = model->context_tokens,
                              .output_tokens_max = model->max_output_tokens,
                              .price = {.input = model->price.input,
                                        .cached = model->price.cached_input,
                                        .output = model->price.output}};
    }
    sw_buffer_init(&key, SECRET_BYTES_MAX);
    provider.lacks_key = read->has_key && open_key(controller, &read->key, arena, &key) != SW_OK;
    if (!provider.lacks_key)
        provider.key = (struct sw_bytes){key.data, key.size};
    if (sw_models_put(controller->options.models, &provider, &err) != SW_OK)
        sw_broker_controller_on_event(controller, provider.name, true, "ProviderRefused",
                                      err.message);
    sw_secrets_buffer_done(&key);
}

void sw_broker_provider_bring(struct sw_broker_controller *controller,
                              const struct sw_store_item *item)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(SW_OBJECT_ARENA_MAX);
    struct sw_catalog_provider read;
    void *object = NULL;

    if (arena != NULL &&
        sw_object_of_item(sw_kind_find("ModelProvider"), item, arena, &object, NULL) == SW_OK &&
        sw_catalog_read_provider(object, arena, &read, NULL) == SW_OK)
        bring(controller, &read, arena);
}

void sw_broker_provider_take_away(struct sw_broker_controller *controller, const char *key)
{
    const char *name = strrchr(key, '/');

    sw_models_remove(controller->options.models, name == NULL ? key : name + 1);
}

bool sw_broker_provider_uses(struct sw_broker_controller *controller,
                             const struct sw_store_item *item, const char *secret_key)
{
    char key[SW_OBJECT_KEY_MAX];
    void *object = NULL;

    sw_arena_reset(controller->scratch);
    if (sw_object_of_item(sw_kind_find("ModelProvider"), item, controller->scratch, &object,
                          NULL) != SW_OK)
        return false;
    const struct sw_api_model_provider *provider = object;
    if (provider->spec.api_key.secret[0] == '\0')
        return false;
    sw_object_key(sw_kind_find("Secret"), provider->spec.api_key.namespace,
                  provider->spec.api_key.secret, key);
    return strcmp(key, secret_key) == 0;
}

/* --- And back -------------------------------------------------------------------------------- */

struct search {
    const char *name;
    struct sw_model_provider_view view;
    char last_error[256];
};

static void look_at(void *ctx, const struct sw_model_provider_view *view)
{
    struct search *search = ctx;

    if (strcmp(view->name, search->name) != 0)
        return;
    search->view = *view;
    (void)snprintf(search->last_error, sizeof search->last_error, "%s", view->last_error);
}

static enum sw_api_model_provider_phase phase_of(const struct search *search, bool lacks_key)
{
    if (lacks_key)
        return SW_API_MODEL_PROVIDER_PHASE_FAILED;
    if (search->view.is_failing)
        return SW_API_MODEL_PROVIDER_PHASE_DEGRADED;
    return search->view.requests == 0 ? SW_API_MODEL_PROVIDER_PHASE_PENDING
                                      : SW_API_MODEL_PROVIDER_PHASE_READY;
}

static enum sw_rc say(struct sw_api_model_provider *provider, const struct search *search,
                      const char *missing, struct sw_pass *pass, uint64_t utc_ns)
{
    struct sw_api_model_provider_status *status = &provider->status;
    bool is_ready = missing[0] == '\0' && !search->view.is_failing;
    const char *words = missing[0] != '\0' ? missing : search->last_error;
    struct sw_api_condition condition = {
        .type = "Ready",
        .status = is_ready ? SW_API_CONDITION_STATUS_TRUE : SW_API_CONDITION_STATUS_FALSE,
        .reason = missing[0] != '\0'        ? "KeyMissing"
                  : search->view.is_failing ? "CallsFail"
                                            : "ProviderWell",
        .message = sw_arena_copy(pass->arena, words, is_ready ? 0 : strlen(words)),
        .last_transition_time = utc_ns,
        .observed_generation = provider->metadata.generation};

    status->phase = phase_of(search, missing[0] != '\0');
    if (search->last_error[0] != '\0' && strcmp(status->last_error, search->last_error) != 0) {
        status->last_error =
            sw_arena_copy(pass->arena, search->last_error, strlen(search->last_error));
        status->last_error_time = utc_ns;
    }
    status->in_flight = search->view.in_flight;
    status->requests = search->view.requests;
    status->failures = search->view.failures;
    status->observed_generation = provider->metadata.generation;
    if (condition.message == NULL || status->last_error == NULL)
        return SW_E_EXHAUSTED;
    return sw_condition_put(&status->conditions, &status->conditions_count, &condition,
                            pass->arena);
}

enum sw_rc sw_broker_provider_reconcile(void *ctx, struct sw_pass *pass, struct sw_err *err)
{
    struct sw_broker_controller *controller = ctx;
    const struct sw_kind *kind = sw_kind_find("ModelProvider");
    const struct sw_system *system = controller->options.system;
    const struct sw_store_item *item =
        sw_store_find(sw_objects_store(controller->options.objects), pass->key);
    struct search search = {0};
    struct sw_err missing = {0};
    struct sw_catalog_provider read;
    const char *text = NULL;
    void *object = NULL;

    if (item == NULL)
        return SW_OK;
    enum sw_rc rc = sw_object_of_item(kind, item, pass->arena, &object, err);
    if (rc != SW_OK)
        return rc;
    struct sw_api_model_provider *provider = object;
    search.name = provider->metadata.name;
    sw_models_each(controller->options.models, look_at, &search);
    if (sw_catalog_read_provider(object, pass->arena, &read, &missing) == SW_OK && read.has_key &&
        find_key(controller, &read.key, pass->arena, &text, &missing) == SW_OK &&
        search.view.lacks_key)
        (void)sw_err_set(
            &missing, SW_E_NOT_FOUND,
            "the value %s of the Secret %s/%s opens with none of the keys that are here",
            read.key.key, read.key.namespace_name, read.key.secret);
    if (say(provider, &search, missing.message, pass, system->utc_ns(system->ctx)) != SW_OK)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the status of a provider");
    pass->again_ms = SW_BROKER_STATUS_MS;
    return sw_plan_update_status(pass->plan, kind, provider, err);
}
