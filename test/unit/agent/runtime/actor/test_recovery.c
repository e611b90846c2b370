/* uses: pkg/agent/link */
/* timeout: 300 */
#include "test/unit/agent/runtime/actor/asking.h"

static int set_up(void **state)
{
    (void)state;
    actors_init(&actors, 2, 1);
    open_three(0);
    return 0;
}

static void memory_comes_back_by_replay(void **state)
{
    char before[512];

    (void)state;
    actors_ask(&actors, 1, "k", "add 5;random;mix");
    actors_ask(&actors, 1, "k", "trap");
    actors_ask(&actors, 1, "k", "random;mix");
    actors_ask(&actors, 1, "k", "ask 3 b/x|add 4;get");
    snprintf(before, sizeof before, "%s", actors_ask(&actors, 1, "k", "get"));
    restart(true);
    assert_int_equal(actors.report.instances, 2);
    assert_int_equal(actors.report.messages, 0);
    open_three(0);
    assert_int_equal(field(actors_ask(&actors, 1, "k", "get"), "counter"),
                     field(before, "counter"));
    assert_int_equal(field_of(1, "k", "replies"), 1);
    assert_int_equal(field_of(2, "x", "counter"), 4);
}

static void what_was_sent_and_not_handled_is_handled_after_the_restart(void **state)
{
    (void)state;
    actors_send(&actors, 1, "k", "send b/x|add 1~send b/y|add 2~ask 5 b/z|get");
    sw_worker_run(actors.workers[1], 4);
    assert_int_equal(sw_journal_commit(actors.shared.journal, NULL), SW_OK);
    restart(false);
    assert_int_equal(actors.report.messages, 3);
    open_three(0);
    actors_settle(&actors);
    assert_int_equal(field_of(2, "x", "counter"), 1);
    assert_int_equal(field_of(2, "y", "counter"), 2);
    assert_int_equal(field_of(1, "k", "replies"), 1);
    restart(false);
    assert_int_equal(actors.report.messages, 0);
}

static void a_publish_reaches_after_the_restart_whom_it_had_not_reached(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "sub news");
    actors_ask(&actors, 2, "x", "sub news");
    actors_publish(&actors, "news", "one");
    /* Worker 0 publishes and runs b/x; a/k on worker 1 never gets to it. */
    sw_worker_run(actors.workers[0], 4);
    assert_int_equal(sw_journal_commit(actors.shared.journal, NULL), SW_OK);
    restart(true);
    assert_int_equal(actors.report.messages, 1);
    open_three(0);
    actors_settle(&actors);
    assert_int_equal(field_of(1, "k", "published"), 1);
    assert_int_equal(field_of(2, "x", "published"), 1);
    actors_publish(&actors, "news", "two");
    actors_settle(&actors);
    assert_int_equal(field_of(1, "k", "published"), 2);
}

static void a_publish_of_no_named_priority_can_be_read_back(void **state)
{
    struct sw_item_publish publish = {.request = 1,
                                      .name_space = script_text("default"),
                                      .subject = script_text("news"),
                                      .type = script_text(""),
                                      .body = script_text("one"),
                                      .request_id = script_text(""),
                                      .priority = SW_FRAME_PRIORITY_DEFAULT};

    (void)state;
    actors_ask(&actors, 1, "k", "sub news");
    sw_worker_put(actors.workers[0], sw_item_publish_new(&publish));
    actors_settle(&actors);
    restart(true);
    open_three(0);
    assert_int_equal(field_of(1, "k", "published"), 1);
}

static void overdue_timers_fire_once_after_the_restart(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "timer 1 1000;timer 2 900000000000");
    restart(true);
    actors.disk.now_ns += 5000;
    open_three(0);
    actors_settle(&actors);
    assert_int_equal(field_of(1, "k", "timers"), 1);
    restart(true);
    open_three(0);
    actors_settle(&actors);
    assert_int_equal(field_of(1, "k", "timers"), 1);
}

static void a_question_between_instances_outlives_a_restart(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "ask 6 b/x|hold");
    restart(true);
    open_three(0);
    actors_ask(&actors, 2, "x", "release");
    assert_int_equal(field_of(1, "k", "replies"), 1);
    assert_non_null(strstr(actors_ask(&actors, 1, "k", "get"), "last=released"));
}

static void an_answer_to_a_client_of_before_goes_nowhere(void **state)
{
    uint64_t held = actors_send(&actors, 1, "k", "hold");

    (void)state;
    actors_settle(&actors);
    restart(true);
    open_three(0);
    actors_ask(&actors, 1, "k", "release");
    assert_int_equal(field_of(1, "k", "code"), 0);
    assert_false(actors_reply(&actors, held)->is_there);
}

static void a_question_to_a_volatile_instance_fails_after_a_restart(void **state)
{
    struct actors_pod pod = {.number = 3, .agent = "v", .is_keyed = true, .is_volatile = true};

    (void)state;
    actors_open(&actors, &pod);
    actors_ask(&actors, 1, "k", "ask 6 v/x|hold");
    actors_ask(&actors, 1, "k", "ask 7 v/y|get");
    assert_int_equal(field_of(1, "k", "replies"), 1);
    restart(true);
    open_three(0);
    actors_settle(&actors);
    assert_int_equal(field_of(1, "k", "replies"), 2);
    assert_int_equal(field_of(1, "k", "status"), SW_E_UNAVAILABLE);
    restart(true);
    open_three(0);
    assert_int_equal(field_of(1, "k", "replies"), 2);
}

static void a_failure_that_was_not_heard_of_is_told_after_the_restart(void **state)
{
    (void)state;
    actors_ask(&actors, 2, "x", "add 1");
    actors_send(&actors, 1, "k", "ask 6 b/x|trap");
    sw_worker_run(actors.workers[1], 4);
    sw_worker_put(actors.workers[0], sw_worker_sent(actors.workers[1], 0));
    sw_worker_run(actors.workers[0], 4);
    assert_int_equal(sw_journal_commit(actors.shared.journal, NULL), SW_OK);
    restart(true);
    assert_int_equal(actors.report.messages, 1);
    open_three(0);
    actors_settle(&actors);
    assert_int_equal(field_of(1, "k", "status"), SW_E_INTERNAL);
}

static void a_discarded_pod_stays_gone(void **state)
{
    (void)state;
    actors_ask(&actors, 2, "x", "add 1;sub news");
    actors_ask(&actors, 1, "k", "ask 6 b/x|hold");
    actors_close(&actors, 2, true);
    actors_settle(&actors);
    restart(true);
    assert_int_equal(actors.report.pods, 1);
    assert_int_equal(actors.report.instances, 1);
    actors_open(&actors, &(struct actors_pod){.number = 1, .agent = "a", .is_keyed = true});
    actors_settle(&actors);
    assert_int_equal(field_of(1, "k", "status"), SW_E_UNAVAILABLE);
    assert_int_equal(actors.report.next_pod, 3);
}

static void a_pod_that_is_closed_keeps_what_it_is_sent(void **state)
{
    (void)state;
    actors_ask(&actors, 2, "x", "add 1");
    actors_close(&actors, 2, false);
    actors_settle(&actors);
    actors_ask(&actors, 1, "k", "send b/x|add 5~send b/new|add 7");
    restart(true);
    open_three(0);
    actors_settle(&actors);
    assert_int_equal(field_of(2, "x", "counter"), 6);
    assert_int_equal(field_of(2, "new", "counter"), 7);
}

static void another_module_after_the_restart_begins_empty_and_keeps_messages(void **state)
{
    (void)state;
    actors.resets = true;
    actors_ask(&actors, 2, "x", "add 1");
    actors_send(&actors, 1, "k", "send b/x|add 5");
    sw_worker_run(actors.workers[1], 4);
    assert_int_equal(sw_journal_commit(actors.shared.journal, NULL), SW_OK);
    restart(true);
    actors_open(&actors, &(struct actors_pod){
                             .number = 2, .agent = "b", .is_keyed = true, .digest = "sha256:2"});
    actors_settle(&actors);
    assert_string_equal(actors.last_event, "StateDiscarded");
    assert_int_equal(field_of(2, "x", "counter"), 5);
    restart(true);
    actors_open(&actors, &(struct actors_pod){
                             .number = 2, .agent = "b", .is_keyed = true, .digest = "sha256:2"});
    assert_int_equal(field_of(2, "x", "counter"), 5);
}

static void a_replay_that_comes_to_other_effects_parks_the_instance(void **state)
{
    uint64_t request;

    (void)state;
    actors_ask(&actors, 1, "k", "drift");
    actors_ask(&actors, 1, "other", "add 3");
    restart(true);
    actors.engines[1].drift = 100;
    open_three(0);
    request = actors_send(&actors, 1, "k", "add 1");
    actors_settle(&actors);
    assert_string_equal(actors.last_event, "ReplayMismatch");
    assert_int_equal(actors_reply(&actors, request)->status, SW_E_UNAVAILABLE);
    actors.disk.now_ns += 1000000000;
    actors_settle(&actors);
    assert_int_equal(actors.status.failures, 1);
    assert_int_equal(field_of(1, "other", "counter"), 3);
}

static void what_is_parked_begins_anew_by_a_reset_only(void **state)
{
    struct actors_pod pod = {.number = 1, .agent = "a", .is_keyed = true, .digest = "sha256:2"};

    (void)state;
    actors_ask(&actors, 1, "k", "add 5;drift");
    restart(true);
    actors.engines[1].drift = 100;
    open_three(0);
    actors_ask(&actors, 1, "k", "add 1");
    assert_string_equal(actors.last_event, "ReplayMismatch");
    actors.module.on_upgrade = "";
    actors_open(&actors, &pod);
    actors_settle(&actors);
    assert_string_equal(actors_ask(&actors, 1, "k", "get"), "the instance is parked");
    pod.digest = "sha256:3";
    actors.resets = true;
    actors_open(&actors, &pod);
    actors_settle(&actors);
    assert_int_equal(field_of(1, "k", "counter"), 0);
}

static void effects_of_equal_size_are_not_taken_for_the_same(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "drift");
    restart(false);
    actors.engines[1].drift = 1;
    open_three(0);
    actors_ask(&actors, 1, "k", "get");
    assert_string_equal(actors.last_event, "ReplayMismatch");
}

static void a_replay_that_ends_otherwise_parks_the_instance(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "add 5;once"); /* No effects: only the end tells the difference. */
    restart(false);
    actors.engines[1].drift = 1;
    open_three(0);
    actors_ask(&actors, 1, "k", "get");
    assert_string_equal(actors.last_event, "ReplayMismatch");
}

static void the_config_of_then_is_seen_in_a_replay(void **state)
{
    struct actors_pod pod = {.number = 4, .agent = "c", .is_keyed = true, .config = "one"};

    (void)state;
    actors_open(&actors, &pod);
    actors_ask(&actors, 4, "k", "config");
    pod.config = "two";
    actors_open(&actors, &pod);
    actors_settle(&actors);
    restart(true);
    actors_open(&actors, &pod);
    assert_non_null(strstr(actors_ask(&actors, 4, "k", "get"), "last=one"));
    assert_non_null(strstr(actors_ask(&actors, 4, "k", "config;get"), "last=two"));
}

static void recorded_push_back_is_replayed(void **state)
{
    struct actors_pod small = {.number = 4, .agent = "small", .is_keyed = true, .mailbox = 1};

    (void)state;
    actors_open(&actors, &small);
    actors_settle(&actors);
    actors_send(&actors, 4, "k", "add 1");
    sw_worker_run(actors.workers[0], 0);
    actors_send(&actors, 1, "k", "send small/k|add 10");
    sw_worker_run(actors.workers[1], 4);
    actors_settle(&actors);
    restart(true);
    open_three(0);
    actors_open(&actors, &small);
    assert_int_equal(field_of(1, "k", "code"), SW_E_EXHAUSTED);
    assert_int_equal(field_of(4, "k", "counter"), 1);
}

static void what_a_pod_sent_outlives_it(void **state)
{
    (void)state;
    actors_send(&actors, 1, "k", "send b/x|add 7");
    sw_worker_run(actors.workers[1], 4);
    actors_close(&actors, 1, true);
    sw_worker_run(actors.workers[1], 4);
    assert_int_equal(sw_journal_commit(actors.shared.journal, NULL), SW_OK);
    restart(true);
    assert_int_equal(actors.report.pods, 1);
    actors_open(&actors, &(struct actors_pod){.number = 2, .agent = "b", .is_keyed = true});
    actors_settle(&actors);
    assert_int_equal(field_of(2, "x", "counter"), 7);
}

static void what_was_sent_to_a_pod_does_not_reach_the_one_in_its_place(void **state)
{
    (void)state;
    actors_send(&actors, 1, "k", "send b/x|add 7~ask 4 b/x|add 8");
    sw_worker_run(actors.workers[1], 4);
    actors_close(&actors, 2, true);
    sw_worker_run(actors.workers[0], 4);
    actors_open(&actors, &(struct actors_pod){.number = 4, .agent = "b", .is_keyed = true});
    sw_worker_run(actors.workers[0], 4);
    assert_int_equal(sw_journal_commit(actors.shared.journal, NULL), SW_OK);
    restart(true);
    actors_open(&actors, &(struct actors_pod){.number = 1, .agent = "a", .is_keyed = true});
    actors_open(&actors, &(struct actors_pod){.number = 4, .agent = "b", .is_keyed = true});
    actors_settle(&actors);
    assert_int_equal(field_of(4, "x", "counter"), 0);
    assert_int_equal(field_of(1, "k", "replies"), 1);
    assert_int_equal(field_of(1, "k", "status"), SW_E_UNAVAILABLE);
}

static void time_does_not_go_back_over_a_restart(void **state)
{
    long long before;

    (void)state;
    actors.disk.now_ns += 1000;
    actors_ask(&actors, 1, "k", "now");
    before = field_of(1, "k", "counter");
    restart(true);
    actors.disk.utc_behind_ns = 500;
    open_three(0);
    actors_ask(&actors, 1, "k", "now");
    assert_true(field_of(1, "k", "counter") >= before);
}

/* --- Snapshots ------------------------------------------------------------------------------- */

static enum sw_rc snapshot(bool (*is_late)(void *ctx, unsigned percent))
{
    struct sw_snapshot_options options = {.shared = &actors.shared,
                                          .workers = actors.workers,
                                          .count = actors.count,
                                          .is_late = is_late};

    return sw_snapshot_take(&options, &actors.failure);
}

static void a_snapshot_holds_everything(void **state)
{
    uint64_t entered;

    (void)state;
    actors_ask(&actors, 1, "k", "add 5;sub news;timer 1 1000;random");
    actors_ask(&actors, 1, "k", "ask 6 b/x|hold");
    actors_send(&actors, 1, "k", "send b/y|add 9");
    sw_worker_run(actors.workers[1], 4);
    sw_worker_put(actors.workers[0], sw_worker_sent(actors.workers[1], 0));
    sw_worker_run(actors.workers[0], 0);
    assert_int_equal(sw_journal_commit(actors.shared.journal, NULL), SW_OK);
    assert_int_equal(snapshot(NULL), SW_OK);
    restart(true);
    assert_int_equal(actors.report.instances, 2);
    assert_int_equal(actors.report.messages, 1);
    open_three(0);
    actors_settle(&actors);
    entered = actors.engines[1].entered;
    assert_int_equal(field_of(2, "y", "counter"), 9);
    actors_ask(&actors, 2, "x", "release");
    assert_int_equal(field_of(1, "k", "replies"), 1);
    actors.disk.now_ns += 5000;
    actors_publish(&actors, "news", "x");
    actors_settle(&actors);
    assert_int_equal(field_of(1, "k", "timers"), 1);
    assert_int_equal(field_of(1, "k", "published"), 1);
    assert_int_equal(field_of(1, "k", "counter"), 5);
    assert_true(actors.engines[1].loaded > 0);
    assert_true(actors.engines[1].entered - entered < 10); /* Loaded, not replayed. */
}

static void numbers_are_not_given_again_after_a_snapshot(void **state)
{
    uint64_t number;

    (void)state;
    actors_open(&actors, &(struct actors_pod){.number = 3, .agent = "c", .is_keyed = true});
    actors_ask(&actors, 2, "x", "add 1");
    actors_ask(&actors, 3, "y", "ask 6 b/x|hold");
    actors_close(&actors, 3, true);
    actors_settle(&actors);
    assert_int_equal(snapshot(NULL), SW_OK);
    restart(true);
    number = actors.report.next_pod;
    actors_open(&actors, &(struct actors_pod){.number = number, .agent = "d", .is_keyed = true});
    open_three(0);
    actors_ask(&actors, number, "z", "add 1");
    actors_ask(&actors, 2, "x", "release"); /* To c/y, which is gone; d/z is somebody else. */
    assert_int_equal(field_of(number, "z", "replies"), 0);
}

static void segments_after_a_snapshot_are_replayed_on_top_of_it(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "add 5;random;mix");
    assert_int_equal(snapshot(NULL), SW_OK);
    restart(true);
    open_three(0);
    actors_ask(&actors, 1, "k", "trap");
    actors_ask(&actors, 1, "k", "add 1000000;random");
    for (int round = 0; round < 3; round++) {
        long long counter = field_of(1, "k", "counter");

        assert_true(counter >= 1000000);
        if (round == 1)
            assert_int_equal(snapshot(NULL), SW_OK);
        restart(true);
        open_three(0);
        assert_int_equal(field_of(1, "k", "counter"), counter);
    }
}

static void an_instance_that_slept_keeps_its_image_in_the_next_snapshot(void **state)
{
    uint64_t created;

    (void)state;
    actors_ask(&actors, 1, "k", "add 5");
    assert_int_equal(snapshot(NULL), SW_OK);
    restart(false);
    created = actors.engines[1].created;
    assert_int_equal(snapshot(NULL), SW_OK); /* Not even opened. */
    assert_int_equal(actors.engines[1].created, created);
    restart(true);
    open_three(0);
    assert_int_equal(field_of(1, "k", "counter"), 5);
}

static bool at_once(void *ctx, unsigned percent)
{
    (void)ctx, (void)percent;
    return true;
}

static void without_a_snapshot_in_time_the_journal_serves(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "add 5");
    assert_int_equal(snapshot(at_once), SW_E_TIMEOUT);
    restart(true);
    open_three(0);
    assert_int_equal(field_of(1, "k", "counter"), 5);
}

static void a_crash_within_a_snapshot_leaves_the_journal(void **state)
{
    (void)state;
    for (int64_t fail = 1; fail < 12; fail++) {
        actors_ask(&actors, 1, "k", "add 1");
        actors.disk.fail_writes_after = fail;
        (void)snapshot(NULL);
        actors.disk.fail_writes_after = -1;
        restart(true);
        open_three(0);
        assert_int_equal(field_of(1, "k", "counter"), fail);
        actors_ask(&actors, 1, "k", "add 1");
        actors.disk.fail_syncs_after = fail;
        (void)snapshot(NULL);
        actors.disk.fail_syncs_after = -1;
        restart(true);
        open_three(0);
        assert_int_equal(field(actors_ask(&actors, 1, "k", "add -1;get"), "counter"), fail);
    }
}

static void a_damaged_snapshot_is_refused(void **state)
{
    struct disk_file *file = NULL;

    (void)state;
    actors_ask(&actors, 1, "k", "add 5");
    assert_int_equal(snapshot(NULL), SW_OK);
    for (size_t i = 0; i < DISK_FILES_MAX; i++)
        if (strstr(actors.disk.files[i].path, ".snap") != NULL)
            file = &actors.disk.files[i];
    assert_non_null(file);
    file->seen[file->seen_size / 2] ^= 1;
    assert_int_equal(actors_restart(&actors, false), SW_E_CORRUPT);
    file->seen[file->seen_size / 2] ^= 1;
    restart(false);
}

/* --- The model ------------------------------------------------------------------------------- */

#define MODEL_KEYS 6
#define MODEL_SEEDS 120
#define MODEL_ROUNDS 12

struct model { /* What must hold of each instance: sums that were acknowledged, and that were sent.
                */
    long long acknowledged[MODEL_KEYS], sent[MODEL_KEYS];
};

struct sent { /* Of one round. */
    uint64_t request;
    unsigned key;
    long long amount;
};

static struct disk_file *newest_snapshot(void)
{
    struct disk_file *newest = NULL;

    for (size_t i = 0; i < DISK_FILES_MAX; i++) {
        struct disk_file *file = &actors.disk.files[i];

        if (file->is_there && strstr(file->path, "snapshot-") != NULL &&
            (newest == NULL || strcmp(file->path, newest->path) > 0))
            newest = file;
    }
    return newest;
}

static void a_whole_snapshot_of_before_is_refused(void **state)
{
    struct disk_file *file;
    uint8_t *before;
    size_t size;

    (void)state;
    actors_ask(&actors, 1, "k", "add 1");
    assert_int_equal(snapshot(NULL), SW_OK);
    file = newest_snapshot();
    assert_non_null(file);
    size = file->seen_size;
    before = malloc(size);
    assert_non_null(before);
    memcpy(before, file->seen, size);
    restart(false);
    open_three(0);
    actors_ask(&actors, 1, "k", "add 1");
    assert_int_equal(snapshot(NULL), SW_OK);
    file = newest_snapshot();
    assert_int_equal(file->seen_size, size); /* Each block of it is whole, and of this journal. */
    memcpy(file->seen, before, size);
    free(before);
    assert_int_equal(actors_restart(&actors, false), SW_E_CORRUPT);
}

static void key_name(unsigned key, char name[4])
{
    snprintf(name, 4, "k%u", key);
}

/* One random step of work: adding at once, through another instance, or by a publish. */
static struct sent step(struct model *model, unsigned random)
{
    struct sent sent = {.key = random % MODEL_KEYS, .amount = 1 + (random >> 8) % 5};
    char body[120], key[4], other[4];

    key_name(sent.key, key);
    key_name((random >> 12) % MODEL_KEYS, other);
    switch ((random >> 16) % 5) {
    case 0:
        snprintf(body, sizeof body, "add %lld", sent.amount);
        sent.request = actors_send(&actors, 1, key, body);
        break;
    case 1:
    case 2:
        snprintf(body, sizeof body, "send a/%s|add %lld", key, sent.amount);
        sent.request = actors_send(&actors, 2, other, body);
        break;
    case 3:
        snprintf(body, sizeof body, "ask 9 a/%s|add %lld~add 0;timer 4 100", key, sent.amount);
        sent.request = actors_send(&actors, 2, other, body);
        break;
    default: /* No effect: it traps. */
        snprintf(body, sizeof body, "add 5;send a/%s|add 77~trap", key);
        sent.amount = 0;
        sent.request = actors_send(&actors, 2, other, body);
    }
    model->sent[sent.key] += sent.amount;
    return sent;
}

static unsigned chance(unsigned below)
{
    return (unsigned)(disk_random(&actors.disk) >> 20) % below;
}

/* Work for a while, with runs and commits in between as it happens. */
static unsigned work(struct model *model, struct sent *sent)
{
    unsigned count = chance(40);

    for (unsigned i = 0; i < count; i++) {
        sent[i] = step(model, (unsigned)(disk_random(&actors.disk) >> 20));
        if (chance(3) == 0)
            sw_worker_run(actors.workers[chance(actors.count)], chance(8));
        if (chance(4) == 0)
            actors_run(&actors);
        if (chance(5) == 0)
            assert_int_equal(sw_journal_commit(actors.shared.journal, NULL), SW_OK);
        actors.disk.now_ns += 50;
    }
    return count;
}

/* What is durable may be let out; what is not, is not acknowledged. */
static void let_out(void)
{
    for (uint32_t lane = 0; lane < actors.count; lane++) {
        struct sw_output *output;

        while ((output = sw_worker_output(actors.workers[lane])) != NULL) {
            struct sw_frame frame;
            size_t size;

            if (output->epoch <= sw_journal_durable(actors.shared.journal) &&
                sw_frame_take((struct sw_bytes){output->bytes, output->size}, SW_FRAME_FROM_HOST,
                              &frame, &size, NULL) == SW_OK)
                actors_see(&actors, &frame);
            free(output);
        }
    }
}

static void compare(struct model *model, unsigned seed, int round)
{
    for (unsigned key = 0; key < MODEL_KEYS; key++) {
        char name[4];
        long long counter;

        key_name(key, name);
        counter = field_of(1, name, "counter");
        if (counter < model->acknowledged[key] || counter > model->sent[key])
            fail_msg("seed %u, round %d, %s: %lld is not within %lld and %lld", seed, round, name,
                     counter, model->acknowledged[key], model->sent[key]);
        model->acknowledged[key] = model->sent[key] = counter;
    }
}

/* Work, let some of it out, perhaps take a snapshot, crash, and compare what is left. */
static void play_round(struct model *model, unsigned seed, int round)
{
    struct sent sent[40];
    unsigned count;

    open_three(0);
    count = work(model, sent);
    let_out();
    for (unsigned i = 0; i < count; i++)
        if (actors_reply(&actors, sent[i].request)->is_there &&
            actors_reply(&actors, sent[i].request)->status == 0)
            model->acknowledged[sent[i].key] += sent[i].amount;
    if (chance(5) == 0) {
        actors_settle(&actors);
        if (snapshot(NULL) != SW_OK)
            fail_msg("seed %u: snapshot: %s", seed, actors.failure.message);
    }
    restart(chance(3) != 0);
    open_three(0);
    actors_settle(&actors);
    compare(model, seed, round);
}

static void crashes_at_any_moment_lose_nothing_acknowledged_and_repeat_nothing(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= MODEL_SEEDS; seed++) {
        struct model model = {{0}, {0}};

        actors_done(&actors);
        actors_init(&actors, 1 + seed % 3, seed);
        for (int round = 0; round < MODEL_ROUNDS; round++)
            play_round(&model, seed, round);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(memory_comes_back_by_replay),
        TEST(what_was_sent_and_not_handled_is_handled_after_the_restart),
        TEST(a_publish_reaches_after_the_restart_whom_it_had_not_reached),
        TEST(a_publish_of_no_named_priority_can_be_read_back),
        TEST(overdue_timers_fire_once_after_the_restart),
        TEST(a_question_between_instances_outlives_a_restart),
        TEST(an_answer_to_a_client_of_before_goes_nowhere),
        TEST(a_question_to_a_volatile_instance_fails_after_a_restart),
        TEST(a_failure_that_was_not_heard_of_is_told_after_the_restart),
        TEST(a_discarded_pod_stays_gone),
        TEST(a_pod_that_is_closed_keeps_what_it_is_sent),
        TEST(another_module_after_the_restart_begins_empty_and_keeps_messages),
        TEST(a_replay_that_comes_to_other_effects_parks_the_instance),
        TEST(what_is_parked_begins_anew_by_a_reset_only),
        TEST(effects_of_equal_size_are_not_taken_for_the_same),
        TEST(a_replay_that_ends_otherwise_parks_the_instance),
        TEST(the_config_of_then_is_seen_in_a_replay),
        TEST(recorded_push_back_is_replayed),
        TEST(what_a_pod_sent_outlives_it),
        TEST(what_was_sent_to_a_pod_does_not_reach_the_one_in_its_place),
        TEST(time_does_not_go_back_over_a_restart),
        TEST(numbers_are_not_given_again_after_a_snapshot),
        TEST(a_snapshot_holds_everything),
        TEST(segments_after_a_snapshot_are_replayed_on_top_of_it),
        TEST(an_instance_that_slept_keeps_its_image_in_the_next_snapshot),
        TEST(without_a_snapshot_in_time_the_journal_serves),
        TEST(a_crash_within_a_snapshot_leaves_the_journal),
        TEST(a_damaged_snapshot_is_refused),
        TEST(a_whole_snapshot_of_before_is_refused),
        TEST(crashes_at_any_moment_lose_nothing_acknowledged_and_repeat_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
