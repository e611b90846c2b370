#include "pkg/agent/store/segment.h"

#include "pkg/utils/base/hash.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEGMENT_MAGIC 0x4e4a5753u /* "SWJN" */
#define EPOCH_MAGIC 0x50455753u   /* "SWEP" */
#define SEARCH_BYTES (1u << 20)
#define WINDOW_BYTES ((size_t)256 << 10)

void sw_segment_path(const char *folder, uint64_t base_lsn, char ret_path[SW_PATH_MAX])
{
    snprintf(ret_path, SW_PATH_MAX, "%s/journal-%016" PRIx64 ".seg", folder, base_lsn);
}

static void put_u32(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static void put_u64(uint8_t *at, uint64_t value)
{
    put_u32(at, (uint32_t)value);
    put_u32(at + 4, (uint32_t)(value >> 32));
}

/* Layout: magic, version, uuid, base, first epoch, chain, zeros, check of all before it. */
void sw_segment_head_put(const struct sw_segment_head *head,
                         uint8_t ret_bytes[SW_SEGMENT_HEAD_BYTES])
{
    memset(ret_bytes, 0, SW_SEGMENT_HEAD_BYTES);
    put_u32(ret_bytes, SEGMENT_MAGIC);
    put_u32(ret_bytes + 4, SW_JOURNAL_VERSION);
    memcpy(ret_bytes + 8, head->uuid, 16);
    put_u64(ret_bytes + 24, head->base_lsn);
    put_u64(ret_bytes + 32, head->first_epoch);
    put_u32(ret_bytes + 40, head->chain);
    put_u32(ret_bytes + 60, sw_crc32c(0, ret_bytes, 60));
}

enum sw_rc sw_segment_head_take(const uint8_t bytes[SW_SEGMENT_HEAD_BYTES],
                                struct sw_segment_head *ret_head, struct sw_err *err)
{
    struct sw_reader reader = sw_reader_of(bytes, SW_SEGMENT_HEAD_BYTES);
    uint32_t magic = sw_reader_u32(&reader), version = sw_reader_u32(&reader);
    struct sw_segment_head head;

    memcpy(head.uuid, sw_reader_take(&reader, 16).data, 16);
    head.base_lsn = sw_reader_u64(&reader);
    head.first_epoch = sw_reader_u64(&reader);
    head.chain = sw_reader_u32(&reader);
    reader.at = 60;
    if (magic != SEGMENT_MAGIC)
        return sw_err_set(err, SW_E_CORRUPT, "not a journal segment");
    if (version != SW_JOURNAL_VERSION) {
        sw_err_set(err, SW_E_UNSUPPORTED, "journal segment of version %" PRIu32, version);
        sw_err_hint(err, "it was written by another release of Swarm; this one reads version %u",
                    SW_JOURNAL_VERSION);
        return SW_E_UNSUPPORTED;
    }
    if (sw_reader_u32(&reader) != sw_crc32c(0, bytes, 60))
        return sw_err_set(err, SW_E_CORRUPT, "the head of the journal segment is damaged");
    *ret_head = head;
    return SW_OK;
}

/* Layout: magic, check of all that follows, epoch, lsn, body bytes, records, body crc, chain,
 * behind, 0. */
uint32_t sw_epoch_head_put(const struct sw_epoch_head *head, const uint8_t uuid[16],
                           uint8_t ret_bytes[SW_EPOCH_HEAD_BYTES])
{
    uint32_t check;

    memset(ret_bytes, 0, SW_EPOCH_HEAD_BYTES);
    put_u32(ret_bytes, EPOCH_MAGIC);
    put_u64(ret_bytes + 8, head->epoch);
    put_u64(ret_bytes + 16, head->lsn);
    put_u32(ret_bytes + 24, head->body_bytes);
    put_u32(ret_bytes + 28, head->records);
    put_u32(ret_bytes + 32, head->body_crc);
    put_u32(ret_bytes + 36, head->chain);
    put_u32(ret_bytes + 40, head->behind);
    check = sw_crc32c(sw_crc32c(0, uuid, 16), ret_bytes + 8, SW_EPOCH_HEAD_BYTES - 8);
    put_u32(ret_bytes + 4, check);
    return check;
}

bool sw_epoch_head_take(const uint8_t bytes[SW_EPOCH_HEAD_BYTES], const uint8_t uuid[16],
                        struct sw_epoch_head *ret_head, uint32_t *ret_check)
{
    struct sw_reader reader = sw_reader_of(bytes, SW_EPOCH_HEAD_BYTES);
    uint32_t magic = sw_reader_u32(&reader), check = sw_reader_u32(&reader);

    if (magic != EPOCH_MAGIC ||
        check != sw_crc32c(sw_crc32c(0, uuid, 16), bytes + 8, SW_EPOCH_HEAD_BYTES - 8))
        return false;
    ret_head->epoch = sw_reader_u64(&reader);
    ret_head->lsn = sw_reader_u64(&reader);
    ret_head->body_bytes = sw_reader_u32(&reader);
    ret_head->records = sw_reader_u32(&reader);
    ret_head->body_crc = sw_reader_u32(&reader);
    ret_head->chain = sw_reader_u32(&reader);
    ret_head->behind = sw_reader_u32(&reader);
    *ret_check = check;
    return true;
}

/* --- The walk -------------------------------------------------------------------------------- */

struct walk {
    const struct sw_system *system;
    const char *folder;
    sw_journal_visit *visit;
    void *ctx;
    struct sw_segment_walk *out;
    struct sw_err *err;
    uint64_t file_bytes; /* Size of the segment being read. */
    /* What was read of a file at once, since epochs are small where turns are few. */
    struct sw_buffer window;
    uint64_t window_at; /* Where it begins. */
    int window_file;    /* -1: it is empty. */
    uint64_t from;      /* Records before this are not visited. */
    bool is_known;      /* All was checked a moment ago. */
    uint32_t epoch_max; /* Larger ones are none. */
};

static bool collect_name(void *ctx, const char *name)
{
    struct sw_segment_walk *out = ctx;
    struct sw_segment *grown;
    unsigned long long base;
    char check[40];

    if (sscanf(name, "journal-%16llx.seg", &base) != 1)
        return true;
    snprintf(check, sizeof check, "journal-%016llx.seg", base);
    if (strcmp(name, check) != 0 || out->count >= SW_SEGMENTS_MAX)
        return true;
    grown = realloc(out->segments, (out->count + 1) * sizeof *grown);
    if (grown == NULL)
        return false;
    out->segments = grown;
    out->segments[out->count++] = (struct sw_segment){.base_lsn = base, .file = -1};
    return true;
}

static int compare_segments(const void *one, const void *other)
{
    uint64_t a = ((const struct sw_segment *)one)->base_lsn;
    uint64_t b = ((const struct sw_segment *)other)->base_lsn;

    return a < b ? -1 : a > b;
}

static enum sw_rc read_exact(struct walk *walk, int file, uint64_t at, void *bytes, size_t size)
{
    size_t got = 0;
    enum sw_rc rc =
        walk->system->file_read(walk->system->ctx, file, at, bytes, size, &got, walk->err);

    if (rc == SW_OK && got < size)
        memset((uint8_t *)bytes + got, 0,
               size - got); /* Beyond the end is as good as never written. */
    return rc;
}

/* The bytes of a file from `at` on, valid until the next call. No more of the file is read than was
 * written: what is read counts as written from then on. */
static enum sw_rc window_get(struct walk *walk, int file, uint64_t at, size_t size,
                             const uint8_t **ret_bytes)
{
    struct sw_buffer *window = &walk->window;
    uint64_t left = at < walk->file_bytes ? walk->file_bytes - at : 0;
    size_t wanted = left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES;
    enum sw_rc rc;

    if (walk->window_file == file && at >= walk->window_at &&
        at - walk->window_at <= window->size && size <= window->size - (at - walk->window_at)) {
        *ret_bytes = window->data + (at - walk->window_at);
        return SW_OK;
    }
    wanted = wanted < size ? size : wanted;
    sw_buffer_reset(window);
    walk->window_file = -1;
    if (sw_buffer_reserve(window, wanted + 1) == NULL) /* Also nothing stands somewhere. */
        return sw_err_set(walk->err, SW_E_EXHAUSTED, "no memory for an epoch of the journal");
    rc = read_exact(walk, file, at, window->data, wanted);
    if (rc != SW_OK)
        return rc;
    window->size = wanted;
    walk->window_at = at;
    walk->window_file = file;
    *ret_bytes = window->data;
    return SW_OK;
}

/* A chunk of a file from `at` on, zeros behind its end: as in window_get no more is read. */
static enum sw_rc read_chunk(struct walk *walk, int file, uint64_t at, uint8_t *chunk)
{
    uint64_t left = walk->file_bytes - at;
    size_t size = left < SEARCH_BYTES ? (size_t)left : SEARCH_BYTES;

    memset(chunk + size, 0, SEARCH_BYTES - size);
    return read_exact(walk, file, at, chunk, size);
}

/* Is there a whole head anywhere from file offset `at` on that was written when `epoch`, before it,
 * was synced? Then what stands at `at` is damage and not the end. */
static enum sw_rc search_later(struct walk *walk, int file, uint64_t at, uint64_t epoch,
                               bool *ret_found)
{
    struct sw_segment_walk *out = walk->out;
    static const uint8_t magic[4] = {0x53, 0x57, 0x45, 0x50};
    uint8_t *chunk = malloc(SEARCH_BYTES);
    enum sw_rc rc = SW_OK;

    *ret_found = false;
    if (chunk == NULL)
        return sw_err_set(walk->err, SW_E_EXHAUSTED, "no memory to check the journal");
    while (rc == SW_OK && at + SW_EPOCH_HEAD_BYTES <= walk->file_bytes && !*ret_found) {
        const uint8_t *hit = chunk, *end = chunk + SEARCH_BYTES;

        rc = read_chunk(walk, file, at, chunk);
        while (rc == SW_OK && (hit = memmem(hit, (size_t)(end - hit), magic, 4)) != NULL) {
            struct sw_epoch_head head;
            uint32_t check;

            if ((size_t)(end - hit) >= SW_EPOCH_HEAD_BYTES &&
                sw_epoch_head_take(hit, out->report.uuid, &head, &check) && head.epoch > epoch &&
                head.epoch - epoch > head.behind)
                *ret_found = true;
            hit++;
        }
        at += SEARCH_BYTES - SW_EPOCH_HEAD_BYTES;
    }
    free(chunk);
    return rc;
}

static enum sw_rc damaged(struct walk *walk, const char *what)
{
    sw_err_set(walk->err, SW_E_CORRUPT, "journal %s: %s after epoch %" PRIu64 ", at lsn %" PRIu64,
               walk->folder, what, walk->out->report.last_epoch, walk->out->report.end_lsn);
    sw_err_hint(walk->err, "this is damage, not an interrupted write: check the disk and restore "
                           "the folder from a copy");
    return SW_E_CORRUPT;
}

static void look_ahead(struct sw_reader reader, struct sw_bytes ahead[SW_JOURNAL_AHEAD])
{
    for (unsigned i = 0; i < SW_JOURNAL_AHEAD && reader.at < reader.size; i++) {
        uint32_t size = sw_reader_u32(&reader);

        (void)sw_reader_u32(&reader);
        ahead[i] = sw_reader_take(&reader, size);
    }
}

/* Visit the records of an epoch. */
static enum sw_rc visit_records(struct walk *walk, const struct sw_epoch_head *head,
                                const uint8_t *body)
{
    struct sw_reader reader = sw_reader_of(body, head->body_bytes);
    uint32_t count = 0;

    while (reader.at < reader.size) {
        uint64_t lsn = head->lsn + SW_EPOCH_HEAD_BYTES + reader.at;
        uint32_t size = sw_reader_u32(&reader), check = sw_reader_u32(&reader);
        struct sw_bytes record = sw_reader_take(&reader, size);
        struct sw_journal_entry entry = {
            .place = {lsn, head->epoch}, .record = record, .uuid = walk->out->report.uuid};
        enum sw_rc rc;

        if (reader.failed || size > SW_JOURNAL_RECORD_MAX ||
            (!walk->is_known && check != sw_crc32c(0, record.data, record.size)))
            return damaged(walk, "a malformed record");
        look_ahead(reader, entry.ahead);
        rc = walk->visit == NULL || lsn < walk->from ? SW_OK
                                                     : walk->visit(walk->ctx, &entry, walk->err);
        if (rc != SW_OK)
            return rc;
        count++;
    }
    if (count != head->records)
        return damaged(walk, "an epoch with records missing");
    walk->out->report.records += count;
    return SW_OK;
}

/* Read the epoch at file offset `at`. *ret_size 0: there is no complete one. */
static enum sw_rc read_epoch(struct walk *walk, int file, uint64_t at, uint64_t *ret_size)
{
    struct sw_journal_report *report = &walk->out->report;
    const uint8_t *bytes;
    struct sw_epoch_head head;
    uint32_t check;
    enum sw_rc rc;

    *ret_size = 0;
    if (at + SW_EPOCH_HEAD_BYTES > walk->file_bytes)
        return SW_OK;
    rc = window_get(walk, file, at, SW_EPOCH_HEAD_BYTES, &bytes);
    if (rc != SW_OK || !sw_epoch_head_take(bytes, report->uuid, &head, &check) ||
        head.lsn != report->end_lsn || head.epoch != report->last_epoch + 1 ||
        head.chain != walk->out->chain || head.body_bytes > walk->epoch_max ||
        head.body_bytes > walk->file_bytes - at - SW_EPOCH_HEAD_BYTES)
        return rc;
    rc = window_get(walk, file, at + SW_EPOCH_HEAD_BYTES, head.body_bytes, &bytes);
    if (rc != SW_OK || sw_crc32c(0, bytes, head.body_bytes) != head.body_crc)
        return rc;
    rc = visit_records(walk, &head, bytes);
    if (rc != SW_OK)
        return rc;
    walk->out->chain = check;
    if (head.behind == 0 || walk->out->synced_lsn == 0)
        walk->out->synced_lsn = report->end_lsn;
    report->epochs++;
    report->last_epoch = head.epoch;
    *ret_size = SW_EPOCH_HEAD_BYTES + head.body_bytes;
    report->end_lsn += *ret_size;
    return SW_OK;
}

/* How many bytes there are up to the last that is not zero. */
static size_t used_bytes(const uint8_t *bytes, size_t size)
{
    static const uint8_t zeros[256];

    while (size >= sizeof zeros && memcmp(bytes + size - sizeof zeros, zeros, sizeof zeros) == 0)
        size -= sizeof zeros;
    while (size > 0 && bytes[size - 1] == 0)
        size--;
    return size;
}

/* Bytes after the cut that are not zero, up to the last of them: what a crash left behind. */
static enum sw_rc count_torn(struct walk *walk, int file, uint64_t at)
{
    uint8_t *chunk = malloc(SEARCH_BYTES);
    uint64_t start = at;
    enum sw_rc rc = SW_OK;

    if (chunk == NULL)
        return sw_err_set(walk->err, SW_E_EXHAUSTED, "no memory to check the journal");
    for (; rc == SW_OK && at < walk->file_bytes; at += SEARCH_BYTES) {
        size_t used;

        rc = read_chunk(walk, file, at, chunk);
        used = rc == SW_OK ? used_bytes(chunk, SEARCH_BYTES) : 0;
        if (used > 0)
            walk->out->report.torn_bytes = at + used - start;
    }
    free(chunk);
    return rc;
}

/* The last segment has no valid head. If nothing of worth can be in it, it was begun in the moment
 * of a crash: its head is synced before the first epoch is written. */
static enum sw_rc check_stray(struct walk *walk, size_t index, bool *ret_is_stray)
{
    int file = walk->out->segments[index].file;
    bool has_later = false;
    enum sw_rc rc;

    if (index == 0) { /* No uuid to check epochs with: only an empty file is fine. */
        rc = count_torn(walk, file, 0);
        has_later = walk->out->report.torn_bytes > 0;
    } else {
        rc = search_later(walk, file, 0, walk->out->report.last_epoch, &has_later);
    }
    if (rc == SW_OK && has_later)
        return damaged(walk, "a damaged head of a segment");
    *ret_is_stray = true;
    return rc;
}

/* Check the head of segment `index` against what came before it. *ret_is_stray: see the struct. */
static enum sw_rc check_head(struct walk *walk, size_t index, bool *ret_is_stray)
{
    struct sw_segment_walk *out = walk->out;
    struct sw_segment *segment = &out->segments[index];
    uint8_t bytes[SW_SEGMENT_HEAD_BYTES];
    struct sw_segment_head head;
    enum sw_rc rc = read_exact(walk, segment->file, 0, bytes, sizeof bytes);

    *ret_is_stray = false;
    if (rc != SW_OK)
        return rc;
    rc = sw_segment_head_take(bytes, &head, walk->err);
    if (rc == SW_E_CORRUPT && index + 1 == out->count)
        return check_stray(walk, index, ret_is_stray);
    if (rc != SW_OK) {
        sw_err_context(walk->err, "journal %s, segment %016" PRIx64, walk->folder,
                       segment->base_lsn);
        return rc;
    }
    if (index == 0) {
        memcpy(out->report.uuid, head.uuid, sizeof head.uuid);
        out->report.first_lsn = out->report.end_lsn = head.base_lsn;
        out->report.last_epoch = head.first_epoch - 1;
        out->chain = head.chain;
    }
    if (head.base_lsn != segment->base_lsn || head.base_lsn != out->report.end_lsn ||
        head.first_epoch != out->report.last_epoch + 1 || head.chain != out->chain ||
        memcmp(head.uuid, out->report.uuid, sizeof head.uuid) != 0)
        return damaged(walk, "a gap before the next segment");
    return SW_OK;
}

/* The last file holds nothing that counts: it is to be removed, the one before goes on. */
static void drop_stray(struct walk *walk)
{
    struct sw_segment_walk *out = walk->out;
    struct sw_segment *last = &out->segments[out->count - 1];

    out->has_stray = true;
    out->stray_base = last->base_lsn;
    walk->system->file_close(walk->system->ctx, last->file);
    out->count--;
}

/* The room behind what was written needs no reading: most of a segment, after a short life. */
static enum sw_rc measure(struct walk *walk, const struct sw_segment *segment)
{
    return walk->system->file_written_end(walk->system->ctx, segment->file, &walk->file_bytes,
                                          walk->err);
}

/* What stands behind the end of the last segment: an epoch that a crash cut short, or nothing. */
static enum sw_rc check_tail(struct walk *walk, const struct sw_segment *segment)
{
    const struct sw_journal_report *report = &walk->out->report;
    uint64_t at = SW_SEGMENT_HEAD_BYTES + (report->end_lsn - segment->base_lsn);
    bool has_later = false;
    enum sw_rc rc = measure(walk, segment);

    if (rc == SW_OK)
        rc = search_later(walk, segment->file, at, report->last_epoch + 1, &has_later);
    if (rc == SW_OK && has_later)
        return damaged(walk, "a damaged epoch");
    return rc == SW_OK ? count_torn(walk, segment->file, at) : rc;
}

static enum sw_rc walk_segment(struct walk *walk, size_t index)
{
    struct sw_segment_walk *out = walk->out;
    struct sw_segment *segment = &out->segments[index];
    uint64_t at = SW_SEGMENT_HEAD_BYTES, size;
    char path[SW_PATH_MAX];
    bool is_stray;
    enum sw_rc rc;

    sw_segment_path(walk->folder, segment->base_lsn, path);
    rc = walk->system->file_open(walk->system->ctx, path, SW_FILE_READ, &segment->file, walk->err);
    if (rc == SW_OK)
        rc = measure(walk, segment);
    if (rc != SW_OK)
        return rc;
    rc = check_head(walk, index, &is_stray);
    if (rc == SW_OK && is_stray)
        drop_stray(walk);
    if (rc != SW_OK || is_stray)
        return rc;
    while (rc == SW_OK) {
        rc = read_epoch(walk, segment->file, at, &size);
        if (rc != SW_OK || size == 0)
            break;
        at += size;
    }
    if (rc != SW_OK || index + 1 < out->count) /* The next head tells whether this was its end. */
        return rc;
    return check_tail(walk, segment);
}

enum sw_rc sw_segment_walk(const struct sw_system *system, const char *folder,
                           sw_journal_visit *visit, void *ctx, struct sw_segment_walk *ret_walk,
                           struct sw_err *err)
{
    struct walk walk = {.system = system,
                        .folder = folder,
                        .visit = visit,
                        .ctx = ctx,
                        .out = ret_walk,
                        .err = err,
                        .window_file = -1,
                        .epoch_max = SW_JOURNAL_EPOCH_MAX};
    enum sw_rc rc;

    memset(ret_walk, 0, sizeof *ret_walk);
    rc = system->folder_list(system->ctx, folder, collect_name, ret_walk, err);
    if (rc != SW_OK)
        return rc;
    if (ret_walk->count == 0)
        return SW_OK;
    qsort(ret_walk->segments, ret_walk->count, sizeof *ret_walk->segments, compare_segments);
    sw_buffer_init(&walk.window, SW_JOURNAL_EPOCH_MAX);
    for (size_t i = 0; rc == SW_OK && i < ret_walk->count; i++)
        rc = walk_segment(&walk, i);
    /* Behind a stray segment the one before it is the last after all. */
    if (rc == SW_OK && ret_walk->has_stray && ret_walk->count > 0)
        rc = check_tail(&walk, &ret_walk->segments[ret_walk->count - 1]);
    ret_walk->report.segments = ret_walk->count;
    sw_buffer_done(&walk.window);
    return rc;
}

/* --- Beside a host that writes --------------------------------------------------------------- */

/* Take in what the folder lists: close what has gone, add what has come. */
static enum sw_rc refresh(struct walk *walk)
{
    struct sw_segment_walk *out = walk->out, listed = {.count = 0};
    size_t kept = 0, from = 0;
    enum sw_rc rc = walk->system->folder_list(walk->system->ctx, walk->folder, collect_name,
                                              &listed, walk->err);

    if (rc == SW_OK && listed.count > 0)
        qsort(listed.segments, listed.count, sizeof *listed.segments, compare_segments);
    for (size_t i = 0; rc == SW_OK && i < out->count; i++) {
        while (from < listed.count && listed.segments[from].base_lsn < out->segments[i].base_lsn)
            from++; /* A stray that came back is none of ours. */
        if (from < listed.count && listed.segments[from].base_lsn == out->segments[i].base_lsn)
            listed.segments[from++].file = out->segments[i].file, kept++;
        else if (out->segments[i].file >= 0)
            walk->system->file_close(walk->system->ctx, out->segments[i].file);
        out->segments[i].file = -1;
    }
    if (rc != SW_OK) {
        free(listed.segments);
        return rc;
    }
    if (out->count > 0 && kept == 0)
        rc = sw_err_set(walk->err, SW_E_UNAVAILABLE, "journal %s: all of it was replaced",
                        walk->folder);
    free(out->segments);
    out->segments = listed.segments;
    out->count = listed.count;
    return rc;
}

/* Whether what stands at `at` is an epoch like any other, but for its size. */
static bool is_too_large(struct walk *walk, int file, uint64_t at)
{
    struct sw_epoch_head head;
    const uint8_t *bytes;
    uint32_t check;

    return at + SW_EPOCH_HEAD_BYTES <= walk->file_bytes &&
           window_get(walk, file, at, SW_EPOCH_HEAD_BYTES, &bytes) == SW_OK &&
           sw_epoch_head_take(bytes, walk->out->report.uuid, &head, &check) &&
           head.lsn == walk->out->report.end_lsn && head.body_bytes > walk->epoch_max;
}

/* No epoch could be read at `at`: read it once more if a later one stands behind it. The one is
 * whole when the other is begun, so where it still is not that is damage, and not the end.
 * *ret_size 0: it is the end. */
static enum sw_rc read_again(struct walk *walk, const struct sw_segment *segment, uint64_t at,
                             uint64_t *ret_size)
{
    bool has_later = false;
    enum sw_rc rc = measure(walk, segment);

    *ret_size = 0;
    if (rc == SW_OK && !is_too_large(walk, segment->file, at))
        rc = search_later(walk, segment->file, at, walk->out->report.last_epoch + 1, &has_later);
    if (rc != SW_OK || !has_later)
        return rc;
    walk->window_file = -1; /* It has what stood there before. */
    rc = measure(walk, segment);
    if (rc == SW_OK)
        rc = read_epoch(walk, segment->file, at, ret_size);
    return rc == SW_OK && *ret_size == 0 ? damaged(walk, "a damaged epoch") : rc;
}

/* Read the epochs of an open segment from where the walk is, until it is at lsn `end_max`. */
static enum sw_rc follow_segment(struct walk *walk, const struct sw_segment *segment,
                                 uint64_t end_max)
{
    const struct sw_journal_report *report = &walk->out->report;
    uint64_t at = SW_SEGMENT_HEAD_BYTES + (report->end_lsn - segment->base_lsn), size = 1;
    enum sw_rc rc = measure(walk, segment);

    for (; rc == SW_OK && size > 0; at += size) {
        rc = read_epoch(walk, segment->file, at, &size);
        if (rc == SW_OK && size == 0)
            rc = read_again(walk, segment, at, &size);
        if (rc == SW_OK && size > 0 && report->end_lsn > end_max)
            rc = sw_err_set(walk->err, SW_E_RANGE, "journal %s grows faster than it is read",
                            walk->folder);
    }
    if (rc == SW_OK && is_too_large(walk, segment->file, at))
        rc = sw_err_set(walk->err, SW_E_RANGE,
                        "journal %s: an epoch of more than %" PRIu32 " bytes at lsn %" PRIu64,
                        walk->folder, walk->epoch_max, report->end_lsn);
    return rc;
}

/* The file of a name, which may be another one than before: a host that could not sync one goes on
 * in a copy. */
static enum sw_rc open_again(struct walk *walk, struct sw_segment *segment)
{
    char path[SW_PATH_MAX];
    enum sw_rc rc;

    if (segment->file >= 0)
        walk->system->file_close(walk->system->ctx, segment->file);
    segment->file = -1;
    sw_segment_path(walk->folder, segment->base_lsn, path);
    rc = walk->system->file_open(walk->system->ctx, path, SW_FILE_READ | SW_FILE_EXACT,
                                 &segment->file, walk->err);
    return rc != SW_E_NOT_FOUND ? rc
                                : sw_err_set(walk->err, SW_E_UNAVAILABLE,
                                             "journal %s: a segment was removed", walk->folder);
}

/* Open one that has come. *ret_is_begun: false, it has no head yet. */
static enum sw_rc join_segment(struct walk *walk, size_t index, bool *ret_is_begun)
{
    struct sw_segment *segment = &walk->out->segments[index];
    uint8_t bytes[SW_SEGMENT_HEAD_BYTES];
    struct sw_segment_head head;
    bool is_stray;
    enum sw_rc rc = open_again(walk, segment);

    if (rc == SW_OK)
        rc = read_exact(walk, segment->file, 0, bytes, sizeof bytes);
    if (rc != SW_OK)
        return rc;
    *ret_is_begun = sw_segment_head_take(bytes, &head, walk->err) != SW_E_CORRUPT;
    return *ret_is_begun || index + 1 < walk->out->count ? check_head(walk, index, &is_stray)
                                                         : SW_OK;
}

/* The segments behind this one are not begun. */
static void forget_from(struct walk *walk, size_t index)
{
    struct sw_segment_walk *out = walk->out;

    while (out->count > index) {
        struct sw_segment *last = &out->segments[--out->count];

        if (last->file >= 0)
            walk->system->file_close(walk->system->ctx, last->file);
    }
}

enum sw_rc sw_segment_walk_on(const struct sw_segment_place *place, sw_journal_visit *visit,
                              void *ctx, struct sw_segment_walk *walk, struct sw_err *err)
{
    struct walk own = {.system = place->system,
                       .folder = place->folder,
                       .visit = visit,
                       .ctx = ctx,
                       .out = walk,
                       .err = err,
                       .window_file = -1,
                       .epoch_max = place->epoch_max};
    uint64_t end_max = place->bytes_max == 0 ? UINT64_MAX : walk->report.end_lsn + place->bytes_max;
    enum sw_rc rc = refresh(&own);

    sw_buffer_init(&own.window, SW_JOURNAL_EPOCH_MAX);
    for (size_t i = 0; rc == SW_OK && i < walk->count; i++) {
        struct sw_segment *segment = &walk->segments[i];
        bool is_begun = true;

        if (segment->file >= 0 && i + 1 < walk->count && walk->segments[i + 1].file >= 0)
            continue; /* It was read to its end. */
        rc = segment->file >= 0 ? open_again(&own, segment) : join_segment(&own, i, &is_begun);
        if (rc == SW_OK && !is_begun)
            forget_from(&own, i);
        else if (rc == SW_OK)
            rc = follow_segment(&own, segment, end_max);
    }
    walk->report.segments = walk->count;
    sw_buffer_done(&own.window);
    return rc;
}

/* Visit what stands in one segment up to the journal's lsn `end`. */
static enum sw_rc revisit_segment(struct walk *walk, const struct sw_segment *segment, uint64_t end)
{
    struct sw_epoch_head head;
    enum sw_rc rc = SW_OK;

    walk->file_bytes = SW_SEGMENT_HEAD_BYTES + (end - segment->base_lsn);
    for (uint64_t lsn = segment->base_lsn; rc == SW_OK && lsn < end;) {
        uint64_t at = SW_SEGMENT_HEAD_BYTES + (lsn - segment->base_lsn);
        const uint8_t *bytes;
        uint32_t check;

        rc = window_get(walk, segment->file, at, SW_EPOCH_HEAD_BYTES, &bytes);
        if (rc != SW_OK)
            return rc;
        if (!sw_epoch_head_take(bytes, walk->out->report.uuid, &head, &check) || head.lsn != lsn ||
            head.body_bytes > end - lsn - SW_EPOCH_HEAD_BYTES)
            return damaged(walk, "an epoch that has changed since it was checked");
        lsn += SW_EPOCH_HEAD_BYTES + head.body_bytes;
        if (lsn <= walk->from)
            continue;
        rc = window_get(walk, segment->file, at + SW_EPOCH_HEAD_BYTES, head.body_bytes, &bytes);
        if (rc == SW_OK)
            rc = visit_records(walk, &head, bytes);
        walk->out->report.last_epoch = head.epoch;
        walk->out->report.end_lsn = lsn;
    }
    return rc;
}

enum sw_rc sw_segment_revisit(const struct sw_segment_source *source, uint64_t from,
                              sw_journal_visit *visit, void *ctx, struct sw_err *err)
{
    struct sw_segment_walk seen = {.count = 0};
    struct walk walk = {.system = source->system,
                        .folder = source->folder,
                        .visit = visit,
                        .ctx = ctx,
                        .out = &seen,
                        .err = err,
                        .window_file = -1,
                        .from = from,
                        .is_known = true,
                        .epoch_max = SW_JOURNAL_EPOCH_MAX};
    enum sw_rc rc = SW_OK;

    memcpy(seen.report.uuid, source->uuid, sizeof seen.report.uuid);
    sw_buffer_init(&walk.window, SW_JOURNAL_EPOCH_MAX);
    for (size_t i = 0; rc == SW_OK && i < source->count; i++) {
        uint64_t end = i + 1 < source->count ? source->segments[i + 1].base_lsn : source->end_lsn;

        if (end > from)
            rc = revisit_segment(&walk, &source->segments[i], end);
    }
    sw_buffer_done(&walk.window);
    return rc;
}

void sw_segment_walk_done(const struct sw_system *system, struct sw_segment_walk *walk)
{
    for (size_t i = 0; i < walk->count; i++)
        if (walk->segments[i].file >= 0)
            system->file_close(system->ctx, walk->segments[i].file);
    free(walk->segments);
    walk->segments = NULL;
    walk->count = 0;
}
