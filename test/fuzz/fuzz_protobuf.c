/* Protocol Buffers from clients: decoding takes any bytes, and what it takes it writes back so that
 * reading that again gives an equal value. The first byte chooses the message and how much memory
 * there is. One message is made up here: it holds itself and numbers, which none of api/v1 does.
 */
/* uses: pkg/apis/swarm/v1 */
/* covers: pkg/apis/swarm/v1/protobuf_decode.c pkg/apis/swarm/v1/protobuf_encode.c */
#include "pkg/apis/swarm/v1/protobuf.h"

#include <assert.h>
#include <stddef.h>

#define ARENA_MAX (16u << 20)
#define ARENA_SMALL 4096
#define BUFFER_MAX (16u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct nest {
    uint32_t *numbers;
    size_t numbers_count;
    struct nest *items;
    size_t items_count;
};
static const struct sw_api_message nest_message;
static const struct sw_api_field nest_fields[] = {
    {.name = "numbers",
     .proto_name = "numbers",
     .number = 1,
     .type = SW_API_TYPE_UINT32,
     .flags = SW_API_REPEATED,
     .offset = offsetof(struct nest, numbers),
     .count_offset = offsetof(struct nest, numbers_count)},
    {.name = "items",
     .proto_name = "items",
     .number = 2,
     .type = SW_API_TYPE_MESSAGE,
     .flags = SW_API_REPEATED,
     .message = &nest_message,
     .offset = offsetof(struct nest, items),
     .count_offset = offsetof(struct nest, items_count)},
};
static const struct sw_api_message nest_message = {
    .name = "Nest", .fields = nest_fields, .field_count = 2, .size_bytes = sizeof(struct nest)};

/* Kinds first, then requests, in order of the tables, then the one above. */
static const struct sw_api_message *choose(unsigned number)
{
    number %= sw_kind_count + sw_api_method_count + 1;
    if (number == sw_kind_count + sw_api_method_count)
        return &nest_message;
    return number < sw_kind_count ? sw_kinds[number].message
                                  : sw_api_methods[number - sw_kind_count].request;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sw_err err = {0};
    struct sw_buffer out;

    if (size == 0)
        return 0;
    SW_CLEANUP(sw_arena_freep)
    struct sw_arena *arena = sw_arena_new(data[0] & 0x80 ? ARENA_SMALL : ARENA_MAX);
    const struct sw_api_message *message = choose(data[0] & 0x7f);
    struct sw_bytes input = {data + 1, size - 1};
    void *object = NULL, *value = sw_arena_get(arena, message->size_bytes);
    void *again = sw_arena_get(arena, message->size_bytes);
    enum sw_rc rc = sw_object_decode(&sw_kinds[0], input, arena, &object, &err);
    assert((rc == SW_OK) == (object != NULL));
    if (value == NULL || again == NULL ||
        sw_protobuf_decode(message, input, arena, value, &err) != SW_OK)
        return 0;
    sw_buffer_init(&out, BUFFER_MAX);
    sw_protobuf_encode(message, value, &out);
    assert(sw_buffer_check(&out) == SW_OK);
    assert(out.size == sw_protobuf_size(message, value));
    rc = sw_protobuf_decode(message, (struct sw_bytes){out.data, out.size}, arena, again, &err);
    assert(rc == SW_E_EXHAUSTED || (rc == SW_OK && sw_api_is_equal(message, value, again)));
    sw_buffer_done(&out);
    return 0;
}
