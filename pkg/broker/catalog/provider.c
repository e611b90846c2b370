#include "pkg/broker/catalog/catalog.h"

#include <string.h>

#include "pkg/apis/swarm/v1/validate.h"
#include "pkg/broker/catalog/read.h"

static enum sw_rc arena_full(struct sw_err *err)
{
    return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a ModelProvider");
}

static unsigned apis_of(const struct sw_api_model_provider_spec *spec)
{
    unsigned apis = 0;

    if (spec->protocol == SW_API_MODEL_PROTOCOL_ANTHROPIC)
        return SW_PROVIDER_MESSAGES;
    for (size_t i = 0; i < spec->apis_count; i++)
        apis |= 1u << ((unsigned)spec->apis[i] - SW_API_MODEL_API_CHAT);
    return apis == 0 ? SW_PROVIDER_CHAT : apis;
}

static unsigned abilities_of(const struct sw_api_provided_model *model)
{
    unsigned abilities = 0;

    for (size_t i = 0; i < model->capabilities_count; i++)
        abilities |= 1u << ((unsigned)model->capabilities[i] - SW_API_MODEL_CAPABILITY_CHAT);
    return abilities == 0 ? SW_MODEL_CHAT : abilities;
}

static enum sw_rc read_price(const struct sw_api_model_price *price,
                             struct sw_catalog_price *ret_price, struct sw_err *err)
{
    enum sw_rc rc = sw_catalog_money(price->input_per_million, 0, &ret_price->input, err);

    if (rc == SW_OK)
        rc = sw_catalog_money(price->output_per_million, 0, &ret_price->output, err);
    if (rc == SW_OK)
        rc = sw_catalog_money(price->cached_input_per_million, ret_price->input,
                              &ret_price->cached_input, err);
    return rc;
}

static enum sw_rc read_models(const struct sw_api_model_provider_spec *spec, struct sw_arena *arena,
                              struct sw_catalog_provider *provider, struct sw_err *err)
{
    struct sw_catalog_model *models = sw_arena_array(arena, spec->models_count, sizeof *models);
    enum sw_rc rc = SW_OK;

    if (models == NULL && spec->models_count > 0)
        return arena_full(err);
    for (size_t i = 0; i < spec->models_count && rc == SW_OK; i++) {
        const struct sw_api_provided_model *model = &spec->models[i];
        const char *upstream = sw_catalog_text(model->upstream);

        models[i] = (struct sw_catalog_model){
            .name = sw_catalog_text(model->name),
            .upstream = upstream[0] == '\0' ? sw_catalog_text(model->name) : upstream,
            .abilities = abilities_of(model),
            .context_tokens = model->context_tokens,
            .max_output_tokens = model->max_output_tokens};
        rc = read_price(&model->price, &models[i].price, err);
    }
    provider->models = models;
    provider->models_count = spec->models_count;
    return rc;
}

static enum sw_rc read_times(const struct sw_api_model_provider_spec *spec,
                             struct sw_catalog_provider *provider, struct sw_err *err)
{
    const struct {
        const char *text;
        uint64_t *ret_ms;
    } times[] = {{spec->timeout, &provider->timeout_ms},
                 {spec->first_byte_timeout, &provider->first_byte_timeout_ms},
                 {spec->retries.backoff, &provider->backoff_ms},
                 {spec->retries.max_backoff, &provider->max_backoff_ms},
                 {spec->cache.ttl, &provider->cache_ttl_ms}};
    enum sw_rc rc = SW_OK;

    for (size_t i = 0; i < sizeof times / sizeof times[0] && rc == SW_OK; i++)
        rc = sw_catalog_ms(times[i].text, times[i].ret_ms, err);
    return rc == SW_OK ? sw_catalog_size(spec->cache.size, &provider->cache_bytes, err) : rc;
}

/* The URL without '/' at its end, in the arena. */
static const char *url_of(const char *url, struct sw_arena *arena)
{
    size_t size = strlen(url);

    while (size > 0 && url[size - 1] == '/')
        size--;
    return sw_arena_copy(arena, url, size);
}

enum sw_rc sw_catalog_read_provider(const struct sw_api_model_provider *object,
                                    struct sw_arena *arena,
                                    struct sw_catalog_provider *ret_provider, struct sw_err *err)
{
    const struct sw_api_model_provider_spec *spec = &object->spec;
    struct sw_catalog_provider provider = {
        .name = sw_catalog_text(object->metadata.name),
        .base_url = url_of(sw_catalog_text(spec->base_url), arena),
        .apis = apis_of(spec),
        .key = {sw_catalog_text(spec->api_key.namespace), sw_catalog_text(spec->api_key.secret),
                sw_catalog_text(spec->api_key.key)},
        .concurrency = spec->limits.concurrency,
        .requests_per_minute = spec->limits.requests_per_minute,
        .tokens_per_minute = spec->limits.tokens_per_minute,
        .retries = spec->retries.attempts,
        .has_cache = spec->cache.enabled,
        .priority = spec->priority,
        .namespaces = spec->namespaces,
        .namespaces_count = spec->namespaces_count};
    enum sw_rc rc;

    if (provider.base_url == NULL)
        return arena_full(err);
    provider.has_key = provider.key.secret[0] != '\0';
    rc = read_models(spec, arena, &provider, err);
    if (rc == SW_OK)
        rc = read_times(spec, &provider, err);
    if (rc == SW_OK)
        *ret_provider = provider;
    else
        sw_err_context(err, "ModelProvider \"%s\"", provider.name);
    return rc;
}
