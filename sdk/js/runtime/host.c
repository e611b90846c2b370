/* The functions of guest ABI swarm/1, as JavaScript calls them: by position, with little checking,
 * since only core.js does. A negative code is a result, not an exception. */
#include "engine.h"

#include <string.h>

#define FOREVER_MS 1e12 /* Some thirty years. */
#define SELF_BYTES_MAX 65536

static JSValue functions[SW_JS_ENTRIES];

JSValueConst sw_js_function(enum sw_js_entry entry)
{
    return functions[entry];
}

/* --- Arguments ------------------------------------------------------------------------------- */

struct text { /* Of a string, which is freed, or of an array of bytes, which is borrowed. */
    const char *data, *string;
    size_t size;
};

static int text_of(JSContext *context, JSValueConst value, struct text *ret_text)
{
    *ret_text = (struct text){0};
    if (JS_GetTypedArrayType(value) == JS_TYPED_ARRAY_UINT8) {
        ret_text->data = (const char *)JS_GetUint8Array(context, &ret_text->size, value);
        return ret_text->data != NULL || ret_text->size == 0;
    }
    ret_text->string = JS_ToCStringLen(context, &ret_text->size, value);
    ret_text->data = ret_text->string;
    return ret_text->data != NULL;
}

static void text_done(JSContext *context, const struct text *text)
{
    if (text->string != NULL)
        JS_FreeCString(context, text->string);
}

/* As many texts as there are places; false, and none of them, with an exception. */
static int texts_of(JSContext *context, JSValueConst *values, struct text *ret_texts, int count)
{
    for (int i = 0; i < count; i++)
        if (!text_of(context, values[i], &ret_texts[i])) {
            while (i-- > 0)
                text_done(context, &ret_texts[i]);
            return 0;
        }
    return 1;
}

static void texts_done(JSContext *context, const struct text *texts, int count)
{
    for (int i = 0; i < count; i++)
        text_done(context, &texts[i]);
}

static uint64_t ns_of(JSContext *context, JSValueConst value)
{
    double ms = 0;

    (void)JS_ToFloat64(context, &ms, value);
    if (!(ms < FOREVER_MS))
        return SWARM_FOREVER;
    return ms > 0 ? (uint64_t)(ms * 1e6) : 0;
}

static int32_t number_of(JSContext *context, JSValueConst value)
{
    int32_t number = 0;

    (void)JS_ToInt32(context, &number, value);
    return number;
}

#define CALL(name)                                                                                 \
    static JSValue name(JSContext *context, JSValueConst this_value, int count,                    \
                        JSValueConst *values)
#define UNUSED (void)this_value, (void)count

/* --- Effects --------------------------------------------------------------------------------- */

/* (to, type, body, priority) */
CALL(host_send)
{
    struct text texts[3];
    int32_t code;

    UNUSED;
    if (!texts_of(context, values, texts, 3))
        return JS_EXCEPTION;
    code = swarm_send(texts[0].data, texts[0].size, texts[1].data, texts[1].size, texts[2].data,
                      texts[2].size, number_of(context, values[3]), 0);
    texts_done(context, texts, 3);
    return JS_NewInt32(context, code);
}

/* (subject, type, body, priority) */
CALL(host_publish)
{
    struct text texts[3];
    int32_t code;

    UNUSED;
    if (!texts_of(context, values, texts, 3))
        return JS_EXCEPTION;
    code = swarm_publish(texts[0].data, texts[0].size, texts[1].data, texts[1].size, texts[2].data,
                         texts[2].size, number_of(context, values[3]));
    texts_done(context, texts, 3);
    return JS_NewInt32(context, code);
}

/* (handle, status, type, body) */
CALL(host_reply)
{
    struct text texts[2];
    uint64_t handle = 0;
    int32_t code;

    UNUSED;
    if (JS_ToBigUint64(context, &handle, values[0]) < 0 || !texts_of(context, values + 2, texts, 2))
        return JS_EXCEPTION;
    code = swarm_reply(handle, number_of(context, values[1]), texts[0].data, texts[0].size,
                       texts[1].data, texts[1].size);
    texts_done(context, texts, 2);
    return JS_NewInt32(context, code);
}

/* (pattern, whether it begins) */
CALL(host_subscribe)
{
    struct text text;
    int32_t code;

    UNUSED;
    if (!text_of(context, values[0], &text))
        return JS_EXCEPTION;
    code = JS_ToBool(context, values[1]) ? swarm_subscribe(text.data, text.size)
                                         : swarm_unsubscribe(text.data, text.size);
    text_done(context, &text);
    return JS_NewInt32(context, code);
}

/* (id, milliseconds; negative: take it back) */
CALL(host_timer)
{
    double ms = 0;
    int64_t id = 0;

    UNUSED;
    if (JS_ToInt64(context, &id, values[0]) < 0 || JS_ToFloat64(context, &ms, values[1]) < 0)
        return JS_EXCEPTION;
    return JS_NewInt32(context, ms < 0
                                    ? swarm_timer_cancel((uint64_t)id)
                                    : swarm_timer_start((uint64_t)id, ns_of(context, values[1])));
}

/* (level, text) */
CALL(host_log)
{
    struct text text;

    UNUSED;
    if (!text_of(context, values[1], &text))
        return JS_EXCEPTION;
    (void)swarm_log(number_of(context, values[0]), text.data, text.size);
    text_done(context, &text);
    return JS_UNDEFINED;
}

/* --- Waits ----------------------------------------------------------------------------------- */

enum { ASK, SERVICE, RECEIVE, SLEEP };

/* (kind, to, type, body, milliseconds): SWARM_WAITING, or why not. */
CALL(host_wait)
{
    int32_t kind = number_of(context, values[0]);
    uint64_t ns = ns_of(context, values[4]);
    struct text texts[3];
    int32_t code;

    UNUSED;
    if (kind == RECEIVE || kind == SLEEP)
        return JS_NewInt32(context, kind == RECEIVE ? swarm_wait_receive(ns) : swarm_sleep(ns));
    if (!texts_of(context, values + 1, texts, 3))
        return JS_EXCEPTION;
    if (kind == ASK)
        code = swarm_wait_ask(texts[0].data, texts[0].size, texts[1].data, texts[1].size,
                              texts[2].data, texts[2].size, SWARM_PRIORITY_NORMAL, ns);
    else
        code = swarm_wait_call(texts[0].data, texts[0].size, texts[1].data, texts[1].size,
                               texts[2].data, texts[2].size, ns);
    texts_done(context, texts, 3);
    return JS_NewInt32(context, code);
}

/* (): the message that ended the last wait, or undefined. */
CALL(host_result)
{
    struct swarm_message message;
    int32_t size = swarm_result(&message, NULL, 0);
    JSValue result;
    void *room;

    UNUSED, (void)values;
    if (size < 0)
        return JS_UNDEFINED;
    room = js_malloc(context, (size_t)size + 1);
    if (room == NULL)
        return JS_EXCEPTION;
    (void)swarm_result(&message, room, (uint32_t)size);
    result = sw_js_message(context, &message);
    memset(room, 0, (size_t)size); /* What is nobody's packs to nothing. */
    js_free(context, room);
    return result;
}

/* --- Facts ----------------------------------------------------------------------------------- */

CALL(host_now)
{
    UNUSED, (void)values;
    return JS_NewFloat64(context, (double)swarm_now() / 1e6);
}

CALL(host_random)
{
    uint64_t bits = 0;

    UNUSED, (void)values;
    (void)swarm_random(&bits, sizeof bits);
    return JS_NewFloat64(context, (double)(bits >> 11) / 9007199254740992.0);
}

/* (array): filled. */
CALL(host_fill)
{
    size_t size = 0;
    uint8_t *bytes = JS_GetUint8Array(context, &size, values[0]);

    UNUSED;
    if (bytes == NULL && size > 0)
        return JS_EXCEPTION;
    return JS_NewInt32(context, swarm_random(bytes, size > UINT32_MAX ? UINT32_MAX : size));
}

/* (fact) */
CALL(host_self)
{
    int32_t what = number_of(context, values[0]);
    int32_t size = swarm_self(what, NULL, 0);
    JSValue result;
    char *text;

    UNUSED;
    if (size <= 0 || size > SELF_BYTES_MAX)
        return JS_NewString(context, "");
    text = js_malloc(context, (size_t)size);
    if (text == NULL)
        return JS_EXCEPTION;
    (void)swarm_self(what, text, (uint32_t)size);
    result = JS_NewStringLen(context, text, (size_t)size);
    js_free(context, text);
    return result;
}

/* (array of bytes): the text that it is, with U+FFFD for what is none. */
CALL(host_decode)
{
    size_t size = 0;
    uint8_t *bytes = JS_GetUint8Array(context, &size, values[0]);

    UNUSED;
    if (bytes == NULL && size > 0)
        return JS_EXCEPTION;
    return JS_NewStringLen(context, (const char *)bytes, size);
}

/* (text): its bytes. */
CALL(host_encode)
{
    size_t size = 0;
    const char *text = JS_ToCStringLen(context, &size, values[0]);
    JSValue result;

    UNUSED;
    if (text == NULL)
        return JS_EXCEPTION;
    result = JS_NewUint8ArrayCopy(context, (const uint8_t *)text, size);
    JS_FreeCString(context, text);
    return result;
}

/* (function, ...), as many as there are entries. */
CALL(host_install)
{
    UNUSED;
    for (int i = 0; i < SW_JS_ENTRIES && i < count; i++)
        functions[i] = JS_DupValue(context, values[i]);
    return JS_UNDEFINED;
}

void sw_js_host(JSContext *context)
{
    static const JSCFunctionListEntry calls[] = {
        JS_CFUNC_DEF("send", 4, host_send),
        JS_CFUNC_DEF("publish", 4, host_publish),
        JS_CFUNC_DEF("reply", 4, host_reply),
        JS_CFUNC_DEF("subscribe", 2, host_subscribe),
        JS_CFUNC_DEF("timer", 2, host_timer),
        JS_CFUNC_DEF("log", 2, host_log),
        JS_CFUNC_DEF("wait", 5, host_wait),
        JS_CFUNC_DEF("result", 0, host_result),
        JS_CFUNC_DEF("now", 0, host_now),
        JS_CFUNC_DEF("random", 0, host_random),
        JS_CFUNC_DEF("fill", 1, host_fill),
        JS_CFUNC_DEF("self", 1, host_self),
        JS_CFUNC_DEF("decode", 1, host_decode),
        JS_CFUNC_DEF("encode", 1, host_encode),
        JS_CFUNC_DEF("install", SW_JS_ENTRIES, host_install),
    };
    JSValue global = JS_GetGlobalObject(context);
    JSValue host = JS_NewObject(context);

    JS_SetPropertyFunctionList(context, host, calls, sizeof calls / sizeof calls[0]);
    JS_SetPropertyStr(context, global, "host", host);
    JS_FreeValue(context, global);
}
