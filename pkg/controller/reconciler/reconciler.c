#include "pkg/controller/reconciler/reconciler.h"

#include "pkg/utils/base/list.h"

#include <stdlib.h>
#include <string.h>

#define CONFLICT_RETRY_MS 1
#define NS_PER_MS 1000000u

struct sw_reconciler {
    struct sw_reconciler_options options;
    struct sw_queue *queue;
    struct sw_timer *timer;
    struct sw_list passes; /* Of struct pass. */
    size_t passes_count;
};

struct pass {
    struct sw_pass view; /* What reconcile sees. */
    struct sw_list node;
    struct sw_reconciler *reconciler; /* NULL after it was freed. */
    char key[SW_QUEUE_KEY_MAX];
};

static uint64_t now_ms(const struct sw_reconciler *reconciler)
{
    const struct sw_system *system = reconciler->options.system;

    return system->monotonic_ns(system->ctx) / NS_PER_MS;
}

/* From when on a wait of whole milliseconds counts: the next one, or it would end up to one of them
 * too early. What is not to wait counts from now. */
static uint64_t begin_ms(const struct sw_reconciler *reconciler, bool waits)
{
    const struct sw_system *system = reconciler->options.system;

    return (system->monotonic_ns(system->ctx) + (waits ? NS_PER_MS - 1 : 0)) / NS_PER_MS;
}

/* Wake for the next name that is due. While as many passes run as may, their ends wake it. */
static void timer_arm(struct sw_reconciler *reconciler)
{
    uint64_t due_ms, now = now_ms(reconciler);

    if (reconciler->passes_count < SW_RECONCILER_PASSES_MAX &&
        sw_queue_due(reconciler->queue, &due_ms))
        sw_timer_start(reconciler->timer, due_ms > now ? due_ms - now : 0);
    else
        sw_timer_stop(reconciler->timer);
}

static void pass_free(struct pass *pass)
{
    sw_list_remove(&pass->node);
    sw_arena_free(pass->view.arena);
    free(pass);
}

/* The end of every pass: back into the queue or out of it. */
static void pass_end(struct pass *pass, enum sw_rc rc, const struct sw_err *err)
{
    struct sw_reconciler *reconciler = pass->reconciler;
    uint64_t again_ms = pass->view.again_ms;

    if (reconciler == NULL) {
        pass_free(pass);
        return;
    }
    if (rc == SW_OK && reconciler->options.committed != NULL)
        reconciler->options.committed(reconciler->options.ctx, &pass->view);
    if (rc == SW_E_CONFLICT) {
        /* Somebody was quicker: that is daily life, not a failure. */
        again_ms = CONFLICT_RETRY_MS;
        rc = SW_OK;
    } else if (rc != SW_OK) {
        sw_log(reconciler->options.logger, SW_LOG_WARN, reconciler->options.name,
               "%s: %s; trying again", pass->key, err->message);
    }
    sw_queue_done(reconciler->queue, pass->key, begin_ms(reconciler, rc != SW_OK), rc != SW_OK);
    if (again_ms != 0 && rc == SW_OK)
        sw_reconciler_add(reconciler, pass->key, again_ms);
    reconciler->passes_count--;
    pass_free(pass);
    timer_arm(reconciler);
}

/* What the plan was made from is gone: as good as changed. That a name is taken is another matter:
 * it will be taken the next time too. */
static void on_committed(void *ctx, enum sw_rc rc, const struct sw_err *err)
{
    pass_end(ctx, rc == SW_E_NOT_FOUND ? SW_E_CONFLICT : rc, err);
}

static struct pass *pass_new(struct sw_reconciler *reconciler, const char *key)
{
    struct pass *pass = calloc(1, sizeof *pass);
    struct sw_plan_options plan = {0};

    if (pass == NULL)
        return NULL;
    sw_list_init(&pass->node);
    pass->view.arena = sw_arena_new(SW_RECONCILER_ARENA_MAX);
    if (pass->view.arena == NULL) {
        pass_free(pass);
        return NULL;
    }
    plan.arena = pass->view.arena;
    pass->view.plan = sw_plan_new(reconciler->options.objects, &plan);
    if (pass->view.plan == NULL) {
        pass_free(pass);
        return NULL;
    }
    (void)strcpy(pass->key, key);
    pass->view.key = pass->key;
    pass->reconciler = reconciler;
    sw_list_add(&reconciler->passes, &pass->node);
    reconciler->passes_count++;
    return pass;
}

static void pass_run(struct sw_reconciler *reconciler, const char *key)
{
    struct pass *pass = pass_new(reconciler, key);
    struct sw_err err = {0};
    enum sw_rc rc;

    if (pass == NULL) {
        sw_queue_done(reconciler->queue, key, begin_ms(reconciler, true), true);
        return;
    }
    rc = reconciler->options.reconcile(reconciler->options.ctx, &pass->view, &err);
    if (rc == SW_OK && !sw_plan_is_empty(pass->view.plan)) {
        rc = sw_plan_commit(pass->view.plan, false, on_committed, pass, &err);
        if (rc == SW_OK)
            return; /* on_committed ends it. */
    }
    pass_end(pass, rc, &err);
}

static void on_timer(void *ctx)
{
    struct sw_reconciler *reconciler = ctx;
    char key[SW_QUEUE_KEY_MAX];
    /* A pass that ends at once may be due again at once; one round takes each name at most once. */
    size_t round = sw_queue_count(reconciler->queue);

    while (round-- > 0 && reconciler->passes_count < SW_RECONCILER_PASSES_MAX &&
           sw_queue_take(reconciler->queue, now_ms(reconciler), key))
        pass_run(reconciler, key);
    timer_arm(reconciler);
}

enum sw_rc sw_reconciler_new(const struct sw_reconciler_options *options,
                             struct sw_reconciler **ret_reconciler, struct sw_err *err)
{
    SW_CLEANUP(sw_reconciler_freep) struct sw_reconciler *made = calloc(1, sizeof *made);

    if (made == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for controller %s", options->name);
    made->options = *options;
    sw_list_init(&made->passes);
    made->queue = sw_queue_new(options->queue);
    made->timer = sw_timer_new(options->loop, on_timer, made);
    if (made->queue == NULL || made->timer == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for controller %s", options->name);
    *ret_reconciler = SW_TAKE(made);
    return SW_OK;
}

void sw_reconciler_free(struct sw_reconciler *reconciler)
{
    if (reconciler == NULL)
        return;
    SW_LIST_EACH(&reconciler->passes, node)
    {
        struct pass *pass = SW_LIST_ITEM(node, struct pass, node);

        sw_list_remove(node);
        pass->reconciler = NULL;
    }
    if (reconciler->timer != NULL)
        sw_timer_free(reconciler->timer);
    sw_queue_free(reconciler->queue);
    free(reconciler);
}

void sw_reconciler_add(struct sw_reconciler *reconciler, const char *key, uint64_t delay_ms)
{
    if (sw_queue_add(reconciler->queue, key, begin_ms(reconciler, delay_ms > 0), delay_ms) != SW_OK)
        sw_log(reconciler->options.logger, SW_LOG_ERROR, reconciler->options.name,
               "no room to look at %s; its next change will", key);
    timer_arm(reconciler);
}

bool sw_reconciler_is_idle(const struct sw_reconciler *reconciler)
{
    return sw_queue_count(reconciler->queue) == 0;
}
