/* labels: threaded */
/* uses: pkg/store/sqlite pkg/apis/swarm/v1 */
#include "test/unit/store/objects/fixture.h"

/* Who answers an Approval, how often, and what becomes of it. */

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
#define USER "spiffe://hive/user/"
#define LATER "\"2100-01-01T00:00:00Z\""

static void ask(struct fixture *fixture, const char *more)
{
    char json[600];

    (void)snprintf(json, sizeof json,
                   "{\"kind\":\"Approval\",\"metadata\":{\"name\":\"q\"},\"spec\":{\"agent\":\"a\","
                   "\"title\":\"May I?\",\"text\":\"12\"%s}}",
                   more);
    (void)create(fixture, "Approval", json);
}

static enum sw_rc answer_of(struct fixture *fixture, const char *actor,
                            struct sw_api_approval_decision decision, struct sw_err *ret_err)
{
    struct sw_api_approval *approval = read_object(fixture, "Approval", "default", "q");
    struct written written = {.arena = fixture->arena};
    const struct sw_object_write write = {
        .kind = sw_object_kind(approval), .object = approval, .actor = actor};
    enum sw_rc rc;

    approval->spec.decision = decision;
    rc = sw_objects_update(fixture->objects, &write, note_written, &written, ret_err);
    if (rc == SW_OK) {
        harness_wait(fixture->harness, &written.count, 1);
        rc = written.rc;
    }
    return rc;
}

static enum sw_rc answer(struct fixture *fixture, const char *actor,
                         enum sw_api_approval_verdict verdict, const char *text)
{
    struct sw_err err = {0};

    return answer_of(fixture, actor,
                     (struct sw_api_approval_decision){
                         .verdict = verdict, .reason = "so", .text = text, .by = ""},
                     &err);
}

#define YES SW_API_APPROVAL_VERDICT_APPROVE
#define NO SW_API_APPROVAL_VERDICT_DENY
#define EDIT SW_API_APPROVAL_VERDICT_EDIT

static enum sw_rc approve(struct fixture *fixture, const char *actor, uint32_t proposal)
{
    struct sw_err err = {0};

    return answer_of(
        fixture, actor,
        (struct sw_api_approval_decision){
            .verdict = YES, .reason = "so", .text = "", .by = "", .proposal = proposal},
        &err);
}

static const struct sw_api_approval_status *status_of(struct fixture *fixture)
{
    const struct sw_api_approval *approval = read_object(fixture, "Approval", "default", "q");

    assert_int_equal(approval->spec.decision.verdict, 0); /* It is never left there. */
    return &approval->status;
}

static void several_have_to_approve(void **state)
{
    struct fixture *fixture = *state;

    ask(fixture, ",\"quorum\":2,\"approvers\":[\"ada\",\"bob\",\"eve\"]");
    assert_int_equal(answer(fixture, USER "mallory", YES, ""), SW_E_DENIED);
    assert_int_equal(answer(fixture, USER "ada", YES, ""), SW_OK);
    assert_int_equal(answer(fixture, USER "ada", YES, ""), SW_E_PRECONDITION);
    assert_int_equal(status_of(fixture)->phase, SW_API_APPROVAL_PHASE_PENDING);
    assert_int_equal(answer(fixture, USER "bob", YES, ""), SW_OK);
    const struct sw_api_approval_status *status = status_of(fixture);
    assert_int_equal(status->phase, SW_API_APPROVAL_PHASE_APPROVED);
    assert_int_equal(status->decisions_count, 2);
    assert_string_equal(status->decisions[1].by, "bob");
    assert_true(status->decided_at >= status->decisions[0].at);
    assert_int_equal(answer(fixture, USER "eve", NO, ""), SW_E_PRECONDITION);
}

static void one_who_denies_is_enough(void **state)
{
    struct fixture *fixture = *state;

    ask(fixture, ",\"quorum\":2");
    assert_int_equal(answer(fixture, USER "ada", YES, ""), SW_OK);
    assert_int_equal(answer(fixture, USER "bob", NO, ""), SW_OK);
    assert_int_equal(status_of(fixture)->phase, SW_API_APPROVAL_PHASE_DENIED);
}

static void an_edit_begins_anew(void **state)
{
    struct fixture *fixture = *state;

    ask(fixture, ",\"quorum\":2,\"editable\":true");
    assert_int_equal(answer(fixture, USER "ada", YES, ""), SW_OK);
    assert_int_equal(answer(fixture, USER "bob", EDIT, ""), SW_E_INVALID);
    assert_int_equal(answer(fixture, USER "bob", YES, "13"), SW_E_INVALID);
    assert_int_equal(answer(fixture, USER "bob", EDIT, "13"), SW_OK);
    assert_string_equal(status_of(fixture)->text, "13");
    assert_int_equal(status_of(fixture)->approved, 0);
    assert_int_equal(answer(fixture, USER "ada", YES, ""), SW_E_PRECONDITION); /* Of what was. */
    assert_int_equal(approve(fixture, USER "ada", 2), SW_E_PRECONDITION);
    assert_int_equal(approve(fixture, USER "ada", 1), SW_OK);
    assert_int_equal(approve(fixture, USER "bob", 1), SW_OK);
    assert_int_equal(status_of(fixture)->phase, SW_API_APPROVAL_PHASE_APPROVED);
}

static void what_cannot_be_edited(void **state)
{
    struct fixture *fixture = *state;

    ask(fixture, "");
    assert_int_equal(answer(fixture, USER "ada", EDIT, "13"), SW_E_INVALID);
}

static void programs_do_not_answer(void **state)
{
    struct fixture *fixture = *state;
    static const char *const actors[] = {"spiffe://hive/node/one",
                                         "spiffe://hive/namespace/default/agent/a", "nobody"};

    ask(fixture, "");
    assert_int_equal(answer(fixture, NULL, YES, ""), SW_E_DENIED);
    for (size_t i = 0; i < sizeof actors / sizeof actors[0]; i++)
        assert_int_equal(answer(fixture, actors[i], YES, ""), SW_E_DENIED);
    assert_int_equal(status_of(fixture)->phase, SW_API_APPROVAL_PHASE_PENDING);
}

static void an_answer_has_a_verdict_and_a_reason(void **state)
{
    struct fixture *fixture = *state;
    struct sw_err err = {0};

    ask(fixture, "");
    assert_int_equal(
        answer_of(fixture, USER "ada",
                  (struct sw_api_approval_decision){.verdict = YES, .reason = "", .text = ""},
                  &err),
        SW_E_INVALID);
    assert_string_equal(err.field, "spec.decision.reason");
    assert_int_equal(answer_of(fixture, USER "ada",
                               (struct sw_api_approval_decision){.reason = "so", .text = ""}, &err),
                     SW_E_INVALID);
    assert_string_equal(err.field, "spec.decision.verdict");
}

static void a_time_that_is_over(void **state)
{
    struct fixture *fixture = *state;

    ask(fixture, ",\"expiresAt\":\"2001-01-01T00:00:00Z\"");
    assert_int_equal(answer(fixture, USER "ada", YES, ""), SW_E_PRECONDITION);
    (void)must(fixture, sw_objects_delete, read_object(fixture, "Approval", "default", "q"));
    ask(fixture, ",\"expiresAt\":" LATER);
    assert_int_equal(answer(fixture, USER "ada", YES, ""), SW_OK);
}

/* Neither are they made, nor their status, nor that of Effects. */
static void people_write_nothing_else(void **state)
{
    struct fixture *fixture = *state;
    struct sw_err err = {0};
    struct written written = {.arena = fixture->arena};
    struct sw_object_write write = {.actor = USER "ada"};
    struct sw_api_approval *approval;

    ask(fixture, "");
    approval = read_object(fixture, "Approval", "default", "q");
    approval->status.phase = SW_API_APPROVAL_PHASE_APPROVED;
    write.kind = sw_kind_find("Approval");
    write.object = approval;
    assert_int_equal(
        sw_objects_update_status(fixture->objects, &write, note_written, &written, &err),
        SW_E_DENIED);
    approval->metadata.name = "other";
    approval->metadata.resource_version = 0;
    assert_int_equal(sw_objects_create(fixture->objects, &write, note_written, &written, &err),
                     SW_E_DENIED);
    write.kind = sw_kind_find("Effect");
    write.object = make(fixture, "Effect",
                        "{\"kind\":\"Effect\",\"metadata\":{\"name\":\"e\"},\"spec\":{\"agent\":"
                        "\"a\"}}");
    assert_int_equal(sw_objects_create(fixture->objects, &write, note_written, &written, &err),
                     SW_E_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(several_have_to_approve), TEST(one_who_denies_is_enough),
        TEST(an_edit_begins_anew),     TEST(what_cannot_be_edited),
        TEST(programs_do_not_answer),  TEST(an_answer_has_a_verdict_and_a_reason),
        TEST(a_time_that_is_over),     TEST(people_write_nothing_else)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
