/* What agent hosts used: the file of those that are no more, and the one in the folder of a host
 * that sleeps. The first byte says what becomes of that host, the next two how long the first file
 * is. Whatever files say, and wherever writing fails, what its namespace used stays the same. */
/* uses: pkg/agent/hosts pkg/agent/controller */
/* covers: pkg/agent/hosts/gone.c */
#include "pkg/agent/controller/state.h"
#include "pkg/agent/hosts/state.h"
#include "test/support/disk.h"

#include <stdio.h>

#define DATA "d"
#define FOLDER DATA "/hosts/agent-u"
#define SPACE "shop"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum flags { HAS_BASE = 1, HAS_OWN = 2, BEGINS = 4, CRASHES = 8, FAILS = 16 };

static struct disk disk;
static struct sw_logger logger = {.file = -1};
static struct sw_agents agents = {.has_ended_well = true};
static struct sw_hosts hosts;
static struct sw_host host;

struct sum {
    uint64_t figures[8];
};

static void add(void *ctx, const struct sw_agent_usage *usage)
{
    const struct sw_pod_used *used = &usage->used;
    const uint64_t figures[8] = {used->cpu_ns,    used->handled, used->bytes_in,      used->sent,
                                 used->bytes_out, used->wakeups, used->memory_byte_s, used->fuel};

    for (size_t i = 0; i < 8; i++)
        ((struct sum *)ctx)->figures[i] += figures[i];
}

/* That its namespace used, in all hosts; sums wrap. */
static struct sum sum_up(void)
{
    struct sum sum = {0};

    sw_hosts_each_space_usage(&hosts, SPACE, add, &sum);
    return sum;
}

static bool is_same(const struct sum *sum)
{
    const struct sum now = sum_up();

    return memcmp(sum, &now, sizeof now) == 0;
}

static struct sw_map *map_new(void)
{
    struct sw_map *map = sw_map_new(0);

    if (map == NULL)
        abort();
    return map;
}

static void end(void)
{
    sw_hosts_usage_done(&hosts);
    sw_hosts_gone_done(&hosts);
    sw_map_free(hosts.pods);
}

/* swarmd starts. False: it says why it does not. */
static bool start(void)
{
    struct sw_err err = {0};

    hosts = (struct sw_hosts){
        .options = {.host = {.system = &disk.system, .logger = &logger}, .data_folder = DATA},
        .pods = map_new(),
        .usages = map_new(),
        .gone = map_new(),
        .gone_ids = map_new()};
    host = (struct sw_host){.hosts = &hosts,
                            .about = {.isolation = SW_POD_ISOLATION_AGENT,
                                      .name = "agent/" SPACE "/cart",
                                      .name_space = SPACE,
                                      .agent = "cart",
                                      .agent_uid = "u"},
                            .agents = &agents,
                            .folder = FOLDER};
    if (sw_hosts_gone_load(&hosts, &err) != SW_OK) {
        assert(err.message[0] != 0 && err.hint[0] != 0);
        return false;
    }
    sw_host_usage_note(&host);
    return true;
}

static void start_again(void)
{
    disk.fail_writes_after = -1;
    end();
    if (!start())
        abort(); /* What was written can be read. */
}

static void put(const char *path, const uint8_t *bytes, size_t size)
{
    if (sw_file_save(&disk.system, path, bytes, size, NULL) != SW_OK)
        abort();
}

/* Nothing needs its folder. */
static void remove_host(uint8_t flags, const struct sum *before)
{
    struct sw_err err = {0};

    if (sw_host_usage_add(&host, &err) != SW_OK) {
        assert(is_same(before));
    } else if ((flags & CRASHES) == 0) {
        sw_host_usage_forget(&host);
        assert(is_same(before));
        if (disk.system.path_remove(&disk, FOLDER "/" SW_HOST_USAGE_FILE, NULL) != SW_OK)
            abort();
    }
    start_again();
    assert(is_same(before));
}

/* It begins again, and ends: all that it used is told by itself. */
static void begin_host(const struct sum *before)
{
    struct sw_host_usage told = {.name_space = SPACE};
    struct sum after;
    struct sw_err err = {0};

    if (sw_host_usage_begin(&host, &err) != SW_OK) {
        assert(err.message[0] != 0 && is_same(before));
        return;
    }
    assert(disk_find(&disk, FOLDER "/" SW_HOST_USAGE_FILE) == NULL);
    after = sum_up();
    told.used = (struct sw_pod_used){.cpu_ns = before->figures[0] - after.figures[0],
                                     .handled = before->figures[1] - after.figures[1],
                                     .bytes_in = before->figures[2] - after.figures[2],
                                     .sent = before->figures[3] - after.figures[3],
                                     .bytes_out = before->figures[4] - after.figures[4],
                                     .wakeups = before->figures[5] - after.figures[5],
                                     .memory_byte_s = before->figures[6] - after.figures[6],
                                     .fuel = before->figures[7] - after.figures[7]};
    sw_hosts_usage_put(&host, &told);
    assert(is_same(before));
    sw_host_usage_keep(&host);
    if (host.has_usage) {
        start_again();
        assert(is_same(before));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *text;
    struct sum before;
    size_t base;

    if (size < 3)
        return 0;
    text = data + 3;
    base = (size_t)data[1] << 8 | data[2];
    base = base < size - 3 ? base : size - 3;
    disk_init(&disk, 1);
    agents.calls_by_name = map_new();
    if ((data[0] & HAS_BASE) != 0)
        put(DATA "/" SW_HOSTS_USAGE_FILE, text, base);
    if ((data[0] & HAS_OWN) != 0)
        put(FOLDER "/" SW_HOST_USAGE_FILE, text + base, size - 3 - base);
    if (start()) {
        before = sum_up();
        if ((data[0] & FAILS) != 0)
            disk.fail_writes_after = data[0] >> 5;
        if ((data[0] & BEGINS) != 0)
            begin_host(&before);
        else
            remove_host(data[0], &before);
    }
    end();
    sw_map_free(agents.calls_by_name);
    disk_done(&disk);
    return 0;
}
