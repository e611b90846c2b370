/* reader: one instance per document. It keeps the text and its index in its own memory, tells the
 * librarian which words it has, and answers each question with a bid: its score and best passage.
 */
#include "indexing.h"
#include "room.h"
#include "wire.h"

#include <swarm/agent.h>

/* Memory after our variables:  text of the document | its index | the next message
 * Without a document there is only the message. */
static struct {
    struct document document; /* text is NULL while there is none. */
    uint8_t *inbox;           /* Where the next message goes. */
} me;

void *SWARM_EXPORT(swarm_alloc)(uint32_t size)
{
    if (me.inbox == NULL)
        me.inbox = room_align(room_base());
    return room_reach(me.inbox + size) ? me.inbox : NULL;
}

int32_t SWARM_EXPORT(on_start)(void)
{
    struct words_message message = {.kind = WORDS_NEW};

    (void)swarm_subscribe(TEXT(SUBJECT_QUESTION));
    (void)swarm_subscribe(TEXT(SUBJECT_RECOUNT));
    return swarm_send(TEXT(LIBRARIAN), TEXT(TYPE_WORDS), &message, sizeof message,
                      SWARM_PRIORITY_NORMAL, 0);
}

/* The first byte after a message: free memory until the entry returns. */
static uint8_t *after(const struct swarm_message *message)
{
    return (uint8_t *)(uintptr_t)message->body + message->body_size;
}

/* Tell the librarian all words of the document. `above` is free memory. */
static int32_t tell_words(enum words_kind kind, uint8_t *above)
{
    const struct document *document = &me.document;
    struct words_message *message = (void *)room_align(above);
    uint32_t *hashes = (uint32_t *)(message + 1);
    uint32_t size = (uint32_t)sizeof *message + document->terms_count * 4;

    if (!room_reach((uint8_t *)message + size))
        return SWARM_E_EXHAUSTED;
    *message = (struct words_message){
        .kind = kind, .length = document->length, .count = document->terms_count};
    for (uint32_t i = 0; i < document->terms_count; i++)
        hashes[i] = document->terms[i].hash;
    return swarm_send(TEXT(LIBRARIAN), TEXT(TYPE_WORDS), message, size, SWARM_PRIORITY_NORMAL, 0);
}

static int32_t answer(const struct swarm_message *message, int32_t status, const char *words,
                      uint32_t size)
{
    if ((message->flags & SWARM_MESSAGE_WANTS_REPLY) == 0)
        return SWARM_DONE;
    (void)swarm_reply(message->reply_handle, status, TEXT(TYPE_TEXT), words, size);
    return SWARM_DONE;
}

/* A document has come. It takes the place of the one before, whose words are taken back first. */
static int32_t take_document(const struct swarm_message *message)
{
    uint8_t *base = room_align(room_base()), *place;
    uint32_t size = message->body_size;
    struct document_size measure;

    if (size > DOCUMENT_BYTES_MAX)
        return answer(message, SWARM_E_INVALID, TEXT("a document has at most 128 KiB: split it"));
    if (me.document.text != NULL && tell_words(WORDS_REMOVE, after(message)) != SWARM_OK)
        return answer(message, SWARM_E_EXHAUSTED, TEXT("no memory to replace the document"));
    struct swarm_message kept = *message; /* The text moves over the message itself. */
    __builtin_memmove(base, message->body, size);
    me.document = (struct document){0};
    me.inbox = base;
    measure = document_measure(base, size);
    place = room_align(base + size);
    if (!room_reach(place + document_need(measure)))
        return answer(&kept, SWARM_E_EXHAUSTED, TEXT("no memory for the document's index"));
    document_index(&me.document, base, size, measure, place);
    me.inbox = room_align(document_end(&me.document));
    if (tell_words(WORDS_ADD, me.inbox) != SWARM_OK)
        return answer(&kept, SWARM_E_UNAVAILABLE, TEXT("the librarian cannot be told"));
    return answer(&kept, SWARM_OK, TEXT("ready"));
}

/* Send our bid, also when we have nothing to say: the librarian counts. */
static int32_t take_question(const struct swarm_message *message)
{
    struct question_message asked;
    struct {
        struct bid_message head;
        uint8_t passage[PASSAGE_BYTES_MAX];
    } bid = {0};
    double *scores = (void *)room_align(after(message));
    struct score score;

    if (message->body_size != sizeof asked)
        return SWARM_DONE;
    __builtin_memcpy(&asked, message->body, sizeof asked); /* A body has no alignment. */
    if (asked.question.terms_count > QUESTION_TERMS_MAX)
        return SWARM_DONE;
    bid.head.id = asked.id;
    if (me.document.text != NULL && room_reach((uint8_t *)(scores + me.document.passages_count))) {
        score = document_score(&me.document, &asked.question, scores);
        bid.head.score = score.value;
        if (score.value > 0.0)
            bid.head.passage_size = document_passage(&me.document, score.passage, bid.passage);
    }
    return swarm_send(TEXT(LIBRARIAN), TEXT(TYPE_BID), &bid,
                      (uint32_t)sizeof bid.head + bid.head.passage_size, SWARM_PRIORITY_NORMAL, 0);
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *message)
{
    if ((message->flags & SWARM_MESSAGE_IS_REPLY) != 0)
        return SWARM_DONE;
    if ((message->flags & SWARM_MESSAGE_PUBLISHED) == 0)
        return take_document(message);
    if (type_is(message->type, message->type_size, TEXT(TYPE_QUESTION)))
        return take_question(message);
    if (me.document.text == NULL) /* A recount, and nothing to count. */
        return SWARM_DONE;
    return tell_words(WORDS_ADD, after(message));
}

int32_t SWARM_EXPORT(on_stop)(void)
{
    if (me.document.text == NULL)
        return SWARM_DONE;
    return tell_words(WORDS_REMOVE, me.inbox);
}
