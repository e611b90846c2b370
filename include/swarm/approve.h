/* Questions to people, by the service swarm.approve: docs/operations/approvals.md. */
#pragma once
#include <swarm/json.h>
#include <swarm/wait.h>

struct swarm_approval { /* What is not given is 0. */
    const char *title;  /* What is asked, in a line. */
    const void *text;   /* What it is about. */
    uint32_t text_size;
    bool editable;   /* Whether people may propose another text. */
    uint32_t quorum; /* How many have to approve; 0: as spec.approvals says, which is the least. */
    uint64_t timeout_ms; /* 0: as spec.approvals says, which is the longest. */
};

struct swarm_decision {
    char *room; /* Given: for the question, and then for its answer. */
    uint32_t room_size;
    uint32_t text_size;
    const char *text;            /* What was approved, in the room. */
    struct swarm_json decisions; /* [{"by", "verdict", "reason"}]. */
};

static inline int32_t swarm_approve_fail(struct swarm_decision *decision, int32_t code,
                                         const char *words)
{
    decision->text = words;
    decision->text_size = swarm_size_of(words);
    return code;
}

static inline int32_t swarm_approve_read(struct swarm_decision *decision,
                                         const struct swarm_message *message)
{
    struct swarm_json whole = SWARM_JSON_NOTHING, text;
    char *at = decision->room;
    struct swarm_text out;

    (void)swarm_json_read(message->body, message->body_size, &whole);
    text = swarm_json_find(whole, "text");
    decision->decisions = swarm_json_find(whole, "decisions");
    if (swarm_json_type_of(text) != SWARM_JSON_STRING)
        return swarm_approve_fail(decision, SWARM_E_INTERNAL, "the answer is none");
    out = (struct swarm_text){at + (text.text - at), 0, text.size, false};
    swarm_json_copy(text, &out); /* Where it stands: that takes no more room. */
    decision->text = out.bytes;
    decision->text_size = out.size;
    return SWARM_OK;
}

/* Ask people, and wait until they approve, for a minute or for a month.
 * SWARM_E_DENIED     they did not, or not in time; decision->text is why
 * SWARM_E_EXHAUSTED  the room is too small, or too many questions wait
 * and as swarm_call. Then decision->text is words. */
static inline int32_t swarm_approve(const struct swarm_approval *question,
                                    struct swarm_decision *decision)
{
    struct swarm_text text = {decision->room, 0, decision->room_size, false};
    struct swarm_reading answer = {.room = decision->room, .room_size = decision->room_size};
    int32_t code;

    decision->decisions = SWARM_JSON_NOTHING;
    swarm_json_open(&text, 0, '{');
    swarm_json_put_words(&text, "title", question->title);
    if (question->text_size > 0)
        swarm_json_put_text(&text, "text", question->text, question->text_size);
    if (question->editable)
        swarm_json_put_bool(&text, "editable", true);
    if (question->quorum > 0)
        swarm_json_put_integer(&text, "quorum", question->quorum);
    if (question->timeout_ms > 0)
        swarm_json_put_integer(&text, "timeoutMs", (int64_t)question->timeout_ms);
    swarm_json_close(&text, '}');
    if (text.is_full)
        return swarm_approve_fail(decision, SWARM_E_EXHAUSTED, "the room is too small");
    code = swarm_call(
        &(struct swarm_question){
            .to = "swarm.approve", .to_size = 13, .body = text.bytes, .body_size = text.size},
        &answer);
    if (code == SWARM_OK)
        return swarm_approve_read(decision, &answer.message);
    if (answer.message.status != code)
        return swarm_approve_fail(decision, code, "the room is too small for the answer");
    decision->text = (const char *)answer.message.body;
    decision->text_size = answer.message.body_size;
    return code;
}
