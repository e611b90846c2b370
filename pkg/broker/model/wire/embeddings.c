/* OpenAI embeddings: only among themselves, so there is nothing to translate. */
#include "pkg/broker/model/wire/codecs.h"
#include "pkg/broker/model/wire/rules.h"

static uint64_t element_bytes(const struct sw_wire_doc *doc, uint32_t at)
{
    /* An array of numbers is one input of so many tokens. */
    if (sw_wire_kind_of(doc, at) == SW_WIRE_ARRAY)
        return doc->nodes[at].count;
    return sw_wire_kind_of(doc, at) == SW_WIRE_NUMBER ? 1 : sw_wire_reading(doc, at);
}

static enum sw_rc look_input(struct sw_wire_request *request, uint32_t input, struct sw_err *err)
{
    const struct sw_wire_doc *doc = &request->doc;
    bool is_tokens;
    uint32_t first;

    if (sw_wire_is_string(doc, input)) {
        request->view.messages = 1;
        request->view.input_bytes = sw_wire_reading(doc, input);
        return SW_OK;
    }
    if (input == 0 || sw_wire_kind_of(doc, input) != SW_WIRE_ARRAY || doc->nodes[input].count == 0)
        return sw_wire_fail(doc, input, err, SW_E_INVALID,
                            "`input` must be a string, or an array of strings or tokens");
    first = sw_wire_first(doc, input);
    is_tokens = sw_wire_kind_of(doc, first) == SW_WIRE_NUMBER;
    request->view.messages = is_tokens ? 1 : doc->nodes[input].count;
    for (uint32_t i = first; i != 0; i = sw_wire_next(doc, input, i)) {
        if (sw_wire_kind_of(doc, i) != sw_wire_kind_of(doc, first) ||
            sw_wire_kind_of(doc, i) < SW_WIRE_NUMBER || sw_wire_kind_of(doc, i) > SW_WIRE_ARRAY)
            return sw_wire_fail(doc, i, err, SW_E_INVALID,
                                "inputs are all texts, all tokens or all arrays of tokens");
        request->view.input_bytes += element_bytes(doc, i);
    }
    return SW_OK;
}

static enum sw_rc look(struct sw_wire_request *request, struct sw_err *err)
{
    static const char *const names[] = {"model", "input"};
    uint32_t at[2];
    enum sw_rc rc = sw_wire_members(&request->doc, 0, names, 2, at, err);

    if (rc == SW_OK)
        rc = sw_wire_look_model(request, at[0], err);
    if (rc == SW_OK)
        rc = look_input(request, at[1], err);
    request->view.needs = SW_WIRE_NEED_EMBEDDINGS;
    request->view.is_deterministic = true;
    return rc;
}

static enum sw_rc answer_read(const struct sw_wire_doc *doc, const struct sw_wire_sink *sink)
{
    uint32_t data = sw_wire_find(doc, 0, "data"), usage = sw_wire_find(doc, 0, "usage");

    if (sw_wire_is_said(doc, sw_wire_find(doc, 0, "error"))) {
        sw_wire_note_error(sink, doc, sw_wire_find(doc, 0, "error"));
        return SW_OK;
    }
    if (data == 0 || sw_wire_kind_of(doc, data) != SW_WIRE_ARRAY)
        return sw_err_set(sink->err, SW_E_CORRUPT,
                          "the model's provider sent no embeddings: there is no data");
    if (sw_wire_is_said(doc, usage)) {
        sink->answer->usage.is_reported = sw_wire_find(doc, usage, "prompt_tokens") != 0;
        sink->answer->usage.input_tokens = sw_wire_tokens(doc, usage, "prompt_tokens");
    }
    return SW_OK;
}

const struct sw_wire_codec sw_wire_embeddings = {.look = look, .answer_read = answer_read};
