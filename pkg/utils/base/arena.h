/* Memory that is freed whole: one arena per request, reconcile pass or parsed message.
 *
 * Threads: one at a time.  I/O: none.  Limits: an arena never hands out more than its size_max. */
#pragma once
#include "pkg/utils/errors/errors.h"

#include <stdint.h>

struct sw_arena; /* Opaque. */

/* An empty arena that will refuse to grow beyond size_max bytes; NULL when memory is out. */
struct sw_arena *sw_arena_new(size_t size_max);
void sw_arena_free(struct sw_arena *arena);
SW_DEFINE_CLEANUP(struct sw_arena, sw_arena_free)

/* Forget all that was handed out and keep the first block for reuse. */
void sw_arena_reset(struct sw_arena *arena);

/* There is a secret in it: all of it is overwritten when it is reset or freed. */
void sw_arena_set_secret(struct sw_arena *arena);

/* Bytes handed out so far. */
size_t sw_arena_used(const struct sw_arena *arena);

/* size zeroed bytes, aligned for any type; NULL when size_max or memory is exhausted.
 * A size of 0 yields a valid pointer. They live until the arena is reset or freed. */
void *sw_arena_get(struct sw_arena *arena, size_t size_bytes);

/* As sw_arena_get for `count` items of `size_bytes`; NULL too when the product overflows. */
void *sw_arena_array(struct sw_arena *arena, size_t count, size_t size_bytes);

/* A NUL-terminated copy of size bytes; NULL when exhausted. */
char *sw_arena_copy(struct sw_arena *arena, const void *bytes, size_t size_bytes);

/* A formatted, NUL-terminated string; NULL when exhausted. */
char *sw_arena_print(struct sw_arena *arena, const char *format, ...) SW_PRINTF(2, 3);
