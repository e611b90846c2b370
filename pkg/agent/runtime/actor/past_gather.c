#include "pkg/agent/runtime/actor/past_state.h"

#include "pkg/agent/runtime/actor/asleep.h"
#include "pkg/agent/runtime/actor/bodies.h"
#include "pkg/agent/runtime/actor/pod.h"
#include "pkg/agent/store/history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct past_pod *find_pod(const struct sw_past *past, uint64_t number)
{
    for (uint32_t i = 0; i < past->pods_count; i++)
        if (past->pods[i].number == number)
            return &past->pods[i];
    return NULL;
}

/* --- Gathering: specs and Pods --------------------------------------------------------------- */

/* It may stand in the snapshot and in the journal. */
static enum sw_rc take_spec(struct sw_past *past, const struct sw_record_spec *record)
{
    struct sw_specs *specs = &past->options.shared->specs;
    const struct sw_spec *spec = sw_specs_find(specs, record->number);
    enum sw_rc rc;

    if (spec != NULL)
        return sw_bytes_is_equal(spec->digest, record->digest) &&
                       sw_bytes_is_equal(spec->fingerprint, record->fingerprint)
                   ? SW_OK
                   : sw_err_set(past->err, SW_E_CORRUPT, "two specs have the number %" PRIu32,
                                record->number);
    rc = sw_specs_load(specs, record);
    return rc == SW_OK ? SW_OK : sw_err_set(past->err, rc, "a spec of the journal cannot be had");
}

static enum sw_rc take_pod(struct sw_past *past, const struct sw_record_pod *record)
{
    const struct sw_past_options *options = &past->options;
    struct sw_pod_config config = {.pod = record->pod,
                                   .uid = record->uid,
                                   .name_space = record->name_space,
                                   .agent = record->agent,
                                   .agent_uid = record->agent_uid,
                                   .is_keyed = record->is_keyed,
                                   .is_durable = true,
                                   .replicas = record->replicas,
                                   .body_bytes = record->body_bytes};
    struct sw_map *pods = options->worker->pods;

    if (!sw_bytes_is_equal(record->name_space, options->name_space) ||
        !sw_bytes_is_equal(record->agent, options->agent) ||
        !sw_bytes_is_equal(record->agent_uid, options->agent_uid) ||
        find_pod(past, record->pod) != NULL)
        return SW_OK;
    if (past->pods_count == PODS_MAX)
        return sw_err_set(past->err, SW_E_EXHAUSTED, "the Agent had more than %u Pods", PODS_MAX);
    if (past->pod == NULL) { /* One of them is as good as another. */
        past->pod = sw_pod_new(options->shared, &config);
        if (past->pod == NULL ||
            sw_map_put(pods, &config.pod, sizeof config.pod, past->pod, NULL) != SW_OK) {
            sw_pod_free(options->worker, past->pod);
            past->pod = NULL;
            return sw_past_no_memory(past->err);
        }
    }
    past->pods[past->pods_count].number = record->pod;
    memcpy(past->pods[past->pods_count].hash_key, past->pod->hash_key, sizeof past->pods->hash_key);
    past->pods_count++;
    return SW_OK;
}

/* Open the file of the snapshot as soon as it is named: the host may remove it at any time, and an
 * open file stays. NULL: it has gone already, or is another one. */
static struct sw_snapshot *hold_snapshot(const struct sw_past *past, const uint8_t *uuid)
{
    const struct sw_journal_options *journal = past->options.journal;
    char path[SW_PATH_MAX], name[SW_SNAPSHOT_NAME_MAX];
    struct sw_snapshot *snapshot = NULL;
    struct sw_snapshot_report report;
    struct sw_err none = {0};

    sw_snapshot_name(past->snapshot.lsn, name);
    if (snprintf(path, sizeof path, "%s/%s", journal->folder, name) >= (int)sizeof path ||
        sw_snapshot_open_path(journal->system, path, &snapshot, &report, &none) != SW_OK)
        return NULL;
    if (report.lsn == past->snapshot.lsn && report.bytes == past->snapshot.bytes &&
        memcmp(report.uuid, uuid, sizeof report.uuid) == 0)
        return snapshot;
    sw_snapshot_close(snapshot);
    return NULL;
}

static enum sw_rc take_snapshot(struct sw_past *past, const struct sw_record_snapshot *record,
                                const uint8_t *uuid)
{
    if (record->file.size >= sizeof past->snapshot_name)
        return sw_err_set(past->err, SW_E_CORRUPT, "a snapshot with a long name");
    memcpy(past->snapshot_name, record->file.data, record->file.size);
    past->snapshot_name[record->file.size] = 0;
    past->snapshot = *record;
    past->snapshot.file = (struct sw_bytes){past->snapshot_name, record->file.size};
    sw_snapshot_close(past->held);
    past->held = hold_snapshot(past, uuid);
    return SW_OK;
}

/* The first look: what is to be known before instances are looked for. */
static enum sw_rc visit_first(void *ctx, const struct sw_journal_entry *entry, struct sw_err *err)
{
    struct sw_past *past = ctx;
    struct sw_record record;
    uint64_t instance, pod;
    enum sw_rc rc;

    if (sw_record_peek(entry->record, &instance, &pod))
        return SW_OK;
    rc = sw_record_take(entry->record, &record, err);
    if (rc != SW_OK)
        return rc;
    switch ((int)record.kind) {
    case SW_RECORD_SPEC:
        return take_spec(past, &record.spec);
    case SW_RECORD_POD:
        return take_pod(past, &record.pod);
    case SW_RECORD_SNAPSHOT:
        return take_snapshot(past, &record.snapshot, entry->uuid);
    default:
        return SW_OK;
    }
}

/* --- Gathering: points ------------------------------------------------------------------------ */

static enum sw_rc add_record(struct sw_past *past, uint64_t lsn, struct sw_bytes bytes)
{
    struct item item = {.lsn = lsn, .at = past->bytes.size, .size = bytes.size};

    if (past->bytes.size + bytes.size > past->options.bytes_max)
        return sw_err_set(past->err, SW_E_EXHAUSTED,
                          "its records take more than %" PRIu64 " MiB, which is looked at at once",
                          past->options.bytes_max >> 20);
    sw_buffer_put(&past->bytes, bytes.data, bytes.size);
    sw_buffer_put(&past->items, &item, sizeof item);
    return past->bytes.failed || past->items.failed ? sw_past_no_memory(past->err) : SW_OK;
}

/* The records that a point has; the first one says more of the point. */
static enum sw_rc take_tail(struct sw_past *past, struct sw_bytes tail, struct past_point *point)
{
    struct sw_reader reader = sw_reader_of(tail.data, tail.size);
    struct sw_bytes bytes;
    bool is_first = true;
    uint64_t lsn;
    enum sw_rc rc = SW_OK;

    while (rc == SW_OK && sw_snapshot_tail_take(&reader, &lsn, &bytes)) {
        struct sw_record record;

        rc = sw_record_take(bytes, &record, past->err);
        if (rc == SW_OK && record.kind == SW_RECORD_SEGMENT && is_first)
            point->base_spec = record.segment.spec;
        if (is_first && !point->has_base)
            point->whole_from = lsn;
        is_first = false;
        if (rc == SW_OK)
            rc = add_record(past, lsn, bytes);
    }
    return rc == SW_OK && reader.failed
               ? sw_err_set(past->err, SW_E_CORRUPT, "records of the snapshot are malformed")
               : rc;
}

/* How many segments it had come to. */
static enum sw_rc number_of(struct sw_past *past, struct sw_bytes actor, uint64_t *ret_number)
{
    struct sw_actor loaded = {0};
    enum sw_rc rc = sw_actor_load(&loaded, actor, past->err);

    *ret_number = loaded.segments;
    sw_actor_done(&loaded);
    return rc;
}

/* Another one under that key, or the first. */
static void begin_life(struct sw_past *past, uint64_t id)
{
    past->id = id;
    past->is_over = past->is_kept = false;
    past->newest_lsn = 0;
    sw_buffer_reset(&past->points);
    sw_buffer_reset(&past->items);
    sw_buffer_reset(&past->bytes);
}

static enum sw_rc add_point(struct sw_past *past, const struct sw_snapshot_instance *saved,
                            uint64_t at)
{
    struct past_point point = {.last_lsn = saved->last_lsn,
                               .state_lsn = saved->state_lsn,
                               .has_base = saved->base_lsn != 0,
                               .base_lsn = saved->base_lsn,
                               .whole_from = saved->base_lsn != 0 ? saved->base_lsn : UINT64_MAX,
                               .base_spec = saved->spec,
                               .is_on_file = past->is_in_files,
                               .file = past->file,
                               .at = at};
    struct sw_bytes base = saved->base_actor.size > 0 ? saved->base_actor : saved->actor;
    enum sw_rc rc = number_of(past, saved->actor, &point.number);

    if (rc == SW_OK && point.has_base)
        rc = number_of(past, base, &point.base_number);
    if (rc == SW_OK)
        rc = take_tail(past, saved->tail, &point);
    sw_buffer_put(&past->points, &point, sizeof point);
    if (saved->last_lsn > past->newest_lsn)
        past->newest_lsn = saved->last_lsn;
    return rc == SW_OK && past->points.failed ? sw_past_no_memory(past->err) : rc;
}

/* It is of the key that we look for, as it was at a point: keep what it is made of, unless another
 * one came since. Its block stands at `at`, if that is in a file of history. */
static enum sw_rc take_stored(struct sw_past *past, const struct sw_snapshot_instance *saved,
                              uint64_t at)
{
    const struct sw_snapshot_block block = {.kind = SW_SNAPSHOT_INSTANCE, .instance = *saved};

    if (saved->seed.size != sizeof past->seed)
        return sw_err_set(past->err, SW_E_CORRUPT, "an instance of the snapshot has no seed");
    if (saved->id != past->id && past->id != 0 && saved->last_lsn <= past->newest_lsn)
        return SW_OK;
    if (saved->id != past->id)
        begin_life(past, saved->id);
    past->memory_bytes = saved->memory_bytes;
    memcpy(past->seed, saved->seed.data, sizeof past->seed);
    if (!past->is_in_files) {
        sw_buffer_reset(&past->kept);
        sw_snapshot_block_put(&block, &past->kept);
        past->is_kept = true;
        if (past->kept.failed)
            return sw_past_no_memory(past->err);
    }
    return add_point(past, saved, at);
}

/* Records come in the order of their lsns, but for those that a point has, and some twice. */
static enum sw_rc take_segment(struct sw_past *past, uint64_t lsn, struct sw_bytes bytes)
{
    struct sw_worker *worker = past->options.worker;
    struct sw_record record;
    struct sw_buffer out;
    uint64_t instance, pod;
    enum sw_rc rc;

    if (!sw_record_peek(bytes, &instance, &pod) || find_pod(past, pod) == NULL)
        return SW_OK;
    rc = sw_record_take(bytes, &record, past->err);
    if (rc != SW_OK)
        return rc;
    if (sw_record_is_birth(&record.segment) && instance != past->id && lsn > past->newest_lsn &&
        sw_bytes_is_equal(record.segment.key, past->options.key)) {
        begin_life(past, instance);
        past->memory_bytes = record.segment.memory_bytes;
        if (record.segment.seed.size == sizeof past->seed)
            memcpy(past->seed, record.segment.seed.data, sizeof past->seed);
    }
    if (instance != past->id)
        return SW_OK;
    if (record.segment.entry == SW_ENTRY_STOP || record.segment.entry == SW_ENTRY_RESET)
        past->is_over = true;
    past->newest_lsn = lsn > past->newest_lsn ? lsn : past->newest_lsn;
    sw_buffer_init(&out, SW_JOURNAL_RECORD_MAX + SW_EFFECT_BODY_MAX);
    sw_bodies_inline(&worker->bodies, past->options.shared->journal, bytes, &record, &out);
    rc = out.failed ? sw_past_no_memory(past->err)
                    : add_record(past, lsn, (struct sw_bytes){out.data, out.size});
    sw_buffer_done(&out);
    return rc;
}

/* --- Gathering: files of history -------------------------------------------------------------- */

static enum sw_rc take_records(struct sw_past *past, struct sw_bytes records)
{
    struct sw_reader reader = sw_reader_of(records.data, records.size);
    struct sw_bytes bytes;
    uint64_t lsn;
    enum sw_rc rc = SW_OK;

    while (rc == SW_OK && sw_snapshot_tail_take(&reader, &lsn, &bytes))
        rc = take_segment(past, lsn, bytes);
    return rc;
}

static enum sw_rc visit_history(void *ctx, const struct sw_snapshot_block *block,
                                struct sw_err *err)
{
    struct sw_past *past = ctx;

    (void)err;
    switch ((int)block->kind) {
    case SW_SNAPSHOT_SPEC:
        return take_spec(past, &block->spec);
    case SW_SNAPSHOT_POD:
        return take_pod(past, &block->pod);
    case SW_SNAPSHOT_INSTANCE:
        return find_pod(past, block->instance.pod) != NULL &&
                       sw_bytes_is_equal(block->instance.key, past->options.key)
                   ? take_stored(past, &block->instance, block->at)
                   : SW_OK;
    case SW_SNAPSHOT_RECORDS:
        return take_records(past, block->records);
    default:
        return SW_OK;
    }
}

void sw_past_close_files(struct sw_past *past)
{
    sw_snapshot_close(past->held);
    past->held = NULL;
    for (size_t i = 0; i < past->files_count; i++)
        sw_snapshot_close(past->files[i]);
    free(past->files);
    past->files = NULL;
    past->files_count = 0;
}

static enum sw_rc open_file(struct sw_past *past, const struct sw_history_name *name)
{
    const struct sw_journal_options *journal = past->options.journal;
    const struct sw_history_file which = {.system = journal->system,
                                          .folder = journal->folder,
                                          .uuid = sw_journal_uuid(past->options.shared->journal),
                                          .name = *name};
    struct sw_snapshot_history history;
    struct sw_buffer bytes;
    enum sw_rc rc;

    sw_buffer_init(&bytes, SIZE_MAX / 2);
    rc = sw_history_open(&which, &bytes, &past->files[past->files_count], &history, past->err);
    past->files_count += rc == SW_OK;
    sw_buffer_done(&bytes);
    return rc;
}

/* The journal is open, so what of it is made a file meanwhile is there twice, and not missing. One
 * that is damaged is a gap. */
static enum sw_rc open_files(struct sw_past *past)
{
    const struct sw_journal_options *journal = past->options.journal;
    uint64_t agent = sw_history_agent(past->options.agent_uid);
    struct sw_history_list list;
    enum sw_rc rc = sw_history_list(journal->system, journal->folder, &agent, &list, past->err);

    if (rc != SW_OK)
        return rc;
    past->files = calloc(list.count + 1, sizeof *past->files);
    if (past->files == NULL)
        rc = sw_past_no_memory(past->err);
    for (size_t i = past->files_skipped; rc == SW_OK && i < list.count; i++) {
        rc = open_file(past, &list.names[i]);
        if (rc == SW_E_CORRUPT || rc == SW_E_UNSUPPORTED)
            rc = SW_OK;
        else if (rc == SW_E_NOT_FOUND)
            rc = past->err->rc = SW_E_UNAVAILABLE;
    }
    sw_history_list_done(&list);
    return rc;
}

static enum sw_rc read_files(struct sw_past *past)
{
    enum sw_rc rc = open_files(past);

    past->is_in_files = true;
    for (past->file = 0; rc == SW_OK && past->file < past->files_count; past->file++) {
        rc = sw_snapshot_walk(past->files[past->file], visit_history, past, past->err);
        if (rc == SW_E_CORRUPT)
            rc = SW_OK;
    }
    if (rc == SW_OK)
        past->is_in_files = false;
    return rc;
}

/* --- Gathering: the snapshot ----------------------------------------------------------------- */

static enum sw_rc visit_shelved(struct sw_past *past, struct sw_shelf *shelf, uint64_t place)
{
    struct sw_snapshot_instance saved;
    struct sw_buffer block;
    enum sw_rc rc;

    sw_buffer_init(&block, SW_SNAPSHOT_BLOCK_MAX);
    rc = sw_shelf_keep(shelf, place)
             ? sw_shelf_read(shelf, place, false, &block, &saved, past->err)
             : sw_err_set(past->err, SW_E_CORRUPT, "the snapshot names no place of a shelf");
    if (rc == SW_OK && sw_bytes_is_equal(saved.key, past->options.key))
        rc = take_stored(past, &saved, place);
    sw_buffer_done(&block);
    return rc;
}

static enum sw_rc visit_places(struct sw_past *past, const struct sw_snapshot_places *places)
{
    struct sw_reader reader = sw_reader_of(places->places.data, places->places.size);
    const struct past_pod *pod = find_pod(past, places->pod);
    enum sw_rc rc = SW_OK;
    uint32_t hash;

    if (pod == NULL || places->slot != sw_slot_of(pod->hash_key, past->options.key))
        return SW_OK;
    hash = sw_asleep_hash(sw_board_key(pod->hash_key, past->options.key));
    for (uint32_t i = 0; rc == SW_OK && i < places->count; i++) {
        struct sw_snapshot_place place = sw_snapshot_place_take(&reader);

        if (place.hash == hash)
            rc = visit_shelved(past, past->options.shared->shelf,
                               place.place & ((UINT64_C(1) << SW_SHELF_PLACE_BITS) - 1));
    }
    return rc;
}

static enum sw_rc visit_block(void *ctx, const struct sw_snapshot_block *block, struct sw_err *err)
{
    struct sw_past *past = ctx;
    struct sw_shelf_file file;

    switch ((int)block->kind) {
    case SW_SNAPSHOT_SPEC:
        return take_spec(past, &block->spec);
    case SW_SNAPSHOT_POD:
        return take_pod(past, &block->pod);
    case SW_SNAPSHOT_SHELF:
        file = (struct sw_shelf_file){.number = block->shelf.number,
                                      .bytes = block->shelf.bytes,
                                      .blocks = block->shelf.blocks};
        return sw_shelf_add(past->options.shared->shelf, &file, err);
    case SW_SNAPSHOT_PLACES:
        return visit_places(past, &block->places);
    case SW_SNAPSHOT_INSTANCE:
        return find_pod(past, block->instance.pod) != NULL &&
                       sw_bytes_is_equal(block->instance.key, past->options.key)
                   ? take_stored(past, &block->instance, block->at)
                   : SW_OK;
    default:
        return SW_OK;
    }
}

/* What is read may be removed at any time by the host that goes on: then nothing is damaged. */
static enum sw_rc judge_reading(struct sw_past *past, enum sw_rc rc)
{
    if (rc != SW_E_CORRUPT && rc != SW_E_NOT_FOUND)
        return rc;
    past->err->rc = SW_E_UNAVAILABLE;
    return SW_E_UNAVAILABLE; /* It is read again. */
}

static enum sw_rc read_snapshot(struct sw_past *past)
{
    const struct sw_journal_options *journal = past->options.journal;
    struct sw_shared *shared = past->options.shared;
    struct sw_shelf_options shelf = {.system = journal->system,
                                     .folder = journal->folder,
                                     .uuid = sw_journal_uuid(shared->journal)};
    enum sw_rc rc;

    if (past->snapshot.lsn == 0)
        return SW_OK;
    if (past->held == NULL)
        return sw_err_set(past->err, SW_E_UNAVAILABLE,
                          "the host takes snapshots faster than they can be read; try again");
    rc = sw_shelf_new(&shelf, &shared->shelf, past->err);
    if (rc == SW_OK)
        rc = sw_snapshot_walk(past->held, visit_block, past, past->err);
    return judge_reading(past, rc);
}

/* --- Gathering: records ---------------------------------------------------------------------- */

static enum sw_rc visit_record(void *ctx, const struct sw_journal_entry *entry, struct sw_err *err)
{
    (void)err;
    return take_segment(ctx, entry->place.lsn, entry->record);
}

static int compare_items(const void *one, const void *other)
{
    const struct item *a = one, *b = other;

    return a->lsn < b->lsn ? -1 : a->lsn > b->lsn;
}

/* In order, each once. */
static void put_in_order(struct sw_past *past)
{
    size_t count = items_count(past), kept = 0;

    if (count == 0)
        return;
    qsort(past->items.data, count, sizeof(struct item), compare_items);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || item_at(past, kept - 1)->lsn != item_at(past, i)->lsn)
            *item_at(past, kept++) = *item_at(past, i);
    past->items.size = kept * sizeof(struct item);
}

/* What number a record has by a point. False: none says it. */
static bool number_by_point(const struct sw_past *past, const struct item *item,
                            const struct sw_record_segment *segment, uint64_t *ret_number)
{
    for (size_t i = 0; i < points_count(past); i++) {
        const struct past_point *point = point_at(past, i);
        bool is_known = true;

        if (item->lsn == point->last_lsn)
            *ret_number = point->number;
        else if (segment->previous == point->last_lsn)
            *ret_number = point->number + is_counted(segment);
        else if (point->has_base && segment->previous == point->base_lsn)
            *ret_number = point->base_number + is_counted(segment);
        else
            is_known = false;
        if (is_known)
            return true;
    }
    return false;
}

/* What number a record has by itself. False: it has none. */
static bool own_number(const struct sw_past *past, size_t index, uint64_t *ret_number)
{
    const struct item *item = item_at(past, index);
    struct sw_record_segment segment = segment_of(past, item);
    struct sw_actor actor = {0};
    struct sw_err none = {0};
    bool is_known = true;

    if (segment.entry == SW_ENTRY_START && segment.previous == 0) {
        *ret_number = 1;
    } else if (number_by_point(past, item, &segment, ret_number)) {
        is_known = true;
    } else if (sw_record_is_whole(&segment) &&
               sw_actor_load(&actor, segment.actor, &none) == SW_OK) {
        *ret_number = actor.segments + is_counted(&segment);
    } else {
        is_known = false;
    }
    sw_actor_done(&actor);
    return is_known;
}

/* Numbers run on from one that is known, in both directions. */
static void number_from(struct sw_past *past, size_t first, size_t end, size_t known)
{
    for (size_t i = known + 1; i < end; i++) {
        struct sw_record_segment segment = segment_of(past, item_at(past, i));

        item_at(past, i)->number = item_at(past, i - 1)->number + is_counted(&segment);
    }
    for (size_t i = known; i > first; i--) {
        struct sw_record_segment segment = segment_of(past, item_at(past, i));

        item_at(past, i - 1)->number = item_at(past, i)->number - is_counted(&segment);
    }
}

/* By what has a number by itself. False: nothing has. */
static bool number_run(struct sw_past *past, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++)
        if (own_number(past, i, &item_at(past, i)->number)) {
            number_from(past, first, end, i);
            return true;
        }
    return false;
}

/* Of a tail of which nothing says how many turns failed behind it, as these were left out: it ends
 * before the point, and before what follows. False: it is of no tail. */
static bool hide_run(struct sw_past *past, size_t first, size_t end, uint64_t before)
{
    uint64_t lsn = item_at(past, end - 1)->lsn;

    for (size_t i = 0; i < points_count(past); i++) {
        const struct past_point *point = point_at(past, i);

        if (point->last_lsn < lsn || point->whole_from > lsn)
            continue;
        for (size_t at = first; at < end; at++) {
            item_at(past, at)->number = point->number < before ? point->number : before;
            item_at(past, at)->is_hidden = true;
        }
        return true;
    }
    return false;
}

/* Records are left out: what they are needed for cannot be made of an image before them. */
static void leave_out(struct sw_past *past, uint64_t first, uint64_t last)
{
    for (size_t i = 0; i < points_count(past); i++) {
        struct past_point *point = point_at(past, i);

        if (point->whole_from >= last || point->last_lsn < first)
            continue;
        point->has_base = false;
        point->whole_from = UINT64_MAX;
    }
}

/* Where the run of records begins, which follow each other without a gap, that ends before `end`.
 */
static size_t begin_of_run(const struct sw_past *past, size_t end)
{
    size_t first = end - 1;

    while (first > 0 &&
           segment_of(past, item_at(past, first)).previous == item_at(past, first - 1)->lsn)
        first--;
    return first;
}

/* Of what follows a gap the next point says the numbers; what none does is left out. */
static enum sw_rc number_items(struct sw_past *past)
{
    size_t count = items_count(past), kept = count;
    uint64_t before = UINT64_MAX; /* The number before what follows. */

    for (size_t end = count, first; end > 0; end = first) {
        struct sw_record_segment segment;

        first = begin_of_run(past, end);
        segment = segment_of(past, item_at(past, first));
        if (number_run(past, first, end)) {
            before = item_at(past, first)->number - is_counted(&segment);
        } else if (!hide_run(past, first, end, before)) {
            leave_out(past, item_at(past, first)->lsn, item_at(past, end - 1)->lsn);
            continue;
        }
        kept -= end - first;
        memmove(item_at(past, kept), item_at(past, first), (end - first) * sizeof(struct item));
    }
    if (count > 0 && kept == count)
        return sw_err_set(past->err, SW_E_CORRUPT,
                          "nothing says which turns its %zu records from lsn %" PRIu64 " on are of",
                          count, item_at(past, 0)->lsn);
    if (kept > 0)
        memmove(past->items.data, item_at(past, kept), (count - kept) * sizeof(struct item));
    past->items.size = (count - kept) * sizeof(struct item);
    return SW_OK;
}

static enum sw_rc make_instance(struct sw_past *past)
{
    past->instance = sw_instance_add(past->options.worker, past->pod, past->options.key, past->id);
    if (past->instance == NULL)
        return sw_past_no_memory(past->err);
    past->instance->memory_bytes = past->memory_bytes & SW_INSTANCE_MEMORY_MAX;
    past->replay = (struct sw_replay){.worker = past->options.worker, .instance = past->instance};
    return SW_OK;
}

/* The journal up to a snapshot whose file is there. While a long one is read the host takes others,
 * and removes a file only when the journal names a later one: so what came meanwhile is read, until
 * nothing has. */
static enum sw_rc read_journal(struct sw_past *past)
{
    struct sw_shared *shared = past->options.shared;
    uint64_t end = 0;
    enum sw_rc rc =
        sw_journal_open(past->options.journal, visit_first, past, &shared->journal, past->err);

    for (unsigned i = 0; rc == SW_OK && i < FOLLOWS_MAX && past->snapshot.lsn != 0 &&
                         past->held == NULL && end != sw_journal_end(shared->journal);
         i++) {
        end = sw_journal_end(shared->journal);
        rc = sw_journal_follow(shared->journal, visit_first, past, past->err);
    }
    return judge_reading(past, rc);
}

static enum sw_rc read_all(struct sw_past *past)
{
    struct sw_shared *shared = past->options.shared;
    enum sw_rc rc = read_journal(past);

    if (rc == SW_OK)
        rc = read_files(past);
    if (rc == SW_OK)
        rc = read_snapshot(past);
    return rc == SW_OK ? judge_reading(past, sw_journal_revisit(shared->journal,
                                                                sw_journal_begin(shared->journal),
                                                                visit_record, past, past->err))
                       : rc;
}

/* Nothing was read but specs and Pods, which stay what they are. */
static void forget(struct sw_past *past)
{
    struct sw_shared *shared = past->options.shared;

    if (shared->journal != NULL)
        sw_journal_close(shared->journal);
    if (shared->shelf != NULL)
        sw_shelf_free(shared->shelf);
    shared->journal = NULL;
    shared->shelf = NULL;
    past->snapshot.lsn = 0;
    past->is_in_files = false;
    begin_life(past, 0);
    sw_past_close_files(past);
}

/* Whether it fails as it did again and again though nothing has changed: that is no race. */
static bool is_damaged(struct sw_past *past)
{
    bool is_same =
        past->failed_lsn == past->snapshot.lsn && strcmp(past->failure, past->err->message) == 0;

    past->failed_lsn = past->snapshot.lsn;
    past->failures = is_same ? past->failures + 1 : 0;
    (void)snprintf(past->failure, sizeof past->failure, "%s", past->err->message);
    return past->failures >= SAME_MAX;
}

/* Whether it is worth another try: what was read has gone, or is too much, and then less is read.
 */
static bool tries_again(struct sw_past *past, enum sw_rc rc)
{
    size_t left = past->files_count;

    if (rc == SW_E_UNAVAILABLE && is_damaged(past))
        return false;

    if (rc == SW_E_EXHAUSTED && past->is_in_files && left > 0) {
        past->files_skipped += left / 2 + 1;
        return true;
    }
    return rc == SW_E_UNAVAILABLE;
}

enum sw_rc sw_past_gather(struct sw_past *past)
{
    enum sw_rc rc = read_all(past);

    for (unsigned i = 1; tries_again(past, rc) && i < TRIES_MAX; i++) {
        forget(past);
        rc = read_all(past);
    }
    if (rc == SW_E_UNAVAILABLE && past->failures >= SAME_MAX)
        rc = past->err->rc = SW_E_CORRUPT;
    if (rc != SW_OK)
        return rc;
    if (past->id == 0)
        return sw_err_set(past->err, SW_E_NOT_FOUND, "there is no instance %.*s/%.*s",
                          (int)past->options.agent.size, (const char *)past->options.agent.data,
                          (int)past->options.key.size, (const char *)past->options.key.data);
    if (past->snapshot.lsn > past->newest_lsn && !past->is_kept)
        past->is_over = true; /* It went with its Pod, without a record of its own. */
    put_in_order(past);
    rc = number_items(past);
    return rc == SW_OK ? make_instance(past) : rc;
}
