/* Blocks of snapshots that shrink are packed, and readers do not notice which. */
#include "pkg/agent/store/snapshot.h"
#include "pkg/utils/base/hash.h"
#include "test/support/disk.h"

#include <lz4.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define BYTES(text) ((struct sw_bytes){text, sizeof text - 1})
#define PATH "d/s"
#define RECORDS 300u
#define AT SW_SNAPSHOT_HEAD_BYTES /* Where the first block stands. */
#define CONTENT (SW_SNAPSHOT_HEAD_BYTES + SW_SNAPSHOT_BLOCK_HEAD_BYTES)

static const uint8_t uuid[16] = {1};
static const struct sw_snapshot_block end = {.kind = SW_SNAPSHOT_END};

struct file {
    struct disk disk;
    struct sw_buffer bytes, tail;
    struct sw_snapshot_instance instance; /* That it holds first. */
    uint8_t noise[65536];
    uint64_t seen; /* Blocks that were as they should be. */
};

static void begin(struct file *file)
{
    sw_buffer_reset(&file->bytes);
    sw_snapshot_head_put(uuid, 64, &file->bytes);
}

static int set_up(void **state)
{
    struct file *file = calloc(1, sizeof *file);
    struct sw_record record = {.kind = SW_RECORD_SEGMENT};
    struct sw_buffer bytes;

    if (file == NULL)
        return -1;
    disk_init(&file->disk, 1);
    disk_bytes(&file->disk, file->noise, sizeof file->noise);
    sw_buffer_init(&file->bytes, (size_t)1 << 24);
    sw_buffer_init(&file->tail, (size_t)1 << 24);
    sw_buffer_init(&bytes, 4096);
    record.segment.instance = 11;
    record.segment.pod = 1;
    record.segment.entry = SW_ENTRY_MESSAGE;
    record.segment.head.type = BYTES("text/plain");
    record.segment.body = BYTES("add 1;get");
    record.segment.body_bytes = (uint32_t)record.segment.body.size;
    for (uint64_t i = 0; i < RECORDS; i++) {
        sw_buffer_reset(&bytes);
        record.segment.previous = 4096 + i * 200;
        sw_record_put(&record, &bytes, NULL);
        sw_snapshot_tail_put(record.segment.previous + 200,
                             (struct sw_bytes){bytes.data, bytes.size}, &file->tail);
    }
    sw_buffer_done(&bytes);
    file->instance = (struct sw_snapshot_instance){.pod = 1,
                                                   .id = 11,
                                                   .spec = 1,
                                                   .last_lsn = 4096 + RECORDS * 200,
                                                   .base_lsn = 4096,
                                                   .key = BYTES("a.txt"),
                                                   .seed = BYTES("0123456789abcdef"),
                                                   .actor = BYTES("an actor"),
                                                   .guest = BYTES("a guest"),
                                                   .tail = {file->tail.data, file->tail.size}};
    begin(file);
    *state = file;
    return 0;
}

static int tear_down(void **state)
{
    struct file *file = *state;

    sw_buffer_done(&file->bytes);
    sw_buffer_done(&file->tail);
    disk_done(&file->disk);
    free(file);
    return 0;
}

static void assert_same(const struct sw_snapshot_instance *one,
                        const struct sw_snapshot_instance *other)
{
    assert_int_equal(one->id, other->id);
    assert_int_equal(one->last_lsn, other->last_lsn);
    assert_true(sw_bytes_is_equal(one->key, other->key));
    assert_true(sw_bytes_is_equal(one->seed, other->seed));
    assert_true(sw_bytes_is_equal(one->actor, other->actor));
    assert_true(sw_bytes_is_equal(one->guest, other->guest));
    assert_true(sw_bytes_is_equal(one->tail, other->tail));
}

static enum sw_rc visit(void *ctx, const struct sw_snapshot_block *block, struct sw_err *err)
{
    struct file *file = ctx;

    (void)err;
    assert_int_not_equal(block->kind, SW_SNAPSHOT_PACKED);
    if (block->kind == SW_SNAPSHOT_INSTANCE)
        assert_same(&block->instance, &file->instance);
    file->seen++;
    return SW_OK;
}

static size_t put(struct file *file, const struct sw_snapshot_block *block)
{
    size_t before = file->bytes.size;

    sw_snapshot_block_put(block, &file->bytes);
    return file->bytes.size - before;
}

static size_t put_instance(struct file *file)
{
    struct sw_snapshot_block block = {.kind = SW_SNAPSHOT_INSTANCE, .instance = file->instance};

    return put(file, &block);
}

/* Write what was put, and an end. */
static enum sw_rc scan(struct file *file, struct sw_snapshot_report *ret_report, struct sw_err *err)
{
    (void)put(file, &end);
    assert_int_equal(
        sw_file_save(&file->disk.system, PATH, file->bytes.data, file->bytes.size, NULL), SW_OK);
    return sw_snapshot_scan(&file->disk.system, PATH, visit, file, ret_report, err);
}

static enum sw_rc read_at(struct file *file, uint64_t at, struct sw_buffer *out,
                          struct sw_snapshot_instance *ret_instance)
{
    const struct sw_system *system = &file->disk.system;
    struct sw_snapshot *snapshot;
    enum sw_rc rc;
    int number;

    assert_int_equal(system->file_open(system->ctx, PATH, SW_FILE_READ, &number, NULL), SW_OK);
    snapshot = sw_snapshot_adopt(system, number, file->bytes.size);
    assert_non_null(snapshot);
    rc = sw_snapshot_read(snapshot, at, out, ret_instance, NULL);
    sw_snapshot_close(snapshot);
    return rc;
}

static void a_long_tail_is_packed_and_reads_back_the_same(void **state)
{
    struct file *file = *state;
    struct sw_snapshot_instance instance;
    struct sw_snapshot_report report;
    struct sw_buffer out;
    size_t bytes = put_instance(file);

    assert_int_equal(file->bytes.data[CONTENT], SW_SNAPSHOT_PACKED);
    assert_in_range(bytes, 1, file->tail.size / 5);
    file->instance.tail.size = 0; /* Another one, as it is, behind it. */
    assert_in_range(put_instance(file), 100, 260);
    assert_int_equal(file->bytes.data[CONTENT + bytes], SW_SNAPSHOT_INSTANCE);
    file->instance.tail.size = file->tail.size;
    begin(file);
    (void)put_instance(file);
    (void)put_instance(file);
    assert_int_equal(scan(file, &report, NULL), SW_OK);
    assert_int_equal(file->seen, 2);
    assert_int_equal(report.instances, 2);
    assert_int_equal(report.replayed, 2 * RECORDS);
    assert_int_equal(report.check, sw_crc32c(0, file->bytes.data, file->bytes.size));
    sw_buffer_init(&out, SW_SNAPSHOT_BLOCK_MAX);
    for (unsigned i = 0; i < 3; i++) { /* Into the same memory, too. */
        assert_int_equal(read_at(file, AT + bytes * (i % 2), &out, &instance), SW_OK);
        assert_same(&instance, &file->instance);
    }
    sw_buffer_done(&out);
}

static void packed_ones_and_others_are_read_in_turn(void **state)
{
    struct file *file = *state;
    struct sw_snapshot_instance instance;
    struct sw_snapshot_report report;
    struct sw_buffer out;
    uint64_t at[4];

    sw_buffer_init(&out, SW_SNAPSHOT_BLOCK_MAX);
    file->instance.guest = (struct sw_bytes){file->noise, 1000};
    for (unsigned i = 0; i < 4; i++) {
        at[i] = file->bytes.size;
        file->instance.tail.size = i % 2 == 0 ? file->tail.size : 0;
        (void)put_instance(file);
        assert_int_equal(file->bytes.data[at[i] + SW_SNAPSHOT_BLOCK_HEAD_BYTES],
                         i % 2 == 0 ? SW_SNAPSHOT_PACKED : SW_SNAPSHOT_INSTANCE);
    }
    (void)put(file, &end);
    assert_int_equal(
        sw_file_save(&file->disk.system, PATH, file->bytes.data, file->bytes.size, NULL), SW_OK);
    assert_int_equal(sw_snapshot_scan(&file->disk.system, PATH, NULL, NULL, &report, NULL), SW_OK);
    assert_int_equal(report.replayed, 2 * RECORDS);
    for (unsigned i = 0; i < 4; i++) {
        file->instance.tail.size = i % 2 == 0 ? file->tail.size : 0;
        assert_int_equal(read_at(file, at[i], &out, &instance), SW_OK);
        assert_same(&instance, &file->instance);
    }
    assert_int_equal(read_at(file, file->bytes.size - 9, &out, &instance), SW_E_CORRUPT); /* END */
    sw_buffer_done(&out);
}

static void what_does_not_shrink_is_stored_as_it_is(void **state)
{
    struct file *file = *state;
    struct sw_snapshot_report report;
    struct sw_snapshot_block block = {.kind = SW_SNAPSHOT_PUBLISHED};
    static char text[65536];

    memset(text, 'a', sizeof text);
    block.published = (struct sw_bytes){file->noise, sizeof file->noise};
    assert_int_equal(put(file, &block), SW_SNAPSHOT_BLOCK_HEAD_BYTES + 1 + sizeof file->noise);
    block.published = (struct sw_bytes){text, 510}; /* Too short to be worth it. */
    assert_int_equal(put(file, &block), SW_SNAPSHOT_BLOCK_HEAD_BYTES + 1 + 510);
    block.published = (struct sw_bytes){text, 511};
    assert_in_range(put(file, &block), 10, 60);
    memset(file->noise, 'a', sizeof file->noise / 10); /* A tenth is not enough, */
    block.published = (struct sw_bytes){file->noise, sizeof file->noise};
    assert_int_equal(put(file, &block), SW_SNAPSHOT_BLOCK_HEAD_BYTES + 1 + sizeof file->noise);
    memset(file->noise, 'a', sizeof file->noise / 6);
    assert_in_range(put(file, &block), 1, sizeof file->noise / 8 * 7);
    assert_int_equal(scan(file, &report, NULL), SW_OK);
    assert_int_equal(file->seen, 5);
    begin(file);
    file->instance.guest = (struct sw_bytes){text, sizeof text}; /* Taken for packed, */
    file->instance.tail.size = 0;
    assert_in_range(put_instance(file), sizeof text, SIZE_MAX);
    begin(file);
    file->instance.tail.size = file->tail.size; /* unless a part is not. */
    assert_in_range(put_instance(file), 1, sizeof text);
    assert_int_equal(scan(file, &report, NULL), SW_OK);
    assert_int_equal(file->seen, 6);
}

static void a_buffer_without_room_beside_keeps_it_as_it_is(void **state)
{
    static char text[1000];
    struct sw_snapshot_block block = {.kind = SW_SNAPSHOT_PUBLISHED, .published = BYTES(text)};
    struct sw_buffer out;

    (void)state;
    sw_buffer_init(&out, SW_SNAPSHOT_BLOCK_HEAD_BYTES + sizeof text);
    sw_snapshot_block_put(&block, &out);
    assert_false(out.failed);
    assert_int_equal(out.size, out.size_max);
    block.kind = SW_SNAPSHOT_PACKED; /* That is nothing to put. */
    sw_buffer_reset(&out);
    sw_snapshot_block_put(&block, &out);
    assert_true(out.failed);
    sw_buffer_done(&out);
}

/* --- Damage ---------------------------------------------------------------------------------- */

/* A block that says `size`, in it `packed`, with sound checks. It is damage, both ways of reading.
 */
static void assert_damage(struct file *file, uint32_t size, struct sw_bytes packed, bool takes)
{
    struct sw_snapshot_instance instance;
    struct sw_snapshot_report report;
    struct sw_err err = {0};
    struct sw_buffer out, content;

    sw_buffer_init(&out, SW_SNAPSHOT_BLOCK_MAX);
    sw_buffer_init(&content, SW_SNAPSHOT_BLOCK_MAX);
    sw_buffer_put_u8(&content, SW_SNAPSHOT_PACKED);
    sw_buffer_put_u32(&content, size);
    sw_buffer_put(&content, packed.data, packed.size);
    begin(file);
    sw_buffer_put_u32(&file->bytes, (uint32_t)content.size);
    sw_buffer_put_u32(&file->bytes, sw_crc32c(0, content.data, content.size));
    sw_buffer_put(&file->bytes, content.data, content.size);
    assert_int_equal(scan(file, &report, &err), SW_E_CORRUPT);
    assert_non_null(strstr(err.message, "block at 40: "));
    assert_int_equal(read_at(file, AT, &out, &instance), SW_E_CORRUPT);
    if (!takes)
        assert_int_equal(out.capacity, 0);
    sw_buffer_done(&out);
    sw_buffer_done(&content);
}

static struct sw_bytes pack(const void *bytes, size_t size, char *room, size_t room_size)
{
    int packed = LZ4_compress_default(bytes, room, (int)size, (int)room_size);

    assert_true(packed > 0);
    return (struct sw_bytes){room, (size_t)packed};
}

static void damage_is_told_and_takes_no_memory(void **state)
{
    struct file *file = *state;
    struct sw_snapshot_instance instance;
    struct sw_snapshot_report report;
    struct sw_bytes packed, cut;
    struct sw_buffer out;
    static char room[65536];
    uint8_t *content;
    uint32_t size;

    (void)put_instance(file);
    size = (uint32_t)file->bytes.data[CONTENT + 1] | (uint32_t)file->bytes.data[CONTENT + 2] << 8;
    packed.size = file->bytes.size - CONTENT - 5;
    memcpy(room, file->bytes.data + CONTENT + 5, packed.size);
    packed.data = room;
    assert_damage(file, size + 1, packed, true);
    assert_damage(file, size - 1, packed, true);
    for (cut = packed; cut.size > packed.size - 20;) {
        cut.size--;
        assert_damage(file, size, cut, true);
    }
    assert_damage(file, 0, packed, false);
    assert_damage(file, (uint32_t)packed.size, packed, false); /* Nobody packs to that. */
    assert_damage(file, (uint32_t)packed.size * 256, packed, false);
    assert_damage(file, LZ4_MAX_INPUT_SIZE, packed, false);
    assert_damage(file, LZ4_MAX_INPUT_SIZE + 1u, packed, false);
    assert_damage(file, UINT32_MAX, packed, false);
    assert_damage(file, size, (struct sw_bytes){NULL, 0}, false);
    content = calloc(1, size); /* One in another, and one that is nothing. */
    assert_non_null(content);
    content[0] = SW_SNAPSHOT_PACKED;
    content[1] = 100;
    assert_damage(file, size, pack(content, size, room, sizeof room), true);
    content[0] = 77;
    assert_damage(file, size, pack(content, size, room, sizeof room), true);
    free(content);
    sw_buffer_init(&out, SW_SNAPSHOT_BLOCK_MAX); /* It is sound all the same. */
    begin(file);
    (void)put_instance(file);
    assert_int_equal(scan(file, &report, NULL), SW_OK);
    assert_int_equal(read_at(file, AT, &out, &instance), SW_OK);
    sw_buffer_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_long_tail_is_packed_and_reads_back_the_same, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(packed_ones_and_others_are_read_in_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_does_not_shrink_is_stored_as_it_is, set_up, tear_down),
        cmocka_unit_test(a_buffer_without_room_beside_keeps_it_as_it_is),
        cmocka_unit_test_setup_teardown(damage_is_told_and_takes_no_memory, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
