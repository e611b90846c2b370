#include "pkg/apis/swarm/v1/fields.h"
#include "pkg/apis/swarm/v1/protobuf.h"
#include "pkg/apis/swarm/v1/wire.h"
#include "pkg/utils/base/text.h"

struct decoder {
    struct sw_arena *arena;
    struct sw_err *err;
    const char *message; /* Name of the message being read, for errors. */
    unsigned depth;
};

struct input { /* What is left to read of one message. */
    const uint8_t *at, *end;
};

/* An empty run may have no address at all. */
static struct input input_of(struct sw_bytes run)
{
    static const uint8_t nothing[1];
    const uint8_t *data = run.size > 0 ? run.data : nothing;
    return (struct input){data, data + run.size};
}

static enum sw_rc fail(struct decoder *decoder, const struct sw_api_field *field, const char *what)
{
    sw_err_set(decoder->err, SW_E_INVALID, "%s%s%s: %s", decoder->message, field == NULL ? "" : ".",
               field == NULL ? "" : field->proto_name, what);
    return SW_E_INVALID;
}

static enum sw_rc fail_full(struct decoder *decoder)
{
    return sw_err_set(decoder->err, SW_E_EXHAUSTED, "%s: larger than what is allowed here",
                      decoder->message);
}

static enum sw_rc get_varint(struct decoder *decoder, struct input *input, uint64_t *ret_number)
{
    uint64_t number = 0;

    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (input->at == input->end)
            return fail(decoder, NULL, "cut inside of a number");
        uint8_t byte = *input->at++;
        if (shift == 63 && byte > 1)
            break;
        number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret_number = number;
            return SW_OK;
        }
    }
    return fail(decoder, NULL, "a number of more than 64 bits");
}

static enum sw_rc get_run(struct decoder *decoder, struct input *input, struct sw_bytes *ret_run)
{
    uint64_t size = 0;
    enum sw_rc rc = get_varint(decoder, input, &size);

    if (rc != SW_OK)
        return rc;
    if (size > (uint64_t)(input->end - input->at))
        return fail(decoder, NULL, "cut inside of a field");
    *ret_run = (struct sw_bytes){input->at, (size_t)size};
    input->at += size;
    return SW_OK;
}

static enum sw_rc skip(struct decoder *decoder, struct input *input, unsigned wire)
{
    struct sw_bytes run;
    uint64_t number;
    size_t size = wire == SW_WIRE_FIXED64 ? 8 : 4;

    if (wire == SW_WIRE_VARINT)
        return get_varint(decoder, input, &number);
    if (wire == SW_WIRE_RUN)
        return get_run(decoder, input, &run);
    if (wire != SW_WIRE_FIXED64 && wire != SW_WIRE_FIXED32)
        return fail(decoder, NULL, "an unknown wire type");
    if ((size_t)(input->end - input->at) < size)
        return fail(decoder, NULL, "cut inside of a field");
    input->at += size;
    return SW_OK;
}

static enum sw_rc set_integer(struct decoder *decoder, const struct sw_api_field *field,
                              uint64_t number, void *at)
{
    bool is_signed = field->type == SW_API_TYPE_INT32 || field->type == SW_API_TYPE_ENUM;
    int64_t as_signed = (int64_t)number;

    if (is_signed && (as_signed < INT32_MIN || as_signed > INT32_MAX))
        return fail(decoder, field, "does not fit into 32 bits");
    if (field->type == SW_API_TYPE_UINT32 && number > UINT32_MAX)
        return fail(decoder, field, "does not fit into 32 bits");
    sw_field_set_integer(field, at, number);
    return SW_OK;
}

static enum sw_rc set_text(struct decoder *decoder, const struct sw_api_field *field,
                           struct sw_bytes run, void *at)
{
    if (!sw_text_is_utf8(run.data, run.size))
        return fail(decoder, field, "not UTF-8 text without NUL");
    char *text = sw_arena_copy(decoder->arena, run.data, run.size);
    if (text == NULL)
        return fail_full(decoder);
    sw_field_set_text(at, text);
    return SW_OK;
}

static enum sw_rc decode_message(struct decoder *decoder, const struct sw_api_message *message,
                                 struct sw_bytes run, void *value);

/* A map entry: key = 1 and value = 2, each "" when it is missing. */
static enum sw_rc set_pair(struct decoder *decoder, const struct sw_api_field *field,
                           struct sw_bytes run, struct sw_api_pair *pair)
{
    struct input input = input_of(run);
    enum sw_rc rc = SW_OK;

    *pair = (struct sw_api_pair){"", ""};
    while (rc == SW_OK && input.at < input.end) {
        struct sw_bytes text = {0};
        uint64_t tag = 0;
        rc = get_varint(decoder, &input, &tag);
        if (rc != SW_OK)
            break;
        if (tag >> 3 == 0)
            return fail(decoder, field, "a field of number 0");
        if (tag >> 3 > 2) {
            rc = skip(decoder, &input, tag & 7);
            continue;
        }
        if ((tag & 7) != SW_WIRE_RUN)
            return fail(decoder, field, "a wrong wire type");
        rc = get_run(decoder, &input, &text);
        if (rc == SW_OK)
            rc = set_text(decoder, field, text, tag >> 3 == 1 ? &pair->key : &pair->value);
    }
    return rc;
}

static enum sw_rc set_run(struct decoder *decoder, const struct sw_api_field *field,
                          struct sw_bytes run, void *at)
{
    if (field->type == SW_API_TYPE_STRING)
        return set_text(decoder, field, run, at);
    if (field->type == SW_API_TYPE_MAP)
        return set_pair(decoder, field, run, at);
    if (field->type == SW_API_TYPE_MESSAGE)
        return decode_message(decoder, field->message, run, at);
    *(struct sw_bytes *)at = run;
    return SW_OK;
}

/* Where the next item of the field goes; a new item of a repeated field is made empty. */
static void *next_place(struct decoder *decoder, const struct sw_api_field *field, void *value)
{
    if (!sw_field_is_many(field))
        return sw_field_in(field, value);
    void *at = sw_field_add_item(field, value, decoder->arena);
    if (at != NULL && field->type == SW_API_TYPE_MESSAGE)
        sw_api_init(field->message, at);
    return at;
}

static enum sw_rc decode_packed(struct decoder *decoder, const struct sw_api_field *field,
                                struct sw_bytes run, void *value)
{
    struct input input = input_of(run);
    enum sw_rc rc = SW_OK;

    while (rc == SW_OK && input.at < input.end) {
        uint64_t number = 0;
        void *at = next_place(decoder, field, value);
        if (at == NULL)
            return fail_full(decoder);
        rc = get_varint(decoder, &input, &number);
        if (rc == SW_OK)
            rc = set_integer(decoder, field, number, at);
    }
    return rc;
}

static enum sw_rc decode_field(struct decoder *decoder, const struct sw_api_field *field,
                               unsigned wire, struct input *input, void *value)
{
    struct sw_bytes run = {0};
    uint64_t number = 0;
    enum sw_rc rc = wire == SW_WIRE_VARINT ? get_varint(decoder, input, &number)
                                           : get_run(decoder, input, &run);

    if (rc != SW_OK)
        return rc;
    if (wire == SW_WIRE_RUN && sw_wire_of(field) == SW_WIRE_VARINT)
        return decode_packed(decoder, field, run, value);
    void *at = next_place(decoder, field, value);
    if (at == NULL)
        return fail_full(decoder);
    sw_field_set_has(field, value);
    if (wire == SW_WIRE_VARINT)
        return set_integer(decoder, field, number, at);
    return set_run(decoder, field, run, at);
}

/* Fields mostly come in order, so the search begins at the one after the last. */
static const struct sw_api_field *find_number(const struct sw_api_message *message, uint64_t number,
                                              unsigned *hint)
{
    for (unsigned n = 0; n < message->field_count; n++) {
        unsigned i = (*hint + n) % message->field_count;
        if (message->fields[i].number == number) {
            *hint = i;
            return &message->fields[i];
        }
    }
    return NULL;
}

static bool accepts(const struct sw_api_field *field, unsigned wire)
{
    bool may_be_packed = (field->flags & SW_API_REPEATED) != 0 && wire == SW_WIRE_RUN;
    return wire == sw_wire_of(field) || may_be_packed;
}

static enum sw_rc decode_fields(struct decoder *decoder, const struct sw_api_message *message,
                                struct input *input, void *value)
{
    unsigned hint = 0;
    enum sw_rc rc = SW_OK;

    while (rc == SW_OK && input->at < input->end) {
        uint64_t tag = 0;
        decoder->message = message->name;
        rc = get_varint(decoder, input, &tag);
        if (rc != SW_OK)
            break;
        if (tag >> 3 == 0 || tag >> 3 > (1u << 29) - 1)
            return fail(decoder, NULL, "a field number out of range");
        const struct sw_api_field *field = find_number(message, tag >> 3, &hint);
        if (field == NULL)
            rc = skip(decoder, input, tag & 7);
        else if (!accepts(field, tag & 7))
            rc = fail(decoder, field, "a wrong wire type");
        else
            rc = decode_field(decoder, field, tag & 7, input, value);
    }
    return rc;
}

static enum sw_rc decode_message(struct decoder *decoder, const struct sw_api_message *message,
                                 struct sw_bytes run, void *value)
{
    struct input input = input_of(run);
    enum sw_rc rc;

    if (decoder->depth == SW_PROTOBUF_DEPTH_MAX)
        return fail(decoder, NULL, "nested too deeply");
    decoder->depth++;
    rc = decode_fields(decoder, message, &input, value);
    decoder->depth--;
    for (unsigned i = 0; i < message->field_count && rc == SW_OK; i++)
        if (message->fields[i].type == SW_API_TYPE_MAP &&
            sw_field_sort_map(&message->fields[i], value, decoder->arena) != SW_OK)
            rc = fail_full(decoder);
    return rc;
}

enum sw_rc sw_protobuf_decode(const struct sw_api_message *message, struct sw_bytes bytes,
                              struct sw_arena *arena, void *ret_value, struct sw_err *err)
{
    struct decoder decoder = {.arena = arena, .err = err, .message = message->name};

    sw_api_init(message, ret_value);
    return decode_message(&decoder, message, bytes, ret_value);
}

enum sw_rc sw_object_decode(const struct sw_kind *kind, struct sw_bytes bytes,
                            struct sw_arena *arena, void **ret_object, struct sw_err *err)
{
    void *object = sw_object_new(kind, arena);
    enum sw_rc rc;

    if (object == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "%s: larger than what is allowed here", kind->name);
    rc = sw_protobuf_decode(kind->message, bytes, arena, object, err);
    if (rc == SW_OK)
        *ret_object = object;
    return rc;
}
