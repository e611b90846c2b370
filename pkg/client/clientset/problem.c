#include "pkg/client/clientset/problem.h"

#include <jansson.h>
#include <string.h>

#define CODES_COUNT 17

/* The code whose HTTP status this is, for answers of something that is not a swarmd. */
static enum sw_rc rc_of_status(int http_status)
{
    switch (http_status) {
    case 400:
    case 405:
    case 413:
    case 415:
    case 422:
        return SW_E_INVALID;
    case 401:
        return SW_E_UNAUTHENTICATED;
    case 403:
        return SW_E_DENIED;
    case 404:
        return SW_E_NOT_FOUND;
    case 409:
        return SW_E_CONFLICT;
    case 410:
        return SW_E_RANGE;
    case 412:
        return SW_E_PRECONDITION;
    case 429:
        return SW_E_EXHAUSTED;
    case 499:
        return SW_E_CANCELLED;
    case 501:
        return SW_E_UNSUPPORTED;
    case 502:
    case 503:
        return SW_E_UNAVAILABLE;
    case 408:
    case 504:
        return SW_E_TIMEOUT;
    default:
        return SW_E_UNKNOWN;
    }
}

static enum sw_rc rc_of_name(const char *name, enum sw_rc fallback)
{
    for (int i = 1; i < CODES_COUNT; i++) {
        if (strcmp(sw_rc_name((enum sw_rc) - i), name) == 0)
            return (enum sw_rc) - i;
    }
    return fallback;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text == NULL ? "" : text;
}

static void release(json_t **json)
{
    json_decref(*json);
}

enum sw_rc sw_problem_read(int http_status, struct sw_bytes body, struct sw_err *err)
{
    SW_CLEANUP(release) json_t *json = NULL;
    enum sw_rc rc = rc_of_status(http_status);
    const char *detail, *field, *hint;

    if (body.size > 0)
        json = json_loadb(body.data, body.size, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(json))
        return sw_err_set(err, rc, "the server answered with HTTP status %d", http_status);
    rc = rc_of_name(text_of(json, "code"), rc);
    detail = text_of(json, "detail");
    if (detail[0] == '\0')
        detail = text_of(json, "title");
    field = text_of(json, "field");
    hint = text_of(json, "hint");
    (void)sw_err_set(err, rc, "%s", detail[0] == '\0' ? sw_rc_describe(rc) : detail);
    if (field[0] != '\0')
        sw_err_field(err, "%s", field);
    if (hint[0] != '\0')
        sw_err_hint(err, "%s", hint);
    return rc;
}
