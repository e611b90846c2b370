/* The runtime of tests: a module that others bring a payload for. It answers a message with its
 * program's payload, how many messages it has handled since it began, and the payload's size:
 *
 *     "tail"         the last eight bytes instead of all of it
 *     anything else  all, at most ROOM bytes of it; read in pieces of seven
 *
 * A later program takes the number over, and adds a hundred. */
#include <swarm/bundle.h>

#define ROOM 1024u

SWARM_AGENT;

static uint32_t handled, size_at_start;
SWARM_STATE(handled, 1);

static char text[ROOM + 32];
static uint32_t length;

static void put_number(uint32_t value)
{
    char digits[10];
    uint32_t begin = sizeof digits;

    do {
        digits[--begin] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    while (begin < sizeof digits)
        text[length++] = digits[begin++];
}

/* The bytes from offset on, at most ROOM, to text. */
static void put_payload(uint32_t offset)
{
    int32_t size = swarm_bundle(0, 0, 0);

    length = 0;
    while (length < ROOM && offset + length < (uint32_t)size) {
        uint32_t left = (uint32_t)size - offset - length, room = ROOM - length;
        uint32_t piece = left < room ? left : room;

        piece = piece < 7 ? piece : 7;
        if (swarm_bundle(offset + length, text + length, piece) != size)
            __builtin_trap();
        length += piece;
    }
}

int32_t SWARM_EXPORT(on_start)(void)
{
    size_at_start = (uint32_t)swarm_bundle(0, 0, 0);
    return SWARM_DONE;
}

int32_t SWARM_EXPORT(on_upgrade)(const struct swarm_upgrade *upgrade)
{
    if (upgrade->old_version != 1 || upgrade->state_size != sizeof handled)
        return SWARM_E_INVALID;
    handled = *(const uint32_t *)(const void *)upgrade->state + 100;
    size_at_start = (uint32_t)swarm_bundle(0, 0, 0);
    return SWARM_DONE;
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    uint32_t size = (uint32_t)swarm_bundle(0, 0, 0);
    int is_tail = m->body_size == 4 && m->body[0] == 't' && m->body[3] == 'l';

    if (size != size_at_start ||
        swarm_bundle(0, (void *)0xfffffff0u, 32) != SWARM_E_INVALID || /* Out of the memory. */
        swarm_bundle(size, text, 8) != (int32_t)size ||                /* Nothing is beyond it. */
        swarm_bundle(0xffffffffu, text, 8) != (int32_t)size)
        return SWARM_E_INTERNAL;
    put_payload(is_tail && size > 8 ? size - 8 : 0);
    text[length++] = ' ';
    put_number(++handled);
    text[length++] = ' ';
    put_number(size);
    return swarm_reply(m->reply_handle, 0, "text/plain", 10, text, length);
}
