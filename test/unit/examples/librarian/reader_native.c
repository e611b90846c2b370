/* The reader, compiled for this machine. */
#include "test/unit/examples/librarian/natives.h"

#define swarm_alloc reader_alloc
#define on_start reader_on_start
#define on_message reader_on_message
#define on_stop reader_on_stop
#include "examples/librarian/reader.c"

void *reader_state(size_t *ret_size)
{
    *ret_size = sizeof me;
    return &me;
}
