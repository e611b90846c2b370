/* What the tests of this room share: an arena, problems, options, and short ways to say things. */
#pragma once
#include "pkg/apis/swarm/v1/json.h"
#include "pkg/apis/swarm/v1/protobuf.h"
#include "pkg/apis/swarm/v1/validate.h"
#include "pkg/apis/swarm/v1/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

struct fixture {
    struct sw_arena *arena;
    struct sw_problems problems;
    struct sw_bind_options bind;
    struct sw_validate_options check;
    struct sw_buffer out;
    struct sw_err err;
};

static inline int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){.arena = sw_arena_new(16u << 20)};
    f.problems = sw_problems_of(f.arena);
    f.bind = (struct sw_bind_options){.arena = f.arena, .problems = &f.problems, .file = "m.yaml"};
    f.check = (struct sw_validate_options){.problems = &f.problems, .file = "m.yaml"};
    sw_buffer_init(&f.out, 8u << 20);
    *state = &f;
    return f.arena == NULL ? -1 : 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;
    sw_buffer_done(&f->out);
    sw_arena_free(f->arena);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static inline struct sw_bytes bytes_of(const char *text)
{
    return (struct sw_bytes){text, strlen(text)};
}

/* What is in the buffer as a text; the buffer is empty afterwards. */
static inline const char *taken(struct fixture *f)
{
    char *text = sw_arena_copy(f->arena, f->out.data, f->out.size);
    sw_buffer_reset(&f->out);
    return text;
}

/* All problems, one line each. */
static inline const char *problems_of(struct fixture *f)
{
    for (size_t i = 0; i < f->problems.count; i++) {
        struct sw_buffer line;
        sw_buffer_init(&line, 4096);
        sw_problem_print(&f->problems.items[i], &line);
        sw_buffer_put(&f->out, line.data, line.size);
        sw_buffer_put_text(&f->out, "\n");
        sw_buffer_done(&line);
    }
    return taken(f);
}

static inline void assert_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("no \"%s\" in:\n%s", part, text);
}

/* The documents of a manifest, which must be without mistakes. */
static inline struct sw_manifest *manifests_of(struct fixture *f, const char *yaml, size_t count)
{
    struct sw_manifest *manifests = NULL;
    size_t found = 0;
    if (sw_yaml_read_manifests(bytes_of(yaml), &f->bind, &manifests, &found) != SW_OK)
        fail_msg("%s", problems_of(f));
    assert_int_equal(found, count);
    return manifests;
}

/* The problems of a manifest that must have some. */
static inline const char *mistakes_of(struct fixture *f, const char *yaml)
{
    struct sw_manifest *manifests = NULL;
    size_t count = 0;
    assert_int_equal(sw_yaml_read_manifests(bytes_of(yaml), &f->bind, &manifests, &count),
                     SW_E_INVALID);
    return problems_of(f);
}
