/* A keeper of histories from within; seen by keeper.c and keeper_write.c, and by the simulator.
 *
 * Threads, I/O, Limits: as keeper.h. */
#pragma once
#include "pkg/agent/runtime/actor/keeper.h"

struct keeper_agent { /* Who keeps a history. */
    uint64_t hash;    /* sw_history_agent of its uid. */
    uint64_t generation;
    struct sw_history_policy policy;
    uint8_t uid[64], uid_size;
    char name[64];              /* For words. */
    struct sw_account *account; /* Only while Agents are noted. */
    bool has_no_room;           /* The quota has none: what it does is a gap. */
};

struct keeper_file { /* Of history, on the disk. */
    struct sw_history_name name;
    uint64_t bytes, turns, first_ns, last_ns;
    struct sw_buffer modules; /* As struct sw_snapshot_history has them. */
};

struct sw_keeper {
    struct keeper_agent *agents; /* By hash. */
    size_t agents_count;
    bool (*goes_on)(void *ctx);
    void *ctx;
    char words[SW_SNAPSHOT_WORDS_MAX]; /* What went wrong first; "": nothing did. */
    uint32_t troubles;

    pthread_mutex_t mutex;     /* Guards what follows; files are changed by one thread only. */
    struct keeper_file *files; /* By Agent, ascending. */
    size_t files_count, files_room;
    bool is_loaded, is_awaited;
};

/* --- keeper.c -------------------------------------------------------------------------------- */

/* NULL: it keeps none. */
const struct keeper_agent *sw_keeper_agent(const struct sw_keeper *keeper, uint64_t hash);
/* It went wrong: words are told later, those of the first. */
void sw_keeper_tell(struct sw_keeper *keeper, const char *words);
/* The files of an Agent: from *ret_first on, so many. */
size_t sw_keeper_files(const struct sw_keeper *keeper, uint64_t agent, size_t *ret_first);
/* Know what files there are, from here on. */
SW_MUST_CHECK enum sw_rc sw_keeper_load(struct sw_shared *shared, const char *folder,
                                        struct sw_err *err);
/* A file has come; its modules are taken over.  SW_E_EXHAUSTED: no memory, or too many. */
SW_MUST_CHECK enum sw_rc sw_keeper_add(struct sw_keeper *keeper, struct keeper_file *file);
/* Remove so many files, of one Agent. */
void sw_keeper_remove(struct sw_shared *shared, const char *folder, size_t first, size_t count);
size_t sw_keeper_modules(const struct sw_buffer *modules); /* How many a list has. */
/* Add the digests of one list to the other, each once. False: there are too many, or no memory. */
bool sw_keeper_join(struct sw_buffer *modules, struct sw_bytes others);
