/* Values of settings: from text, to text, and what a text should have been. */
#include "pkg/config/validator/settings.h"

#include "pkg/utils/base/text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define HOST_MAX 253
#define PORT_MAX 65535

struct unit { /* Largest first. */
    const char *name;
    uint64_t factor;
};
static const struct unit size_units[] = {
    {"GiB", UINT64_C(1) << 30}, {"MiB", UINT64_C(1) << 20}, {"KiB", UINT64_C(1) << 10}, {"", 1}};
static const struct unit duration_units[] = {{"d", UINT64_C(86400000000000)},
                                             {"h", UINT64_C(3600000000000)},
                                             {"m", UINT64_C(60000000000)},
                                             {"s", UINT64_C(1000000000)},
                                             {"ms", UINT64_C(1000000)}};

/* In the largest unit that leaves nothing over. */
static void print_units(uint64_t value, const struct unit *units, size_t count,
                        struct sw_buffer *out)
{
    size_t i = 0;

    while (i + 1 < count && (value == 0 || value % units[i].factor != 0))
        i++;
    sw_buffer_print(out, "%llu%s", (unsigned long long)(value / units[i].factor), units[i].name);
}

static void print_number(enum sw_setting_type type, uint64_t value, struct sw_buffer *out)
{
    if (type == SW_SETTING_SIZE)
        print_units(value, size_units, sizeof size_units / sizeof size_units[0], out);
    else if (type == SW_SETTING_DURATION)
        print_units(value, duration_units, sizeof duration_units / sizeof duration_units[0], out);
    else
        sw_buffer_print(out, "%llu", (unsigned long long)value);
}

static bool is_number(enum sw_setting_type type)
{
    return type == SW_SETTING_COUNT || type == SW_SETTING_SIZE || type == SW_SETTING_DURATION;
}

void sw_setting_expect(const struct sw_setting *row, struct sw_buffer *out)
{
    static const char *const words[] = {
        [SW_SETTING_SWITCH] = "true or false",
        [SW_SETTING_LABEL] = "lowercase letters, digits and '-'",
        [SW_SETTING_PATH] = "an absolute path",
        [SW_SETTING_ADDRESS] = "HOST:PORT",
        [SW_SETTING_HOSTS] = "host names and addresses, with commas between",
        [SW_SETTING_CHOICE] = "one of",
        [SW_SETTING_COUNT] = "a number",
        [SW_SETTING_SIZE] = "a size",
        [SW_SETTING_DURATION] = "a duration",
    };

    sw_buffer_put_text(out, words[row->type]);
    if (row->type == SW_SETTING_CHOICE)
        for (size_t i = 0; row->choices[i] != NULL; i++)
            sw_buffer_print(out, "%s %s", i == 0 ? "" : ",", row->choices[i]);
    if (is_number(row->type)) {
        sw_buffer_put_text(out, " from ");
        print_number(row->type, row->min, out);
        sw_buffer_put_text(out, " to ");
        print_number(row->type, row->max, out);
    }
}

/* --- From text ---------------------------------------------------------------------------------
 */

static bool is_host(const char *text, size_t size)
{
    char copy[HOST_MAX + 1];
    unsigned char address[sizeof(struct in6_addr)];

    if (size == 0 || size > HOST_MAX)
        return false;
    (void)memcpy(copy, text, size);
    copy[size] = '\0';
    if (inet_pton(AF_INET6, copy, address) == 1)
        return true;
    return strspn(copy, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") == size;
}

static bool is_address(const char *text)
{
    const char *colon = strrchr(text, ':');
    const char *host = text;
    size_t host_size;
    uint64_t port;

    if (colon == NULL || sw_text_to_u64(colon + 1, &port) != SW_OK || port > PORT_MAX)
        return false;
    host_size = (size_t)(colon - text);
    if (host_size > 2 && host[0] == '[' && host[host_size - 1] == ']') {
        host++;
        host_size -= 2;
    } else if (memchr(host, ':', host_size) != NULL) {
        return false;
    }
    return is_host(host, host_size);
}

static bool are_hosts(const char *text)
{
    if (text[0] == '\0')
        return true;
    for (;;) {
        size_t size = strcspn(text, ",");

        if (!is_host(text, size))
            return false;
        if (text[size] == '\0')
            return true;
        text += size + 1;
    }
}

static bool is_choice(const struct sw_setting *row, const char *text)
{
    for (size_t i = 0; row->choices[i] != NULL; i++)
        if (strcmp(row->choices[i], text) == 0)
            return true;
    return false;
}

static bool is_text_of(const struct sw_setting *row, const char *text)
{
    switch (row->type) {
    case SW_SETTING_LABEL:
        return sw_text_is_label(text, row->max);
    case SW_SETTING_PATH:
        return text[0] == '/' || (text[0] == '\0' && row->min == 0);
    case SW_SETTING_ADDRESS:
        return is_address(text);
    case SW_SETTING_HOSTS:
        return are_hosts(text);
    case SW_SETTING_CHOICE:
        return is_choice(row, text);
    case SW_SETTING_SWITCH:
    case SW_SETTING_COUNT:
    case SW_SETTING_SIZE:
    case SW_SETTING_DURATION:
    default:
        return false;
    }
}

static enum sw_rc refuse(const struct sw_setting *row, const char *text, enum sw_rc rc,
                         struct sw_err *err)
{
    struct sw_buffer words;
    const char *nearest = NULL;
    size_t count = 0;

    sw_buffer_init(&words, SW_ERR_MESSAGE_MAX);
    sw_setting_expect(row, &words);
    sw_buffer_put_u8(&words, '\0');
    (void)sw_err_set(err, rc, "expected %s, not \"%.80s\"",
                     sw_buffer_check(&words) == SW_OK ? (const char *)words.data : "another value",
                     text);
    sw_err_field(err, "%s", row->name);
    sw_buffer_done(&words);
    if (row->type != SW_SETTING_CHOICE)
        return rc;
    while (row->choices[count] != NULL)
        count++;
    nearest = sw_text_nearest(text, row->choices, count);
    if (nearest != NULL)
        sw_err_hint(err, "did you mean %s?", nearest);
    return rc;
}

static enum sw_rc parse_number(enum sw_setting_type type, const char *text, uint64_t *ret_value)
{
    if (type == SW_SETTING_SIZE)
        return sw_text_to_size_bytes(text, ret_value);
    if (type == SW_SETTING_DURATION)
        return sw_text_to_duration_ns(text, ret_value);
    return sw_text_to_u64(text, ret_value);
}

static void *place_of(struct sw_settings *settings, const struct sw_setting *row)
{
    return (char *)settings + row->offset;
}

enum sw_rc sw_setting_put(struct sw_settings *settings, const struct sw_setting *row,
                          const char *text, struct sw_arena *arena, struct sw_err *err)
{
    size_t size = strnlen(text, SW_SETTING_VALUE_MAX + 1);
    uint64_t number;
    char *copy;
    enum sw_rc rc;

    if (size > SW_SETTING_VALUE_MAX || !sw_text_is_utf8(text, size))
        return refuse(row, "a text that is too long or no UTF-8", SW_E_INVALID, err);
    if (row->type == SW_SETTING_SWITCH) {
        bool is_on = strcmp(text, "true") == 0;

        if (!is_on && strcmp(text, "false") != 0)
            return refuse(row, text, SW_E_INVALID, err);
        *(bool *)place_of(settings, row) = is_on;
        return SW_OK;
    }
    if (is_number(row->type)) {
        rc = parse_number(row->type, text, &number);
        if (rc == SW_OK && (number < row->min || number > row->max))
            rc = SW_E_RANGE;
        if (rc != SW_OK)
            return refuse(row, text, rc, err);
        *(uint64_t *)place_of(settings, row) = number;
        return SW_OK;
    }
    if (!is_text_of(row, text) || (row->max > 0 && size > row->max))
        return refuse(row, text, SW_E_INVALID, err);
    copy = sw_arena_copy(arena, text, size);
    if (copy == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the value of %s", row->name);
    *(const char **)place_of(settings, row) = copy;
    return SW_OK;
}

void sw_setting_print(const struct sw_settings *settings, const struct sw_setting *row,
                      struct sw_buffer *out)
{
    const void *place = (const char *)settings + row->offset;

    if (row->type == SW_SETTING_SWITCH)
        sw_buffer_put_text(out, *(const bool *)place ? "true" : "false");
    else if (is_number(row->type))
        print_number(row->type, *(const uint64_t *)place, out);
    else
        sw_buffer_put_text(out, *(const char *const *)place);
}
