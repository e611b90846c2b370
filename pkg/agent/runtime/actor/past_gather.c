#include "pkg/agent/runtime/actor/past_state.h"

#include "pkg/agent/runtime/actor/asleep.h"
#include "pkg/agent/runtime/actor/pod.h"

#include <inttypes.h>
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

static enum sw_rc take_snapshot(struct sw_past *past, const struct sw_record_snapshot *record)
{
    if (record->file.size >= sizeof past->snapshot_name)
        return sw_err_set(past->err, SW_E_CORRUPT, "a snapshot with a long name");
    memcpy(past->snapshot_name, record->file.data, record->file.size);
    past->snapshot_name[record->file.size] = 0;
    past->snapshot = *record;
    past->snapshot.file = (struct sw_bytes){past->snapshot_name, record->file.size};
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
        return take_snapshot(past, &record.snapshot);
    default:
        return SW_OK;
    }
}

/* --- Gathering: the snapshot ----------------------------------------------------------------- */

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

static enum sw_rc take_tail(struct sw_past *past, struct sw_bytes tail)
{
    struct sw_reader reader = sw_reader_of(tail.data, tail.size);
    struct sw_bytes bytes;
    uint64_t lsn;
    enum sw_rc rc = SW_OK;

    while (rc == SW_OK && sw_snapshot_tail_take(&reader, &lsn, &bytes)) {
        struct sw_record record;

        rc = sw_record_take(bytes, &record, past->err);
        if (rc == SW_OK && record.kind == SW_RECORD_SEGMENT && past->items.size == 0)
            past->base_spec = record.segment.spec;
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

/* It is whom we look for: keep what it is made of. */
static enum sw_rc take_stored(struct sw_past *past, const struct sw_snapshot_instance *saved)
{
    struct sw_bytes actor = saved->base_actor.size > 0 ? saved->base_actor : saved->actor;
    struct sw_base *base = &past->base;
    enum sw_rc rc = SW_OK;

    if (saved->seed.size != sizeof past->seed)
        return sw_err_set(past->err, SW_E_CORRUPT, "an instance of the snapshot has no seed");
    past->id = saved->id;
    past->has_base = saved->base_lsn != 0;
    past->memory_bytes = saved->memory_bytes;
    memcpy(past->seed, saved->seed.data, sizeof past->seed);
    past->base_spec = saved->spec;
    base->lsn = saved->base_lsn;
    base->random_next = saved->base_random_next;
    sw_buffer_reset(&base->block);
    sw_buffer_put(&base->block, actor.data, actor.size);
    sw_buffer_put(&base->block, saved->guest.data, saved->guest.size);
    if (base->block.failed)
        return sw_past_no_memory(past->err);
    base->actor = (struct sw_bytes){base->block.data, actor.size};
    base->guest = (struct sw_bytes){base->block.data + actor.size, saved->guest.size};
    if (past->has_base)
        rc = number_of(past, base->actor, &past->base_number);
    if (rc == SW_OK)
        rc = number_of(past, saved->actor, &past->point_number);
    past->point_lsn = saved->last_lsn;
    sw_buffer_reset(&past->point_actor);
    sw_buffer_put(&past->point_actor, saved->actor.data, saved->actor.size);
    if (rc == SW_OK && past->point_actor.failed)
        return sw_past_no_memory(past->err);
    return rc == SW_OK ? take_tail(past, saved->tail) : rc;
}

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
        rc = take_stored(past, &saved);
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
                   ? take_stored(past, &block->instance)
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
    struct sw_snapshot_source source = {.system = journal->system,
                                        .folder = journal->folder,
                                        .uuid = shelf.uuid,
                                        .record = &past->snapshot};
    struct sw_snapshot *file = NULL;
    enum sw_rc rc;

    if (past->snapshot.lsn == 0)
        return SW_OK;
    rc = sw_shelf_new(&shelf, &shared->shelf, past->err);
    if (rc == SW_OK)
        rc = sw_snapshot_open(&source, visit_block, past, &file, past->err);
    if (file != NULL)
        sw_snapshot_close(file);
    return judge_reading(past, rc);
}

/* --- Gathering: records ---------------------------------------------------------------------- */

/* Another one under that key, or the first. */
static void begin_life(struct sw_past *past, const struct sw_record_segment *segment)
{
    past->id = segment->instance;
    past->has_base = past->is_over = false;
    sw_buffer_reset(&past->point_actor);
    past->memory_bytes = segment->memory_bytes;
    if (segment->seed.size == sizeof past->seed)
        memcpy(past->seed, segment->seed.data, sizeof past->seed);
    sw_buffer_reset(&past->items);
    sw_buffer_reset(&past->bytes);
}

/* Keep a record with its body, wherever that stands; without it, if it stands nowhere any more. */
static enum sw_rc keep_record(struct sw_past *past, uint64_t lsn, struct sw_bytes bytes,
                              struct sw_record *record)
{
    struct sw_record_segment *segment = &record->segment;
    struct sw_worker *worker = past->options.worker;
    struct sw_err none = {0};
    struct sw_bytes from;
    struct sw_buffer out;
    enum sw_rc rc;

    if (segment->body_lsn == 0 ||
        sw_bodies_read(&worker->bodies, past->options.shared->journal, segment->body_lsn, &from,
                       &none) != SW_OK ||
        segment->body_at > from.size || segment->body_bytes > from.size - segment->body_at)
        return add_record(past, lsn, bytes);
    segment->body =
        (struct sw_bytes){(const uint8_t *)from.data + segment->body_at, segment->body_bytes};
    segment->body_lsn = 0;
    sw_buffer_init(&out, SW_JOURNAL_RECORD_MAX);
    sw_record_put(record, &out, NULL);
    rc = out.failed ? sw_past_no_memory(past->err)
                    : add_record(past, lsn, (struct sw_bytes){out.data, out.size});
    sw_buffer_done(&out);
    return rc;
}

static enum sw_rc visit_record(void *ctx, const struct sw_journal_entry *entry, struct sw_err *err)
{
    struct sw_past *past = ctx;
    struct sw_record record;
    uint64_t instance, pod;
    enum sw_rc rc;

    if (!sw_record_peek(entry->record, &instance, &pod) || find_pod(past, pod) == NULL)
        return SW_OK;
    rc = sw_record_take(entry->record, &record, err);
    if (rc != SW_OK)
        return rc;
    /* Of those before the point the snapshot has the last one, if it has any. */
    if (sw_record_is_birth(&record.segment) &&
        sw_bytes_is_equal(record.segment.key, past->options.key) &&
        (past->point_actor.size == 0 || entry->place.lsn >= past->snapshot.lsn))
        begin_life(past, &record.segment);
    if (instance != past->id)
        return SW_OK;
    if (record.segment.entry == SW_ENTRY_STOP || record.segment.entry == SW_ENTRY_RESET)
        past->is_over = true;
    return keep_record(past, entry->place.lsn, entry->record, &record);
}

static int compare_items(const void *one, const void *other)
{
    const struct item *a = one, *b = other;

    return a->lsn < b->lsn ? -1 : a->lsn > b->lsn;
}

/* In order, each once, and nothing of before a gap. */
static void put_in_order(struct sw_past *past)
{
    size_t count = items_count(past), kept = 0;

    if (count == 0)
        return;
    qsort(past->items.data, count, sizeof(struct item), compare_items);
    for (size_t i = 0; i < count; i++) {
        uint64_t previous = segment_of(past, item_at(past, i)).previous;

        if (kept > 0 && item_at(past, kept - 1)->lsn == item_at(past, i)->lsn)
            continue;
        if (kept > 0 && item_at(past, kept - 1)->lsn != previous && !follows_point(past, previous))
            kept = 0;
        *item_at(past, kept++) = *item_at(past, i);
    }
    past->items.size = kept * sizeof(struct item);
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
    } else if (past->point_actor.size > 0 && item->lsn == past->point_lsn) {
        *ret_number = past->point_number;
    } else if (follows_point(past, segment.previous)) {
        *ret_number = past->point_number + is_counted(&segment);
    } else if (past->has_base && segment.previous == past->base.lsn) {
        *ret_number = past->base_number + is_counted(&segment);
    } else if (sw_record_is_whole(&segment) &&
               sw_actor_load(&actor, segment.actor, &none) == SW_OK) {
        *ret_number = actor.segments + is_counted(&segment);
    } else {
        is_known = false;
    }
    sw_actor_done(&actor);
    return is_known;
}

/* Numbers run on from what has one by itself, in both directions. */
static enum sw_rc number_items(struct sw_past *past)
{
    size_t count = items_count(past), known = 0;
    uint64_t number = 0;

    while (known < count && !own_number(past, known, &number))
        known++;
    if (known == count)
        return count == 0 ? SW_OK
                          : sw_err_set(past->err, SW_E_CORRUPT,
                                       "nothing says which turns its %zu records from lsn %" PRIu64
                                       " on are of; the snapshot knows it up to %" PRIu64,
                                       count, item_at(past, 0)->lsn, past->point_lsn);
    item_at(past, known)->number = number;
    for (size_t i = known + 1; i < count; i++) {
        struct sw_record_segment segment = segment_of(past, item_at(past, i));

        item_at(past, i)->number = follows_point(past, segment.previous)
                                       ? past->point_number + is_counted(&segment)
                                       : item_at(past, i - 1)->number + is_counted(&segment);
    }
    for (size_t i = known; i > 0; i--) {
        struct sw_record_segment segment = segment_of(past, item_at(past, i));

        item_at(past, i - 1)->number = item_at(past, i)->number - is_counted(&segment);
    }
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

static enum sw_rc read_all(struct sw_past *past)
{
    struct sw_shared *shared = past->options.shared;
    enum sw_rc rc = judge_reading(past, sw_journal_open(past->options.journal, visit_first, past,
                                                        &shared->journal, past->err));

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
    past->snapshot.lsn = past->id = 0;
    past->has_base = past->is_over = false;
    sw_buffer_reset(&past->point_actor);
    sw_buffer_reset(&past->items);
    sw_buffer_reset(&past->bytes);
}

enum sw_rc sw_past_gather(struct sw_past *past)
{
    enum sw_rc rc = read_all(past);

    for (unsigned i = 1; rc == SW_E_UNAVAILABLE && i < TRIES_MAX; i++) {
        forget(past);
        rc = read_all(past);
    }
    if (rc != SW_OK)
        return rc;
    if (past->id == 0)
        return sw_err_set(past->err, SW_E_NOT_FOUND, "there is no instance %.*s/%.*s",
                          (int)past->options.agent.size, (const char *)past->options.agent.data,
                          (int)past->options.key.size, (const char *)past->options.key.data);
    put_in_order(past);
    rc = number_items(past);
    return rc == SW_OK ? make_instance(past) : rc;
}
