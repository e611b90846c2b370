/* Waits in the middle of handlers in every way, with locals, recursion and callbacks that have to
 * be there afterwards. Built three times: as it is, for asyncify, and with on_resume. */
#include <swarm/wait.h>

#define SECOND 1000000000u

SWARM_AGENT;

static uint32_t turns, kept;

static int is_command(const struct swarm_message *m, const char *command)
{
    uint32_t i = 0;

    while (command[i] != '\0' && i < m->body_size && m->body[i] == (uint8_t)command[i])
        i++;
    return command[i] == '\0';
}

static int32_t answer(const struct swarm_message *m, int32_t code, const void *body, uint32_t size)
{
    return m->reply_handle == 0 ? SWARM_DONE
                                : swarm_reply(m->reply_handle, code, "text/plain", 10, body, size);
}

#ifndef BY_RETURN

static uint32_t mix(const uint8_t *bytes, uint32_t size)
{
    uint32_t hash = 2166136261u;

    for (uint32_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    return hash;
}

/* Ask, with a pattern in memory and in locals around it that must survive. */
static __attribute__((noinline)) uint32_t ask_once(uint32_t seed, double weight)
{
    uint8_t question[64], room[256];
    struct swarm_reading reading = {.room = room, .room_size = sizeof room};
    uint32_t before;
    int32_t code;

    for (uint32_t i = 0; i < sizeof question; i++)
        question[i] = (uint8_t)(seed * 7 + i);
    before = mix(question, sizeof question);
    code = swarm_ask(
        &(struct swarm_question){
            .to = "oracle/one", .to_size = 10, .body = question, .body_size = sizeof question},
        &reading);
    if (code != SWARM_OK)
        return (uint32_t)code;
    return mix(reading.message.body, reading.message.body_size) ^ before ^
           mix(question, sizeof question) ^ (uint32_t)(weight * 1000.0);
}

static __attribute__((noinline)) uint32_t descend(uint32_t depth, uint32_t seed)
{
    volatile uint32_t local[4] = {depth, seed, depth ^ seed, 77};
    uint32_t deeper = depth == 0 ? ask_once(seed, 1.5) : descend(depth - 1, seed * 31 + depth) * 3;

    return deeper ^ local[0] ^ local[1] ^ local[2] ^ local[3];
}

static uint32_t plainly(uint32_t seed)
{
    return seed + 1;
}

static uint32_t through_a_pointer(uint32_t seed)
{
    return ask_once(seed, 0.25);
}
static uint32_t (*volatile callbacks[])(uint32_t) = {plainly, through_a_pointer};

static uint32_t in_a_loop(uint32_t rounds)
{
    uint64_t sum = 0x123456789abcdefu;

    for (uint32_t i = 0; i < rounds; i++)
        sum = sum * 31 + callbacks[i % 2](i + (uint32_t)sum);
    return (uint32_t)(sum ^ sum >> 32);
}

static int32_t receive_some(const struct swarm_message *m)
{
    char room[300];
    struct swarm_reading reading = {.room = room, .room_size = sizeof room};
    char all[128];
    uint32_t used = 0;

    while (used < 100) {
        int32_t code = swarm_receive(SECOND, &reading);
        if (code != SWARM_OK)
            return answer(m, code, all, used);
        if (reading.message.body_size == 4)
            break;
        all[used++] = (char)reading.message.body[0];
    }
    return answer(m, SWARM_OK, all, used);
}

static int32_t too_small(const struct swarm_message *m)
{
    uint8_t room[8], large[512];
    struct swarm_reading reading = {.room = room, .room_size = sizeof room};
    struct swarm_question ask = {.to = "oracle/one", .to_size = 10, .body = "x", .body_size = 1};
    int32_t code = swarm_ask(&ask, &reading);

    if (code != SWARM_E_EXHAUSTED)
        return answer(m, SWARM_E_INVALID, "", 0);
    reading.room = large;
    reading.room_size = sizeof large;
    code = swarm_read(SWARM_OK, &reading);
    return answer(m, code, reading.message.body, reading.message.body_size);
}

static int32_t call_outside(const struct swarm_message *m)
{
    uint8_t room[64];
    struct swarm_reading reading = {.room = room, .room_size = sizeof room};
    volatile uint32_t local = 0x5eed;
    int32_t code = swarm_call(&(struct swarm_question){.to = "swarm.delay",
                                                       .to_size = 11,
                                                       .type = "t",
                                                       .type_size = 1,
                                                       .body = "25",
                                                       .body_size = 2},
                              &reading);

    if (local != 0x5eed)
        __builtin_trap();
    return answer(m, code, reading.message.body, reading.message.body_size);
}

static int32_t wait_for(const struct swarm_message *m)
{
    uint32_t number = 0;

    if (is_command(m, "deep"))
        number = descend(m->body_size - 4, 5);
    else if (is_command(m, "loop"))
        number = in_a_loop(m->body_size - 4);
    else if (is_command(m, "once"))
        number = ask_once(9, 2.5);
    else if (is_command(m, "trap after")) {
        turns += 100;
        (void)ask_once(1, 1.0);
        __builtin_trap();
    }
    kept = number;
    return answer(m, SWARM_OK, &number, sizeof number);
}

int32_t SWARM_EXPORT(on_timer)(uint64_t id)
{
    kept += (uint32_t)id;
    if (swarm_sleep(SECOND) != SWARM_OK)
        return SWARM_E_INVALID;
    kept += 1000 + (uint32_t)id;
    return SWARM_DONE;
}

static int32_t have_effects(const struct swarm_message *m)
{
    uint64_t numbers[2] = {0};

    (void)swarm_log(SWARM_LOG_INFO, "before", 6);
    if (swarm_timer_start(1, SECOND) != SWARM_OK || swarm_random(&numbers[0], 8) != SWARM_OK ||
        swarm_sleep(SECOND) != SWARM_OK)
        return SWARM_E_INVALID;
    if (swarm_timer_start(2, SECOND) != SWARM_OK || swarm_random(&numbers[1], 8) != SWARM_OK ||
        swarm_sleep(SECOND) != SWARM_OK)
        return SWARM_E_INVALID;
    return answer(m, SWARM_OK, numbers, sizeof numbers);
}

/* More random bytes than a turn that waits may have had. */
static int32_t be_noisy(const struct swarm_message *m)
{
    static uint8_t bytes[60000];
    int32_t code = SWARM_OK;

    for (uint32_t i = 0; i < 150 && code == SWARM_OK; i++)
        code = swarm_random(bytes, sizeof bytes);
    if (code == SWARM_OK && is_command(m, "noise, wait"))
        code = swarm_sleep(SECOND);
    return code == SWARM_OK ? answer(m, SWARM_OK, "noise", 5) : code;
}

static int32_t wait_forever(void)
{
    int32_t code = SWARM_OK;

    while (code == SWARM_OK)
        code = swarm_sleep(SECOND);
    return code;
}

static int32_t other_ways(const struct swarm_message *m)
{
    if (is_command(m, "receive"))
        return receive_some(m);
    if (is_command(m, "small"))
        return too_small(m);
    if (is_command(m, "sleep")) {
        int32_t code = swarm_sleep(SECOND);
        return answer(m, code, "slept", 5);
    }
    if (is_command(m, "outside"))
        return call_outside(m);
    if (is_command(m, "effects"))
        return have_effects(m);
    if (is_command(m, "noise"))
        return be_noisy(m);
    if (is_command(m, "forever"))
        return wait_forever();
    if (is_command(m, "timer"))
        return swarm_timer_start(7, 0);
    return wait_for(m);
}

#else /* The handler returns, and goes on in on_resume. */

static uint64_t handle;

static int32_t other_ways(const struct swarm_message *m)
{
    handle = m->reply_handle;
    if (is_command(m, "lie"))
        return SWARM_WAITING;
    if (is_command(m, "forget"))
        return swarm_sleep(SECOND) == SWARM_WAITING ? SWARM_DONE : SWARM_E_INVALID;
    if (is_command(m, "twice") && swarm_sleep(SECOND) == SWARM_WAITING)
        return swarm_sleep(SECOND) == SWARM_E_PRECONDITION ? SWARM_WAITING : SWARM_E_INVALID;
    if (is_command(m, "outside"))
        return swarm_wait_call("swarm.delay", 11, "t", 1, "25", 2, SWARM_FOREVER);
    return swarm_wait_ask("oracle/one", 10, "", 0, m->body, m->body_size, SWARM_PRIORITY_NORMAL,
                          SECOND);
}

int32_t SWARM_EXPORT(on_resume)(int32_t status)
{
    uint8_t room[256];
    struct swarm_reading reading = {.room = room, .room_size = sizeof room};

    (void)swarm_read(status, &reading);
    if (reading.message.body_size == 5) /* Once more. */
        return swarm_wait_receive(SECOND);
    return swarm_reply(handle, status, "", 0, reading.message.body, reading.message.body_size);
}

#endif

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    turns++;
    if (is_command(m, "count")) {
        uint32_t counts[2] = {turns, kept};
        return answer(m, SWARM_OK, counts, sizeof counts);
    }
    return other_ways(m);
}
