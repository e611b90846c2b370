/* Folders of hosts: data/agents of the shared one, data/hosts/NAME of each other. */
#include "pkg/agent/hosts/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHARED_NAME "shared"
#define HOSTS_FOLDER "hosts"
#define JOURNAL_FOLDER "agents"
#define ABOUT_FILE "host"
#define ABOUT_BYTES_MAX 256
#define GONE_PREFIX "." /* Of a folder that is being removed. */
#define NAMESPACE_PREFIX "namespace-"
#define AGENT_PREFIX "agent-"
#define NAME_SIZE 96 /* ".namespace-", 63 bytes, "-" and eight digits are the longest. */
#define REMOVE_DEPTH_MAX 4

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* --- Names ----------------------------------------------------------------------------------- */

/* Of its folder below data/hosts. */
static void folder_name(const struct sw_host_about *about, char *ret_name, size_t size)
{
    if (about->isolation == SW_POD_ISOLATION_NAMESPACE)
        (void)snprintf(ret_name, size, NAMESPACE_PREFIX "%s", about->name_space);
    else
        (void)snprintf(ret_name, size, AGENT_PREFIX "%s", about->agent_uid);
}

static bool is_plain(const char *text, size_t size_max)
{
    size_t size = strlen(text);

    return size > 0 && size < size_max &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == size;
}

/* Who a folder is for, as far as its own name tells.  False: it is no host's. */
static bool about_of_folder(const char *name, struct sw_host_about *ret_about)
{
    *ret_about = (struct sw_host_about){.isolation = SW_POD_ISOLATION_AGENT};
    if (has_prefix(name, NAMESPACE_PREFIX)) {
        const char *space = name + strlen(NAMESPACE_PREFIX);

        ret_about->isolation = SW_POD_ISOLATION_NAMESPACE;
        if (!is_plain(space, sizeof ret_about->name_space))
            return false;
        (void)snprintf(ret_about->name_space, sizeof ret_about->name_space, "%s", space);
        (void)snprintf(ret_about->name, sizeof ret_about->name, "namespace/%s", space);
        return true;
    }
    if (!has_prefix(name, AGENT_PREFIX) ||
        !is_plain(name + strlen(AGENT_PREFIX), sizeof ret_about->agent_uid))
        return false;
    (void)snprintf(ret_about->agent_uid, sizeof ret_about->agent_uid, "%s",
                   name + strlen(AGENT_PREFIX));
    (void)snprintf(ret_about->name, sizeof ret_about->name, "agent/?/%s", ret_about->agent_uid);
    return true;
}

/* The first line of FOLDER/host: "agent/shop/cart".  False: it cannot be read. */
static bool name_load(const struct sw_system *system, const char *folder,
                      char ret_name[SW_HOST_NAME_SIZE])
{
    char path[SW_PATH_MAX];
    struct sw_buffer bytes;
    size_t size = 0;
    bool is_there;

    sw_buffer_init(&bytes, ABOUT_BYTES_MAX);
    is_there = snprintf(path, sizeof path, "%s/" ABOUT_FILE, folder) < (int)sizeof path &&
               sw_file_load(system, path, ABOUT_BYTES_MAX, &bytes, NULL) == SW_OK;
    while (is_there && size < bytes.size && bytes.data[size] != '\n')
        size++;
    is_there = is_there && size > 0 && size < SW_HOST_NAME_SIZE;
    for (size_t i = 0; is_there && i < size; i++)
        is_there = bytes.data[i] > ' ' && bytes.data[i] < 127;
    if (is_there) {
        (void)memcpy(ret_name, bytes.data, size);
        ret_name[size] = '\0';
    }
    sw_buffer_done(&bytes);
    return is_there;
}

/* "agent/shop/cart" apart.  False: it says something else. */
static bool names_take(struct sw_host_about *about, const char *name)
{
    char space[64], agent[64];
    int end = 0;

    if (about->isolation != SW_POD_ISOLATION_AGENT)
        return strcmp(about->name, name) == 0;
    if (sscanf(name, "agent/%63[a-z0-9-]/%63[a-z0-9-]%n", space, agent, &end) != 2 ||
        name[end] != '\0')
        return false;
    (void)snprintf(about->name, sizeof about->name, "%s", name);
    (void)snprintf(about->name_space, sizeof about->name_space, "%s", space);
    (void)snprintf(about->agent, sizeof about->agent, "%s", agent);
    return true;
}

void sw_hosts_name_of(const struct sw_system *system, const char *folder,
                      char ret_name[SW_HOST_NAME_SIZE])
{
    const char *slash = strrchr(folder, '/');
    char outer[SW_PATH_MAX];

    (void)snprintf(outer, sizeof outer, "%.*s", slash == NULL ? 0 : (int)(slash - folder), folder);
    if (!name_load(system, outer, ret_name))
        (void)snprintf(ret_name, SW_HOST_NAME_SIZE, SHARED_NAME);
}

/* --- One host -------------------------------------------------------------------------------- */

static bool paths_fill(struct sw_host *host)
{
    const char *data = host->hosts->options.data_folder;
    char name[80];
    int size;

    if (host->about.isolation == SW_POD_ISOLATION_SHARED) {
        size = snprintf(host->folder, sizeof host->folder, "%s", data);
    } else {
        folder_name(&host->about, name, sizeof name);
        size = snprintf(host->folder, sizeof host->folder, "%s/" HOSTS_FOLDER "/%s", data, name);
    }
    return size < (int)(sizeof host->folder - sizeof "/" JOURNAL_FOLDER "-journal") &&
           snprintf(host->journal, sizeof host->journal, "%s/" JOURNAL_FOLDER, host->folder) > 0 &&
           snprintf(host->identity, sizeof host->identity, "%s/" JOURNAL_FOLDER "-journal",
                    host->folder) > 0;
}

/* The lowest that is free. */
static bool index_take(struct sw_host *host)
{
    uint64_t used[SW_HOSTS_MAX / 64] = {0};

    SW_LIST_EACH(&host->hosts->all, node)
    {
        unsigned index = SW_LIST_ITEM(node, struct sw_host, node)->index;

        used[index / 64] |= UINT64_C(1) << index % 64;
    }
    for (host->index = 0; host->index < SW_HOSTS_MAX; host->index++)
        if ((used[host->index / 64] >> host->index % 64 & 1) == 0)
            return true;
    return false;
}

struct sw_host *sw_host_new(struct sw_hosts *hosts, const struct sw_host_about *about)
{
    struct sw_host *host = calloc(1, sizeof *host);

    if (host == NULL)
        return NULL;
    host->hosts = hosts;
    host->about = *about;
    host->bridges = sw_map_new(0);
    host->spaces = sw_map_new(0);
    sw_list_init(&host->node);
    if (host->bridges == NULL || host->spaces == NULL || !paths_fill(host) || !index_take(host)) {
        sw_map_free(host->bridges);
        sw_map_free(host->spaces);
        free(host);
        return NULL;
    }
    sw_list_add(&hosts->all, &host->node);
    return host;
}

void sw_host_end(struct sw_host *host)
{
    sw_host_quota_end(host);
    sw_agents_free(host->agents);
    host->agents = NULL;
    sw_host_bridges_forget(host);
    sw_cgroup_close(host->cgroup);
    host->cgroup = NULL;
}

struct sw_cgroup *sw_host_cgroup_open(const struct sw_host *host)
{
    struct sw_cgroups *cgroups = host->hosts->options.cgroups;
    char name[80] = SHARED_NAME;

    if (host->about.isolation != SW_POD_ISOLATION_SHARED)
        folder_name(&host->about, name, sizeof name);
    return cgroups == NULL ? NULL : sw_cgroup_open(cgroups, name);
}

void sw_host_free(struct sw_host *host)
{
    sw_list_remove(&host->node);
    sw_host_carriages_forget(host);
    sw_host_end(host);
    sw_map_free(host->bridges);
    sw_map_free(host->spaces);
    free(host);
}

enum sw_rc sw_host_place_make(const struct sw_host *host, struct sw_err *err)
{
    const struct sw_system *system = host->hosts->options.host.system;
    enum sw_rc rc = system->folder_make(system->ctx, host->folder, err);
    char path[SW_PATH_MAX + sizeof "/" ABOUT_FILE], line[SW_HOST_NAME_SIZE + 1];

    if (rc != SW_OK || host->about.isolation == SW_POD_ISOLATION_SHARED)
        return rc;
    (void)snprintf(path, sizeof path, "%s/" ABOUT_FILE, host->folder);
    (void)snprintf(line, sizeof line, "%s\n", host->about.name);
    return sw_file_save(system, path, line, strlen(line), err);
}

/* --- Removing -------------------------------------------------------------------------------- */

struct removal { /* Of a folder that has its last name. */
    const struct sw_system *system;
    const struct sw_logger *logger;
    struct sw_err err;
    char path[SW_PATH_MAX];
};

struct emptying {
    const struct removal *removal;
    const char *path;
    unsigned depth;
    enum sw_rc rc;
};

static enum sw_rc tree_remove(const struct removal *removal, const char *path, unsigned depth,
                              struct sw_err *err);

static bool entry_remove(void *ctx, const char *name)
{
    struct emptying *emptying = ctx;
    const struct sw_system *system = emptying->removal->system;
    struct sw_file_view view = {0};
    char *path;

    if (asprintf(&path, "%s/%s", emptying->path, name) < 0) {
        emptying->rc = SW_E_EXHAUSTED;
        return false;
    }
    /* What a link leads to is not the host's, and need not be there. */
    if (system->path_view(system->ctx, path, &view, NULL) == SW_OK && view.is_folder &&
        !view.is_link)
        emptying->rc = tree_remove(emptying->removal, path, emptying->depth + 1, NULL);
    else
        emptying->rc = system->path_remove(system->ctx, path, NULL);
    free(path);
    return emptying->rc == SW_OK;
}

static enum sw_rc tree_remove(const struct removal *removal, const char *path, unsigned depth,
                              struct sw_err *err)
{
    const struct sw_system *system = removal->system;
    struct emptying emptying = {removal, path, depth, SW_OK};
    enum sw_rc rc;

    if (depth == REMOVE_DEPTH_MAX)
        return sw_err_set(err, SW_E_RANGE, "%.200s is deeper than a host's folder", path);
    rc = system->folder_list(system->ctx, path, entry_remove, &emptying, err);
    if (rc == SW_OK && emptying.rc != SW_OK)
        rc = sw_err_set(err, emptying.rc, "what is in %.200s cannot be removed", path);
    return rc == SW_OK ? system->path_remove(system->ctx, path, err) : rc;
}

static void remove_work(void *ctx)
{
    struct removal *removal = ctx;

    removal->err.rc = tree_remove(removal, removal->path, 0, &removal->err);
}

static void on_removed(void *ctx)
{
    struct removal *removal = ctx;

    if (removal->err.rc != SW_OK)
        sw_log(removal->logger, SW_LOG_WARN, "agents", "%s; it is tried again at the next start",
               removal->err.message);
    free(removal);
}

static void removal_start(struct sw_hosts *hosts, const char *path)
{
    struct removal *removal = calloc(1, sizeof *removal);

    if (removal == NULL)
        return; /* The next start finds it. */
    removal->system = hosts->options.host.system;
    removal->logger = hosts->options.host.logger;
    (void)snprintf(removal->path, sizeof removal->path, "%s", path);
    if (sw_loop_work(hosts->options.host.loop, remove_work, on_removed, removal) != SW_OK)
        free(removal);
}

void sw_host_place_remove(struct sw_host *host)
{
    struct sw_hosts *hosts = host->hosts;
    const struct sw_agents_options *options = &hosts->options.host;
    const char *name = strrchr(host->folder, '/') + 1;
    char gone[SW_PATH_MAX + 32];
    uint64_t number;
    struct sw_err err = {0};
    enum sw_rc rc;

    options->system->random(options->system->ctx, &number, sizeof number);
    (void)snprintf(gone, sizeof gone, "%s/" HOSTS_FOLDER "/" GONE_PREFIX "%s-%08x",
                   hosts->options.data_folder, name, (unsigned)(number & 0xffffffffu));
    rc = options->system->path_rename(options->system->ctx, host->folder, gone, &err);
    if (rc != SW_OK && rc != SW_E_NOT_FOUND) {
        sw_log(options->logger, SW_LOG_WARN, "agents",
               "the folder of the agent host %s cannot be removed: %s", host->about.name,
               err.message);
        return;
    }
    sw_log(options->logger, SW_LOG_INFO, "agents",
           "nothing needs the data of the agent host %s any more: it is removed", host->about.name);
    if (rc == SW_OK)
        removal_start(hosts, gone);
    sw_host_quota_forget(host);
    sw_host_usage_forget(host);
    sw_host_free(host);
}

/* --- What there is --------------------------------------------------------------------------- */

struct names {
    char (*names)[NAME_SIZE];
    size_t count;
    bool is_full;
};

static bool note_name(void *ctx, const char *name)
{
    struct names *names = ctx;
    bool is_gone = has_prefix(name, GONE_PREFIX);
    struct sw_host_about about;

    if (strlen(name) >= sizeof names->names[0] || (!is_gone && !about_of_folder(name, &about)))
        return true;
    names->is_full = names->count == 2 * SW_HOSTS_MAX;
    if (!names->is_full)
        (void)snprintf(names->names[names->count++], sizeof names->names[0], "%s", name);
    return !names->is_full;
}

static enum sw_rc names_list(const struct sw_system *system, const char *data_folder,
                             struct names *ret_names, struct sw_err *err)
{
    char path[SW_PATH_MAX];
    enum sw_rc rc;

    *ret_names = (struct names){.names = calloc(2 * SW_HOSTS_MAX, sizeof ret_names->names[0])};
    if (ret_names->names == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to look for agent hosts");
    (void)snprintf(path, sizeof path, "%s/" HOSTS_FOLDER, data_folder);
    rc = system->folder_list(system->ctx, path, note_name, ret_names, err);
    if (rc == SW_E_NOT_FOUND)
        return SW_OK;
    if (rc == SW_OK && ret_names->is_full)
        rc = sw_err_set(err, SW_E_RANGE, "%.200s has more than %d folders", path, 2 * SW_HOSTS_MAX);
    return rc;
}

/* A folder of which nothing says whose it is stays: somebody may have lost that file. */
static enum sw_rc note_host(struct sw_hosts *hosts, const char *name, struct sw_err *err)
{
    const struct sw_agents_options *options = &hosts->options.host;
    struct sw_host_about about;
    char words[SW_HOST_NAME_SIZE];
    struct sw_host *host;

    (void)about_of_folder(name, &about);
    host = sw_host_new(hosts, &about);
    if (host == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for an agent host");
    host->is_unknown =
        !name_load(options->system, host->folder, words) || !names_take(&host->about, words);
    if (host->is_unknown)
        sw_log(options->logger, SW_LOG_WARN, "agents",
               "%.300s/" ABOUT_FILE " does not say whose data lies there; it is kept",
               host->folder);
    else
        sw_host_usage_note(host);
    return SW_OK;
}

enum sw_rc sw_hosts_scan(struct sw_hosts *hosts, struct sw_err *err)
{
    struct names names;
    enum sw_rc rc = names_list(hosts->options.host.system, hosts->options.data_folder, &names, err);

    for (size_t i = 0; rc == SW_OK && i < names.count; i++) {
        char path[SW_PATH_MAX + 96];

        (void)snprintf(path, sizeof path, "%s/" HOSTS_FOLDER "/%s", hosts->options.data_folder,
                       names.names[i]);
        if (has_prefix(names.names[i], GONE_PREFIX))
            removal_start(hosts, path);
        else
            rc = note_host(hosts, names.names[i], err);
    }
    free(names.names);
    return rc;
}

enum sw_rc sw_hosts_folders(const struct sw_system *system, const char *data_folder,
                            bool (*visit)(void *ctx, const char *folder), void *ctx,
                            struct sw_err *err)
{
    char path[SW_PATH_MAX + 96];
    struct names names;
    enum sw_rc rc = names_list(system, data_folder, &names, err);
    bool goes_on = true;

    (void)snprintf(path, sizeof path, "%s/" JOURNAL_FOLDER, data_folder);
    if (rc == SW_OK)
        goes_on = visit(ctx, path);
    for (size_t i = 0; rc == SW_OK && goes_on && i < names.count; i++) {
        if (has_prefix(names.names[i], GONE_PREFIX))
            continue;
        (void)snprintf(path, sizeof path, "%s/" HOSTS_FOLDER "/%s/" JOURNAL_FOLDER, data_folder,
                       names.names[i]);
        goes_on = visit(ctx, path);
    }
    free(names.names);
    return rc;
}
