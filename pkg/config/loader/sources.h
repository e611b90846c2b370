/* What the files of this room share while one configuration is loaded. Private to it. */
#pragma once
#include "pkg/config/loader/loader.h"

struct sw_config_load { /* All that loading fills; texts are in the arena. */
    struct sw_arena *arena;
    struct sw_settings settings;
    const char **origins; /* One per row; NULL until a source has set it. */
    struct sw_config_problem problems[SW_CONFIG_PROBLEMS_MAX];
    size_t problems_count;
    bool is_out_of_memory;
};

struct sw_config_value { /* One value of one source. */
    const char *place;   /* In the arena. */
    const char *name;    /* "api.listen". */
    const char *text;
};

/* Keep a problem; texts are copied. */
void sw_config_complain(struct sw_config_load *load, const struct sw_config_value *value,
                        const char *words, const char *hint);
/* Put a value in its place, or complain. */
void sw_config_put(struct sw_config_load *load, const struct sw_config_value *value);
/* Read the YAML text of a file and put its values. path is its name in places. */
void sw_config_read_yaml(struct sw_config_load *load, const char *path, struct sw_bytes text);
