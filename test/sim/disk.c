#include "test/sim/disk.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UTC_BASE_NS 1700000000000000000u
#define NS_PER_US 1000u

/* --- Time and faults ------------------------------------------------------------------------- */

static void take_time(struct sim_disk *disk, uint64_t us)
{
    uint64_t ns = sim_random_around(&disk->random, us * NS_PER_US) + NS_PER_US;

    if (disk->is_fast)
        ns = NS_PER_US;
    if (*disk->now_ns < disk->slow_until_ns)
        ns *= 200;
    if (disk->hooks.wait != NULL && !disk->is_dead)
        disk->hooks.wait(disk->hooks.ctx, ns);
}

static enum sw_rc dead(struct sw_err *err)
{
    return sw_err_set(err, SW_E_INTERNAL, "the process was killed");
}

/* Whether the fault that is armed hits this call, which is of that kind. */
static bool is_hit(struct sim_disk *disk, enum sim_disk_fault kind)
{
    if (disk->fault != kind || disk->fault_after-- > 0)
        return false;
    disk->fault = SIM_DISK_GOOD;
    if (kind != SIM_DISK_CRASHES && disk->crashes_then)
        sim_disk_arm(disk, SIM_DISK_CRASHES, 0);
    return true;
}

/* A call that changes the disk is about to be done: time goes by, and it may be the last thing that
 * its process did. */
static bool is_cut_off(struct sim_disk *disk)
{
    if (!disk->is_dead && is_hit(disk, SIM_DISK_CRASHES))
        disk->hooks.crash(disk->hooks.ctx);
    return disk->is_dead;
}

/* Whether there is no room for a file of that size any more. */
static bool is_full(struct sim_disk *disk, const struct sim_inode *inode, uint64_t size)
{
    uint64_t grown = size > inode->seen_size ? size - inode->seen_size : 0;

    if (*disk->now_ns >= disk->full_until_ns || (grown == 0 && !disk->is_full_for_all))
        return false;
    if (grown <= disk->full_room_bytes && !disk->is_full_for_all) {
        disk->full_room_bytes -= grown;
        return false;
    }
    disk->refused++;
    return true;
}

static enum sw_rc full(struct sw_err *err)
{
    return sw_err_set(err, SW_E_EXHAUSTED, "no space left on the device");
}

void sim_disk_arm(struct sim_disk *disk, enum sim_disk_fault fault, uint32_t after)
{
    disk->fault = fault;
    disk->fault_after = after;
}

static uint64_t look(const struct sim_disk *disk)
{
    if (disk->hooks.look != NULL)
        disk->hooks.look(disk->hooks.ctx);
    return *disk->now_ns;
}

static uint64_t now_monotonic(void *ctx)
{
    return look(ctx) + 1;
}

static uint64_t now_utc(void *ctx)
{
    const struct sim_disk *disk = ctx;

    return disk->utc_base_ns + look(disk) + (uint64_t)disk->utc_offset_ns;
}

static void random_bytes(void *ctx, void *ret_bytes, size_t size)
{
    struct sim_disk *disk = ctx;

    for (size_t i = 0; i < size; i++)
        ((uint8_t *)ret_bytes)[i] = (uint8_t)sim_random_next(&disk->random);
}

/* --- Contents -------------------------------------------------------------------------------- */

static size_t sectors_of(size_t size)
{
    return (size + SIM_DISK_SECTOR - 1) / SIM_DISK_SECTOR;
}

static void *grow(void *bytes, size_t before, size_t size)
{
    uint8_t *grown = realloc(bytes, size);

    assert(grown != NULL);
    memset(grown + before, 0, size - before);
    return grown;
}

static void reserve(struct sim_inode *inode, size_t size)
{
    size_t capacity = inode->capacity;

    if (size <= capacity)
        return;
    size = (size + 65535) / 65536 * 65536;
    inode->seen = grow(inode->seen, capacity, size);
    inode->stored = grow(inode->stored, capacity, size);
    inode->dirty = grow(inode->dirty, capacity / SIM_DISK_SECTOR, size / SIM_DISK_SECTOR);
    inode->capacity = size;
}

static void inode_write(struct sim_inode *inode, size_t at, const void *bytes, size_t size)
{
    if (size == 0)
        return;
    reserve(inode, at + size);
    memcpy(inode->seen + at, bytes, size);
    for (size_t i = at / SIM_DISK_SECTOR; i <= (at + size - 1) / SIM_DISK_SECTOR; i++)
        inode->dirty[i] = 1;
    if (at + size > inode->seen_size)
        inode->seen_size = at + size;
    if (at + size > inode->written_end)
        inode->written_end = at + size;
}

static void inode_resize(struct sim_inode *inode, size_t size)
{
    reserve(inode, size);
    if (size < inode->seen_size) {
        memset(inode->seen + size, 0, inode->seen_size - size);
        memset(inode->dirty + size / SIM_DISK_SECTOR, 1,
               sectors_of(inode->seen_size) - size / SIM_DISK_SECTOR);
    }
    inode->seen_size = size;
    if (inode->written_end > size)
        inode->written_end = size;
}

static void store_sector(struct sim_inode *inode, size_t sector)
{
    memcpy(inode->stored + sector * SIM_DISK_SECTOR, inode->seen + sector * SIM_DISK_SECTOR,
           SIM_DISK_SECTOR);
}

/* Write what is dirty, each sector with that chance, and call all of it clean. */
static void inode_store(struct sim_disk *disk, struct sim_inode *inode, uint32_t permille)
{
    for (size_t i = 0; i < inode->capacity / SIM_DISK_SECTOR; i++) {
        if (inode->dirty[i] == 0)
            continue;
        if (permille >= 1000 || sim_random_permille(&disk->random, permille))
            store_sector(inode, i);
        else
            disk->lost_sectors++;
        inode->dirty[i] = 0;
    }
    if (permille >= 1000 || sim_random_permille(&disk->random, permille))
        inode->stored_size = inode->seen_size;
}

static void inode_free(struct sim_inode *inode)
{
    free(inode->seen);
    free(inode->stored);
    free(inode->dirty);
    memset(inode, 0, sizeof *inode);
}

/* Free what no name and no process leads to. */
static void sweep(struct sim_disk *disk, int number)
{
    if (number < 0 || disk->inodes[number].opened > 0)
        return;
    for (size_t i = 0; i < SIM_DISK_NAMES_MAX; i++)
        if (disk->names[i].path[0] != 0 &&
            (disk->names[i].seen == number || disk->names[i].stored == number))
            return;
    inode_free(&disk->inodes[number]);
}

/* --- Names ----------------------------------------------------------------------------------- */

static struct sim_name *find_name(struct sim_disk *disk, const char *path)
{
    for (size_t i = 0; i < SIM_DISK_NAMES_MAX; i++)
        if (strcmp(disk->names[i].path, path) == 0)
            return &disk->names[i];
    return NULL;
}

static struct sim_name *make_name(struct sim_disk *disk, const char *path)
{
    struct sim_name *name = find_name(disk, path);

    for (size_t i = 0; name == NULL && i < SIM_DISK_NAMES_MAX; i++)
        if (disk->names[i].path[0] == 0) {
            name = &disk->names[i];
            assert(strlen(path) < sizeof name->path);
            strcpy(name->path, path);
            name->seen = name->stored = -1;
        }
    assert(name != NULL); /* The simulation makes fewer files. */
    return name;
}

/* A name that leads nowhere any more makes room. */
static void forget_name(struct sim_name *name)
{
    if (name->seen < 0 && name->stored < 0)
        name->path[0] = 0;
}

static int make_inode(struct sim_disk *disk)
{
    for (int i = 0; i < SIM_DISK_NAMES_MAX; i++)
        if (!disk->inodes[i].is_used) {
            disk->inodes[i].is_used = true;
            return i;
        }
    abort();
}

static enum sw_rc file_open(void *ctx, const char *path, unsigned mode, int *ret_file,
                            struct sw_err *err)
{
    struct sim_disk *disk = ctx;
    struct sim_name *name = find_name(disk, path);
    bool is_there = name != NULL && name->seen >= 0;
    int file = 0;

    if (disk->is_dead || ((mode & SW_FILE_CREATE) != 0 && is_cut_off(disk)))
        return dead(err);
    if (!is_there && (mode & SW_FILE_CREATE) == 0)
        return sw_err_set(err, SW_E_NOT_FOUND, "no %s", path);
    if (is_there && (mode & SW_FILE_EXCLUSIVE) != 0)
        return sw_err_set(err, SW_E_EXISTS, "%s is there", path);
    if (!is_there) {
        name = make_name(disk, path);
        name->seen = make_inode(disk);
    }
    if ((mode & SW_FILE_TRUNCATE) != 0)
        inode_resize(&disk->inodes[name->seen], 0);
    while (file < SIM_DISK_OPEN_MAX && disk->open[file] >= 0)
        file++;
    assert(file < SIM_DISK_OPEN_MAX);
    disk->open[file] = name->seen;
    disk->inodes[name->seen].opened++;
    *ret_file = file;
    return SW_OK;
}

static void file_close(void *ctx, int file)
{
    struct sim_disk *disk = ctx;
    int number = disk->open[file];

    if (number < 0) /* It was closed when its process was killed. */
        return;
    disk->open[file] = -1;
    disk->inodes[number].opened--;
    sweep(disk, number);
}

static enum sw_rc path_view(void *ctx, const char *path, struct sw_file_view *ret_view,
                            struct sw_err *err)
{
    struct sim_disk *disk = ctx;
    const struct sim_name *name = find_name(disk, path);

    if (disk->is_dead)
        return dead(err);
    if (name == NULL || name->seen < 0)
        return sw_err_set(err, SW_E_NOT_FOUND, "no %s", path);
    *ret_view =
        (struct sw_file_view){.size_bytes = disk->inodes[name->seen].seen_size, .is_regular = true};
    return SW_OK;
}

static enum sw_rc path_remove(void *ctx, const char *path, struct sw_err *err)
{
    struct sim_disk *disk = ctx;
    struct sim_name *name = find_name(disk, path);
    int number;

    if (is_cut_off(disk))
        return dead(err);
    if (name == NULL || name->seen < 0)
        return sw_err_set(err, SW_E_NOT_FOUND, "no %s", path);
    number = name->seen;
    name->seen = -1;
    forget_name(name);
    sweep(disk, number);
    take_time(disk, 20);
    return disk->is_dead ? dead(err) : SW_OK;
}

static enum sw_rc path_rename(void *ctx, const char *from, const char *to, struct sw_err *err)
{
    struct sim_disk *disk = ctx;
    struct sim_name *old = find_name(disk, from), *new;
    int replaced;

    if (is_cut_off(disk))
        return dead(err);
    if (old == NULL || old->seen < 0)
        return sw_err_set(err, SW_E_NOT_FOUND, "no %s", from);
    new = make_name(disk, to);
    replaced = new->seen;
    new->seen = old->seen;
    old->seen = -1;
    forget_name(old);
    sweep(disk, replaced);
    return SW_OK;
}

static enum sw_rc folder_make(void *ctx, const char *path, struct sw_err *err)
{
    (void)path;
    return ((struct sim_disk *)ctx)->is_dead ? dead(err) : SW_OK;
}

static void store_name(struct sim_disk *disk, struct sim_name *name)
{
    int before = name->stored;

    name->stored = name->seen;
    forget_name(name);
    sweep(disk, before);
}

static enum sw_rc folder_sync(void *ctx, const char *path, struct sw_err *err)
{
    struct sim_disk *disk = ctx;

    (void)path;
    if (is_cut_off(disk))
        return dead(err);
    take_time(disk, 500);
    if (disk->is_dead)
        return dead(err);
    disk->syncs++;
    if (is_hit(disk, SIM_DISK_SYNC_FAILS))
        return sw_err_set(err, SW_E_INTERNAL, "sync of a folder: input/output error");
    for (size_t i = 0; i < SIM_DISK_NAMES_MAX; i++)
        if (disk->names[i].path[0] != 0)
            store_name(disk, &disk->names[i]);
    return SW_OK;
}

static enum sw_rc folder_list(void *ctx, const char *path, sw_folder_visit *visit, void *visit_ctx,
                              struct sw_err *err)
{
    struct sim_disk *disk = ctx;
    char(*names)[SIM_DISK_PATH_MAX] = calloc(SIM_DISK_NAMES_MAX, sizeof *names);
    size_t size = strlen(path), count = 0;

    if (disk->is_dead || names == NULL) {
        free(names);
        return dead(err);
    }
    for (size_t i = 0; i < SIM_DISK_NAMES_MAX; i++) /* Visitors may remove what they see. */
        if (disk->names[i].seen >= 0 && strncmp(disk->names[i].path, path, size) == 0)
            strcpy(names[count++], disk->names[i].path);
    for (size_t i = 0; i < count; i++)
        if (!visit(visit_ctx, names[i] + size + 1))
            break;
    free(names);
    return SW_OK;
}

/* --- Files ----------------------------------------------------------------------------------- */

static struct sim_inode *inode_of(struct sim_disk *disk, int file)
{
    assert(disk->open[file] >= 0);
    return &disk->inodes[disk->open[file]];
}

static enum sw_rc file_read(void *ctx, int file, uint64_t offset, void *ret_bytes, size_t size,
                            size_t *ret_size, struct sw_err *err)
{
    struct sim_disk *disk = ctx;
    const struct sim_inode *inode;

    if (disk->is_dead)
        return dead(err);
    inode = inode_of(disk, file);
    *ret_size = offset >= inode->seen_size         ? 0
                : size > inode->seen_size - offset ? (size_t)(inode->seen_size - offset)
                                                   : size;
    if (*ret_size > 0)
        memcpy(ret_bytes, inode->seen + offset, *ret_size);
    return SW_OK;
}

/* Whether a file is in memory is chance. */
static enum sw_rc file_read_now(void *ctx, int file, uint64_t offset, void *ret_bytes, size_t size,
                                size_t *ret_size, struct sw_err *err)
{
    struct sim_disk *disk = ctx;

    if (sim_random_permille(&disk->random, 300))
        return sw_err_set(err, SW_E_UNAVAILABLE, "the disk has to be waited for");
    return file_read(ctx, file, offset, ret_bytes, size, ret_size, err);
}

static enum sw_rc file_written_end(void *ctx, int file, uint64_t *ret_offset, struct sw_err *err)
{
    struct sim_disk *disk = ctx;

    if (disk->is_dead)
        return dead(err);
    *ret_offset = inode_of(disk, file)->written_end;
    return SW_OK;
}

/* A part of the bytes, as far as an interrupted write came. */
static size_t part_of(struct sim_disk *disk, size_t size)
{
    return sim_random_below(&disk->random, sectors_of(size) + 1) * SIM_DISK_SECTOR % (size + 1);
}

static enum sw_rc file_write(void *ctx, int file, uint64_t offset, const void *bytes, size_t size,
                             struct sw_err *err)
{
    struct sim_disk *disk = ctx;
    struct sim_inode *inode;
    bool is_early = sim_random_permille(&disk->random, 500);

    if (disk->is_dead)
        return dead(err);
    disk->writes++;
    inode = inode_of(disk, file);
    if (is_full(disk, inode, offset + size)) {
        inode_write(inode, offset, bytes, part_of(disk, size));
        return full(err);
    }
    inode_write(inode, offset, bytes, is_early ? size : part_of(disk, size));
    if (is_cut_off(disk))
        return dead(err);
    take_time(disk, 20 + size / 1024);
    if (disk->is_dead)
        return dead(err);
    if (is_hit(disk, SIM_DISK_WRITE_FAILS))
        return sw_err_set(err, SW_E_INTERNAL, "write: input/output error");
    inode_write(inode, offset, bytes, size);
    return SW_OK;
}

static enum sw_rc file_sync(void *ctx, int file, struct sw_err *err)
{
    struct sim_disk *disk = ctx;

    if (is_cut_off(disk))
        return dead(err);
    take_time(disk, 1000);
    if (disk->is_dead)
        return dead(err);
    disk->syncs++;
    if (is_hit(disk, SIM_DISK_SYNC_FAILS)) {
        inode_store(disk, inode_of(disk, file), 500);
        return sw_err_set(err, SW_E_INTERNAL, "sync: input/output error");
    }
    inode_store(disk, inode_of(disk, file), 1000);
    return SW_OK;
}

static enum sw_rc file_truncate(void *ctx, int file, uint64_t size, struct sw_err *err)
{
    struct sim_disk *disk = ctx;

    if (is_cut_off(disk))
        return dead(err);
    inode_resize(inode_of(disk, file), (size_t)size);
    return SW_OK;
}

static enum sw_rc file_allocate(void *ctx, int file, uint64_t size, struct sw_err *err)
{
    struct sim_disk *disk = ctx;
    struct sim_inode *inode;

    if (is_cut_off(disk))
        return dead(err);
    inode = inode_of(disk, file);
    if (is_full(disk, inode, size))
        return full(err);
    if (size > inode->seen_size) {
        size_t written = inode->written_end;

        inode_resize(inode, (size_t)size);
        inode->written_end = written;
    }
    take_time(disk, 100);
    return disk->is_dead ? dead(err) : SW_OK;
}

/* --- The whole ------------------------------------------------------------------------------- */

void sim_disk_init(struct sim_disk *disk, uint64_t seed, const uint64_t *now_ns)
{
    memset(disk, 0, sizeof *disk);
    disk->random.state = seed;
    disk->now_ns = now_ns;
    disk->utc_base_ns = UTC_BASE_NS;
    for (size_t i = 0; i < SIM_DISK_OPEN_MAX; i++)
        disk->open[i] = -1;
    for (size_t i = 0; i < SIM_DISK_NAMES_MAX; i++)
        disk->names[i].seen = disk->names[i].stored = -1;
    disk->system = (struct sw_system){
        .ctx = disk,
        .utc_ns = now_utc,
        .monotonic_ns = now_monotonic,
        .random = random_bytes,
        .file_open = file_open,
        .file_close = file_close,
        .file_read = file_read,
        .file_read_now = file_read_now,
        .file_written_end = file_written_end,
        .file_write = file_write,
        .file_sync = file_sync,
        .file_truncate = file_truncate,
        .file_allocate = file_allocate,
        .path_view = path_view,
        .path_rename = path_rename,
        .path_remove = path_remove,
        .folder_make = folder_make,
        .folder_sync = folder_sync,
        .folder_list = folder_list,
    };
}

void sim_disk_done(struct sim_disk *disk)
{
    for (size_t i = 0; i < SIM_DISK_NAMES_MAX; i++)
        inode_free(&disk->inodes[i]);
}

void sim_disk_kill(struct sim_disk *disk)
{
    for (size_t i = 0; i < SIM_DISK_OPEN_MAX; i++)
        if (disk->open[i] >= 0)
            file_close(disk, (int)i);
    disk->fault = SIM_DISK_GOOD;
    disk->is_dead = false;
}

void sim_disk_lose_power(struct sim_disk *disk, uint32_t permille)
{
    for (size_t i = 0; i < SIM_DISK_NAMES_MAX; i++) {
        struct sim_name *name = &disk->names[i];
        int seen = name->seen;

        if (name->path[0] == 0 || name->seen == name->stored)
            continue;
        if (!sim_random_permille(&disk->random, permille))
            name->seen = name->stored;
        store_name(disk, name);
        sweep(disk, seen);
    }
    for (size_t i = 0; i < SIM_DISK_NAMES_MAX; i++) {
        struct sim_inode *inode = &disk->inodes[i];

        if (!inode->is_used)
            continue;
        inode_store(disk, inode, permille);
        inode->seen_size = inode->stored_size;
        if (inode->written_end > inode->seen_size)
            inode->written_end = inode->seen_size;
        if (inode->capacity == 0)
            continue;
        memset(inode->stored + inode->seen_size, 0, inode->capacity - inode->seen_size);
        memcpy(inode->seen, inode->stored, inode->capacity);
    }
}

enum sw_rc sim_disk_keep(const struct sim_disk *disk, const char *folder, struct sw_err *err)
{
    const struct sw_system *system = sw_system_real();
    enum sw_rc rc = SW_OK;

    for (size_t i = 0; rc == SW_OK && i < SIM_DISK_NAMES_MAX; i++) {
        const struct sim_name *name = &disk->names[i];
        const char *base = strrchr(name->path, '/');
        char path[SW_PATH_MAX];

        if (name->seen < 0 || base == NULL)
            continue;
        snprintf(path, sizeof path, "%s%s", folder, base);
        rc = sw_file_save(system, path, disk->inodes[name->seen].seen,
                          disk->inodes[name->seen].seen_size, err);
    }
    return rc;
}
