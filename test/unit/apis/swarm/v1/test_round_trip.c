/* Every kind and request, random and whole, through each encoding and back. */
#include "pkg/apis/swarm/v1/json.h"
#include "pkg/apis/swarm/v1/protobuf.h"
#include "pkg/apis/swarm/v1/yaml.h"
#include "test/unit/apis/swarm/v1/random_value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define ARENA_MAX (64u << 20)
#define BUFFER_MAX (8u << 20)
#define ROUNDS 60

struct round {
    struct sw_arena *arena;
    struct sw_problems problems;
    struct sw_buffer out;
    uint64_t seed;
};

static struct round round_new(uint64_t seed)
{
    struct round round = {.arena = sw_arena_new(ARENA_MAX), .seed = seed};
    round.problems = sw_problems_of(round.arena);
    sw_buffer_init(&round.out, BUFFER_MAX);
    assert_non_null(round.arena);
    return round;
}

static void round_done(struct round *round)
{
    sw_buffer_done(&round->out);
    sw_arena_free(round->arena);
}

static void *new_value(struct round *round, const struct sw_api_message *message)
{
    struct random_source source = {round->seed};
    void *value = sw_arena_get(round->arena, message->size_bytes);
    assert_non_null(value);
    sw_api_init(message, value);
    random_value(&source, message, round->arena, value);
    return value;
}

static void print_trouble(const struct round *round, const char *name)
{
    print_error("%s, seed %llu\n%.*s\n", name, (unsigned long long)round->seed,
                (int)round->out.size, (const char *)round->out.data);
    for (size_t i = 0; i < round->problems.count; i++)
        print_error("  %u:%u %s: %s\n", round->problems.items[i].line,
                    round->problems.items[i].column, round->problems.items[i].field,
                    round->problems.items[i].message);
}

static void through_protobuf(const struct sw_api_message *message, uint64_t seed)
{
    struct round round = round_new(seed);
    struct sw_err err = {0};
    void *value = new_value(&round, message);
    void *back = sw_arena_get(round.arena, message->size_bytes);

    sw_protobuf_encode(message, value, &round.out);
    assert_int_equal(sw_buffer_check(&round.out), SW_OK);
    assert_int_equal(round.out.size, sw_protobuf_size(message, value));
    assert_int_equal(sw_protobuf_decode(message, (struct sw_bytes){round.out.data, round.out.size},
                                        round.arena, back, &err),
                     SW_OK);
    if (!sw_api_is_equal(message, value, back))
        print_trouble(&round, message->name);
    assert_true(sw_api_is_equal(message, value, back));

    struct sw_buffer again;
    sw_buffer_init(&again, BUFFER_MAX);
    sw_protobuf_encode(message, back, &again);
    assert_int_equal(again.size, round.out.size);
    if (again.size > 0)
        assert_memory_equal(again.data, round.out.data, again.size);
    sw_buffer_done(&again);
    round_done(&round);
}

static void through_json(const struct sw_api_message *message, uint64_t seed)
{
    struct round round = round_new(seed);
    const struct sw_bind_options bind = {
        .arena = round.arena, .problems = &round.problems, .file = ""};
    void *value = new_value(&round, message);
    void *back = sw_arena_get(round.arena, message->size_bytes);

    sw_json_encode(message, value, seed % 2 ? SW_JSON_PRETTY : SW_JSON_COMPACT, &round.out);
    assert_int_equal(sw_buffer_check(&round.out), SW_OK);
    enum sw_rc rc =
        sw_json_decode(message, (struct sw_bytes){round.out.data, round.out.size}, &bind, back);
    bool fits = rc == SW_OK && sw_api_is_equal(message, value, back);
    if (!fits)
        print_trouble(&round, message->name);
    assert_true(fits);
    round_done(&round);
}

static void through_yaml(const struct sw_api_message *message, uint64_t seed)
{
    struct round round = round_new(seed);
    const struct sw_bind_options bind = {
        .arena = round.arena, .problems = &round.problems, .file = ""};
    void *value = new_value(&round, message);
    void *back = sw_arena_get(round.arena, message->size_bytes);
    const struct sw_tree *tree = NULL;

    sw_yaml_encode(message, value, &round.out);
    assert_int_equal(sw_buffer_check(&round.out), SW_OK);
    enum sw_rc rc = sw_yaml_parse((struct sw_bytes){round.out.data, round.out.size}, &bind, &tree);
    if (rc == SW_OK)
        rc = sw_tree_bind(tree, message, &bind, back);
    bool fits = rc == SW_OK && sw_api_is_equal(message, value, back);
    if (!fits)
        print_trouble(&round, message->name);
    assert_true(fits);
    round_done(&round);
}

static void for_all_messages(void (*visit)(const struct sw_api_message *message, uint64_t seed))
{
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        for (unsigned i = 0; i < sw_kind_count; i++)
            visit(sw_kinds[i].message, seed);
        for (unsigned i = 0; i < sw_api_method_count; i++)
            visit(sw_api_methods[i].request, seed);
    }
}

static void test_protobuf(void **state)
{
    (void)state;
    for_all_messages(through_protobuf);
}

static void test_json(void **state)
{
    (void)state;
    for_all_messages(through_json);
}

static void test_yaml(void **state)
{
    (void)state;
    for_all_messages(through_yaml);
}

static void copy_and_compare(const struct sw_api_message *message, uint64_t seed)
{
    struct round round = round_new(seed);
    void *value = new_value(&round, message);
    void *copy = sw_arena_get(round.arena, message->size_bytes);

    assert_int_equal(sw_api_copy(message, value, round.arena, copy), SW_OK);
    assert_true(sw_api_is_equal(message, value, copy));
    round.seed = seed + ROUNDS;
    void *other = new_value(&round, message);
    struct sw_buffer bytes;
    sw_buffer_init(&bytes, BUFFER_MAX);
    sw_protobuf_encode(message, value, &round.out);
    sw_protobuf_encode(message, other, &bytes);
    bool same_bytes = bytes.size == round.out.size &&
                      (bytes.size == 0 || memcmp(bytes.data, round.out.data, bytes.size) == 0);
    assert_int_equal(sw_api_is_equal(message, value, other), same_bytes);
    sw_buffer_done(&bytes);
    round_done(&round);
}

static void test_copy_and_equality(void **state)
{
    (void)state;
    for_all_messages(copy_and_compare);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_protobuf),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_yaml),
        cmocka_unit_test(test_copy_and_equality),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
