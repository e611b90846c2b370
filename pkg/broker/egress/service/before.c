#include "pkg/broker/egress/service/state.h"

#include "pkg/utils/base/text.h"

#include <stdio.h>
#include <string.h>

/* Requests that a rule lets nobody make without a person's yes. What is shown is the request as the
 * agent made it: of Secrets only their placeholders. They are put in after the yes, by the rules as
 * they are then. */

#define TEXT_MAX 65536u

static void on_answer(void *ctx, const struct sw_approval_answer *answer)
{
    struct http_call *call = ctx;
    struct sw_err err = {0};

    call->approval = NULL;
    if (answer->rc != SW_OK) {
        sw_fetch_fail(call, answer->rc, answer->words);
        return;
    }
    call->is_approved = true;
    if (sw_fetch_allow(call, &err) != SW_OK)
        sw_fetch_fail(call, err.rc, err.message);
    else if (call->is_once)
        sw_fetch_effect_look(call);
    else
        sw_fetch_begin(call);
}

/* All of the request: nobody approves what he cannot see. */
static enum sw_rc describe(const struct http_call *call, struct sw_buffer *out)
{
    const struct sw_egress_request *request = &call->request;

    sw_buffer_print(out, "%s %s\n", request->method, request->url.text);
    for (size_t i = 0; i < request->headers_count; i++)
        sw_buffer_print(out, "%s: %s\n", request->headers[i].name, request->headers[i].value);
    if (request->body.size == 0)
        return sw_buffer_check(out);
    if (sw_text_is_utf8((const char *)request->body.data, request->body.size) &&
        memchr(request->body.data, 0, request->body.size) == NULL &&
        request->body.size < TEXT_MAX - out->size) {
        sw_buffer_put_u8(out, '\n');
        sw_buffer_put(out, request->body.data, request->body.size);
        return sw_buffer_check(out);
    }
    return SW_E_EXHAUSTED;
}

void sw_fetch_ask_before(struct http_call *call)
{
    char name[64], title[200];
    int name_size = snprintf(name, sizeof name, "%s-0", call->key);
    int title_size = snprintf(title, sizeof title, "Make this request? %s %.120s",
                              call->request.method, call->request.url.text);
    struct sw_approval_question question = {.name_space = call->name_space,
                                            .agent = call->agent,
                                            .instance = call->instance,
                                            .name = {name, (size_t)name_size},
                                            .cause = SW_API_APPROVAL_CAUSE_RULE,
                                            .title = {title, (size_t)title_size}};
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text;
    struct sw_err err = {0};
    enum sw_rc rc;

    sw_buffer_init(&text, TEXT_MAX);
    rc = describe(call, &text);
    question.text = (struct sw_bytes){text.data, text.size};
    if (rc != SW_OK)
        (void)sw_err_set(&err, rc,
                         "a person has to approve this request, and cannot be shown it: "
                         "at most %u bytes, and UTF-8",
                         TEXT_MAX);
    if (rc == SW_OK)
        rc = sw_approvals_ask(call->calls->options.approvals, &question, on_answer, call,
                              &call->approval, &err);
    if (rc == SW_OK)
        return;
    call->rc = rc;
    sw_fetch_say(call, "%s", err.message);
    sw_fetch_end_later(call);
}
