/* bench-micro BUILD [durable|fan]: messages to instances on one worker, without threads, sockets or
 * other processes, so that what a message costs can be profiled and compared. Prints ns of
 * processor time for a message, for rounds of `pairs` (build/guests/bench_pairs.wasm), or, with
 * `fan`, for messages at random to 100,000 instances of bench_fan.wasm, 512 at a time.
 *
 * The worker, its journal and the guests are what ships; nothing is committed, and with `durable`
 * records are made and dropped. */
#include "include/swarm/agent.h"
#include "pkg/agent/modules/rewrite.h"
#include "pkg/agent/runtime/actor/recovery.h"
#include "pkg/agent/runtime/host/guest_wasm.h"
#include "pkg/agent/runtime/wasm/wasm.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAIRS 100u
#define ROUND_TRIPS "10000"
#define ROUNDS 5
#define FAN_KEYS 100000u
#define FAN_MESSAGES 1000000u
#define FAN_BATCH 512u
#define MODULE_BYTES_MAX (16u << 20)
#define CODE_BYTES_MAX (64u << 20)

struct micro {
    const struct sw_system *system;
    char folder[128];
    struct sw_wasm_engine *wasm;
    struct sw_wasm_worker *guests;
    struct sw_guest_module *module;
    struct sw_shared shared;
    struct sw_worker *worker;
    bool is_durable, is_fan;
};

static void check(enum sw_rc rc, const struct sw_err *err)
{
    if (rc == SW_OK)
        return;
    fprintf(stderr, "bench-micro: %s\n", err->message);
    exit(1);
}

static void open_module(struct micro *micro, const char *build)
{
    struct sw_buffer module, rewritten, code;
    struct sw_err err = {0};
    char path[512];

    snprintf(path, sizeof path, "%s/guests/bench_%s.wasm", build, micro->is_fan ? "fan" : "pairs");
    sw_buffer_init(&module, MODULE_BYTES_MAX);
    sw_buffer_init(&rewritten, MODULE_BYTES_MAX);
    sw_buffer_init(&code, CODE_BYTES_MAX);
    check(sw_file_load(micro->system, path, MODULE_BYTES_MAX, &module, &err), &err);
    check(sw_module_rewrite((struct sw_bytes){module.data, module.size}, &rewritten, &err), &err);
    check(sw_wasm_compile((struct sw_bytes){rewritten.data, rewritten.size}, SW_ABI_COMPACT, &code,
                          &err),
          &err);
    check(sw_guest_wasm_engine(0, &micro->wasm, &err), &err);
    check(sw_guest_wasm_open(micro->wasm, SW_ABI_COMPACT, (struct sw_bytes){code.data, code.size},
                             &micro->module, &err),
          &err);
    sw_buffer_done(&module);
    sw_buffer_done(&rewritten);
    sw_buffer_done(&code);
}

static void open_host(struct micro *micro)
{
    struct sw_journal_options journal = {
        .system = micro->system, .folder = micro->folder, .epoch_bytes = (size_t)1 << 30};
    struct sw_worker_options options = {.shared = &micro->shared, .count = 1};
    struct sw_recovery_report report;
    struct sw_err err = {0};

    check(sw_shared_init(&micro->shared, micro->system, "bench"), &err);
    check(sw_wasm_worker_new(micro->wasm, &micro->guests, &err), &err);
    options.engine = sw_guest_wasm_worker(micro->guests);
    check(sw_worker_new(&options, &micro->worker, &err), &err);
    check(sw_recover(&journal, &micro->shared, &micro->worker, 1, &report, &err), &err);
}

static void open_pod(struct micro *micro)
{
    struct sw_pod_config config = {.pod = 1,
                                   .uid = {"01932c07-8ba2-7c1e-9a2b-012345678901", 36},
                                   .name_space = {"default", 7},
                                   .agent = {"pairs", 5},
                                   .agent_uid = {"01932c07-8ba2-7c1e-9a2b-012345678902", 36},
                                   .digest = {"sha256:1", 8},
                                   .config = {ROUND_TRIPS, sizeof ROUND_TRIPS - 1},
                                   .generation = 1,
                                   .is_keyed = true,
                                   .is_durable = micro->is_durable,
                                   .priority = SWARM_PRIORITY_NORMAL,
                                   .deadline_ms = 1000,
                                   .mailbox = 1024,
                                   .instances_max = FAN_KEYS + 100,
                                   .memory_bytes = 1u << 20,
                                   .body_bytes = 262144,
                                   .retry_attempts = 1};

    memset(config.slots, 0xff, sizeof config.slots);
    sw_worker_put(micro->worker, sw_item_pod_open_new(&config, micro->module));
}

static void send(struct micro *micro, uint32_t number)
{
    static const uint8_t body[128];
    char key[16];
    struct sw_message template = {.pod = 1,
                                  .head = {.flags = SWARM_MESSAGE_WANTS_REPLY,
                                           .priority = SWARM_PRIORITY_NORMAL,
                                           .origin = {.kind = SW_ORIGIN_CLIENT,
                                                      .incarnation = micro->shared.incarnation,
                                                      .number = number + 1}},
                                  .body = {body, sizeof body}};

    template.key = (struct sw_bytes){key, (size_t)snprintf(key, sizeof key, "%u", number)};
    sw_worker_put(micro->worker, &sw_message_new(&template)->item);
}

static bool remove_file(void *ctx, const char *name)
{
    const struct micro *micro = ctx;
    char path[512];

    snprintf(path, sizeof path, "%s/%s", micro->folder, name);
    (void)micro->system->path_remove(micro->system->ctx, path, NULL);
    return true;
}

/* The journal is of no use afterwards. */
static void close_host(struct micro *micro)
{
    sw_worker_free(micro->worker);
    sw_journal_close(micro->shared.journal);
    sw_shared_done(&micro->shared);
    (void)micro->system->folder_list(micro->system->ctx, micro->folder, remove_file, micro, NULL);
    (void)rmdir(micro->folder);
}

static uint64_t cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint32_t drop_outputs(struct micro *micro)
{
    struct sw_output *output;
    uint32_t count = 0;

    while ((output = sw_worker_output(micro->worker)) != NULL) {
        count++;
        free(output);
    }
    return count;
}

static void tell(struct micro *micro, uint32_t number)
{
    static const uint8_t body[128];
    char key[16];
    struct sw_message template = {.pod = 1,
                                  .head = {.priority = SWARM_PRIORITY_NORMAL, .from = {"fan/a", 5}},
                                  .body = {body, sizeof body}};
    static const uint8_t hash_key[16] = {0x01, 0x93, 0x2c, 0x07, 0x8b, 0xa2, 0x7c, 0x1e,
                                         0x9a, 0x2b, 0x01, 0x23, 0x45, 0x67, 0x89, 0x02};

    template.key = (struct sw_bytes){key, (size_t)snprintf(key, sizeof key, "%u", number)};
    template.hash = sw_board_key(hash_key, template.key);
    sw_worker_put(micro->worker, &sw_message_new(&template)->item);
}

static void fan(struct micro *micro, bool is_first)
{
    uint32_t count = is_first ? FAN_KEYS : FAN_MESSAGES;
    struct sw_err err = {0};
    uint64_t begun = cpu_ns(), state = 1;

    for (uint32_t i = 0; i < count;) {
        for (uint32_t k = 0; k < FAN_BATCH && i < count; k++, i++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            tell(micro, is_first ? i : (uint32_t)(state >> 33) % FAN_KEYS);
        }
        while (sw_worker_has_work(micro->worker)) {
            (void)sw_worker_run(micro->worker, 64);
            (void)drop_outputs(micro);
        }
    }
    check(sw_worker_failure(micro->worker, &err), &err);
    printf("%7.1f ns a message, %u messages%s\n", (double)(cpu_ns() - begun) / (double)count, count,
           is_first ? ", each to an instance that was not there" : "");
    fflush(stdout);
}

static void round_of(struct micro *micro)
{
    struct sw_worker_view before, after;
    struct sw_err err = {0};
    uint64_t begun = cpu_ns(), used;

    sw_worker_view(micro->worker, &before);
    for (uint32_t i = 0; i < PAIRS; i++)
        send(micro, i);
    while (sw_worker_has_work(micro->worker)) {
        (void)sw_worker_run(micro->worker, 64);
        (void)drop_outputs(micro);
        if (micro->is_durable && !sw_journal_has_room(micro->shared.journal))
            check(sw_journal_commit(micro->shared.journal, &err), &err);
    }
    used = cpu_ns() - begun;
    check(sw_worker_failure(micro->worker, &err), &err);
    sw_worker_view(micro->worker, &after);
    printf("%7.1f ns a message, %" PRIu64 " messages, %" PRIu64 " failures\n",
           (double)used / (double)(after.sends - before.sends), after.sends - before.sends,
           after.failures - before.failures);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct micro micro = {.system = sw_system_real(),
                          .is_durable = argc > 2 && strcmp(argv[2], "durable") == 0,
                          .is_fan = argc > 2 && strcmp(argv[2], "fan") == 0};

    if (argc < 2) {
        fprintf(stderr, "usage: bench-micro BUILD [durable|fan]\n");
        return 2;
    }
    snprintf(micro.folder, sizeof micro.folder, "%.90s/bench/micro.%d", argv[1],
             (int)time(NULL) % 100000);
    open_module(&micro, argv[1]);
    open_host(&micro);
    open_pod(&micro);
    if (micro.is_fan)
        fan(&micro, true);
    for (int i = 0; i < ROUNDS; i++)
        micro.is_fan ? fan(&micro, false) : round_of(&micro);
    close_host(&micro);
    return 0;
}
