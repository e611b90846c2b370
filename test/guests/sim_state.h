/* What an instance of sim.c keeps: its log, what it knows, and the names of the others.
 *
 * The log is strewn over many pages of the memory, so that a page which is lost, or is of another
 * time, shows. */
#pragma once
#include <swarm/wait.h>

#include "../sim/protocol.h"

#ifndef SIM_PROGRAM
#define SIM_PROGRAM SIM_PROGRAM_FIRST
#endif
#define GATHERS_MAX 64u
#define WATCHERS_MAX 16u

/* Prime to SIM_LOG_MAX: neighbours stand far apart, and elsewhere in each program. */
static const uint32_t log_strides[SIM_PROGRAMS] = {1237, 1471, 809};

struct gather { /* A question to several that is not answered yet. */
    uint64_t id, handle;
    uint32_t waiting, count;
    struct sim_mark marks[SIM_HOPS_MAX];
};

struct state {
    uint32_t version, program;
    uint64_t position, hash;
    int64_t balance;
    uint32_t self;
    uint32_t gathers_count;
    uint64_t sent_to[SIM_PEERS], asked_of[SIM_PEERS], told[SIM_SUBJECTS];
    struct gather gathers[GATHERS_MAX];
    uint64_t pages[SIM_PAGES][SIM_PAGE_WORDS];
    struct sim_entry log[SIM_LOG_MAX];
    struct sim_note seen[SIM_PEERS]; /* A mirror's: what it was told last by whom. */
    uint64_t watchers[WATCHERS_MAX]; /* Who waits at a mirror for what it is told next. */
    uint32_t watchers_count;
    uint64_t incarnation, computed;
    struct { /* A brief/N's or fresh/N's life. */
        uint64_t last_ns, visits[SIM_VISITS_MAX], held[SIM_VISITS_MAX];
        uint32_t visits_count, held_count, is_joined, is_asleep, steps;
        uint32_t armed[SIM_VISITS];
    } life;
};
static struct {
    uint64_t shift[1 + SIM_PROGRAM * 700];
    struct state memory;
} placed;
#define memory placed.memory

/* --- The log --------------------------------------------------------------------------------- */

static struct sim_entry *entry_at(uint64_t position)
{
    return &memory.log[position * log_strides[SIM_PROGRAM] % SIM_LOG_MAX];
}

static void note(uint32_t kind, uint32_t peer, uint64_t number, uint64_t value)
{
    struct sim_entry *entry = entry_at(memory.position);

    *entry = (struct sim_entry){kind, peer, number, value, swarm_now()};
    memory.hash = sim_entry_mix(memory.hash, entry);
    memory.position++;
}

static int is_full(void)
{
    return memory.position + 64 > SIM_LOG_MAX;
}

/* Compute for so long, while others may run: nothing of its own may change by that. */
static void compute(uint64_t ms)
{
    uint64_t position = memory.position, hash = memory.hash, time_ns = swarm_now(), sum = 0;

    for (uint64_t i = 0; i < ms * SIM_ROUNDS_PER_MS; i++) {
        sum = sim_mix(sum, i);
        if (i % 64 == 0 && swarm_now() != time_ns)
            break;
    }
    memory.computed ^= sum;
    if (position != memory.position || hash != memory.hash || time_ns != swarm_now())
        note(SIM_ENTRY_BROKEN, 0, swarm_now(), time_ns);
}

/* As long as it spins its fuel is looked at. */
static void spin(void)
{
    if (++memory.hash % 256 == 0)
        (void)swarm_now();
}

static struct sim_config read_config(void)
{
    char letters[SIM_CONFIG_LETTERS] = {0};

    (void)swarm_self(SWARM_SELF_CONFIG, letters, sizeof letters);
    return sim_config_read(letters);
}

/* --- Names ----------------------------------------------------------------------------------- */

static const struct agent {
    const char *name;
    uint32_t size, first, count;
} agents[] = {
    {"account", 7, 0, SIM_ACCOUNTS},           {"tight", 5, SIM_TIGHT_FIRST, SIM_TIGHT},
    {"hub", 3, SIM_HUB_FIRST, SIM_HUBS},       {"mirror", 6, SIM_MIRROR_FIRST, SIM_MIRRORS},
    {"brief", 5, SIM_BRIEF_FIRST, SIM_BRIEFS}, {"fresh", 5, SIM_FRESH_FIRST, SIM_FRESH}};

static uint32_t write_name(uint32_t peer, char *text)
{
    const struct agent *agent = agents;
    uint32_t size = 0, key;

    while (peer >= agent->first + agent->count)
        agent++;
    for (; size < agent->size; size++)
        text[size] = agent->name[size];
    text[size++] = '/';
    key = peer - agent->first;
    if (key >= 10)
        text[size++] = (char)('0' + key / 10);
    text[size++] = (char)('0' + key % 10);
    return size;
}

static uint32_t peer_of(const char *text, uint32_t size)
{
    for (uint32_t peer = 0; peer < SIM_PEERS; peer++) {
        char name[16];
        uint32_t at = 0, wanted = write_name(peer, name);

        while (at < size && at < wanted && name[at] == text[at])
            at++;
        if (at == size && at == wanted)
            return peer;
    }
    return SIM_CLIENT;
}

static uint32_t write_subject(uint64_t subject, char *text)
{
    static const char begin[] = "news.";

    for (uint32_t i = 0; i < 5; i++)
        text[i] = begin[i];
    text[5] = (char)('0' + subject % SIM_SUBJECTS);
    return 6;
}
