#include "pkg/agent/modules/parse.h"

#include "pkg/utils/base/text.h"

enum sw_rc sw_module_fail(struct sw_module_parse *p, enum sw_rc rc, const char *format, ...)
{
    va_list arguments;

    if (p->rc != SW_OK)
        return p->rc;
    va_start(arguments, format);
    p->rc = sw_err_vset(p->err, rc, format, arguments);
    va_end(arguments);
    p->at = p->end;
    return p->rc;
}

enum sw_rc sw_module_refuse(struct sw_module_parse *p, const char *hint, const char *format, ...)
{
    va_list arguments;

    if (p->rc != SW_OK)
        return p->rc;
    va_start(arguments, format);
    p->rc = sw_err_vset(p->err, SW_E_INVALID, format, arguments);
    va_end(arguments);
    sw_err_hint(p->err, "%s", hint);
    p->at = p->end;
    return p->rc;
}

static void fail_short(struct sw_module_parse *p)
{
    (void)sw_module_fail(p, SW_E_INVALID, "the module is damaged: it ends early at offset %zu",
                         p->at);
}

uint8_t sw_module_u8(struct sw_module_parse *p)
{
    if (p->at < p->end)
        return p->data[p->at++];
    fail_short(p);
    return 0;
}

uint32_t sw_module_u32(struct sw_module_parse *p)
{
    uint32_t value = 0;

    for (unsigned shift = 0; shift < 35; shift += 7) {
        uint8_t byte = sw_module_u8(p);
        if (shift == 28 && byte > 0x0f)
            break;
        value |= (uint32_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            return value;
    }
    (void)sw_module_fail(p, SW_E_INVALID,
                         "the module is damaged: a number at offset %zu is too "
                         "long",
                         p->at);
    return 0;
}

void sw_module_skip_signed(struct sw_module_parse *p, unsigned bits)
{
    for (unsigned shift = 0; shift < bits; shift += 7)
        if ((sw_module_u8(p) & 0x80) == 0)
            return;
    (void)sw_module_fail(p, SW_E_INVALID,
                         "the module is damaged: a number at offset %zu is too "
                         "long",
                         p->at);
}

struct sw_bytes sw_module_take(struct sw_module_parse *p, size_t size)
{
    struct sw_bytes bytes = {0};

    if (size > p->end - p->at) {
        fail_short(p);
        return bytes;
    }
    bytes = (struct sw_bytes){p->data + p->at, size};
    p->at += size;
    return bytes;
}

struct sw_bytes sw_module_name(struct sw_module_parse *p)
{
    struct sw_bytes name = sw_module_take(p, sw_module_u32(p));

    if (p->rc == SW_OK && name.size > 0 && !sw_text_is_utf8(name.data, name.size))
        (void)sw_module_fail(p, SW_E_INVALID,
                             "a name of the module, before offset %zu, is not UTF-8 without NUL",
                             p->at);
    return name;
}

uint32_t sw_module_count(struct sw_module_parse *p, uint32_t count_max, size_t item_bytes,
                         const char *what)
{
    uint32_t count = sw_module_u32(p);

    if (count > count_max) {
        (void)sw_module_fail(p, SW_E_EXHAUSTED, "the module has %u %s, at most %u are allowed",
                             count, what, count_max);
        return 0;
    }
    if (count > (p->end - p->at) / item_bytes) {
        fail_short(p);
        return 0;
    }
    return p->rc == SW_OK ? count : 0;
}

uint8_t sw_module_value_type(struct sw_module_parse *p)
{
    uint8_t type = sw_module_u8(p);

    if (p->rc != SW_OK)
        return 0;
    if ((type >= SW_VALUE_V128 && type <= SW_VALUE_I32) || type == SW_VALUE_FUNCREF)
        return type;
    if (type >= 0x63 && type <= 0x75)
        (void)sw_module_fail(p, SW_E_UNSUPPORTED,
                             "the module uses host or garbage-collected "
                             "references, which cannot be snapshotted");
    else
        (void)sw_module_fail(p, SW_E_INVALID,
                             "the module is damaged: no type is 0x%02x, at offset %zu", type,
                             p->at - 1);
    return 0;
}
