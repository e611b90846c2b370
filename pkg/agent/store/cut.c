#include "pkg/agent/store/cut.h"

#include "pkg/agent/store/history.h"
#include "pkg/agent/store/record.h"
#include "pkg/agent/store/segment.h"
#include "pkg/agent/store/shelf.h"
#include "pkg/agent/store/snapshot.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES_MAX 16 /* A host takes no snapshots so fast that this would not do. */

struct held { /* A snapshot, a shelf or a file of history. */
    char name[SW_CUT_NAME_MAX];
    int file;
    uint64_t size_bytes;
};

struct sw_cut {
    const struct sw_system *system;
    enum sw_cut_kind kind;
    const _Atomic bool *is_cancelled;
    struct sw_segment_walk walk;
    struct held snapshot; /* file -1: the journal goes back to its birth. */
    struct held *others;  /* Shelves, files of history, the snapshot before. */
    size_t others_count;
    struct sw_record_snapshot named; /* By the last record of one; bytes 0: none. */
    uint64_t named_count;
    char named_file[SW_SNAPSHOT_NAME_MAX];
    char before_file[SW_SNAPSHOT_NAME_MAX]; /* Of the one before; "": there was none. */
    uint64_t moved_bytes;
    char folder[SW_PATH_MAX];
};

static void held_close(const struct sw_cut *cut, struct held *held)
{
    if (held->file >= 0)
        cut->system->file_close(cut->system->ctx, held->file);
    held->file = -1;
}

static void others_close(struct sw_cut *cut)
{
    for (size_t i = 0; i < cut->others_count; i++)
        held_close(cut, &cut->others[i]);
    cut->others_count = 0;
}

/* Open a file of the folder by its name. A host that was taken over by a guest may have left other
 * things there.  SW_E_UNAVAILABLE: it has gone. */
static enum sw_rc held_open(const struct sw_cut *cut, const char *name, struct held *ret_held,
                            struct sw_err *err)
{
    const struct sw_system *system = cut->system;
    char path[SW_PATH_MAX + SW_CUT_NAME_MAX];
    struct sw_file_view view = {0};
    enum sw_rc rc;

    (void)snprintf(path, sizeof path, "%s/%s", cut->folder, name);
    rc = system->path_view(system->ctx, path, &view, err);
    if (rc == SW_OK && (!view.is_regular || view.is_link))
        return sw_err_set(err, SW_E_CORRUPT, "%.300s is no file", path);
    if (rc == SW_OK)
        rc = system->file_open(system->ctx, path, SW_FILE_READ, &ret_held->file, err);
    if (rc == SW_E_NOT_FOUND)
        return sw_err_set(err, SW_E_UNAVAILABLE, "%.300s was removed meanwhile", path);
    if (rc != SW_OK)
        return rc;
    (void)snprintf(ret_held->name, sizeof ret_held->name, "%s", name);
    ret_held->size_bytes = view.size_bytes;
    return SW_OK;
}

/* --- What the journal names ------------------------------------------------------------------ */

static enum sw_rc note_record(void *ctx, const struct sw_journal_entry *entry, struct sw_err *err)
{
    struct sw_cut *cut = ctx;
    struct sw_record record;
    enum sw_rc rc;

    if (atomic_load_explicit(cut->is_cancelled, memory_order_relaxed))
        return sw_err_set(err, SW_E_CANCELLED, "nobody wants the journal any more");
    if (cut->kind == SW_CUT_OF_OTHERS || entry->record.size == 0 ||
        *(const uint8_t *)entry->record.data != SW_RECORD_SNAPSHOT)
        return SW_OK;
    rc = sw_record_take(entry->record, &record, err);
    if (rc != SW_OK)
        return rc;
    cut->named = record.snapshot;
    cut->named.file = (struct sw_bytes){NULL, 0}; /* Borrowed for the visit. */
    if (cut->named_count++ > 0)
        memcpy(cut->before_file, cut->named_file, sizeof cut->before_file);
    sw_snapshot_name(record.snapshot.lsn, cut->named_file);
    return SW_OK;
}

static enum sw_rc walk_on(struct sw_cut *cut, uint64_t bytes_max, struct sw_err *err)
{
    const struct sw_segment_place place = {.system = cut->system,
                                           .folder = cut->folder,
                                           .bytes_max = bytes_max,
                                           .epoch_max = SW_CUT_EPOCH_MAX};

    return sw_segment_walk_on(&place, note_record, cut, &cut->walk, err);
}

static enum sw_rc hold_snapshot(struct sw_cut *cut, struct sw_err *err)
{
    enum sw_rc rc;

    if (cut->named.bytes == 0)
        return SW_OK;
    if (cut->snapshot.file >= 0 && strcmp(cut->snapshot.name, cut->named_file) == 0)
        return SW_OK;
    held_close(cut, &cut->snapshot);
    rc = held_open(cut, cut->named_file, &cut->snapshot, err);
    if (rc == SW_OK && cut->snapshot.size_bytes < cut->named.bytes)
        rc = sw_err_set(err, SW_E_CORRUPT, "%.300s/%s is shorter than the journal says",
                        cut->folder, cut->named_file);
    cut->snapshot.size_bytes = cut->named.bytes;
    return rc;
}

struct others {
    struct sw_cut *cut;
    size_t names; /* Seen. */
    enum sw_rc rc;
    struct sw_err *err;
};

/* Whether it is of the cut: what is kept of records behind it is another future's. The snapshot
 * before the last one is there as long as the history of what was between them is not kept yet:
 * that is done at the next start, with it. */
static bool is_of_cut(const struct sw_cut *cut, const char *name)
{
    struct sw_history_name history;
    char check[SW_SHELF_NAME_MAX];
    unsigned number;
    bool is_draft;

    if (sw_history_name_take(name, &history, &is_draft))
        return !is_draft && history.to <= cut->walk.report.end_lsn;
    if (cut->before_file[0] != 0 && strcmp(name, cut->before_file) == 0)
        return true;
    if (sscanf(name, "shelf-%8x.shelf", &number) != 1)
        return false;
    sw_shelf_name(number, check);
    return strcmp(name, check) == 0;
}

static bool hold_other(void *ctx, const char *name)
{
    struct others *others = ctx;
    struct sw_cut *cut = others->cut;
    struct held *grown;

    if (++others->names > SW_CUT_NAMES_MAX) {
        others->rc = sw_err_set(others->err, SW_E_EXHAUSTED,
                                "%.300s has more files than a journal needs", cut->folder);
        return false;
    }
    if (!is_of_cut(cut, name))
        return true;
    grown = cut->others_count == SW_CUT_OTHERS_MAX
                ? NULL
                : realloc(cut->others, (cut->others_count + 1) * sizeof *grown);
    if (grown == NULL) {
        others->rc =
            sw_err_set(others->err, SW_E_EXHAUSTED, "%.300s has too many files", cut->folder);
        return false;
    }
    cut->others = grown;
    others->rc = held_open(cut, name, &grown[cut->others_count], others->err);
    cut->others_count += others->rc == SW_OK;
    return others->rc == SW_OK;
}

static enum sw_rc hold_others(struct sw_cut *cut, struct sw_err *err)
{
    struct others others = {.cut = cut, .err = err};
    enum sw_rc rc;

    if (cut->kind == SW_CUT_OF_OTHERS)
        return SW_OK;
    others_close(cut);
    rc = cut->system->folder_list(cut->system->ctx, cut->folder, hold_other, &others, err);
    return rc == SW_OK ? others.rc : rc;
}

/* --- The cut --------------------------------------------------------------------------------- */

/* What a snapshot names is removed only when a later one is named in the journal. So if the journal
 * names the same one before and after its files were opened, they are those of the cut. */
static enum sw_rc move_once(struct sw_cut *cut, uint64_t bytes_max, bool *ret_is_still,
                            struct sw_err *err)
{
    enum sw_rc rc = walk_on(cut, bytes_max, err);
    uint64_t named = cut->named_count;

    if (rc == SW_OK)
        rc = hold_snapshot(cut, err);
    if (rc == SW_OK)
        rc = hold_others(cut, err);
    if (rc == SW_OK)
        rc = walk_on(cut, bytes_max, err);
    *ret_is_still = rc == SW_OK && named == cut->named_count;
    return rc;
}

/* Whether neither the journal's birth nor a snapshot stands for what was before it. What others
 * leave out at the beginning is theirs to know. */
static bool is_headless(const struct sw_cut *cut)
{
    uint64_t base = cut->walk.segments[0].base_lsn;

    if (cut->kind == SW_CUT_OF_OTHERS)
        return false;
    return cut->named.bytes == 0 ? base != SW_JOURNAL_BIRTH_LSN : base > cut->named.lsn;
}

enum sw_rc sw_cut_move(struct sw_cut *cut, uint64_t bytes_max, struct sw_err *err)
{
    uint64_t begin = cut->walk.report.end_lsn;
    bool is_still = false;
    enum sw_rc rc = SW_E_UNAVAILABLE;

    for (int i = 0; i < TRIES_MAX && !is_still && (rc == SW_OK || rc == SW_E_UNAVAILABLE); i++)
        rc = move_once(cut, bytes_max, &is_still, err);
    if (rc == SW_OK && !is_still)
        rc = sw_err_set(err, SW_E_UNAVAILABLE, "%.300s: snapshots come faster than they are read",
                        cut->folder);
    if (rc == SW_OK && (cut->walk.count == 0 || cut->walk.report.end_lsn == 0))
        rc = sw_err_set(err, SW_E_NOT_FOUND, "no journal in %.300s", cut->folder);
    if (rc == SW_OK && is_headless(cut))
        rc = sw_err_set(err, SW_E_CORRUPT, "%.300s: the journal's beginning is missing",
                        cut->folder);
    cut->moved_bytes = cut->walk.report.end_lsn - begin;
    return rc;
}

/* The first segments may be removed while they are to be opened: then there are others. */
static enum sw_rc begin(struct sw_cut *cut, struct sw_err *err)
{
    enum sw_rc rc = SW_E_UNAVAILABLE;

    for (int i = 0; i < TRIES_MAX && rc == SW_E_UNAVAILABLE; i++) {
        sw_segment_walk_done(cut->system, &cut->walk);
        memset(&cut->walk, 0, sizeof cut->walk);
        cut->named = (struct sw_record_snapshot){.bytes = 0};
        cut->named_count = 0;
        cut->before_file[0] = 0;
        rc = walk_on(cut, 0, err);
    }
    return rc == SW_OK ? sw_cut_move(cut, 0, err) : rc;
}

enum sw_rc sw_cut_new(const struct sw_system *system, const char *folder, enum sw_cut_kind kind,
                      const _Atomic bool *is_cancelled, struct sw_cut **ret_cut, struct sw_err *err)
{
    SW_CLEANUP(sw_cut_freep) struct sw_cut *cut = calloc(1, sizeof *cut);
    enum sw_rc rc;

    if (cut == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to hold a journal");
    cut->system = system;
    cut->kind = kind;
    cut->is_cancelled = is_cancelled;
    cut->snapshot.file = -1;
    if (strlen(folder) >= sizeof cut->folder - SW_CUT_NAME_MAX)
        return sw_err_set(err, SW_E_INVALID, "the journal's path is too long");
    memcpy(cut->folder, folder, strlen(folder) + 1);
    rc = begin(cut, err);
    if (rc == SW_OK)
        *ret_cut = SW_TAKE(cut);
    return rc;
}

void sw_cut_free(struct sw_cut *cut)
{
    if (cut == NULL)
        return;
    sw_segment_walk_done(cut->system, &cut->walk);
    held_close(cut, &cut->snapshot);
    others_close(cut);
    free(cut->others);
    free(cut);
}

void sw_cut_view(const struct sw_cut *cut, struct sw_cut_view *ret_view)
{
    const struct sw_journal_report *report = &cut->walk.report;

    *ret_view = (struct sw_cut_view){
        .lsn = report->end_lsn, .epoch = report->last_epoch, .moved_bytes = cut->moved_bytes};
    memcpy(ret_view->uuid, report->uuid, sizeof ret_view->uuid);
}

const char *sw_cut_folder(const struct sw_cut *cut)
{
    return cut->folder;
}

size_t sw_cut_count(const struct sw_cut *cut)
{
    return cut->walk.count + (cut->snapshot.file >= 0) + cut->others_count;
}

static void segment_view(const struct sw_cut *cut, size_t index, struct sw_cut_file *ret_file)
{
    const struct sw_segment_walk *walk = &cut->walk;
    uint64_t base = walk->segments[index].base_lsn;
    uint64_t end =
        index + 1 < walk->count ? walk->segments[index + 1].base_lsn : walk->report.end_lsn;

    (void)snprintf(ret_file->name, sizeof ret_file->name, "journal-%016" PRIx64 ".seg", base);
    ret_file->file = walk->segments[index].file;
    ret_file->size_bytes = SW_SEGMENT_HEAD_BYTES + (end - base);
}

void sw_cut_file(const struct sw_cut *cut, size_t index, struct sw_cut_file *ret_file)
{
    const struct held *held = &cut->snapshot;

    if (index < cut->walk.count) {
        segment_view(cut, index, ret_file);
        return;
    }
    index -= cut->walk.count;
    if (cut->snapshot.file < 0)
        held = &cut->others[index];
    else if (index > 0)
        held = &cut->others[index - 1];
    memcpy(ret_file->name, held->name, sizeof ret_file->name);
    ret_file->file = held->file;
    ret_file->size_bytes = held->size_bytes;
}
