/* What the files of this room share; nobody else includes it. Threads, I/O, limits: service.h. */
#pragma once
#include "pkg/broker/egress/service/request.h"
#include "pkg/broker/egress/service/service.h"
#include "pkg/utils/base/list.h"
#include "pkg/utils/base/map.h"

#define HTTP_ATTEMPTS_MAX 64u
#define HTTP_SECRETS_MAX (2u * SW_EGRESS_HEADERS_MAX)

struct sw_http_calls {
    struct sw_http_calls_options options;
    struct sw_list all;      /* struct http_call */
    struct sw_list finished; /* Those with an answer that is told outside of start. */
    struct sw_map *once;     /* By key: those that may be made once only. */
    struct sw_timer *timer;
    struct sw_http_figures figures;
};

struct http_call {
    struct sw_list node;
    struct sw_http_calls *calls; /* NULL: they are gone, and only a write is under way. */
    sw_service_done *done;       /* NULL: nobody waits; it goes on all the same. */
    void *done_ctx;
    struct sw_arena *arena; /* All texts below. */
    const char *name_space, *agent, *key;
    struct sw_bytes instance;
    uint64_t turn;
    uint32_t depth;
    struct sw_egress_request request;
    struct sw_outbound_header sent[SW_EGRESS_HEADERS_MAX + SW_OUTBOUND_HEADERS_MAX];
    size_t sent_count;
    struct sw_bytes secrets[HTTP_SECRETS_MAX]; /* That were put in. */
    size_t secrets_count;
    uint64_t timeout_ms, answer_bytes_max;
    bool is_once; /* It may be made once only. */
    bool may_be_private;
    bool needs_approval; /* A person has to say yes before it is made, */
    bool is_approved;    /* and has. */
    unsigned number;     /* Of its attempt at a budget. */
    struct sw_reservation *reservation;
    struct sw_transfer *transfer;
    struct sw_approval_wait *approval;
    bool is_writing; /* The store is at it; what follows: */
    void (*then)(struct http_call *call, enum sw_rc rc, const char *words);
    uint64_t begun_ns;
    uint32_t attempts;   /* How often it was begun, */
    uint64_t started_at; /* and when it was last; of an Effect. */
    int status;
    bool is_packed;           /* Its body. */
    struct sw_buffer headers; /* Of the answer: pairs of texts with their NULs. */
    size_t headers_count;
    struct sw_buffer got;    /* Its body, */
    struct sw_buffer answer; /* and the document. */
    enum sw_rc rc;
    char words[512];
};

/* --- prepare.c --- */

/* Read the request, and allow it.  Errors: as told to the agent. */
SW_MUST_CHECK enum sw_rc sw_fetch_prepare(struct http_call *call, struct sw_bytes document,
                                          struct sw_err *err);
/* Find the rule that allows it, and put Secrets in, if nobody has to approve it before. */
SW_MUST_CHECK enum sw_rc sw_fetch_allow(struct http_call *call, struct sw_err *err);

/* --- before.c --- */

/* Have people asked whether it may be made; sw_fetch_begin follows, or its end. */
void sw_fetch_ask_before(struct http_call *call);

/* --- effect.c --- */

/* Whether an attempt of it may have reached somebody. */
bool sw_fetch_effect_is_begun(struct http_call *call);
/* If what came of it is known for good, have that told, and return true. */
bool sw_fetch_effect_kept(struct http_call *call);
/* Go on from what is known of a call that may be made once only. */
void sw_fetch_effect_look(struct http_call *call);
/* Have it written that it will be sent now; http_send or http_end follows. */
void sw_fetch_effect_intend(struct http_call *call);
/* Have it written how it ended: rc, status and words of the call. is_sure: its outcome is known;
 * otherwise people are asked. */
void sw_fetch_effect_end(struct http_call *call, bool is_sure);

/* --- call.c --- */

/* Set the words of the call: UTF-8, whatever they quote. */
void sw_fetch_say(struct http_call *call, const char *format, ...) SW_PRINTF(2, 3);

/* Reserve, send; then the end. */
void sw_fetch_begin(struct http_call *call);
void sw_fetch_send(struct http_call *call);
/* Tell who waits what rc, words and answer say, and forget the call; not inside of start. */
void sw_fetch_end(struct http_call *call);
/* The same with an error. */
void sw_fetch_fail(struct http_call *call, enum sw_rc rc, const char *words);
/* The same as soon as start has returned. */
void sw_fetch_end_later(struct http_call *call);
void sw_fetch_free(struct http_call *call);
