#include "pkg/agent/runtime/actor/letters.h"

#include "include/swarm/agent.h"

#include <stdlib.h>
#include <string.h>

#define LETTER_BYTES 128u /* Each counts for that beside its texts. */

void sw_letter_free(struct sw_letter *letter)
{
    if (letter == NULL)
        return;
    sw_message_free(letter->message);
    free(letter);
}

void sw_letters_done(struct sw_letters *letters)
{
    for (size_t i = 0; i < letters->count; i++)
        sw_letter_free(letters->items[i]);
    free(letters->items);
    memset(letters, 0, sizeof *letters);
}

/* What it counts for. It follows from what a record says alone, since it decides which letters a
 * recovery drops. */
static uint64_t bytes_of(const struct sw_letter *letter)
{
    const struct sw_message *message = letter->message;
    const struct sw_message_head *head = &message->head;

    return LETTER_BYTES + message->key.size + message->body.size + head->from.size +
           head->subject.size + head->type.size + letter->reason.size + letter->words.size;
}

/* A message as a dead letter is: to a key, from nowhere in the journal, and with nobody waiting. */
static struct sw_message *message_of(const struct sw_message *message, struct sw_bytes key)
{
    struct sw_message template = *message;

    template.key = key;
    template.instance = 0;
    template.head.flags &= ~(uint32_t)SWARM_MESSAGE_WANTS_REPLY;
    template.head.origin = (struct sw_origin){.kind = SW_ORIGIN_NONE};
    template.head.source = template.head.answers = (struct sw_effect_name){0};
    template.head.request_id = (struct sw_bytes){NULL, 0};
    template.body_lsn = 0;
    template.is_admitted = true; /* It is delivered again by a person. */
    template.deadline_ns = template.retry_ns = 0;
    template.attempts = 0;
    return sw_message_new(&template);
}

static struct sw_letter *letter_new(const struct sw_letter *template, struct sw_bytes key,
                                    const struct sw_message *message)
{
    size_t texts = template->reason.size + template->words.size;
    SW_CLEANUP(sw_letter_freep) struct sw_letter *letter = malloc(sizeof *letter + texts);
    char *at;

    if (letter == NULL)
        return NULL;
    *letter = *template;
    letter->message = message_of(message, key);
    if (letter->message == NULL)
        return NULL;
    at = (char *)(letter + 1);
    if (template->reason.size > 0)
        memcpy(at, template->reason.data, template->reason.size);
    letter->reason.data = at;
    at += template->reason.size;
    if (template->words.size > 0)
        memcpy(at, template->words.data, template->words.size);
    letter->words.data = at;
    return SW_TAKE(letter);
}

static size_t place_of(const struct sw_letters *letters, uint64_t number)
{
    size_t low = 0, high = letters->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (letters->items[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct sw_letter *take_at(struct sw_letters *letters, size_t at)
{
    struct sw_letter *letter = letters->items[at];

    letters->bytes -= bytes_of(letter);
    letters->count--;
    memmove(letters->items + at, letters->items + at + 1,
            (letters->count - at) * sizeof(struct sw_letter *));
    return letter;
}

enum sw_rc sw_letters_add(struct sw_letters *letters, const struct sw_letter *template,
                          struct sw_bytes key, const struct sw_message *message)
{
    struct sw_letter *letter = letter_new(template, key, message);

    if (letter == NULL || sw_letters_put(letters, letter) != SW_OK) {
        sw_letter_free(letter);
        return SW_E_EXHAUSTED;
    }
    return SW_OK;
}

enum sw_rc sw_letters_put(struct sw_letters *letters, struct sw_letter *letter)
{
    size_t at = place_of(letters, letter->number);

    if (letters->count == letters->capacity) {
        size_t wanted = letters->capacity == 0 ? 4 : letters->capacity * 2;
        struct sw_letter **grown = realloc(letters->items, wanted * sizeof(struct sw_letter *));

        if (grown == NULL)
            return SW_E_EXHAUSTED;
        letters->items = grown;
        letters->capacity = wanted;
    }
    memmove(letters->items + at + 1, letters->items + at,
            (letters->count - at) * sizeof(struct sw_letter *));
    letters->items[at] = letter;
    letters->count++;
    letters->bytes += bytes_of(letter);
    while (letters->count > 1 &&
           (letters->count > SW_LETTERS_MAX || letters->bytes > SW_LETTERS_BYTES_MAX)) {
        sw_letter_free(take_at(letters, 0));
        letters->dropped++;
    }
    return SW_OK;
}

struct sw_letter *sw_letters_take(struct sw_letters *letters, uint64_t number)
{
    size_t at = place_of(letters, number);

    return at < letters->count && letters->items[at]->number == number ? take_at(letters, at)
                                                                       : NULL;
}
