#include "test/sim/briefs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LIVES_MAX 8192u

struct briefs {
    const struct sim_work *work;
    struct sim_verdict *verdict;
    struct life {
        uint64_t number; /* Random: it tells one life from another. */
        uint32_t peer, visits;
        bool has_ended;
    } *lives;
    uint32_t lives_count;
    uint64_t *visited; /* By op: in which life; 0: in none that was told of. */
    bool *was_sent;    /* By op: a note of it to a brief/N went out. */
};

static void wrong(const struct briefs *briefs, const char *what, uint32_t peer, uint64_t number)
{
    if (briefs->verdict->words[0] == 0)
        snprintf(briefs->verdict->words, sizeof briefs->verdict->words,
                 "brief/%" PRIu32 ": %s (%" PRIu64 ")", peer - SIM_BRIEF_FIRST, what, number);
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

static void take_visit(struct briefs *briefs, const struct sim_entry *entry)
{
    const struct sim_record *record = sim_work_find(briefs->work, entry->value);
    struct life *life = find_or_add(briefs, entry->peer, entry->number);

    life->visits++;
    if (life->has_ended || life->peer != entry->peer)
        wrong(briefs, "a visit after the end", entry->peer, entry->value);
    if (record == NULL ||
        (record->request.op == SIM_OP_VISIT ? record->peer : record->request.path[0]) !=
            entry->peer ||
        (record->request.op != SIM_OP_VISIT && record->request.op != SIM_OP_CALL_ON)) {
        wrong(briefs, "a visit that nobody made", entry->peer, entry->value);
        return;
    }
    if (briefs->visited[entry->value] != 0)
        wrong(briefs, "a visit came twice", entry->peer, entry->value);
    briefs->visited[entry->value] = entry->number;
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
        else if (entry->kind == SIM_ENTRY_ENDED)
            take_end(briefs, entry);
        else if (entry->kind == SIM_ENTRY_SENT && entry->peer >= SIM_BRIEF_FIRST &&
                 entry->value <= briefs->work->records_count)
            briefs->was_sent[entry->value] = true;
    }
}

/* Whether the life that answered is the one that had the visit. */
static void check_visit(const struct briefs *briefs, const struct sim_record *record)
{
    uint64_t id = record->request.id, visited = briefs->visited[id];
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

static void check_note(const struct briefs *briefs, const struct sim_record *record)
{
    uint64_t id = record->request.id;
    uint32_t peer = record->request.path[0];

    if (briefs->visited[id] != 0 && !briefs->was_sent[id])
        wrong(briefs, "a note that was not sent", peer, id);
    if (briefs->visited[id] == 0 && briefs->was_sent[id] && !sim_is_remembered(peer))
        wrong(briefs, "a note was lost", peer, id);
}

void sim_check_briefs(const struct sim_work *work, const struct sim_lives *lives,
                      struct sim_verdict *verdict)
{
    struct briefs briefs = {.work = work,
                            .verdict = verdict,
                            .lives = calloc(LIVES_MAX, sizeof *briefs.lives),
                            .visited = calloc(SIM_OPS_MAX + 1, sizeof *briefs.visited),
                            .was_sent = calloc(SIM_OPS_MAX + 1, sizeof *briefs.was_sent)};

    if (briefs.lives == NULL || briefs.visited == NULL || briefs.was_sent == NULL)
        abort();
    for (uint32_t peer = 0; peer < SIM_MIRROR_FIRST; peer++)
        read_log(&briefs, &lives->of[peer]);
    for (uint32_t i = 0; i < briefs.lives_count; i++)
        if (!briefs.lives[i].has_ended)
            wrong(&briefs, "it told of visits and not of its end", briefs.lives[i].peer,
                  briefs.lives[i].number);
    for (uint32_t i = 0; i < work->records_count; i++) {
        if (work->records[i].request.op == SIM_OP_VISIT)
            check_visit(&briefs, &work->records[i]);
        else if (work->records[i].request.op == SIM_OP_CALL_ON)
            check_note(&briefs, &work->records[i]);
    }
    verdict->lives = briefs.lives_count;
    free(briefs.lives);
    free(briefs.visited);
    free(briefs.was_sent);
}
