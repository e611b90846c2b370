/* Protocol Buffers: the bytes of known values, and hostile ones. */
#include "test/unit/apis/swarm/v1/fixture.h"

static enum sw_rc decode(struct fixture *f, const struct sw_api_message *message, const void *data,
                         size_t size, void *value)
{
    f->err = (struct sw_err){0};
    return sw_protobuf_decode(message, (struct sw_bytes){data, size}, f->arena, value, &f->err);
}

#define DECODE(f, message, text, value) decode(f, message, text, sizeof(text) - 1, value)

static void test_known_bytes(void **state)
{
    struct fixture *f = *state;
    struct sw_api_pair labels[] = {{"b", "2"}, {"a", "1"}};
    struct sw_api_agent agent = {
        .kind = "Agent",
        .metadata = {.resource_version = 300, .labels = labels, .labels_count = 2},
        .spec = {.has_replicas = true}};
    static const char expected[] = "\x12\x05"
                                   "Agent"
                                   "\x1a\x13\x20\xac\x02\x32\x06\x0a\x01"
                                   "a\x12\x01"
                                   "1\x32\x06\x0a\x01"
                                   "b\x12\x01"
                                   "2\x22\x02\x20\x00";

    sw_protobuf_encode(&sw_api_agent_message, &agent, &f->out);
    assert_int_equal(f->out.size, sizeof(expected) - 1);
    assert_memory_equal(f->out.data, expected, f->out.size);
}

static void test_numbers_below_zero_take_ten_bytes(void **state)
{
    struct fixture *f = *state;
    struct sw_api_send_response response = {.status = -8}, back;

    sw_protobuf_encode(&sw_api_send_response_message, &response, &f->out);
    assert_int_equal(f->out.size, 11);
    assert_int_equal(decode(f, &sw_api_send_response_message, f->out.data, f->out.size, &back),
                     SW_OK);
    assert_int_equal(back.status, -8);
}

static void test_unknown_fields_are_skipped(void **state)
{
    struct fixture *f = *state;
    struct sw_api_list_meta meta;

    assert_int_equal(DECODE(f, &sw_api_list_meta_message,
                            "\xf8\x01\x05"                             /* 31: number */
                            "\xf9\x01\x01\x02\x03\x04\x05\x06\x07\x08" /* 31: 64 bits */
                            "\xfd\x01\x01\x02\x03\x04"                 /* 31: 32 bits */
                            "\xfa\x01\x02hi"                           /* 31: run */
                            "\x08\x07",
                            &meta),
                     SW_OK);
    assert_int_equal(meta.resource_version, 7);
}

static void test_messages_in_parts_are_merged(void **state)
{
    struct fixture *f = *state;
    struct sw_api_agent agent;

    assert_int_equal(DECODE(f, &sw_api_agent_message, "\x22\x02\x28\x01\x22\x02\x38\x05", &agent),
                     SW_OK);
    assert_true(agent.spec.keyed);
    assert_int_equal(agent.spec.slots, 5);
    assert_string_equal(agent.spec.module, "");
}

static void test_maps_keep_the_last_value(void **state)
{
    struct fixture *f = *state;
    struct sw_api_object_meta meta;

    assert_int_equal(DECODE(f, &sw_api_object_meta_message,
                            "\x32\x06\x0a\x01"
                            "b\x12\x01"
                            "1"
                            "\x32\x06\x0a\x01"
                            "a\x12\x01"
                            "2"
                            "\x32\x06\x0a\x01"
                            "b\x12\x01"
                            "3"
                            "\x32\x00"
                            "\x32\x05\x18\x01\x0a\x01"
                            "c",
                            &meta),
                     SW_OK);
    assert_int_equal(meta.labels_count, 4);
    assert_string_equal(meta.labels[0].key, "");
    assert_string_equal(sw_api_pair_find(meta.labels, 4, "b"), "3");
    assert_string_equal(sw_api_pair_find(meta.labels, 4, "c"), "");
}

static void test_hostile_bytes(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *told;
    } cases[] = {
#define CASE(bytes, told) {bytes, sizeof(bytes) - 1, told}
        CASE("\x20", "cut inside of a number"),
        CASE("\x80", "cut inside of a number"),
        CASE("\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", "a number of more than 64 bits"),
        CASE("\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "a number of more than 64 bits"),
        CASE("\x0a\x05hi", "cut inside of a field"),
        CASE("\x0a", "cut inside of a number"),
        CASE("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "cut inside of a field"),
        CASE("\x08\x01", "ObjectMeta.name: a wrong wire type"),
        CASE("\x22\x01\x00", "ObjectMeta.resource_version: a wrong wire type"),
        CASE("\x00\x00", "a field number out of range"),
        CASE("\x80\x80\x80\x80\x10\x00", "a field number out of range"),
        CASE("\xfb\x01", "an unknown wire type"),
        CASE("\xfc\x01", "an unknown wire type"),
        CASE("\xf9\x01\x01", "cut inside of a field"),
        CASE("\x0a\x01\xff", "ObjectMeta.name: not UTF-8 text without NUL"),
        CASE("\x0a\x01\x00", "ObjectMeta.name: not UTF-8 text without NUL"),
        CASE("\x32\x02\x08\x01", "ObjectMeta.labels: a wrong wire type"),
        CASE("\x32\x02\x00\x01", "ObjectMeta.labels: a field of number 0"),
        CASE("\x32\x01\x80", "cut inside of a number"),
        CASE("\x32\x03\x0a\x02"
             "a",
             "cut inside of a field"),
        CASE("\x32\x03\x0a\x01\xff", "ObjectMeta.labels: not UTF-8"),
#undef CASE
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sw_api_object_meta meta;
        assert_int_equal(
            decode(f, &sw_api_object_meta_message, cases[i].bytes, cases[i].size, &meta),
            SW_E_INVALID);
        assert_contains(f->err.message, cases[i].told);
    }
}

static void test_numbers_that_do_not_fit(void **state)
{
    struct fixture *f = *state;
    struct sw_api_agent_spec spec;
    struct sw_api_send_response response;

    assert_int_equal(DECODE(f, &sw_api_agent_spec_message, "\x38\x80\x80\x80\x80\x10", &spec),
                     SW_E_INVALID);
    assert_contains(f->err.message, "AgentSpec.slots: does not fit into 32 bits");
    assert_int_equal(
        DECODE(f, &sw_api_send_response_message, "\x08\x80\x80\x80\x80\x08", &response),
        SW_E_INVALID);
    assert_contains(f->err.message, "SendResponse.status: does not fit");
    assert_int_equal(DECODE(f, &sw_api_agent_spec_message, "\x50\x63\x28\x05", &spec), SW_OK);
    assert_int_equal(spec.durability, 99);
    assert_true(spec.keyed);
}

/* No message of the API holds itself or packed numbers today; the decoder is ready for both. */
struct chain {
    uint32_t *numbers;
    size_t numbers_count;
};
static const struct sw_api_field chain_fields[] = {
    {.name = "numbers",
     .proto_name = "numbers",
     .number = 1,
     .type = SW_API_TYPE_UINT32,
     .flags = SW_API_REPEATED,
     .offset = offsetof(struct chain, numbers),
     .count_offset = offsetof(struct chain, numbers_count)},
};
static const struct sw_api_message chain_message = {
    .name = "Chain", .fields = chain_fields, .field_count = 1, .size_bytes = sizeof(struct chain)};

static void test_packed_and_unpacked(void **state)
{
    struct fixture *f = *state;
    struct chain chain;

    assert_int_equal(
        DECODE(f, &chain_message, "\x08\x01\x0a\x03\x02\xac\x02\x08\x03\x0a\x00", &chain), SW_OK);
    assert_int_equal(chain.numbers_count, 4);
    assert_int_equal(chain.numbers[2], 300);
    sw_protobuf_encode(&chain_message, &chain, &f->out);
    assert_int_equal(f->out.size, sw_protobuf_size(&chain_message, &chain));
    assert_memory_equal(f->out.data, "\x0a\x05\x01\x02\xac\x02\x03", 7);
    assert_int_equal(DECODE(f, &chain_message, "\x0a\x01\x80", &chain), SW_E_INVALID);
    assert_int_equal(DECODE(f, &chain_message, "\x0d\x01\x00\x00\x00", &chain), SW_E_INVALID);
}

struct nest {
    struct nest *items;
    size_t items_count;
};
static const struct sw_api_message nest_message;
static const struct sw_api_field nest_fields[] = {
    {.name = "items",
     .proto_name = "items",
     .number = 1,
     .type = SW_API_TYPE_MESSAGE,
     .flags = SW_API_REPEATED,
     .message = &nest_message,
     .offset = offsetof(struct nest, items),
     .count_offset = offsetof(struct nest, items_count)},
};
static const struct sw_api_message nest_message = {
    .name = "Nest", .fields = nest_fields, .field_count = 1, .size_bytes = sizeof(struct nest)};

static void test_depth_is_limited(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[2 * SW_PROTOBUF_DEPTH_MAX];
    struct nest nest;

    for (unsigned i = 0; i < SW_PROTOBUF_DEPTH_MAX; i++) {
        bytes[2 * i] = 0x0a;
        bytes[2 * i + 1] = (uint8_t)(sizeof(bytes) - 2 * i - 2);
    }
    assert_int_equal(decode(f, &nest_message, bytes, sizeof(bytes), &nest), SW_E_INVALID);
    assert_contains(f->err.message, "nested too deeply");
    bytes[1] = (uint8_t)(sizeof(bytes) - 4);
    for (unsigned i = 1; i < SW_PROTOBUF_DEPTH_MAX - 1; i++)
        bytes[2 * i + 1] = (uint8_t)(sizeof(bytes) - 2 * i - 4);
    assert_int_equal(decode(f, &nest_message, bytes, sizeof(bytes) - 2, &nest), SW_OK);
}

static void test_memory_is_limited(void **state)
{
    struct fixture *f = *state;
    static const char bytes[] = "\x12\x01"
                                "A"
                                "\x1a\x14\x32\x06\x0a\x01"
                                "b\x12\x01"
                                "1"
                                "\x32\x06\x0a\x01"
                                "a\x12\x01"
                                "2"
                                "\x42\x02\x0a\x00";
    void *object = NULL;
    enum sw_rc rc = SW_E_EXHAUSTED;

    for (size_t size = 16; rc == SW_E_EXHAUSTED; size += 16) {
        struct sw_arena *arena = sw_arena_new(size);
        rc = sw_object_decode(sw_kind_find("Agent"), (struct sw_bytes){bytes, sizeof(bytes) - 1},
                              arena, &object, &f->err);
        sw_arena_free(arena);
        assert_true(size < 1u << 20);
    }
    assert_int_equal(rc, SW_OK);
}

static void test_objects_and_envelopes(void **state)
{
    struct fixture *f = *state;
    void *object = NULL;

    assert_int_equal(sw_object_decode(sw_kind_find("Agent"), (struct sw_bytes){NULL, 0}, f->arena,
                                      &object, &f->err),
                     SW_OK);
    assert_string_equal(((struct sw_api_agent *)object)->metadata.name, "");
    assert_int_equal(
        sw_object_decode(sw_kind_find("Agent"), bytes_of("\x08"), f->arena, &object, &f->err),
        SW_E_INVALID);

    struct sw_api_write_request request;
    assert_int_equal(DECODE(f, &sw_api_write_request_message,
                            "\x0a\x07\x12\x05"
                            "Agent\x10\x01",
                            &request),
                     SW_OK);
    assert_int_equal(request.object.size, 7);
    assert_true(request.dry_run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_known_bytes),
        TEST(test_numbers_below_zero_take_ten_bytes),
        TEST(test_unknown_fields_are_skipped),
        TEST(test_messages_in_parts_are_merged),
        TEST(test_maps_keep_the_last_value),
        TEST(test_hostile_bytes),
        TEST(test_numbers_that_do_not_fit),
        TEST(test_packed_and_unpacked),
        TEST(test_depth_is_limited),
        TEST(test_memory_is_limited),
        TEST(test_objects_and_envelopes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
