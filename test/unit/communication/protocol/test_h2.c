/* Hostile HTTP/2: floods, stalls, frames that are wrong. Frames are written by hand. */
#include "test/unit/communication/protocol/raw.h"

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };

/* Header blocks: GET or POST, http, "/", and an :authority that is not put into the table. */
#define GET_BLOCK "\x82\x86\x84\x01\x01h"
#define POST_BLOCK "\x83\x86\x84\x01\x01h"
#define BLOCK_SIZE 6u

static void frame(struct fixture *f, int type, int flags, uint32_t stream, const void *payload,
                  size_t size)
{
    uint8_t head[9] = {(uint8_t)(size >> 16),   (uint8_t)(size >> 8),   (uint8_t)size,
                       (uint8_t)type,           (uint8_t)flags,         (uint8_t)(stream >> 24),
                       (uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream};

    if (f->raw == NULL)
        return; /* The server has hung up already. */
    if (sw_stream_write(f->raw, head, sizeof head) != SW_OK)
        return;
    if (size > 0)
        (void)!sw_stream_write(f->raw, payload, size);
}

static void open_h2(struct fixture *f, const struct sw_http_limits *limits)
{
    fixture_start(f, limits, NULL);
    raw_connect(f);
    raw_text(f, PREFACE);
    frame(f, SETTINGS, 0, 0, NULL, 0);
    frame(f, SETTINGS, ACK, 0, NULL, 0);
}

static void get_stream(struct fixture *f, uint32_t stream)
{
    frame(f, HEADERS, END_HEADERS | END_STREAM, stream, GET_BLOCK, BLOCK_SIZE);
}

/* The first frame of a type that the server has sent, or NULL. */
static const uint8_t *find_frame(struct fixture *f, int type, size_t *ret_size)
{
    const uint8_t *at = (const uint8_t *)f->text, *end = at + f->text_size;

    while (end - at >= 9) {
        size_t size = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];

        if (at[3] == type && !(type == SETTINGS && (at[4] & ACK) != 0)) {
            *ret_size = size;
            return at + 9;
        }
        at += 9 + size;
    }
    return NULL;
}

/* The error code of the GOAWAY that ended the connection. */
static int goaway_code(struct fixture *f)
{
    size_t size;
    const uint8_t *payload = find_frame(f, GOAWAY, &size);

    return payload == NULL || size < 8 ? -1 : payload[7];
}

static bool has_headers_frame(struct fixture *f)
{
    size_t size;

    return find_frame(f, HEADERS, &size) != NULL || is_raw_over(f);
}

static bool has_reset_frame(struct fixture *f)
{
    size_t size;

    return find_frame(f, RST_STREAM, &size) != NULL || is_raw_over(f);
}

static void frames_by_hand_are_answered(void **state)
{
    struct fixture *f = *state;
    size_t size;

    open_h2(f, NULL);
    get_stream(f, 1);
    run_until(f, has_headers_frame);
    run_for(f, 5);
    assert_int_equal(f->handled, 1);
    assert_non_null(find_frame(f, SETTINGS, &size));
    assert_non_null(find_frame(f, DATA, &size));
    assert_int_equal(size, 5);
}

static void the_preface_in_single_bytes_is_understood(void **state)
{
    struct fixture *f = *state;

    fixture_start(f, NULL, NULL);
    raw_connect(f);
    for (size_t i = 0; i < sizeof PREFACE - 1; i++) {
        raw_send(f, &PREFACE[i], 1);
        run_for(f, 0);
    }
    frame(f, SETTINGS, 0, 0, NULL, 0);
    get_stream(f, 1);
    run_until(f, has_headers_frame);
    assert_int_equal(f->handled, 1);
}

static void on_reset(void *ctx, struct sw_http_request *request)
{
    (void)ctx;
    sw_http_respond(request, 200, NULL, 0, (struct sw_bytes){0});
}

static void keep_none(struct fixture *f, struct sw_http_request *request)
{
    (void)f;
    sw_http_on_cancel(request, on_reset, NULL);
}

static void rapid_resets_end_the_connection(void **state)
{
    struct fixture *f = *state;
    struct sw_http_limits limits = {.resets_per_s = 10};
    static const uint8_t cancel[4] = {0, 0, 0, 8};

    open_h2(f, &limits);
    f->answer = keep_none;
    for (uint32_t i = 0; i < 2000; i++) {
        get_stream(f, 1 + 2 * i);
        frame(f, RST_STREAM, 0, 1 + 2 * i, cancel, 4);
    }
    run_until(f, is_raw_over);
    assert_int_equal(goaway_code(f), 11); /* ENHANCE_YOUR_CALM */
    assert_int_equal(server_view(f).floods, 1);
    assert_true(f->handled <= 101);
    assert_int_equal(server_view(f).requests, 0);
}

static void ping_floods_end_the_connection(void **state)
{
    struct fixture *f = *state;
    struct sw_http_limits limits = {.control_frames_per_s = 20};

    open_h2(f, &limits);
    for (int i = 0; i < 2000; i++)
        frame(f, PING, 0, 0, "12345678", 8);
    run_until(f, is_raw_over);
    assert_int_equal(goaway_code(f), 11);
    assert_int_equal(server_view(f).floods, 1);
}

static void settings_floods_end_the_connection(void **state)
{
    struct fixture *f = *state;
    struct sw_http_limits limits = {.control_frames_per_s = 20};

    open_h2(f, &limits);
    for (int i = 0; i < 2000; i++)
        frame(f, SETTINGS, 0, 0, NULL, 0);
    run_until(f, is_raw_over);
    assert_int_equal(goaway_code(f), 11);
}

static void empty_data_floods_end_the_connection(void **state)
{
    struct fixture *f = *state;
    struct sw_http_limits limits = {.control_frames_per_s = 20};

    open_h2(f, &limits);
    frame(f, HEADERS, END_HEADERS, 1, POST_BLOCK, BLOCK_SIZE); /* POST */
    for (int i = 0; i < 2000; i++)
        frame(f, DATA, 0, 1, NULL, 0);
    run_until(f, is_raw_over);
    assert_int_equal(goaway_code(f), 11);
    assert_int_equal(f->handled, 0);
}

static void a_few_control_frames_are_fine(void **state)
{
    struct fixture *f = *state;

    open_h2(f, NULL);
    for (int i = 0; i < 500; i++)
        frame(f, PING, 0, 0, "12345678", 8);
    get_stream(f, 1);
    run_until(f, has_headers_frame);
    assert_int_equal(f->handled, 1);
}

static void continuations_without_end_end_the_connection(void **state)
{
    struct fixture *f = *state;
    char block[1000];

    /* A literal header without indexing, over and over: \x00 name value. */
    for (size_t i = 0; i + 5 <= sizeof block; i += 5)
        (void)memcpy(block + i, "\x00\x01x\x01y", 5);
    open_h2(f, NULL);
    frame(f, HEADERS, 0, 1, GET_BLOCK, BLOCK_SIZE);
    for (int i = 0; i < 3000; i++)
        frame(f, 9, 0, 1, block, sizeof block);
    run_until(f, is_raw_over);
    assert_int_equal(f->handled, 0);
}

static void header_bombs_end_the_connection(void **state)
{
    struct fixture *f = *state;
    static char value[4000];
    char block[16000];
    size_t at = 0;

    /* One large header put into the table, then named by one byte, thousands of times. */
    (void)memset(value, 'v', sizeof value);
    (void)memcpy(block, GET_BLOCK "\x40\x01x\x7f\xa1\x1e", BLOCK_SIZE + 6);
    at = BLOCK_SIZE + 6;
    (void)memcpy(block + at, value, 4000);
    at += 4000;
    (void)memset(block + at, 0xbe, sizeof block - at);
    open_h2(f, NULL);
    frame(f, HEADERS, END_HEADERS | END_STREAM, 1, block, sizeof block);
    run_until(f, is_raw_over);
    assert_int_equal(f->handled, 0);
    assert_int_equal(server_view(f).floods, 1);
}

static void a_head_that_never_ends_is_timed_out(void **state)
{
    struct fixture *f = *state;
    struct sw_http_limits limits = {.header_timeout_ms = 30, .tick_ms = 5};

    open_h2(f, &limits);
    frame(f, HEADERS, 0, 1, GET_BLOCK, BLOCK_SIZE);
    run_until(f, is_raw_over);
    assert_int_equal(server_view(f).timeouts, 1);
}

static void a_body_that_never_ends_is_timed_out(void **state)
{
    struct fixture *f = *state;
    struct sw_http_limits limits = {.body_timeout_ms = 30, .tick_ms = 5};

    open_h2(f, &limits);
    frame(f, HEADERS, END_HEADERS, 1, POST_BLOCK, BLOCK_SIZE);
    frame(f, DATA, 0, 1, "abc", 3);
    run_until(f, has_headers_frame);
    assert_int_equal(server_view(f).timeouts, 1);
    assert_int_equal(f->handled, 0);
}

static void on_gone(void *ctx, struct sw_http_request *request)
{
    struct fixture *f = ctx;

    f->cancelled++;
    sw_http_end(request, NULL, 0);
    check(f);
}

static void stream_much(struct fixture *f, struct sw_http_request *request)
{
    static char block[100000];

    sw_http_on_cancel(request, on_gone, f);
    sw_http_start(request, 200, NULL, 0);
    assert_int_equal(sw_http_write(request, block, sizeof block), SW_OK);
}

static void a_closed_window_is_timed_out(void **state)
{
    struct fixture *f = *state;
    struct sw_http_limits limits = {.stall_timeout_ms = 40, .tick_ms = 5};

    open_h2(f, &limits);
    f->answer = stream_much; /* More than the 65,535 bytes that the window lets through. */
    get_stream(f, 1);
    run_until(f, is_cancelled);
    run_until(f, has_reset_frame);
    assert_int_equal(server_view(f).timeouts, 1);
    assert_int_equal(server_view(f).requests, 0);
}

static void bytes_in_the_middle_of_a_frame_do_not_keep_a_connection(void **state)
{
    struct fixture *f = *state;
    struct sw_http_limits limits = {.idle_timeout_ms = 30, .tick_ms = 5};

    open_h2(f, &limits);
    raw_send(f, "\x00\x40\x00\x00", 4);
    run_until(f, is_raw_over);
}

static void wrong_frames_end_the_connection(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {
        {"\x00\x00\x05\x08\x00\x00\x00\x00\x00"
         "abcde",
         14},                                                         /* WINDOW_UPDATE of 5 */
        {"\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00", 13}, /* of zero */
        {"\x00\x00\x07\x06\x00\x00\x00\x00\x00"
         "1234567",
         16}, /* PING of 7 */
        {"\x00\x00\x03\x00\x00\x00\x00\x00\x01"
         "abc",
         12},                                                                 /* DATA, no stream */
        {"\x00\x00\x03\x01\x05\x00\x00\x00\x02\x82\x86\x84", 12},             /* even stream */
        {"\x00\x00\x03\x01\x05\x00\x00\x00\x00\x82\x86\x84", 12},             /* stream 0 */
        {"\x00\x00\x01\x01\x05\x00\x00\x00\x01\xff", 10},                     /* bad HPACK */
        {"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x04\x80\x00\x00\x00", 15}, /* window 2^31 */
        {"\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x08", 13},         /* reset of idle */
        {"\x00\x00\x03\x09\x04\x00\x00\x00\x01\x82\x86\x84", 12},             /* lone CONT. */
        {"\xff\xff\xff\x00\x00\x00\x00\x00\x01", 9},                          /* 16 MiB frame */
        {"\x00\x00\x04\x05\x04\x00\x00\x00\x01\x00\x00\x00\x02", 13},         /* PUSH_PROMISE */
    };
    struct fixture *f = *state;

    fixture_start(f, NULL, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        raw_connect(f);
        raw_text(f, PREFACE);
        frame(f, SETTINGS, 0, 0, NULL, 0);
        raw_send(f, bad[i].bytes, bad[i].size);
        run_until(f, is_raw_gone);
        if (goaway_code(f) <= 0)
            fail_msg("case %zu: GOAWAY %d", i, goaway_code(f));
    }
    assert_int_equal(f->handled, 0);
    assert_int_equal(server_view(f).connections, 0);
}

static void malformed_requests_reset_their_stream_only(void **state)
{
    static const struct {
        const char *block;
        size_t size;
    } bad[] = {
        {"\x82\x86\x01\x01h", 5},                     /* no :path */
        {"\x82\x86\x84", 3},                          /* no :authority */
        {GET_BLOCK "\x84", BLOCK_SIZE + 1},           /* :path twice */
        {GET_BLOCK "\x00\x01X\x01y", BLOCK_SIZE + 5}, /* upper case */
        {GET_BLOCK "\x00\x0a"
                   "connection\x05"
                   "close",
         BLOCK_SIZE + 18},                                   /* a header of connections */
        {GET_BLOCK "\x00\x07:secret\x01y", BLOCK_SIZE + 11}, /* unknown pseudo header */
        {"\x00\x01x\x01y" GET_BLOCK, BLOCK_SIZE + 5},        /* pseudo headers after others */
        {GET_BLOCK "\x00\x01x\x02\r\n", BLOCK_SIZE + 6},     /* CR and LF in a value */
    };
    struct fixture *f = *state;

    open_h2(f, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        f->text_size = 0;
        frame(f, HEADERS, END_HEADERS | END_STREAM, (uint32_t)(1 + 2 * i), bad[i].block,
              bad[i].size);
        run_until(f, has_reset_frame);
        assert_int_equal(f->handled, 0);
        assert_false(is_raw_over(f));
    }
    get_stream(f, 101);
    run_until(f, has_request);
}

static void a_body_longer_than_told_is_refused(void **state)
{
    struct fixture *f = *state;

    open_h2(f, NULL);
    frame(f, HEADERS, END_HEADERS, 1,
          "\x83\x86\x84\x0f\x0d\x01"
          "3",
          7);
    frame(f, DATA, END_STREAM, 1, "abcd", 4);
    run_until(f, has_reset_frame);
    assert_int_equal(f->handled, 0);
}

static void streams_over_the_limit_are_refused(void **state)
{
    struct fixture *f = *state;
    struct sw_http_limits limits = {.streams_max = 3};

    open_h2(f, &limits);
    run_for(f, 5);
    f->begin = NULL;
    for (uint32_t i = 0; i < 5; i++)
        frame(f, HEADERS, END_HEADERS, 1 + 2 * i, POST_BLOCK, BLOCK_SIZE);
    run_until(f, has_reset_frame);
    assert_true(server_view(f).requests <= 3);
}

static void a_client_that_half_closes_is_let_go(void **state)
{
    struct fixture *f = *state;

    open_h2(f, NULL);
    f->answer = stream_much;
    get_stream(f, 1);
    run_until(f, has_request);
    sw_stream_finish(f->raw);
    run_until(f, is_cancelled);
    run_until(f, is_raw_gone);
    assert_int_equal(server_view(f).connections, 0);
}

static void a_client_that_does_not_read_is_not_read(void **state)
{
    struct fixture *f = *state;
    static const uint8_t window[4] = {0x7f, 0xff, 0, 0};
    static const uint8_t large[6] = {0, 4, 0x7f, 0xff, 0xff, 0xff};

    fixture_start(f, NULL, NULL);
    raw_connect(f);
    raw_text(f, PREFACE);
    frame(f, SETTINGS, 0, 0, large, 6);
    frame(f, WINDOW_UPDATE, 0, 0, window, 4);
    f->answer = stream_much;
    run_for(f, 5);
    sw_stream_pause(f->raw);
    for (uint32_t i = 0; i < 200; i++)
        get_stream(f, 1 + 2 * i);
    run_until(f, has_request);
    run_for(f, 50);
    /* 20 MB are ready; what waits for the kernel is bounded, and the rest stays with its stream. */
    assert_true(server_view(f).bytes_out < (16u << 20));
    sw_stream_close(f->raw);
    run_until(f, is_cancelled);
    run_for(f, 10);
    assert_int_equal(server_view(f).requests, 0);
    assert_int_equal(server_view(f).held_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frames_by_hand_are_answered),
        TEST(the_preface_in_single_bytes_is_understood),
        TEST(rapid_resets_end_the_connection),
        TEST(ping_floods_end_the_connection),
        TEST(settings_floods_end_the_connection),
        TEST(empty_data_floods_end_the_connection),
        TEST(a_few_control_frames_are_fine),
        TEST(continuations_without_end_end_the_connection),
        TEST(header_bombs_end_the_connection),
        TEST(a_head_that_never_ends_is_timed_out),
        TEST(a_body_that_never_ends_is_timed_out),
        TEST(a_closed_window_is_timed_out),
        TEST(bytes_in_the_middle_of_a_frame_do_not_keep_a_connection),
        TEST(wrong_frames_end_the_connection),
        TEST(malformed_requests_reset_their_stream_only),
        TEST(a_body_longer_than_told_is_refused),
        TEST(streams_over_the_limit_are_refused),
        TEST(a_client_that_half_closes_is_let_go),
        TEST(a_client_that_does_not_read_is_not_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
