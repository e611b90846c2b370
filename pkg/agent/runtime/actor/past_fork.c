#include "pkg/agent/runtime/actor/past_state.h"

#include "include/swarm/agent.h"

#include <inttypes.h>

/* An instance of the past as the first record of another one that goes on from there. */

/* The turn that waits before `number` began at the nearest one before that is a message or timer.
 */
static enum sw_rc in_the_middle(const struct sw_past *past, uint64_t number, struct sw_err *err)
{
    struct sw_past_turn turn;
    struct sw_err none = {0};

    for (uint64_t at = number - 1; at > 0; at--) {
        if (sw_past_turn(past, at, &turn, &none) != SW_OK)
            break;
        if (turn.segment.entry == SW_ENTRY_MESSAGE || turn.segment.entry == SW_ENTRY_TIMER)
            return sw_err_set(err, SW_E_PRECONDITION,
                              "before @%" PRIu64 " a turn of it waits, which begins at @%" PRIu64
                              ": fork it there",
                              number, at);
    }
    return sw_err_set(err, SW_E_PRECONDITION,
                      "before @%" PRIu64 " a turn of it waits: fork it where that has ended",
                      number);
}

/* What waits for the fork: the message of the turn, or another one. */
static enum sw_rc take_input(const struct sw_past *past, uint64_t number,
                             const struct sw_past_input *input, struct sw_record_segment *record,
                             struct sw_err *err)
{
    struct sw_past_view view;
    struct sw_past_turn turn = {0};
    enum sw_rc rc;

    sw_past_view(past, &view);
    if (number != view.last + 1 || view.is_over) {
        rc = sw_past_turn(past, number, &turn, err);
        if (rc != SW_OK)
            return rc;
    }
    record->has_message = turn.segment.entry == SW_ENTRY_MESSAGE || input->has_body;
    if (turn.segment.entry == SW_ENTRY_MESSAGE && !turn.is_body_kept && !input->has_body)
        return sw_err_set(
            err, SW_E_PRECONDITION,
            "the message of @%" PRIu64 " is not kept any more: give the fork another one", number);
    if (turn.segment.entry == SW_ENTRY_MESSAGE) {
        record->head = turn.segment.head;
        record->body = turn.segment.body;
    } else {
        record->head.priority = SWARM_PRIORITY_NORMAL;
    }
    if (input->has_body)
        record->body = input->body;
    if (input->type.size > 0)
        record->head.type = input->type;
    record->body_bytes = (uint32_t)record->body.size;
    return SW_OK;
}

/* The actor of a fork, appended to out. */
static enum sw_rc save_actor(const struct sw_actor *actor, struct sw_buffer *out,
                             struct sw_err *err)
{
    struct sw_actor copy = {0};
    enum sw_rc rc;

    sw_actor_save(actor, out);
    rc = out->failed ? sw_past_no_memory(err)
                     : sw_actor_load(&copy, (struct sw_bytes){out->data, out->size}, err);
    if (rc == SW_OK && sw_actor_fork(&copy) != SW_OK)
        rc = sw_past_no_memory(err);
    sw_buffer_reset(out);
    if (rc == SW_OK)
        sw_actor_save(&copy, out);
    sw_actor_done(&copy);
    return rc == SW_OK && out->failed ? sw_past_no_memory(err) : rc;
}

enum sw_rc sw_past_fork(struct sw_past *past, uint64_t number, const struct sw_past_input *input,
                        struct sw_bytes key, struct sw_buffer *out, struct sw_err *err)
{
    struct sw_record record = {.kind = SW_RECORD_SEGMENT};
    struct sw_record_segment *fork = &record.segment;
    struct sw_past_state state;
    struct sw_buffer actor;
    enum sw_rc rc = take_input(past, number, input, fork, err);

    if (rc == SW_OK && past->stands_at != number - 1)
        rc = sw_err_set(err, SW_E_PRECONDITION, "it does not stand before turn @%" PRIu64, number);
    if (rc == SW_OK && past->replay.actor.wait.kind != SW_WAIT_NONE)
        rc = in_the_middle(past, number, err);
    if (rc == SW_OK)
        rc = sw_past_state(past, &state, err);
    if (rc != SW_OK)
        return rc;
    sw_buffer_init(&actor, SW_JOURNAL_RECORD_MAX);
    rc = save_actor(state.actor, &actor, err);
    fork->instance = past->id;
    fork->entry = SW_ENTRY_FORK;
    fork->key = key;
    fork->seed = (struct sw_bytes){past->seed, sizeof past->seed};
    fork->random_next = state.random_next;
    fork->actor = (struct sw_bytes){actor.data, actor.size};
    fork->image = state.image;
    if (rc == SW_OK)
        sw_record_put(&record, out, NULL);
    if (rc == SW_OK && out->failed)
        rc = sw_err_set(err, SW_E_EXHAUSTED,
                        "all that it is is more than %u MiB, which a fork cannot begin with",
                        SW_JOURNAL_RECORD_MAX >> 20);
    sw_buffer_done(&actor);
    return rc;
}
