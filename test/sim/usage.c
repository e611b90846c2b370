#include "test/sim/usage.h"

#include <stdio.h>
#include <string.h>

#define FIELDS (sizeof(struct sw_frame_used) / sizeof(uint64_t))

static void fields_of(const struct sw_frame_used *used, uint64_t ret_fields[FIELDS])
{
    _Static_assert(sizeof *used == FIELDS * sizeof(uint64_t), "all of them are numbers");
    memcpy(ret_fields, used, sizeof *used);
}

static bool is_less(const struct sw_frame_used *one, const struct sw_frame_used *other)
{
    uint64_t a[FIELDS], b[FIELDS];

    fields_of(one, a);
    fields_of(other, b);
    for (size_t i = 0; i < FIELDS; i++)
        if (a[i] < b[i])
            return true;
    return false;
}

static void raise(struct sw_frame_used *most, const struct sw_frame_used *used)
{
    uint64_t a[FIELDS], b[FIELDS];

    fields_of(most, a);
    fields_of(used, b);
    for (size_t i = 0; i < FIELDS; i++)
        if (a[i] < b[i])
            a[i] = b[i];
    memcpy(most, a, sizeof *most);
}

static struct sim_usage *find(struct sim_usages *usages, struct sw_bytes agent)
{
    char name[64];

    (void)snprintf(name, sizeof name, "%.*s", (int)agent.size,
                   agent.size > 0 ? (const char *)agent.data : "");
    for (uint32_t i = 0; i < usages->count; i++)
        if (strcmp(usages->of[i].name, name) == 0)
            return &usages->of[i];
    if (usages->count == SIM_USAGES_MAX)
        return NULL;
    memcpy(usages->of[usages->count].name, name, sizeof name);
    return &usages->of[usages->count++];
}

void sim_usages_begin(struct sim_usages *usages)
{
    for (uint32_t i = 0; i < usages->count; i++) {
        usages->of[i].start = usages->of[i].most;
        usages->of[i].is_known = false;
    }
}

/* Workers tell in no order, so within a life one may come late. */
const char *sim_usages_take(struct sim_usages *usages, const struct sw_frame_usage *told)
{
    struct sim_usage *usage = find(usages, told->agent);

    if (usage == NULL)
        return "more Agents used something than there are";
    if (is_less(&told->used, &usage->start))
        return "what was used before a restart is less after it";
    if (told->used.cpu_ns > (uint64_t)1 << 62 || told->used.page_ms > (uint64_t)1 << 62 ||
        told->pages > (uint64_t)1 << 40)
        return "a sum of what was used is below 0";
    raise(&usage->most, &told->used);
    usage->last = told->used;
    if (usage->is_known && told->time_ns < usage->time_ns)
        return NULL; /* Clocks go back between lives, not within one. */
    usage->time_ns = told->time_ns;
    usage->pages = told->pages;
    usage->is_known = true;
    return NULL;
}

const char *sim_usages_check(const struct sim_usages *usages)
{
    struct sw_frame_used sum = {0}, space = {0};
    uint64_t pages = 0, space_pages = 0;

    for (uint32_t i = 0; i < usages->count; i++) {
        const struct sim_usage *usage = &usages->of[i];

        if (usage->name[0] == 0) {
            space = usage->most;
            space_pages = usage->pages;
            continue;
        }
        sum.cpu_ns += usage->most.cpu_ns;
        sum.handled += usage->most.handled;
        sum.bytes_in += usage->most.bytes_in;
        sum.sent += usage->most.sent;
        sum.bytes_out += usage->most.bytes_out;
        sum.wakeups += usage->most.wakeups;
        pages += usage->pages;
    }
    if (space.handled == 0 || space.cpu_ns == 0 || space.bytes_out == 0)
        return "nothing was used";
    if (sum.cpu_ns != space.cpu_ns || sum.handled != space.handled ||
        sum.bytes_in != space.bytes_in || sum.sent != space.sent ||
        sum.bytes_out != space.bytes_out || sum.wakeups != space.wakeups || pages != space_pages)
        return "its Agents have not used what their namespace has";
    return NULL;
}
