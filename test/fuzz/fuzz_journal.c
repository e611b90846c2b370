/* uses: pkg/agent/store */
/* covers: pkg/agent/store/segment.c pkg/agent/store/record.c pkg/agent/store/effect.c */
#include "pkg/agent/store/effect.h"
#include "pkg/agent/store/journal.h"
#include "pkg/agent/store/record_text.h"
#include "pkg/agent/store/segment.h"
#include "test/support/disk.h"

#define FOLDER "journal"
#define FILES_MAX 8
#define FILE_BYTES_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken can be put again and is then the same bytes. */
static void read_effects(struct sw_bytes bytes)
{
    struct sw_reader reader = sw_reader_of(bytes.data, bytes.size);
    struct sw_effect effect;
    struct sw_buffer out;

    sw_buffer_init(&out, 1u << 24);
    while (sw_effect_take(&reader, &effect)) {
        assert(effect.body.size <= bytes.size && effect.body_at <= bytes.size);
        sw_effect_put(&effect, &out);
        assert(out.size == reader.at);
    }
    assert(out.size == 0 || memcmp(out.data, bytes.data, out.size) == 0);
    sw_buffer_done(&out);
}

/* What was packed leaves its last body out, and says how long that was. */
static void pack_effects(struct sw_bytes bytes)
{
    struct sw_reader reader;
    struct sw_effect effect = {0};
    struct sw_buffer out;

    sw_buffer_init(&out, 1u << 24);
    if (sw_effects_pack(bytes, &out)) {
        reader = sw_reader_of(out.data, out.size);
        while (sw_effect_take(&reader, &effect))
            continue;
        assert(out.size < bytes.size && reader.at == out.size && !reader.failed);
        assert(effect.kind == SW_EFFECT_CALL && effect.absent_bytes >= SW_EFFECT_ABSENT_LEAST);
        assert(out.size + effect.absent_bytes == bytes.size);
    }
    sw_buffer_done(&out);
}

/* What is seen of a record at a glance is what is read of it. */
static void peek_record(struct sw_bytes bytes, const struct sw_record *record)
{
    uint64_t instance, pod;
    bool is_segment = sw_record_peek(bytes, &instance, &pod);

    assert(is_segment == (record->kind == SW_RECORD_SEGMENT));
    assert(!is_segment || (instance == record->segment.instance && pod == record->segment.pod));
}

/* A record that is read can be printed, and written again as one that reads the same. */
static enum sw_rc take_record(struct sw_bytes bytes, struct sw_err *err)
{
    struct sw_record record, again;
    struct sw_buffer text, out;
    enum sw_rc rc = sw_record_take(bytes, &record, err);

    if (rc != SW_OK) {
        assert(err->message[0] != '\0');
        return rc;
    }
    peek_record(bytes, &record);
    sw_buffer_init(&text, 1u << 24);
    sw_buffer_init(&out, 1u << 24);
    sw_record_print(&record, &text);
    sw_record_put(&record, &out, NULL);
    if (sw_buffer_check(&out) == SW_OK)
        assert(sw_record_take((struct sw_bytes){out.data, out.size}, &again, NULL) == SW_OK &&
               again.kind == record.kind);
    if (record.kind == SW_RECORD_SEGMENT) {
        read_effects(record.segment.effects);
        pack_effects(record.segment.effects);
        (void)sw_effects_digest(record.segment.effects);
    }
    sw_buffer_done(&text);
    sw_buffer_done(&out);
    return SW_OK;
}

static enum sw_rc visit(void *ctx, const struct sw_journal_entry *entry, struct sw_err *err)
{
    uint64_t *last_lsn = ctx;

    assert(entry->place.lsn > *last_lsn);
    *last_lsn = entry->place.lsn;
    (void)take_record(entry->record,
                      err); /* Tests of the files hold records of their own making. */
    return SW_OK;
}

/* The files of a journal, one after the other: u64 base, u32 size, bytes. */
static void make_files(struct disk *disk, struct sw_reader *reader)
{
    for (unsigned i = 0; i < FILES_MAX && reader->at < reader->size; i++) {
        uint64_t base = sw_reader_u64(reader);
        struct sw_bytes bytes = sw_reader_bytes(reader, FILE_BYTES_MAX);
        char path[SW_PATH_MAX];
        int file;

        if (reader->failed)
            return;
        sw_segment_path(FOLDER, base, path);
        if (disk_open(disk, path, SW_FILE_CREATE | SW_FILE_TRUNCATE, &file, NULL) != SW_OK)
            return;
        disk_resize(&disk->files[file].seen, &disk->files[file].seen_size, bytes.size);
        if (bytes.size > 0)
            memcpy(disk->files[file].seen, bytes.data, bytes.size);
    }
}

static void append(struct sw_journal *journal)
{
    struct sw_journal_place place;
    enum sw_rc rc = sw_journal_append(journal, (struct sw_bytes){"one more", 8}, &place, NULL);

    assert(rc == SW_OK);
    rc = sw_journal_commit(journal, NULL);
    assert(rc == SW_OK);
}

/* Who reads beside a host sees what is there, and goes on with what has come. *last: of the record
 * seen last. */
static enum sw_rc walk_on(const struct disk *disk, struct sw_segment_walk *walk, uint64_t *last)
{
    const struct sw_segment_place place = {
        .system = &disk->system, .folder = FOLDER, .epoch_max = FILE_BYTES_MAX};
    struct sw_err err = {0};

    return sw_segment_walk_on(&place, visit, last, walk, &err);
}

/* Looking changes nothing; opening agrees with it; what was opened can be opened again, shows the
 * same once more, and goes on. */
static void read_journal(struct disk *disk)
{
    struct sw_journal_options options = {
        .system = &disk->system, .folder = FOLDER, .segment_bytes = 4096};
    struct sw_journal_report report = {{0}, 0, 0, 0, 0, 0, 0, 0};
    struct sw_err err = {0};
    uint64_t seen = 0, opened = 0, again = 0, revisited = 0, last = 0;
    enum sw_rc looked = sw_journal_scan(&disk->system, FOLDER, visit, &seen, &report, &err), rc;
    struct sw_journal *journal = NULL;
    struct sw_segment_walk walk = {0};
    uint64_t walked = 0;

    rc = walk_on(disk, &walk, &walked);
    assert(rc != SW_OK || looked != SW_OK || walked == seen);
    sw_segment_walk_done(&disk->system, &walk);
    rc = sw_journal_open(&options, visit, &opened, &journal, &err);
    assert(looked == rc || looked == SW_E_NOT_FOUND);
    sw_journal_close(journal);
    if (rc != SW_OK)
        return;
    assert(looked != SW_OK || seen == opened);
    journal = NULL;
    rc = sw_journal_open(&options, visit, &again, &journal, &err);
    assert(rc == SW_OK && again == opened);
    rc = sw_journal_revisit(journal, 0, visit, &revisited, &err);
    assert(rc == SW_OK && revisited == again);
    walk = (struct sw_segment_walk){0};
    walked = 0;
    rc = walk_on(disk, &walk, &walked);
    assert(rc != SW_OK || walked == again);
    append(journal);
    if (rc == SW_OK)
        rc = walk_on(disk, &walk, &walked);
    sw_journal_close(journal);
    sw_segment_walk_done(&disk->system, &walk);
    assert(rc != SW_OK || walked > again);
    rc = sw_journal_scan(&disk->system, FOLDER, visit, &last, &report, &err);
    assert(rc == SW_OK && last > opened);
}

/* 'R': what follows is one record. Otherwise the files of a journal. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sw_reader reader = sw_reader_of(data, size);
    struct sw_err err = {0};
    struct disk disk;

    if (size > 0 && data[0] == 'R') {
        (void)take_record((struct sw_bytes){data + 1, size - 1}, &err);
        return 0;
    }
    disk_init(&disk, 1);
    make_files(&disk, &reader);
    read_journal(&disk);
    disk_done(&disk);
    return 0;
}
