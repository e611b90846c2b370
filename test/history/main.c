/* history-load: many senders, each with one request under way, and a file of what each of them saw.
 *
 * README.md says what it is told and what it writes. It judges nothing but the form of an answer.
 * A request that fails is no failure here: daemon and agent host are killed meanwhile. */
#include "pkg/apis/swarm/v1/object.h"
#include "pkg/apis/swarm/v1/protobuf.h"
#include "pkg/client/contexts/contexts.h"
#include "pkg/communication/protocol/client.h"
#include "pkg/communication/protocol/grpc.h"
#include "pkg/security/tls/tls.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define KEYS 16u /* As test/guests/chronicle.c has them. */
#define SENDERS_MAX 2048u
#define CALLS_MAX 128u /* Of one connection. */
#define ARENA_MAX ((size_t)16 << 20)
#define ANSWER_MAX ((size_t)1 << 20)
#define CALL_TIMEOUT_MS 60000u
#define RETRY_MS 50u
#define REPEATED_EVERY 16u /* How many answers of a named sender until one is asked for again. */
#define GRPC_EXHAUSTED 8

enum event_kind { EVENT_ASKED, EVENT_ANSWERED, EVENT_REFUSED, EVENT_UNKNOWN, EVENT_WRONG };

struct event {
    uint32_t kind, sender, number;
    int32_t code;
    uint64_t total;
};

struct request { /* As test/guests/chronicle.c reads and writes them. */
    uint32_t op, sender, number;
};
struct answer {
    uint32_t sender, number;
    uint64_t total;
};

struct counters { /* Mapped from a file that whoever kills looks at. */
    _Atomic uint64_t asked, ended;
};

struct sender {
    struct load *load;
    uint32_t index, number;
    bool is_named, is_under_way, is_repeating;
    bool is_open; /* Named, and not answered yet. */
};

struct load {
    const struct sw_system *system;
    struct sw_arena *arena, *answers;
    struct sw_loop *loop;
    struct sw_tls_context *tls;
    struct sw_http_client *clients[SENDERS_MAX / CALLS_MAX];
    struct sw_stream *control;
    struct sw_timer *retry;
    struct sw_buffer line, message, frame;
    struct counters *counters;
    FILE *history;
    struct sender senders[SENDERS_MAX];
    uint32_t senders_count, under_way;
    bool is_going, is_settling, is_retry_due;
};

static struct load load; /* One per process. */

static _Noreturn void die(const char *words)
{
    (void)fprintf(stderr, "history-load: %s\n", words);
    exit(1);
}

static void note(const struct event *event)
{
    if (fwrite(event, sizeof *event, 1, load.history) != 1)
        die("the history cannot be written");
}

/* --- Requests -------------------------------------------------------------------------------- */

static void sender_next(struct sender *sender);
static void retry(void);
static void settle(void);

static uint32_t op_of(uint32_t number)
{
    static const char ops[] = "ppppccbt";

    return (uint32_t)ops[number % 8];
}

static void put_request(const struct sender *sender)
{
    const struct request request = {op_of(sender->number), sender->index, sender->number};
    struct sw_api_send_request send;
    char to[24], id[32];

    (void)snprintf(to, sizeof to, "chronicle/%u", sender->index % KEYS);
    (void)snprintf(id, sizeof id, "%u-%u", sender->index, sender->number);
    sw_api_init(&sw_api_send_request_message, &send);
    send.namespace = "default";
    send.to = to;
    send.content_type = "";
    send.body = (struct sw_bytes){&request, sizeof request};
    send.request_id = sender->is_named ? id : "";
    send.want_reply = true;
    sw_buffer_reset(&load.message);
    sw_protobuf_encode(&sw_api_send_request_message, &send, &load.message);
    sw_buffer_reset(&load.frame);
    sw_grpc_put_frame(&load.frame, (struct sw_bytes){load.message.data, load.message.size});
    if (sw_buffer_check(&load.message) != SW_OK || sw_buffer_check(&load.frame) != SW_OK)
        die("no memory for a request");
}

static int32_t grpc_status(const struct sw_http_header *trailers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (sw_bytes_is_text(trailers[i].name, "grpc-status") && trailers[i].value.size < 4) {
            char text[4] = "";

            (void)memcpy(text, trailers[i].value.data, trailers[i].value.size);
            return (int32_t)strtol(text, NULL, 10);
        }
    return -1;
}

static enum event_kind kind_of(int32_t status)
{
    switch (status) {
    case SW_E_EXHAUSTED:
        return EVENT_REFUSED;
    case SW_E_TIMEOUT:     /* It may still be handled. */
    case SW_E_UNAVAILABLE: /* The agent host died, perhaps with the message, perhaps after it. */
        return EVENT_UNKNOWN;
    default:
        return EVENT_WRONG;
    }
}

static void judge_answer(const struct sender *sender, struct sw_bytes body, struct event *event)
{
    struct sw_api_send_response response;
    struct sw_bytes message;
    struct answer answer;

    event->kind = EVENT_WRONG;
    sw_arena_reset(load.answers);
    if (sw_grpc_take_frame(&body, ANSWER_MAX, &message) != SW_OK ||
        sw_protobuf_decode(&sw_api_send_response_message, message, load.answers, &response, NULL) !=
            SW_OK)
        return;
    event->code = response.status;
    if (response.status != 0 || response.body.size != sizeof answer) {
        event->kind = kind_of(response.status);
        return;
    }
    (void)memcpy(&answer, response.body.data, sizeof answer);
    event->total = answer.total;
    if (answer.sender == sender->index && answer.number == sender->number)
        event->kind = EVENT_ANSWERED;
}

static void on_done(void *ctx, struct sw_http_call *call, enum sw_rc rc, int status,
                    struct sw_bytes body, const struct sw_http_header *trailers,
                    size_t trailers_count)
{
    struct sender *sender = ctx;
    struct event event = {.kind = EVENT_UNKNOWN,
                          .sender = sender->index,
                          .number = sender->number,
                          .code =
                              rc == SW_OK ? grpc_status(trailers, trailers_count) : (int32_t)rc};

    (void)call;
    (void)status;
    sender->is_under_way = false;
    load.under_way--;
    atomic_fetch_add(&load.counters->ended, 1);
    if (event.code == 0)
        judge_answer(sender, body, &event);
    else if (event.code == GRPC_EXHAUSTED)
        event.kind = EVENT_REFUSED;
    note(&event);
    sender->is_open = sender->is_named && event.kind != EVENT_ANSWERED;
    if (event.kind == EVENT_ANSWERED && sender->is_named && sender->number % REPEATED_EVERY == 0 &&
        !sender->is_repeating) {
        sender->is_repeating = true; /* Asked once more under the same name. */
    } else if (!sender->is_open) {
        sender->is_repeating = false;
        sender->number++;
    }
    if (event.kind == EVENT_ANSWERED)
        sender_next(sender);
    else
        retry();
    settle();
}

static void sender_ask(struct sender *sender)
{
    const struct sw_http_header headers[] = {SW_HTTP_HEADER("content-type", "application/grpc"),
                                             SW_HTTP_HEADER("te", "trailers")};
    struct sw_http_call_options options = {.method = SW_HTTP_POST,
                                           .path = "/swarm.v1.Messages/Send",
                                           .headers = headers,
                                           .headers_count = 2,
                                           .timeout_ms = CALL_TIMEOUT_MS,
                                           .handler = {.ctx = sender, .on_done = on_done}};
    struct sw_err err = {0};

    put_request(sender);
    options.body = (struct sw_bytes){load.frame.data, load.frame.size};
    if (sw_http_client_call(load.clients[sender->index / CALLS_MAX], &options, NULL, &err) != SW_OK)
        die(err.message);
    note(&(struct event){.kind = EVENT_ASKED, .sender = sender->index, .number = sender->number});
    atomic_fetch_add(&load.counters->asked, 1);
    sender->is_under_way = true;
    load.under_way++;
}

static void sender_next(struct sender *sender)
{
    if (!sender->is_under_way && (load.is_going || (load.is_settling && sender->is_open)))
        sender_ask(sender);
}

static void on_retry(void *ctx)
{
    (void)ctx;
    load.is_retry_due = false;
    for (uint32_t i = 0; i < load.senders_count; i++)
        sender_next(&load.senders[i]);
}

/* Those whose last request failed, in a while; at once each would fail many thousand times. */
static void retry(void)
{
    if (!load.is_retry_due)
        sw_timer_start(load.retry, RETRY_MS);
    load.is_retry_due = true;
}

/* --- Commands -------------------------------------------------------------------------------- */

static void settle(void)
{
    static const char answer[] = "settled\n";

    if (!load.is_settling || load.under_way > 0)
        return;
    for (uint32_t i = 0; i < load.senders_count; i++)
        if (load.senders[i].is_open)
            return;
    load.is_settling = false;
    if (fflush(load.history) != 0)
        die("the history cannot be written");
    if (sw_stream_write(load.control, answer, sizeof answer - 1) != SW_OK)
        die("nobody is there to hear");
}

static void serve(const char *address)
{
    for (uint32_t i = 0; i * CALLS_MAX < load.senders_count; i++) {
        const struct sw_http_client_options options = {
            .loop = load.loop,
            .system = load.system,
            .address = sw_arena_copy(load.arena, address, strlen(address)),
            .tls = load.tls,
            .reply_bytes_max = ANSWER_MAX};
        struct sw_err err = {0};

        sw_http_client_free(load.clients[i]);
        if (options.address == NULL ||
            sw_http_client_new(&options, &load.clients[i], &err) != SW_OK)
            die("no client can be made");
    }
}

static void obey(const char *line)
{
    if (strncmp(line, "serve ", 6) == 0) {
        serve(line + 6);
    } else if (strcmp(line, "go") == 0) {
        load.is_going = true;
        on_retry(NULL);
    } else if (strcmp(line, "settle") == 0) {
        load.is_going = false;
        load.is_settling = true;
        on_retry(NULL);
        settle();
    } else {
        die("no such command");
    }
}

static void on_data(void *ctx, struct sw_stream *stream, struct sw_bytes bytes)
{
    const char *end;

    (void)ctx;
    (void)stream;
    sw_buffer_put(&load.line, bytes.data, bytes.size);
    while (load.line.size > 0 && (end = memchr(load.line.data, '\n', load.line.size)) != NULL) {
        size_t size = (size_t)(end - (const char *)load.line.data);

        load.line.data[size] = 0;
        obey((const char *)load.line.data);
        sw_buffer_consume(&load.line, size + 1);
    }
}

static void on_end(void *ctx, struct sw_stream *stream)
{
    (void)ctx;
    (void)stream;
    sw_loop_stop(load.loop);
}

static void on_close(void *ctx, struct sw_stream *stream, enum sw_rc rc)
{
    (void)ctx;
    (void)stream;
    (void)rc;
    sw_loop_stop(load.loop);
}

/* --- Start ----------------------------------------------------------------------------------- */

static const char *environment(void *ctx, const char *name)
{
    (void)ctx;
    return getenv(name);
}

/* The identity of the current context. */
static enum sw_rc identity_open(struct sw_err *err)
{
    const char *folder = NULL;
    struct sw_contexts *contexts = NULL;
    struct sw_context context;
    enum sw_rc rc = sw_contexts_folder(environment, NULL, load.arena, &folder, err);

    if (rc == SW_OK)
        rc = sw_contexts_load(load.system, folder, load.arena, &contexts, err);
    if (rc == SW_OK)
        rc = sw_contexts_resolve(contexts, load.system, NULL, load.arena, &context, err);
    if (rc != SW_OK)
        return rc;
    const struct sw_tls_options tls = {
        .roots_pem = {context.authority_pem, strlen(context.authority_pem)},
        .certificate_pem = {context.certificate_pem, strlen(context.certificate_pem)},
        .key_pem = {context.key_pem, strlen(context.key_pem)}};
    return sw_tls_context_new(&tls, &load.tls, err);
}

static void files_open(const char *history, const char *counters)
{
    int file = open(counters, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    load.history = fopen(history, "wbe");
    if (load.history == NULL || file < 0 || ftruncate(file, sizeof *load.counters) != 0)
        die("its files cannot be made");
    load.counters = mmap(NULL, sizeof *load.counters, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (load.counters == MAP_FAILED)
        die("the counters cannot be mapped");
    (void)close(file);
}

int main(int count, char **words)
{
    static const struct sw_stream_handler handler = {
        .on_data = on_data, .on_end = on_end, .on_close = on_close};
    struct sw_err err = {0};
    enum sw_rc rc;

    load.senders_count = count == 4 ? (uint32_t)strtoul(words[3], NULL, 10) : 0;
    if (load.senders_count == 0 || load.senders_count > SENDERS_MAX) {
        (void)fprintf(stderr, "usage: history-load HISTORY COUNTERS SENDERS\n");
        return 2;
    }
    load.system = sw_system_real();
    load.arena = sw_arena_new(ARENA_MAX);
    load.answers = sw_arena_new(ANSWER_MAX);
    sw_buffer_init(&load.line, 4096);
    sw_buffer_init(&load.message, ANSWER_MAX);
    sw_buffer_init(&load.frame, ANSWER_MAX);
    files_open(words[1], words[2]);
    rc = sw_loop_new(&load.loop, &err);
    if (rc == SW_OK)
        rc = identity_open(&err);
    if (rc == SW_OK)
        rc = sw_stream_adopt(load.loop, STDIN_FILENO, &load.control, &err);
    if (rc != SW_OK || (load.retry = sw_timer_new(load.loop, on_retry, NULL)) == NULL)
        die(err.message);
    for (uint32_t i = 0; i < load.senders_count; i++)
        load.senders[i] = (struct sender){.load = &load, .index = i, .is_named = i / KEYS % 2 == 0};
    sw_stream_start(load.control, &handler, 4096);
    sw_loop_run(load.loop);
    return 0; /* What is under way is nobody's any more. */
}
