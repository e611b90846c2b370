#include "cmd/swarm-agent-host/aside.h"

#include "pkg/agent/runtime/actor/past.h"
#include "pkg/agent/runtime/actor/actor.h"
#include "pkg/broker/transcript/transcript.h"
#include "pkg/utils/base/text.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define RECORDS_BYTES_MAX ((uint64_t)1 << 30)
#define TRANSCRIPT_BYTES ((size_t)2 << 20) /* The same of a transcript. */
#define PAGE_BYTES ((size_t)8 << 20) /* A list ends behind it: who asked goes on from there. */
/* So many effects of a turn are told, and a page ends behind so many: who asked has to take the
 * answer in (SW_TREE_NODES_MAX of pkg/apis). */
#define TURN_EFFECTS 5000u
#define PAGE_EFFECTS 3000u
#define NS_PER_US 1000u

struct looking { /* At a past, for somebody who asked. */
    struct driver *driver;
    struct asking asking;
    struct sw_buffer bytes; /* Of the frame that asks. */
    struct sw_frame_past wanted;
    bool is_asked;
    struct sw_past *past;
    struct sw_past_view view;
    struct sw_buffer rows;
    size_t told_bytes;  /* Of bodies and effects. */
    uint32_t told;      /* Turns. */
    uint32_t effects;   /* Of them, told. */
    uint64_t low, high; /* TRANSCRIPT: the turns that are told. */
};

/* --- What is told ---------------------------------------------------------------------------- */

static void emit(struct looking *looking, const struct sw_frame *frame)
{
    struct sw_err ignored = {0};

    link_emit(looking->driver, frame);
    if (link_write(looking->driver, &ignored) != SW_OK)
        _exit(SW_HOST_EXIT_STOPPED); /* Nobody is there to hear. */
}

/* What a guest or a client wrote was checked when it came; one who reads relies on nothing. */
static struct sw_bytes text_of(struct sw_bytes text, size_t size_max)
{
    return text.size > 0 && (text.size > size_max || !sw_text_is_utf8(text.data, text.size))
               ? (struct sw_bytes){"?", 1}
               : text;
}

static struct sw_bytes begin_of(struct sw_bytes bytes, size_t size_max)
{
    return (struct sw_bytes){bytes.data, bytes.size > size_max ? size_max : bytes.size};
}

/* The rows of a list of effects, as far as there is room. Returns how many effects there are. */
static uint32_t put_effects(struct looking *looking, struct sw_bytes effects)
{
    struct sw_reader reader = sw_reader_of(effects.data, effects.size);
    struct sw_effect effect;
    uint32_t count = 0, told = 0;

    sw_buffer_reset(&looking->rows);
    for (; sw_effect_take(&reader, &effect); count++) {
        const struct sw_past_effect row = {
            .kind = effect.kind,
            .status = (uint32_t)(effect.status < 0 ? -effect.status : effect.status),
            .number = effect.number,
            .due_ns = effect.due_ns,
            .to = text_of(effect.to, SW_EFFECT_TEXT_MAX),
            .type = text_of(effect.type, SW_EFFECT_TEXT_MAX),
            .body = begin_of(effect.body, looking->wanted.body_bytes),
            .body_bytes = sw_effect_body_bytes(&effect)};
        size_t before = looking->rows.size;

        if (told == TURN_EFFECTS)
            continue;
        sw_past_effect_put(&row, &looking->rows);
        told++;
        if (looking->rows.size <= SW_PAST_EFFECTS_MAX)
            continue;
        looking->rows.size = before;
        told--;
    }
    looking->effects += told;
    return count;
}

static void put_message(const struct looking *looking, const struct sw_past_turn *turn,
                        struct sw_frame_past_turn *out)
{
    const struct sw_message_head *head = &turn->segment.head;

    out->has_message = 1;
    out->is_reply = head->answers.lsn != 0 || (head->flags & SW_MESSAGE_ENDS_WAIT) != 0;
    out->status = (uint32_t)(head->status < 0 ? -head->status : head->status);
    out->tag = head->tag;
    out->source_lsn = head->source.lsn;
    out->from = text_of(head->from, SW_FRAME_NAME_MAX + 1 + SW_FRAME_KEY_MAX);
    out->subject = text_of(head->subject, SW_EFFECT_TEXT_MAX);
    out->type = text_of(head->type, SW_EFFECT_TEXT_MAX);
    out->request_id = text_of(head->request_id, 128);
    out->is_body_kept = turn->is_body_kept;
    out->body_bytes = turn->is_body_kept ? turn->segment.body.size : turn->segment.body_bytes;
    if (turn->is_body_kept)
        out->body = begin_of(turn->segment.body, looking->wanted.body_bytes);
}

static void tell_turn(struct looking *looking, const struct sw_past_turn *turn,
                      enum sw_past_verdict verdict, const char *words)
{
    const struct sw_record_segment *segment = &turn->segment;
    struct sw_bytes said = {words, strlen(words)};
    struct sw_frame frame = {.kind = SW_FRAME_PAST_TURN};
    struct sw_frame_past_turn *out = &frame.past_turn;

    if (said.size == 0)
        said = segment->words;
    *out = (struct sw_frame_past_turn){
        .request = looking->wanted.request,
        .number = turn->number,
        .lsn = turn->lsn,
        .time_ns = segment->time_ns,
        .entry = segment->entry,
        .outcome = segment->outcome,
        .code = (uint32_t)(segment->code < 0 ? -segment->code : segment->code),
        .fate = segment->fate,
        .attempt = segment->attempt,
        .retry_ns = segment->retry_ns,
        .timer = segment->timer,
        .wait = segment->wait,
        .cpu_us = segment->cpu_ns / NS_PER_US,
        .fuel = segment->fuel,
        .module = text_of(turn->module, 71),
        .digest = segment->digest,
        .effects_count = put_effects(looking, segment->effects),
        .verdict = verdict,
        .words = text_of(begin_of(said, SW_FRAME_WORDS_MAX), SW_FRAME_WORDS_MAX),
    };
    if (segment->has_message)
        put_message(looking, turn, out);
    out->effects = (struct sw_bytes){looking->rows.data, looking->rows.size};
    looking->told_bytes += out->body.size + out->effects.size;
    looking->told++;
    emit(looking, &frame);
}

static void put_item(struct looking *looking, const struct sw_past_item *item)
{
    size_t before = looking->rows.size;

    sw_past_item_put(item, &looking->rows);
    if (looking->rows.size > SW_PAST_ITEMS_MAX)
        looking->rows.size = before;
}

static void put_actor(struct looking *looking, const struct sw_actor *actor)
{
    static const char *const askers[] = {[SW_ORIGIN_NONE] = "",
                                         [SW_ORIGIN_CLIENT] = "client",
                                         [SW_ORIGIN_INSTANCE] = "instance",
                                         [SW_ORIGIN_WAIT] = "instance"};

    sw_buffer_reset(&looking->rows);
    for (uint32_t i = 0; i < actor->timers_count; i++)
        put_item(looking, &(struct sw_past_item){.kind = SW_PAST_TIMER,
                                                 .number = actor->timers[i].id,
                                                 .due_ns = actor->timers[i].due_ns});
    for (uint32_t i = 0; i < actor->patterns_count; i++)
        put_item(looking,
                 &(struct sw_past_item){.kind = SW_PAST_PATTERN,
                                        .text = text_of((struct sw_bytes){actor->patterns[i]->text,
                                                                          actor->patterns[i]->size},
                                                        SW_EFFECT_TEXT_MAX)});
    for (uint32_t i = 0; i < actor->handles_count; i++) {
        const char *who = askers[actor->handles[i].origin.kind];

        if (actor->handles[i].origin.kind != SW_ORIGIN_NONE)
            put_item(looking, &(struct sw_past_item){.kind = SW_PAST_HANDLE,
                                                     .number = actor->handles[i].number,
                                                     .text = {who, strlen(who)}});
    }
}

static void tell_state(struct looking *looking, const struct sw_past_state *state)
{
    const struct sw_actor *actor = state->actor;
    struct sw_frame frame = {.kind = SW_FRAME_PAST_STATE};

    put_actor(looking, actor);
    frame.past_state = (struct sw_frame_past_state){
        .request = looking->wanted.request,
        .number = state->number,
        .time_ns = actor->last_ns,
        .failures = actor->failures,
        .memory_bytes = state->memory_bytes,
        .random_next = state->random_next,
        .digest = sw_effects_digest(state->image),
        .module = text_of(state->module, 71),
        .engine = text_of(state->engine, SW_EFFECT_TEXT_MAX),
        .wait = actor->wait.kind,
        .wait_number = actor->wait.kind == SW_WAIT_NONE ? 0 : actor->wait.number,
        .wait_due_ns = actor->wait.kind == SW_WAIT_NONE ? 0 : actor->wait.due_ns,
        .handles = sw_actor_open_handles(actor),
        .timers = actor->timers_count,
        .patterns = actor->patterns_count,
        .is_held = sw_actor_is_held(actor),
        .held = sw_actor_is_held(actor) ? actor->withheld->count : 0,
        .held_bytes = sw_actor_is_held(actor) ? actor->withheld->effects.size : 0,
        .items = {looking->rows.data, looking->rows.size}};
    emit(looking, &frame);
}

static _Noreturn void end(struct looking *looking, enum sw_rc rc, const struct sw_err *err)
{
    size_t size = rc == SW_OK ? 0 : strlen(err->message);
    struct sw_frame frame = {
        .kind = SW_FRAME_PAST_END,
        .past_end = {
            .request = looking->wanted.request,
            .code = (uint32_t)-rc,
            .words = text_of(begin_of((struct sw_bytes){err->message, size}, SW_FRAME_WORDS_MAX),
                             SW_FRAME_WORDS_MAX),
            .first = looking->view.first,
            .last = looking->view.last,
            .replayable = looking->view.replayable,
            .is_over = looking->view.is_over}};

    emit(looking, &frame);
    _exit(SW_HOST_EXIT_STOPPED);
}

/* --- What is done ---------------------------------------------------------------------------- */

/* Which turns are meant: from *ret_low to *ret_high, none if that is less, and no more of them than
 * are wanted at once. */
static void choose(const struct looking *looking, uint64_t *ret_low, uint64_t *ret_high)
{
    const struct sw_frame_past *wanted = &looking->wanted;
    uint64_t first = looking->view.first, last = looking->view.last;
    uint64_t low = wanted->from > first ? wanted->from : first;
    uint64_t high = wanted->to == 0 || wanted->to > last ? last : wanted->to;

    if (high >= low && wanted->is_newest) {
        uint64_t newest = sw_past_newest(looking->past, high, wanted->limit);

        low = newest > low ? newest : low;
    }
    *ret_low = low;
    *ret_high = high;
}

/* Whether one more is told, from *number on, and which: of what failed just before a snapshot
 * nothing may be left, and in a gap there is nothing. */
static bool go_on(const struct looking *looking, uint64_t *number, uint64_t high)
{
    uint64_t next = sw_past_next(looking->past, *number);

    if (next == 0 || next > high || looking->told >= looking->wanted.limit ||
        looking->told_bytes >= PAGE_BYTES || looking->effects >= PAGE_EFFECTS)
        return false;
    *number = next;
    return true;
}

static enum sw_rc list(struct looking *looking, struct sw_err *err)
{
    uint64_t low, high;
    enum sw_rc rc = SW_OK;

    choose(looking, &low, &high);
    for (; rc == SW_OK && go_on(looking, &low, high); low++) {
        struct sw_past_turn turn;

        rc = sw_past_turn(looking->past, low, &turn, err);
        if (rc == SW_OK)
            tell_turn(looking, &turn, SW_PAST_RECORDED, "");
    }
    return rc;
}

static enum sw_rc inspect(struct looking *looking, struct sw_err *err)
{
    uint64_t number = looking->wanted.to == 0 ? looking->view.last : looking->wanted.to;
    struct sw_past_state state;
    struct sw_past_turn turn;
    struct sw_err ignored = {0};
    enum sw_rc rc = sw_past_go(looking->past, number, err);

    if (rc == SW_OK && sw_past_turn(looking->past, number, &turn, &ignored) == SW_OK)
        tell_turn(looking, &turn, SW_PAST_RECORDED, "");
    if (rc == SW_OK)
        rc = sw_past_state(looking->past, &state, err);
    if (rc == SW_OK)
        tell_state(looking, &state);
    return rc;
}

/* Run one turn again. *ret_ends: it differs, so that nothing behind it can be run. */
static enum sw_rc replay_turn(struct looking *looking, uint64_t number, bool *ret_ends,
                              struct sw_err *err)
{
    struct sw_past_turn turn;
    struct sw_err own = {0};
    enum sw_rc rc = sw_past_turn(looking->past, number, &turn, err);

    if (rc != SW_OK)
        return rc;
    rc = sw_past_go(looking->past, number, &own);
    *ret_ends = rc == SW_E_PRECONDITION;
    if (rc == SW_E_PRECONDITION) {
        tell_turn(looking, &turn, SW_PAST_DIFFERS, own.message);
    } else if (rc != SW_OK) {
        *err = own;
        return rc;
    } else {
        tell_turn(looking, &turn,
                  sw_outcome_counts(turn.segment.outcome) ? SW_PAST_SAME : SW_PAST_SKIPPED, "");
    }
    return SW_OK;
}

static enum sw_rc replay(struct looking *looking, struct sw_err *err)
{
    struct sw_past_state state;
    bool ends = false;
    uint64_t low, high;
    enum sw_rc rc = SW_OK;

    sw_past_set_module(looking->past, looking->wanted.module);
    choose(looking, &low, &high);
    if (looking->wanted.from == 0 && low < looking->view.replayable) {
        looking->wanted.from = looking->view.replayable;
        choose(looking, &low, &high);
    }
    (void)go_on(looking, &low, high); /* It may be in a gap. */
    if (low > 1 && low > looking->view.replayable)
        rc = sw_past_go(looking->past, low - 1, err);
    else if (low == looking->view.replayable && low > 1)
        low++; /* It begins after that one. */
    for (; rc == SW_OK && !ends && go_on(looking, &low, high); low++)
        rc = replay_turn(looking, low, &ends, err);
    if (rc == SW_OK && !ends && sw_past_state(looking->past, &state, err) == SW_OK)
        tell_state(looking, &state);
    return rc;
}

/* --- Transcripts ----------------------------------------------------------------------------- */

static void tell_entry(void *ctx, uint64_t turn, struct sw_bytes json)
{
    struct looking *looking = ctx;
    struct sw_frame frame = {.kind = SW_FRAME_PAST_TURN};

    if (turn < looking->low || turn > looking->high || json.size > SW_PAST_BODY_MAX)
        return;
    frame.past_turn = (struct sw_frame_past_turn){
        .request = looking->wanted.request, .number = turn, .body = json, .body_bytes = json.size};
    looking->told_bytes += json.size;
    emit(looking, &frame);
}

/* What a turn that was run again got, and what it called. */
static enum sw_rc take_turn(struct looking *looking, struct sw_transcript *transcript,
                            const struct sw_past_turn *turn, struct sw_err *err)
{
    const struct sw_record_segment *segment = &turn->segment;
    const struct sw_wait *wait = &sw_past_actor(looking->past)->wait;
    struct sw_transcript_part part = {.turn = turn->number, .time_ns = segment->time_ns};
    enum sw_rc rc = SW_OK;

    if (segment->entry == SW_ENTRY_RESUME && !segment->waits_on) {
        part.code = segment->has_message ? segment->head.status : segment->ended;
        part.type = segment->head.type;
        part.body = turn->is_body_kept ? segment->body : (struct sw_bytes){NULL, 0};
        rc = sw_transcript_answer(transcript, &part, err);
    }
    if (rc != SW_OK || segment->outcome != SW_OUTCOME_WAITING || wait->kind != SW_WAIT_CALL)
        return rc;
    part.number = wait->number;
    part.service = sw_call_service(wait->call);
    part.type = sw_call_type(wait->call);
    part.body = sw_call_body(wait->call);
    return sw_transcript_call(transcript, &part, err);
}

/* Run the turns up to the last one that is told, and on until that has its answer. */
static enum sw_rc transcribe(struct looking *looking, struct sw_transcript *transcript,
                             struct sw_err *err)
{
    uint64_t at = looking->view.replayable == 0 ? 1 : looking->view.replayable;
    enum sw_rc rc = SW_OK;

    for (; (at = sw_past_next(looking->past, at)) != 0; at++) {
        struct sw_past_turn turn;

        if (looking->told >= looking->wanted.limit || looking->told_bytes >= TRANSCRIPT_BYTES)
            looking->high = at - 1 < looking->high ? at - 1 : looking->high;
        if (at > looking->high && !sw_transcript_is_open(transcript))
            break;
        rc = sw_past_turn(looking->past, at, &turn, err);
        if (rc == SW_OK)
            rc = sw_past_go(looking->past, at, err);
        if (rc == SW_OK)
            rc = take_turn(looking, transcript, &turn, err);
        if (rc != SW_OK && rc != SW_E_RANGE) /* In a gap: it goes on behind it. */
            return rc;
        looking->told += at >= looking->low;
    }
    return sw_transcript_end(transcript, err);
}

static enum sw_rc transcript(struct looking *looking, struct sw_err *err)
{
    SW_CLEANUP(sw_transcript_freep) struct sw_transcript *made = NULL;
    const struct sw_transcript_options options = {
        .text_bytes = looking->wanted.body_bytes, .ctx = looking, .tell = tell_entry};
    struct sw_frame frame = {.kind = SW_FRAME_PAST_TURN};
    enum sw_rc rc = sw_transcript_new(&options, &made, err);

    choose(looking, &looking->low, &looking->high);
    if (rc == SW_OK)
        rc = transcribe(looking, made, err);
    if (rc != SW_OK)
        return rc;
    frame.past_turn =
        (struct sw_frame_past_turn){.request = looking->wanted.request, .number = looking->high};
    emit(looking, &frame);
    return SW_OK;
}

static enum sw_rc try_turn(struct looking *looking, struct sw_err *err)
{
    const struct sw_frame_past *wanted = &looking->wanted;
    const struct sw_past_input input = {.has_body = wanted->has_input,
                                        .body = wanted->input,
                                        .type = wanted->type,
                                        .deadline_ms = wanted->deadline_ms};
    struct sw_past_trial trial;
    struct sw_past_turn turn;
    enum sw_rc rc = sw_past_turn(looking->past, wanted->to, &turn, err);

    if (rc == SW_OK)
        rc = sw_past_go(looking->past, wanted->to - 1, err);
    if (rc == SW_OK && wanted->module.size > 0)
        rc = sw_past_switch(looking->past, wanted->module, wanted->deadline_ms, err);
    if (rc == SW_OK)
        rc = sw_past_try(looking->past, wanted->to, &input, &trial, err);
    if (rc != SW_OK)
        return rc;
    turn.segment.outcome = trial.outcome;
    turn.segment.code = trial.code;
    turn.segment.effects = trial.effects;
    turn.segment.digest = sw_effects_digest(trial.effects);
    turn.segment.fate = SW_FATE_TOLD;
    turn.segment.cpu_ns = 0;
    turn.segment.fuel = trial.fuel;
    turn.segment.words = (struct sw_bytes){NULL, 0};
    if (wanted->has_input) {
        turn.segment.body = wanted->input;
        turn.is_body_kept = true;
    }
    if (wanted->type.size > 0)
        turn.segment.head.type = wanted->type;
    if (wanted->module.size > 0)
        turn.module = wanted->module;
    tell_turn(looking, &turn, SW_PAST_TRIED, sw_outcome_counts(trial.outcome) ? "" : trial.report);
    return SW_OK;
}

static void tell_fork(struct looking *looking, struct sw_bytes digest, struct sw_bytes record)
{
    const uint8_t *bytes = record.data;
    size_t size;

    for (size_t at = 0; at < record.size; at += size) {
        struct sw_frame frame = {.kind = SW_FRAME_PAST_FORK};

        size = record.size - at < SW_FRAME_CHUNK_MAX ? record.size - at : SW_FRAME_CHUNK_MAX;
        frame.past_fork = (struct sw_frame_past_fork){.request = looking->wanted.request,
                                                      .digest = digest,
                                                      .offset = at,
                                                      .total = record.size,
                                                      .bytes = {bytes + at, size}};
        emit(looking, &frame);
    }
}

/* What the instance was before a turn, as the beginning of another one. */
static enum sw_rc fork_turn(struct looking *looking, struct sw_err *err)
{
    const struct sw_frame_past *wanted = &looking->wanted;
    const struct sw_past_input input = {
        .has_body = wanted->has_input, .body = wanted->input, .type = wanted->type};
    struct sw_past_state state;
    struct sw_past_turn turn;
    struct sw_err ignored = {0};
    struct sw_buffer record;
    enum sw_rc rc = wanted->to == looking->view.last + 1
                        ? SW_OK
                        : sw_past_turn(looking->past, wanted->to, &turn, err);

    if (rc == SW_OK)
        rc = sw_past_go(looking->past, wanted->to - 1, err);
    if (rc == SW_OK && wanted->module.size > 0)
        rc = sw_past_switch(looking->past, wanted->module, wanted->deadline_ms, err);
    if (rc != SW_OK)
        return rc;
    sw_buffer_init(&record, SW_JOURNAL_RECORD_MAX);
    rc = sw_past_fork(looking->past, wanted->to, &input, wanted->as, &record, err);
    if (rc == SW_OK)
        rc = sw_past_state(looking->past, &state, err);
    if (rc == SW_OK && sw_past_turn(looking->past, wanted->to, &turn, &ignored) == SW_OK)
        tell_turn(looking, &turn, SW_PAST_RECORDED, "");
    if (rc == SW_OK)
        tell_fork(looking, wanted->module.size > 0 ? wanted->module : state.module,
                  (struct sw_bytes){record.data, record.size});
    sw_buffer_done(&record);
    return rc;
}

/* --- All of it ------------------------------------------------------------------------------- */

/* The frame borrows what the link overwrites. */
static enum sw_rc take(void *ctx, const struct sw_frame *frame, struct sw_err *err)
{
    struct looking *looking = ctx;
    struct sw_frame kept;
    size_t size;
    enum sw_rc rc;

    if (frame->kind != SW_FRAME_PAST || looking->is_asked)
        return sw_err_set(err, SW_E_CORRUPT, "frame %s where a past is to be looked at",
                          sw_frame_kind_name(frame->kind));
    sw_frame_put(frame, &looking->bytes);
    rc = sw_buffer_check(&looking->bytes);
    if (rc == SW_OK)
        rc = sw_frame_take((struct sw_bytes){looking->bytes.data, looking->bytes.size},
                           SW_FRAME_TO_HOST, &kept, &size, err);
    if (rc == SW_OK)
        looking->wanted = kept.past;
    if (looking->wanted.limit == 0)
        looking->wanted.limit = 1;
    looking->is_asked = rc == SW_OK;
    return rc;
}

static enum sw_rc get_program(void *ctx, struct sw_worker *worker, struct sw_bytes pod,
                              struct sw_bytes digest, struct sw_err *err)
{
    struct looking *looking = ctx;

    (void)worker; /* There is one. */
    return asking_program(&looking->asking, pod, digest, err);
}

_Noreturn void past_run(struct driver *driver, struct sw_worker *worker, open_module *open)
{
    static enum sw_rc (*const acts[])(struct looking *looking, struct sw_err *err) = {
        [SW_PAST_LIST] = list,    [SW_PAST_INSPECT] = inspect, [SW_PAST_REPLAY] = replay,
        [SW_PAST_TRY] = try_turn, [SW_PAST_FORK] = fork_turn,  [SW_PAST_TRANSCRIPT] = transcript};
    struct looking looking = {.driver = driver};
    struct sw_journal_options journal = {.system = driver->system,
                                         .folder = driver->folder,
                                         .is_read_only = true,
                                         .is_followed = true};
    struct sw_past_options options = {.journal = &journal,
                                      .shared = &driver->shared,
                                      .worker = worker,
                                      .bytes_max = RECORDS_BYTES_MAX,
                                      .ctx = &looking,
                                      .program = get_program};
    struct sw_err err = {0};
    enum sw_rc rc = SW_OK;

    sw_buffer_init(&looking.bytes, SW_FRAME_BYTES_MAX + 64);
    sw_buffer_init(&looking.rows, SIZE_MAX / 2);
    asking_begin(&looking.asking, driver, worker, open);
    while (rc == SW_OK && !looking.is_asked)
        rc = link_receive(driver, take, &looking, &err);
    if (rc != SW_OK)
        driver_die(SW_HOST_EXIT_PROTOCOL, err.message);
    options.name_space = looking.wanted.name_space;
    options.agent = looking.wanted.agent;
    options.agent_uid = looking.wanted.agent_uid;
    options.key = looking.wanted.key;
    rc = sw_past_open(&options, &looking.past, &err);
    if (rc == SW_OK) {
        sw_past_view(looking.past, &looking.view);
        rc = acts[looking.wanted.act](&looking, &err);
    }
    end(&looking, rc, &err);
}
