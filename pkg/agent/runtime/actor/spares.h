/* Messages that are over, kept for those that are made next: most come and go in the same few
 * sizes. What a worker has too many of goes to another one in chains, since who sends is often not
 * who handles.
 *
 *     take <- spares of the worker <-> depot of the host, SW_SPARE_CHAIN at a time
 *
 * Threads: a worker's spares: one at a time; the depot: any.  I/O: none.
 * Limits: SW_SPARES_BYTES_MAX of each worker, and a chain of each size; SW_DEPOT_BYTES_MAX of the
 * depot. What is in use now drives out the sizes that were once, here and there.
 * After: Bonwick and Adams, Magazines and Vmem, USENIX 2001. */
#pragma once
#include "pkg/agent/runtime/actor/message.h"

#include <pthread.h>

#define SW_SPARE_STEP_BYTES 64u
#define SW_SPARE_CLASSES 9u
#define SW_SPARE_CHAIN 64u
#define SW_SPARES_BYTES_MAX (1u << 20) /* Of all sizes. */
#define SW_DEPOT_BYTES_MAX (1u << 20)

struct sw_depot {
    pthread_mutex_t mutex;
    struct sw_message *chains[SW_SPARE_CLASSES]; /* The first ones; the next in its `receiver`. */
    uint32_t bytes;
};

struct sw_spares {
    struct sw_depot *depot;                       /* Borrowed; NULL: there is none. */
    struct sw_message *classes[SW_SPARE_CLASSES]; /* The first ones; the next in item.next. */
    uint32_t bytes;
    uint32_t refused; /* So many times more the depot is not asked, which had no room. */
};

static inline uint32_t sw_spare_bytes(size_t size_class)
{
    return (uint32_t)(sizeof(struct sw_message) + size_class * SW_SPARE_STEP_BYTES);
}

/* Have it come into this processor's caches, to be written; NULL is fine. */
static inline void sw_spare_fetch(const struct sw_item *spare, size_t size_class)
{
#pragma GCC unroll 8
    for (size_t at = 0; at < sizeof(struct sw_message); at += 64)
        __builtin_prefetch((const void *)((uintptr_t)spare + at), 1);
    for (size_t at = sizeof(struct sw_message); at < sw_spare_bytes(size_class); at += 64)
        __builtin_prefetch((const void *)((uintptr_t)spare + at), 1);
}

void sw_depot_init(struct sw_depot *depot);
void sw_depot_done(struct sw_depot *depot);

void sw_spares_done(struct sw_spares *spares);
/* As below, when there is none. */
struct sw_message *sw_spares_miss(struct sw_spares *spares, size_t texts_bytes);
/* Make room for one more of that size: a chain of them goes to the depot, or else those of other
 * sizes give way, or what was much in use once would keep out what is now. False: no room. */
bool sw_spares_give_way(struct sw_spares *spares, size_t size_class);
/* A zeroed message with room for so many bytes of texts behind it, for sw_message_keep. NULL: no
 * memory. */
static inline struct sw_message *sw_spares_take(struct sw_spares *spares, size_t texts_bytes)
{
    size_t size_class = (texts_bytes + SW_SPARE_STEP_BYTES - 1) / SW_SPARE_STEP_BYTES;
    struct sw_message *message;

    if (size_class >= SW_SPARE_CLASSES || spares->classes[size_class] == NULL)
        return sw_spares_miss(spares, texts_bytes);
    message = spares->classes[size_class];
    spares->classes[size_class] = (struct sw_message *)(void *)message->item.next;
    /* The next one may be in another processor's caches, where it was handled. */
    sw_spare_fetch(message->item.next, size_class);
    spares->bytes -= sw_spare_bytes(size_class);
    memset(message, 0, sizeof *message);
    message->item.kind = SW_ITEM_MESSAGE;
    message->size_class = (uint8_t)size_class;
    message->size_bytes = (uint32_t)(sizeof *message + texts_bytes);
    return message;
}
/* As sw_message_new. */
static inline struct sw_message *sw_spares_copy(struct sw_spares *spares,
                                                const struct sw_message *template)
{
    struct sw_message *message = sw_spares_take(spares, sw_message_texts_bytes(template));

    if (message != NULL)
        sw_message_fill(message, template);
    return message;
}
/* Instead of sw_message_free. */
static inline void sw_spares_put(struct sw_spares *spares, struct sw_message *message)
{
    uint32_t size_class = message->size_class;

    if (size_class == 0 || message->shared != NULL ||
        (spares->bytes >= SW_SPARES_BYTES_MAX && !sw_spares_give_way(spares, size_class))) {
        sw_message_free(message);
        return;
    }
    message->item.next = (struct sw_item *)(void *)spares->classes[size_class];
    spares->classes[size_class] = message;
    spares->bytes += sw_spare_bytes(size_class);
}
