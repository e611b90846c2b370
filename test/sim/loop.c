#include "test/sim/loop.h"

#include "pkg/utils/base/list.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define STACK_BYTES ((size_t)2 << 20)

void sim_loop_init(struct sim_loop *loop)
{
    memset(loop, 0, sizeof *loop);
    sw_heap_init(&loop->heap);
}

void sim_loop_done(struct sim_loop *loop)
{
    sw_heap_done(&loop->heap);
}

void sim_event_init(struct sim_event *event, void (*run)(void *ctx), void *ctx)
{
    event->entry.at = SW_HEAP_ABSENT;
    event->run = run;
    event->ctx = ctx;
}

void sim_event_at(struct sim_loop *loop, struct sim_event *event, uint64_t at_ns)
{
    if (at_ns < loop->now_ns)
        at_ns = loop->now_ns;
    if (sw_heap_put(&loop->heap, &event->entry, at_ns) != SW_OK)
        abort();
}

void sim_event_by(struct sim_loop *loop, struct sim_event *event, uint64_t at_ns)
{
    if (event->entry.at == SW_HEAP_ABSENT || event->entry.rank > at_ns)
        sim_event_at(loop, event, at_ns);
}

void sim_event_stop(struct sim_loop *loop, struct sim_event *event)
{
    sw_heap_remove(&loop->heap, &event->entry);
}

bool sim_loop_run(struct sim_loop *loop, uint64_t until_ns, uint64_t steps_max)
{
    struct sw_heap_entry *first;

    while ((first = sw_heap_first(&loop->heap)) != NULL && first->rank <= until_ns) {
        struct sim_event *event = SW_LIST_ITEM(first, struct sim_event, entry);

        if (loop->steps >= steps_max)
            return false;
        loop->steps++;
        loop->now_ns = first->rank;
        sw_heap_remove(&loop->heap, first);
        event->run(event->ctx);
    }
    if (loop->now_ns < until_ns)
        loop->now_ns = until_ns;
    return true;
}

/* --- Coroutines ------------------------------------------------------------------------------ */

struct sim_coroutine {
    ucontext_t inside, outside;
    void (*run)(void *ctx);
    void *ctx;
    void *stack;
    bool has_begun, has_ended;
};

static struct sim_coroutine *starting; /* makecontext passes numbers only. */

static void enter(void)
{
    struct sim_coroutine *coroutine = starting;

    coroutine->run(coroutine->ctx);
    coroutine->has_ended = true;
    (void)swapcontext(&coroutine->inside, &coroutine->outside);
    abort();
}

struct sim_coroutine *sim_coroutine_new(void (*run)(void *ctx), void *ctx)
{
    struct sim_coroutine *coroutine = calloc(1, sizeof *coroutine);

    assert(coroutine != NULL);
    coroutine->run = run;
    coroutine->ctx = ctx;
    coroutine->stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    assert(coroutine->stack != MAP_FAILED);
    if (getcontext(&coroutine->inside) != 0)
        abort();
    coroutine->inside.uc_stack.ss_sp = coroutine->stack;
    coroutine->inside.uc_stack.ss_size = STACK_BYTES;
    coroutine->inside.uc_link = NULL;
    makecontext(&coroutine->inside, enter, 0);
    return coroutine;
}

void sim_coroutine_free(struct sim_coroutine *coroutine)
{
    if (coroutine == NULL)
        return;
    assert(!coroutine->has_begun || coroutine->has_ended);
    (void)munmap(coroutine->stack, STACK_BYTES);
    free(coroutine);
}

bool sim_coroutine_resume(struct sim_coroutine *coroutine)
{
    assert(!coroutine->has_ended);
    starting = coroutine;
    coroutine->has_begun = true;
    if (swapcontext(&coroutine->outside, &coroutine->inside) != 0)
        abort();
    return !coroutine->has_ended;
}

void sim_coroutine_suspend(struct sim_coroutine *coroutine)
{
    if (swapcontext(&coroutine->inside, &coroutine->outside) != 0)
        abort();
}
