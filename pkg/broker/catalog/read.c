#include "pkg/broker/catalog/read.h"

#include "pkg/utils/base/text.h"

#define NS_PER_MS 1000000u

const char *sw_catalog_text(const char *text)
{
    return text == NULL ? "" : text;
}

enum sw_rc sw_catalog_money(const char *text, uint64_t missing, uint64_t *ret_amount,
                            struct sw_err *err)
{
    if (sw_catalog_text(text)[0] == '\0') {
        *ret_amount = missing;
        return SW_OK;
    }
    if (sw_text_to_money(text, ret_amount) != SW_OK)
        return sw_err_set(err, SW_E_INVALID, "\"%.40s\" is no amount of dollars", text);
    return SW_OK;
}

enum sw_rc sw_catalog_ms(const char *text, uint64_t *ret_ms, struct sw_err *err)
{
    uint64_t time_ns;

    if (sw_text_to_duration_ns(sw_catalog_text(text), &time_ns) != SW_OK)
        return sw_err_set(err, SW_E_INVALID, "\"%.40s\" is no duration", sw_catalog_text(text));
    *ret_ms = time_ns / NS_PER_MS + (time_ns % NS_PER_MS > 0);
    return SW_OK;
}

enum sw_rc sw_catalog_size(const char *text, uint64_t *ret_bytes, struct sw_err *err)
{
    if (sw_text_to_size_bytes(sw_catalog_text(text), ret_bytes) != SW_OK)
        return sw_err_set(err, SW_E_INVALID, "\"%.40s\" is no size", sw_catalog_text(text));
    return SW_OK;
}
