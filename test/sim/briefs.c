#include "test/sim/briefs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LIVES_MAX 8192u
#define SHORT_LIVED (SIM_BRIEFS + SIM_FRESH)

struct briefs {
    const struct sim_work *work;
    struct sim_verdict *verdict;
    struct life {
        uint64_t number; /* Random: it tells one life from another. */
        uint32_t peer, visits;
        uint32_t version; /* Of a fresh/N. */
        bool has_ended;
    } *lives;
    uint32_t lives_count;
    struct life *now[SIM_FRESH]; /* Of each fresh/N, the last that was told of. */
    struct visit {               /* By op, and brief/N or fresh/N. */
        uint64_t life;           /* 0: of none that was told of. */
        bool was_sent;           /* A note of it went out, */
        bool is_a_letter;        /* and could not be born there. */
    } *visits;
};

static struct visit *visit_of(const struct briefs *briefs, uint64_t op, uint32_t peer)
{
    return &briefs->visits[op % (SIM_OPS_MAX + 1) * SHORT_LIVED +
                           (peer - SIM_BRIEF_FIRST) % SHORT_LIVED];
}

static void wrong(const struct briefs *briefs, const char *what, uint32_t peer, uint64_t number)
{
    const char *agent;
    char key[8];

    sim_peer_name(peer, &agent, key);
    if (briefs->verdict->words[0] == 0)
        snprintf(briefs->verdict->words, sizeof briefs->verdict->words, "%s/%s: %s (%" PRIu64 ")",
                 agent, key, what, number);
}

static struct life *find(const struct briefs *briefs, uint64_t number)
{
    for (uint32_t i = 0; i < briefs->lives_count; i++)
        if (briefs->lives[i].number == number)
            return &briefs->lives[i];
    return NULL;
}

static struct life *find_or_add(struct briefs *briefs, uint32_t peer, uint64_t number)
{
    struct life *life = find(briefs, number);

    if (life != NULL)
        return life;
    if (briefs->lives_count == LIVES_MAX)
        abort();
    life = &briefs->lives[briefs->lives_count++];
    *life = (struct life){.number = number, .peer = peer};
    return life;
}

/* Somebody made it, here, and it is in no other life. */
static void take_op(const struct briefs *briefs, uint64_t op, uint32_t peer, uint64_t life)
{
    const struct sim_record *record = sim_work_find(briefs->work, op);

    if (record == NULL ||
        (record->request.op == SIM_OP_VISIT ? record->peer != peer
                                            : record->request.op != SIM_OP_CALL_ON)) {
        wrong(briefs, "a visit that nobody made", peer, op);
        return;
    }
    if (visit_of(briefs, op, peer)->life != 0)
        wrong(briefs, "a visit came twice", peer, op);
    visit_of(briefs, op, peer)->life = life;
}

static void take_visit(struct briefs *briefs, const struct sim_entry *entry)
{
    struct life *life = find_or_add(briefs, entry->peer, entry->number);

    life->visits++;
    if (life->has_ended || life->peer != entry->peer)
        wrong(briefs, "a visit after the end", entry->peer, entry->value);
    take_op(briefs, entry->value, entry->peer, entry->number);
}

/* No version has more lives than it was rolled out. */
static void check_rollouts(const struct briefs *briefs, const struct life *life)
{
    const struct sim_front *front = briefs->work->front;
    uint32_t lives = 0, rollouts = 0;

    for (uint32_t i = 0; i < briefs->lives_count; i++)
        lives += briefs->lives[i].peer == life->peer && briefs->lives[i].version == life->version;
    for (uint32_t i = 0; i < front->rollouts_count; i++)
        rollouts += front->rollouts[i].config.version == life->version;
    if (lives > rollouts)
        wrong(briefs, "it began anew without a new version", life->peer, life->version);
}

/* All that a life of a fresh/N had went on from there, in one version; the next one begins empty
 * with another rollout, and no older one goes on then. */
static void take_step(struct briefs *briefs, const struct sim_entry *entry)
{
    struct sim_step step = sim_step_unpack(entry->value);
    struct life *life = find_or_add(briefs, entry->peer, entry->number);
    struct life **now = &briefs->now[(entry->peer - SIM_FRESH_FIRST) % SIM_FRESH];

    if (life->visits == 0) {
        life->version = step.version;
        check_rollouts(briefs, life);
    }
    if (life->peer != entry->peer || life->version != step.version)
        wrong(briefs, "a life went over into another one", entry->peer, step.op);
    if (step.count != ++life->visits)
        wrong(briefs, "a life lost or doubled what it had", entry->peer, step.op);
    if (*now != life && life->visits != 1)
        wrong(briefs, "a life went on after its end", entry->peer, step.op);
    *now = life;
    life->has_ended = true; /* Nobody tells of that. */
    take_op(briefs, step.op, entry->peer, entry->number);
}

static void take_end(struct briefs *briefs, const struct sim_entry *entry)
{
    struct life *life = find_or_add(briefs, entry->peer, entry->number);

    if (life->has_ended)
        wrong(briefs, "a life ended twice", entry->peer, entry->number);
    if (life->visits != (uint32_t)entry->value)
        wrong(briefs, "it told of some of its visits only", entry->peer, entry->number);
    if (entry->value >> 32 != 0)
        wrong(briefs, "it ended though it was not idle", entry->peer, entry->value >> 32);
    life->has_ended = true;
}

static void read_log(struct briefs *briefs, const struct sim_life *life)
{
    for (uint64_t i = 0; i < life->position; i++) {
        const struct sim_entry *entry = &life->entries[i];

        if (entry->kind == SIM_ENTRY_VISITED)
            take_visit(briefs, entry);
        else if (entry->kind == SIM_ENTRY_STEPPED)
            take_step(briefs, entry);
        else if (entry->kind == SIM_ENTRY_ENDED)
            take_end(briefs, entry);
        else if (entry->kind == SIM_ENTRY_SENT && entry->peer >= SIM_BRIEF_FIRST &&
                 entry->value <= briefs->work->records_count)
            visit_of(briefs, entry->value, entry->peer)->was_sent = true;
    }
}

/* Whether the life that answered is the one that had the visit. */
static void check_visit(const struct briefs *briefs, const struct sim_record *record)
{
    uint64_t id = record->request.id, visited = visit_of(briefs, id, record->peer)->life;
    const struct life *life;

    if (record->fate == SIM_FATE_REFUSED && visited != 0)
        wrong(briefs, "a visit that was refused", record->peer, id);
    if (record->fate != SIM_FATE_DONE)
        return;
    if (visited == 0 && !sim_is_remembered(record->peer))
        wrong(briefs, "a visit was acknowledged and is in no life", record->peer, id);
    if (!record->wants_reply)
        return;
    life = find(briefs, record->answer.life);
    if (visited != record->answer.life && (visited != 0 || (life != NULL && life->has_ended)))
        wrong(briefs, "a visit was acknowledged and is in no life", record->peer, id);
}

/* What an instance sent came once, or is a dead letter: it may only bring so many to life. */
static void check_note(const struct briefs *briefs, uint64_t op, uint32_t peer)
{
    const struct visit *visit = visit_of(briefs, op, peer);

    if (visit->life != 0 && (!visit->was_sent || visit->is_a_letter))
        wrong(briefs, "a note that was not sent, or was a dead letter", peer, op);
    if (visit->life == 0 && visit->was_sent && !visit->is_a_letter && !sim_is_remembered(peer))
        wrong(briefs, "a note was lost", peer, op);
}

static void read_letters(const struct briefs *briefs, const struct sim_lives *lives)
{
    for (uint32_t i = 0; i < lives->letters_count; i++) {
        const struct sim_letter *letter = &lives->letters[i];

        if (letter->to < SIM_BRIEF_FIRST || letter->to == SIM_CLIENT)
            continue;
        if (letter->from >= SIM_HUB_FIRST + SIM_HUBS || letter->note.id == 0 ||
            letter->note.id > briefs->work->records_count)
            wrong(briefs, "a dead letter of nobody", letter->to, letter->note.id);
        visit_of(briefs, letter->note.id, letter->to)->is_a_letter = true;
    }
}

void sim_check_briefs(const struct sim_work *work, const struct sim_lives *lives,
                      struct sim_verdict *verdict)
{
    struct briefs briefs = {
        .work = work,
        .verdict = verdict,
        .lives = calloc(LIVES_MAX, sizeof *briefs.lives),
        .visits = calloc((SIM_OPS_MAX + 1) * (size_t)SHORT_LIVED, sizeof *briefs.visits)};

    if (briefs.lives == NULL || briefs.visits == NULL)
        abort();
    for (uint32_t peer = 0; peer < SIM_MIRROR_FIRST; peer++)
        read_log(&briefs, &lives->of[peer]);
    for (uint32_t i = 0; i < briefs.lives_count; i++)
        if (!briefs.lives[i].has_ended)
            wrong(&briefs, "it told of visits and not of its end", briefs.lives[i].peer,
                  briefs.lives[i].number);
    read_letters(&briefs, lives);
    for (uint32_t i = 0; i < work->records_count; i++) {
        const struct sim_request *request = &work->records[i].request;

        if (request->op == SIM_OP_VISIT)
            check_visit(&briefs, &work->records[i]);
        for (uint32_t k = 0; request->op == SIM_OP_CALL_ON && k < request->hops; k++)
            check_note(&briefs, request->id, request->path[k]);
    }
    verdict->lives = briefs.lives_count;
    free(briefs.lives);
    free(briefs.visits);
}
