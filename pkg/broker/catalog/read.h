/* Texts of the API as numbers, for the files of pkg/broker/catalog. Threads, I/O, limits:
 * catalog.h. */
#pragma once
#include "pkg/broker/catalog/catalog.h"

/* Never NULL. */
const char *sw_catalog_text(const char *text);
/* Billionths of a dollar; `missing` for a text that is not set. SW_E_INVALID: no amount. */
SW_MUST_CHECK enum sw_rc sw_catalog_money(const char *text, uint64_t missing, uint64_t *ret_amount,
                                          struct sw_err *err);
/* Whole ms, rounded up. SW_E_INVALID: no duration. */
SW_MUST_CHECK enum sw_rc sw_catalog_ms(const char *text, uint64_t *ret_ms, struct sw_err *err);
/* Bytes. SW_E_INVALID: no size. */
SW_MUST_CHECK enum sw_rc sw_catalog_size(const char *text, uint64_t *ret_bytes, struct sw_err *err);
