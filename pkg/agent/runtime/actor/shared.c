#include "pkg/agent/runtime/actor/shared.h"

#include "pkg/agent/runtime/actor/actor.h"
#include "pkg/agent/runtime/actor/capture.h"
#include "pkg/agent/runtime/actor/image.h"
#include "pkg/agent/runtime/actor/worker.h"
#include "pkg/agent/store/shelf.h"
#include "pkg/utils/base/hash.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES_MAX 1024 /* Larger than the largest namespace, subject and name together. */

enum sw_rc sw_shared_init(struct sw_shared *shared, const struct sw_system *system,
                          const char *fingerprint)
{
    uint64_t seed;
    bool is_ready;

    memset(shared, 0, sizeof *shared);
    shared->system = system;
    do
        system->random(system->ctx, &shared->incarnation, sizeof shared->incarnation);
    while (shared->incarnation == 0);
    system->random(system->ctx, &seed, sizeof seed);
    atomic_init(&shared->next_instance, 1);
    atomic_init(&shared->next_pod, 1);
    atomic_init(&shared->next_letter, 1);
    for (unsigned i = 0; i < SW_ABI_CLASSES; i++)
        sw_abi_record_fingerprint(fingerprint, (enum sw_abi_class)i, shared->fingerprints[i]);
    shared->bus.subscriptions_max = SW_SUBSCRIPTIONS_MAX;
    shared->image_tail = SW_IMAGE_TAIL_RECORDS;
    pthread_mutex_init(&shared->bus.mutex, NULL);
    pthread_mutex_init(&shared->board.mutex, NULL);
    sw_buffer_init(&shared->bus.found, (size_t)SW_SUBSCRIPTIONS_MAX * 16);
    shared->bus.table = sw_pubsub_new(seed);
    shared->bus.subscribers = sw_idmap_new(seed, 8); /* An id ends with its slot. */
    shared->board.map = sw_map_new(seed);
    shared->snapshots = sw_snapshots_new();
    is_ready = sw_specs_init(&shared->specs, seed) == SW_OK;
    is_ready = sw_waits_init(&shared->waits, seed) == SW_OK && is_ready;
    sw_suspects_init(&shared->suspects);
    sw_depot_init(&shared->depot);
    pthread_mutex_init(&shared->room.mutex, NULL);
    sw_slabs_init(&shared->room.slabs);
    is_ready = sw_births_init(&shared->births, seed) == SW_OK && is_ready;
    is_ready = sw_accounts_init(&shared->accounts, seed) == SW_OK && is_ready;
    if (is_ready && shared->snapshots != NULL && shared->bus.table != NULL &&
        shared->bus.subscribers != NULL && shared->board.map != NULL)
        return SW_OK;
    sw_shared_done(shared);
    return SW_E_EXHAUSTED;
}

void sw_shared_done(struct sw_shared *shared)
{
    size_t cursor = 0;
    void *subscriber;

    while (shared->bus.subscribers != NULL &&
           sw_idmap_next(shared->bus.subscribers, &cursor, NULL, &subscriber))
        free(subscriber);
    sw_snapshots_free(shared->snapshots);
    sw_shelf_free(shared->shelf);
    sw_specs_done(&shared->specs);
    sw_idmap_free(shared->bus.subscribers);
    sw_pubsub_free(shared->bus.table);
    sw_map_free(shared->board.map);
    sw_waits_done(&shared->waits);
    sw_births_done(&shared->births);
    sw_accounts_done(&shared->accounts);
    sw_suspects_done(&shared->suspects);
    sw_depot_done(&shared->depot);
    sw_slabs_done(&shared->room.slabs);
    pthread_mutex_destroy(&shared->room.mutex);
    sw_buffer_done(&shared->bus.found);
    sw_requests_free(shared->bus.published);
    pthread_mutex_destroy(&shared->bus.mutex);
    pthread_mutex_destroy(&shared->board.mutex);
}

struct sw_bytes sw_shared_fingerprint(const struct sw_shared *shared, enum sw_abi_class class)
{
    return (struct sw_bytes){shared->fingerprints[class], strlen(shared->fingerprints[class])};
}

bool sw_shared_replays(const struct sw_shared *shared, const struct sw_spec *spec)
{
    return sw_bytes_is_equal(spec->fingerprint, sw_shared_fingerprint(shared, spec->class));
}

uint64_t sw_shared_incarnation(const struct sw_shared *shared, bool is_durable)
{
    uint64_t journal;

    if (!is_durable)
        return shared->incarnation;
    memcpy(&journal, sw_journal_uuid(shared->journal), sizeof journal);
    return journal == 0 ? 1 : journal;
}

/* --- The bus --------------------------------------------------------------------------------- */

/* What becomes a subscription meanwhile is counted twice, never not at all: it is added before it
 * is given back, and looked at in the other order. */
bool sw_bus_reserve(struct sw_bus *bus)
{
    uint64_t reserved = atomic_fetch_add(&bus->reserved, 1) + 1;

    if (reserved + atomic_load(&bus->subscriptions) <= bus->subscriptions_max)
        return true;
    (void)atomic_fetch_sub(&bus->reserved, 1);
    return false;
}

void sw_bus_give_back(struct sw_bus *bus, uint64_t count)
{
    (void)atomic_fetch_sub(&bus->reserved, count);
}

enum sw_rc sw_bus_add(struct sw_bus *bus, const struct sw_subscriber *who, struct sw_bytes space,
                      struct sw_bytes pattern)
{
    struct sw_subscriber *known = sw_idmap_find(bus->subscribers, who->instance);
    struct sw_pubsub_key key = {space, pattern, who->instance};
    enum sw_rc rc;

    if (known == NULL) {
        known = malloc(sizeof *known);
        if (known == NULL)
            return SW_E_EXHAUSTED;
        *known = *who;
        known->count = 0;
        if (sw_idmap_put(bus->subscribers, who->instance, known, NULL) != SW_OK) {
            free(known);
            return SW_E_EXHAUSTED;
        }
    }
    rc = sw_pubsub_add(bus->table, &key);
    if (rc == SW_OK)
        known->count++;
    atomic_store(&bus->subscriptions, sw_pubsub_count(bus->table));
    if (known->count == 0)
        free(sw_idmap_remove(bus->subscribers, who->instance));
    return rc == SW_E_EXISTS ? SW_OK : rc;
}

void sw_bus_remove(struct sw_bus *bus, uint64_t instance, struct sw_bytes space,
                   struct sw_bytes pattern)
{
    struct sw_subscriber *known = sw_idmap_find(bus->subscribers, instance);
    struct sw_pubsub_key key = {space, pattern, instance};

    if (known == NULL || sw_pubsub_remove(bus->table, &key) != SW_OK)
        return;
    atomic_store(&bus->subscriptions, sw_pubsub_count(bus->table));
    if (--known->count == 0)
        free(sw_idmap_remove(bus->subscribers, instance));
}

size_t sw_bus_match(struct sw_bus *bus, struct sw_bytes space, struct sw_bytes subject,
                    const struct sw_subscriber *const **ret_found)
{
    size_t count;

    sw_buffer_reset(&bus->found);
    sw_pubsub_match(bus->table, space, subject, &bus->found);
    count = bus->found.failed ? 0 : bus->found.size / sizeof(uint64_t);
    for (size_t i = 0; i < count; i++) { /* Ids become pointers, in place. */
        const struct sw_subscriber *who;
        uint64_t instance;

        memcpy(&instance, bus->found.data + i * sizeof instance, sizeof instance);
        who = sw_idmap_find(bus->subscribers, instance);
        assert(who != NULL);
        memcpy(bus->found.data + i * sizeof who, &who, sizeof who);
    }
    *ret_found = (const struct sw_subscriber *const *)(const void *)bus->found.data;
    return count;
}

_Static_assert(sizeof(uint64_t) == sizeof(void *), "ids and pointers take the same room");

/* One text of the three; none of them has a line end. */
static struct sw_bytes name_text(const struct sw_publish_name *name, char text[NAME_BYTES_MAX])
{
    int size =
        snprintf(text, NAME_BYTES_MAX, "%.*s\n%.*s\n%.*s", (int)name->space.size,
                 (const char *)name->space.data, (int)name->subject.size,
                 (const char *)name->subject.data, (int)name->id.size, (const char *)name->id.data);

    assert(size > 0 && (size_t)size < NAME_BYTES_MAX);
    return (struct sw_bytes){text, (size_t)size};
}

bool sw_bus_has_published(struct sw_bus *bus, const struct sw_publish_name *name, uint64_t now_ns,
                          uint64_t *ret_subscribers)
{
    char text[NAME_BYTES_MAX];
    struct sw_request_view view;

    if (name->id.size == 0 ||
        !sw_requests_find(bus->published, name_text(name, text), now_ns, &view))
        return false;
    *ret_subscribers = view.value;
    return true;
}

enum sw_rc sw_bus_note_publish(struct sw_bus *bus, const struct sw_publish_name *name,
                               uint64_t time_ns, uint64_t subscribers)
{
    char text[NAME_BYTES_MAX];

    return name->id.size == 0 ? SW_OK
                              : sw_requests_add(&bus->published, name_text(name, text), time_ns,
                                                &(struct sw_request_view){.value = subscribers});
}

/* --- The board ------------------------------------------------------------------------------- */

uint64_t sw_board_key(const uint8_t hash_key[16], struct sw_bytes key)
{
    return sw_siphash(hash_key, key.data, key.size);
}

static uint8_t marks[SW_REFUSING + 1]; /* Values of the board's map: their index counts. */

void sw_board_set(struct sw_board *board, uint64_t key, enum sw_fullness fullness)
{
    void *old = NULL;

    pthread_mutex_lock(&board->mutex);
    if (fullness == SW_NOT_FULL)
        old = sw_map_remove(board->map, &key, sizeof key);
    else if (sw_map_put(board->map, &key, sizeof key, &marks[fullness], &old) != SW_OK)
        fullness = SW_NOT_FULL; /* Without memory it does not push back; queued_bytes still does. */
    atomic_fetch_add(&board->full, (uint32_t)(fullness != SW_NOT_FULL) - (uint32_t)(old != NULL));
    atomic_fetch_add(&board->overfull,
                     (uint32_t)(fullness == SW_OVERFULL) - (uint32_t)(old == &marks[SW_OVERFULL]));
    pthread_mutex_unlock(&board->mutex);
}

enum sw_fullness sw_board_get(struct sw_board *board, uint64_t key)
{
    enum sw_fullness fullness = SW_NOT_FULL;
    const uint8_t *mark;

    if (sw_board_is_clear(board))
        return SW_NOT_FULL;
    pthread_mutex_lock(&board->mutex);
    mark = sw_map_find(board->map, &key, sizeof key);
    if (mark != NULL)
        fullness = (enum sw_fullness)(mark - marks);
    pthread_mutex_unlock(&board->mutex);
    return fullness;
}

bool sw_board_refuses_rate(struct sw_board *board, uint64_t rate_key)
{
    const uint8_t *mark;

    if (sw_board_is_clear(board))
        return false;
    pthread_mutex_lock(&board->mutex);
    mark = sw_map_find(board->map, &rate_key, sizeof rate_key);
    /* It takes the place of a mark: no memory is needed. */
    if (mark == &marks[SW_FULL])
        (void)!sw_map_put(board->map, &rate_key, sizeof rate_key, &marks[SW_REFUSING], NULL);
    pthread_mutex_unlock(&board->mutex);
    return mark != NULL;
}
