/* The librarian, compiled for this machine. */
#include "test/unit/examples/librarian/natives.h"

#define swarm_alloc librarian_alloc
#define on_start librarian_on_start
#define on_message librarian_on_message
#define on_timer librarian_on_timer
#include "examples/librarian/librarian.c"

void *librarian_state(size_t *ret_size)
{
    *ret_size = sizeof me;
    return &me;
}
