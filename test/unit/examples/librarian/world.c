#include "test/unit/examples/librarian/world.h"

#include "test/unit/examples/librarian/natives.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <swarm/agent.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "examples/librarian/room.h"

#define REPLIES_MAX 256
#define TIMERS_MAX 256
#define NAME_MAX_ 300

struct instance {
    char name[NAME_MAX_]; /* "reader/KEY" or "librarian/0". */
    uint8_t *heap;
    size_t heap_size;
    uint8_t state[256]; /* A reader's variables while it does not run. */
    bool is_subscribed, is_cut_off, is_deleted;
    unsigned question_turns;
};

struct letter { /* A message on its way. */
    struct letter *next;
    struct instance *to;
    uint32_t flags;
    uint64_t reply_handle;
    char from[NAME_MAX_], subject[64], type[64];
    uint32_t body_size;
    uint8_t body[];
};

static struct {
    struct instance librarian, readers[WORLD_READERS_MAX];
    unsigned readers_count;
    struct instance *running;
    struct letter *first, **last;
    uint64_t timers[TIMERS_MAX];
    unsigned timers_count;
    struct world_reply replies[REPLIES_MAX];
    unsigned replies_count;
    uint8_t *memory;
    size_t reader_limit;
    bool has_failed;
} world;

static size_t memory_size(void)
{
    return (size_t)WORLD_READERS_MAX * WORLD_READER_BYTES + WORLD_LIBRARIAN_BYTES;
}

/* --- What the agents call ----------------------------------------------------------------------
 */

uint8_t *room_base(void)
{
    return world.running->heap;
}

bool room_reach(const uint8_t *end)
{
    size_t limit = world.running == &world.librarian ? WORLD_LIBRARIAN_BYTES : world.reader_limit;

    return (size_t)(end - world.running->heap) <= limit;
}

static void copy_text(char *ret_text, size_t size_max, const char *text, uint32_t size)
{
    assert_true(size < size_max);
    (void)memcpy(ret_text, text, size);
    ret_text[size] = '\0';
}

static struct letter *post(struct instance *to, const char *type, uint32_t type_size,
                           const void *body, uint32_t body_size)
{
    struct letter *letter = calloc(1, sizeof *letter + body_size);

    assert_non_null(letter);
    assert_true(body_size <= 256 * 1024);
    letter->to = to;
    letter->body_size = body_size;
    if (body_size > 0)
        (void)memcpy(letter->body, body, body_size);
    copy_text(letter->type, sizeof letter->type, type, type_size);
    if (world.running != NULL)
        (void)snprintf(letter->from, sizeof letter->from, "%s", world.running->name);
    *world.last = letter;
    world.last = &letter->next;
    return letter;
}

int32_t world_take_send(struct world_send send)
{
    assert_int_equal(send.tag, 0);
    assert_int_equal(send.priority, SWARM_PRIORITY_NORMAL); /* One priority keeps one order. */
    assert_int_equal(send.to_size, strlen("librarian"));
    assert_memory_equal(send.to, "librarian", send.to_size);
    (void)post(&world.librarian, send.type, send.type_size, send.body, send.body_size);
    return SWARM_OK;
}

int32_t world_take_publish(struct world_send publication)
{
    for (unsigned i = 0; i < world.readers_count; i++) {
        struct letter *letter;

        if (!world.readers[i].is_subscribed || world.readers[i].is_deleted)
            continue;
        letter = post(&world.readers[i], publication.type, publication.type_size, publication.body,
                      publication.body_size);
        letter->flags = SWARM_MESSAGE_PUBLISHED;
        copy_text(letter->subject, sizeof letter->subject, publication.to, publication.to_size);
    }
    return SWARM_OK;
}

int32_t swarm_subscribe(const char *subject, uint32_t subject_size)
{
    assert_true(subject_size > 0 && subject[0] == 'l');
    world.running->is_subscribed = true;
    return SWARM_OK;
}

int32_t swarm_reply(uint64_t handle, int32_t status, const char *type, uint32_t type_size,
                    const void *body, uint32_t body_size)
{
    struct world_reply *reply;

    assert_true(handle >= 1 && handle <= world.replies_count);
    reply = &world.replies[handle - 1];
    assert_false(reply->is_there); /* A handle is good for one reply. */
    reply->is_there = true;
    reply->status = status;
    copy_text(reply->type, sizeof reply->type, type, type_size);
    copy_text(reply->text, sizeof reply->text, body, body_size);
    return SWARM_OK;
}

int32_t swarm_timer_cancel(uint64_t id)
{
    for (unsigned i = 0; i < world.timers_count; i++)
        if (world.timers[i] == id) {
            world.timers[i] = world.timers[--world.timers_count];
            return SWARM_OK;
        }
    return SWARM_E_NOT_FOUND;
}

int32_t swarm_timer_start(uint64_t id, uint64_t delay_ns)
{
    assert_true(delay_ns > 0);
    (void)swarm_timer_cancel(id);
    assert_true(world.timers_count < TIMERS_MAX);
    world.timers[world.timers_count++] = id;
    return SWARM_OK;
}

/* --- Running them ------------------------------------------------------------------------------
 */

/* Put a reader's variables in their place; the librarian is alone and keeps its own. */
static void enter(struct instance *instance)
{
    size_t size;
    void *state = reader_state(&size);

    world.running = instance;
    assert_true(size <= sizeof instance->state);
    if (instance != &world.librarian)
        (void)memcpy(state, instance->state, size);
}

static void leave(int32_t result)
{
    size_t size;
    void *state = reader_state(&size);

    if (world.running != &world.librarian)
        (void)memcpy(world.running->state, state, size);
    world.running = NULL;
    world.has_failed = world.has_failed || result != SWARM_DONE;
}

/* Lay a message out as a host does: the struct, the texts, the body, with no alignment of its own.
 */
static const struct swarm_message *lay_out(const struct letter *letter)
{
    uint32_t from = (uint32_t)strlen(letter->from), subject = (uint32_t)strlen(letter->subject);
    uint32_t type = (uint32_t)strlen(letter->type);
    uint32_t size =
        (uint32_t)sizeof(struct swarm_message) + from + subject + type + letter->body_size;
    uint8_t *block = letter->to == &world.librarian ? librarian_alloc(size) : reader_alloc(size);
    struct swarm_message *message = (void *)block;
    char *text;

    if (block == NULL)
        return NULL;
    text = (char *)(message + 1);
    *message = (struct swarm_message){.struct_size = 72,
                                      .flags = letter->flags,
                                      .reply_handle = letter->reply_handle,
                                      .from = text,
                                      .from_size = from,
                                      .subject = text + from,
                                      .subject_size = subject,
                                      .type = text + from + subject,
                                      .type_size = type,
                                      .body = (uint8_t *)text + from + subject + type,
                                      .body_size = letter->body_size};
    (void)memcpy(text, letter->from, from);
    (void)memcpy(text + from, letter->subject, subject);
    (void)memcpy(text + from + subject, letter->type, type);
    (void)memcpy(text + from + subject + type, letter->body, letter->body_size);
    return message;
}

static void deliver(const struct letter *letter)
{
    const struct swarm_message *message;
    int32_t result;

    enter(letter->to);
    message = lay_out(letter);
    if (message == NULL)
        result = SWARM_E_EXHAUSTED;
    else if (letter->to == &world.librarian)
        result = librarian_on_message(message);
    else
        result = reader_on_message(message);
    letter->to->question_turns += strcmp(letter->subject, "librarian.question") == 0;
    leave(result);
}

bool world_run(void)
{
    world.has_failed = false;
    while (world.first != NULL) {
        struct letter *letter = world.first;

        world.first = letter->next;
        if (world.first == NULL)
            world.last = &world.first;
        if (!letter->to->is_cut_off && !letter->to->is_deleted)
            deliver(letter);
        free(letter);
    }
    return !world.has_failed;
}

/* --- The world ---------------------------------------------------------------------------------
 */

static void clear_librarian(void)
{
    size_t size;
    void *state = librarian_state(&size);

    (void)memset(state, 0, size);
}

void world_begin(void)
{
    world_end();
    (void)memset(&world, 0, sizeof world);
    world.memory = mmap(NULL, memory_size(), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(world.memory, MAP_FAILED);
    world.last = &world.first;
    world.reader_limit = WORLD_READER_BYTES - 32768;
    world.librarian.heap = world.memory + (size_t)WORLD_READERS_MAX * WORLD_READER_BYTES;
    (void)strcpy(world.librarian.name, "librarian/0");
    world_empty_librarian();
}

void world_end(void)
{
    while (world.first != NULL) {
        struct letter *letter = world.first;

        world.first = letter->next;
        free(letter);
    }
    if (world.memory != NULL)
        (void)munmap(world.memory, memory_size());
    world.memory = NULL;
}

static struct instance *find_reader(const char *key)
{
    for (unsigned i = 0; i < world.readers_count; i++)
        if (strcmp(world.readers[i].name + strlen("reader/"), key) == 0 &&
            !world.readers[i].is_deleted)
            return &world.readers[i];
    return NULL;
}

static struct instance *new_reader(const char *key)
{
    struct instance *reader = &world.readers[world.readers_count];

    assert_true(world.readers_count < WORLD_READERS_MAX);
    (void)snprintf(reader->name, sizeof reader->name, "reader/%s", key);
    reader->heap = world.memory + (size_t)world.readers_count * WORLD_READER_BYTES;
    world.readers_count++;
    enter(reader);
    leave(reader_on_start());
    return reader;
}

static uint64_t new_reply(void)
{
    assert_true(world.replies_count < REPLIES_MAX);
    world.replies[world.replies_count] = (struct world_reply){0};
    return ++world.replies_count;
}

int32_t world_send_document(const char *key, const void *text, size_t size)
{
    struct instance *reader = find_reader(key);
    struct letter *letter;
    int32_t status;

    if (reader == NULL)
        reader = new_reader(key);
    letter = post(reader, "text/plain", 10, text, (uint32_t)size);
    letter->flags = SWARM_MESSAGE_WANTS_REPLY;
    letter->reply_handle = new_reply();
    (void)world_run();
    status = world.replies[world.replies_count - 1].status;
    assert_true(world.replies[world.replies_count - 1].is_there);
    world.replies_count--; /* Used up: a test sends thousands. */
    return status;
}

unsigned world_ask(const char *type, const char *question)
{
    struct letter *letter =
        post(&world.librarian, type, (uint32_t)strlen(type), question, (uint32_t)strlen(question));

    letter->flags = SWARM_MESSAGE_WANTS_REPLY;
    letter->reply_handle = new_reply();
    return (unsigned)letter->reply_handle;
}

const struct world_reply *world_reply_of(unsigned number)
{
    assert_true(number >= 1 && number <= world.replies_count);
    return &world.replies[number - 1];
}

unsigned world_question_turns(const char *key)
{
    return find_reader(key)->question_turns;
}

void world_cut_off(const char *key, bool is_cut_off)
{
    find_reader(key)->is_cut_off = is_cut_off;
}

unsigned world_fire_timers(void)
{
    unsigned fired = 0;

    for (; world.timers_count > 0; fired++) {
        uint64_t id = world.timers[--world.timers_count];

        enter(&world.librarian);
        leave(librarian_on_timer(id));
    }
    return fired;
}

void world_empty_librarian(void)
{
    clear_librarian();
    enter(&world.librarian);
    leave(librarian_on_start());
}

void world_empty_reader(const char *key)
{
    struct instance *reader = find_reader(key);

    (void)memset(reader->state, 0, sizeof reader->state);
    enter(reader);
    leave(reader_on_start());
}

void world_delete_reader(const char *key)
{
    struct instance *reader = find_reader(key);

    enter(reader);
    leave(reader_on_stop());
    reader->is_deleted = true;
}

void world_limit_readers(size_t size_bytes)
{
    world.reader_limit = size_bytes;
}
