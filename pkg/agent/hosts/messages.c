/* What clients want of instances: to the host that has them, or to several at once. */
#include "pkg/agent/hosts/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where the Agent runs. NULL: no Pod of it is here. */
static const struct sw_host_route *route_of(const struct sw_hosts *hosts, const char *name_space,
                                            const char *agent, size_t agent_size)
{
    char key[2 * 64];
    int size = snprintf(key, sizeof key, "%s/%.*s", name_space,
                        agent_size > sizeof key ? (int)sizeof key : (int)agent_size, agent);

    return size < (int)sizeof key ? sw_map_find(hosts->routes, key, (size_t)size) : NULL;
}

/* The one that the Agent runs in. Of an unknown Agent the shared host says that there is none. */
static struct sw_agents *agents_of(const struct sw_hosts *hosts, const char *name_space,
                                   const char *agent, size_t agent_size)
{
    const struct sw_host_route *route = route_of(hosts, name_space, agent, agent_size);

    return route == NULL ? hosts->shared->agents : route->host->agents;
}

enum sw_rc sw_hosts_send(struct sw_hosts *hosts, const struct sw_agent_send *send,
                         sw_agent_done *done, void *ctx, struct sw_err *err)
{
    const char *to = send->to.size > 0 ? send->to.data : "";
    const char *slash = send->to.size > 0 ? memchr(to, '/', send->to.size) : NULL;
    struct sw_agents *agents = agents_of(hosts, send->name_space, to,
                                         slash == NULL ? send->to.size : (size_t)(slash - to));

    return sw_agents_send(agents, send, done, ctx, err);
}

enum sw_rc sw_hosts_list(struct sw_hosts *hosts, const struct sw_agent_list *list,
                         void (*done)(void *ctx, const struct sw_agent_page *page), void *ctx,
                         struct sw_err *err)
{
    return sw_agents_list(agents_of(hosts, list->name_space, list->agent, strlen(list->agent)),
                          list, done, ctx, err);
}

enum sw_rc sw_hosts_letters(struct sw_hosts *hosts, const struct sw_agent_letters *letters,
                            void (*done)(void *ctx, const struct sw_agent_letters_page *page),
                            void *ctx, struct sw_err *err)
{
    return sw_agents_letters(
        agents_of(hosts, letters->name_space, letters->agent, strlen(letters->agent)), letters,
        done, ctx, err);
}

enum sw_rc sw_hosts_letters_change(struct sw_hosts *hosts,
                                   const struct sw_agent_letters_change *change,
                                   sw_agent_done *done, void *ctx, struct sw_err *err)
{
    return sw_agents_letters_change(
        agents_of(hosts, change->name_space, change->agent, strlen(change->agent)), change, done,
        ctx, err);
}

/* What an agent host says that it ran is no right to run it: the module has to be the namespace's.
 */
static enum sw_rc check_module(const struct sw_hosts *hosts, const char *name_space,
                               struct sw_bytes digest, struct sw_err *err)
{
    const struct sw_machine_code *code = &hosts->options.host.machine_code;
    char text[80];

    (void)snprintf(text, sizeof text, "%.*s", (int)digest.size,
                   digest.size > 0 ? (const char *)digest.data : "");
    return strchr(text, '/') == NULL && code->has(code->ctx, name_space, text)
               ? SW_OK
               : sw_err_set(err, SW_E_DENIED, "the namespace %s has no module %s", name_space,
                            text);
}

enum sw_rc sw_hosts_fork(struct sw_hosts *hosts, const struct sw_agent_fork *fork,
                         sw_agent_done *done, void *ctx, struct sw_err *err)
{
    enum sw_rc rc = check_module(hosts, fork->name_space, fork->digest, err);

    if (rc != SW_OK)
        return rc;
    return sw_agents_fork(agents_of(hosts, fork->name_space, fork->agent, strlen(fork->agent)),
                          fork, done, ctx, err);
}

enum sw_rc sw_hosts_fork_change(struct sw_hosts *hosts, const struct sw_agent_fork_change *change,
                                sw_agent_done *done, void *ctx, struct sw_err *err)
{
    return sw_agents_fork_change(
        agents_of(hosts, change->name_space, change->agent, strlen(change->agent)), change, done,
        ctx, err);
}

enum sw_rc sw_hosts_past(struct sw_hosts *hosts, const char *agent, struct sw_past_look *look,
                         struct sw_err *err)
{
    const struct sw_agents_options *options = &hosts->options.host;
    const struct sw_host_route *route = route_of(hosts, look->name_space, agent, strlen(agent));
    struct sw_frame_past *wanted = &look->wanted;

    if (route == NULL)
        return sw_err_set(err, SW_E_NOT_FOUND, "no Pod of Agent %s runs on this node", agent);
    if (wanted->module.size > 0) {
        enum sw_rc rc = check_module(hosts, look->name_space, wanted->module, err);

        if (rc != SW_OK)
            return rc;
    }
    look->loop = options->loop;
    look->host_path = options->host_path;
    look->folder = route->host->journal;
    look->machine_code = options->machine_code;
    wanted->name_space = (struct sw_bytes){route->name_space, strlen(route->name_space)};
    wanted->agent = (struct sw_bytes){route->agent, strlen(route->agent)};
    wanted->agent_uid = (struct sw_bytes){route->agent_uid, strlen(route->agent_uid)};
    return sw_past_look(&hosts->pasts, look, err);
}

void sw_hosts_past_stop(struct sw_hosts *hosts,
                        bool (*is_it)(const void *look_ctx, const void *ctx), const void *ctx)
{
    sw_pasts_stop(&hosts->pasts, is_it, ctx);
}

/* --- Of several hosts ------------------------------------------------------------------------ */

struct spread { /* One question to several hosts: the first error counts, and the sum. */
    sw_agent_done *done;
    void *ctx;
    size_t open; /* Answers that are missing, and one while it is asked. */
    enum sw_rc rc;
    uint64_t subscribers;
    uint64_t bridges; /* Among them: they are nobody's. */
    char words[256];
};

static void spread_end(struct spread *spread)
{
    struct sw_agent_result result = {.rc = spread->rc,
                                     .body = {spread->words, strlen(spread->words)},
                                     .subscribers = spread->subscribers};

    if (--spread->open > 0)
        return;
    result.subscribers -=
        spread->bridges < spread->subscribers ? spread->bridges : spread->subscribers;
    spread->done(spread->ctx, &result);
    free(spread);
}

static void spread_note(struct spread *spread, enum sw_rc rc, const char *words, size_t size)
{
    if (spread->rc != SW_OK || rc == SW_OK)
        return;
    spread->rc = rc;
    (void)snprintf(spread->words, sizeof spread->words, "%.*s", size > 255 ? 255 : (int)size,
                   size == 0 ? "" : words);
}

static void on_part(void *ctx, const struct sw_agent_result *result)
{
    struct spread *spread = ctx;

    spread->subscribers += result->subscribers;
    spread_note(spread, result->rc, result->body.data, result->body.size);
    spread_end(spread);
}

/* Ask one of them; part_err is what it said at once. */
static void spread_asked(struct spread *spread, enum sw_rc rc, const struct sw_err *part_err)
{
    if (rc == SW_OK)
        return;
    spread->open--;
    spread_note(spread, rc, part_err->message, strlen(part_err->message));
}

/* The answers of hosts never come inside the question, so that the last word is said later, too. */
static enum sw_rc spread_close(struct spread *spread, struct sw_err *err)
{
    enum sw_rc rc;

    if (spread->open > 1) {
        spread->open--;
        return SW_OK;
    }
    rc = sw_err_set(err, spread->rc, "%s", spread->words);
    free(spread);
    return rc;
}

static bool has_space(const struct sw_host *host, const char *name_space)
{
    return host == host->hosts->shared || (host->agents != NULL && host->pods > 0 &&
                                           strcmp(host->about.name_space, name_space) == 0);
}

static enum sw_rc spread_new(sw_agent_done *done, void *ctx, struct spread **ret_spread,
                             struct sw_err *err)
{
    struct spread *spread = calloc(1, sizeof *spread);

    if (spread == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a message");
    *spread = (struct spread){.done = done, .ctx = ctx, .open = 1};
    *ret_spread = spread;
    return SW_OK;
}

enum sw_rc sw_hosts_publish(struct sw_hosts *hosts, const struct sw_agent_publish *publish,
                            sw_agent_done *done, void *ctx, struct sw_err *err)
{
    struct spread *spread = NULL;
    enum sw_rc rc;

    SW_LIST_EACH(&hosts->all, node)
    {
        const struct sw_host *host = SW_LIST_ITEM(node, struct sw_host, node);

        rc = has_space(host, publish->name_space) ? sw_agents_check(host->agents, err) : SW_OK;
        if (rc != SW_OK)
            return rc;
    }
    rc = spread_new(done, ctx, &spread, err);
    if (rc != SW_OK)
        return rc;
    SW_LIST_EACH(&hosts->all, node)
    {
        struct sw_host *host = SW_LIST_ITEM(node, struct sw_host, node);
        struct sw_err part_err = {0};

        if (!has_space(host, publish->name_space))
            continue;
        spread->open++;
        spread->bridges += sw_host_hears(host, publish->name_space);
        spread_asked(spread, sw_agents_publish(host->agents, publish, on_part, spread, &part_err),
                     &part_err);
    }
    return spread_close(spread, err);
}

enum sw_rc sw_hosts_ask_module(struct sw_hosts *hosts, const char *digest, sw_agent_done *done,
                               void *ctx, struct sw_err *err)
{
    struct spread *spread = NULL;
    enum sw_rc rc;

    SW_LIST_EACH(&hosts->all, node)
    {
        const struct sw_host *host = SW_LIST_ITEM(node, struct sw_host, node);

        if (host->is_lost)
            continue; /* What it ran nobody runs again. */
        rc = host->agents == NULL ? sw_err_set(err, SW_E_UNAVAILABLE,
                                               "the agent host %s is not running", host->about.name)
                                  : sw_agents_check(host->agents, err);
        if (rc != SW_OK)
            return rc;
    }
    rc = spread_new(done, ctx, &spread, err);
    if (rc != SW_OK)
        return rc;
    SW_LIST_EACH(&hosts->all, node)
    {
        struct sw_host *host = SW_LIST_ITEM(node, struct sw_host, node);
        struct sw_err part_err = {0};

        if (host->is_lost)
            continue;
        spread->open++;
        spread_asked(spread, sw_agents_ask_module(host->agents, digest, on_part, spread, &part_err),
                     &part_err);
    }
    return spread_close(spread, err);
}

/* --- Modules --------------------------------------------------------------------------------- */

bool sw_hosts_has_module(const struct sw_hosts *hosts, const char *name_space, const char *digest)
{
    SW_LIST_EACH(&hosts->all, node)
    {
        const struct sw_host *host = SW_LIST_ITEM(node, struct sw_host, node);

        if (host->agents != NULL && sw_agents_has_module(host->agents, name_space, digest))
            return true;
    }
    return false;
}

void sw_hosts_drop_module(struct sw_hosts *hosts, const char *digest)
{
    SW_LIST_EACH(&hosts->all, node)
    {
        struct sw_host *host = SW_LIST_ITEM(node, struct sw_host, node);

        if (host->agents != NULL)
            sw_agents_drop_module(host->agents, digest);
    }
}
