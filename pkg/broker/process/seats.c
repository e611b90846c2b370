#include "pkg/broker/process/asks.h"
#include "pkg/broker/process/environment.h"
#include "pkg/broker/process/run.h"
#include "pkg/security/crypto/digest.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEAT_ARENA_MAX ((size_t)1 << 20)
#define PARKED_MS 600000u /* One that waits longer ends, and begins again when that is over. */
#define READY_MS 600000u
#define YOUNG_MS 100u         /* One that waits for less than this does not make way yet. */
#define STALE_MS 10000u       /* Whatever it has come to. */
#define WARM_MS 20u           /* The message that needed a process is handled first. */
#define DEAF_MS 500u          /* To end, when it has closed its end of the socket. */
#define GRACE_MS 2000u        /* To end by itself, when it was told that no more comes. */
#define KILLED_ATTEMPT_MAX 2u /* Of a turn, that begin again when somebody killed the process. */
#define LOG_LINES_MAX (5 * SW_PROCESS_LOG_MAX) /* Of nothing but ends of lines. */
#define INPUT_MAX ((size_t)SW_TURN_FRAME_MAX + (64u << 10))

struct sw_seat {
    struct sw_process_service *service;
    struct sw_list node;
    enum sw_seat_state state;
    struct sw_arena *arena;
    struct sw_bytes manifest_text;
    const char *folders[SW_MANIFEST_PACKAGES_MAX + 2];
    bool wants_warm;             /* Others of its Agent may have to be started. */
    struct sw_manifest manifest; /* In the arena, as the names of the client are. */
    uint8_t manifest_digest[SW_SHA256_SIZE], life[SW_PROCESS_LIFE_SIZE];
    struct sw_process_client client;
    struct sw_process *process; /* NULL: it has ended while it was PARKED, and refusal says why. */
    struct sw_process_front *front;
    struct sw_buffer input, log; /* From it. */
    struct sw_buffer reply;      /* stdio: what it wrote to its standard output. */
    struct sw_buffer last;       /* Behind the head of its last large request (call.h). */
    struct sw_asks asks;         /* What it asked over HTTP, if that is kept. */
    struct sw_timer *timer;
    struct sw_run *run;  /* RUNNING: the call. */
    uint32_t number;     /* Of its last request. */
    bool has_request;    /* It waits for the result of that, or has ended its turn. */
    uint32_t out_number; /* PARKED: the request that the agent in front was told of; */
    bool is_out_asked;   /* it is one of asks. */
    uint32_t told;       /* So many of them in this turn. */
    uint32_t known;      /* So many had results when it began. */
    size_t answer_size;  /* The frame that input begins with is to be the answer of a call. */
    bool is_deaf;        /* It has closed its end of the socket. */
    uint64_t attempt;    /* Of its turn, from 1. */
    bool takes_changes;  /* The agent in front does. */
    bool is_killed;      /* By somebody else: its turn begins again. */
    struct sw_run_refusal refusal; /* What it did wrong. */
    uint64_t used_ms;
};

/* --- The end --------------------------------------------------------------------------------- */

static void seat_free(struct sw_seat *seat)
{
    assert(seat->run == NULL);
    sw_process_free(seat->process);
    sw_asks_done(&seat->asks);
    sw_process_front_free(seat->front);
    sw_timer_free(seat->timer);
    sw_buffer_done(&seat->input);
    sw_buffer_done(&seat->reply);
    sw_buffer_done(&seat->last);
    sw_buffer_done(&seat->log);
    sw_list_remove(&seat->node);
    sw_arena_free(seat->arena);
    free(seat);
}

/* The call goes its own way, with the log. */
static struct sw_run *detach(struct sw_seat *seat)
{
    struct sw_run *run = seat->run;

    if (run == NULL)
        return NULL;
    sw_timer_stop(run->deadline);
    sw_buffer_done(&run->log);
    run->log = seat->log;
    sw_buffer_init(&seat->log, SW_PROCESS_LOG_MAX);
    seat->run = NULL;
    run->seat = NULL;
    seat->used_ms = sw_loop_now_ms(seat->service->options.loop);
    return run;
}

/* Killed; it may be gone at once. */
static void seat_close(struct sw_seat *seat)
{
    struct sw_run *run = detach(seat);

    seat->state = SW_SEAT_CLOSING;
    seat->answer_size = 0;
    if (run != NULL && seat->is_killed)
        sw_run_lose(run);
    else if (run != NULL)
        sw_run_refuse(run, seat->refusal.rc == SW_OK ? SW_E_CANCELLED : seat->refusal.rc,
                      seat->refusal.rc == SW_OK ? "another call took the place of this one"
                                                : seat->refusal.words,
                      "");
    if (seat->process == NULL)
        seat_free(seat);
    else
        sw_process_kill(seat->process);
}

/* It is told that no more comes, and may end by itself. */
static void seat_end(struct sw_seat *seat)
{
    if (seat->process == NULL) {
        seat_free(seat);
        return;
    }
    seat->state = SW_SEAT_CLOSING;
    sw_process_end_talk(seat->process);
    sw_timer_start(seat->timer, GRACE_MS);
}

void sw_seat_leave(struct sw_run *run)
{
    struct sw_seat *seat = run->seat;

    (void)detach(seat);
    seat_close(seat);
}

void sw_seat_end_late(struct sw_run *run)
{
    struct sw_seat *seat = run->seat;

    (void)detach(seat);
    sw_run_too_late(run, &seat->manifest);
    seat_close(seat);
}

void sw_seats_free(struct sw_process_service *service)
{
    while (!sw_list_is_empty(&service->seats)) {
        struct sw_seat *seat = SW_LIST_ITEM(sw_list_first(&service->seats), struct sw_seat, node);

        (void)detach(seat);
        seat_free(seat);
    }
}

/* --- What it says ---------------------------------------------------------------------------- */

static void misbehave(struct sw_seat *seat, const char *words)
{
    seat->refusal.rc = SW_E_PRECONDITION;
    (void)snprintf(seat->refusal.words, sizeof seat->refusal.words,
                   "the program broke the protocol of turns and was ended: %s", words);
    if (seat->state == SW_SEAT_PARKED) /* The next call is told: it must not begin again. */
        sw_process_kill(seat->process);
    else
        seat_close(seat);
}

/* Each line with its level; of all of them what may be kept, in one go. */
static void log_frame(struct sw_seat *seat, const struct sw_turn_view *view)
{
    static const char *const levels[] = {"<7>", "<6>", "<4>", "<3>"};
    SW_CLEANUP(sw_buffer_done) struct sw_buffer lines;
    size_t left = view->body.size < SW_PROCESS_LOG_MAX ? view->body.size : SW_PROCESS_LOG_MAX;
    const char *at = view->body.data, *end = at + view->body.size;

    sw_buffer_init(&lines, LOG_LINES_MAX);
    for (at = end - left; left > 0 && at < end;) {
        const char *line = memchr(at, '\n', (size_t)(end - at));
        size_t size = (size_t)((line == NULL ? end : line) - at);

        sw_buffer_put_text(&lines, levels[view->head.status]);
        sw_buffer_put(&lines, at, size);
        sw_buffer_put_u8(&lines, '\n');
        at += size + (line != NULL);
    }
    if (sw_buffer_check(&lines) == SW_OK)
        sw_log_add(&seat->log, (struct sw_bytes){lines.data, lines.size});
}

static bool is_stdio(const struct sw_seat *seat)
{
    return seat->manifest.protocol == SW_MANIFEST_STDIO;
}

static bool is_in_turn(const struct sw_seat *seat)
{
    return seat->state == SW_SEAT_RUNNING || seat->state == SW_SEAT_PARKED;
}

/* A call waits, and there is something to answer it with: in the next round. */
static void prompt(struct sw_seat *seat)
{
    if (seat->state == SW_SEAT_RUNNING && (seat->answer_size > 0 || sw_asks_has_next(&seat->asks)))
        sw_timer_start(seat->timer, 0);
}

/* Take in what is there. A request, or the end, is the answer to the call, in the next round: what
 * it printed before is there then too. */
static void listen(struct sw_seat *seat)
{
    struct sw_err err = {0};
    struct sw_turn_view view;
    size_t size = 0;
    enum sw_rc rc = SW_OK;

    while (rc == SW_OK && seat->answer_size == 0) {
        rc =
            sw_turn_read((struct sw_bytes){seat->input.data, seat->input.size}, &view, &size, &err);
        if (rc == SW_OK)
            rc = sw_turn_check(&view, &err);
        if (rc != SW_OK)
            break;
        if (view.head.kind == SW_TURN_LOG) {
            log_frame(seat, &view);
            sw_buffer_consume(&seat->input, size);
        } else if (!is_in_turn(seat) || seat->has_request) {
            rc = sw_err_set(&err, SW_E_INVALID, "it speaks where it is not its turn");
        } else if (view.head.kind != SW_TURN_END && view.head.number != seat->number + 1) {
            rc = sw_err_set(&err, SW_E_INVALID, "request %u follows on request %u",
                            view.head.number, seat->number);
        } else if (view.head.number > SW_TURN_REQUESTS_MAX) {
            rc = sw_err_set(&err, SW_E_INVALID, "a turn has at most %u requests",
                            SW_TURN_REQUESTS_MAX);
        } else {
            seat->answer_size = size;
            seat->has_request = true;
            prompt(seat);
        }
    }
    if (rc != SW_OK && rc != SW_E_UNAVAILABLE)
        misbehave(seat, err.message);
}

static void on_talk(void *ctx, struct sw_bytes bytes)
{
    struct sw_seat *seat = ctx;

    if (seat->state == SW_SEAT_CLOSING || seat->refusal.rc != SW_OK)
        return;
    if (bytes.size == 0) { /* It ends, as a rule. */
        seat->is_deaf = true;
        if (seat->answer_size == 0)
            sw_timer_start(seat->timer, DEAF_MS);
        return;
    }
    sw_buffer_put(&seat->input, bytes.data, bytes.size);
    if (seat->input.failed)
        misbehave(seat, "it says more than it may before it is answered");
    else
        listen(seat);
}

/* It may be gone then. */
static void rest(struct sw_seat *seat, bool is_end)
{
    if (seat->is_deaf)
        sw_timer_start(seat->timer, DEAF_MS);
    else if (is_end && (seat->manifest.idle_ms == 0 || is_stdio(seat)))
        seat_end(seat);
    else
        sw_timer_start(seat->timer, is_end ? seat->manifest.idle_ms : PARKED_MS);
}

/* The call that waits is answered, and the seat goes on as the frame says. */
static void hand_over(struct sw_seat *seat, struct sw_bytes frame, const uint8_t *digest)
{
    struct sw_process_service *service = seat->service;
    struct sw_run *run = detach(seat);
    SW_CLEANUP(sw_buffer_done) struct sw_buffer changed;
    struct sw_turn_frame head;
    bool is_end;

    memcpy(&head, frame.data, sizeof head);
    is_end = head.kind == SW_TURN_END;
    sw_buffer_init(&changed, SW_TURN_FRAME_MAX);
    if (!is_end && seat->takes_changes)
        sw_frame_put_change(&changed, &seat->last, frame);
    seat->state = is_end ? SW_SEAT_IDLE : SW_SEAT_PARKED;
    seat->out_number = head.number;
    seat->is_out_asked = (head.flags & SW_TURN_UNORDERED) != 0 && !is_end;
    seat->told++;
    if (is_end) {
        *(head.status == 0 ? &service->view.done : &service->view.failed) += 1;
        sw_asks_done(&seat->asks);
    }
    if (seat->process != NULL && seat->input.size > 0)
        listen(seat);
    if (service->waiting_count > 0)
        sw_queue_pump(service);
    if (seat->state != SW_SEAT_CLOSING)
        rest(seat, is_end); /* It may be gone. */
    sw_run_answer(run, changed.size > 0 ? SW_PROCESS_CHANGES : SW_PROCESS_ANSWERS,
                  changed.size > 0 ? (struct sw_bytes){changed.data, changed.size} : frame,
                  is_end ? NULL : digest);
}

/* What the process said is the answer. It may have said more than it should. */
static void deliver(struct sw_seat *seat)
{
    struct sw_buffer said = seat->input;
    struct sw_bytes frame = {said.data, seat->answer_size};
    uint8_t digest[SW_SHA256_SIZE];
    struct sw_turn_frame head;

    memcpy(&head, frame.data, sizeof head);
    sw_sha256_of(frame.data, frame.size, digest);
    sw_buffer_init(&seat->input, INPUT_MAX);
    sw_buffer_put(&seat->input, said.data + frame.size, said.size - frame.size);
    seat->answer_size = 0;
    seat->number = head.number;
    hand_over(seat, frame, digest);
    sw_buffer_done(&said);
}

/* What it asked over HTTP is. */
static void deliver_asked(struct sw_seat *seat)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer frame;
    uint8_t digest[SW_SHA256_SIZE];

    sw_buffer_init(&frame, SW_TURN_FRAME_MAX);
    sw_asks_next(&seat->asks, &frame, digest);
    if (!frame.failed) {
        hand_over(seat, (struct sw_bytes){frame.data, frame.size}, digest);
        return;
    }
    sw_asks_tell(
        &seat->asks,
        &(struct sw_turn_view){.head = {.status = SW_E_EXHAUSTED},
                               .body = sw_bytes_of_text("the request is larger than can be kept")});
    prompt(seat);
}

static void on_timer(void *ctx)
{
    struct sw_seat *seat = ctx;

    if (seat->state == SW_SEAT_RUNNING && seat->answer_size > 0)
        deliver(seat);
    else if (seat->state == SW_SEAT_RUNNING && sw_asks_has_next(&seat->asks))
        deliver_asked(seat);
    else if (seat->state == SW_SEAT_CLOSING || seat->is_deaf)
        seat->process == NULL ? seat_free(seat) : sw_process_kill(seat->process);
    else
        seat_end(seat);
}

static void on_ready(void *ctx, const char *missing)
{
    struct sw_seat *seat = ctx;

    sw_run_told_missing(seat->service, missing);
}

static void on_output(void *ctx, bool is_error, struct sw_bytes bytes)
{
    struct sw_seat *seat = ctx;

    if (is_error || !is_stdio(seat)) {
        sw_log_add(&seat->log, bytes);
        return;
    }
    sw_buffer_put(&seat->reply, bytes.data, bytes.size);
    if (!seat->reply.failed)
        return;
    seat->refusal =
        (struct sw_run_refusal){SW_E_EXHAUSTED, "the program's reply is larger than 3 MiB"};
    sw_process_kill(seat->process);
}

static void on_request(void *ctx, struct sw_http_request *request, const char *path)
{
    struct sw_seat *seat = ctx;
    const struct sw_process_service_options *options = &seat->service->options;
    const char *service = seat->manifest.has_record && request->method == SW_HTTP_POST
                              ? options->service_of(options->ctx, path)
                              : NULL;

    if (!is_in_turn(seat)) {
        sw_http_respond_text(request, 409, "text/plain",
                             sw_bytes_of_text("models can be asked within a turn only\n"));
    } else if (service == NULL) {
        options->serve(options->ctx, request, &seat->client, path);
    } else {
        sw_asks_add(&seat->asks, request, path, service);
        prompt(seat);
    }
}

static void on_accept(void *ctx, struct sw_stream *stream)
{
    struct sw_seat *seat = ctx;

    if (seat->front == NULL)
        seat->front = sw_process_front_new(seat->service->options.loop,
                                           seat->service->options.system, on_request, seat);
    if (seat->front == NULL)
        sw_stream_close(stream);
    else
        sw_process_front_serve(seat->front, stream);
}

/* A process of stdio has ended well: that is the end of the turn. */
static void end_stdio(struct sw_seat *seat)
{
    const struct sw_turn_view end = {.head = {.kind = SW_TURN_END},
                                     .type = {seat->manifest.type, strlen(seat->manifest.type)},
                                     .body = {seat->reply.data, seat->reply.size}};
    size_t before = seat->input.size;

    sw_turn_put(&seat->input, &end);
    if (seat->input.failed)
        seat->refusal = (struct sw_run_refusal){SW_E_EXHAUSTED, "no memory for the reply"};
    else
        seat->answer_size = seat->input.size - before;
}

/* SIGKILL that is neither ours nor for want of memory comes from outside, as a machine that ends
 * does. Where what was asked is kept nothing is done twice; a program that kills itself each time
 * is refused in the end. */
static bool may_begin_again(const struct sw_seat *seat, const struct sw_process_end *end)
{
    bool is_kept = !is_stdio(seat) || seat->manifest.has_record;

    return is_kept && is_in_turn(seat) && seat->refusal.rc == SW_OK && !seat->is_deaf &&
           end->rc == SW_OK && end->signal == SIGKILL && !end->has_no_memory &&
           seat->attempt <= KILLED_ATTEMPT_MAX;
}

static void on_exit_process(void *ctx, const struct sw_process_end *end)
{
    struct sw_seat *seat = ctx;
    struct sw_process_service *service = seat->service;

    seat->is_killed = may_begin_again(seat, end);
    if (seat->refusal.rc == SW_OK && !seat->is_killed)
        sw_run_explain(end, &seat->manifest, &seat->log, &seat->refusal);
    if (is_stdio(seat) && is_in_turn(seat) && seat->refusal.rc == SW_OK && !seat->is_killed)
        end_stdio(seat);
    if (seat->state == SW_SEAT_RUNNING && seat->answer_size > 0)
        deliver(seat);
    if (seat->refusal.rc == SW_OK)
        seat->refusal =
            (struct sw_run_refusal){SW_E_PRECONDITION, "the program ended in the middle of a turn"};
    sw_process_free(seat->process);
    seat->process = NULL;
    sw_asks_done(&seat->asks);
    if (seat->state == SW_SEAT_PARKED)
        sw_timer_start(seat->timer, PARKED_MS);
    else
        seat_close(seat);
    sw_queue_pump(service);
}

/* --- What it hears --------------------------------------------------------------------------- */

static struct sw_seat *find(const struct sw_run *run)
{
    SW_LIST_EACH(&run->service->seats, node)
    {
        struct sw_seat *seat = SW_LIST_ITEM(node, struct sw_seat, node);

        if (seat->state != SW_SEAT_CLOSING && seat->state != SW_SEAT_READY &&
            sw_process_clients_share_agent(&seat->client, &run->client) &&
            sw_bytes_is_equal(seat->client.instance, run->client.instance))
            return seat;
    }
    return NULL;
}

static struct sw_seat *find_ready(const struct sw_run *run)
{
    SW_LIST_EACH(&run->service->seats, node)
    {
        struct sw_seat *seat = SW_LIST_ITEM(node, struct sw_seat, node);

        if (seat->state == SW_SEAT_READY && !seat->is_deaf &&
            sw_process_clients_share_agent(&seat->client, &run->client) &&
            memcmp(seat->manifest_digest, run->manifest_digest, SW_SHA256_SIZE) == 0)
            return seat;
    }
    return NULL;
}

bool sw_seat_is_ready(const struct sw_run *run)
{
    return find_ready(run) != NULL;
}

/* The call waits for what it says now. */
static void attach(struct sw_seat *seat, struct sw_run *run)
{
    seat->client.turn = run->client.turn;
    seat->client.depth = run->client.depth;
    seat->state = SW_SEAT_RUNNING;
    seat->run = run;
    run->seat = seat;
    sw_timer_stop(seat->timer);
    sw_timer_start(run->deadline, seat->manifest.deadline_ms);
    prompt(seat);
}

/* Of a message, or of the result of its request.  SW_E_UNAVAILABLE: it hears no more. */
static enum sw_rc tell(struct sw_seat *seat, struct sw_run *run)
{
    struct sw_bytes frame = {run->frame.data, run->frame.size}, body = run->message.body;
    enum sw_rc rc = SW_OK;

    if (seat->is_deaf || seat->process == NULL)
        return SW_E_UNAVAILABLE;
    if (!is_stdio(seat))
        rc = sw_process_talk(seat->process, frame);
    else if (body.size > 0)
        rc = sw_process_write(seat->process, body);
    if (rc != SW_OK)
        return SW_E_UNAVAILABLE;
    if (is_stdio(seat))
        sw_process_end_input(seat->process);
    seat->has_request = false;
    if (run->message.head.kind == SW_TURN_BEGIN) {
        seat->number = seat->told = seat->asks.number = 0;
        seat->known = run->message.head.number;
        seat->attempt = run->message.head.value2;
        seat->takes_changes = (run->message.head.flags & SW_PROCESS_TAKES_CHANGES) != 0;
        sw_buffer_reset(&seat->last);
    }
    attach(seat, run);
    return SW_OK;
}

/* A result is for the very request that the agent in front was told of. */
static bool is_waited_for(const struct sw_seat *seat, const struct sw_run *run)
{
    return seat->state == SW_SEAT_PARKED && seat->client.turn == run->client.turn &&
           memcmp(seat->life, run->life, sizeof run->life) == 0 &&
           seat->out_number == run->message.head.number &&
           seat->is_out_asked == (run->message.head.value2 != 0);
}

static void offer_result(struct sw_run *run, struct sw_seat *seat)
{
    if (seat == NULL || !is_waited_for(seat, run)) {
        run->is_lost = true;
    } else if (seat->answer_size > 0 || (seat->is_out_asked && seat->process != NULL)) {
        sw_asks_tell(&seat->asks, &run->message);
        attach(seat, run);
        return;
    } else if (seat->is_killed) {
        run->is_lost = true;
        seat_close(seat);
    } else if (seat->refusal.rc != SW_OK || seat->is_deaf) {
        run->refusal = seat->refusal;
        if (seat->refusal.rc == SW_OK)
            run->refusal = (struct sw_run_refusal){
                SW_E_PRECONDITION, "the program closed its descriptor 3 in the middle of a turn"};
        seat_close(seat);
    } else if (tell(seat, run) == SW_OK) {
        return;
    } else {
        seat_close(seat);
        run->is_lost = true;
    }
    sw_run_answer_later(run);
}

enum sw_rc sw_seat_offer(struct sw_run *run)
{
    struct sw_seat *seat = find(run);

    if (run->message.head.kind == SW_TURN_RESULT) {
        offer_result(run, seat);
        return SW_OK;
    }
    if (seat == NULL)
        return SW_E_NOT_FOUND;
    if (seat->state == SW_SEAT_IDLE && memcmp(seat->life, run->life, sizeof run->life) == 0 &&
        memcmp(seat->manifest_digest, run->manifest_digest, SW_SHA256_SIZE) == 0 &&
        tell(seat, run) == SW_OK)
        return SW_OK;
    seat_close(seat);
    return SW_E_NOT_FOUND;
}

/* --- The start ------------------------------------------------------------------------------- */

static enum sw_rc process_start(struct sw_seat *seat, const struct sw_run *run, struct sw_err *err)
{
    const struct sw_environment environment = {
        .manifest = &seat->manifest,
        .name_space = seat->client.name_space,
        .agent = seat->client.agent,
        .is_of_message = is_stdio(seat),
        .instance = is_stdio(seat) ? run->client.instance : (struct sw_bytes){NULL, 0},
        .from = is_stdio(seat) ? run->message.name : (struct sw_bytes){NULL, 0},
        .type = is_stdio(seat) ? run->message.type : (struct sw_bytes){NULL, 0}};
    const struct sw_process_options options = {
        .image = seat->folders[0],
        .packages = seat->folders + 1,
        .command = seat->manifest.command,
        .environment = sw_environment_make(&environment, seat->arena),
        .memory_bytes_max = seat->manifest.memory_bytes,
        .tmp_bytes_max = seat->manifest.tmp_bytes,
        .tasks_max = seat->manifest.tasks,
        .files_max = seat->manifest.files,
        .handler = {.ctx = seat,
                    .on_ready = on_ready,
                    .on_output = on_output,
                    .on_talk = is_stdio(seat) ? NULL : on_talk,
                    .on_accept = on_accept,
                    .on_exit = on_exit_process}};
    enum sw_rc rc;

    if (options.environment == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the environment of a program");
    rc = sw_process_start(seat->service->options.processes, &options, &seat->process, err);
    if (rc != SW_OK)
        return rc;
    seat->service->view.started++;
    if (!is_stdio(seat))
        sw_process_end_input(seat->process);
    return SW_OK;
}

struct program { /* Of what processes are; all borrowed, but the folders, which stay. */
    struct sw_process_service *service;
    const struct sw_process_client *client;
    struct sw_bytes manifest_text;
    const char *const *folders;
    const struct sw_run *run; /* Of its first message; NULL: it waits for one. */
};

static enum sw_rc seat_fill(struct sw_seat *seat, const struct program *program, struct sw_err *err)
{
    const char *text = NULL;

    seat->used_ms = sw_loop_now_ms(program->service->options.loop);
    seat->arena = sw_arena_new(SEAT_ARENA_MAX);
    seat->timer = sw_timer_new(program->service->options.loop, on_timer, seat);
    if (seat->arena != NULL) {
        seat->client.name_space = sw_arena_print(seat->arena, "%s", program->client->name_space);
        seat->client.agent = sw_arena_print(seat->arena, "%s", program->client->agent);
        text = sw_arena_copy(seat->arena, program->manifest_text.data, program->manifest_text.size);
    }
    if (seat->timer == NULL || text == NULL || seat->client.name_space == NULL ||
        seat->client.agent == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a process");
    seat->manifest_text = (struct sw_bytes){text, program->manifest_text.size};
    sw_sha256_of(text, program->manifest_text.size, seat->manifest_digest);
    memcpy(seat->folders, program->folders, sizeof seat->folders);
    return sw_manifest_read(seat->manifest_text, seat->arena, &seat->manifest, err);
}

/* A process of a program, nobody's yet. */
static enum sw_rc seat_new(const struct program *program, struct sw_seat **ret_seat,
                           struct sw_err *err)
{
    struct sw_seat *seat = calloc(1, sizeof *seat);
    enum sw_rc rc;

    if (seat == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a process");
    seat->service = program->service;
    sw_list_add(&program->service->seats, &seat->node);
    sw_buffer_init(&seat->input, INPUT_MAX);
    sw_buffer_init(&seat->log, SW_PROCESS_LOG_MAX);
    sw_buffer_init(&seat->reply, SW_PROCESS_REPLY_MAX);
    sw_buffer_init(&seat->last, SW_PROCESS_LAST_MAX);
    sw_asks_init(&seat->asks, &program->service->options);
    rc = seat_fill(seat, program, err);
    if (rc == SW_OK)
        rc = process_start(seat, program->run, err);
    if (rc != SW_OK) {
        seat_free(seat);
        return rc;
    }
    sw_timer_start(seat->timer, READY_MS);
    *ret_seat = seat;
    return SW_OK;
}

/* From here on it is that instance's. */
static enum sw_rc assign(struct sw_seat *seat, const struct sw_run *run)
{
    const struct sw_process_client *client = &run->client;
    struct sw_turn_view hello = {.head = {.kind = SW_TURN_HELLO},
                                 .name = sw_bytes_of_text(client->name_space),
                                 .subject = sw_bytes_of_text(client->agent),
                                 .body = client->instance};
    const char *key = sw_arena_copy(seat->arena, client->instance.data, client->instance.size);
    SW_CLEANUP(sw_buffer_done) struct sw_buffer frame;

    sw_buffer_init(&frame, SW_TURN_FRAME_MAX);
    sw_turn_put(&frame, &hello);
    if (key == NULL || frame.failed)
        return SW_E_EXHAUSTED;
    seat->client.instance = (struct sw_bytes){key, client->instance.size};
    memcpy(seat->life, run->life, sizeof seat->life);
    if (is_stdio(seat))
        return SW_OK;
    return sw_process_talk(seat->process, (struct sw_bytes){frame.data, frame.size});
}

static bool is_same_program(const struct sw_seat *one, const struct sw_seat *other)
{
    return memcmp(one->manifest_digest, other->manifest_digest, SW_SHA256_SIZE) == 0 &&
           sw_process_clients_share_agent(&one->client, &other->client);
}

static unsigned ready_count(const struct sw_seat *like)
{
    unsigned count = 0;

    SW_LIST_EACH(&like->service->seats, node)
    {
        const struct sw_seat *seat = SW_LIST_ITEM(node, struct sw_seat, node);

        count += seat->state == SW_SEAT_READY && is_same_program(seat, like);
    }
    return count;
}

/* As many as the manifest says, if there is room. */
static void warm_up(const struct sw_seat *seat)
{
    struct sw_process_service *service = seat->service;
    const struct program program = {.service = service,
                                    .client = &seat->client,
                                    .manifest_text = seat->manifest_text,
                                    .folders = seat->folders};
    unsigned count = ready_count(seat);
    struct sw_err err = {0};
    struct sw_seat *made;

    while (count++ < seat->manifest.warm && service->waiting_count == 0 &&
           sw_processes_has_room(service->options.processes))
        if (seat_new(&program, &made, &err) != SW_OK)
            return; /* Whoever needs one will be told. */
}

void sw_seats_warm_up(void *ctx)
{
    struct sw_process_service *service = ctx;

    SW_LIST_EACH(&service->seats, node)
    {
        struct sw_seat *seat = SW_LIST_ITEM(node, struct sw_seat, node);
        bool wants = seat->wants_warm;

        seat->wants_warm = false;
        if (wants && seat->state != SW_SEAT_CLOSING)
            warm_up(seat);
    }
}

enum sw_rc sw_seat_start(struct sw_run *run, struct sw_err *err)
{
    const struct program program = {.service = run->service,
                                    .client = &run->client,
                                    .manifest_text = run->manifest_text,
                                    .folders = run->folders,
                                    .run = run};
    struct sw_seat *seat = find_ready(run);
    enum sw_rc rc = SW_OK;

    if (seat == NULL)
        rc = seat_new(&program, &seat, err);
    if (rc != SW_OK)
        return rc;
    rc = assign(seat, run);
    if (rc == SW_OK)
        rc = tell(seat, run);
    if (rc != SW_OK) {
        seat_close(seat);
        return sw_err_set(err, rc, "the program cannot be told of the message");
    }
    seat->wants_warm = seat->manifest.warm > 0 && !is_stdio(seat);
    if (seat->wants_warm)
        sw_timer_start(run->service->warm, WARM_MS);
    return SW_OK;
}

/* --- Room ------------------------------------------------------------------------------------ */

/* Between turns, or in the middle of one: but not before it has come further than where the process
 * before it had come, or the turn would never end. */
static bool may_leave(const struct sw_seat *seat, uint64_t now_ms)
{
    if (seat->process == NULL)
        return false;
    if (seat->state == SW_SEAT_PARKED)
        return now_ms - seat->used_ms >= (seat->told > seat->known ? YOUNG_MS : STALE_MS);
    return seat->state == SW_SEAT_READY || seat->state == SW_SEAT_IDLE;
}

/* One in the middle of a turn has to begin again: only if there is no other. */
static bool is_better(const struct sw_seat *seat, const struct sw_seat *best)
{
    bool is_parked = seat->state == SW_SEAT_PARKED;

    if (best == NULL)
        return true;
    if (is_parked != (best->state == SW_SEAT_PARKED))
        return !is_parked;
    return seat->used_ms < best->used_ms;
}

bool sw_seat_evict(struct sw_process_service *service)
{
    uint64_t now_ms = sw_loop_now_ms(service->options.loop);
    struct sw_seat *best = NULL;
    bool is_one_young = false;

    SW_LIST_EACH(&service->seats, node)
    {
        struct sw_seat *seat = SW_LIST_ITEM(node, struct sw_seat, node);

        if (may_leave(seat, now_ms) && is_better(seat, best))
            best = seat;
        is_one_young = is_one_young || seat->state == SW_SEAT_PARKED;
    }
    if (best != NULL)
        seat_close(best);
    else if (is_one_young)
        sw_timer_start(service->pump, YOUNG_MS);
    return best != NULL;
}

unsigned sw_seats_closing(const struct sw_process_service *service)
{
    unsigned count = 0;

    SW_LIST_EACH(&service->seats, node)
    count += SW_LIST_ITEM(node, struct sw_seat, node)->state == SW_SEAT_CLOSING;
    return count;
}

unsigned sw_seats_idle(const struct sw_process_service *service)
{
    unsigned count = 0;

    SW_LIST_EACH(&service->seats, node)
    {
        const struct sw_seat *seat = SW_LIST_ITEM(node, struct sw_seat, node);

        count += seat->process != NULL && seat->state != SW_SEAT_RUNNING &&
                 seat->state != SW_SEAT_CLOSING;
    }
    return count;
}
