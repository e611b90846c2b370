#include "cmd/swarm-agent-host/driver.h"

#include "pkg/utils/base/text.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How much memory instances may have that are awake: half of what there is, and less while the
 * machine, or the control group that the process is in, is short of it. */

#define PRESSURE_HIGH                                                                              \
    500u               /* Of the last ten seconds somebody waited so many hundredths of a          \
                          percent for memory. */
#define SHRINK_PART 8u /* So much of what they have goes each second, */
#define GROW_PART 32u  /* and so much of the limit comes back. */
#define FLOOR_PART 16u /* So much of it is theirs in any case. */

/* The number that a file begins with; UINT64_MAX: there is none. */
static uint64_t read_number(const char *path)
{
    char text[64];
    uint64_t number = UINT64_MAX;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = file < 0 ? -1 : read(file, text, sizeof text - 1);

    if (file >= 0)
        (void)close(file);
    if (size <= 0)
        return UINT64_MAX;
    text[size] = 0;
    text[strcspn(text, "\n")] = 0;
    return sw_text_to_u64(text, &number) == SW_OK ? number : UINT64_MAX;
}

/* The limit of the control group with that path under the mount, and of those above it. */
static uint64_t limit_of(const char *mount, const char *group, const char *name)
{
    char folder[SW_PATH_MAX], path[SW_PATH_MAX + 64];
    uint64_t least = UINT64_MAX;
    size_t root = strlen(mount);
    char *slash;

    if ((size_t)snprintf(folder, sizeof folder, "%s%s", mount, group) >= sizeof folder)
        return UINT64_MAX;
    do {
        uint64_t limit;

        snprintf(path, sizeof path, "%s/%s", folder, name);
        limit = read_number(path);
        least = limit < least ? limit : least;
        slash = strrchr(folder, '/');
        if (slash != NULL)
            *slash = 0;
    } while (slash != NULL && strlen(folder) >= root);
    return least;
}

static int pressure_of(const char *group)
{
    char path[SW_PATH_MAX];
    bool fits = (size_t)snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.pressure", group) <
                sizeof path;

    return fits ? open(path, O_RDONLY | O_CLOEXEC) : -1;
}

/* Of the groups that the process is in the least limit, and the pressure of the one of version 2.
 */
static uint64_t look_at_groups(int *ret_pressure)
{
    uint64_t least = UINT64_MAX;
    char line[SW_PATH_MAX];
    FILE *file = fopen("/proc/self/cgroup", "re");

    *ret_pressure = -1;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        char *controllers = strchr(line, ':'), *group;
        uint64_t limit = UINT64_MAX;

        group = controllers == NULL ? NULL : strchr(controllers + 1, ':');
        if (group == NULL)
            continue;
        *group++ = 0;
        group[strcspn(group, "\n")] = 0;
        if (controllers[1] == 0) {
            limit = limit_of("/sys/fs/cgroup", group, "memory.max");
            *ret_pressure = pressure_of(group);
        } else if (strstr(controllers + 1, "memory") != NULL) {
            limit = limit_of("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes");
        }
        least = limit < least ? limit : least;
    }
    if (file != NULL)
        (void)fclose(file);
    return least;
}

/* What the process has of the machine's memory. */
static uint64_t used_bytes(void *ctx)
{
    const struct driver *driver = ctx;
    char text[128];
    unsigned long long resident;
    ssize_t size = pread(driver->statm, text, sizeof text - 1, 0);

    if (size <= 0)
        return 0;
    text[size] = 0;
    return sscanf(text, "%*u %llu", &resident) == 1 ? resident * (uint64_t)driver->page_bytes : 0;
}

void memory_watch(struct driver *driver)
{
    atomic_store(&driver->shared.awake_bytes, driver->awake_max);
    driver->shared.used_ctx = driver;
    driver->shared.used_bytes = driver->statm < 0 ? NULL : used_bytes;
}

void memory_open(struct driver *driver, uint64_t wanted)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    uint64_t there = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
    uint64_t limit = look_at_groups(&driver->group_pressure);

    there = limit < there ? limit : there;
    driver->awake_max = wanted != 0 ? wanted : there / 2;
    driver->page_bytes = page;
    driver->statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    driver->pressure = open("/proc/pressure/memory", O_RDONLY | O_CLOEXEC);
}

/* In hundredths of a percent; 0: none, or nobody says. */
static uint64_t read_pressure(int file)
{
    char text[256];
    unsigned whole, part;
    ssize_t size = file < 0 ? -1 : pread(file, text, sizeof text - 1, 0);

    if (size <= 0)
        return 0;
    text[size] = 0;
    return sscanf(text, "some avg10=%u.%2u", &whole, &part) == 2 ? whole * 100 + part : 0;
}

void memory_look(struct driver *driver)
{
    uint64_t max = driver->awake_max, now = atomic_load(&driver->shared.awake_bytes);
    uint64_t used = driver->statm < 0 ? now : used_bytes(driver);

    if (max == 0)
        return;
    if (read_pressure(driver->pressure) >= PRESSURE_HIGH ||
        read_pressure(driver->group_pressure) >= PRESSURE_HIGH) {
        now = used < now ? used : now;
        now -= now / SHRINK_PART;
        now = now < max / FLOOR_PART ? max / FLOOR_PART : now;
    } else {
        now = max - now < max / GROW_PART ? max : now + max / GROW_PART;
    }
    atomic_store(&driver->shared.awake_bytes, now);
    for (uint32_t i = 0; used > now && i < driver->lanes_count; i++)
        lane_wake(&driver->lanes[i]); /* Those that do nothing have somebody who rests, too. */
}
