/* Messages in memory: between workers, in mailboxes, and while they are handled.
 *
 * One allocation holds a message with its texts; a body larger than SW_BODY_SHARED_MIN stands in a
 * counted block that the messages of one publish share.
 * Threads: one owner at a time; bodies are counted atomically.  I/O: none.
 * Limits: texts as in record.h; bodies SW_EFFECT_BODY_MAX. */
#pragma once
#include "pkg/agent/store/effect.h"
#include "pkg/agent/store/record.h"

#include <stdatomic.h>

#define SW_BODY_SHARED_MIN 512u
#define SW_MESSAGE_FETCH_BYTES 512u /* Its fields and a small body, for the processor's caches. */

enum sw_item_kind { /* What can come to a worker. */
                    SW_ITEM_MESSAGE = 1,
                    SW_ITEM_ROUTE,
                    SW_ITEM_POD_OPEN,
                    SW_ITEM_POD_CLOSE,
                    SW_ITEM_PUBLISH,
                    SW_ITEM_LIST,
                    SW_ITEM_LETTERS,
                    SW_ITEM_LETTERS_CHANGE,
                    SW_ITEM_PROGRAM,
                    SW_ITEM_PROGRAM_ASK,
                    SW_ITEM_QUOTA_ASK,
                    SW_ITEM_READ
};

struct sw_item {          /* The beginning of each of them. */
    struct sw_item *next; /* In whatever queue it stands. */
    enum sw_item_kind kind;
};

enum sw_message_act {                    /* What a client wants. */
                      SW_MESSAGE_HANDLE, /* That the instance handles it. */
                      SW_MESSAGE_FORK, /* That the instance is there from here on, as the body says
                                          (fork.h), */
                      SW_MESSAGE_RELEASE, /* that what it holds goes, */
                      SW_MESSAGE_DROP     /* or that it goes, with what it holds. */
};

struct sw_body { /* Immutable bytes, counted. */
    _Atomic uint32_t refs;
    uint32_t size;
    uint8_t bytes[];
};

struct sw_instance; /* state.h */

struct sw_message {
    struct sw_item item; /* SW_ITEM_MESSAGE. */
    /* Where to. */
    uint64_t pod;        /* Number. */
    uint64_t instance;   /* Its id; 0: the one named by key. */
    struct sw_bytes key; /* In this allocation. */
    uint64_t hash;       /* sw_board_key of the receiver; 0: not known. */
    /* What. */
    bool is_timer;               /* Not a message but a timer that is due; tag is its id. */
    uint32_t effects_before;     /* Of one made of a send at once: bytes of effects before it. */
    struct sw_message_head head; /* Texts in this allocation. */
    struct sw_bytes body;        /* In this allocation or in shared. */
    struct sw_body *shared;      /* Counted, or NULL. */
    uint32_t generation;         /* Of the worker when it was posted: a later snapshot has it. */
    uint64_t body_lsn;           /* Where the body stands in the journal; 0: it does not. */
    uint32_t body_at;
    uint64_t epoch;       /* What must be durable before effects of this message leave the host. */
    uint64_t deadline_ns; /* Not handled later than this, by the monotonic clock; 0: none. */
    uint32_t size_bytes;  /* Of all this, for limits. */
    bool is_lost;         /* Recovery: nobody is there to handle it. */
    bool is_admitted;     /* Its sender's limit of births was looked at, or does not hold. */
    bool is_inner;        /* A client's, but from swarmd itself: no limit at the edge holds. */
    uint8_t act;          /* enum sw_message_act; but for the first, of clients only. */
    uint8_t size_class;   /* Its room for texts, in SW_SPARE_STEP_BYTES; 0: as much as it needs. */
    uint32_t attempts;    /* How often its handler did not come to its end. */
    uint32_t worker;      /* Of one made of a send at once: its receiver's, by the routes then. */
    uint64_t retry_ns;    /* Not handled before, by the clock of records; 0: at once. */
    /* Of one that was made of a send, while no instance goes; NULL: to be looked for. */
    struct sw_instance *receiver;
};

/* A copy of what the template says; its shared body, if any, is referenced. NULL: no memory. */
struct sw_message *sw_message_new(const struct sw_message *template);
/* The bytes of room that its texts need; and such a copy, made in a message that has as much behind
 * it, whose size_class and size_bytes are set and stay. */
size_t sw_message_texts_bytes(const struct sw_message *message);
void sw_message_fill(struct sw_message *message, const struct sw_message *template);
void sw_message_free(struct sw_message *message);
SW_DEFINE_CLEANUP(struct sw_message, sw_message_free)

/* Copy a text to `at`, within that room, and have *ret_text name the copy. Returns its end. */
static inline uint8_t *sw_message_keep(struct sw_bytes text, uint8_t *at, struct sw_bytes *ret_text)
{
    *ret_text = (struct sw_bytes){at, text.size};
    sw_copy_short(at, text.data, text.size);
    return at + text.size;
}

/* A counted copy of bytes, with one reference.  NULL: no memory. */
struct sw_body *sw_body_new(struct sw_bytes bytes);
void sw_body_unref(struct sw_body *body);

/* Queues are singly linked rings held by their last item: NULL when empty. */
static inline void sw_item_put(struct sw_item **last, struct sw_item *item)
{
    if (*last == NULL) {
        item->next = item;
    } else {
        item->next = (*last)->next;
        (*last)->next = item;
    }
    *last = item;
}
static inline struct sw_item *sw_item_get(struct sw_item **last) /* NULL when empty. */
{
    struct sw_item *first;

    if (*last == NULL)
        return NULL;
    first = (*last)->next;
    if (first == *last)
        *last = NULL;
    else
        (*last)->next = first->next;
    first->next = NULL;
    return first;
}
void sw_item_put_back(struct sw_item **last, struct sw_item *item); /* It is the first again. */
