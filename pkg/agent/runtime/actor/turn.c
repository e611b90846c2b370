#include "pkg/agent/runtime/actor/turn.h"

#include "include/swarm/agent.h"
#include "pkg/agent/runtime/actor/message.h"
#include "pkg/agent/runtime/actor/routes.h"
#include "pkg/communication/pubsub/subject.h"
#include "pkg/utils/base/hash.h"
#include "pkg/utils/base/text.h"

#include <string.h>

#define TYPE_MAX 255u
#define SUBSCRIBE_CALLS 0x80000000u

void sw_turn_init(struct sw_turn *turn)
{
    memset(turn, 0, sizeof *turn);
    sw_buffer_init(&turn->effects, SW_EFFECTS_BYTES_MAX);
    sw_buffer_init(&turn->results, (size_t)SW_EFFECTS_MAX * 8);
    sw_buffer_init(&turn->routes, (size_t)SW_EFFECTS_MAX * 16);
    sw_buffer_init(&turn->logs, SW_TURN_LOG_BYTES_MAX);
    sw_buffer_init(&turn->used_handles, (size_t)SW_EFFECTS_MAX * 8);
    /* Room for a note of every effect that there is room for, and of the timer that fired: a note
     * that did not fit would end the host, and a guest must not be able to do that. */
    sw_buffer_init(&turn->timers, ((size_t)SW_EFFECTS_MAX + 1) * 16);
    sw_buffer_init(&turn->patterns, SW_EFFECTS_BYTES_MAX + (size_t)SW_EFFECTS_MAX * 8);
}

void sw_turn_drop_taken(struct sw_turn *turn)
{
    struct sw_item *item;

    while ((item = sw_item_get(&turn->taken)) != NULL)
        sw_message_free((struct sw_message *)(void *)item);
    turn->taken_bytes = turn->taken_count = 0;
}

void sw_turn_done(struct sw_turn *turn)
{
    sw_turn_drop_taken(turn);
    sw_buffer_done(&turn->effects);
    sw_buffer_done(&turn->results);
    sw_buffer_done(&turn->routes);
    sw_buffer_done(&turn->logs);
    sw_buffer_done(&turn->used_handles);
    sw_buffer_done(&turn->timers);
    sw_buffer_done(&turn->patterns);
}

/* Notes on what a segment changed so far are changed in place, so that a guest which changes one
 * thing ten thousand times does not make each further call walk ten thousand notes. */

/* The note about a timer: where its u64 "is it there" stands; SIZE_MAX: there is no note. */
static size_t timer_note(const struct sw_turn *turn, uint64_t id)
{
    struct sw_reader reader = sw_reader_of(turn->timers.data, turn->timers.size);

    while (reader.at < reader.size) {
        uint64_t other = sw_reader_u64(&reader);

        if (other == id)
            return reader.at;
        (void)sw_reader_u64(&reader);
    }
    return SIZE_MAX;
}

void sw_turn_note_timer(struct sw_turn *turn, uint64_t id, bool is_there)
{
    size_t note = timer_note(turn, id);

    if (note != SIZE_MAX) {
        turn->timers.data[note] = is_there; /* Little-endian: the rest is 0. */
    } else {
        sw_buffer_put_u64(&turn->timers, id);
        sw_buffer_put_u64(&turn->timers, is_there);
    }
    turn->timers_added += is_there ? 1 : -1;
}

void sw_turn_release(struct sw_turn *turn)
{
    struct sw_reader reader = sw_reader_of(turn->used_handles.data, turn->used_handles.size);

    while (reader.at < reader.size) {
        struct sw_handle *handle = sw_actor_handle(turn->actor, sw_reader_u64(&reader));
        if (handle != NULL)
            handle->is_used = false;
    }
}

const char *sw_turn_tick(struct sw_turn *turn, uint64_t used_ns)
{
    return turn->watch == NULL ? NULL : turn->watch->tick(turn->watch->ctx, used_ns);
}

/* What was put there last is too much: it is as if it had not been. */
static int32_t take_back(struct sw_turn *turn, struct sw_buffer *buffer, size_t size)
{
    turn->lacks_memory =
        turn->lacks_memory || (buffer->lacks_memory && !turn->takes_sends); /* It is recorded. */
    buffer->failed = buffer->lacks_memory = false;
    buffer->size = size;
    return SW_E_EXHAUSTED;
}

/* Put one effect down, whole or not at all. */
static int32_t add_effect(struct sw_turn *turn, const struct sw_effect *effect)
{
    size_t start = turn->effects.size;

    if (turn->effects_count >= SW_EFFECTS_MAX)
        return SW_E_EXHAUSTED;
    sw_effect_put(effect, &turn->effects);
    if (turn->effects.failed || turn->effects.size + turn->taken_bytes > SW_EFFECTS_BYTES_MAX)
        return take_back(turn, &turn->effects, start);
    turn->effects_count++;
    turn->kinds |= 1u << effect->kind;
    return 0;
}

/* It goes out to somebody. */
static void count_sent(struct sw_turn *turn, size_t bytes)
{
    turn->sent++;
    turn->sent_bytes += bytes;
}

/* Of what was put down for good. */
static int32_t count_if_sent(struct sw_turn *turn, const struct sw_effect *effect, int32_t code)
{
    if (code == 0 && sw_usage_counts_effect(effect->kind))
        count_sent(turn, effect->body.size);
    return code;
}

/* The number of a call that the host has a say in. Subscriptions have numbers of their own, since
 * the records of a time when the host had no say in them count the others only. */
static uint32_t next_call(struct sw_turn *turn, const struct sw_effect *effect)
{
    return effect->kind == SW_EFFECT_SUBSCRIBE ? SUBSCRIBE_CALLS | turn->subscribe_calls++
                                               : turn->calls++;
}

void sw_turn_put_route(struct sw_turn *turn, const struct sw_turn_route *route)
{
    if (route->end == 0)
        return;
    sw_buffer_put_u32(&turn->routes, turn->effects_count - turn->taken_count);
    sw_buffer_put_u32(&turn->routes, route->end);
    sw_buffer_put_u64(&turn->routes, route->value);
}

/* Put down what the host said to a call, where a replay could not tell. */
static void note_result(struct sw_turn *turn, uint32_t call, int32_t code,
                        const struct sw_turn_route *route)
{
    if (code != 0) {
        sw_buffer_put_u32(&turn->results, call);
        sw_buffer_put_u32(&turn->results, (uint32_t)code);
    } else {
        sw_turn_put_route(turn, route);
    }
}

/* What the host says to a call: asked now, or as it was recorded. These calls are counted, so that
 * a guest which tries again and again meets a limit of its turn and not one of the record. */
static int32_t host_result(struct sw_turn *turn, const struct sw_effect *effect)
{
    struct sw_turn_route route = {0};
    uint32_t call;
    int32_t code;

    if (turn->calls + turn->subscribe_calls >= SW_EFFECTS_MAX)
        return SW_E_EXHAUSTED;
    call = next_call(turn, effect);
    if (turn->host == NULL) {
        struct sw_reader peek = turn->recorded;
        if (peek.at == peek.size || sw_reader_u32(&peek) != call)
            return 0;
        code = (int32_t)sw_reader_u32(&peek);
        turn->recorded = peek;
        return code;
    }
    code = turn->host->admit(turn->host->ctx, effect, &route);
    note_result(turn, call, code, &route);
    return code;
}

static bool is_content(struct sw_bytes type, struct sw_bytes body)
{
    return type.size <= TYPE_MAX && body.size <= SW_EFFECT_BODY_MAX &&
           (type.size == 0 || sw_text_is_utf8(type.data, type.size));
}

static bool priority_is_valid(int32_t priority)
{
    return priority >= SWARM_PRIORITY_LOW && priority <= SWARM_PRIORITY_URGENT;
}

/* Put down an effect that the host may refuse. Room is made sure of first: the host's answer stands
 * for the effect that follows it. */
static int32_t add_hosted(struct sw_turn *turn, const struct sw_effect *effect)
{
    size_t start = turn->effects.size;
    int32_t code = add_effect(turn, effect);

    if (code != 0)
        return code;
    turn->effects_count--;
    code = host_result(turn, effect);
    if (code != 0)
        turn->effects.size = start;
    else
        turn->effects_count++;
    return count_if_sent(turn, effect, code);
}

static struct sw_effect effect_of(const struct sw_guest_send *send)
{
    return (struct sw_effect){.kind = SW_EFFECT_SEND,
                              .to = send->to,
                              .type = send->type,
                              .body = send->body,
                              .priority = (uint32_t)send->priority,
                              .number = send->tag};
}

/* Where nothing is recorded and the host may take it: what it takes counts as if it had been put
 * down. */
static int32_t take_send(struct sw_turn *turn, const struct sw_guest_send *send)
{
    size_t size = sw_effect_send_size(send->to.size + send->type.size + send->body.size);
    struct sw_turn_route route = {0};
    struct sw_effect effect;
    int32_t code;

    if (turn->effects_count >= SW_EFFECTS_MAX ||
        turn->calls + turn->subscribe_calls >= SW_EFFECTS_MAX ||
        turn->effects.size + turn->taken_bytes + size > SW_EFFECTS_BYTES_MAX)
        return SW_E_EXHAUSTED;
    turn->calls++;
    code = turn->host->take(turn->host->ctx, send, &route);
    if (code != 0)
        return code;
    if (!route.is_taken) {
        effect = effect_of(send);
        note_result(turn, turn->calls - 1, code, &route);
        return count_if_sent(turn, &effect, add_effect(turn, &effect));
    }
    count_sent(turn, send->body.size);
    turn->taken_bytes += size;
    turn->taken_count++;
    turn->effects_count++;
    turn->kinds |= 1u << SW_EFFECT_SEND;
    return 0;
}

int32_t sw_turn_send(struct sw_turn *turn, const struct sw_guest_send *send)
{
    struct sw_bytes agent, key;
    struct sw_effect effect;

    if (!is_content(send->type, send->body) || !priority_is_valid(send->priority))
        return SW_E_INVALID;
    if (turn->takes_sends) /* Whoever finds the receiver sees what is no name. */
        return take_send(turn, send);
    if (!sw_name_split(send->to, &agent, &key))
        return SW_E_INVALID;
    effect = effect_of(send);
    return add_hosted(turn, &effect);
}

int32_t sw_turn_publish(struct sw_turn *turn, struct sw_effect *effect, int32_t priority)
{
    if (!sw_subject_is_valid(effect->to) || !is_content(effect->type, effect->body) ||
        !priority_is_valid(priority))
        return SW_E_INVALID;
    effect->kind = SW_EFFECT_PUBLISH;
    effect->priority = (uint32_t)priority;
    return add_hosted(turn, effect);
}

int32_t sw_turn_reply(struct sw_turn *turn, struct sw_effect *effect)
{
    struct sw_handle *handle = NULL;
    int32_t code;

    if (!is_content(effect->type, effect->body) || effect->status > 0)
        return SW_E_INVALID;
    if (effect->number == 0 || effect->number != turn->handle) {
        handle = sw_actor_handle(turn->actor, effect->number);
        if (handle == NULL || handle->is_used)
            return SW_E_NOT_FOUND;
    } else if (turn->is_handle_used) {
        return SW_E_NOT_FOUND;
    }
    effect->kind = SW_EFFECT_REPLY;
    code = count_if_sent(turn, effect, add_effect(turn, effect));
    if (code != 0)
        return code;
    if (handle == NULL) {
        turn->is_handle_used = true;
    } else {
        handle->is_used = true;
        sw_buffer_put_u64(&turn->used_handles, handle->number);
    }
    return 0;
}

/* --- Subscriptions: the actor's, as changed by this segment so far ---------------------------- */

/* The note about a pattern: where its u32 "is it there" stands; SIZE_MAX: there is no note. */
static size_t pattern_note(const struct sw_turn *turn, struct sw_bytes pattern)
{
    struct sw_reader reader = sw_reader_of(turn->patterns.data, turn->patterns.size);

    while (reader.at < reader.size) {
        size_t at = reader.at;
        struct sw_bytes other;

        (void)sw_reader_u32(&reader);
        other = sw_reader_bytes(&reader, SW_SUBJECT_BYTES_MAX);
        if (other.size == pattern.size && memcmp(other.data, pattern.data, pattern.size) == 0)
            return at;
    }
    return SIZE_MAX;
}

static bool has_pattern(const struct sw_turn *turn, struct sw_bytes pattern)
{
    size_t note = pattern_note(turn, pattern);

    return note == SIZE_MAX ? sw_actor_has_pattern(turn->actor, pattern)
                            : turn->patterns.data[note] != 0;
}

static int32_t change_pattern(struct sw_turn *turn, struct sw_bytes pattern, bool subscribe)
{
    struct sw_effect effect = {.kind = subscribe ? SW_EFFECT_SUBSCRIBE : SW_EFFECT_UNSUBSCRIBE,
                               .to = pattern};
    int32_t code = subscribe ? add_hosted(turn, &effect) : add_effect(turn, &effect);

    size_t note = pattern_note(turn, pattern);

    if (code != 0)
        return code;
    if (note != SIZE_MAX) {
        turn->patterns.data[note] = subscribe; /* Little-endian: the rest is 0. */
    } else {
        sw_buffer_put_u32(&turn->patterns, subscribe);
        sw_buffer_put_bytes(&turn->patterns, pattern);
    }
    turn->patterns_added += subscribe ? 1 : -1;
    return 0;
}

int32_t sw_turn_subscribe(struct sw_turn *turn, struct sw_bytes pattern)
{
    if (!sw_subject_is_pattern(pattern))
        return SW_E_INVALID;
    if (has_pattern(turn, pattern))
        return 0;
    if ((int64_t)turn->actor->patterns_count + turn->patterns_added >= SW_PATTERNS_MAX)
        return SW_E_EXHAUSTED;
    return change_pattern(turn, pattern, true);
}

int32_t sw_turn_unsubscribe(struct sw_turn *turn, struct sw_bytes pattern)
{
    if (!sw_subject_is_pattern(pattern))
        return SW_E_INVALID;
    return has_pattern(turn, pattern) ? change_pattern(turn, pattern, false) : SW_E_NOT_FOUND;
}

/* --- Timers, in the same way ----------------------------------------------------------------- */

static bool has_timer(const struct sw_turn *turn, uint64_t id)
{
    size_t note = timer_note(turn, id);

    return note == SIZE_MAX ? sw_actor_timer(turn->actor, id) != NULL
                            : turn->timers.data[note] != 0;
}

int32_t sw_turn_timer_start(struct sw_turn *turn, uint64_t id, uint64_t delay_ns)
{
    struct sw_effect effect = {.kind = SW_EFFECT_TIMER_START, .number = id};
    bool was_there = has_timer(turn, id);
    int32_t code;

    if (!was_there && (int64_t)turn->actor->timers_count + turn->timers_added >= turn->timers_max)
        return SW_E_EXHAUSTED;
    effect.due_ns = delay_ns > UINT64_MAX - turn->time_ns ? UINT64_MAX : turn->time_ns + delay_ns;
    code = add_effect(turn, &effect);
    if (code == 0 && !was_there)
        sw_turn_note_timer(turn, id, true);
    return code;
}

int32_t sw_turn_timer_cancel(struct sw_turn *turn, uint64_t id)
{
    struct sw_effect effect = {.kind = SW_EFFECT_TIMER_CANCEL, .number = id};
    int32_t code = has_timer(turn, id) ? add_effect(turn, &effect) : SW_E_NOT_FOUND;

    if (code == 0)
        sw_turn_note_timer(turn, id, false);
    return code;
}

/* --- Waits ----------------------------------------------------------------------------------- */

/* The wait of this segment, begun by an effect that the host may refuse (is_hosted) or not. */
static int32_t add_wait(struct sw_turn *turn, struct sw_effect *effect, uint64_t timeout_ns,
                        bool is_hosted)
{
    int32_t code;

    if (!turn->can_wait || turn->is_waiting)
        return SW_E_PRECONDITION;
    effect->number = turn->actor->wait.number + 1;
    effect->due_ns =
        timeout_ns > UINT64_MAX - turn->time_ns ? UINT64_MAX : turn->time_ns + timeout_ns;
    code = is_hosted ? add_hosted(turn, effect) : add_effect(turn, effect);
    turn->is_waiting = code == 0;
    return code;
}

int32_t sw_turn_ask(struct sw_turn *turn, struct sw_effect *effect, int32_t priority,
                    uint64_t timeout_ns)
{
    struct sw_bytes agent, key;

    if (!sw_name_split(effect->to, &agent, &key) || !is_content(effect->type, effect->body) ||
        !priority_is_valid(priority))
        return SW_E_INVALID;
    effect->kind = SW_EFFECT_ASK;
    effect->priority = (uint32_t)priority;
    return add_wait(turn, effect, timeout_ns, true);
}

int32_t sw_turn_receive(struct sw_turn *turn, uint64_t timeout_ns)
{
    return add_wait(turn, &(struct sw_effect){.kind = SW_EFFECT_RECEIVE}, timeout_ns, false);
}

int32_t sw_turn_sleep(struct sw_turn *turn, uint64_t duration_ns)
{
    return add_wait(turn, &(struct sw_effect){.kind = SW_EFFECT_SLEEP}, duration_ns, false);
}

int32_t sw_turn_call(struct sw_turn *turn, struct sw_effect *effect, uint64_t timeout_ns)
{
    if (effect->to.size == 0 || effect->to.size > SW_TURN_SERVICE_MAX ||
        !sw_text_is_utf8(effect->to.data, effect->to.size) ||
        !is_content(effect->type, effect->body))
        return SW_E_INVALID;
    effect->kind = SW_EFFECT_CALL;
    effect->priority = SWARM_PRIORITY_NORMAL;
    return add_wait(turn, effect, timeout_ns, true);
}

/* --- The rest -------------------------------------------------------------------------------- */

int32_t sw_turn_log(struct sw_turn *turn, int32_t level, struct sw_bytes text)
{
    size_t start = turn->logs.size;

    if (level < SWARM_LOG_DEBUG || level > SWARM_LOG_ERROR)
        return SW_E_INVALID;
    if (text.size > SW_TURN_LOG_LINE_MAX)
        text.size = SW_TURN_LOG_LINE_MAX;
    sw_buffer_put_u32(&turn->logs, (uint32_t)level);
    sw_buffer_put_bytes(&turn->logs, text);
    return turn->logs.failed ? take_back(turn, &turn->logs, start) : 0;
}

uint64_t sw_turn_now(const struct sw_turn *turn)
{
    return turn->time_ns;
}

int32_t sw_turn_random(struct sw_turn *turn, void *ret_bytes, uint32_t size)
{
    uint8_t *at = ret_bytes;

    if (size > SW_TURN_RANDOM_BYTES_MAX)
        return SW_E_INVALID;
    while (size > 0) {
        uint64_t counter = turn->random.next++;
        uint64_t word = sw_siphash(turn->random.seed, &counter, sizeof counter);
        uint32_t part = size < sizeof word ? size : (uint32_t)sizeof word;

        memcpy(at, &word, part);
        at += part;
        size -= part;
    }
    return 0;
}

int32_t sw_turn_self(const struct sw_turn *turn, int32_t what, void *ret_text, uint32_t size)
{
    const struct sw_bytes facts[] = {
        [SWARM_SELF_NAMESPACE] = *turn->self.name_space,
        [SWARM_SELF_AGENT] = *turn->self.agent,
        [SWARM_SELF_KEY] = turn->self.key,
        [SWARM_SELF_CONFIG] = *turn->self.config,
    };
    struct sw_bytes fact;

    if (what < 0 || (size_t)what >= sizeof facts / sizeof *facts)
        return SW_E_INVALID;
    fact = facts[what];
    if (size > 0 && fact.size > 0)
        memcpy(ret_text, fact.data, fact.size < size ? fact.size : size);
    return (int32_t)fact.size;
}
