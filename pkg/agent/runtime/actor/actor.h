/* The part of an instance that follows from its records alone: reply handles, named requests,
 * timers, subscriptions, what its turn waits for, what of it is held, counts. One function applies
 * a record; running, recovering and replaying all go through it, so they cannot come to different
 * ends.
 *
 * Threads: one at a time.  I/O: none.  Limits: SW_HANDLES_MAX, SW_TIMERS_MAX, SW_PATTERNS_MAX. */
#pragma once
#include "include/swarm/agent.h"
#include "pkg/agent/runtime/actor/requests.h"
#include "pkg/agent/runtime/actor/withheld.h"
#include "pkg/agent/store/record.h"

#define SW_HANDLES_MAX 65536u
#define SW_TIMERS_MAX 4096u
#define SW_PATTERNS_MAX 1024u

struct sw_handle { /* A message that still waits for its answer. */
    uint64_t number;
    struct sw_origin origin; /* kind NONE: answered; swept away later. */
    bool is_used;            /* By the turn that runs now; not part of the state. */
};

struct sw_actor_timer {
    uint64_t id, due_ns;
    uint32_t attempts; /* How often its handler did not come to its end. */
    bool is_queued;    /* It is due and stands in the mailbox; not part of the state. */
};

struct sw_pattern { /* A subscription. */
    uint32_t size;
    char text[]; /* Not NUL-terminated. */
};

enum sw_wait_kind { SW_WAIT_NONE, SW_WAIT_ASK, SW_WAIT_RECEIVE, SW_WAIT_SLEEP, SW_WAIT_CALL };

struct sw_call { /* An outside call that is not over, in one allocation. */
    uint32_t body_size;
    uint8_t service_size, type_size;
    /* The body is not here, since the record has it not (effect.h): the segment makes it again when
     * the instance is rebuilt (sw_actor_take_call). */
    bool is_absent;
    uint8_t bytes[]; /* Of the service's name, the type, the body. */
};

/* What the turn that is under way waits for. What each segment looks at is last. */
struct sw_wait {
    struct sw_call *call; /* CALL: owned; otherwise NULL. */
    uint64_t number;      /* Of the last wait of this instance; they rise by one. */
    uint64_t due_ns;      /* When it ends by itself, or the next try is; UINT64_MAX: never. */
    uint64_t handle;      /* Of the message that the turn handles; 0: it wants no reply. */
    uint64_t asker_incarnation, asker_number; /* As an origin has them; 0 without an asker. */
    uint8_t kind;                             /* enum sw_wait_kind; NONE: no turn is under way. */
    bool has_asker : 1;                       /* A client only waits for the turn to end. */
    bool is_due : 1;   /* It has come, and the instance was woken; not part of the state. */
    bool is_sent : 1;  /* CALL: by this run of the host; not part of the state. */
    uint16_t attempts; /* How often the turn failed when this had ended, and waits on. */
    uint32_t nth;      /* Which wait of its turn it is, from 1 on; 0: none was yet. */
};

struct sw_actor {                  /* What each segment looks at is last. */
    struct sw_handle *handles;     /* Owned, ascending. */
    struct sw_actor_timer *timers; /* Owned, in no order. */
    struct sw_pattern **patterns;  /* Owned, in the order of subscribing. */
    struct sw_requests *requests;  /* Owned; NULL: no client has named one. */
    struct sw_withheld *withheld;  /* Owned; NULL: it is not held. */
    uint64_t state_lsn;            /* Of the last one that changed state. */
    uint64_t next_handle;
    uint32_t handles_count : 20, patterns_count : 12; /* The first includes the dead. */
    uint32_t handles_dead : 20;
    struct sw_wait wait;
    uint64_t last_lsn; /* Of its last record; 0: none, or nothing is recorded. */
    uint64_t segments, last_ns;
    uint32_t timers_count, failures;
};

static inline struct sw_bytes sw_call_service(const struct sw_call *call)
{
    return (struct sw_bytes){call->bytes, call->service_size};
}
static inline struct sw_bytes sw_call_type(const struct sw_call *call)
{
    return (struct sw_bytes){call->bytes + call->service_size, call->type_size};
}
static inline struct sw_bytes sw_call_body(const struct sw_call *call)
{
    return (struct sw_bytes){call->bytes + call->service_size + call->type_size, call->body_size};
}

/* Whether it is a call whose body has to be made again before it can be sent. */
static inline bool sw_wait_lacks_body(const struct sw_wait *wait)
{
    return wait->kind == SW_WAIT_CALL && wait->call->is_absent;
}

/* The client that only waits for the turn to end; kind NONE: there is none. */
static inline struct sw_origin sw_wait_asker(const struct sw_wait *wait)
{
    return (struct sw_origin){.kind = wait->has_asker ? SW_ORIGIN_CLIENT : SW_ORIGIN_NONE,
                              .incarnation = wait->asker_incarnation,
                              .number = wait->asker_number};
}

/* The turn that waits: the number of its first wait, which no other turn of the instance has. */
static inline uint64_t sw_wait_turn(const struct sw_wait *wait)
{
    return wait->number - (wait->nth - 1);
}

/* A zeroed actor is a new one. */
void sw_actor_done(struct sw_actor *actor);

/* The open handle of that number, or NULL. */
struct sw_handle *sw_actor_handle(const struct sw_actor *actor, uint64_t number);
struct sw_actor_timer *sw_actor_timer(const struct sw_actor *actor, uint64_t id);
bool sw_actor_has_pattern(const struct sw_actor *actor, struct sw_bytes pattern);
/* Whether what it lets out waits for its release: sends, questions and publishes in `withheld`, its
 * call unsent, and its subscriptions unheard. */
static inline bool sw_actor_is_held(const struct sw_actor *actor)
{
    return actor->withheld != NULL;
}
/* Of an instance between two turns, have it be what a fork begins with: held, and nobody waits for
 * an answer of it. A repeat of a request that was open hears that.  SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_actor_fork(struct sw_actor *actor);
/* Of two actors of one instance, have `to` get the body of its call from the other, which went
 * through the same records and ran them, if it has it not and the other has. */
void sw_actor_take_call(struct sw_actor *to, struct sw_actor *from);
/* How many messages wait for their answer. */
uint32_t sw_actor_open_handles(const struct sw_actor *actor);
/* The number that the handle of the next message gets. */
uint64_t sw_actor_next_handle(const struct sw_actor *actor);
/* Who is to hear of the end of the turn that is under way; kind NONE: nobody, or who asked was
 * answered already. */
struct sw_origin sw_actor_asker(const struct sw_actor *actor);

/* Take in what a segment did. place.lsn 0: it is not recorded (durability none). The record was
 * made by this program or has passed sw_record_take; effects that do not fit the actor are damage.
 * Of a record that is whole its actor was loaded before.
 * SW_E_CORRUPT    an effect without its handle, timer or subscription, a wait that there is not
 * SW_E_EXHAUSTED  no memory: the actor is then not to be used */
SW_MUST_CHECK enum sw_rc sw_actor_apply(struct sw_actor *actor,
                                        const struct sw_record_segment *segment, uint64_t lsn,
                                        struct sw_err *err);

/* Whether a segment leaves nothing behind but that it was: so it is with most messages. Then this
 * is all of sw_actor_apply. */
static inline bool sw_actor_is_plain(const struct sw_actor *actor,
                                     const struct sw_record_segment *segment)
{
    return segment->entry == SW_ENTRY_MESSAGE && segment->outcome == SW_OUTCOME_DONE &&
           segment->effects.size == 0 && segment->head.origin.kind != SW_ORIGIN_CLIENT &&
           (segment->head.flags & SWARM_MESSAGE_WANTS_REPLY) == 0 &&
           actor->wait.kind == SW_WAIT_NONE && !actor->wait.has_asker;
}
static inline void sw_actor_apply_plain(struct sw_actor *actor,
                                        const struct sw_record_segment *segment, uint64_t lsn)
{
    if (lsn != 0)
        actor->last_lsn = actor->state_lsn = lsn;
    actor->segments++;
    actor->last_ns = segment->time_ns;
    actor->wait.handle = 0;
}

/* All of an actor as bytes, and back into a zeroed one.  SW_E_CORRUPT: not such bytes. */
void sw_actor_save(const struct sw_actor *actor, struct sw_buffer *out);
SW_MUST_CHECK enum sw_rc sw_actor_load(struct sw_actor *actor, struct sw_bytes bytes,
                                       struct sw_err *err);
