/* Machine code on its way to the host: fetched when a Pod needs it, sent once to each host. */
#include "pkg/agent/controller/pieces.h"
#include "pkg/agent/controller/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fetch { /* One get; agents is NULL once nobody waits for it. */
    struct sw_list node;
    struct sw_agents *agents;
    uint64_t host_starts; /* The host that it was for. */
    char program[SW_ABI_PROGRAM_SIZE];
    char name_space[SW_FRAME_NAME_MAX + 1];
};

enum sw_rc sw_modules_use(struct sw_agents *agents, const char *program,
                          struct sw_module **ret_module, struct sw_err *err)
{
    size_t size = strlen(program);
    struct sw_module *module = sw_map_find(agents->modules, program, size);

    if (size >= sizeof module->program)
        return sw_err_set(err, SW_E_INVALID, "\"%.80s\" is no digest of a module", program);
    if (module == NULL) {
        module = calloc(1, sizeof *module);
        if (module == NULL || sw_map_put(agents->modules, program, size, module, NULL) != SW_OK) {
            free(module);
            return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a module");
        }
        (void)memcpy(module->program, program, size + 1);
    }
    module->uses++;
    *ret_module = module;
    return SW_OK;
}

void sw_modules_release(struct sw_agents *agents, struct sw_module *module)
{
    struct sw_frame drop = {.kind = SW_FRAME_MODULE_DROP};
    struct sw_module *runtime = module->runtime;

    if (--module->uses > 0)
        return;
    if (module->is_sent) {
        drop.module_drop.digest = (struct sw_bytes){module->program, strlen(module->program)};
        sw_host_send(agents, &drop);
    }
    (void)sw_map_remove(agents->modules, module->program, strlen(module->program));
    free(module);
    if (runtime != NULL)
        sw_modules_release(agents, runtime);
}

static void piece_send(void *ctx, const struct sw_frame *frame)
{
    sw_host_send(ctx, frame);
}

static void machine_send(struct sw_agents *agents, struct sw_module *module,
                         struct sw_bytes machine)
{
    const struct sw_pieces pieces = {piece_send, agents};

    sw_pieces_send_module(&pieces, module->program, machine);
    module->is_sent = true;
}

/* What runs it goes first, unless it is there. */
static enum sw_rc bundle_send(struct sw_agents *agents, struct sw_module *module,
                              const struct sw_abi_code *code, struct sw_err *err)
{
    const struct sw_pieces pieces = {piece_send, agents};
    enum sw_rc rc = module->runtime != NULL
                        ? SW_OK
                        : sw_modules_use(agents, code->runtime, &module->runtime, err);

    if (rc != SW_OK)
        return rc;
    if (!module->runtime->is_sent)
        machine_send(agents, module->runtime, code->machine);
    sw_pieces_send_bundle(&pieces, module->program, code);
    module->is_sent = true;
    return SW_OK;
}

static enum sw_rc code_send(struct sw_agents *agents, struct sw_module *module,
                            const struct sw_abi_code *code, struct sw_err *err)
{
    if (code->machine.size == 0)
        return sw_err_set(err, SW_E_UNAVAILABLE, "there is no machine code for it");
    if (code->runtime != NULL)
        return bundle_send(agents, module, code, err);
    machine_send(agents, module, code->machine);
    return SW_OK;
}

static const char *reason_of(enum sw_rc rc)
{
    if (rc == SW_E_NOT_FOUND)
        return "ModuleNotFound";
    return rc == SW_E_INVALID ? "ModuleInvalid" : "ModuleUnavailable";
}

static void on_code(void *ctx, enum sw_rc rc, const struct sw_abi_code *code,
                    const struct sw_err *err)
{
    struct fetch *fetch = ctx;
    struct sw_err reason = {0};
    struct sw_agents *agents = fetch->agents;
    struct sw_module *module =
        agents == NULL ? NULL
                       : sw_map_find(agents->modules, fetch->program, strlen(fetch->program));
    /* The host that it was for may have ended, and the next one not be started yet. */
    bool is_present = module != NULL && fetch->host_starts == agents->view.host_starts &&
                      agents->state == SW_HOST_UP;
    char name_space[sizeof fetch->name_space];

    (void)memcpy(name_space, fetch->name_space, sizeof name_space);
    sw_list_remove(&fetch->node);
    free(fetch);
    if (module == NULL)
        return;
    module->is_fetching = false;
    if (!is_present) {
        /* It was for a host that is gone; the present one may wait for it now. */
        if (agents->state == SW_HOST_UP)
            sw_modules_send(agents, module, name_space);
        return;
    }
    if (rc != SW_OK && err != NULL)
        reason = *err;
    else if (rc == SW_OK)
        rc = code_send(agents, module, code, &reason);
    if (rc == SW_OK)
        sw_pods_module_ready(agents, module);
    else
        sw_pods_module_failed(agents, module, reason_of(rc), reason.message);
}

void sw_modules_send(struct sw_agents *agents, struct sw_module *module, const char *name_space)
{
    struct fetch *fetch;
    struct sw_err err = {0};
    enum sw_rc rc;

    if (module->is_fetching || module->is_sent)
        return;
    fetch = calloc(1, sizeof *fetch);
    if (fetch == NULL) {
        sw_pods_module_failed(agents, module, reason_of(SW_E_EXHAUSTED), "no memory");
        return;
    }
    fetch->agents = agents;
    fetch->host_starts = agents->view.host_starts;
    (void)memcpy(fetch->program, module->program, sizeof fetch->program);
    (void)snprintf(fetch->name_space, sizeof fetch->name_space, "%s", name_space);
    sw_list_add(&agents->fetches, &fetch->node);
    module->is_fetching = true;
    rc = agents->options.machine_code.get(agents->options.machine_code.ctx, fetch->name_space,
                                          fetch->program, on_code, fetch, &err);
    if (rc == SW_OK)
        return;
    module->is_fetching = false;
    sw_list_remove(&fetch->node);
    free(fetch);
    sw_pods_module_failed(agents, module, reason_of(rc), err.message);
}

void sw_modules_host_down(struct sw_agents *agents)
{
    struct sw_map_entry found;
    size_t cursor = 0;

    while (sw_map_next(agents->modules, &cursor, &found))
        ((struct sw_module *)found.value)->is_sent = false;
}

void sw_modules_done(struct sw_agents *agents)
{
    struct sw_map_entry found;
    size_t cursor = 0;

    SW_LIST_EACH(&agents->fetches, node)
    {
        struct fetch *fetch = SW_LIST_ITEM(node, struct fetch, node);

        sw_list_remove(node);
        fetch->agents = NULL;
    }
    while (sw_map_next(agents->modules, &cursor, &found))
        free(found.value);
}
