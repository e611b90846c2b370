#include "pkg/agent/runtime/actor/segment.h"

#include "include/swarm/agent.h"
#include "pkg/agent/runtime/actor/capture.h"
#include "pkg/agent/runtime/actor/storage.h"
#include "pkg/agent/runtime/actor/replay.h"

#include <stdio.h>
#include <string.h>

/* What a record holds besides: the rest of it, and the actor. */
#define IMAGE_BYTES_MAX (SW_JOURNAL_RECORD_MAX - SW_EFFECTS_BYTES_MAX - (1u << 20))

/* The state that the old guest hands over, in worker->body. */
static bool take_state(struct sw_worker *worker, struct segment *segment,
                       struct sw_guest_upgrade *upgrade)
{
    struct sw_instance *instance = segment->instance;

    sw_buffer_reset(&worker->body);
    sw_segment_begin(worker, segment);
    sw_overtake_begin(worker, SW_PASS_UPGRADE);
    sw_segment_take_state(worker, segment, &worker->body, &upgrade->old_version);
    sw_overtake_end(worker, instance);
    sw_turn_end(&worker->turn);
    worker->running = NULL;
    upgrade->state = (struct sw_bytes){worker->body.data, worker->body.size};
    upgrade->old_module = instance->spec->digest;
    return worker->outcome.end == SW_GUEST_DONE;
}

static enum sw_rc too_large(struct sw_err *err)
{
    return sw_err_set(err, SW_E_EXHAUSTED, "its new memory is larger than %u MiB, packed",
                      IMAGE_BYTES_MAX >> 20);
}

static void enter(struct sw_worker *worker, const struct segment *segment, struct sw_guest *guest,
                  const struct sw_guest_input *input)
{
    sw_overtake_begin(worker, SW_PASS_UPGRADE);
    sw_segment_enter(worker, segment, guest, input);
    sw_overtake_end(worker, segment->instance);
}

/* Make the new guest, enter it, and have its image in worker->image. */
static void run(struct sw_worker *worker, struct segment *segment,
                const struct sw_guest_upgrade *upgrade, struct sw_guest **ret_guest)
{
    struct sw_instance *instance = segment->instance;
    struct sw_guest_input input = {.entry = SW_GUEST_UPGRADE,
                                   .deadline_ms = instance->pod->config.deadline_ms,
                                   .fuel_max = instance->pod->config.fuel_max,
                                   .upgrade = upgrade};
    struct sw_guest_outcome *outcome = &worker->outcome;
    struct sw_err err = {0};

    *ret_guest = NULL;
    sw_segment_begin(worker, segment);
    if (worker->engine.create(worker->engine.ctx, instance->pod->program->module,
                              instance->memory_bytes, &worker->turn, ret_guest, &err) == SW_OK)
        enter(worker, segment, *ret_guest, &input);
    else
        outcome->end = SW_GUEST_NO_MEMORY;
    sw_turn_end(&worker->turn);
    worker->running = NULL;
    sw_buffer_reset(&worker->image);
    if (outcome->end == SW_GUEST_DONE &&
        (worker->engine.save(worker->engine.ctx, *ret_guest, &worker->image, &err) != SW_OK ||
         worker->image.size > IMAGE_BYTES_MAX)) {
        outcome->end = SW_GUEST_NO_MEMORY;
        if (err.message[0] == 0)
            (void)too_large(&err);
    }
    if (outcome->end != SW_GUEST_DONE && err.message[0] != 0) {
        outcome->code = err.rc;
        snprintf(outcome->report, sizeof outcome->report, "%s", err.message);
    }
}

/* The same module, in another class of engine: its memory and its globals are what they were, and
 * no code of it runs. */
static void move(struct sw_worker *worker, struct segment *segment, struct sw_guest **ret_guest)
{
    const struct sw_guest_engine *engine = &worker->engine;
    const struct sw_instance *instance = segment->instance;
    struct sw_guest_outcome *outcome = &worker->outcome;
    struct sw_err err = {0};
    enum sw_rc rc;

    *ret_guest = NULL;
    sw_segment_begin(worker, segment);
    sw_turn_end(&worker->turn);
    worker->running = NULL;
    sw_buffer_reset(&worker->image);
    rc = engine->save(engine->ctx, instance->guest, &worker->image, &err);
    if (rc == SW_OK && worker->image.size > IMAGE_BYTES_MAX)
        rc = too_large(&err);
    if (rc == SW_OK)
        rc = engine->create(engine->ctx, instance->pod->program->module, instance->memory_bytes,
                            &worker->turn, ret_guest, &err);
    if (rc == SW_OK)
        rc = engine->load(engine->ctx, *ret_guest,
                          (struct sw_bytes){worker->image.data, worker->image.size}, &err);
    *outcome = (struct sw_guest_outcome){.end = rc == SW_OK ? SW_GUEST_DONE : SW_GUEST_NO_MEMORY,
                                         .code = rc};
    if (rc != SW_OK)
        (void)snprintf(outcome->report, sizeof outcome->report, "%s", err.message);
}

/* It stays what it was. */
static void give_up(struct sw_worker *worker, struct sw_instance *instance, struct sw_guest *guest)
{
    if (guest != NULL)
        worker->engine.drop(worker->engine.ctx, guest);
    if (instance->pod->config.is_durable) /* swarm_state may have left anything behind. */
        sw_instance_sleep(worker, instance);
}

/* Behind the first line of the report: what follows it may be long, and is cut where it is shown.
 */
static void tell_what_goes_on(struct sw_guest_outcome *outcome)
{
    static const char words[] = "the instance goes on with its old program";
    char rest[SW_GUEST_REPORT_MAX];
    size_t at = strcspn(outcome->report, "\n");

    if (at > sizeof rest - sizeof words - 2)
        at = sizeof rest - sizeof words - 2;
    memcpy(rest, outcome->report, sizeof rest);
    (void)snprintf(outcome->report, sizeof outcome->report, "%.*s%s%s%s", (int)at, rest,
                   at == 0 ? "" : "; ", words, rest + at);
}

/* Whether there is room for its record, which holds all that it is if the outcome says so. */
static bool has_storage(struct sw_worker *worker, const struct sw_instance *instance,
                        const struct sw_guest *guest, uint64_t actor_bytes)
{
    uint64_t bytes = SW_STORAGE_RECORD_BYTES, pages;

    if (!instance->pod->config.is_durable)
        return true;
    if (worker->outcome.end == SW_GUEST_DONE) {
        pages = sw_usage_pages(worker->engine.memory_bytes(worker->engine.ctx, guest));
        bytes += actor_bytes + worker->image.size;
        if (pages > instance->pages)
            bytes += (pages - instance->pages) * SW_USAGE_PAGE_BYTES;
    }
    return sw_storage_reserve(worker, instance->pod, bytes);
}

/* Hand the state of an instance to its Pod's program: its memory becomes the new guest's, all else
 * that is its own stays. If it fails, nothing has happened but a record that says so; and not even
 * that if the Pod changed once more while guests of either program ran: that is next. */
static void upgrade(struct sw_worker *worker, struct sw_instance *instance)
{
    const struct sw_spec *old = instance->spec, *spec = instance->pod->spec;
    struct segment segment = {.instance = instance,
                              .record = {.instance = instance->id,
                                         .previous = instance->actor.last_lsn,
                                         .pod = instance->pod->config.pod,
                                         .time_ns = worker->now_ns,
                                         .spec = old->number,
                                         .entry = SW_ENTRY_UPGRADE,
                                         .to = spec->number}};
    struct sw_guest_upgrade given = {0};
    struct sw_guest *guest = NULL;
    struct sw_buffer actor;

    sw_buffer_init(&actor, SW_JOURNAL_RECORD_MAX);
    sw_actor_save(&instance->actor, &actor);
    if (sw_bytes_is_equal(old->digest, spec->digest)) {
        move(worker, &segment, &guest);
    } else if (take_state(worker, &segment, &given) && instance->pod->spec == spec) {
        segment.spec = spec; /* Its config is what the new program sees. */
        run(worker, &segment, &given, &guest);
    }
    if (instance->pod->spec != spec || !has_storage(worker, instance, guest, actor.size)) {
        give_up(worker, instance, guest);
        if (instance->pod->spec == spec) /* There may be room later; until then it goes on. */
            sw_instance_wake_up(worker, instance, SWARM_PRIORITY_NORMAL);
        sw_buffer_done(&actor);
        return;
    }
    segment.record.outcome = sw_segment_outcome(worker->outcome.end);
    segment.record.code = worker->outcome.code;
    segment.record.fuel = worker->outcome.fuel;
    if (segment.record.outcome == SW_OUTCOME_DONE) {
        instance->spec = spec;
        sw_capture_use(worker, spec);
        segment.record.spec = spec->number;
        segment.record.random_next = worker->turn.random.next;
        segment.record.actor = (struct sw_bytes){actor.data, actor.size};
        segment.record.image = (struct sw_bytes){worker->image.data, worker->image.size};
        sw_instance_sleep(worker, instance);
        sw_instance_set_image(worker, instance, NULL);
        instance->guest = guest;
        instance->refused = 0; /* From here it may well be taken over by what failed before. */
    } else {
        give_up(worker, instance, guest);
        instance->refused = spec->number;
        tell_what_goes_on(&worker->outcome);
    }
    sw_segment_commit(worker, &segment);
    if (segment.record.outcome == SW_OUTCOME_DONE)
        instance->tail = instance->image_delay = 0;
    if (actor.failed)
        sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for an upgrade");
    sw_buffer_done(&actor);
}

/* The engine is another one: what is an image is read by both, but only the engine that ran a
 * record replays it. */
static bool adopt_engine(struct sw_worker *worker, struct sw_instance *instance)
{
    struct sw_shared *shared = worker->shared;
    struct sw_spec_content content = {.digest = instance->spec->digest,
                                      .fingerprint =
                                          sw_shared_fingerprint(shared, instance->spec->class),
                                      .config = instance->spec->config,
                                      .timers_max = instance->spec->timers_max};
    const struct sw_spec *spec;

    if (sw_shared_replays(shared, instance->spec))
        return true;
    if (sw_specs_make(&shared->specs, &content,
                      instance->pod->config.is_durable ? shared->journal : NULL, &spec) != SW_OK) {
        sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for a spec");
        return false;
    }
    sw_capture_use(worker, spec);
    instance->spec = spec;
    return true;
}

bool sw_upgrade_settle(struct sw_worker *worker, struct sw_instance *instance)
{
    const struct sw_spec *spec = instance->pod->spec;
    struct sw_err err;

    if (instance->spec == spec)
        return true;
    sw_err_clear(&err);
    if (!adopt_engine(worker, instance))
        return false;
    if (sw_spec_is_same_version(instance->spec, spec)) {
        instance->spec = spec;
        return true;
    }
    /* A turn that waits goes on in the program that began it, a fork in the one that it has. */
    if (instance->actor.wait.kind != SW_WAIT_NONE || sw_actor_is_held(&instance->actor) ||
        instance->refused == spec->number ||
        (!instance->pod->program->view.has_on_upgrade &&
         !sw_bytes_is_equal(instance->spec->digest, spec->digest)))
        return true;
    if (!sw_segment_prepare(worker, instance, NULL, &err))
        return instance->is_parked;
    if (instance->pod->spec != spec) /* Others passed while its memory was rebuilt. */
        return sw_upgrade_settle(worker, instance);
    upgrade(worker, instance);
    return worker->failure.rc == SW_OK;
}
