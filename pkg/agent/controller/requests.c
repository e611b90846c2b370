/* Requests of clients: out to the host, back by number, or ended by time, cancel or a host's death.
 */
#include "pkg/agent/controller/forks.h"
#include "pkg/agent/controller/state.h"

#include <stdlib.h>
#include <string.h>

#define TABLE_FIRST 256
#define NEVER UINT64_MAX

/* --- The table ------------------------------------------------------------------------------- */

static bool table_grow(struct sw_agents *agents)
{
    uint32_t capacity =
        agents->requests_capacity == 0 ? TABLE_FIRST : agents->requests_capacity * 2;
    struct sw_request **requests;

    if (capacity > agents->options.requests_max)
        capacity = agents->options.requests_max;
    if (capacity <= agents->requests_capacity)
        return false;
    requests = reallocarray(agents->requests, capacity, sizeof(void *));
    if (requests == NULL)
        return false;
    agents->requests = requests;
    while (agents->requests_capacity < capacity) {
        struct sw_request *request = calloc(1, sizeof *request);

        if (request == NULL)
            break;
        request->timer.at = SW_HEAP_ABSENT;
        request->index = agents->requests_capacity;
        request->generation = 1;
        request->next_free = agents->free_first;
        agents->requests[agents->requests_capacity++] = request;
        agents->free_first = request->index + 1;
    }
    return agents->free_first != 0;
}

static uint64_t number_of(const struct sw_request *request)
{
    return (uint64_t)request->generation << 32 | request->index;
}

static struct sw_request *request_find(const struct sw_agents *agents, uint64_t number)
{
    uint32_t index = (uint32_t)number;
    struct sw_request *request = index < agents->requests_capacity ? agents->requests[index] : NULL;

    return request != NULL && request->kind != SW_REQUEST_NONE && number_of(request) == number
               ? request
               : NULL;
}

static void request_release(struct sw_agents *agents, struct sw_request *request)
{
    sw_heap_remove(&agents->deadlines, &request->timer);
    request->kind = SW_REQUEST_NONE;
    request->generation = request->generation == UINT32_MAX ? 1 : request->generation + 1;
    request->next_free = agents->free_first;
    agents->free_first = request->index + 1;
    agents->requests_count--;
}

struct sw_request *sw_requests_take(struct sw_agents *agents, uint64_t number,
                                    enum sw_request_kind kind)
{
    struct sw_request *request = request_find(agents, number);

    if (request == NULL || request->kind != kind)
        return NULL;
    request_release(agents, request);
    request->kind = SW_REQUEST_NONE;
    return request;
}

static void deadline_arm(struct sw_agents *agents)
{
    const struct sw_heap_entry *first = sw_heap_first(&agents->deadlines);
    uint64_t now = sw_host_now_ms(agents);

    if (first == NULL || first->rank >= agents->deadline_armed_ms)
        return; /* The timer fires in time; a fire for nothing costs less than moving it. */
    agents->deadline_armed_ms = first->rank;
    sw_timer_start(agents->deadline, first->rank > now ? first->rank - now : 0);
}

static enum sw_rc request_new(struct sw_agents *agents, uint64_t timeout_ms,
                              struct sw_request **ret_request, struct sw_err *err)
{
    struct sw_request *request;
    uint64_t now = sw_host_now_ms(agents);

    if (agents->free_first == 0 && !table_grow(agents))
        return sw_err_set(err, SW_E_EXHAUSTED, "%u messages wait for an answer already",
                          agents->requests_count);
    request = agents->requests[agents->free_first - 1];
    if (sw_heap_put(&agents->deadlines, &request->timer,
                    timeout_ms > NEVER - now ? NEVER : now + timeout_ms) != SW_OK)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a message");
    agents->free_first = request->next_free;
    agents->requests_count++;
    deadline_arm(agents);
    *ret_request = request;
    return SW_OK;
}

/* --- Ends ------------------------------------------------------------------------------------ */

static void request_fail(struct sw_agents *agents, struct sw_request *request, enum sw_rc rc,
                         const char *words)
{
    struct sw_agent_result result = {.rc = rc, .body = {words, strlen(words)}};
    struct sw_agent_page page = {.rc = rc};
    struct sw_agent_letters_page letters = {.rc = rc};
    enum sw_request_kind kind = request->kind;

    request_release(agents, request);
    if (kind == SW_REQUEST_LIST)
        request->list_done(request->ctx, &page);
    else if (kind == SW_REQUEST_LETTERS)
        request->letters_done(request->ctx, &letters);
    else
        request->message_done(request->ctx, &result);
}

void sw_requests_fail(struct sw_agents *agents, enum sw_rc rc, const char *words)
{
    for (uint32_t i = 0; i < agents->requests_capacity; i++)
        if (agents->requests[i]->kind != SW_REQUEST_NONE)
            request_fail(agents, agents->requests[i], rc, words);
}

void sw_requests_on_deadline(void *ctx)
{
    struct sw_agents *agents = ctx;
    uint64_t now = sw_host_now_ms(agents);
    struct sw_heap_entry *first;

    agents->deadline_armed_ms = NEVER;
    while ((first = sw_heap_first(&agents->deadlines)) != NULL && first->rank <= now) {
        struct sw_request *request = (struct sw_request *)(void *)first;

        request_fail(agents, request, SW_E_TIMEOUT,
                     "no answer in time; the message may have been handled");
    }
    deadline_arm(agents);
}

void sw_requests_done(struct sw_agents *agents)
{
    for (uint32_t i = 0; i < agents->requests_capacity; i++)
        free(agents->requests[i]);
    free(agents->requests);
    agents->requests = NULL;
    agents->requests_capacity = 0;
}

/* --- Calls ----------------------------------------------------------------------------------- */

enum sw_rc sw_agents_check(const struct sw_agents *agents, struct sw_err *err)
{
    if (agents->state != SW_HOST_UP)
        return sw_err_set(err, SW_E_UNAVAILABLE, "the agent host is %s",
                          agents->state == SW_HOST_STOPPING || agents->state == SW_HOST_STOPPED
                              ? "stopping"
                              : "starting");
    if (agents->link == NULL || agents->is_broken) /* Its process has not ended yet. */
        return sw_err_set(err, SW_E_UNAVAILABLE,
                          "the agent host went away; it is being started again");
    if (!sw_host_has_room(agents))
        return sw_err_set(err, SW_E_EXHAUSTED, "the agent host is busy; send again later");
    return SW_OK;
}

bool sw_agents_key(const char *name_space, struct sw_bytes agent,
                   char ret_key[2 * (SW_FRAME_NAME_MAX + 1)], size_t *ret_size)
{
    size_t space_size = strlen(name_space);

    if (space_size > SW_FRAME_NAME_MAX || agent.size > SW_FRAME_NAME_MAX || agent.size == 0)
        return false;
    (void)memcpy(ret_key, name_space, space_size);
    ret_key[space_size] = '/';
    (void)memcpy(ret_key + space_size + 1, agent.data, agent.size);
    *ret_size = space_size + 1 + agent.size;
    return true;
}

bool sw_agents_knows(const struct sw_agents *agents, const char *name_space, struct sw_bytes agent)
{
    char key[2 * (SW_FRAME_NAME_MAX + 1)];
    size_t size;

    return sw_agents_key(name_space, agent, key, &size) &&
           sw_map_find(agents->agents_known, key, size) != NULL;
}

static enum sw_rc agent_check(const struct sw_agents *agents, const char *name_space,
                              struct sw_bytes agent, struct sw_err *err)
{
    char key[2 * (SW_FRAME_NAME_MAX + 1)];
    size_t size;

    if (!sw_agents_key(name_space, agent, key, &size))
        return sw_err_set(err, SW_E_INVALID, "no Agent has such a name");
    if (sw_map_find(agents->agents_known, key, size) == NULL)
        return sw_err_set(err, SW_E_NOT_FOUND, "there is no Agent %.*s in namespace %s",
                          (int)agent.size, (const char *)agent.data, name_space);
    return SW_OK;
}

/* "agent/key": the first slash splits. */
static void name_split(struct sw_bytes to, struct sw_bytes *ret_agent, struct sw_bytes *ret_key)
{
    const char *text = to.size > 0 ? to.data : "";
    const char *slash = to.size > 0 ? memchr(text, '/', to.size) : NULL;
    size_t size = slash == NULL ? to.size : (size_t)(slash - text);

    *ret_agent = (struct sw_bytes){text, size};
    *ret_key = slash == NULL ? (struct sw_bytes){NULL, 0}
                             : (struct sw_bytes){slash + 1, to.size - size - 1};
}

static uint32_t priority_of(int priority)
{
    return priority < 0 ? SW_FRAME_PRIORITY_DEFAULT : (uint32_t)priority;
}

static enum sw_rc body_check(struct sw_bytes type, struct sw_bytes body, struct sw_err *err)
{
    if (body.size > SW_FRAME_BODY_MAX || type.size > SW_FRAME_KEY_MAX)
        return sw_err_set(err, SW_E_INVALID, "the message has %zu bytes; at most %u are taken",
                          body.size, SW_FRAME_BODY_MAX);
    return SW_OK;
}

enum sw_rc sw_agents_send(struct sw_agents *agents, const struct sw_agent_send *send,
                          sw_agent_done *done, void *ctx, struct sw_err *err)
{
    struct sw_frame frame = {.kind = SW_FRAME_SEND};
    struct sw_request *request;
    enum sw_rc rc;

    name_split(send->to, &frame.send.agent, &frame.send.key);
    rc = agent_check(agents, send->name_space, frame.send.agent, err);
    if (rc == SW_OK &&
        (frame.send.key.size > SW_FRAME_KEY_MAX || send->request_id.size > SW_FRAME_KEY_MAX))
        rc = sw_err_set(err, SW_E_INVALID, "a key or request id is longer than %d bytes",
                        SW_FRAME_KEY_MAX);
    if (rc == SW_OK)
        rc = body_check(send->type, send->body, err);
    if (rc == SW_OK)
        rc = sw_agents_check(agents, err);
    if (rc == SW_OK)
        rc = request_new(agents, send->timeout_ms, &request, err);
    if (rc != SW_OK)
        return rc;
    request->kind = SW_REQUEST_MESSAGE;
    request->message_done = done;
    request->ctx = ctx;
    frame.send.request = number_of(request);
    frame.send.name_space = (struct sw_bytes){send->name_space, strlen(send->name_space)};
    frame.send.request_id = send->request_id;
    frame.send.type = send->type;
    frame.send.body = send->body;
    frame.send.priority = priority_of(send->priority);
    frame.send.want_reply = send->is_inner ? SW_FRAME_INNER : send->want_reply;
    sw_host_send(agents, &frame);
    return SW_OK;
}

enum sw_rc sw_agents_publish(struct sw_agents *agents, const struct sw_agent_publish *publish,
                             sw_agent_done *done, void *ctx, struct sw_err *err)
{
    struct sw_frame frame = {.kind = SW_FRAME_PUBLISH};
    struct sw_request *request;
    enum sw_rc rc = body_check(publish->type, publish->body, err);

    if (rc == SW_OK && (publish->subject.size == 0 || publish->subject.size > SW_FRAME_KEY_MAX ||
                        publish->request_id.size > SW_FRAME_KEY_MAX))
        rc = sw_err_set(err, SW_E_INVALID, "a subject has 1 to %d bytes", SW_FRAME_KEY_MAX);
    if (rc == SW_OK)
        rc = sw_agents_check(agents, err);
    if (rc == SW_OK)
        rc = request_new(agents, publish->timeout_ms, &request, err);
    if (rc != SW_OK)
        return rc;
    request->kind = SW_REQUEST_MESSAGE;
    request->message_done = done;
    request->ctx = ctx;
    frame.publish.request = number_of(request);
    frame.publish.name_space = (struct sw_bytes){publish->name_space, strlen(publish->name_space)};
    frame.publish.subject = publish->subject;
    frame.publish.type = publish->type;
    frame.publish.body = publish->body;
    frame.publish.request_id = publish->request_id;
    frame.publish.priority = priority_of(publish->priority);
    sw_host_send(agents, &frame);
    return SW_OK;
}

#define LIST_TIMEOUT_MS 10000
#define LIST_LIMIT_MAX 1000

enum sw_rc sw_agents_list(struct sw_agents *agents, const struct sw_agent_list *list,
                          void (*done)(void *ctx, const struct sw_agent_page *page), void *ctx,
                          struct sw_err *err)
{
    struct sw_frame frame = {.kind = SW_FRAME_LIST};
    struct sw_bytes agent = {list->agent, strlen(list->agent)};
    struct sw_request *request;
    enum sw_rc rc = agent_check(agents, list->name_space, agent, err);

    if (rc == SW_OK && list->prefix.size > SW_FRAME_KEY_MAX)
        rc = sw_err_set(err, SW_E_INVALID, "no key is longer than %d bytes", SW_FRAME_KEY_MAX);
    if (rc == SW_OK)
        rc = sw_agents_check(agents, err);
    if (rc == SW_OK)
        rc = request_new(agents, LIST_TIMEOUT_MS, &request, err);
    if (rc != SW_OK)
        return rc;
    request->kind = SW_REQUEST_LIST;
    request->list_done = done;
    request->ctx = ctx;
    frame.list.request = number_of(request);
    frame.list.name_space = (struct sw_bytes){list->name_space, strlen(list->name_space)};
    frame.list.agent = agent;
    frame.list.from = list->from;
    frame.list.prefix = list->prefix;
    frame.list.states = list->states;
    frame.list.is_count = list->is_count;
    frame.list.limit =
        list->limit == 0 || list->limit > LIST_LIMIT_MAX ? LIST_LIMIT_MAX : list->limit;
    sw_host_send(agents, &frame);
    return SW_OK;
}

/* --- Dead letters and forks ------------------------------------------------------------------ */

/* What is asked of instances, but for messages. */
static enum sw_rc ask_begin(struct sw_agents *agents, const char *name_space,
                            const char *agent_name, struct sw_bytes key,
                            struct sw_request **ret_request, struct sw_err *err)
{
    struct sw_bytes agent = {agent_name, strlen(agent_name)};
    enum sw_rc rc = agent_check(agents, name_space, agent, err);

    if (rc == SW_OK && key.size > SW_FRAME_KEY_MAX)
        rc = sw_err_set(err, SW_E_INVALID, "a key is longer than %d bytes", SW_FRAME_KEY_MAX);
    if (rc == SW_OK)
        rc = sw_agents_check(agents, err);
    return rc == SW_OK ? request_new(agents, LIST_TIMEOUT_MS, ret_request, err) : rc;
}

enum sw_rc sw_agents_letters(struct sw_agents *agents, const struct sw_agent_letters *letters,
                             void (*done)(void *ctx, const struct sw_agent_letters_page *page),
                             void *ctx, struct sw_err *err)
{
    struct sw_frame frame = {.kind = SW_FRAME_LETTERS};
    struct sw_request *request;
    enum sw_rc rc =
        ask_begin(agents, letters->name_space, letters->agent, letters->key, &request, err);

    if (rc != SW_OK)
        return rc;
    request->kind = SW_REQUEST_LETTERS;
    request->letters_done = done;
    request->ctx = ctx;
    frame.letters = (struct sw_frame_letters){
        .request = number_of(request),
        .name_space = {letters->name_space, strlen(letters->name_space)},
        .agent = {letters->agent, strlen(letters->agent)},
        .key = letters->key,
        .after = letters->after,
        .limit = letters->limit == 0 || letters->limit > LIST_LIMIT_MAX ? LIST_LIMIT_MAX
                                                                        : letters->limit,
        .with_body = letters->with_body};
    sw_host_send(agents, &frame);
    return SW_OK;
}

enum sw_rc sw_agents_letters_change(struct sw_agents *agents,
                                    const struct sw_agent_letters_change *change,
                                    sw_agent_done *done, void *ctx, struct sw_err *err)
{
    struct sw_frame frame = {.kind = SW_FRAME_LETTERS_CHANGE};
    struct sw_request *request;
    enum sw_rc rc =
        ask_begin(agents, change->name_space, change->agent, change->key, &request, err);

    if (rc != SW_OK)
        return rc;
    request->kind = SW_REQUEST_MESSAGE;
    request->message_done = done;
    request->ctx = ctx;
    frame.letters_change = (struct sw_frame_letters_change){
        .request = number_of(request),
        .name_space = {change->name_space, strlen(change->name_space)},
        .agent = {change->agent, strlen(change->agent)},
        .key = change->key,
        .number = change->number,
        .act = change->is_drop ? SW_FRAME_LETTERS_DROP : SW_FRAME_LETTERS_REDELIVER};
    sw_host_send(agents, &frame);
    return SW_OK;
}

static struct sw_bytes text_of(const char *text)
{
    return (struct sw_bytes){text, strlen(text)};
}

/* A request that is answered as a message is. */
static uint64_t message_begin(struct sw_request *request, sw_agent_done *done, void *ctx)
{
    request->kind = SW_REQUEST_MESSAGE;
    request->message_done = done;
    request->ctx = ctx;
    return number_of(request);
}

enum sw_rc sw_agents_fork(struct sw_agents *agents, const struct sw_agent_fork *fork,
                          sw_agent_done *done, void *ctx, struct sw_err *err)
{
    struct sw_frame frame = {.kind = SW_FRAME_FORK};
    const uint8_t *bytes = fork->record.data;
    struct sw_request *request;
    size_t size;
    enum sw_rc rc =
        fork->record.size > SW_FRAME_FORK_BYTES_MAX
            ? sw_err_set(err, SW_E_EXHAUSTED, "a fork has at most %u bytes",
                         SW_FRAME_FORK_BYTES_MAX)
            : ask_begin(agents, fork->name_space, fork->agent, fork->key, &request, err);

    if (rc != SW_OK)
        return rc;
    frame.fork = (struct sw_frame_fork){.request = message_begin(request, done, ctx),
                                        .name_space = text_of(fork->name_space),
                                        .agent = text_of(fork->agent),
                                        .key = fork->key,
                                        .digest = fork->digest,
                                        .total = fork->record.size};
    for (size_t at = 0; at < fork->record.size; at += size) {
        size = fork->record.size - at < SW_FRAME_CHUNK_MAX ? fork->record.size - at
                                                           : SW_FRAME_CHUNK_MAX;
        frame.fork.offset = at;
        frame.fork.bytes = (struct sw_bytes){bytes + at, size};
        sw_host_send(agents, &frame);
    }
    return SW_OK;
}

enum sw_rc sw_agents_fork_change(struct sw_agents *agents,
                                 const struct sw_agent_fork_change *change, sw_agent_done *done,
                                 void *ctx, struct sw_err *err)
{
    struct sw_frame frame = {.kind = SW_FRAME_FORK_CHANGE};
    struct sw_request *request;
    enum sw_rc rc =
        ask_begin(agents, change->name_space, change->agent, change->key, &request, err);

    if (rc != SW_OK)
        return rc;
    frame.fork_change = (struct sw_frame_fork_change){
        .request = message_begin(request, done, ctx),
        .name_space = text_of(change->name_space),
        .agent = text_of(change->agent),
        .key = change->key,
        .act = change->is_drop ? SW_FRAME_FORK_DROP : SW_FRAME_FORK_RELEASE};
    sw_host_send(agents, &frame);
    return SW_OK;
}

/* --- Modules --------------------------------------------------------------------------------- */

enum sw_rc sw_agents_ask_module(struct sw_agents *agents, const char *digest, sw_agent_done *done,
                                void *ctx, struct sw_err *err)
{
    struct sw_frame frame = {.kind = SW_FRAME_MODULE_ASK};
    struct sw_request *request;
    enum sw_rc rc = sw_agents_check(agents, err);

    if (rc == SW_OK)
        rc = request_new(agents, LIST_TIMEOUT_MS, &request, err);
    if (rc != SW_OK)
        return rc;
    request->kind = SW_REQUEST_MESSAGE;
    request->message_done = done;
    request->ctx = ctx;
    frame.module_ask.request = number_of(request);
    frame.module_ask.digest = (struct sw_bytes){digest, strlen(digest)};
    sw_host_send(agents, &frame);
    return SW_OK;
}
