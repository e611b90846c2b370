#include "test/sim/rerun.h"

#include "pkg/agent/abi/abi.h"
#include "pkg/agent/runtime/actor/rerun.h"
#include "pkg/agent/runtime/host/guest_wasm.h"
#include "pkg/agent/runtime/wasm/wasm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rerun {
    struct sw_guest_engine engine;
    const struct sim_front *front;
    struct sw_guest_module *modules[SIM_PROGRAMS];
    struct sim_rerun_result *result;
};

static enum sw_rc get_program(void *ctx, struct sw_worker *worker, struct sw_bytes pod,
                              struct sw_bytes digest, struct sw_err *err)
{
    struct rerun *rerun = ctx;
    const struct sw_bytes code = sim_front_code(rerun->front, digest);
    struct sw_item *item;
    uint32_t program = 0;

    (void)pod;
    if (code.size == 0)
        return sw_err_set(err, SW_E_NOT_FOUND, "a module that never was");
    while (rerun->front->codes[program].data != code.data)
        program++;
    item = sw_item_program_new(
        digest, rerun->engine.module_ref(rerun->engine.ctx, rerun->modules[program]));
    if (item == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a module");
    sw_worker_put(worker, item);
    return SW_OK;
}

static void tell(void *ctx, const struct sw_rerun_trouble *trouble)
{
    const struct rerun *rerun = ctx;

    snprintf(rerun->result->words, sizeof rerun->result->words, "replayed, %.*s/%.*s: %s",
             (int)trouble->agent.size, (const char *)trouble->agent.data, (int)trouble->key.size,
             trouble->key.size > 0 ? (const char *)trouble->key.data : "", trouble->words);
}

void sim_rerun(const struct sim_front *front, struct sim_rerun_result *ret_result)
{
    const struct sim_host *host = front->host;
    struct sw_journal_options journal = {
        .system = &host->options.disk->system, .folder = SIM_HOST_FOLDER, .is_read_only = true};
    struct rerun rerun = {.front = front, .result = ret_result};
    struct sw_shared shared;
    struct sw_wasm_worker *wasm;
    struct sw_worker *worker;
    struct sw_worker_options options = {.shared = &shared, .count = 1};
    struct sw_rerun_options all = {.journal = &journal,
                                   .shared = &shared,
                                   .workers = &worker,
                                   .count = 1,
                                   .ctx = &rerun,
                                   .program = get_program,
                                   .tell = tell};
    struct sw_rerun_report report;
    struct sw_err err = {0};

    memset(ret_result, 0, sizeof *ret_result);
    if (sw_shared_init(&shared, &host->options.disk->system, SW_ABI_FINGERPRINT) != SW_OK ||
        sw_wasm_worker_new(host->options.wasm, &wasm, &err) != SW_OK)
        abort();
    rerun.engine = options.engine = sw_guest_wasm_worker(wasm);
    if (sw_worker_new(&options, &worker, &err) != SW_OK)
        abort();
    for (uint32_t i = 0; i < SIM_PROGRAMS; i++)
        if (sw_guest_wasm_open(host->options.wasm, SW_ABI_COMPACT, front->codes[i],
                               &rerun.modules[i], &err) != SW_OK)
            abort();
    if (sw_rerun(&all, &report, &err) != SW_OK)
        snprintf(ret_result->words, sizeof ret_result->words, "it cannot be replayed: %.500s",
                 err.message);
    ret_result->segments = report.segments;
    ret_result->compared = report.compared;
    sw_worker_free(worker);
    for (uint32_t i = 0; i < SIM_PROGRAMS; i++)
        rerun.engine.module_unref(rerun.engine.ctx, rerun.modules[i]);
    sw_wasm_worker_free(wasm);
    sw_journal_close(shared.journal);
    sw_shared_done(&shared);
}
