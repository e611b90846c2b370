/* All files of a journal's folder as a crash at one moment would leave them, held open, while the
 * host writes on: what a backup copies.
 *
 *     sw_cut_new:  read all, which may take long    sw_cut_move:  read what came since
 *     +---------------------------------------------+------------+- - the host goes on
 *     journal                                  the cut was here  and is here
 *
 * A cut is the end of a complete epoch, so what is held is what recovery would find: the journal
 * up to there, the snapshot that its last SNAPSHOT record names, that of the record before while it
 * is there, and the shelves; and files of history, as far as they are of what was before the cut.
 * The host may remove each of them meanwhile: an open file stays. Nothing here changes a file.
 * Of a journal whose records are not those of agents (the ledger's) it is the segments that there
 * are, and nothing else.
 * Threads: one at a time.  I/O: through struct sw_system.
 * Limits: SW_CUT_EPOCH_MAX, SW_CUT_OTHERS_MAX, SW_CUT_NAMES_MAX; a file is open for each segment,
 * shelf and file of history. */
#pragma once
#include "pkg/agent/store/journal.h"

#include <stdatomic.h>

#define SW_CUT_EPOCH_MAX (512u << 20)
#define SW_CUT_OTHERS_MAX 81920u /* Shelves and files of history. */
#define SW_CUT_NAMES_MAX 200000u /* In the folder, whatever they are. */
#define SW_CUT_NAME_MAX 72u

struct sw_cut; /* Opaque. */

enum sw_cut_kind {
    SW_CUT_OF_AGENTS,
    SW_CUT_OF_OTHERS /* Whatever the records say, segments are all there is to it. */
};

struct sw_cut_file {
    char name[SW_CUT_NAME_MAX]; /* In the folder. */
    int file;                   /* Open for reading; the cut's. */
    uint64_t size_bytes;        /* What counts of it; of a shelf at least that. */
};

struct sw_cut_view {
    uint8_t uuid[16];
    uint64_t lsn, epoch;  /* Of the cut; epoch 0: there is none yet. */
    uint64_t moved_bytes; /* By the last move. */
};

/* Read a journal of that kind and hold its files. *is_cancelled is borrowed as long as the cut;
 * once it is true whatever reads ends with SW_E_CANCELLED. SW_E_NOT_FOUND    there is no journal
 * (yet) SW_E_UNAVAILABLE  its files come and go too fast to be held others            as
 * sw_journal_scan */
SW_MUST_CHECK enum sw_rc sw_cut_new(const struct sw_system *system, const char *folder,
                                    enum sw_cut_kind kind, const _Atomic bool *is_cancelled,
                                    struct sw_cut **ret_cut, struct sw_err *err);
/* Move the cut to the present end, reading at most bytes_max of the journal (0: any number), and
 * hold what counts there. After an error the cut can only be freed.
 * SW_E_RANGE: more has come. Others as sw_cut_new. */
SW_MUST_CHECK enum sw_rc sw_cut_move(struct sw_cut *cut, uint64_t bytes_max, struct sw_err *err);
void sw_cut_free(struct sw_cut *cut);
SW_DEFINE_CLEANUP(struct sw_cut, sw_cut_free)

void sw_cut_view(const struct sw_cut *cut, struct sw_cut_view *ret_view);
const char *sw_cut_folder(const struct sw_cut *cut);
/* How many files are held, and each: segments in order, the snapshot, the others. */
size_t sw_cut_count(const struct sw_cut *cut);
void sw_cut_file(const struct sw_cut *cut, size_t index, struct sw_cut_file *ret_file);
