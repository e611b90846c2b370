#include "pkg/agent/runtime/actor/segment.h"

#include "include/swarm/agent.h"
#include "pkg/agent/runtime/actor/calls.h"
#include "pkg/agent/runtime/actor/capture.h"
#include "pkg/agent/runtime/actor/fetch.h"
#include "pkg/agent/runtime/actor/hibernate.h"
#include "pkg/agent/runtime/actor/image.h"
#include "pkg/agent/runtime/actor/retry.h"

/* What an instance does next: it begins or ends, handles a message or timer, or goes on after a
 * wait; and what becomes of it and of what it handled when that segment is over. */

#define BODY_INLINE_MAX 64u
#define GUEST_FETCH_BYTES 128u /* Of what is looked at first when it is entered. */

/* --- One input ------------------------------------------------------------------------------- */

/* Begin the record of a segment, which is zeroed: what it is about. */
static void begin_record(struct sw_worker *worker, struct segment *segment)
{
    const struct sw_instance *instance = segment->instance;
    const struct sw_message *message = segment->message;
    struct sw_record_segment *record = &segment->record;

    record->instance = instance->id;
    record->previous = instance->actor.last_lsn;
    record->pod = instance->pod->config.pod;
    record->time_ns = worker->now_ns;
    record->spec = instance->spec->number;
    record->entry = SW_ENTRY_MESSAGE;
    if (message != NULL && message->is_timer) {
        record->entry = SW_ENTRY_TIMER;
        record->timer = message->head.tag;
        record->again = message->head.source.lsn;
    }
    if (message == NULL || message->is_timer)
        return;
    record->has_message = true;
    record->head = message->head;
    record->body_bytes = (uint32_t)message->body.size;
    if (message->body_lsn != 0 && message->body.size > BODY_INLINE_MAX) {
        record->body_lsn = message->body_lsn;
        record->body_at = message->body_at;
    } else {
        record->body = message->body;
    }
}

/* As is_stale, for timers and for messages with a deadline. */
static bool is_overdue(struct sw_worker *worker, const struct sw_instance *instance,
                       const struct sw_message *message)
{
    const struct sw_actor_timer *timer;

    if (message->is_timer && message->head.source.lsn != 0)
        return false; /* Delivered again, whatever its actor has by now. */
    if (message->is_timer) {
        timer = sw_actor_timer(&instance->actor, message->head.tag);
        return timer == NULL || !timer->is_queued;
    }
    if (worker->monotonic_ns <= message->deadline_ns)
        return false;
    sw_dispatch_refuse(worker, message, SW_E_TIMEOUT, "it waited too long in the mailbox");
    return true;
}

/* Timers and messages may have been overtaken while they waited. */
static bool is_stale(struct sw_worker *worker, const struct sw_instance *instance,
                     const struct sw_message *message)
{
    return (message->is_timer || message->deadline_ns != 0) &&
           is_overdue(worker, instance, message);
}

/* Whether a client repeats a request that was handled: it gets the first answer, now or when it is
 * given. The last to ask hears it; whoever asked before is told so. */
static bool answer_repeat(struct sw_worker *worker, struct sw_instance *instance,
                          const struct sw_message_head *head)
{
    static const char words[] = "a repeat of this request waits for the answer now";
    struct sw_answer answer = {.priority = head->priority,
                               .from_key = sw_instance_key(instance),
                               .epoch = instance->epoch};
    struct sw_request_view request;
    struct sw_handle *handle;

    if (!sw_requests_find(instance->actor.requests, head->request_id, worker->now_ns, &request))
        return false;
    handle = request.handle == 0 ? NULL : sw_actor_handle(&instance->actor, request.handle);
    if (handle == NULL) {
        answer.origin = &head->origin;
        answer.status = request.status;
        answer.type = request.type;
        answer.body = request.body;
        sw_dispatch_answer(worker, &answer);
        return true;
    }
    answer.origin = &handle->origin;
    answer.status = SW_E_CANCELLED;
    answer.type = (struct sw_bytes){"text/plain", 10};
    answer.body = (struct sw_bytes){words, sizeof words - 1};
    sw_dispatch_answer(worker, &answer);
    handle->origin = head->origin;
    return true;
}

/* Whether it has to wait behind one that is tried again. */
static bool is_behind_held(const struct sw_instance *instance, const struct sw_message *message)
{
    return instance->held != NULL && sw_held_blocks(instance->held, message);
}

static bool is_repeat(struct sw_worker *worker, struct sw_instance *instance,
                      const struct sw_message *message)
{
    const struct sw_message_head *head = &message->head;

    return head->request_id.size != 0 && !message->is_timer &&
           head->origin.kind == SW_ORIGIN_CLIENT && answer_repeat(worker, instance, head);
}

/* The instance cannot run now. A client may try again; what an instance sent, and a timer, cannot:
 * it waits, since the record that it came from says that it is on its way. For one that cannot run
 * any more it is a dead letter. */
static void postpone(struct sw_worker *worker, struct sw_instance *instance,
                     struct sw_message *message, uint32_t priority, const char *words)
{
    if (!instance->is_parked && message->head.origin.kind != SW_ORIGIN_CLIENT) {
        sw_instance_put_back(worker, instance, message, priority);
        sw_instance_back_off(worker, instance);
        return;
    }
    if (!instance->is_parked)
        sw_dispatch_refuse(worker, message, SW_E_UNAVAILABLE, words);
    else if (!message->is_timer || message->head.source.lsn != 0)
        sw_retry_refuse(worker, instance->pod, sw_instance_key(instance), message,
                        &sw_refused_parked);
    sw_message_free(message);
}

/* The turn goes on later, and nobody waits for its end: what it handles is kept for as long. True:
 * it was, and is not the caller's any more. */
static bool keep_handled(struct sw_worker *worker, const struct segment *segment,
                         struct sw_message *message)
{
    if (segment->record.outcome != SW_OUTCOME_WAITING || worker->failure.rc != SW_OK ||
        !segment->instance->pod->config.is_durable || !sw_record_begins_unheard(&segment->record))
        return false;
    sw_instance_set_handled(worker, segment->instance, message);
    return true;
}

/* No turn is under way that it would be kept for. */
static void drop_handled(struct sw_worker *worker, struct sw_instance *instance)
{
    if (instance->handled != NULL && instance->actor.wait.kind == SW_WAIT_NONE)
        sw_instance_set_handled(worker, instance, NULL);
}

/* After a segment. If it failed its memory may be in the middle of a change. True: the message that
 * it had is kept, for its next try or for the time of its turn, and not the caller's any more. */
static bool clean_up_any(struct sw_worker *worker, const struct segment *segment,
                         struct sw_message *message)
{
    struct sw_instance *instance = segment->instance;
    enum sw_outcome outcome = segment->record.outcome;
    bool is_held = false;

    if (sw_outcome_counts(outcome) || outcome == SW_OUTCOME_REFUSED) {
        if (instance->wants_image && instance->guest != NULL && worker->failure.rc == SW_OK)
            sw_image_make_wanted(worker, instance);
        if (outcome == SW_OUTCOME_REFUSED && worker->failure.rc == SW_OK) /* A turn may be over. */
            (void)sw_retry_settle(worker, instance, message, &segment->record, segment->place.lsn);
        drop_handled(worker, instance);
        return keep_handled(worker, segment, message);
    }
    sw_instance_sleep(worker, instance);
    instance->has_trapped = true;
    if (worker->failure.rc == SW_OK)
        is_held = sw_retry_settle(worker, instance, message, &segment->record, segment->place.lsn);
    drop_handled(worker, instance);
    if (!instance->pod->config.is_durable)
        sw_segment_restart(worker, instance);
    return is_held;
}

/* The same, where most often nothing is left to be done. */
static bool clean_up(struct sw_worker *worker, const struct segment *segment,
                     struct sw_message *message)
{
    const struct sw_instance *instance = segment->instance;

    if (segment->record.outcome == SW_OUTCOME_DONE && instance->handled == NULL &&
        !instance->wants_image)
        return false;
    return clean_up_any(worker, segment, message);
}

/* It was in the way of something, and is as if it had not begun: its message is in the mailbox
 * again. */
static void undo(struct sw_worker *worker, struct sw_instance *instance, struct sw_message *message)
{
    sw_turn_drop_taken(&worker->turn);
    sw_instance_sleep(worker, instance);
    if (message != NULL) {
        sw_instance_put_back(worker, instance, message, message->head.priority);
        sw_instance_wake_up(worker, instance, message->head.priority);
    }
}

/* True: the message waits for its next try, and is not the caller's any more. */
static bool handle(struct sw_worker *worker, struct sw_instance *instance,
                   struct sw_message *message)
{
    struct segment segment = {.instance = instance, .message = message};

    if (message->epoch > instance->epoch)
        instance->epoch = message->epoch;
    begin_record(worker, &segment);
    sw_segment_execute(worker, &segment);
    if (segment.is_undone) {
        undo(worker, instance, message);
        return true;
    }
    if (!sw_outcome_counts(segment.record.outcome))
        sw_retry_decide(worker, instance, message, &segment.record);
    sw_segment_commit(worker, &segment);
    return clean_up(worker, &segment, message);
}

/* --- Going on after a wait -------------------------------------------------------------------- */

/* Whether the turn may have it; otherwise it was dealt with. Timers are no messages: they come back
 * when the turn is over, those of the actor by themselves, those that were delivered again out of
 * *timers. */
static bool can_receive(struct sw_worker *worker, struct sw_instance *instance,
                        struct sw_message *message, struct sw_item **timers)
{
    struct sw_actor_timer *timer;

    if (message->is_timer && message->head.source.lsn != 0) {
        sw_item_put(timers, &message->item);
    } else if (message->is_timer) {
        timer = sw_actor_timer(&instance->actor, message->head.tag);
        if (timer != NULL)
            timer->is_queued = false;
        sw_message_free(message);
    } else if (is_stale(worker, instance, message) || is_repeat(worker, instance, message)) {
        sw_message_free(message);
    } else if (is_behind_held(instance, message)) {
        sw_retry_hold(worker, instance, message);
    } else {
        return true;
    }
    return false;
}

static void put_timers_back(struct sw_worker *worker, struct sw_instance *instance,
                            struct sw_item *timers, uint32_t priority)
{
    struct sw_item *item;

    while ((item = sw_item_get(&timers)) != NULL)
        sw_instance_put_back(worker, instance, (struct sw_message *)(void *)item, priority);
}

/* The next message for a turn that receives. */
static struct sw_message *take_received(struct sw_worker *worker, struct sw_instance *instance)
{
    struct sw_message *message;

    for (uint32_t p = SW_PRIORITIES; p > 0; p--) {
        struct sw_item *timers = NULL;

        do {
            message = sw_instance_take(worker, instance, p - 1);
        } while (message != NULL && !can_receive(worker, instance, message, &timers));
        put_timers_back(worker, instance, timers, p - 1);
        if (message != NULL)
            return message;
    }
    return NULL;
}

/* Whether the wait has ended, by *ret_message, if that is not NULL, or with *ret_ended. */
static bool take_end(struct sw_worker *worker, struct sw_instance *instance,
                     struct sw_message **ret_message, int32_t *ret_ended)
{
    const struct sw_wait *wait = &instance->actor.wait;

    if (wait->attempts > 0 && wait->kind != SW_WAIT_RECEIVE && wait->due_ns > worker->now_ns)
        return false;
    *ret_message = wait->kind == SW_WAIT_RECEIVE ? take_received(worker, instance)
                                                 : sw_instance_take_answer(worker, instance);
    *ret_ended = wait->kind == SW_WAIT_SLEEP || *ret_message != NULL ? 0 : SW_E_TIMEOUT;
    return *ret_message != NULL || wait->due_ns <= worker->now_ns;
}

/* It cannot go on now: what ended the wait is kept. */
static void put_end_back(struct sw_worker *worker, struct sw_instance *instance,
                         struct sw_message *message)
{
    if (message != NULL && instance->actor.wait.kind == SW_WAIT_RECEIVE)
        sw_instance_put_back(worker, instance, message, message->head.priority);
    else if (message != NULL)
        sw_instance_answer(worker, instance, message);
}

/* Of a call that was recovered, have what its record leaves out made by running the turn again, and
 * send it. */
static void make_call(struct sw_worker *worker, struct sw_instance *instance)
{
    struct sw_err err = {0};

    if (instance->is_parked || instance->answer != NULL)
        return;
    if (sw_segment_prepare(worker, instance, NULL, &err))
        sw_call_send(worker, instance);
    else if (!instance->is_parked)
        sw_instance_back_off(worker, instance);
}

static void resume(struct sw_worker *worker, struct sw_instance *instance)
{
    struct segment segment = {.instance = instance};
    struct sw_message *message;
    struct sw_err err;
    int32_t ended;
    bool ends_call;

    sw_err_clear(&err);
    if (instance->is_parked || !take_end(worker, instance, &message, &ended))
        return;
    if (!sw_segment_prepare(worker, instance, message, &err)) {
        put_end_back(worker, instance, message);
        if (!instance->is_parked)
            sw_instance_back_off(worker, instance);
        return;
    }
    if (message != NULL && message->epoch > instance->epoch)
        instance->epoch = message->epoch;
    segment.message = message;
    begin_record(worker, &segment);
    segment.record.entry = SW_ENTRY_RESUME;
    segment.record.wait = instance->actor.wait.number;
    segment.record.ended = ended;
    sw_instance_wake(worker, instance);
    if (instance->actor.wait.kind == SW_WAIT_ASK)
        sw_waits_remove(&worker->shared->waits, instance->id, segment.record.wait);
    sw_segment_execute(worker, &segment);
    if (segment.is_undone) {
        undo(worker, instance, NULL);
        put_end_back(worker, instance, message);
        if (segment.record.code == SW_E_EXHAUSTED) { /* It goes on when there is room. */
            sw_instance_set_timer(worker, instance);
            sw_instance_wake_up(worker, instance, SWARM_PRIORITY_NORMAL);
        }
        return;
    }
    sw_retry_decide(worker, instance, message, &segment.record);
    ends_call = instance->actor.wait.kind == SW_WAIT_CALL && !segment.record.waits_on;
    if (ends_call)
        (void)sw_call_forget(worker, instance);
    sw_segment_commit(worker, &segment);
    if (ends_call) /* Not before what it came to is durable: until then it may be asked for again.
                    */
        sw_call_tell_end(worker, instance, segment.record.wait, segment.place.epoch);
    if (!clean_up(worker, &segment, message))
        sw_message_free(message);
}

/* --- What is next ---------------------------------------------------------------------------- */

/* Have it started, which may take a while. False: it is not. */
static bool be_started(struct sw_worker *worker, struct sw_instance *instance, uint32_t priority)
{
    if (instance->is_started || instance->is_parked)
        return true;
    sw_segment_start(worker, instance);
    if (!instance->is_started || worker->failure.rc != SW_OK)
        return false;
    for (uint32_t p = 0; p < SW_PRIORITIES; p++)
        if (p != priority && instance->mailbox[p] != NULL)
            sw_instance_wake_up(worker, instance, p);
    return true;
}

/* Whether it can be entered once more, if its program has an on_stop. An older program comes when
 * it is asked for; what is only idle can wait for that. */
static bool can_say_goodbye(struct sw_worker *worker, struct sw_instance *instance)
{
    const struct sw_program *program = sw_program_find(worker, instance->spec->program);
    struct sw_err err = {0};

    if ((program != NULL && !program->view.has_on_stop) ||
        sw_segment_prepare(worker, instance, NULL, &err))
        return true;
    if (!instance->is_parked)
        sw_instance_back_off(worker, instance);
    return false;
}

/* Whether its idle time is over: nothing came since that was found. */
static bool is_expired(struct sw_worker *worker, struct sw_instance *instance)
{
    if (!instance->is_expiring)
        return false;
    instance->is_expiring = false;
    if (sw_instance_is_expired(worker, instance)) {
        if (!can_say_goodbye(worker, instance))
            return false;
        worker->counts.expired++;
        return true;
    }
    sw_instance_set_timer(worker, instance);
    return false;
}

/* It has nothing to do now, and may be gone afterwards. One that was recovered, and has slept since
 * as its records, is rebuilt for that. */
static void rest(struct sw_worker *worker, struct sw_instance *instance)
{
    bool wants_rest = instance->wants_rest;
    struct sw_err err = {0};

    instance->wants_rest = false;
    if (wants_rest && instance->guest == NULL && !instance->is_parked &&
        !sw_segment_prepare(worker, instance, NULL, &err))
        return;
    if (wants_rest || instance->pod->config.rest_ns == 0)
        (void)sw_hibernate(worker, instance);
}

bool sw_segment_run(struct sw_worker *worker, struct sw_instance *instance, uint32_t priority)
{
    struct sw_message *message;
    struct sw_err err;

    sw_err_clear(&err);
    sw_fetch(instance->guest, GUEST_FETCH_BYTES);
    if (instance->pod->state == SW_POD_CLOSED || instance->pod->is_leaving ||
        instance->pod->is_held || instance->is_leaving)
        return false;
    sw_capture_instance_first(worker, instance);
    if (!instance->is_started)
        instance->spec = instance->pod->spec;
    if (instance->is_stopping || is_expired(worker, instance)) {
        sw_segment_stop(worker, instance);
        return false;
    }
    if (instance->retry_ns > worker->now_ns || !be_started(worker, instance, priority))
        return false;
    if (instance->spec != instance->pod->spec && !sw_upgrade_settle(worker, instance)) {
        sw_instance_back_off(worker, instance);
        return false;
    }
    if (sw_wait_lacks_body(&instance->actor.wait))
        make_call(worker, instance);
    if (instance->actor.wait.kind != SW_WAIT_NONE) {
        resume(worker, instance);
        return false;
    }
    message = sw_instance_take(worker, instance, priority);
    if (message == NULL) {
        rest(worker, instance);
        return false;
    }
    if (instance->mailbox[priority] != NULL) /* It is likely to follow at once. */
        sw_fetch(instance->mailbox[priority]->next, SW_MESSAGE_FETCH_BYTES);
    if (is_stale(worker, instance, message) || is_repeat(worker, instance, message)) {
        sw_message_free(message);
        sw_instance_set_timer(worker, instance);
    } else if (is_behind_held(instance, message)) {
        sw_retry_hold(worker, instance, message);
    } else if (instance->is_parked || !sw_segment_prepare(worker, instance, message, &err)) {
        postpone(worker, instance, message, priority, err.message);
    } else if (!handle(worker, instance, message)) {
        sw_spares_put(&worker->spares, message);
    }
    if (instance->mailbox[priority] != NULL)
        return instance->actor.wait.kind == SW_WAIT_NONE;
    if (instance->pod->config.rest_ns == 0)
        rest(worker, instance);
    return false;
}
