/* The supervisor against agent hosts that this program plays itself: started again with "--folder
 * FOLDER", it speaks the link on descriptor 3 in the way that FOLDER's last name says. */
#pragma once
#include "pkg/agent/controller/controller.h"
#include "pkg/agent/link/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define LINK 3
#define DIGEST "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define OLDER "sha256:0000000000000000000000000000000000000000000000000000000000000001"
#define POD "0190b5a0-0000-7000-8000-000000000001"
#define CODE_SIZE ((2u << 20) + 5) /* Three pieces. */

/* What a host does before it stops, and instead of what is below with a frame, if it returns true.
 * NULL: nothing. */
static void (*host_before_stop)(void);
static bool (*host_acts)(const struct sw_frame *frame);

/* --- The host that is played ----------------------------------------------------------------- */

static inline void host_put(const struct sw_frame *frame)
{
    struct sw_buffer out;
    size_t at = 0;

    sw_buffer_init(&out, SW_FRAME_BYTES_MAX + 8);
    sw_frame_put(frame, &out);
    while (at < out.size) {
        ssize_t wrote = write(LINK, out.data + at, out.size - at);

        if (wrote <= 0)
            _exit(1);
        at += (size_t)wrote;
    }
    sw_buffer_done(&out);
}

static inline void host_ready(void)
{
    struct sw_frame ready = {.kind = SW_FRAME_READY};

    ready.ready.version = SW_LINK_VERSION;
    ready.ready.workers = 1;
    host_put(&ready);
}

static inline void host_open(const struct sw_frame_pod_open *open, uint64_t code_bytes)
{
    struct sw_frame status = {.kind = SW_FRAME_POD_STATUS};

    status.pod_status.uid = open->uid;
    status.pod_status.generation = open->generation;
    status.pod_status.phase = SW_FRAME_POD_RUNNING;
    status.pod_status.instances = code_bytes; /* How the test learns what arrived. */
    status.pod_status.ready = open->replicas;
    host_put(&status);
}

static inline void host_reply(const struct sw_frame_send *send)
{
    struct sw_frame reply = {.kind = SW_FRAME_REPLY};

    reply.reply.request = send->request;
    reply.reply.type = send->type;
    reply.reply.body = send->body;
    reply.reply.from = send->key;
    if (send->body.size > 5 && memcmp(send->body.data, "code ", 5) == 0)
        reply.reply.code = (uint32_t)strtoul((const char *)send->body.data + 5, NULL, 10);
    host_put(&reply);
}

/* A message "call N SERVICE BODY" is an instance's Nth call, "end N" the end of it; at "want"
 * instances want an older module. */
static inline void host_call(const struct sw_frame_send *send)
{
    struct sw_frame frame = {.kind = SW_FRAME_CALL};
    char words[256] = "", service[64], body[64] = "";
    unsigned long long number;

    if (send->body.size < sizeof words)
        (void)memcpy(words, send->body.data, send->body.size);
    if (sscanf(words, "call %llu %63s %63s", &number, service, body) >= 2) {
        frame.call = (struct sw_frame_call){.name = {7, 8, number},
                                            .pod = 5,
                                            .uid = {POD, strlen(POD)},
                                            .key = send->key,
                                            .service = {service, strlen(service)},
                                            .body = {body, strlen(body)},
                                            .turn = number,
                                            .depth = 1};
        host_put(&frame);
    } else if (sscanf(words, "end %llu", &number) == 1) {
        frame = (struct sw_frame){.kind = SW_FRAME_CALL_END, .call_end = {7, 8, number}};
        host_put(&frame);
    } else if (strcmp(words, "event") == 0) { /* About itself. */
        frame = (struct sw_frame){
            .kind = SW_FRAME_EVENT,
            .event = {.is_warning = 1, .reason = {"Odd", 3}, .words = {"something is", 12}}};
        host_put(&frame);
    } else if (strcmp(words, "want") == 0) {
        frame = (struct sw_frame){
            .kind = SW_FRAME_MODULE_WANTED,
            .module_wanted = {.uid = {POD, strlen(POD)}, .digest = {OLDER, strlen(OLDER)}}};
        host_put(&frame);
    }
}

/* How the test learns of a result: a line of the log, "N CODE BODY". */
static inline void host_result(const struct sw_frame_call_result *result)
{
    struct sw_frame line = {.kind = SW_FRAME_LOG};
    char words[256];

    if (result->name.incarnation != 7 || result->name.instance != 8 || result->pod != 5)
        _exit(1);
    (void)snprintf(words, sizeof words, "%llu %u %.*s", (unsigned long long)result->name.number,
                   (unsigned)result->code, (int)result->body.size,
                   result->body.size == 0 ? "" : (const char *)result->body.data);
    line.log.uid = (struct sw_bytes){POD, strlen(POD)};
    line.log.text = (struct sw_bytes){words, strlen(words)};
    host_put(&line);
}

/* It needs the module that Pods have, and no other. */
static inline void host_judge(const struct sw_frame_module_ask *ask)
{
    struct sw_frame reply = {.kind = SW_FRAME_REPLY, .reply = {.request = ask->request}};

    if (sw_bytes_is_equal(ask->digest, (struct sw_bytes){DIGEST, strlen(DIGEST)}))
        reply.reply.code = (uint32_t)-SW_E_PRECONDITION;
    host_put(&reply);
}

static inline void host_log(struct sw_bytes text)
{
    struct sw_frame line = {.kind = SW_FRAME_LOG};

    line.log.uid = (struct sw_bytes){POD, strlen(POD)};
    line.log.text = text;
    host_put(&line);
}

static inline bool host_is(const char *folder, const char *role)
{
    return strcmp(strrchr(folder, '/') + 1, role) == 0;
}

/* What a host of this role does about one frame. */
static inline void host_act(const char *folder, const struct sw_frame *frame, uint64_t *code_bytes)
{
    struct sw_frame answer = {.kind = SW_FRAME_POD_CLOSED};

    if (host_acts != NULL && host_acts(frame))
        return;
    if (frame->kind == SW_FRAME_HELLO) {
        if (host_is(folder, "rude") && write(LINK, "\xff\xff\xff\xff nonsense", 13) > 0)
            pause();
        host_ready();
        if (host_is(folder, "fragile"))
            _exit(1);
    } else if (frame->kind == SW_FRAME_MODULE) {
        *code_bytes += frame->module.bytes.size;
    } else if (frame->kind == SW_FRAME_BUNDLE) {
        *code_bytes += frame->bundle.bytes.size;
    } else if (frame->kind == SW_FRAME_MODULE_ASK) {
        host_judge(&frame->module_ask);
    } else if (frame->kind == SW_FRAME_MODULE_DROP) {
        host_log(frame->module_drop.digest);
    } else if (frame->kind == SW_FRAME_POD_OPEN) {
        host_open(&frame->pod_open, *code_bytes);
    } else if (frame->kind == SW_FRAME_POD_CLOSE) {
        answer.pod_closed.uid = frame->pod_close.uid;
        host_put(&answer);
    } else if (frame->kind == SW_FRAME_SEND) {
        if (host_is(folder, "mortal") && frame->send.body.size == 3)
            abort();
        if (host_is(folder, "mortal"))
            host_call(&frame->send);
        if (!host_is(folder, "mute"))
            host_reply(&frame->send);
    } else if (frame->kind == SW_FRAME_CALL_RESULT) {
        host_result(&frame->call_result);
    } else if (frame->kind == SW_FRAME_PING && !host_is(folder, "mute")) {
        answer = (struct sw_frame){.kind = SW_FRAME_PONG, .request = frame->request};
        host_put(&answer);
    } else if (frame->kind == SW_FRAME_STOP) {
        if (host_before_stop != NULL)
            host_before_stop();
        host_put(&(struct sw_frame){.kind = SW_FRAME_STOPPED});
        answer.pod_closed.uid = (struct sw_bytes){POD, strlen(POD)};
        host_put(&answer); /* One without durability: it is closed before the end. */
        _exit(0);
    }
}

static inline int host_main(const char *folder)
{
    static uint8_t bytes[4 * SW_FRAME_BYTES_MAX];
    uint64_t code_bytes = 0;
    size_t have = 0;

    for (;;) {
        ssize_t got = read(LINK, bytes + have, sizeof bytes - have);
        size_t taken = 0;

        if (got <= 0)
            return 0;
        have += (size_t)got;
        for (;;) {
            struct sw_frame frame;
            size_t size;

            if (sw_frame_take((struct sw_bytes){bytes + taken, have - taken}, SW_FRAME_TO_HOST,
                              &frame, &size, NULL) != SW_OK)
                return 1;
            if (size == 0)
                break;
            host_act(folder, &frame, &code_bytes);
            taken += size;
        }
        have -= taken;
        (void)memmove(bytes, bytes + taken, have);
    }
}
