/* Requests that clients gave a name to, and what became of them: a repeat gets the first result.
 *
 * It is state like any other: it follows from records alone, so a repeat is known after a restart
 * as well. What is older than SW_REQUESTS_KEPT_NS by the records' own time is forgotten, and so are
 * the oldest when there are too many or too large ones; a repeat after that is a new request.
 * Threads: one at a time.  I/O: none.
 * Limits: SW_REQUESTS_MAX requests, SW_REQUESTS_BYTES_MAX bytes of results and names, of which the
 * newest is always kept. */
#pragma once
#include "pkg/utils/base/buffer.h"

#define SW_REQUESTS_MAX 1024u
#define SW_REQUESTS_BYTES_MAX (256u << 10)
#define SW_REQUESTS_KEPT_NS (3600ull * 1000000000u)

struct sw_requests; /* Opaque; NULL stands for one without any. */

struct sw_request_view { /* Texts are the requests' own until the next change. */
    uint64_t handle;     /* Its answer is still to come, through this handle; 0: it is here. */
    uint64_t value;      /* Whatever number belongs to the answer. */
    int32_t status;
    struct sw_bytes type, body;
};

void sw_requests_free(struct sw_requests *requests);
/* They are needed soon: have their memory near. */
void sw_requests_prefetch(const struct sw_requests *requests);

/* The request of this name as it was at now_ns.  False: none, or forgotten. */
bool sw_requests_find(const struct sw_requests *requests, struct sw_bytes id, uint64_t now_ns,
                      struct sw_request_view *ret_view);
/* When the newest of them may be forgotten; 0: there is none. */
uint64_t sw_requests_end_ns(const struct sw_requests *requests);
/* Remember a request that was handled at time_ns; one of the same name is replaced. *requests is
 * made when it is NULL.  SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_requests_add(struct sw_requests **requests, struct sw_bytes id,
                                         uint64_t time_ns, const struct sw_request_view *view);
/* Its answer, given through a handle; nothing happens when no request waits for that one.
 * SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_requests_answer(struct sw_requests *requests,
                                            const struct sw_request_view *answer);

/* All of them as bytes, and back.  SW_E_CORRUPT: not such bytes.  SW_E_EXHAUSTED: no memory. */
void sw_requests_save(const struct sw_requests *requests, struct sw_buffer *out);
SW_MUST_CHECK enum sw_rc sw_requests_load(struct sw_requests **ret_requests,
                                          struct sw_reader *reader);
