/* labels: threaded */
/* uses: pkg/store/sqlite pkg/apis/swarm/v1 pkg/security/secrets */
#include "pkg/security/secrets/secrets.h"
#include "test/unit/store/objects/fixture.h"

/* Secrets at their admission: sealed, kept, refused. */

struct sealing { /* First, so that it is a fixture as well. */
    struct fixture *fixture;
    struct sw_keyring *ring;
};

static int secret_setup(void **state)
{
    static struct sealing sealing;
    const struct sw_keyring_options options = {.system = sw_system_real()};
    void *fixture = NULL;

    if (fixture_setup(&fixture) != 0 ||
        sw_keyring_open(&options, &sealing.ring, NULL, NULL) != SW_OK)
        return -1;
    sealing.fixture = fixture;
    sw_objects_set_ring(sealing.fixture->objects, sealing.ring);
    *state = &sealing;
    return 0;
}

static int secret_teardown(void **state)
{
    struct sealing *sealing = *state;
    void *fixture = sealing->fixture;

    (void)fixture_teardown(&fixture);
    sw_keyring_free(sealing->ring);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, secret_setup, secret_teardown)

static struct sw_api_secret *secret_of(struct sealing *s, const char *name, const char *data)
{
    char json[1000];

    (void)snprintf(json, sizeof json,
                   "{\"kind\":\"Secret\",\"metadata\":{\"name\":\"%s\"},\"spec\":{\"data\":{%s}}}",
                   name, data);
    return make(s->fixture, "Secret", json);
}

static struct sw_api_secret *stored(struct sealing *s, const char *name)
{
    return read_object(s->fixture, "Secret", "default", name);
}

/* What a stored value opens to. */
static const char *opened(struct sealing *s, const char *name, const char *key)
{
    const struct sw_secret_place place = {"default", name, key};
    const struct sw_api_secret *secret = stored(s, name);
    const char *sealed = sw_api_pair_find(secret->spec.data, secret->spec.data_count, key);
    struct sw_buffer value;
    struct sw_err err = {0};
    const char *text;

    assert_non_null(sealed);
    assert_true(sw_secrets_is_sealed(sealed));
    sw_buffer_init(&value, SW_SECRETS_VALUE_MAX);
    if (sw_secrets_open(s->ring, &place, sealed, &value, &err) != SW_OK)
        fail_msg("%s", err.message);
    text = sw_arena_copy(s->fixture->arena, value.data, value.size);
    sw_secrets_buffer_done(&value);
    return text;
}

static void what_is_written_is_sealed(void **state)
{
    struct sealing *s = *state;
    struct sw_api_secret *made =
        must(s->fixture, sw_objects_create, secret_of(s, "a", "\"x\":\"CANARY-1\",\"y\":\"\""));

    assert_true(sw_secrets_is_sealed(made->spec.data[0].value));
    assert_int_equal(made->status.keys, 2);
    assert_string_equal(made->status.sealed_with, sw_keyring_id(s->ring, 0));
    assert_string_equal(opened(s, "a", "x"), "CANARY-1");
    assert_string_equal(opened(s, "a", "y"), "");
}

static void a_dry_run_answers_with_what_is_sealed(void **state)
{
    struct sealing *s = *state;
    struct written written = {.arena = s->fixture->arena};
    const struct sw_api_secret *object = secret_of(s, "a", "\"x\":\"CANARY-1\"");
    const struct sw_object_write write = {
        .kind = sw_kind_find("Secret"), .object = object, .is_dry_run = true};

    assert_int_equal(
        sw_objects_apply(s->fixture->objects, &write, note_written, &written, &written.err), SW_OK);
    harness_wait(s->fixture->harness, &written.count, 1);
    assert_int_equal(written.rc, SW_OK);
    const struct sw_api_secret *answer = written.object;
    assert_true(sw_secrets_is_sealed(answer->spec.data[0].value));
    assert_null(stored(s, "a"));
}

static void the_same_again_changes_nothing(void **state)
{
    struct sealing *s = *state;
    struct sw_api_secret *made =
        must(s->fixture, sw_objects_apply, secret_of(s, "a", "\"x\":\"one\",\"y\":\"two\""));
    struct sw_api_secret *again =
        must(s->fixture, sw_objects_apply, secret_of(s, "a", "\"y\":\"two\",\"x\":\"one\""));

    assert_int_equal(again->metadata.resource_version, made->metadata.resource_version);
    assert_int_equal(again->metadata.generation, 1);
    /* One value is another one: the other one's text stays. */
    struct sw_api_secret *changed =
        must(s->fixture, sw_objects_apply, secret_of(s, "a", "\"x\":\"ONE\",\"y\":\"two\""));
    assert_int_equal(changed->metadata.generation, 2);
    assert_string_not_equal(changed->spec.data[0].value, made->spec.data[0].value);
    assert_string_equal(changed->spec.data[1].value, made->spec.data[1].value);
    assert_string_equal(opened(s, "a", "x"), "ONE");
}

static void what_was_read_can_be_written_again(void **state)
{
    struct sealing *s = *state;
    struct sw_api_secret *made =
        must(s->fixture, sw_objects_apply, secret_of(s, "a", "\"x\":\"one\""));
    struct sw_api_secret *again = must(s->fixture, sw_objects_update, made);

    assert_int_equal(again->metadata.resource_version, made->metadata.resource_version);
    must(s->fixture, sw_objects_delete, made);
    made->metadata.uid = "";
    made->metadata.resource_version = 0;
    (void)must(s->fixture, sw_objects_create, made); /* The same text, made anew. */
    assert_string_equal(opened(s, "a", "x"), "one");
}

static void what_is_sealed_for_another_is_refused(void **state)
{
    struct sealing *s = *state;
    struct sw_api_secret *made =
        must(s->fixture, sw_objects_apply, secret_of(s, "a", "\"x\":\"one\""));
    struct sw_api_secret *other = secret_of(s, "b", "\"x\":\"\",\"y\":\"plain\"");

    other->spec.data[0].value = made->spec.data[0].value;
    struct written written = run(s->fixture, sw_objects_apply, other);
    assert_int_equal(written.rc, SW_E_INVALID);
    assert_string_equal(written.err.field, "spec.data['x']");
    assert_non_null(strstr(written.err.message, "another value or object"));
    assert_null(stored(s, "b"));
    /* Under another name in the same object, too. */
    struct sw_api_secret *moved = secret_of(s, "a", "\"z\":\"\"");
    moved->spec.data[0].value = made->spec.data[0].value;
    written = run(s->fixture, sw_objects_apply, moved);
    assert_int_equal(written.rc, SW_E_INVALID);
    assert_string_equal(written.err.field, "spec.data['z']");
}

static void texts_that_only_look_sealed_are_refused_without_telling_them(void **state)
{
    struct sealing *s = *state;
    struct written written =
        run(s->fixture, sw_objects_apply, secret_of(s, "a", "\"x\":\"sealed:CANARY-2\""));

    assert_int_equal(written.rc, SW_E_INVALID);
    assert_string_equal(written.err.field, "spec.data['x']");
    assert_null(strstr(written.err.message, "CANARY"));
    assert_null(strstr(written.err.hint, "CANARY"));
}

static void after_a_rotation_a_write_seals_with_the_newest_key(void **state)
{
    struct sealing *s = *state;
    struct sw_api_secret *made =
        must(s->fixture, sw_objects_apply, secret_of(s, "a", "\"x\":\"one\""));

    assert_int_equal(sw_keyring_rotate(s->ring, NULL), SW_OK);
    struct sw_api_secret *again = must(s->fixture, sw_objects_update, made);
    assert_string_equal(again->status.sealed_with, sw_keyring_id(s->ring, 0));
    assert_true(again->metadata.resource_version > made->metadata.resource_version);
    made = must(s->fixture, sw_objects_apply, secret_of(s, "a", "\"x\":\"one\""));
    assert_int_equal(made->metadata.resource_version, again->metadata.resource_version);
    assert_string_equal(opened(s, "a", "x"), "one");
}

/* The key is lost: the object can be labelled and deleted, and its value be given anew. */
static void values_without_a_key(void **state)
{
    struct sealing *s = *state;
    struct sw_api_secret *made =
        must(s->fixture, sw_objects_apply, secret_of(s, "a", "\"x\":\"one\""));
    const struct sw_keyring_options options = {.system = sw_system_real()};
    struct sw_keyring *other = NULL;

    assert_int_equal(sw_keyring_open(&options, &other, NULL, NULL), SW_OK);
    sw_keyring_free(s->ring);
    s->ring = other;
    sw_objects_set_ring(s->fixture->objects, s->ring);
    assert_int_equal(sw_api_pair_put(&made->metadata.labels, &made->metadata.labels_count, "a", "b",
                                     s->fixture->arena),
                     SW_OK);
    struct sw_api_secret *labelled = must(s->fixture, sw_objects_update, made);
    assert_string_equal(labelled->spec.data[0].value, made->spec.data[0].value);
    assert_string_not_equal(labelled->status.sealed_with, sw_keyring_id(s->ring, 0));
    (void)must(s->fixture, sw_objects_apply, secret_of(s, "a", "\"x\":\"two\""));
    assert_string_equal(opened(s, "a", "x"), "two");
}

static void without_a_ring_nothing_is_written(void **state)
{
    struct sealing *s = *state;

    sw_objects_set_ring(s->fixture->objects, NULL);
    struct written written = run(s->fixture, sw_objects_apply, secret_of(s, "a", "\"x\":\"one\""));
    assert_int_equal(written.rc, SW_E_UNSUPPORTED);
    (void)must(s->fixture, sw_objects_apply, secret_of(s, "empty", ""));
}

static void a_status_that_is_written_is_not_believed(void **state)
{
    struct sealing *s = *state;
    struct sw_api_secret *made =
        must(s->fixture, sw_objects_apply, secret_of(s, "a", "\"x\":\"one\""));

    made->status.keys = 77;
    made->status.sealed_with = "other";
    struct sw_api_secret *again = must(s->fixture, sw_objects_update_status, made);
    assert_int_equal(again->status.keys, 1);
    assert_string_equal(again->status.sealed_with, sw_keyring_id(s->ring, 0));
}

static void many_large_values(void **state)
{
    struct sealing *s = *state;
    struct sw_api_secret *secret = secret_of(s, "a", "\"a\":\"\",\"b\":\"\",\"c\":\"\",\"d\":\"\"");
    char *large = sw_arena_get(s->fixture->arena, SW_SECRETS_VALUE_MAX + 1);

    memset(large, 'x', SW_SECRETS_VALUE_MAX);
    for (size_t i = 0; i < secret->spec.data_count; i++)
        secret->spec.data[i].value = large;
    (void)must(s->fixture, sw_objects_apply, secret);
    assert_string_equal(opened(s, "a", "d"), large);
    struct sw_api_secret *more =
        secret_of(s, "b", "\"a\":\"\",\"b\":\"\",\"c\":\"\",\"d\":\"\",\"e\":\"\",\"f\":\"\"");
    for (size_t i = 0; i < more->spec.data_count; i++)
        more->spec.data[i].value = large;
    struct written written = run(s->fixture, sw_objects_apply, more);
    assert_int_equal(written.rc, SW_E_INVALID);
    assert_non_null(strstr(written.err.message, "larger than"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_is_sealed),
        TEST(a_dry_run_answers_with_what_is_sealed),
        TEST(the_same_again_changes_nothing),
        TEST(what_was_read_can_be_written_again),
        TEST(what_is_sealed_for_another_is_refused),
        TEST(texts_that_only_look_sealed_are_refused_without_telling_them),
        TEST(after_a_rotation_a_write_seals_with_the_newest_key),
        TEST(values_without_a_key),
        TEST(without_a_ring_nothing_is_written),
        TEST(a_status_that_is_written_is_not_believed),
        TEST(many_large_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
