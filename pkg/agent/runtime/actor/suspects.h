/* What was being handled when the host crashed: a message or timer that takes the whole process
 * down (a bug of the engine) would come again after each restart, for ever.
 *
 *     worker notes what it enters --crash--> the next host counts it --third crash--> parked
 *
 * The notes stand in memory that outlives the process (a mapped file of the host's folder; swarmd
 * says whether the last host crashed or was killed). Whatever ran beside the culprit is suspected
 * as well, so suspects run one at a time from then on: the next crash finds only one of them.
 * What has no name in the journal, such as a client's message, does not come again and is not
 * noted; but an instance that starts does: it is named by its Pod, key and module. So do the end of
 * a wait, the last words of an instance, its upgrade and the rebuilding of its memory, which are
 * named by the instance.
 *
 * Threads: a note belongs to its worker; finding is for any; the lock is "suspects" of
 * docs/LOCKS.md.  I/O: none.  Limits: SW_SUSPECTS_MAX; one more replaces the one with the fewest
 * crashes. */
#pragma once
#include "pkg/utils/base/buffer.h"

#include <pthread.h>

#define SW_SUSPECTS_MAX 64u
#define SW_SUSPECT_CRASHES_MAX 3u /* So many, and it is not entered any more. */
#define SW_NOTES_MAX 256u         /* Of as many workers: what they run. */

#define SW_NOTE_OF_START UINT64_MAX
#define SW_NOTE_OF_WAIT (UINT64_MAX - 1)    /* index: which. */
#define SW_NOTE_OF_UPGRADE (UINT64_MAX - 2) /* index: to which spec. */
#define SW_NOTE_OF_STOP (UINT64_MAX - 3)
#define SW_NOTE_OF_REBUILD (UINT64_MAX - 4) /* index: the last record. */

struct sw_note {         /* An input by its name; zeroed: nothing that has one. */
    uint64_t lsn, index; /* The effect that sent it. */
    uint64_t instance;   /* Whose it is, where that is not clear. Of a start: its name. */
    uint64_t timer;      /* Or SW_NOTE_OF_... */
    uint64_t since;      /* The record by which it came to be; 0: it was there before. */
    uint64_t apart[3];   /* Zero. Each worker writes its own with each input: no line is shared. */
};

struct sw_suspect {
    struct sw_note note;
    uint64_t crashes; /* 0: this place is free. */
};

struct sw_notes { /* As the file has it; of one build and machine, so in its own byte order. */
    uint32_t magic, version;
    uint64_t apart[7];
    struct sw_note running[SW_NOTES_MAX];
    struct sw_suspect suspects[SW_SUSPECTS_MAX];
};

struct sw_suspects {
    struct sw_notes *notes; /* Borrowed; NULL: nothing is noted. */
    size_t count;           /* Of suspects. */
    pthread_mutex_t mutex;  /* Held while a suspect runs. */
};

void sw_suspects_init(struct sw_suspects *suspects);
void sw_suspects_done(struct sw_suspects *suspects);
/* First of all in a new host, so that a fault before anything runs accuses nobody: take the notes
 * that the last one left, or zeroes, suspect what ran when it crashed, and begin anew. */
void sw_notes_settle(struct sw_notes *notes, bool has_crashed);
/* After a recovery that found the journal to end there: what came to be behind that has never been,
 * and its name is given to something else. It is not suspected of the last crash. */
void sw_suspects_recovered(struct sw_suspects *suspects, uint64_t end_lsn);
/* Before anything runs: use these notes, and keep them up to date from then on. */
void sw_suspects_begin(struct sw_suspects *suspects, struct sw_notes *notes);
/* A clean stop: nobody is suspected any more. */
void sw_suspects_end(struct sw_suspects *suspects);
/* In how many crashes it was running. */
uint64_t sw_suspects_find(const struct sw_suspects *suspects, const struct sw_note *note);
