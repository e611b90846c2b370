#include "pkg/broker/approval/approval.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define QUESTION_BYTES_MAX ((size_t)512 << 10) /* Escapes included. */

struct asking { /* A ticket. */
    struct sw_approval_wait *wait;
    sw_service_done *done;
    void *done_ctx;
};

static struct sw_bytes bytes_of(const json_t *text)
{
    return text == NULL ? (struct sw_bytes){"", 0}
                        : (struct sw_bytes){json_string_value(text), json_string_length(text)};
}

static enum sw_rc read_question(const json_t *document, struct sw_approval_question *question,
                                struct sw_err *err)
{
    static const char *const names[] = {"title", "text", "editable", "quorum", "timeoutMs"};
    const json_t *values[sizeof names / sizeof names[0]];
    size_t found = 0;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        values[i] = json_object_get(document, names[i]);
        found += values[i] != NULL;
    }
    if (found != json_object_size(document))
        return sw_err_set(err, SW_E_INVALID,
                          "a question has title, text, editable, quorum and timeoutMs, and nothing "
                          "else");
    if (!json_is_string(values[0]) || (values[1] != NULL && !json_is_string(values[1])) ||
        (values[2] != NULL && !json_is_boolean(values[2])))
        return sw_err_set(err, SW_E_INVALID, "title and text are texts, editable true or false");
    for (size_t i = 3; i <= 4; i++)
        if (values[i] != NULL && (!json_is_integer(values[i]) || json_integer_value(values[i]) < 1))
            return sw_err_set(err, SW_E_INVALID, "%s is a whole number above 0", names[i]);
    question->title = bytes_of(values[0]);
    question->text = bytes_of(values[1]);
    question->is_editable = json_is_true(values[2]);
    if (json_integer_value(values[3]) > 16 || json_integer_value(values[4]) > INT32_MAX)
        return sw_err_set(err, SW_E_INVALID, "quorum is at most 16, timeoutMs at most %d",
                          INT32_MAX);
    question->quorum = (uint32_t)json_integer_value(values[3]);
    question->timeout_ms = (uint64_t)json_integer_value(values[4]);
    return SW_OK;
}

static json_t *list_decisions(const struct sw_api_approval *approval)
{
    json_t *all = json_array();

    for (size_t i = 0; i < approval->status.decisions_count; i++) {
        const struct sw_api_approval_decision *decision = &approval->status.decisions[i];

        (void)json_array_append_new(
            all, json_pack("{s:s, s:s, s:s}", "by", decision->by, "verdict",
                           sw_api_enum_text(&sw_api_approval_verdict_enum, (int)decision->verdict),
                           "reason", decision->reason == NULL ? "" : decision->reason));
    }
    return all;
}

static void on_answer(void *ctx, const struct sw_approval_answer *answer)
{
    static const char type[] = "application/json";
    struct asking *asking = ctx;
    struct sw_service_answer told = {.rc = answer->rc,
                                     .body = {answer->words, strlen(answer->words)}};
    json_t *document = NULL;
    char *text = NULL;

    if (answer->rc == SW_OK) {
        document = json_pack("{s:s%, s:o}", "text", answer->text.data, answer->text.size,
                             "decisions", list_decisions(answer->approval));
        text = document == NULL ? NULL : json_dumps(document, JSON_COMPACT);
        told = (struct sw_service_answer){.rc = text == NULL ? SW_E_EXHAUSTED : SW_OK,
                                          .type = {type, sizeof type - 1},
                                          .body = {text, text == NULL ? 0 : strlen(text)}};
    }
    asking->done(asking->done_ctx, &told);
    json_decref(document);
    free(text);
    free(asking);
}

static enum sw_rc ask(struct sw_approvals *approvals, const struct sw_service_call *call,
                      struct asking *asking, struct sw_err *err)
{
    static const char plain[] = "text/plain";
    struct sw_approval_question question = {.name_space = call->name_space,
                                            .agent = call->agent,
                                            .instance = call->instance,
                                            .name = call->key,
                                            .cause = SW_API_APPROVAL_CAUSE_ASKED,
                                            .title = call->body,
                                            .text = {"", 0}};
    json_t *document = NULL;
    enum sw_rc rc = SW_OK;

    if (call->body.size > QUESTION_BYTES_MAX)
        return sw_err_set(err, SW_E_INVALID, "a question has at most 64 KiB of text");
    if (call->type.size != sizeof plain - 1 ||
        memcmp(call->type.data, plain, sizeof plain - 1) != 0) {
        document = json_loadb(call->body.data, call->body.size, JSON_REJECT_DUPLICATES, NULL);
        rc = json_is_object(document)
                 ? read_question(document, &question, err)
                 : sw_err_set(err, SW_E_INVALID, "a question is a JSON document with a title");
    }
    if (rc == SW_OK)
        rc = sw_approvals_ask(approvals, &question, on_answer, asking, &asking->wait, err);
    json_decref(document);
    return rc;
}

static enum sw_rc start(void *ctx, const struct sw_service_call *call, sw_service_done *done,
                        void *done_ctx, void **ret_ticket, struct sw_err *err)
{
    struct asking *asking = calloc(1, sizeof *asking);
    enum sw_rc rc;

    if (asking == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a question");
    *asking = (struct asking){.done = done, .done_ctx = done_ctx};
    rc = ask(ctx, call, asking, err);
    if (rc == SW_OK)
        *ret_ticket = asking;
    else
        free(asking);
    return rc;
}

static void cancel(void *ctx, void *ticket)
{
    struct asking *asking = ticket;

    (void)ctx;
    sw_approvals_cancel(asking->wait);
    free(asking);
}

struct sw_service sw_approvals_service(struct sw_approvals *approvals)
{
    return (struct sw_service){
        .name = SW_APPROVAL_SERVICE, .ctx = approvals, .start = start, .cancel = cancel};
}
