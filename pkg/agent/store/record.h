/* What stands in a journal record: what came to an instance, how it ended, and what it asked for.
 *
 *     SPEC      what instances can see of their Pods: program, engine, config; named by number
 *     POD       a Pod was opened, or its spec changed in what others can see
 *     POD_DROP  a Pod and all its instances are gone
 *     SEGMENT   one segment of one instance: input, results of host calls, outcome, effects
 *     PUBLISH   a publish from outside
 *     SNAPSHOT  the state at an earlier lsn is in the file that it names: nothing before is needed
 *     USAGE     what an Agent used that no SEGMENT says (usage.h)
 *     LETTER    a message was parked without a segment, or a parked one was delivered again or
 *               dropped
 *
 * Threads: pure functions.  I/O: none.  Limits: fields are bounded as record.c's readers say; a
 * record is at most SW_JOURNAL_RECORD_MAX bytes. */
#pragma once
#include "pkg/agent/store/entry.h"
#include "pkg/agent/store/journal.h"
#include "pkg/agent/store/origin.h"
#include "pkg/agent/store/usage.h"

#define SW_RECORD_WORDS_MAX 512u

enum sw_record_kind {
    SW_RECORD_POD = 1,
    SW_RECORD_POD_DROP,
    SW_RECORD_SEGMENT,
    SW_RECORD_PUBLISH,
    SW_RECORD_SNAPSHOT,
    SW_RECORD_SPEC,
    SW_RECORD_LETTER,
    SW_RECORD_SLOTS,
    SW_RECORD_USAGE
};

struct sw_record_spec {
    uint32_t number;                     /* In this journal; not 0. */
    struct sw_bytes digest, fingerprint; /* Of the module; of the engine that runs it. */
    struct sw_bytes config;
    uint32_t timers_max; /* Of an instance. */
};

/* What of an Agent's past is kept (history.h); all 0: nothing but what recovery needs. */
struct sw_history_policy {
    uint64_t age_ns, bytes, turns; /* At most; 0: not limited by that. */
};
static inline bool sw_history_is_kept(const struct sw_history_policy *policy)
{
    return policy->age_ns != 0 || policy->bytes != 0 || policy->turns != 0;
}

struct sw_record_pod {
    uint64_t pod;  /* Its number in this journal; not 0. */
    uint32_t spec; /* Number of the SPEC that its instances see from here on. */
    struct sw_bytes uid, name_space, agent, agent_uid, slots;
    uint32_t replicas, body_bytes;
    struct sw_history_policy history; /* Of its Agent. */
    bool is_keyed;
    bool is_reset; /* Whoever slept in it is gone, without a record of its own. */
};

/* A flag beside those of enum swarm_message_flag, which no guest sees: an answer that ends the wait
 * whose number is the tag. */
#define SW_MESSAGE_ENDS_WAIT (1u << 31)

struct sw_message_head { /* A message but for its body. Texts are borrowed. */
    uint32_t flags;      /* enum swarm_message_flag, SW_MESSAGE_ENDS_WAIT. */
    uint32_t priority;
    int32_t status;
    uint64_t tag;
    struct sw_origin origin;
    struct sw_effect_name source;  /* The effect that sent it; none: from outside, or volatile. */
    struct sw_effect_name answers; /* Of a reply: the send that it answers. */
    struct sw_bytes from, subject, type, request_id;
};

struct sw_record_segment {
    uint64_t instance, previous; /* previous: lsn of the record before; 0: this is the first. */
    uint64_t pod, time_ns;
    uint32_t spec; /* That it ran under. */
    enum sw_entry entry;
    enum sw_outcome outcome;
    int32_t code;
    enum sw_fate fate;           /* Unless its outcome counts: what became of the input, */
    uint32_t attempt;            /* of which this was the so many-th try; */
    uint64_t retry_ns;           /* RETRY: when it comes again; */
    struct sw_bytes words;       /* PARKED: why, at most SW_RECORD_WORDS_MAX bytes. */
    bool waits_on;               /* RESUME, the same: the turn waits as it did before; otherwise
                                    it is over. */
    struct sw_bytes key;         /* START, FORK: the instance's. */
    struct sw_bytes seed;        /* The same: 16 bytes its random numbers come from. */
    uint64_t memory_bytes;       /* The same: limit for life. */
    uint64_t timer;              /* TIMER: its id, */
    uint64_t again;              /* and the lsn of what delivered it again; 0: it fired. */
    uint64_t wait;               /* RESUME: the number of the wait that ended, */
    int32_t ended;               /* and how: 0, or a negative code such as that of a timeout. */
    uint32_t to;                 /* UPGRADE: the spec that was tried. */
    uint64_t random_next;        /* UPGRADE, IMAGE, FORK: of the random numbers, afterwards. */
    struct sw_bytes actor;       /* The same: as sw_actor_save wrote it, before this segment. */
    struct sw_bytes image;       /* The same: of the guest, after it. */
    bool has_message;            /* MESSAGE: true. RESUME: a message ended it. FORK: one waits for
                                    it, whose body is here. */
    struct sw_message_head head; /* Of the message. */
    /* Of the message: the body, or where it stands: in the record at body_lsn from body_at on. */
    struct sw_bytes body;
    uint64_t body_lsn;
    uint32_t body_at, body_bytes;
    struct sw_bytes results; /* Host results that no replay could compute: u32 call, i32 code ... */
    struct sw_bytes routes;  /* What became of sends: u32 effect, u32 sw_route_end, u64 value. */
    struct sw_bytes effects; /* As effect.h writes them. */
    uint64_t digest;         /* SipHash of the effects under a fixed key. */
    uint32_t cpu_ns; /* Of the processor: what its Agent used since another record said so. */
    bool is_woken;   /* Its memory was made again for it. */
    bool has_pages;  /* Its memory has become another size, */
    uint32_t pages;  /* which is this: as usage.h counts them. */
    uint64_t fuel;   /* That it used, where its engine counts that. */
};

enum sw_route_end { /* Where a send went, when its name alone does not tell: any of these bits. */
                    SW_ROUTE_REPLICA =
                        1u << 0, /* The value is the number of the replica that was chosen. */
                    SW_ROUTE_VOLATILE =
                        1u << 1, /* Its receiver keeps nothing: after a restart it is lost. */
                    SW_ROUTE_UNREACHABLE =
                        1u << 2 /* A failure was sent back; the value is its positive code. */
};

struct sw_record_publish {
    uint64_t time_ns;
    uint32_t priority;
    struct sw_bytes name_space, subject, type, request_id, body;
};

struct sw_record_snapshot {
    uint64_t lsn;         /* The point: state of all records before it, and none from it on. */
    struct sw_bytes file; /* Its name within the folder. */
    uint64_t bytes;
    uint32_t check; /* CRC-32C of the whole file. */
};

enum sw_letter_act { SW_LETTER_PARK = 1, SW_LETTER_REDELIVER, SW_LETTER_DROP };

struct sw_record_letter { /* A dead letter of a Pod. Snapshots keep them in this form as well. */
    enum sw_letter_act act;
    uint64_t pod, time_ns;
    uint64_t number; /* Its name. PARK in the journal: 0, the lsn of the record is. */
    /* PARK: the rest. */
    uint64_t instance; /* Whom it was sent to by number; 0: by key. */
    struct sw_bytes key, reason, words;
    uint32_t attempts;
    bool is_timer; /* A timer that fired; its id is the tag. */
    struct sw_message_head head;
    struct sw_bytes body;
};

struct sw_record_slots { /* Of one Pod, with all that they hold, that are another one's from here
                            on. */
    uint64_t from, to;
    struct sw_bytes slots; /* As in struct sw_record_pod. */
};

struct sw_record { /* Decoded; borrows. */
    enum sw_record_kind kind;
    union {
        struct sw_record_spec spec;
        struct sw_record_pod pod;
        uint64_t dropped_pod;
        struct sw_record_segment segment;
        struct sw_record_publish publish;
        struct sw_record_snapshot snapshot;
        struct sw_record_letter letter;
        struct sw_record_slots slots;
        struct sw_record_usage usage;
    };
};

/* Append the record to out. *ret_body_at (may be NULL) is where the bytes of effects (SEGMENT) or
 * the body (PUBLISH) begin within the record: bodies in them are later named by their place. */
void sw_record_put(const struct sw_record *record, struct sw_buffer *out, uint32_t *ret_body_at);
/* Of whom an unchecked record is, if it is a segment. */
SW_MUST_CHECK bool sw_record_peek(struct sw_bytes bytes, uint64_t *ret_instance, uint64_t *ret_pod);
/* SW_E_CORRUPT: not a record.  SW_E_UNSUPPORTED: of a kind that this version does not know. */
SW_MUST_CHECK enum sw_rc sw_record_take(struct sw_bytes bytes, struct sw_record *ret_record,
                                        struct sw_err *err);
/* A message head alone, as snapshots store it. */
void sw_message_head_put(const struct sw_message_head *head, struct sw_buffer *out);
void sw_message_head_take(struct sw_reader *reader, struct sw_message_head *ret_head);

/* Whether a segment that ended so changed state and has effects. */
static inline bool sw_outcome_counts(enum sw_outcome outcome)
{
    return outcome == SW_OUTCOME_DONE || outcome == SW_OUTCOME_WAITING;
}
/* Whether it is a turn that went on with a message which it received, not with an answer. */
bool sw_record_received(const struct sw_record_segment *segment);
/* Whether it begins a turn whose end nobody is told of: if that waits and fails later, what it
 * handles is to be kept. */
static inline bool sw_record_begins_unheard(const struct sw_record_segment *segment)
{
    return (segment->entry == SW_ENTRY_MESSAGE || segment->entry == SW_ENTRY_TIMER) &&
           segment->head.origin.kind == SW_ORIGIN_NONE;
}
/* Whether all that an instance was before it is not needed to rebuild it. */
static inline bool sw_record_is_whole(const struct sw_record_segment *segment)
{
    return segment->entry == SW_ENTRY_IMAGE || segment->entry == SW_ENTRY_FORK ||
           (segment->entry == SW_ENTRY_UPGRADE && segment->outcome == SW_OUTCOME_DONE);
}
/* Whether it is the first one of an instance. */
static inline bool sw_record_is_birth(const struct sw_record_segment *segment)
{
    return (segment->entry == SW_ENTRY_START && segment->previous == 0) ||
           segment->entry == SW_ENTRY_FORK;
}
/* The code that whoever asked gets when a turn ended so. */
int32_t sw_outcome_code(const struct sw_record_segment *segment);
