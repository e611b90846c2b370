#include "cmd/swarmd/process.h"

#include "pkg/agent/modules/bundle.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ERROR_BYTES_MAX 65536u

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

static bool protocol_of(const char *path, enum sw_wire_protocol *ret_protocol)
{
    bool is_list = false;

    return sw_model_front_path(path, &is_list, ret_protocol) && !is_list;
}

static const char *service_of(void *ctx, const char *path)
{
    static const char *const services[SW_WIRE_PROTOCOLS] = {
        [SW_WIRE_CHAT] = "swarm.model.chat",
        [SW_WIRE_RESPONSES] = "swarm.model.responses",
        [SW_WIRE_EMBEDDINGS] = "swarm.model.embeddings",
        [SW_WIRE_MESSAGES] = "swarm.model.messages"};
    enum sw_wire_protocol protocol;

    (void)ctx;
    return protocol_of(path, &protocol) ? services[protocol] : NULL;
}

/* As the official libraries of the protocol look at it. */
static void refuse(void *ctx, struct sw_http_request *request, const char *path, enum sw_rc rc,
                   struct sw_bytes words)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer body;
    enum sw_wire_protocol protocol = SW_WIRE_CHAT;
    struct sw_wire_error error;
    struct sw_err err = {0};

    (void)ctx;
    (void)protocol_of(path, &protocol);
    (void)sw_err_set(&err, rc, "%.*s", (int)words.size,
                     words.size == 0 ? "" : (const char *)words.data);
    sw_utf8_mend(err.message);
    sw_wire_error_of(&err, &error);
    sw_buffer_init(&body, ERROR_BYTES_MAX);
    sw_wire_error_write(protocol, &error, &body);
    sw_http_respond_text(request, error.status, "application/json",
                         (struct sw_bytes){body.data, body.failed ? 0 : body.size});
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
                                                 .service_of = service_of,
                                                 .refuse = refuse,
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
