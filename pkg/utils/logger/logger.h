/* Leveled log lines: "time level room: words key=value", or JSON, to one file descriptor.
 *
 * Only cmd/, loops and controllers log; libraries return errors. A line is one write, so lines of
 * several threads do not mix. Control characters in words are escaped.
 * Threads: any.  I/O: writes to its descriptor.  Limits: a line is cut at SW_LOG_LINE_MAX bytes. */
#pragma once
#include "pkg/utils/errors/errors.h"

#include <stdbool.h>
#include <stdint.h>

#define SW_LOG_LINE_MAX 2048

enum sw_log_level { SW_LOG_DEBUG, SW_LOG_INFO, SW_LOG_WARN, SW_LOG_ERROR };

struct sw_logger {
    int file; /* Descriptor, borrowed; negative: silent. */
    enum sw_log_level level;
    bool is_json;
    uint64_t (*utc_ns)(void *ctx); /* The clock of the seam. */
    void *ctx;
};

/* Write one line if level is at least the logger's. room is a short fixed word such as "gateway".
 */
void sw_log(const struct sw_logger *logger, enum sw_log_level level, const char *room,
            const char *format, ...) SW_PRINTF(4, 5);
/* The name of a level, and back; SW_E_INVALID for another word. */
const char *sw_log_level_name(enum sw_log_level level);
SW_MUST_CHECK enum sw_rc sw_log_level_parse(const char *text, enum sw_log_level *ret_level);
