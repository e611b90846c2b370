/* A disk in memory for tests: a struct sw_system whose unsynced writes are lost in a crash, in part
 * or whole, and whose calls can be made to fail by count. The clock is a number that tests set.
 * Each file has two contents: what a reader sees, and what the disk has. file_sync makes them
 * equal; disk_crash replaces the first by the second plus a random choice of the sectors written
 * since. What a failed sync was to write is clean for all later ones, as with Linux: it never
 * reaches the disk unless it is written again.
 *
 * The simulator has another one (test/sim/disk.h): there calls take time, a host is cut off inside
 * of them and faults pass; here a test bends bytes by hand and ends a fault, and room has a number.
 */
#pragma once
#include "pkg/utils/system/system.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define DISK_FILES_MAX 256
#define DISK_SECTOR 512

struct disk_file {
    char path[256];
    bool is_there, is_named;          /* is_named: its name is durable. */
    uint8_t *seen, *stored, *dropped; /* dropped: 1 for bytes that no sync will write. */
    size_t seen_size, stored_size, dropped_size;
};

struct disk {
    struct sw_system system;
    struct disk_file files[DISK_FILES_MAX];
    uint64_t now_ns, random;
    uint64_t utc_behind_ns; /* The clock of the day is set back by so much. */
    uint64_t writes, syncs;
    /* Countdowns: the call that reaches 0 fails, as do all later ones until it is set again. */
    int64_t fail_writes_after, fail_syncs_after, full_after; /* -1: never. */
    uint64_t room_bytes;    /* That all files may have together; 0: there is no end of it. */
    bool is_cold;           /* file_read_now would have to wait now and then. */
    uint64_t refused_bytes; /* The most that a file was to grow by at once, and could not. */
};

static inline uint64_t disk_random(struct disk *disk) /* Marsaglia's xorshift. */
{
    disk->random ^= disk->random << 13;
    disk->random ^= disk->random >> 7;
    return disk->random ^= disk->random << 17;
}

static inline uint64_t disk_now(void *ctx)
{
    return ((struct disk *)ctx)->now_ns;
}
static inline uint64_t disk_utc(void *ctx)
{
    return disk_now(ctx) - ((struct disk *)ctx)->utc_behind_ns;
}
static inline void disk_bytes(void *ctx, void *ret_bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)ret_bytes)[i] = (uint8_t)(disk_random(ctx) >> 24);
}

static inline struct disk_file *disk_find(struct disk *disk, const char *path)
{
    for (size_t i = 0; i < DISK_FILES_MAX; i++)
        if (disk->files[i].is_there && strcmp(disk->files[i].path, path) == 0)
            return &disk->files[i];
    return NULL;
}
static inline void disk_resize(uint8_t **bytes, size_t *size, size_t wanted)
{
    uint8_t *grown = realloc(*bytes, wanted + 1);
    assert(grown);
    if (wanted > *size)
        memset(grown + *size, 0, wanted - *size);
    *bytes = grown;
    *size = wanted;
}

static inline bool disk_fails(int64_t *countdown)
{
    if (*countdown < 0)
        return false;
    if (*countdown > 0)
        (*countdown)--;
    return *countdown == 0;
}

static inline enum sw_rc disk_open(void *ctx, const char *path, unsigned mode, int *ret_file,
                                   struct sw_err *err)
{
    struct disk *disk = ctx;
    struct disk_file *file = disk_find(disk, path);

    if (file == NULL && (mode & SW_FILE_CREATE) == 0)
        return sw_err_set(err, SW_E_NOT_FOUND, "no %s", path);
    if (file != NULL && (mode & SW_FILE_EXCLUSIVE) != 0)
        return sw_err_set(err, SW_E_EXISTS, "%s is there", path);
    for (size_t i = 0; file == NULL && i < DISK_FILES_MAX; i++)
        if (!disk->files[i].is_there) {
            file = &disk->files[i];
            file->is_there = true;
            assert(strlen(path) < sizeof file->path);
            strcpy(file->path, path);
        }
    assert(file != NULL);
    if ((mode & SW_FILE_TRUNCATE) != 0)
        disk_resize(&file->seen, &file->seen_size, 0);
    *ret_file = (int)(file - disk->files);
    return SW_OK;
}

static inline void disk_close(void *ctx, int file)
{
    (void)ctx, (void)file; /* It may have been removed while it was open. */
}

static inline enum sw_rc disk_read(void *ctx, int number, uint64_t offset, void *ret_bytes,
                                   size_t size, size_t *ret_size, struct sw_err *err)
{
    struct disk_file *file = &((struct disk *)ctx)->files[number];

    size_t left = offset >= file->seen_size ? 0 : (size_t)(file->seen_size - offset);

    (void)err;
    *ret_size = size > left ? left : size;
    if (*ret_size > 0)
        memcpy(ret_bytes, file->seen + offset, *ret_size);
    return SW_OK;
}

static inline enum sw_rc disk_read_now(void *ctx, int number, uint64_t offset, void *ret_bytes,
                                       size_t size, size_t *ret_size, struct sw_err *err)
{
    return ((struct disk *)ctx)->is_cold && disk_random(ctx) % 2 == 0
               ? sw_err_set(err, SW_E_UNAVAILABLE, "it would have to wait")
               : disk_read(ctx, number, offset, ret_bytes, size, ret_size, err);
}

/* Whether there is room for a file to be so large. */
static inline bool disk_has_room(struct disk *disk, const struct disk_file *file, uint64_t size)
{
    uint64_t used = 0, grown = size > file->seen_size ? size - file->seen_size : 0;

    for (size_t i = 0; i < DISK_FILES_MAX; i++)
        used += disk->files[i].seen_size;
    if (disk->room_bytes == 0 || grown == 0 || used + grown <= disk->room_bytes)
        return true;
    disk->refused_bytes = grown > disk->refused_bytes ? grown : disk->refused_bytes;
    return false;
}

static inline enum sw_rc disk_write(void *ctx, int number, uint64_t offset, const void *bytes,
                                    size_t size, struct sw_err *err)
{
    struct disk *disk = ctx;
    struct disk_file *file = &disk->files[number];

    disk->writes++;
    if (disk_fails(&disk->fail_writes_after))
        return sw_err_set(err, SW_E_INTERNAL, "write: input/output error");
    if (disk_fails(&disk->full_after) || !disk_has_room(disk, file, offset + size))
        return sw_err_set(err, SW_E_EXHAUSTED, "write: no space left");
    if (offset + size > file->seen_size || file->seen == NULL)
        disk_resize(&file->seen, &file->seen_size, (size_t)(offset + size));
    memcpy(file->seen + offset, bytes, size);
    for (size_t i = (size_t)offset; i < offset + size && i < file->dropped_size; i++)
        file->dropped[i] = 0;
    return SW_OK;
}

static inline bool disk_is_dropped(const struct disk_file *file, size_t at)
{
    return at < file->dropped_size && file->dropped[at] != 0;
}

/* The pages of a failed sync count as written from now on. */
static inline void disk_drop(struct disk_file *file)
{
    disk_resize(&file->dropped, &file->dropped_size, file->seen_size);
    for (size_t i = 0; i < file->seen_size; i++)
        if (i >= file->stored_size || file->seen[i] != file->stored[i])
            file->dropped[i] = 1;
}

static inline void disk_store(struct disk_file *file, size_t at, size_t size)
{
    for (size_t i = at; i < at + size; i++)
        if (!disk_is_dropped(file, i))
            file->stored[i] = file->seen[i];
}

static inline enum sw_rc disk_sync(void *ctx, int number, struct sw_err *err)
{
    struct disk *disk = ctx;
    struct disk_file *file = &disk->files[number];

    disk->syncs++;
    if (disk_fails(&disk->fail_syncs_after)) {
        disk_drop(file);
        return sw_err_set(err, SW_E_INTERNAL, "sync: input/output error");
    }
    disk_resize(&file->stored, &file->stored_size, file->seen_size);
    disk_store(file, 0, file->seen_size);
    return SW_OK;
}

static inline enum sw_rc disk_truncate(void *ctx, int number, uint64_t size, struct sw_err *err)
{
    struct disk_file *file = &((struct disk *)ctx)->files[number];

    (void)err;
    disk_resize(&file->seen, &file->seen_size, (size_t)size);
    return SW_OK;
}

static inline enum sw_rc disk_allocate(void *ctx, int number, uint64_t size, struct sw_err *err)
{
    struct disk *disk = ctx;
    struct disk_file *file = &disk->files[number];

    if (disk_fails(&disk->full_after) || !disk_has_room(disk, file, size))
        return sw_err_set(err, SW_E_EXHAUSTED, "allocate: no space left");
    if (size > file->seen_size)
        disk_resize(&file->seen, &file->seen_size, (size_t)size);
    return SW_OK;
}

/* This file system does not know. */
static inline enum sw_rc disk_written_end(void *ctx, int number, uint64_t *ret_offset,
                                          struct sw_err *err)
{
    const struct disk *disk = ctx;

    (void)err;
    *ret_offset = disk->files[number].seen_size;
    return SW_OK;
}

static inline enum sw_rc disk_view(void *ctx, const char *path, struct sw_file_view *ret_view,
                                   struct sw_err *err)
{
    struct disk_file *file = disk_find(ctx, path);

    if (file == NULL)
        return sw_err_set(err, SW_E_NOT_FOUND, "no %s", path);
    *ret_view = (struct sw_file_view){.size_bytes = file->seen_size, .is_regular = true};
    return SW_OK;
}

static inline void disk_forget(struct disk_file *file)
{
    free(file->seen);
    free(file->stored);
    free(file->dropped);
    memset(file, 0, sizeof *file);
}

static inline enum sw_rc disk_remove(void *ctx, const char *path, struct sw_err *err)
{
    struct disk_file *file = disk_find(ctx, path);

    if (file == NULL)
        return sw_err_set(err, SW_E_NOT_FOUND, "no %s", path);
    disk_forget(file);
    return SW_OK;
}

static inline enum sw_rc disk_rename(void *ctx, const char *from, const char *to,
                                     struct sw_err *err)
{
    struct disk_file *file = disk_find(ctx, from), *old = disk_find(ctx, to);

    if (file == NULL)
        return sw_err_set(err, SW_E_NOT_FOUND, "no %s", from);
    if (old != NULL)
        disk_forget(old);
    assert(strlen(to) < sizeof file->path);
    strcpy(file->path, to);
    return SW_OK;
}

static inline enum sw_rc disk_folder_make(void *ctx, const char *path, struct sw_err *err)
{
    (void)ctx, (void)path, (void)err;
    return SW_OK;
}

static inline enum sw_rc disk_folder_sync(void *ctx, const char *path, struct sw_err *err)
{
    struct disk *disk = ctx;

    (void)path, (void)err;
    for (size_t i = 0; i < DISK_FILES_MAX; i++)
        disk->files[i].is_named = disk->files[i].is_there;
    return SW_OK;
}

static inline enum sw_rc disk_list(void *ctx, const char *path, sw_folder_visit *visit,
                                   void *visit_ctx, struct sw_err *err)
{
    struct disk *disk = ctx;
    size_t size = strlen(path);

    (void)err;
    for (size_t i = 0; i < DISK_FILES_MAX; i++)
        if (disk->files[i].is_there && strncmp(disk->files[i].path, path, size) == 0 &&
            !visit(visit_ctx, disk->files[i].path + size + 1))
            break;
    return SW_OK;
}

static inline void disk_init(struct disk *disk, uint64_t seed)
{
    memset(disk, 0, sizeof *disk);
    disk->random = seed * 2654435761u + 88172645463325252u;
    disk->fail_writes_after = disk->fail_syncs_after = disk->full_after = -1;
    disk->now_ns = 1700000000000000000u;
    disk->system = (struct sw_system){
        .ctx = disk,
        .utc_ns = disk_utc,
        .monotonic_ns = disk_now,
        .random = disk_bytes,
        .file_open = disk_open,
        .file_close = disk_close,
        .file_read = disk_read,
        .file_read_now = disk_read_now,
        .file_write = disk_write,
        .file_sync = disk_sync,
        .file_truncate = disk_truncate,
        .file_allocate = disk_allocate,
        .file_written_end = disk_written_end,
        .path_view = disk_view,
        .path_rename = disk_rename,
        .path_remove = disk_remove,
        .folder_make = disk_folder_make,
        .folder_sync = disk_folder_sync,
        .folder_list = disk_list,
    };
}

static inline void disk_done(struct disk *disk)
{
    for (size_t i = 0; i < DISK_FILES_MAX; i++)
        disk_forget(&disk->files[i]);
}

static inline void disk_copy_bytes(uint8_t **bytes, size_t size)
{
    uint8_t *copy = malloc(size + 1);

    assert(copy != NULL);
    memcpy(copy, *bytes, size);
    *bytes = copy;
}

/* Have all files of one disk on another, instead of what it has. */
static inline void disk_copy(const struct disk *from, struct disk *to)
{
    for (size_t i = 0; i < DISK_FILES_MAX; i++) {
        struct disk_file *file = &to->files[i];

        disk_forget(file);
        *file = from->files[i];
        if (file->seen != NULL)
            disk_copy_bytes(&file->seen, file->seen_size);
        if (file->stored != NULL)
            disk_copy_bytes(&file->stored, file->stored_size);
        if (file->dropped != NULL)
            disk_copy_bytes(&file->dropped, file->dropped_size);
    }
}

/* The machine loses power: of what was not synced, each sector is there or not by chance, and a
 * file whose name was not synced is gone by chance. */
static inline void disk_crash(struct disk *disk)
{
    for (size_t i = 0; i < DISK_FILES_MAX; i++) {
        struct disk_file *file = &disk->files[i];
        size_t size = file->seen_size;

        if (!file->is_there)
            continue;
        if (!file->is_named && disk_random(disk) % 2 == 0) {
            disk_forget(file);
            continue;
        }
        disk_resize(&file->stored, &file->stored_size,
                    file->stored_size > size ? size : file->stored_size);
        disk_resize(&file->stored, &file->stored_size, size);
        for (size_t at = 0; at < size; at += DISK_SECTOR) {
            size_t part = size - at < DISK_SECTOR ? size - at : DISK_SECTOR;
            if (disk_random(disk) % 2 == 0)
                disk_store(file, at, part);
        }
        disk_resize(&file->seen, &file->seen_size, size);
        memcpy(file->seen, file->stored, size);
        disk_resize(&file->dropped, &file->dropped_size, 0);
        file->is_named = true;
    }
}
