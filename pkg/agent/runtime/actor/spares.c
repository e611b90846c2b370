#include "pkg/agent/runtime/actor/spares.h"

#include <stdlib.h>
#include <string.h>

static struct sw_message *next_of(const struct sw_message *message)
{
    return (struct sw_message *)(void *)message->item.next;
}

/* --- The depot ------------------------------------------------------------------------------- */

static uint32_t chain_bytes(size_t size_class)
{
    return SW_SPARE_CHAIN * sw_spare_bytes(size_class);
}

/* The link from a chain to the next: a field of its first message that means nothing there. */
static struct sw_message *link_of(const struct sw_message *chain)
{
    return (struct sw_message *)(void *)chain->receiver;
}

void sw_depot_init(struct sw_depot *depot)
{
    memset(depot, 0, sizeof *depot);
    pthread_mutex_init(&depot->mutex, NULL);
}

static struct sw_message *unlink_first(struct sw_depot *depot, size_t size_class)
{
    struct sw_message *chain = depot->chains[size_class];

    if (chain == NULL)
        return NULL;
    depot->chains[size_class] = link_of(chain);
    depot->bytes -= chain_bytes(size_class);
    return chain;
}

/* A chain that has to go for one more of that size: of another one, the largest first.  NULL: they
 * are all of that size. */
static struct sw_message *unlink_other(struct sw_depot *depot, size_t size_class)
{
    struct sw_message *chain = NULL;

    for (size_t other = SW_SPARE_CLASSES - 1; other > 0 && chain == NULL; other--)
        if (other != size_class)
            chain = unlink_first(depot, other);
    return chain;
}

static void chain_free(struct sw_message *chain)
{
    while (chain != NULL) {
        struct sw_message *next = next_of(chain);

        free(chain);
        chain = next;
    }
}

/* False: it has no room. */
static bool depot_put(struct sw_depot *depot, size_t size_class, struct sw_message *chain)
{
    struct sw_message *other = chain;
    bool has_room = false;

    while (!has_room && other != NULL) {
        pthread_mutex_lock(&depot->mutex);
        has_room = depot->bytes + chain_bytes(size_class) <= SW_DEPOT_BYTES_MAX;
        other = has_room ? NULL : unlink_other(depot, size_class);
        if (has_room) {
            chain->receiver = (struct sw_instance *)(void *)depot->chains[size_class];
            depot->chains[size_class] = chain;
            depot->bytes += chain_bytes(size_class);
        }
        pthread_mutex_unlock(&depot->mutex);
        chain_free(other);
    }
    return has_room;
}

static struct sw_message *depot_take(struct sw_depot *depot, size_t size_class)
{
    struct sw_message *chain;

    pthread_mutex_lock(&depot->mutex);
    chain = unlink_first(depot, size_class);
    pthread_mutex_unlock(&depot->mutex);
    return chain;
}

void sw_depot_done(struct sw_depot *depot)
{
    for (size_t i = 0; i < SW_SPARE_CLASSES; i++) {
        struct sw_message *chain;

        while ((chain = depot_take(depot, i)) != NULL)
            chain_free(chain);
    }
    pthread_mutex_destroy(&depot->mutex);
}

/* --- Those of a worker ----------------------------------------------------------------------- */

static struct sw_message *make(size_t texts_bytes)
{
    size_t size_class = (texts_bytes + SW_SPARE_STEP_BYTES - 1) / SW_SPARE_STEP_BYTES;
    size_t room = size_class < SW_SPARE_CLASSES ? size_class * SW_SPARE_STEP_BYTES : texts_bytes;
    struct sw_message *message = malloc(sizeof *message + room);

    if (message == NULL)
        return NULL;
    memset(message, 0, sizeof *message);
    message->item.kind = SW_ITEM_MESSAGE;
    message->size_class = size_class < SW_SPARE_CLASSES ? (uint8_t)size_class : 0;
    message->size_bytes = (uint32_t)(sizeof *message + texts_bytes);
    return message;
}

struct sw_message *sw_spares_miss(struct sw_spares *spares, size_t texts_bytes)
{
    size_t size_class = (texts_bytes + SW_SPARE_STEP_BYTES - 1) / SW_SPARE_STEP_BYTES;

    if (spares->depot == NULL || size_class == 0 || size_class >= SW_SPARE_CLASSES)
        return make(texts_bytes);
    spares->classes[size_class] = depot_take(spares->depot, size_class);
    if (spares->classes[size_class] == NULL)
        return make(texts_bytes);
    spares->bytes += chain_bytes(size_class);
    return sw_spares_take(spares, texts_bytes);
}

static void spare_free(struct sw_spares *spares, size_t size_class)
{
    struct sw_message *message = spares->classes[size_class];

    spares->classes[size_class] = next_of(message);
    spares->bytes -= sw_spare_bytes(size_class);
    free(message);
}

/* Have a chain of those that were put last go to the depot: they may be in a cache still. Where
 * there are too few, or the depot is full of them, it is not tried again for a while. */
static void hand_over(struct sw_spares *spares, size_t size_class)
{
    struct sw_message *first = spares->classes[size_class], *last = first;
    uint32_t count = 1;

    if (spares->refused > 0) {
        spares->refused--;
        return;
    }
    for (; last != NULL && count < SW_SPARE_CHAIN; count++)
        last = next_of(last);
    spares->refused = SW_SPARE_CHAIN;
    if (last == NULL)
        return;
    spares->classes[size_class] = next_of(last);
    last->item.next = NULL;
    if (depot_put(spares->depot, size_class, first)) {
        spares->bytes -= chain_bytes(size_class);
        spares->refused = 0;
        return;
    }
    last->item.next = (struct sw_item *)(void *)spares->classes[size_class];
    spares->classes[size_class] = first;
}

bool sw_spares_give_way(struct sw_spares *spares, size_t size_class)
{
    if (spares->depot != NULL)
        hand_over(spares, size_class);
    for (size_t other = SW_SPARE_CLASSES - 1; other > 0; other--)
        while (other != size_class && spares->classes[other] != NULL &&
               spares->bytes >= SW_SPARES_BYTES_MAX)
            spare_free(spares, other);
    return spares->bytes < SW_SPARES_BYTES_MAX;
}

void sw_spares_done(struct sw_spares *spares)
{
    for (size_t i = 0; i < SW_SPARE_CLASSES; i++) {
        chain_free(spares->classes[i]);
        spares->classes[i] = NULL;
    }
    spares->bytes = spares->refused = 0;
}
