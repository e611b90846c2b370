#include "pkg/agent/runtime/host/guest_wasm.h"

#include "pkg/agent/runtime/actor/turn.h"
#include "pkg/agent/runtime/wasm/wasm.h"

#include <string.h>

/* A guest is a sw_wasm_instance and a module a sw_wasm_module under the actors' names. */
static struct sw_wasm_instance *instance_of(struct sw_guest *guest)
{
    return (struct sw_wasm_instance *)(void *)guest;
}

static struct sw_wasm_module *module_of(struct sw_guest_module *module)
{
    return (struct sw_wasm_module *)(void *)module;
}

/* --- What guests call ------------------------------------------------------------------------ */

static int32_t on_send(void *ctx, const struct sw_guest_send *send)
{
    return sw_turn_send(ctx, send);
}

static int32_t on_reply(void *ctx, const struct sw_wasm_reply *reply)
{
    struct sw_effect effect = {
        .number = reply->handle, .status = reply->status, .type = reply->type, .body = reply->body};

    return sw_turn_reply(ctx, &effect);
}

static int32_t on_publish(void *ctx, const struct sw_wasm_publish *publish)
{
    struct sw_effect effect = {
        .to = publish->subject, .type = publish->type, .body = publish->body};

    return sw_turn_publish(ctx, &effect, publish->priority);
}

static int32_t on_subscribe(void *ctx, struct sw_bytes subject)
{
    return sw_turn_subscribe(ctx, subject);
}

static int32_t on_unsubscribe(void *ctx, struct sw_bytes subject)
{
    return sw_turn_unsubscribe(ctx, subject);
}

static int32_t on_timer_start(void *ctx, uint64_t id, uint64_t delay_ns)
{
    return sw_turn_timer_start(ctx, id, delay_ns);
}

static int32_t on_timer_cancel(void *ctx, uint64_t id)
{
    return sw_turn_timer_cancel(ctx, id);
}

static int32_t on_log(void *ctx, int32_t level, struct sw_bytes text)
{
    return sw_turn_log(ctx, level, text);
}

static uint64_t on_now(void *ctx)
{
    return sw_turn_now(ctx);
}

static int32_t on_random(void *ctx, void *ret_bytes, uint32_t size)
{
    return sw_turn_random(ctx, ret_bytes, size);
}

static int32_t on_self(void *ctx, int32_t what, void *ret_text, uint32_t size)
{
    return sw_turn_self(ctx, what, ret_text, size);
}

static int32_t on_ask(void *ctx, const struct sw_guest_send *ask, uint64_t timeout_ns)
{
    struct sw_effect effect = {.to = ask->to, .type = ask->type, .body = ask->body};

    return sw_turn_ask(ctx, &effect, ask->priority, timeout_ns);
}

static int32_t on_receive(void *ctx, uint64_t timeout_ns)
{
    return sw_turn_receive(ctx, timeout_ns);
}

static int32_t on_sleep(void *ctx, uint64_t duration_ns)
{
    return sw_turn_sleep(ctx, duration_ns);
}

static int32_t on_call(void *ctx, const struct sw_guest_send *call, uint64_t timeout_ns)
{
    struct sw_effect effect = {.to = call->to, .type = call->type, .body = call->body};

    return sw_turn_call(ctx, &effect, timeout_ns);
}

static const char *on_tick(void *ctx, uint64_t used_ns)
{
    return sw_turn_tick(ctx, used_ns);
}

enum sw_rc sw_guest_wasm_engine(uint64_t fuel_per_ms, struct sw_wasm_engine **ret_engine,
                                struct sw_err *err)
{
    static const struct sw_wasm_calls calls = {
        .send = on_send,
        .reply = on_reply,
        .publish = on_publish,
        .subscribe = on_subscribe,
        .unsubscribe = on_unsubscribe,
        .timer_start = on_timer_start,
        .timer_cancel = on_timer_cancel,
        .log = on_log,
        .now = on_now,
        .random = on_random,
        .self = on_self,
        .ask = on_ask,
        .receive = on_receive,
        .sleep = on_sleep,
        .call = on_call,
        .tick = on_tick,
    };
    struct sw_wasm_engine_options options = {.calls = &calls, .fuel_per_ms = fuel_per_ms};

    return sw_wasm_engine_new(&options, ret_engine, err);
}

/* --- What actors call ------------------------------------------------------------------------ */

static enum sw_rc create(void *ctx, struct sw_guest_module *module, uint64_t memory_bytes,
                         struct sw_turn *turn, struct sw_guest **ret_guest, struct sw_err *err)
{
    struct sw_wasm_instance *instance;
    enum sw_rc rc =
        sw_wasm_instance_new(ctx, module_of(module), memory_bytes, turn, &instance, err);

    if (rc == SW_OK)
        *ret_guest = (struct sw_guest *)(void *)instance;
    return rc;
}

static void drop(void *ctx, struct sw_guest *guest)
{
    (void)ctx;
    sw_wasm_instance_free(instance_of(guest));
}

static void enter(void *ctx, struct sw_guest *guest, const struct sw_guest_input *input,
                  struct sw_guest_outcome *ret_outcome)
{
    (void)ctx;
    sw_wasm_enter(instance_of(guest), input, ret_outcome);
}

static void state(void *ctx, struct sw_guest *guest, uint32_t deadline_ms, struct sw_buffer *out,
                  uint32_t *ret_version, struct sw_guest_outcome *ret_outcome)
{
    (void)ctx;
    sw_wasm_state(instance_of(guest), deadline_ms, out, ret_version, ret_outcome);
}

static enum sw_rc save(void *ctx, const struct sw_guest *guest, struct sw_buffer *out,
                       struct sw_err *err)
{
    (void)ctx;
    return sw_wasm_image_save((const struct sw_wasm_instance *)(const void *)guest, out, err);
}

static enum sw_rc load(void *ctx, struct sw_guest *guest, struct sw_bytes image, struct sw_err *err)
{
    (void)ctx;
    return sw_wasm_image_load(instance_of(guest), image, err);
}

static void fetch(void *ctx, const struct sw_guest *guest, enum sw_guest_part part)
{
    (void)ctx;
    sw_wasm_instance_fetch((const struct sw_wasm_instance *)(const void *)guest, part);
}

static uint64_t memory_bytes(void *ctx, const struct sw_guest *guest)
{
    (void)ctx;
    return sw_wasm_instance_memory((const struct sw_wasm_instance *)(const void *)guest);
}

static uint64_t total_bytes(void *ctx)
{
    struct sw_wasm_worker_view view;

    sw_wasm_worker_view(ctx, &view);
    return view.memory_bytes;
}

static struct sw_guest_module *module_ref(void *ctx, struct sw_guest_module *module)
{
    (void)ctx;
    (void)sw_wasm_module_ref(module_of(module));
    return module;
}

static void module_unref(void *ctx, struct sw_guest_module *module)
{
    (void)ctx;
    sw_wasm_module_unref(module_of(module));
}

static void module_forget(void *ctx, struct sw_guest_module *module)
{
    sw_wasm_worker_forget(ctx, module_of(module));
}

static void module_view(void *ctx, const struct sw_guest_module *module,
                        struct sw_guest_module_view *ret_view)
{
    struct sw_wasm_module_view view;

    (void)ctx;
    sw_wasm_module_view((const struct sw_wasm_module *)(const void *)module, &view);
    *ret_view = (struct sw_guest_module_view){view.has_on_start, view.has_on_timer,
                                              view.has_on_stop, view.has_on_upgrade};
}

struct sw_guest_engine sw_guest_wasm_worker(struct sw_wasm_worker *worker)
{
    return (struct sw_guest_engine){
        .ctx = worker,
        .create = create,
        .drop = drop,
        .enter = enter,
        .state = state,
        .save = save,
        .load = load,
        .fetch = fetch,
        .memory_bytes = memory_bytes,
        .total_bytes = total_bytes,
        .memory = sw_wasm_worker_memory(worker),
        .module_ref = module_ref,
        .module_unref = module_unref,
        .module_forget = module_forget,
        .module_view = module_view,
    };
}

enum sw_rc sw_guest_wasm_open(void *ctx, enum sw_abi_class class, struct sw_bytes code,
                              struct sw_guest_module **ret_module, struct sw_err *err)
{
    struct sw_wasm_module *module;
    enum sw_rc rc = sw_wasm_module_open(ctx, class, code, &module, err);

    if (rc == SW_OK)
        *ret_module = (struct sw_guest_module *)(void *)module;
    return rc;
}

enum sw_rc sw_guest_wasm_bundle(void *ctx, struct sw_guest_module *runtime, struct sw_bytes payload,
                                struct sw_guest_module **ret_module, struct sw_err *err)
{
    struct sw_wasm_module *module;
    enum sw_rc rc;

    (void)ctx;
    rc = sw_wasm_module_bundle(module_of(runtime), payload, &module, err);

    if (rc == SW_OK)
        *ret_module = (struct sw_guest_module *)(void *)module;
    return rc;
}
