#include <inttypes.h>
#include <string.h>

#include "pkg/security/certs/identity.h"
#include "pkg/store/objects/state.h"

/* Approvals at their writes: a decision that somebody puts into the spec is checked, and moved to
 * the status in his name, in one transaction. So answers need no way of their own: whoever can
 * write an object can answer, and two who answer at once do so one after the other. */

#define EDITS_MAX 64u /* Answers, after which nothing else is proposed: 16 may still approve. */

static enum sw_rc out_of_memory(struct sw_err *err)
{
    return sw_err_set(err, SW_E_EXHAUSTED, "no memory is left for this request");
}

static bool is_empty(const char *text)
{
    return text == NULL || text[0] == '\0';
}

enum sw_rc sw_admit_ours(const struct admission *admission, struct sw_err *err)
{
    const struct sw_kind *kind = admission->kind;

    if (admission->options->actor == NULL ||
        (kind->message != &sw_api_approval_message && kind->message != &sw_api_effect_message))
        return SW_OK;
    return sw_err_set(err, SW_E_DENIED, "%ss and their status are written by the platform alone",
                      kind->name);
}

/* The name of a user; NULL: it is none, or not one who may answer. */
static const char *approver_of(const struct admission *admission,
                               const struct sw_api_approval *approval, struct sw_err *err)
{
    struct sw_spiffe spiffe;
    const char *actor = admission->options->actor;

    if (actor == NULL || sw_spiffe_parse(actor, &spiffe) != SW_OK ||
        spiffe.kind != SW_SPIFFE_USER) {
        (void)sw_err_set(err, SW_E_DENIED, "only people answer Approvals");
        return NULL;
    }
    for (size_t i = 0; i < approval->spec.approvers_count; i++)
        if (strcmp(approval->spec.approvers[i], spiffe.name) == 0)
            return approval->spec.approvers[i];
    if (approval->spec.approvers_count > 0) {
        (void)sw_err_set(err, SW_E_DENIED, "%s is none of those who may answer \"%s\"", spiffe.name,
                         sw_object_name(approval));
        sw_err_hint(err, "spec.approvers names them");
        return NULL;
    }
    return sw_arena_copy(admission->options->arena, spiffe.name, strlen(spiffe.name));
}

static enum sw_rc refuse(struct sw_err *err, const char *field, const char *words)
{
    (void)sw_err_set(err, SW_E_INVALID, "%s", words);
    sw_err_field(err, "%s", field);
    return SW_E_INVALID;
}

static enum sw_rc check_words(const struct sw_api_approval *approval, struct sw_err *err)
{
    const struct sw_api_approval_decision *decision = &approval->spec.decision;
    bool is_edit = decision->verdict == SW_API_APPROVAL_VERDICT_EDIT;

    if (decision->verdict == SW_API_APPROVAL_VERDICT_UNSPECIFIED)
        return refuse(err, "spec.decision.verdict", "an answer has a verdict");
    if (is_empty(decision->reason))
        return refuse(err, "spec.decision.reason", "an answer has a reason");
    if (is_edit && !approval->spec.editable)
        return refuse(err, "spec.decision.verdict", "what is proposed here cannot be changed");
    if (is_edit == is_empty(decision->text))
        return refuse(err, "spec.decision.text", "a text comes with the verdict edit, and only so");
    return SW_OK;
}

/* It can still be answered, by this one. Of answers before the last edit none counts. */
static enum sw_rc check_time(const struct admission *admission,
                             const struct sw_api_approval *approval, const char *by,
                             struct sw_err *err)
{
    const struct sw_api_approval_status *status = &approval->status;
    uint64_t expires_at = approval->spec.expires_at;

    if (status->phase != SW_API_APPROVAL_PHASE_PENDING)
        return sw_err_set(
            err, SW_E_PRECONDITION, "\"%s\" is %s already", sw_object_name(approval),
            sw_api_enum_text(&sw_api_approval_phase_enum, (int)approval->status.phase));
    if (expires_at != 0 && sw_objects_utc_ns(admission->objects) >= expires_at)
        return sw_err_set(err, SW_E_PRECONDITION, "the time to answer \"%s\" is over",
                          sw_object_name(approval));
    if (status->decisions_count >= EDITS_MAX &&
        approval->spec.decision.verdict == SW_API_APPROVAL_VERDICT_EDIT)
        return sw_err_set(err, SW_E_PRECONDITION, "\"%s\" was answered %u times: approve or deny",
                          sw_object_name(approval), EDITS_MAX);
    if (approval->spec.decision.verdict != SW_API_APPROVAL_VERDICT_APPROVE)
        return SW_OK;
    if (approval->spec.decision.proposal != status->proposal) {
        (void)sw_err_set(err, SW_E_PRECONDITION,
                         "proposal %" PRIu32 " of \"%s\" was approved, but proposal %" PRIu32
                         " is what would be done: somebody changed it",
                         approval->spec.decision.proposal, sw_object_name(approval),
                         status->proposal);
        sw_err_hint(err, "read it (swarm approvals show), then approve with --proposal=%" PRIu32,
                    status->proposal);
        sw_err_field(err, "spec.decision.proposal");
        return SW_E_PRECONDITION;
    }
    for (size_t i = status->decisions_count; i-- > 0;) {
        if (status->decisions[i].verdict == SW_API_APPROVAL_VERDICT_EDIT)
            break;
        if (strcmp(status->decisions[i].by, by) == 0)
            return sw_err_set(err, SW_E_PRECONDITION, "%s has approved \"%s\" already", by,
                              sw_object_name(approval));
    }
    return SW_OK;
}

static enum sw_rc move_decision(const struct admission *admission, struct sw_api_approval *approval,
                                const char *by, struct sw_err *err)
{
    struct sw_api_approval_status *status = &approval->status;
    size_t count = status->decisions_count;
    struct sw_api_approval_decision *all =
        sw_arena_array(admission->options->arena, count + 1, sizeof *all);

    if (all == NULL)
        return out_of_memory(err);
    if (count > 0)
        memcpy(all, status->decisions, count * sizeof *all);
    all[count] = approval->spec.decision;
    all[count].by = by;
    all[count].at = sw_objects_utc_ns(admission->objects);
    switch (all[count].verdict) {
    case SW_API_APPROVAL_VERDICT_EDIT:
        status->text = all[count].text;
        all[count].text = "";
        status->approved = 0;
        status->proposal++;
        break;
    case SW_API_APPROVAL_VERDICT_APPROVE:
        status->approved++;
        if (status->approved >= approval->spec.quorum)
            status->phase = SW_API_APPROVAL_PHASE_APPROVED;
        break;
    case SW_API_APPROVAL_VERDICT_DENY:
    case SW_API_APPROVAL_VERDICT_UNSPECIFIED:
        status->phase = SW_API_APPROVAL_PHASE_DENIED;
        break;
    }
    if (status->phase != SW_API_APPROVAL_PHASE_PENDING)
        status->decided_at = all[count].at;
    status->decisions = all;
    status->decisions_count = count + 1;
    memset(&approval->spec.decision, 0, sizeof approval->spec.decision);
    return SW_OK;
}

enum sw_rc sw_admit_approval(const struct admission *admission, const struct sw_api_approval *old,
                             struct sw_api_approval *approval, struct sw_err *err)
{
    const struct sw_api_approval_decision *decision = &approval->spec.decision;
    const char *by;
    enum sw_rc rc;

    if (old == NULL)
        return sw_admit_ours(admission, err);
    if (decision->verdict == SW_API_APPROVAL_VERDICT_UNSPECIFIED && is_empty(decision->reason) &&
        is_empty(decision->text))
        return SW_OK;
    rc = check_words(approval, err);
    if (rc != SW_OK)
        return rc;
    by = approver_of(admission, approval, err);
    if (by == NULL)
        return err == NULL ? SW_E_DENIED : err->rc;
    rc = check_time(admission, approval, by, err);
    return rc == SW_OK ? move_decision(admission, approval, by, err) : rc;
}
