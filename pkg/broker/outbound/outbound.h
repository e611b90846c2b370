/* HTTP requests that the broker makes of others: models, tools, webhooks. libcurl on the loop.
 *
 * HTTP/1.1 and HTTP/2 over TLS (the system's authorities, or a file of them), connections kept and
 * shared. Redirects are answers like any other: who follows one has to ask again, by its own rules.
 * Threads: the loop's.  I/O: sockets through libcurl, readiness and time by the loop; names are
 * looked up on libcurl's threads.
 * Limits: SW_OUTBOUND_TRANSFERS_MAX at once; what its user does with the bytes of an answer. */
#pragma once
#include "pkg/utils/base/buffer.h"
#include "pkg/utils/loop/loop.h"

#define SW_OUTBOUND_TRANSFERS_MAX (1u << 17)
#define SW_OUTBOUND_HEADERS_MAX 64u

struct sw_outbound; /* Opaque. */
struct sw_transfer; /* Opaque; one request under way. */

struct sw_outbound_options {
    struct sw_loop *loop;
    const char *authorities_file; /* PEM; NULL: those of the system. */
    unsigned connections_max;     /* Kept and open, in all; 0: 1,024. */
    unsigned host_max;            /* Of one host; 0: not bounded. More requests wait for one. */
    bool is_public_only;          /* No connection goes anywhere but to the internet: public.h. */
};

/* No field is looked at by others than libcurl: no CR, LF or NUL may be in them, which is checked.
 */
struct sw_outbound_header {
    const char *name;
    struct sw_bytes value;
};

/* Whether a name can be that of a header: letters, digits, '-' and '_'. */
bool sw_outbound_is_header(const char *name);

struct sw_outbound_request { /* Borrowed for the call of start, the body until the end. */
    const char *method;      /* "POST" */
    const char *url;         /* http:// or https://; no user in it. */
    const struct sw_outbound_header *headers;
    size_t headers_count; /* At most SW_OUTBOUND_HEADERS_MAX. */
    struct sw_bytes body; /* data NULL: none. */
    uint64_t timeout_ms;  /* From start to end; 0: none. */
    uint64_t connect_timeout_ms;
    uint64_t silence_ms; /* With not one byte of the answer; 0: any. */
    bool is_fresh;       /* On a connection of its own: it is sent once at most. */
};

struct sw_outbound_end {
    enum sw_rc rc;    /* SW_OK: the answer is whole, whatever its status. */
    const char *why;  /* In words, if it is not; borrowed for the call. */
    bool may_be_sent; /* The other side may have seen it. */
};

/* Called by the loop, never inside of start or cancel. None is called after a cancel. */
struct sw_outbound_handler {
    void *ctx;
    /* The final status and all headers have come. */
    void (*on_head)(void *ctx, struct sw_transfer *transfer, int status);
    void (*on_body)(void *ctx, struct sw_transfer *transfer, struct sw_bytes bytes);
    /* The last call: the transfer is gone after it.
     * SW_E_DENIED           its address is not public, and only such are allowed
     * SW_E_UNAVAILABLE      not found, refused, or the connection broke
     * SW_E_TIMEOUT          one of its times is over
     * SW_E_UNAUTHENTICATED  its certificate is not to be trusted
     * SW_E_EXHAUSTED        no memory */
    void (*on_end)(void *ctx, struct sw_transfer *transfer, const struct sw_outbound_end *end);
};

/* SW_E_EXHAUSTED: no memory.  SW_E_INTERNAL: libcurl cannot start. */
SW_MUST_CHECK enum sw_rc sw_outbound_new(const struct sw_outbound_options *options,
                                         struct sw_outbound **ret_outbound, struct sw_err *err);
/* Those under way end without on_end. Not inside of a handler's calls. */
void sw_outbound_free(struct sw_outbound *outbound);
SW_DEFINE_CLEANUP(struct sw_outbound, sw_outbound_free)
/* Begin; on_end comes once, unless it is cancelled.
 * SW_E_INVALID    a URL, method or header that cannot be sent
 * SW_E_EXHAUSTED  no memory, or SW_OUTBOUND_TRANSFERS_MAX are under way */
SW_MUST_CHECK enum sw_rc sw_outbound_start(struct sw_outbound *outbound,
                                           const struct sw_outbound_request *request,
                                           const struct sw_outbound_handler *handler,
                                           struct sw_transfer **ret_transfer, struct sw_err *err);
/* Break it off; it is gone. Allowed inside of its handler's calls, but for on_end. */
void sw_outbound_cancel(struct sw_transfer *transfer);
/* A header of the answer, from on_head on; the last one of that name; "" if there is none. Borrowed
 * for the handler's call. */
const char *sw_outbound_header(struct sw_transfer *transfer, const char *name);
/* The headers of the answer, one after the other: start with *cursor NULL; false when done. Both
 * texts are borrowed for the handler's call. */
bool sw_outbound_next_header(struct sw_transfer *transfer, void **cursor, const char **ret_name,
                             const char **ret_value);
/* Take no more bytes, so that the other side has to wait; and go on: what was kept comes inside of
 * this call, which is not made inside of on_body. */
void sw_outbound_pause(struct sw_transfer *transfer);
void sw_outbound_resume(struct sw_transfer *transfer);
uint32_t sw_outbound_in_flight(const struct sw_outbound *outbound);
