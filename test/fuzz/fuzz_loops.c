/* What agents and models say, as it is made into steps, and steps of instances. A line is an
 * instance, a protocol, and a body; the digests of it are its step. A step that is like no other
 * one of its instance is never part of a repeat. */
/* uses: pkg/broker/loops */
/* covers: pkg/broker/loops/loops.c pkg/broker/loops/read.c */
#include "pkg/broker/loops/loops.h"
#include "pkg/broker/loops/read.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INSTANCES 3u

struct run {
    struct sw_loops *loops;
    struct sw_loops_reader reader;
    uint64_t call, now_ms, fresh;
};

static void check(const struct sw_loop *loop)
{
    if (loop->kind == SW_LOOP_NONE || loop->calls_count > SW_LOOPS_CALLS_TOLD ||
        loop->repeats < SW_LOOPS_REPEATS_LEAST || loop->period > SW_LOOPS_PERIOD_MAX ||
        strlen(sw_loop_kind_name(loop->kind)) < 2 ||
        (loop->kind == SW_LOOP_PING_PONG) != (loop->other[0] != '\0'))
        abort();
}

static void take_line(struct run *run, const char *line, size_t size)
{
    static const char *const names[] = {"s/a/1", "s/b/2", "t/a/1", "s/c/3"};
    enum sw_wire_protocol protocol = (enum sw_wire_protocol)((uint8_t)line[1] % SW_WIRE_PROTOCOLS);
    struct sw_bytes who = {names[(uint8_t)line[0] % 4], 5}, body = {line + 3, size - 3};
    struct sw_loops_step step = {.call = ++run->call,
                                 .now_ms = run->now_ms += (uint8_t)line[2],
                                 .is_failed = line[2] == '!'};
    struct sw_loop loop = {.kind = SW_LOOP_NONE};

    step.state = sw_loops_state(&run->reader, protocol, body);
    step.action = sw_loops_action(&run->reader, protocol, body, &step.tokens);
    if (line[2] == 'd')
        step.action = sw_loops_document(&run->reader, body);
    if (line[2] == 'f')
        sw_loops_forget(run->loops, who);
    if (line[2] == 'n')
        step.state = ++run->fresh;
    if (!sw_loops_add(run->loops, who, &step, SW_LOOPS_REPEATS_LEAST, &loop))
        return;
    check(&loop);
    if (line[2] == 'n' && loop.kind != SW_LOOP_GROWTH)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[16] = "a key to fuzz by";
    const char *text = (const char *)data;
    struct run run = {.loops = sw_loops_new(1, INSTANCES)};

    if (run.loops == NULL)
        abort();
    sw_loops_reader_init(&run.reader, key);
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t length = end == NULL ? size - at : (size_t)(end - text) - at;

        if (length > 3)
            take_line(&run, text + at, length);
        at += length + 1;
    }
    if (sw_loops_count(run.loops) > INSTANCES)
        abort();
    sw_loops_reader_done(&run.reader);
    sw_loops_free(run.loops);
    return 0;
}
