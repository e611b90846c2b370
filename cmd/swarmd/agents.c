#include "cmd/swarmd/agents.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_TEXT_MAX 320 /* "agent/key" and the NUL. */
#define DIGEST_TEXT_MAX 72
#define TYPE_TEXT_MAX 256
#define AGENT_NAME_SIZE 64
#define PUBLISH_TIMEOUT_MS 30000

static const char *const level_names[] = {"debug", "info", "warn", "error"};

static const char *level_name(unsigned level)
{
    return level < sizeof level_names / sizeof level_names[0] ? level_names[level] : "error";
}

static struct sw_bytes bytes_of(const char *text)
{
    return (struct sw_bytes){text, strlen(text)};
}

/* A NUL-terminated copy, cut at the room there is. */
static void text_of(struct sw_bytes bytes, char *ret_text, size_t size)
{
    size_t used = bytes.size < size - 1 ? bytes.size : size - 1;

    if (used > 0)
        (void)memcpy(ret_text, bytes.data, used);
    ret_text[used] = '\0';
}

static int priority_of(uint8_t priority)
{
    return priority == SW_GATEWAY_PRIORITY_NONE ? -1 : priority;
}

/* --- Messages -------------------------------------------------------------------------------- */

struct waiting { /* For the end of a send or publish. */
    void (*send_done)(void *ctx, enum sw_rc rc, const struct sw_gateway_reply *reply,
                      const struct sw_err *err);
    void (*publish_done)(void *ctx, enum sw_rc rc, uint64_t subscribers, const struct sw_err *err);
    void *ctx;
    char agent[AGENT_NAME_SIZE];
};

static void on_sent(void *ctx, const struct sw_agent_result *result)
{
    struct waiting *waiting = ctx;
    char from[NAME_TEXT_MAX], type[TYPE_TEXT_MAX];
    size_t agent_size = strlen(waiting->agent);
    struct sw_gateway_reply reply = {
        .status = (int32_t)result->rc, .content_type = type, .body = result->body, .from = from};
    struct sw_err err = {0};

    text_of(result->type, type, sizeof type);
    (void)memcpy(from, waiting->agent, agent_size);
    from[agent_size] = '/';
    text_of(result->from, from + agent_size + 1, sizeof from - agent_size - 1);
    if (result->is_not_taken)
        (void)sw_err_set(&err, SW_E_UNAVAILABLE, "%.*s", (int)result->body.size,
                         result->body.size > 0 ? (const char *)result->body.data : "");
    waiting->send_done(waiting->ctx, err.rc, result->is_not_taken ? NULL : &reply, &err);
    free(waiting);
}

static enum sw_rc agents_send(void *ctx, const struct sw_gateway_message *message,
                              void (*done)(void *done_ctx, enum sw_rc rc,
                                           const struct sw_gateway_reply *reply,
                                           const struct sw_err *err),
                              void *done_ctx, struct sw_err *err)
{
    struct agents_adapter *adapter = ctx;
    struct waiting *waiting = calloc(1, sizeof *waiting);
    struct sw_agent_send send = {.name_space = message->namespace_,
                                 .to = bytes_of(message->to),
                                 .type = bytes_of(message->content_type),
                                 .body = message->body,
                                 .request_id = bytes_of(message->request_id),
                                 .priority = priority_of(message->priority),
                                 .want_reply = message->want_reply,
                                 .timeout_ms = message->timeout_ms};
    enum sw_rc rc;

    if (waiting == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a message");
    waiting->send_done = done;
    waiting->ctx = done_ctx;
    text_of((struct sw_bytes){message->to, strcspn(message->to, "/")}, waiting->agent,
            sizeof waiting->agent);
    rc = sw_hosts_send(adapter->hosts, &send, on_sent, waiting, err);
    if (rc != SW_OK)
        free(waiting);
    return rc;
}

void agents_error(const struct sw_agent_result *result, struct sw_err *err)
{
    if (result->rc != SW_OK)
        (void)sw_err_set(err, result->rc, "%.*s", (int)result->body.size,
                         result->body.size > 0 ? (const char *)result->body.data : "");
}

static void on_published(void *ctx, const struct sw_agent_result *result)
{
    struct waiting *waiting = ctx;
    struct sw_err err = {0};

    agents_error(result, &err);
    waiting->publish_done(waiting->ctx, result->rc, result->subscribers,
                          result->rc == SW_OK ? NULL : &err);
    free(waiting);
}

static enum sw_rc agents_publish(void *ctx, const struct sw_gateway_publication *publication,
                                 void (*done)(void *done_ctx, enum sw_rc rc, uint64_t subscribers,
                                              const struct sw_err *err),
                                 void *done_ctx, struct sw_err *err)
{
    struct agents_adapter *adapter = ctx;
    struct waiting *waiting = calloc(1, sizeof *waiting);
    struct sw_agent_publish publish = {.name_space = publication->namespace_,
                                       .subject = bytes_of(publication->subject),
                                       .type = bytes_of(publication->content_type),
                                       .body = publication->body,
                                       .request_id = bytes_of(publication->request_id),
                                       .priority = priority_of(publication->priority),
                                       .timeout_ms = PUBLISH_TIMEOUT_MS};
    enum sw_rc rc;

    if (waiting == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a message");
    waiting->publish_done = done;
    waiting->ctx = done_ctx;
    rc = sw_hosts_publish(adapter->hosts, &publish, on_published, waiting, err);
    if (rc != SW_OK)
        free(waiting);
    return rc;
}

/* --- Logs ------------------------------------------------------------------------------------ */

struct log_stream {
    void *ctx;
    void (*on_line)(void *ctx, const struct sw_gateway_log_line *line);
    struct sw_logs_follower *follower; /* NULL when it does not follow. */
};

void agents_adapter_on_log(void *ctx, const struct sw_agent_log *log)
{
    struct agents_adapter *adapter = ctx;
    struct sw_logs_line line = {.name_space = log->name_space,
                                .agent = log->agent,
                                .key = log->key,
                                .text = log->text,
                                .level = log->level,
                                .utc_ns = log->time_ns};

    sw_logs_add(adapter->logs, &line);
}

static void on_log_line(void *ctx, const struct sw_logs_line *line)
{
    struct log_stream *stream = ctx;
    char name[NAME_TEXT_MAX];
    struct sw_gateway_log_line shown = {.utc_ns = line->utc_ns,
                                        .instance = name,
                                        .level = level_name(line->level),
                                        .text = line->text};

    (void)snprintf(name, sizeof name, "%.63s/%.*s", line->agent, (int)line->key.size,
                   line->key.size > 0 ? (const char *)line->key.data : "");
    stream->on_line(stream->ctx, &shown);
}

static enum sw_rc agents_logs(void *ctx, const struct sw_gateway_logs *logs, void **ret_stream,
                              struct sw_err *err)
{
    struct agents_adapter *adapter = ctx;
    struct log_stream *stream = calloc(1, sizeof *stream);
    struct sw_logs_filter filter = {.name_space = logs->namespace_, .agent = logs->agent};
    enum sw_rc rc = SW_OK;

    if (stream == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to follow logs");
    if (logs->key != NULL)
        filter.key = bytes_of(logs->key);
    stream->ctx = logs->ctx;
    stream->on_line = logs->on_line;
    if (logs->is_followed)
        rc = sw_logs_follow(adapter->logs, &filter, on_log_line, stream, &stream->follower, err);
    if (rc != SW_OK) {
        free(stream);
        return rc;
    }
    *ret_stream = stream;
    /* Nothing is added in between: this is one turn of the loop. */
    sw_logs_tail(adapter->logs, &filter, logs->tail, on_log_line, stream);
    if (logs->is_followed)
        return SW_OK;
    free(stream);
    *ret_stream = NULL;
    logs->on_end(logs->ctx, SW_OK);
    return SW_OK;
}

static void agents_logs_close(void *ctx, void *stream_ptr)
{
    struct agents_adapter *adapter = ctx;
    struct log_stream *stream = stream_ptr;

    if (stream == NULL)
        return;
    sw_logs_unfollow(adapter->logs, stream->follower);
    free(stream);
}

/* --- Instances ------------------------------------------------------------------------------- */

struct listing {
    sw_gateway_instances_done *done;
    void *ctx;
    bool is_count;
    const char *node_name;
    char agent[AGENT_NAME_SIZE];
};

struct listed { /* Texts of an instance. */
    char name[NAME_TEXT_MAX], module[DIGEST_TEXT_MAX];
};

/* How the API calls what the link has. */
static const enum sw_gateway_state states[SW_FRAME_STATES] = {
    [SW_FRAME_INSTANCE_IDLE] = SW_GATEWAY_IDLE,
    [SW_FRAME_INSTANCE_BUSY] = SW_GATEWAY_RUNNING,
    [SW_FRAME_INSTANCE_PARKED] = SW_GATEWAY_PARKED,
    [SW_FRAME_INSTANCE_FAILING] = SW_GATEWAY_FAILING,
    [SW_FRAME_INSTANCE_ASKS] = SW_GATEWAY_WAITING,
    [SW_FRAME_INSTANCE_RECEIVES] = SW_GATEWAY_WAITING,
    [SW_FRAME_INSTANCE_SLEEPS] = SW_GATEWAY_WAITING,
    [SW_FRAME_INSTANCE_CALLS] = SW_GATEWAY_WAITING,
    [SW_FRAME_INSTANCE_ASLEEP] = SW_GATEWAY_ASLEEP,
    [SW_FRAME_INSTANCE_HELD] = SW_GATEWAY_HELD};

static uint32_t frame_states(uint32_t wanted)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < SW_FRAME_STATES; i++)
        found |= (wanted >> states[i] & 1u) << i;
    return found;
}

static const char *trouble_of(const struct sw_agent_instance *instance)
{
    switch (instance->state) {
    case SW_FRAME_INSTANCE_PARKED:
        return "its state cannot be rebuilt; the Events of its Agent tell why";
    case SW_FRAME_INSTANCE_FAILING:
        return "it cannot be started; the Events of its Agent tell why";
    case SW_FRAME_INSTANCE_ASKS:
        return "its handler waits for an answer";
    case SW_FRAME_INSTANCE_RECEIVES:
        return "its handler waits for a message";
    case SW_FRAME_INSTANCE_SLEEPS:
        return "its handler sleeps";
    case SW_FRAME_INSTANCE_CALLS:
        return "its handler waits for a service";
    case SW_FRAME_INSTANCE_HELD:
        return "it is a fork: what it lets out waits for its release";
    case SW_FRAME_INSTANCE_IDLE:
    case SW_FRAME_INSTANCE_BUSY:
    case SW_FRAME_INSTANCE_ASLEEP:
        break;
    }
    return "";
}

struct sw_gateway_usage agents_usage(const struct sw_pod_used *used)
{
    return (struct sw_gateway_usage){.utc_ns = used->utc_ns,
                                     .cpu_ns = used->cpu_ns,
                                     .messages = used->handled,
                                     .message_bytes = used->bytes_in,
                                     .sent = used->sent,
                                     .sent_bytes = used->bytes_out,
                                     .wakeups = used->wakeups,
                                     .memory_byte_s = used->memory_byte_s,
                                     .memory_bytes = used->memory_bytes,
                                     .fuel = used->fuel};
}

static void on_listed(void *ctx, const struct sw_agent_page *page)
{
    struct listing *listing = ctx;
    struct sw_gateway_instance *items = calloc(page->count + 1, sizeof *items);
    struct listed *texts = calloc(page->count + 1, sizeof *texts);
    struct sw_err err = {0};
    enum sw_rc rc = items == NULL || texts == NULL ? SW_E_EXHAUSTED : page->rc;
    struct sw_gateway_instances_page told = {
        .items = items, .count = page->count, .next = page->next, .is_count = listing->is_count};

    if (rc != SW_OK)
        (void)sw_err_set(&err, rc, "the instances of Agent %s cannot be listed", listing->agent);
    for (size_t i = 0; rc == SW_OK && i < page->count; i++) {
        const struct sw_agent_instance *instance = &page->instances[i];

        (void)snprintf(texts[i].name, sizeof texts[i].name, "%s/%.*s", listing->agent,
                       (int)instance->key.size,
                       instance->key.size > 0 ? (const char *)instance->key.data : "");
        (void)snprintf(texts[i].module, sizeof texts[i].module, "%.*s", (int)instance->digest.size,
                       instance->digest.size > 0 ? (const char *)instance->digest.data : "");
        items[i] = (struct sw_gateway_instance){.name = texts[i].name,
                                                .module = texts[i].module,
                                                .pod = instance->pod,
                                                .node = listing->node_name,
                                                .state = states[instance->state],
                                                .turns = instance->segments,
                                                .mailbox = instance->waiting,
                                                .memory_bytes = instance->memory_bytes,
                                                .disk_bytes = instance->disk_bytes,
                                                .message = trouble_of(instance),
                                                .usage = agents_usage(&instance->used)};
    }
    for (uint32_t i = 0; i < SW_FRAME_STATES; i++)
        told.counts[states[i]] += page->counts[i];
    listing->done(listing->ctx, rc, rc == SW_OK ? &told : NULL, rc == SW_OK ? NULL : &err);
    free(texts);
    free(items);
    free(listing);
}

static enum sw_rc agents_instances(void *ctx, const struct sw_gateway_instances *query,
                                   sw_gateway_instances_done *done, void *done_ctx,
                                   struct sw_err *err)
{
    struct agents_adapter *adapter = ctx;
    struct listing *listing = calloc(1, sizeof *listing);
    struct sw_agent_list list = {.name_space = query->namespace_,
                                 .agent = query->agent,
                                 .from = query->from,
                                 .prefix = bytes_of(query->prefix),
                                 .states = frame_states(query->states),
                                 .limit = query->limit,
                                 .is_count = query->is_count};
    enum sw_rc rc;

    if (listing == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to list instances");
    listing->done = done;
    listing->ctx = done_ctx;
    listing->is_count = query->is_count;
    listing->node_name = adapter->node_name;
    (void)snprintf(listing->agent, sizeof listing->agent, "%s", query->agent);
    rc = sw_hosts_list(adapter->hosts, &list, on_listed, listing, err);
    if (rc != SW_OK)
        free(listing);
    return rc;
}

struct visiting {
    sw_gateway_usage_visit *visit;
    void *ctx;
};

static void visit_usage(void *ctx, const struct sw_agent_usage *usage)
{
    const struct visiting *visiting = ctx;
    struct sw_gateway_usage used = agents_usage(&usage->used);

    visiting->visit(visiting->ctx, usage->agent, &used);
}

static void agents_usage_of(void *ctx, const char *namespace_, sw_gateway_usage_visit *visit,
                            void *visit_ctx)
{
    const struct agents_adapter *adapter = ctx;
    struct visiting visiting = {visit, visit_ctx};

    sw_hosts_each_usage(adapter->hosts, namespace_, visit_usage, &visiting);
}

struct sw_gateway_agents agents_adapter_gateway(struct agents_adapter *adapter)
{
    struct sw_gateway_agents vtable = {.ctx = adapter,
                                       .send = agents_send,
                                       .publish = agents_publish,
                                       .logs = agents_logs,
                                       .logs_close = agents_logs_close,
                                       .instances = agents_instances,
                                       .usage = agents_usage_of};

    agents_adapter_letters(&vtable);
    agents_adapter_history(&vtable);
    return vtable;
}
