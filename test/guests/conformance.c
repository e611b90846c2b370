/* Exercises every call of the guest ABI and every way to fail, by the first bytes of a message. */
#include <swarm/agent.h>

static uint64_t heap[8192 / 8];
static uint32_t counter;
static uint8_t *grown;
static int32_t (*volatile function)(void);

void *SWARM_EXPORT(swarm_alloc)(uint32_t size)
{
    return size <= sizeof heap ? heap : 0;
}

static int is_command(const struct swarm_message *message, const char *command)
{
    uint32_t i = 0;

    while (command[i] != '\0' && i < message->body_size && message->body[i] == (uint8_t)command[i])
        i++;
    return command[i] == '\0' && i == message->body_size;
}

int32_t SWARM_EXPORT(on_start)(void)
{
    counter = 100;
    return swarm_log(SWARM_LOG_INFO, "born", 4);
}

int32_t SWARM_EXPORT(on_timer)(uint64_t id)
{
    return swarm_timer_cancel(id + 1);
}

int32_t SWARM_EXPORT(on_stop)(void)
{
    return swarm_log(SWARM_LOG_WARN, "gone", 4);
}

/* Give back every field of the message, so that the host can compare. */
static int32_t echo(const struct swarm_message *m)
{
    int32_t rc = swarm_send(m->from, m->from_size, m->type, m->type_size, m->body, m->body_size,
                            (int32_t)m->priority, m->tag);
    if (rc != SWARM_OK)
        return rc;
    rc = swarm_publish(m->subject, m->subject_size, m->type, m->type_size, m->body, m->body_size,
                       (int32_t)m->flags);
    if (rc != SWARM_OK)
        return rc;
    rc = swarm_reply(m->reply_handle, m->status, m->type, m->type_size, m->body, m->body_size);
    if (rc != SWARM_OK)
        return rc;
    return swarm_timer_start(m->time_ns, m->struct_size);
}

static int32_t ask_host(void)
{
    static uint8_t bytes[16];
    char name[32];
    int32_t size = swarm_self(SWARM_SELF_AGENT, name, sizeof name);

    if (size < 0 || swarm_random(bytes, sizeof bytes) != SWARM_OK)
        return SWARM_E_INVALID;
    if (swarm_subscribe(name, (uint32_t)size) != SWARM_OK ||
        swarm_unsubscribe((const char *)bytes, sizeof bytes) != SWARM_OK)
        return SWARM_E_INVALID;
    return swarm_timer_start(7, swarm_now());
}

/* Each call with a pointer or size beyond the memory must answer INVALID. */
static int32_t wrong_pointers(void)
{
    uint32_t size = (uint32_t)__builtin_wasm_memory_size(0) << 16;
    char *end = (char *)size;

    if (swarm_send(end, 1, "", 0, "", 0, 1, 0) != SWARM_E_INVALID ||
        swarm_send("a", 1, end - 1, 2, "", 0, 1, 0) != SWARM_E_INVALID ||
        swarm_send("a", 1, "", 0, "", 0xffffffffu, 1, 0) != SWARM_E_INVALID ||
        swarm_reply(1, 0, end, 1, "", 0) != SWARM_E_INVALID ||
        swarm_reply(1, 0, "", 0, end, 1) != SWARM_E_INVALID ||
        swarm_publish(end, 1, "", 0, "", 0, 1) != SWARM_E_INVALID ||
        swarm_publish("a", 1, end, 1, "", 0, 1) != SWARM_E_INVALID ||
        swarm_publish("a", 1, "", 0, end, 1, 1) != SWARM_E_INVALID ||
        swarm_subscribe(end, 1) != SWARM_E_INVALID ||
        swarm_unsubscribe(end, 1) != SWARM_E_INVALID || swarm_log(1, end, 1) != SWARM_E_INVALID ||
        swarm_random(end - 4, 5) != SWARM_E_INVALID ||
        swarm_self(SWARM_SELF_KEY, end, 1) != SWARM_E_INVALID)
        return SWARM_E_DENIED;
    return swarm_subscribe(end, 0); /* Nothing at the very end is still inside. */
}

static int32_t recurse(volatile int32_t depth)
{
    volatile int32_t room[16] = {depth};

    return depth < 0 ? 0 : recurse(depth + 1) + room[depth & 15];
}

/* Take all the memory there is, then need more. */
static int32_t exhaust(void)
{
    while (__builtin_wasm_memory_grow(0, 1) != (__SIZE_TYPE__)-1)
        counter++;
    __builtin_trap();
}

static int32_t grow(void)
{
    __SIZE_TYPE__ before = __builtin_wasm_memory_grow(0, 2);

    if (before == (__SIZE_TYPE__)-1)
        return SWARM_E_EXHAUSTED;
    grown = (uint8_t *)(before << 16);
    for (uint32_t i = 0; i < 2u << 16; i += 512)
        grown[i] = (uint8_t)(i / 512 + 1);
    return SWARM_DONE;
}

/* Look for bytes that an earlier tenant of this memory left behind. */
static int32_t look_for_leaks(void)
{
    uint32_t size = (uint32_t)__builtin_wasm_memory_size(0) << 16;
    const volatile uint8_t *memory = (const volatile uint8_t *)0;

    for (uint32_t i = (uint32_t)(__UINTPTR_TYPE__)&heap[1024]; i < size; i++)
        if (memory[i] == 0xa5)
            return SWARM_E_DENIED;
    return SWARM_DONE;
}

static int32_t leave_traces(void)
{
    uint32_t size = (uint32_t)__builtin_wasm_memory_size(0) << 16;

    for (uint32_t i = (uint32_t)(__UINTPTR_TYPE__)&heap[1024] + 4096; i < size; i++)
        ((volatile uint8_t *)0)[i] = 0xa5;
    return SWARM_DONE;
}

/* The bits of what is no number, of both widths. */
static int32_t tell_bits(float one, double other)
{
    uint32_t bits;
    uint64_t wide;

    __builtin_memcpy(&bits, &one, sizeof bits);
    __builtin_memcpy(&wide, &other, sizeof wide);
    return swarm_timer_start(bits, wide);
}

static int32_t pass_on_a_payload(void)
{
    volatile uint32_t bits = 0xffa00001u;
    volatile uint64_t wide = 0xfff4000000000001u;
    uint32_t one = bits;
    uint64_t other = wide;
    float narrow;
    double broad;

    __builtin_memcpy(&narrow, &one, sizeof narrow);
    __builtin_memcpy(&broad, &other, sizeof broad);
    return tell_bits(narrow + 1, broad + 1);
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    volatile uint32_t zero = 0;
    volatile double nothing = 0, minus = -1;

    if (is_command(m, "count"))
        return swarm_timer_start(++counter, 0);
    if (is_command(m, "ask host"))
        return ask_host();
    if (is_command(m, "wrong pointers"))
        return wrong_pointers();
    if (is_command(m, "fail"))
        return SWARM_E_UNAVAILABLE;
    if (is_command(m, "wait"))
        return SWARM_WAITING;
    if (is_command(m, "nonsense"))
        return 77;
    if (is_command(m, "trap"))
        __builtin_trap();
    if (is_command(m, "out of bounds"))
        return *(volatile int32_t *)0x7ffffff0;
    if (is_command(m, "just beyond"))
        return ((volatile uint8_t *)0)[__builtin_wasm_memory_size(0) << 16];
    if (is_command(m, "divide"))
        return (int32_t)(counter / zero);
    if (is_command(m, "null function"))
        return function();
    if (is_command(m, "divide zeros"))
        return tell_bits((float)nothing / (float)nothing, nothing / nothing);
    if (is_command(m, "root of minus one"))
        return tell_bits(__builtin_sqrtf((float)minus), __builtin_sqrt(minus));
    if (is_command(m, "pass on a payload"))
        return pass_on_a_payload();
    if (is_command(m, "recurse"))
        return recurse(0);
    if (is_command(m, "spin"))
        for (;;)
            counter++;
    if (is_command(m, "spin and call"))
        for (;;)
            (void)swarm_now();
    if (is_command(m, "exhaust"))
        return exhaust();
    if (is_command(m, "grow"))
        return grow();
    if (is_command(m, "look for leaks"))
        return look_for_leaks();
    if (is_command(m, "leave traces"))
        return leave_traces();
    return echo(m);
}
