/* waits */
/* Calls what a message says, with the arguments that it says: the message is a list of calls, each
 * a number and its arguments. test/fuzz/fuzz_calls.c makes the messages. */
#include <swarm/bundle.h>
#include <swarm/wait.h>

#include "wasi.h"

static uint8_t room[16384];
static const struct swarm_message *given;
static uint32_t at;
static uint64_t sum;
static struct vector vectors[4];

void *SWARM_EXPORT(swarm_alloc)(uint32_t size)
{
    return size <= sizeof room - 8 ? (void *)(((uint32_t)(__UINTPTR_TYPE__)room + 7) & ~7u) : 0;
}

static uint64_t take(uint32_t size)
{
    uint64_t value = 0;

    for (uint32_t i = 0; i < size && at < given->body_size; i++)
        value |= (uint64_t)given->body[at++] << (8 * i);
    return value;
}

/* A 32-bit argument: as it stands, near the end of the memory, in the message, the vectors, or
 * small. */
static uint32_t word(void)
{
    uint8_t how = (uint8_t)take(1);
    uint32_t end = (uint32_t)__builtin_wasm_memory_size(0) << 16;

    switch (how & 7) {
    case 0:
        return (uint32_t)take(4);
    case 1:
        return end - (uint32_t)take(1);
    case 2:
        return (uint32_t)(__UINTPTR_TYPE__)given->body + (uint32_t)take(2);
    case 3:
        return (uint32_t)take(2);
    case 4:
        return 0 - (uint32_t)take(1);
    case 6:
        return (uint32_t)(__UINTPTR_TYPE__)vectors;
    default:
        return how >> 3; /* A small number in one byte. */
    }
}

#define I ((int32_t)word())
#define U word()
#define P ((void *)(__UINTPTR_TYPE__)word())
#define L take(8)

static uint64_t call_swarm(uint8_t number)
{
    switch (number) {
    case 0:
        return (uint64_t)swarm_send(P, U, P, U, P, U, I, L);
    case 1:
        return (uint64_t)swarm_reply(word() % 3 == 0 ? given->reply_handle : L, I, P, U, P, U);
    case 2:
        return (uint64_t)swarm_publish(P, U, P, U, P, U, I);
    case 3:
        return (uint64_t)swarm_subscribe(P, U);
    case 4:
        return (uint64_t)swarm_unsubscribe(P, U);
    case 5:
        return (uint64_t)swarm_timer_start(L, L);
    case 6:
        return (uint64_t)swarm_timer_cancel(L);
    case 7:
        return (uint64_t)swarm_log(I, P, U);
    case 8:
        return swarm_now();
    case 9:
        return (uint64_t)swarm_random(P, U);
    case 10:
        return (uint64_t)swarm_self(I, P, U);
    case 12:
        return (uint64_t)swarm_bundle(U, P, U);
    default:
        return (uint64_t)swarm_result(P, P, U);
    }
}

static int32_t call_wait(uint8_t number)
{
    switch (number) {
    case 0:
        return swarm_wait_ask(P, U, P, U, P, U, I, L);
    case 1:
        return swarm_wait_receive(L);
    case 3:
        return swarm_wait_call(P, U, P, U, P, U, L);
    default:
        return swarm_sleep(L);
    }
}

static int32_t call_wasi(uint8_t number)
{
    switch (number) {
    case 0:
        return args_get(P, P);
    case 1:
        return args_sizes_get(P, P);
    case 2:
        return environ_get(P, P);
    case 3:
        return environ_sizes_get(P, P);
    case 4:
        return clock_res_get(I, P);
    case 5:
        return clock_time_get(I, (int64_t)L, P);
    case 6:
        return random_get(P, U);
    case 7:
        return sched_yield();
    case 8:
        return fd_close(I);
    case 9:
        return fd_fdstat_get(I, P);
    case 10:
        return fd_prestat_get(I, P) + fd_prestat_dir_name(I, P, U);
    case 11:
        return fd_read(I, P, U, P);
    case 12:
        return fd_seek(I, (int64_t)L, I, P) + fd_tell(I, P);
    case 13:
        return fd_write(I, P, U, P);
    case 14:
        return poll_oneoff(P, P, U, P);
    case 15:
        proc_exit(I);
        return 0;
    default:
        return path_open(I, I, P, U, I, (int64_t)L, (int64_t)L, I, P);
    }
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *message)
{
    given = message;
    at = 0;
    while (at < given->body_size) {
        uint8_t number = (uint8_t)take(1);
        if (number < 0x40)
            sum = sum * 31 + call_swarm(number == 0x3f ? 12 : number % 12);
        else if (number < 0x80)
            sum = sum * 31 + (uint32_t)call_wasi(number % 17);
        else if (number < 0x90)
            sum += __builtin_wasm_memory_grow(0, 1) == (__SIZE_TYPE__)-1;
        else if (number < 0xa0)
            sum = sum * 31 + (uint32_t)call_wait(number % 4);
        else if (number < 0xa4)
            vectors[number % 4] = (struct vector){P, U};
    }
    return SWARM_DONE;
}
