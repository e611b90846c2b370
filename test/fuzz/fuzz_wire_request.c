/* Requests to models: what is taken has a view, passes to its own protocol as a request that has
 * the same view, and is a request of each other protocol that it can be translated into. The first
 * byte chooses the protocol, and what the target asks for. */
/* uses: pkg/broker/model/wire */
/* covers: pkg/broker/model/wire/request.c pkg/broker/model/wire/rules.c */
/* covers: pkg/broker/model/wire/chat.c pkg/broker/model/wire/responses.c */
/* covers: pkg/broker/model/wire/messages.c pkg/broker/model/wire/embeddings.c */
/* covers: pkg/broker/model/wire/doc.c */
#include "pkg/broker/model/wire/wire.h"

#include <stdlib.h>

#define OUT_BYTES_MAX (32u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool is_good)
{
    if (!is_good)
        abort();
}

static void check_again(const struct sw_wire_view *view, const struct sw_wire_target *target,
                        const struct sw_buffer *out)
{
    struct sw_wire_request *again = NULL;
    const struct sw_wire_view *seen;
    struct sw_err err = {0};
    enum sw_rc rc = sw_wire_request_read(target->protocol, (struct sw_bytes){out->data, out->size},
                                         &again, &err);

    if (rc == SW_E_EXHAUSTED) /* It may have grown beyond the limits. */
        return;
    check(rc == SW_OK);
    seen = sw_wire_request_view(again);
    check(strcmp(seen->model, target->model) == 0 && seen->is_stream == view->is_stream);
    check(target->max_output_tokens == 0 || target->protocol == SW_WIRE_EMBEDDINGS ||
          (seen->max_output_tokens > 0 && seen->max_output_tokens <= target->max_output_tokens));
    if (target->protocol == view->protocol)
        check(seen->messages == view->messages && seen->needs == view->needs &&
              seen->media_bytes == view->media_bytes && seen->input_bytes == view->input_bytes);
    sw_wire_request_free(again);
}

static void try_target(const struct sw_wire_request *request, const struct sw_wire_target *target)
{
    struct sw_buffer out;
    struct sw_err err = {0};
    enum sw_rc rc;

    sw_buffer_init(&out, OUT_BYTES_MAX);
    rc = sw_wire_request_write(request, target, &out, &err);
    if (rc == SW_OK)
        check_again(sw_wire_request_view(request), target, &out);
    else
        check(err.message[0] != '\0' && out.size == 0 &&
              target->protocol != sw_wire_request_view(request)->protocol);
    sw_buffer_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SW_CLEANUP(sw_wire_request_freep) struct sw_wire_request *request = NULL;
    struct sw_wire_target target = {.model = "a \"model\""};
    struct sw_buffer identity;
    struct sw_err err = {0};
    enum sw_rc rc;

    if (size == 0)
        return 0;
    rc = sw_wire_request_read((enum sw_wire_protocol)(data[0] % SW_WIRE_PROTOCOLS),
                              (struct sw_bytes){data + 1, size - 1}, &request, &err);
    check((rc == SW_OK) == (request != NULL) && (rc == SW_OK || err.message[0] != '\0'));
    if (rc != SW_OK)
        return 0;
    target.max_output_tokens = (data[0] & 4) != 0 ? 77 : 0;
    target.uses_max_tokens = (data[0] & 8) != 0;
    target.lacks_usage = (data[0] & 16) != 0;
    for (unsigned i = 0; i < SW_WIRE_PROTOCOLS; i++) {
        target.protocol = (enum sw_wire_protocol)i;
        try_target(request, &target);
    }
    sw_buffer_init(&identity, OUT_BYTES_MAX);
    sw_wire_request_identity(request, &identity);
    check(!identity.failed && identity.size <= size + 64);
    sw_buffer_done(&identity);
    return 0;
}
