#include "cmd/swarmd/modules.h"

#include "cmd/swarmd/builtin.h"
#include "pkg/agent/abi/class.h"
#include "pkg/agent/programs/programs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGEST_TEXT_MAX 80

/* --- For the gateway ------------------------------------------------------------------------- */

struct pushing { /* A module that is stored and being compiled. */
    void (*done)(void *ctx, enum sw_rc rc, const struct sw_gateway_module *module,
                 const struct sw_err *err);
    void *ctx;
    char digest[DIGEST_TEXT_MAX];
    uint64_t size_bytes;
    bool is_new;
};

static void on_compiled(void *ctx, enum sw_rc rc, const struct sw_abi_code *code,
                        const struct sw_err *err)
{
    struct pushing *pushing = ctx;
    struct sw_gateway_module module = {
        .digest = pushing->digest, .size_bytes = pushing->size_bytes, .is_new = pushing->is_new};

    (void)code;
    pushing->done(pushing->ctx, rc, rc == SW_OK ? &module : NULL, rc == SW_OK ? NULL : err);
    free(pushing);
}

/* Compiling at push finds ill-typed code before an Agent is made of it, and warms the cache. What
 * runs a bundle was compiled when it came. */
static enum sw_rc
gateway_put(void *ctx, const char *namespace_, const char *digest, struct sw_bytes wasm,
            void (*done)(void *done_ctx, enum sw_rc rc, const struct sw_gateway_module *module,
                         const struct sw_err *err),
            void *done_ctx, struct sw_err *err)
{
    struct modules_adapter *adapter = ctx;
    const struct sw_programs programs = {adapter->modules, adapter->compiler};
    struct pushing *pushing = calloc(1, sizeof *pushing);
    enum sw_rc rc;

    if (pushing == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a module");
    pushing->done = done;
    pushing->ctx = done_ctx;
    pushing->size_bytes = wasm.size;
    pushing->is_new = !sw_modules_has(adapter->modules, namespace_, digest);
    (void)snprintf(pushing->digest, sizeof pushing->digest, "%s", digest);
    rc = sw_modules_put(adapter->modules, namespace_, digest, wasm, err);
    if (rc == SW_OK)
        rc = sw_program_get(&programs, namespace_, digest, on_compiled, pushing, err);
    if (rc != SW_OK)
        free(pushing);
    else
        sw_module_controller_touch(adapter->collector, namespace_, digest);
    return rc;
}

static bool gateway_has(void *ctx, const char *namespace_, const char *digest,
                        struct sw_gateway_module *ret_module)
{
    struct modules_adapter *adapter = ctx;
    struct sw_buffer bytes;
    bool is_there;

    sw_buffer_init(&bytes, SW_ABI_MODULE_BYTES_MAX);
    is_there = sw_modules_get(adapter->modules, namespace_, digest, &bytes, NULL) == SW_OK;
    if (is_there)
        *ret_module = (struct sw_gateway_module){.digest = digest, .size_bytes = bytes.size};
    sw_buffer_done(&bytes);
    if (is_there) /* Who hears that it is there need not push it. */
        sw_module_controller_touch(adapter->collector, namespace_, digest);
    return is_there;
}

struct sw_gateway_modules modules_adapter_gateway(struct modules_adapter *adapter)
{
    return (struct sw_gateway_modules){.ctx = adapter, .put = gateway_put, .has = gateway_has};
}

/* --- For the supervisor ---------------------------------------------------------------------- */

static bool code_has(void *ctx, const char *name_space, const char *program)
{
    struct modules_adapter *adapter = ctx;
    char digest[SW_ABI_PROGRAM_SIZE];
    bool is_there;

    sw_abi_program_digest(program, digest);
    is_there = sw_modules_has(adapter->modules, name_space, digest);
    if (!is_there) /* Ours are there for all. */
        return sw_modules_has(adapter->modules, SW_MODULES_PLATFORM, digest);
    sw_module_controller_touch(adapter->collector, name_space, digest);
    return true;
}

static enum sw_rc code_get(void *ctx, const char *name_space, const char *program,
                           sw_program_done *done, void *done_ctx, struct sw_err *err)
{
    struct modules_adapter *adapter = ctx;
    const struct sw_programs programs = {adapter->modules, adapter->compiler};

    return sw_program_get(&programs, name_space, program, done, done_ctx, err);
}

struct sw_machine_code modules_adapter_code(struct modules_adapter *adapter)
{
    return (struct sw_machine_code){.ctx = adapter, .has = code_has, .get = code_get};
}

/* --- For the controller ---------------------------------------------------------------------- */

struct asking { /* Whether the agent host needs a module. */
    void (*done)(void *ctx, enum sw_rc rc);
    void *ctx;
};

static void on_asked(void *ctx, const struct sw_agent_result *result)
{
    struct asking asking = *(struct asking *)ctx;

    free(ctx);
    asking.done(asking.ctx, result->rc);
}

static enum sw_rc collector_ask(void *ctx, const char *digest,
                                void (*done)(void *done_ctx, enum sw_rc rc), void *done_ctx,
                                struct sw_err *err)
{
    struct modules_adapter *adapter = ctx;
    struct asking *asking = malloc(sizeof *asking);
    enum sw_rc rc;

    if (asking == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a question");
    *asking = (struct asking){done, done_ctx};
    rc = sw_hosts_ask_module(adapter->hosts, digest, on_asked, asking, err);
    if (rc != SW_OK)
        free(asking);
    return rc;
}

static bool collector_has(void *ctx, const struct sw_module_name *name)
{
    struct modules_adapter *adapter = ctx;

    return builtins_have(name->digest) ||
           sw_hosts_has_module(adapter->hosts, name->namespace, name->digest);
}

static void collector_drop(void *ctx, const char *digest, bool is_last)
{
    struct modules_adapter *adapter = ctx;

    sw_hosts_drop_module(adapter->hosts, digest);
    if (is_last)
        sw_compiler_forget(adapter->compiler, digest);
}

void modules_adapter_collect(struct modules_adapter *adapter,
                             struct sw_module_controller_options *options)
{
    options->modules = adapter->modules;
    options->ctx = adapter;
    options->has = collector_has;
    options->ask = collector_ask;
    options->drop = collector_drop;
}
