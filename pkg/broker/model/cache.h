/* Answers that are given again to requests that are the same in all: whole answers in the protocol
 * of their client, by digest, the least used ones going first.
 *
 * Threads: one at a time.  I/O: none.  Limits: bytes in all, as made. */
#pragma once
#include "pkg/broker/model/wire/wire.h"
#include "pkg/security/crypto/digest.h"

struct model_cache; /* Opaque. */

struct model_cache *sw_model_cache_new(uint64_t seed, size_t bytes_max); /* NULL: no memory. */
void sw_model_cache_free(struct model_cache *cache);
void sw_model_cache_set(struct model_cache *cache, size_t bytes_max);
/* The name of an answer: who may have it, which model of which provider, and what was asked.
 * SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_model_cache_name(const struct sw_wire_request *request,
                                             const char *name_space, const char *provider,
                                             const char *upstream,
                                             uint8_t ret_name[SW_SHA256_SIZE]);
/* *ret_body is borrowed until the cache changes. False: there is none, or it is older than that. */
bool sw_model_cache_find(struct model_cache *cache, const uint8_t name[SW_SHA256_SIZE],
                         uint64_t since_ms, struct sw_bytes *ret_body);
/* Keep one, if it fits; it takes the place of one of the same name. */
void sw_model_cache_put(struct model_cache *cache, const uint8_t name[SW_SHA256_SIZE],
                        uint64_t now_ms, struct sw_bytes body);
