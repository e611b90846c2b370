#include "pkg/agent/runtime/actor/replay.h"

#include "include/swarm/agent.h"
#include "pkg/agent/runtime/actor/capture.h"
#include "pkg/agent/runtime/actor/segment.h"
#include "pkg/agent/store/record_text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define IMAGE_BYTES_MAX ((size_t)1 << 32)
/* It ended in time once, under the deadline of then: neither that of now nor a busy machine may
 * decide otherwise. No deadline is longer than an hour. */
#define REPLAY_DEADLINE_MS (4u * 3600 * 1000)

/* --- Records --------------------------------------------------------------------------------- */

static enum sw_rc read_segment(struct sw_replay *replay, uint64_t lsn,
                               struct sw_record_segment *ret_segment)
{
    struct sw_buffer *buffer = &replay->worker->replay;
    struct sw_record record;
    enum sw_rc rc;

    sw_buffer_reset(buffer);
    rc = sw_journal_read(replay->worker->shared->journal, lsn, buffer, replay->err);
    if (rc == SW_OK)
        rc = sw_record_take((struct sw_bytes){buffer->data, buffer->size}, &record, replay->err);
    if (rc != SW_OK)
        return rc;
    if (record.kind != SW_RECORD_SEGMENT || record.segment.instance != replay->instance->id ||
        record.segment.previous >= lsn)
        return sw_err_set(replay->err, SW_E_CORRUPT,
                          "the record at lsn %" PRIu64 " is not of this instance", lsn);
    *ret_segment = record.segment;
    return SW_OK;
}

/* Follow the instance's records from the last that changed state back to base_lsn, or to one
 * that holds all that was before; at most so many in this call. */
static enum sw_rc collect(struct sw_replay *replay, uint64_t base_lsn, struct sw_chain *chain,
                          uint32_t records_max)
{
    struct sw_record_segment segment;
    enum sw_rc rc = SW_OK;

    if (!chain->is_begun)
        chain->next = replay->instance->actor.state_lsn;
    chain->is_begun = true;
    for (; chain->next > base_lsn && !chain->is_whole && records_max > 0; records_max--) {
        sw_buffer_put_u64(&chain->lsns, chain->next);
        rc = read_segment(replay, chain->next, &segment);
        if (rc != SW_OK)
            return rc;
        chain->next = segment.previous;
        chain->is_whole = sw_record_is_whole(&segment);
    }
    chain->is_over = chain->next <= base_lsn || chain->is_whole;
    if (chain->is_over && !chain->is_whole && chain->lsns.size > 0 && chain->next != base_lsn)
        return sw_err_set(replay->err, SW_E_CORRUPT, "the records of the instance have a gap");
    return chain->lsns.failed ? sw_err_set(replay->err, SW_E_EXHAUSTED, "no memory for a replay")
                              : SW_OK;
}

/* The body of a message, from the record itself or from where it says. */
static enum sw_rc find_body(struct sw_replay *replay, const struct sw_record_segment *segment,
                            struct sw_bytes *ret_body)
{
    struct sw_worker *worker = replay->worker;
    struct sw_bytes record;
    enum sw_rc rc;

    *ret_body = segment->body;
    if (segment->body_lsn == 0)
        return SW_OK;
    rc = sw_bodies_read(&worker->bodies, worker->shared->journal, segment->body_lsn, &record,
                        replay->err);
    if (rc != SW_OK)
        return rc;
    if (segment->body_at > record.size || segment->body_bytes > record.size - segment->body_at)
        return sw_err_set(replay->err, SW_E_CORRUPT, "no message body at lsn %" PRIu64,
                          segment->body_lsn);
    *ret_body =
        (struct sw_bytes){(const uint8_t *)record.data + segment->body_at, segment->body_bytes};
    return SW_OK;
}

enum sw_rc sw_replay_begin(struct sw_replay *replay, const struct sw_record_segment *segment,
                           uint64_t lsn)
{
    const struct sw_pod *pod = replay->instance->pod;
    const struct sw_spec *spec = sw_specs_find(&replay->worker->shared->specs, segment->spec);
    struct sw_turn_options options = {
        .actor = &replay->actor,
        .watch = &replay->worker->turn_watch,
        .self = {&pod->config.name_space, &pod->config.agent, NULL,
                 sw_instance_key(replay->instance)},
        .time_ns = segment->time_ns,
        .random = &replay->random,
        .results = segment->results,
        .has_fired = segment->entry == SW_ENTRY_TIMER && segment->again == 0,
        .fired = segment->timer,
        .can_wait = sw_segment_can_wait(segment->entry),
    };

    if (spec == NULL)
        return sw_err_set(replay->err, SW_E_CORRUPT,
                          "the record at lsn %" PRIu64 " ran under a spec that is not here", lsn);
    if (!sw_spec_is_same_version(spec, replay->instance->spec))
        return sw_err_set(replay->err, SW_E_UNSUPPORTED,
                          "its last messages were handled by the engine \"%.*s\": start that "
                          "version of Swarm once more and stop it cleanly",
                          (int)spec->fingerprint.size, (const char *)spec->fingerprint.data);
    options.self.config = &spec->config;
    options.timers_max = spec->timers_max;
    if (segment->has_message && (segment->head.flags & SWARM_MESSAGE_WANTS_REPLY) != 0)
        options.handle = sw_actor_next_handle(&replay->actor);
    sw_turn_begin(&replay->worker->turn, &options);
    return SW_OK;
}

/* The place of the first effect, counted from 1, that the two lists do not share; 0: they are
 * equal. *ret_kind: of what was recorded there; 0: nothing. */
static uint32_t find_difference(struct sw_bytes recorded, struct sw_bytes replayed,
                                enum sw_effect_kind *ret_kind)
{
    struct sw_reader one = sw_reader_of(recorded.data, recorded.size);
    struct sw_reader other = sw_reader_of(replayed.data, replayed.size);
    uint32_t place = 0;
    size_t begin = 0, end = 0;

    do {
        struct sw_effect effect = {0}, unused;
        bool is_there = sw_effect_take(&one, &effect);

        place++;
        *ret_kind = is_there ? effect.kind : (enum sw_effect_kind)0;
        if (is_there != sw_effect_take(&other, &unused))
            return place;
        if (!is_there)
            return 0;
        begin = end;
        end = one.at;
    } while (end == other.at && memcmp((const uint8_t *)recorded.data + begin,
                                       (const uint8_t *)replayed.data + begin, end - begin) == 0);
    return place;
}

/* Say what came out otherwise than it was recorded. */
static enum sw_rc tell_difference(struct sw_replay *replay, const struct sw_record_segment *segment,
                                  uint64_t lsn)
{
    const struct sw_worker *worker = replay->worker;
    struct sw_bytes replayed = {worker->turn.effects.data, worker->turn.effects.size};
    enum sw_outcome outcome = sw_segment_outcome(worker->outcome.end);
    enum sw_effect_kind kind;
    uint32_t place = find_difference(segment->effects, replayed, &kind);

    if (outcome != segment->outcome)
        return sw_err_set(replay->err, SW_E_PRECONDITION,
                          "its segment %" PRIu64 ", a %s at lsn %" PRIu64
                          ", was recorded as %s, and the replay ends as %s%s%s",
                          replay->actor.segments + 1, sw_entry_name(segment->entry), lsn,
                          sw_outcome_name(segment->outcome), sw_outcome_name(outcome),
                          worker->outcome.report[0] != 0 ? ": " : "", worker->outcome.report);
    if (place == 0)
        return sw_err_set(replay->err, SW_E_PRECONDITION,
                          "its segment %" PRIu64 ", a %s at lsn %" PRIu64 ", used %" PRIu64
                          " units of fuel, and %" PRIu64 " in the replay",
                          replay->actor.segments + 1, sw_entry_name(segment->entry), lsn,
                          segment->fuel, worker->outcome.fuel);
    return sw_err_set(
        replay->err, SW_E_PRECONDITION,
        "its segment %" PRIu64 ", a %s at lsn %" PRIu64
        ", has other effects in the replay than were recorded: number %" PRIu32 " differs%s%s",
        replay->actor.segments + 1, sw_entry_name(segment->entry), lsn, place,
        kind == 0 ? "" : ", recorded as ", kind == 0 ? "" : sw_effect_kind_name(kind));
}

enum sw_rc sw_replay_enter(struct sw_replay *replay, const struct sw_record_segment *segment,
                           uint64_t lsn, uint32_t deadline_ms)
{
    struct sw_worker *worker = replay->worker;
    struct sw_guest_message message;
    struct sw_guest_input input;
    enum sw_rc rc;

    sw_segment_input(segment, &message, &input);
    input.deadline_ms = deadline_ms;
    rc = find_body(replay, segment, &message.body);
    if (rc == SW_OK)
        rc = sw_replay_begin(replay, segment, lsn);
    if (rc != SW_OK)
        return rc;
    message.reply_handle = worker->turn.handle;
    worker->engine.enter(worker->engine.ctx, replay->instance->guest, &input, &worker->outcome);
    sw_turn_end(&worker->turn);
    sw_segment_judge(&worker->turn, &worker->outcome);
    return worker->turn.lacks_memory
               ? sw_err_set(replay->err, SW_E_EXHAUSTED, "no memory for a replay")
               : SW_OK;
}

/* Whether the effects that it came to are those of the record, which may leave out what it called
 * with: the digest is of all. */
static bool is_as_recorded(struct sw_worker *worker, const struct sw_record_segment *segment)
{
    struct sw_bytes replayed = {worker->turn.effects.data, worker->turn.effects.size};

    if (sw_bytes_is_equal(replayed, segment->effects))
        return true;
    sw_buffer_reset(&worker->packed);
    return segment->outcome == SW_OUTCOME_WAITING && sw_effects_pack(replayed, &worker->packed) &&
           !worker->packed.failed &&
           sw_bytes_is_equal((struct sw_bytes){worker->packed.data, worker->packed.size},
                             segment->effects) &&
           sw_effects_digest(replayed) == segment->digest;
}

/* Run one recorded segment again and compare what it asks for. */
static enum sw_rc rerun(struct sw_replay *replay, const struct sw_record_segment *segment,
                        uint64_t lsn)
{
    struct sw_worker *worker = replay->worker;
    enum sw_rc rc;

    if (sw_overtake_is_hurried(replay->instance))
        return sw_err_set(replay->err, SW_E_UNAVAILABLE, "its Pod closes");
    rc = sw_replay_enter(replay, segment, lsn, REPLAY_DEADLINE_MS);
    if (rc != SW_OK)
        return rc;
    if ((segment->fuel != worker->outcome.fuel && !replay->is_of_other) ||
        worker->outcome.end !=
            (segment->outcome == SW_OUTCOME_WAITING ? SW_GUEST_WAITING : SW_GUEST_DONE) ||
        !is_as_recorded(worker, segment))
        return tell_difference(replay, segment, lsn);
    replay->random = worker->turn.random;
    worker->counts.replayed++;
    return SW_OK;
}

/* --- What rebuilding begins with -------------------------------------------------------------- */

void sw_base_init(struct sw_base *base)
{
    memset(base, 0, sizeof *base);
    sw_buffer_init(&base->block, SW_SNAPSHOT_BLOCK_MAX);
    sw_buffer_init(&base->tail, SW_SNAPSHOT_BLOCK_MAX);
    sw_buffer_init(&base->chain.lsns, SIZE_MAX / 2);
}

void sw_base_done(struct sw_base *base)
{
    if (base->ground != NULL)
        sw_ground_put(base->ground);
    sw_buffer_done(&base->block);
    sw_buffer_done(&base->tail);
    sw_buffer_done(&base->chain.lsns);
}

static enum sw_rc begin_at(const struct sw_snapshot_instance *stored, struct sw_base *base)
{
    const struct sw_snapshot_instance saved = *stored;

    base->lsn = saved.base_lsn;
    base->chain_lsn = saved.last_lsn;
    base->random_next = saved.base_random_next;
    base->actor = saved.base_actor.size > 0 ? saved.base_actor : saved.actor;
    base->guest = saved.guest;
    sw_buffer_put(&base->tail, saved.tail.data, saved.tail.size);
    return sw_buffer_check(&base->tail);
}

/* What the snapshot that counts has of the instance. */
static enum sw_rc find_stored(struct sw_snapshot *file, uint64_t at, struct sw_base *base,
                              struct sw_err *err)
{
    struct sw_snapshot_instance saved;
    enum sw_rc rc = sw_snapshot_read(file, at, &base->block, &saved, err);

    return rc == SW_OK ? begin_at(&saved, base) : rc;
}

/* What it was when it slept last. */
static enum sw_rc find_shelved(struct sw_shelf *shelf, uint64_t place, struct sw_base *base,
                               struct sw_err *err)
{
    struct sw_snapshot_instance saved;
    enum sw_rc rc = sw_shelf_read(shelf, place, false, &base->block, &saved, err);

    return rc == SW_OK ? begin_at(&saved, base) : rc;
}

enum sw_rc sw_base_find(struct sw_worker *worker, const struct sw_instance *instance,
                        struct sw_base *base, struct sw_err *err)
{
    struct sw_ground *ground = sw_ground_get(worker->shared);
    const struct sw_image *image = instance->image;
    uint64_t at = sw_stored_at(instance, ground->generation);
    enum sw_rc rc = SW_OK;

    /* What an older image needs of the journal may have been removed. */
    if (image != NULL && (image->lsn >= ground->lsn || image->lsn >= instance->actor.state_lsn)) {
        base->lsn = base->chain_lsn = image->lsn;
        base->random_next = image->random_next;
        base->actor = (struct sw_bytes){image->bytes, image->actor_bytes};
        base->guest = (struct sw_bytes){image->bytes + image->actor_bytes, image->guest_bytes};
    } else if (at != 0) {
        rc = find_stored(ground->file, at, base, err);
    } else if ((at = sw_stored_at(instance, SW_STORED_ON_SHELF)) != 0) {
        rc = find_shelved(worker->shared->shelf, at, base, err);
    }
    base->ground = ground;
    return rc;
}

/* Take a record of the journal into a tail, with the body that it names. */
static enum sw_rc extend_by(struct sw_replay *replay, struct sw_base *base, uint64_t lsn)
{
    struct sw_record record = {.kind = SW_RECORD_SEGMENT};
    struct sw_buffer bytes;
    enum sw_rc rc = read_segment(replay, lsn, &record.segment);

    if (rc == SW_OK)
        rc = find_body(replay, &record.segment, &record.segment.body);
    if (rc != SW_OK)
        return rc;
    record.segment.body_lsn = 0;
    sw_buffer_init(&bytes, SW_JOURNAL_RECORD_MAX);
    sw_record_put(&record, &bytes, NULL);
    sw_snapshot_tail_put(lsn, (struct sw_bytes){bytes.data, bytes.size}, &base->tail);
    rc = sw_buffer_check(&bytes);
    sw_buffer_done(&bytes);
    return rc == SW_OK ? sw_buffer_check(&base->tail) : rc;
}

enum sw_rc sw_base_extend(struct sw_worker *worker, struct sw_instance *instance,
                          struct sw_base *base, uint32_t records_max, struct sw_err *err)
{
    struct sw_replay replay = {.worker = worker, .instance = instance, .err = err};
    struct sw_chain *chain = &base->chain;
    enum sw_rc rc = SW_OK;

    if (!chain->is_over) {
        rc = collect(&replay, base->chain_lsn, chain, records_max);
        if (rc == SW_OK && chain->is_whole) { /* It begins there. */
            base->lsn = 0;
            base->actor = base->guest = (struct sw_bytes){NULL, 0};
            sw_buffer_reset(&base->tail);
        }
    }
    for (; rc == SW_OK && chain->is_over && chain->lsns.size > 0 && records_max > 0;
         records_max--) {
        size_t at = chain->lsns.size - sizeof(uint64_t);
        struct sw_reader reader = sw_reader_of(chain->lsns.data + at, sizeof(uint64_t));

        rc = extend_by(&replay, base, sw_reader_u64(&reader));
        chain->lsns.size = at;
    }
    return rc;
}

/* --- Rebuilding ------------------------------------------------------------------------------ */

enum sw_rc sw_replay_load(struct sw_replay *replay, const struct sw_base *base)
{
    struct sw_worker *worker = replay->worker;
    enum sw_rc rc;

    if (base->lsn == 0)
        return SW_OK;
    rc = sw_actor_load(&replay->actor, base->actor, replay->err);
    replay->random.next = base->random_next;
    if (rc == SW_OK && base->guest.size > 0)
        rc = worker->engine.load(worker->engine.ctx, replay->instance->guest, base->guest,
                                 replay->err);
    return rc;
}

/* Begin at a record that holds all. */
static enum sw_rc load_whole(struct sw_replay *replay, const struct sw_record_segment *segment)
{
    struct sw_worker *worker = replay->worker;
    enum sw_rc rc = sw_actor_load(&replay->actor, segment->actor, replay->err);

    replay->random.next = segment->random_next;
    return rc == SW_OK ? worker->engine.load(worker->engine.ctx, replay->instance->guest,
                                             segment->image, replay->err)
                       : rc;
}

enum sw_rc sw_replay_take(struct sw_replay *replay, const struct sw_record_segment *segment,
                          uint64_t lsn)
{
    struct sw_record_segment whole;
    enum sw_rc rc = SW_OK;

    if (sw_record_is_whole(segment))
        rc = load_whole(replay, segment);
    else if (sw_outcome_counts(segment->outcome) && segment->entry != SW_ENTRY_RELEASE)
        rc = rerun(replay, segment, lsn);
    if (rc == SW_OK && segment->outcome == SW_OUTCOME_WAITING) { /* With what it leaves out. */
        whole = *segment;
        whole.effects =
            (struct sw_bytes){replay->worker->turn.effects.data, replay->worker->turn.effects.size};
        segment = &whole;
    }
    return rc == SW_OK ? sw_actor_apply(&replay->actor, segment, lsn, replay->err) : rc;
}

/* Take in the records that the snapshot holds. */
static enum sw_rc replay_tail(struct sw_replay *replay, const struct sw_base *base,
                              size_t *ret_count)
{
    struct sw_reader reader = sw_reader_of(base->tail.data, base->tail.size);
    struct sw_bytes bytes;
    uint64_t lsn;
    enum sw_rc rc = SW_OK;

    while (rc == SW_OK && sw_snapshot_tail_take(&reader, &lsn, &bytes)) {
        struct sw_record record;

        rc = sw_record_take(bytes, &record, replay->err);
        if (rc == SW_OK && record.kind != SW_RECORD_SEGMENT)
            rc = sw_err_set(replay->err, SW_E_CORRUPT, "a record of no instance in a snapshot");
        if (rc == SW_OK)
            rc = sw_replay_take(replay, &record.segment, lsn);
        ++*ret_count;
    }
    return rc;
}

/* Take in the records whose lsns are in `chain`, newest first. */
static enum sw_rc catch_up(struct sw_replay *replay, const struct sw_buffer *chain)
{
    enum sw_rc rc = SW_OK;

    for (size_t at = chain->size; rc == SW_OK && at > 0; at -= sizeof(uint64_t)) {
        struct sw_reader reader = sw_reader_of(chain->data + at - sizeof(uint64_t), 8);
        uint64_t lsn = sw_reader_u64(&reader);
        struct sw_record_segment segment;

        rc = read_segment(replay, lsn, &segment);
        if (rc == SW_OK)
            rc = sw_replay_take(replay, &segment, lsn);
    }
    if (rc == SW_OK && replay->actor.next_handle != replay->instance->actor.next_handle)
        return sw_err_set(replay->err, SW_E_PRECONDITION,
                          "the replay came to other reply handles than were recorded");
    return rc;
}

static enum sw_rc rebuild(struct sw_replay *replay, const struct sw_base *base, size_t *ret_tail)
{
    struct sw_worker *worker = replay->worker;
    struct sw_instance *instance = replay->instance;
    struct sw_chain chain = {.is_over = false};
    const struct sw_program *program = sw_program_find(worker, instance->spec->program);
    enum sw_rc rc;

    if (program == NULL)
        return sw_err_set(replay->err, SW_E_UNAVAILABLE, "the module of an instance is not here");
    rc = worker->engine.create(worker->engine.ctx, program->module, instance->memory_bytes,
                               &worker->turn, &instance->guest, replay->err);
    if (rc != SW_OK)
        return rc;
    memcpy(replay->random.seed, instance->random.seed, sizeof replay->random.seed);
    sw_buffer_init(&chain.lsns, SIZE_MAX / 2);
    rc = collect(replay, base->chain_lsn, &chain, UINT32_MAX);
    if (rc == SW_OK && !chain.is_whole)
        rc = sw_replay_load(replay, base);
    if (rc == SW_OK && !chain.is_whole)
        rc = replay_tail(replay, base, ret_tail);
    if (rc == SW_OK)
        rc = catch_up(replay, &chain.lsns);
    if (rc == SW_OK)
        sw_actor_take_call(&instance->actor, &replay->actor);
    *ret_tail += chain.lsns.size / sizeof(uint64_t);
    sw_buffer_done(&chain.lsns);
    sw_actor_done(&replay->actor);
    return rc;
}

enum sw_rc sw_instance_rebuild(struct sw_worker *worker, struct sw_instance *instance,
                               struct sw_err *err)
{
    const struct sw_note note = {.index = instance->actor.last_lsn,
                                 .instance = instance->id,
                                 .timer = SW_NOTE_OF_REBUILD,
                                 .since = instance->actor.last_lsn};
    struct sw_replay replay = {.worker = worker, .instance = instance, .err = err};
    struct sw_base base;
    size_t tail = 0;
    enum sw_rc rc;

    assert(instance->guest == NULL);
    if (!sw_note_begin(worker, &note))
        return sw_err_set(err, SW_E_INTERNAL,
                          "the agent host crashed %u times while its memory was rebuilt",
                          SW_SUSPECT_CRASHES_MAX);
    sw_base_init(&base);
    rc = sw_base_find(worker, instance, &base, err);
    if (rc == SW_OK)
        rc = rebuild(&replay, &base, &tail);
    sw_base_done(&base);
    sw_note_end(worker, &note);
    if (rc != SW_OK)
        return rc;
    instance->random = replay.random;
    if (tail > instance->tail) /* Else more is known of it already: this began with an image. */
        sw_image_note_tail(worker, instance, tail - instance->tail);
    if (instance->passed != NULL) /* A snapshot may read its image until here. */
        sw_capture_instance_first(worker, instance);
    /* One that traps again and again then costs a load each time, not a replay. */
    if (instance->has_trapped && (instance->image == NULL || tail > SW_IMAGE_TAIL_MAX) &&
        worker->images_bytes < SW_IMAGES_BYTES_MAX)
        sw_instance_set_image(worker, instance, sw_image_new(worker, instance, NULL));
    instance->has_trapped = false;
    return SW_OK;
}
