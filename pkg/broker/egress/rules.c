#include "pkg/broker/egress/rules.h"

#include "pkg/utils/base/text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum nearness { FAR, HOST, SCHEME, METHOD, PATH, ALLOWED }; /* How far a rule went along. */

static uint16_t port_of(const char *scheme)
{
    return strcmp(scheme, "http") == 0 ? 80 : 443;
}

static bool is_host(const char *pattern, const struct sw_egress_target *target)
{
    const char *colon = strrchr(pattern, ':');
    size_t size = strlen(pattern), host_size = strlen(target->host);
    uint64_t port = port_of(target->scheme);

    if (colon != NULL && strchr(pattern, ':') == colon) { /* Several: an address of IPv6. */
        if (sw_text_to_u64(colon + 1, &port) != SW_OK)
            return false;
        size = (size_t)(colon - pattern);
    }
    if (port != target->port)
        return false;
    if (size > 2 && pattern[0] == '*' && pattern[1] == '.')
        return host_size > size - 1 &&
               strncasecmp(target->host + host_size - (size - 1), pattern + 1, size - 1) == 0;
    return size == host_size && strncasecmp(target->host, pattern, size) == 0;
}

static bool has_host(const struct sw_egress_rule *rule, const struct sw_egress_target *target)
{
    for (size_t i = 0; i < rule->hosts.count; i++)
        if (is_host(rule->hosts.items[i], target))
            return true;
    return false;
}

static bool has_method(const struct sw_egress_rule *rule, const char *method)
{
    for (size_t i = 0; i < rule->methods.count; i++)
        if (strcmp(rule->methods.items[i], method) == 0)
            return true;
    return rule->methods.count == 0 && (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0);
}

/* Whether servers might read it as another path than it looks: '/', '.' or '\\' in disguise, and
 * steps up. */
static bool is_devious(const char *path, size_t size)
{
    static const char *const disguises[] = {"%2e", "%2f", "%5c",  "%25", "%3b", "\\",
                                            "..;", "/.;", "/../", "/./", "//"};

    for (size_t i = 0; i < sizeof disguises / sizeof disguises[0]; i++) {
        size_t disguise = strlen(disguises[i]);

        for (size_t at = 0; at + disguise <= size; at++)
            if (strncasecmp(path + at, disguises[i], disguise) == 0)
                return true;
    }
    return (size >= 3 && memcmp(path + size - 3, "/..", 3) == 0) ||
           (size >= 2 && memcmp(path + size - 2, "/.", 2) == 0);
}

/* The path up to its query. '*' is all that follows, with or without a '/'. */
static bool has_path(const struct sw_egress_rule *rule, const char *path)
{
    size_t size = strcspn(path, "?#");

    if (rule->paths.count > 0 && is_devious(path, size))
        return false;
    for (size_t i = 0; i < rule->paths.count; i++) {
        const char *pattern = rule->paths.items[i];
        size_t pattern_size = strlen(pattern);

        if (pattern_size > 0 && pattern[pattern_size - 1] == '*') {
            if (size >= pattern_size - 1 && memcmp(path, pattern, pattern_size - 1) == 0)
                return true;
        } else if (size == pattern_size && memcmp(path, pattern, size) == 0) {
            return true;
        }
    }
    return rule->paths.count == 0;
}

static enum nearness try_rule(const struct sw_egress_rule *rule, const struct sw_egress_ask *ask)
{
    const struct sw_egress_target *target = &ask->target;

    if (!has_host(rule, target))
        return FAR;
    if (strcmp(target->scheme, "https") != 0 &&
        !(rule->allows_plain && strcmp(target->scheme, "http") == 0))
        return HOST;
    if (!has_method(rule, ask->method))
        return SCHEME;
    if (!has_path(rule, target->path))
        return METHOD;
    return ask->body_bytes > rule->request_bytes_max ? PATH : ALLOWED;
}

static enum sw_rc deny(enum nearness nearest, const struct sw_egress_ask *ask,
                       const struct sw_egress_rule *rule, struct sw_err *err)
{
    const struct sw_egress_target *target = &ask->target;

    switch (nearest) {
    case HOST:
        (void)sw_err_set(err, SW_E_DENIED, "%s may be asked over https only", target->host);
        break;
    case SCHEME:
        (void)sw_err_set(err, SW_E_DENIED, "%.16s is not allowed at %s", ask->method, target->host);
        break;
    case METHOD:
        (void)sw_err_set(err, SW_E_DENIED, "%.16s of %.200s is not allowed at %s", ask->method,
                         target->path, target->host);
        break;
    case PATH:
        (void)sw_err_set(err, SW_E_EXHAUSTED, "a body for %s has at most %llu bytes, not %llu",
                         target->host, (unsigned long long)rule->request_bytes_max,
                         (unsigned long long)ask->body_bytes);
        break;
    case FAR:
    case ALLOWED:
        (void)sw_err_set(err, SW_E_DENIED, "no rule lets this agent ask %s:%u", target->host,
                         (unsigned)target->port);
        break;
    }
    sw_err_hint(err, "spec.egress of the Agent says where it may go");
    return err == NULL ? SW_E_DENIED : err->rc;
}

enum sw_rc sw_egress_check(const struct sw_egress_rule *rules, size_t count,
                           const struct sw_egress_ask *ask, const struct sw_egress_rule **ret_rule,
                           struct sw_err *err)
{
    enum nearness nearest = FAR;
    const struct sw_egress_rule *nearest_rule = NULL;

    for (size_t i = 0; i < count; i++) {
        enum nearness now = try_rule(&rules[i], ask);

        if (now == ALLOWED) {
            *ret_rule = &rules[i];
            return SW_OK;
        }
        if (now > nearest || nearest_rule == NULL) {
            nearest = now;
            nearest_rule = &rules[i];
        }
    }
    return deny(nearest, ask, nearest_rule, err);
}

bool sw_egress_may_use(const struct sw_egress_rule *rule, struct sw_bytes secret)
{
    for (size_t i = 0; i < rule->secrets.count; i++)
        if (strlen(rule->secrets.items[i]) == secret.size &&
            memcmp(rule->secrets.items[i], secret.data, secret.size) == 0)
            return true;
    return false;
}
