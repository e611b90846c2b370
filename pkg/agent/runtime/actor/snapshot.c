#include "pkg/agent/runtime/actor/snapshot.h"

#include "pkg/agent/runtime/actor/capture.h"
#include "pkg/agent/runtime/actor/storage.h"
#include "pkg/agent/runtime/actor/hibernate.h"
#include "pkg/utils/base/hash.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WRITE_BYTES ((size_t)1 << 20)
#define RECOVERED_WAIT_NS 2000000000u /* After a start those who ask come first, */
#define RECOVERED_TAILS 4u            /* but not with a tail so many times as long as one is due. */
/* One that a namespace asks for waits for so long, and for so many times what the last one took. */
#define WANTED_WAIT_NS 1000000000u
#define WANTED_PAUSE 10u
#define BACKOFF_FIRST_NS 1000000000u
#define BACKOFF_MAX_NS 60000000000u
#define SLEEP_PART 4096u /* Instances are put to sleep before what they left is written. */
#define STOP_SWEEP_BYTES ((uint64_t)256 << 10)

/* --- The ground ------------------------------------------------------------------------------ */

struct sw_ground *sw_ground_get(struct sw_shared *shared)
{
    struct sw_snapshots *snapshots = shared->snapshots;
    struct sw_ground *ground;

    pthread_mutex_lock(&snapshots->mutex);
    ground = snapshots->ground;
    atomic_fetch_add(&ground->refs, 1);
    pthread_mutex_unlock(&snapshots->mutex);
    return ground;
}

void sw_ground_put(struct sw_ground *ground)
{
    if (ground == NULL || atomic_fetch_sub(&ground->refs, 1) != 1)
        return;
    sw_snapshot_close(ground->file);
    free(ground);
}

/* A ground with the one reference that its place in `snapshots` is.  NULL: no memory. */
static struct sw_ground *ground_new(uint64_t lsn, uint64_t bytes, uint32_t generation,
                                    struct sw_snapshot *file)
{
    struct sw_ground *ground = malloc(sizeof *ground);

    if (ground == NULL)
        return NULL;
    *ground =
        (struct sw_ground){.generation = generation, .lsn = lsn, .bytes = bytes, .file = file};
    atomic_init(&ground->refs, 1);
    return ground;
}

/* Put another one in its place, and return the one before. */
static struct sw_ground *ground_change(struct sw_snapshots *snapshots, struct sw_ground *ground)
{
    struct sw_ground *old;

    pthread_mutex_lock(&snapshots->mutex);
    old = snapshots->ground;
    snapshots->ground = ground;
    pthread_mutex_unlock(&snapshots->mutex);
    atomic_store(&snapshots->ground_lsn, ground->lsn);
    atomic_store(&snapshots->ground_bytes, ground->bytes);
    atomic_store(&snapshots->ground_generation, ground->generation);
    return old;
}

/* --- Life ------------------------------------------------------------------------------------ */

struct sw_snapshots *sw_snapshots_new(void)
{
    struct sw_snapshots *snapshots = calloc(1, sizeof *snapshots);

    if (snapshots == NULL)
        return NULL;
    snapshots->ground = ground_new(0, 0, 0, NULL);
    snapshots->keeper = sw_keeper_new();
    if (snapshots->ground == NULL || snapshots->keeper == NULL) {
        sw_ground_put(snapshots->ground);
        sw_keeper_free(snapshots->keeper);
        free(snapshots);
        return NULL;
    }
    snapshots->bytes_min = SW_SNAPSHOT_BYTES_MIN;
    snapshots->waiting_max = SW_SNAPSHOT_WAITING_MAX;
    snapshots->sweep_bytes = SW_SNAPSHOT_SWEEP_BYTES;
    snapshots->file = -1;
    pthread_mutex_init(&snapshots->mutex, NULL);
    sw_buffer_init(&snapshots->out, SIZE_MAX / 2);
    return snapshots;
}

static void free_blocks(struct sw_snapshots *snapshots)
{
    struct sw_capture_block *block;

    pthread_mutex_lock(&snapshots->mutex);
    block = snapshots->first;
    snapshots->first = snapshots->last = NULL;
    pthread_mutex_unlock(&snapshots->mutex);
    while (block != NULL) {
        struct sw_capture_block *next = block->next;

        atomic_fetch_sub(&snapshots->waiting_bytes, block->size);
        free(block);
        block = next;
    }
}

void sw_snapshots_free(struct sw_snapshots *snapshots)
{
    if (snapshots == NULL)
        return;
    free_blocks(snapshots);
    if (snapshots->file >= 0)
        snapshots->system->file_close(snapshots->system->ctx, snapshots->file);
    sw_ground_put(snapshots->old);
    sw_ground_put(snapshots->ground);
    sw_keeper_free(snapshots->keeper);
    sw_buffer_done(&snapshots->out);
    pthread_mutex_destroy(&snapshots->mutex);
    free(snapshots);
}

void sw_snapshots_set_folder(struct sw_shared *shared, const char *folder)
{
    struct sw_snapshots *snapshots = shared->snapshots;

    snapshots->system = shared->system;
    snprintf(snapshots->folder, sizeof snapshots->folder, "%s", folder);
}

enum sw_rc sw_snapshots_set_ground(struct sw_shared *shared,
                                   const struct sw_record_snapshot *record,
                                   struct sw_snapshot *file)
{
    struct sw_snapshots *snapshots = shared->snapshots;
    struct sw_ground *ground = ground_new(record->lsn, record->bytes, SW_SNAPSHOT_RECOVERED, file);

    if (ground == NULL) {
        sw_snapshot_close(file);
        return SW_E_EXHAUSTED;
    }
    snapshots->generation = SW_SNAPSHOT_RECOVERED;
    snapshots->point = record->lsn;
    sw_ground_put(ground_change(snapshots, ground));
    return SW_OK;
}

void sw_snapshot_limit(struct sw_shared *shared, const struct sw_snapshot_limits *limits)
{
    struct sw_snapshots *snapshots = shared->snapshots;

    snapshots->bytes_min = limits->bytes_min == 0 ? SW_SNAPSHOT_BYTES_MIN : limits->bytes_min;
    snapshots->waiting_max =
        limits->waiting_max == 0 ? SW_SNAPSHOT_WAITING_MAX : limits->waiting_max;
    snapshots->history_bytes = limits->history_bytes;
    snapshots->sweep_bytes =
        limits->sweep_bytes == 0 ? SW_SNAPSHOT_SWEEP_BYTES : limits->sweep_bytes;
}

/* Whether the journal has grown by so many times what a snapshot is due after. */
static bool has_grown(const struct sw_shared *shared, uint64_t times)
{
    const struct sw_snapshots *snapshots = shared->snapshots;
    uint64_t grown = sw_journal_end(shared->journal) - atomic_load(&snapshots->ground_lsn);

    return grown / times > snapshots->bytes_min &&
           grown / times > atomic_load(&snapshots->ground_bytes);
}

bool sw_snapshot_is_due(const struct sw_shared *shared)
{
    const struct sw_snapshots *snapshots = shared->snapshots;
    bool is_wanted = atomic_load_explicit(&snapshots->is_wanted, memory_order_relaxed);
    uint64_t not_before_ns = atomic_load(&snapshots->retry_ns);

    if (atomic_load(&snapshots->phase) != SW_SNAPSHOT_NONE || sw_journal_is_full(shared->journal))
        return false;
    if (!has_grown(shared, 1)) {
        if (!is_wanted)
            return false;
        if (atomic_load(&snapshots->wanted_ns) > not_before_ns)
            not_before_ns = atomic_load(&snapshots->wanted_ns);
    }
    return snapshots->system->monotonic_ns(snapshots->system->ctx) >= not_before_ns;
}

bool sw_snapshot_is_asked_for(const struct sw_shared *shared)
{
    return atomic_load_explicit(&shared->snapshots->is_wanted, memory_order_relaxed) &&
           sw_snapshot_is_due(shared);
}

enum sw_snapshot_phase sw_snapshot_phase(const struct sw_shared *shared)
{
    return (enum sw_snapshot_phase)atomic_load(&shared->snapshots->phase);
}

void sw_snapshot_view(const struct sw_shared *shared, struct sw_snapshot_view *ret_view)
{
    *ret_view = shared->snapshots->view;
}

/* --- The point ------------------------------------------------------------------------------- */

static enum sw_rc put_specs(struct sw_shared *shared)
{
    struct sw_map_entry entry;
    size_t cursor = 0;
    enum sw_rc rc = SW_OK;

    while (rc == SW_OK && sw_map_next(shared->specs.by_number, &cursor, &entry)) {
        const struct sw_spec *spec = entry.value;
        struct sw_snapshot_block block = {.kind = SW_SNAPSHOT_SPEC,
                                          .spec = sw_spec_record(spec).spec};

        if (spec->is_recorded)
            rc = sw_capture_put(shared->snapshots, &block, NULL);
    }
    return rc;
}

static int compare_pods(const void *one, const void *other)
{
    uint64_t a = (*(const struct sw_pod *const *)one)->config.pod;
    uint64_t b = (*(const struct sw_pod *const *)other)->config.pod;

    return a < b ? -1 : a > b;
}

/* In the order of their numbers, since of two that claim a slot the newer one has it. */
static enum sw_rc put_pods(struct sw_shared *shared, struct sw_worker **workers, uint32_t count)
{
    size_t total = 0, at = 0;
    const struct sw_pod **list;
    enum sw_rc rc = SW_OK;

    for (uint32_t i = 0; i < count; i++)
        total += sw_map_count(workers[i]->pods);
    list = malloc((total + 1) * sizeof *list);
    if (list == NULL)
        return SW_E_EXHAUSTED;
    for (uint32_t i = 0; i < count; i++) {
        struct sw_map_entry entry;
        size_t cursor = 0;

        while (sw_map_next(workers[i]->pods, &cursor, &entry)) {
            const struct sw_pod *pod = entry.value;

            if (pod->spec != NULL)
                sw_spec_use(pod->spec, shared->snapshots->generation + 1);
            if (pod->config.is_durable)
                list[at++] = pod;
        }
    }
    if (at > 1)
        qsort(list, at, sizeof *list, compare_pods);
    for (size_t i = 0; rc == SW_OK && i < at; i++) {
        struct sw_snapshot_block block = {
            .kind = SW_SNAPSHOT_POD, .pod = sw_pod_record(&list[i]->config, list[i]->spec->number)};

        rc = sw_capture_put(shared->snapshots, &block, NULL);
    }
    free(list);
    return rc;
}

/* All workers know the same of them. */
static enum sw_rc put_gone(struct sw_shared *shared, struct sw_worker **workers)
{
    struct sw_snapshot_block block = {.kind = SW_SNAPSHOT_GONE};
    struct sw_snapshot_gone *gone = &block.gone;
    size_t cursor = 0;
    enum sw_rc rc = SW_OK;

    while (rc == SW_OK && sw_routes_next_gone(workers[0]->routes, &cursor, &gone->pod,
                                              &gone->name_space, &gone->agent))
        rc = sw_capture_put(shared->snapshots, &block, NULL);
    return rc;
}

static enum sw_rc put_published(struct sw_shared *shared)
{
    struct sw_snapshot_block block = {.kind = SW_SNAPSHOT_PUBLISHED};
    struct sw_buffer bytes;
    enum sw_rc rc;

    if (shared->bus.published == NULL)
        return SW_OK;
    sw_buffer_init(&bytes, SW_SNAPSHOT_BLOCK_MAX);
    sw_requests_save(shared->bus.published, &bytes);
    block.published = (struct sw_bytes){bytes.data, bytes.size};
    rc = sw_buffer_check(&bytes);
    if (rc == SW_OK)
        rc = sw_capture_put(shared->snapshots, &block, NULL);
    sw_buffer_done(&bytes);
    return rc;
}

static enum sw_rc put_numbers(struct sw_shared *shared, struct sw_worker **workers, uint32_t count)
{
    struct sw_snapshot_block block = {
        .kind = SW_SNAPSHOT_NUMBERS,
        .numbers = {.next_pod = atomic_load(&shared->next_pod),
                    .next_instance = atomic_load(&shared->next_instance)}};

    for (uint32_t i = 0; i < count; i++)
        if (workers[i]->now_ns > block.numbers.time_ns)
            block.numbers.time_ns = workers[i]->now_ns;
    return sw_capture_put(shared->snapshots, &block, NULL);
}

/* The files on which instances sleep at the point. */
static enum sw_rc put_shelf(struct sw_shared *shared)
{
    struct sw_shelf_file file;
    uint32_t cursor = 0;
    enum sw_rc rc = SW_OK;

    sw_shelf_begin(shared->shelf);
    while (rc == SW_OK && sw_shelf_next(shared->shelf, &cursor, &file)) {
        struct sw_snapshot_block block = {.kind = SW_SNAPSHOT_SHELF,
                                          .shelf = {file.number, file.bytes, file.blocks}};

        if (file.live > 0)
            rc = sw_capture_put(shared->snapshots, &block, NULL);
    }
    return rc;
}

static void use_specs_of(struct sw_shared *shared, const struct sw_asleep *asleep)
{
    for (uint32_t at = 0; at < asleep->specs_count; at++)
        if (asleep->specs[at].count > 0)
            sw_spec_use(sw_specs_find(&shared->specs, asleep->specs[at].number),
                        shared->snapshots->generation);
}

/* Whoever sleeps has its spec still. */
static void use_specs_asleep(struct sw_shared *shared, struct sw_worker **workers, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        SW_LIST_EACH(&workers[i]->rest.asleep, node)
        {
            use_specs_of(shared, SW_LIST_ITEM(node, struct sw_asleep, capture));
        }
}

enum sw_rc sw_snapshot_begin(struct sw_shared *shared, struct sw_worker **workers, uint32_t count,
                             struct sw_err *err)
{
    struct sw_snapshots *snapshots = shared->snapshots;
    enum sw_rc rc;

    if (atomic_load(&snapshots->phase) != SW_SNAPSHOT_NONE)
        return sw_err_set(err, SW_E_PRECONDITION, "a snapshot is being taken");
    free_blocks(snapshots);
    snapshots->end = SW_SNAPSHOT_HEAD_BYTES;
    snapshots->instances = 0;
    snapshots->began_ns = snapshots->system->monotonic_ns(snapshots->system->ctx);
    rc = put_specs(shared);
    if (rc == SW_OK)
        rc = put_shelf(shared);
    if (rc == SW_OK)
        rc = put_pods(shared, workers, count);
    if (rc == SW_OK)
        rc = put_gone(shared, workers);
    if (rc == SW_OK)
        rc = put_published(shared);
    for (uint32_t i = 0; i < count; i++)
        sw_meter_settle_records(workers[i]);
    if (rc == SW_OK)
        rc = sw_keeper_note(shared, workers, count, false);
    if (rc == SW_OK)
        rc = sw_accounts_put(&shared->accounts, snapshots);
    if (rc == SW_OK)
        rc = put_numbers(shared, workers, count);
    if (rc != SW_OK) {
        free_blocks(snapshots);
        return sw_err_set(err, rc, "no memory for a snapshot");
    }
    snapshots->generation++;
    snapshots->point = sw_journal_end(shared->journal);
    sw_storage_point(&shared->accounts);
    atomic_store(&snapshots->is_wanted, false);
    use_specs_asleep(shared, workers, count);
    atomic_store(&snapshots->workers_left, count);
    for (uint32_t i = 0; i < count; i++)
        sw_capture_begin(workers[i]);
    atomic_store(&snapshots->phase, SW_SNAPSHOT_TAKING);
    return SW_OK;
}

/* --- Writing --------------------------------------------------------------------------------- */

static void path_of(const struct sw_snapshots *snapshots, char ret_path[SW_PATH_MAX])
{
    char name[SW_SNAPSHOT_NAME_MAX];

    sw_snapshot_name(snapshots->point, name);
    snprintf(ret_path, SW_PATH_MAX, "%s/%s", snapshots->folder, name);
}

static enum sw_rc flush(struct sw_snapshots *snapshots, struct sw_err *err)
{
    const struct sw_system *system = snapshots->system;
    struct sw_buffer *out = &snapshots->out;
    enum sw_rc rc;

    if (out->failed)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a snapshot");
    if (out->size == 0)
        return SW_OK;
    rc = system->file_write(system->ctx, snapshots->file, snapshots->written, out->data, out->size,
                            err);
    snapshots->check = sw_crc32c(snapshots->check, out->data, out->size);
    snapshots->written += out->size;
    sw_buffer_reset(out);
    return rc;
}

static enum sw_rc create(struct sw_shared *shared, struct sw_err *err)
{
    struct sw_snapshots *snapshots = shared->snapshots;
    const struct sw_system *system = snapshots->system;
    char path[SW_PATH_MAX];

    if (snapshots->file >= 0)
        return SW_OK;
    path_of(snapshots, path);
    snapshots->written = 0;
    snapshots->check = 0;
    sw_buffer_reset(&snapshots->out);
    sw_snapshot_head_put(sw_journal_uuid(shared->journal), snapshots->point, &snapshots->out);
    return system->file_open(system->ctx, path,
                             SW_FILE_READ | SW_FILE_WRITE | SW_FILE_CREATE | SW_FILE_TRUNCATE,
                             &snapshots->file, err);
}

/* The oldest block that waits; NULL: none. */
static struct sw_capture_block *take_block(struct sw_snapshots *snapshots)
{
    struct sw_capture_block *block;

    pthread_mutex_lock(&snapshots->mutex);
    block = snapshots->first;
    if (block != NULL)
        snapshots->first = block->next;
    pthread_mutex_unlock(&snapshots->mutex);
    return block;
}

static enum sw_rc write_blocks(struct sw_snapshots *snapshots, struct sw_err *err)
{
    struct sw_capture_block *block;
    enum sw_rc rc = SW_OK;

    while (rc == SW_OK && (block = take_block(snapshots)) != NULL) {
        sw_buffer_put(&snapshots->out, block->bytes, block->size);
        atomic_fetch_sub(&snapshots->waiting_bytes, block->size);
        free(block);
        if (snapshots->out.size >= WRITE_BYTES)
            rc = flush(snapshots, err);
    }
    return rc;
}

/* All is written: make it durable and name it in the journal. */
static enum sw_rc finish(struct sw_shared *shared, struct sw_err *err)
{
    struct sw_snapshots *snapshots = shared->snapshots;
    const struct sw_system *system = snapshots->system;
    struct sw_snapshot_block end = {.kind = SW_SNAPSHOT_END};
    char name[SW_SNAPSHOT_NAME_MAX];
    struct sw_record record = {.kind = SW_RECORD_SNAPSHOT};
    struct sw_journal_place place;
    struct sw_buffer bytes;
    size_t record_bytes;
    enum sw_rc rc;

    sw_snapshot_block_put(&end, &snapshots->out);
    rc = sw_shelf_sync(shared->shelf, err);
    if (rc == SW_OK)
        rc = flush(snapshots, err);
    if (rc == SW_OK)
        rc = system->file_sync(system->ctx, snapshots->file, err);
    if (rc == SW_OK)
        rc = system->folder_sync(system->ctx, snapshots->folder, err);
    if (rc != SW_OK)
        return rc;
    sw_snapshot_name(snapshots->point, name);
    record.snapshot = (struct sw_record_snapshot){.lsn = snapshots->point,
                                                  .file = {name, strlen(name)},
                                                  .bytes = snapshots->written,
                                                  .check = snapshots->check};
    sw_buffer_init(&bytes, SW_JOURNAL_RECORD_MAX);
    sw_record_put(&record, &bytes, NULL);
    rc = sw_buffer_check(&bytes);
    if (rc == SW_OK)
        rc = sw_journal_append(shared->journal, (struct sw_bytes){bytes.data, bytes.size}, &place,
                               err);
    record_bytes = bytes.size;
    sw_buffer_done(&bytes);
    if (rc != SW_OK)
        return rc;
    atomic_store(&snapshots->named_epoch, place.epoch);
    atomic_store(&snapshots->idle_lsn, place.lsn + SW_JOURNAL_RECORD_HEAD_BYTES + record_bytes);
    atomic_store(&snapshots->phase, SW_SNAPSHOT_NAMED);
    return SW_OK;
}

/* Workers hand over their last block before they say that they are through. */
static enum sw_rc write_some(struct sw_shared *shared, struct sw_err *err)
{
    struct sw_snapshots *snapshots = shared->snapshots;
    bool is_all = atomic_load(&snapshots->workers_left) == 0;
    enum sw_rc rc = create(shared, err);

    if (rc == SW_OK)
        rc = write_blocks(snapshots, err);
    return rc == SW_OK && is_all ? finish(shared, err) : rc;
}

void sw_snapshot_abandon(struct sw_shared *shared)
{
    struct sw_snapshots *snapshots = shared->snapshots;
    const struct sw_system *system = snapshots->system;
    int phase = atomic_load(&snapshots->phase);
    uint64_t wait_ns = BACKOFF_FIRST_NS;
    char path[SW_PATH_MAX];

    if (phase != SW_SNAPSHOT_TAKING && phase != SW_SNAPSHOT_ABANDONED)
        return;
    atomic_store(&snapshots->phase, SW_SNAPSHOT_ABANDONED); /* Nobody hands anything over now, */
    free_blocks(snapshots); /* but for who is in the middle of it: begin forgets that. */
    if (snapshots->file >= 0) {
        path_of(snapshots, path);
        system->file_close(system->ctx, snapshots->file);
        snapshots->file = -1;
        (void)system->path_remove(system->ctx, path, NULL); /* Recovery removes it, too. */
    }
    for (uint32_t i = 0; i < snapshots->failures && wait_ns < BACKOFF_MAX_NS; i++)
        wait_ns *= 2;
    snapshots->failures++;
    snapshots->view.failed++;
    atomic_store(&snapshots->retry_ns, system->monotonic_ns(system->ctx) + wait_ns);
    atomic_store(&snapshots->phase, SW_SNAPSHOT_NONE);
}

/* --- Counting -------------------------------------------------------------------------------- */

/* The record is durable: instances are rebuilt from the new file now. */
static enum sw_rc make_it_count(struct sw_shared *shared, struct sw_err *err)
{
    struct sw_snapshots *snapshots = shared->snapshots;
    struct sw_snapshot *file =
        sw_snapshot_adopt(snapshots->system, snapshots->file, snapshots->written);
    struct sw_ground *ground = file == NULL ? NULL
                                            : ground_new(snapshots->point, snapshots->written,
                                                         snapshots->generation, file);

    if (ground == NULL) {
        free(file);
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a snapshot"); /* Again, later. */
    }
    snapshots->file = -1;
    snapshots->is_kept = !sw_keeper_is_wanted(snapshots->keeper);
    sw_keeper_await(snapshots->keeper, !snapshots->is_kept);
    snapshots->old = ground_change(snapshots, ground);
    snapshots->failures = 0;
    snapshots->view.lsn = ground->lsn;
    snapshots->view.bytes = ground->bytes;
    snapshots->view.instances = snapshots->instances;
    snapshots->view.took_ns =
        snapshots->system->monotonic_ns(snapshots->system->ctx) - snapshots->began_ns;
    snapshots->view.taken++;
    atomic_store(&snapshots->wanted_ns, snapshots->began_ns + WANTED_WAIT_NS +
                                            (1 + WANTED_PAUSE) * snapshots->view.took_ns);
    sw_storage_reclaim(&shared->accounts);
    atomic_store(&snapshots->phase, SW_SNAPSHOT_COUNTS);
    return SW_OK;
}

struct removal {
    const struct sw_snapshots *snapshots;
    char keep[SW_SNAPSHOT_NAME_MAX]; /* "": none. */
    enum sw_rc rc;
    struct sw_err *err;
};

static bool remove_other(void *ctx, const char *name)
{
    struct removal *removal = ctx;
    const struct sw_system *system = removal->snapshots->system;
    char path[SW_PATH_MAX], snapshot[SW_SNAPSHOT_NAME_MAX];
    unsigned long long lsn;
    enum sw_rc rc;

    if (sscanf(name, "snapshot-%16llx.snap", &lsn) != 1)
        return true;
    sw_snapshot_name(lsn, snapshot);
    if (strcmp(name, snapshot) != 0 || strcmp(name, removal->keep) == 0)
        return true;
    snprintf(path, sizeof path, "%s/%s", removal->snapshots->folder, snapshot);
    rc = system->path_remove(system->ctx, path, removal->err);
    if (rc != SW_OK && rc != SW_E_NOT_FOUND)
        removal->rc = rc;
    return true;
}

/* Everything before the ground's point is needless, but for history that is to be kept. */
static enum sw_rc remove_needless(struct sw_shared *shared, struct sw_err *err)
{
    struct sw_snapshots *snapshots = shared->snapshots;
    const struct sw_ground *ground = snapshots->ground;
    struct removal removal = {.snapshots = snapshots, .err = err};
    enum sw_rc rc = SW_OK, listed;

    if (ground->file != NULL) {
        sw_snapshot_name(ground->lsn, removal.keep);
        if (sw_journal_end(shared->journal) - sw_journal_begin(shared->journal) >
            snapshots->history_bytes)
            rc = sw_journal_remove_before(shared->journal, ground->lsn, err);
    }
    listed = snapshots->system->folder_list(snapshots->system->ctx, snapshots->folder, remove_other,
                                            &removal, err);
    if (rc == SW_OK)
        rc = listed;
    return rc == SW_OK ? removal.rc : rc;
}

/* If what was before the ground is all there still, have it be kept first. True: it is to be. */
static bool recover_old(struct sw_shared *shared, const struct sw_record_snapshot *before)
{
    struct sw_snapshots *snapshots = shared->snapshots;
    uint64_t begin = sw_journal_begin(shared->journal);
    char path[SW_PATH_MAX], name[SW_SNAPSHOT_NAME_MAX];
    struct sw_snapshot *file = NULL;
    struct sw_snapshot_report report;
    struct sw_err err = {0};

    if (snapshots->ground->file == NULL || !sw_keeper_is_wanted(snapshots->keeper) ||
        begin > (before == NULL ? SW_JOURNAL_BIRTH_LSN : before->lsn))
        return false;
    if (before != NULL) {
        sw_snapshot_name(before->lsn, name);
        snprintf(path, sizeof path, "%s/%s", snapshots->folder, name);
        if (sw_snapshot_open_path(shared->system, path, &file, &report, &err) != SW_OK)
            return false; /* It was kept, and has gone. */
    }
    snapshots->old = ground_new(before == NULL ? 0 : before->lsn, 0, 0, file);
    if (snapshots->old == NULL)
        sw_snapshot_close(file);
    return snapshots->old != NULL;
}

enum sw_rc sw_snapshots_clean(struct sw_shared *shared, const struct sw_recovered *recovered,
                              struct sw_err *err)
{
    struct sw_snapshots *snapshots = shared->snapshots;
    enum sw_rc rc = sw_keeper_begin(shared, snapshots->folder, err);

    if (rc == SW_OK)
        rc = sw_keeper_note(shared, recovered->workers, recovered->count, true);
    if (rc != SW_OK)
        return rc;

    /* Hosts that always end sooner than that would leave ever more to the next one. */
    if (sw_snapshot_is_due(shared) && !has_grown(shared, RECOVERED_TAILS))
        atomic_store(&snapshots->retry_ns,
                     snapshots->system->monotonic_ns(snapshots->system->ctx) + RECOVERED_WAIT_NS);
    if (recover_old(shared, recovered->before)) {
        snapshots->cleans_all = true;
        sw_keeper_await(snapshots->keeper, true);
        atomic_store(&snapshots->phase, SW_SNAPSHOT_COUNTS);
        return SW_OK;
    }
    rc = remove_needless(shared, err);
    return rc == SW_OK ? sw_shelf_clean(shared->shelf, true, err) : rc;
}

bool sw_snapshot_trim(struct sw_shared *shared)
{
    return sw_snapshot_phase(shared) != SW_SNAPSHOT_NONE ||
           sw_keeper_trim(shared, shared->snapshots->folder);
}

void sw_snapshot_ask(struct sw_shared *shared, bool (*goes_on)(void *ctx), void *ctx)
{
    sw_keeper_ask(shared->snapshots->keeper, goes_on, ctx);
}

bool sw_snapshot_trouble(struct sw_shared *shared, char ret_words[SW_SNAPSHOT_WORDS_MAX])
{
    return sw_keeper_trouble(shared->snapshots->keeper, ret_words);
}

/* What is to be removed is a history that some keep: it is durable as such before.
 * SW_E_CANCELLED: not now. */
static enum sw_rc keep_history(struct sw_shared *shared, struct sw_err *err)
{
    struct sw_snapshots *snapshots = shared->snapshots;
    const struct sw_keeper_span span = {.folder = snapshots->folder,
                                        .from = snapshots->old->lsn,
                                        .to = snapshots->ground->lsn,
                                        .before = snapshots->old->file};
    enum sw_rc rc = snapshots->is_kept ? SW_OK : sw_keeper_write(shared, &span, err);

    if (rc != SW_OK)
        return rc;
    snapshots->is_kept = true;
    sw_keeper_await(snapshots->keeper, false);
    return SW_OK;
}

/* Nothing is removed while somebody still rebuilds from what was before. */
static enum sw_rc reclaim(struct sw_shared *shared, struct sw_err *err)
{
    struct sw_snapshots *snapshots = shared->snapshots;
    struct sw_ground *old = snapshots->old;
    enum sw_rc rc;

    if (snapshots->is_stopping && !snapshots->is_kept)
        return SW_OK;
    rc = keep_history(shared, err);
    if (rc != SW_OK || atomic_load(&old->refs) > 1)
        return rc;
    pthread_mutex_lock(&snapshots->mutex); /* Others look at it in sw_snapshot_has_work. */
    snapshots->old = NULL;
    pthread_mutex_unlock(&snapshots->mutex);
    sw_ground_put(old);
    rc = remove_needless(shared, err);
    if (rc == SW_OK)
        rc = sw_shelf_clean(shared->shelf, snapshots->cleans_all, err);
    snapshots->cleans_all = false;
    (void)sw_keeper_trim(shared, snapshots->folder);
    atomic_store(&snapshots->phase, SW_SNAPSHOT_NONE);
    return rc;
}

/* Whether nobody rebuilds any more from what was before. */
static bool is_old_idle(struct sw_snapshots *snapshots)
{
    bool is_idle;

    if (snapshots->is_stopping && !snapshots->is_kept)
        return false;
    pthread_mutex_lock(&snapshots->mutex);
    is_idle = snapshots->old != NULL && atomic_load(&snapshots->old->refs) == 1;
    pthread_mutex_unlock(&snapshots->mutex);
    return is_idle;
}

bool sw_snapshot_has_work(const struct sw_shared *shared)
{
    struct sw_snapshots *snapshots = shared->snapshots;

    switch (sw_snapshot_phase(shared)) {
    case SW_SNAPSHOT_NONE:
        return false;
    case SW_SNAPSHOT_TAKING:
        return atomic_load(&snapshots->workers_left) == 0 ||
               atomic_load(&snapshots->waiting_bytes) >= WRITE_BYTES;
    case SW_SNAPSHOT_ABANDONED:
        return true;
    case SW_SNAPSHOT_NAMED:
        return sw_journal_durable(shared->journal) >= atomic_load(&snapshots->named_epoch);
    case SW_SNAPSHOT_COUNTS:
        return is_old_idle(snapshots);
    }
    return false;
}

enum sw_rc sw_snapshot_advance(struct sw_shared *shared, struct sw_err *err)
{
    struct sw_snapshots *snapshots = shared->snapshots;
    enum sw_rc rc = SW_OK;

    switch (sw_snapshot_phase(shared)) {
    case SW_SNAPSHOT_NONE:
        return SW_OK;
    case SW_SNAPSHOT_TAKING:
        rc = write_some(shared, err);
        if (rc == SW_OK)
            return SW_OK;
        sw_snapshot_abandon(shared);
        return rc;
    case SW_SNAPSHOT_ABANDONED:
        pthread_mutex_lock(&snapshots->mutex);
        rc = sw_err_set(err, snapshots->failure.rc, "%s", snapshots->failure.message);
        pthread_mutex_unlock(&snapshots->mutex);
        sw_snapshot_abandon(shared);
        return rc;
    case SW_SNAPSHOT_NAMED:
        if (sw_journal_durable(shared->journal) < atomic_load(&snapshots->named_epoch))
            return SW_OK;
        rc = make_it_count(shared, err);
        return rc == SW_OK ? reclaim(shared, err) : rc;
    case SW_SNAPSHOT_COUNTS:
        return reclaim(shared, err);
    }
    return SW_OK;
}

/* --- At a clean stop ------------------------------------------------------------------------- */

static bool is_late(const struct sw_snapshot_options *options, unsigned percent)
{
    return options->is_late != NULL && options->is_late(options->ctx, percent);
}

static bool has_time(void *ctx)
{
    return !is_late(ctx, 50);
}

/* What is named and not through yet goes on to its end; what is being taken is of no use now. */
static enum sw_rc end_running(struct sw_snapshot_options *options, struct sw_err *err)
{
    struct sw_shared *shared = options->shared;
    enum sw_rc rc = SW_OK;

    sw_keeper_ask(shared->snapshots->keeper, has_time, options);
    sw_snapshot_abandon(shared);
    while (rc == SW_OK && sw_snapshot_has_work(shared))
        rc = sw_snapshot_advance(shared, err);
    sw_keeper_ask(shared->snapshots->keeper, NULL, NULL);
    return rc;
}

static enum sw_rc sweep(const struct sw_snapshot_options *options, struct sw_err *err)
{
    struct sw_shared *shared = options->shared;
    enum sw_rc rc = SW_OK;

    for (uint32_t i = 0; rc == SW_OK && i < options->count; i++)
        while (rc == SW_OK && !options->workers[i]->is_swept &&
               sw_snapshot_phase(shared) == SW_SNAPSHOT_TAKING) {
            shared->snapshots->rebuilds = !is_late(options, 50);
            if (is_late(options, 0)) {
                sw_snapshot_abandon(shared);
                return sw_err_set(err, SW_E_TIMEOUT, "no time left for a snapshot");
            }
            (void)sw_capture_sweep(options->workers[i], STOP_SWEEP_BYTES);
            rc = sw_snapshot_advance(shared, err);
        }
    return rc;
}

/* Those that are awake and can sleep do: the next start then takes in where they are, and makes
 * none of them. */
static void put_to_sleep(const struct sw_snapshot_options *options)
{
    struct sw_shelf *shelf = options->shared->shelf;

    for (uint32_t i = 0; i < options->count; i++) {
        size_t left = sw_idmap_count(options->workers[i]->instances);

        while (left > 0 && !is_late(options, 40)) {
            size_t part = left < SLEEP_PART ? left : SLEEP_PART;

            sw_hibernate_next(options->workers[i], part);
            left -= part;
            if (sw_shelf_has_work(shelf) && sw_shelf_write(shelf, NULL) != SW_OK)
                return; /* They go into the snapshot, or it fails for that. */
        }
    }
}

enum sw_rc sw_snapshot_take(const struct sw_snapshot_options *options, struct sw_err *err)
{
    struct sw_shared *shared = options->shared;
    struct sw_snapshot_options own = *options;
    enum sw_rc rc = end_running(&own, err);

    assert(!sw_journal_is_dirty(shared->journal));
    if (rc == SW_OK && !options->is_forced &&
        sw_journal_end(shared->journal) == shared->snapshots->idle_lsn)
        return SW_OK;
    shared->snapshots->is_stopping = true; /* The history of it is for the next start. */
    if (rc == SW_OK)
        put_to_sleep(options);
    if (rc == SW_OK)
        rc = sw_snapshot_begin(shared, options->workers, options->count, err);
    if (rc == SW_OK)
        rc = sweep(options, err);
    shared->snapshots->rebuilds = false;
    if (rc == SW_OK && sw_snapshot_phase(shared) != SW_SNAPSHOT_NAMED)
        rc = sw_snapshot_advance(shared, err);
    if (rc == SW_OK)
        rc = sw_journal_commit(shared->journal, err);
    while (rc == SW_OK && sw_snapshot_has_work(shared))
        rc = sw_snapshot_advance(shared, err);
    shared->snapshots->is_stopping = false;
    return rc;
}
