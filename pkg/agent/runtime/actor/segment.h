/* What a segment is about, from its input to its record; seen by this room's files only.
 *
 * Threads, I/O, Limits: as worker.h. */
#pragma once
#include "pkg/agent/runtime/actor/state.h"

struct segment {
    struct sw_instance *instance;
    const struct sw_message *message; /* NULL: START, STOP or UPGRADE. */
    const struct sw_spec *spec;       /* That it runs under; NULL: the instance's. */
    struct sw_record_segment record;
    struct sw_journal_place place;
    uint32_t effects_at;    /* Within the record, */
    uint64_t record_bytes;  /* which takes so much of the journal. */
    bool is_undone;         /* It is as if it had not begun, and comes again. */
    struct sw_origin asker; /* Of a turn that goes on. */
};

/* Have worker->turn take the guest's calls from here on, until sw_turn_end. What the segment before
 * had reserved and did not use is given back. */
void sw_segment_begin(struct sw_worker *worker, const struct segment *segment);
/* Enter the guest, or find that it need not or must not be entered; the record says how it ended.
 */
void sw_segment_execute(struct sw_worker *worker, struct segment *segment);
/* Make what happened part of the journal, and then of the world and of the instance. */
void sw_segment_commit(struct sw_worker *worker, struct segment *segment);
/* Its handler did not come to its end: whoever asked hears of it, and so do people. */
void sw_segment_tell_failure(struct sw_worker *worker, const struct segment *segment);
enum sw_outcome sw_segment_outcome(enum sw_guest_end end);
/* Whether a handler may wait: not while its instance begins, ends or is handed over. */
static inline bool sw_segment_can_wait(enum sw_entry entry)
{
    const uint32_t none = 1u << SW_ENTRY_START | 1u << SW_ENTRY_STOP | 1u << SW_ENTRY_UPGRADE;

    return (1u << entry & none) == 0;
}
/* What a guest is entered with for a record, but for the body of its message and the deadline.
 * *ret_input refers to *ret_message. */
static inline void sw_segment_input(const struct sw_record_segment *record,
                                    struct sw_guest_message *ret_message,
                                    struct sw_guest_input *ret_input)
{
    static const enum sw_guest_entry entries[] = {
        [SW_ENTRY_START] = SW_GUEST_START,    [SW_ENTRY_MESSAGE] = SW_GUEST_MESSAGE,
        [SW_ENTRY_TIMER] = SW_GUEST_TIMER,    [SW_ENTRY_STOP] = SW_GUEST_STOP,
        [SW_ENTRY_RESET] = SW_GUEST_STOP,     [SW_ENTRY_RESUME] = SW_GUEST_RESUME,
        [SW_ENTRY_UPGRADE] = SW_GUEST_UPGRADE};
    const struct sw_message_head *head = &record->head;
    bool is_answer = (head->flags & SW_MESSAGE_ENDS_WAIT) != 0;

    *ret_message = (struct sw_guest_message){.flags = head->flags & ~SW_MESSAGE_ENDS_WAIT,
                                             .priority = head->priority,
                                             .time_ns = record->time_ns,
                                             .tag = is_answer ? 0 : head->tag,
                                             .status = head->status,
                                             .from = head->from,
                                             .subject = head->subject,
                                             .type = head->type};
    *ret_input = (struct sw_guest_input){.entry = entries[record->entry],
                                         .message = record->has_message ? ret_message : NULL,
                                         .timer = record->timer,
                                         .status = is_answer ? head->status : record->ended};
}
/* A guest that took a wait and did not end as waiting, or the other way round, has failed; and one
 * that the host had no memory for, whatever it made of that. */
void sw_segment_judge(const struct sw_turn *turn, struct sw_guest_outcome *outcome);

/* --- next.c ----------------------------------------------------------------------------------- */

/* Run what is next for an instance that stood in the ready queue of `priority`. True: there is more
 * of that for it, and it is there; it is the caller who has it run again. */
bool sw_segment_run(struct sw_worker *worker, struct sw_instance *instance, uint32_t priority);

/* --- start.c ---------------------------------------------------------------------------------- */

/* Run on_start, the first segment. instance->is_started says whether it is; otherwise it is tried
 * again later, and what waits for it was dealt with. */
void sw_segment_start(struct sw_worker *worker, struct sw_instance *instance);
/* As sw_segment_prepare, for an instance that has no guest. */
bool sw_segment_make_guest(struct sw_worker *worker, struct sw_instance *instance,
                           const struct sw_message *message, struct sw_err *err);
/* A volatile instance has lost its memory: it begins anew, and who waits for it has heard so. */
void sw_segment_restart(struct sw_worker *worker, struct sw_instance *instance);

/* Have the guest ready to be entered, with a message or without one (NULL). False: it cannot be
 * now, or never (then it is parked). */
static inline bool sw_segment_prepare(struct sw_worker *worker, struct sw_instance *instance,
                                      const struct sw_message *message, struct sw_err *err)
{
    return instance->guest != NULL || sw_segment_make_guest(worker, instance, message, err);
}

/* --- stop.c ----------------------------------------------------------------------------------- */

/* Run on_stop, the last segment. However it ends, the instance is gone afterwards, unless it has to
 * wait for something. */
void sw_segment_stop(struct sw_worker *worker, struct sw_instance *instance);
/* Nobody will answer what the instance has open: all who wait for that hear so, in words. place:
 * of the record that it follows from; lsn 0: of none. */
void sw_segment_fail_handles(struct sw_worker *worker, struct sw_instance *instance,
                             const char *words, const struct sw_journal_place *place);
/* Record that an instance is gone (STOP, or RESET) and answer its open handles. Removes it. */
void sw_segment_end(struct sw_worker *worker, struct sw_instance *instance, enum sw_entry entry);

/* --- overtake.h, for each segment ---------------------------------------------------------------
 */

/* Guests of worker->running that are entered between these two may be set aside, each of an actor
 * that worker->turn was begun for. */
static inline void sw_overtake_begin(struct sw_worker *worker, enum sw_pass_kind kind)
{
    worker->passing.is_passable = true;
    worker->passing.kind = kind;
}

static inline void sw_overtake_end(struct sw_worker *worker, struct sw_instance *instance)
{
    struct sw_share *share = instance->pod->share;

    worker->passing.is_passable = false;
    if (instance->passed != NULL)
        sw_overtake_end_passed(worker, instance);
    else if (worker->ready.slow > 0 && share != NULL && sw_share_is_slow(share) &&
             worker->passing.kind == SW_PASS_SEGMENT)
        sw_overtake_note_quick(worker, instance);
}

/* --- enter.c ---------------------------------------------------------------------------------- */

/* What a volatile one handles does not come again: it needs no note. */
static inline bool sw_segment_has_note(const struct sw_worker *worker,
                                       const struct segment *segment)
{
    return worker->shared->suspects.notes != NULL &&
           (segment->instance->pod->config.is_durable || segment->record.entry == SW_ENTRY_START);
}
void sw_segment_enter_noted(struct sw_worker *worker, const struct segment *segment,
                            struct sw_guest *guest, const struct sw_guest_input *input);
/* Enter the guest, with a note of what it is entered for. A suspect runs alone, or, after too many
 * crashes, not at all: worker->outcome then says so. */
static inline void sw_segment_enter(struct sw_worker *worker, const struct segment *segment,
                                    struct sw_guest *guest, const struct sw_guest_input *input)
{
    if (sw_segment_has_note(worker, segment))
        sw_segment_enter_noted(worker, segment, guest, input);
    else
        worker->engine.enter(worker->engine.ctx, guest, input, &worker->outcome);
}
/* The same for what its guest hands to another program, appended to out. */
void sw_segment_take_state(struct sw_worker *worker, const struct segment *segment,
                           struct sw_buffer *out, uint32_t *ret_version);

/* --- upgrade.c -------------------------------------------------------------------------------- */

/* Between two turns: have the instance run under its Pod's spec, handing its state to another
 * program if that is what changed. False: not now, it has to wait. Afterwards instance->spec says
 * what it runs under: one whose upgrade failed stays what it was until the Pod changes again. */
bool sw_upgrade_settle(struct sw_worker *worker, struct sw_instance *instance);
