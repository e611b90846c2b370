/* What a guest in plain C for tests does: its "program" is the message that it gets.
 *
 * A body is a list of commands, separated by ';'. A command that carries a body for others takes
 * all that follows '|', up to a '~'; in there '^' stands for '~', and '`' for '^'. The state is a
 * struct, so saving and loading it is a copy. add N | get | hold | release | send TO|BODY | ask TAG
 * TO|BODY | pub SUBJECT|BODY | sub PATTERN unsub PATTERN | timer ID DELAY_NS | cancel ID | log TEXT
 * | random | now | config | fail | trap | wait deadline | drift | once (ends badly the next time) |
 * spam COUNT TO|BODY | pubs COUNT SUBJECT|BODY | churn COUNT (start and cancel a timer) | flip
 * COUNT (subscribe and unsubscribe) | flaky COUNT (ends badly so many times) | seq FROM N COUNT
 * (the same for this message, and notes whether the N of FROM rise) | await NS TO|BODY | recv NS |
 * call NS SERVICE|BODY (as await) | pass NS COUNT (it runs on for so long, so often) |
 * sleep NS | ack | code | grow BYTES (of memory) | needs MS (ends at a deadline before that). What
 * follows await (behind '~'), recv and sleep runs when the wait is over (NS of await 0: never by
 * itself); "ack" answers what was received. "get" replies with the state in words. Replies,
 * publishes and timers that arrive are counted; publishes and timers run as commands what begins
 * with '!'. */
#pragma once
#include "test/support/script_state.h"

#include "pkg/communication/pubsub/subject.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline struct sw_bytes script_text(const char *words)
{
    return (struct sw_bytes){words, strlen(words)};
}

/* Answer with the state in words. */
static inline void script_get(struct sw_guest *guest, uint64_t handle)
{
    struct script_state *state = &guest->state;
    char words[500];
    struct sw_effect effect = {.number = handle};

    snprintf(words, sizeof words,
             "counter=%" PRId64 " messages=%" PRId64 " replies=%" PRId64 " status=%" PRId64
             " published=%" PRId64 " timers=%" PRId64 " held=%" PRId64 " starts=%" PRId64
             " code=%" PRId32 " inorder=%" PRId64 " disorder=%" PRId64 " last=%s",
             state->counter, state->messages, state->replies, state->last_status, state->published,
             state->timers, state->held_count, state->starts, state->last_code, state->in_order,
             state->disorder, state->last);
    effect.body = script_text(words);
    state->last_code = sw_turn_reply(guest->turn, &effect);
}

static inline void script_inner(const char *text, char *ret_body, size_t size)
{
    snprintf(ret_body, size, "%s", text);
    for (char *at = ret_body; *at != 0; at++)
        *at = *at == '^' ? '~' : *at == '`' ? '^' : *at;
}

/* Run for so long, and be looked at, so often. */
static inline enum sw_guest_end script_pass(struct script_engine *engine, struct sw_guest *guest,
                                            uint64_t ns, uint64_t count)
{
    for (uint64_t i = 0; i < count && guest->ended == NULL; i++) {
        if (engine->clock_ns != NULL)
            *engine->clock_ns += ns;
        guest->used_ns += ns;
        guest->ended = sw_turn_tick(guest->turn, guest->used_ns);
    }
    return guest->ended == NULL ? SW_GUEST_DONE : SW_GUEST_DEADLINE;
}

/* Commands that carry a name and, behind '|', a body. */
static inline bool script_message(struct sw_guest *guest, const char *command)
{
    const char *bar = strchr(command, '|');
    char name[300] = "", body[2048], large[8192];
    struct sw_effect effect = {0};
    struct sw_guest_send send;
    unsigned long long number = 0;
    unsigned count = 1;
    bool is_publish = false;

    if (bar == NULL)
        return false;
    script_inner(bar + 1, body, sizeof body);
    if (sscanf(command, "send %299[^|]", name) == 1) {
    } else if (sscanf(command, "ask %llu %299[^|]", &number, name) == 2) {
    } else if (sscanf(command, "await %llu %299[^|]", &number, name) == 2) {
        effect = (struct sw_effect){.to = script_text(name), .body = script_text(body)};
        guest->state.last_code = sw_turn_ask(guest->turn, &effect, SWARM_PRIORITY_NORMAL,
                                             number == 0 ? UINT64_MAX : (uint64_t)number);
        return true;
    } else if (sscanf(command, "call %llu %299[^|]", &number, name) == 2) {
        effect = (struct sw_effect){
            .to = script_text(name), .type = script_text("t"), .body = script_text(body)};
        if (sscanf(body, "*%u", &count) == 1 && count <= sizeof large) {
            memset(large, 'x', count); /* "*5000" is a large body. */
            effect.body = (struct sw_bytes){large, count};
        }
        guest->state.last_code =
            sw_turn_call(guest->turn, &effect, number == 0 ? UINT64_MAX : (uint64_t)number);
        return true;
    } else if (sscanf(command, "spam %u %299[^|]", &count, name) == 2) {
    } else if (sscanf(command, "pubs %u %299[^|]", &count, name) == 2 ||
               sscanf(command, "pub %299[^|]", name) == 1) {
        is_publish = true;
    } else {
        return false;
    }
    for (; count > 0; count--) {
        effect = (struct sw_effect){
            .to = script_text(name), .type = script_text("text/plain"), .body = script_text(body)};
        send = (struct sw_guest_send){.to = effect.to,
                                      .type = effect.type,
                                      .body = effect.body,
                                      .priority = SWARM_PRIORITY_NORMAL,
                                      .tag = number};
        guest->state.last_code = is_publish
                                     ? sw_turn_publish(guest->turn, &effect, SWARM_PRIORITY_NORMAL)
                                     : sw_turn_send(guest->turn, &send);
    }
    return true;
}

static inline void script_release(struct sw_guest *guest)
{
    struct script_state *state = &guest->state;

    for (int64_t i = 0; i < state->held_count; i++) {
        struct sw_effect effect = {.number = state->held[i], .body = script_text("released")};
        state->last_code = sw_turn_reply(guest->turn, &effect);
    }
    state->held_count = 0;
}

static inline void script_churn(struct sw_guest *guest, long long count)
{
    for (long long i = 0; i < count; i++)
        guest->state.last_code = i % 2 == 0 ? sw_turn_timer_start(guest->turn, 99, UINT64_MAX)
                                            : sw_turn_timer_cancel(guest->turn, 99);
}

static inline void script_flip(struct sw_guest *guest, long long count)
{
    char pattern[SW_SUBJECT_BYTES_MAX];
    struct sw_bytes text = {pattern, sizeof pattern};

    memset(pattern, 'p', sizeof pattern);
    for (long long i = 0; i < count; i++)
        guest->state.last_code = i % 2 == 0 ? sw_turn_subscribe(guest->turn, text)
                                            : sw_turn_unsubscribe(guest->turn, text);
}

static inline void script_ack(struct sw_guest *guest)
{
    struct sw_effect effect = {.number = guest->state.received, .body = script_text("received")};

    guest->state.last_code = sw_turn_reply(guest->turn, &effect);
}

static inline enum sw_guest_end script_seq(struct sw_guest *guest, const char *command)
{
    struct script_state *state = &guest->state;
    unsigned from, count;
    long long number;

    if (sscanf(command, "seq %u %lld %u", &from, &number, &count) != 3 || from >= SCRIPT_SENDERS ||
        number < 0 || number >= SCRIPT_TRIES)
        return SW_GUEST_FAILED;
    if (guest->module->tries[from][number] < count)
        return guest->module->tries[from][number]++, SW_GUEST_TRAPPED;
    state->disorder += number <= state->last_of[from];
    state->last_of[from] = number;
    state->in_order++;
    return SW_GUEST_DONE;
}

/* As memory.grow would: refused beyond the limit, and for no other reason. */
static inline int32_t script_grow(struct sw_guest *guest, uint64_t bytes)
{
    bool is_refused = bytes > guest->memory_bytes - guest->state.grown;

    return is_refused ? -1 : (guest->state.grown += bytes, 0);
}

/* Commands that may end the entry, and what is none. */
static inline enum sw_guest_end script_end(struct script_engine *engine, struct sw_guest *guest,
                                           const char *command)
{
    unsigned long long ns, count;

    if (strcmp(command, "once") == 0)
        return engine->drift++ == 0 ? SW_GUEST_DONE : SW_GUEST_TRAPPED;
    if (sscanf(command, "flaky %llu", &count) == 1)
        return guest->module->flaky++ < count ? SW_GUEST_TRAPPED : SW_GUEST_DONE;
    if (strncmp(command, "seq ", 4) == 0)
        return script_seq(guest, command);
    if (strcmp(command, "trap") == 0)
        return SW_GUEST_TRAPPED;
    if (strcmp(command, "wait") == 0)
        return SW_GUEST_WAITING;
    if (strcmp(command, "deadline") == 0)
        return SW_GUEST_DEADLINE;
    if (sscanf(command, "pass %llu %llu", &ns, &count) == 2)
        return script_pass(engine, guest, ns, count);
    if (sscanf(command, "needs %llu", &count) == 1)
        return guest->deadline_ms < count ? SW_GUEST_DEADLINE : SW_GUEST_DONE;
    return SW_GUEST_FAILED;
}

/* How one command ends: DONE to go on. */
static inline enum sw_guest_end script_command(struct script_engine *engine, struct sw_guest *guest,
                                               const char *command, uint64_t handle)
{
    struct script_state *state = &guest->state;
    struct sw_turn *turn = guest->turn;
    unsigned long long id, delay;
    long long number;
    char word[300];

    if (sscanf(command, "add %lld", &number) == 1)
        state->counter += number * (guest->module->factor == 0 ? 1 : guest->module->factor);
    else if (strcmp(command, "get") == 0)
        script_get(guest, handle);
    else if (strcmp(command, "hold") == 0 && state->held_count < SCRIPT_HELD_MAX)
        state->held[state->held_count++] = handle;
    else if (strcmp(command, "release") == 0)
        script_release(guest);
    else if (sscanf(command, "sub %299s", word) == 1)
        state->last_code = sw_turn_subscribe(turn, script_text(word));
    else if (sscanf(command, "unsub %299s", word) == 1)
        state->last_code = sw_turn_unsubscribe(turn, script_text(word));
    else if (sscanf(command, "timer %llu %llu", &id, &delay) == 2)
        state->last_code = sw_turn_timer_start(turn, id, delay);
    else if (sscanf(command, "cancel %llu", &id) == 1)
        state->last_code = sw_turn_timer_cancel(turn, id);
    else if (sscanf(command, "churn %lld", &number) == 1)
        script_churn(guest, number);
    else if (sscanf(command, "flip %lld", &number) == 1)
        script_flip(guest, number);
    else if (strncmp(command, "log ", 4) == 0)
        state->last_code = sw_turn_log(turn, SWARM_LOG_INFO, script_text(command + 4));
    else if (strcmp(command, "now") == 0)
        state->counter = (int64_t)(sw_turn_now(turn) % 1000000000000u);
    else if (strcmp(command, "random") == 0)
        (void)sw_turn_random(turn, &state->random, sizeof state->random);
    else if (strcmp(command, "mix") == 0)
        state->counter = (int64_t)(state->random % 1000000);
    else if (strcmp(command, "config") == 0)
        (void)sw_turn_self(turn, SWARM_SELF_CONFIG, state->last, sizeof state->last - 1);
    else if (strcmp(command, "drift") == 0)
        snprintf(word, sizeof word, "drift-%llu", (unsigned long long)engine->drift++),
            (void)sw_turn_subscribe(turn, script_text(word));
    else if (sscanf(command, "recv %llu", &delay) == 1)
        state->last_code = sw_turn_receive(turn, delay);
    else if (sscanf(command, "sleep %llu", &delay) == 1)
        state->last_code = sw_turn_sleep(turn, delay);
    else if (strcmp(command, "ack") == 0)
        script_ack(guest);
    else if (sscanf(command, "grow %llu", &delay) == 1)
        state->last_code = script_grow(guest, delay);
    else if (!script_message(guest, command))
        return script_end(engine, guest, command);
    return SW_GUEST_DONE;
}

static inline enum sw_guest_end script_run(struct script_engine *engine, struct sw_guest *guest,
                                           struct sw_bytes body, uint64_t handle)
{
    char text[2048], *at = text;
    enum sw_guest_end end = SW_GUEST_DONE;

    if (body.size >= sizeof text)
        return SW_GUEST_DONE; /* Filling. */
    if (body.size > 0)
        memcpy(text, body.data, body.size);
    text[body.size] = 0;
    at += *at == '!';
    while (end == SW_GUEST_DONE && at != NULL && *at != 0) {
        char *semicolon = strchr(at, ';'), *bar = strchr(at, '|');

        if (bar != NULL && (semicolon == NULL || bar < semicolon))
            semicolon = strchr(bar, '~');
        if (semicolon != NULL)
            *semicolon = 0;
        end = script_command(engine, guest, at, handle);
        at = semicolon == NULL ? NULL : semicolon + 1;
        if (end == SW_GUEST_DONE && guest->turn->is_waiting) {
            snprintf(guest->state.rest, sizeof guest->state.rest, "%s", at == NULL ? ";" : at);
            guest->state.turn_handle = handle;
            return SW_GUEST_WAITING;
        }
    }
    return end;
}

static inline void script_note(struct script_state *state, const struct sw_guest_message *message)
{
    size_t size =
        message->body.size < sizeof state->last - 1 ? message->body.size : sizeof state->last - 1;

    memset(state->last, 0, sizeof state->last);
    if (size > 0)
        memcpy(state->last, message->body.data, size);
}

static inline enum sw_guest_end script_resume(struct script_engine *engine, struct sw_guest *guest,
                                              const struct sw_guest_input *input)
{
    struct script_state *state = &guest->state;
    char rest[sizeof state->rest];

    if (state->rest[0] == 0)
        return SW_GUEST_TRAPPED;
    memcpy(rest, state->rest, sizeof rest);
    memset(state->rest, 0, sizeof state->rest);
    state->last_code = input->status;
    state->received = input->message == NULL ? 0 : input->message->reply_handle;
    memset(state->last, 0, sizeof state->last);
    if (input->message != NULL)
        script_note(state, input->message);
    return script_run(engine, guest, script_text(rest), state->turn_handle);
}

static inline enum sw_guest_end script_input(struct script_engine *engine, struct sw_guest *guest,
                                             const struct sw_guest_input *input)
{
    const struct sw_guest_message *message = input->message;
    struct script_state *state = &guest->state;

    if (input->entry == SW_GUEST_RESUME)
        return script_resume(engine, guest, input);
    memset(state->rest, 0, sizeof state->rest);
    if (input->entry == SW_GUEST_START) {
        state->starts++;
        return guest->module->on_start == NULL
                   ? SW_GUEST_DONE
                   : script_run(engine, guest, script_text(guest->module->on_start), 0);
    }
    if (input->entry == SW_GUEST_TIMER) {
        state->timers++;
        return guest->module->on_timer == NULL
                   ? SW_GUEST_DONE
                   : script_run(engine, guest, script_text(guest->module->on_timer), 0);
    }
    if (input->entry == SW_GUEST_UPGRADE) {
        if (guest->module->on_upgrade == NULL) /* Nothing is called, and nothing taken over. */
            return SW_GUEST_DONE;
        if (input->upgrade->state.size == sizeof state->counter)
            memcpy(&state->counter, input->upgrade->state.data, sizeof state->counter);
        state->starts += 1000 + input->upgrade->old_version;
        return script_run(engine, guest, script_text(guest->module->on_upgrade), 0);
    }
    if (input->entry == SW_GUEST_STOP)
        return script_run(engine, guest, script_text("send watcher/1|add 1"), 0);
    state->messages++;
    if ((message->flags & (SWARM_MESSAGE_IS_REPLY | SWARM_MESSAGE_PUBLISHED)) == 0 ||
        (message->body.size > 0 && *(const char *)message->body.data == '!'))
        return script_run(engine, guest, message->body, message->reply_handle);
    if ((message->flags & SWARM_MESSAGE_IS_REPLY) != 0) {
        state->replies++;
        state->last_status = message->status;
    } else {
        state->published++;
    }
    script_note(state, message);
    return SW_GUEST_DONE;
}
