/* bench-micro BUILD [MODE [ROUNDS [INSTANCES]]] */
#include "test/bench/micro/micro.h"

#include <stdlib.h>
#include <string.h>

static const struct mode {
    const char *name, *about;
    void (*run)(struct micro *micro);
} modes[] = {
    {"pairs", "messages between 100 pairs, durability none", micro_pairs},
    {"durable", "the same with records, which are not committed", micro_durable},
    {"fan", "messages at random to many instances, 512 at a time", micro_fan},
    {"publish", "one publish to many subscribers", micro_publish},
    {"wake", "messages at random to many instances that sleep, 64 at a time", micro_wake},
    {"snapshot", "a snapshot of many instances that are awake", micro_snapshot},
    {"append", "records into the journal, with a commit for each 1, 64 and 4,096", micro_append},
};

#define KEYS 100000u
#define MODES (sizeof modes / sizeof modes[0])

static int usage(void)
{
    fprintf(stderr, "usage: bench-micro BUILD [MODE [ROUNDS [INSTANCES]]]\n");
    for (size_t i = 0; i < MODES; i++)
        fprintf(stderr, "  %-9s %s\n", modes[i].name, modes[i].about);
    return 2;
}

int main(int argc, char **argv)
{
    const char *wanted = argc > 2 ? argv[2] : "pairs";
    struct micro micro = {.system = sw_system_real()};

    if (argc < 2)
        return usage();
    micro.build = argv[1];
    micro.rounds = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 5;
    micro.keys = argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : KEYS;
    for (size_t i = 0; i < MODES; i++) {
        if (strcmp(modes[i].name, wanted) != 0)
            continue;
        modes[i].run(&micro);
        return 0;
    }
    return usage();
}
