#include "pkg/broker/process/front.h"

#include "pkg/communication/protocol/server.h"

#include <stdlib.h>
#include <string.h>

#define FRONT_CONNECTIONS_MAX 64u
#define FRONT_BODY_BYTES_MAX ((size_t)32 << 20)
#define FRONT_BODIES_BYTES_MAX ((size_t)64 << 20)

struct sw_process_front {
    struct sw_http_server *server;
    void (*ask)(void *ctx, struct sw_http_request *request, const char *path);
    void *ctx;
};

static void handle(void *ctx, struct sw_http_request *request)
{
    static const char *const bases[] = {"/openai/", "/anthropic/"};
    const struct sw_process_front *front = ctx;

    for (size_t i = 0; i < sizeof bases / sizeof bases[0]; i++) {
        size_t size = strlen(bases[i]);
        const char *path;

        if (request->path.size <= size || memcmp(request->path.data, bases[i], size) != 0)
            continue;
        path = sw_arena_copy(request->arena, (const char *)request->path.data + size,
                             request->path.size - size);
        if (path == NULL)
            break;
        front->ask(front->ctx, request, path);
        return;
    }
    sw_http_respond_text(request, 404, "text/plain",
                         sw_bytes_of_text("there is nothing but /openai/v1 and /anthropic here\n"));
}

struct sw_process_front *
sw_process_front_new(struct sw_loop *loop, const struct sw_system *system,
                     void (*ask)(void *ctx, struct sw_http_request *request, const char *path),
                     void *ctx)
{
    struct sw_process_front *front = calloc(1, sizeof *front);
    struct sw_http_server_options options = {
        .loop = loop,
        .system = system,
        .handler = {.ctx = front, .handle = handle},
        .limits = {.connections_max = FRONT_CONNECTIONS_MAX,
                   .body_bytes_max = FRONT_BODY_BYTES_MAX,
                   .bodies_bytes_max = FRONT_BODIES_BYTES_MAX}};

    if (front == NULL)
        return NULL;
    front->ask = ask;
    front->ctx = ctx;
    if (sw_http_server_new(&options, &front->server, NULL) == SW_OK)
        return front;
    free(front);
    return NULL;
}

void sw_process_front_free(struct sw_process_front *front)
{
    if (front == NULL)
        return;
    sw_http_server_free(front->server);
    free(front);
}

void sw_process_front_serve(struct sw_process_front *front, struct sw_stream *stream)
{
    sw_http_server_serve(front->server, stream);
}
