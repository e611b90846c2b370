/* What a process may ask of swarmd over HTTP, by the one listener of its network. Private to this
 * room.
 *
 * Threads: the loop's.  I/O: streams that it is handed.  Limits: FRONT_ connections and bytes. */
#pragma once
#include "pkg/communication/protocol/http.h"
#include "pkg/utils/loop/loop.h"
#include "pkg/utils/system/system.h"

struct sw_process_front; /* Opaque. */

/* ask: the request is for a path of the gateway to models; answer and end it.  NULL: no memory. */
struct sw_process_front *
sw_process_front_new(struct sw_loop *loop, const struct sw_system *system,
                     void (*ask)(void *ctx, struct sw_http_request *request, const char *path),
                     void *ctx);
/* Connections are closed and requests cancelled. NULL: nothing. */
void sw_process_front_free(struct sw_process_front *front);
/* Serve a connection that the process made. */
void sw_process_front_serve(struct sw_process_front *front, struct sw_stream *stream);
