/* What the simulated clients and the guest test/guests/sim.c say to each other, and what the guest
 * keeps: a log of all that happened to an instance, over which a hash runs.
 *
 * Every answer carries how long the log was and its hash there, so whoever reads the whole log at
 * the end can tell whether each answer came from the life that the instance really had.
 * Little-endian, as both sides are. */
#pragma once
#include <stdint.h>

/* --- Who there is: numbers of instances, by agent -------------------------------------------- */

#define SIM_ACCOUNTS 12u /* account/0 ...: keyed, durable, two Pods. */
#define SIM_TIGHT 4u     /* tight/0 ...: keyed, durable, with mailboxes of few messages. */
#define SIM_HUBS 3u      /* hub/0 ...: replicated, durable. */
#define SIM_MIRRORS 4u   /* mirror/0 ...: keyed, without durability. */
#define SIM_BRIEFS 16u   /* brief/0 ...: keyed, durable, and gone when they idle. */

#define SIM_FRESH 6u /* fresh/0 ...: keyed, durable, and empty with each version. */

#define SIM_TIGHT_FIRST SIM_ACCOUNTS
#define SIM_HUB_FIRST (SIM_TIGHT_FIRST + SIM_TIGHT)
#define SIM_MIRROR_FIRST (SIM_HUB_FIRST + SIM_HUBS)
#define SIM_BRIEF_FIRST (SIM_MIRROR_FIRST + SIM_MIRRORS)
#define SIM_FRESH_FIRST (SIM_BRIEF_FIRST + SIM_BRIEFS)
#define SIM_PEERS (SIM_FRESH_FIRST + SIM_FRESH)
#define SIM_CLIENT 255u /* A sender that is no instance. */
#define SIM_BRANCHES 8u /* branch/0, and its forks branch/1 ...: keyed, durable, in some seeds. */

#define SIM_SUBJECTS 4u /* "news.0" ... */
#define SIM_TIMERS 6u
#define SIM_PAGES 12u
#define SIM_PAGE_WORDS 512u
#define SIM_LOG_MAX 4500u
#define SIM_HOPS_MAX 6u
#define SIM_DUMP_ENTRIES 500u
#define SIM_ACCOUNT_TIMERS 2u /* That an account/N may have at once. */
#define SIM_IDLE_NS ((uint64_t)3000000000)
#define SIM_VISITS_MAX 64u                /* Of one life of a brief/N. */
#define SIM_ASK_NS ((uint64_t)1000000000) /* So long an answer is waited for, for each hop. */

/* --- Programs and versions ------------------------------------------------------------------- */

/* The guest is built so often (SIM_PROGRAM), with its memory at other places each time. */
#define SIM_PROGRAM_FIRST 0u
#define SIM_PROGRAM_MOVED 1u
#define SIM_PROGRAM_KEPT 2u /* Takes nothing over: instances keep the program that they have. */
#define SIM_PROGRAMS 3u

enum sim_handover { /* How on_upgrade ends. */
                    SIM_HANDOVER_GOOD,
                    SIM_HANDOVER_SOME, /* Good from all programs but SIM_PROGRAM_MOVED. */
                    SIM_HANDOVER_TRAPS,
                    SIM_HANDOVER_FAILS,
                    SIM_HANDOVER_SPINS,
                    SIM_HANDOVERS
};

struct sim_config { /* Of an Agent, with each version: what swarm_self tells, as letters. */
    uint32_t version, program, handover;
};

#define SIM_CONFIG_LETTERS 10u

static inline void sim_config_write(const struct sim_config *config, char *ret_letters)
{
    for (uint32_t i = 0; i < 8; i++)
        ret_letters[i] = (char)('a' + (config->version >> i * 4) % 16);
    ret_letters[8] = (char)('a' + config->program);
    ret_letters[9] = (char)('a' + config->handover);
}

static inline struct sim_config sim_config_read(const char *letters)
{
    struct sim_config config = {0, (uint32_t)(letters[8] - 'a'), (uint32_t)(letters[9] - 'a')};

    for (uint32_t i = 0; i < 8; i++)
        config.version |= (uint32_t)(letters[i] - 'a') << i * 4;
    return config;
}

/* --- The log --------------------------------------------------------------------------------- */

enum sim_entry_kind {
    SIM_ENTRY_START = 1, /* value: words of its new memory that were not zero. */
    SIM_ENTRY_OP,        /* An operation of a client. peer: enum sim_op; number: its id. */
    SIM_ENTRY_SENT,      /* peer: to whom; number: its number within the pair; value: the op. */
    SIM_ENTRY_REFUSED,   /* A send that was pushed back. peer: to whom; number: the code. */
    SIM_ENTRY_GOT,       /* peer: from whom; number: within the pair; value: the op. */
    SIM_ENTRY_ANSWER,    /* Of a question. peer: who was asked; number: status; value: the op. */
    SIM_ENTRY_SET,       /* A timer. peer: its id; number: when it is due. */
    SIM_ENTRY_UNSET,     /* A timer that was refused. peer: its id; number: the code. */
    SIM_ENTRY_CANCELLED, /* peer: its id; number: the code. */
    SIM_ENTRY_FIRED,     /* peer: its id. */
    SIM_ENTRY_TOLD,      /* A publish. peer: subject; number: of this publisher; value: the op. */
    SIM_ENTRY_HEARD,     /* peer: publisher; number: as TOLD, or the op; value: the subject. */
    SIM_ENTRY_JOINED,    /* A subscription. peer: subject. */
    SIM_ENTRY_LEFT,      /* peer: subject; number: the code. */
    SIM_ENTRY_PAGE,   /* peer: page; number: the sum it had; value: the seed it was filled with. */
    SIM_ENTRY_RANDOM, /* number: a random number. */
    SIM_ENTRY_ASKED,  /* A question that was waited for. peer: whom; number: its number within the
                         pair, times 256, plus the code without its sign; value: the op. */
    SIM_ENTRY_WAS_ASKED, /* peer: by whom; number: within the pair; value: the op. */
    SIM_ENTRY_SLEPT,     /* number: since when; value: for how long it was to be. */
    SIM_ENTRY_TOOK,      /* The end of a wait for a message. number: the code. */
    SIM_ENTRY_CALLED,    /* The end of an outside call. peer: the code without its sign; number: of
                            the receipt; value: the op. */
    SIM_ENTRY_VERSION,   /* Its program. peer: the version; number: the one before, 0: it began with
                            this one; value: the program. */
    SIM_ENTRY_VISITED,  /* Of a brief/N when its life ends. peer: which; number: the life; value: an
                           op that it had. */
    SIM_ENTRY_STEPPED,  /* Of a fresh/N. peer: which; number: the life; value: see sim_step. */
    SIM_ENTRY_BRANCHED, /* Of a branch/N. peer: its key; number: that it counts; value: the op. */
    SIM_ENTRY_ENDED,    /* Its end. peer: which; number: the life; value: visits, and above bit 32
                           enum sim_end_flag. */
    SIM_ENTRY_BROKEN /* What a handler had in its locals was another thing after a wait, it runs in
                        another program than its memory says, or what is its own changed while it
                        computed. */
};

struct sim_entry {
    uint32_t kind, peer;
    uint64_t number, value, time_ns;
};

struct sim_step { /* What a fresh/N came to with an operation. */
    uint64_t op;
    uint32_t version, count; /* count: of its life, with this one. */
};

static inline uint64_t sim_step_pack(const struct sim_step *step)
{
    return step->op | (uint64_t)step->version << 20 | (uint64_t)step->count << 40;
}

static inline struct sim_step sim_step_unpack(uint64_t value)
{
    return (struct sim_step){value & 0xfffff, (uint32_t)(value >> 20 & 0xfffff),
                             (uint32_t)(value >> 40)};
}

enum sim_end_flag { /* Why it should not have ended. */
                    SIM_ENDED_EARLY = 1,
                    SIM_ENDED_ARMED = 2,
                    SIM_ENDED_ASKED = 4,
                    SIM_ENDED_JOINED = 8,
                    SIM_ENDED_ASLEEP = 16
};

static inline uint64_t sim_mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

static inline uint64_t sim_entry_mix(uint64_t hash, const struct sim_entry *entry)
{
    hash = sim_mix(hash, (uint64_t)entry->kind << 32 | entry->peer);
    hash = sim_mix(hash, entry->number);
    hash = sim_mix(hash, entry->value);
    return sim_mix(hash, entry->time_ns);
}

/* What a page sums up to that was filled with this seed; 0 for a new one. */
static inline uint64_t sim_page_word(uint64_t seed, uint32_t at)
{
    return seed == 0 ? 0 : sim_mix(seed, at);
}

/* --- Messages -------------------------------------------------------------------------------- */

enum sim_op {
    SIM_OP_PUT = 1,
    SIM_OP_TRANSFER, /* path[0]: to whom; value: how much. */
    SIM_OP_RELAY,    /* path: a chain of instances that each pass it on. */
    SIM_OP_GATHER,   /* path: who is asked; answered when all have. */
    SIM_OP_JOIN,     /* value: subject. */
    SIM_OP_LEAVE,
    SIM_OP_TELL,
    SIM_OP_SET, /* value: timer; delay_ns. */
    SIM_OP_CANCEL,
    SIM_OP_RACE,   /* value: a timer that is due at once; a note to itself cancels it. */
    SIM_OP_ASK,    /* path: each asks the next one, and waits for the answer. */
    SIM_OP_SLEEP,  /* delay_ns */
    SIM_OP_TAKE,   /* The handler waits for the next message and handles it itself. */
    SIM_OP_CALL,   /* value: receipts that it wants; delay_ns: how long it waits for each; 0: as
                      long as it takes. */
    SIM_OP_PAGE,   /* value: page. */
    SIM_OP_MIRROR, /* path[0]: the mirror that is told the hash. */
    SIM_OP_RANDOM,
    SIM_OP_SPAM,    /* path[0]: to whom; value: how many. */
    SIM_OP_TRAP,    /* path[0]: whom it sends to before it ends badly; value: enum sim_trap. */
    SIM_OP_POISON,  /* path[0]: whom it sends what ends badly there; value: see SIM_NOTE_POISON. */
    SIM_OP_LOOK,    /* At a mirror: what it was told by `value`, or with a delay by whoever tells it
                       next. Nothing is logged. */
    SIM_OP_VISIT,   /* At a brief/N or fresh/N. value: enum sim_visit; delay_ns. */
    SIM_OP_CALL_ON, /* path: the brief/N and fresh/N that are sent a note each. */
    SIM_OP_COMPUTE, /* value: milliseconds, once more after a wait of delay_ns if that is not 0;
                       path[0]: whom it has compute as well; path[1]: the mirror that it tells. */
    SIM_OP_CRASH,   /* path[0]: whom it sends what ends the host there. */
    SIM_OP_DUMP     /* value: first entry. Nothing is logged. */
};

enum sim_trap {
    SIM_TRAP_UNREACHABLE,
    SIM_TRAP_FAIL,
    SIM_TRAP_SPIN,
    SIM_TRAP_GROW,
    SIM_TRAP_LONG, /* It would end well if it had more time than it has. */
    SIM_TRAPS
};
#define SIM_LONG_ROUNDS 1000000u
#define SIM_ROUNDS_PER_MS 2000u /* About: see SIM_FUEL_PER_MS. */
#define SIM_COMPUTE_MS_MAX 12u  /* Below the deadline. */

enum sim_visit { /* What it does for the next delay_ns, in which it must not end. */
                 SIM_VISIT_PLAIN,
                 SIM_VISIT_TIMER,
                 SIM_VISIT_HOLD, /* The visit is answered when the time is over. */
                 SIM_VISIT_JOIN,
                 SIM_VISIT_SLEEP,
                 SIM_VISITS
};

struct sim_request { /* From a client. */
    uint32_t op, hops;
    uint64_t id, value, delay_ns;
    uint8_t path[8];
};

enum sim_note_kind {
    SIM_NOTE_PLAIN = 1,
    SIM_NOTE_RELAY,
    SIM_NOTE_QUESTION,
    SIM_NOTE_MIRROR,
    SIM_NOTE_CANCEL,   /* path[0]: a timer. */
    SIM_NOTE_ASK,      /* Answered when whoever path names next has answered. */
    SIM_NOTE_VISITED,  /* From a brief/N; hash: its life; position: an op. */
    SIM_NOTE_STEPPED,  /* From a fresh/N; hash: its life; position: as in SIM_ENTRY_STEPPED. */
    SIM_NOTE_ENDED,    /* hash: its life; position: as in SIM_ENTRY_ENDED. */
    SIM_NOTE_BRANCHED, /* From a branch/N. number: that it counts. */
    SIM_NOTE_COMPUTE,  /* path[0]: milliseconds. */
    SIM_NOTE_CRASH,    /* Ends the host whenever it is handled; if its id is even, after a wait. */
    SIM_NOTE_POISON /* Handled in one of path[0] milliseconds only, and else ends badly; 0: always.
                       If its id is even it waits before that. */
};

#define SIM_CRASH_WORDS                                                                            \
    "this takes the host down" /* In the log of a guest that does: see host.c. */

/* What is numbered so between two of them has this priority: there is an order among equals only.
 */
static inline uint32_t sim_priority(uint64_t number)
{
    uint64_t hash = sim_mix(number, 7);

    return number == 0 || hash % 2 == 0 ? 1 : (uint32_t)(hash / 2 % 4);
}

struct sim_note { /* Between instances. */
    uint32_t kind, hops;
    uint64_t id;     /* Of the op. */
    uint64_t number; /* Within the pair of sender and receiver. */
    int64_t amount;
    uint64_t position, hash; /* MIRROR, and answers to a QUESTION: of the sender's log. */
    uint8_t path[8];
};

struct sim_news { /* A publish. */
    uint64_t id, number;
    uint32_t publisher, subject;
};

#define SIM_SERVICE "sim.receipts"

struct sim_call {            /* Of an instance, to the service. */
    uint64_t op, number;     /* number: of this op. */
    uint64_t position, hash; /* Of the log of `peer`, as far as the caller knows. */
    uint64_t peer;
};

struct sim_receipt { /* What comes back. */
    uint64_t number, op;
};

struct sim_answer {                       /* To a client. */
    uint64_t position, hash, value, life; /* life: of a brief/N. */
    uint32_t count, version;              /* version: of whoever answers. */
    struct sim_mark {                     /* GATHER: who was asked. CALL, of a mirror: receipts. */
        uint32_t peer, status;
        uint64_t position, hash;
    } marks[SIM_HOPS_MAX];
};

struct sim_dump { /* Entries follow. */
    uint64_t position, hash;
    int64_t balance;
    uint32_t first, count;
};
