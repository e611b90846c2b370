#include "pkg/agent/runtime/actor/actor.h"

#include "include/swarm/agent.h"
#include "pkg/agent/store/effect.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void sw_actor_done(struct sw_actor *actor)
{
    for (uint32_t i = 0; i < actor->patterns_count; i++)
        free(actor->patterns[i]);
    sw_requests_free(actor->requests);
    sw_withheld_free(actor->withheld);
    free(actor->wait.call);
    free(actor->patterns);
    free(actor->timers);
    free(actor->handles);
    memset(actor, 0, sizeof *actor);
}

/* Room for one more item in an owned array, which has room for the next power of two from 2 on, or
 * more: so nobody needs to remember for how many. */
static enum sw_rc grow(void **items, uint32_t count, size_t size)
{
    void *grown;

    if (count == 1 || (count & (count - 1)) != 0)
        return SW_OK;
    grown = realloc(*items, (count == 0 ? 2 : (size_t)count * 2) * size);
    if (grown == NULL)
        return SW_E_EXHAUSTED;
    *items = grown;
    return SW_OK;
}

/* --- Handles --------------------------------------------------------------------------------- */

struct sw_handle *sw_actor_handle(const struct sw_actor *actor, uint64_t number)
{
    uint32_t low = 0, high = actor->handles_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (actor->handles[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == actor->handles_count || actor->handles[low].number != number ||
        actor->handles[low].origin.kind == SW_ORIGIN_NONE)
        return NULL;
    return &actor->handles[low];
}

uint32_t sw_actor_open_handles(const struct sw_actor *actor)
{
    return actor->handles_count - actor->handles_dead;
}

uint64_t sw_actor_next_handle(const struct sw_actor *actor)
{
    return actor->next_handle + 1;
}

struct sw_origin sw_actor_asker(const struct sw_actor *actor)
{
    const struct sw_handle *handle = sw_actor_handle(actor, actor->wait.handle);

    return handle != NULL ? handle->origin : sw_wait_asker(&actor->wait);
}

static enum sw_rc handle_add(struct sw_actor *actor, const struct sw_origin *origin)
{
    enum sw_rc rc = grow((void **)&actor->handles, actor->handles_count, sizeof *actor->handles);

    if (rc == SW_OK)
        actor->handles[actor->handles_count++] =
            (struct sw_handle){.number = ++actor->next_handle, .origin = *origin};
    return rc;
}

/* Mark it answered, and sweep when half of the array is dead, so that each costs O(1). */
static void handle_remove(struct sw_actor *actor, struct sw_handle *handle)
{
    uint32_t kept = 0;

    handle->origin.kind = SW_ORIGIN_NONE;
    if (++actor->handles_dead * 2 < actor->handles_count)
        return;
    for (uint32_t i = 0; i < actor->handles_count; i++)
        if (actor->handles[i].origin.kind != SW_ORIGIN_NONE)
            actor->handles[kept++] = actor->handles[i];
    actor->handles_count = kept & (2 * SW_HANDLES_MAX - 1);
    actor->handles_dead = 0;
    if (kept == 0) {
        free(actor->handles);
        actor->handles = NULL;
    }
}

/* --- Timers and subscriptions ---------------------------------------------------------------- */

struct sw_actor_timer *sw_actor_timer(const struct sw_actor *actor, uint64_t id)
{
    for (uint32_t i = 0; i < actor->timers_count; i++)
        if (actor->timers[i].id == id)
            return &actor->timers[i];
    return NULL;
}

static enum sw_rc timer_start(struct sw_actor *actor, uint64_t id, uint64_t due_ns)
{
    struct sw_actor_timer *timer = sw_actor_timer(actor, id);
    enum sw_rc rc;

    if (timer != NULL) {
        *timer = (struct sw_actor_timer){.id = id, .due_ns = due_ns};
        return SW_OK;
    }
    rc = grow((void **)&actor->timers, actor->timers_count, sizeof *actor->timers);
    if (rc == SW_OK)
        actor->timers[actor->timers_count++] = (struct sw_actor_timer){.id = id, .due_ns = due_ns};
    return rc;
}

static bool timer_remove(struct sw_actor *actor, uint64_t id)
{
    struct sw_actor_timer *timer = sw_actor_timer(actor, id);

    if (timer != NULL)
        *timer = actor->timers[--actor->timers_count];
    return timer != NULL;
}

static uint32_t pattern_at(const struct sw_actor *actor, struct sw_bytes pattern)
{
    uint32_t i = 0;

    while (i < actor->patterns_count &&
           (actor->patterns[i]->size != pattern.size ||
            memcmp(actor->patterns[i]->text, pattern.data, pattern.size) != 0))
        i++;
    return i;
}

bool sw_actor_has_pattern(const struct sw_actor *actor, struct sw_bytes pattern)
{
    return pattern_at(actor, pattern) < actor->patterns_count;
}

static enum sw_rc pattern_add(struct sw_actor *actor, struct sw_bytes pattern)
{
    enum sw_rc rc = grow((void **)&actor->patterns, actor->patterns_count, sizeof *actor->patterns);
    struct sw_pattern *copy;

    if (rc != SW_OK)
        return rc;
    copy = malloc(sizeof *copy + pattern.size);
    if (copy == NULL)
        return SW_E_EXHAUSTED;
    copy->size = (uint32_t)pattern.size;
    memcpy(copy->text, pattern.data, pattern.size);
    actor->patterns[actor->patterns_count++] = copy;
    return SW_OK;
}

static bool pattern_remove(struct sw_actor *actor, struct sw_bytes pattern)
{
    uint32_t at = pattern_at(actor, pattern);

    if (at == actor->patterns_count)
        return false;
    free(actor->patterns[at]);
    actor->patterns_count--;
    memmove(actor->patterns + at, actor->patterns + at + 1,
            (actor->patterns_count - at) * sizeof *actor->patterns);
    return true;
}

void sw_actor_take_call(struct sw_actor *to, struct sw_actor *from)
{
    struct sw_call *call = to->wait.call;

    if (!sw_wait_lacks_body(&to->wait) || from->wait.kind != SW_WAIT_CALL ||
        from->wait.number != to->wait.number || from->wait.call->is_absent)
        return;
    to->wait.call = from->wait.call;
    from->wait.call = call;
}

/* --- Records --------------------------------------------------------------------------------- */

static uint8_t *keep(struct sw_bytes bytes, uint8_t *at)
{
    if (bytes.size > 0)
        memcpy(at, bytes.data, bytes.size);
    return at + bytes.size;
}

/* Keep what is called until it is over.  SW_E_EXHAUSTED: no memory. */
static enum sw_rc call_begin(struct sw_wait *wait, struct sw_bytes service, struct sw_bytes type,
                             struct sw_bytes body, uint32_t absent_bytes)
{
    struct sw_call *call =
        malloc(offsetof(struct sw_call, bytes) + service.size + type.size + body.size);

    if (call == NULL)
        return SW_E_EXHAUSTED;
    assert(service.size <= UINT8_MAX && type.size <= UINT8_MAX && body.size <= UINT32_MAX);
    call->service_size = (uint8_t)service.size;
    call->type_size = (uint8_t)type.size;
    call->is_absent = absent_bytes != 0;
    call->body_size = call->is_absent ? absent_bytes : (uint32_t)body.size;
    (void)keep(body, keep(type, keep(service, call->bytes)));
    wait->is_sent = false;
    wait->call = call;
    return SW_OK;
}

static enum sw_rc wait_begin(struct sw_actor *actor, enum sw_wait_kind kind,
                             const struct sw_effect *effect)
{
    struct sw_wait *wait = &actor->wait;

    if (wait->kind != SW_WAIT_NONE || effect->number != wait->number + 1)
        return SW_E_CORRUPT;
    wait->kind = (uint8_t)kind;
    wait->number = effect->number;
    wait->due_ns = effect->due_ns;
    wait->is_due = false;
    wait->attempts = 0;
    wait->nth++;
    return kind == SW_WAIT_CALL
               ? call_begin(wait, effect->to, effect->type, effect->body, effect->absent_bytes)
               : SW_OK;
}

static enum sw_rc apply_effect(struct sw_actor *actor, const struct sw_effect *effect)
{
    struct sw_handle *handle;

    switch (effect->kind) {
    case SW_EFFECT_SEND:
    case SW_EFFECT_PUBLISH:
        return SW_OK;
    case SW_EFFECT_REPLY:
        handle = sw_actor_handle(actor, effect->number);
        if (handle == NULL)
            return SW_E_CORRUPT;
        handle_remove(actor, handle);
        return sw_requests_answer(actor->requests,
                                  &(struct sw_request_view){.handle = effect->number,
                                                            .status = effect->status,
                                                            .type = effect->type,
                                                            .body = effect->body});
    case SW_EFFECT_SUBSCRIBE:
        return sw_actor_has_pattern(actor, effect->to) ? SW_E_CORRUPT
                                                       : pattern_add(actor, effect->to);
    case SW_EFFECT_UNSUBSCRIBE:
        return pattern_remove(actor, effect->to) ? SW_OK : SW_E_CORRUPT;
    case SW_EFFECT_TIMER_START:
        return timer_start(actor, effect->number, effect->due_ns);
    case SW_EFFECT_TIMER_CANCEL:
        return timer_remove(actor, effect->number) ? SW_OK : SW_E_CORRUPT;
    case SW_EFFECT_ASK:
        return wait_begin(actor, SW_WAIT_ASK, effect);
    case SW_EFFECT_RECEIVE:
        return wait_begin(actor, SW_WAIT_RECEIVE, effect);
    case SW_EFFECT_SLEEP:
        return wait_begin(actor, SW_WAIT_SLEEP, effect);
    case SW_EFFECT_CALL:
        return wait_begin(actor, SW_WAIT_CALL, effect);
    }
    return SW_E_CORRUPT;
}

/* NULL: none. */
static void set_asker(struct sw_wait *wait, const struct sw_origin *client)
{
    wait->has_asker = client != NULL;
    wait->asker_incarnation = client == NULL ? 0 : client->incarnation;
    wait->asker_number = client == NULL ? 0 : client->number;
}

/* What a message that was handled leaves, before the effects of its handler: a handle if an answer
 * is wanted, and its name if a client gave it one. A failed turn leaves neither, so a repeat of it
 * is a new try. */
static enum sw_rc apply_message(struct sw_actor *actor, const struct sw_record_segment *segment)
{
    const struct sw_message_head *head = &segment->head;
    bool wants_reply = (head->flags & SWARM_MESSAGE_WANTS_REPLY) != 0;
    enum sw_rc rc = wants_reply ? handle_add(actor, &head->origin) : SW_OK;

    if (segment->entry == SW_ENTRY_MESSAGE)
        actor->wait.handle = wants_reply ? actor->next_handle : 0;
    if (segment->entry == SW_ENTRY_MESSAGE && !wants_reply && head->origin.kind == SW_ORIGIN_CLIENT)
        set_asker(&actor->wait, &head->origin);
    if (rc != SW_OK || head->request_id.size == 0 || head->origin.kind != SW_ORIGIN_CLIENT)
        return rc;
    return sw_requests_add(
        &actor->requests, head->request_id, segment->time_ns,
        &(struct sw_request_view){.handle = wants_reply ? actor->next_handle : 0});
}

/* A timer that fired is gone, unless its handler failed and it is tried again: then it fires once
 * more, and its guest may move or cancel it until then like any other. */
static void apply_timer(struct sw_actor *actor, const struct sw_record_segment *segment)
{
    struct sw_actor_timer *timer;

    if (sw_outcome_counts(segment->outcome) || segment->fate != SW_FATE_RETRY) {
        (void)timer_remove(actor, segment->timer);
        return;
    }
    timer = sw_actor_timer(actor, segment->timer);
    if (timer != NULL)
        *timer = (struct sw_actor_timer){
            .id = segment->timer, .due_ns = segment->retry_ns, .attempts = segment->attempt};
}

/* The turn failed when its wait had ended, and waits on: for other messages than the one that it
 * had received, or for another try with what it had waited for. */
static void wait_on(struct sw_wait *wait, const struct sw_record_segment *segment)
{
    wait->attempts++;
    wait->is_due = false; /* If it had come, nothing was made of that. */
    if (!sw_record_received(segment))
        wait->due_ns = segment->retry_ns;
}

/* From here on what it lets out goes. A turn that waits waits on. */
static enum sw_rc apply_release(struct sw_actor *actor, uint64_t lsn)
{
    if (actor->withheld == NULL)
        return SW_E_CORRUPT;
    sw_withheld_free(actor->withheld);
    actor->withheld = NULL;
    actor->state_lsn = lsn;
    return SW_OK;
}

/* Whatever comes next, the wait is over; a new turn has nobody who asks yet. */
static enum sw_rc apply_entry(struct sw_actor *actor, const struct sw_record_segment *segment)
{
    struct sw_wait *wait = &actor->wait;
    bool is_resumed = segment->entry == SW_ENTRY_RESUME;
    bool goes_on = wait->kind != SW_WAIT_NONE;

    if (is_resumed != goes_on && segment->entry != SW_ENTRY_STOP &&
        segment->entry != SW_ENTRY_RESET)
        return SW_E_CORRUPT;
    if (is_resumed && segment->wait != wait->number)
        return SW_E_CORRUPT;
    if (segment->waits_on) {
        wait_on(wait, segment);
        return SW_OK;
    }
    wait->kind = SW_WAIT_NONE;
    if (wait->call != NULL)
        free(wait->call);
    wait->call = NULL;
    if (is_resumed)
        return SW_OK;
    wait->handle = 0;
    wait->nth = 0;
    if (wait->has_asker)
        set_asker(wait, NULL);
    if (segment->entry == SW_ENTRY_TIMER && segment->again == 0)
        apply_timer(actor, segment);
    return SW_OK;
}

/* The turn failed after a segment of it had finished: that one stands, and whoever asked got the
 * failure, also when a client repeats the request. */
static enum sw_rc apply_failed_turn(struct sw_actor *actor, const struct sw_record_segment *segment)
{
    static const char words[] = "the handler failed after it had waited";
    struct sw_handle *handle = sw_actor_handle(actor, actor->wait.handle);

    if (handle == NULL)
        return SW_OK;
    handle_remove(actor, handle);
    return sw_requests_answer(actor->requests,
                              &(struct sw_request_view){.handle = actor->wait.handle,
                                                        .status = sw_outcome_code(segment),
                                                        .type = {"text/plain", 10},
                                                        .body = {words, sizeof words - 1}});
}

static enum sw_rc apply_effects(struct sw_actor *actor, const struct sw_record_segment *segment)
{
    struct sw_reader reader = sw_reader_of(segment->effects.data, segment->effects.size);
    struct sw_effect effect;
    enum sw_rc rc = SW_OK;

    if (segment->has_message)
        rc = apply_message(actor, segment);
    while (rc == SW_OK && sw_effect_take(&reader, &effect)) {
        rc = apply_effect(actor, &effect);
        if (rc == SW_OK && actor->withheld != NULL && sw_withheld_takes(effect.kind))
            rc = sw_withheld_put(actor->withheld, &effect);
    }
    if (rc != SW_OK)
        return rc;
    return reader.failed ||
                   (segment->outcome == SW_OUTCOME_WAITING) != (actor->wait.kind != SW_WAIT_NONE)
               ? SW_E_CORRUPT
               : SW_OK;
}

enum sw_rc sw_actor_apply(struct sw_actor *actor, const struct sw_record_segment *segment,
                          uint64_t lsn, struct sw_err *err)
{
    enum sw_rc rc;

    if (sw_actor_is_plain(actor, segment)) {
        sw_actor_apply_plain(actor, segment, lsn);
        return SW_OK;
    }
    if (lsn != 0)
        actor->last_lsn = lsn;
    if (segment->entry == SW_ENTRY_IMAGE || segment->entry == SW_ENTRY_FORK) {
        actor->state_lsn = lsn;
        return SW_OK;
    }
    actor->segments++;
    actor->last_ns = segment->time_ns;
    rc = segment->entry == SW_ENTRY_RELEASE ? apply_release(actor, lsn)
                                            : apply_entry(actor, segment);
    if (rc == SW_OK && segment->entry == SW_ENTRY_RELEASE)
        return SW_OK;
    if (rc == SW_OK && !sw_outcome_counts(segment->outcome)) {
        actor->failures++;
        if (segment->entry == SW_ENTRY_RESUME && !segment->waits_on) {
            /* Its wait is over: that is a change of state. */
            if (lsn != 0)
                actor->state_lsn = lsn;
            rc = apply_failed_turn(actor, segment);
        }
    } else if (rc == SW_OK) {
        if (lsn != 0)
            actor->state_lsn = lsn;
        rc = apply_effects(actor, segment);
    }
    if (rc != SW_OK)
        return sw_err_set(err, rc, "the record at lsn %" PRIu64 " does not fit its instance", lsn);
    return SW_OK;
}

enum sw_rc sw_actor_fork(struct sw_actor *actor)
{
    static const char words[] = "this is a fork, which began before that was answered";
    enum sw_rc rc = SW_OK;

    for (uint32_t i = 0; rc == SW_OK && i < actor->handles_count; i++)
        rc = sw_requests_answer(actor->requests,
                                &(struct sw_request_view){.handle = actor->handles[i].number,
                                                          .status = SW_E_UNAVAILABLE,
                                                          .type = {"text/plain", 10},
                                                          .body = {words, sizeof words - 1}});
    if (rc != SW_OK)
        return rc;
    sw_withheld_free(actor->withheld); /* What a fork of a fork held before is that one's. */
    actor->withheld = sw_withheld_new();
    if (actor->withheld == NULL)
        return SW_E_EXHAUSTED;
    free(actor->handles);
    actor->handles = NULL;
    actor->handles_count = actor->handles_dead = 0;
    actor->wait.handle = 0;
    set_asker(&actor->wait, NULL);
    return SW_OK;
}

/* --- Saving ---------------------------------------------------------------------------------- */

#define TRIED 0x80u /* Beside the kind of a wait that a turn failed after: so often follows. */
#define LATER 0x40u /* Beside that of one that is not its turn's first: which it is follows. */

void sw_actor_save(const struct sw_actor *actor, struct sw_buffer *out)
{
    const struct sw_origin asker = sw_wait_asker(&actor->wait);
    bool is_later = actor->wait.kind != SW_WAIT_NONE && actor->wait.nth > 1;

    sw_buffer_put_u64(out, actor->next_handle);
    sw_buffer_put_u64(out, actor->segments);
    sw_buffer_put_u64(out, actor->last_ns);
    sw_buffer_put_u32(out, actor->failures);
    sw_buffer_put_u32(out, sw_actor_open_handles(actor));
    for (uint32_t i = 0; i < actor->handles_count; i++) {
        if (actor->handles[i].origin.kind == SW_ORIGIN_NONE)
            continue;
        sw_buffer_put_u64(out, actor->handles[i].number);
        sw_origin_put(&actor->handles[i].origin, out);
    }
    sw_buffer_put_u32(out, actor->timers_count);
    for (uint32_t i = 0; i < actor->timers_count; i++) {
        sw_buffer_put_u64(out, actor->timers[i].id);
        sw_buffer_put_u64(out, actor->timers[i].due_ns);
        sw_buffer_put_u32(out, actor->timers[i].attempts);
    }
    sw_buffer_put_u32(out, actor->patterns_count);
    for (uint32_t i = 0; i < actor->patterns_count; i++)
        sw_buffer_put_bytes(out,
                            (struct sw_bytes){actor->patterns[i]->text, actor->patterns[i]->size});
    sw_buffer_put_u8(out, (uint8_t)(actor->wait.kind | (actor->wait.attempts > 0 ? TRIED : 0) |
                                    (is_later ? LATER : 0)));
    if (actor->wait.attempts > 0)
        sw_buffer_put_u32(out, actor->wait.attempts);
    if (is_later)
        sw_buffer_put_u32(out, actor->wait.nth);
    sw_buffer_put_u64(out, actor->wait.number);
    sw_buffer_put_u64(out, actor->wait.due_ns);
    sw_buffer_put_u64(out, actor->wait.handle);
    sw_origin_put(&asker, out);
    if (actor->wait.kind == SW_WAIT_CALL) {
        sw_buffer_put_bytes(out, sw_call_service(actor->wait.call));
        sw_buffer_put_bytes(out, sw_call_type(actor->wait.call));
        if (actor->wait.call->is_absent)
            sw_effect_put_body((struct sw_bytes){NULL, 0}, actor->wait.call->body_size, out);
        else
            sw_buffer_put_bytes(out, sw_call_body(actor->wait.call));
    }
    sw_requests_save(actor->requests, out);
    if (actor->withheld != NULL) /* What is saved without is not held. */
        sw_withheld_save(actor->withheld, out);
}

static enum sw_rc load_call(struct sw_wait *wait, struct sw_reader *reader)
{
    struct sw_bytes service = sw_reader_bytes(reader, SW_EFFECT_TEXT_MAX);
    struct sw_bytes type = sw_reader_bytes(reader, SW_EFFECT_TEXT_MAX);
    uint32_t absent_bytes;
    struct sw_bytes body = sw_effect_take_body(reader, &absent_bytes);

    return reader->failed ? SW_E_CORRUPT : call_begin(wait, service, type, body, absent_bytes);
}

static enum sw_rc load_wait(struct sw_wait *wait, struct sw_reader *reader)
{
    uint8_t first = sw_reader_u8(reader), kind = first & (uint8_t)~(TRIED | LATER);
    uint32_t attempts = (first & TRIED) == 0 ? 0 : sw_reader_u32(reader);
    uint32_t later = (first & LATER) == 0 ? 0 : sw_reader_u32(reader);
    struct sw_origin asker;

    wait->kind = kind;
    wait->attempts = (uint16_t)attempts;
    wait->nth = kind == SW_WAIT_NONE ? 0 : later > 0 ? later : 1;
    wait->number = sw_reader_u64(reader);
    wait->due_ns = sw_reader_u64(reader);
    wait->handle = sw_reader_u64(reader);
    sw_origin_take(reader, &asker);
    if (reader->failed || kind > SW_WAIT_CALL || attempts > UINT16_MAX ||
        wait->number < wait->nth || ((first & LATER) != 0 && wait->nth < 2) ||
        (asker.kind != SW_ORIGIN_NONE && asker.kind != SW_ORIGIN_CLIENT))
        return SW_E_CORRUPT;
    set_asker(wait, asker.kind == SW_ORIGIN_CLIENT ? &asker : NULL);
    return kind == SW_WAIT_CALL ? load_call(wait, reader) : SW_OK;
}

static enum sw_rc load_handles(struct sw_actor *actor, struct sw_reader *reader)
{
    uint32_t count = sw_reader_u32(reader);
    uint64_t last = actor->next_handle;
    enum sw_rc rc = SW_OK;

    if (count > SW_HANDLES_MAX)
        return SW_E_CORRUPT;
    actor->next_handle = 0;
    for (uint32_t i = 0; rc == SW_OK && i < count; i++) {
        uint64_t number = sw_reader_u64(reader);
        struct sw_origin origin;

        sw_origin_take(reader, &origin);
        if (reader->failed || number <= actor->next_handle || number > last ||
            origin.kind == SW_ORIGIN_NONE)
            return SW_E_CORRUPT;
        actor->next_handle = number - 1;
        rc = handle_add(actor, &origin);
    }
    actor->next_handle = last;
    return rc;
}

static enum sw_rc load_rest(struct sw_actor *actor, struct sw_reader *reader)
{
    uint32_t count = sw_reader_u32(reader);
    enum sw_rc rc = count > SW_TIMERS_MAX ? SW_E_CORRUPT : SW_OK;

    for (uint32_t i = 0; rc == SW_OK && i < count; i++) {
        uint64_t id = sw_reader_u64(reader);
        rc = timer_start(actor, id, sw_reader_u64(reader));
        if (rc == SW_OK)
            sw_actor_timer(actor, id)->attempts = sw_reader_u32(reader);
    }
    if (rc != SW_OK)
        return rc;
    count = sw_reader_u32(reader);
    if (count > SW_PATTERNS_MAX)
        return SW_E_CORRUPT;
    for (uint32_t i = 0; rc == SW_OK && i < count; i++) {
        struct sw_bytes pattern = sw_reader_bytes(reader, SW_EFFECT_TEXT_MAX);
        rc = reader->failed || pattern.size == 0 ? SW_E_CORRUPT : pattern_add(actor, pattern);
    }
    if (rc == SW_OK)
        rc = load_wait(&actor->wait, reader);
    if (rc == SW_OK)
        rc = sw_requests_load(&actor->requests, reader);
    return rc != SW_OK || sw_reader_is_finished(reader)
               ? rc
               : sw_withheld_load(&actor->withheld, reader);
}

enum sw_rc sw_actor_load(struct sw_actor *actor, struct sw_bytes bytes, struct sw_err *err)
{
    struct sw_reader reader = sw_reader_of(bytes.data, bytes.size);
    enum sw_rc rc;

    actor->next_handle = sw_reader_u64(&reader);
    actor->segments = sw_reader_u64(&reader);
    actor->last_ns = sw_reader_u64(&reader);
    actor->failures = sw_reader_u32(&reader);
    rc = load_handles(actor, &reader);
    if (rc == SW_OK)
        rc = load_rest(actor, &reader);
    if (rc == SW_OK && !sw_reader_is_finished(&reader))
        rc = SW_E_CORRUPT;
    if (rc == SW_OK)
        return SW_OK;
    sw_actor_done(actor);
    return sw_err_set(err, rc, "the saved state of an instance is malformed");
}
