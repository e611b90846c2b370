#include "pkg/utils/strands/strands.h"

#include <assert.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

struct sw_strand {
    struct sw_strands *strands;
    pthread_t thread;
    bool is_adopted;
    sem_t go; /* It is the one that runs. */
    struct sw_strand *next_idle, *next;
};

/* Touched by the strand that runs, and by others before the start and after `over`. */
struct sw_strands {
    void (*run)(void *ctx);
    void *ctx;
    uint32_t count, count_max;
    struct sw_strand *self, *loop; /* Who runs; whose loop counts. */
    struct sw_strand *idle, *all;
    bool is_over;
    sem_t over;
    bool is_started; /* Of the owner's thread: there is a loop to wait for. */
};

static void wait(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0)
        continue;
}

static void go(struct sw_strands *strands, struct sw_strand *to)
{
    strands->self = to;
    (void)sem_post(&to->go);
}

/* The thread of a strand that ran the loop: it is idle, or all is over. */
static void *strand_main(void *ctx)
{
    struct sw_strand *strand = ctx;
    struct sw_strands *strands = strand->strands;

    wait(&strand->go);
    while (!strands->is_over) {
        strands->run(strands->ctx);
        if (strands->loop == strand) {
            strands->is_over = true;
            (void)sem_post(&strands->over);
            break;
        }
        strand->next_idle = strands->idle;
        strands->idle = strand;
        go(strands, strands->loop);
        wait(&strand->go);
    }
    return NULL;
}

static struct sw_strand *add(struct sw_strands *strands, bool is_adopted)
{
    struct sw_strand *strand;

    if (strands->count == strands->count_max)
        return NULL;
    strand = calloc(1, sizeof *strand);
    if (strand == NULL)
        return NULL;
    strand->strands = strands;
    strand->is_adopted = is_adopted;
    if (sem_init(&strand->go, 0, 0) != 0 ||
        (!is_adopted && pthread_create(&strand->thread, NULL, strand_main, strand) != 0)) {
        free(strand);
        return NULL;
    }
    strand->next = strands->all;
    strands->all = strand;
    strands->count++;
    return strand;
}

struct sw_strands *sw_strands_new(void (*run)(void *ctx), void *ctx, uint32_t count_max)
{
    struct sw_strands *strands = calloc(1, sizeof *strands);

    if (strands == NULL || sem_init(&strands->over, 0, 0) != 0) {
        free(strands);
        return NULL;
    }
    strands->run = run;
    strands->ctx = ctx;
    strands->count_max = count_max;
    return strands;
}

void sw_strands_free(struct sw_strands *strands)
{
    if (strands == NULL)
        return;
    while (strands->all != NULL) {
        struct sw_strand *strand = strands->all;

        strands->all = strand->next;
        (void)sem_destroy(&strand->go);
        free(strand);
    }
    (void)sem_destroy(&strands->over);
    free(strands);
}

enum sw_rc sw_strands_start(struct sw_strands *strands, struct sw_err *err)
{
    struct sw_strand *first = add(strands, false);

    if (first == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no thread");
    strands->loop = first;
    strands->is_started = true;
    go(strands, first);
    return SW_OK;
}

void sw_strands_adopt(struct sw_strands *strands)
{
    strands->self = strands->loop = add(strands, true);
    assert(strands->loop != NULL);
}

static void join(const struct sw_strand *strand)
{
    if (!strand->is_adopted)
        (void)pthread_join(strand->thread, NULL);
}

bool sw_strands_join(struct sw_strands *strands)
{
    uint32_t joined = 0;

    if (strands->is_started)
        wait(&strands->over);
    else if (strands->loop == NULL)
        return true;
    strands->is_over = true;
    join(strands->loop);
    joined++;
    for (struct sw_strand *idle = strands->idle; idle != NULL; idle = idle->next_idle) {
        (void)sem_post(&idle->go);
        join(idle);
        joined++;
    }
    return joined == strands->count;
}

struct sw_strand *sw_strands_self(const struct sw_strands *strands)
{
    return strands->self;
}

static void change_to(struct sw_strands *strands, struct sw_strand *to)
{
    struct sw_strand *self = strands->self;

    go(strands, to);
    wait(&self->go);
}

bool sw_strands_leave(struct sw_strands *strands)
{
    struct sw_strand *other = strands->idle;

    if (other != NULL)
        strands->idle = other->next_idle;
    else
        other = add(strands, false);
    if (other == NULL)
        return false;
    strands->loop = other;
    change_to(strands, other);
    return true;
}

void sw_strands_resume(struct sw_strands *strands, struct sw_strand *strand)
{
    assert(strands->self == strands->loop && strand != strands->loop);
    change_to(strands, strand);
}

void sw_strands_yield(struct sw_strands *strands)
{
    assert(strands->self != strands->loop);
    change_to(strands, strands->loop);
}

bool sw_strands_is_replaced(const struct sw_strands *strands)
{
    return strands->self != strands->loop;
}

void sw_strands_reclaim(struct sw_strands *strands)
{
    struct sw_strand *other = strands->loop;

    assert(strands->self != other);
    strands->loop = strands->self;
    change_to(strands, other);
}
