#include "pkg/agent/store/shelf.h"

#include "pkg/utils/base/hash.h"
#include "pkg/utils/base/idmap.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC 0x48535753u /* "SWSH" */
#define READ_BYTES 1024u  /* Most blocks are smaller, with their heads. */
#define ROOM_PART 16u     /* With so much of waiting_max left there is room. */

struct file {
    uint32_t number;
    int handle;       /* -1: not made yet. */
    uint64_t bytes;   /* With what waits. */
    uint64_t written; /* So far it is read from the file. */
    uint64_t blocks, live;
    uint32_t readers;    /* It stays open for them. */
    bool is_ended;       /* Nothing more is put into it. */
    bool is_unsynced;    /* Of the thread that writes. */
    bool is_named;       /* By the snapshot that counts, */
    bool is_to_be_named; /* and by the one that was begun last. */
};

/* What was put into a file one after the other, until it is written. */
struct extent {
    struct extent *next;
    struct file *file;
    uint64_t offset;
    size_t size, capacity, written;
    uint8_t bytes[];
};

struct sw_shelf {
    const struct sw_system *system;
    char folder[SW_PATH_MAX - SW_SHELF_NAME_MAX - 1];
    uint8_t uuid[16];
    uint64_t file_bytes, waiting_max;
    size_t extent_bytes;
    _Atomic uint64_t waiting;

    pthread_mutex_t mutex;  /* Guards what follows. */
    struct sw_idmap *files; /* struct file by number. */
    struct file *newest;    /* NULL: the next block begins one. */
    uint32_t next_number;
    struct extent *first, *last;
    enum sw_rc failure; /* Of writing, for good. */

    bool is_folder_unsynced; /* Of the thread that writes. */
    struct file *kept;       /* Of recovery: whose place was named last. */
};

void sw_shelf_name(uint32_t number, char ret_name[SW_SHELF_NAME_MAX])
{
    snprintf(ret_name, SW_SHELF_NAME_MAX, "shelf-%08" PRIx32 ".shelf", number);
}

static void path_of(const struct sw_shelf *shelf, uint32_t number, char ret_path[SW_PATH_MAX])
{
    char name[SW_SHELF_NAME_MAX];

    sw_shelf_name(number, name);
    snprintf(ret_path, SW_PATH_MAX, "%s/%s", shelf->folder, name);
}

static uint64_t place_of(const struct file *file, uint64_t offset)
{
    return (uint64_t)file->number << SW_SHELF_OFFSET_BITS | offset;
}

/* --- Life ------------------------------------------------------------------------------------ */

enum sw_rc sw_shelf_new(const struct sw_shelf_options *options, struct sw_shelf **ret_shelf,
                        struct sw_err *err)
{
    struct sw_shelf *shelf = calloc(1, sizeof *shelf);
    struct sw_idmap *files = sw_idmap_new(0, 0);

    if (shelf == NULL || files == NULL) {
        free(shelf);
        sw_idmap_free(files);
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a shelf");
    }
    shelf->system = options->system;
    snprintf(shelf->folder, sizeof shelf->folder, "%s", options->folder);
    memcpy(shelf->uuid, options->uuid, sizeof shelf->uuid);
    shelf->file_bytes = options->file_bytes == 0 ? SW_SHELF_FILE_BYTES : options->file_bytes;
    shelf->extent_bytes =
        options->extent_bytes == 0 ? SW_SHELF_EXTENT_BYTES : options->extent_bytes;
    shelf->waiting_max = options->waiting_max == 0 ? SW_SHELF_WAITING_MAX : options->waiting_max;
    shelf->files = files;
    shelf->next_number = 1;
    pthread_mutex_init(&shelf->mutex, NULL);
    *ret_shelf = shelf;
    return SW_OK;
}

static void close_file(const struct sw_shelf *shelf, struct file *file)
{
    if (file->handle >= 0)
        shelf->system->file_close(shelf->system->ctx, file->handle);
    free(file);
}

void sw_shelf_free(struct sw_shelf *shelf)
{
    size_t cursor = 0;
    void *value;

    if (shelf == NULL)
        return;
    while (sw_idmap_next(shelf->files, &cursor, NULL, &value))
        close_file(shelf, value);
    sw_idmap_free(shelf->files);
    while (shelf->first != NULL) {
        struct extent *next = shelf->first->next;

        free(shelf->first);
        shelf->first = next;
    }
    pthread_mutex_destroy(&shelf->mutex);
    free(shelf);
}

/* The mutex is held, or nobody else is there yet. */
static struct file *file_new(struct sw_shelf *shelf, uint32_t number)
{
    struct file *file = calloc(1, sizeof *file);

    if (file == NULL)
        return NULL;
    file->number = number;
    file->handle = -1;
    file->bytes = SW_SHELF_HEAD_BYTES;
    if (sw_idmap_put(shelf->files, number, file, NULL) != SW_OK) {
        free(file);
        return NULL;
    }
    if (number >= shelf->next_number)
        shelf->next_number = number + 1;
    return file;
}

/* --- Heads ----------------------------------------------------------------------------------- */

static void head_put(const struct sw_shelf *shelf, uint32_t number, struct sw_buffer *out)
{
    sw_buffer_put_u32(out, MAGIC);
    sw_buffer_put_u32(out, SW_SHELF_VERSION);
    sw_buffer_put(out, shelf->uuid, sizeof shelf->uuid);
    sw_buffer_put_u32(out, number);
    sw_buffer_put_u64(out, 0);
    if (!out->failed)
        sw_buffer_put_u32(out, sw_crc32c(0, out->data, SW_SHELF_HEAD_BYTES - 4));
}

static enum sw_rc head_check(const struct sw_shelf *shelf, const struct file *file,
                             struct sw_err *err)
{
    uint8_t bytes[SW_SHELF_HEAD_BYTES] = {0};
    struct sw_reader reader = sw_reader_of(bytes, sizeof bytes);
    uint32_t magic, version;
    size_t got = 0;
    enum sw_rc rc = shelf->system->file_read(shelf->system->ctx, file->handle, 0, bytes,
                                             sizeof bytes, &got, err);

    if (rc != SW_OK)
        return rc;
    magic = sw_reader_u32(&reader);
    version = sw_reader_u32(&reader);
    if (got < sizeof bytes || magic != MAGIC)
        return sw_err_set(err, SW_E_CORRUPT, "not a shelf");
    if (version != SW_SHELF_VERSION) {
        sw_err_set(err, SW_E_UNSUPPORTED, "the shelf is of version %" PRIu32, version);
        sw_err_hint(err, "it was written by another release of Swarm; this one reads version %u",
                    SW_SHELF_VERSION);
        return SW_E_UNSUPPORTED;
    }
    if (memcmp(sw_reader_take(&reader, 16).data, shelf->uuid, sizeof shelf->uuid) != 0 ||
        sw_reader_u32(&reader) != file->number)
        return sw_err_set(err, SW_E_CORRUPT, "the shelf is another one's");
    (void)sw_reader_u64(&reader);
    if (sw_reader_u32(&reader) != sw_crc32c(0, bytes, sizeof bytes - 4))
        return sw_err_set(err, SW_E_CORRUPT, "the head of the shelf is damaged");
    return SW_OK;
}

/* --- Recovery -------------------------------------------------------------------------------- */

enum sw_rc sw_shelf_add(struct sw_shelf *shelf, const struct sw_shelf_file *view,
                        struct sw_err *err)
{
    const struct sw_system *system = shelf->system;
    char path[SW_PATH_MAX];
    struct sw_file_view seen;
    struct file *file;
    enum sw_rc rc;

    if (view->number == 0 || view->number >> SW_SHELF_FILE_BITS != 0 ||
        view->bytes < SW_SHELF_HEAD_BYTES || view->bytes >> SW_SHELF_OFFSET_BITS != 0 ||
        sw_idmap_count(shelf->files) >= SW_SHELF_FILES_MAX ||
        sw_idmap_find(shelf->files, view->number) != NULL)
        return sw_err_set(err, SW_E_CORRUPT, "a shelf that cannot be");
    file = file_new(shelf, view->number);
    if (file == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a shelf");
    file->bytes = file->written = view->bytes;
    file->blocks = view->blocks;
    file->is_ended = file->is_named = file->is_to_be_named = true;
    path_of(shelf, view->number, path);
    rc = system->path_view(system->ctx, path, &seen, err);
    if (rc == SW_OK && seen.size_bytes < view->bytes)
        rc = sw_err_set(err, SW_E_CORRUPT, "it is shorter than its snapshot says");
    if (rc == SW_OK)
        rc = system->file_open(system->ctx, path, SW_FILE_READ, &file->handle, err);
    if (rc == SW_OK)
        rc = head_check(shelf, file, err);
    if (rc == SW_E_NOT_FOUND)
        rc = sw_err_set(err, SW_E_CORRUPT, "it is not there");
    if (rc != SW_OK)
        (void)sw_err_context(err, "%s", path);
    return rc;
}

bool sw_shelf_keep(struct sw_shelf *shelf, uint64_t place)
{
    uint32_t number = sw_shelf_number_of(place);
    struct file *file = shelf->kept;
    uint64_t offset = sw_shelf_offset_of(place);

    if (file == NULL || file->number != number) /* Most often it is the same as of the last. */
        file = shelf->kept = sw_idmap_find(shelf->files, number);
    if (file == NULL || offset < SW_SHELF_HEAD_BYTES ||
        offset + SW_SNAPSHOT_BLOCK_HEAD_BYTES > file->bytes)
        return false;
    file->live++;
    return true;
}

/* --- Putting --------------------------------------------------------------------------------- */

/* The file that a block of that size goes to; NULL: no memory. The mutex is held. */
static struct file *file_for(struct sw_shelf *shelf, size_t size)
{
    struct file *file = shelf->newest;

    if (file != NULL && file->bytes + size <= shelf->file_bytes)
        return file;
    if (file != NULL)
        file->is_ended = true;
    shelf->newest = NULL;
    if (size + SW_SHELF_HEAD_BYTES > UINT64_C(1) << SW_SHELF_OFFSET_BITS ||
        sw_idmap_count(shelf->files) >= SW_SHELF_FILES_MAX ||
        shelf->next_number >> SW_SHELF_FILE_BITS != 0)
        return NULL;
    shelf->newest = file_new(shelf, shelf->next_number);
    return shelf->newest;
}

/* Room for a block at the end of the file; NULL: no memory. The mutex is held. */
static struct extent *extent_for(struct sw_shelf *shelf, struct file *file, size_t size)
{
    struct extent *extent = shelf->last;
    size_t capacity = size > shelf->extent_bytes ? size : shelf->extent_bytes;

    if (extent != NULL && extent->file == file && extent->capacity - extent->size >= size)
        return extent;
    extent = malloc(sizeof *extent + capacity);
    if (extent == NULL)
        return NULL;
    *extent = (struct extent){.file = file, .offset = file->bytes, .capacity = capacity};
    if (shelf->first == NULL)
        shelf->first = extent;
    else
        shelf->last->next = extent;
    shelf->last = extent;
    return extent;
}

static enum sw_rc put(struct sw_shelf *shelf, struct sw_bytes block, uint64_t *ret_place)
{
    struct file *file;
    struct extent *extent;

    if (shelf->failure != SW_OK)
        return shelf->failure;
    if (atomic_load_explicit(&shelf->waiting, memory_order_relaxed) + block.size >
        shelf->waiting_max)
        return SW_E_EXHAUSTED;
    file = file_for(shelf, block.size);
    extent = file == NULL ? NULL : extent_for(shelf, file, block.size);
    if (extent == NULL)
        return SW_E_EXHAUSTED;
    memcpy(extent->bytes + extent->size, block.data, block.size);
    *ret_place = place_of(file, file->bytes);
    extent->size += block.size;
    file->bytes += block.size;
    file->blocks++;
    file->live++;
    atomic_fetch_add_explicit(&shelf->waiting, block.size, memory_order_relaxed);
    return SW_OK;
}

enum sw_rc sw_shelf_put(struct sw_shelf *shelf, struct sw_bytes block, uint64_t *ret_place)
{
    enum sw_rc rc;

    pthread_mutex_lock(&shelf->mutex);
    rc = put(shelf, block, ret_place);
    pthread_mutex_unlock(&shelf->mutex);
    return rc;
}

void sw_shelf_drop(struct sw_shelf *shelf, uint64_t place)
{
    struct file *file;

    pthread_mutex_lock(&shelf->mutex);
    file = sw_idmap_find(shelf->files, sw_shelf_number_of(place));
    if (file != NULL && file->live > 0)
        file->live--;
    pthread_mutex_unlock(&shelf->mutex);
}

/* --- Reading --------------------------------------------------------------------------------- */

/* Copy what waits to be written at that offset. The mutex is held. False: it is written. */
static bool copy_waiting(struct sw_shelf *shelf, const struct file *file, uint64_t offset,
                         struct sw_buffer *out)
{
    for (const struct extent *extent = shelf->first; extent != NULL; extent = extent->next) {
        if (extent->file != file || offset < extent->offset ||
            offset >= extent->offset + extent->size)
            continue;
        /* All that follows: where it ends stands in itself. A block is whole in its extent. */
        struct sw_reader reader = sw_reader_of(extent->bytes + (offset - extent->offset),
                                               extent->size - (size_t)(offset - extent->offset));
        uint64_t size = SW_SNAPSHOT_BLOCK_HEAD_BYTES + (uint64_t)sw_reader_u32(&reader);

        sw_buffer_put(out, reader.data, size < reader.size ? (size_t)size : reader.size);
        return true;
    }
    return false;
}

struct reading {
    const struct sw_shelf *shelf;
    const struct file *file;
    uint64_t offset, end; /* Of the block; of what is written. */
    bool is_now;
    struct sw_buffer *out;
    struct sw_err *err;
};

/* Read size bytes more, to the end of out. */
static enum sw_rc read_more(const struct reading *reading, size_t size)
{
    const struct sw_system *system = reading->shelf->system;
    struct sw_buffer *out = reading->out;
    uint64_t offset = reading->offset + out->size;
    uint8_t *room = sw_buffer_reserve(out, size);
    size_t got = 0;
    enum sw_rc rc;

    if (room == NULL)
        return sw_err_set(reading->err, SW_E_EXHAUSTED, "no memory for a block of a shelf");
    rc = (reading->is_now ? system->file_read_now : system->file_read)(
        system->ctx, reading->file->handle, offset, room, size, &got, reading->err);
    if (rc == SW_OK && got < size)
        rc = sw_err_set(reading->err, SW_E_CORRUPT, "the shelf ends within a block");
    if (rc == SW_OK)
        out->size += size;
    return rc;
}

/* The whole block, and some of what follows. */
static enum sw_rc read_file(const struct reading *reading)
{
    const struct sw_buffer *out = reading->out;
    uint64_t left = reading->end - reading->offset, size;
    struct sw_reader reader;
    enum sw_rc rc = read_more(reading, left < READ_BYTES ? (size_t)left : READ_BYTES);

    if (rc != SW_OK)
        return rc;
    reader = sw_reader_of(out->data, out->size);
    size = SW_SNAPSHOT_BLOCK_HEAD_BYTES + (uint64_t)sw_reader_u32(&reader);
    if (reader.failed || size > left)
        return sw_err_set(reading->err, SW_E_CORRUPT, "no block of a shelf there");
    return size <= out->size ? SW_OK : read_more(reading, (size_t)size - out->size);
}

static enum sw_rc read_block(struct sw_shelf *shelf, uint64_t place, bool is_now,
                             struct sw_buffer *out, struct sw_err *err)
{
    struct reading reading = {.shelf = shelf,
                              .offset = sw_shelf_offset_of(place),
                              .is_now = is_now,
                              .out = out,
                              .err = err};
    struct file *file;
    bool is_copied = false;
    enum sw_rc rc;

    pthread_mutex_lock(&shelf->mutex);
    reading.file = file = sw_idmap_find(shelf->files, sw_shelf_number_of(place));
    if (file != NULL && reading.offset >= file->written)
        is_copied = copy_waiting(shelf, file, reading.offset, out);
    if (file != NULL) {
        file->readers++;
        reading.end = file->written;
    }
    pthread_mutex_unlock(&shelf->mutex);
    if (file == NULL)
        return sw_err_set(err, SW_E_CORRUPT, "there is no such shelf");
    if (is_copied)
        rc = sw_buffer_check(out);
    else if (reading.offset < SW_SHELF_HEAD_BYTES || reading.offset >= reading.end)
        rc = sw_err_set(err, SW_E_CORRUPT, "the shelf ends before that");
    else
        rc = read_file(&reading);
    pthread_mutex_lock(&shelf->mutex);
    file->readers--;
    pthread_mutex_unlock(&shelf->mutex);
    return rc;
}

enum sw_rc sw_shelf_read(struct sw_shelf *shelf, uint64_t place, bool is_now, struct sw_buffer *out,
                         struct sw_snapshot_instance *ret_instance, struct sw_err *err)
{
    enum sw_rc rc;

    sw_buffer_reset(out);
    rc = read_block(shelf, place, is_now, out, err);
    if (rc == SW_OK)
        rc = sw_snapshot_instance_of(out, ret_instance, err);
    if (rc != SW_OK && rc != SW_E_UNAVAILABLE)
        (void)sw_err_context(err, "shelf %" PRIu32 " at %" PRIu64, sw_shelf_number_of(place),
                             sw_shelf_offset_of(place));
    return rc;
}

/* --- Writing --------------------------------------------------------------------------------- */

bool sw_shelf_has_work(const struct sw_shelf *shelf)
{
    return sw_shelf_waiting(shelf) >= shelf->extent_bytes;
}

bool sw_shelf_has_room(const struct sw_shelf *shelf)
{
    return sw_shelf_waiting(shelf) < shelf->waiting_max - shelf->waiting_max / ROOM_PART;
}

uint64_t sw_shelf_waiting(const struct sw_shelf *shelf)
{
    return atomic_load_explicit(&shelf->waiting, memory_order_relaxed);
}

static enum sw_rc remove_needless(struct sw_shelf *shelf, struct sw_err *err);

enum sw_rc sw_shelf_failure(struct sw_shelf *shelf)
{
    enum sw_rc rc;

    pthread_mutex_lock(&shelf->mutex);
    rc = shelf->failure;
    pthread_mutex_unlock(&shelf->mutex);
    return rc;
}

static enum sw_rc make(struct sw_shelf *shelf, struct file *file, struct sw_err *err)
{
    const struct sw_system *system = shelf->system;
    struct sw_buffer head;
    char path[SW_PATH_MAX];
    int handle;
    enum sw_rc rc;

    if (file->handle >= 0)
        return SW_OK;
    path_of(shelf, file->number, path);
    rc = system->file_open(system->ctx, path,
                           SW_FILE_READ | SW_FILE_WRITE | SW_FILE_CREATE | SW_FILE_TRUNCATE,
                           &handle, err);
    if (rc != SW_OK)
        return rc;
    sw_buffer_init(&head, SW_SHELF_HEAD_BYTES);
    head_put(shelf, file->number, &head);
    rc = sw_buffer_check(&head);
    if (rc == SW_OK)
        rc = system->file_write(system->ctx, handle, 0, head.data, head.size, err);
    sw_buffer_done(&head);
    if (rc != SW_OK) {
        system->file_close(system->ctx, handle);
        return rc;
    }
    shelf->is_folder_unsynced = true;
    pthread_mutex_lock(&shelf->mutex);
    file->handle = handle;
    file->written = SW_SHELF_HEAD_BYTES;
    pthread_mutex_unlock(&shelf->mutex);
    return SW_OK;
}

/* So much of the first extent is written; if that is all of it, and will be, it goes. */
static void note_written(struct sw_shelf *shelf, struct extent *extent, size_t size)
{
    struct file *file = extent->file;
    bool is_over;

    pthread_mutex_lock(&shelf->mutex);
    atomic_fetch_sub_explicit(&shelf->waiting, size - extent->written, memory_order_relaxed);
    extent->written = size;
    file->written = extent->offset + size;
    is_over = extent->written == extent->size &&
              (extent != shelf->last || extent->capacity - extent->size < shelf->extent_bytes / 2);
    if (is_over) {
        shelf->first = extent->next;
        if (shelf->last == extent)
            shelf->last = NULL;
    }
    pthread_mutex_unlock(&shelf->mutex);
    if (is_over)
        free(extent);
}

/* The first extent with something to write; NULL: none. Those that end before stay as they are. */
static struct extent *next_extent(struct sw_shelf *shelf, size_t *ret_size)
{
    struct extent *extent;

    pthread_mutex_lock(&shelf->mutex);
    extent = shelf->first;
    if (extent != NULL && extent->written == extent->size) {
        struct extent *next = extent->next;

        if (next != NULL) { /* It was whole before somebody wanted more room. */
            shelf->first = next;
            free(extent);
        }
        extent = next;
    }
    if (extent != NULL)
        *ret_size = extent->size;
    pthread_mutex_unlock(&shelf->mutex);
    return extent;
}

enum sw_rc sw_shelf_write(struct sw_shelf *shelf, struct sw_err *err)
{
    const struct sw_system *system = shelf->system;
    struct extent *extent;
    size_t size = 0;
    enum sw_rc rc = sw_shelf_failure(shelf);

    if (rc != SW_OK)
        return sw_err_set(err, rc, "the shelf could not be written before");
    while (rc == SW_OK && (extent = next_extent(shelf, &size)) != NULL) {
        rc = make(shelf, extent->file, err);
        if (rc == SW_OK)
            rc = system->file_write(system->ctx, extent->file->handle,
                                    extent->offset + extent->written,
                                    extent->bytes + extent->written, size - extent->written, err);
        if (rc != SW_OK)
            break;
        extent->file->is_unsynced = true;
        note_written(shelf, extent, size);
    }
    if (rc == SW_OK)
        (void)remove_needless(shelf, NULL); /* What is left is tried again. */
    if (rc == SW_OK || rc == SW_E_EXHAUSTED)
        return rc;
    pthread_mutex_lock(&shelf->mutex);
    shelf->failure = rc;
    pthread_mutex_unlock(&shelf->mutex);
    return sw_err_context(err, "the shelf");
}

/* One that is to be synced; NULL: none. */
static struct file *next_unsynced(struct sw_shelf *shelf)
{
    struct file *found = NULL;
    size_t cursor = 0;
    void *value;

    pthread_mutex_lock(&shelf->mutex);
    while (found == NULL && sw_idmap_next(shelf->files, &cursor, NULL, &value))
        if (((struct file *)value)->is_unsynced)
            found = value;
    pthread_mutex_unlock(&shelf->mutex);
    return found;
}

enum sw_rc sw_shelf_sync(struct sw_shelf *shelf, struct sw_err *err)
{
    const struct sw_system *system = shelf->system;
    struct file *file;
    enum sw_rc rc = sw_shelf_write(shelf, err);

    if (rc != SW_OK)
        return rc;
    while (rc == SW_OK && (file = next_unsynced(shelf)) != NULL) {
        rc = system->file_sync(system->ctx, file->handle, err);
        file->is_unsynced = rc != SW_OK;
    }
    if (rc == SW_OK && shelf->is_folder_unsynced)
        rc = system->folder_sync(system->ctx, shelf->folder, err);
    if (rc == SW_OK) {
        shelf->is_folder_unsynced = false;
        return SW_OK;
    }
    pthread_mutex_lock(&shelf->mutex);
    shelf->failure = rc;
    pthread_mutex_unlock(&shelf->mutex);
    return sw_err_context(err, "the shelf");
}

/* --- Files ----------------------------------------------------------------------------------- */

bool sw_shelf_next(struct sw_shelf *shelf, uint32_t *cursor, struct sw_shelf_file *ret_file)
{
    const struct file *found = NULL;
    size_t at = 0;
    void *value;

    pthread_mutex_lock(&shelf->mutex);
    while (sw_idmap_next(shelf->files, &at, NULL, &value)) {
        const struct file *file = value;

        if (file->number > *cursor && (found == NULL || file->number < found->number))
            found = file;
    }
    if (found != NULL) {
        *cursor = found->number;
        *ret_file = (struct sw_shelf_file){.number = found->number,
                                           .bytes = found->bytes,
                                           .blocks = found->blocks,
                                           .live = found->live};
    }
    pthread_mutex_unlock(&shelf->mutex);
    return found != NULL;
}

uint64_t sw_shelf_bytes(struct sw_shelf *shelf)
{
    uint64_t bytes = 0;
    size_t cursor = 0;
    void *value;

    pthread_mutex_lock(&shelf->mutex);
    while (sw_idmap_next(shelf->files, &cursor, NULL, &value))
        bytes += ((const struct file *)value)->bytes;
    pthread_mutex_unlock(&shelf->mutex);
    return bytes;
}

/* Insert it into the list of the emptiest, ascending by what is live of them. */
static uint32_t insert(struct sw_shelf_file *list, uint32_t count, const struct file *file)
{
    uint32_t at = count;

    while (at > 0 && list[at - 1].live * file->blocks > file->live * list[at - 1].blocks)
        at--;
    if (at == SW_SHELF_SPARSE_MAX)
        return count;
    if (count == SW_SHELF_SPARSE_MAX)
        count--;
    memmove(list + at + 1, list + at, (count - at) * sizeof *list);
    list[at] = (struct sw_shelf_file){file->number, file->bytes, file->blocks, file->live};
    return count + 1;
}

uint32_t sw_shelf_sparse(struct sw_shelf *shelf, uint32_t ret_numbers[SW_SHELF_SPARSE_MAX])
{
    struct sw_shelf_file list[SW_SHELF_SPARSE_MAX + 1];
    uint64_t live = 0, dead = 0;
    uint32_t count = 0;
    size_t cursor = 0;
    void *value;

    pthread_mutex_lock(&shelf->mutex);
    while (sw_idmap_next(shelf->files, &cursor, NULL, &value)) {
        const struct file *file = value;
        uint64_t part = file->blocks == 0 ? 0 : file->bytes / file->blocks * file->live;

        live += part;
        dead += file->bytes - (part < file->bytes ? part : file->bytes);
        if (file->is_ended && file->live > 0 && file->live < file->blocks / 2)
            count = insert(list, count, file);
    }
    pthread_mutex_unlock(&shelf->mutex);
    if (dead < live / 2 || dead < 2 * shelf->file_bytes)
        return 0;
    for (uint32_t i = 0; i < count; i++)
        ret_numbers[i] = list[i].number;
    return count;
}

void sw_shelf_begin(struct sw_shelf *shelf)
{
    size_t cursor = 0;
    void *value;

    pthread_mutex_lock(&shelf->mutex);
    if (shelf->newest != NULL && shelf->newest->live == 0) {
        shelf->newest->is_ended = true;
        shelf->newest = NULL;
    }
    while (sw_idmap_next(shelf->files, &cursor, NULL, &value)) {
        struct file *file = value;

        file->is_to_be_named = file->live > 0;
    }
    pthread_mutex_unlock(&shelf->mutex);
}

/* All of it is written: what is kept for more to be put goes. The mutex is held. */
static void free_extents_of(struct sw_shelf *shelf, const struct file *file)
{
    struct extent **at = &shelf->first;

    shelf->last = NULL;
    while (*at != NULL) {
        struct extent *extent = *at;

        if (extent->file == file) {
            *at = extent->next;
            free(extent);
            continue;
        }
        shelf->last = extent;
        at = &extent->next;
    }
}

/* Take out one that nobody needs; NULL: none. */
static struct file *take_needless(struct sw_shelf *shelf)
{
    struct file *found = NULL;
    size_t cursor = 0;
    void *value;

    pthread_mutex_lock(&shelf->mutex);
    while (found == NULL && sw_idmap_next(shelf->files, &cursor, NULL, &value)) {
        const struct file *file = value;

        if (file->is_ended && file->live == 0 && !file->is_named && !file->is_to_be_named &&
            file->readers == 0 && file->written == file->bytes)
            found = value;
    }
    if (found != NULL) {
        (void)sw_idmap_remove(shelf->files, found->number);
        free_extents_of(shelf, found);
    }
    pthread_mutex_unlock(&shelf->mutex);
    return found;
}

struct removal {
    struct sw_shelf *shelf;
    enum sw_rc rc;
    struct sw_err *err;
};

static bool remove_foreign(void *ctx, const char *name)
{
    struct removal *removal = ctx;
    struct sw_shelf *shelf = removal->shelf;
    char path[SW_PATH_MAX], own[SW_SHELF_NAME_MAX];
    unsigned number;
    bool is_own;
    enum sw_rc rc;

    if (sscanf(name, "shelf-%8x.shelf", &number) != 1)
        return true;
    sw_shelf_name(number, own);
    pthread_mutex_lock(&shelf->mutex); /* Workers begin files meanwhile. */
    is_own = sw_idmap_find(shelf->files, number) != NULL;
    pthread_mutex_unlock(&shelf->mutex);
    if (is_own || strcmp(name, own) != 0)
        return true;
    path_of(shelf, number, path);
    rc = shelf->system->path_remove(shelf->system->ctx, path, removal->err);
    if (rc != SW_OK && rc != SW_E_NOT_FOUND)
        removal->rc = rc;
    return true;
}

/* The snapshot that was begun last counts. */
static void settle_names(struct sw_shelf *shelf)
{
    size_t cursor = 0;
    void *value;

    pthread_mutex_lock(&shelf->mutex);
    while (sw_idmap_next(shelf->files, &cursor, NULL, &value))
        ((struct file *)value)->is_named = ((struct file *)value)->is_to_be_named;
    pthread_mutex_unlock(&shelf->mutex);
}

static enum sw_rc remove_needless(struct sw_shelf *shelf, struct sw_err *err)
{
    const struct sw_system *system = shelf->system;
    struct file *file;
    enum sw_rc rc = SW_OK;

    while (rc == SW_OK && (file = take_needless(shelf)) != NULL) {
        char path[SW_PATH_MAX];
        bool is_made = file->handle >= 0;

        path_of(shelf, file->number, path);
        close_file(shelf, file);
        if (is_made)
            rc = system->path_remove(system->ctx, path, err);
        if (rc == SW_E_NOT_FOUND)
            rc = SW_OK;
    }
    return rc;
}

enum sw_rc sw_shelf_clean(struct sw_shelf *shelf, bool is_all, struct sw_err *err)
{
    const struct sw_system *system = shelf->system;
    struct removal removal = {.shelf = shelf, .err = err};
    enum sw_rc rc;

    settle_names(shelf);
    rc = remove_needless(shelf, err);
    if (rc == SW_OK && is_all)
        rc = system->folder_list(system->ctx, shelf->folder, remove_foreign, &removal, err);
    return rc == SW_OK ? removal.rc : rc;
}

/* --- Beside a snapshot ----------------------------------------------------------------------- */

static enum sw_rc go_on(const struct sw_shelf_visitor *visitor,
                        const struct sw_snapshot_block *block, struct sw_err *err)
{
    return visitor->visit == NULL ? SW_OK : visitor->visit(visitor->ctx, block, err);
}

static enum sw_rc visit_places(struct sw_shelf_visitor *visitor,
                               const struct sw_snapshot_places *places, struct sw_err *err)
{
    struct sw_reader reader = sw_reader_of(places->places.data, places->places.size);
    enum sw_rc rc = SW_OK;

    for (uint32_t i = 0; rc == SW_OK && i < places->count; i++) {
        struct sw_snapshot_block block = {.kind = SW_SNAPSHOT_INSTANCE};

        block.at =
            sw_snapshot_place_take(&reader).place & ((UINT64_C(1) << SW_SHELF_PLACE_BITS) - 1);
        if (!sw_shelf_keep(visitor->shelf, block.at))
            return sw_err_set(err, SW_E_CORRUPT, "the snapshot names no place of a shelf");
        rc = sw_shelf_read(visitor->shelf, block.at, false, &visitor->block, &block.instance, err);
        if (rc == SW_OK)
            rc = go_on(visitor, &block, err);
    }
    return rc;
}

enum sw_rc sw_shelf_visit(void *ctx, const struct sw_snapshot_block *block, struct sw_err *err)
{
    struct sw_shelf_visitor *visitor = ctx;
    struct sw_shelf_file file;

    if (visitor->block.size_max == 0)
        sw_buffer_init(&visitor->block, SW_SNAPSHOT_BLOCK_MAX);
    if (block->kind == SW_SNAPSHOT_PLACES)
        return visit_places(visitor, &block->places, err);
    if (block->kind != SW_SNAPSHOT_SHELF)
        return go_on(visitor, block, err);
    file = (struct sw_shelf_file){
        .number = block->shelf.number, .bytes = block->shelf.bytes, .blocks = block->shelf.blocks};
    return sw_shelf_add(visitor->shelf, &file, err);
}
