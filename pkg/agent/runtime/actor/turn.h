/* One segment while it runs: takes the guest's calls, decides what each returns, collects effects.
 *
 * What a call returns follows from the actor's state and the segment alone, or, where the host has
 * a say (push-back), it is recorded. A replay runs the same code with the recorded answers.
 *
 * Threads: one at a time.  I/O: none.
 * Limits: SW_EFFECTS_MAX (of effects, and of calls that the host has a say in),
 * SW_EFFECTS_BYTES_MAX, SW_TURN_LOG_BYTES_MAX for one segment. */
#pragma once
#include "pkg/agent/abi/entry.h"
#include "pkg/agent/runtime/actor/actor.h"
#include "pkg/agent/store/effect.h"

#define SW_TURN_LOG_BYTES_MAX (256u << 10)
#define SW_TURN_LOG_LINE_MAX (16u << 10)
#define SW_TURN_SERVICE_MAX 63u
#define SW_TURN_RANDOM_BYTES_MAX 65536u /* Of one call: a deadline is met between calls only. */

struct sw_turn_route { /* What the host decided about a send; end 0: nothing to record. */
    uint32_t end;      /* Bits of enum sw_route_end. */
    uint64_t value;
    bool is_taken; /* The message was made of it already: it is no effect that is put down. */
};

struct sw_turn_host { /* The host's say while a segment runs for the first time. */
    void *ctx;
    /* May this send, publish or call go out, may this subscription be added? 0 or a negative code.
     */
    int32_t (*admit)(void *ctx, const struct sw_effect *effect, struct sw_turn_route *ret_route);
    /* The same of a send in a turn that takes them, and, if it may and somebody is there, make a
     * message of it (ret_route->is_taken). SW_E_INVALID, too, if the receiver's name is none. */
    int32_t (*take)(void *ctx, const struct sw_guest_send *send, struct sw_turn_route *ret_route);
};

struct sw_turn_watch { /* Whoever looks on while a segment runs, a replay as well. */
    void *ctx;
    /* The guest has used so much processor time, and goes on when this returns NULL; otherwise it
     * is to end now, and this says why. */
    const char *(*tick)(void *ctx, uint64_t used_ns);
};

struct sw_turn_self { /* Borrowed for the segment. */
    const struct sw_bytes *name_space, *agent, *config;
    struct sw_bytes key;
};

struct sw_turn_random { /* Random numbers are SipHash of a counter under the instance's seed. */
    uint8_t seed[16];
    uint64_t next;
};

struct sw_turn { /* Filled by sw_turn_begin; read by its owner afterwards. */
    struct sw_actor *actor;
    const struct sw_turn_host *host;   /* NULL: a replay. */
    const struct sw_turn_watch *watch; /* NULL: nobody looks on. */
    struct sw_turn_self self;
    uint64_t time_ns;
    uint64_t handle; /* Of the message being handled; 0: it wants no reply. */
    struct sw_turn_random random;
    struct sw_buffer effects, results, routes, logs; /* logs: u32 level, u32 size, text ... */
    /* Messages that the host made of sends, which stand in no effects then: as a queue of struct
     * sw_item, and how many bytes of effects they would be. */
    struct sw_item *taken;
    size_t taken_bytes;
    /* Of the routes, and of instances, when the first of them was made. */
    uint64_t taken_changes, taken_removals;
    uint64_t sent, sent_bytes; /* Messages and calls among the effects, and their bodies. */
    uint32_t taken_count;
    uint32_t effects_count, calls, subscribe_calls; /* calls: of the host's say, but for those. */
    uint32_t kinds;            /* Of the effects: a bit for each enum sw_effect_kind. */
    struct sw_reader recorded; /* The results of a replay. */
    /* What this segment changed on top of the actor. */
    struct sw_buffer used_handles; /* u64 each. */
    struct sw_buffer timers;       /* u64 id, u64 is it there. */
    struct sw_buffer patterns;     /* u32 size, u32 is it there, text. */
    int32_t timers_added, patterns_added;
    uint32_t timers_max;
    bool is_handle_used;
    bool can_wait;
    bool takes_sends;
    bool is_waiting;   /* A wait is among the effects. */
    bool lacks_memory; /* A call failed for that, which no replay could repeat: the segment failed.
                        */
};

struct sw_turn_options { /* Of one segment. */
    struct sw_actor *actor;
    const struct sw_turn_host *host;   /* NULL: a replay, with `results`. */
    const struct sw_turn_watch *watch; /* May be NULL. */
    struct sw_turn_self self;
    uint64_t time_ns, handle;
    const struct sw_turn_random *random; /* NULL: zeros. */
    struct sw_bytes results;
    bool has_fired; /* It is the segment of timer `fired`, which is gone by now. */
    uint64_t fired;
    bool can_wait;       /* Not while an instance begins, ends or is handed over. */
    bool takes_sends;    /* Nothing is recorded: the host may make messages of sends at once. */
    uint32_t timers_max; /* 0: SW_TIMERS_MAX. */
};

/* A turn is made once per worker and begun once per segment. */
void sw_turn_init(struct sw_turn *turn);
void sw_turn_done(struct sw_turn *turn);
/* Note that a timer is there, or no more, for as long as the segment runs. */
void sw_turn_note_timer(struct sw_turn *turn, uint64_t id, bool is_there);
/* What was taken is not to be sent. */
void sw_turn_drop_taken(struct sw_turn *turn);
/* Forget what the segment before did. */
static inline void sw_turn_reset(struct sw_turn *turn)
{
    turn->effects_count = turn->calls = turn->subscribe_calls = turn->kinds = 0;
    turn->timers_added = turn->patterns_added = 0;
    turn->is_handle_used = turn->is_waiting = turn->lacks_memory = false;
    if (turn->taken != NULL)
        sw_turn_drop_taken(turn);
    turn->taken_bytes = turn->taken_count = 0;
    turn->sent = turn->sent_bytes = 0;
    sw_buffer_reset(&turn->effects);
    sw_buffer_reset(&turn->results);
    sw_buffer_reset(&turn->routes);
    sw_buffer_reset(&turn->logs);
    sw_buffer_reset(&turn->used_handles);
    sw_buffer_reset(&turn->timers);
    sw_buffer_reset(&turn->patterns);
}
/* Have the turn take the calls of a segment. */
static inline void sw_turn_begin(struct sw_turn *turn, const struct sw_turn_options *options)
{
    sw_turn_reset(turn);
    turn->actor = options->actor;
    turn->host = options->host;
    turn->watch = options->watch;
    turn->self = options->self;
    turn->time_ns = options->time_ns;
    turn->handle = options->handle;
    if (options->random != NULL)
        turn->random = *options->random;
    else
        turn->random = (struct sw_turn_random){.next = 0};
    turn->recorded.data = options->results.data; /* One by one: a struct that was just put */
    turn->recorded.size = options->results.size; /* together and is copied waits for itself. */
    turn->recorded.at = 0;
    turn->recorded.failed = false;
    turn->can_wait = options->can_wait;
    turn->takes_sends = options->takes_sends;
    turn->timers_max = options->timers_max == 0 ? SW_TIMERS_MAX : options->timers_max;
    if (options->has_fired)
        sw_turn_note_timer(turn, options->fired, false);
}
/* Note where the next effect goes, if its name alone does not tell. */
void sw_turn_put_route(struct sw_turn *turn, const struct sw_turn_route *route);
/* The segment is over: release what it marked in the actor. Effects stay readable. */
void sw_turn_release(struct sw_turn *turn);
static inline void sw_turn_end(struct sw_turn *turn)
{
    if (turn->used_handles.size > 0)
        sw_turn_release(turn);
}

/* Whether all that its guest did was to send, and the host took all of that: nothing is put down,
 * no buffer was asked for more, and none has failed. (A timer that fired is noted besides.) */
static inline bool sw_turn_is_plain(const struct sw_turn *turn)
{
    return turn->effects_count == turn->taken_count && turn->calls == turn->taken_count &&
           turn->subscribe_calls == 0 && turn->logs.size == 0;
}

/* Not a call of the guest's but of what runs it, now and then while it does. Why the guest is to
 * end now; NULL: it is not. */
const char *sw_turn_tick(struct sw_turn *turn, uint64_t used_ns);

/* The guest's calls; what they return is what the guest gets. Bytes are borrowed from it. */
int32_t sw_turn_send(struct sw_turn *turn, const struct sw_guest_send *send);
int32_t sw_turn_publish(struct sw_turn *turn, struct sw_effect *effect, int32_t priority);
int32_t sw_turn_reply(struct sw_turn *turn, struct sw_effect *effect);
int32_t sw_turn_subscribe(struct sw_turn *turn, struct sw_bytes pattern);
int32_t sw_turn_unsubscribe(struct sw_turn *turn, struct sw_bytes pattern);
int32_t sw_turn_timer_start(struct sw_turn *turn, uint64_t id, uint64_t delay_ns);
int32_t sw_turn_timer_cancel(struct sw_turn *turn, uint64_t id);
/* The waits. 0: the guest is to end its segment as waiting; a segment has at most one of them, and
 * its turn goes on when that ends. timeout_ns UINT64_MAX: it does not end by itself. */
int32_t sw_turn_ask(struct sw_turn *turn, struct sw_effect *effect, int32_t priority,
                    uint64_t timeout_ns);
int32_t sw_turn_receive(struct sw_turn *turn, uint64_t timeout_ns);
int32_t sw_turn_sleep(struct sw_turn *turn, uint64_t duration_ns);
/* effect->to: the service, 1 to SW_TURN_SERVICE_MAX bytes of UTF-8. */
int32_t sw_turn_call(struct sw_turn *turn, struct sw_effect *effect, uint64_t timeout_ns);
int32_t sw_turn_log(struct sw_turn *turn, int32_t level, struct sw_bytes text);
uint64_t sw_turn_now(const struct sw_turn *turn);
int32_t sw_turn_random(struct sw_turn *turn, void *ret_bytes, uint32_t size);
int32_t sw_turn_self(const struct sw_turn *turn, int32_t what, void *ret_text, uint32_t size);
