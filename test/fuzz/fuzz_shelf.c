/* uses: pkg/agent/store */
/* covers: pkg/agent/store/shelf.c */
#include "pkg/agent/store/shelf.h"
#include "test/support/disk.h"

#include <stdio.h>

/* What is done to a shelf, a byte for each act and one for what it is about, beside a list of what
 * must be there; and a file of it that may hold anything. */

#define FOLDER "d"
#define PLACES_MAX 64u
#define FILES_MAX 64u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t uuid[16] = "a journal's uuid";
static struct disk disk;
static struct sw_shelf *shelf;
static uint64_t places[PLACES_MAX]; /* 0: nothing is there. */
static struct sw_shelf_file named[FILES_MAX];
static uint32_t named_count;
static uint64_t named_places[PLACES_MAX]; /* As the snapshot that counts has them. */

static void make(void)
{
    struct sw_shelf_options options = {.system = &disk.system,
                                       .folder = FOLDER,
                                       .uuid = uuid,
                                       .file_bytes = 2048,
                                       .extent_bytes = 512,
                                       .waiting_max = 8192};

    if (sw_shelf_new(&options, &shelf, NULL) != SW_OK)
        abort();
}

static void put(uint32_t at, size_t size)
{
    static const uint8_t guest[4096];
    struct sw_snapshot_block block = {.kind = SW_SNAPSHOT_INSTANCE,
                                      .instance = {.pod = 1,
                                                   .id = at + 1,
                                                   .key = {"k", 1},
                                                   .seed = {uuid, sizeof uuid},
                                                   .guest = {guest, size}}};
    struct sw_buffer bytes;
    uint64_t place = 0;

    sw_buffer_init(&bytes, 1u << 16);
    sw_snapshot_block_put(&block, &bytes);
    if (sw_shelf_put(shelf, (struct sw_bytes){bytes.data, bytes.size}, &place) == SW_OK) {
        if (places[at] != 0)
            sw_shelf_drop(shelf, places[at]);
        places[at] = place;
    }
    sw_buffer_done(&bytes);
}

static void look(uint32_t at)
{
    struct sw_snapshot_instance saved;
    struct sw_buffer bytes;
    struct sw_err err = {0};
    enum sw_rc rc;

    sw_buffer_init(&bytes, 1u << 20);
    rc = sw_shelf_read(shelf, places[at], at % 2 == 0, &bytes, &saved, &err);
    if (places[at] != 0)
        assert(rc == SW_OK && saved.id == at + 1);
    else
        assert(rc != SW_OK && err.message[0] != 0);
    sw_buffer_done(&bytes);
}

static enum sw_rc count(void *ctx, const struct sw_snapshot_block *block, struct sw_err *err)
{
    (void)err;
    *(uint32_t *)ctx += block->kind == SW_SNAPSHOT_INSTANCE;
    return SW_OK;
}

/* Whoever reads the snapshot that counts meets everybody in it. */
static void visit_all(void)
{
    struct sw_snapshot_block block = {.kind = SW_SNAPSHOT_PLACES}, end = {.kind = SW_SNAPSHOT_END};
    struct sw_shelf *own = shelf;
    uint32_t seen = 0, wanted = 0;
    struct sw_shelf_visitor visitor = {.visit = count, .ctx = &seen};
    struct sw_buffer bytes;

    make();
    visitor.shelf = shelf;
    shelf = own;
    sw_buffer_init(&bytes, 1u << 16);
    for (uint32_t i = 0; i < PLACES_MAX; i++) {
        struct sw_snapshot_place place = {.place = named_places[i]};

        if (named_places[i] != 0)
            sw_snapshot_place_put(&place, &bytes);
        wanted += named_places[i] != 0;
    }
    block.places.count = wanted;
    block.places.places = (struct sw_bytes){bytes.data, bytes.size};
    assert(wanted == 0 || sw_shelf_visit(&visitor, &block, NULL) == SW_E_CORRUPT);
    for (uint32_t i = 0; i < named_count; i++) {
        struct sw_snapshot_block file = {
            .kind = SW_SNAPSHOT_SHELF, .shelf = {named[i].number, named[i].bytes, named[i].blocks}};

        if (sw_shelf_visit(&visitor, &file, NULL) != SW_OK)
            abort();
    }
    if (sw_shelf_visit(&visitor, &block, NULL) != SW_OK ||
        sw_shelf_visit(&visitor, &end, NULL) != SW_OK)
        abort();
    assert(seen == wanted);
    sw_buffer_done(&bytes);
    sw_buffer_done(&visitor.block);
    sw_shelf_free(visitor.shelf);
}

/* A snapshot is taken, and counts. */
static void name_all(void)
{
    uint32_t cursor = 0, count = 0;
    struct sw_shelf_file files[FILES_MAX];

    sw_shelf_begin(shelf);
    while (count < FILES_MAX && sw_shelf_next(shelf, &cursor, &files[count]))
        count += files[count].live > 0;
    if (sw_shelf_sync(shelf, NULL) != SW_OK)
        return;
    memcpy(named, files, sizeof named);
    memcpy(named_places, places, sizeof named_places);
    named_count = count;
    assert(sw_shelf_clean(shelf, false, NULL) == SW_OK);
    visit_all();
}

static void restart(bool power_fails)
{
    sw_shelf_free(shelf);
    if (power_fails)
        disk_crash(&disk);
    make();
    for (uint32_t i = 0; i < named_count; i++)
        if (sw_shelf_add(shelf, &named[i], NULL) != SW_OK)
            abort();
    memcpy(places, named_places, sizeof places);
    for (uint32_t i = 0; i < PLACES_MAX; i++)
        assert(places[i] == 0 || sw_shelf_keep(shelf, places[i]));
    assert(sw_shelf_clean(shelf, true, NULL) == SW_OK);
}

/* A file that may be anything is taken for one that a snapshot names. */
static void try_file(const uint8_t *data, size_t size)
{
    char path[64], name[SW_SHELF_NAME_MAX];
    struct sw_shelf_file file = {.number = 4000, .bytes = size, .blocks = 1};
    struct sw_snapshot_instance saved;
    struct sw_buffer bytes;
    struct sw_err err = {0};
    enum sw_rc rc;

    sw_shelf_name(file.number, name);
    snprintf(path, sizeof path, FOLDER "/%s", name);
    if (sw_file_save(&disk.system, path, data, size, NULL) != SW_OK)
        return;
    rc = sw_shelf_add(shelf, &file, &err);
    assert(rc == SW_OK || err.message[0] != 0);
    sw_buffer_init(&bytes, 1u << 20);
    for (uint64_t at = 0; rc == SW_OK && at < size; at++)
        (void)!sw_shelf_read(shelf, (uint64_t)file.number << SW_SHELF_OFFSET_BITS | at, false,
                             &bytes, &saved, NULL);
    sw_buffer_done(&bytes);
}

static void act(uint8_t what, uint8_t about)
{
    uint32_t numbers[SW_SHELF_SPARSE_MAX], at = about % PLACES_MAX;

    switch (what % 12) {
    case 0:
    case 1:
        put(at, what * 8u);
        return;
    case 2:
        if (places[at] != 0)
            sw_shelf_drop(shelf, places[at]);
        places[at] = 0;
        return;
    case 3:
        (void)!sw_shelf_write(shelf, NULL);
        return;
    case 4:
        name_all();
        return;
    case 5:
        restart(about % 2 == 0);
        return;
    case 6:
        disk.full_after = about % 2 == 0 ? 0 : -1;
        return;
    case 7:
        disk.fail_writes_after = disk.fail_syncs_after = about % 4 == 0 ? 0 : -1;
        return;
    case 8:
        (void)sw_shelf_sparse(shelf, numbers);
        assert(sw_shelf_bytes(shelf) + 1 > sw_shelf_waiting(shelf));
        return;
    default:
        look(at);
    }
}

/* 'F': a file. Otherwise acts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    disk_init(&disk, 1);
    memset(places, 0, sizeof places);
    memset(named_places, 0, sizeof named_places);
    named_count = 0;
    if (disk.system.folder_make(disk.system.ctx, FOLDER, NULL) != SW_OK)
        abort();
    make();
    if (size > 0 && data[0] == 'F')
        try_file(data + 1, size - 1);
    for (size_t i = 0; size > 0 && data[0] != 'F' && i + 1 < size && i < 2000; i += 2)
        act(data[i], data[i + 1]);
    disk.fail_writes_after = disk.fail_syncs_after = disk.full_after = -1;
    for (uint32_t i = 0; i < PLACES_MAX && size > 0 && data[0] != 'F'; i++)
        look(i);
    sw_shelf_free(shelf);
    disk_done(&disk);
    return 0;
}
