/* WASI preview 1 as far as an agent can have it: what toolchains' own start-up code and libraries
 * need. Everything here is computed from the turn, so a replay sees the same.
 *
 * There are three open files: 0 is empty, what is written to 1 and 2 becomes lines of the log.
 * There are no others, and no folders. Numbers of errors are those of the specification,
 * wasi_snapshot_preview1. */
#include "pkg/agent/runtime/wasm/waits.h"

#include "include/swarm/agent.h"

#include <assert.h>
#include <string.h>

enum {
    WASI_OK = 0,
    WASI_BADF = 8,
    WASI_FAULT = 21,
    WASI_INVAL = 28,
    WASI_NOSYS = 52,
    WASI_NOTSUP = 58,
    WASI_SPIPE = 70
};
enum { STANDARD_INPUT, STANDARD_OUTPUT, STANDARD_ERROR, FILES_COUNT };

#define CLOCKS_COUNT 4u
#define VECTORS_MAX 1024u
#define WRITE_BYTES_MAX (64u << 10) /* Of one call: the deadline is looked at between calls. */
#define FILETYPE_CHARACTER_DEVICE 2u
#define RIGHT_READ 2u
#define RIGHT_WRITE 64u

struct call { /* One call under way. */
    struct sw_wasm_instance *instance;
    const union wasmtime_val_raw *values;
};

static uint32_t number(const struct call *call, size_t i)
{
    return (uint32_t)call->values[i].i32;
}

/* Room of the guest at the address that argument i holds, or NULL. */
static uint8_t *room(const struct call *call, size_t i, uint64_t size)
{
    return sw_wasm_borrow(call->instance, number(call, i), size);
}

static void store_u32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof value); /* Guests and hosts are little-endian. */
}

static void store_u64(uint8_t *at, uint64_t value)
{
    memcpy(at, &value, sizeof value);
}

static uint32_t load_u32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof value);
    return value;
}

/* --- Arguments and environment --------------------------------------------------------------- */

struct fact {
    const char *prefix;
    int32_t what;
};
static const struct fact arguments[] = {{"", SWARM_SELF_AGENT}, {"", SWARM_SELF_KEY}};
static const struct fact environment[] = {{"SWARM_NAMESPACE=", SWARM_SELF_NAMESPACE},
                                          {"SWARM_AGENT=", SWARM_SELF_AGENT},
                                          {"SWARM_KEY=", SWARM_SELF_KEY},
                                          {"SWARM_CONFIG=", SWARM_SELF_CONFIG}};

static uint32_t fact_size(const struct call *call, const struct fact *fact)
{
    int32_t size = call->instance->calls->self(call->instance->calls_ctx, fact->what, NULL, 0);

    return (uint32_t)strlen(fact->prefix) + (size < 0 ? 0 : (uint32_t)size) + 1;
}

static uint64_t facts_size(const struct call *call, const struct fact *facts, size_t count)
{
    uint64_t size = 0;

    for (size_t i = 0; i < count; i++)
        size += fact_size(call, &facts[i]);
    return size;
}

static uint32_t facts_sizes(const struct call *call, const struct fact *facts, size_t count)
{
    uint8_t *ret_count = room(call, 0, 4), *ret_size = room(call, 1, 4);

    if (ret_count == NULL || ret_size == NULL)
        return WASI_FAULT;
    store_u32(ret_count, (uint32_t)count);
    store_u32(ret_size, (uint32_t)facts_size(call, facts, count));
    return WASI_OK;
}

static uint32_t facts_get(const struct call *call, const struct fact *facts, size_t count)
{
    uint8_t *pointers = room(call, 0, 4 * count);
    uint8_t *texts = room(call, 1, facts_size(call, facts, count));
    uint32_t at = 0;

    if (pointers == NULL || texts == NULL)
        return WASI_FAULT;
    for (size_t i = 0; i < count; i++) {
        uint32_t prefix = (uint32_t)strlen(facts[i].prefix);
        uint32_t size = fact_size(call, &facts[i]);

        store_u32(pointers + 4 * i, number(call, 1) + at);
        memcpy(texts + at, facts[i].prefix, prefix);
        (void)call->instance->calls->self(call->instance->calls_ctx, facts[i].what,
                                          texts + at + prefix, size - 1 - prefix);
        texts[at + size - 1] = 0;
        at += size;
    }
    return WASI_OK;
}

static uint32_t args_get(const struct call *call)
{
    return facts_get(call, arguments, sizeof arguments / sizeof arguments[0]);
}

static uint32_t args_sizes_get(const struct call *call)
{
    return facts_sizes(call, arguments, sizeof arguments / sizeof arguments[0]);
}

static uint32_t environ_get(const struct call *call)
{
    return facts_get(call, environment, sizeof environment / sizeof environment[0]);
}

static uint32_t environ_sizes_get(const struct call *call)
{
    return facts_sizes(call, environment, sizeof environment / sizeof environment[0]);
}

/* --- Time and chance ------------------------------------------------------------------------- */

/* All clocks show the time of the turn, and stand still with it. */
static uint32_t put_clock(const struct call *call, size_t result, uint64_t value)
{
    uint8_t *ret_time = room(call, result, 8);

    if (number(call, 0) >= CLOCKS_COUNT)
        return WASI_INVAL;
    if (ret_time == NULL)
        return WASI_FAULT;
    store_u64(ret_time, value);
    return WASI_OK;
}

static uint32_t clock_time_get(const struct call *call)
{
    return put_clock(call, 2, call->instance->calls->now(call->instance->calls_ctx));
}

static uint32_t clock_res_get(const struct call *call)
{
    return put_clock(call, 1, 1);
}

static uint32_t random_get(const struct call *call)
{
    uint8_t *ret_bytes = room(call, 0, number(call, 1));

    if (ret_bytes == NULL)
        return WASI_FAULT;
    return call->instance->calls->random(call->instance->calls_ctx, ret_bytes, number(call, 1)) ==
                   SW_OK
               ? WASI_OK
               : WASI_INVAL;
}

static uint32_t yield(const struct call *call)
{
    (void)call;
    return WASI_OK;
}

/* --- The three files ------------------------------------------------------------------------- */

static void emit(struct sw_wasm_instance *instance, size_t index)
{
    struct sw_wasm_line *line = &instance->worker->lines[index];

    /* A log that is full must not change what a program does: what does not fit is left out. */
    (void)instance->calls->log(instance->calls_ctx, index == 0 ? SWARM_LOG_INFO : SWARM_LOG_ERROR,
                               (struct sw_bytes){line->bytes, line->size});
    line->size = 0;
}

/* Add to a line what fits and ends it at most; returns how many bytes that is. */
static uint32_t add(const struct call *call, size_t index, const uint8_t *bytes, uint32_t size)
{
    struct sw_wasm_line *line = &call->instance->worker->lines[index];
    const uint8_t *newline = memchr(bytes, '\n', size);
    uint32_t part = newline == NULL ? size : (uint32_t)(newline - bytes);

    if (part > SW_WASM_LINE_BYTES_MAX - line->size) {
        part = SW_WASM_LINE_BYTES_MAX - line->size;
        newline = NULL;
    }
    memcpy(line->bytes + line->size, bytes, part);
    line->size += part;
    if (newline != NULL || line->size == SW_WASM_LINE_BYTES_MAX)
        emit(call->instance, index);
    return newline == NULL ? part : part + 1;
}

void sw_wasm_wasi_flush(struct sw_wasm_instance *instance)
{
    for (size_t i = 0; i < 2; i++)
        if (instance->worker->lines[i].size > 0)
            emit(instance, i);
}

/* Every vector is looked at before the first byte of any is taken. */
static bool vectors_are_valid(const struct call *call, const uint8_t *vectors, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (sw_wasm_borrow(call->instance, load_u32(vectors + (size_t)i * 8),
                           load_u32(vectors + (size_t)i * 8 + 4)) == NULL)
            return false;
    return true;
}

static uint32_t write_vectors(const struct call *call, size_t index, const uint8_t *vectors,
                              uint32_t count)
{
    uint32_t written = 0;

    for (uint32_t i = 0; i < count && written < WRITE_BYTES_MAX; i++) {
        uint32_t size = load_u32(vectors + (size_t)i * 8 + 4);
        const uint8_t *bytes =
            sw_wasm_borrow(call->instance, load_u32(vectors + (size_t)i * 8), size);

        if (size > WRITE_BYTES_MAX - written)
            size = WRITE_BYTES_MAX - written;
        for (uint32_t at = 0; at < size;)
            at += add(call, index, bytes + at, size - at);
        written += size;
    }
    return written;
}

static uint32_t fd_write(const struct call *call)
{
    uint32_t file = number(call, 0), count = number(call, 2);
    const uint8_t *vectors = room(call, 1, (uint64_t)count * 8);
    uint8_t *ret_written = room(call, 3, 4);

    if (file != STANDARD_OUTPUT && file != STANDARD_ERROR)
        return WASI_BADF;
    if (count > VECTORS_MAX)
        return WASI_INVAL;
    if (vectors == NULL || ret_written == NULL || !vectors_are_valid(call, vectors, count))
        return WASI_FAULT;
    store_u32(ret_written, write_vectors(call, file - STANDARD_OUTPUT, vectors, count));
    return WASI_OK;
}

/* Standard input is at its end. */
static uint32_t fd_read(const struct call *call)
{
    uint8_t *ret_read = room(call, 3, 4);

    if (number(call, 0) != STANDARD_INPUT)
        return WASI_BADF;
    if (ret_read == NULL)
        return WASI_FAULT;
    store_u32(ret_read, 0);
    return WASI_OK;
}

static uint32_t fd_close(const struct call *call)
{
    return number(call, 0) < FILES_COUNT ? WASI_OK : WASI_BADF;
}

static uint32_t fd_seek(const struct call *call)
{
    return number(call, 0) < FILES_COUNT ? WASI_SPIPE : WASI_BADF;
}

/* A character device without a position: a C library flushes it at each newline. */
static uint32_t fd_fdstat_get(const struct call *call)
{
    uint32_t file = number(call, 0);
    uint8_t *ret_status = room(call, 1, 24);

    if (file >= FILES_COUNT)
        return WASI_BADF;
    if (ret_status == NULL)
        return WASI_FAULT;
    memset(ret_status, 0, 24);
    ret_status[0] = FILETYPE_CHARACTER_DEVICE;
    store_u64(ret_status + 8, file == STANDARD_INPUT ? RIGHT_READ : RIGHT_WRITE);
    return WASI_OK;
}

static uint32_t bad_file(const struct call *call)
{
    (void)call;
    return WASI_BADF;
}

static uint32_t no_system(const struct call *call)
{
    (void)call;
    return WASI_NOSYS;
}

/* --- The table ------------------------------------------------------------------------------- */

struct function {
    const char *name;
    uint32_t (*call)(const struct call *call);
};

/* Functions of the table in pkg/agent/abi that do something, in its order; the others answer NOSYS.
 */
static const struct function functions[] = {
    {"args_get", args_get},
    {"args_sizes_get", args_sizes_get},
    {"clock_res_get", clock_res_get},
    {"clock_time_get", clock_time_get},
    {"environ_get", environ_get},
    {"environ_sizes_get", environ_sizes_get},
    {"fd_close", fd_close},
    {"fd_fdstat_get", fd_fdstat_get},
    {"fd_prestat_dir_name", bad_file},
    {"fd_prestat_get", bad_file},
    {"fd_read", fd_read},
    {"fd_seek", fd_seek},
    {"fd_tell", fd_seek},
    {"fd_write", fd_write},
    {"random_get", random_get},
    {"sched_yield", yield},
};
static const struct function other = {"", no_system};

static struct wasm_trap_t *on_call(void *env, struct wasmtime_caller *caller,
                                   union wasmtime_val_raw *values, size_t count)
{
    const struct function *function = env;
    struct sw_wasm_instance *instance = sw_wasm_instance_of(caller);
    struct call call = {.instance = instance, .values = values};

    (void)count;
    values[0].i32 = (int32_t)function->call(&call);
    return NULL;
}

/* --- Sleep ----------------------------------------------------------------------------------- */

#define SUBSCRIPTION_BYTES 48u
#define EVENT_BYTES 32u
#define EVENT_CLOCK 0u
#define CLOCK_IS_TIME 1u /* What is given is a time, not how long. */

static uint64_t load_u64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof value);
    return value;
}

/* How long one subscription to a clock asks to sleep; anything else is not supported. */
static uint32_t read_sleep(const struct call *call, uint64_t *ret_duration_ns)
{
    const uint8_t *in = room(call, 0, SUBSCRIPTION_BYTES);
    uint64_t now = call->instance->calls->now(call->instance->calls_ctx), timeout;

    if (number(call, 2) == 0)
        return WASI_INVAL;
    if (in == NULL || room(call, 1, EVENT_BYTES) == NULL || room(call, 3, 4) == NULL)
        return WASI_FAULT;
    if (number(call, 2) != 1 || in[8] != EVENT_CLOCK ||
        call->instance->module->suspend != SW_WASM_SUSPEND_UNWIND)
        return WASI_NOTSUP;
    timeout = load_u64(in + 24);
    if ((in[40] & CLOCK_IS_TIME) != 0)
        timeout = timeout > now ? timeout - now : 0;
    *ret_duration_ns = timeout;
    return WASI_OK;
}

/* The event says that the time has come. It is put down before the wait: nothing changes the memory
 * meanwhile, and where it goes is not known any more on the way back. */
static void put_event(const struct call *call)
{
    uint64_t mark = load_u64(room(call, 0, SUBSCRIPTION_BYTES));
    uint8_t *event = room(call, 1, EVENT_BYTES);

    memset(event, 0, EVENT_BYTES);
    store_u64(event, mark);
    store_u32(room(call, 3, 4), 1);
}

/* poll_oneoff. */
static struct wasm_trap_t *on_poll(void *env, struct wasmtime_caller *caller,
                                   union wasmtime_val_raw *values, size_t count)
{
    struct sw_wasm_instance *instance = sw_wasm_instance_of(caller);
    struct call call = {.instance = instance, .values = values};
    uint64_t duration_ns = 0;
    uint32_t error;

    (void)env;
    (void)count;
    if (instance->mode == SW_WASM_REWINDING)
        return sw_wasm_arrive(instance, SW_WASM_SLEEP, caller, values);
    error = read_sleep(&call, &duration_ns);
    if (error == WASI_OK && (sw_wasm_may_wait(instance) != 0 ||
                             instance->calls->sleep(instance->calls_ctx, duration_ns) != 0))
        error = WASI_NOTSUP;
    if (error != WASI_OK) {
        values[0].i32 = (int32_t)error;
        return NULL;
    }
    put_event(&call);
    return sw_wasm_take(instance, SW_WASM_SLEEP, 0, caller, values);
}

/* The one that does not return. */
static struct wasm_trap_t *on_exit_call(void *env, struct wasmtime_caller *caller,
                                        union wasmtime_val_raw *values, size_t count)
{
    struct sw_wasm_instance *instance = sw_wasm_instance_of(caller);

    (void)env;
    (void)count;
    instance->has_exited = true;
    instance->exit_code = values[0].i32;
    return wasmtime_trap_new("exit", 4);
}

enum sw_rc sw_wasm_wasi_define(struct sw_wasm_engine *engine, struct wasmtime_linker *linker,
                               struct sw_err *err)
{
    size_t count, next = 0;
    const struct sw_abi_function *table = sw_abi_wasi(&count);
    enum sw_rc rc = SW_OK;

    for (size_t i = 0; rc == SW_OK && i < count; i++) {
        bool is_exit = strcmp(table[i].name, "proc_exit") == 0;
        bool is_poll = strcmp(table[i].name, "poll_oneoff") == 0;
        const struct function *function = &other;

        if (next < sizeof functions / sizeof functions[0] &&
            strcmp(table[i].name, functions[next].name) == 0)
            function = &functions[next++];
        rc = sw_wasm_define(
            engine, linker,
            &(struct sw_wasm_definition){.module = SW_ABI_WASI_MODULE,
                                         .function = &table[i],
                                         .call = is_exit   ? on_exit_call
                                                 : is_poll ? on_poll
                                                           : on_call,
                                         .is_wait = is_poll,
                                         .env = (void *)(uintptr_t)function}, /* Only read. */
            err);
    }
    assert(rc != SW_OK || next == sizeof functions / sizeof functions[0]);
    return rc;
}
