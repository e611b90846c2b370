/* Text from outside: checked UTF-8, numbers, names, encodings, times, and the nearest valid name.
 *
 * Threads: pure functions.  I/O: none.  Limits: sizes are given by the caller. */
#pragma once
#include "pkg/utils/base/buffer.h"

/* Well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms) without NUL. */
bool sw_text_is_utf8(const char *text, size_t size_bytes);
/* Drop the beginning of a character at the end of a text that was cut. What was well-formed before
 * the cut is so again. */
void sw_text_mend_end(char *text);
/* Lowercase letters, digits and '-', not at the ends, 1 to size_max bytes (RFC 1123 label). */
bool sw_text_is_label(const char *text, size_t size_max);

/* The whole of text as a decimal number; SW_E_INVALID: not one, SW_E_RANGE: too large. */
SW_MUST_CHECK enum sw_rc sw_text_to_u64(const char *text, uint64_t *ret_value);
SW_MUST_CHECK enum sw_rc sw_text_to_i64(const char *text, int64_t *ret_value);
/* "1500ms", "2s", "5m", "1h", "7d" in ns; SW_E_INVALID or SW_E_RANGE. */
SW_MUST_CHECK enum sw_rc sw_text_to_duration_ns(const char *text, uint64_t *ret_ns);
/* "64KiB", "1MiB", "2GiB" or a plain number in bytes; SW_E_INVALID or SW_E_RANGE. */
SW_MUST_CHECK enum sw_rc sw_text_to_size_bytes(const char *text, uint64_t *ret_bytes);
#define SW_MONEY_BILLIONTHS UINT64_C(1000000000)
#define SW_MONEY_TEXT_SIZE 24
/* "1", "0.15", "0.000000001" in billionths: one to nine digits, and perhaps a point and one to nine
 * more.  SW_E_INVALID. */
SW_MUST_CHECK enum sw_rc sw_text_to_money(const char *text, uint64_t *ret_billionths);
/* The other way, with two digits behind the point, or as many more as it takes: "1.00", "0.0015".
 */
void sw_money_print(uint64_t billionths, char ret_text[SW_MONEY_TEXT_SIZE]);

/* Edit distance (Damerau-Levenshtein, adjacent swaps), at most 255; texts are cut at 64 bytes. */
unsigned sw_text_distance(const char *one, const char *other);
/* The candidate nearest to text, or NULL when none is near enough to be meant. */
const char *sw_text_nearest(const char *text, const char *const *candidates, size_t count);

/* Encoders append to out; decoders refuse anything but the canonical form with SW_E_INVALID. */
void sw_hex_encode(const void *bytes, size_t size_bytes, struct sw_buffer *out);
SW_MUST_CHECK enum sw_rc sw_hex_decode(const char *text, size_t size, struct sw_buffer *out);
void sw_base64_encode(const void *bytes, size_t size_bytes, struct sw_buffer *out); /* RFC 4648 */
SW_MUST_CHECK enum sw_rc sw_base64_decode(const char *text, size_t size, struct sw_buffer *out);

#define SW_TIME_TEXT_SIZE 36
#define SW_UUID_TEXT_SIZE 37
/* RFC 3339 in UTC with as many fraction digits as needed (0, 3, 6 or 9). */
void sw_time_print(uint64_t utc_ns, char ret_text[SW_TIME_TEXT_SIZE]);
SW_MUST_CHECK enum sw_rc sw_time_parse(const char *text, uint64_t *ret_utc_ns);
/* UUIDv7 (RFC 9562) from a UTC time and 10 random bytes. */
void sw_uuid_print(uint64_t utc_ns, const uint8_t random[10], char ret_text[SW_UUID_TEXT_SIZE]);
