/* What the fixtures beside this file say, step by step. A section begins with "=== WORDS":
 *
 *     request PROTOCOL        a client's request
 *     written PROTOCOL        what goes to an upstream of the protocol
 *     refused PROTOCOL FIELD  it does not go there, and why
 *     answer PROTOCOL         an upstream's whole answer
 *     converted               what the client gets of it
 *     stream PROTOCOL         an upstream's stream; it is also cut at every byte
 *     relayed                 what the client gets of it
 *     assembled               the whole answer made of it
 *     streamed                the last whole answer of the client, as a stream
 *     usage                   1 if reported; input, cached, written, output and thinking tokens,
 * own count of bytes failed CODE             the answer or stream before fails, with these words
 */
#include "pkg/broker/model/wire/wire.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define FOLDER SW_TEST_SOURCE "/test/unit/broker/model/wire/fixtures"
#define FILE_BYTES_MAX (1u << 20)
#define OUT_BYTES_MAX (4u << 20)

struct step {
    const char *file;
    char word[32], first[64], second[64];
    struct sw_bytes text;
};

struct play {
    struct sw_wire_request *request;
    enum sw_wire_protocol from;
    struct sw_bytes input; /* Of the last answer or stream. */
    bool is_stream;
    struct sw_buffer got, assembled, whole; /* whole: the last whole answer of the client. */
    struct sw_wire_usage usage;
    enum sw_rc rc;
    struct sw_err err;
    bool is_played;
    unsigned checks;
};

static enum sw_wire_protocol protocol_of(const struct step *step)
{
    for (unsigned i = 0; i < SW_WIRE_PROTOCOLS; i++)
        if (strcmp(sw_wire_protocol_name((enum sw_wire_protocol)i), step->first) == 0)
            return (enum sw_wire_protocol)i;
    fail_msg("%s: no protocol: %s", step->file, step->first);
    return SW_WIRE_CHAT;
}

static void check_same(const struct step *step, const struct sw_buffer *got)
{
    if (got->size != step->text.size || memcmp(got->data, step->text.data, got->size) != 0)
        fail_msg("%s: %s %s\n     got %.*s\nexpected %.*s", step->file, step->word, step->first,
                 (int)got->size, (const char *)got->data, (int)step->text.size,
                 (const char *)step->text.data);
}

/* The stream in pieces of which the first has `cut` bytes, and each later one `piece`. */
static enum sw_rc relay(struct play *play, size_t cut, size_t piece, struct sw_buffer *out)
{
    SW_CLEANUP(sw_wire_relay_freep) struct sw_wire_relay *relay = NULL;
    const uint8_t *data = play->input.data;
    enum sw_rc rc = sw_wire_relay_new(play->request, play->from, &relay, &play->err);

    for (size_t at = 0; rc == SW_OK && at < play->input.size;) {
        size_t size = at == 0 && cut > 0 ? cut : piece;

        size = size < play->input.size - at ? size : play->input.size - at;
        rc = sw_wire_relay_push(relay, (struct sw_bytes){data + at, size}, out, &play->err);
        at += size;
    }
    if (rc == SW_OK)
        rc = sw_wire_relay_finish(relay, out, &play->err);
    assert_int_equal(sw_wire_relay_is_ended(relay), rc == SW_OK);
    assert_int_equal(sw_wire_relay_has_begun(relay), out->size > 0);
    sw_wire_relay_usage(relay, &play->usage);
    sw_buffer_reset(&play->assembled);
    if (rc == SW_OK) {
        play->rc = sw_wire_relay_answer(relay, &play->assembled, &play->err);
    } else {
        struct sw_err err = {0};
        struct sw_wire_error error = {.status = 500, .message = "gone"};

        assert_int_equal(sw_wire_relay_answer(relay, &play->assembled, &err), SW_E_PRECONDITION);
        assert_int_equal(sw_wire_relay_push(relay, play->input, out, &err), rc);
        assert_int_equal(rc == SW_E_UNKNOWN, sw_wire_relay_error(relay) != NULL);
        sw_wire_relay_fail(relay, &error, out);
    }
    return rc;
}

static void play_input(struct play *play, const struct step *step)
{
    struct sw_buffer again;
    enum sw_rc rc;

    if (play->is_played)
        return;
    play->is_played = true;
    sw_buffer_reset(&play->got);
    if (!play->is_stream) {
        play->rc = sw_wire_answer_convert(play->request, play->from, play->input, &play->got,
                                          &play->usage, &play->err);
        return;
    }
    play->rc = SW_OK;
    rc = relay(play, 0, play->input.size, &play->got);
    if (rc != SW_OK)
        play->rc = rc;
    sw_buffer_init(&again, OUT_BYTES_MAX);
    for (size_t cut = 0; cut < play->input.size; cut++) { /* 0: byte by byte. */
        sw_buffer_reset(&again);
        assert_int_equal(relay(play, cut, cut == 0 ? 1 : play->input.size, &again), rc);
        if (again.size != play->got.size || memcmp(again.data, play->got.data, again.size) != 0)
            fail_msg("%s: cut at byte %zu it becomes\n%.*s", step->file, cut, (int)again.size,
                     (const char *)again.data);
    }
    sw_buffer_done(&again);
}

static void keep_whole(struct play *play, const struct sw_buffer *whole)
{
    sw_buffer_reset(&play->whole);
    sw_buffer_put(&play->whole, whole->data, whole->size);
}

/* With less room than it takes it fails as a whole. */
static void check_no_room(const struct play *play, const struct sw_wire_target *target, size_t size)
{
    struct sw_err err = {0};

    for (size_t room = 0; room < size; room += 1 + room / 16) {
        struct sw_buffer out;

        sw_buffer_init(&out, room);
        assert_int_equal(sw_wire_request_write(play->request, target, &out, &err), SW_E_EXHAUSTED);
        sw_buffer_reset(&out);
        assert_int_equal(sw_wire_request_write(play->request, target, &out, &err), SW_E_EXHAUSTED);
        assert_int_equal(out.size, 0);
        sw_buffer_done(&out);
    }
}

static void check_written(struct play *play, const struct step *step)
{
    const struct sw_wire_target target = {.protocol = protocol_of(step), .model = "up"};
    struct sw_wire_request *again = NULL;
    struct sw_buffer out;
    struct sw_err err = {0};

    sw_buffer_init(&out, OUT_BYTES_MAX);
    if (sw_wire_request_write(play->request, &target, &out, &err) != SW_OK)
        fail_msg("%s: %s: %s", step->file, err.field, err.message);
    check_same(step, &out);
    check_no_room(play, &target, out.size);
    if (sw_wire_request_read(target.protocol, (struct sw_bytes){out.data, out.size}, &again,
                             &err) != SW_OK)
        fail_msg("%s: %s: %s", step->file, err.field, err.message);
    sw_wire_request_free(again);
    sw_buffer_done(&out);
}

static void check_refused(struct play *play, const struct step *step)
{
    const struct sw_wire_target target = {.protocol = protocol_of(step), .model = "up"};
    char words[256] = "";
    struct sw_buffer out;
    struct sw_err err = {0};
    enum sw_rc rc;

    (void)memcpy(words, step->text.data, step->text.size < 255 ? step->text.size : 255);
    sw_buffer_init(&out, OUT_BYTES_MAX);
    rc = sw_wire_request_write(play->request, &target, &out, &err);
    assert_int_equal(out.size, 0);
    if ((rc != SW_E_UNSUPPORTED && rc != SW_E_INVALID) || strcmp(err.field, step->second) != 0 ||
        strstr(err.message, words) == NULL)
        fail_msg("%s: refused %s: [%s] %s", step->file, step->second, err.field, err.message);
    sw_buffer_done(&out);
}

static void check_failed(struct play *play, const struct step *step)
{
    char words[256] = "";

    (void)memcpy(words, step->text.data, step->text.size < 255 ? step->text.size : 255);
    if (strcmp(sw_rc_name(play->rc), step->first) != 0 || strstr(play->err.message, words) == NULL)
        fail_msg("%s: failed %s: %s %s", step->file, step->first, sw_rc_name(play->rc),
                 play->err.message);
}

static void check_usage(const struct play *play, const struct step *step)
{
    const struct sw_wire_usage *usage = &play->usage;
    struct sw_buffer got;

    sw_buffer_init(&got, 256);
    sw_buffer_print(
        &got, "%d %llu %llu %llu %llu %llu %llu", usage->is_reported,
        (unsigned long long)usage->input_tokens, (unsigned long long)usage->cached_tokens,
        (unsigned long long)usage->written_tokens, (unsigned long long)usage->output_tokens,
        (unsigned long long)usage->thinking_tokens, (unsigned long long)usage->output_bytes);
    check_same(step, &got);
    sw_buffer_done(&got);
}

/* The same of whole answers, and of streams that are made of them. */
static void check_answer_no_room(const struct play *play, bool is_stream, size_t size)
{
    const struct sw_bytes whole = {play->whole.data, play->whole.size};
    struct sw_err err = {0};

    for (size_t room = 0; room < size; room += 1 + room / 16) {
        struct sw_buffer out;
        enum sw_rc rc;

        sw_buffer_init(&out, room);
        rc = is_stream
                 ? sw_wire_answer_stream(play->request, whole, &out, &err)
                 : sw_wire_answer_convert(play->request, play->from, play->input, &out, NULL, &err);
        assert_int_equal(rc, SW_E_EXHAUSTED);
        assert_int_equal(out.size, 0);
        sw_buffer_done(&out);
    }
}

static void check_ok(const struct play *play, const struct step *step)
{
    if (play->rc != SW_OK)
        fail_msg("%s: %s: %s: %s", step->file, step->word, sw_rc_name(play->rc), play->err.message);
}

static void check_step(struct play *play, const struct step *step)
{
    play->checks++;
    if (strcmp(step->word, "written") == 0) {
        check_written(play, step);
        return;
    }
    if (strcmp(step->word, "refused") == 0) {
        check_refused(play, step);
        return;
    }
    play_input(play, step);
    if (strcmp(step->word, "failed") == 0) {
        check_failed(play, step);
    } else if (strcmp(step->word, "usage") == 0) {
        check_usage(play, step);
    } else if (strcmp(step->word, "relayed") == 0) {
        check_same(step, &play->got);
    } else if (strcmp(step->word, "converted") == 0) {
        check_ok(play, step);
        check_same(step, &play->got);
        check_answer_no_room(play, false, play->got.size);
        keep_whole(play, &play->got);
    } else if (strcmp(step->word, "assembled") == 0) {
        check_ok(play, step);
        check_same(step, &play->assembled);
        keep_whole(play, &play->assembled);
    } else if (strcmp(step->word, "streamed") == 0) {
        sw_buffer_reset(&play->got);
        play->rc = sw_wire_answer_stream(play->request,
                                         (struct sw_bytes){play->whole.data, play->whole.size},
                                         &play->got, &play->err);
        check_ok(play, step);
        check_same(step, &play->got);
        check_answer_no_room(play, true, play->got.size);
    } else {
        fail_msg("%s: what is %s?", step->file, step->word);
    }
}

static void play_step(struct play *play, const struct step *step)
{
    bool is_stream = strcmp(step->word, "stream") == 0;

    if (strcmp(step->word, "request") == 0) {
        sw_wire_request_free(play->request);
        play->request = NULL;
        if (sw_wire_request_read(protocol_of(step), step->text, &play->request, &play->err) !=
            SW_OK)
            fail_msg("%s: %s: %s", step->file, play->err.field, play->err.message);
        sw_wire_request_set_time(play->request, 1700000000);
    } else if (is_stream || strcmp(step->word, "answer") == 0) {
        play->from = protocol_of(step);
        play->input = step->text;
        play->is_stream = is_stream;
        play->is_played = false;
    } else {
        check_step(play, step);
    }
}

/* The section that begins at `text`; returns where the next one does. */
static const char *next_step(const char *text, const char *end, struct step *step)
{
    const char *line = strchr(text, '\n'), *next = strstr(text + 1, "\n=== ");
    char words[256];

    (void)snprintf(words, sizeof words, "%.*s", (int)(line - text), text);
    step->first[0] = step->second[0] = '\0';
    assert_true(sscanf(words, "=== %31s %63s %63s", step->word, step->first, step->second) > 0);
    next = next == NULL ? end - 1 : next;
    step->text = (struct sw_bytes){line + 1, next > line ? (size_t)(next - line - 1) : 0};
    /* A stream has its last empty line, and other texts have none. */
    if (strcmp(step->word, "stream") == 0 || strcmp(step->word, "relayed") == 0 ||
        strcmp(step->word, "streamed") == 0)
        step->text.size += next > line ? 1 : 0;
    return next + 1;
}

static unsigned play_file(const char *name)
{
    char path[512], *text = malloc(FILE_BYTES_MAX);
    struct play play = {.request = NULL};
    struct step step = {.file = name};
    const char *at = text, *end;
    FILE *file;
    size_t size;

    (void)snprintf(path, sizeof path, "%s/%s", FOLDER, name);
    file = fopen(path, "rb");
    assert_non_null(file);
    size = fread(text, 1, FILE_BYTES_MAX - 1, file);
    (void)fclose(file);
    text[size] = '\0';
    end = text + size;
    sw_buffer_init(&play.got, OUT_BYTES_MAX);
    sw_buffer_init(&play.assembled, OUT_BYTES_MAX);
    sw_buffer_init(&play.whole, OUT_BYTES_MAX);
    while (at < end) {
        at = next_step(at, end, &step);
        play_step(&play, &step);
    }
    sw_wire_request_free(play.request);
    sw_buffer_done(&play.got);
    sw_buffer_done(&play.assembled);
    sw_buffer_done(&play.whole);
    free(text);
    return play.checks;
}

static void test_fixtures(void **state)
{
    unsigned files = 0, checks = 0;
    struct dirent *entry;
    DIR *folder = opendir(FOLDER);

    (void)state;
    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        checks += play_file(entry->d_name);
        files++;
    }
    (void)closedir(folder);
    print_message("%u fixtures, %u checks\n", files, checks);
    assert_true(files >= 8 && checks >= 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fixtures)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
