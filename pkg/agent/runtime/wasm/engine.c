#include "pkg/agent/runtime/wasm/wasm.h"
#include "pkg/agent/runtime/wasm/running.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ADDRESS_BYTES ((uint64_t)4 << 40)
#define HOT_SLOTS_MAX 1024u
#define TICK_NS 1000000
#define IDLE_TICKS_MAX 100
#define PARKED_NS 250000000
#define NS_PER_S 1000000000

/* --- The ticker -------------------------------------------------------------------------------
 *
 * Epochs advance once a millisecond, but only while guests run: an idle host must not wake a
 * thousand times a second. After a tenth of a second in which no sample found a guest the ticker
 * parks itself; the next entry wakes it. Entering and parking can just miss each other (neither
 * side pays for a fence), so a parked ticker looks again four times a second. */

static bool is_any_running(struct sw_wasm_engine *engine)
{
    for (size_t i = 0; i < SW_WASM_WORKERS_MAX; i++)
        if (atomic_load_explicit(&engine->seats[i].is_running, memory_order_relaxed))
            return true;
    return false;
}

static void park(struct sw_wasm_engine *engine)
{
    struct timespec until;

    atomic_store(&engine->is_parked, true);
    while (!atomic_load(&engine->is_stopping) && atomic_load(&engine->is_parked) &&
           !is_any_running(engine)) {
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += PARKED_NS;
        until.tv_sec += until.tv_nsec / NS_PER_S;
        until.tv_nsec %= NS_PER_S;
        (void)sem_clockwait(&engine->wake, CLOCK_MONOTONIC, &until);
    }
    atomic_store(&engine->is_parked, false);
}

void sw_wasm_advance(struct sw_wasm_engine *engine)
{
    for (unsigned i = 0; i < SW_ABI_CLASSES; i++)
        wasmtime_engine_increment_epoch(engine->classes[i].engine);
}

static void *tick(void *ctx)
{
    struct sw_wasm_engine *engine = ctx;
    unsigned idle = 0;

    while (!atomic_load(&engine->is_stopping)) {
        struct timespec pause = {.tv_nsec = TICK_NS};
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
        sw_wasm_advance(engine);
        idle = is_any_running(engine) ? 0 : idle + 1;
        if (idle < IDLE_TICKS_MAX)
            continue;
        park(engine);
        idle = 0;
    }
    return NULL;
}

void sw_wasm_wake_ticker(struct sw_wasm_engine *engine)
{
    if (atomic_exchange(&engine->is_parked, false))
        (void)sem_post(&engine->wake);
}

/* Signals of the process are for its main thread. */
static enum sw_rc start_ticker(struct sw_wasm_engine *engine, struct sw_err *err)
{
    sigset_t all, before;
    int number;

    if (sem_init(&engine->wake, 0, 0) != 0)
        return sw_err_errno(err, errno, "semaphore of the epoch ticker");
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    number = pthread_create(&engine->ticker, NULL, tick, engine);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (number != 0) {
        (void)sem_destroy(&engine->wake);
        return sw_err_set(err, SW_E_EXHAUSTED, "no thread for the epoch ticker");
    }
    engine->is_ticking = true;
    return SW_OK;
}

static void stop_ticker(struct sw_wasm_engine *engine)
{
    if (!engine->is_ticking)
        return;
    atomic_store(&engine->is_stopping, true);
    (void)sem_post(&engine->wake);
    (void)pthread_join(engine->ticker, NULL);
    (void)sem_destroy(&engine->wake);
}

/* --- Engine ---------------------------------------------------------------------------------- */

static enum sw_rc open_class(struct sw_wasm_engine *engine, enum sw_abi_class class,
                             struct sw_err *err)
{
    struct sw_wasm_class *of = &engine->classes[class];
    struct wasm_config_t *config = sw_wasm_config(class, engine->fuel_per_ms > 0, err);
    enum sw_rc rc;

    if (config == NULL)
        return SW_E_UNSUPPORTED;
    of->engine = wasm_engine_new_with_config(config);
    of->is_fueled = sw_abi_class_counts_fuel(class);
    of->is_counting = of->is_fueled || engine->fuel_per_ms > 0;
    if (of->engine == NULL)
        return sw_err_set(err, SW_E_UNSUPPORTED, "Wasmtime refuses the engine's settings");
    of->linker = wasmtime_linker_new(of->engine);
    if (of->linker == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the imports");
    rc = sw_wasm_calls_define(engine, of->linker, err);
    return rc == SW_OK ? sw_wasm_wasi_define(engine, of->linker, err) : rc;
}

static void close_class(struct sw_wasm_class *of)
{
    if (of->linker != NULL)
        wasmtime_linker_delete(of->linker);
    if (of->engine != NULL)
        wasm_engine_delete(of->engine);
}

enum sw_rc sw_wasm_engine_new(const struct sw_wasm_engine_options *options,
                              struct sw_wasm_engine **ret_engine, struct sw_err *err)
{
    SW_CLEANUP(sw_wasm_engine_freep) struct sw_wasm_engine *engine = NULL;
    enum sw_rc rc;

    assert(options->calls != NULL);
    engine = aligned_alloc(_Alignof(struct sw_wasm_engine), sizeof *engine);
    if (engine == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the engine");
    memset(engine, 0, sizeof *engine);
    engine->calls = options->calls;
    engine->fuel_per_ms = options->fuel_per_ms;
    engine->guarded_max = options->guarded_max;
    engine->hot_slots_max = options->hot_slots_max == 0 ? HOT_SLOTS_MAX : options->hot_slots_max;
    rc = sw_wasm_arena_open(
        &engine->arena, options->address_bytes == 0 ? ADDRESS_BYTES : options->address_bytes, err);
    for (unsigned i = 0; rc == SW_OK && i < SW_ABI_CLASSES; i++)
        rc = open_class(engine, (enum sw_abi_class)i, err);
    if (rc == SW_OK && engine->fuel_per_ms == 0)
        rc = start_ticker(engine, err);
    if (rc != SW_OK)
        return rc;
    *ret_engine = SW_TAKE(engine);
    return SW_OK;
}

void sw_wasm_engine_free(struct sw_wasm_engine *engine)
{
    if (engine == NULL)
        return;
    stop_ticker(engine);
    for (size_t i = 0; i < SW_WASM_WORKERS_MAX; i++)
        assert(!atomic_load(&engine->seats[i].is_taken));
    for (unsigned i = 0; i < SW_ABI_CLASSES; i++)
        close_class(&engine->classes[i]);
    sw_wasm_guarded_close(&engine->guarded);
    sw_wasm_arena_close(&engine->arena);
    free(engine);
}

void sw_wasm_set_fuel(struct wasmtime_context *context, uint64_t fuel)
{
    struct wasmtime_error *error = wasmtime_context_set_fuel(context, fuel);

    assert(error == NULL); /* Only an engine that counts none refuses fuel. */
    (void)error;
}

/* --- Workers --------------------------------------------------------------------------------- */

enum sw_rc sw_wasm_worker_new(struct sw_wasm_engine *engine, struct sw_wasm_worker **ret_worker,
                              struct sw_err *err)
{
    struct sw_wasm_worker *worker = calloc(1, sizeof *worker);

    if (worker == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a worker");
    worker->engine = engine;
    for (size_t i = 0; i < SW_WASM_WORKERS_MAX; i++) {
        if (atomic_exchange(&engine->seats[i].is_taken, true))
            continue;
        worker->seat = &engine->seats[i];
        *ret_worker = worker;
        return SW_OK;
    }
    free(worker);
    return sw_err_set(err, SW_E_EXHAUSTED, "more than %d workers", SW_WASM_WORKERS_MAX);
}

void sw_wasm_worker_free(struct sw_wasm_worker *worker)
{
    if (worker == NULL)
        return;
    assert(worker->instances == 0);
    sw_wasm_worker_forget(worker, NULL);
    sw_wasm_slots_done(worker);
    atomic_store(&worker->seat->is_taken, false);
    free(worker->scratch);
    free(worker);
}

void sw_wasm_worker_view(const struct sw_wasm_worker *worker, struct sw_wasm_worker_view *ret_view)
{
    ret_view->instances = worker->instances;
    ret_view->memory_bytes = atomic_load_explicit(&worker->memory_bytes, memory_order_relaxed);
    ret_view->hot_slots = worker->hot_slots;
    ret_view->fuel = worker->fuel;
}

const _Atomic uint64_t *sw_wasm_worker_memory(const struct sw_wasm_worker *worker)
{
    return &worker->memory_bytes;
}
