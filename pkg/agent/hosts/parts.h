/* How a namespace's quota is divided between the agent hosts that it is in, so that all of them
 * together never have more than it, whatever order words arrive in.
 *
 *     told   what the host may have: it reserves nothing beyond
 *     most   what it can have: what it was told, or what it had already when that was less
 *
 * A host is told less at once, and answers with what it has then; only what is left of the quota
 * besides the most that all others can have is told to those that are to have more. So a host that
 * comes has nothing at first, and its equal part as soon as the others have let go of it. Where the
 * most of a host is not known (it has not spoken since this daemon began, or there was no bound
 * until now) it can be anything, and the others are told no more than they were.
 *
 * Pure functions.  Threads, I/O: none.  Limits: none; a pass costs O(hosts squared). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SW_PART_ANY UINT64_MAX /* No bound; of `most`: not known. */

enum sw_part_kind { SW_PART_INSTANCES, SW_PART_MEMORY, SW_PART_STORAGE, SW_PART_KINDS };

struct sw_part { /* Of one host, in one namespace. Zeroed: it has nothing, and can have nothing. */
    uint64_t told[SW_PART_KINDS], most[SW_PART_KINDS];
    bool takes_part; /* It has Pods of the namespace. */
};

/* The number-th of count equal parts of a limit. */
uint64_t sw_part_of(uint64_t limit, uint64_t number, uint64_t count);
/* Find out what each host is to be told from here on: told and most are that. Hosts whose told has
 * become another are to be told it. */
void sw_parts_share(struct sw_part *const *parts, size_t count,
                    const uint64_t limits[SW_PART_KINDS]);
/* A host has so much now, and was told what stands here when it counted that. True: it can have
 * less than was thought, and others perhaps more. Numbers are untrusted: any are bounded by what
 * was known of the host before. */
bool sw_part_answer(struct sw_part *part, const uint64_t held[SW_PART_KINDS]);
