#include "pkg/agent/runtime/wasm/running.h"
#include "pkg/agent/runtime/wasm/waits.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_MS 1000000u
#define MESSAGE_ALIGN 8u
#define CACHE_LINE 64u
/* Where a store of this version of Wasmtime has what each entry reads and writes, and how far in
 * front of its functions an instance begins, for most modules. Another version has them elsewhere,
 * which costs time and nothing else. */
#define STORE_ID_AT 1448u
#define STORE_FETCH_AT 2120u
#define STORE_FETCH_BYTES 264u
#define FUNCTION_FETCH_BEFORE 512u
/* Of the memory: a message, and behind the room of a small one what a module in C has as variables
 * (SWARM_AGENT), since each page costs more than the lines in it. */
#define MESSAGE_FETCH_BYTES 832u

/* struct swarm_message of include/swarm/agent.h, as a 32-bit guest lays it out, wherever. */
struct __attribute__((packed, may_alias)) guest_message {
    uint32_t struct_size, flags;
    uint64_t time_ns, reply_handle, tag;
    int32_t status;
    uint32_t priority;
    uint32_t from, from_size;
    uint32_t subject, subject_size;
    uint32_t type, type_size;
    uint32_t body, body_size;
};
_Static_assert(sizeof(struct guest_message) == SW_WASM_GUEST_MESSAGE_BYTES,
               "the guest ABI fixes this size");

/* struct swarm_upgrade and struct swarm_state, likewise. */
struct guest_upgrade {
    uint32_t struct_size, old_version;
    uint32_t state, state_size;
    uint32_t old_module, old_module_size;
};
struct guest_state {
    uint32_t version, data, size;
};
_Static_assert(sizeof(struct guest_upgrade) == 24 && sizeof(struct guest_state) == 12,
               "the guest ABI fixes these sizes");

/* --- Birth and end --------------------------------------------------------------------------- */

void sw_wasm_count_fuel(struct sw_wasm_instance *instance)
{
    uint64_t left = 0;
    struct wasmtime_error *error = wasmtime_context_get_fuel(instance->context, &left);

    assert(error == NULL); /* Only an engine that counts none has none. */
    (void)error;
    instance->fuel_used += instance->fuel_left - left;
    instance->worker->fuel += instance->fuel_left - left;
    instance->fuel_left = left;
}

/* Of the thread, or where fuel is counted what the worker's guests have used. */
static uint64_t processor_time_ns(const struct sw_wasm_worker *worker)
{
    uint64_t fuel_per_ms = worker->engine->fuel_per_ms;
    struct timespec now;

    if (fuel_per_ms != 0)
        return worker->fuel / fuel_per_ms * NS_PER_MS +
               worker->fuel % fuel_per_ms * NS_PER_MS / fuel_per_ms;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0)
        return 1;
    return (uint64_t)now.tv_sec * 1000u * NS_PER_MS + (uint64_t)now.tv_nsec;
}

/* Have others run, if they are to. Their output must not mix with what this one has not ended.
 * Returns why it is to end now; NULL: it is not. */
static const char *pass(struct sw_wasm_instance *instance, uint64_t used_ns)
{
    struct sw_wasm_worker *worker = instance->worker;
    struct sw_wasm_line *lines = worker->lines, *kept = NULL;
    const char *words;

    if (lines[0].size + lines[1].size > 0) {
        kept = malloc(sizeof worker->lines);
        if (kept == NULL)
            return NULL;
        memcpy(kept, lines, sizeof worker->lines);
        lines[0].size = lines[1].size = 0;
    }
    words = worker->engine->calls->tick(instance->ctx, used_ns);
    if (kept != NULL)
        memcpy(lines, kept, sizeof worker->lines);
    free(kept);
    sw_wasm_run_begin(worker);
    return words;
}

/* A tick is wall time, the deadline is processor time: on a busy machine a guest that hardly ran
 * must not be killed. The clock of the thread is a system call, so it is read at the first tick of
 * an entry, which short ones never see, and again when the deadline may have come. */
static struct wasmtime_error *on_tick(const struct wasmtime_context *context, void *data,
                                      uint64_t *ret_ticks, uint8_t *ret_kind)
{
    struct sw_wasm_instance *instance = data;
    uint64_t now_ns = processor_time_ns(instance->worker);
    uint64_t used_ms;

    (void)context;
    if (instance->started_ns == 0)
        instance->started_ns = now_ns;
    used_ms = (now_ns - instance->started_ns) / NS_PER_MS;
    if (used_ms >= instance->deadline_ms) {
        instance->is_late = true;
        return wasmtime_error_new("deadline");
    }
    *ret_ticks = instance->deadline_ms - used_ms;
    if (instance->worker->engine->calls->tick != NULL) {
        instance->ended = pass(instance, now_ns - instance->started_ns);
        instance->started_ns += processor_time_ns(instance->worker) - now_ns;
        if (instance->ended != NULL)
            return wasmtime_error_new("ended");
        *ret_ticks = 1;
    }
    *ret_kind = WASMTIME_UPDATE_DEADLINE_CONTINUE;
    return NULL;
}

static enum sw_rc instantiate(struct sw_wasm_instance *instance, struct sw_err *err)
{
    struct wasm_trap_t *trap = NULL;
    struct wasmtime_error *error;

    /* Data segments that do not fit trap; no code of the guest runs, since the rewriter leaves no
     * start function. */
    sw_wasm_set_no_deadline(instance->module->class, instance->context);
    sw_wasm_slot_next(&instance->slot);
    error = wasmtime_instance_pre_instantiate(instance->module->pre, instance->context,
                                              &instance->instance, &trap);
    sw_wasm_slot_next(NULL);
    if (error != NULL)
        return sw_wasm_err(err, SW_E_EXHAUSTED, error, "new instance");
    if (trap == NULL)
        return SW_OK;
    wasm_trap_delete(trap);
    return sw_err_set(err, SW_E_INVALID, "new instance: a data segment is outside the memory");
}

struct wasmtime_func sw_wasm_function(struct sw_wasm_instance *instance, const char *name)
{
    struct wasmtime_extern item;

    if (!wasmtime_instance_export_get(instance->context, &instance->instance, name, strlen(name),
                                      &item) ||
        item.kind != WASMTIME_EXTERN_FUNC)
        return (struct wasmtime_func){0};
    return item.of.func;
}

static enum sw_rc open_store(struct sw_wasm_instance *instance, struct sw_err *err)
{
    enum sw_rc rc;

    instance->store = wasmtime_store_new(instance->module->class->engine, instance, NULL);
    instance->context = wasmtime_store_context(instance->store);
    rc = instantiate(instance, err);
    if (rc != SW_OK)
        return rc;
    wasmtime_store_epoch_deadline_callback(instance->store, on_tick, instance, NULL);
    instance->alloc = sw_wasm_function(instance, "swarm_alloc");
    instance->on_message = sw_wasm_function(instance, "on_message");
    if (instance->module->view.has_on_timer)
        instance->on_timer = sw_wasm_function(instance, "on_timer");
    return SW_OK;
}

/* One whose store and memory are made, or were made new. */
static enum sw_rc make(struct sw_wasm_worker *worker, struct sw_wasm_module *module,
                       uint64_t limit_bytes, void *ctx, struct sw_wasm_instance **ret_instance,
                       struct sw_err *err)
{
    struct sw_wasm_instance *instance = sw_wasm_spare_take(worker, module, limit_bytes, ctx);
    enum sw_rc rc;

    *ret_instance = instance;
    if (instance != NULL)
        return SW_OK;
    instance = aligned_alloc(_Alignof(struct sw_wasm_instance), sizeof *instance);
    if (instance == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for an instance");
    memset(instance, 0, sizeof *instance);
    instance->worker = worker;
    instance->module = sw_wasm_module_ref(module);
    instance->ctx = instance->calls_ctx = ctx;
    instance->calls = worker->engine->calls;
    instance->slot = (struct sw_wasm_slot){.worker = worker, .limit_bytes = limit_bytes};
    rc = module->suspend == SW_WASM_SUSPEND_RELIVE && !sw_wasm_relive_new(instance)
             ? sw_err_set(err, SW_E_EXHAUSTED, "no memory for an instance")
             : open_store(instance, err);
    if (rc != SW_OK)
        sw_wasm_instance_delete(instance);
    else
        *ret_instance = instance;
    return rc;
}

enum sw_rc sw_wasm_instance_new(struct sw_wasm_worker *worker, struct sw_wasm_module *module,
                                uint64_t memory_max_bytes, void *ctx,
                                struct sw_wasm_instance **ret_instance, struct sw_err *err)
{
    uint64_t limit = memory_max_bytes - memory_max_bytes % SW_WASM_PAGE_BYTES;
    enum sw_rc rc;

    if (limit > module->view.memory_max_bytes)
        limit = module->view.memory_max_bytes;
    if (limit < module->view.memory_bytes)
        return sw_err_set(err, SW_E_EXHAUSTED,
                          "the module starts with %llu KiB of memory, the limit is %llu KiB",
                          (unsigned long long)(module->view.memory_bytes / 1024),
                          (unsigned long long)(memory_max_bytes / 1024));
    rc = make(worker, module, limit, ctx, ret_instance, err);
    if (rc == SW_E_EXHAUSTED && worker->spares_count > 0) { /* They may have what it lacks. */
        sw_wasm_worker_forget(worker, NULL);
        rc = make(worker, module, limit, ctx, ret_instance, err);
    }
    worker->instances += rc == SW_OK;
    return rc;
}

enum sw_rc sw_wasm_instance_renew(struct sw_wasm_instance *instance, struct sw_err *err)
{
    uint64_t limit = instance->slot.limit_bytes;

    wasmtime_store_delete(instance->store);
    instance->stack.store_id = 0;
    instance->global.store_id = 0;
    instance->room_bytes = 0;
    instance->slot = (struct sw_wasm_slot){.worker = instance->worker, .limit_bytes = limit};
    return open_store(instance, err);
}

void sw_wasm_instance_delete(struct sw_wasm_instance *instance)
{
    if (instance->store != NULL)
        wasmtime_store_delete(instance->store);
    sw_wasm_relive_free(instance->relive);
    sw_wasm_module_unref(instance->module);
    free(instance);
}

void sw_wasm_instance_free(struct sw_wasm_instance *instance)
{
    if (instance == NULL)
        return;
    instance->worker->instances--;
    if (!sw_wasm_spare_keep(instance))
        sw_wasm_instance_delete(instance);
}

/* Each line that one of those bytes is in; the last one perhaps twice, which costs less than to
 * count them. */
static inline void fetch(const void *bytes, size_t size)
{
#pragma GCC unroll 16
    for (size_t at = 0; at < size; at += CACHE_LINE)
        __builtin_prefetch((const void *)((uintptr_t)bytes + at));
    if (size > 1)
        __builtin_prefetch((const void *)((uintptr_t)bytes + size - 1));
}

void sw_wasm_instance_fetch(const struct sw_wasm_instance *instance, enum sw_guest_part part)
{
    switch (part) {
    case SW_GUEST_ITSELF:
        fetch(instance, offsetof(struct sw_wasm_instance, exit_code));
        break;
    case SW_GUEST_CODE:
        fetch((const uint8_t *)instance->context + STORE_ID_AT, 1);
        fetch((const uint8_t *)instance->context + STORE_FETCH_AT, STORE_FETCH_BYTES);
        fetch((const uint8_t *)instance->on_message.hidden - FUNCTION_FETCH_BEFORE,
              FUNCTION_FETCH_BEFORE + CACHE_LINE);
        break;
    case SW_GUEST_MESSAGE_PAGE:
        fetch(instance->slot.base + instance->last_pointer, 1);
        break;
    case SW_GUEST_MESSAGES:
        fetch(instance->slot.base + instance->last_pointer, MESSAGE_FETCH_BYTES);
        break;
    }
}

uint64_t sw_wasm_instance_memory(const struct sw_wasm_instance *instance)
{
    return instance->slot.size_bytes;
}

/* --- Entries --------------------------------------------------------------------------------- */

void sw_wasm_fail(struct sw_guest_outcome *outcome, int32_t code, const char *words)
{
    outcome->end = code == SW_E_EXHAUSTED ? SW_GUEST_NO_MEMORY : SW_GUEST_FAILED;
    outcome->code = code;
    (void)snprintf(outcome->report, sizeof outcome->report, "%s", words);
}

bool sw_wasm_call_function(struct sw_wasm_instance *instance, const struct wasmtime_func *function,
                           union wasmtime_val_raw *value, struct sw_guest_outcome *outcome)
{
    struct wasm_trap_t *trap = NULL;
    struct wasmtime_error *error =
        wasmtime_func_call_unchecked(instance->context, function, value, 1, &trap);

    if (error == NULL && trap == NULL)
        return true;
    instance->has_failed = true;
    sw_wasm_report(instance, error, trap, outcome);
    return false;
}

/* Copy bytes to `at` of the guest's memory, and move that on. Returns where they are. */
static inline uint32_t put(const struct sw_wasm_instance *instance, uint32_t *at,
                           struct sw_bytes bytes)
{
    uint32_t pointer = *at;

    if (bytes.size == 0)
        return pointer;
    (void)memcpy(instance->slot.base + pointer, bytes.data, bytes.size);
    *at += (uint32_t)bytes.size;
    return pointer;
}

uint64_t sw_wasm_message_texts(const struct sw_guest_message *message)
{
    return (uint64_t)message->from.size + message->subject.size + message->type.size +
           message->body.size;
}

static inline void write_message(const struct sw_wasm_instance *instance,
                                 const struct sw_guest_message *message, uint32_t pointer,
                                 uint32_t texts)
{
    /* Each field goes to its place by itself: a struct that is put together first and copied in
     * larger pieces waits for its own fields. */
    struct guest_message *guest = (void *)(instance->slot.base + pointer);
    uint32_t at = texts;

    guest->struct_size = sizeof *guest;
    guest->flags = message->flags;
    guest->time_ns = message->time_ns;
    guest->reply_handle = message->reply_handle;
    guest->tag = message->tag;
    guest->status = message->status;
    guest->priority = message->priority;
    /* The body first: so it is aligned like the struct. */
    guest->body = put(instance, &at, message->body);
    guest->body_size = (uint32_t)message->body.size;
    guest->from = put(instance, &at, message->from);
    guest->from_size = (uint32_t)message->from.size;
    guest->subject = put(instance, &at, message->subject);
    guest->subject_size = (uint32_t)message->subject.size;
    guest->type = put(instance, &at, message->type);
    guest->type_size = (uint32_t)message->type.size;
}

void sw_wasm_write_message(const struct sw_wasm_instance *instance,
                           const struct sw_guest_message *message, uint32_t pointer, uint32_t texts)
{
    write_message(instance, message, pointer, texts);
}

static void write_upgrade(const struct sw_wasm_instance *instance,
                          const struct sw_guest_upgrade *upgrade, uint32_t pointer)
{
    uint32_t at = pointer + (uint32_t)sizeof(struct guest_upgrade);
    struct guest_upgrade guest = {
        .struct_size = sizeof guest,
        .old_version = upgrade->old_version,
        .state_size = (uint32_t)upgrade->state.size,
        .old_module_size = (uint32_t)upgrade->old_module.size,
    };

    guest.state = put(instance, &at, upgrade->state); /* First: so it is aligned like the struct. */
    guest.old_module = put(instance, &at, upgrade->old_module);
    memcpy(instance->slot.base + pointer, &guest, sizeof guest);
}

/* Have the guest make room for so many bytes. */
static bool ask_for_room(struct sw_wasm_instance *instance, uint64_t total,
                         struct sw_guest_outcome *outcome)
{
    union wasmtime_val_raw value;
    uint32_t pointer;

    if (total > instance->slot.limit_bytes) {
        sw_wasm_fail(outcome, SW_E_EXHAUSTED,
                     "the message is larger than the instance's memory limit");
        return false;
    }
    value.i32 = (int32_t)(uint32_t)total;
    if (!sw_wasm_call_function(instance, &instance->alloc, &value, outcome))
        return false;
    pointer = (uint32_t)value.i32;
    if (pointer == 0) {
        sw_wasm_fail(outcome, SW_E_EXHAUSTED, "swarm_alloc found no room for the message");
        return false;
    }
    if (pointer % MESSAGE_ALIGN != 0 || pointer + total > instance->slot.size_bytes) {
        sw_wasm_fail(outcome, SW_E_INVALID,
                     "swarm_alloc returned a pointer that is not aligned to 8 or "
                     "not inside the memory");
        return false;
    }
    instance->last_pointer = pointer;
    /* What fuel an entry takes must not depend on whether it was packed before. */
    if (instance->module->keeps_room && !instance->module->class->is_fueled)
        instance->room_bytes = (uint32_t)total;
    return true;
}

/* Have that room at last_pointer. */
static bool make_room(struct sw_wasm_instance *instance, uint64_t total,
                      struct sw_guest_outcome *outcome)
{
    return total <= instance->room_bytes || ask_for_room(instance, total, outcome);
}

static bool deliver_upgrade(struct sw_wasm_instance *instance,
                            const struct sw_guest_upgrade *upgrade,
                            struct sw_guest_outcome *outcome)
{
    if (!make_room(instance,
                   sizeof(struct guest_upgrade) + (uint64_t)upgrade->state.size +
                       upgrade->old_module.size,
                   outcome))
        return false;
    write_upgrade(instance, upgrade, instance->last_pointer);
    return true;
}

static bool deliver_message(struct sw_wasm_instance *instance,
                            const struct sw_guest_message *message,
                            struct sw_guest_outcome *outcome)
{
    if (!make_room(instance, sizeof(struct guest_message) + sw_wasm_message_texts(message),
                   outcome))
        return false;
    write_message(instance, message, instance->last_pointer,
                  instance->last_pointer + (uint32_t)sizeof(struct guest_message));
    return true;
}

/* Judge what an entry returned. */
static void conclude(int32_t result, struct sw_guest_outcome *outcome)
{
    if (result == 0)
        return;
    outcome->end = SW_GUEST_FAILED;
    if (result < 0) {
        outcome->code = result;
        (void)snprintf(outcome->report, sizeof outcome->report, "the handler returned %d (%s)",
                       (int)result, sw_rc_name((enum sw_rc)result));
        return;
    }
    outcome->code = SW_E_INVALID;
    (void)snprintf(outcome->report, sizeof outcome->report,
                   result == 1 ? "the handler returned SWARM_WAITING and waits for nothing"
                               : "the handler returned %d, which is no result",
                   (int)result);
}

struct wasmtime_func sw_wasm_entry_function(struct sw_wasm_instance *instance,
                                            enum sw_guest_entry entry)
{
    switch (entry) {
    case SW_GUEST_START:
        return sw_wasm_function(instance,
                                "on_start"); /* Once in a life: not worth a cached handle. */
    case SW_GUEST_MESSAGE:
        return instance->on_message;
    case SW_GUEST_TIMER:
        return instance->on_timer;
    case SW_GUEST_STOP:
        return sw_wasm_function(instance, "on_stop");
    case SW_GUEST_UPGRADE:
        return sw_wasm_function(instance, "on_upgrade");
    case SW_GUEST_RESUME:
        break;
    }
    return (struct wasmtime_func){0};
}

/* An engine of fuel_per_ms has a deadline in fuel, and an entry may have a limit of it. Code looks
 * at its fuel where a function or a round of a loop begins, so it has a unit more than it may use:
 * who has none left at the end has used too much, wherever that was. */
static void set_fuel(struct sw_wasm_instance *instance)
{
    uint64_t fuel_per_ms = instance->worker->engine->fuel_per_ms;
    uint64_t fuel = fuel_per_ms == 0 ? SW_WASM_FUEL_FOREVER : instance->deadline_ms * fuel_per_ms;

    if (instance->fuel_max != 0 && instance->fuel_max < fuel)
        fuel = instance->fuel_max + 1;
    else
        instance->fuel_max = 0;
    instance->fuel_left = fuel;
    instance->fuel_used = 0;
    sw_wasm_set_fuel(instance->context, fuel);
}

static inline void set_deadline(struct sw_wasm_instance *instance)
{
    wasmtime_context_set_epoch_deadline(instance->context, 1);
    if (instance->module->class->is_counting)
        set_fuel(instance);
}

/* How much fuel the entry took. It came to its end with more than it may use: that is as if it had
 * been stopped. */
static void judge_fuel(struct sw_wasm_instance *instance, struct sw_guest_outcome *outcome)
{
    sw_wasm_count_fuel(instance);
    if (!instance->module->class->is_fueled)
        return;
    if (instance->fuel_max != 0 && instance->fuel_left == 0) {
        instance->fuel_used = instance->fuel_max;
        if (outcome->end == SW_GUEST_DONE || outcome->end == SW_GUEST_WAITING ||
            outcome->end == SW_GUEST_FAILED)
            sw_wasm_fail_fuel(instance, outcome);
    }
    outcome->fuel = instance->fuel_used;
}

/* The guest does not run any more. One that was told that it cannot grow, though its limit says
 * that it can, has seen what no replay would show it: whatever it did of that does not count. */
static inline void finish(struct sw_wasm_instance *instance, struct sw_guest_outcome *outcome)
{
    if (instance->module->class->is_counting)
        judge_fuel(instance, outcome);
    if (instance->slot.is_lost)
        sw_wasm_fail(outcome, SW_E_EXHAUSTED, "the machine had no memory for the instance to grow");
    if (instance->worker->lines[0].size + instance->worker->lines[1].size > 0)
        sw_wasm_wasi_flush(instance);
    sw_wasm_run_end(instance->worker);
}

static inline void begin(struct sw_wasm_instance *instance, uint32_t deadline_ms, uint64_t fuel_max)
{
    instance->started_ns = 0;
    instance->fuel_max = fuel_max;
    instance->deadline_ms = deadline_ms;
    instance->is_late = false;
    instance->ended = NULL;
    instance->has_exited = false;
    instance->violation = NULL;
    instance->mode = SW_WASM_NORMAL;
    instance->taken = 0;
    instance->resumed = NULL;
    instance->slot.is_refused = false;
    instance->worker->saved.instance = NULL;
    set_deadline(instance);
    sw_wasm_run_begin(instance->worker);
}

/* Copy out what a guest says its state is. */
static void take_state(const struct sw_wasm_instance *instance, uint32_t pointer,
                       struct sw_buffer *out, uint32_t *ret_version,
                       struct sw_guest_outcome *outcome)
{
    uint64_t size_bytes = instance->slot.size_bytes;
    struct guest_state state = {0};
    bool is_inside = (uint64_t)pointer + sizeof state <= size_bytes;

    if (is_inside)
        memcpy(&state, instance->slot.base + pointer, sizeof state);
    if (!is_inside || (uint64_t)state.data + state.size > size_bytes) {
        sw_wasm_fail(outcome, SW_E_INVALID, "swarm_state points out of the memory");
        return;
    }
    sw_buffer_put(out, instance->slot.base + state.data, state.size);
    *ret_version = state.version;
    if (out->failed)
        sw_wasm_fail(outcome, SW_E_EXHAUSTED, "the state that swarm_state names is too large");
}

/* What comes before on_start: the module's start function and, in a WASI reactor, _initialize. */
static bool initialize(struct sw_wasm_instance *instance, struct sw_guest_outcome *outcome)
{
    union wasmtime_val_raw value = {0};
    struct wasmtime_func function;

    if (instance->module->has_start) {
        function = sw_wasm_function(instance, SW_ABI_START);
        if (!sw_wasm_call_function(instance, &function, &value, outcome))
            return false;
    }
    if (!instance->module->has_initialize)
        return true;
    function = sw_wasm_function(instance, "_initialize");
    return sw_wasm_call_function(instance, &function, &value, outcome);
}

/* As prepare_entry, for a message, as most of them are. */
static bool prepare_message(struct sw_wasm_instance *instance, const struct sw_guest_input *input,
                            struct wasmtime_func *ret_function, union wasmtime_val_raw *ret_value,
                            struct sw_guest_outcome *outcome)
{
    *ret_function = instance->on_message;
    if (ret_function->store_id == 0 || !deliver_message(instance, input->message, outcome))
        return false;
    ret_value->i64 = (int64_t)instance->last_pointer; /* As i32, in all its bytes. */
    instance->turn.entry = input->entry;
    instance->turn.argument = (uint64_t)ret_value->i64;
    return true;
}

/* Have the function of an entry ready, and its argument. False: there is nothing to call, or
 * *outcome says why it cannot be. */
static bool prepare_entry(struct sw_wasm_instance *instance, const struct sw_guest_input *input,
                          struct wasmtime_func *ret_function, union wasmtime_val_raw *ret_value,
                          struct sw_guest_outcome *outcome)
{
    if (input->entry == SW_GUEST_MESSAGE)
        return prepare_message(instance, input, ret_function, ret_value, outcome);
    *ret_function = sw_wasm_entry_function(instance, input->entry);
    ret_value->i64 = (int64_t)input->timer;
    if ((input->entry == SW_GUEST_START || input->entry == SW_GUEST_UPGRADE) &&
        !initialize(instance, outcome))
        return false;
    if (ret_function->store_id == 0)
        return false;
    if (input->entry == SW_GUEST_UPGRADE) {
        if (!deliver_upgrade(instance, input->upgrade, outcome))
            return false;
        ret_value->i64 = (int64_t)instance->last_pointer; /* As i32, in all its bytes. */
    }
    instance->turn.entry = input->entry;
    instance->turn.argument = (uint64_t)ret_value->i64;
    return true;
}

/* The same where a wait goes on: what was entered before it may be to be entered again. */
static bool prepare_resume(struct sw_wasm_instance *instance, const struct sw_guest_input *input,
                           struct wasmtime_func *ret_function, union wasmtime_val_raw *ret_value,
                           struct sw_guest_outcome *outcome)
{
    struct sw_guest_message message = {0};
    struct sw_guest_input first;

    instance->resumed = input;
    if (instance->relive == NULL || instance->suspended.wait == 0) {
        *ret_function = sw_wasm_begin_resume(instance, ret_value, outcome);
        return ret_function->store_id != 0;
    }
    instance->turn = instance->suspended;
    memset(&instance->suspended, 0, sizeof instance->suspended);
    if (!sw_wasm_relive_resume(instance, &first, &message, outcome))
        return false;
    instance->fuel_max = input->fuel_max;
    set_deadline(instance); /* Of its new memory. */
    return prepare_entry(instance, &first, ret_function, ret_value, outcome);
}

static bool prepare(struct sw_wasm_instance *instance, const struct sw_guest_input *input,
                    struct wasmtime_func *ret_function, union wasmtime_val_raw *ret_value,
                    struct sw_guest_outcome *outcome)
{
    instance->entered = input;
    if (input->entry == SW_GUEST_RESUME)
        return prepare_resume(instance, input, ret_function, ret_value, outcome);
    if (!sw_wasm_begin_turn(instance, input, outcome))
        return false;
    return input->entry == SW_GUEST_MESSAGE
               ? prepare_message(instance, input, ret_function, ret_value, outcome)
               : prepare_entry(instance, input, ret_function, ret_value, outcome);
}

void sw_wasm_state(struct sw_wasm_instance *instance, uint32_t deadline_ms, struct sw_buffer *out,
                   uint32_t *ret_version, struct sw_guest_outcome *ret_outcome)
{
    union wasmtime_val_raw value = {0};
    struct wasmtime_func function;

    ret_outcome->end = SW_GUEST_DONE;
    ret_outcome->code = SW_OK;
    ret_outcome->fuel = 0;
    ret_outcome->report[0] = '\0';
    *ret_version = 0;
    if (!instance->module->view.has_state)
        return;
    function = sw_wasm_function(instance, "swarm_state");
    begin(instance, deadline_ms, 0);
    if (sw_wasm_call_function(instance, &function, &value, ret_outcome))
        take_state(instance, (uint32_t)value.i32, out, ret_version, ret_outcome);
    finish(instance, ret_outcome);
}

void sw_wasm_enter(struct sw_wasm_instance *instance, const struct sw_guest_input *input,
                   struct sw_guest_outcome *ret_outcome)
{
    union wasmtime_val_raw value = {.i64 = 0}; /* Results need a place also without arguments. */
    struct wasmtime_func function;

    ret_outcome->end = SW_GUEST_DONE;
    ret_outcome->code = SW_OK;
    ret_outcome->fuel = 0;
    ret_outcome->report[0] = '\0';
    begin(instance, input->deadline_ms, input->fuel_max);
    if (prepare(instance, input, &function, &value, ret_outcome) &&
        sw_wasm_call_function(instance, &function, &value, ret_outcome) &&
        !sw_wasm_has_suspended(instance, value.i32, ret_outcome))
        conclude(value.i32, ret_outcome);
    instance->resumed = NULL;
    finish(instance, ret_outcome);
}
