/* Does harm on request, by the first byte of a message; what it got is in the reply, as a number.
 *   c count (how many of these were handled)    l loop for ever       h take memory until refused
 *   m take memory until refused, then need more r recurse for ever    s send to "hostile/sink"
 *   k send to ever new keys                     p publish             t start timers
 *   u subscribe                                 g log                 b send "b" twice to itself
 *   x trap after having counted, sent, logged and set a timer
 *   w wild pointers to every call of the host      o all of them with too much
 *   f flood the log, then fail                     i start timers until refused, then fail
 *   y work: so many million additions as the number that follows says, then the count
 *   e read the byte that is as far behind the memory as the number that follows says
 *   d write there                    n what 0 / 0 is, in its bits
 *   a send to "hostile/KIND-N", N below the number that follows, what its kind is: one of KINDS
 * An instance whose key begins with 'S' never gets through its start. What is wild, too much or a
 * flood fails its turn, as an agent that checks what it gets would. */
#include <swarm/agent.h>

#define TRIES 1000000u
#define LINE 65536u
#define KINDS "lmrxwofiS"

SWARM_AGENT;

static uint32_t count;
static char line[LINE];
static uint32_t (*volatile again)(uint32_t depth);

static int32_t answer(const struct swarm_message *m, uint32_t value)
{
    char text[12];
    uint32_t at = sizeof text;

    do {
        text[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    if ((m->flags & SWARM_MESSAGE_WANTS_REPLY) == 0)
        return SWARM_DONE;
    return swarm_reply(m->reply_handle, 0, "", 0, text + at, (uint32_t)sizeof text - at);
}

static uint32_t take_memory(void)
{
    uint32_t pages = 0;

    while (__builtin_wasm_memory_grow(0, 1) != (__SIZE_TYPE__)-1)
        pages++;
    return pages;
}

/* The call is indirect, so that no compiler makes a loop of it; it needs no memory but the stack.
 */
static uint32_t recurse(uint32_t depth)
{
    return 1 + again(depth + 1);
}

static int32_t send_to(const char *to, uint32_t to_size, const char *body)
{
    return swarm_send(to, to_size, "", 0, body, 1, SWARM_PRIORITY_NORMAL, 0);
}

/* "hostile/" and the number, in decimal with its digits reversed. */
static int32_t send_to_key(uint32_t number)
{
    char to[24] = "hostile/";
    uint32_t size = 8;

    do {
        to[size++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return send_to(to, size, "c");
}

static int32_t one_more(uint8_t what, uint32_t number)
{
    switch (what) {
    case 's':
        return send_to("hostile/sink", 12, "c");
    case 'k':
        return send_to_key(number);
    case 'p':
        return swarm_publish("flood", 5, "", 0, line, 16, SWARM_PRIORITY_NORMAL);
    case 't':
        return swarm_timer_start(number, 3600000000000u);
    case 'u':
        line[0] = (char)('a' + number % 26), line[1] = (char)('a' + number / 26 % 26),
        line[2] = (char)('a' + number / 676 % 26), line[3] = (char)('a' + number / 17576 % 26);
        return swarm_subscribe(line, 4);
    default:
        return swarm_log(SWARM_LOG_ERROR, line, LINE);
    }
}

/* The same again and again until the host has had enough, which need not be ever. */
static uint32_t flood(uint8_t what)
{
    uint32_t done = 0;

    while (done < TRIES && one_more(what, done) == SWARM_OK)
        done++;
    return done;
}

/* Every call with this place and size, where its arguments are such; how many were taken. */
static uint32_t call_all(const char *at, uint32_t size)
{
    char *out = (char *)at;
    uint32_t taken = 0;

    taken += swarm_send(at, size, "", 0, "", 0, SWARM_PRIORITY_NORMAL, 0) >= 0;
    taken += swarm_send("hostile/sink", 12, at, size, "", 0, SWARM_PRIORITY_NORMAL, 0) >= 0;
    taken += swarm_send("hostile/sink", 12, "", 0, at, size, SWARM_PRIORITY_NORMAL, 0) >= 0;
    taken += swarm_reply(1, 0, at, size, "", 0) >= 0;
    taken += swarm_reply(1, 0, "", 0, at, size) >= 0;
    taken += swarm_publish(at, size, "", 0, "", 0, SWARM_PRIORITY_NORMAL) >= 0;
    taken += swarm_publish("flood", 5, "", 0, at, size, SWARM_PRIORITY_NORMAL) >= 0;
    taken += swarm_subscribe(at, size) >= 0;
    taken += swarm_unsubscribe(at, size) >= 0;
    taken += swarm_log(SWARM_LOG_ERROR, at, size) >= 0;
    taken += swarm_random(out, size) >= 0;
    taken += swarm_self(SWARM_SELF_KEY, out, size) >= 0;
    return taken;
}

/* Beyond the memory, across its end, and around the end of the address space. */
static uint32_t go_wild(void)
{
    uint32_t end = (uint32_t)__builtin_wasm_memory_size(0) << 16;

    return call_all((char *)end, 1) + call_all((char *)end - 4, 8) +
           call_all((char *)0xfffffff0u, 64) + call_all((char *)16, 0xfffffff0u) +
           call_all((char *)0xffffffffu, 0xffffffffu);
}

/* All of the memory that there is, as a name, a body, a line. It is no pointer that is wrong, so
 * randomness and a log line cut at its limit are taken. */
static uint32_t go_over(void)
{
    uint32_t size;

    (void)take_memory();
    size = (uint32_t)__builtin_wasm_memory_size(0) << 16;
    return call_all((char *)0, size);
}

/* "hostile/KIND-N", N in decimal with its digits reversed. */
static int32_t attack(uint32_t number)
{
    static const char kinds[] = KINDS;
    char kind = kinds[number % (sizeof kinds - 1)];
    char to[24] = "hostile/?-";
    uint32_t size = 10;

    to[8] = kind;
    do {
        to[size++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return swarm_send(to, size, "", 0, &kind, 1, SWARM_PRIORITY_NORMAL, 0);
}

/* The number behind the first byte. */
static uint32_t number_of(const struct swarm_message *m)
{
    uint32_t number = 0;

    for (uint32_t i = 1; i < m->body_size; i++)
        number = number * 10 + (uint32_t)(m->body[i] - '0');
    return number;
}

static volatile uint8_t *behind_memory(uint32_t distance)
{
    uint32_t end = (uint32_t)__builtin_wasm_memory_size(0) << 16;

    return (volatile uint8_t *)(end + distance);
}

static uint32_t not_a_number(void)
{
    volatile float zero = 0;
    float result = zero / zero;
    uint32_t bits;

    __builtin_memcpy(&bits, &result, sizeof bits);
    return bits;
}

static uint32_t work(uint32_t millions)
{
    volatile uint32_t sum = 0;

    for (uint32_t i = 0; i < millions * 1000000; i++)
        sum += i;
    return ++count;
}

static int32_t attack_all(const struct swarm_message *m)
{
    uint32_t count = number_of(m), sent = 0;

    for (uint32_t i = 0; i < count; i++)
        sent += attack(i) == SWARM_OK;
    return answer(m, sent);
}

static int32_t bomb(void)
{
    char self[64];
    int32_t size = swarm_self(SWARM_SELF_KEY, self + 8, sizeof self - 8);

    __builtin_memcpy(self, "hostile/", 8);
    (void)send_to(self, (uint32_t)size + 8, "b"); /* Refused or not, it goes on. */
    (void)send_to(self, (uint32_t)size + 8, "b");
    return SWARM_DONE;
}

int32_t SWARM_EXPORT(on_start)(void)
{
    char first = 0;

    (void)swarm_self(SWARM_SELF_KEY, &first, 1);
    while (first == 'S')
        count++;
    return SWARM_DONE;
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    uint8_t what = m->body_size > 0 ? m->body[0] : 0;

    switch (what) {
    case 'c':
        return answer(m, ++count);
    case 'l':
        for (;;)
            count++;
    case 'y':
        return answer(m, work(number_of(m)));
    case 'e':
        count += 1 + *behind_memory(number_of(m));
        return answer(m, count);
    case 'd':
        *behind_memory(number_of(m)) = 1;
        return answer(m, ++count);
    case 'n':
        return answer(m, not_a_number());
    case 'h':
        return answer(m, take_memory());
    case 'm':
        (void)take_memory();
        __builtin_trap();
    case 'r':
        again = recurse;
        return answer(m, recurse(0));
    case 'b':
        return bomb();
    case 'a':
        return attack_all(m);
    case 'w':
        count += go_wild();
        return SWARM_E_INVALID;
    case 'o':
        count += go_over();
        return SWARM_E_EXHAUSTED;
    case 'f':
        count += flood('g');
        return SWARM_E_EXHAUSTED;
    case 'i':
        count += flood('t');
        return SWARM_E_EXHAUSTED;
    case 'x':
        count += 100;
        (void)send_to("hostile/sink", 12, "c");
        (void)swarm_log(SWARM_LOG_INFO, "before the trap", 15);
        (void)swarm_timer_start(1, 0);
        __builtin_trap();
    default:
        __builtin_memset(line, 'x', LINE);
        return answer(m, flood(what));
    }
}

int32_t SWARM_EXPORT(on_timer)(uint64_t id)
{
    count += id == 1 ? 1000 : 0;
    return SWARM_DONE;
}
