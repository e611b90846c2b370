/* A URL in its parts, read by the one who will use it: libcurl.
 *
 * Threads: pure.  I/O: none.  Limits: the sizes of the fields. */
#pragma once
#include "pkg/utils/errors/errors.h"

#include <stdint.h>

struct sw_outbound_url {
    char scheme[16], host[254]; /* In lower case; the host without brackets. */
    uint16_t port;              /* That of the scheme, if none is said. */
    char path[2048];            /* Without query; with its '/', steps up done. */
    char text[2048];            /* All of it as it is to be asked for, without a fragment. */
};

/* SW_E_INVALID: it is none, has a user or something else than printable ASCII, or is too long.
 * SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_outbound_url_read(const char *text, struct sw_outbound_url *ret_url,
                                              struct sw_err *err);
