/* What the files of pkg/store/memory share: the skip list of keys, their versions, history,
 * watches. Threads, I/O, limits: memory.h. */
#pragma once
#include "pkg/store/memory/memory.h"
#include "pkg/utils/base/list.h"

#define LEVELS_MAX 20 /* Each level holds a quarter of the one below: enough for 4^20 keys. */

struct version {
    struct sw_store_item *item; /* One reference. */
    struct version *older;      /* Owned; NULL when there was none or it is compacted. */
};

struct node {               /* One key that exists, or whose deletion is still in history. */
    struct version *newest; /* Owned, never NULL; names the key. */
    unsigned levels;
    struct node *next[];
};

struct keys { /* Skip list (Pugh 1990) ordered by bytes of the key. */
    struct node *first[LEVELS_MAX];
    uint64_t random;
};

struct change { /* One entry of history. */
    struct node *node;
    struct version *version;
};

struct history {            /* Ring of changes, oldest first; sequence numbers never wrap. */
    struct change *changes; /* Owned; capacity is a power of two. */
    size_t capacity;
    uint64_t begin, end; /* Sequence numbers of the oldest kept and of the next to come. */
    size_t bytes;
};

struct sw_store_watch {
    struct sw_list link;
    struct sw_store_watcher watcher;
    uint64_t next;     /* Sequence number of the next change to look at. */
    uint64_t progress; /* All changes up to it have been shown. */
    bool is_announced; /* progress was told since the start or the last resume. */
    bool is_paused, is_stopped;
    size_t prefix_size;
    char prefix[];
};

struct sw_memory {
    struct sw_store_limits limits;
    struct keys keys;
    struct history history;
    struct sw_list watches;
    size_t items, watches_count;
    uint64_t revision, compacted_revision;
    uint64_t compact_wanted; /* A compaction asked for while watches were being served. */
    bool is_dispatching;
};

/* The first node whose key is not less than key, or NULL. */
struct node *sw_memory_keys_seek(const struct keys *keys, const char *key);
/* The node of exactly this key, or NULL. */
struct node *sw_memory_keys_find(const struct keys *keys, const char *key);
/* Add a node for version, whose key is absent; NULL when memory is out. */
struct node *sw_memory_keys_add(struct keys *keys, struct version *version);
/* Unlink and free a node with all its versions. */
void sw_memory_keys_remove(struct keys *keys, struct node *node);
void sw_memory_version_free(struct version *version); /* And all older ones. */

/* SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_memory_history_add(struct history *history, struct change change);
const struct change *sw_memory_history_at(const struct history *history, uint64_t sequence);
/* The sequence number of the first kept change after `revision`. */
uint64_t sw_memory_history_after(const struct history *history, uint64_t revision);
/* Drop the oldest changes while they are over the limits or not above `revision`, whole revisions
 * at a time, with what only they needed. */
void sw_memory_history_trim(struct sw_memory *memory, uint64_t revision);
/* End all watches with SW_E_UNAVAILABLE. */
void sw_memory_watches_done(struct sw_memory *memory);
