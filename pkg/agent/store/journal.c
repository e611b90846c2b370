#include "pkg/agent/store/journal.h"

#include "pkg/agent/store/recast.h"
#include "pkg/agent/store/segment.h"
#include "pkg/utils/base/hash.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define READ_BYTES 512u /* At once with the head of a record: most are smaller. */
#define EPOCH_BYTES_DEFAULT (16u << 20)
#define REWRITE_BYTES (1u << 20)  /* Read and written again at once. */
#define ROOM_BYTES (1u << 20)     /* Reserved at once in a segment that is not whole. */
#define LAY_BYTES (256u << 10)    /* So many zeros are laid at once ... */
#define LAY_EPOCH_MAX (32u << 10) /* ... for epochs that are no larger than this. */

/* Records of one epoch in memory, behind room for its head. */
struct epoch {
    struct sw_buffer bytes;
    uint64_t number, lsn; /* lsn: of the head. */
    uint32_t records;
};

/* Two epochs take turns: `open` takes appends while `closed` is being written. */
struct sw_journal {
    const struct sw_system *system;
    char folder[SW_PATH_MAX];
    uint64_t segment_bytes;
    size_t epoch_bytes;
    uint8_t uuid[16];

    pthread_mutex_t mutex; /* Guards what follows down to the blank line. */
    struct epoch epochs[2];
    struct epoch *open, *closed;
    bool has_closed; /* `closed` is not durable yet. */
    struct sw_segment *segments;
    size_t segments_count;

    _Atomic int failure; /* Of an earlier commit, write or sync: nothing goes on. */
    /* Of the committing thread alone. */
    struct sw_segment last; /* Of the segments: where it writes. */
    uint64_t room_end;      /* In its file: up to here room is reserved; 0: not known yet. */
    uint64_t laid_end;      /* In its file: up to here something was written, if only zeros. */
    uint32_t chain;
    /* Of the removing thread alone. */
    bool is_removal_open; /* A name was removed, and that is not durable yet. */

    _Atomic bool is_full;
    _Atomic uint64_t written, durable; /* Epochs. */
    _Atomic size_t open_bytes;
};

static void epoch_begin(struct epoch *epoch, uint64_t number, uint64_t lsn)
{
    sw_buffer_reset(&epoch->bytes);
    epoch->number = number;
    epoch->lsn = lsn;
    epoch->records = 0;
}

/* --- Opening --------------------------------------------------------------------------------- */

/* A new segment file whose name and head are durable before anything is written behind them. */
static enum sw_rc segment_create(struct sw_journal *journal, const struct sw_segment_head *head,
                                 uint64_t room, int *ret_file, struct sw_err *err)
{
    const struct sw_system *system = journal->system;
    uint8_t bytes[SW_SEGMENT_HEAD_BYTES];
    char path[SW_PATH_MAX];
    enum sw_rc rc;
    int file;

    sw_segment_path(journal->folder, head->base_lsn, path);
    rc = system->file_open(system->ctx, path,
                           SW_FILE_READ | SW_FILE_WRITE | SW_FILE_CREATE | SW_FILE_TRUNCATE, &file,
                           err);
    if (rc != SW_OK)
        return rc;
    sw_segment_head_put(head, bytes);
    rc = system->file_allocate(system->ctx, file, room, err);
    if (rc == SW_OK)
        rc = system->file_write(system->ctx, file, 0, bytes, sizeof bytes, err);
    if (rc == SW_OK)
        rc = system->file_sync(system->ctx, file, err);
    if (rc == SW_OK)
        rc = system->folder_sync(system->ctx, journal->folder, err);
    if (rc == SW_OK) {
        *ret_file = file;
        return SW_OK;
    }
    system->file_close(system->ctx, file);
    (void)system->path_remove(system->ctx, path, NULL); /* Best effort: the first error counts. */
    return rc;
}

static enum sw_rc segments_add(struct sw_journal *journal, uint64_t base_lsn, int file)
{
    struct sw_segment *grown =
        realloc(journal->segments, (journal->segments_count + 1) * sizeof *grown);

    if (grown == NULL)
        return SW_E_EXHAUSTED;
    journal->segments = grown;
    grown[journal->segments_count++] = journal->last = (struct sw_segment){base_lsn, file};
    journal->laid_end = 0;
    return SW_OK;
}

/* Go on in a new segment: one that has all its room from the start, or where the disk has not so
 * much, one with room for `size` bytes, which grows as it is written. A disk that is known to be
 * full is not asked for more than that: others want what room comes there. */
static enum sw_rc segment_begin(struct sw_journal *journal, struct sw_segment_head *head,
                                uint64_t size, struct sw_err *err)
{
    uint64_t room = atomic_load(&journal->is_full) ? size : journal->segment_bytes;
    enum sw_rc rc;
    int file;

    memcpy(head->uuid, journal->uuid, sizeof head->uuid);
    rc = segment_create(journal, head, room, &file, err);
    if (rc == SW_E_EXHAUSTED && room > size) {
        room = size;
        rc = segment_create(journal, head, room, &file, err);
    }
    if (rc != SW_OK)
        return rc;
    pthread_mutex_lock(&journal->mutex);
    rc = segments_add(journal, head->base_lsn, file);
    pthread_mutex_unlock(&journal->mutex);
    if (rc == SW_OK)
        journal->room_end = room;
    return rc;
}

static enum sw_rc create_first(struct sw_journal *journal, struct sw_err *err)
{
    struct sw_segment_head head = {.base_lsn = SW_JOURNAL_BIRTH_LSN, .first_epoch = 1};

    journal->system->random(journal->system->ctx, journal->uuid, sizeof journal->uuid);
    epoch_begin(journal->open, 1, head.base_lsn);
    return segment_begin(journal, &head, SW_SEGMENT_HEAD_BYTES, err);
}

/* Write again as they were read the epochs that may not have been synced: the last one, as a rule.
 * If the sync of a process failed that was killed before it could leave a mark, its pages count as
 * clean, and a sync alone would not bring them to the disk. */
static enum sw_rc rewrite_last(struct sw_journal *journal, const struct sw_segment_walk *walk,
                               struct sw_err *err)
{
    const struct sw_system *system = journal->system;
    const struct sw_segment *last = &journal->segments[journal->segments_count - 1];
    size_t got = 0;
    uint8_t *bytes;
    enum sw_rc rc = SW_OK;

    if (walk->synced_lsn < last->base_lsn) /* In the segment before, synced as a whole. */
        return SW_OK;
    bytes = malloc(REWRITE_BYTES);
    if (bytes == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the last epoch of the journal");
    for (uint64_t lsn = walk->synced_lsn; rc == SW_OK && lsn < walk->report.end_lsn; lsn += got) {
        uint64_t at = SW_SEGMENT_HEAD_BYTES + (lsn - last->base_lsn);
        uint64_t left = walk->report.end_lsn - lsn;
        size_t size = left < REWRITE_BYTES ? (size_t)left : REWRITE_BYTES;

        rc = system->file_read(system->ctx, last->file, at, bytes, size, &got, err);
        if (rc == SW_OK && got < size)
            rc =
                sw_err_set(err, SW_E_CORRUPT, "journal %s: its last epoch shrank", journal->folder);
        if (rc == SW_OK)
            rc = system->file_write(system->ctx, last->file, at, bytes, size, err);
    }
    free(bytes);
    return rc;
}

/* Cut off what follows the end of the last segment, and write and sync what a killed process may
 * have left in the page cache only, so that the cut cannot move back. */
static enum sw_rc settle_last(struct sw_journal *journal, const struct sw_segment_walk *walk,
                              uint64_t end, struct sw_err *err)
{
    const struct sw_system *system = journal->system;
    int file = journal->segments[journal->segments_count - 1].file;
    enum sw_rc rc = SW_OK;

    if (walk->report.torn_bytes > 0)
        rc = system->file_truncate(system->ctx, file, end, err);
    if (rc == SW_OK)
        rc = rewrite_last(journal, walk, err);
    return rc == SW_OK ? system->file_sync(system->ctx, file, err) : rc;
}

/* Make the cut real: after this the disk has what was read, and nothing behind it. */
static enum sw_rc settle(struct sw_journal *journal, const struct sw_segment_walk *walk,
                         struct sw_err *err)
{
    const struct sw_system *system = journal->system;
    struct sw_segment *last = &journal->segments[journal->segments_count - 1];
    uint64_t end = SW_SEGMENT_HEAD_BYTES + (walk->report.end_lsn - last->base_lsn);
    char path[SW_PATH_MAX];
    enum sw_rc rc = SW_OK;

    if (walk->has_stray) {
        sw_segment_path(journal->folder, walk->stray_base, path);
        rc = system->path_remove(system->ctx, path, err);
    }
    system->file_close(system->ctx, last->file);
    last->file = -1;
    sw_segment_path(journal->folder, last->base_lsn, path);
    if (rc == SW_OK)
        rc = system->file_open(system->ctx, path, SW_FILE_READ | SW_FILE_WRITE, &last->file, err);
    if (rc == SW_OK && sw_recast_is_marked(system, journal->folder)) {
        const struct sw_recast recast = {system, journal->folder, end};

        rc = sw_recast_segment(&recast, last, err);
    } else if (rc == SW_OK) {
        rc = settle_last(journal, walk, end, err);
    }
    journal->last = *last;
    if (rc == SW_OK)
        rc = system->folder_sync(system->ctx, journal->folder, err);
    if (rc != SW_OK)
        sw_recast_mark(system, journal->folder);
    return rc;
}

static enum sw_rc walk_beside(const struct sw_journal *journal, sw_journal_visit *visit, void *ctx,
                              struct sw_segment_walk *walk, struct sw_err *err)
{
    const struct sw_segment_place place = {
        .system = journal->system, .folder = journal->folder, .epoch_max = SW_JOURNAL_EPOCH_MAX};

    return sw_segment_walk_on(&place, visit, ctx, walk, err);
}

/* It is what was walked, whose files are taken over. */
static void take_over(struct sw_journal *journal, const struct sw_segment_walk *walk)
{
    journal->segments = walk->segments;
    journal->segments_count = walk->count;
    memcpy(journal->uuid, walk->report.uuid, sizeof journal->uuid);
    journal->chain = walk->chain;
    atomic_store(&journal->durable, walk->report.last_epoch);
    atomic_store(&journal->written, walk->report.last_epoch);
    epoch_begin(journal->open, walk->report.last_epoch + 1, walk->report.end_lsn);
    journal->last = walk->segments[walk->count - 1];
}

static enum sw_rc open_files(struct sw_journal *journal, const struct sw_journal_options *options,
                             sw_journal_visit *visit, void *ctx, struct sw_err *err)
{
    const uint8_t *uuid = options->uuid;
    struct sw_segment_walk walk = {.count = 0};
    enum sw_rc rc = options->is_followed
                        ? walk_beside(journal, visit, ctx, &walk, err)
                        : sw_segment_walk(journal->system, journal->folder, visit, ctx, &walk, err);

    if (rc == SW_OK && uuid != NULL &&
        (walk.count == 0 || memcmp(walk.report.uuid, uuid, sizeof walk.report.uuid) != 0))
        rc = sw_err_set(err, SW_E_NOT_FOUND, "the journal in %s is %s", journal->folder,
                        walk.count == 0 ? "gone" : "another one than before");
    if (rc == SW_OK && walk.count == 0 && options->is_read_only)
        rc = sw_err_set(err, SW_E_NOT_FOUND, "no journal in %s", journal->folder);
    if (rc == SW_OK && walk.count == 0) {
        char path[SW_PATH_MAX];
        sw_segment_path(journal->folder, walk.stray_base, path);
        if (walk.has_stray)
            rc = journal->system->path_remove(journal->system->ctx, path, err);
        sw_segment_walk_done(journal->system, &walk);
        return rc == SW_OK ? create_first(journal, err) : rc;
    }
    if (rc != SW_OK) {
        sw_segment_walk_done(journal->system, &walk);
        return rc;
    }
    take_over(journal, &walk);
    return options->is_read_only ? SW_OK : settle(journal, &walk, err);
}

enum sw_rc sw_journal_open(const struct sw_journal_options *options, sw_journal_visit *visit,
                           void *ctx, struct sw_journal **ret_journal, struct sw_err *err)
{
    SW_CLEANUP(sw_journal_closep) struct sw_journal *journal = calloc(1, sizeof *journal);
    enum sw_rc rc = SW_OK;

    if (journal == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the journal");
    journal->system = options->system;
    journal->segment_bytes =
        options->segment_bytes == 0 ? SW_JOURNAL_SEGMENT_BYTES : options->segment_bytes;
    journal->epoch_bytes = options->epoch_bytes == 0 ? EPOCH_BYTES_DEFAULT : options->epoch_bytes;
    journal->open = &journal->epochs[0];
    journal->closed = &journal->epochs[1];
    sw_buffer_init(&journal->open->bytes, SW_JOURNAL_EPOCH_MAX);
    sw_buffer_init(&journal->closed->bytes, SW_JOURNAL_EPOCH_MAX);
    pthread_mutex_init(&journal->mutex, NULL);
    if (strlen(options->folder) + 40 > sizeof journal->folder)
        return sw_err_set(err, SW_E_INVALID, "the journal's path is too long");
    memcpy(journal->folder, options->folder, strlen(options->folder) + 1);
    if (options->is_read_only)
        journal->failure = SW_E_PRECONDITION; /* Of every commit. */
    else
        rc = journal->system->folder_make(journal->system->ctx, journal->folder, err);
    if (rc == SW_OK)
        rc = open_files(journal, options, visit, ctx, err);
    if (rc != SW_OK)
        return rc;
    *ret_journal = SW_TAKE(journal);
    return SW_OK;
}

void sw_journal_close(struct sw_journal *journal)
{
    if (journal == NULL)
        return;
    for (size_t i = 0; i < journal->segments_count; i++)
        if (journal->segments[i].file >= 0)
            journal->system->file_close(journal->system->ctx, journal->segments[i].file);
    free(journal->segments);
    sw_buffer_done(&journal->epochs[0].bytes);
    sw_buffer_done(&journal->epochs[1].bytes);
    pthread_mutex_destroy(&journal->mutex);
    free(journal);
}

enum sw_rc sw_journal_scan(const struct sw_system *system, const char *folder,
                           sw_journal_visit *visit, void *ctx, struct sw_journal_report *ret_report,
                           struct sw_err *err)
{
    struct sw_segment_walk walk;
    enum sw_rc rc = sw_segment_walk(system, folder, visit, ctx, &walk, err);

    if (rc == SW_OK && walk.report.segments == 0)
        rc = sw_err_set(err, SW_E_NOT_FOUND, "no journal in %s", folder);
    if (rc == SW_OK)
        *ret_report = walk.report;
    sw_segment_walk_done(system, &walk);
    return rc;
}

enum sw_rc sw_journal_revisit(struct sw_journal *journal, uint64_t from, sw_journal_visit *visit,
                              void *ctx, struct sw_err *err)
{
    const struct sw_segment_source source = {.system = journal->system,
                                             .folder = journal->folder,
                                             .uuid = journal->uuid,
                                             .segments = journal->segments,
                                             .count = journal->segments_count,
                                             .end_lsn = journal->open->lsn};

    assert(!sw_journal_is_dirty(journal));
    return sw_segment_revisit(&source, from, visit, ctx, err);
}

enum sw_rc sw_journal_follow(struct sw_journal *journal, sw_journal_visit *visit, void *ctx,
                             struct sw_err *err)
{
    struct sw_segment_walk walk = {
        .segments = journal->segments,
        .count = journal->segments_count,
        .chain = journal->chain,
        .report = {.end_lsn = journal->open->lsn, .last_epoch = atomic_load(&journal->durable)}};
    enum sw_rc rc;

    assert(journal->failure == SW_E_PRECONDITION && journal->open->bytes.size == 0);
    memcpy(walk.report.uuid, journal->uuid, sizeof walk.report.uuid);
    rc = walk_beside(journal, visit, ctx, &walk, err);
    if (walk.count > 0) {
        take_over(journal, &walk);
        return rc;
    }
    sw_segment_walk_done(journal->system, &walk);
    journal->segments = NULL;
    journal->segments_count = 0;
    return rc != SW_OK ? rc
                       : sw_err_set(err, SW_E_UNAVAILABLE, "journal %s: all of it was removed",
                                    journal->folder);
}

enum sw_rc sw_journal_visit_durable(struct sw_journal *journal, uint64_t from,
                                    sw_journal_visit *visit, void *ctx, struct sw_err *err)
{
    struct sw_segment *segments;
    struct sw_segment_source source = {
        .system = journal->system, .folder = journal->folder, .uuid = journal->uuid};
    enum sw_rc rc;

    pthread_mutex_lock(&journal->mutex);
    source.count = journal->segments_count;
    source.end_lsn = journal->has_closed ? journal->closed->lsn : journal->open->lsn;
    segments = malloc(source.count * sizeof *segments);
    if (segments != NULL)
        memcpy(segments, journal->segments, source.count * sizeof *segments);
    pthread_mutex_unlock(&journal->mutex);
    if (segments == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to read a journal");
    /* A segment that was begun for an epoch that is not durable yet holds nothing. */
    while (source.count > 1 && segments[source.count - 1].base_lsn >= source.end_lsn)
        source.count--;
    source.segments = segments;
    rc = sw_segment_revisit(&source, from, visit, ctx, err);
    free(segments);
    return rc;
}

/* --- Appending and reading ------------------------------------------------------------------- */

enum sw_rc sw_journal_append(struct sw_journal *journal, struct sw_bytes record,
                             struct sw_journal_place *ret_place, struct sw_err *err)
{
    uint32_t check = sw_crc32c(0, record.data, record.size);
    struct epoch *epoch;
    bool has_failed;

    if (record.size > SW_JOURNAL_RECORD_MAX)
        return sw_err_set(err, SW_E_EXHAUSTED, "a journal record of %zu bytes is over the limit",
                          record.size);
    pthread_mutex_lock(&journal->mutex);
    epoch = journal->open;
    if (epoch->bytes.size == 0) {
        static const uint8_t no_head[SW_EPOCH_HEAD_BYTES];
        sw_buffer_put(&epoch->bytes, no_head, sizeof no_head);
    }
    ret_place->lsn = epoch->lsn + epoch->bytes.size;
    ret_place->epoch = epoch->number;
    sw_buffer_put_u32(&epoch->bytes, (uint32_t)record.size);
    sw_buffer_put_u32(&epoch->bytes, check);
    sw_buffer_put(&epoch->bytes, record.data, record.size);
    epoch->records++;
    has_failed = epoch->bytes.failed;
    atomic_store_explicit(&journal->open_bytes, epoch->bytes.size, memory_order_relaxed);
    pthread_mutex_unlock(&journal->mutex);
    if (has_failed)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the open epoch of the journal");
    return SW_OK;
}

struct part { /* Of the journal. */
    uint64_t lsn;
    uint8_t *bytes;
    size_t size_min, size; /* So much is to be read; at most so much is of use. */
    size_t got;
};

/* Read from an epoch in memory; false when it is not all there. */
static bool epoch_read(const struct epoch *epoch, struct part *part)
{
    uint64_t at = part->lsn - epoch->lsn;

    if (at + part->size_min > epoch->bytes.size)
        return false;
    part->got = epoch->bytes.size - at;
    part->got = part->got > part->size ? part->size : part->got;
    memcpy(part->bytes, epoch->bytes.data + at, part->got);
    return true;
}

/* The file in which that part stands, and where; -1: there is none. The mutex is held. */
static int file_of(const struct sw_journal *journal, uint64_t lsn, uint64_t *ret_at)
{
    for (size_t i = journal->segments_count; i > 0; i--) {
        const struct sw_segment *segment = &journal->segments[i - 1];

        if (segment->base_lsn > lsn)
            continue;
        *ret_at = SW_SEGMENT_HEAD_BYTES + (lsn - segment->base_lsn);
        return segment->file;
    }
    return -1;
}

static enum sw_rc read_part(struct sw_journal *journal, struct part *part, struct sw_err *err)
{
    bool is_in_memory = true, is_there = false;
    uint64_t at = 0;
    enum sw_rc rc;
    int file = -1;

    pthread_mutex_lock(&journal->mutex);
    if (part->lsn >= journal->open->lsn) {
        is_there = epoch_read(journal->open, part);
    } else if (journal->has_closed && part->lsn >= journal->closed->lsn) {
        is_there = epoch_read(journal->closed, part);
    } else {
        is_in_memory = false;
        file = file_of(journal, part->lsn, &at);
    }
    pthread_mutex_unlock(&journal->mutex);
    if (is_in_memory && is_there)
        return SW_OK;
    if (is_in_memory || file < 0)
        return sw_err_set(err, SW_E_NOT_FOUND, "the journal holds nothing at lsn %" PRIu64,
                          part->lsn);
    rc = journal->system->file_read(journal->system->ctx, file, at, part->bytes, part->size,
                                    &part->got, err);
    if (rc == SW_OK && part->got < part->size_min)
        return sw_err_set(err, SW_E_CORRUPT, "the journal ends within lsn %" PRIu64, part->lsn);
    return rc;
}

/* Have size bytes of a record, of which the first ones were read with its head. */
static enum sw_rc read_rest(struct sw_journal *journal, const struct part *first, uint8_t *bytes,
                            size_t size, struct sw_err *err)
{
    size_t had = first->got - SW_JOURNAL_RECORD_HEAD_BYTES;
    struct part rest = {.lsn = first->lsn + first->got};

    had = had > size ? size : had;
    if (had > 0)
        memcpy(bytes, first->bytes + SW_JOURNAL_RECORD_HEAD_BYTES, had);
    if (had == size)
        return SW_OK;
    rest.bytes = bytes + had;
    rest.size_min = rest.size = size - had;
    return read_part(journal, &rest, err);
}

enum sw_rc sw_journal_read(struct sw_journal *journal, uint64_t lsn, struct sw_buffer *out,
                           struct sw_err *err)
{
    uint8_t begin[READ_BYTES], *bytes;
    struct part first = {
        .lsn = lsn, .bytes = begin, .size_min = SW_JOURNAL_RECORD_HEAD_BYTES, .size = sizeof begin};
    struct sw_reader reader;
    uint32_t size, check;
    enum sw_rc rc = read_part(journal, &first, err);

    if (rc != SW_OK)
        return rc;
    reader = sw_reader_of(begin, SW_JOURNAL_RECORD_HEAD_BYTES);
    size = sw_reader_u32(&reader);
    check = sw_reader_u32(&reader);
    if (size > SW_JOURNAL_RECORD_MAX)
        return sw_err_set(err, SW_E_CORRUPT, "no journal record at lsn %" PRIu64, lsn);
    bytes = sw_buffer_reserve(out, size);
    if (bytes == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a journal record");
    rc = read_rest(journal, &first, bytes, size, err);
    if (rc == SW_OK && check != sw_crc32c(0, bytes, size))
        return sw_err_set(err, SW_E_CORRUPT, "damaged journal record at lsn %" PRIu64, lsn);
    if (rc == SW_OK)
        out->size += size;
    return rc;
}

/* --- Committing ------------------------------------------------------------------------------ */

/* Take the open epoch out of the way of appends, unless one still waits to be written. */
static bool close_epoch(struct sw_journal *journal)
{
    pthread_mutex_lock(&journal->mutex);
    if (!journal->has_closed && journal->open->bytes.size > 0) {
        struct epoch *closed = journal->open;

        journal->open = journal->closed;
        journal->closed = closed;
        journal->has_closed = true;
        epoch_begin(journal->open, closed->number + 1, closed->lsn + closed->bytes.size);
        atomic_store_explicit(&journal->open_bytes, 0, memory_order_relaxed);
    }
    pthread_mutex_unlock(&journal->mutex);
    return journal->has_closed;
}

/* Whether an epoch comes to stand in a new segment, since the present one is full. Epochs are never
 * split. */
static bool needs_segment(const struct sw_journal *journal, const struct epoch *epoch)
{
    uint64_t base = journal->last.base_lsn;

    return epoch->lsn != base &&
           SW_SEGMENT_HEAD_BYTES + (epoch->lsn - base) + epoch->bytes.size > journal->segment_bytes;
}

/* A failed sync may have dropped the pages: writing them again would prove nothing. */
static enum sw_rc sync_last(struct sw_journal *journal, struct sw_err *err)
{
    const struct sw_system *system = journal->system;
    uint64_t written = atomic_load(&journal->written);
    enum sw_rc rc = system->file_sync(system->ctx, journal->last.file, err);

    if (rc == SW_OK)
        atomic_store_explicit(&journal->durable, written, memory_order_release);
    return rc == SW_E_EXHAUSTED ? SW_E_INTERNAL : rc;
}

/* Begin a new segment when the present one is full, and all of that is synced. */
static enum sw_rc rotate(struct sw_journal *journal, const struct epoch *epoch, struct sw_err *err)
{
    struct sw_segment_head head = {
        .base_lsn = epoch->lsn, .first_epoch = epoch->number, .chain = journal->chain};
    enum sw_rc rc = SW_OK;

    if (!needs_segment(journal, epoch))
        return SW_OK;
    if (atomic_load(&journal->durable) < atomic_load(&journal->written))
        rc = sync_last(journal, err);
    return rc != SW_OK
               ? rc
               : segment_begin(journal, &head, SW_SEGMENT_HEAD_BYTES + epoch->bytes.size, err);
}

/* Have room in the file up to `end`, and where the disk has it, for some more that comes behind. So
 * it is here that a full disk is met, which can be tried again, and not in a sync. */
static enum sw_rc reserve(struct sw_journal *journal, uint64_t end, struct sw_err *err)
{
    const struct sw_system *system = journal->system;
    uint64_t room = end + ROOM_BYTES;
    enum sw_rc rc;

    if (end <= journal->room_end)
        return SW_OK;
    if (room > journal->segment_bytes)
        room = end > journal->segment_bytes ? end : journal->segment_bytes;
    rc = system->file_allocate(system->ctx, journal->last.file, room, err);
    if (rc == SW_E_EXHAUSTED && room > end) {
        room = end;
        rc = system->file_allocate(system->ctx, journal->last.file, room, err);
    }
    if (rc == SW_OK)
        journal->room_end = room;
    return rc;
}

/* Room that was only reserved costs a sync a second write, which makes it part of the file. For
 * small epochs, whose sync is what they wait for, zeros are written ahead, many epochs' at once:
 * all but one of them change what is part of it already. Large ones would weigh twice. */
static enum sw_rc lay_ahead(struct sw_journal *journal, uint64_t end, struct sw_err *err)
{
    static uint8_t zeros[LAY_BYTES]; /* Not const: as a constant it would fill the program. */
    const struct sw_system *system = journal->system;
    size_t size = sizeof zeros;
    enum sw_rc rc;

    if (end <= journal->laid_end)
        return SW_OK;
    journal->laid_end = end;
    if (journal->closed->bytes.size > LAY_EPOCH_MAX || end >= journal->room_end)
        return SW_OK;
    if (size > journal->room_end - end)
        size = (size_t)(journal->room_end - end);
    rc = system->file_write(system->ctx, journal->last.file, end, zeros, size, err);
    if (rc == SW_OK)
        journal->laid_end = end + size;
    return rc;
}

static enum sw_rc write_closed(struct sw_journal *journal, struct sw_err *err)
{
    const struct sw_system *system = journal->system;
    struct epoch *epoch = journal->closed;
    struct sw_epoch_head head = {.epoch = epoch->number, .lsn = epoch->lsn};
    const struct sw_segment *last = &journal->last;
    uint64_t at;
    uint32_t check;
    enum sw_rc rc = rotate(journal, epoch, err);

    if (rc != SW_OK)
        return rc;
    head.body_bytes = (uint32_t)(epoch->bytes.size - SW_EPOCH_HEAD_BYTES);
    head.records = epoch->records;
    head.body_crc = sw_crc32c(0, epoch->bytes.data + SW_EPOCH_HEAD_BYTES, head.body_bytes);
    head.chain = journal->chain;
    head.behind = (uint32_t)(epoch->number - 1 - sw_journal_durable(journal));
    check = sw_epoch_head_put(&head, journal->uuid, epoch->bytes.data);
    at = SW_SEGMENT_HEAD_BYTES + (epoch->lsn - last->base_lsn);
    rc = reserve(journal, at + epoch->bytes.size, err);
    if (rc == SW_OK)
        rc = lay_ahead(journal, at + epoch->bytes.size, err);
    if (rc == SW_OK)
        rc = system->file_write(system->ctx, last->file, at, epoch->bytes.data, epoch->bytes.size,
                                err);
    if (rc != SW_OK)
        return rc;
    journal->chain = check;
    atomic_store_explicit(&journal->written, epoch->number, memory_order_release);
    return SW_OK;
}

/* What is on the disk is not known: nothing goes on. */
static enum sw_rc fail(struct sw_journal *journal, enum sw_rc rc)
{
    atomic_store(&journal->failure, (int)rc);
    sw_recast_mark(journal->system, journal->folder);
    return rc;
}

static enum sw_rc check_failure(const struct sw_journal *journal, struct sw_err *err)
{
    enum sw_rc failure = (enum sw_rc)atomic_load(&journal->failure);

    return failure == SW_OK ? SW_OK : sw_err_set(err, failure, "the journal failed before");
}

/* Write the closed epoch and let go of it, or keep it where the disk is full. */
static enum sw_rc write_epoch(struct sw_journal *journal, struct sw_err *err)
{
    enum sw_rc rc = write_closed(journal, err);

    if (rc == SW_E_EXHAUSTED) {
        atomic_store(&journal->is_full, true);
        return rc;
    }
    return rc == SW_OK ? SW_OK : fail(journal, rc);
}

static void forget_closed(struct sw_journal *journal)
{
    pthread_mutex_lock(&journal->mutex);
    journal->has_closed = false;
    pthread_mutex_unlock(&journal->mutex);
    atomic_store(&journal->is_full, false);
}

enum sw_rc sw_journal_commit(struct sw_journal *journal, struct sw_err *err)
{
    enum sw_rc rc = check_failure(journal, err);
    bool has_closed;

    if (rc != SW_OK)
        return rc;
    has_closed = close_epoch(journal);
    if (!has_closed && atomic_load(&journal->written) == atomic_load(&journal->durable))
        return SW_OK;
    if (has_closed)
        rc = write_epoch(journal, err);
    if (rc != SW_OK)
        return rc;
    rc = sync_last(journal, err);
    if (rc != SW_OK)
        return fail(journal, rc);
    if (has_closed)
        forget_closed(journal);
    return SW_OK;
}

enum sw_rc sw_journal_write(struct sw_journal *journal, struct sw_err *err)
{
    enum sw_rc rc = check_failure(journal, err);

    if (rc != SW_OK || !close_epoch(journal))
        return rc;
    if (needs_segment(journal, journal->closed))
        return sw_err_set(err, SW_E_UNAVAILABLE, "the journal begins a new segment");
    rc = write_epoch(journal, err);
    if (rc == SW_OK)
        forget_closed(journal);
    return rc;
}

enum sw_rc sw_journal_sync(struct sw_journal *journal, struct sw_err *err)
{
    enum sw_rc rc = check_failure(journal, err);

    if (rc != SW_OK)
        return rc;
    rc = sync_last(journal, err);
    return rc == SW_OK ? SW_OK : fail(journal, rc);
}

uint64_t sw_journal_written(const struct sw_journal *journal)
{
    return atomic_load_explicit(&journal->written, memory_order_acquire);
}

uint64_t sw_journal_durable(const struct sw_journal *journal)
{
    return atomic_load_explicit(&journal->durable, memory_order_acquire);
}

uint64_t sw_journal_end(struct sw_journal *journal)
{
    uint64_t end;

    pthread_mutex_lock(&journal->mutex);
    end = journal->open->lsn + journal->open->bytes.size;
    pthread_mutex_unlock(&journal->mutex);
    return end;
}

bool sw_journal_is_dirty(struct sw_journal *journal)
{
    bool is_dirty;

    pthread_mutex_lock(&journal->mutex);
    is_dirty = journal->has_closed || journal->open->bytes.size > 0;
    pthread_mutex_unlock(&journal->mutex);
    return is_dirty;
}

uint64_t sw_journal_epoch(struct sw_journal *journal)
{
    uint64_t number;

    pthread_mutex_lock(&journal->mutex);
    number = journal->open->number - (journal->open->bytes.size == 0);
    pthread_mutex_unlock(&journal->mutex);
    return number;
}

bool sw_journal_has_room(const struct sw_journal *journal)
{
    return !atomic_load(&journal->is_full) &&
           atomic_load_explicit(&journal->open_bytes, memory_order_relaxed) < journal->epoch_bytes;
}

bool sw_journal_is_full(const struct sw_journal *journal)
{
    return atomic_load(&journal->is_full);
}

/* The oldest segment, if all of it is before lsn. */
static bool find_needless(struct sw_journal *journal, uint64_t lsn, struct sw_segment *ret_segment)
{
    bool is_needless;

    pthread_mutex_lock(&journal->mutex);
    is_needless = journal->segments_count > 1 && journal->segments[1].base_lsn <= lsn;
    *ret_segment = journal->segments[0];
    pthread_mutex_unlock(&journal->mutex);
    return is_needless;
}

static void forget_first(struct sw_journal *journal)
{
    pthread_mutex_lock(&journal->mutex);
    journal->segments_count--;
    memmove(journal->segments, journal->segments + 1,
            journal->segments_count * sizeof *journal->segments);
    pthread_mutex_unlock(&journal->mutex);
}

enum sw_rc sw_journal_remove_before(struct sw_journal *journal, uint64_t lsn, struct sw_err *err)
{
    const struct sw_system *system = journal->system;
    struct sw_segment first;
    enum sw_rc rc = SW_OK;

    /* One after the other, so that a crash leaves no gap. */
    while (rc == SW_OK && (journal->is_removal_open || find_needless(journal, lsn, &first))) {
        char path[SW_PATH_MAX];

        if (journal->is_removal_open) {
            rc = system->folder_sync(system->ctx, journal->folder, err);
            journal->is_removal_open = rc != SW_OK;
            continue;
        }
        sw_segment_path(journal->folder, first.base_lsn, path);
        rc = system->path_remove(system->ctx, path, err);
        if (rc != SW_OK)
            break;
        journal->is_removal_open = true;
        forget_first(journal);
        system->file_close(system->ctx, first.file);
    }
    return rc;
}

uint64_t sw_journal_begin(struct sw_journal *journal)
{
    uint64_t begin;

    pthread_mutex_lock(&journal->mutex);
    begin = journal->segments[0].base_lsn;
    pthread_mutex_unlock(&journal->mutex);
    return begin;
}

const uint8_t *sw_journal_uuid(const struct sw_journal *journal)
{
    return journal->uuid;
}
