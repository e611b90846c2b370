/* What an answer comes to, event by event. */
#include "pkg/broker/model/wire/codecs.h"

#include <stdlib.h>

#define PARTS_FIRST 4u

void sw_wire_answer_init(struct sw_wire_answer *answer)
{
    *answer = (struct sw_wire_answer){.parts = NULL};
    sw_buffer_init(&answer->names, SW_WIRE_ANSWER_BYTES_MAX);
}

void sw_wire_answer_done(struct sw_wire_answer *answer)
{
    for (uint32_t i = 0; i < answer->parts_count; i++)
        sw_buffer_done(&answer->parts[i].text);
    free(answer->parts);
    sw_buffer_done(&answer->names);
}

struct sw_wire_text sw_wire_answer_text(const struct sw_wire_answer *answer,
                                        struct sw_wire_place place)
{
    if (place.size == 0)
        return SW_WIRE_TEXT("");
    return (struct sw_wire_text){(const char *)answer->names.data + place.at, place.size};
}

struct sw_wire_place sw_wire_answer_name(struct sw_wire_answer *answer, struct sw_wire_text text)
{
    struct sw_wire_place place = {(uint32_t)answer->names.size, (uint32_t)text.size};

    sw_wire_put(&answer->names, text);
    if (answer->names.failed)
        place.size = 0;
    return place;
}

struct sw_wire_answer_part *sw_wire_answer_find(const struct sw_wire_answer *answer,
                                                enum sw_wire_event_kind kind, uint32_t choice,
                                                uint32_t key)
{
    for (uint32_t i = answer->parts_count; i > 0; i--) {
        struct sw_wire_answer_part *part = &answer->parts[i - 1];

        if (part->kind == kind && part->key == key && part->choice == choice)
            return part;
    }
    return NULL;
}

static enum sw_rc no_memory(struct sw_err *err)
{
    return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the model's answer");
}

static enum sw_rc add_part(struct sw_wire_answer *answer, const struct sw_wire_event *event,
                           struct sw_wire_answer_part **ret_part, struct sw_err *err)
{
    struct sw_wire_answer_part *part;

    if (answer->parts_count == SW_WIRE_PARTS_MAX)
        return sw_err_set(err, SW_E_EXHAUSTED,
                          "the model's answer has more than %u texts and tool calls",
                          SW_WIRE_PARTS_MAX);
    if (answer->parts_count == answer->parts_capacity) {
        uint32_t capacity = answer->parts_capacity == 0 ? PARTS_FIRST : answer->parts_capacity * 2;

        part = realloc(answer->parts, capacity * sizeof *part);
        if (part == NULL)
            return no_memory(err);
        answer->parts = part;
        answer->parts_capacity = capacity;
    }
    part = &answer->parts[answer->parts_count++];
    *part = (struct sw_wire_answer_part){
        .kind = event->kind, .choice = event->choice, .key = event->key};
    sw_buffer_init(&part->text, SW_WIRE_ANSWER_BYTES_MAX);
    if (event->kind == SW_WIRE_EVENT_CALL) {
        part->ordinal = answer->calls[event->choice]++;
        part->id = sw_wire_answer_name(answer, event->id);
        part->name = sw_wire_answer_name(answer, event->name);
    }
    *ret_part = part;
    return SW_OK;
}

/* The part that an event begins or goes on with. */
static enum sw_rc part_of(struct sw_wire_answer *answer, const struct sw_wire_event *event,
                          struct sw_wire_answer_part **ret_part, struct sw_err *err)
{
    enum sw_wire_event_kind kind = event->kind;

    if (kind == SW_WIRE_EVENT_ARGUMENTS)
        kind = SW_WIRE_EVENT_CALL;
    else if (kind == SW_WIRE_EVENT_SIGNATURE)
        kind = SW_WIRE_EVENT_THOUGHT;
    *ret_part = event->kind == SW_WIRE_EVENT_CALL
                    ? NULL
                    : sw_wire_answer_find(answer, kind, event->choice, event->key);
    if (*ret_part != NULL)
        return SW_OK;
    if (event->kind == SW_WIRE_EVENT_ARGUMENTS)
        return sw_err_set(err, SW_E_CORRUPT,
                          "the model's answer has arguments of a tool call that never began");
    struct sw_wire_event begun = *event;

    begun.kind = kind;
    return add_part(answer, &begun, ret_part, err);
}

static enum sw_rc take_text(struct sw_wire_answer *answer, struct sw_wire_event *event,
                            struct sw_err *err)
{
    struct sw_wire_answer_part *part;
    enum sw_rc rc;

    answer->bytes += event->text.size + event->id.size + event->name.size;
    if (answer->bytes > SW_WIRE_ANSWER_BYTES_MAX)
        return sw_err_set(err, SW_E_EXHAUSTED, "the model's answer has more than %zu bytes",
                          SW_WIRE_ANSWER_BYTES_MAX);
    if (answer->keeps_nothing)
        return SW_OK;
    rc = part_of(answer, event, &part, err);
    if (rc != SW_OK)
        return rc;
    event->part = (uint32_t)(part - answer->parts);
    if (event->kind == SW_WIRE_EVENT_SIGNATURE)
        part->signature = sw_wire_answer_name(answer, event->text);
    else if (event->is_json)
        sw_wire_put_escaped(&part->text, event->text);
    else
        sw_wire_put(&part->text, event->text);
    return part->text.failed || answer->names.failed ? no_memory(err) : SW_OK;
}

static void count_bytes(struct sw_wire_answer *answer, const struct sw_wire_event *event)
{
    struct sw_wire_usage *usage = &answer->usage;

    if (event->kind == SW_WIRE_EVENT_SIGNATURE)
        return;
    usage->output_bytes += event->is_json ? event->text.size : sw_wire_meaning_bytes(event->text);
    usage->output_bytes += sw_wire_meaning_bytes(event->name);
}

enum sw_rc sw_wire_answer_take(struct sw_wire_answer *answer, struct sw_wire_event *event,
                               struct sw_err *err)
{
    event->part = SW_WIRE_NO_PART;
    if (event->choice >= SW_WIRE_CHOICES_MAX)
        return sw_err_set(err, SW_E_CORRUPT, "the model's answer has a choice beyond number %u",
                          SW_WIRE_CHOICES_MAX - 1);
    if (event->choice >= answer->choices)
        answer->choices = event->choice + 1;
    switch (event->kind) {
    case SW_WIRE_EVENT_START:
        return SW_OK;
    case SW_WIRE_EVENT_STOP:
        answer->stop[event->choice] = (uint8_t)event->stop;
        if (event->text.size > 0)
            answer->sequence = sw_wire_answer_name(answer, event->text);
        return answer->names.failed ? no_memory(err) : SW_OK;
    case SW_WIRE_EVENT_END:
        answer->is_ended = true;
        for (uint32_t i = 0; i < answer->choices; i++) /* Some say "stop" for calls. */
            if (answer->stop[i] <= SW_WIRE_STOP_DONE && answer->calls[i] > 0)
                answer->stop[i] = SW_WIRE_STOP_CALLS;
        return SW_OK;
    case SW_WIRE_EVENT_TEXT:
    case SW_WIRE_EVENT_REFUSAL:
    case SW_WIRE_EVENT_THOUGHT:
    case SW_WIRE_EVENT_REDACTED:
    case SW_WIRE_EVENT_SIGNATURE:
    case SW_WIRE_EVENT_CALL:
    case SW_WIRE_EVENT_ARGUMENTS:
        break;
    }
    count_bytes(answer, event);
    return take_text(answer, event, err);
}

enum sw_rc sw_wire_tell(const struct sw_wire_sink *sink, struct sw_wire_event event)
{
    enum sw_rc rc;

    if (event.text.at == NULL)
        event.text = SW_WIRE_TEXT("");
    if (event.id.at == NULL)
        event.id = SW_WIRE_TEXT("");
    if (event.name.at == NULL)
        event.name = SW_WIRE_TEXT("");
    rc = sw_wire_answer_take(sink->answer, &event, sink->err);
    if (rc == SW_OK && sink->on_event != NULL)
        rc = sink->on_event(sink->ctx, &event, sink->err);
    return rc;
}

enum sw_rc sw_wire_tell_text(const struct sw_wire_doc *doc, uint32_t at,
                             const struct sw_wire_sink *sink, struct sw_wire_event event)
{
    if (!sw_wire_is_string(doc, at) || doc->nodes[at].end == doc->nodes[at].start)
        return SW_OK;
    event.text = sw_wire_text_of(doc, at);
    return sw_wire_tell(sink, event);
}
