/* What the tests of this room share: an engine, a worker, a compiled guest, and a host that writes
 * down every call as one line of text. */
#pragma once
#include "pkg/agent/modules/rewrite.h"
#include "pkg/agent/runtime/wasm/wasm.h"
#include "pkg/utils/system/system.h"
#include "test/support/traps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MEMORY_MAX ((uint64_t)1 << 20)
#define SHORT_MS 200

static enum sw_abi_class class; /* Of engine, that tests run in now. */

static inline bool is_guarded(void)
{
    return sw_abi_class_with_fuel(class, false) == SW_ABI_COMPUTE;
}

/* All tests, in one class after the other. */
static inline int run_in_every_class(const struct CMUnitTest *tests, size_t count)
{
    int failed = 0;

    for (unsigned i = 0; i < SW_ABI_CLASSES; i++) {
        class = (enum sw_abi_class)i;
        failed += _cmocka_run_group_tests(sw_abi_class_name(class), tests, count, NULL, NULL);
    }
    return failed;
}

struct fixture {
    struct sw_wasm_engine *engine;
    struct sw_wasm_worker *worker;
    struct sw_wasm_module *module;
    struct sw_wasm_instance *instance;
    struct sw_buffer calls;
    int32_t answer;                                       /* What every call returns. */
    void (*on_tick)(struct fixture *f, uint64_t used_ns); /* NULL: nothing. */
    unsigned ticks;
    const char *end_words; /* The next tick ends what runs; NULL: it does not. */
    struct sw_guest_outcome outcome;
    struct sw_err err;
};

static void note_bytes(struct fixture *f, const char *name, struct sw_bytes bytes)
{
    sw_buffer_print(&f->calls, " %s=%.*s", name, (int)bytes.size,
                    bytes.size == 0 ? "" : (const char *)bytes.data);
}

static int32_t note_send(void *ctx, const struct sw_guest_send *send)
{
    struct fixture *f = ctx;

    sw_buffer_print(&f->calls, "send");
    note_bytes(f, "to", send->to);
    note_bytes(f, "type", send->type);
    note_bytes(f, "body", send->body);
    sw_buffer_print(&f->calls, " priority=%d tag=%llu\n", (int)send->priority,
                    (unsigned long long)send->tag);
    return f->answer;
}

static int32_t note_reply(void *ctx, const struct sw_wasm_reply *reply)
{
    struct fixture *f = ctx;

    sw_buffer_print(&f->calls, "reply handle=%llu status=%d", (unsigned long long)reply->handle,
                    (int)reply->status);
    note_bytes(f, "type", reply->type);
    note_bytes(f, "body", reply->body);
    sw_buffer_print(&f->calls, "\n");
    return f->answer;
}

static int32_t note_publish(void *ctx, const struct sw_wasm_publish *publish)
{
    struct fixture *f = ctx;

    sw_buffer_print(&f->calls, "publish");
    note_bytes(f, "subject", publish->subject);
    note_bytes(f, "type", publish->type);
    note_bytes(f, "body", publish->body);
    sw_buffer_print(&f->calls, " priority=%d\n", (int)publish->priority);
    return f->answer;
}

static int32_t note_subscribe(void *ctx, struct sw_bytes subject)
{
    struct fixture *f = ctx;

    sw_buffer_print(&f->calls, "subscribe");
    note_bytes(f, "subject", subject);
    sw_buffer_print(&f->calls, "\n");
    return f->answer;
}

static int32_t note_unsubscribe(void *ctx, struct sw_bytes subject)
{
    struct fixture *f = ctx;

    sw_buffer_print(&f->calls, "unsubscribe");
    note_bytes(f, "subject", subject);
    sw_buffer_print(&f->calls, "\n");
    return f->answer;
}

static int32_t note_timer_start(void *ctx, uint64_t id, uint64_t delay_ns)
{
    struct fixture *f = ctx;

    sw_buffer_print(&f->calls, "timer_start id=%llu delay=%llu\n", (unsigned long long)id,
                    (unsigned long long)delay_ns);
    return f->answer;
}

static int32_t note_timer_cancel(void *ctx, uint64_t id)
{
    struct fixture *f = ctx;

    sw_buffer_print(&f->calls, "timer_cancel id=%llu\n", (unsigned long long)id);
    return f->answer;
}

static int32_t note_log(void *ctx, int32_t level, struct sw_bytes text)
{
    struct fixture *f = ctx;

    sw_buffer_print(&f->calls, "log level=%d", (int)level);
    note_bytes(f, "text", text);
    sw_buffer_print(&f->calls, "\n");
    return f->answer;
}

static uint64_t fixed_now(void *ctx)
{
    (void)ctx;
    return 1234567890123456789u;
}

static int32_t fixed_random(void *ctx, void *ret_bytes, uint32_t size)
{
    (void)ctx;
    if (size > 65536)
        return SW_E_INVALID;
    memset(ret_bytes, 'r', size);
    return SW_OK;
}

static int32_t fixed_self(void *ctx, int32_t what, void *ret_text, uint32_t size)
{
    static const char name[] = "reader";

    (void)ctx;
    if (what != 1)
        return SW_E_INVALID;
    if (size > 0)
        memcpy(ret_text, name, size < sizeof name - 1 ? size : sizeof name - 1);
    return (int32_t)sizeof name - 1;
}

static const char *count_tick(void *ctx, uint64_t used_ns)
{
    struct fixture *f = ctx;

    f->ticks++;
    if (f->on_tick != NULL)
        f->on_tick(f, used_ns);
    return f->end_words;
}

static const struct sw_wasm_calls noted_calls = {
    .send = note_send,
    .reply = note_reply,
    .publish = note_publish,
    .subscribe = note_subscribe,
    .unsubscribe = note_unsubscribe,
    .timer_start = note_timer_start,
    .timer_cancel = note_timer_cancel,
    .log = note_log,
    .now = fixed_now,
    .random = fixed_random,
    .self = fixed_self,
    .tick = count_tick,
};

/* Machine code of a guest built from test/guests, as the compiler makes it. */
static inline void compile_guest(const char *name, struct sw_buffer *out)
{
    struct sw_buffer wasm, rewritten;
    struct sw_err err = {0};
    char path[512];

    (void)snprintf(path, sizeof path, "%s/guests/%s.wasm", SW_TEST_BUILD, name);
    sw_buffer_init(&wasm, 1u << 20);
    sw_buffer_init(&rewritten, 2u << 20);
    if (sw_file_load(sw_system_real(), path, 1u << 20, &wasm, &err) != SW_OK ||
        sw_module_rewrite((struct sw_bytes){wasm.data, wasm.size}, &rewritten, &err) != SW_OK ||
        sw_wasm_compile((struct sw_bytes){rewritten.data, rewritten.size}, class, out, &err) !=
            SW_OK)
        fail_msg("%s: %s", name, err.message);
    sw_buffer_done(&wasm);
    sw_buffer_done(&rewritten);
}

static inline struct sw_wasm_module *open_guest(struct fixture *f, const char *name)
{
    struct sw_wasm_module *module = NULL;
    struct sw_buffer code;

    sw_buffer_init(&code, 16u << 20);
    compile_guest(name, &code);
    if (sw_wasm_module_open(f->engine, class, (struct sw_bytes){code.data, code.size}, &module,
                            &f->err) != SW_OK)
        fail_msg("%s", f->err.message);
    sw_buffer_done(&code);
    return module;
}

static inline struct sw_wasm_instance *new_instance(struct fixture *f)
{
    struct sw_wasm_instance *instance = NULL;

    if (sw_wasm_instance_new(f->worker, f->module, MEMORY_MAX, f, &instance, &f->err) != SW_OK)
        fail_msg("%s", f->err.message);
    return instance;
}

static inline int setup(void **state)
{
    struct sw_wasm_engine_options options = {.calls = &noted_calls,
                                             .address_bytes = (uint64_t)64 << 30};
    struct fixture *f = calloc(1, sizeof *f);

    sw_buffer_init(&f->calls, 1u << 20);
    if (sw_wasm_engine_new(&options, &f->engine, &f->err) != SW_OK ||
        sw_wasm_worker_new(f->engine, &f->worker, &f->err) != SW_OK)
        fail_msg("%s", f->err.message);
    traps_keep();
    f->module = open_guest(f, "test_conformance");
    f->instance = new_instance(f);
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;

    sw_wasm_instance_free(f->instance);
    sw_wasm_module_unref(f->module);
    sw_wasm_worker_free(f->worker);
    sw_wasm_engine_free(f->engine);
    sw_buffer_done(&f->calls);
    free(f);
    return 0;
}

static inline enum sw_guest_end enter(struct fixture *f, enum sw_guest_entry entry)
{
    struct sw_guest_input input = {.entry = entry, .timer = 41, .deadline_ms = SHORT_MS};

    sw_buffer_reset(&f->calls);
    traps_use();
    sw_wasm_enter(f->instance, &input, &f->outcome);
    sw_buffer_put_u8(&f->calls, 0);
    return f->outcome.end;
}

static inline struct sw_bytes text(const char *words)
{
    return (struct sw_bytes){words, strlen(words)};
}

static inline enum sw_guest_end tell_one(struct fixture *f, struct sw_wasm_instance *instance,
                                         const char *command)
{
    struct sw_guest_message message = {.body = text(command), .type = text("text/plain")};
    struct sw_guest_input input = {
        .entry = SW_GUEST_MESSAGE, .message = &message, .deadline_ms = SHORT_MS};

    sw_buffer_reset(&f->calls);
    traps_use();
    sw_wasm_enter(instance, &input, &f->outcome);
    sw_buffer_put_u8(&f->calls, 0);
    return f->outcome.end;
}

static inline enum sw_guest_end tell(struct fixture *f, const char *command)
{
    return tell_one(f, f->instance, command);
}

static inline const char *calls_of(const struct fixture *f)
{
    return (const char *)f->calls.data;
}
