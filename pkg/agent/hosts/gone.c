#include "pkg/agent/hosts/state.h"
#include "pkg/utils/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What namespaces used in hosts that are no more.
 *
 *     a host has ended in order: FOLDER/usage says what its namespace used in it, under a new id
 *
 *     nothing needs its folder: that is added to data/hosts/usage, with the id; the folder goes
 *
 *     it is up again: FOLDER/usage goes, since it will be more; what was added is taken off
 *
 * A crash in the middle finds the id in data/hosts/usage and adds nothing twice. Of a folder
 * without that file, which a crash left, the host is started once more: it tells. */

#define HEAD "swarm-usage 1\n"
#define ID_BYTES 16u
#define FIGURES 8

struct gone { /* Of a namespace. */
    char name_space[64];
    struct sw_pod_used used;
    uint64_t throttled[SW_POD_LIMITS]; /* Since this swarmd began. */
};

struct noted { /* What a file says. */
    void *ctx;
    enum sw_rc (*id)(void *ctx, const char *id);
    enum sw_rc (*space)(void *ctx, const char *name_space, const struct sw_pod_used *used);
};

/* --- Files ----------------------------------------------------------------------------------- */

static void figures_of(struct sw_pod_used *used, uint64_t *ret_figures[FIGURES])
{
    uint64_t *const figures[FIGURES] = {&used->cpu_ns,        &used->handled,   &used->bytes_in,
                                        &used->sent,          &used->bytes_out, &used->wakeups,
                                        &used->memory_byte_s, &used->fuel};

    memcpy(ret_figures, figures, sizeof figures);
}

static void put_space(struct sw_buffer *out, const char *name_space, const struct sw_pod_used *used)
{
    struct sw_pod_used copy = *used;
    uint64_t *figures[FIGURES];

    figures_of(&copy, figures);
    sw_buffer_print(out, "space %s", name_space);
    for (size_t i = 0; i < FIGURES; i++)
        sw_buffer_print(out, " %" PRIu64, *figures[i]);
    sw_buffer_put_text(out, "\n");
}

/* One line without its end.  SW_E_CORRUPT: it is none of such a file. */
static enum sw_rc take_line(const char *line, const struct noted *noted)
{
    char name_space[64], id[2 * ID_BYTES + 1], figure[FIGURES][21];
    struct sw_pod_used used = {0};
    uint64_t *figures[FIGURES];
    int end = 0;

    /* A space there is any number of them: what is short by a digit may have one more. */
    if (sscanf(line, "id %32[0-9a-f]%n", id, &end) == 1 && strlen(id) == 2 * ID_BYTES &&
        end == 3 + 2 * (int)ID_BYTES && line[end] == '\0')
        return noted->id(noted->ctx, id);
    end = 0;
    if (sscanf(line,
               "space %63[a-z0-9-] %20[0-9] %20[0-9] %20[0-9] %20[0-9] %20[0-9] %20[0-9] %20[0-9] "
               "%20[0-9]%n",
               name_space, figure[0], figure[1], figure[2], figure[3], figure[4], figure[5],
               figure[6], figure[7], &end) != 1 + FIGURES ||
        line[end] != '\0')
        return SW_E_CORRUPT;
    figures_of(&used, figures);
    for (size_t i = 0; i < FIGURES; i++)
        if (sw_text_to_u64(figure[i], figures[i]) != SW_OK)
            return SW_E_CORRUPT;
    return noted->space(noted->ctx, name_space, &used);
}

/* Whole lines behind the first one, up to the NUL at the end. */
static bool is_text(const struct sw_buffer *bytes)
{
    const char *text = (const char *)bytes->data;
    size_t size = bytes->size - 1;

    return strlen(text) == size && size >= sizeof HEAD - 1 && text[size - 1] == '\n' &&
           strncmp(text, HEAD, sizeof HEAD - 1) == 0;
}

/* SW_E_NOT_FOUND: there is no such file. */
static enum sw_rc load(const struct sw_system *system, const char *path, const struct noted *noted,
                       struct sw_err *err)
{
    struct sw_buffer bytes;
    enum sw_rc rc;
    char *line, *rest = NULL;

    sw_buffer_init(&bytes, SW_HOSTS_USAGE_BYTES_MAX + 1);
    rc = sw_file_load(system, path, SW_HOSTS_USAGE_BYTES_MAX, &bytes, err);
    sw_buffer_put_u8(&bytes, 0);
    if (rc == SW_OK && bytes.failed)
        rc = sw_err_set(err, SW_E_EXHAUSTED, "no memory for %.300s", path);
    if (rc == SW_OK && !is_text(&bytes))
        rc = SW_E_CORRUPT;
    line = rc == SW_OK ? strtok_r((char *)bytes.data + sizeof HEAD - 1, "\n", &rest) : NULL;
    for (; rc == SW_OK && line != NULL; line = strtok_r(NULL, "\n", &rest))
        rc = take_line(line, noted);
    if (rc == SW_E_CORRUPT) {
        (void)sw_err_set(err, rc, "%.300s does not say what namespaces used", path);
        sw_err_hint(err,
                    "put it back from a backup, or remove it: what hosts that are no more used "
                    "is forgotten then");
    }
    sw_buffer_done(&bytes);
    return rc;
}

static void base_path(const char *data_folder, char ret_path[SW_PATH_MAX])
{
    (void)snprintf(ret_path, SW_PATH_MAX, "%.4000s/" SW_HOSTS_USAGE_FILE, data_folder);
}

static void own_path(const struct sw_host *host, char ret_path[SW_PATH_MAX])
{
    (void)snprintf(ret_path, SW_PATH_MAX, "%.4000s/" SW_HOST_USAGE_FILE, host->folder);
}

/* --- The base -------------------------------------------------------------------------------- */

static struct gone *gone_get(struct sw_hosts *hosts, const char *name_space)
{
    struct gone *gone = sw_map_find(hosts->gone, name_space, strlen(name_space));

    if (gone != NULL)
        return gone;
    gone = calloc(1, sizeof *gone);
    if (gone == NULL)
        return NULL;
    (void)snprintf(gone->name_space, sizeof gone->name_space, "%s", name_space);
    if (sw_map_put(hosts->gone, gone->name_space, strlen(gone->name_space), gone, NULL) == SW_OK)
        return gone;
    free(gone);
    return NULL;
}

static enum sw_rc base_id(void *ctx, const char *id)
{
    struct sw_hosts *hosts = ctx;

    return sw_map_put(hosts->gone_ids, id, strlen(id), hosts, NULL);
}

static enum sw_rc base_space(void *ctx, const char *name_space, const struct sw_pod_used *used)
{
    struct gone *gone = gone_get(ctx, name_space);

    if (gone == NULL)
        return SW_E_EXHAUSTED;
    gone->used = *used;
    return SW_OK;
}

enum sw_rc sw_hosts_gone_load(struct sw_hosts *hosts, struct sw_err *err)
{
    const struct noted noted = {.ctx = hosts, .id = base_id, .space = base_space};
    char path[SW_PATH_MAX];
    enum sw_rc rc;

    base_path(hosts->options.data_folder, path);
    rc = load(hosts->options.host.system, path, &noted, err);
    return rc == SW_E_NOT_FOUND ? SW_OK : rc;
}

static enum sw_rc checked_id(void *ctx, const char *id)
{
    (void)ctx;
    (void)id;
    return SW_OK;
}

static enum sw_rc checked_space(void *ctx, const char *name_space, const struct sw_pod_used *used)
{
    uint64_t *spaces = ctx;

    (void)name_space;
    (void)used;
    ++*spaces;
    return SW_OK;
}

enum sw_rc sw_hosts_usage_check(const struct sw_system *system, const char *data_folder,
                                uint64_t *ret_spaces, struct sw_err *err)
{
    const struct noted noted = {.ctx = ret_spaces, .id = checked_id, .space = checked_space};
    char path[SW_PATH_MAX];

    *ret_spaces = 0;
    base_path(data_folder, path);
    return load(system, path, &noted, err);
}

static enum sw_rc base_save(struct sw_hosts *hosts, struct sw_err *err)
{
    const struct sw_system *system = hosts->options.host.system;
    struct sw_map_entry entry;
    struct sw_buffer text;
    char path[SW_PATH_MAX];
    size_t cursor = 0;
    enum sw_rc rc;

    base_path(hosts->options.data_folder, path);
    sw_buffer_init(&text, SW_HOSTS_USAGE_BYTES_MAX);
    sw_buffer_put_text(&text, HEAD);
    while (sw_map_next(hosts->gone_ids, &cursor, &entry))
        sw_buffer_print(&text, "id %.*s\n", (int)entry.key.size, (const char *)entry.key.data);
    for (cursor = 0; sw_map_next(hosts->gone, &cursor, &entry);) {
        const struct gone *gone = entry.value;

        put_space(&text, gone->name_space, &gone->used);
    }
    rc = sw_buffer_check(&text);
    if (rc != SW_OK)
        (void)sw_err_set(err, rc, "no memory for what hosts that are no more used");
    else
        rc = sw_file_save(system, path, text.data, text.size, err);
    sw_buffer_done(&text);
    return rc;
}

/* Add, or with sign -1 take off again. */
static void add(struct gone *gone, const struct sw_pod_used *used, int sign)
{
    struct sw_pod_used copy = *used;
    uint64_t *sums[FIGURES], *more[FIGURES];

    figures_of(&gone->used, sums);
    figures_of(&copy, more);
    for (size_t i = 0; i < FIGURES; i++)
        *sums[i] += sign < 0 ? 0 - *more[i] : *more[i];
}

/* All of one host, with its id or without, durably.  It is as it was unless SW_OK. */
static enum sw_rc change(struct sw_hosts *hosts, const struct sw_host_usage *usage, int sign,
                         struct sw_err *err)
{
    struct gone *gone = gone_get(hosts, usage->name_space);
    enum sw_rc rc = gone == NULL ? SW_E_EXHAUSTED : SW_OK;

    if (rc == SW_OK && sign > 0)
        rc = sw_map_put(hosts->gone_ids, usage->id, strlen(usage->id), hosts, NULL);
    if (rc != SW_OK)
        return sw_err_set(err, rc, "no memory for what a host that is no more used");
    if (sign < 0)
        (void)sw_map_remove(hosts->gone_ids, usage->id, strlen(usage->id));
    add(gone, &usage->used, sign);
    rc = base_save(hosts, err);
    if (rc == SW_OK)
        return SW_OK;
    add(gone, &usage->used, -sign);
    if (sign > 0)
        (void)sw_map_remove(hosts->gone_ids, usage->id, strlen(usage->id));
    else if (sw_map_put(hosts->gone_ids, usage->id, strlen(usage->id), hosts, NULL) != SW_OK)
        abort(); /* It was there a moment ago. */
    return rc;
}

static bool is_added(const struct sw_hosts *hosts, const struct sw_host_usage *usage)
{
    return sw_map_find(hosts->gone_ids, usage->id, strlen(usage->id)) != NULL;
}

void sw_hosts_gone_done(struct sw_hosts *hosts)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    while (hosts->gone != NULL && sw_map_next(hosts->gone, &cursor, &entry))
        free(entry.value);
    sw_map_free(hosts->gone);
    sw_map_free(hosts->gone_ids);
}

void sw_hosts_each_gone(const struct sw_hosts *hosts, const char *name_space,
                        void (*visit)(void *ctx, const struct sw_agent_usage *usage), void *ctx)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    while (sw_map_next(hosts->gone, &cursor, &entry)) {
        const struct gone *gone = entry.value;
        struct sw_agent_usage view = {
            .name_space = gone->name_space, .agent = "", .agent_uid = "", .used = gone->used};

        memcpy(view.throttled, gone->throttled, sizeof view.throttled);
        if (name_space == NULL || strcmp(gone->name_space, name_space) == 0)
            visit(ctx, &view);
    }
}

/* --- One host -------------------------------------------------------------------------------- */

static enum sw_rc own_id(void *ctx, const char *id)
{
    struct sw_host_usage *usage = ctx;

    (void)snprintf(usage->id, sizeof usage->id, "%s", id);
    return SW_OK;
}

static enum sw_rc own_space(void *ctx, const char *name_space, const struct sw_pod_used *used)
{
    struct sw_host_usage *usage = ctx;

    (void)snprintf(usage->name_space, sizeof usage->name_space, "%s", name_space);
    usage->used = *used;
    return SW_OK;
}

/* SW_E_NOT_FOUND: it is not known; or it speaks of another namespace. */
static enum sw_rc own_load(const struct sw_host *host, struct sw_host_usage *ret_usage,
                           struct sw_err *err)
{
    const struct noted noted = {.ctx = ret_usage, .id = own_id, .space = own_space};
    char path[SW_PATH_MAX];
    enum sw_rc rc;

    *ret_usage = (struct sw_host_usage){0};
    own_path(host, path);
    rc = load(host->hosts->options.host.system, path, &noted, err);
    return rc == SW_OK && (ret_usage->id[0] == '\0' ||
                           strcmp(ret_usage->name_space, host->about.name_space) != 0)
               ? SW_E_NOT_FOUND
               : rc;
}

void sw_host_usage_note(struct sw_host *host)
{
    struct sw_host_usage usage;

    host->has_usage = own_load(host, &usage, NULL) == SW_OK;
    if (host->has_usage && !is_added(host->hosts, &usage))
        sw_hosts_usage_put(host, &usage);
}

void sw_host_usage_keep(struct sw_host *host)
{
    const struct sw_agents_options *options = &host->hosts->options.host;
    uint8_t random[ID_BYTES];
    struct sw_host_usage usage;
    struct sw_agents_view view;
    struct sw_buffer text;
    struct sw_err err = {0};
    char path[SW_PATH_MAX];

    if (host->has_usage)
        return; /* It was not up. */
    sw_agents_view(host->agents, &view);
    if (host->about.isolation == SW_POD_ISOLATION_SHARED || !view.has_ended_well)
        return;
    sw_hosts_usage_find(host, &usage.used);
    options->system->random(options->system->ctx, random, sizeof random);
    own_path(host, path);
    sw_buffer_init(&text, SW_HOSTS_USAGE_BYTES_MAX);
    sw_buffer_put_text(&text, HEAD "id ");
    sw_hex_encode(random, sizeof random, &text);
    sw_buffer_put_text(&text, "\n");
    put_space(&text, host->about.name_space, &usage.used);
    host->has_usage =
        !text.failed && sw_file_save(options->system, path, text.data, text.size, &err) == SW_OK;
    if (!host->has_usage)
        sw_log(options->logger, SW_LOG_WARN, "agents",
               "what the agent host %s used cannot be kept: %s; it is started once more",
               host->about.name, err.message);
    sw_buffer_done(&text);
}

enum sw_rc sw_host_usage_begin(struct sw_host *host, struct sw_err *err)
{
    const struct sw_system *system = host->hosts->options.host.system;
    struct sw_host_usage usage;
    char path[SW_PATH_MAX];
    enum sw_rc rc;

    if (host->about.isolation == SW_POD_ISOLATION_SHARED)
        return SW_OK;
    rc = own_load(host, &usage, err);
    if (rc == SW_OK && is_added(host->hosts, &usage)) {
        rc = change(host->hosts, &usage, -1, err);
        if (rc == SW_OK)
            sw_hosts_usage_put(host, &usage);
    } else if (rc == SW_E_NOT_FOUND || rc == SW_E_CORRUPT) {
        rc = SW_OK;
    }
    if (rc != SW_OK)
        return rc;
    own_path(host, path);
    rc = system->path_remove(system->ctx, path, err);
    if (rc == SW_OK)
        rc = system->folder_sync(system->ctx, host->folder, err);
    if (rc == SW_E_NOT_FOUND)
        rc = SW_OK;
    host->has_usage = host->has_usage && rc != SW_OK;
    return rc;
}

enum sw_rc sw_host_usage_add(struct sw_host *host, struct sw_err *err)
{
    struct sw_host_usage usage;
    enum sw_rc rc = own_load(host, &usage, err);

    if (rc != SW_OK)
        return rc;
    if (!is_added(host->hosts, &usage))
        rc = change(host->hosts, &usage, 1, err);
    if (rc == SW_OK)
        (void)snprintf(host->usage_id, sizeof host->usage_id, "%s", usage.id);
    return rc;
}

void sw_host_usage_forget(struct sw_host *host)
{
    struct gone *gone =
        sw_map_find(host->hosts->gone, host->about.name_space, strlen(host->about.name_space));

    sw_hosts_usage_drop(host, gone == NULL ? NULL : gone->throttled);
    (void)sw_map_remove(host->hosts->gone_ids, host->usage_id, strlen(host->usage_id));
}
