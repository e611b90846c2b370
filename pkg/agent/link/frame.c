#include "pkg/agent/link/frame.h"

#include "pkg/utils/base/text.h"

#include <assert.h>
#include <string.h>

#define HEAD_BYTES 5u /* u32 size of what follows it, u8 kind. */

enum field_type {
    FIELD_U32,   /* max: largest value. */
    FIELD_U64,   /* max unused: all are valid. */
    FIELD_ID,    /* u64, not 0. */
    FIELD_TEXT,  /* u32 size and UTF-8 without NUL; max: size. */
    FIELD_NAME,  /* As TEXT, not empty. */
    FIELD_BYTES, /* u32 size and bytes; max: size. */
    FIELD_FIXED  /* As BYTES, exactly max. */
};

struct field {
    enum field_type type;
    size_t offset; /* In struct sw_frame. */
    uint32_t max;
};

struct shape { /* Of one kind. */
    const char *name;
    enum sw_frame_direction direction;
    const struct field *fields;
    size_t count;
};

#define U32(member, max) {FIELD_U32, offsetof(struct sw_frame, member), max}
#define U64(member) {FIELD_U64, offsetof(struct sw_frame, member), 0}
#define ID(member) {FIELD_ID, offsetof(struct sw_frame, member), 0}
#define TEXT(member, max) {FIELD_TEXT, offsetof(struct sw_frame, member), max}
#define NAME(member, max) {FIELD_NAME, offsetof(struct sw_frame, member), max}
#define BYTES(member, max) {FIELD_BYTES, offsetof(struct sw_frame, member), max}
#define FIXED(member, size) {FIELD_FIXED, offsetof(struct sw_frame, member), size}

#define UID_MAX 36
#define DIGEST_MAX 71 /* "sha256:" and 64 digits. */
#define TYPE_MAX 255
#define SUBJECT_MAX 255
#define REQUEST_ID_MAX 128
#define CONFIG_MAX 65536
#define REASON_MAX 63
#define LOG_MAX 65536
#define JOURNAL_MAX 32
#define INSTANCE_MAX 320 /* "agent/key" */
#define ENTRIES_MAX (1u << 20)
#define PRIORITY_MAX SW_FRAME_PRIORITY_DEFAULT

static const struct field hello_fields[] = {
    U32(hello.version, UINT32_MAX),  U32(hello.workers, 1024), U32(hello.crashed, 1),
    U64(hello.snapshot_bytes),       U64(hello.awake_bytes),   U64(hello.history_bytes),
    TEXT(hello.journal, JOURNAL_MAX)};
static const struct field module_fields[] = {NAME(module.digest, SW_FRAME_PROGRAM_MAX),
                                             U64(module.offset), U64(module.total),
                                             BYTES(module.bytes, SW_FRAME_CHUNK_MAX)};
static const struct field bundle_fields[] = {
    NAME(bundle.digest, SW_FRAME_PROGRAM_MAX), NAME(bundle.runtime, SW_FRAME_PROGRAM_MAX),
    U64(bundle.offset), U64(bundle.total), BYTES(bundle.bytes, SW_FRAME_CHUNK_MAX)};
static const struct field module_drop_fields[] = {NAME(module_drop.digest, SW_FRAME_PROGRAM_MAX)};
static const struct field module_ask_fields[] = {ID(module_ask.request),
                                                 NAME(module_ask.digest, DIGEST_MAX)};
static const struct field pod_open_fields[] = {
    NAME(pod_open.uid, UID_MAX),
    U64(pod_open.generation),
    NAME(pod_open.name_space, SW_FRAME_NAME_MAX),
    NAME(pod_open.agent, SW_FRAME_NAME_MAX),
    NAME(pod_open.agent_uid, UID_MAX),
    NAME(pod_open.digest, SW_FRAME_PROGRAM_MAX),
    FIXED(pod_open.slots, SW_FRAME_SLOTS_BYTES),
    U32(pod_open.is_keyed, 1),
    U32(pod_open.replicas, 1000000),
    U32(pod_open.is_durable, 1),
    U32(pod_open.resets, 1),
    U32(pod_open.priority, 3),
    U64(pod_open.memory_bytes),
    U64(pod_open.body_bytes),
    U32(pod_open.deadline_ms, 3600000),
    U64(pod_open.fuel_max),
    U32(pod_open.mailbox, 1000000),
    U32(pod_open.instances_max, 10000000),
    U32(pod_open.retry_attempts, UINT32_MAX),
    U64(pod_open.retry_first_ns),
    U64(pod_open.retry_max_ns),
    U64(pod_open.rest_ns),
    U64(pod_open.idle_ns),
    U32(pod_open.weight, 1000),
    U32(pod_open.timers_max, 4096),
    U32(pod_open.messages_per_s, UINT32_MAX),
    U32(pod_open.children_per_s, UINT32_MAX),
    U64(pod_open.history_ns),
    U64(pod_open.history_bytes),
    U64(pod_open.history_turns),
    TEXT(pod_open.config, CONFIG_MAX),
};
static const struct field pod_close_fields[] = {NAME(pod_close.uid, UID_MAX),
                                                U32(pod_close.discard, 1)};
static const struct field send_fields[] = {
    ID(send.request),
    NAME(send.name_space, SW_FRAME_NAME_MAX),
    NAME(send.agent, SW_FRAME_NAME_MAX),
    TEXT(send.key, SW_FRAME_KEY_MAX),
    TEXT(send.request_id, REQUEST_ID_MAX),
    TEXT(send.type, TYPE_MAX),
    BYTES(send.body, SW_FRAME_BODY_MAX),
    U32(send.priority, PRIORITY_MAX),
    U32(send.want_reply, SW_FRAME_INNER),
    U32(send.timeout_ms, 3600000),
};
static const struct field publish_fields[] = {
    ID(publish.request),
    NAME(publish.name_space, SW_FRAME_NAME_MAX),
    NAME(publish.subject, SUBJECT_MAX),
    TEXT(publish.type, TYPE_MAX),
    BYTES(publish.body, SW_FRAME_BODY_MAX),
    TEXT(publish.request_id, REQUEST_ID_MAX),
    U32(publish.priority, PRIORITY_MAX),
};
static const struct field request_fields[] = {ID(request.request)};
static const struct field list_fields[] = {ID(list.request),
                                           NAME(list.name_space, SW_FRAME_NAME_MAX),
                                           NAME(list.agent, SW_FRAME_NAME_MAX),
                                           U64(list.from),
                                           TEXT(list.prefix, SW_FRAME_KEY_MAX),
                                           U32(list.states, SW_FRAME_STATES_ALL),
                                           U32(list.limit, SW_FRAME_PAGE_MAX),
                                           U32(list.is_count, 1)};
static const struct field letters_fields[] = {
    ID(letters.request),
    NAME(letters.name_space, SW_FRAME_NAME_MAX),
    NAME(letters.agent, SW_FRAME_NAME_MAX),
    TEXT(letters.key, SW_FRAME_KEY_MAX),
    U64(letters.after),
    U32(letters.limit, 1000),
    U32(letters.with_body, 1),
};
static const struct field letters_change_fields[] = {
    ID(letters_change.request),
    NAME(letters_change.name_space, SW_FRAME_NAME_MAX),
    NAME(letters_change.agent, SW_FRAME_NAME_MAX),
    TEXT(letters_change.key, SW_FRAME_KEY_MAX),
    U64(letters_change.number),
    U32(letters_change.act, SW_FRAME_LETTERS_DROP),
};
static const struct field stop_fields[] = {U32(stop.deadline_ms, 3600000)};
static const struct field ready_fields[] = {U32(ready.version, UINT32_MAX),
                                            U32(ready.workers, 1024),
                                            U64(ready.pods),
                                            U64(ready.instances),
                                            U64(ready.messages),
                                            TEXT(ready.journal, JOURNAL_MAX),
                                            TEXT(ready.words, SW_FRAME_WORDS_MAX)};
static const struct field result_fields[] = {TEXT(result.what, SW_FRAME_PROGRAM_MAX),
                                             U32(result.code, 16),
                                             TEXT(result.words, SW_FRAME_WORDS_MAX)};
static const struct field pod_status_fields[] = {
    NAME(pod_status.uid, UID_MAX),
    U64(pod_status.generation),
    U32(pod_status.phase, SW_FRAME_POD_FAILED),
    U64(pod_status.instances),
    U64(pod_status.ready),
    U64(pod_status.failures),
    TEXT(pod_status.reason, REASON_MAX),
    TEXT(pod_status.words, SW_FRAME_WORDS_MAX),
};
static const struct field pod_closed_fields[] = {NAME(pod_closed.uid, UID_MAX)};
static const struct field module_wanted_fields[] = {
    NAME(module_wanted.uid, UID_MAX), NAME(module_wanted.digest, SW_FRAME_PROGRAM_MAX)};
static const struct field replayed_fields[] = {
    U64(replayed.begin),    U64(replayed.instances), U64(replayed.segments), U64(replayed.recorded),
    U64(replayed.compared), U64(replayed.others),    U64(replayed.troubles)};
static const struct field past_fields[] = {
    ID(past.request),
    U32(past.act, SW_PAST_TRANSCRIPT),
    NAME(past.name_space, SW_FRAME_NAME_MAX),
    NAME(past.agent, SW_FRAME_NAME_MAX),
    NAME(past.agent_uid, UID_MAX),
    NAME(past.key, SW_FRAME_KEY_MAX),
    U64(past.from),
    U64(past.to),
    U32(past.limit, SW_PAST_TURNS_MAX),
    U32(past.is_newest, 1),
    U32(past.body_bytes, SW_PAST_BODY_MAX),
    TEXT(past.module, DIGEST_MAX),
    U32(past.has_input, 1),
    BYTES(past.input, SW_FRAME_BODY_MAX),
    TEXT(past.type, TYPE_MAX),
    U32(past.deadline_ms, 3600000),
    TEXT(past.as, SW_FRAME_KEY_MAX),
};
static const struct field past_turn_fields[] = {
    ID(past_turn.request),
    U64(past_turn.number),
    U64(past_turn.lsn),
    U64(past_turn.time_ns),
    U32(past_turn.entry, 31),
    U32(past_turn.outcome, 31),
    U32(past_turn.code, UINT32_MAX),
    U32(past_turn.fate, 7),
    U32(past_turn.attempt, UINT32_MAX),
    U64(past_turn.retry_ns),
    U64(past_turn.timer),
    U64(past_turn.wait),
    U64(past_turn.tag),
    U64(past_turn.source_lsn),
    U32(past_turn.has_message, 1),
    U32(past_turn.is_reply, 1),
    U32(past_turn.status, UINT32_MAX),
    TEXT(past_turn.from, INSTANCE_MAX),
    TEXT(past_turn.subject, SUBJECT_MAX),
    TEXT(past_turn.type, TYPE_MAX),
    TEXT(past_turn.request_id, REQUEST_ID_MAX),
    BYTES(past_turn.body, SW_PAST_BODY_MAX),
    U64(past_turn.body_bytes),
    U32(past_turn.is_body_kept, 1),
    U32(past_turn.cpu_us, UINT32_MAX),
    U64(past_turn.fuel),
    TEXT(past_turn.module, DIGEST_MAX),
    U64(past_turn.digest),
    U32(past_turn.effects_count, UINT32_MAX),
    BYTES(past_turn.effects, SW_PAST_EFFECTS_MAX),
    U32(past_turn.verdict, SW_PAST_TRIED),
    TEXT(past_turn.words, SW_FRAME_WORDS_MAX),
};
static const struct field past_state_fields[] = {
    ID(past_state.request),
    U64(past_state.number),
    U64(past_state.time_ns),
    U64(past_state.failures),
    U64(past_state.memory_bytes),
    U64(past_state.random_next),
    U64(past_state.digest),
    TEXT(past_state.module, DIGEST_MAX),
    TEXT(past_state.engine, SUBJECT_MAX),
    U32(past_state.wait, 15),
    U64(past_state.wait_number),
    U64(past_state.wait_due_ns),
    U32(past_state.handles, UINT32_MAX),
    U32(past_state.timers, UINT32_MAX),
    U32(past_state.patterns, UINT32_MAX),
    U32(past_state.is_held, 1),
    U32(past_state.held, UINT32_MAX),
    U64(past_state.held_bytes),
    BYTES(past_state.items, SW_PAST_ITEMS_MAX),
};
static const struct field past_end_fields[] = {
    ID(past_end.request),    U32(past_end.code, 16), TEXT(past_end.words, SW_FRAME_WORDS_MAX),
    U64(past_end.first),     U64(past_end.last),     U64(past_end.replayable),
    U32(past_end.is_over, 1)};
static const struct field past_fork_fields[] = {
    ID(past_fork.request), NAME(past_fork.digest, DIGEST_MAX), U64(past_fork.offset),
    U64(past_fork.total), BYTES(past_fork.bytes, SW_FRAME_CHUNK_MAX)};
static const struct field fork_fields[] = {ID(fork.request),
                                           NAME(fork.name_space, SW_FRAME_NAME_MAX),
                                           NAME(fork.agent, SW_FRAME_NAME_MAX),
                                           NAME(fork.key, SW_FRAME_KEY_MAX),
                                           NAME(fork.digest, DIGEST_MAX),
                                           U64(fork.offset),
                                           U64(fork.total),
                                           BYTES(fork.bytes, SW_FRAME_CHUNK_MAX)};
static const struct field fork_change_fields[] = {
    ID(fork_change.request), NAME(fork_change.name_space, SW_FRAME_NAME_MAX),
    NAME(fork_change.agent, SW_FRAME_NAME_MAX), NAME(fork_change.key, SW_FRAME_KEY_MAX),
    U32(fork_change.act, SW_FRAME_FORK_DROP)};
static const struct field reply_fields[] = {
    ID(reply.request),
    U32(reply.code, UINT32_MAX),
    TEXT(reply.type, TYPE_MAX),
    BYTES(reply.body, SW_FRAME_BODY_MAX),
    TEXT(reply.from, SW_FRAME_KEY_MAX),
    U64(reply.subscribers),
};
static const struct field instances_fields[] = {ID(instances.request),
                                                U32(instances.code, 16),
                                                U32(instances.count, SW_FRAME_ROWS_MAX),
                                                U64(instances.next),
                                                BYTES(instances.counts, 8 * SW_FRAME_STATES),
                                                BYTES(instances.entries, ENTRIES_MAX)};
static const struct field letters_page_fields[] = {
    ID(instances.request), U32(instances.code, 16), U32(instances.count, SW_FRAME_PAGE_MAX),
    U32(instances.has_more, 1), BYTES(instances.entries, ENTRIES_MAX)};
static const struct field event_fields[] = {
    TEXT(event.uid, UID_MAX), TEXT(event.key, SW_FRAME_KEY_MAX), U32(event.is_warning, 1),
    NAME(event.reason, REASON_MAX), TEXT(event.words, SW_FRAME_WORDS_MAX)};
static const struct field log_fields[] = {NAME(log.uid, UID_MAX), TEXT(log.key, SW_FRAME_KEY_MAX),
                                          U32(log.level, 3), U64(log.time_ns),
                                          TEXT(log.text, LOG_MAX)};
static const struct field stats_fields[] = {U64(stats.pods),
                                            U64(stats.instances),
                                            U64(stats.waiting),
                                            U64(stats.memory_bytes),
                                            U64(stats.packed_bytes),
                                            U64(stats.asleep),
                                            U64(stats.shelf_bytes),
                                            U64(stats.segments),
                                            U64(stats.failures),
                                            U64(stats.sends),
                                            U64(stats.publishes),
                                            U64(stats.replies),
                                            U64(stats.refused),
                                            U64(stats.replayed),
                                            U64(stats.retried),
                                            U64(stats.parked),
                                            U64(stats.expired),
                                            U64(stats.calls),
                                            U64(stats.hibernated),
                                            U64(stats.woken),
                                            U64(stats.epochs),
                                            U64(stats.journal_bytes),
                                            U64(stats.outputs_waiting),
                                            U64(stats.journal_kept_bytes),
                                            U64(stats.snapshots),
                                            U64(stats.snapshots_failed),
                                            U64(stats.snapshot_bytes),
                                            U64(stats.still_ns),
                                            U64(stats.rebalanced)};

static const struct field quota_held_fields[] = {
    ID(quota_held.number), NAME(quota_held.name_space, SW_FRAME_NAME_MAX),
    U64(quota_held.instances), U64(quota_held.memory_bytes), U64(quota_held.storage_bytes)};
static const struct field quota_fields[] = {ID(quota.number),
                                            NAME(quota.name_space, SW_FRAME_NAME_MAX),
                                            U64(quota.instances),
                                            U64(quota.memory_bytes),
                                            U32(quota.messages_per_s, UINT32_MAX),
                                            U64(quota.cpu_ns),
                                            U64(quota.storage_bytes),
                                            U32(quota.messages_s, UINT16_MAX),
                                            U32(quota.messages_phase, UINT16_MAX)};
static const struct field usage_fields[] = {
    NAME(usage.name_space, SW_FRAME_NAME_MAX),
    TEXT(usage.agent, SW_FRAME_NAME_MAX),
    TEXT(usage.agent_uid, UID_MAX),
    U64(usage.time_ns),
    U64(usage.pages),
    U64(usage.open_page_ms),
    U64(usage.storage_bytes),
    U64(usage.reserved_bytes),
    U64(usage.used.cpu_ns),
    U64(usage.used.handled),
    U64(usage.used.bytes_in),
    U64(usage.used.sent),
    U64(usage.used.bytes_out),
    U64(usage.used.wakeups),
    U64(usage.used.page_ms),
    U64(usage.used.fuel),
};

static const struct field throttled_fields[] = {
    NAME(throttled.name_space, SW_FRAME_NAME_MAX), NAME(throttled.agent, SW_FRAME_NAME_MAX),
    NAME(throttled.agent_uid, UID_MAX), U32(throttled.limit, SW_FRAME_LIMITS - 1),
    ID(throttled.count)};

#define CALL_NAME(member) ID(member.incarnation), ID(member.instance), ID(member.number)
static const struct field call_fields[] = {
    CALL_NAME(call.name),
    ID(call.pod),
    NAME(call.uid, UID_MAX),
    TEXT(call.key, SW_FRAME_KEY_MAX),
    NAME(call.service, SW_FRAME_NAME_MAX),
    TEXT(call.type, TYPE_MAX),
    BYTES(call.body, SW_FRAME_BODY_MAX),
    ID(call.turn),
    U32(call.depth, SW_FRAME_DEPTH_MAX),
};
static const struct field call_result_fields[] = {
    CALL_NAME(call_result.name),      ID(call_result.pod),
    U32(call_result.code, 16),        NAME(call_result.service, SW_FRAME_NAME_MAX),
    TEXT(call_result.type, TYPE_MAX), BYTES(call_result.body, SW_FRAME_BODY_MAX),
};
static const struct field call_end_fields[] = {CALL_NAME(call_end)};

#define SHAPE(kind, direction, fields)                                                             \
    [SW_FRAME_##kind] = {#kind, direction, fields, sizeof fields / sizeof *fields}
static const struct shape shapes[] = {
    SHAPE(HELLO, SW_FRAME_TO_HOST, hello_fields),
    SHAPE(MODULE, SW_FRAME_TO_HOST, module_fields),
    SHAPE(BUNDLE, SW_FRAME_TO_HOST, bundle_fields),
    SHAPE(MODULE_DROP, SW_FRAME_TO_HOST, module_drop_fields),
    SHAPE(POD_OPEN, SW_FRAME_TO_HOST, pod_open_fields),
    SHAPE(POD_CLOSE, SW_FRAME_TO_HOST, pod_close_fields),
    SHAPE(SEND, SW_FRAME_TO_HOST, send_fields),
    SHAPE(PUBLISH, SW_FRAME_TO_HOST, publish_fields),
    SHAPE(LIST, SW_FRAME_TO_HOST, list_fields),
    SHAPE(PING, SW_FRAME_TO_HOST, request_fields),
    SHAPE(STOP, SW_FRAME_TO_HOST, stop_fields),
    SHAPE(LETTERS, SW_FRAME_TO_HOST, letters_fields),
    SHAPE(LETTERS_CHANGE, SW_FRAME_TO_HOST, letters_change_fields),
    SHAPE(CALL_RESULT, SW_FRAME_TO_HOST, call_result_fields),
    SHAPE(MODULE_ASK, SW_FRAME_TO_HOST, module_ask_fields),
    SHAPE(QUOTA, SW_FRAME_TO_HOST, quota_fields),
    SHAPE(PAST, SW_FRAME_TO_HOST, past_fields),
    SHAPE(FORK, SW_FRAME_TO_HOST, fork_fields),
    SHAPE(FORK_CHANGE, SW_FRAME_TO_HOST, fork_change_fields),
    SHAPE(READY, SW_FRAME_FROM_HOST, ready_fields),
    SHAPE(MODULE_RESULT, SW_FRAME_FROM_HOST, result_fields),
    SHAPE(POD_STATUS, SW_FRAME_FROM_HOST, pod_status_fields),
    SHAPE(POD_CLOSED, SW_FRAME_FROM_HOST, pod_closed_fields),
    SHAPE(REPLY, SW_FRAME_FROM_HOST, reply_fields),
    SHAPE(INSTANCES, SW_FRAME_FROM_HOST, instances_fields),
    SHAPE(EVENT, SW_FRAME_FROM_HOST, event_fields),
    SHAPE(LOG, SW_FRAME_FROM_HOST, log_fields),
    SHAPE(STATS, SW_FRAME_FROM_HOST, stats_fields),
    SHAPE(PONG, SW_FRAME_FROM_HOST, request_fields),
    SHAPE(STOPPED, SW_FRAME_FROM_HOST, result_fields),
    SHAPE(LETTERS_PAGE, SW_FRAME_FROM_HOST, letters_page_fields),
    SHAPE(MODULE_WANTED, SW_FRAME_FROM_HOST, module_wanted_fields),
    SHAPE(CALL, SW_FRAME_FROM_HOST, call_fields),
    SHAPE(CALL_END, SW_FRAME_FROM_HOST, call_end_fields),
    SHAPE(USAGE, SW_FRAME_FROM_HOST, usage_fields),
    SHAPE(REPLAYED, SW_FRAME_FROM_HOST, replayed_fields),
    SHAPE(THROTTLED, SW_FRAME_FROM_HOST, throttled_fields),
    SHAPE(PAST_TURN, SW_FRAME_FROM_HOST, past_turn_fields),
    SHAPE(PAST_STATE, SW_FRAME_FROM_HOST, past_state_fields),
    SHAPE(PAST_END, SW_FRAME_FROM_HOST, past_end_fields),
    SHAPE(PAST_FORK, SW_FRAME_FROM_HOST, past_fork_fields),
    SHAPE(QUOTA_HELD, SW_FRAME_FROM_HOST, quota_held_fields),
};
#define SHAPES_COUNT (sizeof shapes / sizeof *shapes)

static const struct shape *shape_of(unsigned kind)
{
    return kind < SHAPES_COUNT && shapes[kind].name != NULL ? &shapes[kind] : NULL;
}

const char *sw_frame_kind_name(enum sw_frame_kind kind)
{
    const struct shape *shape = shape_of((unsigned)kind);

    return shape == NULL ? "?" : shape->name;
}

/* Whether a field's bytes are what its type allows. The writer asserts it, the reader refuses. */
static bool bytes_are_valid(const struct field *field, struct sw_bytes bytes)
{
    if (field->type == FIELD_FIXED)
        return bytes.size == field->max;
    if (bytes.size > field->max || (field->type == FIELD_NAME && bytes.size == 0))
        return false;
    return field->type == FIELD_BYTES || bytes.size == 0 || sw_text_is_utf8(bytes.data, bytes.size);
}

static void field_put(const struct field *field, const struct sw_frame *frame,
                      struct sw_buffer *out)
{
    const char *at = (const char *)frame + field->offset;
    struct sw_bytes bytes;
    uint32_t small;
    uint64_t large;

    switch (field->type) {
    case FIELD_U32:
        memcpy(&small, at, sizeof small);
        assert(small <= field->max);
        sw_buffer_put_u32(out, small);
        return;
    case FIELD_U64:
    case FIELD_ID:
        memcpy(&large, at, sizeof large);
        assert(field->type == FIELD_U64 || large != 0);
        sw_buffer_put_u64(out, large);
        return;
    case FIELD_TEXT:
    case FIELD_NAME:
    case FIELD_BYTES:
    case FIELD_FIXED:
        memcpy(&bytes, at, sizeof bytes);
        assert(bytes_are_valid(field, bytes));
        sw_buffer_put_bytes(out, bytes);
        return;
    }
}

void sw_frame_put(const struct sw_frame *frame, struct sw_buffer *out)
{
    const struct shape *shape = shape_of((unsigned)frame->kind);
    size_t start = out->size, size;

    assert(shape != NULL);
    sw_buffer_put_u32(out, 0);
    sw_buffer_put_u8(out, (uint8_t)frame->kind);
    for (size_t i = 0; i < shape->count; i++)
        field_put(&shape->fields[i], frame, out);
    if (out->failed)
        return;
    size = out->size - start - sizeof(uint32_t);
    for (size_t i = 0; i < sizeof(uint32_t); i++)
        out->data[start + i] = (uint8_t)(size >> 8 * i);
}

static bool field_take(const struct field *field, struct sw_reader *reader, struct sw_frame *frame)
{
    char *at = (char *)frame + field->offset;
    struct sw_bytes bytes;
    uint32_t small;
    uint64_t large;

    switch (field->type) {
    case FIELD_U32:
        small = sw_reader_u32(reader);
        memcpy(at, &small, sizeof small);
        return small <= field->max;
    case FIELD_U64:
    case FIELD_ID:
        large = sw_reader_u64(reader);
        memcpy(at, &large, sizeof large);
        return field->type == FIELD_U64 || large != 0;
    case FIELD_TEXT:
    case FIELD_NAME:
    case FIELD_BYTES:
    case FIELD_FIXED:
        bytes = sw_reader_bytes(reader, field->max);
        memcpy(at, &bytes, sizeof bytes);
        return !reader->failed && bytes_are_valid(field, bytes);
    }
    return false;
}

enum sw_rc sw_frame_take(struct sw_bytes bytes, enum sw_frame_direction direction,
                         struct sw_frame *ret_frame, size_t *ret_size, struct sw_err *err)
{
    struct sw_reader reader = sw_reader_of(bytes.data, bytes.size);
    uint32_t size = sw_reader_u32(&reader);
    const struct shape *shape;
    struct sw_frame frame;

    *ret_size = 0;
    if (reader.failed)
        return SW_OK;
    if (size == 0 || size > SW_FRAME_BYTES_MAX)
        return sw_err_set(err, SW_E_CORRUPT, "a frame of %u bytes", size);
    if (bytes.size < HEAD_BYTES)
        return SW_OK;
    memset(&frame, 0, sizeof frame);
    frame.kind = (enum sw_frame_kind)sw_reader_u8(&reader);
    shape = shape_of((unsigned)frame.kind);
    if (shape == NULL || shape->direction != direction)
        return sw_err_set(err, SW_E_CORRUPT, "a frame of kind %u", (unsigned)frame.kind);
    if (bytes.size - sizeof size < size)
        return SW_OK;
    reader.size = sizeof size + size;
    for (size_t i = 0; i < shape->count; i++)
        if (!field_take(&shape->fields[i], &reader, &frame))
            return sw_err_set(err, SW_E_CORRUPT, "field %zu of frame %s is not valid", i,
                              shape->name);
    if (!sw_reader_is_finished(&reader))
        return sw_err_set(err, SW_E_CORRUPT, "frame %s has a wrong size", shape->name);
    *ret_frame = frame;
    *ret_size = reader.size;
    return SW_OK;
}
