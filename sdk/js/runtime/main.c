/* The runtime of agents in JavaScript: QuickJS as a guest, for bundles whose payload is one module
 * of JavaScript.
 *
 *     _initialize, prepare   at build time, once: the context, sdk/js/lib; the memory that this
 *                            leaves is the module's data (tools/quickjs/image)
 *     on_start               the payload is evaluated as a module
 *     on_message ...         core.js calls what it exports, then jobs run until there is none
 *
 * Nothing of the C stack is kept over a wait: a handler that waits is a promise. Its entry returns
 * SWARM_WAITING when all jobs are done and core.js has a wait under way; on_resume settles that. An
 * entry that ends with anything negative is undone by the host, heap and all. */
#include "engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STACK_BYTES_MAX 122880u /* Of JavaScript; the processor's stack of a guest ends later. */
#define PROGRAM "agent.js"
#define LIBRARY "swarm/" /* How modules of sdk/js/lib are called; "swarm" is the one to import. */

static JSRuntime *runtime;
static JSContext *context;

/* --- Errors ---------------------------------------------------------------------------------- */

static void say(const char *words, size_t size)
{
    (void)swarm_log(SWARM_LOG_ERROR, words, (uint32_t)size);
}

int sw_js_report(JSContext *from)
{
    static const char full[] = "out of memory: see limits.memory of the Agent";
    JSValue error = JS_GetException(from);
    JSValue stack = JS_GetPropertyStr(from, error, "stack");
    size_t size = 0, stack_size = 0;
    const char *text = JS_ToCStringLen(from, &size, error);
    const char *trace = JS_IsString(stack) ? JS_ToCStringLen(from, &stack_size, stack) : NULL;
    int has_memory = text != NULL && strstr(text, "out of memory") == NULL;

    if (has_memory)
        say(text, size);
    else
        say(full, sizeof full - 1);
    if (has_memory && trace != NULL && stack_size > 0)
        say(trace, stack_size);
    JS_FreeCString(from, text);
    JS_FreeCString(from, trace);
    JS_FreeValue(from, stack);
    JS_FreeValue(from, error);
    return has_memory;
}

/* What an entry comes to whose exception nobody caught. */
static int32_t failed(void)
{
    return sw_js_report(context) ? SWARM_E_INTERNAL : SWARM_E_EXHAUSTED;
}

/* --- Messages -------------------------------------------------------------------------------- */

static uint8_t *room; /* Of swarm_alloc, for the entry that comes next. */
static uint32_t room_size;

void *SWARM_EXPORT(swarm_alloc)(uint32_t size)
{
    if (size > room_size) {
        free(room);
        room_size = 0;
        room = malloc(size);
        if (room == NULL)
            return NULL;
        room_size = size;
    }
    return room;
}

/* What is nobody's packs to nothing. */
static void room_done(void)
{
    if (room != NULL)
        memset(room, 0, room_size);
    free(room);
    room = NULL;
    room_size = 0;
}

static JSValue text_value(const char *text, uint32_t size)
{
    return JS_NewStringLen(context, text, size);
}

JSValue sw_js_message(JSContext *in, const struct swarm_message *m)
{
    JSValue values[] = {
        JS_NewUint32(in, m->flags),
        JS_NewFloat64(in, (double)m->time_ns / 1e6),
        JS_NewBigUint64(in, m->reply_handle),
        JS_NewInt32(in, m->status),
        JS_NewUint32(in, m->priority),
        text_value(m->from, m->from_size),
        text_value(m->subject, m->subject_size),
        text_value(m->type, m->type_size),
        JS_NewUint8ArrayCopy(in, m->body, m->body_size),
    };

    return JS_NewArrayFrom(in, sizeof values / sizeof values[0], values);
}

/* --- Entries --------------------------------------------------------------------------------- */

/* Call a function of core.js; the arguments are taken over. */
static JSValue call(enum sw_js_entry entry, int count, JSValue *values)
{
    JSValue result;

    for (int i = 0; i < count; i++)
        if (JS_IsException(values[i])) {
            while (count-- > 0)
                JS_FreeValue(context, values[count]);
            return JS_EXCEPTION;
        }
    result = JS_Call(context, sw_js_function(entry), JS_UNDEFINED, count, (JSValueConst *)values);
    while (count-- > 0)
        JS_FreeValue(context, values[count]);
    return result;
}

/* Run jobs and begin waits until the handler has ended or waits. */
static int32_t settle(void)
{
    for (;;) {
        JSContext *of = NULL;
        int32_t code = SWARM_E_INTERNAL;
        JSValue settled;
        int jobs;

        do
            jobs = JS_ExecutePendingJob(runtime, &of);
        while (jobs > 0);
        if (jobs < 0 && !sw_js_report(of == NULL ? context : of))
            return SWARM_E_EXHAUSTED;
        if (jobs < 0)
            continue;
        settled = call(SW_JS_SETTLE, 0, NULL);
        if (JS_IsException(settled) || JS_ToInt32(context, &code, settled) < 0)
            return failed();
        if (code != SW_JS_AGAIN)
            return code; /* SW_JS_DONE and SW_JS_WAITS are the host's own words for it. */
    }
}
_Static_assert(SW_JS_DONE == (int)SWARM_DONE && SW_JS_WAITS == (int)SWARM_WAITING, "core.js");

/* What lies below the stack is of calls that have returned; cleared, it packs to nothing. */
static __attribute__((noinline)) void clear_stack(void)
{
    enum { BLOCK = 4096 };
    uintptr_t at = (uintptr_t)__builtin_frame_address(0) - 64;

    while (at > BLOCK) {
        volatile uint64_t *block = (volatile uint64_t *)((at - BLOCK) & ~(uintptr_t)7);
        uint64_t any = 0;

        for (uint32_t i = 0; i < BLOCK / 8; i++) {
            any |= block[i];
            block[i] = 0;
        }
        if (any == 0)
            return;
        at -= BLOCK;
    }
}

static int32_t enter(enum sw_js_entry entry, int count, JSValue *values)
{
    JSValue result = call(entry, count, values);
    int32_t code = JS_IsException(result) ? failed() : settle();

    JS_FreeValue(context, result);
    room_done();
    clear_stack();
    return code;
}

/* Evaluate the payload. *ret_values: the arguments of SW_JS_START. */
static int evaluate(bool is_new, JSValue ret_values[3])
{
    uint32_t size = (uint32_t)swarm_bundle(0, NULL, 0);
    char *source = malloc((size_t)size + 1);
    JSModuleDef *definition;
    JSValue module;

    if (source == NULL)
        return JS_ThrowOutOfMemory(context), 0;
    (void)swarm_bundle(0, source, size);
    source[size] = 0;
    module =
        JS_Eval(context, source, size, PROGRAM, JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
    memset(source, 0, size);
    free(source);
    if (JS_IsException(module))
        return 0;
    definition = JS_VALUE_GET_PTR(module);
    ret_values[1] = JS_EvalFunction(context, module); /* Takes it over, and links it. */
    if (JS_IsException(ret_values[1]))
        return 0;
    ret_values[0] = JS_GetModuleNamespace(context, definition);
    ret_values[2] = JS_NewBool(context, is_new);
    return 1;
}

int32_t SWARM_EXPORT(on_start)(void)
{
    JSValue values[3];

    return evaluate(true, values) ? enter(SW_JS_START, 3, values) : failed();
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *message)
{
    JSValue values[] = {sw_js_message(context, message)};

    return enter(SW_JS_MESSAGE, 1, values);
}

int32_t SWARM_EXPORT(on_timer)(uint64_t id)
{
    JSValue values[] = {JS_NewFloat64(context, (double)id)};

    return enter(SW_JS_TIMER, 1, values);
}

int32_t SWARM_EXPORT(on_stop)(void)
{
    return enter(SW_JS_STOP, 0, NULL);
}

int32_t SWARM_EXPORT(on_resume)(int32_t status)
{
    JSValue values[] = {JS_NewInt32(context, status)};

    return enter(SW_JS_RESUME, 1, values);
}

const struct swarm_state *SWARM_EXPORT(swarm_state)(void)
{
    static struct swarm_state state;
    static const char *text;
    JSValue saved = call(SW_JS_SAVE, 0, NULL);
    size_t size = 0;

    state = (struct swarm_state){.version = SW_JS_STATE_VERSION};
    JS_FreeCString(context, text); /* Of the last time that nothing came of. */
    text = JS_IsException(saved) ? NULL : JS_ToCStringLen(context, &size, saved);
    if (text == NULL)
        (void)sw_js_report(context);
    state.data = text;
    state.size = size;
    JS_FreeValue(context, saved);
    return &state;
}

int32_t SWARM_EXPORT(on_upgrade)(const struct swarm_upgrade *upgrade)
{
    JSValue old[] = {JS_NewUint8ArrayCopy(context, upgrade->state, upgrade->state_size),
                     JS_NewBool(context, upgrade->old_version == SW_JS_STATE_VERSION)};
    JSValue values[3], result;
    int32_t code;

    if (!evaluate(false, values))
        return failed();
    code = enter(SW_JS_START, 3, values);
    if (code != SWARM_DONE)
        return code;
    result = call(SW_JS_UPGRADE, 2, old);
    code = JS_IsException(result) ? failed() : settle();
    JS_FreeValue(context, result);
    return code;
}

/* --- At build time --------------------------------------------------------------------------- */

static char *find_module(JSContext *in, const char *base, const char *name, void *ctx)
{
    char path[128];

    (void)ctx;
    if (strcmp(name, "swarm") == 0)
        return js_strdup(in, name);
    if (strncmp(name, "./", 2) == 0 && strncmp(base, "swarm", 5) == 0) {
        (void)snprintf(path, sizeof path, LIBRARY "%s", name + 2);
        return js_strdup(in, path);
    }
    JS_ThrowReferenceError(in,
                           "no module \"%s\": a bundle is one file, which imports from \"swarm\" "
                           "alone; `swarm agent build` makes one of several",
                           name);
    return NULL;
}

static void on_rejection(JSContext *in, JSValueConst promise, JSValueConst reason, bool is_handled,
                         void *ctx)
{
    JSValue values[] = {JS_DupValue(in, promise), JS_DupValue(in, reason),
                        JS_NewBool(in, is_handled)};

    (void)ctx;
    JS_FreeValue(in, call(SW_JS_REJECTION, 3, values));
}

/* Room for a file of sdk/js/lib: its name, a zero, and its source. */
char *SWARM_EXPORT(prepare_room)(uint32_t size)
{
    free(room);
    room = calloc(1, (size_t)size + 1);
    room_size = size;
    return (char *)room;
}

/* Take that file in; 0 when all is well. Called for each file, the last one is "swarm". */
int32_t SWARM_EXPORT(prepare)(void)
{
    const char *name = (const char *)room, *source;
    JSContext *of = NULL;
    JSValue result;

    if (context == NULL) {
        runtime = JS_NewRuntime();
        context = JS_NewContext(runtime);
        JS_SetMaxStackSize(runtime, STACK_BYTES_MAX);
        JS_SetModuleLoaderFunc(runtime, find_module, NULL, NULL);
        sw_js_host(context);
    }
    source = name + strlen(name) + 1;
    result = JS_Eval(context, source, room_size - strlen(name) - 1, name, JS_EVAL_TYPE_MODULE);
    if (JS_IsException(result))
        return failed();
    while (JS_ExecutePendingJob(runtime, &of) > 0)
        continue;
    JS_SetHostPromiseRejectionTracker(runtime, on_rejection, NULL);
    JS_FreeValue(context, result);
    room_done();
    JS_RunGC(runtime);
    clear_stack();
    return JS_HasException(context) ? failed() : 0;
}
