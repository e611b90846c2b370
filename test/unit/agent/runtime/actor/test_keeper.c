/* uses: pkg/agent/link pkg/agent/store */
#include "pkg/agent/store/history.h"
#include "test/unit/agent/runtime/actor/looking.h"
#include "test/unit/agent/runtime/actor/room.h"

#define FILLER 2u

static const struct sw_history_policy keeps_all = {.bytes = 1u << 30};
static struct sw_history_policy policy;
static bool is_there_time;

/* Pod 1 is of the Agent whose past is kept; Pod 2 of one that fills the journal. */
static void open_keeping(struct sw_guest_module *module, const char *digest, bool rests)
{
    actors.next_module = module;
    actors_open(&actors, &(struct actors_pod){.number = 1,
                                              .agent = "a",
                                              .is_keyed = true,
                                              .digest = digest,
                                              .rests_at_once = rests,
                                              .history = policy});
    actors.next_module = &actors.module;
    actors_open(&actors,
                &(struct actors_pod){
                    .number = FILLER, .agent = "b", .is_keyed = true, .digest = "sha256:filler"});
    actors_settle(&actors);
}

static int set_up_keeping(void **state)
{
    int rc = set_up(state);

    policy = keeps_all;
    open_keeping(&actors.module, "sha256:1", false);
    return rc;
}

struct files {
    size_t count;
    uint64_t bytes;
    struct disk_file *last;
};

/* Of history, on the disk. */
static struct files find_files(const char *suffix)
{
    struct files files = {0};

    for (size_t i = 0; i < DISK_FILES_MAX; i++) {
        struct disk_file *file = &actors.disk.files[i];

        if (!file->is_there || strncmp(file->path, "host/history-", 13) != 0 ||
            strcmp(file->path + strlen(file->path) - strlen(suffix), suffix) != 0)
            continue;
        files.count++;
        files.bytes += file->seen_size;
        files.last = file;
    }
    return files;
}

static bool has_time(void *ctx)
{
    (void)ctx;
    return is_there_time;
}

/* Its turns from `first` to `last` are all there, and come to the same. Its counter is 1 more after
 * each turn but the first. */
static void assert_is_kept(const char *key, uint64_t first, uint64_t last)
{
    look(key);
    assert_int_equal(view.first, first);
    assert_int_equal(view.last, last);
    for (uint64_t number = first; number <= last; number++)
        (void)turn_of(number);
    for (uint64_t number = view.replayable; number < last; number++) {
        char words[24];

        snprintf(words, sizeof words, "%" PRIu64, number - 1);
        assert_string_equal(answer_after(number), words);
    }
}

static void add(const char *key, int times)
{
    for (int i = 0; i < times; i++)
        actors_ask(&actors, 1, key, "add 1;get");
}

static void what_was_before_a_snapshot_is_there(void **state)
{
    (void)state;
    add("k", 3);
    actors_ask(&actors, 1, "sender", "send a/other|add 1");
    cut_the_journal(FILLER);
    assert_true(sw_journal_begin(actors.shared.journal) > SW_JOURNAL_BIRTH_LSN);
    assert_int_equal(find_files(".hist").count, 1);
    assert_int_equal(find_files(".new").count, 0);
    assert_is_kept("k", 1, 4);
    look("other");
    assert_int_equal(view.last, 2);
    assert_true(turn_of(2).is_body_kept); /* Though it stood in the record of who sent it. */
    assert_true(sw_bytes_is_equal(turn_of(2).segment.body, script_text("add 1")));
    assert_int_equal(sw_past_go(past, 2, &err), SW_OK);
    add("k", 2);
    cut_the_journal(FILLER);
    add("k", 1);
    assert_is_kept("k", 1, 7);
    assert_int_equal(view.replayable, 1);
}

static void who_slept_is_kept_as_it_was(void **state)
{
    (void)state;
    open_keeping(&actors.module, "sha256:1", true);
    add("k", 3);
    add("idle", 1);
    cut_the_journal(FILLER);
    add("k", 2);
    cut_the_journal(FILLER);
    add("k", 2);
    assert_is_kept("k", 1, 8);
    assert_is_kept("idle", 1, 2);
}

/* What was being kept when the host ended is kept by the next one, before anything is removed. */
static void a_host_that_ends_in_the_middle_loses_nothing(void **state)
{
    (void)state;
    add("k", 3);
    cut_the_journal(FILLER);
    add("k", 2);
    for (int power_fails = 0; power_fails <= 1; power_fails++) {
        sw_snapshot_ask(&actors.shared, has_time, NULL);
        is_there_time = false;
        for (int i = 0; i < 600; i++)
            actors_ask(&actors, FILLER, "filler", "add 1");
        actors_rest(&actors);
        assert_int_equal(sw_snapshot_begin(&actors.shared, actors.workers, actors.count, NULL),
                         SW_OK);
        assert_int_equal(actors_snapshot(&actors), SW_E_CANCELLED);
        assert_int_equal(sw_snapshot_phase(&actors.shared), SW_SNAPSHOT_COUNTS);
        assert_int_equal(find_files(".new").count, 0);
        assert_int_equal(actors_restart(&actors, power_fails), SW_OK);
        assert_int_equal(sw_snapshot_phase(&actors.shared), SW_SNAPSHOT_COUNTS);
        open_keeping(&actors.module, "sha256:1", false);
        assert_is_kept("k", 1, 6 + 2 * (uint64_t)power_fails);
        assert_int_equal(actors_snapshot(&actors), SW_OK);
        assert_is_kept("k", 1, 6 + 2 * (uint64_t)power_fails);
        add("k", 2);
    }
    cut_the_journal(FILLER);
    assert_is_kept("k", 1, 10);
}

/* A clean stop leaves it to the next start. */
static void a_stop_does_not_wait_for_it(void **state)
{
    struct sw_snapshot_options options = {
        .shared = &actors.shared, .workers = actors.workers, .count = 2};

    (void)state;
    add("k", 3);
    options.count = actors.count;
    actors_settle(&actors);
    assert_int_equal(sw_snapshot_take(&options, &err), SW_OK);
    assert_int_equal(find_files(".hist").count, 0);
    assert_int_equal(actors_restart(&actors, true), SW_OK);
    assert_int_equal(sw_snapshot_phase(&actors.shared), SW_SNAPSHOT_COUNTS);
    assert_int_equal(actors_snapshot(&actors), SW_OK);
    assert_int_equal(find_files(".hist").count, 1);
    open_keeping(&actors.module, "sha256:1", false);
    add("k", 1);
    cut_the_journal(FILLER);
    assert_is_kept("k", 1, 5);
}

/* Whatever write or sync fails, or when the disk is full: nothing is lost but history. */
static void a_history_that_cannot_be_written_is_a_gap(void **state)
{
    char words[SW_SNAPSHOT_WORDS_MAX];
    struct sw_past_turn turn;

    (void)state;
    add("k", 3);
    cut_the_journal(FILLER);
    add("k", 2);
    actors_rest(&actors);
    assert_int_equal(sw_snapshot_begin(&actors.shared, actors.workers, actors.count, NULL), SW_OK);
    while (sw_snapshot_phase(&actors.shared) != SW_SNAPSHOT_NAMED) {
        actors_settle(&actors);
        assert_int_equal(sw_snapshot_advance(&actors.shared, &err), SW_OK);
    }
    actors_settle(&actors);
    actors.disk.fail_writes_after = 1;
    assert_int_equal(sw_snapshot_advance(&actors.shared, &err), SW_OK);
    actors.disk.fail_writes_after = -1;
    assert_int_equal(sw_snapshot_phase(&actors.shared), SW_SNAPSHOT_NONE);
    assert_true(sw_snapshot_trouble(&actors.shared, words));
    assert_non_null(strstr(words, "the history of default/a has a gap of 2 turns"));
    assert_false(sw_snapshot_trouble(&actors.shared, words));
    cut_the_journal(FILLER);
    add("k", 1);
    cut_the_journal(FILLER);
    look("k");
    assert_int_equal(view.first, 1);
    assert_int_equal(view.last, 7);
    for (uint64_t number = 1; number <= 7; number++)
        assert_int_equal(sw_past_turn(past, number, &turn, &err),
                         number == 5 || number == 6 ? SW_E_RANGE : SW_OK);
    assert_int_equal(sw_past_next(past, 1), 1);
    assert_int_equal(sw_past_next(past, 5), 7); /* Whoever goes through them passes the gap. */
    assert_int_equal(sw_past_next(past, 8), 0);
    assert_int_equal(sw_past_newest(past, 7, 1), 7);
    assert_int_equal(sw_past_newest(past, 7, 3), 3);
    assert_int_equal(sw_past_newest(past, 6, 1), 4);
    assert_int_equal(sw_past_newest(past, 7, 100), 1);
    assert_string_equal(answer_after(3), "2");
    assert_string_equal(answer_after(6), "5");
    assert_int_equal(sw_past_go(past, 4, &err), SW_OK);
    assert_int_equal(sw_past_go(past, 5, &err), SW_E_RANGE);
    assert_non_null(strstr(err.message, "was not kept"));
    assert_int_equal(sw_past_go(past, 7, &err), SW_OK);
    assert_int_equal(sw_past_go(past, 2, &err), SW_OK);
}

static void what_is_beyond_the_limits_goes(void **state)
{
    struct files files;

    (void)state;
    policy = (struct sw_history_policy){.bytes = 64u << 10};
    open_keeping(&actors.module, "sha256:1", false);
    for (int i = 0; i < 30; i++) {
        char body[6000], name[16];

        snprintf(name, sizeof name, "n%d", i);
        for (size_t at = 0; at < sizeof body - 1; at++) /* It does not become smaller. */
            body[at] = (char)('a' + disk_random(&actors.disk) % 26);
        memcpy(body, "add 1 ", 6);
        body[sizeof body - 1] = 0;
        actors_ask(&actors, 1, "k", body);
        take_snapshot();
        files = find_files(".hist");
        assert_true(files.bytes <= policy.bytes);
    }
    assert_true(files.bytes > policy.bytes / 2);
    policy = (struct sw_history_policy){.bytes = 1u << 20, .turns = 10};
    open_keeping(&actors.module, "sha256:1", false);
    for (int i = 0; i < 30; i++) {
        add("k", 1);
        take_snapshot();
    }
    files = find_files(".hist");
    assert_true(files.count >= 10 && files.count <= 11);
    policy = (struct sw_history_policy){.bytes = 1u << 20, .age_ns = 1000};
    open_keeping(&actors.module, "sha256:1", false);
    for (int i = 0; i < 20; i++) {
        add("k", 1);
        take_snapshot();
        actors.disk.now_ns += 100;
    }
    assert_true(find_files(".hist").count <= 12);
    actors.disk.now_ns += 2000;
    assert_false(sw_snapshot_trim(&actors.shared));
    assert_int_equal(find_files(".hist").count, 0);
}

/* Many small files become few. */
static void there_are_never_many_files(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        add("k", 1);
        take_snapshot();
        assert_true(find_files(".hist").count <= 24);
    }
    cut_the_journal(FILLER);
    cut_the_journal(FILLER);
    assert_is_kept("k", 1, 201);
    actors_restart(&actors, true);
    assert_true(sw_snapshot_trim(&actors.shared));
    assert_is_kept("k", 1, 201);
}

/* Who fails again and again is saved with records, not as he is, and not with those that failed. */
static void who_fails_between_snapshots_is_made_again(void **state)
{
    (void)state;
    policy = (struct sw_history_policy){.turns = 10};
    open_keeping(&actors.module, "sha256:1", false);
    for (int i = 0; i < 8; i++) {
        add("k", 2);
        actors_ask(&actors, 1, "k", "trap");
        actors_ask(&actors, 1, "k", "trap");
        take_snapshot();
    }
    cut_the_journal(FILLER);
    add("k", 1);
    look("k");
    assert_int_equal(view.last, 34);
    assert_true(view.first > 10 && view.first < 24);
    for (uint64_t number = view.first; number <= view.last; number++) {
        struct sw_past_turn turn = turn_of(number);
        bool is_trap = number > 1 && (number - 2) % 4 >= 2 && number < 34;

        assert_int_equal(turn.segment.outcome, is_trap ? SW_OUTCOME_TRAPPED : SW_OUTCOME_DONE);
        assert_int_equal(sw_past_go(past, number - 1, &err), SW_OK);
        assert_int_equal(sw_past_go(past, number, &err), SW_OK);
    }
}

static void who_keeps_none_any_more_has_none(void **state)
{
    (void)state;
    add("k", 3);
    cut_the_journal(FILLER);
    assert_int_equal(find_files(".hist").count, 1);
    policy = (struct sw_history_policy){0};
    open_keeping(&actors.module, "sha256:1", false);
    take_snapshot();
    assert_int_equal(find_files(".hist").count, 0);
    policy = keeps_all;
    open_keeping(&actors.module, "sha256:1", false);
    add("k", 1);
    take_snapshot();
    assert_int_equal(find_files(".hist").count, 1);
    actors_close(&actors, 1, true); /* The Agent is deleted. */
    actors_settle(&actors);
    take_snapshot();
    take_snapshot();
    assert_int_equal(find_files(".hist").count, 0);
}

static bool is_needed(const char *digest)
{
    uint64_t request = actors.next_request++;

    sw_worker_put(actors.workers[0], sw_item_program_ask_new(request, script_text(digest)));
    actors_settle(&actors);
    return actors_reply(&actors, request)->status != 0;
}

static void modules_stay_as_long_as_it(void **state)
{
    (void)state;
    add("k", 3);
    open_keeping(&second, "sha256:2", false);
    add("k", 1);
    take_snapshot();
    take_snapshot();
    assert_true(is_needed("sha256:1"));
    cut_the_journal(FILLER);
    actors_restart(&actors, true);
    assert_true(is_needed("sha256:none")); /* Nobody has looked yet. */
    assert_true(sw_snapshot_trim(&actors.shared));
    assert_true(is_needed("sha256:1"));
    assert_false(is_needed("sha256:none"));
    open_keeping(&second, "sha256:2", false);
    look("k");
    assert_int_equal(view.first, 1);
    assert_true(sw_bytes_is_equal(turn_of(2).module, script_text("sha256:1")));
    assert_string_equal(answer_after(3), "2");
    policy = (struct sw_history_policy){0};
    open_keeping(&second, "sha256:2", false);
    take_snapshot();
    assert_false(is_needed("sha256:1"));
}

/* More modules than a file can name are in several files. */
static void an_agent_that_is_updated_often_is_kept(void **state)
{
    char words[SW_SNAPSHOT_WORDS_MAX], digest[32];

    (void)state;
    for (int i = 0; i < 1200; i++) {
        snprintf(digest, sizeof digest, "sha256:n%d", i);
        open_keeping(&second, digest, false);
        actors_ask(&actors, 1, "k", "get");
        if (i % 400 == 399)
            take_snapshot();
    }
    assert_false(sw_snapshot_trouble(&actors.shared, words));
    assert_int_equal(find_files(".hist").count, 2);
    bytes_max = 64u << 20;
    look("k");
    assert_int_equal(view.first, 1);
    assert_int_equal(view.last, 2 * 1200); /* A birth, and updates; each is asked once. */
}

/* A file that is damaged is a gap, and no more than that. */
static void a_damaged_file_is_a_gap(void **state)
{
    char words[SW_SNAPSHOT_WORDS_MAX];
    struct files files;

    (void)state;
    add("k", 3);
    cut_the_journal(FILLER);
    add("k", 3);
    files = find_files(".hist");
    for (size_t at = 0; at < files.last->seen_size; at++) {
        files.last->seen[at] ^= 1;
        assert_int_equal(look_as("engine 1", "a", "k"), SW_OK);
        assert_int_equal(view.last, 7);
        assert_string_equal(answer_after(6), "5");
        files.last->seen[at] ^= 1;
    }
    assert_is_kept("k", 1, 7);
    files.last->seen[files.last->seen_size - 20] ^= 1;
    files.last->stored[files.last->stored_size - 20] ^= 1;
    actors_restart(&actors, false);
    (void)sw_snapshot_trim(&actors.shared);
    assert_true(sw_snapshot_trouble(&actors.shared, words));
    assert_int_equal(find_files(".hist").count, 0);
}

static void one_that_ended_is_there_still(void **state)
{
    (void)state;
    add("k", 2);
    actors_ask(&actors, 1, "k", "exit");
    cut_the_journal(FILLER);
    look("k");
    assert_int_equal(view.first, 1);
    add("k", 1);
    cut_the_journal(FILLER);
    look("k");
    assert_int_equal(view.first, 1);
}

/* --- The quota of the disk ----------------------------------------------------------------------
 */

#define MIB ((uint64_t)1 << 20)

static void keep(uint64_t bytes)
{
    policy = (struct sw_history_policy){.bytes = bytes};
    open_keeping(&actors.module, "sha256:1", false);
}

/* Of the Agent whose past is kept. */
static uint64_t history_bytes(void)
{
    struct sw_map_entry entry;
    size_t cursor = 0;
    uint64_t sum = 0;

    while (sw_map_next(actors.shared.accounts.agents, &cursor, &entry))
        sum += atomic_load(&((const struct sw_account *)entry.value)->history_bytes);
    return sum;
}

/* A history counts with all that it may take, also after a restart, and no longer than it is kept.
 */
static void what_it_may_take_counts_in_the_quota(void **state)
{
    uint64_t before;

    (void)state;
    keep(4 * MIB);
    add("k", 3);
    take_snapshot();
    assert_int_equal(history_bytes(), 4 * MIB);
    before = used();
    keep(6 * MIB);
    take_snapshot();
    assert_int_equal(used(), before + 2 * MIB);
    for (int power_fails = 0; power_fails <= 1; power_fails++) {
        assert_int_equal(actors_restart(&actors, power_fails), SW_OK);
        assert_int_equal(history_bytes(), 6 * MIB);
        assert_true(used() >= before + 2 * MIB);
        open_keeping(&actors.module, "sha256:1", false);
    }
    keep(3 * MIB);
    assert_int_equal(actors_restart(&actors, false), SW_OK);
    assert_int_equal(history_bytes(), 3 * MIB); /* Less is less at once. */
    keep(0);
    take_snapshot();
    assert_int_equal(history_bytes(), 0);
    assert_true(used() < before - 3 * MIB);
}

static void what_has_no_room_is_not_kept(void **state)
{
    char words[SW_SNAPSHOT_WORDS_MAX];

    (void)state;
    set_storage(used() + 2 * MIB);
    add("k", 3);
    cut_the_journal(FILLER);
    assert_true(sw_snapshot_trouble(&actors.shared, words));
    assert_non_null(strstr(words, "the history of default/a has a gap of 4 turns: the quota of its "
                                  "namespace has no room for its maxBytes"));
    assert_int_equal(find_files(".hist").count, 0);
    assert_int_equal(history_bytes(), 0);
    keep(MIB);
    add("k", 1);
    cut_the_journal(FILLER);
    assert_false(sw_snapshot_trouble(&actors.shared, words));
    assert_int_equal(find_files(".hist").count, 1);
    assert_int_equal(history_bytes(), MIB);
    keep(64 * MIB); /* It keeps what it kept before. */
    cut_the_journal(FILLER);
    assert_int_equal(history_bytes(), MIB);
    assert_int_equal(find_files(".hist").count, 1);
    assert_true(used() <= atomic_load(&space()->quota.storage_bytes_max));
    assert_int_equal(actors_restart(&actors, true), SW_OK);
    assert_int_equal(history_bytes(), MIB);
    open_keeping(&actors.module, "sha256:1", false);
    look("k");
    assert_int_equal(view.last, 5);
}

/* An Agent that goes takes what is reserved for it along. */
static void who_goes_gives_it_back(void **state)
{
    uint64_t before = used();

    (void)state;
    add("k", 1);
    take_snapshot();
    assert_true(used() >= keeps_all.bytes);
    actors_close(&actors, 1, true);
    actors_settle(&actors);
    take_snapshot();
    take_snapshot();
    assert_true(used() <= before);
    assert_int_equal(history_bytes(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_keeping, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_before_a_snapshot_is_there),
        TEST(who_slept_is_kept_as_it_was),
        TEST(a_host_that_ends_in_the_middle_loses_nothing),
        TEST(a_stop_does_not_wait_for_it),
        TEST(a_history_that_cannot_be_written_is_a_gap),
        TEST(what_is_beyond_the_limits_goes),
        TEST(there_are_never_many_files),
        TEST(who_fails_between_snapshots_is_made_again),
        TEST(who_keeps_none_any_more_has_none),
        TEST(modules_stay_as_long_as_it),
        TEST(an_agent_that_is_updated_often_is_kept),
        TEST(a_damaged_file_is_a_gap),
        TEST(one_that_ended_is_there_still),
        TEST(what_it_may_take_counts_in_the_quota),
        TEST(what_has_no_room_is_not_kept),
        TEST(who_goes_gives_it_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
