#include "test/sim/heat.h"

#include "test/sim/host.h"

#include <inttypes.h>

#define SEED_MIX 0x68656174u
#define EVERY_NS (4 * SIM_S)
#define BURST_PERMILLE 300u /* So often the next one comes at once. */
#define BURST_NS (2 * SIM_MS)
#define STAY_PERMILLE 200u /* So often one that is held stays after all. */

static void arm(struct sim_heat *heat)
{
    bool is_burst = sim_random_permille(&heat->random, BURST_PERMILLE) || heat->held != 0;
    uint64_t in_ns = sim_random_around(&heat->random, is_burst ? BURST_NS : EVERY_NS);

    sim_event_at(heat->host->options.loop, &heat->event, heat->host->options.loop->now_ns + in_ns);
}

static void stay(struct sim_heat *heat)
{
    if (sw_host_stay_pod(heat->host->core, heat->held) == SW_OK)
        heat->held = 0;
}

static void run(void *ctx)
{
    struct sim_heat *heat = ctx;
    struct sim_host *host = heat->host;
    uint64_t pods = atomic_load(&host->shared.next_pod);
    uint64_t pod = 1 + sim_random_below(&heat->random, pods == 0 ? 1 : pods);
    uint32_t to = (uint32_t)sim_random_below(&heat->random, host->options.workers);
    struct sw_err err = {0};
    enum sw_rc rc;

    if (host->state != SIM_HOST_RUNNING || host->ending != SIM_END_NONE)
        return;
    if (heat->held != 0 && sim_random_permille(&heat->random, STAY_PERMILLE))
        stay(heat);
    if (heat->held != 0)
        pod = heat->held;
    rc = sw_host_move_pod(host->core, pod, to, true, &err);
    if (rc == SW_E_UNAVAILABLE)
        heat->held = pod;
    else if (rc == SW_OK)
        heat->held = 0;
    else if (heat->held != 0)
        stay(heat);
    if (rc == SW_OK) {
        heat->moved++;
        sim_trace(host->options.trace, "host: Pod %" PRIu64 " is worker %" PRIu32 "'s", pod, to);
    }
    arm(heat);
}

void sim_heat_init(struct sim_heat *heat, struct sim_host *host, uint64_t seed)
{
    heat->host = host;
    heat->is_on = seed % 2 == 0;
    heat->random.state = seed ^ SEED_MIX;
    sim_event_init(&heat->event, run, heat);
}

void sim_heat_begin(struct sim_heat *heat)
{
    heat->held = 0;
    if (heat->is_on && heat->host->options.workers > 1)
        arm(heat);
}

void sim_heat_end(struct sim_heat *heat)
{
    sim_event_stop(heat->host->options.loop, &heat->event);
}
