#include "pkg/agent/runtime/actor/keeper_state.h"

#include "pkg/agent/runtime/actor/asleep.h"
#include "pkg/agent/runtime/actor/bodies.h"
#include "pkg/agent/runtime/actor/capture.h"
#include "pkg/agent/store/shelf.h"
#include "pkg/utils/base/idmap.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORDS_BYTES ((size_t)64 << 10) /* Of records in one block. */
#define WRITE_BYTES ((size_t)256 << 10)
#define COPY_BYTES ((size_t)1 << 20)
#define ASK_EVERY 256u /* Steps between two questions whether to go on. */
#define MERGE_PART 8u  /* A file holds at most one part of so many of what its Agent keeps, */
#define MERGE_BYTES ((uint64_t)64 << 20) /* and no more than this. */
#define MERGE_SMALL ((uint64_t)64 << 10) /* So small a one is always taken in, */
#define MERGE_FEW 32u                    /* and any that has more than so many before it. */
#define PACKED_GUESS 4u /* Records take a part of so many of their bytes in a file. */

struct keeping { /* An Agent, while a span is kept. */
    const struct keeper_agent *agent;
    struct sw_idmap *who; /* Instances that have records, by sw_asleep_number. */
    uint64_t bytes, turns, first_ns, last_ns;
    uint64_t merged_turns;
    struct sw_buffer specs; /* Numbers that its records and bases name: u32. */
    struct sw_buffer pods;  /* Whole blocks. */
    bool is_skipped;
    /* While it is written. */
    struct sw_history_name name;
    int file; /* -1: not open. */
    size_t merged_first, merged;
    uint64_t written;
    struct sw_buffer out, records, modules;
};

struct pass {
    struct sw_shared *shared;
    struct sw_keeper *keeper;
    const struct sw_keeper_span *span;
    struct sw_err *err;
    struct keeping *all; /* One for each Agent of the keeper. */
    size_t first, end;   /* Of those that are written now. */
    struct sw_idmap *pods;
    struct sw_bodies bodies;
    struct sw_shelf *shelf;
    struct sw_buffer block;
    uint32_t steps;
    bool is_over; /* What is read has been seen as far as it is wanted. */
};

static enum sw_rc no_memory(const struct pass *pass)
{
    return sw_err_set(pass->err, SW_E_EXHAUSTED, "no memory to keep a history");
}

/* Digests of modules do not go into a list any more. */
static enum sw_rc too_many(const struct pass *pass, const struct sw_buffer *modules)
{
    return modules->failed ? no_memory(pass)
                           : sw_err_set(pass->err, SW_E_EXHAUSTED, "more than %u modules ran them",
                                        SW_HISTORY_MODULES_MAX);
}

/* Whoever does this in between may have had enough. */
static enum sw_rc go_on(struct pass *pass)
{
    const struct sw_keeper *keeper = pass->keeper;

    if (++pass->steps % ASK_EVERY != 0 || keeper->goes_on == NULL || keeper->goes_on(keeper->ctx))
        return SW_OK;
    return sw_err_set(pass->err, SW_E_CANCELLED, "a history waits for the next start");
}

/* What is beyond is of no interest: ends a visit. */
static enum sw_rc is_enough(struct pass *pass)
{
    pass->is_over = true;
    return SW_E_CANCELLED;
}

static enum sw_rc end_visit(struct pass *pass, enum sw_rc rc)
{
    bool is_over = pass->is_over;

    pass->is_over = false;
    return is_over ? SW_OK : rc;
}

/* --- Looking: who did something, and how much ------------------------------------------------- */

/* This Agent's history has a gap. */
static void skip(struct pass *pass, struct keeping *keeping, const char *why)
{
    char words[SW_SNAPSHOT_WORDS_MAX];

    (void)snprintf(words, sizeof words, "the history of %s has a gap of %" PRIu64 " turns: %.250s",
                   keeping->agent->name, keeping->turns, why);
    sw_keeper_tell(pass->keeper, words);
    keeping->is_skipped = true;
    sw_idmap_free(keeping->who);
    keeping->who = NULL;
}

static void use_spec(struct keeping *keeping, uint32_t number)
{
    const struct sw_buffer *specs = &keeping->specs;

    for (size_t at = specs->size; at > 0; at -= sizeof number) {
        uint32_t other;

        memcpy(&other, specs->data + at - sizeof number, sizeof number);
        if (other == number)
            return;
    }
    sw_buffer_put(&keeping->specs, &number, sizeof number);
}

static struct keeping *of_pod(const struct pass *pass, uint64_t pod)
{
    return sw_idmap_find(pass->pods, pod);
}

static enum sw_rc take_pod(struct pass *pass, const struct sw_record_pod *pod)
{
    const struct keeper_agent *agent =
        sw_keeper_agent(pass->keeper, sw_history_agent(pod->agent_uid));
    const struct sw_snapshot_block block = {.kind = SW_SNAPSHOT_POD, .pod = *pod};
    struct keeping *keeping;

    if (agent == NULL || of_pod(pass, pod->pod) != NULL)
        return SW_OK;
    keeping = &pass->all[agent - pass->keeper->agents];
    sw_snapshot_block_put(&block, &keeping->pods);
    use_spec(keeping, pod->spec);
    return sw_idmap_put(pass->pods, pod->pod, keeping, NULL) == SW_OK && !keeping->pods.failed
               ? SW_OK
               : no_memory(pass);
}

static enum sw_rc look_at_block(void *ctx, const struct sw_snapshot_block *block,
                                struct sw_err *err)
{
    struct pass *pass = ctx;

    (void)err;
    switch ((int)block->kind) {
    case SW_SNAPSHOT_SPEC:
    case SW_SNAPSHOT_SHELF:
        return SW_OK;
    case SW_SNAPSHOT_POD:
        return take_pod(pass, &block->pod);
    default:
        return is_enough(pass);
    }
}

static enum sw_rc count_segment(struct pass *pass, struct keeping *keeping,
                                const struct sw_record_segment *segment, size_t size)
{
    uint64_t bytes_max = keeping->agent->policy.bytes;

    keeping->bytes += size + (segment->body_lsn != 0 ? segment->body_bytes : 0);
    keeping->turns += segment->entry != SW_ENTRY_IMAGE && segment->entry != SW_ENTRY_FORK;
    if (keeping->first_ns == 0)
        keeping->first_ns = segment->time_ns;
    if (segment->time_ns > keeping->last_ns)
        keeping->last_ns = segment->time_ns;
    use_spec(keeping, segment->spec);
    if (segment->entry == SW_ENTRY_UPGRADE)
        use_spec(keeping, segment->to);
    if (keeping->who == NULL)
        keeping->who = sw_idmap_new(0, 0);
    if (keeping->who == NULL || keeping->specs.failed ||
        sw_idmap_put(keeping->who, sw_asleep_number(segment->instance), keeping, NULL) != SW_OK)
        return no_memory(pass);
    if (bytes_max != 0 && keeping->bytes > bytes_max)
        keeping->is_skipped = true; /* It is told when all is counted. */
    return SW_OK;
}

static enum sw_rc look_at_record(void *ctx, const struct sw_journal_entry *entry,
                                 struct sw_err *err)
{
    struct pass *pass = ctx;
    const uint8_t *kind = entry->record.data;
    struct sw_record record;
    struct keeping *keeping;
    uint64_t instance, pod;
    bool is_segment = sw_record_peek(entry->record, &instance, &pod);
    enum sw_rc rc = go_on(pass);

    if (rc != SW_OK)
        return rc;
    if (entry->place.lsn >= pass->span->to)
        return is_enough(pass);
    keeping = is_segment ? of_pod(pass, pod) : NULL;
    if (entry->place.lsn < pass->span->from || entry->record.size == 0 ||
        (keeping == NULL && *kind != SW_RECORD_POD))
        return SW_OK;
    if (keeping != NULL && keeping->is_skipped) { /* Who does too much costs next to nothing. */
        keeping->turns++;
        return SW_OK;
    }
    rc = sw_record_take(entry->record, &record, err);
    if (rc != SW_OK)
        return rc;
    return record.kind == SW_RECORD_POD
               ? take_pod(pass, &record.pod)
               : count_segment(pass, keeping, &record.segment, entry->record.size);
}

static enum sw_rc look(struct pass *pass)
{
    const struct sw_keeper_span *span = pass->span;
    enum sw_rc rc = SW_OK;

    if (span->before != NULL)
        rc = end_visit(pass, sw_snapshot_walk(span->before, look_at_block, pass, pass->err));
    if (rc == SW_OK)
        rc = end_visit(pass, sw_journal_visit_durable(pass->shared->journal, span->from,
                                                      look_at_record, pass, pass->err));
    return rc;
}

/* --- Writing one file ------------------------------------------------------------------------- */

static void path_of(const struct pass *pass, const struct keeping *keeping, bool is_draft,
                    char ret_path[SW_PATH_MAX])
{
    char name[SW_HISTORY_NAME_MAX];

    sw_history_name_put(&keeping->name, is_draft, name);
    (void)snprintf(ret_path, SW_PATH_MAX, "%s/%s", pass->span->folder, name);
}

static void drop_draft(const struct pass *pass, struct keeping *keeping)
{
    const struct sw_system *system = pass->shared->system;
    char path[SW_PATH_MAX];

    if (keeping->file < 0)
        return;
    system->file_close(system->ctx, keeping->file);
    keeping->file = -1;
    path_of(pass, keeping, true, path);
    (void)system->path_remove(system->ctx, path, NULL);
}

/* Write what is put out. A history that takes more than its Agent may keep is of no use. */
static enum sw_rc flush(struct pass *pass, struct keeping *keeping, size_t size_min)
{
    const struct sw_system *system = pass->shared->system;
    uint64_t bytes_max = keeping->agent->policy.bytes;
    struct sw_buffer *out = &keeping->out;
    enum sw_rc rc;

    if (out->failed || keeping->records.failed)
        return no_memory(pass);
    if (out->size < size_min)
        return SW_OK;
    if (bytes_max != 0 && keeping->written + out->size > bytes_max)
        return sw_err_set(pass->err, SW_E_RANGE,
                          "with the state before them they take more than "
                          "maxBytes");
    rc = system->file_write(system->ctx, keeping->file, keeping->written, out->data, out->size,
                            pass->err);
    keeping->written += out->size;
    sw_buffer_reset(out);
    return rc;
}

static enum sw_rc put_block(struct pass *pass, struct keeping *keeping,
                            const struct sw_snapshot_block *block)
{
    sw_snapshot_block_put(block, &keeping->out);
    return flush(pass, keeping, WRITE_BYTES);
}

static enum sw_rc put_records(struct pass *pass, struct keeping *keeping, size_t size_min)
{
    struct sw_buffer *records = &keeping->records;
    const struct sw_snapshot_block block = {.kind = SW_SNAPSHOT_RECORDS,
                                            .records = {records->data, records->size}};
    enum sw_rc rc;

    if (records->failed)
        return no_memory(pass);
    if (records->size == 0 || records->size < size_min)
        return SW_OK;
    rc = put_block(pass, keeping, &block);
    sw_buffer_reset(records);
    return rc;
}

/* Which of the newest files of an Agent the new one takes in, so that there are never many: those
 * that are no larger than what is behind them, up to a part of what the Agent keeps: so each turn
 * is written again as often as there are files, which is the logarithm of what is kept. */
static void choose_merged(const struct pass *pass, struct keeping *keeping)
{
    const struct sw_history_policy *policy = &keeping->agent->policy;
    const struct sw_keeper *keeper = pass->keeper;
    size_t first, count = sw_keeper_files(keeper, keeping->agent->hash, &first);
    uint64_t bytes = keeping->bytes / PACKED_GUESS, turns = keeping->turns;
    size_t modules = keeping->specs.size / sizeof(uint32_t); /* At most. */
    uint64_t bytes_max = policy->bytes == 0 || policy->bytes / MERGE_PART > MERGE_BYTES
                             ? MERGE_BYTES
                             : policy->bytes / MERGE_PART;

    keeping->merged_first = first + count;
    keeping->merged = 0;
    while (keeping->merged < count) {
        const struct keeper_file *file = &keeper->files[keeping->merged_first - 1];
        bool is_large = file->bytes > bytes && file->bytes > MERGE_SMALL &&
                        count - keeping->merged <= MERGE_FEW;

        if (is_large || bytes + file->bytes > bytes_max ||
            modules + sw_keeper_modules(&file->modules) > SW_HISTORY_MODULES_MAX ||
            (policy->turns != 0 && turns + file->turns > policy->turns / MERGE_PART) ||
            (policy->age_ns != 0 &&
             keeping->last_ns - file->first_ns > policy->age_ns / MERGE_PART))
            return;
        bytes += file->bytes;
        turns += file->turns;
        modules += sw_keeper_modules(&file->modules);
        keeping->merged_first--;
        keeping->merged++;
    }
}

/* All of a file but for its head and what it holds in all. */
static enum sw_rc copy_file(struct pass *pass, struct keeping *keeping,
                            const struct keeper_file *file)
{
    const struct sw_history_file which = {.system = pass->shared->system,
                                          .folder = pass->span->folder,
                                          .uuid = sw_journal_uuid(pass->shared->journal),
                                          .name = file->name};
    struct sw_snapshot *snapshot = NULL;
    struct sw_snapshot_history history;
    struct sw_buffer bytes;
    uint64_t end = 0;
    enum sw_rc rc;

    sw_buffer_init(&bytes, SIZE_MAX / 2);
    rc = sw_history_open(&which, &bytes, &snapshot, &history, pass->err);
    if (rc == SW_OK && !sw_keeper_join(&keeping->modules, history.modules))
        rc = too_many(pass, &keeping->modules);
    sw_buffer_reset(&bytes);
    if (rc == SW_OK)
        rc = sw_snapshot_read_history(snapshot, &bytes, &history, &end, pass->err);
    for (uint64_t at = SW_SNAPSHOT_HEAD_BYTES; rc == SW_OK && at < end;) {
        size_t size = end - at < COPY_BYTES ? (size_t)(end - at) : COPY_BYTES;

        rc = sw_snapshot_copy(snapshot, at, size, &keeping->out, pass->err);
        at += size;
        if (rc == SW_OK)
            rc = flush(pass, keeping, WRITE_BYTES);
    }
    keeping->merged_turns += file->turns;
    keeping->first_ns = file->first_ns < keeping->first_ns ? file->first_ns : keeping->first_ns;
    sw_snapshot_close(snapshot);
    sw_buffer_done(&bytes);
    return rc;
}

/* What something in the file names: its spec, and with it the module. */
static enum sw_rc put_spec(struct pass *pass, struct keeping *keeping, uint32_t number)
{
    struct sw_snapshot_block block = {.kind = SW_SNAPSHOT_SPEC};
    const struct sw_spec *spec = sw_specs_find(&pass->shared->specs, number);
    struct sw_buffer digest;
    enum sw_rc rc = SW_OK;

    if (spec == NULL)
        return SW_OK;
    block.spec = sw_spec_record(spec).spec;
    sw_buffer_init(&digest, SW_HISTORY_DIGEST_MAX + sizeof number);
    sw_buffer_put_bytes(&digest, spec->digest);
    if (digest.failed)
        rc = no_memory(pass);
    else if (!sw_keeper_join(&keeping->modules, (struct sw_bytes){digest.data, digest.size}))
        rc = too_many(pass, &keeping->modules);
    sw_buffer_done(&digest);
    return rc == SW_OK ? put_block(pass, keeping, &block) : rc;
}

static enum sw_rc put_specs(struct pass *pass, struct keeping *keeping)
{
    enum sw_rc rc = SW_OK;

    for (size_t at = 0; rc == SW_OK && at < keeping->specs.size; at += sizeof(uint32_t)) {
        uint32_t number;

        memcpy(&number, keeping->specs.data + at, sizeof number);
        rc = put_spec(pass, keeping, number);
    }
    return rc;
}

static enum sw_rc begin_file(struct pass *pass, struct keeping *keeping)
{
    const struct sw_system *system = pass->shared->system;
    const struct sw_keeper *keeper = pass->keeper;
    char path[SW_PATH_MAX];
    enum sw_rc rc;

    choose_merged(pass, keeping);
    keeping->name =
        (struct sw_history_name){keeping->agent->hash, pass->span->from, pass->span->to};
    if (keeping->merged > 0)
        keeping->name.from = keeper->files[keeping->merged_first].name.from;
    path_of(pass, keeping, true, path);
    rc = system->file_open(system->ctx, path,
                           SW_FILE_READ | SW_FILE_WRITE | SW_FILE_CREATE | SW_FILE_TRUNCATE,
                           &keeping->file, pass->err);
    if (rc != SW_OK)
        return rc;
    sw_snapshot_head_put(sw_journal_uuid(pass->shared->journal), keeping->name.from, &keeping->out);
    for (size_t i = 0; rc == SW_OK && i < keeping->merged; i++)
        rc = copy_file(pass, keeping, &keeper->files[keeping->merged_first + i]);
    if (rc == SW_OK)
        rc = put_specs(pass, keeping);
    sw_buffer_put(&keeping->out, keeping->pods.data, keeping->pods.size);
    return rc == SW_OK ? flush(pass, keeping, WRITE_BYTES) : rc;
}

static enum sw_rc end_file(struct pass *pass, struct keeping *keeping)
{
    const struct sw_system *system = pass->shared->system;
    const struct sw_snapshot_block end = {.kind = SW_SNAPSHOT_END};
    const struct keeper_agent *agent = keeping->agent;
    struct sw_snapshot_block block = {
        .kind = SW_SNAPSHOT_HISTORY,
        .history = {.agent_uid = {agent->uid, agent->uid_size},
                    .from = keeping->name.from,
                    .to = keeping->name.to,
                    .turns = keeping->turns + keeping->merged_turns,
                    .first_ns = keeping->first_ns,
                    .last_ns = keeping->last_ns,
                    .modules = {keeping->modules.data, keeping->modules.size}}};
    enum sw_rc rc = put_records(pass, keeping, 0);

    if (rc == SW_OK)
        rc = put_block(pass, keeping, &block);
    if (rc == SW_OK)
        rc = put_block(pass, keeping, &end);
    if (rc == SW_OK)
        rc = flush(pass, keeping, 0);
    return rc == SW_OK ? system->file_sync(system->ctx, keeping->file, pass->err) : rc;
}

/* It is whole and durable: from here on it counts, in the place of those that it has taken in. */
static enum sw_rc name_file(struct pass *pass, struct keeping *keeping)
{
    const struct sw_system *system = pass->shared->system;
    struct keeper_file file = {.name = keeping->name,
                               .bytes = keeping->written,
                               .turns = keeping->turns + keeping->merged_turns,
                               .first_ns = keeping->first_ns,
                               .last_ns = keeping->last_ns};
    char draft[SW_PATH_MAX], path[SW_PATH_MAX];
    size_t first, count;
    enum sw_rc rc;

    path_of(pass, keeping, true, draft);
    path_of(pass, keeping, false, path);
    rc = system->path_rename(system->ctx, draft, path, pass->err);
    if (rc != SW_OK)
        return rc;
    system->file_close(system->ctx, keeping->file);
    keeping->file = -1;
    rc = system->folder_sync(system->ctx, pass->span->folder, pass->err);
    if (rc != SW_OK)
        return rc;
    count = sw_keeper_files(pass->keeper, keeping->agent->hash, &first);
    sw_keeper_remove(pass->shared, pass->span->folder, first + count - keeping->merged,
                     keeping->merged);
    file.modules = keeping->modules;
    rc = sw_keeper_add(pass->keeper, &file);
    if (rc == SW_OK)
        sw_buffer_init(&keeping->modules, SIZE_MAX / 2);
    else
        (void)system->path_remove(system->ctx, path, NULL);
    return rc == SW_OK ? SW_OK : sw_err_set(pass->err, rc, "there are too many files of history");
}

/* --- Writing several -------------------------------------------------------------------------- */

/* Whether it is among those that are written now. */
static bool is_written(const struct pass *pass, const struct keeping *keeping)
{
    return keeping != NULL && keeping->file >= 0 && keeping >= &pass->all[pass->first] &&
           keeping < &pass->all[pass->end];
}

/* What went wrong with one is its gap, and no matter of the others, unless all is to end. */
static enum sw_rc judge(struct pass *pass, struct keeping *keeping, enum sw_rc rc)
{
    if (rc == SW_OK || rc == SW_E_CANCELLED)
        return rc;
    drop_draft(pass, keeping);
    skip(pass, keeping, pass->err->message);
    return SW_OK;
}

static enum sw_rc keep_base(struct pass *pass, struct keeping *keeping,
                            const struct sw_snapshot_instance *saved)
{
    const struct sw_snapshot_block block = {.kind = SW_SNAPSHOT_INSTANCE, .instance = *saved};

    size_t known = keeping->specs.size;
    enum sw_rc rc = SW_OK;

    if (sw_idmap_find(keeping->who, sw_asleep_number(saved->id)) == NULL)
        return SW_OK;
    use_spec(keeping, saved->spec);
    if (keeping->specs.size > known) /* It was upgraded by the first thing that it did. */
        rc = put_spec(pass, keeping, saved->spec);
    return judge(pass, keeping, rc == SW_OK ? put_block(pass, keeping, &block) : rc);
}

static enum sw_rc keep_sleepers(struct pass *pass, struct keeping *keeping,
                                const struct sw_snapshot_places *places)
{
    const uint64_t mask = (UINT64_C(1) << SW_SHELF_PLACE_BITS) - 1;
    struct sw_reader reader = sw_reader_of(places->places.data, places->places.size);
    enum sw_rc rc = SW_OK;

    for (uint32_t i = 0; rc == SW_OK && i < places->count && is_written(pass, keeping); i++) {
        struct sw_snapshot_place place = sw_snapshot_place_take(&reader);
        struct sw_snapshot_instance saved;

        if (sw_idmap_find(keeping->who, place.number) == NULL)
            continue;
        rc = go_on(pass);
        if (rc == SW_OK && !sw_shelf_keep(pass->shelf, place.place & mask))
            rc = sw_err_set(pass->err, SW_E_CORRUPT, "the snapshot names no place of a shelf");
        if (rc == SW_OK)
            rc = sw_shelf_read(pass->shelf, place.place & mask, false, &pass->block, &saved,
                               pass->err);
        if (rc == SW_OK)
            rc = keep_base(pass, keeping, &saved);
    }
    return rc;
}

static enum sw_rc keep_block(void *ctx, const struct sw_snapshot_block *block, struct sw_err *err)
{
    struct pass *pass = ctx;
    struct sw_shelf_file file;
    struct keeping *keeping;
    enum sw_rc rc = go_on(pass);

    if (rc != SW_OK)
        return rc;
    switch ((int)block->kind) {
    case SW_SNAPSHOT_SHELF:
        file = (struct sw_shelf_file){.number = block->shelf.number,
                                      .bytes = block->shelf.bytes,
                                      .blocks = block->shelf.blocks};
        return sw_shelf_add(pass->shelf, &file, err);
    case SW_SNAPSHOT_PLACES:
        keeping = of_pod(pass, block->places.pod);
        return is_written(pass, keeping) ? keep_sleepers(pass, keeping, &block->places) : SW_OK;
    case SW_SNAPSHOT_INSTANCE:
        keeping = of_pod(pass, block->instance.pod);
        return is_written(pass, keeping) ? keep_base(pass, keeping, &block->instance) : SW_OK;
    default:
        return SW_OK;
    }
}

static enum sw_rc keep_record(void *ctx, const struct sw_journal_entry *entry, struct sw_err *err)
{
    struct pass *pass = ctx;
    struct keeping *keeping;
    struct sw_record record;
    uint64_t instance, pod;
    enum sw_rc rc = go_on(pass);

    if (rc != SW_OK)
        return rc;
    if (entry->place.lsn >= pass->span->to)
        return is_enough(pass);
    if (entry->place.lsn < pass->span->from || !sw_record_peek(entry->record, &instance, &pod))
        return SW_OK;
    keeping = of_pod(pass, pod);
    if (!is_written(pass, keeping))
        return SW_OK;
    rc = sw_record_take(entry->record, &record, err);
    if (rc != SW_OK)
        return rc;
    sw_buffer_reset(&pass->block);
    sw_bodies_inline(&pass->bodies, pass->shared->journal, entry->record, &record, &pass->block);
    if (pass->block.failed)
        return no_memory(pass);
    sw_snapshot_tail_put(entry->place.lsn, (struct sw_bytes){pass->block.data, pass->block.size},
                         &keeping->records);
    return judge(pass, keeping, put_records(pass, keeping, RECORDS_BYTES));
}

static enum sw_rc keep_bases(struct pass *pass)
{
    const struct sw_shelf_options options = {.system = pass->shared->system,
                                             .folder = pass->span->folder,
                                             .uuid = sw_journal_uuid(pass->shared->journal)};
    enum sw_rc rc;

    if (pass->span->before == NULL)
        return SW_OK;
    rc = sw_shelf_new(&options, &pass->shelf, pass->err);
    if (rc == SW_OK)
        rc = sw_snapshot_walk(pass->span->before, keep_block, pass, pass->err);
    sw_shelf_free(pass->shelf);
    pass->shelf = NULL;
    return rc;
}

/* Give up the memory of one. */
static void release(struct keeping *keeping)
{
    sw_idmap_free(keeping->who);
    keeping->who = NULL;
    sw_buffer_done(&keeping->specs);
    sw_buffer_done(&keeping->pods);
    sw_buffer_done(&keeping->out);
    sw_buffer_done(&keeping->records);
    sw_buffer_done(&keeping->modules);
}

/* All files of some Agents: those from pass->first on, up to pass->end. */
static enum sw_rc write_some(struct pass *pass)
{
    enum sw_rc rc = SW_OK;

    for (size_t i = pass->first; rc == SW_OK && i < pass->end; i++)
        if (pass->all[i].who != NULL)
            rc = judge(pass, &pass->all[i], begin_file(pass, &pass->all[i]));
    if (rc == SW_OK)
        rc = keep_bases(pass);
    if (rc == SW_OK)
        rc = end_visit(pass, sw_journal_visit_durable(pass->shared->journal, pass->span->from,
                                                      keep_record, pass, pass->err));
    for (size_t i = pass->first; rc == SW_OK && i < pass->end; i++)
        if (pass->all[i].file >= 0)
            rc = judge(pass, &pass->all[i], end_file(pass, &pass->all[i]));
    for (size_t i = pass->first; rc == SW_OK && i < pass->end; i++)
        if (pass->all[i].file >= 0)
            rc = judge(pass, &pass->all[i], name_file(pass, &pass->all[i]));
    for (size_t i = pass->first; i < pass->end; i++) {
        drop_draft(pass, &pass->all[i]);
        release(&pass->all[i]);
    }
    return rc;
}

/* --- A span ----------------------------------------------------------------------------------- */

/* Who is not to have a file of this span. */
static void choose(struct pass *pass)
{
    const struct sw_keeper *keeper = pass->keeper;

    for (size_t i = 0; i < keeper->agents_count; i++) {
        struct keeping *keeping = &pass->all[i];
        size_t first, count = sw_keeper_files(keeper, keeping->agent->hash, &first);
        bool is_kept = count > 0 && keeper->files[first + count - 1].name.to >= pass->span->to;

        if (keeping->who != NULL && is_kept) {
            sw_idmap_free(keeping->who);
            keeping->who = NULL;
        } else if (keeping->agent->has_no_room && keeping->turns > 0) {
            skip(pass, keeping, "the quota of its namespace has no room for its maxBytes");
        } else if (keeping->is_skipped && keeping->turns > 0) {
            skip(pass, keeping, "they take more than maxBytes");
        }
    }
}

static enum sw_rc write_all(struct pass *pass)
{
    const struct sw_keeper *keeper = pass->keeper;
    enum sw_rc rc = look(pass);

    if (rc != SW_OK)
        return rc;
    choose(pass);
    while (rc == SW_OK && pass->first < keeper->agents_count) {
        size_t wanted = 0;

        for (pass->end = pass->first; pass->end < keeper->agents_count; pass->end++) {
            wanted += pass->all[pass->end].who != NULL;
            if (wanted > SW_KEEPER_AGENTS)
                break;
        }
        if (wanted > 0)
            rc = write_some(pass);
        pass->first = pass->end;
    }
    return rc;
}

static void pass_done(struct pass *pass)
{
    for (size_t i = 0; pass->all != NULL && i < pass->keeper->agents_count; i++)
        release(&pass->all[i]);
    free(pass->all);
    sw_idmap_free(pass->pods);
    sw_bodies_done(&pass->bodies);
    sw_buffer_done(&pass->block);
}

static enum sw_rc pass_init(struct pass *pass)
{
    const struct sw_keeper *keeper = pass->keeper;

    sw_bodies_init(&pass->bodies);
    sw_buffer_init(&pass->block, SW_SNAPSHOT_BLOCK_MAX);
    pass->all = calloc(keeper->agents_count, sizeof *pass->all);
    pass->pods = sw_idmap_new(0, 0);
    for (size_t i = 0; pass->all != NULL && i < keeper->agents_count; i++) {
        struct keeping *keeping = &pass->all[i];

        keeping->agent = &keeper->agents[i];
        keeping->is_skipped = keeping->agent->has_no_room;
        keeping->file = -1;
        sw_buffer_init(&keeping->specs, SIZE_MAX / 2);
        sw_buffer_init(&keeping->pods, SIZE_MAX / 2);
        sw_buffer_init(&keeping->out, SIZE_MAX / 2);
        sw_buffer_init(&keeping->records, SIZE_MAX / 2);
        sw_buffer_init(&keeping->modules, SIZE_MAX / 2);
    }
    return pass->all != NULL && pass->pods != NULL ? SW_OK : no_memory(pass);
}

enum sw_rc sw_keeper_write(struct sw_shared *shared, const struct sw_keeper_span *span,
                           struct sw_err *err)
{
    struct sw_keeper *keeper = shared->snapshots->keeper;
    struct pass pass = {.shared = shared, .keeper = keeper, .span = span, .err = err};
    enum sw_rc rc;

    if (!sw_keeper_is_wanted(keeper) || span->from >= span->to)
        return SW_OK;
    rc = sw_keeper_load(shared, span->folder, err);
    if (rc == SW_OK) {
        rc = pass_init(&pass);
        if (rc == SW_OK)
            rc = write_all(&pass);
        pass_done(&pass);
    }
    if (rc == SW_OK || rc == SW_E_CANCELLED)
        return rc;
    sw_keeper_tell(keeper, err->message);
    return SW_OK;
}
