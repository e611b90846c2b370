#include "include/swarm/agent.h"
#include "pkg/agent/runtime/actor/segment.h"
#include "pkg/utils/base/hash.h"

#include <stdio.h>
#include <string.h>

/* One that starts by itself, or for a client, has no number yet that lasts: it is named by its Pod,
 * its key, and the module, so that a mended one has lives of its own. */
static struct sw_note note_of_start(const struct sw_instance *instance)
{
    const struct sw_bytes parts[] = {instance->pod->config.uid, sw_instance_key(instance),
                                     instance->spec->digest};
    uint8_t key[16] = "start";
    uint64_t hash = 0;

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        memcpy(key + 8, &hash, sizeof hash);
        hash = sw_siphash(key, parts[i].data, parts[i].size);
    }
    return (struct sw_note){.instance = hash | 1, .timer = SW_NOTE_OF_START};
}

/* What has no message that names it, and comes again as long as its instance has not come further:
 * the end of a wait, whatever that was, its last words, and its upgrade. */
static struct sw_note note_of_entry(const struct segment *segment)
{
    const struct sw_record_segment *record = &segment->record;
    struct sw_note note = {.instance = segment->instance->id,
                           .since = segment->instance->actor.last_lsn};

    if (record->entry == SW_ENTRY_RESUME) {
        note.index = record->wait;
        note.timer = SW_NOTE_OF_WAIT;
    } else if (record->entry == SW_ENTRY_UPGRADE) {
        note.index = record->to;
        note.timer = SW_NOTE_OF_UPGRADE;
    } else {
        note.timer = SW_NOTE_OF_STOP;
    }
    return note;
}

/* By what name the input comes again after a restart. One that starts comes with the message that
 * it is started for. */
static struct sw_note note_of(const struct segment *segment)
{
    const struct sw_instance *instance = segment->instance;
    const struct sw_message *message = segment->message;
    enum sw_entry entry = segment->record.entry;
    struct sw_note note = {0};

    for (uint32_t p = SW_PRIORITIES; entry == SW_ENTRY_START && p > 0; p--)
        if (message == NULL && instance->mailbox[p - 1] != NULL)
            message = (const struct sw_message *)(const void *)instance->mailbox[p - 1]->next;
    if (entry == SW_ENTRY_START &&
        (message == NULL || message->head.source.lsn == 0 || !instance->pod->config.is_durable))
        return note_of_start(instance);
    if (message == NULL || (entry == SW_ENTRY_RESUME && !sw_record_received(&segment->record)))
        return note_of_entry(segment);
    note.lsn = message->head.source.lsn;
    note.index = message->head.source.index;
    if (message->is_timer ||
        (note.lsn != 0 && (message->head.flags & SWARM_MESSAGE_PUBLISHED) != 0))
        note.instance = instance->id;
    note.since = note.lsn;
    if (message->is_timer) {
        note.timer = message->head.tag;
        note.since = instance->actor.last_lsn;
    }
    return note;
}

static struct sw_note *place_of(const struct sw_worker *worker)
{
    return &worker->shared->suspects.notes->running[worker->options.index];
}

bool sw_note_begin(struct sw_worker *worker, const struct sw_note *note)
{
    struct sw_suspects *suspects = &worker->shared->suspects;
    uint64_t crashes = sw_suspects_find(suspects, note);

    if (crashes >= SW_SUSPECT_CRASHES_MAX)
        return false;
    if (crashes > 0) {
        pthread_mutex_lock(&suspects->mutex);
        worker->passing.is_passable = false;
    }
    if (suspects->notes != NULL)
        *place_of(worker) = *note;
    return true;
}

void sw_note_end(struct sw_worker *worker, const struct sw_note *note)
{
    struct sw_suspects *suspects = &worker->shared->suspects;

    if (suspects->notes != NULL)
        memset(place_of(worker), 0, sizeof *note);
    if (sw_suspects_find(suspects, note) > 0)
        pthread_mutex_unlock(&suspects->mutex);
}

static bool begin(struct sw_worker *worker, const struct segment *segment, struct sw_note *ret_note)
{
    struct sw_guest_outcome *outcome = &worker->outcome;

    *ret_note = note_of(segment);
    if (sw_note_begin(worker, ret_note))
        return true;
    outcome->end = SW_GUEST_CRASHED;
    outcome->fuel = 0;
    outcome->code = SW_E_INTERNAL;
    snprintf(outcome->report, sizeof outcome->report,
             "the agent host crashed %u times while this was handled", SW_SUSPECT_CRASHES_MAX);
    return false;
}

void sw_segment_enter_noted(struct sw_worker *worker, const struct segment *segment,
                            struct sw_guest *guest, const struct sw_guest_input *input)
{
    struct sw_note note;

    if (!begin(worker, segment, &note))
        return;
    worker->engine.enter(worker->engine.ctx, guest, input, &worker->outcome);
    sw_note_end(worker, &note);
}

void sw_segment_take_state(struct sw_worker *worker, const struct segment *segment,
                           struct sw_buffer *out, uint32_t *ret_version)
{
    const struct sw_instance *instance = segment->instance;
    bool is_noted = sw_segment_has_note(worker, segment);
    struct sw_note note;

    if (is_noted && !begin(worker, segment, &note))
        return;
    worker->engine.state(worker->engine.ctx, instance->guest, instance->pod->config.deadline_ms,
                         out, ret_version, &worker->outcome);
    if (is_noted)
        sw_note_end(worker, &note);
}
