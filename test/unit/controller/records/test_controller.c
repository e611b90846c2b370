#include "pkg/controller/records/controller.h"
#include "test/unit/controller/fixture.h"

/* uses: pkg/client/informers pkg/store/sqlite pkg/utils/system */

/* What ended long ago goes, over several pages; nothing else does. */

#define OLD_COUNT (SW_RECORDS_PAGE + 6)
#define KEPT_COUNT 5u /* Effects and Approvals. */
#define DAY_NS UINT64_C(86400000000000)

static void *remember(struct fixture *fixture, const char *kind, const char *name, const char *rest)
{
    char json[512];

    (void)snprintf(json, sizeof json, "{\"metadata\":{\"name\":\"%s\"},\"spec\":{%s}}", name, rest);
    must(fixture, sw_objects_create, make(fixture, kind, json));
    return read_object(fixture, kind, name);
}

static void effect(struct fixture *fixture, const char *name, enum sw_api_effect_phase phase,
                   uint64_t age_ns)
{
    struct sw_api_effect *effect = remember(fixture, "Effect", name,
                                            "\"agent\":\"a\",\"service\":\"swarm.http\","
                                            "\"method\":\"POST\",\"url\":\"https://x.example/\"");

    effect->status.phase = phase;
    effect->status.ended_at = sw_objects_utc_ns(fixture->objects) - age_ns;
    must(fixture, sw_objects_update_status, effect);
}

static void approval(struct fixture *fixture, const char *name, enum sw_api_approval_phase phase,
                     uint64_t age_ns)
{
    struct sw_api_approval *approval =
        remember(fixture, "Approval", name, "\"agent\":\"a\",\"title\":\"May I?\"");

    approval->status.phase = phase;
    approval->status.decided_at = sw_objects_utc_ns(fixture->objects) - age_ns;
    must(fixture, sw_objects_update_status, approval);
}

static bool kept_are_left(struct fixture *fixture)
{
    return sw_informer_count(fixture->watchers[0]) + sw_informer_count(fixture->watchers[1]) <=
           KEPT_COUNT;
}

static void what_is_old_goes(void **state)
{
    struct fixture *fixture = *state;
    const struct sw_records_controller_options options = {.loop = fixture->loop,
                                                          .system = sw_system_real(),
                                                          .logger = &fixture->logger,
                                                          .objects = fixture->objects};
    struct sw_records_controller *controller = NULL;
    char name[32];

    for (unsigned i = 0; i < OLD_COUNT; i++) {
        (void)snprintf(name, sizeof name, "old-%u", i);
        effect(fixture, name, SW_API_EFFECT_PHASE_DONE, 31 * DAY_NS);
    }
    effect(fixture, "new", SW_API_EFFECT_PHASE_DONE, 29 * DAY_NS);
    effect(fixture, "open", SW_API_EFFECT_PHASE_INTENDED, 31 * DAY_NS);
    effect(fixture, "unknown", SW_API_EFFECT_PHASE_UNKNOWN, 31 * DAY_NS);
    approval(fixture, "said", SW_API_APPROVAL_PHASE_DENIED, 31 * DAY_NS);
    approval(fixture, "lately", SW_API_APPROVAL_PHASE_APPROVED, 29 * DAY_NS);
    approval(fixture, "asked", SW_API_APPROVAL_PHASE_PENDING, 31 * DAY_NS);
    sw_informer_free(fixture->watchers[0]);
    sw_informer_free(fixture->watchers[1]);
    fixture_watch(fixture, 0, "Effect");
    fixture_watch(fixture, 1, "Approval");
    assert_int_equal(sw_records_controller_new(&options, &controller, NULL), SW_OK);
    until(fixture, kept_are_left);
    for (size_t i = 0; i < 3; i++)
        assert_non_null(
            read_object(fixture, "Effect", (const char *[]){"new", "open", "unknown"}[i]));
    assert_non_null(read_object(fixture, "Approval", "lately"));
    assert_non_null(read_object(fixture, "Approval", "asked"));
    sw_records_controller_free(controller);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_old_goes, fixture_setup, fixture_teardown)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
