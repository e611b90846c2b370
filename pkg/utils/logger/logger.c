#include "pkg/utils/logger/logger.h"

#include "pkg/utils/base/text.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const level_names[] = {"debug", "info", "warn", "error"};
#define LEVELS_COUNT (sizeof level_names / sizeof level_names[0])

const char *sw_log_level_name(enum sw_log_level level)
{
    return (size_t)level < LEVELS_COUNT ? level_names[level] : "error";
}

enum sw_rc sw_log_level_parse(const char *text, enum sw_log_level *ret_level)
{
    for (size_t i = 0; i < LEVELS_COUNT; i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *ret_level = (enum sw_log_level)i;
            return SW_OK;
        }
    }
    return SW_E_INVALID;
}

/* Words may quote what came from outside: nothing in them may end the line, move a terminal's
 * cursor or break the JSON. Returns the bytes written to line, which has room for size. */
static size_t escape(const char *words, bool is_json, char *line, size_t size)
{
    size_t used = 0;

    for (const unsigned char *at = (const unsigned char *)words; *at != '\0'; at++) {
        bool is_quoted = is_json && (*at == '"' || *at == '\\');

        if (used + 7 > size)
            break;
        if (*at < 0x20 || *at == 0x7f) {
            int wrote = snprintf(line + used, 7, is_json ? "\\u%04x" : "\\x%02x", *at);

            used += wrote > 0 ? (size_t)wrote : 0;
            continue;
        }
        if (is_quoted)
            line[used++] = '\\';
        line[used++] = (char)*at;
    }
    return used;
}

void sw_log(const struct sw_logger *logger, enum sw_log_level level, const char *room,
            const char *format, ...)
{
    char words[SW_LOG_LINE_MAX], line[SW_LOG_LINE_MAX], time[SW_TIME_TEXT_SIZE];
    va_list arguments;
    size_t used;
    int wrote;

    if (level < logger->level || logger->file < 0)
        return;
    va_start(arguments, format);
    (void)vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    sw_time_print(logger->utc_ns(logger->ctx), time);
    if (logger->is_json)
        wrote = snprintf(line, sizeof line,
                         "{\"time\":\"%s\",\"level\":\"%s\",\"room\":\"%s\",\"words\":\"", time,
                         sw_log_level_name(level), room);
    else
        wrote = snprintf(line, sizeof line, "%s %-5s %s: ", time, sw_log_level_name(level), room);
    used = wrote > 0 ? (size_t)wrote : 0;
    used += escape(words, logger->is_json, line + used, sizeof line - used - 4);
    if (logger->is_json) {
        line[used++] = '"';
        line[used++] = '}';
    }
    line[used++] = '\n';
    /* A log that cannot be written has nowhere to say so. */
    if (write(logger->file, line, used) < 0)
        return;
}
