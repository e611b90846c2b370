#include "pkg/agent/runtime/actor/state.h"

#include "include/swarm/agent.h"
#include "pkg/agent/runtime/actor/snapshot.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define IMAGE_BYTES_MAX ((size_t)1 << 32)

struct replay {
    struct sw_worker *worker;
    struct sw_instance *instance;
    struct sw_actor actor; /* As it was at the point that the replay has reached. */
    struct sw_turn_random random;
    bool is_whole; /* The records begin with an upgrade: no image is needed. */
    struct sw_err *err;
};

/* --- Images ---------------------------------------------------------------------------------- */

struct sw_image *sw_image_new(struct sw_worker *worker, const struct sw_instance *instance,
                              struct sw_err *err)
{
    struct sw_buffer *out = &worker->image;
    struct sw_image *image;
    size_t actor_bytes;
    enum sw_rc rc = SW_OK;

    sw_buffer_reset(out);
    sw_actor_save(&instance->actor, out);
    actor_bytes = out->size;
    if (instance->guest != NULL)
        rc = worker->engine.save(worker->engine.ctx, instance->guest, out, err);
    if (rc != SW_OK)
        return NULL;
    image = out->failed || out->size > UINT32_MAX ? NULL : malloc(sizeof *image + out->size);
    if (image == NULL) {
        sw_err_set(err, SW_E_EXHAUSTED, "no memory for an image");
        return NULL;
    }
    image->lsn = instance->actor.state_lsn;
    image->random_next = instance->random.next;
    image->actor_bytes = (uint32_t)actor_bytes;
    image->guest_bytes = (uint32_t)(out->size - actor_bytes);
    memcpy(image->bytes, out->data, out->size);
    return image;
}

void sw_instance_set_image(struct sw_worker *worker, struct sw_instance *instance,
                           struct sw_image *image)
{
    if (instance->image != NULL) {
        worker->images_bytes -= instance->image->actor_bytes + instance->image->guest_bytes;
        free(instance->image);
    }
    instance->image = image;
    if (image != NULL)
        worker->images_bytes += image->actor_bytes + image->guest_bytes;
}

/* --- Records --------------------------------------------------------------------------------- */

static enum sw_rc read_segment(struct replay *replay, uint64_t lsn,
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

static bool is_upgrade(const struct sw_record_segment *segment)
{
    return segment->entry == SW_ENTRY_UPGRADE && segment->outcome == SW_OUTCOME_DONE;
}

/* The lsns of the instance's records after base_lsn up to the last that changed state, newest
 * first, as u64. An upgrade among them is the last one listed: it holds all that was before. */
static enum sw_rc collect(struct replay *replay, uint64_t base_lsn, struct sw_buffer *out)
{
    uint64_t lsn = replay->instance->actor.state_lsn;
    bool is_whole = false;
    enum sw_rc rc = SW_OK;

    while (rc == SW_OK && lsn > base_lsn && !is_whole) {
        struct sw_record_segment segment;

        sw_buffer_put_u64(out, lsn);
        rc = read_segment(replay, lsn, &segment);
        if (rc != SW_OK)
            break;
        lsn = segment.previous;
        is_whole = is_upgrade(&segment);
    }
    replay->is_whole = is_whole;
    if (rc == SW_OK && !is_whole && lsn != base_lsn && lsn != 0)
        return sw_err_set(replay->err, SW_E_CORRUPT, "the records of the instance have a gap");
    return rc == SW_OK && out->failed
               ? sw_err_set(replay->err, SW_E_EXHAUSTED, "no memory for a replay")
               : rc;
}

/* The body of a message, from the record itself or from where it says. */
static enum sw_rc find_body(struct replay *replay, const struct sw_record_segment *segment,
                            struct sw_bytes *ret_body)
{
    struct sw_buffer *buffer = &replay->worker->body;
    enum sw_rc rc;

    *ret_body = segment->body;
    if (segment->body_lsn == 0)
        return SW_OK;
    sw_buffer_reset(buffer);
    rc = sw_journal_read(replay->worker->shared->journal, segment->body_lsn, buffer, replay->err);
    if (rc != SW_OK)
        return rc;
    if (segment->body_at > buffer->size || segment->body_bytes > buffer->size - segment->body_at)
        return sw_err_set(replay->err, SW_E_CORRUPT, "no message body at lsn %" PRIu64,
                          segment->body_lsn);
    *ret_body = (struct sw_bytes){buffer->data + segment->body_at, segment->body_bytes};
    return SW_OK;
}

/* Begin a recorded segment under the spec that it had. */
static enum sw_rc begin(struct replay *replay, const struct sw_record_segment *segment,
                        uint64_t lsn)
{
    const struct sw_pod *pod = replay->instance->pod;
    const struct sw_spec *spec = sw_specs_find(&replay->worker->shared->specs, segment->spec);
    struct sw_turn_options options = {
        .actor = &replay->actor,
        .self = {pod->config.name_space,
                 pod->config.agent,
                 sw_instance_key(replay->instance),
                 {NULL, 0}},
        .time_ns = segment->time_ns,
        .random = replay->random,
        .results = segment->results,
        .has_fired = segment->entry == SW_ENTRY_TIMER && segment->again == 0,
        .fired = segment->timer,
        .can_wait = segment->entry != SW_ENTRY_START,
    };

    if (spec == NULL)
        return sw_err_set(replay->err, SW_E_CORRUPT,
                          "the record at lsn %" PRIu64 " ran under a spec that is not here", lsn);
    if (!sw_spec_is_same_version(spec, replay->instance->spec))
        return sw_err_set(replay->err, SW_E_UNSUPPORTED,
                          "its last messages were handled by the engine \"%.*s\": start that "
                          "version of Swarm once more and stop it cleanly",
                          (int)spec->fingerprint.size, (const char *)spec->fingerprint.data);
    options.self.config = spec->config;
    if (segment->has_message && (segment->head.flags & SWARM_MESSAGE_WANTS_REPLY) != 0)
        options.handle = sw_actor_next_handle(&replay->actor);
    sw_turn_begin(&replay->worker->turn, &options);
    return SW_OK;
}

/* Run one recorded segment again and compare what it asks for. */
static enum sw_rc rerun(struct replay *replay, const struct sw_record_segment *segment,
                        uint64_t lsn)
{
    struct sw_worker *worker = replay->worker;
    struct sw_guest_message message;
    struct sw_guest_input input;
    enum sw_rc rc;

    sw_segment_input(segment, &message, &input);
    /* It ended in time once; a busy machine must not decide otherwise now. */
    input.deadline_ms = replay->instance->pod->config.deadline_ms * 4 + 1000;
    rc = find_body(replay, segment, &message.body);
    if (rc == SW_OK)
        rc = begin(replay, segment, lsn);
    if (rc != SW_OK)
        return rc;
    message.reply_handle = worker->turn.handle;
    worker->engine.enter(worker->engine.ctx, replay->instance->guest, &input, &worker->outcome);
    sw_turn_end(&worker->turn);
    sw_segment_judge(&worker->turn, &worker->outcome);
    if (worker->outcome.end !=
            (segment->outcome == SW_OUTCOME_WAITING ? SW_GUEST_WAITING : SW_GUEST_DONE) ||
        worker->turn.effects.size != segment->effects.size ||
        (segment->effects.size > 0 &&
         memcmp(worker->turn.effects.data, segment->effects.data, segment->effects.size) != 0))
        return sw_err_set(replay->err, SW_E_PRECONDITION,
                          "replaying the record at lsn %" PRIu64
                          " came to another end than was recorded%s%s",
                          lsn, worker->outcome.report[0] != 0 ? ": " : "", worker->outcome.report);
    replay->random = worker->turn.random;
    worker->counts.replayed++;
    return SW_OK;
}

/* --- Rebuilding ------------------------------------------------------------------------------ */

/* Begin at an image. */
static enum sw_rc load_image(struct replay *replay, const struct sw_image *image)
{
    struct sw_worker *worker = replay->worker;
    enum sw_rc rc = sw_actor_load(&replay->actor,
                                  (struct sw_bytes){image->bytes, image->actor_bytes}, replay->err);

    replay->random.next = image->random_next;
    if (rc == SW_OK && image->guest_bytes > 0)
        rc = worker->engine.load(
            worker->engine.ctx, replay->instance->guest,
            (struct sw_bytes){image->bytes + image->actor_bytes, image->guest_bytes}, replay->err);
    return rc;
}

/* Begin at the record of an upgrade. */
static enum sw_rc load_upgrade(struct replay *replay, const struct sw_record_segment *segment)
{
    struct sw_worker *worker = replay->worker;
    enum sw_rc rc = sw_actor_load(&replay->actor, segment->actor, replay->err);

    replay->random.next = segment->random_next;
    return rc == SW_OK ? worker->engine.load(worker->engine.ctx, replay->instance->guest,
                                             segment->image, replay->err)
                       : rc;
}

/* Take in the records whose lsns are in `chain`, newest first. */
static enum sw_rc catch_up(struct replay *replay, const struct sw_buffer *chain)
{
    enum sw_rc rc = SW_OK;

    for (size_t at = chain->size; rc == SW_OK && at > 0; at -= sizeof(uint64_t)) {
        struct sw_reader reader = sw_reader_of(chain->data + at - sizeof(uint64_t), 8);
        uint64_t lsn = sw_reader_u64(&reader);
        struct sw_record_segment segment;

        rc = read_segment(replay, lsn, &segment);
        if (rc == SW_OK && is_upgrade(&segment))
            rc = load_upgrade(replay, &segment);
        else if (rc == SW_OK && sw_outcome_counts(segment.outcome))
            rc = rerun(replay, &segment, lsn);
        if (rc == SW_OK)
            rc = sw_actor_apply(&replay->actor, &segment, lsn, replay->err);
    }
    if (rc == SW_OK && replay->actor.next_handle != replay->instance->actor.next_handle)
        return sw_err_set(replay->err, SW_E_PRECONDITION,
                          "the replay came to other reply handles than were recorded");
    return rc;
}

static enum sw_rc rebuild(struct replay *replay, const struct sw_image *image, size_t *ret_tail)
{
    struct sw_worker *worker = replay->worker;
    struct sw_instance *instance = replay->instance;
    struct sw_buffer chain;
    const struct sw_program *program = sw_program_find(worker, instance->spec->digest);
    enum sw_rc rc;

    if (program == NULL)
        return sw_err_set(replay->err, SW_E_UNAVAILABLE, "the module of an instance is not here");
    rc = worker->engine.create(worker->engine.ctx, program->module, instance->memory_bytes,
                               &worker->turn, &instance->guest, replay->err);
    if (rc != SW_OK)
        return rc;
    memcpy(replay->random.seed, instance->random.seed, sizeof replay->random.seed);
    sw_buffer_init(&chain, SIZE_MAX / 2);
    rc = collect(replay, image == NULL ? 0 : image->lsn, &chain);
    if (rc == SW_OK && image != NULL && !replay->is_whole)
        rc = load_image(replay, image);
    if (rc == SW_OK)
        rc = catch_up(replay, &chain);
    *ret_tail = chain.size / sizeof(uint64_t);
    sw_buffer_done(&chain);
    sw_actor_done(&replay->actor);
    return rc;
}

enum sw_rc sw_instance_rebuild(struct sw_worker *worker, struct sw_instance *instance,
                               struct sw_err *err)
{
    struct replay replay = {.worker = worker, .instance = instance, .err = err};
    struct sw_image *image = instance->image, *stored = NULL;
    size_t tail = 0;
    enum sw_rc rc = SW_OK;

    assert(instance->guest == NULL);
    if (image == NULL && instance->snapshot_at != 0) {
        rc = sw_snapshot_image(worker->shared->snapshot, instance->snapshot_at, &stored, err);
        image = stored;
    }
    if (rc == SW_OK)
        rc = rebuild(&replay, image, &tail);
    free(stored);
    if (rc != SW_OK)
        return rc;
    instance->random = replay.random;
    /* One that traps again and again then costs a load each time, not a replay. */
    if (instance->has_trapped && (instance->image == NULL || tail > SW_IMAGE_TAIL_MAX) &&
        worker->images_bytes < SW_IMAGES_BYTES_MAX)
        sw_instance_set_image(worker, instance, sw_image_new(worker, instance, NULL));
    instance->has_trapped = false;
    return SW_OK;
}
