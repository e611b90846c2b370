#include "pkg/agent/store/record_text.h"

#include "pkg/agent/store/effect.h"
#include "pkg/utils/base/text.h"

#include <inttypes.h>

const char *sw_entry_name(enum sw_entry entry)
{
    static const char *const names[] = {"?",      "start",   "message", "timer", "stop",   "reset",
                                        "resume", "upgrade", "image",   "fork",  "release"};

    return (unsigned)entry < sizeof names / sizeof *names ? names[entry] : "?";
}

const char *sw_outcome_name(enum sw_outcome outcome)
{
    static const char *const names[] = {"done",    "failed",  "trapped", "deadline",   "no-memory",
                                        "waiting", "refused", "crashed", "out-of-fuel"};

    return (unsigned)outcome < sizeof names / sizeof *names ? names[outcome] : "?";
}

const char *sw_outcome_reason(enum sw_outcome outcome)
{
    static const char *const names[] = {"Done",    "Failed",  "Trapped",     "Deadline", "NoMemory",
                                        "Waiting", "Refused", "HostCrashed", "OutOfFuel"};

    return (unsigned)outcome < sizeof names / sizeof *names ? names[outcome] : "Unknown";
}

const char *sw_record_kind_name(enum sw_record_kind kind)
{
    static const char *const names[] = {"?",        "pod",  "pod-drop", "segment", "publish",
                                        "snapshot", "spec", "letter",   "slots",   "usage"};

    return (unsigned)kind < sizeof names / sizeof *names ? names[kind] : "?";
}

/* --- For people ------------------------------------------------------------------------------ */

static void text_print(struct sw_buffer *out, const char *name, struct sw_bytes text)
{
    const char *bytes = text.data;

    sw_buffer_print(out, " %s=\"", name);
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte < ' ' || byte == '"' || byte == '\\' || byte == 127)
            sw_buffer_print(out, "\\x%02x", byte);
        else
            sw_buffer_put_u8(out, byte);
    }
    sw_buffer_put_u8(out, '"');
}

/* UTC, as RFC 3339 has it. */
static void time_print(struct sw_buffer *out, const char *before, uint64_t utc_ns)
{
    char text[SW_TIME_TEXT_SIZE];

    sw_time_print(utc_ns, text);
    sw_buffer_print(out, "%s%s", before, text);
}

static void wait_print(struct sw_buffer *out, const struct sw_effect *effect)
{
    sw_buffer_print(out, " wait=%" PRIu64, effect->number);
    if (effect->due_ns == UINT64_MAX)
        return;
    time_print(out, "(due ", effect->due_ns);
    sw_buffer_put_u8(out, ')');
}

static void effect_print(struct sw_buffer *out, const struct sw_effect *effect)
{
    switch (effect->kind) {
    case SW_EFFECT_SEND:
        text_print(out, "send", effect->to);
        sw_buffer_print(out, "(%zu bytes, tag %" PRIu64 ")", effect->body.size, effect->number);
        return;
    case SW_EFFECT_REPLY:
        sw_buffer_print(out, " reply=%" PRIu64 "(%zu bytes, status %" PRId32 ")", effect->number,
                        effect->body.size, effect->status);
        return;
    case SW_EFFECT_PUBLISH:
        text_print(out, "publish", effect->to);
        sw_buffer_print(out, "(%zu bytes)", effect->body.size);
        return;
    case SW_EFFECT_SUBSCRIBE:
        text_print(out, "subscribe", effect->to);
        return;
    case SW_EFFECT_UNSUBSCRIBE:
        text_print(out, "unsubscribe", effect->to);
        return;
    case SW_EFFECT_TIMER_START:
        sw_buffer_print(out, " timer=%" PRIu64, effect->number);
        time_print(out, "(due ", effect->due_ns);
        sw_buffer_put_u8(out, ')');
        return;
    case SW_EFFECT_TIMER_CANCEL:
        sw_buffer_print(out, " timer-cancel=%" PRIu64, effect->number);
        return;
    case SW_EFFECT_ASK:
    case SW_EFFECT_CALL:
        text_print(out, effect->kind == SW_EFFECT_ASK ? "ask" : "call", effect->to);
        sw_buffer_print(out, "(%zu bytes%s)", sw_effect_body_bytes(effect),
                        effect->absent_bytes != 0 ? ", left out" : "");
        wait_print(out, effect);
        return;
    case SW_EFFECT_RECEIVE:
    case SW_EFFECT_SLEEP:
        sw_buffer_print(out, effect->kind == SW_EFFECT_SLEEP ? " sleep" : " receive");
        wait_print(out, effect);
        return;
    }
}

static void segment_print(const struct sw_record_segment *segment, struct sw_buffer *out)
{
    struct sw_reader reader = sw_reader_of(segment->effects.data, segment->effects.size);
    struct sw_effect effect;

    sw_buffer_print(
        out, "segment instance=%" PRIu64 " pod=%" PRIu64 " spec=%" PRIu32 " previous=%" PRIu64,
        segment->instance, segment->pod, segment->spec, segment->previous);
    time_print(out, " time=", segment->time_ns);
    sw_buffer_print(out, " entry=%s outcome=%s", sw_entry_name(segment->entry),
                    sw_outcome_name(segment->outcome));
    if (segment->code != 0)
        sw_buffer_print(out, " code=%" PRId32, segment->code);
    if (segment->outcome != SW_OUTCOME_DONE)
        sw_buffer_print(out, " attempt=%" PRIu32, segment->attempt);
    if (segment->outcome != SW_OUTCOME_DONE && segment->fate == SW_FATE_RETRY)
        time_print(out, " retry=", segment->retry_ns);
    if (segment->outcome != SW_OUTCOME_DONE && segment->fate == SW_FATE_PARKED)
        sw_buffer_put_text(out, " parked");
    if (segment->waits_on)
        sw_buffer_put_text(out, " waits-on");
    if (segment->entry == SW_ENTRY_START || segment->entry == SW_ENTRY_FORK)
        text_print(out, "key", segment->key);
    if (segment->entry == SW_ENTRY_TIMER)
        sw_buffer_print(out, " id=%" PRIu64, segment->timer);
    if (segment->entry == SW_ENTRY_RESUME)
        sw_buffer_print(out, " wait=%" PRIu64, segment->wait);
    if (segment->ended != 0)
        sw_buffer_print(out, " ended=%" PRId32, segment->ended);
    if (segment->entry == SW_ENTRY_UPGRADE)
        sw_buffer_print(out, " to=%" PRIu32, segment->to);
    if (sw_record_is_whole(segment))
        sw_buffer_print(out, " image=%zu bytes", segment->image.size);
    if (segment->has_message) {
        text_print(out, "from", segment->head.from);
        sw_buffer_print(out, " bytes=%" PRIu32, segment->body_bytes);
        if (segment->head.source.lsn != 0)
            sw_buffer_print(out, " source=%" PRIu64 ".%" PRIu32, segment->head.source.lsn,
                            segment->head.source.index);
        if (segment->head.request_id.size > 0)
            text_print(out, "request-id", segment->head.request_id);
    }
    sw_buffer_print(out, " cpu=%" PRIu32 "ns", segment->cpu_ns);
    if (segment->is_woken)
        sw_buffer_put_text(out, " woken");
    if (segment->has_pages)
        sw_buffer_print(out, " pages=%" PRIu32, segment->pages);
    if (segment->fuel != 0)
        sw_buffer_print(out, " fuel=%" PRIu64, segment->fuel);
    while (sw_effect_take(&reader, &effect))
        effect_print(out, &effect);
}

static void letter_print(const struct sw_record_letter *letter, struct sw_buffer *out)
{
    static const char *const acts[] = {"?", "park", "redeliver", "drop"};

    sw_buffer_print(out, "letter %s pod=%" PRIu64, acts[letter->act], letter->pod);
    time_print(out, " time=", letter->time_ns);
    if (letter->number != 0)
        sw_buffer_print(out, " number=%" PRIu64, letter->number);
    if (letter->act != SW_LETTER_PARK)
        return;
    text_print(out, "key", letter->key);
    text_print(out, "from", letter->head.from);
    text_print(out, "reason", letter->reason);
    sw_buffer_print(out, " bytes=%zu", letter->body.size);
}

void sw_record_print(const struct sw_record *record, struct sw_buffer *out)
{
    switch (record->kind) {
    case SW_RECORD_SPEC:
        sw_buffer_print(out, "spec number=%" PRIu32 " config=%zu bytes", record->spec.number,
                        record->spec.config.size);
        text_print(out, "module", record->spec.digest);
        text_print(out, "engine", record->spec.fingerprint);
        return;
    case SW_RECORD_POD:
        sw_buffer_print(out, "pod number=%" PRIu64 " spec=%" PRIu32, record->pod.pod,
                        record->pod.spec);
        text_print(out, "uid", record->pod.uid);
        text_print(out, "namespace", record->pod.name_space);
        text_print(out, "agent", record->pod.agent);
        return;
    case SW_RECORD_POD_DROP:
        sw_buffer_print(out, "pod-drop number=%" PRIu64, record->dropped_pod);
        return;
    case SW_RECORD_SEGMENT:
        segment_print(&record->segment, out);
        return;
    case SW_RECORD_PUBLISH:
        time_print(out, "publish time=", record->publish.time_ns);
        text_print(out, "namespace", record->publish.name_space);
        text_print(out, "subject", record->publish.subject);
        sw_buffer_print(out, " bytes=%zu", record->publish.body.size);
        return;
    case SW_RECORD_SNAPSHOT:
        sw_buffer_print(out, "snapshot at=%" PRIu64 " bytes=%" PRIu64, record->snapshot.lsn,
                        record->snapshot.bytes);
        text_print(out, "file", record->snapshot.file);
        return;
    case SW_RECORD_SLOTS:
        sw_buffer_print(out, "slots from=%" PRIu64 " to=%" PRIu64, record->slots.from,
                        record->slots.to);
        return;
    case SW_RECORD_USAGE:
        sw_buffer_put_text(out, "usage");
        text_print(out, "namespace", record->usage.name_space);
        text_print(out, "agent", record->usage.agent);
        time_print(out, " time=", record->usage.time_ns);
        sw_usage_print(&record->usage.used, out);
        return;
    case SW_RECORD_LETTER:
        letter_print(&record->letter, out);
        return;
    }
}
