/* Touches its memory wherever a message says, with whatever offset is part of an instruction: the
 * first byte is a row of the table below, four more the address. What it read is sent to "read". */
#include <swarm/agent.h>

static uint64_t room[32];

void *SWARM_EXPORT(swarm_alloc)(uint32_t size)
{
    return size <= sizeof room ? room : 0;
}

/* Compilers fold a constant into an instruction's offset only where they know that it does not
 * wrap, which is never so out here. */
#define LOAD(instruction, offset)                                                                  \
    __asm__ volatile("local.get %1\n" instruction " " offset "\nlocal.set %0"                      \
                     : "=r"(value)                                                                 \
                     : "r"(address)                                                                \
                     : "memory")
#define STORE(instruction, offset)                                                                 \
    __asm__ volatile("local.get %0\ni64.const -1\n" instruction " " offset                         \
                     :                                                                             \
                     : "r"(address)                                                                \
                     : "memory")
#define ROWS(row, offset)                                                                          \
    case row:                                                                                      \
        LOAD("i64.load8_u", offset);                                                               \
        break;                                                                                     \
    case (row) + 1:                                                                                \
        LOAD("i64.load", offset);                                                                  \
        break;                                                                                     \
    case (row) + 2:                                                                                \
        STORE("i64.store8", offset);                                                               \
        break;                                                                                     \
    case (row) + 3:                                                                                \
        STORE("i64.store", offset);                                                                \
        break

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    uint32_t address;
    uint64_t value = 0;

    __builtin_memcpy(&address, m->body + 1, sizeof address);
    switch (m->body[0]) {
        ROWS(0, "0");
        ROWS(4, "1");
        ROWS(8, "65535");
        ROWS(12, "33554423"); /* With the guard that there is, the last that need not compare, */
        ROWS(16, "33554424");
        ROWS(20, "33554431");
        ROWS(24, "33554432"); /* and the first that does. */
        ROWS(28, "2147483647");
        ROWS(32, "4294967288");
        ROWS(36, "4294967295");
    default:
        return SWARM_E_INVALID;
    }
    return swarm_timer_start(value, 0);
}
