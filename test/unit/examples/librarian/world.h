/* A swarm in one process for the librarian's agents: the imports of the guest ABI, instances with
 * their own memory, and a queue of messages that a test delivers when it likes.
 *
 * The agents are compiled for this machine, each in its own file with its entry points renamed. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORLD_READERS_MAX 5200
#define WORLD_READER_BYTES (1u << 20)
#define WORLD_LIBRARIAN_BYTES (64u << 20)
#define WORLD_ID_MAX 64

struct world_reply { /* What a client got. */
    bool is_there;
    int32_t status;
    char type[64];
    char text[65536];
};

/* Begin with a librarian and no readers; twice in a row begins anew. */
void world_begin(void);
void world_end(void);

/* Hand a document to the reader of this key, which is made if it is not there. Returns the status
 * of its reply. */
int32_t world_send_document(const char *key, const void *text, size_t size);
/* A question from a client; its number, for world_reply_of. */
unsigned world_ask(const char *type, const char *question);
/* Deliver all messages until none is left; false when an entry failed. */
bool world_run(void);
const struct world_reply *world_reply_of(unsigned number);
/* Turns that this reader spent on questions. */
unsigned world_question_turns(const char *key);

/* From now on messages to this reader are lost, or not. */
void world_cut_off(const char *key, bool is_cut_off);
/* Fire the librarian's timers: those of questions, or that of the recount. How many there were. */
unsigned world_fire_timers(void);
/* As after a change of its program: empty memory, then on_start. */
void world_empty_librarian(void);
void world_empty_reader(const char *key);
/* on_stop, and no more messages. */
void world_delete_reader(const char *key);
/* From now on a reader's memory ends here, in bytes. */
void world_limit_readers(size_t size_bytes);
