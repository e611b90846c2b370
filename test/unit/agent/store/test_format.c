/* The page docs/reference/disk-format.md says the numbers that the code writes. */
#include "pkg/agent/store/effect.h"
#include "pkg/agent/store/record_text.h"
#include "pkg/agent/store/segment.h"
#include "pkg/agent/store/shelf.h"
#include "pkg/agent/store/snapshot.h"
#include "test/support/disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char page[65536];

static int read_page(void **state)
{
    FILE *file = fopen(SW_TEST_SOURCE "/docs/reference/disk-format.md", "r");

    (void)state;
    if (file == NULL)
        return -1;
    page[fread(page, 1, sizeof page - 1, file)] = 0;
    return fclose(file);
}

static void SW_PRINTF(1, 2) says(const char *format, ...)
{
    char words[128];
    va_list list;

    va_start(list, format);
    vsnprintf(words, sizeof words, format, list);
    va_end(list);
    if (strstr(page, words) == NULL)
        fail_msg("docs/reference/disk-format.md does not say \"%s\"", words);
}

static void versions_and_sizes(void **state)
{
    (void)state;
    says("journals of **version %u**", SW_JOURNAL_VERSION);
    says("snapshots of **version %u**", SW_SNAPSHOT_VERSION);
    says("shelves of **version %u**", SW_SHELF_VERSION);
    says("a head of %u bytes", SW_SHELF_HEAD_BYTES);
    says("above %u bits of offset", SW_SHELF_OFFSET_BITS);
    says("above these %u bits", SW_SHELF_PLACE_BITS);
    says("A segment's head has %u bytes", SW_SEGMENT_HEAD_BYTES);
    says("the first one begins at %u", SW_JOURNAL_BIRTH_LSN);
    says("head has %u bytes", SW_EPOCH_HEAD_BYTES);
    says("A head of %u bytes", SW_SNAPSHOT_HEAD_BYTES);
}

static void kinds_of_records(void **state)
{
    (void)state;
    for (unsigned kind = 1; kind <= SW_RECORD_USAGE; kind++)
        says("| %u | %s |", kind, sw_record_kind_name((enum sw_record_kind)kind));
    assert_string_equal(sw_record_kind_name((enum sw_record_kind)(SW_RECORD_USAGE + 1)), "?");
    for (unsigned entry = 1; entry <= SW_ENTRY_RELEASE; entry++)
        says("%u %s", entry, sw_entry_name((enum sw_entry)entry));
}

static void kinds_of_effects(void **state)
{
    (void)state;
    for (unsigned kind = 1; kind <= SW_EFFECT_CALL; kind++)
        says("| %u | %s |", kind, sw_effect_kind_name((enum sw_effect_kind)kind));
}

static void kinds_of_blocks(void **state)
{
    static const char *const names[] = {"?",         "spec",    "pod",    "instance", "message",
                                        "published", "numbers", "letter", "gone",     "packed",
                                        "shelf",     "places",  "usage",  "records",  "history"};

    (void)state;
    assert_int_equal(SW_SNAPSHOT_HISTORY + 1, sizeof names / sizeof *names);
    for (unsigned kind = 1; kind <= SW_SNAPSHOT_HISTORY; kind++)
        says("| %u | %s |", kind, names[kind]);
    says("| %u | end |", SW_SNAPSHOT_END);
}

/* Journals have their own such test. */
static void a_snapshot_of_another_version_is_refused(void **state)
{
    static const uint8_t uuid[16] = {1};
    static const struct sw_snapshot_block end = {.kind = SW_SNAPSHOT_END};
    struct disk *disk = calloc(1, sizeof *disk);
    struct sw_snapshot_report report;
    struct sw_buffer bytes;
    struct sw_err err = {0};

    (void)state;
    assert_non_null(disk);
    disk_init(disk, 1);
    sw_buffer_init(&bytes, 4096);
    sw_snapshot_head_put(uuid, 64, &bytes);
    sw_snapshot_block_put(&end, &bytes);
    assert_int_equal(sw_file_save(&disk->system, "d/s", bytes.data, bytes.size, &err), SW_OK);
    assert_int_equal(sw_snapshot_scan(&disk->system, "d/s", NULL, NULL, &report, &err), SW_OK);
    for (unsigned version = 0; version <= 2 * SW_SNAPSHOT_VERSION; version++) {
        disk_find(disk, "d/s")->seen[4] = (uint8_t)version;
        assert_int_equal(sw_snapshot_scan(&disk->system, "d/s", NULL, NULL, &report, &err),
                         version == SW_SNAPSHOT_VERSION ? SW_OK : SW_E_UNSUPPORTED);
    }
    assert_non_null(strstr(err.hint, "another release"));
    sw_buffer_done(&bytes);
    disk_done(disk);
    free(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_and_sizes),
        cmocka_unit_test(kinds_of_records),
        cmocka_unit_test(kinds_of_effects),
        cmocka_unit_test(kinds_of_blocks),
        cmocka_unit_test(a_snapshot_of_another_version_is_refused),
    };
    return cmocka_run_group_tests(tests, read_page, NULL);
}
