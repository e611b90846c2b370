#include "pkg/agent/store/snapshot.h"

#include "pkg/agent/store/effect.h"
#include "pkg/utils/base/hash.h"

#include <assert.h>
#include <inttypes.h>
#include <lz4.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC 0x4e535753u /* "SWSN" */
#define READ_BYTES (1u << 20)
#define READ_ONE_BYTES 2048u /* An instance of the small kind and some more. */
#define PACK_MIN 512u        /* Bytes that may shrink, for which it is tried; */
#define PACK_PART 8u         /* and one part of so many is saved at least. */
#define PACKED_BYTES 5u      /* Of a packed block before what LZ4 made. */
#define PACKED_RATIO 255u    /* LZ4 makes no byte of more than these. */
/* A file of history ends with its block, whose last field is its size, and END: */
#define END_BYTES (SW_SNAPSHOT_BLOCK_HEAD_BYTES + 1u)
#define HISTORY_BYTES_MAX (SW_HISTORY_MODULES_MAX * (SW_HISTORY_DIGEST_MAX + 4u) + 512u)

void sw_snapshot_name(uint64_t lsn, char ret_name[SW_SNAPSHOT_NAME_MAX])
{
    snprintf(ret_name, SW_SNAPSHOT_NAME_MAX, "snapshot-%016" PRIx64 ".snap", lsn);
}

/* --- Writing --------------------------------------------------------------------------------- */

void sw_snapshot_head_put(const uint8_t uuid[16], uint64_t lsn, struct sw_buffer *out)
{
    size_t start = out->size;

    sw_buffer_put_u32(out, MAGIC);
    sw_buffer_put_u32(out, SW_SNAPSHOT_VERSION);
    sw_buffer_put(out, uuid, 16);
    sw_buffer_put_u64(out, lsn);
    sw_buffer_put_u32(out, 0);
    if (!out->failed)
        sw_buffer_put_u32(out, sw_crc32c(0, out->data + start, SW_SNAPSHOT_HEAD_BYTES - 4));
}

static void instance_put(const struct sw_snapshot_instance *instance, struct sw_buffer *out)
{
    sw_buffer_put_u64(out, instance->pod);
    sw_buffer_put_u64(out, instance->id);
    sw_buffer_put_u64(out, instance->memory_bytes);
    sw_buffer_put_u64(out, instance->last_lsn);
    sw_buffer_put_u64(out, instance->state_lsn);
    sw_buffer_put_u64(out, instance->random_next);
    sw_usage_put(&instance->used, out);
    sw_buffer_put_u32(out, instance->pages);
    sw_buffer_put_u32(out, instance->spec);
    sw_buffer_put_u32(out, instance->refused);
    sw_buffer_put_u32(out, instance->tail_records);
    sw_buffer_put_u8(out, instance->image_delay);
    sw_buffer_put_bytes(out, instance->key);
    sw_buffer_put(out, instance->seed.data, 16);
    sw_buffer_put_bytes(out, instance->actor);
    sw_buffer_put_u64(out, instance->base_lsn);
    sw_buffer_put_u64(out, instance->base_random_next);
    sw_buffer_put_bytes(out, instance->base_actor);
    sw_buffer_put_bytes(out, instance->guest);
    sw_buffer_put_bytes(out, instance->tail);
}

/* Never packed: its end is looked at first. */
static void history_put(const struct sw_snapshot_history *history, struct sw_buffer *out)
{
    size_t start = out->size;

    sw_buffer_put_bytes(out, history->agent_uid);
    sw_buffer_put_u64(out, history->from);
    sw_buffer_put_u64(out, history->to);
    sw_buffer_put_u64(out, history->turns);
    sw_buffer_put_u64(out, history->first_ns);
    sw_buffer_put_u64(out, history->last_ns);
    sw_buffer_put_bytes(out, history->modules);
    sw_buffer_put_u32(out, (uint32_t)(out->size - start + 4));
}

#define HANDLED 2u /* In place of whether it is lost. */

static void message_put(const struct sw_snapshot_message *message, struct sw_buffer *out)
{
    sw_buffer_put_u64(out, message->pod);
    sw_buffer_put_u64(out, message->instance);
    sw_buffer_put_u8(out, message->is_handled ? HANDLED : message->is_lost);
    sw_buffer_put_u8(out, message->is_timer);
    sw_buffer_put_u32(out, message->attempts);
    sw_buffer_put_u64(out, message->retry_ns);
    sw_buffer_put_bytes(out, message->key);
    sw_message_head_put(&message->head, out);
    sw_buffer_put_bytes(out, message->body);
}

static void places_put(const struct sw_snapshot_places *places, struct sw_buffer *out)
{
    sw_buffer_put_u64(out, places->pod);
    sw_buffer_put_u32(out, places->slot);
    sw_buffer_put_u32(out, places->count);
    sw_buffer_put_u64(out, places->pages);
    sw_buffer_put_u64(out, places->page_since_ms);
    sw_buffer_put_u64(out, places->memory_bytes);
    sw_buffer_put_bytes(out, places->specs);
    sw_buffer_put(out, places->places.data, places->places.size);
}

static void content_put(const struct sw_snapshot_block *block, struct sw_buffer *out)
{
    struct sw_record record = {.kind = SW_RECORD_SPEC};

    switch (block->kind) {
    case SW_SNAPSHOT_SPEC:
        record.spec = block->spec;
        sw_record_put(&record, out, NULL);
        return;
    case SW_SNAPSHOT_POD:
        record.kind = SW_RECORD_POD;
        record.pod = block->pod;
        sw_record_put(&record, out, NULL);
        return;
    case SW_SNAPSHOT_LETTER:
        record.kind = SW_RECORD_LETTER;
        record.letter = block->letter;
        sw_record_put(&record, out, NULL);
        return;
    case SW_SNAPSHOT_USAGE:
        record.kind = SW_RECORD_USAGE;
        record.usage = block->usage;
        sw_record_put(&record, out, NULL);
        return;
    case SW_SNAPSHOT_INSTANCE:
        instance_put(&block->instance, out);
        return;
    case SW_SNAPSHOT_MESSAGE:
        message_put(&block->message, out);
        return;
    case SW_SNAPSHOT_PUBLISHED:
        sw_buffer_put(out, block->published.data, block->published.size);
        return;
    case SW_SNAPSHOT_NUMBERS:
        sw_buffer_put_u64(out, block->numbers.next_pod);
        sw_buffer_put_u64(out, block->numbers.next_instance);
        sw_buffer_put_u64(out, block->numbers.time_ns);
        return;
    case SW_SNAPSHOT_GONE:
        sw_buffer_put_u64(out, block->gone.pod);
        sw_buffer_put_bytes(out, block->gone.name_space);
        sw_buffer_put_bytes(out, block->gone.agent);
        return;
    case SW_SNAPSHOT_SHELF:
        sw_buffer_put_u32(out, block->shelf.number);
        sw_buffer_put_u64(out, block->shelf.bytes);
        sw_buffer_put_u64(out, block->shelf.blocks);
        return;
    case SW_SNAPSHOT_PLACES:
        places_put(&block->places, out);
        return;
    case SW_SNAPSHOT_RECORDS:
        sw_buffer_put(out, block->records.data, block->records.size);
        return;
    case SW_SNAPSHOT_HISTORY:
        history_put(&block->history, out);
        return;
    case SW_SNAPSHOT_END:
        return;
    case SW_SNAPSHOT_PACKED: /* Only `pack` makes one, of another. */
        break;
    }
    out->failed = true;
}

static void put_u32(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

/* Whether it is tried: a guest is packed already, so the rest must be what makes it smaller. */
static bool may_shrink(const struct sw_snapshot_block *block, size_t size)
{
    size_t rest = block->kind == SW_SNAPSHOT_INSTANCE ? size - block->instance.guest.size : size;

    if (block->kind == SW_SNAPSHOT_PLACES || /* Hashes do not. */
        block->kind == SW_SNAPSHOT_HISTORY)
        return false;
    return rest >= PACK_MIN && rest >= size / PACK_PART && size <= LZ4_MAX_INPUT_SIZE;
}

/* Pack what stands in out from `at` on, if it becomes small enough. */
static void pack(struct sw_buffer *out, size_t at)
{
    size_t size = out->size - at, room_size = size - size / PACK_PART - PACKED_BYTES;
    uint8_t *room;
    int packed;

    if (room_size > out->size_max - out->size)
        return;
    room = sw_buffer_reserve(out, room_size);
    if (room == NULL)
        return;
    packed =
        LZ4_compress_default((const char *)out->data + at, (char *)room, (int)size, (int)room_size);
    if (packed <= 0) /* It found no room there. */
        return;
    out->data[at] = SW_SNAPSHOT_PACKED;
    put_u32(out->data + at + 1, (uint32_t)size);
    memmove(out->data + at + PACKED_BYTES, room, (size_t)packed);
    out->size = at + PACKED_BYTES + (size_t)packed;
}

void sw_snapshot_block_put(const struct sw_snapshot_block *block, struct sw_buffer *out)
{
    static const uint8_t no_head[SW_SNAPSHOT_BLOCK_HEAD_BYTES];
    size_t start = out->size, content = start + sizeof no_head, size;

    sw_buffer_put(out, no_head, sizeof no_head);
    sw_buffer_put_u8(out, (uint8_t)block->kind);
    content_put(block, out);
    if (out->size - start > SW_SNAPSHOT_BLOCK_MAX)
        out->failed = true;
    if (!out->failed && may_shrink(block, out->size - content))
        pack(out, content);
    if (out->failed)
        return;
    size = out->size - content;
    put_u32(out->data + start, (uint32_t)size);
    put_u32(out->data + start + 4, sw_crc32c(0, out->data + content, size));
}

void sw_snapshot_tail_put(uint64_t lsn, struct sw_bytes record, struct sw_buffer *out)
{
    sw_buffer_put_u64(out, lsn);
    sw_buffer_put_bytes(out, record);
}

/* --- Parsing --------------------------------------------------------------------------------- */

bool sw_snapshot_tail_take(struct sw_reader *reader, uint64_t *ret_lsn, struct sw_bytes *ret_record)
{
    if (reader->failed || reader->at == reader->size)
        return false;
    *ret_lsn = sw_reader_u64(reader);
    *ret_record = sw_reader_bytes(reader, SW_JOURNAL_RECORD_MAX);
    return !reader->failed;
}

/* Whether a tail is records of this instance between its base and its last one, in order. */
static bool is_tail(const struct sw_snapshot_instance *instance, uint64_t *ret_count)
{
    struct sw_reader reader = sw_reader_of(instance->tail.data, instance->tail.size);
    uint64_t last = instance->base_lsn, lsn;
    struct sw_bytes bytes;

    while (sw_snapshot_tail_take(&reader, &lsn, &bytes)) {
        struct sw_record record;

        if (sw_record_take(bytes, &record, NULL) != SW_OK || record.kind != SW_RECORD_SEGMENT ||
            record.segment.instance != instance->id || record.segment.body_lsn != 0 ||
            lsn <= last || lsn > instance->last_lsn)
            return false;
        last = lsn;
        ++*ret_count;
    }
    return !reader.failed;
}

/* Whether it is records of segments, in order. */
static bool are_records(struct sw_bytes records, uint64_t *ret_count)
{
    struct sw_reader reader = sw_reader_of(records.data, records.size);
    uint64_t last = 0, lsn;
    struct sw_bytes bytes;

    while (sw_snapshot_tail_take(&reader, &lsn, &bytes)) {
        struct sw_record record;

        if (sw_record_take(bytes, &record, NULL) != SW_OK || record.kind != SW_RECORD_SEGMENT ||
            lsn <= last)
            return false;
        last = lsn;
        ++*ret_count;
    }
    return !reader.failed;
}

static bool history_take(struct sw_reader *reader, struct sw_snapshot_history *history)
{
    size_t start = reader->at;
    struct sw_reader modules;
    uint32_t count = 0;

    history->agent_uid = sw_reader_bytes(reader, UINT8_MAX);
    history->from = sw_reader_u64(reader);
    history->to = sw_reader_u64(reader);
    history->turns = sw_reader_u64(reader);
    history->first_ns = sw_reader_u64(reader);
    history->last_ns = sw_reader_u64(reader);
    history->modules = sw_reader_bytes(reader, HISTORY_BYTES_MAX);
    if (sw_reader_u32(reader) != reader->at - start || !sw_reader_is_finished(reader) ||
        history->from > history->to)
        return false;
    modules = sw_reader_of(history->modules.data, history->modules.size);
    for (; modules.at < modules.size && !modules.failed; count++)
        (void)sw_reader_bytes(&modules, SW_HISTORY_DIGEST_MAX);
    return !modules.failed && count <= SW_HISTORY_MODULES_MAX;
}

static bool instance_take(struct sw_reader *reader, struct sw_snapshot_instance *instance)
{
    instance->pod = sw_reader_u64(reader);
    instance->id = sw_reader_u64(reader);
    instance->memory_bytes = sw_reader_u64(reader);
    instance->last_lsn = sw_reader_u64(reader);
    instance->state_lsn = sw_reader_u64(reader);
    instance->random_next = sw_reader_u64(reader);
    sw_usage_take(reader, &instance->used);
    instance->pages = sw_reader_u32(reader);
    instance->spec = sw_reader_u32(reader);
    instance->refused = sw_reader_u32(reader);
    instance->tail_records = sw_reader_u32(reader);
    instance->image_delay = sw_reader_u8(reader);
    instance->key = sw_reader_bytes(reader, UINT8_MAX);
    instance->seed = sw_reader_take(reader, 16);
    instance->actor = sw_reader_bytes(reader, UINT32_MAX);
    instance->base_lsn = sw_reader_u64(reader);
    instance->base_random_next = sw_reader_u64(reader);
    instance->base_actor = sw_reader_bytes(reader, UINT32_MAX);
    instance->guest = sw_reader_bytes(reader, UINT32_MAX);
    instance->tail = sw_reader_bytes(reader, UINT32_MAX);
    return sw_reader_is_finished(reader) && instance->pod != 0 && instance->id != 0 &&
           instance->state_lsn <= instance->last_lsn && instance->base_lsn <= instance->last_lsn;
}

static bool places_take(struct sw_reader *reader, struct sw_snapshot_places *places)
{
    places->pod = sw_reader_u64(reader);
    places->slot = sw_reader_u32(reader);
    places->count = sw_reader_u32(reader);
    places->pages = sw_reader_u64(reader);
    places->page_since_ms = sw_reader_u64(reader);
    places->memory_bytes = sw_reader_u64(reader);
    places->specs = sw_reader_bytes(reader, SW_SNAPSHOT_SPECS_MAX * sizeof(uint32_t));
    places->places = sw_reader_take(reader, reader->size - reader->at);
    return !reader->failed && places->pod != 0 && places->specs.size % sizeof(uint32_t) == 0 &&
           places->places.size == (uint64_t)places->count * SW_SNAPSHOT_PLACE_BYTES;
}

static bool message_take(struct sw_reader *reader, struct sw_snapshot_message *message)
{
    uint8_t is_lost, is_timer;
    bool is_named;

    message->pod = sw_reader_u64(reader);
    message->instance = sw_reader_u64(reader);
    is_lost = sw_reader_u8(reader);
    message->is_lost = is_lost == 1;
    message->is_handled = is_lost == HANDLED;
    is_timer = sw_reader_u8(reader);
    message->is_timer = is_timer != 0;
    message->attempts = sw_reader_u32(reader);
    message->retry_ns = sw_reader_u64(reader);
    message->key = sw_reader_bytes(reader, UINT8_MAX);
    sw_message_head_take(reader, &message->head);
    message->body = sw_reader_bytes(reader, SW_EFFECT_BODY_MAX);
    is_named = message->is_handled
                   ? message->instance != 0
                   : message->head.source.lsn != 0 || message->head.answers.lsn != 0;
    return sw_reader_is_finished(reader) && is_lost <= HANDLED && is_timer <= 1 &&
           (message->is_lost ? sw_origin_is_durable(&message->head.origin)
                             : message->pod != 0 && is_named);
}

static bool record_take(struct sw_reader *reader, enum sw_record_kind kind,
                        struct sw_record *record)
{
    struct sw_bytes bytes = sw_reader_take(reader, reader->size - reader->at);

    return sw_record_take(bytes, record, NULL) == SW_OK && record->kind == kind;
}

/* Parse what stands behind a block's kind. False: malformed. */
static bool content_take(struct sw_reader *reader, struct sw_snapshot_block *block)
{
    struct sw_record record;

    switch (block->kind) {
    case SW_SNAPSHOT_SPEC:
        if (!record_take(reader, SW_RECORD_SPEC, &record))
            return false;
        block->spec = record.spec;
        return true;
    case SW_SNAPSHOT_POD:
        if (!record_take(reader, SW_RECORD_POD, &record))
            return false;
        block->pod = record.pod;
        return true;
    case SW_SNAPSHOT_LETTER:
        if (!record_take(reader, SW_RECORD_LETTER, &record) || record.letter.act != SW_LETTER_PARK)
            return false;
        block->letter = record.letter;
        return true;
    case SW_SNAPSHOT_USAGE:
        if (!record_take(reader, SW_RECORD_USAGE, &record))
            return false;
        block->usage = record.usage;
        return true;
    case SW_SNAPSHOT_INSTANCE:
        return instance_take(reader, &block->instance);
    case SW_SNAPSHOT_MESSAGE:
        return message_take(reader, &block->message);
    case SW_SNAPSHOT_PUBLISHED:
        block->published = sw_reader_take(reader, reader->size - reader->at);
        return true;
    case SW_SNAPSHOT_NUMBERS:
        block->numbers.next_pod = sw_reader_u64(reader);
        block->numbers.next_instance = sw_reader_u64(reader);
        block->numbers.time_ns = sw_reader_u64(reader);
        return sw_reader_is_finished(reader);
    case SW_SNAPSHOT_GONE:
        block->gone.pod = sw_reader_u64(reader);
        block->gone.name_space = sw_reader_bytes(reader, UINT8_MAX);
        block->gone.agent = sw_reader_bytes(reader, UINT8_MAX);
        return sw_reader_is_finished(reader);
    case SW_SNAPSHOT_SHELF:
        block->shelf.number = sw_reader_u32(reader);
        block->shelf.bytes = sw_reader_u64(reader);
        block->shelf.blocks = sw_reader_u64(reader);
        return sw_reader_is_finished(reader);
    case SW_SNAPSHOT_PLACES:
        return places_take(reader, &block->places);
    case SW_SNAPSHOT_RECORDS:
        block->records = sw_reader_take(reader, reader->size - reader->at);
        return true;
    case SW_SNAPSHOT_HISTORY:
        return history_take(reader, &block->history);
    case SW_SNAPSHOT_END:
        return sw_reader_is_finished(reader);
    case SW_SNAPSHOT_PACKED: /* Within another: nobody writes that. */
        return false;
    }
    return false;
}

/* --- Reading --------------------------------------------------------------------------------- */

struct sw_snapshot {
    const struct sw_system *system;
    int file;
    uint64_t bytes;
};

static enum sw_rc read_exact(const struct sw_snapshot *snapshot, uint64_t at, void *bytes,
                             size_t size, struct sw_err *err)
{
    size_t got = 0;
    enum sw_rc rc = snapshot->system->file_read(snapshot->system->ctx, snapshot->file, at, bytes,
                                                size, &got, err);

    if (rc == SW_OK && got < size)
        return sw_err_set(err, SW_E_CORRUPT, "the snapshot ends within a block, at %" PRIu64, at);
    return rc;
}

/* What was read of a file at once. */
struct window {
    struct sw_buffer *bytes;
    struct sw_buffer *unpacked; /* What was in the last packed block. */
    uint64_t at;                /* Where they begin. */
    size_t size_min;            /* So much is read, if there is so much. */
    const uint8_t *p;           /* What was asked for last. */
};

/* Have window->p point to size bytes of the file, which has them. */
static enum sw_rc window_get(const struct sw_snapshot *snapshot, struct window *window, uint64_t at,
                             size_t size, struct sw_err *err)
{
    struct sw_buffer *bytes = window->bytes;
    uint64_t left = snapshot->bytes - at;
    size_t wanted = size < window->size_min ? window->size_min : size;
    enum sw_rc rc;

    if (bytes->size >= size && at >= window->at && at - window->at <= bytes->size - size) {
        window->p = bytes->data + (at - window->at);
        return SW_OK;
    }
    wanted = wanted > left ? (size_t)left : wanted;
    sw_buffer_reset(bytes);
    if (sw_buffer_reserve(bytes, wanted) == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a block of a snapshot");
    rc = read_exact(snapshot, at, bytes->data, wanted, err);
    if (rc != SW_OK)
        return rc;
    bytes->size = wanted;
    window->at = at;
    window->p = bytes->data;
    return SW_OK;
}

/* Unpack the block that is packed; *reader then stands behind the kind of what was in it. */
static enum sw_rc unpack(struct sw_buffer *out, struct sw_reader *reader, struct sw_err *err)
{
    size_t size = sw_reader_u32(reader), packed_size = reader->size - reader->at;
    const char *packed = (const char *)reader->data + reader->at;
    char *room;

    if (reader->failed || size <= packed_size || size > LZ4_MAX_INPUT_SIZE ||
        size / PACKED_RATIO > packed_size)
        return sw_err_set(err, SW_E_CORRUPT, "a block of a snapshot does not unpack to its size");
    sw_buffer_reset(out);
    room = (char *)sw_buffer_reserve(out, size);
    if (room == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a block of a snapshot");
    if (LZ4_decompress_safe(packed, room, (int)packed_size, (int)size) != (int)size)
        return sw_err_set(err, SW_E_CORRUPT, "a block of a snapshot does not unpack to its size");
    out->size = size;
    *reader = sw_reader_of(out->data, size);
    return SW_OK;
}

/* Parse what a block holds; it borrows from that or, if it was packed, from window->unpacked. */
static enum sw_rc take_block(struct window *window, struct sw_reader reader,
                             struct sw_snapshot_block *ret_block, struct sw_err *err)
{
    uint8_t kind = sw_reader_u8(&reader);
    enum sw_rc rc = SW_OK;

    sw_buffer_reset(window->unpacked);
    if (kind == SW_SNAPSHOT_PACKED) {
        rc = unpack(window->unpacked, &reader, err);
        kind = sw_reader_u8(&reader);
    }
    if (rc != SW_OK)
        return rc;
    ret_block->kind = (enum sw_snapshot_kind)kind;
    return content_take(&reader, ret_block)
               ? SW_OK
               : sw_err_set(err, SW_E_CORRUPT, "malformed block of a snapshot");
}

/* Read the block at `at`, and parse it; it borrows from the window. *ret_size: with its head. */
static enum sw_rc read_block(const struct sw_snapshot *snapshot, struct window *window, uint64_t at,
                             struct sw_snapshot_block *ret_block, uint64_t *ret_size,
                             struct sw_err *err)
{
    const size_t head = SW_SNAPSHOT_BLOCK_HEAD_BYTES;
    struct sw_reader reader;
    uint32_t size, check;
    enum sw_rc rc;

    if (at > snapshot->bytes || snapshot->bytes - at < head)
        return sw_err_set(err, SW_E_CORRUPT, "the snapshot has no end");
    rc = window_get(snapshot, window, at, head, err);
    if (rc != SW_OK)
        return rc;
    reader = sw_reader_of(window->p, head);
    size = sw_reader_u32(&reader);
    check = sw_reader_u32(&reader);
    if (size == 0 || size > snapshot->bytes - at - head)
        return sw_err_set(err, SW_E_CORRUPT, "no block of a snapshot at %" PRIu64, at);
    rc = window_get(snapshot, window, at, head + size, err);
    if (rc != SW_OK)
        return rc;
    if (check != sw_crc32c(0, window->p + head, size))
        return sw_err_set(err, SW_E_CORRUPT, "damaged block of a snapshot at %" PRIu64, at);
    memset(ret_block, 0, sizeof *ret_block);
    ret_block->at = at;
    *ret_size = head + size;
    rc = take_block(window, sw_reader_of(window->p + head, size), ret_block, err);
    if (rc != SW_OK)
        (void)sw_err_context(err, "block at %" PRIu64, at);
    return rc;
}

static enum sw_rc count_block(const struct sw_snapshot_block *block,
                              struct sw_snapshot_report *report, struct sw_err *err)
{
    report->pods += block->kind == SW_SNAPSHOT_POD;
    report->instances += block->kind == SW_SNAPSHOT_INSTANCE;
    report->messages += block->kind == SW_SNAPSHOT_MESSAGE;
    if (block->kind == SW_SNAPSHOT_PLACES) {
        report->asleep += block->places.count;
        report->instances += block->places.count;
    }
    if (block->kind == SW_SNAPSHOT_INSTANCE && !is_tail(&block->instance, &report->replayed))
        return sw_err_set(err, SW_E_CORRUPT, "malformed records of an instance at %" PRIu64,
                          block->at);
    if (block->kind == SW_SNAPSHOT_RECORDS && !are_records(block->records, &report->records))
        return sw_err_set(err, SW_E_CORRUPT, "malformed records at %" PRIu64, block->at);
    return SW_OK;
}

static enum sw_rc visit_blocks(const struct sw_snapshot *snapshot, sw_snapshot_visit *visit,
                               void *ctx, struct sw_snapshot_report *report, struct sw_err *err)
{
    struct sw_snapshot_block block = {.kind = SW_SNAPSHOT_SPEC};
    struct sw_buffer buffer, unpacked;
    struct window window = {.bytes = &buffer, .unpacked = &unpacked, .size_min = READ_BYTES};
    uint64_t at = SW_SNAPSHOT_HEAD_BYTES, size;
    enum sw_rc rc = SW_OK;

    sw_buffer_init(&buffer, SW_SNAPSHOT_BLOCK_MAX);
    sw_buffer_init(&unpacked, SW_SNAPSHOT_BLOCK_MAX);
    while (rc == SW_OK && block.kind != SW_SNAPSHOT_END) {
        rc = read_block(snapshot, &window, at, &block, &size, err);
        if (rc != SW_OK)
            break;
        report->check = sw_crc32c(report->check, window.p, (size_t)size);
        at += size;
        rc = count_block(&block, report, err);
        if (rc == SW_OK && block.kind != SW_SNAPSHOT_END && visit != NULL)
            rc = visit(ctx, &block, err);
    }
    sw_buffer_done(&buffer);
    sw_buffer_done(&unpacked);
    if (rc == SW_OK && at != snapshot->bytes)
        return sw_err_set(err, SW_E_CORRUPT, "something stands behind the snapshot's end");
    return rc;
}

static enum sw_rc take_head(const struct sw_snapshot *snapshot, struct sw_snapshot_report *report,
                            struct sw_err *err)
{
    uint8_t bytes[SW_SNAPSHOT_HEAD_BYTES] = {0};
    struct sw_reader reader = sw_reader_of(bytes, sizeof bytes);
    uint32_t magic, version;
    enum sw_rc rc = read_exact(snapshot, 0, bytes, sizeof bytes, err);

    if (rc != SW_OK)
        return rc;
    magic = sw_reader_u32(&reader);
    version = sw_reader_u32(&reader);
    memcpy(report->uuid, sw_reader_take(&reader, 16).data, 16);
    report->lsn = sw_reader_u64(&reader);
    (void)sw_reader_u32(&reader);
    if (magic != MAGIC)
        return sw_err_set(err, SW_E_CORRUPT, "not a snapshot");
    if (version != SW_SNAPSHOT_VERSION) {
        sw_err_set(err, SW_E_UNSUPPORTED, "the snapshot is of version %" PRIu32, version);
        sw_err_hint(err, "it was written by another release of Swarm; this one reads version %u",
                    SW_SNAPSHOT_VERSION);
        return SW_E_UNSUPPORTED;
    }
    if (sw_reader_u32(&reader) != sw_crc32c(0, bytes, sizeof bytes - 4))
        return sw_err_set(err, SW_E_CORRUPT, "the head of the snapshot is damaged");
    report->check = sw_crc32c(0, bytes, sizeof bytes);
    return SW_OK;
}

struct sw_snapshot *sw_snapshot_adopt(const struct sw_system *system, int file, uint64_t bytes)
{
    struct sw_snapshot *snapshot = malloc(sizeof *snapshot);

    if (snapshot != NULL)
        *snapshot = (struct sw_snapshot){system, file, bytes};
    return snapshot;
}

uint64_t sw_snapshot_bytes(const struct sw_snapshot *snapshot)
{
    return snapshot->bytes;
}

void sw_snapshot_close(struct sw_snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    snapshot->system->file_close(snapshot->system->ctx, snapshot->file);
    free(snapshot);
}

static enum sw_rc open_path(const struct sw_system *system, const char *path,
                            struct sw_snapshot **ret_snapshot, struct sw_err *err)
{
    struct sw_file_view view;
    int file;
    enum sw_rc rc = system->path_view(system->ctx, path, &view, err);

    if (rc == SW_OK)
        rc = system->file_open(system->ctx, path, SW_FILE_READ, &file, err);
    if (rc != SW_OK)
        return rc;
    *ret_snapshot = sw_snapshot_adopt(system, file, view.size_bytes);
    if (*ret_snapshot != NULL)
        return SW_OK;
    system->file_close(system->ctx, file);
    return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a snapshot");
}

enum sw_rc sw_snapshot_open_path(const struct sw_system *system, const char *path,
                                 struct sw_snapshot **ret_snapshot,
                                 struct sw_snapshot_report *ret_report, struct sw_err *err)
{
    SW_CLEANUP(sw_snapshot_closep) struct sw_snapshot *snapshot = NULL;
    struct sw_snapshot_report report = {.bytes = 0};
    enum sw_rc rc = open_path(system, path, &snapshot, err);

    if (rc == SW_OK)
        rc = take_head(snapshot, &report, err);
    if (rc != SW_OK) {
        (void)sw_err_context(err, "%s", path);
        return rc;
    }
    report.bytes = snapshot->bytes;
    *ret_report = report;
    *ret_snapshot = SW_TAKE(snapshot);
    return SW_OK;
}

enum sw_rc sw_snapshot_walk(const struct sw_snapshot *snapshot, sw_snapshot_visit *visit, void *ctx,
                            struct sw_err *err)
{
    struct sw_snapshot_report report = {.bytes = 0};

    return visit_blocks(snapshot, visit, ctx, &report, err);
}

enum sw_rc sw_snapshot_copy(const struct sw_snapshot *snapshot, uint64_t at, size_t size,
                            struct sw_buffer *out, struct sw_err *err)
{
    uint8_t *room = sw_buffer_reserve(out, size);
    enum sw_rc rc;

    if (room == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a part of a snapshot");
    rc = read_exact(snapshot, at, room, size, err);
    out->size += rc == SW_OK ? size : 0;
    return rc;
}

enum sw_rc sw_snapshot_read_history(const struct sw_snapshot *snapshot, struct sw_buffer *out,
                                    struct sw_snapshot_history *ret_history, uint64_t *ret_end,
                                    struct sw_err *err)
{
    const size_t head = SW_SNAPSHOT_BLOCK_HEAD_BYTES + 1;
    struct sw_snapshot_block block = {.kind = SW_SNAPSHOT_END};
    struct sw_buffer bytes;
    struct window window = {.bytes = &bytes, .unpacked = out, .size_min = 0};
    uint8_t size_bytes[4] = {0};
    struct sw_reader reader = sw_reader_of(size_bytes, sizeof size_bytes);
    uint64_t end = snapshot->bytes, size;
    enum sw_rc rc = SW_OK;

    if (end < SW_SNAPSHOT_HEAD_BYTES + head + sizeof size_bytes + END_BYTES)
        return sw_err_set(err, SW_E_CORRUPT, "no file of history");
    rc = read_exact(snapshot, end - END_BYTES - sizeof size_bytes, size_bytes, sizeof size_bytes,
                    err);
    if (rc != SW_OK)
        return rc;
    size = sw_reader_u32(&reader);
    if (size > HISTORY_BYTES_MAX || size + head + END_BYTES > end - SW_SNAPSHOT_HEAD_BYTES)
        return sw_err_set(err, SW_E_CORRUPT, "no file of history, or its end is missing");
    *ret_end = end - END_BYTES - size - head;
    sw_buffer_init(&bytes, out->size_max);
    rc = read_block(snapshot, &window, *ret_end, &block, &size, err);
    if (rc == SW_OK && (block.kind != SW_SNAPSHOT_HISTORY || out->size > 0))
        rc = sw_err_set(err, SW_E_CORRUPT, "a file of history does not say what it holds");
    if (rc == SW_OK) { /* What was read is what it borrows from. */
        struct sw_buffer other = *out;

        *out = bytes;
        bytes = other;
        *ret_history = block.history;
    }
    sw_buffer_done(&bytes);
    return rc;
}

enum sw_rc sw_snapshot_scan(const struct sw_system *system, const char *path,
                            sw_snapshot_visit *visit, void *ctx,
                            struct sw_snapshot_report *ret_report, struct sw_err *err)
{
    SW_CLEANUP(sw_snapshot_closep) struct sw_snapshot *snapshot = NULL;
    struct sw_snapshot_report report;
    enum sw_rc rc = sw_snapshot_open_path(system, path, &snapshot, &report, err);

    if (rc != SW_OK)
        return rc;
    rc = visit_blocks(snapshot, visit, ctx, &report, err);
    if (rc != SW_OK) {
        (void)sw_err_context(err, "%s", path);
        return rc;
    }
    *ret_report = report;
    return SW_OK;
}

/* Visit the blocks of the file if it is the one that the record means. */
static enum sw_rc visit_meant(const struct sw_snapshot *snapshot,
                              const struct sw_snapshot_source *source, sw_snapshot_visit *visit,
                              void *ctx, struct sw_err *err)
{
    const struct sw_record_snapshot *record = source->record;
    struct sw_snapshot_report report = {.bytes = 0};
    bool is_meant = snapshot->bytes == record->bytes;
    enum sw_rc rc = take_head(snapshot, &report, err);

    if (rc != SW_OK && is_meant)
        return rc;
    is_meant = is_meant && report.lsn == record->lsn &&
               memcmp(report.uuid, source->uuid, sizeof report.uuid) == 0;
    if (is_meant)
        rc = visit_blocks(snapshot, visit, ctx, &report, err);
    if (rc == SW_OK && (!is_meant || report.check != record->check))
        rc = sw_err_set(err, SW_E_CORRUPT, "it is not the file that the journal means");
    return rc;
}

enum sw_rc sw_snapshot_open(const struct sw_snapshot_source *source, sw_snapshot_visit *visit,
                            void *ctx, struct sw_snapshot **ret_snapshot, struct sw_err *err)
{
    SW_CLEANUP(sw_snapshot_closep) struct sw_snapshot *snapshot = NULL;
    char path[SW_PATH_MAX], name[SW_SNAPSHOT_NAME_MAX];
    enum sw_rc rc = SW_OK;

    sw_snapshot_name(source->record->lsn, name);
    snprintf(path, sizeof path, "%s/%s", source->folder, name);
    if (source->record->file.size != strlen(name) ||
        memcmp(source->record->file.data, name, strlen(name)) != 0)
        rc = sw_err_set(err, SW_E_CORRUPT, "the journal names it otherwise");
    if (rc == SW_OK)
        rc = open_path(source->system, path, &snapshot, err);
    if (rc == SW_E_NOT_FOUND)
        rc = sw_err_set(err, SW_E_CORRUPT, "it is not there");
    if (rc == SW_OK)
        rc = visit_meant(snapshot, source, visit, ctx, err);
    if (rc != SW_OK) {
        (void)sw_err_context(err, "snapshot %s", path);
        if (rc == SW_E_CORRUPT)
            sw_err_hint(err, "swarmctl snapshot verify tells what is damaged; without this file no "
                             "agent of the folder starts: restore the folder from a copy");
        return rc;
    }
    *ret_snapshot = SW_TAKE(snapshot);
    return SW_OK;
}

enum sw_rc sw_snapshot_read(struct sw_snapshot *snapshot, uint64_t at, struct sw_buffer *out,
                            struct sw_snapshot_instance *ret_instance, struct sw_err *err)
{
    struct sw_snapshot_block block;
    struct sw_buffer bytes;
    struct window window = {.bytes = &bytes, .unpacked = out, .size_min = READ_ONE_BYTES};
    uint64_t size;
    enum sw_rc rc;

    sw_buffer_init(&bytes, out->size_max);
    rc = read_block(snapshot, &window, at, &block, &size, err);
    if (rc == SW_OK && block.kind != SW_SNAPSHOT_INSTANCE)
        rc = sw_err_set(err, SW_E_CORRUPT, "no instance in the snapshot at %" PRIu64, at);
    if (rc == SW_OK)
        *ret_instance = block.instance;
    if (rc == SW_OK && out->size == 0) { /* It was not packed: what was read is what it borrows. */
        struct sw_buffer other = *out;

        *out = bytes;
        bytes = other;
    }
    sw_buffer_done(&bytes);
    return rc;
}

enum sw_rc sw_snapshot_instance_of(struct sw_buffer *bytes,
                                   struct sw_snapshot_instance *ret_instance, struct sw_err *err)
{
    const size_t head = SW_SNAPSHOT_BLOCK_HEAD_BYTES;
    struct sw_reader reader = sw_reader_of(bytes->data, bytes->size);
    uint32_t size = sw_reader_u32(&reader), check = sw_reader_u32(&reader);
    struct sw_snapshot_block block = {.kind = SW_SNAPSHOT_END};
    struct sw_buffer unpacked;
    struct window window = {.unpacked = &unpacked};
    enum sw_rc rc;

    if (reader.failed || size == 0 || size > bytes->size - head ||
        check != sw_crc32c(0, bytes->data + head, size))
        return sw_err_set(err, SW_E_CORRUPT, "damaged block of an instance");
    sw_buffer_init(&unpacked, bytes->size_max);
    rc = take_block(&window, sw_reader_of(bytes->data + head, size), &block, err);
    if (rc == SW_OK && block.kind != SW_SNAPSHOT_INSTANCE)
        rc = sw_err_set(err, SW_E_CORRUPT, "no instance in a block");
    if (rc == SW_OK)
        *ret_instance = block.instance;
    if (rc == SW_OK && unpacked.size > 0) { /* That is what it borrows from. */
        struct sw_buffer other = *bytes;

        *bytes = unpacked;
        unpacked = other;
    }
    sw_buffer_done(&unpacked);
    return rc;
}
