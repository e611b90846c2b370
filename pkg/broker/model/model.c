#include "pkg/broker/model/model.h"

#include "pkg/broker/model/state.h"

#include <stdlib.h>
#include <string.h>

#define NS_PER_MS 1000000u

uint64_t sw_model_now_ms(const struct sw_models *models)
{
    return models->options.system->monotonic_ns(models->options.system->ctx) / NS_PER_MS;
}

static void on_due(void *ctx);

enum sw_rc sw_models_new(const struct sw_models_options *options, struct sw_models **ret_models,
                         struct sw_err *err)
{
    SW_CLEANUP(sw_models_freep) struct sw_models *models = calloc(1, sizeof *models);
    uint64_t seed;

    if (models == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the gateway to models");
    models->options = *options;
    if (options->calls_max == 0 || options->calls_max > SW_MODEL_CALLS_MAX)
        models->options.calls_max = SW_MODEL_CALLS_STANDARD;
    if (options->asking_max == 0)
        models->options.asking_max = SW_MODEL_ASKING_STANDARD;
    if (options->bytes_max == 0)
        models->options.bytes_max = SW_MODEL_BYTES_STANDARD;
    models->armed_ms = UINT64_MAX;
    sw_list_init(&models->calls);
    sw_list_init(&models->poor);
    sw_list_init(&models->telling);
    sw_list_init(&models->held_up);
    sw_heap_init(&models->due);
    options->system->random(options->system->ctx, &seed, sizeof seed);
    models->providers = sw_map_new(seed);
    models->timer = sw_timer_new(options->loop, on_due, models);
    models->tell_timer = sw_timer_new(options->loop, sw_models_tell, models);
    models->poor_timer = sw_timer_new(options->loop, sw_models_serve_poor, models);
    if (models->providers == NULL || models->timer == NULL || models->tell_timer == NULL ||
        models->poor_timer == NULL ||
        sw_model_room_init(&models->room, seed, models->options.calls_max,
                           models->options.bytes_max) != SW_OK)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the gateway to models");
    *ret_models = SW_TAKE(models);
    return SW_OK;
}

static void provider_remove(struct provider *provider)
{
    provider->is_removed = true;
    sw_model_provider_put(provider);
}

void sw_models_free(struct sw_models *models)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    if (models == NULL)
        return;
    SW_LIST_EACH(&models->calls, node)
    sw_model_cancel(SW_LIST_ITEM(node, struct sw_model_call, node));
    while (models->providers != NULL && sw_map_next(models->providers, &cursor, &entry))
        provider_remove(entry.value);
    sw_map_free(models->providers);
    sw_model_room_done(&models->room);
    sw_heap_done(&models->due);
    sw_timer_free(models->timer);
    sw_timer_free(models->tell_timer);
    sw_timer_free(models->poor_timer);
    free(models);
}

/* --- Time ------------------------------------------------------------------------------------ */

static void arm(struct sw_models *models)
{
    const struct sw_heap_entry *first = sw_heap_first(&models->due);
    uint64_t now = sw_model_now_ms(models);

    if (first == NULL || first->rank >= models->armed_ms)
        return;
    models->armed_ms = first->rank;
    sw_timer_start(models->timer, first->rank > now ? first->rank - now : 0);
}

bool sw_model_due_at(struct sw_model_call *call, uint64_t at_ms)
{
    if (sw_heap_put(&call->models->due, &call->entry, at_ms) != SW_OK)
        return false;
    arm(call->models);
    return true;
}

/* A call has rested, or has waited for too long. */
static void call_due(struct sw_model_call *call)
{
    struct sw_err err = {0};
    const struct sw_model_provider *spec = &call->routes[call->at].spec->value;

    if (call->state == CALL_RESTING || call->state == CALL_BUDGET) {
        if (sw_model_attempt(call, &err) != SW_OK)
            sw_model_fail_with(call, &err);
        return;
    }
    if (call->state != CALL_WAITING)
        return;
    (void)sw_err_set(&err, SW_E_TIMEOUT,
                     "provider %s had no room for this call in %llu s: %u are under way",
                     spec->name, (unsigned long long)(spec->timeout_ms / 1000),
                     call->routes[call->at].provider->in_flight);
    sw_err_hint(&err, "ask less at once, or raise spec.limits of its ModelProvider");
    sw_model_settle(call, false, NULL);
    sw_model_fail_with(call, &err);
}

static void on_due(void *ctx)
{
    struct sw_models *models = ctx;
    uint64_t now = sw_model_now_ms(models);
    struct sw_heap_entry *first;

    models->armed_ms = UINT64_MAX;
    while ((first = sw_heap_first(&models->due)) != NULL && first->rank <= now) {
        sw_heap_remove(&models->due, first);
        call_due((struct sw_model_call *)(void *)first);
    }
    arm(models);
}

/* --- Providers ------------------------------------------------------------------------------- */

void sw_model_spec_put(struct model_spec *spec)
{
    if (spec == NULL || --spec->refs > 0)
        return;
    if (spec->value.key.size > 0)
        explicit_bzero((void *)(uintptr_t)spec->value.key.data, spec->value.key.size);
    sw_arena_free(spec->arena);
    free(spec);
}

void sw_model_provider_put(struct provider *provider)
{
    if (--provider->refs > 0)
        return;
    sw_list_remove(&provider->held_up);
    sw_model_spec_put(provider->spec);
    sw_model_queue_done(&provider->queue);
    sw_model_cache_free(provider->cache);
    sw_timer_free(provider->timer);
    free(provider);
}

static const char *copy_text(struct sw_arena *arena, const char *text, bool *failed)
{
    char *copy = sw_arena_copy(arena, text, strlen(text));

    *failed = *failed || copy == NULL;
    return copy;
}

static void copy_models(struct sw_arena *arena, struct sw_model_provider *value, bool *failed)
{
    struct sw_model *models = sw_arena_array(arena, value->models_count, sizeof *models);

    *failed = *failed || models == NULL;
    for (size_t i = 0; models != NULL && i < value->models_count; i++) {
        models[i] = value->models[i];
        models[i].name = copy_text(arena, value->models[i].name, failed);
        models[i].upstream = copy_text(arena, value->models[i].upstream, failed);
    }
    value->models = models;
}

static void copy_namespaces(struct sw_arena *arena, struct sw_model_provider *value, bool *failed)
{
    const char **names = sw_arena_array(arena, value->namespaces_count, sizeof *names);

    *failed = *failed || names == NULL;
    for (size_t i = 0; names != NULL && i < value->namespaces_count; i++)
        names[i] = copy_text(arena, value->namespaces[i], failed);
    value->namespaces = names;
}

#define SPEC_BYTES_MAX ((size_t)1 << 20)

static struct model_spec *spec_new(const struct sw_model_provider *provider)
{
    struct model_spec *spec = calloc(1, sizeof *spec);
    bool failed = false;

    if (spec == NULL)
        return NULL;
    spec->refs = 1;
    spec->value = *provider;
    spec->value.key.size = 0; /* Not ours yet. */
    spec->arena = sw_arena_new(SPEC_BYTES_MAX);
    if (spec->arena != NULL) {
        const char *key = sw_arena_copy(spec->arena, provider->key.data, provider->key.size);

        spec->value.name = copy_text(spec->arena, provider->name, &failed);
        spec->value.base_url = copy_text(spec->arena, provider->base_url, &failed);
        copy_models(spec->arena, &spec->value, &failed);
        copy_namespaces(spec->arena, &spec->value, &failed);
        if (key != NULL)
            spec->value.key = (struct sw_bytes){key, provider->key.size};
        failed = failed || key == NULL;
    }
    if (spec->arena == NULL || failed) {
        sw_model_spec_put(spec);
        return NULL;
    }
    return spec;
}

static void on_provider_timer(void *ctx)
{
    sw_model_provider_pump(ctx);
}

static struct provider *provider_new(struct sw_models *models, const char *name)
{
    struct provider *provider = calloc(1, sizeof *provider);
    uint64_t seed;

    if (provider == NULL)
        return NULL;
    models->options.system->random(models->options.system->ctx, &seed, sizeof seed);
    provider->models = models;
    provider->refs = 1;
    sw_list_init(&provider->held_up);
    provider->refilled_ms = sw_model_now_ms(models);
    provider->timer = sw_timer_new(models->options.loop, on_provider_timer, provider);
    if (provider->timer == NULL || sw_model_queue_init(&provider->queue, seed) != SW_OK ||
        sw_map_put(models->providers, name, strlen(name), provider, NULL) != SW_OK) {
        sw_model_provider_put(provider);
        return NULL;
    }
    return provider;
}

enum sw_rc sw_models_put(struct sw_models *models, const struct sw_model_provider *value,
                         struct sw_err *err)
{
    struct provider *provider = sw_map_find(models->providers, value->name, strlen(value->name));
    struct model_spec *spec;

    if (provider == NULL && sw_map_count(models->providers) >= SW_MODEL_PROVIDERS_MAX)
        return sw_err_set(err, SW_E_EXHAUSTED, "there are %u providers of models already",
                          SW_MODEL_PROVIDERS_MAX);
    spec = spec_new(value);
    if (spec != NULL && provider == NULL)
        provider = provider_new(models, value->name);
    if (spec == NULL || provider == NULL) {
        sw_model_spec_put(spec);
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for provider %.63s", value->name);
    }
    sw_model_spec_put(provider->spec);
    provider->spec = spec;
    provider->cooling_until_ms = provider->held_until_ms = 0; /* It may be mended. */
    provider->requests_rate.per_minute = spec->value.requests_per_minute;
    provider->tokens_rate.per_minute = spec->value.tokens_per_minute;
    if (provider->cache != NULL)
        sw_model_cache_set(provider->cache,
                           spec->value.cache_ttl_ms == 0 ? 0 : spec->value.cache_bytes);
    sw_model_provider_pump(provider);
    return SW_OK;
}

void sw_models_remove(struct sw_models *models, const char *name)
{
    struct provider *provider = sw_map_remove(models->providers, name, strlen(name));

    if (provider != NULL)
        provider_remove(provider);
}

/* Whether a provider that comes before this one in the map has a model of that name. */
static bool is_listed(const struct sw_models *models, const char *name_space, size_t before,
                      const char *name)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    while (sw_map_next(models->providers, &cursor, &entry) && cursor < before) {
        const struct sw_model_provider *spec = &((struct provider *)entry.value)->spec->value;

        for (size_t i = 0; i < spec->models_count; i++)
            if (strcmp(spec->models[i].name, name) == 0 && sw_model_may_use(spec, name_space))
                return true;
    }
    return false;
}

void sw_models_list(const struct sw_models *models, const char *name_space, sw_model_visit *visit,
                    void *ctx)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    while (sw_map_next(models->providers, &cursor, &entry)) {
        const struct sw_model_provider *spec = &((struct provider *)entry.value)->spec->value;

        for (size_t i = 0; i < spec->models_count; i++)
            if (sw_model_may_use(spec, name_space) &&
                !is_listed(models, name_space, cursor, spec->models[i].name))
                visit(ctx, spec, &spec->models[i]);
    }
}

void sw_models_each(const struct sw_models *models, sw_model_provider_visit *visit, void *ctx)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    while (sw_map_next(models->providers, &cursor, &entry)) {
        const struct provider *provider = entry.value;

        visit(ctx, &(struct sw_model_provider_view){.name = provider->spec->value.name,
                                                    .in_flight = provider->in_flight,
                                                    .waiting = provider->queue.count,
                                                    .requests = provider->requests,
                                                    .failures = provider->failures,
                                                    .retries = provider->retries,
                                                    .cached = provider->cached,
                                                    .latency_us = provider->latency_us,
                                                    .input_tokens = provider->input_tokens,
                                                    .output_tokens = provider->output_tokens,
                                                    .cost_nano = provider->cost_nano,
                                                    .is_failing = provider->is_failing,
                                                    .lacks_key = provider->spec->value.lacks_key,
                                                    .last_error = provider->last_error});
    }
}
