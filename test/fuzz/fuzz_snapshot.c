/* uses: pkg/agent/store */
/* covers: pkg/agent/store/snapshot.c */
#include "pkg/agent/store/snapshot.h"
#include "pkg/utils/base/hash.h"
#include "test/support/disk.h"

#include <stdio.h>

#define FOLDER "agents"
#define LSN 4096u
#define BLOCKS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    struct disk *disk;
    uint64_t instances, at[BLOCKS_MAX];
    struct sw_buffer again; /* The same blocks, written anew. */
};

/* An instance that was read is one again when it is written for itself. */
static void write_alone(const struct sw_snapshot_block *block)
{
    struct sw_snapshot_instance instance;
    struct sw_buffer bytes;

    sw_buffer_init(&bytes, (size_t)1 << 24);
    sw_snapshot_block_put(block, &bytes);
    if (!bytes.failed) {
        uint64_t id = block->instance.id;

        bytes.data[bytes.size - 1] ^= 1;
        assert(sw_snapshot_instance_of(&bytes, &instance, NULL) == SW_E_CORRUPT);
        bytes.data[bytes.size - 1] ^= 1;
        if (sw_snapshot_instance_of(&bytes, &instance, NULL) != SW_OK || instance.id != id)
            abort();
    }
    sw_buffer_done(&bytes);
}

static enum sw_rc visit(void *ctx, const struct sw_snapshot_block *block, struct sw_err *err)
{
    struct seen *seen = ctx;

    (void)err;
    if (block->kind == SW_SNAPSHOT_INSTANCE && seen->instances < BLOCKS_MAX)
        seen->at[seen->instances++] = block->at;
    sw_snapshot_block_put(block, &seen->again);
    if (block->kind == SW_SNAPSHOT_INSTANCE)
        write_alone(block);
    return SW_OK;
}

static int make_file(struct disk *disk, const char *path, const void *bytes, size_t size)
{
    int file = -1;

    if (disk_open(disk, path, SW_FILE_CREATE | SW_FILE_TRUNCATE, &file, NULL) != SW_OK)
        return -1;
    disk_resize(&disk->files[file].seen, &disk->files[file].seen_size, size);
    if (size > 0)
        memcpy(disk->files[file].seen, bytes, size);
    return file;
}

/* What is sound for itself is so for a journal that names it, and each instance is found again. */
static void open_it(struct disk *disk, const struct sw_snapshot_report *report, struct seen *seen)
{
    char name[SW_SNAPSHOT_NAME_MAX], path[SW_PATH_MAX];
    struct sw_record_snapshot record = {
        .lsn = report->lsn, .bytes = report->bytes, .check = report->check};
    struct sw_snapshot_source source = {
        .system = &disk->system, .folder = FOLDER, .uuid = report->uuid, .record = &record};
    struct sw_snapshot_instance instance;
    struct sw_snapshot *snapshot = NULL;
    struct sw_buffer bytes;
    struct disk_file *file;

    sw_snapshot_name(report->lsn, name);
    record.file = (struct sw_bytes){name, strlen(name)};
    snprintf(path, sizeof path, FOLDER "/%s", name);
    file = disk_find(disk, FOLDER "/snapshot");
    assert(file != NULL && make_file(disk, path, file->seen, file->seen_size) >= 0);
    if (sw_snapshot_open(&source, NULL, NULL, &snapshot, NULL) != SW_OK)
        abort();
    sw_buffer_init(&bytes, SW_SNAPSHOT_BLOCK_MAX);
    for (uint64_t i = 0; i < seen->instances; i++)
        if (sw_snapshot_read(snapshot, seen->at[i], &bytes, &instance, NULL) != SW_OK)
            abort();
    (void)!sw_snapshot_read(snapshot, report->bytes - 9, &bytes, &instance, NULL); /* END. */
    sw_snapshot_close(snapshot);
    record.check++;
    assert(sw_snapshot_open(&source, NULL, NULL, &snapshot, NULL) == SW_E_CORRUPT);
    record.check--;
    record.bytes++;
    assert(sw_snapshot_open(&source, NULL, NULL, &snapshot, NULL) == SW_E_CORRUPT);
    record.file.size--;
    assert(sw_snapshot_open(&source, NULL, NULL, &snapshot, NULL) == SW_E_CORRUPT);
    sw_buffer_done(&bytes);
}

/* What a file says of itself at its end, whatever stands before. */
static void look_at_end(struct disk *disk)
{
    struct sw_snapshot_history history;
    struct sw_snapshot_report report;
    struct sw_snapshot *snapshot = NULL;
    struct sw_buffer bytes, copy;
    struct sw_err err = {0};
    uint64_t end;

    if (sw_snapshot_open_path(&disk->system, FOLDER "/snapshot", &snapshot, &report, &err) != SW_OK)
        return;
    sw_buffer_init(&bytes, (size_t)1 << 24);
    sw_buffer_init(&copy, (size_t)1 << 24);
    assert(sw_snapshot_bytes(snapshot) == report.bytes);
    if (sw_snapshot_read_history(snapshot, &bytes, &history, &end, &err) == SW_OK) {
        const struct sw_snapshot_block block = {.kind = SW_SNAPSHOT_HISTORY, .history = history};

        assert(end >= SW_SNAPSHOT_HEAD_BYTES && end < report.bytes && history.from <= history.to);
        sw_snapshot_block_put(&block, &copy); /* It stands there as it would be written. */
        assert(end + copy.size + 9 == report.bytes);
        sw_buffer_reset(&bytes);
        if (sw_snapshot_copy(snapshot, end, copy.size, &bytes, &err) != SW_OK ||
            memcmp(bytes.data, copy.data, copy.size) != 0)
            abort();
        assert(sw_snapshot_copy(snapshot, report.bytes, 1, &bytes, &err) == SW_E_CORRUPT);
    }
    (void)!sw_snapshot_walk(snapshot, NULL, NULL, &err);
    sw_buffer_done(&bytes);
    sw_buffer_done(&copy);
    sw_snapshot_close(snapshot);
}

static void look(struct disk *disk)
{
    struct sw_snapshot_report report;
    struct seen seen = {.disk = disk};
    struct sw_err err = {0};
    enum sw_rc rc;

    sw_buffer_init(&seen.again, (size_t)1 << 24);
    rc = sw_snapshot_scan(&disk->system, FOLDER "/snapshot", visit, &seen, &report, &err);
    assert(rc == SW_OK || err.message[0] != 0);
    if (rc == SW_OK)
        open_it(disk, &report, &seen);
    look_at_end(disk);
    sw_buffer_done(&seen.again);
}

/* 'B': what follows is contents of blocks, each a u32 size and bytes, for which heads and checks
 * are made, so that parsers are reached. Otherwise the bytes of a file. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t uuid[16] = "a journal's uuid";
    struct sw_reader reader = sw_reader_of(data + 1, size > 0 ? size - 1 : 0);
    struct sw_snapshot_block end = {.kind = SW_SNAPSHOT_END};
    struct sw_buffer file;
    struct disk disk;

    disk_init(&disk, 1);
    sw_buffer_init(&file, (size_t)1 << 24);
    if (size > 0 && data[0] == 'B') {
        sw_snapshot_head_put(uuid, LSN, &file);
        for (unsigned i = 0; i < BLOCKS_MAX && reader.at < reader.size; i++) {
            struct sw_bytes bytes = sw_reader_bytes(&reader, reader.size);

            sw_buffer_put_u32(&file, (uint32_t)bytes.size);
            sw_buffer_put_u32(&file, sw_crc32c(0, bytes.data, bytes.size));
            sw_buffer_put(&file, bytes.data, bytes.size);
        }
        sw_snapshot_block_put(&end, &file);
    } else {
        sw_buffer_put(&file, data, size);
    }
    if (make_file(&disk, FOLDER "/snapshot", file.data, file.size) >= 0)
        look(&disk);
    sw_buffer_done(&file);
    disk_done(&disk);
    return 0;
}
