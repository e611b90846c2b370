#include "pkg/agent/logs/logs.h"

#include "pkg/utils/base/list.h"
#include "pkg/utils/base/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX_DEFAULT (8u << 20)
#define AGENT_BYTES_MAX_DEFAULT (1u << 20)
#define FOLLOWERS_MAX_DEFAULT 256
#define NAME_MAX_BYTES 512 /* "namespace/agent". */

/* A kept line stands in two lists: of all lines, and of its Agent's, both oldest first. */
struct line {
    struct sw_list in_all, in_agent;
    struct agent *agent;
    uint64_t utc_ns;
    unsigned level;
    size_t key_size, text_size;
    char bytes[]; /* Key, then text. */
};

struct agent { /* Exists while it has lines. */
    struct sw_list lines;
    size_t bytes;
    size_t name_size;
    size_t namespace_size; /* The agent's own name follows the namespace and its NUL. */
    char names[];          /* namespace NUL agent NUL */
};

struct sw_logs_follower {
    struct sw_list node;
    sw_logs_visit *visit;
    void *ctx;
    char name_space[NAME_MAX_BYTES], agent[NAME_MAX_BYTES];
    size_t key_size;
    uint8_t key[];
};

struct sw_logs {
    struct sw_logs_options options;
    struct sw_map *agents; /* "namespace NUL agent NUL" to struct agent. */
    struct sw_list lines, followers;
    size_t bytes, followers_count;
};

static size_t line_cost(const struct line *line)
{
    return sizeof *line + line->key_size + line->text_size;
}

struct sw_logs *sw_logs_new(const struct sw_logs_options *options)
{
    struct sw_logs *logs = calloc(1, sizeof *logs);

    if (logs == NULL)
        return NULL;
    if (options != NULL)
        logs->options = *options;
    if (logs->options.bytes_max == 0)
        logs->options.bytes_max = BYTES_MAX_DEFAULT;
    if (logs->options.agent_bytes_max == 0)
        logs->options.agent_bytes_max = AGENT_BYTES_MAX_DEFAULT;
    if (logs->options.followers_max == 0)
        logs->options.followers_max = FOLLOWERS_MAX_DEFAULT;
    sw_list_init(&logs->lines);
    sw_list_init(&logs->followers);
    logs->agents = sw_map_new(0);
    if (logs->agents == NULL) {
        free(logs);
        return NULL;
    }
    return logs;
}

static void line_drop(struct sw_logs *logs, struct line *line)
{
    struct agent *agent = line->agent;

    logs->bytes -= line_cost(line);
    agent->bytes -= line_cost(line);
    sw_list_remove(&line->in_all);
    sw_list_remove(&line->in_agent);
    free(line);
    if (!sw_list_is_empty(&agent->lines))
        return;
    (void)sw_map_remove(logs->agents, agent->names, agent->name_size);
    free(agent);
}

void sw_logs_free(struct sw_logs *logs)
{
    if (logs == NULL)
        return;
    SW_LIST_EACH(&logs->lines, node)
    line_drop(logs, SW_LIST_ITEM(node, struct line, in_all));
    SW_LIST_EACH(&logs->followers, node)
    free(SW_LIST_ITEM(node, struct sw_logs_follower, node));
    sw_map_free(logs->agents);
    free(logs);
}

/* The map's key of an Agent; its size, or 0 when the names are longer than any can be. */
static size_t agent_key(const char *name_space, const char *agent, char ret_key[NAME_MAX_BYTES])
{
    size_t first = strlen(name_space) + 1, second = strlen(agent) + 1;

    if (first + second > NAME_MAX_BYTES)
        return 0;
    (void)memcpy(ret_key, name_space, first);
    (void)memcpy(ret_key + first, agent, second);
    return first + second;
}

static struct agent *agent_get(struct sw_logs *logs, const struct sw_logs_line *line)
{
    char key[NAME_MAX_BYTES];
    size_t size = agent_key(line->name_space, line->agent, key);
    struct agent *agent = size == 0 ? NULL : sw_map_find(logs->agents, key, size);

    if (agent != NULL || size == 0)
        return agent;
    agent = calloc(1, sizeof *agent + size);
    if (agent == NULL)
        return NULL;
    sw_list_init(&agent->lines);
    agent->name_size = size;
    agent->namespace_size = strlen(line->name_space) + 1;
    (void)memcpy(agent->names, key, size);
    if (sw_map_put(logs->agents, key, size, agent, NULL) != SW_OK) {
        free(agent);
        return NULL;
    }
    return agent;
}

static void line_keep(struct sw_logs *logs, const struct sw_logs_line *shown)
{
    size_t share = logs->options.agent_bytes_max;
    size_t overhead = sizeof(struct line) + shown->key.size;
    size_t text_size = shown->text.size;
    struct agent *agent;
    struct line *line;

    if (overhead >= share)
        return;
    if (text_size > share - overhead)
        text_size = share - overhead;
    line = malloc(overhead + text_size);
    if (line == NULL)
        return;
    agent = agent_get(logs, shown);
    if (agent == NULL) {
        free(line);
        return;
    }
    *line = (struct line){.agent = agent,
                          .utc_ns = shown->utc_ns,
                          .level = shown->level,
                          .key_size = shown->key.size,
                          .text_size = text_size};
    if (shown->key.size > 0)
        (void)memcpy(line->bytes, shown->key.data, shown->key.size);
    if (text_size > 0)
        (void)memcpy(line->bytes + shown->key.size, shown->text.data, text_size);
    sw_list_add(&logs->lines, &line->in_all);
    sw_list_add(&agent->lines, &line->in_agent);
    agent->bytes += line_cost(line);
    logs->bytes += line_cost(line);
    while (agent->bytes > share)
        line_drop(logs, SW_LIST_ITEM(agent->lines.next, struct line, in_agent));
    while (logs->bytes > logs->options.bytes_max)
        line_drop(logs, SW_LIST_ITEM(logs->lines.next, struct line, in_all));
}

static bool key_passes(struct sw_bytes wanted, struct sw_bytes key)
{
    return wanted.size == 0 ||
           (wanted.size == key.size && memcmp(wanted.data, key.data, key.size) == 0);
}

void sw_logs_add(struct sw_logs *logs, const struct sw_logs_line *line)
{
    line_keep(logs, line);
    SW_LIST_EACH(&logs->followers, node)
    {
        struct sw_logs_follower *follower = SW_LIST_ITEM(node, struct sw_logs_follower, node);
        struct sw_bytes wanted = {follower->key, follower->key_size};

        if (strcmp(follower->agent, line->agent) == 0 &&
            strcmp(follower->name_space, line->name_space) == 0 && key_passes(wanted, line->key))
            follower->visit(follower->ctx, line);
    }
}

static struct sw_logs_line line_view(const struct line *line)
{
    const struct agent *agent = line->agent;

    return (struct sw_logs_line){.name_space = agent->names,
                                 .agent = agent->names + agent->namespace_size,
                                 .key = {line->bytes, line->key_size},
                                 .text = {line->bytes + line->key_size, line->text_size},
                                 .level = line->level,
                                 .utc_ns = line->utc_ns};
}

void sw_logs_tail(const struct sw_logs *logs, const struct sw_logs_filter *filter, uint32_t tail,
                  sw_logs_visit *visit, void *ctx)
{
    char key[NAME_MAX_BYTES];
    size_t size = agent_key(filter->name_space, filter->agent, key);
    struct agent *agent = size == 0 ? NULL : sw_map_find(logs->agents, key, size);
    struct sw_list *start;
    uint32_t found = 0;

    if (agent == NULL)
        return;
    /* Back to the first line to show, then forward. */
    start = &agent->lines;
    while (found < tail && start->previous != &agent->lines) {
        struct sw_logs_line line;

        start = start->previous;
        line = line_view(SW_LIST_ITEM(start, struct line, in_agent));
        found += key_passes(filter->key, line.key) ? 1 : 0;
    }
    for (; found > 0 && start != &agent->lines; start = start->next) {
        struct sw_logs_line line = line_view(SW_LIST_ITEM(start, struct line, in_agent));

        if (key_passes(filter->key, line.key))
            visit(ctx, &line);
    }
}

enum sw_rc sw_logs_follow(struct sw_logs *logs, const struct sw_logs_filter *filter,
                          sw_logs_visit *visit, void *ctx, struct sw_logs_follower **ret_follower,
                          struct sw_err *err)
{
    struct sw_logs_follower *follower;

    if (strlen(filter->name_space) >= NAME_MAX_BYTES || strlen(filter->agent) >= NAME_MAX_BYTES)
        return sw_err_set(err, SW_E_INVALID, "no Agent has a name that long");
    if (logs->followers_count >= logs->options.followers_max)
        return sw_err_set(err, SW_E_EXHAUSTED, "%zu clients follow logs already",
                          logs->followers_count);
    follower = calloc(1, sizeof *follower + filter->key.size);
    if (follower == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to follow logs");
    follower->visit = visit;
    follower->ctx = ctx;
    (void)strcpy(follower->name_space, filter->name_space);
    (void)strcpy(follower->agent, filter->agent);
    follower->key_size = filter->key.size;
    if (filter->key.size > 0)
        (void)memcpy(follower->key, filter->key.data, filter->key.size);
    sw_list_add(&logs->followers, &follower->node);
    logs->followers_count++;
    *ret_follower = follower;
    return SW_OK;
}

void sw_logs_unfollow(struct sw_logs *logs, struct sw_logs_follower *follower)
{
    sw_list_remove(&follower->node);
    logs->followers_count--;
    free(follower);
}

size_t sw_logs_bytes(const struct sw_logs *logs)
{
    return logs->bytes;
}
