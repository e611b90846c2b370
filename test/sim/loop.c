#include "test/sim/loop.h"

#include "pkg/utils/base/list.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define STACK_BYTES ((size_t)2 << 20)

static void wait(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0)
        continue;
}

static bool has_next(struct sim_loop *loop)
{
    const struct sw_heap_entry *first = sw_heap_first(&loop->heap);

    return first != NULL && first->rank <= loop->until_ns && loop->steps < loop->steps_max;
}

static void step(struct sim_loop *loop)
{
    struct sw_heap_entry *first = sw_heap_first(&loop->heap);
    struct sim_event *event = SW_LIST_ITEM(first, struct sim_event, entry);

    loop->steps++;
    if (first->rank > loop->now_ns)
        loop->now_ns = first->rank;
    sw_heap_remove(&loop->heap, first);
    event->run(event->ctx);
}

/* Of a strand: until what it ran was set aside and came to its end later, or all is over. */
static void run_strand(void *ctx)
{
    struct sim_loop *loop = ctx;

    if (loop->is_running)
        loop->aside(loop->ctx);
    while (!sw_strands_is_replaced(loop->strands)) {
        if (loop->is_running && has_next(loop)) {
            step(loop);
            continue;
        }
        loop->is_running = false;
        (void)sem_post(&loop->rested);
        wait(&loop->go);
        if (loop->is_over)
            return;
        loop->is_running = loop->call == NULL;
        if (loop->call != NULL)
            loop->call(loop->call_ctx);
        loop->call = NULL;
    }
}

/* Have the strands do what they are to. */
static void let_run(struct sim_loop *loop)
{
    (void)sem_post(&loop->go);
    wait(&loop->rested);
}

void sim_loop_init(struct sim_loop *loop)
{
    struct sw_err err = {0};

    memset(loop, 0, sizeof *loop);
    sw_heap_init(&loop->heap);
    loop->strands = sw_strands_new(run_strand, loop, SIM_STRANDS_MAX);
    if (loop->strands == NULL || sem_init(&loop->go, 0, 0) != 0 ||
        sem_init(&loop->rested, 0, 0) != 0 || sw_strands_start(loop->strands, &err) != SW_OK)
        abort();
    wait(&loop->rested);
}

void sim_loop_done(struct sim_loop *loop)
{
    loop->is_over = true;
    (void)sem_post(&loop->go);
    if (!sw_strands_join(loop->strands))
        abort();
    sw_strands_free(loop->strands);
    (void)sem_destroy(&loop->go);
    (void)sem_destroy(&loop->rested);
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
    loop->until_ns = until_ns;
    loop->steps_max = steps_max;
    let_run(loop);
    if (loop->steps >= steps_max)
        return false;
    if (loop->now_ns < until_ns)
        loop->now_ns = until_ns;
    return true;
}

void sim_loop_call(struct sim_loop *loop, void (*call)(void *ctx), void *ctx)
{
    loop->call = call;
    loop->call_ctx = ctx;
    let_run(loop);
}

void sim_loop_spend(struct sim_loop *loop, uint64_t ns)
{
    loop->now_ns += ns;
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
