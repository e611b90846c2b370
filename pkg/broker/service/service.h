/* Services that agents call by name, and the registry of them.
 *
 * Threads: the loop's.  I/O: what each service does, on the loop.
 * Limits: SW_SERVICES_MAX services; SW_SERVICE_NAME_MAX bytes of a name. */
#pragma once
#include "pkg/utils/base/buffer.h"

#define SW_SERVICES_MAX 256u
#define SW_SERVICE_NAME_MAX 63u
#define SW_SERVICE_KEY_MAX 56u

struct sw_service_call {            /* Borrowed while it is started. Type and body are a guest's. */
    const char *name_space, *agent; /* Whose instance calls, as swarmd knows; */
    struct sw_bytes instance;       /* and the instance's own key. */
    /* The idempotency key: 16 hex digits three times, with dashes. The same call has the same key
     * however often it is started, after crashes too; no other call ever has it. */
    struct sw_bytes key;
    uint64_t turn;  /* A number that no other turn of the instance has. */
    uint32_t depth; /* 1: the turn answers no other agent; more: so many in a row less 1. */
    struct sw_bytes type, body;
};

struct sw_service_answer { /* Borrowed for the call of done. */
    enum sw_rc rc;
    struct sw_bytes type, body; /* At most 255 bytes of UTF-8, and 4 MiB. Words, if not SW_OK. */
};
typedef void sw_service_done(void *done_ctx, const struct sw_service_answer *answer);

struct sw_service {
    const char *name; /* 1 to SW_SERVICE_NAME_MAX bytes; borrowed for good. */
    void *ctx;
    /* Begin. Later done(done_ctx) is called once, unless the call is cancelled before. On an error,
     * which is the answer then, done is not called and *ret_ticket not set. */
    enum sw_rc (*start)(void *ctx, const struct sw_service_call *call, sw_service_done *done,
                        void *done_ctx, void **ret_ticket, struct sw_err *err);
    /* Nobody wants its result any more: done will not be called, and the ticket is gone. */
    void (*cancel)(void *ctx, void *ticket);
};

struct sw_services; /* Opaque. */

struct sw_services *sw_services_new(void); /* NULL: no memory. */
/* The services themselves are their owners'. Nothing may be under way. */
void sw_services_free(struct sw_services *services);
SW_DEFINE_CLEANUP(struct sw_services, sw_services_free)
/* Have agents find it. The struct is copied.
 * SW_E_EXISTS     there is one of that name
 * SW_E_EXHAUSTED  no memory, or SW_SERVICES_MAX of them */
SW_MUST_CHECK enum sw_rc sw_services_add(struct sw_services *services,
                                         const struct sw_service *service, struct sw_err *err);
/* The service of that name, which stays as long as the registry; NULL: there is none, and err says
 * which there are (SW_E_NOT_FOUND). */
const struct sw_service *sw_services_find(const struct sw_services *services, struct sw_bytes name,
                                          struct sw_err *err);
/* Have another one take its place under its name; the struct is copied. Nothing may be under way.
 * SW_E_NOT_FOUND: there is none of that name. */
SW_MUST_CHECK enum sw_rc sw_services_replace(struct sw_services *services,
                                             const struct sw_service *service, struct sw_err *err);
