/* `watch`: one writer changes one object, and notes the time in it; each watcher tells how old the
 * change is when it has arrived. The next change is made when the last one was acknowledged. */
#include "test/bench/load/load.h"

#include "pkg/apis/swarm/v1/protobuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME "watched"

struct watcher {
    struct watching *watching;
    struct load_reply reply;
    uint64_t changes; /* How many it has seen, which the next one's number must be. */
};

struct watching {
    struct load *load;
    struct sw_arena *arena;
    struct sw_buffer object, message;
    struct watcher *watchers;
    struct load_reply written;
    size_t open, wrote, behind; /* Watchers that watch; changes made; watchers not at the end. */
    size_t last;                /* Changes to make in all. */
};

static void change(struct watching *watching, const char *path)
{
    struct load *load = watching->load;
    struct sw_api_agent_template object;
    struct sw_api_write_request request = {0};
    char text[64];
    struct sw_api_pair note = {.key = "at", .value = text};

    (void)snprintf(text, sizeof text, "%zu/%llu", watching->wrote,
                   (unsigned long long)load_now_ns(load));
    sw_api_init(&sw_api_agent_template_message, &object);
    object.api_version = "swarm/v1";
    object.kind = "AgentTemplate";
    object.metadata.name = NAME;
    object.metadata.namespace = load->options.space;
    object.metadata.annotations = &note;
    object.metadata.annotations_count = 1;
    object.spec.agent.runtime = SW_API_RUNTIME_WASM;
    sw_buffer_reset(&watching->object);
    sw_buffer_reset(&watching->message);
    sw_protobuf_encode(&sw_api_agent_template_message, &object, &watching->object);
    request.object = (struct sw_bytes){watching->object.data, watching->object.size};
    sw_protobuf_encode(&sw_api_write_request_message, &request, &watching->message);
    load_call(load, path, (struct sw_bytes){watching->message.data, watching->message.size},
              &watching->written);
}

static void stop_if_done(struct watching *watching)
{
    if (watching->wrote == watching->last && watching->behind == 0)
        sw_loop_stop(watching->load->loop);
}

static void on_written(void *ctx, struct sw_bytes answer)
{
    struct watching *watching = ctx;

    (void)answer;
    watching->wrote++;
    if (watching->wrote == watching->load->options.warm)
        watching->load->started_ns = load_now_ns(watching->load);
    if (watching->wrote < watching->last)
        change(watching, "/swarm.v1.AgentTemplates/Update");
    stop_if_done(watching);
}

static void on_change(struct watcher *watcher, const char *text)
{
    struct watching *watching = watcher->watching;
    struct load *load = watching->load;
    unsigned long long number, at_ns;

    if (sscanf(text, "%llu/%llu", &number, &at_ns) != 2 || number != watcher->changes) {
        load_fail(load, SW_E_CORRUPT, "a watcher missed a change");
        return;
    }
    watcher->changes++;
    if (number >= load->options.warm)
        load_note(load, load_now_ns(load) - at_ns);
    if (watcher->changes < watching->last)
        return;
    watching->behind--;
    stop_if_done(watching);
}

static void on_event(void *ctx, struct sw_bytes message)
{
    struct watcher *watcher = ctx;
    struct watching *watching = watcher->watching;
    struct sw_api_watch_event event;
    void *object;
    const struct sw_api_object_meta *meta;

    sw_arena_reset(watching->arena);
    if (sw_protobuf_decode(&sw_api_watch_event_message, message, watching->arena, &event, NULL) !=
        SW_OK) {
        load_fail(watching->load, SW_E_CORRUPT, "an event cannot be read");
        return;
    }
    if (event.type == SW_API_WATCH_EVENT_TYPE_BOOKMARK) {
        watching->open++; /* The first bookmark: it has what there was, and follows. */
        if (watching->open == watching->load->options.watchers)
            change(watching, "/swarm.v1.AgentTemplates/Create");
        return;
    }
    if (sw_object_decode(sw_kind_find("AgentTemplate"), event.object, watching->arena, &object,
                         NULL) != SW_OK) {
        load_fail(watching->load, SW_E_CORRUPT, "an object cannot be read");
        return;
    }
    meta = sw_object_meta_of(object);
    if (strcmp(meta->name, NAME) == 0 && meta->annotations_count == 1)
        on_change(watcher, meta->annotations[0].value);
    else
        load_fail(watching->load, SW_E_CORRUPT, "an event of another object");
}

static void begin(struct watching *watching)
{
    struct load *load = watching->load;
    struct sw_api_watch_request request = {.namespace = load->options.space, .name = NAME};

    for (size_t i = 0; i < load->options.watchers; i++) {
        struct watcher *watcher = &watching->watchers[i];

        watcher->watching = watching;
        watcher->reply = (struct load_reply){load, on_event, watcher};
        sw_buffer_reset(&watching->message);
        sw_protobuf_encode(&sw_api_watch_request_message, &request, &watching->message);
        load_stream(load, "/swarm.v1.AgentTemplates/Watch",
                    (struct sw_bytes){watching->message.data, watching->message.size},
                    &watcher->reply);
    }
}

bool load_watch(struct load *load)
{
    struct watching watching = {.load = load,
                                .behind = load->options.watchers,
                                .last = load->options.warm + load->options.count,
                                .arena = sw_arena_new(LOAD_MESSAGE_MAX)};

    watching.written = (struct load_reply){load, on_written, &watching};
    sw_buffer_init(&watching.object, LOAD_MESSAGE_MAX);
    sw_buffer_init(&watching.message, LOAD_MESSAGE_MAX);
    /* Streams end after this function, with the client, and still point here. */
    watching.watchers =
        sw_arena_array(load->arena, load->options.watchers, sizeof *watching.watchers);
    if (watching.watchers == NULL || watching.arena == NULL) {
        load_fail(load, SW_E_EXHAUSTED, "no memory for watchers");
    } else {
        begin(&watching);
        sw_loop_run(load->loop);
    }
    load->ended_ns = load_now_ns(load);
    sw_arena_free(watching.arena);
    sw_buffer_done(&watching.object);
    sw_buffer_done(&watching.message);
    return load->failure.rc == SW_OK;
}
