#include "pkg/cli/commands/commands.h"

#include "pkg/cli/output/output.h"
#include "pkg/client/clientset/objects.h"
#include "pkg/utils/base/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Questions of agents to people. The name of an Approval is long, so the beginning of one is enough
 * where it is that of one only. */

#define TABLE_BYTES_MAX ((size_t)4 << 20)
#define TITLE_WIDTH 60
#define NAME_WIDTH 63
#define ANSWER_TRIES 5u

static enum sw_rc list(struct sw_cli *cli, struct sw_objects *ret_approvals, struct sw_err *err)
{
    struct sw_object_key key = {.kind = sw_kind_find("Approval"), .name = ""};
    enum sw_rc rc = sw_cli_connect(cli, err);

    key.namespace = cli->namespace; /* Known since it is connected. */
    return rc == SW_OK ? sw_client_list(cli->client, &key, "", cli->arena, ret_approvals, err) : rc;
}

static const char *phase_text(const struct sw_api_approval *approval)
{
    return sw_api_enum_text(&sw_api_approval_phase_enum, (int)approval->status.phase);
}

/* How many bytes of the text a terminal may obey, or which turn its direction; 0: none. */
static size_t control_size(const unsigned char *at)
{
    if (at[0] < ' ' || at[0] == 127)
        return 1;
    if (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0) /* C1. */
        return 2;
    return at[0] == 0xe2 && ((at[1] == 0x80 && at[2] >= 0xaa && at[2] <= 0xae) ||
                             (at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9))
               ? 3
               : 0;
}

/* What agents wrote, with nothing in it that moves a cursor. */
static const char *shown(struct sw_cli *cli, const char *text)
{
    char *copy = sw_arena_copy(cli->arena, text, strlen(text));

    for (char *at = copy; at != NULL && *at != '\0'; at++) {
        size_t size = control_size((const unsigned char *)at);

        if (size > 0)
            memset(at, ' ', size);
    }
    return copy == NULL ? "" : copy;
}

/* --- The list -------------------------------------------------------------------------------- */

static void add_row(struct sw_cli *cli, struct sw_table *table,
                    const struct sw_api_approval *approval)
{
    uint64_t now_ns = cli->system->utc_ns(cli->system->ctx);
    struct sw_buffer age;

    sw_buffer_init(&age, 64);
    sw_output_put_age(&age, approval->metadata.creation_timestamp, now_ns);
    sw_table_add(table, approval->metadata.name);
    sw_table_print(table, "%s/%s", approval->spec.agent, shown(cli, approval->spec.instance));
    sw_table_add(table, phase_text(approval));
    sw_table_print(table, "%" PRIu32 "/%" PRIu32, approval->status.approved, approval->spec.quorum);
    sw_table_print(table, "%.*s", (int)age.size, (const char *)age.data);
    sw_table_print(table, "%.*s", TITLE_WIDTH, shown(cli, approval->spec.title));
    sw_buffer_done(&age);
}

enum sw_rc sw_command_approvals_list(struct sw_cli *cli, struct sw_err *err)
{
    static const char *const header[] = {"NAME", "AGENT", "PHASE", "APPROVED", "AGE", "TITLE"};
    SW_CLEANUP(sw_table_freep) struct sw_table *table = sw_table_new(6);
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    bool is_all = sw_arguments_is(cli->arguments, "all", false);
    struct sw_objects approvals;
    size_t count = 0;
    enum sw_rc rc = list(cli, &approvals, err);

    sw_buffer_init(&text, TABLE_BYTES_MAX);
    if (rc != SW_OK)
        return rc;
    if (table == NULL)
        return sw_cli_no_memory(err);
    for (size_t i = 0; i < sizeof header / sizeof header[0]; i++)
        sw_table_add(table, header[i]);
    for (size_t i = 0; i < approvals.count; i++) {
        const struct sw_api_approval *approval = approvals.items[i];

        if (!is_all && approval->status.phase != SW_API_APPROVAL_PHASE_PENDING)
            continue;
        add_row(cli, table, approval);
        count++;
    }
    if (count == 0) {
        sw_cli_say(cli, "nobody asks anything in namespace %s\n", cli->namespace);
        return SW_OK;
    }
    if (sw_table_put(table, &text) != SW_OK)
        return sw_cli_no_memory(err);
    sw_cli_put(cli, &text);
    return SW_OK;
}

/* --- One of them ----------------------------------------------------------------------------- */

static enum sw_rc find(struct sw_cli *cli, const char *name, struct sw_api_approval **ret_approval,
                       struct sw_err *err)
{
    struct sw_objects approvals;
    size_t found = 0;
    enum sw_rc rc = list(cli, &approvals, err);

    for (size_t i = 0; rc == SW_OK && i < approvals.count; i++) {
        struct sw_api_approval *approval = approvals.items[i];
        bool is_whole = strcmp(approval->metadata.name, name) == 0;

        if (!is_whole && strncmp(approval->metadata.name, name, strlen(name)) != 0)
            continue;
        *ret_approval = approval;
        found = is_whole ? 1 : found + 1;
        if (is_whole)
            break;
    }
    if (rc != SW_OK || found == 1)
        return rc;
    (void)sw_err_set(err, found == 0 ? SW_E_NOT_FOUND : SW_E_INVALID,
                     found == 0 ? "there is no Approval %.*s in namespace %s"
                                : "several Approvals begin with %.*s in namespace %s",
                     NAME_WIDTH, name, cli->namespace);
    sw_err_hint(err, "see: swarm approvals list --all");
    return found == 0 ? SW_E_NOT_FOUND : SW_E_INVALID;
}

static void put_time(struct sw_cli *cli, const char *label, uint64_t time_ns)
{
    uint64_t now_ns = cli->system->utc_ns(cli->system->ctx);
    struct sw_buffer age;

    if (time_ns == 0)
        return;
    sw_buffer_init(&age, 64);
    if (time_ns > now_ns) {
        sw_output_put_age(&age, now_ns, time_ns);
        sw_cli_print(cli, "%-10s in %.*s\n", label, (int)age.size, (const char *)age.data);
    } else {
        sw_output_put_age(&age, time_ns, now_ns);
        sw_cli_print(cli, "%-10s %.*s ago\n", label, (int)age.size, (const char *)age.data);
    }
    sw_buffer_done(&age);
}

static void put_approvers(struct sw_cli *cli, const struct sw_api_approval_spec *spec)
{
    sw_cli_print(cli, "%-10s %" PRIu32 " of", "Needs:", spec->quorum);
    for (size_t i = 0; i < spec->approvers_count; i++)
        sw_cli_print(cli, "%s %s", i == 0 ? "" : ",", spec->approvers[i]);
    sw_cli_print(cli, "%s\n", spec->approvers_count == 0 ? " all who may update Approvals" : "");
}

/* Lines as they are: only what moves a cursor elsewhere is taken out. */
static void put_text(struct sw_cli *cli, const char *text)
{
    const char *end;

    if (text[0] == '\0')
        return;
    sw_cli_print(cli, "Text:\n");
    for (; *text != '\0'; text = *end == '\0' ? end : end + 1) {
        char *line;

        end = text + strcspn(text, "\n");
        line = sw_arena_copy(cli->arena, text, (size_t)(end - text));
        sw_cli_print(cli, "  %s\n", line == NULL ? "" : shown(cli, line));
    }
}

static void put_all(struct sw_cli *cli, const struct sw_api_approval *approval)
{
    const struct sw_api_approval_status *status = &approval->status;

    sw_cli_print(cli, "%-10s %s\n", "Name:", approval->metadata.name);
    sw_cli_print(cli, "%-10s %s\n", "Title:", shown(cli, approval->spec.title));
    sw_cli_print(cli, "%-10s %s/%s\n", "Agent:", approval->spec.agent,
                 shown(cli, approval->spec.instance));
    sw_cli_print(cli, "%-10s %s\n", "Cause:",
                 sw_api_enum_text(&sw_api_approval_cause_enum, (int)approval->spec.cause));
    sw_cli_print(cli, "%-10s %s\n", "Phase:", phase_text(approval));
    put_approvers(cli, &approval->spec);
    put_time(cli, "Asked:", approval->metadata.creation_timestamp);
    put_time(cli, "Expires:", approval->spec.expires_at);
    put_time(cli, "Decided:", status->decided_at);
    if (status->proposal > 0)
        sw_cli_print(cli, "%-10s %" PRIu32 ", which is not what was asked first\n",
                     "Proposal:", status->proposal);
    put_text(cli, status->text[0] == '\0' ? approval->spec.text : status->text);
    for (size_t i = 0; i < status->decisions_count; i++) {
        const struct sw_api_approval_decision *decision = &status->decisions[i];

        sw_cli_print(cli, "%s%-8s %s: %s\n", i == 0 ? "Answers:\n  " : "  ",
                     sw_api_enum_text(&sw_api_approval_verdict_enum, (int)decision->verdict),
                     decision->by, shown(cli, decision->reason));
    }
}

enum sw_rc sw_command_approvals_show(struct sw_cli *cli, struct sw_err *err)
{
    struct sw_api_approval *approval = NULL;
    enum sw_rc rc = find(cli, sw_arguments_at(cli->arguments, 0), &approval, err);

    if (rc == SW_OK)
        put_all(cli, approval);
    return rc;
}

/* --- Answers --------------------------------------------------------------------------------- */

static enum sw_rc try_answer(struct sw_cli *cli, const char *name,
                             const struct sw_api_approval_decision *decision, struct sw_err *err)
{
    struct sw_api_approval *approval = NULL;
    struct sw_object_wish wish = {.key = {.kind = sw_kind_find("Approval")}};
    void *stored = NULL;
    enum sw_rc rc = find(cli, name, &approval, err);

    if (rc != SW_OK)
        return rc;
    approval->spec.decision = *decision;
    wish.key.namespace = cli->namespace;
    wish.key.name = approval->metadata.name;
    wish.object = approval;
    rc = sw_client_apply(cli->client, &wish, cli->arena, &stored, err);
    if (rc != SW_OK)
        return rc;
    approval = stored;
    sw_cli_say(cli, "%s: %s, %" PRIu32 " of %" PRIu32 " approved\n", approval->metadata.name,
               phase_text(approval), approval->status.approved, approval->spec.quorum);
    return SW_OK;
}

/* The platform may write to it in between. An answer names the proposal that it is about, so it is
 * none to another one. */
static enum sw_rc answer(struct sw_cli *cli, const char *name,
                         const struct sw_api_approval_decision *decision, struct sw_err *err)
{
    enum sw_rc rc = SW_E_CONFLICT;

    for (unsigned i = 0; rc == SW_E_CONFLICT && i < ANSWER_TRIES; i++)
        rc = try_answer(cli, name, decision, err);
    return rc;
}

static enum sw_rc answer_all(struct sw_cli *cli, enum sw_api_approval_verdict verdict,
                             uint32_t proposal, struct sw_err *err)
{
    const char *reason = sw_arguments_text(cli->arguments, "reason");
    const struct sw_api_approval_decision decision = {
        .verdict = verdict, .reason = reason, .text = "", .by = "", .proposal = proposal};
    size_t count = sw_arguments_count(cli->arguments);
    enum sw_rc rc = SW_OK;

    if (reason == NULL || reason[0] == '\0')
        return sw_cli_usage(cli, err, "an answer has a --reason");
    for (size_t i = 0; rc == SW_OK && i < count; i++)
        rc = answer(cli, sw_arguments_at(cli->arguments, i), &decision, err);
    return rc;
}

enum sw_rc sw_command_approvals_approve(struct sw_cli *cli, struct sw_err *err)
{
    const char *wanted = sw_arguments_text(cli->arguments, "proposal");
    uint64_t proposal = 0;

    if (wanted != NULL && (sw_text_to_u64(wanted, &proposal) != SW_OK || proposal > UINT32_MAX))
        return sw_cli_usage(cli, err, "--proposal is a number, as `swarm approvals show` has it");
    return answer_all(cli, SW_API_APPROVAL_VERDICT_APPROVE, (uint32_t)proposal, err);
}

enum sw_rc sw_command_approvals_deny(struct sw_cli *cli, struct sw_err *err)
{
    return answer_all(cli, SW_API_APPROVAL_VERDICT_DENY, 0, err);
}

enum sw_rc sw_command_approvals_edit(struct sw_cli *cli, struct sw_err *err)
{
    const char *reason = sw_arguments_text(cli->arguments, "reason");
    const char *text = sw_arguments_text(cli->arguments, "text");
    const struct sw_api_approval_decision decision = {
        .verdict = SW_API_APPROVAL_VERDICT_EDIT, .reason = reason, .text = text, .by = ""};

    if (reason == NULL || reason[0] == '\0' || text == NULL || text[0] == '\0')
        return sw_cli_usage(cli, err, "a change has a --text and a --reason");
    return answer(cli, sw_arguments_at(cli->arguments, 0), &decision, err);
}
