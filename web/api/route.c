#include "web/api/state.h"

#include "pkg/utils/base/text.h"

#include <string.h>

/* ---- Paths ---- */

static const struct sw_kind *kind_of_plural(const char *plural)
{
    for (unsigned i = 0; i < sw_kind_count; i++)
        if (strcmp(sw_kinds[i].plural, plural) == 0)
            return &sw_kinds[i];
    return NULL;
}

static enum sw_rc not_found(struct sw_err *err, const char *word)
{
    const char *nearest = sw_kind_nearest(word);

    (void)sw_err_set(err, SW_E_NOT_FOUND, "there is nothing under this path");
    if (nearest != NULL)
        sw_err_hint(err, "did you mean \"%s\"?", nearest);
    else
        sw_err_hint(err, "GET /openapi describes all paths");
    return SW_E_NOT_FOUND;
}

/* Names in paths obey the same rule as names of objects. */
static enum sw_rc check_label(const char *text, const char *field, struct sw_err *err)
{
    enum sw_rc rc = sw_format_check(SW_API_FORMAT_LABEL, text, err);

    if (rc != SW_OK)
        sw_err_field(err, "%s", field);
    return rc;
}

/* What follows the name of an object: nothing, or a word that the kind knows. */
static enum sw_rc route_object(const char *const *rest, size_t count, struct gateway_route *route,
                               struct sw_err *err)
{
    static const struct {
        const char *word;
        enum gateway_target target;
    } parts[] = {{"send", TARGET_SEND},           {"logs", TARGET_LOGS},
                 {"instances", TARGET_INSTANCES}, {"deadletters", TARGET_LETTERS},
                 {"history", TARGET_HISTORY},     {"held", TARGET_HELD}};
    enum sw_rc rc = check_label(rest[0], "name", err);

    if (rc != SW_OK)
        return rc;
    route->name = rest[0];
    route->target = TARGET_OBJECT;
    if (count == 1)
        return SW_OK;
    if (count > 2)
        return not_found(err, rest[2]);
    if (strcmp(rest[1], "status") == 0 && route->kind->has_status) {
        route->target = TARGET_STATUS;
        return SW_OK;
    }
    if (strcmp(route->kind->name, "Agent") != 0)
        return not_found(err, rest[1]);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (strcmp(rest[1], parts[i].word) == 0) {
            route->target = parts[i].target;
            return SW_OK;
        }
    }
    return not_found(err, rest[1]);
}

static enum sw_rc route_module(const char *digest, struct gateway_route *route, struct sw_err *err)
{
    enum sw_rc rc = sw_format_check(SW_API_FORMAT_DIGEST, digest, err);

    if (rc != SW_OK) {
        sw_err_field(err, "digest");
        return rc;
    }
    route->target = TARGET_MODULE;
    route->name = digest;
    return SW_OK;
}

/* What follows "openai" or "anthropic": which part of their API that is, pkg/broker/model knows. */
static enum sw_rc route_models(const char *const *rest, size_t count, struct gateway_route *route,
                               struct sw_err *err)
{
    size_t size = 0;

    for (size_t i = 0; i < count; i++) {
        size_t more = strlen(rest[i]) + 1;

        if (size + more > sizeof route->path)
            return not_found(err, rest[i]);
        memcpy(route->path + size, rest[i], more);
        size += more;
        route->path[size - 1] = i + 1 < count ? '/' : '\0';
    }
    route->target = TARGET_MODELS;
    return SW_OK;
}

/* What follows /namespaces/NAMESPACE. */
static enum sw_rc route_in_namespace(const char *const *rest, size_t count,
                                     struct gateway_route *route, struct sw_err *err)
{
    if (count == 1 && strcmp(rest[0], "publish") == 0) {
        route->target = TARGET_PUBLISH;
        return SW_OK;
    }
    if (count == 1 && strcmp(rest[0], "usage") == 0) {
        route->kind = sw_kind_find("Agent");
        route->target = TARGET_USAGE;
        return SW_OK;
    }
    if (count == 2 && strcmp(rest[0], "modules") == 0)
        return route_module(rest[1], route, err);
    if (count > 1 && (strcmp(rest[0], "openai") == 0 || strcmp(rest[0], "anthropic") == 0))
        return route_models(rest + 1, count - 1, route, err);
    route->kind = kind_of_plural(rest[0]);
    if (route->kind == NULL || !route->kind->is_namespaced)
        return not_found(err, rest[0]);
    if (count == 1) {
        route->target = TARGET_COLLECTION;
        return SW_OK;
    }
    return route_object(rest + 1, count - 1, route, err);
}

/* What follows /apis/swarm/v1. */
static enum sw_rc route_api(const char *const *rest, size_t count, struct gateway_route *route,
                            struct sw_err *err)
{
    bool is_namespaces = strcmp(rest[0], "namespaces") == 0;
    enum sw_rc rc;

    if (is_namespaces && count > 2 && !(count == 3 && strcmp(rest[2], "status") == 0)) {
        rc = check_label(rest[1], "namespace", err);
        route->namespace_ = rest[1];
        return rc == SW_OK ? route_in_namespace(rest + 2, count - 2, route, err) : rc;
    }
    route->kind = kind_of_plural(rest[0]);
    if (route->kind == NULL)
        return not_found(err, rest[0]);
    if (count == 1) {
        route->target = TARGET_COLLECTION;
        return SW_OK;
    }
    if (route->kind->is_namespaced)
        return not_found(err, rest[1]);
    return route_object(rest + 1, count - 1, route, err);
}

enum sw_rc sw_gateway_route(const struct sw_url_path *path, struct gateway_route *ret_route,
                            struct sw_err *err)
{
    static const struct {
        const char *word;
        enum gateway_target target;
    } pages[] = {{"healthz", TARGET_HEALTH}, {"readyz", TARGET_READY}, {"metrics", TARGET_METRICS},
                 {"backup", TARGET_BACKUP},  {"keys", TARGET_KEYS},    {"openapi", TARGET_OPENAPI}};
    const char *const *segments = path->segments;

    *ret_route = (struct gateway_route){.namespace_ = "", .name = ""};
    for (size_t i = 0; path->count == 1 && i < sizeof pages / sizeof pages[0]; i++) {
        if (strcmp(segments[0], pages[i].word) == 0) {
            ret_route->target = pages[i].target;
            return SW_OK;
        }
    }
    if (path->count < 4 || strcmp(segments[0], "apis") != 0 || strcmp(segments[1], "swarm") != 0 ||
        strcmp(segments[2], "v1") != 0)
        return not_found(err, path->count == 0 ? "" : segments[path->count - 1]);
    return route_api(segments + 3, path->count - 3, ret_route, err);
}

/* ---- Methods ---- */

static bool collection_verb(const struct gateway_route *route, enum sw_http_method method,
                            bool is_watch, enum sw_verb *ret_verb, const char **ret_allow)
{
    bool is_all = route->kind->is_namespaced && route->namespace_[0] == '\0';

    *ret_allow = is_all ? "GET" : "GET, POST";
    if (method == SW_HTTP_GET) {
        *ret_verb = is_watch ? SW_VERB_WATCH : SW_VERB_LIST;
        return true;
    }
    *ret_verb = SW_VERB_CREATE;
    return method == SW_HTTP_POST && !is_all;
}

static bool object_verb(enum sw_http_method method, enum sw_verb *ret_verb)
{
    if (method == SW_HTTP_GET)
        *ret_verb = SW_VERB_GET;
    else if (method == SW_HTTP_PUT || method == SW_HTTP_PATCH)
        *ret_verb = SW_VERB_UPDATE; /* An apply that creates asks for CREATE as well. */
    else if (method == SW_HTTP_DELETE)
        *ret_verb = SW_VERB_DELETE;
    else
        return false;
    return true;
}

bool sw_gateway_route_verb(const struct gateway_route *route, enum sw_http_method method,
                           bool is_watch, enum sw_verb *ret_verb, const char **ret_allow)
{
    bool is_get = method == SW_HTTP_GET;

    switch (route->target) {
    case TARGET_COLLECTION:
        return collection_verb(route, method, is_watch, ret_verb, ret_allow);
    case TARGET_OBJECT:
        *ret_allow = "GET, PUT, PATCH, DELETE";
        return object_verb(method, ret_verb);
    case TARGET_STATUS:
        *ret_allow = "GET, PUT";
        *ret_verb = is_get ? SW_VERB_GET : SW_VERB_UPDATE_STATUS;
        return is_get || method == SW_HTTP_PUT;
    case TARGET_SEND:
        *ret_allow = "POST";
        *ret_verb = SW_VERB_SEND;
        return method == SW_HTTP_POST;
    case TARGET_PUBLISH:
        *ret_allow = "POST";
        *ret_verb = SW_VERB_PUBLISH;
        return method == SW_HTTP_POST;
    case TARGET_MODELS:
        *ret_allow = strcmp(route->path, "v1/models") == 0 ? "GET" : "POST";
        *ret_verb = SW_VERB_SEND;
        return method == ((*ret_allow)[0] == 'G' ? SW_HTTP_GET : SW_HTTP_POST);
    case TARGET_MODULE:
        *ret_allow = "GET, HEAD, PUT";
        *ret_verb = method == SW_HTTP_PUT ? SW_VERB_PUSH : SW_VERB_GET;
        return is_get || method == SW_HTTP_HEAD || method == SW_HTTP_PUT;
    case TARGET_LOGS:
        *ret_allow = "GET";
        *ret_verb = SW_VERB_LOGS;
        return is_get;
    case TARGET_LETTERS:
        *ret_allow = "GET, POST, DELETE";
        *ret_verb = is_get ? SW_VERB_GET : method == SW_HTTP_DELETE ? SW_VERB_DELETE : SW_VERB_SEND;
        return is_get || method == SW_HTTP_POST || method == SW_HTTP_DELETE;
    case TARGET_BACKUP:
        *ret_allow = "GET";
        *ret_verb = SW_VERB_OPERATE;
        return is_get;
    case TARGET_KEYS:
        *ret_allow = "GET, POST";
        *ret_verb = SW_VERB_OPERATE;
        return is_get || method == SW_HTTP_POST;
    case TARGET_HELD: /* A fork acts as the Agent, whatever its input and its module are. */
        *ret_allow = "POST, PUT, DELETE";
        *ret_verb = method == SW_HTTP_DELETE ? SW_VERB_DELETE : SW_VERB_UPDATE;
        return method == SW_HTTP_POST || method == SW_HTTP_PUT || method == SW_HTTP_DELETE;
    case TARGET_USAGE:
        *ret_allow = "GET";
        *ret_verb = SW_VERB_LIST;
        return is_get;
    case TARGET_HISTORY: /* What is tried is an input, which goes nowhere. */
        *ret_allow = "GET, POST";
        *ret_verb = is_get ? SW_VERB_GET : SW_VERB_SEND;
        return is_get || method == SW_HTTP_POST;
    case TARGET_INSTANCES:
    case TARGET_HEALTH:
    case TARGET_READY:
    case TARGET_METRICS:
    case TARGET_OPENAPI:
        break;
    }
    *ret_allow = "GET";
    *ret_verb = SW_VERB_GET;
    return is_get;
}

/* ---- Parameters ---- */

/* The parameters of a target, NULL-terminated. */
static const char *const *parameters_of(const struct gateway_call *call)
{
    static const char *const none[] = {NULL};
    static const char *const list[] = {"labelSelector", "limit", "continue", "resourceVersion",
                                       "name",          "watch", NULL};
    static const char *const write[] = {"dryRun", NULL};
    static const char *const erase[] = {"dryRun", "uid", "resourceVersion", NULL};
    static const char *const send[] = {"key", "priority", "timeout", "requestId", "reply", NULL};
    static const char *const publish[] = {"subject", "priority", "requestId", NULL};
    static const char *const logs[] = {"key", "tail", "follow", NULL};
    static const char *const instances[] = {"limit", "continue", "prefix", "state", "count", NULL};
    static const char *const letters[] = {"key", "limit", "continue", "body", NULL};
    static const char *const letters_change[] = {"key", "id", NULL};
    static const char *const history[] = {"key",  "view",   "from",  "to", "newest",
                                          "body", "module", "limit", NULL};
    static const char *const history_try[] = {"key", "turn", "module", "input", "body", NULL};
    static const char *const fork[] = {"key", "turn", "as", "module", "input", "body", NULL};
    static const char *const held[] = {"key", NULL};
    static const char *const keys[] = {"resume", "keepUnused", NULL};
    static const char *const models[] = {"beta", "limit", NULL}; /* Libraries send them. */

    switch (call->route.target) {
    case TARGET_COLLECTION:
        return call->verb == SW_VERB_CREATE ? write : list;
    case TARGET_OBJECT:
    case TARGET_STATUS:
        if (call->verb == SW_VERB_GET)
            return none;
        return call->verb == SW_VERB_DELETE ? erase : write;
    case TARGET_SEND:
        return send;
    case TARGET_PUBLISH:
        return publish;
    case TARGET_LOGS:
        return logs;
    case TARGET_INSTANCES:
        return instances;
    case TARGET_LETTERS:
        return call->verb == SW_VERB_GET ? letters : letters_change;
    case TARGET_HISTORY:
        return call->verb == SW_VERB_GET ? history : history_try;
    case TARGET_HELD:
        return call->request->method == SW_HTTP_POST ? fork : held;
    case TARGET_MODELS:
        return models;
    case TARGET_KEYS:
        return call->request->method == SW_HTTP_POST ? keys : none;
    case TARGET_USAGE:
    case TARGET_MODULE:
    case TARGET_HEALTH:
    case TARGET_READY:
    case TARGET_METRICS:
    case TARGET_BACKUP:
    case TARGET_OPENAPI:
        break;
    }
    return none;
}

enum sw_rc sw_gateway_check_query(const struct gateway_call *call, struct sw_err *err)
{
    const char *const *known = parameters_of(call);
    size_t known_count = 0;

    while (known[known_count] != NULL)
        known_count++;
    for (size_t i = 0; i < call->query.count; i++) {
        const char *name = call->query.parameters[i].name;
        const char *nearest;
        size_t at = 0;

        while (at < known_count && strcmp(known[at], name) != 0)
            at++;
        if (at < known_count)
            continue;
        nearest = known_count == 0 ? NULL : sw_text_nearest(name, known, known_count);
        (void)sw_err_set(err, SW_E_INVALID, "there is no parameter \"%.64s\" here", name);
        sw_err_field(err, "%.64s", name);
        if (nearest != NULL)
            sw_err_hint(err, "did you mean \"%s\"?", nearest);
        return SW_E_INVALID;
    }
    return SW_OK;
}

const char *sw_gateway_query_text(const struct gateway_call *call, const char *name)
{
    return sw_url_query_find(&call->query, name);
}

enum sw_rc sw_gateway_query_bool(const struct gateway_call *call, const char *name, bool *ret_value,
                                 struct sw_err *err)
{
    static const char *const yes[] = {"1", "true"};
    static const char *const no[] = {"0", "false"};
    const char *text = sw_gateway_query_text(call, name);

    *ret_value = false;
    if (text == NULL)
        return SW_OK;
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (strcmp(text, yes[i]) == 0) {
            *ret_value = true;
            return SW_OK;
        }
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        if (strcmp(text, no[i]) == 0)
            return SW_OK;
    (void)sw_err_set(err, SW_E_INVALID, "expected true or false");
    sw_err_field(err, "%s", name);
    return SW_E_INVALID;
}

enum sw_rc sw_gateway_query_number(const struct gateway_call *call, const char *name,
                                   uint64_t standard, uint64_t max, uint64_t *ret_value,
                                   struct sw_err *err)
{
    const char *text = sw_gateway_query_text(call, name);

    *ret_value = standard;
    if (text == NULL)
        return SW_OK;
    if (sw_text_to_u64(text, ret_value) == SW_OK && *ret_value <= max)
        return SW_OK;
    (void)sw_err_set(err, SW_E_INVALID, "expected a whole number from 0 to %llu",
                     (unsigned long long)max);
    sw_err_field(err, "%s", name);
    return SW_E_INVALID;
}
