#include "pkg/agent/hosts/parts.h"

uint64_t sw_part_of(uint64_t limit, uint64_t number, uint64_t count)
{
    return limit == SW_PART_ANY ? limit : limit / count + (number < limit % count);
}

static uint64_t least_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

struct kind { /* Of what a quota bounds: one pass over all hosts. */
    struct sw_part *const *parts;
    size_t count;
    enum sw_part_kind kind;
    uint64_t limit;
};

/* What is left for that host besides what all others can have; with those of which that is not
 * known counted with what they were told, if they are to be trusted. */
static uint64_t left_for(const struct kind *kind, const struct sw_part *part, bool trusts)
{
    uint64_t left = kind->limit;

    for (size_t i = 0; i < kind->count; i++) {
        const struct sw_part *other = kind->parts[i];
        uint64_t most = other->most[kind->kind];

        if (other == part)
            continue;
        if (most == SW_PART_ANY && trusts)
            most = other->told[kind->kind];
        left -= least_of(most, left);
    }
    return left;
}

/* The equal part of each host, in the order of the list: what is told is never more. */
static uint64_t equal_of(const struct kind *kind, size_t i)
{
    uint64_t number = 0, count = 0;

    for (size_t j = 0; j < kind->count; j++) {
        number += j < i && kind->parts[j]->takes_part;
        count += kind->parts[j]->takes_part;
    }
    return kind->parts[i]->takes_part ? sw_part_of(kind->limit, number, count) : 0;
}

static void share(const struct kind *kind)
{
    const enum sw_part_kind k = kind->kind;

    for (size_t i = 0; i < kind->count; i++) {
        uint64_t told = kind->parts[i]->told[k];

        kind->parts[i]->told[k] = told == SW_PART_ANY ? 0 : least_of(told, equal_of(kind, i));
    }
    /* After a quota was lowered some may have more than their part: nobody else takes that, too. */
    for (size_t i = 0; i < kind->count; i++) {
        struct sw_part *part = kind->parts[i];

        part->told[k] = least_of(part->told[k], left_for(kind, part, true));
    }
    for (size_t i = 0; i < kind->count; i++) {
        struct sw_part *part = kind->parts[i];
        uint64_t more = least_of(equal_of(kind, i), left_for(kind, part, false));

        if (part->told[k] < more)
            part->told[k] = more;
        if (part->most[k] < part->told[k])
            part->most[k] = part->told[k];
    }
}

void sw_parts_share(struct sw_part *const *parts, size_t count,
                    const uint64_t limits[SW_PART_KINDS])
{
    for (unsigned k = 0; k < SW_PART_KINDS; k++) {
        const struct kind kind = {parts, count, (enum sw_part_kind)k, limits[k]};

        if (limits[k] != SW_PART_ANY)
            share(&kind);
        for (size_t i = 0; i < count && limits[k] == SW_PART_ANY; i++)
            parts[i]->told[k] = parts[i]->most[k] = SW_PART_ANY;
    }
}

bool sw_part_answer(struct sw_part *part, const uint64_t held[SW_PART_KINDS])
{
    bool is_less = false;

    for (unsigned k = 0; k < SW_PART_KINDS; k++) {
        uint64_t most = held[k] > part->told[k] ? held[k] : part->told[k];

        if (most >= part->most[k])
            continue;
        part->most[k] = most;
        is_less = true;
    }
    return is_less;
}
