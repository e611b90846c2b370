/* labels: threaded */
/* uses: pkg/client/informers pkg/store/sqlite pkg/utils/system pkg/utils/loop pkg/security/secrets
 * pkg/security/crypto */
#include "pkg/controller/secrets/rotation.h"
#include "test/unit/controller/fixture.h"

struct world {
    struct sw_keyring *ring;
    struct sw_rotation *rotation;
    unsigned ends;
    enum sw_rc rc;
    struct sw_rotation_report report;
    char words[SW_ERR_MESSAGE_MAX], hint[SW_ERR_MESSAGE_MAX];
    struct sw_system system; /* The real one, of which files may fail. */
    bool is_full;            /* None can be written. */
};

static struct world *world_of(struct fixture *fixture)
{
    return fixture->ctx;
}

static enum sw_rc file_open(void *ctx, const char *path, unsigned flags, int *ret_file,
                            struct sw_err *err)
{
    const struct world *world = ctx;

    if (world->is_full && (flags & SW_FILE_WRITE) != 0)
        return sw_err_set(err, SW_E_EXHAUSTED, "the disk is full");
    return sw_system_real()->file_open(sw_system_real()->ctx, path, flags, ret_file, err);
}

static int setup(void **state)
{
    int rc = fixture_setup(state);
    struct fixture *fixture = *state;
    struct world *world = calloc(1, sizeof *world);
    struct sw_keyring_options options = {.system = &world->system, .folder = fixture->folder};

    fixture->ctx = world;
    world->system = *sw_system_real();
    world->system.ctx = world;
    world->system.file_open = file_open;
    assert_int_equal(sw_keyring_open(&options, &world->ring, NULL, NULL), SW_OK);
    sw_objects_set_ring(fixture->objects, world->ring);
    return rc;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    struct world *world = fixture->ctx;
    struct sw_keyring *ring = world->ring;
    int rc;

    fixture->ctx = NULL;
    rc = fixture_teardown(state); /* What was stopped ends with the store. */
    sw_keyring_free(ring);
    free(world);
    return rc;
}

/* A Secret with a value of its name, and an empty one. */
static void make_secret(struct fixture *fixture, const char *name)
{
    char json[256];

    (void)snprintf(json, sizeof json,
                   "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"default\"},"
                   "\"spec\":{\"data\":{\"key\":\"value of %s\",\"none\":\"\"}}}",
                   name, name);
    must(fixture, sw_objects_create, make(fixture, "Secret", json));
}

static void assert_opens(struct fixture *fixture, const char *name)
{
    const struct sw_api_secret *secret = read_object(fixture, "Secret", name);
    const struct sw_secret_place place = {"default", name, "key"};
    char wanted[128];

    (void)snprintf(wanted, sizeof wanted, "value of %s", name);
    assert_non_null(secret);
    assert_true(
        sw_secrets_holds(world_of(fixture)->ring, &place,
                         sw_api_pair_find(secret->spec.data, secret->spec.data_count, "key"),
                         (struct sw_bytes){wanted, strlen(wanted)}));
    assert_string_equal(secret->status.sealed_with, sw_keyring_id(world_of(fixture)->ring, 0));
}

static void on_done(void *ctx, enum sw_rc rc, const struct sw_rotation_report *report,
                    const struct sw_err *err)
{
    struct fixture *fixture = ctx;
    struct world *world = world_of(fixture);

    world->ends++;
    world->rc = rc;
    assert_int_equal(report != NULL, rc == SW_OK);
    if (report != NULL)
        world->report = *report;
    (void)snprintf(world->words, sizeof world->words, "%s", err->message);
    (void)snprintf(world->hint, sizeof world->hint, "%s", err->hint);
    fixture_look(fixture);
}

static bool is_over(struct fixture *fixture)
{
    return world_of(fixture)->ends > 0;
}

static enum sw_rc begin(struct fixture *fixture, bool is_resumed, bool keeps_unused,
                        struct sw_err *err)
{
    struct world *world = world_of(fixture);
    const struct sw_rotation_options options = {.objects = fixture->objects,
                                                .ring = world->ring,
                                                .actor = "somebody",
                                                .is_resumed = is_resumed,
                                                .keeps_unused = keeps_unused};

    world->ends = 0;
    return sw_rotation_start(&options, on_done, fixture, &world->rotation, err);
}

/* To its end, which is a good one. */
static const struct sw_rotation_report *rotate(struct fixture *fixture, bool is_resumed,
                                               bool keeps_unused)
{
    struct world *world = world_of(fixture);
    struct sw_err err = {0};

    if (begin(fixture, is_resumed, keeps_unused, &err) != SW_OK)
        fail_msg("%s", err.message);
    assert_int_equal(world->ends, 0);
    until(fixture, is_over);
    if (world->rc != SW_OK)
        fail_msg("%s", world->words);
    assert_int_equal(world->ends, 1);
    return &world->report;
}

struct search { /* For Events. */
    const char *reason;
    unsigned count;
    char words[1024];
};

static bool look_for(void *ctx, const struct sw_store_item *item)
{
    struct search *search = ctx;
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(1u << 20);
    void *object = NULL;

    assert_int_equal(sw_object_of_item(sw_kind_find("Event"), item, arena, &object, NULL), SW_OK);
    if (strcmp(((struct sw_api_event *)object)->reason, search->reason) == 0) {
        search->count++;
        (void)snprintf(search->words, sizeof search->words, "%s",
                       ((struct sw_api_event *)object)->message);
    }
    return true;
}

static struct search events(struct fixture *fixture, const char *reason)
{
    struct search search = {.reason = reason};
    struct sw_store_list_end end;

    assert_int_equal(sw_store_list(fixture->store,
                                   &(struct sw_store_list_request){.prefix = "events/"}, look_for,
                                   &search, &end, NULL),
                     SW_OK);
    return search;
}

static void all_is_sealed_with_a_new_key(void **state)
{
    struct fixture *fixture = *state;
    struct world *world = world_of(fixture);
    char before[SW_RING_ID_SIZE], words[512];
    const struct sw_rotation_report *report;

    (void)snprintf(before, sizeof before, "%s", sw_keyring_id(world->ring, 0));
    make_secret(fixture, "a");
    make_secret(fixture, "b");
    report = rotate(fixture, false, false);
    assert_int_equal(report->resealed, 2);
    assert_int_equal(report->dropped_count, 1);
    assert_string_equal(report->dropped[0], before);
    assert_int_equal(report->now.count, 1);
    assert_int_equal(report->now.secrets, 2);
    assert_int_equal(report->now.lost, 0);
    assert_string_equal(report->now.keys[0].id, sw_keyring_id(world->ring, 0));
    assert_int_equal(report->now.keys[0].values, 4);
    assert_int_equal(sw_keyring_count(world->ring), 1);
    assert_opens(fixture, "a");
    assert_opens(fixture, "b");
    (void)snprintf(words, sizeof words,
                   "somebody: sealed 2 of 2 Secrets again, with the key %s; dropped %s",
                   sw_keyring_id(world->ring, 0), before);
    assert_string_equal(events(fixture, SW_ROTATION_DONE).words, words);
    assert_int_equal(events(fixture, SW_ROTATION_MADE).count, 1);
}

static void without_secrets_there_is_a_new_key_all_the_same(void **state)
{
    struct fixture *fixture = *state;
    char before[SW_RING_ID_SIZE];

    (void)snprintf(before, sizeof before, "%s", sw_keyring_id(world_of(fixture)->ring, 0));
    assert_int_equal(rotate(fixture, false, false)->resealed, 0);
    assert_string_not_equal(sw_keyring_id(world_of(fixture)->ring, 0), before);
    assert_false(sw_keyring_has(world_of(fixture)->ring, before));
}

/* The daemon ended after the key was made. */
static void what_was_broken_off_is_done_to_its_end(void **state)
{
    struct fixture *fixture = *state;
    struct world *world = world_of(fixture);
    const struct sw_rotation_report *report;
    char newest[SW_RING_ID_SIZE];

    make_secret(fixture, "a");
    assert_int_equal(sw_keyring_rotate(world->ring, NULL), SW_OK);
    (void)snprintf(newest, sizeof newest, "%s", sw_keyring_id(world->ring, 0));
    make_secret(fixture, "b");
    report = rotate(fixture, true, false);
    assert_int_equal(report->resealed, 1); /* The other one was sealed with it when it was made. */
    assert_int_equal(report->dropped_count, 1);
    assert_string_equal(sw_keyring_id(world->ring, 0), newest);
    assert_int_equal(events(fixture, SW_ROTATION_MADE).count, 0);
    assert_opens(fixture, "a");
    assert_int_equal(rotate(fixture, true, false)->resealed, 0); /* Nothing is left to do. */
}

static void unused_keys_are_kept_if_so_wished(void **state)
{
    struct fixture *fixture = *state;
    const struct sw_rotation_report *report;

    make_secret(fixture, "a");
    report = rotate(fixture, false, true);
    assert_int_equal(report->resealed, 1);
    assert_int_equal(report->dropped_count, 0);
    assert_int_equal(report->now.count, 2);
    assert_int_equal(report->now.keys[1].values, 0);
    assert_int_equal(rotate(fixture, true, false)->dropped_count, 1);
}

/* Their key went with another machine: they stay as they are. */
static void values_without_a_key_are_counted(void **state)
{
    struct fixture *fixture = *state;
    struct world *world = world_of(fixture);
    struct sw_keyring_options options = {.system = sw_system_real()};
    struct sw_keyring *own = world->ring;
    const struct sw_rotation_report *report;

    make_secret(fixture, "a");
    assert_int_equal(sw_keyring_open(&options, &world->ring, NULL, NULL), SW_OK);
    sw_objects_set_ring(fixture->objects, world->ring);
    report = rotate(fixture, false, false);
    assert_int_equal(report->now.lost, 2);
    assert_int_equal(report->now.secrets, 1);
    assert_non_null(strstr(events(fixture, SW_ROTATION_DONE).words, "2 values have no key here"));
    sw_keyring_free(world->ring);
    world->ring = own;
    sw_objects_set_ring(fixture->objects, own);
    assert_opens(fixture, "a");
}

static void a_key_that_cannot_be_kept_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct world *world = world_of(fixture);
    struct sw_err err = {0};

    make_secret(fixture, "a");
    world->is_full = true;
    assert_int_equal(begin(fixture, false, false, &err), SW_E_EXHAUSTED);
    assert_non_null(strstr(err.message, "the disk is full"));
    assert_int_equal(sw_keyring_count(world->ring), 1);
    assert_opens(fixture, "a");
    world->is_full = false;
    assert_int_equal(rotate(fixture, false, false)->resealed, 1);
}

static void an_error_in_the_middle_says_how_to_go_on(void **state)
{
    struct fixture *fixture = *state;
    struct world *world = world_of(fixture);
    struct sw_err err = {0};

    make_secret(fixture, "a");
    assert_int_equal(begin(fixture, false, false, &err), SW_OK);
    world->is_full = true; /* The keys before it cannot be dropped. */
    until(fixture, is_over);
    assert_int_equal(world->rc, SW_E_EXHAUSTED);
    assert_non_null(strstr(world->hint, "rotate --resume"));
    assert_int_equal(sw_keyring_count(world->ring), 2);
    assert_opens(fixture, "a");
    world->is_full = false;
    assert_int_equal(rotate(fixture, true, false)->dropped_count, 1);
}

static void one_that_is_stopped_tells_nobody(void **state)
{
    struct fixture *fixture = *state;
    struct world *world = world_of(fixture);
    struct sw_err err = {0};

    make_secret(fixture, "a");
    assert_int_equal(begin(fixture, false, false, &err), SW_OK);
    sw_rotation_stop(world->rotation);
    sw_rotation_stop(NULL);
    make_secret(fixture, "b"); /* It has come to its next step meanwhile. */
    assert_int_equal(world->ends, 0);
    assert_int_equal(rotate(fixture, true, false)->resealed, 1);
}

static void it_is_told_in_json(void **state)
{
    static const struct sw_rotation_report report = {
        .resealed = 3,
        .dropped_count = 2,
        .dropped = {"00000000000000aa", "00000000000000bb"},
        .now = {.secrets = 3,
                .lost = 1,
                .count = 1,
                .keys = {{"00000000000000cc", 1780000000000000000u, 5}}}};
    static const char keys[] = "\"keys\":[{\"id\":\"00000000000000cc\",\"made\":"
                               "\"2026-05-28T20:26:40Z\",\"values\":\"5\"}],"
                               "\"secrets\":\"3\",\"lost\":\"1\"";
    struct sw_buffer out;
    char wanted[512];

    (void)state;
    sw_buffer_init(&out, 1024);
    sw_rotation_print_keys(&report.now, &out);
    sw_buffer_put_u8(&out, 0);
    (void)snprintf(wanted, sizeof wanted, "{%s}", keys);
    assert_string_equal((const char *)out.data, wanted);
    sw_buffer_reset(&out);
    sw_rotation_print_report(&report, &out);
    sw_buffer_put_u8(&out, 0);
    (void)snprintf(wanted, sizeof wanted,
                   "{%s,\"resealed\":\"3\",\"dropped\":[\"00000000000000aa\","
                   "\"00000000000000bb\"]}",
                   keys);
    assert_string_equal((const char *)out.data, wanted);
    sw_buffer_done(&out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(all_is_sealed_with_a_new_key),
        TEST(without_secrets_there_is_a_new_key_all_the_same),
        TEST(what_was_broken_off_is_done_to_its_end),
        TEST(unused_keys_are_kept_if_so_wished),
        TEST(values_without_a_key_are_counted),
        TEST(a_key_that_cannot_be_kept_changes_nothing),
        TEST(an_error_in_the_middle_says_how_to_go_on),
        TEST(one_that_is_stopped_tells_nobody),
        cmocka_unit_test(it_is_told_in_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
