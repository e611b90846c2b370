#include "pkg/apis/swarm/v1/rules.h"
#include "pkg/apis/swarm/v1/validate.h"
#include "pkg/utils/base/text.h"

#include <string.h>

/* What a rule of spec.egress says besides sizes and times. */

#define PORT_MAX 65535u

static bool is_port(const char *text)
{
    uint64_t port;

    return sw_text_to_u64(text, &port) == SW_OK && port > 0 && port <= PORT_MAX;
}

/* A name or an address, "*." before it or not, ":PORT" behind it or not. */
static bool is_host(const char *text)
{
    const char *colon = strchr(text, ':');
    char name[256] = "";
    size_t size = colon == NULL ? strlen(text) : (size_t)(colon - text);

    if (colon != NULL && strchr(colon + 1, ':') != NULL) /* An address of IPv6. */
        return strspn(text, "0123456789abcdef:.") == strlen(text);
    if (strncmp(text, "*.", 2) == 0) {
        text += 2;
        size -= 2;
    }
    if (size == 0 || size >= sizeof name || (colon != NULL && !is_port(colon + 1)))
        return false;
    memcpy(name, text, size);
    return sw_format_check(SW_API_FORMAT_DNS_NAME, name, NULL) == SW_OK;
}

bool sw_rules_is_secret(const char *text, size_t size)
{
    const char *slash = memchr(text, '/', size);
    char name[64] = "", key[64] = "";
    size_t name_size = slash == NULL ? 0 : (size_t)(slash - text);

    if (slash == NULL || name_size >= sizeof name || size - name_size - 1 >= sizeof key)
        return false;
    memcpy(name, text, name_size);
    memcpy(key, slash + 1, size - name_size - 1);
    return sw_format_check(SW_API_FORMAT_LABEL, name, NULL) == SW_OK && strchr(key, '/') == NULL &&
           sw_format_check(SW_API_FORMAT_QUALIFIED_NAME, key, NULL) == SW_OK;
}

static void check_hosts(struct sw_checker *checker, const struct sw_place *place,
                        const struct sw_api_egress_rule *rule)
{
    struct sw_place hosts = {.parent = place, .name = "hosts"};

    for (size_t i = 0; i < rule->hosts_count; i++) {
        struct sw_place host = {.parent = &hosts, .index = i};

        if (!is_host(rule->hosts[i]))
            sw_checker_refuse(checker, &host, "such as api.example.com or *.example.com:8443",
                              "no host in lower case");
    }
}

static void check_paths(struct sw_checker *checker, const struct sw_place *place,
                        const struct sw_api_egress_rule *rule)
{
    struct sw_place paths = {.parent = place, .name = "paths"};

    for (size_t i = 0; i < rule->paths_count; i++) {
        struct sw_place path = {.parent = &paths, .index = i};
        const char *star = strchr(rule->paths[i], '*');

        if (rule->paths[i][0] != '/' || strpbrk(rule->paths[i], " ?#\\") != NULL ||
            (star != NULL && star[1] != '\0'))
            sw_checker_refuse(checker, &path, "such as /v1/orders or /v1/*",
                              "no path, perhaps with '*' at its end");
    }
}

static void check_secrets(struct sw_checker *checker, const struct sw_place *place,
                          const struct sw_api_egress_rule *rule)
{
    struct sw_place secrets = {.parent = place, .name = "secrets"};

    for (size_t i = 0; i < rule->secrets_count; i++) {
        struct sw_place secret = {.parent = &secrets, .index = i};

        if (!sw_rules_is_secret(rule->secrets[i], strlen(rule->secrets[i])))
            sw_checker_refuse(checker, &secret, "such as shop/token", "no NAME/KEY of a Secret");
    }
}

/* Each placeholder in a value is whole, and names a Secret. */
static bool has_good_placeholders(const char *value)
{
    static const char begin[] = "{{secret:";
    const char *at = value;

    while ((at = strstr(at, begin)) != NULL) {
        const char *end = strstr(at, "}}");

        at += sizeof begin - 1;
        if (end == NULL || !sw_rules_is_secret(at, (size_t)(end - at)))
            return false;
    }
    return true;
}

static void check_headers(struct sw_checker *checker, const struct sw_place *place,
                          const struct sw_api_egress_rule *rule)
{
    struct sw_place headers = {.parent = place, .name = "headers"};

    for (size_t i = 0; i < rule->headers_count; i++) {
        const struct sw_api_pair *pair = &rule->headers[i];
        struct sw_place header = {.parent = &headers, .index = i, .key = pair->key};

        if (strchr(pair->key, '/') != NULL)
            sw_checker_refuse(checker, &header, NULL, "no name of a header");
        else if (strpbrk(pair->value, "\r\n") != NULL || !has_good_placeholders(pair->value))
            sw_checker_refuse(checker, &header, "such as Bearer {{secret:shop/token}}",
                              "one line, with NAME/KEY of a Secret in each placeholder");
    }
}

void sw_rules_check_egress(struct sw_checker *checker, const struct sw_place *place,
                           const void *value)
{
    const struct sw_api_egress_rule *rule = value;

    check_hosts(checker, place, rule);
    check_paths(checker, place, rule);
    check_secrets(checker, place, rule);
    check_headers(checker, place, rule);
}
