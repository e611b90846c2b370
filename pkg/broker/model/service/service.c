#include "pkg/broker/model/service/service.h"

#include "pkg/utils/base/list.h"
#include "pkg/utils/base/map.h"
#include "pkg/utils/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_MS 5000u
#define WHO_SIZE 512u
#define ANSWER_TYPE_SIZE 128u
#define ANSWER_BYTES_MAX ((size_t)4 << 20) /* What a service may answer with. */
#define PIECE_BYTES_MAX ((size_t)2 << 20)  /* Of a stream at once, and what waits for a reader. */

struct sw_model_services {
    struct sw_models *models;
    struct sw_loop *loop;
    struct sw_map *streams; /* struct asked, by name. */
    struct sw_list all;     /* struct asked. */
    struct sw_list ready;   /* Of these, who has more for whoever waits for it. */
    struct sw_timer *sweep, *feeder;
    struct protocol_ctx {
        struct sw_model_services *services;
        enum sw_wire_protocol protocol;
    } protocols[SW_WIRE_PROTOCOLS];
};

struct next { /* A call that waits for more of a stream; a ticket. */
    struct asked *asked;
    uint64_t after;
    sw_service_done *done;
    void *done_ctx;
};

struct asked { /* A call of a model; a ticket until it is answered. */
    struct sw_list node;
    struct sw_list ready; /* In services->ready. */
    struct sw_model_services *services;
    struct sw_model_call *call; /* NULL: it is over. */
    sw_service_done *done;      /* NULL: it was answered. */
    void *done_ctx;
    bool is_stream, is_over;
    struct sw_buffer got; /* Of a stream: from byte `base` on, what may be asked for again. */
    uint64_t base;
    struct next *next;
    uint64_t used_ms;                      /* When somebody asked for it last, */
    uint32_t keep_ms;                      /* and how long it is kept after that. */
    char provider[SW_SERVICE_KEY_MAX + 8]; /* That answers; "": not known, or too long. */
    uint8_t name_size;
    uint16_t who_size;
    char name[SW_SERVICE_KEY_MAX];
    char who[WHO_SIZE]; /* Namespace, agent and instance: who may read it. */
};

static struct sw_bytes words_of(const char *text)
{
    return (struct sw_bytes){text, strlen(text)};
}

static struct sw_bytes name_of(const void *value)
{
    const struct asked *asked = value;

    return (struct sw_bytes){asked->name, asked->name_size};
}

static void asked_free(struct asked *asked)
{
    struct sw_map *streams = asked->services->streams;

    if (asked->is_stream && sw_map_find(streams, asked->name, asked->name_size) == asked)
        (void)sw_map_remove(streams, asked->name, asked->name_size);
    sw_list_remove(&asked->node);
    sw_list_remove(&asked->ready);
    sw_buffer_done(&asked->got);
    free(asked->next);
    free(asked);
}

/* One caller of a service cannot be taken for another one: no name has a NUL. */
static bool put_who(const struct sw_service_call *call, char who[WHO_SIZE], uint16_t *ret_size)
{
    size_t space = strlen(call->name_space) + 1, agent = strlen(call->agent) + 1;

    if (space + agent + call->instance.size > WHO_SIZE)
        return false;
    memcpy(who, call->name_space, space);
    memcpy(who + space, call->agent, agent);
    if (call->instance.size > 0)
        memcpy(who + space + agent, call->instance.data, call->instance.size);
    *ret_size = (uint16_t)(space + agent + call->instance.size);
    return true;
}

/* --- Streams --------------------------------------------------------------------------------- */

/* Whole events that are there from byte `after` on. */
static struct sw_bytes piece(const struct asked *asked, uint64_t after)
{
    const char *from = (const char *)asked->got.data + (after - asked->base);
    size_t size = asked->got.size - (size_t)(after - asked->base);

    if (size <= PIECE_BYTES_MAX)
        return (struct sw_bytes){from, size};
    size = PIECE_BYTES_MAX; /* An event is smaller. */
    while (size > 2 && memcmp(from + size - 2, "\n\n", 2) != 0)
        size--;
    return (struct sw_bytes){from, size};
}

/* Answer whoever waits for more, if there is any. */
static void feed(struct asked *asked)
{
    struct next *next = asked->next;
    uint64_t end = asked->base + asked->got.size;
    struct sw_service_answer answer = {
        .rc = SW_OK, .type = {SW_MODEL_EVENTS_TYPE, strlen(SW_MODEL_EVENTS_TYPE)}};

    if (next == NULL || (next->after >= end && !asked->is_over))
        return;
    if (next->after < end)
        answer.body = piece(asked, next->after);
    if (asked->is_over && next->after + answer.body.size == end)
        answer.type = (struct sw_bytes){SW_MODEL_LAST_TYPE, strlen(SW_MODEL_LAST_TYPE)};
    asked->next = NULL;
    asked->used_ms = sw_loop_now_ms(asked->services->loop);
    next->done(next->done_ctx, &answer);
    free(next);
}

static void on_feed(void *ctx)
{
    struct sw_model_services *services = ctx;
    struct sw_list *first;

    while ((first = sw_list_first(&services->ready)) != NULL) {
        sw_list_remove(first);
        feed(SW_LIST_ITEM(first, struct asked, ready));
    }
}

static void on_sweep(void *ctx)
{
    struct sw_model_services *services = ctx;
    uint64_t now = sw_loop_now_ms(services->loop);

    SW_LIST_EACH(&services->all, node)
    {
        struct asked *asked = SW_LIST_ITEM(node, struct asked, node);

        if (!asked->is_stream || asked->done != NULL || asked->next != NULL ||
            now - asked->used_ms < asked->keep_ms)
            continue;
        if (asked->call != NULL) /* Its agent has gone, or forgot it. */
            sw_model_cancel(asked->call);
        asked_free(asked);
    }
    if (!sw_list_is_empty(&services->all))
        sw_timer_start(services->sweep, SWEEP_MS);
}

/* --- Calls of models ------------------------------------------------------------------------- */

static void answer(struct asked *asked, enum sw_rc rc, const char *type, struct sw_bytes body)
{
    sw_service_done *done = asked->done;

    asked->done = NULL;
    asked->used_ms = sw_loop_now_ms(asked->services->loop);
    done(asked->done_ctx,
         &(struct sw_service_answer){.rc = rc, .type = {type, strlen(type)}, .body = body});
}

static void on_head(void *ctx, struct sw_model_call *call, const struct sw_model_head *head)
{
    struct asked *asked = ctx;

    if (strlen(head->provider) < sizeof asked->provider)
        (void)snprintf(asked->provider, sizeof asked->provider, "%s", head->provider);
    if (!head->is_stream)
        return;
    asked->is_stream = true;
    if (sw_map_put(asked->services->streams, asked->name, asked->name_size, asked, NULL) == SW_OK) {
        answer(asked, SW_OK, SW_MODEL_STREAM_TYPE, name_of(asked));
        return;
    }
    sw_model_cancel(call);
    asked->call = NULL;
    asked->is_stream = false;
    answer(asked, SW_E_EXHAUSTED, "", words_of("no memory for a stream"));
    asked_free(asked);
}

static void on_bytes(void *ctx, struct sw_model_call *call, struct sw_bytes bytes)
{
    struct asked *asked = ctx;

    sw_buffer_put(&asked->got, bytes.data, bytes.size);
    feed(asked);
    if (asked->is_stream && asked->got.size > PIECE_BYTES_MAX)
        sw_model_pause(call);
}

/* What is known of an answer beside itself stands in its content type, and so in the record of the
 * turn that takes it. */
static void print_type(const struct asked *asked, const struct sw_model_end *end,
                       char type[ANSWER_TYPE_SIZE])
{
    int size = snprintf(type, ANSWER_TYPE_SIZE, "application/json");

    if (asked->provider[0] != '\0')
        (void)snprintf(type + size, ANSWER_TYPE_SIZE - (size_t)size, "; provider=%s; cost=%" PRIu64,
                       asked->provider, end->cost.money_nano);
}

static void on_end(void *ctx, struct sw_model_call *call, const struct sw_model_end *end)
{
    struct asked *asked = ctx;
    char type[ANSWER_TYPE_SIZE];
    struct sw_bytes body = {asked->got.data, asked->got.size};

    (void)call;
    print_type(asked, end, type);
    asked->call = NULL;
    asked->is_over = true;
    if (asked->is_stream) {
        feed(asked);
        return;
    }
    if (end->rc != SW_OK)
        answer(asked, end->rc, "", words_of(end->err->message));
    else if (sw_buffer_check(&asked->got) != SW_OK || body.size > ANSWER_BYTES_MAX)
        answer(asked, SW_E_EXHAUSTED, "", words_of("the answer is larger than 4 MiB"));
    else
        answer(asked, SW_OK, type, body);
    asked_free(asked);
}

static enum sw_rc start(void *ctx, const struct sw_service_call *call, sw_service_done *done,
                        void *done_ctx, void **ret_ticket, struct sw_err *err)
{
    struct protocol_ctx *protocol = ctx;
    struct sw_model_services *services = protocol->services;
    struct asked *asked;
    struct sw_model_handler handler = {.on_head = on_head, .on_bytes = on_bytes, .on_end = on_end};
    struct sw_model_request request = {.protocol = protocol->protocol,
                                       .body = call->body,
                                       .who = {.name_space = call->name_space,
                                               .agent = call->agent,
                                               .instance = call->instance,
                                               .turn = call->turn,
                                               .depth = call->depth},
                                       .key = call->key,
                                       .priority = SW_MODEL_PRIORITY_NORMAL};
    enum sw_rc rc;

    if (sw_map_count(services->streams) >= SW_MODEL_STREAMS_MAX)
        return sw_err_set(err, SW_E_EXHAUSTED, "%u streams of models are open on this node",
                          SW_MODEL_STREAMS_MAX);
    asked = calloc(1, sizeof *asked);
    if (asked == NULL || call->key.size > sizeof asked->name) {
        free(asked);
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a call");
    }
    asked->services = services;
    sw_list_init(&asked->ready);
    asked->done = done;
    asked->done_ctx = done_ctx;
    asked->keep_ms = SW_MODEL_STREAM_IDLE_MS;
    asked->name_size = (uint8_t)call->key.size;
    memcpy(asked->name, call->key.data, call->key.size);
    sw_buffer_init(&asked->got, 2 * ANSWER_BYTES_MAX);
    sw_list_add(&services->all, &asked->node);
    handler.ctx = asked;
    rc = put_who(call, asked->who, &asked->who_size)
             ? sw_models_start(services->models, &request, &handler, &asked->call, err)
             : sw_err_set(err, SW_E_INVALID, "the caller's name is too long");
    if (rc != SW_OK) {
        asked_free(asked);
        return rc;
    }
    sw_timer_start(services->sweep, SWEEP_MS);
    *ret_ticket = asked;
    return SW_OK;
}

static void cancel(void *ctx, void *ticket)
{
    struct asked *asked = ticket;

    (void)ctx;
    if (asked->call != NULL)
        sw_model_cancel(asked->call);
    asked_free(asked);
}

/* --- More of a stream ------------------------------------------------------------------------ */

static enum sw_rc parse(struct sw_model_services *services, struct sw_bytes body,
                        struct asked **ret_asked, uint64_t *ret_after, struct sw_err *err)
{
    char text[SW_SERVICE_KEY_MAX + 24] = "";
    char *space;

    if (body.size < sizeof text && body.size > 0)
        memcpy(text, body.data, body.size);
    space = strchr(text, ' ');
    if (space == NULL || strlen(text) != body.size || sw_text_to_u64(space + 1, ret_after) != SW_OK)
        return sw_err_set(err, SW_E_INVALID,
                          "swarm.model.next takes a stream's name, a space, and how many bytes of "
                          "it were read");
    *ret_asked = sw_map_find(services->streams, text, (size_t)(space - text));
    return SW_OK;
}

static enum sw_rc next_start(void *ctx, const struct sw_service_call *call, sw_service_done *done,
                             void *done_ctx, void **ret_ticket, struct sw_err *err)
{
    struct sw_model_services *services = ctx;
    struct asked *asked = NULL;
    char who[WHO_SIZE];
    uint16_t who_size = 0;
    uint64_t after = 0;
    enum sw_rc rc = parse(services, call->body, &asked, &after, err);

    if (rc != SW_OK)
        return rc;
    if (asked == NULL || !put_who(call, who, &who_size) || who_size != asked->who_size ||
        memcmp(who, asked->who, who_size) != 0 || after < asked->base ||
        after > asked->base + asked->got.size) {
        (void)sw_err_set(err, SW_E_UNAVAILABLE, "that stream is not there, or not any more");
        sw_err_hint(err, "ask again: what came of it is lost with the swarmd that had it");
        return SW_E_UNAVAILABLE;
    }
    if (asked->next != NULL)
        return sw_err_set(err, SW_E_CONFLICT, "somebody waits for more of that stream already");
    asked->next = calloc(1, sizeof *asked->next);
    if (asked->next == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a call");
    *asked->next =
        (struct next){.asked = asked, .after = after, .done = done, .done_ctx = done_ctx};
    *ret_ticket = asked->next;
    asked->keep_ms = SW_MODEL_STREAM_IDLE_MS;
    sw_buffer_consume(&asked->got, (size_t)(after - asked->base)); /* It was read. */
    asked->base = after;
    if (asked->call != NULL && asked->got.size <= PIECE_BYTES_MAX)
        sw_model_resume(asked->call);
    if (asked->got.size > 0 || asked->is_over) { /* It is there, and told outside of this call. */
        sw_list_remove(&asked->ready);
        sw_list_add(&services->ready, &asked->ready);
        sw_timer_start(services->feeder, 0);
    }
    return SW_OK;
}

static void next_cancel(void *ctx, void *ticket)
{
    struct next *next = ticket;

    (void)ctx;
    next->asked->next = NULL;
    next->asked->used_ms = sw_loop_now_ms(next->asked->services->loop);
    next->asked->keep_ms = SW_MODEL_STREAM_LEFT_MS;
    free(next);
}

/* --- Life ------------------------------------------------------------------------------------ */

enum sw_rc sw_model_services_new(struct sw_models *models, struct sw_loop *loop,
                                 const struct sw_system *system, struct sw_services *services,
                                 struct sw_model_services **ret_services, struct sw_err *err)
{
    static const char *const names[SW_WIRE_PROTOCOLS] = {
        [SW_WIRE_CHAT] = "swarm.model.chat",
        [SW_WIRE_RESPONSES] = "swarm.model.responses",
        [SW_WIRE_EMBEDDINGS] = "swarm.model.embeddings",
        [SW_WIRE_MESSAGES] = "swarm.model.messages"};
    SW_CLEANUP(sw_model_services_freep)
    struct sw_model_services *made = calloc(1, sizeof *made);
    struct sw_service next = {
        .name = "swarm.model.next", .ctx = made, .start = next_start, .cancel = next_cancel};
    uint64_t seed;
    enum sw_rc rc;

    if (made == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the services of models");
    system->random(system->ctx, &seed, sizeof seed);
    made->models = models;
    made->loop = loop;
    sw_list_init(&made->all);
    sw_list_init(&made->ready);
    made->streams = sw_map_new_of(seed, name_of);
    made->sweep = sw_timer_new(loop, on_sweep, made);
    made->feeder = sw_timer_new(loop, on_feed, made);
    if (made->streams == NULL || made->sweep == NULL || made->feeder == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the services of models");
    rc = sw_services_add(services, &next, err);
    for (unsigned i = 0; rc == SW_OK && i < SW_WIRE_PROTOCOLS; i++) {
        struct sw_service service = {
            .name = names[i], .ctx = &made->protocols[i], .start = start, .cancel = cancel};

        made->protocols[i] = (struct protocol_ctx){made, (enum sw_wire_protocol)i};
        rc = sw_services_add(services, &service, err);
    }
    if (rc == SW_OK)
        *ret_services = SW_TAKE(made);
    return rc;
}

void sw_model_services_free(struct sw_model_services *services)
{
    if (services == NULL)
        return;
    SW_LIST_EACH(&services->all, node)
    cancel(services, SW_LIST_ITEM(node, struct asked, node));
    sw_map_free(services->streams);
    sw_timer_free(services->sweep);
    sw_timer_free(services->feeder);
    free(services);
}
