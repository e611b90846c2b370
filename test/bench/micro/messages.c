#include "test/bench/micro/micro.h"

#include "include/swarm/agent.h"

#define PAIRS 100u
#define ROUND_TRIPS "10000"
#define FAN_MESSAGES 10u /* To each. */
#define FAN_BATCH 512u
#define PUBLISHES 5u

static const uint8_t body[128];

static void play(struct micro *micro, bool is_durable)
{
    const struct micro_pod pod = {
        .guest = "pairs", .config = ROUND_TRIPS, .is_durable = is_durable};

    micro_open(micro, &pod);
    for (uint32_t round = 0; round < micro->rounds; round++) {
        struct sw_worker_view before, after;
        uint64_t begun = micro_cpu_ns();

        sw_worker_view(micro->worker, &before);
        for (uint32_t i = 0; i < PAIRS; i++)
            micro_ask(micro, i, (struct sw_bytes){body, sizeof body});
        micro_settle(micro);
        sw_worker_view(micro->worker, &after);
        micro_print("a message", micro_cpu_ns() - begun, after.sends - before.sends);
    }
    micro_close(micro);
}

void micro_pairs(struct micro *micro)
{
    play(micro, false);
}

void micro_durable(struct micro *micro)
{
    play(micro, true);
}

static void send_batches(struct micro *micro, uint32_t count, bool is_first)
{
    uint64_t begun = micro_cpu_ns(), state = 1;

    for (uint32_t i = 0; i < count;) {
        for (uint32_t k = 0; k < FAN_BATCH && i < count; k++, i++)
            micro_tell(micro, is_first ? i : micro_random(&state) % micro->keys,
                       (struct sw_bytes){body, sizeof body});
        micro_settle(micro);
    }
    micro_print(is_first ? "an instance that was not there, and its message" : "a message",
                micro_cpu_ns() - begun, count);
}

void micro_fan(struct micro *micro)
{
    micro_open(micro, &(struct micro_pod){.guest = "fan", .config = ROUND_TRIPS});
    send_batches(micro, micro->keys, true);
    for (uint32_t round = 0; round < micro->rounds; round++)
        send_batches(micro, FAN_MESSAGES * micro->keys, false);
    micro_close(micro);
}

void micro_publish(struct micro *micro)
{
    const struct sw_item_publish publish = {.request = 1,
                                            .name_space = {"default", 7},
                                            .subject = {"news", 4},
                                            .body = {body, sizeof body},
                                            .priority = SWARM_PRIORITY_NORMAL};
    struct sw_worker_view before, after;

    micro_open(micro, &(struct micro_pod){.guest = "hearer", .config = ""});
    for (uint32_t i = 0; i < micro->keys; i++)
        micro_tell(micro, i, (struct sw_bytes){body, 1});
    micro_settle(micro);
    for (uint32_t round = 0; round < micro->rounds; round++) {
        uint64_t begun = micro_cpu_ns();

        sw_worker_view(micro->worker, &before);
        for (uint32_t i = 0; i < PUBLISHES; i++) {
            sw_worker_put(micro->worker, sw_item_publish_new(&publish));
            micro_settle(micro);
        }
        sw_worker_view(micro->worker, &after);
        micro_print("a delivery of a publish, with its segment", micro_cpu_ns() - begun,
                    after.segments - before.segments);
    }
    micro_close(micro);
}
