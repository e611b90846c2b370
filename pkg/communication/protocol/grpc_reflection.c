/* grpc.reflection.v1 and v1alpha, which differ only in their names
 * (github.com/grpc/grpc/blob/master/src/proto/grpc/reflection/v1/reflection.proto). */
#include "pkg/communication/protocol/grpc_state.h"

#include <string.h>

#define QUESTION_BYTES_MAX 65536u
#define ANSWER_BYTES_MAX 1048576u

enum { /* Fields of ServerReflectionRequest and of ServerReflectionResponse. */
       ASK_FILE = 3,
       ASK_SYMBOL = 4,
       ASK_EXTENSION = 5,
       ASK_EXTENSION_NUMBERS = 6,
       ASK_SERVICES = 7,
       TELL_QUESTION = 2,
       TELL_FILE = 4,
       TELL_SERVICES = 6,
       TELL_ERROR = 7
};

struct stream { /* In its request's arena. */
    struct sw_grpc *grpc;
    struct sw_buffer in;
};

bool sw_grpc_is_reflection(const struct sw_http_request *request)
{
    return sw_bytes_is_text(request->path,
                            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo") ||
           sw_bytes_is_text(request->path,
                            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo");
}

static void put_error(struct sw_buffer *out, enum sw_rc rc, const char *words)
{
    struct sw_buffer error;

    sw_buffer_init(&error, 512);
    sw_wire_put_number(&error, 1, (uint64_t)-(int64_t)rc);
    sw_wire_put_text(&error, 2, words);
    sw_wire_put_bytes(out, TELL_ERROR, (struct sw_bytes){.data = error.data, .size = error.size});
    sw_buffer_done(&error);
}

static void put_file(struct sw_buffer *out, struct sw_bytes descriptor)
{
    struct sw_buffer file;

    if (descriptor.data == NULL) {
        put_error(out, SW_E_NOT_FOUND, "not known here");
        return;
    }
    sw_buffer_init(&file, ANSWER_BYTES_MAX);
    sw_wire_put_bytes(&file, 1, descriptor);
    sw_wire_put_bytes(out, TELL_FILE, (struct sw_bytes){.data = file.data, .size = file.size});
    sw_buffer_done(&file);
}

static void put_services(const struct sw_grpc_reflection *reflection, struct sw_buffer *out)
{
    struct sw_buffer list, service;

    sw_buffer_init(&list, ANSWER_BYTES_MAX);
    sw_buffer_init(&service, 1024);
    for (size_t i = 0; i < reflection->services_count; i++) {
        sw_buffer_reset(&service);
        sw_wire_put_text(&service, 1, reflection->services[i]);
        sw_wire_put_bytes(&list, 1, (struct sw_bytes){.data = service.data, .size = service.size});
    }
    sw_wire_put_bytes(out, TELL_SERVICES, (struct sw_bytes){.data = list.data, .size = list.size});
    sw_buffer_done(&list);
    sw_buffer_done(&service);
}

/* A NUL-terminated copy of a name; longer ones than any real name are cut, and so not found. */
static void copy_name(struct sw_bytes bytes, char ret_name[256])
{
    size_t size = bytes.size < 255 ? bytes.size : 255;

    if (size > 0)
        (void)memcpy(ret_name, bytes.data, size);
    ret_name[size] = '\0';
}

static void put_answer(const struct sw_grpc_reflection *reflection, struct sw_bytes question,
                       struct sw_buffer *out)
{
    struct sw_bytes rest = question;
    struct wire_field field, asked = {0};
    char name[256];
    bool is_bad;

    sw_wire_put_bytes(out, TELL_QUESTION, question);
    while (sw_wire_next(&rest, &field, &is_bad))
        if (field.number >= ASK_FILE && field.number <= ASK_SERVICES && !field.is_number)
            asked = field;
    copy_name(asked.bytes, name);
    if (is_bad || asked.number == 0)
        put_error(out, SW_E_INVALID, "not a question that can be answered");
    else if (asked.number == ASK_FILE)
        put_file(out, reflection->file(reflection->ctx, name));
    else if (asked.number == ASK_SYMBOL)
        put_file(out, reflection->symbol(reflection->ctx, name));
    else if (asked.number == ASK_SERVICES)
        put_services(reflection, out);
    else
        put_error(out, SW_E_NOT_FOUND, "there are no extensions");
}

static void end(struct stream *stream, struct sw_http_request *request, const char *status)
{
    struct sw_http_header trailer = SW_HTTP_HEADER("grpc-status", status);

    sw_buffer_done(&stream->in);
    sw_http_end(request, &trailer, 1);
}

/* Answer one question; false when the client does not read its answers. */
static bool answer(struct stream *stream, struct sw_http_request *request, struct sw_bytes question)
{
    struct sw_buffer out, frame;
    bool is_sent;

    sw_buffer_init(&out, ANSWER_BYTES_MAX);
    sw_buffer_init(&frame, ANSWER_BYTES_MAX + 8);
    put_answer(&stream->grpc->reflection, question, &out);
    sw_grpc_put_frame(&frame, (struct sw_bytes){.data = out.data, .size = out.size});
    is_sent =
        !out.failed && !frame.failed && sw_http_write(request, frame.data, frame.size) == SW_OK;
    sw_buffer_done(&out);
    sw_buffer_done(&frame);
    return is_sent;
}

static void on_body(void *ctx, struct sw_http_request *request, struct sw_bytes bytes, bool is_last)
{
    struct stream *stream = ctx;
    struct sw_bytes rest, question;
    enum sw_rc rc = SW_OK;

    sw_buffer_put(&stream->in, bytes.data, bytes.size);
    rest = (struct sw_bytes){.data = stream->in.data, .size = stream->in.size};
    while (!stream->in.failed && rc == SW_OK) {
        rc = sw_grpc_take_frame(&rest, QUESTION_BYTES_MAX / 2, &question);
        if (rc == SW_OK && !answer(stream, request, question))
            rc = SW_E_EXHAUSTED;
    }
    if (stream->in.failed || rc != SW_E_UNAVAILABLE)
        end(stream, request, rc == SW_E_UNSUPPORTED ? "12" : "8");
    else if (is_last)
        end(stream, request, rest.size == 0 ? "0" : "3");
    else
        sw_buffer_consume(&stream->in, stream->in.size - rest.size);
}

static void on_cancel(void *ctx, struct sw_http_request *request)
{
    end(ctx, request, "1");
}

void sw_grpc_reflect(struct sw_grpc *grpc, struct sw_http_request *request)
{
    struct sw_http_header header = SW_HTTP_HEADER("content-type", "application/grpc");
    struct stream *stream = sw_arena_get(request->arena, sizeof *stream);

    if (stream == NULL) {
        sw_grpc_refuse(request, SW_E_EXHAUSTED, NULL);
        return;
    }
    stream->grpc = grpc;
    sw_buffer_init(&stream->in, QUESTION_BYTES_MAX);
    sw_http_stream_body(request, on_body, stream);
    sw_http_on_cancel(request, on_cancel, stream);
    sw_http_start(request, 200, &header, 1);
}
