/* The guest ABI swarm/1: what a WebAssembly agent exports and what it may call.
 *
 * An agent is an actor: it has a name ("agent/key"), a mailbox and this module's memory, which is
 * durable as it is. Its handlers run one at a time. All that a handler asked for, such as sends,
 * replies and timers, happens if it returns SWARM_DONE; after a trap or a negative result, nothing
 * of it does. A handler may wait in the middle (swarm/wait.h): what it did until then
 * happens and stays, whatever comes later.
 *
 * Conventions: little-endian; sizes in bytes; texts are UTF-8 and not NUL-terminated, always given
 * as (pointer, size); every import named here lives in the module "swarm_1" and, unless it says
 * otherwise, returns SWARM_OK or a negative code of enum swarm_code. Pointers that the host hands
 * to a handler are valid until the handler returns, waits included.
 *
 * Exports: `memory`, `swarm_alloc` and `on_message` are required; `on_start`, `on_timer`,
 * `on_stop`, `on_upgrade`, `swarm_state` and `on_resume` are called when they are there.
 * SWARM_AGENT, at the end, defines swarm_alloc. */
#pragma once
#include <stdint.h>

#ifdef __wasm__
#define SWARM_EXPORT(name) __attribute__((export_name(#name), used)) name
#define SWARM_IMPORT(name) __attribute__((import_module("swarm_1"), import_name(#name)))
#else /* A host that reads the constants and layouts. */
#define SWARM_EXPORT(name) name
#define SWARM_IMPORT(name)
#endif

enum swarm_result {
    SWARM_DONE = 0,   /* The message is handled; its effects happen. */
    SWARM_WAITING = 1 /* A wait was taken; only with on_resume. */
};

enum swarm_code {
    SWARM_OK = 0,
    SWARM_E_INVALID = -3,      /* A pointer, size, name or number is out of bounds. */
    SWARM_E_TIMEOUT = -4,      /* A wait, or a receiver's handler, took too long. */
    SWARM_E_NOT_FOUND = -5,    /* No such reply handle, timer or subscription. */
    SWARM_E_DENIED = -7,       /* Not allowed by the Agent's spec. */
    SWARM_E_EXHAUSTED = -8,    /* A limit of this turn or instance is reached. */
    SWARM_E_PRECONDITION = -9, /* Not in this entry point. */
    SWARM_E_DEADLOCK = -10,    /* An ask of somebody who waits for an answer of ours. */
    SWARM_E_INTERNAL = -13,    /* As the status of a reply: the receiver's handler trapped. */
    SWARM_E_UNAVAILABLE = -14  /* The receiver cannot be reached now. */
};

enum swarm_priority { /* Shares of the processor are weighted; none starves. */
                      SWARM_PRIORITY_LOW = 0,
                      SWARM_PRIORITY_NORMAL = 1,
                      SWARM_PRIORITY_HIGH = 2,
                      SWARM_PRIORITY_URGENT = 3
};

enum swarm_log_level { SWARM_LOG_DEBUG, SWARM_LOG_INFO, SWARM_LOG_WARN, SWARM_LOG_ERROR };

enum swarm_message_flag {
    SWARM_MESSAGE_WANTS_REPLY = 1u << 0, /* reply_handle may be answered once, in any later turn. */
    SWARM_MESSAGE_IS_REPLY = 1u << 1,    /* The answer to a send of ours with this tag. */
    SWARM_MESSAGE_PUBLISHED = 1u << 2    /* It came over a subject that we subscribed to. */
};

/* One message, laid out by the host inside the block that swarm_alloc gave: this struct, then the
 * texts and the body. 72 bytes. */
struct swarm_message {
    uint32_t struct_size;  /* 72 in swarm/1; grows in later versions. */
    uint32_t flags;        /* enum swarm_message_flag. */
    uint64_t time_ns;      /* UTC; what swarm_now returns during this turn. */
    uint64_t reply_handle; /* 0: no reply is wanted. */
    uint64_t tag;          /* Of a reply: the tag that the send gave. Otherwise 0. */
    int32_t status;        /* Of a reply: 0, or a negative code and body is words. Otherwise 0. */
    uint32_t priority;     /* enum swarm_priority. */
    const char *from;      /* "agent/key" of the sender; "" for a client outside. */
    uint32_t from_size;
    const char *subject; /* "" unless PUBLISHED. */
    uint32_t subject_size;
    const char *type; /* Content type such as "text/plain"; may be "". */
    uint32_t type_size;
    const uint8_t *body;
    uint32_t body_size;
};

/* --- What an agent exports ------------------------------------------------------------------- */

/* Room for size bytes, aligned to 8, that stays untouched until the entry made next returns; 0 when
 * there is none, which fails the turn with SWARM_E_EXHAUSTED. */
void *swarm_alloc(uint32_t size);
/* Never called, but a promise: swarm_alloc, asked for no more than before, would return the same
 * block again and change nothing. So messages that fit come there without a call. */
void swarm_alloc_keeps(void);
/* The first entry of every new instance, before any message. */
int32_t on_start(void);
/* The next message of the mailbox. */
int32_t on_message(const struct swarm_message *message);
/* A timer of that id is due. */
int32_t on_timer(uint64_t id);
/* The last entry before the instance is deleted (not before a restart: state survives that). */
int32_t on_stop(void);
/* For runtimes that suspend a handler themselves, such as an `await`: a module that exports this is
 * not rewound. Its waits return SWARM_WAITING at once; the handler returns that too, and is called
 * here with what the wait would have returned. */
int32_t on_resume(int32_t status);

/* What a program hands to the one that takes its place. 12 bytes. */
struct swarm_state {
    uint32_t version; /* Of the layout of data; the author's own number. */
    const void *data;
    uint32_t size;
};
/* Called between two turns before another program takes over: say where the state is. It should
 * change nothing, since the instance may stay what it is; what it sends does not happen.
 * SWARM_STATE, at the end, defines it for a variable. */
const struct swarm_state *swarm_state(void);

/* 24 bytes. */
struct swarm_upgrade {
    uint32_t struct_size;   /* 24 in swarm/1; grows in later versions. */
    uint32_t old_version;   /* As the old program's swarm_state said; 0 without one. */
    const uint8_t *state;   /* Aligned to 8. */
    uint32_t state_size;    /* 0 without swarm_state. */
    const char *old_module; /* Digest, "sha256:...". */
    uint32_t old_module_size;
};
/* The first entry, instead of on_start, where the program of an instance was changed. Its name,
 * mailbox, timers, subscriptions and open reply handles stay; the memory is this program's and
 * new. After any end but SWARM_DONE the instance goes on with the old program and state. */
int32_t on_upgrade(const struct swarm_upgrade *upgrade);

/* --- What an agent may call ------------------------------------------------------------------
 *
 * Every call that takes a pointer answers SWARM_E_INVALID, and does nothing, when not all of the
 * bytes are inside the memory; nothing at its very end is still inside. What a call may answer
 * besides SWARM_OK is listed with it, and nothing else is. */

/* Send to an instance of the same namespace: "agent/key", or "agent" for any instance of a
 * replicated Agent. A keyed instance is created by its first message. With tag 0 no reply is
 * wanted; with another tag the reply, or the failure, arrives as a message with IS_REPLY and this
 * tag.
 * SWARM_E_INVALID    `to` is neither "agent" nor "agent/key"; the type is longer than 255 bytes or
 *                    not UTF-8; the body is larger than the receiver takes; no such priority
 * SWARM_E_EXHAUSTED  the receiver's mailbox or the host is full, or this turn is full of effects
 * SWARM_E_UNAVAILABLE  tag is 0, and there is no such Agent, or it does not run yet */
SWARM_IMPORT(send)
int32_t swarm_send(const char *to, uint32_t to_size, const char *type, uint32_t type_size,
                   const void *body, uint32_t body_size, int32_t priority, uint64_t tag);

/* Answer a message that wanted a reply, in this turn or a later one. A handle is good for one
 * reply. status 0, or a negative code with words as the body.
 * SWARM_E_INVALID    the status is positive; the type is longer than 255 bytes or not UTF-8; the
 *                    body is larger than 4 MiB
 * SWARM_E_NOT_FOUND  the handle is unknown or already used
 * SWARM_E_EXHAUSTED  this turn has no room for another effect */
SWARM_IMPORT(reply)
int32_t swarm_reply(uint64_t handle, int32_t status, const char *type, uint32_t type_size,
                    const void *body, uint32_t body_size);

/* Send to every subscriber of the subject in this namespace ("a.b.c", NATS grammar, no wildcards).
 * SWARM_E_INVALID    no such subject; the type is longer than 255 bytes or not UTF-8; the body is
 *                    larger than 4 MiB; no such priority
 * SWARM_E_EXHAUSTED  a subscriber's mailbox or the host is overfull, the publishes of this turn
 *                    reach too many, or it has no room for another effect */
SWARM_IMPORT(publish)
int32_t swarm_publish(const char *subject, uint32_t subject_size, const char *type,
                      uint32_t type_size, const void *body, uint32_t body_size, int32_t priority);

/* Subscribe this instance to a subject; '*' stands for one token, a last '>' for one or more.
 * SWARM_E_INVALID    no such pattern
 * SWARM_E_EXHAUSTED  this instance or the host has as many subscriptions as it may, or this
 *                    turn has no room for another effect */
SWARM_IMPORT(subscribe)
int32_t swarm_subscribe(const char *subject, uint32_t subject_size);
/* End a subscription, named by the same text.
 * SWARM_E_INVALID    no such pattern
 * SWARM_E_NOT_FOUND  this instance is not subscribed to it
 * SWARM_E_EXHAUSTED  this turn has no room for another effect */
SWARM_IMPORT(unsubscribe)
int32_t swarm_unsubscribe(const char *subject, uint32_t subject_size);

/* Call on_timer(id) once, after delay_ns; an earlier timer of that id is replaced.
 * SWARM_E_EXHAUSTED  this instance has 4,096 timers, or this turn has no room for another effect */
SWARM_IMPORT(timer_start)
int32_t swarm_timer_start(uint64_t id, uint64_t delay_ns);
/* Take a timer back, also one that is due and whose call has not begun.
 * SWARM_E_NOT_FOUND  there is no timer of that id
 * SWARM_E_EXHAUSTED  this turn has no room for another effect */
SWARM_IMPORT(timer_cancel)
int32_t swarm_timer_cancel(uint64_t id);

/* A line of the log, cut at 16 KiB; it is kept even if the turn fails.
 * SWARM_E_INVALID    no such level
 * SWARM_E_EXHAUSTED  this turn has logged 256 KiB */
SWARM_IMPORT(log)
int32_t swarm_log(int32_t level, const char *text, uint32_t text_size);

/* UTC in ns, and no error; it stands still until the handler ends or waits. */
SWARM_IMPORT(now)
uint64_t swarm_now(void);

/* Fill with random bytes; a replay sees the same ones.
 * SWARM_E_INVALID  more than 65,536 bytes */
SWARM_IMPORT(random)
int32_t swarm_random(void *ret_bytes, uint32_t size);

enum swarm_self {
    SWARM_SELF_NAMESPACE,
    SWARM_SELF_AGENT,
    SWARM_SELF_KEY,
    SWARM_SELF_CONFIG /* spec.config of the Agent, as it stands in the manifest. */
};
/* Copy a fact about this instance, cut at size; returns its full size.
 * SWARM_E_INVALID  no such fact */
SWARM_IMPORT(self)
int32_t swarm_self(int32_t what, char *ret_text, uint32_t size);

/* --- State for the next version -------------------------------------------------------------- */

/* SWARM_STATE(notes, 2): the variable `notes`, laid out as version 2 of this program says, is what
 * a later program is handed in on_upgrade. */
#define SWARM_STATE(variable, layout_version)                                                      \
    const struct swarm_state *SWARM_EXPORT(swarm_state)(void)                                      \
    {                                                                                              \
        static struct swarm_state state;                                                           \
        state.version = (layout_version);                                                          \
        state.data = &(variable);                                                                  \
        state.size = sizeof(variable);                                                             \
        return &state;                                                                             \
    }                                                                                              \
    _Static_assert(sizeof(struct swarm_state) == 12, "the layout that hosts read")

/* --- For agents without an allocator of their own -------------------------------------------- */

/* Define swarm_alloc: room beside the module's data while messages are small, then whole pages. */
#define SWARM_AGENT                                                                                \
    void *SWARM_EXPORT(swarm_alloc)(uint32_t size)                                                 \
    {                                                                                              \
        static uint64_t small[64];                                                                 \
        static uint32_t at, room;                                                                  \
        if (size <= (room > 0 ? room : sizeof small))                                              \
            return room > 0 ? (void *)at : small;                                                  \
        uint32_t end = (uint32_t)__builtin_wasm_memory_size(0) << 16;                              \
        uint32_t kept = at + room == end ? room : 0; /* Nobody grew since: enlarge in place. */    \
        uint32_t pages = ((size - kept - 1) >> 16) + 1;                                            \
        if (__builtin_wasm_memory_grow(0, pages) == (__SIZE_TYPE__) - 1)                           \
            return 0;                                                                              \
        at = end - kept;                                                                           \
        room = kept + (pages << 16);                                                               \
        return (void *)at;                                                                         \
    }                                                                                              \
    void SWARM_EXPORT(swarm_alloc_keeps)(void)                                                     \
    {                                                                                              \
    }                                                                                              \
    _Static_assert(sizeof(struct swarm_message) == 72, "the layout that hosts write")
