#include "pkg/agent/abi/abi.h"

#include <string.h>

static const struct sw_abi_function imports[] = {
    {.name = "send", .parameters = "iiiiiiil", .result = "i"},
    {.name = "reply", .parameters = "liiiii", .result = "i"},
    {.name = "publish", .parameters = "iiiiiii", .result = "i"},
    {.name = "subscribe", .parameters = "ii", .result = "i"},
    {.name = "unsubscribe", .parameters = "ii", .result = "i"},
    {.name = "timer_start", .parameters = "ll", .result = "i"},
    {.name = "timer_cancel", .parameters = "l", .result = "i"},
    {.name = "log", .parameters = "iii", .result = "i"},
    {.name = "now", .parameters = "", .result = "l"},
    {.name = "random", .parameters = "ii", .result = "i"},
    {.name = "self", .parameters = "iii", .result = "i"},
};

static const struct sw_abi_function exports[] = {
    {.name = "swarm_alloc", .parameters = "i", .result = "i", .is_required = true},
    {.name = "on_message", .parameters = "i", .result = "i", .is_required = true},
    {.name = "on_start", .parameters = "", .result = "i"},
    {.name = "on_timer", .parameters = "l", .result = "i"},
    {.name = "on_stop", .parameters = "", .result = "i"},
};

const struct sw_abi_function *sw_abi_imports(size_t *ret_count)
{
    *ret_count = sizeof imports / sizeof imports[0];
    return imports;
}

const struct sw_abi_function *sw_abi_exports(size_t *ret_count)
{
    *ret_count = sizeof exports / sizeof exports[0];
    return exports;
}

const struct sw_abi_function *sw_abi_find(const struct sw_abi_function *table, size_t count,
                                          const void *name, size_t name_size)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(table[i].name) == name_size && memcmp(table[i].name, name, name_size) == 0)
            return &table[i];
    return NULL;
}
