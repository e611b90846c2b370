#include "test/sim/check.h"

#include "pkg/agent/runtime/actor/requests.h"
#include "test/sim/briefs.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_CODE 4u
#define UNAVAILABLE_CODE 14u
#define EXHAUSTED_CODE 8u
#define PRIORITIES 4u

struct check {
    const struct sim_work *work;
    struct sim_lives *lives;
    struct sim_verdict *verdict;
    uint64_t quiet_ns;
    uint8_t *times;    /* How often each operation stands in the log of its instance, */
    uint8_t *calls;    /* how many calls of it ended, */
    uint8_t *taken;    /* and how often each receipt was taken. */
    uint64_t *done_ns; /* When each was done last. */
};

static void wrong(struct sim_verdict *verdict, const char *format, ...) SW_PRINTF(2, 3);
static void wrong(struct sim_verdict *verdict, const char *format, ...)
{
    va_list arguments;

    if (verdict->words[0] != 0)
        return;
    va_start(arguments, format);
    vsnprintf(verdict->words, sizeof verdict->words, format, arguments);
    va_end(arguments);
}

static const char *name_of(uint32_t peer, char text[24])
{
    const char *agent;
    char key[8];

    if (peer == SIM_CLIENT)
        return "a client";
    sim_peer_name(peer, &agent, key);
    snprintf(text, 24, "%s/%s", agent, key);
    return text;
}

void sim_lives_done(struct sim_lives *lives)
{
    for (uint32_t i = 0; i < SIM_MIRROR_FIRST; i++) {
        free(lives->of[i].entries);
        free(lives->of[i].hashes);
        free(lives->of[i].versions);
    }
    free(lives->letters);
    memset(lives, 0, sizeof *lives);
}

/* The same, but for what a brief/N told when it ended meanwhile, an hour after a visit. */
static bool is_same(const struct sim_life *old, const struct sim_life *new)
{
    uint64_t hash = old->hash;

    if (new->position < old->position || old->balance != new->balance ||
        memcmp(old->entries, new->entries, old->position * sizeof *old->entries) != 0)
        return false;
    for (uint64_t i = old->position; i < new->position; i++) {
        const struct sim_entry *entry = &new->entries[i];

        if ((entry->kind != SIM_ENTRY_VISITED && entry->kind != SIM_ENTRY_ENDED) ||
            !sim_is_remembered(entry->peer))
            return false;
        hash = sim_entry_mix(hash, entry);
    }
    return hash == new->hash;
}

void sim_check_same(const struct sim_lives *before, const struct sim_lives *after, const char *when,
                    struct sim_verdict *verdict)
{
    char name[24];

    for (uint32_t i = 0; i < SIM_MIRROR_FIRST; i++) {
        const struct sim_life *old = &before->of[i], *new = &after->of[i];

        if (!is_same(old, new))
            wrong(verdict, "%s is another one after %s: %" PRIu64 " entries, now %" PRIu64,
                  name_of(i, name), when, old->position, new->position);
    }
    if (before->letters_count != after->letters_count ||
        (before->letters_count > 0 && memcmp(before->letters, after->letters,
                                             before->letters_count * sizeof *before->letters) != 0))
        wrong(verdict, "there are other dead letters after %s: %" PRIu32 ", now %" PRIu32, when,
              before->letters_count, after->letters_count);
}

/* --- One life -------------------------------------------------------------------------------- */

struct walk { /* Through the log of one instance. */
    struct check *check;
    uint32_t self;
    const struct sim_life *life;
    uint64_t at; /* Of the entry looked at. */
    int64_t balance;
    uint32_t version, program;      /* That it has. */
    uint32_t rollout;               /* That brought it, counted from 1. */
    uint64_t armed[SIM_TIMERS + 1]; /* When each timer is due; 0: it is not set. */
    uint64_t page_seed[SIM_PAGES];
    uint64_t heard[SIM_PEERS][SIM_SUBJECTS][PRIORITIES];
    bool has_joined[SIM_SUBJECTS], is_joined[SIM_SUBJECTS]; /* Ever; now. */
};

static void wrong_at(const struct walk *walk, const char *what, uint64_t number)
{
    char name[24];

    wrong(walk->check->verdict, "%s, entry %" PRIu64 ": %s (%" PRIu64 ")",
          name_of(walk->self, name), walk->at, what, number);
}

static uint64_t page_sum(uint64_t seed)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < SIM_PAGE_WORDS; i++)
        sum += sim_page_word(seed, i);
    return sum;
}

static void walk_op(struct walk *walk, const struct sim_entry *entry)
{
    const struct sim_record *record = sim_work_find(walk->check->work, entry->number);
    uint8_t *times;
    uint64_t *done_ns;

    if (entry->number == 0)
        return;
    if (record == NULL || record->peer != walk->self || record->request.op != entry->peer) {
        wrong_at(walk, "an operation that nobody sent here", entry->number);
        return;
    }
    times = &walk->check->times[entry->number];
    done_ns = &walk->check->done_ns[entry->number];
    /* A repeat that waits behind others for longer than requests are known is a new one then. */
    if (++*times > 1 &&
        (record->fate == SIM_FATE_DONE || entry->time_ns - *done_ns <= SW_REQUESTS_KEPT_NS))
        wrong_at(walk, "an operation was done twice", entry->number);
    *done_ns = entry->time_ns;
    if (record->fate == SIM_FATE_REFUSED)
        wrong_at(walk, "an operation was done that was refused", entry->number);
}

/* The money of a transfer goes with its message. */
static int64_t amount_of(struct walk *walk, const struct sim_entry *entry)
{
    const struct sim_record *record = sim_work_find(walk->check->work, entry->value);

    if (entry->value == 0) /* Of an upgrade. */
        return 0;
    if (record == NULL || record->request.op == SIM_OP_TRAP) {
        wrong_at(walk, "a message of an operation that left none", entry->value);
        return 0;
    }
    return record->request.op == SIM_OP_TRANSFER ? (int64_t)record->request.value : 0;
}

static void walk_timer(struct walk *walk, const struct sim_entry *entry)
{
    uint64_t *due = &walk->armed[entry->peer <= SIM_TIMERS ? entry->peer : 0];
    uint32_t others = 0;

    for (uint32_t i = 0; i <= SIM_TIMERS; i++)
        others += walk->armed[i] != 0 && &walk->armed[i] != due;
    if (entry->kind == SIM_ENTRY_SET) {
        if (walk->self < SIM_TIGHT_FIRST && others >= SIM_ACCOUNT_TIMERS)
            wrong_at(walk, "more timers than it may have", others + 1);
        *due = entry->number;
        return;
    }
    if (entry->kind == SIM_ENTRY_UNSET) {
        if (walk->self >= SIM_TIGHT_FIRST || others < SIM_ACCOUNT_TIMERS || *due != 0 ||
            entry->number != (uint64_t)-(int64_t)EXHAUSTED_CODE)
            wrong_at(walk, "a timer was refused without a cause", entry->number);
        return;
    }
    if (entry->kind == SIM_ENTRY_CANCELLED) {
        if ((entry->number == 0) != (*due != 0))
            wrong_at(walk, "cancelling a timer came to the wrong code", entry->peer);
    } else if (*due == 0) {
        wrong_at(walk, "a timer fired that was not set", entry->peer);
    } else if (entry->time_ns < *due) {
        wrong_at(walk, "a timer fired before its time", entry->peer);
    }
    *due = 0;
}

static void walk_news(struct walk *walk, const struct sim_entry *entry)
{
    uint64_t subject = entry->value, *last;
    const struct sim_record *record;

    if (subject >= SIM_SUBJECTS || !walk->has_joined[subject])
        wrong_at(walk, "news of a subject that was not joined", subject);
    if (entry->peer == SIM_CLIENT) {
        record = sim_work_find(walk->check->work, entry->number);
        if (record == NULL || record->peer != SIM_CLIENT || record->fate == SIM_FATE_REFUSED)
            wrong_at(walk, "news that nobody published", entry->number);
        return;
    }
    if (entry->peer >= SIM_MIRROR_FIRST || subject >= SIM_SUBJECTS)
        return;
    last = &walk->heard[entry->peer][subject][sim_priority(entry->number)];
    if (entry->number <= *last)
        wrong_at(walk, "news came twice or out of order", entry->number);
    *last = entry->number;
}

static void walk_subject(struct walk *walk, const struct sim_entry *entry)
{
    bool has_joined = entry->kind == SIM_ENTRY_JOINED;

    if (entry->peer >= SIM_SUBJECTS)
        return;
    if (!has_joined && (entry->number == 0) != walk->is_joined[entry->peer])
        wrong_at(walk, "leaving a subject came to the wrong code", entry->peer);
    walk->is_joined[entry->peer] = has_joined;
    if (has_joined) /* What was published then may come after it has left. */
        walk->has_joined[entry->peer] = true;
}

/* A receipt is taken once, by who was given it. */
static void walk_call(struct walk *walk, const struct sim_entry *entry)
{
    const struct sim_record *record = sim_work_find(walk->check->work, entry->value);
    const struct sim_service *service = &walk->check->work->front->service;
    const struct sim_receipt_record *receipt = sim_service_receipt(service, entry->number);
    char name[24];

    if (record == NULL || record->peer != walk->self || record->request.op != SIM_OP_CALL) {
        wrong_at(walk, "a call of an operation that makes none", entry->value);
        return;
    }
    if (++walk->check->calls[entry->value] >
        record->request.value * walk->check->times[entry->value])
        wrong_at(walk, "a call ended twice", entry->value);
    if (entry->peer == TIMEOUT_CODE && record->request.delay_ns != 0 && entry->number == 0)
        return;
    if ((entry->peer != 0 && entry->peer != UNAVAILABLE_CODE) || receipt == NULL ||
        receipt->op != entry->value || strcmp(receipt->caller, name_of(walk->self, name)) != 0)
        wrong_at(walk, "a result that nobody gave it", entry->number);
    else if (walk->check->taken[entry->number]++ > 0)
        wrong_at(walk, "a result was taken twice", entry->number);
}

static bool takes_over(const struct sim_config *config, uint32_t old_program)
{
    return config->program != SIM_PROGRAM_KEPT &&
           (config->handover == SIM_HANDOVER_GOOD ||
            (config->handover == SIM_HANDOVER_SOME && old_program != SIM_PROGRAM_MOVED));
}

/* Versions come in the order in which they were rolled out, each at most once for each time, and
 * only from a program that hands over to one that takes over. */
static void walk_version(struct walk *walk, const struct sim_entry *entry)
{
    const struct sim_front *front = walk->check->work->front;
    const struct sim_rollout *found = NULL;

    while (found == NULL && walk->rollout < front->rollouts_count)
        if (front->rollouts[walk->rollout++].config.version == entry->peer)
            found = &front->rollouts[walk->rollout - 1];
    if (found == NULL) {
        wrong_at(walk, "a version that came again, or never was", entry->peer);
        return;
    }
    if (entry->number != walk->version || (entry->number == 0) != (walk->at == 1))
        wrong_at(walk, "an upgrade from another version than it had", entry->number);
    if (entry->value != found->config.program)
        wrong_at(walk, "the program of another version", entry->value);
    if (entry->number != 0 && !takes_over(&found->config, walk->program))
        wrong_at(walk, "an upgrade that failed was kept", entry->peer);
    walk->version = entry->peer;
    walk->program = (uint32_t)entry->value;
}

/* The last rollout reached it, unless on_upgrade failed. */
static void check_version(const struct walk *walk)
{
    const struct sim_front *front = walk->check->work->front;
    const struct sim_config *last = &front->rollouts[front->rollouts_count - 1].config;

    if (walk->version != last->version && takes_over(last, walk->program))
        wrong_at(walk, "it never came to the last version", walk->version);
}

static void walk_entry(struct walk *walk, const struct sim_entry *entry)
{
    switch ((enum sim_entry_kind)entry->kind) {
    case SIM_ENTRY_START:
        if (walk->at != 0 || entry->peer != walk->self)
            wrong_at(walk, "a second beginning", entry->peer);
        if (entry->value != 0)
            wrong_at(walk, "a new memory was not empty", entry->value);
        return;
    case SIM_ENTRY_OP:
        walk_op(walk, entry);
        return;
    case SIM_ENTRY_SENT:
        walk->balance -= amount_of(walk, entry);
        return;
    case SIM_ENTRY_GOT:
        walk->balance += amount_of(walk, entry);
        return;
    case SIM_ENTRY_ANSWER:
        if (entry->peer == SIM_CLIENT || entry->number != 0)
            wrong_at(walk, "an answer that nobody waits for, or a failure", entry->value);
        return;
    case SIM_ENTRY_SET:
    case SIM_ENTRY_UNSET:
    case SIM_ENTRY_CANCELLED:
    case SIM_ENTRY_FIRED:
        walk_timer(walk, entry);
        return;
    case SIM_ENTRY_HEARD:
        walk_news(walk, entry);
        return;
    case SIM_ENTRY_JOINED:
    case SIM_ENTRY_LEFT:
        walk_subject(walk, entry);
        return;
    case SIM_ENTRY_PAGE:
        if (entry->number != page_sum(walk->page_seed[entry->peer % SIM_PAGES]))
            wrong_at(walk, "a page held something else than what was written", entry->peer);
        walk->page_seed[entry->peer % SIM_PAGES] = entry->value;
        return;
    case SIM_ENTRY_SLEPT:
        if (entry->time_ns < entry->number + entry->value)
            wrong_at(walk, "it slept too short", entry->value);
        return;
    case SIM_ENTRY_CALLED:
        walk_call(walk, entry);
        return;
    case SIM_ENTRY_VERSION:
        walk_version(walk, entry);
        return;
    case SIM_ENTRY_BROKEN:
        wrong_at(walk, "a handler lost its locals in a wait, or its program", entry->value);
        return;
    case SIM_ENTRY_ASKED:
    case SIM_ENTRY_WAS_ASKED:
    case SIM_ENTRY_TOOK:
    case SIM_ENTRY_REFUSED:
    case SIM_ENTRY_TOLD:
    case SIM_ENTRY_VISITED:
    case SIM_ENTRY_STEPPED:
    case SIM_ENTRY_BRANCHED:
    case SIM_ENTRY_ENDED:
    case SIM_ENTRY_RANDOM:
        return;
    }
    wrong_at(walk, "no entry at all", entry->kind);
}

/* What came late: just before the last operation, when all should have been at rest. */
static void check_rest(struct walk *walk)
{
    const struct sim_life *life = walk->life;
    uint64_t mark_ns = 0;

    for (uint64_t i = life->position; i > 0 && mark_ns == 0; i--)
        if (life->entries[i - 1].kind == SIM_ENTRY_OP && life->entries[i - 1].number == 0)
            mark_ns = life->entries[i - 1].time_ns;
    for (uint64_t i = 1; i < life->position && mark_ns != 0; i++) {
        walk->at = i;
        if (life->entries[i].number + life->entries[i].value == 0 &&
            life->entries[i].kind == SIM_ENTRY_OP)
            continue;
        if (life->entries[i].kind == SIM_ENTRY_VISITED || life->entries[i].kind == SIM_ENTRY_ENDED)
            continue; /* Some live for an hour after their last visit. */
        if (life->entries[i].time_ns + walk->check->quiet_ns > mark_ns)
            wrong_at(walk, "it came when all should have been at rest", life->entries[i].kind);
    }
    for (uint32_t i = 1; i <= SIM_TIMERS && mark_ns != 0; i++)
        if (walk->armed[i] != 0 && walk->armed[i] < mark_ns)
            wrong_at(walk, "a timer never fired", i);
}

static void check_life(struct check *check, uint32_t peer)
{
    struct sim_life *life = &check->lives->of[peer];
    struct walk walk = {.check = check, .self = peer, .life = life};
    uint64_t hash = 0;

    life->hashes = calloc(life->position + 1, sizeof *life->hashes);
    life->versions = calloc(life->position + 1, sizeof *life->versions);
    if (life->hashes == NULL || life->versions == NULL)
        abort();
    for (walk.at = 0; walk.at < life->position; walk.at++) {
        const struct sim_entry *entry = &life->entries[walk.at];

        if (walk.at > 0 && entry->time_ns < entry[-1].time_ns)
            wrong_at(&walk, "its clock went back", entry->time_ns);
        walk_entry(&walk, entry);
        hash = sim_entry_mix(hash, entry);
        life->hashes[walk.at + 1] = hash;
        life->versions[walk.at + 1] = walk.version;
    }
    if (hash != life->hash)
        wrong_at(&walk, "the log does not fit its hash", hash);
    if (walk.balance != life->balance)
        wrong_at(&walk, "the balance is not what came and went", (uint64_t)life->balance);
    check->verdict->entries += life->position;
    check_rest(&walk);
    check_version(&walk);
}

/* --- Between two ----------------------------------------------------------------------------- */

/* How often a message is among the dead letters. */
static uint32_t count_letters(const struct check *check, uint32_t from, uint32_t to,
                              uint64_t number)
{
    const struct sim_lives *lives = check->lives;
    uint32_t count = 0;

    for (uint32_t i = 0; i < lives->letters_count; i++)
        count += lives->letters[i].from == from && lives->letters[i].to == to &&
                 lives->letters[i].note.number == number;
    return count;
}

static void check_letters(struct check *check)
{
    char name[24], peer[24];

    for (uint32_t i = 0; i < check->lives->letters_count; i++) {
        const struct sim_letter *letter = &check->lives->letters[i];

        if ((letter->note.kind != SIM_NOTE_POISON && letter->note.kind != SIM_NOTE_CRASH &&
             letter->to < SIM_BRIEF_FIRST) ||
            letter->from >= SIM_MIRROR_FIRST ||
            count_letters(check, letter->from, letter->to, letter->note.number) != 1)
            wrong(check->verdict,
                  "message %" PRIu64 " of %s to %s (op %" PRIu64 ") is a dead letter, twice or "
                  "without a cause",
                  letter->note.number, name_of(letter->from, name), name_of(letter->to, peer),
                  letter->note.id);
    }
}

/* The next message of that one, and of that priority, from entry at on. */
static uint64_t next_got(const struct sim_life *life, uint32_t from, uint32_t priority, uint64_t at)
{
    for (; at < life->position; at++)
        if (life->entries[at].kind == SIM_ENTRY_GOT && life->entries[at].peer == from &&
            sim_priority(life->entries[at].number) == priority)
            break;
    return at;
}

/* What one sent to another came once each, in the order of sending among what has one priority, or
 * is a dead letter. */
static void check_pair_at(struct check *check, uint32_t from, uint32_t to, uint32_t priority)
{
    const struct sim_life *one = &check->lives->of[from], *other = &check->lives->of[to];
    uint64_t at = 0, number = 0;
    char name[24], peer[24];

    for (uint64_t i = 0; i < one->position; i++) {
        const struct sim_entry *sent = &one->entries[i];

        if (sent->kind != SIM_ENTRY_SENT || sent->peer != to)
            continue;
        number++;
        if (sim_priority(number) != priority || count_letters(check, from, to, number) > 0)
            continue;
        at = next_got(other, from, priority, at);
        if (at == other->position || other->entries[at].number != sent->number ||
            other->entries[at].value != sent->value || sent->number != number) {
            wrong(check->verdict,
                  "message %" PRIu64 " of %s to %s (op %" PRIu64 ") was lost, doubled or overtaken",
                  number, name_of(from, name), name_of(to, peer), sent->value);
            return;
        }
        at++;
    }
    at = next_got(other, from, priority, at);
    if (at < other->position)
        wrong(check->verdict, "%s got a message (op %" PRIu64 ") that %s never sent",
              name_of(to, peer), other->entries[at].value, name_of(from, name));
}

static void check_pair(struct check *check, uint32_t from, uint32_t to)
{
    for (uint32_t priority = 0; priority < PRIORITIES; priority++)
        check_pair_at(check, from, to, priority);
}

/* Whether it put down that it asked `to` with that number, and how that ended. */
static const struct sim_entry *find_asked(const struct sim_life *life, uint32_t to, uint64_t number)
{
    for (uint64_t i = 0; i < life->position; i++)
        if (life->entries[i].kind == SIM_ENTRY_ASKED && life->entries[i].peer == to &&
            life->entries[i].number / 256 == number)
            return &life->entries[i];
    return NULL;
}

/* What was asked and waited for came once and in order; an answer comes from who was asked. */
static void check_asked(struct check *check, uint32_t from, uint32_t to)
{
    const struct sim_life *one = &check->lives->of[from], *other = &check->lives->of[to];
    uint64_t lasts[PRIORITIES] = {0}, answered = 0, asked = 0;
    char name[24], peer[24];

    for (uint64_t i = 0; i < other->position; i++) {
        const struct sim_entry *entry = &other->entries[i], *found;
        uint64_t *last = &lasts[sim_priority(entry->number)];

        if (entry->kind != SIM_ENTRY_WAS_ASKED || entry->peer != from)
            continue;
        found = find_asked(one, to, entry->number);
        if (entry->number <= *last || found == NULL || found->value != entry->value)
            wrong(check->verdict,
                  "question %" PRIu64 " of %s to %s (op %" PRIu64
                  ") was doubled, overtaken or made up",
                  entry->number, name_of(from, name), name_of(to, peer), entry->value);
        *last = entry->number;
        answered += found != NULL && found->number % 256 == 0;
    }
    for (uint64_t i = 0; i < one->position; i++)
        asked += one->entries[i].kind == SIM_ENTRY_ASKED && one->entries[i].peer == to &&
                 one->entries[i].number % 256 == 0;
    if (asked != answered)
        wrong(check->verdict, "%s got answers of %s, who was never asked", name_of(from, name),
              name_of(to, peer));
}

/* Each question has its answer. */
static void check_questions(struct check *check, uint32_t peer)
{
    const struct sim_life *life = &check->lives->of[peer];
    uint16_t *open = calloc((size_t)check->work->records_count + 1, sizeof *open);
    char name[24];

    if (open == NULL)
        abort();
    for (uint64_t i = 0; i < life->position; i++) {
        const struct sim_entry *entry = &life->entries[i];
        const struct sim_record *record = sim_work_find(check->work, entry->value);

        if (record == NULL || record->request.op != SIM_OP_GATHER || record->peer != peer)
            continue;
        if (entry->kind == SIM_ENTRY_SENT)
            open[entry->value]++;
        else if (entry->kind == SIM_ENTRY_ANSWER && open[entry->value]-- == 0)
            wrong(check->verdict, "%s: an answer came twice (op %" PRIu64 ")", name_of(peer, name),
                  entry->value);
    }
    for (uint32_t i = 1; i <= check->work->records_count; i++)
        if (open[i] != 0)
            wrong(check->verdict, "%s: a question was never answered (op %" PRIu32 ")",
                  name_of(peer, name), i);
    free(open);
}

/* --- Publishes ------------------------------------------------------------------------------- */

/* When it was surely done, and when it was surely not done yet, by its client's clock. */
struct span {
    uint64_t first_ns, done_ns;
};

static struct span span_of(const struct sim_work *work, uint64_t id)
{
    const struct sim_record *record = sim_work_find(work, id);

    return record == NULL ? (struct span){0, SIM_NEVER}
                          : (struct span){record->first_ns, record->done_ns};
}

static uint32_t count_heard(const struct sim_life *life, uint32_t publisher, uint64_t number,
                            uint64_t subject)
{
    uint32_t count = 0;

    for (uint64_t i = 0; i < life->position; i++)
        count += life->entries[i].kind == SIM_ENTRY_HEARD && life->entries[i].peer == publisher &&
                 life->entries[i].number == number && life->entries[i].value == subject;
    return count;
}

struct news {
    uint32_t publisher;
    uint64_t number, subject;
    struct span span;
    bool is_sure; /* It was published. */
};

/* The span within which `peer` was surely joined to the subject, from entry *at on. False: none. */
static bool next_joined(const struct check *check, uint32_t peer, uint64_t subject, uint64_t *at,
                        struct span *ret_span)
{
    const struct sim_life *life = &check->lives->of[peer];
    bool has_joined = false;

    for (; *at < life->position; *at += 1) {
        const struct sim_entry *entry = &life->entries[*at];
        bool is_it = entry->peer == subject && *at > 0 && entry->number == 0;

        if (is_it && entry->kind == SIM_ENTRY_JOINED && !has_joined) {
            ret_span->first_ns = span_of(check->work, entry[-1].number).done_ns;
            has_joined = true;
        }
        if (is_it && entry->kind == SIM_ENTRY_LEFT && has_joined) {
            ret_span->done_ns = span_of(check->work, entry[-1].number).first_ns;
            *at += 1;
            return true;
        }
    }
    ret_span->done_ns = SIM_NEVER;
    return has_joined;
}

static void check_news(struct check *check, const struct news *news)
{
    char name[24];

    for (uint32_t peer = 0; peer < SIM_MIRROR_FIRST; peer++) {
        uint32_t count =
            count_heard(&check->lives->of[peer], news->publisher, news->number, news->subject);
        struct span joined = {0, 0};
        uint64_t at = 0;

        if (count > 1)
            wrong(check->verdict, "%s heard news %" PRIu64 " twice", name_of(peer, name),
                  news->number);
        while (news->is_sure && count == 0 && next_joined(check, peer, news->subject, &at, &joined))
            if (joined.first_ns < news->span.first_ns && news->span.done_ns <= joined.done_ns &&
                joined.first_ns != SIM_NEVER)
                wrong(check->verdict, "%s never heard news %" PRIu64 " of subject %" PRIu64,
                      name_of(peer, name), news->number, news->subject);
    }
}

static void check_all_news(struct check *check)
{
    for (uint32_t i = 0; i < check->work->records_count; i++) {
        const struct sim_record *record = &check->work->records[i];
        struct news news = {SIM_CLIENT,
                            record->request.id,
                            record->request.value,
                            {record->first_ns, record->done_ns},
                            record->fate == SIM_FATE_DONE};

        if (record->peer == SIM_CLIENT)
            check_news(check, &news);
    }
    for (uint32_t peer = 0; peer < SIM_MIRROR_FIRST; peer++) {
        const struct sim_life *life = &check->lives->of[peer];

        for (uint64_t i = 0; i < life->position; i++) {
            const struct sim_entry *entry = &life->entries[i];
            struct news news = {peer, entry->number, entry->peer,
                                span_of(check->work, entry->value), true};

            if (entry->kind == SIM_ENTRY_TOLD)
                check_news(check, &news);
        }
    }
}

/* --- Answers --------------------------------------------------------------------------------- */

/* What was told of an instance must be of the life that it has. */
static void check_mark(struct check *check, uint64_t id, uint32_t peer, uint64_t position,
                       uint64_t hash)
{
    const struct sim_life *life = &check->lives->of[peer % SIM_MIRROR_FIRST];
    char name[24];

    if (position == 0 && hash == 0) /* A mirror that was told nothing. */
        return;
    if (peer >= SIM_MIRROR_FIRST || position > life->position || life->hashes[position] != hash)
        wrong(check->verdict,
              "op %" PRIu64 " heard of entry %" PRIu64 " of %s, which has no such life", id,
              position, name_of(peer, name));
}

/* It answered in the version that its log says, so it never went back from there. */
static void check_answer_version(struct check *check, const struct sim_record *record)
{
    const struct sim_life *life = &check->lives->of[record->peer % SIM_MIRROR_FIRST];
    const struct sim_answer *answer = &record->answer;
    char name[24];

    if (answer->position <= life->position && life->versions[answer->position] != answer->version)
        wrong(check->verdict,
              "op %" PRIu64 ": %s answered in version %" PRIu32 " at entry %" PRIu64
              ", where it had %" PRIu32,
              record->request.id, name_of(record->peer, name), answer->version, answer->position,
              life->versions[answer->position]);
}

/* A receipt is taken once, by who was given it. */
static bool take_receipt(struct check *check, uint32_t peer, uint64_t number, uint64_t op)
{
    const struct sim_receipt_record *receipt =
        sim_service_receipt(&check->work->front->service, number);
    char name[24];

    return receipt != NULL && receipt->op == op &&
           strcmp(receipt->caller, name_of(peer, name)) == 0 && check->taken[number]++ == 0;
}

/* A mirror keeps no log: its answer has the receipts that it got. */
static void check_mirror_call(struct check *check, const struct sim_record *record)
{
    const struct sim_answer *answer = &record->answer;
    char name[24];

    if (record->wants_reply && answer->count != record->request.value)
        wrong(check->verdict, "op %" PRIu64 ": %" PRIu32 " of its %" PRIu64 " calls ended",
              record->request.id, answer->count, record->request.value);
    for (uint32_t i = 0; record->wants_reply && i < answer->count && i < SIM_HOPS_MAX; i++) {
        const struct sim_mark *mark = &answer->marks[i];

        if (mark->status == TIMEOUT_CODE && record->request.delay_ns != 0 && mark->position == 0)
            continue;
        if ((mark->status != 0 && mark->status != UNAVAILABLE_CODE) ||
            !take_receipt(check, record->peer, mark->position, record->request.id))
            wrong(check->verdict, "op %" PRIu64 ": %s got result %" PRIu64 ", twice or of another",
                  record->request.id, name_of(record->peer, name), mark->position);
    }
}

/* Whatever is told to the service is of a life that somebody has: it left when that was durable. */
static void check_heard(struct check *check)
{
    const struct sim_service *service = &check->work->front->service;

    for (uint64_t i = 0; i < service->heard_count; i++)
        check_mark(check, service->heard[i].op, (uint32_t)service->heard[i].peer,
                   service->heard[i].position, service->heard[i].hash);
}

static void check_record(struct check *check, const struct sim_record *record)
{
    const struct sim_request *request = &record->request;
    uint8_t times = check->times[request->id];

    check->verdict->acknowledged += record->fate == SIM_FATE_DONE;
    check->verdict->unknown += record->fate == SIM_FATE_UNKNOWN;
    check->verdict->refused += record->fate == SIM_FATE_REFUSED;
    if (record->fate != SIM_FATE_DONE)
        return;
    if (request->op == SIM_OP_LOOK) {
        check_mark(check, request->id, (uint32_t)record->answer.value, record->answer.position,
                   record->answer.hash);
        return;
    }
    if (request->op == SIM_OP_CALL && record->peer >= SIM_MIRROR_FIRST)
        check_mirror_call(check, record);
    if (record->peer >= SIM_MIRROR_FIRST) /* Of nobody in particular, or of a short life. */
        return;
    if (times != 1)
        wrong(check->verdict, "op %" PRIu64 " (%s) was acknowledged and is not there", request->id,
              sim_op_name(request->op));
    if (request->op == SIM_OP_CALL && check->calls[request->id] != request->value)
        wrong(check->verdict,
              "op %" PRIu64 " was acknowledged, and %u of its %" PRIu64 " calls ended", request->id,
              (unsigned)check->calls[request->id], request->value);
    if (!record->wants_reply)
        return;
    check_mark(check, request->id, record->peer, record->answer.position, record->answer.hash);
    check_answer_version(check, record);
    for (uint32_t i = 0; i < record->answer.count && i < SIM_HOPS_MAX; i++)
        check_mark(check, request->id, record->answer.marks[i].peer,
                   record->answer.marks[i].position, record->answer.marks[i].hash);
}

void sim_check(const struct sim_work *work, struct sim_lives *lives, uint64_t quiet_ns,
               struct sim_verdict *verdict)
{
    struct check check = {work,
                          lives,
                          verdict,
                          quiet_ns,
                          calloc(SIM_OPS_MAX + 1, 1),
                          calloc(SIM_OPS_MAX + 1, 1),
                          calloc(SIM_RECEIPTS_MAX + 1, 1),
                          calloc(SIM_OPS_MAX + 1, sizeof(uint64_t))};
    int64_t sum = 0;

    if (check.times == NULL || check.done_ns == NULL || check.calls == NULL || check.taken == NULL)
        abort();
    for (uint32_t peer = 0; peer < SIM_MIRROR_FIRST; peer++) {
        check_life(&check, peer);
        sum += lives->of[peer].balance;
    }
    for (uint32_t i = 0; i < work->records_count; i++)
        check_record(&check, &work->records[i]);
    for (uint32_t from = 0; from < SIM_MIRROR_FIRST; from++) {
        for (uint32_t to = 0; to < SIM_MIRROR_FIRST; to++) {
            check_pair(&check, from, to);
            check_asked(&check, from, to);
        }
        check_questions(&check, from);
    }
    if (sum != 0)
        wrong(verdict, "%" PRId64 " of money was made or lost", sum);
    check_letters(&check);
    check_all_news(&check);
    check_heard(&check);
    sim_check_briefs(work, lives, verdict);
    free(check.times);
    free(check.done_ns);
    free(check.calls);
    free(check.taken);
}
