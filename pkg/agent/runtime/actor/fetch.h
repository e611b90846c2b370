/* What is needed soon comes into the processor's caches while something else runs: with more than a
 * few hundred instances each message meets memory that no cache has, and each page of it costs a
 * walk through the page tables as well.
 *
 * Threads, I/O, Limits: as worker.h. */
#pragma once
#include "pkg/agent/runtime/actor/state.h"

#define SW_CROWD_MIN 512u

/* Have bytes that are needed soon come into the processor's caches; NULL is fine. */
static inline void sw_fetch(const void *bytes, size_t size)
{
#pragma GCC unroll 8
    for (size_t at = 0; at < size; at += 64) /* No pointer is made of NULL, nor one past the end. */
        __builtin_prefetch((const void *)((uintptr_t)bytes + at));
}

/* What is looked at and changed of whom gets a message. */
static inline void sw_instance_fetch_post(const struct sw_instance *instance)
{
    sw_fetch(&instance->pod, 3 * (size_t)SW_INSTANCE_LINE);
}

/* What each segment looks at. */
static inline void sw_instance_fetch_all(const struct sw_instance *instance)
{
    sw_fetch((const uint8_t *)instance + SW_INSTANCE_USED_AT, 4 * (size_t)SW_INSTANCE_LINE);
}

/* Whether it has so many instances that few of them are in the processor's caches. */
static inline bool sw_worker_is_crowded(const struct sw_worker *worker)
{
    return sw_idmap_count(worker->instances) > SW_CROWD_MIN;
}
