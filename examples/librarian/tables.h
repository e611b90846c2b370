/* The librarian's two hash tables: how many documents have a word, and which readers it knows.
 *
 * Both probe linearly and double when three quarters are used; the old half stays behind in memory
 * that only grows, which costs at most as much again. */
#pragma once
#include "room.h"
#include "wire.h"

#define TABLE_BEGIN 1024u

struct frequency { /* hash 0: a free place. A word that no document has any more keeps its place. */
    uint32_t hash, documents;
};

struct frequencies {
    struct frequency *places;
    uint32_t capacity, used;
};

struct reader {      /* One whose words are counted. */
    uint64_t key;    /* Hash of its name; 0: a free place. */
    uint64_t since;  /* The first question whose answer it owes. */
    uint32_t length; /* Of its document, in words. */
    bool is_gone;    /* The place was used. */
};

struct readers {
    struct reader *places;
    uint32_t capacity, used; /* used counts those that are gone too. */
};

/* Memory from the bottom of the room, zeroed, never given back; NULL when there is none. */
static inline void *room_take(uint8_t **room, size_t size)
{
    uint8_t *start = room_align(*room == NULL ? room_base() : *room);

    if (!room_reach(start + size))
        return NULL;
    *room = start + size;
    __builtin_memset(start, 0, size);
    return start;
}

/* --- Words -------------------------------------------------------------------------------------
 */

static inline struct frequency *frequency_place(const struct frequencies *table, uint32_t hash)
{
    uint32_t at = hash & (table->capacity - 1);

    while (table->places[at].hash != 0 && table->places[at].hash != hash)
        at = (at + 1) & (table->capacity - 1);
    return &table->places[at];
}

static inline bool frequencies_grow(struct frequencies *table, uint8_t **room)
{
    uint32_t capacity = table->capacity == 0 ? TABLE_BEGIN : table->capacity * 2;
    struct frequencies grown = {.capacity = capacity};

    grown.places = room_take(room, (size_t)capacity * sizeof *grown.places);
    if (grown.places == NULL)
        return false;
    for (uint32_t i = 0; i < table->capacity; i++)
        if (table->places[i].documents > 0) {
            *frequency_place(&grown, table->places[i].hash) = table->places[i];
            grown.used++;
        }
    *table = grown;
    return true;
}

/* Room for `count` further words; false when memory is out. */
static inline bool frequencies_reserve(struct frequencies *table, uint32_t count, uint8_t **room)
{
    while ((uint64_t)table->used + count > (uint64_t)table->capacity / 4 * 3)
        if (!frequencies_grow(table, room))
            return false;
    return true;
}

/* After frequencies_reserve. */
static inline void frequencies_add(struct frequencies *table, uint32_t hash)
{
    struct frequency *place = frequency_place(table, hash);

    table->used += place->hash == 0;
    place->hash = hash;
    place->documents++;
}

static inline void frequencies_remove(struct frequencies *table, uint32_t hash)
{
    struct frequency *place = frequency_place(table, hash);

    if (place->documents > 0)
        place->documents--;
}

static inline uint32_t frequencies_find(const void *ctx, uint32_t hash)
{
    const struct frequencies *table = ctx;

    return table->capacity == 0 ? 0 : frequency_place(table, hash)->documents;
}

/* --- Readers -----------------------------------------------------------------------------------
 */

static inline uint64_t reader_key(const char *name, uint32_t size)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (uint32_t i = 0; i < size; i++)
        hash = (hash ^ (uint8_t)name[i]) * UINT64_C(1099511628211);
    hash = (hash ^ (hash >> 32)) * UINT64_C(0xd6e8feb86659fd93);
    hash ^= hash >> 32;
    return hash == 0 ? 1 : hash;
}

static inline struct reader *reader_place(const struct readers *table, uint64_t key)
{
    uint32_t at = (uint32_t)key & (table->capacity - 1);

    while (table->places[at].key != 0 && table->places[at].key != key)
        at = (at + 1) & (table->capacity - 1);
    return &table->places[at];
}

/* The reader, or NULL when its words are not counted. */
static inline struct reader *readers_find(const struct readers *table, uint64_t key)
{
    struct reader *place = table->capacity == 0 ? NULL : reader_place(table, key);

    return place == NULL || place->key == 0 || place->is_gone ? NULL : place;
}

static inline bool readers_grow(struct readers *table, uint8_t **room)
{
    uint32_t capacity = table->capacity == 0 ? TABLE_BEGIN : table->capacity * 2;
    struct readers grown = {.capacity = capacity};

    grown.places = room_take(room, (size_t)capacity * sizeof *grown.places);
    if (grown.places == NULL)
        return false;
    for (uint32_t i = 0; i < table->capacity; i++)
        if (table->places[i].key != 0 && !table->places[i].is_gone) {
            *reader_place(&grown, table->places[i].key) = table->places[i];
            grown.used++;
        }
    *table = grown;
    return true;
}

/* Its place, in use from now on; NULL when memory is out. */
static inline struct reader *readers_add(struct readers *table, uint64_t key, uint8_t **room)
{
    struct reader *place;

    if (table->used + 1 > table->capacity / 4 * 3 && !readers_grow(table, room))
        return NULL;
    place = reader_place(table, key);
    table->used += place->key == 0;
    *place = (struct reader){.key = key};
    return place;
}
