#include "pkg/agent/runtime/actor/rerun.h"

#include "pkg/agent/runtime/actor/recovering.h"
#include "pkg/agent/runtime/actor/replay.h"

#include <inttypes.h>
#include <string.h>

struct rerun {
    const struct sw_rerun_options *options;
    const struct recovery *recovery;
    struct sw_rerun_report *report;
    struct sw_buffer saved; /* An actor, or the memory that the segments came to. */
    uint64_t again;         /* Segments that the snapshot holds as records, and so run twice. */
};

static void tell(struct rerun *rerun, const struct sw_instance *instance, const char *words)
{
    const struct sw_pod_config *pod = &instance->pod->config;
    struct sw_rerun_trouble trouble = {.pod = pod->uid,
                                       .name_space = pod->name_space,
                                       .agent = pod->agent,
                                       .key = sw_instance_key(instance),
                                       .words = words};

    rerun->report->troubles++;
    rerun->options->tell(rerun->options->ctx, &trouble);
}

/* A failure of one instance alone is told; what else fails ends it all. own: of rc. */
static enum sw_rc judge(struct rerun *rerun, const struct sw_instance *instance, enum sw_rc rc,
                        const struct sw_err *own, struct sw_err *err)
{
    switch ((int)rc) {
    case SW_OK:
        return SW_OK;
    case SW_E_UNSUPPORTED:
        rerun->report->others++;
        return SW_OK;
    case SW_E_PRECONDITION:
    case SW_E_NOT_FOUND:
    case SW_E_CORRUPT:
        tell(rerun, instance, own->message);
        return SW_OK;
    default:
        *err = *own;
        return rc;
    }
}

/* --- Running --------------------------------------------------------------------------------- */

static enum sw_rc get_program(struct rerun *rerun, struct sw_worker *worker,
                              const struct sw_instance *instance, struct sw_err *err)
{
    const struct sw_rerun_options *options = rerun->options;
    struct sw_bytes program = instance->spec->program;
    enum sw_rc rc;

    if (sw_program_find(worker, program) != NULL)
        return SW_OK;
    rc = options->program(options->ctx, worker, instance->pod->config.uid, program, err);
    if (rc == SW_OK)
        (void)sw_worker_run(worker, 0); /* It takes what came. */
    if (rc == SW_OK && sw_program_find(worker, program) == NULL)
        rc = sw_err_set(err, SW_E_NOT_FOUND, "the module %.*s that it runs cannot be had",
                        (int)program.size, (const char *)program.data);
    return rc;
}

static bool is_own(const struct sw_worker *worker, const struct sw_instance *instance)
{
    return sw_shared_replays(worker->shared, instance->spec);
}

/* Have the guest of an instance made of all that is known of it. */
static enum sw_rc rebuild(struct rerun *rerun, struct sw_worker *worker,
                          struct sw_instance *instance, struct sw_err *err)
{
    enum sw_rc rc;

    if (!is_own(worker, instance))
        return sw_err_set(err, SW_E_UNSUPPORTED, "another engine ran it");
    rc = get_program(rerun, worker, instance, err);
    if (rc == SW_OK)
        rc = sw_instance_rebuild(worker, instance, err);
    if (rc != SW_OK)
        sw_instance_sleep(worker, instance);
    return rc;
}

/* A record leaves out what a large call is made with, and a snapshot has it or not, as whoever took
 * it had: have `one` be like `other` in that. */
static void level_call(struct sw_actor *one, struct sw_actor *other)
{
    if (one->wait.kind != SW_WAIT_CALL || other->wait.kind != SW_WAIT_CALL ||
        one->wait.call->body_size != other->wait.call->body_size)
        return;
    if (sw_wait_lacks_body(&other->wait))
        one->wait.call->is_absent = true;
    else
        sw_actor_take_call(one, other);
}

/* Whether the actor in rerun->saved is that which was saved, but for which client's try of a
 * request gets its answer: a repeat takes the place of the one before, and leaves no record. */
static bool is_saved(struct rerun *rerun, struct sw_bytes image)
{
    struct sw_bytes saved = {rerun->saved.data, rerun->saved.size};
    struct sw_actor one = {0}, other = {0};
    struct sw_err err = {0};
    bool is_same = sw_bytes_is_equal(image, saved);

    if (is_same)
        return true;
    if (sw_actor_load(&one, saved, &err) == SW_OK && sw_actor_load(&other, image, &err) == SW_OK) {
        for (uint32_t i = 0; i < one.handles_count && i < other.handles_count; i++)
            if (one.handles[i].origin.kind == SW_ORIGIN_CLIENT &&
                other.handles[i].origin.kind == SW_ORIGIN_CLIENT)
                one.handles[i].origin = other.handles[i].origin;
        level_call(&one, &other);
        sw_buffer_reset(&rerun->saved);
        sw_actor_save(&one, &rerun->saved);
        is_same = sw_bytes_is_equal(image, (struct sw_bytes){rerun->saved.data, rerun->saved.size});
    }
    sw_actor_done(&one);
    sw_actor_done(&other);
    return is_same;
}

/* Load an image into a new guest, and save that: what packed the image may have been another
 * version of the library, and this one packs all alike. */
static enum sw_rc save_anew(struct sw_worker *worker, struct sw_instance *instance,
                            struct sw_bytes image, struct sw_buffer *out, struct sw_err *err)
{
    const struct sw_guest_engine *engine = &worker->engine;
    const struct sw_program *program = sw_program_find(worker, instance->spec->program);
    enum sw_rc rc;

    sw_instance_sleep(worker, instance);
    rc = engine->create(engine->ctx, program->module, instance->memory_bytes, &worker->turn,
                        &instance->guest, err);
    if (rc == SW_OK)
        rc = engine->load(engine->ctx, instance->guest, image, err);
    return rc == SW_OK ? engine->save(engine->ctx, instance->guest, out, err) : rc;
}

/* Whether its memory is what its record holds. Its guest may be another one afterwards. */
static enum sw_rc check_memory(struct rerun *rerun, struct sw_worker *worker,
                               struct sw_instance *instance, struct sw_bytes image,
                               struct sw_err *err)
{
    struct sw_buffer *saved = &rerun->saved, anew;
    enum sw_rc rc;

    sw_buffer_reset(saved);
    rc = worker->engine.save(worker->engine.ctx, instance->guest, saved, err);
    if (rc != SW_OK || sw_bytes_is_equal((struct sw_bytes){saved->data, saved->size}, image))
        return rc;
    sw_buffer_init(&anew, SIZE_MAX / 2);
    rc = save_anew(worker, instance, image, &anew, err);
    if (rc == SW_OK && !sw_bytes_is_equal((struct sw_bytes){saved->data, saved->size},
                                          (struct sw_bytes){anew.data, anew.size}))
        rc = SW_E_PRECONDITION;
    sw_buffer_done(&anew);
    return rc;
}

/* What an instance has come to must be what its record holds. */
static enum sw_rc check_image(struct rerun *rerun, struct sw_worker *worker,
                              struct sw_instance *instance, const struct sw_record_segment *segment,
                              struct sw_err *err)
{
    struct sw_buffer *saved = &rerun->saved;
    enum sw_rc rc;

    sw_buffer_reset(saved);
    sw_actor_save(&instance->actor, saved);
    rc = sw_buffer_check(saved);
    if (rc != SW_OK)
        return sw_err_set(err, rc, "no memory for an actor");
    if (!is_saved(rerun, segment->actor))
        return sw_err_set(err, SW_E_PRECONDITION,
                          "its timers, handles and marks in an image are not those of its records");
    rc = check_memory(rerun, worker, instance, segment->image, err);
    if (rc == SW_E_PRECONDITION || (rc == SW_OK && instance->random.next != segment->random_next))
        rc = sw_err_set(err, SW_E_PRECONDITION,
                        "its memory in an image is not what its records come to");
    rerun->report->images += rc == SW_OK;
    return rc;
}

/* Run what the journal has of an instance, up to where it was read: the record segment, or its end
 * (NULL). */
static enum sw_rc live(void *ctx, struct sw_worker *worker, struct sw_instance *instance,
                       const struct sw_record_segment *segment, struct sw_err *err)
{
    bool is_image = segment != NULL && segment->entry == SW_ENTRY_IMAGE;
    struct rerun *rerun = ctx;
    uint64_t before = worker->counts.replayed;
    struct sw_err own = {0};
    enum sw_rc rc = rebuild(rerun, worker, instance, &own);

    if (rc == SW_E_NOT_FOUND && !rerun->recovery->is_point_passed)
        rc = SW_E_UNSUPPORTED; /* The snapshot stands for it; its module need not be kept. */
    rerun->report->segments += worker->counts.replayed - before;
    rerun->report->instances += rc == SW_OK && !is_image;
    if (rc == SW_OK && is_image)
        rc = check_image(rerun, worker, instance, segment, &own);
    sw_instance_sleep(worker, instance);
    return judge(rerun, instance, rc, &own, err);
}

/* --- The snapshot ---------------------------------------------------------------------------- */

static struct sw_instance *find(const struct rerun *rerun, uint64_t pod, uint64_t id,
                                struct sw_worker **ret_worker)
{
    *ret_worker = rerun->options->workers[pod % rerun->options->count];
    return sw_idmap_find((*ret_worker)->instances, id);
}

static bool is_same_usage(const struct sw_usage *one, const struct sw_usage *other)
{
    return memcmp(one, other, sizeof *one) == 0;
}

/* What an Agent or a namespace used must be the sum over the records. */
static void check_account(struct rerun *rerun, const struct sw_record_usage *saved)
{
    struct sw_accounts *accounts = &rerun->options->shared->accounts;
    struct sw_rerun_trouble trouble = {
        .name_space = saved->name_space,
        .agent = saved->agent,
        .words = "what it used in the snapshot is not what the records say"};
    struct sw_usage used = {0}; /* Without a record nothing was used. */

    for (uint32_t i = 0; i < rerun->options->count; i++)
        sw_meter_settle_records(rerun->options->workers[i]);
    (void)sw_accounts_find(accounts, saved, &used);
    if (is_same_usage(&used, &saved->used))
        return;
    rerun->report->troubles++;
    rerun->options->tell(rerun->options->ctx, &trouble);
}

/* What the snapshot has of an instance besides its memory must be what the journal came to. It
 * stands there at `at`. */
static enum sw_rc visit_instance(struct rerun *rerun, const struct sw_snapshot_instance *saved,
                                 uint64_t at, uint32_t generation, struct sw_err *err)
{
    struct sw_instance *instance;
    struct sw_worker *worker;

    instance = find(rerun, saved->pod, saved->id, &worker);
    if (instance == NULL)
        return sw_err_set(err, SW_E_CORRUPT,
                          "the snapshot holds an instance that the journal does not");
    instance->stored_at[0] = at;
    instance->stored_generation[0] = generation;
    sw_buffer_reset(&rerun->saved);
    sw_actor_save(&instance->actor, &rerun->saved);
    if (rerun->saved.failed)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for an actor");
    if (saved->last_lsn != instance->actor.last_lsn ||
        saved->state_lsn != instance->actor.state_lsn || !is_saved(rerun, saved->actor))
        tell(rerun, instance,
             "its timers, handles and marks in the snapshot are not those of its records");
    if (saved->pages != instance->pages || !is_same_usage(&saved->used, sw_instance_used(instance)))
        tell(rerun, instance, "what it used in the snapshot is not what its records say");
    return SW_OK;
}

static enum sw_rc visit_block(void *ctx, const struct sw_snapshot_block *block, struct sw_err *err)
{
    if (block->kind == SW_SNAPSHOT_USAGE)
        check_account(ctx, &block->usage);
    return block->kind == SW_SNAPSHOT_INSTANCE
               ? visit_instance(ctx, &block->instance, block->at, SW_SNAPSHOT_RECOVERED, err)
               : SW_OK;
}

static enum sw_rc visit_sleeper(void *ctx, const struct sw_snapshot_block *block,
                                struct sw_err *err)
{
    return visit_instance(ctx, &block->instance, block->at, SW_STORED_ON_SHELF, err);
}

/* Those that slept as well. */
static enum sw_rc visit(void *ctx, const struct sw_snapshot_block *block, struct sw_err *err)
{
    struct rerun *rerun = ctx;
    struct sw_shelf_visitor visitor = {
        .shelf = rerun->options->shared->shelf, .visit = visit_sleeper, .ctx = rerun};
    enum sw_rc rc;

    if (block->kind != SW_SNAPSHOT_SHELF && block->kind != SW_SNAPSHOT_PLACES)
        return visit_block(ctx, block, err);
    rc = sw_shelf_visit(&visitor, block, err);
    sw_buffer_done(&visitor.block);
    return rc;
}

static enum sw_rc save(struct sw_worker *worker, struct sw_instance *instance,
                       struct sw_buffer *out, struct sw_err *err)
{
    enum sw_rc rc;

    sw_buffer_reset(out);
    rc = worker->engine.save(worker->engine.ctx, instance->guest, out, err);
    sw_buffer_put_u64(out, instance->random.next);
    sw_instance_sleep(worker, instance);
    return rc == SW_OK ? sw_buffer_check(out) : rc;
}

/* Make it from the snapshot, and compare that with rerun->saved. */
static enum sw_rc compare(struct rerun *rerun, struct sw_worker *worker,
                          struct sw_instance *instance, struct sw_err *err)
{
    uint64_t before = worker->counts.replayed;
    struct sw_buffer stored;
    enum sw_rc rc = rebuild(rerun, worker, instance, err);

    rerun->again += worker->counts.replayed - before;
    if (rc != SW_OK)
        return rc;
    sw_buffer_init(&stored, SIZE_MAX / 2);
    rc = save(worker, instance, &stored, err);
    if (rc == SW_OK && !sw_bytes_is_equal((struct sw_bytes){stored.data, stored.size},
                                          (struct sw_bytes){rerun->saved.data, rerun->saved.size}))
        rc = sw_err_set(err, SW_E_PRECONDITION,
                        "its memory in the snapshot is not what its records come to");
    sw_buffer_done(&stored);
    rerun->report->compared += rc == SW_OK;
    return rc;
}

/* Run one from its first record to the snapshot, and compare the two. */
static enum sw_rc reach(struct rerun *rerun, struct sw_worker *worker, struct sw_instance *instance,
                        struct sw_err *err)
{
    uint64_t before = worker->counts.replayed, at = instance->stored_at[0];
    enum sw_rc rc;

    if (at == 0 && instance->pod->config.is_durable) {
        tell(rerun, instance, "the snapshot does not hold it");
        return SW_OK;
    }
    instance->stored_at[0] = 0;
    rc = rebuild(rerun, worker, instance, err);
    instance->stored_at[0] = at;
    rerun->report->segments += worker->counts.replayed - before;
    if (rc == SW_OK)
        rc = save(worker, instance, &rerun->saved, err);
    return rc == SW_OK ? compare(rerun, worker, instance, err) : rc;
}

static enum sw_rc point(void *ctx, struct sw_err *err)
{
    struct rerun *rerun = ctx;
    enum sw_rc rc = SW_OK;

    for (uint32_t i = 0; i < rerun->options->count; i++) {
        struct sw_worker *worker = rerun->options->workers[i];
        size_t cursor = 0;
        void *value;

        while (rc == SW_OK && sw_idmap_next(worker->instances, &cursor, NULL, &value)) {
            struct sw_err own = {0};

            rc = reach(rerun, worker, value, &own);
            rc = judge(rerun, value, rc, &own, err);
        }
    }
    return rc;
}

/* --- All of it ------------------------------------------------------------------------------- */

static enum sw_rc live_all(struct rerun *rerun, struct sw_err *err)
{
    enum sw_rc rc = SW_OK;

    for (uint32_t i = 0; i < rerun->options->count; i++) {
        struct sw_worker *worker = rerun->options->workers[i];
        size_t cursor = 0;
        void *value;

        while (rc == SW_OK && sw_idmap_next(worker->instances, &cursor, NULL, &value))
            rc = live(rerun, worker, value, NULL, err);
    }
    return rc;
}

/* Without a difference each segment must have run once; what the snapshot that it began with holds
 * as records comes on top. */
static enum sw_rc check_count(const struct sw_rerun_report *report, struct sw_err *err)
{
    bool is_all = report->begin == SW_JOURNAL_BIRTH_LSN ? report->segments == report->recorded
                                                        : report->segments >= report->recorded;

    if (is_all || report->others > 0 || report->troubles > 0)
        return SW_OK;
    return sw_err_set(err, SW_E_INTERNAL, "of %" PRIu64 " segments %" PRIu64 " ran again",
                      report->recorded, report->segments);
}

enum sw_rc sw_rerun(const struct sw_rerun_options *options, struct sw_rerun_report *ret_report,
                    struct sw_err *err)
{
    struct rerun rerun = {.options = options, .report = ret_report};
    struct sw_recovery_watch watch = {.ctx = &rerun, .leave = live, .visit = visit, .point = point};
    struct sw_recovery_report recovered;
    struct recovery recovery = {.watch = &watch,
                                .shared = options->shared,
                                .workers = options->workers,
                                .count = options->count,
                                .report = &recovered,
                                .err = err,
                                .options = options->journal};
    enum sw_rc rc;

    rerun.recovery = &recovery;
    memset(ret_report, 0, sizeof *ret_report);
    sw_buffer_init(&rerun.saved, SIZE_MAX / 2);
    rc = sw_recovery_run(&recovery);
    ret_report->begin = recovery.begin == 0 ? SW_JOURNAL_BIRTH_LSN : recovery.begin;
    ret_report->recorded = recovery.recorded;
    if (rc == SW_OK)
        rc = live_all(&rerun, err);
    ret_report->segments -= rerun.again;
    if (rc == SW_OK)
        rc = check_count(ret_report, err);
    sw_buffer_done(&rerun.saved);
    return rc;
}

/* --- Packing --------------------------------------------------------------------------------- */

/* Carry what a worker sent to those whom it is for. False: there was nothing. */
static bool carry(const struct sw_rerun_options *options, struct sw_worker *from)
{
    bool has_carried = false;

    for (uint32_t target = 0; target < options->count; target++) {
        struct sw_item *item;

        while ((item = sw_worker_sent(from, target)) != NULL) {
            sw_worker_put(options->workers[target], item);
            has_carried = true;
        }
    }
    return has_carried;
}

/* What recovery queued is in mailboxes, and nothing runs. */
static void come_to_rest(const struct sw_rerun_options *options)
{
    bool goes_on = true;

    while (goes_on) {
        goes_on = false;
        for (uint32_t i = 0; i < options->count; i++) {
            (void)sw_worker_run(options->workers[i], 0);
            goes_on = carry(options, options->workers[i]) || goes_on;
        }
    }
}

/* The snapshot wakes whoever has its program. */
static enum sw_rc get_programs(struct rerun *rerun, struct sw_worker *worker, struct sw_err *err)
{
    size_t cursor = 0;
    void *value;
    enum sw_rc rc = SW_OK;

    while (rc == SW_OK && sw_idmap_next(worker->instances, &cursor, NULL, &value)) {
        struct sw_instance *instance = value;
        struct sw_err own = {0};

        if (!is_own(worker, instance)) {
            rerun->report->others++;
            continue;
        }
        rerun->report->instances++;
        rc = get_program(rerun, worker, instance, &own);
        rc = judge(rerun, instance, rc, &own, err);
    }
    return rc;
}

enum sw_rc sw_repack(const struct sw_rerun_options *options, struct sw_rerun_report *ret_report,
                     struct sw_err *err)
{
    struct rerun rerun = {.options = options, .report = ret_report};
    struct sw_snapshot_options snapshot = {.shared = options->shared,
                                           .workers = options->workers,
                                           .count = options->count,
                                           .is_forced = true};
    struct sw_recovery_report recovered;
    enum sw_rc rc = sw_recover(options->journal, options->shared, options->workers, options->count,
                               &recovered, err);

    memset(ret_report, 0, sizeof *ret_report);
    if (rc == SW_OK)
        come_to_rest(options);
    for (uint32_t i = 0; rc == SW_OK && i < options->count; i++)
        rc = get_programs(&rerun, options->workers[i], err);
    if (rc == SW_OK)
        rc = sw_journal_commit(options->shared->journal, err);
    if (rc == SW_OK)
        rc = sw_snapshot_take(&snapshot, err);
    for (uint32_t i = 0; i < options->count; i++)
        ret_report->segments += options->workers[i]->counts.replayed;
    return rc;
}
