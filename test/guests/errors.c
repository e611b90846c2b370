/* waits */
/* Makes each call of swarm_1 answer each of its errors, and says what it got: a line "CALL CODE
 * WANTED how" for every try. test/e2e/conformance.py compares them with what the headers say. The
 * body of a message names the tries; those that leave no room for a reply tell in the log. */
#include <swarm/bundle.h>
#include <swarm/wait.h>

#define TEXT_MAX 60000u

SWARM_AGENT;

static char text[TEXT_MAX], longest[300], large[(4u << 20) + 1];
static uint32_t used;
static uint8_t room[65537];
static int32_t at_start[4]; /* What the waits answer there. */

static void put(const char *word)
{
    while (*word != '\0' && used < TEXT_MAX)
        text[used++] = *word++;
}

static void put_number(int32_t number)
{
    char digits[12];
    uint32_t at = sizeof digits, rest = number < 0 ? 0u - (uint32_t)number : (uint32_t)number;

    digits[--at] = '\0';
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    put(number < 0 ? " -" : " ");
    put(digits + at);
}

static void tell(const char *call, int32_t got, int32_t wanted, const char *how)
{
    put(call);
    put_number(got);
    put_number(wanted);
    put(" ");
    put(how);
    put("\n");
}

static int32_t reply_text(const struct swarm_message *m)
{
    return swarm_reply(m->reply_handle, 0, "text/plain", 10, text, used);
}

/* --- Pointers -------------------------------------------------------------------------------- */

/* Each call with one wrong (pointer, size) at position i, and good ones elsewhere. */
static int32_t bad_send(uint32_t i, char *p, uint32_t size)
{
    return swarm_send(i == 0 ? p : "errors/sink", i == 0 ? size : 11, i == 1 ? p : "t",
                      i == 1 ? size : 1, i == 2 ? p : "b", i == 2 ? size : 1, 1, 0);
}

static int32_t bad_reply(uint32_t i, char *p, uint32_t size)
{
    return swarm_reply(1, 0, i == 0 ? p : "t", i == 0 ? size : 1, i == 1 ? p : "b",
                       i == 1 ? size : 1);
}

static int32_t bad_publish(uint32_t i, char *p, uint32_t size)
{
    return swarm_publish(i == 0 ? p : "a.b", i == 0 ? size : 3, i == 1 ? p : "t", i == 1 ? size : 1,
                         i == 2 ? p : "b", i == 2 ? size : 1, 1);
}

static int32_t bad_subscribe(uint32_t i, char *p, uint32_t size)
{
    (void)i;
    return swarm_subscribe(p, size);
}

static int32_t bad_unsubscribe(uint32_t i, char *p, uint32_t size)
{
    (void)i;
    return swarm_unsubscribe(p, size);
}

static int32_t bad_log(uint32_t i, char *p, uint32_t size)
{
    (void)i;
    return swarm_log(SWARM_LOG_INFO, p, size);
}

static int32_t bad_random(uint32_t i, char *p, uint32_t size)
{
    (void)i;
    return swarm_random(p, size);
}

static int32_t bad_self(uint32_t i, char *p, uint32_t size)
{
    (void)i;
    return swarm_self(SWARM_SELF_KEY, p, size);
}

static int32_t bad_ask(uint32_t i, char *p, uint32_t size)
{
    return swarm_wait_ask(i == 0 ? p : "errors/sink", i == 0 ? size : 11, i == 1 ? p : "t",
                          i == 1 ? size : 1, i == 2 ? p : "b", i == 2 ? size : 1, 1, 0);
}

static int32_t bad_call(uint32_t i, char *p, uint32_t size)
{
    return swarm_wait_call(i == 0 ? p : "swarm.delay", i == 0 ? size : 11, i == 1 ? p : "t",
                           i == 1 ? size : 1, i == 2 ? p : "0", i == 2 ? size : 1, 0);
}

static const struct {
    const char *name;
    int32_t (*call)(uint32_t i, char *p, uint32_t size);
    uint32_t pointers;
} with_pointers[] = {
    {"send", bad_send, 3},
    {"reply", bad_reply, 2},
    {"publish", bad_publish, 3},
    {"subscribe", bad_subscribe, 1},
    {"unsubscribe", bad_unsubscribe, 1},
    {"log", bad_log, 1},
    {"random", bad_random, 1},
    {"self", bad_self, 1},
    {"ask", bad_ask, 3},
    {"call", bad_call, 3},
};

static void try_pointers(void)
{
    uint32_t end = (uint32_t)__builtin_wasm_memory_size(0) << 16;
    const struct {
        uint32_t pointer, size;
        const char *how;
    } wrong[] = {{end, 1, "a pointer at the end"},
                 {end - 1, 2, "a size over the end"},
                 {end + 65536, 0, "nothing, beyond the end"},
                 {16, 0xffffffffu, "the largest size"},
                 {0xffffffffu, 1, "the largest pointer"},
                 {0xffffffffu, 0xffffffffu, "both, whose sum wraps"},
                 {0x80000000u, 0x80000000u, "both with the sign bit"}};

    for (uint32_t c = 0; c < sizeof with_pointers / sizeof with_pointers[0]; c++)
        for (uint32_t i = 0; i < with_pointers[c].pointers; i++)
            for (uint32_t w = 0; w < sizeof wrong / sizeof wrong[0]; w++)
                tell(with_pointers[c].name,
                     with_pointers[c].call(i, (char *)(__UINTPTR_TYPE__)wrong[w].pointer,
                                           wrong[w].size),
                     SWARM_E_INVALID, wrong[w].how);
    tell("log", swarm_log(SWARM_LOG_DEBUG, (char *)(__UINTPTR_TYPE__)end, 0), SWARM_OK,
         "nothing at the very end");
    tell("random", swarm_random((void *)(__UINTPTR_TYPE__)(end - 1), 1), SWARM_OK, "the last byte");
}

/* --- Names, numbers, sizes ------------------------------------------------------------------- */

#define SEND(to, to_size, type, type_size, size, priority)                                         \
    swarm_send(to, to_size, type, type_size, large, size, priority, 0)

static void try_sends(void)
{
    tell("send", SEND("", 0, "", 0, 0, 1), SWARM_E_INVALID, "no name");
    tell("send", SEND("errors/", 7, "", 0, 0, 1), SWARM_E_INVALID, "an empty key");
    tell("send", SEND("/k", 2, "", 0, 0, 1), SWARM_E_INVALID, "an empty agent");
    tell("send", SEND(longest, 256, "", 0, 0, 1), SWARM_E_INVALID, "a name of 256 bytes");
    tell("send", SEND("errors/sink", 11, longest, 256, 0, 1), SWARM_E_INVALID, "a long type");
    tell("send", SEND("errors/sink", 11, "\xff", 1, 0, 1), SWARM_E_INVALID, "a type, not UTF-8");
    tell("send", SEND("errors/sink", 11, "", 0, 1025, 1), SWARM_E_INVALID, "a large body");
    tell("send", SEND("errors/sink", 11, "", 0, sizeof large, 1), SWARM_E_INVALID, "a huge body");
    tell("send", SEND("errors/sink", 11, "", 0, 0, 4), SWARM_E_INVALID, "priority 4");
    tell("send", SEND("errors/sink", 11, "", 0, 0, -1), SWARM_E_INVALID, "priority -1");
    tell("send", SEND("errors/sink", 11, longest, 255, 1024, 0), SWARM_OK, "at all its limits");
    tell("send", SEND("nobody", 6, "", 0, 0, 3), SWARM_E_UNAVAILABLE, "an agent that is not");
}

static void try_replies(const struct swarm_message *m)
{
    tell("reply", swarm_reply(0, 0, "", 0, "", 0), SWARM_E_NOT_FOUND, "handle 0");
    tell("reply", swarm_reply(m->reply_handle + 9, 0, "", 0, "", 0), SWARM_E_NOT_FOUND,
         "an unknown handle");
    tell("reply", swarm_reply(m->reply_handle, 1, "", 0, "", 0), SWARM_E_INVALID, "status 1");
    tell("reply", swarm_reply(m->reply_handle, 0, longest, 256, "", 0), SWARM_E_INVALID,
         "a long type");
    tell("reply", swarm_reply(m->reply_handle, 0, "\xc0\x80", 2, "", 0), SWARM_E_INVALID,
         "a type, not UTF-8");
    tell("reply", swarm_reply(m->reply_handle, 0, "", 0, large, sizeof large), SWARM_E_INVALID,
         "a huge body");
}

#define PUBLISH(subject, size, type, type_size, body_size, priority)                               \
    swarm_publish(subject, size, type, type_size, large, body_size, priority)

static void try_publishes(void)
{
    tell("publish", PUBLISH("", 0, "", 0, 0, 1), SWARM_E_INVALID, "no subject");
    tell("publish", PUBLISH("a.*", 3, "", 0, 0, 1), SWARM_E_INVALID, "a wildcard");
    tell("publish", PUBLISH("a..b", 4, "", 0, 0, 1), SWARM_E_INVALID, "an empty token");
    tell("publish", PUBLISH(longest, 256, "", 0, 0, 1), SWARM_E_INVALID, "a long subject");
    tell("publish", PUBLISH("a", 1, longest, 256, 0, 1), SWARM_E_INVALID, "a long type");
    tell("publish", PUBLISH("a", 1, "\xff", 1, 0, 1), SWARM_E_INVALID, "a type, not UTF-8");
    tell("publish", PUBLISH("a", 1, "", 0, sizeof large, 1), SWARM_E_INVALID, "a huge body");
    tell("publish", PUBLISH("a", 1, "", 0, 0, 4), SWARM_E_INVALID, "priority 4");
    tell("publish", PUBLISH("a.b", 3, "t", 1, 9, 2), SWARM_OK, "to nobody");
}

static void try_subjects(void)
{
    tell("subscribe", swarm_subscribe("", 0), SWARM_E_INVALID, "no pattern");
    tell("subscribe", swarm_subscribe("a.>.b", 5), SWARM_E_INVALID, "a wildcard in the middle");
    tell("subscribe", swarm_subscribe(longest, 256), SWARM_E_INVALID, "a long pattern");
    tell("unsubscribe", swarm_unsubscribe("", 0), SWARM_E_INVALID, "no pattern");
    tell("unsubscribe", swarm_unsubscribe("a.*", 3), SWARM_E_NOT_FOUND, "not subscribed");
    tell("subscribe", swarm_subscribe("a.*", 3), SWARM_OK, "");
    tell("subscribe", swarm_subscribe("a.*", 3), SWARM_OK, "again");
    tell("unsubscribe", swarm_unsubscribe("a.*", 3), SWARM_OK, "");
    tell("unsubscribe", swarm_unsubscribe("a.*", 3), SWARM_E_NOT_FOUND, "again");
}

static void try_the_rest(void)
{
    tell("timer_cancel", swarm_timer_cancel(7), SWARM_E_NOT_FOUND, "no such timer");
    tell("timer_start", swarm_timer_start(7, UINT64_MAX), SWARM_OK, "the longest delay");
    tell("timer_start", swarm_timer_start(7, 0), SWARM_OK, "again, at once");
    tell("timer_cancel", swarm_timer_cancel(7), SWARM_OK, "");
    tell("timer_cancel", swarm_timer_cancel(7), SWARM_E_NOT_FOUND, "again");
    tell("log", swarm_log(-1, "x", 1), SWARM_E_INVALID, "level -1");
    tell("log", swarm_log(4, "x", 1), SWARM_E_INVALID, "level 4");
    tell("log", swarm_log(SWARM_LOG_WARN, longest, sizeof longest), SWARM_OK, "");
    tell("now", swarm_now() > 1700000000000000000u ? 0 : 1, SWARM_OK, "");
    tell("random", swarm_random(room, 65537), SWARM_E_INVALID, "65,537 bytes");
    tell("random", swarm_random(room, 65536), SWARM_OK, "65,536 bytes");
    tell("self", swarm_self(-1, text, 0), SWARM_E_INVALID, "fact -1");
    tell("self", swarm_self(4, text, 0), SWARM_E_INVALID, "fact 4");
    tell("self", swarm_self(SWARM_SELF_AGENT, longest, 3), 6, "cut at 3 bytes");
    tell("self", longest[2] == 'r' && longest[3] == 'a' ? 0 : 1, SWARM_OK, "not more than that");
    tell("bundle", swarm_bundle(0, (void *)(__UINTPTR_TYPE__)0xfffffff0u, 32), SWARM_E_INVALID,
         "beyond the memory");
    tell("bundle", swarm_bundle(0, longest, sizeof longest), SWARM_OK, "no bundle");
}

static int32_t try_arguments(const struct swarm_message *m)
{
    try_sends();
    try_replies(m);
    try_publishes();
    try_subjects();
    try_the_rest();
    return reply_text(m);
}

/* --- Waits ----------------------------------------------------------------------------------- */

static int32_t ask(const char *to, uint32_t to_size, const char *body, uint64_t timeout_ns)
{
    return swarm_wait_ask(to, to_size, "", 0, body, 1, SWARM_PRIORITY_NORMAL, timeout_ns);
}

static int32_t call(const char *service, uint32_t service_size, const char *body, uint32_t size)
{
    return swarm_wait_call(service, service_size, "", 0, body, size, SWARM_FOREVER);
}

static void try_calls(void)
{
    tell("call", call("", 0, "0", 1), SWARM_E_INVALID, "no service");
    tell("call", call(longest, 64, "0", 1), SWARM_E_INVALID, "a name of 64 bytes");
    tell("call", call("\xff", 1, "0", 1), SWARM_E_INVALID, "a name, not UTF-8");
    tell("call", call("swarm.delay", 11, large, sizeof large), SWARM_E_INVALID, "a huge body");
    tell("call", swarm_wait_call("swarm.delay", 11, longest, 256, "0", 1, 0), SWARM_E_INVALID,
         "a long type");
    tell("call", call(longest, 63, "0", 1), SWARM_E_NOT_FOUND, "a service that there is not");
    tell("call", call("swarm.delay", 11, "soon", 4), SWARM_E_INVALID, "no number");
    tell("call", call("swarm.delay", 11, "3600001", 7), SWARM_E_INVALID, "too long a delay");
    tell("call", swarm_wait_call("swarm.delay", 11, "", 0, "60000", 5, 1000000), SWARM_E_TIMEOUT,
         "a result that is too late");
    tell("call", call("swarm.delay", 11, "1", 1), SWARM_OK, "a millisecond");
}

int32_t SWARM_EXPORT(on_start)(void)
{
    at_start[0] = ask("errors/echo", 11, "e", SWARM_FOREVER);
    at_start[1] = swarm_wait_receive(0);
    at_start[2] = swarm_sleep(0);
    at_start[3] = call("swarm.delay", 11, "0", 1);
    return SWARM_DONE;
}

static void try_results(void)
{
    uint32_t end = (uint32_t)__builtin_wasm_memory_size(0) << 16;
    struct swarm_message message;

    tell("result", swarm_result((void *)(__UINTPTR_TYPE__)end, room, 65537), SWARM_E_INVALID,
         "a message at the end");
    tell("result", swarm_result((void *)(__UINTPTR_TYPE__)(end - 71), room, 65537), SWARM_E_INVALID,
         "a message over the end");
    tell("result", swarm_result((void *)(__UINTPTR_TYPE__)0xffffffffu, room, 65537),
         SWARM_E_INVALID, "a message at the largest pointer");
    tell("result", swarm_result(&message, (void *)(__UINTPTR_TYPE__)end, 1), SWARM_E_INVALID,
         "a room at the end");
    tell("result", swarm_result(&message, room, 0xffffffffu), SWARM_E_INVALID,
         "a room of the largest size");
    message.body_size = 77;
    tell("result", swarm_result(&message, room, 11), 12, "a room that is too small");
    tell("result", message.body_size == 77 ? 0 : 1, SWARM_OK, "nothing is written there");
    tell("result", swarm_result(&message, room, sizeof room), 12, "the answer");
    tell("result", message.body_size == 1 && message.from_size == 11 ? 0 : 1, SWARM_OK, "it is");
}

static int32_t try_waits(const struct swarm_message *m)
{
    struct swarm_message message;

    tell("result", swarm_result(&message, room, sizeof room), SWARM_E_NOT_FOUND, "no wait yet");
    tell("ask", at_start[0], SWARM_E_PRECONDITION, "in on_start");
    tell("receive", at_start[1], SWARM_E_PRECONDITION, "in on_start");
    tell("sleep", at_start[2], SWARM_E_PRECONDITION, "in on_start");
    tell("call", at_start[3], SWARM_E_PRECONDITION, "in on_start");
    tell("ask", ask("errors/", 7, "e", 0), SWARM_E_INVALID, "an empty key");
    tell("ask", ask("errors/waits", 12, "e", SWARM_FOREVER), SWARM_E_DEADLOCK, "itself");
    tell("result", swarm_result(&message, room, sizeof room), SWARM_E_NOT_FOUND, "none was taken");
    tell("ask", ask("nobody", 6, "e", SWARM_FOREVER), SWARM_E_UNAVAILABLE, "nobody");
    tell("ask", ask("errors/quiet", 12, "q", 1000000), SWARM_E_TIMEOUT, "who does not answer");
    tell("ask", ask("errors/echo", 11, "e", SWARM_FOREVER), SWARM_OK, "who answers");
    try_results();
    tell("receive", swarm_wait_receive(0), SWARM_E_TIMEOUT, "nothing is there");
    (void)SEND("errors/waits", 12, "", 0, 1, 1);
    tell("receive", swarm_wait_receive(SWARM_FOREVER), SWARM_OK, "what we sent to ourselves");
    tell("sleep", swarm_sleep(1000000), SWARM_OK, "a millisecond");
    try_calls();
    return reply_text(m);
}

/* --- Limits ---------------------------------------------------------------------------------- */

static int32_t try_many_timers(const struct swarm_message *m)
{
    int32_t code = SWARM_OK;

    for (uint32_t i = 0; i < 4096 && code == SWARM_OK; i++)
        code = swarm_timer_start(i, UINT64_MAX);
    tell("timer_start", code, SWARM_OK, "4,096 timers");
    tell("timer_start", swarm_timer_start(4096, 0), SWARM_E_EXHAUSTED, "one more");
    tell("timer_start", swarm_timer_start(5, 1000), SWARM_OK, "one of them again");
    return reply_text(m);
}

static int32_t try_many_subjects(const struct swarm_message *m)
{
    char subject[4] = "aaa";
    int32_t code = SWARM_OK;

    for (uint32_t i = 0; i < 1024 && code == SWARM_OK; i++) {
        subject[0] = (char)('a' + i % 26), subject[1] = (char)('a' + i / 26 % 26),
        subject[2] = (char)('a' + i / 676);
        code = swarm_subscribe(subject, 3);
    }
    tell("subscribe", code, SWARM_OK, "1,024 patterns");
    tell("subscribe", swarm_subscribe("one.more", 8), SWARM_E_EXHAUSTED, "one more");
    tell("subscribe", swarm_subscribe("aaa", 3), SWARM_OK, "one of them again");
    return reply_text(m);
}

static int32_t try_long_log(const struct swarm_message *m)
{
    uint32_t lines = 0;

    while (lines < 20 && swarm_log(SWARM_LOG_DEBUG, large, 16384) == SWARM_OK)
        lines++;
    tell("log", lines > 10 && lines < 17 ? 0 : 1, SWARM_OK, "lines of 16 KiB");
    tell("log", swarm_log(SWARM_LOG_DEBUG, large, 16384), SWARM_E_EXHAUSTED, "one more");
    return reply_text(m);
}

/* A turn has as many effects as it may: whatever would be one more is refused. */
static int32_t try_full_turn(const struct swarm_message *m)
{
    int32_t code = swarm_subscribe("is.there", 8) | swarm_timer_start(1, UINT64_MAX);

    while (code == SWARM_OK)
        code = swarm_timer_start(2, UINT64_MAX);
    tell("timer_start", code, SWARM_E_EXHAUSTED, "in a full turn");
    tell("timer_cancel", swarm_timer_cancel(1), SWARM_E_EXHAUSTED, "in a full turn");
    tell("send", SEND("errors/sink", 11, "", 0, 0, 1), SWARM_E_EXHAUSTED, "in a full turn");
    tell("reply", swarm_reply(m->reply_handle, 0, "", 0, "", 0), SWARM_E_EXHAUSTED,
         "in a full turn");
    tell("publish", PUBLISH("a", 1, "", 0, 0, 1), SWARM_E_EXHAUSTED, "in a full turn");
    tell("subscribe", swarm_subscribe("one.more", 8), SWARM_E_EXHAUSTED, "in a full turn");
    tell("ask", ask("errors/echo", 11, "e", 0), SWARM_E_EXHAUSTED, "in a full turn");
    tell("receive", swarm_wait_receive(0), SWARM_E_EXHAUSTED, "in a full turn");
    tell("sleep", swarm_sleep(0), SWARM_E_EXHAUSTED, "in a full turn");
    tell("call", call("swarm.delay", 11, "0", 1), SWARM_E_EXHAUSTED, "in a full turn");
    tell("unsubscribe", swarm_unsubscribe("is.there", 8), SWARM_E_EXHAUSTED, "in a full turn");
    for (uint32_t at = 0, end; at < used; at = end + 1) {
        for (end = at; text[end] != '\n'; end++)
            continue;
        (void)swarm_log(SWARM_LOG_INFO, text + at, end - at);
    }
    return SWARM_E_EXHAUSTED; /* It cannot even reply. */
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    used = 0;
    for (uint32_t i = 0; i < sizeof longest; i++)
        longest[i] = 'a';
    if (m->reply_handle == 0 || m->body_size == 0)
        return SWARM_DONE; /* The sink. */
    switch (m->body[0]) {
    case 'p':
        try_pointers();
        return reply_text(m);
    case 'a':
        return try_arguments(m);
    case 't':
        return try_many_timers(m);
    case 's':
        return try_many_subjects(m);
    case 'l':
        return try_long_log(m);
    case 'f':
        return try_full_turn(m);
    case 'w':
        return try_waits(m);
    case 'e':
        return swarm_reply(m->reply_handle, 0, "", 0, m->body, 1);
    case 'q':
        return SWARM_DONE;
    default:
        return SWARM_E_INVALID;
    }
}
