#include "pkg/broker/model/route.h"

#include "pkg/broker/model/price.h"
#include "pkg/utils/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 32u /* In an error. */

enum wish { WISH_FIRST, WISH_CHEAPEST, WISH_QUICKEST };

struct search { /* What is known of a request while its options are looked at. */
    const char *name_space;
    const struct sw_wire_view *view;
    bool is_any;
    enum wish wish;
    bool has_name;  /* There is a model of that name. */
    uint32_t lacks; /* What those of that name cannot do. */
    const char *names[NAMES_MAX];
    size_t names_count;
};

bool sw_model_may_use(const struct sw_model_provider *spec, const char *name_space)
{
    for (size_t i = 0; i < spec->namespaces_count; i++)
        if (strcmp(spec->namespaces[i], name_space) == 0)
            return true;
    return spec->namespaces_count == 0;
}

/* "NAME", or "PROVIDER/NAME". */
static bool is_named(const struct sw_model_provider *spec, const struct sw_model *model,
                     const char *name)
{
    size_t size = strlen(spec->name);

    return strcmp(model->name, name) == 0 ||
           (strncmp(spec->name, name, size) == 0 && name[size] == '/' &&
            strcmp(model->name, name + size + 1) == 0);
}

/* The client's own protocol, or one that it can be translated into. */
static bool pick_protocol(const struct sw_model_provider *spec, enum sw_wire_protocol client,
                          enum sw_wire_protocol *ret_protocol)
{
    static const enum sw_wire_protocol order[] = {SW_WIRE_CHAT, SW_WIRE_MESSAGES,
                                                  SW_WIRE_RESPONSES};

    *ret_protocol = client;
    if ((spec->protocols & 1u << client) != 0)
        return true;
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        *ret_protocol = order[i];
        if ((spec->protocols & 1u << order[i]) != 0 && sw_wire_is_translatable(client, order[i]))
            return true;
    }
    return false;
}

static void look_at(struct search *search, const struct model_option *option,
                    const struct sw_model *model, struct model_ways *ways)
{
    const struct sw_wire_view *view = search->view;
    struct model_route route = {.option = option, .model = model};
    struct model_worst worst;

    if (search->names_count < NAMES_MAX)
        search->names[search->names_count++] = model->name;
    if (!search->is_any && !is_named(option->spec, model, view->model))
        return;
    search->has_name = true;
    if ((view->needs & ~model->abilities) != 0 ||
        ((model->abilities & SW_WIRE_NEED_EMBEDDINGS) != 0 &&
         view->protocol != SW_WIRE_EMBEDDINGS)) {
        search->lacks |= view->needs & ~model->abilities;
        return;
    }
    if (!pick_protocol(option->spec, view->protocol, &route.protocol))
        return;
    sw_model_worst_case(view, model, &worst);
    route.estimate_nano = worst.amount.money_nano;
    if (ways->count < MODEL_ROUTES_MAX)
        ways->routes[ways->count++] = route;
}

#define ORDER(one, other)                                                                          \
    do {                                                                                           \
        if ((one) != (other))                                                                      \
            return (one) < (other) ? -1 : 1;                                                       \
    } while (0)

static int compare(const struct model_route *one, const struct model_route *other, enum wish wish)
{
    ORDER(one->option->is_cooling, other->option->is_cooling);
    if (wish == WISH_CHEAPEST)
        ORDER(one->estimate_nano, other->estimate_nano);
    if (wish == WISH_QUICKEST) /* Who was never asked is asked once. */
        ORDER(one->option->latency_us, other->option->latency_us);
    ORDER(one->option->spec->priority, other->option->spec->priority);
    ORDER(one->estimate_nano, other->estimate_nano);
    ORDER(one->option->latency_us, other->option->latency_us);
    return strcmp(one->option->spec->name, other->option->spec->name);
}

static void sort(struct model_route *routes, size_t count, enum wish wish)
{
    for (size_t i = 1; i < count; i++) {
        struct model_route route = routes[i];
        size_t at = i;

        for (; at > 0 && compare(&route, &routes[at - 1], wish) < 0; at--)
            routes[at] = routes[at - 1];
        routes[at] = route;
    }
}

static enum sw_rc not_found(const struct search *search, struct sw_err *err)
{
    const char *nearest = sw_text_nearest(search->view->model, search->names, search->names_count);

    (void)sw_err_set(err, SW_E_NOT_FOUND, "there is no model %.200s for namespace %s",
                     search->view->model, search->name_space);
    if (nearest != NULL)
        sw_err_hint(err, "did you mean %s?", nearest);
    else if (search->names_count == 0)
        sw_err_hint(err, "no provider has one: an operator applies a ModelProvider");
    else
        sw_err_hint(err, "there is: %s ...; see: swarm get modelproviders", search->names[0]);
    return SW_E_NOT_FOUND;
}

static enum sw_rc unable(const struct search *search, struct sw_err *err)
{
    static const char *const words[] = {"tools", "jsonSchema", "images",    "audio",
                                        "files", "reasoning",  "embeddings"};
    char lacks[128] = "";

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if ((search->lacks & 1u << i) == 0)
            continue;
        (void)snprintf(lacks + strlen(lacks), sizeof lacks - strlen(lacks), "%s%s",
                       lacks[0] == '\0' ? "" : ", ", words[i]);
    }
    (void)sw_err_set(err, SW_E_UNSUPPORTED, "no provider of model %.200s takes %s%s",
                     search->view->model,
                     lacks[0] == '\0' ? "requests of the protocol " : "what this needs: ",
                     lacks[0] == '\0' ? sw_wire_protocol_name(search->view->protocol) : lacks);
    sw_err_hint(err, "another model may, or its ModelProvider does not say all that it can do");
    return SW_E_UNSUPPORTED;
}

enum sw_rc sw_model_route(const struct model_option *options, size_t count, const char *name_space,
                          const struct sw_wire_view *view, struct model_ways *ret_ways,
                          struct sw_err *err)
{
    struct search search = {.name_space = name_space, .view = view};

    search.wish = strcmp(view->model, SW_MODEL_CHEAPEST) == 0   ? WISH_CHEAPEST
                  : strcmp(view->model, SW_MODEL_QUICKEST) == 0 ? WISH_QUICKEST
                                                                : WISH_FIRST;
    search.is_any = search.wish != WISH_FIRST || strcmp(view->model, SW_MODEL_ANY) == 0;
    ret_ways->count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct sw_model_provider *spec = options[i].spec;

        for (size_t j = 0; j < spec->models_count && sw_model_may_use(spec, name_space); j++)
            look_at(&search, &options[i], &spec->models[j], ret_ways);
    }
    sort(ret_ways->routes, ret_ways->count, search.wish);
    if (ret_ways->count > 0)
        return SW_OK;
    return search.has_name ? unable(&search, err) : not_found(&search, err);
}
