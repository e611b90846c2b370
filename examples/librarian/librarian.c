/* librarian: knows which words the collection has, hands each question with their weights to all
 * readers at once, gathers their bids, and answers with the best passages. */
#include "json.h"
#include "print.h"
#include "tables.h"

#include <swarm/agent.h>

#define QUESTIONS_MAX 64                 /* Open at once. */
#define PATIENCE_NS UINT64_C(5000000000) /* So long without any bid, and it answers without. */
#define RECOUNT_TIMER UINT64_MAX
#define RECOUNT_AFTER_NS UINT64_C(1000000000)
#define RESULTS_SHOWN 5
#define ANSWER_BYTES_MAX (RESULTS_MAX * (6 * (SOURCE_BYTES_MAX + PASSAGE_BYTES_MAX) + 64) + 8192)
#define INBOX_BYTES (DOCUMENT_BYTES_MAX * 2 + 4096)

struct open_question {
    uint64_t id; /* 0: this place is free. */
    uint64_t reply_handle;
    uint32_t expected, answered, matched; /* Readers asked, heard, and with something to say. */
    uint32_t heard;                       /* Of those answered, when its timer was last set. */
    bool wants_json;
    struct results results;
};

static struct {
    struct collection collection;
    struct frequencies frequencies;
    struct readers readers;
    uint64_t last_id; /* Of a question. */
    struct open_question questions[QUESTIONS_MAX];
    uint8_t *room;
} me;

static _Alignas(8) uint8_t inbox[INBOX_BYTES]; /* Zero pages that are never touched cost nothing. */
static uint8_t answer[ANSWER_BYTES_MAX];

void *SWARM_EXPORT(swarm_alloc)(uint32_t size)
{
    return size <= sizeof inbox ? inbox : NULL;
}

/* --- What the collection has -------------------------------------------------------------------
 */

/* Forget all words and ask every reader for its own again. */
static int32_t recount(void)
{
    me.collection = (struct collection){0};
    if (me.frequencies.capacity > 0)
        __builtin_memset(me.frequencies.places, 0,
                         me.frequencies.capacity * sizeof *me.frequencies.places);
    if (me.readers.capacity > 0)
        __builtin_memset(me.readers.places, 0, me.readers.capacity * sizeof *me.readers.places);
    me.frequencies.used = me.readers.used = 0;
    return swarm_publish(TEXT(SUBJECT_RECOUNT), TEXT(TYPE_TEXT), "", 0, SWARM_PRIORITY_NORMAL);
}

/* After a change of this program we begin with nothing, while readers hold their documents. */
int32_t SWARM_EXPORT(on_start)(void)
{
    return recount();
}

/* The hash at a place that may not be aligned. */
static uint32_t hash_at(const uint8_t *hashes, uint32_t index)
{
    uint32_t hash;

    __builtin_memcpy(&hash, hashes + (size_t)index * 4, sizeof hash);
    return hash;
}

static int32_t add_words(uint64_t key, const struct words_message *head, const uint8_t *hashes)
{
    struct reader *reader;

    if (readers_find(&me.readers, key) != NULL)
        return SWARM_DONE; /* The answer to a recount that came before our asking reached it. */
    if (!frequencies_reserve(&me.frequencies, head->count, &me.room))
        return SWARM_E_EXHAUSTED;
    reader = readers_add(&me.readers, key, &me.room);
    if (reader == NULL)
        return SWARM_E_EXHAUSTED;
    reader->since = me.last_id + 1;
    reader->length = head->length;
    for (uint32_t i = 0; i < head->count; i++)
        frequencies_add(&me.frequencies, hash_at(hashes, i));
    me.collection.documents++;
    me.collection.length += head->length;
    return SWARM_DONE;
}

static void forget(struct reader *reader)
{
    me.collection.documents--;
    me.collection.length -= reader->length;
    reader->is_gone = true;
}

/* Messages of one reader arrive in their order, each once, so its words are counted once. */
static int32_t take_words(uint64_t key, const struct swarm_message *message)
{
    struct reader *reader = readers_find(&me.readers, key);
    const uint8_t *hashes = message->body + sizeof(struct words_message);
    struct words_message head;

    if (message->body_size < sizeof head)
        return SWARM_DONE;
    __builtin_memcpy(&head, message->body, sizeof head);
    if (head.count != (message->body_size - sizeof head) / 4)
        return SWARM_DONE;
    if (head.kind == WORDS_ADD)
        return add_words(key, &head, hashes);
    if (reader == NULL)
        return SWARM_DONE;
    forget(reader);
    for (uint32_t i = 0; i < head.count; i++)
        frequencies_remove(&me.frequencies, hash_at(hashes, i));
    /* A reader that we knew and that is new again cannot say which words it had. When no more of
     * them come, as after a change of their program, count all anew. */
    return head.kind == WORDS_NEW ? swarm_timer_start(RECOUNT_TIMER, RECOUNT_AFTER_NS) : SWARM_DONE;
}

/* --- Answering ---------------------------------------------------------------------------------
 */

static void print_text(struct print *out, const struct open_question *question)
{
    print_number(out, question->matched);
    PRINT(out, " of ");
    print_number(out, question->answered);
    PRINT(out, " documents have something to say");
    if (question->answered < question->expected) {
        PRINT(out, " (");
        print_number(out, question->expected - question->answered);
        PRINT(out, " did not answer in time)");
    }
    if (question->matched > 0)
        PRINT(out, ":\n");
    else
        PRINT(out, ".\n");
    for (uint32_t i = 0; i < question->results.count; i++) {
        const struct result *result = &question->results.items[i];

        PRINT(out, "\n");
        print_number(out, i + 1);
        PRINT(out, ". ");
        print_bytes(out, result->source, result->source_size);
        PRINT(out, "  (");
        print_decimal(out, result->score, 2);
        PRINT(out, ")\n   ");
        print_bytes(out, result->passage, result->passage_size);
        PRINT(out, "\n");
    }
}

static void print_results_json(struct print *out, const struct open_question *question)
{
    PRINT(out, "{\"documents\":");
    print_number(out, question->expected);
    PRINT(out, ",\"answered\":");
    print_number(out, question->answered);
    PRINT(out, ",\"matched\":");
    print_number(out, question->matched);
    PRINT(out, ",\"results\":[");
    for (uint32_t i = 0; i < question->results.count; i++) {
        const struct result *result = &question->results.items[i];

        if (i > 0)
            PRINT(out, ",");
        PRINT(out, "{\"source\":");
        print_json(out, result->source, result->source_size);
        PRINT(out, ",\"score\":");
        print_decimal(out, result->score, 6);
        PRINT(out, ",\"passage\":");
        print_json(out, result->passage, result->passage_size);
        PRINT(out, "}");
    }
    PRINT(out, "]}\n");
}

/* Answer whoever asked, however much has come, and free the place. */
static int32_t close_question(struct open_question *question)
{
    struct print out = {.text = answer, .size_max = sizeof answer};
    uint64_t handle = question->reply_handle;

    if (question->wants_json)
        print_results_json(&out, question);
    else
        print_text(&out, question);
    (void)swarm_timer_cancel(question->id);
    question->id = 0;
    if (question->wants_json)
        return swarm_reply(handle, SWARM_OK, TEXT("application/json"), answer, out.size);
    return swarm_reply(handle, SWARM_OK, TEXT(TYPE_TEXT), answer, out.size);
}

static struct open_question *question_find(uint64_t id)
{
    for (uint32_t i = 0; i < QUESTIONS_MAX; i++)
        if (me.questions[i].id == id)
            return &me.questions[i];
    return NULL;
}

static void keep_bid(struct open_question *question, const struct bid_message *bid,
                     const struct swarm_message *message)
{
    struct result result;
    uint32_t prefix = 0; /* "reader/": the source is what follows. */

    while (prefix < message->from_size && message->from[prefix] != '/')
        prefix++;
    prefix += prefix < message->from_size;
    question->matched++;
    result.score = bid->score;
    result.source_size = message->from_size - prefix;
    if (result.source_size > SOURCE_BYTES_MAX)
        result.source_size = SOURCE_BYTES_MAX;
    result.passage_size = bid->passage_size;
    __builtin_memcpy(result.source, message->from + prefix, result.source_size);
    __builtin_memcpy(result.passage, message->body + sizeof *bid, result.passage_size);
    results_put(&question->results, &result);
}

/* Only bids of readers that were counted when the question was asked are waited for. */
static int32_t take_bid(uint64_t key, const struct swarm_message *message)
{
    const struct reader *reader = readers_find(&me.readers, key);
    struct open_question *question;
    struct bid_message bid;

    if (message->body_size < sizeof bid)
        return SWARM_DONE;
    __builtin_memcpy(&bid, message->body, sizeof bid);
    if (bid.id == 0 || bid.passage_size != message->body_size - sizeof bid ||
        bid.passage_size > PASSAGE_BYTES_MAX)
        return SWARM_DONE;
    question = question_find(bid.id);
    if (question == NULL || reader == NULL || reader->since > bid.id)
        return SWARM_DONE;
    question->answered++;
    if (bid.score > 0.0)
        keep_bid(question, &bid, message);
    return question->answered < question->expected ? SWARM_DONE : close_question(question);
}

int32_t SWARM_EXPORT(on_timer)(uint64_t id)
{
    struct open_question *question;

    if (id == RECOUNT_TIMER)
        return recount();
    question = question_find(id);
    if (question == NULL)
        return SWARM_DONE;
    if (question->answered == question->heard)
        return close_question(question);
    question->heard = question->answered; /* Thousands that wake up may take a while. */
    return swarm_timer_start(id, PATIENCE_NS);
}

/* --- Questions ---------------------------------------------------------------------------------
 */

static int32_t refuse(const struct swarm_message *message, int32_t status, const char *words,
                      uint32_t size)
{
    return swarm_reply(message->reply_handle, status, TEXT(TYPE_TEXT), words, size);
}

/* A place for the question, filled with what is known before any bid; NULL when all are taken. */
static struct open_question *open_question(const struct swarm_message *message, uint32_t limit)
{
    struct open_question *question = question_find(0);

    if (question == NULL)
        return NULL;
    question->id = ++me.last_id;
    question->reply_handle = message->reply_handle;
    question->expected = me.collection.documents;
    question->answered = question->matched = question->heard = 0;
    question->wants_json = type_is(message->type, message->type_size, TEXT("application/json"));
    question->results.count = 0;
    question->results.limit = limit < RESULTS_MAX ? limit : RESULTS_MAX;
    return question;
}

/* Send it to all readers, or answer at once when nobody could say anything. */
static int32_t ask(struct open_question *question, const struct question *terms)
{
    struct question_message asked;

    if (terms->terms_count == 0) {
        question->answered = question->expected;
        return close_question(question);
    }
    __builtin_memset(&asked, 0, sizeof asked);
    asked.id = question->id;
    asked.question = *terms;
    (void)swarm_timer_start(asked.id, PATIENCE_NS);
    return swarm_publish(TEXT(SUBJECT_QUESTION), TEXT(TYPE_QUESTION), &asked, sizeof asked,
                         SWARM_PRIORITY_HIGH);
}

static int32_t take_question(const struct swarm_message *message)
{
    static uint8_t text[QUESTION_BYTES_MAX];
    const uint8_t *words = message->body;
    uint32_t size = message->body_size, limit = RESULTS_SHOWN;
    struct open_question *question;
    struct question terms;

    if ((message->flags & SWARM_MESSAGE_WANTS_REPLY) == 0)
        return SWARM_DONE; /* Nobody to answer. */
    if (size <= QUESTION_BYTES_MAX &&
        type_is(message->type, message->type_size, TEXT("application/json"))) {
        size = json_question(message->body, size, text, &limit);
        words = text;
    }
    if (size == 0 || size > QUESTION_BYTES_MAX || limit == 0)
        return refuse(message, SWARM_E_INVALID,
                      TEXT("ask in at most 4096 bytes of text, or JSON: "
                           "{\"question\": \"...\", \"limit\": 5}"));
    if (me.collection.documents == 0)
        return refuse(message, SWARM_E_PRECONDITION,
                      TEXT("there are no documents yet: swarm send reader --each FOLDER"));
    question = open_question(message, limit);
    if (question == NULL)
        return refuse(message, SWARM_E_EXHAUSTED, TEXT("too many questions at once; ask again"));
    question_read(&terms, words, size, &me.collection, frequencies_find, &me.frequencies);
    return ask(question, &terms);
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *message)
{
    uint64_t key;

    if ((message->flags & (SWARM_MESSAGE_IS_REPLY | SWARM_MESSAGE_PUBLISHED)) != 0)
        return SWARM_DONE;
    if (message->from_size == 0)
        return take_question(message);
    key = reader_key(message->from, message->from_size);
    if (type_is(message->type, message->type_size, TEXT(TYPE_WORDS)))
        return take_words(key, message);
    if (type_is(message->type, message->type_size, TEXT(TYPE_BID)))
        return take_bid(key, message);
    return take_question(message); /* Other agents may ask too. */
}
