#include "cmd/swarmd/process.h"

#include "pkg/agent/modules/bundle.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The payload of the bundle that it is, which is all that the buffer has then. */
static enum sw_rc load(void *ctx, const char *name_space, const char *digest, struct sw_buffer *out,
                       struct sw_err *err)
{
    const struct process *process = ctx;
    struct sw_bundle_view bundle;
    enum sw_rc rc = sw_modules_get(process->modules, name_space, digest, out, err);

    if (rc == SW_OK)
        rc = sw_bundle_read((struct sw_bytes){out->data, out->size}, &bundle, err);
    if (rc != SW_OK)
        return sw_err_context(err, "image %s", digest);
    sw_buffer_consume(out, SW_BUNDLE_HEAD_BYTES);
    return SW_OK;
}

static void serve(void *ctx, struct sw_http_request *request,
                  const struct sw_process_client *client, const char *path)
{
    const struct process *process = ctx;
    const struct sw_model_client who = {.who = {.name_space = client->name_space,
                                                .agent = client->agent,
                                                .instance = client->instance,
                                                .turn = client->turn,
                                                .depth = client->depth},
                                        .priority = SW_MODEL_PRIORITY_NORMAL};

    broker_serve(process->broker, request, &who, path);
}

static void on_missing(void *ctx, const char *words)
{
    const struct process *process = ctx;

    sw_log(process->logger, SW_LOG_WARN, "process",
           "sandboxes of programs go on without what this machine lacks: %s", words);
}

static enum sw_rc images_start(struct process *process, const char *data_folder, struct sw_err *err)
{
    char program[SW_PATH_MAX], folder[SW_PATH_MAX];
    const struct sw_images_options options = {.loop = process->loop,
                                              .system = process->system,
                                              .program = program,
                                              .folder = folder,
                                              .ctx = process,
                                              .load = load};
    enum sw_rc rc = sw_system_program("swarm-unpack", program, err);

    if (rc == SW_OK &&
        snprintf(folder, sizeof folder, "%s/images", data_folder) >= (int)sizeof folder)
        rc = sw_err_set(err, SW_E_INVALID, "the data folder has too long a path");
    return rc == SW_OK ? sw_images_new(&options, &process->images, err) : rc;
}

enum sw_rc process_start(struct process *process, const char *data_folder, unsigned processes_max,
                         struct sw_err *err)
{
    char program[SW_PATH_MAX];
    const struct sw_processes_options options = {.loop = process->loop,
                                                 .system = process->system,
                                                 .cgroups = process->cgroups,
                                                 .program = program,
                                                 .has_users = geteuid() == 0,
                                                 .processes_max = processes_max};
    struct sw_process_service_options service = {.loop = process->loop,
                                                 .system = process->system,
                                                 .ctx = process,
                                                 .serve = serve,
                                                 .on_missing = on_missing};
    enum sw_rc rc = sw_system_program("swarm-process", program, err);

    if (rc == SW_OK)
        rc = sw_processes_new(&options, &process->processes, err);
    if (rc == SW_OK)
        rc = images_start(process, data_folder, err);
    service.processes = process->processes;
    service.images = process->images;
    return rc == SW_OK
               ? sw_process_service_new(&service, process->broker->services, &process->service, err)
               : rc;
}

void process_free(struct process *process)
{
    sw_process_service_free(process->service);
    sw_images_free(process->images);
    sw_processes_free(process->processes);
}
