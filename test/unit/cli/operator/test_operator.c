/* What whoever keeps a daemon does with its data folder: look, check, save, restore. */
/* labels: threaded */
/* uses: pkg/utils/system pkg/cli/commands pkg/store pkg/agent/store */
#include "pkg/cli/operator/operator.h"
#include "pkg/agent/store/journal.h"
#include "pkg/agent/store/record.h"
#include "pkg/agent/store/shelf.h"
#include "pkg/store/sqlite/sqlite.h"
#include "test/unit/cli/commands/fixture.h"

#define BYTES(text) ((struct sw_bytes){text, sizeof(text) - 1})

static int setup(void **state)
{
    int failed = person_setup(state);
    struct person *p = *state;

    p->program = &sw_swarmctl_program;
    p->run = sw_swarmctl_run;
    return failed;
}

/* Nothing is committed here, so nothing is posted. */
static enum sw_rc post(void *ctx, void (*call)(void *argument), void *argument)
{
    (void)ctx;
    call(argument);
    return SW_OK;
}

static void on_fatal(void *ctx, const struct sw_err *err)
{
    (void)ctx;
    fail_msg("%s", err->message);
}

static void append(struct sw_journal *journal, const struct sw_record *record)
{
    struct sw_journal_place place;
    struct sw_buffer bytes;
    struct sw_err err = {0};

    sw_buffer_init(&bytes, 65536);
    sw_record_put(record, &bytes, NULL);
    assert_int_equal(sw_buffer_check(&bytes), SW_OK);
    assert_int_equal(
        sw_journal_append(journal, (struct sw_bytes){bytes.data, bytes.size}, &place, &err), SW_OK);
    sw_buffer_done(&bytes);
}

/* A journal in data/agents/journal with two Agents, an instance of each, and two messages. */
static void make_journal(void)
{
    const struct sw_journal_options options = {
        .system = sw_system_real(), .folder = "data/agents/journal", .segment_bytes = 65536};
    const char *const agents[] = {"reader", "writer"};
    struct sw_journal *journal = NULL;
    struct sw_err err = {0};

    assert_int_equal(sw_journal_open(&options, NULL, NULL, &journal, &err), SW_OK);
    for (uint64_t i = 1; i <= 2; i++) {
        struct sw_record record = {.kind = SW_RECORD_POD};

        record.pod.pod = i;
        record.pod.uid = record.pod.agent_uid = BYTES("uid");
        record.pod.name_space = BYTES("default");
        record.pod.agent = (struct sw_bytes){agents[i - 1], strlen(agents[i - 1])};
        record.pod.spec = 1;
        append(journal, &record);
        record = (struct sw_record){.kind = SW_RECORD_SEGMENT};
        record.segment.instance = 10 + i;
        record.segment.pod = i;
        record.segment.time_ns = 1000;
        record.segment.entry = SW_ENTRY_START;
        record.segment.key = BYTES("a.txt");
        record.segment.seed = BYTES("0123456789abcdef");
        append(journal, &record);
        record.segment.entry = SW_ENTRY_MESSAGE;
        record.segment.key = record.segment.seed = (struct sw_bytes){NULL, 0};
        record.segment.head.type = BYTES("text/plain");
        record.segment.body = BYTES("hello");
        record.segment.body_bytes = 5;
        append(journal, &record);
    }
    assert_int_equal(sw_journal_commit(journal, &err), SW_OK);
    sw_journal_close(journal);
}

static void make_store(const char *path)
{
    const struct sw_sqlite_options options = {
        .system = sw_system_real(), .path = path, .post = {.post = post}, .on_fatal = on_fatal};
    struct sw_store *store = NULL;
    struct sw_err err = {0};

    assert_int_equal(sw_sqlite_open(&options, &store, &err), SW_OK);
    sw_store_free(store);
}

static size_t lines_of(const char *text)
{
    size_t lines = 0;

    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

static void a_journal_is_found_and_printed_a_record_a_line(void **state)
{
    struct person *p = *state;

    make_journal();
    assert_int_equal(TYPE(p, "journal", "dump", "--data=data"), SW_EXIT_OK);
    assert_int_equal(lines_of(seen(p)), 6);
    assert_non_null(strstr(seen(p), "\treader/a.txt\t"));
    assert_non_null(strstr(seen(p), "\twriter\t"));
    assert_non_null(strstr(seen(p), " time=1970-01-01T00:00:00.000001Z entry=start "));
    assert_non_null(strstr(told(p), "data/agents/journal: 6 records in 1 epochs"));
}

static void a_dump_can_be_of_one_agent_or_instance(void **state)
{
    struct person *p = *state;

    make_journal();
    assert_int_equal(TYPE(p, "journal", "dump", "-d", "data", "--agent=reader"), SW_EXIT_OK);
    assert_int_equal(lines_of(seen(p)), 3);
    assert_null(strstr(seen(p), "writer"));
    assert_int_equal(TYPE(p, "journal", "dump", "-d", "data", "--agent=reader", "--key=a.txt"),
                     SW_EXIT_OK);
    assert_int_equal(lines_of(seen(p)), 2);
    assert_int_equal(TYPE(p, "journal", "dump", "-d", "data", "--key=b.txt"), SW_EXIT_OK);
    assert_int_equal(lines_of(seen(p)), 0);
}

/* A snapshot of a journal: its one Pod and instance. Returns the record that names it. */
static struct sw_record make_snapshot(struct sw_journal *journal, char ret_name[])
{
    struct sw_snapshot_block pod = {.kind = SW_SNAPSHOT_POD},
                             instance = {.kind = SW_SNAPSHOT_INSTANCE},
                             end = {.kind = SW_SNAPSHOT_END};
    struct sw_record record = {.kind = SW_RECORD_SNAPSHOT};
    struct sw_snapshot_report report;
    struct sw_buffer bytes;
    char path[SW_PATH_MAX];

    pod.pod.pod = 1;
    pod.pod.uid = pod.pod.agent_uid = BYTES("uid");
    pod.pod.name_space = BYTES("default");
    pod.pod.agent = BYTES("reader");
    pod.pod.spec = 1;
    instance.instance = (struct sw_snapshot_instance){
        .pod = 1, .id = 11, .spec = 1, .key = BYTES("a.txt"), .seed = BYTES("0123456789abcdef")};
    sw_buffer_init(&bytes, 4096);
    sw_snapshot_head_put(sw_journal_uuid(journal), sw_journal_end(journal), &bytes);
    sw_snapshot_block_put(&pod, &bytes);
    sw_snapshot_block_put(&instance, &bytes);
    sw_snapshot_block_put(&end, &bytes);
    sw_snapshot_name(sw_journal_end(journal), ret_name);
    (void)snprintf(path, sizeof path, "data/agents/journal/%s", ret_name);
    assert_int_equal(sw_file_save(sw_system_real(), path, bytes.data, bytes.size, NULL), SW_OK);
    sw_buffer_done(&bytes);
    assert_int_equal(sw_snapshot_scan(sw_system_real(), path, NULL, NULL, &report, NULL), SW_OK);
    record.snapshot = (struct sw_record_snapshot){.lsn = report.lsn,
                                                  .file = {ret_name, strlen(ret_name)},
                                                  .bytes = report.bytes,
                                                  .check = report.check};
    return record;
}

/* The shelf of a journal, with one instance; its file and its place. */
static struct sw_shelf_file make_shelf(struct sw_journal *journal, uint64_t *ret_place)
{
    struct sw_shelf_options options = {.system = sw_system_real(),
                                       .folder = "data/agents/journal",
                                       .uuid = sw_journal_uuid(journal)};
    struct sw_snapshot_block block = {.kind = SW_SNAPSHOT_INSTANCE,
                                      .instance = {.pod = 1,
                                                   .id = 12,
                                                   .spec = 1,
                                                   .key = BYTES("asleep.txt"),
                                                   .seed = BYTES("0123456789abcdef")}};
    struct sw_shelf *shelf = NULL;
    struct sw_shelf_file file;
    uint32_t cursor = 0;
    struct sw_buffer bytes;

    assert_int_equal(sw_shelf_new(&options, &shelf, NULL), SW_OK);
    sw_buffer_init(&bytes, 4096);
    sw_snapshot_block_put(&block, &bytes);
    assert_int_equal(sw_shelf_put(shelf, (struct sw_bytes){bytes.data, bytes.size}, ret_place),
                     SW_OK);
    assert_int_equal(sw_shelf_sync(shelf, NULL), SW_OK);
    assert_true(sw_shelf_next(shelf, &cursor, &file));
    sw_buffer_done(&bytes);
    sw_shelf_free(shelf);
    return file;
}

static void verifying_reads_who_sleeps(void **state)
{
    const struct sw_journal_options options = {.system = sw_system_real(),
                                               .folder = "data/agents/journal"};
    struct sw_snapshot_block pod = {.kind = SW_SNAPSHOT_POD}, end = {.kind = SW_SNAPSHOT_END},
                             shelf = {.kind = SW_SNAPSHOT_SHELF},
                             places = {.kind = SW_SNAPSHOT_PLACES,
                                       .places = {.pod = 1, .count = 1, .specs = {"\1\0\0\0", 4}}};
    struct sw_snapshot_place place = {.hash = 1, .number = 0};
    struct person *p = *state;
    struct sw_journal *journal = NULL;
    struct sw_shelf_file file;
    struct sw_buffer bytes, entries;
    FILE *stream;

    assert_int_equal(sw_journal_open(&options, NULL, NULL, &journal, NULL), SW_OK);
    file = make_shelf(journal, &place.place);
    shelf.shelf = (struct sw_snapshot_shelf){file.number, file.bytes, file.blocks};
    pod.pod = (struct sw_record_pod){.pod = 1,
                                     .spec = 1,
                                     .uid = BYTES("uid"),
                                     .agent_uid = BYTES("uid"),
                                     .name_space = BYTES("default"),
                                     .agent = BYTES("reader")};
    sw_buffer_init(&bytes, 4096);
    sw_buffer_init(&entries, 4096);
    sw_snapshot_place_put(&place, &entries);
    places.places.places = (struct sw_bytes){entries.data, entries.size};
    sw_snapshot_head_put(sw_journal_uuid(journal), sw_journal_end(journal), &bytes);
    sw_snapshot_block_put(&shelf, &bytes);
    sw_snapshot_block_put(&pod, &bytes);
    sw_snapshot_block_put(&places, &bytes);
    sw_snapshot_block_put(&end, &bytes);
    assert_int_equal(
        sw_file_save(sw_system_real(), "data/agents/journal/s", bytes.data, bytes.size, NULL),
        SW_OK);
    sw_journal_close(journal);
    sw_buffer_done(&bytes);
    sw_buffer_done(&entries);
    assert_int_equal(TYPE(p, "snapshot", "verify", "data/agents/journal/s"), SW_EXIT_OK);
    assert_non_null(strstr(seen(p), "1 instances in 1 Pods, 1 of them asleep"));
    stream = fopen("data/agents/journal/shelf-00000001.shelf", "r+");
    assert_non_null(stream);
    assert_int_equal(fseek(stream, 70, SEEK_SET), 0);
    assert_int_equal(fputc('x', stream), 'x');
    assert_int_equal(fclose(stream), 0);
    assert_int_not_equal(TYPE(p, "snapshot", "verify", "data/agents/journal/s"), SW_EXIT_OK);
}

static void a_dump_names_whom_only_a_snapshot_knows(void **state)
{
    const struct sw_journal_options options = {
        .system = sw_system_real(), .folder = "data/agents/journal", .segment_bytes = 65536};
    static char body[60000];
    struct person *p = *state;
    struct sw_record record = {.kind = SW_RECORD_SEGMENT}, named;
    struct sw_journal *journal = NULL;
    char name[SW_SNAPSHOT_NAME_MAX];

    assert_int_equal(sw_journal_open(&options, NULL, NULL, &journal, NULL), SW_OK);
    record.segment.instance = 11;
    record.segment.pod = 1;
    record.segment.entry = SW_ENTRY_MESSAGE;
    record.segment.head.type = BYTES("text/plain");
    record.segment.body = BYTES(body);
    record.segment.body_bytes = sizeof body - 1;
    for (int i = 0; i < 3; i++) { /* In a file each. */
        if (i == 2) {
            named = make_snapshot(journal, name);
            append(journal, &named);
        }
        append(journal, &record);
        assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
    }
    assert_int_equal(sw_journal_remove_before(journal, named.snapshot.lsn, NULL), SW_OK);
    sw_journal_close(journal);
    assert_int_equal(TYPE(p, "journal", "dump", "-d", "data", "--agent=reader", "--key=a.txt"),
                     SW_EXIT_OK);
    assert_int_equal(lines_of(seen(p)), 1);
    assert_non_null(strstr(seen(p), "\treader/a.txt\t"));
}

static void a_sound_journal_is_said_to_be(void **state)
{
    struct person *p = *state;

    make_journal();
    assert_int_equal(TYPE(p, "journal", "verify", "-d", "data"), SW_EXIT_OK);
    assert_non_null(strstr(seen(p), "sound data/agents/journal: 6 records, 1 epochs"));
}

static void a_data_folder_without_journals_is_told(void **state)
{
    struct person *p = *state;

    assert_int_equal(TYPE(p, "journal", "dump", "-d", "none"), SW_EXIT_NOT_FOUND);
    assert_non_null(strstr(told(p), "--data"));
    assert_int_equal(system("mkdir -p data/agents"), 0);
    assert_int_equal(TYPE(p, "journal", "verify", "-d", "data"), SW_EXIT_NOT_FOUND);
    assert_non_null(strstr(told(p), "there is no journal below data"));
}

static void a_store_is_saved_verified_and_restored(void **state)
{
    struct person *p = *state;

    assert_int_equal(system("mkdir data"), 0);
    make_store("data/store.db");
    assert_int_equal(TYPE(p, "store", "verify", "-d", "data"), SW_EXIT_OK);
    assert_memory_equal(seen(p), "sound data/store.db: revision", 29);
    assert_int_equal(TYPE(p, "store", "backup", "copy.db", "-d", "data"), SW_EXIT_OK);
    assert_memory_equal(seen(p), "saved and verified copy.db:", 27);
    assert_int_equal(TYPE(p, "store", "backup", "copy.db", "-d", "data"), SW_EXIT_CONFLICT);
    assert_int_equal(TYPE(p, "store", "restore", "copy.db", "-d", "data"), SW_EXIT_USAGE);
    assert_non_null(strstr(told(p), "--yes"));
    assert_int_equal(TYPE(p, "store", "restore", "copy.db", "-d", "data", "--yes"), SW_EXIT_OK);
    assert_memory_equal(seen(p), "restored data/store.db:", 23);
    assert_int_equal(TYPE(p, "check", "-d", "data"), SW_EXIT_OK);
    assert_non_null(strstr(seen(p), "no journals below data"));
    make_journal();
    assert_int_equal(TYPE(p, "check", "-d", "data"), SW_EXIT_OK);
    assert_non_null(strstr(seen(p), "sound data/agents/journal"));
}

static void a_damaged_store_is_found(void **state)
{
    struct person *p = *state;

    person_file("bad.db", "this is no store at all");
    assert_int_equal(TYPE(p, "store", "verify", "bad.db"), SW_EXIT_ERROR);
    assert_int_equal(TYPE(p, "store", "verify", "none.db"), SW_EXIT_NOT_FOUND);
    assert_int_equal(TYPE(p, "store", "restore", "bad.db", "--yes", "--file=x.db"), SW_EXIT_ERROR);
    assert_int_not_equal(access("x.db", F_OK), 0);
}

static void the_data_folder_follows_flag_environment_and_home(void **state)
{
    struct person *p = *state;

    assert_int_equal(TYPE(p, "store", "verify"), SW_EXIT_NOT_FOUND);
    assert_non_null(strstr(told(p), "/var/lib/swarm/store.db"));
    assert_int_equal(system("mkdir -p .local/share/swarm"), 0);
    assert_int_equal(TYPE(p, "store", "verify"), SW_EXIT_NOT_FOUND);
    assert_non_null(strstr(told(p), ".local/share/swarm/store.db"));
    person_set(p, "SWARM_DATA", "/env");
    assert_int_equal(TYPE(p, "store", "verify"), SW_EXIT_NOT_FOUND);
    assert_non_null(strstr(told(p), "/env/store.db"));
    assert_int_equal(TYPE(p, "store", "verify", "-d", "/flag"), SW_EXIT_NOT_FOUND);
    assert_non_null(strstr(told(p), "/flag/store.db"));
}

static void the_status_of_a_daemon_that_is_not_there_is_unreachable(void **state)
{
    struct person *p = *state;

    assert_int_equal(TYPE(p, "status", "--server=https://127.0.0.1:1"), SW_EXIT_UNREACHABLE);
}

static void the_pages_in_docs_are_not_stale(void **state)
{
    struct person *p = *state;

    assert_int_equal(system("mkdir pages"), 0);
    assert_int_equal(TYPE(p, "help", "--markdown", "pages"), SW_EXIT_OK);
    /* Mend it with tools/cli/docs. */
    assert_int_equal(system("mkdir docs && cp " SW_TEST_SOURCE "/docs/cli/swarmctl* docs && "
                            "diff -r pages docs"),
                     0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, person_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_journal_is_found_and_printed_a_record_a_line),
        TEST(a_dump_can_be_of_one_agent_or_instance),
        TEST(a_dump_names_whom_only_a_snapshot_knows),
        TEST(verifying_reads_who_sleeps),
        TEST(a_sound_journal_is_said_to_be),
        TEST(a_data_folder_without_journals_is_told),
        TEST(a_store_is_saved_verified_and_restored),
        TEST(a_damaged_store_is_found),
        TEST(the_data_folder_follows_flag_environment_and_home),
        TEST(the_status_of_a_daemon_that_is_not_there_is_unreachable),
        TEST(the_pages_in_docs_are_not_stale),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
