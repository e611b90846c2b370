/* A Pod runner in memory: notes what it is asked for and answers from a timer, as an agent host
 * would some time later. */
#pragma once
#include "pkg/agent/pod/runner.h"
#include "test/unit/controller/fixture.h"

#define RUNNER_PODS_MAX 64

struct fake_pod {
    char uid[40], name[64];
    uint64_t generation, replicas, slots, opens;
    bool is_open, is_closed, was_discarded;
};

struct fake_runner {
    struct sw_pod_runner runner;
    struct sw_pod_observer observer;
    struct fake_pod pods[RUNNER_PODS_MAX];
    size_t count;
    struct sw_timer *timer;
    int fail_opens;     /* So many opens end in FAILED. */
    enum sw_rc open_rc; /* What open returns. */
    bool is_silent;     /* It reports nothing. */
    bool is_holding;    /* Closes are not finished. */
};

static inline struct fake_pod *fake_pod_find(struct fake_runner *fake, const char *uid)
{
    for (size_t i = 0; i < fake->count; i++)
        if (strcmp(fake->pods[i].uid, uid) == 0)
            return &fake->pods[i];
    assert_true(fake->count < RUNNER_PODS_MAX);
    struct fake_pod *pod = &fake->pods[fake->count++];
    snprintf(pod->uid, sizeof(pod->uid), "%s", uid);
    return pod;
}

static inline void fake_wake(struct fake_runner *fake)
{
    sw_timer_start(fake->timer, 0);
}

static inline void fake_observe(void *ctx, const struct sw_pod_observer *observer)
{
    ((struct fake_runner *)ctx)->observer = *observer;
}

static inline void fake_take(struct fake_pod *pod, const struct sw_pod_spec *spec)
{
    pod->generation = spec->generation;
    pod->replicas = spec->replicas;
    pod->slots = 0;
    for (int i = 0; i < SW_POD_SLOTS; i++)
        pod->slots += spec->slots[i / 64] >> (i % 64) & 1;
    snprintf(pod->name, sizeof(pod->name), "%s", spec->name);
    assert_string_equal(spec->runtime, "wasm");
    assert_true(spec->limits.memory_bytes_max > 0 && spec->limits.turn_cpu_ms_max > 0);
}

static inline enum sw_rc fake_open(void *ctx, const struct sw_pod_spec *spec, struct sw_err *err)
{
    struct fake_runner *fake = ctx;
    struct fake_pod *pod = fake_pod_find(fake, spec->uid);

    if (fake->open_rc != SW_OK)
        return sw_err_set(err, fake->open_rc, "the runner says no");
    fake_take(pod, spec);
    pod->opens++;
    pod->is_open = true;
    fake_wake(fake);
    return SW_OK;
}

static inline enum sw_rc fake_update(void *ctx, const struct sw_pod_spec *spec, struct sw_err *err)
{
    struct fake_pod *pod = fake_pod_find(ctx, spec->uid);

    (void)err;
    assert_true(pod->is_open);
    fake_take(pod, spec);
    fake_wake(ctx);
    return SW_OK;
}

static inline void fake_close(void *ctx, const char *uid, bool discard)
{
    struct fake_pod *pod = fake_pod_find(ctx, uid);

    pod->is_open = false;
    pod->is_closed = true;
    pod->was_discarded = discard;
    fake_wake(ctx);
}

static inline void fake_report(struct fake_runner *fake, const struct fake_pod *pod)
{
    struct sw_pod_report report = {.uid = pod->uid,
                                   .observed_generation = pod->generation,
                                   .phase = SW_POD_RUNNING,
                                   .instances = pod->replicas,
                                   .ready = pod->replicas,
                                   .reason = "",
                                   .message = ""};

    if (fake->fail_opens > 0) {
        fake->fail_opens--;
        report.phase = SW_POD_FAILED;
        report.reason = "ModuleNotFound";
        report.message = "no such module";
    }
    fake->observer.on_status(fake->observer.ctx, &report);
}

static inline void fake_on_timer(void *ctx)
{
    struct fake_runner *fake = ctx;

    for (size_t i = 0; i < fake->count; i++) {
        struct fake_pod *pod = &fake->pods[i];
        if (pod->is_open && !fake->is_silent)
            fake_report(fake, pod);
        if (pod->is_closed && !fake->is_holding) {
            pod->is_closed = false;
            fake->observer.on_closed(fake->observer.ctx, pod->uid);
        }
    }
}

static inline void fake_init(struct fake_runner *fake, struct sw_loop *loop)
{
    *fake = (struct fake_runner){.runner = {.ctx = fake,
                                            .observe = fake_observe,
                                            .open = fake_open,
                                            .update = fake_update,
                                            .close = fake_close}};
    fake->timer = sw_timer_new(loop, fake_on_timer, fake);
}
