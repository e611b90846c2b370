/* A client that speaks bytes, for the tests of what clients should not send. */
#pragma once
#include "test/unit/communication/protocol/fixture.h"

static inline void on_raw_data(void *ctx, struct sw_stream *stream, struct sw_bytes bytes)
{
    struct fixture *f = ctx;

    (void)stream;
    if (f->text_size + bytes.size < sizeof f->text) {
        (void)memcpy(f->text + f->text_size, bytes.data, bytes.size);
        f->text_size += bytes.size;
        f->text[f->text_size] = '\0';
    }
    check(f);
}

static inline void on_raw_end(void *ctx, struct sw_stream *stream)
{
    struct fixture *f = ctx;

    f->raw_ended = true;
    sw_stream_finish(stream);
    check(f);
}

static inline void on_raw_close(void *ctx, struct sw_stream *stream, enum sw_rc rc)
{
    struct fixture *f = ctx;

    (void)stream;
    (void)rc;
    f->raw = NULL;
    f->raw_closed = true;
    check(f);
}

static inline void on_raw_connect(void *ctx, enum sw_rc rc, struct sw_stream *stream)
{
    struct fixture *f = ctx;
    struct sw_stream_handler handler = {
        .ctx = f, .on_data = on_raw_data, .on_end = on_raw_end, .on_close = on_raw_close};

    assert_int_equal(rc, SW_OK);
    f->raw = stream;
    sw_stream_start(stream, &handler, 64u << 20);
    check(f);
}

static inline bool is_raw_connected(struct fixture *f)
{
    return f->raw != NULL;
}

static inline bool is_raw_over(struct fixture *f)
{
    return f->raw_closed || f->raw_ended;
}

static inline bool is_raw_gone(struct fixture *f)
{
    return f->raw_closed;
}

static inline void raw_connect(struct fixture *f)
{
    f->raw_closed = false;
    f->raw_ended = false;
    f->text_size = 0;
    f->text[0] = '\0';
    assert_int_equal(sw_stream_connect(f->loop, f->address, 5000, on_raw_connect, f, NULL), SW_OK);
    run_until(f, is_raw_connected);
}

static inline void raw_send(struct fixture *f, const void *bytes, size_t size)
{
    if (f->raw == NULL)
        raw_connect(f);
    assert_int_equal(sw_stream_write(f->raw, bytes, size), SW_OK);
}

static inline void raw_text(struct fixture *f, const char *text)
{
    raw_send(f, text, strlen(text));
}
