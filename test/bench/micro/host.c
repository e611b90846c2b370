#include "test/bench/micro/micro.h"

#include "include/swarm/agent.h"

#include "pkg/agent/modules/rewrite.h"
#include "pkg/agent/store/shelf.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MODULE_BYTES_MAX (16u << 20)
#define CODE_BYTES_MAX (64u << 20)
#define NAMES_MAX 4096u

static const uint8_t hash_key[16] = {0x01, 0x93, 0x2c, 0x07, 0x8b, 0xa2, 0x7c, 0x1e,
                                     0x9a, 0x2b, 0x01, 0x23, 0x45, 0x67, 0x89, 0x02};

void micro_check(enum sw_rc rc, const struct sw_err *err)
{
    if (rc == SW_OK)
        return;
    fprintf(stderr, "bench-micro: %s\n", err->message);
    exit(1);
}

static void open_module(struct micro *micro, const char *guest)
{
    struct sw_buffer module, rewritten, code;
    struct sw_err err = {0};
    char path[512];

    snprintf(path, sizeof path, "%s/guests/bench_%s.wasm", micro->build, guest);
    sw_buffer_init(&module, MODULE_BYTES_MAX);
    sw_buffer_init(&rewritten, MODULE_BYTES_MAX);
    sw_buffer_init(&code, CODE_BYTES_MAX);
    micro_check(sw_file_load(micro->system, path, MODULE_BYTES_MAX, &module, &err), &err);
    micro_check(sw_module_rewrite((struct sw_bytes){module.data, module.size}, &rewritten, &err),
                &err);
    micro_check(sw_wasm_compile((struct sw_bytes){rewritten.data, rewritten.size}, SW_ABI_COMPACT,
                                &code, &err),
                &err);
    micro_check(sw_guest_wasm_engine(0, &micro->wasm, &err), &err);
    micro_check(sw_guest_wasm_open(micro->wasm, SW_ABI_COMPACT,
                                   (struct sw_bytes){code.data, code.size}, &micro->module, &err),
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

    micro_check(sw_shared_init(&micro->shared, micro->system, "bench"), &err);
    micro_check(sw_wasm_worker_new(micro->wasm, &micro->guests, &err), &err);
    options.engine = sw_guest_wasm_worker(micro->guests);
    micro_check(sw_worker_new(&options, &micro->worker, &err), &err);
    micro_check(sw_recover(&journal, &micro->shared, &micro->worker, 1, &report, &err), &err);
}

static void open_pod(struct micro *micro, const struct micro_pod *pod)
{
    struct sw_pod_config config = {.pod = 1,
                                   .uid = {"01932c07-8ba2-7c1e-9a2b-012345678901", 36},
                                   .name_space = {"default", 7},
                                   .agent = {"bench", 5},
                                   .agent_uid = {"01932c07-8ba2-7c1e-9a2b-012345678902", 36},
                                   .digest = {"sha256:1", 8},
                                   .config = {pod->config, strlen(pod->config)},
                                   .generation = 1,
                                   .is_keyed = true,
                                   .is_durable = pod->is_durable,
                                   .priority = SWARM_PRIORITY_NORMAL,
                                   .deadline_ms = 1000,
                                   .mailbox = 1024,
                                   .instances_max = micro->keys + 200,
                                   .memory_bytes = 1u << 20,
                                   .body_bytes = 262144,
                                   .retry_attempts = 1,
                                   .rest_ns = pod->rests_at_once ? 0 : UINT64_MAX};

    memset(config.slots, 0xff, sizeof config.slots);
    sw_worker_put(micro->worker, sw_item_pod_open_new(&config, micro->module));
}

void micro_open(struct micro *micro, const struct micro_pod *pod)
{
    snprintf(micro->folder, sizeof micro->folder, "%.90s/bench/micro.%d", micro->build,
             (int)getpid());
    open_module(micro, pod->guest);
    open_host(micro);
    open_pod(micro, pod);
    micro_settle(micro);
}

static bool remove_file(void *ctx, const char *name)
{
    const struct micro *micro = ctx;
    char path[512];

    snprintf(path, sizeof path, "%s/%s", micro->folder, name);
    (void)micro->system->path_remove(micro->system->ctx, path, NULL);
    return true;
}

void micro_close(struct micro *micro)
{
    sw_worker_free(micro->worker);
    sw_wasm_worker_free(micro->guests);
    sw_wasm_engine_free(micro->wasm);
    sw_journal_close(micro->shared.journal);
    sw_shared_done(&micro->shared);
    (void)micro->system->folder_list(micro->system->ctx, micro->folder, remove_file, micro, NULL);
    (void)rmdir(micro->folder);
}

uint64_t micro_cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* What threads and the loop of the agent host do, one after the other. */
static void serve(struct micro *micro)
{
    struct sw_item_read *read;
    struct sw_output *output;
    struct sw_err err = {0};

    while ((read = sw_worker_read(micro->worker)) != NULL) {
        sw_item_read_run(&micro->shared, read);
        sw_worker_put(micro->worker, &read->item);
    }
    while ((output = sw_worker_output(micro->worker)) != NULL) {
        micro->outputs++;
        free(output);
    }
    if (sw_shelf_has_work(micro->shared.shelf))
        micro_check(sw_shelf_write(micro->shared.shelf, &err), &err);
    if (!sw_journal_has_room(micro->shared.journal))
        micro_check(sw_journal_commit(micro->shared.journal, &err), &err);
}

void micro_settle(struct micro *micro)
{
    struct sw_err err = {0};

    while (sw_worker_has_work(micro->worker)) {
        (void)sw_worker_run(micro->worker, 64);
        serve(micro);
    }
    micro_check(sw_worker_failure(micro->worker, &err), &err);
}

static void put(struct micro *micro, struct sw_message *template, uint32_t number)
{
    char key[16];

    template->pod = 1;
    template->key = (struct sw_bytes){key, (size_t)snprintf(key, sizeof key, "%u", number)};
    template->hash = sw_board_key(hash_key, template->key);
    sw_worker_put(micro->worker, &sw_message_new(template)->item);
}

void micro_ask(struct micro *micro, uint32_t number, struct sw_bytes body)
{
    put(micro,
        &(struct sw_message){.head = {.flags = SWARM_MESSAGE_WANTS_REPLY,
                                      .priority = SWARM_PRIORITY_NORMAL,
                                      .origin = {.kind = SW_ORIGIN_CLIENT,
                                                 .incarnation = micro->shared.incarnation,
                                                 .number = number + 1}},
                             .body = body},
        number);
}

void micro_tell(struct micro *micro, uint32_t number, struct sw_bytes body)
{
    put(micro,
        &(struct sw_message){.head = {.priority = SWARM_PRIORITY_NORMAL, .from = {"bench/a", 7}},
                             .body = body},
        number);
}

void micro_print(const char *what, uint64_t ns, uint64_t count)
{
    printf("%9.1f ns %s, %" PRIu64 " of them\n", (double)ns / (double)count, what, count);
    fflush(stdout);
}

uint32_t micro_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}
