#include "pkg/agent/runtime/actor/snapshot.h"

#include "include/swarm/agent.h"
#include "pkg/agent/runtime/actor/retry.h"
#include "pkg/agent/runtime/actor/state.h"
#include "pkg/utils/base/hash.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC 0x4e535753u /* "SWSN" */
#define VERSION 5u        /* 1 had no NUMBERS, 2 no SPECs, 3 no LETTERs and no tries, 4 no waits. */
#define HEAD_BYTES 24u
#define BLOCK_HEAD_BYTES 8u
#define WRITE_BYTES (4u << 20)
#define KIND_END 255u

/* --- Writing --------------------------------------------------------------------------------- */

struct writer {
    const struct sw_snapshot_options *options;
    int file;
    uint64_t bytes; /* Written, or in `out`. */
    uint32_t check;
    struct sw_buffer out, block;
    struct sw_err *err;
};

static enum sw_rc flush(struct writer *writer)
{
    const struct sw_system *system = writer->options->system;
    enum sw_rc rc = SW_OK;

    if (writer->out.size > 0)
        rc = system->file_write(system->ctx, writer->file, writer->bytes - writer->out.size,
                                writer->out.data, writer->out.size, writer->err);
    writer->check = sw_crc32c(writer->check, writer->out.data, writer->out.size);
    sw_buffer_reset(&writer->out);
    return rc;
}

/* Put down the block that was built in writer->block. */
static enum sw_rc put_block(struct writer *writer)
{
    if (writer->block.failed || writer->block.size > UINT32_MAX)
        return sw_err_set(writer->err, SW_E_EXHAUSTED, "no memory for a snapshot");
    sw_buffer_put_u32(&writer->out, (uint32_t)writer->block.size);
    sw_buffer_put_u32(&writer->out, sw_crc32c(0, writer->block.data, writer->block.size));
    sw_buffer_put(&writer->out, writer->block.data, writer->block.size);
    if (writer->out.failed)
        return sw_err_set(writer->err, SW_E_EXHAUSTED, "no memory for a snapshot");
    writer->bytes += BLOCK_HEAD_BYTES + writer->block.size;
    sw_buffer_reset(&writer->block);
    return writer->out.size >= WRITE_BYTES ? flush(writer) : SW_OK;
}

static enum sw_rc put_specs(struct writer *writer)
{
    struct sw_specs *specs = &writer->options->shared->specs;
    struct sw_map_entry entry;
    size_t cursor = 0;
    enum sw_rc rc = SW_OK;

    while (rc == SW_OK && sw_map_next(specs->by_number, &cursor, &entry)) {
        struct sw_record record = sw_spec_record(entry.value);

        if (!((const struct sw_spec *)entry.value)->is_recorded)
            continue;
        sw_buffer_put_u8(&writer->block, SW_SNAPSHOT_SPEC);
        sw_record_put(&record, &writer->block, NULL);
        rc = put_block(writer);
    }
    return rc;
}

static enum sw_rc put_pod(struct writer *writer, const struct sw_pod *pod)
{
    const struct sw_pod_config *config = &pod->config;
    struct sw_record record = {.kind = SW_RECORD_POD,
                               .pod = {.pod = config->pod,
                                       .spec = pod->spec->number,
                                       .uid = config->uid,
                                       .name_space = config->name_space,
                                       .agent = config->agent,
                                       .agent_uid = config->agent_uid,
                                       .slots = {config->slots, sizeof config->slots},
                                       .replicas = config->replicas,
                                       .body_bytes = (uint32_t)config->body_bytes,
                                       .is_keyed = config->is_keyed}};

    sw_buffer_put_u8(&writer->block, SW_SNAPSHOT_POD);
    sw_record_put(&record, &writer->block, NULL);
    return put_block(writer);
}

/* What waits is kept if the journal knows of it; the others were told that the host stops. */
static enum sw_rc put_message(struct writer *writer, const struct sw_message *message)
{
    const struct sw_message_head *head = &message->head;
    bool is_known = head->source.lsn != 0 ||
                    ((head->flags & SWARM_MESSAGE_IS_REPLY) != 0 && head->answers.lsn != 0);

    if (head->origin.kind == SW_ORIGIN_CLIENT || !is_known)
        return SW_OK;
    sw_buffer_put_u8(&writer->block, SW_SNAPSHOT_MESSAGE);
    sw_buffer_put_u64(&writer->block, message->pod);
    sw_buffer_put_u64(&writer->block, message->instance);
    sw_buffer_put_bytes(&writer->block, message->key);
    sw_buffer_put_u8(&writer->block, message->is_timer);
    sw_buffer_put_u32(&writer->block, message->attempts);
    sw_buffer_put_u64(&writer->block, message->retry_ns);
    sw_message_head_put(head, &writer->block);
    sw_buffer_put_bytes(&writer->block, message->body);
    return put_block(writer);
}

static enum sw_rc put_queue(struct writer *writer, const struct sw_item *last)
{
    const struct sw_item *item = last;
    enum sw_rc rc = SW_OK;

    if (last == NULL)
        return SW_OK;
    do {
        item = item->next;
        rc = put_message(writer, (const struct sw_message *)(const void *)item);
    } while (rc == SW_OK && item != last);
    return rc;
}

/* The image of an instance: made now, or the one that it slept through since. */
static enum sw_rc make_image(struct writer *writer, struct sw_worker *worker,
                             struct sw_instance *instance, struct sw_image **ret_image)
{
    struct sw_snapshot *before = worker->shared->snapshot;
    bool was_asleep = instance->guest == NULL;
    enum sw_rc rc = SW_OK;

    if (was_asleep && before != NULL && instance->snapshot_at != 0 &&
        instance->actor.state_lsn == instance->actor.last_lsn &&
        sw_snapshot_image(before, instance->snapshot_at, ret_image, writer->err) == SW_OK) {
        if ((*ret_image)->lsn == instance->actor.state_lsn)
            return SW_OK;
        free(*ret_image);
    }
    if (instance->is_parked ||
        (was_asleep && sw_program_find(worker, instance->spec->digest) == NULL))
        return sw_err_set(writer->err, SW_E_PRECONDITION,
                          "an instance cannot be rebuilt: its module is not here, or it is parked");
    if (was_asleep)
        rc = sw_instance_rebuild(worker, instance, writer->err);
    if (rc != SW_OK)
        return rc == SW_E_EXHAUSTED ? rc : SW_E_PRECONDITION;
    *ret_image = sw_image_new(worker, instance, writer->err);
    if (was_asleep)
        sw_instance_sleep(worker, instance);
    return *ret_image == NULL ? SW_E_EXHAUSTED : SW_OK;
}

static enum sw_rc put_instance(struct writer *writer, struct sw_worker *worker,
                               struct sw_instance *instance)
{
    struct sw_image *image;
    enum sw_rc rc = make_image(writer, worker, instance, &image);

    if (rc != SW_OK)
        return rc;
    sw_buffer_put_u8(&writer->block, SW_SNAPSHOT_INSTANCE);
    sw_buffer_put_u64(&writer->block, instance->pod->config.pod);
    sw_buffer_put_u64(&writer->block, instance->id);
    sw_buffer_put_u64(&writer->block, instance->memory_bytes);
    sw_buffer_put_u64(&writer->block, image->random_next);
    sw_buffer_put_u32(&writer->block, instance->spec->number);
    sw_buffer_put_bytes(&writer->block, sw_instance_key(instance));
    sw_buffer_put(&writer->block, instance->random.seed, sizeof instance->random.seed);
    sw_buffer_put_bytes(&writer->block, (struct sw_bytes){image->bytes, image->actor_bytes});
    sw_buffer_put_bytes(&writer->block,
                        (struct sw_bytes){image->bytes + image->actor_bytes, image->guest_bytes});
    free(image);
    return put_block(writer);
}

static enum sw_rc put_instances(struct writer *writer, struct sw_worker *worker,
                                const struct sw_pod *pod)
{
    const struct sw_snapshot_options *options = writer->options;
    struct sw_map_entry entry;
    size_t cursor = 0;
    enum sw_rc rc = SW_OK;

    while (rc == SW_OK && sw_map_next(pod->instances, &cursor, &entry)) {
        struct sw_instance *instance = entry.value;

        if (options->is_late != NULL && options->is_late(options->ctx))
            return sw_err_set(writer->err, SW_E_TIMEOUT, "no time left for a snapshot");
        if (instance->is_started)
            rc = put_instance(writer, worker, instance);
        if (rc == SW_OK)
            rc = put_queue(writer, sw_held_items(instance->held));
        for (uint32_t p = 0; rc == SW_OK && p < SW_PRIORITIES; p++)
            rc = put_queue(writer, instance->mailbox[p]);
        if (rc == SW_OK && instance->answer != NULL)
            rc = put_message(writer, instance->answer);
    }
    return rc;
}

static enum sw_rc put_letters(struct writer *writer, const struct sw_pod *pod)
{
    enum sw_rc rc = SW_OK;

    for (size_t i = 0; rc == SW_OK && i < pod->letters.count; i++) {
        const struct sw_letter *letter = pod->letters.items[i];
        struct sw_record record = {.kind = SW_RECORD_LETTER,
                                   .letter = {.act = SW_LETTER_PARK,
                                              .pod = pod->config.pod,
                                              .time_ns = letter->time_ns,
                                              .number = letter->number,
                                              .key = letter->message->key,
                                              .reason = letter->reason,
                                              .words = letter->words,
                                              .attempts = letter->attempts,
                                              .is_timer = letter->message->is_timer,
                                              .head = letter->message->head,
                                              .body = letter->message->body}};

        sw_buffer_put_u8(&writer->block, SW_SNAPSHOT_LETTER);
        sw_record_put(&record, &writer->block, NULL);
        rc = put_block(writer);
    }
    return rc;
}

static enum sw_rc put_worker(struct writer *writer, struct sw_worker *worker)
{
    struct sw_map_entry entry;
    size_t cursor = 0;
    enum sw_rc rc = SW_OK;

    while (rc == SW_OK && sw_map_next(worker->pods, &cursor, &entry)) {
        const struct sw_pod *pod = entry.value;

        if (!pod->config.is_durable)
            continue;
        rc = put_pod(writer, pod);
        if (rc == SW_OK)
            rc = put_letters(writer, pod);
        if (rc == SW_OK)
            rc = put_queue(writer, pod->limbo);
        if (rc == SW_OK)
            rc = put_instances(writer, worker, pod);
    }
    return rc;
}

static enum sw_rc put_published(struct writer *writer)
{
    const struct sw_requests *published = writer->options->shared->bus.published;

    if (published == NULL)
        return SW_OK;
    sw_buffer_put_u8(&writer->block, SW_SNAPSHOT_PUBLISHED);
    sw_requests_save(published, &writer->block);
    return put_block(writer);
}

static enum sw_rc put_numbers(struct writer *writer)
{
    struct sw_shared *shared = writer->options->shared;

    sw_buffer_put_u8(&writer->block, SW_SNAPSHOT_NUMBERS);
    sw_buffer_put_u64(&writer->block, atomic_load(&shared->next_pod));
    sw_buffer_put_u64(&writer->block, atomic_load(&shared->next_instance));
    return put_block(writer);
}

static enum sw_rc write_all(struct writer *writer)
{
    const struct sw_snapshot_options *options = writer->options;
    const struct sw_system *system = options->system;
    enum sw_rc rc = SW_OK;

    sw_buffer_put_u32(&writer->out, MAGIC);
    sw_buffer_put_u32(&writer->out, VERSION);
    sw_buffer_put(&writer->out, sw_journal_uuid(options->shared->journal), 16);
    writer->bytes = HEAD_BYTES;
    rc = put_specs(writer);
    for (uint32_t i = 0; rc == SW_OK && i < options->count; i++)
        rc = put_worker(writer, options->workers[i]);
    if (rc == SW_OK)
        rc = put_published(writer);
    if (rc == SW_OK) /* Behind the Pods: a journal begins with their numbers at 1. */
        rc = put_numbers(writer);
    sw_buffer_put_u8(&writer->block, KIND_END);
    if (rc == SW_OK)
        rc = put_block(writer);
    if (rc == SW_OK)
        rc = flush(writer);
    if (rc == SW_OK)
        rc = system->file_sync(system->ctx, writer->file, writer->err);
    return rc == SW_OK ? system->folder_sync(system->ctx, options->folder, writer->err) : rc;
}

struct removal {
    const struct sw_snapshot_options *options;
    const char *keep;
};

static bool remove_other(void *ctx, const char *name)
{
    struct removal *removal = ctx;
    char path[SW_PATH_MAX];

    if (strncmp(name, "snapshot-", 9) != 0 || strcmp(name, removal->keep) == 0)
        return true;
    snprintf(path, sizeof path, "%s/%s", removal->options->folder, name);
    (void)removal->options->system->path_remove(removal->options->system->ctx, path, NULL);
    return true;
}

/* Name the file in the journal; from then on it counts and what is before it does not. */
static enum sw_rc make_it_count(struct writer *writer, const char *name)
{
    const struct sw_snapshot_options *options = writer->options;
    struct sw_journal *journal = options->shared->journal;
    struct removal removal = {options, name};
    struct sw_record record = {
        .kind = SW_RECORD_SNAPSHOT,
        .snapshot = {.file = {name, strlen(name)}, .bytes = writer->bytes, .check = writer->check}};
    struct sw_journal_place place;
    enum sw_rc rc;

    sw_buffer_reset(&writer->block);
    sw_record_put(&record, &writer->block, NULL);
    sw_journal_cut_segment(journal);
    rc = sw_journal_append(journal, (struct sw_bytes){writer->block.data, writer->block.size},
                           &place, writer->err);
    if (rc == SW_OK)
        rc = sw_journal_commit(journal, writer->err);
    if (rc != SW_OK)
        return rc;
    rc = sw_journal_remove_before(journal, place.lsn, writer->err);
    if (rc == SW_OK)
        rc = options->system->folder_list(options->system->ctx, options->folder, remove_other,
                                          &removal, writer->err);
    return rc;
}

enum sw_rc sw_snapshot_take(const struct sw_snapshot_options *options, struct sw_err *err)
{
    struct writer writer = {.options = options, .err = err};
    const struct sw_system *system = options->system;
    char name[64], path[SW_PATH_MAX];
    enum sw_rc rc;

    assert(!sw_journal_is_dirty(options->shared->journal));
    snprintf(name, sizeof name, "snapshot-%016" PRIx64 ".snap",
             sw_journal_durable(options->shared->journal));
    snprintf(path, sizeof path, "%s/%s", options->folder, name);
    sw_buffer_init(&writer.out, SW_SNAPSHOT_BLOCK_MAX + WRITE_BYTES);
    sw_buffer_init(&writer.block, SW_SNAPSHOT_BLOCK_MAX);
    rc = system->file_open(system->ctx, path,
                           SW_FILE_READ | SW_FILE_WRITE | SW_FILE_CREATE | SW_FILE_TRUNCATE,
                           &writer.file, err);
    if (rc == SW_OK) {
        rc = write_all(&writer);
        system->file_close(system->ctx, writer.file);
        if (rc == SW_OK)
            rc = make_it_count(&writer, name);
        else
            (void)system->path_remove(system->ctx, path, NULL);
    }
    sw_buffer_done(&writer.out);
    sw_buffer_done(&writer.block);
    return rc;
}

/* --- Reading --------------------------------------------------------------------------------- */

struct sw_snapshot {
    const struct sw_system *system;
    int file;
    uint64_t bytes, lsn;
};

/* Read the block at `at` into out.  SW_E_CORRUPT: there is none. */
static enum sw_rc read_block(const struct sw_snapshot *snapshot, uint64_t at, struct sw_buffer *out,
                             struct sw_err *err)
{
    const struct sw_system *system = snapshot->system;
    uint8_t head[BLOCK_HEAD_BYTES] = {0}, *bytes;
    struct sw_reader reader = sw_reader_of(head, sizeof head);
    uint32_t size, check;
    size_t got = 0;
    enum sw_rc rc = SW_E_CORRUPT;

    if (at + sizeof head <= snapshot->bytes)
        rc = system->file_read(system->ctx, snapshot->file, at, head, sizeof head, &got, err);
    if (rc != SW_OK && rc != SW_E_CORRUPT)
        return rc;
    size = sw_reader_u32(&reader);
    check = sw_reader_u32(&reader);
    if (rc != SW_OK || got < sizeof head || size == 0 || size > snapshot->bytes - at - sizeof head)
        return sw_err_set(err, SW_E_CORRUPT, "no block of a snapshot at %" PRIu64, at);
    sw_buffer_reset(out);
    bytes = sw_buffer_reserve(out, size);
    if (bytes == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a block of a snapshot");
    rc = system->file_read(system->ctx, snapshot->file, at + sizeof head, bytes, size, &got, err);
    if (rc == SW_OK && (got < size || check != sw_crc32c(0, bytes, size)))
        return sw_err_set(err, SW_E_CORRUPT, "damaged block of a snapshot at %" PRIu64, at);
    out->size = size;
    return rc;
}

/* Parse an INSTANCE block behind its kind. */
static bool take_instance(struct sw_reader *reader, struct sw_snapshot_instance *instance,
                          struct sw_bytes *ret_guest)
{
    instance->pod = sw_reader_u64(reader);
    instance->id = sw_reader_u64(reader);
    instance->memory_bytes = sw_reader_u64(reader);
    instance->random_next = sw_reader_u64(reader);
    instance->spec = sw_reader_u32(reader);
    instance->key = sw_reader_bytes(reader, UINT8_MAX);
    instance->seed = sw_reader_take(reader, 16);
    instance->actor = sw_reader_bytes(reader, UINT32_MAX);
    *ret_guest = sw_reader_bytes(reader, UINT32_MAX);
    return sw_reader_is_finished(reader) && instance->pod != 0 && instance->id != 0;
}

static bool take_message(struct sw_reader *reader, struct sw_message *message)
{
    memset(message, 0, sizeof *message);
    message->pod = sw_reader_u64(reader);
    message->instance = sw_reader_u64(reader);
    message->key = sw_reader_bytes(reader, UINT8_MAX);
    message->is_timer = sw_reader_u8(reader) != 0;
    message->attempts = sw_reader_u32(reader);
    message->retry_ns = sw_reader_u64(reader);
    sw_message_head_take(reader, &message->head);
    message->body = sw_reader_bytes(reader, SW_EFFECT_BODY_MAX);
    return sw_reader_is_finished(reader) && message->pod != 0;
}

static bool take_block(struct sw_reader *reader, struct sw_snapshot_block *block)
{
    struct sw_record record;
    struct sw_bytes guest;

    switch (block->kind) {
    case SW_SNAPSHOT_SPEC:
        if (sw_record_take(sw_reader_take(reader, reader->size - reader->at), &record, NULL) !=
                SW_OK ||
            record.kind != SW_RECORD_SPEC)
            return false;
        block->spec = record.spec;
        return true;
    case SW_SNAPSHOT_POD:
        if (sw_record_take(sw_reader_take(reader, reader->size - reader->at), &record, NULL) !=
                SW_OK ||
            record.kind != SW_RECORD_POD)
            return false;
        block->pod = record.pod;
        return true;
    case SW_SNAPSHOT_LETTER:
        if (sw_record_take(sw_reader_take(reader, reader->size - reader->at), &record, NULL) !=
                SW_OK ||
            record.kind != SW_RECORD_LETTER || record.letter.act != SW_LETTER_PARK)
            return false;
        block->letter = record.letter;
        return true;
    case SW_SNAPSHOT_INSTANCE:
        return take_instance(reader, &block->instance, &guest);
    case SW_SNAPSHOT_MESSAGE:
        return take_message(reader, &block->message);
    case SW_SNAPSHOT_PUBLISHED:
        block->published = sw_reader_take(reader, reader->size - reader->at);
        return true;
    case SW_SNAPSHOT_NUMBERS:
        block->numbers.next_pod = sw_reader_u64(reader);
        block->numbers.next_instance = sw_reader_u64(reader);
        return sw_reader_is_finished(reader);
    }
    return false;
}

static enum sw_rc visit_blocks(struct sw_snapshot *snapshot, sw_snapshot_visit *visit, void *ctx,
                               struct sw_err *err)
{
    struct sw_buffer buffer;
    uint64_t at = HEAD_BYTES;
    bool is_end = false;
    enum sw_rc rc = SW_OK;

    sw_buffer_init(&buffer, SW_SNAPSHOT_BLOCK_MAX);
    while (rc == SW_OK && !is_end) {
        struct sw_snapshot_block block = {.at = at};
        struct sw_reader reader;
        unsigned kind;

        rc = read_block(snapshot, at, &buffer, err);
        if (rc != SW_OK)
            break;
        reader = sw_reader_of(buffer.data, buffer.size);
        kind = sw_reader_u8(&reader);
        is_end = kind == KIND_END;
        block.kind = (enum sw_snapshot_kind)kind;
        if (is_end)
            break;
        rc = take_block(&reader, &block)
                 ? visit(ctx, &block, err)
                 : sw_err_set(err, SW_E_CORRUPT, "malformed block of a snapshot at %" PRIu64, at);
        at += BLOCK_HEAD_BYTES + buffer.size;
    }
    sw_buffer_done(&buffer);
    return rc;
}

/* Check the head and the whole file against what the journal says of it. */
static enum sw_rc verify(const struct sw_snapshot *snapshot,
                         const struct sw_snapshot_source *source, struct sw_err *err)
{
    const struct sw_system *system = source->system;
    uint8_t *chunk = malloc(WRITE_BYTES);
    uint32_t check = 0;
    enum sw_rc rc = chunk == NULL ? SW_E_EXHAUSTED : SW_OK;
    bool is_ours = true;
    uint32_t version = VERSION;

    for (uint64_t at = 0; rc == SW_OK && at < snapshot->bytes; at += WRITE_BYTES) {
        uint64_t left = snapshot->bytes - at;
        size_t size = left < WRITE_BYTES ? (size_t)left : WRITE_BYTES, got = 0;

        rc = system->file_read(system->ctx, snapshot->file, at, chunk, size, &got, err);
        check = sw_crc32c(check, chunk, got);
        if (at == 0 && got >= HEAD_BYTES) {
            struct sw_reader reader = sw_reader_of(chunk, HEAD_BYTES);
            is_ours = sw_reader_u32(&reader) == MAGIC && memcmp(chunk + 8, source->uuid, 16) == 0;
            version = sw_reader_u32(&reader);
        }
    }
    free(chunk);
    if (rc == SW_OK && is_ours && (version == 0 || version > VERSION)) {
        sw_err_set(err, SW_E_UNSUPPORTED, "the snapshot is of version %" PRIu32, version);
        sw_err_hint(err, "it was written by another release of Swarm; this one reads version %u",
                    VERSION);
        return SW_E_UNSUPPORTED;
    }
    if (rc == SW_OK && (!is_ours || check != source->record->check))
        return sw_err_set(err, SW_E_CORRUPT, "the snapshot %.*s is damaged",
                          (int)source->record->file.size, (const char *)source->record->file.data);
    return rc;
}

enum sw_rc sw_snapshot_open(const struct sw_snapshot_source *source, sw_snapshot_visit *visit,
                            void *ctx, struct sw_snapshot **ret_snapshot, struct sw_err *err)
{
    struct sw_snapshot *snapshot = calloc(1, sizeof *snapshot);
    char path[SW_PATH_MAX];
    enum sw_rc rc;

    if (snapshot == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a snapshot");
    snapshot->system = source->system;
    snapshot->bytes = source->record->bytes;
    snapshot->lsn = source->lsn;
    snapshot->file = -1;
    snprintf(path, sizeof path, "%s/%.*s", source->folder, (int)source->record->file.size,
             (const char *)source->record->file.data);
    if (memchr(source->record->file.data, '/', source->record->file.size) != NULL)
        rc = sw_err_set(err, SW_E_CORRUPT, "the journal names a snapshot outside of its folder");
    else
        rc = source->system->file_open(source->system->ctx, path, SW_FILE_READ, &snapshot->file,
                                       err);
    if (rc == SW_OK)
        rc = verify(snapshot, source, err);
    if (rc == SW_OK)
        rc = visit_blocks(snapshot, visit, ctx, err);
    if (rc != SW_OK) {
        sw_snapshot_close(snapshot);
        return rc;
    }
    *ret_snapshot = snapshot;
    return SW_OK;
}

void sw_snapshot_close(struct sw_snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    if (snapshot->file >= 0)
        snapshot->system->file_close(snapshot->system->ctx, snapshot->file);
    free(snapshot);
}

enum sw_rc sw_snapshot_image(struct sw_snapshot *snapshot, uint64_t at, struct sw_image **ret_image,
                             struct sw_err *err)
{
    struct sw_snapshot_instance instance;
    struct sw_bytes guest;
    struct sw_buffer buffer;
    struct sw_reader reader;
    struct sw_image *image;
    enum sw_rc rc;

    sw_buffer_init(&buffer, SW_SNAPSHOT_BLOCK_MAX);
    rc = read_block(snapshot, at, &buffer, err);
    reader = sw_reader_of(buffer.data, buffer.size);
    if (rc == SW_OK && (sw_reader_u8(&reader) != SW_SNAPSHOT_INSTANCE ||
                        !take_instance(&reader, &instance, &guest)))
        rc = sw_err_set(err, SW_E_CORRUPT, "no image in the snapshot at %" PRIu64, at);
    if (rc != SW_OK) {
        sw_buffer_done(&buffer);
        return rc;
    }
    image = malloc(sizeof *image + instance.actor.size + guest.size);
    if (image != NULL) {
        image->lsn = snapshot->lsn;
        image->random_next = instance.random_next;
        image->actor_bytes = (uint32_t)instance.actor.size;
        image->guest_bytes = (uint32_t)guest.size;
        memcpy(image->bytes, instance.actor.data, instance.actor.size);
        memcpy(image->bytes + instance.actor.size, guest.data, guest.size);
        *ret_image = image;
    } else {
        rc = sw_err_set(err, SW_E_EXHAUSTED, "no memory for an image");
    }
    sw_buffer_done(&buffer);
    return rc;
}
