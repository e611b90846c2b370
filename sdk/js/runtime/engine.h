/* What the entries and the functions of the host share: one JavaScript context, made before there
 * is any instance (tools/quickjs/image) and a part of the module's own data from then on. */
#pragma once
#include "quickjs.h"

#include <swarm/bundle.h>
#include <swarm/wait.h>

/* What sdk/js/lib/core.js hands over: the ways into it. */
enum sw_js_entry {
    SW_JS_START,     /* (namespace of the program, promise of its evaluation, is it new) */
    SW_JS_MESSAGE,   /* (message) */
    SW_JS_TIMER,     /* (id) */
    SW_JS_STOP,      /* () */
    SW_JS_RESUME,    /* (status, message) */
    SW_JS_SETTLE,    /* (): what the handler comes to, an enum sw_js_settled or a negative code */
    SW_JS_SAVE,      /* (): a text */
    SW_JS_UPGRADE,   /* (state, its version) after SW_JS_START */
    SW_JS_REJECTION, /* (promise, reason, whether somebody handles it) */
    SW_JS_ENTRIES
};

enum sw_js_settled { SW_JS_DONE, SW_JS_WAITS, SW_JS_AGAIN }; /* AGAIN: there are new jobs. */

/* The version that a state of ours has for programs that take over: a JSON text. */
#define SW_JS_STATE_VERSION 0x4a530001u

/* Give the context the object of the host, as the global `host` until it is taken. */
void sw_js_host(JSContext *context);
/* The function for an entry, as core.js said. */
JSValueConst sw_js_function(enum sw_js_entry entry);
/* A message as core.js reads it; an exception when there is no memory. */
JSValue sw_js_message(JSContext *context, const struct swarm_message *message);
/* Say in the log what the context's exception is, and forget it.  False: memory has run out. */
int sw_js_report(JSContext *context);
