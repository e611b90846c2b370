/* Machine code on its way to the host: fetched when a Pod needs it, sent once to each host. */
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
    module->pods++;
    *ret_module = module;
    return SW_OK;
}

void sw_modules_release(struct sw_agents *agents, struct sw_module *module)
{
    struct sw_frame drop = {.kind = SW_FRAME_MODULE_DROP};

    if (--module->pods > 0)
        return;
    if (module->is_sent) {
        drop.module_drop.digest = (struct sw_bytes){module->program, strlen(module->program)};
        sw_host_send(agents, &drop);
    }
    (void)sw_map_remove(agents->modules, module->program, strlen(module->program));
    free(module);
}

static void pieces_send(struct sw_agents *agents, struct sw_module *module, struct sw_bytes code)
{
    const uint8_t *data = code.data;

    for (size_t at = 0; at < code.size;) {
        size_t size = code.size - at < SW_FRAME_CHUNK_MAX ? code.size - at : SW_FRAME_CHUNK_MAX;
        struct sw_frame frame = {.kind = SW_FRAME_MODULE};

        frame.module.digest = (struct sw_bytes){module->program, strlen(module->program)};
        frame.module.offset = at;
        frame.module.total = code.size;
        frame.module.bytes = (struct sw_bytes){data + at, size};
        sw_host_send(agents, &frame);
        at += size;
    }
    module->is_sent = true;
}

static const char *reason_of(enum sw_rc rc)
{
    if (rc == SW_E_NOT_FOUND)
        return "ModuleNotFound";
    return rc == SW_E_INVALID ? "ModuleInvalid" : "ModuleUnavailable";
}

static void on_code(void *ctx, enum sw_rc rc, struct sw_bytes bytes, const struct sw_err *err)
{
    struct fetch *fetch = ctx;
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
    } else if (rc == SW_OK && bytes.size > 0) {
        pieces_send(agents, module, bytes);
        sw_pods_module_ready(agents, module);
    } else {
        sw_pods_module_failed(agents, module, reason_of(rc),
                              err == NULL ? "there is no machine code for it" : err->message);
    }
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
