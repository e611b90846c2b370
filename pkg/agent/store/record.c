#include "pkg/agent/store/record.h"

#include "pkg/agent/store/effect.h"
#include "pkg/agent/store/record_text.h"
#include "pkg/utils/base/text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define POD_KEYED 1u
#define POD_RESET 2u
#define TEXT_MAX 255u
#define CONFIG_MAX 65536u
#define REQUEST_ID_MAX 128u
#define SLOTS_MAX 512u
#define REASON_MAX 63u
#define PRIORITY_NORMAL 1u
#define PRIORITY_UNNAMED 255u
#define NAME_BYTES 12u
#define SEED_BYTES 16u
#define WOKEN 1u /* Bits of one byte. */
#define HAS_PAGES 2u
#define HAS_FUEL 4u

bool sw_origin_is_durable(const struct sw_origin *origin)
{
    return (origin->kind == SW_ORIGIN_INSTANCE || origin->kind == SW_ORIGIN_WAIT) &&
           origin->incarnation == 0;
}

bool sw_record_received(const struct sw_record_segment *segment)
{
    return segment->entry == SW_ENTRY_RESUME && segment->has_message &&
           (segment->head.flags & SW_MESSAGE_ENDS_WAIT) == 0;
}

int32_t sw_outcome_code(const struct sw_record_segment *segment)
{
    switch (segment->outcome) {
    case SW_OUTCOME_FAILED:
    case SW_OUTCOME_REFUSED:
        return segment->code < 0 ? segment->code : SW_E_INTERNAL;
    case SW_OUTCOME_DEADLINE: /* Or it was stopped before it. */
        return segment->code == SW_E_UNAVAILABLE ? SW_E_UNAVAILABLE : SW_E_TIMEOUT;
    case SW_OUTCOME_NO_MEMORY:
    case SW_OUTCOME_OUT_OF_FUEL:
        return SW_E_EXHAUSTED;
    case SW_OUTCOME_DONE:
    case SW_OUTCOME_WAITING:
    case SW_OUTCOME_TRAPPED:
    case SW_OUTCOME_CRASHED:
        break;
    }
    return SW_E_INTERNAL;
}

/* --- Writing --------------------------------------------------------------------------------- */

/* The room for all of a record is there before it is written, so its many small fields only move a
 * pointer on. Each function writes at `at` and returns where it ended. */
static uint8_t *write_u8(uint8_t *at, uint8_t value)
{
    *at = value;
    return at + 1;
}

static uint8_t *write_u32(uint8_t *at, uint32_t value)
{
    value = htole32(value);
    memcpy(at, &value, sizeof value);
    return at + sizeof value;
}

static uint8_t *write_u64(uint8_t *at, uint64_t value)
{
    value = htole64(value);
    memcpy(at, &value, sizeof value);
    return at + sizeof value;
}

static uint8_t *write_bytes(uint8_t *at, struct sw_bytes bytes)
{
    at = write_u32(at, (uint32_t)bytes.size);
    if (bytes.size > 0)
        memcpy(at, bytes.data, bytes.size);
    return at + bytes.size;
}

static size_t size_of_bytes(struct sw_bytes bytes)
{
    return sizeof(uint32_t) + bytes.size;
}

/* NULL, and out has failed: there is no room. */
static uint8_t *room_for(struct sw_buffer *out, size_t size)
{
    if (size > UINT32_MAX) {
        out->failed = true;
        return NULL;
    }
    return sw_buffer_reserve(out, size);
}

static uint8_t *write_name(uint8_t *at, const struct sw_effect_name *name)
{
    at = write_u64(at, name->lsn);
    return write_u32(at, name->index);
}

static size_t size_of_origin(const struct sw_origin *origin)
{
    if (origin->kind == SW_ORIGIN_NONE)
        return 1;
    return origin->kind == SW_ORIGIN_CLIENT ? 1 + 2 * 8 : 1 + 4 * 8 + NAME_BYTES;
}

static uint8_t *write_origin(uint8_t *at, const struct sw_origin *origin)
{
    at = write_u8(at, (uint8_t)origin->kind);
    if (origin->kind == SW_ORIGIN_NONE)
        return at;
    at = write_u64(at, origin->incarnation);
    at = write_u64(at, origin->number);
    if (origin->kind == SW_ORIGIN_CLIENT)
        return at;
    at = write_u64(at, origin->pod);
    at = write_u64(at, origin->instance);
    return write_name(at, &origin->send);
}

void sw_origin_put(const struct sw_origin *origin, struct sw_buffer *out)
{
    size_t size = size_of_origin(origin);
    uint8_t *room = room_for(out, size);

    if (room == NULL)
        return;
    (void)write_origin(room, origin);
    out->size += size;
}

static size_t size_of_head(const struct sw_message_head *head)
{
    return 4 + 1 + 4 + 8 + size_of_origin(&head->origin) + 2 * NAME_BYTES +
           size_of_bytes(head->from) + size_of_bytes(head->subject) + size_of_bytes(head->type) +
           size_of_bytes(head->request_id);
}

static uint8_t *write_head(uint8_t *at, const struct sw_message_head *head)
{
    at = write_u32(at, head->flags);
    at = write_u8(at, (uint8_t)head->priority);
    at = write_u32(at, (uint32_t)head->status);
    at = write_u64(at, head->tag);
    at = write_origin(at, &head->origin);
    at = write_name(at, &head->source);
    at = write_name(at, &head->answers);
    at = write_bytes(at, head->from);
    at = write_bytes(at, head->subject);
    at = write_bytes(at, head->type);
    return write_bytes(at, head->request_id);
}

void sw_message_head_put(const struct sw_message_head *head, struct sw_buffer *out)
{
    size_t size = size_of_head(head);
    uint8_t *room = room_for(out, size);

    if (room == NULL)
        return;
    (void)write_head(room, head);
    out->size += size;
}

#define WAITS_ON 0x80u /* Beside the fate. */

/* What became of an input that was not handled to its end. */
static size_t size_of_fate(const struct sw_record_segment *segment)
{
    if (sw_outcome_counts(segment->outcome))
        return 0;
    if (segment->fate == SW_FATE_RETRY)
        return 1 + 4 + 8;
    return 1 + 4 + (segment->fate == SW_FATE_PARKED ? size_of_bytes(segment->words) : 0);
}

static uint8_t *write_fate(uint8_t *at, const struct sw_record_segment *segment)
{
    if (sw_outcome_counts(segment->outcome))
        return at;
    at = write_u8(at, (uint8_t)(segment->fate | (segment->waits_on ? WAITS_ON : 0)));
    at = write_u32(at, segment->attempt);
    if (segment->fate == SW_FATE_RETRY)
        return write_u64(at, segment->retry_ns);
    return segment->fate == SW_FATE_PARKED ? write_bytes(at, segment->words) : at;
}

static size_t size_of_message(const struct sw_record_segment *segment)
{
    return size_of_head(&segment->head) + 8 +
           (segment->body_lsn != 0 ? 4 + 4 : size_of_bytes(segment->body));
}

static uint8_t *write_message(uint8_t *at, const struct sw_record_segment *segment)
{
    at = write_head(at, &segment->head);
    at = write_u64(at, segment->body_lsn);
    if (segment->body_lsn == 0)
        return write_bytes(at, segment->body);
    at = write_u32(at, segment->body_at);
    return write_u32(at, segment->body_bytes);
}

static size_t size_of_whole(const struct sw_record_segment *segment)
{
    return 8 + size_of_bytes(segment->actor) + size_of_bytes(segment->image);
}

static uint8_t *write_whole(uint8_t *at, const struct sw_record_segment *segment)
{
    at = write_u64(at, segment->random_next);
    at = write_bytes(at, segment->actor);
    return write_bytes(at, segment->image);
}

static size_t size_of_birth(const struct sw_record_segment *segment)
{
    return size_of_bytes(segment->key) + SEED_BYTES + 8;
}

static uint8_t *write_birth(uint8_t *at, const struct sw_record_segment *segment)
{
    at = write_bytes(at, segment->key);
    memcpy(at, segment->seed.data, SEED_BYTES);
    return write_u64(at + SEED_BYTES, segment->memory_bytes);
}

static size_t size_of_fork(const struct sw_record_segment *segment)
{
    return size_of_birth(segment) + size_of_whole(segment) + 1 +
           (segment->has_message ? size_of_message(segment) : 0);
}

static uint8_t *write_fork(uint8_t *at, const struct sw_record_segment *segment)
{
    at = write_birth(at, segment);
    at = write_whole(at, segment);
    at = write_u8(at, segment->has_message);
    return segment->has_message ? write_message(at, segment) : at;
}

static size_t size_of_entry(const struct sw_record_segment *segment)
{
    switch (segment->entry) {
    case SW_ENTRY_START:
        return size_of_birth(segment);
    case SW_ENTRY_MESSAGE:
        return size_of_message(segment);
    case SW_ENTRY_TIMER:
        return 8 + 8;
    case SW_ENTRY_RESUME:
        return 8 + 4 + 1 + (segment->has_message ? size_of_message(segment) : 0);
    case SW_ENTRY_UPGRADE:
        return 4 + size_of_whole(segment);
    case SW_ENTRY_IMAGE:
        return size_of_whole(segment);
    case SW_ENTRY_FORK:
        return size_of_fork(segment);
    case SW_ENTRY_STOP:
    case SW_ENTRY_RESET:
    case SW_ENTRY_RELEASE:
        break;
    }
    return 0;
}

static uint8_t *write_entry(uint8_t *at, const struct sw_record_segment *segment)
{
    switch (segment->entry) {
    case SW_ENTRY_START:
        return write_birth(at, segment);
    case SW_ENTRY_MESSAGE:
        return write_message(at, segment);
    case SW_ENTRY_TIMER:
        at = write_u64(at, segment->timer);
        return write_u64(at, segment->again);
    case SW_ENTRY_RESUME:
        at = write_u64(at, segment->wait);
        at = write_u32(at, (uint32_t)segment->ended);
        at = write_u8(at, segment->has_message);
        return segment->has_message ? write_message(at, segment) : at;
    case SW_ENTRY_UPGRADE:
        at = write_u32(at, segment->to);
        return write_whole(at, segment);
    case SW_ENTRY_IMAGE:
        return write_whole(at, segment);
    case SW_ENTRY_FORK:
        return write_fork(at, segment);
    case SW_ENTRY_STOP:
    case SW_ENTRY_RESET:
    case SW_ENTRY_RELEASE:
        break;
    }
    return at;
}

static size_t size_of_used(const struct sw_record_segment *segment)
{
    return 4 + 1 + (segment->has_pages ? 4u : 0) + (segment->fuel != 0 ? 8u : 0);
}

static uint8_t *write_used(uint8_t *at, const struct sw_record_segment *segment)
{
    at = write_u32(at, segment->cpu_ns);
    at = write_u8(at,
                  (uint8_t)((segment->is_woken ? WOKEN : 0) | (segment->has_pages ? HAS_PAGES : 0) |
                            (segment->fuel != 0 ? HAS_FUEL : 0)));
    if (segment->has_pages)
        at = write_u32(at, segment->pages);
    return segment->fuel != 0 ? write_u64(at, segment->fuel) : at;
}

static void segment_put(const struct sw_record_segment *segment, struct sw_buffer *out)
{
    size_t size = 4 * 8 + 4 + 1 + 1 + 4 + size_of_fate(segment) + size_of_entry(segment) +
                  size_of_bytes(segment->results) + size_of_bytes(segment->routes) + 8 +
                  size_of_used(segment) + size_of_bytes(segment->effects);
    uint8_t *room = room_for(out, size), *at = room;

    if (room == NULL)
        return;
    at = write_u64(at, segment->instance);
    at = write_u64(at, segment->previous);
    at = write_u64(at, segment->pod);
    at = write_u64(at, segment->time_ns);
    at = write_u32(at, segment->spec);
    at = write_u8(at, (uint8_t)segment->entry);
    at = write_u8(at, (uint8_t)segment->outcome);
    at = write_u32(at, (uint32_t)segment->code);
    at = write_used(at, segment);
    at = write_fate(at, segment);
    at = write_entry(at, segment);
    at = write_bytes(at, segment->results);
    at = write_bytes(at, segment->routes);
    at = write_u64(at, segment->digest);
    at = write_bytes(at, segment->effects);
    assert((size_t)(at - room) == size);
    out->size += size;
}

static void spec_put(const struct sw_record_spec *spec, struct sw_buffer *out)
{
    sw_buffer_put_u32(out, spec->number);
    sw_buffer_put_bytes(out, spec->digest);
    sw_buffer_put_bytes(out, spec->fingerprint);
    sw_buffer_put_bytes(out, spec->config);
    sw_buffer_put_u32(out, spec->timers_max);
}

static void pod_put(const struct sw_record_pod *pod, struct sw_buffer *out)
{
    sw_buffer_put_u64(out, pod->pod);
    sw_buffer_put_u32(out, pod->spec);
    sw_buffer_put_bytes(out, pod->uid);
    sw_buffer_put_bytes(out, pod->name_space);
    sw_buffer_put_bytes(out, pod->agent);
    sw_buffer_put_bytes(out, pod->agent_uid);
    sw_buffer_put_bytes(out, pod->slots);
    sw_buffer_put_u32(out, pod->replicas);
    sw_buffer_put_u32(out, pod->body_bytes);
    sw_buffer_put_u8(out,
                     (uint8_t)((pod->is_keyed ? POD_KEYED : 0) | (pod->is_reset ? POD_RESET : 0)));
    sw_buffer_put_u64(out, pod->history.age_ns);
    sw_buffer_put_u64(out, pod->history.bytes);
    sw_buffer_put_u64(out, pod->history.turns);
}

static void letter_put(const struct sw_record_letter *letter, struct sw_buffer *out)
{
    sw_buffer_put_u8(out, (uint8_t)letter->act);
    sw_buffer_put_u64(out, letter->pod);
    sw_buffer_put_u64(out, letter->time_ns);
    sw_buffer_put_u64(out, letter->number);
    if (letter->act != SW_LETTER_PARK)
        return;
    sw_buffer_put_u64(out, letter->instance);
    sw_buffer_put_bytes(out, letter->key);
    sw_buffer_put_bytes(out, letter->reason);
    sw_buffer_put_bytes(out, letter->words);
    sw_buffer_put_u32(out, letter->attempts);
    sw_buffer_put_u8(out, letter->is_timer);
    sw_message_head_put(&letter->head, out);
    sw_buffer_put_bytes(out, letter->body);
}

void sw_record_put(const struct sw_record *record, struct sw_buffer *out, uint32_t *ret_body_at)
{
    size_t start = out->size, tail = 0;

    sw_buffer_put_u8(out, (uint8_t)record->kind);
    switch (record->kind) {
    case SW_RECORD_SPEC:
        spec_put(&record->spec, out);
        break;
    case SW_RECORD_POD:
        pod_put(&record->pod, out);
        break;
    case SW_RECORD_POD_DROP:
        sw_buffer_put_u64(out, record->dropped_pod);
        break;
    case SW_RECORD_SEGMENT:
        segment_put(&record->segment, out);
        tail = record->segment.effects.size;
        break;
    case SW_RECORD_PUBLISH:
        sw_buffer_put_u64(out, record->publish.time_ns);
        sw_buffer_put_u8(out, (uint8_t)record->publish.priority);
        sw_buffer_put_bytes(out, record->publish.name_space);
        sw_buffer_put_bytes(out, record->publish.subject);
        sw_buffer_put_bytes(out, record->publish.type);
        sw_buffer_put_bytes(out, record->publish.request_id);
        sw_buffer_put_bytes(out, record->publish.body);
        tail = record->publish.body.size;
        break;
    case SW_RECORD_SNAPSHOT:
        sw_buffer_put_u64(out, record->snapshot.lsn);
        sw_buffer_put_bytes(out, record->snapshot.file);
        sw_buffer_put_u64(out, record->snapshot.bytes);
        sw_buffer_put_u32(out, record->snapshot.check);
        break;
    case SW_RECORD_SLOTS:
        sw_buffer_put_u64(out, record->slots.from);
        sw_buffer_put_u64(out, record->slots.to);
        sw_buffer_put_bytes(out, record->slots.slots);
        break;
    case SW_RECORD_USAGE:
        sw_record_usage_put(&record->usage, out);
        break;
    case SW_RECORD_LETTER:
        letter_put(&record->letter, out);
        break;
    }
    if (ret_body_at != NULL)
        *ret_body_at = (uint32_t)(out->size - start - tail);
}

/* --- Reading --------------------------------------------------------------------------------- */

static void name_take(struct sw_reader *reader, struct sw_effect_name *ret_name)
{
    ret_name->lsn = sw_reader_u64(reader);
    ret_name->index = sw_reader_u32(reader);
}

void sw_origin_take(struct sw_reader *reader, struct sw_origin *ret_origin)
{
    memset(ret_origin, 0, sizeof *ret_origin);
    ret_origin->kind = sw_reader_u8(reader);
    if (ret_origin->kind > SW_ORIGIN_WAIT)
        reader->failed = true;
    if (reader->failed || ret_origin->kind == SW_ORIGIN_NONE)
        return;
    ret_origin->incarnation = sw_reader_u64(reader);
    ret_origin->number = sw_reader_u64(reader);
    if (ret_origin->kind == SW_ORIGIN_CLIENT)
        return;
    ret_origin->pod = sw_reader_u64(reader);
    ret_origin->instance = sw_reader_u64(reader);
    name_take(reader, &ret_origin->send);
}

void sw_message_head_take(struct sw_reader *reader, struct sw_message_head *ret_head)
{
    memset(ret_head, 0, sizeof *ret_head);
    ret_head->flags = sw_reader_u32(reader);
    ret_head->priority = sw_reader_u8(reader);
    ret_head->status = (int32_t)sw_reader_u32(reader);
    ret_head->tag = sw_reader_u64(reader);
    sw_origin_take(reader, &ret_head->origin);
    name_take(reader, &ret_head->source);
    name_take(reader, &ret_head->answers);
    ret_head->from = sw_reader_bytes(reader, 2 * TEXT_MAX);
    ret_head->subject = sw_reader_bytes(reader, TEXT_MAX);
    ret_head->type = sw_reader_bytes(reader, TEXT_MAX);
    ret_head->request_id = sw_reader_bytes(reader, REQUEST_ID_MAX);
    if (ret_head->priority > 3)
        reader->failed = true;
}

static void message_take(struct sw_reader *reader, struct sw_record_segment *segment)
{
    segment->has_message = true;
    sw_message_head_take(reader, &segment->head);
    segment->body_lsn = sw_reader_u64(reader);
    if (segment->body_lsn != 0) {
        segment->body_at = sw_reader_u32(reader);
        segment->body_bytes = sw_reader_u32(reader);
        if (segment->body_bytes > SW_EFFECT_BODY_MAX)
            reader->failed = true;
    } else {
        segment->body = sw_reader_bytes(reader, SW_EFFECT_BODY_MAX);
        segment->body_bytes = (uint32_t)segment->body.size;
    }
}

static void fate_take(struct sw_reader *reader, struct sw_record_segment *segment)
{
    uint8_t fate;

    if (sw_outcome_counts(segment->outcome))
        return;
    fate = sw_reader_u8(reader);
    segment->waits_on = segment->entry == SW_ENTRY_RESUME && (fate & WAITS_ON) != 0;
    segment->fate = (enum sw_fate)(segment->waits_on ? fate & ~WAITS_ON : fate);
    segment->attempt = sw_reader_u32(reader);
    if (segment->fate == SW_FATE_RETRY)
        segment->retry_ns = sw_reader_u64(reader);
    else if (segment->fate == SW_FATE_PARKED)
        segment->words = sw_reader_bytes(reader, SW_RECORD_WORDS_MAX);
    else if (segment->fate != SW_FATE_TOLD)
        reader->failed = true;
}

static void resume_take(struct sw_reader *reader, struct sw_record_segment *segment)
{
    segment->wait = sw_reader_u64(reader);
    segment->ended = (int32_t)sw_reader_u32(reader);
    if (sw_reader_u8(reader) != 0)
        message_take(reader, segment);
    if (segment->wait == 0 || segment->ended > 0 || (segment->ended < 0 && segment->has_message))
        reader->failed = true;
}

static void whole_take(struct sw_reader *reader, struct sw_record_segment *segment)
{
    segment->random_next = sw_reader_u64(reader);
    segment->actor = sw_reader_bytes(reader, SW_JOURNAL_RECORD_MAX);
    segment->image = sw_reader_bytes(reader, SW_JOURNAL_RECORD_MAX);
}

static void birth_take(struct sw_reader *reader, struct sw_record_segment *segment)
{
    segment->key = sw_reader_bytes(reader, TEXT_MAX);
    segment->seed = sw_reader_take(reader, SEED_BYTES);
    segment->memory_bytes = sw_reader_u64(reader);
}

/* The message is not handled by it but waits for the instance: its body stands nowhere else. */
static void fork_take(struct sw_reader *reader, struct sw_record_segment *segment)
{
    birth_take(reader, segment);
    whole_take(reader, segment);
    if (sw_reader_u8(reader) != 0)
        message_take(reader, segment);
    if (segment->previous != 0 || segment->body_lsn != 0 || segment->key.size == 0)
        reader->failed = true;
}

static void used_take(struct sw_reader *reader, struct sw_record_segment *segment)
{
    uint8_t what;

    segment->cpu_ns = sw_reader_u32(reader);
    what = sw_reader_u8(reader);
    segment->is_woken = (what & WOKEN) != 0;
    segment->has_pages = (what & HAS_PAGES) != 0;
    segment->pages = segment->has_pages ? sw_reader_u32(reader) : 0;
    segment->fuel = (what & HAS_FUEL) != 0 ? sw_reader_u64(reader) : 0;
    if (what > (WOKEN | HAS_PAGES | HAS_FUEL) || ((what & HAS_FUEL) != 0 && segment->fuel == 0))
        reader->failed = true;
}

static void segment_take(struct sw_reader *reader, struct sw_record_segment *segment)
{
    segment->instance = sw_reader_u64(reader);
    segment->previous = sw_reader_u64(reader);
    segment->pod = sw_reader_u64(reader);
    segment->time_ns = sw_reader_u64(reader);
    segment->spec = sw_reader_u32(reader);
    segment->entry = (enum sw_entry)sw_reader_u8(reader);
    segment->outcome = (enum sw_outcome)sw_reader_u8(reader);
    segment->code = (int32_t)sw_reader_u32(reader);
    used_take(reader, segment);
    fate_take(reader, segment);
    switch (segment->entry) {
    case SW_ENTRY_START:
        birth_take(reader, segment);
        break;
    case SW_ENTRY_MESSAGE:
        message_take(reader, segment);
        break;
    case SW_ENTRY_TIMER:
        segment->timer = sw_reader_u64(reader);
        segment->again = sw_reader_u64(reader);
        break;
    case SW_ENTRY_RESUME:
        resume_take(reader, segment);
        break;
    case SW_ENTRY_UPGRADE:
        segment->to = sw_reader_u32(reader);
        whole_take(reader, segment);
        break;
    case SW_ENTRY_IMAGE:
        whole_take(reader, segment);
        break;
    case SW_ENTRY_FORK:
        fork_take(reader, segment);
        break;
    case SW_ENTRY_STOP:
    case SW_ENTRY_RESET:
    case SW_ENTRY_RELEASE:
        break;
    default:
        reader->failed = true;
    }
    if (segment->outcome > SW_OUTCOME_OUT_OF_FUEL || segment->instance == 0)
        reader->failed = true;
    segment->results = sw_reader_bytes(reader, SW_EFFECTS_MAX * 8);
    segment->routes = sw_reader_bytes(reader, SW_EFFECTS_MAX * 16);
    if (segment->results.size % 8 != 0 || segment->routes.size % 16 != 0)
        reader->failed = true;
    segment->digest = sw_reader_u64(reader);
    segment->effects = sw_reader_bytes(reader, SW_EFFECTS_BYTES_MAX);
    if ((segment->entry == SW_ENTRY_IMAGE || segment->entry == SW_ENTRY_FORK) &&
        (segment->outcome != SW_OUTCOME_DONE || segment->effects.size > 0))
        reader->failed = true;
    if (segment->entry == SW_ENTRY_RELEASE && segment->outcome != SW_OUTCOME_DONE)
        reader->failed = true;
}

static void spec_take(struct sw_reader *reader, struct sw_record_spec *spec)
{
    spec->number = sw_reader_u32(reader);
    spec->digest = sw_reader_bytes(reader, TEXT_MAX);
    spec->fingerprint = sw_reader_bytes(reader, TEXT_MAX);
    spec->config = sw_reader_bytes(reader, CONFIG_MAX);
    spec->timers_max = sw_reader_u32(reader);
    if (spec->number == 0 || spec->number == UINT32_MAX)
        reader->failed = true;
}

static void pod_take(struct sw_reader *reader, struct sw_record_pod *pod)
{
    uint8_t flags;

    pod->pod = sw_reader_u64(reader);
    pod->spec = sw_reader_u32(reader);
    pod->uid = sw_reader_bytes(reader, TEXT_MAX);
    pod->name_space = sw_reader_bytes(reader, TEXT_MAX);
    pod->agent = sw_reader_bytes(reader, TEXT_MAX);
    pod->agent_uid = sw_reader_bytes(reader, TEXT_MAX);
    pod->slots = sw_reader_bytes(reader, SLOTS_MAX);
    pod->replicas = sw_reader_u32(reader);
    pod->body_bytes = sw_reader_u32(reader);
    flags = sw_reader_u8(reader);
    pod->is_keyed = (flags & POD_KEYED) != 0;
    pod->is_reset = (flags & POD_RESET) != 0;
    pod->history.age_ns = sw_reader_u64(reader);
    pod->history.bytes = sw_reader_u64(reader);
    pod->history.turns = sw_reader_u64(reader);
    if (pod->pod == 0 || (flags & ~(POD_KEYED | POD_RESET)) != 0)
        reader->failed = true;
}

/* Journals are about in which a publish has what its client did not name. */
static void publish_take(struct sw_reader *reader, struct sw_record_publish *publish)
{
    publish->time_ns = sw_reader_u64(reader);
    publish->priority = sw_reader_u8(reader);
    publish->name_space = sw_reader_bytes(reader, TEXT_MAX);
    publish->subject = sw_reader_bytes(reader, TEXT_MAX);
    publish->type = sw_reader_bytes(reader, TEXT_MAX);
    publish->request_id = sw_reader_bytes(reader, REQUEST_ID_MAX);
    publish->body = sw_reader_bytes(reader, SW_EFFECT_BODY_MAX);
    if (publish->priority == PRIORITY_UNNAMED)
        publish->priority = PRIORITY_NORMAL;
    if (publish->priority > 3)
        reader->failed = true;
}

static void letter_take(struct sw_reader *reader, struct sw_record_letter *letter)
{
    letter->act = (enum sw_letter_act)sw_reader_u8(reader);
    letter->pod = sw_reader_u64(reader);
    letter->time_ns = sw_reader_u64(reader);
    letter->number = sw_reader_u64(reader);
    if (letter->act < SW_LETTER_PARK || letter->act > SW_LETTER_DROP)
        reader->failed = true;
    if (letter->act != SW_LETTER_PARK)
        return;
    letter->instance = sw_reader_u64(reader);
    letter->key = sw_reader_bytes(reader, TEXT_MAX);
    letter->reason = sw_reader_bytes(reader, REASON_MAX);
    letter->words = sw_reader_bytes(reader, SW_RECORD_WORDS_MAX);
    letter->attempts = sw_reader_u32(reader);
    letter->is_timer = sw_reader_u8(reader) != 0;
    sw_message_head_take(reader, &letter->head);
    letter->body = sw_reader_bytes(reader, SW_EFFECT_BODY_MAX);
}

bool sw_record_peek(struct sw_bytes bytes, uint64_t *ret_instance, uint64_t *ret_pod)
{
    struct sw_reader reader = sw_reader_of(bytes.data, bytes.size);

    if (sw_reader_u8(&reader) != SW_RECORD_SEGMENT)
        return false;
    *ret_instance = sw_reader_u64(&reader);
    (void)sw_reader_u64(&reader); /* The record before. */
    *ret_pod = sw_reader_u64(&reader);
    return !reader.failed;
}

enum sw_rc sw_record_take(struct sw_bytes bytes, struct sw_record *ret_record, struct sw_err *err)
{
    struct sw_reader reader = sw_reader_of(bytes.data, bytes.size);
    struct sw_record record;

    memset(&record, 0, sizeof record);
    record.kind = (enum sw_record_kind)sw_reader_u8(&reader);
    switch (record.kind) {
    case SW_RECORD_SPEC:
        spec_take(&reader, &record.spec);
        break;
    case SW_RECORD_POD:
        pod_take(&reader, &record.pod);
        break;
    case SW_RECORD_POD_DROP:
        record.dropped_pod = sw_reader_u64(&reader);
        break;
    case SW_RECORD_SEGMENT:
        segment_take(&reader, &record.segment);
        break;
    case SW_RECORD_PUBLISH:
        publish_take(&reader, &record.publish);
        break;
    case SW_RECORD_SNAPSHOT:
        record.snapshot.lsn = sw_reader_u64(&reader);
        record.snapshot.file = sw_reader_bytes(&reader, TEXT_MAX);
        record.snapshot.bytes = sw_reader_u64(&reader);
        record.snapshot.check = sw_reader_u32(&reader);
        break;
    case SW_RECORD_SLOTS:
        record.slots.from = sw_reader_u64(&reader);
        record.slots.to = sw_reader_u64(&reader);
        record.slots.slots = sw_reader_bytes(&reader, SLOTS_MAX);
        break;
    case SW_RECORD_USAGE:
        sw_record_usage_take(&reader, &record.usage);
        break;
    case SW_RECORD_LETTER:
        letter_take(&reader, &record.letter);
        break;
    default:
        return sw_err_set(err, reader.failed ? SW_E_CORRUPT : SW_E_UNSUPPORTED,
                          "a journal record of an unknown kind");
    }
    if (!sw_reader_is_finished(&reader))
        return sw_err_set(err, SW_E_CORRUPT, "a malformed journal record of kind %s",
                          sw_record_kind_name(record.kind));
    *ret_record = record;
    return SW_OK;
}
