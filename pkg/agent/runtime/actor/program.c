#include "pkg/agent/runtime/actor/program.h"

#include "pkg/agent/link/frame.h"
#include "pkg/agent/runtime/actor/capture.h"
#include "pkg/agent/runtime/actor/state.h"

#include <stdlib.h>
#include <string.h>

#define PROGRAMS_KEPT                                                                              \
    16u /* And two for each Pod, before those that nobody runs are looked for.                     \
         */

static void forget(struct sw_worker *worker, struct sw_program *program, struct sw_bytes name)
{
    (void)sw_map_remove(worker->programs, name.data, name.size);
    if (worker->engine.module_forget != NULL)
        worker->engine.module_forget(worker->engine.ctx, program->module);
    worker->engine.module_unref(worker->engine.ctx, program->module);
    free(program);
}

/* Forget programs that no Pod and no instance of this worker runs. */
static void sweep(struct sw_worker *worker)
{
    struct sw_map_entry entry;
    size_t cursor = 0;
    void *value;

    while (sw_map_next(worker->programs, &cursor, &entry))
        ((struct sw_program *)entry.value)->is_used = false;
    cursor = 0;
    while (sw_map_next(worker->pods, &cursor, &entry)) {
        const struct sw_pod *pod = entry.value;
        if (pod->program != NULL)
            pod->program->is_used = true;
    }
    cursor = 0;
    while (sw_idmap_next(worker->instances, &cursor, NULL, &value)) {
        const struct sw_instance *instance = value;
        struct sw_program *program =
            instance->spec == NULL ? NULL : sw_program_find(worker, instance->spec->program);
        if (program != NULL)
            program->is_used = true;
    }
    cursor = 0;
    while (sw_map_next(worker->programs, &cursor, &entry)) {
        struct sw_program *program = entry.value;
        if (program->is_used)
            continue;
        forget(worker, program, entry.key);
        cursor = 0;
    }
}

struct sw_program *sw_program_find(const struct sw_worker *worker, struct sw_bytes name)
{
    return sw_map_find(worker->programs, name.data, name.size);
}

struct sw_program *sw_program_add(struct sw_worker *worker, struct sw_bytes name,
                                  struct sw_guest_module *module)
{
    struct sw_program *program = sw_program_find(worker, name);

    if (program != NULL) {
        worker->engine.module_unref(worker->engine.ctx, module);
        return program;
    }
    if (sw_map_count(worker->programs) > PROGRAMS_KEPT + 2 * sw_map_count(worker->pods))
        sweep(worker);
    program = calloc(1, sizeof *program);
    if (program == NULL ||
        sw_map_put(worker->programs, name.data, name.size, program, NULL) != SW_OK) {
        free(program);
        worker->engine.module_unref(worker->engine.ctx, module);
        sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for a module");
        return NULL;
    }
    program->module = module;
    worker->engine.module_view(worker->engine.ctx, module, &program->view);
    return program;
}

void sw_programs_done(struct sw_worker *worker)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    while (worker->programs != NULL && sw_map_next(worker->programs, &cursor, &entry)) {
        struct sw_program *program = entry.value;
        worker->engine.module_unref(worker->engine.ctx, program->module);
        free(program);
    }
    sw_map_free(worker->programs);
}

/* --- Whether it is needed -------------------------------------------------------------------- */

/* With a history that is to be kept, the journal is read from its birth, and so by all that there
 * ever was. */
static bool is_needed(const struct sw_worker *worker, struct sw_bytes digest)
{
    struct sw_shared *shared = worker->shared;
    const struct sw_snapshots *snapshots = shared->snapshots;
    bool has_history =
        snapshots->history_bytes > 0 && sw_journal_begin(shared->journal) == SW_JOURNAL_BIRTH_LSN;
    uint32_t generation = has_history ? 0 : atomic_load(&snapshots->ground_generation);

    /* What changes Pods and came before may still wait. */
    return worker->passing.items != NULL || sw_specs_need(&shared->specs, digest, generation) ||
           sw_keeper_needs(snapshots->keeper, digest);
}

static bool has_pod(const struct sw_worker *worker, const struct sw_program *program)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    while (sw_map_next(worker->pods, &cursor, &entry))
        if (((const struct sw_pod *)entry.value)->program == program)
            return true;
    return false;
}

/* Look at a module in one class; if it is not needed there, nor anywhere so far, it is forgotten.
 */
static void ask_class(struct sw_worker *worker, struct sw_item_program_ask *ask,
                      enum sw_abi_class class)
{
    char name[SW_ABI_PROGRAM_SIZE];
    struct sw_program *program;

    sw_abi_program_name(ask->digest, class, name);
    program = sw_program_find(worker, (struct sw_bytes){name, strlen(name)});
    ask->is_needed = ask->is_needed || (program != NULL && has_pod(worker, program));
    if (!ask->is_needed && program != NULL)
        forget(worker, program, (struct sw_bytes){name, strlen(name)});
}

void sw_program_ask(struct sw_worker *worker, struct sw_item_program_ask *ask)
{
    struct sw_frame frame = {.kind = SW_FRAME_REPLY, .reply = {.request = ask->request}};

    ask->is_needed = ask->is_needed || is_needed(worker, ask->digest);
    for (unsigned i = 0; i < SW_ABI_CLASSES; i++)
        ask_class(worker, ask, (enum sw_abi_class)i);
    if (sw_output_epoch_now(worker) > ask->epoch)
        ask->epoch = sw_output_epoch_now(worker);
    if (worker->options.index + 1 < worker->options.count) {
        sw_item_put(&worker->sent[worker->options.index + 1], &ask->item);
        return;
    }
    if (ask->is_needed)
        frame.reply.code = (uint32_t)-SW_E_PRECONDITION;
    sw_output_frame(worker, &frame, ask->epoch);
    sw_item_free(&ask->item, &worker->engine);
}

void sw_program_want(struct sw_worker *worker, const struct sw_instance *instance)
{
    struct sw_frame frame = {
        .kind = SW_FRAME_MODULE_WANTED,
        .module_wanted = {.uid = instance->pod->config.uid, .digest = instance->spec->program}};

    sw_output_frame(worker, &frame, sw_output_epoch_now(worker));
}
