#include "pkg/agent/runtime/actor/suspects.h"

#include <string.h>

#define MAGIC 0x4e525753u /* "SWRN" */
#define VERSION 5u

void sw_suspects_init(struct sw_suspects *suspects)
{
    memset(suspects, 0, sizeof *suspects);
    pthread_mutex_init(&suspects->mutex, NULL);
}

void sw_suspects_done(struct sw_suspects *suspects)
{
    pthread_mutex_destroy(&suspects->mutex);
}

static bool is_named(const struct sw_note *note)
{
    return note->lsn != 0 || note->instance != 0;
}

static bool is_same(const struct sw_note *one, const struct sw_note *other)
{
    return one->lsn == other->lsn && one->index == other->index &&
           one->instance == other->instance && one->timer == other->timer;
}

static void accuse(struct sw_notes *notes, const struct sw_note *note)
{
    struct sw_suspect *place = &notes->suspects[0];

    for (size_t i = 0; i < SW_SUSPECTS_MAX; i++) {
        struct sw_suspect *suspect = &notes->suspects[i];

        if (suspect->crashes > 0 && is_same(&suspect->note, note)) {
            suspect->crashes++;
            suspect->note.since = note->since;
            return;
        }
        if (suspect->crashes < place->crashes)
            place = suspect;
    }
    *place = (struct sw_suspect){*note, 1};
}

void sw_notes_settle(struct sw_notes *notes, bool has_crashed)
{
    if (notes->magic != MAGIC || notes->version != VERSION)
        memset(notes, 0, sizeof *notes);
    notes->magic = MAGIC;
    notes->version = VERSION;
    for (size_t i = 0; has_crashed && i < SW_NOTES_MAX; i++)
        if (is_named(&notes->running[i]))
            accuse(notes, &notes->running[i]);
    memset(notes->running, 0, sizeof notes->running);
}

static void count(struct sw_suspects *suspects)
{
    suspects->count = 0;
    for (size_t i = 0; i < SW_SUSPECTS_MAX; i++)
        suspects->count += suspects->notes->suspects[i].crashes > 0;
}

void sw_suspects_begin(struct sw_suspects *suspects, struct sw_notes *notes)
{
    suspects->notes = notes;
    count(suspects);
}

void sw_suspects_recovered(struct sw_suspects *suspects, uint64_t end_lsn)
{
    for (size_t i = 0; suspects->count > 0 && i < SW_SUSPECTS_MAX; i++) {
        struct sw_suspect *suspect = &suspects->notes->suspects[i];

        if (suspect->crashes == 0 || suspect->note.since < end_lsn)
            continue;
        suspect->crashes--;
        suspect->note.since = 0;
    }
    if (suspects->notes != NULL)
        count(suspects);
}

void sw_suspects_end(struct sw_suspects *suspects)
{
    if (suspects->notes != NULL)
        memset(suspects->notes, 0, sizeof *suspects->notes);
    suspects->count = 0;
}

uint64_t sw_suspects_find(const struct sw_suspects *suspects, const struct sw_note *note)
{
    if (suspects->count == 0 || !is_named(note))
        return 0;
    for (size_t i = 0; i < SW_SUSPECTS_MAX; i++)
        if (suspects->notes->suspects[i].crashes > 0 &&
            is_same(&suspects->notes->suspects[i].note, note))
            return suspects->notes->suspects[i].crashes;
    return 0;
}
