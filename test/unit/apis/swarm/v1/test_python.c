/* Our encodings against those of another implementation: Debian's python3-protobuf. */
#include "pkg/apis/swarm/v1/json.h"
#include "pkg/apis/swarm/v1/protobuf.h"
#include "test/unit/apis/swarm/v1/random_value.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#define FOLDER SW_TEST_BUILD "/test/apis_python"
#define ARENA_MAX (64u << 20)
#define BUFFER_MAX (8u << 20)
#define SEEDS 12

static void save(const char *name, uint64_t seed, const char *ending, struct sw_buffer *out)
{
    char path[512];

    (void)snprintf(path, sizeof(path), FOLDER "/%s-%llu.%s", name, (unsigned long long)seed,
                   ending);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    if (out->size > 0)
        assert_int_equal(fwrite(out->data, 1, out->size, file), out->size);
    assert_int_equal(fclose(file), 0);
    sw_buffer_reset(out);
}

/* The same random value in both encodings. */
static void save_both(const struct sw_api_message *message, uint64_t seed)
{
    struct random_source source = {seed};
    struct sw_arena *arena = sw_arena_new(ARENA_MAX);
    void *value = sw_arena_get(arena, message->size_bytes);
    struct sw_buffer out;

    assert_non_null(value);
    sw_api_init(message, value);
    random_value(&source, message, arena, value);
    sw_buffer_init(&out, BUFFER_MAX);
    sw_protobuf_encode(message, value, &out);
    save(message->name, seed, "pb", &out);
    sw_json_encode(message, value, SW_JSON_COMPACT, &out);
    save(message->name, seed, "json", &out);
    sw_buffer_done(&out);
    sw_arena_free(arena);
}

static void test_python_agrees(void **state)
{
    (void)state;
    assert_true(mkdir(FOLDER, 0755) == 0 || errno == EEXIST);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        for (unsigned i = 0; i < sw_kind_count; i++)
            save_both(sw_kinds[i].message, seed);
        for (unsigned i = 0; i < sw_api_method_count; i++)
            save_both(sw_api_methods[i].request, seed);
    }
    assert_int_equal(system("/usr/bin/python3 -B " SW_TEST_SOURCE
                            "/test/unit/apis/swarm/v1/python_peer.py " SW_TEST_SOURCE " " FOLDER),
                     0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_python_agrees)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
