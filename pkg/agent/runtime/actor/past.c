#include "pkg/agent/runtime/actor/past.h"

#include "pkg/agent/runtime/actor/past_state.h"
#include "pkg/agent/runtime/actor/pod.h"
#include "pkg/agent/runtime/actor/program.h"
#include "pkg/agent/runtime/actor/segment.h"
#include "pkg/agent/store/record_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum sw_rc sw_past_open(const struct sw_past_options *options, struct sw_past **ret_past,
                        struct sw_err *err)
{
    struct sw_past *past = calloc(1, sizeof *past);
    enum sw_rc rc;

    if (past == NULL)
        return sw_past_no_memory(err);
    past->options = *options;
    past->stands_at = UINT64_MAX;
    past->err = err;
    sw_buffer_init(&past->bytes, SIZE_MAX / 2);
    sw_buffer_init(&past->items, SIZE_MAX / 2);
    sw_buffer_init(&past->module, SIZE_MAX / 2);
    sw_buffer_init(&past->points, SIZE_MAX / 2);
    sw_buffer_init(&past->kept, SIZE_MAX / 2);
    sw_buffer_init(&past->block, SIZE_MAX / 2);
    sw_buffer_init(&past->image, SIZE_MAX / 2);
    sw_buffer_init(&past->state, SIZE_MAX / 2);
    rc = sw_past_gather(past);
    if (rc == SW_OK)
        *ret_past = past;
    else
        sw_past_close(past);
    return rc;
}

void sw_past_close(struct sw_past *past)
{
    sw_actor_done(&past->replay.actor);
    sw_past_close_files(past);
    sw_buffer_done(&past->bytes);
    sw_buffer_done(&past->items);
    sw_buffer_done(&past->module);
    sw_buffer_done(&past->points);
    sw_buffer_done(&past->kept);
    sw_buffer_done(&past->block);
    sw_buffer_done(&past->image);
    sw_buffer_done(&past->state);
    free(past);
}

/* --- Looking --------------------------------------------------------------------------------- */

/* The number after which it stands where it can be made without another record; UINT64_MAX: this
 * is no such place. */
static uint64_t begins_after(const struct sw_past *past, size_t index)
{
    const struct item *item = item_at(past, index);
    struct sw_record_segment segment = segment_of(past, item);

    return (segment.entry == SW_ENTRY_START && segment.previous == 0) ||
                   sw_record_is_whole(&segment)
               ? item->number
               : UINT64_MAX;
}

/* The first item of that number or a later one. */
static size_t first_of(const struct sw_past *past, uint64_t number)
{
    size_t low = 0, high = items_count(past);

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (item_at(past, middle)->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The item behind the last one of that number or an earlier one. */
static size_t end_of(const struct sw_past *past, uint64_t number)
{
    return number == UINT64_MAX ? items_count(past) : first_of(past, number + 1);
}

/* Whether it is a turn that is told. */
static bool is_shown(const struct sw_past *past, const struct item *item)
{
    struct sw_record_segment segment = segment_of(past, item);

    return !item->is_hidden && is_counted(&segment);
}

/* The item of a turn, which has no image's number. NULL: it is not there. */
static const struct item *find_item(const struct sw_past *past, uint64_t number)
{
    size_t at = first_of(past, number); /* An image that follows has the same number. */

    if (at == items_count(past) || item_at(past, at)->number != number)
        return NULL;
    return is_shown(past, item_at(past, at)) ? item_at(past, at) : NULL;
}

uint64_t sw_past_next(const struct sw_past *past, uint64_t number)
{
    for (size_t i = first_of(past, number); i < items_count(past); i++)
        if (is_shown(past, item_at(past, i)))
            return item_at(past, i)->number;
    return 0;
}

uint64_t sw_past_newest(const struct sw_past *past, uint64_t last, uint64_t limit)
{
    uint64_t number = last;

    for (size_t i = end_of(past, last); i > 0 && limit > 0; i--) {
        if (!is_shown(past, item_at(past, i - 1)))
            continue;
        number = item_at(past, i - 1)->number;
        limit--;
    }
    return number;
}

/* The first turn that can be made without what was before. */
static uint64_t find_replayable(const struct sw_past *past)
{
    uint64_t least = UINT64_MAX;

    for (size_t i = 0; i < points_count(past); i++)
        if (point_at(past, i)->has_base && point_at(past, i)->base_number < least)
            least = point_at(past, i)->base_number;
    for (size_t i = 0; i < items_count(past) && item_at(past, i)->number < least; i++)
        if (begins_after(past, i) != UINT64_MAX)
            least = item_at(past, i)->number;
    return least;
}

void sw_past_view(const struct sw_past *past, struct sw_past_view *ret_view)
{
    size_t count = items_count(past), points = points_count(past), shown = 0;
    uint64_t point = points == 0 ? 0 : point_at(past, points - 1)->number;

    *ret_view = (struct sw_past_view){.instance = past->id, .is_over = past->is_over};
    if (count == 0 && points == 0)
        return;
    ret_view->first = point + 1;
    ret_view->last = point;
    ret_view->replayable = find_replayable(past);
    if (count == 0)
        return;
    if (item_at(past, count - 1)->number > point)
        ret_view->last = item_at(past, count - 1)->number;
    while (shown < count && item_at(past, shown)->is_hidden)
        shown++;
    if (shown == count)
        return;
    ret_view->first = item_at(past, shown)->number;
    if (find_item(past, ret_view->first) == NULL) /* It begins with an image. */
        ret_view->first++;
}

enum sw_rc sw_past_turn(const struct sw_past *past, uint64_t number, struct sw_past_turn *ret_turn,
                        struct sw_err *err)
{
    const struct item *item = find_item(past, number);
    const struct sw_spec *spec;

    if (item == NULL)
        return sw_err_set(err, SW_E_RANGE, "turn @%" PRIu64 " is not there", number);
    *ret_turn = (struct sw_past_turn){
        .number = number, .lsn = item->lsn, .segment = segment_of(past, item)};
    ret_turn->is_body_kept = !ret_turn->segment.has_message || ret_turn->segment.body_lsn == 0;
    spec = sw_specs_find(&past->options.shared->specs, ret_turn->segment.spec);
    if (spec != NULL) {
        ret_turn->module = spec->digest;
        ret_turn->engine = spec->fingerprint;
    }
    return SW_OK;
}

const struct sw_actor *sw_past_actor(const struct sw_past *past)
{
    return &past->replay.actor;
}

/* --- Going ----------------------------------------------------------------------------------- */

void sw_past_set_module(struct sw_past *past, struct sw_bytes digest)
{
    sw_buffer_reset(&past->module);
    sw_buffer_put(&past->module, digest.data, digest.size);
    past->replay.is_of_other = digest.size > 0;
    past->stands_at = UINT64_MAX;
}

static enum sw_rc set_spec(struct sw_past *past, uint32_t number)
{
    const struct sw_spec *spec = sw_specs_find(&past->options.shared->specs, number);

    if (spec == NULL)
        return sw_err_set(past->err, SW_E_CORRUPT, "it ran under a spec that is not here");
    past->instance->spec = spec;
    return SW_OK;
}

/* Another engine may come to other results: what it ran can be read, and not run. */
static enum sw_rc check_engine(const struct sw_past *past)
{
    const struct sw_spec *spec = past->instance->spec;

    return sw_shared_replays(past->options.shared, spec)
               ? SW_OK
               : sw_err_set(past->err, SW_E_UNSUPPORTED,
                            "the engine \"%.*s\" ran it: it can be listed, and not run again",
                            (int)spec->fingerprint.size, (const char *)spec->fingerprint.data);
}

/* The program of a module in the class of engine that the instance runs in.  NULL: err says why it
 * cannot be had. */
static const struct sw_program *get_program(struct sw_past *past, struct sw_bytes digest)
{
    const struct sw_past_options *options = &past->options;
    struct sw_worker *worker = options->worker;
    const struct sw_program *program;
    char text[SW_ABI_PROGRAM_SIZE];
    struct sw_bytes name;
    enum sw_rc rc = SW_OK;

    sw_abi_program_name(digest, past->instance->spec->class, text);
    name = (struct sw_bytes){text, strlen(text)};
    program = sw_program_find(worker, name);
    if (program != NULL)
        return program;
    rc = options->program(options->ctx, worker, past->pod->config.uid, name, past->err);
    if (rc != SW_OK)
        return NULL;
    (void)sw_worker_run(worker, 0); /* It takes what came. */
    program = sw_program_find(worker, name);
    if (program == NULL)
        (void)sw_err_set(past->err, SW_E_NOT_FOUND, "the module %s cannot be had", text);
    return program;
}

/* A guest of that module, never entered, in the place of the one that is there. */
static enum sw_rc make_guest_of(struct sw_past *past, struct sw_bytes digest)
{
    struct sw_worker *worker = past->options.worker;
    const struct sw_program *program = get_program(past, digest);

    if (program == NULL)
        return past->err->rc;
    sw_instance_sleep(worker, past->instance);
    return worker->engine.create(worker->engine.ctx, program->module, past->memory_bytes,
                                 &worker->turn, &past->instance->guest, past->err);
}

/* One that begins: of the module of its spec, or of the one that is to be run. */
static enum sw_rc make_guest(struct sw_past *past)
{
    sw_actor_done(&past->replay.actor);
    past->replay.actor = (struct sw_actor){0};
    past->replay.random = (struct sw_turn_random){0};
    memcpy(past->replay.random.seed, past->seed, sizeof past->seed);
    return make_guest_of(past, past->module.size > 0
                                   ? (struct sw_bytes){past->module.data, past->module.size}
                                   : past->instance->spec->digest);
}

/* What its block says; it borrows from past->block. */
static enum sw_rc load_point(struct sw_past *past, const struct past_point *point,
                             struct sw_snapshot_instance *ret_saved)
{
    sw_buffer_reset(&past->block);
    if (point->is_on_file)
        return sw_snapshot_read(past->files[point->file], point->at, &past->block, ret_saved,
                                past->err);
    sw_buffer_put(&past->block, past->kept.data, past->kept.size);
    return past->block.failed ? sw_past_no_memory(past->err)
                              : sw_snapshot_instance_of(&past->block, ret_saved, past->err);
}

/* The actor is what it was at a point. */
static enum sw_rc take_point(struct sw_past *past, const struct past_point *point)
{
    struct sw_snapshot_instance saved;
    enum sw_rc rc = load_point(past, point, &saved);

    sw_actor_done(&past->replay.actor);
    past->replay.actor = (struct sw_actor){0};
    return rc == SW_OK ? sw_actor_load(&past->replay.actor, saved.actor, past->err) : rc;
}

/* Go through one record; is_first: of the way to somewhere. */
static enum sw_rc step(struct sw_past *past, size_t index, bool is_first)
{
    const struct item *item = item_at(past, index);
    struct sw_record_segment segment = segment_of(past, item);
    bool is_linked = index > 0 && item_at(past, index - 1)->lsn == segment.previous;
    const struct past_point *point = is_linked ? NULL : point_behind(past, segment.previous);
    enum sw_rc rc = set_spec(past, segment.spec);

    if (rc == SW_OK)
        rc = check_engine(past);
    if (rc == SW_OK && past->module.size > 0 && segment.entry == SW_ENTRY_IMAGE && is_linked &&
        !is_first) /* The memory that another module made stays. */
        return sw_actor_apply(&past->replay.actor, &segment, item->lsn, past->err);
    /* Before its birth, and with a memory that the record holds, it is made anew. */
    if (rc == SW_OK && begins_after(past, index) != UINT64_MAX)
        rc = make_guest(past);
    else if (rc == SW_OK && point != NULL)
        rc = take_point(past, point);
    if (rc == SW_OK)
        rc = sw_replay_take(&past->replay, &segment, item->lsn);
    return rc;
}

/* Stand where a point has an image of it. */
static enum sw_rc stand_on_base(struct sw_past *past, const struct past_point *point)
{
    struct sw_snapshot_instance saved;
    struct sw_base base;
    enum sw_rc rc = set_spec(past, point->base_spec);

    if (rc == SW_OK)
        rc = check_engine(past);
    if (rc == SW_OK)
        rc = make_guest(past);
    if (rc == SW_OK)
        rc = load_point(past, point, &saved);
    if (rc != SW_OK)
        return rc;
    sw_base_init(&base);
    base.lsn = saved.base_lsn;
    base.random_next = saved.base_random_next;
    base.actor = saved.base_actor.size > 0 ? saved.base_actor : saved.actor;
    base.guest = saved.guest;
    rc = sw_replay_load(&past->replay, &base);
    sw_base_done(&base);
    return rc;
}

struct way {                        /* To a turn. */
    const struct past_point *point; /* Whose image it begins with; NULL: with the first record. */
    size_t index, end;              /* Records to be gone through. */
    uint64_t lsn, number;           /* Where it begins: the last record, and turn, before. */
};

/* Have it begin with the image that a point has. */
static void begin_at(const struct sw_past *past, const struct past_point *point, struct way *way)
{
    way->point = point;
    way->lsn = point->base_lsn;
    way->number = point->base_number;
    for (way->index = 0; way->index < way->end; way->index++)
        if (item_at(past, way->index)->lsn > way->lsn)
            break;
}

/* The latest place before `number` to begin at. False: there is none. */
static bool find_way(const struct sw_past *past, uint64_t number, struct way *ret_way)
{
    struct way way = {.end = end_of(past, number)};
    bool is_found = false;

    for (size_t i = way.end; i > 0 && !is_found; i--) {
        is_found = begins_after(past, i - 1) != UINT64_MAX;
        way.index = i - 1;
        way.lsn = item_at(past, i - 1)->lsn;
        way.number = item_at(past, i - 1)->number;
    }
    for (size_t i = 0; i < points_count(past); i++) {
        const struct past_point *point = point_at(past, i);

        if (!point->has_base || point->base_number > number ||
            (is_found && point->base_lsn <= way.lsn))
            continue;
        is_found = true;
        begin_at(past, point, &way);
    }
    *ret_way = way;
    return is_found;
}

/* Whether what is not there between one record and another one, as far as there is any, is known to
 * have failed. */
static bool has_only_failed(const struct sw_past *past, uint64_t lsn, uint64_t until)
{
    for (size_t i = 0; i < points_count(past); i++) {
        const struct past_point *point = point_at(past, i);

        if ((point->state_lsn <= lsn || point->whole_from <= lsn) && point->last_lsn >= until)
            return true;
    }
    return false;
}

/* Whether nothing that changed it is missing on the way: not all that it did may have been kept. */
static bool is_whole(const struct sw_past *past, const struct way *way, uint64_t number)
{
    uint64_t lsn = way->lsn, reached = way->number;

    for (size_t i = way->point == NULL ? way->index + 1 : way->index; i < way->end; i++) {
        struct sw_record_segment segment = segment_of(past, item_at(past, i));

        if (segment.previous != lsn && !has_only_failed(past, lsn, segment.previous))
            return false;
        lsn = item_at(past, i)->lsn;
        reached = item_at(past, i)->number;
    }
    for (size_t i = 0; reached < number && i < points_count(past); i++) {
        const struct past_point *point = point_at(past, i);

        if (point->number >= number && point->state_lsn <= lsn && point->last_lsn >= lsn)
            reached = number; /* What came since had failed. */
    }
    return reached == number;
}

/* Another module is run from as early on as it can be, best from the birth: an image on the way has
 * the memory that the recorded one made, and what the other one makes of it would not be seen. */
static bool find_long_way(const struct sw_past *past, uint64_t number, struct way *ret_way)
{
    struct way way = {.end = end_of(past, number)};
    bool is_found = way.end > 0 && begins_after(past, 0) != UINT64_MAX;

    if (is_found) {
        way.lsn = item_at(past, 0)->lsn;
        way.number = item_at(past, 0)->number;
    }
    for (size_t i = 0; i < points_count(past); i++) {
        const struct past_point *point = point_at(past, i);

        if (!point->has_base || point->base_number > number ||
            (is_found && point->base_lsn >= way.lsn))
            continue;
        is_found = true;
        begin_at(past, point, &way);
    }
    *ret_way = way;
    return is_found && is_whole(past, &way, number);
}

/* Whether it stands where only the records of that turn are to be gone through. */
static bool is_next(const struct sw_past *past, uint64_t number)
{
    size_t first, end;

    if (past->stands_at > number || number - past->stands_at > 1)
        return false;
    first = end_of(past, past->stands_at);
    end = end_of(past, number);
    if (first == 0 || first == end)
        return false;
    for (size_t i = first; i < end; i++)
        if (segment_of(past, item_at(past, i)).previous != item_at(past, i - 1)->lsn)
            return false;
    return true;
}

static enum sw_rc out_of_range(const struct sw_past *past, uint64_t number)
{
    struct sw_past_view view;

    sw_past_view(past, &view);
    return sw_err_set(past->err, SW_E_RANGE,
                      "after turn @%" PRIu64
                      " it cannot be had any more, or not yet: from @%" PRIu64 " to @%" PRIu64
                      " it can",
                      number, view.replayable, view.last);
}

/* The way to a turn. *ret_is_begun: from where it stands.  SW_E_RANGE: there is none. */
static enum sw_rc choose_way(const struct sw_past *past, uint64_t number, struct way *ret_way,
                             bool *ret_is_begun)
{
    struct sw_past_view view;
    bool is_other = past->module.size > 0;

    *ret_is_begun = is_next(past, number);
    if (*ret_is_begun) { /* To look for one takes as long as all that was before is. */
        *ret_way =
            (struct way){.index = end_of(past, past->stands_at), .end = end_of(past, number)};
        return SW_OK;
    }
    sw_past_view(past, &view);
    if (number < view.replayable || number > view.last ||
        (!(is_other && find_long_way(past, number, ret_way)) && !find_way(past, number, ret_way)))
        return out_of_range(past, number);
    if (!is_whole(past, ret_way, number))
        return sw_err_set(past->err, SW_E_RANGE,
                          "turn @%" PRIu64 ", or one that leads to it, was not kept", number);
    *ret_is_begun = past->stands_at <= number && past->stands_at >= ret_way->number &&
                    end_of(past, past->stands_at) >= ret_way->index;
    if (*ret_is_begun) /* It is on the way already. */
        ret_way->index = end_of(past, past->stands_at);
    return SW_OK;
}

enum sw_rc sw_past_go(struct sw_past *past, uint64_t number, struct sw_err *err)
{
    struct way way;
    bool is_begun;
    enum sw_rc rc;

    past->err = past->replay.err = err;
    rc = choose_way(past, number, &way, &is_begun);
    if (rc != SW_OK)
        return rc;
    if (!is_begun && way.point != NULL) {
        rc = stand_on_base(past, way.point);
        is_begun = true;
    }
    for (; rc == SW_OK && way.index < way.end; way.index++, is_begun = true)
        rc = step(past, way.index, !is_begun);
    past->stands_at = rc == SW_OK ? number : UINT64_MAX;
    return rc;
}

enum sw_rc sw_past_state(struct sw_past *past, struct sw_past_state *ret_state, struct sw_err *err)
{
    const struct sw_worker *worker = past->options.worker;
    const struct sw_guest *guest = past->instance->guest;
    enum sw_rc rc = SW_OK;

    if (past->stands_at == UINT64_MAX)
        return sw_err_set(err, SW_E_PRECONDITION, "it stands nowhere");
    sw_buffer_reset(&past->image);
    if (guest != NULL)
        rc = worker->engine.save(worker->engine.ctx, guest, &past->image, err);
    if (rc != SW_OK)
        return rc;
    *ret_state = (struct sw_past_state){
        .number = past->stands_at,
        .actor = &past->replay.actor,
        .random_next = past->replay.random.next,
        .memory_bytes = guest == NULL ? 0 : worker->engine.memory_bytes(worker->engine.ctx, guest),
        .image = {past->image.data, past->image.size},
        .module = past->module.size > 0 ? (struct sw_bytes){past->module.data, past->module.size}
                                        : past->instance->spec->digest,
        .engine = past->instance->spec->fingerprint};
    return SW_OK;
}

/* Run swarm_state of the guest that is there, or on_upgrade of the new one (upgrade), as between
 * the turn it stands after and the next one. */
static enum sw_rc run_upgrade(struct sw_past *past, uint32_t deadline_ms,
                              struct sw_guest_upgrade *upgrade, bool is_new)
{
    struct sw_worker *worker = past->options.worker;
    struct sw_guest *guest = past->instance->guest;
    struct sw_guest_input input = {
        .entry = SW_GUEST_UPGRADE, .deadline_ms = deadline_ms, .upgrade = upgrade};
    const struct sw_record_segment segment = {.entry = SW_ENTRY_UPGRADE,
                                              .spec = past->instance->spec->number,
                                              .time_ns = past->replay.actor.last_ns};
    enum sw_rc rc = sw_replay_begin(&past->replay, &segment, 0);

    if (rc != SW_OK)
        return rc;
    if (is_new)
        worker->engine.enter(worker->engine.ctx, guest, &input, &worker->outcome);
    else
        worker->engine.state(worker->engine.ctx, guest, deadline_ms, &past->state,
                             &upgrade->old_version, &worker->outcome);
    sw_turn_end(&worker->turn);
    if (worker->outcome.end != SW_GUEST_DONE)
        return sw_err_set(past->err, SW_E_PRECONDITION, "%s failed: %s",
                          is_new ? "on_upgrade of the other module" : "swarm_state",
                          worker->outcome.report);
    if (is_new)
        past->replay.random = worker->turn.random;
    return SW_OK;
}

enum sw_rc sw_past_switch(struct sw_past *past, struct sw_bytes digest, uint32_t deadline_ms,
                          struct sw_err *err)
{
    struct sw_worker *worker = past->options.worker;
    struct sw_guest_upgrade upgrade = {.old_module = past->instance->spec->digest};
    struct sw_past_state old;
    enum sw_rc rc = sw_past_state(past, &old, err); /* Its memory is in past->image from here on. */

    past->err = past->replay.err = err;
    sw_buffer_reset(&past->state);
    if (rc == SW_OK)
        rc = run_upgrade(past, deadline_ms, &upgrade, false);
    if (rc == SW_OK)
        rc = make_guest_of(past, digest);
    if (rc != SW_OK)
        return rc;
    upgrade.state = (struct sw_bytes){past->state.data, past->state.size};
    if (get_program(past, digest)->view.has_on_upgrade)
        return run_upgrade(past, deadline_ms, &upgrade, true);
    return worker->engine.load(worker->engine.ctx, past->instance->guest, old.image, err);
}

enum sw_rc sw_past_try(struct sw_past *past, uint64_t number, const struct sw_past_input *input,
                       struct sw_past_trial *ret_trial, struct sw_err *err)
{
    struct sw_worker *worker = past->options.worker;
    struct sw_past_turn turn;
    enum sw_rc rc = sw_past_turn(past, number, &turn, err);

    past->err = past->replay.err = err;
    if (rc == SW_OK && turn.segment.entry != SW_ENTRY_MESSAGE &&
        turn.segment.entry != SW_ENTRY_TIMER)
        rc = sw_err_set(err, SW_E_PRECONDITION,
                        "turn @%" PRIu64 " is a %s: only messages and timers can be tried anew",
                        number, sw_entry_name(turn.segment.entry));
    if (rc == SW_OK && input->has_body && turn.segment.entry != SW_ENTRY_MESSAGE)
        rc = sw_err_set(err, SW_E_PRECONDITION, "turn @%" PRIu64 " has no message", number);
    if (rc == SW_OK && past->stands_at != number - 1)
        rc = sw_err_set(err, SW_E_PRECONDITION, "it does not stand before turn @%" PRIu64, number);
    if (rc == SW_OK)
        rc = set_spec(past, turn.segment.spec);
    if (rc != SW_OK)
        return rc;
    if (input->has_body) {
        turn.segment.body = input->body;
        turn.segment.body_lsn = 0;
        turn.segment.results = (struct sw_bytes){NULL, 0}; /* They were for other calls. */
    }
    if (input->type.size > 0)
        turn.segment.head.type = input->type;
    past->stands_at = UINT64_MAX;
    rc = sw_replay_enter(&past->replay, &turn.segment, turn.lsn, input->deadline_ms);
    if (rc != SW_OK)
        return rc;
    *ret_trial =
        (struct sw_past_trial){.outcome = sw_segment_outcome(worker->outcome.end),
                               .code = worker->outcome.code,
                               .fuel = worker->outcome.fuel,
                               .report = worker->outcome.report,
                               .effects = {worker->turn.effects.data, worker->turn.effects.size}};
    return SW_OK;
}
