#include "pkg/broker/loops/service/guard.h"

#include "pkg/broker/loops/read.h"
#include "pkg/utils/base/list.h"
#include "pkg/utils/base/map.h"
#include "pkg/utils/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLICY_FRESH_MS 1000u
#define POLICY_ARENA_BYTES ((size_t)4 << 20)
#define HOLD_STANDARD_NS UINT64_C(3600000000000)
#define NS_PER_MS 1000000u
#define INSTANCE_MAX 255u /* Of an Event. */
#define MODEL_PREFIX "swarm.model."

enum sort { SORT_MODEL, SORT_OTHER, SORT_HELD_ONLY };

struct guarded { /* A service that it stands in front of. */
    struct sw_guard *guard;
    struct sw_service inner;
    enum sort sort;
    enum sw_wire_protocol protocol;
};

struct policy { /* What the spec of an Agent says. */
    struct sw_list node;
    uint64_t read_ms, generation, hold_ms;
    enum sw_api_loop_action action;
    uint32_t repeats;
    uint16_t name_size;
    char name[]; /* "namespace/agent" */
};

struct held { /* An instance whose calls are refused, or wait. */
    struct sw_list node;
    uint64_t until_ms, generation, delay_ms;
    uint64_t next_ms; /* Throttled: no earlier is a program's next call made. */
    bool is_stopped;  /* Otherwise it is throttled. */
    char words[SW_GUARD_WORDS_MAX];
    uint16_t who_size;
    char who[];
};

struct ticket { /* A call under way. */
    struct sw_list node;
    struct guarded *guarded;
    sw_service_done *done;
    void *done_ctx;
    void *inner;            /* Its ticket; NULL while it waits to be started. */
    struct sw_timer *timer; /* Of one that waits; NULL: it does not. */
    struct sw_buffer copy;  /* Of one that waits: what was asked. */
    struct sw_service_call call;
    uint64_t state, number, depth;
    uint16_t who_size, agent_size; /* Of who: all, and "namespace/agent". */
    char who[];                    /* "namespace/agent/key" */
};

struct sw_guard {
    struct sw_guard_options options;
    struct sw_loops *loops;
    struct sw_loops_reader reader;
    struct sw_map *policies, *held_by_who;
    struct sw_list policies_all, held_all, tickets;
    struct guarded services[SW_GUARD_SERVICES_MAX];
    uint32_t services_count;
    struct guarded programs[SW_WIRE_PROTOCOLS]; /* What programs ask, which is no service. */
    struct sw_guard_figures figures;
};

/* --- Policies -------------------------------------------------------------------------------- */

static struct sw_bytes policy_name(const void *value)
{
    const struct policy *policy = value;

    return (struct sw_bytes){policy->name, policy->name_size};
}

static void policy_free(struct sw_guard *guard, struct policy *policy)
{
    (void)sw_map_remove(guard->policies, policy->name, policy->name_size);
    sw_list_remove(&policy->node);
    free(policy);
}

static uint64_t hold_of(const char *text)
{
    uint64_t ns = 0;

    return text != NULL && text[0] != '\0' && sw_text_to_duration_ns(text, &ns) == SW_OK
               ? ns / NS_PER_MS
               : HOLD_STANDARD_NS / NS_PER_MS;
}

/* What an Agent that is gone, or cannot be read, had said stays. */
static void policy_read(struct sw_guard *guard, struct policy *policy, const char *name_space,
                        const char *agent)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(POLICY_ARENA_BYTES);
    const struct sw_object_ref ref = {sw_kind_find("Agent"), name_space, agent};
    const struct sw_api_loop_policy *spec;
    struct sw_err ignored = {0};
    void *object = NULL;

    policy->read_ms = sw_loop_now_ms(guard->options.loop);
    if (arena == NULL ||
        sw_objects_get(guard->options.objects, &ref, arena, &object, &ignored) != SW_OK)
        return;
    spec = &((const struct sw_api_agent *)object)->spec.loops;
    policy->generation = ((const struct sw_api_agent *)object)->metadata.generation;
    policy->action =
        spec->action == SW_API_LOOP_ACTION_UNSPECIFIED ? SW_API_LOOP_ACTION_WARN : spec->action;
    policy->repeats =
        spec->repeats < SW_LOOPS_REPEATS_LEAST || spec->repeats > SW_LOOPS_REPEATS_MOST
            ? SW_LOOPS_REPEATS_STANDARD
            : spec->repeats;
    policy->hold_ms = hold_of(spec->hold);
}

/* NULL: no memory. */
static const struct policy *policy_of(struct sw_guard *guard, const char *name_space,
                                      const char *agent, struct sw_bytes name)
{
    struct policy *policy = sw_map_find(guard->policies, name.data, name.size);

    if (policy == NULL) {
        if (sw_map_count(guard->policies) >= SW_GUARD_AGENTS_MAX)
            policy_free(guard,
                        SW_LIST_ITEM(sw_list_first(&guard->policies_all), struct policy, node));
        policy = calloc(1, sizeof *policy + name.size);
        if (policy == NULL)
            return NULL;
        policy->name_size = (uint16_t)name.size;
        memcpy(policy->name, name.data, name.size);
        policy->action = SW_API_LOOP_ACTION_WARN;
        policy->repeats = SW_LOOPS_REPEATS_STANDARD;
        sw_list_add(&guard->policies_all, &policy->node);
        if (sw_map_put(guard->policies, policy->name, name.size, policy, NULL) != SW_OK) {
            sw_list_remove(&policy->node);
            free(policy);
            return NULL;
        }
    } else if (sw_loop_now_ms(guard->options.loop) - policy->read_ms < POLICY_FRESH_MS) {
        return policy;
    }
    policy_read(guard, policy, name_space, agent);
    return policy;
}

/* --- Who is held ----------------------------------------------------------------------------- */

static struct sw_bytes held_name(const void *value)
{
    const struct held *held = value;

    return (struct sw_bytes){held->who, held->who_size};
}

static void held_free(struct sw_guard *guard, struct held *held)
{
    (void)sw_map_remove(guard->held_by_who, held->who, held->who_size);
    sw_list_remove(&held->node);
    free(held);
}

static struct held *held_find(const struct sw_guard *guard, struct sw_bytes who)
{
    return sw_map_find(guard->held_by_who, who.data, who.size);
}

/* NULL: no memory. */
static struct held *held_get(struct sw_guard *guard, struct sw_bytes who)
{
    struct held *held = held_find(guard, who);

    if (held != NULL)
        return held;
    if (sw_map_count(guard->held_by_who) >= SW_LOOPS_INSTANCES_MAX)
        held_free(guard, SW_LIST_ITEM(sw_list_first(&guard->held_all), struct held, node));
    held = calloc(1, sizeof *held + who.size);
    if (held == NULL)
        return NULL;
    held->who_size = (uint16_t)who.size;
    memcpy(held->who, who.data, who.size);
    sw_list_add(&guard->held_all, &held->node);
    if (sw_map_put(guard->held_by_who, held->who, who.size, held, NULL) == SW_OK)
        return held;
    sw_list_remove(&held->node);
    free(held);
    return NULL;
}

/* Somebody changed the Agent, or the time is over. */
static bool is_released(const struct sw_guard *guard, const struct held *held,
                        const struct policy *policy)
{
    return held->generation != policy->generation ||
           (held->is_stopped && sw_loop_now_ms(guard->options.loop) >= held->until_ms);
}

/* --- What is found --------------------------------------------------------------------------- */

static void put_calls(struct sw_buffer *out, const struct sw_loop *loop)
{
    if (loop->calls[0] == 0) { /* Those of programs have no numbers. */
        sw_buffer_put_text(out, "the last ones");
        return;
    }
    for (uint32_t i = 0; i < loop->calls_count; i++)
        sw_buffer_print(out, "%s#%" PRIu64,
                        i == 0                       ? ""
                        : i + 1 == loop->calls_count ? " and "
                                                     : ", ",
                        loop->calls[i]);
}

static void put_found(struct sw_buffer *out, const struct ticket *ticket,
                      const struct sw_loop *loop)
{
    const char *service = ticket->guarded->inner.name;

    sw_buffer_print(out, "%s: calls ", sw_loop_kind_name(loop->kind));
    put_calls(out, loop);
    switch (loop->kind) {
    case SW_LOOP_REPEAT:
        sw_buffer_print(out, " were part of the same %" PRIu32 " step%s, %" PRIu32 " times over",
                        loop->period, loop->period == 1 ? "" : "s", loop->repeats);
        break;
    case SW_LOOP_PING_PONG:
        sw_buffer_print(out, " did the same, %" PRIu32 " times over, in turn with %.128s",
                        loop->repeats, strchr(loop->other, '/') + 1);
        break;
    case SW_LOOP_GROWTH:
        sw_buffer_print(out,
                        " are the last of %" PRIu32 " whose requests grew and of which none did "
                        "anything new",
                        loop->repeats);
        break;
    case SW_LOOP_RETRY:
        sw_buffer_print(out,
                        " are the last of %" PRIu32 " that were the same and failed, without a "
                        "wait that grows between them",
                        loop->repeats);
        break;
    case SW_LOOP_NONE:
        break;
    }
    sw_buffer_print(out, " (%s)", service);
}

static void put_done(struct sw_buffer *out, const struct policy *policy)
{
    if (policy->action == SW_API_LOOP_ACTION_STOP)
        sw_buffer_print(
            out, "; its calls are refused for %" PRIu64 " s, or until the Agent's spec is changed",
            policy->hold_ms / 1000);
    else if (policy->action == SW_API_LOOP_ACTION_THROTTLE)
        sw_buffer_put_text(out, "; its calls wait until something new happens");
    sw_buffer_put_u8(out, 0);
}

/* The instance's name for people. */
static const char *print_instance(const struct ticket *ticket, char *text, size_t size)
{
    const char *slash = memchr(ticket->who, '/', ticket->who_size);
    const char *name = slash == NULL ? ticket->who : slash + 1;
    size_t left = ticket->who_size - (size_t)(name - ticket->who);

    if (left > INSTANCE_MAX || !sw_text_is_utf8(name, left))
        left = ticket->agent_size - (size_t)(name - ticket->who);
    (void)snprintf(text, size, "%.*s", (int)left, name);
    return text;
}

static void tell_found(struct sw_guard *guard, const struct ticket *ticket,
                       const struct sw_loop *loop, const char *words)
{
    char space[64], agent[64], instance[SW_LOOPS_WHO_MAX];
    const char *slash = memchr(ticket->who, '/', ticket->agent_size);
    size_t size = (size_t)(slash - ticket->who);
    const struct sw_guard_found found = {.name_space = space,
                                         .agent = agent,
                                         .instance =
                                             print_instance(ticket, instance, sizeof instance),
                                         .kind = loop->kind,
                                         .words = words};

    guard->figures.found[loop->kind]++;
    (void)snprintf(space, sizeof space, "%.*s", (int)size, ticket->who);
    (void)snprintf(agent, sizeof agent, "%.*s", (int)(ticket->agent_size - size - 1), slash + 1);
    guard->options.on_found(guard->options.ctx, &found);
}

/* The next wait is twice as long. */
static void lengthen(struct held *held)
{
    held->delay_ms *= 2;
    if (held->delay_ms > SW_GUARD_DELAY_MAX_MS)
        held->delay_ms = SW_GUARD_DELAY_MAX_MS;
}

static void on_loop(struct sw_guard *guard, const struct ticket *ticket,
                    const struct policy *policy, const struct sw_loop *loop)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer words = {0};
    struct held *held = NULL;

    sw_buffer_init(&words, SW_GUARD_WORDS_MAX * 4);
    put_found(&words, ticket, loop);
    if (policy->action == SW_API_LOOP_ACTION_STOP || policy->action == SW_API_LOOP_ACTION_THROTTLE)
        held = held_get(guard, (struct sw_bytes){ticket->who, ticket->who_size});
    if (held != NULL) {
        held->is_stopped = policy->action == SW_API_LOOP_ACTION_STOP;
        held->generation = policy->generation;
        held->until_ms = sw_loop_now_ms(guard->options.loop) + policy->hold_ms;
        if (held->delay_ms == 0)
            held->delay_ms = SW_GUARD_DELAY_MS;
        (void)snprintf(held->words, sizeof held->words, "%.*s", (int)words.size,
                       words.data == NULL ? "" : (const char *)words.data);
    }
    if (held != NULL && !held->is_stopped && ticket->number == 0) {
        held->next_ms = sw_loop_now_ms(guard->options.loop) + held->delay_ms;
        lengthen(held);
    }
    put_done(&words, policy);
    if (loop->is_told_first && !words.failed)
        tell_found(guard, ticket, loop, (const char *)words.data);
}

/* Take in what a call came to. */
static void look(const struct ticket *ticket, const struct sw_service_answer *answer)
{
    struct guarded *guarded = ticket->guarded;
    struct sw_guard *guard = guarded->guard;
    struct sw_bytes who = {ticket->who, ticket->who_size};
    const struct policy *policy = sw_map_find(guard->policies, ticket->who, ticket->agent_size);
    struct sw_loops_step step = {.state = ticket->state,
                                 .call = ticket->number,
                                 .now_ms = sw_loop_now_ms(guard->options.loop),
                                 .is_failed = answer->rc != SW_OK};
    struct held *held;
    struct sw_loop loop;

    if (guarded->sort == SORT_HELD_ONLY || policy == NULL ||
        policy->action == SW_API_LOOP_ACTION_OFF || answer->rc == SW_E_CANCELLED)
        return;
    if (answer->rc != SW_OK)
        step.action = (uint64_t)-(int64_t)answer->rc;
    else if (guarded->sort == SORT_MODEL)
        step.action =
            sw_loops_action(&guard->reader, guarded->protocol, answer->body, &step.tokens);
    else
        step.action = sw_loops_document(&guard->reader, answer->body);
    if (sw_loops_add(guard->loops, who, &step, policy->repeats, &loop)) {
        on_loop(guard, ticket, policy, &loop);
        return;
    }
    held = held_find(guard, who);
    if (held != NULL && !held->is_stopped) /* Something new happened. */
        held_free(guard, held);
}

/* --- Calls ----------------------------------------------------------------------------------- */

static void ticket_free(struct ticket *ticket)
{
    sw_list_remove(&ticket->node);
    if (ticket->timer != NULL)
        sw_timer_free(ticket->timer);
    sw_buffer_done(&ticket->copy);
    free(ticket);
}

static void on_done(void *ctx, const struct sw_service_answer *answer)
{
    struct ticket *ticket = ctx;
    sw_service_done *done = ticket->done;
    void *done_ctx = ticket->done_ctx;

    look(ticket, answer);
    ticket_free(ticket);
    done(done_ctx, answer);
}

static enum sw_rc begin(struct ticket *ticket, const struct sw_service_call *call,
                        struct sw_err *err)
{
    struct sw_service *inner = &ticket->guarded->inner;
    enum sw_rc rc = inner->start(inner->ctx, call, on_done, ticket, &ticket->inner, err);

    if (rc != SW_OK) /* That is its answer. */
        look(ticket, &(struct sw_service_answer){.rc = rc});
    return rc;
}

static void on_timer(void *ctx)
{
    struct ticket *ticket = ctx;
    struct sw_err err = {0};
    struct sw_service_answer answer = {.rc = SW_OK};

    sw_timer_stop(ticket->timer);
    if (begin(ticket, &ticket->call, &err) == SW_OK) {
        sw_buffer_done(&ticket->copy);
        return;
    }
    answer.rc = err.rc;
    answer.body = (struct sw_bytes){err.message, strlen(err.message)};
    ticket->done(ticket->done_ctx, &answer);
    ticket_free(ticket);
}

static struct sw_bytes put_copy(struct sw_buffer *copy, struct sw_bytes bytes)
{
    sw_buffer_put(copy, bytes.data, bytes.size);
    sw_buffer_put_u8(copy, 0);
    return (struct sw_bytes){NULL, bytes.size};
}

/* Keep what was asked, and ask for it later. */
static enum sw_rc begin_later(struct ticket *ticket, const struct sw_service_call *call,
                              uint64_t delay_ms, struct sw_err *err)
{
    struct sw_bytes *const fields[] = {&ticket->call.instance, &ticket->call.key,
                                       &ticket->call.type, &ticket->call.body};
    size_t space = strlen(call->name_space) + 1, at = space + strlen(call->agent) + 1;

    ticket->call = *call;
    ticket->timer = sw_timer_new(ticket->guarded->guard->options.loop, on_timer, ticket);
    sw_buffer_put(&ticket->copy, call->name_space, space);
    sw_buffer_put(&ticket->copy, call->agent, at - space);
    for (size_t i = 0; i < 4; i++)
        *fields[i] = put_copy(&ticket->copy, *fields[i]);
    if (ticket->timer == NULL || ticket->copy.failed)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a call that waits");
    ticket->call.name_space = (const char *)ticket->copy.data;
    ticket->call.agent = (const char *)ticket->copy.data + space;
    for (size_t i = 0; i < 4; i++) {
        fields[i]->data = ticket->copy.data + at;
        at += fields[i]->size + 1;
    }
    sw_timer_start(ticket->timer, delay_ms);
    return SW_OK;
}

/* The last of the three numbers of the key: which call of the instance it is. */
static uint64_t number_of(struct sw_bytes key)
{
    char text[SW_SERVICE_KEY_MAX + 1] = "";
    const char *dash;

    if (key.size < sizeof text && key.size > 0)
        memcpy(text, key.data, key.size);
    dash = strrchr(text, '-');
    return dash == NULL ? 0 : strtoull(dash + 1, NULL, 16);
}

/* What it saw when it asked, if that is looked at. */
static void note_state(struct ticket *ticket, const struct sw_service_call *call,
                       const struct policy *policy)
{
    struct guarded *guarded = ticket->guarded;
    struct sw_loops_reader *reader = &guarded->guard->reader;

    if (guarded->sort == SORT_HELD_ONLY || policy == NULL ||
        policy->action == SW_API_LOOP_ACTION_OFF)
        return;
    ticket->state = guarded->sort == SORT_MODEL
                        ? sw_loops_state(reader, guarded->protocol, call->body)
                        : sw_loops_digest(reader, call->body);
}

/* NULL: no memory. */
static struct ticket *ticket_new(struct guarded *guarded, const struct sw_service_call *call)
{
    size_t space = strlen(call->name_space), agent = strlen(call->agent);
    struct ticket *ticket = calloc(1, sizeof *ticket + space + agent + call->instance.size + 2);
    char *at;

    if (ticket == NULL)
        return NULL;
    ticket->guarded = guarded;
    ticket->number = number_of(call->key);
    sw_buffer_init(&ticket->copy, SIZE_MAX / 2);
    ticket->agent_size = (uint16_t)(space + 1 + agent);
    ticket->who_size = (uint16_t)(ticket->agent_size + 1 + call->instance.size);
    at = ticket->who;
    memcpy(at, call->name_space, space);
    at[space] = '/';
    memcpy(at + space + 1, call->agent, agent);
    at[ticket->agent_size] = '/';
    if (call->instance.size > 0)
        memcpy(at + ticket->agent_size + 1, call->instance.data, call->instance.size);
    sw_list_add(&guarded->guard->tickets, &ticket->node);
    return ticket;
}

static enum sw_rc refuse(struct sw_guard *guard, const struct held *held, struct sw_err *err)
{
    uint64_t left_s = (held->until_ms - sw_loop_now_ms(guard->options.loop)) / 1000 + 1;

    guard->figures.refused++;
    (void)sw_err_set(err, SW_E_PRECONDITION,
                     "stopped, since it went in circles: %s. Somebody has to look at it: its calls "
                     "are made again when the Agent's spec is changed, or in %" PRIu64 " s",
                     held->words, left_s);
    return SW_E_PRECONDITION;
}

/* What holds an instance; NULL: nothing. */
static struct held *find_hold(struct sw_guard *guard, const struct ticket *ticket,
                              const struct policy *policy)
{
    struct sw_bytes who = {ticket->who, ticket->who_size};
    struct held *held = held_find(guard, who);

    if (held == NULL || policy == NULL || !is_released(guard, held, policy))
        return held;
    held_free(guard, held);
    sw_loops_forget(guard->loops, who);
    return NULL;
}

static enum sw_rc start(void *ctx, const struct sw_service_call *call, sw_service_done *done,
                        void *done_ctx, void **ret_ticket, struct sw_err *err)
{
    struct guarded *guarded = ctx;
    struct sw_guard *guard = guarded->guard;
    struct ticket *ticket = ticket_new(guarded, call);
    const struct policy *policy;
    struct held *held;
    enum sw_rc rc;

    if (ticket == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a call");
    ticket->done = done;
    ticket->done_ctx = done_ctx;
    policy = policy_of(guard, call->name_space, call->agent,
                       (struct sw_bytes){ticket->who, ticket->agent_size});
    held = find_hold(guard, ticket, policy);
    note_state(ticket, call, policy);
    if (held != NULL && held->is_stopped) {
        rc = refuse(guard, held, err);
    } else if (held != NULL) {
        rc = begin_later(ticket, call, held->delay_ms, err);
        guard->figures.throttled++;
        lengthen(held);
    } else {
        rc = begin(ticket, call, err);
    }
    if (rc == SW_OK)
        *ret_ticket = ticket;
    else
        ticket_free(ticket);
    return rc;
}

static void cancel(void *ctx, void *ticket_of)
{
    struct ticket *ticket = ticket_of;
    struct sw_service *inner = &ticket->guarded->inner;

    (void)ctx;
    if (ticket->inner != NULL)
        inner->cancel(inner->ctx, ticket->inner);
    ticket_free(ticket);
}

/* --- Programs -------------------------------------------------------------------------------- */

enum sw_rc sw_guard_ask(struct sw_guard *guard, const struct sw_guard_asked *asked,
                        void **ret_ticket, uint64_t *ret_retry_ms, struct sw_err *err)
{
    const struct sw_service_call call = {.name_space = asked->name_space,
                                         .agent = asked->agent,
                                         .instance = asked->instance,
                                         .body = asked->body};
    struct guarded *guarded = &guard->programs[asked->protocol];
    struct ticket *ticket = ticket_new(guarded, &call);
    const struct policy *policy;
    struct held *held;

    if (ticket == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a call");
    policy = policy_of(guard, call.name_space, call.agent,
                       (struct sw_bytes){ticket->who, ticket->agent_size});
    held = find_hold(guard, ticket, policy);
    if (held != NULL && held->is_stopped) {
        (void)refuse(guard, held, err);
        ticket_free(ticket);
        return SW_E_PRECONDITION;
    }
    if (held != NULL && sw_loop_now_ms(guard->options.loop) < held->next_ms) {
        *ret_retry_ms = held->next_ms - sw_loop_now_ms(guard->options.loop);
        ticket_free(ticket);
        guard->figures.throttled++;
        return sw_err_set(err, SW_E_EXHAUSTED,
                          "throttled, since it goes in circles: %s. Ask again in %" PRIu64 " ms",
                          held->words, *ret_retry_ms);
    }
    note_state(ticket, &call, policy);
    *ret_ticket = ticket;
    return SW_OK;
}

void sw_guard_answered(void *ticket_of, enum sw_rc rc, struct sw_bytes body)
{
    struct ticket *ticket = ticket_of;

    look(ticket, &(struct sw_service_answer){.rc = rc, .body = body});
    ticket_free(ticket);
}

/* --- Life ------------------------------------------------------------------------------------ */

static const char *const program_names[SW_WIRE_PROTOCOLS] = {
    [SW_WIRE_CHAT] = "chat completions over HTTP",
    [SW_WIRE_RESPONSES] = "responses over HTTP",
    [SW_WIRE_EMBEDDINGS] = "embeddings over HTTP",
    [SW_WIRE_MESSAGES] = "messages over HTTP"};

enum sw_rc sw_guard_new(const struct sw_guard_options *options, struct sw_guard **ret_guard,
                        struct sw_err *err)
{
    SW_CLEANUP(sw_guard_freep) struct sw_guard *made = calloc(1, sizeof *made);
    uint8_t key[16];
    uint64_t seed[3];

    if (made == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to look for loops");
    options->system->random(options->system->ctx, key, sizeof key);
    options->system->random(options->system->ctx, seed, sizeof seed);
    made->options = *options;
    sw_list_init(&made->policies_all);
    sw_list_init(&made->held_all);
    sw_list_init(&made->tickets);
    sw_loops_reader_init(&made->reader, key);
    made->loops = sw_loops_new(seed[0], SW_LOOPS_INSTANCES_MAX);
    made->policies = sw_map_new_of(seed[1], policy_name);
    made->held_by_who = sw_map_new_of(seed[2], held_name);
    for (unsigned i = 0; i < SW_WIRE_PROTOCOLS; i++)
        made->programs[i] =
            (struct guarded){.guard = made,
                             .inner = {.name = program_names[i]},
                             .sort = i == SW_WIRE_EMBEDDINGS ? SORT_HELD_ONLY : SORT_MODEL,
                             .protocol = (enum sw_wire_protocol)i};
    if (made->loops == NULL || made->policies == NULL || made->held_by_who == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to look for loops");
    *ret_guard = SW_TAKE(made);
    return SW_OK;
}

void sw_guard_free(struct sw_guard *guard)
{
    if (guard == NULL)
        return;
    while (!sw_list_is_empty(&guard->tickets))
        cancel(NULL, SW_LIST_ITEM(sw_list_first(&guard->tickets), struct ticket, node));
    while (guard->policies != NULL && !sw_list_is_empty(&guard->policies_all))
        policy_free(guard, SW_LIST_ITEM(sw_list_first(&guard->policies_all), struct policy, node));
    while (guard->held_by_who != NULL && !sw_list_is_empty(&guard->held_all))
        held_free(guard, SW_LIST_ITEM(sw_list_first(&guard->held_all), struct held, node));
    sw_map_free(guard->policies);
    sw_map_free(guard->held_by_who);
    sw_loops_free(guard->loops);
    sw_loops_reader_done(&guard->reader);
    free(guard);
}

static void find_sort(struct guarded *guarded, const char *name)
{
    size_t prefix = strlen(MODEL_PREFIX);

    guarded->sort = SORT_OTHER;
    if (strncmp(name, MODEL_PREFIX, prefix) != 0)
        return;
    guarded->sort = SORT_HELD_ONLY;
    for (unsigned i = 0; i < SW_WIRE_PROTOCOLS; i++)
        if (i != SW_WIRE_EMBEDDINGS &&
            strcmp(name + prefix, sw_wire_protocol_name((enum sw_wire_protocol)i)) == 0) {
            guarded->sort = SORT_MODEL;
            guarded->protocol = (enum sw_wire_protocol)i;
        }
}

enum sw_rc sw_guard_wrap(struct sw_guard *guard, struct sw_services *services, const char *name,
                         struct sw_err *err)
{
    const struct sw_service *inner =
        sw_services_find(services, (struct sw_bytes){name, strlen(name)}, err);
    struct guarded *guarded = &guard->services[guard->services_count];
    struct sw_service outer = {.start = start, .cancel = cancel, .ctx = guarded};

    if (inner == NULL)
        return SW_E_NOT_FOUND;
    if (guard->services_count == SW_GUARD_SERVICES_MAX)
        return sw_err_set(err, SW_E_EXHAUSTED, "too many services are looked at for loops");
    guard->services_count++;
    *guarded = (struct guarded){.guard = guard, .inner = *inner};
    find_sort(guarded, name);
    outer.name = inner->name;
    return sw_services_replace(services, &outer, err);
}

void sw_guard_figures(const struct sw_guard *guard, struct sw_guard_figures *ret_figures)
{
    *ret_figures = guard->figures;
    ret_figures->instances = sw_loops_count(guard->loops);
}
