/* JSON bodies from clients: what is taken is valid or named as a problem, and is written back so
 * that reading that again gives an equal value. The first byte chooses the kind.
 */
/* uses: pkg/apis/swarm/v1 */
/* covers: pkg/apis/swarm/v1/json_decode.c pkg/apis/swarm/v1/bind.c */
/* covers: pkg/apis/swarm/v1/json_encode.c */
#include "pkg/apis/swarm/v1/json.h"
#include "pkg/apis/swarm/v1/validate.h"

#include <assert.h>

#define ARENA_MAX (32u << 20)
#define BUFFER_MAX (16u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct sw_api_message *message, const void *value,
                             const struct sw_bind_options *bind)
{
    void *again = sw_arena_get(bind->arena, message->size_bytes);
    struct sw_buffer out;

    if (again == NULL)
        return;
    sw_buffer_init(&out, BUFFER_MAX);
    sw_json_encode(message, value, SW_JSON_PRETTY, &out);
    assert(sw_buffer_check(&out) == SW_OK);
    enum sw_rc rc = sw_json_decode(message, (struct sw_bytes){out.data, out.size}, bind, again);
    assert(rc == SW_E_EXHAUSTED || (rc == SW_OK && sw_api_is_equal(message, value, again)));
    sw_buffer_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(ARENA_MAX);
    struct sw_problems problems = sw_problems_of(arena);
    const struct sw_bind_options bind = {.arena = arena, .problems = &problems, .file = ""};
    const struct sw_validate_options check = {.problems = &problems, .file = ""};
    struct sw_bytes body = {data + 1, size - 1};
    struct sw_api_send_response response;
    void *object = NULL;

    if (data[0] >= 128) { /* A message with bytes and a signed number. */
        if (sw_json_decode(&sw_api_send_response_message, body, &bind, &response) == SW_OK)
            check_round_trip(&sw_api_send_response_message, &response, &bind);
        return 0;
    }
    const struct sw_kind *kind = &sw_kinds[data[0] % sw_kind_count];
    enum sw_rc rc = sw_object_decode_json(kind, body, &bind, &object);
    assert((rc == SW_E_INVALID) == !sw_problems_is_empty(&problems) || rc == SW_E_EXHAUSTED);
    if (rc != SW_OK)
        return 0;
    check_round_trip(kind->message, object, &bind);
    sw_object_apply_defaults(kind, object);
    rc = sw_object_validate(kind, object, &check);
    assert((rc == SW_OK) == sw_problems_is_empty(&problems));
    return 0;
}
