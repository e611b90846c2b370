#include "pkg/agent/programs/programs.h"

#include "pkg/agent/modules/bundle.h"

#include <stdlib.h>
#include <string.h>

struct request {
    sw_program_done *done;
    void *ctx;
    struct sw_buffer file;             /* Of the program. */
    char runtime[SW_ABI_PROGRAM_SIZE]; /* Of a bundle: what runs it; "": it is a module. */
    struct sw_bytes payload;           /* Of a bundle; in file. */
};

static void request_free(struct request *request)
{
    if (request == NULL)
        return;
    sw_buffer_done(&request->file);
    free(request);
}
SW_DEFINE_CLEANUP(struct request, request_free)

static void on_code(void *ctx, enum sw_rc rc, struct sw_bytes code, const struct sw_err *err)
{
    struct request *request = ctx;
    const struct sw_abi_code all = {.machine = code,
                                    .runtime =
                                        request->runtime[0] == '\0' ? NULL : request->runtime,
                                    .payload = request->payload};

    request->done(request->ctx, rc, rc == SW_OK ? &all : NULL, err);
    request_free(request);
}

static enum sw_rc load(const struct sw_modules *modules, const char *namespace, const char *digest,
                       struct sw_buffer *out, struct sw_err *err)
{
    struct sw_module_name name;

    if (namespace == NULL)
        return sw_modules_find(modules, digest, out, err);
    return sw_modules_home(modules, namespace, digest, &name) == SW_OK
               ? sw_modules_get(modules, name.namespace, digest, out, err)
               : sw_modules_get(modules, namespace, digest, out, err); /* With its words. */
}

/* The module that runs a bundle, in place of it. */
static enum sw_rc load_runtime(const struct sw_modules *modules, const char *namespace,
                               enum sw_abi_class class, struct request *request,
                               struct sw_buffer *out, struct sw_err *err)
{
    struct sw_bundle_view bundle;
    enum sw_rc rc =
        sw_bundle_read((struct sw_bytes){request->file.data, request->file.size}, &bundle, err);

    if (rc != SW_OK)
        return rc;
    rc = load(modules, namespace, bundle.runtime, out, err);
    if (rc == SW_E_NOT_FOUND) {
        (void)sw_err_set(err, rc, "the module %s that runs the bundle is not here", bundle.runtime);
        sw_err_hint(err, "push that module");
    }
    request->payload = bundle.payload;
    sw_abi_program_name((struct sw_bytes){bundle.runtime, strlen(bundle.runtime)}, class,
                        request->runtime);
    return rc;
}

static enum sw_rc begin(const struct sw_programs *programs, const char *namespace,
                        const char *program, struct request *request, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer runtime = {0};
    struct sw_bytes file, ignored;
    enum sw_abi_class class;
    char digest[SW_ABI_PROGRAM_SIZE];
    enum sw_rc rc;

    sw_buffer_init(&runtime, SW_ABI_MODULE_BYTES_MAX);
    sw_abi_program_digest(program, digest);
    if (sw_abi_program_parse((struct sw_bytes){program, strlen(program)}, &ignored, &class) !=
        SW_OK)
        return sw_err_set(err, SW_E_INVALID, "\"%.80s\" is no program", program);
    rc = load(programs->modules, namespace, digest, &request->file, err);
    if (rc != SW_OK)
        return rc;
    file = (struct sw_bytes){request->file.data, request->file.size};
    if (!sw_bundle_is(file))
        return sw_compiler_get(programs->compiler, program, file, on_code, request, err);
    rc = load_runtime(programs->modules, namespace, class, request, &runtime, err);
    return rc == SW_OK ? sw_compiler_get(programs->compiler, request->runtime,
                                         (struct sw_bytes){runtime.data, runtime.size}, on_code,
                                         request, err)
                       : rc;
}

enum sw_rc sw_program_get(const struct sw_programs *programs, const char *namespace,
                          const char *program, sw_program_done *done, void *ctx, struct sw_err *err)
{
    SW_CLEANUP(request_freep) struct request *request = calloc(1, sizeof *request);
    enum sw_rc rc;

    if (request == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a request");
    request->done = done;
    request->ctx = ctx;
    sw_buffer_init(&request->file, SW_ABI_MODULE_BYTES_MAX);
    rc = begin(programs, namespace, program, request, err);
    if (rc == SW_OK)
        (void)SW_TAKE(request);
    return rc;
}
