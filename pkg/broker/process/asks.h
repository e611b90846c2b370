/* What a process asks of models over HTTP, as requests of its turn: the agent in front makes the
 * call, keeps the result, and only then is the process answered. Private to this room.
 *
 *     add -> waiting --- next ---> current --- tell ---> answered
 *               ^----- the next piece of a stream ----------'
 *
 * One is current at a time.
 * Threads: the loop's.  I/O: requests that it is handed.  Limits: those of front.h. */
#pragma once
#include "pkg/broker/process/frame.h"
#include "pkg/broker/process/process.h"
#include "pkg/security/crypto/digest.h"
#include "pkg/utils/base/list.h"

struct sw_ask; /* Opaque: one request. */

struct sw_asks {
    const struct sw_process_service_options *options; /* To refuse with. */
    struct sw_list waiting;
    struct sw_ask *current; /* NULL: none. */
    uint32_t number;        /* Of the last one that was current. */
};

void sw_asks_init(struct sw_asks *asks, const struct sw_process_service_options *options);
/* All are broken off. */
void sw_asks_done(struct sw_asks *asks);
/* Hold a request for a path until it is told what came of the service; it is ended if there is no
 * memory. */
void sw_asks_add(struct sw_asks *asks, struct sw_http_request *request, const char *path,
                 const char *service);
bool sw_asks_has_next(const struct sw_asks *asks);
/* Make the next one current: append the frame that asks for it. The digest is that of all but the
 * number. */
void sw_asks_next(struct sw_asks *asks, struct sw_buffer *out, uint8_t ret_digest[SW_SHA256_SIZE]);
/* What came of the current one: it is answered, or its stream goes on and it waits again. */
void sw_asks_tell(struct sw_asks *asks, const struct sw_turn_view *result);
